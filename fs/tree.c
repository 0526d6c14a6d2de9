#include "fs/tree.h"
#include "backends/base/hash.h"
#include "fs/naming.h"
#include <assert.h>
#include <sys/stat.h>

#define TREE_BITS_MIN 10

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
	struct node **by_ino = calloc((size_t)1 << bits, sizeof(*by_ino));
	struct node **by_name = calloc((size_t)1 << bits, sizeof(*by_name));

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
	size_t slot = ino_slot(t, n->ino);

	n->ino_next = t->by_ino[slot];
	t->by_ino[slot] = n;
}

static void ino_unlink(struct tree *t, struct node *n)
{
	struct node **p = &t->by_ino[ino_slot(t, n->ino)];

	while (*p != n)
		p = &(*p)->ino_next;
	*p = n->ino_next;
}

static void name_link(struct tree *t, struct node *n)
{
	size_t slot = name_slot(t, n->parent, n->name);

	n->name_next = t->by_name[slot];
	t->by_name[slot] = n;
}

static void name_unlink(struct tree *t, struct node *n)
{
	struct node **p = &t->by_name[name_slot(t, n->parent, n->name)];

	while (*p != n)
		p = &(*p)->name_next;
	*p = n->name_next;
}

/* Doubles the tables when they are full; without memory they just stay small (slower, still right). */
static void tables_grow(struct tree *t)
{
	struct node **old = t->by_ino;
	struct node **old_names = t->by_name;
	size_t old_size = (size_t)1 << t->bits;

	if (t->count < old_size || t->bits >= 26 || tables_alloc(t, t->bits + 1) < 0)
		return;
	for (size_t i = 0; i < old_size; i++) {
		for (struct node *n = old[i], *next; n; n = next) {
			next = n->ino_next;
			ino_link(t, n);
		}
	}
	for (size_t i = 0; i < old_size; i++) {
		for (struct node *n = old_names[i], *next; n; n = next) {
			next = n->name_next;
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
	n->parent = parent;
	n->next = NULL;
	n->prev = parent->last_child;
	if (parent->last_child)
		parent->last_child->next = n;
	else
		parent->first_child = n;
	parent->last_child = n;
}

static void child_unlink(struct node *n)
{
	struct node *parent = n->parent;

	if (n->prev)
		n->prev->next = n->next;
	else
		parent->first_child = n->next;
	if (n->next)
		n->next->prev = n->prev;
	else
		parent->last_child = n->prev;
	n->next = n->prev = NULL;
	n->parent = NULL;
}

static struct node *node_new(struct tree *t, struct node *parent, const char *name, enum node_type type)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->name = strdup(name);
	if (!n->name) {
		free(n);
		return NULL;
	}
	n->type = type;
	n->ino = ino_choose(t, parent, name);
	ino_link(t, n);
	t->count++;
	return n;
}

static void node_free(struct tree *t, struct node *n)
{
	if (n->file)
		t->drop_file(n, t->drop_arg);
	ino_unlink(t, n);
	t->count--;
	free(n->name);
	free(n->version);
	free(n->remote_key);
	free(n->remote_bucket);
	free(n->storage_class);
	free(n->opened_version);
	free(n->link_target);
	xattrs_free(n->xattrs);
	free(n);
}

int tree_init(struct tree *t, struct error *err)
{
	if (tables_alloc(t, TREE_BITS_MIN) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for the tree");
	t->root = node_new(t, NULL, "", NODE_ROOT);
	if (!t->root)
		return error_set(err, ERR_NO_MEMORY, "no memory for the tree");
	t->root->is_complete = true;
	t->root->listed_until_ms = UINT64_MAX;
	t->root->pins = 1;
	t->mount_root = t->root;
	return 0;
}

static void subtree_free(struct tree *t, struct node *n)
{
	while (n->first_child) {
		struct node *child = n->first_child;

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
			node_free(t, t->by_ino[i]);
	free(t->by_ino);
	free(t->by_name);
	*t = (struct tree){0};
}

struct node *tree_by_ino(struct tree *t, uint64_t ino)
{
	if (ino == 1)
		return t->mount_root;
	for (struct node *n = t->by_ino[ino_slot(t, ino)]; n; n = n->ino_next)
		if (n->ino == ino)
			return n;
	return NULL;
}

struct node *tree_child(struct tree *t, struct node *parent, const char *name)
{
	for (struct node *n = t->by_name[name_slot(t, parent, name)]; n; n = n->name_next)
		if (n->parent == parent && strcmp(n->name, name) == 0)
			return n;
	return NULL;
}

struct node *tree_add(struct tree *t, struct node *parent, const char *name, enum node_type type)
{
	struct node *n = node_new(t, parent, name, type);

	if (!n)
		return NULL;
	child_link(parent, n);
	name_link(t, n);
	tables_grow(t);
	return n;
}

int tree_move(struct tree *t, struct node *n, struct node *parent, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	if (n->parent) {
		name_unlink(t, n);
		child_unlink(n);
	}
	free(n->name);
	n->name = copy;
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
	for (struct node *child = n->first_child, *next; child; child = next) { /* its listing holds nothing any more */
		next = child->next;
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
}

void tree_unpin(struct tree *t, struct node *n)
{
	assert(n->pins > 0);
	n->pins--;
	tree_prune(t, n);
}

static bool is_held(const struct node *n)
{
	if (n->pins || n->nlookup || n->first_child || n->pending_count || n->listing)
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
	n->nlookup = k >= n->nlookup ? 0 : n->nlookup - k;
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
	for (const struct node *n = dir->first_child; n; n = n->next)
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
