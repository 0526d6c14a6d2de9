/*
 * Deleting one object, and with a large one the segments it names; many at once: swift_bulk.c.
 *
 * A plain DELETE of a manifest leaves its segments. Whether an object is one is only told by a look, so buckets that
 * have no container of segments (remembered for a minute) are spared it.
 */
#include "backends/openstack/swift_private.h"

#include "backends/base/clock.h"

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

int swift_delete_one(struct swift_store *s, const char *bucket, const char *key, const char *version_id, bool is_large,
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
	int r = swift_delete_one(s, bucket, key, version_id, false, err);

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
		return swift_delete_one(s, bucket, key, NULL, false, err);
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
	r = swift_delete_one(s, bucket, key, NULL, false, err);
	if (r == 0)
		swift_manifest_clean(s, bucket, old, NULL);
	return r;
}
