/*
 * One fetch at a time (a "flight"): whoever finds none under way starts it, in its own thread when
 * the present item is no longer good, beside it in the advisory window; the others wait for it or go
 * on with the old one. The lock is never held during a fetch.
 */
#include "backends/auth/refresh.h"
#include "backends/base/clock.h"
#include "backends/base/log.h"

/* For another thread's flight, each of whose steps has a shorter limit. */
#define REFRESH_WAIT_MS 120000
/* Between two flights in the advisory window. */
#define REFRESH_RETRY_MS 30000
/* After a failure nobody asks again so soon: a thousand requests must not start a program each. */
#define REFRESH_PAUSE_MS	1000
#define REFRESH_PAUSE_USABLE_MS 5000

struct refresher {
	const struct refresh_ops *ops; /* immutable, like arg */
	void *arg;
	struct cancel cancel;
	struct lock lock;
	struct cond landed; /* a flight is over */
	/* The rest is guarded by lock. */
	void *item; /* item_bytes */
	bool has_item;
	struct refresh_term term;
	bool is_forgotten; /* the item is only good until there is something better */
	bool is_flying;
	bool has_thread; /* thread is to be joined */
	pthread_t thread;
	uint64_t flights; /* how many are over */
	uint64_t items;	  /* how many were fetched */
	int last_result;  /* of the last flight */
	struct error last_error;
	uint64_t fetched_mono_ms, failed_mono_ms, next_refresh_mono_ms;
};

enum refresh_state { REFRESH_FRESH, REFRESH_ADVISORY, REFRESH_STALE };

static enum refresh_state state_locked(struct refresher *r)
{
	int64_t left_s;

	lock_assert_held(&r->lock);
	if (!r->has_item || r->is_forgotten)
		return REFRESH_STALE;
	if (r->term.expires_wall_s == 0)
		return REFRESH_FRESH;
	left_s = r->term.expires_wall_s - r->ops->now_s(r->arg);
	return left_s > r->ops->advisory_s    ? REFRESH_FRESH
	       : left_s > r->ops->mandatory_s ? REFRESH_ADVISORY
					      : REFRESH_STALE;
}

/* Whether the old one still works, though it ought to be renewed by now. */
static bool is_usable_locked(struct refresher *r)
{
	lock_assert_held(&r->lock);
	return r->has_item && !r->is_forgotten &&
	       (r->term.expires_wall_s == 0 || r->term.expires_wall_s > r->ops->now_s(r->arg));
}

/* Runs a flight that the caller has announced by is_flying, without the lock. */
static void fly(struct refresher *r)
{
	struct refresh_term term = { 0 };
	struct error err = ERROR_INIT;
	void *fetched = calloc(1, r->ops->item_bytes);
	int result = fetched ? r->ops->fetch(r->arg, &r->cancel, fetched, &term, &err)
			     : error_set(&err, ERR_NO_MEMORY, "no memory for %s", r->ops->noun);

	lock_take(&r->lock);
	r->is_flying = false;
	r->flights++;
	r->last_result = result;
	r->last_error = err;
	r->next_refresh_mono_ms = clock_mono_ms() + REFRESH_RETRY_MS;
	if (result == 0) {
		void *old = r->item;

		r->item = fetched;
		fetched = old;
		r->term = term;
		r->has_item = true;
		r->items++;
		r->is_forgotten = false;
		r->fetched_mono_ms = clock_mono_ms();
	} else {
		r->failed_mono_ms = clock_mono_ms();
		log_debug("cred.failed", "error='%s'", err.message);
	}
	cond_broadcast(&r->landed);
	lock_drop(&r->lock);
	if (fetched)
		r->ops->release(fetched);
	free(fetched);
}

static void *fly_beside(void *arg)
{
	fly(arg);
	return NULL;
}

/* In the advisory window: one thread fetches while all go on with the old one. */
static void refresh_beside_locked(struct refresher *r)
{
	lock_assert_held(&r->lock);
	if (r->is_flying || cancel_is_fired(&r->cancel) ||
	    clock_mono_ms() < r->next_refresh_mono_ms)
		return;
	if (r->has_thread)
		(void)pthread_join(r->thread, NULL); /* it has landed; what is left of it frees */
	r->is_flying = true;
	r->has_thread = pthread_create(&r->thread, NULL, fly_beside, r) == 0;
	if (!r->has_thread) {
		/* Not worth an error: the mandatory window does it in a caller's thread. */
		r->is_flying = false;
		r->next_refresh_mono_ms = clock_mono_ms() + REFRESH_RETRY_MS;
	}
}

/* Whether the last flight failed so short a time ago that its outcome stands. */
static bool is_paused_locked(struct refresher *r)
{
	uint64_t pause_ms = is_usable_locked(r) ? REFRESH_PAUSE_USABLE_MS : REFRESH_PAUSE_MS;

	return !r->is_flying && r->last_result < 0 &&
	       clock_mono_ms() - r->failed_mono_ms < pause_ms;
}

/* Waits until the flight under way, or one started here, is over; then the lock is held again. */
static int finish_flight_locked(struct refresher *r, struct error *err)
{
	uint64_t deadline = clock_mono_ms() + REFRESH_WAIT_MS, before = r->flights;
	bool is_paused = is_paused_locked(r);

	lock_assert_held(&r->lock);
	if (!r->is_flying && !is_paused) {
		r->is_flying = true;
		lock_drop(&r->lock);
		fly(r);
		lock_take(&r->lock);
	}
	while (r->flights == before && !is_paused)
		if (!cond_wait_until(&r->landed, &r->lock, deadline) && r->flights == before)
			return error_set(err, ERR_TIMEOUT, "no %s in time", r->ops->noun);
	if (r->last_result < 0 && !is_usable_locked(r)) {
		if (err)
			*err = r->last_error;
		return r->last_result;
	}
	return 0;
}

int refresh_get(struct refresher *r, void *ret_item, struct error *err)
{
	LOCKED(&r->lock);
	enum refresh_state state = state_locked(r);

	if (state == REFRESH_ADVISORY)
		refresh_beside_locked(r);
	if (state == REFRESH_STALE) {
		int result = finish_flight_locked(r, err);

		if (result < 0)
			return result;
	}
	return r->ops->copy(ret_item, r->item, err);
}

int refresh_peek(struct refresher *r, void *ret_item, struct error *err)
{
	LOCKED(&r->lock);

	if (state_locked(r) == REFRESH_ADVISORY)
		refresh_beside_locked(r);
	/* One that ended between is_ready and now is used all the same: the answer says so, and the
	 * exchange asks the signer to reconsider. */
	if (!r->has_item)
		return error_set(err, ERR_UNAUTHENTICATED, "%s: not fetched yet", r->ops->noun);
	return r->ops->copy(ret_item, r->item, err);
}

bool refresh_is_ready(struct refresher *r)
{
	LOCKED(&r->lock);

	return state_locked(r) != REFRESH_STALE;
}

bool refresh_is_fetched_within(struct refresher *r, uint64_t ms)
{
	LOCKED(&r->lock);

	return r->has_item && !r->term.is_fixed && !r->is_forgotten &&
	       clock_mono_ms() - r->fetched_mono_ms < ms;
}

bool refresh_has_replaced(struct refresher *r)
{
	LOCKED(&r->lock);

	return r->items > 1;
}

bool refresh_is_fetching(struct refresher *r)
{
	LOCKED(&r->lock);

	return r->is_flying;
}

bool refresh_forget(struct refresher *r)
{
	LOCKED(&r->lock);

	if (!r->has_item || r->term.is_fixed)
		return false;
	r->is_forgotten = true;
	return true;
}

void refresh_free(struct refresher *r)
{
	bool has_thread;

	if (!r)
		return;
	cancel_fire(&r->cancel);
	{
		LOCKED(&r->lock);
		has_thread = r->has_thread;
	}
	if (has_thread)
		(void)pthread_join(r->thread, NULL); /* its calls have been cancelled */
	if (r->item)
		r->ops->release(r->item);
	free(r->item);
	cond_destroy(&r->landed);
	lock_destroy(&r->lock);
	cancel_destroy(&r->cancel);
	free(r);
}

int refresh_new(const struct refresh_ops *ops, void *arg, struct refresher **ret, struct error *err)
{
	struct refresher *r = calloc(1, sizeof(*r));

	if (!r)
		return error_set(err, ERR_NO_MEMORY, "no memory for %s", ops->noun);
	r->ops = ops;
	r->arg = arg;
	cancel_init(&r->cancel);
	lock_init_ranked(&r->lock, LOCK_AUTH);
	cond_init(&r->landed);
	*ret = r;
	return 0;
}
