#include "backends/http/retry.h"
#include <assert.h>
#include <stdatomic.h>

#define RETRY_BASE_MS	   100
#define RETRY_MAX_MS	   20000
#define RETRY_OUTAGE_MS	   1000
#define RETRY_AFTER_MAX_MS 120000
#define RETRY_COST	   5
#define RETRY_BUDGET_MAX   500

static bool budget_take(struct retry_budget *budget)
{
	int tokens = atomic_load(&budget->tokens);

	do {
		if (tokens < RETRY_COST)
			return false;
	} while (!atomic_compare_exchange_weak(&budget->tokens, &tokens, tokens - RETRY_COST));
	return true;
}

int64_t retry_decide(struct retry_budget *budget, const struct retry_facts *facts)
{
	uint64_t ceiling_ms = RETRY_MAX_MS, after_ms = facts->err->retry_after_ms, wait_ms;
	bool is_outage = !facts->was_sent && facts->now_mono_ms < facts->patient_until_ms;

	assert(facts->attempt >= 1);
	if (!error_is_retryable(facts->err->kind) || (facts->attempt >= facts->max_attempts && !is_outage))
		return -1;
	if (facts->was_sent && !facts->is_idempotent)
		return -1;
	/* 100 ms doubled eight times is already beyond the ceiling. */
	if (facts->attempt <= 8)
		ceiling_ms = (uint64_t)RETRY_BASE_MS << (facts->attempt - 1);
	if (is_outage && ceiling_ms > RETRY_OUTAGE_MS)
		ceiling_ms = RETRY_OUTAGE_MS;
	if (ceiling_ms > RETRY_MAX_MS)
		ceiling_ms = RETRY_MAX_MS;
	if (after_ms > RETRY_AFTER_MAX_MS)
		after_ms = RETRY_AFTER_MAX_MS;
	/* The jitter comes on top of Retry-After: all who were told the same second must not come
	 * back at once. */
	wait_ms = after_ms + facts->random % (ceiling_ms + 1);
	if (facts->deadline_mono_ms && facts->now_mono_ms + wait_ms >= facts->deadline_mono_ms)
		return -1;
	return is_outage || budget_take(budget) ? (int64_t)wait_ms : -1;
}

void retry_succeeded(struct retry_budget *budget)
{
	int tokens = atomic_load(&budget->tokens);

	do {
		if (tokens >= RETRY_BUDGET_MAX)
			return;
	} while (!atomic_compare_exchange_weak(&budget->tokens, &tokens, tokens + 1));
}
