#include "fs/change.h"
#include "fs/listing.h"
#include "fs/ops.h"
#include "fs/pending.h"
#include <sys/stat.h>

/* What an open directory shows: its children when it was opened (or rewound), by inode number, so that offsets stay good
 * whatever is made and deleted meanwhile. */
struct dir_handle {
	uint64_t *inos;
	size_t count;
	bool is_taken;
};

static struct dir_handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct dir_handle *)(uintptr_t)fi->fh; /* set by opendir, freed by releasedir */
}

/* While somebody reads a directory its names are kept (trim.h): the kernel, which holds the node, has not seen all of them yet. */
static void count_handle(struct fs *fs, fuse_ino_t ino, int by)
{
	struct node *dir;

	LOCKED(&fs->lock);
	dir = tree_by_ino(&fs->tree, ino);
	if (dir && node_is_dir(dir) && (by > 0 || node_dir(dir)->handles))
		node_dir(dir)->handles += (uint32_t)by;
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir_handle *h = calloc(1, sizeof(*h));

	ops_count(OPS_OPENDIR);
	if (!h) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	fi->fh = (uintptr_t)h;
	count_handle(ops_fs(req), ino, 1);
	if (fuse_reply_open(req, fi) < 0) {
		count_handle(ops_fs(req), ino, -1);
		free(h);
	}
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir_handle *h = handle_of(fi);

	count_handle(ops_fs(req), ino, -1);
	free(h->inos);
	free(h);
	fuse_reply_err(req, 0);
}

static int snapshot_locked(struct dir_handle *h, const struct node *dir)
{
	size_t count = 0;
	uint64_t *inos;

	for (const struct node *n = dir_of(dir)->first_child; n; n = node_next(n))
		count += node_exists(n);
	inos = malloc((count + 1) * sizeof(*inos));
	if (!inos)
		return -ENOMEM;
	free(h->inos);
	h->inos = inos;
	h->count = 0;
	for (const struct node *n = dir_of(dir)->first_child; n; n = node_next(n))
		if (node_exists(n))
			h->inos[h->count++] = n->ino;
	h->is_taken = true;
	return 0;
}

/* One entry into the buffer; returns its size, or 0 when it does not fit. */
static size_t add_entry(struct parked *p, char *buffer, size_t room, const char *name, struct node *n, uint64_t next)
{
	bool is_plus = p->flags;
	struct fuse_entry_param e = { 0 };
	size_t used;

	if (!is_plus) {
		struct stat attr = { .st_ino = n->ino, .st_mode = n->mode };

		used = fuse_add_direntry(p->req, buffer, room, name, &attr, (off_t)next);
		return used <= room ? used : 0;
	}
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || n->is_unsized) { /* the last: to be looked up */
		e.attr.st_ino = n->ino;
		e.attr.st_mode = n->mode;
		used = fuse_add_direntry_plus(p->req, buffer, room, name, &e, (off_t)next);
		return used <= room ? used : 0;
	}
	if (fuse_add_direntry_plus(p->req, NULL, 0, name, NULL, 0) > room)
		return 0;
	ops_entry_locked(p->fs, n, &e);
	return fuse_add_direntry_plus(p->req, buffer, room, name, &e, (off_t)next);
}

/* Offset 0 is ".", 1 "..", then the snapshot. */
static size_t fill_locked(struct parked *p, struct node *dir, char *buffer)
{
	struct dir_handle *h = handle_of(&p->fi);
	size_t filled = 0, used;

	for (uint64_t at = p->offset;; at++) {
		const char *name = at == 0 ? "." : "..";
		struct node *n = at == 0 || !dir->parent || dir == p->fs->tree.mount_root ? dir : dir->parent;

		if (at >= 2) {
			if (at - 2 >= h->count)
				return filled;
			n = tree_by_ino(&p->fs->tree, h->inos[at - 2]);
			if (!n || n->parent != dir || !node_exists(n))
				continue; /* gone meanwhile */
			name = n->name;
		}
		used = add_entry(p, buffer + filled, p->size - filled, name, n, at + 1);
		if (!used)
			return filled;
		filled += used;
	}
}

static void readdir_try(struct parked *p)
{
	struct fs *fs = p->fs;
	struct dir_handle *h = handle_of(&p->fi);
	CLEANUP(freep) char *buffer = NULL;
	struct node *dir;
	size_t filled = 0;
	int r = 0;

	if (p->err) {
		park_fail(p, p->err);
		return;
	}
	buffer = malloc(p->size);
	if (!buffer) {
		park_fail(p, ENOMEM);
		return;
	}
	lock_take(&fs->lock);
	dir = tree_by_ino(&fs->tree, p->ino);
	if (dir && (p->offset == 0 || !h->is_taken)) {
		if (!listing_is_fresh_locked(fs, dir) && !dir->is_detached && !(p->tries && dir->is_complete)) {
			ops_wait_listing_unlock(p, dir, 0);
			return;
		}
		r = snapshot_locked(h, dir);
	}
	if (dir && r == 0)
		filled = fill_locked(p, dir, buffer);
	lock_drop(&fs->lock);
	if (!dir || r < 0)
		fuse_reply_err(p->req, dir ? -r : ESTALE);
	else
		fuse_reply_buf(p->req, buffer, filled);
	park_free(p);
}

static void readdir_start(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi,
			  bool is_plus)
{
	struct parked *p = ops_park(req, readdir_try, ino, NULL, fi);

	ops_count(OPS_READDIR);
	if (!p)
		return;
	p->size = size;
	p->offset = (uint64_t)off;
	p->flags = is_plus;
	readdir_try(p);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	readdir_start(req, ino, size, off, fi, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	readdir_start(req, ino, size, off, fi, true);
}

/* The changes of names in this directory reach the disk (or the cloud, where fsync means that). */
void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct error err = ERROR_INIT;
	int r = journal_sync(fs->journal, &err), errnum = 0;

	(void)ino;
	(void)datasync;
	(void)fi;
	if (r < 0)
		errnum = ops_errno(r, &err, "fsync");
	else if (fs->options.is_fsync_remote)
		errnum = ops_wait_names(fs);
	fuse_reply_err(req, errnum);
}
