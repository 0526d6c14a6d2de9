#include "backends/base/yaml_json.h"

#include <yaml.h>

#define DEPTH_MAX   32
#define NODES_MAX   100000
#define ANCHORS_MAX 256

struct anchor {
	char *name;
	struct json_object *value; /* owned */
};
struct reader {
	const char *what;
	yaml_parser_t parser;
	size_t nodes;
	struct anchor anchors[ANCHORS_MAX];
	size_t anchor_count;
	struct error *err;
};

static int read_value(struct reader *r, const yaml_event_t *event, unsigned depth, struct json_object **ret);

static int bad(struct reader *r, const yaml_event_t *event, const char *why)
{
	return error_set(r->err, ERR_CONFIG, "%s:%zu: %s", r->what, event->start_mark.line + 1, why);
}

static int no_memory(struct reader *r)
{
	return error_set(r->err, ERR_NO_MEMORY, "out of memory");
}

static int next_event(struct reader *r, yaml_event_t *event)
{
	if (yaml_parser_parse(&r->parser, event))
		return 0;
	return error_set(r->err, ERR_CONFIG, "%s:%zu: %s", r->what, r->parser.problem_mark.line + 1,
			 r->parser.problem ? r->parser.problem : "not YAML");
}

static int keep_anchor(struct reader *r, const yaml_event_t *event, const yaml_char_t *name,
		       struct json_object *value)
{
	char *copy;

	if (!name)
		return 0;
	if (r->anchor_count == ANCHORS_MAX)
		return bad(r, event, "too many anchors");
	copy = strdup((const char *)name);
	if (!copy)
		return no_memory(r);
	r->anchors[r->anchor_count++] = (struct anchor){ copy, json_object_get(value) };
	return 0;
}

static int find_anchor(struct reader *r, const yaml_event_t *event, struct json_object **ret)
{
	const char *name = (const char *)event->data.alias.anchor;

	for (size_t i = r->anchor_count; i-- > 0;) { /* the last of a name counts */
		if (strcmp(r->anchors[i].name, name) != 0)
			continue;
		*ret = json_object_get(r->anchors[i].value);
		return 0;
	}
	return bad(r, event, "an alias of nothing");
}

static int read_scalar(struct reader *r, const yaml_event_t *event, struct json_object **ret)
{
	struct str text = { (const char *)event->data.scalar.value, event->data.scalar.length };
	bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (memchr(text.ptr, 0, text.len))
		return bad(r, event, "a NUL in a value");
	if (is_plain && (!text.len || str_equal(text, STR("~")) || str_equal_nocase(text, STR("null")))) {
		*ret = NULL;
		return 0;
	}
	if (is_plain && (str_equal_nocase(text, STR("true")) || str_equal_nocase(text, STR("false"))))
		*ret = json_object_new_boolean(str_equal_nocase(text, STR("true")));
	else
		*ret = json_object_new_string_len(text.ptr, (int)text.len);
	return *ret ? 0 : no_memory(r);
}

static int read_sequence(struct reader *r, unsigned depth, struct json_object *list)
{
	for (;;) {
		struct json_object *item = NULL;
		yaml_event_t event;
		bool is_end;
		int result = next_event(r, &event);

		if (result < 0)
			return result;
		is_end = event.type == YAML_SEQUENCE_END_EVENT;
		if (!is_end)
			result = read_value(r, &event, depth, &item);
		yaml_event_delete(&event);
		if (is_end || result < 0)
			return result;
		if (json_object_array_add(list, item) != 0) {
			json_object_put(item);
			return no_memory(r);
		}
	}
}

/* "<<: *base": the members of another mapping that this one does not have itself. */
static int merge(struct reader *r, struct json_object *into, struct json_object *from)
{
	if (!json_object_is_type(from, json_type_object))
		return 0;
	json_object_object_foreach(from, name, value)
	{
		if (json_object_object_get_ex(into, name, NULL))
			continue;
		if (json_object_object_add(into, name, json_object_get(value)) != 0)
			return no_memory(r);
	}
	return 0;
}

static int read_member(struct reader *r, const yaml_event_t *key, unsigned depth, struct json_object *o)
{
	struct json_object *value = NULL;
	const char *name = (const char *)key->data.scalar.value;
	yaml_event_t event;
	int result;

	if (key->type != YAML_SCALAR_EVENT || strlen(name) != key->data.scalar.length)
		return bad(r, key, "a key that is no text");
	result = next_event(r, &event);
	if (result < 0)
		return result;
	result = read_value(r, &event, depth, &value);
	yaml_event_delete(&event);
	if (result < 0)
		return result;
	if (!strcmp(name, "<<")) {
		result = merge(r, o, value);
		json_object_put(value);
		return result;
	}
	if (json_object_object_add(o, name, value) == 0)
		return 0;
	json_object_put(value);
	return no_memory(r);
}

static int read_mapping(struct reader *r, unsigned depth, struct json_object *o)
{
	for (;;) {
		yaml_event_t key;
		bool is_end;
		int result = next_event(r, &key);

		if (result < 0)
			return result;
		is_end = key.type == YAML_MAPPING_END_EVENT;
		if (!is_end)
			result = read_member(r, &key, depth, o);
		yaml_event_delete(&key);
		if (is_end || result < 0)
			return result;
	}
}

static int read_value(struct reader *r, const yaml_event_t *event, unsigned depth, struct json_object **ret)
{
	const yaml_char_t *anchor = NULL;
	struct json_object *value = NULL;
	int result = 0;

	if (depth == DEPTH_MAX)
		return bad(r, event, "nested too deep");
	if (++r->nodes > NODES_MAX)
		return bad(r, event, "too many values");
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return find_anchor(r, event, ret);
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		result = read_scalar(r, event, &value);
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		value = json_object_new_array();
		result = value ? read_sequence(r, depth + 1, value) : no_memory(r);
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		value = json_object_new_object();
		result = value ? read_mapping(r, depth + 1, value) : no_memory(r);
		break;
	default:
		return bad(r, event, "no value");
	}
	if (result == 0)
		result = keep_anchor(r, event, anchor, value);
	if (result < 0)
		json_object_put(value);
	else
		*ret = value;
	return result;
}

/* Stream start, document start, the value, and then nothing but the ends. */
static int read_document(struct reader *r, struct json_object **ret)
{
	for (;;) {
		yaml_event_t event;
		yaml_event_type_t type;
		int result = next_event(r, &event);

		if (result < 0)
			return result;
		type = event.type;
		if (type == YAML_DOCUMENT_START_EVENT && r->nodes)
			result = bad(r, &event, "more than one document");
		else if (type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT &&
			 type != YAML_DOCUMENT_END_EVENT && type != YAML_STREAM_END_EVENT)
			result = read_value(r, &event, 0, ret);
		yaml_event_delete(&event);
		if (result < 0 || type == YAML_STREAM_END_EVENT)
			return result;
	}
}

int yaml_to_json(const char *what, struct str text, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *value = NULL;
	struct reader r = { .what = what, .err = err };
	int result;

	if (text.len > YAML_JSON_BYTES)
		return error_set(err, ERR_CONFIG, "%s is larger than 1 MiB", what);
	if (!yaml_parser_initialize(&r.parser))
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.ptr, text.len);
	result = read_document(&r, &value);
	yaml_parser_delete(&r.parser);
	for (size_t i = 0; i < r.anchor_count; i++) {
		free(r.anchors[i].name);
		json_object_put(r.anchors[i].value);
	}
	if (result < 0)
		return result;
	if (!value)
		value = json_object_new_object();
	if (!value)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	*ret = steal(value);
	return 0;
}
