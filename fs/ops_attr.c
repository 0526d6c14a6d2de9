#include "fs/attrs.h"
#include "fs/change.h"
#include "fs/file.h"
#include "fs/listing.h"
#include "fs/node_version.h"
#include "fs/ops.h"
#include "backends/base/clock.h"
#include <sys/stat.h>
#include <sys/xattr.h>

#define XATTR_PREFIX "user.skydir."

static void reply_attr(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = ops_fs(req);
	struct stat attr;
	struct node *n;
	double ttl = 0;

	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, ino);
	if (n) {
		ops_stat_locked(fs, n, &attr);
		ttl = n->file && n->file->pass.writers ? 0 : (double)node_ttl_ms_locked(fs, n) / 1000;
	}
	lock_drop(&fs->lock);
	if (n)
		fuse_reply_attr(req, &attr, ttl);
	else
		fuse_reply_err(req, ESTALE);
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	ops_count(OPS_GETATTR);
	reply_attr(req, ino);
}

uint64_t ops_max_bytes_locked(const struct node *n)
{
	while (n && n->type != NODE_STORE)
		n = n->parent;
	return n && dir_of(n)->store->limits.max_object_bytes < INT64_MAX ? dir_of(n)->store->limits.max_object_bytes : INT64_MAX;
}

void ops_drop_privileges_locked(struct node *n)
{
	n->mode &= ~(uint32_t)(S_ISUID | (n->mode & S_IXGRP ? S_ISGID : 0));
}

static void set_times(struct node *n, const struct stat *attr, int to_set)
{
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		n->mtime_ns = clock_wall_ns();
	else if (to_set & FUSE_SET_ATTR_MTIME)
		n->mtime_ns = clock_ns_of(attr->st_mtim);
}

static int set_attrs(struct fs *fs, fuse_ino_t ino, const struct stat *attr, int to_set, uint64_t *ret_ticket,
		     struct error *err)
{
	const int in_cloud = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID | FUSE_SET_ATTR_MTIME |
			     FUSE_SET_ATTR_MTIME_NOW;
	struct node *n;
	int r;

	LOCKED(&fs->lock);
	n = tree_by_ino(&fs->tree, ino);
	if (!n)
		return -ESTALE;
	r = change_allowed_locked(fs, n, err);
	if (r < 0 || !(to_set & in_cloud))
		return r; /* times of access are not kept */
	if (n->file)
		passthrough_settle_locked(n->file); /* a time set now counts, whatever was written before */
	if (to_set & FUSE_SET_ATTR_MODE)
		n->mode = (n->mode & S_IFMT) | (attr->st_mode & 07777);
	if (to_set & FUSE_SET_ATTR_UID)
		n->uid = attr->st_uid;
	if (to_set & FUSE_SET_ATTR_GID)
		n->gid = attr->st_gid;
	set_times(n, attr, to_set);
	node_set_ctime(n, clock_wall_ns());
	return change_attrs_locked(fs, n, ret_ticket, err);
}

static void setattr_finish(struct parked *p)
{
	struct fs *fs = p->fs;
	struct error err = ERROR_INIT;
	uint64_t ticket = 0;
	int r = set_attrs(fs, p->ino, &p->attr, (int)p->flags & ~FUSE_SET_ATTR_SIZE, &ticket, &err);
	int errnum = r < 0 ? ops_errno(r, &err, "setattr") : ops_commit_name(fs, ticket);

	if (errnum) {
		park_fail(p, errnum);
		return;
	}
	reply_attr(p->req, p->ino);
	park_free(p);
}

/* Cuts or grows; parked while a fetch runs in what is cut. */
static void truncate_try(struct parked *p)
{
	struct fs *fs = p->fs;
	struct error err = ERROR_INIT;
	uint64_t size = (uint64_t)p->attr.st_size, ticket = 0;
	bool is_begun = false;
	struct node *n;
	struct file *f;
	int r = p->err > 0 ? -p->err : ops_need_file(fs, p->ino, size == 0, &err), errnum;

	if (r < 0) {
		park_fail(p, ops_errno(r, &err, "truncate"));
		return;
	}
	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, p->ino);
	f = n ? n->file : NULL;
	if (!f)
		r = -ESTALE;
	else if (size > ops_max_bytes_locked(n))
		r = -EFBIG;
	else if ((r = change_allowed_locked(fs, n, &err)) == 0 && file_has_fetch_locked(f, 0, UINT64_MAX)) {
		fetch_cancel_locked(f, FETCH_ALL, size, UINT64_MAX);
		park_wait_locked(p, &f->exclusive_waiting);
		lock_drop(&fs->lock);
		return;
	}
	if (r == 0 && size && f->is_new_version && !f->is_whole)
		r = error_set(&err, ERR_PRECONDITION, "the file changed in the cloud");
	if (r == 0) /* since ops_need_file the end of an upload may have closed it */
		r = file_open_fd_locked(f, &err);
	if (r == 0)
		r = size ? pending_put_locked(fs, n, &ticket, &err) : change_empty_locked(fs, n, &ticket, &err);
	if (r == 0) {
		file_change_begin_locked(f);
		is_begun = true;
	}
	lock_drop(&fs->lock);
	if (is_begun) {
		r = file_truncate(f, size, &err);
		lock_take(&fs->lock);
		file_change_end_locked(f);
		if (r == 0 && n->put && (!f->writers || file_keeps_log_locked(f)))
			ticket = pending_update_locked(n->put); /* of a mixture the row tells what was cut off */
		if (r == 0 && n->put && !f->writers)
			pending_put_due_locked(fs, n, fs->options.upload_delay_ms);
		file_rest_locked(f);
		lock_drop(&fs->lock);
	}
	errnum = r < 0 ? ops_errno(r, &err, "truncate") : ops_commit(fs, ticket);
	if (errnum)
		park_fail(p, errnum);
	else
		setattr_finish(p);
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct parked *p = ops_park(req, truncate_try, ino, NULL, fi);

	ops_count(OPS_SETATTR);
	if (!p)
		return;
	p->attr = *attr;
	p->flags = (unsigned)to_set;
	if (to_set & FUSE_SET_ATTR_SIZE)
		truncate_try(p);
	else
		setattr_finish(p);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	/* A bucket has no size: a large round number, so that no program thinks the disk is full. */
	struct statvfs s = {
		.f_bsize = 1 << 20,
		.f_frsize = 1 << 20,
		.f_blocks = UINT64_C(1) << 30,
		.f_bfree = UINT64_C(1) << 30,
		.f_bavail = UINT64_C(1) << 30,
		.f_files = UINT64_C(1) << 40,
		.f_ffree = UINT64_C(1) << 40,
		.f_favail = UINT64_C(1) << 40,
		.f_namemax = 255,
	};

	(void)ino;
	fuse_reply_statfs(req, &s);
}

/* "cloud", "cached", "partial", "dirty", "uploading", "conflict": what a file manager wants to show. */
static const char *state_of(const struct node *n)
{
	if (n->file)
		passthrough_settle_locked(n->file);
	if (n->put && n->put->is_failed && n->put->error.kind == ERR_PRECONDITION)
		return "conflict";
	if (n->put)
		return n->put->state == PENDING_RUNNING ? "uploading" : "dirty";
	if (rare_of(n)->pending_count)
		return "dirty";
	if (!n->file)
		return "cloud";
	if (file_is_complete_locked(n->file))
		return "cached";
	return n->file->present.count ? "partial" : "cloud";
}

/* The value of a virtual attribute: 1 when name is one (and has a value), 0 when not, -ENODATA without one. */
static int virtual_value_locked(const struct tree *t, const struct node *n, const char *name, struct buf *ret)
{
	struct version_text version = node_version(n);
	const char *value = NULL;

	if (strncmp(name, XATTR_PREFIX, strlen(XATTR_PREFIX)) != 0)
		return 0;
	name += strlen(XATTR_PREFIX);
	if (strcmp(name, "state") == 0)
		value = state_of(n);
	else if (strcmp(name, "etag") == 0 || strcmp(name, "version") == 0)
		value = node_has_version(n) ? version.text : NULL;
	else if (strcmp(name, "storage-class") == 0)
		value = n->storage_class ? t->classes[n->storage_class] : node_has_version(n) ? "STANDARD" : NULL;
	if (!value || node_is_dir(n))
		return -ENODATA;
	return buf_adds(ret, value) < 0 ? -ENOMEM : 1;
}

static void reply_value(struct parked *p, const char *value, size_t len)
{
	if (p->size == 0)
		fuse_reply_xattr(p->req, len);
	else if (len > p->size)
		fuse_reply_err(p->req, ERANGE);
	else
		fuse_reply_buf(p->req, value, len);
	park_free(p);
}

/* user.skydir.url: a link that works for an hour. Signing may have to fetch credentials, so a worker does it. */
static void url_run(struct parked *p)
{
	struct fs *fs = p->fs;
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	CLEANUP(buf_release) struct buf url = BUF_INIT(16384);
	struct error err = ERROR_INIT;
	struct node *n;
	int r;

	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, p->ino);
	r = !n || node_is_dir(n) || !node_has_version(n) ? -ENODATA : tree_remote_key(n, &where);
	lock_drop(&fs->lock);
	park_away(p);
	if (r == 0)
		r = store_presign(where.store, where.bucket, where.key, STORE_PRESIGN_GET, 3600, &url, &err);
	if (!park_back(p))
		return;
	if (r < 0)
		park_fail(p, err.kind == ERR_UNSUPPORTED ? ENODATA : ops_errno(r, &err, "presign"));
	else
		reply_value(p, buf_cstr(&url), url.len);
}

/* The object's own attributes are not known yet (a listing does not tell them). */
static bool needs_attrs(const struct node *n, const char *name)
{
	return !n->has_attrs && !node_is_local_locked(n) && node_has_version(n) && strncmp(name, "user.", 5) == 0 &&
	       (n->type == NODE_FILE || n->type == NODE_SYMLINK);
}

/* On a worker, run again: asks for the attributes first. false: that failed, and p has its answer. */
static bool attrs_asked(struct parked *p, const char *what)
{
	struct error err = ERROR_INIT;
	int r;

	if (!p->tries)
		return true;
	park_away(p);
	r = lookup_attrs(p->fs, p->ino, &err);
	if (!park_back(p))
		return false;
	if (r < 0)
		park_fail(p, ops_errno(r, &err, what));
	return r >= 0;
}

static void getxattr_try(struct parked *p)
{
	struct fs *fs = p->fs;
	CLEANUP(buf_release) struct buf value = BUF_INIT(65536);
	const struct xattr *x;
	struct node *n;
	int r = 0;

	if (!attrs_asked(p, "getxattr"))
		return;
	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, p->ino);
	r = n ? virtual_value_locked(&fs->tree, n, p->name, &value) : -ESTALE;
	if (r == 0 && !p->tries && needs_attrs(n, p->name)) {
		lock_drop(&fs->lock);
		park_submit(p, NET_METADATA);
		return;
	}
	if (r == 0) {
		x = xattrs_find(rare_of(n)->xattrs, p->name);
		r = !x ? -ENODATA : buf_add(&value, x->value, x->len) < 0 ? -ENOMEM : 1;
	}
	lock_drop(&fs->lock);
	if (r < 0)
		park_fail(p, -r);
	else
		reply_value(p, buf_cstr(&value), value.len);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct fs *fs = ops_fs(req);
	struct parked *p;
	bool is_url = strcmp(name, XATTR_PREFIX "url") == 0;

	ops_count(OPS_GETXATTR);
	if (!fs->options.use_xattrs) {
		fuse_reply_err(req, ENOSYS); /* the kernel asks no more */
		return;
	}
	if (strncmp(name, "user.", 5) != 0) {
		/* ACLs and labels, which ls -l asks of every file, unless it is told once that there are none here at all. */
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	p = ops_park(req, is_url ? url_run : getxattr_try, ino, name, NULL);
	if (!p)
		return;
	p->size = size;
	if (is_url)
		park_submit(p, NET_METADATA);
	else
		getxattr_try(p);
}

static void listxattr_try(struct parked *p)
{
	struct fs *fs = p->fs;
	CLEANUP(buf_release) struct buf names = BUF_INIT(65536);
	struct node *n;
	int r = 0;

	if (!attrs_asked(p, "listxattr"))
		return;
	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, p->ino);
	if (n && !p->tries && needs_attrs(n, "user.")) {
		lock_drop(&fs->lock);
		park_submit(p, NET_METADATA);
		return;
	}
	r = n ? 0 : -ESTALE;
	for (size_t i = 0; r == 0 && rare_of(n)->xattrs && i < n->rare->xattrs->count; i++)
		r = buf_add(&names, n->rare->xattrs->items[i].name, strlen(n->rare->xattrs->items[i].name) + 1);
	/* Virtual ones (user.skydir.*) are not listed: `cp -a` and `rsync -X` would copy them as the file's own. */
	lock_drop(&fs->lock);
	if (r < 0)
		park_fail(p, -r);
	else
		reply_value(p, buf_cstr(&names), names.len);
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct parked *p;

	if (!ops_fs(req)->options.use_xattrs) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	p = ops_park(req, listxattr_try, ino, NULL, NULL);
	if (!p)
		return;
	p->size = size;
	listxattr_try(p);
}

/* All metadata of an object share a few KiB at the provider: said now, and not when the upload is refused. */
static bool fits_metadata(const struct node *n, const struct xattrs *changed)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	struct attrs a = { .mode = n->mode, .uid = n->uid, .gid = n->gid, .mtime_ns = n->mtime_ns,
			   .xattrs = (struct xattrs *)changed };
	struct store_meta *meta = NULL;
	size_t count = 0, bytes = 0;

	if (n->is_detached || tree_path_key(n, &where) < 0 || attrs_to_meta(&a, &arena, &meta, &count) < 0)
		return true;
	for (size_t i = 0; i < count; i++)
		bytes += strlen(meta[i].name) + strlen(meta[i].value);
	return bytes <= where.store->limits.max_metadata_bytes;
}

static int set_xattr_locked(struct fs *fs, struct parked *p, uint64_t *ret_ticket, struct error *err)
{
	struct node *n = tree_by_ino(&fs->tree, p->ino);
	struct xattrs *changed = NULL;
	bool exists;
	int r;

	if (!n)
		return -ESTALE;
	r = change_allowed_locked(fs, n, err);
	if (r < 0)
		return r;
	exists = xattrs_find(rare_of(n)->xattrs, p->name) != NULL;
	if ((p->flags & XATTR_CREATE) && p->data && exists)
		return -EEXIST;
	if (((p->flags & XATTR_REPLACE) || !p->data) && !exists)
		return -ENODATA;
	r = xattrs_with(rare_of(n)->xattrs, p->name, p->data, p->size, &changed);
	if (r < 0)
		return r;
	if (p->data && !fits_metadata(n, changed)) {
		xattrs_free(changed);
		return -ENOSPC;
	}
	if (!rare_make(n)) {
		xattrs_free(changed);
		return -ENOMEM;
	}
	xattrs_free(n->rare->xattrs);
	n->rare->xattrs = changed;
	node_set_ctime(n, clock_wall_ns());
	return change_attrs_locked(fs, n, ret_ticket, err);
}

static void setxattr_try(struct parked *p)
{
	struct fs *fs = p->fs;
	struct error err = ERROR_INIT;
	uint64_t ticket = 0;
	struct node *n;
	int r = 0, errnum;

	if (!attrs_asked(p, "setxattr"))
		return;
	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, p->ino);
	if (n && !p->tries && needs_attrs(n, p->name)) {
		lock_drop(&fs->lock);
		park_submit(p, NET_METADATA);
		return;
	}
	r = set_xattr_locked(fs, p, &ticket, &err);
	lock_drop(&fs->lock);
	errnum = r < 0 ? ops_errno(r, &err, "setxattr") : ops_commit_name(fs, ticket);
	fuse_reply_err(p->req, errnum);
	park_free(p);
}

static bool is_utf8(const char *text)
{
	struct str rest = str_of(text);

	while (rest.len) {
		size_t used = str_utf8_char(rest);

		if (!used)
			return false;
		rest.ptr += used;
		rest.len -= used;
	}
	return true;
}

static void change_xattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	struct parked *p;

	if (strncmp(name, "user.", 5) != 0) {
		fuse_reply_err(req, ENOTSUP);
		return;
	}
	if (strncmp(name, XATTR_PREFIX, strlen(XATTR_PREFIX)) == 0) {
		fuse_reply_err(req, EPERM); /* told by the mount, not kept */
		return;
	}
	if (!is_utf8(name)) { /* in metadata and journal names stand as JSON */
		fuse_reply_err(req, EINVAL);
		return;
	}
	if (size > 1400) { /* all metadata of an object share 2 KiB, base64 and escapes included */
		fuse_reply_err(req, E2BIG);
		return;
	}
	p = ops_park(req, setxattr_try, ino, name, NULL);
	if (!p)
		return;
	p->flags = (unsigned)flags;
	p->size = size;
	if (value) {
		p->data = malloc(size + 1);
		if (!p->data) {
			park_fail(p, ENOMEM);
			return;
		}
		memcpy(p->data, value, size);
	}
	setxattr_try(p);
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	change_xattr(req, ino, name, value, size, flags);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	change_xattr(req, ino, name, NULL, 0, 0);
}
