#include "fs/listing.h"
#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "fs/file.h"
#include "fs/listing_ranges.h"
#include "fs/naming.h"
#include "fs/node_version.h"
#include "fs/pending.h"
#include "fs/walk.h"
#include <sys/stat.h>

/* Attributes remembered for the keys of one page, in order of key. */
struct remembered {
	struct arena arena;
	struct remembered_row {
		const char *key, *version;
		struct str blob;
	} *rows;
	size_t count, capacity, next;
};

static void remembered_release(struct remembered *m)
{
	arena_release(&m->arena);
	free(m->rows);
}

static void remember_row(void *arg, const char *key, const char *version, struct str blob)
{
	struct remembered *m = arg;
	struct remembered_row row = { arena_strdup(&m->arena, key), arena_strdup(&m->arena, version),
				      { arena_strndup(&m->arena, blob.ptr, blob.len), blob.len } };

	if (m->count == m->capacity) {
		size_t capacity = m->capacity ? m->capacity * 2 : 64;
		void *rows = realloc(m->rows, capacity * sizeof(*m->rows));

		if (!rows)
			return;
		m->rows = rows;
		m->capacity = capacity;
	}
	if (row.key && row.version && row.blob.ptr)
		m->rows[m->count++] = row;
}

/* Pages and rows both come in order of key, so one pass finds all. */
static bool remembered_find(struct remembered *m, const struct store_object *object, struct attrs *ret)
{
	CLEANUP(json_putp) struct json_object *o = NULL;

	while (m->next < m->count && strcmp(m->rows[m->next].key, object->key) < 0)
		m->next++;
	if (m->next >= m->count || strcmp(m->rows[m->next].key, object->key) != 0 ||
	    strcmp(m->rows[m->next].version, object->version) != 0)
		return false;
	return json_parse(m->rows[m->next].blob, 1 << 20, &o, NULL) == 0 && attrs_from_json(o, ret) == 0;
}

static struct node *replace_locked(struct listing *l, struct node *old, const char *name, enum node_type type)
{
	struct fs *fs = l->fs;
	enum node_type old_type = old ? (enum node_type)old->type : NODE_ABSENT;
	struct node *n;

	if (old) {
		tree_detach(&fs->tree, old);
		tree_prune(&fs->tree, old);
	}
	n = tree_add(&fs->tree, l->dir, name, type);
	if (n)
		n->expect = EXPECT_ANY;
	else
		l->is_stale = true;
	log_debug("node.listed", "name='%s' type=%d instead=%d", name, type, old ? (int)old_type : -1);
	return n;
}

/* The directory of the names that begin with this one, when the escape of a file takes more than one; listing it finds the file. */
static void continue_locked(struct listing *l, struct buf *names)
{
	struct fs *fs = l->fs;
	char *slash = memchr(names->data, '/', names->len);
	struct node *n;

	*slash = '\0';
	n = tree_child(&fs->tree, l->dir, names->data);
	if (!n || !node_exists(n))
		n = replace_locked(l, n, names->data, NODE_CONT);
	if (!n)
		return;
	n->listing_mark = l->question.began;
	n->expires_ms = clock_mono_ms() + fs->options.meta_ttl_ms;
	if (!n->has_attrs)
		node_defaults_locked(fs, n);
}

bool node_is_news_locked(const struct node *n, uint64_t began)
{
	if (node_is_local_locked(n) || n->changed > began)
		return true;
	for (const struct node *child = dir_of(n)->first_child; child; child = node_next(child))
		if (node_is_news_locked(child, began))
			return true;
	return false;
}

/* What it is was decided here, which no answer changes. */
static bool is_ours_locked(const struct listing *l, const struct node *n)
{
	return node_is_local_locked(n) || n->changed > l->question.began;
}

static bool is_same_object(const struct node *a, const struct node *b)
{
	return a->type == b->type && a->size == b->size && node_has_version(a) && node_is_version(b, node_version(a).text);
}

/* `x` beside `x/`: the directory keeps the name. An empty `x` is a directory marker of some tools and stays out of sight. */
static void shadow_locked(struct listing *l, struct node *file, struct str segment)
{
	struct fs *fs = l->fs;
	struct node *dir = l->dir, *known;
	CLEANUP(buf_release) struct buf name = BUF_INIT(4096);

	if (naming_encode(segment, NAMING_SHADOWED, &name) < 0)
		return;
	if (memchr(name.data, '/', name.len)) {
		tree_detach(&fs->tree, file);
		tree_prune(&fs->tree, file);
		continue_locked(l, &name);
		return;
	}
	known = tree_child(&fs->tree, dir, name.data);
	if (known && (is_ours_locked(l, known) || is_same_object(known, file))) { /* seen before the directory was forgotten */
		known->listing_mark = l->question.began;
		known->expires_ms = file->expires_ms;
		return;
	}
	if (known) {
		tree_detach(&fs->tree, known);
		tree_prune(&fs->tree, known);
	}
	if (tree_move(&fs->tree, file, dir, name.data) == 0)
		file->is_shadowed = true;
}

static struct node *merge_dir_locked(struct listing *l, const char *name, enum node_type type, struct str segment)
{
	struct fs *fs = l->fs;
	struct node *n = tree_child(&fs->tree, l->dir, name);
	bool has_file_marker = false;

	if (n && is_ours_locked(l, n)) {
		n->listing_mark = l->question.began;
		return NULL;
	}
	if (n && (n->type == NODE_FILE || n->type == NODE_SYMLINK) && n->listing_mark == l->question.began) {
		if (n->size > 0)
			shadow_locked(l, n, segment);
		else
			has_file_marker = true;
		n = tree_child(&fs->tree, l->dir, name);
	}
	if (!n || !node_is_dir(n))
		n = replace_locked(l, n, name, type);
	if (!n)
		return NULL;
	n->listing_mark = l->question.began;
	n->has_file_marker |= has_file_marker;
	n->expires_ms = clock_mono_ms() + fs->options.meta_ttl_ms;
	if (!n->has_attrs)
		node_defaults_locked(fs, n);
	return n;
}

/* An object beside a directory that keeps its name. */
static void merge_shadowed_locked(struct listing *l, const struct store_object *object)
{
	CLEANUP(buf_release) struct buf name = BUF_INIT(4096);
	struct str segment = { object->key + strlen(l->where.key), strlen(object->key) - strlen(l->where.key) };
	struct node *n;

	if (naming_encode(segment, NAMING_SHADOWED, &name) < 0)
		return;
	if (memchr(name.data, '/', name.len)) {
		continue_locked(l, &name);
		return;
	}
	n = tree_child(&l->fs->tree, l->dir, name.data);
	if (!n)
		n = tree_add(&l->fs->tree, l->dir, name.data, NODE_FILE);
	if (!n || is_ours_locked(l, n))
		return;
	n->is_shadowed = true;
	n->listing_mark = l->question.began;
	node_fill_locked(l->fs, n, object, NULL);
}

static void merge_file_locked(struct listing *l, const char *name, const struct store_object *object,
			      struct attrs *remembered)
{
	struct fs *fs = l->fs;
	struct node *n = tree_child(&fs->tree, l->dir, name);

	if (n && is_ours_locked(l, n)) {
		n->listing_mark = l->question.began;
		return;
	}
	if (n && node_is_dir(n) && object->size == 0) {
		/* Perhaps a marker: the sweep decides, when it is known whether the directory is there. */
		n->has_file_marker = true;
		node_dir(n)->marker_mark = l->question.began;
		return;
	}
	if (n && node_is_dir(n)) {
		merge_shadowed_locked(l, object);
		return;
	}
	if (n && rare_of(n)->remote_key) { /* it lies elsewhere already: a directory's rename has copied it */
		n->listing_mark = l->question.began;
		return;
	}
	if (!n || node_is_dir(n) || !node_exists(n))
		n = replace_locked(l, n, name, NODE_FILE);
	if (!n)
		return;
	n->listing_mark = l->question.began;
	node_fill_locked(fs, n, object, remembered);
}

/* What the directory's key holds of a segment that goes on below it. */
static struct str segment_of(const struct listing *l)
{
	const char *slash = strrchr(l->where.key, '/');

	return str_of(slash ? slash + 1 : l->where.key);
}

/* Whether above, beside the first cut that its escape makes necessary, there is a directory whose segment ends in `rest`. */
static bool has_whole_dir_locked(const struct listing *l, struct str rest)
{
	CLEANUP(freep) char *end = str_dup(rest);
	struct node *dir = NULL;

	for (const struct node *cut = l->dir; end && !dir && cut->type == NODE_CONT; cut = cut->parent) {
		CLEANUP(buf_release) struct buf bytes = BUF_INIT(NAMING_MAX), name = BUF_INIT(16384);
		enum naming_piece piece;
		char *longer;

		if (naming_decode(str_of(cut->name), &bytes, &piece) < 0)
			return false;
		longer = str_format("%s%s", buf_cstr(&bytes), end);
		free(end);
		end = longer;
		if (end && naming_encode(str_of(end), NAMING_WHOLE, &name) == 0)
			dir = tree_child(&l->fs->tree, cut->parent, buf_cstr(&name));
	}
	return dir && node_is_dir(dir);
}

/* In a directory that stands for the begin of long segments: whether this entry is one that is cut here. What is short enough
 * is shown whole, elsewhere; of that only a file comes here whose escape is too long, because a directory has its name. */
static bool is_cut_here_locked(struct listing *l, const struct store_object *object, struct str rest,
			       enum naming_piece piece)
{
	if (naming_check_rest(segment_of(l), rest, piece) == 0)
		return true;
	if (!object->is_prefix && object->size > 0 && naming_check_rest(segment_of(l), rest, NAMING_SHADOWED) == 0 &&
	    has_whole_dir_locked(l, rest))
		merge_shadowed_locked(l, object);
	return false;
}

static void doubt_locked(struct listing *l, const char *key)
{
	if (l->doubt_count == l->doubt_capacity) {
		size_t capacity = l->doubt_capacity ? l->doubt_capacity * 2 : 16;
		void *doubts = realloc(l->doubts, capacity * sizeof(*l->doubts));

		if (!doubts) {
			l->is_stale = true;
			return;
		}
		l->doubts = doubts;
		l->doubt_capacity = capacity;
	}
	l->doubts[l->doubt_count] = strdup(key);
	if (l->doubts[l->doubt_count])
		l->doubt_count++;
	else
		l->is_stale = true;
}

static void doubts_forget(struct listing *l)
{
	for (size_t i = 0; i < l->doubt_count; i++)
		free(l->doubts[i]);
	l->doubt_count = 0;
}

/* Empty objects, these and 16 hexadecimal digits, with which a store finds out what its server does. They go at once, unless we are
 * killed: one that stays is shown after a while, or nobody could remove its directory. */
#define PROBE_PREFIX  ".skydir-probe-"
#define PROBE_LASTS_S 600

static bool is_probe(const struct store_object *object, struct str name)
{
	size_t len = strlen(PROBE_PREFIX);

	return !object->is_prefix && object->size == 0 && object->modified_wall_ns / 1000000000 > clock_wall_s() - PROBE_LASTS_S &&
	       name.len >= len + 16 && memcmp(name.ptr, PROBE_PREFIX, len) == 0 &&
	       strspn(name.ptr + len, "0123456789abcdef") == 16;
}

static void merge_entry_locked(struct listing *l, const struct store_object *object, struct attrs *remembered)
{
	CLEANUP(buf_release) struct buf name = BUF_INIT(4096);
	size_t prefix_len = strlen(l->where.key), used;
	struct str segment = str_of(object->key);
	struct listed_key listed = { l->where.bucket, object->key, prefix_len, l->path.bucket, l->path.key,
				     l->question.began };
	enum naming_piece piece;
	struct node *n;
	int r;

	if (segment.len < prefix_len || memcmp(segment.ptr, l->where.key, prefix_len) != 0)
		return; /* not what was asked for: a broken or hostile server */
	segment.ptr += prefix_len;
	segment.len -= prefix_len;
	if (is_probe(object, segment) || pending_hides_locked(l->fs, l->where.store, &listed))
		return;
	if (l->dir->type == NODE_CONT && (segment.len == 0 || segment.ptr[0] == '/'))
		return;
	if (segment.len == 0) {
		l->dir->has_marker = true;
		if (object->size == 0)
			return;
	}
	if (object->is_prefix && segment.len)
		segment.len--; /* its '/' */
	else if (str_ends(segment, FOLDER_SUFFIX) && object->size == 0 && segment.len > strlen(FOLDER_SUFFIX))
		segment.len -= strlen(FOLDER_SUFFIX);
	r = naming_encode_first(segment, NAMING_WHOLE, &name, &used, &piece);
	l->is_stale |= r == -ENOMEM; /* a name that was not taken must not count as missing */
	if (r < 0)
		return;
	if (l->dir->type == NODE_CONT && !is_cut_here_locked(l, object, (struct str){ segment.ptr, used }, piece))
		return;
	if (piece == NAMING_CONTINUED) {
		(void)merge_dir_locked(l, name.data, NODE_CONT, segment);
	} else if (object->is_prefix) {
		n = tree_child(&l->fs->tree, l->dir, name.data);
		if (!l->is_settling && !(n && (node_is_dir(n) || is_ours_locked(l, n))) &&
		    pending_stirs_locked(l->fs, l->where.store, &listed)) {
			doubt_locked(l, object->key); /* perhaps only what is being deleted holds it */
			return;
		}
		n = merge_dir_locked(l, name.data, NODE_DIR, segment);
		if (n)
			n->has_marker |= object->is_directory; /* it stays when it is empty, so rmdir has to delete it */
	} else if (prefix_len + segment.len < strlen(object->key)) {
		n = merge_dir_locked(l, name.data, NODE_DIR, segment);
		if (n)
			n->has_folder_marker = true;
	} else {
		merge_file_locked(l, name.data, object, remembered);
	}
}

/* Sees to l->path; false when the answer is about what is elsewhere by now, or gone. */
static bool can_take_locked(struct listing *l)
{
	location_release(&l->path);
	if (!l->dir->is_detached)
		l->is_stale |= question_is_stale_locked(l->fs, &l->question, l->dir);
	if (l->dir->is_detached || l->is_stale)
		return false;
	/* A directory whose own key is longer than any: its rename will fail, and until then it is what it was. */
	(void)!tree_path_key(l->dir, &l->path);
	return true;
}

void listing_take(struct listing *l, const struct store_page *page)
{
	CLEANUP(remembered_release) struct remembered m = { .arena = ARENA_INIT(16 << 20) };
	struct fs *fs = l->fs;

	/* "\1" after the last key: nothing sorts between the two. Without the memories defaults are shown. */
	CLEANUP(freep) char *to = page->count ? str_format("%s\1", page->objects[page->count - 1].key) : NULL;

	if (to)
		(void)journal_attrs_each(fs->journal, l->where.store->name, l->where.bucket, page->objects[0].key, to,
					 remember_row, &m);
	for (size_t i = 0; i < page->count;) {
		/* In slices, so that other requests get the lock between them. */
		LOCKED(&fs->lock);
		if (!can_take_locked(l))
			return;
		for (size_t end = i + 128; i < page->count && i < end; i++) {
			struct attrs attrs = ATTRS_INIT;
			bool is_known = m.count && !page->objects[i].is_prefix &&
					remembered_find(&m, &page->objects[i], &attrs);

			merge_entry_locked(l, &page->objects[i], is_known ? &attrs : NULL);
			attrs_release(&attrs);
		}
		l->dir->expires_ms = clock_mono_ms() + fs->options.meta_ttl_ms;
		l->progress_ms = clock_mono_ms();
	}
}

/* Directories that one of the keys below them keeps, whatever else is on its way out of them. */
int listing_settle(struct listing *l, struct error *err)
{
	for (size_t i = 0; i < l->doubt_count; i++) {
		const struct store_object object = { .key = l->doubts[i], .is_prefix = true };
		CLEANUP(location_release) struct location path = LOCATION_INIT;
		struct listed_key below = { l->where.bucket, object.key, strlen(l->where.key), NULL, NULL, l->question.began };
		bool stays = false, can_take;
		int r;

		lock_take(&l->fs->lock);
		can_take = can_take_locked(l);
		path = l->path;
		l->path = (struct location)LOCATION_INIT;
		lock_drop(&l->fs->lock);
		if (!can_take)
			break;
		below.path_bucket = path.bucket;
		below.path_prefix = path.key;
		r = lookup_any_stays(l->fs, l->where.store, &below, &stays, err);
		if (r < 0)
			return r;
		LOCKED(&l->fs->lock);
		l->progress_ms = clock_mono_ms();
		l->needs_again |= !stays; /* a delete that is refused brings it back */
		l->is_settling = true;
		if (stays && can_take_locked(l))
			merge_entry_locked(l, &object, NULL);
		l->is_settling = false;
	}
	doubts_forget(l);
	return 0;
}

/* The directory beside it is gone: the file gets its plain name back. */
static void unshadow_locked(struct listing *l, struct node *file)
{
	CLEANUP(buf_release) struct buf name = BUF_INIT(4096);
	enum naming_piece piece;
	struct node *n;

	if (naming_decode(str_of(file->name), &name, &piece) < 0 || piece != NAMING_SHADOWED)
		return;
	struct str segment = { name.data, name.len };
	CLEANUP(buf_release) struct buf plain = BUF_INIT(4096);

	if (naming_encode(segment, NAMING_WHOLE, &plain) < 0)
		return;
	if (l->dir->type == NODE_CONT && naming_check_rest(segment_of(l), segment, NAMING_WHOLE) < 0)
		return; /* its plain name is not in here but beside this directory, whose listing sees to it */
	n = tree_child(&l->fs->tree, l->dir, plain.data);
	if ((!n || n->type == NODE_ABSENT) && !node_is_local_locked(file)) {
		if (n)
			tree_detach(&l->fs->tree, n);
		if (tree_move(&l->fs->tree, file, l->dir, plain.data) == 0)
			file->is_shadowed = false;
	}
}

/* What a complete listing did not see is gone. */
static void sweep_locked(struct listing *l)
{
	struct fs *fs = l->fs;
	struct node *n, *next;

	for (n = dir_of(l->dir)->first_child; n; n = next) {
		next = node_next(n);
		if (n->listing_mark == l->question.began || n->is_pinned_path || node_is_news_locked(n, l->question.began))
			continue;
		if (dir_of(n)->marker_mark == l->question.began)
			l->needs_again = true; /* the empty object was no marker after all: a file of that name */
		if (node_exists(n))
			log_debug("node.unlisted", "name='%s' below='%s' changed=%llu began=%llu", n->name, l->where.key,
				  (unsigned long long)n->changed, (unsigned long long)l->question.began);
		tree_detach(&fs->tree, n);
		tree_prune(&fs->tree, n);
	}
	for (n = dir_of(l->dir)->first_child; n; n = next) {
		next = node_next(n);
		if (n->is_shadowed)
			unshadow_locked(l, n);
	}
}

static bool wants_more_locked(const struct listing *l, unsigned pages)
{
	return l->max_pages == 0 || pages < l->max_pages;
}

/* A server that leads back to where the listing was goes on for ever. One token is kept and compared with those that follow; after
 * 1, 2, 4, ... pages the newest takes its place (Brent's way), so that any circle is found before it was run through twice. */
struct circle {
	char *kept;
	size_t pages, next_keep;
};

static void circle_release(struct circle *c)
{
	free(c->kept);
}

static int circle_check(struct circle *c, const char *token, struct error *err)
{
	char *kept;

	if (c->kept && strcmp(c->kept, token) == 0)
		return error_set(err, ERR_PROTOCOL, "the listing goes in circles");
	if (c->pages++ < c->next_keep)
		return 0;
	kept = strdup(token);
	if (!kept)
		return error_set(err, ERR_NO_MEMORY, "no memory for a listing");
	free(c->kept);
	c->kept = kept;
	c->next_keep = 2 * c->pages;
	return 0;
}

/* Whether the tree may grow further: names that are never forgotten must not take all of the machine's memory. */
int listing_has_room(struct listing *l, struct error *err)
{
	uint64_t count;

	lock_take(&l->fs->lock);
	count = l->fs->tree.count;
	lock_drop(&l->fs->lock);
	if (count < l->fs->tree_most)
		return 0;
	return error_set(err, ERR_TOO_LARGE, "the directory is too large to be listed in this machine's memory (%llu names so far)",
			 (unsigned long long)count);
}

static int list_objects(struct listing *l, bool *ret_is_complete, struct error *err)
{
	CLEANUP(circle_release) struct circle circle = { 0 };
	CLEANUP(freep) char *token = NULL;
	CLEANUP(ranges_freep) struct ranges *ranges = NULL;
	unsigned pages = 0;

	for (;;) {
		CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
		struct store_list_args args = { .prefix = l->where.key, .delimiter = '/', .token = token,
						.cancel = &l->fs->shutdown };
		bool wants_more, is_whole;
		int r = store_list(l->where.store, l->where.bucket, &args, &page, err);

		if (r < 0)
			return r;
		listing_take(l, &page);
		r = listing_settle(l, err);
		if (r < 0)
			return r;
		if (++pages <= l->fs->long_listing_pages)
			ranges_learn(&ranges, l, &page);
		if (!page.next_token) {
			*ret_is_complete = true;
			return 0;
		}
		lock_take(&l->fs->lock);
		wants_more = wants_more_locked(l, pages);
		is_whole = l->max_pages == 0;
		lock_drop(&l->fs->lock);
		if (!wants_more)
			return 0;
		r = circle_check(&circle, page.next_token, err);
		if (r == 0)
			r = listing_has_room(l, err);
		if (r < 0)
			return r;
		if (pages == l->fs->long_listing_pages && is_whole) {
			r = ranges_list(ranges, page.next_token, err);
			*ret_is_complete = r == 0;
			if (r <= 0)
				return r;
		}
		free(token);
		token = strdup(page.next_token);
		if (!token)
			return error_set(err, ERR_NO_MEMORY, "no memory for a listing");
	}
}

static int list_buckets(struct listing *l, bool *ret_is_complete, struct error *err)
{
	CLEANUP(store_bucket_page_release) struct store_bucket_page page = STORE_BUCKET_PAGE_INIT;
	int r = store_bucket_list(l->where.store, &page, err);

	if (r < 0)
		return r;
	LOCKED(&l->fs->lock);
	for (size_t i = 0; i < page.count; i++) {
		const char *name = page.buckets[i].name;
		struct node *n;

		if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || !name[0])
			continue;
		n = merge_dir_locked(l, name, NODE_BUCKET, str_of(name));
		if (n && page.buckets[i].created_wall_ns)
			node_set_times(n, page.buckets[i].created_wall_ns);
	}
	*ret_is_complete = true;
	return 0;
}

void listing_end(struct listing *l, int r, bool is_complete, const struct error *err)
{
	struct fs *fs = l->fs;
	struct node *dir = l->dir;
	struct parked *waiting;

	lock_take(&fs->lock);
	if (!dir->is_detached)
		l->is_stale |= question_is_stale_locked(fs, &l->question, dir);
	l->is_stale |= l->doubt_count > 0; /* nobody looked at them */
	log_debug("listing.end", "key='%s' began=%llu r=%d complete=%d stale=%d", l->where.key ? l->where.key : "",
		  (unsigned long long)l->question.began, r, is_complete, l->is_stale);
	if (r == 0 && is_complete && !l->is_stale && !dir->is_detached) {
		sweep_locked(l);
		dir->is_complete = true;
		tree_listed(&fs->tree, dir);
		/* What could not be told is asked again by the next one who wants to know. */
		node_dir(dir)->listed_until_ms = clock_mono_ms() + (l->needs_again ? 0 : fs->options.meta_ttl_ms);
		node_dir(dir)->lookups = 0;
	}
	node_dir(dir)->listing = NULL;
	question_end_locked(fs, &l->question);
	if (r == 0 || error_is_of_the_way(err))
		store_reached_locked(dir, r == 0);
	/* Where the old listing serves, nobody needs to know. */
	waiting = park_claim_all_locked(&l->waiting, r < 0 && !listing_is_fresh_locked(fs, dir) ? error_errnum(err->kind) : 0);
	tree_unpin(&fs->tree, dir);
	lock_drop(&fs->lock);
	park_resume_all(waiting);
	location_release(&l->where);
	location_release(&l->path);
	doubts_forget(l);
	free(l->doubts);
	free(l);
}

static void listing_run(struct job *job)
{
	struct listing *l = container_of(job, struct listing, job);
	struct error err = ERROR_INIT;
	bool is_complete = false;
	int r;

	if (l->walk_root_ino && walk_run(l))
		return;
	doubts_forget(l); /* it is listed anew */
	r = l->dir->type == NODE_STORE ? list_buckets(l, &is_complete, &err) : list_objects(l, &is_complete, &err);
	listing_end(l, r, is_complete, &err);
}

static void listing_drop(struct job *job)
{
	struct listing *l = container_of(job, struct listing, job);
	struct error err = ERROR_INIT;

	walk_cancel(l);
	listing_end(l, error_set(&err, ERR_CANCELLED, "the mount ends"), false, &err);
}

struct listing *listing_begin_locked(struct fs *fs, struct node *dir, uint64_t began)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	if (tree_remote_key(dir, &l->where) < 0) {
		free(l);
		return NULL;
	}
	l->fs = fs;
	l->dir = dir;
	l->question.began = began;
	l->progress_ms = clock_mono_ms();
	tree_pin(dir);
	node_dir(dir)->listing = l;
	return l;
}

int listing_wait_locked(struct fs *fs, struct node *dir, unsigned max_pages, struct parked *p, struct job **ret_job)
{
	struct listing *l = dir_of(dir)->listing;

	*ret_job = NULL;
	if (!l) {
		CLEANUP(location_release) struct location where = LOCATION_INIT;
		int r = tree_remote_key(dir, &where);

		if (r < 0)
			return r;
		l = listing_begin_locked(fs, dir, 0);
		if (!l)
			return -ENOMEM;
		question_ask_locked(fs, &l->question);
		l->max_pages = max_pages;
		l->walk_root_ino = max_pages > 1 ? 0 : walk_wanted_locked(fs, dir);
		l->job = (struct job){ .run = listing_run, .drop = listing_drop, .priority = NET_METADATA };
		*ret_job = &l->job;
	}
	if (max_pages == 0)
		l->max_pages = 0;
	if (p)
		park_wait_locked(p, &l->waiting);
	return 0;
}
