#include "fixture.h"
#include "backends/http/signer.h"

#define REFUSED "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"
#define BUSY	"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"

struct test_signer {
	struct signer signer; /* first */
	atomic_bool is_ready;
	atomic_int prepares, signs, reconsiders;
	bool reconsider_helps;
	enum error_kind prepare_fails, sign_fails;
	atomic_bool blocks; /* prepare waits while set */
	struct http_engine *engine;
	const char *token_url; /* prepare fetches this first */
};

static bool test_is_ready(struct signer *s)
{
	return atomic_load(&((struct test_signer *)s)->is_ready);
}

static int test_prepare(struct signer *s, struct error *err)
{
	struct test_signer *t = (struct test_signer *)s;

	atomic_fetch_add(&t->prepares, 1);
	while (atomic_load(&t->blocks)) {
		struct timespec ts = { .tv_nsec = 2000000 };
		(void)nanosleep(&ts, NULL);
	}
	if (t->prepare_fails)
		return error_set(err, t->prepare_fails, "no token");
	if (t->token_url) {
		struct http_request request = HTTP_REQUEST_INIT;
		struct http_response response = HTTP_RESPONSE_INIT;
		int r = http_request_set_base(&request, t->token_url, err);
		if (r == 0)
			r = http_perform(t->engine, &request, &response, err);
		http_request_release(&request);
		http_response_release(&response);
		if (r < 0)
			return r;
	}
	atomic_store(&t->is_ready, true);
	return 0;
}

static int test_sign(struct signer *s, struct http_request *request, struct error *err)
{
	struct test_signer *t = (struct test_signer *)s;
	int n = atomic_fetch_add(&t->signs, 1) + 1, r;

	if (t->sign_fails)
		return error_set(err, t->sign_fails, "cannot sign");
	assert_int_equal(request->signed_headers.count, 0);
	r = http_fields_addf(&request->signed_headers, err, "Authorization", "Test %d", n);
	return r < 0 ? r : http_query_add(&request->signed_query, "sig", "a/b", err);
}

static bool test_reconsider(struct signer *s, const struct http_response *response,
			    const struct error *err)
{
	struct test_signer *t = (struct test_signer *)s;

	assert_int_equal(err->http_status, response->status);
	atomic_fetch_add(&t->reconsiders, 1);
	if (t->reconsider_helps)
		atomic_store(&t->is_ready, false);
	return t->reconsider_helps;
}

static const struct signer_ops ops = { .is_ready = test_is_ready,
				       .prepare = test_prepare,
				       .sign = test_sign,
				       .reconsider = test_reconsider };

static void signer_begin(struct test_signer *t, struct fixture *f)
{
	*t = (struct test_signer){ .signer = { .ops = &ops }, .engine = f->engine };
	f->request.signer = &t->signer;
}

static void every_attempt_is_signed_anew(void **state)
{
	static const struct step steps[] = { { .bytes = BUSY },
					     { .bytes = BUSY },
					     { .bytes = OK_HELLO } };
	FIXTURE(f, steps);
	struct test_signer t;

	(void)state;
	signer_begin(&t, &f);
	fixture_expect_hello(&f);
	assert_int_equal(t.prepares, 1);
	assert_int_equal(t.signs, 3);
	assert_non_null(strstr(server_head(f.server, 0), "\r\nAuthorization: Test 1\r\n"));
	assert_non_null(strstr(server_head(f.server, 2), "\r\nAuthorization: Test 3\r\n"));
	assert_null(strstr(server_head(f.server, 2), "Test 2"));
	assert_non_null(strstr(server_head(f.server, 2), "GET /x?sig=a%2Fb HTTP"));
}

static void a_refusal_is_reconsidered_beyond_the_attempts_three_times_at_most(void **state)
{
	static const struct step steps[] = { { .bytes = REFUSED },
					     { .bytes = OK_HELLO },
					     { .bytes = REFUSED } };
	FIXTURE(f, steps);
	struct test_signer t;

	(void)state;
	signer_begin(&t, &f);
	t.reconsider_helps = true;
	f.request.max_attempts = 1;
	f.request.is_idempotent = false; /* refused is refused: it was not carried out */
	fixture_expect_hello(&f);
	assert_int_equal(t.reconsiders, 1);
	assert_int_equal(t.prepares, 2);
	assert_true(fixture_perform(&f) < 0);
	assert_int_equal(f.err.kind, ERR_UNAUTHENTICATED);
	assert_int_equal(t.reconsiders, 1 + 3);
	assert_int_equal(server_requests(f.server), 2 + 4);
}

static void a_refusal_that_stays_is_the_answer(void **state)
{
	static const struct step steps[] = { { .bytes = REFUSED } };
	FIXTURE(f, steps);
	struct test_signer t;

	(void)state;
	signer_begin(&t, &f);
	assert_true(fixture_perform(&f) < 0);
	assert_int_equal(f.err.kind, ERR_UNAUTHENTICATED);
	assert_int_equal(t.reconsiders, 1);
	assert_int_equal(server_requests(f.server), 1);
}

static void failures_to_get_credentials_or_sign_are_final(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);
	struct test_signer t;

	(void)state;
	signer_begin(&t, &f);
	t.prepare_fails = ERR_CONFIG;
	assert_true(fixture_perform(&f) < 0);
	assert_int_equal(f.err.kind, ERR_CONFIG);
	assert_string_equal(f.err.message, "no token");
	t.prepare_fails = ERR_NONE;
	t.sign_fails = ERR_INVALID;
	assert_true(fixture_perform(&f) < 0);
	assert_int_equal(f.err.kind, ERR_INVALID);
	assert_int_equal(server_requests(f.server), 0);
}

static void a_token_fetch_uses_the_same_engine(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);
	struct test_signer t;

	(void)state;
	signer_begin(&t, &f);
	t.token_url = server_url(f.server);
	fixture_expect_hello(&f);
	assert_int_equal(server_requests(f.server), 2);
	assert_ptr_equal(strstr(server_head(f.server, 0), "GET / HTTP"), server_head(f.server, 0));
}

struct waiter {
	struct http_request request;
	atomic_int *left;
	int result;
};

static void waiter_done(void *arg, int result, struct http_response *response,
			const struct error *err)
{
	struct waiter *w = arg;

	(void)response;
	(void)err;
	w->result = result;
	atomic_fetch_sub(w->left, 1);
}

static void begin_waiter(struct fixture *f, struct waiter *w, atomic_int *left)
{
	*w = (struct waiter){ .request = HTTP_REQUEST_INIT, .left = left };
	assert_int_equal(http_request_set_base(&w->request, server_url(f->server), &f->err), 0);
	w->request.signer = f->request.signer;
	assert_int_equal(http_submit(f->engine, &w->request, waiter_done, w, &f->err), 0);
}

static void many_calls_wait_for_one_fetch(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	static struct waiter waiters[40];
	FIXTURE(f, steps);
	struct test_signer t;
	atomic_int left = ARRAY_SIZE(waiters);

	(void)state;
	signer_begin(&t, &f);
	atomic_store(&t.blocks, true);
	for (size_t i = 0; i < ARRAY_SIZE(waiters); i++)
		begin_waiter(&f, &waiters[i], &left);
	WAIT_FOR(atomic_load(&t.prepares) == 1);
	atomic_store(&t.blocks, false);
	WAIT_FOR(atomic_load(&left) == 0);
	assert_int_equal(t.prepares, 1);
	for (size_t i = 0; i < ARRAY_SIZE(waiters); i++) {
		assert_int_equal(waiters[i].result, 0);
		http_request_release(&waiters[i].request);
	}
}

static void cancel_and_deadline_do_not_wait_for_a_fetch(void **state)
{
	static const struct step steps[] = { { .bytes = OK_HELLO } };
	FIXTURE(f, steps);
	struct test_signer t;
	struct cancel cancel = CANCEL_INIT;
	struct waiter w;
	atomic_int left = 1;

	(void)state;
	signer_begin(&t, &f);
	atomic_store(&t.blocks, true);
	f.request.deadline_mono_ms = clock_mono_ms() + 100;
	assert_true(fixture_perform(&f) < 0);
	assert_int_equal(f.err.kind, ERR_TIMEOUT);
	w = (struct waiter){ .request = HTTP_REQUEST_INIT, .left = &left };
	assert_int_equal(http_request_set_base(&w.request, server_url(f.server), &f.err), 0);
	w.request.signer = &t.signer;
	w.request.cancel = &cancel;
	assert_int_equal(http_submit(f.engine, &w.request, waiter_done, &w, &f.err), 0);
	cancel_fire(&cancel);
	WAIT_FOR(atomic_load(&left) == 0);
	assert_int_equal(w.result, -ECANCELED);
	http_request_release(&w.request);
	cancel_destroy(&cancel);
	atomic_store(&t.blocks, false);
	http_engine_forget_signer(f.engine, &t.signer);
	assert_true(atomic_load(&t.is_ready)); /* the fetch has ended, t may go */
}

static void the_engine_can_be_freed_during_a_fetch(void **state)
{
	static const struct step steps[] = { { .action = STEP_STALL_HEAD } };
	FIXTURE(f, steps);
	struct test_signer t;
	struct waiter w;
	atomic_int left = 1;

	(void)state;
	signer_begin(&t, &f);
	t.token_url = server_url(f.server);
	begin_waiter(&f, &w, &left);
	WAIT_FOR(server_requests(f.server) == 1);
	http_engine_free(f.engine);
	f.engine = NULL;
	assert_int_equal(atomic_load(&left), 0);
	assert_int_equal(w.result, -ECANCELED);
	http_request_release(&w.request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_attempt_is_signed_anew),
		cmocka_unit_test(a_refusal_is_reconsidered_beyond_the_attempts_three_times_at_most),
		cmocka_unit_test(a_refusal_that_stays_is_the_answer),
		cmocka_unit_test(failures_to_get_credentials_or_sign_are_final),
		cmocka_unit_test(a_token_fetch_uses_the_same_engine),
		cmocka_unit_test(many_calls_wait_for_one_fetch),
		cmocka_unit_test(cancel_and_deadline_do_not_wait_for_a_fetch),
		cmocka_unit_test(the_engine_can_be_freed_during_a_fetch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
