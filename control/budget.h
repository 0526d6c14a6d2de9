#pragma once
/*
 * Purpose: what a month may cost: sections of type `budget` in the configuration file.
 *
 *	[monthly]
 *	type = budget
 *	amount = 10		; in the currency of the prices
 *	provider = s3		; a provider's type or a store; left out: all that are priced in `currency`
 *	currency = USD		; left out: the provider's, else USD
 *	warn = 50, 80, 100	; per cent, told once each in the log and shown by status
 *	stop = writes		; none (the default), reads, writes, all
 *
 * Months are those of UTC. Ownership: a list owns nothing but itself; names are copied. Threads: read-only once made.
 */
#include "control/config.h"
#include "control/prices.h"

#define BUDGETS_MAX 16
#define BUDGET_WARN_MAX 8

enum budget_stop { BUDGET_STOP_NONE, BUDGET_STOP_READS, BUDGET_STOP_WRITES, BUDGET_STOP_ALL };
struct budget {
	char name[CONFIG_STORE_NAME_MAX + 1], provider[CONFIG_STORE_NAME_MAX + 1]; /* provider "": all */
	char currency[PRICE_CURRENCY_MAX];
	int64_t amount;
	unsigned warn[BUDGET_WARN_MAX], warn_count; /* ascending */
	enum budget_stop stop;
};
struct budgets {
	struct budget rows[BUDGETS_MAX];
	size_t count;
};
/* The keys of such a section, ended by key NULL. */
extern const struct provider_option budget_options[];
/* Checks the values: ERR_CONFIG naming file and line. */
int budgets_read(const struct config *config, const struct prices *prices, struct budgets *ret, struct error *err) MUST_CHECK;
const char *budget_stop_name(enum budget_stop stop);
/* Whether what a store (of a provider's type) costs, in that currency, counts. */
bool budget_covers(const struct budget *b, const char *store, const char *provider, const char *currency);
