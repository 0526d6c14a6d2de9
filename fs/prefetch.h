#pragma once
/*
 * Purpose: decides which ranges of a file to fetch beyond what a read asked for. Pure: no I/O, no clock.
 *
 * Up to PREFETCH_STREAMS readers of one file are told apart by where each would read next (a read within a small
 * distance ahead or behind of a stream's position continues it: the kernel's read-ahead reorders). The first read of a
 * stream at offset 0, or the second in a row anywhere (the third, when it is only near), counts as sequential; the window starts at 1 MiB (or the
 * whole file if it is no larger) and grows fourfold with each further sequential read that has caught up with half of it,
 * up to max_window. A random read gets no window at all.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PREFETCH_STREAMS 4
struct prefetch_stream {
	uint64_t next;	 /* where a sequential reader would go on */
	uint64_t window; /* bytes to keep fetched or under way ahead of next; 0: not sequential (yet) */
	uint64_t planned; /* end of what has been asked for so far */
	unsigned hits;	 /* what speaks for a sequential reader (PREFETCH_HIT_x) */
	uint64_t used;	 /* for finding the least recently used stream */
};
struct prefetch {
	struct prefetch_stream streams[PREFETCH_STREAMS];
	uint64_t clock;
};
struct prefetch_plan {
	uint64_t start, end; /* [start, end) to fetch beyond the read, start >= end of the read; empty: start == end */
	bool is_sequential;
};
void prefetch_init(struct prefetch *p);
struct prefetch_plan prefetch_read(struct prefetch *p, uint64_t offset, uint64_t len, uint64_t file_size,
				   uint64_t max_window);
