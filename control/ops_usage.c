/*
 * Purpose: what skydir itself caused at clouds, and what that costs: rows and their handlers.
 */
#include "backends/base/clock.h"
#include "control/client.h"
#include "control/meter.h"
#include "control/op.h"
#include "control/usage_db.h"

#include <stdio.h>

#define GROUPS_MAX 200000
#define FLUSH_MS   3000

static int no_memory(struct error *err)
{
	return error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* What --by takes, in the order in which a table shows it. */
enum { BY_DAY, BY_MONTH, BY_PROVIDER, BY_STORE, BY_BUCKET, BY_OPERATION, BY_CLASS, BY_COUNT };
static const char *const by_names[BY_COUNT] = {"day", "month", "provider", "store", "bucket", "operation", "class"};

struct report {
	bool by[BY_COUNT];
	struct prices prices;
	struct json_object *groups; /* an object: key -> record */
};

static int parse_by(struct report *p, struct json_object *by, struct error *err)
{
	size_t count = by ? json_object_array_length(by) : 0;

	for (size_t i = 0; i < count; i++) {
		struct str rest = str_of(json_object_get_string(json_object_array_get_idx(by, i))), word;

		while ((word = str_trim(str_split(&rest, ','))).ptr) {
			int at = 0;

			while (at < BY_COUNT && !str_equal(word, str_of(by_names[at])))
				at++;
			if (at == BY_COUNT)
				return error_set(err, ERR_INVALID,
						 "'%.*s' is none of day, month, provider, store, bucket, operation, class",
						 (int)(word.len < 40 ? word.len : 40), word.ptr);
			p->by[at] = true;
		}
	}
	if (!count)
		p->by[BY_PROVIDER] = p->by[BY_STORE] = true;
	return 0;
}

static bool is_date(const char *text, size_t len)
{
	static const char pattern[] = "0000-00-00";

	for (size_t i = 0; i < len; i++)
		if (pattern[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != '-')
			return false;
	return text[len] == '\0';
}

struct period {
	char since[USAGE_DAY_LEN + 1], until[USAGE_DAY_LEN + 1];
};

/* This month, unless something is said. */
static int parse_period(const struct op_call *call, struct period *ret, struct error *err)
{
	const char *since = json_get_string(call->params, "since"), *until = json_get_string(call->params, "until");
	const char *month = json_get_string(call->params, "month");
	char now[25];

	clock_format_iso8601(clock_wall_ns(), now);
	if (month && (since || until))
		return error_set(err, ERR_INVALID, "either a month, or from when to when");
	if ((since && !is_date(since, 10)) || (until && !is_date(until, 10)))
		return error_set(err, ERR_INVALID, "'%.40s' is no day (2026-11-23)", since && !is_date(since, 10) ? since : until);
	if (month && !is_date(month, 7))
		return error_set(err, ERR_INVALID, "'%.40s' is no month (2026-11)", month);
	if (!month && !since && !until)
		month = now;
	(void)snprintf(ret->since, sizeof ret->since, since || until ? "%.10s" : "%.7s-01", since ? since : until ? "0000-00-00" : month);
	(void)snprintf(ret->until, sizeof ret->until, since || until ? "%.10s" : "%.7s-31", until ? until : since ? "9999-99-99" : month);
	return 0;
}

static void add_number(struct json_object *record, const char *name, uint64_t n)
{
	int64_t before = json_get_int64(record, name, 0);

	json_object_object_add(record, name, json_object_new_int64(before + (int64_t)n));
}

static struct json_object *cost_json(int64_t nano)
{
	char text[AMOUNT_TEXT_MAX];

	amount_format(nano, 6, text);
	return json_object_new_double_s((double)nano / 1e9, text);
}

/* The record of a row's group, made when missing. */
static struct json_object *group_of(struct report *p, const struct usage_row *row, const char *currency)
{
	const char *words[BY_COUNT] = {row->day, row->day, row->provider, row->store, row->bucket, row->operation,
				       usage_class_name(usage_class_of(row->operation))};
	CLEANUP(buf_release) struct buf key = BUF_INIT(8192);
	struct json_object *record = NULL;
	int r = buf_adds(&key, currency);

	for (int i = 0; i < BY_COUNT && r == 0; i++)
		if (p->by[i])
			r = buf_addf(&key, "\n%s", words[i]);
	if (r < 0)
		return NULL;
	if (json_object_object_get_ex(p->groups, buf_cstr(&key), &record))
		return record;
	record = json_object_object_length(p->groups) < GROUPS_MAX ? json_object_new_object() : NULL;
	if (!record)
		return NULL;
	for (int i = 0; i < BY_COUNT; i++)
		if (p->by[i])
			json_object_object_add(record, by_names[i], json_object_new_string_len(words[i], (int)(i == BY_MONTH ? 7 : strlen(words[i]))));
	json_object_object_add(p->groups, buf_cstr(&key), record);
	return record;
}

static int add_row(void *arg, const struct usage_row *row, struct error *err)
{
	struct report *p = arg;
	const struct price *price = prices_find(&p->prices, row->store, row->provider);
	struct json_object *record = group_of(p, row, price ? price->currency : "");

	if (!record)
		return json_object_object_length(p->groups) < GROUPS_MAX
			       ? no_memory(err)
			       : error_set(err, ERR_TOO_LARGE, "more than %d rows (a shorter time, or fewer --by)", GROUPS_MAX);
	add_number(record, "requests", row->requests);
	add_number(record, "errors", row->errors);
	add_number(record, "sent", row->sent);
	add_number(record, "received", row->received);
	if (price) { /* kept exact, in nano-units, until all is added */
		add_number(record, "cost",
			   (uint64_t)price_of(price, usage_class_of(row->operation), row->requests, row->sent, row->received));
		json_object_object_add(record, "currency", json_object_new_string(price->currency));
	} else {
		json_object_object_add(record, "cost", NULL);
		json_object_object_add(record, "currency", NULL);
	}
	return 0;
}

static int finish(struct report *p, struct json_object **ret, struct error *err)
{
	struct json_object *list = json_object_new_array();

	if (!list)
		return no_memory(err);
	json_object_object_foreach(p->groups, key, record)
	{
		struct json_object *cost = json_get(record, "cost");

		(void)key; /* the record says it itself */
		if (cost)
			json_object_object_add(record, "cost", cost_json(json_object_get_int64(cost)));
		if (json_object_array_add(list, json_object_get(record)) != 0) {
			json_object_put(record);
			json_object_put(list);
			return no_memory(err);
		}
	}
	*ret = op_items(list);
	return *ret ? 0 : no_memory(err);
}

/* The daemons of this user have counted what is not in the file yet. */
static void flush_others(const struct op_call *call)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	struct error err = ERROR_INIT;

	if (call->session || clients_open(&all, &err) < 0) /* a daemon does not call its like: they might wait for each other */
		return;
	for (size_t i = 0; i < all.count; i++) {
		CLEANUP(json_putp) struct json_object *result = NULL;

		if (!all.items[i].about || client_call(&all.items[i], "usage.flush", NULL, FLUSH_MS, NULL, NULL, &result, &err) < 0)
			continue; /* what it counted comes two seconds later */
	}
}

static int open_usage(const struct op_call *call, struct usage_db **ret, struct error *err)
{
	CLEANUP(freep) char *path = meter_path();
	struct error ignored = ERROR_INIT;

	if (!path)
		return no_memory(err);
	(void)meter_flush(&ignored); /* logged there; the file is still worth reading */
	flush_others(call);
	return usage_db_open(path, USAGE_READ, ret, err);
}

static int run_list(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(usage_db_closep) struct usage_db *db = NULL;
	struct report report = {.by = {false}};
	struct period period;
	int r = parse_by(&report, json_get_array(call->params, "by"), err);

	if (r == 0)
		r = parse_period(call, &period, err);
	if (r < 0)
		return r;
	r = open_usage(call, &db, err);
	if (r < 0 && err->kind != ERR_NOT_FOUND)
		return r;
	*err = ERROR_INIT;
	meter_prices(&report.prices);
	report.groups = json_object_new_object();
	r = report.groups ? 0 : no_memory(err);
	if (r == 0 && db)
		r = usage_db_each(db, period.since, period.until,
				  report.by[BY_DAY] ? USAGE_BY_DAY : report.by[BY_MONTH] ? USAGE_BY_MONTH : USAGE_ALL, add_row, &report, err);
	if (r == 0)
		r = finish(&report, ret, err);
	json_object_put(report.groups);
	return r;
}

static int run_budgets(const struct op_call *call, struct json_object **ret, struct error *err)
{
	struct error ignored = ERROR_INIT;
	struct json_object *list;

	flush_others(call);
	(void)meter_flush(&ignored); /* judges them, and logs what is wrong */
	list = meter_budgets();
	*ret = list ? op_items(list) : NULL;
	return *ret ? 0 : no_memory(err);
}

static struct json_object *price_record(const struct price *p)
{
	struct json_object *o = json_object_new_object();
	char name[32];

	if (!o)
		return NULL;
	json_object_object_add(o, "name", json_object_new_string(p->name));
	for (int c = 0; c < USAGE_CLASSES; c++) {
		(void)snprintf(name, sizeof name, "%s_1000", usage_class_name((enum usage_class)c));
		json_object_object_add(o, name, cost_json(p->per_1000[c]));
	}
	json_object_object_add(o, "egress_gb", cost_json(p->egress_gb));
	json_object_object_add(o, "ingress_gb", cost_json(p->ingress_gb));
	json_object_object_add(o, "currency", json_object_new_string(p->currency));
	json_object_object_add(o, "date", p->date[0] ? json_object_new_string(p->date) : NULL);
	return o;
}

static int run_prices(const struct op_call *call, struct json_object **ret, struct error *err)
{
	struct json_object *list = json_object_new_array();
	struct prices prices;

	(void)call; /* the same for every caller */
	meter_prices(&prices);
	for (size_t i = 0; list && i < prices.count; i++) {
		struct json_object *o = price_record(&prices.rows[i]);

		if (o && json_object_array_add(list, o) == 0)
			continue;
		json_object_put(o);
		json_object_put(list);
		return no_memory(err);
	}
	*ret = list ? op_items(list) : NULL;
	return *ret ? 0 : no_memory(err);
}

static int run_flush(const struct op_call *call, struct json_object **ret, struct error *err)
{
	int r = meter_flush(err);

	(void)call; /* there is one meter */
	*ret = r == 0 ? json_object_new_object() : NULL;
	return r == 0 && !*ret ? no_memory(err) : r;
}

static const struct op_param list_params[] = {
	{"by", OP_LIST, false, 64, "what to tell apart: day, month, provider, store, bucket, operation, class; may be repeated"},
	{"month", OP_STRING, false, 7, "the month, like 2026-11 (the present one)"},
	{"since", OP_STRING, false, 10, "from this day on, like 2026-11-23 (UTC)"},
	{"until", OP_STRING, false, 10, "up to this day, that included"},
	OP_PARAM_END,
};

extern const struct op usage_op_rows[];
const struct op usage_op_rows[] = {
	{.name = "usage.list",
	 .summary = "requests and bytes that skydir itself caused, and what they cost by the price table",
	 .details = "Counted since skydir was first used, in all mounts and commands of this user, by UTC days. Costs are an\n"
		    "estimate by list prices (`skydir usage prices`, docs/usage.md); what is stored is not in them.\n"
		    "`skydir usage` is the same.",
	 .example = "skydir usage\nskydir usage --by day --by store --month 2026-11\nskydir usage list --by bucket,operation --output json",
	 .params = list_params,
	 .run = run_list,
	 .result = OP_ITEMS},
	{.name = "usage.budgets",
	 .summary = "the budgets of the configuration file and how much of each is spent this month",
	 .example = "skydir usage budgets",
	 .run = run_budgets,
	 .result = OP_ITEMS},
	{.name = "usage.prices",
	 .summary = "the price table in force: what is built in, and prices.conf over it",
	 .example = "skydir usage prices",
	 .run = run_prices,
	 .result = OP_ITEMS},
	{.name = "usage.flush",
	 .summary = "write what was counted to the file",
	 .run = run_flush,
	 .is_hidden = true,
	 .result = OP_ONE},
	{.name = NULL},
};
