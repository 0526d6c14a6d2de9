#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include "backends/base/log.h"
#include "fs/attrs.h"
#include "fs/file.h"
#include "fs/node_version.h"
#include "fs/pending.h"
#include <limits.h>

/* An attempt whose answer was lost may have arrived: then the object is exactly what was sent, to the nanosecond. Only then: a file
 * of the same size and time (unpacked from the same archive, say) may be somebody else's all the same. */
static bool is_ours(const struct store_object *object, uint64_t size, int64_t mtime_ns)
{
	struct attrs told;
	bool is_same;

	if (object->size != size || !object->has_meta ||
	    attrs_from_meta(object->meta, object->meta_count, &told) < 0)
		return false;
	is_same = told.mtime_ns == mtime_ns && mtime_ns != 0;
	attrs_release(&told);
	return is_same;
}

static bool is_one_of_ours(const struct store_object *object, const struct attempt *sent)
{
	for (size_t i = 0; i < PENDING_ATTEMPTS; i++)
		if (!sent[i].is_heard && is_ours(object, sent[i].size, sent[i].mtime_ns))
			return true;
	return false;
}

static bool has_same_xattrs(const struct xattrs *a, const struct xattrs *b)
{
	size_t count = a ? a->count : 0;

	if (count != (b ? b->count : 0))
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct xattr *other = xattrs_find(b, a->items[i].name);

		if (!other || other->len != a->items[i].len || memcmp(other->value, a->items[i].value, other->len) != 0)
			return false;
	}
	return true;
}

/* A mode or an extended attribute that was changed after it went up leaves the time as it is. */
static bool has_same_attrs(struct fs *fs, const struct node *n, const struct store_object *object)
{
	struct attrs told = ATTRS_INIT;
	bool is_same = attrs_from_meta(object->meta, object->meta_count, &told) == 0;

	lock_take(&fs->lock);
	is_same = is_same && told.mode == n->mode && told.uid == n->uid && told.gid == n->gid &&
		  has_same_xattrs(told.xattrs, rare_of(n)->xattrs);
	lock_drop(&fs->lock);
	attrs_release(&told);
	return is_same;
}

/* The content that was just refused had been sent before, and nobody told us what became of that. Its time may have followed by
 * itself. Two contents can have one time (the second was being written when the first was sent, or somebody set it): the file must
 * not have been written to since, which nobody knows of an attempt before a kill. */
static bool has_arrived(const struct pending *op, const struct store_object *object, const struct attempt *refused)
{
	bool is_open = false;

	lock_take(&op->fs->lock);
	for (size_t i = 0; i < PENDING_ATTEMPTS; i++)
		is_open |= op->sent[i].mtime_ns && !op->sent[i].is_heard && op->sent[i].size == refused->size &&
			   op->sent[i].content == refused->content;
	lock_drop(&op->fs->lock);
	return is_open && refused->content && is_ours(object, refused->size, refused->mtime_ns);
}

static bool is_last_upload(const struct pending *op, const struct store_object *object)
{
	uint64_t size = 0;
	int64_t mtime_ns = 0;

	lock_take(&op->fs->lock);
	if (op->node->file) {
		size = op->node->file->uploaded_size;
		mtime_ns = op->node->file->uploaded_mtime_ns;
	}
	lock_drop(&op->fs->lock);
	return is_ours(object, size, mtime_ns);
}

/* An upload may also be refused because what was sent of it is lost. */
static bool is_unchanged(const struct pending *op, const struct store_object *object)
{
	const struct node *n = op->node;

	LOCKED(&op->fs->lock);
	return n->expect == EXPECT_VERSION && node_is_version(n, object->version);
}

/* "report (conflict from HOST 20261123T101500Z).pdf": the extension stays, so that programs still open it. The number is for a second
 * conflict within a second. */
static char *conflict_name(const char *name, unsigned number)
{
	char host[65] = "", when[17];
	const char *dot = strrchr(name, '.');
	int stem = dot && dot != name ? (int)(dot - name) : (int)strlen(name);

	if (gethostname(host, sizeof(host) - 1) < 0 || !host[0])
		(void)!memcpy(host, "host", 5);
	clock_format_basic(clock_wall_s(), when);
	for (char *c = host; *c; c++)
		if (*c == '/' || *c == '.')
			*c = '-';
	if (stem > 150)
		stem = 150;
	if (number > 1)
		return str_format("%.*s (conflict from %s %s %u)%s", stem, name, host, when, number,
				  name + (dot && dot != name ? dot - name : (long)strlen(name)));
	return str_format("%.*s (conflict from %s %s)%s", stem, name, host, when, name + (dot && dot != name ? dot - name : (long)strlen(name)));
}

#define CONFLICT_NAMES 1000u

/* A name beside `name` that nothing here has yet; the caller's. NULL: none. */
static char *free_name_locked(struct fs *fs, struct node *parent, const char *name)
{
	for (unsigned number = 1; number < CONFLICT_NAMES; number++) {
		char *tried = conflict_name(name, number);

		if (!tried || !tree_child(&fs->tree, parent, tried))
			return tried;
		free(tried);
	}
	return NULL;
}

/* The local version goes beside the other, under a name that says so. */
static enum conflict_verdict keep_both(struct pending *op, struct error *err)
{
	struct fs *fs = op->fs;
	struct node *n = op->node;
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *name = NULL;
	struct node *parent;
	uint64_t ticket = 0;

	lock_take(&fs->lock);
	path = tree_path(&fs->tree, n);
	parent = n->parent;
	name = parent ? free_name_locked(fs, parent, n->name) : NULL;
	if (!name || tree_move(&fs->tree, n, parent, name) < 0) {
		lock_drop(&fs->lock);
		return CONFLICT_STAYS;
	}
	n->expect = EXPECT_ABSENT;
	node_set_version(n, NULL);
	parent->is_complete = false; /* the other version is to be seen again */
	fs_note_error_locked(fs, path ? path : "?", err);
	log_warn("upload.conflict", "path='%s' kept_as='%s'", path ? path : "?", name);
	FAULT_POINT("conflict-copy-named");
	if (n->put == op && pending_put_rekey_locked(fs, n, &ticket, NULL) < 0)
		log_error("upload.conflict", "path='%s' error='no memory'", path ? path : "?");
	/* Giving the old upload up forgets what is expected; but another machine may keep its own under the same name this second. */
	n->expect = EXPECT_ABSENT;
	if (n->put)
		ticket = pending_update_locked(n->put);
	lock_drop(&fs->lock);
	if (journal_wait(fs->journal, ticket, NULL) < 0)
		log_warn("journal.write", "path='%s'", path ? path : "?");
	FAULT_POINT("conflict-copy-journalled");
	if (fs->session)
		(void)fuse_lowlevel_notify_inval_entry(fs->session, parent == fs->tree.mount_root ? 1 : parent->ino,
						       path ? strrchr(path, '/') + 1 : "",
						       path ? strlen(strrchr(path, '/') + 1) : 0);
	return CONFLICT_RETRY;
}

bool conflict_rebase(struct node *n)
{
	struct fs *fs = n->file->fs;
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	struct store_object object = { 0 };
	struct attempt sent[PENDING_ATTEMPTS];
	bool is_home = false;
	int r = -ENOENT;

	lock_take(&fs->lock);
	if (n->put && !n->is_detached) {
		memcpy(sent, n->put->sent, sizeof(sent));
		r = tree_remote_key(n, &where); /* until a rename is through, the bytes are where the upload went */
		is_home = r == 0 && strcmp(where.bucket, n->put->bucket) == 0 && strcmp(where.key, n->put->key) == 0;
	}
	lock_drop(&fs->lock);
	if (r < 0 || store_head(where.store, where.bucket, where.key, NULL, &arena, &object, NULL) < 0 || !object.version[0] ||
	    !is_one_of_ours(&object, sent))
		return false;
	LOCKED(&fs->lock);
	if (!n->put || !n->file || strcmp(n->file->base_version, object.version) == 0)
		return false;
	memcpy(n->file->base_version, object.version, STORE_VERSION_MAX);
	n->file->is_new_version = false;
	if (!is_home) /* what will be at its new key has a version nobody knows yet */
		return true;
	node_set_version(n, object.version);
	n->expect = node_has_version(n) ? EXPECT_VERSION : EXPECT_ANY;
	return true;
}

enum conflict_verdict conflict_resolve(struct pending *op, const struct attempt *refused, char *ret_version, struct error *err)
{
	struct fs *fs = op->fs;
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_object object = { 0 };
	struct error head_err = ERROR_INIT;
	int r = store_head(op->store, op->bucket, op->key, NULL, &arena, &object, &head_err);

	if (r < 0 && head_err.kind != ERR_NOT_FOUND) {
		*err = head_err;
		return CONFLICT_STAYS;
	}
	if (r < 0) { /* deleted meanwhile: what was written here is all there is, so it goes up */
		struct error bucket_err = ERROR_INIT;

		if (store_bucket_exists(op->store, op->bucket, &bucket_err) < 0 && bucket_err.kind == ERR_NOT_FOUND) {
			*err = bucket_err;
			return CONFLICT_STAYS;
		}
		if (upload_let_base_go(op, err) < 0)
			return CONFLICT_STAYS;
		LOCKED(&fs->lock);
		if (op->node->expect == EXPECT_ABSENT)
			return CONFLICT_STAYS; /* said to be there, and is not: let it settle */
		op->node->expect = EXPECT_ABSENT;
		return CONFLICT_RETRY;
	}
	if (has_arrived(op, &object, refused) && has_same_attrs(fs, op->node, &object)) {
		memcpy(ret_version, object.version, STORE_VERSION_MAX);
		return CONFLICT_OURS;
	}
	if (has_arrived(op, &object, refused) || is_one_of_ours(&object, op->sent) || is_last_upload(op, &object)) {
		/* An earlier content of ours, whose arrival we were not told of: what is here now is based on it. */
		LOCKED(&fs->lock);
		node_set_version(op->node, object.version);
		op->node->expect = node_has_version(op->node) ? EXPECT_VERSION : EXPECT_ANY;
		if (op->node->file->base_version[0]) /* what is not dirty is the same in both */
			file_set_base_locked(op->node->file, object.version);
		op->node->file->is_new_version = false;
		return CONFLICT_RETRY;
	}
	if (is_unchanged(op, &object)) {
		(void)error_set(err, ERR_UNAVAILABLE, "the server lost what was sent of it");
		return CONFLICT_STAYS;
	}
	if (fs->options.on_conflict != OPTIONS_FAIL && upload_let_base_go(op, err) < 0)
		return CONFLICT_STAYS;
	switch (fs->options.on_conflict) {
	case OPTIONS_KEEP_BOTH:
		return keep_both(op, err);
	case OPTIONS_OVERWRITE:
		lock_take(&fs->lock);
		op->node->expect = EXPECT_ANY;
		log_warn("upload.conflict", "key='%s' what='overwritten'", op->key);
		lock_drop(&fs->lock);
		return CONFLICT_RETRY;
	case OPTIONS_FAIL:
		break;
	}
	return CONFLICT_STAYS;
}
