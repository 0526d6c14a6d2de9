#pragma once
/*
 * Purpose: the local file of an object in use: one sparse cache file with a map of what is present and what is dirty.
 *
 * Invariants:
 *  - `is_whole`: every byte of [0, node.size) is local (the file was made or truncated here, or fully fetched); then the cache
 *    file's own size is node.size. Else `present` says what is there, and what is not belongs to version `base_version`.
 *  - A dirty byte is present. Dirty bytes are never evicted.
 *  - With a base_version, every byte of [0, node.size) that is not dirty is that version's byte at the same place: what was cut off
 *    and grew again is dirty. So an upload may let the store copy all that is not dirty.
 *  - No fetch runs over a range while it is written or cut off: writers wait (EXCLUSIVE waiters), because the network
 *    writes straight into the file.
 *  - Bytes of the cache file beyond node.size are zero or gone: growing a file shows zeros.
 *  - With passthrough handles (passthrough.h) it is whole and stays so, and node.size is what was last settled.
 * Ownership: node.file owns it; it lives while it is open, dirty, fetching or cached.
 * Threads: all fields guarded by fs.lock; the cache file itself is read and written without it.
 */
#include "fs/core.h"
#include "fs/extents.h"
#include "fs/pagesums.h"
#include "fs/prefetch.h"

struct fetch {
	struct job job;
	struct fs *fs;
	struct file *file;
	uint64_t start, end;
	uint64_t arrived;	/* bytes from start that have come in */
	struct cancel cancel;
	bool is_demand;		/* somebody waits for it */
	bool made_way;		/* it was read-ahead when the disk was full: who came to wait for it since tries anew */
	bool is_whole_object; /* its bytes count as present only when all have come, and match the checksum */
	struct location where;	/* where the bytes are */
	char version[STORE_VERSION_MAX];
	uint64_t since_ms;
	struct fetch *next;	/* file.fetches */
};

struct file {
	struct fs *fs;
	struct node *node;
	uint64_t id;
	int fd;			/* -1: not open now (no handle, nothing running) */
	int log_fd;		/* extentlog of a mixture; -1 */
	bool is_whole;
	bool outlives_us;	/* dirty when the mount ends: the cache file stays for the next one */
	bool is_new_version;	/* the object changed in the cloud while this was open: reads of holes fail */
	struct extents present;
	struct extents dirty;	/* what differs from base_version. Not kept up without one, but for a mixture's log */
	struct extents rewritten; /* likewise, from what the running upload sends */
	bool is_sending;	/* rewritten is kept up */
	struct pagesums sums;	/* of what was written and is not uploaded; intact.h */
	char base_version[STORE_VERSION_MAX]; /* what the holes, and all that is not dirty, are of; "": it has none */
	uint64_t generation;	/* grows with every change of content */
	uint64_t journalled_generation;
	unsigned readers, writers; /* open handles, of every kind */
	unsigned cached_opens;	/* those of them whose pages the kernel keeps */
	int32_t opener_pid;	/* who opened it last for reading */
	struct passthrough_file pass;
	unsigned busy;		/* running reads and writes of the cache file, and uploads: keeps fd open */
	unsigned changing;	/* writes and cuts between their PENDING_PUT and the generation they make: an upload that
				 * ends meanwhile does not have them */
	struct fetch *fetches;
	struct parked *readers_waiting;	   /* for their range to be present */
	struct parked *exclusive_waiting;  /* for no fetch to run */
	struct parked *closing_waiting;	   /* flush with writeback=no, fsync=remote */
	int fetch_error;	/* errno of the last failed fetch, for the waiters it left */
	struct prefetch prefetch;
	uint64_t progress_ms;	/* when bytes last moved */
	uint64_t dripped;	/* bytes that have come since, too few to count: fetch.c */
	uint64_t accounted;	/* bytes it counts for in fs.cache.bytes */
	uint64_t uploaded_size;	/* of the last upload that succeeded, and the time that went along; */
	int64_t uploaded_mtime_ns; /* 0: none: by these our own object is known */
	uint64_t dirty_since_ms; /* when its upload was queued */
	uint64_t last_write_end;
	struct journal_mark clean_mark; /* of the last upload's end: until then a row may speak of it */
	bool is_row_past;
	bool has_old_map;	/* a map lies beside it though it is clean */
	uint64_t synced_generation; /* this content, its map and its row are on the disk */
	struct file *lru_next, *lru_prev;
	struct location origin;	/* of an unlinked object whose holes may still be read */
	struct upload *upload;	/* a multipart upload that began while writing; uploader.c */
};

/* Makes an empty cache file; disk work, so call it without fs.lock. *ret_fd is the caller's until attached. */
int file_make(struct fs *fs, uint64_t *ret_id, int *ret_fd, struct error *err) MUST_CHECK;
/* Closes and removes a cache file that was made but not attached. */
void file_unmake(struct fs *fs, uint64_t id, int fd);
/* Makes node.file from it. whole: all of [0, node.size) is there; sparse: nothing is, and node.version is what the holes
 * are (the cache file must have been ftruncated to node.size). Takes over fd. NULL without memory. */
enum file_kind { FILE_WHOLE, FILE_SPARSE };
struct file *file_attach_locked(struct fs *fs, struct node *n, enum file_kind kind, uint64_t id, int fd);
/* Throws the cached content away; the cache file itself is removed by the ticker. The node must not be dirty. Frees. */
void file_drop_locked(struct fs *fs, struct node *n);
/* Removes cache files that file_drop_locked put aside; disk work, without the lock. */
void file_empty_trash(struct fs *fs);
/* Bytes of files that are removed as soon as no row of the journal speaks of them any more, which is soon. */
uint64_t file_coming_free_locked(const struct fs *fs);
/* At the very end: what a row may still speak of (the journal could not be written) stays for the next start. */
void file_leave_trash(struct fs *fs);
/* Closes the descriptor of a file nobody uses, to save descriptors. */
void file_rest_locked(struct file *f);
/* Opens the fd if it was closed to save descriptors. */
int file_open_fd_locked(struct file *f, struct error *err) MUST_CHECK;
/* What the holes belong to, from now on; "" when that is not known. */
void file_set_base_locked(struct file *f, const char *version);
void file_touch_locked(struct file *f);	  /* most recently used */
void file_account_locked(struct file *f); /* after present or size changed */
bool file_is_complete_locked(const struct file *f);
bool file_is_idle_locked(const struct file *f); /* not open, busy, fetching, dirty: may be dropped */
/* Around every change of content, from where its PENDING_PUT was seen to until the maps know it. */
void file_change_begin_locked(struct file *f);
void file_change_end_locked(struct file *f);
/* A local change of [start, end) is about to be written: whether fetches stand in the way. */
bool file_has_fetch_locked(const struct file *f, uint64_t start, uint64_t end);
/* Where a change of [start, ...) begins for the maps: a write behind the end fills what lies between with zeros. */
uint64_t file_change_start_locked(const struct file *f, uint64_t start);
/* Bytes [start, end) were written to the cache file by a local program; start is where the change begins. */
int file_written_locked(struct file *f, uint64_t start, uint64_t end) MUST_CHECK;
/* Cuts or grows to size. Does disk work: call it without fs.lock, with f.busy held; no fetch may overlap what is cut. The
 * kernel runs no other write or truncate of the same inode meanwhile. */
int file_truncate(struct file *f, uint64_t size, struct error *err) MUST_CHECK;
/* Begins (or goes on with) the durable map of a mixture; without the lock, after the data was written. */
int file_log_dirty(struct file *f, uint64_t start, uint64_t end, struct error *err) MUST_CHECK;
/* Whether changes go into the map beside the cache file: whenever its journal row calls it a mixture. */
bool file_keeps_log_locked(const struct file *f);
/* An upload of what is there now begins; it succeeded and made that version: what was changed meanwhile is what is dirty. */
void file_sending_begin_locked(struct file *f);
void file_sent_locked(struct file *f, const char *version);
/* The content was changed past us, nobody knows where: all of it goes up, and nothing is compared. It must be whole. */
void file_changed_unseen_locked(struct file *f);
/* From now on the file stands for itself: no byte of it is asked of an older version again. It must be complete. */
void file_forget_base_locked(struct file *f);
/* Nothing is left to upload: the content is in the cloud as `version`. */
void file_cleaned_locked(struct file *f, const char *version);
/* Evicts clean data until the cache is within its size; takes and drops the lock around disk work. */
void file_evict(struct fs *fs);

/* fetch.c: sees to it that [start, end) is present: starts what is missing (plus read-ahead). Returns 1 when everything is there
 * already, 0 when something is under way (park in readers_waiting), or -errno. Jobs to submit after the lock is dropped come
 * back in *ret_jobs (chain by job.next). */
int fetch_plan_locked(struct file *f, uint64_t start, uint64_t end, bool with_prefetch, struct job **ret_jobs,
		      struct error *err) MUST_CHECK;
void fetch_submit(struct fs *fs, struct job *jobs);
/* Gives up what stands in the way in [start, end): all of it, or only read-ahead, which nobody waits for. */
enum fetch_wanted { FETCH_ALL, FETCH_AHEAD };
void fetch_cancel_locked(struct file *f, enum fetch_wanted which, uint64_t start, uint64_t end);
/* Blocks a worker until [start, end) is present (used before an upload of a mixture). PRECONDITION: base_version is gone. */
int fetch_fill(struct file *f, uint64_t start, uint64_t end, struct error *err) MUST_CHECK;
