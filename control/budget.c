#include "control/budget.h"

#include <stdio.h>
#include <stdlib.h>

const struct provider_option budget_options[] = {
	{ "amount", "what a month may cost, like 12.50", false },
	{ "provider", "a provider's type or a store's name; left out: all", false },
	{ "currency", "of the amount; left out: that of the provider's prices, else USD", false },
	{ "warn", "per cent at which a warning is told: 50, 80, 100", false },
	{ "stop", "none, reads, writes or all: what is refused when the amount is used up", false },
	{ NULL, NULL, false },
};

static const char *const stops[] = {
	[BUDGET_STOP_NONE] = "none", [BUDGET_STOP_READS] = "reads", [BUDGET_STOP_WRITES] = "writes", [BUDGET_STOP_ALL] = "all",
};

const char *budget_stop_name(enum budget_stop stop)
{
	return stops[stop];
}

static int compare(const void *a, const void *b)
{
	const unsigned *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int read_warn(struct budget *b, const char *value)
{
	struct str rest = str_of(value), item;

	b->warn_count = 0;
	while ((item = str_split(&rest, ',')).ptr) {
		uint64_t percent;

		item = str_trim(item);
		if (str_ends(item, "%"))
			item.len--;
		if (b->warn_count == BUDGET_WARN_MAX || str_to_u64(item, &percent) < 0 || percent < 1 || percent > 1000)
			return -EINVAL;
		b->warn[b->warn_count++] = (unsigned)percent;
	}
	qsort(b->warn, b->warn_count, sizeof b->warn[0], compare);
	return 0;
}

static int read_stop(struct budget *b, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(stops); i++) {
		if (strcmp(value, stops[i]) != 0)
			continue;
		b->stop = (enum budget_stop)i;
		return 0;
	}
	return -EINVAL;
}

static int read_currency(struct budget *b, const char *value)
{
	if (strlen(value) != 3 || strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3)
		return -EINVAL;
	(void)snprintf(b->currency, sizeof b->currency, "%s", value);
	return 0;
}

static int read_value(struct budget *b, const struct provider_value *v, struct error *err)
{
	int r = 0;

	if (!strcmp(v->key, "amount"))
		r = amount_parse(str_of(v->value), &b->amount);
	else if (!strcmp(v->key, "warn"))
		r = read_warn(b, v->value);
	else if (!strcmp(v->key, "stop"))
		r = read_stop(b, v->value);
	else if (!strcmp(v->key, "currency"))
		r = read_currency(b, v->value);
	else if (strlen(v->value) < sizeof b->provider)
		(void)snprintf(b->provider, sizeof b->provider, "%s", v->value);
	else
		r = -EINVAL;
	return r == 0 ? 0 : error_set(err, ERR_CONFIG, "%s: %s: '%.64s' will not do (see docs/usage.md)", v->origin, v->key, v->value);
}

static bool is_known(const struct config *config, const struct prices *prices, const char *name)
{
	if (provider_find(name) || prices_find(prices, name, name))
		return true;
	for (size_t i = 0; i < config->store_count; i++)
		if (config->stores[i].is_store && !strcmp(config->stores[i].name, name))
			return true;
	return false;
}

/* A budget for a store is in the money of the store's provider. */
static const char *type_of(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->store_count; i++)
		if (config->stores[i].is_store && !strcmp(config->stores[i].name, name))
			return config->stores[i].type;
	return name;
}

static int read_section(const struct config *config, const struct prices *prices, const struct config_store *s, struct budget *b,
			struct error *err)
{
	const struct price *price;
	int r = 0;

	*b = (struct budget){ .amount = -1, .warn = { 80, 100 }, .warn_count = 2 };
	(void)snprintf(b->name, sizeof b->name, "%s", s->name);
	for (size_t i = 0; i < s->count && r == 0; i++)
		r = read_value(b, &s->values[i], err);
	if (r < 0)
		return r;
	if (b->amount < 0)
		return error_set(err, ERR_CONFIG, "%s: budget '%s' needs an 'amount'", s->origin, s->name);
	if (b->provider[0] && !is_known(config, prices, b->provider))
		return error_set(err, ERR_CONFIG, "%s: budget '%s': there is no provider or store '%.64s'", s->origin, s->name,
				 b->provider);
	price = b->provider[0] ? prices_find(prices, b->provider, type_of(config, b->provider)) : NULL;
	if (!b->currency[0])
		(void)snprintf(b->currency, sizeof b->currency, "%s", price ? price->currency : "USD");
	if (price && strcmp(price->currency, b->currency) != 0)
		return error_set(err, ERR_CONFIG, "%s: budget '%s' is in %s, the prices of '%.64s' are in %s", s->origin, s->name,
				 b->currency, b->provider, price->currency);
	return 0;
}

int budgets_read(const struct config *config, const struct prices *prices, struct budgets *ret, struct error *err)
{
	int r = 0;

	*ret = (struct budgets){ .count = 0 };
	for (size_t i = 0; i < config->store_count && r == 0; i++) {
		const struct config_store *s = &config->stores[i];

		if (strcmp(s->type, "budget") != 0)
			continue;
		if (ret->count == BUDGETS_MAX)
			return error_set(err, ERR_CONFIG, "%s: more than %d budgets", s->origin, BUDGETS_MAX);
		r = read_section(config, prices, s, &ret->rows[ret->count++], err);
	}
	return r;
}

bool budget_covers(const struct budget *b, const char *store, const char *provider, const char *currency)
{
	if (strcmp(b->currency, currency) != 0)
		return false;
	return !b->provider[0] || !strcmp(b->provider, store) || !strcmp(b->provider, provider);
}
