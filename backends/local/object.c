#include "backends/base/clock.h"
#include "backends/local/local_impl.h"
#include <fcntl.h>
#include <string.h>

int object_check_version(const char *if_version, const char *key, const struct record *r,
			 struct error *err)
{
	if (if_version && *if_version && strcmp(if_version, r->version) != 0)
		return error_set(err, ERR_PRECONDITION, "'%.150s' has changed", key);
	return 0;
}

static int not_found(const char *bucket, const char *key, struct error *err)
{
	return error_set(err, ERR_NOT_FOUND, "no object '%.120s' in bucket '%.60s'", key, bucket);
}

static int open_old(struct local *l, const char *bucket, const char *key, const char *version_id,
		    struct arena *arena, struct stat *ret_st, struct record *ret, struct error *err)
{
	CLEANUP(history_release) struct history h = HISTORY_INIT;
	CLEANUP(closep) int fd = -1;
	const struct history_entry *e;
	int r = history_load(l, bucket, key, arena, &h, err);

	if (r < 0)
		return r;
	e = history_find(&h, version_id);
	if (!e || e->is_marker)
		return not_found(bucket, key, err);
	fd = tree_open(h.dir_fd, e->name, O_RDONLY);
	if (fd < 0 || fstat(fd, ret_st) < 0)
		return not_found(bucket, key, err);
	r = record_read(l, fd, key, ret_st, arena, ret, err);
	if (r < 0)
		return r;
	r = fd;
	fd = -1; /* the caller's now */
	return r;
}

int object_open(struct local *l, const char *bucket, const char *key, const char *version_id,
		struct arena *arena, struct stat *ret_st, struct record *ret, struct error *err)
{
	CLEANUP(closep) int bucket_fd = bucket_open(l, bucket, err);
	CLEANUP(closep) int fd = -1;
	int r;

	if (bucket_fd < 0)
		return bucket_fd;
	fd = tree_open_object(bucket_fd, key, ret_st);
	if (fd < 0 && fd != -ENOENT)
		return error_errno(err, -fd, "'%.150s'", key);
	if (fd >= 0) {
		r = record_read(l, fd, key, ret_st, arena, ret, err);
		if (r < 0)
			return r;
		if (!version_id || !*version_id || !strcmp(version_id, record_version_id(ret))) {
			r = fd;
			fd = -1; /* the caller's now */
			return r;
		}
	}
	if (version_id && *version_id)
		return open_old(l, bucket, key, version_id, arena, ret_st, ret, err);
	return not_found(bucket, key, err);
}

/* What callers see of an object; strings in arena. */
static int fill_object(const struct record *r, const struct stat *st, const char *key,
		       struct arena *arena, struct store_object *ret, struct error *err)
{
	record_to_object(r, st, ret);
	if (!ret->content_type)
		ret->content_type = store_content_type(key);
	ret->is_latest = true;
	if (r->flags & RECORD_HAS_ID) {
		ret->version_id = arena_strdup(arena, r->id);
		if (!ret->version_id)
			return error_set(err, ERR_NO_MEMORY, "no memory for '%.100s'", key);
	}
	return 0;
}

int local_head(struct store *s, const char *bucket, const char *key, const char *version_id,
	       struct arena *arena, struct store_object *ret, struct error *err)
{
	struct record record;
	struct stat st;
	CLEANUP(closep)
	int fd = object_open(local_of(s), bucket, key, version_id, arena, &st, &record, err);

	return fd < 0 ? fd : fill_object(&record, &st, key, arena, ret, err);
}

int local_get(struct store *s, const char *bucket, const char *key,
	      const struct store_get_args *args, struct store_sink *sink, struct arena *arena,
	      struct store_object *ret, struct error *err)
{
	CLEANUP(arena_release) struct arena own = ARENA_INIT(1 << 20);
	struct store_object object;
	struct record record;
	struct stat st;
	uint64_t length;
	CLEANUP(closep)
	int fd = object_open(local_of(s), bucket, key, args->version_id, arena ? arena : &own, &st,
			     &record, err);
	int r;

	if (fd < 0)
		return fd;
	r = object_check_version(args->if_version, key, &record, err);
	if (r >= 0)
		r = fill_object(&record, &st, key, arena ? arena : &own, &object, err);
	if (r < 0)
		return r;
	length = args->length ? args->length : object.size - args->offset;
	if (args->offset > object.size || length > object.size - args->offset ||
	    (args->offset == object.size && args->offset))
		return error_set(err, ERR_RANGE, "'%.100s' has %llu bytes", key,
				 (unsigned long long)object.size);
	r = sink->on_head ? sink->on_head(sink->arg, &object, err) : 0;
	if (r >= 0)
		r = data_to_sink(fd, args, length, sink, err);
	if (r >= 0 && ret)
		*ret = object;
	return r < 0 ? r : 0;
}

/* Sets what a new version of that bucket must say, at least `least` in the order of versions. */
static bool stamp(struct record *record, enum versioning state, uint64_t least)
{
	unsigned flags = state == VERSIONING_ON ? RECORD_HAS_ID : 0;
	bool is_changed = record->flags != flags || record->seq < least;

	record->flags = flags;
	if (record->seq < least)
		record->seq = least;
	return is_changed;
}

static int check_condition(const struct condition *c, const char *key, const struct record *current,
			   struct error *err)
{
	if (c->if_absent && current)
		return error_set(err, ERR_PRECONDITION, "'%.150s' is there already", key);
	if (c->if_version && *c->if_version && !current)
		return error_set(err, ERR_PRECONDITION, "'%.150s' is gone", key);
	return current ? object_check_version(c->if_version, key, current, err) : 0;
}

static uint64_t newest_seq(struct local *l, const char *bucket, const char *key,
			   enum versioning state)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(64 << 20);
	CLEANUP(history_release) struct history h = HISTORY_INIT;

	if (state == VERSIONING_NEVER || history_load(l, bucket, key, &arena, &h, NULL) < 0)
		return 0;
	return h.count ? h.entries[0].seq : 0;
}

/* Under the lock: the conditions hold, so the new file takes its place. */
static int place_locked(struct local *l, const char *bucket, const char *key, int bucket_fd,
			struct temp *temp, struct record *record, const struct record *current,
			bool *ret_made, struct error *err)
{
	enum versioning state;
	bool is_kept = false;
	uint64_t newest;
	int r = bucket_versioning(l, bucket, &state, err);

	if (r < 0)
		return r;
	newest = newest_seq(l, bucket, key, state);
	if (current && current->seq > newest)
		newest = current->seq;
	if (stamp(record, state, newest + 1)) {
		/* Rare: the state changed since, or the clock went back. */
		r = record_write(l, temp->fd, key, record, err);
		if (r >= 0)
			r = temp_sync(temp, err);
	}
	if (r >= 0 && current)
		r = history_keep(l, bucket, key, bucket_fd, current, state, &is_kept, err);
	if (r >= 0 && state == VERSIONING_SUSPENDED)
		r = history_drop_null(l, bucket, key, err);
	if (r >= 0)
		r = tree_place(bucket_fd, key, l->tmp_fd, temp->name, ret_made, err);
	if (r < 0)
		return r;
	temp->name[0] = '\0';
	if (current && !is_kept)
		record_forget(l, key, (ino_t)current->ino);
	return 0;
}

static int commit_locked(struct local *l, const char *bucket, const char *key, struct temp *temp,
			 struct record *record, const struct condition *condition, bool *ret_made,
			 struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(commit_end) struct commit commit = { 0 };
	/* Held open, so that the inode of the replaced file cannot be reused before its record is forgotten. */
	CLEANUP(closep) int bucket_fd = -1, fd = -1;
	struct record current;
	struct stat st;
	int r = commit_begin(l, bucket, &commit, err);

	if (r < 0)
		return r;
	bucket_fd = bucket_open(l, bucket, err);
	if (bucket_fd < 0)
		return bucket_fd;
	fd = tree_open_object(bucket_fd, key, &st);
	if (fd < 0 && fd != -ENOENT)
		return error_errno(err, -fd, "'%.150s'", key);
	if (fd >= 0) {
		r = record_read(l, fd, key, &st, &arena, &current, err);
		if (r < 0)
			return r;
		current.ino = st.st_ino;
	}
	r = check_condition(condition, key, fd >= 0 ? &current : NULL, err);
	if (r < 0)
		return r;
	return place_locked(l, bucket, key, bucket_fd, temp, record, fd >= 0 ? &current : NULL,
			    ret_made, err);
}

static int sync_key(struct local *l, const char *bucket, const char *key, bool is_made,
		    struct error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(LOCAL_PATH_MAX);
	CLEANUP(closep) int bucket_fd = -1;

	if (l->skips_fsync)
		return 0;
	bucket_fd = bucket_open(l, bucket, err);
	if (bucket_fd < 0)
		return bucket_fd;
	if (name_key_path(str_of(key), NAME_PLAIN, &path))
		return error_set(err, ERR_NO_MEMORY, "no memory for a path");
	return tree_sync_parents(l, bucket_fd, path.data, !is_made, err);
}

int object_commit(struct local *l, const char *bucket, const char *key, struct temp *temp,
		  struct record *record, const struct condition *condition, char *ret_version,
		  struct error *err)
{
	enum versioning state;
	bool is_made = false;
	int r = bucket_versioning(l, bucket, &state, err);

	if (r < 0)
		return r;
	record_fresh_version(record->version);
	record->seq = 0;
	(void)stamp(record, state, (uint64_t)clock_wall_ns());
	r = record_write(l, temp->fd, key, record, err);
	if (r >= 0)
		r = temp_sync(temp, err);
	if (r >= 0)
		r = commit_locked(l, bucket, key, temp, record, condition, &is_made, err);
	if (r >= 0)
		r = sync_key(l, bucket, key, is_made, err);
	if (r < 0)
		return r;
	if (ret_version)
		memcpy(ret_version, record->version, sizeof(record->version));
	return 0;
}

int local_put(struct store *s, const char *bucket, const char *key,
	      const struct store_source *source, const struct store_put_args *args,
	      char *ret_version, struct error *err)
{
	struct local *l = local_of(s);
	CLEANUP(temp_release) struct temp temp = TEMP_INIT;
	struct data_watch w = { .cancel = args->cancel,
				.deadline_mono_ms = args->deadline_mono_ms,
				.progress = source->progress };
	struct condition condition = { args->if_version, args->if_absent };
	struct record record = { .content_type = args->content_type,
				 .meta = (struct store_meta *)args->meta,
				 .meta_count = args->meta_count };
	int r = local_bucket_exists(s, bucket, err);

	if (r >= 0)
		r = temp_open(l, &temp, err);
	if (r >= 0)
		r = data_from_source(source, temp.fd, 0, &w, err);
	if (r >= 0)
		r = data_check(&w, err);
	if (r < 0)
		return r;
	return object_commit(l, bucket, key, &temp, &record, &condition, ret_version, err);
}

static int delete_locked(struct local *l, const char *bucket, const char *key, int bucket_fd,
			 const char *if_version, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct record current = { 0 };
	enum versioning state;
	bool is_kept = false;
	struct stat st;
	CLEANUP(closep) int fd = tree_open_object(bucket_fd, key, &st);
	int r = fd < 0 && fd != -ENOENT ? error_errno(err, -fd, "'%.150s'", key) : 0;

	if (r >= 0)
		r = bucket_versioning(l, bucket, &state, err);
	/* Nothing there: done, and no marker for what never was. */
	if (r < 0 || fd == -ENOENT)
		return r;
	r = record_read(l, fd, key, &st, &arena, &current, err);
	if (r >= 0)
		r = object_check_version(if_version, key, &current, err);
	if (r >= 0)
		r = history_keep(l, bucket, key, bucket_fd, &current, state, &is_kept, err);
	if (r >= 0 && state == VERSIONING_SUSPENDED)
		r = history_drop_null(l, bucket, key, err);
	if (r >= 0 && state != VERSIONING_NEVER)
		r = history_add_marker(l, bucket, key, state, err);
	if (r >= 0)
		r = tree_remove(bucket_fd, key, err);
	if (r >= 0 && !is_kept)
		record_forget(l, key, st.st_ino);
	return r;
}

static int delete_one(struct local *l, const char *bucket, const char *key, const char *if_version,
		      struct error *err)
{
	CLEANUP(closep) int bucket_fd = bucket_open(l, bucket, err);
	CLEANUP(commit_end) struct commit commit = { 0 };
	int r = bucket_fd < 0 ? bucket_fd : commit_begin(l, bucket, &commit, err);

	return r < 0 ? r : delete_locked(l, bucket, key, bucket_fd, if_version, err);
}

int local_delete(struct store *s, const char *bucket, const char *key, const char *if_version,
		 const char *version_id, struct error *err)
{
	struct local *l = local_of(s);
	int r;

	if (version_id && *version_id)
		return history_delete(l, bucket, key, version_id, if_version, err);
	r = delete_one(l, bucket, key, if_version, err);
	return r < 0 ? r : sync_key(l, bucket, key, false, err);
}

/* Length of the directory part: keys of one directory share one fsync. */
static size_t dir_length(const char *key)
{
	const char *slash = strrchr(key, '/');

	return slash ? (size_t)(slash - key) : 0;
}

int local_delete_many(struct store *s, const char *bucket, const char *const *keys, size_t count,
		      struct error *results, struct error *err)
{
	struct local *l = local_of(s);
	size_t first = 0; /* of the run of keys in one directory */
	int r = local_bucket_exists(s, bucket, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		results[i] = ERROR_INIT;
		(void)delete_one(l, bucket, keys[i], NULL, &results[i]); /* told in results */
		if (i + 1 < count && dir_length(keys[i + 1]) == dir_length(keys[first]) &&
		    !memcmp(keys[i + 1], keys[first], dir_length(keys[first])))
			continue;
		r = sync_key(l, bucket, keys[i], false, err);
		if (r < 0)
			return r;
		first = i + 1;
	}
	return 0;
}
