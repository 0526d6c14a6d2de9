#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include "backends/base/log.h"
#include "fs/attrs.h"
#include "fs/file.h"
#include "fs/listing.h"
#include "fs/node_version.h"
#include "fs/owed.h"
#include "fs/pending.h"
#include "fs/pending_view.h"
#include "fs/rename_tree.h"

/*
 * The changes of names, one function per kind: each blocks on the network, on a worker of fs.up, and can be done again from its
 * beginning without harm (after a crash, or when an answer was lost).
 */

/* Refused for good: the view goes back to what the cloud has, and `status` says why. */
static void namespace_undo_locked(struct pending *op, const struct error *err)
{
	struct fs *fs = op->fs;
	struct node *n = op->node;
	struct node *bucket = n ? tree_bucket_of(n) : NULL;
	CLEANUP(freep) char *path = n ? tree_path(&fs->tree, n) : NULL;

	fs_note_error_locked(fs, path ? path : op->key, err);
	log_warn("change.refused", "what=%s key='%s' error='%s'", pending_kind_name(op->kind), op->key, err->message);
	if (err->kind == ERR_PERMISSION && bucket) {
		bucket->is_readonly = true;
		node_dir(bucket)->readonly_until_ms = clock_mono_ms() + 60000;
	}
	if (!n)
		return;
	if (n->parent) {
		n->parent->is_complete = false;
		node_dir(n->parent)->listed_until_ms = 0;
	}
	n->expires_ms = 0;
	if (op->kind == PENDING_META)
		n->has_attrs = false;
	else if (!n->put && n->parent && n->type != NODE_BUCKET)
		tree_detach(&fs->tree, n);
}

static void finish(struct pending *op, int r, const struct error *err)
{
	struct fs *fs = op->fs;

	LOCKED(&fs->lock);
	if (r == 0) {
		if (op->wants_redo && !op->is_abandoned)
			pending_retry_locked(op, NULL);
		else
			pending_done_locked(op);
	} else if (error_is_retryable(err->kind) || err->kind == ERR_CANCELLED || err->kind == ERR_BUDGET ||
		   (err->kind == ERR_CONFLICT && op->attempts < 5)) { /* something else is in the way, for now */
		if (op->attempts == 0 && err->kind != ERR_CANCELLED)
			fs_note_failure_locked(fs, op->key, op->seq, err);
		pending_retry_locked(op, err);
	} else {
		struct node *n = op->node;

		namespace_undo_locked(op, err);
		op->is_abandoned = true;
		if (n)
			tree_pin(n);
		pending_done_locked(op);
		if (n) { /* what pending_done notes as a local change must not hide what is undone */
			n->expires_ms = 0;
			n->changed = 0;
			tree_unpin(&fs->tree, n);
		}
	}
}

static bool has_gone(size_t count, int r, const struct error *result, const struct error *err)
{
	const struct error *why = r < 0 || count == 1 ? err : result;

	return why->kind == ERR_NOT_FOUND || (r == 0 && why->kind == ERR_NONE);
}

/* The rows of those that are gone leave the journal before anything else may be done at their keys. */
static void forget_rows(struct pending *batch, int r, const struct error *results, const struct error *err,
			struct error *ret_failure)
{
	uint64_t ticket = 0;
	size_t count = 0, i = 0;

	for (struct pending *op = batch; op; op = op->batch_next) {
		journal_attrs_delete(op->fs->journal, op->store->name, op->bucket, op->key);
		count++;
	}
	journal_attrs_settle(batch->fs->journal);
	for (struct pending *op = batch; op; op = op->batch_next, i++)
		if (has_gone(count, r, results ? &results[i] : NULL, err))
			ticket = pending_forget_row(op);
	if (pending_wait_journal(batch->fs, ticket, ret_failure) < 0)
		log_warn("journal.write", "what='deletes' error='%s'", ret_failure->message);
}

void namespace_run_deletes(struct pending *batch)
{
	struct fs *fs = batch->fs;
	const char *keys[STORE_DELETE_MAX];
	struct error *results = calloc(STORE_DELETE_MAX, sizeof(*results));
	struct error err = ERROR_INIT, unforgotten = ERROR_INIT;
	uint64_t ticket = 0;
	size_t count = 0;
	int r;

	for (struct pending *op = batch; op; op = op->batch_next) {
		keys[count++] = op->key;
		if (op->ticket > ticket)
			ticket = op->ticket;
	}
	FAULT_POINT("delete-before");
	if (!results)
		r = error_set(&err, ERR_NO_MEMORY, "no memory to delete");
	else if (pending_wait_journal(fs, ticket, &err) < 0)
		r = -EIO;
	else if (count == 1)
		r = store_delete(batch->store, batch->bucket, keys[0], NULL, NULL, &err);
	else
		r = store_delete_many(batch->store, batch->bucket, keys, count, results, &err);
	FAULT_POINT("delete-after");
	forget_rows(batch, r, results, &err, &unforgotten);
	for (size_t i = 0; batch; i++) {
		struct pending *op = batch;
		const struct error *why = r < 0 || count == 1 ? &err : &results[i];
		int one = r < 0 ? r : why->kind ? -error_errnum(why->kind) : 0;

		batch = op->batch_next;
		if (one < 0 && why->kind == ERR_NOT_FOUND)
			one = 0;
		if (one == 0 && unforgotten.kind) {
			one = -EIO;
			why = &unforgotten;
		} else if (one == 0) {
			LOCKED(&fs->lock);
			if (op->node && op->node->type == NODE_ABSENT) {
				node_set_version(op->node, NULL);
			}
		}
		finish(op, one, why);
	}
	free(results);
}

/* The object has a new version with the same bytes: what is cached here and in the kernel stays good. */
void namespace_renew_version_locked(struct node *n, const char *version)
{
	bool same_pages = rare_of(n)->opened_version && node_is_version(n, n->rare->opened_version);

	if (n->file && node_is_version(n, n->file->base_version))
		file_set_base_locked(n->file, version);
	node_set_version(n, version);
	n->expect = node_has_version(n) ? EXPECT_VERSION : EXPECT_ANY;
	if (same_pages)
		node_note_pages(n);
	if (n->put) /* its row says what it is based on; before the row of what made the version goes */
		(void)pending_update_locked(n->put);
	else if (n->file)
		(void)passthrough_renew_locked(n->file);
}

/* The node was written to and renamed on since: its upload is to another key, whose object is not the one this made. */
static bool goes_elsewhere(const struct pending *op)
{
	const struct pending *put = op->node->put;

	return put && (strcmp(put->key, op->key) != 0 || strcmp(put->bucket, op->bucket) != 0);
}

bool namespace_moved_locked(struct pending *op, struct node *n, const char *key)
{
	CLEANUP(location_release) struct location path = LOCATION_INIT;
	struct location where = { op->store, op->bucket, (char *)key };
	bool is_home = !n->is_detached && tree_path_key(n, &path) == 0 && strcmp(path.key, key) == 0 &&
		       strcmp(path.bucket, op->bucket) == 0 && !pending_leaves_locked(op->fs, &where, op->seq);

	tree_note_moved(&op->fs->tree, n);
	if (is_home)
		tree_clear_remote(n);
	else if (tree_set_remote(n, &where, op->seq) < 0)
		log_error("rename", "key='%s' error='no memory'", key); /* looked for where it was, and not found: ESTALE */
	return is_home;
}

/* Whether the node's bytes are where the operation took them from. What is copied is read from where the original was, which a rename
 * before (taken up after a kill) may have left since. */
static bool comes_along(const struct pending *op)
{
	const struct rare *r = rare_of(op->node);

	return r->remote_key && r->remote_seq <= op->seq &&
	       (op->kind == PENDING_COPY ||
		(strcmp(r->remote_key, op->from_key) == 0 && strcmp(r->remote_bucket, op->from_bucket) == 0));
}

/* Where the node's bytes are from now on: the key itself. Nodes that were renamed on have it as their remote key. */
static void arrived_locked(struct pending *op, const char *version)
{
	struct node *n = op->node;
	bool came_along;

	if (!n || n->type == NODE_ABSENT)
		return;
	came_along = comes_along(op);
	if (came_along)
		namespace_moved_locked(op, n, op->key);
	if (version[0] && !goes_elsewhere(op)) {
		/* The second of two renames: the first gave the file another base than the node's version. */
		if (came_along && n->file && n->file->base_version[0] && !n->file->is_new_version)
			file_set_base_locked(n->file, version);
		namespace_renew_version_locked(n, version);
	} else if (version[0] && n->file && !n->file->is_whole && rare_of(n)->remote_key &&
		   strcmp(n->rare->remote_key, op->key) == 0) {
		file_set_base_locked(n->file, version); /* only what its missing parts are read from */
	}
}

/* Somebody changed what was to be renamed or copied, and theirs is what arrived: nothing that is known of the node holds for it. A
 * file that was written to since keeps the version it was based on: its upload finds out. */
static int arrived_other(struct pending *op, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_object object = { 0 };
	struct node *n = op->node;
	int r = store_head(op->store, op->bucket, op->key, NULL, &arena, &object, err);

	if (r < 0)
		return r;
	log_debug("rename.other", "key='%s' version='%s'", op->key, object.version);
	LOCKED(&op->fs->lock);
	if (!n || n->type == NODE_ABSENT)
		return 0;
	if (comes_along(op))
		namespace_moved_locked(op, n, op->key);
	if (!n->put)
		node_fill_locked(op->fs, n, &object, NULL);
	return 0;
}

static void remember(struct pending *op, const char *version)
{
	struct location where = { op->store, op->bucket, op->key };
	struct attrs a = ATTRS_INIT;
	bool has_attrs;

	lock_take(&op->fs->lock);
	has_attrs = op->node && op->node->has_attrs && attrs_of_node(op->node, &a) == 0;
	lock_drop(&op->fs->lock);
	if (has_attrs)
		attrs_remember(op->fs, &where, version, &a);
	else /* what was at the key before may have had the same version */
		journal_attrs_delete(op->fs->journal, where.store->name, where.bucket, where.key);
	attrs_release(&a);
}

static int node_meta(struct pending *op, struct arena *arena, struct store_meta **ret, size_t *ret_count,
		     struct error *err)
{
	struct attrs a = ATTRS_INIT;
	int r;

	lock_take(&op->fs->lock);
	r = op->node ? attrs_of_node(op->node, &a) : -ESTALE;
	op->wants_redo = false;
	lock_drop(&op->fs->lock);
	if (r == 0)
		r = attrs_to_meta(&a, arena, ret, ret_count);
	attrs_release(&a);
	return r < 0 ? error_errno(err, -r, "cannot put attributes together") : 0;
}

/* The version that a rename or a copy finds, as far as it is known; "" when it is not. */
static void known_source(const struct pending *op, char ret[STORE_VERSION_MAX])
{
	CLEANUP(location_release) struct location now = LOCATION_INIT;
	const struct node *n = op->node;

	LOCKED(&op->fs->lock);
	if (op->kind == PENDING_COPY) {
		memcpy(ret, op->expect, STORE_VERSION_MAX);
		return;
	}
	if (n && node_has_version(n) && !n->put && tree_remote_key(n, &now) == 0 && strcmp(now.key, op->from_key) == 0 &&
	    strcmp(now.bucket, op->from_bucket) == 0)
		memcpy(ret, node_version(n).text, STORE_VERSION_MAX);
}

/* Copies what is there, and tells which version that was: nothing else may be deleted afterwards. */
static int copy_seen(struct pending *op, struct store_copy_args *args, char *source, char *version, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_object object = { 0 };
	int r;

	args->if_source_version = source[0] ? source : NULL;
	r = store_copy(op->store, op->from_bucket, op->from_key, op->bucket, op->key, args, version, err);
	if (r >= 0 || err->kind != ERR_PRECONDITION || !source[0])
		return r;
	*err = ERROR_INIT; /* somebody changed it: theirs is what is renamed */
	r = store_head(op->store, op->from_bucket, op->from_key, NULL, &arena, &object, err);
	if (r < 0)
		return r;
	memcpy(source, object.version, STORE_VERSION_MAX);
	args->source_size = object.size;
	r = store_copy(op->store, op->from_bucket, op->from_key, op->bucket, op->key, args, version, err);
	if (r < 0 && err->kind == ERR_PRECONDITION)
		err->kind = ERR_CONFLICT; /* and again: another time */
	return r < 0 ? -error_errnum(err->kind) : r;
}

/* source: the version that was copied, as far as that is known. */
static int copy_object(struct pending *op, char *source, char *version, struct error *err)
{
	struct store_copy_args args = { .cancel = &op->cancel };
	CLEANUP(arena_release) struct arena meta_arena = ARENA_INIT(1 << 20);
	struct store_meta *meta = NULL;
	int r;

	if (op->kind == PENDING_COPY && op->node) { /* a new file with the old one's bytes, not its attributes */
		r = node_meta(op, &meta_arena, &meta, &args.meta_count, err);
		if (r < 0)
			return r;
		args.meta = meta;
		args.replaces_meta = true;
	}
	lock_take(&op->fs->lock);
	args.source_size = op->node ? op->node->size : 0;
	lock_drop(&op->fs->lock);
	if (op->store->ops->copy)
		r = copy_seen(op, &args, source, version, err);
	else
		r = error_set(err, ERR_UNSUPPORTED, "the store cannot copy");
	if (r < 0 && err->kind == ERR_NOT_FOUND && op->kind == PENDING_RENAME) {
		/* Done already by an attempt whose answer was lost, or before a crash? */
		CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
		struct store_object object = { 0 };

		if (store_head(op->store, op->bucket, op->key, NULL, &arena, &object, NULL) < 0)
			return r;
		memcpy(version, object.version, STORE_VERSION_MAX);
		source[0] = '\0';
		r = 0;
	}
	return r;
}

/* One request instead of a copy and a delete, where the store moves objects. 1: it is to be copied, because the store cannot, or
 * there is nothing to move: then the copy finds out whether it was moved before a crash. */
static int move_object(struct pending *op, const char *source, char *version, struct error *err)
{
	unsigned caps = __atomic_load_n(&op->store->caps, __ATOMIC_RELAXED);
	int r;

	if (op->kind != PENDING_RENAME || !(caps & STORE_CAP_RENAME) || strcmp(op->from_bucket, op->bucket) != 0 ||
	    !*op->from_key || str_ends(str_of(op->from_key), "/") || str_ends(str_of(op->key), "/"))
		return 1;
	r = store_rename(op->store, op->bucket, op->from_key, op->key, source[0] ? source : NULL, version, err);
	if (r < 0 && !error_is_retryable(err->kind) && err->kind != ERR_CANCELLED && err->kind != ERR_BUDGET) {
		*err = ERROR_INIT;
		return 1;
	}
	return r;
}

/* What was renamed goes from its old name; what somebody put there since stays. */
static int delete_source(struct pending *op, const char *source, struct error *err)
{
	unsigned caps = __atomic_load_n(&op->store->caps, __ATOMIC_RELAXED);
	const char *condition = source[0] && (caps & STORE_CAP_CONDITIONAL_DELETE) ? source : NULL;
	int r = store_delete(op->store, op->from_bucket, op->from_key, condition, NULL, err);

	if (r < 0 && condition && err->kind == ERR_PRECONDITION) {
		log_warn("rename.conflict", "key='%s' what='changed by somebody else meanwhile: it stays beside the new name'",
			 op->from_key);
		*err = ERROR_INIT;
		return 0;
	}
	if (r == 0)
		journal_attrs_delete(op->fs->journal, op->store->name, op->from_bucket, op->from_key);
	return r < 0 && err->kind == ERR_NOT_FOUND ? 0 : r;
}

static int run_rename(struct pending *op, struct error *err)
{
	char version[STORE_VERSION_MAX] = "", source[STORE_VERSION_MAX] = "", known[STORE_VERSION_MAX] = "";
	bool is_moved, is_other;
	int r;

	FAULT_POINT("rename-before");
	known_source(op, known);
	memcpy(source, known, sizeof(source));
	r = move_object(op, source, version, err);
	is_moved = r == 0;
	if (r == 1)
		r = copy_object(op, source, version, err);
	FAULT_POINT("rename-copied");
	if (r < 0)
		return r;
	is_other = known[0] && source[0] && strcmp(known, source) != 0;
	if (!is_other || op->kind == PENDING_COPY)
		remember(op, version);
	if (is_other) {
		r = arrived_other(op, err);
		if (r < 0)
			return r;
	} else {
		lock_take(&op->fs->lock);
		arrived_locked(op, version); /* from now on reads go to the new key, so the old one may go */
		lock_drop(&op->fs->lock);
	}
	if (op->kind == PENDING_COPY)
		return 0;
	if (is_moved)
		journal_attrs_delete(op->fs->journal, op->store->name, op->from_bucket, op->from_key);
	else
		r = delete_source(op, source, err);
	FAULT_POINT("rename-deleted");
	return r;
}

/* An object "d/" may hold something (then it is the file d/%~): an empty one must not take its place. */
static int has_content(struct pending *op, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct error missing = ERROR_INIT;
	struct store_object object;
	bool is_new;
	int r;

	lock_take(&op->fs->lock);
	is_new = op->node->expect == EXPECT_ABSENT;
	lock_drop(&op->fs->lock);
	if (is_new)
		return 0;
	r = store_head(op->store, op->bucket, op->key, NULL, &arena, &object, &missing);
	if (r == 0)
		return object.size > 0;
	if (missing.kind == ERR_NOT_FOUND)
		return 0;
	*err = missing;
	return r;
}

static int run_marker(struct pending *op, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_source source = STORE_SOURCE_INIT;
	struct store_put_args args = { .content_type = "application/x-directory", .cancel = &op->cancel };
	struct store_meta *meta = NULL;
	char version[STORE_VERSION_MAX];
	int r = node_meta(op, &arena, &meta, &args.meta_count, err);

	if (r < 0)
		return r;
	args.meta = meta;
	FAULT_POINT("marker-before");
	r = has_content(op, err);
	if (r > 0)
		r = store_set_meta(op->store, op->bucket, op->key, NULL, meta, args.meta_count, version, err);
	else if (r == 0)
		r = store_put(op->store, op->bucket, op->key, &source, &args, version, err);
	FAULT_POINT("marker-after");
	if (r < 0)
		return r;
	remember(op, version);
	LOCKED(&op->fs->lock);
	op->node->expect = EXPECT_ANY; /* it is there now: rmdir has to delete it */
	return 0;
}

/* Other metadata of the object, of programs we know nothing about, is kept. */
static int merge_meta(const struct store_object *object, struct arena *arena, struct store_meta **meta, size_t *count,
		      struct error *err)
{
	struct store_meta *all = arena_alloc(arena, (*count + object->meta_count + 1) * sizeof(*all));
	size_t n = 0;

	if (!all)
		return error_set(err, ERR_NO_MEMORY, "no memory for attributes");
	for (size_t i = 0; i < *count; i++)
		all[n++] = (*meta)[i];
	for (size_t i = 0; i < object->meta_count; i++) {
		bool is_ours = strcmp(object->meta[i].name, "xattr") == 0;

		for (size_t k = 0; k < *count; k++)
			is_ours |= strcmp(object->meta[i].name, (*meta)[k].name) == 0;
		if (!is_ours)
			all[n++] = object->meta[i];
	}
	*meta = all;
	*count = n;
	return 0;
}

/* The version whose metadata is all ours, so that nothing has to be asked for; "" when that is not known. */
static void own_version(struct pending *op, char ret[STORE_VERSION_MAX])
{
	const struct node *n = op->node;

	LOCKED(&op->fs->lock);
	if (n->has_own_meta && node_has_version(n) && !n->put)
		memcpy(ret, node_version(n).text, STORE_VERSION_MAX);
}

/* Of an object that others may have written metadata to: theirs stays. */
static int set_merged_meta(struct pending *op, struct arena *arena, struct store_meta *meta, size_t count, char *ret_base,
			   char *ret_version, struct error *err)
{
	struct store_object object = { 0 };
	int r = store_head(op->store, op->bucket, op->key, NULL, arena, &object, err);

	if (r == 0)
		r = merge_meta(&object, arena, &meta, &count, err);
	if (r == 0)
		r = store_set_meta(op->store, op->bucket, op->key, object.version, meta, count, ret_version, err);
	memcpy(ret_base, object.version, STORE_VERSION_MAX);
	return r;
}

static int run_meta(struct pending *op, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(4 << 20);
	struct store_meta *meta = NULL;
	char version[STORE_VERSION_MAX] = "", base[STORE_VERSION_MAX] = "";
	size_t count = 0;
	bool is_set = false;
	int r = node_meta(op, &arena, &meta, &count, err);

	if (r < 0)
		return r;
	own_version(op, base);
	if (base[0]) {
		r = store_set_meta(op->store, op->bucket, op->key, base, meta, count, version, err);
		is_set = r == 0 || err->kind != ERR_PRECONDITION; /* else somebody made another version */
	}
	if (!is_set)
		r = set_merged_meta(op, &arena, meta, count, base, version, err);
	if (r < 0)
		return r;
	remember(op, version);
	lock_take(&op->fs->lock);
	if (node_is_version(op->node, base) && !goes_elsewhere(op)) {
		namespace_renew_version_locked(op->node, version);
	} else {
		op->node->expires_ms = 0;
	}
	lock_drop(&op->fs->lock);
	return 0;
}

void namespace_run(struct pending *op)
{
	struct error err = ERROR_INIT;
	int r = 0;

	switch (op->kind) {
	case PENDING_RENAME:
	case PENDING_COPY:
		r = run_rename(op, &err);
		break;
	case PENDING_RENAME_TREE:
		r = rename_tree_run(op, &err);
		break;
	case PENDING_MARKER:
		r = run_marker(op, &err);
		break;
	case PENDING_META:
		r = run_meta(op, &err);
		break;
	case PENDING_ABORT:
		r = owed_run(op, &err);
		break;
	case PENDING_PUT:
	case PENDING_OPENED:
	case PENDING_DELETE:
		break; /* never come here */
	}
	if (r == 0 && (op->kind == PENDING_RENAME || op->kind == PENDING_COPY || op->kind == PENDING_RENAME_TREE)) {
		journal_attrs_settle(op->fs->journal);
		r = pending_wait_journal(op->fs, pending_forget_row(op), &err);
	}
	finish(op, r, &err);
}
