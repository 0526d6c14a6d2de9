/*
 * YAML as JSON: what configuration files hold, and what hostile ones try.
 */
#include "backends/base/yaml_json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void expect(const char *yaml, const char *json)
{
	CLEANUP(json_putp) struct json_object *got = NULL;
	CLEANUP(json_putp) struct json_object *wanted = json_tokener_parse(json);
	struct error err = ERROR_INIT;

	if (yaml_to_json("f", str_of(yaml), &got, &err) < 0)
		fail_msg("%s: %s", yaml, err.message);
	if (!json_object_equal(got, wanted))
		fail_msg("%s", json_object_to_json_string(got));
}

static void refuse(const char *yaml, const char *says)
{
	struct json_object *got = NULL;
	struct error err = ERROR_INIT;

	assert_true(yaml_to_json("f", str_of(yaml), &got, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFIG);
	if (!strstr(err.message, says))
		fail_msg("%s", err.message);
}

static void documents_become_values(void **state)
{
	(void)state;
	expect("", "{}");
	expect("# nothing\n---\n", "{}");
	expect("a: 1\nb: [x, 'y', \"z\"]\nc:\n  d: true\n  e: ~\n  f: 'true'\n",
	       "{\"a\":\"1\",\"b\":[\"x\",\"y\",\"z\"],\"c\":{\"d\":true,\"e\":null,\"f\":\"true\"}}");
	expect("id: 007\n", "{\"id\":\"007\"}");
	expect("a: &x {p: q}\nb: *x\nc:\n  <<: *x\n  r: s\n",
	       "{\"a\":{\"p\":\"q\"},\"b\":{\"p\":\"q\"},\"c\":{\"p\":\"q\",\"r\":\"s\"}}");
	expect("c:\n  p: own\n  <<: &x {p: base, q: base}\n", "{\"c\":{\"p\":\"own\",\"q\":\"base\"}}");
}

static void what_is_no_document_says_file_and_line(void **state)
{
	(void)state;
	refuse("a: b\n\tc: d\n", "f:2");
	refuse("a: *nothing\n", "f:1: an alias of nothing");
	refuse("a: 1\n---\nb: 2\n", "f:2: more than one document");
	refuse("{[a]: b}\n", "f:1: a key that is no text");
	refuse("a: \"\\0\"\n", "f:1: a NUL in a value");
	refuse("a: &x [*x]\n", "an alias of nothing");
}

static void depth_and_number_are_bounded(void **state)
{
	char deep[200];
	CLEANUP(buf_release) struct buf many = BUF_INIT(YAML_JSON_BYTES);

	(void)state;
	memset(deep, '[', 100);
	memset(deep + 100, ']', 99);
	deep[199] = '\0';
	refuse(deep, "nested too deep");
	for (int i = 0; i < 110000; i++)
		assert_int_equal(buf_adds(&many, "- x\n"), 0);
	refuse(buf_cstr(&many), "too many values");
}

/* Each line doubles the one before: a billion values in a reader that copies. */
static void aliases_share_and_do_not_multiply(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(YAML_JSON_BYTES);
	CLEANUP(json_putp) struct json_object *got = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(buf_adds(&text, "a0: &a0 [x, x]\n"), 0);
	for (int i = 1; i < 30; i++)
		assert_int_equal(buf_addf(&text, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1), 0);
	assert_int_equal(yaml_to_json("f", buf_str(&text), &got, &err), 0);
	assert_string_equal(json_get_string(got, "a2.0.0.1"), "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_become_values),
		cmocka_unit_test(what_is_no_document_says_file_and_line),
		cmocka_unit_test(depth_and_number_are_bounded),
		cmocka_unit_test(aliases_share_and_do_not_multiply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
