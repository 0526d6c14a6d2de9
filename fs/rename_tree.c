#include "fs/rename_tree.h"
#include "backends/base/fault.h"
#include "backends/base/log.h"
#include "fs/file.h"
#include "fs/node_version.h"

#define COPIES_AT_ONCE 64

struct batch { /* copies under way; guarded by fs.lock */
	unsigned running;
	struct error error;
};

struct copy {
	struct job job;
	struct pending *op;
	struct batch *batch;
	uint64_t size;
	char *from_key, *key;
};

static void copy_free(struct copy *c)
{
	free(c->from_key);
	free(c->key);
	free(c);
}

/* Whether the node's bytes are at this key, as the operation found them. */
static bool is_from_here(const struct pending *op, const struct node *n, const char *from_key)
{
	CLEANUP(location_release) struct location now = LOCATION_INIT;

	return tree_remote_seq(n) <= op->seq && tree_remote_key(n, &now) == 0 && now.store == op->store &&
	       strcmp(now.bucket, op->from_bucket) == 0 && strcmp(now.key, from_key) == 0;
}

/* The node that shows this key now, if the tree has it: it gets the copy's version. */
static void note_copied_locked(struct pending *op, const char *from_key, const char *key, const char *version)
{
	struct location where = { op->store, op->bucket, (char *)key };
	struct fs *fs = op->fs;
	const char *rest = key + strlen(op->key);
	struct node *n = op->node;

	while (n && *rest) {
		size_t len = strcspn(rest, "/");
		CLEANUP(freep) char *name = strndup(rest, len);

		if (!name || !len)
			return;
		n = tree_child(&fs->tree, n, name); /* names that need an escape are simply looked up anew later */
		rest += len + (rest[len] == '/');
	}
	if (!n || n->type == NODE_ABSENT || node_is_dir(n))
		return;
	/* Copied again (the first attempt broke off), or from where it still is. Something else may have the name by now. */
	if (!(rare_of(n)->remote_key && strcmp(n->rare->remote_key, key) == 0 && n->rare->remote_seq == op->seq) && !is_from_here(op, n, from_key))
		return;
	if (n->put)
		n->expect = EXPECT_ANY; /* the upload that follows replaces the copy */
	if (n->put && n->file->is_whole) {
		(void)pending_update_locked(n->put); /* in the journal before our own row goes */
		return;
	}
	/* Version and place change together: from now on this one file is read at its new key. */
	if (tree_set_remote(n, &where, op->seq) < 0)
		return; /* read at the old key until the switch, then looked up anew */
	if (n->put) {
		file_set_base_locked(n->file, version); /* what its missing parts are read from */
		(void)pending_update_locked(n->put);
	} else {
		namespace_renew_version_locked(n, version);
	}
}

static void copy_ended(struct copy *c, const struct error *err, const char *version)
{
	struct fs *fs = c->op->fs;

	LOCKED(&fs->lock);
	if (err->kind)
		c->batch->error = *err;
	else
		note_copied_locked(c->op, c->from_key, c->key, version);
	c->batch->running--;
	cond_broadcast(&fs->changed);
	copy_free(c);
}

/* Some servers cannot copy a directory's own object (versitygw: DirectoryObjectContainsData): it is empty, so it is put anew. */
static int put_marker(struct copy *c, char *version, struct error *err)
{
	struct pending *op = c->op;
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_source source = STORE_SOURCE_INIT;
	struct store_object object = { 0 };
	struct store_put_args args = { .cancel = &op->cancel };
	int r = store_head(op->store, op->from_bucket, c->from_key, NULL, &arena, &object, err);

	if (r < 0)
		return r;
	args.meta = object.meta;
	args.meta_count = object.meta_count;
	args.content_type = object.content_type;
	return store_put(op->store, op->bucket, c->key, &source, &args, version, err);
}

static void copy_run(struct job *job)
{
	struct copy *c = container_of(job, struct copy, job);
	struct pending *op = c->op;
	struct store_copy_args args = { .source_size = c->size, .cancel = &op->cancel };
	char version[STORE_VERSION_MAX] = "";
	struct error err = ERROR_INIT;
	int r = store_copy(op->store, op->from_bucket, c->from_key, op->bucket, c->key, &args, version, &err);

	FAULT_POINT("tree-copied-one");
	if (r < 0 && err.kind == ERR_INVALID && c->size == 0 && str_ends(str_of(c->from_key), "/")) {
		err = ERROR_INIT;
		r = put_marker(c, version, &err);
	}
	if (r < 0 && err.kind == ERR_NOT_FOUND)
		err.kind = ERR_NONE; /* somebody else deleted it meanwhile */
	copy_ended(c, &err, version);
}

static void copy_drop(struct job *job)
{
	struct error err = ERROR_INIT;

	(void)error_set(&err, ERR_CANCELLED, "the mount ends");
	copy_ended(container_of(job, struct copy, job), &err, "");
}

static int start_copy(struct pending *op, struct batch *batch, const struct store_object *object, struct error *err)
{
	struct fs *fs = op->fs;
	struct copy *c = calloc(1, sizeof(*c));

	if (c) {
		c->op = op;
		c->batch = batch;
		c->size = object->size;
		c->from_key = strdup(object->key);
		c->key = str_format("%s%s", op->key, object->key + strlen(op->from_key));
	}
	if (!c || !c->from_key || !c->key) {
		if (c)
			copy_free(c);
		return error_set(err, ERR_NO_MEMORY, "no memory to rename");
	}
	if (strlen(c->key) > STORE_KEY_MAX) {
		int r = error_set(err, ERR_NAME_TOO_LONG, "the new key of '%.64s...' is too long", c->from_key);

		copy_free(c);
		return r;
	}
	c->job = (struct job){ .run = copy_run, .drop = copy_drop, .priority = 0 };
	lock_take(&fs->lock);
	while (batch->running >= COPIES_AT_ONCE)
		cond_wait(&fs->changed, &fs->lock);
	batch->running++;
	lock_drop(&fs->lock);
	workers_submit(fs->parts, &c->job);
	return 0;
}

/* Calls fn for each page of keys below a prefix. */
static int each_page(struct pending *op, const char *bucket, const char *prefix,
		     int (*fn)(struct pending *op, const struct store_page *page, void *arg, struct error *err), void *arg,
		     struct error *err)
{
	CLEANUP(freep) char *token = NULL;

	for (;;) {
		CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
		struct store_list_args args = { .prefix = prefix, .token = token, .cancel = &op->cancel };
		int r = store_list(op->store, bucket, &args, &page, err);

		if (r == 0)
			r = fn(op, &page, arg, err);
		if (r < 0 || !page.next_token)
			return r;
		free(token);
		token = strdup(page.next_token);
		if (!token)
			return error_set(err, ERR_NO_MEMORY, "no memory to rename");
	}
}

static int copy_page(struct pending *op, const struct store_page *page, void *arg, struct error *err)
{
	for (size_t i = 0; i < page->count; i++) {
		const struct store_object *o = &page->objects[i];
		int r = o->is_prefix ? 0 : keyset_add(&op->copied, o->key, o->version, err);

		if (r == 0 && !o->is_prefix)
			r = start_copy(op, arg, o, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What is deleted at the old place: the very version that was copied. An object that somebody else has put there since, or
 * changed, is theirs and stays. */
struct sweep {
	bool is_resumed; /* after a crash it is only known what is at the new place, not of which version */
};

static bool may_delete(struct pending *op, const struct sweep *sweep, const struct store_object *o)
{
	if (o->is_prefix)
		return false;
	return keyset_has(&op->copied, sweep->is_resumed ? o->key + strlen(op->from_key) : o->key,
			  sweep->is_resumed ? "" : o->version);
}

static int delete_keys(struct pending *op, const char *const *keys, size_t count, struct error *results, struct error *err)
{
	int r;

	FAULT_POINT("tree-delete-before");
	r = store_delete_many(op->store, op->from_bucket, keys, count, results, err);
	FAULT_POINT("tree-delete-after");
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (results[i].kind && results[i].kind != ERR_NOT_FOUND) {
			*err = results[i];
			r = -error_errnum(err->kind);
		}
	}
	return r;
}

/* A page may hold more than one delete takes (10,000 on Swift). */
static int delete_page(struct pending *op, const struct store_page *page, void *arg, struct error *err)
{
	CLEANUP(freep) struct error *results = calloc(STORE_DELETE_MAX, sizeof(*results));
	const char *keys[STORE_DELETE_MAX];
	size_t count = 0;
	int r = results ? 0 : error_set(err, ERR_NO_MEMORY, "no memory to rename");

	for (size_t i = 0; i < page->count && r == 0; i++) {
		if (may_delete(op, arg, &page->objects[i]))
			keys[count++] = page->objects[i].key;
		if (count < STORE_DELETE_MAX)
			continue;
		r = delete_keys(op, keys, count, results, err);
		count = 0;
	}
	return r < 0 || !count ? r : delete_keys(op, keys, count, results, err);
}

static int note_target_page(struct pending *op, const struct store_page *page, void *arg, struct error *err)
{
	int r = 0;

	(void)arg;
	for (size_t i = 0; i < page->count && r == 0; i++)
		if (!page->objects[i].is_prefix)
			r = keyset_add(&op->copied, page->objects[i].key + strlen(op->key), "", err);
	return r;
}

static int delete_all(struct pending *op, bool is_resumed, struct error *err)
{
	struct sweep sweep = { .is_resumed = is_resumed };
	int r = 0;

	if (is_resumed) {
		keyset_release(&op->copied);
		r = each_page(op, op->bucket, op->key, note_target_page, NULL, err);
	}
	return r < 0 ? r : each_page(op, op->from_bucket, op->from_key, delete_page, &sweep, err);
}

static int copy_all(struct pending *op, struct error *err)
{
	struct fs *fs = op->fs;
	struct batch batch = { 0 };
	int r;

	keyset_release(&op->copied); /* of an attempt before */
	r = each_page(op, op->from_bucket, op->from_key, copy_page, &batch, err);

	lock_take(&fs->lock);
	while (batch.running)
		cond_wait(&fs->changed, &fs->lock);
	lock_drop(&fs->lock);
	if (r == 0 && batch.error.kind) {
		*err = batch.error;
		r = -error_errnum(err->kind);
	}
	return r;
}

/* A copy of its bytes under a version we were not told. */
static void forget_version_locked(struct node *n)
{
	if (n->file && node_is_version(n, n->file->base_version))
		file_set_base_locked(n->file, "");
	node_set_version(n, NULL);
	n->expect = EXPECT_ANY;
	n->is_copied = !n->put;
	n->has_own_meta = false;
	n->expires_ms = 0;
	if (n->put) /* what its row expects is not there any more; written before our own row goes */
		(void)pending_update_locked(n->put);
}

static bool is_file(const struct node *n)
{
	return n->type == NODE_FILE || n->type == NODE_SYMLINK;
}

/* Whether the node begins a remote key below that prefix. */
static bool has_remote_below(const struct node *n, const char *bucket, const char *prefix)
{
	const struct rare *r = rare_of(n);

	return r->remote_key && strcmp(r->remote_bucket, bucket) == 0 && strncmp(r->remote_key, prefix, strlen(prefix)) == 0;
}

/* Files that the tree came to know from the old prefix after they had been copied. */
static void forget_versions_locked(struct node *n)
{
	if (is_file(n) && !rare_of(n)->remote_key && node_has_version(n) && !n->is_at_home)
		forget_version_locked(n);
	n->is_at_home = false;
	for (struct node *child = dir_of(n)->first_child; child; child = node_next(child))
		if (!node_is_dir(child) || !rare_of(child)->remote_key) /* else it came here from elsewhere */
			forget_versions_locked(child);
}

/* Remote keys that lie below the old prefix lie below the new one now, if they are from before the rename. */
static void flip_locked(struct pending *op, struct node *n)
{
	if (rare_of(n)->remote_seq <= op->seq && has_remote_below(n, op->from_bucket, op->from_key)) {
		CLEANUP(freep) char *moved = str_format("%s%s", op->key, n->rare->remote_key + strlen(op->from_key));

		if (moved)
			(void)namespace_moved_locked(op, n, moved);
		/* Else note_copied_locked had told. It looks below the operation's own node only: what was moved out of that since
		 * is a copy of a version we were not told, too. */
		if (is_file(n))
			forget_version_locked(n);
		else
			forget_versions_locked(n);
	} else if (rare_of(n)->remote_seq == op->seq && has_remote_below(n, op->bucket, op->key)) {
		CLEANUP(freep) char *key = strdup(n->rare->remote_key);

		if (key && namespace_moved_locked(op, n, key))
			n->is_at_home = true; /* its version is the copy's */
	}
	for (struct node *child = dir_of(n)->first_child; child; child = node_next(child))
		flip_locked(op, child);
}

/* What was unlinked in the directory while it was open is read on at the new place: its delete waits for the last close. */
static void flip_origins_locked(struct pending *op)
{
	size_t len = strlen(op->from_key);

	for (struct pending *later = op->next; later; later = later->next) {
		struct file *f = later->hold ? later->hold->file : NULL;
		char *key, *bucket;

		if (!f || !f->origin.key || f->origin.store != op->store || strcmp(f->origin.bucket, op->from_bucket) != 0 ||
		    strncmp(f->origin.key, op->from_key, len) != 0)
			continue;
		key = str_format("%s%s", op->key, f->origin.key + len);
		bucket = strdup(op->bucket);
		if (key && bucket) {
			location_release(&f->origin);
			f->origin = (struct location){ op->store, steal(bucket), steal(key) };
			file_set_base_locked(f, ""); /* the copy's version was not told */
		}
		free(key);
		free(bucket);
	}
}

static int switch_over(struct pending *op, struct error *err)
{
	struct fs *fs = op->fs;
	uint64_t ticket;

	lock_take(&fs->lock);
	op->flags |= PENDING_FLAG_DELETING;
	ticket = pending_update_locked(op);
	/* Only directories that were renamed, and what was moved out of them, have remote keys: below this store. The directory
	 * itself may have been removed since; what was moved out of it was not. */
	for (struct node *n = dir_of(fs->tree.root)->first_child; n; n = node_next(n))
		if (n->type == NODE_STORE && dir_of(n)->store == op->store)
			flip_locked(op, n);
	if (op->node)
		forget_versions_locked(op->node);
	flip_origins_locked(op);
	lock_drop(&fs->lock);
	return journal_wait(fs->journal, ticket, err);
}

/* Where the store has directories: one step, and nothing is left to copy nor to delete. 1: it is to be copied, because the store
 * cannot, something is in the way, or it was renamed before a crash (then there is nothing left to copy either). */
static int rename_at_once(struct pending *op, struct error *err)
{
	char version[STORE_VERSION_MAX] = "";
	unsigned caps = __atomic_load_n(&op->store->caps, __ATOMIC_RELAXED);
	int r;

	if (!(caps & STORE_CAP_RENAME_DIR) || strcmp(op->from_bucket, op->bucket) != 0)
		return 1;
	r = store_rename(op->store, op->bucket, op->from_key, op->key, NULL, version, err);
	if (r < 0 && !error_is_retryable(err->kind) && err->kind != ERR_CANCELLED && err->kind != ERR_PERMISSION &&
	    err->kind != ERR_BUDGET) {
		*err = ERROR_INIT;
		return 1;
	}
	return r;
}

int rename_tree_run(struct pending *op, struct error *err)
{
	bool is_resumed = (op->flags & PENDING_FLAG_DELETING) && !op->copied.count;
	int r;

	/* Of objects that were at these names before: what comes may have the same version, and other attributes. */
	journal_attrs_delete_below(op->fs->journal, op->store->name, op->bucket, op->key);
	if (!(op->flags & PENDING_FLAG_DELETING)) {
		FAULT_POINT("tree-copy-before");
		r = rename_at_once(op, err);
		if (r == 1)
			r = copy_all(op, err);
		FAULT_POINT("tree-copied-all");
		if (r < 0)
			return r;
		r = switch_over(op, err);
		FAULT_POINT("tree-switched");
		if (r < 0)
			return r;
	}
	r = delete_all(op, is_resumed, err);
	if (r == 0)
		journal_attrs_delete_below(op->fs->journal, op->store->name, op->from_bucket, op->from_key);
	return r;
}
