#include "fs/change.h"
#include "fs/durable.h"
#include "fs/file.h"
#include "fs/intact.h"
#include "fs/listing.h"
#include "fs/node_version.h"
#include "fs/ops.h"
#include "fs/siblings.h"
#include "fs/upload.h"
#include <fcntl.h>
#include <limits.h>
#include <time.h>
#include <sys/stat.h>

static bool is_writer(const struct fuse_file_info *fi)
{
	return (fi->flags & O_ACCMODE) != O_RDONLY;
}

/* What the kernel still has of this file's pages stays good while the version is the same (or the changes were made here). */
static void decide_cache_locked(struct node *n, struct fuse_file_info *fi)
{
	bool is_same = n->put || (rare_of(n)->opened_version && node_is_version(n, n->rare->opened_version));

	fi->keep_cache = is_same;
	if (!is_same)
		node_note_pages(n);
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
	fi->fh = (uintptr_t)n | (is_writer(fi) ? OPS_FH_WRITER : 0);
	fi->noflush = !is_writer(fi);
}

/* The same program has a file open that the cloud has: what it makes now may be a copy of that (cp opens both, then asks for
 * copy_file_range), which the cloud does by itself, so that no byte of it needs to be here. That can only be with a file the kernel does
 * not write past us. A guess; whoever guesses wrong only writes less fast. */
static bool wants_copy(const struct fs *fs, pid_t pid)
{
	const struct file *f = fs->cache.lru_last;

	for (unsigned i = 0; f && i < 32; i++, f = f->lru_prev)
		if (f->readers && f->opener_pid == pid && !f->node->put && !f->node->is_detached && node_has_version(f->node))
			return true;
	return false;
}

/* How the kernel gets at the content through this handle; the last step before the answer, when what is there is known. 0 or an
 * errno; *ret_ticket is to be committed first when it is not 0. */
static int handle_mode_locked(struct fs *fs, struct node *n, const struct fuse_ctx *ctx, enum passthrough_open how,
			      struct fuse_file_info *fi, uint64_t *ret_ticket, struct error *err)
{
	struct file *f = n->file;
	int r = 0;

	if (how == PASSTHROUGH_READ)
		f->opener_pid = ctx->pid;
	/* A file cut to nothing is written like a new one. */
	if (f->pass.opens || how == PASSTHROUGH_READ || n->size || !wants_copy(fs, ctx->pid))
		r = passthrough_open_locked(fs, n, how, ret_ticket, err);
	if (r < 0)
		return r;
	if (r > 0) {
		fi->fh |= OPS_FH_PASSTHROUGH;
		return 0;
	}
	if (how == PASSTHROUGH_READ && fs->options.direct_io && n->size >= fs->options.direct_io &&
	    !file_is_complete_locked(f)) {
		fi->direct_io = 1; /* when it is complete, the next open may be passthrough beside this one */
		return 0;
	}
	fi->fh |= OPS_FH_CACHED;
	f->cached_opens++;
	return 0;
}

static void handle_close_locked(struct fs *fs, struct node *n, uint64_t fh, bool *ret_has_new_time)
{
	struct file *f = n->file;
	bool was_writer = fh & OPS_FH_WRITER;

	if (fh & OPS_FH_PASSTHROUGH)
		*ret_has_new_time = passthrough_close_locked(f, was_writer);
	if (fh & OPS_FH_CACHED)
		f->cached_opens--;
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

/* What was stored into mapped memory since the last flush: the kernel still believes the time from before. Without fs.lock. */
static void tell_time(struct fs *fs, fuse_ino_t ino, bool has_new_time)
{
	if (has_new_time)
		(void)fuse_lowlevel_notify_inval_inode(fs->session, ino, -1, 0);
}

/* Without fs.lock. */
static void handle_close(struct fs *fs, const struct fuse_file_info *fi)
{
	struct node *n = ops_node(fi);
	bool has_new_time = false;
	uint64_t ino;

	lock_take(&fs->lock);
	ino = n->ino;
	handle_close_locked(fs, n, fi->fh, &has_new_time);
	lock_drop(&fs->lock);
	tell_time(fs, ino, has_new_time);
}

void ops_close_unmapped_of(struct fs *fs, fuse_ino_t ino, const char *name)
{
	struct fuse_file_info fi = { 0 };
	struct node *n;

	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, ino);
	if (n && name)
		n = tree_child(&fs->tree, n, name);
	if (n && n->file)
		fi.fh = passthrough_unmapped_of_locked(n->file);
	lock_drop(&fs->lock);
	if (fi.fh)
		handle_close(fs, &fi);
}

static int reply_open(struct parked *p)
{
	int32_t id = 0;

	if (p->fi.fh & OPS_FH_PASSTHROUGH) {
		lock_take(&p->fs->lock);
		id = ops_node(&p->fi)->file->pass.backing_id; /* as long as this handle is counted */
		lock_drop(&p->fs->lock);
	}
	return id ? passthrough_reply_open(p->req, &p->fi, id) : fuse_reply_open(p->req, &p->fi);
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
	if (n && (n->type == NODE_SYMLINK || n->is_unsized || (node_is_outdated_locked(fs, n) && n->file && !n->file->readers)))
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

/* Gives the handle out. The file is whole by now, if this open made it so. */
static int open_finish(struct parked *p, struct node *n, uint64_t *ret_ticket, struct error *err)
{
	struct fs *fs = p->fs;
	uint64_t ticket = 0;
	int r;

	lock_take(&fs->lock);
	decide_cache_locked(n, &p->fi);
	r = handle_mode_locked(fs, n, fuse_req_ctx(p->req), is_writer(&p->fi) ? PASSTHROUGH_WRITE : PASSTHROUGH_READ,
			       &p->fi, &ticket, err);
	if (ticket)
		*ret_ticket = ticket;
	lock_drop(&fs->lock);
	if (r == 0 && (p->fi.fh & OPS_FH_PASSTHROUGH) && is_writer(&p->fi))
		r = intact_settle(n->file); /* before the kernel writes past us; the handle keeps the file */
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
	if (r == 0)
		r = open_finish(p, n, &ticket, &err);
	errnum = r < 0 ? ops_errno(r, &err, "open") : ops_commit_put(fs, n, ticket);
	if (errnum == 0) {
		if (!is_writer(&p->fi))
			siblings_opened(fs, p->ino);
		if (reply_open(p) == 0) {
			park_free(p);
			return;
		}
	}
	if (p->fi.fh)
		handle_close(fs, &p->fi);
	if (errnum)
		fuse_reply_err(p->req, errnum);
	park_free(p);
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct parked *p = ops_park(req, open_try, ino, NULL, fi);

	ops_count(OPS_OPEN);
	if (!p)
		return;
	p->fi.fh = 0;
	ops_close_unmapped_of(p->fs, ino, NULL);
	open_try(p);
}

/* The kernel looks at the mode of what it just made: without the attributes of this answer it would ask for them again, each time. Nobody
 * can have mapped the file yet, and a time this little behind does no harm. */
#define NEW_ATTRS_S 0.01

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct fuse_entry_param e;
	struct error err = ERROR_INIT;
	struct node *n = NULL;
	uint64_t ticket = 0, ignored = 0, id;
	int32_t backing_id = 0;
	int fd = -1, r = strlen(name) > NAME_MAX ? -ENAMETOOLONG : file_make(fs, &id, &fd, &err), errnum;

	ops_count(OPS_CREATE);
	if (r < 0) {
		fuse_reply_err(req, ops_errno(r, &err, "create"));
		return;
	}
	fi->fh = 0;
	lock_take(&fs->lock);
	r = change_create_locked(fs, parent, name, S_IFREG | (mode & 07777), ctx->uid, ctx->gid, id, fd, &n, &ticket,
				 &err);
	if (r == 0) {
		fd = -1;
		fi->flags = (fi->flags & ~O_ACCMODE) | O_RDWR; /* a creator is a writer, whatever it asked */
		handle_open_locked(fs, n, fi);
		fi->keep_cache = 1;
		r = handle_mode_locked(fs, n, ctx, PASSTHROUGH_CREATE, fi, &ignored, &err);
		backing_id = n->file->pass.backing_id;
		ops_entry_locked(fs, n, &e);
		if (e.attr_timeout < NEW_ATTRS_S && n->file->pass.writers)
			e.attr_timeout = NEW_ATTRS_S;
	}
	lock_drop(&fs->lock);
	if (fd >= 0)
		file_unmake(fs, id, fd);
	errnum = r < 0 ? ops_errno(r, &err, "create") : ops_commit_put(fs, n, ticket);
	if (errnum == 0 && (fi->fh & OPS_FH_PASSTHROUGH ? passthrough_reply_create(req, &e, fi, backing_id) :
							  fuse_reply_create(req, &e, fi)) == 0)
		return;
	if (fi->fh) {
		handle_close(fs, fi);
		ops_entry_undo(fs, &e);
	}
	if (errnum)
		fuse_reply_err(req, errnum);
}

/* Waits until the cloud has the file (close with writeback=no, fsync=remote), or says why not. */
static void remote_try(struct parked *p)
{
	struct fs *fs = p->fs;
	struct node *n = ops_node(&p->fi);

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
	struct node *n = ops_node(fi);
	struct parked *p;
	bool waits, is_too_large;

	ops_count(OPS_FLUSH);
	lock_take(&fs->lock);
	passthrough_settle_locked(n->file);
	/* A write the kernel carries out by itself is not refused; the close still is. */
	is_too_large = n->file->pass.writers && n->size > ops_max_bytes_locked(n);
	waits = !fs->options.writeback && n->put && n->file->writers;
	lock_drop(&fs->lock);
	if (is_too_large || !waits) {
		fuse_reply_err(req, is_too_large ? EFBIG : 0);
		return;
	}
	p = ops_park(req, remote_try, ino, NULL, fi);
	if (p)
		remote_try(p);
}

#define SOON_NS 30000L

/* Memory may still be mapped through the handle (passthrough.h): it stays counted. *ret_instead: one to close in its place, or 0. */
static bool keep_locked(struct fs *fs, const struct fuse_file_info *fi, uint64_t *ret_instead)
{
	struct node *n = ops_node(fi);
	bool is_write = fi->fh & OPS_FH_WRITER;

	if (!(fi->fh & OPS_FH_PASSTHROUGH) || !passthrough_may_be_mapped_locked(n->file, is_write))
		return false;
	/* The kernel is just about to close its own, maybe, on the thread that closed this one: before close() returns there. */
	for (long wait_ns = SOON_NS; wait_ns <= SOON_NS << 4; wait_ns *= 2) {
		lock_drop(&fs->lock);
		(void)nanosleep(&(struct timespec){ .tv_nsec = wait_ns }, NULL);
		lock_take(&fs->lock);
		if (!passthrough_may_be_mapped_locked(n->file, is_write))
			return false;
	}
	*ret_instead = passthrough_keep_locked(n->file, fi->fh, is_write);
	passthrough_settle_locked(n->file);
	if (passthrough_is_only_kept_locked(n->file))
		pending_put_due_locked(fs, n, fs->options.upload_delay_ms);
	return true;
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct fuse_file_info ended = { 0 };
	struct node *n = ops_node(fi);
	bool has_new_time = false, has_kept;

	ops_count(OPS_RELEASE);
	lock_take(&fs->lock);
	if (!keep_locked(fs, fi, &ended.fh)) {
		has_kept = n->file->pass.kept_fh;
		handle_close_locked(fs, n, fi->fh, &has_new_time);
		if (has_kept)
			ended.fh = passthrough_unmapped_of_locked(n->file);
	}
	lock_drop(&fs->lock);
	if (ended.fh)
		handle_close(fs, &ended);
	tell_time(fs, ino, has_new_time);
	fuse_reply_err(req, 0);
}

void ops_close_unmapped(struct fs *fs)
{
	struct fuse_file_info fi = { 0 };

	do {
		lock_take(&fs->lock);
		fi.fh = passthrough_unmapped_locked(fs);
		lock_drop(&fs->lock);
		if (fi.fh)
			handle_close(fs, &fi);
	} while (fi.fh);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct node *n = ops_node(fi);
	struct error err = ERROR_INIT;
	struct parked *p;
	bool is_dirty;
	int r = 0;

	(void)datasync;
	lock_take(&fs->lock);
	passthrough_settle_locked(n->file);
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
