/*
 * What a server holds of unfinished uploads: ListParts and ListMultipartUploads, all pages.
 *
 * Source: docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html and
 * API_ListMultipartUploads.html (2026-11).
 */
#include "backends/aws/s3_private.h"
#include "backends/base/clock.h"
#include "backends/base/xml.h"
#include <stdio.h>

#define UPLOADS_MAX 100000 /* beyond, the rest shows when these are gone */

static void take_text(char *ret, size_t size, struct str text)
{
	text = str_trim(text);
	(void)snprintf(ret, size, "%.*s", (int)(text.len < size ? text.len : size - 1), text.ptr);
}

struct parts_reader {
	struct store_part *parts; /* owned */
	size_t count, capacity;
	struct store_part current;
	bool is_truncated;
};

static int parts_text(void *arg, const char *path, struct str text, struct error *err)
{
	struct parts_reader *p = arg;
	const char *slash = strchr(path, '/'),
		   *name = slash ? slash + 1 : NULL; /* the root has two names */
	char etag[256];
	uint64_t number = 0;
	int r;

	if (!name)
		return 0;
	if (!strcmp(name, "IsTruncated"))
		p->is_truncated = str_equal(str_trim(text), STR("true"));
	name = s3_xml_below(name, "Part");
	if (!name)
		return 0;
	if (!strcmp(name, "PartNumber")) {
		r = s3_xml_u64(text, &number, err);
		if (r >= 0 && (number == 0 || number > S3_MAX_PART_NUMBER))
			r = error_set(err, ERR_PROTOCOL,
				      "the service listed a part with a number that is none");
		p->current.number = r < 0 ? 0 : (unsigned)number;
		return r;
	}
	if (!strcmp(name, "Size"))
		return s3_xml_u64(text, &p->current.size, err);
	if (!strcmp(name, "ETag")) {
		take_text(etag, sizeof(etag), text);
		return s3_version_set(etag, p->current.tag, err);
	}
	if (!strcmp(name, "ChecksumCRC32C"))
		take_text(p->current.checksum, sizeof(p->current.checksum), text);
	return 0;
}

static int parts_end(void *arg, const char *path, struct error *err)
{
	struct parts_reader *p = arg;
	const char *slash = strchr(path, '/');

	if (!slash || strcmp(slash, "/Part"))
		return 0;
	/* Ascending, which also bounds how many there can be. */
	if (!p->current.tag[0] ||
	    p->current.number <= (p->count ? p->parts[p->count - 1].number : 0))
		return error_set(err, ERR_PROTOCOL,
				 "the service listed the parts of an upload out of order");
	if (p->count == p->capacity) {
		size_t capacity = p->capacity ? 2 * p->capacity : 64;
		struct store_part *grown = realloc(p->parts, capacity * sizeof(*grown));

		if (!grown)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		p->parts = grown;
		p->capacity = capacity;
	}
	p->parts[p->count++] = p->current;
	p->current = (struct store_part){ 0 };
	return 0;
}

static int parts_page(struct s3_store *s, const char *bucket, const char *key,
		      const char *upload_id, struct parts_reader *p, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_GET, "ListParts", bucket, key);
	size_t before = p->count;
	int r;

	s3_call_query(&c, "uploadId", upload_id);
	if (p->count)
		s3_call_queryf(&c, "part-number-marker", "%u", p->parts[p->count - 1].number);
	s3_call_answer(&c, "ListPartsResult");
	r = s3_call_perform(&c, err);
	if (r < 0)
		return r;
	p->is_truncated = false;
	r = xml_parse(str_trim(buf_str(&c.answer)),
		      &(struct xml_handler){ .text = parts_text, .end = parts_end, .arg = p }, err);
	if (r >= 0 && p->is_truncated && p->count == before)
		return error_set(err, ERR_PROTOCOL,
				 "the list of an upload's parts does not come to an end");
	return r;
}

int s3_upload_parts(struct store *store, const char *bucket, const char *key, const char *upload_id,
		    struct store_part **ret_parts, size_t *ret_count, struct error *err)
{
	struct parts_reader p = { 0 };
	int r;

	do
		r = parts_page(s3_of(store), bucket, key, upload_id, &p, err);
	while (r >= 0 && p.is_truncated);
	if (r < 0) {
		free(p.parts);
		return r;
	}
	*ret_parts = p.parts;
	*ret_count = p.count;
	return 0;
}

struct uploads_reader {
	struct store_upload_page *page;
	struct store_upload *uploads; /* in the page's arena */
	size_t count, capacity, page_begin;
	bool is_truncated, is_encoded;
	bool is_raw; /* the keys are asked for as they are */
	char *key_marker, *id_marker; /* in the page's arena */
};

static int uploads_no_room(struct error *err)
{
	return error_set(err, ERR_TOO_LARGE, "there are too many unfinished uploads to list");
}

static int uploads_start(void *arg, const char *path, struct error *err)
{
	struct uploads_reader *u = arg;

	if (strcmp(path, "ListMultipartUploadsResult/Upload"))
		return 0;
	if (u->count == u->capacity) {
		size_t capacity = u->capacity ? 2 * u->capacity : 64;
		struct store_upload *grown =
			arena_alloc(&u->page->arena, capacity * sizeof(*grown));

		if (!grown)
			return uploads_no_room(err);
		if (u->count)
			memcpy(grown, u->uploads, u->count * sizeof(*grown));
		u->uploads = grown;
		u->capacity = capacity;
	}
	u->uploads[u->count++] = (struct store_upload){ 0 };
	return 0;
}

static int uploads_text(void *arg, const char *path, struct str text, struct error *err)
{
	struct uploads_reader *u = arg;
	const char *name = s3_xml_below(path, "ListMultipartUploadsResult"), *inner;
	char *kept, when[64];

	if (!name)
		return 0;
	inner = s3_xml_below(name, "Upload");
	if (!strcmp(name, "IsTruncated"))
		u->is_truncated = str_equal(str_trim(text), STR("true"));
	else if (!strcmp(name, "EncodingType"))
		u->is_encoded = str_equal(str_trim(text), STR("url"));
	if (inner && !strcmp(inner, "Initiated")) {
		take_text(when, sizeof(when), text);
		if (clock_parse_iso8601(when, &u->uploads[u->count - 1].started_wall_ns) < 0)
			u->uploads[u->count - 1].started_wall_ns = 0;
		return 0;
	}
	if (strcmp(name, "NextKeyMarker") && strcmp(name, "NextUploadIdMarker") &&
	    strcmp(name, "Upload/Key") && strcmp(name, "Upload/UploadId"))
		return 0;
	kept = arena_strndup(&u->page->arena, text.ptr, text.len);
	if (!kept)
		return uploads_no_room(err);
	if (!strcmp(name, "NextKeyMarker"))
		u->key_marker = kept;
	else if (!strcmp(name, "NextUploadIdMarker"))
		u->id_marker = kept;
	else if (!strcmp(name, "Upload/Key"))
		u->uploads[u->count - 1].key = kept;
	else
		u->uploads[u->count - 1].upload_id = kept;
	return 0;
}

static int uploads_finish(struct uploads_reader *u, struct error *err)
{
	for (size_t i = u->page_begin; i < u->count; i++)
		if (!u->uploads[i].key || !u->uploads[i].upload_id ||
		    (u->is_encoded && s3_url_decode((char *)u->uploads[i].key) < 0))
			return error_set(err, ERR_PROTOCOL,
					 "the service listed an upload without a name");
	if (u->is_encoded && u->key_marker && s3_url_decode(u->key_marker) < 0)
		return error_set(err, ERR_PROTOCOL, "the service sent a broken key marker");
	if (u->is_truncated && (!u->key_marker || u->count == u->page_begin))
		return error_set(err, ERR_PROTOCOL,
				 "the list of unfinished uploads does not come to an end");
	return 0;
}

/* Ceph's gateway (16.2) encodes the keys and does not say so; others do not encode them and do not say that, either. */
static bool may_be_encoded(const struct uploads_reader *u)
{
	bool found = false;

	for (size_t i = u->page_begin; i < u->count && !found && !u->is_encoded && !u->is_raw; i++)
		found = u->uploads[i].key && strchr(u->uploads[i].key, '%');
	return found;
}

static int uploads_page(struct s3_store *s, const char *bucket, const char *prefix,
			struct uploads_reader *u, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_GET, "ListMultipartUploads", bucket, NULL);
	char *key_marker = u->key_marker, *id_marker = u->id_marker;
	int r;

	s3_call_query(&c, "uploads", "");
	if (!u->is_raw)
		s3_call_query(&c, "encoding-type", "url");
	if (prefix && *prefix)
		s3_call_query(&c, "prefix", prefix);
	if (key_marker)
		s3_call_query(&c, "key-marker", key_marker);
	if (key_marker && id_marker)
		s3_call_query(&c, "upload-id-marker", id_marker);
	s3_call_answer(&c, "ListMultipartUploadsResult");
	r = s3_call_perform(&c, err);
	if (r < 0)
		return r;
	u->is_truncated = u->is_encoded = false;
	u->key_marker = u->id_marker = NULL;
	u->page_begin = u->count;
	r = xml_parse(
		str_trim(buf_str(&c.answer)),
		&(struct xml_handler){ .start = uploads_start, .text = uploads_text, .arg = u },
		err);
	if (r >= 0 && may_be_encoded(u)) {
		u->is_raw = true; /* then and on all further pages there is no doubt */
		u->count = u->page_begin;
		u->key_marker = key_marker;
		u->id_marker = id_marker;
		return uploads_page(s, bucket, prefix, u, err);
	}
	return r < 0 ? r : uploads_finish(u, err);
}

int s3_upload_list(struct store *store, const char *bucket, const char *prefix,
		   struct store_upload_page *ret, struct error *err)
{
	struct uploads_reader u = { .page = ret };
	int r;

	do
		r = uploads_page(s3_of(store), bucket, prefix, &u, err);
	while (r >= 0 && u.is_truncated && u.count < UPLOADS_MAX);
	if (r < 0)
		return r;
	ret->uploads = u.uploads;
	ret->count = u.count;
	return 0;
}
