#include "backends/base/cancel.h"

void cancel_init(struct cancel *c)
{
	lock_init_ranked(&c->lock, LOCK_CANCEL);
	atomic_init(&c->is_fired, false);
	c->hooks = NULL;
}

void cancel_destroy(struct cancel *c)
{
	assert(!c->hooks);
	lock_destroy(&c->lock);
}

void cancel_fire(struct cancel *c)
{
	LOCKED(&c->lock);
	if (atomic_load(&c->is_fired))
		return;
	atomic_store(&c->is_fired, true);
	/* Hooks stay in the list for their owner to take out: each is called once, here. */
	for (struct cancel_hook *hook = c->hooks; hook; hook = hook->next)
		hook->fire(hook);
}

void cancel_hook(struct cancel *c, struct cancel_hook *hook)
{
	if (!c)
		return;
	LOCKED(&c->lock);
	hook->next = c->hooks;
	c->hooks = hook;
	if (atomic_load(&c->is_fired))
		hook->fire(hook);
}

void cancel_unhook(struct cancel *c, struct cancel_hook *hook)
{
	if (!c)
		return;
	LOCKED(&c->lock);
	for (struct cancel_hook **at = &c->hooks; *at; at = &(*at)->next) {
		if (*at == hook) {
			*at = hook->next;
			hook->next = NULL;
			return;
		}
	}
}
