#pragma once
/*
 * Purpose: what a project may use of a provider's resources, how much of it it does, and what that costs: what drivers do and how
 *	records look.
 *
 * What skydir itself caused is counted elsewhere (control/meter.h).
 * Invariants: amounts of money are texts with all the digits that the provider told; what is summed is summed exactly
 *	(backends/base/decimal.h), never as floating point.
 * Units: days are those of UTC.
 */
#include "backends/base/decimal.h"
#include "backends/cloud/cloud.h"

struct metering_ops {
	struct cloud_slot quotas_list; /* optional: service, code */
	struct cloud_slot quotas_get;  /* quota; optional: service, code */
	struct cloud_slot usage;       /* optional: service and the days of a period */
	struct cloud_slot resources;   /* what is metered, with its metrics */
	struct cloud_slot metrics;     /* resource */
	struct cloud_slot measures;    /* resource, metric; optional: the days of a period, granularity, aggregation */
	struct cloud_slot costs_list;  /* optional: the days of a period, by */
	struct cloud_slot costs_details;  /* optional: the days of a period */
	struct cloud_slot costs_forecast; /* optional: until, by */
	struct cloud_slot budgets_list;
	struct cloud_slot account;     /* who pays */
	struct cloud_slot services_list;
	struct cloud_slot prices_list; /* service; optional: currency */
};

extern const struct record_shape shape_quota, shape_usage, shape_metered, shape_metric, shape_measure, shape_cost, shape_cost_total,
	shape_cost_detail, shape_cost_budget, shape_billing_account, shape_billed_service, shape_list_price;

#define DAY_LEN 10
#define PERIOD_DAYS_MAX 1100
struct metering_period {
	char from[DAY_LEN + 1];	 /* "2026-11-01" */
	char until[DAY_LEN + 1]; /* the day behind its last */
	char last[DAY_LEN + 1];
};
/* Of the parameters month, since and until (that included); the present month. ERR_INVALID for what is none. */
int metering_period_read(struct json_object *params, struct metering_period *ret, struct error *err) MUST_CHECK;
/* From today until the parameter `until`, else to the end of the month. */
int metering_period_ahead(struct json_object *params, struct metering_period *ret, struct error *err) MUST_CHECK;
/* The next part of it that is one day or lies in one month: *at begins with an empty `from`. 1: there is one; 0: that was the last. */
int metering_period_next(const struct metering_period *whole, bool is_daily, struct metering_period *at);

enum cost_dimension { COST_SERVICE, COST_REGION, COST_ACCOUNT, COST_RESOURCE, COST_TAG, COST_DIMENSIONS };
const char *cost_dimension_name(enum cost_dimension dimension);
#define COST_BY_MAX 2 /* as many as the services take */
struct cost_by {
	bool is_daily;
	size_t count;
	struct {
		enum cost_dimension dimension;
		char tag[129]; /* the key of COST_TAG */
	} by[COST_BY_MAX];
};
/* Of the parameter `by`: day or month, service, region, account, resource, tag:KEY. */
int cost_by_read(struct json_object *params, struct cost_by *ret, struct error *err) MUST_CHECK;
/* An error that names it; for what a provider cannot tell apart. */
int cost_by_unsupported(struct cloud_call *call, enum cost_dimension dimension, struct error *err) MUST_CHECK;

/* One record of the call's shape, of an object whose members have the shape's names. 1: the call's limit is reached. */
int metering_add(struct cloud_call *call, struct json_object *flat, struct json_object **list, struct error *err) MUST_CHECK;
/* Members of a flat object; a NULL value is null. */
int metering_put(struct json_object *flat, const char *name, const char *text, struct error *err) MUST_CHECK;
/* An amount of money (text or JSON's number), normalised, with two digits behind the point at least. */
int metering_put_money(struct json_object *flat, const char *name, struct json_object *amount, struct error *err) MUST_CHECK;
/* A number of what is used, as exact: whole ones without a point. An object that is no number is null. */
int metering_put_number(struct json_object *flat, const char *name, struct json_object *number, struct error *err) MUST_CHECK;
/* The exact value of a text or number. */
int metering_decimal(struct json_object *value, struct decimal *ret, struct error *err) MUST_CHECK;
/* For maps: the amount as metering_put_money writes it; what is no number stays as it came. */
struct json_object *metering_make_money(struct json_object *amount);
/* By a sum of ours. */
int metering_put_sum(struct json_object *flat, const char *name, const struct decimal *sum, unsigned least,
		     struct error *err) MUST_CHECK;

/* The record whose id or name is the parameter `quota`, out of what a list gave (taken); for quotas_get. */
int metering_find_quota(struct cloud_call *call, struct json_object *list, struct json_object **ret, struct error *err) MUST_CHECK;
/* What of it costs, by currency: shape_cost_total. list: of shape_cost. */
int metering_total(const struct metering_period *period, struct json_object *list, struct json_object **ret,
		   struct error *err) MUST_CHECK;
