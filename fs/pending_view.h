#pragma once
/*
 * Purpose: what an answer of the cloud about names is worth while changes of names are on their way: an answer is about the moment it
 *	was asked for, or later, and what is queued, or was carried out since, is missing from it or not.
 *
 * Two questions decide about a key that an answer shows:
 *	where will it be when all that is queued is through?	Changes of names are followed in order of seq, from the key as the
 *		cloud has it. Only if it ends where the view would show it, it belongs there.
 *	did it go since the answer was asked for?	While questions are under way, what the queue takes away in the cloud is
 *		remembered, exactly, until the last question that is older has been answered.
 * Ownership: a question belongs to who asks; it must be ended before it is freed.
 * Threads: guarded by fs.lock.
 */
#include "fs/pending.h"

struct question {
	uint64_t began; /* tree.changes when the cloud was asked */
	struct question *older, *newer;
	bool is_asked;
};

int pending_view_init(struct fs *fs, struct error *err) MUST_CHECK;
void pending_view_release(struct fs *fs);

void question_ask_locked(struct fs *fs, struct question *q);
void question_end_locked(struct fs *fs, struct question *q);
/* Whether the answer cannot be used at all: what it is about, dir and what is below it, lies elsewhere in the cloud by now, or there
 * was no memory to remember what went meanwhile. Then ask again. */
bool question_is_stale_locked(const struct fs *fs, const struct question *q, const struct node *dir);

struct listed_key {
	const char *bucket, *key;      /* as the cloud has it */
	size_t prefix_len;	       /* how much of the key stands for path_prefix */
	const char *path_bucket, *path_prefix; /* where the view would show it; NULL: not known */
	uint64_t began;
};
/* Whether a key that an answer shows is on its way out, or away, or went since the question. */
bool pending_hides_locked(const struct fs *fs, const struct store *store, const struct listed_key *k);
/* Whether something below a prefix that an answer shows is on its way out, or went since: then the prefix itself may be a memory. */
bool pending_stirs_locked(const struct fs *fs, const struct store *store, const struct listed_key *k);
/* Whether anything waiting or running may yet change what the cloud has at this key. */
bool pending_touches_locked(const struct fs *fs, const struct location *where);
/* Whether a change queued after seq moves away what is at this key. */
bool pending_leaves_locked(const struct fs *fs, const struct location *where, uint64_t seq);
/* Where the bytes are that will be at `where` when the renames queued so far are through; *ret_seq: the first of these (or what it
 * was). For recovery, which has no nodes to tell. */
int pending_origin_locked(const struct fs *fs, const struct location *where, struct location *ret, uint64_t *ret_seq) MUST_CHECK;
/* Notes what an operation that succeeded took away in the cloud. */
void pending_view_note_gone_locked(struct pending *op);
