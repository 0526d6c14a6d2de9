/*
 * An operation at one provider: its slot, what a dry run would send, and waiting for what takes time.
 */
#include "control/op_cloud_private.h"

#include "backends/base/clock.h"
#include "control/text.h"

#include <stdio.h>

#define WAIT_DEFAULT_MS (UINT64_C(10) * 60 * 1000)
#define WAIT_FIRST_MS	250
#define WAIT_MOST_MS	5000

/* One run at one provider: how far it is, and by when it must be done. */
struct notifier {
	const struct op_call *call;
	uint64_t last_mono_ms, begun_mono_ms;
	uint64_t limit_ms; /* 0: none */
};

uint64_t op_wait_limit_ms(struct json_object *params)
{
	struct json_object *timeout = NULL;

	return params && json_object_object_get_ex(params, "timeout", &timeout) ? op_duration_ms(timeout) : WAIT_DEFAULT_MS;
}

static void start_notifier(struct notifier *n, const struct op *op, const struct op_call *call)
{
	*n = (struct notifier){.call = call, .begun_mono_ms = clock_mono_ms()};
	if (op->risk != OP_READ && !op->composed) /* what is composed of many may take long, and bounds its waits itself */
		n->limit_ms = op->wait ? op_wait_limit_ms(call->params) : WAIT_DEFAULT_MS;
}

static uint64_t deadline_of(const struct notifier *n)
{
	return n->limit_ms ? n->begun_mono_ms + n->limit_ms : 0;
}

/* "status: creating (12s of 10m)" */
static struct json_object *progress_of(const struct notifier *n, const char *text, uint64_t now)
{
	char since[24], limit[24];
	CLEANUP(freep) char *line = NULL;

	text_duration((now - n->begun_mono_ms) / 1000, since);
	text_duration(n->limit_ms / 1000, limit);
	line = str_format("%s (%s%s%s)", text, since, n->limit_ms ? " of " : "", n->limit_ms ? limit : "");
	return line ? json_object_new_string(line) : NULL;
}

static void send_text(void *arg, const char *text)
{
	struct notifier *n = arg;
	uint64_t now = clock_mono_ms();
	CLEANUP(json_putp) struct json_object *o = NULL;

	if (!n->call->notify || now - n->last_mono_ms < 100)
		return;
	n->last_mono_ms = now;
	o = json_object_new_object();
	if (!o)
		return; /* progress is a courtesy */
	json_object_object_add(o, "message", progress_of(n, text, now));
	n->call->notify(n->call->notify_arg, o);
}

/* A line that stays, also where nobody looks. */
static void tell_text(void *arg, const char *text)
{
	struct notifier *n = arg;
	CLEANUP(json_putp) struct json_object *o = n->call->notify ? json_object_new_object() : NULL;

	if (!o)
		return;
	json_object_object_add(o, "message", json_object_new_string(text));
	json_object_object_add(o, "event", json_object_new_boolean(1));
	n->call->notify(n->call->notify_arg, o);
}

/* Each record says where it is from, so that the lists of all providers can be one. */
static void add_provider(struct json_object *record, const char *name)
{
	if (json_object_is_type(record, json_type_object))
		json_object_object_add(record, "provider", json_object_new_string(name));
}

static void add_provider_to_all(struct json_object *result, const char *name)
{
	if (!json_object_is_type(result, json_type_array)) {
		add_provider(result, name);
		return;
	}
	for (size_t i = 0; i < json_object_array_length(result); i++)
		add_provider(json_object_array_get_idx(result, i), name);
}

void op_cloud_cut(struct json_object *list, uint64_t limit)
{
	size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	if (limit && count > limit)
		(void)json_object_array_del_idx(list, limit, count - limit); /* in range: cannot fail */
}

static int plan_result(struct json_object **plan, struct json_object **ret, struct error *err)
{
	struct json_object *o = json_object_new_object();

	if (!o || json_object_object_add(o, "would_send", *plan) != 0) {
		json_object_put(o);
		return error_no_memory(err);
	}
	*plan = NULL;
	*ret = o;
	return 0;
}

static int call_slot(const struct op *op, const struct op_call *call, const struct op_cloud_place *place,
		     struct cloud *cloud, struct notifier *notifier, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params =
		call->params ? json_object_get(call->params) : json_object_new_object();
	CLEANUP(json_putp) struct json_object *plan = NULL;
	struct cloud_call c = CLOUD_CALL_INIT;
	int r;

	if (!params)
		return error_no_memory(err);
	c.cloud = cloud;
	c.operation = op->name;
	c.shape = op->shape;
	c.params = params;
	c.cancel = call->cancel;
	c.limit = (uint64_t)cloud_param_int(&c, "limit", 0);
	c.page_size = (unsigned)cloud_param_int(&c, "page_size", 0);
	c.wants_raw = cloud_param_bool(&c, "raw", false);
	c.wait_until_mono_ms = deadline_of(notifier);
	c.progress = send_text;
	c.progress_arg = notifier;
	c.tell = tell_text;
	if (op->risk != OP_READ && cloud_param_bool(&c, "dry_run", false)) {
		c.plan = plan = json_object_new_array();
		if (!plan)
			return error_no_memory(err);
	}
	r = op->composed ? op->composed(&c, ret, err) : cloud_run(&c, op_cloud_slot(op, place->driver), ret, err);
	if (r < 0 && c.is_planned) {
		*err = ERROR_INIT;
		return plan_result(&plan, ret, err);
	}
	if (r < 0)
		return r;
	op_cloud_cut(*ret, c.limit);
	add_provider_to_all(*ret, place->name);
	return 0;
}

/* ---- waiting ---- */

static bool is_one_of(const char *word, const char *const *list)
{
	for (; list && *list; list++)
		if (!strcmp(word, *list))
			return true;
	return false;
}

/* 1: done; 0: not yet. */
static int judge(const struct op *op, int r, struct json_object *record, struct error *err)
{
	const struct op_wait *w = op->wait;
	const char *state = r == 0 ? json_get_string(record, w->field) : NULL;

	if (r < 0 && err->kind == ERR_NOT_FOUND && !w->good) {
		*err = ERROR_INIT;
		return 1;
	}
	if (r < 0)
		return error_is_retryable(err->kind) ? 0 : r;
	if (state && !w->good && !strcmp(state, "deleted")) /* some providers show what is gone for a while */
		return 1;
	if (state && is_one_of(state, w->bad))
		return error_set(err, ERR_CONFLICT, "%s: it became '%s'", op->name, state);
	return state && is_one_of(state, w->good);
}

/* The parameters by which the waiting asks: those that the asked operation has too, and the thing's id. */
static int wait_params(const struct op *op, const struct op *asked, const struct op_call *call,
		       struct json_object *result, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = json_object_new_object();
	const char *field = op->wait->result_field ? op->wait->result_field : "id";
	const char *id = *op->wait->param ? op_call_text(call, op->wait->param) : json_get_string(result, field);
	const struct op_param *first = NULL, *p;

	if (!params)
		return error_no_memory(err);
	for (size_t i = 0; (p = op_param_at(asked, i)) != NULL; i++) {
		struct json_object *value = NULL;

		if (p->position == 1)
			first = p;
		if (call->params && json_object_object_get_ex(call->params, p->name, &value))
			json_object_object_add(params, p->name, json_object_get(value));
	}
	if (id && first)
		json_object_object_add(params, first->name, json_object_new_string(id));
	*ret = steal(params);
	return op_check_params(asked, *ret, err);
}

/* The last look takes the result's place, or what it tells is added to it. Takes the look's reference. */
static void take_look(const struct op_wait *wait, struct json_object *look, struct json_object **result)
{
	if (!wait->adds_look || !json_object_is_type(*result, json_type_object)) {
		json_object_put(*result);
		*result = look;
		return;
	}
	json_object_object_foreach(look, name, value)
	{
		if (value)
			json_object_object_add(*result, name, json_object_get(value));
	}
	json_object_put(look);
}

/* Events that were told: their identifiers are members of *seen. */
struct follower {
	const struct op *op;
	struct op_call call; /* its params are owned */
	struct json_object *seen;
};

static void follower_release(struct follower *f)
{
	json_object_put(f->call.params);
	json_object_put(f->seen);
}

static void tell_event(struct notifier *n, struct json_object *event)
{
	static const char *const members[] = {"time", "resource", "type", "provider_status", "reason"};
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT(4096);

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const char *value = json_get_string(event, members[i]);

		if (value && *value && buf_addf(&text, "%s%s", text.len ? "  " : "", value) < 0)
			break; /* cut off is fine */
	}
	if (!n->call->notify || !o)
		return;
	json_object_object_add(o, "message", json_object_new_string(buf_cstr(&text)));
	json_object_object_add(o, "event", json_object_get(event));
	n->call->notify(n->call->notify_arg, o);
}

/* Looks at the events; new ones are told (to: NULL: only noted). A failure is none of the waiting's. */
static void follow(struct follower *f, const struct op_cloud_place *place, struct cloud *cloud, struct notifier *quiet,
		   struct notifier *to)
{
	CLEANUP(json_putp) struct json_object *events = NULL;
	struct error ignored = ERROR_INIT;
	size_t count;
	bool is_newest_first;

	if (!f->op || !f->seen || call_slot(f->op, &f->call, place, cloud, quiet, &events, &ignored) < 0 ||
	    !json_object_is_type(events, json_type_array))
		return;
	count = json_object_array_length(events);
	{
		const char *first = count ? json_get_string(json_object_array_get_idx(events, 0), "time") : NULL;
		const char *last = count ? json_get_string(json_object_array_get_idx(events, count - 1), "time") : NULL;

		is_newest_first = first && last && strcmp(first, last) > 0;
	}
	for (size_t i = 0; i < count; i++) {
		struct json_object *event = json_object_array_get_idx(events, is_newest_first ? count - 1 - i : i);
		const char *id = json_get_string(event, "id");

		if (!id || json_object_object_get_ex(f->seen, id, NULL))
			continue;
		json_object_object_add(f->seen, id, NULL);
		if (to)
			tell_event(to, event);
	}
}

/* What is there before the operation begins is old. id: NULL: the thing is not there yet. */
static void follow_begin(struct follower *f, const struct op *op, const struct op_call *call,
			 const struct op_cloud_place *place, struct cloud *cloud, struct notifier *quiet, const char *id)
{
	f->op = op_find(op->wait->follow);
	f->call = *call;
	f->call.notify = NULL;
	f->call.params = json_object_new_object();
	f->seen = json_object_new_object();
	if (!id || !f->op || !f->call.params)
		return;
	json_object_object_add(f->call.params, f->op->params[0].name, json_object_new_string(id));
	follow(f, place, cloud, quiet, NULL);
}

static int wait_until_done(const struct op *op, const struct op_call *call, const struct op_cloud_place *place,
			   struct cloud *cloud, struct notifier *notifier, struct follower *follower,
			   struct json_object **result, struct error *err)
{
	const struct op *asked = op_find(op->wait->operation);
	struct op_call ask = *call;
	struct cloud_call sleeper = CLOUD_CALL_INIT;
	uint64_t pause_ms = WAIT_FIRST_MS;
	CLEANUP(json_putp) struct json_object *params = NULL;
	int r = wait_params(op, asked, call, *result, &params, err);

	if (r < 0)
		return r;
	if (op->composed)
		*notifier = (struct notifier){.call = call, .begun_mono_ms = clock_mono_ms(),
					      .limit_ms = op_wait_limit_ms(call->params)};
	ask.params = params;
	sleeper.cancel = call->cancel;
	sleeper.operation = op->name;
	sleeper.wait_until_mono_ms = deadline_of(notifier);
	if (follower->op && follower->call.params && !*op->wait->param && json_get_string(*result, "id"))
		json_object_object_add(follower->call.params, follower->op->params[0].name,
				       json_object_new_string(json_get_string(*result, "id")));
	for (;;) {
		struct json_object *record = NULL;
		const char *state;

		r = call_slot(asked, &ask, place, cloud, notifier, &record, err);
		r = judge(op, r, record, err);
		state = record ? json_get_string(record, op->wait->field) : NULL;
		if (record) /* after the state: the events that led to it are there */
			follow(follower, place, cloud, notifier, notifier);
		if (r == 0 && state) {
			char text[128];

			(void)snprintf(text, sizeof text, "%s: %s", op->wait->field, state);
			send_text(notifier, text);
		}
		if (r == 1 && record && !op->wait->keeps_result) {
			take_look(op->wait, record, result);
			record = NULL;
		}
		json_object_put(record);
		if (r != 0)
			return r < 0 ? r : 0;
		*err = ERROR_INIT;
		r = cloud_sleep(&sleeper, pause_ms, err);
		if (r < 0)
			return r;
		pause_ms = pause_ms * 3 / 2 < WAIT_MOST_MS ? pause_ms * 3 / 2 : WAIT_MOST_MS;
	}
}

int op_cloud_run_one(const struct op *op, const struct op_call *call, const struct op_cloud_place *place,
		   struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *result = NULL;
	struct notifier notifier;
	CLEANUP(follower_release) struct follower follower = {.op = NULL};
	struct cloud *cloud = NULL;
	bool is_plan = call->params && json_get_bool(call->params, "dry_run", false);
	bool is_waiting = op->wait && !is_plan && call->params && json_get_bool(call->params, "wait", false);
	int r = op_context_cloud(call->context, place, op_call_text(call, "profile"), op_call_text(call, "region"), &cloud, err);

	start_notifier(&notifier, op, call);
	if (r == 0 && is_waiting && op->wait->follow)
		follow_begin(&follower, op, call, place, cloud, &notifier,
			     *op->wait->param ? op_call_text(call, op->wait->param) : NULL);
	if (r == 0)
		r = call_slot(op, call, place, cloud, &notifier, &result, err);
	if (is_waiting && op->wait->result_field && r == 0 && !json_get_string(result, op->wait->result_field))
		is_waiting = false; /* nothing was left to be done */
	if (r == 0 && is_waiting)
		r = wait_until_done(op, call, place, cloud, &notifier, &follower, &result, err);
	if (r < 0)
		return op_of_provider(op, place->name, r, err);
	*ret = steal(result);
	return 0;
}
