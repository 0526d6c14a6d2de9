#include "fs/walk.h"
#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "fs/naming.h"

#define WALK_CHILDREN_LEAST 2
#define WALK_LISTINGS_LEAST 3
#define WALK_MUTE	    16 /* listings below a root that gains nothing */
#define META_TTL_LEAST_MS   1000
#define DEPTH_MOST	    128
#define ARENA_MOST	    (8u << 20)

static struct walk_track *track_find_locked(struct fs *fs, uint64_t root_ino)
{
	for (size_t i = 0; fs->walks && i < WALK_TRACKS; i++)
		if (fs->walks[i].root_ino == root_ino)
			return &fs->walks[i];
	return NULL;
}

/* The root's own, or the one unused for longest; NULL when all are busy. */
static struct walk_track *track_of_locked(struct fs *fs, uint64_t root_ino)
{
	struct walk_track *t = track_find_locked(fs, root_ino);

	if (!fs->walks)
		fs->walks = calloc(WALK_TRACKS, sizeof(*fs->walks));
	if (t || !fs->walks)
		return t;
	for (size_t i = 0; i < WALK_TRACKS; i++)
		if (!fs->walks[i].is_running && (!t || fs->walks[i].last_ms < t->last_ms))
			t = &fs->walks[i];
	if (t)
		*t = (struct walk_track){ .root_ino = root_ino };
	return t;
}

static void track_note(struct walk_track *t, uint64_t child_ino, uint64_t now_ms)
{
	if (now_ms - t->last_ms > WALK_GAP_MS && !t->is_running)
		*t = (struct walk_track){ .root_ino = t->root_ino };
	if (t->last_child_ino != child_ino)
		t->children++;
	t->last_child_ino = child_ino;
	t->listings++;
	t->last_ms = now_ms;
	if (t->muted)
		t->muted--;
}

static bool is_recognised(const struct walk_track *t)
{
	return t->children >= WALK_CHILDREN_LEAST && t->listings >= WALK_LISTINGS_LEAST && !t->muted;
}

bool walk_is_on_locked(struct fs *fs, const struct node *dir)
{
	uint64_t now_ms = clock_mono_ms();

	for (const struct node *at = dir->type == NODE_DIR ? dir->parent : NULL; at; at = at->parent) {
		const struct walk_track *t = track_find_locked(fs, at->ino);

		if (t && is_recognised(t) && now_ms - t->last_ms <= WALK_GAP_MS)
			return true;
	}
	return false;
}

uint64_t walk_wanted_locked(struct fs *fs, struct node *dir)
{
	uint64_t now_ms = clock_mono_ms();
	struct walk_track *best = NULL;
	bool is_running = false;

	lock_assert_held(&fs->lock);
	if (dir->type != NODE_DIR || fs->options.is_strict || fs->options.meta_ttl_ms < META_TTL_LEAST_MS)
		return 0; /* what is listed ahead would be too old at once */
	if (fs->queue.trees)
		return 0; /* while directories are on their way, each is asked about alone */
	for (struct node *child = dir, *at = dir->parent; at && (at->type == NODE_BUCKET || at->type == NODE_DIR);
	     child = at, at = at->parent) {
		struct walk_track *t = track_of_locked(fs, at->ino);

		if (!t)
			continue;
		track_note(t, child->ino, now_ms);
		is_running |= t->is_running;
		if (is_recognised(t))
			best = t; /* the highest: the walk goes on there when it is through below */
	}
	if (!best || is_running)
		return 0;
	best->is_running = true;
	return best->root_ino;
}

/* A directory that the walk is in. Keys that are not in the deepest are beyond its end. */
struct level {
	struct node *dir;	/* NULL: none that could be listed here */
	struct listing *listing; /* NULL: its entries are not wanted */
	size_t prefix_len;	/* of the keys below it, in walk.last */
};

struct walk {
	struct fs *fs;
	struct listing *first;	   /* NULL: it is done */
	struct location where; /* of the root */
	struct question question;
	struct level levels[DEPTH_MOST];
	size_t depth;
	struct buf last;	   /* the key seen last */
	struct arena arena;	   /* prefixes among the entries of a page */
	struct store_object *entries; /* of the deepest level, to be merged */
	size_t entry_count, entry_capacity;
	struct node **pins; /* the directories it went through */
	size_t pin_count, pin_capacity;
	bool has_begun, is_broken;
	bool is_glance; /* for a look-up: one page, which is what the directory alone would cost */
};

static struct level *top_of(struct walk *w)
{
	return &w->levels[w->depth - 1];
}

/* What has been gathered for the deepest level goes into the tree. */
static void flush(struct walk *w)
{
	struct store_page page = { .objects = w->entries, .count = w->entry_count };

	if (w->entry_count && top_of(w)->listing)
		listing_take(top_of(w)->listing, &page);
	w->entry_count = 0;
}

static void gather(struct walk *w, const struct store_object *object)
{
	if (!top_of(w)->listing)
		return;
	if (w->entry_count == w->entry_capacity) {
		size_t capacity = w->entry_capacity ? w->entry_capacity * 2 : 256;
		void *entries = realloc(w->entries, capacity * sizeof(*w->entries));

		if (!entries) {
			w->is_broken = true;
			return;
		}
		w->entries = entries;
		w->entry_capacity = capacity;
	}
	w->entries[w->entry_count++] = *object;
}

/* Leaves the deepest level. The first listing, unless it is complete, stays with the caller. */
static void pop(struct walk *w, bool is_complete)
{
	struct level level;

	flush(w);
	level = w->levels[--w->depth];
	is_complete = is_complete && !w->is_broken;
	if (level.listing && (level.listing != w->first || is_complete)) {
		struct error none = ERROR_INIT;

		if (level.listing == w->first)
			w->first = NULL;
		listing_end(level.listing, 0, is_complete, &none);
	}
}

/* Pins stay until the walk ends: an empty directory would be forgotten before the listing of the one above, which holds it then, is
 * complete. */
static bool pin_locked(struct walk *w, struct node *n)
{
	if (w->pin_count == w->pin_capacity) {
		size_t capacity = w->pin_capacity ? w->pin_capacity * 2 : 256;
		void *pins = realloc(w->pins, capacity * sizeof(struct node *));

		if (!pins)
			return false;
		w->pins = pins;
		w->pin_capacity = capacity;
	}
	tree_pin(n);
	w->pins[w->pin_count++] = n;
	return true;
}

static bool lies_at(const struct walk *w, const struct node *n, struct str prefix)
{
	CLEANUP(location_release) struct location where = LOCATION_INIT;

	return tree_remote_key(n, &where) == 0 && where.store == w->where.store &&
	       strcmp(where.bucket, w->where.bucket) == 0 && str_equal(str_of(where.key), prefix);
}

/* The directory of a segment below the deepest level, when it is an ordinary one, of which the keys are its own. */
static struct node *child_locked(struct walk *w, struct str segment, struct str prefix)
{
	CLEANUP(buf_release) struct buf name = BUF_INIT(4096);
	struct node *n, *parent = top_of(w)->dir;

	if (!parent || parent->is_detached || naming_encode(segment, NAMING_WHOLE, &name) < 0 ||
	    memchr(name.data, '/', name.len))
		return NULL;
	n = tree_child(&w->fs->tree, parent, name.data);
	return n && n->type == NODE_DIR && !n->is_detached && lies_at(w, n, prefix) ? n : NULL;
}

static void push(struct walk *w, struct str key, size_t prefix_len)
{
	size_t above = top_of(w)->prefix_len;
	struct str prefix = { key.ptr, prefix_len };
	struct str segment = { key.ptr + above, prefix_len - above - 1 };
	struct level level = { .prefix_len = prefix_len };

	flush(w); /* the directory itself may come with it */
	LOCKED(&w->fs->lock);
	level.dir = child_locked(w, segment, prefix);
	w->is_broken |= level.dir && !pin_locked(w, level.dir);
	if (level.dir && !w->is_broken && !dir_of(level.dir)->listing)
		level.listing = listing_begin_locked(w->fs, level.dir, w->question.began);
	w->levels[w->depth++] = level;
}

/* Goes down to the directory a key is in; each of those on the way is an entry of the one above. */
static void descend(struct walk *w, const struct store_object *object)
{
	struct str key = str_of(object->key);

	while (!w->is_broken) {
		size_t from = top_of(w)->prefix_len;
		const char *slash = memchr(key.ptr + from, '/', key.len - from);
		struct store_object prefix = { .is_prefix = true };

		if (!slash) {
			gather(w, object);
			return;
		}
		from = (size_t)(slash - key.ptr) + 1;
		prefix.key = arena_strndup(&w->arena, key.ptr, from);
		w->is_broken = !prefix.key || w->depth == DEPTH_MOST;
		if (w->is_broken)
			return;
		gather(w, &prefix);
		push(w, key, from);
	}
}

static bool is_below(const struct walk *w, const struct level *level, const char *key)
{
	return strncmp(key, w->last.data, level->prefix_len) == 0;
}

/* Keys in order, all below the root: or a directory could count as complete of which keys come later. And nothing but objects: a
 * store that keeps directories as things of their own tells more in listings of one. */
static bool can_follow(const struct walk *w, const struct store_page *page)
{
	const char *last = w->has_begun ? w->last.data : "";

	for (size_t i = 0; i < page->count; i++) {
		const struct store_object *o = &page->objects[i];

		if (o->is_prefix || o->is_directory || strcmp(o->key, last) < 0 ||
		    strncmp(o->key, w->where.key, strlen(w->where.key)) != 0)
			return false;
		last = o->key;
	}
	return true;
}

static void take_key(struct walk *w, const struct store_object *object)
{
	if (!w->has_begun && strcmp(object->key, w->last.data) < 0)
		return; /* between where the request begins and the directory */
	w->has_begun = true;
	while (w->depth > 1 && !is_below(w, top_of(w), object->key))
		pop(w, true);
	if (w->is_broken)
		return;
	buf_clear(&w->last);
	if (buf_adds(&w->last, object->key) < 0)
		w->is_broken = true;
	else
		descend(w, object);
}

/* The levels from the root to the directory that is wanted. */
static bool place_levels_locked(struct walk *w, struct node *root)
{
	struct node *path[DEPTH_MOST];
	size_t count = 0;

	for (struct node *n = w->first->dir; n != root; n = n->parent) {
		if (!n || n->is_detached || count == DEPTH_MOST - 1 || rare_of(n)->remote_key)
			return false; /* what lies elsewhere is not followed by what follows it in the tree */
		path[count++] = n;
	}
	path[count++] = root;
	while (count > 0) {
		CLEANUP(location_release) struct location where = LOCATION_INIT;
		struct node *n = path[--count];

		if (tree_remote_key(n, &where) < 0 || where.store != w->where.store ||
		    strcmp(where.bucket, w->where.bucket) != 0 ||
		    strncmp(w->first->where.key, where.key, strlen(where.key)) != 0)
			return false;
		if (!pin_locked(w, n))
			return false;
		w->levels[w->depth++] = (struct level){ .dir = n, .prefix_len = strlen(where.key) };
	}
	top_of(w)->listing = w->first;
	return true;
}

/* The number of pages to ask for, 0 when the walk cannot begin. */
static unsigned begin(struct walk *w)
{
	struct fs *fs = w->fs;
	struct walk_track *t;
	struct node *root;

	LOCKED(&fs->lock);
	t = track_find_locked(fs, w->first->walk_root_ino);
	root = tree_by_ino(&fs->tree, w->first->walk_root_ino);
	if (!t || !root || tree_remote_key(root, &w->where) < 0 || buf_adds(&w->last, w->first->where.key) < 0)
		return 0;
	if (!place_levels_locked(w, root))
		return 0;
	question_ask_locked(fs, &w->question);
	w->is_glance = w->first->max_pages > 0;
	return t->pages && !w->is_glance ? t->pages : 1;
}

static void end(struct walk *w, uint64_t root_ino, bool is_to_the_end)
{
	struct walk_track *t;

	while (w->depth > 0)
		pop(w, is_to_the_end);
	LOCKED(&w->fs->lock);
	while (w->pin_count > 0) /* from the last: a directory holds those above it */
		tree_unpin(&w->fs->tree, w->pins[--w->pin_count]);
	question_end_locked(w->fs, &w->question);
	t = track_find_locked(w->fs, root_ino);
	if (!t)
		return;
	t->is_running = false;
	t->last_ms = clock_mono_ms();
	if (w->first) {
		t->muted = WALK_MUTE;
		t->pages = 1;
	} else if (t->pages < WALK_PAGES_MOST && !w->is_glance) {
		t->pages = t->pages ? 2 * t->pages : 2;
	}
}

/* Takes a page in; *ret_more: the token of the next, for the caller to free(). */
static int list_page(struct walk *w, const char *start_after, const char *token, char **ret_more)
{
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = w->where.key, .start_after = start_after, .token = token,
					.cancel = &w->fs->shutdown };
	struct error err = ERROR_INIT;
	int r = store_list(w->where.store, w->where.bucket, &args, &page, &err);

	*ret_more = NULL;
	if (r < 0) {
		w->is_broken = true;
		return r;
	}
	w->is_broken |= !can_follow(w, &page);
	for (size_t i = 0; i < page.count && !w->is_broken; i++)
		take_key(w, &page.objects[i]);
	flush(w); /* what is gathered points into the page */
	arena_release(&w->arena);
	w->arena = ARENA_INIT(ARENA_MOST);
	if (page.next_token) {
		*ret_more = strdup(page.next_token);
		w->is_broken |= !*ret_more;
	}
	return 0;
}

/* Whether the next page may come: there is memory for its names, and no directory has been renamed meanwhile. */
static bool may_go_on(struct walk *w)
{
	LOCKED(&w->fs->lock);
	for (size_t i = 0; i < w->depth; i++)
		if (w->levels[i].listing)
			w->levels[i].listing->progress_ms = clock_mono_ms();
	return w->fs->tree.count < w->fs->tree_most && !w->fs->queue.trees;
}

/* Just before the directory's own object: '.' comes before '/', and nothing to speak of between "d.~" and "d/". */
static char *before_dir(const char *key)
{
	return str_format("%.*s.~", (int)(strlen(key) - 1), key);
}

bool walk_run(struct listing *l)
{
	struct walk w = { .fs = l->fs, .first = l, .where = LOCATION_INIT, .last = BUF_INIT(STORE_KEY_MAX + 1),
			  .arena = ARENA_INIT(ARENA_MOST) };
	uint64_t root_ino = l->walk_root_ino;
	CLEANUP(freep) char *start_after = before_dir(l->where.key), *token = NULL;
	unsigned pages = start_after ? begin(&w) : 0, taken = 0;
	bool is_to_the_end = false, is_done;

	while (taken < pages && !w.is_broken && !is_to_the_end && may_go_on(&w)) {
		char *more;

		taken++;
		if (list_page(&w, token ? NULL : start_after, token, &more) < 0)
			break;
		free(token);
		token = more;
		is_to_the_end = !token && !w.is_broken;
	}
	log_debug("walk.end", "root='%s' pages=%u of=%u end=%d broken=%d done=%d", w.where.key ? w.where.key : "", taken,
		  pages, is_to_the_end, w.is_broken, !w.first);
	end(&w, root_ino, is_to_the_end);
	is_done = !w.first;
	location_release(&w.where);
	buf_release(&w.last);
	arena_release(&w.arena);
	free(w.entries);
	free(w.pins);
	return is_done;
}

void walk_cancel(struct listing *l)
{
	struct walk_track *t;

	if (!l->walk_root_ino)
		return;
	LOCKED(&l->fs->lock);
	t = track_find_locked(l->fs, l->walk_root_ino);
	if (t)
		t->is_running = false;
}
