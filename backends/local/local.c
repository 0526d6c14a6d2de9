/*
 * The store over a directory. What a person finds:
 *
 *	ROOT/BUCKET/path/to/file	the object `path/to/file`, its bytes and nothing else
 *	ROOT/.skydir/			everything a person need not see:
 *	    tmp/			files on their way; swept when a day old
 *	    lock-NN			flock: names of a bucket change (64, shared by hash)
 *	    side/INODE			records of objects where extended attributes do not work (record.c)
 *	    buckets/BUCKET/policy.json, versioning ("on" or "suspended")
 *	    buckets/BUCKET/uploads/ID/	unfinished uploads: `upload` and one file NNNNN-TAG for each part
 *	    buckets/BUCKET/versions/	old versions: PATH%v/SEQUENCE-ID, and SEQUENCE-ID.d for delete markers
 *
 * A file put there by other tools is an object; a directory is no object, and goes with the last object in it.
 * Symlinks, pipes and devices are no objects and are never followed or opened for writing.
 *
 * Names. A key is cut at '/'; each component is a name on disk as it stands, except (names.c):
 *	BYTES%=		a component that is empty, "." or "..", or that ends in one of these four marks: its bytes
 *			with %25 for '%' (and %2e for the dots of "." and ".."); `a//b` is a/%=/b, `a/` is a/%=
 *	NAME%@		the object `x` where `x/y` exists too (made and undone as needed)
 *	PIECE%+/REST	a component over 253 bytes: directories of 240 bytes each, and the rest
 *	NAME%v		in versions/: the directory of the old versions of one object
 * Each key has one canonical name; a file whose name is no canonical name is not an object and is left alone.
 *
 * Atomicity. A new object is written and synced as a file in tmp/, with its record, and renamed into place under the
 * commit lock of its bucket, after the conditions were checked; then the directory is synced. Readers take no lock:
 * they open one file, and all they tell comes from it. Its version is random and stands in the record; a file changed
 * by other tools is noticed by size, time and inode (record.c).
 *
 * Appends write into the file itself, first marked so in its record; what a crash leaves there does not count.
 */
#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "backends/local/local_impl.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#define TEMP_AGE_S (24 * 3600) /* older than any upload that is still under way */

static int local_describe(struct store *s, struct buf *ret, struct error *err)
{
	if (buf_addf(ret, "directory '%s'%s", local_of(s)->root,
		     local_of(s)->skips_fsync ? ", without fsync" : "") < 0)
		return error_set(err, ERR_TOO_LARGE, "no room to describe '%s'", s->name);
	return 0;
}

static void local_free(struct store *s)
{
	struct local *l = local_of(s);
	const int fds[] = { l->root_fd, l->tmp_fd, l->side_fd, l->buckets_fd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]); /* directories */
	for (unsigned i = 0; i < LOCAL_STRIPES; i++) {
		if (l->commit[i].fd >= 0)
			(void)close(l->commit[i].fd); /* nothing was written */
		lock_destroy(&l->commit[i].lock);
	}
	snapshots_free(l->snapshots);
	free(l->root);
	free(l);
}

static const struct store_ops local_ops = {
	.type = "local",
	.list = local_list,
	.head = local_head,
	.get = local_get,
	.put = local_put,
	.delete = local_delete,
	.delete_many = local_delete_many,
	.copy = local_copy,
	.set_meta = local_set_meta,
	.upload_begin = local_upload_begin,
	.upload_part = local_upload_part,
	.part_copy = local_part_copy,
	.upload_complete = local_upload_complete,
	.upload_abort = local_upload_abort,
	.upload_parts = local_upload_parts,
	.upload_list = local_upload_list,
	.bucket_list = local_bucket_list,
	.bucket_create = local_bucket_create,
	.bucket_delete = local_bucket_delete,
	.bucket_exists = local_bucket_exists,
	.versioning_get = local_versioning_get,
	.versioning_set = local_versioning_set,
	.list_versions = local_list_versions,
	.policy_get = local_policy_get,
	.policy_set = local_policy_set,
	.presign = NULL, /* nobody serves the directory over HTTP */
	.append = local_append,
	.compose = local_compose,
	.rename = local_rename,
	.describe = local_describe,
	.free = local_free,
};

/* A directory of ours below ROOT: made when missing, never a symlink. */
static int open_own(struct local *l, const char *path, int *ret_fd, struct error *err)
{
	if (mkdirat(l->root_fd, path, 0755) < 0 && errno != EEXIST)
		return error_errno(err, errno, "making '%s/%s'", l->root, path);
	*ret_fd = tree_open(l->root_fd, path, O_RDONLY | O_DIRECTORY);
	if (*ret_fd < 0) {
		int errnum = -*ret_fd;

		*ret_fd = -1;
		return error_errno(err, errnum, "'%s/%s'", l->root, path);
	}
	return 0;
}

/* What a process that died left behind. */
static void sweep(struct local *l)
{
	int fd = tree_open(l->tmp_fd, "", O_RDONLY | O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while ((e = readdir(dir))) {
		struct stat st;

		if (e->d_name[0] == '.' || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    clock_wall_s() - st.st_mtim.tv_sec <= TEMP_AGE_S)
			continue;
		if (S_ISREG(st.st_mode))
			(void)unlinkat(fd, e->d_name, 0); /* the next start tries again */
		else if (S_ISDIR(st.st_mode))
			(void)tree_delete_all(fd, e->d_name); /* an upload that was begun or aborted */
	}
	(void)closedir(dir);
}

static int open_root(struct local *l, const char *root, struct error *err)
{
	int state = -1, r = fileio_make_dirs(root, 0700, err);

	if (r < 0)
		return r;
	/* The root itself may be reached through symlinks: it is the user's choice. */
	l->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->root_fd < 0)
		return error_errno(err, errno, "'%s'", root);
	r = open_own(l, LOCAL_STATE_DIR, &state, err);
	if (r < 0)
		return r;
	(void)close(state); /* made; its parts are opened below */
	r = open_own(l, LOCAL_STATE_DIR "/tmp", &l->tmp_fd, err);
	if (r >= 0)
		r = open_own(l, LOCAL_STATE_DIR "/side", &l->side_fd, err);
	if (r >= 0)
		r = open_own(l, LOCAL_STATE_DIR "/buckets", &l->buckets_fd, err);
	if (r >= 0)
		sweep(l);
	return r;
}

int local_store_new_with(const char *name, const struct local_options *options, struct store **ret,
			 struct error *err)
{
	struct local *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return error_set(err, ERR_NO_MEMORY, "no memory for store '%s'", name);
	l->root_fd = l->tmp_fd = l->side_fd = l->buckets_fd = -1;
	for (unsigned i = 0; i < LOCAL_STRIPES; i++) {
		lock_init_ranked(&l->commit[i].lock, LOCK_STORE);
		l->commit[i].fd = -1;
	}
	l->skips_fsync = options->skips_fsync;
	l->uses_side_files = options->uses_side_files;
	l->root = strdup(options->root);
	l->snapshots = snapshots_new();
	l->store = (struct store){
		.ops = &local_ops,
		.name = strdup(name),
		.caps = STORE_CAP_CONDITIONAL_PUT | STORE_CAP_CONDITIONAL_DELETE | STORE_CAP_COPY |
			STORE_CAP_PART_COPY | STORE_CAP_APPEND | STORE_CAP_COMPOSE |
			STORE_CAP_RENAME | STORE_CAP_LIST_METADATA | STORE_CAP_DELETE_MANY |
			STORE_CAP_VERSIONING | STORE_CAP_BUCKETS | STORE_CAP_FLAT,
		.limits = { .max_object_bytes = INT64_MAX,
			    .max_put_bytes = INT64_MAX,
			    .max_copy_bytes = INT64_MAX,
			    .min_part_bytes = 1,
			    .max_part_bytes = INT64_MAX,
			    .max_parts = 10000,
			    .max_list_keys = 1000,
			    .max_metadata_bytes = 8192 },
	};
	if (!l->root || !l->snapshots || !l->store.name)
		r = error_set(err, ERR_NO_MEMORY, "no memory for store '%s'", name);
	else
		r = open_root(l, options->root, err);
	if (r < 0) {
		store_free(&l->store);
		return error_prefix(err, r, "store '%s'", name);
	}
	*ret = &l->store;
	return 0;
}

int local_store_new(const char *name, const char *root, struct store **ret, struct error *err)
{
	return local_store_new_with(name, &(struct local_options){ .root = root }, ret, err);
}
