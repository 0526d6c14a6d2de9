/*
 * The parameters of an operation: those of its row and those of its kind, their check, and their JSON Schema.
 *
 * A message names parameter, value and what is allowed; the value of a secret never.
 */
#include "control/op.h"

#include "control/text.h"

#include <inttypes.h>

#define ITEMS_MAX 4096 /* of a list or map */

static const struct op_param cloud_params[] = {
	{"provider", OP_STRING, false, 64, "a section of the configuration file, or a kind of provider"},
	{"profile", OP_STRING, false, 128, "a profile of the provider's own files"},
	{"region", OP_STRING, false, 64, "the region, if not the configured one"},
	{"raw", OP_BOOL, false, 0, "add the provider's own answer"},
	OP_PARAM_END,
};
static const struct op_param items_params[] = {
	{"limit", OP_INT, false, 1000000000, "at most so many items (0: all)"},
	{"page_size", OP_INT, false, 10000, "items to ask for at once"},
	{"all_providers", OP_BOOL, false, 0, "ask all that are configured, at once"},
	OP_PARAM_END,
};
static const struct op_param change_params[] = {
	{"dry_run", OP_BOOL, false, 0, "show what would be sent, without secrets, and send nothing"},
	OP_PARAM_END,
};
static const struct op_param wait_params[] = {
	{"wait", OP_BOOL, false, 0, "return only when it is done"},
	{"timeout", OP_DURATION, false, 0, "how long to wait (10m)"},
	OP_PARAM_END,
};

static bool is_local(const struct op *op, const char *name)
{
	for (const struct op_param *p = op->params; p && p->name; p++)
		if (!strcmp(p->name, name))
			return true;
	return false;
}

const struct op_param *op_param_at(const struct op *op, size_t index)
{
	const struct op_param *const tables[] = {
		op->params,
		op_is_cloud(op) ? cloud_params : NULL,
		op_is_cloud(op) && op->result == OP_ITEMS ? items_params : NULL,
		op_is_cloud(op) && op->risk != OP_READ ? change_params : NULL,
		op->wait ? wait_params : NULL,
	};

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (const struct op_param *p = tables[t]; p && p->name; p++) {
			if (t > 0 && is_local(op, p->name)) /* the row's own goes before its kind's */
				continue;
			if (!index--)
				return p;
		}
	return NULL;
}

const struct op_param *op_param_find(const struct op *op, const char *name)
{
	const struct op_param *p;

	for (size_t i = 0; (p = op_param_at(op, i)) != NULL; i++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

/* What a value should be, for messages. */
static const char *wanted(const struct op_param *p)
{
	static const char *const names[] = {
		[OP_STRING] = "a string",	 [OP_BOOL] = "true or false",
		[OP_INT] = "a whole number",	 [OP_ENUM] = "a string",
		[OP_LIST] = "a list of strings", [OP_MAP] = "an object of strings",
		[OP_JSON] = "an object or list", [OP_TEXT] = "a string",
		[OP_PATH] = "a path",		 [OP_DURATION] = "a time like '90s' or '5m'",
	};

	return names[p->type];
}

static int bad_type(const struct op_param *p, struct error *err)
{
	return error_set(err, ERR_INVALID, "parameter '%s' must be %s", p->name, wanted(p));
}

static int check_string(const struct op_param *p, struct json_object *value, struct error *err)
{
	size_t len = (size_t)json_object_get_string_len(value);
	int64_t most = p->max ? p->max : p->type == OP_TEXT ? 1 << 20 : OP_STRING_MAX;

	if (!json_object_is_type(value, json_type_string))
		return bad_type(p, err);
	if ((int64_t)len > most)
		return error_set(err, ERR_INVALID, "parameter '%s' is too long (%" PRId64 " bytes at most)",
				 p->name, most);
	if (strlen(json_object_get_string(value)) != len)
		return error_set(err, ERR_INVALID, "parameter '%s' holds a NUL", p->name);
	return 0;
}

static int check_int(const struct op_param *p, struct json_object *value, struct error *err)
{
	int64_t n;

	if (!json_object_is_type(value, json_type_int))
		return bad_type(p, err);
	n = json_object_get_int64(value);
	if (n < p->min || n > p->max)
		return error_set(err, ERR_INVALID, "parameter '%s' must be %" PRId64 " to %" PRId64 ", not %" PRId64,
				 p->name, p->min, p->max, n);
	return 0;
}

static int bad_choice(const struct op_param *p, const char *value, struct error *err)
{
	CLEANUP(buf_release) struct buf known = BUF_INIT(140);

	for (size_t i = 0; p->choices[i]; i++)
		if (text_is_near(value, p->choices[i]))
			return error_set(err, ERR_INVALID, "parameter '%s' must not be '%.40s' (did you mean '%s'?)",
					 p->name, value, p->choices[i]);
	for (size_t i = 0; p->choices[i]; i++)
		if (buf_addf(&known, "%s%s", i ? ", " : "", p->choices[i]) < 0)
			break;
	return error_set(err, ERR_INVALID, "parameter '%s' must be one of %s, not '%.40s'", p->name,
			 buf_cstr(&known), value);
}

static int check_choice(const struct op_param *p, struct json_object *value, struct error *err)
{
	int r = check_string(p, value, err);

	for (size_t i = 0; r == 0 && p->choices[i]; i++)
		if (!strcmp(p->choices[i], json_object_get_string(value)))
			return 0;
	return r < 0 ? r : bad_choice(p, json_object_get_string(value), err);
}

static int check_list(const struct op_param *p, struct json_object *value, struct error *err)
{
	size_t count;
	int r = 0;

	if (!json_object_is_type(value, json_type_array))
		return bad_type(p, err);
	count = json_object_array_length(value);
	if (count > ITEMS_MAX)
		return error_set(err, ERR_INVALID, "parameter '%s' has too many items (%d at most)", p->name,
				 ITEMS_MAX);
	for (size_t i = 0; i < count && r == 0; i++)
		r = check_string(p, json_object_array_get_idx(value, i), err);
	return r;
}

static int check_map(const struct op_param *p, struct json_object *value, struct error *err)
{
	int r = 0;

	if (!json_object_is_type(value, json_type_object))
		return bad_type(p, err);
	if (json_object_object_length(value) > ITEMS_MAX)
		return error_set(err, ERR_INVALID, "parameter '%s' has too many items (%d at most)", p->name,
				 ITEMS_MAX);
	json_object_object_foreach(value, name, member)
	{
		if (r == 0 && !*name)
			r = error_set(err, ERR_INVALID, "parameter '%s' has an item without a name", p->name);
		if (r == 0)
			r = check_string(p, member, err);
	}
	return r;
}

static int read_duration(struct json_object *value, uint64_t *ret_ms)
{
	if (json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0 &&
	    json_object_get_int64(value) <= 31536000) {
		*ret_ms = (uint64_t)json_object_get_int64(value) * 1000;
		return 0;
	}
	if (json_object_is_type(value, json_type_string))
		return str_to_duration(str_of(json_object_get_string(value)), ret_ms);
	return -EINVAL;
}

uint64_t op_duration_ms(struct json_object *value)
{
	uint64_t ms = 0;

	return read_duration(value, &ms) == 0 ? ms : 0;
}

static int check_value(const struct op_param *p, struct json_object *value, struct error *err)
{
	uint64_t ms;

	switch (p->type) {
	case OP_BOOL:
		return json_object_is_type(value, json_type_boolean) ? 0 : bad_type(p, err);
	case OP_INT:
		return check_int(p, value, err);
	case OP_ENUM:
		return check_choice(p, value, err);
	case OP_LIST:
		return check_list(p, value, err);
	case OP_MAP:
		return check_map(p, value, err);
	case OP_JSON:
		return json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array)
			       ? 0
			       : bad_type(p, err);
	case OP_DURATION:
		return read_duration(value, &ms) == 0 ? 0 : bad_type(p, err);
	case OP_STRING:
	case OP_TEXT:
	case OP_PATH:
		return check_string(p, value, err);
	}
	return 0;
}

static int unknown_param(const struct op *op, const char *name, struct error *err)
{
	const struct op_param *p;

	for (size_t i = 0; (p = op_param_at(op, i)) != NULL; i++)
		if (text_is_near(name, p->name))
			return error_set(err, ERR_INVALID, "unknown parameter '%.64s' (did you mean '%s'?)", name,
					 p->name);
	return error_set(err, ERR_INVALID, "unknown parameter '%.64s'", name);
}

int op_check_params(const struct op *op, struct json_object *params, struct error *err)
{
	const struct op_param *p;

	if (params) {
		json_object_object_foreach(params, name, value)
		{
			int r;

			p = op_param_find(op, name);
			if (!p)
				return unknown_param(op, name, err);
			r = check_value(p, value, err);
			if (r < 0)
				return r;
		}
	}
	for (size_t i = 0; (p = op_param_at(op, i)) != NULL; i++)
		if (p->is_required && !(params && json_object_object_get_ex(params, p->name, NULL)))
			return error_set(err, ERR_INVALID, "parameter '%s' is missing (%s)", p->name, p->help);
	return 0;
}

static void add_text(struct json_object *o, const char *name, const char *text)
{
	json_object_object_add(o, name, json_object_new_string(text));
}

static struct json_object *string_schema(const struct op_param *p)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	add_text(o, "type", "string");
	json_object_object_add(o, "maxLength",
			       json_object_new_int64(p->max                ? p->max
						     : p->type == OP_TEXT ? 1 << 20
									   : OP_STRING_MAX));
	return o;
}

static void add_choices(struct json_object *o, const struct op_param *p)
{
	struct json_object *list = json_object_new_array();

	add_text(o, "type", "string");
	for (size_t i = 0; list && p->choices[i]; i++)
		json_object_array_add(list, json_object_new_string(p->choices[i]));
	json_object_object_add(o, "enum", list);
}

static struct json_object *param_schema(const struct op_param *p)
{
	struct json_object *o = json_object_new_object(), *types;

	if (!o)
		return NULL;
	switch (p->type) {
	case OP_BOOL:
		add_text(o, "type", "boolean");
		break;
	case OP_INT:
		add_text(o, "type", "integer");
		json_object_object_add(o, "minimum", json_object_new_int64(p->min));
		json_object_object_add(o, "maximum", json_object_new_int64(p->max));
		break;
	case OP_ENUM:
		add_choices(o, p);
		break;
	case OP_LIST:
		add_text(o, "type", "array");
		json_object_object_add(o, "items", string_schema(p));
		json_object_object_add(o, "maxItems", json_object_new_int(ITEMS_MAX));
		break;
	case OP_MAP:
		add_text(o, "type", "object");
		json_object_object_add(o, "additionalProperties", string_schema(p));
		break;
	case OP_JSON:
		types = json_object_new_array();
		json_object_array_add(types, json_object_new_string("object"));
		json_object_array_add(types, json_object_new_string("array"));
		json_object_object_add(o, "type", types);
		break;
	case OP_DURATION:
		add_text(o, "type", "string");
		add_text(o, "pattern", "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)?$");
		break;
	case OP_STRING:
	case OP_TEXT:
	case OP_PATH:
		json_object_put(o);
		o = string_schema(p);
		break;
	}
	if (o)
		add_text(o, "description", p->help);
	return o;
}

struct json_object *op_schema(const struct op *op)
{
	struct json_object *o = json_object_new_object();
	struct json_object *properties = json_object_new_object();
	struct json_object *required = json_object_new_array();
	const struct op_param *p;

	if (!o || !properties || !required) {
		json_object_put(o);
		json_object_put(properties);
		json_object_put(required);
		return NULL;
	}
	for (size_t i = 0; (p = op_param_at(op, i)) != NULL; i++) {
		json_object_object_add(properties, p->name, param_schema(p));
		if (p->is_required)
			json_object_array_add(required, json_object_new_string(p->name));
	}
	add_text(o, "type", "object");
	json_object_object_add(o, "properties", properties);
	json_object_object_add(o, "required", required);
	json_object_object_add(o, "additionalProperties", json_object_new_boolean(0));
	return o;
}

static struct json_object *item_schema(const struct op *op)
{
	struct json_object *o;

	if (op->shape)
		return record_schema(op->shape);
	o = json_object_new_object();
	if (o)
		add_text(o, "type", "object");
	return o;
}

struct json_object *op_result_schema(const struct op *op)
{
	struct json_object *o, *properties, *items, *count;

	if (op->result == OP_NOTHING)
		return NULL;
	if (op->result == OP_ONE)
		return item_schema(op);
	o = json_object_new_object();
	properties = json_object_new_object();
	items = json_object_new_object();
	count = json_object_new_object();
	if (!o || !properties || !items || !count) {
		json_object_put(o);
		json_object_put(properties);
		json_object_put(items);
		json_object_put(count);
		return NULL;
	}
	add_text(items, "type", "array");
	json_object_object_add(items, "items", item_schema(op));
	add_text(count, "type", "integer");
	json_object_object_add(properties, "items", items);
	json_object_object_add(properties, "count", count);
	add_text(o, "type", "object");
	json_object_object_add(o, "properties", properties);
	return o;
}
