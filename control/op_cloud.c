/*
 * Operations of clouds: which provider is meant, one or all, and waiting for what takes time.
 *
 * Without --provider, the one that is configured and has the operation; several are an error that names them, since a
 * guess would change the wrong cloud. With all_providers each is asked on a thread of its own, and the failure of one
 * becomes a row of `errors` beside the items of the others.
 */
#include "control/op.h"

#include "backends/base/clock.h"
#include "control/text.h"

#include <stdio.h>

#define WAIT_DEFAULT_MS (UINT64_C(10) * 60 * 1000)
#define WAIT_FIRST_MS	250
#define WAIT_MOST_MS	5000

const struct cloud_slot *op_cloud_slot(const struct op *op, const struct cloud_driver *driver)
{
	if (op->provider)
		return strcmp(op->provider, driver->type) ? NULL : &op->own;
	return cloud_slot(driver, op->interface, op->slot);
}

static const char *param(const struct op_call *call, const char *name)
{
	return call->params ? json_get_string(call->params, name) : NULL;
}

/* ---- choosing ---- */

static int not_supported(const struct op *op, const char *name, struct error *err)
{
	return error_provider(err, error_set(err, ERR_UNSUPPORTED, "%s: not supported by %s", op->name, name), name);
}

static int choose_named(const struct op *op, const char *name, const struct op_cloud_place *places,
			size_t count, struct op_cloud_place *ret, struct error *err)
{
	CLEANUP(buf_release) struct buf known = BUF_INIT(120);
	const struct op_cloud_place *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(places[i].name, name)) {
			found = &places[i];
			break;
		}
		if (!strcmp(places[i].driver->type, name) && !found)
			found = &places[i];
	}
	if (found && !op_cloud_slot(op, found->driver))
		return not_supported(op, name, err);
	if (found) {
		*ret = *found;
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		if (buf_addf(&known, "%s%s", i ? ", " : "", places[i].name) < 0)
			break;
	return error_set(err, ERR_UNAUTHENTICATED,
			 "no provider '%.64s' is configured and no credentials for it were found (%s%s; `skydir auth "
			 "explain` shows what is looked for)",
			 name, count ? "there are: " : "there is none", buf_cstr(&known));
}

static int choose_only(const struct op *op, const struct op_cloud_place *places, size_t count,
		       struct op_cloud_place *ret, struct error *err)
{
	CLEANUP(buf_release) struct buf able = BUF_INIT(120);
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		if (!op_cloud_slot(op, places[i].driver))
			continue;
		if (buf_addf(&able, "%s%s", found ? ", " : "", places[i].name) < 0)
			break;
		*ret = places[i];
		found++;
	}
	if (found == 1)
		return 0;
	if (found > 1)
		return error_set(err, ERR_INVALID, "several providers have it: %s (choose by --provider%s)",
				 buf_cstr(&able), op->result == OP_ITEMS ? ", or --all-providers" : "");
	if (count == 1)
		return not_supported(op, places[0].name, err);
	if (count)
		return error_set(err, ERR_UNSUPPORTED, "%s: not supported by any provider that is configured",
				 op->name);
	return error_set(err, ERR_UNAUTHENTICATED,
			 "no provider is configured and no credentials were found (`skydir auth explain` shows what is "
			 "looked for)");
}

/* ---- one provider ---- */

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

static void cut(struct json_object *list, uint64_t limit)
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
	cut(*ret, c.limit);
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
	const char *id = *op->wait->param ? param(call, op->wait->param) : json_get_string(result, field);
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

static int run_one(const struct op *op, const struct op_call *call, const struct op_cloud_place *place,
		   struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *result = NULL;
	struct notifier notifier;
	CLEANUP(follower_release) struct follower follower = {.op = NULL};
	struct cloud *cloud = NULL;
	bool is_plan = call->params && json_get_bool(call->params, "dry_run", false);
	bool is_waiting = op->wait && !is_plan && call->params && json_get_bool(call->params, "wait", false);
	int r = op_context_cloud(call->context, place, param(call, "profile"), param(call, "region"), &cloud, err);

	start_notifier(&notifier, op, call);
	if (r == 0 && is_waiting && op->wait->follow)
		follow_begin(&follower, op, call, place, cloud, &notifier,
			     *op->wait->param ? param(call, op->wait->param) : NULL);
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

/* ---- all providers ---- */

/* The branches say how far they are; the caller's thread alone passes it on. */
struct gathering {
	struct lock lock;
	struct cond changed;
	size_t count;
	size_t finished; /* guarded by lock */
};
struct branch {
	struct gathering *gathering;
	const struct op *op;
	struct op_call call;
	struct op_cloud_place place;
	pthread_t thread;
	bool has_thread;
	struct json_object *result; /* these three belong to the branch until it is finished */
	struct error err;
	int r;
	char text[160]; /* guarded by the gathering's lock; empty: nothing new */
};

static void note_branch(void *arg, struct json_object *params)
{
	struct branch *b = arg;
	const char *text = json_get_string(params, "message");

	LOCKED(&b->gathering->lock);
	(void)snprintf(b->text, sizeof b->text, "%s: %s", b->place.name, text ? text : ""); /* cut off is fine */
	cond_broadcast(&b->gathering->changed);
}

static void *run_branch(void *arg)
{
	struct branch *b = arg;

	b->r = run_one(b->op, &b->call, &b->place, &b->result, &b->err);
	LOCKED(&b->gathering->lock);
	b->gathering->finished++;
	cond_broadcast(&b->gathering->changed);
	return NULL;
}

/* What is new, taken; false: nothing is. */
static bool take_news_locked(struct gathering *g, struct branch *branches, size_t *told, char *text, size_t size)
{
	if (g->finished != *told) {
		*told = g->finished;
		(void)snprintf(text, size, "%zu of %zu providers have answered", g->finished, g->count);
		return true;
	}
	for (size_t i = 0; i < g->count; i++)
		if (branches[i].text[0]) {
			(void)snprintf(text, size, "%s", branches[i].text); /* of the same size */
			branches[i].text[0] = '\0';
			return true;
		}
	return false;
}

static void tell_until_done(struct gathering *g, struct branch *branches, const struct op_call *call)
{
	char text[sizeof branches->text];
	size_t told = 0;

	lock_take(&g->lock);
	while (g->finished < g->count) {
		CLEANUP(json_putp) struct json_object *o = NULL;

		if (!take_news_locked(g, branches, &told, text, sizeof text)) {
			cond_wait(&g->changed, &g->lock);
			continue;
		}
		lock_drop(&g->lock);
		o = json_object_new_object();
		if (o && json_object_object_add(o, "message", json_object_new_string(text)) == 0)
			call->notify(call->notify_arg, o);
		lock_take(&g->lock);
	}
	lock_drop(&g->lock);
}

/* The branches' lists in one, in the order of the providers. Takes what they hold. */
static int merge(struct branch *branches, size_t count, uint64_t limit, struct json_object **ret,
		 struct error *err)
{
	CLEANUP(json_putp) struct json_object *items = json_object_new_array();
	CLEANUP(json_putp) struct json_object *errors = json_object_new_array();
	size_t failed = 0;
	int r = items && errors ? 0 : -1;

	for (size_t i = 0; i < count && r == 0; i++) {
		struct json_object *list = branches[i].result;

		if (branches[i].r < 0) {
			failed++;
			r = op_add_failure(errors, branches[i].place.name, NULL, &branches[i].err);
			continue;
		}
		if (json_object_is_type(list, json_type_object)) /* a list that tells more than its items */
			list = json_get_array(list, "items");
		for (size_t k = 0; list && k < json_object_array_length(list) && r == 0; k++)
			r = json_object_array_add(items, json_object_get(json_object_array_get_idx(list, k)));
	}
	if (r != 0)
		return error_no_memory(err);
	if (failed == count) {
		*err = branches[0].err;
		return error_prefix(err, branches[0].r, "%s", branches[0].place.name);
	}
	cut(items, limit);
	*ret = op_items(steal(items));
	if (!*ret)
		return error_no_memory(err);
	if (failed)
		json_object_object_add(*ret, "errors", steal(errors));
	return 0;
}

static void run_branches(struct branch *branches, size_t count, const struct op_call *call)
{
	struct gathering g = {.count = count};

	lock_init(&g.lock);
	cond_init(&g.changed);
	for (size_t i = 0; i < count; i++) {
		struct branch *b = &branches[i];

		b->gathering = &g;
		b->call = *call;
		b->call.notify = call->notify ? note_branch : NULL;
		b->call.notify_arg = b;
		b->has_thread = pthread_create(&b->thread, NULL, run_branch, b) == 0;
		if (!b->has_thread) /* then one after the other */
			(void)run_branch(b);
	}
	if (call->notify)
		tell_until_done(&g, branches, call);
	for (size_t i = 0; i < count; i++)
		if (branches[i].has_thread)
			(void)pthread_join(branches[i].thread, NULL); /* cannot fail: joinable, once */
	cond_destroy(&g.changed);
	lock_destroy(&g.lock);
}

static int run_all(const struct op *op, const struct op_call *call, const struct op_cloud_place *places,
		   size_t count, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) struct branch *branches = calloc(count + 1, sizeof *branches);
	size_t used = 0;
	int r;

	if (!branches)
		return error_no_memory(err);
	for (size_t i = 0; i < count; i++)
		if (op_cloud_slot(op, places[i].driver))
			branches[used++] = (struct branch){.op = op, .place = places[i]};
	run_branches(branches, used, call);
	r = used ? merge(branches, used, (uint64_t)json_get_int64(call->params, "limit", 0), ret, err)
		 : choose_only(op, places, count, &(struct op_cloud_place){NULL, NULL}, err);
	for (size_t i = 0; i < used; i++)
		json_object_put(branches[i].result);
	return r;
}

int op_cloud_run_at(const struct op *op, const struct op_call *call, const struct op_cloud_place *place,
		    struct json_object **ret, struct error *err)
{
	struct json_object *result = NULL;
	int r = op_cloud_slot(op, place->driver) ? run_one(op, call, place, &result, err)
						 : not_supported(op, place->name, err);

	if (r < 0)
		return r;
	if (op->result == OP_ITEMS && !json_object_is_type(result, json_type_object)) {
		*ret = op_items(result);
		return *ret ? 0 : error_no_memory(err);
	}
	*ret = result;
	return 0;
}

static int run_prepared(const struct op *op, const struct op_call *call, struct json_object **ret, struct error *err)
{
	struct op_cloud_place places[OP_CLOUDS_MAX], place = {NULL, NULL};
	const char *name = param(call, "provider");
	size_t count = op_context_clouds(call->context, places);
	int r;

	if (op->result == OP_ITEMS && call->params && json_get_bool(call->params, "all_providers", false))
		return name ? error_set(err, ERR_INVALID, "provider and all_providers exclude each other")
			    : run_all(op, call, places, count, ret, err);
	r = name ? choose_named(op, name, places, count, &place, err)
		 : choose_only(op, places, count, &place, err);
	return r < 0 ? r : op_cloud_run_at(op, call, &place, ret, err);
}

int op_cloud_run(const struct op *op, const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	struct op_call own = *call;
	int r;

	if (!op->prepare || !call->params)
		return run_prepared(op, call, ret, err);
	r = op->prepare(call->params, &params, err);
	own.params = params;
	return r < 0 ? r : run_prepared(op, &own, ret, err);
}
