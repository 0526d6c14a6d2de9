#pragma once
/*
 * Purpose: checksums of what was written here and is not uploaded yet: CRC32C of each page of a cache file, taken from the bytes as
 *	the program gave them, so that a disk that returns others is found out before they go up.
 *
 * Invariants: a page's sum is of its bytes [lo, hi), or it has none (nothing is known then, and nothing compared). A range that is
 *	being written has no sums until it is; two writes that meet in a page leave it without. At most PAGESUMS_MOST_BYTES of a file
 *	have sums; the rest goes without.
 * Ownership: pagesums_release frees. A struct pagesums_write is the caller's while it writes.
 * Threads: guarded by fs.lock, but pagesums_of_data and pagesums_check, which are pure. Memory only.
 */
#include "backends/base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGESUMS_PAGE	    4096u
#define PAGESUMS_MOST_BYTES (UINT64_C(16) << 30) /* 32 MiB of memory */

struct pagesum {
	uint32_t crc;
	uint16_t lo, hi; /* lo == hi: none; lo > hi: PAGESUM_DAMAGED */
};
#define PAGESUM_NONE	((struct pagesum){0})
#define PAGESUM_DAMAGED ((struct pagesum){ 0, 1, 0 }) /* was found changed when a neighbour was written: stays so until overwritten */
static inline bool pagesum_is_damaged(struct pagesum s)
{
	return s.lo > s.hi;
}

struct pagesums_write {
	uint64_t start, end;
	bool is_met; /* by another write in the same page */
	struct pagesums_write *next;
};

struct pagesums_chunk;
struct pagesums {
	struct pagesums_chunk *chunks; /* sorted */
	size_t count, capacity;
	struct pagesums_write *writes; /* under way */
};

void pagesums_release(struct pagesums *s);
/* Around a write of [start, end). */
void pagesums_begin(struct pagesums *s, struct pagesums_write *w, uint64_t start, uint64_t end);
/* sums: of the pages that [start, end) touches, as they are now; NULL: nothing is known of them. */
void pagesums_end(struct pagesums *s, struct pagesums_write *w, const struct pagesum *sums);
/* Nothing is known of these pages any more. */
void pagesums_forget(struct pagesums *s, uint64_t start, uint64_t end);
/* The sums of the pages that [start, end) touches; none for those that are being written. */
void pagesums_read(const struct pagesums *s, uint64_t start, uint64_t end, struct pagesum *ret);
/* How many pages that is. */
static inline size_t pagesums_pages(uint64_t start, uint64_t end)
{
	return start < end ? (size_t)((end - 1) / PAGESUMS_PAGE - start / PAGESUMS_PAGE + 1) : 0;
}

/* The sums of [start, end) from its bytes alone. */
void pagesums_of_data(const void *data, uint64_t start, uint64_t end, struct pagesum *ret);
/* `added` came into a page that had `old`: what it has now, or NONE when that cannot be told without its bytes. */
struct pagesum pagesum_join(struct pagesum old, struct pagesum added, const void *added_data);
/* The first of these pages that data, read from [start, end), does not fit; -1: all do. Pages of which only a part was read are
 * passed over when their sum is of more. */
ptrdiff_t pagesums_check(const struct pagesum *sums, const void *data, uint64_t start, uint64_t end);
