#pragma once
/*
 * Purpose: memory for what a parser produces (a listing page, the arguments of a call), freed at once.
 *
 * Invariants: never hands out more than `limit` bytes in all. Memory is aligned for any type.
 * Ownership: arena_release frees every piece; pieces are never freed one by one.
 * Threads: one thread at a time.
 */
#include "backends/base/buf.h"

struct arena_block;
struct arena {
	struct arena_block *blocks;
	size_t used;
	size_t limit;
};
#define ARENA_INIT(limit_bytes) ((struct arena){ .limit = (limit_bytes) })

void arena_release(struct arena *a);
/* Zeroed memory, NULL when over the limit or out of memory. */
void *arena_alloc(struct arena *a, size_t size);
/* NUL-terminated copies; NULL likewise. */
char *arena_strdup(struct arena *a, const char *cstring);
char *arena_strndup(struct arena *a, const char *data, size_t len);
/* Moves all of from's blocks into into (from becomes empty); pointers stay good. */
void arena_absorb(struct arena *into, struct arena *from);
