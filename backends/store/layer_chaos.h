#pragma once
/*
 * Purpose: a layer that makes calls fail, for tests: the same seed gives the same sequence of faults, so a failing test
 *	prints its seed and can be run again.
 *
 * Faults are decided call by call in the order of arrival; with one thread the sequence repeats exactly. A fault strikes
 * before the call (nothing happened) or after it (it happened, and the caller does not know): the second kind is what
 * a lost answer looks like, and what uploaders must be safe against.
 * Ownership: on success next belongs to the layer; on failure it stays the caller's.
 * Threads: options may be changed while calls run (store_chaos_set).
 */
#include "backends/store/store.h"

struct chaos_options {
	uint64_t seed;
	unsigned before_permille; /* of 1000 calls so many fail before they happen */
	unsigned after_permille;  /* and so many after they have happened */
	enum error_kind kind;	  /* ERR_NONE: one of UNAVAILABLE, THROTTLED, TIMEOUT at random */
	const char *slot;	  /* only this slot ("put"), NULL: all; static text */
	unsigned skip_calls;	  /* leave the first so many calls alone */
	unsigned max_faults;	  /* 0: no bound */
};
int store_chaos_new(struct store *next, const struct chaos_options *options, struct store **ret,
		    struct error *err) MUST_CHECK;
/* s must be what store_chaos_new gave. The sequence begins anew with the options' seed. */
void store_chaos_set(struct store *s, const struct chaos_options *options);
/* How many faults there have been since it was set. */
unsigned store_chaos_faults(struct store *s);
