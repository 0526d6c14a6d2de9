/* The history of buckets that keep versions: hard links to the files that were the current object, and empty files
 * for delete markers, in ROOT/.skydir/buckets/BUCKET/versions/PATH%v/SEQUENCE-ID[.d]. A version that stands in the
 * history and is current too (a crash between the two steps) counts once, as the current one. */
#include "backends/base/clock.h"
#include "backends/local/local_impl.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HISTORY_COUNT_MAX 1000000

void history_release(struct history *h)
{
	if (h->dir_fd >= 0)
		(void)close(h->dir_fd); /* read only */
	h->dir_fd = -1;
	h->count = 0;
}

/* "%016x-ID" or "%016x-ID.d"; anything else is not ours. */
static bool parse_name(const char *name, struct history_entry *ret)
{
	size_t len = strlen(name), id;
	char *end;

	if (len < 18 || len > 17 + 32 + 2 || name[16] != '-')
		return false;
	ret->seq = strtoull(name, &end, 16);
	ret->is_marker = !strcmp(name + len - 2, ".d");
	id = len - 17 - (ret->is_marker ? 2 : 0);
	if (end != name + 16 || id < 1 || id > 32)
		return false;
	memcpy(ret->id, name + 17, id);
	ret->id[id] = '\0';
	return true;
}

static int newest_first(const void *a, const void *b)
{
	return strcmp(((const struct history_entry *)b)->name,
		      ((const struct history_entry *)a)->name);
}

static int history_dir_path(const char *key, const char *name, struct buf *ret, struct error *err)
{
	int r = name_key_path(str_of(key), NAME_HISTORY, ret);

	if (!r && name)
		r = buf_addf(ret, "/%s", name);
	return r ? error_set(err, ERR_NO_MEMORY, "no memory for the path of '%.100s'", key) : 0;
}

static int read_entries(DIR *dir, struct arena *arena, struct history *h)
{
	size_t room = 0;
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		struct history_entry e;

		if (!parse_name(entry->d_name, &e))
			continue;
		if (h->count == room) {
			struct history_entry *more;

			room = room ? room * 2 : 4;
			more = room <= HISTORY_COUNT_MAX ? arena_alloc(arena, room * sizeof(*more))
							 : NULL;
			if (!more)
				return -ENOMEM;
			if (h->count)
				memcpy(more, h->entries, h->count * sizeof(*more));
			h->entries = more;
		}
		e.name = arena_strdup(arena, entry->d_name);
		if (!e.name)
			return -ENOMEM;
		h->entries[h->count++] = e;
	}
	if (h->count)
		qsort(h->entries, h->count, sizeof(*h->entries), newest_first);
	return 0;
}

int history_load(struct local *l, const char *bucket, const char *key, struct arena *arena,
		 struct history *ret, struct error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(LOCAL_PATH_MAX);
	CLEANUP(closep) int tree = bucket_state_open(l, bucket, "versions", false, err);
	struct history h = HISTORY_INIT;
	DIR *dir;
	int r;

	*ret = h;
	if (tree < 0)
		return tree == -ENOENT ? 0 : tree;
	r = history_dir_path(key, NULL, &path, err);
	if (r < 0)
		return r;
	h.dir_fd = tree_open(tree, path.data, O_RDONLY | O_DIRECTORY);
	if (h.dir_fd < 0)
		return h.dir_fd == -ENOENT || h.dir_fd == -ENOTDIR
			       ? 0
			       : error_errno(err, -h.dir_fd, "versions of '%.100s'", key);
	r = tree_open(h.dir_fd, "", O_RDONLY | O_DIRECTORY);
	dir = r >= 0 ? fdopendir(r) : NULL;
	if (!dir && r >= 0)
		(void)close(r);
	r = dir ? read_entries(dir, arena, &h) : -EIO;
	if (dir)
		(void)closedir(dir);
	if (r < 0) {
		history_release(&h);
		return error_errno(err, -r, "versions of '%.100s'", key);
	}
	*ret = h;
	return 0;
}

const struct history_entry *history_find(const struct history *h, const char *version_id)
{
	for (size_t i = 0; i < h->count; i++)
		if (!strcmp(h->entries[i].id, version_id))
			return &h->entries[i];
	return NULL;
}

/* Removes one file of the history, and its directories when they are empty then. */
static int drop_entry(struct local *l, const char *bucket, const char *key, const char *name,
		      struct error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(LOCAL_PATH_MAX);
	CLEANUP(closep) int tree = bucket_state_open(l, bucket, "versions", false, err);
	CLEANUP(closep) int fd = -1;
	const char *leaf;
	struct stat st;
	int r;

	if (tree < 0)
		return tree == -ENOENT ? 0 : tree;
	r = history_dir_path(key, name, &path, err);
	if (r < 0)
		return r;
	fd = tree_open_parent(tree, path.data, &leaf);
	if (fd < 0)
		return 0;
	if (fstatat(fd, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_nlink == 1)
		record_forget(l, key, st.st_ino);
	if (unlinkat(fd, leaf, 0) < 0 && errno != ENOENT)
		return error_errno(err, errno, "an old version of '%.100s'", key);
	local_tree_prune(tree, path.data);
	return 0;
}

int history_drop_null(struct local *l, const char *bucket, const char *key, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(64 << 20);
	CLEANUP(history_release) struct history h = HISTORY_INIT;
	const struct history_entry *e;
	int r = history_load(l, bucket, key, &arena, &h, err);

	if (r < 0)
		return r;
	e = history_find(&h, "null");
	return e ? drop_entry(l, bucket, key, e->name, err) : 0;
}

int history_keep(struct local *l, const char *bucket, const char *key, int bucket_fd,
		 const struct record *current, enum versioning state, bool *ret_is_kept,
		 struct error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(LOCAL_PATH_MAX);
	CLEANUP(closep) int tree = -1, from = -1, to = -1;
	char name[80], file[264];
	bool is_made;
	int r;

	*ret_is_kept = false;
	if (state == VERSIONING_NEVER ||
	    (state == VERSIONING_SUSPENDED && !(current->flags & RECORD_HAS_ID)))
		return 0;
	tree = bucket_state_open(l, bucket, "versions", true, err);
	if (tree < 0)
		return tree;
	(void)snprintf(name, sizeof(name), "%016" PRIx64 "-%s", current->seq,
		       record_version_id(current));
	r = history_dir_path(key, name, &path, err);
	if (r < 0)
		return r;
	from = tree_locate(bucket_fd, key, file);
	if (from < 0)
		return error_errno(err, -from, "the current version of '%.100s'", key);
	to = tree_make_dirs(tree, path.data, &is_made, err);
	if (to < 0)
		return to;
	if (linkat(from, file, to, name, 0) < 0 && errno != EEXIST &&
	    /* No hard links here (FAT): readers miss the object for a moment. */
	    ((errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK) ||
	     renameat(from, file, to, name) < 0))
		return error_errno(err, errno, "keeping the old version of '%.100s'", key);
	*ret_is_kept = true;
	return tree_sync_parents(l, tree, path.data, !is_made, err);
}

int history_add_marker(struct local *l, const char *bucket, const char *key, enum versioning state,
		       struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(64 << 20);
	CLEANUP(history_release) struct history h = HISTORY_INIT;
	CLEANUP(buf_release) struct buf path = BUF_INIT(LOCAL_PATH_MAX);
	CLEANUP(closep) int tree = -1, to = -1, fd = -1;
	uint64_t seq = (uint64_t)clock_wall_ns();
	char id[33] = "null", name[80];
	bool is_made;
	int r = history_load(l, bucket, key, &arena, &h, err);

	if (r < 0)
		return r;
	if (h.count && seq <= h.entries[0].seq)
		seq = h.entries[0].seq + 1;
	if (state == VERSIONING_ON)
		record_fresh_version(id);
	tree = bucket_state_open(l, bucket, "versions", true, err);
	if (tree < 0)
		return tree;
	(void)snprintf(name, sizeof(name), "%016" PRIx64 "-%s.d", seq, id);
	r = history_dir_path(key, name, &path, err);
	if (r < 0)
		return r;
	to = tree_make_dirs(tree, path.data, &is_made, err);
	if (to < 0)
		return to;
	fd = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return error_errno(err, errno, "a delete marker for '%.100s'", key);
	return tree_sync_parents(l, tree, path.data, !is_made, err);
}

/* The newest old version becomes current, by one rename. */
static int promote(struct local *l, const char *bucket, const char *key, int bucket_fd,
		   const struct history *h, const struct history_entry *e, struct error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(LOCAL_PATH_MAX);
	CLEANUP(closep) int tree = -1;
	bool is_made;
	int r = tree_place(bucket_fd, key, h->dir_fd, e->name, &is_made, err);

	if (r < 0)
		return r;
	/* rename() does nothing when both are links to one file. */
	(void)unlinkat(h->dir_fd, e->name, 0);
	tree = bucket_state_open(l, bucket, "versions", false, err);
	if (tree >= 0 && history_dir_path(key, e->name, &path, err) == 0)
		local_tree_prune(tree, path.data);
	return 0;
}

static int delete_current(struct local *l, const char *bucket, const char *key, int bucket_fd,
			  const struct history *h, const struct record *current, struct error *err)
{
	size_t next = 0;

	while (next < h->count && !strcmp(h->entries[next].id, record_version_id(current)))
		next++; /* the same one, left by a crash */
	if (next < h->count && !h->entries[next].is_marker)
		return promote(l, bucket, key, bucket_fd, h, &h->entries[next], err);
	record_forget(l, key, current->ino);
	return tree_remove(bucket_fd, key, err);
}

int history_delete(struct local *l, const char *bucket, const char *key, const char *version_id,
		   const char *if_version, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(64 << 20);
	CLEANUP(commit_end) struct commit commit = { 0 };
	CLEANUP(history_release) struct history h = HISTORY_INIT;
	CLEANUP(closep) int bucket_fd = bucket_open(l, bucket, err), fd = -1;
	const struct history_entry *e;
	struct record current = { 0 };
	struct stat st;
	int r = bucket_fd < 0 ? bucket_fd : commit_begin(l, bucket, &commit, err);

	if (r >= 0)
		r = history_load(l, bucket, key, &arena, &h, err);
	if (r < 0)
		return r;
	e = history_find(&h, version_id);
	fd = tree_open_object(bucket_fd, key, &st);
	if (fd < 0 && fd != -ENOENT)
		return error_errno(err, -fd, "'%.150s'", key);
	if (fd >= 0) {
		r = record_read(l, fd, key, &st, &arena, &current, err);
		if (r < 0)
			return r;
		if (!strcmp(record_version_id(&current), version_id)) {
			r = object_check_version(if_version, key, &current, err);
			if (r >= 0)
				r = delete_current(l, bucket, key, bucket_fd, &h, &current, err);
			return r < 0 || !e ? r : drop_entry(l, bucket, key, e->name, err);
		}
	}
	if (!e)
		return 0;
	/* Without its newest delete marker the object is back. */
	if (fd < 0 && e == &h.entries[0] && e->is_marker && h.count > 1 && !h.entries[1].is_marker)
		r = promote(l, bucket, key, bucket_fd, &h, &h.entries[1], err);
	return r < 0 ? r : drop_entry(l, bucket, key, e->name, err);
}
