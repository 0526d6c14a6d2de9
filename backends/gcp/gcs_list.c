/*
 * Listings: objects.list, one page a call, with the metadata of each object.
 *
 * The service gives objects and prefixes as two runs, which are merged here; a page may be empty though more follow, so
 * pages are asked for until one has something. What is reserved for uploads is left out.
 *
 * Source: cloud.google.com/storage/docs/json_api/v1/objects/list (2026-10).
 */
#include "backends/gcp/gcs_private.h"
#include <stdio.h>

#define LIST_FIELDS "nextPageToken,prefixes,items(" GCS_OBJECT_FIELDS ")"
#define PAGE_MAX    100000 /* objects and prefixes; the service sends 1000 */

struct page_reader {
	const char *prefix;
	enum gcs_listing what;
	bool shows_reserved;
};

static int odd(struct error *err)
{
	return error_set(err, ERR_PROTOCOL, "the service lists what was not asked for");
}

static bool is_key_odd(const struct page_reader *reader, const char *key)
{
	return !*key || strlen(key) > STORE_KEY_MAX ||
	       strncmp(key, reader->prefix, strlen(reader->prefix));
}

static int read_items(struct json_object *items, const struct page_reader *reader,
		      struct store_page *page, struct error *err)
{
	size_t count = json_object_array_length(items);

	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(items, i);
		struct store_object *o = &page->objects[page->count];
		const char *deleted;
		int r;

		if (!json_object_is_type(item, json_type_object) ||
		    !json_get_string(item, "name") ||
		    is_key_odd(reader, json_get_string(item, "name")))
			return odd(err);
		r = gcs_object_read(item, &page->arena, o, err);
		if (r < 0)
			return r;
		if (!reader->shows_reserved && gcs_is_reserved(o->key))
			continue;
		deleted = json_get_string(item, "timeDeleted");
		if (reader->what == GCS_LISTING_VERSIONS) {
			o->version_id = arena_strdup(&page->arena, o->version);
			if (!o->version_id)
				return error_set(err, ERR_TOO_LARGE, "the listing is too large");
			o->is_latest = !deleted;
		}
		page->count++;
	}
	return 0;
}

static int read_prefixes(struct json_object *prefixes, const struct page_reader *reader,
			 struct store_page *page, struct error *err)
{
	size_t count = json_object_array_length(prefixes);

	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(prefixes, i);
		const char *text = json_object_is_type(item, json_type_string)
					   ? json_object_get_string(item)
					   : "";
		char *key;

		if (is_key_odd(reader, text) || text[strlen(text) - 1] != '/')
			return odd(err);
		if (!reader->shows_reserved && gcs_is_reserved(text))
			continue;
		key = arena_strdup(&page->arena, text);
		if (!key)
			return error_set(err, ERR_TOO_LARGE, "the listing is too large");
		page->objects[page->count++] =
			(struct store_object){ .key = key, .is_prefix = true };
	}
	return 0;
}

/* By key; versions of one key newest first. A generation of more digits is the newer one. */
static int in_order(const void *a_pointer, const void *b_pointer)
{
	const struct store_object *a = a_pointer, *b = b_pointer;
	size_t a_len = strlen(a->version), b_len = strlen(b->version);
	int order = strcmp(a->key, b->key);

	if (order)
		return order;
	if (a_len != b_len)
		return a_len > b_len ? -1 : 1;
	return -strcmp(a->version, b->version);
}

static int parse_page(struct str text, const struct page_reader *reader, struct store_page *ret,
		      struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct json_object *items, *prefixes;
	const char *token;
	size_t count;
	int r = json_parse(text, GCS_ANSWER_MAX, &o, err);

	if (r < 0 || !json_object_is_type(o, json_type_object))
		return error_set(err, ERR_PROTOCOL, "the service answered with no listing");
	items = json_get_array(o, "items");
	prefixes = json_get_array(o, "prefixes");
	token = json_get_string(o, "nextPageToken");
	count = (items ? json_object_array_length(items) : 0) +
		(prefixes ? json_object_array_length(prefixes) : 0);
	if (count > PAGE_MAX)
		return error_set(err, ERR_TOO_LARGE, "the listing is too large");
	ret->objects = arena_alloc(&ret->arena, (count + 1) * sizeof(*ret->objects));
	ret->count = 0;
	ret->next_token = token && *token ? arena_strdup(&ret->arena, token) : NULL;
	if (!ret->objects || (token && *token && !ret->next_token))
		return error_set(err, ERR_TOO_LARGE, "the listing is too large");
	if (items)
		r = read_items(items, reader, ret, err);
	if (r == 0 && prefixes)
		r = read_prefixes(prefixes, reader, ret, err);
	if (r < 0)
		return r;
	qsort(ret->objects, ret->count, sizeof(*ret->objects), in_order);
	return 0;
}

int gcs_page_parse(struct str text, const char *prefix, enum gcs_listing what,
		   struct store_page *ret, struct error *err)
{
	struct page_reader reader = { .prefix = prefix, .what = what };

	return parse_page(text, &reader, ret, err);
}

/* startOffset is where the listing begins, not after which: the least name behind is one with a byte more. */
static void add_start(struct gcs_call *c, const char *after)
{
	if (strlen(after) < STORE_KEY_MAX)
		gcs_call_queryf(c, "startOffset", "%s\x01", after);
	else
		gcs_call_query(c, "startOffset", after);
}

static int one_page(struct gcs_store *s, const char *bucket, const struct store_list_args *args,
		    const struct page_reader *reader, struct store_page *ret, struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_GET, "ListObjects", bucket, NULL);
	struct store_page page = STORE_PAGE_INIT;
	int r;

	gcs_call_path(&c, "storage", "v1", "b", bucket, "o", NULL);
	gcs_call_query(&c, "fields", LIST_FIELDS);
	if (args->prefix && *args->prefix)
		gcs_call_query(&c, "prefix", args->prefix);
	if (args->delimiter)
		gcs_call_query(&c, "delimiter", "/");
	if (args->token)
		gcs_call_query(&c, "pageToken", args->token);
	if (args->start_after && *args->start_after)
		add_start(&c, args->start_after);
	if (args->max_keys)
		gcs_call_queryf(&c, "maxResults", "%u", args->max_keys);
	if (reader->what == GCS_LISTING_VERSIONS)
		gcs_call_query(&c, "versions", "true");
	c.request.cancel = args->cancel;
	c.request.sink.kind = HTTP_SINK_BUF;
	c.request.sink.buf = &c.answer;
	r = gcs_call_perform(&c, err);
	if (r == 0)
		r = parse_page(buf_str(&c.answer), reader, &page, err);
	if (r < 0) {
		store_page_release(&page);
		return r;
	}
	*ret = page;
	return 0;
}

/* Drops the key after which the listing begins, where it could not be left out by the offset. */
static void drop_start(struct store_page *page, const char *after)
{
	if (after && page->count && !strcmp(page->objects[0].key, after) &&
	    !page->objects[0].is_prefix) {
		page->objects++;
		page->count--;
	}
}

static int list(struct gcs_store *s, const char *bucket, const struct store_list_args *args,
		const struct page_reader *reader, struct store_page *ret, struct error *err)
{
	struct store_list_args next = *args;
	CLEANUP(freep) char *token = NULL;

	for (;;) {
		struct store_page page = STORE_PAGE_INIT;
		int r = one_page(s, bucket, &next, reader, &page, err);

		if (r < 0)
			return r;
		drop_start(&page, args->token ? NULL : args->start_after);
		if (page.next_token && next.token && !strcmp(next.token, page.next_token)) {
			store_page_release(&page);
			return error_set(err, ERR_PROTOCOL,
					 "the service lists the same page for ever");
		}
		if (page.count || !page.next_token) {
			*ret = page;
			return 0;
		}
		free(token);
		token = strdup(page.next_token);
		store_page_release(&page);
		if (!token)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		if (cancel_is_fired(args->cancel))
			return error_set(err, ERR_CANCELLED, "the caller gave up");
		next.token = token;
	}
}

int gcs_list(struct store *store, const char *bucket, const struct store_list_args *args,
	     struct store_page *ret, struct error *err)
{
	struct page_reader reader = { .prefix = args->prefix ? args->prefix : "" };

	return list(gcs_of(store), bucket, args, &reader, ret, err);
}

int gcs_list_versions(struct store *store, const char *bucket, const struct store_list_args *args,
		      struct store_page *ret, struct error *err)
{
	struct page_reader reader = { .prefix = args->prefix ? args->prefix : "",
				      .what = GCS_LISTING_VERSIONS };

	return list(gcs_of(store), bucket, args, &reader, ret, err);
}

int gcs_list_reserved(struct gcs_store *s, const char *bucket, const char *prefix,
		      enum gcs_listing what,
		      int (*visit)(void *arg, const struct store_object *o, struct error *err),
		      void *arg, struct error *err)
{
	struct page_reader reader = { .prefix = prefix, .what = what, .shows_reserved = true };
	CLEANUP(freep) char *token = NULL;
	int r = 0;

	do {
		CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
		struct store_list_args args = { .prefix = prefix, .token = token };

		r = list(s, bucket, &args, &reader, &page, err);
		for (size_t i = 0; r == 0 && i < page.count; i++)
			r = visit(arg, &page.objects[i], err);
		free(token);
		token = r == 0 && page.next_token ? strdup(page.next_token) : NULL;
	} while (token);
	return r;
}
