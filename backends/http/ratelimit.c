#include "backends/http/ratelimit.h"
#include <assert.h>

/* A halved rate is back after about ten seconds without another complaint; it never falls below a
 * 64th. */
#define RISE_PER_S	   0.05
#define FLOOR_FRACTION	   64.0
#define HALVE_EVERY_MS	   1000
#define RETRY_AFTER_MAX_MS 120000

void ratelimit_init(struct ratelimit *r, double rate_per_s, double burst)
{
	assert(rate_per_s >= 0);
	*r = (struct ratelimit){
		.rate = rate_per_s,
		.burst = burst < 1 ? 1 : burst,
		.current_rate = rate_per_s,
	};
	lock_init_ranked(&r->lock, LOCK_HTTP);
	r->tokens = r->burst;
}

/* Adds what time brought. last_ms lies in the future while the bucket is held shut. */
static void refill_locked(struct ratelimit *r, uint64_t now_ms)
{
	double elapsed_s;

	if (now_ms <= r->last_ms)
		return;
	/* The first call ever starts the clock; its bucket is full anyway. */
	elapsed_s = (double)(now_ms - r->last_ms) / 1000.0;
	r->last_ms = now_ms;
	r->tokens += elapsed_s * r->current_rate;
	if (r->tokens > r->burst)
		r->tokens = r->burst;
	r->current_rate += elapsed_s * r->rate * RISE_PER_S;
	if (r->current_rate > r->rate)
		r->current_rate = r->rate;
}

uint64_t ratelimit_take(struct ratelimit *r, uint64_t now_ms)
{
	LOCKED(&r->lock);
	uint64_t wait_ms = 0;

	refill_locked(r, now_ms);
	if (r->last_ms > now_ms)
		wait_ms = r->last_ms - now_ms;
	if (r->rate == 0)
		return wait_ms;
	r->tokens -= 1;
	if (r->tokens < 0)
		wait_ms += (uint64_t)(-r->tokens * 1000.0 / r->current_rate + 0.999);
	return wait_ms;
}

void ratelimit_throttled(struct ratelimit *r, uint64_t now_ms, uint64_t retry_after_ms)
{
	LOCKED(&r->lock);

	refill_locked(r, now_ms);
	if (retry_after_ms > RETRY_AFTER_MAX_MS)
		retry_after_ms = RETRY_AFTER_MAX_MS;
	if (now_ms + retry_after_ms > r->last_ms)
		r->last_ms = now_ms + retry_after_ms;
	if (r->rate == 0)
		return;
	if (r->tokens > 0)
		r->tokens = 0;
	/* Requests that were under way together complain together: that is one complaint. */
	if (r->halved_ms && now_ms < r->halved_ms + HALVE_EVERY_MS)
		return;
	r->halved_ms = now_ms;
	r->current_rate /= 2;
	if (r->current_rate < r->rate / FLOOR_FRACTION)
		r->current_rate = r->rate / FLOOR_FRACTION;
}
