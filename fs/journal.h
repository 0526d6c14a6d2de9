#pragma once
/*
 * Purpose: the durable record of what the cloud does not have yet: every dirty object and every pending namespace
 *	change, and the attributes of objects that were once seen. SQLite in WAL mode: DIR/journal.db, and DIR/attrs.db for the attributes, which may be lost.
 *
 * Invariants:
 *  - Rows are applied in the order journal_put and journal_delete were called; journal_wait(ticket) returns when all up
 *    to it are committed: safe against kill -9. journal_sync makes everything committed safe against power loss
 *    (one fdatasync of the WAL; commits themselves never sync; checkpoints run in the journal's own thread).
 *  - Queueing is memory only and never blocks on the disk, so it may be done under another lock; waiting may not. Waiters
 *    that come together share one transaction (group commit).
 *  - Opening never refuses because of damage: a file that SQLite finds corrupt (or whose schema is unknown) is renamed to
 *    journal.db.damaged-SECONDS (with its WAL), whatever rows can still be read are carried over, and *ret_damage
 *    says so. Each batch is recorded twice (journal_mirror.c): what the database or its WAL lost, silently too, comes from there.
 * Threads: all functions may be called from any thread. Ownership: rows given are copied.
 */
#include "backends/base/buf.h"

struct journal;

/* One pending thing. What kinds there are and what detail holds is fs/pending.h's business. */
struct journal_row {
	uint64_t seq;	/* primary key and order; from journal_next_seq */
	uint32_t kind;
	uint32_t flags;
	uint64_t file_id; /* its cache file, 0: none */
	const char *store, *bucket, *key; /* key may be "" ; bytes, never NULL */
	const char *from_key; /* "" when there is none */
	const char *from_bucket;
	struct str detail; /* JSON */
};

/* dir must exist. *ret_damage: heap string saying what was set aside, or NULL. */
int journal_open(const char *dir, struct journal **ret, char **ret_damage, struct error *err) MUST_CHECK;
/* Commits what is queued, journal_finish included, and syncs. Nothing is queued any more; journal_is_past tells what was reached. */
void journal_drain(struct journal *j);
/* The same, if that was not done, and closes. NULL is fine. */
void journal_close(struct journal *j);

/* Whether a damaged journal was replaced since journal_lost_rows_settled, in this start or one that did not get far: cache files
 * of no row may be somebody's data then. */
bool journal_has_lost_rows(const char *dir);
void journal_lost_rows_settled(const char *dir);

/* How many rows the journal's second record speaks of: more than journal_each_readonly finds when the file, or its WAL, is damaged. */
size_t journal_mirror_rows(const char *dir);

uint64_t journal_next_seq(struct journal *j); /* never repeats, over restarts too while rows exist; also used for file ids */

/* Both return a ticket (> 0), or 0 without memory. Put inserts or replaces the row of that seq. */
uint64_t journal_put(struct journal *j, const struct journal_row *row);
uint64_t journal_delete(struct journal *j, uint64_t seq);
/* As journal_delete, of what was carried out: nobody waits, and the row goes in a later batch, when the attributes queued
 * before it (journal_attrs_put) are in their file. Doing it again after a crash is harmless; believing attributes of an
 * older state, which may have the same version, is not. */
void journal_finish(struct journal *j, uint64_t seq);
/* A place in all that was queued, journal_finish included, and whether the file has everything up to it: what rows may
 * still speak of (a cache file, a range of it) must not go before. */
struct journal_mark {
	uint64_t ticket, finished;
};
struct journal_mark journal_mark_now(struct journal *j);
bool journal_is_past(struct journal *j, struct journal_mark mark);
/* What is queued from begin to the end of the scope (JOURNAL_GROUP) is committed in one transaction: a crash leaves all of
 * it or nothing. Groups may nest; the caller holds a lock of its own meanwhile (nobody else queues), and does not wait. */
struct journal *journal_group_begin(struct journal *j);
void journal_group_endp(struct journal **j);
#define JOURNAL_GROUP(j)                                                                           \
	CLEANUP(journal_group_endp)                                                                \
	struct journal *journal_group_ __attribute__((unused)) = journal_group_begin(j)
/* Blocks until the ticket is committed. A failed commit (disk full: NO_SPACE; IO) is returned to every waiter of the batch; the
 * batch stays queued and is tried again with the next one. Ticket 0: NO_MEMORY. */
int journal_wait(struct journal *j, uint64_t ticket, struct error *err) MUST_CHECK;
int journal_sync(struct journal *j, struct error *err) MUST_CHECK;

/* All rows in order of seq; strings are good during the call. A negative return of fn ends it. */
int journal_each(struct journal *j, int (*fn)(void *arg, const struct journal_row *row, struct error *err), void *arg,
		 struct error *err) MUST_CHECK;
/* For `status` without a mount: opens read-only, works beside a living daemon too. */
int journal_each_readonly(const char *dir, int (*fn)(void *arg, const struct journal_row *row, struct error *err),
			  void *arg, struct error *err) MUST_CHECK;

/* Attributes once seen, by version, so that they cost no request again. Lossy by intent: queued, written with the next
 * batch or within a second, never waited for; at most 1,000,000 rows (the oldest go). */
void journal_attrs_put(struct journal *j, const char *store, const char *bucket, const char *key, const char *version,
		       struct str blob);
void journal_attrs_delete(struct journal *j, const char *store, const char *bucket, const char *key);
/* Of all keys below a prefix, which ends with '/'. */
void journal_attrs_delete_below(struct journal *j, const char *store, const char *bucket, const char *prefix);
/* What was queued of them is in their file when it returns. For a change that leaves the journal at once (journal_delete): what is
 * remembered of the object it replaced, which may have had the same version, must not outlive the row. Blocks on the disk. */
void journal_attrs_settle(struct journal *j);
/* Those of all keys in [from_key, to_key) of a bucket (to_key NULL: no end), in order. Returns 0 at once when there are none
 * for the bucket. fn must not call this function again. */
int journal_attrs_each(struct journal *j, const char *store, const char *bucket, const char *from_key,
		       const char *to_key,
		       void (*fn)(void *arg, const char *key, const char *version, struct str blob), void *arg);
