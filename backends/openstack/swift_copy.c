/*
 * Copies that involve large objects: a part from a range of an object, and a large object as a whole.
 *
 * A range of the object that the upload will replace is only named: its segments go on in the new manifest. Anything else
 * is copied into the upload's own folder first (once, by a name made of where it came from), as segments that two objects
 * shared would go with the first of them. Nothing of it passes the wire.
 */
#include "backends/openstack/swift_private.h"

#include <stdio.h>

/* An object as a segment of this upload's own, made once for it. */
static int copy_into(struct swift_store *s, const char *container, const char *name, const char *etag,
		     const struct swift_folder *f, struct cancel *cancel, char ret_name[200], struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(freep) char *path = str_format("%s/%s", container, name);
	char digest[2 * HASH_SHA256_LEN + 1], version[STORE_VERSION_MAX];
	unsigned char hash[HASH_SHA256_LEN];
	struct error absent = ERROR_INIT;
	struct swift_look there;
	int r;

	if (!path)
		return error_no_memory(err);
	hash_sha256(path, strlen(path), hash);
	hex_encode(hash, sizeof hash, digest);
	(void)snprintf(ret_name, 200, "%scopy-%.32s", f->path, digest); /* fits */
	if (swift_look_at(s, f->container, ret_name, cancel, &arena, &there, &absent) == 0 &&
	    !strcmp(there.object.version, etag))
		return 0;
	r = swift_copy_plain(s, container, name, f->container, ret_name, cancel, version, err);
	if (r == 0 && strcmp(version, etag) != 0)
		return error_set(err, ERR_PRECONDITION, "the object was changed while it was copied");
	return r;
}

static int list_plain(struct swift_store *s, const char *from_bucket, const char *from_key, const struct store_object *source,
		      const struct swift_folder *f, uint64_t offset, uint64_t length, struct cancel *cancel,
		      struct json_object *list, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	char name[200], range[48] = "";
	int r = copy_into(s, from_bucket, from_key, source->version, f, cancel, name, err);

	if (r < 0)
		return r;
	path = str_format("/%s/%s", f->container, name);
	if (!path)
		return error_no_memory(err);
	if (offset || length < source->size)
		(void)snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)offset,
			       (unsigned long long)(offset + length - 1));
	return swift_entry_add(list, path, source->version, source->size, range, err);
}

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

/* The same entry, with a copy of its segment in the place of the segment. */
static int copy_entry(struct swift_store *s, struct json_object *item, const struct swift_folder *f, struct cancel *cancel,
		      struct json_object *list, struct error *err)
{
	char container[SWIFT_BUCKET_MAX + sizeof(SWIFT_SEGMENTS)], name[200], range[48] = "";
	CLEANUP(freep) char *path = NULL;
	const char *from = NULL;
	struct swift_entry e;
	int r = swift_entry_read(item, &e, err);

	if (r == 0)
		r = split_path(e.path, container, sizeof container, &from, err);
	if (r == 0 && !e.etag)
		r = error_set(err, ERR_UNSUPPORTED, "a large object whose manifest tells no checksums");
	if (r == 0)
		r = copy_into(s, container, from, e.etag, f, cancel, name, err);
	if (r < 0)
		return r;
	path = str_format("/%s/%s", f->container, name);
	if (!path)
		return error_no_memory(err);
	if (e.first || e.last + 1 != e.size)
		(void)snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)e.first, (unsigned long long)e.last);
	return swift_entry_add(list, path, e.etag, e.size, range, err);
}

static int list_large(struct swift_store *s, const char *from_bucket, const char *from_key, bool is_itself,
		      const struct swift_folder *f, uint64_t offset, uint64_t length, struct cancel *cancel,
		      struct json_object *list, struct error *err)
{
	CLEANUP(json_putp) struct json_object *manifest = NULL;
	CLEANUP(json_putp) struct json_object *theirs = json_object_new_array();
	int r = theirs ? swift_manifest_get(s, from_bucket, from_key, cancel, &manifest, err) : error_no_memory(err);

	if (r == 0 && !manifest)
		r = error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	if (r == 0)
		r = swift_manifest_slice(manifest, offset, length, is_itself ? list : theirs, err);
	for (size_t i = 0; r == 0 && i < json_object_array_length(theirs); i++)
		r = copy_entry(s, json_object_array_get_idx(theirs, i), f, cancel, list, err);
	return r;
}

int swift_part_copy(struct store *store, const char *from_bucket, const char *from_key, const char *if_source_version,
		    uint64_t offset, uint64_t length, const char *bucket, const char *key, const char *upload_id,
		    unsigned number, struct cancel *cancel, struct store_part *ret, struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	bool is_itself = !strcmp(from_bucket, bucket) && !strcmp(from_key, key);
	char name[200];
	struct swift_folder folder;
	struct swift_look source;
	int r = list ? swift_folder_of(bucket, key, upload_id, &folder, err) : error_no_memory(err);

	if (r == 0)
		r = swift_look_at(s, from_bucket, from_key, cancel, &arena, &source, err);
	if (r < 0)
		return r;
	if (if_source_version && *if_source_version && strcmp(if_source_version, source.object.version) != 0)
		return error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	if (!length || offset > source.object.size || length > source.object.size - offset)
		return error_set(err, ERR_RANGE, "the range ends outside the object");
	r = source.is_large ?
		    list_large(s, from_bucket, from_key, is_itself, &folder, offset, length, cancel, list, err) :
		    list_plain(s, from_bucket, from_key, &source.object, &folder, offset, length, cancel, list, err);
	if (r < 0)
		return r;
	swift_segment_name(&folder, number, ".ref", name);
	r = swift_put_small(s, folder.container, name,
			    str_of(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)),
			    NULL, err);
	if (r == 0)
		r = swift_upload_is_there(s, &folder, upload_id, name, err);
	if (r < 0)
		return r;
	*ret = (struct store_part){ .number = number, .size = length };
	(void)snprintf(ret->tag, sizeof ret->tag, "ref");
	return 0;
}

/* ---- whole objects ---- */

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
	*ret = swift_record_new(key, &put);
	return *ret ? 0 : error_no_memory(err);
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
	int r = list ? swift_manifest_get(s, from_bucket, from_key, args->cancel, &manifest, err) : error_no_memory(err);

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
		r = copy_entry(s, json_object_array_get_idx(manifest, i), &folder, args->cancel, list, err);
	if (r == 0)
		r = swift_put_manifest(s, bucket, key, list, record, args->if_absent, NULL, ret_version, err);
	if (r < 0)
		give_up(s, bucket, key, id);
	else
		swift_forget_record(s, &folder);
	if (id)
		swift_upload_over(s, id);
	return r;
}
