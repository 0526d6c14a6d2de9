/*
 * Deleting many: bulk deletes, and with large objects the segments they name.
 *
 * A bulk delete takes manifests and leaves their segments, so what is large has to be known before. Each large object of ours has
 * a folder in the container of segments (swift_large.c): one listing of the folders tells which keys may be large, and those alone
 * are looked at. Where other tools keep segments there, whose names tell nothing, every key is looked at.
 *
 * Source: docs.openstack.org/swift/latest/middleware.html#bulk-delete (2026-11): 10,000 names at once, fewer where it is so set.
 */
#include "backends/openstack/swift_private.h"

#include "backends/http/url.h"

#include <stdio.h>
#include <stdlib.h>

/* A bulk delete answers when all is done, which takes the service milliseconds for each. */
#define BULK_STALL_MS	120000
#define FOLDERS_PAGES	4     /* so many large objects that looking at each key costs less */
#define SEGMENTS_AT_ONCE 20000 /* names kept in memory before they are deleted */

static int add_line(struct buf *body, const char *container, const char *key)
{
	int r = url_encode(str_of(container), URL_ENCODE_SLASH, body);

	if (r == 0)
		r = buf_addc(body, '/');
	if (r == 0)
		r = url_encode(str_of(key), URL_KEEP_SLASH, body);
	return r < 0 ? r : buf_addc(body, '\n');
}

static int bulk(struct swift_store *s, const char *container, const char *const *keys, size_t count,
		struct json_object **ret, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_POST, "BulkDelete");
	CLEANUP(buf_release) struct buf body = BUF_INIT(8 << 20);
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = add_line(&body, container, keys[i]);
	if (r < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	swift_call_aim(&c, NULL, NULL);
	swift_call_query(&c, "bulk-delete", "true");
	swift_call_header(&c, "Content-Type", "text/plain");
	swift_call_header(&c, "Accept", "application/json");
	c.request.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = buf_str(&body), .fd = -1 };
	c.request.stall_timeout_ms = BULK_STALL_MS;
	c.request.is_idempotent = true; /* what is gone already is counted as not found */
	c.wants_json = true;
	r = swift_call_perform(&c, err);
	if (r == 0 && !c.answer.json)
		return error_set(err, ERR_PROTOCOL, "the service's answer to a bulk delete is empty");
	if (r == 0)
		*ret = steal(c.answer.json);
	return r;
}

/* ["/container/key", "403 Forbidden"]: keys are percent-encoded, as they were sent. */
static void note_failure(struct json_object *pair, const char *container, const char *const *keys, size_t count,
			 struct error *results)
{
	const char *name = json_object_get_string(json_object_array_get_idx(pair, 0));
	const char *status = json_object_get_string(json_object_array_get_idx(pair, 1));
	CLEANUP(buf_release) struct buf plain = BUF_INIT(16384);
	size_t len = strlen(container);
	const char *text, *key;
	uint64_t code = 0;

	if (!name || url_decode(str_of(name), &plain) < 0)
		return;
	if (status && strlen(status) >= 3 && str_to_u64((struct str){ status, 3 }, &code) < 0)
		code = 0;
	text = buf_cstr(&plain);
	key = *text == '/' ? text + 1 : text;
	if (strncmp(key, container, len) != 0 || key[len] != '/')
		return;
	key += len + 1;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(keys[i], key) != 0)
			continue;
		(void)error_set(&results[i], code == 404 ? ERR_NONE : code == 403 || code == 401 ? ERR_PERMISSION : ERR_UNAVAILABLE,
				"'%.100s': %.60s", key, status ? status : "not deleted");
		if (code == 404)
			results[i] = ERROR_INIT;
	}
}

static int read_answer(struct json_object *answer, const char *bucket, const char *const *keys, size_t count,
		       struct error *results, struct error *err)
{
	struct json_object *errors = json_get_array(answer, "Errors");
	const char *status = json_get_string(answer, "Response Status");

	for (size_t i = 0; errors && i < json_object_array_length(errors); i++)
		note_failure(json_object_array_get_idx(errors, i), bucket, keys, count, results);
	/* The whole may fail inside a 200: then nothing is known of any key. */
	if (status && strncmp(status, "413", 3) == 0)
		return error_set(err, ERR_TOO_LARGE, "the service takes fewer than %zu names at once", count);
	if (status && strncmp(status, "200", 3) != 0 && (!errors || !json_object_array_length(errors)))
		return error_set(err, ERR_UNAVAILABLE, "the bulk delete failed: %.100s", status);
	return 0;
}

/* Any number of keys, in as few requests as the service takes. UNSUPPORTED: it has no bulk deletes, and none was done. */
static int delete_plain(struct swift_store *s, const char *bucket, const char *const *keys, size_t count,
			struct error *results, struct error *err)
{
	size_t at = 0;

	while (at < count) {
		size_t most = atomic_load(&s->bulk_max), n = count - at < most ? count - at : most;
		CLEANUP(json_putp) struct json_object *answer = NULL;
		int r = n == 1 ? swift_delete_one(s, bucket, keys[at], NULL, false, &results[at]) :
				 bulk(s, bucket, keys + at, n, &answer, err);

		if (r == 0 && n > 1)
			r = read_answer(answer, bucket, keys + at, n, results + at, err);
		if (n == 1)
			r = 0; /* it has its own result */
		if (r < 0 && err->kind == ERR_TOO_LARGE) {
			*err = ERROR_INIT;
			atomic_store(&s->bulk_max, (unsigned)(n / 2));
			continue;
		}
		if (r < 0)
			return r;
		at += n;
	}
	return 0;
}

/* ---- large objects among them ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The digests of keys with segments of ours, sorted. 1: nothing can be told from them. */
static int list_folders(struct swift_store *s, const char *container, struct swift_names *ret, struct error *err)
{
	CLEANUP(freep) char *token = NULL;
	bool is_inside = false; /* first the names beside ours: there must be none */

	for (unsigned pages = 0; pages < FOLDERS_PAGES;) {
		CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
		struct store_list_args args = { .prefix = is_inside ? SWIFT_OURS : "", .delimiter = '/', .token = token,
						.max_keys = is_inside ? 0 : 2 };
		int r = swift_list_container(s, container, &args, false, &page, err);

		if (r < 0)
			return r;
		if (!is_inside) {
			if (!page.count || (page.count == 1 && strcmp(page.objects[0].key, SWIFT_OURS) == 0))
				is_inside = true;
			else
				return 1;
			continue;
		}
		for (size_t i = 0; i < page.count && r == 0; i++)
			if (page.objects[i].is_prefix)
				r = swift_names_add(ret, page.objects[i].key + strlen(SWIFT_OURS), err);
		if (r < 0 || !page.next_token) {
			qsort(ret->items, ret->count, sizeof *ret->items, compare_names);
			return r;
		}
		pages++;
		free(token);
		token = strdup(page.next_token);
		if (!token)
			return error_no_memory(err);
	}
	return 1;
}

/* Keys that go together: each with where its segments end in `segments`. */
struct chunk {
	struct swift_store *s;
	const char *bucket;
	const struct swift_names *folders; /* NULL: every key may be large */
	bool may_be_large, has_versions;   /* of old versions the segments stay */
	const char *keys[STORE_DELETE_MAX];
	size_t of[STORE_DELETE_MAX], segments_end[STORE_DELETE_MAX];
	struct error results[STORE_DELETE_MAX];
	size_t count;
	struct swift_names segments;
};

static void chunk_freep(struct chunk **c)
{
	if (*c)
		swift_names_release(&(*c)->segments);
	free(*c);
}

static bool may_be_large(const struct chunk *c, const char *key)
{
	char digest[2 * HASH_SHA256_LEN + 2];
	const char *name = digest;

	if (!c->may_be_large || !c->folders)
		return c->may_be_large;
	swift_key_folder(key, digest);
	digest[2 * HASH_SHA256_LEN] = '/';
	digest[2 * HASH_SHA256_LEN + 1] = '\0';
	return c->folders->count &&
	       bsearch(&name, c->folders->items, c->folders->count, sizeof name, compare_names) != NULL;
}

/* A failure: it is not known whether it has segments, so it stays. */
static int note_segments(struct chunk *c, const char *key, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(json_putp) struct json_object *manifest = NULL;
	struct swift_look look = { .is_large = false };
	int r = swift_look_at(c->s, c->bucket, key, NULL, &arena, &look, err);

	if (r == 0 && look.is_large && !c->has_versions)
		r = swift_manifest_get(c->s, c->bucket, key, NULL, &manifest, err);
	if (r == 0 && manifest)
		r = swift_manifest_segments(c->bucket, manifest, NULL, &c->segments, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND) {
		*err = ERROR_INIT;
		return 0;
	}
	return r;
}

/* The keys first: segments without a manifest are garbage, a manifest without segments is a loss. */
static int delete_chunk(struct chunk *c, struct error *results, struct error *err)
{
	char container[SWIFT_BUCKET_MAX + sizeof(SWIFT_SEGMENTS)];
	CLEANUP(freep) const char **names = calloc(c->segments.count + 1, sizeof *names);
	size_t count = 0;
	int r = names ? delete_plain(c->s, c->bucket, c->keys, c->count, c->results, err) : error_no_memory(err);

	for (size_t i = 0; r == 0 && i < c->count; i++) {
		results[c->of[i]] = c->results[i];
		if (c->results[i].kind)
			continue; /* it is there still, and needs them */
		for (size_t k = i ? c->segments_end[i - 1] : 0; k < c->segments_end[i]; k++)
			names[count++] = c->segments.items[k];
	}
	if (count && swift_segments_of(c->bucket, container, err) == 0)
		swift_delete_all(c->s, container, names, count);
	swift_names_release(&c->segments);
	c->segments = (struct swift_names){ .items = NULL };
	c->count = 0;
	return r;
}

/* From `at` on, as many keys as go together. The index behind them. */
static size_t fill_chunk(struct chunk *c, const char *const *keys, size_t at, size_t count, struct error *results)
{
	for (; at < count && c->count < STORE_DELETE_MAX && c->segments.count < SEGMENTS_AT_ONCE; at++) {
		struct error *err = &results[at];

		if (swift_check_key(keys[at], err) < 0) { /* nothing of that name can be there */
			*err = ERROR_INIT;
			continue;
		}
		if (may_be_large(c, keys[at]) && note_segments(c, keys[at], err) < 0)
			continue;
		c->keys[c->count] = keys[at];
		c->of[c->count] = at;
		c->segments_end[c->count] = c->segments.count;
		c->results[c->count++] = ERROR_INIT;
	}
	return at;
}

static int find_large(struct chunk *c, struct swift_names *folders, struct error *err)
{
	char container[SWIFT_BUCKET_MAX + sizeof(SWIFT_SEGMENTS)];
	int r = swift_segments_of(c->bucket, container, err);

	if (r == 0)
		r = list_folders(c->s, container, folders, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND) {
		*err = ERROR_INIT; /* the container went meanwhile */
		c->may_be_large = false;
		return 0;
	}
	if (r == 0)
		c->folders = folders;
	/* What is written over in a bucket that keeps versions keeps its segments, whoever deletes it. */
	c->has_versions = r >= 0 && (r == 1 || folders->count) && swift_may_have_versions(c->s, c->bucket);
	return r < 0 ? r : 0;
}

int swift_delete_many(struct store *store, const char *bucket, const char *const *keys, size_t count,
		      struct error *results, struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(chunk_freep) struct chunk *c = calloc(1, sizeof *c);
	CLEANUP(swift_names_release) struct swift_names folders = { .items = NULL };
	size_t at = 0, next;
	int r = 0;

	for (size_t i = 0; i < count; i++)
		results[i] = ERROR_INIT;
	if (!c)
		return error_no_memory(err);
	c->s = s;
	c->bucket = bucket;
	c->may_be_large = swift_has_segments(s, bucket);
	if (c->may_be_large)
		r = find_large(c, &folders, err);
	for (; at < count && r == 0; at = next) {
		next = fill_chunk(c, keys, at, count, results);
		r = delete_chunk(c, results, err);
		if (r < 0 && err->kind == ERR_UNSUPPORTED)
			break; /* no bulk middleware there */
	}
	if (r == 0 || err->kind != ERR_UNSUPPORTED)
		return r;
	*err = ERROR_INIT;
	for (; at < count; at++) {
		results[at] = ERROR_INIT;
		(void)swift_delete(store, bucket, keys[at], NULL, NULL, &results[at]); /* each has its own result */
	}
	return 0;
}

void swift_delete_all(struct swift_store *s, const char *container, const char *const *keys, size_t count)
{
	CLEANUP(freep) struct error *results = calloc(count + 1, sizeof *results);
	struct error err = ERROR_INIT;

	if (!results || !count)
		return;
	if (delete_plain(s, container, keys, count, results, &err) == 0 || err.kind != ERR_UNSUPPORTED)
		return; /* what is left, segments without a manifest, costs room and no data */
	for (size_t i = 0; i < count; i++) {
		err = ERROR_INIT;
		if (swift_delete_one(s, container, keys[i], NULL, false, &err) < 0 && err.kind != ERR_NOT_FOUND)
			return;
	}
}
