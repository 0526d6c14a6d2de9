#pragma once
/*
 * Purpose: what layers share that do the same around every call: one vtable with all slots, and two hooks.
 * Invariants: describe and free are not wrapped: they are no requests.
 * Ownership: the layer owns what it wraps (store_free frees down the stack).
 * Threads: hooks run on the caller's thread, many at once.
 */
#include "backends/store/store.h"

/* One call on its way. */
struct around_call {
	const char *slot;	  /* "put", static */
	const char *bucket, *key; /* "" where the slot has none */
	uint64_t start_mono_ns;
	uint64_t hook_state; /* the hooks' own */
};
struct around_layer {
	struct store store;
	/* Negative: the call does not happen and fails so. */
	int (*before)(struct around_layer *layer, struct around_call *call, struct error *err);
	/* Gets the call's result and returns what the caller gets. */
	int (*after)(struct around_layer *layer, struct around_call *call, int r,
		     struct error *err);
	void (*release)(struct around_layer *layer); /* frees the layer itself */
};
/* Fills the embedded store of a zeroed layer; hooks are the caller's to set. The name is next's. */
int around_init(struct around_layer *layer, struct store *next, struct error *err) MUST_CHECK;
extern const struct store_ops around_ops;
