#pragma once
/*
 * Purpose: decides, purely, whether and when an attempt is made again.
 * Rule: exponential with full jitter (base 100 ms doubled per attempt, at most 20 s), never less than
 *	Retry-After (itself capped at 120 s); nothing that is not idempotent once it may have reached the server;
 *	a retry budget per engine and host, so that a dying service is not finished off by retries.
 *	While a host cannot be reached at all, and not for long yet, an attempt costs it nothing and is worth repeating beyond all
 *	that: at most a second apart, so that a network that comes back is noticed.
 */
#include "backends/base/error.h"

struct retry_budget { /* a token bucket: a retry costs 5, a success returns 1, at most 500 */
	_Atomic int tokens;
};
#define RETRY_BUDGET_INIT ((struct retry_budget){ .tokens = 500 })

struct retry_facts {
	const struct error *err;
	unsigned attempt;	   /* 1 after the first */
	unsigned max_attempts;
	bool is_idempotent;
	bool was_sent;		   /* bytes of the request may have reached the server */
	uint64_t now_mono_ms, deadline_mono_ms; /* deadline 0: none */
	uint64_t patient_until_ms; /* the host does not answer: until then it counts as a passing outage; 0: never */
	uint64_t random;	   /* 64 random bits */
};
/* Milliseconds to wait before the next attempt, or -1: stop. Takes from the budget when it says wait. */
int64_t retry_decide(struct retry_budget *budget, const struct retry_facts *facts);
void retry_succeeded(struct retry_budget *budget);
