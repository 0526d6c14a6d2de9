/*
 * List Blobs, one page a call, with the metadata of each blob; and all versions and snapshots.
 *
 * A listing shows directories twice over: as the prefixes that a delimiter makes, and as blobs of their own that other
 * tools leave (hdi_isfolder), or that are real in an account with a hierarchical namespace. With a delimiter such a blob
 * `d` comes with the prefix `d/` beside it; without one it comes as the key `d/` where directories are real.
 *
 * The service cannot begin after a key, so `start_after` skips what comes before. It may answer with an empty page and a
 * way on; a page is never empty here unless it is the last.
 *
 * Source: learn.microsoft.com/rest/api/storageservices/list-blobs (2026-11).
 */
#include "backends/azure/blob_private.h"
#include "backends/base/clock.h"
#include "backends/base/xml.h"
#include <stdio.h>

#define ROOT	      "EnumerationResults"
#define EMPTY_MOST    10000 /* pages without a name, in a row */
#define META_MOST     4096  /* pairs of one blob */

struct reader {
	const char *prefix;
	bool filters; /* what is outside the prefix was asked for, too, and is left out */
	struct arena *arena; /* of the page */
	struct store_object *items;
	size_t count, capacity;
	struct store_object *current; /* inside an entry, else NULL */
	struct store_meta *meta;      /* of the current one; in the arena */
	size_t meta_count, meta_capacity;
	const char *snapshot, *version_id;
	bool has_root, is_encoded, has_hns, is_current_version, is_directory;
	const char *token;
};

static int no_room(struct error *err)
{
	return error_set(err, ERR_TOO_LARGE, "the listing is too large");
}

static int reader_add(struct reader *l, struct error *err)
{
	if (l->count == l->capacity) {
		size_t capacity = l->capacity ? 2 * l->capacity : 64;
		struct store_object *grown = arena_alloc(l->arena, capacity * sizeof(*grown));

		if (!grown)
			return no_room(err);
		if (l->count)
			memcpy(grown, l->items, l->count * sizeof(*grown));
		l->items = grown;
		l->capacity = capacity;
	}
	l->current = &l->items[l->count++];
	*l->current = (struct store_object){ .is_latest = true };
	l->meta = NULL;
	l->meta_count = l->meta_capacity = 0;
	l->snapshot = l->version_id = NULL;
	l->is_encoded = l->is_current_version = l->is_directory = false;
	return 0;
}

/* The part of path below the root, or NULL. */
static const char *below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return !strncmp(path, top, len) && path[len] == '/' ? path + len + 1 : NULL;
}

static int reader_start(void *arg, const char *path, struct error *err)
{
	struct reader *l = arg;
	const char *name = below(path, ROOT);
	int r;

	l->has_root |= !strcmp(path, ROOT);
	if (!name || l->current)
		return 0;
	if (strcmp(name, "Blobs/Blob") && strcmp(name, "Blobs/BlobPrefix"))
		return 0;
	r = reader_add(l, err);
	if (r >= 0)
		l->current->is_prefix = !strcmp(name, "Blobs/BlobPrefix");
	return r;
}

/* A name that XML cannot carry comes percent-encoded, and says so. */
static int reader_attribute(void *arg, const char *path, const char *name, struct str value,
			    struct error *err)
{
	struct reader *l = arg;
	size_t len = strlen(path);

	(void)err; /* nothing here can fail */
	if (l->current && len > 5 && !strcmp(path + len - 5, "/Name") && !strcmp(name, "Encoded"))
		l->is_encoded = str_equal(value, STR("true"));
	return 0;
}

static int keep(struct reader *l, struct str text, const char **ret, struct error *err)
{
	*ret = arena_strndup(l->arena, text.ptr, text.len);
	return *ret ? 0 : no_room(err);
}

static int broken_name(struct error *err)
{
	return error_set(err, ERR_PROTOCOL, "the listing holds a broken name");
}

static int take_name(struct reader *l, struct str text, struct error *err)
{
	CLEANUP(buf_release) struct buf raw = BUF_INIT(16384);
	CLEANUP(buf_release) struct buf key = BUF_INIT(16384);

	if (l->is_encoded && url_decode(text, &raw) < 0)
		return broken_name(err);
	if (az_name_decode(l->is_encoded ? buf_str(&raw) : text, &key) < 0 || key.len == 0 ||
	    memchr(buf_cstr(&key), '\0', key.len))
		return broken_name(err);
	return keep(l, buf_str(&key), &l->current->key, err);
}

static int take_meta(struct reader *l, const char *name, struct str text, struct error *err)
{
	if (l->meta_count == l->meta_capacity) {
		size_t capacity = l->meta_capacity ? 2 * l->meta_capacity : 8;
		struct store_meta *grown =
			capacity <= META_MOST ? arena_alloc(l->arena, capacity * sizeof(*grown)) : NULL;

		if (!grown)
			return no_room(err);
		if (l->meta_count)
			memcpy(grown, l->meta, l->meta_count * sizeof(*grown));
		l->meta = grown;
		l->meta_capacity = capacity;
	}
	if (!az_meta_read(str_of(name), text, l->arena, &l->meta[l->meta_count]))
		return no_room(err);
	l->meta_count++;
	return 0;
}

static int take_property(struct reader *l, const char *name, struct str text, struct error *err)
{
	struct store_object *o = l->current;
	char when[64];
	int64_t modified_s = 0;

	if (!strcmp(name, "Content-Length"))
		return str_to_u64(str_trim(text), &o->size) < 0
			       ? error_set(err, ERR_PROTOCOL, "the listing holds a broken size")
			       : 0;
	if (!strcmp(name, "Etag"))
		return az_version_set(text, o->version, err);
	if (!strcmp(name, "Last-Modified")) {
		(void)snprintf(when, sizeof(when), "%.*s", (int)(text.len < 63 ? text.len : 63), text.ptr);
		if (clock_parse_http(when, &modified_s) == 0)
			o->modified_wall_ns = modified_s * 1000000000;
		return 0;
	}
	if (!strcmp(name, "AccessTier"))
		return keep(l, text, &o->storage_class, err);
	if (!strcmp(name, "Content-Type"))
		return keep(l, text, &o->content_type, err);
	if (!strcmp(name, "ResourceType")) {
		l->has_hns = true;
		l->is_directory = str_equal(text, STR("directory"));
	}
	return 0;
}

static int entry_text(struct reader *l, const char *name, struct str text, struct error *err)
{
	const char *inner;

	if (!strcmp(name, "Name"))
		return take_name(l, text, err);
	if (l->current->is_prefix)
		return 0;
	if ((inner = below(name, "Properties")))
		return take_property(l, inner, text, err);
	if ((inner = below(name, "Metadata")))
		return take_meta(l, inner, text, err);
	if (!strcmp(name, "VersionId"))
		return keep(l, text, &l->version_id, err);
	if (!strcmp(name, "Snapshot"))
		return keep(l, text, &l->snapshot, err);
	if (!strcmp(name, "IsCurrentVersion"))
		l->is_current_version = str_equal(text, STR("true"));
	return 0;
}

static int reader_text(void *arg, const char *path, struct str text, struct error *err)
{
	struct reader *l = arg;
	const char *name = below(path, ROOT), *entry;

	if (!name)
		return 0;
	if (l->current) {
		entry = below(name, l->current->is_prefix ? "Blobs/BlobPrefix" : "Blobs/Blob");
		return entry ? entry_text(l, entry, text, err) : 0;
	}
	if (!strcmp(name, "NextMarker") && text.len)
		return keep(l, text, &l->token, err);
	return 0;
}

static int end_entry(struct reader *l, struct error *err)
{
	struct store_object *o = l->current;

	if (!o->key)
		return error_set(err, ERR_PROTOCOL, "the listing holds a nameless entry");
	/* What lies outside the prefix must never turn up in somebody's directory. */
	if (strncmp(o->key, l->prefix, strlen(l->prefix)) && l->filters) {
		l->count--;
		l->current = NULL;
		return 0;
	}
	if (strncmp(o->key, l->prefix, strlen(l->prefix)))
		return error_set(err, ERR_PROTOCOL, "the listing holds a name outside the prefix");
	if (!o->is_prefix) {
		o->meta = l->meta;
		o->meta_count = l->meta_count;
		o->has_meta = true;
		o->is_directory = l->is_directory || az_is_directory(o);
	}
	if (l->snapshot) {
		char *id = arena_alloc(l->arena, strlen(l->snapshot) + 10);

		if (!id)
			return no_room(err);
		(void)snprintf(id, strlen(l->snapshot) + 10, "snapshot:%s", l->snapshot);
		o->version_id = id;
		o->is_latest = false;
	} else if (l->version_id) {
		o->version_id = l->version_id;
		o->is_latest = l->is_current_version;
	}
	l->current = NULL;
	return 0;
}

static int reader_end(void *arg, const char *path, struct error *err)
{
	struct reader *l = arg;
	const char *name = below(path, ROOT);

	if (!l->current || !name || (strcmp(name, "Blobs/Blob") && strcmp(name, "Blobs/BlobPrefix")))
		return 0;
	return end_entry(l, err);
}

/* By key; the latest version of a key before its others, the newest of those first. */
static int compare_items(const void *a, const void *b)
{
	const struct store_object *x = *(const struct store_object *const *)a;
	const struct store_object *y = *(const struct store_object *const *)b;
	int order = strcmp(x->key, y->key);

	if (!order)
		order = y->is_latest - x->is_latest;
	if (!order && x->version_id && y->version_id)
		order = strcmp(y->version_id, x->version_id);
	return order ? order : (x > y) - (x < y);
}

/* A directory that is a blob of its own gets its prefix beside it, or becomes it. */
static int add_directories(struct reader *l, char delimiter, struct error *err)
{
	size_t count = l->count;

	for (size_t i = 0; i < count; i++) {
		struct store_object *o = &l->items[i];
		char *key;
		size_t len = strlen(o->key);
		int r;

		if (!o->is_directory || o->key[len - 1] == '/' || (!delimiter && !l->has_hns))
			continue;
		key = arena_alloc(l->arena, len + 2);
		if (!key)
			return no_room(err);
		memcpy(key, o->key, len);
		key[len] = '/';
		if (!delimiter || l->has_hns) {
			/* A real directory: the key itself, in the way keys are written here. */
			o->key = key;
			o->is_prefix = delimiter != 0;
			continue;
		}
		r = reader_add(l, err);
		if (r < 0)
			return r;
		l->current->key = key;
		l->current->is_prefix = true;
		l->current = NULL;
	}
	return 0;
}

static bool is_repeated(const struct store_object *a, const struct store_object *b)
{
	return a->is_prefix && b->is_prefix && !strcmp(a->key, b->key);
}

static int reader_sort(struct reader *l, struct store_page *ret, struct error *err)
{
	const struct store_object **order = calloc(l->count + 1, sizeof(const struct store_object *));
	struct store_object *sorted = arena_alloc(l->arena, (l->count + 1) * sizeof(*sorted));
	size_t count = 0;

	if (!order || !sorted) {
		free(order);
		return no_room(err);
	}
	for (size_t i = 0; i < l->count; i++)
		order[i] = &l->items[i];
	qsort(order, l->count, sizeof(const struct store_object *), compare_items);
	for (size_t i = 0; i < l->count; i++)
		if (count == 0 || !is_repeated(&sorted[count - 1], order[i]))
			sorted[count++] = *order[i];
	free(order);
	ret->objects = sorted;
	ret->count = count;
	return 0;
}

int az_list_read(struct str document, const char *prefix, char delimiter, struct store_page *ret,
		 bool *ret_has_hns, struct error *err)
{
	struct reader l = { .prefix = prefix, .filters = str_ends(str_of(prefix), "."), .arena = &ret->arena };
	const struct xml_handler handler = { .start = reader_start,
					     .text = reader_text,
					     .end = reader_end,
					     .arg = &l,
					     .attribute = reader_attribute };
	int r = xml_parse(str_trim(document), &handler, err);

	if (r >= 0 && !l.has_root)
		r = error_set(err, ERR_PROTOCOL, "the answer is no listing");
	if (r >= 0)
		r = add_directories(&l, delimiter, err);
	if (r >= 0)
		r = reader_sort(&l, ret, err);
	ret->next_token = l.token;
	*ret_has_hns = l.has_hns;
	return r;
}

int azure_fuzz_listing(struct str bytes)
{
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct error err = ERROR_INIT;
	bool has_hns = false;

	return az_list_read(bytes, "", '/', &page, &has_hns, &err);
}

static int list_once(struct az_store *s, const char *container, const struct store_list_args *args,
		     const char *token, const char *include, struct store_page *ret, struct error *err)
{
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, HTTP_GET, "ListBlobs", container, NULL);
	CLEANUP(buf_release) struct buf prefix = BUF_INIT(8192);
	struct str asked = str_of(args->prefix);
	bool has_hns = false;
	char text[16];
	int r;

	/* "a." is the beginning of "a.b", which is the same name there, and of "a.", which is another: ask for both. */
	while (asked.len && asked.ptr[asked.len - 1] == '.')
		asked.len--;
	az_call_query(&c, "restype", "container");
	az_call_query(&c, "comp", "list");
	az_call_query(&c, "include", include);
	az_call_check(&c, az_name_encode(asked, &prefix));
	if (prefix.len)
		az_call_query(&c, "prefix", buf_cstr(&prefix));
	if (args->delimiter)
		az_call_query(&c, "delimiter", "/");
	if (token)
		az_call_query(&c, "marker", token);
	if (args->max_keys) {
		(void)snprintf(text, sizeof(text), "%u", args->max_keys < AZ_PAGE_MAX ? args->max_keys : AZ_PAGE_MAX);
		az_call_query(&c, "maxresults", text);
	}
	c.request.cancel = args->cancel;
	az_call_answer(&c, NULL);
	r = az_call_perform(&c, err);
	if (r < 0)
		return r;
	r = az_list_read(buf_str(&c.answer), args->prefix, args->delimiter, ret, &has_hns, err);
	if (r < 0)
		return error_prefix(err, r, "listing of container '%.64s'", container);
	if (has_hns)
		az_hns_learn(s, true);
	/* Whether a prefix is a directory, which stays when it is empty, only the account tells (asked once). */
	for (size_t i = 0; i < ret->count; i++)
		if (ret->objects[i].is_prefix)
			ret->objects[i].is_directory = az_hns_ask(s, args->cancel) == AZ_HNS_YES;
	/* To go on from where we are would never end. */
	if (token && ret->next_token && !strcmp(token, ret->next_token))
		return error_set(err, ERR_PROTOCOL, "the listing of container '%.64s' does not come to an end",
				 container);
	return 0;
}

/* Drops what does not come after that key. */
static void skip_before(struct store_page *page, const char *after)
{
	size_t i = 0;

	while (i < page->count && strcmp(page->objects[i].key, after) <= 0)
		i++;
	page->objects += i;
	page->count -= i;
}

static int list_pages(struct az_store *s, const char *container, const struct store_list_args *args,
		      const char *include, struct store_page *ret, struct error *err)
{
	const char *after = args->token || !args->start_after || !*args->start_after ? NULL : args->start_after;
	CLEANUP(freep) char *token = args->token ? strdup(args->token) : NULL;

	for (unsigned i = 0; i < EMPTY_MOST; i++) {
		int r = list_once(s, container, args, token, include, ret, err);

		if (r < 0)
			return r;
		if (after)
			skip_before(ret, after);
		if (ret->count || !ret->next_token)
			return 0;
		free(token);
		token = strdup(ret->next_token);
		if (!token)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		store_page_release(ret);
		if (cancel_is_fired(args->cancel))
			return error_set(err, ERR_CANCELLED, "the caller gave up");
	}
	return error_set(err, ERR_PROTOCOL, "the listing of container '%.64s' does not come to an end",
			 container);
}

int az_list(struct store *store, const char *container, const struct store_list_args *args,
	    struct store_page *ret, struct error *err)
{
	return list_pages(az_of(store), container, args, "metadata", ret, err);
}

/* What lies below the next delimiter becomes its prefix, once. */
static int collapse(struct store_page *page, const char *prefix, char delimiter, struct error *err)
{
	size_t count = 0;

	for (size_t i = 0; i < page->count; i++) {
		struct store_object *o = &page->objects[i];
		const char *end = strchr(o->key + strlen(prefix), delimiter);

		if (end) {
			const char *key = arena_strndup(&page->arena, o->key, (size_t)(end - o->key) + 1);

			if (!key)
				return no_room(err);
			*o = (struct store_object){ .key = key, .is_prefix = true };
		}
		if (count == 0 || !is_repeated(&page->objects[count - 1], o))
			page->objects[count++] = *o;
	}
	page->count = count;
	return 0;
}

int az_list_versions(struct store *store, const char *container, const struct store_list_args *args,
		     struct store_page *ret, struct error *err)
{
	struct store_list_args flat = *args;
	int r;

	flat.delimiter = 0; /* the service takes no delimiter beside snapshots and versions */
	r = list_pages(az_of(store), container, &flat, "metadata,snapshots,versions", ret, err);
	/* An account that keeps no versions may not know the word. */
	if (r < 0 && (err->http_status == 400 || err->http_status == 501)) {
		*err = ERROR_INIT;
		r = list_pages(az_of(store), container, &flat, "metadata,snapshots", ret, err);
	}
	return r >= 0 && args->delimiter ? collapse(ret, args->prefix, args->delimiter, err) : r;
}
