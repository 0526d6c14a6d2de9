#pragma once
/*
 * Purpose: what requests and traffic cost: a table that is built in, and a file (prices.conf beside the configuration file) whose
 *	sections and keys go over it.
 *
 * A section is the type of a provider or the name of a store, which goes first. Prices are list prices of one region without
 * tiers, free allowances and discounts: an estimate, not a bill. What is stored costs too and is not counted here.
 * Units: amounts are nano-units of the currency (1 USD = 1000000000).
 * Ownership: a table owns its strings. Threads: read-only once loaded.
 * Errors: ERR_CONFIG naming file, line and key.
 */
#include "backends/base/ini.h"

#define PRICES_MAX	128
#define PRICE_CURRENCY_MAX 8

/* What providers have prices for. */
enum usage_class { USAGE_WRITE_CLASS, USAGE_LIST_CLASS, USAGE_READ_CLASS, USAGE_DELETE_CLASS, USAGE_OTHER_CLASS, USAGE_CLASSES };
/* The class of an operation by its name ("PutObject", "instances.list"). */
enum usage_class usage_class_of(const char *operation);
const char *usage_class_name(enum usage_class c);

struct price {
	char name[65]; /* of the provider's type or the store */
	char currency[PRICE_CURRENCY_MAX];
	char date[11]; /* when it was looked up */
	int64_t per_1000[USAGE_CLASSES];
	int64_t egress_gb, ingress_gb; /* per 2^30 bytes */
};
struct prices {
	struct price rows[PRICES_MAX];
	size_t count;
};
/* path NULL, or of a file that is not there: the built-in table. */
int prices_load(const char *path, struct prices *ret, struct error *err) MUST_CHECK;
/* That of a store or its provider; NULL: nothing is known of it. */
const struct price *prices_find(const struct prices *p, const char *store, const char *provider);
/* sent: by us, received: by us. */
int64_t price_of(const struct price *p, enum usage_class c, uint64_t requests, uint64_t sent, uint64_t received);

/* "12.50" in nano-units: -EINVAL for what is no amount of at most nine digits on both sides. */
int amount_parse(struct str text, int64_t *ret);
/* "12.50", with up to `digits` behind the point, at least two. */
#define AMOUNT_TEXT_MAX 24
void amount_format(int64_t nano, unsigned digits, char ret[AMOUNT_TEXT_MAX]);
