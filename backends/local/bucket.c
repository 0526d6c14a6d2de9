#include "backends/base/fileio.h"
#include "backends/local/local_impl.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define POLICY_MAX (64 << 10)

static int check_name(const char *bucket, struct error *err)
{
	if (bucket[0] == '.' || strlen(bucket) > 255)
		return error_set(err, ERR_INVALID, "'%.64s' is no name for a bucket", bucket);
	return 0;
}

int bucket_open(struct local *l, const char *bucket, struct error *err)
{
	int fd;

	if (bucket[0] == '.')
		return error_set(err, ERR_NOT_FOUND, "no bucket '%.64s'", bucket);
	fd = tree_open(l->root_fd, bucket, O_RDONLY | O_DIRECTORY);
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -ENAMETOOLONG)
		return error_set(err, ERR_NOT_FOUND, "no bucket '%.64s'", bucket);
	if (fd < 0)
		return error_errno(err, -fd, "bucket '%.64s'", bucket);
	return fd;
}

int bucket_state_open(struct local *l, const char *bucket, const char *sub, bool can_make,
		      struct error *err)
{
	char path[300];
	int fd;

	(void)snprintf(path, sizeof(path), "%s%s%s", bucket, *sub ? "/" : "", sub);
	for (int i = 0; i < 2; i++) {
		fd = tree_open(l->buckets_fd, path, O_RDONLY | O_DIRECTORY);
		if (fd != -ENOENT || i)
			break;
		if (!can_make)
			return -ENOENT;
		if ((mkdirat(l->buckets_fd, bucket, 0755) < 0 && errno != EEXIST) ||
		    (*sub && mkdirat(l->buckets_fd, path, 0755) < 0 && errno != EEXIST))
			return error_errno(err, errno, "state of bucket '%.64s'", bucket);
	}
	return fd < 0 ? error_errno(err, -fd, "state of bucket '%.64s'", bucket) : fd;
}

int commit_begin(struct local *l, const char *bucket, struct commit *ret, struct error *err)
{
	unsigned stripe = (unsigned)(hash_table64(bucket, strlen(bucket), 0) % LOCAL_STRIPES);
	int errnum = 0;

	lock_take(&l->commit[stripe].lock);
	if (l->commit[stripe].fd < 0) {
		char name[32];

		(void)snprintf(name, sizeof(name), LOCAL_STATE_DIR "/lock-%02u", stripe);
		l->commit[stripe].fd =
			openat(l->root_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		errnum = l->commit[stripe].fd < 0 ? errno : 0;
	}
	while (!errnum && flock(l->commit[stripe].fd, LOCK_EX) < 0)
		errnum = errno == EINTR ? 0 : errno;
	if (errnum) {
		lock_drop(&l->commit[stripe].lock);
		return error_errno(err, errnum, "lock of bucket '%.64s'", bucket);
	}
	*ret = (struct commit){ .local = l, .stripe = stripe, .is_held = true };
	return 0;
}

void commit_end(struct commit *c)
{
	if (!c->is_held)
		return;
	(void)flock(c->local->commit[c->stripe].fd, LOCK_UN); /* cannot fail on a held lock */
	lock_drop(&c->local->commit[c->stripe].lock);
	c->is_held = false;
}

static int compare_buckets(const void *a, const void *b)
{
	return strcmp(((const struct store_bucket *)a)->name,
		      ((const struct store_bucket *)b)->name);
}

static int add_bucket(struct local *l, const char *name, struct store_bucket_page *page,
		      struct error *err)
{
	struct store_bucket *b;
	struct statx stx;

	if (name[0] == '.' ||
	    statx(l->root_fd, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME | STATX_BASIC_STATS, &stx) <
		    0 ||
	    !S_ISDIR(stx.stx_mode))
		return 0;
	if (!(page->count & (page->count - 1))) {
		size_t room = page->count ? page->count * 2 : 1;

		b = arena_alloc(&page->arena, room * sizeof(*b));
		if (!b)
			return error_set(err, ERR_TOO_LARGE, "too many buckets");
		if (page->count)
			memcpy(b, page->buckets, page->count * sizeof(*b));
		page->buckets = b;
	}
	b = &page->buckets[page->count];
	b->name = arena_strdup(&page->arena, name);
	if (!b->name)
		return error_set(err, ERR_TOO_LARGE, "too many buckets");
	if (stx.stx_mask & STATX_BTIME)
		b->created_wall_ns = stx.stx_btime.tv_sec * 1000000000 + stx.stx_btime.tv_nsec;
	else
		b->created_wall_ns = stx.stx_mtime.tv_sec * 1000000000 + stx.stx_mtime.tv_nsec;
	page->count++;
	return 0;
}

int local_bucket_list(struct store *s, struct store_bucket_page *ret, struct error *err)
{
	struct local *l = local_of(s);
	int fd = tree_open(l->root_fd, "", O_RDONLY | O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = error_errno(err, fd < 0 ? -fd : ENOMEM, "listing '%s'", l->root);
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	store_bucket_page_release(ret);
	while (r >= 0 && (entry = readdir(dir)))
		r = add_bucket(l, entry->d_name, ret, err);
	(void)closedir(dir);
	if (r >= 0 && ret->count)
		qsort(ret->buckets, ret->count, sizeof(*ret->buckets), compare_buckets);
	return r;
}

int local_bucket_create(struct store *s, const char *bucket, struct error *err)
{
	struct local *l = local_of(s);
	int r = check_name(bucket, err);

	if (r < 0)
		return r;
	if (mkdirat(l->root_fd, bucket, 0755) < 0) {
		if (errno == EEXIST)
			return error_set(err, ERR_EXISTS, "bucket '%.64s' is there already",
					 bucket);
		return error_errno(err, errno, "making bucket '%.64s'", bucket);
	}
	if (!l->skips_fsync && fsync(l->root_fd) < 0)
		return error_errno(err, errno, "fsync of '%s'", l->root);
	return 0;
}

/* Directories that hold no object (made by other tools, or left by a crash) do not keep a bucket alive. */
static void remove_empty_dirs(struct local *l, int fd, unsigned depth)
{
	int copy = tree_open(fd, "", O_RDONLY | O_DIRECTORY);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *entry;

	if (!dir) {
		if (copy >= 0)
			(void)close(copy);
		return;
	}
	while (depth < 64 && (entry = readdir(dir))) {
		CLEANUP(closep) int sub = -1;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlinkat(fd, entry->d_name, AT_REMOVEDIR) == 0 || errno != ENOTEMPTY)
			continue;
		sub = tree_open(fd, entry->d_name, O_RDONLY | O_DIRECTORY);
		if (sub >= 0) {
			remove_empty_dirs(l, sub, depth + 1);
			(void)unlinkat(fd, entry->d_name, AT_REMOVEDIR); /* fails if not empty */
		}
	}
	(void)closedir(dir);
}

static int has_history(struct local *l, const char *bucket)
{
	CLEANUP(closep) int fd = bucket_state_open(l, bucket, "versions", false, NULL);
	DIR *dir;
	struct dirent *entry;
	int count = 0;

	if (fd < 0)
		return 0;
	remove_empty_dirs(l, fd, 0);
	dir = fdopendir(fd);
	if (!dir)
		return 1;
	fd = -1; /* the stream's now */
	while ((entry = readdir(dir)))
		count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	(void)closedir(dir);
	return count > 0;
}

static void delete_uploads(struct local *l, const char *bucket)
{
	CLEANUP(closep) int fd = bucket_state_open(l, bucket, "uploads", false, NULL);
	DIR *dir;
	struct dirent *entry;

	dir = fd >= 0 ? fdopendir(dup(fd)) : NULL;
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			(void)tree_delete_all(fd, entry->d_name);
	(void)closedir(dir);
}

/* A bucket with unfinished uploads can go, as at S3. */
int local_bucket_delete(struct store *s, const char *bucket, struct error *err)
{
	struct local *l = local_of(s);
	CLEANUP(commit_end) struct commit commit = { 0 };
	CLEANUP(closep) int fd = bucket_open(l, bucket, err);
	CLEANUP(closep) int state = -1;
	int r;

	if (fd < 0)
		return fd;
	r = commit_begin(l, bucket, &commit, err);
	if (r < 0)
		return r;
	if (has_history(l, bucket))
		return error_set(err, ERR_NOT_EMPTY, "bucket '%.64s' holds old versions", bucket);
	remove_empty_dirs(l, fd, 0);
	if (unlinkat(l->root_fd, bucket, AT_REMOVEDIR) < 0) {
		if (errno == ENOTEMPTY || errno == EEXIST)
			return error_set(err, ERR_NOT_EMPTY, "bucket '%.64s' is not empty", bucket);
		if (errno == ENOENT)
			return error_set(err, ERR_NOT_FOUND, "no bucket '%.64s'", bucket);
		return error_errno(err, errno, "deleting bucket '%.64s'", bucket);
	}
	delete_uploads(l, bucket);
	state = bucket_state_open(l, bucket, "", false, err);
	if (state >= 0) {
		/* What is left here is found and taken over by the next bucket of that name at worst. */
		(void)unlinkat(state, "policy.json", 0);
		(void)unlinkat(state, "versioning", 0);
		(void)unlinkat(state, "uploads", AT_REMOVEDIR);
		(void)unlinkat(state, "versions", AT_REMOVEDIR);
		(void)unlinkat(l->buckets_fd, bucket, AT_REMOVEDIR);
	}
	return 0;
}

int local_bucket_exists(struct store *s, const char *bucket, struct error *err)
{
	CLEANUP(closep) int fd = bucket_open(local_of(s), bucket, err);

	return fd < 0 ? fd : 0;
}

/* A small file of the bucket's state: its length, 0 when it is not there. */
static int read_state(struct local *l, const char *bucket, const char *name, char *data,
		      size_t size, struct error *err)
{
	CLEANUP(closep) int dir = bucket_state_open(l, bucket, "", false, err);
	CLEANUP(closep) int fd = -1;
	ssize_t n;

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	fd = tree_open(dir, name, O_RDONLY);
	if (fd == -ENOENT)
		return 0;
	n = fd < 0 ? fd : read(fd, data, size);
	if (n < 0)
		return error_errno(err, fd < 0 ? -fd : errno, "%s of bucket '%.64s'", name, bucket);
	return (int)n;
}

static int write_state(struct local *l, const char *bucket, const char *name, struct str data,
		       struct error *err)
{
	CLEANUP(temp_release) struct temp t = TEMP_INIT;
	CLEANUP(closep) int dir = bucket_state_open(l, bucket, "", true, err);
	int r;

	if (dir < 0)
		return dir;
	r = temp_open(l, &t, err);
	if (r < 0)
		return r;
	r = fileio_write_all(t.fd, data.ptr, data.len);
	if (r < 0)
		return error_errno(err, -r, "%s of bucket '%.64s'", name, bucket);
	r = temp_sync(&t, err);
	if (r < 0)
		return r;
	if (renameat(l->tmp_fd, t.name, dir, name) < 0)
		return error_errno(err, errno, "%s of bucket '%.64s'", name, bucket);
	t.name[0] = '\0';
	if (!l->skips_fsync && (fsync(dir) < 0 || fsync(l->buckets_fd) < 0))
		return error_errno(err, errno, "fsync below '%s'", l->root);
	return 0;
}

int bucket_versioning(struct local *l, const char *bucket, enum versioning *ret, struct error *err)
{
	char text[16];
	int n = read_state(l, bucket, "versioning", text, sizeof(text), err);

	if (n < 0)
		return n;
	if (!n)
		*ret = VERSIONING_NEVER;
	else
		*ret = n == 2 && !memcmp(text, "on", 2) ? VERSIONING_ON : VERSIONING_SUSPENDED;
	return 0;
}

int local_versioning_get(struct store *s, const char *bucket, bool *ret_is_on, struct error *err)
{
	enum versioning state;
	int r = local_bucket_exists(s, bucket, err);

	if (r >= 0)
		r = bucket_versioning(local_of(s), bucket, &state, err);
	if (r >= 0)
		*ret_is_on = state == VERSIONING_ON;
	return r;
}

int local_versioning_set(struct store *s, const char *bucket, bool is_on, struct error *err)
{
	struct local *l = local_of(s);
	CLEANUP(commit_end) struct commit commit = { 0 };
	enum versioning state;
	int r = local_bucket_exists(s, bucket, err);

	if (r >= 0)
		r = commit_begin(l, bucket, &commit, err);
	if (r >= 0)
		r = bucket_versioning(l, bucket, &state, err);
	if (r < 0)
		return r;
	if (!is_on && state == VERSIONING_NEVER)
		return 0;
	return write_state(l, bucket, "versioning", is_on ? STR("on") : STR("suspended"), err);
}

int local_policy_get(struct store *s, const char *bucket, struct buf *ret_json, struct error *err)
{
	CLEANUP(freep) char *text = malloc(POLICY_MAX);
	int n = local_bucket_exists(s, bucket, err);

	if (n < 0)
		return n;
	if (!text)
		return error_set(err, ERR_NO_MEMORY, "no memory for a policy");
	n = read_state(local_of(s), bucket, "policy.json", text, POLICY_MAX, err);
	if (n < 0)
		return n;
	if (!n)
		return error_set(err, ERR_NOT_FOUND, "bucket '%.64s' has no policy", bucket);
	if (buf_add(ret_json, text, (size_t)n) < 0)
		return error_set(err, ERR_TOO_LARGE, "the policy of '%.64s' is too large", bucket);
	return 0;
}

int local_policy_set(struct store *s, const char *bucket, struct str json, struct error *err)
{
	struct local *l = local_of(s);
	CLEANUP(json_putp) struct json_object *parsed = NULL;
	CLEANUP(closep) int dir = -1;
	int r = local_bucket_exists(s, bucket, err);

	if (r < 0)
		return r;
	if (json.len) {
		r = json_parse(json, POLICY_MAX - 1, &parsed, err);
		if (r < 0)
			return error_set(err, ERR_INVALID,
					 "the policy is no JSON of at most %d bytes",
					 POLICY_MAX - 1);
		return write_state(l, bucket, "policy.json", json, err);
	}
	dir = bucket_state_open(l, bucket, "", false, err);
	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	if (unlinkat(dir, "policy.json", 0) < 0 && errno != ENOENT)
		return error_errno(err, errno, "policy of bucket '%.64s'", bucket);
	return 0;
}
