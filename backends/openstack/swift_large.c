/*
 * Static large objects: uploads in parts.
 *
 * An upload ID of key K in bucket B is a folder of segments: B_segments/.skydir/SHA256(K)/ID/NNNNNNNN. Segment 0 is its
 * record: a JSON text with the key, content type and metadata, by which an upload found after a crash can be completed
 * or aborted. A part that is copied is no segment but a list of ranges of segments, kept as
 * NNNNNNNN.ref (swift_copy.c).
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

void swift_key_folder(const char *key, char ret[2 * HASH_SHA256_LEN + 1])
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
	swift_key_folder(key, digest);
	(void)snprintf(ret->path, sizeof ret->path, SWIFT_OURS "%s/%s/", digest, upload_id); /* fits */
	return swift_segments_of(bucket, ret->container, err);
}

void swift_segment_name(const struct swift_folder *f, unsigned number, const char *suffix, char ret[200])
{
	(void)snprintf(ret, 200, "%s%08u%s", f->path, number, suffix); /* fits */
}

int swift_put_small(struct swift_store *s, const char *container, const char *name, struct str body,
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

/* ---- begin ---- */

struct json_object *swift_record_new(const char *key, const struct store_put_args *args)
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

static void upload_begun(struct swift_store *s, const char *id)
{
	LOCKED(&s->lock);
	(void)snprintf(s->begun[s->begun_next], sizeof s->begun[0], "%s", id);
	s->begun_next = (s->begun_next + 1) % SWIFT_UPLOADS_KNOWN;
}

void swift_upload_over(struct swift_store *s, const char *id)
{
	LOCKED(&s->lock);
	for (size_t i = 0; i < SWIFT_UPLOADS_KNOWN; i++)
		if (!strcmp(s->begun[i], id))
			s->begun[i][0] = '\0';
}

static bool is_begun_here(struct swift_store *s, const char *id)
{
	LOCKED(&s->lock);
	for (size_t i = 0; i < SWIFT_UPLOADS_KNOWN; i++)
		if (*id && !strcmp(s->begun[i], id))
			return true;
	return false;
}

int swift_upload_begin(struct store *store, const char *bucket, const char *key, const struct store_put_args *args,
		       char **ret_upload_id, struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(json_putp) struct json_object *record = swift_record_new(key, args);
	unsigned char random[SWIFT_ID_LEN];
	char id[2 * SWIFT_ID_LEN + 1], name[200];
	struct swift_folder folder;
	const char *text;
	int r = swift_check_key(key, err);
	bool has_segments = r == 0 && swift_has_segments(s, bucket);

	/* What has a container of segments was there; should it be gone, the upload cannot be completed. */
	if (r == 0 && !has_segments)
		r = swift_bucket_exists(store, bucket, err);
	if (r < 0)
		return r;
	random_bytes(random, sizeof random);
	hex_encode(random, sizeof random, id);
	text = record ? json_object_to_json_string_ext(record, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;
	if (!text)
		return error_no_memory(err);
	r = swift_folder_of(bucket, key, id, &folder, err);
	if (r == 0 && !has_segments)
		r = make_container(s, folder.container, err);
	if (r < 0)
		return r;
	swift_remember_segments(s, bucket, true);
	swift_segment_name(&folder, 0, "", name);
	r = swift_put_small(s, folder.container, name, str_of(text), NULL, err);
	if (r < 0)
		return r;
	*ret_upload_id = strdup(id);
	if (*ret_upload_id)
		upload_begun(s, id);
	return *ret_upload_id ? 0 : error_no_memory(err);
}

static int load_record(struct swift_store *s, const struct swift_folder *f, struct json_object **ret, struct error *err)
{
	char name[200];
	int r;

	swift_segment_name(f, 0, "", name);
	r = swift_get_json(s, f->container, name, NULL, ret, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND)
		return error_set(err, ERR_NOT_FOUND, "there is no such upload");
	if (r == 0 && !json_get_string(*ret, "key"))
		return error_set(err, ERR_PROTOCOL, "an upload's record is broken");
	return r;
}

/* ---- parts ---- */

/* A part that comes when its upload was given up would lie there for ever: looked after once it stands, as only then
 * nothing can come between. The service need not be asked of one that only we know: it is over here before it is there. */
int swift_upload_is_there(struct swift_store *s, const struct swift_folder *f, const char *upload_id, const char *name,
			  struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct swift_look record;
	char first[200];
	int r;

	if (is_begun_here(s, upload_id))
		return 0;
	swift_segment_name(f, 0, "", first);
	r = swift_look_at(s, f->container, first, NULL, &arena, &record, err);
	if (r == 0 || err->kind != ERR_NOT_FOUND)
		return r;
	swift_delete_all(s, f->container, &name, 1);
	return error_set(err, ERR_NOT_FOUND, "there is no such upload");
}

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
	swift_segment_name(&folder, number, "", name);
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
	if (r == 0)
		r = swift_upload_is_there(s, &folder, upload_id, name, err);
	if (r < 0)
		return r;
	*ret = (struct store_part){ .number = number, .size = store_source_length(source) };
	(void)snprintf(ret->tag, sizeof ret->tag, "%s", md5);
	(void)snprintf(ret->checksum, sizeof ret->checksum, "%s", md5);
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
		swift_segment_name(f, part->number, "", name);
		path = str_format("/%s/%s", f->container, name);
		return path ? swift_entry_add(list, path, part->tag, part->size, NULL, err) : error_no_memory(err);
	}
	swift_segment_name(f, part->number, ".ref", name);
	r = swift_get_json(s, f->container, name, NULL, &ranges, err);
	if (r < 0)
		return r;
	for (size_t i = 0; json_object_is_type(ranges, json_type_array) && i < json_object_array_length(ranges); i++)
		if (json_object_array_add(list, json_object_get(json_object_array_get_idx(ranges, i))) != 0)
			return error_no_memory(err);
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

int swift_put_manifest(struct swift_store *s, const char *bucket, const char *key, struct json_object *list,
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

void swift_forget_record(struct swift_store *s, const struct swift_folder *f)
{
	char name[200];
	const char *key = name;

	swift_segment_name(f, 0, "", name);
	swift_delete_all(s, f->container, &key, 1);
}

struct leftovers {
	struct swift_names names;
	struct json_object *list;
	const char *container;
};

static int collect_leftover(void *arg, const struct store_object *o, struct error *err)
{
	struct leftovers *l = arg;
	CLEANUP(freep) char *path = str_format("/%s/%s", l->container, o->key);

	if (!path)
		return error_no_memory(err);
	return swift_manifest_names(l->list, path) ? 0 : swift_names_add(&l->names, o->key, err);
}

/* What a finished upload leaves beside its segments: the record, lists of ranges, copies that none of them names. */
static void forget_upload(struct swift_store *s, const struct swift_folder *f, const struct store_part *parts, size_t count,
			  struct json_object *list)
{
	struct leftovers left = { .list = list, .container = f->container };
	struct error ignored = ERROR_INIT; /* what is not found costs room and no data */
	bool has_lists = false;

	for (size_t i = 0; i < count; i++)
		has_lists = has_lists || !strcmp(parts[i].tag, "ref");
	if (has_lists && swift_each_segment(s, f->container, f->path, collect_leftover, &left, &ignored) == 0)
		swift_delete_all(s, f->container, (const char *const *)left.names.items, left.names.count);
	else
		swift_forget_record(s, f);
	swift_names_release(&left.names);
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
		if (!swift_manifest_names(there, json_get_string(json_object_array_get_idx(list, i), "path")))
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
	int r = list ? swift_folder_of(bucket, key, upload_id, &folder, err) : error_no_memory(err);

	if (r == 0)
		r = load_record(s, &folder, &record, err);
	for (size_t i = 0; i < count && r == 0; i++)
		r = add_part(s, &folder, &parts[i], list, err);
	if (r == 0 && json_object_array_length(list) > store->limits.max_parts)
		r = error_set(err, ERR_UNSUPPORTED, "the object is of too many pieces (send it whole)");
	if (r == 0)
		r = before_complete(s, bucket, key, args, &old, err);
	if (r == 0)
		r = swift_put_manifest(s, bucket, key, list, record, args->if_absent, args, version, err);
	if (r < 0 && err->kind == ERR_PRECONDITION && args->if_absent && is_our_manifest(s, bucket, key, list, version)) {
		*err = ERROR_INIT;
		r = 0;
	}
	if (r < 0)
		return r;
	swift_upload_over(s, upload_id);
	forget_upload(s, &folder, parts, count, list);
	swift_manifest_clean(s, bucket, old, list);
	if (ret_version)
		memcpy(ret_version, version, sizeof version);
	return 0;
}
