/*
 * A list of all providers: each is asked on a thread of its own, and the failure of one becomes a row of `errors`
 * beside the items of the others.
 */
#include "control/op_cloud_private.h"

#include <stdio.h>

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

	b->r = op_cloud_run_one(b->op, &b->call, &b->place, &b->result, &b->err);
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
	op_cloud_cut(items, limit);
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

int op_cloud_run_all(const struct op *op, const struct op_call *call, const struct op_cloud_place *places, size_t count,
		     struct json_object **ret, struct error *err)
{
	CLEANUP(freep) struct branch *branches = calloc(count + 1, sizeof *branches);
	int r;

	if (!branches)
		return error_no_memory(err);
	for (size_t i = 0; i < count; i++)
		branches[i] = (struct branch){.op = op, .place = places[i]};
	run_branches(branches, count, call);
	r = merge(branches, count, (uint64_t)json_get_int64(call->params, "limit", 0), ret, err);
	for (size_t i = 0; i < count; i++)
		json_object_put(branches[i].result);
	return r;
}
