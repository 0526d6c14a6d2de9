#pragma once
/*
 * Purpose: what the kernel knows of skydir mounts: /proc/self/mountinfo, whether one still answers,
 * unmounting.
 *
 * Invariants: nothing here touches a path inside a mount directly (a daemon that hangs must not
 * hang the command): probes run in a child with a time limit. Source: proc(5), the section on
 * /proc/PID/mountinfo (Linux man-pages 6.03).
 */
#include "backends/base/buf.h"

#define MOUNTS_TYPE "fuse.skydir"

struct mount_entry {
	char *path, *type, *source;
	uint32_t user_id; /* who mounted it, for FUSE */
};
#define MOUNT_ENTRY_INIT ((struct mount_entry){0})
void mount_entry_release(struct mount_entry *e);
static inline bool mount_entry_is_skydir(const struct mount_entry *e)
{
	return !strcmp(e->type, MOUNTS_TYPE);
}

/* One line of mountinfo; -EINVAL when it makes no sense. */
int mounts_parse_line(struct str line, struct mount_entry *ret) MUST_CHECK;
/* In order of mounting. A negative return of fn ends it and is returned. */
int mounts_each(int (*fn)(void *arg, const struct mount_entry *e), void *arg,
		struct error *err) MUST_CHECK;
/* The mount whose root is exactly path, or (mounts_containing) in which path lies. NOT_FOUND. */
int mounts_at(const char *path, struct mount_entry *ret, struct error *err) MUST_CHECK;
int mounts_containing(const char *path, struct mount_entry *ret, struct error *err) MUST_CHECK;
/* Absolute path without symbolic links; works for dead mounts, and for names whose last component
 * is gone. */
int mounts_resolve(const char *path, char **ret, struct error *err) MUST_CHECK;
/* lstat and statfs in a child: 0, -ENOTCONN for a dead mount, -ETIMEDOUT, or their -errno. */
int mounts_probe(const char *path, unsigned timeout_ms) MUST_CHECK;
/* umount2, or fusermount3 for who may not. CONFLICT when it is in use. */
int mounts_unmount(const char *path, struct error *err) MUST_CHECK;
