#include "fs/listing.h"
#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "fs/file.h"
#include "fs/naming.h"
#include "fs/node_version.h"
#include "fs/pending.h"
#include "fs/pending_view.h"
#include <sys/stat.h>

bool node_is_local_locked(const struct node *n)
{
	return rare_of(n)->pending_count > 0 || n->put || (n->file && (n->file->writers || n->file->busy));
}

#define UNREACHABLE_MS 5000u /* then somebody tries again */

static const struct node *store_of(const struct node *n)
{
	while (n && n->type != NODE_STORE)
		n = n->parent;
	return n;
}

void store_reached_locked(struct node *n, bool is_reached)
{
	struct node *store = (struct node *)store_of(n);

	if (store)
		node_dir(store)->unreachable_until_ms = is_reached ? 0 : clock_mono_ms() + UNREACHABLE_MS;
}

/* With the network gone, what was known before is the best there is: else nothing new could be written into a directory once its
 * listing has aged. */
static bool is_unreachable(const struct fs *fs, const struct node *n, uint64_t now)
{
	const struct node *store = fs->options.is_strict ? NULL : store_of(n);

	return store && now < dir_of(store)->unreachable_until_ms;
}

bool error_is_of_the_way(const struct error *err)
{
	return err->kind == ERR_UNAVAILABLE || err->kind == ERR_TIMEOUT || err->kind == ERR_THROTTLED;
}

bool listing_is_fresh_locked(struct fs *fs, const struct node *dir)
{
	uint64_t now = clock_mono_ms();

	if (!dir->is_complete)
		return false;
	if (dir_of(dir)->listed_until_ms == UINT64_MAX)
		return true;
	return !fs->options.is_strict && (now < dir_of(dir)->listed_until_ms || is_unreachable(fs, dir, now));
}

#define JUST_MADE_MS 1000

bool listing_is_just_made_locked(struct fs *fs, const struct node *dir)
{
	return listing_is_fresh_locked(fs, dir) ||
	       (dir->is_complete && fs->options.is_strict &&
		clock_mono_ms() + fs->options.meta_ttl_ms < dir_of(dir)->listed_until_ms + JUST_MADE_MS);
}

static bool is_believed(struct fs *fs, const struct node *n, uint64_t now)
{
	if (n->type <= NODE_STORE || n->is_pinned_path || node_is_local_locked(n))
		return true;
	return !fs->options.is_strict && (now < n->expires_ms || is_unreachable(fs, n, now));
}

uint64_t node_ttl_ms_locked(struct fs *fs, const struct node *n)
{
	uint64_t now = clock_mono_ms(), until = n->expires_ms;

	if (n->type <= NODE_STORE || n->is_pinned_path)
		return fs->options.meta_ttl_ms;
	if (fs->options.is_strict)
		return 0;
	if (node_is_local_locked(n))
		return fs->options.meta_ttl_ms;
	if (n->parent && n->parent->is_complete && dir_of(n->parent)->listed_until_ms > until)
		until = dir_of(n->parent)->listed_until_ms;
	if (until >= NODE_FOREVER_MS)
		return fs->options.meta_ttl_ms;
	return until > now ? until - now : 0;
}

bool node_is_outdated_locked(const struct fs *fs, const struct node *n)
{
	return !n->expires_ms && (n->type == NODE_FILE || n->type == NODE_SYMLINK) && !node_is_local_locked(n) &&
	       node_has_version(n) && !is_unreachable(fs, n, clock_mono_ms());
}

enum lookup_answer lookup_known_locked(struct fs *fs, struct node *dir, const char *name, struct node **ret)
{
	struct node *n = tree_child(&fs->tree, dir, name);
	uint64_t now = clock_mono_ms();
	bool is_fresh = listing_is_fresh_locked(fs, dir);

	if (n && node_is_outdated_locked(fs, n))
		return LOOKUP_UNKNOWN;
	if (n && (is_fresh || is_believed(fs, n, now))) {
		if (!node_exists(n))
			return LOOKUP_ABSENT;
		*ret = n;
		return LOOKUP_FOUND;
	}
	return is_fresh ? LOOKUP_ABSENT : LOOKUP_UNKNOWN;
}

void node_defaults_locked(struct fs *fs, struct node *n)
{
	const struct fs_options *o = &fs->options;

	if (node_is_dir(n))
		n->mode = S_IFDIR | o->dir_mode;
	else
		n->mode = n->type == NODE_SYMLINK ? S_IFLNK | 0777u : S_IFREG | o->file_mode;
	n->uid = o->uid;
	n->gid = o->gid;
	if (!n->mtime_ns)
		node_set_times(n, fs->started_wall_s * 1000000000);
}

/* The content of an older version is of no use to the next reader. */
static void forget_content_locked(struct fs *fs, struct node *n)
{
	struct file *f = n->file;

	if (!f)
		return;
	if (file_is_idle_locked(f))
		file_drop_locked(fs, n);
	else
		f->is_new_version = true;
}

/* A listing that does not tell the size leaves what was learnt about the same version. */
static bool is_same_version(const struct node *n, const struct store_object *object)
{
	return node_is_version(n, object->version) &&
	       (n->size == object->size || object->is_unsized);
}

void node_fill_locked(struct fs *fs, struct node *n, const struct store_object *object, struct attrs *remembered)
{
	struct attrs told = ATTRS_INIT;
	bool is_same;

	if (n->is_copied && !node_has_version(n) && n->size == object->size) {
		node_set_version(n, object->version);
		if (n->file && !n->put && !n->file->base_version[0])
			file_set_base_locked(n->file, object->version);
	}
	n->is_copied = false;
	is_same = is_same_version(n, object);

	n->expires_ms = clock_mono_ms() + fs->options.meta_ttl_ms;
	if (n->file && (n->file->readers || n->file->writers) && !is_same) {
		n->file->is_new_version = true; /* who has it open keeps the old attributes with the old bytes */
		n->expires_ms = 0;
		return;
	}
	if (!is_same) {
		log_debug("node.changed", "name='%s' size=%llu to=%llu version='%s' to='%s' changed=%llu", n->name,
			  (unsigned long long)n->size, (unsigned long long)object->size, node_version(n).text,
			  object->version, (unsigned long long)n->changed);
		forget_content_locked(fs, n);
		if (n->rare) {
			free(steal(n->rare->link_target));
			rare_tidy(n);
		}
		if (n->type == NODE_SYMLINK && !n->has_attrs)
			n->type = NODE_FILE;
		n->has_attrs = n->has_own_meta = false;
		n->size = object->size;
		n->is_unsized = object->is_unsized;
		node_set_version(n, object->version);
		node_set_times(n, object->modified_wall_ns);
		node_defaults_locked(fs, n);
	}
	n->is_unsized &= object->is_unsized;
	n->expect = object->version[0] ? EXPECT_VERSION : EXPECT_ANY;
	if (object->storage_class)
		n->storage_class = tree_storage_class(&fs->tree, object->storage_class);
	if (object->has_meta && attrs_from_meta(object->meta, object->meta_count, &told) == 0)
		attrs_to_node(&told, n);
	else if (remembered && !n->has_attrs)
		attrs_to_node(remembered, n);
	attrs_release(&told);
}

void attrs_remember(struct fs *fs, const struct location *where, const char *version, const struct attrs *a)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();

	if (!o || !version[0] || attrs_to_json(a, o) < 0)
		return; /* only a convenience is lost */
	journal_attrs_put(fs->journal, where->store->name, where->bucket, where->key, version,
			  str_of(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN)));
}

static void remember_object(struct fs *fs, const struct location *where, const struct store_object *object)
{
	struct attrs told = ATTRS_INIT;

	if (object->has_meta && attrs_from_meta(object->meta, object->meta_count, &told) == 0) {
		if (told.mode || told.mtime_ns || told.xattrs || told.has_owner)
			attrs_remember(fs, where, object->version, &told);
	}
	attrs_release(&told);
}

void metadata_seen(struct fs *fs, struct node *n, const struct store_object *object)
{
	struct location where = LOCATION_INIT;
	bool is_news;

	lock_take(&fs->lock);
	is_news = object->has_meta && !n->has_attrs && !n->put && !n->is_detached && is_same_version(n, object);
	if (is_news) {
		node_fill_locked(fs, n, object, NULL);
		is_news = tree_remote_key(n, &where) == 0;
	}
	lock_drop(&fs->lock);
	if (is_news)
		remember_object(fs, &where, object);
	location_release(&where);
}

/* What one look-up found out. */
struct found {
	enum node_type type; /* NODE_ABSENT: nothing */
	struct store_object object;
	bool has_marker, has_file_marker, is_shadowed;
	int64_t modified_wall_ns;
};

static int ask_bucket(const struct location *where, struct found *ret, struct error *err)
{
	int r = store_bucket_exists(where->store, where->bucket, err);

	if (r == 0)
		ret->type = NODE_BUCKET;
	return r < 0 && err->kind == ERR_NOT_FOUND ? 0 : r;
}

static int ask_prefix(const struct location *where, const char *prefix, struct found *ret, struct error *err)
{
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = prefix, .delimiter = '/', .max_keys = 1 };
	int r = store_list(where->store, where->bucket, &args, &page, err);

	if (r < 0)
		return r;
	if (page.count > 0) {
		ret->type = NODE_DIR;
		ret->has_marker = strcmp(page.objects[0].key, prefix) == 0 && !page.objects[0].is_prefix;
		if (ret->has_marker)
			ret->modified_wall_ns = page.objects[0].modified_wall_ns;
	}
	return 0;
}

/* Whether an object of this key is a file here: an empty "d/" keeps a directory, an empty "d" beside "d/..." does too, and one that
 * is not empty is a file under its escape, which only then exists. */
static int judge_object(const struct location *where, const char *prefix, bool is_escape, struct found *ret, struct error *err)
{
	bool is_marker = where->key[0] == '\0' || str_ends(str_of(where->key), "/");
	int r;

	ret->type = NODE_FILE;
	if (ret->object.size > 0 && !is_escape)
		return 0;
	ret->type = NODE_ABSENT;
	r = ask_prefix(where, prefix, ret, err);
	if (r < 0)
		return r;
	if (is_escape) {
		ret->is_shadowed = ret->type == NODE_DIR && ret->object.size > 0;
		ret->type = ret->is_shadowed ? NODE_FILE : NODE_ABSENT;
	} else if (ret->type == NODE_DIR) {
		ret->has_file_marker = !is_marker;
	} else if (!is_marker) {
		ret->type = NODE_FILE;
	}
	return 0;
}

/* One HEAD, and one LIST of one key when that says no (or found nothing but a name). What was a directory before is asked as one
 * first. */
static int ask_object(const struct location *where, enum node_type before, bool is_escape, struct arena *arena,
		      struct found *ret, struct error *err)
{
	CLEANUP(freep) char *prefix = str_format("%s/", where->key);
	int r;

	if (!prefix)
		return error_set(err, ERR_NO_MEMORY, "no memory for a look-up");
	if (before == NODE_DIR) {
		r = ask_prefix(where, prefix, ret, err);
		if (r < 0 || ret->type == NODE_DIR)
			return r;
	}
	if (where->key[0] == '\0') /* "%~" in a bucket: no object has this key, but "/x" may be there */
		return ask_prefix(where, prefix, ret, err);
	r = store_head(where->store, where->bucket, where->key, NULL, arena, &ret->object, err);
	if (r == 0 && ret->object.is_directory && !is_escape) {
		ret->type = NODE_DIR;
		return 0;
	}
	if (r == 0)
		return judge_object(where, prefix, is_escape, ret, err);
	if (err->kind != ERR_NOT_FOUND)
		return r;
	return before == NODE_DIR || is_escape ? 0 : ask_prefix(where, prefix, ret, err);
}

/* A directory that nothing but "d_$folder$" keeps was found by a listing; no other answer shows it. */
static int ask_folder_marker(const struct location *where, struct arena *arena, struct found *ret, struct error *err)
{
	CLEANUP(freep) char *key = str_format("%s" FOLDER_SUFFIX, where->key);
	int r;

	if (!key)
		return error_set(err, ERR_NO_MEMORY, "no memory for a look-up");
	r = store_head(where->store, where->bucket, key, NULL, arena, &ret->object, err);
	if (r == 0)
		ret->type = NODE_DIR;
	return r < 0 && err->kind == ERR_NOT_FOUND ? 0 : r;
}

/* Whether a segment on this page is cut after so many bytes: a long one, or a file that a directory (the next entry) hides. */
static bool is_cut_on_page(const struct store_page *page, size_t start, size_t bytes)
{
	for (size_t i = 0; i < page->count; i++) {
		const struct store_object *o = &page->objects[i], *next = i + 1 < page->count ? o + 1 : NULL;
		struct str rest = str_of(o->key + start), segment = str_split(&rest, '/');

		if (naming_is_cut_at(segment, NAMING_WHOLE, bytes))
			return true;
		if (next && next->is_prefix && !o->is_prefix && o->size > 0 && strlen(next->key) == strlen(o->key) + 1 &&
		    naming_is_cut_at(segment, NAMING_SHADOWED, bytes))
			return true;
	}
	return false;
}

/* Whether some key below goes on with a segment that is cut exactly here. */
static int ask_continued(const struct location *where, struct found *ret, struct error *err)
{
	size_t start = strlen(where->key);
	CLEANUP(freep) char *token = NULL;
	int r = 0;

	while (start > 0 && where->key[start - 1] != '/')
		start--;
	do {
		CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
		struct store_list_args args = { .prefix = where->key, .delimiter = '/', .token = token };

		r = store_list(where->store, where->bucket, &args, &page, err);
		if (r == 0 && is_cut_on_page(&page, start, strlen(where->key) - start))
			ret->type = NODE_CONT;
		free(token);
		token = r == 0 && page.next_token ? strdup(page.next_token) : NULL;
	} while (token && ret->type == NODE_ABSENT);
	return r;
}

/* What the answer about a name is worth: nothing, when the object is on its way out. */
static enum node_type judge_locked(struct fs *fs, struct node *dir, const char *name, const struct location *where,
				   enum node_type type, uint64_t began)
{
	bool is_dir = type == NODE_DIR;
	CLEANUP(freep) char *key = str_format("%s%s", where->key, is_dir ? "/" : "");
	CLEANUP(location_release) struct location path = LOCATION_INIT;
	struct listed_key listed = { where->bucket, key, key ? strlen(key) : 0, NULL, NULL, began };

	if ((type != NODE_FILE && !is_dir) || !key)
		return type;
	if (tree_child_key(dir, name, is_dir, &path) == 0) {
		listed.path_bucket = path.bucket;
		listed.path_prefix = path.key;
	}
	if (pending_hides_locked(fs, where->store, &listed))
		return NODE_ABSENT;
	return type;
}

static bool any_stays_locked(struct fs *fs, const struct store *store, struct listed_key listed, const struct store_page *page)
{
	for (size_t i = 0; i < page->count; i++) {
		listed.key = page->objects[i].key;
		if (!pending_hides_locked(fs, store, &listed))
			return true;
	}
	return false;
}

int lookup_any_stays(struct fs *fs, const struct store *store, const struct listed_key *below, bool *ret_stays,
		     struct error *err)
{
	CLEANUP(freep) char *token = NULL;

	for (;;) {
		CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
		struct store_list_args args = { .prefix = below->key, .token = token, .cancel = &fs->shutdown };
		int r = store_list((struct store *)store, below->bucket, &args, &page, err);
		bool stays;

		if (r < 0)
			return r;
		lock_take(&fs->lock);
		stays = any_stays_locked(fs, store, *below, &page);
		lock_drop(&fs->lock);
		if (stays || !page.next_token) {
			*ret_stays = stays;
			return 0;
		}
		free(token);
		token = strdup(page.next_token);
		if (!token)
			return error_set(err, ERR_NO_MEMORY, "no memory for a look-up");
	}
}

/* A directory that we did not know, among whose keys some are on their way out: is there one that stays? */
static int look_closer(struct fs *fs, struct node *dir, const char *name, const struct location *where, uint64_t began,
		       struct found *found, struct error *err)
{
	CLEANUP(freep) char *prefix = str_format("%s/", where->key);
	CLEANUP(location_release) struct location path = LOCATION_INIT;
	struct listed_key listed = { where->bucket, prefix, prefix ? strlen(prefix) : 0, NULL, NULL, began };
	bool stirs, stays = true;
	int r = 0;

	if (!prefix)
		return error_set(err, ERR_NO_MEMORY, "no memory for a look-up");
	lock_take(&fs->lock);
	if (tree_child_key(dir, name, true, &path) == 0) {
		listed.path_bucket = path.bucket;
		listed.path_prefix = path.key;
	}
	stirs = pending_stirs_locked(fs, where->store, &listed);
	lock_drop(&fs->lock);
	if (stirs)
		r = lookup_any_stays(fs, where->store, &listed, &stays, err);
	if (r == 0 && !stays)
		found->type = NODE_ABSENT;
	return r;
}

/* Brings the answer into the tree, unless the name was changed here meanwhile. */
static void take_answer_locked(struct fs *fs, struct node *dir, const char *name, const struct location *where,
			       const struct found *found, uint64_t began)
{
	struct node *n = tree_child(&fs->tree, dir, name);
	enum node_type type = judge_locked(fs, dir, name, where, found->type, began);

	if (n && (node_is_local_locked(n) || n->changed > began))
		return;
	if (n && rare_of(n)->remote_key) { /* it lies elsewhere already: a directory's rename has copied it */
		n->expires_ms = clock_mono_ms() + fs->options.meta_ttl_ms;
		return;
	}
	if (n && type == NODE_ABSENT && node_is_news_locked(n, began))
		return; /* a directory, of which the cloud has nothing yet */
	if (n && type == NODE_FILE && n->type == NODE_SYMLINK)
		type = NODE_SYMLINK;
	if (n && n->type != type) {
		log_debug("node.asked", "key='%s' was=%d found=%d is=%d", where->key, n->type, found->type, type);
		tree_detach(&fs->tree, n);
		tree_prune(&fs->tree, n);
		n = NULL;
	}
	if (!n)
		n = tree_add(&fs->tree, dir, name, type);
	if (!n)
		return;
	n->expires_ms = clock_mono_ms() + fs->options.meta_ttl_ms;
	if (type == NODE_FILE || type == NODE_SYMLINK) {
		n->is_shadowed = found->is_shadowed;
		node_fill_locked(fs, n, &found->object, NULL);
	} else if (type != NODE_ABSENT) {
		if (found->modified_wall_ns)
			node_set_times(n, found->modified_wall_ns);
		n->has_marker |= found->has_marker;
		n->has_file_marker |= found->has_file_marker;
		if (found->object.is_directory) /* as `d/` where directories are real, as `d` where it is a marker: both go */
			n->has_marker = n->has_file_marker = true;
		if (!n->has_attrs)
			node_defaults_locked(fs, n);
	}
}

#define ASK_TRIES 16 /* each failed one was overtaken by a directory's rename */

static int was_overtaken(struct error *err)
{
	return error_set(err, ERR_UNAVAILABLE, "the directory was renamed each time it was asked for");
}

/* Asks for one name. 1: the answer came too late to be used. */
static int ask_once(struct fs *fs, struct node *dir, const char *name, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	struct found found = { .type = NODE_ABSENT };
	struct question question;
	enum node_type before;
	struct node *n;
	bool is_stale = false, is_continued, has_folder_marker;
	int r;

	lock_take(&fs->lock);
	r = tree_child_remote_key(dir, name, false, &where);
	is_continued = r == -EINVAL && tree_continued_remote_key(dir, name, &where) == 0;
	n = tree_child(&fs->tree, dir, name);
	before = n ? n->type : NODE_FILE;
	has_folder_marker = n && n->type == NODE_DIR && n->has_folder_marker;
	question_ask_locked(fs, &question);
	lock_drop(&fs->lock);
	if (is_continued)
		r = ask_continued(&where, &found, err);
	else if (r == -EINVAL) /* no key has such a name */
		r = error_set(err, ERR_NOT_FOUND, "no such name");
	else if (r < 0)
		r = error_errno(err, -r, "cannot look up a name");
	else if (dir->type == NODE_STORE)
		r = ask_bucket(&where, &found, err);
	else
		r = ask_object(&where, before, naming_is_shadowed(name), &arena, &found, err);
	if (r == 0 && found.type == NODE_ABSENT && has_folder_marker)
		r = ask_folder_marker(&where, &arena, &found, err);
	if (r == 0 && found.type == NODE_DIR && before != NODE_DIR)
		r = look_closer(fs, dir, name, &where, question.began, &found, err);
	lock_take(&fs->lock);
	if (r == 0 && !dir->is_detached) {
		is_stale = question_is_stale_locked(fs, &question, dir);
		if (!is_stale)
			take_answer_locked(fs, dir, name, &where, &found, question.began);
	}
	question_end_locked(fs, &question);
	if (r == 0 || error_is_of_the_way(err))
		store_reached_locked(dir, r == 0);
	lock_drop(&fs->lock);
	if (r == 0 && !is_stale && found.type == NODE_FILE)
		remember_object(fs, &where, &found.object);
	return r == 0 ? is_stale : r;
}

int lookup_remote(struct fs *fs, uint64_t dir_ino, const char *name, struct error *err)
{
	struct node *dir;
	int r = 1;

	lock_take(&fs->lock);
	dir = tree_by_ino(&fs->tree, dir_ino);
	if (dir && !node_is_dir(dir))
		dir = NULL;
	if (dir) {
		node_dir(dir)->lookups++;
		tree_pin(dir);
	}
	lock_drop(&fs->lock);
	if (!dir)
		return error_errno(err, ESTALE, "cannot look up a name");
	for (unsigned tries = 0; r == 1 && tries < ASK_TRIES; tries++)
		r = ask_once(fs, dir, name, err);
	lock_take(&fs->lock);
	tree_unpin(&fs->tree, dir);
	lock_drop(&fs->lock);
	return r == 1 ? was_overtaken(err) : r;
}

static bool is_same_place(const struct location *a, const struct location *b)
{
	return a->store == b->store && strcmp(a->bucket, b->bucket) == 0 && strcmp(a->key, b->key) == 0;
}

/* Whether the object asked for is still the node's, and the node still as the cloud has it. */
static bool answer_fits_locked(const struct node *n, const struct location *where, uint64_t changed)
{
	CLEANUP(location_release) struct location now = LOCATION_INIT;

	return !node_is_local_locked(n) && n->changed == changed && tree_remote_key(n, &now) == 0 &&
	       is_same_place(where, &now);
}

/* Asks for a node's metadata. 1: the answer came too late to be used. */
static int ask_attrs_once(struct fs *fs, struct node *n, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	struct store_object object = { 0 };
	struct question question;
	bool is_stale;
	uint64_t changed;
	int r;

	lock_take(&fs->lock);
	r = tree_remote_key(n, &where);
	changed = n->changed;
	question_ask_locked(fs, &question);
	lock_drop(&fs->lock);
	if (r < 0)
		r = error_errno(err, -r, "cannot look up attributes");
	else
		r = store_head(where.store, where.bucket, where.key, NULL, &arena, &object, err);
	lock_take(&fs->lock);
	is_stale = question_is_stale_locked(fs, &question, n);
	question_end_locked(fs, &question);
	if (!is_stale && r == 0 && node_is_dir(n) && object.has_meta && answer_fits_locked(n, &where, changed)) {
		struct attrs told;

		if (attrs_from_meta(object.meta, object.meta_count, &told) == 0)
			attrs_to_node(&told, n);
		attrs_release(&told);
	} else if (!is_stale && r == 0 && answer_fits_locked(n, &where, changed)) {
		node_fill_locked(fs, n, &object, NULL);
	} else if (!is_stale && r < 0 && err->kind == ERR_NOT_FOUND && node_is_dir(n)) {
		n->has_attrs = true; /* a directory without a marker has the defaults */
		r = 0;
	} else if (r == 0 && !n->has_attrs && !n->is_detached && !node_is_local_locked(n)) {
		is_stale = true; /* copied to its new name meanwhile: what was asked for is not what it is now */
	}
	lock_drop(&fs->lock);
	if (r == 0 && !is_stale)
		remember_object(fs, &where, &object);
	return is_stale && (r == 0 || err->kind == ERR_NOT_FOUND) ? 1 : r;
}

int lookup_attrs(struct fs *fs, uint64_t ino, struct error *err)
{
	struct node *n;
	int r = 1;

	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, ino);
	if (n)
		tree_pin(n);
	lock_drop(&fs->lock);
	if (!n)
		return error_errno(err, ESTALE, "cannot look up attributes");
	for (unsigned tries = 0; r == 1 && tries < ASK_TRIES; tries++)
		r = ask_attrs_once(fs, n, err);
	lock_take(&fs->lock);
	n->pins--; /* without pruning: the caller is about to answer with it */
	lock_drop(&fs->lock);
	return r == 1 ? was_overtaken(err) : r;
}
