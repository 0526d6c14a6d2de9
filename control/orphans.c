#include "control/orphans.h"

#include "control/daemon.h"
#include "fs/fs.h"

#include <sys/stat.h>

static bool is_same_dir(const char *a, const char *b)
{
	struct stat x, y;

	if (!strcmp(a, b))
		return true;
	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool is_in_use(const char *dir, const struct clients *living)
{
	for (size_t i = 0; i < living->count; i++) {
		struct json_object *about = living->items[i].about;
		const char *its = about ? json_get_string(about, "cache_dir") : NULL;

		if (its && is_same_dir(its, dir))
			return true;
	}
	return false;
}

static int look_at(const char *dir, const struct clients *living,
		   int (*fn)(void *arg, const char *dir, struct json_object *status,
			     struct error *err),
		   void *arg, struct error *err)
{
	CLEANUP(json_putp) struct json_object *status = NULL;
	struct stat st;
	int r;

	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode) || is_in_use(dir, living))
		return 0;
	r = fs_status_offline(dir, &status, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND) {
		*err = ERROR_INIT;
		return 0;
	}
	if (r < 0)
		return error_prefix(err, r, "cannot read what is left in '%s'", dir);
	if (!json_get_int64(status, "dirty.files", 0) && !json_get_int64(status, "pending", 0))
		return 0;
	json_object_object_add(status, "cache_dir", json_object_new_string(dir));
	return fn(arg, dir, status, err);
}

int orphans_each(const char *cache_dir, const struct clients *living,
		 int (*fn)(void *arg, const char *dir, struct json_object *status,
			   struct error *err),
		 void *arg, struct error *err)
{
	int r = look_at(cache_dir, living, fn, arg, err);

	for (int i = 2; i <= DAEMON_CACHE_SIBLINGS && r >= 0; i++) {
		CLEANUP(freep) char *dir = str_format("%s/mount-%d", cache_dir, i);

		if (!dir)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		r = look_at(dir, living, fn, arg, err);
	}
	return r < 0 ? r : 0;
}
