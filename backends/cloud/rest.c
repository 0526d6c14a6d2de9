#include "backends/cloud/rest.h"

#include "backends/base/xml_json.h"
#include "backends/http/url.h"

#include <ctype.h>

static int no_memory(struct error *err)
{
	return error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* A path piece "." or ".." would be walked up by servers and proxies. */
static bool has_dots(const char *value)
{
	struct str rest = str_of(value), piece;

	while ((piece = str_split(&rest, '/')).ptr)
		if (str_equal(piece, STR(".")) || str_equal(piece, STR("..")))
			return true;
	return false;
}

static int add_variable(struct cloud_call *call, struct str name, struct buf *path, struct error *err)
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
		return no_memory(err);
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
	r = url_encode(str_of(value), slash, path);
	return r < 0 ? error_set(err, ERR_TOO_LARGE, "parameter '%s' is too long", key) : 0;
}

int rest_path(struct cloud_call *call, const char *pattern, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(16384);
	int r = *pattern && *pattern != '/' ? buf_addc(&path, '/') : 0;

	while (*pattern && r == 0) {
		const char *close = *pattern == '{' ? strchr(pattern, '}') : NULL;

		if (close) {
			r = add_variable(call, (struct str){ pattern + 1, (size_t)(close - pattern - 1) },
					 &path, err);
			if (r < 0)
				return r;
			pattern = close + 1;
		} else {
			r = buf_addc(&path, *pattern++);
		}
	}
	*ret = r < 0 ? NULL : buf_detach(&path);
	return *ret ? 0 : no_memory(err);
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
		return no_memory(err);
	if (!*place && (!*root || !json_object_is_type(value, json_type_object))) {
		json_object_put(*root);
		*root = steal(owned);
		return 0;
	}
	if (!*root)
		*root = is_index(path) ? json_object_new_array() : json_object_new_object();
	if (!*root)
		return no_memory(err);
	if (!*place)
		return merge(*root, value) != 0 ? no_memory(err) : 0;
	at = *root;
	while ((dot = strchr(name, '.')) != NULL) {
		*dot = '\0';
		at = descend(&at, name, is_index(dot + 1));
		if (!at)
			return no_memory(err);
		name = dot + 1;
	}
	if (put_last(at, name, owned) != 0)
		return no_memory(err);
	owned = NULL;
	return 0;
}

static int put_constant(const struct rest_field *f, struct service_request *q, struct error *err)
{
	struct json_object *value = NULL;
	int r = json_parse(str_of(f->constant), 4096, &value, err);

	return r < 0 ? r : rest_put(&q->json, f->place, value, err);
}

static int fill_one(struct cloud_call *call, const struct rest_field *f, struct service_request *q,
		    struct error *err)
{
	struct json_object *value = f->param ? cloud_param_json(call, f->param) : NULL;
	const char *text = value ? json_object_get_string(value) : f->constant;

	if (!text)
		return 0;
	switch (f->where) {
	case REST_BODY:
		return value ? rest_put(&q->json, f->place, json_object_get(value), err) :
			       put_constant(f, q, err);
	case REST_QUERY:
		return http_query_add(&q->query, f->place, text, err);
	case REST_HEADER:
		return http_fields_add(&q->headers, f->place, text, err);
	case REST_FORM:
		return http_query_add(&q->form, f->place, text, err);
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

static int collect_one(void *arg, struct json_object *item, struct error *err)
{
	struct collect *c = arg;

	return cloud_list_add(c->call, c->row->record, item, &c->list, err);
}

static int run_list(struct cloud_call *call, const struct rest_row *row, const struct service *service,
		    struct service_request *request, struct json_object **ret, struct error *err)
{
	struct collect c = { call, row, json_object_new_array() };
	int r = c.list ? rest_pages(call, service, request, row->items, row->page, collect_one, &c, err) :
			 no_memory(err);

	if (r < 0) {
		json_object_put(c.list);
		return r;
	}
	*ret = c.list;
	return 0;
}

static int run_one(struct cloud_call *call, const struct rest_row *row, const struct service *service,
		   struct service_request *request, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	struct json_object *item;
	int r = service_json(call, service, request, &answer, err);

	if (r < 0 || !row->item)
		return r;
	item = *row->item ? record_find(answer, row->item) : answer;
	if (!item)
		return error_set(err, ERR_PROTOCOL, "%s: the service's answer holds no '%s'",
				 call->operation, row->item);
	return cloud_record(call, row->record, item, ret, err);
}

int rest_run(struct cloud_call *call, const struct rest_row *row, struct json_object **ret,
	     struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(freep) char *path = NULL;
	const struct service *service = NULL;
	int r = call->cloud->driver->service(call, row->service, &service, err);

	if (r >= 0)
		r = rest_path(call, row->path, &path, err);
	if (r >= 0)
		r = rest_fill(call, row->fields, &request, err);
	if (r < 0)
		return r;
	request.method = row->method;
	request.path = path;
	request.content_type = row->content_type;
	request.is_read = row->is_read;
	request.is_idempotent = row->is_idempotent;
	return row->items ? run_list(call, row, service, &request, ret, err) :
			    run_one(call, row, service, &request, ret, err);
}
