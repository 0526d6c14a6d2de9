#pragma once
/*
 * Purpose: what the cloud has not seen yet: uploads of dirty files and changes of names, in order per key, journalled, retried
 *	until the cloud has them.
 *
 * Order: an operation runs when no earlier one (by seq) touches one of its keys; a directory rename touches every key below
 *	both its prefixes, and a directory's own object goes after what is below it. That is enough to be right, cannot deadlock (waiting goes one way in seq), and lets everything else
 *	run side by side.
 * Collapsing: a file made and deleted before its upload costs nothing; made and renamed, one PUT of the last name; deleted
 *	and made anew, one PUT. Deletes of one bucket that may go at the same time go as one batch, and wait for each other while more
 *	keep coming.
 * Failure: temporary ones are tried again, ever more slowly, for ever. An upload refused for good keeps its data, is tried again
 *	every few minutes and shows in `status`; a change of names refused for good is undone in the view and noted.
 * Ownership: the queue owns operations; an operation pins its node and counts in node.pending_count.
 * Threads: *_locked need fs.lock. Functions that change the queue write the journal's memory queue and give back a ticket: the
 *	caller waits for it (journal_wait) after dropping the lock and before it answers the kernel.
 */
#include "fs/core.h"
#include "fs/keyset.h"
#include "fs/park.h"

enum pending_kind { /* numbers stand in journals on disk */
	PENDING_PUT = 1,	 /* the content (and attributes) of node's cache file to key */
	PENDING_DELETE = 2,
	PENDING_RENAME = 3,	 /* copy from_key to key, delete from_key */
	PENDING_COPY = 4,	 /* copy from_key to key */
	PENDING_RENAME_TREE = 5, /* every key below from_key to below key */
	PENDING_MARKER = 6,	 /* the directory's own object, "d/" */
	PENDING_META = 7,	 /* attributes of an object whose content is in the cloud */
	PENDING_ABORT = 8,	 /* an upload in parts that a crash or a failure left behind; owed.h */
	PENDING_OPENED = 9,	 /* in the journal only: open for writing past us, nothing written when last looked at (passthrough.h) */
};
#define PENDING_KINDS 10

enum pending_state {
	PENDING_WAITING, /* for its time (in the heap) */
	PENDING_BLOCKED, /* by an earlier operation, or by an open file */
	PENDING_QUEUED,	 /* on fs.up, or in a batch of deletes */
	PENDING_RUNNING,
};

/* Flags in the journal row. */
#define PENDING_FLAG_WHOLE    1u /* the cache file is the whole content */
#define PENDING_FLAG_DELETING 2u /* a directory rename has copied everything */

struct claim {
	struct pending *op;
	uint64_t hash;
	const char *bucket, *key; /* the operation's */
	struct claim *next;
};

#define PENDING_ATTEMPTS 8 /* a file that is written to while the server is gone is tried with another content each time */

struct attempt { /* of an upload: what the object it makes tells about itself */
	uint64_t size;
	int64_t mtime_ns;
	bool is_heard; /* how each attempt with this content ended is known: it did not arrive, or as a version we were told */
	uint64_t content; /* the file's generation + 1 in all attempts that are not heard of; 0: several, or of an earlier mount: then
			   * size and time alone do not tell that the object is what the file is now */
};

struct upload_told { /* by the row, at start, of an upload in parts: upload_resume.c */
	uint64_t meta, plan;
	int64_t mtime_ns;
	char *parts;
};

struct pending {
	struct job job;
	struct fs *fs;
	uint64_t seq, file_id;
	uint64_t ticket;     /* of its row in the journal: nothing is carried out before it is committed; 0: it is */
	uint64_t unsure_ticket; /* PENDING_PUT: of its row, until somebody has seen it committed: no write is answered before */
	uint64_t origin_seq; /* of the operation it took the place of (a rename, a conflict), or seq */
	enum pending_kind kind;
	enum pending_state state;
	uint32_t flags;
	struct store *store;
	char *bucket, *key, *from_bucket, *from_key;
	struct node *node; /* pinned; may be NULL */
	struct node *hold; /* not before this unlinked file, which may still read its old content, is closed; pinned */
	struct pending *next_held; /* queue.held: those with a hold */
	struct claim claims[2];
	uint64_t due_ms;
	size_t heap_index;
	unsigned attempts;
	struct error error;	/* of the last attempt */
	uint64_t rested_ms;	/* deletes: how long it waited for others to come, beyond its time */
	uint64_t most_sent;	/* of sent_bytes in any attempt, as far as the ticker looked */
	bool was_hurried;	/* after a failure: somebody asked for it to be tried at once */
	bool is_failed;		/* refused for good, so far */
	bool was_tried;		/* by this mount or an earlier one: it may have been carried out, whatever the answer was, or is yet to be */
	bool is_abandoned;	/* superseded while it ran: its result counts for nothing */
	bool wants_redo;	/* changed while it ran */
	struct cancel cancel;
	_Atomic uint64_t sent_bytes;
	uint64_t total, started_ms;
	bool is_of_other_boot;	/* at start: the system went down since its row was written */
	bool is_synced;		/* uploads: cache file synced_file and this row are on the disk, with the size they had then; */
	uint64_t synced_size, synced_file; /* durable.h */
	int64_t since_ns;	/* PENDING_ABORT: of uploads that began before nothing is known */
	unsigned passes;	/* PENDING_ABORT: how often it was carried out */
	bool is_without_parts;	/* PENDING_ABORT without a name: this mount never knew it, so it has no part of ours */
	char *upload_id;	/* of a multipart upload to take up or abort */
	struct upload_told told;
	char expect[STORE_VERSION_MAX]; /* copies: the version that is copied, "" when it is not known; recovery of puts */
	struct attempt sent[PENDING_ATTEMPTS]; /* uploads: what may have arrived though we were not told, the last one first; mtime_ns 0:
						* nothing */
	struct pending *next, *prev;	/* by seq */
	struct pending *blocked_on;	/* the earlier one it waits for; NULL: for a file to be closed */
	struct pending *blocked;	/* those that wait for this one */
	struct pending *next_blocked;
	struct pending *batch_next;	/* deletes that go together */
	struct pending *next_carrier;	/* queue.carriers */
	bool is_forgotten;		/* its row is gone from the journal already */
	bool is_rider;			/* a queued delete that another one's job takes along */
	struct keyset copied;		/* PENDING_RENAME_DIR: what is at the new place, for its job alone */
};

int pending_init(struct fs *fs, struct error *err) MUST_CHECK;
void pending_release(struct fs *fs);

/* The node's content is dirty: sees to a PENDING_PUT. *ret_ticket is 0 when nothing had to be journalled. The upload is not due
 * while the file is open for writing, but see upload.h. */
int pending_put_locked(struct fs *fs, struct node *n, uint64_t *ret_ticket, struct error *err) MUST_CHECK;
/* Attributes, key or size of a dirty file changed: its row is written anew. */
uint64_t pending_update_locked(struct pending *op);
/* The last writer closed (or sync asks): upload after delay. */
void pending_put_due_locked(struct fs *fs, struct node *n, uint64_t delay_ms);
/* Takes back an upload: the file was deleted or is renamed. If it runs it is cancelled and abandoned. */
uint64_t pending_put_cancel_locked(struct fs *fs, struct node *n); /* the journal's ticket, 0: nothing was there */
/* After a rename: the upload goes to the node's new key. */
int pending_put_rekey_locked(struct fs *fs, struct node *n, uint64_t *ret_ticket, struct error *err) MUST_CHECK;

/* Queues a change of names. where/from are copied. */
int pending_op_locked(struct fs *fs, enum pending_kind kind, const struct location *where,
		      const struct location *from, struct node *n, struct node *hold, uint64_t delay_ms,
		      uint64_t *ret_ticket, struct error *err) MUST_CHECK;
/* Takes a waiting operation of that kind at exactly this key out of the queue; false when there is none, it runs, or a later one (of
 * a directory's rename, say) counts on it. */
bool pending_retract_locked(struct fs *fs, enum pending_kind kind, const struct location *where, uint64_t *ret_ticket);

/* Everything at or below dir (NULL: all) is due now. Returns how many there are. */
size_t pending_hurry_locked(struct fs *fs, struct node *dir, uint64_t up_to_seq);
/* Starts what is due; returns when (monotonic ms) to come again. Called by the ticker, and after changes. */
uint64_t pending_run_due_locked(struct fs *fs, uint64_t now_ms);
/* A file was closed: operations that were held for it. */
void pending_released_locked(struct fs *fs, struct node *n);
/* Whether it is to wait until the unlinked file it would take the content of is closed. */
bool pending_is_held_open_locked(const struct pending *op);
/* Does the operation's keys lie below the node (by the path)? */
bool pending_is_below_locked(const struct pending *op, struct node *dir);

/* Before anything is carried out: until its row is in the journal. A failure is one to try again after. */
int pending_wait_journal(struct fs *fs, uint64_t ticket, struct error *err) MUST_CHECK;
/* For those who carry out moves and deletes, which must not be done twice once others followed at their keys: takes the row
 * out of the journal, and pending_done is called when the ticket is through. */
uint64_t pending_forget_row(struct pending *op);
/* Puts a new operation into the queue; it waits for nothing yet. */
void pending_insert_locked(struct fs *fs, struct pending *op);
/* A new operation, or one that was taken out of its waiting: due then. */
void pending_wait_until_locked(struct pending *op, uint64_t due_ms);
/* Takes an operation that does not run out of whatever it waits in; false when it runs. */
bool pending_stop_waiting_locked(struct pending *op);
/* For those who carry out: ends an operation (success, or give-up) and takes it from the queue and journal. */
void pending_done_locked(struct pending *op);
/* What was refused has another base now, and nothing was sent: at once, also while its file is open. */
void pending_again_locked(struct pending *op);
/* Try again after a while (kind of err decides how long); or now, with delay 0, when wants_redo. */
void pending_retry_locked(struct pending *op, const struct error *err);
/* Recovery: an operation read from the journal, with its node set. */
void pending_adopt_locked(struct fs *fs, struct pending *op);
struct pending *pending_new(struct fs *fs, enum pending_kind kind, uint64_t seq, const struct location *where,
			    const struct location *from);
void pending_free(struct pending *op);

/* uploader.c: runs a PENDING_PUT. */
void upload_run(struct pending *op);
/* Fetches what the file still lacks of the version it is based on, and makes it stand for itself. PRECONDITION: that version is gone.
 * Blocks. */
int upload_let_base_go(struct pending *op, struct error *err) MUST_CHECK;
/* The object has a new version with the same bytes: what is cached here and in the kernel stays good. */
void namespace_renew_version_locked(struct node *n, const char *version);
/* An operation brought the node's bytes to that key (in its bucket): the key of the node's path, where nothing queued later takes them
 * on (then true), or its remote key. */
bool namespace_moved_locked(struct pending *op, struct node *n, const char *key);
/* namespace.c: runs one of the others. */
void namespace_run(struct pending *op);
void namespace_run_deletes(struct pending *batch);
/* conflict.c: the object is not what the upload was based on. What to do next. Blocks. */
enum conflict_verdict {
	CONFLICT_OURS,	/* an earlier attempt had arrived after all: ret_version says as what */
	CONFLICT_RETRY, /* try again: what is expected, or the name, was changed */
	CONFLICT_STAYS, /* on-conflict=fail: keep the data, say so, leave the cloud alone */
};
enum conflict_verdict conflict_resolve(struct pending *op, const struct attempt *refused, char *ret_version, struct error *err);

/* What was not fetched yet of a file that waits for its upload is gone from the cloud. By an upload of ours that arrived
 * before a crash? Then the rest is in the object it made, and base_version says so now. The node is pinned. Blocks. */
bool conflict_rebase(struct node *n);

/* recovery.c: takes up what the journal holds; before the mount answers. */
int recovery_run(struct fs *fs, struct error *err) MUST_CHECK;
/* What uploads of an earlier run may have brought there, out of the row's detail. */
void pending_read_sent(struct pending *op, struct json_object *detail);
/* The JSON of a row; and the operation's words for it. */
const char *pending_kind_name(enum pending_kind kind);
