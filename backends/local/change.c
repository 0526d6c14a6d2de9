/* From objects to objects: bytes stay on this disk, and where the file system can, blocks are shared. */
#include "backends/base/clock.h"
#include "backends/local/local_impl.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define COMPOSE_MAX 1000

int local_copy(struct store *s, const char *from_bucket, const char *from_key, const char *bucket,
	       const char *key, const struct store_copy_args *args, char *ret_version,
	       struct error *err)
{
	struct local *l = local_of(s);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(temp_release) struct temp temp = TEMP_INIT;
	struct data_watch w = { .cancel = args->cancel,
				.deadline_mono_ms = args->deadline_mono_ms };
	struct condition condition = { args->if_version, args->if_absent };
	struct record source, record = { 0 };
	struct stat st;
	CLEANUP(closep)
	int fd = object_open(l, from_bucket, from_key, NULL, &arena, &st, &source, err);
	int r = fd < 0 ? fd : object_check_version(args->if_source_version, from_key, &source, err);

	if (r >= 0)
		r = local_bucket_exists(s, bucket, err);
	if (r >= 0)
		r = temp_open(l, &temp, err);
	if (r >= 0)
		r = data_copy(fd, 0, temp.fd, 0, source.size, &w, err);
	if (r < 0)
		return r;
	record.content_type = args->replaces_meta ? args->content_type : source.content_type;
	record.meta = args->replaces_meta ? (struct store_meta *)args->meta : source.meta;
	record.meta_count = args->replaces_meta ? args->meta_count : source.meta_count;
	if (!record.content_type && !args->replaces_meta && strcmp(from_key, key) != 0)
		record.content_type = store_content_type(from_key);
	return object_commit(l, bucket, key, &temp, &record, &condition, ret_version, err);
}

/* The current object, open to be changed in place under the commit lock. */
struct hold {
	struct commit commit;
	struct arena arena;
	struct record record;
	struct stat st;
	int bucket_fd, fd;
	enum versioning state;
};
#define HOLD_INIT ((struct hold){ .arena = ARENA_INIT(1 << 20), .bucket_fd = -1, .fd = -1 })

static void hold_release(struct hold *h)
{
	commit_end(&h->commit);
	closep(&h->fd);
	closep(&h->bucket_fd);
	arena_release(&h->arena);
}

static int hold_begin(struct local *l, const char *bucket, const char *key, const char *if_version,
		      struct hold *h, struct error *err)
{
	int r = commit_begin(l, bucket, &h->commit, err);

	if (r < 0)
		return r;
	h->bucket_fd = bucket_open(l, bucket, err);
	if (h->bucket_fd < 0)
		return h->bucket_fd;
	h->fd = tree_open_object(h->bucket_fd, key, &h->st);
	if (h->fd == -ENOENT)
		return error_set(err, ERR_NOT_FOUND, "no object '%.120s' in bucket '%.60s'", key,
				 bucket);
	if (h->fd < 0)
		return error_errno(err, -h->fd, "'%.150s'", key);
	r = record_read(l, h->fd, key, &h->st, &h->arena, &h->record, err);
	if (r >= 0)
		r = object_check_version(if_version, key, &h->record, err);
	return r < 0 ? r : bucket_versioning(l, bucket, &h->state, err);
}

/* 1: old versions are kept here, so the file must not be changed in place. */
static int set_meta_in_place(struct local *l, const char *bucket, const char *key,
			     const char *if_version, const struct store_meta *meta, size_t count,
			     char *ret_version, struct error *err)
{
	CLEANUP(hold_release) struct hold h = HOLD_INIT;
	int r = hold_begin(l, bucket, key, if_version, &h, err);

	if (r < 0)
		return r;
	if (h.state != VERSIONING_NEVER || (h.record.flags & RECORD_APPENDING))
		return 1;
	h.record.meta = (struct store_meta *)meta;
	h.record.meta_count = count;
	record_fresh_version(h.record.version);
	r = record_write(l, h.fd, key, &h.record, err);
	if (r < 0)
		return r;
	memcpy(ret_version, h.record.version, sizeof(h.record.version));
	commit_end(&h.commit);
	if (!l->skips_fsync && fsync(h.fd) < 0)
		return error_errno(err, errno, "fsync of '%.100s'", key);
	return 0;
}

int local_set_meta(struct store *s, const char *bucket, const char *key, const char *if_version,
		   const struct store_meta *meta, size_t count, char *ret_version,
		   struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_copy_args args = { .if_source_version = if_version,
					.if_version = if_version,
					.replaces_meta = true,
					.meta = meta,
					.meta_count = count };
	char version[STORE_VERSION_MAX];
	struct store_object o;
	int r = set_meta_in_place(local_of(s), bucket, key, if_version, meta, count, version, err);

	if (r == 1) {
		r = local_head(s, bucket, key, NULL, &arena, &o, err);
		if (r < 0)
			return r;
		args.content_type = o.content_type;
		args.if_source_version = args.if_version = o.version;
		if (if_version && *if_version && strcmp(if_version, o.version) != 0)
			return error_set(err, ERR_PRECONDITION, "'%.150s' has changed", key);
		r = local_copy(s, bucket, key, bucket, key, &args, version, err);
	}
	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}

/* A whole new object: for buckets that keep versions. */
static int append_by_copy(struct local *l, const char *bucket, const char *key,
			  const struct hold *h, const struct store_source *source,
			  char *ret_version, struct error *err)
{
	CLEANUP(temp_release) struct temp temp = TEMP_INIT;
	struct data_watch w = { .progress = source->progress };
	struct condition condition = { .if_version = h->record.version };
	struct record record = { .content_type = h->record.content_type,
				 .meta = h->record.meta,
				 .meta_count = h->record.meta_count };
	int r = temp_open(l, &temp, err);

	if (r >= 0)
		r = data_copy(h->fd, 0, temp.fd, 0, h->record.size, &w, err);
	if (r >= 0)
		r = data_from_source(source, temp.fd, h->record.size, &w, err);
	return r < 0 ? r
		     : object_commit(l, bucket, key, &temp, &record, &condition, ret_version, err);
}

/* The file that the commit lock showed, for writing. */
static int open_for_append(const struct hold *h, const char *key, struct error *err)
{
	char name[264];
	struct stat st;
	CLEANUP(closep) int dir = tree_locate(h->bucket_fd, key, name);
	int fd = dir < 0 ? dir : tree_open(dir, name, O_RDWR);

	if (fd < 0)
		return error_errno(err, -fd, "'%.150s'", key);
	if (fstat(fd, &st) == 0 && st.st_ino == h->st.st_ino && S_ISREG(st.st_mode) &&
	    st.st_nlink == 1)
		return fd;
	(void)close(fd);
	return error_set(err, ERR_CONFLICT, "'%.150s' is being changed by other tools", key);
}

/* The bytes are in the file and synced: from now on they count, if the object is still the one that was begun. */
static int append_finish(struct local *l, const char *bucket, const char *key, int fd,
			 struct record *begun, char *ret_version, struct error *err)
{
	CLEANUP(hold_release) struct hold h = HOLD_INIT;
	int r = hold_begin(l, bucket, key, begun->version, &h, err);

	if (r < 0)
		return r;
	if (h.st.st_ino != begun->ino || !(h.record.flags & RECORD_APPENDING))
		return error_set(err, ERR_PRECONDITION, "'%.150s' has changed", key);
	h.record.flags &= ~(unsigned)RECORD_APPENDING;
	record_fresh_version(h.record.version);
	r = record_write(l, fd, key, &h.record, err);
	if (r < 0)
		return r;
	(void)flock(fd, LOCK_UN); /* before the next one looks */
	commit_end(&h.commit);
	if (!l->skips_fsync && fsync(fd) < 0)
		return error_errno(err, errno, "fsync of '%.100s'", key);
	if (ret_version)
		memcpy(ret_version, h.record.version, sizeof(h.record.version));
	return 0;
}

/* Under the lock: the record says that what comes after `at` does not count; the rest of a broken append goes. */
static int append_mark(struct local *l, const char *key, struct hold *h, int fd, struct error *err)
{
	h->record.flags |= RECORD_APPENDING;
	return record_write(l, fd, key, &h->record, err);
}

int local_append(struct store *s, const char *bucket, const char *key, uint64_t at,
		 const struct store_source *source, const char *if_version, char *ret_version,
		 struct error *err)
{
	struct local *l = local_of(s);
	CLEANUP(hold_release) struct hold h = HOLD_INIT;
	CLEANUP(closep) int fd = -1;
	struct data_watch w = { .progress = source->progress };
	int r = hold_begin(l, bucket, key, if_version, &h, err);

	if (r < 0)
		return r;
	if (at != h.record.size)
		return error_set(err, ERR_PRECONDITION, "'%.100s' has %llu bytes", key,
				 (unsigned long long)h.record.size);
	fd = h.state == VERSIONING_NEVER ? open_for_append(&h, key, err) : -1;
	if (h.state == VERSIONING_NEVER && fd < 0)
		return fd;
	/* One append at a time: the flock of the file lasts until fd is closed. */
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, ERR_CONFLICT, "'%.100s' is being appended to", key);
	r = fd >= 0 ? append_mark(l, key, &h, fd, err) : 0;
	commit_end(&h.commit);
	if (r < 0)
		return r;
	if (fd < 0)
		return append_by_copy(l, bucket, key, &h, source, ret_version, err);
	if (ftruncate(fd, (off_t)at) < 0)
		return error_errno(err, errno, "'%.150s'", key);
	r = data_from_source(source, fd, at, &w, err);
	if (r >= 0 && !l->skips_fsync && fsync(fd) < 0)
		r = error_errno(err, errno, "fsync of '%.100s'", key);
	return r < 0 ? r : append_finish(l, bucket, key, fd, &h.record, ret_version, err);
}

int local_compose(struct store *s, const char *bucket, const char *const *keys, size_t count,
		  const char *key, const struct store_put_args *args, char *ret_version,
		  struct error *err)
{
	struct local *l = local_of(s);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(16 << 20);
	CLEANUP(temp_release) struct temp temp = TEMP_INIT;
	struct data_watch w = { .cancel = args->cancel,
				.deadline_mono_ms = args->deadline_mono_ms };
	struct condition condition = { args->if_version, args->if_absent };
	struct record record = { .content_type = args->content_type,
				 .meta = (struct store_meta *)args->meta,
				 .meta_count = args->meta_count };
	uint64_t end = 0;
	int r = count > COMPOSE_MAX ? error_set(err, ERR_TOO_LARGE,
						"more than %d objects to compose", COMPOSE_MAX)
				    : temp_open(l, &temp, err);

	for (size_t i = 0; r >= 0 && i < count; i++) {
		struct record source;
		struct stat st;
		CLEANUP(closep)
		int fd = object_open(l, bucket, keys[i], NULL, &arena, &st, &source, err);

		r = fd < 0 ? fd : data_copy(fd, 0, temp.fd, end, source.size, &w, err);
		if (r >= 0)
			end += source.size;
	}
	return r < 0 ? r
		     : object_commit(l, bucket, key, &temp, &record, &condition, ret_version, err);
}

/* The object that the new name belonged to goes into the history, or with the rename. */
static int replace_target(struct local *l, const char *bucket, const char *key, struct hold *h,
			  struct error *err)
{
	struct record target = { 0 };
	struct stat st;
	bool is_kept = false;
	CLEANUP(closep) int fd = tree_open_object(h->bucket_fd, key, &st);
	int r = fd < 0 && fd != -ENOENT ? error_errno(err, -fd, "'%.150s'", key) : 0;

	if (r < 0 || fd < 0)
		return r;
	r = record_read(l, fd, key, &st, &h->arena, &target, err);
	if (r >= 0)
		r = history_keep(l, bucket, key, h->bucket_fd, &target, h->state, &is_kept, err);
	if (r >= 0 && !is_kept)
		record_forget(l, key, st.st_ino);
	return r;
}

/* Where old versions are kept a rename is a copy and a delete marker, so that both names have their history. */
static int rename_by_copy(struct store *s, const char *bucket, const char *from_key,
			  const char *key, const char *if_source_version, char *ret_version,
			  struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_copy_args args = { 0 };
	struct store_object o;
	int r = local_head(s, bucket, from_key, NULL, &arena, &o, err);

	if (r < 0)
		return r;
	if (if_source_version && *if_source_version && strcmp(if_source_version, o.version) != 0)
		return error_set(err, ERR_PRECONDITION, "'%.150s' has changed", from_key);
	/* Not the caller's text: that may be the very buffer ret_version is. */
	args.if_source_version = o.version;
	r = local_copy(s, bucket, from_key, bucket, key, &args, ret_version, err);
	return r < 0 ? r : local_delete(s, bucket, from_key, args.if_source_version, NULL, err);
}

static int rename_locked(struct local *l, const char *bucket, const char *from_key, const char *key,
			 struct hold *h, struct error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(LOCAL_PATH_MAX);
	CLEANUP(buf_release) struct buf from_path = BUF_INIT(LOCAL_PATH_MAX);
	CLEANUP(closep) int from = -1;
	char name[264];
	bool is_made, is_made_again;
	int r = replace_target(l, bucket, key, h, err);

	if (r < 0)
		return r;
	if (name_key_path(str_of(key), NAME_PLAIN, &path))
		return error_set(err, ERR_NO_MEMORY, "no memory for a path");
	/* First, since it may move the source aside: `a` on its way to `a/b`. */
	from = tree_make_dirs(h->bucket_fd, path.data, &is_made, err);
	if (from < 0)
		return from;
	(void)close(from);
	from = tree_locate(h->bucket_fd, from_key, name);
	if (from < 0)
		return error_errno(err, -from, "'%.150s'", from_key);
	r = tree_place(h->bucket_fd, key, from, name, &is_made_again, err);
	if (r >= 0 && name_key_path(str_of(from_key), NAME_PLAIN, &from_path) == 0)
		local_tree_prune(h->bucket_fd, from_path.data);
	commit_end(&h->commit);
	if (r >= 0)
		r = tree_sync_parents(l, h->bucket_fd, path.data, !is_made, err);
	return r < 0 ? r : tree_sync_parents(l, h->bucket_fd, buf_cstr(&from_path), true, err);
}

int local_rename(struct store *s, const char *bucket, const char *from_key, const char *key,
		 const char *if_source_version, char *ret_version, struct error *err)
{
	struct local *l = local_of(s);
	CLEANUP(hold_release) struct hold h = HOLD_INIT;
	int r = hold_begin(l, bucket, from_key, if_source_version, &h, err);

	if (r < 0)
		return r;
	if (h.state != VERSIONING_NEVER) {
		commit_end(&h.commit);
		return rename_by_copy(s, bucket, from_key, key, if_source_version, ret_version,
				      err);
	}
	if (strcmp(from_key, key) != 0)
		r = rename_locked(l, bucket, from_key, key, &h, err);
	if (r >= 0 && ret_version)
		memcpy(ret_version, h.record.version, sizeof(h.record.version));
	return r;
}
