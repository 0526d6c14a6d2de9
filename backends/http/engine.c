#include "backends/http/engine.h"
#include "backends/base/clock.h"
#include "backends/http/call.h"
#include <assert.h>
#include <limits.h>
#include <signal.h>
#include <utlist.h>

#define PREPARE_THREADS 4
#define CALLS_MAX	65536 /* submitted and not yet done */

void engine_wake_locked(struct http_engine *e)
{
	lock_assert_held(&e->lock);
	if (e->is_woken)
		return;
	e->is_woken = true;
	transport_wake(e->transport);
}

/* Takes all that was submitted since; says whether the engine is to stop. */
static bool take_inbox(struct http_engine *e, struct call **ret_calls)
{
	LOCKED(&e->lock);

	e->is_woken = false;
	*ret_calls = e->inbox;
	e->inbox = NULL;
	return e->is_stopping;
}

static void begin_calls(struct call *calls)
{
	while (calls) {
		struct call *c = calls;
		DL_DELETE(calls, c);
		call_begin(c);
	}
}

/* The next cancelled call that the event thread already has; one still in the inbox finds out when
 * it begins. */
static struct call *take_cancelled(struct http_engine *e)
{
	LOCKED(&e->lock);
	struct call *c;

	while ((c = e->cancelled)) {
		DL_DELETE2(e->cancelled, c, cancelled_prev, cancelled_next);
		c->is_in_cancelled = false;
		if (c->all_prev) /* in e->calls, that is, begun */
			return c;
	}
	return NULL;
}

static void end_cancelled(struct http_engine *e)
{
	struct call *c;

	while ((c = take_cancelled(e)))
		call_give_up(c, ERR_CANCELLED, "cancelled");
}

static void run_timers(struct http_engine *e)
{
	uint64_t now_ms = clock_mono_ms();
	struct timer *timer;

	while ((timer = timers_first(&e->timers)) && timer->due_ms <= now_ms) {
		timers_clear(&e->timers, timer);
		call_timer_fired(container_of(timer, struct call, timer), now_ms);
	}
}

static int timeout_ms(const struct http_engine *e)
{
	const struct timer *timer = timers_first(&e->timers);
	uint64_t now_ms = clock_mono_ms();

	if (!timer)
		return -1;
	if (timer->due_ms <= now_ms)
		return 0;
	return timer->due_ms - now_ms > INT_MAX ? INT_MAX : (int)(timer->due_ms - now_ms);
}

static void *run_events(void *arg)
{
	struct http_engine *e = arg;
	bool is_stopping = false;

	while (!is_stopping) {
		struct call *calls = NULL;
		is_stopping = take_inbox(e, &calls);
		begin_calls(calls);
		end_cancelled(e);
		prepare_deliver(e);
		run_timers(e);
		if (!is_stopping)
			transport_run(e->transport, timeout_ms(e));
	}
	/* From here on http_submit refuses, so nothing comes after these. */
	e->is_ending = true;
	while (e->calls)
		call_give_up(e->calls, ERR_CANCELLED, "the engine stops");
	return NULL;
}

static int copy_options(struct http_engine *e, const struct http_engine_options *options)
{
	e->options = options ? *options : (struct http_engine_options){ 0 };
	if (e->options.max_connections_per_host == 0)
		e->options.max_connections_per_host = 128;
	if (e->options.connect_timeout_ms == 0)
		e->options.connect_timeout_ms = 10000;
	if (e->options.stall_timeout_ms == 0)
		e->options.stall_timeout_ms = 20000;
	if (e->options.max_attempts == 0)
		e->options.max_attempts = 5;
	atomic_init(&e->stall_limit_ms, e->options.stall_timeout_ms);
	e->user_agent =
		strdup(e->options.user_agent ? e->options.user_agent : "skydir/" SKYDIR_VERSION);
	e->ca_file = e->options.ca_file ? strdup(e->options.ca_file) : NULL;
	if (!e->user_agent || (e->options.ca_file && !e->ca_file))
		return -ENOMEM;
	e->options.user_agent = e->user_agent;
	e->options.ca_file = e->ca_file;
	return 0;
}

static void engine_release(struct http_engine *e)
{
	workers_free(e->workers);
	/* What prepared until now has ended; the calls that waited for it are long done. */
	prepare_deliver(e);
	transport_free(e->transport);
	timers_release(&e->timers);
	hosts_free(e);
	counters_free(e);
	cond_destroy(&e->preparation_ended);
	lock_destroy(&e->lock);
	free(e->user_agent);
	free(e->ca_file);
	free(e);
}

/* Signals are for the program's own threads. */
static int start_thread(struct http_engine *e)
{
	sigset_t all, old;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&e->thread, NULL, run_events, e);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		(void)pthread_setname_np(e->thread, "skydir-http");
	return -r;
}

int http_engine_new(const struct http_engine_options *options, struct http_engine **ret,
		    struct error *err)
{
	struct http_engine *e = calloc(1, sizeof(*e));
	struct transport_options transport = { .on_done = call_attempt_ended };
	int r;

	if (!e)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	lock_init_ranked(&e->lock, LOCK_HTTP);
	cond_init(&e->preparation_ended);
	r = copy_options(e, options);
	e->workers = r == 0 ? workers_new("skydir-cred", PREPARE_THREADS) : NULL;
	if (!e->workers) {
		engine_release(e);
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	transport.connect_timeout_ms = e->options.connect_timeout_ms;
	/* Room for every connection of a busy host, and for a few idle ones of others. */
	transport.max_kept_connections = 2 * e->options.max_connections_per_host + 64;
	transport.user_agent = e->user_agent;
	transport.ca_file = e->ca_file;
	r = transport_new(&transport, &e->transport, err);
	if (r == 0) {
		r = start_thread(e);
		if (r < 0)
			r = error_errno(err, -r, "cannot start the thread of the HTTP engine");
	}
	if (r < 0) {
		engine_release(e);
		return r;
	}
	*ret = e;
	return 0;
}

void http_engine_limit_stall(struct http_engine *e, uint64_t most_ms)
{
	if (most_ms < e->options.stall_timeout_ms)
		atomic_store(&e->stall_limit_ms, most_ms);
}

void http_engine_bear_outages(struct http_engine *e, uint64_t patience_ms)
{
	atomic_store(&e->patience_ms, patience_ms);
}

void http_engine_stop(struct http_engine *e)
{
	if (!e || e->is_joined)
		return;
	assert(!pthread_equal(pthread_self(), e->thread));
	lock_take(&e->lock);
	e->is_stopping = true;
	engine_wake_locked(e);
	lock_drop(&e->lock);
	(void)pthread_join(e->thread, NULL);
	e->is_joined = true;
}

void http_engine_free(struct http_engine *e)
{
	if (!e)
		return;
	http_engine_stop(e);
	engine_release(e);
}

static bool is_preparing_locked(struct http_engine *e, const struct signer *signer)
{
	struct preparation *p;

	DL_FOREACH(e->preparations, p)
		if (p->signer == signer && !p->is_ended)
			return true;
	return false;
}

void http_engine_forget_signer(struct http_engine *e, struct signer *signer)
{
	LOCKED(&e->lock);

	assert(!pthread_equal(pthread_self(), e->thread));
	while (is_preparing_locked(e, signer))
		cond_wait(&e->preparation_ended, &e->lock);
}

void http_engine_free_signer(struct http_engine *e, struct signer *signer)
{
	if (!signer)
		return;
	http_engine_forget_signer(e, signer);
	signer_free(signer);
}

static int check_request(const struct http_request *request, struct error *err)
{
	uint64_t length = http_body_length(&request->body);

	if (!request->scheme || !request->authority || !request->path)
		return error_set(err, ERR_INVALID, "a request without scheme, host or path");
	if ((request->method == HTTP_GET || request->method == HTTP_HEAD) && length > 0)
		return error_set(err, ERR_INVALID, "a %s request cannot have a body",
				 http_method_name(request->method));
	assert(request->body.kind != HTTP_BODY_FD || request->body.fd >= 0);
	assert(request->sink.kind != HTTP_SINK_FD || request->sink.fd >= 0);
	assert(request->sink.kind != HTTP_SINK_BUF || request->sink.buf);
	return 0;
}

static int enqueue(struct http_engine *e, struct call *c, struct error *err)
{
	LOCKED(&e->lock);

	if (e->is_stopping)
		return error_set(err, ERR_CANCELLED, "the engine stops");
	if (e->call_count >= CALLS_MAX)
		return error_set(err, ERR_UNAVAILABLE, "too many requests are under way");
	e->call_count++;
	DL_APPEND(e->inbox, c);
	engine_wake_locked(e);
	return 0;
}

/* Undoes what call_cancel_fired may have done to a call that never got into the inbox. */
static void unhook(struct http_engine *e, struct call *c, struct cancel *cancel)
{
	cancel_unhook(cancel, &c->hook);
	LOCKED(&e->lock);
	if (c->is_in_cancelled)
		DL_DELETE2(e->cancelled, c, cancelled_prev, cancelled_next);
}

int http_submit(struct http_engine *e, struct http_request *request, http_done_fn *done, void *arg,
		struct error *err)
{
	struct cancel *cancel = request->cancel;
	struct call *c;
	int r = check_request(request, err);

	if (r < 0)
		return r;
	c = calloc(1, sizeof(*c));
	if (!c)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	c->engine = e;
	c->request = request;
	c->response = HTTP_RESPONSE_INIT;
	c->done = done;
	c->arg = arg;
	c->hook.fire = call_cancel_fired;
	c->trace = trace_current;
	/* Before it is in the inbox: from then on the event thread may end and free it at any
	 * time. */
	cancel_hook(cancel, &c->hook);
	r = enqueue(e, c, err);
	if (r < 0) {
		unhook(e, c, cancel);
		free(c);
	}
	return r;
}

struct perform {
	struct lock lock;
	struct cond cond;
	bool is_done; /* guarded by lock, as the rest */
	int result;
	struct http_response *response;
	struct error *err;
};

static void perform_done(void *arg, int result, struct http_response *response,
			 const struct error *err)
{
	struct perform *p = arg;
	LOCKED(&p->lock);

	if (p->response) {
		http_response_release(p->response);
		*p->response = *response;
		*response = HTTP_RESPONSE_INIT;
	}
	if (p->err)
		*p->err = *err;
	p->result = result;
	p->is_done = true;
	cond_signal(&p->cond);
}

int http_perform(struct http_engine *e, struct http_request *request,
		 struct http_response *response, struct error *err)
{
	struct perform p = { .lock = LOCK_INIT, .response = response, .err = err };
	int r;

	assert(!pthread_equal(pthread_self(), e->thread));
	lock_init_ranked(&p.lock, LOCK_LEAF);
	cond_init(&p.cond);
	r = http_submit(e, request, perform_done, &p, err);
	if (r == 0) {
		lock_take(&p.lock);
		/* No time limit here: the engine keeps the deadline, and calls done in every
		 * case. */
		while (!p.is_done)
			cond_wait(&p.cond, &p.lock);
		lock_drop(&p.lock);
		r = p.result;
	}
	cond_destroy(&p.cond);
	lock_destroy(&p.lock);
	return r;
}
