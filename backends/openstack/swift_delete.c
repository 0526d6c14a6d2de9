/*
 * Deleting: one object, many at once (bulk delete), and with large objects the segments they name.
 *
 * A plain DELETE of a manifest leaves its segments. Whether an object is one is only told by a look, so buckets that
 * have no container of segments (remembered for a minute) are spared it.
 */
#include "backends/openstack/swift_private.h"

#include "backends/base/clock.h"
#include "backends/http/url.h"

#include <stdio.h>

/* A bulk delete answers when all is done, which takes the service milliseconds for each. */
#define BULK_MAX      250
#define BULK_STALL_MS 120000

static struct swift_known *find_known_locked(struct swift_store *s, const char *bucket)
{
	for (unsigned i = 0; i < s->known_count; i++)
		if (!strcmp(s->known[i].bucket, bucket))
			return &s->known[i];
	return NULL;
}

void swift_remember_segments(struct swift_store *s, const char *bucket, bool has_segments)
{
	struct swift_known *k;

	if (strlen(bucket) >= SWIFT_BUCKET_MAX)
		return;
	LOCKED(&s->lock);
	k = find_known_locked(s, bucket);
	if (!k && s->known_count < SWIFT_BUCKETS_KNOWN)
		k = &s->known[s->known_count++];
	if (!k) {
		k = &s->known[s->known_next];
		s->known_next = (s->known_next + 1) % SWIFT_BUCKETS_KNOWN;
	}
	(void)snprintf(k->bucket, sizeof k->bucket, "%s", bucket);
	k->has_segments = has_segments;
	k->asked_mono_ms = clock_mono_ms();
}

bool swift_has_segments(struct swift_store *s, const char *bucket)
{
	char segments[SWIFT_BUCKET_MAX + sizeof(SWIFT_SEGMENTS)];
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_HEAD, "HeadContainer");
	struct error err = ERROR_INIT;
	int r;

	{
		LOCKED(&s->lock);
		const struct swift_known *k = find_known_locked(s, bucket);

		if (k && (k->has_segments || clock_mono_ms() - k->asked_mono_ms < SWIFT_SEGMENTS_TTL_MS))
			return k->has_segments;
	}
	if (swift_segments_of(bucket, segments, &err) < 0)
		return false;
	swift_call_aim(&c, segments, NULL);
	r = swift_call_perform(&c, &err);
	if (r < 0 && err.kind != ERR_NOT_FOUND)
		return true; /* not known: the look that it costs is the safe side */
	swift_remember_segments(s, bucket, r == 0);
	return r == 0;
}

static int delete_one(struct swift_store *s, const char *bucket, const char *key, const char *version_id, bool is_large,
		      struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_DELETE, "DeleteObject");
	int r;

	swift_call_aim(&c, bucket, key);
	if (version_id)
		swift_call_query(&c, "version-id", version_id);
	if (is_large)
		swift_call_query(&c, "multipart-manifest", "delete");
	r = swift_call_perform(&c, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND) {
		*err = ERROR_INIT;
		return 0;
	}
	return r;
}

static int put_back(struct swift_store *s, const char *bucket, const struct store_object *version, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_PUT, "PutVersion");

	swift_call_aim(&c, bucket, version->key);
	swift_call_query(&c, "version-id", version->version_id);
	c.request.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = STR(""), .fd = -1 };
	return swift_call_perform(&c, err);
}

/* The service leaves nothing in the place of a newest version that was deleted; elsewhere, and so here, the one before
 * it comes back. */
static int delete_version(struct swift_store *s, const char *bucket, const char *key, const char *version_id, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = key, .max_keys = 1 };
	struct swift_look look;
	int r = delete_one(s, bucket, key, version_id, false, err);

	if (r < 0)
		return r;
	r = swift_look_at(s, bucket, key, NULL, &arena, &look, err);
	if (r == 0 || err->kind != ERR_NOT_FOUND)
		return r;
	*err = ERROR_INIT;
	r = swift_list_versions(&s->base, bucket, &args, &page, err);
	if (r < 0 || !page.count || strcmp(page.objects[0].key, key) != 0 || page.objects[0].is_delete_marker ||
	    !page.objects[0].version_id)
		return r;
	return put_back(s, bucket, &page.objects[0], err);
}

int swift_delete(struct store *store, const char *bucket, const char *key, const char *if_version, const char *version_id,
		 struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(json_putp) struct json_object *old = NULL;
	struct swift_look look = { .is_large = false };
	bool has_version = if_version && *if_version;
	int r = swift_check_key(key, err);

	if (r < 0) { /* nothing of that name can be there */
		*err = ERROR_INIT;
		return 0;
	}
	if (version_id)
		return delete_version(s, bucket, key, version_id, err);
	if (!has_version && !swift_has_segments(s, bucket))
		return delete_one(s, bucket, key, NULL, false, err);
	r = swift_look_at(s, bucket, key, NULL, &arena, &look, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND) {
		*err = ERROR_INIT;
		return 0;
	}
	if (r == 0 && has_version && strcmp(look.object.version, if_version) != 0)
		return error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	if (r == 0 && look.is_large)
		r = swift_manifest_get(s, bucket, key, NULL, &old, err);
	if (r < 0)
		return r;
	/* The manifest first: segments without one are garbage, one without segments is a loss. */
	r = delete_one(s, bucket, key, NULL, false, err);
	if (r == 0)
		swift_manifest_clean(s, bucket, old, NULL);
	return r;
}

/* ---- many ---- */

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

static int delete_batch(struct swift_store *s, const char *bucket, const char *const *keys, size_t count,
			struct error *results, struct error *err)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	struct json_object *errors;
	const char *status;
	int r = bulk(s, bucket, keys, count, &answer, err);

	if (r < 0)
		return r;
	errors = json_get_array(answer, "Errors");
	status = json_get_string(answer, "Response Status");
	for (size_t i = 0; errors && i < json_object_array_length(errors); i++)
		note_failure(json_object_array_get_idx(errors, i), bucket, keys, count, results);
	/* The whole may fail inside a 200: then nothing is known of any key. */
	if (status && strncmp(status, "200", 3) != 0 && (!errors || !json_object_array_length(errors)))
		return error_set(err, ERR_UNAVAILABLE, "the bulk delete failed: %.100s", status);
	return 0;
}

int swift_delete_many(struct store *store, const char *bucket, const char *const *keys, size_t count,
		      struct error *results, struct error *err)
{
	struct swift_store *s = swift_of(store);
	size_t at = 0;
	int r;

	for (size_t i = 0; i < count; i++)
		results[i] = ERROR_INIT;
	while (at < count && !swift_has_segments(s, bucket)) {
		size_t n = count - at < BULK_MAX ? count - at : BULK_MAX;

		r = delete_batch(s, bucket, keys + at, n, results + at, err);
		if (r < 0 && err->kind == ERR_UNSUPPORTED)
			break; /* no bulk middleware there */
		if (r < 0)
			return r;
		at += n;
	}
	*err = ERROR_INIT;
	for (size_t i = at; i < count; i++)
		(void)swift_delete(store, bucket, keys[i], NULL, NULL, &results[i]); /* each has its own result */
	return 0;
}

void swift_delete_all(struct swift_store *s, const char *container, const char *const *keys, size_t count)
{
	for (size_t at = 0; at < count; at += BULK_MAX) {
		size_t n = count - at < BULK_MAX ? count - at : BULK_MAX;
		CLEANUP(json_putp) struct json_object *answer = NULL;
		struct error err = ERROR_INIT;

		if (n > 1 && bulk(s, container, keys + at, n, &answer, &err) == 0)
			continue;
		for (size_t i = 0; i < n; i++) {
			err = ERROR_INIT;
			if (delete_one(s, container, keys[at + i], NULL, false, &err) < 0 && err.kind != ERR_NOT_FOUND)
				return; /* left: segments without a manifest cost room and no data */
		}
	}
}
