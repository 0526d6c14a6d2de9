#pragma once
/*
 * Purpose: uploads in parts that must not stay behind: each is in the journal before it begins at the store, until it was
 *	completed or aborted there. What a crash leaves is aborted by the next mount (PENDING_ABORT); what a failure leaves (an abort
 *	that did not get through, a begin whose answer was lost) is aborted by this one, as soon as the store answers again.
 *
 * A row that was written before the store told the upload's id has none: then every upload of exactly its key that began
 * since is aborted. That may be another machine's of the same key at the same minute, which begins anew. Those of this mount are
 * left alone.
 * A request that was cut short may still be carried out by the server, and bring back what was aborted (S3's documentation says so of
 * parts; versitygw does it, seen 2026-11), or begin what nobody knows of yet: so everything is done once more a little later.
 * Threads: owed_note and owed_run block on the journal and the network; owed_settle on nothing.
 */
#include "fs/pending.h"

#define OWED_AGAIN_MS 2000u
#define OWED_PASSES   2u

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
/* An upload that an earlier mount left was completed: there is nothing to abort any more. */
void owed_over_locked(struct fs *fs, const char *upload_id);
/* Carries out a PENDING_ABORT. */
int owed_run(struct pending *op, struct error *err) MUST_CHECK;
