/* Pages of objects and of versions. A token is "START KIND KEY[.NAME]" in hex: when the listing began (see
 * snapshot.c), and what the last page ended with: an object, a prefix, or one version of a key. */
#include "backends/base/clock.h"
#include "backends/local/local_impl.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAGE_KEYS	1000
#define CANCEL_INTERVAL 256 /* items between two looks at the caller's token */

enum token_kind { TOKEN_NONE = 0, TOKEN_OBJECT = 'o', TOKEN_PREFIX = 'p', TOKEN_VERSION = 'v' };
struct token {
	enum token_kind kind;
	uint64_t start_mono_ns;
	char key[STORE_KEY_MAX + 1];
	char name
		[80]; /* of the version: of its file in the history, or "" for the current object */
};

struct lister {
	struct local *local;
	const char *bucket;
	const struct store_list_args *args;
	struct store_page *page;
	struct str prefix;
	char *start; /* the directory that the prefix leads into */
	unsigned max;
	struct token from; /* what the last page ended with */
	struct token last; /* what was added last */
	struct walk_args walk;
	struct walk_args history;
	unsigned steps;
};

static bool starts_with(struct str s, struct str prefix)
{
	return s.len >= prefix.len && (!prefix.len || !memcmp(s.ptr, prefix.ptr, prefix.len));
}

static int token_parse(const char *text, struct token *ret, struct error *err)
{
	size_t len = strlen(text);
	char *end;
	int n;

	*ret = (struct token){ .start_mono_ns = clock_mono_ns() };
	if (len < 17 + 2 || len > 17 + 2 * sizeof(ret->key) + 2 * sizeof(ret->name))
		goto bad;
	ret->start_mono_ns = strtoull(text, &end, 16);
	ret->kind = (enum token_kind)text[16];
	if (end != text + 16 ||
	    (ret->kind != TOKEN_OBJECT && ret->kind != TOKEN_PREFIX && ret->kind != TOKEN_VERSION))
		goto bad;
	text += 17;
	len = strcspn(text, ".");
	n = hex_decode((struct str){ text, len }, (unsigned char *)ret->key, STORE_KEY_MAX);
	if (n <= 0)
		goto bad;
	ret->key[n] = '\0';
	if (text[len])
		(void)snprintf(ret->name, sizeof(ret->name), "%s", text + len + 1);
	return 0;
bad:
	return error_set(err, ERR_INVALID, "the token of the next page is not ours");
}

static int token_format(struct lister *l, struct error *err)
{
	size_t len = strlen(l->last.key), size = 17 + 2 * len + sizeof(l->last.name) + 2;
	char *text = arena_alloc(&l->page->arena, size);

	if (!text)
		return error_set(err, ERR_NO_MEMORY, "no memory for a page");
	(void)snprintf(text, size, "%016" PRIx64 "%c", l->from.start_mono_ns, (char)l->last.kind);
	hex_encode(l->last.key, len, text + 17);
	if (l->last.kind == TOKEN_VERSION)
		(void)snprintf(text + 17 + 2 * len, size - 17 - 2 * len, ".%s", l->last.name);
	l->page->next_token = text;
	return 0;
}

/* Room for one more: the object to fill, or NULL with *ret_r = 1 when the page is full (the token then stands in it)
 * or negative. */
static struct store_object *page_add(struct lister *l, enum token_kind kind, struct str key,
				     const char *name, int *ret_r, struct error *err)
{
	struct store_object *o;

	if (l->page->count == l->max) {
		int r = token_format(l, err);

		*ret_r = r < 0 ? r : 1;
		return NULL;
	}
	o = &l->page->objects[l->page->count];
	*o = (struct store_object){ .key = arena_strndup(&l->page->arena, key.ptr, key.len) };
	if (!o->key) {
		*ret_r = error_set(err, ERR_NO_MEMORY, "no memory for a page");
		return NULL;
	}
	l->page->count++;
	l->last.kind = kind;
	memcpy(l->last.key, o->key, key.len + 1);
	(void)snprintf(l->last.name, sizeof(l->last.name), "%s", name);
	*ret_r = 0;
	return o;
}

static int lister_begin(struct lister *l, const char *bucket, const struct store_list_args *args,
			struct store_page *page, struct error *err)
{
	const char *slash = strrchr(args->prefix, '/');
	int r;

	l->bucket = bucket;
	l->args = args;
	l->page = page;
	l->prefix = str_of(args->prefix);
	l->max = args->max_keys && args->max_keys < PAGE_KEYS ? args->max_keys : PAGE_KEYS;
	l->from.start_mono_ns = clock_mono_ns();
	if (args->token && *args->token) {
		r = token_parse(args->token, &l->from, err);
		if (r < 0)
			return r;
	}
	l->start = str_dup(
		(struct str){ args->prefix, slash ? (size_t)(slash - args->prefix) + 1 : 0 });
	store_page_release(page);
	page->objects = arena_alloc(&page->arena, l->max * sizeof(*page->objects));
	if (!l->start || !page->objects)
		return error_set(err, ERR_NO_MEMORY, "no memory for a page");
	l->walk = (struct walk_args){ .tree_fd = -1, .tree = WALK_OBJECTS, .start = l->start };
	if (l->from.kind) {
		l->walk.after = l->from.key;
		l->walk.fresh_since_ns = l->from.start_mono_ns;
		l->walk.is_inclusive = l->from.kind == TOKEN_VERSION;
	} else {
		l->walk.after = args->start_after;
	}
	return 0;
}

enum verdict { SKIP, ENTER, ADD, PAST };

static enum verdict judge(struct lister *l, int item, struct str key)
{
	if (l->from.kind == TOKEN_PREFIX && starts_with(key, str_of(l->from.key)))
		return SKIP; /* was told as one prefix on the page before */
	if (starts_with(key, l->prefix)) {
		if (item == WALK_OBJECT)
			return ADD;
		return l->args->delimiter && key.len > l->prefix.len ? ADD : ENTER;
	}
	if (item == WALK_DIR && starts_with(l->prefix, key))
		return ENTER;
	return memcmp(key.ptr, l->prefix.ptr, key.len < l->prefix.len ? key.len : l->prefix.len) > 0
		       ? PAST
		       : SKIP;
}

static int look_at_cancel(struct lister *l, struct error *err)
{
	if (++l->steps % CANCEL_INTERVAL == 0 && cancel_is_fired(l->args->cancel))
		return error_set(err, ERR_CANCELLED, "the caller gave up");
	return 0;
}

static int add_object(struct lister *l, struct walk *w, struct str key, struct error *err)
{
	struct store_object *o;
	struct record record = { 0 };
	struct stat st;
	const char *name;
	CLEANUP(closep) int fd = walk_open_object(w, &st);
	int r = 0;

	if (fd < 0 && fd != -EACCES)
		return fd == -ENOENT ? 0
				     : error_errno(err, -fd, "'%.*s'",
						   (int)(key.len < 150 ? key.len : 150), key.ptr);
	o = page_add(l, TOKEN_OBJECT, key, "", &r, err);
	if (!o)
		return r;
	name = o->key;
	if (fd >= 0)
		r = record_read(l->local, fd, name, &st, &l->page->arena, &record, err);
	else
		record_derive(&record, &st); /* a file that we may not open still shows */
	if (r < 0)
		return r;
	record_to_object(&record, &st, o);
	o->key = name;
	o->has_meta = fd >= 0;
	o->is_latest = true;
	if (!o->content_type)
		o->content_type = store_content_type(name);
	return 0;
}

static int add_prefix(struct lister *l, struct str key, struct error *err)
{
	struct store_object *o;
	int r;

	o = page_add(l, TOKEN_PREFIX, key, "", &r, err);
	if (o)
		o->is_prefix = true;
	return r;
}

static int list_walk(struct lister *l, struct walk *w, struct error *err)
{
	struct str key;
	int item;

	while ((item = walk_next(w, &key, err)) > 0) {
		enum verdict v = judge(l, item, key);
		int r = look_at_cancel(l, err);

		if (r >= 0 && v == PAST)
			return 0;
		if (r >= 0 && v == ENTER)
			walk_enter(w);
		if (r >= 0 && v == ADD && item == WALK_DIR) {
			r = walk_has_object(l->local, &l->walk, key, err);
			if (r > 0)
				r = add_prefix(l, key, err);
		} else if (r >= 0 && v == ADD) {
			r = add_object(l, w, key, err);
		}
		if (r) /* full, or failed */
			return r;
	}
	return item;
}

int local_list(struct store *s, const char *bucket, const struct store_list_args *args,
	       struct store_page *ret, struct error *err)
{
	struct lister l = { .local = local_of(s) };
	CLEANUP(closep) int bucket_fd = bucket_open(l.local, bucket, err);
	struct walk *w = NULL;
	int r = bucket_fd < 0 ? bucket_fd : lister_begin(&l, bucket, args, ret, err);

	if (r >= 0) {
		l.walk.tree_fd = bucket_fd;
		r = walk_new(l.local, &l.walk, &w, err);
	}
	if (r >= 0)
		r = list_walk(&l, w, err);
	else if (w == NULL && bucket_fd >= 0 && err->kind == ERR_NAME_TOO_LONG)
		r = 0; /* nothing is below a prefix longer than any key */
	walk_free(w);
	free(l.start);
	if (r < 0)
		store_page_release(ret);
	return r < 0 ? r : 0;
}

/* The two trees of a bucket, side by side. */
struct side {
	struct walk *walk;
	int item; /* enum walk_item, or -1 before it was asked for */
	struct str key;
};

static int side_fill(struct side *s, struct error *err)
{
	if (s->item < 0) {
		int r = s->walk ? walk_next(s->walk, &s->key, err) : WALK_END;

		if (r < 0)
			return r;
		s->item = r;
	}
	return 0;
}

static int add_version(struct lister *l, struct str key, const char *name,
		       const struct record *record, const struct stat *st, bool is_marker,
		       const char *id, struct error *err)
{
	const char *own_key;
	struct store_object *o;
	int r;

	o = page_add(l, TOKEN_VERSION, key, name, &r, err);
	if (!o)
		return r;
	own_key = o->key;
	record_to_object(record, st, o);
	o->key = own_key;
	o->has_meta = !is_marker;
	o->is_delete_marker = is_marker;
	o->version_id = arena_strdup(&l->page->arena, id);
	if (is_marker)
		o->version[0] = '\0';
	else if (!o->content_type)
		o->content_type = store_content_type(own_key);
	return o->version_id ? 0 : error_set(err, ERR_NO_MEMORY, "no memory for a page");
}

static int add_old(struct lister *l, struct str key, const char *key_text, const struct history *h,
		   size_t i, bool has_current, struct error *err)
{
	const struct history_entry *e = &h->entries[i];
	CLEANUP(closep) int fd = tree_open(h->dir_fd, e->name, O_RDONLY);
	struct record record = { 0 };
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 0; /* deleted meanwhile */
	r = record_read(l->local, fd, key_text, &st, &l->page->arena, &record, err);
	if (r >= 0)
		r = add_version(l, key, e->name, &record, &st, e->is_marker, e->id, err);
	if (r == 0 && l->page->count)
		l->page->objects[l->page->count - 1].is_latest = !i && e->is_marker && !has_current;
	return r;
}

/* All versions of one key, newest first, from where the page before ended. */
static int add_versions(struct lister *l, struct str key, struct walk *current, bool has_history,
			struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(64 << 20);
	CLEANUP(history_release) struct history h = HISTORY_INIT;
	CLEANUP(freep) char *text = str_dup(key);
	bool is_resumed = l->from.kind == TOKEN_VERSION && text && !strcmp(text, l->from.key);
	const char *after = is_resumed ? l->from.name : "";
	struct record record = { 0 };
	struct stat st;
	CLEANUP(closep) int fd = current ? walk_open_object(current, &st) : -ENOENT;
	int r = 0;

	if (!text)
		return error_set(err, ERR_NO_MEMORY, "no memory for a page");
	if (fd >= 0)
		r = record_read(l->local, fd, text, &st, &l->page->arena, &record, err);
	if (r >= 0 && fd >= 0 && !is_resumed) {
		r = add_version(l, key, "", &record, &st, false, record_version_id(&record), err);
		if (r == 0)
			l->page->objects[l->page->count - 1].is_latest = true;
	}
	if (r == 0 && has_history)
		r = history_load(l->local, l->bucket, text, &arena, &h, err);
	for (size_t i = 0; r == 0 && i < h.count; i++) {
		if (*after && strcmp(h.entries[i].name, after) >= 0)
			continue;
		if (fd >= 0 && !strcmp(h.entries[i].id, record_version_id(&record)))
			continue;
		r = add_old(l, key, text, &h, i, fd >= 0, err);
	}
	return r;
}

static int version_prefix(struct lister *l, struct str key, struct error *err)
{
	int r = walk_has_object(l->local, &l->walk, key, err);

	if (r == 0 && l->history.tree_fd >= 0)
		r = walk_has_object(l->local, &l->history, key, err);
	return r > 0 ? add_prefix(l, key, err) : r;
}

static int compare_sides(const struct side *a, const struct side *b)
{
	size_t len = a->key.len < b->key.len ? a->key.len : b->key.len;
	int r;

	if (!a->item || !b->item)
		return a->item ? -1 : 1;
	r = memcmp(a->key.ptr, b->key.ptr, len);
	return r ? r : (a->key.len > b->key.len) - (a->key.len < b->key.len);
}

static int versions_walk(struct lister *l, struct side *current, struct side *old,
			 struct error *err)
{
	for (;;) {
		struct side *first;
		bool has_current, has_old;
		enum verdict v;
		int r = side_fill(current, err), order;

		if (r >= 0)
			r = side_fill(old, err);
		if (r >= 0)
			r = look_at_cancel(l, err);
		if (r < 0 || (!current->item && !old->item))
			return r;
		order = compare_sides(current, old);
		has_current = order <= 0;
		has_old = old->item && (order >= 0);
		first = has_current ? current : old;
		v = judge(l, first->item, first->key);
		if (v == PAST)
			return 0;
		if (v == ENTER && has_current)
			walk_enter(current->walk);
		if (v == ENTER && has_old)
			walk_enter(old->walk);
		if (v == ADD && first->item == WALK_DIR)
			r = version_prefix(l, first->key, err);
		else if (v == ADD)
			r = add_versions(l, first->key, has_current ? current->walk : NULL, has_old,
					 err);
		if (r)
			return r;
		current->item = has_current ? -1 : current->item;
		old->item = has_old ? -1 : old->item;
	}
}

int local_list_versions(struct store *s, const char *bucket, const struct store_list_args *args,
			struct store_page *ret, struct error *err)
{
	struct lister l = { .local = local_of(s) };
	CLEANUP(closep) int bucket_fd = bucket_open(l.local, bucket, err), history_fd = -1;
	struct side current = { .item = -1 }, old = { .item = -1 };
	int r = bucket_fd < 0 ? bucket_fd : lister_begin(&l, bucket, args, ret, err);

	if (r >= 0) {
		history_fd = bucket_state_open(l.local, bucket, "versions", false, err);
		r = history_fd < 0 && history_fd != -ENOENT ? history_fd : 0;
	}
	if (r >= 0) {
		l.walk.tree_fd = bucket_fd;
		l.history = l.walk;
		l.history.tree = WALK_HISTORY;
		l.history.tree_fd = history_fd;
		r = walk_new(l.local, &l.walk, &current.walk, err);
	}
	if (r >= 0 && history_fd >= 0)
		r = walk_new(l.local, &l.history, &old.walk, err);
	if (r >= 0)
		r = versions_walk(&l, &current, &old, err);
	else if (bucket_fd >= 0 && err->kind == ERR_NAME_TOO_LONG)
		r = 0; /* nothing is below a prefix longer than any key */
	walk_free(current.walk);
	walk_free(old.walk);
	free(l.start);
	if (r < 0)
		store_page_release(ret);
	return r < 0 ? r : 0;
}
