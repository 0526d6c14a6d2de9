/*
 * Multipart uploads.
 *
 * Completing is the one step whose answer may be lost after it took effect: the upload is gone
 * then, and a repeated request says NoSuchUpload. The entity tag of the object it must have made
 * can be told from the parts (the MD5 of their MD5s, and their number), so that a HEAD settles it.
 * That also serves an upload that a crash interrupted between S3's answer and our journal.
 *
 * Source: docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html and
 * checking-object-integrity.html (2026-11).
 */
#include "backends/aws/s3_private.h"
#include "backends/base/log.h"
#include "backends/base/xml.h"
#include <stdio.h>

#define STRAY_SLACK_NS 2000000000 /* servers tell the time by the second */

/* Over http the signature covers each part. Over https Amazon gets CRC32C; other servers differ in
 * what they make of uploads with checksums (versitygw 1.8 refuses to complete them when a part was
 * copied), but all know Content-MD5. */
static bool has_checksums(const struct s3_store *s)
{
	return s3_is_https(s) && s->is_aws;
}

/* A begin that was sent more than once may have begun more than one upload. Taken back is what began for this key in the time that ours
 * took, and has no part. */
static void abort_strays(struct s3_store *s, const char *bucket, const char *key, const char *id,
			 uint64_t elapsed_ms)
{
	CLEANUP(store_upload_page_release) struct store_upload_page page = STORE_UPLOAD_PAGE_INIT;
	int64_t elapsed_ns = (int64_t)elapsed_ms * 1000000 + STRAY_SLACK_NS, ours_ns = 0;
	struct error ignored = ERROR_INIT;

	if (s3_upload_list(&s->base, bucket, key, &page, &ignored) < 0)
		return;
	for (size_t i = 0; i < page.count; i++)
		if (!strcmp(page.uploads[i].upload_id, id))
			ours_ns = page.uploads[i].started_wall_ns;
	for (size_t i = 0; i < page.count && ours_ns; i++) {
		const struct store_upload *u = &page.uploads[i];
		CLEANUP(freep) struct store_part *parts = NULL;
		size_t count = 0;

		if (strcmp(u->key, key) || !strcmp(u->upload_id, id) || u->started_wall_ns > ours_ns ||
		    u->started_wall_ns < ours_ns - elapsed_ns)
			continue;
		if (s3_upload_parts(&s->base, bucket, key, u->upload_id, &parts, &count, &ignored) >= 0 && !count &&
		    s3_upload_abort(&s->base, bucket, key, u->upload_id, &ignored) < 0)
			log_debug("s3.stray_upload", "key='%s' error='%s'", key, ignored.message);
	}
}

int s3_upload_begin(struct store *store, const char *bucket, const char *key,
		    const struct store_put_args *args, char **ret_upload_id, struct error *err)
{
	struct s3_store *s = s3_of(store);
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_POST, "CreateMultipartUpload", bucket, key);
	CLEANUP(buf_release) struct buf id = BUF_INIT(4096);
	int r;

	s3_call_query(&c, "uploads", "");
	c.request.cancel = args->cancel;
	c.request.deadline_mono_ms = args->deadline_mono_ms;
	r = s3_call_meta(&c, args->meta, args->meta_count, args->content_type, err);
	if (r < 0)
		return r;
	if (has_checksums(s)) {
		s3_call_header(&c, "x-amz-checksum-algorithm", "CRC32C");
		s3_call_header(&c, "x-amz-checksum-type",
			       "FULL_OBJECT"); /* one that reads can check */
	}
	s3_call_answer(&c, "InitiateMultipartUploadResult");
	r = s3_call_perform(&c, err);
	if (r < 0)
		return r;
	r = xml_find(str_trim(buf_str(&c.answer)), "InitiateMultipartUploadResult/UploadId", &id,
		     err);
	if (r < 0 || id.len == 0)
		return error_set(err, ERR_PROTOCOL,
				 "the service began an upload without naming it");
	if (c.response.attempts > 1)
		abort_strays(s, bucket, key, buf_cstr(&id), c.response.elapsed_ms);
	if (args->ret_was_repeated)
		*args->ret_was_repeated = c.response.attempts > 1;
	*ret_upload_id = buf_detach(&id);
	return *ret_upload_id ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static void part_query(struct s3_call *c, const char *upload_id, unsigned number,
		       struct cancel *cancel)
{
	s3_call_queryf(c, "partNumber", "%u", number);
	s3_call_query(c, "uploadId", upload_id);
	c->request.cancel = cancel;
}

static int no_tag(struct error *err)
{
	return error_set(err, ERR_PROTOCOL, "the service took a part without giving its tag");
}

int s3_upload_part(struct store *store, const char *bucket, const char *key, const char *upload_id,
		   unsigned number, const struct store_source *source, struct cancel *cancel,
		   struct store_part *ret, struct error *err)
{
	struct s3_store *s = s3_of(store);
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_PUT, "UploadPart", bucket, key);
	struct store_part part = { .number = number, .size = store_source_length(source) };
	char checksum[S3_CHECKSUM_MAX];
	int r;

	part_query(&c, upload_id, number, cancel);
	s3_call_source(&c, source);
	if (s3_is_https(s)) {
		r = s3_checksum(source, has_checksums(s) ? HASH_CRC32C : HASH_MD5, checksum, err);
		if (r < 0)
			return r;
		s3_call_header(&c, has_checksums(s) ? "x-amz-checksum-crc32c" : "Content-MD5",
			       checksum);
	}
	if (has_checksums(s))
		(void)snprintf(part.checksum, sizeof(part.checksum), "%s", checksum);
	r = s3_call_perform(&c, err);
	if (r < 0)
		return r;
	r = s3_version_set(http_fields_get(&c.response.headers, "etag"), part.tag, err);
	if (r < 0)
		return r;
	if (!part.tag[0])
		return no_tag(err);
	part.was_repeated = c.response.attempts > 1;
	*ret = part;
	return 0;
}

/* Some gateways have no UploadPartCopy; then nobody needs to ask again. Other threads read
 * base.caps as a plain word; it only ever loses bits. */
static int part_copy_refused(struct s3_store *s, int r, struct error *err)
{
	if (err->http_status != 501 && err->kind != ERR_UNSUPPORTED)
		return r;
	(void)__atomic_fetch_and(&s->base.caps, ~(unsigned)STORE_CAP_PART_COPY, __ATOMIC_RELAXED);
	return error_set(err, ERR_UNSUPPORTED, "the server has no UploadPartCopy");
}

int s3_part_copy(struct store *store, const char *from_bucket, const char *from_key,
		 const char *if_source_version, uint64_t offset, uint64_t length,
		 const char *bucket, const char *key, const char *upload_id, unsigned number,
		 struct cancel *cancel, struct store_part *ret, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s3_of(store), HTTP_PUT, "UploadPartCopy", bucket, key);
	CLEANUP(buf_release) struct buf checksum = BUF_INIT(sizeof(ret->checksum) - 1);
	struct store_part part = { .number = number, .size = length };
	struct error none = ERROR_INIT;
	int r;

	if (length == 0)
		return error_set(err, ERR_INVALID, "a part cannot be copied from nothing");
	part_query(&c, upload_id, number, cancel);
	s3_call_copy_source(&c, from_bucket, from_key, if_source_version);
	s3_call_headerf(&c, "x-amz-copy-source-range", "bytes=%llu-%llu",
			(unsigned long long)offset, (unsigned long long)(offset + length - 1));
	c.request.stall_timeout_ms = S3_SERVER_WORK_MS;
	s3_call_answer(&c, "CopyPartResult");
	r = s3_condition_source(s3_of(store), from_bucket, from_key, if_source_version, cancel, err);
	if (r < 0)
		return r;
	r = s3_call_perform(&c, err);
	if (r < 0)
		return part_copy_refused(s3_of(store), r, err);
	/* Changed before this answer it may be of both versions. */
	r = s3_condition_source(s3_of(store), from_bucket, from_key, if_source_version, cancel, err);
	if (r < 0)
		return r;
	r = s3_xml_version(buf_str(&c.answer), "CopyPartResult/ETag", part.tag, err);
	if (r < 0)
		return r;
	if (!part.tag[0])
		return no_tag(err);
	part.was_repeated = c.response.attempts > 1;
	if (has_checksums(s3_of(store)) &&
	    xml_find(str_trim(buf_str(&c.answer)), "CopyPartResult/ChecksumCRC32C", &checksum,
		     &none) >= 0)
		(void)snprintf(part.checksum, sizeof(part.checksum), "%s", buf_cstr(&checksum));
	*ret = part;
	return 0;
}

/* The entity tag S3 gives to an object of these parts; false when the parts' tags are no MD5s
 * (SSE-KMS). */
static bool expected_version(const struct store_part *parts, size_t count,
			     char ret[STORE_VERSION_MAX])
{
	CLEANUP(buf_release) struct buf digests = BUF_INIT(S3_MAX_PART_NUMBER * HASH_MD5_LEN);
	unsigned char digest[HASH_MD5_LEN];
	char hex[2 * HASH_MD5_LEN + 1];

	for (size_t i = 0; i < count; i++)
		if (strlen(parts[i].tag) != 2 * HASH_MD5_LEN ||
		    hex_decode(str_of(parts[i].tag), digest, sizeof(digest)) != HASH_MD5_LEN ||
		    buf_add(&digests, digest, sizeof(digest)) < 0)
			return false;
	hash_md5(buf_cstr(&digests), digests.len, digest);
	hex_encode(digest, sizeof(digest), hex);
	(void)snprintf(ret, STORE_VERSION_MAX, "%s-%zu", hex, count);
	return true;
}

/* Whether the object that is there is what completing these parts makes. */
static bool was_completed(struct s3_store *s, const char *bucket, const char *key,
			  const struct store_part *parts, size_t count,
			  char ret_version[STORE_VERSION_MAX])
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct error ignored = ERROR_INIT;
	char expected[STORE_VERSION_MAX];
	struct store_object now;

	if (!expected_version(parts, count, expected) ||
	    s3_head_with(s, bucket, key, NULL, NULL, &arena, &now, NULL, &ignored) < 0 ||
	    strcmp(now.version, expected))
		return false;
	memcpy(ret_version, now.version, STORE_VERSION_MAX);
	return true;
}

static int complete_document(struct s3_call *c, const struct store_part *parts, size_t count,
			     struct error *err)
{
	s3_call_check(c, buf_adds(&c->sent, "<CompleteMultipartUpload "
					    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"));
	for (size_t i = 0; i < count; i++) {
		if (parts[i].number == 0 || parts[i].number > S3_MAX_PART_NUMBER ||
		    (i > 0 && parts[i].number <= parts[i - 1].number))
			return error_set(err, ERR_INVALID,
					 "the parts of an upload are out of order");
		s3_call_check(c, buf_addf(&c->sent, "<Part><PartNumber>%u</PartNumber><ETag>&quot;",
					  parts[i].number));
		s3_call_check(c, xml_escape(str_of(parts[i].tag), &c->sent));
		s3_call_check(c, buf_adds(&c->sent, "&quot;</ETag>"));
		if (parts[i].checksum[0] && has_checksums(c->store)) {
			s3_call_check(c, buf_adds(&c->sent, "<ChecksumCRC32C>"));
			s3_call_check(c, xml_escape(str_of(parts[i].checksum), &c->sent));
			s3_call_check(c, buf_adds(&c->sent, "</ChecksumCRC32C>"));
		}
		s3_call_check(c, buf_adds(&c->sent, "</Part>"));
	}
	s3_call_check(c, buf_adds(&c->sent, "</CompleteMultipartUpload>"));
	s3_call_header(c, "Content-Type", "application/xml");
	/* No Content-MD5 here: it is no header of this call. */
	c->request.body =
		(struct http_body){ .kind = HTTP_BODY_MEM, .mem = buf_str(&c->sent), .fd = -1 };
	return 0;
}

static int complete_once(struct s3_store *s, const char *bucket, const char *key,
			 const char *upload_id, const struct store_part *parts, size_t count,
			 const struct store_put_args *args, char *ret_version, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_POST, "CompleteMultipartUpload", bucket, key);
	struct s3_condition w = { args->if_version, args->if_absent };
	int r;

	s3_call_query(&c, "uploadId", upload_id);
	c.request.cancel = args->cancel;
	c.request.deadline_mono_ms = args->deadline_mono_ms;
	r = complete_document(&c, parts, count, err);
	/* moto (5.2) keeps If-Match on a PUT and ignores it here: one HEAD is little beside many parts. */
	if (r >= 0)
		r = s3_condition_apply(&c, w, S3_KEEPS_END, err);
	if (r < 0)
		return r;
	c.request.stall_timeout_ms = S3_SERVER_WORK_MS;
	s3_call_answer(&c, "CompleteMultipartUploadResult");
	r = s3_call_perform(&c, err);
	if (r < 0 &&
	    (s3_error_is(err, "NoSuchUpload") ||
	     (err->kind == ERR_PRECONDITION && c.response.attempts > 1)) &&
	    was_completed(s, bucket, key, parts, count, ret_version)) {
		*err = ERROR_INIT;
		return 0;
	}
	if (r >= 0)
		r = s3_xml_version(buf_str(&c.answer), "CompleteMultipartUploadResult/ETag",
				   ret_version, err);
	return r < 0 ? r : s3_condition_verify(s, bucket, key, w, ret_version, args->cancel, err);
}

int s3_upload_complete(struct store *store, const char *bucket, const char *key,
		       const char *upload_id, const struct store_part *parts, size_t count,
		       const struct store_put_args *args, char *ret_version, struct error *err)
{
	struct s3_store *s = s3_of(store);
	struct s3_condition w = { args->if_version, args->if_absent };
	char version[STORE_VERSION_MAX] = "";
	int r;

	if (count == 0 || count > S3_MAX_PART_NUMBER)
		return error_set(err, ERR_INVALID, "an upload has 1 to %d parts, not %zu",
				 S3_MAX_PART_NUMBER, count);
	r = complete_once(s, bucket, key, upload_id, parts, count, args, version, err);
	if (r < 0 && s3_condition_refused(s, w, err))
		r = complete_once(s, bucket, key, upload_id, parts, count, args, version, err);
	/* Ceph's gateway (16.2) completes without telling the tag. */
	if (r >= 0 && !version[0] && !was_completed(s, bucket, key, parts, count, version)) {
		CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
		struct error ignored = ERROR_INIT;
		struct store_object now;

		if (s3_head_with(s, bucket, key, NULL, NULL, &arena, &now, NULL, &ignored) >= 0)
			memcpy(version, now.version, sizeof(version));
	}
	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}

int s3_upload_abort(struct store *store, const char *bucket, const char *key, const char *upload_id,
		    struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c =
		S3_CALL_INIT(s3_of(store), HTTP_DELETE, "AbortMultipartUpload", bucket, key);
	int r;

	s3_call_query(&c, "uploadId", upload_id);
	r = s3_call_perform(&c, err);
	if (r < 0 && (s3_error_is(err, "NoSuchUpload") || s3_error_is(err, "NoSuchKey"))) {
		*err = ERROR_INIT; /* gone is gone */
		return 0;
	}
	return r;
}
