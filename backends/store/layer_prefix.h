#pragma once
/*
 * Purpose: a layer that shows only the keys below a prefix, without it: what a store looks like whose user may touch
 *	one folder only, or a mount of a subtree.
 * Invariants: the prefix is put before every key of every bucket and taken off in every answer; buckets themselves,
 *	their policies and versioning are transparent. Keys may be longer by its length than what is left of STORE_KEY_MAX:
 *	ERR_NAME_TOO_LONG.
 * Ownership: on success next belongs to the layer; on failure it stays the caller's.
 */
#include "backends/store/store.h"

int store_prefix_new(struct store *next, const char *prefix, struct store **ret,
		     struct error *err) MUST_CHECK;
