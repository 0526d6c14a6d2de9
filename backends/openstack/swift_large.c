/*
 * Static large objects: uploads in parts, parts that reference what is there already, copies, cleaning.
 *
 * An upload ID of key K in bucket B is a folder of segments: B_segments/.skydir/SHA256(K)/ID/NNNNNNNN. Segment 0 is its
 * record: a JSON text with the key, content type and metadata, by which an upload found after a crash can be completed
 * or aborted. A part that is copied from an object that is large itself is no segment but a list of ranges of that
 * object's segments, kept as NNNNNNNN.ref; of a plain object, a server-side copy of it (SWIFT_WHOLE) and a range.
 * Completing writes the manifest at K (atomic), then takes away what the manifest before it named and this one does not.
 * Segments are only ever shared between an object and the one that replaces it under the same key.
 *
 * Source: docs.openstack.org/swift/latest/overview_large_objects.html (2026-11): at most 1000 segments by default.
 */
#include "backends/openstack/swift_private.h"

#include "backends/base/random.h"
#include "backends/base/xml_json.h"

#include <stdio.h>

#define RECORD_MAX ((size_t)64 << 10)
#define WHOLE_NAME "whole" /* the copy of a plain object that ranges refer to */

static int no_memory(struct error *err)
{
	return error_set(err, ERR_NO_MEMORY, "out of memory");
}

static void key_folder(const char *key, char ret[2 * HASH_SHA256_LEN + 1])
{
	unsigned char digest[HASH_SHA256_LEN];

	hash_sha256(key, strlen(key), digest);
	hex_encode(digest, sizeof digest, ret);
}

int swift_folder_of(const char *bucket, const char *key, const char *upload_id, struct swift_folder *ret, struct error *err)
{
	char digest[2 * HASH_SHA256_LEN + 1];

	if (strlen(upload_id) != 2 * SWIFT_ID_LEN || strspn(upload_id, "0123456789abcdef") != 2 * SWIFT_ID_LEN)
		return error_set(err, ERR_NOT_FOUND, "there is no such upload");
	key_folder(key, digest);
	(void)snprintf(ret->path, sizeof ret->path, SWIFT_OURS "%s/%s/", digest, upload_id); /* fits */
	return swift_segments_of(bucket, ret->container, err);
}

static void segment_name(const struct swift_folder *f, unsigned number, const char *suffix, char ret[200])
{
	(void)snprintf(ret, 200, "%s%08u%s", f->path, number, suffix); /* fits */
}

static int put_small(struct swift_store *s, const char *container, const char *name, struct str body,
		     char ret_version[STORE_VERSION_MAX], struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_PUT, "PutObject");
	int r;

	swift_call_aim(&c, container, name);
	swift_call_header(&c, "Content-Type", "application/octet-stream");
	c.request.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = body, .fd = -1 };
	r = swift_call_perform(&c, err);
	return r < 0 || !ret_version ? r : swift_version_set(swift_answer(&c, "etag"), ret_version, err);
}

int swift_get_json(struct swift_store *s, const char *container, const char *name, struct cancel *cancel,
		     struct json_object **ret, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_GET, "GetObject");
	int r;

	swift_call_aim(&c, container, name);
	c.wants_json = true;
	c.cancel = cancel;
	r = swift_call_perform(&c, err);
	if (r == 0)
		*ret = steal(c.answer.json);
	return r;
}

static bool names_path(struct json_object *manifest, const char *path)
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

/* ---- begin ---- */

static struct json_object *record_new(const char *key, const struct store_put_args *args)
{
	struct json_object *o = json_object_new_object(), *meta = json_object_new_object();

	if (!o || !meta || json_object_object_add(o, "meta", meta) != 0) {
		json_object_put(meta);
		json_object_put(o);
		return NULL;
	}
	json_object_object_add(o, "key", json_object_new_string(key));
	json_object_object_add(o, "content_type",
			       json_object_new_string(args->content_type ? args->content_type : store_content_type(key)));
	for (size_t i = 0; i < args->meta_count; i++)
		json_object_object_add(meta, args->meta[i].name, json_object_new_string(args->meta[i].value));
	return o;
}

static int make_container(struct swift_store *s, const char *container, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_PUT, "PutContainer");

	swift_call_aim(&c, container, NULL);
	c.request.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = STR(""), .fd = -1 };
	return swift_call_perform(&c, err);
}

static int bucket_must_exist(struct store *store, const char *bucket, struct error *err)
{
	return swift_bucket_exists(store, bucket, err);
}

int swift_upload_begin(struct store *store, const char *bucket, const char *key, const struct store_put_args *args,
		       char **ret_upload_id, struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(json_putp) struct json_object *record = record_new(key, args);
	unsigned char random[SWIFT_ID_LEN];
	char id[2 * SWIFT_ID_LEN + 1], name[200];
	struct swift_folder folder;
	const char *text;
	int r = swift_check_key(key, err);

	if (r == 0)
		r = bucket_must_exist(store, bucket, err);
	if (r < 0)
		return r;
	random_bytes(random, sizeof random);
	hex_encode(random, sizeof random, id);
	text = record ? json_object_to_json_string_ext(record, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;
	if (!text)
		return no_memory(err);
	r = swift_folder_of(bucket, key, id, &folder, err);
	if (r == 0 && !swift_has_segments(s, bucket))
		r = make_container(s, folder.container, err);
	if (r < 0)
		return r;
	swift_remember_segments(s, bucket, true);
	segment_name(&folder, 0, "", name);
	r = put_small(s, folder.container, name, str_of(text), NULL, err);
	if (r < 0)
		return r;
	*ret_upload_id = strdup(id);
	return *ret_upload_id ? 0 : no_memory(err);
}

static int load_record(struct swift_store *s, const struct swift_folder *f, struct json_object **ret, struct error *err)
{
	char name[200];
	int r;

	segment_name(f, 0, "", name);
	r = swift_get_json(s, f->container, name, NULL, ret, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND)
		return error_set(err, ERR_NOT_FOUND, "there is no such upload");
	if (r == 0 && !json_get_string(*ret, "key"))
		return error_set(err, ERR_PROTOCOL, "an upload's record is broken");
	return r;
}

/* ---- parts ---- */

int swift_upload_part(struct store *store, const char *bucket, const char *key, const char *upload_id, unsigned number,
		      const struct store_source *source, struct cancel *cancel, struct store_part *ret, struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_PUT, "UploadPart");
	unsigned char digest[32];
	char md5[2 * HASH_MD5_LEN + 1], name[200];
	struct swift_folder folder;
	int r = swift_folder_of(bucket, key, upload_id, &folder, err);

	if (r == 0)
		r = store_source_digest(source, HASH_MD5, digest, err);
	if (r < 0)
		return r;
	hex_encode(digest, HASH_MD5_LEN, md5);
	segment_name(&folder, number, "", name);
	swift_call_aim(&c, folder.container, name);
	swift_call_header(&c, "ETag", md5);
	swift_call_header(&c, "Content-Type", "application/octet-stream");
	c.cancel = cancel;
	c.request.body = (struct http_body){ .kind = source->fd >= 0 ? HTTP_BODY_FD : HTTP_BODY_MEM,
					     .mem = source->mem,
					     .fd = source->fd,
					     .offset = source->offset,
					     .length = source->length,
					     .progress = source->progress };
	r = swift_call_perform(&c, err);
	if (r < 0)
		return r;
	*ret = (struct store_part){ .number = number, .size = store_source_length(source) };
	(void)snprintf(ret->tag, sizeof ret->tag, "%s", md5);
	(void)snprintf(ret->checksum, sizeof ret->checksum, "%s", md5);
	return 0;
}

/* One entry of a manifest, as a put of one takes it; range: "" for the whole segment. */
static int add_entry(struct json_object *list, const char *path, const char *etag, uint64_t size, const char *range,
		     struct error *err)
{
	struct json_object *o = json_object_new_object();

	if (!o || json_object_array_add(list, o) != 0) {
		json_object_put(o);
		return no_memory(err);
	}
	json_object_object_add(o, "path", json_object_new_string(path));
	if (etag && *etag)
		json_object_object_add(o, "etag", json_object_new_string(etag));
	json_object_object_add(o, "size_bytes", json_object_new_uint64(size));
	if (range && *range)
		json_object_object_add(o, "range", json_object_new_string(range));
	return 0;
}

/* A manifest's entry, as a get of one gives it, and the bytes of its segment that it stands for. */
struct entry {
	const char *path, *etag;
	uint64_t size;	      /* of the segment */
	uint64_t first, last; /* of the range, inclusive */
};

static int read_entry(struct json_object *o, struct entry *ret, struct error *err)
{
	const char *range = json_get_string(o, "range"), *dash;

	*ret = (struct entry){ .path = json_get_string(o, "name"), .etag = json_get_string(o, "hash") };
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
static int slice(struct json_object *manifest, uint64_t offset, uint64_t length, struct json_object *list, struct error *err)
{
	uint64_t at = 0, end = offset + length;
	int r = 0;

	for (size_t i = 0; i < json_object_array_length(manifest) && at < end && r == 0; i++) {
		struct entry e;
		uint64_t size, from, to;
		char range[48] = "";

		r = read_entry(json_object_array_get_idx(manifest, i), &e, err);
		if (r < 0)
			return r;
		size = e.last - e.first + 1;
		from = offset > at ? offset - at : 0;
		to = end < at + size ? end - at : size; /* one behind */
		if (from < to) {
			if (e.first + from != 0 || e.first + to != e.size)
				(void)snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)(e.first + from),
					       (unsigned long long)(e.first + to - 1));
			r = add_entry(list, e.path, e.etag, e.size, range, err);
		}
		at += size;
	}
	return r < 0 || at >= end ? r : error_set(err, ERR_RANGE, "the range ends outside the object");
}

/* The plain object as a segment of its own, made once for an upload. */
static int copy_whole(struct swift_store *s, const char *from_bucket, const char *from_key, const struct swift_folder *f,
		      const struct store_object *source, struct cancel *cancel, char ret_name[200], struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	char version[STORE_VERSION_MAX];
	struct error absent = ERROR_INIT;
	struct swift_look there;
	int r;

	(void)snprintf(ret_name, 200, "%s" WHOLE_NAME, f->path);
	if (swift_look_at(s, f->container, ret_name, cancel, &arena, &there, &absent) == 0 &&
	    !strcmp(there.object.version, source->version))
		return 0;
	r = swift_copy_plain(s, from_bucket, from_key, f->container, ret_name, cancel, version, err);
	if (r == 0 && strcmp(version, source->version) != 0)
		return error_set(err, ERR_PRECONDITION, "the object was changed while it was copied");
	return r;
}

static int list_ranges(struct swift_store *s, const char *from_bucket, const char *from_key, const struct swift_look *source,
		       const struct swift_folder *f, uint64_t offset, uint64_t length, struct cancel *cancel,
		       struct json_object *list, struct error *err)
{
	CLEANUP(json_putp) struct json_object *manifest = NULL;
	CLEANUP(freep) char *path = NULL;
	char name[200], range[48] = "";
	int r;

	if (source->is_large) {
		r = swift_manifest_get(s, from_bucket, from_key, cancel, &manifest, err);
		if (r == 0 && !manifest)
			r = error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
		return r < 0 ? r : slice(manifest, offset, length, list, err);
	}
	r = copy_whole(s, from_bucket, from_key, f, &source->object, cancel, name, err);
	if (r < 0)
		return r;
	path = str_format("/%s/%s", f->container, name);
	if (!path)
		return no_memory(err);
	if (offset || length < source->object.size)
		(void)snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)offset,
			       (unsigned long long)(offset + length - 1));
	return add_entry(list, path, source->object.version, source->object.size, range, err);
}

int swift_part_copy(struct store *store, const char *from_bucket, const char *from_key, const char *if_source_version,
		    uint64_t offset, uint64_t length, const char *bucket, const char *key, const char *upload_id,
		    unsigned number, struct cancel *cancel, struct store_part *ret, struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	char name[200], version[STORE_VERSION_MAX];
	struct swift_folder folder;
	struct swift_look source;
	int r = list ? swift_folder_of(bucket, key, upload_id, &folder, err) : no_memory(err);

	/* Another object's segments must not be shared: deleting one would break the other. */
	if (r == 0 && (strcmp(from_bucket, bucket) != 0 || strcmp(from_key, key) != 0))
		return error_set(err, ERR_UNSUPPORTED, "Swift copies parts within one object only");
	if (r == 0)
		r = swift_look_at(s, from_bucket, from_key, cancel, &arena, &source, err);
	if (r < 0)
		return r;
	if (if_source_version && *if_source_version && strcmp(if_source_version, source.object.version) != 0)
		return error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	if (!length || offset > source.object.size || length > source.object.size - offset)
		return error_set(err, ERR_RANGE, "the range ends outside the object");
	r = list_ranges(s, from_bucket, from_key, &source, &folder, offset, length, cancel, list, err);
	if (r < 0)
		return r;
	segment_name(&folder, number, ".ref", name);
	r = put_small(s, folder.container, name,
		      str_of(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)),
		      version, err);
	if (r < 0)
		return r;
	*ret = (struct store_part){ .number = number, .size = length };
	(void)snprintf(ret->tag, sizeof ret->tag, "ref");
	return 0;
}

/* ---- complete ---- */

static int add_part(struct swift_store *s, const struct swift_folder *f, const struct store_part *part, struct json_object *list,
		    struct error *err)
{
	CLEANUP(json_putp) struct json_object *ranges = NULL;
	CLEANUP(freep) char *path = NULL;
	char name[200];
	int r;

	if (strcmp(part->tag, "ref") != 0) {
		segment_name(f, part->number, "", name);
		path = str_format("/%s/%s", f->container, name);
		return path ? add_entry(list, path, part->tag, part->size, NULL, err) : no_memory(err);
	}
	segment_name(f, part->number, ".ref", name);
	r = swift_get_json(s, f->container, name, NULL, &ranges, err);
	if (r < 0)
		return r;
	for (size_t i = 0; json_object_is_type(ranges, json_type_array) && i < json_object_array_length(ranges); i++)
		if (json_object_array_add(list, json_object_get(json_object_array_get_idx(ranges, i))) != 0)
			return no_memory(err);
	return 0;
}

static void set_meta(struct swift_call *c, struct json_object *record)
{
	struct json_object *meta = json_get(record, "meta");
	const char *type = json_get_string(record, "content_type");

	if (json_object_is_type(meta, json_type_object)) {
		json_object_object_foreach(meta, name, value)
		{
			struct store_meta one = { name, json_object_get_string(value) };

			swift_call_meta(c, &one, 1, NULL);
		}
	}
	swift_call_header(c, "Content-Type", type ? type : "application/octet-stream");
}

static int put_manifest(struct swift_store *s, const char *bucket, const char *key, struct json_object *list,
			struct json_object *record, bool if_absent, const struct store_put_args *args,
			char ret_version[STORE_VERSION_MAX], struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_PUT, "PutManifest");
	const char *text = json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	int r;

	swift_call_aim(&c, bucket, key);
	swift_call_query(&c, "multipart-manifest", "put");
	set_meta(&c, record);
	if (if_absent)
		swift_call_header(&c, "If-None-Match", "*");
	c.cancel = args ? args->cancel : NULL;
	c.deadline_mono_ms = args ? args->deadline_mono_ms : 0;
	c.request.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = str_of(text), .fd = -1 };
	r = swift_call_perform(&c, err);
	return r < 0 ? r : swift_version_set(swift_answer(&c, "etag"), ret_version, err);
}

/* What an upload leaves beside its segments: the record, and lists of ranges. */
static void forget_records(struct swift_store *s, const struct swift_folder *f, const struct store_part *parts, size_t count)
{
	CLEANUP(freep) char(*names)[200] = calloc(count + 1, sizeof *names);
	CLEANUP(freep) const char **keys = calloc(count + 1, sizeof *keys);
	size_t at = 0;

	if (!names || !keys)
		return;
	segment_name(f, 0, "", names[at]);
	keys[at] = names[at];
	at++;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(parts[i].tag, "ref") != 0)
			continue;
		segment_name(f, parts[i].number, ".ref", names[at]);
		keys[at] = names[at];
		at++;
	}
	swift_delete_all(s, f->container, keys, at);
}

/* The exchange sends a put again whose answer was lost, and then meets its own manifest in the way. */
static bool is_our_manifest(struct swift_store *s, const char *bucket, const char *key, struct json_object *list,
			    char ret_version[STORE_VERSION_MAX])
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(json_putp) struct json_object *there = NULL;
	struct error ignored = ERROR_INIT;
	struct swift_look look;
	size_t count = json_object_array_length(list);

	if (!count || swift_manifest_get(s, bucket, key, NULL, &there, &ignored) < 0 || !there ||
	    json_object_array_length(there) != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!names_path(there, json_get_string(json_object_array_get_idx(list, i), "path")))
			return false;
	if (swift_look_at(s, bucket, key, NULL, &arena, &look, &ignored) < 0)
		return false;
	memcpy(ret_version, look.object.version, STORE_VERSION_MAX);
	return true;
}

static int before_complete(struct swift_store *s, const char *bucket, const char *key, const struct store_put_args *args,
			   struct json_object **ret_old, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	bool has_version = args->if_version && *args->if_version;
	struct swift_look look;
	int r = swift_look_at(s, bucket, key, args->cancel, &arena, &look, err);

	if (r < 0 && err->kind == ERR_NOT_FOUND && !has_version) {
		*err = ERROR_INIT;
		return 0;
	}
	if (r < 0 && err->kind != ERR_NOT_FOUND)
		return r;
	if (r < 0 || (has_version && strcmp(look.object.version, args->if_version) != 0))
		return error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	return look.is_large ? swift_manifest_get(s, bucket, key, args->cancel, ret_old, err) : 0;
}

int swift_upload_complete(struct store *store, const char *bucket, const char *key, const char *upload_id,
			  const struct store_part *parts, size_t count, const struct store_put_args *args,
			  char *ret_version, struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	CLEANUP(json_putp) struct json_object *record = NULL;
	CLEANUP(json_putp) struct json_object *old = NULL;
	char version[STORE_VERSION_MAX] = "";
	struct swift_folder folder;
	int r = list ? swift_folder_of(bucket, key, upload_id, &folder, err) : no_memory(err);

	if (r == 0)
		r = load_record(s, &folder, &record, err);
	for (size_t i = 0; i < count && r == 0; i++)
		r = add_part(s, &folder, &parts[i], list, err);
	if (r == 0 && json_object_array_length(list) > store->limits.max_parts)
		r = error_set(err, ERR_UNSUPPORTED, "the object is of too many pieces (send it whole)");
	if (r == 0)
		r = before_complete(s, bucket, key, args, &old, err);
	if (r == 0)
		r = put_manifest(s, bucket, key, list, record, args->if_absent, args, version, err);
	if (r < 0 && err->kind == ERR_PRECONDITION && args->if_absent && is_our_manifest(s, bucket, key, list, version)) {
		*err = ERROR_INIT;
		r = 0;
	}
	if (r < 0)
		return r;
	forget_records(s, &folder, parts, count);
	swift_manifest_clean(s, bucket, old, list);
	if (ret_version)
		memcpy(ret_version, version, sizeof version);
	return 0;
}

/* ---- manifests ---- */

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
			return no_memory(err);
		n->items = items;
		n->capacity = capacity;
	}
	n->items[n->count] = strdup(name);
	return n->items[n->count] ? (n->count++, 0) : no_memory(err);
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

void swift_manifest_clean(struct swift_store *s, const char *bucket, struct json_object *old, struct json_object *kept)
{
	CLEANUP(swift_names_release) struct swift_names names = { .items = NULL };
	char container[SWIFT_BUCKET_MAX + sizeof(SWIFT_SEGMENTS)];
	struct error err = ERROR_INIT;
	size_t len;

	if (!old || swift_segments_of(bucket, container, &err) < 0)
		return;
	len = strlen(container);
	for (size_t i = 0; i < json_object_array_length(old); i++) {
		const char *path = json_get_string(json_object_array_get_idx(old, i), "name");

		/* Only in the bucket's own container of segments: elsewhere they may be somebody's objects. */
		if (!path || *path != '/' || strncmp(path + 1, container, len) != 0 || path[len + 1] != '/' ||
		    names_path(kept, path))
			continue;
		if (swift_names_add(&names, path + len + 2, &err) < 0)
			return;
	}
	swift_delete_all(s, container, (const char *const *)names.items, names.count);
}

/* ---- copies ---- */

static int split_path(const char *path, char *container, size_t size, const char **ret_name, struct error *err)
{
	const char *slash = *path == '/' ? strchr(path + 1, '/') : NULL;

	if (!slash || (size_t)(slash - path) > size)
		return error_set(err, ERR_PROTOCOL, "a manifest names no segment");
	memcpy(container, path + 1, (size_t)(slash - path - 1));
	container[slash - path - 1] = '\0';
	*ret_name = slash + 1;
	return 0;
}

static int copy_segment(struct swift_store *s, struct json_object *item, const struct swift_folder *f, unsigned number,
			struct cancel *cancel, struct json_object *list, struct error *err)
{
	char container[SWIFT_BUCKET_MAX + sizeof(SWIFT_SEGMENTS)], name[200], version[STORE_VERSION_MAX], range[48] = "";
	CLEANUP(freep) char *path = NULL;
	const char *from = NULL;
	struct entry e;
	int r = read_entry(item, &e, err);

	if (r == 0)
		r = split_path(e.path, container, sizeof container, &from, err);
	if (r < 0)
		return r;
	segment_name(f, number, "", name);
	r = swift_copy_plain(s, container, from, f->container, name, cancel, version, err);
	if (r < 0)
		return r;
	if (e.etag && strcmp(e.etag, version) != 0)
		return error_set(err, ERR_PRECONDITION, "the object was changed while it was copied");
	path = str_format("/%s/%s", f->container, name);
	if (!path)
		return no_memory(err);
	if (e.first || e.last + 1 != e.size)
		(void)snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)e.first, (unsigned long long)e.last);
	return add_entry(list, path, version, e.size, range, err);
}

static int source_record(struct swift_store *s, const char *bucket, const char *key, const struct store_copy_args *args,
			 struct json_object **ret, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_put_args put = { .content_type = args->content_type };
	struct swift_look source;
	int r = swift_look_at(s, bucket, key, args->cancel, &arena, &source, err);

	if (r < 0)
		return r;
	put.meta = args->replaces_meta ? args->meta : source.object.meta;
	put.meta_count = args->replaces_meta ? args->meta_count : source.object.meta_count;
	if (!put.content_type)
		put.content_type = source.object.content_type;
	*ret = record_new(key, &put);
	return *ret ? 0 : no_memory(err);
}

/* What cannot be taken away is found as an upload later. */
static void give_up(struct swift_store *s, const char *bucket, const char *key, const char *id)
{
	struct error ignored = ERROR_INIT; /* the copy's own error counts */
	int r = swift_upload_abort(&s->base, bucket, key, id, &ignored);

	(void)r;
}

int swift_copy_large(struct swift_store *s, const char *from_bucket, const char *from_key, const char *bucket,
		     const char *key, const struct store_copy_args *args, char ret_version[STORE_VERSION_MAX],
		     struct error *err)
{
	CLEANUP(json_putp) struct json_object *manifest = NULL;
	CLEANUP(json_putp) struct json_object *record = NULL;
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	struct store_put_args put = { .meta = NULL };
	CLEANUP(freep) char *id = NULL;
	struct swift_folder folder;
	int r = list ? swift_manifest_get(s, from_bucket, from_key, args->cancel, &manifest, err) : no_memory(err);

	if (r == 0 && !manifest)
		r = error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	if (r == 0)
		r = source_record(s, from_bucket, from_key, args, &record, err);
	if (r == 0) /* as an upload, so that what a crash leaves is found and aborted */
		r = swift_upload_begin(&s->base, bucket, key, &put, &id, err);
	if (r == 0)
		r = swift_folder_of(bucket, key, id, &folder, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < json_object_array_length(manifest); i++)
		r = copy_segment(s, json_object_array_get_idx(manifest, i), &folder, (unsigned)i + 1, args->cancel, list, err);
	if (r == 0)
		r = put_manifest(s, bucket, key, list, record, args->if_absent, NULL, ret_version, err);
	if (r < 0)
		give_up(s, bucket, key, id);
	else
		forget_records(s, &folder, NULL, 0);
	return r;
}
