#pragma once
/*
 * Purpose: a binary heap of timers: the next one due is found at once, setting and clearing one is
 *	O(log n).
 * Ownership: a timer is embedded in its owner's object and cleared before that goes away.
 * Threads: one thread at a time.
 */
#include "backends/base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
	uint64_t due_ms;
	size_t place; /* index in the heap + 1; 0: not set */
};
struct timers {
	struct timer **heap;
	size_t count, capacity;
};
/* Makes room for so many timers in all, so that timers_set cannot fail. 0 or -ENOMEM. */
int timers_reserve(struct timers *t, size_t count) MUST_CHECK;
void timers_release(struct timers *t);
/* Sets or moves a timer; there must be room (timers_reserve). */
void timers_set(struct timers *t, struct timer *timer, uint64_t due_ms);
void timers_clear(struct timers *t, struct timer *timer);
/* The earliest, or NULL. */
static inline struct timer *timers_first(const struct timers *t)
{
	return t->count ? t->heap[0] : NULL;
}
