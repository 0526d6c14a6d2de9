#pragma once
/*
 * Purpose: the tree of names the mount shows: what was listed or looked up, what is known not to exist, and what was
 *	changed here and is not yet in the cloud. Inode table and directory cache are this one structure.
 *
 * Three identifiers of a file, and which can be found from which:
 *	inode number	given out once per node and never reused while the node lives; tree_by_ino finds the node
 *	path		the parents and names of a node; what the user sees now. tree_path_key turns it into the
 *			key that the object has (or will have, once pending changes are in the cloud)
 *	remote key	where the bytes are in the cloud right now: the path's key, unless a rename or copy is still
 *			pending; then the nearest node upwards that has `remote_key` says where
 *
 * Invariants:
 *  - A node's parent outlives it. A detached node (unlinked while in use) has no parent.
 *  - A node is freed by tree_prune when nothing holds it: nlookup (the kernel's count), pins (open files, pending
 *    operations, running requests), children, and the directory cache (an unexpired listing of its parent).
 *  - `changed` is the value of tree.changes at the node's last local change. A listing that began earlier than that
 *    knows nothing about it: the local state wins (see listing.c).
 * Ownership: the tree owns nodes; node pointers are good while the fs lock is held or the node is pinned.
 * Threads: everything here is guarded by fs.lock. Pure memory; nothing blocks.
 */
#include "backends/base/buf.h"
#include "backends/store/store.h"

struct file;
struct pending;
struct listing;

enum node_type {
	NODE_ROOT,     /* its children are stores */
	NODE_STORE,    /* buckets */
	NODE_BUCKET,
	NODE_DIR,
	NODE_CONT,     /* a piece of a segment too long for one name (naming.h) */
	NODE_FILE,
	NODE_SYMLINK,
	NODE_ABSENT,   /* known not to exist: a negative entry, or a tombstone of something deleted here */
};

enum node_expect {
	EXPECT_ANY,	/* nothing is known of the object at the path's key: upload without a condition */
	EXPECT_ABSENT,	/* there should be none */
	EXPECT_VERSION, /* it should be node.version */
};

/* User-visible attributes beyond the fixed ones; shared, immutable once made. */
struct xattr {
	char *name;
	char *value;
	size_t len;
};
struct xattrs {
	struct xattr *items;
	size_t count;
};

struct node {
	uint64_t ino;
	uint64_t nlookup;
	struct node *parent;
	struct node *first_child, *last_child; /* in order of arrival */
	struct node *next, *prev;	       /* siblings */
	struct node *ino_next, *name_next;     /* hash chains */
	char *name;
	uint32_t pins;
	uint8_t type;	      /* enum node_type */
	uint8_t expect;	      /* enum node_expect */
	bool is_detached : 1;
	bool has_attrs : 1;   /* mode, owner, times, xattrs are the object's own, not defaults */
	bool is_complete : 1; /* directories: every child is known */
	bool has_marker : 1;  /* directories: an object "d/" exists (or is pending) */
	bool has_folder_marker : 1; /* directories: "d_$folder$" exists */
	bool has_file_marker : 1;   /* directories: an empty object "d" exists */
	bool is_shadowed : 1; /* files: shown under the escape for "also a directory" */
	bool is_readonly : 1; /* buckets: a write was refused (403) a while ago */
	bool has_own_meta : 1; /* the object of `version` carries no metadata but ours: we made it */
	bool is_copied : 1;   /* version is not known: the object is a copy, made here, of the bytes the node had */
	bool is_at_home : 1;  /* rename_tree.c, during a switch */
	bool is_unsized : 1;	 /* files: size is not known yet, a look-up of the name asks for it */
	bool is_pinned_path : 1; /* an ancestor of the mount's root */
	uint32_t mode;	      /* with the type bits */
	uint32_t uid, gid;
	uint32_t lookups;     /* directories: single look-ups that went to the network since the last listing */
	uint32_t pending_count; /* operations of this node that the cloud has not seen yet */
	uint64_t size;
	int64_t mtime_ns, ctime_ns;
	uint64_t expires_ms;  /* until when (monotonic) a remote answer about this name is believed */
	uint64_t listed_until_ms; /* directories: until when the listing is believed, when is_complete */
	uint64_t changed;
	uint64_t listing_mark; /* the listing that saw it last */
	uint64_t marker_mark;  /* directories: the listing that saw an empty object of that name */
	union {
		uint64_t readonly_until_ms;    /* NODE_BUCKET */
		uint64_t unreachable_until_ms; /* NODE_STORE: what is known stays known until then; lookup.c */
	};
	char *version;	      /* of the object the attributes belong to; NULL: none in the cloud */
	char *remote_key;     /* see above; for directories it ends with '/' */
	char *remote_bucket;  /* with remote_key */
	uint64_t remote_seq;  /* with remote_key: changes queued earlier do not concern what is there (a directory renamed away
			       * left its name to another, which was renamed too) */
	uint64_t moved;	      /* tree.changes when its bytes came to lie elsewhere in the cloud */
	char *storage_class;
	char *opened_version; /* the version whose pages the kernel may hold */
	struct xattrs *xattrs; /* owned; NULL: none */
	char *link_target;    /* symlinks, when known */
	struct file *file;    /* its cache file; NULL: nothing cached */
	struct pending *put;  /* the upload of its local content that waits or runs; NULL: clean */
	struct pending *meta; /* likewise a change of attributes only */
	struct listing *listing; /* directories: the listing that runs */
	uint64_t last_read_ino;	 /* directories: the small file read last; siblings.h */
	uint32_t reads_in_order; /* directories: how many of them came in order */
	struct store *store;  /* NODE_STORE only */
};

struct tree {
	struct node **by_ino, **by_name; /* tables of 1 << bits chains */
	unsigned bits;
	size_t count;
	struct node *root;	/* above all stores */
	struct node *mount_root; /* what the kernel knows as inode 1 */
	uint64_t changes;
	uint64_t next_salt;
	void (*drop_file)(struct node *n, void *arg); /* releases node.file of a node about to be freed */
	void *drop_arg;
};

int tree_init(struct tree *t, struct error *err) MUST_CHECK;
void tree_release(struct tree *t);

static inline bool node_is_dir(const struct node *n)
{
	return n->type <= NODE_CONT;
}
static inline bool node_exists(const struct node *n)
{
	return n && n->type != NODE_ABSENT;
}

/* NULL when there is none. Inode 1 is the mount's root. */
struct node *tree_by_ino(struct tree *t, uint64_t ino);
struct node *tree_child(struct tree *t, struct node *parent, const char *name);
/* A new child (the caller checked that there is none of that name); NULL without memory. */
struct node *tree_add(struct tree *t, struct node *parent, const char *name, enum node_type type);
/* Moves to another parent or name; a node there must have been detached before. 0 or -ENOMEM. */
int tree_move(struct tree *t, struct node *n, struct node *parent, const char *name) MUST_CHECK;
/* Takes a node out of its directory; it lives on while something holds it (see tree_prune). Children that nothing but its listing
 * held are freed. */
void tree_detach(struct tree *t, struct node *n);
void tree_pin(struct node *n);
void tree_unpin(struct tree *t, struct node *n); /* and prunes */
/* Frees the node, and then its parents, as far as nothing holds them. keep_cached: entries of a directory whose listing
 * is complete stay. */
void tree_prune(struct tree *t, struct node *n);
/* Takes away k of the kernel's look-ups. */
void tree_forget(struct tree *t, struct node *n, uint64_t k);
/* Notes a local change of the node. */
void tree_changed(struct tree *t, struct node *n);
/* Makes this child name absent (a tombstone): an existing node there is detached first. NULL without memory. */
struct node *tree_set_absent(struct tree *t, struct node *parent, const char *name);
/* How many children exist (ABSENT ones don't). */
bool tree_has_children(const struct node *dir);

/* Where a node lies. */
struct location {
	struct store *store;
	char *bucket; /* NULL for the root and stores */
	char *key;    /* "" for the bucket itself; directories end with '/' */
};
#define LOCATION_INIT ((struct location){0})
void location_release(struct location *l);
/* By the path; and where its bytes are now. 0 or -ENOMEM, -EINVAL for a name that cannot be a key,
 * -ENAMETOOLONG for a key over STORE_KEY_MAX. A detached node has none: -ESTALE. Each key has one path only: names
 * that stand for something that is written otherwise are -EINVAL. */
int tree_path_key(const struct node *n, struct location *ret) MUST_CHECK;
int tree_remote_key(const struct node *n, struct location *ret) MUST_CHECK;
/* Says that the bytes are at `where`; changes of names queued from seq on move them. 0 or -ENOMEM (then nothing changed). */
int tree_set_remote(struct node *n, const struct location *where, uint64_t seq) MUST_CHECK;
void tree_clear_remote(struct node *n); /* the bytes are at the path's key */
/* The remote_seq of the node that begins this one's remote key; 0: none does. */
uint64_t tree_remote_seq(const struct node *n);
/* Whether the bytes of n, or of what is below it, came to lie elsewhere after tree.changes was `began`. */
bool tree_moved_since(const struct node *n, uint64_t began);
/* Of a child that may not exist. type tells whether the key ends with '/'. */
int tree_child_key(const struct node *parent, const char *name, bool is_dir, struct location *ret) MUST_CHECK;
int tree_child_remote_key(const struct node *parent, const char *name, bool is_dir, struct location *ret) MUST_CHECK;
/* Of a piece of a segment that goes on below it (NODE_CONT): what all keys below begin with. -EINVAL for any other name. */
int tree_continued_remote_key(const struct node *parent, const char *name, struct location *ret) MUST_CHECK;
/* The path below the mount's root, "/a/b", for messages and status; heap string or NULL. */
char *tree_path(const struct tree *t, const struct node *n);
struct node *tree_bucket_of(struct node *n); /* the bucket node above (or itself), NULL */
bool tree_is_below(const struct node *n, const struct node *ancestor); /* or the same */

void xattrs_free(struct xattrs *x);
