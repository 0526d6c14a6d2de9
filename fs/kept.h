#pragma once
/*
 * Purpose: complete clean cache files outlive a mount: what was read yesterday is not fetched again while its version is the same.
 *
 * At a clean end a list of them is written to CACHE/kept.json; the next start reads it, removes it (so that a crash later cannot
 * make it lie), and opens of those objects take the files up. What is never asked for is listed again at the next end.
 * Invariants: an entry counts only for exactly this store, bucket, key, version and size; the file must have that size.
 * Threads: guarded by fs.lock, but for load and save, which run while the fs is alone.
 */
#include "fs/core.h"

void kept_load(struct fs *fs);
void kept_save(struct fs *fs); /* marks what stays (file.outlives_us) */
void kept_release(struct fs *fs);
bool kept_has_locked(const struct fs *fs, uint64_t id); /* as loaded */
/* The cache file of this clean node's version, taken out of the list: its fd and id; -1 when there is none. */
int kept_take_locked(struct fs *fs, const struct node *n, uint64_t *ret_id);
/* Gives up the oldest of them, when space is needed: its id, or 0. */
uint64_t kept_evict_locked(struct fs *fs, uint64_t *ret_bytes);
