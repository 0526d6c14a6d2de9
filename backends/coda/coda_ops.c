/*
 * The operations on rows and permissions that are more than a row of a table says: bodies made of several parameters, a
 * list that tells more than its items.
 */
#include "backends/coda/coda.h"

struct collect {
	struct cloud_call *call;
	struct json_object *list;
};

static int collect_row(void *arg, struct json_object *item, struct error *err)
{
	struct collect *c = arg;

	return cloud_list_add(c->call, coda_map_row, item, &c->list, err);
}

/* {"items", "count", "next_sync_token"}: with the token the next list holds only what changed since. */
static int with_sync_token(struct cloud_call *call, struct json_object *list, struct json_object **ret, struct error *err)
{
	struct json_object *o = json_object_new_object();

	if (!o || json_object_object_add(o, "items", json_object_get(list)) != 0) {
		json_object_put(o);
		return error_no_memory(err);
	}
	json_object_object_add(o, "count", json_object_new_uint64(json_object_array_length(list)));
	json_object_object_add(o, "next_sync_token", steal(call->tail));
	*ret = o;
	return 0;
}

int coda_rows_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const struct rest_field fields[] = {
		{ "query", "query", REST_QUERY, NULL },
		{ "sort", "sortBy", REST_QUERY, NULL },
		{ "column_names", "useColumnNames", REST_QUERY, NULL },
		{ "value_format", "valueFormat", REST_QUERY, NULL },
		{ "visible", "visibleOnly", REST_QUERY, NULL },
		{ "sync_token", "syncToken", REST_QUERY, NULL },
		{ "doc_version", "X-Coda-Doc-Version", REST_HEADER, NULL },
		{ .place = NULL },
	};
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(freep) char *path = NULL;
	struct collect c = { call, json_object_new_array() };
	int r = c.list ? rest_path(call, "docs/{doc}/tables/{table}/rows", &path, err) : error_no_memory(err);

	if (r == 0)
		r = rest_fill(call, fields, &request, err);
	request.method = HTTP_GET;
	request.path = path;
	if (r == 0)
		r = rest_pages(call, &coda_of(call)->services[CODA_READ], &request, "items", &coda_row_pages, collect_row, &c,
			       err);
	if (r == 0)
		r = with_sync_token(call, c.list, ret, err);
	json_object_put(c.list);
	json_object_put(call->tail);
	call->tail = NULL;
	return r;
}

/* {"cells": [{"column": C, "value": V}, ...]} of {C: V, ...}. */
static int add_cells(struct json_object *cells, struct json_object *values, struct error *err)
{
	if (!json_object_is_type(values, json_type_object))
		return error_set(err, ERR_INVALID, "a row must be an object of columns and values");
	json_object_object_foreach(values, name, value)
	{
		struct json_object *cell = json_object_new_object();

		if (!cell || json_object_array_add(cells, cell) != 0) {
			json_object_put(cell);
			return error_no_memory(err);
		}
		json_object_object_add(cell, "column", json_object_new_string(name));
		json_object_object_add(cell, "value", json_object_get(value));
	}
	return 0;
}

static int make_row(struct json_object *values, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *row = json_object_new_object();
	struct json_object *cells = json_object_new_array();
	int r;

	if (!row || !cells || json_object_object_add(row, "cells", cells) != 0) {
		json_object_put(cells);
		return error_no_memory(err);
	}
	r = add_cells(cells, values, err);
	if (r == 0 && !json_object_array_length(cells))
		r = error_set(err, ERR_INVALID, "a row without a column");
	if (r == 0)
		*ret = steal(row);
	return r;
}

static int add_row(struct json_object *rows, struct json_object *values, struct error *err)
{
	struct json_object *row = NULL;
	int r = make_row(values, &row, err);

	if (r == 0 && json_object_array_add(rows, row) != 0) {
		json_object_put(row);
		return error_no_memory(err);
	}
	return r;
}

/* What `set` and `rows` say: one row of the first, and those of the second. */
static int gather_rows(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	struct json_object *set = cloud_param_json(call, "set"), *given = cloud_param_json(call, "rows");
	CLEANUP(json_putp) struct json_object *rows = json_object_new_array();
	size_t count = json_object_is_type(given, json_type_array) ? json_object_array_length(given) : 0;
	int r = rows ? 0 : error_no_memory(err);

	if (r == 0 && set && json_object_object_length(set))
		r = add_row(rows, set, err);
	if (r == 0 && given && !json_object_is_type(given, json_type_array))
		r = add_row(rows, given, err);
	for (size_t i = 0; i < count && r == 0; i++)
		r = add_row(rows, json_object_array_get_idx(given, i), err);
	if (r == 0 && !json_object_array_length(rows))
		r = error_set(err, ERR_INVALID, "nothing to write: give COLUMN=VALUE, or rows");
	if (r == 0)
		*ret = steal(rows);
	return r;
}

/* Sends what changes a doc, and gives back Coda's word that it is queued. */
static int send_change(struct cloud_call *call, enum coda_bucket bucket, enum http_method method, const char *pattern,
		       struct service_request *request, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(freep) char *path = NULL;
	int r = rest_path(call, pattern, &path, err);

	request->method = method;
	request->path = path;
	if (r == 0)
		r = service_json(call, &coda_of(call)->services[bucket], request, &answer, err);
	return r < 0 ? r : cloud_record(call, coda_map_change, answer, ret, err);
}

static int set_parsing(struct cloud_call *call, struct service_request *request, struct error *err)
{
	return cloud_param_bool(call, "no_parsing", false) ? http_query_add(&request->query, "disableParsing", "true", err) : 0;
}

int coda_rows_insert(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	struct json_object *rows = NULL, *keys = cloud_param_json(call, "key");
	int r = gather_rows(call, &rows, err);

	if (r == 0)
		r = rest_put(&request.json, "rows", rows, err);
	if (r == 0 && keys && json_object_array_length(keys))
		r = rest_put(&request.json, "keyColumns", json_object_get(keys), err);
	if (r == 0)
		r = set_parsing(call, &request, err);
	return r < 0 ? r : send_change(call, CODA_CONTENT, HTTP_POST, "docs/{doc}/tables/{table}/rows", &request, ret, err);
}

int coda_rows_update(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *values = json_object_new_object();
	static const char *const sources[] = { "set", "cells" };
	struct json_object *row = NULL;
	int r = values ? 0 : error_no_memory(err);

	for (size_t i = 0; i < ARRAY_SIZE(sources) && r == 0; i++) {
		struct json_object *given = cloud_param_json(call, sources[i]);

		if (!given)
			continue;
		if (!json_object_is_type(given, json_type_object))
			return error_set(err, ERR_INVALID, "cells must be an object of columns and values");
		json_object_object_foreach(given, name, value)
		{
			json_object_object_add(values, name, json_object_get(value));
		}
	}
	if (r == 0)
		r = make_row(values, &row, err);
	if (r == 0)
		r = rest_put(&request.json, "row", row, err);
	if (r == 0)
		r = set_parsing(call, &request, err);
	return r < 0 ? r : send_change(call, CODA_CONTENT, HTTP_PUT, "docs/{doc}/tables/{table}/rows/{row}", &request, ret, err);
}

/* One row has a call of its own, which also takes a row's name; several go in one call. */
int coda_rows_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	struct json_object *rows = cloud_param_json(call, "rows");
	size_t count = rows ? json_object_array_length(rows) : 0;
	int r;

	if (!count)
		return error_set(err, ERR_INVALID, "no row is named");
	if (count == 1) {
		json_object_object_add(call->params, "row", json_object_get(json_object_array_get_idx(rows, 0)));
		return send_change(call, CODA_CONTENT, HTTP_DELETE, "docs/{doc}/tables/{table}/rows/{row}", &request, ret, err);
	}
	r = rest_put(&request.json, "rowIds", json_object_get(rows), err);
	return r < 0 ? r : send_change(call, CODA_CONTENT, HTTP_DELETE, "docs/{doc}/tables/{table}/rows", &request, ret, err);
}

int coda_permissions_add(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const struct {
		const char *type, *member;
	} kinds[] = { { "email", "principal.email" },
		      { "group", "principal.groupId" },
		      { "domain", "principal.domain" },
		      { "workspace", "principal.workspaceId" },
		      { "anyone", NULL } };
	static const struct rest_field fields[] = { { "access", "access", REST_BODY, NULL },
						    { "type", "principal.type", REST_BODY, NULL },
						    { "quiet", "suppressEmail", REST_BODY, NULL },
						    { .place = NULL } };
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(freep) char *path = NULL;
	const char *type = cloud_param(call, "type"), *who = cloud_param(call, "principal");
	int r = rest_fill(call, fields, &request, err);

	for (size_t i = 0; i < ARRAY_SIZE(kinds) && r == 0; i++) {
		if (strcmp(kinds[i].type, type) != 0)
			continue;
		if (!who != !kinds[i].member)
			return error_set(err, ERR_INVALID, "access for %s %s", type, who ? "names nobody" : "must name whom");
		if (who)
			r = rest_put(&request.json, kinds[i].member, json_object_new_string(who), err);
	}
	if (r == 0)
		r = rest_path(call, "docs/{doc}/acl/permissions", &path, err);
	request.method = HTTP_POST;
	request.path = path;
	(void)ret; /* the answer is empty */
	return r < 0 ? r : service_json(call, &coda_of(call)->services[CODA_WRITE], &request, &answer, err);
}

/* Users and groups, which the answer holds apart, as one list. */
static int add_principals(struct cloud_call *call, struct json_object *found, const struct record_source *map,
			  struct json_object **list, struct error *err)
{
	int r = 0;

	for (size_t i = 0; found && i < json_object_array_length(found) && r == 0; i++)
		r = cloud_list_add(call, map, json_object_array_get_idx(found, i), list, err);
	return r;
}

int coda_principals_search(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const struct record_source users[] = { { "id", "loginId" }, { "type", "type" }, { "name", "name" }, { NULL } };
	static const struct record_source groups[] = { { "id", "groupId" }, { "type", "type" }, { "name", "groupName" }, { NULL } };
	static const struct rest_field fields[] = { { "query", "query", REST_QUERY, NULL }, { .place = NULL } };
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	CLEANUP(freep) char *path = NULL;
	int r = list ? rest_path(call, "docs/{doc}/acl/principals/search", &path, err) : error_no_memory(err);

	request.method = HTTP_GET;
	request.path = path;
	if (r == 0)
		r = rest_fill(call, fields, &request, err);
	if (r == 0)
		r = service_json(call, &coda_of(call)->services[CODA_READ], &request, &answer, err);
	if (r == 0)
		r = add_principals(call, json_get_array(answer, "users"), users, &list, err);
	if (r == 0)
		r = add_principals(call, json_get_array(answer, "groups"), groups, &list, err);
	if (r < 0)
		return r;
	*ret = steal(list);
	return 0;
}
