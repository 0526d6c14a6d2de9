/*
 * Purpose: what a project may use of a provider, does use, and what that costs: rows; the drivers do them
 *	(backends/cloud/metering.h). What skydir itself caused: ops_usage.c.
 */
#include "backends/cloud/metering.h"
#include "control/op.h"

#define METERING(slot_name) .interface = CLOUD_METERING, .slot = offsetof(struct metering_ops, slot_name)

static const char *const quota_services[] = {"compute", "volume", "network", NULL};
static const char *const usage_services[] = {"compute", "volume", "network", "object-storage", NULL};
static const char *const aggregations[] = {"mean", "min", "max", "sum", "count", "std", "median", "first", "last", NULL};

#define SERVICE {"service", OP_ENUM, false, 0, "only of this service", .choices = quota_services}
#define CODE {"code", OP_STRING, false, 128, "of a service by the provider's own name: lambda (AWS), run.googleapis.com (Google)"}
#define MONTH {"month", OP_STRING, false, 7, "the month, like 2026-11 (the present one)"}
#define SINCE {"since", OP_STRING, false, DAY_LEN, "from this day on, like 2026-11-23 (UTC)"}
#define UNTIL {"until", OP_STRING, false, DAY_LEN, "up to this day, that included"}
#define BY(more) {"by", OP_LIST, false, 160, "what to tell apart: " more "; may be repeated"}

static const struct op_param quota_params[] = {SERVICE, CODE, OP_PARAM_END};
static const struct op_param one_quota_params[] = {
	{"quota", OP_STRING, true, 255, "its name or identifier", .position = 1},
	SERVICE,
	CODE,
	OP_PARAM_END,
};
static const struct op_param usage_params[] = {
	{"service", OP_ENUM, false, 0, "only of this service", .choices = usage_services},
	MONTH,
	SINCE,
	UNTIL,
	OP_PARAM_END,
};
#define RESOURCE {"resource", OP_STRING, true, 512, "identifier", .position = 1, .completes = "metering.resources"}
static const struct op_param metric_params[] = {RESOURCE, OP_PARAM_END};
static const struct op_param measure_params[] = {
	RESOURCE,
	{"metric", OP_STRING, true, 255, "metric of it, by name or identifier", .position = 2},
	MONTH,
	SINCE,
	UNTIL,
	{"granularity", OP_DURATION, false, 0, "length of the intervals (all that are kept)"},
	{"aggregation", OP_ENUM, false, 0, "what is told of an interval (mean)", .choices = aggregations},
	OP_PARAM_END,
};
static const struct op_param cost_params[] = {
	MONTH, SINCE, UNTIL, BY("day or month; two of service, region, account, resource, tag:KEY"), OP_PARAM_END,
};
static const struct op_param period_params[] = {MONTH, SINCE, UNTIL, OP_PARAM_END};
static const struct op_param forecast_params[] = {
	{"until", OP_STRING, false, DAY_LEN, "up to this day, that included (the end of the month)"},
	BY("day, month"),
	OP_PARAM_END,
};
static const struct op_param price_params[] = {
	{"service", OP_STRING, true, 64, "name or identifier of a service", .position = 1, .completes = "costs.services"},
	{"currency", OP_STRING, false, 3, "prices in this currency, like CHF (USD)"},
	OP_PARAM_END,
};

static int check_quota(struct json_object *params, struct json_object **ret, struct error *err)
{
	if (json_get_string(params, "service") && json_get_string(params, "code"))
		return error_set(err, ERR_INVALID, "'service' and 'code' exclude each other");
	*ret = json_object_get(params);
	return 0;
}

static int check_period(struct json_object *params, struct json_object **ret, struct error *err)
{
	struct metering_period period;
	struct cost_by by;
	int r = metering_period_read(params, &period, err);

	if (r == 0)
		r = cost_by_read(params, &by, err);
	if (r == 0)
		*ret = json_object_get(params);
	return r;
}

/* The length of the intervals in seconds, as services want it. */
static int check_measures(struct json_object *params, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct json_object *granularity = json_get(params, "granularity");
	struct metering_period period;
	int r = metering_period_read(params, &period, err);

	if (r < 0)
		return r;
	if (json_object_deep_copy(params, &o, NULL) != 0)
		return error_no_memory(err);
	if (granularity && json_object_object_add(o, "granularity", json_object_new_uint64(op_duration_ms(granularity) / 1000)) != 0)
		return error_no_memory(err);
	*ret = steal(o);
	return 0;
}

static int check_forecast(struct json_object *params, struct json_object **ret, struct error *err)
{
	struct metering_period period;
	struct cost_by by;
	int r = metering_period_ahead(params, &period, err);

	if (r == 0)
		r = cost_by_read(params, &by, err);
	if (r == 0 && by.count)
		r = error_set(err, ERR_INVALID, "a forecast is by day or by month only");
	if (r == 0)
		*ret = json_object_get(params);
	return r;
}

static int check_currency(struct json_object *params, struct json_object **ret, struct error *err)
{
	const char *currency = json_get_string(params, "currency");

	if (currency && (strlen(currency) != 3 || strspn(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3))
		return error_set(err, ERR_INVALID, "parameter 'currency' must be like CHF, not '%.8s'", currency);
	*ret = json_object_get(params);
	return 0;
}

/* The costs of the period, added up. */
static int run_total(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *list = NULL;
	const struct cloud_slot *slot = cloud_slot(call->cloud->driver, CLOUD_METERING, offsetof(struct metering_ops, costs_list));
	struct cloud_call whole = *call;
	struct metering_period period;
	int r = metering_period_read(call->params, &period, err);

	whole.shape = &shape_cost;
	whole.limit = 0;
	if (r == 0)
		r = cloud_run(&whole, slot, &list, err);
	return r < 0 ? r : metering_total(&period, list, ret, err);
}

extern const struct op metering_op_rows[];
const struct op metering_op_rows[] = {
	{.name = "quotas.list",
	 .summary = "what may be used of each resource, and how much of it is",
	 .params = quota_params,
	 .example = "skydir quotas list --service volume\nskydir quotas list --provider aws --code lambda",
	 .result = OP_ITEMS,
	 .shape = &shape_quota,
	 .prepare = check_quota,
	 METERING(quotas_list)},
	{.name = "quotas.get",
	 .summary = "show one quota",
	 .params = one_quota_params,
	 .example = "skydir quotas get L-1216C47A --provider aws\nskydir quotas get cores --provider openstack",
	 .result = OP_ONE,
	 .shape = &shape_quota,
	 .prepare = check_quota,
	 METERING(quotas_get)},
	{.name = "metering.usage",
	 .summary = "what was used of each service in a month or from day to day",
	 .params = usage_params,
	 .details = "What is not counted over time (volumes, addresses, objects) is told as it is now, without days.",
	 .example = "skydir metering usage --month 2026-10\nskydir metering usage --service compute",
	 .result = OP_ITEMS,
	 .shape = &shape_usage,
	 .prepare = check_period,
	 METERING(usage)},
	{.name = "metering.resources",
	 .summary = "list what is metered",
	 .result = OP_ITEMS,
	 .shape = &shape_metered,
	 METERING(resources)},
	{.name = "metering.metrics",
	 .summary = "list what is measured of a resource",
	 .params = metric_params,
	 .result = OP_ITEMS,
	 .shape = &shape_metric,
	 METERING(metrics)},
	{.name = "metering.measures",
	 .summary = "what was measured",
	 .params = measure_params,
	 .example = "skydir metering measures 11111111-2222-3333-4444-555555555555 cpu --since 2026-11-01 --granularity 1h",
	 .result = OP_ITEMS,
	 .shape = &shape_measure,
	 .prepare = check_measures,
	 METERING(measures)},
	{.name = "costs.list",
	 .summary = "what was spent at a provider, by its own account",
	 .params = cost_params,
	 .details = "Amounts are told exactly as the provider does. AWS takes 0.01 USD for each page of an answer.\n"
		    "What skydir itself caused, by the price table: `skydir usage`.",
	 .example = "skydir costs list --by service --month 2026-10\nskydir costs list --by day,tag:team --since 2026-11-01",
	 .result = OP_ITEMS,
	 .shape = &shape_cost,
	 .prepare = check_period,
	 METERING(costs_list)},
	{.name = "costs.total",
	 .summary = "what was spent in all, for each currency",
	 .params = period_params,
	 .example = "skydir costs total --month 2026-10 --all-providers",
	 .result = OP_ITEMS,
	 .shape = &shape_cost_total,
	 .prepare = check_period,
	 .composed = run_total,
	 METERING(costs_list)},
	{.name = "costs.details",
	 .summary = "what was spent, resource by resource",
	 .params = period_params,
	 .result = OP_ITEMS,
	 .shape = &shape_cost_detail,
	 .prepare = check_period,
	 METERING(costs_details)},
	{.name = "costs.forecast",
	 .summary = "what the provider expects to be spent from today on",
	 .params = forecast_params,
	 .example = "skydir costs forecast --until 2026-12-31 --by month",
	 .result = OP_ITEMS,
	 .shape = &shape_cost,
	 .prepare = check_forecast,
	 METERING(costs_forecast)},
	{.name = "costs.budgets",
	 .summary = "list the budgets that are set at the provider, and how much of each is spent",
	 .details = "The budgets by which skydir itself warns or stops: `skydir usage budgets`.",
	 .result = OP_ITEMS,
	 .shape = &shape_cost_budget,
	 METERING(budgets_list)},
	{.name = "costs.account",
	 .summary = "show the account that pays",
	 .result = OP_ONE,
	 .shape = &shape_billing_account,
	 METERING(account)},
	{.name = "costs.services",
	 .summary = "list the services that have list prices",
	 .result = OP_ITEMS,
	 .shape = &shape_billed_service,
	 METERING(services_list)},
	{.name = "costs.prices",
	 .summary = "list the list prices of a service",
	 .params = price_params,
	 .example = "skydir costs prices 'Cloud Storage' --currency CHF",
	 .result = OP_ITEMS,
	 .shape = &shape_list_price,
	 .prepare = check_currency,
	 METERING(prices_list)},
	{.name = NULL},
};
