/*
 * What is spent at Amazon and what may be used: Cost Explorer, Budgets, Service Quotas.
 *
 * Source: docs.aws.amazon.com/aws-cost-management/latest/APIReference (Cost Explorer 2017-10-25, Budgets 2016-10-20),
 *	docs.aws.amazon.com/servicequotas/2019-06-24/apireference, docs.aws.amazon.com/STS/latest/APIReference (read 2026-11).
 *	What is used of a quota is not told: it is a metric of CloudWatch.
 */
#include "backends/aws/cloud_aws.h"
#include "backends/cloud/metering.h"

#define JSON_1_1 "application/x-amz-json-1.1"
#define METRIC	 "UnblendedCost"
#define USAGE	 "UsageQuantity"
#define TARGET(text) { NULL, "X-Amz-Target", REST_HEADER, text }

/* ---- Cost Explorer ---- */

static const struct rest_page cost_page = { REST_PAGE_TOKEN, REST_BODY, "NextPageToken", "NextPageToken", NULL, 0, 0 };

/* A request of Cost Explorer that needs only its body. */
static int begin(struct service_request *q, const char *target, struct error *err)
{
	q->method = HTTP_POST;
	q->content_type = JSON_1_1;
	q->is_read = true;
	return http_fields_add(&q->headers, "X-Amz-Target", target, err);
}

static int put(struct service_request *q, const char *place, const char *text, struct error *err)
{
	struct json_object *value = json_object_new_string(text);

	return value ? rest_put(&q->json, place, value, err) : error_no_memory(err);
}

static int put_period(struct service_request *q, const struct metering_period *period, bool is_daily, struct error *err)
{
	int r = put(q, "TimePeriod.Start", period->from, err);

	if (r == 0)
		r = put(q, "TimePeriod.End", period->until, err);
	return r < 0 ? r : put(q, "Granularity", is_daily ? "DAILY" : "MONTHLY", err);
}

static int put_group(struct service_request *q, size_t i, const char *type, const char *key, struct error *err)
{
	CLEANUP(freep) char *type_place = str_format("GroupBy.%zu.Type", i);
	CLEANUP(freep) char *key_place = str_format("GroupBy.%zu.Key", i);
	int r = type_place && key_place ? put(q, type_place, type, err) : error_no_memory(err);

	return r < 0 ? r : put(q, key_place, key, err);
}

static int put_by(struct cloud_call *call, struct service_request *q, const struct cost_by *by, struct error *err)
{
	static const char *const keys[COST_DIMENSIONS] = {
		[COST_SERVICE] = "SERVICE", [COST_REGION] = "REGION", [COST_ACCOUNT] = "LINKED_ACCOUNT",
	};
	int r = 0;

	for (size_t i = 0; i < by->count && r == 0; i++) {
		enum cost_dimension d = by->by[i].dimension;

		if (d == COST_TAG)
			r = put_group(q, i, "TAG", by->by[i].tag, err);
		else if (keys[d])
			r = put_group(q, i, "DIMENSION", keys[d], err);
		else
			r = cost_by_unsupported(call, d, err);
	}
	return r;
}

struct cost_list {
	struct cloud_call *call;
	const struct cost_by *by; /* NULL: of usage, by service and kind */
	struct json_object *list;
};

static int put_key(struct json_object *o, const struct cost_by *by, size_t i, const char *key, struct error *err)
{
	static const char *const usage_keys[] = { "service", "name" };
	const char *dollar;

	if (!by)
		return metering_put(o, usage_keys[i], key, err);
	if (by->by[i].dimension != COST_TAG)
		return metering_put(o, cost_dimension_name(by->by[i].dimension), key, err);
	dollar = strchr(key, '$'); /* "team$web"; nothing behind it: without the tag */
	return metering_put(o, "tag", dollar && dollar[1] ? dollar + 1 : NULL, err);
}

/* One amount of one period; keys: NULL when it is all. */
static int add_cost(struct cost_list *c, struct json_object *result, struct json_object *keys, struct json_object *metrics,
		    struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct json_object *amount = json_get(metrics, c->by ? METRIC ".Amount" : USAGE ".Amount");
	const char *unit = json_get_string(metrics, c->by ? METRIC ".Unit" : USAGE ".Unit");
	size_t count = keys ? json_object_array_length(keys) : 0;
	int r = o ? metering_put(o, "from", json_get_string(result, "TimePeriod.Start"), err) : error_no_memory(err);

	if (r == 0 && !amount)
		return error_set(err, ERR_PROTOCOL, "%s: a group has no amount", c->call->operation);
	if (r == 0)
		r = metering_put(o, "until", json_get_string(result, "TimePeriod.End"), err);
	for (size_t i = 0; i < count && i < COST_BY_MAX && r == 0; i++)
		r = put_key(o, c->by, i, json_object_get_string(json_object_array_get_idx(keys, i)), err);
	if (r == 0)
		r = c->by ? metering_put_money(o, "amount", amount, err) : metering_put_number(o, "used", amount, err);
	if (r == 0)
		r = metering_put(o, c->by ? "currency" : "unit", unit, err);
	if (r == 0 && c->by)
		json_object_object_add(o, "estimated", json_object_new_boolean(json_get_bool(result, "Estimated", false)));
	return r < 0 ? r : metering_add(c->call, o, &c->list, err);
}

static int each_result(void *arg, struct json_object *result, struct error *err)
{
	struct cost_list *c = arg;
	struct json_object *groups = json_get_array(result, "Groups"), *total = json_get(result, "Total");
	size_t count = groups ? json_object_array_length(groups) : 0;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		struct json_object *group = json_object_array_get_idx(groups, i), *keys = json_get_array(group, "Keys");

		if (!keys || json_object_array_length(keys) != (c->by ? c->by->count : 2))
			return error_set(err, ERR_PROTOCOL, "%s: a group has other keys than were asked for", c->call->operation);
		r = add_cost(c, result, keys, json_get(group, "Metrics"), err);
	}
	if (!count && c->by && !c->by->count && json_get(total, METRIC))
		r = add_cost(c, result, NULL, total, err);
	return r;
}

static int ask_costs(struct cost_list *c, struct service_request *q, struct json_object **ret, struct error *err)
{
	const struct service *service = NULL;
	int r = aws_service(c->call, "ce", &service, err);

	c->list = json_object_new_array();
	if (r == 0 && !c->list)
		r = error_no_memory(err);
	if (r == 0)
		r = rest_pages(c->call, service, q, "ResultsByTime", &cost_page, each_result, c, err);
	if (r < 0)
		json_object_put(c->list);
	else
		*ret = c->list;
	return r < 0 ? r : 0;
}

static int costs_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	struct metering_period period;
	struct cost_by by;
	struct cost_list c = { .call = call, .by = &by };
	int r = metering_period_read(call->params, &period, err);

	if (r == 0)
		r = cost_by_read(call->params, &by, err);
	if (r == 0)
		r = begin(&q, "AWSInsightsIndexService.GetCostAndUsage", err);
	if (r == 0)
		r = put_period(&q, &period, by.is_daily, err);
	if (r == 0)
		r = put(&q, "Metrics.0", METRIC, err);
	if (r == 0)
		r = put_by(call, &q, &by, err);
	return r < 0 ? r : ask_costs(&c, &q, ret, err);
}

/* The services of Cost Explorer that hold what is meant. */
static const struct record_word usage_services[] = {
	{ "Amazon Elastic Compute Cloud - Compute", "compute" },
	{ "EC2 - Other", "volume" },
	{ "Amazon Virtual Private Cloud", "network" },
	{ "Amazon Simple Storage Service", "object-storage" },
	{ NULL, NULL },
};

static int usage(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	const char *only = cloud_param(call, "service");
	struct metering_period period;
	struct cost_list c = { .call = call };
	int r = metering_period_read(call->params, &period, err);

	if (r == 0)
		r = begin(&q, "AWSInsightsIndexService.GetCostAndUsage", err);
	if (r == 0)
		r = put_period(&q, &period, false, err);
	if (r == 0)
		r = put(&q, "Metrics.0", USAGE, err);
	if (r == 0)
		r = put_group(&q, 0, "DIMENSION", "SERVICE", err);
	if (r == 0)
		r = put_group(&q, 1, "DIMENSION", "USAGE_TYPE", err);
	for (const struct record_word *w = usage_services; only && w->ours && r == 0; w++) {
		if (strcmp(w->ours, only) != 0)
			continue;
		r = put(&q, "Filter.Dimensions.Key", "SERVICE", err);
		if (r == 0)
			r = put(&q, "Filter.Dimensions.Values.0", w->theirs, err);
	}
	return r < 0 ? r : ask_costs(&c, &q, ret, err);
}

static int add_forecast(struct cloud_call *call, struct json_object *one, const char *currency, struct json_object **list,
			struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	int r = o ? metering_put(o, "from", json_get_string(one, "TimePeriod.Start"), err) : error_no_memory(err);

	if (r == 0)
		r = metering_put(o, "until", json_get_string(one, "TimePeriod.End"), err);
	if (r == 0)
		r = metering_put_money(o, "amount", json_get(one, "MeanValue"), err);
	if (r == 0)
		r = metering_put(o, "currency", currency, err);
	if (r == 0)
		json_object_object_add(o, "estimated", json_object_new_boolean(true));
	return r < 0 ? r : metering_add(call, o, list, err);
}

static int costs_forecast(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	const struct service *service = NULL;
	struct metering_period period;
	struct json_object *results;
	struct cost_by by;
	int r = list ? metering_period_ahead(call->params, &period, err) : error_no_memory(err);

	if (r == 0)
		r = cost_by_read(call->params, &by, err);
	if (r == 0)
		r = begin(&q, "AWSInsightsIndexService.GetCostForecast", err);
	if (r == 0)
		r = put_period(&q, &period, by.is_daily, err);
	if (r == 0)
		r = put(&q, "Metric", "UNBLENDED_COST", err);
	if (r == 0)
		r = aws_service(call, "ce", &service, err);
	if (r == 0)
		r = service_json(call, service, &q, &answer, err);
	if (r < 0)
		return r;
	results = json_get_array(answer, "ForecastResultsByTime");
	for (size_t i = 0; results && r == 0 && i < json_object_array_length(results); i++)
		r = add_forecast(call, json_object_array_get_idx(results, i), json_get_string(answer, "Total.Unit"), &list, err);
	if (r >= 0)
		*ret = steal(list);
	return r < 0 ? r : 0;
}

/* ---- Budgets ---- */

static const struct record_word budget_periods[] = {
	{ "DAILY", "day" }, { "MONTHLY", "month" }, { "QUARTERLY", "quarter" }, { "ANNUALLY", "year" }, { "CUSTOM", "custom" }, { NULL, NULL },
};

/* Budgets of usage are in hours or GB, not in money: their amounts are shown all the same, with their unit. */
static const struct record_source budget_map[] = {
	{ "id", "BudgetName", NULL, NULL },
	{ "name", "BudgetName", NULL, NULL },
	{ "period", "TimeUnit", budget_periods, NULL },
	{ "amount", "BudgetLimit.Amount", NULL, metering_make_money },
	{ "spent", "CalculatedSpend.ActualSpend.Amount", NULL, metering_make_money },
	{ "forecast", "CalculatedSpend.ForecastedSpend.Amount", NULL, metering_make_money },
	{ "currency", "BudgetLimit.Unit|CalculatedSpend.ActualSpend.Unit", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct rest_page budget_page = { REST_PAGE_TOKEN, REST_BODY, "NextToken", "NextToken", "MaxResults", 100, 0 };
static const struct rest_field budget_fields[] = {
	TARGET("AWSBudgetServiceGateway.DescribeBudgets"),
	{ "_account", "AccountId", REST_BODY },
	{ .place = NULL },
};
static const struct rest_row list_budgets = { .service = "budgets", .method = HTTP_POST, .path = "/", .fields = budget_fields,
	.items = "Budgets", .page = &budget_page, .record = budget_map, .content_type = JSON_1_1, .is_read = true };
static const struct rest_field identity_fields[] = {
	{ NULL, "Action", REST_FORM, "GetCallerIdentity" },
	{ NULL, "Version", REST_FORM, "2011-06-15" },
	{ .place = NULL },
};
static const struct rest_row get_identity = { .service = "sts", .method = HTTP_POST, .path = "/", .fields = identity_fields,
	.item = "", .is_read = true };

/* Budgets want to know whose they are. */
static int budgets_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	struct cloud_call ask = *call;
	const char *account;
	int r;

	ask.shape = NULL;
	r = rest_run(&ask, &get_identity, &answer, err);
	if (r < 0)
		return r;
	account = json_get_string(answer, "GetCallerIdentityResponse.GetCallerIdentityResult.Account");
	if (!account)
		account = json_get_string(answer, "GetCallerIdentityResult.Account");
	if (!account)
		return error_set(err, ERR_PROTOCOL, "%s: STS does not tell the account", call->operation);
	return rest_run_with(call, &list_budgets, "_account", json_object_new_string(account), ret, err);
}

/* ---- Service Quotas ---- */

static const struct record_word quota_services[] = {
	{ "ec2", "compute" }, { "ebs", "volume" }, { "vpc", "network" }, { NULL, NULL },
};

static const char *our_service(const char *code)
{
	for (const struct record_word *w = quota_services; code && w->theirs; w++)
		if (!strcmp(w->theirs, code))
			return w->ours;
	return code;
}

static int flatten_quota(struct cloud_call *call, struct json_object *quota, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	const char *unit = json_get_string(quota, "Unit");
	int r = o ? metering_put(o, "service", our_service(json_get_string(quota, "ServiceCode")), err) : error_no_memory(err);

	if (r == 0)
		r = metering_put(o, "id", json_get_string(quota, "QuotaCode"), err);
	if (r == 0)
		r = metering_put(o, "name", json_get_string(quota, "QuotaName"), err);
	if (r == 0)
		r = metering_put(o, "region", json_get_bool(quota, "GlobalQuota", false) ? NULL : call->cloud->region, err);
	if (r == 0)
		r = metering_put_number(o, "limit", json_get(quota, "Value"), err);
	if (r == 0)
		r = metering_put(o, "unit", unit && strcmp(unit, "None") != 0 ? unit : NULL, err);
	if (r == 0)
		json_object_object_add(o, "adjustable", json_object_new_boolean(json_get_bool(quota, "Adjustable", false)));
	if (r == 0)
		*ret = steal(o);
	return r;
}

struct quota_list {
	struct cloud_call *call;
	struct json_object *list;
	bool is_full;
};

static int each_quota(void *arg, struct json_object *quota, struct error *err)
{
	struct quota_list *l = arg;
	CLEANUP(json_putp) struct json_object *flat = NULL;
	int r = flatten_quota(l->call, quota, &flat, err);

	if (r == 0)
		r = metering_add(l->call, flat, &l->list, err);
	l->is_full = r == 1;
	return r;
}

static const struct rest_page quota_page = { REST_PAGE_TOKEN, REST_BODY, "NextToken", "NextToken", "MaxResults", 100, 0 };
static const struct rest_field quota_fields[] = {
	TARGET("ServiceQuotasV20190624.ListServiceQuotas"),
	{ "code", "ServiceCode", REST_BODY },
	{ .place = NULL },
};
static const struct rest_row list_quotas = { .service = "servicequotas", .method = HTTP_POST, .path = "/", .fields = quota_fields,
	.items = "Quotas", .page = &quota_page, .content_type = JSON_1_1, .is_read = true };

static int list_code(struct quota_list *l, const char *code, struct error *err)
{
	struct cloud_call ask = *l->call;
	int r;

	ask.params = NULL;
	if (json_object_deep_copy(l->call->params, &ask.params, NULL) != 0)
		return error_no_memory(err);
	json_object_object_add(ask.params, "code", json_object_new_string(code));
	r = rest_each(&ask, &list_quotas, each_quota, l, err);
	json_object_put(ask.params);
	return r < 0 ? r : 0;
}

static int quotas_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *only = cloud_param(call, "service"), *code = cloud_param(call, "code");
	struct quota_list l = { .call = call, .list = json_object_new_array() };
	int r = l.list ? 0 : error_no_memory(err);

	if (r == 0 && code)
		r = list_code(&l, code, err);
	for (const struct record_word *w = quota_services; !code && w->theirs && r == 0 && !l.is_full; w++)
		if (!only || !strcmp(w->ours, only))
			r = list_code(&l, w->theirs, err);
	if (r < 0)
		json_object_put(l.list);
	else
		*ret = l.list;
	return r;
}

static const struct rest_field one_quota_fields[] = {
	TARGET("ServiceQuotasV20190624.GetServiceQuota"),
	{ "code", "ServiceCode", REST_BODY },
	{ "quota", "QuotaCode", REST_BODY },
	{ .place = NULL },
};
static const struct rest_row get_quota = { .service = "servicequotas", .method = HTTP_POST, .path = "/", .fields = one_quota_fields,
	.item = "Quota", .content_type = JSON_1_1, .is_read = true };

static int get_by_code(struct cloud_call *call, const char *code, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *quota = NULL;
	CLEANUP(json_putp) struct json_object *flat = NULL;
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	struct cloud_call ask = *call;
	int r;

	ask.shape = NULL;
	r = list ? rest_run_with(&ask, &get_quota, "code", json_object_new_string(code), &quota, err) : error_no_memory(err);
	if (r == 0)
		r = flatten_quota(call, quota, &flat, err);
	if (r == 0)
		r = metering_add(call, flat, &list, err);
	if (r < 0)
		return r;
	*ret = json_object_get(json_object_array_get_idx(list, 0));
	return 0;
}

/* "L-1216C47A" is asked for; a name is looked for. */
static int quotas_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *quota = cloud_param(call, "quota"), *only = cloud_param(call, "service"), *code = cloud_param(call, "code");
	struct json_object *list = NULL;
	int r;

	if (!strncmp(quota, "L-", 2) && code)
		return get_by_code(call, code, ret, err);
	for (const struct record_word *w = quota_services; !strncmp(quota, "L-", 2) && w->theirs; w++) {
		if (only && strcmp(w->ours, only) != 0)
			continue;
		r = get_by_code(call, w->theirs, ret, err);
		if (r == 0 || err->kind != ERR_NOT_FOUND)
			return r;
		*err = ERROR_INIT;
	}
	r = quotas_list(call, &list, err);
	return r < 0 ? r : metering_find_quota(call, list, ret, err);
}

const struct metering_ops aws_metering = {
	.quotas_list = { .run = quotas_list },
	.quotas_get = { .run = quotas_get },
	.usage = { .run = usage },
	.costs_list = { .run = costs_list },
	.costs_forecast = { .run = costs_forecast },
	.budgets_list = { .run = budgets_list },
};
