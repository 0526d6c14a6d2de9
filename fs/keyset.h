#pragma once
/*
 * Purpose: a set of keys (each with a version or without), as 64-bit digests: what a directory's rename has copied, and
 *	so may delete at the old place.
 *
 * The digest is the beginning of a SHA-256: two different keys of one rename meet with a probability of n^2 / 2^65,
 * which for ten million keys is one in a hundred thousand, and then somebody else's object must bear just that name.
 * Ownership: keyset_release; a zeroed set is empty.
 * Threads: one at a time.
 */
#include "backends/base/error.h"
#include <stddef.h>

struct keyset {
	uint64_t *items;
	size_t count, capacity;
	bool is_sorted;
};
void keyset_release(struct keyset *s);
/* version: "" where it does not count. ERR_NO_MEMORY. */
int keyset_add(struct keyset *s, const char *key, const char *version, struct error *err) MUST_CHECK;
bool keyset_has(struct keyset *s, const char *key, const char *version);
