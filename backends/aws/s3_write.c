/*
 * PutObject, CopyObject, and metadata replaced in place (a copy of an object onto itself).
 *
 * A conditional write whose answer was lost is sent again by the exchange and then fails because of
 * itself (412). So after more than one attempt a 412 is looked into: when the object there is what
 * we sent, the write succeeded.
 *
 * Source: docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html and API_CopyObject.html
 * (2026-11).
 */
#include "backends/aws/s3_private.h"
#include <endian.h>
#include <stdio.h>

#define MD5_CHEAP_BYTES (64ULL << 20) /* a tenth of a second */

int s3_checksum(const struct store_source *source, enum hash_kind kind, char ret[S3_CHECKSUM_MAX],
		struct error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(S3_CHECKSUM_MAX - 1);
	unsigned char digest[32];
	int len = store_source_digest(source, kind, digest, err);

	if (len < 0)
		return len;
	if (base64_encode(digest, (size_t)len, &text) < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	(void)snprintf(ret, S3_CHECKSUM_MAX, "%s", buf_cstr(&text));
	return 0;
}

static bool has_md5(const struct store_source *source, const char *version)
{
	unsigned char digest[32];
	char hex[2 * HASH_MD5_LEN + 1];

	if (strlen(version) != 2 * HASH_MD5_LEN || store_source_length(source) > MD5_CHEAP_BYTES)
		return false;
	if (source->fd < 0)
		hash_md5(source->mem.ptr, source->mem.len, digest);
	else if (hash_fd(HASH_MD5, source->fd, source->offset, source->length, digest) < 0)
		return false;
	hex_encode(digest, HASH_MD5_LEN, hex);
	return !strcmp(hex, version);
}

/* All of our metadata, and there is some (the time stamps the file system writes make it telling).
 */
static bool has_all_meta(const struct store_object *o, const struct store_meta *meta, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *value = store_object_meta(o, meta[i].name);

		if (!value || strcmp(value, meta[i].value))
			return false;
	}
	return count > 0;
}

/* Whether the object that is in the way of a repeated put is the one it put. */
static bool put_was_ours(struct s3_store *s, const char *bucket, const char *key,
			 const struct store_source *source, const struct store_put_args *args,
			 char *ret_version)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct error ignored = ERROR_INIT;
	struct store_object now;

	if (s3_head_with(s, bucket, key, NULL, args->cancel, &arena, &now, NULL, &ignored) < 0 ||
	    now.size != store_source_length(source))
		return false;
	if (!has_md5(source, now.version) && !has_all_meta(&now, args->meta, args->meta_count))
		return false;
	if (args->if_version && !strcmp(args->if_version, now.version))
		return false; /* it is the old one still: something else refused the write */
	memcpy(ret_version, now.version, STORE_VERSION_MAX);
	return true;
}

static int put_once(struct s3_store *s, const char *bucket, const char *key,
		    const struct store_source *source, const struct store_put_args *args,
		    char *ret_version, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_PUT, "PutObject", bucket, key);
	struct s3_condition w = { args->if_version, args->if_absent };
	char checksum[S3_CHECKSUM_MAX];
	int r;

	c.request.cancel = args->cancel;
	c.request.deadline_mono_ms = args->deadline_mono_ms;
	s3_call_source(&c, source);
	r = s3_call_meta(&c, args->meta, args->meta_count, args->content_type, err);
	/* Over http the payload's SHA-256 is signed already. */
	if (r >= 0 && s3_is_https(s)) {
		r = s3_checksum(source, HASH_CRC32C, checksum, err);
		if (r >= 0)
			s3_call_header(&c, "x-amz-checksum-crc32c", checksum);
	}
	if (r >= 0)
		r = s3_condition_apply(&c, w, S3_KEEPS_PUT, err);
	if (r < 0)
		return r;
	r = s3_call_perform(&c, err);
	if (r < 0 && err->kind == ERR_PRECONDITION && c.response.attempts > 1 &&
	    s3_condition_is_set(w) && put_was_ours(s, bucket, key, source, args, ret_version)) {
		*err = ERROR_INIT;
		return 0;
	}
	if (r >= 0)
		r = s3_version_set(http_fields_get(&c.response.headers, "etag"), ret_version, err);
	return r < 0 ? r : s3_condition_verify(s, bucket, key, w, ret_version, args->cancel, err);
}

int s3_put(struct store *store, const char *bucket, const char *key,
	   const struct store_source *source, const struct store_put_args *args, char *ret_version,
	   struct error *err)
{
	struct s3_store *s = s3_of(store);
	struct s3_condition w = { args->if_version, args->if_absent };
	char version[STORE_VERSION_MAX] = "";
	int r = put_once(s, bucket, key, source, args, version, err);

	if (r < 0 && s3_condition_refused(s, w, err))
		r = put_once(s, bucket, key, source, args, version, err);
	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}

void s3_call_copy_source(struct s3_call *c, const char *bucket, const char *key,
			 const char *if_version)
{
	CLEANUP(buf_release) struct buf source = BUF_INIT(8192);

	s3_call_check(c, buf_addc(&source, '/'));
	s3_call_check(c, url_encode(str_of(bucket), URL_ENCODE_SLASH, &source));
	s3_call_check(c, buf_addc(&source, '/'));
	s3_call_check(c, url_encode(str_of(key), URL_KEEP_SLASH, &source));
	s3_call_header(c, "x-amz-copy-source", buf_cstr(&source));
	if (if_version && *if_version)
		s3_call_headerf(c, "x-amz-copy-source-if-match", "\"%s\"", if_version);
}

static int copy_perform(struct s3_call *c, const struct store_copy_args *args, char *ret_version,
			struct error *err)
{
	struct s3_condition w = { args->if_version, args->if_absent };
	int r = s3_condition_apply(c, w, S3_KEEPS_TARGET, err);

	if (r < 0)
		return r;
	c->request.cancel = args->cancel;
	c->request.deadline_mono_ms = args->deadline_mono_ms;
	c->request.stall_timeout_ms = S3_SERVER_WORK_MS;
	s3_call_answer(c, "CopyObjectResult");
	r = s3_call_perform(c, err);
	if (r < 0)
		return r;
	return s3_xml_version(buf_str(&c->answer), "CopyObjectResult/ETag", ret_version, err);
}

static int copy_once(struct s3_store *s, const char *from_bucket, const char *from_key,
		     const char *bucket, const char *key, const struct store_copy_args *args,
		     char *ret_version, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_PUT, "CopyObject", bucket, key);
	int r = 0;

	s3_call_copy_source(&c, from_bucket, from_key, args->if_source_version);
	if (args->replaces_meta) {
		s3_call_header(&c, "x-amz-metadata-directive", "REPLACE");
		r = s3_call_meta(&c, args->meta, args->meta_count, args->content_type, err);
	}
	if (r >= 0)
		r = s3_condition_source(s, from_bucket, from_key, args->if_source_version, args->cancel, err);
	if (r >= 0)
		r = copy_perform(&c, args, ret_version, err);
	/* The tag of a copy of the same bytes is the same, where it is their MD5. */
	if (r >= 0 && args->if_source_version && strcmp(args->if_source_version, ret_version) != 0)
		r = s3_condition_source(s, from_bucket, from_key, args->if_source_version, args->cancel, err);
	return r;
}

/* S3 refuses a copy of an object onto itself that changes nothing; what it would have told is a
 * HEAD away. */
static int copy_onto_itself(struct s3_store *s, const char *bucket, const char *key,
			    const struct store_copy_args *args, char *ret_version,
			    struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_object now;
	int r = s3_head_with(s, bucket, key, NULL, args->cancel, &arena, &now, NULL, err);
	bool is_other = false;

	if (r < 0)
		return r;
	if (args->if_source_version && *args->if_source_version)
		is_other = strcmp(args->if_source_version, now.version) != 0;
	if (args->if_version && *args->if_version)
		is_other |= strcmp(args->if_version, now.version) != 0;
	if (is_other || args->if_absent)
		return error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	memcpy(ret_version, now.version, STORE_VERSION_MAX);
	return 0;
}

int s3_copy(struct store *store, const char *from_bucket, const char *from_key, const char *bucket,
	    const char *key, const struct store_copy_args *args, char *ret_version,
	    struct error *err)
{
	struct s3_store *s = s3_of(store);
	struct s3_condition w = { args->if_version, args->if_absent };
	char version[STORE_VERSION_MAX] = "";
	int r;

	if (!args->replaces_meta && !strcmp(from_bucket, bucket) && !strcmp(from_key, key)) {
		r = copy_onto_itself(s, bucket, key, args, version, err);
	} else {
		r = copy_once(s, from_bucket, from_key, bucket, key, args, version, err);
		if (r < 0 && s3_condition_refused(s, w, err))
			r = copy_once(s, from_bucket, from_key, bucket, key, args, version, err);
	}
	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}

/* What a REPLACE drops unless it is sent again. */
static const char *const carried[] = { "cache-control",
				       "content-disposition",
				       "content-encoding",
				       "content-language",
				       "expires",
				       "x-amz-storage-class",
				       "x-amz-website-redirect-location" };

static int set_meta_by_copy(struct s3_store *s, const struct s3_call *head,
			    const struct store_object *now, const char *if_version,
			    const struct store_meta *meta, size_t count, char *ret_version,
			    struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_PUT, "CopyObject", head->bucket, head->key);
	struct store_copy_args args = { 0 };
	int r;

	s3_call_copy_source(&c, c.bucket, c.key, now->version);
	s3_call_header(&c, "x-amz-metadata-directive", "REPLACE");
	r = s3_call_meta(&c, meta, count, now->content_type, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(carried); i++) {
		const char *value = http_fields_get(&head->response.headers, carried[i]);

		if (value)
			s3_call_header(&c, carried[i], value);
	}
	r = copy_perform(&c, &args, ret_version, err);
	/* Metadata does not change the ETag, so a repeated copy meets the same source version; no
	 * more to tell apart. */
	if (r < 0 && err->kind == ERR_PRECONDITION && !if_version)
		err->kind = ERR_CONFLICT; /* nobody asked for a version: the object changed between
					     our two requests */
	return r < 0 ? -error_errnum(err->kind) : r;
}

int s3_set_meta(struct store *store, const char *bucket, const char *key, const char *if_version,
		const struct store_meta *meta, size_t count, char *ret_version, struct error *err)
{
	struct s3_store *s = s3_of(store);
	CLEANUP(s3_call_release)
	struct s3_call head = S3_CALL_INIT(s, HTTP_HEAD, "HeadObject", bucket, key);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	char version[STORE_VERSION_MAX] = "";
	struct store_object now;
	int r = s3_head_with(s, bucket, key, NULL, NULL, &arena, &now, &head, err);

	if (r < 0)
		return r;
	if (if_version && *if_version && strcmp(if_version, now.version))
		return error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	if (now.size > store->limits.max_copy_bytes) {
		struct store_copy_args args = { .if_source_version = now.version,
						.replaces_meta = true,
						.meta = meta,
						.meta_count = count,
						.content_type = now.content_type,
						.source_size = now.size };

		r = store_copy(store, bucket, key, bucket, key, &args, version, err);
	} else {
		r = set_meta_by_copy(s, &head, &now, if_version, meta, count, version, err);
	}
	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}
