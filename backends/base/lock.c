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

#ifndef NDEBUG
/* What this thread holds, in the order of taking. */
#define HELD_MOST 8
static _Thread_local struct {
	struct lock *locks[HELD_MOST];
	unsigned count;
} held;

static void note_taken(struct lock *l)
{
	for (unsigned i = 0; i < held.count && l->rank; i++)
		assert(held.locks[i]->rank < l->rank && "locks are taken in the order of their ranks");
	assert(held.count < HELD_MOST);
	held.locks[held.count++] = l;
}

static void note_dropped(struct lock *l)
{
	unsigned i = held.count;

	while (i > 0 && held.locks[i - 1] != l)
		i--;
	assert(i > 0);
	held.count--;
	for (i--; i < held.count; i++)
		held.locks[i] = held.locks[i + 1];
}

static void check_wait(void)
{
	assert(held.count == 1 && "nothing is held across a wait but the lock waited with");
}

void lock_assert_none_held(void)
{
	assert(held.count == 0);
}
#else
static void note_taken(struct lock *l)
{
	(void)l;
}

static void note_dropped(struct lock *l)
{
	(void)l;
}

static void check_wait(void)
{
}

void lock_assert_none_held(void)
{
}
#endif

void lock_init(struct lock *l)
{
	lock_init_ranked(l, LOCK_UNRANKED);
}

void lock_init_ranked(struct lock *l, enum lock_rank rank)
{
	check(pthread_mutex_init(&l->mutex, NULL));
	l->rank = rank;
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
	note_taken(l); /* before it could hang */
	check(pthread_mutex_lock(&l->mutex));
	atomic_store_explicit(&l->owner, self_id(), memory_order_relaxed);
}

void lock_drop(struct lock *l)
{
	lock_assert_held(l);
	note_dropped(l);
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
	check_wait();
	atomic_store_explicit(&l->owner, 0, memory_order_relaxed);
	check(pthread_cond_wait(&c->cond, &l->mutex));
	atomic_store_explicit(&l->owner, self_id(), memory_order_relaxed);
}

bool cond_wait_until(struct cond *c, struct lock *l, uint64_t deadline_mono_ms)
{
	lock_assert_held(l);
	check_wait();
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
