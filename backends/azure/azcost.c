/*
 * What is spent at Azure and what may be used: Cost Management's query and forecast, Consumption's budgets and details, usages of
 * Compute and Network.
 *
 * Source: learn.microsoft.com/rest/api/cost-management/query and /forecast (2023-11-01), /consumption/budgets and /usagedetails
 *	(2023-05-01: records of the kinds "legacy" and "modern"), /compute/usage, /virtualnetwork/usages (read 2026-11). A query groups by
 *	two things; rows are lists whose columns stand beside them, days the number 20261123. Forecasts are asked day by day and summed
 *	here.
 */
#include "backends/azure/arm_rows.h"
#include "backends/cloud/metering.h"

#include <stdio.h>
#include <strings.h>

#define PROVIDER_PATH "subscriptions/{subscription}/providers/Microsoft."

/* ---- questions of costs ---- */

struct answer_row {
	struct json_object *columns, *cells;
};

/* The cell of the column that is named so, in any case; NULL: there is none. */
static struct json_object *cell(const struct answer_row *row, const char *name)
{
	for (size_t i = 0; i < json_object_array_length(row->columns); i++) {
		const char *column = json_get_string(json_object_array_get_idx(row->columns, i), "name");

		if (column && !strcasecmp(column, name))
			return json_object_array_get_idx(row->cells, i);
	}
	return NULL;
}

static int put(struct service_request *q, const char *place, const char *text, struct error *err)
{
	struct json_object *value = json_object_new_string(text);

	return value ? rest_put(&q->json, place, value, err) : error_no_memory(err);
}

static int put_time(struct service_request *q, const char *place, const char *day, const char *time, struct error *err)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%.10sT%sZ", day, time);
	return put(q, place, text, err);
}

static int begin(struct service_request *q, const struct metering_period *period, bool is_daily, struct error *err)
{
	int r = put(q, "type", "ActualCost", err);

	q->method = HTTP_POST;
	q->is_read = true;
	if (r == 0)
		r = put(q, "timeframe", "Custom", err);
	if (r == 0)
		r = put_time(q, "timePeriod.from", period->from, "00:00:00", err);
	if (r == 0)
		r = put_time(q, "timePeriod.to", period->last, "23:59:59", err);
	if (r == 0)
		r = put(q, "dataset.granularity", is_daily ? "Daily" : "Monthly", err);
	if (r == 0)
		r = put(q, "dataset.aggregation.totalCost.name", "Cost", err);
	return r < 0 ? r : put(q, "dataset.aggregation.totalCost.function", "Sum", err);
}

static const char *const columns_of[COST_DIMENSIONS] = {
	[COST_SERVICE] = "ServiceName", [COST_REGION] = "ResourceLocation", [COST_ACCOUNT] = "SubscriptionId", [COST_RESOURCE] = "ResourceId",
};

static int put_by(struct service_request *q, const struct cost_by *by, struct error *err)
{
	char place[48];
	int r = 0;

	for (size_t i = 0; i < by->count && r == 0; i++) {
		bool is_tag = by->by[i].dimension == COST_TAG;

		(void)snprintf(place, sizeof place, "dataset.grouping.%zu.type", i);
		r = put(q, place, is_tag ? "TagKey" : "Dimension", err);
		(void)snprintf(place, sizeof place, "dataset.grouping.%zu.name", i);
		if (r == 0)
			r = put(q, place, is_tag ? by->by[i].tag : columns_of[by->by[i].dimension], err);
	}
	return r;
}

typedef int row_fn(void *arg, const struct answer_row *row, struct error *err);
struct asking {
	row_fn *each;
	void *arg;
};

/* The answer is one thing with columns and rows: each page is handed out whole. */
static int each_page(void *arg, struct json_object *properties, struct error *err)
{
	struct asking *a = arg;
	struct answer_row row = { .columns = json_get_array(properties, "columns") };
	struct json_object *rows = json_get_array(properties, "rows");
	int r = 0;

	if (!row.columns || !rows)
		return error_set(err, ERR_PROTOCOL, "the answer has no columns or no rows");
	for (size_t i = 0; i < json_object_array_length(rows) && r == 0; i++) {
		row.cells = json_object_array_get_idx(rows, i);
		if (!json_object_is_type(row.cells, json_type_array))
			return error_set(err, ERR_PROTOCOL, "a row of the answer is no list");
		r = a->each(a->arg, &row, err);
	}
	return r;
}

static int ask(struct cloud_call *call, const char *what, struct service_request *q, row_fn *each, void *arg, struct error *err)
{
	static const struct rest_page page = { REST_PAGE_URL, REST_QUERY, NULL, "properties.nextLink", NULL, 0, 0 };
	CLEANUP(freep) char *pattern = str_format(PROVIDER_PATH "CostManagement/%s", what);
	CLEANUP(freep) char *path = NULL;
	struct asking a = { each, arg };
	const struct service *service = NULL;
	int r = pattern ? rest_path(call, pattern, &path, err) : error_no_memory(err);

	if (r == 0)
		r = call->cloud->driver->service(call, "cost-management", &service, err);
	q->path = path;
	return r < 0 ? r : rest_pages(call, service, q, "properties", &page, each_page, &a, err);
}

/* 20261123 or "2026-11-01T00:00:00" as "2026-11-23". */
static int read_day(struct json_object *value, char ret[DAY_LEN + 1], struct error *err)
{
	const char *text = value ? json_object_get_string(value) : "";
	size_t len = strlen(text);

	if (len == 8 && strspn(text, "0123456789") == 8)
		(void)snprintf(ret, DAY_LEN + 1, "%.4s-%.2s-%.2s", text, text + 4, text + 6);
	else if (len >= DAY_LEN && text[4] == '-' && text[7] == '-')
		(void)snprintf(ret, DAY_LEN + 1, "%.10s", text);
	else
		return error_set(err, ERR_PROTOCOL, "'%.40s' is no day", text);
	return 0;
}

struct cost_list {
	struct cloud_call *call;
	const struct cost_by *by;
	const struct metering_period *whole;
	struct json_object *list;
};

/* The day or month in which a day lies, within what was asked. */
static int period_of(const struct metering_period *whole, bool is_daily, const char *day, struct metering_period *ret, struct error *err)
{
	*ret = (struct metering_period){ .from = "" };
	while (metering_period_next(whole, is_daily, ret))
		if (strcmp(day, ret->last) <= 0 && (is_daily ? strcmp(day, ret->from) >= 0 : strncmp(day, ret->from, 7) >= 0))
			return 0;
	return error_set(err, ERR_PROTOCOL, "the answer tells of %s, which was not asked for", day);
}

static int add_cost(void *arg, const struct answer_row *row, struct error *err)
{
	struct cost_list *c = arg;
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct json_object *amount = cell(row, "totalCost"), *time = cell(row, c->by->is_daily ? "UsageDate" : "BillingMonth");
	struct json_object *currency = cell(row, "Currency");
	struct metering_period period;
	char day[DAY_LEN + 1];
	int r = o ? read_day(time, day, err) : error_no_memory(err);

	if (!amount) /* some answers name the column by what is summed */
		amount = cell(row, "Cost");
	if (r == 0 && !amount)
		r = error_set(err, ERR_PROTOCOL, "the answer has no column for the cost");
	if (r == 0)
		r = period_of(c->whole, c->by->is_daily, day, &period, err);
	if (r == 0)
		r = metering_put(o, "from", period.from, err);
	if (r == 0)
		r = metering_put(o, "until", period.until, err);
	for (size_t i = 0; i < c->by->count && r == 0; i++) {
		bool is_tag = c->by->by[i].dimension == COST_TAG;
		struct json_object *value = cell(row, is_tag ? "TagValue" : columns_of[c->by->by[i].dimension]);
		const char *text = value ? json_object_get_string(value) : NULL;

		r = metering_put(o, cost_dimension_name(c->by->by[i].dimension), text && *text ? text : NULL, err);
	}
	if (r == 0)
		r = metering_put_money(o, "amount", amount, err);
	if (r == 0)
		r = metering_put(o, "currency", currency ? json_object_get_string(currency) : NULL, err);
	return r < 0 ? r : metering_add(c->call, o, &c->list, err);
}

static int costs_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	struct metering_period period;
	struct cost_by by;
	struct cost_list c = { call, &by, &period, json_object_new_array() };
	int r = c.list ? metering_period_read(call->params, &period, err) : error_no_memory(err);

	if (r == 0)
		r = cost_by_read(call->params, &by, err);
	if (r == 0)
		r = begin(&q, &period, by.is_daily, err);
	if (r == 0)
		r = put_by(&q, &by, err);
	if (r == 0)
		r = ask(call, "query", &q, add_cost, &c, err);
	if (r < 0)
		json_object_put(c.list);
	else
		*ret = c.list;
	return r < 0 ? r : 0;
}

/* ---- forecasts ---- */

#define FORECAST_PARTS 1200
struct forecast {
	const struct metering_period *whole;
	bool is_daily;
	size_t count;
	struct forecast_part {
		struct metering_period period;
		struct decimal amount;
		char currency[16];
	} parts[FORECAST_PARTS];
};

static struct forecast_part *part_of(struct forecast *f, const struct metering_period *period, const char *currency)
{
	struct forecast_part *p = NULL;

	for (size_t i = 0; i < f->count; i++)
		if (!strcmp(f->parts[i].period.from, period->from) && !strncmp(f->parts[i].currency, currency, sizeof p->currency - 1))
			return &f->parts[i];
	if (f->count == FORECAST_PARTS)
		return NULL;
	p = &f->parts[f->count++];
	p->period = *period;
	(void)snprintf(p->currency, sizeof p->currency, "%s", currency);
	return p;
}

static int take_forecast(void *arg, const struct answer_row *row, struct error *err)
{
	struct forecast *f = arg;
	struct json_object *amount = cell(row, "totalCost"), *currency = cell(row, "Currency");
	struct decimal value = DECIMAL_ZERO;
	struct metering_period period;
	struct forecast_part *part;
	char day[DAY_LEN + 1];
	int r = read_day(cell(row, "UsageDate"), day, err);

	if (!amount)
		amount = cell(row, "Cost");
	if (r == 0)
		r = metering_decimal(amount, &value, err);
	if (r == 0)
		r = period_of(f->whole, f->is_daily, day, &period, err);
	if (r < 0)
		return r;
	part = part_of(f, &period, currency ? json_object_get_string(currency) : "");
	if (!part || decimal_add(&part->amount, &value) < 0)
		return error_set(err, ERR_PROTOCOL, "the forecast is not credible");
	return 0;
}

static int add_part(struct cloud_call *call, const struct forecast_part *part, struct json_object **list, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	int r = o ? metering_put(o, "from", part->period.from, err) : error_no_memory(err);

	if (r == 0)
		r = metering_put(o, "until", part->period.until, err);
	if (r == 0)
		r = metering_put_sum(o, "amount", &part->amount, 2, err);
	if (r == 0)
		r = metering_put(o, "currency", *part->currency ? part->currency : NULL, err);
	if (r == 0)
		json_object_object_add(o, "estimated", json_object_new_boolean(true));
	return r < 0 ? r : metering_add(call, o, list, err);
}

static int costs_forecast(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(freep) struct forecast *f = calloc(1, sizeof *f);
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	struct metering_period period;
	struct cost_by by;
	int r = f && list ? metering_period_ahead(call->params, &period, err) : error_no_memory(err);

	if (r == 0)
		r = cost_by_read(call->params, &by, err);
	if (r == 0)
		r = begin(&q, &period, true, err);
	if (r == 0)
		r = rest_put(&q.json, "includeActualCost", json_object_new_boolean(false), err);
	if (r == 0)
		r = rest_put(&q.json, "includeFreshPartialCost", json_object_new_boolean(false), err);
	if (r < 0)
		return r;
	f->whole = &period;
	f->is_daily = by.is_daily;
	r = ask(call, "forecast", &q, take_forecast, f, err);
	for (size_t i = 0; i < f->count && r == 0; i++)
		r = add_part(call, &f->parts[i], &list, err);
	if (r >= 0)
		*ret = steal(list);
	return r < 0 ? r : 0;
}

/* ---- details and budgets ---- */

static const struct record_source detail_map[] = {
	{ "from", "properties.date", NULL, NULL },
	{ "service", "properties.meterDetails.meterCategory|properties.meterCategory|properties.consumedService", NULL, NULL },
	{ "resource", "properties.resourceId|properties.instanceName", NULL, NULL },
	{ "name", "properties.meterDetails.meterName|properties.meterName|properties.product", NULL, NULL },
	{ "quantity", "properties.quantity", NULL, NULL },
	{ "unit", "properties.meterDetails.unitOfMeasure|properties.unitOfMeasure", NULL, NULL },
	{ "amount", "properties.costInBillingCurrency|properties.cost", NULL, metering_make_money },
	{ "currency", "properties.billingCurrencyCode|properties.billingCurrency", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct rest_page detail_page = { REST_PAGE_URL, REST_QUERY, NULL, "nextLink", "$top", 1000, 0 };
static const struct rest_field detail_fields[] = {
	{ NULL, "$expand", REST_QUERY, "properties/meterDetails" },
	{ NULL, "$filter", REST_QUERY, .format = "properties/usageStart ge '{_from}' and properties/usageEnd le '{_last}'" },
	{ .place = NULL },
};
static const struct rest_row list_details = { .service = "consumption", .path = PROVIDER_PATH "Consumption/usageDetails", .fields = detail_fields,
	.items = "value", .page = &detail_page, .record = detail_map };

static int costs_details(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	struct cloud_call dated = *call;
	struct metering_period period;
	int r = metering_period_read(call->params, &period, err);

	if (r < 0)
		return r;
	dated.params = NULL;
	if (json_object_deep_copy(call->params, &dated.params, NULL) != 0)
		return error_no_memory(err);
	json_object_object_add(dated.params, "_from", json_object_new_string(period.from));
	json_object_object_add(dated.params, "_last", json_object_new_string(period.last));
	r = rest_run(&dated, &list_details, ret, err);
	json_object_put(dated.params);
	return r;
}

static const struct record_word budget_periods[] = {
	{ "Monthly", "month" }, { "Quarterly", "quarter" }, { "Annually", "year" }, { "BillingMonth", "month" }, { "BillingQuarter", "quarter" },
	{ "BillingAnnual", "year" }, { NULL, NULL },
};
static const struct record_source budget_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "period", "properties.timeGrain", budget_periods, NULL },
	{ "amount", "properties.amount", NULL, metering_make_money },
	{ "spent", "properties.currentSpend.amount", NULL, metering_make_money },
	{ "forecast", "properties.forecastSpend.amount", NULL, metering_make_money },
	{ "currency", "properties.currentSpend.unit", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct rest_row list_budgets = { .service = "consumption", .path = PROVIDER_PATH "Consumption/budgets", .items = "value",
	.page = &arm_page, .record = budget_map };

/* ---- quotas ---- */

static const struct rest_row compute_usages = { .service = "compute", .path = PROVIDER_PATH "Compute/locations/{location}/usages",
	.items = "value", .page = &arm_page };
static const struct rest_row network_usages = { .service = "network", .path = PROVIDER_PATH "Network/locations/{location}/usages",
	.items = "value", .page = &arm_page };

struct quota_list {
	struct cloud_call *call;
	bool is_network, is_full;
	struct json_object *list;
};

/* Disks and snapshots are counted among what Compute has. */
static const char *service_of(const struct quota_list *l, const char *name)
{
	if (l->is_network)
		return "network";
	return strcasestr(name, "disk") || strcasestr(name, "snapshot") ? "volume" : "compute";
}

static int take_usage(void *arg, struct json_object *usage, struct error *err)
{
	struct quota_list *l = arg;
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	const char *id = json_get_string(usage, "name.value"), *unit = json_get_string(usage, "unit");
	const char *only = cloud_param(l->call, "service"), *name = json_get_string(usage, "name.localizedValue");
	int r = o ? 0 : error_no_memory(err);

	if (r == 0 && !id)
		return error_set(err, ERR_PROTOCOL, "%s: a usage has no name", l->call->operation);
	if (only && strcmp(only, service_of(l, id)) != 0)
		return 0;
	if (r == 0)
		r = metering_put(o, "service", service_of(l, id), err);
	if (r == 0)
		r = metering_put(o, "id", id, err);
	if (r == 0)
		r = metering_put(o, "name", name ? name : id, err);
	if (r == 0)
		r = metering_put(o, "region", l->call->cloud->region, err);
	if (r == 0)
		r = metering_put_number(o, "used", json_get(usage, "currentValue"), err);
	if (r == 0)
		r = metering_put_number(o, "limit", json_get(usage, "limit"), err);
	if (r == 0)
		r = metering_put(o, "unit", unit && strcmp(unit, "Count") != 0 ? unit : NULL, err);
	if (r == 0)
		r = metering_add(l->call, o, &l->list, err);
	l->is_full = r == 1;
	return r;
}

static int quotas_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *only = cloud_param(call, "service");
	struct quota_list l = { .call = call };
	bool wants_network = !only || !strcmp(only, "network");
	int r = 0;

	if (cloud_param(call, "code"))
		return error_set(err, ERR_UNSUPPORTED, "%s: parameter 'code' is not supported by %s", call->operation, call->cloud->name);
	l.list = json_object_new_array();
	if (!l.list)
		return error_no_memory(err);
	if (!only || strcmp(only, "network") != 0)
		r = rest_each(call, &compute_usages, take_usage, &l, err);
	l.is_network = true;
	if (r >= 0 && wants_network && !l.is_full)
		r = rest_each(call, &network_usages, take_usage, &l, err);
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

const struct metering_ops azure_metering = {
	.quotas_list = { .run = quotas_list },
	.quotas_get = { .run = quotas_get },
	.costs_list = { .run = costs_list },
	.costs_details = { .run = costs_details },
	.costs_forecast = { .run = costs_forecast },
	.budgets_list = { .row = &list_budgets },
};
