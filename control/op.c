#include "control/op.h"

#include "control/rpc.h"

const struct op *op_find(const char *name)
{
	for (const struct op *o = ops; o->name; o++)
		if (!strcmp(o->name, name))
			return o;
	return NULL;
}

const char *op_risk_name(enum op_risk risk)
{
	return risk == OP_READ ? "read" : risk == OP_CHANGE ? "change" : "destroy";
}

static const struct op_param *find_param(const struct op *op, const char *name)
{
	for (const struct op_param *p = op->params; p && p->name; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

static int check_value(const struct op_param *p, struct json_object *value, struct error *err)
{
	static const enum json_type types[] = {[OP_STRING] = json_type_string,
					       [OP_BOOL] = json_type_boolean,
					       [OP_INT] = json_type_int};
	int64_t n;

	if (!json_object_is_type(value, types[p->type]))
		return error_set(err, ERR_INVALID, "parameter '%s' must be a %s", p->name,
				 json_type_to_name(types[p->type]));
	if (p->type == OP_INT) {
		n = json_object_get_int64(value);
		if (n < 0 || n > p->max)
			return error_set(err, ERR_INVALID, "parameter '%s' must be 0 to %lld",
					 p->name, (long long)p->max);
	}
	if (p->type == OP_STRING) {
		size_t len = (size_t)json_object_get_string_len(value);

		if ((int64_t)len > p->max)
			return error_set(err, ERR_INVALID, "parameter '%s' is too long", p->name);
		if (strlen(json_object_get_string(value)) != len)
			return error_set(err, ERR_INVALID, "parameter '%s' holds a NUL", p->name);
	}
	return 0;
}

int op_check_params(const struct op *op, struct json_object *params, struct error *err)
{
	if (params) {
		json_object_object_foreach(params, name, value)
		{
			const struct op_param *p = find_param(op, name);
			int r;

			if (!p)
				return error_set(err, ERR_INVALID, "unknown parameter '%.64s'",
						 name);
			r = check_value(p, value, err);
			if (r < 0)
				return r;
		}
	}
	for (const struct op_param *p = op->params; p && p->name; p++)
		if (p->is_required && !(params && json_object_object_get_ex(params, p->name, NULL)))
			return error_set(err, ERR_INVALID, "parameter '%s' is missing", p->name);
	return 0;
}

static struct json_object *param_schema(const struct op_param *p)
{
	static const char *const types[] = {
		[OP_STRING] = "string", [OP_BOOL] = "boolean", [OP_INT] = "integer"};
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	json_object_object_add(o, "type", json_object_new_string(types[p->type]));
	json_object_object_add(o, "description", json_object_new_string(p->help));
	if (p->type == OP_STRING)
		json_object_object_add(o, "maxLength", json_object_new_int64(p->max));
	if (p->type == OP_INT) {
		json_object_object_add(o, "minimum", json_object_new_int(0));
		json_object_object_add(o, "maximum", json_object_new_int64(p->max));
	}
	return o;
}

struct json_object *op_schema(const struct op *op)
{
	struct json_object *o = json_object_new_object();
	struct json_object *properties = json_object_new_object();
	struct json_object *required = json_object_new_array();

	if (!o || !properties || !required) {
		json_object_put(o);
		json_object_put(properties);
		json_object_put(required);
		return NULL;
	}
	for (const struct op_param *p = op->params; p && p->name; p++) {
		json_object_object_add(properties, p->name, param_schema(p));
		if (p->is_required)
			json_object_array_add(required, json_object_new_string(p->name));
	}
	json_object_object_add(o, "type", json_object_new_string("object"));
	json_object_object_add(o, "properties", properties);
	json_object_object_add(o, "required", required);
	json_object_object_add(o, "additionalProperties", json_object_new_boolean(0));
	return o;
}

/* One request: appends its answer unless it is a notification. */
static int answer_one(const struct op_call *call, struct json_object *message, struct buf *out)
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
	r = op->run(&own, &result, &err);
	if (!request.has_id)
		return 0;
	if (r < 0)
		return rpc_add_error(out, request.id, error_rpc_code(err.kind), err.message, &err);
	return rpc_add_result(out, request.id, result);
}

/* The answers of a batch stand in one array, on one line. */
static int answer_batch(const struct op_call *call, struct json_object *batch, struct buf *out)
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

		r = answer_one(call, json_object_array_get_idx(batch, i), out);
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

int op_answer(const struct op_call *call, struct str line, struct buf *out)
{
	CLEANUP(json_putp) struct json_object *message = NULL;
	struct error err = ERROR_INIT;

	if (!line.ptr)
		return rpc_add_error(out, NULL, RPC_PARSE_ERROR, "the line is too long", NULL);
	if (json_parse(line, RPC_LINE_MAX, &message, &err) < 0)
		return rpc_add_error(out, NULL, RPC_PARSE_ERROR, err.message, NULL);
	if (json_object_is_type(message, json_type_array))
		return answer_batch(call, message, out);
	return answer_one(call, message, out);
}
