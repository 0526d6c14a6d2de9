#include "fake.h"

#include "backends/base/fileio.h"
#include "backends/base/lock.h"

#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

struct fake_fs fake_fs;
static struct lock last_lock = LOCK_INIT; /* syncs run beside each other */

void fake_reset(void)
{
	memset(&fake_fs, 0, sizeof fake_fs);
}

char *fake_make_dir(void)
{
	char *dir = str_dup(str_of("/tmp/skydir-test-XXXXXX"));

	if (!dir || !mkdtemp(dir))
		abort();
	return dir;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

void fake_remove_dir(char *dir)
{
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(dir);
}

void fake_write(const char *path, const char *text, unsigned mode)
{
	if (fileio_replace_file(path, str_of(text), mode, NULL) < 0 || chmod(path, mode) < 0)
		abort();
}

/* ---- fs/fs.h ---- */

struct fs {
	struct lock lock;
	struct cond changed;
	bool is_stopped; /* guarded by lock */
	char *source, *mountpoint;
};

int fs_new(const struct fs_options *options, struct store *const *stores, size_t store_count,
	   const char *source, struct fs **ret, struct error *err)
{
	struct fs *fs;

	(void)stores, (void)store_count;
	(void)snprintf(fake_fs.last_cache_dir, sizeof fake_fs.last_cache_dir, "%s",
		       options->cache_dir);
	if (fake_fs.conflicts) {
		fake_fs.conflicts--;
		return error_set(err, ERR_CONFLICT, "'%s' is in use by process 1",
				 options->cache_dir);
	}
	fs = calloc(1, sizeof *fs);
	if (!fs)
		abort();
	lock_init(&fs->lock);
	cond_init(&fs->changed);
	fs->source = str_dup(str_of(source));
	*ret = fs;
	return 0;
}

int fs_mount(struct fs *fs, const char *mountpoint, struct error *err)
{
	if (fake_fs.mount_error)
		return error_set(err, (enum error_kind)fake_fs.mount_error,
				 "there is no bucket 'x'");
	fs->mountpoint = str_dup(str_of(mountpoint));
	return 0;
}

int fs_run(struct fs *fs, struct error *err)
{
	LOCKED(&fs->lock);
	(void)err;
	while (!fs->is_stopped && !fake_fs.ends)
		cond_wait(&fs->changed, &fs->lock);
	return 0;
}

void fs_stop(struct fs *fs)
{
	LOCKED(&fs->lock);
	fake_fs.stops++;
	fs->is_stopped = true;
	cond_broadcast(&fs->changed);
}

void fs_free(struct fs *fs)
{
	if (!fs)
		return;
	fake_fs.frees++;
	cond_destroy(&fs->changed);
	lock_destroy(&fs->lock);
	free(fs->source);
	free(fs->mountpoint);
	free(fs);
}

int fs_status(struct fs *fs, struct json_object **ret, struct error *err)
{
	struct json_object *o = json_object_new_object(), *dirty = json_object_new_object();

	(void)err;
	json_object_object_add(dirty, "files", json_object_new_int(3));
	json_object_object_add(dirty, "bytes", json_object_new_int(4096));
	json_object_object_add(o, "mountpoint",
			       fs->mountpoint ? json_object_new_string(fs->mountpoint) : NULL);
	json_object_object_add(o, "source", json_object_new_string(fs->source));
	json_object_object_add(o, "dirty", dirty);
	json_object_object_add(o, "pending", json_object_new_int(2));
	json_object_object_add(o, "name", json_object_new_string("not \xff utf-8"));
	*ret = o;
	return 0;
}

int fs_status_offline(const char *cache_dir, struct json_object **ret, struct error *err)
{
	(void)cache_dir;
	if (!fake_fs.offline)
		return error_set(err, ERR_NOT_FOUND, "no journal");
	*ret = NULL;
	return json_object_deep_copy(fake_fs.offline, ret, NULL);
}

int fs_sync(struct fs *fs, const char *path, uint64_t deadline_mono_ms, struct cancel *cancel,
	    void (*progress)(void *arg, const struct fs_progress *p), void *arg,
	    struct json_object **ret_failures, struct error *err)
{
	unsigned calls = fake_fs.progress_calls;

	(void)fs, (void)deadline_mono_ms;
	fake_fs.syncs++;
	lock_take(&last_lock);
	(void)snprintf(fake_fs.last_path, sizeof fake_fs.last_path, "%s", path);
	lock_drop(&last_lock);
	for (unsigned i = 0; i < calls || fake_fs.blocks; i++) {
		struct fs_progress p = {.files_left = 1, .bytes_left = calls, .bytes_sent = i};

		if (cancel_is_fired(cancel)) {
			fake_fs.was_cancelled = true;
			return error_set(err, ERR_CANCELLED, "cancelled");
		}
		if (progress)
			progress(arg, &p);
		(void)poll(NULL, 0, 10);
	}
	if (fake_fs.fails) {
		struct json_object *f = json_object_new_object();

		json_object_object_add(f, "path", json_object_new_string("/s3/b/x"));
		json_object_object_add(f, "error", json_object_new_string("access denied"));
		json_object_object_add(f, "kind", json_object_new_string("permission"));
		if (ret_failures) {
			*ret_failures = json_object_new_array();
			json_object_array_add(*ret_failures, f);
		} else {
			json_object_put(f);
		}
		return error_set(err, ERR_PERMISSION, "access denied");
	}
	return 0;
}

/* ---- backends/providers.h, backends/http/engine.h ---- */

static int fake_describe(struct store *s, struct buf *ret, struct error *err)
{
	(void)err;
	return buf_addf(ret, "fake store %s", s->name);
}

static int fake_buckets(struct store *s, struct store_bucket_page *ret, struct error *err)
{
	(void)s, (void)err;
	ret->count = 0;
	return 0;
}

static void fake_free(struct store *s)
{
	free(s); /* the name is store_free's */
}

static const struct store_ops fake_ops = {
	.type = "fake", .describe = fake_describe, .bucket_list = fake_buckets, .free = fake_free};

static int fake_store_new(const struct backend_context *context, const char *name,
			  const struct provider_value *values, size_t count, struct store **ret,
			  struct error *err)
{
	struct store *s;

	(void)context;
	for (size_t i = 0; i < count; i++)
		if (!strcmp(values[i].key, "region") && !strcmp(values[i].value, "broken"))
			return error_set(err, ERR_CONFIG, "%s: bad region", values[i].origin);
	s = calloc(1, sizeof *s);
	if (!s)
		abort();
	s->ops = &fake_ops;
	s->name = str_dup(str_of(name));
	*ret = s;
	return 0;
}

static bool has_fake_credentials(const struct backend_context *context)
{
	return context->getenv("FAKE_S3_KEY") != NULL;
}

static const struct provider_option s3_options[] = {
	{"endpoint", "where", false},
	{"region", "which", false},
	{"secret-access-key", "the secret", true},
	{NULL, NULL, false},
};
static const struct provider_option local_options[] = {{"root", "directory", false},
						       {NULL, NULL, false}};
static const struct provider fake_s3 = {"s3", "S3", s3_options, has_fake_credentials,
					fake_store_new};
static const struct provider fake_local = {"local", "directory", local_options, NULL,
					   fake_store_new};
const struct provider *const providers[] = {&fake_s3, &fake_local, NULL};

const struct provider *provider_find(const char *type)
{
	for (size_t i = 0; providers[i]; i++)
		if (!strcmp(providers[i]->type, type))
			return providers[i];
	return NULL;
}

int provider_store_new(const struct backend_context *context, const char *type, const char *name,
		       const struct provider_value *values, size_t count, struct store **ret,
		       struct error *err)
{
	return provider_find(type)->store_new(context, name, values, count, ret, err);
}

bool provider_knows(const char *type, const char *key)
{
	const struct provider *p = provider_find(type);

	for (const struct provider_option *o = p ? p->options : NULL; o && o->key; o++)
		if (!strcmp(o->key, key))
			return true;
	return false;
}
