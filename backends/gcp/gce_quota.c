/*
 * What may be used at Google: the quotas of Compute Engine, of the project and by regions; of any other service by Service Usage.
 *
 * Source: cloud.google.com/compute/docs/reference/rest/v1 (projects, regions: quotas), cloud.google.com/service-usage/docs/reference/
 *	rest/v1beta1/services.consumerQuotaMetrics (read 2026-11), which does not tell what is used.
 */
#include "backends/gcp/metering_gcp.h"

#include <strings.h>

struct quota_list {
	struct cloud_call *call;
	struct json_object *list;
	const char *region; /* of what is added; NULL: the project's */
	bool is_full;
};

static const char *service_of(const char *metric)
{
	static const char *const volumes[] = { "DISK", "SSD", "SNAPSHOT", "STORAGE_POOL" };
	static const char *const networks[] = { "ADDRESS", "NETWORK", "FIREWALL", "ROUTE", "FORWARDING", "VPN", "TARGET", "URL_MAP", "BACKEND",
						"HEALTH", "INTERCONNECT", "SSL", "SECURITY", "PSC", "PACKET", "GATEWAY" };

	for (size_t i = 0; i < ARRAY_SIZE(volumes); i++)
		if (strstr(metric, volumes[i]))
			return "volume";
	for (size_t i = 0; i < ARRAY_SIZE(networks); i++)
		if (strstr(metric, networks[i]))
			return "network";
	return "compute";
}

static int add(struct quota_list *l, const char *service, const char *id, const char *name, struct json_object *used,
	       struct json_object *limit, const char *unit, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	bool is_endless = limit && json_object_get_int64(limit) < 0; /* -1 */
	int r = o ? metering_put(o, "service", service, err) : error_no_memory(err);

	if (r == 0)
		r = metering_put(o, "id", id, err);
	if (r == 0)
		r = metering_put(o, "name", name, err);
	if (r == 0)
		r = metering_put(o, "region", l->region, err);
	if (r == 0)
		r = metering_put_number(o, "used", used, err);
	if (r == 0)
		r = metering_put_number(o, "limit", is_endless ? NULL : limit, err);
	if (r == 0)
		r = metering_put(o, "unit", unit, err);
	if (r == 0)
		r = metering_add(l->call, o, &l->list, err);
	l->is_full = r == 1;
	return r;
}

/* {"metric": "CPUS", "limit": 24, "usage": 4} */
static int add_quotas(struct quota_list *l, struct json_object *quotas, struct error *err)
{
	const char *only = cloud_param(l->call, "service");
	int r = 0;

	for (size_t i = 0; quotas && i < json_object_array_length(quotas) && r == 0; i++) {
		struct json_object *q = json_object_array_get_idx(quotas, i);
		const char *metric = json_get_string(q, "metric");

		if (!metric)
			return error_set(err, ERR_PROTOCOL, "%s: a quota has no name", l->call->operation);
		if (only && strcmp(only, service_of(metric)) != 0)
			continue;
		r = add(l, service_of(metric), metric, metric, json_get(q, "usage"), json_get(q, "limit"),
			strstr(metric, "_GB") ? "GiB" : NULL, err);
	}
	return r;
}

static int each_region(void *arg, struct json_object *region, struct error *err)
{
	struct quota_list *l = arg;

	l->region = json_get_string(region, "name");
	return add_quotas(l, json_get_array(region, "quotas"), err);
}

static const struct rest_row get_project = { .service = "compute", .path = "projects/{project}", .item = "" };
static const struct rest_row get_region = { .service = "compute", .path = "projects/{project}/regions/{region}", .item = "" };
static const struct rest_page by_token = { REST_PAGE_TOKEN, REST_QUERY, "pageToken", "nextPageToken", "maxResults", 500, 0 };
static const struct rest_row list_regions = { .service = "compute", .path = "projects/{project}/regions", .items = "items", .page = &by_token };

static int by_place(struct quota_list *l, struct error *err)
{
	CLEANUP(json_putp) struct json_object *project = NULL;
	CLEANUP(json_putp) struct json_object *region = NULL;
	CLEANUP(freep) char *name = NULL;
	struct cloud_call ask = *l->call;
	int r;

	ask.shape = NULL;
	r = rest_run(&ask, &get_project, &project, err);
	if (r == 0)
		r = add_quotas(l, json_get_array(project, "quotas"), err);
	if (r != 0)
		return r;
	if (l->call->cloud->driver->variable(l->call, "region", &name, err) < 0) { /* none is set: all */
		*err = ERROR_INIT;
		return rest_each(&ask, &list_regions, each_region, l, err);
	}
	r = rest_run(&ask, &get_region, &region, err);
	return r < 0 ? r : each_region(l, region, err);
}

/* ---- Service Usage ---- */

static const struct rest_page by_size = { REST_PAGE_TOKEN, REST_QUERY, "pageToken", "nextPageToken", "pageSize", 100, 0 };
static const struct rest_field metric_fields[] = { { NULL, "view", REST_QUERY, "BASIC" }, { .place = NULL } };
static const struct rest_row list_metrics = { .service = "service-usage", .path = "projects/{project}/services/{code}/consumerQuotaMetrics",
	.fields = metric_fields, .items = "metrics", .page = &by_size };

static int add_buckets(struct quota_list *l, struct json_object *metric, struct json_object *limit, struct error *err)
{
	struct json_object *buckets = json_get_array(limit, "quotaBuckets");
	int r = 0;

	for (size_t i = 0; buckets && i < json_object_array_length(buckets) && r == 0; i++) {
		struct json_object *bucket = json_object_array_get_idx(buckets, i);
		const char *zone = json_get_string(bucket, "dimensions.zone");

		l->region = zone ? zone : json_get_string(bucket, "dimensions.region");
		r = add(l, cloud_param(l->call, "code"), json_get_string(limit, "metric"), json_get_string(metric, "displayName"), NULL,
			json_get(bucket, "effectiveLimit"), json_get_string(limit, "unit"), err);
	}
	return r;
}

static int each_metric(void *arg, struct json_object *metric, struct error *err)
{
	struct quota_list *l = arg;
	struct json_object *limits = json_get_array(metric, "consumerQuotaLimits");
	int r = 0;

	for (size_t i = 0; limits && i < json_object_array_length(limits) && r == 0; i++)
		r = add_buckets(l, metric, json_object_array_get_idx(limits, i), err);
	return r;
}

static int quotas_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	struct quota_list l = { .call = call, .list = json_object_new_array() };
	int r;

	if (!l.list)
		return error_no_memory(err);
	r = cloud_param(call, "code") ? rest_each(call, &list_metrics, each_metric, &l, err) : by_place(&l, err);
	if (r < 0)
		json_object_put(l.list);
	else
		*ret = l.list;
	return r < 0 ? r : 0;
}

static int quotas_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	struct json_object *list = NULL;
	int r = quotas_list(call, &list, err);

	return r < 0 ? r : metering_find_quota(call, list, ret, err);
}

const struct metering_ops gcp_metering = {
	.quotas_list = { .run = quotas_list },
	.quotas_get = { .run = quotas_get },
	.costs_list = { .run = gcp_costs },
	.budgets_list = { .run = gcp_budgets },
	.account = { .row = &gcp_get_account },
	.services_list = { .row = &gcp_list_services },
	.prices_list = { .row = &gcp_list_prices },
};
