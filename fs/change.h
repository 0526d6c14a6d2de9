#pragma once
/*
 * Purpose: changes of names as the user asks for them: the tree first, then what the cloud has to follow, queued and journalled.
 *
 * Each function checks, changes the tree, queues, and gives back the last journal ticket: the caller drops the lock, waits for
 * the ticket, then answers. What must be known beforehand (that a directory is empty) the caller has seen to: then -EAGAIN says
 * "list this directory first".
 * Threads: all need fs.lock.
 */
#include "fs/core.h"
#include "fs/pending.h"

/* Whether changes below this node are allowed now: 0, or ERR_READ_ONLY / ERR_PERMISSION (a 403 not long ago) / ERR_BUDGET. */
int change_allowed_locked(struct fs *fs, struct node *n, struct error *err) MUST_CHECK;
/* The same for what only takes away, which goes on when a budget is used up. */
int change_removal_allowed_locked(struct fs *fs, struct node *n, struct error *err) MUST_CHECK;
/* Whether a file may be made under this name (of this key): -EINVAL for an escape of what needs none. */
int change_check_name_locked(struct fs *fs, struct node *parent, const char *name, const struct location *where) MUST_CHECK;
/* A new empty file or symlink; fd and id of a cache file that becomes its (taken over on success). EEXIST, EPERM (where only
 * buckets can be made), ESTALE as bare -errno. */
int change_create_locked(struct fs *fs, uint64_t parent_ino, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
			 uint64_t file_id, int fd, struct node **ret, uint64_t *ret_ticket, struct error *err) MUST_CHECK;
int change_mkdir_locked(struct fs *fs, struct node *parent, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
			struct node **ret, uint64_t *ret_ticket, struct error *err) MUST_CHECK;
/* The content is about to be cut to nothing: sees to the upload. The cache file is open. What is not here is not needed any more; the size itself is
 * file_truncate's. */
int change_empty_locked(struct fs *fs, struct node *n, uint64_t *ret_ticket, struct error *err) MUST_CHECK;
int change_unlink_locked(struct fs *fs, struct node *n, uint64_t *ret_ticket, struct error *err) MUST_CHECK;
/* NOT_EMPTY; -EAGAIN when n is not listed. */
int change_rmdir_locked(struct fs *fs, struct node *n, uint64_t *ret_ticket, struct error *err) MUST_CHECK;
/* -EAGAIN when the target is a directory that is not listed. flags: RENAME_NOREPLACE or 0. */
int change_rename_locked(struct fs *fs, struct node *n, struct node *parent, const char *name, unsigned flags,
			 uint64_t *ret_ticket, struct error *err) MUST_CHECK;
/* Attributes of a node changed (already set in it): journalled, and queued where no upload carries them anyway. */
int change_attrs_locked(struct fs *fs, struct node *n, uint64_t *ret_ticket, struct error *err) MUST_CHECK;
