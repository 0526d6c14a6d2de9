#include "backends/cloud/metering.h"

#include <stdio.h>

/* ---- shapes ---- */

static const struct record_field quota_fields[] = {
	{ "service", RECORD_TEXT, "compute, volume or network, or the provider's own code of a service" },
	{ "id", RECORD_TEXT, "how the provider names it" },
	{ "name", RECORD_TEXT, "what is limited" },
	{ "region", RECORD_TEXT, "where; none: everywhere, or in the region that was asked" },
	{ "used", RECORD_NUMBER, "how much of it is used; none: the provider does not tell" },
	{ "limit", RECORD_NUMBER, "how much there may be; none: as much as one likes" },
	{ "unit", RECORD_TEXT, "MiB or GiB, or as the provider says it; none: a number of things" },
	{ "adjustable", RECORD_BOOL, "whether more can be asked for" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_quota = { "quota", quota_fields, "service,name,region,used,limit,unit" };

static const struct record_field usage_fields[] = {
	{ "service", RECORD_TEXT, "compute, volume, network, object-storage, or as the provider names it" },
	{ "name", RECORD_TEXT, "what was used" },
	{ "used", RECORD_NUMBER, "how much of it" },
	{ "unit", RECORD_TEXT, "in what; none: a number of things" },
	{ "from", RECORD_TEXT, "first day; none: what is used now" },
	{ "until", RECORD_TEXT, "the day behind the last" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_usage = { "usage", usage_fields, "service,name,used,unit,from,until" };

static const struct record_field metered_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "type", RECORD_TEXT, "kind of resource" },
	{ "name", RECORD_TEXT, "name" },
	{ "project", RECORD_TEXT, "project" },
	{ "metrics", RECORD_LIST, "what of it is measured" },
	{ "hours", RECORD_NUMBER, "for how long it was used in this month, where that is told" },
	{ "started", RECORD_TIME, "since when" },
	{ "ended", RECORD_TIME, "until when; none: it is there" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_metered = { "metered-resource", metered_fields, "id,type,name,started,ended" };

static const struct record_field metric_fields[] = {
	{ "name", RECORD_TEXT, "name" },
	{ "id", RECORD_TEXT, "identifier" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_metric = { "metric", metric_fields, "name,id" };

static const struct record_field measure_fields[] = {
	{ "time", RECORD_TIME, "when its interval begins" },
	{ "seconds", RECORD_NUMBER, "length of the interval" },
	{ "value", RECORD_NUMBER, "what was measured" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_measure = { "measure", measure_fields, "time,seconds,value" };

static const struct record_field cost_fields[] = {
	{ "from", RECORD_TEXT, "first day" },
	{ "until", RECORD_TEXT, "the day behind the last" },
	{ "service", RECORD_TEXT, "service, as the provider names it" },
	{ "region", RECORD_TEXT, "region" },
	{ "account", RECORD_TEXT, "account, subscription or project" },
	{ "resource", RECORD_TEXT, "identifier of what costs" },
	{ "tag", RECORD_TEXT, "value of the tag or label; none: it has none" },
	{ "amount", RECORD_TEXT, "what it costs, exactly as the provider tells it" },
	{ "currency", RECORD_TEXT, "in what" },
	{ "estimated", RECORD_BOOL, "whether it may still change" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_cost = { "cost", cost_fields, "from,until,service,region,account,resource,tag,amount,currency" };

static const struct record_field total_fields[] = {
	{ "from", RECORD_TEXT, "first day" },
	{ "until", RECORD_TEXT, "the day behind the last" },
	{ "amount", RECORD_TEXT, "the exact sum" },
	{ "currency", RECORD_TEXT, "in what" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_cost_total = { "total", total_fields, "from,until,amount,currency" };

static const struct record_field detail_fields[] = {
	{ "from", RECORD_TIME, "when it begins" },
	{ "until", RECORD_TIME, "when it ends" },
	{ "service", RECORD_TEXT, "service, as the provider names it" },
	{ "resource", RECORD_TEXT, "identifier of what costs" },
	{ "name", RECORD_TEXT, "what was used of it" },
	{ "quantity", RECORD_NUMBER, "how much" },
	{ "unit", RECORD_TEXT, "in what" },
	{ "amount", RECORD_TEXT, "what it costs" },
	{ "currency", RECORD_TEXT, "in what" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_cost_detail = { "cost-detail", detail_fields, "from,service,resource,name,quantity,unit,amount,currency" };

static const struct record_field budget_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "period", RECORD_TEXT, "month, quarter, year, day or custom" },
	{ "amount", RECORD_TEXT, "how much may be spent; none: as much as in the period before, or none of money" },
	{ "spent", RECORD_TEXT, "how much is; none: the provider does not tell" },
	{ "forecast", RECORD_TEXT, "what it is expected to come to" },
	{ "currency", RECORD_TEXT, "in what" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_cost_budget = { "cost-budget", budget_fields, "name,period,amount,spent,forecast,currency" };

static const struct record_field account_fields[] = {
	{ "id", RECORD_TEXT, "the account that pays; none: nobody" },
	{ "project", RECORD_TEXT, "for this project" },
	{ "enabled", RECORD_BOOL, "whether what costs may be used" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_billing_account = { "billing-account", account_fields, "id,project,enabled" };

static const struct record_field billed_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_billed_service = { "billed-service", billed_fields, "id,name" };

static const struct record_field price_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "description", RECORD_TEXT, "what it is the price of" },
	{ "family", RECORD_TEXT, "Compute, Storage, Network..." },
	{ "regions", RECORD_LIST, "where" },
	{ "unit", RECORD_TEXT, "for how much" },
	{ "amount", RECORD_TEXT, "list price of the first tier that costs" },
	{ "currency", RECORD_TEXT, "in what" },
	{ "tiers", RECORD_LIST, "all tiers: from how many units on, and their price" },
	{ "since", RECORD_TIME, "since when" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_list_price = { "list-price", price_fields, "id,description,unit,amount,currency" };

/* ---- flat records ---- */

#define FIELDS_MAX 16

int metering_add(struct cloud_call *call, struct json_object *flat, struct json_object **list, struct error *err)
{
	struct record_source map[FIELDS_MAX + 1] = { { NULL, NULL, NULL, NULL } };
	size_t count = 0;

	for (const struct record_field *f = call->shape->fields; f->name && count < FIELDS_MAX; f++, count++)
		map[count] = (struct record_source){ f->name, f->name, NULL, NULL };
	return cloud_list_add(call, map, flat, list, err);
}

int metering_put(struct json_object *flat, const char *name, const char *text, struct error *err)
{
	struct json_object *value = text ? json_object_new_string(text) : NULL;

	if (text && !value)
		return error_no_memory(err);
	return json_object_object_add(flat, name, value) == 0 ? 0 : error_no_memory(err);
}

int metering_decimal(struct json_object *value, struct decimal *ret, struct error *err)
{
	const char *text = value ? json_object_get_string(value) : "";
	int r = decimal_parse(str_of(text), ret);

	if (r == 0)
		return 0;
	return error_set(err, ERR_PROTOCOL, r == -ERANGE ? "the amount '%.48s' has more digits than can be kept exactly" :
							   "'%.48s' is no amount", text);
}

int metering_put_sum(struct json_object *flat, const char *name, const struct decimal *sum, unsigned least, struct error *err)
{
	char text[DECIMAL_TEXT_MAX];

	decimal_format(sum, least, text);
	return metering_put(flat, name, text, err);
}

int metering_put_money(struct json_object *flat, const char *name, struct json_object *amount, struct error *err)
{
	struct decimal d = DECIMAL_ZERO;
	int r;

	if (!amount)
		return metering_put(flat, name, NULL, err);
	r = metering_decimal(amount, &d, err);
	return r < 0 ? r : metering_put_sum(flat, name, &d, 2, err);
}

struct json_object *metering_make_money(struct json_object *amount)
{
	const char *given = json_object_get_string(amount);
	char text[DECIMAL_TEXT_MAX];
	struct decimal d = DECIMAL_ZERO;

	if (decimal_parse(str_of(given), &d) < 0)
		return json_object_new_string(given);
	decimal_format(&d, 2, text);
	return json_object_new_string(text);
}

int metering_put_number(struct json_object *flat, const char *name, struct json_object *number, struct error *err)
{
	char text[DECIMAL_TEXT_MAX];
	struct decimal d = DECIMAL_ZERO;
	struct json_object *value = NULL;

	if (number && decimal_parse(str_of(json_object_get_string(number)), &d) == 0) {
		decimal_format(&d, 0, text);
		value = d.scale || d.units > INT64_MAX || d.units < INT64_MIN ? json_object_new_double_s(strtod(text, NULL), text) :
										json_object_new_int64((int64_t)d.units);
		if (!value)
			return error_no_memory(err);
	}
	return json_object_object_add(flat, name, value) == 0 ? 0 : error_no_memory(err);
}

int metering_find_quota(struct cloud_call *call, struct json_object *list, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) __attribute__((unused)) struct json_object *owned = list; /* released at the end */
	const char *wanted = cloud_param(call, "quota");
	struct json_object *found = NULL;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *one = json_object_array_get_idx(list, i);
		const char *id = json_get_string(one, "id"), *name = json_get_string(one, "name");

		if ((!id || strcmp(id, wanted) != 0) && (!name || strcmp(name, wanted) != 0))
			continue;
		if (found)
			return error_set(err, ERR_INVALID, "there are several quotas '%.128s' (choose by --service, --region or --code)",
					 wanted);
		found = one;
	}
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "there is no quota '%.128s'", wanted);
	*ret = json_object_get(found);
	return 0;
}

/* ---- sums ---- */

#define CURRENCIES_MAX 32
struct sum {
	char currency[16];
	struct decimal amount;
};

static struct sum *sum_of(struct sum *sums, size_t *count, const char *currency)
{
	for (size_t i = 0; i < *count; i++)
		if (!strncmp(sums[i].currency, currency, sizeof sums[i].currency - 1))
			return &sums[i];
	if (*count == CURRENCIES_MAX)
		return NULL;
	(void)snprintf(sums[*count].currency, sizeof sums[0].currency, "%s", currency);
	return &sums[(*count)++];
}

static int add_total(const struct metering_period *period, const struct sum *sum, struct json_object *list, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	int r = o ? metering_put(o, "from", period->from, err) : error_no_memory(err);

	if (r == 0)
		r = metering_put(o, "until", period->until, err);
	if (r == 0)
		r = metering_put_sum(o, "amount", &sum->amount, 2, err);
	if (r == 0)
		r = metering_put(o, "currency", *sum->currency ? sum->currency : NULL, err);
	if (r == 0 && json_object_array_add(list, o) != 0)
		r = error_no_memory(err);
	if (r == 0)
		o = NULL;
	return r;
}

int metering_total(const struct metering_period *period, struct json_object *list, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *totals = json_object_new_array();
	struct sum sums[CURRENCIES_MAX] = { { .currency = "" } };
	size_t count = 0;
	int r = totals ? 0 : error_no_memory(err);

	for (size_t i = 0; r == 0 && i < json_object_array_length(list); i++) {
		struct json_object *cost = json_object_array_get_idx(list, i);
		const char *currency = json_get_string(cost, "currency");
		struct sum *sum = sum_of(sums, &count, currency ? currency : "");
		struct decimal amount = DECIMAL_ZERO;

		if (!sum)
			return error_set(err, ERR_PROTOCOL, "the costs are in more than %d currencies", CURRENCIES_MAX);
		r = metering_decimal(json_get(cost, "amount"), &amount, err);
		if (r == 0 && decimal_add(&sum->amount, &amount) < 0)
			r = error_set(err, ERR_PROTOCOL, "the sum has more digits than can be kept exactly");
	}
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_total(period, &sums[i], totals, err);
	if (r == 0)
		*ret = steal(totals);
	return r;
}
