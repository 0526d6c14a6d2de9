#include "fs/change.h"
#include "fs/durable.h"
#include "fs/file.h"
#include "fs/listing.h"
#include "fs/ops.h"
#include "fs/siblings.h"
#include "fs/upload.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

static bool is_writer(const struct fuse_file_info *fi)
{
	return (fi->flags & O_ACCMODE) != O_RDONLY;
}

/* What the kernel still has of this file's pages stays good while the version is the same (or the changes were made here). */
static void decide_cache_locked(struct node *n, struct fuse_file_info *fi)
{
	bool is_same = n->put || (n->version && n->opened_version && strcmp(n->version, n->opened_version) == 0);

	fi->keep_cache = is_same;
	if (!is_same) {
		free(n->opened_version);
		n->opened_version = n->version ? strdup(n->version) : NULL;
	}
}

static void handle_open_locked(struct fs *fs, struct node *n, struct fuse_file_info *fi)
{
	struct file *f = n->file;

	if (is_writer(fi))
		f->writers++;
	else
		f->readers++;
	tree_pin(n);
	fs->open_handles++;
	file_touch_locked(f);
	fi->fh = (uintptr_t)n; /* pinned until release */
	fi->noflush = !is_writer(fi);
}

static void handle_close_locked(struct fs *fs, struct node *n, bool was_writer)
{
	struct file *f = n->file;

	if (was_writer)
		f->writers--;
	else
		f->readers--;
	fs->open_handles--;
	if (!f->writers && was_writer && n->put)
		pending_put_due_locked(fs, n, f->upload ? 0 : fs->options.upload_delay_ms);
	if (!f->readers && !f->writers) {
		fetch_cancel_locked(f, FETCH_AHEAD, 0, UINT64_MAX);
		if (f->is_new_version && file_is_idle_locked(f)) {
			file_drop_locked(fs, n); /* of an older version: of no use any more */
			n->expires_ms = 0;
		} else if (n->is_detached && file_is_idle_locked(f)) {
			file_drop_locked(fs, n);
		} else {
			file_rest_locked(f);
		}
		pending_released_locked(fs, n);
	}
	tree_unpin(&fs->tree, n);
}

#define MAYBE_LINK_MAX 4096

/* A small object whose attributes were never seen may be a symlink of another machine's. Its content is fetched before open
 * answers: the same one GET, and its head tells. 1: go on; 0: parked; -ESTALE: a link, the kernel looks it up again. */
static int small_first(struct parked *p, struct error *err)
{
	struct fs *fs = p->fs;
	struct job *jobs = NULL;
	struct node *n;
	int r = 1;

	if (is_writer(&p->fi))
		return 1;
	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, p->ino);
	/* ESTALE makes the kernel look the name up anew, and open what it finds. Who has the old version open keeps it. */
	if (n && (n->type == NODE_SYMLINK || (node_is_outdated_locked(fs, n) && n->file && !n->file->readers)))
		r = -ESTALE;
	else if (n && n->file && !n->has_attrs && !node_is_local_locked(n) && n->size > 0 &&
		 n->size <= MAYBE_LINK_MAX && p->tries < 3) {
		r = fetch_plan_locked(n->file, 0, n->size, false, &jobs, err);
		if (r == 0) {
			p->offset = 0;
			p->size = n->size;
			park_wait_locked(p, &n->file->readers_waiting);
		}
	}
	lock_drop(&fs->lock);
	fetch_submit(fs, jobs);
	return r;
}

static void open_try(struct parked *p)
{
	struct fs *fs = p->fs;
	struct error err = ERROR_INIT;
	bool truncates = (p->fi.flags & O_TRUNC) && is_writer(&p->fi), is_begun = false;
	uint64_t ticket = 0;
	struct node *n;
	struct file *f = NULL;
	int r = p->err > 0 ? -p->err : ops_need_file(fs, p->ino, truncates, &err), errnum;

	if (r == 0) {
		r = small_first(p, &err);
		if (r == 0)
			return;
	}
	if (r < 0) {
		park_fail(p, ops_errno(r, &err, "open"));
		return;
	}
	r = 0;
	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, p->ino);
	f = n ? n->file : NULL;
	if (!f)
		r = -ESTALE;
	else if (is_writer(&p->fi))
		r = change_allowed_locked(fs, n, &err);
	if (r == 0 && truncates && f->fetches) {
		fetch_cancel_locked(f, FETCH_ALL, 0, UINT64_MAX);
		park_wait_locked(p, &f->exclusive_waiting);
		lock_drop(&fs->lock);
		return;
	}
	if (r == 0 && (r = file_open_fd_locked(f, &err)) == 0) {
		handle_open_locked(fs, n, &p->fi);
		decide_cache_locked(n, &p->fi);
		if (truncates && fuse_req_ctx(p->req)->uid != 0)
			ops_drop_privileges_locked(n); /* of other changes the kernel tells us by setattr */
		if (truncates && (r = change_empty_locked(fs, n, &ticket, &err)) == 0) {
			file_change_begin_locked(f);
			is_begun = true;
		}
	}
	lock_drop(&fs->lock);
	if (is_begun) {
		r = file_truncate(f, 0, &err);
		lock_take(&fs->lock);
		file_change_end_locked(f);
		lock_drop(&fs->lock);
	}
	errnum = r < 0 ? ops_errno(r, &err, "open") : ops_commit_put(fs, n, ticket);
	if (errnum == 0) {
		if (!is_writer(&p->fi))
			siblings_opened(fs, p->ino);
		if (fuse_reply_open(p->req, &p->fi) == 0) {
			park_free(p);
			return;
		}
	}
	if (p->fi.fh) {
		lock_take(&fs->lock);
		handle_close_locked(fs, n, is_writer(&p->fi));
		lock_drop(&fs->lock);
	}
	if (errnum)
		fuse_reply_err(p->req, errnum);
	park_free(p);
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct parked *p = ops_park(req, open_try, ino, NULL, fi);

	if (!p)
		return;
	p->fi.fh = 0;
	open_try(p);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct fuse_entry_param e;
	struct error err = ERROR_INIT;
	struct node *n = NULL;
	uint64_t ticket = 0, id;
	int fd = -1, r = strlen(name) > NAME_MAX ? -ENAMETOOLONG : file_make(fs, &id, &fd, &err), errnum;

	if (r < 0) {
		fuse_reply_err(req, ops_errno(r, &err, "create"));
		return;
	}
	lock_take(&fs->lock);
	r = change_create_locked(fs, parent, name, S_IFREG | (mode & 07777), ctx->uid, ctx->gid, id, fd, &n, &ticket,
				 &err);
	if (r == 0) {
		fd = -1;
		fi->flags = (fi->flags & ~O_ACCMODE) | O_RDWR; /* a creator is a writer, whatever it asked */
		handle_open_locked(fs, n, fi);
		fi->keep_cache = 1;
		ops_entry_locked(fs, n, &e);
	}
	lock_drop(&fs->lock);
	if (fd >= 0)
		file_unmake(fs, id, fd);
	errnum = r < 0 ? ops_errno(r, &err, "create") : ops_commit_put(fs, n, ticket);
	if (errnum == 0 && fuse_reply_create(req, &e, fi) == 0)
		return;
	if (r == 0) {
		lock_take(&fs->lock);
		handle_close_locked(fs, n, true);
		lock_drop(&fs->lock);
		ops_entry_undo(fs, &e);
	}
	if (errnum)
		fuse_reply_err(req, errnum);
}

/* Waits until the cloud has the file (close with writeback=no, fsync=remote), or says why not. */
static void remote_try(struct parked *p)
{
	struct fs *fs = p->fs;
	struct node *n = (struct node *)(uintptr_t)p->fi.fh;

	lock_take(&fs->lock);
	if (p->tries == 0 && n->put && !n->is_detached) {
		pending_put_due_locked(fs, n, 0);
		park_wait_locked(p, &n->file->closing_waiting);
		lock_drop(&fs->lock);
		return;
	}
	lock_drop(&fs->lock);
	fuse_reply_err(p->req, p->err);
	park_free(p);
}

void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct node *n = (struct node *)(uintptr_t)fi->fh;
	struct parked *p;
	bool waits;

	lock_take(&fs->lock);
	waits = !fs->options.writeback && n->put && n->file->writers;
	lock_drop(&fs->lock);
	if (!waits) {
		fuse_reply_err(req, 0);
		return;
	}
	p = ops_park(req, remote_try, ino, NULL, fi);
	if (p)
		remote_try(p);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct node *n = (struct node *)(uintptr_t)fi->fh;

	(void)ino;
	lock_take(&fs->lock);
	/* create made a writer of it, whatever flags the kernel gives now */
	handle_close_locked(fs, n, is_writer(fi) || !n->file->readers);
	lock_drop(&fs->lock);
	fuse_reply_err(req, 0);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct node *n = (struct node *)(uintptr_t)fi->fh;
	struct error err = ERROR_INIT;
	struct parked *p;
	bool is_dirty;
	int r = 0;

	(void)datasync;
	lock_take(&fs->lock);
	is_dirty = n->put != NULL;
	lock_drop(&fs->lock);
	if (is_dirty)
		r = durable_sync_file(fs, n, &err);
	if (r < 0 || !is_dirty || !fs->options.is_fsync_remote) {
		fuse_reply_err(req, r < 0 ? ops_errno(r, &err, "fsync") : 0);
		return;
	}
	p = ops_park(req, remote_try, ino, NULL, fi);
	if (p)
		remote_try(p);
}
