/*
 * Sorted directories, kept for a while, so that paging through a directory of n objects sorts it once and not once a
 * page. A snapshot is used again only when it must show the same:
 *  - the directory's mtime is what it was, and was old enough when read that a later change cannot share it; or
 *  - it was read after the listing that asks began (its token says when): what changes during a listing may or may
 *    not be seen, as at every object store. Such a one is used for SNAPSHOT_FRESH_NS at most.
 */
#include "backends/base/clock.h"
#include "backends/local/local_impl.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#define SNAPSHOT_FRESH_NS    (10 * 1000000000ull)
#define SNAPSHOT_RACY_NS     100000000 /* the clock of mtimes may stand still that long */
#define SNAPSHOT_CACHE_BYTES (64u << 20)
#define SNAPSHOT_CACHE_COUNT 256
#define SNAPSHOT_ENTRIES_MAX (16u << 20)
#define PIECES_MAX	     16 /* directories of one long name */

struct snapshots {
	struct lock lock;
	struct snapshot *first; /* guarded by lock, as are the numbers */
	size_t bytes, count;
};

struct snapshots *snapshots_new(void)
{
	struct snapshots *s = calloc(1, sizeof(*s));

	if (s)
		lock_init_ranked(&s->lock, LOCK_STORE);
	return s;
}

static void snapshot_destroy(struct snapshot *s)
{
	free(s->entries);
	free(s->names);
	free(s);
}

void snapshots_free(struct snapshots *s)
{
	if (!s)
		return;
	while (s->first) {
		struct snapshot *next = s->first->next;

		snapshot_destroy(s->first);
		s->first = next;
	}
	lock_destroy(&s->lock);
	free(s);
}

void snapshot_unref(struct local *l, struct snapshot *s)
{
	bool is_last;

	if (!s)
		return;
	lock_take(&l->snapshots->lock);
	is_last = --s->references == 0;
	lock_drop(&l->snapshots->lock);
	if (is_last)
		snapshot_destroy(s);
}

static int compare_entries(const void *a, const void *b, void *names)
{
	const struct snapshot_entry *x = a, *y = b;
	size_t len = x->length < y->length ? x->length : y->length;
	int r = memcmp((const char *)names + x->offset, (const char *)names + y->offset, len);

	if (!r)
		r = (int)x->length - (int)y->length;
	return r ? r : (int)x->kind - (int)y->kind;
}

/* Doubles an array so that it holds `need` items. */
static int grow(void *array, size_t *room, size_t need, size_t item, size_t max)
{
	void **at = array;
	size_t more = *room ? *room : 64;
	void *fresh;

	if (need <= *room)
		return 0;
	if (need > max)
		return -EFBIG;
	while (more < need)
		more *= 2;
	fresh = realloc(*at, more * item);
	if (!fresh)
		return -ENOMEM;
	*at = fresh;
	*room = more;
	return 0;
}

static int add_entry(struct snapshot *s, struct str component, bool is_dir, enum name_kind kind)
{
	int r;

	if (component.len > STORE_KEY_MAX)
		return 0;
	r = grow(&s->entries, &s->room, s->count + 1, sizeof(*s->entries), SNAPSHOT_ENTRIES_MAX);
	if (!r)
		r = grow(&s->names, &s->names_room, s->names_len + component.len + 1, 1,
			 UINT32_MAX);
	if (r)
		return r;
	s->entries[s->count++] = (struct snapshot_entry){
		.offset = (uint32_t)s->names_len,
		.length = (uint16_t)(component.len + is_dir),
		.is_dir = is_dir,
		.kind = (uint8_t)kind,
	};
	if (component.len)
		memcpy(s->names + s->names_len, component.ptr, component.len);
	s->names_len += component.len;
	if (is_dir)
		s->names[s->names_len++] = '/';
	return 0;
}

/* name: as it stands below the directory of the snapshot, "PIECE%+/" before it included. */
static int add_name(struct snapshot *s, struct str name, bool is_dir)
{
	CLEANUP(buf_release) struct buf component = BUF_INIT(LOCAL_PATH_MAX);
	enum name_kind kind = NAME_PLAIN;
	int r;

	if (name.len <= 253 && !memchr(name.ptr, '%', name.len)) {
		r = buf_add_str(&component, name);
	} else {
		r = name_decode(name, &component, &kind);
		if (r == -EINVAL)
			return 0; /* made by other tools: no object has this name */
	}
	if (r)
		return r;
	if (s->tree == WALK_HISTORY) {
		if (!is_dir || kind == NAME_DISPLACED)
			return 0;
		return add_entry(s, buf_str(&component), kind == NAME_PLAIN, kind);
	}
	if (kind == NAME_HISTORY || (is_dir && kind != NAME_PLAIN))
		return 0;
	return add_entry(s, buf_str(&component), is_dir, kind);
}

static unsigned char entry_type(int dirfd, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type;
	if (fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_UNKNOWN;
	return S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_LNK;
}

static int read_names(struct snapshot *s, int dirfd, struct buf *before, unsigned depth)
{
	int fd = tree_open(dirfd, "", O_RDONLY | O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	int r = 0;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return fd < 0 ? fd : -ENOMEM;
	}
	while (!r && (errno = 0, e = readdir(dir))) {
		struct str name = str_of(e->d_name);
		unsigned char type = entry_type(fd, e);
		size_t keep = before->len;

		if ((type != DT_DIR && type != DT_REG) || !strcmp(e->d_name, ".") ||
		    !strcmp(e->d_name, ".."))
			continue;
		if (!keep && !(type == DT_DIR && name_is_continued(name))) {
			r = add_name(s, name, type == DT_DIR);
			continue;
		}
		r = buf_add_str(before, name);
		if (!r && type == DT_DIR && name_is_continued(name) && depth < PIECES_MAX) {
			CLEANUP(closep) int sub = tree_open(fd, e->d_name, O_RDONLY | O_DIRECTORY);

			s->is_trusted = false; /* its own mtime tells nothing of what is below */
			r = buf_addc(before, '/');
			if (!r && sub >= 0)
				r = read_names(s, sub, before, depth + 1);
		} else if (!r) {
			r = add_name(s, buf_str(before), type == DT_DIR);
		}
		before->len = keep;
	}
	if (!r && errno)
		r = -errno;
	(void)closedir(dir);
	return r;
}

static void drop_shadowed(struct snapshot *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++) {
		/* Both the plain and the displaced file: the plain one counts. */
		if (kept && str_equal(snapshot_name(s, kept - 1), snapshot_name(s, i)))
			continue;
		s->entries[kept++] = s->entries[i];
	}
	s->count = kept;
}

static int load(int dirfd, const struct stat *st, enum walk_tree tree, struct snapshot **ret)
{
	CLEANUP(buf_release) struct buf before = BUF_INIT(LOCAL_PATH_MAX);
	struct snapshot *s = calloc(1, sizeof(*s));
	int64_t age;
	int r;

	if (!s)
		return -ENOMEM;
	age = clock_wall_ns() - ((int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec);
	s->tree = tree;
	s->dev = st->st_dev;
	s->ino = st->st_ino;
	s->mtime = st->st_mtim;
	s->is_trusted = age > SNAPSHOT_RACY_NS;
	s->loaded_mono_ns = clock_mono_ns();
	s->references = 1;
	r = read_names(s, dirfd, &before, 0);
	if (r < 0) {
		snapshot_destroy(s);
		return r;
	}
	if (s->count)
		qsort_r(s->entries, s->count, sizeof(*s->entries), compare_entries, s->names);
	drop_shadowed(s);
	s->bytes = sizeof(*s) + s->room * sizeof(*s->entries) + s->names_room;
	*ret = s;
	return 0;
}

static bool is_usable(const struct snapshot *s, const struct stat *st, uint64_t fresh_since_ns)
{
	if (s->is_trusted && s->mtime.tv_sec == st->st_mtim.tv_sec &&
	    s->mtime.tv_nsec == st->st_mtim.tv_nsec)
		return true;
	return fresh_since_ns && s->loaded_mono_ns >= fresh_since_ns &&
	       clock_mono_ns() - s->loaded_mono_ns < SNAPSHOT_FRESH_NS;
}

/* Takes s out of the list; true when nobody uses it any more. */
static bool unlink_locked(struct snapshots *c, struct snapshot **at)
{
	struct snapshot *s = *at;

	*at = s->next;
	c->bytes -= s->bytes;
	c->count--;
	return --s->references == 0;
}

/* The one of that directory (moved to the front), or NULL; one that is out of date is dropped. */
static struct snapshot *lookup(struct snapshots *c, const struct stat *st, enum walk_tree tree,
			       uint64_t fresh_since_ns)
{
	LOCKED(&c->lock);
	for (struct snapshot **at = &c->first; *at; at = &(*at)->next) {
		struct snapshot *s = *at;

		if (s->ino != st->st_ino || s->dev != st->st_dev || s->tree != tree)
			continue;
		if (!is_usable(s, st, fresh_since_ns)) {
			if (unlink_locked(c, at))
				snapshot_destroy(s);
			return NULL;
		}
		*at = s->next;
		s->next = c->first;
		c->first = s;
		s->references++;
		return s;
	}
	return NULL;
}

static void remember(struct snapshots *c, struct snapshot *s)
{
	struct snapshot **at;

	if (s->bytes > SNAPSHOT_CACHE_BYTES / 2)
		return;
	LOCKED(&c->lock);
	s->references++;
	s->next = c->first;
	c->first = s;
	c->bytes += s->bytes;
	c->count++;
	while (c->bytes > SNAPSHOT_CACHE_BYTES || c->count > SNAPSHOT_CACHE_COUNT) {
		struct snapshot *last;

		for (at = &c->first; (*at)->next; at = &(*at)->next)
			;
		last = *at;
		if (unlink_locked(c, at))
			snapshot_destroy(last);
	}
}

int snapshot_get(struct local *l, int dirfd, enum walk_tree tree, uint64_t fresh_since_ns,
		 struct snapshot **ret, struct error *err)
{
	struct snapshot *s;
	struct stat st;
	int r;

	if (fstat(dirfd, &st) < 0)
		return error_errno(err, errno, "a directory of '%s'", l->root);
	s = lookup(l->snapshots, &st, tree, fresh_since_ns);
	if (!s) {
		r = load(dirfd, &st, tree, &s);
		if (r == -EFBIG)
			return error_set(err, ERR_TOO_LARGE,
					 "a directory of '%s' has too many files", l->root);
		if (r < 0)
			return error_errno(err, -r, "reading a directory of '%s'", l->root);
		remember(l->snapshots, s);
	}
	*ret = s;
	return 0;
}
