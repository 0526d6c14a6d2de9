#pragma once
/*
 * Purpose: a multipart upload of one file: parts that go up while the file is still being written, and the rest after.
 *
 * Geometry: part i's range depends on i and the mount's part size alone: the first 1000 parts have part-size, each further
 *	thousand four times as much (at most the store's limit), so that 10,000 parts hold any object the store takes.
 * Invariants: a part counts as done only if nothing of its range was written since its upload began; its checksum is taken by
 *	the store when it is sent. Without a sequential writer, before upload-delay has passed, and while the writer is faster than
 *	any uplink, nothing is sent before the file is closed.
 * Ownership: counted references: the file has one, every queued part and the running PENDING_PUT another. It keeps file.busy
 *	(and so the descriptor) while it lives. Discarded and released by all, it aborts itself at the store.
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
/* Carries all parts of [0, size) to the store and completes. Blocks. On success ret_version is set and the upload is gone;
 * after a failure that may pass, the finished parts are kept for the next try. */
int upload_multipart(struct pending *op, struct file *f, uint64_t size, const struct store_put_args *args,
		     char *ret_version, struct error *err) MUST_CHECK;
/* Bytes of the finished parts, for progress. */
uint64_t upload_sent_locked(const struct file *f);
/* Whether so many bytes go as parts. */
bool upload_wants_parts_locked(const struct file *f, uint64_t size);
