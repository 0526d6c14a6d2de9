/*
 * Listings: ListObjectsV2 and ListObjectVersions, one page a call.
 *
 * Keys come URL-encoded (encoding-type=url), because XML cannot carry every byte; whether the
 * server did encode them stands in the answer, often behind the keys, so that they are decoded when
 * the document is read. Objects and common prefixes are two runs in the document and one merged run
 * in the page.
 *
 * Source: docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html and
 * API_ListObjectVersions.html (2026-11).
 */
#include "backends/aws/s3_private.h"
#include "backends/base/clock.h"
#include "backends/base/xml.h"
#include <stdio.h>

struct list_reader {
	const char *root; /* of the document */
	const char *bucket, *prefix;
	struct arena *arena; /* of the page */
	struct store_object *items;
	size_t count, capacity;
	struct store_object *current; /* inside an entry, else NULL */
	bool is_encoded, is_truncated;
	char *token;	     /* NextContinuationToken, NextKeyMarker */
	char *version_token; /* NextVersionIdMarker */
};

static int no_room(struct error *err)
{
	return error_set(err, ERR_TOO_LARGE, "the listing is too large");
}

static int reader_add(struct list_reader *l, struct error *err)
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
	*l->current = (struct store_object){ 0 };
	return 0;
}

static int reader_start(void *arg, const char *path, struct error *err)
{
	struct list_reader *l = arg;
	const char *name = s3_xml_below(path, l->root);
	int r;

	if (!name || l->current)
		return 0;
	if (strcmp(name, "Contents") && strcmp(name, "Version") && strcmp(name, "DeleteMarker") &&
	    strcmp(name, "CommonPrefixes"))
		return 0;
	r = reader_add(l, err);
	if (r < 0)
		return r;
	l->current->is_prefix = !strcmp(name, "CommonPrefixes");
	l->current->is_delete_marker = !strcmp(name, "DeleteMarker");
	l->current->is_latest = !strcmp(name, "Contents");
	return 0;
}

static int keep(struct list_reader *l, struct str text, const char **ret, struct error *err)
{
	*ret = arena_strndup(l->arena, text.ptr, text.len);
	return *ret ? 0 : no_room(err);
}

static int object_text(struct list_reader *l, const char *name, struct str text, struct error *err)
{
	struct store_object *o = l->current;
	char etag[256], when[64];

	if (!strcmp(name, "Key") || (o->is_prefix && !strcmp(name, "Prefix")))
		return keep(l, text, &o->key, err);
	if (o->is_prefix)
		return 0;
	if (!strcmp(name, "Size"))
		return s3_xml_u64(text, &o->size, err);
	if (!strcmp(name, "ETag")) {
		(void)snprintf(etag, sizeof(etag), "%.*s", (int)(text.len < 255 ? text.len : 255),
			       text.ptr);
		return s3_version_set(etag, o->version, err);
	}
	if (!strcmp(name, "LastModified")) {
		(void)snprintf(when, sizeof(when), "%.*s", (int)(text.len < 63 ? text.len : 63),
			       text.ptr);
		if (clock_parse_iso8601(when, &o->modified_wall_ns) < 0)
			o->modified_wall_ns = 0;
		return 0;
	}
	if (!strcmp(name, "StorageClass"))
		return keep(l, text, &o->storage_class, err);
	if (!strcmp(name, "VersionId"))
		return keep(l, text, &o->version_id, err);
	if (!strcmp(name, "IsLatest"))
		o->is_latest = str_equal(text, STR("true"));
	return 0;
}

static int reader_text(void *arg, const char *path, struct str text, struct error *err)
{
	struct list_reader *l = arg;
	const char *name = s3_xml_below(path, l->root), *kept = NULL, *inner;
	int r = 0;

	if (!name)
		return 0;
	if (l->current) {
		inner = strchr(name, '/');
		return inner ? object_text(l, inner + 1, text, err) : 0;
	}
	if (!strcmp(name, "IsTruncated")) {
		l->is_truncated = str_equal(str_trim(text), STR("true"));
	} else if (!strcmp(name, "EncodingType")) {
		l->is_encoded = str_equal(str_trim(text), STR("url"));
	} else if (!strcmp(name, "NextContinuationToken") || !strcmp(name, "NextKeyMarker")) {
		r = keep(l, text, &kept, err);
		l->token = (char *)kept;
	} else if (!strcmp(name, "NextVersionIdMarker")) {
		r = keep(l, text, &kept, err);
		l->version_token = (char *)kept;
	}
	return r;
}

static int reader_end(void *arg, const char *path, struct error *err)
{
	struct list_reader *l = arg;
	const char *name = s3_xml_below(path, l->root);

	if (!name || !l->current || strchr(name, '/'))
		return 0;
	if (!l->current->key || !*l->current->key)
		return error_set(err, ERR_PROTOCOL,
				 "the listing of bucket '%.64s' holds a nameless entry", l->bucket);
	l->current = NULL;
	return 0;
}

/* Decodes the keys and refuses those that were not asked for: what lies outside the prefix must
 * never turn up in somebody's directory. */
static int reader_finish(struct list_reader *l, struct error *err)
{
	for (size_t i = 0; i < l->count; i++) {
		char *key = (char *)l->items[i].key; /* ours, in the arena */

		if (l->is_encoded && s3_url_decode(key) < 0)
			return error_set(err, ERR_PROTOCOL,
					 "the listing of bucket '%.64s' holds a broken name",
					 l->bucket);
		if (strncmp(key, l->prefix, strlen(l->prefix)))
			return error_set(
				err, ERR_PROTOCOL,
				"the listing of bucket '%.64s' holds a name outside the prefix",
				l->bucket);
	}
	return 0;
}

/* By key; the latest version of a key before its others, which stay in the order they came (newest
 * first). */
static int compare_keys(const struct store_object *x, const struct store_object *y)
{
	int order = strcmp(x->key, y->key);

	return order ? order : y->is_latest - x->is_latest;
}

static int compare_items(const void *a, const void *b)
{
	const struct store_object *x = *(const struct store_object *const *)a;
	const struct store_object *y = *(const struct store_object *const *)b;
	int order = compare_keys(x, y);

	return order ? order : (x > y) - (x < y);
}

static int reader_sort(struct list_reader *l, struct store_page *ret, struct error *err)
{
	const struct store_object **order;
	struct store_object *sorted;
	bool is_sorted = true;

	for (size_t i = 1; i < l->count && is_sorted; i++)
		is_sorted = compare_keys(&l->items[i - 1], &l->items[i]) <= 0;
	ret->objects = l->items;
	ret->count = l->count;
	if (is_sorted)
		return 0;
	order = calloc(l->count, sizeof(*order));
	sorted = arena_alloc(l->arena, l->count * sizeof(*sorted));
	if (!order || !sorted) {
		free(order);
		return no_room(err);
	}
	for (size_t i = 0; i < l->count; i++)
		order[i] = &l->items[i];
	qsort(order, l->count, sizeof(const struct store_object *), compare_items);
	for (size_t i = 0; i < l->count; i++)
		sorted[i] = *order[i];
	free(order);
	ret->objects = sorted;
	return 0;
}

static int list_perform(struct s3_call *c, struct list_reader *l,
			const struct store_list_args *args, struct store_page *ret,
			struct error *err)
{
	int r;

	l->prefix = args->prefix ? args->prefix : "";
	l->bucket = c->bucket;
	l->arena = &ret->arena;
	c->request.cancel = args->cancel;
	s3_call_query(c, "encoding-type", "url");
	if (*l->prefix)
		s3_call_query(c, "prefix", l->prefix);
	if (args->delimiter)
		s3_call_queryf(c, "delimiter", "%c", args->delimiter);
	if (args->max_keys)
		s3_call_queryf(c, "max-keys", "%u", args->max_keys < 1000 ? args->max_keys : 1000);
	s3_call_answer(c, l->root);
	r = s3_call_perform(c, err);
	if (r < 0)
		return r;
	r = xml_parse(str_trim(buf_str(&c->answer)),
		      &(struct xml_handler){ .start = reader_start,
					    .text = reader_text,
					    .end = reader_end,
					    .arg = l }, err);
	if (r < 0)
		return error_prefix(err, r, "listing of bucket '%.64s'", c->bucket);
	r = reader_finish(l, err);
	return r < 0 ? r : reader_sort(l, ret, err);
}

static int endless(const char *bucket, struct error *err)
{
	return error_set(err, ERR_PROTOCOL, "the listing of bucket '%.64s' does not come to an end",
			 bucket);
}

int s3_list(struct store *store, const char *bucket, const struct store_list_args *args,
	    struct store_page *ret, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s3_of(store), HTTP_GET, "ListObjectsV2", bucket, NULL);
	struct list_reader l = { .root = "ListBucketResult" };
	int r;

	s3_call_query(&c, "list-type", "2");
	if (args->token)
		s3_call_query(&c, "continuation-token", args->token);
	else if (args->start_after && *args->start_after)
		s3_call_query(&c, "start-after", args->start_after);
	r = list_perform(&c, &l, args, ret, err);
	if (r < 0)
		return r;
	if (!l.is_truncated) {
		ret->next_token = NULL;
		return 0;
	}
	/* Cut off, but no way on, or back to where we are: to go on would lose names or never end.
	 */
	if (!l.token || !*l.token || (args->token && !strcmp(args->token, l.token)))
		return endless(bucket, err);
	ret->next_token = l.token;
	return 0;
}

/* A place in a version listing is two markers; as one token they are "KEY&VERSION", both
 * percent-encoded. */
struct version_place {
	char *key, *version; /* both in one piece of memory, key's */
};

static void version_place_release(struct version_place *p)
{
	free(p->key);
}

static int version_place_read(const char *token, struct version_place *ret, struct error *err)
{
	char *text = strdup(token);

	ret->key = text;
	ret->version = text ? strchr(text, '&') : NULL;
	if (!text)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (ret->version)
		*ret->version++ = '\0';
	if (!ret->version || s3_url_decode(text) < 0 || s3_url_decode(ret->version) < 0)
		return error_set(err, ERR_INVALID, "not a token of a version listing");
	return 0;
}

static int version_token_make(struct list_reader *l, const char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf token = BUF_INIT(16384);
	int r;

	if (l->is_encoded && s3_url_decode(l->token) < 0)
		return error_set(err, ERR_PROTOCOL, "the service sent a broken key marker");
	r = url_encode(str_of(l->token), URL_ENCODE_SLASH, &token);
	if (r >= 0)
		r = buf_addc(&token, '&');
	if (r >= 0 && l->version_token)
		r = url_encode(str_of(l->version_token), URL_ENCODE_SLASH, &token);
	*ret = r < 0 ? NULL : arena_strdup(l->arena, buf_cstr(&token));
	return *ret ? 0 : no_room(err);
}

static int versions_page(struct s3_store *s, const char *bucket, const struct store_list_args *args,
			 const struct version_place *place, struct store_page *ret,
			 struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_GET, "ListObjectVersions", bucket, NULL);
	struct list_reader l = { .root = "ListVersionsResult" };
	const char *token = NULL;
	int r;

	s3_call_query(&c, "versions", "");
	if (place->key)
		s3_call_query(&c, "key-marker", place->key);
	else if (args->start_after && *args->start_after)
		s3_call_query(&c, "key-marker", args->start_after);
	if (place->key && *place->version)
		s3_call_query(&c, "version-id-marker", place->version);
	r = list_perform(&c, &l, args, ret, err);
	if (r < 0)
		return r;
	if (l.is_truncated && (!l.token || !*l.token))
		return endless(bucket, err);
	if (l.is_truncated)
		r = version_token_make(&l, &token, err);
	ret->next_token = token;
	return r;
}

/* versitygw (1.8) begins a page with the version the last one ended with, when that is a key's
 * latest. */
static bool drop_repeated(const struct version_place *place, struct store_page *page)
{
	const struct store_object *first = page->objects;

	if (!place->key || page->count == 0 || first->is_prefix || !first->version_id ||
	    strcmp(first->key, place->key) || strcmp(first->version_id, place->version))
		return false;
	page->objects++;
	page->count--;
	return true;
}

int s3_list_versions(struct store *store, const char *bucket, const struct store_list_args *args,
		     struct store_page *ret, struct error *err)
{
	CLEANUP(version_place_release) struct version_place place = { NULL, NULL };
	struct store_list_args wider = *args;
	int r = args->token ? version_place_read(args->token, &place, err) : 0;

	if (r >= 0)
		r = versions_page(s3_of(store), bucket, args, &place, ret, err);
	if (r >= 0 && drop_repeated(&place, ret) && ret->count == 0 && ret->next_token) {
		/* Nothing else was on it: only a page of one more goes on. */
		wider.max_keys++;
		r = versions_page(s3_of(store), bucket, &wider, &place, ret, err);
		if (r >= 0)
			(void)drop_repeated(&place, ret); /* either way what is left is the page */
	}
	if (r >= 0 && args->token && ret->next_token && !strcmp(args->token, ret->next_token))
		return endless(bucket, err);
	return r;
}
