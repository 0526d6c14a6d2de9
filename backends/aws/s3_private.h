#pragma once
/*
 * Purpose: what the files of the S3 store share: the store, one call, and the readers of answers.
 *
 * Invariants:
 *  - A region once added keeps its place and its signer until the store is freed.
 *  - A call is built first (the first failure of a build step sticks and is returned by
 *    s3_call_perform), then performed; it may be performed again after s3_call_rewind.
 * Ownership: a call owns its request, its answer and the document it sends (s3_call_release).
 * Threads: a call belongs to one thread; the store to all. `lock` is held only while the region
 *	tables are read or grown, never across the network.
 */
#include "backends/aws/s3.h"
#include "backends/auth/sign_sigv4.h"
#include "backends/base/lock.h"
#include "backends/http/ratelimit.h"
#include "backends/http/url.h"

#define S3_REGION_MAX	   40
#define S3_REGIONS	   64  /* AWS has some 35 */
#define S3_BUCKETS_KNOWN   256 /* whose region is not the store's; beyond, the oldest goes */
#define S3_BUCKET_NAME_MAX 256
#define S3_ANSWER_MAX	   (16 << 20) /* 1000 keys of 1024 bytes, each byte as %XX, are 3 MiB */
#define S3_DEFAULT_REGION  "us-east-1"
#define S3_MAX_COPY_BYTES  (5ULL << 30)
#define S3_MAX_PART_NUMBER 10000
#define S3_SERVER_WORK_MS  300000 /* copying 5 GiB, joining 10,000 parts: not a byte moves */
#define S3_CHECKSUM_MAX	   48	  /* 32 bytes as base64 */

struct s3_region {
	char name[S3_REGION_MAX];
	struct signer *signer;
};
struct s3_bucket_region {
	char bucket[S3_BUCKET_NAME_MAX];
	unsigned region;
};

/* The conditions that a server keeps, each tried by its effect (s3_probe.c): many take one and ignore it. */
enum s3_promise {
	S3_KEEPS_PUT = 1,      /* If-Match and If-None-Match of a PUT */
	S3_KEEPS_END = 2,      /* the same at the end of a multipart upload */
	S3_KEEPS_DELETE = 4,   /* If-Match of a DELETE */
	S3_KEEPS_SOURCE = 8,   /* x-amz-copy-source-if-match, of objects and of parts */
	S3_KEEPS_TARGET = 16,  /* If-Match and If-None-Match of a copy */
	S3_KEEPS_ALL = 31,
	S3_KEEPS_KNOWN = 256,  /* the others say what is known; without it nothing is kept yet */
};

struct s3_store {
	struct store base;
	struct http_engine *engine;	    /* borrowed */
	struct cred_aws_provider *provider; /* owned */
	char *scheme, *port, *path;	    /* of the endpoint, immutable */
	char *host;			    /* likewise; NULL: Amazon's, by region */
	enum s3_style style;		    /* never AUTO here */
	enum s3_conditions conditions;
	bool is_aws; /* the host is Amazon's own */
	bool requester_pays;
	bool marks_directories;
	_Atomic unsigned kept; /* bits of enum s3_promise */
	atomic_bool is_probing;
	atomic_bool has_odd_tags; /* entity tags that look like an MD5 and are none: seen by content */
	struct ratelimit ratelimit;
	struct lock lock;
	struct s3_region regions[S3_REGIONS]; /* guarded by lock while growing; entries immutable */
	unsigned region_count;		      /* guarded by lock */
	unsigned default_region;	      /* guarded by lock */
	struct s3_bucket_region *buckets;     /* guarded by lock; S3_BUCKETS_KNOWN of them */
	unsigned bucket_count, bucket_next;   /* guarded by lock */
};
static inline struct s3_store *s3_of(struct store *s)
{
	return container_of(s, struct s3_store, base);
}
static inline bool s3_is_https(const struct s3_store *s)
{
	return !strcmp(s->scheme, "https");
}

/* s3_request.c: one call */

struct s3_call {
	struct s3_store *store;
	const char *bucket;	 /* NULL: the service itself */
	const char *key;	 /* NULL: the bucket itself */
	const char *answer_root; /* a 2xx body must be this document; NULL: not looked at */
	bool keeps_region;	 /* no redirect to another region is followed */
	int build_result;	 /* of the first build step that failed */
	struct error build_error;
	struct http_request request;
	struct http_response response;
	struct buf sent;   /* a document the call sends */
	struct buf answer; /* a document it gets */
};
#define S3_CALL_INIT(s, http_method, name, b, k)                                                   \
	((struct s3_call){ .store = (s),                                                           \
			   .bucket = (b),                                                          \
			   .key = (k),                                                             \
			   .request = { .method = (http_method),                                   \
					.body = { .fd = -1 },                                      \
					.sink = { .fd = -1 },                                      \
					.operation = (name),                                       \
					.is_idempotent = true },                                   \
			   .response = HTTP_RESPONSE_INIT,                                         \
			   .sent = BUF_INIT(4 << 20),                                              \
			   .answer = BUF_INIT(S3_ANSWER_MAX) })
void s3_call_release(struct s3_call *c);
void s3_call_header(struct s3_call *c, const char *name, const char *value);
void s3_call_headerf(struct s3_call *c, const char *name, const char *format, ...) PRINTF(3, 4);
void s3_call_query(struct s3_call *c, const char *name, const char *value);
void s3_call_queryf(struct s3_call *c, const char *name, const char *format, ...) PRINTF(3, 4);
/* Makes -ENOMEM or -EFBIG of a buf function stick to the call. */
void s3_call_check(struct s3_call *c, int result);
/* The 2xx body goes to c->answer and must be the document `root` (an S3 error may hide in a 200).
 */
void s3_call_answer(struct s3_call *c, const char *root);
/* Sends c->sent, with the digest S3 wants for such documents. */
void s3_call_send_document(struct s3_call *c);
void s3_call_source(struct s3_call *c, const struct store_source *source);
void s3_call_rewind(struct s3_call *c);
int s3_call_perform(struct s3_call *c, struct error *err) MUST_CHECK;
/* Scheme, authority and path of the request for that region; perform does it by itself, presign
 * needs it. */
int s3_call_aim(struct s3_call *c, unsigned region, struct error *err) MUST_CHECK;

/* s3_region.c: which region and so which signer a bucket wants */

unsigned s3_region_of(struct s3_store *s, const char *bucket);
const char *s3_region_name(struct s3_store *s, unsigned region);
struct signer *s3_region_signer(struct s3_store *s, unsigned region);
int s3_region_add(struct s3_store *s, const char *name, unsigned *ret,
		  struct error *err) MUST_CHECK;
void s3_region_remember(struct s3_store *s, const char *bucket, unsigned region);
bool s3_region_name_is_valid(const char *name);
/* Whether the failed call told of another region, which is then remembered for the bucket. */
bool s3_region_learn(struct s3_call *c, unsigned *region);
/* GetBucketLocation. */
int s3_bucket_location(struct s3_store *s, const char *bucket, char ret[S3_REGION_MAX],
		       struct error *err) MUST_CHECK;

/* s3_error.c: what an answer that is no success means */

struct s3_error_text {
	char code[48], message[160], region[S3_REGION_MAX], request_id[64];
};
/* Never fails: what the body does not tell stays "". */
void s3_error_read(struct str body, struct s3_error_text *ret);
enum error_kind s3_error_kind(const char *code); /* ERR_NONE when the code is not known */
/* The classify function of every call; arg is the call. */
int s3_classify(void *arg, const struct http_response *response, struct error *err);
/* The error of one key in an answer to DeleteObjects. */
int s3_error_of_key(const char *bucket, const char *key, const char *code, const char *message,
		    struct error *err);
static inline bool s3_error_is(const struct error *err, const char *code)
{
	return !strcmp(err->service_code, code);
}

/* s3_meta.c: object headers */

/* Strips quotes and the weak mark; ERR_PROTOCOL when it does not fit. NULL gives "". */
int s3_version_set(const char *etag, char ret[STORE_VERSION_MAX], struct error *err) MUST_CHECK;
/* x-amz-meta-* and Content-Type. */
int s3_call_meta(struct s3_call *c, const struct store_meta *meta, size_t count,
		 const char *content_type, struct error *err) MUST_CHECK;
/* Everything but the size, which depends on the kind of answer. */
int s3_object_from_headers(const struct http_response *response, struct arena *arena,
			   struct store_object *ret, struct error *err) MUST_CHECK;
int s3_content_length(const struct http_response *response, uint64_t *ret,
		      struct error *err) MUST_CHECK;

/* s3_xml.c */

/* The part of path below "root/", or NULL when path is not below it. */
const char *s3_xml_below(const char *path, const char *root);
/* Text of an encoding-type=url answer, in place: %XX and '+'. -EINVAL for a broken escape or a NUL.
 */
int s3_url_decode(char *text);
int s3_xml_u64(struct str text, uint64_t *ret, struct error *err) MUST_CHECK;
/* Whether a key can stand in an XML 1.0 document at all. */
bool s3_xml_can_carry(const char *key);
/* The text of one element of an answer as a version. */
int s3_xml_version(struct str document, const char *path, char ret[STORE_VERSION_MAX],
		   struct error *err) MUST_CHECK;

/* s3_condition.c: conditional writes, also where the server has none */

struct s3_condition {
	const char *if_version;
	bool if_absent;
};
static inline bool s3_condition_is_set(struct s3_condition w)
{
	return w.if_absent || (w.if_version && *w.if_version);
}
bool s3_can_condition(struct s3_store *s);
static inline bool s3_keeps(struct s3_store *s, enum s3_promise promise)
{
	return atomic_load(&s->kept) & (unsigned)promise;
}
/* Adds the headers of a PUT, of the end of an upload, or of a copy's target; where that promise is not kept by the server,
 * compares by a HEAD before. Asks a server that is not known (s3_probe). */
int s3_condition_apply(struct s3_call *c, struct s3_condition w, enum s3_promise promise, struct error *err) MUST_CHECK;
/* From now on writes are compared by HEAD; `why` ("has no", "ignores or misreads") is logged the first time. */
void s3_condition_give_up(struct s3_store *s, const char *why);
int s3_condition_compare(struct s3_store *s, const char *bucket, const char *key,
			 struct s3_condition w, struct cancel *cancel,
			 struct error *err) MUST_CHECK;
/* What an answer tells of the server. */
void s3_condition_learn(struct s3_store *s, const struct http_response *response);
/* After a write that could only be compared before: somebody may have come in between. ERR_PRECONDITION when what is there is not
 * `version`. */
int s3_condition_verify(struct s3_store *s, const char *bucket, const char *key,
			struct s3_condition w, const char *version, struct cancel *cancel,
			struct error *err) MUST_CHECK;
/* The server said that it has no conditions: forgets that it should (AUTO) and clears err; true: do
 * it again. */
bool s3_condition_refused(struct s3_store *s, struct s3_condition w, struct error *err);

/* The source of a copy is what it was taken for: asked where the server does not keep that condition. */
int s3_condition_source(struct s3_store *s, const char *bucket, const char *key, const char *if_version,
			struct cancel *cancel, struct error *err) MUST_CHECK;

/* s3_probe.c: asks a server that nobody knows, once, in the bucket and beside the key of a call. */
void s3_probe(struct s3_call *for_call);

/* The slots, by file */

int s3_head(struct store *s, const char *bucket, const char *key, const char *version_id,
	    struct arena *arena, struct store_object *ret, struct error *err);
int s3_head_with(struct s3_store *s, const char *bucket, const char *key, const char *version_id,
		 struct cancel *cancel, struct arena *arena, struct store_object *ret,
		 struct s3_call *ret_call, struct error *err);
int s3_get(struct store *s, const char *bucket, const char *key, const struct store_get_args *args,
	   struct store_sink *sink, struct arena *arena, struct store_object *ret,
	   struct error *err);
int s3_put(struct store *s, const char *bucket, const char *key, const struct store_source *source,
	   const struct store_put_args *args, char *ret_version, struct error *err);
int s3_copy(struct store *s, const char *from_bucket, const char *from_key, const char *bucket,
	    const char *key, const struct store_copy_args *args, char *ret_version,
	    struct error *err);
int s3_set_meta(struct store *s, const char *bucket, const char *key, const char *if_version,
		const struct store_meta *meta, size_t count, char *ret_version, struct error *err);
/* x-amz-copy-source and its condition. */
void s3_call_copy_source(struct s3_call *c, const char *bucket, const char *key,
			 const char *if_version);
int s3_delete(struct store *s, const char *bucket, const char *key, const char *if_version,
	      const char *version_id, struct error *err);
int s3_delete_many(struct store *s, const char *bucket, const char *const *keys, size_t count,
		   struct error *results, struct error *err);

int s3_list(struct store *s, const char *bucket, const struct store_list_args *args,
	    struct store_page *ret, struct error *err);
int s3_list_versions(struct store *s, const char *bucket, const struct store_list_args *args,
		     struct store_page *ret, struct error *err);

int s3_upload_begin(struct store *s, const char *bucket, const char *key,
		    const struct store_put_args *args, char **ret_upload_id, struct error *err);
int s3_upload_part(struct store *s, const char *bucket, const char *key, const char *upload_id,
		   unsigned number, const struct store_source *source, struct cancel *cancel,
		   struct store_part *ret, struct error *err);
int s3_part_copy(struct store *s, const char *from_bucket, const char *from_key,
		 const char *if_source_version, uint64_t offset, uint64_t length,
		 const char *bucket, const char *key, const char *upload_id, unsigned number,
		 struct cancel *cancel, struct store_part *ret, struct error *err);
int s3_upload_complete(struct store *s, const char *bucket, const char *key, const char *upload_id,
		       const struct store_part *parts, size_t count,
		       const struct store_put_args *args, char *ret_version, struct error *err);
int s3_upload_abort(struct store *s, const char *bucket, const char *key, const char *upload_id,
		    struct error *err);
int s3_upload_parts(struct store *s, const char *bucket, const char *key, const char *upload_id,
		    struct store_part **ret_parts, size_t *ret_count, struct error *err);
int s3_upload_list(struct store *s, const char *bucket, const char *prefix,
		   struct store_upload_page *ret, struct error *err);

int s3_bucket_list(struct store *s, struct store_bucket_page *ret, struct error *err);
int s3_bucket_create(struct store *s, const char *bucket, struct error *err);
int s3_bucket_delete(struct store *s, const char *bucket, struct error *err);
int s3_bucket_exists(struct store *s, const char *bucket, struct error *err);
int s3_versioning_get(struct store *s, const char *bucket, bool *ret_is_on, struct error *err);
int s3_versioning_set(struct store *s, const char *bucket, bool is_on, struct error *err);
int s3_policy_get(struct store *s, const char *bucket, struct buf *ret_json, struct error *err);
int s3_policy_set(struct store *s, const char *bucket, struct str json, struct error *err);
int s3_presign(struct store *s, const char *bucket, const char *key, enum store_presign what,
	       uint64_t expires_s, struct buf *ret_url, struct error *err);

/* A checksum of what is to be sent, as base64. */
int s3_checksum(const struct store_source *source, enum hash_kind kind, char ret[S3_CHECKSUM_MAX],
		struct error *err) MUST_CHECK;
