#include "fixture.h"
#include "backends/base/fileio.h"
#include <stdio.h>
#include <fcntl.h>

#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
#define HALF "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhell"

static void expect_kind(struct fixture *f, enum error_kind kind)
{
	assert_true(fixture_perform(f) < 0);
	if (f->err.kind != kind)
		print_error("%s: %s\n", error_name(f->err.kind), f->err.message);
	assert_int_equal(f->err.kind, kind);
}

static void a_503_is_retried_no_earlier_than_retry_after(void **state)
{
	static const struct step steps[] = {
		{ .bytes =
			  "HTTP/1.1 503 Slow Down\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n" },
		{ .bytes = OK_HELLO },
	};
	FIXTURE(f, steps);
	int64_t retries = count_of("http_retries_total", "Get");
	int64_t errors = count_of("http_errors_total", "Get");

	(void)state;
	fixture_expect_hello(&f);
	assert_int_equal(f.response.attempts, 2);
	assert_true(f.response.elapsed_ms >= 1000);
	assert_int_equal(count_of("http_retries_total", "Get") - retries, 1);
	assert_int_equal(count_of("http_errors_total", "Get") - errors, 1);
	assert_int_equal(server_connections(f.server), 1);
}

static void attempts_end_with_the_last_answer(void **state)
{
	static const struct step steps[] = { { .bytes = BUSY } };
	FIXTURE(f, steps);

	(void)state;
	expect_kind(&f, ERR_UNAVAILABLE);
	assert_int_equal(f.err.http_status, 503);
	assert_int_equal(f.response.attempts, 3);
	assert_string_equal(buf_cstr(&f.response.error_body), "busy");
	f.request.max_attempts = 1;
	expect_kind(&f, ERR_UNAVAILABLE);
	assert_int_equal(server_requests(f.server), 4);
}

static void connections_that_break_anywhere_are_retried(void **state)
{
	static const struct step steps[] = {
		{ .action = STEP_RESET_EARLY },
		{ .bytes = OK_HELLO },
		{ .action = STEP_RESET_HEAD },
		{ .bytes = OK_HELLO },
		{ .action = STEP_ANSWER_RESET, .bytes = "HTTP/1.1 200 OK\r\nContent-" },
		{ .bytes = OK_HELLO },
		{ .action = STEP_ANSWER_RESET, .bytes = HALF },
		{ .bytes = OK_HELLO },
		{ .action = STEP_ANSWER_CLOSE, .bytes = HALF },
		{ .bytes = OK_HELLO },
		{ .action = STEP_ANSWER_CLOSE, .bytes = "" },
		{ .bytes = OK_HELLO },
	};
	FIXTURE(f, steps);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i += 2)
		fixture_expect_hello(&f);
}

static void a_truncated_answer_is_an_error_in_the_end(void **state)
{
	static const struct step steps[] = { { .action = STEP_ANSWER_CLOSE, .bytes = HALF } };
	FIXTURE(f, steps);

	(void)state;
	expect_kind(&f, ERR_UNAVAILABLE);
	assert_int_equal(f.response.attempts, 3);
}

static void a_chunked_answer_without_its_end_is_an_error(void **state)
{
	static const struct step steps[] = {
		{ .action = STEP_ANSWER_CLOSE,
		  .bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" },
	};
	FIXTURE(f, steps);

	(void)state;
	expect_kind(&f, ERR_UNAVAILABLE);
}

static void bytes_after_the_length_are_no_part_of_the_answer(void **state)
{
	static const struct step steps[] = {
		{ .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n"
			   "Content-Length: 4\r\n\r\nevil" },
		{ .bytes = OK_HELLO },
	};
	FIXTURE(f, steps);

	(void)state;
	fixture_expect_hello(&f);
	fixture_expect_hello(&f);
}

static void nonsense_is_a_protocol_error_and_not_retried(void **state)
{
	static const struct step steps[] = {
		{ .action = STEP_ANSWER_CLOSE, .bytes = "SSH-2.0-OpenSSH_9.2\r\n" },
		{ .action = STEP_ANSWER_CLOSE, .bytes = "HTTP/1.1 20x Odd\r\n\r\n" },
		{ .action = STEP_ANSWER_CLOSE,
		  .bytes = "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n" },
		{ .action = STEP_ANSWER_CLOSE,
		  .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5x9\r\n\r\nhello" },
		{ .action = STEP_ANSWER_CLOSE,
		  .bytes = "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
		  .len = 27 },
		{ .action = STEP_ANSWER_CLOSE,
		  .bytes = "HTTP/1.1 200 OK\r\nX: a\r\n Y: folded\r\n\r\n" },
	};
	FIXTURE(f, steps);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = fixture_perform(&f);
		/* curl reads a number as far as it goes; that answer is at worst truncated */
		if (i != 3)
			assert_int_equal(f.err.kind, ERR_PROTOCOL);
		(void)r;
		assert_int_equal(server_requests(f.server), i + 1);
	}
}

static void endless_headers_are_cut_off(void **state)
{
	static const struct step steps[] = {
		{ .action = STEP_ENDLESS, .bytes = "HTTP/1.1 200 OK\r\n", .tail = "X-More: 1\r\n" },
		{ .action = STEP_ENDLESS,
		  .bytes = "HTTP/1.1 200 OK\r\nX: ",
		  .tail = "aaaaaaaaaaaaaaaaaaaaaaaa" },
		{ .action = STEP_ENDLESS, .bytes = "", .tail = "HTTP/1.1 100 Continue\r\n\r\n" },
	};
	FIXTURE(f, steps);

	(void)state;
	expect_kind(&f, ERR_PROTOCOL);
	assert_int_equal(server_requests(f.server), 1);
	assert_true(fixture_perform(&f) < 0); /* one endless line: curl's bound or ours */
	expect_kind(&f, ERR_PROTOCOL);
}

static void an_endless_error_body_still_tells_its_status(void **state)
{
	static const struct step steps[] = {
		{ .action = STEP_ENDLESS,
		  .bytes = "HTTP/1.1 403 No\r\n\r\n",
		  .tail = "0123456789abcdef" },
	};
	FIXTURE(f, steps);

	(void)state;
	expect_kind(&f, ERR_PERMISSION);
	assert_int_equal(f.response.error_body.len, 65536);
}

static void an_endless_answer_ends_at_the_sinks_bound(void **state)
{
	static const struct step steps[] = {
		{ .action = STEP_ENDLESS,
		  .bytes = "HTTP/1.1 200 OK\r\n\r\n",
		  .tail = "0123456789abcdef" },
	};
	FIXTURE(f, steps);
	CLEANUP(closep) int fd = make_file(NULL, 0);

	(void)state;
	expect_kind(&f, ERR_TOO_LARGE);
	f.request.sink = (struct http_sink){ .kind = HTTP_SINK_FD, .fd = fd, .length = 100000 };
	expect_kind(&f, ERR_PROTOCOL);
	assert_true(lseek(fd, 0, SEEK_END) <= 100000);
}

static void an_error_answer_before_the_upload_is_read_is_heard(void **state)
{
	static const struct step steps[] = {
		{ .action = STEP_ANSWER_HEAD,
		  .bytes = "HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno" },
	};
	FIXTURE(f, steps);
	char *data = calloc(1, 8 << 20);

	(void)state;
	CLEANUP(closep) int fd = make_file(data, 8 << 20);
	free(data);
	f.request.method = HTTP_PUT;
	f.request.body = (struct http_body){ .kind = HTTP_BODY_FD, .fd = fd, .length = 8 << 20 };
	expect_kind(&f, ERR_PERMISSION);
	assert_int_equal(f.response.attempts, 1);
}

static void a_put_is_sent_again_from_its_beginning(void **state)
{
	static const struct step steps[] = {
		{ .action = STEP_RESET_HEAD },
		{ .bytes = BUSY },
		{ .bytes = OK_HELLO },
	};
	FIXTURE(f, steps);
	enum { LENGTH = 1000000 };
	char *data = malloc(LENGTH);

	(void)state;
	for (int i = 0; i < LENGTH; i++)
		data[i] = (char)(i * 7 + i / 256);
	CLEANUP(closep) int fd = make_file(data, LENGTH);
	f.request.method = HTTP_PUT;
	f.request.body = (struct http_body){ .kind = HTTP_BODY_FD, .fd = fd, .length = LENGTH };
	fixture_expect_hello(&f);
	assert_int_equal(f.response.attempts, 3);
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(server_body(f.server, i).len, LENGTH);
		assert_memory_equal(server_body(f.server, i).ptr, data, LENGTH);
	}
	free(data);
}

static void what_is_not_idempotent_is_not_sent_twice(void **state)
{
	static const struct step steps[] = {
		{ .action = STEP_RESET_HEAD },
		{ .bytes = BUSY },
		{ .action = STEP_ANSWER_CLOSE, .bytes = "" },
		{ .action = STEP_ANSWER_CLOSE, .bytes = HALF },
	};
	FIXTURE(f, steps);

	(void)state;
	f.request.method = HTTP_POST;
	f.request.is_idempotent = false;
	f.request.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = STR("pay once") };
	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		expect_kind(&f, ERR_UNAVAILABLE);
		assert_int_equal(f.response.attempts, 1);
		assert_int_equal(server_requests(f.server), i + 1);
	}
}

/* A kept connection that dies under a request: curl would send it again by itself. */
static void a_dead_kept_connection_makes_no_second_post(void **state)
{
	static const struct step steps[] = {
		{ .bytes = OK_HELLO }, { .action = STEP_ANSWER_CLOSE, .bytes = "" },
		{ .bytes = OK_HELLO }, { .action = STEP_ANSWER_CLOSE, .bytes = "" },
		{ .bytes = OK_HELLO },
	};
	FIXTURE(f, steps);

	(void)state;
	fixture_expect_hello(&f);
	f.request.method = HTTP_POST;
	f.request.is_idempotent = false;
	expect_kind(&f, ERR_UNAVAILABLE);
	assert_int_equal(server_requests(f.server), 2);
	f.request.is_idempotent = true;
	fixture_expect_hello(&f);
	f.request.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = STR("again") };
	fixture_expect_hello(&f); /* by curl or by us */
	assert_memory_equal(server_body(f.server, 4).ptr, "again", 5);
}

static void nobody_at_the_port_is_said_so(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);

	(void)state;
	free(f.request.authority);
	f.request.authority = strdup("127.0.0.1:1"); /* tcpmux: nobody has it */
	f.request.is_idempotent = false;
	expect_kind(&f, ERR_UNAVAILABLE);
	assert_non_null(strstr(f.err.message, "cannot connect to '127.0.0.1:1'"));
	assert_non_null(strstr(f.err.message, "refused"));
	assert_int_equal(f.response.attempts,
			 3); /* nothing was sent, so even this may be tried again */
	free(f.request.authority);
	f.request.authority = strdup("no-such-host.invalid");
	f.request.max_attempts = 1;
	expect_kind(&f, ERR_UNAVAILABLE);
	assert_non_null(strstr(f.err.message, "no-such-host.invalid"));
}

/* What curl holds on to after such a failure must not be in the way of the next attempt, or of the next request. */
static void a_name_that_nobody_knows_is_said_so_after_several_attempts_too(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);
	char *known = f.request.authority;
	char label[80], *stray;

	(void)state;
	memset(label, 'x', sizeof label - 1); /* too long for a label: no name server is asked */
	label[sizeof label - 1] = '\0';
	stray = str_format("%s.invalid", label);
	assert_non_null(stray);
	f.request.authority = stray;
	expect_kind(&f, ERR_UNAVAILABLE);
	assert_non_null(strstr(f.err.message, "cannot find the address of 'xxx"));
	assert_int_equal(f.response.attempts, 3);
	f.request.authority = known;
	free(stray);
	fixture_expect_hello(&f);
}

static void a_stall_ends_the_attempt(void **state)
{
	static const struct step steps[] = {
		{ .action = STEP_STALL_HEAD },
		{ .action = STEP_ANSWER_STALL, .bytes = HALF },
		{ .bytes = OK_HELLO },
	};
	FIXTURE(f, steps);

	(void)state;
	f.request.stall_timeout_ms = 200;
	fixture_expect_hello(&f);
	assert_int_equal(f.response.attempts, 3);
	assert_true(f.response.elapsed_ms >= 400);
	assert_true(f.response.elapsed_ms < 3000);
}

static void a_stalled_upload_ends_too(void **state)
{
	static const struct step steps[] = { { .action = STEP_STALL_HEAD } };
	FIXTURE(f, steps);
	CLEANUP(closep) int fd = make_file(NULL, 0);

	(void)state;
	assert_int_equal(ftruncate(fd, 64 << 20), 0);
	f.request.method = HTTP_PUT;
	f.request.body = (struct http_body){ .kind = HTTP_BODY_FD, .fd = fd, .length = 64 << 20 };
	f.request.stall_timeout_ms = 200;
	f.request.max_attempts = 1;
	expect_kind(&f, ERR_TIMEOUT);
	assert_non_null(strstr(f.err.message, "no byte moved"));
}

static void a_slow_answer_is_no_stall(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO, .delay_ms = 300 } };
	FIXTURE(f, steps);

	(void)state;
	f.request.stall_timeout_ms = 2000;
	fixture_expect_hello(&f);
	assert_int_equal(f.response.attempts, 1);
}

static void a_trickle_is_no_stall(void **state)
{
	static const struct step steps[] = {
		{ .action = STEP_TRICKLE, .bytes = OK_HELLO, .delay_ms = 40 },
	};
	FIXTURE(f, steps);

	(void)state;
	f.request.stall_timeout_ms = 1500;
	fixture_expect_hello(&f);
	assert_int_equal(f.response.attempts, 1);
	assert_true(f.response.elapsed_ms > 2000);
}

static void the_deadline_holds_in_every_state(void **state)
{
	static const struct step steps[] = {
		{ .action = STEP_STALL_HEAD },
		{ .bytes = "HTTP/1.1 503 Slow Down\r\nRetry-After: 60\r\nContent-Length: "
			   "0\r\n\r\n" },
		{ .bytes = OK_HELLO },
	};
	FIXTURE(f, steps);

	(void)state;
	f.request.deadline_mono_ms = clock_mono_ms() + 150;
	expect_kind(&f, ERR_TIMEOUT);
	assert_true(f.response.elapsed_ms >= 140);
	assert_true(f.response.elapsed_ms < 2000);
	f.request.deadline_mono_ms = clock_mono_ms() + 10000;
	expect_kind(&f, ERR_THROTTLED); /* at once: the wait would not fit */
	assert_true(f.response.elapsed_ms < 5000);
	f.request.deadline_mono_ms = clock_mono_ms() - 1;
	expect_kind(&f, ERR_TIMEOUT);
	assert_int_equal(server_requests(f.server), 2);
}

struct later {
	atomic_int result; /* 1: not yet */
};

static void later_done(void *arg, int result, struct http_response *response,
		       const struct error *err)
{
	struct later *later = arg;

	(void)response;
	(void)err;
	atomic_store(&later->result, result);
}

static void cancel_ends_a_call_that_runs_or_waits(void **state)
{
	static const struct step steps[] = {
		{ .action = STEP_ANSWER_STALL, .bytes = HALF },
		{ .bytes = "HTTP/1.1 503 Slow Down\r\nRetry-After: 60\r\nContent-Length: "
			   "0\r\n\r\n" },
	};
	FIXTURE(f, steps);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct cancel cancel = CANCEL_INIT;
		struct later later = { 1 };
		f.request.cancel = &cancel;
		int64_t errors = count_of("http_retries_total", "Get");
		assert_int_equal(http_submit(f.engine, &f.request, later_done, &later, &f.err), 0);
		if (i == 0)
			WAIT_FOR(server_requests(f.server) == 1);
		else
			WAIT_FOR(count_of("http_retries_total", "Get") == errors + 1);
		uint64_t begun_ms = clock_mono_ms();
		cancel_fire(&cancel);
		WAIT_FOR(atomic_load(&later.result) != 1);
		assert_int_equal(atomic_load(&later.result), -ECANCELED);
		assert_true(clock_mono_ms() - begun_ms < 1000);
		cancel_destroy(&cancel);
	}
}

static void a_token_that_has_fired_stops_the_call_before_it_begins(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);
	struct cancel cancel = CANCEL_INIT;

	(void)state;
	cancel_fire(&cancel);
	f.request.cancel = &cancel;
	expect_kind(&f, ERR_CANCELLED);
	assert_int_equal(server_requests(f.server), 0);
	cancel_destroy(&cancel);
}

static void *fire_soon(void *arg)
{
	struct timespec ts = { .tv_nsec = 300000 };

	(void)nanosleep(&ts, NULL);
	cancel_fire(arg);
	return NULL;
}

/* Whenever the token fires, done comes once: either way. */
static void cancel_races_with_the_end(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);

	(void)state;
	for (int i = 0; i < 300; i++) {
		struct cancel cancel = CANCEL_INIT;
		pthread_t thread;
		f.request.cancel = &cancel;
		assert_int_equal(pthread_create(&thread, NULL, fire_soon, &cancel), 0);
		int r = fixture_perform(&f);
		assert_true(r == 0 || f.err.kind == ERR_CANCELLED);
		assert_int_equal(pthread_join(thread, NULL), 0);
		cancel_destroy(&cancel);
	}
}

static void a_full_disk_is_no_fault_of_the_network(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);
	CLEANUP(closep) int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	if (fd < 0)
		skip();
	f.request.sink = (struct http_sink){ .kind = HTTP_SINK_FD, .fd = fd, .length = 5 };
	assert_true(fixture_perform(&f) < 0);
	assert_true(f.err.kind == ERR_NO_SPACE || f.err.kind == ERR_IO);
	assert_int_equal(f.response.attempts, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_503_is_retried_no_earlier_than_retry_after),
		cmocka_unit_test(attempts_end_with_the_last_answer),
		cmocka_unit_test(connections_that_break_anywhere_are_retried),
		cmocka_unit_test(a_truncated_answer_is_an_error_in_the_end),
		cmocka_unit_test(a_chunked_answer_without_its_end_is_an_error),
		cmocka_unit_test(bytes_after_the_length_are_no_part_of_the_answer),
		cmocka_unit_test(nonsense_is_a_protocol_error_and_not_retried),
		cmocka_unit_test(endless_headers_are_cut_off),
		cmocka_unit_test(an_endless_error_body_still_tells_its_status),
		cmocka_unit_test(an_endless_answer_ends_at_the_sinks_bound),
		cmocka_unit_test(an_error_answer_before_the_upload_is_read_is_heard),
		cmocka_unit_test(a_put_is_sent_again_from_its_beginning),
		cmocka_unit_test(what_is_not_idempotent_is_not_sent_twice),
		cmocka_unit_test(a_dead_kept_connection_makes_no_second_post),
		cmocka_unit_test(nobody_at_the_port_is_said_so),
		cmocka_unit_test(a_name_that_nobody_knows_is_said_so_after_several_attempts_too),
		cmocka_unit_test(a_stall_ends_the_attempt),
		cmocka_unit_test(a_stalled_upload_ends_too),
		cmocka_unit_test(a_slow_answer_is_no_stall),
		cmocka_unit_test(a_trickle_is_no_stall),
		cmocka_unit_test(the_deadline_holds_in_every_state),
		cmocka_unit_test(cancel_ends_a_call_that_runs_or_waits),
		cmocka_unit_test(a_token_that_has_fired_stops_the_call_before_it_begins),
		cmocka_unit_test(cancel_races_with_the_end),
		cmocka_unit_test(a_full_disk_is_no_fault_of_the_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
