#include "backends/cloud/record.h"

#include "backends/base/clock.h"
#include "backends/base/xml_json.h"

#include <math.h>
#include <stdio.h>

struct json_object *record_find(struct json_object *theirs, const char *places)
{
	struct str rest = str_of(places), place;
	char path[256];

	if (!*places)
		return theirs;
	while ((place = str_split(&rest, '|')).ptr) {
		struct json_object *found;

		if (place.len >= sizeof path)
			continue;
		memcpy(path, place.ptr, place.len);
		path[place.len] = '\0';
		found = place.len ? json_get(theirs, path) : theirs;
		if (found)
			return found;
	}
	return NULL;
}

static struct json_object *to_text(struct json_object *v)
{
	enum json_type type = json_object_get_type(v);

	if (type == json_type_string)
		return json_object_get(v);
	if (type == json_type_int || type == json_type_double || type == json_type_boolean)
		return json_object_new_string(json_object_get_string(v));
	return NULL;
}

static struct json_object *to_int(struct json_object *v)
{
	int64_t n;
	double d;

	if (json_object_is_type(v, json_type_int))
		return json_object_get(v);
	if (json_object_is_type(v, json_type_double)) {
		d = json_object_get_double(v);
		return fabs(d) < 9e15 ? json_object_new_int64((int64_t)d) : NULL;
	}
	if (json_object_is_type(v, json_type_string) &&
	    str_to_i64(str_trim(str_of(json_object_get_string(v))), &n) == 0)
		return json_object_new_int64(n);
	return NULL;
}

static struct json_object *to_number(struct json_object *v)
{
	char *end = NULL;
	double d;

	if (json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double))
		return json_object_get(v);
	if (!json_object_is_type(v, json_type_string))
		return NULL;
	d = strtod(json_object_get_string(v), &end);
	return end != json_object_get_string(v) && !*end && isfinite(d) ? json_object_new_double(d) :
									  NULL;
}

static struct json_object *to_bool(struct json_object *v)
{
	bool is_true;

	if (json_object_is_type(v, json_type_boolean))
		return json_object_get(v);
	if (json_object_is_type(v, json_type_string) &&
	    str_to_bool(str_of(json_object_get_string(v)), &is_true) == 0)
		return json_object_new_boolean(is_true);
	return NULL;
}

/* Seconds and milliseconds since 1970 are told apart by their size: 1e11 s is the year 5138. */
static struct json_object *to_time(struct json_object *v)
{
	char text[25];
	int64_t ns, s;

	if (json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double)) {
		double n = json_object_get_double(v);

		n = n < 1e11 ? n * 1e9 : n * 1e6; /* seconds or milliseconds */
		if (!(n > 0 && n < 9.2e18))
			return NULL;
		ns = (int64_t)n;
	} else if (!json_object_is_type(v, json_type_string)) {
		return NULL;
	} else if (clock_parse_iso8601(json_object_get_string(v), &ns) < 0) {
		if (clock_parse_http(json_object_get_string(v), &s) < 0)
			return json_object_get(v); /* shown as it came rather than not at all */
		ns = s * INT64_C(1000000000);
	}
	clock_format_iso8601(ns, text);
	return json_object_new_string(text);
}

struct json_object *record_convert(enum record_kind kind, struct json_object *value)
{
	if (!value)
		return NULL;
	switch (kind) {
	case RECORD_TEXT:
		return to_text(value);
	case RECORD_INT:
		return to_int(value);
	case RECORD_NUMBER:
		return to_number(value);
	case RECORD_BOOL:
		return to_bool(value);
	case RECORD_TIME:
		return to_time(value);
	case RECORD_LIST:
		return json_items(value, "");
	case RECORD_OBJECT:
		return json_object_is_type(value, json_type_object) ? json_object_get(value) : NULL;
	case RECORD_ANY:
		return json_object_get(value);
	}
	return NULL;
}

static struct json_object *translate(const struct record_word *words, struct json_object *value)
{
	const char *text = json_object_get_string(value);

	for (const struct record_word *w = words; text && w->theirs; w++)
		if (str_equal_nocase(str_of(w->theirs), str_of(text)))
			return json_object_new_string(w->ours);
	return json_object_new_string("unknown");
}

static const struct record_source *find_source(const struct record_source *map, const char *name)
{
	for (const struct record_source *s = map; s->name; s++)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

static struct json_object *member(const struct record_field *field, const struct record_source *source,
				  struct json_object *theirs)
{
	struct json_object *found;

	if (!source)
		return NULL;
	found = source->from ? record_find(theirs, source->from) : theirs;
	if (source->make) {
		CLEANUP(json_putp) struct json_object *made = found ? source->make(found) : NULL;

		return record_convert(field->kind, made);
	}
	if (!found)
		return NULL;
	return source->words ? translate(source->words, found) : record_convert(field->kind, found);
}

int record_make(const struct record_shape *shape, const struct record_source *map,
		struct json_object *theirs, enum record_raw raw, struct json_object **ret,
		struct error *err)
{
	CLEANUP(json_putp) struct json_object *record = json_object_new_object();
	int r = record ? 0 : -1;

	for (const struct record_field *f = shape->fields; f->name && r == 0; f++) {
		struct json_object *value = member(f, find_source(map, f->name), theirs);

		r = json_object_object_add(record, f->name, value);
		if (r != 0)
			json_object_put(value);
	}
	if (r == 0 && raw == RECORD_WITH_RAW)
		r = json_object_object_add(record, "raw", json_object_get(theirs));
	if (r != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	*ret = steal(record);
	return 0;
}

/* {"type": [TYPE, "null"], "description": ...} */
static struct json_object *field_schema(const struct record_field *f)
{
	static const char *const types[] = {
		[RECORD_TEXT] = "string",  [RECORD_INT] = "integer", [RECORD_NUMBER] = "number",
		[RECORD_BOOL] = "boolean", [RECORD_TIME] = "string", [RECORD_LIST] = "array",
		[RECORD_OBJECT] = "object",
	};
	struct json_object *o = json_object_new_object(), *type = json_object_new_array();

	if (!o || !type) {
		json_object_put(o);
		json_object_put(type);
		return NULL;
	}
	if (f->kind == RECORD_ANY) { /* no type: any */
		json_object_put(type);
	} else {
		json_object_array_add(type, json_object_new_string(types[f->kind]));
		json_object_array_add(type, json_object_new_string("null"));
		json_object_object_add(o, "type", type);
	}
	json_object_object_add(o, "description", json_object_new_string(f->help));
	return o;
}

struct json_object *record_schema(const struct record_shape *shape)
{
	struct json_object *o = json_object_new_object(), *members = json_object_new_object();

	if (!o || !members) {
		json_object_put(o);
		json_object_put(members);
		return NULL;
	}
	for (const struct record_field *f = shape->fields; f->name; f++)
		json_object_object_add(members, f->name, field_schema(f));
	json_object_object_add(o, "type", json_object_new_string("object"));
	json_object_object_add(o, "properties", members);
	return o;
}

const char *record_stray_name(const struct record_shape *shape, const struct record_source *map)
{
	for (const struct record_source *s = map; s->name; s++) {
		const struct record_field *f = shape->fields;

		while (f->name && strcmp(f->name, s->name) != 0)
			f++;
		if (!f->name)
			return s->name;
	}
	return NULL;
}

struct json_object *record_tags(struct json_object *list, const char *key_name,
				const char *value_name)
{
	CLEANUP(json_putp) struct json_object *items = json_items(list, "");
	struct json_object *tags = json_object_new_object();
	size_t count = items ? json_object_array_length(items) : 0;

	for (size_t i = 0; tags && i < count; i++) {
		struct json_object *item = json_object_array_get_idx(items, i), *key, *value = NULL;

		if (json_object_object_get_ex(item, key_name, &key) &&
		    json_object_is_type(key, json_type_string)) {
			(void)json_object_object_get_ex(item, value_name, &value); /* absent: null */
			json_object_object_add(tags, json_object_get_string(key),
					       json_object_get(value));
		}
	}
	return tags;
}
