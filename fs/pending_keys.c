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

	if (op->kind == PENDING_ABORT)
		return; /* changes no object */
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

	if (a->store != b->store || a->kind == PENDING_ABORT || b->kind == PENDING_ABORT)
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

	if (op->kind == PENDING_DELETE || op->kind == PENDING_META || op->kind == PENDING_ABORT)
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

bool pending_keys_is_counted_on(const struct pending *op)
{
	const struct pending_queue *q = &op->fs->queue;

	for (const struct pending *p = q->trees ? q->first : NULL; p; p = p->next)
		if (p->seq > op->seq && p->from_key && do_conflict(op, p))
			return true;
	if (q->trees)
		return false;
	for (const struct claim *c = q->claims[op->claims[0].hash % CLAIM_SLOTS]; c; c = c->next)
		if (c->hash == op->claims[0].hash && c->op->seq > op->seq && c->op->from_key && do_conflict(op, c->op))
			return true;
	return false;
}
