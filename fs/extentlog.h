#pragma once
/*
 * Purpose: the durable map of a partly present cache file: an append-only log of range changes beside it.
 *
 * It exists only for files that are a mixture of fetched, written and missing ranges; a file that was made or truncated
 * here is whole and needs none. extentlog.c begins with the record format, byte by byte (each record has a CRC32C; a
 * torn or damaged record is dropped, and what it said is taken as "not present": a range whose
 * record is lost is fetched again if clean; a dirty range's record is written after its data and before the write is
 * acknowledged, so it is never lost by kill -9).
 * After a restart of the system (boot id) or with a damaged record, what is present but not dirty is forgotten: it may
 * not have reached the disk, and can be fetched again. A damaged one of this boot means that the file is set aside (recovery.c).
 * Threads: guarded by the file's lock; append is one write(2) to the page cache, without sync.
 */
#include "backends/base/error.h"
#include "fs/extents.h"

enum extentlog_what { EXTENTLOG_PRESENT = 1, EXTENTLOG_DIRTY = 2, EXTENTLOG_CLEAN = 3, EXTENTLOG_TRUNCATE = 4,
		      EXTENTLOG_ABSENT = 5, EXTENTLOG_SYNCED = 6 };
/* SYNCED: the data of what is dirty so far is on the disk (start and end are 0).
 * PRESENT: [start,end) was fetched. DIRTY: written here (present too). CLEAN: no longer dirty (uploaded).
 * TRUNCATE: everything from start on is gone from both sets (give end = start). ABSENT: [start,end) was dropped from the
 * cache (must be appended before the hole is punched, or a kill in between would serve zeros). */
#define EXTENTLOG_RECORD_BYTES 32 /* each append adds so many: the log's length tells when to compact */
int extentlog_append(int fd, enum extentlog_what what, uint64_t start, uint64_t end, struct error *err) MUST_CHECK;
/* Opens or creates (0600, O_APPEND, O_CLOEXEC, O_NOFOLLOW) the log, replays it; returns the fd. */
int extentlog_open(int dir_fd, const char *name, struct extents *present, struct extents *dirty,
		   struct error *err) MUST_CHECK;
/* Writes the two sets as a fresh log beside and renames it over (when the log grew long); new fd. */
int extentlog_compact(int dir_fd, const char *name, const struct extents *present,
		      const struct extents *dirty, struct error *err) MUST_CHECK;
/* Whether a log of this boot of the system has records that cannot be read: then a range somebody wrote may be missing from it, which no
 * kill explains. Changes nothing. */
/* Whether it tells that the file was cut: else a file that is shorter than its row says lost its end. */
bool extentlog_has_cut(int dir_fd, const char *name);
bool extentlog_is_damaged(int dir_fd, const char *name);
