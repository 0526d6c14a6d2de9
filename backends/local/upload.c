/* Uploads in parts: uploads/ID/upload holds the key (its record the metadata), uploads/ID/NNNNN-TAG the parts. */
#include "backends/base/fault.h"
#include "backends/base/fileio.h"
#include "backends/base/random.h"
#include "backends/local/local_impl.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define ID_LENGTH 32
#define HEAD_FILE "upload"

static int no_upload(const char *key, struct error *err)
{
	return error_set(err, ERR_NOT_FOUND, "no such upload of '%.150s'", key);
}

/* The key of an upload, from its head file; fd of that file, or -errno. */
static int open_head(int dir, char ret_key[STORE_KEY_MAX + 1])
{
	int fd = tree_open(dir, HEAD_FILE, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, ret_key, STORE_KEY_MAX, 0);
	if (n <= 0) {
		(void)close(fd);
		return n < 0 ? -errno : -ENOENT;
	}
	ret_key[n] = '\0';
	return fd;
}

/* The directory of an upload of that key. */
static int open_upload(struct local *l, const char *bucket, const char *key, const char *id,
		       int *ret_head_fd, struct error *err)
{
	CLEANUP(closep) int uploads = -1, dir = -1, head = -1;
	char found[STORE_KEY_MAX + 1];
	int r;

	if (strlen(id) != ID_LENGTH || strspn(id, "0123456789abcdef") != ID_LENGTH)
		return no_upload(key, err);
	r = local_bucket_exists(&l->store, bucket, err);
	if (r < 0)
		return r;
	uploads = bucket_state_open(l, bucket, "uploads", false, err);
	if (uploads < 0)
		return uploads == -ENOENT ? no_upload(key, err) : uploads;
	dir = tree_open(uploads, id, O_RDONLY | O_DIRECTORY);
	head = dir < 0 ? dir : open_head(dir, found);
	if (head < 0 && head != -ENOENT)
		return error_errno(err, -head, "an upload of '%.150s'", key);
	if (head < 0 || strcmp(found, key) != 0)
		return no_upload(key, err);
	if (ret_head_fd) {
		*ret_head_fd = head;
		head = -1; /* the caller's now */
	}
	r = dir;
	dir = -1; /* the caller's now */
	return r;
}

/* The directory comes with its head: one without, left by a kill, would be nobody's. */
static int place_upload(struct local *l, struct temp *head, int uploads, const char *id)
{
	CLEANUP(closep) int dir = -1;
	int r;

	if (mkdirat(l->tmp_fd, id, 0755) < 0)
		return -errno;
	dir = tree_open(l->tmp_fd, id, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return dir;
	r = renameat(l->tmp_fd, head->name, dir, HEAD_FILE) < 0 ? -errno : 0;
	if (r == 0) {
		head->name[0] = '\0';
		FAULT_POINT("local-upload-made");
		if ((!l->skips_fsync && fsync(dir) < 0) || renameat(l->tmp_fd, id, uploads, id) < 0 ||
		    (!l->skips_fsync && fsync(uploads) < 0))
			r = -errno;
	}
	if (r < 0)
		(void)tree_delete_all(l->tmp_fd, id); /* swept at the next start */
	return r;
}

int local_upload_begin(struct store *s, const char *bucket, const char *key,
		       const struct store_put_args *args, char **ret_upload_id, struct error *err)
{
	struct local *l = local_of(s);
	CLEANUP(temp_release) struct temp temp = TEMP_INIT;
	CLEANUP(closep) int uploads = -1;
	struct record record = { .content_type = args->content_type,
				 .meta = (struct store_meta *)args->meta,
				 .meta_count = args->meta_count };
	char id[33];
	int r = local_bucket_exists(s, bucket, err);

	if (r < 0)
		return r;
	uploads = bucket_state_open(l, bucket, "uploads", true, err);
	if (uploads < 0)
		return uploads;
	record_fresh_version(id);
	record_fresh_version(record.version);
	r = temp_open(l, &temp, err);
	if (r < 0)
		return r;
	r = fileio_write_all(temp.fd, key, strlen(key));
	if (r < 0)
		return error_errno(err, -r, "beginning an upload");
	r = record_write(l, temp.fd, key, &record, err);
	if (r >= 0)
		r = temp_sync(&temp, err);
	if (r < 0)
		return r;
	r = place_upload(l, &temp, uploads, id);
	if (r < 0)
		return error_errno(err, -r, "beginning an upload");
	*ret_upload_id = strdup(id);
	return *ret_upload_id ? 0 : error_set(err, ERR_NO_MEMORY, "no memory for an upload");
}

/* "00012-TAG" into a part; false for other files. */
static bool parse_part(const char *name, struct store_part *ret)
{
	struct str text = str_of(name);
	struct str number = str_split(&text, '-');
	uint64_t n;

	if (number.len != 5 || text.len != 32 || str_to_u64(number, &n) < 0 || !n)
		return false;
	*ret = (struct store_part){ .number = (unsigned)n };
	memcpy(ret->tag, text.ptr, text.len);
	return true;
}

static void part_name(unsigned number, const char *tag, char ret[48])
{
	(void)snprintf(ret, 48, "%05u-%.32s", number, tag);
}

/* A part sent once more replaces the one before. */
static void drop_other_parts(int dir, unsigned number, const char *keep)
{
	int fd = tree_open(dir, "", O_RDONLY | O_DIRECTORY);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!d) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while ((e = readdir(d))) {
		struct store_part part;

		if (parse_part(e->d_name, &part) && part.number == number &&
		    strcmp(e->d_name, keep))
			(void)unlinkat(fd, e->d_name, 0); /* one too many only takes room */
	}
	(void)closedir(d);
}

static int add_part(struct local *l, int dir, unsigned number, struct temp *temp, uint64_t size,
		    struct store_part *ret, struct error *err)
{
	struct store_part part = { .number = number, .size = size };
	char name[48];
	int r = temp_sync(temp, err);

	if (r < 0)
		return r;
	record_fresh_version(part.tag);
	part_name(number, part.tag, name);
	if (renameat(l->tmp_fd, temp->name, dir, name) < 0)
		return error_errno(err, errno, "part %u of an upload", number);
	temp->name[0] = '\0';
	drop_other_parts(dir, number, name);
	if (!l->skips_fsync && fsync(dir) < 0)
		return error_errno(err, errno, "fsync of an upload");
	*ret = part;
	return 0;
}

int local_upload_part(struct store *s, const char *bucket, const char *key, const char *upload_id,
		      unsigned number, const struct store_source *source, struct cancel *cancel,
		      struct store_part *ret, struct error *err)
{
	struct local *l = local_of(s);
	CLEANUP(temp_release) struct temp temp = TEMP_INIT;
	CLEANUP(closep) int dir = open_upload(l, bucket, key, upload_id, NULL, err);
	struct data_watch w = { .cancel = cancel, .progress = source->progress };
	int r = dir < 0 ? dir : temp_open(l, &temp, err);

	if (r >= 0)
		r = data_from_source(source, temp.fd, 0, &w, err);
	if (r >= 0)
		r = data_check(&w, err);
	return r < 0 ? r : add_part(l, dir, number, &temp, store_source_length(source), ret, err);
}

int local_part_copy(struct store *s, const char *from_bucket, const char *from_key,
		    const char *if_source_version, uint64_t offset, uint64_t length,
		    const char *bucket, const char *key, const char *upload_id, unsigned number,
		    struct cancel *cancel, struct store_part *ret, struct error *err)
{
	struct local *l = local_of(s);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(temp_release) struct temp temp = TEMP_INIT;
	CLEANUP(closep) int dir = open_upload(l, bucket, key, upload_id, NULL, err), from = -1;
	struct data_watch w = { .cancel = cancel };
	struct record source;
	struct stat st;
	int r;

	if (dir < 0)
		return dir;
	from = object_open(l, from_bucket, from_key, NULL, &arena, &st, &source, err);
	r = from < 0 ? from : object_check_version(if_source_version, from_key, &source, err);
	if (r < 0)
		return r;
	if (offset > source.size || length > source.size - offset)
		return error_set(err, ERR_RANGE, "'%.100s' has %llu bytes", from_key,
				 (unsigned long long)source.size);
	r = temp_open(l, &temp, err);
	if (r >= 0)
		r = data_copy(from, offset, temp.fd, 0, length, &w, err);
	return r < 0 ? r : add_part(l, dir, number, &temp, length, ret, err);
}

static int join_part(int dir, const struct store_part *part, struct temp *temp, uint64_t *end,
		     const struct data_watch *w, struct error *err)
{
	char name[48];
	struct stat st;
	CLEANUP(closep) int fd = -1;
	int r;

	/* A tag is 32 hex digits: nothing else gets into a path. */
	if (strspn(part->tag, "0123456789abcdef") != 32 || part->tag[32])
		return error_set(err, ERR_INVALID, "part %u is not of this upload", part->number);
	part_name(part->number, part->tag, name);
	fd = tree_open(dir, name, O_RDONLY);
	if (fd == -ENOENT)
		return error_set(err, ERR_INVALID, "part %u is not of this upload", part->number);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, fd < 0 ? -fd : errno, "part %u", part->number);
	r = data_copy(fd, 0, temp->fd, *end, (uint64_t)st.st_size, w, err);
	if (r >= 0)
		*end += (uint64_t)st.st_size;
	return r;
}

int local_upload_complete(struct store *s, const char *bucket, const char *key,
			  const char *upload_id, const struct store_part *parts, size_t count,
			  const struct store_put_args *args, char *ret_version, struct error *err)
{
	struct local *l = local_of(s);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(temp_release) struct temp temp = TEMP_INIT;
	CLEANUP(closep) int head = -1;
	CLEANUP(closep) int dir = open_upload(l, bucket, key, upload_id, &head, err);
	struct data_watch w = { .cancel = args->cancel,
				.deadline_mono_ms = args->deadline_mono_ms };
	struct condition condition = { args->if_version, args->if_absent };
	struct record record;
	struct stat st;
	uint64_t end = 0;
	int r;

	if (dir < 0)
		return dir;
	if (fstat(head, &st) < 0)
		return error_errno(err, errno, "an upload of '%.150s'", key);
	r = record_read(l, head, key, &st, &arena, &record, err);
	if (r >= 0)
		r = temp_open(l, &temp, err);
	for (size_t i = 0; r >= 0 && i < count; i++)
		r = join_part(dir, &parts[i], &temp, &end, &w, err);
	if (r >= 0)
		r = object_commit(l, bucket, key, &temp, &record, &condition, ret_version, err);
	if (r >= 0)
		/* The object is there; what stays shows as an unfinished upload. */
		(void)local_upload_abort(s, bucket, key, upload_id, &(struct error){ 0 });
	return r;
}

int local_upload_abort(struct store *s, const char *bucket, const char *key, const char *upload_id,
		       struct error *err)
{
	struct local *l = local_of(s);
	CLEANUP(closep) int head = -1;
	CLEANUP(closep) int dir = open_upload(l, bucket, key, upload_id, &head, err);
	CLEANUP(closep) int uploads = -1;
	struct stat st;
	int r;

	if (dir < 0)
		return dir;
	uploads = bucket_state_open(l, bucket, "uploads", false, err);
	if (uploads < 0)
		return uploads == -ENOENT ? no_upload(key, err) : uploads;
	if (fstat(head, &st) == 0)
		record_forget(l, key, st.st_ino);
	/* At once, or a kill could leave parts without the head that says whose they are. */
	if (renameat(uploads, upload_id, l->tmp_fd, upload_id) < 0)
		return error_errno(err, errno, "an upload of '%.150s'", key);
	FAULT_POINT("local-upload-aside");
	r = tree_delete_all(l->tmp_fd, upload_id);
	/* A part that came in meanwhile: once more. */
	if (r == -ENOTEMPTY)
		r = tree_delete_all(l->tmp_fd, upload_id);
	return r < 0 && r != -ENOENT ? error_errno(err, -r, "an upload of '%.150s'", key) : 0;
}

static int compare_parts(const void *a, const void *b)
{
	const struct store_part *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

int local_upload_parts(struct store *s, const char *bucket, const char *key, const char *upload_id,
		       struct store_part **ret_parts, size_t *ret_count, struct error *err)
{
	int fd = open_upload(local_of(s), bucket, key, upload_id, NULL, err);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	CLEANUP(freep) struct store_part *parts = NULL;
	size_t count = 0, room = 0;
	struct dirent *e;
	int r = 0;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return fd < 0 ? fd : error_set(err, ERR_NO_MEMORY, "no memory to list parts");
	}
	while (!r && (e = readdir(dir))) {
		struct store_part part;
		struct stat st;

		if (!parse_part(e->d_name, &part) ||
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		part.size = (uint64_t)st.st_size;
		if (count == room) {
			size_t more = room ? room * 2 : 16;
			struct store_part *grown = realloc(parts, more * sizeof(*grown));

			if (!grown) {
				r = error_set(err, ERR_NO_MEMORY, "no memory to list parts");
				break;
			}
			parts = grown;
			room = more;
		}
		parts[count++] = part;
	}
	(void)closedir(dir);
	if (r < 0)
		return r;
	if (count)
		qsort(parts, count, sizeof(*parts), compare_parts);
	*ret_parts = steal(parts);
	*ret_count = count;
	return 0;
}

static int add_upload(int uploads, const char *id, const char *prefix,
		      struct store_upload_page *page, struct error *err)
{
	CLEANUP(closep) int dir = tree_open(uploads, id, O_RDONLY | O_DIRECTORY), head = -1;
	char key[STORE_KEY_MAX + 1];
	struct store_upload *u;
	struct stat st;

	head = dir < 0 ? dir : open_head(dir, key);
	if (head < 0 || fstat(head, &st) < 0 || strncmp(key, prefix, strlen(prefix)) != 0)
		return 0;
	if (!(page->count & (page->count - 1))) {
		size_t room = page->count ? page->count * 2 : 1;

		u = arena_alloc(&page->arena, room * sizeof(*u));
		if (!u)
			return error_set(err, ERR_TOO_LARGE, "too many uploads");
		if (page->count)
			memcpy(u, page->uploads, page->count * sizeof(*u));
		page->uploads = u;
	}
	u = &page->uploads[page->count];
	u->key = arena_strdup(&page->arena, key);
	u->upload_id = arena_strdup(&page->arena, id);
	u->started_wall_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (!u->key || !u->upload_id)
		return error_set(err, ERR_TOO_LARGE, "too many uploads");
	page->count++;
	return 0;
}

static int compare_uploads(const void *a, const void *b)
{
	const struct store_upload *x = a, *y = b;
	int r = strcmp(x->key, y->key);

	return r ? r
		 : (x->started_wall_ns > y->started_wall_ns) -
			       (x->started_wall_ns < y->started_wall_ns);
}

int local_upload_list(struct store *s, const char *bucket, const char *prefix,
		      struct store_upload_page *ret, struct error *err)
{
	struct local *l = local_of(s);
	int r = local_bucket_exists(s, bucket, err), fd;
	struct dirent *e;
	DIR *dir;

	store_upload_page_release(ret);
	if (r < 0)
		return r;
	fd = bucket_state_open(l, bucket, "uploads", false, err);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return error_set(err, ERR_NO_MEMORY, "no memory to list uploads");
	}
	while (r >= 0 && (e = readdir(dir)))
		if (strlen(e->d_name) == ID_LENGTH)
			r = add_upload(fd, e->d_name, prefix, ret, err);
	(void)closedir(dir);
	if (r >= 0 && ret->count)
		qsort(ret->uploads, ret->count, sizeof(*ret->uploads), compare_uploads);
	return r;
}
