#include "backends/base/xml_json.h"

#include "backends/base/xml.h"

#define DEPTH_MAX 40 /* xml_parse allows less */

struct level {
	struct json_object *value; /* owned; NULL until a child or text is seen */
	struct buf name;
};
struct builder {
	struct level levels[DEPTH_MAX];
	size_t depth; /* levels[0] is the document itself */
	size_t elements;
};

static void builder_release(struct builder *b)
{
	for (size_t i = 0; i < DEPTH_MAX; i++) {
		json_object_put(b->levels[i].value);
		buf_release(&b->levels[i].name);
	}
}

static int on_start(void *arg, const char *path, struct error *err)
{
	struct builder *b = arg;
	const char *slash = strrchr(path, '/');
	struct level *level;

	if (++b->elements > XML_JSON_MAX_ELEMENTS)
		return error_set(err, ERR_TOO_LARGE, "the answer holds too many elements");
	if (b->depth + 1 >= DEPTH_MAX)
		return error_set(err, ERR_PROTOCOL, "the answer is nested too deeply");
	level = &b->levels[++b->depth];
	level->name.limit = 4096;
	buf_clear(&level->name);
	return buf_adds(&level->name, slash ? slash + 1 : path) < 0 ? error_no_memory(err) : 0;
}

static int on_text(void *arg, const char *path, struct str text, struct error *err)
{
	struct builder *b = arg;
	struct level *level = &b->levels[b->depth];

	(void)path; /* the level knows its name */
	json_object_put(level->value);
	level->value = json_object_new_string_len(text.ptr ? text.ptr : "", (int)text.len);
	return level->value ? 0 : error_no_memory(err);
}

/* A second element of one name turns the first into an array. */
static int add_child(struct json_object *parent, const char *name, struct json_object *child)
{
	struct json_object *there = NULL, *list;

	if (!json_object_object_get_ex(parent, name, &there))
		return json_object_object_add(parent, name, child);
	if (json_object_is_type(there, json_type_array))
		return json_object_array_add(there, child);
	list = json_object_new_array();
	if (!list || json_object_array_add(list, json_object_get(there)) != 0) {
		json_object_put(list);
		return -1;
	}
	if (json_object_object_add(parent, name, list) != 0) {
		json_object_put(list);
		return -1;
	}
	return json_object_array_add(list, child);
}

static int on_end(void *arg, const char *path, struct error *err)
{
	struct builder *b = arg;
	struct level *level = &b->levels[b->depth], *parent = &b->levels[b->depth - 1];
	struct json_object *value = steal(level->value);

	(void)path; /* the level knows its name */
	if (!value)
		value = json_object_new_string("");
	if (!parent->value || !json_object_is_type(parent->value, json_type_object)) {
		json_object_put(parent->value); /* white space between children */
		parent->value = json_object_new_object();
	}
	if (!value || !parent->value ||
	    add_child(parent->value, buf_cstr(&level->name), value) != 0) {
		json_object_put(value);
		return error_no_memory(err);
	}
	b->depth--;
	return 0;
}

int xml_to_json(struct str document, struct json_object **ret, struct error *err)
{
	CLEANUP(builder_release) struct builder b = { .depth = 0 };
	const struct xml_handler handler = { on_start, on_text, on_end, &b };
	int r = xml_parse(document, &handler, err);

	if (r < 0)
		return r;
	if (!b.levels[0].value)
		return error_set(err, ERR_PROTOCOL, "the answer holds no element");
	*ret = steal(b.levels[0].value);
	return 0;
}

struct json_object *json_items(struct json_object *o, const char *path)
{
	struct json_object *there = path && *path ? json_get(o, path) : o, *list;

	if (json_object_is_type(there, json_type_array))
		return json_object_get(there);
	list = json_object_new_array();
	if (!list || !there)
		return list;
	if (json_object_is_type(there, json_type_string) && !json_object_get_string_len(there))
		return list;
	if (json_object_array_add(list, json_object_get(there)) != 0) {
		json_object_put(list);
		return NULL;
	}
	return list;
}
