#include "backends/base/fileio.h"
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

int fileio_pread_all(int fd, void *data, size_t len, uint64_t offset)
{
	char *to = data;
	while (len > 0) {
		ssize_t n = pread(fd, to, len, (off_t)offset);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			return -ENODATA;
		to += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int fileio_pwrite_all(int fd, const void *data, size_t len, uint64_t offset)
{
	const char *from = data;
	while (len > 0) {
		ssize_t n = pwrite(fd, from, len, (off_t)offset);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			return -EIO; /* never said by a regular file; do not spin on it */
		from += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int fileio_write_all(int fd, const void *data, size_t len)
{
	const char *from = data;
	while (len > 0) {
		ssize_t n = write(fd, from, len);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			return -EIO;
		from += n;
		len -= (size_t)n;
	}
	return 0;
}

static int read_to_end(int fd, const char *path, struct buf *ret, struct error *err)
{
	for (;;) {
		/* One byte of room more than the limit allows is asked for below, to see the end. */
		size_t room = ret->limit - ret->len;
		char beyond;
		char *to = &beyond;
		size_t want = 1;
		if (room > 0) {
			want = room < 65536 ? room : 65536;
			int r = buf_reserve(ret, want);
			if (r < 0)
				return error_errno(err, -r, "reading '%s'", path);
			to = ret->data + ret->len;
		}
		ssize_t n = read(fd, to, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "reading '%s'", path);
		if (n == 0)
			return 0;
		if (room == 0)
			return error_set(err, ERR_TOO_LARGE, "'%s' is larger than %zu bytes", path,
					 ret->limit);
		ret->len += (size_t)n;
		ret->data[ret->len] = '\0';
	}
}

int fileio_read_file(const char *path, struct buf *ret, struct error *err)
{
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return error_errno(err, errno, "opening '%s'", path);
	struct buf whole = BUF_INIT(ret->limit);
	int r = read_to_end(fd, path, &whole, err);
	if (r < 0) {
		buf_release(&whole);
		return r;
	}
	buf_release(ret);
	*ret = whole;
	return 0;
}

static int write_beside(int fd, const char *temp, struct str content, mode_t mode, struct error *err)
{
	if (fchmod(fd, mode) < 0)
		return error_errno(err, errno, "setting the mode of '%s'", temp);
	int r = fileio_write_all(fd, content.ptr, content.len);
	if (r < 0)
		return error_errno(err, -r, "writing '%s'", temp);
	/* Without it a power cut may leave the new name with nothing in it. */
	if (fdatasync(fd) < 0)
		return error_errno(err, errno, "syncing '%s'", temp);
	return 0;
}

int fileio_replace_file(const char *path, struct str content, mode_t mode, struct error *err)
{
	CLEANUP(freep) char *temp = str_format("%s.XXXXXX", path);
	if (!temp)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	CLEANUP(closep) int fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "creating '%s'", temp);
	int r = write_beside(fd, temp, content, mode, err);
	if (r == 0 && rename(temp, path) < 0)
		r = error_errno(err, errno, "renaming '%s' to '%s'", temp, path);
	if (r < 0)
		(void)unlink(temp); /* the first failure is the one to report */
	return r;
}

static int make_dir(const char *path, mode_t mode, struct error *err)
{
	struct stat st;
	if (mkdir(path, mode) == 0)
		return 0;
	int saved = errno;
	/* Whatever mkdir says (EEXIST, EROFS, EACCES on a parent of ours): a directory there is enough. */
	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		saved = ENOTDIR;
	}
	return error_errno(err, saved, "making directory '%s'", path);
}

int fileio_make_dirs(const char *path, mode_t mode, struct error *err)
{
	CLEANUP(freep) char *part = str_dup(str_of(path));
	if (!part)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (part[0] == '\0')
		return error_set(err, ERR_INVALID, "making directory '': empty path");
	for (char *p = part + 1; *p; p++) {
		if (*p != '/' || p[-1] == '/')
			continue;
		*p = '\0';
		/* What lies between must be searchable and writable by us, or the next step fails. */
		int r = make_dir(part, mode | S_IWUSR | S_IXUSR, err);
		if (r < 0)
			return r;
		*p = '/';
	}
	return make_dir(part, mode, err);
}

char *fileio_expand_home(const char *path)
{
	if (path[0] != '~' || (path[1] != '/' && path[1] != '\0'))
		return str_dup(str_of(path)); /* "~name" is a file of that name, not someone's home */
	const char *home = getenv("HOME");
	if (home && home[0] != '\0')
		return str_format("%s%s", home, path + 1);
	struct passwd entry, *found = NULL;
	char text[4096];
	if (getpwuid_r(getuid(), &entry, text, sizeof(text), &found) != 0 || !found)
		return NULL;
	return str_format("%s%s", found->pw_dir, path + 1);
}

void fileio_boot_id(char ret[FILEIO_BOOT_ID_SIZE])
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(256);

	ret[0] = '\0';
	if (fileio_read_file("/proc/sys/kernel/random/boot_id", &text, NULL) == 0)
		(void)snprintf(ret, FILEIO_BOOT_ID_SIZE, "%.*s", (int)strcspn(buf_cstr(&text), "\n"), buf_cstr(&text));
}
