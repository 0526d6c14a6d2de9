#pragma once
/*
 * Purpose: what survives the system going down: fsync, the sync every five seconds, and what a start after a restart of the
 *	system believes of the cache.
 *
 * A row and the data it speaks of reach the disk in any order. So a PUT's row tells the boot it was written in and, once data and
 * row are both known to be on the disk, the size they had then (pending.synced_size). After a restart of the system a file counts
 * only if its row has that mark and the file is no shorter; anything else may be holes and old blocks. It is set aside in
 * CACHE/rescued with a note beside it, shown in status, and never uploaded over the good object. Of a mixture, ranges written
 * after the mark are forgotten (extentlog.h).
 * Threads: durable_sync_* block on the disk, without fs.lock. The thread skydir-sync owns the five seconds.
 */
#include "fs/core.h"

/* Of this boot of the system; 0: unknown, then nothing is doubted. */
uint64_t durable_boot(void);
/* The promise of fsync: data, map and row of a dirty file are on the disk. The node is pinned. */
int durable_sync_file(struct fs *fs, struct node *n, struct error *err) MUST_CHECK;
/* Everything dirty. Best effort: what fails is logged, and stays unmarked. */
void durable_sync_all(struct fs *fs);
int durable_start(struct fs *fs, struct error *err) MUST_CHECK;
void durable_stop(struct fs *fs); /* waits for the thread's end */
/* Has status tell of all that is in CACHE/rescued. */
void durable_count_rescued(struct fs *fs);
bool durable_is_rescued(const struct fs *fs, uint64_t id);
/* Moves a cache file that cannot be trusted, or belongs to nothing, into CACHE/rescued, with a note. row may be NULL.
 * At start only. */
int durable_rescue(struct fs *fs, uint64_t id, const struct journal_row *row, const char *why, struct error *err) MUST_CHECK;
