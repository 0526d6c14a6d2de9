/*
 * What it costs, by CloudKitty: summaries and data frames of its API's second version. It has no currency.
 *
 * Source: docs.openstack.org/cloudkitty/latest/api-reference/v2 (summary, dataframes: pages by `offset` and `limit`, `total` tells how
 *	many there are), read 2026-11. Days and months are asked one by one: what its own words for grouping by time give back depends on
 *	the release.
 */
#include "backends/openstack/openstack_metering.h"

#include <stdio.h>

#define PAGE_SIZE 1000
#define PAGES_MAX 100000

/* ---- pages ---- */

struct frames {
	struct cloud_call *call;
	const struct metering_period *period;
	const struct cost_by *by; /* NULL: details */
	struct json_object *list;
	uint64_t seen; /* of what `total` counts */
	bool is_full;  /* as many as were wanted */
};
typedef int take_fn(struct frames *f, struct json_object *answer, struct error *err);

static int put_number(struct service_request *q, const char *name, uint64_t n, struct error *err)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	return http_query_add(&q->query, name, text, err);
}

static int put_day(struct service_request *q, const char *name, const char *day, struct error *err)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%.10sT00:00:00+00:00", day);
	return http_query_add(&q->query, name, text, err);
}

static const char *attribute_of(const struct cost_by *by, size_t i)
{
	static const char *const names[COST_DIMENSIONS] = {
		[COST_SERVICE] = "type", [COST_REGION] = "region", [COST_ACCOUNT] = "project_id", [COST_RESOURCE] = "id",
	};

	return by->by[i].dimension == COST_TAG ? by->by[i].tag : names[by->by[i].dimension];
}

static int ask_page(struct frames *f, const struct service *service, const char *path, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	int r = put_day(&q, "begin", f->period->from, err);

	q.method = HTTP_GET;
	q.path = path;
	if (r >= 0)
		r = put_day(&q, "end", f->period->until, err);
	for (size_t i = 0; f->by && i < f->by->count && r >= 0; i++)
		r = http_query_add(&q.query, "groupby", attribute_of(f->by, i), err);
	if (r >= 0)
		r = put_number(&q, "offset", f->seen, err);
	if (r >= 0)
		r = put_number(&q, "limit", f->call->page_size ? f->call->page_size : PAGE_SIZE, err);
	return r < 0 ? r : service_json(f->call, service, &q, ret, err);
}

static int all_pages(struct frames *f, const char *path, take_fn *take, struct error *err)
{
	const struct service *service = NULL;
	int r = openstack_service(f->call, "rating", &service, err);

	f->seen = 0;
	for (unsigned page = 0; r == 0 && !f->is_full; page++) {
		CLEANUP(json_putp) struct json_object *answer = NULL;
		uint64_t before = f->seen;
		int64_t total;

		if (page == PAGES_MAX)
			return error_set(err, ERR_PROTOCOL, "%s: the list does not end", f->call->operation);
		r = ask_page(f, service, path, &answer, err);
		if (r < 0)
			return r;
		total = json_get_int64(answer, "total", -1);
		if (total < 0)
			return error_set(err, ERR_PROTOCOL, "%s: the answer has no total", f->call->operation);
		r = take(f, answer, err);
		if (r == 0 && !f->is_full && f->seen == before && f->seen < (uint64_t)total)
			return error_set(err, ERR_PROTOCOL, "%s: a page is empty before the end", f->call->operation);
		if (f->seen >= (uint64_t)total)
			break;
	}
	return r;
}

static int add(struct frames *f, struct json_object *flat, struct error *err)
{
	int r = metering_add(f->call, flat, &f->list, err);

	f->is_full = r == 1;
	return r < 0 ? r : 0;
}

/* ---- summaries ---- */

/* The value of a row's column. */
static struct json_object *cell(struct json_object *columns, struct json_object *row, const char *name)
{
	for (size_t i = 0; i < json_object_array_length(columns); i++) {
		const char *column = json_object_get_string(json_object_array_get_idx(columns, i));

		if (column && !strcmp(column, name))
			return json_object_array_get_idx(row, i);
	}
	return NULL;
}

static int add_summary(struct frames *f, struct json_object *columns, struct json_object *row, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct json_object *rate = json_object_is_type(row, json_type_array) ? cell(columns, row, "rate") : NULL;
	int r = o ? metering_put(o, "from", f->period->from, err) : error_no_memory(err);

	if (r == 0 && !rate)
		return error_set(err, ERR_PROTOCOL, "%s: a summary has no rate", f->call->operation);
	if (r == 0)
		r = metering_put(o, "until", f->period->until, err);
	for (size_t i = 0; i < f->by->count && r == 0; i++) {
		struct json_object *value = cell(columns, row, attribute_of(f->by, i));
		const char *text = value ? json_object_get_string(value) : NULL;

		r = metering_put(o, cost_dimension_name(f->by->by[i].dimension), text && *text ? text : NULL, err);
	}
	if (r == 0)
		r = metering_put_money(o, "amount", rate, err);
	return r < 0 ? r : add(f, o, err);
}

static int take_summary(struct frames *f, struct json_object *answer, struct error *err)
{
	struct json_object *columns = json_get_array(answer, "columns"), *results = json_get_array(answer, "results");
	int r = 0;

	if (!columns || !results)
		return error_set(err, ERR_PROTOCOL, "%s: the answer has no columns", f->call->operation);
	for (size_t i = 0; i < json_object_array_length(results) && r == 0 && !f->is_full; i++)
		r = add_summary(f, columns, json_object_array_get_idx(results, i), err);
	f->seen += json_object_array_length(results);
	return r;
}

int cloudkitty_costs(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	struct metering_period whole, part = { .from = "" };
	struct cost_by by;
	struct frames f = { .call = call, .period = &part, .by = &by, .list = json_object_new_array() };
	int r = f.list ? metering_period_read(call->params, &whole, err) : error_no_memory(err);

	if (r == 0)
		r = cost_by_read(call->params, &by, err);
	while (r == 0 && !f.is_full && metering_period_next(&whole, by.is_daily, &part))
		r = all_pages(&f, "/summary", take_summary, err);
	if (r < 0)
		json_object_put(f.list);
	else
		*ret = f.list;
	return r;
}

/* ---- data frames ---- */

static int add_point(struct frames *f, struct json_object *frame, const char *type, struct json_object *point, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct json_object *price = json_get(point, "rating.price");
	const char *name = json_get_string(point, json_get(point, "metadata.name") ? "metadata.name" : "metadata.flavor_name");
	int r = o ? metering_put(o, "from", json_get_string(frame, "period.begin"), err) : error_no_memory(err);

	if (r == 0 && !price)
		return error_set(err, ERR_PROTOCOL, "%s: a data frame has no price", f->call->operation);
	if (r == 0)
		r = metering_put(o, "until", json_get_string(frame, "period.end"), err);
	if (r == 0)
		r = metering_put(o, "service", type, err);
	if (r == 0)
		r = metering_put(o, "resource", json_get_string(point, "groupby.id"), err);
	if (r == 0)
		r = metering_put(o, "name", name, err);
	if (r == 0)
		r = metering_put_number(o, "quantity", json_get(point, "vol.qty"), err);
	if (r == 0)
		r = metering_put(o, "unit", json_get_string(point, "vol.unit"), err);
	if (r == 0)
		r = metering_put_money(o, "amount", price, err);
	return r < 0 ? r : add(f, o, err);
}

static int take_frame(struct frames *f, struct json_object *frame, struct error *err)
{
	struct json_object *usage = json_get(frame, "usage");
	int r = 0;

	if (!json_object_is_type(usage, json_type_object))
		return error_set(err, ERR_PROTOCOL, "%s: a data frame has no usage", f->call->operation);
	json_object_object_foreach(usage, type, points)
	{
		size_t count = json_object_is_type(points, json_type_array) ? json_object_array_length(points) : 0;

		for (size_t i = 0; i < count && r == 0 && !f->is_full; i++)
			r = add_point(f, frame, type, json_object_array_get_idx(points, i), err);
		f->seen += count;
	}
	return r;
}

static int take_frames(struct frames *f, struct json_object *answer, struct error *err)
{
	struct json_object *frames = json_get_array(answer, "dataframes");
	int r = frames ? 0 : error_set(err, ERR_PROTOCOL, "%s: the answer has no data frames", f->call->operation);

	for (size_t i = 0; r == 0 && !f->is_full && i < json_object_array_length(frames); i++)
		r = take_frame(f, json_object_array_get_idx(frames, i), err);
	return r;
}

int cloudkitty_details(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	struct metering_period period;
	struct frames f = { .call = call, .period = &period, .list = json_object_new_array() };
	int r = f.list ? metering_period_read(call->params, &period, err) : error_no_memory(err);

	if (r == 0)
		r = all_pages(&f, "/dataframes", take_frames, err);
	if (r < 0)
		json_object_put(f.list);
	else
		*ret = f.list;
	return r;
}
