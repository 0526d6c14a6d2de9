#include "backends/base/hash.h"
#include "backends/base/random.h"
#include "check.h"

static void hex_goes_there_and_back(void **state)
{
	(void)state;
	unsigned char data[256], back[256];
	char text[513];
	for (int i = 0; i < 256; i++)
		data[i] = (unsigned char)i;
	hex_encode(data, sizeof(data), text);
	assert_true(str_starts(str_of(text), "000102") && str_ends(str_of(text), "feff"));
	assert_int_equal(hex_decode(str_of(text), back, sizeof(back)), 256);
	assert_memory_equal(data, back, 256);
	assert_int_equal(hex_decode(STR("DeadBEEF"), back, 4), 4);
	assert_memory_equal(back, "\xde\xad\xbe\xef", 4);
	assert_int_equal(hex_decode(STR(""), back, 0), 0);
}

static void bad_hex_is_refused(void **state)
{
	(void)state;
	unsigned char back[4];
	static const char *const bad[] = { "a", "0g", "0x", " 1", "1 ", "0011223344", "\xff\xff" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(hex_decode(str_of(bad[i]), back, sizeof(back)), -EINVAL);
}

static void base64_matches_the_vectors_of_rfc_4648(void **state)
{
	(void)state;
	static const char *const rows[][2] = { { "", "" },	     { "f", "Zg==" },
					       { "fo", "Zm8=" },     { "foo", "Zm9v" },
					       { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
					       { "foobar", "Zm9vYmFy" } };
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(buf_release) struct buf out = BUF_INIT(100), back = BUF_INIT(100);
		assert_int_equal(base64_encode(rows[i][0], strlen(rows[i][0]), &out), 0);
		assert_string_equal(buf_cstr(&out), rows[i][1]);
		assert_int_equal(base64_decode(buf_str(&out), &back), 0);
		assert_string_equal(buf_cstr(&back), rows[i][0]);
		buf_clear(&back);
		struct str unpadded = str_of(rows[i][1]);
		while (str_ends(unpadded, "="))
			unpadded.len--;
		assert_int_equal(base64_decode(unpadded, &back), 0);
		assert_string_equal(buf_cstr(&back), rows[i][0]);
	}
}

static void random_bytes_go_through_base64_unchanged(void **state)
{
	(void)state;
	random_seed(3);
	for (int i = 0; i < 500; i++) {
		unsigned char data[200];
		size_t len = random_below(sizeof(data));
		random_bytes(data, len);
		CLEANUP(buf_release) struct buf out = BUF_INIT(1000), back = BUF_INIT(1000);
		assert_int_equal(base64_encode(data, len, &out), 0);
		assert_int_equal(out.len, (len + 2) / 3 * 4);
		assert_int_equal(base64_decode(buf_str(&out), &back), 0);
		assert_int_equal(back.len, len);
		if (len > 0)
			assert_memory_equal(back.data, data, len);
	}
	random_seed(0);
}

static void both_alphabets_are_read(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf out = BUF_INIT(10);
	assert_int_equal(base64_decode(STR("+/+/"), &out), 0);
	assert_int_equal(base64_decode(STR("-_-_"), &out), 0);
	assert_int_equal(out.len, 6);
	assert_memory_equal(out.data, out.data + 3, 3);
}

static void bad_base64_is_refused_and_leaves_what_was_there(void **state)
{
	(void)state;
	static const char *const bad[] = { "A",	    "AA=A",  "====",  "A===", "AA==AA==", "AA= =",
					   "Zm 9v", "Zm9v\n", "Zg=",  "Zh==", "Zm9=",	  "=",
					   "\xff\xff\xff\xff" };
	CLEANUP(buf_release) struct buf out = BUF_INIT(100);
	assert_int_equal(buf_adds(&out, "old"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(base64_decode(str_of(bad[i]), &out), -EINVAL);
		assert_string_equal(buf_cstr(&out), "old");
	}
}

static void a_limit_holds_for_both_ways(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf out = BUF_INIT(5);
	assert_int_equal(base64_encode("abcd", 4, &out), -EFBIG);
	assert_int_equal(base64_encode("abc", 3, &out), 0);
	assert_int_equal(base64_decode(STR("AAAA"), &out), -EFBIG);
	assert_string_equal(buf_cstr(&out), "YWJj");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex_goes_there_and_back),
		cmocka_unit_test(bad_hex_is_refused),
		cmocka_unit_test(base64_matches_the_vectors_of_rfc_4648),
		cmocka_unit_test(random_bytes_go_through_base64_unchanged),
		cmocka_unit_test(both_alphabets_are_read),
		cmocka_unit_test(bad_base64_is_refused_and_leaves_what_was_there),
		cmocka_unit_test(a_limit_holds_for_both_ways),
	};
	return RUN(tests);
}
