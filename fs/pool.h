#pragma once
/*
 * Purpose: small pieces of memory of many sizes, made and freed in millions, without an allocator's cost for each: no header
 *	before a piece, sizes in steps of 8 bytes, and a number of 32 bits that stands for a piece where a pointer is too long.
 *
 * Invariants:
 *  - Pieces of one size fill slabs of 16 KiB, which lie in segments of 1 MiB, aligned to their size. The slabs' heads are in the
 *    segment's first 4 KiB.
 *  - The memory of slabs that got empty goes back to the system but for a few; that of a segment without pieces does too.
 *  - Number 0 stands for no piece.
 * Ownership: the pool owns all; what is still there when it is released goes with it.
 * Threads: none of its own; who uses it from several holds a lock (of the tree: fs.lock).
 */
#include "backends/base/buf.h"

#define POOL_PIECE_MAX 1024u

struct pool_segment;
struct pool_slab;
struct pool {
	struct pool_segment **segments; /* NULL where one went */
	uint32_t segment_count, segment_capacity;
	struct pool_slab *partial[POOL_PIECE_MAX / 8 + 1]; /* by size: slabs with room */
	struct pool_slab *empty;
	uint32_t empty_count;
	uint64_t held_bytes; /* of all segments, but for what went back to the system */
};
#define POOL_INIT ((struct pool){ 0 })

/* All pieces are gone with it. */
void pool_release(struct pool *p);
/* Zeroed; NULL without memory. bytes: at most POOL_PIECE_MAX. */
void *pool_alloc(struct pool *p, size_t bytes);
void pool_free(struct pool *p, void *piece);
/* How many bytes there are in a piece, at least as many as were asked for. */
size_t pool_piece_bytes(const void *piece);
uint32_t pool_number(const void *piece); /* 0 for NULL */
void *pool_piece(const struct pool *p, uint32_t number);
/* The pool that a piece lies in. */
const struct pool *pool_of(const void *piece);
