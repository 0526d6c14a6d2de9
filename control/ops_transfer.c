/*
 * objects.upload and objects.download: which files go where; transfer.c moves them.
 */
#include "control/transfer.h"

#include "backends/base/fileio.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define ITEMS_MAX ((size_t)10000000)
#define DEPTH_MAX 256

struct plan {
	struct transfer t;
	struct storage_place place;
	size_t capacity;
	struct store_meta *meta;
};
static void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->t.count; i++) {
		free(p->t.items[i].file);
		free(p->t.items[i].key);
	}
	free(p->t.items);
	free(p->meta);
	storage_place_release(&p->place);
}

/* Takes file and key, which may be NULL for want of memory. */
static int add_item(struct plan *p, char *file, char *key, uint64_t size, const char *version, struct error *err)
{
	int r = file && key ? 0 : error_no_memory(err);

	if (r == 0 && p->t.count == p->capacity) {
		size_t capacity = p->capacity ? 2 * p->capacity : 16;
		struct transfer_item *items = capacity <= ITEMS_MAX ? realloc(p->t.items, capacity * sizeof *items) : NULL;

		if (items) {
			p->t.items = items;
			p->capacity = capacity;
		} else {
			r = error_no_memory(err);
		}
	}
	if (r < 0) {
		free(file);
		free(key);
		return r;
	}
	p->t.items[p->t.count] = (struct transfer_item){ .file = file, .key = key, .size = size };
	(void)snprintf(p->t.items[p->t.count].version, STORE_VERSION_MAX, "%s", version); /* fits: a version */
	p->t.count++;
	return 0;
}

static void common(struct plan *p, const struct op_call *call)
{
	p->t.call = call;
	p->t.store = p->place.store;
	p->t.bucket = p->place.bucket;
	p->t.parallel = (unsigned)json_get_int64(call->params, "parallel", 0);
}

/* ---- results ---- */

static struct json_object *item_record(const struct plan *p, const struct transfer_item *item)
{
	CLEANUP(freep) char *path = str_format("/%s/%s/%s", p->t.store->name, p->t.bucket, item->key);
	struct json_object *o = json_object_new_object();

	if (!o || !path) {
		json_object_put(o);
		return NULL;
	}
	json_object_object_add(o, "path", json_object_new_string(path));
	json_object_object_add(o, "file", json_object_new_string(item->file));
	json_object_object_add(o, "size", json_object_new_uint64(item->size));
	json_object_object_add(o, "version", *item->version ? json_object_new_string(item->version) : NULL);
	json_object_object_add(o, "resumed_bytes", json_object_new_uint64(item->resumed_bytes));
	return o;
}

/* The only file's failure is the operation's; of several, each is told beside those that went well. */
static int finish(struct plan *p, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	CLEANUP(json_putp) struct json_object *errors = json_object_new_array();
	size_t failed = 0;
	int r = transfer_run(&p->t, err);

	if (r < 0)
		return r;
	if (p->t.count == 1 && p->t.items[0].result < 0) {
		*err = p->t.items[0].err;
		return p->t.items[0].result;
	}
	for (size_t i = 0; list && errors && i < p->t.count; i++) {
		struct json_object *record;

		if (p->t.items[i].result < 0) {
			failed += op_add_failure(errors, p->place.store->name,
						 p->t.is_upload ? p->t.items[i].file : p->t.items[i].key,
						 &p->t.items[i].err) == 0;
			continue;
		}
		record = item_record(p, &p->t.items[i]);
		if (!record || json_object_array_add(list, record) != 0) {
			json_object_put(record);
			return error_no_memory(err);
		}
	}
	*ret = list && errors ? op_items(steal(list)) : NULL;
	if (*ret && failed)
		json_object_object_add(*ret, "errors", steal(errors));
	return *ret ? 0 : error_no_memory(err);
}

/* ---- upload ---- */

static int add_directory(struct plan *p, int parent, const char *name, const char *path, const char *prefix, unsigned depth,
			 struct error *err);

static int add_entry(struct plan *p, int dir, const char *name, const char *path, const char *prefix, unsigned depth,
		     struct error *err)
{
	CLEANUP(freep) char *below = str_format("%s/%s", path, name);
	struct stat st;

	if (!below)
		return error_no_memory(err);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, errno, "cannot read '%.150s'", below);
	if (S_ISDIR(st.st_mode)) {
		CLEANUP(freep) char *more = str_format("%s%s/", prefix, name);

		return more ? add_directory(p, dir, name, below, more, depth + 1, err) : error_no_memory(err);
	}
	if (!S_ISREG(st.st_mode)) /* links could lead anywhere; devices have no content */
		return 0;
	return add_item(p, strdup(below), str_format("%s%s", prefix, name), (uint64_t)st.st_size, "", err);
}

static int add_directory(struct plan *p, int parent, const char *name, const char *path, const char *prefix, unsigned depth,
			 struct error *err)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	DIR *dir = fd >= 0 && depth < DEPTH_MAX ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!dir) {
		r = error_errno(err, depth < DEPTH_MAX ? errno : ELOOP, "cannot read '%.150s'", path);
		if (fd >= 0)
			(void)close(fd); /* only read */
		return r;
	}
	while (r == 0 && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = add_entry(p, dirfd(dir), entry->d_name, path, prefix, depth, err);
	(void)closedir(dir); /* only read */
	return r;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A directory's content goes right behind the key; a file's name does where the key is a prefix. */
static int add_source(struct plan *p, const char *path, bool is_recursive, bool is_prefix, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return error_errno(err, errno, "cannot read '%.150s'", path);
	if (S_ISDIR(st.st_mode)) {
		CLEANUP(freep) char *prefix = str_format("%s%s", p->place.key, is_prefix || !*p->place.key ? "" : "/");

		if (!is_recursive)
			return error_set(err, ERR_INVALID, "'%.150s' is a directory (--recursive uploads what is in it)", path);
		return prefix ? add_directory(p, AT_FDCWD, path, path, prefix, 0, err) : error_no_memory(err);
	}
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_INVALID, "'%.150s' is no file", path);
	return add_item(p, strdup(path), str_format("%s%s", p->place.key, is_prefix ? base_name(path) : ""), (uint64_t)st.st_size,
			"", err);
}

static int take_meta(struct plan *p, const struct op_call *call, struct error *err)
{
	struct json_object *given = json_get(call->params, "metadata");

	p->t.content_type = json_get_string(call->params, "content_type");
	if (!given)
		return 0;
	p->meta = calloc((size_t)json_object_object_length(given) + 1, sizeof *p->meta);
	if (!p->meta)
		return error_no_memory(err);
	p->t.meta = p->meta;
	{
		json_object_object_foreach(given, name, value)
		{
			p->meta[p->t.meta_count++] = (struct store_meta){ name, json_object_get_string(value) };
		}
	}
	return 0;
}

int storage_upload(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(plan_release) struct plan p = { .t = { .is_upload = true } };
	struct json_object *files = json_get_array(call->params, "files");
	size_t count = files ? json_object_array_length(files) : 0, len;
	bool is_recursive = json_get_bool(call->params, "recursive", false), is_prefix;
	int r = storage_place_of(call, "path", STORAGE_PREFIX, &p.place, err);

	if (r == 0)
		r = take_meta(&p, call, err);
	if (r < 0)
		return r;
	len = strlen(p.place.key);
	is_prefix = !len || p.place.key[len - 1] == '/';
	if (count > 1 && !is_prefix)
		return error_set(err, ERR_INVALID, "for several files '%.100s' must end in '/'", json_get_string(call->params, "path"));
	common(&p, call);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_source(&p, json_object_get_string(json_object_array_get_idx(files, i)), is_recursive, is_prefix, err);
	return r < 0 ? r : finish(&p, ret, err);
}

/* ---- download ---- */

struct below {
	struct plan *p;
	const char *dir;
	bool is_forced;
};

/* A key as a path below a directory: never out of it. */
static bool is_safe(const char *key)
{
	struct str rest = str_of(key), part;

	if (!*key || *key == '/')
		return false;
	while ((part = str_split(&rest, '/')).ptr) {
		if (!part.len || str_equal(part, STR(".")) || str_equal(part, STR("..")) || part.len > 240)
			return false;
		if (!rest.ptr)
			break;
	}
	return true;
}

static int refuse_existing(const char *path, bool is_forced, struct error *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		return error_set(err, ERR_EXISTS, "'%.150s' is a directory", path);
	return is_forced ? 0 : error_set(err, ERR_EXISTS, "'%.150s' is there already (--force replaces it)", path);
}

static int add_below(void *arg, const struct store_object *o, struct error *err)
{
	struct below *b = arg;
	const char *name = o->key + strlen(b->p->place.key);
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *dir = NULL;
	int r;

	if (*name == '/')
		name++;
	if (!*name || o->is_directory || name[strlen(name) - 1] == '/') /* a marker */
		return 0;
	if (!is_safe(name))
		return error_set(err, ERR_UNSUPPORTED, "'%.150s' cannot be a path here (download it by its own name)", o->key);
	path = str_format("%s/%s", b->dir, name);
	dir = path ? str_dup((struct str){ path, (size_t)(strrchr(path, '/') - path) }) : NULL;
	if (!dir)
		return error_no_memory(err);
	r = fileio_make_dirs(dir, 0777, err);
	if (r == 0)
		r = refuse_existing(path, b->is_forced, err);
	return r < 0 ? r : add_item(b->p, steal(path), strdup(o->key), o->size, o->version, err);
}

static int plan_tree(struct plan *p, const struct op_call *call, const char *dir, bool is_forced, struct error *err)
{
	struct below below = { p, dir, is_forced };
	struct storage_walk walk = { .prefix = p->place.key, .visit = add_below, .arg = &below };

	return storage_walk(call, &p->place, &walk, err);
}

static int plan_one(struct plan *p, const char *file, bool is_forced, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(freep) char *path = NULL;
	struct store_object o = { .size = 0 };
	struct stat st;
	bool is_dir = stat(file, &st) == 0 && S_ISDIR(st.st_mode);
	const char *name = base_name(p->place.key);
	int r = 0;

	if (is_dir && !is_safe(name))
		return error_set(err, ERR_INVALID, "'%.150s' gives no file name (name the file)", p->place.key);
	path = is_dir ? str_format("%s/%s", file, name) : strdup(file);
	if (!path)
		return error_no_memory(err);
	r = refuse_existing(path, is_forced, err);
	if (r == 0)
		r = store_head(p->place.store, p->place.bucket, p->place.key, p->t.version_id, &arena, &o, err);
	return r < 0 ? r : add_item(p, steal(path), strdup(p->place.key), o.size, o.version, err);
}

int storage_download(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(plan_release) struct plan p = { .t = { .is_upload = false } };
	const char *file = json_get_string(call->params, "file");
	bool is_recursive = json_get_bool(call->params, "recursive", false), is_forced = json_get_bool(call->params, "force", false);
	int r = storage_place_of(call, "path", is_recursive ? STORAGE_PREFIX : STORAGE_OBJECT, &p.place, err);

	if (r < 0)
		return r;
	common(&p, call);
	p.t.version_id = json_get_string(call->params, "version_id");
	if (is_recursive && p.t.version_id)
		return error_set(err, ERR_INVALID, "an old version is downloaded alone, without recursive");
	r = is_recursive ? plan_tree(&p, call, file, is_forced, err) : plan_one(&p, file, is_forced, err);
	return r < 0 ? r : finish(&p, ret, err);
}
