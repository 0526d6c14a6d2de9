#include "backends/base/json.h"
#include "check.h"

static struct json_object *parse(const char *text)
{
	struct json_object *o = NULL;
	struct error err = ERROR_INIT;
	int r = json_parse(str_of(text), 1 << 20, &o, &err);
	if (r < 0)
		print_error("%s: %s\n", text, err.message);
	assert_int_equal(r, 0);
	return o;
}

static void assert_refused(struct str text)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct error err = ERROR_INIT;
	int r = json_parse(text, 1 << 20, &o, &err);
	if (r == 0)
		print_error("accepted: %.*s\n", (int)(text.len < 99 ? text.len : 99), text.ptr);
	assert_int_equal(r, -EIO);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	assert_null(o);
}

static void values_are_found_by_their_paths(void **state)
{
	(void)state;
	CLEANUP(json_putp) struct json_object *o =
		parse(" {\"a\": {\"b\": [1, {\"c\": \"deep\"}, true]}, \"n\": null, \"big\": "
		      "9223372036854775807, \"neg\": -5, \"s\": \"12\", \"f\": 1.5} \n");
	assert_string_equal(json_get_string(o, "a.b.1.c"), "deep");
	assert_int_equal(json_get_int64(o, "a.b.0", -1), 1);
	assert_true(json_get_bool(o, "a.b.2", false));
	assert_true(json_get_int64(o, "big", 0) == INT64_MAX);
	assert_int_equal(json_get_int64(o, "neg", 0), -5);
	assert_int_equal(json_object_array_length(json_get_array(o, "a.b")), 3);
	assert_ptr_equal(json_get(o, ""), o);
}

static void what_is_absent_or_of_another_type_gives_the_fallback(void **state)
{
	(void)state;
	CLEANUP(json_putp) struct json_object *o =
		parse("{\"a\": [1], \"s\": \"12\", \"n\": null, \"f\": 1.5}");
	static const char *const absent[] = { "x", "a.1", "a.-1", "a.x", "a.", ".a", "s.0", "n.x", "a.0.0",
					      "a.18446744073709551616", "." };
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
		assert_null(json_get(o, absent[i]));
	assert_null(json_get_string(o, "a.0"));
	assert_null(json_get_string(o, "n"));
	assert_int_equal(json_get_int64(o, "s", 7), 7);
	assert_int_equal(json_get_int64(o, "f", 7), 7);
	assert_true(json_get_bool(o, "a.0", true));
	assert_null(json_get_array(o, "s"));
	assert_null(json_get(NULL, "a"));
	assert_null(json_get_string(NULL, "a"));
	char path[600];
	memset(path, 'k', sizeof(path));
	path[599] = '\0';
	assert_null(json_get(o, path));
}

static void bare_values_are_documents_too(void **state)
{
	(void)state;
	CLEANUP(json_putp) struct json_object *number = parse("42"), *text = parse("\"x\""),
					      *null = parse(" null "), *truth = parse("true");
	assert_int_equal(json_get_int64(number, "", 0), 42);
	assert_string_equal(json_get_string(text, ""), "x");
	assert_null(null);
	assert_true(json_get_bool(truth, "", false));
}

static void the_last_of_two_equal_keys_counts(void **state)
{
	(void)state;
	CLEANUP(json_putp) struct json_object *o = parse("{\"a\": 1, \"b\": 0, \"a\": 2}");
	assert_int_equal(json_get_int64(o, "a", 0), 2);
}

static void what_is_no_json_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", " ", "{", "[", "[1", "{\"a\"", "{\"a\":", "{\"a\":1", "\"abc", "tru", "nul", "-",
		"{a:1}", "{'a':1}", "[1,]", "{\"a\":1,}", "[1 2]", "{} x", "{}{}", "1 2", "[1]]",
		"NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "0x1", "1e", "// c\n1", "/*c*/1",
		"\"\\x\"", "\"\\u12\"", "\"a\nb\"", "]", "}", ",", "<html>", "True",
		"[-]", "[1.]", "[1e]", "[1e+]", "[01]", "[-01]", "[NaN]", "[1-2]", "[--1]", "['a']",
		"[\"\t\"]", "\v1", "\f[]", "{\"a\"\v:1}", "1\xa0", "\"\\'\"", "{1:2}", "{\"a\" 1}",
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_refused(str_of(bad[i]));
}

static void nul_bytes_and_broken_utf8_are_refused(void **state)
{
	(void)state;
	assert_refused(STR("{\"a\":\0 1}"));
	assert_refused(STR("{}\0"));
	assert_refused(STR("\"a\0b\""));
	assert_refused(STR("\"\xff\""));
	assert_refused(STR("\"\xe2\x82\""));
	assert_refused(STR("{\"\xc0\x80\": 1}"));
	assert_refused(STR("\"\xed\xa0\x80\"")); /* a surrogate */
	assert_refused(STR("\"\xf4\x90\x80\x80\"")); /* beyond Unicode */
}

static void a_string_with_a_nul_inside_is_never_cut_short(void **state)
{
	(void)state;
	CLEANUP(json_putp) struct json_object *o = parse("{\"a\": \"x\\u0000y\", \"e\": \"\\u20ac\"}");
	assert_null(json_get_string(o, "a"));
	assert_string_equal(json_get_string(o, "e"), "\xe2\x82\xac");
}

static void nesting_up_to_64_is_read_and_more_is_refused(void **state)
{
	(void)state;
	char text[400];
	for (size_t depth = 1; depth < 200; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		text[2 * depth] = '\0';
		if (depth <= 64) {
			CLEANUP(json_putp) struct json_object *o = parse(text);
			assert_non_null(o);
		} else {
			assert_refused(str_of(text));
		}
	}
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);
	for (int i = 0; i < 64; i++)
		assert_int_equal(buf_adds(&b, "{\"a\":"), 0);
	assert_int_equal(buf_adds(&b, "1"), 0);
	for (int i = 0; i < 64; i++)
		assert_int_equal(buf_addc(&b, '}'), 0);
	CLEANUP(json_putp) struct json_object *o = parse(buf_cstr(&b));
	assert_non_null(o);
	buf_clear(&b);
	while (b.len < 500000)
		assert_int_equal(buf_addc(&b, '['), 0);
	assert_refused(buf_str(&b));
}

static void a_text_over_the_callers_limit_is_refused(void **state)
{
	(void)state;
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct error err;
	assert_int_equal(json_parse(STR("[1,2]"), 5, &o, &err), 0);
	json_putp(&o);
	assert_int_equal(json_parse(STR("[1,23]"), 5, &o, &err), -EFBIG);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

static void numbers_beyond_64_bits_do_not_wrap(void **state)
{
	(void)state;
	CLEANUP(json_putp) struct json_object *o =
		parse("[18446744073709551615, 99999999999999999999999, -99999999999999999999999, 1e999]");
	assert_true(json_get_int64(o, "0", 0) == INT64_MAX);
	assert_true(json_get_int64(o, "1", 0) == INT64_MAX);
	assert_true(json_get_int64(o, "2", 0) == INT64_MIN);
	assert_int_equal(json_get_int64(o, "3", 5), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_found_by_their_paths),
		cmocka_unit_test(what_is_absent_or_of_another_type_gives_the_fallback),
		cmocka_unit_test(bare_values_are_documents_too),
		cmocka_unit_test(the_last_of_two_equal_keys_counts),
		cmocka_unit_test(what_is_no_json_is_refused),
		cmocka_unit_test(nul_bytes_and_broken_utf8_are_refused),
		cmocka_unit_test(a_string_with_a_nul_inside_is_never_cut_short),
		cmocka_unit_test(nesting_up_to_64_is_read_and_more_is_refused),
		cmocka_unit_test(a_text_over_the_callers_limit_is_refused),
		cmocka_unit_test(numbers_beyond_64_bits_do_not_wrap),
	};
	return RUN(tests);
}
