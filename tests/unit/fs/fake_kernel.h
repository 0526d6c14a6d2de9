#pragma once
/*
 * Purpose: the kernel's end of FUSE for tests of what handlers decide: requests go to libfuse as bytes, replies are caught;
 *	nothing is mounted.
 * Threads: one request at a time.
 */
#include "fs/core.h"

/* Connects; the session ends with fs_free. */
void kernel_connect(struct fs *fs);
/* A FUSE_LOOKUP: the inode number, 0 for a negative entry, or -errno. */
int64_t kernel_lookup(struct fs *fs, uint64_t parent_ino, const char *name);
