#pragma once
/*
 * Purpose: what the files of the Swift store share.
 *
 * Invariants:
 *  - A version is an ETag without quotes. Of a large object it is the service's digest over its segments' ETags.
 *  - Segments stand in BUCKET SWIFT_SEGMENTS, below SWIFT_OURS, the digest of their key, and an upload's id; an
 *    upload's own record (its key, metadata and type) is segment 0. Only what a manifest of ours names is deleted with it.
 *  - Swift has no condition on a version of what a put replaces: it is compared before.
 * Threads: a call belongs to one thread; the store to all. `lock` is held for memory only.
 */
#include "backends/auth/sign_bearer.h"
#include "backends/base/lock.h"
#include "backends/cloud/service.h"
#include "backends/openstack/swift.h"

#define SWIFT_SEGMENTS	   "_segments"
#define SWIFT_OURS	   ".skydir/"
#define SWIFT_ID_LEN	   16
#define SWIFT_BUCKETS_KNOWN 128
#define SWIFT_UPLOADS_KNOWN 64
#define SWIFT_BUCKET_MAX   257
#define SWIFT_SEGMENTS_TTL_MS 60000 /* how long it is believed that a bucket has no container of segments */

struct swift_known {
	char bucket[SWIFT_BUCKET_MAX];
	bool has_segments;
	uint64_t asked_mono_ms;
};
struct swift_store {
	struct store base;
	struct http_engine *engine; /* borrowed */
	struct keystone *keystone;  /* owned */
	struct signer *signer;	    /* owned */
	char *region, *temp_url_key; /* immutable; may be NULL */
	struct ratelimit ratelimit;
	struct lock lock;
	struct service service; /* guarded by lock until base_url is set, then immutable */
	char *url;		/* its base_url, owned */
	struct swift_known known[SWIFT_BUCKETS_KNOWN]; /* guarded by lock */
	unsigned known_count, known_next;	       /* guarded by lock */
	_Atomic unsigned bulk_max;		       /* names that a bulk delete takes */
	/* Uploads that were begun here and are not over: nobody else knows them. guarded by lock; a ring */
	char begun[SWIFT_UPLOADS_KNOWN][2 * SWIFT_ID_LEN + 1];
	unsigned begun_next; /* guarded by lock */
};
static inline struct swift_store *swift_of(struct store *s)
{
	return container_of(s, struct swift_store, base);
}

/* swift_manifest.c: a list of names */

struct swift_names {
	char **items;
	size_t count, capacity;
};
void swift_names_release(struct swift_names *n);
int swift_names_add(struct swift_names *n, const char *name, struct error *err) MUST_CHECK;

/* swift_call.c: one exchange */

struct swift_call {
	struct swift_store *store;
	const char *operation;
	struct service_request request; /* request.path is owned here */
	struct service_answer answer;
	struct cancel *cancel;
	uint64_t deadline_mono_ms;
	bool wants_json; /* the answer is JSON; else its body is dropped */
	int build_result;
	struct error build_error;
	char *path;
	char bucket[SWIFT_BUCKET_MAX + 32]; /* of the last aim; cut, if it is longer than any can be */
};
#define SWIFT_CALL_INIT(s, http_method, name)                                                      \
	((struct swift_call){ .store = (s),                                                        \
			      .operation = (name),                                                 \
			      .request = { .method = (http_method),                                \
					   .body = { .fd = -1 },                                   \
					   .sink = { .fd = -1 } } })
void swift_call_release(struct swift_call *c);
/* container, object: NULL for the account, the container. */
void swift_call_aim(struct swift_call *c, const char *container, const char *object);
void swift_call_header(struct swift_call *c, const char *name, const char *value);
void swift_call_headerf(struct swift_call *c, const char *name, const char *format, ...) PRINTF(3, 4);
void swift_call_query(struct swift_call *c, const char *name, const char *value);
void swift_call_meta(struct swift_call *c, const struct store_meta *meta, size_t count, const char *content_type);
int swift_call_perform(struct swift_call *c, struct error *err) MUST_CHECK;
static inline const char *swift_answer(const struct swift_call *c, const char *header)
{
	return http_fields_get(&c->answer.headers, header);
}
/* Where the account is; asks the catalogue the first time. */
int swift_locate(struct swift_store *s, struct error *err) MUST_CHECK;
/* Uses that address instead of the catalogue's; before the store is used. */
int swift_use_url(struct swift_store *s, const char *url, struct error *err) MUST_CHECK;
/* ETag without quotes; "" for none; ERR_PROTOCOL when it does not fit. */
int swift_version_set(const char *etag, char ret[STORE_VERSION_MAX], struct error *err) MUST_CHECK;
int swift_object_from(const struct http_fields *headers, struct arena *arena, struct store_object *ret,
		      struct error *err) MUST_CHECK;
/* Swift takes names in UTF-8 only. */
int swift_check_key(const char *key, struct error *err) MUST_CHECK;
int swift_segments_of(const char *bucket, char ret[SWIFT_BUCKET_MAX + sizeof(SWIFT_SEGMENTS)], struct error *err) MUST_CHECK;

/* swift_object.c */

int swift_head(struct store *s, const char *bucket, const char *key, const char *version_id, struct arena *arena,
	       struct store_object *ret, struct error *err);
struct swift_look {
	struct store_object object;
	bool is_large; /* a static large object */
};
int swift_look_at(struct swift_store *s, const char *bucket, const char *key, struct cancel *cancel, struct arena *arena,
		  struct swift_look *ret, struct error *err) MUST_CHECK;
/* if_version against what is there now; NOT_FOUND counts as changed. */
int swift_compare(struct swift_store *s, const char *bucket, const char *key, const char *if_version,
		  struct cancel *cancel, struct error *err) MUST_CHECK;
int swift_put(struct store *s, const char *bucket, const char *key, const struct store_source *source,
	      const struct store_put_args *args, char *ret_version, struct error *err);
int swift_copy(struct store *s, const char *from_bucket, const char *from_key, const char *bucket, const char *key,
	       const struct store_copy_args *args, char *ret_version, struct error *err);
int swift_set_meta(struct store *s, const char *bucket, const char *key, const char *if_version,
		   const struct store_meta *meta, size_t count, char *ret_version, struct error *err);
/* One server-side copy of a plain object, whatever its key. */
int swift_copy_plain(struct swift_store *s, const char *from_bucket, const char *from_key, const char *bucket,
		     const char *key, struct cancel *cancel, char ret_version[STORE_VERSION_MAX],
		     struct error *err) MUST_CHECK;

/* swift_read.c */

int swift_get(struct store *s, const char *bucket, const char *key, const struct store_get_args *args,
	      struct store_sink *sink, struct arena *arena, struct store_object *ret, struct error *err);

/* swift_list.c */

int swift_list(struct store *s, const char *bucket, const struct store_list_args *args, struct store_page *ret,
	       struct error *err);
int swift_list_versions(struct store *s, const char *bucket, const struct store_list_args *args, struct store_page *ret,
			struct error *err);
int swift_list_container(struct swift_store *s, const char *container, const struct store_list_args *args,
			 bool with_versions, struct store_page *ret, struct error *err) MUST_CHECK;

/* swift_delete.c */

int swift_delete(struct store *s, const char *bucket, const char *key, const char *if_version, const char *version_id,
		 struct error *err);
/* Without a look at what it is; what is not there counts as deleted. */
int swift_delete_one(struct swift_store *s, const char *bucket, const char *key, const char *version_id, bool is_large,
		     struct error *err) MUST_CHECK;

/* swift_bulk.c */

int swift_delete_many(struct store *s, const char *bucket, const char *const *keys, size_t count, struct error *results,
		      struct error *err);
/* Deletes objects of a container for good where it can; what is left is left. */
void swift_delete_all(struct swift_store *s, const char *container, const char *const *keys, size_t count);
/* Whether a bucket has a container of segments, so that its objects may be large. */
bool swift_has_segments(struct swift_store *s, const char *bucket);
void swift_remember_segments(struct swift_store *s, const char *bucket, bool has_segments);

/* swift_manifest.c: manifests of static large objects */

/* A manifest's entry, as a get of one gives it, and the bytes of its segment that it stands for. */
struct swift_entry {
	const char *path, *etag;
	uint64_t size;	      /* of the segment */
	uint64_t first, last; /* of the range, inclusive */
};
/* Adds one as a put of a manifest takes it; range: "" for the whole segment. */
int swift_entry_add(struct json_object *list, const char *path, const char *etag, uint64_t size, const char *range,
		    struct error *err) MUST_CHECK;
int swift_entry_read(struct json_object *o, struct swift_entry *ret, struct error *err) MUST_CHECK;
bool swift_manifest_names(struct json_object *manifest, const char *path);
/* Adds to list the pieces that hold [offset, offset + length) of the object. */
int swift_manifest_slice(struct json_object *manifest, uint64_t offset, uint64_t length, struct json_object *list,
			 struct error *err) MUST_CHECK;
/* The segments that a manifest names: [{"path": "/container/name", ...}]; NULL when the object is none. */
int swift_manifest_get(struct swift_store *s, const char *bucket, const char *key, struct cancel *cancel,
		       struct json_object **ret, struct error *err) MUST_CHECK;
/* Deletes those of `old` that are ours and that `kept` (may be NULL) does not name. */
/* Adds the names of what `old` has in the bucket's own container of segments, and `kept` has not: elsewhere they may be somebody's
 * objects. */
int swift_manifest_segments(const char *bucket, struct json_object *old, struct json_object *kept, struct swift_names *ret,
			    struct error *err) MUST_CHECK;
/* Old versions go on naming their segments. */
bool swift_may_have_versions(struct swift_store *s, const char *bucket);
void swift_manifest_clean(struct swift_store *s, const char *bucket, struct json_object *old, struct json_object *kept);

/* swift_large.c: uploads in parts */

int swift_upload_begin(struct store *s, const char *bucket, const char *key, const struct store_put_args *args,
		       char **ret_upload_id, struct error *err);
int swift_upload_part(struct store *s, const char *bucket, const char *key, const char *upload_id, unsigned number,
		      const struct store_source *source, struct cancel *cancel, struct store_part *ret, struct error *err);
int swift_upload_complete(struct store *s, const char *bucket, const char *key, const char *upload_id,
			  const struct store_part *parts, size_t count, const struct store_put_args *args,
			  char *ret_version, struct error *err);

/* swift_uploads.c */

int swift_upload_abort(struct store *s, const char *bucket, const char *key, const char *upload_id, struct error *err);
int swift_upload_parts(struct store *s, const char *bucket, const char *key, const char *upload_id,
		       struct store_part **ret_parts, size_t *ret_count, struct error *err);
int swift_upload_list(struct store *s, const char *bucket, const char *prefix, struct store_upload_page *ret,
		      struct error *err);

/* Everything below a prefix, page by page. */
int swift_each_segment(struct swift_store *s, const char *container, const char *prefix,
		       int (*visit)(void *arg, const struct store_object *o, struct error *err), void *arg,
		       struct error *err) MUST_CHECK;

/* swift_copy.c */

int swift_part_copy(struct store *s, const char *from_bucket, const char *from_key, const char *if_source_version,
		    uint64_t offset, uint64_t length, const char *bucket, const char *key, const char *upload_id,
		    unsigned number, struct cancel *cancel, struct store_part *ret, struct error *err);
/* Copies a large object's segments and writes a manifest of the copies. */
int swift_copy_large(struct swift_store *s, const char *from_bucket, const char *from_key, const char *bucket,
		     const char *key, const struct store_copy_args *args, char ret_version[STORE_VERSION_MAX],
		     struct error *err) MUST_CHECK;

/* swift_large.c, for the two above: where an upload's segments stand */

struct swift_folder {
	char container[SWIFT_BUCKET_MAX + sizeof(SWIFT_SEGMENTS)];
	char path[160]; /* ".skydir/SHA256/ID/" */
};
void swift_key_folder(const char *key, char ret[2 * HASH_SHA256_LEN + 1]); /* the digest that names a key's folder */
int swift_folder_of(const char *bucket, const char *key, const char *upload_id, struct swift_folder *ret,
		    struct error *err) MUST_CHECK;
void swift_segment_name(const struct swift_folder *f, unsigned number, const char *suffix, char ret[200]);
/* Whether the upload still goes on; if not, what was just put there as `name` is deleted: NOT_FOUND. */
int swift_upload_is_there(struct swift_store *s, const struct swift_folder *f, const char *upload_id, const char *name,
			  struct error *err) MUST_CHECK;
void swift_upload_over(struct swift_store *s, const char *id); /* completed, or about to be aborted */
int swift_put_small(struct swift_store *s, const char *container, const char *name, struct str body,
		    char ret_version[STORE_VERSION_MAX], struct error *err) MUST_CHECK;
struct json_object *swift_record_new(const char *key, const struct store_put_args *args); /* NULL without memory */
void swift_forget_record(struct swift_store *s, const struct swift_folder *f);
int swift_put_manifest(struct swift_store *s, const char *bucket, const char *key, struct json_object *list,
		       struct json_object *record, bool if_absent, const struct store_put_args *args,
		       char ret_version[STORE_VERSION_MAX], struct error *err) MUST_CHECK;
int swift_get_json(struct swift_store *s, const char *container, const char *name, struct cancel *cancel,
		   struct json_object **ret, struct error *err) MUST_CHECK;
/* swift_bucket.c */

int swift_bucket_list(struct store *s, struct store_bucket_page *ret, struct error *err);
int swift_bucket_create(struct store *s, const char *bucket, struct error *err);
int swift_bucket_delete(struct store *s, const char *bucket, struct error *err);
int swift_bucket_exists(struct store *s, const char *bucket, struct error *err);
int swift_versioning_get(struct store *s, const char *bucket, bool *ret_is_on, struct error *err);
int swift_versioning_set(struct store *s, const char *bucket, bool is_on, struct error *err);
int swift_policy_get(struct store *s, const char *bucket, struct buf *ret_json, struct error *err);
int swift_policy_set(struct store *s, const char *bucket, struct str json, struct error *err);
int swift_presign(struct store *s, const char *bucket, const char *key, enum store_presign what, uint64_t expires_s,
		  struct buf *ret_url, struct error *err);
