#include "backends/base/ini.h"
#include "check.h"
#include <stdio.h>

static void assert_refused(struct str text, const char *where)
{
	CLEANUP(ini_release) struct ini ini = INI_INIT;
	struct error err = ERROR_INIT;
	assert_int_equal(ini_parse("x.conf", text, INI_SKYDIR, &ini, &err), -EINVAL);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_ptr_equal(strstr(err.message, where), err.message);
	assert_int_equal(ini.count, 0);
}

static void sections_and_keys_are_read_in_order_with_their_lines(void **state)
{
	(void)state;
	CLEANUP(ini_release) struct ini ini = INI_INIT;
	struct error err;
	static const char text[] = "top = 1\n"
				   "; a comment\n"
				   "[s3]        ; the store\n"
				   "type = s3\r\n"
				   "\n"
				   "[ min io ]\n"
				   "endpoint=http://127.0.0.1:9000/?a=b\n"
				   "path-style = yes   # the default\n"
				   "empty =\n"
				   "[none]";
	assert_int_equal(ini_parse("x.conf", str_of(text), INI_SKYDIR, &ini, &err), 0);
	static const struct ini_entry expect[] = {
		{ "", "top", "1", 1 },
		{ "s3", NULL, NULL, 3 },
		{ "s3", "type", "s3", 4 },
		{ "min io", NULL, NULL, 6 },
		{ "min io", "endpoint", "http://127.0.0.1:9000/?a=b", 7 },
		{ "min io", "path-style", "yes", 8 },
		{ "min io", "empty", "", 9 },
		{ "none", NULL, NULL, 10 },
	};
	assert_int_equal(ini.count, ARRAY_SIZE(expect));
	for (size_t i = 0; i < ini.count; i++) {
		assert_string_equal(ini.entries[i].section, expect[i].section);
		assert_int_equal(ini.entries[i].line, expect[i].line);
		if (!expect[i].key) {
			assert_null(ini.entries[i].key);
			continue;
		}
		assert_string_equal(ini.entries[i].key, expect[i].key);
		assert_string_equal(ini.entries[i].value, expect[i].value);
	}
	assert_string_equal(ini.path, "x.conf");
	assert_true(ini_has_section(&ini, "none"));
	assert_false(ini_has_section(&ini, "nope"));
}

static void the_last_value_counts_and_keys_have_no_case(void **state)
{
	(void)state;
	CLEANUP(ini_release) struct ini ini = INI_INIT;
	assert_int_equal(ini_parse("x", STR("[a]\nKey = 1\n[b]\nkey=3\n[a]\nkEY = 2\n"), INI_SKYDIR, &ini,
				   NULL),
			 0);
	assert_string_equal(ini_get(&ini, "a", "key"), "2");
	assert_string_equal(ini_get(&ini, "b", "KEY"), "3");
	assert_null(ini_get(&ini, "A", "key"));
	assert_null(ini_get(&ini, "a", "other"));
}

static void a_comment_begins_only_after_white_space(void **state)
{
	(void)state;
	CLEANUP(ini_release) struct ini ini = INI_INIT;
	assert_int_equal(ini_parse("x", STR("a = x#y;z # c\nb=#k\nc = # all\nd = v\t;c\n\xef\xbb\xbf=1"),
				   INI_SKYDIR, &ini, NULL),
			 0);
	assert_string_equal(ini_get(&ini, "", "a"), "x#y;z");
	assert_string_equal(ini_get(&ini, "", "b"), "#k");
	assert_string_equal(ini_get(&ini, "", "c"), "");
	assert_string_equal(ini_get(&ini, "", "d"), "v");
}

static void a_byte_order_mark_at_the_start_is_skipped(void **state)
{
	(void)state;
	CLEANUP(ini_release) struct ini ini = INI_INIT;
	assert_int_equal(ini_parse("x", STR("\xef\xbb\xbf[a]\nb=1"), INI_SKYDIR, &ini, NULL), 0);
	assert_string_equal(ini_get(&ini, "a", "b"), "1");
}

static void bad_lines_are_refused_with_file_and_line(void **state)
{
	(void)state;
	assert_refused(STR("[a]\nb = 1\nnonsense\n"), "x.conf:3: ");
	assert_refused(STR("[a\nb = 1\n"), "x.conf:1: ");
	assert_refused(STR("[]\n"), "x.conf:1: ");
	assert_refused(STR("[ ]\n"), "x.conf:1: ");
	assert_refused(STR("\n\n= 1\n"), "x.conf:3: ");
	assert_refused(STR("[a] b\n"), "x.conf:1: ");
	assert_refused(STR("[a]b=1\n"), "x.conf:1: ");
	assert_refused(STR("a = 1\nb = \0x\n"), "x.conf:2: a NUL");
	assert_refused(STR("a = 1\n;\0\n"), "x.conf:2: a NUL");
}

static void long_lines_and_big_files_are_refused(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf b = BUF_INIT(4 << 20);
	CLEANUP(ini_release) struct ini ini = INI_INIT;
	assert_int_equal(buf_adds(&b, "a = "), 0);
	while (b.len < 65536)
		assert_int_equal(buf_addc(&b, 'x'), 0);
	assert_int_equal(ini_parse("x", buf_str(&b), INI_SKYDIR, &ini, NULL), 0);
	assert_int_equal(strlen(ini_get(&ini, "", "a")), 65532);
	assert_int_equal(buf_addc(&b, 'x'), 0);
	assert_refused(buf_str(&b), "x.conf:1: a line over");
	buf_clear(&b);
	while (b.len <= 1 << 20)
		assert_int_equal(buf_adds(&b, "a=\n"), 0);
	assert_refused(buf_str(&b), "x.conf: over 1 MiB");
	b.len = 1 << 20;
	b.data[b.len] = '\0';
	b.data[b.len - 1] = '\n';
	assert_int_equal(ini_parse("x", buf_str(&b), INI_SKYDIR, &ini, NULL), 0);
	assert_int_equal(ini.count, (1 << 20) / 3);
}

static void names_of_any_length_are_kept_whole(void **state)
{
	(void)state;
	CLEANUP(ini_release) struct ini ini = INI_INIT;
	static const char text[] = "[profile a-profile-name-that-is-much-longer-than-fifty-bytes-indeed]\n"
				   "a_key_that_is_also_much_longer_than_the_fifty_bytes_of_inih = 1\n";
	assert_int_equal(ini_parse("x", str_of(text), INI_AWS, &ini, NULL), 0);
	assert_string_equal(
		ini_get(&ini, "profile a-profile-name-that-is-much-longer-than-fifty-bytes-indeed",
			"a_key_that_is_also_much_longer_than_the_fifty_bytes_of_inih"),
		"1");
}

static void nested_settings_of_aws_files_are_kept_out(void **state)
{
	(void)state;
	CLEANUP(ini_release) struct ini ini = INI_INIT;
	static const char text[] = "# comment\n"
				   "[profile dev]\n"
				   "region = eu-west-1\n"
				   "s3 =\n"
				   "  max_concurrent_requests = 20\n"
				   "  region = nested\n"
				   "\tregion = nested too\n"
				   "output = json # no comment here\n"
				   "[default]\n"
				   "    aws_access_key_id = AKIA\n"
				   "    aws_secret_access_key = a/b+c=#;=\n";
	assert_int_equal(ini_parse("x", str_of(text), INI_AWS, &ini, NULL), 0);
	assert_string_equal(ini_get(&ini, "profile dev", "region"), "eu-west-1");
	assert_string_equal(ini_get(&ini, "profile dev", "output"), "json # no comment here");
	assert_string_equal(ini_get(&ini, "profile dev", "s3"), "");
	assert_null(ini_get(&ini, "profile dev", "max_concurrent_requests"));
	assert_string_equal(ini_get(&ini, "default", "aws_access_key_id"), "AKIA");
	assert_string_equal(ini_get(&ini, "default", "aws_secret_access_key"), "a/b+c=#;=");
}

static void a_missing_file_is_told_from_an_unreadable_one(void **state)
{
	(void)state;
	CLEANUP(ini_release) struct ini ini = INI_INIT;
	struct error err;
	assert_int_equal(ini_load("/nonexistent/skydir.conf", INI_SKYDIR, &ini, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.message, "/nonexistent/skydir.conf"));
	assert_int_equal(ini_load("/tmp", INI_SKYDIR, &ini, &err), -EINVAL);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.message, "/tmp"));
	assert_int_equal(ini_load("/dev/null", INI_SKYDIR, &ini, &err), 0);
	assert_int_equal(ini.count, 0);
}

static void an_old_content_is_replaced_and_kept_on_failure(void **state)
{
	(void)state;
	CLEANUP(ini_release) struct ini ini = INI_INIT;
	assert_int_equal(ini_parse("x", STR("a=1"), INI_SKYDIR, &ini, NULL), 0);
	assert_int_equal(ini_parse("x", STR("nonsense"), INI_SKYDIR, &ini, NULL), -EINVAL);
	assert_string_equal(ini_get(&ini, "", "a"), "1");
	assert_int_equal(ini_parse("x", STR("a=2"), INI_SKYDIR, &ini, NULL), 0);
	assert_string_equal(ini_get(&ini, "", "a"), "2");
	ini_release(&ini);
	ini_release(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_and_keys_are_read_in_order_with_their_lines),
		cmocka_unit_test(the_last_value_counts_and_keys_have_no_case),
		cmocka_unit_test(a_comment_begins_only_after_white_space),
		cmocka_unit_test(a_byte_order_mark_at_the_start_is_skipped),
		cmocka_unit_test(bad_lines_are_refused_with_file_and_line),
		cmocka_unit_test(long_lines_and_big_files_are_refused),
		cmocka_unit_test(names_of_any_length_are_kept_whole),
		cmocka_unit_test(nested_settings_of_aws_files_are_kept_out),
		cmocka_unit_test(a_missing_file_is_told_from_an_unreadable_one),
		cmocka_unit_test(an_old_content_is_replaced_and_kept_on_failure),
	};
	return RUN(tests);
}
