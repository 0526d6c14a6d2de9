#include "backends/http/url.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void encoding_keeps_the_unreserved_set_only(void **state)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(4096);

	(void)state;
	assert_int_equal(url_encode(STR("aZ09-._~/ +&=%\n\xc3\xa9"), URL_KEEP_SLASH, &out), 0);
	assert_string_equal(buf_cstr(&out), "aZ09-._~/%20%2B%26%3D%25%0A%C3%A9");
	buf_clear(&out);
	assert_int_equal(url_encode(STR("a/b"), URL_ENCODE_SLASH, &out), 0);
	assert_string_equal(buf_cstr(&out), "a%2Fb");
	assert_int_equal(url_encode((struct str){ "\0x", 2 }, URL_ENCODE_SLASH, &out), 0);
	assert_string_equal(buf_cstr(&out), "a%2Fb%00x");
}

static void what_does_not_fit_leaves_the_buffer_as_it_was(void **state)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(8);

	(void)state;
	assert_int_equal(url_encode(STR("abc"), URL_KEEP_SLASH, &out), 0);
	assert_int_equal(url_encode(STR("????"), URL_KEEP_SLASH, &out), -EFBIG);
	assert_string_equal(buf_cstr(&out), "abc");
	assert_int_equal(url_decode(STR("%41%4"), &out), -EINVAL);
	assert_string_equal(buf_cstr(&out), "abc");
}

static void decoding_takes_back_encoding_of_every_byte(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(4096);
	CLEANUP(buf_release) struct buf back = BUF_INIT(4096);
	char all[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	assert_int_equal(url_encode((struct str){ all, 256 }, URL_ENCODE_SLASH, &text), 0);
	assert_int_equal(url_decode(buf_str(&text), &back), 0);
	assert_int_equal(back.len, 256);
	assert_memory_equal(back.data, all, 256);
}

static void broken_escapes_are_refused(void **state)
{
	static const char *const texts[] = { "%", "%4", "a%", "a%4", "%g1", "%1g", "%%%" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(buf_release) struct buf out = BUF_INIT(64);
		assert_int_equal(url_decode(str_of(texts[i]), &out), -EINVAL);
	}
	CLEANUP(buf_release) struct buf out = BUF_INIT(64);
	assert_int_equal(url_decode(STR("a+b%2f%2F"), &out), 0);
	assert_string_equal(buf_cstr(&out), "a+b//");
}

static void assert_str(struct str s, const char *want)
{
	CLEANUP(freep) char *text = str_dup(s.ptr ? s : STR(""));
	assert_string_equal(text, want);
}

static void urls_are_taken_apart(void **state)
{
	static const struct {
		const char *text, *scheme, *host, *port, *path, *query;
	} rows[] = {
		{ "http://h", "http", "h", "", "", "" },
		{ "https://s3.example.org/", "https", "s3.example.org", "", "/", "" },
		{ "HTTPS://h:9000/a/b?x=1&y", "HTTPS", "h", "9000", "/a/b", "x=1&y" },
		{ "http://[::1]:80/x", "http", "[::1]", "80", "/x", "" },
		{ "http://[::1]", "http", "[::1]", "", "", "" },
		{ "http://h?q", "http", "h", "", "", "q" },
		{ "http://my_bucket.h/%20", "http", "my_bucket.h", "", "/%20", "" },
		{ "http://h/a:b@c", "http", "h", "", "/a:b@c", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct url url;
		assert_int_equal(url_parse(str_of(rows[i].text), &url, &err), 0);
		assert_str(url.scheme, rows[i].scheme);
		assert_str(url.host, rows[i].host);
		assert_str(url.port, rows[i].port);
		assert_str(url.path, rows[i].path);
		assert_str(url.query, rows[i].query);
	}
}

static void strange_urls_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"http:",
		"http://",
		"ftp://h/",
		"h/x",
		"http:///x",
		"http://u@h/",
		"http://u:p@h/",
		"http://h#f",
		"http://h/a b",
		"http://h/\r\nX: y",
		"http://h:",
		"http://h:0",
		"http://h:65536",
		"http://h:8a",
		"http://h:-1",
		"http://[::1",
		"http://[::1]x",
		"http://[zz]",
		"http://h\\x",
		"http://h\xc3\xa9",
		"http://h%20",
		"http://:80/",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct error err = ERROR_INIT;
		struct url url;
		assert_true(url_parse(str_of(texts[i]), &url, &err) < 0);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_true(err.message[0] != '\0');
	}
}

static void hosts_are_told_apart(void **state)
{
	static const struct {
		const char *host;
		bool is_local_or_ip, is_loopback;
	} rows[] = {
		{ "localhost", true, true },	   { "LOCALHOST", true, true },
		{ "a.localhost", true, true },	   { "127.0.0.1", true, true },
		{ "127.9.9.9", true, true },	   { "[::1]", true, true },
		{ "10.0.0.1", true, false },	   { "[fe80::1]", true, false },
		{ "example.org", false, false },   { "notlocalhost", false, false },
		{ "127.0.0.1.org", false, false }, { "", false, false },
		{ ".localhost", false, false },	   { "[::ffff:127.0.0.1]", true, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(url_host_is_local_or_ip(str_of(rows[i].host)),
				 rows[i].is_local_or_ip);
		assert_int_equal(url_host_is_loopback(str_of(rows[i].host)), rows[i].is_loopback);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encoding_keeps_the_unreserved_set_only),
		cmocka_unit_test(what_does_not_fit_leaves_the_buffer_as_it_was),
		cmocka_unit_test(decoding_takes_back_encoding_of_every_byte),
		cmocka_unit_test(broken_escapes_are_refused),
		cmocka_unit_test(urls_are_taken_apart),
		cmocka_unit_test(strange_urls_are_refused),
		cmocka_unit_test(hosts_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
