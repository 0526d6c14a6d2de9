#pragma once
/*
 * Purpose: a token by which one thread tells work that waits elsewhere to give up.
 *
 * Invariants: fires at most once; a hook added after firing is called at once. A hook is called
 *	with the token's lock held, so it must only set a flag and wake someone; when cancel_unhook has
 *	returned, the hook is neither running nor will it run.
 * Ownership: embedded in the caller's object, outlives all hooks.
 * Threads: any.
 */
#include "backends/base/lock.h"

struct cancel_hook {
	void (*fire)(struct cancel_hook *hook);
	struct cancel_hook *next;
};
struct cancel {
	struct lock lock;
	atomic_bool is_fired;
	struct cancel_hook *hooks; /* guarded by lock */
};
#define CANCEL_INIT { .lock = LOCK_INIT_RANKED(LOCK_CANCEL) }

void cancel_init(struct cancel *c);
void cancel_destroy(struct cancel *c);
void cancel_fire(struct cancel *c);
/* NULL is a token that never fires. */
static inline bool cancel_is_fired(const struct cancel *c)
{
	return c && atomic_load(&c->is_fired);
}
void cancel_hook(struct cancel *c, struct cancel_hook *hook);
void cancel_unhook(struct cancel *c, struct cancel_hook *hook);
