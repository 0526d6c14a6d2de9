#pragma once
/*
 * Purpose: mutexes that hold to the end of the scope, and say in debug builds who should hold them.
 *
 *	LOCKED(&cache->lock);		// unlocked where the scope ends
 *
 * Locks are named for what they guard; a function that needs one held ends in `_locked`.
 * No lock is held across the network, a slow disk operation or a callback into another room.
 *
 * Ranks: a thread that holds locks may only take one of a higher rank, so that no two threads can wait for each other. They follow
 * the arrows between rooms. Builds with assertions check it, and that nothing is held across a wait but the lock waited with.
 */
#include "backends/base/cleanup.h"
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum lock_rank { /* lowest first */
	LOCK_UNRANKED, /* not checked */
	LOCK_CONTROL,
	LOCK_CONTROL_PEER, /* of one client of the control plane */
	LOCK_FS,
	LOCK_JOURNAL_WRITE, /* of remembered attributes: held across SQLite, which is what it guards */
	LOCK_JOURNAL_READ,
	LOCK_JOURNAL,	    /* its queue */
	LOCK_JOURNAL_ATTRS, /* the queue of attributes */
	LOCK_STORE,
	LOCK_AUTH,
	LOCK_CANCEL, /* its hooks are called with it held */
	LOCK_HTTP,
	LOCK_WORKERS,
	LOCK_LEAF, /* taken alone or last: nothing is called with it held */
};

struct lock {
	pthread_mutex_t mutex;
	_Atomic(uintptr_t) owner; /* the holder's thread, for lock_assert_held */
	enum lock_rank rank;
};
#define LOCK_INIT_RANKED(r) { .mutex = PTHREAD_MUTEX_INITIALIZER, .rank = (r) }
#define LOCK_INIT LOCK_INIT_RANKED(LOCK_LEAF)

void lock_init(struct lock *l); /* unranked */
void lock_init_ranked(struct lock *l, enum lock_rank rank);
void lock_destroy(struct lock *l);
void lock_take(struct lock *l);
void lock_drop(struct lock *l);
void lock_assert_held(struct lock *l);
/* Before the network, or another wait that may be long. */
void lock_assert_none_held(void);
static inline void lock_scope_end(struct lock **l)
{
	if (*l)
		lock_drop(*l);
}
#define LOCK_CAT2(a, b) a##b
#define LOCK_CAT(a, b)	LOCK_CAT2(a, b)
#define LOCKED(l)                                                                                  \
	struct lock *LOCK_CAT(lock_scope_, __LINE__) CLEANUP(lock_scope_end) = (l);                \
	lock_take(LOCK_CAT(lock_scope_, __LINE__))

/* Condition variables on the monotonic clock, used with a struct lock. */
struct cond {
	pthread_cond_t cond;
};
void cond_init(struct cond *c);
void cond_destroy(struct cond *c);
void cond_wait(struct cond *c, struct lock *l);
/* Returns false when deadline_mono_ms passed. */
bool cond_wait_until(struct cond *c, struct lock *l, uint64_t deadline_mono_ms);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);
