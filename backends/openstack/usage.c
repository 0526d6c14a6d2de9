/*
 * What a project used: hours of machines by Nova's os-simple-tenant-usage; what there is now of volumes, networks and objects.
 *
 * Source: docs.openstack.org/api-ref/compute (os-simple-tenant-usage; pages since microversion 2.40, whose totals are those of the page
 *	only, so that they are summed here), /object-store (HEAD of the account), read 2026-11.
 */
#include "backends/openstack/openstack_metering.h"

static const struct rest_page usage_page = { REST_PAGE_URL, REST_QUERY, NULL, "tenant_usage_links", "limit", 1000, 0 };
static const struct rest_field usage_fields[] = {
	{ NULL, "start", REST_QUERY, .format = "{_from}T00:00:00" },
	{ NULL, "end", REST_QUERY, .format = "{_until}T00:00:00" },
	{ .place = NULL },
};
static const struct rest_row server_usage = { .service = "compute", .path = "os-simple-tenant-usage/{own_project}", .fields = usage_fields,
	.items = "tenant_usage.server_usages", .page = &usage_page };

struct hours {
	size_t instances;
	struct decimal instance, vcpu, memory, disk;
};

/* *sum += hours * the member */
static int add_hours(struct decimal *sum, const struct decimal *hours, struct json_object *usage, const char *member)
{
	struct decimal more = *hours;
	int64_t times = member ? json_get_int64(usage, member, 0) : 1;
	int r = times < 0 ? -ERANGE : decimal_times(&more, times);

	return r < 0 ? r : decimal_add(sum, &more);
}

static int take_server(void *arg, struct json_object *usage, struct error *err)
{
	struct hours *h = arg;
	struct decimal hours = DECIMAL_ZERO;
	int r = metering_decimal(json_get(usage, "hours"), &hours, err);

	if (r < 0)
		return r;
	h->instances++;
	if (add_hours(&h->instance, &hours, usage, NULL) < 0 || add_hours(&h->vcpu, &hours, usage, "vcpus") < 0 ||
	    add_hours(&h->memory, &hours, usage, "memory_mb") < 0 || add_hours(&h->disk, &hours, usage, "local_gb") < 0)
		return error_set(err, ERR_PROTOCOL, "the hours of a machine are not credible");
	return 0;
}

/* The list of Nova for a period. */
static int each_server(struct cloud_call *call, const struct metering_period *period, rest_each_fn *each, void *arg, struct error *err)
{
	struct cloud_call ask = *call;
	int r;

	ask.params = json_object_new_object();
	if (!ask.params)
		return error_no_memory(err);
	json_object_object_add(ask.params, "_from", json_object_new_string(period->from));
	json_object_object_add(ask.params, "_until", json_object_new_string(period->until));
	r = rest_each(&ask, &server_usage, each, arg, err);
	json_object_put(ask.params);
	return r < 0 ? r : 0;
}

/* period: NULL: now */
static int add(struct cloud_call *call, const char *service, const char *name, struct json_object *used, const char *unit,
	       const struct metering_period *period, struct json_object **list, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	int r = o ? metering_put(o, "service", service, err) : error_no_memory(err);

	if (r == 0)
		r = metering_put(o, "name", name, err);
	if (r == 0)
		r = metering_put_number(o, "used", used, err);
	if (r == 0)
		r = metering_put(o, "unit", unit, err);
	if (r == 0 && period)
		r = metering_put(o, "from", period->from, err);
	if (r == 0 && period)
		r = metering_put(o, "until", period->until, err);
	return r < 0 ? r : metering_add(call, o, list, err);
}

static int add_sum(struct cloud_call *call, const char *name, const struct decimal *sum, const char *unit,
		   const struct metering_period *period, struct json_object **list, struct error *err)
{
	CLEANUP(json_putp) struct json_object *value = NULL;
	char text[DECIMAL_TEXT_MAX];

	decimal_format(sum, 0, text);
	value = json_object_new_string(text);
	return value ? add(call, "compute", name, value, unit, period, list, err) : error_no_memory(err);
}

static int compute_usage(struct cloud_call *call, const struct metering_period *period, struct json_object **list, struct error *err)
{
	struct hours h = { .instances = 0 };
	struct cloud_call ask = *call;
	struct decimal count;
	int r;

	ask.shape = NULL;
	ask.limit = 0;
	r = each_server(&ask, period, take_server, &h, err);
	count = (struct decimal){ .units = (__int128)h.instances };
	if (r == 0)
		r = add_sum(call, "instances", &count, NULL, period, list, err);
	if (r == 0)
		r = add_sum(call, "instance-hours", &h.instance, "h", period, list, err);
	if (r == 0)
		r = add_sum(call, "vcpu-hours", &h.vcpu, "h", period, list, err);
	if (r == 0)
		r = add_sum(call, "memory-hours", &h.memory, "MiB h", period, list, err);
	if (r == 0)
		r = add_sum(call, "disk-hours", &h.disk, "GiB h", period, list, err);
	return r;
}

/* What the quotas tell to be used. */
static int quota_usage(struct cloud_call *call, const char *service, struct json_object **list, struct error *err)
{
	CLEANUP(json_putp) struct json_object *quotas = NULL;
	struct cloud_call ask = *call;
	int r;

	ask.shape = &shape_quota;
	ask.limit = 0;
	ask.params = json_object_new_object();
	if (!ask.params)
		return error_no_memory(err);
	json_object_object_add(ask.params, "service", json_object_new_string(service));
	r = openstack_quotas(&ask, &quotas, err);
	json_object_put(ask.params);
	for (size_t i = 0; r == 0 && i < json_object_array_length(quotas); i++) {
		struct json_object *q = json_object_array_get_idx(quotas, i), *used = json_get(q, "used");

		if (used)
			r = add(call, service, json_get_string(q, "name"), used, json_get_string(q, "unit"), NULL, list, err);
	}
	return r;
}

static int object_usage(struct cloud_call *call, struct json_object **list, struct error *err)
{
	static const struct {
		const char *header, *name, *unit;
	} rows[] = {
		{ "X-Account-Container-Count", "containers", NULL },
		{ "X-Account-Object-Count", "objects", NULL },
		{ "X-Account-Bytes-Used", "size", "bytes" },
	};
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(service_answer_release) struct service_answer answer = SERVICE_ANSWER_INIT;
	const struct service *service = NULL;
	int r = openstack_service(call, "object-store", &service, err);

	q.method = HTTP_HEAD;
	if (r == 0)
		r = service_call(call, service, &q, &answer, err);
	for (size_t i = 0; i < ARRAY_SIZE(rows) && r == 0; i++) {
		const char *text = http_fields_get(&answer.headers, rows[i].header);
		CLEANUP(json_putp) struct json_object *value = text ? json_object_new_string(text) : NULL;

		if (value)
			r = add(call, "object-storage", rows[i].name, value, rows[i].unit, NULL, list, err);
	}
	return r;
}

/* A service that the cloud does not have used nothing. */
int openstack_usage(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const char *const names[] = { "compute", "volume", "network", "object-storage" };
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	const char *only = cloud_param(call, "service");
	struct metering_period period;
	int r = list ? metering_period_read(call->params, &period, err) : error_no_memory(err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++) {
		if (only && strcmp(only, names[i]) != 0)
			continue;
		if (i == 0)
			r = compute_usage(call, &period, &list, err);
		else
			r = i == 3 ? object_usage(call, &list, err) : quota_usage(call, names[i], &list, err);
		if (r < 0 && !only && (err->kind == ERR_NOT_FOUND || err->kind == ERR_UNSUPPORTED)) {
			*err = ERROR_INIT;
			r = 0;
		}
	}
	if (r >= 0)
		*ret = steal(list);
	return r < 0 ? r : 0;
}

/* ---- machines, one by one ---- */

static struct json_object *make_instance(struct json_object *usage)
{
	(void)usage; /* Nova has no other */
	return json_object_new_string("instance");
}

static const struct record_source metered_map[] = {
	{ "id", "instance_id", NULL, NULL },
	{ "type", "", NULL, make_instance },
	{ "name", "name", NULL, NULL },
	{ "project", "tenant_id", NULL, NULL },
	{ "hours", "hours", NULL, NULL },
	{ "started", "started_at", NULL, NULL },
	{ "ended", "ended_at", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

struct metered_list {
	struct cloud_call *call;
	struct json_object *list;
};

static int take_metered(void *arg, struct json_object *usage, struct error *err)
{
	struct metered_list *m = arg;

	return cloud_list_add(m->call, metered_map, usage, &m->list, err);
}

int nova_metered(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	struct metered_list m = { call, json_object_new_array() };
	struct metering_period period;
	int r = m.list ? metering_period_read(NULL, &period, err) : error_no_memory(err);

	if (r == 0)
		r = each_server(call, &period, take_metered, &m, err);
	if (r < 0)
		json_object_put(m.list);
	else
		*ret = m.list;
	return r;
}
