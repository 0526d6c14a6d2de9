#include "fixture.h"
#include "backends/base/fileio.h"
#include "backends/http/ratelimit.h"
#include <stdio.h>

static void a_get_brings_status_headers_and_body(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);

	(void)state;
	assert_int_equal(http_fields_add(&f.request.headers, "X-Mine", "v", &f.err), 0);
	assert_int_equal(http_fields_add(&f.request.headers, "X-Empty", "", &f.err), 0);
	assert_int_equal(http_query_add(&f.request.query, "a b", "/+\n", &f.err), 0);
	assert_int_equal(http_query_add(&f.request.query, "list", "", &f.err), 0);
	fixture_expect_hello(&f);
	assert_string_equal(http_fields_get(&f.response.headers, "x-thing"), "a b");
	assert_int_equal(f.response.attempts, 1);
	const char *head = server_head(f.server, 0);
	assert_ptr_equal(strstr(head, "GET /x?a%20b=%2F%2B%0A&list= HTTP/1.1\r\n"), head);
	assert_non_null(strstr(head, "\r\nX-Mine: v\r\n"));
	assert_non_null(strstr(head, "\r\nX-Empty:\r\n"));
	assert_non_null(strstr(head, "\r\nUser-Agent: skydir/"));
	assert_null(strstr(head, "Expect"));
	assert_null(strstr(head, "Accept-Encoding"));
	assert_non_null(strstr(head, server_url(f.server) + 7)); /* Host */
}

static void connections_are_kept_and_requests_counted(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);
	int64_t requests = count_of("http_requests_total", "Get");
	int64_t received = count_of("http_bytes_received_total", "Get");

	(void)state;
	for (int i = 0; i < 20; i++)
		fixture_expect_hello(&f);
	assert_int_equal(server_connections(f.server), 1);
	assert_int_equal(server_requests(f.server), 20);
	assert_int_equal(count_of("http_requests_total", "Get") - requests, 20);
	assert_int_equal(count_of("http_bytes_received_total", "Get") - received, 100);
}

static void the_path_goes_out_as_it_is(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);

	(void)state;
	free(f.request.path);
	f.request.path = strdup("/b/../a//./%2e%2E/x|y");
	fixture_expect_hello(&f);
	assert_ptr_equal(strstr(server_head(f.server, 0), "GET /b/../a//./%2e%2E/x|y HTTP"),
			 server_head(f.server, 0));
	static const char *const bad[] = { "x", "/a b", "/a?b", "/a#b", "/a\r\nX: y", "/\xc3\xa9" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		free(f.request.path);
		f.request.path = strdup(bad[i]);
		assert_true(fixture_perform(&f) < 0);
		assert_int_equal(f.err.kind, ERR_INVALID);
	}
	assert_int_equal(server_requests(f.server), 1);
}

static void head_has_no_body_whatever_its_length_says(void **state)
{
	static const struct step steps[] = {
		{ .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1234567\r\n\r\n" },
		{ .bytes = "HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\n" },
	};
	FIXTURE(f, steps);

	(void)state;
	f.request.method = HTTP_HEAD;
	assert_int_equal(fixture_perform(&f), 0);
	assert_string_equal(http_fields_get(&f.response.headers, "Content-Length"), "1234567");
	assert_int_equal(f.response.body_length, 0);
	assert_true(fixture_perform(&f) < 0);
	assert_int_equal(f.err.kind, ERR_NOT_FOUND);
	assert_int_equal(f.err.http_status, 404);
	f.request.method = HTTP_GET;
	assert_int_equal(server_connections(f.server), 1);
	assert_ptr_equal(strstr(server_head(f.server, 1), "HEAD /x"), server_head(f.server, 1));
}

static void every_method_sends_its_body_from_memory(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	static const enum http_method methods[] = { HTTP_PUT, HTTP_POST, HTTP_DELETE, HTTP_PATCH };
	FIXTURE(f, steps);

	(void)state;
	f.request.body.kind = HTTP_BODY_MEM;
	f.request.body.mem = STR("a\0bc");
	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
		char want[32];
		f.request.method = methods[i];
		fixture_expect_hello(&f);
		(void)snprintf(want, sizeof(want), "%s /x HTTP/1.1", http_method_name(methods[i]));
		const char *head = server_head(f.server, i);
		assert_ptr_equal(strstr(head, want), head);
		assert_non_null(strstr(head, "\r\nContent-Length: 4\r\n"));
		assert_null(strstr(head, "Content-Type"));
		assert_null(strstr(head, "Expect"));
		assert_null(strstr(head, "chunked"));
		assert_int_equal(server_body(f.server, i).len, 4);
		assert_memory_equal(server_body(f.server, i).ptr, "a\0bc", 4);
	}
	f.request.method = HTTP_GET;
	f.request.body.kind = HTTP_BODY_NONE;
	fixture_expect_hello(&f);
	assert_null(strstr(server_head(f.server, 4), "Content-Length"));
	assert_int_equal(server_connections(f.server), 1);
}

static void empty_bodies_say_so(void **state)
{
	static const struct step steps[] = { { .bytes = OK_EMPTY } };
	FIXTURE(f, steps);

	(void)state;
	f.request.method = HTTP_PUT;
	assert_int_equal(fixture_perform(&f), 0);
	f.request.method = HTTP_POST;
	assert_int_equal(http_fields_add(&f.request.headers, "Content-Type", "text/plain", &f.err),
			 0);
	assert_int_equal(fixture_perform(&f), 0);
	f.request.method = HTTP_DELETE;
	assert_int_equal(fixture_perform(&f), 0);
	assert_non_null(strstr(server_head(f.server, 0), "\r\nContent-Length: 0\r\n"));
	assert_non_null(strstr(server_head(f.server, 1), "\r\nContent-Length: 0\r\n"));
	assert_non_null(strstr(server_head(f.server, 1), "\r\nContent-Type: text/plain\r\n"));
	assert_null(strstr(server_head(f.server, 2), "Content-Length"));
}

static void a_body_comes_from_an_fd_at_its_offset(void **state)
{
	static const struct step steps[] = { { .bytes = OK_EMPTY } };
	FIXTURE(f, steps);
	enum { LENGTH = 3000001, OFFSET = 77 };
	char *data = malloc(OFFSET + LENGTH + 10);
	_Atomic uint64_t progress = 5;

	(void)state;
	assert_non_null(data);
	for (int i = 0; i < OFFSET + LENGTH + 10; i++)
		data[i] = (char)(i * 31 + i / 251);
	CLEANUP(closep) int fd = make_file(data, OFFSET + LENGTH + 10);
	f.request.method = HTTP_PUT;
	f.request.body = (struct http_body){ .kind = HTTP_BODY_FD,
					     .fd = fd,
					     .offset = OFFSET,
					     .length = LENGTH,
					     .progress = &progress };
	int64_t sent = count_of("http_bytes_sent_total", "Get");
	assert_int_equal(fixture_perform(&f), 0);
	assert_int_equal(server_body(f.server, 0).len, LENGTH);
	assert_memory_equal(server_body(f.server, 0).ptr, data + OFFSET, LENGTH);
	assert_int_equal(atomic_load(&progress), LENGTH);
	assert_int_equal(count_of("http_bytes_sent_total", "Get") - sent, LENGTH);
	f.request.body.length = LENGTH + 11; /* longer than the file */
	assert_true(fixture_perform(&f) < 0);
	assert_int_equal(f.err.kind, ERR_IO);
	assert_int_equal(f.response.attempts, 1);
	free(data);
}

/* multipart/related: a text before and one after, from memory or a file, and again whole when it is sent again. */
static void a_body_may_have_a_head_and_a_tail(void **state)
{
	static const struct step steps[] = {
		{ .bytes = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" },
		{ .bytes = OK_HELLO },
		{ .bytes = OK_HELLO },
		{ .bytes = OK_HELLO },
	};
	FIXTURE(f, steps);
	_Atomic uint64_t progress = 5;

	(void)state;
	CLEANUP(closep) int fd = make_file("..content..", 11);
	f.request.method = HTTP_POST;
	f.request.body = (struct http_body){ .kind = HTTP_BODY_FD,
					     .fd = fd,
					     .offset = 2,
					     .length = 7,
					     .progress = &progress,
					     .head = STR("head-"),
					     .tail = STR("-tail") };
	assert_int_equal(fixture_perform(&f), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(server_body(f.server, i).len, 17);
		assert_memory_equal(server_body(f.server, i).ptr, "head-content-tail", 17);
	}
	assert_int_equal(atomic_load(&progress), 7);
	f.request.body = (struct http_body){ .kind = HTTP_BODY_MEM,
					     .fd = -1,
					     .mem = STR("memory"),
					     .head = STR("head-"),
					     .tail = STR("-tail") };
	assert_int_equal(fixture_perform(&f), 0);
	assert_memory_equal(server_body(f.server, 2).ptr, "head-memory-tail", 16);
	f.request.body.mem = (struct str){ 0 };
	assert_int_equal(fixture_perform(&f), 0);
	assert_memory_equal(server_body(f.server, 3).ptr, "head--tail", 10);
}

struct heard {
	uint64_t end;
	unsigned starts, calls;
	int refuse;
};

static int heard_start(void *arg, const struct http_response *response, struct error *err)
{
	struct heard *h = arg;

	h->starts++;
	assert_true(response->status >= 200 && response->status <= 299);
	if (h->refuse)
		return error_set(err, ERR_PRECONDITION, "another version");
	h->end = 0;
	return 0;
}

static void heard_data(void *arg, uint64_t position, size_t len)
{
	struct heard *h = arg;

	assert_int_equal(position, h->end);
	h->end = position + len;
	h->calls++;
}

static void an_answer_goes_to_an_fd_at_its_offset_and_is_hashed(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);
	CLEANUP(closep) int fd = make_file("0123456789abcdef", 16);
	struct heard heard = { 0 };
	unsigned char want[32];
	char back[17] = "";

	(void)state;
	f.request.sink = (struct http_sink){ .kind = HTTP_SINK_FD,
					     .fd = fd,
					     .offset = 3,
					     .length = 5,
					     .on_start = heard_start,
					     .on_data = heard_data,
					     .arg = &heard,
					     .hash = HASH_SHA256 };
	assert_int_equal(fixture_perform(&f), 0);
	assert_int_equal(fileio_pread_all(fd, back, 16, 0), 0);
	assert_string_equal(back, "012hello89abcdef");
	assert_int_equal(heard.starts, 1);
	assert_int_equal(heard.end, 5);
	hash_sha256("hello", 5, want);
	assert_int_equal(f.response.digest_len, 32);
	assert_memory_equal(f.response.digest, want, 32);

	f.request.sink.length = 4;
	assert_true(fixture_perform(&f) < 0);
	assert_int_equal(f.err.kind, ERR_PROTOCOL);
	heard.refuse = 1;
	f.request.sink.length = 5;
	assert_true(fixture_perform(&f) < 0);
	assert_int_equal(f.err.kind, ERR_PRECONDITION);
	assert_int_equal(f.response.attempts, 1);
	assert_int_equal(server_requests(f.server), 3);
}

static void an_empty_answer_is_shown_to_on_start_too(void **state)
{
	static const struct step steps[] = { { .bytes = OK_EMPTY } };
	FIXTURE(f, steps);
	struct heard heard = { .refuse = 1 };

	(void)state;
	f.request.sink.on_start = heard_start;
	f.request.sink.arg = &heard;
	assert_true(fixture_perform(&f) < 0);
	assert_int_equal(f.err.kind, ERR_PRECONDITION);
	f.request.method = HTTP_HEAD;
	assert_int_equal(fixture_perform(&f), 0);
	assert_int_equal(heard.starts, 1);
}

static void only_a_2xx_body_reaches_the_sink(void **state)
{
	static const struct step steps[] = {
		{ .bytes = "HTTP/1.1 404 Not Found\r\nX-Request-Id: id7\r\nContent-Length: "
			   "4\r\n\r\ngone" },
	};
	FIXTURE(f, steps);
	struct heard heard = { 0 };

	(void)state;
	f.request.sink.on_start = heard_start;
	f.request.sink.on_data = heard_data;
	f.request.sink.arg = &heard;
	assert_true(fixture_perform(&f) < 0);
	assert_int_equal(f.err.kind, ERR_NOT_FOUND);
	assert_string_equal(f.err.request_id, "id7");
	assert_string_equal(buf_cstr(&f.response.error_body), "gone");
	assert_int_equal(f.body.len, 0);
	assert_int_equal(heard.starts + heard.calls, 0);
}

static void redirects_are_not_followed(void **state)
{
	static const struct step steps[] = {
		{ .bytes = "HTTP/1.1 307 Elsewhere\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n" },
	};
	FIXTURE(f, steps);

	(void)state;
	assert_true(fixture_perform(&f) < 0);
	assert_int_equal(f.response.status, 307);
	assert_string_equal(http_fields_get(&f.response.headers, "location"), "/y");
	assert_int_equal(server_requests(f.server), 1);
}

static void chunked_answers_and_interim_ones_are_understood(void **state)
{
	static const struct step steps[] = {
		{ .bytes = "HTTP/1.1 103 Early\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\n"
			   "Transfer-Encoding: "
			   "chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n" },
	};
	FIXTURE(f, steps);

	(void)state;
	fixture_expect_hello(&f);
	assert_null(http_fields_get(&f.response.headers, "X-Early"));
	assert_null(http_fields_get(&f.response.headers, "X-Trailer"));
}

static int classify_all(void *arg, const struct http_response *response, struct error *err)
{
	struct buf *body = arg;

	if (response->status == 200 && str_starts(buf_str(body), "hell"))
		return error_set(err, ERR_CONFLICT, "an error in disguise");
	return http_classify_status(NULL, response, err);
}

static void a_success_can_be_checked_too(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);

	(void)state;
	f.request.classify = classify_all;
	f.request.classify_arg = &f.body;
	fixture_expect_hello(&f);
	f.request.wants_success_check = true;
	assert_true(fixture_perform(&f) < 0);
	assert_int_equal(f.err.kind, ERR_CONFLICT);
	assert_int_equal(f.err.http_status, 200);
}

struct many {
	struct http_request request;
	struct buf body;
	atomic_int *left;
	int result;
	bool is_right;
};

static void many_done(void *arg, int result, struct http_response *response,
		      const struct error *err)
{
	struct many *m = arg;

	m->result = result;
	m->is_right = result == 0 && response->status == 200 && err->kind == ERR_NONE &&
		      str_equal(buf_str(&m->body), STR("hello"));
	atomic_fetch_sub(m->left, 1);
}

static void submit_many(struct fixture *f, struct many *many, int count, atomic_int *left)
{
	atomic_store(left, count);
	for (int i = 0; i < count; i++) {
		struct many *m = &many[i];
		*m = (struct many){ .request = HTTP_REQUEST_INIT,
				    .body = BUF_INIT(64),
				    .left = left };
		assert_int_equal(http_request_set_base(&m->request, server_url(f->server), &f->err),
				 0);
		free(m->request.path);
		m->request.path = strdup("/many");
		m->request.is_idempotent = true;
		m->request.sink.kind = HTTP_SINK_BUF;
		m->request.sink.buf = &m->body;
		assert_int_equal(http_submit(f->engine, &m->request, many_done, m, &f->err), 0);
	}
}

static void release_many(struct many *many, int count)
{
	for (int i = 0; i < count; i++) {
		http_request_release(&many[i].request);
		buf_release(&many[i].body);
	}
}

static void fifty_run_side_by_side_but_no_more_than_allowed_per_host(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO, .delay_ms = 20 } };
	static struct many many[50];
	FIXTURE(f, steps);
	atomic_int left;

	(void)state;
	submit_many(&f, many, 50, &left);
	WAIT_FOR(atomic_load(&left) == 0);
	for (int i = 0; i < 50; i++)
		assert_true(many[i].is_right);
	assert_int_equal(server_requests(f.server), 50);
	assert_true(server_connections(f.server) <= 8);
	assert_true(server_most_at_once(f.server) > 1);
	assert_true(server_most_at_once(f.server) <= 8);
	release_many(many, 50);
}

static void the_engine_can_be_freed_while_calls_are_under_way(void **state)
{
	static const struct step steps[] = { { .action = STEP_STALL_HEAD } };
	static struct many many[50];
	FIXTURE(f, steps);
	atomic_int left;

	(void)state;
	submit_many(&f, many, 50, &left);
	WAIT_FOR(server_requests(f.server) == 8);
	http_engine_free(f.engine);
	f.engine = NULL;
	assert_int_equal(atomic_load(&left), 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(many[i].result, -ECANCELED);
	release_many(many, 50);
}

static void a_rate_limit_spaces_requests(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);
	struct ratelimit limit;

	(void)state;
	ratelimit_init(&limit, 20, 1);
	f.request.ratelimit = &limit;
	uint64_t begun_ms = clock_mono_ms();
	for (int i = 0; i < 5; i++)
		fixture_expect_hello(&f);
	assert_true(clock_mono_ms() - begun_ms >= 190);
	lock_destroy(&limit.lock);
}

static void set_authority(struct fixture *f, const char *authority)
{
	free(f->request.authority);
	f->request.authority = strdup(authority);
	assert_non_null(f->request.authority);
}

static void a_proxy_of_the_environment_is_used_unless_no_proxy_says_no(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);

	(void)state;
	assert_int_equal(setenv("http_proxy", server_url(f.server), 1), 0);
	set_authority(&f, "bucket.cloud.invalid:81");
	fixture_expect_hello(&f);
	assert_int_equal(setenv("NO_PROXY", "cloud.invalid", 1), 0);
	f.request.max_attempts = 1;
	assert_true(fixture_perform(&f) < 0);
	assert_int_equal(f.err.kind, ERR_UNAVAILABLE);
	assert_int_equal(unsetenv("http_proxy"), 0);
	assert_int_equal(unsetenv("NO_PROXY"), 0);
	assert_ptr_equal(strstr(server_head(f.server, 0), "GET http://bucket.cloud.invalid"),
			 server_head(f.server, 0));
	assert_int_equal(server_requests(f.server), 1);
}

/* A metadata service hands out keys to whoever asks from this machine; a proxy would ask from another, and see the answer. */
static void what_is_beside_us_is_never_asked_through_a_proxy(void **state)
{
	static const char *const beside[] = { "169.254.169.254", "169.254.170.2:80", "[fd00:ec2::254]",
					      "[fe80::1]:80" };
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);

	(void)state;
	assert_int_equal(setenv("http_proxy", server_url(f.server), 1), 0);
	assert_int_equal(setenv("all_proxy", server_url(f.server), 1), 0);
	fixture_expect_hello(&f); /* 127.0.0.1: straight to the server */
	f.request.max_attempts = 1;
	for (size_t i = 0; i < ARRAY_SIZE(beside); i++) {
		set_authority(&f, beside[i]);
		f.request.deadline_mono_ms = clock_mono_ms() + 200;
		(void)fixture_perform(&f); /* whoever answers there, or nobody */
	}
	assert_int_equal(unsetenv("http_proxy"), 0);
	assert_int_equal(unsetenv("all_proxy"), 0);
	assert_ptr_equal(strstr(server_head(f.server, 0), "GET /x "), server_head(f.server, 0));
	assert_int_equal(server_requests(f.server), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_get_brings_status_headers_and_body),
		cmocka_unit_test(connections_are_kept_and_requests_counted),
		cmocka_unit_test(the_path_goes_out_as_it_is),
		cmocka_unit_test(head_has_no_body_whatever_its_length_says),
		cmocka_unit_test(every_method_sends_its_body_from_memory),
		cmocka_unit_test(empty_bodies_say_so),
		cmocka_unit_test(a_body_comes_from_an_fd_at_its_offset),
		cmocka_unit_test(a_body_may_have_a_head_and_a_tail),
		cmocka_unit_test(an_answer_goes_to_an_fd_at_its_offset_and_is_hashed),
		cmocka_unit_test(an_empty_answer_is_shown_to_on_start_too),
		cmocka_unit_test(only_a_2xx_body_reaches_the_sink),
		cmocka_unit_test(redirects_are_not_followed),
		cmocka_unit_test(chunked_answers_and_interim_ones_are_understood),
		cmocka_unit_test(a_success_can_be_checked_too),
		cmocka_unit_test(fifty_run_side_by_side_but_no_more_than_allowed_per_host),
		cmocka_unit_test(the_engine_can_be_freed_while_calls_are_under_way),
		cmocka_unit_test(a_rate_limit_spaces_requests),
		cmocka_unit_test(a_proxy_of_the_environment_is_used_unless_no_proxy_says_no),
		cmocka_unit_test(what_is_beside_us_is_never_asked_through_a_proxy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
