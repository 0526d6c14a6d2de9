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
#define PAGESUMS_CHUNK_PAGES 512u
#define PAGESUMS_CHUNKS_MOST (PAGESUMS_MOST_BYTES / (PAGESUMS_CHUNK_PAGES * (uint64_t)PAGESUMS_PAGE))

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
	/* What the log of them (sumlog.h) knows; intact.c keeps it: */
	bool is_logged;		       /* something */
	bool is_off, owes_off;	       /* nothing more until all is forgotten; and has yet to be told so */
	uint64_t stale_start, stale_end; /* it has yet to forget these, before bytes change; empty: nothing */
};

void pagesums_release(struct pagesums *s);
/* Room for the sums of [start, end); false: they cannot be kept. */
bool pagesums_reserve(struct pagesums *s, uint64_t start, uint64_t end);
/* As if it had been written like that. */
void pagesums_put(struct pagesums *s, uint64_t start, uint64_t end, const struct pagesum *sums);
/* Where the i-th piece of PAGESUMS_CHUNK_PAGES that has sums begins; false: there are not so many. */
bool pagesums_chunk_start(const struct pagesums *s, size_t i, uint64_t *ret_start);
/* Whether some sum is of bytes of [start, end). A page that was found damaged has none: it stays damaged until it is overwritten. */
bool pagesums_cover_any(const struct pagesums *s, uint64_t start, uint64_t end);
/* Around a write of [start, end). */
void pagesums_begin(struct pagesums *s, struct pagesums_write *w, uint64_t start, uint64_t end);
/* sums: of the pages that [start, end) touches, as they are now; NULL: nothing is known of them. */
void pagesums_end(struct pagesums *s, struct pagesums_write *w, const struct pagesum *sums);
/* Nothing is known of these pages any more. The log is another matter. */
bool pagesums_forget(struct pagesums *s, uint64_t start, uint64_t end); /* whether a write under way is in one of them */
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
