#pragma once
/*
 * Purpose: what the files of the GCS store share: the store, one call, and the readers of answers.
 *
 * Invariants:
 *  - A version is a generation in decimal.
 *  - Keys below GCS_RESERVED hold the parts of unfinished uploads: no listing shows them, nobody else may write there.
 *  - A call is built first (the first failure of a build step sticks and is returned by gcs_call_perform), then
 *    performed; it may be performed again after gcs_call_rewind.
 * Ownership: a call owns its request, its answer and the document it sends (gcs_call_release).
 * Threads: a call belongs to one thread; the store to all. `lock` is held for memory only.
 */
#include "backends/base/lock.h"
#include "backends/auth/oauth.h"
#include "backends/gcp/gcs.h"
#include "backends/http/ratelimit.h"
#include "backends/http/url.h"

#define GCS_HOST	   "https://storage.googleapis.com"
#define GCS_RESERVED	   ".skydir-uploads/"
#define GCS_PARTS	   GCS_RESERVED "parts/"  /* ID / NUMBER */
#define GCS_PIECES	   GCS_RESERVED "pieces/" /* of appends and compositions */
#define GCS_META_KEY	   "skydir-upload-key"	  /* on the parts: what they will be */
#define GCS_COMPOSE_MAX	   32
#define GCS_BATCH_MAX	   100
#define GCS_ANSWER_MAX	   (32 << 20)
#define GCS_SERVER_WORK_MS 300000 /* a rewrite moves no byte for as long as it likes */
#define GCS_CRC_MAX	   12	  /* 4 bytes as base64 */
#define GCS_UPLOAD_ID_LEN  32
#define GCS_BUCKETS_KNOWN  128
#define GCS_BUCKET_MAX	   224

enum gcs_hns { GCS_HNS_UNKNOWN, GCS_HNS_NO, GCS_HNS_YES };
struct gcs_bucket_known {
	char name[GCS_BUCKET_MAX];
	enum gcs_hns hns;
};

struct gcs_upload;  /* gcs_upload.c */
struct gcs_session; /* gcs_resumable.c */

struct gcs_store {
	struct store base;
	struct http_engine *engine; /* borrowed */
	struct cred_gcp *cred;	    /* owned */
	struct signer *signer;	    /* owned */
	char *endpoint;		    /* without a slash at its end; immutable, like the next four */
	char *location;
	char *quota_project; /* NULL: none */
	bool makes_hierarchical, has_no_conditions;
	struct ratelimit ratelimit;
	atomic_bool lacks_layout; /* the server knows no storageLayout */
	struct lock lock;
	char *project;		      /* guarded by lock; looked for once it is needed */
	struct gcs_upload *uploads;   /* guarded by lock: begun here and not over, newest first */
	struct gcs_session *sessions; /* guarded by lock */
	struct gcs_bucket_known *buckets;   /* guarded by lock; GCS_BUCKETS_KNOWN of them */
	unsigned bucket_count, bucket_next; /* guarded by lock */
};
static inline struct gcs_store *gcs_of(struct store *s)
{
	return container_of(s, struct gcs_store, base);
}

/* gcs_call.c: one call */

struct gcs_call {
	struct gcs_store *store;
	const char *bucket; /* NULL: the service itself */
	const char *key;    /* NULL: the bucket itself */
	int build_result;   /* of the first build step that failed */
	struct error build_error;
	struct http_request request;
	struct http_response response;
	struct buf sent;	  /* a document the call sends */
	struct buf answer;	  /* a document it gets */
	struct json_object *json; /* the answer, parsed by gcs_call_json */
};
#define GCS_CALL_INIT(s, http_method, name, b, k)                                                  \
	((struct gcs_call){ .store = (s),                                                          \
			    .bucket = (b),                                                         \
			    .key = (k),                                                            \
			    .request = { .method = (http_method),                                  \
					 .body = { .fd = -1 },                                     \
					 .sink = { .fd = -1 },                                     \
					 .operation = (name),                                      \
					 .is_idempotent = true },                                  \
			    .response = HTTP_RESPONSE_INIT,                                        \
			    .sent = BUF_INIT(4 << 20),                                             \
			    .answer = BUF_INIT(GCS_ANSWER_MAX) })
void gcs_call_release(struct gcs_call *c);
/* The path, each segment encoded; the last argument is NULL. "storage", "v1", "b", bucket, "o", key, NULL */
void gcs_call_path(struct gcs_call *c, ...) __attribute__((sentinel));
/* storage/v1/b/BUCKET[/o/KEY] of the call's own bucket and key. */
void gcs_call_target(struct gcs_call *c);
/* An address that the service gave (a session). */
void gcs_call_address(struct gcs_call *c, const char *url);
void gcs_call_header(struct gcs_call *c, const char *name, const char *value);
void gcs_call_headerf(struct gcs_call *c, const char *name, const char *format, ...) PRINTF(3, 4);
void gcs_call_query(struct gcs_call *c, const char *name, const char *value);
void gcs_call_queryf(struct gcs_call *c, const char *name, const char *format, ...) PRINTF(3, 4);
/* Makes -ENOMEM or -EFBIG of a buf function stick to the call. */
void gcs_call_check(struct gcs_call *c, int result);
/* Sends a JSON document; NULL (no memory) sticks to the call. Puts the object. */
void gcs_call_send_json(struct gcs_call *c, struct json_object *o);
void gcs_call_rewind(struct gcs_call *c);
int gcs_call_perform(struct gcs_call *c, struct error *err) MUST_CHECK;
/* Performs, and parses the answer into c->json. */
int gcs_call_json(struct gcs_call *c, struct error *err) MUST_CHECK;
/* The same for one request of a session: `classify` may take a status for a success that has no document. */
int gcs_call_resumable(struct gcs_call *c,
		       int (*classify)(void *arg, const struct http_response *response,
				       struct error *err),
		       struct error *err) MUST_CHECK;
/* Names that GCS cannot hold: not UTF-8, with line ends, "." and "..". */
int gcs_check_key(const char *key, struct error *err) MUST_CHECK;
/* For what writes: what is reserved is nobody's either. */
int gcs_check_target(const char *key, struct error *err) MUST_CHECK;
bool gcs_is_reserved(const char *key);

/* gcs_error.c */

int gcs_classify(void *arg, const struct http_response *response, struct error *err);
/* The error of one object in a batch. */
int gcs_error_of(const char *bucket, const char *key, int status, const struct gcs_error_text *text,
		 struct error *err);

/* gcs_json.c: resources */

/* The fields of an object that are asked for; with "items(...)" around in listings. */
#define GCS_OBJECT_FIELDS                                                                          \
	"name,size,updated,generation,contentType,storageClass,metadata,crc32c,timeDeleted"
/* Strings in the arena. */
int gcs_object_read(struct json_object *o, struct arena *arena, struct store_object *ret,
		    struct error *err) MUST_CHECK;
/* A resource for insert, patch, compose or rewrite; NULL with err set. */
struct json_object *gcs_object_resource(const char *key, const struct store_meta *meta,
					size_t count, const char *content_type, struct error *err);
/* generation, checked. */
int gcs_generation_read(struct json_object *o, char ret[STORE_VERSION_MAX],
			struct error *err) MUST_CHECK;
/* Whether the text is a decimal number over 0. */
bool gcs_is_generation(const char *text);
/* "1700000000.123456789" <-> RFC 3339 with nanoseconds, as rclone writes its mtime; false when it is no such text. */
bool gcs_mtime_to_wire(const char *text, char ret[48]);
bool gcs_mtime_from_wire(const char *text, char ret[48]);

/* gcs_read.c */

int gcs_head(struct store *s, const char *bucket, const char *key, const char *version_id,
	     struct arena *arena, struct store_object *ret, struct error *err);
int gcs_head_with(struct gcs_store *s, const char *bucket, const char *key, const char *version_id,
		  struct cancel *cancel, struct arena *arena, struct store_object *ret,
		  char ret_crc[GCS_CRC_MAX], struct error *err) MUST_CHECK;
int gcs_get(struct store *s, const char *bucket, const char *key, const struct store_get_args *args,
	    struct store_sink *sink, struct arena *arena, struct store_object *ret,
	    struct error *err);

/* gcs_write.c */

struct gcs_condition {
	const char *if_version;
	bool if_absent;
	struct cancel *cancel;
};
/* Adds the query; where the server is known not to keep conditions, compares by a look instead. */
int gcs_condition_apply(struct gcs_call *c, struct gcs_condition w, struct error *err) MUST_CHECK;
/* The same for the source of a copy. */
int gcs_source_condition(struct gcs_call *c, const char *bucket, const char *key,
			 const char *if_version, struct cancel *cancel,
			 struct error *err) MUST_CHECK;
/* One object from a source, whatever its key: also the parts of uploads. */
struct gcs_write {
	const char *bucket, *key;
	const struct store_source *source;
	const struct store_meta *meta;
	size_t meta_count;
	const char *content_type;
	struct gcs_condition condition;
	uint64_t deadline_mono_ms;
	char crc[GCS_CRC_MAX]; /* out: of what was sent */
};
int gcs_write_object(struct gcs_store *s, struct gcs_write *w, char ret_version[STORE_VERSION_MAX],
		     struct error *err) MUST_CHECK;
/* Whether the object in the way is the one we wrote: then its version. */
struct gcs_ours {
	const char *bucket, *key;
	uint64_t size;
	const char *crc;
	const struct store_meta *meta; /* must all be there */
	size_t meta_count;
	const char *if_version; /* that it must not be any more */
	struct cancel *cancel;
};
bool gcs_is_ours(struct gcs_store *s, const struct gcs_ours *o,
		 char ret_version[STORE_VERSION_MAX]);
int gcs_put(struct store *s, const char *bucket, const char *key, const struct store_source *source,
	    const struct store_put_args *args, char *ret_version, struct error *err);
int gcs_set_meta(struct store *s, const char *bucket, const char *key, const char *if_version,
		 const struct store_meta *meta, size_t count, char *ret_version, struct error *err);

/* gcs_resumable.c */

#define GCS_RESUMABLE_BYTES                                                                        \
	(64ULL << 20) /* from here on an upload can go on after a broken connection */
int gcs_resumable_put(struct gcs_store *s, struct gcs_write *w, struct json_object *resource,
		      char ret_version[STORE_VERSION_MAX], struct error *err) MUST_CHECK;
void gcs_sessions_free(struct gcs_store *s);

/* gcs_copy.c */

int gcs_copy(struct store *s, const char *from_bucket, const char *from_key, const char *bucket,
	     const char *key, const struct store_copy_args *args, char *ret_version,
	     struct error *err);
int gcs_rename(struct store *s, const char *bucket, const char *from_key, const char *key,
	       const char *if_source_version, char *ret_version, struct error *err);

/* gcs_compose.c */

struct gcs_piece {
	char key[STORE_KEY_MAX + 1];
	char generation[STORE_VERSION_MAX]; /* "": whatever is there */
};
/* Any number of pieces, through pieces of pieces when there are many; temporaries that were made are deleted. */
struct gcs_composition {
	const char *bucket, *key;
	const struct store_meta *meta;
	size_t meta_count;
	const char *content_type;
	struct gcs_condition condition;
	uint64_t deadline_mono_ms;
	char crc[GCS_CRC_MAX]; /* out: what the service says of the whole */
	uint64_t size;	       /* likewise */
};
int gcs_compose_pieces(struct gcs_store *s, struct gcs_composition *c,
		       const struct gcs_piece *pieces, size_t count,
		       char ret_version[STORE_VERSION_MAX], struct error *err) MUST_CHECK;
int gcs_compose(struct store *s, const char *bucket, const char *const *keys, size_t count,
		const char *key, const struct store_put_args *args, char *ret_version,
		struct error *err);
int gcs_append(struct store *s, const char *bucket, const char *key, uint64_t at,
	       const struct store_source *source, const char *if_version, char *ret_version,
	       struct error *err);
/* All of the object that an upload replaces, as its first part: its bytes stay where they are. */
int gcs_part_copy(struct store *s, const char *from_bucket, const char *from_key,
		  const char *if_source_version, uint64_t offset, uint64_t length,
		  const char *bucket, const char *key, const char *upload_id, unsigned number,
		  struct cancel *cancel, struct store_part *ret, struct error *err);
/* The generation in the tag of such a part; NULL: it is another. */
const char *gcs_part_kept(const struct store_part *part);
/* Deletes those pieces for good, also where the bucket keeps versions; what cannot be deleted is left. */
void gcs_delete_pieces(struct gcs_store *s, const char *bucket, const struct gcs_piece *pieces,
		       size_t count);

/* gcs_upload.c */

int gcs_upload_begin(struct store *s, const char *bucket, const char *key,
		     const struct store_put_args *args, char **ret_upload_id, struct error *err);
int gcs_upload_part(struct store *s, const char *bucket, const char *key, const char *upload_id,
		    unsigned number, const struct store_source *source, struct cancel *cancel,
		    struct store_part *ret, struct error *err);
int gcs_upload_complete(struct store *s, const char *bucket, const char *key, const char *upload_id,
			const struct store_part *parts, size_t count,
			const struct store_put_args *args, char *ret_version, struct error *err);
int gcs_upload_abort(struct store *s, const char *bucket, const char *key, const char *upload_id,
		     struct error *err);
int gcs_upload_parts(struct store *s, const char *bucket, const char *key, const char *upload_id,
		     struct store_part **ret_parts, size_t *ret_count, struct error *err);
int gcs_upload_list(struct store *s, const char *bucket, const char *prefix,
		    struct store_upload_page *ret, struct error *err);
void gcs_uploads_free(struct gcs_store *s);

/* gcs_list.c */

int gcs_list(struct store *s, const char *bucket, const struct store_list_args *args,
	     struct store_page *ret, struct error *err);
int gcs_list_versions(struct store *s, const char *bucket, const struct store_list_args *args,
		      struct store_page *ret, struct error *err);
/* All below a prefix of what is reserved; with `versions` also what is no longer live. visit < 0 ends it. */
int gcs_list_reserved(struct gcs_store *s, const char *bucket, const char *prefix,
		      enum gcs_listing what,
		      int (*visit)(void *arg, const struct store_object *o, struct error *err),
		      void *arg, struct error *err) MUST_CHECK;

/* gcs_delete.c */

int gcs_delete(struct store *s, const char *bucket, const char *key, const char *if_version,
	       const char *version_id, struct error *err);
int gcs_delete_many(struct store *s, const char *bucket, const char *const *keys, size_t count,
		    struct error *results, struct error *err);
struct gcs_doomed {
	const char *key, *generation; /* "" or NULL: the live one */
};
int gcs_delete_batch(struct gcs_store *s, const char *bucket, const struct gcs_doomed *doomed,
		     size_t count, struct error *results, struct error *err) MUST_CHECK;

/* gcs_bucket.c */

int gcs_bucket_list(struct store *s, struct store_bucket_page *ret, struct error *err);
int gcs_bucket_create(struct store *s, const char *bucket, struct error *err);
int gcs_bucket_delete(struct store *s, const char *bucket, struct error *err);
int gcs_bucket_exists(struct store *s, const char *bucket, struct error *err);
int gcs_versioning_get(struct store *s, const char *bucket, bool *ret_is_on, struct error *err);
int gcs_versioning_set(struct store *s, const char *bucket, bool is_on, struct error *err);
int gcs_policy_get(struct store *s, const char *bucket, struct buf *ret_json, struct error *err);
int gcs_policy_set(struct store *s, const char *bucket, struct str json, struct error *err);
int gcs_presign(struct store *s, const char *bucket, const char *key, enum store_presign what,
		uint64_t expires_s, struct buf *ret_url, struct error *err);

/* gcs_folder.c: hierarchical namespaces */

enum gcs_hns gcs_hns_known(struct gcs_store *s, const char *bucket);
void gcs_hns_remember(struct gcs_store *s, const char *bucket, enum gcs_hns hns);
/* Asks when it is not known; an error when that cannot be told. */
int gcs_hns_ask(struct gcs_store *s, const char *bucket, enum gcs_hns *ret,
		struct error *err) MUST_CHECK;
int gcs_folder_rename(struct gcs_store *s, const char *bucket, const char *from, const char *to,
		      struct error *err) MUST_CHECK;
/* An empty folder goes; anything else is no error. */
void gcs_folder_delete(struct gcs_store *s, const char *bucket, const char *folder);
/* Every folder of a bucket that holds no object, deepest first. */
int gcs_folders_delete_all(struct gcs_store *s, const char *bucket, struct error *err) MUST_CHECK;
