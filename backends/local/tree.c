/* Files and directories below a directory of the store. Every path is resolved beneath its tree and never through a
 * symlink: whoever can write into the root must not be able to make us read or write elsewhere. */
#include "backends/local/local_impl.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

static atomic_bool has_no_openat2; /* learnt once: old kernels, strict sandboxes */

/* The same walk by hand, one component at a time. */
static int open_by_steps(int dirfd, const char *path, int flags)
{
	CLEANUP(closep) int at = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	struct str rest = str_of(path);

	if (at < 0)
		return -errno;
	while (rest.ptr) {
		struct str part = str_split(&rest, '/');
		char name[256];
		int next;

		if (part.len > 255)
			return -ENAMETOOLONG;
		memcpy(name, part.ptr, part.len);
		name[part.len] = '\0';
		if (!strcmp(name, ".."))
			return -EXDEV;
		next = openat(at, name,
			      rest.ptr ? O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC : flags);
		if (next < 0)
			return -errno;
		(void)close(at);
		at = next;
	}
	dirfd = at;
	at = -1; /* the caller's now */
	return dirfd;
}

int tree_open(int dirfd, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					   RESOLVE_NO_MAGICLINKS };

	if (!*path)
		path = ".";
	if (!atomic_load_explicit(&has_no_openat2, memory_order_relaxed)) {
		for (;;) {
			long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

			if (fd >= 0)
				return (int)fd;
			if (errno == EINTR || errno == EAGAIN)
				continue;
			if (errno != ENOSYS && errno != EPERM)
				return -errno;
			break;
		}
		atomic_store_explicit(&has_no_openat2, true, memory_order_relaxed);
	}
	return open_by_steps(dirfd, path, (int)how.flags);
}

int tree_open_parent(int dirfd, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[LOCAL_PATH_MAX];

	*ret_name = slash ? slash + 1 : path;
	if (!slash)
		return tree_open(dirfd, "", O_RDONLY | O_DIRECTORY);
	if ((size_t)(slash - path) >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	return tree_open(dirfd, parent, O_RDONLY | O_DIRECTORY);
}

/* `name` is an object where a directory must be: gives it its displaced name. Readers look at the plain name, then at
 * the displaced one, then again at the plain one, so that they find it at any moment. */
static int displace(int at, const char *name, struct error *err)
{
	size_t len = strlen(name);
	char aside[264];
	struct stat st;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "'%s'", name);
	if (S_ISDIR(st.st_mode))
		return 0;
	if (!S_ISREG(st.st_mode) || len > 253 || name_is_continued((struct str){ name, len }))
		return error_set(err, ERR_CONFLICT, "'%.100s' is no object and stands in the way",
				 name);
	(void)snprintf(aside, sizeof(aside), "%s%%@", name);
	if (renameat(at, name, at, aside) < 0)
		return error_errno(err, errno, "making room for a directory '%.100s'", name);
	return 0;
}

static int make_dir(int at, const char *name, bool *ret_made, struct error *err)
{
	for (int i = 0; i < 3; i++) {
		int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int r;

		if (fd >= 0)
			return fd;
		if (errno == ENOTDIR || errno == ELOOP) {
			r = displace(at, name, err);
			if (r < 0)
				return r;
		} else if (errno != ENOENT) {
			return error_errno(err, errno, "directory '%.100s'", name);
		}
		if (mkdirat(at, name, 0755) == 0)
			*ret_made = true;
		else if (errno != EEXIST)
			return error_errno(err, errno, "making directory '%.100s'", name);
	}
	return error_set(err, ERR_CONFLICT, "directory '%.100s' keeps vanishing", name);
}

int tree_make_dirs(int dirfd, const char *path, bool *ret_made, struct error *err)
{
	const char *name;
	int fd = tree_open_parent(dirfd, path, &name);
	struct str rest = str_of(path);

	*ret_made = false;
	if (fd >= 0)
		return fd;
	if (fd != -ENOENT && fd != -ENOTDIR && fd != -ELOOP)
		return error_errno(err, -fd, "'%.150s'", path);
	fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(err, errno, "dup");
	for (;;) {
		struct str part = str_split(&rest, '/');
		char component[256];
		int next;

		if (!rest.ptr) /* the file's own name */
			return fd;
		if (part.len > 255) {
			(void)close(fd);
			return error_set(err, ERR_NAME_TOO_LONG, "a name below '%.100s'", path);
		}
		memcpy(component, part.ptr, part.len);
		component[part.len] = '\0';
		next = make_dir(fd, component, ret_made, err);
		(void)close(fd);
		if (next < 0)
			return next;
		fd = next;
	}
}

int tree_locate(int dirfd, const char *key, char ret_name[264])
{
	for (int i = 0; i < 2; i++) {
		CLEANUP(buf_release) struct buf path = BUF_INIT(LOCAL_PATH_MAX);
		int r = name_key_path(str_of(key), i ? NAME_DISPLACED : NAME_PLAIN, &path);
		const char *name;
		struct stat st;

		if (!r)
			r = tree_open_parent(dirfd, path.data, &name);
		if (r < 0)
			return r;
		if (fstatat(r, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
			(void)snprintf(ret_name, 264, "%s", name);
			return r;
		}
		(void)close(r);
	}
	return -ENOENT;
}

static int open_regular(int dirfd, const char *path, struct stat *ret_st)
{
	/* Non-blocking: a pipe that somebody put there must not hang us. */
	int fd = tree_open(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return fd == -ENOTDIR || fd == -ELOOP || fd == -EXDEV || fd == -ENXIO ? -ENOENT
										      : fd;
	if (fstat(fd, ret_st) == 0 && S_ISREG(ret_st->st_mode))
		return fd;
	(void)close(fd);
	return -ENOENT;
}

int tree_open_object(int dirfd, const char *key, struct stat *ret_st)
{
	CLEANUP(buf_release) struct buf plain = BUF_INIT(LOCAL_PATH_MAX);
	CLEANUP(buf_release) struct buf aside = BUF_INIT(LOCAL_PATH_MAX);
	int r = name_key_path(str_of(key), NAME_PLAIN, &plain);

	if (!r)
		r = name_key_path(str_of(key), NAME_DISPLACED, &aside);
	if (r)
		return r;
	for (int i = 0; i < 3; i++) {
		r = open_regular(dirfd, buf_cstr(i == 1 ? &aside : &plain), ret_st);
		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

int tree_place(int dirfd, const char *key, int from_dirfd, const char *from_name, bool *ret_made,
	       struct error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(LOCAL_PATH_MAX);
	CLEANUP(closep) int parent = -1;
	const char *name;
	char aside[264];
	struct stat st;
	bool is_dir;
	int r = name_key_path(str_of(key), NAME_PLAIN, &path);

	if (r)
		return error_set(err, ERR_NO_MEMORY, "no memory for the path of '%.100s'", key);
	parent = tree_make_dirs(dirfd, path.data, ret_made, err);
	if (parent < 0) {
		local_tree_prune(dirfd, path.data);
		return parent;
	}
	name = strrchr(path.data, '/');
	name = name ? name + 1 : path.data;
	(void)snprintf(aside, sizeof(aside), "%s%%@", name);
	is_dir = fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
	if (renameat(from_dirfd, from_name, parent, is_dir ? aside : name) < 0) {
		r = error_errno(err, errno, "writing '%.150s'", key);
		local_tree_prune(dirfd, path.data);
		return r;
	}
	if (!is_dir)
		(void)unlinkat(parent, aside, 0); /* an older self, hidden by the new one anyway */
	return 0;
}

/* Takes away the directories above path that are empty now; an object that had been displaced by one gets its plain
 * name back. */
void local_tree_prune(int dirfd, const char *path)
{
	char dir[LOCAL_PATH_MAX];
	size_t len = strlen(path);
	char *slash;

	if (len >= sizeof(dir))
		return;
	memcpy(dir, path, len + 1);
	while ((slash = strrchr(dir, '/'))) {
		CLEANUP(closep) int parent = -1;
		char aside[264];
		const char *name;

		*slash = '\0';
		parent = tree_open_parent(dirfd, dir, &name);
		if (parent < 0 || unlinkat(parent, name, AT_REMOVEDIR) < 0)
			return; /* not empty, mostly; a directory too many is no error */
		(void)snprintf(aside, sizeof(aside), "%s%%@", name);
		(void)renameat2(parent, aside, parent, name, RENAME_NOREPLACE);
	}
}

static int remove_one(int dirfd, const char *path)
{
	CLEANUP(closep) int parent = -1;
	const char *name;
	struct stat st;

	parent = tree_open_parent(dirfd, path, &name);
	if (parent < 0)
		return parent == -ENOTDIR || parent == -ELOOP || parent == -EXDEV ? -ENOENT
										  : parent;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	return unlinkat(parent, name, 0) < 0 ? -errno : 0;
}

int tree_remove(int dirfd, const char *key, struct error *err)
{
	bool is_removed = false;

	for (int i = 0; i < 2; i++) {
		CLEANUP(buf_release) struct buf path = BUF_INIT(LOCAL_PATH_MAX);
		int r = name_key_path(str_of(key), i ? NAME_DISPLACED : NAME_PLAIN, &path);

		if (!r)
			r = remove_one(dirfd, path.data);
		if (r < 0 && r != -ENOENT)
			return error_errno(err, -r, "deleting '%.150s'", key);
		is_removed = is_removed || !r;
		if (i && is_removed)
			local_tree_prune(dirfd, path.data);
	}
	return 0;
}

int tree_delete_all(int dirfd, const char *name)
{
	int fd = tree_open(dirfd, name, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return fd < 0 ? fd : -ENOMEM;
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			(void)unlinkat(fd, entry->d_name, 0); /* rmdir tells what stays */
	(void)closedir(dir);
	return unlinkat(dirfd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int tree_sync_parents(struct local *l, int dirfd, const char *path, bool is_only_last,
		      struct error *err)
{
	char dir[LOCAL_PATH_MAX];
	size_t len = strlen(path);

	if (l->skips_fsync || len >= sizeof(dir))
		return 0;
	memcpy(dir, path, len + 1);
	for (bool is_root = false; !is_root;) {
		char *slash = strrchr(dir, '/');
		CLEANUP(closep) int fd = -1;

		is_root = !slash;
		if (slash)
			*slash = '\0';
		fd = tree_open(dirfd, slash ? dir : "", O_RDONLY | O_DIRECTORY);
		if (fd == -ENOENT || fd == -ENOTDIR)
			continue; /* gone again: somebody deleted what was in it */
		if (fd < 0 || fsync(fd) < 0)
			return error_errno(err, fd < 0 ? -fd : errno, "fsync of a directory");
		if (is_only_last)
			break;
	}
	return 0;
}
