#pragma once
/*
 * Purpose: a set of byte ranges of one file (which are present, which are dirty), as sorted, merged intervals.
 *
 * Invariants: ranges are half-open [start, end), never empty, never touching each other (touching ones are merged).
 * Ownership: extents_release frees. Threads: guarded by the owner's lock. Pure memory, nothing blocks.
 * Errors: only -ENOMEM; a failed call leaves the set as it was.
 */
#include "backends/base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct extent {
	uint64_t start, end;
};
struct extents {
	struct extent *items; /* sorted */
	size_t count, capacity;
	uint64_t total; /* bytes covered */
};
#define EXTENTS_INIT ((struct extents){0})

void extents_release(struct extents *e);
void extents_clear(struct extents *e);
int extents_add(struct extents *e, uint64_t start, uint64_t end) MUST_CHECK; /* start == end: nothing */
int extents_remove(struct extents *e, uint64_t start, uint64_t end) MUST_CHECK; /* may split one */
/* Like remove for everything from `size` on; cannot fail. */
void extents_truncate(struct extents *e, uint64_t size);
bool extents_covers(const struct extents *e, uint64_t start, uint64_t end); /* empty range: true */
bool extents_overlaps(const struct extents *e, uint64_t start, uint64_t end);
/* The first range at or after `from`, clipped to [from, limit); false when there is none. */
bool extents_next(const struct extents *e, uint64_t from, uint64_t limit, struct extent *ret);
/* The first hole at or after `from`, clipped likewise; false when [from, limit) is covered. */
bool extents_next_gap(const struct extents *e, uint64_t from, uint64_t limit, struct extent *ret);
/* Bytes covered inside [start, end). */
uint64_t extents_covered(const struct extents *e, uint64_t start, uint64_t end);
int extents_copy(struct extents *to, const struct extents *from) MUST_CHECK;
