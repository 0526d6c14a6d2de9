#pragma once
/*
 * Purpose: a cache of one thing that ends (credentials, a token): fetched by one caller at a time,
 *	renewed before its end.
 *
 * Fresh: handed out. In the advisory window (the last minutes): handed out while a thread beside
 * fetches the next one. Later: whoever comes fetches it in its own thread, the others wait for that.
 * A fetch that fails while the old one is good changes nothing and is tried again later; one that
 * fails without an old one stands for a second, so that a thousand requests do not ask each.
 *
 * Invariants: fetch, copy and release never run with the lock held, but for copy (memory only).
 * Ownership: the refresher owns the item it holds; refresh_get and refresh_peek give copies.
 * Threads: any; refresh_get blocks for a fetch, the others never.
 */
#include "backends/base/cancel.h"
#include "backends/base/error.h"

/* How long a fetched item is good. */
struct refresh_term {
	int64_t expires_wall_s; /* 0: never */
	bool is_fixed;		/* fetching again gives the same for the life of the process */
};

struct refresh_ops {
	const char *noun;  /* what is fetched, for messages: "AWS credentials" */
	size_t item_bytes; /* an item of zeros holds nothing */
	/* Blocks; cancel fires when the refresher is freed. ret_item is zeros at first. */
	int (*fetch)(void *arg, struct cancel *cancel, void *ret_item,
		     struct refresh_term *ret_term, struct error *err);
	int (*copy)(void *to_item, const void *item, struct error *err);
	void (*release)(void *item);
	/* The wall clock as the services see it. */
	int64_t (*now_s)(void *arg);
	/* Windows before the end: renewed beside the work, and before any more work. */
	int64_t advisory_s, mandatory_s;
};

struct refresher;
/* ops and arg are borrowed until refresh_free. */
int refresh_new(const struct refresh_ops *ops, void *arg, struct refresher **ret,
		struct error *err) MUST_CHECK;
/* Cancels a fetch under way and waits for it. NULL is fine. */
void refresh_free(struct refresher *r);
/* Whether refresh_peek gives something good right away. */
bool refresh_is_ready(struct refresher *r);
int refresh_get(struct refresher *r, void *ret_item, struct error *err) MUST_CHECK;
/* Never blocks: what there is, also when it has just ended; ERR_UNAUTHENTICATED when there is
 * nothing. */
int refresh_peek(struct refresher *r, void *ret_item, struct error *err) MUST_CHECK;
/* A service refused it: the next one who comes fetches. False when that would give the same. */
bool refresh_forget(struct refresher *r);
/* Whether the present one was fetched within the last ms. */
bool refresh_is_fetched_within(struct refresher *r, uint64_t ms);
/* Whether there was another one before the present: only then may one that was just fetched be refused in its place. */
bool refresh_has_replaced(struct refresher *r);
/* Whether a fetch is under way; for tests, which must not move the clock meanwhile. */
bool refresh_is_fetching(struct refresher *r);
