#pragma once
/*
 * Purpose: a token bucket per provider: at most `rate` requests a second on average, `burst` at once.
 * Pure in time: every call is told what time it is. A throttled answer halves the rate for a while (additive rise
 * after), so that the next thousand requests do not run into the same wall.
 * Threads: any.
 */
#include "backends/base/lock.h"
#include <stdint.h>

struct ratelimit {
	struct lock lock;
	double rate, burst;	/* immutable after init; rate 0: unlimited */
	double current_rate, tokens; /* guarded by lock */
	uint64_t last_ms;	/* guarded by lock; in the future while Retry-After holds the bucket shut */
	uint64_t halved_ms;	/* guarded by lock; when the rate was halved last, 0: never */
};
void ratelimit_init(struct ratelimit *r, double rate_per_s, double burst);
/* Takes one token; returns how many ms to wait before using it (0: go). */
uint64_t ratelimit_take(struct ratelimit *r, uint64_t now_ms);
void ratelimit_throttled(struct ratelimit *r, uint64_t now_ms, uint64_t retry_after_ms);
