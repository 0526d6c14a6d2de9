/*
 * Budgets: what of them is spent by what the meter counted, what they warn of and refuse, and how they are shown.
 */
#include "control/meter_private.h"

#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "backends/base/metrics.h"

#include <stdio.h>

static int refuse_locked(const struct budget *b, const struct standing *s, const char *what, struct error *err)
{
	char amount[AMOUNT_TEXT_MAX], spent[AMOUNT_TEXT_MAX];

	amount_format(b->amount, 2, amount);
	amount_format(s->spent, 2, spent);
	return error_set(err, ERR_BUDGET, "the budget '%s' is used up (%s of %s %s this month): no more %s until it is raised or the "
					  "month ends", b->name, spent, amount, b->currency, what);
}

static int check_budgets(const char *store, enum budget_stop what, struct error *err)
{
	char provider[STORE_MAX];
	const struct price *price;

	LOCKED(&meter.lock);
	meter_provider_locked(store, provider);
	price = prices_find(&meter.prices, store, provider);
	for (size_t i = 0; i < meter.budgets.count; i++) {
		const struct budget *b = &meter.budgets.rows[i];

		if (!meter.standings[i].is_stopped || (b->stop != what && b->stop != BUDGET_STOP_ALL) ||
		    !budget_covers(b, store, provider, price ? price->currency : b->currency))
			continue;
		return refuse_locked(b, &meter.standings[i], budget_stop_name(what), err);
	}
	return 0;
}

int meter_admit(const struct http_request *request, struct error *err)
{
	enum usage_class c;

	if (!request->bucket || !atomic_load_explicit(&meter.is_stopping_any, memory_order_relaxed))
		return 0;
	c = usage_class_of(request->operation ? request->operation : "");
	if (c == USAGE_DELETE_CLASS || c == USAGE_OTHER_CLASS)
		return 0;
	return check_budgets(request->store ? request->store : "", c == USAGE_WRITE_CLASS ? BUDGET_STOP_WRITES : BUDGET_STOP_READS, err);
}

int meter_may_change(const struct store *store, struct error *err)
{
	if (!atomic_load_explicit(&meter.is_stopping_any, memory_order_relaxed))
		return 0;
	return check_budgets(store->name, BUDGET_STOP_WRITES, err);
}

void meter_gate_stores(struct store *const *stores, size_t count)
{
	for (size_t i = 0; i < count; i++)
		stores[i]->may_change = meter_may_change;
}

static void month_now(char ret[8], char ret_first_day[USAGE_DAY_LEN + 1])
{
	time_t now = (time_t)clock_wall_s();
	struct tm tm;

	(void)gmtime_r(&now, &tm);
	(void)strftime(ret, 8, "%Y-%m", &tm);
	(void)snprintf(ret_first_day, USAGE_DAY_LEN + 1, "%.7s-01", ret);
}

static int add_cost(void *arg, const struct usage_row *row, struct error *err)
{
	struct judgement *j = arg;
	const struct price *price = prices_find(&j->prices, row->store, row->provider);
	int64_t cost;

	(void)err;
	if (!price)
		return 0;
	cost = price_of(price, usage_class_of(row->operation), row->requests, row->sent, row->received);
	for (size_t i = 0; i < j->budgets.count; i++)
		if (budget_covers(&j->budgets.rows[i], row->store, row->provider, price->currency) &&
		    j->spent[i] < INT64_MAX - cost)
			j->spent[i] += cost;
	return 0;
}

static unsigned percent_of(const struct budget *b, int64_t spent)
{
	__int128 percent = b->amount ? (__int128)spent * 100 / b->amount : spent ? 1000 : 100;

	return percent > 100000 ? 100000 : (unsigned)percent;
}

static void show_metrics(const struct budget *b, int64_t spent)
{
	char labels[96];

	(void)snprintf(labels, sizeof labels, "budget=\"%.40s\",currency=\"%s\"", b->name, b->currency);
	if (strpbrk(b->name, "\"\\")) /* would break the format */
		return;
	metric_set(metric_get(METRIC_GAUGE, "budget_spent_micros", labels), spent / 1000);
	metric_set(metric_get(METRIC_GAUGE, "budget_amount_micros", labels), b->amount / 1000);
}

static void judge_locked(size_t i, int64_t spent)
{
	const struct budget *b = &meter.budgets.rows[i];
	struct standing *s = &meter.standings[i];
	unsigned percent = percent_of(b, spent), reached = 0;
	bool stops = b->stop != BUDGET_STOP_NONE && spent >= b->amount;
	char text[AMOUNT_TEXT_MAX], amount[AMOUNT_TEXT_MAX];

	amount_format(spent, 2, text);
	amount_format(b->amount, 2, amount);
	s->spent = spent;
	for (unsigned w = 0; w < b->warn_count; w++)
		if (percent >= b->warn[w])
			reached = b->warn[w];
	if (reached > s->warned)
		log_warn("budget.warning", "budget='%s' spent=%s amount=%s currency=%s percent=%u", b->name, text, amount, b->currency,
			 percent);
	s->warned = reached;
	if (stops && !s->is_stopped)
		log_warn("budget.stopped", "budget='%s' spent=%s amount=%s currency=%s refuses=%s what='raise its amount; what is not "
					   "uploaded stays in the cache'", b->name, text, amount, b->currency, budget_stop_name(b->stop));
	else if (!stops && s->is_stopped)
		log_info("budget.resumed", "budget='%s' spent=%s amount=%s currency=%s", b->name, text, amount, b->currency);
	s->is_stopped = stops;
	show_metrics(b, spent);
}

/* db_lock is held: what others wrote counts too. */
int meter_judge(struct error *err)
{
	CLEANUP(freep) struct judgement *j = calloc(1, sizeof *j);
	char month[8], first[USAGE_DAY_LEN + 1];
	bool stops = false;
	int r = 0;

	if (!j)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	month_now(month, first);
	lock_take(&meter.lock);
	j->prices = meter.prices;
	j->budgets = meter.budgets;
	lock_drop(&meter.lock);
	if (!j->budgets.count) {
		atomic_store(&meter.is_stopping_any, false);
		return 0;
	}
	if (meter.db)
		r = usage_db_each(meter.db, first, NULL, USAGE_ALL, add_cost, j, err);
	if (r < 0)
		return r;
	LOCKED(&meter.lock);
	if (memcmp(&meter.budgets, &j->budgets, sizeof j->budgets) != 0)
		return 0; /* read anew meanwhile: judged the next time */
	if (strcmp(meter.month, month) != 0) /* warned again in a new month; what was stopped is told to go on */
		for (size_t i = 0; i < BUDGETS_MAX; i++)
			meter.standings[i].warned = 0;
	meter_copy_word(meter.month, sizeof meter.month, month);
	for (size_t i = 0; i < meter.budgets.count; i++) {
		judge_locked(i, j->spent[i]);
		stops = stops || meter.standings[i].is_stopped;
	}
	atomic_store(&meter.is_stopping_any, stops);
	return 0;
}

/* ---- what is shown ---- */

static struct json_object *amount_json(int64_t nano)
{
	char text[AMOUNT_TEXT_MAX];

	amount_format(nano, 6, text);
	return json_object_new_double_s((double)nano / 1e9, text);
}

static struct json_object *budget_json_locked(size_t i)
{
	const struct budget *b = &meter.budgets.rows[i];
	const struct standing *s = &meter.standings[i];
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	json_object_object_add(o, "name", json_object_new_string(b->name));
	json_object_object_add(o, "provider", b->provider[0] ? json_object_new_string(b->provider) : NULL);
	json_object_object_add(o, "month", json_object_new_string(meter.month));
	json_object_object_add(o, "spent", amount_json(s->spent));
	json_object_object_add(o, "amount", amount_json(b->amount));
	json_object_object_add(o, "currency", json_object_new_string(b->currency));
	json_object_object_add(o, "percent", json_object_new_int64(percent_of(b, s->spent)));
	json_object_object_add(o, "stop", json_object_new_string(budget_stop_name(b->stop)));
	json_object_object_add(o, "stopped", json_object_new_boolean(s->is_stopped));
	json_object_object_add(o, "warned", json_object_new_boolean(s->warned > 0));
	return o;
}

struct json_object *meter_budgets(void)
{
	struct json_object *list = json_object_new_array();

	LOCKED(&meter.lock);
	for (size_t i = 0; list && i < meter.budgets.count; i++) {
		struct json_object *o = budget_json_locked(i);

		if (o && json_object_array_add(list, o) == 0)
			continue;
		json_object_put(o);
		json_object_put(list);
		return NULL;
	}
	return list;
}

void meter_prices(struct prices *ret)
{
	LOCKED(&meter.lock);
	*ret = meter.prices;
}
