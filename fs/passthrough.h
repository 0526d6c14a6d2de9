#pragma once
/*
 * Purpose: FUSE passthrough: the kernel reads and writes a whole cache file by itself, and we see only its open and its close.
 *
 * Invariants (the kernel's, found in Linux 6.9 to 6.18):
 *  - An inode has one backing id; while a passthrough handle lives, every open of the inode is passthrough by that id. While a
 *    handle with pages in the kernel's cache lives, none is. Handles of direct I/O do not count. FOPEN_KEEP_CACHE is refused along.
 *  - Memory that was mapped through such a handle is the cache file's own: it outlives the handle, and nobody tells of its end.
 *  - Without CAP_SYS_ADMIN (of the machine, not of a container) there is none.
 * Ours:
 *  - Only a whole file (file.h) has passthrough handles, and it stays whole as long as it has: nothing is punched out of it.
 *  - What is written is not told. While a handle for writing lives, the file has a PENDING_PUT, or a journal row
 *    PENDING_OPENED, committed before the open is answered, with the stamp (size, mtime, ctime) the cache file had when its content
 *    was known. passthrough_settle_locked compares: another stamp is a change (a new generation, and a PENDING_PUT in the place of
 *    the row). It runs wherever size, time or content count: getattr, flush, fsync, the last close, a rename, the beginning
 *    and the end of an upload, sync, and four times a second. After a kill the next mount compares (recovery.c).
 *  - A stamp that did not change proves that nothing was written, because (a) the first handle for writing sets the cache
 *    file's mtime to a time long past, (b) an upload that runs beside a writer takes its stamp after a tick of the file system's
 *    clock, and after an fdatasync, which makes the next store into mapped memory count as a write, and (c) only file systems
 *    are used that stamp such stores (not tmpfs).
 *  - A handle that the kernel closed while memory may still be mapped through it stays counted (it is "kept", at most one of a file)
 *    until nothing is mapped any more. A lease tells: the kernel gives one for writing only when nobody else has the cache file
 *    open, and a mapping has. While the kernel has other handles nothing can be told: then one for writing is kept, too. What is
 *    kept does not hold an upload up.
 * Threads: *_locked need fs.lock. The ioctls and the fstat under it touch memory only.
 * Source: Documentation/filesystems/fuse-passthrough.rst, fcntl(2) of leases (2026-11); behaviour measured on Linux 6.18.
 */
#include "backends/base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct fs;
struct file;
struct node;
struct journal_row;
struct json_object;
struct fuse_req;
struct fuse_entry_param;
struct fuse_file_info;

struct file_stamp {
	uint64_t size;
	int64_t mtime_ns, ctime_ns;
};

struct passthrough { /* of a mount; guarded by fs.lock */
	const char *obstacle;	/* why there is none, for people; NULL: it is on */
	struct file *writers;	/* files with a handle for writing */
	struct file *kept, *kept_last; /* files with a kept handle, the one looked at last at the end */
	uint64_t opens_total;
	uint64_t time_salt;	/* immutable after INIT; for times that no other mount gives */
};

struct passthrough_file { /* in struct file; guarded by fs.lock */
	int32_t backing_id;	/* 0: none */
	unsigned opens, writers; /* handles; writers are counted in both */
	uint64_t row_seq;	/* of its PENDING_OPENED row; 0: none */
	uint64_t row_ticket;	/* the journal's, of that row as last written */
	bool is_unsettled;	/* written, but there was no memory to queue the upload */
	struct file_stamp stamp; /* when its content was last known; with writers */
	struct file *next, *prev; /* passthrough.writers */
	uint64_t kept_fh;	/* the handle that is kept; 0: none */
	bool is_kept_writer;
	struct file *kept_next, *kept_prev; /* passthrough.kept */
};

/* Before the kernel is asked: the option, and fs_passthrough_obstacle (fs.h). */
void passthrough_prepare(struct fs *fs);
/* The INIT exchange: whether the kernel has it. Says once in the log how it stands. Takes fs.lock. */
void passthrough_agreed(struct fs *fs, bool has_kernel);

enum passthrough_open { PASSTHROUGH_READ, PASSTHROUGH_WRITE, PASSTHROUGH_CREATE };
/* A handle is about to be given out: 1: it is passthrough (counted; before the answer: intact_settle, and commit *ret_ticket when it is not 0);
 * 0: the ordinary way; or an error, where the ordinary way is closed. */
int passthrough_open_locked(struct fs *fs, struct node *n, enum passthrough_open how, uint64_t *ret_ticket,
			    struct error *err) MUST_CHECK;
/* The handle is gone. Settles first. True when the kernel may believe an older time of the file (see passthrough_tell_kernel). */
bool passthrough_close_locked(struct file *f, bool was_writer);
/* A handle is about to be closed: whether it has to be kept instead, since memory may be mapped through it or one closed before it. */
bool passthrough_may_be_mapped_locked(const struct file *f, bool is_writer);
/* Keeps it. Returns the one that was kept till now, which is to be closed instead; 0: there was none. */
uint64_t passthrough_keep_locked(struct file *f, uint64_t fh, bool is_writer);
/* A kept handle of which nothing is mapped any more, for the caller to close; 0: none. Looks at a bounded number of them. */
uint64_t passthrough_unmapped_locked(struct fs *fs);
/* The file's kept handle, likewise. */
uint64_t passthrough_unmapped_of_locked(struct file *f);
/* Whether its only handle for writing is a kept one: nobody can be waited for to close it. */
bool passthrough_is_only_kept_locked(const struct file *f);
/* Takes up what was written past us. */
void passthrough_settle_locked(struct file *f);
void passthrough_settle_all_locked(struct fs *fs);
/* Before an upload reads the file (whose busy count the caller holds): from here on every write changes the stamp. Blocks a little when
 * somebody has it open for writing. Without fs.lock. */
void passthrough_quiesce(struct file *f);
/* The file has no PENDING_PUT any more: as long as it is open for writing, the row stands for it. */
void passthrough_guard_locked(struct file *f);
/* It has one now, or is deleted: the row goes. The journal's ticket, 0: there was none. */
uint64_t passthrough_unguard_locked(struct file *f);
/* It, or a directory above, has a new name, or the object a new version: the row is written anew, with a place after what is queued. The
 * ticket, or 0. */
uint64_t passthrough_renew_locked(struct file *f);

/* The row's stamp, into and out of its detail. */
void passthrough_describe(const struct file *f, struct json_object *into);
/* Of a row that a killed mount left: whether the cache file was written since. Of an earlier boot it says nothing: no. */
bool passthrough_row_is_changed(int files_fd, const struct journal_row *row);

/* Answers with FOPEN_PASSTHROUGH, which libfuse below 3.17 cannot express. 0 or -errno like fuse_reply_open. */
int passthrough_reply_open(struct fuse_req *req, const struct fuse_file_info *fi, int32_t backing_id);
int passthrough_reply_create(struct fuse_req *req, const struct fuse_entry_param *e, const struct fuse_file_info *fi,
			     int32_t backing_id);
