#include "control/mounts.h"

#include "control/paths.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

void mount_entry_release(struct mount_entry *e)
{
	free(e->path);
	free(e->type);
	free(e->source);
	*e = MOUNT_ENTRY_INIT;
}

static int octal_digit(char c)
{
	return c >= '0' && c <= '7' ? c - '0' : -1;
}

/* Space, tab, newline and backslash stand as \NNN there. */
static char *unescape(struct str s)
{
	char *copy = str_dup(s), *to = copy;

	if (!copy)
		return NULL;
	for (const char *p = copy; *p;) {
		if (p[0] == '\\' && octal_digit(p[1]) >= 0 && octal_digit(p[2]) >= 0 &&
		    octal_digit(p[3]) >= 0) {
			*to++ = (char)(octal_digit(p[1]) * 64 + octal_digit(p[2]) * 8 +
				       octal_digit(p[3]));
			p += 4;
		} else {
			*to++ = *p++;
		}
	}
	*to = '\0';
	return copy;
}

/* ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [TAG...] - TYPE SOURCE SUPEROPTIONS */
int mounts_parse_line(struct str line, struct mount_entry *ret)
{
	CLEANUP(mount_entry_release) struct mount_entry e = MOUNT_ENTRY_INIT;
	struct str rest = line, field = {0};

	for (int i = 0; i < 5; i++)
		field = str_split(&rest, ' ');
	if (!field.ptr || !field.len)
		return -EINVAL;
	e.path = unescape(field);
	do
		field = str_split(&rest, ' ');
	while (field.ptr && !str_equal(field, STR("-")));
	if (!field.ptr)
		return -EINVAL;
	field = str_split(&rest, ' ');
	if (!field.ptr)
		return -EINVAL;
	e.type = unescape(field);
	field = str_split(&rest, ' ');
	if (!field.ptr)
		return -EINVAL;
	e.source = unescape(field);
	if (!e.path || !e.type || !e.source)
		return -ENOMEM;
	while ((field = str_split(&rest, ',')).ptr) {
		uint64_t id;

		if (str_starts(field, "user_id=") &&
		    str_to_u64((struct str){field.ptr + 8, field.len - 8}, &id) == 0)
			e.user_id = (uint32_t)id;
	}
	*ret = e;
	e = MOUNT_ENTRY_INIT;
	return 0;
}

static void fclosep(FILE **f)
{
	if (*f)
		(void)fclose(*f); /* only read from */
}

int mounts_each(int (*fn)(void *arg, const struct mount_entry *e), void *arg, struct error *err)
{
	CLEANUP(fclosep) FILE *f = fopen("/proc/self/mountinfo", "re");
	CLEANUP(freep) char *line = NULL;
	size_t capacity = 0;
	ssize_t len;
	int r = 0;

	if (!f)
		return error_errno(err, errno, "cannot read '/proc/self/mountinfo'");
	while (r >= 0 && (len = getline(&line, &capacity, f)) > 0) {
		CLEANUP(mount_entry_release) struct mount_entry e = MOUNT_ENTRY_INIT;
		size_t n = (size_t)len - (line[len - 1] == '\n');

		r = mounts_parse_line((struct str){line, n}, &e);
		if (r == -ENOMEM)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		r = r < 0 ? 0 : fn(arg, &e); /* a line we cannot read is none of ours */
	}
	return r < 0 ? r : 0;
}

struct search {
	const char *path;
	bool is_exact;
	struct mount_entry found;
	size_t found_len;
};

static int search_one(void *arg, const struct mount_entry *e)
{
	struct search *s = arg;
	size_t len = strlen(e->path);
	bool is_root = !strcmp(e->path, "/");
	bool is_same = !strcmp(e->path, s->path);
	bool is_inside = is_root || (!strncmp(e->path, s->path, len) &&
				     (s->path[len] == '/' || s->path[len] == '\0'));

	/* Of mounts over each other the last is the one that is seen. */
	if (s->is_exact ? !is_same : (!is_inside || len < s->found_len))
		return 0;
	mount_entry_release(&s->found);
	s->found = (struct mount_entry){.path = str_dup(str_of(e->path)),
					.type = str_dup(str_of(e->type)),
					.source = str_dup(str_of(e->source)),
					.user_id = e->user_id};
	s->found_len = len;
	return s->found.path && s->found.type && s->found.source ? 0 : -ENOMEM;
}

static int search_mounts(struct search *s, struct mount_entry *ret, struct error *err)
{
	int r = mounts_each(search_one, s, err);

	if (r == -ENOMEM)
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0 && !s->found.path)
		r = error_set(err, ERR_NOT_FOUND, "'%s' is not a mount point", s->path);
	if (r < 0)
		mount_entry_release(&s->found);
	else
		*ret = s->found;
	return r;
}

int mounts_at(const char *path, struct mount_entry *ret, struct error *err)
{
	struct search s = {.path = path, .is_exact = true};

	return search_mounts(&s, ret, err);
}

int mounts_containing(const char *path, struct mount_entry *ret, struct error *err)
{
	struct search s = {.path = path};

	return search_mounts(&s, ret, err);
}

/* The directory resolved, the last component kept as it stands. */
static char *resolve_parent(const char *absolute)
{
	CLEANUP(freep) char *copy = str_dup(str_of(absolute));
	CLEANUP(freep) char *parent = NULL;
	char *base;
	size_t len;

	if (!copy)
		return NULL;
	len = strlen(copy);
	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	base = strrchr(copy, '/');
	if (!base || !base[1] || !strcmp(base + 1, ".") || !strcmp(base + 1, ".."))
		return NULL;
	*base++ = '\0';
	parent = realpath(copy[0] ? copy : "/", NULL);
	if (!parent)
		return NULL;
	return str_format("%s/%s", strcmp(parent, "/") ? parent : "", base);
}

int mounts_resolve(const char *path, char **ret, struct error *err)
{
	CLEANUP(freep) char *absolute = paths_absolute(path);
	CLEANUP(freep) char *by_parent = NULL;
	CLEANUP(mount_entry_release) struct mount_entry e = MOUNT_ENTRY_INIT;
	struct error ignored;
	char *full;

	if (!absolute)
		return error_errno(err, errno ? errno : ENOMEM, "cannot resolve '%s'", path);
	by_parent = resolve_parent(absolute);
	/* A mount's own root is not touched: its daemon may be dead or hang. */
	if (by_parent && mounts_at(by_parent, &e, &ignored) == 0 && mount_entry_is_skydir(&e)) {
		*ret = steal(by_parent);
		return 0;
	}
	full = realpath(absolute, NULL);
	if (!full && (errno == ENOENT || errno == ENOTCONN) && by_parent)
		full = steal(by_parent);
	if (!full)
		return error_errno(err, errno, "cannot resolve '%s'", path);
	*ret = full;
	return 0;
}

/* Waits for a child; kills it when the time is over. Its wait status, or -ETIMEDOUT. */
static int wait_child(pid_t pid, unsigned timeout_ms)
{
	CLEANUP(closep) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	bool is_late = pidfd >= 0 && poll(&p, 1, (int)timeout_ms) == 0;
	int status = 0;

	if (is_late) {
		(void)kill(
			pid,
			SIGKILL); /* a child stuck in the kernel may not end; it is left behind */
		(void)waitpid(pid, &status, WNOHANG);
		return -ETIMEDOUT;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

int mounts_probe(const char *path, unsigned timeout_ms)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		struct stat st;
		struct statfs sfs;
		int failed = lstat(path, &st) < 0 || statfs(path, &sfs) < 0;

		_exit(failed ? (errno > 0 && errno < 255 ? errno : 255) : 0);
	}
	status = wait_child(pid, timeout_ms);
	if (status < 0)
		return status;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

/* Runs fusermount3 -u and keeps the first line it says. */
static int run_fusermount(const char *path, char said[160])
{
	char *argv[] = {(char[]){"fusermount3"}, (char[]){"-u"}, (char[]){"--"}, NULL, NULL};
	CLEANUP(freep) char *copy = str_dup(str_of(path));
	CLEANUP(closep) int from = -1;
	posix_spawn_file_actions_t actions;
	int fds[2], r, status;
	ssize_t n;
	pid_t pid;

	if (!copy || pipe2(fds, O_CLOEXEC) < 0)
		return -ENOMEM;
	argv[3] = copy;
	from = fds[0];
	r = posix_spawn_file_actions_init(&actions);
	if (r == 0) {
		r = posix_spawn_file_actions_adddup2(&actions, fds[1], STDERR_FILENO);
		if (r == 0)
			r = posix_spawnp(&pid, "fusermount3", &actions, NULL, argv, environ);
		(void)posix_spawn_file_actions_destroy(&actions); /* cannot fail in glibc */
	}
	(void)close(fds[1]);
	if (r != 0)
		return -r;
	n = read(from, said, 159);
	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	status = wait_child(pid, 30000);
	return status < 0 ? status : WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}

int mounts_unmount(const char *path, struct error *err)
{
	char said[160] = "";
	int r;

	if (umount2(path, UMOUNT_NOFOLLOW) == 0)
		return 0;
	if (errno == EBUSY)
		return error_set(err, ERR_CONFLICT,
				 "cannot unmount '%s': it is in use (close what uses it)", path);
	r = run_fusermount(path, said);
	if (r == -ENOENT)
		return error_set(err, ERR_UNSUPPORTED,
				 "cannot unmount '%s': fusermount3 is missing (install fuse3)",
				 path);
	if (r < 0)
		return error_set(err, ERR_CONFLICT, "cannot unmount '%s': %s", path,
				 said[0] ? said : "fusermount3 failed");
	return 0;
}
