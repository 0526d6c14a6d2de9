#include "backends/base/clock.h"
#include "fs/change.h"
#include "fs/file.h"
#include "fs/listing.h"
#include "fs/naming.h"
#include "fs/node_version.h"
#include <linux/fs.h>
#include <sys/stat.h>

/* What the cloud has at the key a file is renamed to. */
struct target {
	enum node_expect expect;
	char *version;
};

static int check_types(struct fs *fs, const struct node *n, const struct node *t, unsigned flags, struct error *err)
{
	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return error_set(err, ERR_INVALID, "names cannot be exchanged in one step");
	if (!node_exists(t))
		return 0;
	if (flags & RENAME_NOREPLACE)
		return error_set(err, ERR_EXISTS, "the name exists");
	if (node_is_dir(t) && !node_is_dir(n))
		return -EISDIR;
	if (!node_is_dir(t) && node_is_dir(n))
		return -ENOTDIR;
	if (node_is_dir(t) && tree_has_children(t))
		return error_set(err, ERR_NOT_EMPTY, "the directory is not empty");
	if (node_is_dir(t) && !listing_is_just_made_locked(fs, t) && !node_is_local_locked(t))
		return -EAGAIN;
	return 0;
}

/* Takes the replaced node out of the view; the cloud's object at its key is replaced by what comes. */
static void replace_target(struct fs *fs, struct node *t, const struct location *to, struct target *ret,
			   uint64_t *ret_ticket)
{
	bool is_open = pending_touches_locked(fs, to);

	*ret = (struct target){ is_open ? EXPECT_ANY : EXPECT_ABSENT, NULL };
	if (!node_exists(t))
		(void)pending_retract_locked(fs, PENDING_DELETE, to, ret_ticket);
	if (!t)
		return;
	if (t->type != NODE_ABSENT) {
		/* Its own upload, if it has not begun, never happens; anything else at its key may change the object yet. */
		if (rare_of(t)->pending_count == 1 && t->put && !t->put->was_tried && !fs->queue.trees)
			is_open = false;
		ret->expect = is_open || rare_of(t)->remote_key ? EXPECT_ANY : (enum node_expect)t->expect;
		ret->version = ret->expect == EXPECT_VERSION && node_has_version(t) ? strdup(node_version(t).text) : NULL;
		if (t->file && !file_is_complete_locked(t->file) && !t->file->origin.key)
			(void)!tree_remote_key(t, &t->file->origin);
		*ret_ticket = pending_put_cancel_locked(fs, t);
		if (t->rare)
			t->rare->meta = NULL;
	}
	tree_pin(t);
	tree_detach(&fs->tree, t);
	if (t->file && file_is_idle_locked(t->file))
		file_drop_locked(fs, t);
	tree_unpin(&fs->tree, t);
}

/* Where the bytes of what is about to be renamed are: at its path, or, while a rename of its own or of a directory above is not
 * through, still further back. */
struct origin {
	struct location where;
	uint64_t seq; /* changes queued before it do not concern them */
};

static int find_origin(struct fs *fs, const struct node *n, struct origin *ret)
{
	ret->seq = tree_remote_seq(n);
	if (!ret->seq) /* all that is queued is older than the rename */
		ret->seq = fs->queue.last ? fs->queue.last->seq + 1 : 1;
	return tree_remote_key(n, &ret->where);
}

static int move_node(struct fs *fs, struct node *n, struct node *parent, const char *name,
		     struct node **ret_tombstone)
{
	struct node *old_parent = n->parent, *tombstone;
	CLEANUP(freep) char *old_name = strdup(n->name);
	int64_t now = clock_wall_ns();
	int r = old_name ? tree_move(&fs->tree, n, parent, name) : -ENOMEM;

	if (r < 0)
		return r;
	n->is_shadowed = !node_is_dir(n) && naming_is_shadowed(name);
	node_set_ctime(n, now);
	tree_changed(&fs->tree, n);
	tombstone = tree_set_absent(&fs->tree, old_parent, old_name);
	if (tombstone)
		tombstone->expires_ms = clock_mono_ms() + fs->options.meta_ttl_ms;
	*ret_tombstone = tombstone;
	node_set_times(old_parent, now);
	node_set_times(parent, now);
	return 0;
}

/* A file with local content that the cloud does not have: its upload goes to the new key; the old object, if any, goes. */
static int rename_dirty(struct fs *fs, struct node *n, const struct location *from, struct node *tombstone,
			bool had_remote, struct target *target, uint64_t *ret_ticket, struct error *err)
{
	uint64_t ticket = 0;
	int r;

	file_forget_base_locked(n->file); /* it goes with the old name */
	n->expect = target->expect;
	node_set_version(n, target->version);
	tree_clear_remote(n);
	r = pending_put_rekey_locked(fs, n, ret_ticket, err);
	if (r < 0 || !had_remote)
		return r;
	r = pending_op_locked(fs, PENDING_DELETE, from, NULL, tombstone, NULL, fs->options.upload_delay_ms, &ticket, err);
	if (ticket)
		*ret_ticket = ticket;
	return r;
}

static int rename_file(struct fs *fs, struct node *n, const struct location *from, const struct location *to,
		       const struct origin *origin, struct node *tombstone, bool was_tried, struct target *target,
		       uint64_t *ret_ticket, struct error *err)
{
	bool is_dirty = n->put != NULL;
	uint64_t ticket = 0;
	int r;

	if (n->rare)
		n->rare->meta = NULL; /* what waits at the old key runs first */
	if (is_dirty && n->file->is_whole)
		return rename_dirty(fs, n, from, tombstone, n->expect != EXPECT_ABSENT || was_tried || rare_of(n)->remote_key, target,
				    ret_ticket, err);
	if (tree_set_remote(n, &origin->where, origin->seq) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory to rename");
	r = pending_op_locked(fs, PENDING_RENAME, to, from, n, NULL, 0, ret_ticket, err);
	if (r == 0 && is_dirty) { /* a mixture: the copy first, then the upload over it */
		r = pending_put_rekey_locked(fs, n, &ticket, err);
		n->expect = EXPECT_ANY;
		if (ticket)
			*ret_ticket = ticket;
	} else if (r == 0 && n->file && (ticket = passthrough_renew_locked(n->file))) {
		*ret_ticket = ticket;
	}
	return r;
}

/* Uploads below a renamed directory go to their new keys, after the directory's own rename. */
static int rekey_below(struct fs *fs, struct node *dir, uint64_t *ret_ticket, struct error *err)
{
	for (struct node *n = dir_of(dir)->first_child; n; n = node_next(n)) {
		uint64_t ticket = 0;
		int r = 0;

		if (rare_of(n)->meta && node_is_dir(n))
			n->expect = EXPECT_ANY; /* its own object is still to be made, at the old key: it comes along */
		if (n->rare)
			n->rare->meta = NULL;
		if (n->put) {
			n->expect = EXPECT_ANY; /* the directory's rename may bring an older version there first */
			r = pending_put_rekey_locked(fs, n, &ticket, err);
		} else if (n->file) {
			ticket = passthrough_renew_locked(n->file);
		}
		if (r < 0)
			return r;
		if (ticket)
			*ret_ticket = ticket;
		r = rekey_below(fs, n, ret_ticket, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int rename_dir(struct fs *fs, struct node *n, const struct location *from, const struct location *to,
		      const struct origin *origin, uint64_t *ret_ticket, struct error *err)
{
	int r = tree_set_remote(n, &origin->where, origin->seq);

	if (r < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory to rename");
	if (n->rare->meta) /* tree_set_remote made it */
		n->expect = EXPECT_ANY;
	n->rare->meta = NULL;
	r = pending_op_locked(fs, PENDING_RENAME_TREE, to, from, n, NULL, 0, ret_ticket, err);
	if (r == 0)
		r = rekey_below(fs, n, ret_ticket, err);
	return r;
}

int change_rename_locked(struct fs *fs, struct node *n, struct node *parent, const char *name, unsigned flags,
			 uint64_t *ret_ticket, struct error *err)
{
	CLEANUP(location_release) struct location from = LOCATION_INIT;
	CLEANUP(location_release) struct location to = LOCATION_INIT;
	struct node *t = tree_child(&fs->tree, parent, name), *tombstone = NULL;
	struct origin origin = { 0 };
	struct target target;
	bool was_tried;
	int r;

	JOURNAL_GROUP(fs->journal);
	*ret_ticket = 0;
	if (t == n)
		return 0;
	passthrough_settle_all_locked(fs);
	was_tried = n->put && n->put->was_tried;
	if (n->type <= NODE_BUCKET || n->type == NODE_CONT || parent->type <= NODE_STORE)
		return -EXDEV;
	r = check_types(fs, n, t, flags, err);
	if (r < 0)
		return r;
	r = tree_path_key(n, &from);
	if (r == 0)
		r = tree_child_key(parent, name, node_is_dir(n), &to);
	if (r == 0 && !node_is_dir(n))
		r = change_check_name_locked(fs, parent, name, &to);
	if (r < 0)
		return r;
	if (from.store != to.store)
		return -EXDEV;
	r = find_origin(fs, n, &origin);
	if (r < 0)
		return r;
	replace_target(fs, t, &to, &target, ret_ticket);
	r = move_node(fs, n, parent, name, &tombstone);
	if (r == 0 && node_is_dir(n))
		r = rename_dir(fs, n, &from, &to, &origin, ret_ticket, err);
	else if (r == 0)
		r = rename_file(fs, n, &from, &to, &origin, tombstone, was_tried, &target, ret_ticket, err);
	free(target.version);
	location_release(&origin.where);
	return r;
}
