#include "backends/base/clock.h"
#include "fs/change.h"
#include "fs/file.h"
#include "fs/listing.h"
#include "fs/node_version.h"
#include "fs/ops.h"
#include "fs/walk.h"
#include "backends/base/fileio.h"
#include <limits.h>
#include <linux/fs.h>
#include <sys/stat.h>

/* What the listing did not tell of a file, and only a HEAD does. */
static bool wants_head(const struct fs *fs, const struct node *n)
{
	return (n->is_unsized || (fs->options.attrs_exact && !n->has_attrs)) && !node_is_local_locked(n);
}

/* Looks a name up; a caller that only wants to know goes on when *ret is set or the answer is ABSENT. UNKNOWN: p (made when
 * NULL) has been parked and will run again. Called with the lock held, returns with it dropped in the UNKNOWN case only. */
static enum lookup_answer known_or_park(struct parked *p, struct node *dir, const char *name, struct node **ret)
{
	struct fs *fs = p->fs;
	enum lookup_answer answer = lookup_known_locked(fs, dir, name, ret);
	bool wants_page;

	if (answer == LOOKUP_FOUND && wants_head(fs, *ret) &&
	    ((*ret)->type == NODE_FILE || (*ret)->type == NODE_SYMLINK || (*ret)->type == NODE_DIR) && !p->tries)
		answer = LOOKUP_UNKNOWN;
	if (answer != LOOKUP_UNKNOWN)
		return answer;
	/* The second look-up in a directory fetches its first page (the first, where they go through many directories); many of them
	 * make ten worth while. */
	wants_page = dir_of(dir)->listing || (!fs->options.is_strict && dir->type != NODE_STORE && p->tries == 0 &&
					      (dir_of(dir)->lookups == 1 || dir_of(dir)->lookups == LISTING_MANY ||
					       (dir_of(dir)->lookups == 0 && walk_is_on_locked(fs, dir))));
	if (wants_page && !p->data) {
		node_dir(dir)->lookups += dir_of(dir)->lookups ? 1 : 2; /* the next one need not fetch that page again */
		p->data = malloc(1); /* marks that it has waited for a listing: next it asks for itself */
		ops_wait_listing_unlock(p, dir, dir_of(dir)->lookups > LISTING_MANY ? 10 : 1);
		return LOOKUP_UNKNOWN;
	}
	lock_drop(&fs->lock);
	park_submit(p, NET_METADATA);
	return LOOKUP_UNKNOWN;
}

static bool is_store(struct fs *fs, fuse_ino_t ino)
{
	struct node *n;

	LOCKED(&fs->lock);
	n = tree_by_ino(&fs->tree, ino);
	return n && n->type == NODE_STORE;
}

static void reply_entry(struct parked *p, struct fuse_entry_param *e)
{
	if (fuse_reply_entry(p->req, e) < 0 && e->ino)
		ops_entry_undo(p->fs, e);
	park_free(p);
}

static void lookup_ask(struct parked *p);

static void lookup_try(struct parked *p)
{
	struct fs *fs = p->fs;
	struct fuse_entry_param e = { 0 };
	struct node *dir, *n = NULL;
	enum lookup_answer answer;

	lock_take(&fs->lock);
	dir = tree_by_ino(&fs->tree, p->ino);
	if (!dir || (p->err && !p->data)) {
		lock_drop(&fs->lock);
		park_fail(p, dir ? p->err : ESTALE);
		return;
	}
	p->run = lookup_ask;
	answer = known_or_park(p, dir, p->name, &n);
	if (answer == LOOKUP_UNKNOWN)
		return;
	if (answer == LOOKUP_FOUND)
		ops_entry_locked(fs, n, &e);
	else
		e.entry_timeout = fs->options.is_strict ? 0 : (double)fs->options.meta_ttl_ms / 1000;
	lock_drop(&fs->lock);
	reply_entry(p, &e);
}

/* attrs=exact: a directory's attributes are those of its own object, which a look-up of its name does not ask for. */
static int ask_dir_attrs(struct fs *fs, struct parked *p, struct error *err)
{
	struct node *dir, *n;
	uint64_t ino = 0;

	lock_take(&fs->lock);
	dir = tree_by_ino(&fs->tree, p->ino);
	n = dir ? tree_child(&fs->tree, dir, p->name) : NULL;
	if (n && n->type == NODE_DIR && !n->has_attrs && !node_is_local_locked(n))
		ino = n->ino;
	lock_drop(&fs->lock);
	return ino ? lookup_attrs(fs, ino, err) : 0;
}

/* On a worker, or after a listing that may have answered already. */
static void lookup_ask(struct parked *p)
{
	struct fs *fs = p->fs;
	struct fuse_entry_param e = { 0 };
	struct error err = ERROR_INIT;
	struct node *dir, *n = NULL;
	enum lookup_answer answer;
	uint64_t ino = 0;
	bool is_old; /* the network failed; what was known before serves */
	int r = 0;

	if (p->err) {
		park_fail(p, p->err);
		return;
	}
	lock_take(&fs->lock);
	dir = tree_by_ino(&fs->tree, p->ino);
	answer = dir ? lookup_known_locked(fs, dir, p->name, &n) : LOOKUP_ABSENT;
	if (answer == LOOKUP_FOUND && wants_head(fs, n) && n->type > NODE_BUCKET)
		ino = n->ino;
	if ((answer == LOOKUP_UNKNOWN || ino) && !p->job.run) {
		lock_drop(&fs->lock);
		park_submit(p, NET_METADATA); /* woken by a listing, on its thread: ask on one of our own */
		return;
	}
	lock_drop(&fs->lock);
	park_away(p);
	if (ino)
		r = lookup_attrs(fs, ino, &err);
	else if (answer == LOOKUP_UNKNOWN)
		r = lookup_remote(fs, p->ino, p->name, &err);
	if (r == 0 && !ino && fs->options.attrs_exact)
		r = ask_dir_attrs(fs, p, &err);
	if (!park_back(p))
		return;
	/* What cannot be a bucket's name is the name of none. */
	is_old = r < 0 && err.kind != ERR_NOT_FOUND && !(err.kind == ERR_INVALID && is_store(fs, p->ino));
	lock_take(&fs->lock);
	dir = tree_by_ino(&fs->tree, p->ino);
	if (is_old && (!dir || lookup_known_locked(fs, dir, p->name, &n) == LOOKUP_UNKNOWN)) {
		lock_drop(&fs->lock);
		park_fail(p, ops_errno(r, &err, "lookup"));
		return;
	}
	n = dir ? tree_child(&fs->tree, dir, p->name) : NULL;
	if (node_exists(n) && n->is_unsized) { /* nothing true could be said of it */
		lock_drop(&fs->lock);
		park_fail(p, r < 0 ? ops_errno(r, &err, "lookup") : EIO);
		return;
	}
	if (node_exists(n))
		ops_entry_locked(fs, n, &e);
	else
		e.entry_timeout = fs->options.is_strict || is_old ? 0 : (double)fs->options.meta_ttl_ms / 1000;
	lock_drop(&fs->lock);
	reply_entry(p, &e);
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct parked *p;

	ops_count(OPS_LOOKUP);
	if (strlen(name) > NAME_MAX) {
		fuse_reply_err(req, ENAMETOOLONG);
		return;
	}
	p = ops_park(req, lookup_try, parent, name, NULL);
	if (!p)
		return;
	ops_close_unmapped_of(p->fs, parent, name); /* a file that is open for writing is not asked for in the cloud */
	lookup_try(p);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	struct fs *fs = ops_fs(req);
	struct node *n;

	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, ino);
	if (n)
		tree_forget(&fs->tree, n, nlookup);
	lock_drop(&fs->lock);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct fs *fs = ops_fs(req);

	lock_take(&fs->lock);
	for (size_t i = 0; i < count; i++) {
		struct node *n = tree_by_ino(&fs->tree, forgets[i].ino);

		if (n)
			tree_forget(&fs->tree, n, forgets[i].nlookup);
	}
	lock_drop(&fs->lock);
	fuse_reply_none(req);
}

/* Deleting a bucket waits for what is still to be deleted in it: the user emptied it already. */
static int settle_bucket_locked(struct fs *fs, struct node *bucket)
{
	uint64_t deadline = clock_mono_ms() + fs->options.timeout_ms;

	if (!bucket)
		return 0;
	if (tree_has_children(bucket))
		return -ENOTEMPTY;
	tree_pin(bucket);
	for (;;) {
		bool is_busy = false;

		(void)pending_hurry_locked(fs, NULL, UINT64_MAX);
		for (const struct pending *op = fs->queue.first; op && !is_busy; op = op->next)
			is_busy = strcmp(op->bucket, bucket->name) == 0;
		if (!is_busy || fs->queue.is_stopping || !cond_wait_until(&fs->changed, &fs->lock, deadline))
			break;
	}
	tree_unpin(&fs->tree, bucket);
	return 0;
}

/* The bucket was made or deleted: the tree follows. The new one, or NULL. */
static struct node *bucket_changed_locked(struct fs *fs, struct parked *p, bool creates)
{
	struct node *dir = tree_by_ino(&fs->tree, p->ino);
	struct node *n = dir ? tree_child(&fs->tree, dir, p->name) : NULL;

	if (n && (n->type != NODE_BUCKET || !creates)) {
		tree_detach(&fs->tree, n);
		tree_prune(&fs->tree, n);
		n = NULL;
	}
	if (creates && !n && dir)
		n = tree_add(&fs->tree, dir, p->name, NODE_BUCKET);
	if (!creates || !n)
		return NULL;
	n->expires_ms = NODE_FOREVER_MS;
	node_defaults_locked(fs, n);
	tree_changed(&fs->tree, n);
	return n;
}

/* Asks the cloud; called while p is away. */
static int bucket_ask(struct fs *fs, struct parked *p, bool creates, struct error *err)
{
	struct store *store;
	struct node *dir;
	int r;

	lock_take(&fs->lock);
	dir = tree_by_ino(&fs->tree, p->ino);
	store = dir ? dir_of(dir)->store : NULL;
	r = store && !creates ? settle_bucket_locked(fs, tree_child(&fs->tree, dir, p->name)) : 0;
	lock_drop(&fs->lock);
	if (r < 0)
		return r;
	if (!store)
		return error_set(err, ERR_NOT_FOUND, "the store is gone");
	return creates ? store_bucket_create(store, p->name, err) : store_bucket_delete(store, p->name, err);
}

/* Bucket operations are asked of the cloud at once: only it knows whether the name is free. */
static void bucket_run(struct parked *p)
{
	struct fs *fs = p->fs;
	bool creates = p->flags;
	struct error err = ERROR_INIT;
	struct fuse_entry_param e = { 0 };
	struct node *n = NULL;
	int r;

	park_away(p);
	r = bucket_ask(fs, p, creates, &err);
	lock_take(&fs->lock);
	if (r >= 0) /* also when nobody waits for the answer any more */
		n = bucket_changed_locked(fs, p, creates);
	lock_drop(&fs->lock);
	if (!park_back(p))
		return;
	if (r < 0) {
		park_fail(p, ops_errno(r, &err, creates ? "create bucket" : "delete bucket"));
		return;
	}
	if (creates && n) {
		lock_take(&fs->lock);
		n = tree_by_ino(&fs->tree, p->ino);
		n = n ? tree_child(&fs->tree, n, p->name) : NULL;
		if (n)
			ops_entry_locked(fs, n, &e);
		lock_drop(&fs->lock);
	}
	if (creates && n) {
		reply_entry(p, &e);
		return;
	}
	fuse_reply_err(p->req, creates ? ENOMEM : 0);
	park_free(p);
}

static void bucket_start(fuse_req_t req, fuse_ino_t store, const char *name, bool creates)
{
	struct parked *p = ops_park(req, bucket_run, store, name, NULL);

	if (!p)
		return;
	p->flags = creates;
	if (p->fs->options.read_only)
		park_fail(p, EROFS);
	else
		park_submit(p, NET_METADATA);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct fs *fs = ops_fs(req);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct fuse_entry_param e = { 0 };
	struct error err = ERROR_INIT;
	struct node *dir, *n;
	uint64_t ticket = 0;
	int r, errnum;

	if (is_store(fs, parent)) {
		bucket_start(req, parent, name, true);
		return;
	}
	lock_take(&fs->lock);
	dir = tree_by_ino(&fs->tree, parent);
	n = dir ? tree_child(&fs->tree, dir, name) : NULL;
	if (!dir || dir->type == NODE_ROOT)
		r = dir ? -EPERM : -ESTALE;
	else if (node_exists(n))
		r = -EEXIST;
	else if ((r = change_allowed_locked(fs, dir, &err)) == 0)
		r = change_mkdir_locked(fs, dir, name, mode, ctx->uid, ctx->gid, &n, &ticket, &err);
	if (r == 0)
		ops_entry_locked(fs, n, &e);
	lock_drop(&fs->lock);
	errnum = r < 0 ? ops_errno(r, &err, "mkdir") : ops_commit_name(fs, ticket);
	if (errnum) {
		if (r == 0)
			ops_entry_undo(fs, &e);
		fuse_reply_err(req, errnum);
	} else if (fuse_reply_entry(req, &e) < 0) {
		ops_entry_undo(fs, &e);
	}
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = ops_fs(req);
	struct error err = ERROR_INIT;
	struct node *dir, *n;
	uint64_t ticket = 0;
	int r;

	lock_take(&fs->lock);
	dir = tree_by_ino(&fs->tree, parent);
	n = dir ? tree_child(&fs->tree, dir, name) : NULL;
	if (!node_exists(n))
		r = -ENOENT;
	else if (node_is_dir(n))
		r = -EISDIR;
	else if ((r = change_removal_allowed_locked(fs, n, &err)) == 0)
		r = change_unlink_locked(fs, n, &ticket, &err);
	lock_drop(&fs->lock);
	fuse_reply_err(req, r < 0 ? ops_errno(r, &err, "unlink") : ops_commit_name(fs, ticket));
}

static void rmdir_try(struct parked *p)
{
	struct fs *fs = p->fs;
	struct error err = ERROR_INIT;
	struct node *dir, *n;
	uint64_t ticket = 0;
	int r = 0, errnum;

	if (p->err) {
		park_fail(p, p->err);
		return;
	}
	lock_take(&fs->lock);
	dir = tree_by_ino(&fs->tree, p->ino);
	n = dir ? tree_child(&fs->tree, dir, p->name) : NULL;
	if (!node_exists(n))
		r = -ENOENT;
	else if (!node_is_dir(n))
		r = -ENOTDIR;
	else if (n->is_pinned_path || n->type <= NODE_BUCKET)
		r = -EBUSY;
	else if ((r = change_removal_allowed_locked(fs, n, &err)) == 0)
		r = change_rmdir_locked(fs, n, &ticket, &err);
	if (r == -EAGAIN) {
		ops_wait_listing_unlock(p, n, 1);
		return;
	}
	lock_drop(&fs->lock);
	errnum = r < 0 ? ops_errno(r, &err, "rmdir") : ops_commit_name(fs, ticket);
	fuse_reply_err(p->req, errnum);
	park_free(p);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct parked *p;

	if (is_store(ops_fs(req), parent)) {
		bucket_start(req, parent, name, false);
		return;
	}
	p = ops_park(req, rmdir_try, parent, name, NULL);
	if (p)
		rmdir_try(p);
}

static void rename_try(struct parked *p)
{
	struct fs *fs = p->fs;
	struct error err = ERROR_INIT;
	struct node *dir, *dir2, *n, *t;
	uint64_t ticket = 0;
	int r, errnum;

	if (p->err) {
		park_fail(p, p->err);
		return;
	}
	lock_take(&fs->lock);
	dir = tree_by_ino(&fs->tree, p->ino);
	dir2 = tree_by_ino(&fs->tree, p->ino2);
	n = dir ? tree_child(&fs->tree, dir, p->name) : NULL;
	if (!node_exists(n) || !dir2)
		r = -ENOENT;
	else if ((r = change_allowed_locked(fs, n, &err)) == 0 && (r = change_allowed_locked(fs, dir2, &err)) == 0)
		r = change_rename_locked(fs, n, dir2, p->name2, p->flags, &ticket, &err);
	if (r == -EAGAIN) {
		t = tree_child(&fs->tree, dir2, p->name2);
		ops_wait_listing_unlock(p, t, 1);
		return;
	}
	lock_drop(&fs->lock);
	errnum = r < 0 ? ops_errno(r, &err, "rename") : ops_commit_name(fs, ticket);
	fuse_reply_err(p->req, errnum);
	park_free(p);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t parent2, const char *name2,
	       unsigned flags)
{
	struct parked *p;

	if (strlen(name2) > NAME_MAX) {
		fuse_reply_err(req, ENAMETOOLONG);
		return;
	}
	p = ops_park(req, rename_try, parent, name, NULL);
	if (!p)
		return;
	p->ino2 = parent2;
	p->name2 = strdup(name2);
	p->flags = flags;
	if (p->name2)
		rename_try(p);
	else
		park_fail(p, ENOMEM);
}

/* A new file (or symlink, with its target as content) made and journalled. 0 or an errno. */
static int make_node(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, const char *target,
		     struct fuse_entry_param *e)
{
	struct fs *fs = ops_fs(req);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct error err = ERROR_INIT;
	struct node *n = NULL;
	uint64_t ticket = 0, id;
	int fd, r = file_make(fs, &id, &fd, &err);

	if (r == 0 && target)
		r = fileio_pwrite_all(fd, target, strlen(target), 0);
	if (r < 0)
		return ops_errno(r, &err, "create");
	lock_take(&fs->lock);
	r = change_create_locked(fs, parent, name, mode, ctx->uid, ctx->gid, id, fd, &n, &ticket, &err);
	if (r == 0) {
		fd = -1;
		if (target) {
			n->rare->link_target = strdup(target); /* its upload made it */
			n->size = strlen(target);
			n->file->generation++;
			file_account_locked(n->file);
			ticket = pending_update_locked(n->put);
		}
		pending_put_due_locked(fs, n, fs->options.upload_delay_ms);
		file_rest_locked(n->file);
		ops_entry_locked(fs, n, e);
	}
	lock_drop(&fs->lock);
	if (fd >= 0)
		file_unmake(fs, id, fd);
	return r < 0 ? ops_errno(r, &err, "create") : ops_commit_name(fs, ticket);
}

static void reply_made(fuse_req_t req, int errnum, struct fuse_entry_param *e)
{
	if (errnum)
		fuse_reply_err(req, errnum);
	else if (fuse_reply_entry(req, e) < 0)
		ops_entry_undo(ops_fs(req), e);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e;

	reply_made(req, make_node(req, parent, name, S_IFLNK | 0777, target, &e), &e);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct fuse_entry_param e;

	(void)rdev;
	if (!S_ISREG(mode))
		fuse_reply_err(req, EPERM); /* no object is a device, fifo or socket */
	else
		reply_made(req, make_node(req, parent, name, mode, NULL, &e), &e);
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM); /* what link(2) says of file systems without hard links */
}

static void readlink_fetch(struct parked *p)
{
	struct fs *fs = p->fs;
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(buf_release) struct buf target = BUF_INIT(PATH_MAX);
	struct store_sink sink = { .fd = -1, .buf = &target };
	struct store_get_args args = { .cancel = &fs->shutdown };
	struct store_object object;
	struct error err = ERROR_INIT;
	struct node *n;
	int r;

	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, p->ino);
	r = n ? tree_remote_key(n, &where) : -ESTALE;
	lock_drop(&fs->lock);
	park_away(p);
	if (r == 0)
		r = store_get(where.store, where.bucket, where.key, &args, &sink, &arena, &object, &err);
	if (!park_back(p))
		return;
	if (r < 0) {
		park_fail(p, ops_errno(r, &err, "readlink"));
		return;
	}
	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, p->ino);
	if (n && !rare_of(n)->link_target && node_is_version(n, object.version) && rare_make(n))
		n->rare->link_target = strdup(buf_cstr(&target));
	lock_drop(&fs->lock);
	fuse_reply_readlink(p->req, buf_cstr(&target));
	park_free(p);
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = ops_fs(req);
	CLEANUP(freep) char *target = NULL;
	struct parked *p;
	struct node *n;

	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, ino);
	target = n && rare_of(n)->link_target ? strdup(n->rare->link_target) : NULL;
	lock_drop(&fs->lock);
	if (target) {
		fuse_reply_readlink(req, target);
		return;
	}
	p = ops_park(req, readlink_fetch, ino, NULL, NULL);
	if (p)
		park_submit(p, NET_DEMAND);
}
