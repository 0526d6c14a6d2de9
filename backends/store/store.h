#pragma once
/*
 * Purpose: the object-store interface: one vtable that every provider fills and the file system uses.
 *
 * Invariants:
 *  - Calls are synchronous and thread-safe; many run at once. They block on the network, so the mount calls them on
 *    worker threads only. They do not retry: the HTTP exchange below has done so.
 *  - Data moves between the wire and a file (fd, offset, length) or memory that the caller names.
 *  - A `version` is an opaque text that changes with every change of the object (S3: the ETag with its quotes
 *    stripped; GCS: the generation; Azure: the ETag), "" when not known. At most STORE_VERSION_MAX-1 bytes.
 *  - Keys are bytes without NUL, at most 1024; they need not be UTF-8 nor fit a path.
 *  - Slots that are NULL are not supported; the store_* functions then say so in one wording (ERR_UNSUPPORTED).
 *    The optional native powers are also told by caps, because some servers have the slot but not the power.
 * Ownership: results live in the caller's arena or struct; a store is freed by store_free, layers with what they wrap.
 * Errors a caller should tell apart: NOT_FOUND, PRECONDITION, EXISTS, NOT_EMPTY, PERMISSION, UNAUTHENTICATED, RANGE,
 *	CORRUPT, UNSUPPORTED, THROTTLED, UNAVAILABLE, TIMEOUT, CANCELLED, QUOTA, TOO_LARGE.
 */
#include "backends/base/arena.h"
#include "backends/base/cancel.h"
#include "backends/base/hash.h"
#include "backends/base/json.h"

#define STORE_VERSION_MAX 96
#define STORE_KEY_MAX	  1024
#define STORE_DELETE_MAX  1000

enum store_caps {
	STORE_CAP_CONDITIONAL_PUT = 1 << 0, /* put/complete honour if_version and if_absent */
	STORE_CAP_CONDITIONAL_DELETE = 1 << 1,
	STORE_CAP_COPY = 1 << 2,	    /* server-side copy of whole objects */
	STORE_CAP_PART_COPY = 1 << 3,	    /* a multipart part from a range of an object */
	STORE_CAP_APPEND = 1 << 4,
	STORE_CAP_COMPOSE = 1 << 5,
	STORE_CAP_RENAME = 1 << 6,	    /* atomic rename of one object */
	STORE_CAP_RENAME_DIR = 1 << 7,	    /* rename of a whole prefix at once, in buckets that have directories */
	STORE_CAP_KEEPS_BLOCKS = 1 << 8,    /* complete may name committed blocks of the object (Azure) */
	STORE_CAP_LIST_METADATA = 1 << 9,   /* listings carry metadata */
	STORE_CAP_DELETE_MANY = 1 << 10,    /* a real batch, not a loop */
	STORE_CAP_VERSIONING = 1 << 11,
	STORE_CAP_PRESIGN = 1 << 12,
	STORE_CAP_BUCKETS = 1 << 13,	    /* buckets can be listed and made */
	STORE_CAP_FLAT = 1 << 14,	    /* `a` and `a/b` may both exist */
	STORE_CAP_PART_WHOLE = 1 << 15,	    /* the first part may be the object that is replaced, whole; no range of it */
	STORE_CAP_READ_ONLY = 1 << 16,	    /* nothing can be changed: who asks is told at once */
	STORE_CAP_LATE_PARTS = 1 << 17,	    /* a part that was cut short may arrive behind its upload's end and bring it back to life: it
					     * is aborted once more then, which does no harm to what was completed */
};

struct store_limits {
	uint64_t max_object_bytes;
	uint64_t max_put_bytes;		/* one put; beyond: multipart */
	uint64_t max_copy_bytes;	/* one copy; beyond: part copies */
	uint64_t min_part_bytes;	/* all parts but the last */
	uint64_t max_part_bytes;
	unsigned max_parts;
	unsigned max_list_keys;		/* of one page */
	unsigned max_metadata_bytes;	/* names and values together; 0: no metadata */
};

/* User metadata: lower-case names without the provider's prefix ("mtime", not "x-amz-meta-mtime"). Values are any
 * printable ASCII; providers encode others reversibly or refuse with ERR_INVALID. */
struct store_meta {
	const char *name, *value;
};

struct store_object {
	const char *key;	   /* whole key; NULL where the caller named it */
	uint64_t size;
	int64_t modified_wall_ns;  /* the server's Last-Modified; 0 unknown */
	char version[STORE_VERSION_MAX];
	const char *version_id;	   /* of a versioned bucket, or NULL */
	const char *storage_class; /* or NULL */
	const char *content_type;  /* or NULL */
	const struct store_meta *meta;
	size_t meta_count;
	bool has_meta;		   /* meta was told (perhaps none); listings often do not tell */
	bool is_prefix;		   /* a common prefix: key ends with the delimiter; nothing else but is_directory is set */
	bool is_directory;	   /* a directory of a store that has them, or its marker, though the key does not say so */
	bool is_latest, is_delete_marker; /* in version listings */
	bool is_unsized;	   /* in listings: the size is not known, a head tells; size is then not 0 */
};
const char *store_object_meta(const struct store_object *o, const char *name); /* NULL when absent */

struct store_list_args {
	const char *prefix;	 /* "" for all */
	char delimiter;		 /* 0 for none, else '/' */
	const char *token;	 /* continuation from the last page, NULL at first */
	const char *start_after; /* only keys after this one; NULL for all; ignored with a token */
	unsigned max_keys;	 /* 0: as many as a page holds */
	struct cancel *cancel;
};
/* Objects and prefixes merged in ascending byte order of key. */
struct store_page {
	struct arena arena;
	struct store_object *objects;
	size_t count;
	const char *next_token;	 /* NULL: the end */
};
#define STORE_PAGE_INIT ((struct store_page){ .arena = ARENA_INIT(64 << 20) })
void store_page_release(struct store_page *p);

struct store_bucket {
	const char *name;
	int64_t created_wall_ns;
};
struct store_bucket_page {
	struct arena arena;
	struct store_bucket *buckets;
	size_t count;
};
#define STORE_BUCKET_PAGE_INIT ((struct store_bucket_page){ .arena = ARENA_INIT(16 << 20) })
void store_bucket_page_release(struct store_bucket_page *p);

/* Where a get puts its bytes. Exactly one of fd and buf. */
struct store_sink {
	int fd;			/* -1: none; written by pwrite at fd_offset + position */
	uint64_t fd_offset;
	struct buf *buf;
	/* Called when bytes [position, position+len) of the range are in place, on a thread that must not block. After a
	 * retry positions may begin again at 0: the same bytes, of the same version. May be NULL. */
	void (*on_data)(void *arg, uint64_t position, size_t len);
	/* Called once before the first byte with what the answer's head tells (size = whole object's). A negative
	 * return stops the get with that value. Must not block. May be NULL. */
	int (*on_head)(void *arg, const struct store_object *object, struct error *err);
	void *arg;
};
#define STORE_SINK_INIT ((struct store_sink){ .fd = -1 })

struct store_get_args {
	uint64_t offset, length;  /* length 0: to the end */
	const char *if_version;	  /* NULL or "": any; else PRECONDITION when it changed */
	const char *version_id;
	struct cancel *cancel;
	uint64_t deadline_mono_ms; /* 0: none */
};

/* What a put sends: memory or a range of a file. */
struct store_source {
	int fd; /* -1: mem */
	uint64_t offset, length;
	struct str mem;
	_Atomic uint64_t *progress; /* may be NULL: bytes sent */
	bool has_crc32c;	    /* the caller knows it already; a service that compares it then refuses others */
	uint32_t crc32c;
};
#define STORE_SOURCE_INIT ((struct store_source){ .fd = -1 })
static inline uint64_t store_source_length(const struct store_source *s)
{
	return s->fd >= 0 ? s->length : s->mem.len;
}

struct store_put_args {
	const char *if_version; /* the object must still be this version; NULL: any */
	bool if_absent;		/* the object must not exist */
	const struct store_meta *meta;
	size_t meta_count;
	const char *content_type; /* NULL: by the key's suffix, else application/octet-stream */
	struct cancel *cancel;
	uint64_t deadline_mono_ms;
	bool *ret_was_repeated; /* upload_begin, NULL: nobody asks. Set when the request went more than once: there may be, or may
				 * come yet, an upload of which nobody knows */
};

struct store_part {
	unsigned number;	/* from 1, ascending */
	char tag[STORE_VERSION_MAX]; /* what upload_part or part_copy returned */
	char checksum[64];	/* the provider's checksum of that part as text, or "" */
	uint64_t size;
	bool was_repeated;	/* sent more than once: an earlier sending may arrive yet */
};

struct store_copy_args {
	const char *if_source_version; /* NULL: any */
	const char *if_version;	       /* of the destination */
	bool if_absent;
	bool replaces_meta;	       /* meta below instead of the source's */
	const struct store_meta *meta;
	size_t meta_count;
	const char *content_type;
	uint64_t source_size;	       /* when known; decides between copy and part copies; 0: not known */
	struct cancel *cancel;
	uint64_t deadline_mono_ms;
};

struct store_upload { /* of an unfinished multipart upload, in listings */
	const char *key, *upload_id;
	int64_t started_wall_ns;
};
struct store_upload_page {
	struct arena arena;
	struct store_upload *uploads;
	size_t count;
};
#define STORE_UPLOAD_PAGE_INIT ((struct store_upload_page){ .arena = ARENA_INIT(16 << 20) })
void store_upload_page_release(struct store_upload_page *p);

enum store_presign { STORE_PRESIGN_GET, STORE_PRESIGN_PUT };

struct store;
struct store_ops {
	const char *type; /* "s3", "local", ... */

	/* One page. A bucket that is not there is NOT_FOUND; an empty one is an empty page. */
	int (*list)(struct store *s, const char *bucket, const struct store_list_args *args,
		    struct store_page *ret, struct error *err);
	/* Strings of ret live in arena. */
	int (*head)(struct store *s, const char *bucket, const char *key, const char *version_id,
		    struct arena *arena, struct store_object *ret, struct error *err);
	/* A range beyond the end is RANGE; a short answer is never returned as success. ret may be NULL. The bytes are
	 * checked against the server's full checksum where it gives one for what was asked: CORRUPT. */
	int (*get)(struct store *s, const char *bucket, const char *key, const struct store_get_args *args,
		   struct store_sink *sink, struct arena *arena, struct store_object *ret, struct error *err);
	/* Atomic: readers see the old object or the new one. ret_version has STORE_VERSION_MAX bytes. */
	int (*put)(struct store *s, const char *bucket, const char *key, const struct store_source *source,
		   const struct store_put_args *args, char *ret_version, struct error *err);
	/* Deleting what is not there is success. if_version NULL: any. */
	int (*delete)(struct store *s, const char *bucket, const char *key, const char *if_version,
		      const char *version_id, struct error *err);
	/* At most STORE_DELETE_MAX. results[i] gets kind ERR_NONE or the reason; the return value tells only whether the
	 * batch as a whole was answered. */
	int (*delete_many)(struct store *s, const char *bucket, const char *const *keys, size_t count,
			   struct error *results, struct error *err);
	/* Within one store; across its buckets. Keeps metadata unless told otherwise. */
	int (*copy)(struct store *s, const char *from_bucket, const char *from_key, const char *bucket,
		    const char *key, const struct store_copy_args *args, char *ret_version, struct error *err);
	/* Replaces the metadata of an object, moving no byte over the wire. */
	int (*set_meta)(struct store *s, const char *bucket, const char *key, const char *if_version,
			const struct store_meta *meta, size_t count, char *ret_version, struct error *err);

	int (*upload_begin)(struct store *s, const char *bucket, const char *key,
			    const struct store_put_args *args, char **ret_upload_id, struct error *err);
	int (*upload_part)(struct store *s, const char *bucket, const char *key, const char *upload_id,
			   unsigned number, const struct store_source *source, struct cancel *cancel,
			   struct store_part *ret, struct error *err);
	/* Where only STORE_CAP_PART_WHOLE is there, anything but all of this very object as part 1 is INVALID. */
	int (*part_copy)(struct store *s, const char *from_bucket, const char *from_key,
			 const char *if_source_version, uint64_t offset, uint64_t length, const char *bucket,
			 const char *key, const char *upload_id, unsigned number, struct cancel *cancel,
			 struct store_part *ret, struct error *err);
	int (*upload_complete)(struct store *s, const char *bucket, const char *key, const char *upload_id,
			       const struct store_part *parts, size_t count, const struct store_put_args *args,
			       char *ret_version, struct error *err);
	int (*upload_abort)(struct store *s, const char *bucket, const char *key, const char *upload_id,
			    struct error *err);
	/* The parts a server already holds; *ret_parts is the caller's to free(). */
	int (*upload_parts)(struct store *s, const char *bucket, const char *key, const char *upload_id,
			    struct store_part **ret_parts, size_t *ret_count, struct error *err);
	int (*upload_list)(struct store *s, const char *bucket, const char *prefix,
			   struct store_upload_page *ret, struct error *err);

	int (*bucket_list)(struct store *s, struct store_bucket_page *ret, struct error *err); /* all pages */
	int (*bucket_create)(struct store *s, const char *bucket, struct error *err); /* EXISTS when it is there */
	int (*bucket_delete)(struct store *s, const char *bucket, struct error *err); /* NOT_EMPTY */
	int (*bucket_exists)(struct store *s, const char *bucket, struct error *err); /* 0, or NOT_FOUND, PERMISSION */

	int (*versioning_get)(struct store *s, const char *bucket, bool *ret_is_on, struct error *err);
	int (*versioning_set)(struct store *s, const char *bucket, bool is_on, struct error *err);
	/* Like list, over all versions (delete markers too). */
	int (*list_versions)(struct store *s, const char *bucket, const struct store_list_args *args,
			     struct store_page *ret, struct error *err);
	int (*policy_get)(struct store *s, const char *bucket, struct buf *ret_json, struct error *err);
	int (*policy_set)(struct store *s, const char *bucket, struct str json, struct error *err); /* empty: delete it */
	int (*presign)(struct store *s, const char *bucket, const char *key, enum store_presign what,
		       uint64_t expires_s, struct buf *ret_url, struct error *err);

	/* Optional native powers; see caps. */
	int (*append)(struct store *s, const char *bucket, const char *key, uint64_t at,
		      const struct store_source *source, const char *if_version, char *ret_version,
		      struct error *err);
	int (*compose)(struct store *s, const char *bucket, const char *const *keys, size_t count, const char *key,
		       const struct store_put_args *args, char *ret_version, struct error *err);
	/* With STORE_CAP_RENAME_DIR both keys may end with '/': all below the first goes below the second, where nothing
	 * may be, at once; ret_version is "". UNSUPPORTED where this bucket has no directories: then nothing was done. */
	int (*rename)(struct store *s, const char *bucket, const char *from_key, const char *key,
		      const char *if_source_version, char *ret_version, struct error *err);

	/* One line about the connection for `status` and `doctor`: endpoint, region, how it is signed; no secrets. */
	int (*describe)(struct store *s, struct buf *ret, struct error *err);
	void (*free)(struct store *s); /* frees s itself */
};

struct store {
	const struct store_ops *ops;
	struct store *next;	/* what a layer wraps, or NULL */
	char *name;		/* the store's name in the tree; freed by store_free */
	unsigned caps;		/* enum store_caps */
	struct store_limits limits;
	/* Whether it may be written to just now, as its user set it (a budget): 0, or ERR_BUDGET. Memory only, any lock of
	 * another room may be held. NULL: it may. Set before the store is used. */
	int (*may_change)(const struct store *s, struct error *err);
};

/* The checked public functions: arguments are checked (bucket and key not empty, no NUL, lengths), layers without a slot
 * are transparent, a missing slot is ERR_UNSUPPORTED "NAME cannot ...". err may be NULL. */
int store_list(struct store *s, const char *bucket, const struct store_list_args *args, struct store_page *ret, struct error *err);
int store_head(struct store *s, const char *bucket, const char *key, const char *version_id, struct arena *arena, struct store_object *ret, struct error *err);
int store_get(struct store *s, const char *bucket, const char *key, const struct store_get_args *args, struct store_sink *sink, struct arena *arena, struct store_object *ret, struct error *err);
int store_put(struct store *s, const char *bucket, const char *key, const struct store_source *source, const struct store_put_args *args, char *ret_version, struct error *err);
int store_delete(struct store *s, const char *bucket, const char *key, const char *if_version, const char *version_id, struct error *err);
/* Loops over delete where there is no batch. */
int store_delete_many(struct store *s, const char *bucket, const char *const *keys, size_t count, struct error *results, struct error *err);
/* Uses multipart part copies by itself over limits.max_copy_bytes. */
int store_copy(struct store *s, const char *from_bucket, const char *from_key, const char *bucket, const char *key, const struct store_copy_args *args, char *ret_version, struct error *err);
int store_set_meta(struct store *s, const char *bucket, const char *key, const char *if_version, const struct store_meta *meta, size_t count, char *ret_version, struct error *err);
int store_upload_begin(struct store *s, const char *bucket, const char *key, const struct store_put_args *args, char **ret_upload_id, struct error *err);
int store_upload_part(struct store *s, const char *bucket, const char *key, const char *upload_id, unsigned number, const struct store_source *source, struct cancel *cancel, struct store_part *ret, struct error *err);
int store_part_copy(struct store *s, const char *from_bucket, const char *from_key, const char *if_source_version, uint64_t offset, uint64_t length, const char *bucket, const char *key, const char *upload_id, unsigned number, struct cancel *cancel, struct store_part *ret, struct error *err);
int store_upload_complete(struct store *s, const char *bucket, const char *key, const char *upload_id, const struct store_part *parts, size_t count, const struct store_put_args *args, char *ret_version, struct error *err);
int store_upload_abort(struct store *s, const char *bucket, const char *key, const char *upload_id, struct error *err);
int store_upload_parts(struct store *s, const char *bucket, const char *key, const char *upload_id, struct store_part **ret_parts, size_t *ret_count, struct error *err);
int store_upload_list(struct store *s, const char *bucket, const char *prefix, struct store_upload_page *ret, struct error *err);
int store_bucket_list(struct store *s, struct store_bucket_page *ret, struct error *err);
int store_bucket_create(struct store *s, const char *bucket, struct error *err);
int store_bucket_delete(struct store *s, const char *bucket, struct error *err);
int store_bucket_exists(struct store *s, const char *bucket, struct error *err);
int store_versioning_get(struct store *s, const char *bucket, bool *ret_is_on, struct error *err);
int store_versioning_set(struct store *s, const char *bucket, bool is_on, struct error *err);
int store_list_versions(struct store *s, const char *bucket, const struct store_list_args *args, struct store_page *ret, struct error *err);
int store_policy_get(struct store *s, const char *bucket, struct buf *ret_json, struct error *err);
int store_policy_set(struct store *s, const char *bucket, struct str json, struct error *err);
int store_presign(struct store *s, const char *bucket, const char *key, enum store_presign what, uint64_t expires_s, struct buf *ret_url, struct error *err);
/* The native powers: ERR_UNSUPPORTED where there is none, the caller then finds another way. */
int store_append(struct store *s, const char *bucket, const char *key, uint64_t at, const struct store_source *source, const char *if_version, char *ret_version, struct error *err);
int store_compose(struct store *s, const char *bucket, const char *const *keys, size_t count, const char *key, const struct store_put_args *args, char *ret_version, struct error *err);
int store_rename(struct store *s, const char *bucket, const char *from_key, const char *key, const char *if_source_version, char *ret_version, struct error *err);
int store_describe(struct store *s, struct buf *ret, struct error *err);
void store_free(struct store *s);

/* The digest of the first length bytes in a sink, of what is to be sent; its length or an error. For providers. */
int store_sink_digest(const struct store_sink *sink, uint64_t length, enum hash_kind kind,
		      unsigned char ret[32], struct error *err) MUST_CHECK;
int store_source_digest(const struct store_source *source, enum hash_kind kind, unsigned char ret[32],
			struct error *err) MUST_CHECK;
/* The content type that a key's suffix tells; "application/octet-stream" when it tells none. Static text. */
const char *store_content_type(const char *key);
/* Part size for an object of that size: the least that fits max_parts, never below `wanted` nor the limits. */
uint64_t store_part_size(const struct store_limits *limits, uint64_t object_size, uint64_t wanted);
