#pragma once
/*
 * Purpose: the state that all parts of the mount share, and how its threads work together. See fs/README.md.
 *
 * One lock, fs.lock, guards the tree, the files' maps and the pending operations: all of it is memory work of
 * microseconds. It is never held across the network, the disk, a reply to the kernel or a wait.
 */
#include "backends/base/lock.h"
#include "backends/base/workers.h"
#include "fs/fs.h"
#include "fs/initpatch.h"
#include "fs/journal.h"
#include "fs/passthrough.h"
#include "fs/tree.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

struct pending;
struct file;
struct parked;
struct kept;

/* Priorities of jobs in fs.net: who waits longest in front of a screen goes first. */
enum net_priority { NET_DEMAND, NET_METADATA, NET_PREFETCH, NET_BACKGROUND };

struct trash { /* a cache file to be removed */
	uint64_t id;
	int fd, log_fd;
	bool keeps_file; /* only close the descriptors */
	struct journal_mark mark; /* else: rows speak of the file until then */
	uint64_t bytes, since_ms; /* what comes free with it */
	struct trash *next;
};

struct cache_state { /* guarded by fs.lock */
	struct trash *trash;
	struct file *lru_first, *lru_last; /* least recently used first; every file that has a cache file */
	uint64_t bytes;			   /* of all cache files, by their maps */
	uint64_t disk_free_bytes; /* on the cache's disk; the ticker looks again and again, writes take off what they will use */
	uint64_t floor_bytes; /* free-space-floor, or more: see fs_watch_disk */
	uint64_t dirty_bytes; /* of files that wait for their upload; the ticker counts anew */
	uint64_t looks; /* of the ticker: at what is not uploaded, and at the disk, where it evicts what is clean */
	uint64_t sent_seen, room_progress_ms; /* what uploads had sent at the last look, and when that last changed */
	size_t files;
};

#define CLAIM_SLOTS 8192
struct claim;

struct memory; /* pending_view.h */
struct pending_queue { /* guarded by fs.lock */
	struct pending *first, *last; /* all, in order of seq */
	struct claim **claims;	      /* CLAIM_SLOTS chains: which operations touch a key */
	struct memory *memory;	      /* of what went lately */
	struct pending **due;	      /* a heap by due_ms of those that wait for their time */
	size_t due_count, due_capacity;
	struct pending *carriers;     /* queued deletes that will take others along, one a bucket */
	struct pending *held;	      /* those that wait for a file to be closed, or may come to */
	size_t count, trees, running; /* all; directory renames among them; on a worker now */
	size_t deletes, deletes_running; /* PENDING_DELETEs, all and those on a worker */
	uint64_t last_delete_ms;      /* when the last one came, */
	size_t deletes_in_a_row;      /* and how many did, none upload-delay or more after the one before */
	uint64_t done_total, failed_total, bytes_sent_total;
	bool is_stopping;
};

struct status_error {
	char path[256];
	char message[256];
	char kind[24];
	int64_t wall_s;
	uint64_t seq; /* of the change that will be tried again; 0: none */
	bool is_over; /* that one is through */
};

struct fs {
	struct lock lock;
	struct cond changed; /* with lock: a pending operation ended, or progress was made */
	struct fs_options options; /* immutable after fs_new */
	struct store *const *stores;
	size_t store_count;
	char *source, *mountpoint;
	struct tree tree;
	size_t names_kept;	/* more of them, and old listings are forgotten (trim.h); guarded by lock. SIZE_MAX until it is mounted */
	uint64_t tree_most;	/* names: listings stop growing the tree there; immutable */
	struct workers *net;	/* look-ups, listings, reads */
	struct workers *up;	/* uploads and pending operations */
	struct workers *parts;	/* parts of multipart uploads: apart, so that an upload waiting for its parts cannot starve them */
	struct journal *journal;
	char *cache_dir;
	int cache_fd;		/* the directory of cache files */
	struct sumlog *sums;	/* guarded by lock: the pointer; NULL: none could be made */
	uint64_t cache_dev, cache_ino; /* what cache_dir is, as it was looked at; immutable */
	int lock_fd;
	struct cache_state cache;
	struct kept *kept;	/* cache files of an earlier mount; kept.h */
	struct pending_queue queue;
	struct walk_track *walks; /* walk.h, NULL before the first listing; guarded by lock */
	uint64_t part_copy_is_good, part_copy_is_bad; /* a bit for each of stores, once tried; guarded by lock */
	struct parked *parked;	/* every request that waits; guarded by lock */
	size_t parked_count;
	bool has_interrupted; /* guarded by lock: the ticker is to look through parked */
	struct parked *space_waiters; /* writers that wait for uploads to free cache space */
	size_t open_handles;	/* guarded by lock */
	struct passthrough pass; /* guarded by lock */
	struct fuse_session *session;
	struct initpatch initpatch;
	pthread_t loop_thread, ticker_thread;
	bool has_ticker, has_loop, is_mounted;
	bool is_stopping;	/* guarded by lock */
	bool loop_ended;	/* guarded by lock */
	int loop_result;	/* guarded by lock */
	struct cond ticker_cond; /* with lock */
	unsigned long_listing_pages;	/* listing_ranges.h */
	struct status_error errors[16]; /* a ring of the last ones; guarded by lock */
	size_t error_count;
	struct cancel shutdown; /* fires when the fs goes away */
	char *damage;		/* what had to be set aside: the journal, cache files */
	char *journal_damage_text; /* of it, what journal_open said */
	bool has_lost_rows;	/* at start: cache files of no row may be somebody's data */
	size_t rescued;		/* cache files set aside; durable.h */
	pthread_t sync_thread;
	struct cond sync_cond;	/* with lock */
	bool has_sync_thread, is_sync_stopping; /* the latter guarded by lock */
	size_t lost_rows;	/* journal rows of our stores that could not be taken up: their data stays where it is */
	size_t foreign_rows;	/* of stores this mount does not have */
	int64_t started_wall_s;
};

/* Remembers a failure for `status` (lock held) and logs it once. */
void fs_note_error_locked(struct fs *fs, const char *path, const struct error *err);
/* The same of a change that will be tried again, by its number in the queue; and that it is through. */
void fs_note_failure_locked(struct fs *fs, const char *path, uint64_t seq, const struct error *err);
void fs_note_over_locked(struct fs *fs, uint64_t seq);
/* Looks at the cache's disk, and gives back what is clean until the floor is kept; disk work, without the lock. */
void fs_watch_disk(struct fs *fs);
/* Disk cache file names: 16 hex digits of the id, in fs.cache_fd. */
void fs_cache_name(uint64_t id, char ret[24]);
void fs_cache_log_name(uint64_t id, char ret[24]);
