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

/* What an OPEN or a CREATE brought. */
struct kernel_handle {
	uint64_t ino, fh;
	uint32_t flags;	    /* FOPEN_ ones */
	int32_t backing_id; /* what stands where the id of passthrough stands */
};
/* FUSE_CREATE, FUSE_OPEN: 0 or -errno. */
int kernel_create(struct fs *fs, uint64_t parent_ino, const char *name, struct kernel_handle *ret);
int kernel_open(struct fs *fs, uint64_t ino, uint32_t flags, struct kernel_handle *ret);
void kernel_release(struct fs *fs, const struct kernel_handle *h);
/* FUSE_SETATTR of the size, by name: 0 or -errno. */
int kernel_truncate(struct fs *fs, uint64_t ino, uint64_t size);
/* The next answer reaches nobody: whoever asked was interrupted. The request counts as failed with -EINTR. */
void kernel_interrupt_next(void);
