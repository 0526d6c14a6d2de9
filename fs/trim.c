#include "fs/trim.h"
#include "backends/base/log.h"
#include "fs/listing.h"

#define SLICE	     512u
#define LOOK_AT_MOST 1000u /* directories: the oldest are likely to go */

/* Whether what its listing told may go. Those of buckets are few. */
static bool may_shed_locked(struct fs *fs, const struct node *dir)
{
	return dir->type > NODE_STORE && !dir->is_detached && !dir_of(dir)->handles && !dir_of(dir)->listing &&
	       dir_of(dir)->listed_until_ms != UINT64_MAX && !listing_is_fresh_locked(fs, dir);
}

/* The oldest listing that may go, pinned; NULL: none, or there is room. */
static struct node *choose(struct fs *fs)
{
	struct node *dir;

	LOCKED(&fs->lock);
	dir = fs->names_kept != SIZE_MAX && fs->tree.count > fs->names_kept ? fs->tree.oldest_listed : NULL;
	for (unsigned i = 0; dir && i < LOOK_AT_MOST; i++, dir = dir_of(dir)->listed_later) {
		if (may_shed_locked(fs, dir)) {
			tree_pin(dir);
			return dir;
		}
	}
	return NULL;
}

/* Forgets children from `child` on that nothing but the listing held; the one to go on from, pinned, or NULL. */
static struct node *shed_some_locked(struct fs *fs, struct node *child)
{
	for (unsigned i = 0; child && i < SLICE; i++) {
		struct node *next = node_next(child);

		tree_prune(&fs->tree, child);
		child = next;
	}
	if (child)
		tree_pin(child);
	return child;
}

/* Whether it is still to be done: between two slices somebody may have listed, opened or moved it. */
static bool goes_on_locked(struct fs *fs, const struct node *dir, const struct node *child)
{
	return child && child->parent == dir && !dir->is_complete && may_shed_locked(fs, dir);
}

static void shed(struct fs *fs, struct node *dir)
{
	struct node *child, *next;
	size_t before;

	lock_take(&fs->lock);
	before = fs->tree.count;
	if (may_shed_locked(fs, dir)) {
		dir->is_complete = false; /* a name that is not there is not known to be missing any more */
		tree_unlisted(&fs->tree, dir);
		child = shed_some_locked(fs, dir_of(dir)->first_child);
		while (child) {
			bool goes_on;

			lock_drop(&fs->lock);
			lock_take(&fs->lock);
			goes_on = goes_on_locked(fs, dir, child);
			next = goes_on ? node_next(child) : NULL;
			tree_unpin(&fs->tree, child);
			child = goes_on ? shed_some_locked(fs, next) : NULL;
		}
	}
	log_debug("names.forgotten", "from=%zu to=%zu", before, fs->tree.count);
	tree_unpin(&fs->tree, dir);
	lock_drop(&fs->lock);
}

void trim_names(struct fs *fs)
{
	struct node *dir;

	while ((dir = choose(fs)))
		shed(fs, dir);
}
