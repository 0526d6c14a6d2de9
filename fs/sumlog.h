#pragma once
/*
 * Purpose: the checksums of pagesums.h, durable against a kill: one append-only log for all files of the cache that are not uploaded,
 *	so that the next start can tell whether the disk gives back what was written.
 *
 * A sum that is absent is unknown, never wrong; so everything that is in doubt is left out, and the log must never hold a sum that is
 * older than its bytes. Hence the order of a change (intact.c): FORGET of what is overwritten, then the bytes, then SUMS. Bytes that no
 * sum covers need no FORGET: writing a file from its beginning to its end costs one append per write. Where two writes meet in a
 * page (a mapped file that is also written), the file is OFF until it is uploaded.
 * Invariants:
 *  - What is in the log of a file is in its struct pagesums, too, but for what is stale (pagesums.stale_*), which is forgotten in the
 *    log before the bytes change.
 *  - It counts for the boot it was written in alone: after a restart of the system neither it nor the data need have reached the disk,
 *    in any order. So it is never synced, and costs no disk access.
 *  - A record that cannot be read, or an append that fails, makes all of it unknown. A torn end (a kill) does not.
 *  - The file is begun anew at each start, and when it has grown long: what is known then is written into a room at its beginning,
 *    kept free while later records are appended behind it already. Until the room is filled, nothing is known.
 * Ownership: counted references: the mount has one, who appends another. Threads: appending is one write(2), without fs.lock.
 */
#include "backends/base/buf.h"
#include "backends/base/error.h"
#include "fs/pagesums.h"

struct sumlog;
/* Makes an empty log in the place of the one in dir_fd. */
struct sumlog *sumlog_new(int dir_fd, struct error *err);
struct sumlog *sumlog_ref(struct sumlog *l);
void sumlog_unref(struct sumlog *l);

/* Of the pages that [start, end) touches. NULL: nothing happens. -EIO: the log would be wrong and cannot be
 * taken away: the bytes must not be changed. */
int sumlog_sums(struct sumlog *l, uint64_t id, uint64_t start, uint64_t end, const struct pagesum *sums) MUST_CHECK;
int sumlog_forget(struct sumlog *l, uint64_t id, uint64_t start, uint64_t end) MUST_CHECK;
int sumlog_off(struct sumlog *l, uint64_t id) MUST_CHECK;
/* Grown long since it was begun, or given up: it is to be begun anew. */
bool sumlog_is_worn(const struct sumlog *l);

/* Beginning anew: what is known of each file is put together in memory (under fs.lock), room for it is made before the log is given to
 * anybody, and filled afterwards. */
int sumlog_collect(struct buf *into, uint64_t id, const struct pagesums *s) MUST_CHECK;
int sumlog_make_room(struct sumlog *l, size_t bytes, struct error *err) MUST_CHECK;
int sumlog_fill_room(struct sumlog *l, struct str records, struct error *err) MUST_CHECK;

/* What the last mount left, as far as it counts; an empty answer when nothing does. NULL without memory. */
struct sumlog_found;
struct sumlog_found *sumlog_load(int dir_fd);
/* Moves the sums of one file out of it; *ret must be empty. */
void sumlog_take(struct sumlog_found *found, uint64_t id, struct pagesums *ret);
/* Whether sums of it are known. */
bool sumlog_has(struct sumlog_found *found, uint64_t id);
void sumlog_found_free(struct sumlog_found *found);
