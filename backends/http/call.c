#include "backends/http/call.h"
#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "backends/base/random.h"
#include "backends/http/ratelimit.h"
#include <utlist.h>

#define RECONSIDER_MOST	   3 /* times in one call: credentials may end, and then the clock be found wrong */
#define RECONSIDER_WAIT_MS 1100
#define STALL_CHECKS	   4 /* per stall time limit */
#define STALL_CHECK_MIN_MS 10
#define STALL_LEAST_BYTES  512 /* within a stall time limit: fewer count as none, or a drip would keep a call for ever */

static void advance(struct call *c);

/* Sets the one timer to what the state waits for or to the deadline, whichever is first. */
static void arm(struct call *c, uint64_t due_ms)
{
	uint64_t deadline_ms = c->request->deadline_mono_ms;

	c->due_ms = due_ms;
	if (deadline_ms && deadline_ms < due_ms)
		due_ms = deadline_ms;
	if (due_ms == UINT64_MAX)
		timers_clear(&c->engine->timers, &c->timer);
	else
		timers_set(&c->engine->timers, &c->timer, due_ms);
}

static void count_attempt(struct call *c)
{
	const struct http_observer *observer = http_observer();

	if (c->attempt.sends > 1)
		c->resends += c->attempt.sends - 1;
	metric_add(c->counters->bytes_sent, (int64_t)c->attempt.bytes_sent);
	metric_add(c->counters->bytes_received, (int64_t)c->attempt.bytes_received);
	c->bytes_sent += c->attempt.bytes_sent;
	if (observer && c->attempt.was_sent)
		observer->sent(&(struct http_sent){ .request = c->request,
						    .sends = c->attempt.sends ? c->attempt.sends : 1,
						    .bytes_sent = c->attempt.bytes_sent,
						    .bytes_received = c->attempt.bytes_received,
						    .status = c->response.status });
}

static void tell_end(struct call *c)
{
	const struct http_observer *observer = http_observer();

	if (!observer || !observer->ended || !observer->wants_ended())
		return;
	observer->ended(&(struct http_ended){ .request = c->request,
					      .response = &c->response,
					      .err = &c->err,
					      .parent = &c->trace,
					      .begun_wall_ns = c->begun_wall_ns,
					      .ended_wall_ns = clock_wall_ns(),
					      .bytes_sent = c->bytes_sent,
					      .attempts = c->attempts });
}

static void leave_queues(struct call *c)
{
	struct http_engine *e = c->engine;

	timers_clear(&e->timers, &c->timer);
	if (c->state == CALL_PREPARING && c->preparation)
		prepare_leave(c);
	if (c->attempt.wire) {
		transport_abort(e->transport, &c->attempt);
		count_attempt(c);
	}
	if (c->host)
		host_leave(c);
	/* After this the hook runs no more, so nobody puts the call into the list again. */
	cancel_unhook(c->request->cancel, &c->hook);
	LOCKED(&e->lock);
	if (c->is_in_cancelled)
		DL_DELETE2(e->cancelled, c, cancelled_prev, cancelled_next);
	c->is_in_cancelled = false;
	e->call_count--;
}

/* The end of every call. */
static void finish(struct call *c)
{
	struct http_engine *e = c->engine;
	int result = c->err.kind == ERR_NONE ? 0 : -error_errnum(c->err.kind);

	leave_queues(c);
	DL_DELETE2(e->calls, c, all_prev, all_next);
	e->calls_count--;
	c->response.attempts = c->attempts + c->resends;
	c->response.elapsed_ms = clock_mono_ms() - c->begun_ms;
	log_debug("http.done", "operation=%s host=%s status=%d attempts=%u ms=%llu error='%s'",
		  c->request->operation ? c->request->operation : "-", c->request->authority,
		  c->response.status, c->attempts, (unsigned long long)c->response.elapsed_ms,
		  c->err.message);
	tell_end(c);
	attempt_release(&c->attempt);
	host_detach(c);
	/* The request may be gone once done was called. */
	c->request = NULL;
	c->done(c->arg, result, &c->response, &c->err);
	http_response_release(&c->response);
	free(c);
}

void call_give_up(struct call *c, enum error_kind kind, const char *why)
{
	(void)error_set(&c->err, kind, "%s", why);
	finish(c);
}

void call_cancel_fired(struct cancel_hook *hook)
{
	struct call *c = container_of(hook, struct call, hook);
	struct http_engine *e = c->engine;
	LOCKED(&e->lock);

	if (c->is_in_cancelled)
		return;
	c->is_in_cancelled = true;
	DL_APPEND2(e->cancelled, c, cancelled_prev, cancelled_next);
	engine_wake_locked(e);
}

static void begin_attempt(struct call *c)
{
	c->attempts++;
	c->is_prepared = false;
	c->has_token = false;
	advance(c);
}

void call_begin(struct call *c)
{
	struct http_engine *e = c->engine;
	const struct http_request *request = c->request;
	const struct http_observer *observer = http_observer();

	DL_APPEND2(e->calls, c, all_prev, all_next);
	e->calls_count++;
	c->begun_ms = clock_mono_ms();
	c->begun_wall_ns = clock_wall_ns();
	c->counters = counters_get(e, request->store, request->operation);
	if (!c->counters || timers_reserve(&e->timers, e->calls_count) < 0) {
		call_give_up(c, ERR_NO_MEMORY, "out of memory");
	} else if (cancel_is_fired(request->cancel)) {
		call_give_up(c, ERR_CANCELLED, "cancelled");
	} else if (request->deadline_mono_ms && c->begun_ms >= request->deadline_mono_ms) {
		call_give_up(c, ERR_TIMEOUT, "no time was left for the request");
	} else if (observer && observer->admit(request, &c->err) < 0) {
		finish(c);
	} else if (host_attach(c, &c->err) < 0) {
		finish(c);
	} else {
		begin_attempt(c);
	}
}

static bool needs_preparation(const struct call *c)
{
	struct signer *signer = c->request->signer;

	return signer && !c->is_prepared && !signer->ops->is_ready(signer);
}

/* Takes the steps before the wire, as far as they go without waiting. */
static void advance(struct call *c)
{
	if (needs_preparation(c)) {
		arm(c, UINT64_MAX);
		prepare_join(c);
		return;
	}
	if (!c->has_token) {
		uint64_t now_ms = clock_mono_ms(), wait_ms = 0;
		c->has_token = true;
		if (c->request->ratelimit)
			wait_ms = ratelimit_take(c->request->ratelimit, now_ms);
		if (wait_ms > 0) {
			c->state = CALL_RATE_WAIT;
			arm(c, now_ms + wait_ms);
			return;
		}
	}
	c->state = CALL_HOST_WAIT;
	arm(c, UINT64_MAX);
	host_enter(c);
}

void call_prepared(struct call *c, int result, const struct error *err)
{
	if (result < 0) {
		c->err = *err;
		if (c->err.kind == ERR_NONE)
			(void)error_set(&c->err, ERR_UNAUTHENTICATED,
					"no credentials could be had");
		finish(c);
		return;
	}
	/* Not asked again whether it is ready: credentials that expire at once would go round for
	 * ever. */
	c->is_prepared = true;
	advance(c);
}

static int sign(struct call *c)
{
	struct http_request *request = c->request;
	int r;

	http_fields_release(&request->signed_headers);
	http_fields_release(&request->signed_query);
	if (!request->signer)
		return 0;
	r = request->signer->ops->sign(request->signer, request, &c->err);
	if (r < 0 && c->err.kind == ERR_NONE)
		(void)error_set(&c->err, ERR_UNAUTHENTICATED, "the request could not be signed");
	return r;
}

static uint64_t stall_timeout_ms(const struct call *c)
{
	return c->request->stall_timeout_ms ? c->request->stall_timeout_ms
					    : atomic_load(&c->engine->stall_limit_ms);
}

static void arm_stall_check(struct call *c, uint64_t now_ms)
{
	uint64_t interval_ms = stall_timeout_ms(c) / STALL_CHECKS;

	arm(c, now_ms + (interval_ms > STALL_CHECK_MIN_MS ? interval_ms : STALL_CHECK_MIN_MS));
}

void call_run(struct call *c)
{
	struct http_engine *e = c->engine;

	c->state = CALL_RUNNING;
	if (needs_preparation(c)) { /* the credentials expired while it waited */
		host_leave(c);
		advance(c);
		return;
	}
	c->err = ERROR_INIT;
	if (sign(c) < 0 || attempt_begin(&c->attempt, c->request, &c->response, &c->err) < 0 ||
	    transport_start(e->transport, &c->attempt, &c->err) < 0) {
		finish(c);
		return;
	}
	metric_add(c->counters->requests, 1);
	c->moved = 0;
	c->moved_ms = clock_mono_ms();
	arm_stall_check(c, c->moved_ms);
}

/* Turns what the attempt brought into c->err; its kind is ERR_NONE for success. */
static void classify(struct call *c)
{
	const struct http_request *request = c->request;
	const struct http_response *response = &c->response;
	bool is_success = attempt_is_success(&c->attempt);
	int r = 0;

	c->err = c->attempt.err;
	if (c->err.kind != ERR_NONE)
		return;
	if (request->classify && (!is_success || request->wants_success_check))
		r = request->classify(request->classify_arg, response, &c->err);
	else
		r = http_classify_status(NULL, response, &c->err);
	if (r >= 0) {
		c->err = ERROR_INIT;
		return;
	}
	if (c->err.kind == ERR_NONE)
		(void)http_classify_status(NULL, response, &c->err);
	c->err.http_status = response->status;
	if (c->err.retry_after_ms == 0)
		c->err.retry_after_ms = http_retry_after_ms(response);
}

static bool is_worth_reconsidering(struct call *c)
{
	struct signer *signer = c->request->signer;
	int status = c->response.status;

	if (!signer || !signer->ops->reconsider || c->reconsidered >= RECONSIDER_MOST ||
	    c->attempt.err.kind != ERR_NONE)
		return false;
	if (c->err.kind != ERR_UNAUTHENTICATED && status != 400 && status != 401 && status != 403)
		return false;
	c->reconsidered++;
	return signer->ops->reconsider(signer, &c->response, &c->err);
}

/* Until when the host's silence counts as an outage that passes. */
static uint64_t patient_until(struct call *c, uint64_t now_ms)
{
	struct host *host = c->host;
	uint64_t patience_ms = atomic_load(&c->engine->patience_ms);

	if (c->response.status > 0)
		host->silent_since_ms = 0;
	else if (!host->silent_since_ms && error_is_retryable(c->err.kind))
		host->silent_since_ms = now_ms;
	return patience_ms && host->silent_since_ms && !c->request->max_attempts ? host->silent_since_ms + patience_ms : 0;
}

static int64_t retry_wait(struct call *c, uint64_t now_ms, uint64_t patient_until_ms)
{
	const struct http_request *request = c->request;
	unsigned max_attempts =
		request->max_attempts ? request->max_attempts : c->engine->options.max_attempts;
	struct retry_facts facts = {
		.err = &c->err,
		/* the attempts after new credentials do not count */
		.attempt = c->attempts > c->reconsidered ? c->attempts - c->reconsidered : 1,
		.max_attempts = max_attempts,
		.is_idempotent = request->is_idempotent,
		.was_sent = c->attempt.was_sent,
		.now_mono_ms = now_ms,
		.deadline_mono_ms = request->deadline_mono_ms,
		.patient_until_ms = patient_until_ms,
		.random = random_u64(),
	};
	return retry_decide(&c->host->budget, &facts);
}

static void judge(struct call *c)
{
	uint64_t now_ms = clock_mono_ms(), patient_until_ms;
	int64_t wait_ms;

	classify(c);
	patient_until_ms = patient_until(c, now_ms);
	/* A service that answers, even no, is alive. */
	if (c->err.kind == ERR_NONE || (c->response.status > 0 && !error_is_retryable(c->err.kind)))
		retry_succeeded(&c->host->budget);
	if (c->err.kind == ERR_NONE) {
		finish(c);
		return;
	}
	metric_add(c->counters->errors, 1);
	if (c->err.kind == ERR_THROTTLED && c->request->ratelimit)
		ratelimit_throttled(c->request->ratelimit, now_ms, c->err.retry_after_ms);
	/* At once the first time; after that, new credentials may take a moment to be known everywhere. */
	if (is_worth_reconsidering(c))
		wait_ms = c->reconsidered == 1 ? 0 : RECONSIDER_WAIT_MS;
	else
		wait_ms = retry_wait(c, now_ms, patient_until_ms);
	if (wait_ms < 0) {
		finish(c);
		return;
	}
	log_debug("http.retry", "operation=%s host=%s attempt=%u wait_ms=%lld error='%s'",
		  c->request->operation ? c->request->operation : "-", c->request->authority,
		  c->attempts, (long long)wait_ms, c->err.message);
	metric_add(c->counters->retries, 1);
	c->state = CALL_RETRY_WAIT;
	arm(c, now_ms + (uint64_t)wait_ms);
}

void call_attempt_ended(struct attempt *a)
{
	struct call *c = container_of(a, struct call, attempt);

	count_attempt(c);
	timers_clear(&c->engine->timers, &c->timer);
	host_leave(c);
	judge(c);
}

static void check_stall(struct call *c, uint64_t now_ms)
{
	uint64_t moved = transport_moved(&c->attempt), timeout_ms = stall_timeout_ms(c);
	/* A server known to think long may show with single bytes that it is alive. */
	uint64_t least = c->request->stall_timeout_ms ? 1 : STALL_LEAST_BYTES;

	/* 0: connecting, which has a time limit of its own */
	if (moved == 0 || c->moved == 0 || moved < c->moved || moved >= c->moved + least) {
		c->moved = moved;
		c->moved_ms = now_ms;
	}
	if (now_ms - c->moved_ms < timeout_ms) {
		arm_stall_check(c, now_ms);
		return;
	}
	transport_abort(c->engine->transport, &c->attempt);
	(void)error_set(&c->attempt.err, ERR_TIMEOUT,
			"%s moved to or from '%.150s' for %llu ms",
			least == 1 ? "no byte" : "next to nothing", c->request->authority,
			(unsigned long long)timeout_ms);
	call_attempt_ended(&c->attempt);
}

void call_timer_fired(struct call *c, uint64_t now_ms)
{
	uint64_t deadline_ms = c->request->deadline_mono_ms;

	if (deadline_ms && now_ms >= deadline_ms) {
		call_give_up(c, ERR_TIMEOUT, "no answer within the time allowed");
		return;
	}
	switch (c->state) {
	case CALL_RATE_WAIT:
		advance(c);
		break;
	case CALL_RUNNING:
		check_stall(c, now_ms);
		break;
	case CALL_RETRY_WAIT:
		begin_attempt(c);
		break;
	case CALL_NEW:
	case CALL_PREPARING:
	case CALL_HOST_WAIT:
		arm(c, c->due_ms);
		break;
	}
}
