#pragma once
/*
 * Purpose: small files of one directory that are read in order are fetched ahead, side by side: reading a thousand of them costs a
 *	thousand gets, but not a thousand round trips.
 *
 * In order means: each is one of the next few of its directory as it was listed, which is also how readdir shows them and, mostly,
 * how a shell sorts them. After the third in a row the next SIBLINGS_FIRST are fetched; the number doubles up to SIBLINGS_MOST.
 * Threads: called without fs.lock; the fetching is done by fs.net at the lowest priority.
 */
#include "fs/core.h"

#define SIBLINGS_FIRST 4
#define SIBLINGS_MOST  32
#define SIBLINGS_SIZE  (256u << 10) /* bigger files have their own read-ahead */

/* A file was opened for reading. */
void siblings_opened(struct fs *fs, uint64_t ino);
