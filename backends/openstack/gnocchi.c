/*
 * What is measured, by Gnocchi: resources, their metrics, and measures.
 *
 * Source: gnocchi.osci.io/rest.html (v1: pages by `limit` and `marker`; a measure is [time, granularity, value]), read 2026-11.
 */
#include "backends/openstack/openstack_metering.h"

static struct json_object *make_names(struct json_object *metrics)
{
	struct json_object *names = json_object_new_array();

	if (!json_object_is_type(metrics, json_type_object))
		return names;
	json_object_object_foreach(metrics, name, id)
	{
		(void)id; /* metering.metrics tells it */
		if (names)
			json_object_array_add(names, json_object_new_string(name));
	}
	return names;
}

static const struct record_source resource_map[] = {
	{ "id", "id", NULL, NULL },
	{ "type", "type", NULL, NULL },
	{ "name", "display_name|name|original_resource_id", NULL, NULL },
	{ "project", "project_id", NULL, NULL },
	{ "metrics", "metrics", NULL, make_names },
	{ "started", "started_at", NULL, NULL },
	{ "ended", "ended_at", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct rest_page by_marker = { REST_PAGE_MARKER, REST_QUERY, "marker", "id", "limit", 1000, 0 };
static const struct rest_field resource_fields[] = {
	{ NULL, "sort", REST_QUERY, "id:asc" }, /* so that a marker stays where it is while resources come and go */
	{ .place = NULL },
};
static const struct rest_row list_resources = { .service = "metric", .path = "resource/generic", .fields = resource_fields, .items = "",
	.page = &by_marker, .record = resource_map };
static const struct rest_row get_resource = { .service = "metric", .path = "resource/generic/{resource}", .item = "" };

int openstack_metered(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const struct service *service = NULL;
	int r = openstack_service(call, "metric", &service, err);

	if (r == 0)
		return rest_run(call, &list_resources, ret, err);
	if (err->kind != ERR_NOT_FOUND && err->kind != ERR_UNSUPPORTED)
		return r;
	*err = ERROR_INIT;
	return nova_metered(call, ret, err);
}

int gnocchi_metrics(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	struct json_object *metrics;
	struct cloud_call ask = *call;
	int r;

	ask.shape = NULL;
	r = list ? rest_run(&ask, &get_resource, &answer, err) : error_no_memory(err);
	if (r < 0)
		return r;
	metrics = json_get(answer, "metrics");
	if (!json_object_is_type(metrics, json_type_object))
		return error_set(err, ERR_PROTOCOL, "%s: a resource without metrics", call->operation);
	json_object_object_foreach(metrics, name, id)
	{
		CLEANUP(json_putp) struct json_object *o = json_object_new_object();

		if (r == 0)
			r = o ? metering_put(o, "name", name, err) : error_no_memory(err);
		if (r == 0)
			r = metering_put(o, "id", json_object_get_string(id), err);
		if (r == 0)
			r = metering_add(call, o, &list, err);
	}
	if (r >= 0)
		*ret = steal(list);
	return r < 0 ? r : 0;
}

static const struct record_source measure_map[] = {
	{ "time", "0", NULL, NULL }, { "seconds", "1", NULL, NULL }, { "value", "2", NULL, NULL }, { NULL, NULL, NULL, NULL },
};
static const struct rest_field measure_fields[] = {
	{ NULL, "start", REST_QUERY, .format = "{_from}T00:00:00" },
	{ NULL, "stop", REST_QUERY, .format = "{_until}T00:00:00" },
	{ "granularity", "granularity", REST_QUERY },
	{ "aggregation", "aggregation", REST_QUERY },
	{ .place = NULL },
};
static const struct rest_row by_name = { .service = "metric", .path = "resource/generic/{resource}/metric/{metric}/measures",
	.fields = measure_fields, .items = "", .record = measure_map };
static const struct rest_row by_id = { .service = "metric", .path = "metric/{metric}/measures", .fields = measure_fields, .items = "",
	.record = measure_map };

int gnocchi_measures(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *metric = cloud_param(call, "metric");
	struct cloud_call ask = *call;
	struct metering_period period;
	int r = metering_period_read(call->params, &period, err);

	if (r < 0)
		return r;
	ask.params = NULL;
	if (json_object_deep_copy(call->params, &ask.params, NULL) != 0)
		return error_no_memory(err);
	json_object_object_add(ask.params, "_from", json_object_new_string(period.from));
	json_object_object_add(ask.params, "_until", json_object_new_string(period.until));
	r = rest_run(&ask, openstack_is_id(metric) ? &by_id : &by_name, ret, err);
	json_object_put(ask.params);
	return r;
}
