#include "backends/cloud/metering.h"
#include "../base/check.h"

#include "backends/base/clock.h"

/* 2026-11-24T01:00:00Z */
static int64_t now_ns(void)
{
	return INT64_C(1795482000) * 1000000000;
}

static struct json_object *params(const char *text)
{
	struct json_object *o = json_tokener_parse(text);

	assert_non_null(o);
	return o;
}

static void is_period(const char *text, const char *from, const char *until, const char *last)
{
	CLEANUP(json_putp) struct json_object *o = params(text);
	struct metering_period p;
	struct error err = ERROR_INIT;

	assert_int_equal(metering_period_read(o, &p, &err), 0);
	assert_string_equal(p.from, from);
	assert_string_equal(p.until, until);
	assert_string_equal(p.last, last);
}

static void periods_are_days_of_utc(void **state)
{
	(void)state;
	is_period("{}", "2026-11-01", "2026-11-25", "2026-11-24");
	is_period("{\"month\":\"2026-02\"}", "2026-02-01", "2026-03-01", "2026-02-28");
	is_period("{\"month\":\"2024-12\"}", "2024-12-01", "2025-01-01", "2024-12-31");
	is_period("{\"since\":\"2026-10-31\"}", "2026-10-31", "2026-11-25", "2026-11-24");
	is_period("{\"until\":\"2026-10-07\"}", "2026-10-01", "2026-10-08", "2026-10-07");
	is_period("{\"since\":\"2024-02-29\",\"until\":\"2024-02-29\"}", "2024-02-29", "2024-03-01", "2024-02-29");
}

static void what_is_no_period_is_told(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"{\"month\":\"2026-13\"}", "{\"month\":\"2026-1\"}", "{\"month\":\"2026-00\"}", "{\"month\":\"\"}", "{\"since\":\"2026-02-30\"}",
		"{\"since\":\"2026-1-1\"}", "{\"since\":\"0000-00-00\"}", "{\"since\":\"1969-12-31\"}", "{\"since\":\"9999-99-99\"}",
		"{\"since\":\"2026-11-02\",\"until\":\"2026-11-01\"}", "{\"since\":\"2020-01-01\"}", "{\"since\":\"2027-01-01\"}",
		"{\"month\":\"2026-11\",\"since\":\"2026-11-01\"}", "{\"until\":\"x\"}" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(json_putp) struct json_object *o = params(bad[i]);
		struct metering_period p;
		struct error err = ERROR_INIT;

		assert_true(metering_period_read(o, &p, &err) < 0);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

static void parts_cover_a_period_without_holes(void **state)
{
	(void)state;
	CLEANUP(json_putp) struct json_object *o = params("{\"since\":\"2023-12-30\",\"until\":\"2024-03-01\"}");
	static const char *const months[] = { "2023-12-30", "2024-01-01", "2024-02-01", "2024-03-01" };
	struct metering_period whole, part = { .from = "" };
	struct error err = ERROR_INIT;
	size_t count = 0;

	assert_int_equal(metering_period_read(o, &whole, &err), 0);
	for (; metering_period_next(&whole, false, &part); count++)
		assert_string_equal(part.from, months[count]);
	assert_int_equal(count, 4);
	assert_string_equal(part.until, "2024-03-02");
	part = (struct metering_period){ .from = "" };
	for (count = 0; metering_period_next(&whole, true, &part); count++)
		assert_string_not_equal(part.from, part.until);
	assert_int_equal(count, 2 + 31 + 29 + 1);
}

static void a_forecast_begins_today(void **state)
{
	(void)state;
	CLEANUP(json_putp) struct json_object *none = params("{}"), *past = params("{\"until\":\"2026-11-23\"}");
	struct metering_period p;
	struct error err = ERROR_INIT;

	assert_int_equal(metering_period_ahead(none, &p, &err), 0);
	assert_string_equal(p.from, "2026-11-24");
	assert_string_equal(p.until, "2026-12-01");
	assert_true(metering_period_ahead(past, &p, &err) < 0);
}

static void costs_are_told_apart_by_two_things(void **state)
{
	(void)state;
	CLEANUP(json_putp) struct json_object *good = params("{\"by\":[\"day, service\",\"tag:team,eu\"]}");
	CLEANUP(json_putp) struct json_object *tag = params("{\"by\":[\"tag:team\",\"month\"]}");
	static const char *const bad[] = { "{\"by\":[\"\"]}", "{\"by\":[\"service,\"]}", "{\"by\":[\"tag:\"]}", "{\"by\":[\"day\",\"month\"]}",
					   "{\"by\":[\"tag:a\",\"tag:b\"]}", "{\"by\":[\"service\",\"region\",\"account\"]}", "{\"by\":[\"tag\"]}" };
	struct cost_by by;
	struct error err = ERROR_INIT;

	assert_true(cost_by_read(good, &by, &err) < 0); /* "eu" is none */
	assert_int_equal(cost_by_read(tag, &by, &err), 0);
	assert_int_equal(by.count, 1);
	assert_string_equal(by.by[0].tag, "team");
	assert_false(by.is_daily);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(json_putp) struct json_object *o = params(bad[i]);

		assert_true(cost_by_read(o, &by, &err) < 0);
	}
}

static void totals_are_exact_and_by_currency(void **state)
{
	(void)state;
	CLEANUP(json_putp) struct json_object *list = params(
		"[{\"amount\":\"0.1\",\"currency\":\"USD\"},{\"amount\":\"0.2\",\"currency\":\"USD\"},{\"amount\":\"5\",\"currency\":\"CHF\"},"
		"{\"amount\":\"-0.3\",\"currency\":\"USD\"},{\"amount\":\"1\"}]");
	CLEANUP(json_putp) struct json_object *bad = params("[{\"amount\":\"x\",\"currency\":\"USD\"}]");
	CLEANUP(json_putp) struct json_object *totals = NULL;
	struct metering_period p = { "2026-11-01", "2026-11-02", "2026-11-01" };
	struct json_object *ignored = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(metering_total(&p, list, &totals, &err), 0);
	assert_int_equal(json_object_array_length(totals), 3);
	assert_string_equal(json_get_string(totals, "0.amount"), "0.00");
	assert_string_equal(json_get_string(totals, "1.amount"), "5.00");
	assert_string_equal(json_get_string(totals, "1.currency"), "CHF");
	assert_null(json_get(totals, "2.currency"));
	assert_true(metering_total(&p, bad, &ignored, &err) < 0);
	assert_null(ignored);
}

int main(void)
{
	static const struct clock_source source = { .wall_ns = now_ns };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(periods_are_days_of_utc),
		cmocka_unit_test(what_is_no_period_is_told),
		cmocka_unit_test(parts_cover_a_period_without_holes),
		cmocka_unit_test(a_forecast_begins_today),
		cmocka_unit_test(costs_are_told_apart_by_two_things),
		cmocka_unit_test(totals_are_exact_and_by_currency),
	};

	clock_set(&source);
	return RUN(tests);
}
