/*
 * Who pays at Google, what may be spent, list prices: Cloud Billing and Cloud Billing Budgets. What is spent: bigquery.c.
 *
 * Source: cloud.google.com/billing/docs/reference/rest/v1 (billingInfo, services, skus), /billing/docs/reference/budget/rest/v1
 *	(read 2026-11). How much of a budget is spent is told by mail and Pub/Sub only.
 */
#include "backends/gcp/metering_gcp.h"

/* ---- money: {"units": "12", "nanos": 500000000, "currencyCode": "CHF"} ---- */

static bool read_money(struct json_object *money, struct decimal *ret)
{
	const char *units = json_get_string(money, "units");
	int64_t nanos = json_get_int64(money, "nanos", 0);
	struct decimal part = { .units = (__int128)nanos, .scale = 9 };

	*ret = DECIMAL_ZERO;
	if (!json_object_is_type(money, json_type_object) || nanos <= -1000000000 || nanos >= 1000000000)
		return false;
	if (units && decimal_parse(str_of(units), ret) < 0)
		return false;
	return decimal_add(ret, &part) == 0;
}

static struct json_object *make_money(struct json_object *money)
{
	char text[DECIMAL_TEXT_MAX];
	struct decimal d;

	if (!read_money(money, &d))
		return NULL;
	decimal_format(&d, 2, text);
	return json_object_new_string(text);
}

/* ---- the account ---- */

static const struct record_source account_map[] = {
	{ "id", "billingAccountName", NULL, NULL },
	{ "project", "projectId", NULL, NULL },
	{ "enabled", "billingEnabled", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
const struct rest_row gcp_get_account = { .service = "billing", .path = "projects/{project}/billingInfo", .item = "", .record = account_map };

/* ---- budgets ---- */

static const struct record_word budget_periods[] = {
	{ "MONTH", "month" }, { "QUARTER", "quarter" }, { "YEAR", "year" }, { "CALENDAR_PERIOD_UNSPECIFIED", "custom" }, { NULL, NULL },
};
static const struct record_source budget_map[] = {
	{ "id", "name", NULL, NULL },
	{ "name", "displayName", NULL, NULL },
	{ "period", "budgetFilter.calendarPeriod", budget_periods, NULL },
	{ "amount", "amount.specifiedAmount", NULL, make_money },
	{ "currency", "amount.specifiedAmount.currencyCode", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct rest_page by_token = { REST_PAGE_TOKEN, REST_QUERY, "pageToken", "nextPageToken", "pageSize", 1000, 0 };
static const struct rest_row list_budgets = { .service = "budgets", .path = "{+_account}/budgets", .items = "budgets", .page = &by_token,
	.record = budget_map };

/* "billingAccounts/012345-567890-ABCDEF" by the configuration, else the project's own. */
static int billing_account(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *info = NULL;
	const char *given = gcp_of(call)->billing_account, *name;
	struct cloud_call ask = *call;
	int r;

	if (given) {
		CLEANUP(freep) char *text = str_format("%s%s", strncmp(given, "billingAccounts/", 16) ? "billingAccounts/" : "", given);

		*ret = text ? json_object_new_string(text) : NULL;
		return *ret ? 0 : error_no_memory(err);
	}
	ask.shape = NULL;
	r = rest_run(&ask, &gcp_get_account, &info, err);
	if (r < 0)
		return r;
	name = json_get_string(info, "billingAccountName");
	if (!name || !*name)
		return error_set(err, ERR_CONFIG, "no account pays for the project (billing-account in the section names another)");
	*ret = json_object_new_string(name);
	return *ret ? 0 : error_no_memory(err);
}

int gcp_budgets(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	struct json_object *account = NULL;
	int r = billing_account(call, &account, err);

	return r < 0 ? r : rest_run_with(call, &list_budgets, "_account", account, ret, err);
}

/* ---- list prices ---- */

static const struct record_source service_map[] = {
	{ "id", "serviceId", NULL, NULL }, { "name", "displayName", NULL, NULL }, { NULL, NULL, NULL, NULL },
};
static const struct rest_page by_big_token = { REST_PAGE_TOKEN, REST_QUERY, "pageToken", "nextPageToken", "pageSize", 5000, 0 };
const struct rest_row gcp_list_services = { .service = "billing", .path = "services", .items = "services", .page = &by_big_token,
	.record = service_map };

#define EXPRESSION "pricingInfo.0.pricingExpression."

/* The first tier that is not for nothing, else the first one. */
static struct json_object *make_price(struct json_object *tiers)
{
	struct json_object *found = NULL;

	for (size_t i = 0; json_object_is_type(tiers, json_type_array) && i < json_object_array_length(tiers); i++) {
		struct json_object *price = json_get(json_object_array_get_idx(tiers, i), "unitPrice");
		struct decimal d;

		if (!read_money(price, &d))
			continue;
		found = found ? found : price;
		if (d.units)
			return make_money(price);
	}
	return found ? make_money(found) : NULL;
}

static struct json_object *make_tiers(struct json_object *tiers)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && json_object_is_type(tiers, json_type_array) && i < json_object_array_length(tiers); i++) {
		struct json_object *tier = json_object_array_get_idx(tiers, i), *o = json_object_new_object(), *from;

		from = json_get(tier, "startUsageAmount");
		if (!o || json_object_object_add(o, "from", from ? json_object_get(from) : json_object_new_int(0)) != 0 ||
		    json_object_object_add(o, "amount", make_money(json_get(tier, "unitPrice"))) != 0 ||
		    json_object_array_add(list, o) != 0) {
			json_object_put(o);
			break;
		}
	}
	return list;
}

static const struct record_source price_map[] = {
	{ "id", "skuId", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ "family", "category.resourceFamily", NULL, NULL },
	{ "regions", "serviceRegions", NULL, NULL },
	{ "unit", EXPRESSION "usageUnitDescription|" EXPRESSION "usageUnit", NULL, NULL },
	{ "amount", EXPRESSION "tieredRates", NULL, make_price },
	{ "currency", EXPRESSION "tieredRates.0.unitPrice.currencyCode", NULL, NULL },
	{ "tiers", EXPRESSION "tieredRates", NULL, make_tiers },
	{ "since", "pricingInfo.0.effectiveTime", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct rest_kind service_kind = { .what = "service", .list = &gcp_list_services, .names = "displayName|serviceId|name",
	.id = "serviceId" };
static const struct rest_name of_service[] = { { "service", &service_kind }, { NULL, NULL } };
static const struct rest_field price_fields[] = { { "currency", "currencyCode", REST_QUERY }, { .place = NULL } };
const struct rest_row gcp_list_prices = { .service = "billing", .path = "services/{service}/skus", .fields = price_fields, .items = "skus",
	.page = &by_big_token, .record = price_map, .names = of_service };
