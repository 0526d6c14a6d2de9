#pragma once
/*
 * Purpose: a multipart upload of one file: parts that go up while the file is still being written, and the rest after; or, of a
 *	changed object, only the parts that changed (upload_partial.c).
 *
 * Geometry: part i's range depends on i and the mount's part size alone: the first 1000 parts have part-size, each further
 *	thousand four times as much (at most the store's limit), so that 10,000 parts hold any object the store takes.
 * Invariants: a part counts as done only if nothing of its range was written since its upload began; its checksum is taken by
 *	the store when it is sent. Without a sequential writer, before upload-delay has passed, and while the writer is faster than
 *	any uplink, nothing is sent before the file is closed.
 *	A file with a version in the cloud that it shares bytes with sends nothing before it is closed: most of it is copied there.
 *	A partial upload is of one state of the file: when a range that is copied changes meanwhile, it is begun anew.
 * Ownership: counted references: the file has one, every queued part and the running PENDING_PUT another. It keeps file.busy
 *	(and so the descriptor) while it lives. Discarded and released by all, it aborts itself at the store; when the mount ends
 *	first, the next one does (owed.h).
 * Threads: *_locked need fs.lock; parts run on fs.parts.
 */
#include "fs/file.h"
#include "fs/pending.h"

struct upload;

void upload_part_range(const struct fs *fs, const struct store *store, unsigned index, uint64_t *ret_start,
		       uint64_t *ret_end);
/* Bytes [start, end) of the file changed: parts that hold them are stale; parts that lie behind the writer may go up. */
void upload_note_write_locked(struct file *f, uint64_t start, uint64_t end);
/* The file does not want it any more. */
void upload_discard_locked(struct file *f);
/* At the very end of the mount, when no job is left: frees what was kept for the next try. The store is not asked. */
void upload_forget(struct file *f);
struct upload_content { /* what is to be there afterwards */
	uint64_t size, generation;
	int64_t mtime_ns;
	const struct store_put_args *args;
};
/* Carries all parts of [0, size) to the store and completes. Blocks. On success (0, or UPLOAD_OLD_ATTRS: the object has the
 * attributes of when its upload began, which are not args' any more) ret_version is set and the upload is gone; after a failure that
 * may pass, the finished parts are kept for the next try. */
#define UPLOAD_OLD_ATTRS 1
int upload_multipart(struct pending *op, struct file *f, const struct upload_content *content, char *ret_version,
		     struct error *err) MUST_CHECK;
/* Likewise, but only changed ranges are sent; the store copies the rest from file.base_version. UPLOAD_NOT_PARTIAL: that cannot be
 * done, or does not pay: send it whole. PRECONDITION: that version is gone. CANCELLED: changed again meanwhile. */
#define UPLOAD_NOT_PARTIAL 2
int upload_partial(struct pending *op, struct file *f, const struct upload_content *content, char *ret_version,
		   struct error *err) MUST_CHECK;
/* The time that stands in the metadata of an upload that has begun and will be completed; false: none has. */
bool upload_begun_mtime_locked(const struct file *f, int64_t *ret_mtime_ns);
/* Bytes of the finished parts, for progress. */
uint64_t upload_sent_locked(const struct file *f);
/* The same with the best of what attempts under way have sent: it grows only when more gets across than ever before. */
uint64_t upload_progress_locked(const struct file *f);
/* Whether so many bytes go as parts. */
bool upload_wants_parts_locked(const struct file *f, uint64_t size);

/* upload_resume.c: what the row of an upload tells of its parts, and what a row told. */
void upload_describe_locked(const struct pending *op, struct json_object *o);
void upload_read_described(struct pending *op, struct json_object *detail);
/* Takes up the upload that an earlier mount began, with the parts that have arrived and are still what the file holds; or gives it
 * up. Negative only when the store cannot be asked just now. Blocks; file.busy is held. */
int upload_take_up(struct pending *op, struct file *f, struct error *err) MUST_CHECK;
