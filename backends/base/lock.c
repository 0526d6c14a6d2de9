#include "backends/base/lock.h"
#include "backends/base/clock.h"
#include <errno.h>

/* pthread_self() is never 0 on Linux, so 0 can mean "nobody". */
static uintptr_t self_id(void)
{
	return (uintptr_t)pthread_self();
}

static void check(int r)
{
	/* These calls fail only on a corrupted or misused lock; going on would be worse than stopping. */
	if (r != 0)
		abort();
}

void lock_init(struct lock *l)
{
	check(pthread_mutex_init(&l->mutex, NULL));
	atomic_init(&l->owner, 0);
}

void lock_destroy(struct lock *l)
{
	assert(atomic_load_explicit(&l->owner, memory_order_relaxed) == 0);
	check(pthread_mutex_destroy(&l->mutex));
}

void lock_take(struct lock *l)
{
	/* Taking it twice would hang for ever: say so instead. */
	assert(atomic_load_explicit(&l->owner, memory_order_relaxed) != self_id());
	check(pthread_mutex_lock(&l->mutex));
	atomic_store_explicit(&l->owner, self_id(), memory_order_relaxed);
}

void lock_drop(struct lock *l)
{
	lock_assert_held(l);
	atomic_store_explicit(&l->owner, 0, memory_order_relaxed);
	check(pthread_mutex_unlock(&l->mutex));
}

void lock_assert_held(struct lock *l)
{
	(void)l; /* unused where assertions are off */
	assert(atomic_load_explicit(&l->owner, memory_order_relaxed) == self_id());
}

void cond_init(struct cond *c)
{
	pthread_condattr_t attr;
	check(pthread_condattr_init(&attr));
	check(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
	check(pthread_cond_init(&c->cond, &attr));
	check(pthread_condattr_destroy(&attr));
}

void cond_destroy(struct cond *c)
{
	check(pthread_cond_destroy(&c->cond));
}

void cond_wait(struct cond *c, struct lock *l)
{
	lock_assert_held(l);
	atomic_store_explicit(&l->owner, 0, memory_order_relaxed);
	check(pthread_cond_wait(&c->cond, &l->mutex));
	atomic_store_explicit(&l->owner, self_id(), memory_order_relaxed);
}

bool cond_wait_until(struct cond *c, struct lock *l, uint64_t deadline_mono_ms)
{
	lock_assert_held(l);
	struct timespec ts = { .tv_sec = (time_t)(deadline_mono_ms / 1000),
			       .tv_nsec = (long)(deadline_mono_ms % 1000) * 1000000 };
	if (deadline_mono_ms / 1000 > INT32_MAX)
		ts.tv_sec = INT32_MAX; /* "for ever"; some kernels refuse larger values */
	atomic_store_explicit(&l->owner, 0, memory_order_relaxed);
	int r = pthread_cond_timedwait(&c->cond, &l->mutex, &ts);
	atomic_store_explicit(&l->owner, self_id(), memory_order_relaxed);
	if (r != ETIMEDOUT)
		check(r);
	return r != ETIMEDOUT;
}

void cond_signal(struct cond *c)
{
	check(pthread_cond_signal(&c->cond));
}

void cond_broadcast(struct cond *c)
{
	check(pthread_cond_broadcast(&c->cond));
}
