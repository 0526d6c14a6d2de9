#pragma once
/*
 * Purpose: the table of providers: one row each. A row knows its options and how a store is made from them, and
 *	whether the provider's standard credentials are found when there is no configuration file.
 * Threads: called while the program starts; the context outlives all stores.
 */
#include "backends/base/ini.h"
#include "backends/base/settings.h"
#include "backends/http/engine.h"
#include "backends/store/store.h"

struct provider {
	const char *type;	/* "s3" */
	const char *summary;
	const struct provider_option *options; /* ended by key NULL */
	/* Whether the standard means (environment, files) hold credentials; no network. */
	bool (*is_configured)(const struct backend_context *context);
	int (*store_new)(const struct backend_context *context, const char *name,
			 const struct provider_value *values, size_t count, struct store **ret, struct error *err);
};
extern const struct provider *const providers[]; /* ended by NULL */
const struct provider *provider_find(const char *type);
/* Checks the keys against the row (ERR_CONFIG naming origin and key), then makes the store. */
int provider_store_new(const struct backend_context *context, const char *type, const char *name,
		       const struct provider_value *values, size_t count, struct store **ret, struct error *err);
/* Whether the stores of a type have such an option. */
bool provider_knows(const char *type, const char *key);
