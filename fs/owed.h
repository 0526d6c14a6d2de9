#pragma once
/*
 * Purpose: uploads in parts that must not stay behind: each is in the journal before it begins at the store, until it was
 *	completed or aborted there. What a crash leaves is aborted by the next mount (PENDING_ABORT); what a failure leaves (an abort
 *	that did not get through, a begin whose answer was lost) is aborted by this one, as soon as the store answers again.
 *
 * A row that was written before the store told the upload's id has none: then every upload of exactly its key that began
 * since is aborted. That may be another machine's of the same key at the same minute, which begins anew; but where this very mount
 * was not told the id it sent no part either, and those with parts are left alone. Those of this mount always are.
 * A request that was cut short may still be carried out by the server, and bring back what was aborted (S3's documentation says so of
 * parts; versitygw does it, seen 2026-11), or begin what nobody knows of yet: so everything is done once more a little later. That
 * goes for what was completed, too, when one of its parts was sent again (STORE_CAP_LATE_PARTS): the part's directory is made anew
 * by versitygw, and stays. There it is done for half a minute, since a server may take its time for what was sent long ago; nobody
 * waits for what comes after the second time. A begin that went twice is looked after like one whose answer was lost.
 * Threads: owed_note and owed_run block on the journal and the network; owed_settle on nothing.
 */
#include "fs/pending.h"

#define OWED_AGAIN_MS	 2000u /* after the first time, and twice as long each time after that */
#define OWED_PASSES	 2u
#define OWED_PASSES_LATE 5u /* with STORE_CAP_LATE_PARTS */

/* Before an upload begins: *ret_seq is what owed_name and owed_settle want. */
int owed_note(struct fs *fs, const struct store *store, const char *bucket, const char *key, uint64_t *ret_seq,
	      struct error *err) MUST_CHECK;
/* The store told the id: the row names it from now on. */
void owed_name(struct fs *fs, const struct store *store, const char *bucket, const char *key, uint64_t seq, const char *id);
void owed_settle(struct fs *fs, uint64_t seq); /* 0: nothing */
/* An upload in parts that may be at the store, or come back to life there, is aborted in a while (PENDING_ABORT). false without memory. */
struct owed {
	struct location where; /* borrowed */
	const char *id;	       /* NULL: it was never told; whatever began for the key since is meant */
	int64_t since_ns;
	unsigned passes;       /* that were made */
};
bool owed_later_locked(struct fs *fs, const struct owed *owed);
/* An upload that an earlier mount left was completed: there is nothing to abort any more, but what may come back. */
void owed_over_locked(struct fs *fs, const char *upload_id);
/* Of a PENDING_ABORT: how long it rests until it is done once more; whether only care is left of it, which nobody waits for. */
uint64_t owed_rest_ms(const struct pending *op);
bool owed_is_only_care(const struct pending *op);
/* The mount ends: its row goes when only care was left. */
void owed_end_locked(struct fs *fs);
/* Carries out a PENDING_ABORT. */
int owed_run(struct pending *op, struct error *err) MUST_CHECK;
