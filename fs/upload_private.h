#pragma once
/*
 * Purpose: what upload.c and upload_partial.c share: one multipart upload and its parts.
 *
 * Invariants: of a partial one, `parts` is the whole plan from the start, and a write into a part that is copied spoils it
 *	(is_overtaken): it is given up and planned anew. Of another, part i has the range that upload_part_range gives.
 * Threads: all fields guarded by fs.lock, but those of `base` and the strings, which are immutable once it has begun.
 */
#include "fs/partplan.h"
#include "fs/upload.h"

enum part_state { PART_EMPTY, PART_QUEUED, PART_RUNNING, PART_DONE };
struct part {
	struct job job;
	struct upload *upload;
	unsigned index;
	enum part_state state;
	enum partplan_kind kind;
	bool is_stale; /* written to while it ran */
	uint64_t start, end;
	_Atomic uint64_t sent;
	uint64_t most_sent; /* in any attempt, as far as upload_progress_locked looked */
	struct store_part result;
	uint32_t crc32c; /* of what was sent; 0 for a copy */
};

struct upload {
	struct job begin_job;
	struct fs *fs;
	struct file *file;
	struct store *store;
	char *bucket, *key, *id;
	uint64_t owed_seq; /* of the row that says it must not stay behind; owed.h */
	int64_t owed_since_ns;
	unsigned refs;
	bool is_beginning, is_discarded, is_completed;
	bool is_in_doubt;   /* its begin failed so that the store may have carried it out */
	bool is_cut;	    /* parts may still arrive: it was given up while they were on their way, or they were sent again */
	bool is_completing; /* the parts are put together: none may begin */
	bool is_partial;
	bool is_overtaken;    /* a range that was to be copied was written to */
	bool is_copy_refused; /* by an answer that trying again does not change */
	struct location base; /* of a partial one: where the unchanged ranges are */
	char base_version[STORE_VERSION_MAX];
	uint64_t generation;  /* of the content that was planned */
	uint64_t plan;	      /* of a partial one: a hash of the plan and its base; else 0 */
	unsigned unnoted;     /* parts that arrived since the row last told of them */
	uint64_t begun_meta;  /* a hash of the metadata that went along with its beginning */
	int64_t begun_mtime_ns;
	struct cancel cancel;
	struct part **parts;
	unsigned count;	   /* of parts */
	unsigned next;	   /* the first part the writer has not passed */
	unsigned running;  /* queued or running parts */
	struct error error; /* of the last failed begin or part */
};

/* file.upload for the key of its PENDING_PUT, with no part yet. NULL without memory. */
struct upload *upload_new_locked(struct file *f);
void upload_unref_locked(struct upload *u);
struct part *upload_part_at_locked(struct upload *u, unsigned index); /* made when there is none; NULL without memory */
uint64_t upload_meta_hash(const struct store_put_args *args);
/* Begins it at the store and lets the journal know, so that a crash leaves nothing behind. */
int upload_begin(struct upload *u, const struct store_put_args *args, int64_t mtime_ns, struct error *err) MUST_CHECK;
/* Sends and copies what is missing of [0, size), and waits for it. */
int upload_carry(struct pending *op, struct upload *u, uint64_t size, unsigned *ret_count, struct error *err) MUST_CHECK;
int upload_complete(struct upload *u, unsigned count, const struct store_put_args *args, char *ret_version,
		    struct error *err) MUST_CHECK;
/* Gives back the reference of the PENDING_PUT's try. */
enum upload_end { UPLOAD_COMPLETED, UPLOAD_FAILED };
void upload_ended(struct upload *u, struct pending *op, enum upload_end end, const struct error *err);
/* upload_partial.c: the plan that an earlier mount followed, when what is dirty and what it is based on still make the same one; no
 * part of it is done yet. NULL otherwise. */
struct upload *upload_partial_again_locked(struct pending *op, struct file *f);
/* upload_resume.c: a part has arrived: the journal is told, now and then. */
void upload_note_part_locked(struct upload *u);
