/*
 * Parameters of rows: things named by their names, and parameters that a row has no use for.
 */
#include "backends/cloud/rest.h"

struct search {
	const struct rest_kind *kind;
	const char *given;
	struct json_object *found;
	size_t count;
};

static bool is_it(const struct rest_kind *kind, struct json_object *thing, const char *given)
{
	struct str rest = str_of(kind->names ? kind->names : ""), place;

	if (kind->matches)
		return kind->matches(thing, given);
	while ((place = str_split(&rest, '|')).ptr) {
		CLEANUP(freep) char *path = str_dup(place);
		struct json_object *value = path && *path ? json_get(thing, path) : NULL;

		if (value && !strcmp(json_object_get_string(value), given))
			return true;
	}
	return false;
}

static int look(void *arg, struct json_object *thing, struct error *err)
{
	struct search *s = arg;

	(void)err; /* cannot fail */
	if (!is_it(s->kind, thing, s->given))
		return 0;
	s->count++;
	json_object_put(s->found);
	s->found = json_object_get(thing);
	return 0;
}

/* The list's constants, then the filter by what was given. */
static int search_list(struct cloud_call *call, struct search *s, const struct rest_field *filter, struct error *err)
{
	const struct rest_row *list = s->kind->list;
	struct rest_field fields[16];
	struct rest_row row = *list;
	struct cloud_call asking = *call;
	CLEANUP(json_putp) struct json_object *params = NULL;
	CLEANUP(freep) char *made = s->kind->make_filter ? s->kind->make_filter(s->given) : NULL;
	size_t n = 0;
	int r;

	if ((s->kind->make_filter && !made) || json_object_deep_copy(call->params, &params, NULL) != 0)
		return error_no_memory(err);
	json_object_object_add(params, "name", json_object_new_string(made ? made : s->given));
	for (const struct rest_field *f = list->fields; f && f->place && n < ARRAY_SIZE(fields) - 1; f++)
		if (!f->param)
			fields[n++] = *f;
	for (const struct rest_field *f = filter; f && f->place && n < ARRAY_SIZE(fields) - 1; f++)
		fields[n++] = *f;
	fields[n] = (struct rest_field){ .place = NULL };
	row.fields = fields;
	asking.params = params;
	asking.limit = 0;
	r = rest_each(&asking, &row, look, s, err);
	return r < 0 ? r : 0;
}

int rest_find(struct cloud_call *call, const struct rest_kind *kind, const char *given, char **ret_id,
	      struct json_object **ret_thing, struct error *err)
{
	enum rest_id id = kind->is_id ? kind->is_id(given, kind->id_part) : REST_NO_ID;
	struct search s = { kind, given, NULL, 0 };
	CLEANUP(json_putp) struct json_object *found = NULL;
	struct json_object *value;
	int r;

	if (id == REST_STRANGE_ID)
		return error_set(err, ERR_INVALID, "'%.200s' is no identifier of a thing of kind %s", given, kind->what);
	if (id == REST_ID && ret_id && !kind->id_filter) {
		*ret_id = strdup(given);
		return *ret_id ? 0 : error_no_memory(err);
	}
	if (!kind->list)
		return error_set(err, ERR_INVALID, "'%.100s' is no identifier of a %s", given, kind->what);
	r = search_list(call, &s, id == REST_ID && kind->id_filter ? kind->id_filter : kind->filter, err);
	found = s.found;
	if (r < 0)
		return r;
	if (s.count != 1)
		return s.count ? error_set(err, ERR_CONFLICT, "%zu things of kind %s are named '%.100s' (use the id)",
					   s.count, kind->what, given) :
				 error_set(err, ERR_NOT_FOUND, "there is no %s '%.100s'", kind->what, given);
	if (ret_id && kind->make_id) {
		*ret_id = kind->make_id(found);
	} else if (ret_id) {
		value = record_find(found, kind->id);
		*ret_id = value ? strdup(json_object_get_string(value)) : NULL;
	}
	if (ret_id && !*ret_id)
		return error_set(err, ERR_PROTOCOL, "%s: the service tells of a %s without identifier", call->operation,
				 kind->what);
	if (ret_thing)
		*ret_thing = steal(found);
	return 0;
}

static int find_one(struct cloud_call *call, const struct rest_kind *kind, struct json_object *given,
		    struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *id = NULL;
	const char *text = json_object_get_string(given);
	int r;

	if (!*text)
		return error_set(err, ERR_INVALID, "the name of a %s must not be empty", kind->what);
	r = rest_find(call, kind, text, &id, NULL, err);
	if (r < 0)
		return r;
	*ret = json_object_new_string(id);
	return *ret ? 0 : error_no_memory(err);
}

static int find_all(struct cloud_call *call, const struct rest_kind *kind, struct json_object *given,
		    struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *list = NULL;
	int r = 0;

	if (!json_object_is_type(given, json_type_array))
		return find_one(call, kind, given, ret, err);
	list = json_object_new_array();
	for (size_t i = 0; list && r == 0 && i < json_object_array_length(given); i++) {
		struct json_object *one = NULL;

		r = find_one(call, kind, json_object_array_get_idx(given, i), &one, err);
		if (r == 0 && json_object_array_add(list, one) != 0)
			r = error_no_memory(err);
	}
	if (r == 0)
		*ret = steal(list);
	return r == 0 && !*ret ? error_no_memory(err) : r;
}

int rest_names(struct cloud_call *call, const struct rest_name *names, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	struct json_object *before = call->params;
	int r = json_object_deep_copy(call->params, &params, NULL) == 0 ? 0 : error_no_memory(err);

	call->params = params; /* what was found is part of the next one's path */
	for (; r == 0 && names->param; names++) {
		struct json_object *given = cloud_param_json(call, names->param), *found = NULL;

		if (!given)
			continue;
		r = find_all(call, names->kind, given, &found, err);
		if (r == 0 && json_object_object_add(params, names->param, found) != 0)
			r = error_no_memory(err);
	}
	call->params = before;
	if (r == 0)
		*ret = steal(params);
	return r;
}

static bool is_in(const char *pattern, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = pattern; at && (at = strchr(at, '{')) != NULL; at++) {
		const char *from = at + 1 + (at[1] == '+');

		if (!strncmp(from, name, len) && from[len] == '}')
			return true;
	}
	return false;
}

/* "_cidr_4" is a part of "cidr", which control took apart. */
static bool is_part(const char *param, const char *name)
{
	size_t len = strlen(name);

	return *param == '_' && !strncmp(param + 1, name, len) && param[1 + len] == '_';
}

static bool is_used(const struct rest_row *row, const char *name)
{
	if (is_in(row->path, name))
		return true;
	for (const struct rest_field *f = row->fields; f && f->place; f++)
		if ((f->param && (!strcmp(f->param, name) || is_part(f->param, name))) || (f->format && is_in(f->format, name)))
			return true;
	for (const struct rest_keep *k = row->only; k && k->param; k++)
		if (!strcmp(k->param, name))
			return true;
	for (const struct rest_name *n = row->names; n && n->param; n++)
		if (n->kind->list && is_in(n->kind->list->path, name))
			return true;
	return row->then && is_used(row->then, name);
}

const char *rest_stray_param(const struct cloud_call *call, const struct rest_row *row)
{
	/* Those of every operation, which control reads. */
	static const char *const common[] = { "provider", "all_providers", "profile", "region", "limit", "page_size", "raw",
					      "dry_run", "wait", "timeout", NULL };

	json_object_object_foreach(call->params, name, value)
	{
		const char *const *c = common;

		(void)value; /* given is given */
		while (*c && strcmp(*c, name) != 0)
			c++;
		if (*name != '_' && !*c && !is_used(row, name))
			return name;
	}
	return NULL;
}
