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
	if (version_id || (!has_version && !swift_has_segments(s, bucket)))
		return delete_one(s, bucket, key, version_id, false, err);
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
	int r;

	for (size_t i = 0; i < count; i++)
		results[i] = ERROR_INIT;
	if (!swift_has_segments(s, bucket)) {
		r = delete_batch(s, bucket, keys, count, results, err);
		if (r == 0 || err->kind != ERR_UNSUPPORTED)
			return r;
		*err = ERROR_INIT; /* no bulk middleware there */
	}
	for (size_t i = 0; i < count; i++)
		(void)swift_delete(store, bucket, keys[i], NULL, NULL, &results[i]); /* each has its own result */
	return 0;
}

void swift_delete_all(struct swift_store *s, const char *container, const char *const *keys, size_t count)
{
	for (size_t at = 0; at < count; at += STORE_DELETE_MAX) {
		size_t n = count - at < STORE_DELETE_MAX ? count - at : STORE_DELETE_MAX;
		CLEANUP(json_putp) struct json_object *answer = NULL;
		struct error err = ERROR_INIT;

		if (bulk(s, container, keys + at, n, &answer, &err) == 0)
			continue;
		for (size_t i = 0; i < n; i++) {
			err = ERROR_INIT;
			if (delete_one(s, container, keys[at + i], NULL, false, &err) < 0 && err.kind != ERR_NOT_FOUND)
				return; /* left: segments without a manifest cost room and no data */
		}
	}
}
