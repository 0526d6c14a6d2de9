#include "control/paths.h"

#include "backends/base/buf.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

void paths_fix_home(void)
{
	const char *home = getenv("HOME");
	struct passwd *entry;

	if (home && home[0] == '/')
		return;
	entry = getpwuid(geteuid());
	(void)setenv("HOME",
		     entry && entry->pw_dir && entry->pw_dir[0] == '/' ? entry->pw_dir : "/",
		     1); /* without memory HOME stays unset and later look-ups say so */
}

/* $variable when it is an absolute path, else ~/fallback. */
static char *xdg_dir(const char *variable, const char *fallback)
{
	const char *value = getenv(variable);
	const char *home = getenv("HOME");

	if (value && value[0] == '/') /* the XDG specification: relative values are to be ignored */
		return str_dup(str_of(value));
	return str_format("%s/%s", home ? home : "", fallback);
}

char *paths_config_file(void)
{
	CLEANUP(freep) char *dir = xdg_dir("XDG_CONFIG_HOME", ".config");

	return dir ? str_format("%s/skydir/skydir.conf", dir) : NULL;
}

char *paths_data_home(void)
{
	return xdg_dir("XDG_DATA_HOME", ".local/share");
}

char *paths_state_dir(void)
{
	CLEANUP(freep) char *home = xdg_dir("XDG_STATE_HOME", ".local/state");

	return home ? str_format("%s/skydir", home) : NULL;
}

char *paths_absolute(const char *path)
{
	CLEANUP(freep) char *cwd = NULL;

	if (path[0] == '/')
		return str_dup(str_of(path));
	cwd = getcwd(NULL, 0);
	return cwd ? str_format("%s/%s", strcmp(cwd, "/") ? cwd : "", path) : NULL;
}

/* Opens (and makes) a directory for us alone. */
static int open_private(const char *path, enum paths_mode mode, int *ret_fd, struct error *err)
{
	CLEANUP(closep) int fd = -1;
	struct stat st;

	if (mode == PATHS_MAKE && mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_errno(err, errno, "cannot make '%s'", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0)
		return error_errno(err, errno, "cannot check '%s'", path);
	if (st.st_uid != geteuid())
		return error_set(err, ERR_PERMISSION, "'%s' belongs to somebody else", path);
	if (st.st_mode & 077)
		return error_set(err, ERR_PERMISSION, "'%s' is open to others (chmod 700 it)",
				 path);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* Whether a runtime directory given by the system is there and ours. */
static bool is_ours(const char *path)
{
	struct stat st;

	return path[0] == '/' && stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid();
}

int paths_runtime_open(unsigned i, enum paths_mode mode, int *ret_fd, char **ret_path,
		       struct error *err)
{
	const char *only = getenv("SKYDIR_RUNTIME_DIR"), *xdg = getenv("XDG_RUNTIME_DIR");
	CLEANUP(freep) char *path = NULL;
	char base[64];
	int r;

	if (only && only[0] && i > 0)
		return error_set(err, ERR_NOT_FOUND, "SKYDIR_RUNTIME_DIR names the only directory");
	(void)snprintf(base, sizeof base, "/run/user/%u", (unsigned)geteuid());
	if (only && only[0]) {
		path = paths_absolute(only);
	} else if (i == 0) {
		if (!xdg || !is_ours(xdg))
			return error_set(err, ERR_NOT_FOUND,
					 "XDG_RUNTIME_DIR is not set or not ours");
		path = str_format("%s/skydir", xdg);
	} else if (i == 1) {
		if (!is_ours(base) || (xdg && !strcmp(xdg, base)))
			return error_set(err, ERR_NOT_FOUND, "'%s' is not there or not ours", base);
		path = str_format("%s/skydir", base);
	} else {
		path = str_format("/tmp/skydir-%u", (unsigned)geteuid());
	}
	if (!path)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = open_private(path, mode, ret_fd, err);
	if (r == 0)
		*ret_path = steal(path);
	return r;
}

int paths_runtime_make(int *ret_fd, char **ret_path, struct error *err)
{
	int r = -ENOENT;

	for (unsigned i = 0; i < PATHS_RUNTIME_DIRS; i++) {
		struct error local = ERROR_INIT;

		r = paths_runtime_open(i, PATHS_MAKE, ret_fd, ret_path, &local);
		if (r == 0)
			return 0;
		if (i == 0 || local.kind != ERR_NOT_FOUND)
			*err = local;
	}
	return error_prefix(err, r, "no directory for the control socket");
}
