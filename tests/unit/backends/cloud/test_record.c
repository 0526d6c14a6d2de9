/*
 * Records: whatever a provider sends, a member has the kind its shape says.
 */
#include "backends/cloud/compute.h"
#include "backends/cloud/record.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct record_field fields[] = {
	{ "id", RECORD_TEXT, "id" },	   { "status", RECORD_TEXT, "status" }, { "cpus", RECORD_INT, "cpus" },
	{ "ok", RECORD_BOOL, "ok" },	   { "made", RECORD_TIME, "made" },	{ "list", RECORD_LIST, "list" },
	{ "tags", RECORD_OBJECT, "tags" }, { "cost", RECORD_NUMBER, "cost" },	{ "absent", RECORD_TEXT, "absent" },
	{ NULL, RECORD_TEXT, NULL },
};
static const struct record_shape shape = { "thing", fields, "id" };
static const struct record_word words[] = { { "ACTIVE", "running" }, { NULL, NULL } };

static struct json_object *make_tags(struct json_object *theirs)
{
	return record_tags(theirs, "k", "v");
}

static const struct record_source map[] = {
	{ "id", "a.id|id", NULL, NULL },  { "status", "state", words, NULL },
	{ "cpus", "cpus", NULL, NULL },	  { "ok", "ok", NULL, NULL },
	{ "made", "made", NULL, NULL },	  { "list", "list", NULL, NULL },
	{ "tags", "tags", NULL, make_tags }, { "cost", "cost", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static void expect(const char *theirs, enum record_raw raw, const char *ours)
{
	CLEANUP(json_putp) struct json_object *in = json_tokener_parse(theirs);
	CLEANUP(json_putp) struct json_object *out = NULL;
	CLEANUP(json_putp) struct json_object *wanted = json_tokener_parse(ours);
	struct error err = ERROR_INIT;

	assert_non_null(in);
	assert_non_null(wanted);
	assert_int_equal(record_make(&shape, map, in, raw, &out, &err), 0);
	if (!json_object_equal(out, wanted))
		print_error("%s\n", json_object_to_json_string(out));
	assert_true(json_object_equal(out, wanted));
}

static void members_have_the_kind_their_shape_says(void **state)
{
	(void)state;
	expect("{\"a\":{\"id\":7},\"id\":\"x\",\"state\":\"active\",\"cpus\":\"4\",\"ok\":\"true\","
	       "\"made\":\"2026-11-23T10:00:00Z\",\"list\":\"one\",\"tags\":[{\"k\":\"a\",\"v\":\"b\"}],\"cost\":\"1.5\"}",
	       RECORD_PLAIN,
	       "{\"id\":\"7\",\"status\":\"running\",\"cpus\":4,\"ok\":true,\"made\":\"2026-11-23T10:00:00.000Z\","
	       "\"list\":[\"one\"],\"tags\":{\"a\":\"b\"},\"cost\":1.5,\"absent\":null}");
}

static void what_does_not_fit_is_null_and_unknown_words_are_unknown(void **state)
{
	(void)state;
	expect("{\"id\":\"x\",\"state\":\"NEW\",\"cpus\":\"many\",\"ok\":[],\"made\":{},\"tags\":{},\"cost\":\"nan\"}",
	       RECORD_PLAIN,
	       "{\"id\":\"x\",\"status\":\"unknown\",\"cpus\":null,\"ok\":null,\"made\":null,\"list\":null,\"tags\":{},"
	       "\"cost\":null,\"absent\":null}");
}

static void times_in_seconds_and_milliseconds_are_told_apart(void **state)
{
	CLEANUP(json_putp) struct json_object *s = json_object_new_int64(1700000000);
	CLEANUP(json_putp) struct json_object *ms = json_object_new_int64(1700000000123);
	CLEANUP(json_putp) struct json_object *a = record_convert(RECORD_TIME, s);
	CLEANUP(json_putp) struct json_object *b = record_convert(RECORD_TIME, ms);

	(void)state;
	assert_string_equal(json_object_get_string(a), "2023-11-14T22:13:20.000Z");
	assert_string_equal(json_object_get_string(b), "2023-11-14T22:13:20.123Z");
}

static void raw_keeps_the_providers_own_answer(void **state)
{
	(void)state;
	expect("{\"id\":\"x\",\"more\":1}", RECORD_WITH_RAW,
	       "{\"id\":\"x\",\"status\":null,\"cpus\":null,\"ok\":null,\"made\":null,\"list\":null,\"tags\":null,"
	       "\"cost\":null,\"absent\":null,\"raw\":{\"id\":\"x\",\"more\":1}}");
}

static void a_stray_name_of_a_map_is_found(void **state)
{
	static const struct record_source stray[] = { { "id", "id", NULL, NULL },
						      { "nmae", "name", NULL, NULL },
						      { NULL, NULL, NULL, NULL } };

	(void)state;
	assert_null(record_stray_name(&shape, map));
	assert_string_equal(record_stray_name(&shape, stray), "nmae");
}

static void columns_of_a_shape_are_its_members(void **state)
{
	static const struct record_shape *const shapes[] = { &shape_instance, &shape_image,	   &shape_flavor,
							     &shape_keypair,  &shape_zone_of_cloud };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct str rest = str_of(shapes[i]->columns), column;

		while ((column = str_split(&rest, ',')).ptr) {
			const struct record_field *f = shapes[i]->fields;

			while (f->name && !str_equal(str_of(f->name), column))
				f++;
			assert_non_null(f->name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_have_the_kind_their_shape_says),
		cmocka_unit_test(what_does_not_fit_is_null_and_unknown_words_are_unknown),
		cmocka_unit_test(times_in_seconds_and_milliseconds_are_told_apart),
		cmocka_unit_test(raw_keeps_the_providers_own_answer),
		cmocka_unit_test(a_stray_name_of_a_map_is_found),
		cmocka_unit_test(columns_of_a_shape_are_its_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
