/*
 * Manifests of static large objects: read, written entry by entry, cut into ranges; what one names taken away.
 *
 * Source: docs.openstack.org/swift/latest/overview_large_objects.html (2026-11).
 */
#include "backends/openstack/swift_private.h"

#include <stdio.h>

bool swift_manifest_names(struct json_object *manifest, const char *path)
{
	for (size_t i = 0; manifest && i < json_object_array_length(manifest); i++) {
		struct json_object *o = json_object_array_get_idx(manifest, i);
		const char *its = json_get_string(o, "name");

		its = its ? its : json_get_string(o, "path");
		if (its && !strcmp(its, path))
			return true;
	}
	return false;
}

/* One entry of a manifest, as a put of one takes it; range: "" for the whole segment. */
int swift_entry_add(struct json_object *list, const char *path, const char *etag, uint64_t size, const char *range,
		     struct error *err)
{
	struct json_object *o = json_object_new_object();

	if (!o || json_object_array_add(list, o) != 0) {
		json_object_put(o);
		return error_no_memory(err);
	}
	json_object_object_add(o, "path", json_object_new_string(path));
	if (etag && *etag)
		json_object_object_add(o, "etag", json_object_new_string(etag));
	json_object_object_add(o, "size_bytes", json_object_new_uint64(size));
	if (range && *range)
		json_object_object_add(o, "range", json_object_new_string(range));
	return 0;
}

int swift_entry_read(struct json_object *o, struct swift_entry *ret, struct error *err)
{
	const char *range = json_get_string(o, "range"), *dash;

	*ret = (struct swift_entry){ .path = json_get_string(o, "name"), .etag = json_get_string(o, "hash") };
	if (!ret->path)
		ret->path = json_get_string(o, "path");
	if (!ret->etag)
		ret->etag = json_get_string(o, "etag");
	ret->size = (uint64_t)json_get_int64(o, "bytes", json_get_int64(o, "size_bytes", 0));
	if (!ret->path || !ret->size || json_get_bool(o, "sub_slo", false))
		return error_set(err, ERR_UNSUPPORTED, "a large object of large objects");
	ret->last = ret->size - 1;
	if (!range)
		return 0;
	dash = strchr(range, '-');
	if (!dash || str_to_u64((struct str){ range, (size_t)(dash - range) }, &ret->first) < 0 ||
	    str_to_u64(str_of(dash + 1), &ret->last) < 0 || ret->first > ret->last || ret->last >= ret->size)
		return error_set(err, ERR_UNSUPPORTED, "a large object with an odd range");
	return 0;
}

/* The pieces of a manifest that hold [offset, offset + length) of its object. */
int swift_manifest_slice(struct json_object *manifest, uint64_t offset, uint64_t length, struct json_object *list, struct error *err)
{
	uint64_t at = 0, end = offset + length;
	int r = 0;

	for (size_t i = 0; i < json_object_array_length(manifest) && at < end && r == 0; i++) {
		struct swift_entry e;
		uint64_t size, from, to;
		char range[48] = "";

		r = swift_entry_read(json_object_array_get_idx(manifest, i), &e, err);
		if (r < 0)
			return r;
		size = e.last - e.first + 1;
		from = offset > at ? offset - at : 0;
		to = end < at + size ? end - at : size; /* one behind */
		if (from < to) {
			if (e.first + from != 0 || e.first + to != e.size)
				(void)snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)(e.first + from),
					       (unsigned long long)(e.first + to - 1));
			r = swift_entry_add(list, e.path, e.etag, e.size, range, err);
		}
		at += size;
	}
	return r < 0 || at >= end ? r : error_set(err, ERR_RANGE, "the range ends outside the object");
}

void swift_names_release(struct swift_names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->items[i]);
	free(n->items);
}

int swift_names_add(struct swift_names *n, const char *name, struct error *err)
{
	if (n->count == n->capacity) {
		size_t capacity = n->capacity ? 2 * n->capacity : 64;
		char **items = realloc(n->items, capacity * sizeof *items);

		if (!items)
			return error_no_memory(err);
		n->items = items;
		n->capacity = capacity;
	}
	n->items[n->count] = strdup(name);
	return n->items[n->count] ? (n->count++, 0) : error_no_memory(err);
}

int swift_manifest_get(struct swift_store *s, const char *bucket, const char *key, struct cancel *cancel,
		       struct json_object **ret, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_GET, "GetManifest");
	const char *large;
	int r;

	*ret = NULL;
	swift_call_aim(&c, bucket, key);
	swift_call_query(&c, "multipart-manifest", "get");
	c.wants_json = true;
	c.cancel = cancel;
	r = swift_call_perform(&c, err);
	if (r < 0)
		return r;
	large = swift_answer(&c, "x-static-large-object");
	if (large && json_object_is_type(c.answer.json, json_type_array))
		*ret = steal(c.answer.json);
	return 0;
}

/* Old versions go on naming their segments, also where versioning was turned off since. */
bool swift_may_have_versions(struct swift_store *s, const char *bucket)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_HEAD, "HeadContainer");
	struct error ignored = ERROR_INIT;

	swift_call_aim(&c, bucket, NULL);
	return swift_call_perform(&c, &ignored) < 0 || swift_answer(&c, "x-versions-enabled") ||
	       swift_answer(&c, "x-versions-location") || swift_answer(&c, "x-history-location");
}

int swift_manifest_segments(const char *bucket, struct json_object *old, struct json_object *kept, struct swift_names *ret,
			    struct error *err)
{
	char container[SWIFT_BUCKET_MAX + sizeof(SWIFT_SEGMENTS)];
	size_t len;
	int r = swift_segments_of(bucket, container, err);

	if (r < 0)
		return r;
	len = strlen(container);
	for (size_t i = 0; i < json_object_array_length(old) && r == 0; i++) {
		const char *path = json_get_string(json_object_array_get_idx(old, i), "name");

		/* Only in the bucket's own container of segments: elsewhere they may be somebody's objects. */
		if (!path || *path != '/' || strncmp(path + 1, container, len) != 0 || path[len + 1] != '/' ||
		    swift_manifest_names(kept, path))
			continue;
		r = swift_names_add(ret, path + len + 2, err);
	}
	return r;
}

void swift_manifest_clean(struct swift_store *s, const char *bucket, struct json_object *old, struct json_object *kept)
{
	CLEANUP(swift_names_release) struct swift_names names = { .items = NULL };
	char container[SWIFT_BUCKET_MAX + sizeof(SWIFT_SEGMENTS)];
	struct error err = ERROR_INIT;

	if (!old || swift_may_have_versions(s, bucket) || swift_segments_of(bucket, container, &err) < 0 ||
	    swift_manifest_segments(bucket, old, kept, &names, &err) < 0)
		return;
	swift_delete_all(s, container, (const char *const *)names.items, names.count);
}
