/*
 * The operations as tools: listing them and calling one.
 *
 * The order of the list is that of the tables, whatever the trust level: a cursor is a place in it.
 */
#include "control/mcp_private.h"

#include "control/client.h"

#include <stdio.h>

#define TOKEN_BYTES 128

static bool is_tool(const struct op *op)
{
	return !op->is_hidden;
}

static bool is_allowed(const struct mcp_call *c, const struct op *op)
{
	return op->risk <= c->mcp->allow;
}

/* ---- listing ---- */

/* Twice is as once. */
static bool is_idempotent(const struct op *op)
{
	static const char *const verbs[] = {"delete", "set", "start", "stop", "update", "ensure", "enable", "disable"};
	const char *dot = strrchr(op->name, '.'), *verb = dot ? dot + 1 : op->name;

	if (op->risk == OP_READ)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i], verb))
			return true;
	return false;
}

static struct json_object *annotations(const struct op *op)
{
	struct json_object *o = json_object_new_object();

	mcp_add_text(o, "title", op->summary);
	json_object_object_add(o, "readOnlyHint", json_object_new_boolean(op->risk == OP_READ));
	json_object_object_add(o, "destructiveHint", json_object_new_boolean(op->risk == OP_DESTROY));
	json_object_object_add(o, "idempotentHint", json_object_new_boolean(is_idempotent(op)));
	json_object_object_add(o, "openWorldHint", json_object_new_boolean(!op->needs_mount && !op->is_quick));
	return o;
}

static struct json_object *typed(const char *type, const char *description)
{
	struct json_object *o = json_object_new_object();

	mcp_add_text(o, "type", type);
	if (description)
		mcp_add_text(o, "description", description);
	return o;
}

static struct json_object *input_schema(const struct op *op)
{
	struct json_object *o = op_schema(op), *properties = o ? json_get(o, "properties") : NULL, *token;

	if (!properties || op->risk != OP_DESTROY)
		return o;
	token = typed("string", "of the plan that a call without it gives");
	json_object_object_add(token, "maxLength", json_object_new_int(TOKEN_BYTES));
	json_object_object_add(properties, "confirm_token", token);
	return o;
}

/* A tool that destroys answers with a plan or with what it did. */
static struct json_object *output_schema(const struct op *op)
{
	struct json_object *result = op_result_schema(op), *o, *properties, *required;

	if (result && op->risk != OP_DESTROY)
		return result;
	o = typed("object", NULL);
	properties = json_object_new_object();
	required = json_object_new_array();
	mcp_add_text(o, "description", op->risk == OP_DESTROY ? "a plan (status planned) or what was done (status done)"
							      : "that it was done");
	json_object_object_add(properties, "status", typed("string", NULL));
	if (result)
		json_object_object_add(properties, "result", result);
	if (op->risk == OP_DESTROY) {
		json_object_object_add(properties, "confirm_token", typed("string", NULL));
		json_object_object_add(properties, "expires_in_s", typed("integer", NULL));
		json_object_object_add(properties, "would_send", typed("array", NULL));
	}
	json_object_array_add(required, json_object_new_string("status"));
	json_object_object_add(o, "properties", properties);
	json_object_object_add(o, "required", required);
	return o;
}

static void add_description(struct json_object *o, const struct op *op)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(8192);

	if (buf_adds(&text, op->summary) == 0 && (!op->details || buf_addf(&text, "\n\n%s", op->details) == 0) &&
	    (op->risk != OP_DESTROY ||
	     buf_adds(&text, "\n\nCannot be undone. The first call only answers with a plan.") == 0))
		mcp_add_text(o, "description", buf_cstr(&text));
	else
		mcp_add_text(o, "description", op->summary);
}

static struct json_object *describe(const struct mcp_call *c, const struct op *op, struct json_object *output)
{
	struct json_object *o = json_object_new_object();

	mcp_add_text(o, "name", op->name);
	if (c->revision >= MCP_2025_06_18)
		mcp_add_text(o, "title", op->summary);
	add_description(o, op);
	json_object_object_add(o, "inputSchema", input_schema(op));
	if (c->revision >= MCP_2025_06_18)
		json_object_object_add(o, "outputSchema", output);
	else
		json_object_put(output);
	if (c->revision >= MCP_2025_03_26)
		json_object_object_add(o, "annotations", annotations(op));
	return o;
}

struct listing {
	const struct mcp_call *c;
	struct json_object *tools;
	size_t position, from; /* among all tools, allowed or not */
	size_t next;	       /* the first that found no room; 0: none */
};

static void list_one(struct listing *l, const struct op *op, struct json_object *(*result_schema)(void))
{
	size_t position = l->position++;

	if (position < l->from || l->next || !is_allowed(l->c, op))
		return;
	if (json_object_array_length(l->tools) == MCP_PAGE) {
		l->next = position;
		return;
	}
	json_object_array_add(l->tools, describe(l->c, op, result_schema ? result_schema() : output_schema(op)));
}

static int list_op(void *arg, const struct op *op)
{
	if (is_tool(op))
		list_one(arg, op, NULL);
	return 0;
}

static int count_op(void *arg, const struct op *op)
{
	*(size_t *)arg += is_tool(op);
	return 0;
}

int mcp_tools_list(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f)
{
	struct listing l = {.c = c};
	struct json_object *o;
	size_t count = 0;

	for (const struct mcp_tool *t = mcp_named_tools; t->row.name; t++)
		count++;
	(void)op_each(count_op, &count); /* goes on to the end */
	if (mcp_cursor(c, count, &l.from, f) < 0)
		return -1;
	o = json_object_new_object();
	l.tools = json_object_new_array();
	if (!o || !l.tools) {
		json_object_put(o);
		json_object_put(l.tools);
		return mcp_fail(f, RPC_INTERNAL, "out of memory");
	}
	for (const struct mcp_tool *t = mcp_named_tools; t->row.name; t++)
		list_one(&l, &t->row, t->result_schema);
	(void)op_each(list_op, &l); /* goes on to the end */
	json_object_object_add(o, "tools", l.tools);
	if (l.next)
		mcp_add_cursor(o, l.next, count);
	mcp_add_ttl(c, o, 3600000);
	*ret = o;
	return 0;
}

/* ---- calling ---- */

/* A daemon's progress is ours to tell; the number of its call is not. */
static void pass_on(void *arg, struct json_object *params)
{
	const struct op_call *call = arg;

	json_object_object_del(params, "id");
	call->notify(call->notify_arg, params);
}

static int run_by_daemon(const struct mcp_call *c, const struct op *op, struct json_object *params,
			 struct json_object **ret, struct error *err)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	int r = clients_open(&all, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < all.count; i++) {
		struct json_object *about = all.items[i].about;

		if (about && json_get_string(about, "mountpoint"))
			return client_call_cancellable(&all.items[i], op->name, params, c->base->cancel,
						       c->base->notify ? pass_on : NULL, (void *)(uintptr_t)c->base, ret,
						       err);
	}
	return error_set(err, ERR_NOT_FOUND, "nothing is mounted (skydir mount)");
}

int mcp_run_op(const struct mcp_call *c, const struct op *op, struct json_object *params, struct json_object **ret,
	       struct error *err)
{
	struct op_call call = *c->base;

	call.params = params;
	if (op->needs_mount && !(call.session && call.session->fs))
		return run_by_daemon(c, op, params, ret, err);
	return op_run(op, &call, ret, err);
}

static struct json_object *content_of(struct json_object *value)
{
	struct json_object *list = json_object_new_array(), *item = json_object_new_object();

	mcp_add_text(item, "type", "text");
	mcp_add_text(item, "text",
		     json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_array_add(list, item);
	return list;
}

/* Takes the value. */
static int give(const struct mcp_call *c, struct json_object *value, bool is_error, struct json_object **ret,
		struct mcp_failure *f)
{
	struct json_object *o = json_object_new_object();

	if (!o || !value) {
		json_object_put(o);
		json_object_put(value);
		return mcp_fail(f, RPC_INTERNAL, "out of memory");
	}
	json_object_object_add(o, "content", content_of(value));
	if (c->revision >= MCP_2025_06_18)
		json_object_object_add(o, "structuredContent", value);
	else
		json_object_put(value);
	json_object_object_add(o, "isError", json_object_new_boolean(is_error));
	*ret = o;
	return 0;
}

static int give_error(const struct mcp_call *c, const char *tool, const struct error *err, struct json_object **ret,
		      struct mcp_failure *f)
{
	struct json_object *o = json_object_new_object(), *data = rpc_error_data(err);

	if (!o || !data) {
		json_object_put(o);
		json_object_put(data);
		return mcp_fail(f, RPC_INTERNAL, "out of memory");
	}
	mcp_log(c, MCP_ERROR, tool, err->message);
	json_object_object_add(data, "message", json_object_new_string(err->message));
	json_object_object_add(o, "status", json_object_new_string("error"));
	json_object_object_add(o, "error", data);
	return give(c, o, true, ret, f);
}

static int call_named(const struct mcp_call *c, const struct mcp_tool *t, struct json_object *args,
		      struct json_object **ret, struct mcp_failure *f)
{
	struct op_call call = *c->base;
	struct json_object *value = NULL;
	struct error err = ERROR_INIT;
	const char *status;
	int r = op_check_params(&t->row, args, &err);

	call.params = args;
	if (r == 0)
		r = t->row.run(&call, &value, &err);
	if (r < 0) {
		value = json_object_new_object();
		mcp_log(c, MCP_ERROR, t->row.name, err.message);
		mcp_add_text(value, "status", "error");
		mcp_add_text(value, "message", err.message);
	}
	status = json_get_string(value, "status");
	return give(c, value, !status || strcmp(status, "success") != 0, ret, f);
}

static int call_op(const struct mcp_call *c, const struct op *op, struct json_object *args, struct json_object **ret,
		   struct mcp_failure *f)
{
	CLEANUP(json_putp) struct json_object *confirm = NULL;
	struct json_object *value = NULL, *done, *token = NULL;
	struct error err = ERROR_INIT;
	bool is_plan;
	int r;

	if (op->risk == OP_DESTROY && json_object_object_get_ex(args, "confirm_token", &token)) {
		confirm = json_object_get(token);
		json_object_object_del(args, "confirm_token"); /* it is not bound to itself */
	}
	r = op_check_params(op, args, &err);
	is_plan = r == 0 && json_get_bool(args, "dry_run", false);
	if (r == 0 && op->risk == OP_DESTROY && !is_plan) {
		r = mcp_confirm(c, op, args, confirm ? json_object_get_string(confirm) : NULL, &value, &err);
		if (r == 0 && json_object_object_get_ex(value, "resultType", NULL)) {
			*ret = value; /* a question */
			return 0;
		}
		if (r == 0)
			return give(c, value, false, ret, f);
	}
	if (r >= 0)
		r = mcp_run_op(c, op, args, &value, &err);
	if (r < 0)
		return give_error(c, op->name, &err, ret, f);
	mcp_log(c, MCP_DEBUG, op->name, "done");
	if (op->risk != OP_DESTROY && value)
		return give(c, value, false, ret, f);
	done = json_object_new_object();
	mcp_add_text(done, "status", is_plan ? "planned" : "done");
	if (value)
		json_object_object_add(done, "result", value);
	return give(c, done, false, ret, f);
}

static int not_allowed(const struct op *op, struct mcp_failure *f)
{
	return mcp_fail(f, RPC_INVALID_PARAMS, "tool '%s' is not allowed here (the server was started without --allow %s)",
			op->name, op->risk == OP_DESTROY ? "destructive" : "changes");
}

int mcp_tools_call(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f)
{
	const char *name = c->params ? json_get_string(c->params, "name") : NULL;
	struct json_object *given = c->params ? json_get(c->params, "arguments") : NULL;
	CLEANUP(json_putp) struct json_object *args = NULL;
	const struct op *op;

	if (!name)
		return mcp_fail(f, RPC_INVALID_PARAMS, "tools/call needs a name");
	if (given && !json_object_is_type(given, json_type_object))
		return mcp_fail(f, RPC_INVALID_PARAMS, "arguments must be an object");
	if (!given)
		args = json_object_new_object();
	else if (json_object_deep_copy(given, &args, NULL) != 0)
		return mcp_fail(f, RPC_INTERNAL, "out of memory");
	for (const struct mcp_tool *t = mcp_named_tools; t->row.name; t++)
		if (!strcmp(t->row.name, name))
			return is_allowed(c, &t->row) ? call_named(c, t, args, ret, f) : not_allowed(&t->row, f);
	op = op_find(name);
	if (!op || !is_tool(op))
		return mcp_fail(f, RPC_INVALID_PARAMS, "unknown tool '%.64s'", name);
	return is_allowed(c, op) ? call_op(c, op, args, ret, f) : not_allowed(op, f);
}
