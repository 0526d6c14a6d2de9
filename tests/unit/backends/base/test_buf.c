#include "backends/base/buf.h"
#include "check.h"

static void a_buf_grows_up_to_its_limit_and_no_further(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf b = BUF_INIT(1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_addc(&b, 'x'), 0);
	assert_int_equal(buf_addc(&b, 'y'), -EFBIG);
	assert_int_equal(b.len, 1000);
	assert_int_equal(strlen(b.data), 1000);
	assert_true(b.capacity <= 1001);
}

static void a_failed_addition_leaves_the_content_as_it_was(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf b = BUF_INIT(10);
	assert_int_equal(buf_adds(&b, "12345678"), 0);
	assert_int_equal(buf_adds(&b, "abc"), -EFBIG);
	assert_string_equal(buf_cstr(&b), "12345678");
	assert_int_equal(buf_addf(&b, "%d", 123), -EFBIG);
	assert_string_equal(buf_cstr(&b), "12345678");
	assert_int_equal(buf_addf(&b, "%d", 12), 0);
	assert_string_equal(buf_cstr(&b), "1234567812");
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -EFBIG);
}

static void formatting_grows_the_buf_when_the_first_try_does_not_fit(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf b = BUF_INIT(100000);
	assert_int_equal(buf_addf(&b, "%05000d|", 7), 0);
	assert_int_equal(b.len, 5001);
	assert_int_equal(buf_addf(&b, "%s", "tail"), 0);
	assert_true(str_ends(buf_str(&b), "7|tail"));
	buf_clear(&b);
	assert_int_equal(buf_addf(&b, "%s", ""), 0);
	assert_string_equal(buf_cstr(&b), "");
}

static void a_limit_of_nothing_takes_nothing(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf b = BUF_INIT(0);
	assert_int_equal(buf_add(&b, NULL, 0), 0);
	assert_int_equal(buf_addc(&b, 'x'), -EFBIG);
	assert_string_equal(buf_cstr(&b), "");
}

static void an_unlimited_buf_refuses_sizes_that_cannot_be(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf b = BUF_INIT(SIZE_MAX);
	assert_int_equal(buf_adds(&b, "x"), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX - 1), -EFBIG);
	assert_int_equal(buf_reserve(&b, SIZE_MAX / 2), -EFBIG);
	assert_string_equal(buf_cstr(&b), "x");
}

static void detaching_moves_the_bytes_out_and_never_gives_null(void **state)
{
	(void)state;
	struct buf b = BUF_INIT(10);
	CLEANUP(freep) char *empty = buf_detach(&b);
	assert_string_equal(empty, "");
	assert_int_equal(buf_adds(&b, "abc"), 0);
	CLEANUP(freep) char *text = buf_detach(&b);
	assert_string_equal(text, "abc");
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	buf_release(&b);
	buf_release(NULL);
}

static void views_compare_with_and_without_case(void **state)
{
	(void)state;
	assert_true(str_equal(STR("abc"), str_of("abc")));
	assert_false(str_equal(STR("abc"), STR("abd")));
	assert_true(str_equal(str_of(NULL), STR("")));
	assert_true(str_equal_nocase(STR("ETag"), STR("etag")));
	assert_false(str_equal_nocase(STR("[a"), STR("{a"))); /* 32 apart, but no letters */
	assert_true(str_starts(STR("prefix/x"), "prefix/"));
	assert_false(str_starts(STR("pre"), "prefix"));
	assert_true(str_ends(STR("a/"), "/"));
	assert_false(str_ends(STR(""), "/"));
	assert_true(str_equal(str_trim(STR(" \t x y \r\n")), STR("x y")));
	assert_int_equal(str_trim(STR(" \n ")).len, 0);
}

static void splitting_gives_every_piece_the_empty_ones_too(void **state)
{
	(void)state;
	struct str rest = STR("a,,b,");
	assert_true(str_equal(str_split(&rest, ','), STR("a")));
	struct str piece = str_split(&rest, ',');
	assert_true(piece.ptr && piece.len == 0);
	assert_true(str_equal(str_split(&rest, ','), STR("b")));
	piece = str_split(&rest, ',');
	assert_true(piece.ptr && piece.len == 0);
	assert_null(rest.ptr);
	assert_null(str_split(&rest, ',').ptr);
}

static void numbers_are_taken_whole_or_not_at_all(void **state)
{
	(void)state;
	uint64_t u = 7;
	int64_t i = 7;
	assert_int_equal(str_to_u64(STR("18446744073709551615"), &u), 0);
	assert_true(u == UINT64_MAX);
	u = 7;
	assert_int_equal(str_to_u64(STR("18446744073709551616"), &u), -ERANGE);
	assert_int_equal(str_to_u64(STR("99999999999999999999999999x"), &u), -EINVAL);
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x10", "1.0", "1e3", "\xd9\xa1" };
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_int_equal(str_to_u64(str_of(bad[k]), &u), -EINVAL);
	assert_int_equal(str_to_u64((struct str){ NULL, 0 }, &u), -EINVAL);
	assert_int_equal(str_to_u64((struct str){ "1\0", 2 }, &u), -EINVAL);
	assert_int_equal(u, 7);
	assert_int_equal(str_to_i64(STR("-9223372036854775808"), &i), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(str_to_i64(STR("9223372036854775807"), &i), 0);
	assert_true(i == INT64_MAX);
	assert_int_equal(str_to_i64(STR("9223372036854775808"), &i), -ERANGE);
	assert_int_equal(str_to_i64(STR("-9223372036854775809"), &i), -ERANGE);
	assert_int_equal(str_to_i64(STR("--1"), &i), -EINVAL);
	assert_int_equal(str_to_i64(STR("-"), &i), -EINVAL);
}

static void sizes_are_powers_of_1024(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },	       { "4096", 4096 },	{ "512K", 524288 },
		{ "1.5M", 1572864 },   { "10G", UINT64_C(10) << 30 }, { "1T", UINT64_C(1) << 40 },
		{ "15E", UINT64_C(15) << 60 }, { "1g", 1 << 30 }, { "2MiB", 2 << 20 },
		{ "3kb", 3072 },       { "7B", 7 },		{ "0.5K", 512 },
	};
	for (size_t k = 0; k < ARRAY_SIZE(good); k++) {
		uint64_t bytes = 1;
		assert_int_equal(str_to_size(str_of(good[k].text), &bytes), 0);
		assert_true(bytes == good[k].bytes);
	}
	uint64_t bytes = 1;
	static const char *const bad[] = { "",    "G",    "-1",   "1 G", "1GG",	 "1.5",
					   "1.G", ".5G", "1X", "1G ", "1,5G", "nan" };
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_int_equal(str_to_size(str_of(bad[k]), &bytes), -EINVAL);
	assert_int_equal(str_to_size(STR("16E"), &bytes), -ERANGE);
	assert_int_equal(str_to_size(STR("18446744073709551616"), &bytes), -ERANGE);
	assert_int_equal(str_to_size(STR("1.9999999999999999999999G"), &bytes), 0);
	assert_true(bytes < (UINT64_C(2) << 30));
}

static void durations_know_their_units_and_a_bare_number_is_seconds(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = { { "1", 1000 },    { "1s", 1000 },	    { "500ms", 500 },	 { "5m", 300000 },
		     { "2h", 7200000 }, { "1d", 86400000 }, { "0.5", 500 },	 { "1.5s", 1500 } };
	for (size_t k = 0; k < ARRAY_SIZE(good); k++) {
		uint64_t ms = 1;
		assert_int_equal(str_to_duration(str_of(good[k].text), &ms), 0);
		assert_true(ms == good[k].ms);
	}
	uint64_t ms;
	static const char *const bad[] = { "", "s", "1x", "1 s", "-1s", "1.s", "1sm" };
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_int_equal(str_to_duration(str_of(bad[k]), &ms), -EINVAL);
	assert_int_equal(str_to_duration(STR("18446744073709551615d"), &ms), -ERANGE);
}

static void truth_has_four_words_and_so_has_falsehood(void **state)
{
	(void)state;
	static const char *const yes[] = { "yes", "TRUE", "On", "1" };
	static const char *const no[] = { "no", "False", "OFF", "0" };
	static const char *const bad[] = { "", "y", "2", "yes ", "nope" };
	bool b;
	for (size_t k = 0; k < 4; k++) {
		b = false;
		assert_int_equal(str_to_bool(str_of(yes[k]), &b), 0);
		assert_true(b);
		assert_int_equal(str_to_bool(str_of(no[k]), &b), 0);
		assert_false(b);
	}
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_int_equal(str_to_bool(str_of(bad[k]), &b), -EINVAL);
}

static void only_well_formed_utf8_counts_as_a_character(void **state)
{
	(void)state;
	assert_int_equal(str_utf8_char(STR("")), 0);
	assert_int_equal(str_utf8_char(STR("ab")), 1);
	assert_int_equal(str_utf8_char(STR("\0")), 1);
	assert_int_equal(str_utf8_char(STR("\xc3\xbcx")), 2);
	assert_int_equal(str_utf8_char(STR("\xe2\x82\xac")), 3);
	assert_int_equal(str_utf8_char(STR("\xf4\x8f\xbf\xbf")), 4);
	static const char *const bad[] = { "\x80",	    "\xc3",	    "\xc0\x80",     "\xc1\xbf",
					   "\xe0\x9f\xbf",	"\xed\xa0\x80", "\xe2\x82",     "\xe2\x82x",
					   "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
					   "\xff" };
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_int_equal(str_utf8_char(str_of(bad[k])), 0);
}

static void copies_and_formatted_strings_are_the_callers(void **state)
{
	(void)state;
	CLEANUP(freep) char *copy = str_dup((struct str){ "abcdef", 3 });
	CLEANUP(freep) char *empty = str_dup((struct str){ NULL, 0 });
	CLEANUP(freep) char *text = str_format("%s-%d", "a", 5);
	assert_string_equal(copy, "abc");
	assert_string_equal(empty, "");
	assert_string_equal(text, "a-5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buf_grows_up_to_its_limit_and_no_further),
		cmocka_unit_test(a_failed_addition_leaves_the_content_as_it_was),
		cmocka_unit_test(formatting_grows_the_buf_when_the_first_try_does_not_fit),
		cmocka_unit_test(a_limit_of_nothing_takes_nothing),
		cmocka_unit_test(an_unlimited_buf_refuses_sizes_that_cannot_be),
		cmocka_unit_test(detaching_moves_the_bytes_out_and_never_gives_null),
		cmocka_unit_test(views_compare_with_and_without_case),
		cmocka_unit_test(splitting_gives_every_piece_the_empty_ones_too),
		cmocka_unit_test(numbers_are_taken_whole_or_not_at_all),
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(durations_know_their_units_and_a_bare_number_is_seconds),
		cmocka_unit_test(truth_has_four_words_and_so_has_falsehood),
		cmocka_unit_test(only_well_formed_utf8_counts_as_a_character),
		cmocka_unit_test(copies_and_formatted_strings_are_the_callers),
	};
	return RUN(tests);
}
