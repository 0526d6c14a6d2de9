#pragma once
/*
 * Purpose: what control may ask of the mount: make it, run it, ask how it is, wait for the cloud.
 *
 * Life: fs_new opens the cache directory (lock, journal) and takes up what an earlier run left; fs_mount makes it a
 * file system; fs_run serves it until it is unmounted or fs_stop was called; fs_free ends everything. Without fs_mount
 * the same object uploads what is left in a cache directory (`skydir sync` with no mount).
 * Ownership: the stores stay the caller's and must outlive the fs.
 * Threads: fs_status, fs_sync and fs_stop from any thread; fs_run blocks its caller.
 */
#include "backends/base/cancel.h"
#include "backends/base/json.h"
#include "backends/store/store.h"
#include "fs/options.h"

struct fs;

/* source: "/" for all stores, "/s3", "/s3/bucket", "/s3/bucket/prefix". Errors: CONFLICT when another daemon holds the
 * cache directory (names its pid), CONFIG for an unknown store, IO, NO_SPACE. */
int fs_new(const struct fs_options *options, struct store *const *stores, size_t store_count,
	   const char *source, struct fs **ret, struct error *err) MUST_CHECK;
/* Checks that the source exists (a bucket that is not there is NOT_FOUND), mounts, returns when the kernel knows the mount. */
int fs_mount(struct fs *fs, const char *mountpoint, struct error *err) MUST_CHECK;
/* Serves until unmounted. 0 on a clean end. */
int fs_run(struct fs *fs, struct error *err) MUST_CHECK;
/* Unmounts from inside (lazily when busy) and makes fs_run return. Async-signal-unsafe. */
void fs_stop(struct fs *fs);
void fs_free(struct fs *fs);

/* {mountpoint, source, pid, cache: {...}, dirty: {files, bytes}, pending: N, uploads: [{path, bytes, sent, ...}], errors: [{path, error, over, ...}],
 *  written: [a few paths open for writing], requests: {...}, stores: [...]} */
int fs_status(struct fs *fs, struct json_object **ret, struct error *err) MUST_CHECK;
/* The same shape, as far as it can be told, from a cache directory nobody has mounted; sets "orphan": true. dirty.files 0
 * and pending 0: nothing is left there. NOT_FOUND: no journal there. */
int fs_status_offline(const char *cache_dir, struct json_object **ret, struct error *err) MUST_CHECK;

struct fs_progress {
	uint64_t files_left, bytes_left, bytes_sent, ops_left;
};
/* Starts and waits for everything pending at or below path (relative to the mount's root; "" or "/": all) to be in the
 * cloud. Calls progress (may be NULL) about five times a second. Gives up on what fails for good: the return is then
 * -errno of the first failure and *ret_failures (may be NULL) a JSON array of {path, error, kind}. deadline 0: none. */
int fs_sync(struct fs *fs, const char *path, uint64_t deadline_mono_ms, struct cancel *cancel,
	    void (*progress)(void *arg, const struct fs_progress *p), void *arg, struct json_object **ret_failures,
	    struct error *err) MUST_CHECK;
/* What stands in the way of passthrough on this machine, the kernel not asked: the privilege, the cache directory's file system. NULL:
 * nothing. */
const char *fs_passthrough_obstacle(int cache_fd);
