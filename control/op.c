#include "control/op.h"

#include "control/rpc.h"

const struct op *op_find(const char *name)
{
	for (size_t t = 0; op_tables[t]; t++)
		for (const struct op *o = op_tables[t]; o->name; o++)
			if (!strcmp(o->name, name))
				return o;
	return NULL;
}

int op_each(int (*fn)(void *arg, const struct op *op), void *arg)
{
	int r = 0;

	for (size_t t = 0; op_tables[t]; t++)
		for (const struct op *o = op_tables[t]; o->name && r == 0; o++)
			r = fn(arg, o);
	return r;
}

const char *op_risk_name(enum op_risk risk)
{
	return risk == OP_READ ? "read" : risk == OP_CHANGE ? "change" : "destroy";
}

int op_of_provider(const struct op *op, const char *name, int r, struct error *err)
{
	if (name && err->kind == ERR_UNSUPPORTED && !strstr(err->message, "not supported by"))
		(void)error_prefix(err, r, "%s: not supported by %s", op->name, name);
	return error_provider(err, r, name);
}

/* Of an operation on a store: the store's name, which the place begins with. */
static int of_store(const struct op *op, const struct op_call *call, int r, struct error *err)
{
	for (const struct op_param *p = op->params; p && p->name; p++) {
		const char *place = p->is_place && call->params ? json_get_string(call->params, p->name) : NULL;
		CLEANUP(freep) char *name = NULL;

		if (!place)
			continue;
		place += *place == '/';
		name = str_dup((struct str){place, strcspn(place, "/")});
		return op_of_provider(op, name && *name ? name : NULL, r, err);
	}
	return r;
}

int op_run(const struct op *op, const struct op_call *call, struct json_object **ret,
	   struct error *err)
{
	int r;

	if (op->needs_mount && !(call->session && call->session->fs))
		return error_set(err, ERR_NOT_FOUND, "%s needs a mount, and there is none", op->name);
	r = op->run ? op->run(call, ret, err) : op_cloud_run(op, call, ret, err);
	return r < 0 ? of_store(op, call, r, err) : r;
}

struct json_object *op_items(struct json_object *list)
{
	struct json_object *o = json_object_new_object();
	size_t count = list ? json_object_array_length(list) : 0;

	if (!list)
		list = json_object_new_array();
	if (!o || !list || json_object_object_add(o, "items", list) != 0) {
		json_object_put(list);
		json_object_put(o);
		return NULL;
	}
	json_object_object_add(o, "count", json_object_new_uint64(count));
	return o;
}

int op_add_failure(struct json_object *errors, const char *provider, const char *path, const struct error *why)
{
	struct json_object *o = rpc_error_data(why);

	if (!o || json_object_array_add(errors, o) != 0) {
		json_object_put(o);
		return -ENOMEM;
	}
	json_object_object_add(o, "message", json_object_new_string(why->message));
	if (provider)
		json_object_object_add(o, "provider", json_object_new_string(provider));
	if (path)
		json_object_object_add(o, "path", json_object_new_string(path));
	return 0;
}

int op_answer_request(const struct op_call *call, struct json_object *message, struct buf *out)
{
	CLEANUP(json_putp) struct json_object *result = NULL;
	struct op_call own = *call;
	struct rpc_request request;
	struct error err = ERROR_INIT;
	const struct op *op;
	const char *why;
	int r = rpc_parse_request(message, &request, &why);

	if (r != 0)
		return rpc_add_error(out, request.id, r, why, NULL);
	op = op_find(request.method);
	if (!op)
		return request.has_id
			       ? rpc_add_error(out, request.id, RPC_METHOD_NOT_FOUND,
					       "no such method (rpc.discover lists them)", NULL)
			       : 0;
	own.params = request.params;
	r = op_check_params(op, request.params, &err);
	if (r < 0)
		return request.has_id ? rpc_add_error(out, request.id, RPC_INVALID_PARAMS,
						      err.message, &err)
				      : 0;
	r = op_run(op, &own, &result, &err);
	if (!request.has_id)
		return 0;
	if (r < 0)
		return rpc_add_error(out, request.id, error_rpc_code(err.kind), err.message, &err);
	return rpc_add_result(out, request.id, result);
}

/* The answers of a batch stand in one array, on one line. */
static int answer_batch(const struct op_call *call, struct json_object *batch, op_answer_fn *answer, void *arg,
			struct buf *out)
{
	size_t count = json_object_array_length(batch), before = out->len;
	bool is_empty = true;
	int r;

	if (count == 0 || count > RPC_BATCH_MAX)
		return rpc_add_error(out, NULL, RPC_INVALID_REQUEST,
				     "a batch holds 1 to 64 requests", NULL);
	r = buf_addc(out, '[');
	for (size_t i = 0; i < count && r == 0; i++) {
		size_t length = out->len;

		r = answer(arg, json_object_array_get_idx(batch, i), call, out);
		if (r == 0 && out->len > length) {
			out->data[out->len - 1] = ','; /* instead of the newline */
			is_empty = false;
		}
	}
	if (r == 0 && !is_empty) {
		out->data[out->len - 1] = ']';
		return buf_addc(out, '\n');
	}
	out->len = before;
	if (out->data)
		out->data[before] = '\0';
	return r;
}

int op_answer_message(const struct op_call *call, struct json_object *message, op_answer_fn *answer, void *arg,
		      struct buf *out)
{
	if (json_object_is_type(message, json_type_array))
		return answer_batch(call, message, answer, arg, out);
	return answer(arg, message, call, out);
}

static int answer_plainly(void *arg, struct json_object *message, const struct op_call *call, struct buf *out)
{
	(void)arg; /* nothing but the operations */
	return op_answer_request(call, message, out);
}

int op_answer(const struct op_call *call, struct str line, struct buf *out)
{
	CLEANUP(json_putp) struct json_object *message = NULL;
	struct error err = ERROR_INIT;

	if (!line.ptr)
		return rpc_add_error(out, NULL, RPC_PARSE_ERROR, "the line is too long", NULL);
	if (json_parse(line, RPC_LINE_MAX, &message, &err) < 0)
		return rpc_add_error(out, NULL, RPC_PARSE_ERROR, err.message, NULL);
	return op_answer_message(call, message, answer_plainly, NULL, out);
}
