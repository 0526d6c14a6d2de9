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
#include "fs/pool.h"
#include <assert.h>

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

/* What few nodes have; made when the first of it is set, freed when nothing is left. */
struct rare {
	struct pending *meta;	 /* the change of attributes only that waits or runs */
	uint64_t pending_count;	 /* operations of this node that the cloud has not seen yet */
	char *remote_key;	 /* see above; for directories it ends with '/' */
	char *remote_bucket;	 /* with remote_key */
	uint64_t remote_seq;	 /* with remote_key: changes queued earlier do not concern what is there (a directory renamed away
				  * left its name to another, which was renamed too) */
	uint64_t moved;		 /* tree.changes when its bytes came to lie elsewhere in the cloud */
	char *opened_version;	 /* the version whose pages the kernel may hold */
	struct xattrs *xattrs;	 /* owned; NULL: none */
	char *link_target;	 /* symlinks, when known */
	int64_t ctime_after_mtime_ns; /* 0: they are the same */
};

/* What only directories have (node_is_dir); it lies behind their node. */
struct dir {
	struct node *first_child, *last_child; /* in order of arrival; node_next */
	struct listing *listing;  /* the one that runs */
	struct store *store;	  /* NODE_STORE only */
	uint64_t listed_until_ms; /* until when the listing is believed, when is_complete */
	uint64_t marker_mark;	  /* the listing that saw an empty object of that name */
	uint64_t last_read_ino;	  /* the small file read last; siblings.h */
	uint32_t reads_in_order;  /* how many of them came in order */
	uint32_t lookups;	  /* single look-ups that went to the network since the last listing */
	struct node *listed_before, *listed_later; /* among those that were listed to their end, by when */
	bool is_listed;		  /* it is among them */
	uint32_t handles;	  /* how often it is open */
	union {
		uint64_t readonly_until_ms;    /* NODE_BUCKET */
		uint64_t unreachable_until_ms; /* NODE_STORE: what is known stays known until then; lookup.c */
	};
};

#define NODE_FOREVER_MS ((UINT64_C(1) << 48) - 1)

/* There may be a million of them: what it takes is counted in bytes (and by a test). Times in ms and numbers of changes have 48 bits,
 * which last for thousands of years. */
struct node {
	uint64_t ino;
	struct node *parent;
	char *name;	      /* mostly in the node's own piece of memory */
	struct rare *rare;    /* rare_of, rare_make */
	struct file *file;    /* its cache file; NULL: nothing cached */
	struct pending *put;  /* the upload of its local content that waits or runs; NULL: clean */
	uint64_t size;
	int64_t mtime_ns;
	union {
		unsigned char bytes[16];
		char *text;
	} version;	      /* node_version.h */
	uint32_t next, prev;  /* siblings, as numbers of the pool */
	uint32_t ino_next, name_next; /* hash chains, likewise */
	uint32_t uid, gid;
	uint64_t expires_ms : 48; /* until when (monotonic) a remote answer about this name is believed */
	uint32_t mode : 16;	  /* with the type bits */
	uint64_t changed : 48;
	uint16_t version_detail : 14; /* node_version.h */
	bool is_detached : 1;
	bool has_attrs : 1;   /* mode, owner, times, xattrs are the object's own, not defaults */
	uint64_t listing_mark : 48; /* the listing that saw it last */
	uint8_t type : 4;     /* enum node_type */
	uint8_t expect : 2;   /* enum node_expect */
	uint8_t version_kind : 2; /* node_version.h */
	uint8_t storage_class : 4; /* tree_storage_class */
	bool is_complete : 1; /* directories: every child is known */
	bool has_marker : 1;  /* directories: an object "d/" exists (or is pending) */
	bool has_folder_marker : 1; /* directories: "d_$folder$" exists */
	bool has_file_marker : 1;   /* directories: an empty object "d" exists */
	uint32_t nlookup;     /* the kernel's count; at its most it stays there */
	uint32_t pins : 23;
	bool is_shadowed : 1; /* files: shown under the escape for "also a directory" */
	bool is_readonly : 1; /* buckets: a write was refused (403) a while ago */
	bool has_own_meta : 1; /* the object of `version` carries no metadata but ours: we made it */
	bool is_copied : 1;   /* version is not known: the object is a copy, made here, of the bytes the node had */
	bool is_at_home : 1;  /* rename_tree.c, during a switch */
	bool is_unsized : 1;  /* files: size is not known yet, a look-up of the name asks for it */
	bool is_pinned_path : 1; /* an ancestor of the mount's root */
};

#define TREE_CLASSES 16u

struct tree {
	struct pool pool;	      /* of nodes */
	uint32_t *by_ino, *by_name;   /* tables of 1 << bits chains of numbers of the pool */
	unsigned bits;
	char *classes[TREE_CLASSES];  /* the names of storage classes; 0 has none */
	size_t count;
	struct node *oldest_listed, *newest_listed; /* directories */
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

extern const struct rare rare_none;
extern const struct dir dir_none;

/* For reading: all zero where there is nothing. */
static inline const struct rare *rare_of(const struct node *n)
{
	return n->rare ? n->rare : &rare_none;
}
static inline const struct dir *dir_of(const struct node *n)
{
	return node_is_dir(n) ? (const struct dir *)(n + 1) : &dir_none;
}
/* For writing: of a directory; made where there was none, NULL without memory. */
static inline struct dir *node_dir(struct node *n)
{
	assert(node_is_dir(n));
	return (struct dir *)(n + 1);
}
struct rare *rare_make(struct node *n);
void rare_tidy(struct node *n); /* frees it when nothing is left in it */

/* Children of a directory, in order of arrival. */
static inline struct node *node_next(const struct node *n)
{
	return pool_piece(pool_of(n), n->next);
}
static inline struct node *node_prev(const struct node *n)
{
	return pool_piece(pool_of(n), n->prev);
}

int64_t node_ctime_ns(const struct node *n);
void node_set_times(struct node *n, int64_t wall_ns); /* both */
void node_set_ctime(struct node *n, int64_t wall_ns); /* without memory it stays what mtime is */

/* The class's number for node.storage_class: 0 for NULL, the usual one, or when there are too many. */
uint8_t tree_storage_class(struct tree *t, const char *name);

/* NULL when there is none. Inode 1 is the mount's root. */
struct node *tree_by_ino(struct tree *t, uint64_t ino);
struct node *tree_child(struct tree *t, struct node *parent, const char *name);
/* A new child (the caller checked that there is none of that name); NULL without memory, or in what is no directory. */
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
/* A directory was listed to its end just now; and what that told is not kept any more. */
void tree_listed(struct tree *t, struct node *dir);
void tree_unlisted(struct tree *t, struct node *dir);
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
/* Its bytes came to lie elsewhere, now. Without memory that is said of a directory above. */
void tree_note_moved(struct tree *t, struct node *n);
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
