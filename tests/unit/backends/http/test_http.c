#include "backends/http/http.h"
#include "backends/http/timers.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void headers_refuse_what_would_begin_another(void **state)
{
	static const char *const bad_names[] = { "", "A\r\nB", "A:", "A B", "A\n" };
	static const char *const bad_values[] = { "x\r\nB: c", "x\n", "\r" };
	struct http_fields f = { 0 };
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_names); i++) {
		assert_true(http_fields_add(&f, bad_names[i], "v", &err) < 0);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad_values); i++) {
		assert_true(http_fields_add(&f, "X-Name", bad_values[i], &err) < 0);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	assert_int_equal(f.count, 0);
	assert_int_equal(http_query_add(&f, "prefix", "a\nb", &err), 0);
	http_fields_release(&f);
}

static void set_replaces_every_field_of_that_name(void **state)
{
	struct http_fields f = { 0 };
	struct error err;

	(void)state;
	assert_int_equal(http_fields_add(&f, "A", "1", &err), 0);
	assert_int_equal(http_fields_add(&f, "B", "2", &err), 0);
	assert_int_equal(http_fields_add(&f, "a", "3", &err), 0);
	assert_int_equal(http_fields_addf(&f, &err, "C", "%d-%s", 4, "x"), 0);
	assert_string_equal(http_fields_get(&f, "a"), "1");
	assert_int_equal(http_fields_set(&f, "A", "5", &err), 0);
	assert_int_equal(f.count, 3);
	assert_string_equal(http_fields_get(&f, "a"), "5");
	assert_string_equal(http_fields_get(&f, "c"), "4-x");
	assert_null(http_fields_get(&f, "D"));
	http_fields_release(&f);
}

static void the_base_url_fills_scheme_host_and_path(void **state)
{
	struct http_request r = HTTP_REQUEST_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(http_request_set_base(&r, "HTTPS://[::1]:9000/base//", &err), 0);
	assert_string_equal(r.scheme, "https");
	assert_string_equal(r.authority, "[::1]:9000");
	assert_string_equal(r.path, "/base");
	assert_int_equal(http_request_set_base(&r, "http://h", &err), 0);
	assert_string_equal(r.authority, "h");
	assert_string_equal(r.path, "");
	assert_true(http_request_set_base(&r, "http://me:secret@h", &err) < 0);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_null(strstr(err.message, "secret"));
	assert_true(http_request_set_base(&r, "http://h/?a=b", &err) < 0);
	assert_true(http_request_set_base(&r, NULL, &err) < 0);
	http_request_release(&r);
	http_request_release(&r);
}

static enum error_kind kind_of(int status, const char *retry_after)
{
	struct http_response r = HTTP_RESPONSE_INIT;
	struct error err = ERROR_INIT;

	r.status = status;
	if (retry_after)
		assert_int_equal(http_fields_add(&r.headers, "retry-after", retry_after, &err), 0);
	int result = http_classify_status(NULL, &r, &err);
	assert_int_equal(result < 0, err.kind != ERR_NONE);
	if (result < 0)
		assert_int_equal(err.http_status, status);
	http_response_release(&r);
	return err.kind;
}

static void statuses_have_their_kinds(void **state)
{
	static const struct {
		int status;
		enum error_kind kind;
	} rows[] = {
		{ 200, ERR_NONE },	   { 206, ERR_NONE },
		{ 301, ERR_PROTOCOL },	   { 401, ERR_UNAUTHENTICATED },
		{ 403, ERR_PERMISSION },   { 404, ERR_NOT_FOUND },
		{ 409, ERR_CONFLICT },	   { 412, ERR_PRECONDITION },
		{ 416, ERR_RANGE },	   { 429, ERR_THROTTLED },
		{ 500, ERR_UNAVAILABLE },  { 503, ERR_UNAVAILABLE },
		{ 400, ERR_PROTOCOL },	   { 501, ERR_UNSUPPORTED },
		{ 304, ERR_PRECONDITION }, { 0, ERR_PROTOCOL },
		{ 999, ERR_PROTOCOL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(kind_of(rows[i].status, NULL), rows[i].kind);
	assert_int_equal(kind_of(503, "1"), ERR_THROTTLED);
}

static uint64_t retry_after(const char *text)
{
	struct http_response r = HTTP_RESPONSE_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(http_fields_add(&r.headers, "Retry-After", text, &err), 0);
	uint64_t ms = http_retry_after_ms(&r);
	http_response_release(&r);
	return ms;
}

static void retry_after_is_seconds_or_a_date(void **state)
{
	(void)state;
	assert_int_equal(retry_after("3"), 3000);
	assert_int_equal(retry_after(" 0 "), 0);
	assert_int_equal(retry_after("-1"), 0);
	assert_int_equal(retry_after("soon"), 0);
	assert_int_equal(retry_after("99999999999999999999999"), 0);
	assert_int_equal(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
	assert_int_equal(retry_after("Sun, 06 Nov 2095 08:49:37 GMT"), 86400000);
}

static void timers_come_in_order_whatever_is_set_and_cleared(void **state)
{
	enum { COUNT = 500 };
	static struct timer timers[COUNT];
	struct timers t = { 0 };
	uint64_t seed = 7, last = 0;
	size_t left = 0;

	(void)state;
	assert_int_equal(timers_reserve(&t, COUNT), 0);
	for (int round = 0; round < 20000; round++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		struct timer *timer = &timers[(seed >> 33) % COUNT];
		if (seed >> 62)
			timers_set(&t, timer, (seed >> 40) % 1000);
		else
			timers_clear(&t, timer);
	}
	for (int i = 0; i < COUNT; i++)
		left += timers[i].place != 0;
	assert_int_equal(left, t.count);
	while (timers_first(&t)) {
		assert_true(timers_first(&t)->due_ms >= last);
		last = timers_first(&t)->due_ms;
		timers_clear(&t, timers_first(&t));
	}
	timers_release(&t);
}

struct answer {
	int status;
	const char *length, *range;
	uint64_t offset, wanted; /* that were asked for */
	enum error_kind kind;	 /* ERR_NONE: it is what was asked for, with: */
	struct http_read read;
};

static void an_answer_to_a_read_is_exactly_what_was_asked_for_or_refused(void **state)
{
	static const struct answer rows[] = {
		{ 200, "10", NULL, 0, 0, ERR_NONE, { 10, 10, true } },
		{ 200, "10", NULL, 0, 10, ERR_NONE, { 10, 10, true } },
		{ 206, "4", "bytes 2-5/10", 2, 4, ERR_NONE, { 10, 4, false } },
		{ 206, "8", "bytes 2-9/10", 2, 0, ERR_NONE, { 10, 8, false } },
		{ 206, "10", "bytes 0-9/10", 0, 10, ERR_NONE, { 10, 10, true } },
		{ 206, NULL, "bytes 2-5/10", 2, 4, ERR_NONE, { 10, 4, false } },
		{ 200, "0", NULL, 0, 0, ERR_NONE, { 0, 0, true } },
		{ 206, "4", "bytes 6-9/10", 6, 8, ERR_RANGE, { 0 } },	   /* cut at the end */
		{ 206, "0", "bytes 10-9/10", 10, 4, ERR_RANGE, { 0 } },
		{ 200, "10", NULL, 10, 0, ERR_RANGE, { 0 } },
		{ 200, "10", NULL, 0, 11, ERR_RANGE, { 0 } },
		{ 200, "10", NULL, 8, UINT64_MAX - 4, ERR_RANGE, { 0 } },
		{ 200, "10", NULL, 2, 4, ERR_UNSUPPORTED, { 0 } },	   /* all of it in the place of a part */
		{ 200, "10", NULL, 0, 4, ERR_UNSUPPORTED, { 0 } },
		{ 206, "4", "bytes 3-6/10", 2, 4, ERR_PROTOCOL, { 0 } },
		{ 206, "5", "bytes 2-6/10", 2, 4, ERR_PROTOCOL, { 0 } },
		{ 206, "3", "bytes 2-5/10", 2, 4, ERR_PROTOCOL, { 0 } },   /* the lengths disagree */
		{ 206, "10", "bytes 0-9/10", 0, 0, ERR_PROTOCOL, { 0 } },  /* nobody asked for a part */
		{ 206, "4", NULL, 2, 4, ERR_PROTOCOL, { 0 } },
		{ 200, NULL, NULL, 0, 0, ERR_PROTOCOL, { 0 } },
		{ 200, "-1", NULL, 0, 0, ERR_PROTOCOL, { 0 } },
		{ 204, "0", NULL, 0, 0, ERR_PROTOCOL, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct answer *a = &rows[i];
		struct http_response response = HTTP_RESPONSE_INIT;
		struct http_read read = { 0 };
		struct error err = ERROR_INIT;
		int r;

		response.status = a->status;
		if (a->length)
			assert_int_equal(http_fields_add(&response.headers, "Content-Length", a->length, &err), 0);
		if (a->range)
			assert_int_equal(http_fields_add(&response.headers, "Content-Range", a->range, &err), 0);
		r = http_judge_read(&response, a->offset, a->wanted, NULL, &read, &err);
		if (r != 0 && a->kind == ERR_NONE)
			fail_msg("row %zu: %s", i, err.message);
		assert_int_equal(err.kind, a->kind);
		assert_true(read.object_bytes == a->read.object_bytes && read.body_bytes == a->read.body_bytes &&
			    read.is_whole == a->read.is_whole);
		http_response_release(&response);
	}
}

static void a_length_may_stand_in_a_header_of_the_service(void **state)
{
	struct http_response response = HTTP_RESPONSE_INIT;
	struct http_read read = { 0 };
	struct error err = ERROR_INIT;

	(void)state;
	response.status = 200;
	assert_int_equal(http_fields_add(&response.headers, "X-Stored-Length", "7", &err), 0);
	assert_int_equal(http_judge_read(&response, 0, 0, "x-stored-length", &read, &err), 0);
	assert_int_equal(read.body_bytes, 7);
	http_response_release(&response);
}

static void a_range_is_written_as_its_first_and_last_byte(void **state)
{
	char range[HTTP_RANGE_MAX];

	(void)state;
	http_range(0, 0, range);
	assert_string_equal(range, "");
	http_range(5, 0, range);
	assert_string_equal(range, "bytes=5-");
	http_range(0, 1, range);
	assert_string_equal(range, "bytes=0-0");
	http_range(UINT64_MAX - 10, 10, range);
	assert_string_equal(range, "bytes=18446744073709551605-18446744073709551614");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_refuse_what_would_begin_another),
		cmocka_unit_test(set_replaces_every_field_of_that_name),
		cmocka_unit_test(the_base_url_fills_scheme_host_and_path),
		cmocka_unit_test(statuses_have_their_kinds),
		cmocka_unit_test(retry_after_is_seconds_or_a_date),
		cmocka_unit_test(an_answer_to_a_read_is_exactly_what_was_asked_for_or_refused),
		cmocka_unit_test(a_length_may_stand_in_a_header_of_the_service),
		cmocka_unit_test(a_range_is_written_as_its_first_and_last_byte),
		cmocka_unit_test(timers_come_in_order_whatever_is_set_and_cleared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
