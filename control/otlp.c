#include "control/otlp.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define CUMULATIVE  2 /* AggregationTemporality */
#define STATUS_ERROR 2

static void add_number(struct json_object *o, const char *name, uint64_t n)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%" PRIu64, n);
	json_object_object_add(o, name, json_object_new_string(text));
}

static void add_hex(struct json_object *o, const char *name, const unsigned char *bytes, size_t len)
{
	char hex[2 * TRACE_ID_LEN + 1];

	for (size_t i = 0; i < len; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	json_object_object_add(o, name, json_object_new_string(hex));
}

/* {"key": name, "value": {...}} to a list; takes the value. */
static void add_attribute(struct json_object *list, const char *name, const char *type, struct json_object *value)
{
	struct json_object *o = json_object_new_object(), *any = json_object_new_object();

	if (!o || !any || json_object_array_add(list, o) != 0) {
		json_object_put(o);
		json_object_put(any);
		json_object_put(value);
		return;
	}
	json_object_object_add(any, type, value);
	json_object_object_add(o, "key", json_object_new_string(name));
	json_object_object_add(o, "value", any);
}

static void add_text(struct json_object *list, const char *name, const char *value)
{
	if (value && value[0])
		add_attribute(list, name, "stringValue", json_object_new_string(value));
}

static void add_int(struct json_object *list, const char *name, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%" PRId64, value);
	add_attribute(list, name, "intValue", json_object_new_string(text));
}

static struct json_object *attributes_of(const struct otlp_span *s)
{
	struct json_object *list = json_object_new_array();

	if (!list)
		return NULL;
	if (s->attempts) {
		add_text(list, "skydir.store", s->store);
		add_text(list, "http.request.method", s->method);
		if (s->status)
			add_int(list, "http.response.status_code", s->status);
		if (s->attempts > 1)
			add_int(list, "http.request.resend_count", (int64_t)s->attempts - 1);
		add_int(list, "http.request.body.size", (int64_t)s->sent);
		add_int(list, "http.response.body.size", (int64_t)s->received);
	} else if (s->errnum) {
		add_int(list, "skydir.errno", s->errnum);
	}
	add_text(list, "error.type", s->error);
	return list;
}

static struct json_object *span_json(const struct otlp_span *s)
{
	struct json_object *o = json_object_new_object(), *status = json_object_new_object();

	if (!o || !status) {
		json_object_put(o);
		json_object_put(status);
		return NULL;
	}
	add_hex(o, "traceId", s->context.trace_id, TRACE_ID_LEN);
	add_hex(o, "spanId", s->context.span_id, SPAN_ID_LEN);
	if (s->has_parent)
		add_hex(o, "parentSpanId", s->parent, SPAN_ID_LEN);
	json_object_object_add(o, "name", json_object_new_string(s->name));
	json_object_object_add(o, "kind", json_object_new_int(s->kind));
	add_number(o, "startTimeUnixNano", (uint64_t)s->begun_wall_ns);
	add_number(o, "endTimeUnixNano", (uint64_t)s->ended_wall_ns);
	json_object_object_add(o, "attributes", attributes_of(s));
	if (s->error[0])
		json_object_object_add(status, "code", json_object_new_int(STATUS_ERROR));
	json_object_object_add(o, "status", status);
	return o;
}

static struct json_object *resource_json(const char *mountpoint)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();

	if (!o || !list) {
		json_object_put(o);
		json_object_put(list);
		return NULL;
	}
	add_text(list, "service.name", "skydir");
	add_text(list, "service.version", SKYDIR_VERSION);
	add_int(list, "process.pid", getpid());
	if (mountpoint) /* NULL: a daemon without a mount */
		add_text(list, "skydir.mount", mountpoint);
	json_object_object_add(o, "attributes", list);
	return o;
}

/* {"resourceX": [{"resource": ..., "scopeX": [{"scope": ..., X: list}]}]}; takes the list. */
static struct json_object *wrap(const char *resource_name, const char *scope_name, const char *name, struct json_object *list,
				const char *mountpoint)
{
	struct json_object *all = json_object_new_object(), *resources = json_object_new_array();
	struct json_object *resource = json_object_new_object(), *scopes = json_object_new_array();
	struct json_object *scope = json_object_new_object(), *about = json_object_new_object();

	if (!list || !all || !resources || !resource || !scopes || !scope || !about) {
		struct json_object *made[] = { all, resources, resource, scopes, scope, about, list };

		for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
			json_object_put(made[i]);
		return NULL;
	}
	json_object_object_add(about, "name", json_object_new_string("skydir"));
	json_object_object_add(about, "version", json_object_new_string(SKYDIR_VERSION));
	json_object_object_add(scope, "scope", about);
	json_object_object_add(scope, name, list);
	(void)json_object_array_add(scopes, scope); /* fails for want of memory only: an empty list goes then */
	json_object_object_add(resource, "resource", resource_json(mountpoint));
	json_object_object_add(resource, scope_name, scopes);
	(void)json_object_array_add(resources, resource);
	json_object_object_add(all, resource_name, resources);
	return all;
}

struct json_object *otlp_traces(const struct otlp_span *spans, size_t count, const char *mountpoint)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && i < count; i++) {
		struct json_object *o = span_json(&spans[i]);

		if (!o || json_object_array_add(list, o) != 0)
			json_object_put(o);
	}
	return wrap("resourceSpans", "scopeSpans", "spans", list, mountpoint);
}

/* store="s3",operation="GetObject" */
static struct json_object *labels_json(const char *labels)
{
	struct json_object *list = json_object_new_array();
	struct str rest = str_of(labels);

	while (list && rest.len) {
		struct str name = str_split(&rest, '=');
		const char *end = rest.len > 1 && rest.ptr[0] == '"' ? memchr(rest.ptr + 1, '"', rest.len - 1) : NULL;
		char key[64], value[96];

		if (!end)
			break;
		(void)snprintf(key, sizeof key, "%.*s", (int)name.len, name.ptr);
		(void)snprintf(value, sizeof value, "%.*s", (int)(end - rest.ptr - 1), rest.ptr + 1);
		add_text(list, key, value);
		rest = (struct str){ end + 1, rest.len - (size_t)(end + 1 - rest.ptr) };
		if (rest.len && rest.ptr[0] == ',')
			rest = (struct str){ rest.ptr + 1, rest.len - 1 };
	}
	return list;
}

static struct json_object *point_json(struct json_object *row, bool is_counter, int64_t begun_wall_ns, int64_t now_wall_ns)
{
	struct json_object *o = json_object_new_object();
	const char *labels = json_get_string(row, "labels");
	char text[24];

	if (!o)
		return NULL;
	json_object_object_add(o, "attributes", labels_json(labels ? labels : ""));
	if (is_counter)
		add_number(o, "startTimeUnixNano", (uint64_t)begun_wall_ns);
	add_number(o, "timeUnixNano", (uint64_t)now_wall_ns);
	(void)snprintf(text, sizeof text, "%" PRId64, json_get_int64(row, "value", 0));
	json_object_object_add(o, "asInt", json_object_new_string(text));
	return o;
}

/* The metric of that name in the list, with its points; made when missing. */
static struct json_object *points_of(struct json_object *metrics, struct json_object *by_name, const char *name, bool is_counter)
{
	struct json_object *metric, *data, *points = NULL;

	if (json_object_object_get_ex(by_name, name, &points))
		return points;
	metric = json_object_new_object();
	data = json_object_new_object();
	points = json_object_new_array();
	if (!metric || !data || !points || json_object_array_add(metrics, metric) != 0) {
		json_object_put(metric);
		json_object_put(data);
		json_object_put(points);
		return NULL;
	}
	json_object_object_add(metric, "name", json_object_new_string(name));
	json_object_object_add(metric, is_counter ? "sum" : "gauge", data);
	if (is_counter) {
		json_object_object_add(data, "aggregationTemporality", json_object_new_int(CUMULATIVE));
		json_object_object_add(data, "isMonotonic", json_object_new_boolean(1));
	}
	json_object_object_add(data, "dataPoints", points);
	json_object_object_add(by_name, name, json_object_get(points));
	return points;
}

struct json_object *otlp_metrics(struct json_object *rows, const char *mountpoint, int64_t begun_wall_ns, int64_t now_wall_ns)
{
	struct json_object *metrics = json_object_new_array();
	CLEANUP(json_putp) struct json_object *by_name = json_object_new_object();

	for (size_t i = 0; metrics && by_name && rows && i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i), *points, *point;
		const char *name = json_get_string(row, "name"), *type = json_get_string(row, "type");
		bool is_counter = type && !strcmp(type, "counter");

		points = name ? points_of(metrics, by_name, name, is_counter) : NULL;
		point = points ? point_json(row, is_counter, begun_wall_ns, now_wall_ns) : NULL;
		if (!point || json_object_array_add(points, point) != 0)
			json_object_put(point);
	}
	return wrap("resourceMetrics", "scopeMetrics", "metrics", metrics, mountpoint);
}
