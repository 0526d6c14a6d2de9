#include "fs/pending_keys.h"
#include "backends/base/hash.h"

uint64_t pending_keys_hash(const struct store *store, const char *bucket, const char *key)
{
	uint64_t seed = hash_table64(bucket, strlen(bucket), (uintptr_t)store);

	return hash_table64(key, strlen(key), seed);
}

static void claim_link(struct pending_queue *q, struct pending *op, struct claim *c, const char *bucket,
		       const char *key)
{
	*c = (struct claim){ op, pending_keys_hash(op->store, bucket, key), bucket, key, NULL };
	c->next = q->claims[c->hash % CLAIM_SLOTS];
	q->claims[c->hash % CLAIM_SLOTS] = c;
}

static void claim_unlink(struct pending_queue *q, struct claim *c)
{
	struct claim **at = &q->claims[c->hash % CLAIM_SLOTS];

	if (!c->op)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->op = NULL;
}

void pending_keys_link(struct pending *op)
{
	struct pending_queue *q = &op->fs->queue;

	claim_link(q, op, &op->claims[0], op->bucket, op->key);
	if (op->from_key)
		claim_link(q, op, &op->claims[1], op->from_bucket, op->from_key);
}

void pending_keys_unlink(struct pending *op)
{
	claim_unlink(&op->fs->queue, &op->claims[0]);
	claim_unlink(&op->fs->queue, &op->claims[1]);
}

static bool is_same_place(const struct pending *a, const char *bucket, const char *key, const char *bucket2,
			  const char *key2, bool is_prefix, bool is_prefix2)
{
	size_t len = strlen(key), len2 = strlen(key2);

	(void)a;
	if (strcmp(bucket, bucket2) != 0)
		return false;
	if (is_prefix && len2 >= len && memcmp(key, key2, len) == 0)
		return true;
	if (is_prefix2 && len >= len2 && memcmp(key, key2, len2) == 0)
		return true;
	return len == len2 && memcmp(key, key2, len) == 0;
}

/* A directory's own object goes last: some servers (versitygw) leave it, in silence, while anything is below it. */
static bool deletes_dir(const struct pending *op)
{
	return op->kind == PENDING_DELETE && str_ends(str_of(op->key), "/");
}

/* Whether b has to wait for the earlier a. */
static bool do_conflict(const struct pending *a, const struct pending *b)
{
	bool a_tree = a->kind == PENDING_RENAME_TREE, b_tree = b->kind == PENDING_RENAME_TREE || deletes_dir(b);

	if (a->store != b->store)
		return false;
	for (int i = 0; i < 4; i++) {
		const char *bucket = i & 1 ? a->from_bucket : a->bucket, *key = i & 1 ? a->from_key : a->key;
		const char *bucket2 = i & 2 ? b->from_bucket : b->bucket, *key2 = i & 2 ? b->from_key : b->key;

		if (key && key2 && is_same_place(a, bucket, key, bucket2, key2, a_tree, b_tree))
			return true;
	}
	return false;
}

static struct pending *earlier_at(const struct pending *op, const char *key, size_t len)
{
	char name[STORE_KEY_MAX + 2];
	uint64_t hash;

	if (len >= sizeof(name))
		return NULL;
	memcpy(name, key, len);
	name[len] = '\0';
	hash = pending_keys_hash(op->store, op->bucket, name);
	for (const struct claim *c = op->fs->queue.claims[hash % CLAIM_SLOTS]; c; c = c->next)
		if (c->hash == hash && c->op->seq < op->seq && c->op->store == op->store &&
		    strcmp(c->key, name) == 0 && strcmp(c->bucket, op->bucket) == 0)
			return c->op;
	return NULL;
}

/* A directory that takes the name of a file, or the other way round: what has the name now goes first. S3 itself would not mind, but
 * servers whose objects are files (versitygw: ObjectParentIsFile) cannot hold both. */
static struct pending *find_name_blocker(const struct pending *op)
{
	size_t len = strlen(op->key);
	struct pending *found = NULL;
	char key[STORE_KEY_MAX + 2];

	if (op->kind == PENDING_DELETE || op->kind == PENDING_META)
		return NULL;
	for (size_t i = len; i-- > 0 && !found;)
		if (op->key[i] == '/')
			found = earlier_at(op, op->key, i);
	if (!found && len && op->key[len - 1] != '/' && len < sizeof(key) - 1) {
		memcpy(key, op->key, len);
		key[len] = '/';
		found = earlier_at(op, key, len + 1);
	}
	return found;
}

/* An earlier operation that touches the same key, or NULL. */
struct pending *pending_keys_blocker(const struct pending *op)
{
	const struct pending_queue *q = &op->fs->queue;

	if (q->trees || deletes_dir(op)) {
		for (struct pending *a = q->first; a; a = a->next)
			if (a->seq < op->seq && a != op && do_conflict(a, op))
				return a;
		return find_name_blocker(op);
	}
	for (int i = 0; i < 2; i++) {
		const struct claim *mine = &op->claims[i];

		if (!mine->op)
			continue;
		for (const struct claim *c = q->claims[mine->hash % CLAIM_SLOTS]; c; c = c->next)
			if (c->hash == mine->hash && c->op != op && c->op->seq < op->seq && do_conflict(c->op, op))
				return c->op;
	}
	return find_name_blocker(op);
}

static bool is_prefix_of(const char *prefix, const char *key)
{
	return strncmp(key, prefix, strlen(prefix)) == 0;
}

static bool went_lately(const struct fs *fs, const struct store *store, const char *bucket, const char *key,
			uint64_t hash, bool is_moved, uint64_t began)
{
	const struct pending_queue *q = &fs->queue;
	const struct gone *slot = &q->gone[hash % GONE_SLOTS];

	if (slot->hash == hash && slot->changed > began)
		return true;
	for (size_t i = 0; i < GONE_TREES && !is_moved; i++) {
		const struct gone_tree *t = &q->gone_trees[i];

		if (t->prefix && t->changed > began && t->store == store && strcmp(t->bucket, bucket) == 0 &&
		    is_prefix_of(t->prefix, key))
			return true;
	}
	return false;
}

static void note_prefixes_gone(struct pending_queue *q, const struct pending *op, const char *bucket, const char *key,
			       uint64_t changed)
{
	char prefix[STORE_KEY_MAX + 1];
	size_t len = strlen(key);

	if (len >= sizeof(prefix))
		return;
	memcpy(prefix, key, len + 1);
	for (size_t i = len; i-- > 0;) {
		if (prefix[i] != '/')
			continue;
		prefix[i + 1] = '\0';
		uint64_t hash = pending_keys_hash(op->store, bucket, prefix);

		q->gone_prefixes[hash % GONE_SLOTS] = (struct gone){ hash, changed };
	}
}

bool pending_stirs_locked(const struct fs *fs, const struct store *store, const struct listed_key *k)
{
	const struct pending_queue *q = &fs->queue;
	uint64_t hash = pending_keys_hash(store, k->bucket, k->key);
	const struct gone *slot = &q->gone_prefixes[hash % GONE_SLOTS];

	if (slot->hash == hash && slot->changed > k->began)
		return true;
	for (const struct pending *op = q->first; op; op = op->next) {
		bool is_from = op->kind == PENDING_RENAME || op->kind == PENDING_RENAME_TREE;
		const char *key = is_from ? op->from_key : op->key, *bucket = is_from ? op->from_bucket : op->bucket;

		if ((is_from || op->kind == PENDING_DELETE) && op->store == store && strcmp(bucket, k->bucket) == 0 &&
		    is_prefix_of(k->key, key))
			return true;
	}
	return false;
}

/* Notes what an operation that succeeded took away in the cloud. */
void pending_keys_note_gone(struct pending *op)
{
	struct pending_queue *q = &op->fs->queue;
	uint64_t changed = ++op->fs->tree.changes;

	if (op->kind == PENDING_DELETE || op->kind == PENDING_RENAME || op->kind == PENDING_RENAME_TREE) {
		bool is_rename = op->kind != PENDING_DELETE;
		uint64_t hash = pending_keys_hash(op->store, is_rename ? op->from_bucket : op->bucket,
					   is_rename ? op->from_key : op->key);

		q->gone[hash % GONE_SLOTS] = (struct gone){ hash, changed };
		note_prefixes_gone(q, op, is_rename ? op->from_bucket : op->bucket, is_rename ? op->from_key : op->key,
				   changed);
	}
	if (op->kind == PENDING_RENAME_TREE) {
		struct gone_tree *t = &q->gone_trees[q->gone_tree_count++ % GONE_TREES];

		free(t->bucket);
		free(t->prefix);
		*t = (struct gone_tree){ op->store, strdup(op->from_bucket), strdup(op->from_key), changed };
		if (!t->bucket || !t->prefix) {
			free(t->bucket);
			free(t->prefix);
			*t = (struct gone_tree){0};
		}
	}
	if (op->kind != PENDING_DELETE && op->kind != PENDING_META) {
		uint64_t hash = pending_keys_hash(op->store, op->bucket, op->key);
		struct gone *slot = &q->gone[hash % GONE_SLOTS];

		if (slot->hash == hash)
			*slot = (struct gone){0}; /* it is there again */
	}
}

/* Whether an operation with a seq between the two takes away what is at exactly this key. */
static bool is_taken_away(const struct pending_queue *q, const struct store *store, const char *bucket, const char *key,
			  uint64_t after, uint64_t before)
{
	uint64_t hash = pending_keys_hash(store, bucket, key);

	for (const struct claim *c = q->claims[hash % CLAIM_SLOTS]; c; c = c->next) {
		bool is_from = c == &c->op->claims[1];

		if (c->hash == hash && c->op->store == store && c->op->seq > after && c->op->seq < before &&
		    strcmp(c->key, key) == 0 && strcmp(c->bucket, bucket) == 0 &&
		    (is_from ? c->op->kind == PENDING_RENAME || c->op->kind == PENDING_RENAME_TREE :
			       c->op->kind == PENDING_DELETE))
			return true;
	}
	return false;
}

/* In a directory whose own rename is not through, a key has had several names: each counts for the operations that were queued
 * while it was the name. */
static bool is_moved_taken_away(const struct pending_queue *q, const struct store *store, const struct listed_key *k)
{
	CLEANUP(freep) char *key = strdup(k->key);
	const char *bucket = k->bucket;
	uint64_t since = 0;

	for (const struct pending *op = q->first; op && key; op = op->next) {
		char *next;

		if (op->kind != PENDING_RENAME_TREE || op->store != store || (op->flags & PENDING_FLAG_DELETING) ||
		    strcmp(op->from_bucket, bucket) != 0 || !is_prefix_of(op->from_key, key))
			continue;
		if (is_taken_away(q, store, bucket, key, since, op->seq))
			return true;
		next = str_format("%s%s", op->key, key + strlen(op->from_key));
		free(key);
		key = next;
		bucket = op->bucket;
		since = op->seq;
	}
	return key && is_taken_away(q, store, bucket, key, since, UINT64_MAX);
}

bool pending_hides_locked(const struct fs *fs, const struct store *store, const struct listed_key *k)
{
	const struct pending_queue *q = &fs->queue;
	uint64_t hash = pending_keys_hash(store, k->bucket, k->key);

	if (went_lately(fs, store, k->bucket, k->key, hash, k->is_moved, k->began))
		return true;
	if (k->is_moved)
		return is_moved_taken_away(q, store, k);
	if (is_taken_away(q, store, k->bucket, k->key, 0, UINT64_MAX))
		return true;
	for (const struct pending *op = q->trees ? q->first : NULL; op; op = op->next)
		if (op->kind == PENDING_RENAME_TREE && op->store == store && strcmp(op->from_bucket, k->bucket) == 0 &&
		    is_prefix_of(op->from_key, k->key))
			return true;
	return false;
}

bool pending_touches_locked(const struct fs *fs, const struct location *where)
{
	const struct pending_queue *q = &fs->queue;
	uint64_t hash = pending_keys_hash(where->store, where->bucket, where->key);

	for (const struct claim *c = q->claims[hash % CLAIM_SLOTS]; c; c = c->next)
		if (c->hash == hash && c->op->store == where->store && strcmp(c->key, where->key) == 0 &&
		    strcmp(c->bucket, where->bucket) == 0)
			return true;
	for (const struct pending *op = q->trees ? q->first : NULL; op; op = op->next)
		if (op->kind == PENDING_RENAME_TREE && op->store == where->store &&
		    (is_prefix_of(op->from_key, where->key) || is_prefix_of(op->key, where->key)))
			return true;
	return false;
}

