#include "control/peer.h"

#include "backends/base/clock.h"
#include "control/mcp.h"
#include "control/rpc.h"

#include <stdio.h>

#define OUT_WAITING_MAX ((size_t)4 << 20) /* of lines not yet written; then who writes more waits */
#define ASK_MS		(UINT64_C(5) * 60 * 1000)
#define ASK_SLICE_MS	200
#define ASKED_MAX	16
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_BYTES (4u << 20)
#else
#define STACK_BYTES (512u << 10)
#endif

/* One message under way, on its own thread or on the reader's. */
struct call {
	struct peer *peer;
	struct call *next;	     /* guarded by peer->lock */
	struct json_object *message; /* owned */
	struct json_object *id;	     /* in the message; immutable */
	struct json_object *token;   /* in the message: of progress notifications, or NULL */
	struct cancel cancel;
	atomic_bool is_silent; /* an MCP client that cancelled wants no answer */
	_Atomic unsigned progress_count;
};
struct asked { /* a request of ours that the client has not answered yet */
	int64_t id;
	struct json_object *answer; /* owned; the whole message */
};
struct peer {
	struct peer_options o; /* immutable */
	struct mcp mcp;
	struct cancel cancel; /* of what runs on the reader's thread */
	struct lock lock;
	struct cond changed;
	struct call *calls;		 /* guarded by lock */
	unsigned count;			 /* guarded by lock */
	struct buf out;			 /* guarded by lock */
	bool is_writing;		 /* guarded by lock */
	bool is_broken;			 /* guarded by lock: nothing can be written any more */
	struct asked asked[ASKED_MAX];	 /* guarded by lock; id 0: free */
	int64_t last_asked;		 /* guarded by lock */
};

int peer_new(const struct peer_options *options, struct peer **ret, struct error *err)
{
	struct peer *p = calloc(1, sizeof *p);

	if (!p)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	p->o = *options;
	mcp_init(&p->mcp, options->context, options->session, options->allow);
	cancel_init(&p->cancel);
	lock_init_ranked(&p->lock, LOCK_CONTROL_PEER);
	cond_init(&p->changed);
	p->out = BUF_INIT(OUT_WAITING_MAX + 2 * (size_t)RPC_REPLY_MAX);
	*ret = p;
	return 0;
}

void peer_cancel_all(struct peer *p)
{
	cancel_fire(&p->cancel);
	LOCKED(&p->lock);
	for (struct call *c = p->calls; c; c = c->next)
		cancel_fire(&c->cancel);
}

bool peer_wait_until(struct peer *p, uint64_t deadline_mono_ms)
{
	LOCKED(&p->lock);
	while (p->count)
		if (!cond_wait_until(&p->changed, &p->lock, deadline_mono_ms))
			return p->count == 0;
	return true;
}

void peer_free(struct peer *p)
{
	if (!p)
		return;
	peer_cancel_all(p);
	lock_take(&p->lock);
	while (p->count)
		cond_wait(&p->changed, &p->lock);
	lock_drop(&p->lock);
	for (size_t i = 0; i < ASKED_MAX; i++)
		json_object_put(p->asked[i].answer);
	buf_release(&p->out);
	cond_destroy(&p->changed);
	lock_destroy(&p->lock);
	cancel_destroy(&p->cancel);
	free(p);
}

/* ---- writing ---- */

/* Whoever finds nobody writing writes, until nothing is left; the others only add to what waits. */
static int put(struct peer *p, const struct buf *line)
{
	bool is_broken;
	int r = 0;

	lock_take(&p->lock);
	while (p->is_writing && p->out.len > OUT_WAITING_MAX && !p->is_broken)
		cond_wait(&p->changed, &p->lock);
	if (p->is_broken || buf_add(&p->out, line->data, line->len) < 0) {
		p->is_broken = true;
	} else if (!p->is_writing) {
		p->is_writing = true;
		while (p->out.len && !p->is_broken) {
			struct buf chunk = p->out;

			p->out = BUF_INIT(chunk.limit);
			lock_drop(&p->lock);
			r = p->o.send(p->o.send_arg, chunk.data, chunk.len);
			buf_release(&chunk);
			lock_take(&p->lock);
			p->is_broken = p->is_broken || r < 0;
			cond_broadcast(&p->changed);
		}
		p->is_writing = false;
	}
	is_broken = p->is_broken;
	if (is_broken)
		cond_broadcast(&p->changed);
	lock_drop(&p->lock);
	if (is_broken)
		peer_cancel_all(p);
	return is_broken ? -EPIPE : 0;
}

static void send_note(void *arg, const char *method, struct json_object *params)
{
	struct call *c = arg;
	CLEANUP(buf_release) struct buf line = BUF_INIT(RPC_LINE_MAX);

	if (rpc_add_notification(&line, method, params) == 0)
		(void)put(c->peer, &line); /* a failure fires the cancel tokens */
}

/* JSON-RPC's own: "progress" with the id of the call; MCP's in its own form. */
static void notify(void *arg, struct json_object *params)
{
	struct call *c = arg;
	CLEANUP(json_putp) struct json_object *o = NULL;

	if (mcp_is_method(json_get_string(c->message, "method"))) {
		if (!c->token)
			return;
		o = mcp_progress(c->token, ++c->progress_count, params);
		if (o)
			send_note(c, "notifications/progress", o);
		return;
	}
	if (json_object_deep_copy(params, &o, NULL) != 0)
		return; /* progress is a courtesy */
	if (c->id)
		json_object_object_add(o, "id", json_object_get(c->id));
	send_note(c, "progress", o);
}

/* ---- requests of ours ---- */

static struct asked *find_asked_locked(struct peer *p, int64_t id)
{
	for (size_t i = 0; i < ASKED_MAX; i++)
		if (p->asked[i].id == id)
			return &p->asked[i];
	return NULL;
}

/* Takes the message: counts of references are not atomic, so that one thread alone holds it. */
static void take_answer(struct peer *p, struct json_object *message)
{
	int64_t id = json_get_int64(message, "id", 0);
	struct asked *a;

	LOCKED(&p->lock);
	a = id > 0 ? find_asked_locked(p, id) : NULL;
	if (!a || a->answer) { /* of nothing that was asked */
		json_object_put(message);
		return;
	}
	a->answer = message;
	cond_broadcast(&p->changed);
}

static int wait_answer(struct call *c, int64_t id, struct json_object **ret, struct error *err)
{
	uint64_t deadline = clock_mono_ms() + ASK_MS;
	struct peer *p = c->peer;
	struct asked *a;
	int r = 0;

	LOCKED(&p->lock);
	a = find_asked_locked(p, id);
	while (!a->answer && r == 0) {
		if (cancel_is_fired(&c->cancel) || p->is_broken)
			r = error_set(err, ERR_CANCELLED, "cancelled");
		else if (clock_mono_ms() >= deadline)
			r = error_set(err, ERR_TIMEOUT, "nobody answered the question");
		else
			(void)cond_wait_until(&p->changed, &p->lock, clock_mono_ms() + ASK_SLICE_MS);
	}
	*ret = a->answer;
	*a = (struct asked){0};
	return r;
}

static int ask(void *arg, const char *method, struct json_object *params, struct json_object **ret, struct error *err)
{
	struct call *c = arg;
	struct peer *p = c->peer;
	CLEANUP(buf_release) struct buf line = BUF_INIT(RPC_LINE_MAX);
	CLEANUP(json_putp) struct json_object *message = NULL;
	struct json_object *result;
	struct asked *a;
	int64_t id = 0;
	int r;

	lock_take(&p->lock);
	a = find_asked_locked(p, 0);
	if (a)
		id = a->id = ++p->last_asked;
	lock_drop(&p->lock);
	if (!a)
		return error_set(err, ERR_THROTTLED, "too many questions wait for an answer");
	r = rpc_add_request(&line, id, method, params);
	if (r == 0)
		(void)put(p, &line); /* seen by wait_answer */
	r = wait_answer(c, id, &message, err);
	if (r < 0)
		return r;
	result = json_get(message, "result");
	if (!result)
		return error_set(err, ERR_CANCELLED, "the client answered the question with an error");
	*ret = json_object_get(result);
	return 0;
}

/* ---- answering ---- */

static int answer_mcp(struct call *c, struct json_object *message, const struct op_call *base, struct buf *out)
{
	struct mcp_call call = {.mcp = &c->peer->mcp, .base = base, .ask = ask, .send_note = send_note, .arg = c};
	CLEANUP(json_putp) struct json_object *result = NULL;
	CLEANUP(mcp_failure_release) struct mcp_failure failure = MCP_FAILURE_INIT;
	struct rpc_request request;
	const char *why;
	int r = rpc_parse_request(message, &request, &why);

	if (r != 0)
		return rpc_add_error(out, request.id, r, why, NULL);
	call.params = request.params;
	r = mcp_run(&call, request.method, &result, &failure);
	if (!request.has_id || atomic_load(&c->is_silent))
		return 0;
	if (r < 0)
		return rpc_add_error_data(out, request.id, failure.code, failure.message, failure.data);
	return rpc_add_result(out, request.id, result);
}

static int answer_one(void *arg, struct json_object *message, const struct op_call *base, struct buf *out)
{
	struct call *c = arg;
	const char *method = json_object_is_type(message, json_type_object) ? json_get_string(message, "method") : NULL;

	if (method && (mcp_is_method(method) || !c->peer->o.has_methods))
		return answer_mcp(c, message, base, out);
	return op_answer_request(base, message, out);
}

static int answer(struct call *c, struct cancel *cancel)
{
	struct peer *p = c->peer;
	CLEANUP(buf_release) struct buf out = BUF_INIT(RPC_REPLY_MAX);
	struct op_call call = {.context = p->o.context,
			       .session = p->o.session,
			       .cancel = cancel,
			       .notify = notify,
			       .notify_arg = c};
	int r = op_answer_message(&call, c->message, answer_one, c, &out);

	if (r < 0) {
		buf_clear(&out);
		r = rpc_add_error(&out, c->id, RPC_INTERNAL,
				  r == -EFBIG ? "the answer is too large (ask for less: limit, columns)" : "out of memory",
				  NULL);
	}
	if (r < 0)
		return r;
	return out.len ? put(p, &out) : 0;
}

static void call_free(struct call *c)
{
	json_object_put(c->message);
	cancel_destroy(&c->cancel);
	free(c);
}

static void *run_call(void *arg)
{
	struct call *c = arg;
	struct peer *p = c->peer;

	(void)answer(c, &c->cancel); /* a failure to write fired all tokens */
	lock_take(&p->lock);
	for (struct call **at = &p->calls; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	call_free(c);
	if (p->o.running)
		atomic_fetch_sub(p->o.running, 1);
	p->count--;
	cond_broadcast(&p->changed);
	lock_drop(&p->lock); /* from here on the peer may be gone */
	return NULL;
}

static int start_thread(struct call *c)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r = pthread_attr_init(&attributes);

	if (r != 0)
		return -r;
	r = pthread_attr_setstacksize(&attributes, STACK_BYTES);
	if (r == 0)
		r = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (r == 0)
		r = pthread_create(&thread, &attributes, run_call, c);
	(void)pthread_attr_destroy(&attributes); /* cannot fail */
	return -r;
}

static bool take_place(struct peer *p)
{
	if (!p->o.running)
		return true;
	if (atomic_fetch_add(p->o.running, 1) < p->o.running_max)
		return true;
	atomic_fetch_sub(p->o.running, 1);
	return false;
}

/* 0, or negative when there are too many. Takes c then only. */
static int start(struct peer *p, struct call *c)
{
	int r;

	LOCKED(&p->lock);
	if (p->count >= PEER_CALLS_MAX || !take_place(p))
		return -EBUSY;
	c->next = p->calls;
	p->calls = c;
	p->count++;
	r = start_thread(c);
	if (r < 0) {
		p->calls = c->next;
		p->count--;
		if (p->o.running)
			atomic_fetch_sub(p->o.running, 1);
	}
	return r;
}

static bool is_quick(const struct peer *p, struct json_object *message)
{
	const char *method;
	const struct op *op;

	if (json_object_is_type(message, json_type_array))
		return false;
	method = json_object_is_type(message, json_type_object) ? json_get_string(message, "method") : NULL;
	if (!method)
		return true; /* an error, soon told */
	if (mcp_is_method(method) || !p->o.has_methods)
		return mcp_is_quick(method);
	op = op_find(method);
	return !op || op->is_quick;
}

/* "$/cancelRequest" {id} and "notifications/cancelled" {requestId}. */
static bool take_cancel(struct peer *p, struct json_object *message, const char *method)
{
	bool is_mcp = !strcmp(method, "notifications/cancelled");
	struct json_object *id;

	if (!is_mcp && strcmp(method, "$/cancelRequest") != 0)
		return false;
	id = json_get(message, is_mcp ? "params.requestId" : "params.id");
	if (!id)
		return true;
	LOCKED(&p->lock);
	for (struct call *c = p->calls; c; c = c->next) {
		if (!c->id || !json_object_equal(c->id, id))
			continue;
		atomic_store(&c->is_silent, is_mcp);
		cancel_fire(&c->cancel);
	}
	return true;
}

/* Takes the message. */
static int take_message(struct peer *p, struct json_object *message)
{
	bool is_object = json_object_is_type(message, json_type_object);
	struct call *c = calloc(1, sizeof *c);
	CLEANUP(buf_release) struct buf out = BUF_INIT(4096);
	struct error busy = ERROR_INIT;
	int r;

	if (!c) {
		json_object_put(message);
		return -ENOMEM;
	}
	cancel_init(&c->cancel);
	c->peer = p;
	c->message = message;
	c->id = is_object ? json_get(message, "id") : NULL;
	c->token = is_object ? json_get(message, "params._meta.progressToken") : NULL;
	if (is_quick(p, message)) {
		r = answer(c, &p->cancel);
		call_free(c);
		return r;
	}
	r = start(p, c);
	if (r == 0)
		return 0;
	(void)error_set(&busy, ERR_THROTTLED, "too many calls at once (wait for some to end)");
	r = rpc_add_error(&out, c->id, error_rpc_code(busy.kind), busy.message, &busy);
	call_free(c);
	return r < 0 ? r : put(p, &out);
}

static int put_error(struct peer *p, const char *why)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(4096);
	int r = rpc_add_error(&out, NULL, RPC_PARSE_ERROR, why, NULL);

	return r < 0 ? r : put(p, &out);
}

int peer_line(void *peer, struct str line)
{
	struct peer *p = peer;
	struct json_object *message = NULL;
	struct error err = ERROR_INIT;
	const char *method;

	if (!line.ptr)
		return put_error(p, "the line is too long");
	if (json_parse(line, RPC_LINE_MAX, &message, &err) < 0)
		return put_error(p, err.message);
	if (json_object_is_type(message, json_type_object)) {
		method = json_get_string(message, "method");
		if (method && take_cancel(p, message, method)) {
			json_object_put(message);
			return 0;
		}
		if (!method && (json_get(message, "result") || json_get(message, "error"))) {
			take_answer(p, message);
			return 0;
		}
	}
	return take_message(p, message);
}
