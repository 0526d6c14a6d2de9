#include "fs/change.h"
#include "backends/base/clock.h"
#include "fs/file.h"
#include "fs/listing.h"
#include "fs/naming.h"
#include <linux/fs.h>
#include <sys/stat.h>

#define DELETE_DELAY_MS 200u /* so that what is deleted together goes as one batch */

static const struct node *store_of(const struct node *n)
{
	while (n && n->type != NODE_STORE)
		n = n->parent;
	return n;
}

int change_allowed_locked(struct fs *fs, struct node *n, struct error *err)
{
	const struct node *store = store_of(n);
	int r = change_removal_allowed_locked(fs, n, err);

	/* It looks at memory only, so it may be called with the lock held. */
	return r == 0 && store && dir_of(store)->store->may_change ? dir_of(store)->store->may_change(dir_of(store)->store, err) : r;
}

int change_removal_allowed_locked(struct fs *fs, struct node *n, struct error *err)
{
	struct node *bucket = tree_bucket_of(n);
	const struct node *store = store_of(n);

	if (fs->options.read_only)
		return error_set(err, ERR_READ_ONLY, "the mount is read-only");
	if (store && dir_of(store)->store->caps & STORE_CAP_READ_ONLY)
		return error_set(err, ERR_READ_ONLY, "store '%s' is read-only", dir_of(store)->store->name);
	if (bucket && bucket->is_readonly && clock_mono_ms() < dir_of(bucket)->readonly_until_ms)
		return error_set(err, ERR_PERMISSION, "the bucket refused a change not long ago");
	return 0;
}

static int key_error(int r, struct error *err)
{
	if (r == -EINVAL)
		return error_set(err, ERR_INVALID, "no object can have this name");
	if (r == -ENAMETOOLONG)
		return error_set(err, ERR_NAME_TOO_LONG, "the key would be longer than %d bytes", STORE_KEY_MAX);
	return error_errno(err, -r, "cannot make a key");
}

/* What is expected in the cloud at the key of a name that does not exist in the view. */
static void expect_of_absent(struct fs *fs, const struct location *where, struct node *n, uint64_t *ret_ticket)
{
	n->expect = pending_touches_locked(fs, where) ? EXPECT_ANY : EXPECT_ABSENT;
	/* The new object takes the place of one that was to go. */
	(void)pending_retract_locked(fs, PENDING_DELETE, where, ret_ticket);
}

/* A new node in place of a tombstone, if there is one. */
static struct node *add_node(struct fs *fs, struct node *parent, const char *name, enum node_type type,
			     const struct location *where, uint64_t *ret_ticket)
{
	struct node *tombstone = tree_child(&fs->tree, parent, name);
	struct node *n;

	if (tombstone) {
		tree_pin(tombstone);
		tree_detach(&fs->tree, tombstone);
	}
	n = tree_add(&fs->tree, parent, name, type);
	if (n) {
		expect_of_absent(fs, where, n, ret_ticket);
		n->has_attrs = true;
		node_set_times(n, clock_wall_ns());
		tree_changed(&fs->tree, n);
	}
	if (tombstone)
		tree_unpin(&fs->tree, tombstone);
	node_set_times(parent, clock_wall_ns());
	return n;
}

/* In a directory with the set-group-id bit what is made belongs to the directory's group. */
static uint32_t group_in(const struct node *parent, uint32_t gid)
{
	return parent->mode & S_ISGID ? parent->gid : gid;
}

/* The escape of a file that a directory hides is its name only while the directory is there; and an object "d/" is what keeps the
 * directory d, so no file can be made of it. */
int change_check_name_locked(struct fs *fs, struct node *parent, const char *name, const struct location *where)
{
	CLEANUP(buf_release) struct buf segment = BUF_INIT(NAMING_MAX), plain = BUF_INIT(NAMING_MAX);
	enum naming_piece piece;
	struct node *dir;

	if (where->key[0] == '\0' || str_ends(str_of(where->key), "/"))
		return -EINVAL;
	if (!naming_is_shadowed(name))
		return 0;
	if (naming_decode(str_of(name), &segment, &piece) < 0 || piece != NAMING_SHADOWED ||
	    naming_encode(buf_str(&segment), NAMING_WHOLE, &plain) < 0)
		return -EINVAL;
	dir = tree_child(&fs->tree, parent, buf_cstr(&plain));
	return node_exists(dir) && node_is_dir(dir) ? 0 : -EINVAL;
}

int change_create_locked(struct fs *fs, uint64_t parent_ino, const char *name, uint32_t mode, uint32_t uid,
			 uint32_t gid, uint64_t file_id, int fd, struct node **ret, uint64_t *ret_ticket,
			 struct error *err)
{
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	struct node *parent = tree_by_ino(&fs->tree, parent_ino), *n;
	int r;

	JOURNAL_GROUP(fs->journal);
	*ret_ticket = 0;
	if (!parent || parent->type <= NODE_STORE)
		return parent ? -EPERM : -ESTALE;
	if (node_exists(tree_child(&fs->tree, parent, name)))
		return -EEXIST;
	r = change_allowed_locked(fs, parent, err);
	if (r < 0)
		return r;
	r = tree_child_key(parent, name, false, &where);
	if (r == 0)
		r = change_check_name_locked(fs, parent, name, &where);
	if (r < 0)
		return key_error(r, err);
	n = add_node(fs, parent, name, S_ISLNK(mode) ? NODE_SYMLINK : NODE_FILE, &where, ret_ticket);
	if (!n)
		return error_set(err, ERR_NO_MEMORY, "no memory for a file");
	n->mode = mode;
	n->uid = uid;
	n->gid = group_in(parent, gid);
	if (!file_attach_locked(fs, n, FILE_WHOLE, file_id, fd)) {
		tree_detach(&fs->tree, n);
		tree_prune(&fs->tree, n);
		return error_set(err, ERR_NO_MEMORY, "no memory for a file");
	}
	*ret = n;
	return pending_put_locked(fs, n, ret_ticket, err);
}

int change_empty_locked(struct fs *fs, struct node *n, uint64_t *ret_ticket, struct error *err)
{
	struct file *f = n->file;
	bool becomes_whole = !n->put && !f->is_whole && !f->present.total && !f->fetches;
	uint64_t size = n->size;
	char base[STORE_VERSION_MAX];
	int r;

	/* Its row says from the start that the cache file is the whole content, so that no map is needed: then it must be, also when
	 * nothing comes after the row. There are no bytes in it to free. */
	if (!becomes_whole || ftruncate(f->fd, 0) < 0)
		return pending_put_locked(fs, n, ret_ticket, err);
	memcpy(base, f->base_version, sizeof(base));
	file_set_base_locked(f, "");
	f->is_whole = true;
	n->size = 0;
	r = pending_put_locked(fs, n, ret_ticket, err);
	if (r < 0) {
		f->is_whole = false;
		file_set_base_locked(f, base);
		n->size = size;
		(void)!ftruncate(f->fd, (off_t)size); /* what comes in makes it as long as it needs to be */
	}
	file_account_locked(f);
	return r;
}

static int queue_marker(struct fs *fs, struct node *dir, uint64_t *ret_ticket, struct error *err)
{
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	int r = tree_path_key(dir, &where);

	if (r < 0)
		return key_error(r, err);
	dir->has_marker = true;
	r = pending_op_locked(fs, PENDING_MARKER, &where, NULL, dir, NULL, fs->options.upload_delay_ms, ret_ticket, err);
	if (r == 0)
		dir->rare->meta = fs->queue.last; /* which is what made it */
	return r;
}

/* The last entry of a directory without a marker takes the directory with it in the cloud, but not for the user. */
static int keep_emptied_dir(struct fs *fs, struct node *dir, uint64_t *ret_ticket, struct error *err)
{
	uint64_t ticket = 0;
	int r;

	if (dir->type != NODE_DIR || dir->has_marker || !listing_is_fresh_locked(fs, dir) || tree_has_children(dir))
		return 0;
	dir->expect = EXPECT_ABSENT;
	r = queue_marker(fs, dir, &ticket, err);
	if (ticket)
		*ret_ticket = ticket;
	return r;
}

int change_mkdir_locked(struct fs *fs, struct node *parent, const char *name, uint32_t mode, uint32_t uid,
			uint32_t gid, struct node **ret, uint64_t *ret_ticket, struct error *err)
{
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	struct node *n;
	int r = tree_child_key(parent, name, true, &where);

	JOURNAL_GROUP(fs->journal);
	*ret_ticket = 0;
	if (r < 0)
		return key_error(r, err);
	n = add_node(fs, parent, name, NODE_DIR, &where, ret_ticket);
	if (!n)
		return error_set(err, ERR_NO_MEMORY, "no memory for a directory");
	n->mode = S_IFDIR | (mode & 07777) | (parent->mode & S_ISGID);
	n->uid = uid;
	n->gid = group_in(parent, gid);
	n->is_complete = true; /* a directory just made is known to be empty */
	node_dir(n)->listed_until_ms = clock_mono_ms() + fs->options.meta_ttl_ms;
	*ret = n;
	return queue_marker(fs, n, ret_ticket, err);
}

/* An unlinked file that is open goes on being read from where it was. */
static void keep_origin_locked(struct node *n)
{
	struct file *f = n->file;

	if (f && !file_is_complete_locked(f) && !f->origin.key)
		(void)!tree_remote_key(n, &f->origin); /* without memory its missing parts cannot be read: ESTALE */
}

static void drop_content_locked(struct fs *fs, struct node *n)
{
	struct file *f = n->file;

	if (!f)
		return;
	if (!f->readers && !f->writers)
		fetch_cancel_locked(f, FETCH_ALL, 0, UINT64_MAX);
	if (file_is_idle_locked(f))
		file_drop_locked(fs, n);
}

/* Takes a file out of the view. *ret_had_remote: the cloud has, or may get, an object at its key. */
static struct node *remove_locked(struct fs *fs, struct node *n, bool *ret_had_remote, uint64_t *ret_ticket)
{
	struct node *parent = n->parent, *tombstone;
	char *name = strdup(n->name);

	/* Of an upload that failed the answer may be all that was lost. */
	*ret_had_remote = n->expect != EXPECT_ABSENT || (n->put && n->put->was_tried);
	keep_origin_locked(n);
	*ret_ticket = pending_put_cancel_locked(fs, n);
	if (n->rare)
		n->rare->meta = NULL;
	tree_pin(n);
	node_set_ctime(n, clock_wall_ns());
	tombstone = name ? tree_set_absent(&fs->tree, parent, name) : NULL;
	free(name);
	if (!tombstone)
		tree_detach(&fs->tree, n);
	else
		tombstone->expires_ms = clock_mono_ms() + fs->options.meta_ttl_ms;
	drop_content_locked(fs, n);
	tree_unpin(&fs->tree, n);
	node_set_times(parent, clock_wall_ns());
	return tombstone;
}

int change_unlink_locked(struct fs *fs, struct node *n, uint64_t *ret_ticket, struct error *err)
{
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	struct node *parent = n->parent, *tombstone, *hold;
	bool had_remote;
	int r = tree_path_key(n, &where);

	JOURNAL_GROUP(fs->journal);
	*ret_ticket = 0;
	if (r < 0)
		return key_error(r, err);
	hold = n->file && (n->file->readers || n->file->writers) && !file_is_complete_locked(n->file) ? n : NULL;
	tree_pin(n);
	tombstone = remove_locked(fs, n, &had_remote, ret_ticket);
	r = 0;
	if (had_remote)
		r = pending_op_locked(fs, PENDING_DELETE, &where, NULL, tombstone, hold, DELETE_DELAY_MS, ret_ticket, err);
	tree_unpin(&fs->tree, n);
	return r == 0 ? keep_emptied_dir(fs, parent, ret_ticket, err) : r;
}

static int delete_marker(struct fs *fs, const struct location *where, const char *key, struct node *tombstone,
			 uint64_t *ret_ticket, struct error *err)
{
	CLEANUP(freep) char *copy = strdup(key);
	struct location marker = { where->store, where->bucket, copy };

	if (!copy)
		return error_set(err, ERR_NO_MEMORY, "no memory to remove a directory");
	return pending_op_locked(fs, PENDING_DELETE, &marker, NULL, tombstone, NULL, DELETE_DELAY_MS, ret_ticket, err);
}

/* Every kind of marker that was seen goes. */
static int delete_markers(struct fs *fs, const struct node *n, const struct location *where, struct node *tombstone,
			  bool has_remote_marker, uint64_t *ret_ticket, struct error *err)
{
	size_t len = strlen(where->key) - 1;
	CLEANUP(freep) char *folder = str_format("%.*s" FOLDER_SUFFIX, (int)len, where->key);
	CLEANUP(freep) char *file = str_format("%.*s", (int)len, where->key);
	int r = 0;

	if (!folder || !file)
		return error_set(err, ERR_NO_MEMORY, "no memory to remove a directory");
	if (has_remote_marker)
		r = delete_marker(fs, where, where->key, tombstone, ret_ticket, err);
	if (r == 0 && n->has_folder_marker)
		r = delete_marker(fs, where, folder, tombstone, ret_ticket, err);
	if (r == 0 && n->has_file_marker)
		r = delete_marker(fs, where, file, tombstone, ret_ticket, err);
	return r;
}

static bool stirs_below_locked(const struct fs *fs, const struct location *where)
{
	const struct listed_key listed = { where->bucket, where->key, strlen(where->key), NULL, NULL, UINT64_MAX };

	return pending_stirs_locked(fs, where->store, &listed);
}

int change_rmdir_locked(struct fs *fs, struct node *n, uint64_t *ret_ticket, struct error *err)
{
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	struct node *parent = n->parent, *tombstone;
	bool has_remote_marker;
	CLEANUP(freep) char *name = strdup(n->name);
	int r;

	JOURNAL_GROUP(fs->journal);
	*ret_ticket = 0;
	if (tree_has_children(n))
		return error_set(err, ERR_NOT_EMPTY, "the directory is not empty");
	if (!listing_is_just_made_locked(fs, n) && !node_is_local_locked(n))
		return -EAGAIN;
	r = tree_path_key(n, &where);
	if (r < 0 || !name)
		return key_error(r < 0 ? r : -ENOMEM, err);
	/* Being made right now, or made already though nobody was told. */
	has_remote_marker = (n->has_marker && n->expect != EXPECT_ABSENT) || (rare_of(n)->meta && n->rare->meta->was_tried);
	if (!pending_retract_locked(fs, PENDING_MARKER, &where, ret_ticket) && rare_of(n)->meta)
		has_remote_marker = true;
	if (n->rare)
		n->rare->meta = NULL;
	tree_pin(n);
	while (dir_of(n)->first_child) { /* tombstones */
		struct node *child = dir_of(n)->first_child;

		tree_detach(&fs->tree, child);
		tree_prune(&fs->tree, child);
	}
	tombstone = tree_set_absent(&fs->tree, parent, name);
	if (tombstone)
		tombstone->expires_ms = clock_mono_ms() + fs->options.meta_ttl_ms;
	/* Its rename is not through: the marker, if any, arrives yet. Or something below is on its way out: after a crash only a row
	 * tells that the directory went, too (and it goes in the same request as the others). */
	if (rare_of(n)->remote_key || stirs_below_locked(fs, &where))
		has_remote_marker = true;
	r = delete_markers(fs, n, &where, tombstone, has_remote_marker, ret_ticket, err);
	tree_unpin(&fs->tree, n);
	node_set_times(parent, clock_wall_ns());
	return r == 0 ? keep_emptied_dir(fs, parent, ret_ticket, err) : r;
}

int change_attrs_locked(struct fs *fs, struct node *n, uint64_t *ret_ticket, struct error *err)
{
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	int r;

	*ret_ticket = 0;
	n->has_attrs = true;
	tree_changed(&fs->tree, n);
	if (n->is_detached || n->type <= NODE_BUCKET || n->type == NODE_CONT || n->is_pinned_path)
		return 0; /* nothing in the cloud holds them */
	if (n->put || rare_of(n)->meta) {
		struct pending *op = n->put ? n->put : n->rare->meta;

		op->wants_redo = true; /* if it runs */
		*ret_ticket = pending_update_locked(op);
		return 0;
	}
	if (n->type == NODE_DIR)
		return queue_marker(fs, n, ret_ticket, err);
	r = tree_path_key(n, &where);
	if (r < 0)
		return key_error(r, err);
	r = pending_op_locked(fs, PENDING_META, &where, NULL, n, NULL, fs->options.upload_delay_ms, ret_ticket, err);
	if (r == 0)
		n->rare->meta = fs->queue.last; /* which is what made it */
	return r;
}
