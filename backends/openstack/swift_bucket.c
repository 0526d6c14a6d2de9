/*
 * Containers; their versioning and access lists; addresses that need no token.
 *
 * A container's policy is its two access lists, as {"read": "...", "write": "..."}.
 *
 * Source: docs.openstack.org/swift/latest/middleware.html (Object Versioning, TempURL), .../overview_acl.html (2026-11).
 */
#include "backends/openstack/swift_private.h"

#include "backends/base/clock.h"
#include "backends/base/random.h"
#include "backends/http/url.h"

#include <stdio.h>

static void set_empty_body(struct swift_call *c)
{
	c->request.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = STR(""), .fd = -1 };
}

static int read_buckets(struct json_object *list, struct store_bucket_page *page, size_t *capacity, struct error *err)
{
	size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *name = json_get_string(o, "name"), *modified = json_get_string(o, "last_modified");
		char with_zone[64];
		int64_t ns = 0;

		if (!name)
			continue;
		if (page->count == *capacity) {
			size_t more = *capacity ? 2 * *capacity : 64;
			struct store_bucket *grown = arena_alloc(&page->arena, more * sizeof *grown);

			if (!grown)
				return error_no_memory(err);
			if (page->count)
				memcpy(grown, page->buckets, page->count * sizeof *grown);
			page->buckets = grown;
			*capacity = more;
		}
		if (modified && snprintf(with_zone, sizeof with_zone, "%sZ", modified) < (int)sizeof with_zone &&
		    clock_parse_iso8601(with_zone, &ns) < 0)
			ns = 0;
		page->buckets[page->count] =
			(struct store_bucket){ .name = arena_strdup(&page->arena, name), .created_wall_ns = ns };
		if (!page->buckets[page->count++].name)
			return error_no_memory(err);
	}
	return 0;
}

int swift_bucket_list(struct store *store, struct store_bucket_page *ret, struct error *err)
{
	CLEANUP(store_bucket_page_release) struct store_bucket_page page = STORE_BUCKET_PAGE_INIT;
	size_t capacity = 0;

	for (;;) {
		CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(swift_of(store), HTTP_GET, "GetAccount");
		size_t before = page.count;
		int r;

		swift_call_aim(&c, NULL, NULL);
		swift_call_query(&c, "format", "json");
		if (page.count)
			swift_call_query(&c, "marker", page.buckets[page.count - 1].name);
		c.wants_json = true;
		r = swift_call_perform(&c, err);
		if (r == 0)
			r = read_buckets(c.answer.json, &page, &capacity, err);
		if (r < 0)
			return r;
		if (page.count == before)
			break;
		if (before && !strcmp(page.buckets[page.count - 1].name, page.buckets[before - 1].name))
			return error_set(err, ERR_PROTOCOL, "the service gives the same page of containers again");
	}
	*ret = page;
	page = STORE_BUCKET_PAGE_INIT;
	return 0;
}

static int check_bucket(const char *bucket, struct error *err)
{
	int r = swift_check_key(bucket, err);

	if (r == 0 && (strlen(bucket) > 256 || strchr(bucket, '/') || !strcmp(bucket, ".") || !strcmp(bucket, "..")))
		return error_set(err, ERR_INVALID, "the name of a container has at most 256 bytes and no '/', and is not . or ..");
	return r;
}

/* 201 for a new one, 202 for one that was there. */
int swift_bucket_create(struct store *store, const char *bucket, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(swift_of(store), HTTP_PUT, "PutContainer");
	int r = check_bucket(bucket, err);

	swift_call_aim(&c, bucket, NULL);
	set_empty_body(&c);
	if (r == 0)
		r = swift_call_perform(&c, err);
	if (r == 0 && c.answer.status == 202)
		return error_set(err, ERR_EXISTS, "container '%.100s' exists already", bucket);
	return r;
}

/* With its container of segments, when that is empty too. */
int swift_bucket_delete(struct store *store, const char *bucket, struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_DELETE, "DeleteContainer");
	char segments[SWIFT_BUCKET_MAX + sizeof(SWIFT_SEGMENTS)];
	bool may_have_segments = swift_has_segments(s, bucket);
	struct error ignored = ERROR_INIT;
	int r;

	swift_call_aim(&c, bucket, NULL);
	r = swift_call_perform(&c, err);
	if (r < 0 && err->http_status == 409)
		return error_set(err, ERR_NOT_EMPTY, "container '%.100s' is not empty", bucket);
	if (r == 0 && may_have_segments && swift_segments_of(bucket, segments, &ignored) == 0) {
		CLEANUP(swift_call_release) struct swift_call more = SWIFT_CALL_INIT(s, HTTP_DELETE, "DeleteContainer");

		swift_call_aim(&more, segments, NULL);
		if (swift_call_perform(&more, &ignored) == 0) /* with somebody's segments in it, it stays */
			swift_remember_segments(s, bucket, false);
	}
	return r;
}

static int look_at_container(struct swift_store *s, const char *bucket, struct swift_call *c, struct error *err)
{
	*c = SWIFT_CALL_INIT(s, HTTP_HEAD, "HeadContainer");
	swift_call_aim(c, bucket, NULL);
	return swift_call_perform(c, err);
}

int swift_bucket_exists(struct store *store, const char *bucket, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(NULL, HTTP_HEAD, "");
	int r = check_bucket(bucket, err);

	if (r == 0)
		r = look_at_container(swift_of(store), bucket, &c, err);
	if (r < 0 && (err->kind == ERR_NOT_FOUND || err->kind == ERR_INVALID))
		return error_set(err, ERR_NOT_FOUND, "there is no container '%.100s'", bucket);
	return r;
}

int swift_versioning_get(struct store *store, const char *bucket, bool *ret_is_on, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(NULL, HTTP_HEAD, "");
	int r = look_at_container(swift_of(store), bucket, &c, err);
	const char *value = r == 0 ? swift_answer(&c, "x-versions-enabled") : NULL;

	if (r == 0)
		*ret_is_on = value && str_equal_nocase(str_of(value), STR("true"));
	return r;
}

int swift_versioning_set(struct store *store, const char *bucket, bool is_on, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(swift_of(store), HTTP_POST, "PostContainer");
	bool is_now = false;
	int r;

	swift_call_aim(&c, bucket, NULL);
	swift_call_header(&c, "X-Versions-Enabled", is_on ? "true" : "false");
	set_empty_body(&c);
	c.request.is_idempotent = true;
	r = swift_call_perform(&c, err);
	if (r == 0)
		r = swift_versioning_get(store, bucket, &is_now, err);
	/* Without the middleware the header is taken and means nothing. */
	if (r == 0 && is_now != is_on)
		return error_set(err, ERR_UNSUPPORTED, "this service keeps no versions");
	return r;
}

int swift_policy_get(struct store *store, const char *bucket, struct buf *ret_json, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(NULL, HTTP_HEAD, "");
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	int r = look_at_container(swift_of(store), bucket, &c, err);
	const char *read, *write;

	if (r < 0)
		return r;
	read = swift_answer(&c, "x-container-read");
	write = swift_answer(&c, "x-container-write");
	if (!read && !write)
		return error_set(err, ERR_NOT_FOUND, "container '%.100s' has no access lists", bucket);
	if (!o)
		return error_no_memory(err);
	json_object_object_add(o, "read", json_object_new_string(read ? read : ""));
	json_object_object_add(o, "write", json_object_new_string(write ? write : ""));
	return buf_adds(ret_json, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)) < 0 ?
		       error_no_memory(err) :
		       0;
}

int swift_policy_set(struct store *store, const char *bucket, struct str json, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(swift_of(store), HTTP_POST, "PostContainer");
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *read = "", *write = "";
	int r = json.len ? json_parse(json, 65536, &o, err) : 0;

	if (json.len && (r < 0 || !json_object_is_type(o, json_type_object)))
		return error_set(err, ERR_INVALID, "a container's policy is {\"read\": \"...\", \"write\": \"...\"}");
	if (o) {
		read = json_get_string(o, "read") ? json_get_string(o, "read") : "";
		write = json_get_string(o, "write") ? json_get_string(o, "write") : "";
	}
	swift_call_aim(&c, bucket, NULL);
	swift_call_header(&c, *read ? "X-Container-Read" : "X-Remove-Container-Read", *read ? read : "x");
	swift_call_header(&c, *write ? "X-Container-Write" : "X-Remove-Container-Write", *write ? write : "x");
	set_empty_body(&c);
	c.request.is_idempotent = true;
	return swift_call_perform(&c, err);
}

static int look_for_key(struct swift_store *s, const char *bucket, char **ret, struct error *err)
{
	static const char *const headers[] = { "x-container-meta-temp-url-key", "x-container-meta-temp-url-key-2",
					       "x-account-meta-temp-url-key", "x-account-meta-temp-url-key-2" };

	for (int level = 0; level < 2; level++) {
		CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_HEAD, "HeadContainer");
		int r;

		swift_call_aim(&c, level ? NULL : bucket, NULL);
		r = swift_call_perform(&c, err);
		if (r < 0)
			return r;
		for (size_t i = 2 * (size_t)level; i < 2 * (size_t)level + 2; i++) {
			const char *key = swift_answer(&c, headers[i]);

			if (!key || !*key)
				continue;
			*ret = strdup(key);
			return *ret ? 0 : error_no_memory(err);
		}
	}
	return 0;
}

static void secret_freep(char **p)
{
	if (*p)
		explicit_bzero(*p, strlen(*p));
	free(*p);
}

/* A random key for a container that has none: addresses can be signed then. */
static int make_key(struct swift_store *s, const char *bucket, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_POST, "PostContainer");
	unsigned char random[HASH_SHA256_LEN];
	char hex[2 * sizeof random + 1];
	int r;

	random_bytes(random, sizeof random);
	hex_encode(random, sizeof random, hex);
	swift_call_aim(&c, bucket, NULL);
	swift_call_header(&c, "X-Container-Meta-Temp-URL-Key", hex);
	explicit_bzero(hex, sizeof hex);
	explicit_bzero(random, sizeof random);
	set_empty_body(&c);
	c.request.is_idempotent = true;
	r = swift_call_perform(&c, err);
	return r < 0 ? error_prefix(err, r, "container '%.64s' and the account have no temporary-URL key, and none can be made "
				    "(temp-url-key in the store's section may name one)", bucket) : 0;
}

/* The key that signs: of the configuration, the container, the account; else a new one of the container. */
static int find_key(struct swift_store *s, const char *bucket, char **ret, struct error *err)
{
	int r;

	if (s->temp_url_key) {
		*ret = strdup(s->temp_url_key);
		return *ret ? 0 : error_no_memory(err);
	}
	r = look_for_key(s, bucket, ret, err);
	if (r < 0 || *ret)
		return r;
	r = make_key(s, bucket, err);
	if (r == 0) /* what stands there now: somebody may have made one at the same time */
		r = look_for_key(s, bucket, ret, err);
	if (r == 0 && !*ret)
		r = error_set(err, ERR_UNSUPPORTED, "this service keeps no temporary-URL keys");
	return r;
}

int swift_presign(struct store *store, const char *bucket, const char *key, enum store_presign what, uint64_t expires_s,
		  struct buf *ret_url, struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(buf_release) struct buf path = BUF_INIT(16384), text = BUF_INIT(32768);
	CLEANUP(secret_freep) char *secret = NULL;
	unsigned char mac[HASH_SHA256_LEN];
	char hex[2 * HASH_SHA256_LEN + 1];
	unsigned long long ends = (unsigned long long)(clock_wall_s() + clock_skew_s()) + expires_s;
	struct url url;
	int r = swift_check_key(key, err);

	if (r == 0)
		r = swift_locate(s, err);
	if (r == 0)
		r = find_key(s, bucket, &secret, err);
	if (r == 0)
		r = url_parse(str_of(s->url), &url, err);
	if (r < 0)
		return r;
	/* What is signed is the path as the service decodes it. */
	if (buf_add_str(&path, url.path) < 0 || buf_addf(&path, "/%s/%s", bucket, key) < 0 ||
	    buf_addf(&text, "%s\n%llu\n%s", what == STORE_PRESIGN_GET ? "GET" : "PUT", ends, buf_cstr(&path)) < 0)
		return error_no_memory(err);
	hash_hmac_sha256(secret, strlen(secret), text.data, text.len, mac);
	hex_encode(mac, sizeof mac, hex);
	if (buf_addf(ret_url, "%s/", s->url) < 0 || url_encode(str_of(bucket), URL_ENCODE_SLASH, ret_url) < 0 ||
	    buf_addc(ret_url, '/') < 0 || url_encode(str_of(key), URL_KEEP_SLASH, ret_url) < 0 ||
	    buf_addf(ret_url, "?temp_url_sig=%s&temp_url_expires=%llu", hex, ends) < 0)
		return error_no_memory(err);
	return 0;
}
