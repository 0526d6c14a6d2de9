/*
 * Objects: their head, put, copy, metadata.
 *
 * Swift keeps If-None-Match: * on a put and no If-Match, so a version is compared before; the put's own MD5 goes along
 * and the service refuses what arrives otherwise. A put over a large object leaves its segments behind: they are deleted
 * after it, which costs a look in buckets that have segments at all.
 */
#include "backends/openstack/swift_private.h"

#include <stdio.h>

#define PLAIN_COPY_MAX (UINT64_C(32) << 20)

int swift_look_at(struct swift_store *s, const char *bucket, const char *key, struct cancel *cancel, struct arena *arena,
		  struct swift_look *ret, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_HEAD, "HeadObject");
	const char *length, *large;
	int r = swift_check_key(key, err);

	if (r < 0)
		return error_set(err, ERR_NOT_FOUND, "there is no such object");
	swift_call_aim(&c, bucket, key);
	c.cancel = cancel;
	r = swift_call_perform(&c, err);
	if (r < 0)
		return r;
	*ret = (struct swift_look){ .is_large = false };
	r = swift_object_from(&c.answer.headers, arena, &ret->object, err);
	length = swift_answer(&c, "content-length");
	large = swift_answer(&c, "x-static-large-object");
	ret->is_large = large && str_equal_nocase(str_of(large), STR("true"));
	if (r == 0 && (!length || str_to_u64(str_of(length), &ret->object.size) < 0))
		return error_set(err, ERR_PROTOCOL, "the service tells no length of an object");
	return r;
}

int swift_head(struct store *store, const char *bucket, const char *key, const char *version_id, struct arena *arena,
	       struct store_object *ret, struct error *err)
{
	struct swift_look look;
	int r;

	if (version_id) {
		CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(swift_of(store), HTTP_HEAD, "HeadObject");
		const char *length;

		swift_call_aim(&c, bucket, key);
		swift_call_query(&c, "version-id", version_id);
		r = swift_call_perform(&c, err);
		if (r < 0)
			return r;
		*ret = (struct store_object){ .size = 0 };
		length = swift_answer(&c, "content-length");
		if (!length || str_to_u64(str_of(length), &ret->size) < 0)
			return error_set(err, ERR_PROTOCOL, "the service tells no length of an object");
		return swift_object_from(&c.answer.headers, arena, ret, err);
	}
	r = swift_look_at(swift_of(store), bucket, key, NULL, arena, &look, err);
	if (r == 0)
		*ret = look.object;
	return r;
}

int swift_compare(struct swift_store *s, const char *bucket, const char *key, const char *if_version,
		  struct cancel *cancel, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct swift_look look;
	int r = swift_look_at(s, bucket, key, cancel, &arena, &look, err);

	if (r < 0 && err->kind != ERR_NOT_FOUND)
		return r;
	if (r < 0 || strcmp(look.object.version, if_version) != 0)
		return error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	return 0;
}

/* Before something is put over it: the version compared, and a large object's manifest kept for cleaning. One look
 * serves both, and there is none when neither is wanted. */
static int prepare_target(struct swift_store *s, const char *bucket, const char *key, const char *if_version,
			  struct cancel *cancel, struct json_object **ret_old, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	bool has_version = if_version && *if_version, may_be_large = swift_has_segments(s, bucket);
	struct swift_look look = { .is_large = false };
	int r;

	*ret_old = NULL;
	if (!has_version && !may_be_large)
		return 0;
	r = swift_look_at(s, bucket, key, cancel, &arena, &look, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND && !has_version) {
		*err = ERROR_INIT;
		return 0;
	}
	if (r < 0 && err->kind != ERR_NOT_FOUND)
		return r;
	if (has_version && (r < 0 || strcmp(look.object.version, if_version) != 0))
		return error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	return look.is_large ? swift_manifest_get(s, bucket, key, cancel, ret_old, err) : 0;
}

static const char *type_for(const char *key, const char *content_type)
{
	bool is_marker = *key && key[strlen(key) - 1] == '/';

	/* As Swift's own clients mark a directory, whatever others call it. */
	if (is_marker && (!content_type || !strcmp(content_type, "application/x-directory")))
		return "application/directory";
	return content_type ? content_type : store_content_type(key);
}

/* The exchange sends a put again whose answer was lost, and then meets its own object in the way. */
static bool is_ours(struct swift_store *s, const char *bucket, const char *key, const char *md5, uint64_t size)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct error ignored = ERROR_INIT;
	struct swift_look look;

	return swift_look_at(s, bucket, key, NULL, &arena, &look, &ignored) == 0 && look.object.size == size &&
	       !strcmp(look.object.version, md5);
}

static void set_source(struct swift_call *c, const struct store_source *source)
{
	c->request.body = (struct http_body){
		.kind = source->fd >= 0 ? HTTP_BODY_FD : HTTP_BODY_MEM,
		.mem = source->mem,
		.fd = source->fd,
		.offset = source->offset,
		.length = source->length,
		.progress = source->progress,
	};
}

int swift_put(struct store *store, const char *bucket, const char *key, const struct store_source *source,
	      const struct store_put_args *args, char *ret_version, struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_PUT, "PutObject");
	CLEANUP(json_putp) struct json_object *old = NULL;
	unsigned char digest[32];
	char md5[2 * HASH_MD5_LEN + 1], version[STORE_VERSION_MAX] = "";
	int r = swift_check_key(key, err);

	if (r == 0)
		r = prepare_target(s, bucket, key, args->if_version, args->cancel, &old, err);
	if (r == 0)
		r = store_source_digest(source, HASH_MD5, digest, err);
	if (r < 0)
		return r;
	hex_encode(digest, HASH_MD5_LEN, md5);
	swift_call_aim(&c, bucket, key);
	swift_call_meta(&c, args->meta, args->meta_count, type_for(key, args->content_type));
	swift_call_header(&c, "ETag", md5);
	if (args->if_absent)
		swift_call_header(&c, "If-None-Match", "*");
	c.cancel = args->cancel;
	c.deadline_mono_ms = args->deadline_mono_ms;
	set_source(&c, source);
	r = swift_call_perform(&c, err);
	if (r < 0 && err->kind == ERR_PRECONDITION && args->if_absent &&
	    is_ours(s, bucket, key, md5, store_source_length(source))) {
		*err = ERROR_INIT;
		(void)snprintf(version, sizeof version, "%s", md5);
		r = 0;
	} else if (r == 0) {
		r = swift_version_set(swift_answer(&c, "etag"), version, err);
	}
	if (r < 0)
		return r;
	swift_manifest_clean(s, bucket, old, NULL);
	if (ret_version)
		memcpy(ret_version, version, sizeof version);
	return 0;
}

static void set_copy_source(struct swift_call *c, const char *bucket, const char *key)
{
	struct swift_call source = SWIFT_CALL_INIT(c->store, HTTP_GET, "");

	swift_call_aim(&source, bucket, key);
	if (source.path)
		swift_call_header(c, "X-Copy-From", source.path);
	swift_call_release(&source);
}

int swift_copy_plain(struct swift_store *s, const char *from_bucket, const char *from_key, const char *bucket,
		     const char *key, struct cancel *cancel, char ret_version[STORE_VERSION_MAX], struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_PUT, "CopyObject");
	int r;

	swift_call_aim(&c, bucket, key);
	set_copy_source(&c, from_bucket, from_key);
	c.request.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = STR(""), .fd = -1 };
	c.cancel = cancel;
	r = swift_call_perform(&c, err);
	return r < 0 ? r : swift_version_set(swift_answer(&c, "etag"), ret_version, err);
}

/* What the copied object keeps beside its metadata, which X-Fresh-Metadata would drop. */
static int copy_once(struct swift_store *s, const char *from_bucket, const char *from_key, const char *bucket,
		     const char *key, const struct store_copy_args *args, const struct swift_look *source,
		     char version[STORE_VERSION_MAX], struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_PUT, "CopyObject");
	int r;

	swift_call_aim(&c, bucket, key);
	set_copy_source(&c, from_bucket, from_key);
	if (args->replaces_meta) {
		swift_call_header(&c, "X-Fresh-Metadata", "true");
		swift_call_meta(&c, args->meta, args->meta_count,
				args->content_type ? args->content_type : source->object.content_type);
	}
	if (args->if_absent)
		swift_call_header(&c, "If-None-Match", "*");
	else if (args->if_source_version && *args->if_source_version) /* of a copy, a condition is on its source */
		swift_call_headerf(&c, "If-Match", "\"%s\"", args->if_source_version);
	c.request.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = STR(""), .fd = -1 };
	c.cancel = args->cancel;
	c.deadline_mono_ms = args->deadline_mono_ms;
	r = swift_call_perform(&c, err);
	if (r < 0 && err->kind == ERR_PRECONDITION && args->if_absent &&
	    is_ours(s, bucket, key, source->object.version, source->object.size)) {
		*err = ERROR_INIT;
		memcpy(version, source->object.version, STORE_VERSION_MAX);
		return 0;
	}
	return r < 0 ? r : swift_version_set(swift_answer(&c, "etag"), version, err);
}

/* Whether nothing has to be known of the source before it is copied. A large object that is copied like any other arrives whole, as
 * an object in one piece: right, but dear where it is really large, and not possible over 5 GiB. */
static bool needs_no_look(struct swift_store *s, const char *from_bucket, const struct store_copy_args *args)
{
	if (args->if_absent)
		return false;
	return (args->source_size && args->source_size <= PLAIN_COPY_MAX) || !swift_has_segments(s, from_bucket);
}

/* One request. TOO_LARGE: it has to be copied by its segments. */
static int copy_unseen(struct swift_store *s, const char *from_bucket, const char *from_key, const char *bucket, const char *key,
		       const struct store_copy_args *args, char *ret_version, struct error *err)
{
	const struct swift_look unknown = { .is_large = false };
	CLEANUP(json_putp) struct json_object *old = NULL;
	char version[STORE_VERSION_MAX] = "";
	int r = prepare_target(s, bucket, key, args->if_version, args->cancel, &old, err);

	if (r == 0)
		r = copy_once(s, from_bucket, from_key, bucket, key, args, &unknown, version, err);
	if (r < 0)
		return r;
	swift_manifest_clean(s, bucket, old, NULL);
	if (ret_version)
		memcpy(ret_version, version, sizeof version);
	return 0;
}

int swift_copy(struct store *store, const char *from_bucket, const char *from_key, const char *bucket, const char *key,
	       const struct store_copy_args *args, char *ret_version, struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(json_putp) struct json_object *old = NULL;
	char version[STORE_VERSION_MAX] = "";
	bool is_itself = !strcmp(from_bucket, bucket) && !strcmp(from_key, key);
	struct swift_look source;
	int r = swift_check_key(key, err);

	if (r == 0 && !is_itself && needs_no_look(s, from_bucket, args)) {
		r = copy_unseen(s, from_bucket, from_key, bucket, key, args, ret_version, err);
		if (r == 0 || err->kind != ERR_TOO_LARGE)
			return r;
		*err = ERROR_INIT;
		r = 0;
	}
	if (r == 0)
		r = swift_look_at(s, from_bucket, from_key, args->cancel, &arena, &source, err);
	if (r < 0)
		return r;
	if (args->if_source_version && *args->if_source_version &&
	    strcmp(args->if_source_version, source.object.version) != 0)
		return error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	if (is_itself && args->if_absent)
		return error_set(err, ERR_PRECONDITION, "the object is there already");
	if (is_itself) { /* only its metadata can be meant */
		if (args->replaces_meta)
			return swift_set_meta(store, bucket, key, source.object.version, args->meta, args->meta_count,
					      ret_version, err);
		if (ret_version)
			memcpy(ret_version, source.object.version, sizeof version);
		return 0;
	}
	r = prepare_target(s, bucket, key, args->if_version, args->cancel, &old, err);
	if (r == 0)
		r = source.is_large ? swift_copy_large(s, from_bucket, from_key, bucket, key, args, version, err) :
				      copy_once(s, from_bucket, from_key, bucket, key, args, &source, version, err);
	if (r < 0)
		return r;
	swift_manifest_clean(s, bucket, old, NULL);
	if (!source.is_large && strcmp(version, source.object.version) != 0)
		return error_set(err, ERR_PRECONDITION, "the object was changed while it was copied");
	if (ret_version)
		memcpy(ret_version, version, sizeof version);
	return 0;
}

int swift_set_meta(struct store *store, const char *bucket, const char *key, const char *if_version,
		   const struct store_meta *meta, size_t count, char *ret_version, struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_POST, "PostObject");
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	char version[STORE_VERSION_MAX] = "";
	struct swift_look now;
	int r = swift_look_at(s, bucket, key, NULL, &arena, &now, err);

	if (r < 0)
		return r;
	if (if_version && *if_version && strcmp(if_version, now.object.version) != 0)
		return error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	memcpy(version, now.object.version, sizeof version);
	swift_call_aim(&c, bucket, key);
	swift_call_meta(&c, meta, count, now.object.content_type); /* a post without a type keeps it; some servers do not */
	c.request.is_idempotent = true;
	r = swift_call_perform(&c, err);
	if (r == 0 && ret_version)
		memcpy(ret_version, version, sizeof version);
	return r;
}
