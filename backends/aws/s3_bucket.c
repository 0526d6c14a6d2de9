/*
 * Buckets: list, make, delete, versioning, policy; and presigned URLs.
 *
 * Source: docs.aws.amazon.com/AmazonS3/latest/API/ (ListBuckets, CreateBucket, ...; 2026-11).
 */
#include "backends/aws/s3_private.h"
#include "backends/base/clock.h"
#include "backends/base/xml.h"
#include <stdio.h>

#define POLICY_MAX_BYTES 20480
#define PRESIGN_MAX_S	 604800 /* seven days: SigV4's own limit */

struct buckets_reader {
	struct store_bucket_page *page;
	struct store_bucket *buckets; /* in the page's arena */
	size_t count, capacity;
	char *token; /* in the page's arena */
};

static int buckets_no_room(struct error *err)
{
	return error_set(err, ERR_TOO_LARGE, "there are too many buckets to list");
}

static int buckets_start(void *arg, const char *path, struct error *err)
{
	struct buckets_reader *b = arg;

	if (strcmp(path, "ListAllMyBucketsResult/Buckets/Bucket"))
		return 0;
	if (b->count == b->capacity) {
		size_t capacity = b->capacity ? 2 * b->capacity : 64;
		struct store_bucket *grown =
			arena_alloc(&b->page->arena, capacity * sizeof(*grown));

		if (!grown)
			return buckets_no_room(err);
		if (b->count)
			memcpy(grown, b->buckets, b->count * sizeof(*grown));
		b->buckets = grown;
		b->capacity = capacity;
	}
	b->buckets[b->count++] = (struct store_bucket){ 0 };
	return 0;
}

static int buckets_text(void *arg, const char *path, struct str text, struct error *err)
{
	struct buckets_reader *b = arg;
	const char *name = s3_xml_below(path, "ListAllMyBucketsResult");
	char *kept;

	if (!name || (strcmp(name, "ContinuationToken") && strcmp(name, "Buckets/Bucket/Name") &&
		      strcmp(name, "Buckets/Bucket/CreationDate")))
		return 0;
	kept = arena_strndup(&b->page->arena, text.ptr, text.len);
	if (!kept)
		return buckets_no_room(err);
	if (!strcmp(name, "ContinuationToken"))
		b->token = *kept ? kept : NULL;
	else if (!strcmp(name, "Buckets/Bucket/Name"))
		b->buckets[b->count - 1].name = kept;
	else if (clock_parse_iso8601(kept, &b->buckets[b->count - 1].created_wall_ns) < 0)
		b->buckets[b->count - 1].created_wall_ns = 0;
	return 0;
}

static int buckets_end(void *arg, const char *path, struct error *err)
{
	struct buckets_reader *b = arg;
	const char *name;

	if (strcmp(path, "ListAllMyBucketsResult/Buckets/Bucket"))
		return 0;
	name = b->buckets[b->count - 1].name;
	/* It becomes a directory's name. */
	if (!name || !*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return error_set(err, ERR_PROTOCOL,
				 "the service listed a bucket with a name that is none");
	return 0;
}

static int buckets_page(struct s3_store *s, struct buckets_reader *b, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_GET, "ListBuckets", NULL, NULL);
	const char *before = b->token;
	int r;

	/* Without max-buckets AWS refuses accounts with more than 10,000 of them. */
	s3_call_query(&c, "max-buckets", "1000");
	if (b->token)
		s3_call_query(&c, "continuation-token", b->token);
	s3_call_answer(&c, "ListAllMyBucketsResult");
	r = s3_call_perform(&c, err);
	if (r < 0)
		return r;
	b->token = NULL;
	r = xml_parse(str_trim(buf_str(&c.answer)),
		      &(struct xml_handler){ .start = buckets_start,
					    .text = buckets_text,
					    .end = buckets_end,
					    .arg = b }, err);
	if (r >= 0 && before && b->token && !strcmp(before, b->token))
		return error_set(err, ERR_PROTOCOL, "the list of buckets does not come to an end");
	return r;
}

static int compare_buckets(const void *a, const void *b)
{
	const struct store_bucket *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int s3_bucket_list(struct store *store, struct store_bucket_page *ret, struct error *err)
{
	struct buckets_reader b = { .page = ret };
	size_t before;
	int r;

	do {
		before = b.count;
		r = buckets_page(s3_of(store), &b, err);
	} while (r >= 0 && b.token && b.count > before);
	if (r < 0)
		return r;
	if (b.count) /* some servers list them by age */
		qsort(b.buckets, b.count, sizeof(*b.buckets), compare_buckets);
	ret->buckets = b.buckets;
	ret->count = b.count;
	return 0;
}

static int create_once(struct s3_store *s, const char *bucket, const char *location,
		       struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_PUT, "CreateBucket", bucket, NULL);
	int r;

	c.keeps_region = true;
	if (location) {
		s3_call_check(&c, buf_addf(&c.sent,
					   "<CreateBucketConfiguration "
					   "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
					   "<LocationConstraint>%s</LocationConstraint>"
					   "</CreateBucketConfiguration>",
					   location));
		s3_call_header(&c, "Content-Type", "application/xml");
		s3_call_send_document(&c);
	}
	r = s3_call_perform(&c, err);
	if (r < 0 && s3_error_is(err, "BucketAlreadyOwnedByYou") && c.response.attempts > 1) {
		*err = ERROR_INIT; /* our own first attempt made it */
		return 0;
	}
	return r;
}

int s3_bucket_create(struct store *store, const char *bucket, struct error *err)
{
	struct s3_store *s = s3_of(store);
	const char *location = s3_region_name(s, s3_region_of(s, NULL));
	int r;

	/* us-east-1 has no name here, and AWS refuses it when it is named. There, and only there,
	 * making a bucket again that one has already is a success: so it is asked for first. */
	if (!strcmp(location, "us-east-1")) {
		location = NULL;
		r = s3_bucket_exists(store, bucket, err);
		if (r >= 0)
			return error_set(err, ERR_EXISTS, "bucket '%.64s': it exists already",
					 bucket);
		if (err->kind != ERR_NOT_FOUND && err->kind != ERR_PERMISSION &&
		    err->kind != ERR_INVALID)
			return r;
		*err = ERROR_INIT;
	}
	r = create_once(s, bucket, location, err);
	/* A server of one's own may sign for one region and know no locations at all. */
	if (r < 0 && location && !s->is_aws && strstr(err->service_code, "LocationConstraint")) {
		*err = ERROR_INIT;
		r = create_once(s, bucket, NULL, err);
	}
	return r;
}

int s3_bucket_delete(struct store *store, const char *bucket, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s3_of(store), HTTP_DELETE, "DeleteBucket", bucket, NULL);
	int r = s3_call_perform(&c, err);

	if (r < 0 && err->kind == ERR_NOT_FOUND && c.response.attempts > 1) {
		*err = ERROR_INIT; /* our own first attempt did it */
		return 0;
	}
	return r;
}

int s3_bucket_exists(struct store *store, const char *bucket, struct error *err)
{
	struct s3_store *s = s3_of(store);
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_HEAD, "HeadBucket", bucket, NULL);
	CLEANUP(s3_call_release)
	struct s3_call why = S3_CALL_INIT(s, HTTP_GET, "ListObjectsV2", bucket, NULL);
	int r = s3_call_perform(&c, err);

	if (r >= 0 || (err->http_status != 400 && err->http_status != 403))
		return r;
	/* The answer to a HEAD does not tell a wrong key from a missing right; a listing's does,
	 * and may be allowed. */
	*err = ERROR_INIT;
	s3_call_query(&why, "list-type", "2");
	s3_call_query(&why, "max-keys", "1");
	s3_call_answer(&why, "ListBucketResult");
	return s3_call_perform(&why, err);
}

int s3_versioning_get(struct store *store, const char *bucket, bool *ret_is_on, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c =
		S3_CALL_INIT(s3_of(store), HTTP_GET, "GetBucketVersioning", bucket, NULL);
	CLEANUP(buf_release) struct buf status = BUF_INIT(64);
	int r;

	s3_call_query(&c, "versioning", "");
	s3_call_answer(&c, "VersioningConfiguration");
	r = s3_call_perform(&c, err);
	if (r < 0)
		return r;
	r = xml_find(str_trim(buf_str(&c.answer)), "VersioningConfiguration/Status", &status, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND) /* moto's name for it */
		r = xml_find(str_trim(buf_str(&c.answer)), "GetBucketVersioningResponse/Status",
			     &status, err);
	if (r < 0 && err->kind != ERR_NOT_FOUND) /* never switched on: the element is not there */
		return r;
	*err = ERROR_INIT;
	*ret_is_on = str_equal(str_trim(buf_str(&status)), STR("Enabled"));
	return 0;
}

int s3_versioning_set(struct store *store, const char *bucket, bool is_on, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c =
		S3_CALL_INIT(s3_of(store), HTTP_PUT, "PutBucketVersioning", bucket, NULL);

	s3_call_query(&c, "versioning", "");
	s3_call_check(
		&c, buf_addf(&c.sent,
			     "<VersioningConfiguration "
			     "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>%s</Status>"
			     "</VersioningConfiguration>",
			     is_on ? "Enabled" : "Suspended"));
	s3_call_header(&c, "Content-Type", "application/xml");
	s3_call_send_document(&c);
	return s3_call_perform(&c, err);
}

int s3_policy_get(struct store *store, const char *bucket, struct buf *ret_json, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s3_of(store), HTTP_GET, "GetBucketPolicy", bucket, NULL);
	int r;

	s3_call_query(&c, "policy", "");
	s3_call_answer(&c, NULL); /* JSON */
	r = s3_call_perform(&c, err);
	if (r < 0)
		return r;
	buf_clear(ret_json);
	r = buf_add_str(ret_json, buf_str(&c.answer));
	return r < 0 ? error_set(err, ERR_TOO_LARGE, "the policy of bucket '%.64s' is too large",
				 bucket)
		     : 0;
}

int s3_policy_set(struct store *store, const char *bucket, struct str json, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c =
		S3_CALL_INIT(s3_of(store), json.len ? HTTP_PUT : HTTP_DELETE,
			     json.len ? "PutBucketPolicy" : "DeleteBucketPolicy", bucket, NULL);

	if (json.len > POLICY_MAX_BYTES)
		return error_set(err, ERR_TOO_LARGE,
				 "a bucket's policy has at most %d bytes, not %zu",
				 POLICY_MAX_BYTES, json.len);
	s3_call_query(&c, "policy", "");
	if (json.len) {
		s3_call_check(&c, buf_add_str(&c.sent, json));
		s3_call_header(&c, "Content-Type", "application/json");
		s3_call_send_document(&c);
	}
	return s3_call_perform(&c, err);
}

static int plain_url(const struct s3_call *c, struct buf *ret_url, struct error *err)
{
	buf_clear(ret_url);
	if (buf_addf(ret_url, "%s://%s%s", c->request.scheme, c->request.authority,
		     c->request.path) < 0)
		return error_set(err, ERR_TOO_LARGE, "the URL is too long");
	return 0;
}

int s3_presign(struct store *store, const char *bucket, const char *key, enum store_presign what,
	       uint64_t expires_s, struct buf *ret_url, struct error *err)
{
	struct s3_store *s = s3_of(store);
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, what == STORE_PRESIGN_PUT ? HTTP_PUT : HTTP_GET,
					"presign", bucket, key);
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;
	unsigned region = s3_region_of(s, bucket);
	struct sigv4_scope scope = { .region = s3_region_name(s, region),
				     .service = "s3",
				     .wall_s = clock_wall_s() + clock_skew_s(),
				     .is_s3_path = true,
				     .expires_s = expires_s };
	int r;

	if (expires_s == 0 || expires_s > PRESIGN_MAX_S)
		return error_set(err, ERR_INVALID, "a presigned URL is good for 1 to %d seconds",
				 PRESIGN_MAX_S);
	r = cred_aws_get(s->provider, &cred, err);
	if (r >= 0)
		r = s3_call_aim(&c, region, err);
	if (r < 0)
		return r;
	if (!cred.access_key_id)
		return plain_url(&c, ret_url, err); /* a public bucket needs no more */
	return sigv4_presign(&c.request, &scope, &cred, ret_url, err);
}
