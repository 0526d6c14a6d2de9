#pragma once
/*
 * Purpose: POSIX attributes <-> object metadata, and the short text in which they are remembered.
 *
 * Written as s3fs writes them: mode (decimal, with the type bits), uid, gid, mtime ("seconds.nanoseconds"), xattr (percent-encoded
 * JSON of name -> base64). Read besides: rclone's mtime (the same form) and octal mode, geesefs' and gcsfuse's symlink targets
 * (--symlink-target, gcsfuse_symlink_target) and gcsfuse_mtime (RFC 3339), and Google's goog-reserved-file-mtime (seconds) and -is-symlink.
 * A symlink is an object whose mode says S_IFLNK and whose content is the target (s3fs).
 * Ownership: struct attrs owns its xattrs and link target. Threads: pure, except attrs_to_node and attrs_of_node (fs.lock).
 */
#include "fs/tree.h"

struct attrs {
	uint32_t mode, uid, gid; /* mode 0: not told */
	int64_t mtime_ns;	 /* 0: not told */
	struct xattrs *xattrs;
	char *link_target;
	bool has_owner;
};
#define ATTRS_INIT ((struct attrs){0})
void attrs_release(struct attrs *a);

/* What an object's metadata tells. Nonsense in it is passed over. */
int attrs_from_meta(const struct store_meta *meta, size_t count, struct attrs *ret) MUST_CHECK;
/* Metadata for an upload; strings in the arena. */
int attrs_to_meta(const struct attrs *a, struct arena *arena, struct store_meta **ret, size_t *ret_count) MUST_CHECK;

int attrs_of_node(const struct node *n, struct attrs *ret) MUST_CHECK; /* a copy */
/* Gives the node what a tells; fields not told keep the node's. Takes over xattrs and link_target. */
void attrs_to_node(struct attrs *a, struct node *n);

/* As JSON text, for the journal. Binary values are base64. */
int attrs_to_json(const struct attrs *a, struct json_object *into) MUST_CHECK;
int attrs_from_json(struct json_object *o, struct attrs *ret) MUST_CHECK;

struct xattrs *xattrs_copy(const struct xattrs *x); /* NULL for NULL or without memory */
const struct xattr *xattrs_find(const struct xattrs *x, const char *name);
/* A changed copy; value NULL removes. NULL in ret for an empty set. */
int xattrs_with(const struct xattrs *x, const char *name, const void *value, size_t len, struct xattrs **ret) MUST_CHECK;
