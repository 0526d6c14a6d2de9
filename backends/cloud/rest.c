#include "backends/cloud/rest.h"

#include "backends/base/xml_json.h"
#include "backends/http/url.h"

#include <ctype.h>

/* A path piece "." or ".." would be walked up by servers and proxies. */
static bool has_dots(const char *value)
{
	struct str rest = str_of(value), piece;

	while ((piece = str_split(&rest, '/')).ptr)
		if (str_equal(piece, STR(".")) || str_equal(piece, STR("..")))
			return true;
	return false;
}

enum encoding { FOR_PATH, AS_TEXT };

static int add_variable(struct cloud_call *call, struct str name, enum encoding encoding, struct buf *path,
			struct error *err)
{
	CLEANUP(freep) char *key = NULL;
	CLEANUP(freep) char *variable = NULL;
	enum url_slash slash = URL_ENCODE_SLASH;
	const char *value;
	int r;

	if (str_starts(name, "+")) {
		slash = URL_KEEP_SLASH;
		name = (struct str){ name.ptr + 1, name.len - 1 };
	}
	key = str_dup(name);
	if (!key)
		return error_no_memory(err);
	value = cloud_param(call, key);
	if (!value && call->cloud->driver->variable) {
		r = call->cloud->driver->variable(call, key, &variable, err);
		if (r < 0)
			return r;
		value = variable;
	}
	if (!value || !*value)
		return error_set(err, ERR_INVALID, "parameter '%s' must not be empty", key);
	if (has_dots(value))
		return error_set(err, ERR_INVALID, "parameter '%s' must not be '%.64s'", key, value);
	if (encoding == AS_TEXT) {
		r = buf_adds(path, value);
	} else {
		if (slash == URL_KEEP_SLASH && *value == '/' && path->len && path->data[path->len - 1] == '/')
			value++; /* an identifier that is a path itself */
		r = url_encode(str_of(value), slash, path);
	}
	return r < 0 ? error_set(err, ERR_TOO_LARGE, "parameter '%s' is too long", key) : 0;
}

static int expand(struct cloud_call *call, const char *pattern, enum encoding encoding, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(16384);
	int r = encoding == FOR_PATH && *pattern && *pattern != '/' ? buf_addc(&path, '/') : 0;

	while (*pattern && r == 0) {
		const char *close = *pattern == '{' ? strchr(pattern, '}') : NULL;

		if (close) {
			r = add_variable(call, (struct str){ pattern + 1, (size_t)(close - pattern - 1) },
					 encoding, &path, err);
			if (r < 0)
				return r;
			pattern = close + 1;
		} else {
			r = buf_addc(&path, *pattern++);
		}
	}
	*ret = r < 0 ? NULL : buf_detach(&path);
	return *ret ? 0 : error_no_memory(err);
}

int rest_path(struct cloud_call *call, const char *pattern, char **ret, struct error *err)
{
	return expand(call, pattern, FOR_PATH, ret, err);
}

int rest_format(struct cloud_call *call, const char *pattern, char **ret, struct error *err)
{
	return expand(call, pattern, AS_TEXT, ret, err);
}

/* The member or element `name` of *at, made when it is not there; *at becomes an object or a list as the name says. */
static struct json_object *descend(struct json_object **at, const char *name, bool is_list_next)
{
	struct json_object *next = NULL;
	uint64_t index;

	if (str_to_u64(str_of(name), &index) == 0) {
		next = json_object_array_get_idx(*at, index);
		if (next)
			return next;
		next = is_list_next ? json_object_new_array() : json_object_new_object();
		return next && json_object_array_put_idx(*at, index, next) == 0 ? next : NULL;
	}
	if (json_object_object_get_ex(*at, name, &next) && next)
		return next;
	next = is_list_next ? json_object_new_array() : json_object_new_object();
	return next && json_object_object_add(*at, name, next) == 0 ? next : NULL;
}

static bool is_index(const char *name)
{
	return isdigit((unsigned char)*name) != 0;
}

static int put_last(struct json_object *at, const char *name, struct json_object *value)
{
	uint64_t index;

	if (json_object_is_type(at, json_type_array) && str_to_u64(str_of(name), &index) == 0 && index < 64)
		return json_object_array_put_idx(at, index, value);
	return json_object_object_add(at, name, value);
}

/* The members of an object, into another: for a parameter that is the whole body. */
static int merge(struct json_object *into, struct json_object *value)
{
	int r = 0;

	json_object_object_foreach(value, name, member)
	{
		if (r == 0)
			r = json_object_object_add(into, name, json_object_get(member));
	}
	return r;
}

int rest_put(struct json_object **root, const char *place, struct json_object *value, struct error *err)
{
	CLEANUP(json_putp) struct json_object *owned = value;
	CLEANUP(freep) char *path = strdup(place);
	struct json_object *at;
	char *name = path, *dot;

	if (!path)
		return error_no_memory(err);
	if (!*place && (!*root || !json_object_is_type(value, json_type_object))) {
		json_object_put(*root);
		*root = steal(owned);
		return 0;
	}
	if (!*root)
		*root = is_index(path) ? json_object_new_array() : json_object_new_object();
	if (!*root)
		return error_no_memory(err);
	if (!*place)
		return merge(*root, value) != 0 ? error_no_memory(err) : 0;
	at = *root;
	while ((dot = strchr(name, '.')) != NULL) {
		*dot = '\0';
		at = descend(&at, name, is_index(dot + 1));
		if (!at)
			return error_no_memory(err);
		name = dot + 1;
	}
	if (put_last(at, name, owned) != 0)
		return error_no_memory(err);
	owned = NULL;
	return 0;
}

/* "@token" and "@variable"; *ret a new reference. */
static int made_value(struct cloud_call *call, const char *name, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *text = NULL;
	char token[CLOUD_TOKEN_LEN + 1];
	int r = 0;

	if (!strcmp(name, "token")) {
		cloud_token(token);
		*ret = json_object_new_string(token);
	} else {
		r = call->cloud->driver->variable(call, name, &text, err);
		*ret = r < 0 ? NULL : json_object_new_string(text);
	}
	return r < 0 || *ret ? r : error_no_memory(err);
}

static struct json_object *their_word(const struct record_word *words, struct json_object *ours)
{
	const char *text = json_object_get_string(ours);

	for (; words && words->theirs; words++)
		if (!strcmp(words->ours, text))
			return json_object_new_string(words->theirs);
	return json_object_get(ours);
}

/* What a field sends: a new reference, or NULL for nothing. */
static int value_of(struct cloud_call *call, const struct rest_field *f, struct json_object **ret, struct error *err)
{
	struct json_object *given = f->param && *f->param != '@' ? cloud_param_json(call, f->param) : NULL;
	CLEANUP(freep) char *text = NULL;
	int r = 0;

	*ret = NULL;
	if (f->param && *f->param == '@')
		return made_value(call, f->param + 1, ret, err);
	if (f->format && (given || !f->param)) {
		r = rest_format(call, f->format, &text, err);
		*ret = r < 0 ? NULL : json_object_new_string(text);
		return r < 0 || *ret ? r : error_no_memory(err);
	}
	if (given)
		*ret = their_word(f->words, given);
	else if (f->constant && f->where == REST_BODY)
		return json_parse(str_of(f->constant), 4096, ret, err);
	else if (f->constant)
		*ret = json_object_new_string(f->constant);
	else if (f->is_needed)
		return error_set(err, ERR_INVALID, "parameter '%s' is missing (%s wants it)", f->param,
				 call->cloud->driver->summary);
	return 0;
}

/* "Tag.#", "Tag.#2", "Parameters.member.#|ParameterKey|ParameterValue", taken apart. */
struct numbered {
	struct str before;
	size_t first;
	struct str key, value; /* of a map's members */
};

static struct numbered read_place(const char *place)
{
	struct str rest = str_of(place), before = str_split(&rest, '#'), number = str_split(&rest, '|');
	struct numbered n = { before, 1, STR("Key"), STR("Value") };
	uint64_t first;

	if (number.len && str_to_u64(number, &first) == 0)
		n.first = first;
	if (rest.ptr) {
		n.key = str_split(&rest, '|');
		n.value = rest;
	}
	return n;
}

static int add_numbered(struct service_request *q, const struct numbered *n, size_t i, struct str member, const char *value,
			struct error *err)
{
	CLEANUP(freep) char *name = str_format("%.*s%zu%s%.*s", (int)n->before.len, n->before.ptr, n->first + i,
					       member.len ? "." : "", (int)member.len, member.len ? member.ptr : "");

	return name ? http_query_add(&q->form, name, value, err) : error_no_memory(err);
}

static int fill_form(struct service_request *q, const char *place, struct json_object *value, struct error *err)
{
	struct numbered n = read_place(place);
	size_t i = 0;
	int r = 0;

	if (json_object_is_type(value, json_type_array) && strchr(place, '#')) {
		for (; i < json_object_array_length(value) && r >= 0; i++)
			r = add_numbered(q, &n, i, (struct str){ NULL, 0 },
					 json_object_get_string(json_object_array_get_idx(value, i)), err);
		return r;
	}
	if (!json_object_is_type(value, json_type_object) || !strchr(place, '#'))
		return http_query_add(&q->form, place, json_object_get_string(value), err);
	json_object_object_foreach(value, key, member)
	{
		if (r >= 0)
			r = add_numbered(q, &n, i, n.key, key, err);
		if (r >= 0)
			r = add_numbered(q, &n, i, n.value, json_object_get_string(member), err);
		i++;
	}
	return r;
}

/* What a flag stands for, which may be null. */
static int fill_when(struct cloud_call *call, const struct rest_field *f, struct service_request *q, struct error *err)
{
	struct json_object *value = NULL;
	int r;

	if (!cloud_param_bool(call, f->param, false))
		return 0;
	r = json_parse(str_of(f->when), 4096, &value, err);
	return r < 0 ? r : rest_put(&q->json, f->place, value, err);
}

static int fill_one(struct cloud_call *call, const struct rest_field *f, struct service_request *q,
		    struct error *err)
{
	CLEANUP(json_putp) struct json_object *value = NULL;
	bool is_null = !f->param && !f->format && f->constant && f->where == REST_BODY &&
		       !strcmp(f->constant, "null");
	int r = f->when ? fill_when(call, f, q, err) : value_of(call, f, &value, err);

	if (r < 0 || f->when || (!value && !is_null))
		return r;
	switch (f->where) {
	case REST_BODY:
		return rest_put(&q->json, f->place, steal(value), err);
	case REST_QUERY:
		return http_query_add(&q->query, f->place, json_object_get_string(value), err);
	case REST_HEADER:
		return http_fields_add(&q->headers, f->place, json_object_get_string(value), err);
	case REST_FORM:
		return fill_form(q, f->place, value, err);
	case REST_NOWHERE:
		break;
	}
	return 0;
}

int rest_fill(struct cloud_call *call, const struct rest_field *fields, struct service_request *request,
	      struct error *err)
{
	int r = 0;

	for (const struct rest_field *f = fields; f && f->place && r >= 0; f++)
		r = fill_one(call, f, request, err);
	return r < 0 ? r : 0;
}

struct collect {
	struct cloud_call *call;
	const struct rest_row *row;
	struct json_object *list;
};

/* "x", ["x"] and [{"id": "x"}] hold x. */
static bool holds(struct json_object *member, const char *wanted)
{
	if (json_object_is_type(member, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(member); i++)
			if (holds(json_object_array_get_idx(member, i), wanted))
				return true;
		return false;
	}
	if (json_object_is_type(member, json_type_object))
		member = json_get(member, "id");
	return member && !strcmp(json_object_get_string(member), wanted);
}

static int collect_one(void *arg, struct json_object *item, struct error *err)
{
	struct collect *c = arg;
	const char *wanted;

	for (const struct rest_keep *k = c->row->only; k && k->param; k++) {
		wanted = cloud_param(c->call, k->param);
		if (wanted && !holds(record_find(item, k->from), wanted))
			return 0;
	}

	return cloud_list_add(c->call, c->row->record, item, &c->list, err);
}

struct scopes {
	const char *kind;
	rest_each_fn *each;
	void *arg;
};

/* {"zones/a": {"disks": [...]}, "zones/b": {"warning": ...}} */
static int each_scope(void *arg, struct json_object *page, struct error *err)
{
	struct scopes *s = arg;
	int r = 0;

	if (!json_object_is_type(page, json_type_object))
		return error_set(err, ERR_PROTOCOL, "the service answers without places");
	json_object_object_foreach(page, scope, there)
	{
		struct json_object *items = json_get_array(there, s->kind);
		const char *warning = json_get_string(there, "warning.code");

		if (warning && !strcmp(warning, "UNREACHABLE"))
			return error_set(err, ERR_UNAVAILABLE, "%s cannot be reached: the list would not be whole", scope);
		for (size_t i = 0; items && r == 0 && i < json_object_array_length(items); i++)
			r = s->each(s->arg, json_object_array_get_idx(items, i), err);
	}
	return r;
}

static int run_pages(struct cloud_call *call, const struct rest_row *row, const struct service *service,
		     struct service_request *request, rest_each_fn *each, void *arg, struct error *err)
{
	struct scopes scopes = { row->scoped, each, arg };

	return rest_pages(call, service, request, row->items, row->page, row->scoped ? each_scope : each,
			  row->scoped ? (void *)&scopes : arg, err);
}

static int run_list(struct cloud_call *call, const struct rest_row *row, const struct service *service,
		    struct service_request *request, struct json_object **ret, struct error *err)
{
	struct collect c = { call, row, json_object_new_array() };
	int r = c.list ? run_pages(call, row, service, request, collect_one, &c, err) : error_no_memory(err);

	if (r < 0) {
		json_object_put(c.list);
		return r;
	}
	*ret = c.list;
	return 0;
}

static int ask(struct cloud_call *call, const struct rest_row *row, const struct service *service,
	       struct service_request *request, struct json_object **ret, struct error *err)
{
	CLEANUP(service_answer_release) struct service_answer answer = SERVICE_ANSWER_INIT;
	int r = service_call(call, service, request, &answer, err);

	if (r == 0 && row->is_later)
		r = call->cloud->driver->settle(call, service, &answer, err);
	if (r == 0)
		*ret = steal(answer.json);
	return r;
}

/* Into params, which is made when it is NULL. */
static int keep(struct cloud_call *call, const struct rest_keep *k, struct json_object *answer,
		struct json_object **params, struct error *err)
{
	if (!*params && json_object_deep_copy(call->params, params, NULL) != 0)
		return error_no_memory(err);
	for (; k->param; k++) {
		struct json_object *found = record_find(answer, k->from);

		if (!found)
			return error_set(err, ERR_PROTOCOL, "%s: the service's answer holds no '%s'", call->operation,
					 k->from);
		json_object_object_add(*params, k->param, json_object_get(found));
	}
	return 0;
}

static int run_then(struct cloud_call *call, const struct rest_row *row, struct json_object *answer,
		    struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *kept = NULL;
	struct json_object *before = call->params;
	int r = row->keep ? keep(call, row->keep, answer, &kept, err) : 0;

	if (kept)
		call->params = kept;
	if (r == 0)
		r = rest_run(call, row->then, ret, err);
	call->params = before;
	return r;
}

static int run_one(struct cloud_call *call, const struct rest_row *row, const struct service *service,
		   struct service_request *request, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	struct json_object *item;
	int r = ask(call, row, service, request, &answer, err);

	if (r == 0 && row->then)
		return run_then(call, row, answer, ret, err);
	if (r < 0 || !row->item)
		return r;
	item = *row->item ? record_find(answer, row->item) : answer;
	if (!item)
		return error_set(err, ERR_PROTOCOL, "%s: the service's answer holds no '%s'",
				 call->operation, row->item);
	return cloud_record(call, row->record, item, ret, err);
}

static int begin(struct cloud_call *call, const struct rest_row *row, const struct rest_field *fields,
		 const struct service **ret_service, char **path, struct service_request *request, struct error *err)
{
	int r = call->cloud->driver->service(call, row->service, ret_service, err);

	if (r >= 0)
		r = rest_path(call, row->path, path, err);
	if (r >= 0)
		r = rest_fill(call, fields, request, err);
	request->method = row->method;
	request->path = *path;
	request->content_type = row->content_type;
	request->is_read = row->is_read;
	request->is_idempotent = row->is_idempotent;
	return r;
}

static int run_row(struct cloud_call *call, const struct rest_row *row, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(freep) char *path = NULL;
	const struct service *service = NULL;
	int r = begin(call, row, row->fields, &service, &path, &request, err);

	if (r < 0)
		return r;
	return row->items ? run_list(call, row, service, &request, ret, err) :
			    run_one(call, row, service, &request, ret, err);
}

int rest_run(struct cloud_call *call, const struct rest_row *row, struct json_object **ret,
	     struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	struct json_object *before = call->params;
	const char *stray = row->is_strict ? rest_stray_param(call, row) : NULL;
	int r;

	if (stray)
		return error_set(err, ERR_UNSUPPORTED, "%s: parameter '%s' is not supported by %s", call->operation, stray,
				 call->cloud->driver->type);
	r = row->names ? rest_names(call, row->names, &params, err) : 0;
	if (params)
		call->params = params;
	if (r == 0)
		r = run_row(call, row, ret, err);
	call->params = before;
	return r;
}

int rest_run_with(struct cloud_call *call, const struct rest_row *row, const char *name, struct json_object *value,
		  struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *owned = value;
	CLEANUP(json_putp) struct json_object *params = NULL;
	struct json_object *before = call->params;
	int r;

	if (!owned || json_object_deep_copy(before, &params, NULL) != 0 ||
	    json_object_object_add(params, name, json_object_get(owned)) != 0)
		return error_no_memory(err);
	call->params = params;
	r = rest_run(call, row, ret, err);
	call->params = before;
	return r;
}

int rest_each(struct cloud_call *call, const struct rest_row *row, rest_each_fn *each, void *arg, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(freep) char *path = NULL;
	const struct service *service = NULL;
	int r = begin(call, row, row->fields, &service, &path, &request, err);

	return r < 0 ? r : run_pages(call, row, service, &request, each, arg, err);
}

/* Not on a copy of the call: what was planned instead of sent is noted in it. */
int rest_run_raw(struct cloud_call *call, const struct rest_row *row, struct json_object *params, struct json_object **ret,
		 struct error *err)
{
	const struct record_shape *shape = call->shape;
	struct json_object *before = call->params;
	int r;

	call->shape = NULL;
	if (params)
		call->params = params;
	r = rest_run(call, row, ret, err);
	call->shape = shape;
	call->params = before;
	return r;
}

int rest_run_raw_with(struct cloud_call *call, const struct rest_row *row, const char *name, const char *value,
		      struct json_object **ret, struct error *err)
{
	const struct record_shape *shape = call->shape;
	int r;

	call->shape = NULL;
	r = rest_run_with(call, row, name, json_object_new_string(value), ret, err);
	call->shape = shape;
	return r;
}

struct rest_listing {
	struct cloud_call *call;
	rest_take_fn *take;
	struct json_object *list;
};

static int take_item(void *arg, struct json_object *item, struct error *err)
{
	struct rest_listing *l = arg;

	return l->take(l->call, item, &l->list, err);
}

int rest_list(struct cloud_call *call, const struct rest_row *row, rest_take_fn *take, struct json_object **ret, struct error *err)
{
	struct rest_listing l = { call, take, json_object_new_array() };
	int r = l.list ? rest_each(call, row, take_item, &l, err) : error_no_memory(err);

	if (r < 0)
		json_object_put(l.list);
	else
		*ret = l.list;
	return r < 0 ? r : 0;
}
