#pragma once
/*
 * Purpose: the kernel's requests: one short function each, ending in exactly one reply or in a parked request.
 *
 * A request that can be answered from memory is. Else it is parked (park.h) and its handler is run again when what it waits for is
 * there: handlers are written as `x_try(struct parked *)`, called first by the request and again by who resumes it.
 * Threads: libfuse's (4), fs.net's workers and the HTTP engine's thread run these; none blocks on the network.
 */
#include "fs/park.h"

extern const struct fuse_lowlevel_ops fs_ops;

/* ops_name.c */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup);
void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t parent2, const char *name2, unsigned flags);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_readlink(fuse_req_t req, fuse_ino_t ino);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
/* ops_attr.c */
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi);
void op_statfs(fuse_req_t req, fuse_ino_t ino);
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);
/* ops_dir.c */
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
/* ops_file.c */
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
/* ops_io.c */
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi);
void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in, struct fuse_file_info *fi_in, fuse_ino_t ino_out,
			off_t off_out, struct fuse_file_info *fi_out, size_t len, int flags);

/* How often the kernel asked, by what: rows of kernel_requests_total in the metrics. What it answers by itself is not among them. */
enum ops_kind {
	OPS_LOOKUP, OPS_GETATTR, OPS_SETATTR, OPS_OPEN, OPS_CREATE, OPS_READ, OPS_WRITE, OPS_FLUSH, OPS_RELEASE,
	OPS_OPENDIR, OPS_READDIR, OPS_GETXATTR, OPS_KINDS
};
void ops_count(enum ops_kind kind);

/* Closes the handles that were kept for memory that was mapped, where nothing is any more (passthrough.h). Without fs.lock. */
void ops_close_unmapped(struct fs *fs);
/* The one of this inode, or of this name in it: it is not in the way of what comes now. */
void ops_close_unmapped_of(struct fs *fs, fuse_ino_t ino, const char *name);

/* What several of them share (ops.c). */
static inline struct fs *ops_fs(fuse_req_t req)
{
	return fuse_req_userdata(req);
}
void ops_stat_locked(const struct fs *fs, const struct node *n, struct stat *ret);
/* Handles: the node's address, with what kind of handle it is in the low bits. */
#define OPS_FH_WRITER	   UINT64_C(1)
#define OPS_FH_PASSTHROUGH UINT64_C(2)
#define OPS_FH_CACHED	   UINT64_C(4) /* the kernel keeps pages of it */
static inline struct node *ops_node(const struct fuse_file_info *fi)
{
	return (struct node *)(uintptr_t)(fi->fh & ~UINT64_C(7)); /* pinned until release */
}
/* Fills the entry and counts the look-up. */
void ops_entry_locked(struct fs *fs, struct node *n, struct fuse_entry_param *ret);
/* Undoes the count when the reply did not reach the kernel. */
void ops_entry_undo(struct fs *fs, struct fuse_entry_param *e);
/* The errno for the kernel: err's kind when set, else -r. Logs failures of kinds that are no everyday answer. */
int ops_errno(int r, const struct error *err, const char *what);
/* Waits for the ticket (0: none) and turns a failure into an errno (0: fine). */
int ops_commit(struct fs *fs, uint64_t ticket);
/* The same for the PENDING_PUT of an open file: once its row is there, later writes need not ask. */
int ops_commit_put(struct fs *fs, struct node *n, uint64_t ticket);
/* The same after a change of names or attributes: with writeback=no it also waits until the cloud has followed (or refused). That
 * blocks a FUSE thread, which that mode has more of. */
int ops_commit_name(struct fs *fs, uint64_t ticket);
/* Waits until the cloud has followed all changes of names so far (fsync of a directory with fsync=remote). An errno or 0. */
int ops_wait_names(struct fs *fs);
/* The largest size a file may get, by its store. */
uint64_t ops_max_bytes_locked(const struct node *n);
/* Set-user-id and set-group-id go when somebody changes the content. */
void ops_drop_privileges_locked(struct node *n);
/* A parked request for a handler that needs to keep its arguments; NULL was answered with ENOMEM. */
struct parked *ops_park(fuse_req_t req, void (*run)(struct parked *p), fuse_ino_t ino, const char *name,
			const struct fuse_file_info *fi);
/* Parks p on the listing of dir (lock held; drops it). Fails p when that cannot be. */
void ops_wait_listing_unlock(struct parked *p, struct node *dir, unsigned max_pages);
/* Sees to node.file for an inode: 0, or -errno. Disk work; no lock. Pins nothing. */
int ops_need_file(struct fs *fs, fuse_ino_t ino, bool truncates, struct error *err) MUST_CHECK;
