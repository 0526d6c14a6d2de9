#include "fs/pending_view.h"
#include "backends/base/hash.h"
#include "fs/pending_keys.h"

#define GONE_CHAINS 4096
#define GONE_MOST   (1u << 20) /* then they are forgotten, and the questions under way are asked again */

/* What went in the cloud by our own doing while somebody asked. */
struct gone {
	uint64_t hash, changed; /* of a key; or of a prefix, where something below it went */
	bool is_prefix;
	struct gone *next;  /* of its chain */
	struct gone *newer; /* in order of `changed` */
};
struct gone_tree { /* all below a prefix */
	const struct store *store;
	char *bucket, *prefix;
	uint64_t changed;
	struct gone_tree *newer;
};
struct memory {
	struct gone *chains[GONE_CHAINS];
	struct gone *first, *last;
	struct gone_tree *first_tree, *last_tree;
	size_t count;
	uint64_t lost; /* tree.changes when something could not be kept */
	struct question *oldest, *newest;
};

int pending_view_init(struct fs *fs, struct error *err)
{
	fs->queue.memory = calloc(1, sizeof(*fs->queue.memory));
	return fs->queue.memory ? 0 : error_set(err, ERR_NO_MEMORY, "no memory for the upload queue");
}

static void forget_first(struct memory *m)
{
	struct gone *g = m->first, **at = &m->chains[g->hash % GONE_CHAINS];

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	m->first = g->newer;
	if (!m->first)
		m->last = NULL;
	m->count--;
	free(g);
}

static void forget_first_tree(struct memory *m)
{
	struct gone_tree *t = m->first_tree;

	m->first_tree = t->newer;
	if (!m->first_tree)
		m->last_tree = NULL;
	free(t->bucket);
	free(t->prefix);
	free(t);
}

/* What went before the oldest question was asked concerns nobody. */
static void forget_up_to(struct memory *m, uint64_t began)
{
	while (m->first && m->first->changed <= began)
		forget_first(m);
	while (m->first_tree && m->first_tree->changed <= began)
		forget_first_tree(m);
}

void pending_view_release(struct fs *fs)
{
	struct memory *m = steal(fs->queue.memory);

	if (m)
		forget_up_to(m, UINT64_MAX);
	free(m);
}

void question_ask_locked(struct fs *fs, struct question *q)
{
	struct memory *m = fs->queue.memory;

	lock_assert_held(&fs->lock);
	*q = (struct question){ .began = ++fs->tree.changes, .older = m->newest, .is_asked = true };
	if (m->newest)
		m->newest->newer = q;
	else
		m->oldest = q;
	m->newest = q;
}

void question_end_locked(struct fs *fs, struct question *q)
{
	struct memory *m = fs->queue.memory;

	lock_assert_held(&fs->lock);
	if (!q->is_asked)
		return;
	if (q->older)
		q->older->newer = q->newer;
	else
		m->oldest = q->newer;
	if (q->newer)
		q->newer->older = q->older;
	else
		m->newest = q->older;
	q->is_asked = false;
	forget_up_to(m, m->oldest ? m->oldest->began : UINT64_MAX);
}

bool question_is_stale_locked(const struct fs *fs, const struct question *q, const struct node *dir)
{
	return tree_moved_since(dir, q->began) || fs->queue.memory->lost > q->began;
}

static void lose_memory(struct memory *m, uint64_t changed)
{
	forget_up_to(m, UINT64_MAX);
	m->lost = changed;
}

static void remember(struct memory *m, uint64_t hash, bool is_prefix, uint64_t changed)
{
	struct gone *g = m->count < GONE_MOST ? calloc(1, sizeof(*g)) : NULL;

	if (!g) {
		lose_memory(m, changed);
		return;
	}
	*g = (struct gone){ hash, changed, is_prefix, m->chains[hash % GONE_CHAINS], NULL };
	m->chains[hash % GONE_CHAINS] = g;
	if (m->last)
		m->last->newer = g;
	else
		m->first = g;
	m->last = g;
	m->count++;
}

static void remember_tree(struct memory *m, const struct pending *op, uint64_t changed)
{
	struct gone_tree *t = calloc(1, sizeof(*t));

	if (t)
		*t = (struct gone_tree){ op->store, strdup(op->from_bucket), strdup(op->from_key), changed, NULL };
	if (!t || !t->bucket || !t->prefix) {
		if (t) {
			free(t->bucket);
			free(t->prefix);
		}
		free(t);
		lose_memory(m, changed);
		return;
	}
	if (m->last_tree)
		m->last_tree->newer = t;
	else
		m->first_tree = t;
	m->last_tree = t;
}

/* What it takes away in the cloud: the key, or NULL. */
static const char *taken_key(const struct pending *op, const char **ret_bucket)
{
	bool is_rename = op->kind == PENDING_RENAME || op->kind == PENDING_RENAME_TREE;

	*ret_bucket = is_rename ? op->from_bucket : op->bucket;
	return is_rename ? op->from_key : op->kind == PENDING_DELETE ? op->key : NULL;
}

void pending_view_note_gone_locked(struct pending *op)
{
	struct memory *m = op->fs->queue.memory;
	uint64_t changed = ++op->fs->tree.changes;
	const char *bucket, *key = taken_key(op, &bucket);
	char prefix[STORE_KEY_MAX + 1];
	size_t len = key ? strlen(key) : 0;

	if (!key || !m->oldest)
		return;
	remember(m, pending_keys_hash(op->store, bucket, key), false, changed);
	if (op->kind == PENDING_RENAME_TREE)
		remember_tree(m, op, changed);
	if (len >= sizeof(prefix))
		return;
	memcpy(prefix, key, len + 1);
	for (size_t i = len; i-- > 0;) {
		if (prefix[i] != '/')
			continue;
		prefix[i + 1] = '\0';
		remember(m, pending_keys_hash(op->store, bucket, prefix), true, changed);
	}
}

static bool is_prefix_of(const char *prefix, const char *key)
{
	return strncmp(key, prefix, strlen(prefix)) == 0;
}

static bool went_since(const struct memory *m, uint64_t hash, bool is_prefix, uint64_t began)
{
	for (const struct gone *g = m->chains[hash % GONE_CHAINS]; g; g = g->next)
		if (g->hash == hash && g->is_prefix == is_prefix && g->changed > began)
			return true;
	return false;
}

static bool tree_went_since(const struct memory *m, const struct store *store, const struct listed_key *k)
{
	for (const struct gone_tree *t = m->first_tree; t; t = t->newer)
		if (t->changed > k->began && t->store == store && strcmp(t->bucket, k->bucket) == 0 &&
		    is_prefix_of(t->prefix, k->key))
			return true;
	return false;
}

/* A key on its way through the renames of directories that are queued. */
struct trail {
	const struct store *store;
	const char *bucket;
	uint64_t since; /* seq of the rename that gave it its name */
	char name[2 * STORE_KEY_MAX + 2];
};

static bool trail_begin(struct trail *t, const struct store *store, const struct listed_key *k)
{
	*t = (struct trail){ .store = store, .bucket = k->bucket };
	if (strlen(k->key) >= sizeof(t->name))
		return false;
	memcpy(t->name, k->key, strlen(k->key) + 1);
	return true;
}

static bool trail_is_moved_by(const struct trail *t, const struct pending *op)
{
	return op->kind == PENDING_RENAME_TREE && op->store == t->store && strcmp(op->from_bucket, t->bucket) == 0 &&
	       is_prefix_of(op->from_key, t->name);
}

/* False: what is here now is only what the rename has not deleted yet, or the name becomes longer than any key. */
static bool trail_follow(struct trail *t, const struct pending *op)
{
	size_t from = strlen(op->from_key), to = strlen(op->key), rest = strlen(t->name) - from;

	if ((op->flags & PENDING_FLAG_DELETING) || to + rest >= sizeof(t->name))
		return false;
	memmove(t->name + to, t->name + from, rest + 1);
	memcpy(t->name, op->key, to);
	t->bucket = op->bucket;
	t->since = op->seq;
	return true;
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

static bool trail_ends_in_view(const struct trail *t, const struct listed_key *k)
{
	size_t len;

	if (!k->path_prefix)
		return true;
	len = strlen(k->path_prefix);
	return strcmp(t->bucket, k->path_bucket) == 0 && strncmp(t->name, k->path_prefix, len) == 0 &&
	       strcmp(t->name + len, k->key + k->prefix_len) == 0;
}

bool pending_hides_locked(const struct fs *fs, const struct store *store, const struct listed_key *k)
{
	const struct pending_queue *q = &fs->queue;
	struct trail t;

	if (went_since(q->memory, pending_keys_hash(store, k->bucket, k->key), false, k->began) ||
	    tree_went_since(q->memory, store, k) || !trail_begin(&t, store, k))
		return true;
	for (const struct pending *op = q->trees ? q->first : NULL; op; op = op->next)
		if (trail_is_moved_by(&t, op) &&
		    (is_taken_away(q, store, t.bucket, t.name, t.since, op->seq) || !trail_follow(&t, op)))
			return true;
	return is_taken_away(q, store, t.bucket, t.name, t.since, UINT64_MAX) || !trail_ends_in_view(&t, k);
}

bool pending_stirs_locked(const struct fs *fs, const struct store *store, const struct listed_key *k)
{
	const struct pending_queue *q = &fs->queue;
	struct trail t;

	if (went_since(q->memory, pending_keys_hash(store, k->bucket, k->key), true, k->began) ||
	    !trail_begin(&t, store, k))
		return true;
	for (const struct pending *op = q->first; op; op = op->next) {
		const char *bucket, *key = taken_key(op, &bucket);

		if (trail_is_moved_by(&t, op)) {
			if (!trail_follow(&t, op))
				return true;
		} else if (key && op->store == store && strcmp(bucket, t.bucket) == 0 && is_prefix_of(t.name, key)) {
			return true;
		}
	}
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

bool pending_leaves_locked(const struct fs *fs, const struct location *where, uint64_t seq)
{
	const struct pending_queue *q = &fs->queue;

	for (const struct pending *op = q->trees ? q->first : NULL; op; op = op->next)
		if (op->kind == PENDING_RENAME_TREE && op->seq > seq && op->store == where->store &&
		    strcmp(op->from_bucket, where->bucket) == 0 && is_prefix_of(op->from_key, where->key))
			return true;
	return is_taken_away(q, where->store, where->bucket, where->key, seq, UINT64_MAX);
}

int pending_origin_locked(const struct fs *fs, const struct location *where, struct location *ret, uint64_t *ret_seq)
{
	struct location at = { where->store, strdup(where->bucket), strdup(where->key) };

	for (const struct pending *op = fs->queue.last; op && at.bucket && at.key; op = op->prev) {
		bool is_tree = op->kind == PENDING_RENAME_TREE && !(op->flags & PENDING_FLAG_DELETING);
		struct location before;

		if (op->store != at.store || strcmp(op->bucket, at.bucket) != 0 ||
		    !(is_tree ? is_prefix_of(op->key, at.key) :
				op->kind == PENDING_RENAME && strcmp(op->key, at.key) == 0))
			continue;
		before = (struct location){ at.store, strdup(op->from_bucket),
					    str_format("%s%s", op->from_key, at.key + strlen(op->key)) };
		location_release(&at);
		at = before;
		*ret_seq = op->seq;
	}
	if (!at.bucket || !at.key) {
		location_release(&at);
		return -ENOMEM;
	}
	*ret = at;
	return 0;
}
