#include "fs/tree.h"
#include "backends/base/hash.h"
#include "fs/naming.h"
#include "fs/node_version.h"
#include <assert.h>
#include <sys/stat.h>

#define TREE_BITS_MIN 10
#define TREE_BITS_MOST 28
#define CHAIN_LENGTH  2u /* nodes for each chain, before there are twice as many chains */

const struct rare rare_none;
const struct dir dir_none;

static struct node *node_of(const struct tree *t, uint32_t number)
{
	return pool_piece(&t->pool, number);
}

static size_t ino_slot(const struct tree *t, uint64_t ino)
{
	return (ino * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - t->bits);
}

static size_t name_slot(const struct tree *t, const struct node *parent, const char *name)
{
	return hash_table64(name, strlen(name), parent->ino) >> (64 - t->bits);
}

static int tables_alloc(struct tree *t, unsigned bits)
{
	uint32_t *by_ino = calloc((size_t)1 << bits, sizeof(*by_ino));
	uint32_t *by_name = calloc((size_t)1 << bits, sizeof(*by_name));

	if (!by_ino || !by_name) {
		free(by_ino);
		free(by_name);
		return -ENOMEM;
	}
	t->by_ino = by_ino;
	t->by_name = by_name;
	t->bits = bits;
	return 0;
}

static void ino_link(struct tree *t, struct node *n)
{
	uint32_t *slot = &t->by_ino[ino_slot(t, n->ino)];

	n->ino_next = *slot;
	*slot = pool_number(n);
}

static void ino_unlink(struct tree *t, struct node *n)
{
	uint32_t number = pool_number(n), *p = &t->by_ino[ino_slot(t, n->ino)];

	while (*p != number)
		p = &node_of(t, *p)->ino_next;
	*p = n->ino_next;
}

static void name_link(struct tree *t, struct node *n)
{
	uint32_t *slot = &t->by_name[name_slot(t, n->parent, n->name)];

	n->name_next = *slot;
	*slot = pool_number(n);
}

static void name_unlink(struct tree *t, struct node *n)
{
	uint32_t number = pool_number(n), *p = &t->by_name[name_slot(t, n->parent, n->name)];

	while (*p != number)
		p = &node_of(t, *p)->name_next;
	*p = n->name_next;
}

/* Doubles the tables when they are full; without memory they just stay small (slower, still right). */
static void tables_grow(struct tree *t)
{
	uint32_t *old = t->by_ino, *old_names = t->by_name;
	size_t old_size = (size_t)1 << t->bits;

	if (t->count < CHAIN_LENGTH * old_size || t->bits >= TREE_BITS_MOST || tables_alloc(t, t->bits + 1) < 0)
		return;
	for (size_t i = 0; i < old_size; i++) {
		for (struct node *n = node_of(t, old[i]), *next; n; n = next) {
			next = node_of(t, n->ino_next);
			ino_link(t, n);
		}
		for (struct node *n = node_of(t, old_names[i]), *next; n; n = next) {
			next = node_of(t, n->name_next);
			name_link(t, n);
		}
	}
	free(old);
	free(old_names);
}

/* Inode numbers come from the path, so that a file mostly keeps its number when it was forgotten and is looked up again
 * (git and rsync look at it); a number in use is stepped over. */
static uint64_t ino_choose(struct tree *t, const struct node *parent, const char *name)
{
	uint64_t ino = hash_table64(name, strlen(name), parent ? parent->ino * 31 + 7 : 0);

	ino &= UINT64_C(0x7fffffffffffffff);
	while (ino <= 1 || tree_by_ino(t, ino))
		ino = (ino + 1) & UINT64_C(0x7fffffffffffffff);
	return ino;
}

static void child_link(struct node *parent, struct node *n)
{
	struct dir *dir = node_dir(parent);

	n->parent = parent;
	n->next = 0;
	n->prev = pool_number(dir->last_child);
	if (dir->last_child)
		dir->last_child->next = pool_number(n);
	else
		dir->first_child = n;
	dir->last_child = n;
}

static void child_unlink(struct node *n)
{
	struct dir *dir = node_dir(n->parent);
	struct node *next = node_next(n), *prev = node_prev(n);

	if (prev)
		prev->next = n->next;
	else
		dir->first_child = next;
	if (next)
		next->prev = n->prev;
	else
		dir->last_child = prev;
	n->next = n->prev = 0;
	n->parent = NULL;
}

/* Where in a node's piece of memory its name is. */
static char *name_room(struct node *n)
{
	return (char *)(n + 1) + (node_is_dir(n) ? sizeof(struct dir) : 0);
}

static size_t name_room_bytes(struct node *n)
{
	return pool_piece_bytes(n) - (size_t)(name_room(n) - (char *)n);
}

static struct node *node_new(struct tree *t, struct node *parent, const char *name, enum node_type type)
{
	size_t bytes = sizeof(struct node) + (type <= NODE_CONT ? sizeof(struct dir) : 0), len = strlen(name) + 1;
	char *outside = bytes + len > POOL_PIECE_MAX ? strdup(name) : NULL;
	struct node *n = pool_alloc(&t->pool, bytes + (outside ? 0 : len));

	if (!n || (bytes + len > POOL_PIECE_MAX && !outside)) {
		free(outside);
		pool_free(&t->pool, n);
		return NULL;
	}
	n->type = type;
	n->name = outside ? outside : name_room(n);
	if (!outside)
		memcpy(n->name, name, len);
	n->ino = ino_choose(t, parent, name);
	ino_link(t, n);
	t->count++;
	return n;
}

static void name_free(struct node *n)
{
	if (n->name != name_room(n))
		free(n->name);
}

/* Where it fits, in the node's own memory. */
static int rename_node(struct node *n, const char *name)
{
	size_t len = strlen(name) + 1;
	bool fits = len <= name_room_bytes(n);
	char *copy = fits ? NULL : strdup(name);

	if (!fits && !copy)
		return -ENOMEM;
	if (fits) {
		memmove(name_room(n), name, len); /* it may be the node's own */
		copy = name_room(n);
	}
	if (n->name != copy)
		name_free(n);
	n->name = copy;
	return 0;
}

static void rare_free(struct node *n)
{
	struct rare *r = steal(n->rare);

	if (!r)
		return;
	free(r->remote_key);
	free(r->remote_bucket);
	free(r->opened_version);
	free(r->link_target);
	xattrs_free(r->xattrs);
	free(r);
}

void tree_unlisted(struct tree *t, struct node *dir)
{
	struct dir *d = node_dir(dir);

	if (!d->is_listed)
		return;
	if (d->listed_before)
		node_dir(d->listed_before)->listed_later = d->listed_later;
	else
		t->oldest_listed = d->listed_later;
	if (d->listed_later)
		node_dir(d->listed_later)->listed_before = d->listed_before;
	else
		t->newest_listed = d->listed_before;
	d->listed_before = d->listed_later = NULL;
	d->is_listed = false;
}

void tree_listed(struct tree *t, struct node *dir)
{
	struct dir *d = node_dir(dir);

	tree_unlisted(t, dir);
	d->is_listed = true;
	d->listed_before = t->newest_listed;
	if (t->newest_listed)
		node_dir(t->newest_listed)->listed_later = dir;
	else
		t->oldest_listed = dir;
	t->newest_listed = dir;
}

static void node_free(struct tree *t, struct node *n)
{
	if (node_is_dir(n))
		tree_unlisted(t, n);
	if (n->file)
		t->drop_file(n, t->drop_arg);
	ino_unlink(t, n);
	t->count--;
	name_free(n);
	node_set_version(n, NULL);
	rare_free(n);
	pool_free(&t->pool, n);
}

struct rare *rare_make(struct node *n)
{
	if (!n->rare)
		n->rare = calloc(1, sizeof(*n->rare));
	return n->rare;
}

void rare_tidy(struct node *n)
{
	if (n->rare && memcmp(n->rare, &rare_none, sizeof(rare_none)) == 0)
		free(steal(n->rare));
}

int64_t node_ctime_ns(const struct node *n)
{
	return n->mtime_ns + rare_of(n)->ctime_after_mtime_ns;
}

void node_set_ctime(struct node *n, int64_t wall_ns)
{
	int64_t after_ns;

	/* A time from the far end of history has no distance that can be told: then they are shown as one. */
	if (__builtin_sub_overflow(wall_ns, n->mtime_ns, &after_ns))
		after_ns = 0;
	if (after_ns && rare_make(n)) {
		n->rare->ctime_after_mtime_ns = after_ns;
	} else if (n->rare) {
		n->rare->ctime_after_mtime_ns = 0;
		rare_tidy(n);
	}
}

void node_set_times(struct node *n, int64_t wall_ns)
{
	n->mtime_ns = wall_ns;
	node_set_ctime(n, wall_ns);
}

uint8_t tree_storage_class(struct tree *t, const char *name)
{
	if (!name || strcmp(name, "STANDARD") == 0)
		return 0;
	for (uint8_t i = 1; i < TREE_CLASSES; i++) {
		if (!t->classes[i])
			t->classes[i] = strdup(name);
		if (!t->classes[i])
			return 0;
		if (strcmp(t->classes[i], name) == 0)
			return i;
	}
	return 0;
}

int tree_init(struct tree *t, struct error *err)
{
	if (tables_alloc(t, TREE_BITS_MIN) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for the tree");
	t->root = node_new(t, NULL, "", NODE_ROOT);
	if (!t->root)
		return error_set(err, ERR_NO_MEMORY, "no memory for the tree");
	t->root->is_complete = true;
	node_dir(t->root)->listed_until_ms = UINT64_MAX;
	t->root->pins = 1;
	t->mount_root = t->root;
	return 0;
}

static void subtree_free(struct tree *t, struct node *n)
{
	while (dir_of(n)->first_child) {
		struct node *child = dir_of(n)->first_child;

		name_unlink(t, child);
		child_unlink(child);
		subtree_free(t, child);
	}
	node_free(t, n);
}

void tree_release(struct tree *t)
{
	if (!t->root)
		return;
	subtree_free(t, t->root);
	/* Detached nodes that something still held. */
	for (size_t i = 0; i < (size_t)1 << t->bits; i++)
		while (t->by_ino[i])
			node_free(t, node_of(t, t->by_ino[i]));
	free(t->by_ino);
	free(t->by_name);
	for (size_t i = 0; i < TREE_CLASSES; i++)
		free(t->classes[i]);
	pool_release(&t->pool);
	*t = (struct tree){0};
}

struct node *tree_by_ino(struct tree *t, uint64_t ino)
{
	if (ino == 1)
		return t->mount_root;
	for (struct node *n = node_of(t, t->by_ino[ino_slot(t, ino)]); n; n = node_of(t, n->ino_next))
		if (n->ino == ino)
			return n;
	return NULL;
}

struct node *tree_child(struct tree *t, struct node *parent, const char *name)
{
	for (struct node *n = node_of(t, t->by_name[name_slot(t, parent, name)]); n; n = node_of(t, n->name_next))
		if (n->parent == parent && strcmp(n->name, name) == 0)
			return n;
	return NULL;
}

struct node *tree_add(struct tree *t, struct node *parent, const char *name, enum node_type type)
{
	struct node *n = node_is_dir(parent) ? node_new(t, parent, name, type) : NULL;

	if (!n)
		return NULL;
	child_link(parent, n);
	name_link(t, n);
	tables_grow(t);
	return n;
}

int tree_move(struct tree *t, struct node *n, struct node *parent, const char *name)
{
	struct node *before = n->parent;

	if (!node_is_dir(parent))
		return -ENOTDIR;
	if (before)
		name_unlink(t, n); /* while it has the old one */
	if (rename_node(n, name) < 0) {
		if (before)
			name_link(t, n);
		return -ENOMEM;
	}
	if (before)
		child_unlink(n);
	n->is_detached = false;
	child_link(parent, n);
	name_link(t, n);
	return 0;
}

static bool is_held(const struct node *n);

void tree_detach(struct tree *t, struct node *n)
{
	if (!n->parent)
		return;
	name_unlink(t, n);
	child_unlink(n);
	n->is_detached = true;
	n->is_complete = false;
	for (struct node *child = dir_of(n)->first_child, *next; child; child = next) { /* its listing holds nothing any more */
		next = node_next(child);
		if (!is_held(child)) {
			name_unlink(t, child);
			child_unlink(child);
			node_free(t, child);
		}
	}
}

void tree_pin(struct node *n)
{
	n->pins++;
	assert(n->pins > 0);
}

void tree_unpin(struct tree *t, struct node *n)
{
	assert(n->pins > 0);
	n->pins--;
	tree_prune(t, n);
}

static bool is_held(const struct node *n)
{
	if (n->pins || n->nlookup || rare_of(n)->pending_count || dir_of(n)->first_child || dir_of(n)->listing)
		return true;
	/* What a complete listing told stays until that listing goes; tombstones too. */
	return n->parent && !n->parent->is_detached && (n->parent->is_complete || n->changed || n->file);
}

void tree_prune(struct tree *t, struct node *n)
{
	while (n && n != t->root && n != t->mount_root && !is_held(n)) {
		struct node *parent = n->parent;

		if (parent) {
			name_unlink(t, n);
			child_unlink(n);
		}
		node_free(t, n);
		n = parent;
	}
}

void tree_forget(struct tree *t, struct node *n, uint64_t k)
{
	if (n->nlookup == UINT32_MAX)
		return; /* nobody knows how many there were */
	n->nlookup = k >= n->nlookup ? 0 : n->nlookup - (uint32_t)k;
	if (!n->nlookup && n->rare) { /* its pages went with it */
		free(steal(n->rare->opened_version));
		rare_tidy(n);
	}
	tree_prune(t, n);
}

void tree_changed(struct tree *t, struct node *n)
{
	n->changed = ++t->changes;
}

struct node *tree_set_absent(struct tree *t, struct node *parent, const char *name)
{
	struct node *old = tree_child(t, parent, name);
	struct node *n;

	if (old && old->type == NODE_ABSENT) {
		tree_changed(t, old);
		return old;
	}
	if (old) {
		tree_detach(t, old);
		tree_prune(t, old);
	}
	n = tree_add(t, parent, name, NODE_ABSENT);
	if (n)
		tree_changed(t, n);
	return n;
}

bool tree_has_children(const struct node *dir)
{
	for (const struct node *n = dir_of(dir)->first_child; n; n = node_next(n))
		if (node_exists(n))
			return true;
	return false;
}

void xattrs_free(struct xattrs *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->count; i++) {
		free(x->items[i].name);
		free(x->items[i].value);
	}
	free(x->items);
	free(x);
}
