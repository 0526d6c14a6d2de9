#include "backends/base/clock.h"
#include "backends/base/cleanup.h"
#include "backends/base/random.h"
#include "check.h"
#include <errno.h>
#include <stdio.h>

static void dates_are_written_in_the_three_forms(void **state)
{
	(void)state;
	char basic[17], http[30], iso[25];
	clock_format_basic(1369353600, basic);
	clock_format_http(1369353600, http);
	clock_format_iso8601(INT64_C(1369353600123999999), iso);
	assert_string_equal(basic, "20130524T000000Z");
	assert_string_equal(http, "Fri, 24 May 2013 00:00:00 GMT");
	assert_string_equal(iso, "2013-05-24T00:00:00.123Z");
	clock_format_iso8601(-1, iso);
	assert_string_equal(iso, "1969-12-31T23:59:59.999Z");
	clock_format_http(0, http);
	assert_string_equal(http, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void a_time_out_of_four_digit_years_is_clamped(void **state)
{
	(void)state;
	char basic[17], http[30];
	clock_format_basic(INT64_MAX, basic);
	assert_string_equal(basic, "99991231T235959Z");
	clock_format_basic(INT64_MIN, basic);
	assert_string_equal(basic, "00010101T000000Z");
	clock_format_http(INT64_MIN, http);
	assert_string_equal(http, "Mon, 01 Jan 0001 00:00:00 GMT");
}

static void all_three_http_forms_are_read(void **state)
{
	(void)state;
	static const char *const same[] = {
		"Sun, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
		"Sun, 06 Nov 1994 08:49:37 UTC",
	};
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		int64_t s = 0;
		assert_int_equal(clock_parse_http(same[i], &s), 0);
		assert_int_equal(s, 784111777);
	}
	int64_t s;
	assert_int_equal(clock_parse_http("Thu, 29 Feb 2024 23:59:60 GMT", &s), 0);
	assert_int_equal(s, 1709251200);
	assert_int_equal(clock_parse_http("Tue Nov 16 08:49:37 2027", &s), 0);
	assert_int_equal(s, 1826354977);
}

static void times_beyond_nanoseconds_stop_at_the_last(void **state)
{
	(void)state;
	assert_true(clock_ns_of((struct timespec){ .tv_sec = 1700000000, .tv_nsec = 5 }) == INT64_C(1700000000000000005));
	assert_true(clock_ns_of((struct timespec){ .tv_sec = INT64_C(32503680000) }) == INT64_MAX);
	assert_true(clock_ns_of((struct timespec){ .tv_sec = INT64_MAX }) == INT64_MAX);
	assert_true(clock_ns_of((struct timespec){ .tv_sec = INT64_MIN }) == INT64_MIN);
}

static void what_is_no_http_date_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "0", "-1", "120", "Sun", "Sun,", "Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
		"Sun, 06 Nov 1994 08:49:37 PST", "Sun, 31 Feb 1994 08:49:37 GMT",
		"Sun, 29 Feb 2023 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 0000 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
		"Sun, 06 nov 1994 08:49:37 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06-Nov 1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994",
		"Fri, 24 May 2824 00:00:00 GMT", /* more nanoseconds than fit */
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int64_t s = 42;
		assert_int_equal(clock_parse_http(bad[i], &s), -EINVAL);
		assert_int_equal(s, 42);
	}
}

static void iso_dates_are_read_with_fractions_and_zones(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{ "2013-05-24T00:00:00Z", INT64_C(1369353600000000000) },
		{ "2013-05-24T00:00:00.123Z", INT64_C(1369353600123000000) },
		{ "2013-05-24T00:00:00.123456789Z", INT64_C(1369353600123456789) },
		{ "2013-05-24T00:00:00.1234567891234Z", INT64_C(1369353600123456789) },
		{ "2013-05-24T02:00:00+02:00", INT64_C(1369353600000000000) },
		{ "2013-05-23T19:30:00.5-0430", INT64_C(1369353600500000000) },
		{ "2013-05-24T02:00:00+02", INT64_C(1369353600000000000) },
		{ "2013-05-24 00:00:00", INT64_C(1369353600000000000) },
		{ "1969-12-31T23:59:59.999Z", -1000000 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		int64_t ns = 0;
		assert_int_equal(clock_parse_iso8601(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
}

static void what_is_no_iso_date_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "2013", "2013-05-24", "2013-05-24T", "2013-05-24T00:00Z", "2013-13-24T00:00:00Z",
		"2013-00-24T00:00:00Z", "2013-05-32T00:00:00Z", "2013-05-24T00:00:00.Z",
		"2013-05-24T00:00:00ZZ", "2013-05-24T00:00:00+", "2013-05-24T00:00:00+24:00",
		"2013-05-24T00:00:00+02:", "2013-05-24T00:00:00+02:60", "9999-01-01T00:00:00Z",
		"0001-01-01T00:00:00Z", "2013-5-24T00:00:00Z", "20130524T000000Z",
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int64_t ns = 42;
		assert_int_equal(clock_parse_iso8601(bad[i], &ns), -EINVAL);
		assert_int_equal(ns, 42);
	}
}

static void what_is_written_is_read_back_over_many_years(void **state)
{
	(void)state;
	random_seed(17);
	for (int i = 0; i < 20000; i++) {
		int64_t s = (int64_t)random_below(UINT64_C(8000000000)) - 2000000000, back = 0, ns = 0;
		char http[30], iso[25], basic[17], expect[64];
		clock_format_http(s, http);
		assert_int_equal(clock_parse_http(http, &back), 0);
		assert_int_equal(back, s);
		clock_format_iso8601(s * 1000000000, iso);
		assert_int_equal(clock_parse_iso8601(iso, &ns), 0);
		assert_int_equal(ns, s * 1000000000);
		struct tm tm;
		time_t t = s;
		assert_non_null(gmtime_r(&t, &tm));
		clock_format_basic(s, basic);
		assert_int_equal(strftime(expect, sizeof(expect), "%Y%m%dT%H%M%SZ", &tm), 16);
		assert_string_equal(basic, expect);
		assert_int_equal(strftime(expect, sizeof(expect), "%a, %d %b %Y %H:%M:%S GMT", &tm), 29);
		assert_string_equal(http, expect);
	}
	random_seed(0);
}

static uint64_t fake_mono_ns(void)
{
	return 5000000;
}

static int64_t fake_wall_ns(void)
{
	return INT64_C(1369353600000000000);
}

static void tests_may_put_another_clock_in_place(void **state)
{
	(void)state;
	static const struct clock_source fake = { fake_mono_ns, fake_wall_ns };
	clock_set(&fake);
	assert_int_equal(clock_mono_ms(), 5);
	assert_int_equal(clock_wall_s(), 1369353600);
	clock_set(NULL);
	assert_true(clock_wall_s() > 1600000000);
	uint64_t before = clock_mono_ns();
	assert_true(clock_mono_ns() >= before);
	clock_set_skew_s(-90);
	assert_int_equal(clock_skew_s(), -90);
	clock_set_skew_s(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_written_in_the_three_forms),
		cmocka_unit_test(a_time_out_of_four_digit_years_is_clamped),
		cmocka_unit_test(all_three_http_forms_are_read),
		cmocka_unit_test(what_is_no_http_date_is_refused),
		cmocka_unit_test(times_beyond_nanoseconds_stop_at_the_last),
		cmocka_unit_test(iso_dates_are_read_with_fractions_and_zones),
		cmocka_unit_test(what_is_no_iso_date_is_refused),
		cmocka_unit_test(what_is_written_is_read_back_over_many_years),
		cmocka_unit_test(tests_may_put_another_clock_in_place),
	};
	return RUN(tests);
}
