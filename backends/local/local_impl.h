#pragma once
/*
 * Purpose: what the files of this folder share; see local.c for the layout on disk.
 * Threads: any; what is changed after local_store_new is guarded by the locks named here.
 * Locks: the commit lock of a bucket (a mutex of this process and a flock for others) is held while names change:
 *	conditions are checked and a finished file is renamed into place, never while the bytes of objects are copied or synced.
 */
#include "backends/base/lock.h"
#include "backends/local/local.h"
#include <sys/stat.h>

#define LOCAL_STRIPES	 64 /* commit locks; buckets share them by hash */
#define LOCAL_STATE_DIR	 ".skydir"
#define LOCAL_RECORD_MAX (64 << 10) /* bytes of one object's record */
#define LOCAL_PATH_MAX	 4000 /* of a key below its bucket; 1024 bytes of key need at most 3100 */
#define LOCAL_STEP	 (1 << 20) /* bytes copied between two looks at cancel and deadline */

struct snapshots;
struct local {
	struct store store;
	char *root; /* for describe */
	int root_fd, tmp_fd, side_fd, buckets_fd;
	bool skips_fsync, uses_side_files;
	struct {
		struct lock lock;
		int fd; /* of ROOT/.skydir/lock-NN; guarded by lock */
	} commit[LOCAL_STRIPES];
	struct snapshots *snapshots;
};
static inline struct local *local_of(struct store *s)
{
	return container_of(s, struct local, store);
}

/* names.c: how the bytes of a key stand on disk; pure. */
enum name_kind {
	NAME_PLAIN,
	NAME_DISPLACED, /* ...%@: an object whose plain name is a directory */
	NAME_HISTORY,	/* ...%v: the directory of an object's old versions */
};
/* Appends the path of a key, relative to its tree, to ret. */
int name_key_path(struct str key, enum name_kind kind, struct buf *ret) MUST_CHECK;
/* Appends what one component of a key is called (with '/' inside when it is long). */
int name_component(struct str component, enum name_kind kind, struct buf *ret) MUST_CHECK;
/* The component that a (joined, see name_is_continued) file name stands for; -EINVAL when it is not the canonical
 * name of any. */
int name_decode(struct str name, struct buf *ret, enum name_kind *ret_kind) MUST_CHECK;
bool name_is_continued(struct str name); /* ...%+: a directory that holds the rest of long names */
#define NAME_PIECE 240 /* bytes of a long name in each directory before the last */

/* tree.c: files and directories below a directory, never through a symlink. */
int tree_open(int dirfd, const char *path, int flags); /* fd or -errno */
int tree_open_parent(int dirfd, const char *path, const char **ret_name);
int tree_make_dirs(int dirfd, const char *path, bool *ret_made, struct error *err);
/* The regular file of a key: fd, or -ENOENT and other -errno. */
int tree_open_object(int dirfd, const char *key, struct stat *ret_st);
/* Renames a file into the place of a key, making room where other objects are in the way. */
int tree_place(int dirfd, const char *key, int from_dirfd, const char *from_name, bool *ret_made,
	       struct error *err);
/* The directory (fd) and name of a key's file, or -ENOENT. */
int tree_locate(int dirfd, const char *key, char ret_name[264]);
/* Removes the object and the directories it leaves empty. */
int tree_remove(int dirfd, const char *key, struct error *err);
void local_tree_prune(int dirfd, const char *path);
/* fsync of the directories above path, or of the last one only. */
int tree_sync_parents(struct local *l, int dirfd, const char *path, bool is_only_last,
		      struct error *err);
int tree_delete_all(int dirfd, const char *name); /* a flat directory and its files */

/* bucket.c */
struct commit {
	struct local *local;
	unsigned stripe;
	bool is_held;
};
int commit_begin(struct local *l, const char *bucket, struct commit *ret,
		 struct error *err) MUST_CHECK;
void commit_end(struct commit *c);
int bucket_open(struct local *l, const char *bucket, struct error *err); /* fd or negative */
/* ROOT/.skydir/buckets/BUCKET/SUB (sub "" for itself), made when missing if can_make. -ENOENT else, err untouched. */
int bucket_state_open(struct local *l, const char *bucket, const char *sub, bool can_make,
		      struct error *err);
enum versioning { VERSIONING_NEVER, VERSIONING_ON, VERSIONING_SUSPENDED };
int bucket_versioning(struct local *l, const char *bucket, enum versioning *ret, struct error *err);

/* record.c: what is known of an object beside its bytes. */
enum record_flags {
	RECORD_MARKER = 1, /* a delete marker */
	RECORD_HAS_ID = 2, /* put while versioning was on: version is its version id, else "null" */
	RECORD_APPENDING = 4, /* bytes after size do not count (yet) */
};
struct record {
	char version[33];
	char id[33]; /* the version as it was written, before the file was changed by other tools */
	uint64_t ino, size;
	int64_t mtime_ns;
	uint64_t seq; /* order among the versions of a key: ns, made to rise */
	unsigned flags;
	const char *content_type;
	struct store_meta *meta;
	size_t meta_count;
};
void record_fresh_version(char ret[33]);
/* name tells side files apart: the key. Strings live in arena. */
int record_read(struct local *l, int fd, const char *name, const struct stat *st,
		struct arena *arena, struct record *ret, struct error *err) MUST_CHECK;
/* Writes it for the file as it is now (size, time, inode are filled in). */
int record_write(struct local *l, int fd, const char *name, struct record *r,
		 struct error *err) MUST_CHECK;
/* What stands for a record that does not fit the file (or is not there: zeroed). */
void record_derive(struct record *r, const struct stat *st);
void record_forget(struct local *l, const char *name,
		   ino_t ino); /* the side file, if there is one */
void record_to_object(const struct record *r, const struct stat *st, struct store_object *ret);

/* data.c: bytes. */
struct data_watch {
	struct cancel *cancel;
	uint64_t deadline_mono_ms;
	_Atomic uint64_t *progress;
	void (*on_data)(void *arg, uint64_t position, size_t len);
	void *arg;
};
int data_check(const struct data_watch *w, struct error *err);
int data_copy(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t length,
	      const struct data_watch *w, struct error *err) MUST_CHECK;
int data_from_source(const struct store_source *source, int to, uint64_t to_offset,
		     const struct data_watch *w, struct error *err) MUST_CHECK;
int data_to_sink(int from, const struct store_get_args *args, uint64_t length,
		 struct store_sink *sink, struct error *err) MUST_CHECK;
struct temp { /* a file on its way */
	struct local *local;
	int fd;
	char name[48];
};
#define TEMP_INIT ((struct temp){ .fd = -1 })
int temp_open(struct local *l, struct temp *ret, struct error *err) MUST_CHECK;
int temp_sync(struct temp *t, struct error *err) MUST_CHECK;
void temp_release(struct temp *t); /* removes the file unless it was renamed away (name "") */

/* versions.c: the history of buckets that keep versions. All under the commit lock, except history_names/open. */
struct history_entry {
	const char *name; /* of its file: SEQUENCE-ID or SEQUENCE-ID.d */
	uint64_t seq;
	char id[33]; /* version id, or "null" */
	bool is_marker;
};
struct history { /* of one key, newest first */
	struct history_entry *entries;
	size_t count;
	int dir_fd; /* -1: there is none */
};
#define HISTORY_INIT ((struct history){ .dir_fd = -1 })
void history_release(struct history *h);
int history_load(struct local *l, const char *bucket, const char *key, struct arena *arena,
		 struct history *ret, struct error *err) MUST_CHECK;
const struct history_entry *history_find(const struct history *h, const char *version_id);
/* Links the current object into the history where its bucket's state asks for that. */
int history_keep(struct local *l, const char *bucket, const char *key, int bucket_fd,
		 const struct record *current, enum versioning state, bool *ret_is_kept,
		 struct error *err);
/* Before a null version comes: the older one goes. */
int history_drop_null(struct local *l, const char *bucket, const char *key, struct error *err);
int history_add_marker(struct local *l, const char *bucket, const char *key, enum versioning state,
		       struct error *err);
/* Deletes one version, current or old; what is newest then becomes the current object. */
int history_delete(struct local *l, const char *bucket, const char *key, const char *version_id,
		   const char *if_version, struct error *err);
static inline const char *record_version_id(const struct record *r)
{
	return r->flags & RECORD_HAS_ID ? r->id : "null";
}

/* object.c */
/* What must hold for the object that is replaced. */
struct condition {
	const char *if_version;
	bool if_absent;
};
/* The steps under the commit lock of everything that makes a new object from a finished temporary file. */
int object_commit(struct local *l, const char *bucket, const char *key, struct temp *temp,
		  struct record *record, const struct condition *condition, char *ret_version,
		  struct error *err);
int object_open(struct local *l, const char *bucket, const char *key, const char *version_id,
		struct arena *arena, struct stat *ret_st, struct record *ret,
		struct error *err); /* fd */
int object_check_version(const char *if_version, const char *key, const struct record *r,
			 struct error *err);
int local_head(struct store *, const char *, const char *, const char *, struct arena *,
	       struct store_object *, struct error *);
int local_get(struct store *, const char *, const char *, const struct store_get_args *,
	      struct store_sink *, struct arena *, struct store_object *, struct error *);
int local_put(struct store *, const char *, const char *, const struct store_source *,
	      const struct store_put_args *, char *, struct error *);
int local_delete(struct store *, const char *, const char *, const char *, const char *,
		 struct error *);
int local_delete_many(struct store *, const char *, const char *const *, size_t, struct error *,
		      struct error *);

/* change.c: from objects to objects */
int local_copy(struct store *, const char *, const char *, const char *, const char *,
	       const struct store_copy_args *, char *, struct error *);
int local_set_meta(struct store *, const char *, const char *, const char *,
		   const struct store_meta *, size_t, char *, struct error *);
int local_append(struct store *, const char *, const char *, uint64_t, const struct store_source *,
		 const char *, char *, struct error *);
int local_compose(struct store *, const char *, const char *const *, size_t, const char *,
		  const struct store_put_args *, char *, struct error *);
int local_rename(struct store *, const char *, const char *, const char *, const char *, char *,
		 struct error *);

/* walk.c: the objects of a tree in the byte order of their keys. */
enum walk_tree { WALK_OBJECTS, WALK_HISTORY };
struct walk;
enum walk_item { WALK_END, WALK_OBJECT, WALK_DIR };
/* tree_fd is borrowed. Starts in the directory of start ("a/b/" or ""); only keys that are greater than after (or
 * equal, if is_inclusive) come. fresh_since_ns: a cached directory must have been read at or after this time or be
 * unchanged. */
struct walk_args {
	int tree_fd;
	enum walk_tree tree;
	const char *start, *after;
	bool is_inclusive;
	uint64_t fresh_since_ns;
};
int walk_new(struct local *l, const struct walk_args *args, struct walk **ret,
	     struct error *err) MUST_CHECK;
/* WALK_DIR: a directory, key ends in '/'; walk_enter goes into it, else it is passed over. */
int walk_next(struct walk *w, struct str *ret_key, struct error *err) MUST_CHECK;
void walk_enter(struct walk *w);
/* Opens the object last returned (WALK_OBJECT of WALK_OBJECTS): fd or -errno; ret_st is set with -EACCES too. */
int walk_open_object(struct walk *w, struct stat *ret_st);
/* Whether any object is below the directory key ("a/") that walk_args would find from there: 1, 0 or negative. */
int walk_has_object(struct local *l, const struct walk_args *args, struct str key,
		    struct error *err) MUST_CHECK;
void walk_free(struct walk *w);
void walk_freep(struct walk **w);

/* snapshot.c: directories read and sorted once. */
struct snapshot_entry {
	uint32_t offset; /* into names */
	uint16_t length; /* of the component, with '/' at its end for a directory */
	bool is_dir;
	uint8_t kind; /* enum name_kind */
};
struct snapshot {
	struct snapshot_entry *entries; /* in byte order */
	char *names;
	size_t count;
	/* private */
	size_t bytes, names_len, room, names_room;
	unsigned references; /* guarded by snapshots.lock */
	dev_t dev;
	ino_t ino;
	enum walk_tree tree;
	struct timespec mtime;
	uint64_t loaded_mono_ns;
	bool is_trusted;       /* a later change shows in mtime */
	struct snapshot *next; /* in the cache, newest first; guarded by snapshots.lock */
};
static inline struct str snapshot_name(const struct snapshot *s, size_t i)
{
	return (struct str){ s->names + s->entries[i].offset, s->entries[i].length };
}
/* dirfd is borrowed. The result is good until snapshot_unref. */
int snapshot_get(struct local *l, int dirfd, enum walk_tree tree, uint64_t fresh_since_ns,
		 struct snapshot **ret, struct error *err) MUST_CHECK;
void snapshot_unref(struct local *l, struct snapshot *s);
struct snapshots *snapshots_new(void);
void snapshots_free(struct snapshots *s);

/* list.c */
int local_list(struct store *, const char *, const struct store_list_args *, struct store_page *,
	       struct error *);
int local_list_versions(struct store *, const char *, const struct store_list_args *,
			struct store_page *, struct error *);

/* upload.c */
int local_upload_begin(struct store *, const char *, const char *, const struct store_put_args *,
		       char **, struct error *);
int local_upload_part(struct store *, const char *, const char *, const char *, unsigned,
		      const struct store_source *, struct cancel *, struct store_part *,
		      struct error *);
int local_part_copy(struct store *, const char *, const char *, const char *, uint64_t, uint64_t,
		    const char *, const char *, const char *, unsigned, struct cancel *,
		    struct store_part *, struct error *);
int local_upload_complete(struct store *, const char *, const char *, const char *,
			  const struct store_part *, size_t, const struct store_put_args *, char *,
			  struct error *);
int local_upload_abort(struct store *, const char *, const char *, const char *, struct error *);
int local_upload_parts(struct store *, const char *, const char *, const char *,
		       struct store_part **, size_t *, struct error *);
int local_upload_list(struct store *, const char *, const char *, struct store_upload_page *,
		      struct error *);

/* bucket.c */
int local_bucket_list(struct store *, struct store_bucket_page *, struct error *);
int local_bucket_create(struct store *, const char *, struct error *);
int local_bucket_delete(struct store *, const char *, struct error *);
int local_bucket_exists(struct store *, const char *, struct error *);
int local_versioning_get(struct store *, const char *, bool *, struct error *);
int local_versioning_set(struct store *, const char *, bool, struct error *);
int local_policy_get(struct store *, const char *, struct buf *, struct error *);
int local_policy_set(struct store *, const char *, struct str, struct error *);
