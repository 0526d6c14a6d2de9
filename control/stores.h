#pragma once
/*
 * Purpose: which stores a mount has, and making them.
 *
 * A plan is made (and checked) before the daemon forks; it needs no network and no thread. Opening
 * it makes the HTTP engine and the stores, in the process that keeps them. The rule: with store
 * sections in the file, those and `local`; without, every provider whose standard credentials are
 * found, and `local`.
 * Ownership: a plan borrows from the config; a set owns engine and stores.
 */
#include "control/config.h"

struct store_plan_row {
	const char *name, *type;
	const struct provider_value *values;
	size_t count;
	bool is_found; /* by its credentials, not by the file: a failure to make it is a warning
			  only */
};
struct store_plan {
	struct store_plan_row rows[CONFIG_STORES_MAX + 1];
	size_t count;
};
/* source: "/" or NULL for all; "/NAME/..." needs only that store: NOT_FOUND when there is none of
 * that name. */
int store_plan_make(const struct config *c, const char *source, struct store_plan *ret,
		    struct error *err) MUST_CHECK;

struct store_set {
	struct http_engine *engine;
	struct backend_context *context; /* on the heap: stores may keep pointing to it */
	char *data_home;
	struct store **stores;
	size_t count;
};
#define STORE_SET_INIT ((struct store_set){0})
/* on_skip (may be NULL) hears of stores that were found but could not be made. */
int store_set_open(const struct store_plan *plan,
		   void (*on_skip)(const char *name, const struct error *why),
		   struct store_set *ret, struct error *err) MUST_CHECK;
void store_set_release(struct store_set *s);
