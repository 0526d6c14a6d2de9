#pragma once
/*
 * Purpose: what the files of the Azure store share: the store, one call, and the readers of answers.
 *
 * Invariants:
 *  - A call is built first (the first failure of a build step sticks and is returned by az_call_perform), then performed.
 *  - Keys are the store's names, blob names the service's (az_name_encode): only blob_request.c turns one into the other
 *    on the way out, and only the readers of listings on the way in.
 * Ownership: a call owns its request, its answer and the document it sends (az_call_release).
 * Threads: a call belongs to one thread; the store to all. `lock` is held for memory work only.
 */
#include "backends/azure/blob.h"
#include "backends/base/lock.h"
#include "backends/http/ratelimit.h"
#include "backends/http/url.h"

#define AZ_API_VERSION	 "2025-11-05"
#define AZ_ANSWER_MAX	 (60 << 20) /* 5000 names of 1024 characters with 8 KiB of metadata each */
#define AZ_PAGE_MAX	 5000
#define AZ_BATCH_MAX	 256
#define AZ_BLOCK_MAX	 (4000ULL << 20)
#define AZ_PUT_MAX	 (5000ULL << 20)
#define AZ_BLOCKS_MAX	 50000
#define AZ_APPEND_MAX	 (100ULL << 20) /* one Append Block */
#define AZ_SYNC_COPY_MAX (256ULL << 20)
#define AZ_CRC_RANGE_MAX (4ULL << 20)	/* a range whose CRC the service tells */
#define AZ_SERVER_WORK_MS 300000
#define AZ_ABORTED_MAX	 64
#define AZ_UPLOAD_ID_LEN 16 /* hex digits */

enum az_hns { AZ_HNS_UNKNOWN, AZ_HNS_NO, AZ_HNS_YES };
enum az_power { AZ_POWER_FROM_URL = 1, AZ_POWER_BATCH = 2, AZ_POWER_SYNC_COPY = 4 };

struct az_endpoint { /* immutable after init */
	char *scheme, *authority, *path; /* path without '/' at its end */
};

struct az_delegation { /* a user delegation key, while it is good */
	char *oid, *tid, *start, *expiry, *service, *version;
	struct secret key;
	int64_t expires_wall_s;
};

struct az_store {
	struct store base;
	struct http_engine *engine; /* borrowed */
	struct cred_azure *cred;    /* owned */
	struct cloud *arm;	    /* owned; NULL: no token for the Resource Manager */
	char *account;
	struct az_endpoint blob, dfs;
	bool deletes_snapshots;
	bool has_crc64; /* else MD5 */
	struct ratelimit ratelimit;
	_Atomic int hns;	   /* enum az_hns */
	_Atomic unsigned lost;	   /* enum az_power the server turned out not to have */
	struct lock lock;
	char aborted[AZ_ABORTED_MAX][AZ_UPLOAD_ID_LEN + 1]; /* guarded by lock; a ring */
	unsigned aborted_next;				     /* guarded by lock */
	struct az_delegation delegation;		     /* guarded by lock */
};
static inline struct az_store *az_of(struct store *s)
{
	return container_of(s, struct az_store, base);
}
static inline bool az_has(struct az_store *s, enum az_power power)
{
	return !(atomic_load(&s->lost) & power);
}
static inline void az_lose(struct az_store *s, enum az_power power)
{
	atomic_fetch_or(&s->lost, power);
}

/* blob_request.c: one call */

enum az_face { AZ_BLOB, AZ_DFS };
struct az_call {
	struct az_store *store;
	enum az_face face;
	const char *container; /* NULL: the account itself */
	const char *key;       /* NULL: the container itself */
	const char *root;      /* a 2xx body must be this document; NULL: not looked at */
	bool is_directory;     /* the key's last '/' says so and is no part of the name */
	int build_result;      /* of the first build step that failed */
	struct error build_error;
	struct http_request request;
	struct http_response response;
	struct buf sent, answer;
};
#define AZ_CALL_INIT(s, http_method, name, c, k)                                                   \
	((struct az_call){ .store = (s),                                                           \
			   .container = (c),                                                       \
			   .key = (k),                                                             \
			   .request = { .method = (http_method),                                   \
					.body = { .fd = -1 },                                      \
					.sink = { .fd = -1 },                                      \
					.operation = (name),                                       \
					.is_idempotent = true },                                   \
			   .response = HTTP_RESPONSE_INIT,                                         \
			   .sent = BUF_INIT(8 << 20),                                              \
			   .answer = BUF_INIT(AZ_ANSWER_MAX) })
void az_call_release(struct az_call *c);
void az_call_header(struct az_call *c, const char *name, const char *value);
void az_call_headerf(struct az_call *c, const char *name, const char *format, ...) PRINTF(3, 4);
void az_call_query(struct az_call *c, const char *name, const char *value);
/* Makes -ENOMEM or -EFBIG of a buf function stick to the call. */
void az_call_check(struct az_call *c, int result);
void az_call_answer(struct az_call *c, const char *root);
/* Sends c->sent. */
void az_call_send(struct az_call *c, const char *content_type);
/* The body, with its checksum. */
int az_call_source(struct az_call *c, const struct store_source *source, struct error *err) MUST_CHECK;
/* If-Match, If-None-Match; NULL or "": none. */
void az_call_condition(struct az_call *c, const char *if_version, bool if_absent);
int az_call_perform(struct az_call *c, struct error *err) MUST_CHECK;
/* Scheme, authority and path of the request; perform does it by itself. */
int az_call_aim(struct az_call *c, struct error *err) MUST_CHECK;
const char *az_answer_header(const struct az_call *c, const char *name); /* or NULL */
/* The address of a blob, for the service to read it from: with what lets it in. */
int az_source_url(struct az_store *s, const char *container, const char *key, bool wants_sas,
		  struct buf *ret, struct error *err) MUST_CHECK;
/* x-ms-copy-source. authorizes: the service wants to see for itself that we may read it. */
int az_call_copy_source(struct az_call *c, const char *container, const char *key, bool authorizes,
			struct error *err) MUST_CHECK;
/* Whether the service cannot read from itself here (an emulator, an account behind a firewall). */
static inline bool az_is_no_power(const struct error *err)
{
	return err->kind == ERR_UNSUPPORTED || !strcmp(err->service_code, "CannotVerifyCopySource") ||
	       !strcmp(err->service_code, "CannotVerifyCopySourceAuthorization");
}

/* blob_name.c: keys and names; pure */

/* What the service cannot hold in a name stands in it as another character (rclone's way, so that the two agree):
 * control bytes, DEL, '\', a '.' at a segment's end, bytes that are no UTF-8. */
int az_name_encode(struct str key, struct buf *ret) MUST_CHECK;
int az_name_decode(struct str name, struct buf *ret) MUST_CHECK;
/* Names of metadata are identifiers there: "a-b" is a__2db. -EINVAL when it cannot be one. */
int az_meta_name_encode(const char *name, struct buf *ret) MUST_CHECK;
int az_meta_name_decode(struct str name, struct buf *ret) MUST_CHECK; /* lower case */

/* blob_versioning.c: slots */

int az_versioning_get(struct store *store, const char *container, bool *ret_is_on, struct error *err);
int az_versioning_set(struct store *store, const char *container, bool is_on, struct error *err);

/* blob_error.c */

int az_classify(void *arg, const struct http_response *response, struct error *err);
enum error_kind az_error_kind(const char *code); /* ERR_NONE when the code is not known */
static inline bool az_error_is(const struct error *err, const char *code)
{
	return !strcmp(err->service_code, code);
}
/* The error of one key in the answer to a batch. */
int az_error_of_key(const char *container, const char *key, const char *code, int status,
		    struct error *err);

/* blob_meta.c: headers of blobs */

int az_version_set(struct str etag, char ret[STORE_VERSION_MAX], struct error *err) MUST_CHECK;
int az_call_meta(struct az_call *c, const struct store_meta *meta, size_t count,
		 struct error *err) MUST_CHECK;
/* Everything but the size, which depends on the kind of answer, and what follows of it: is_directory. */
int az_object_from_headers(const struct http_response *response, struct arena *arena,
			   struct store_object *ret, struct error *err) MUST_CHECK;
int az_content_length(const struct http_response *response, uint64_t *ret,
		      struct error *err) MUST_CHECK;
/* Puts one pair, as the service gave it, into ret; false without memory. */
bool az_meta_read(struct str name, struct str value, struct arena *arena, struct store_meta *ret);
bool az_is_directory(const struct store_object *o); /* by its metadata and size */
/* Whether a key ends with the '/' of a directory. */
bool az_key_is_directory(const char *key);

/* dfs.c: accounts with a hierarchical namespace */

/* Asks the account when it is not known; AZ_HNS_NO when it will not tell. */
enum az_hns az_hns_ask(struct az_store *s, struct cancel *cancel);
void az_hns_learn(struct az_store *s, bool has_hns);
static inline bool az_hns_is_known(struct az_store *s)
{
	return atomic_load(&s->hns) == AZ_HNS_YES;
}
int az_directory_make(struct az_store *s, const char *container, const char *key,
		      const struct store_put_args *args, char *ret_version, struct error *err);
int az_rename(struct store *s, const char *container, const char *from_key, const char *key,
	      const char *if_source_version, char *ret_version, struct error *err);

/* blob_block.c: blocks of a blob */

struct az_block {
	const char *id; /* base64, in the arena */
	uint64_t size;
};
struct az_blocks {
	struct arena arena;
	struct az_block *list;
	size_t count, capacity;
	char version[STORE_VERSION_MAX]; /* of the blob they are committed in */
	uint64_t total;
};
#define AZ_BLOCKS_INIT ((struct az_blocks){ .arena = ARENA_INIT(32 << 20) })
void az_blocks_release(struct az_blocks *b);
enum az_block_list { AZ_BLOCKS_COMMITTED, AZ_BLOCKS_UNCOMMITTED };
int az_blocks_get(struct az_store *s, const char *container, const char *key, enum az_block_list which,
		  struct az_blocks *ret, struct error *err) MUST_CHECK;
int az_blocks_read(struct str document, enum az_block_list which, struct az_blocks *ret,
		   struct error *err) MUST_CHECK;
int az_block_put(struct az_store *s, const char *container, const char *key, const char *id,
		 const struct store_source *source, struct cancel *cancel, struct error *err) MUST_CHECK;
/* A block from a range of a blob: by the service, or, where it cannot, through here. */
int az_block_copy(struct az_store *s, const char *from_container, const char *from_key,
		  const char *if_source_version, uint64_t offset, uint64_t length,
		  const char *container, const char *key, const char *id, struct cancel *cancel,
		  struct error *err) MUST_CHECK;
/* "<Latest>ID</Latest>", "<Committed>ID</Committed>" into the document of a Put Block List. */
void az_block_list_add(struct az_call *c, const char *kind, const char *id);
void az_block_list_begin(struct az_call *c);
int az_block_list_commit(struct az_call *c, const struct store_put_args *args, char *ret_version,
			 struct error *err) MUST_CHECK;
/* An id that says which upload a block is of; all have the same length, as the service wants. */
#define AZ_BLOCK_ID_MAX 48
void az_block_id(const char *upload, unsigned number, char ret[AZ_BLOCK_ID_MAX]);
void az_upload_new(char ret[AZ_UPLOAD_ID_LEN + 1]);

/* blob_batch.c, blob_list.c: readers of what arrives */

int az_list_read(struct str document, const char *prefix, char delimiter, struct store_page *ret,
		 bool *ret_has_hns, struct error *err) MUST_CHECK;

/* The slots, by file */

int az_head(struct store *s, const char *container, const char *key, const char *version_id,
	    struct arena *arena, struct store_object *ret, struct error *err);
/* The same with the call, whose answer the caller reads on. */
int az_head_with(struct az_call *c, const char *version_id, struct cancel *cancel,
		 struct arena *arena, struct store_object *ret, struct error *err) MUST_CHECK;
void az_call_version_id(struct az_call *c, const char *version_id);
int az_get(struct store *s, const char *container, const char *key, const struct store_get_args *args,
	   struct store_sink *sink, struct arena *arena, struct store_object *ret, struct error *err);
int az_put(struct store *s, const char *container, const char *key, const struct store_source *source,
	   const struct store_put_args *args, char *ret_version, struct error *err);
int az_copy(struct store *s, const char *from_container, const char *from_key, const char *container,
	    const char *key, const struct store_copy_args *args, char *ret_version, struct error *err);
int az_set_meta(struct store *s, const char *container, const char *key, const char *if_version,
		const struct store_meta *meta, size_t count, char *ret_version, struct error *err);
int az_delete(struct store *s, const char *container, const char *key, const char *if_version,
	      const char *version_id, struct error *err);
int az_delete_many(struct store *s, const char *container, const char *const *keys, size_t count,
		   struct error *results, struct error *err);
int az_list(struct store *s, const char *container, const struct store_list_args *args,
	    struct store_page *ret, struct error *err);
int az_list_versions(struct store *s, const char *container, const struct store_list_args *args,
		     struct store_page *ret, struct error *err);
int az_upload_begin(struct store *s, const char *container, const char *key,
		    const struct store_put_args *args, char **ret_upload_id, struct error *err);
int az_upload_part(struct store *s, const char *container, const char *key, const char *upload_id,
		   unsigned number, const struct store_source *source, struct cancel *cancel,
		   struct store_part *ret, struct error *err);
int az_part_copy(struct store *s, const char *from_container, const char *from_key,
		 const char *if_source_version, uint64_t offset, uint64_t length,
		 const char *container, const char *key, const char *upload_id, unsigned number,
		 struct cancel *cancel, struct store_part *ret, struct error *err);
int az_upload_complete(struct store *s, const char *container, const char *key, const char *upload_id,
		       const struct store_part *parts, size_t count,
		       const struct store_put_args *args, char *ret_version, struct error *err);
int az_upload_abort(struct store *s, const char *container, const char *key, const char *upload_id,
		    struct error *err);
int az_upload_parts(struct store *s, const char *container, const char *key, const char *upload_id,
		    struct store_part **ret_parts, size_t *ret_count, struct error *err);
int az_append(struct store *s, const char *container, const char *key, uint64_t at,
	      const struct store_source *source, const char *if_version, char *ret_version,
	      struct error *err);
int az_bucket_list(struct store *s, struct store_bucket_page *ret, struct error *err);
int az_bucket_create(struct store *s, const char *container, struct error *err);
int az_bucket_delete(struct store *s, const char *container, struct error *err);
int az_bucket_exists(struct store *s, const char *container, struct error *err);
int az_presign(struct store *s, const char *container, const char *key, enum store_presign what,
	       uint64_t expires_s, struct buf *ret_url, struct error *err);
/* sv=...&sig=... for one blob, "" when nothing can sign. */
int az_sas(struct az_store *s, const char *container, const char *key, const char *permissions,
	   uint64_t expires_s, struct buf *ret, struct error *err) MUST_CHECK;
void az_delegation_release(struct az_delegation *d);
