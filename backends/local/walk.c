/* The objects of a tree in the byte order of their keys. Only one directory is open at a time, however deep the tree
 * is: what is above is remembered as a snapshot and opened again by its path. */
#include "backends/local/local_impl.h"
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#define QUICK_DEPTH 16 /* directories that the quick look for an object keeps open */

struct level {
	struct snapshot *snapshot;
	size_t index, key_len;
};
struct walk {
	struct local *local;
	struct walk_args args;
	struct str after;
	struct level *levels;
	size_t depth, room;
	struct buf key; /* of the item last returned */
	size_t item;	/* its index in the deepest level */
	bool enters;	/* walk_enter was called: key is the directory */
	int dir_fd;	/* of the deepest level, -1 until needed */
};

static int compare(struct str a, struct str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int r = len ? memcmp(a.ptr, b.ptr, len) : 0;

	return r ? r : (a.len > b.len) - (a.len < b.len);
}

static bool starts_with(struct str s, struct str prefix)
{
	return s.len >= prefix.len && (!prefix.len || !memcmp(s.ptr, prefix.ptr, prefix.len));
}

int walk_new(struct local *l, const struct walk_args *args, struct walk **ret, struct error *err)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (!w)
		return error_set(err, ERR_NO_MEMORY, "no memory to list");
	w->local = l;
	w->args = *args;
	w->after = str_of(args->after ? args->after : "");
	w->key = BUF_INIT(2 * STORE_KEY_MAX + 2);
	w->dir_fd = -1;
	w->enters = true;
	if (buf_adds(&w->key, args->start) < 0) {
		walk_free(w);
		/* No key is that long, so nothing is below it; the caller sees an end at once. */
		return error_set(err, ERR_NAME_TOO_LONG, "the prefix is too long");
	}
	*ret = w;
	return 0;
}

static void close_dir(struct walk *w)
{
	if (w->dir_fd >= 0)
		(void)close(w->dir_fd); /* read only */
	w->dir_fd = -1;
}

void walk_free(struct walk *w)
{
	if (!w)
		return;
	while (w->depth)
		snapshot_unref(w->local, w->levels[--w->depth].snapshot);
	close_dir(w);
	free(w->levels);
	buf_release(&w->key);
	free(w);
}

void walk_freep(struct walk **w)
{
	walk_free(*w);
}

/* key: "" or "a/b/". */
static int open_dir(int tree_fd, struct str key)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(LOCAL_PATH_MAX);
	int r = 0;

	if (key.len)
		r = name_key_path((struct str){ key.ptr, key.len - 1 }, NAME_PLAIN, &path);
	return r ? r : tree_open(tree_fd, buf_cstr(&path), O_RDONLY | O_DIRECTORY);
}

/* The first entry that can matter: the one before the first that is >= what after says, since that may be a
 * directory that after leads into. */
static size_t first_index(const struct snapshot *s, struct str key, struct str after)
{
	size_t low = 0, high = s->count;

	if (!starts_with(after, key))
		return 0;
	after = (struct str){ after.ptr + key.len, after.len - key.len };
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(snapshot_name(s, middle), after) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : 0;
}

static int push_level(struct walk *w, struct error *err)
{
	struct snapshot *s;
	int r;

	close_dir(w);
	w->dir_fd = open_dir(w->args.tree_fd, buf_str(&w->key));
	if (w->dir_fd < 0) {
		r = w->dir_fd;
		w->dir_fd = -1;
		/* It went meanwhile, or never was. */
		if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -EXDEV ||
		    r == -ENAMETOOLONG)
			return 0;
		return error_errno(err, -r, "directory '%.150s'", buf_cstr(&w->key));
	}
	if (w->depth == w->room) {
		size_t room = w->room ? w->room * 2 : 8;
		struct level *more = realloc(w->levels, room * sizeof(*more));

		if (!more)
			return error_set(err, ERR_NO_MEMORY, "no memory to list");
		w->levels = more;
		w->room = room;
	}
	r = snapshot_get(w->local, w->dir_fd, w->args.tree, w->args.fresh_since_ns, &s, err);
	if (r < 0)
		return r;
	w->levels[w->depth++] = (struct level){
		.snapshot = s,
		.index = first_index(s, buf_str(&w->key), w->after),
		.key_len = w->key.len,
	};
	return 0;
}

static bool is_wanted(const struct walk *w, struct str key, bool is_dir)
{
	int order = compare(key, w->after);

	if (is_dir) /* all below is before `after`, unless that is below too */
		return order > 0 || starts_with(w->after, key);
	return order > 0 || (!order && (w->args.is_inclusive || !w->after.len));
}

int walk_next(struct walk *w, struct str *ret_key, struct error *err)
{
	if (w->enters) {
		int r;

		w->enters = false;
		r = push_level(w, err);
		if (r < 0)
			return r;
	}
	while (w->depth) {
		struct level *level = &w->levels[w->depth - 1];
		const struct snapshot_entry *e;

		if (level->index == level->snapshot->count) {
			snapshot_unref(w->local, level->snapshot);
			w->depth--;
			close_dir(w);
			continue;
		}
		w->item = level->index++;
		e = &level->snapshot->entries[w->item];
		w->key.len = level->key_len;
		if (buf_add_str(&w->key, snapshot_name(level->snapshot, w->item)) < 0)
			return error_set(err, ERR_NO_MEMORY, "no memory to list");
		if (w->key.len > STORE_KEY_MAX || (!e->is_dir && !w->key.len) ||
		    !is_wanted(w, buf_str(&w->key), e->is_dir))
			continue;
		*ret_key = buf_str(&w->key);
		return e->is_dir ? WALK_DIR : WALK_OBJECT;
	}
	return WALK_END;
}

void walk_enter(struct walk *w)
{
	assert(w->depth && w->key.len);
	w->enters = true;
}

int walk_open_object(struct walk *w, struct stat *ret_st)
{
	const struct level *level = &w->levels[w->depth - 1];
	const struct snapshot_entry *e = &level->snapshot->entries[w->item];
	CLEANUP(buf_release) struct buf name = BUF_INIT(LOCAL_PATH_MAX);
	int fd = name_component(snapshot_name(level->snapshot, w->item), (enum name_kind)e->kind,
				&name);

	if (fd)
		return fd;
	if (w->dir_fd < 0)
		w->dir_fd = open_dir(w->args.tree_fd,
				     (struct str){ buf_cstr(&w->key), level->key_len });
	fd = w->dir_fd < 0 ? w->dir_fd
			   : tree_open(w->dir_fd, name.data, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && fstat(fd, ret_st) == 0 && S_ISREG(ret_st->st_mode))
		return fd;
	if (fd >= 0)
		(void)close(fd);
	if (fd == -EACCES && fstatat(w->dir_fd, name.data, ret_st, AT_SYMLINK_NOFOLLOW) == 0)
		return fd;
	/* Moved aside or back since the directory was read. */
	return tree_open_object(w->args.tree_fd, buf_cstr(&w->key), ret_st);
}

/* 1: there is one; 0: there is none; -EAGAIN: too deep to say. */
static int quick_look(int dirfd, enum walk_tree tree, unsigned depth)
{
	int fd = tree_open(dirfd, "", O_RDONLY | O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	int found = 0;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return -EAGAIN;
	}
	while (!found && (e = readdir(dir))) {
		CLEANUP(closep) int sub = -1;
		struct str name = str_of(e->d_name);

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (e->d_type == DT_UNKNOWN || depth == QUICK_DEPTH ||
		    memchr(name.ptr, '%', name.len))
			found = -EAGAIN;
		else if (e->d_type == DT_REG && tree == WALK_OBJECTS && name.len <= 253)
			found = 1;
		else if (e->d_type == DT_DIR &&
			 (sub = tree_open(fd, e->d_name, O_RDONLY | O_DIRECTORY)) >= 0)
			found = quick_look(sub, tree, depth + 1);
	}
	(void)closedir(dir);
	return found;
}

int walk_has_object(struct local *l, const struct walk_args *args, struct str key,
		    struct error *err)
{
	CLEANUP(walk_freep) struct walk *w = NULL;
	CLEANUP(freep) char *start = str_dup(key);
	struct walk_args below = *args;
	struct str found;
	int r;

	if (!start)
		return error_set(err, ERR_NO_MEMORY, "no memory to list");
	/* Most directories hold a file among their first entries: no need to read and sort them all. */
	if (!starts_with(str_of(args->after ? args->after : ""), key) &&
	    key.len + 2 * QUICK_DEPTH < STORE_KEY_MAX / 2) {
		CLEANUP(closep) int fd = open_dir(args->tree_fd, key);

		r = fd >= 0 ? quick_look(fd, args->tree, 0) : fd == -ENOENT ? 0 : -EAGAIN;
		if (r >= 0)
			return r;
	}
	below.start = start;
	r = walk_new(l, &below, &w, err);
	if (r < 0)
		return r;
	while ((r = walk_next(w, &found, err)) == WALK_DIR)
		walk_enter(w);
	return r < 0 ? r : r == WALK_OBJECT;
}
