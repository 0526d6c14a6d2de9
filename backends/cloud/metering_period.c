/*
 * What is asked of costs and usage: from which day to which, and by what they are told apart.
 */
#include "backends/cloud/metering.h"

#include "backends/base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

#define DAY_S INT64_C(86400)

static void write_day(int64_t day, char ret[DAY_LEN + 1])
{
	time_t at = (time_t)(day * DAY_S);
	struct tm tm;

	(void)gmtime_r(&at, &tm);
	(void)strftime(ret, DAY_LEN + 1, "%Y-%m-%d", &tm);
}

/* "2026-11-23" as days since 1970; false for what is no day. */
static bool read_day(const char *text, int64_t *ret)
{
	static const char pattern[] = "0000-00-00";
	struct tm tm = { .tm_isdst = 0 };
	char again[DAY_LEN + 1];

	for (size_t i = 0; i < DAY_LEN; i++)
		if (pattern[i] == '0' ? !isdigit((unsigned char)text[i]) : text[i] != '-')
			return false;
	if (text[DAY_LEN])
		return false;
	tm.tm_year = (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0') - 1900;
	tm.tm_mon = (text[5] - '0') * 10 + (text[6] - '0') - 1;
	tm.tm_mday = (text[8] - '0') * 10 + (text[9] - '0');
	*ret = (int64_t)timegm(&tm) / DAY_S;
	write_day(*ret, again);
	return !strcmp(text, again) && tm.tm_year >= 100; /* no 31 February; and division of what lies before 1970 is another */
}

static int64_t month_end(int64_t day)
{
	char text[DAY_LEN + 1];
	int64_t next = day;

	do
		write_day(++next, text);
	while (strcmp(text + 8, "01") != 0);
	return next;
}

static int no_day(const char *text, struct error *err)
{
	return error_set(err, ERR_INVALID, "'%.40s' is no day (like 2026-11-23)", text);
}

static int fill(int64_t from, int64_t until, struct metering_period *ret, struct error *err)
{
	if (until <= from)
		return error_set(err, ERR_INVALID, "the period ends before it begins");
	if (until - from > PERIOD_DAYS_MAX)
		return error_set(err, ERR_INVALID, "the period is longer than %d days", PERIOD_DAYS_MAX);
	write_day(from, ret->from);
	write_day(until, ret->until);
	write_day(until - 1, ret->last);
	return 0;
}

int metering_period_read(struct json_object *params, struct metering_period *ret, struct error *err)
{
	const char *month = json_get_string(params, "month"), *since = json_get_string(params, "since");
	const char *until = json_get_string(params, "until");
	int64_t today = clock_wall_s() / DAY_S, from, end = 0;
	char first[DAY_LEN + 1];

	if (month && (since || until))
		return error_set(err, ERR_INVALID, "either a month, or from when to when");
	write_day(today, first);
	if (month && strlen(month) == 7)
		(void)snprintf(first, sizeof first, "%.7s-01", month);
	(void)snprintf(first + 8, sizeof first - 8, "01");
	if (month && (strlen(month) != 7 || !read_day(first, &from)))
		return error_set(err, ERR_INVALID, "'%.40s' is no month (like 2026-11)", month);
	if (!read_day(first, &from))
		return error_set(err, ERR_INVALID, "this machine's clock is wrong");
	if (since && !read_day(since, &from))
		return no_day(since, err);
	if (until && !read_day(until, &end))
		return no_day(until, err);
	if (until && !since) {
		write_day(end, first);
		(void)snprintf(first + 8, sizeof first - 8, "01");
		(void)read_day(first, &from); /* it is a day */
	}
	end = until ? end + 1 : month ? month_end(from) : today + 1; /* what is not over yet ends today */
	return fill(from, end, ret, err);
}

int metering_period_ahead(struct json_object *params, struct metering_period *ret, struct error *err)
{
	const char *until = json_get_string(params, "until");
	int64_t today = clock_wall_s() / DAY_S, end = 0;

	if (until && !read_day(until, &end))
		return no_day(until, err);
	if (until && end < today)
		return error_set(err, ERR_INVALID, "'%s' is over: a forecast begins today", until);
	return fill(today, until ? end + 1 : month_end(today), ret, err);
}

int metering_period_next(const struct metering_period *whole, bool is_daily, struct metering_period *at)
{
	struct error ignored = ERROR_INIT;
	int64_t from, until, end;

	if (!read_day(*at->from ? at->until : whole->from, &from) || !read_day(whole->until, &end) || from >= end)
		return 0;
	until = is_daily ? from + 1 : month_end(from);
	return fill(from, until < end ? until : end, at, &ignored) == 0;
}

/* ---- by what ---- */

static const char *const dimension_names[COST_DIMENSIONS] = {
	[COST_SERVICE] = "service", [COST_REGION] = "region",	[COST_ACCOUNT] = "account",
	[COST_RESOURCE] = "resource", [COST_TAG] = "tag",
};

const char *cost_dimension_name(enum cost_dimension dimension)
{
	return dimension_names[dimension];
}

static int add_dimension(struct str word, struct cost_by *ret, struct error *err)
{
	int at = 0;
	bool is_tag = str_starts(word, "tag:");

	while (at < COST_TAG && !str_equal(word, str_of(dimension_names[at])))
		at++;
	if (at == COST_TAG && !is_tag)
		return error_set(err, ERR_INVALID, "'%.*s' is none of day, month, service, region, account, resource, tag:KEY",
				 (int)(word.len < 40 ? word.len : 40), word.ptr);
	if (is_tag && (word.len == 4 || word.len - 4 >= sizeof ret->by[0].tag))
		return error_set(err, ERR_INVALID, "the key of 'tag:' must have 1 to %zu bytes", sizeof ret->by[0].tag - 1);
	for (size_t i = 0; i < ret->count; i++)
		if (ret->by[i].dimension == (enum cost_dimension)at)
			return error_set(err, ERR_INVALID, "'%s' is given twice", dimension_names[at]);
	if (ret->count == COST_BY_MAX)
		return error_set(err, ERR_INVALID, "costs can be told apart by two things and the time, not more");
	ret->by[ret->count].dimension = (enum cost_dimension)at;
	if (is_tag)
		(void)snprintf(ret->by[ret->count].tag, sizeof ret->by[0].tag, "%.*s", (int)(word.len - 4), word.ptr + 4);
	ret->count++;
	return 0;
}

int cost_by_read(struct json_object *params, struct cost_by *ret, struct error *err)
{
	struct json_object *by = json_get_array(params, "by");
	bool is_monthly = false;
	int r = 0;

	*ret = (struct cost_by){ .is_daily = false };
	for (size_t i = 0; by && r == 0 && i < json_object_array_length(by); i++) {
		struct str rest = str_of(json_object_get_string(json_object_array_get_idx(by, i))), word;

		while (r == 0 && (word = str_trim(str_split(&rest, ','))).ptr) {
			if (str_equal(word, STR("day")))
				ret->is_daily = true;
			else if (str_equal(word, STR("month")))
				is_monthly = true;
			else
				r = add_dimension(word, ret, err);
		}
	}
	if (r == 0 && ret->is_daily && is_monthly)
		return error_set(err, ERR_INVALID, "either by day or by month");
	return r;
}

int cost_by_unsupported(struct cloud_call *call, enum cost_dimension dimension, struct error *err)
{
	return error_set(err, ERR_UNSUPPORTED, "%s: 'by %s' is not supported by %s", call->operation, dimension_names[dimension],
			 call->cloud->name);
}
