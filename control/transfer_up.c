/*
 * Uploads: small files as one put, big ones in parts that a later run takes up.
 *
 * The note of an upload: {"upload_id", "size", "mtime_ns", "part_bytes"}, in a file whose name is the digest of store,
 * bucket, key and file. It counts only while the file is what it was.
 */
#include "control/transfer_private.h"

#include "backends/base/fileio.h"
#include "backends/store/multipart.h"

#include <fcntl.h>
#include <sys/stat.h>

static int open_source(const struct transfer_item *item, int *ret_fd, struct stat *st, struct error *err)
{
	int fd = open(item->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fstat(fd, st) < 0) {
		int r = error_errno(err, errno, "cannot read '%.150s'", item->file);

		if (fd >= 0)
			(void)close(fd); /* only read */
		return r;
	}
	if (!S_ISREG(st->st_mode) || (uint64_t)st->st_size != item->size) {
		(void)close(fd); /* only read */
		return error_set(err, ERR_CONFLICT, "'%.150s' changes while it is uploaded", item->file);
	}
	*ret_fd = fd;
	return 0;
}

static struct store_put_args put_args(const struct transfer *t)
{
	return (struct store_put_args){ .meta = t->meta,
					.meta_count = t->meta_count,
					.content_type = t->content_type,
					.cancel = t->call->cancel };
}

static int64_t mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* What was sent must be what the file is now, or nobody's version would stand there. */
static int check_unchanged(const struct transfer_item *item, int fd, int64_t before_ns, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, errno, "cannot read '%.150s'", item->file);
	return (uint64_t)st.st_size == item->size && mtime_ns(&st) == before_ns ?
		       0 :
		       error_set(err, ERR_CONFLICT, "'%.150s' was changed while it was uploaded", item->file);
}

int transfer_up_small(struct transfer *t, struct transfer_item *item, _Atomic uint64_t *progress, struct error *err)
{
	CLEANUP(closep) int fd = -1;
	struct store_source source = STORE_SOURCE_INIT;
	struct store_put_args args = put_args(t);
	struct stat st;
	int r = open_source(item, &fd, &st, err);

	if (r < 0)
		return r;
	source.fd = fd;
	source.length = item->size;
	source.progress = progress;
	r = store_put(t->store, t->bucket, item->key, &source, &args, item->version, err);
	return r < 0 ? r : check_unchanged(item, fd, mtime_ns(&st), err);
}

/* ---- notes ---- */

static char *note_path(const struct transfer *t, const struct transfer_item *item)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	CLEANUP(freep) char *name = str_format("%s\n%s\n%s\n%s", t->store->name, t->bucket, item->key, item->file);
	CLEANUP(freep) char *dir = cache && *cache == '/' ? str_format("%s/skydir/transfers", cache) :
							     str_format("%s/.cache/skydir/transfers", home ? home : "");
	unsigned char digest[HASH_SHA256_LEN];
	char hex[2 * HASH_SHA256_LEN + 1];

	if (!name || !dir || fileio_make_dirs(dir, 0700, NULL) < 0)
		return NULL;
	hash_sha256(name, strlen(name), digest);
	hex_encode(digest, sizeof digest, hex);
	return str_format("%s/%s.json", dir, hex);
}

static int write_note(const struct transfer_job *j, int64_t changed_ns, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();

	if (!o || !j->note_path)
		return 0; /* it can then not be taken up, and that is all */
	json_object_object_add(o, "upload_id", json_object_new_string(j->upload_id));
	json_object_object_add(o, "size", json_object_new_uint64(j->item->size));
	json_object_object_add(o, "mtime_ns", json_object_new_int64(changed_ns));
	json_object_object_add(o, "part_bytes", json_object_new_uint64(j->part_bytes));
	return fileio_replace_file(j->note_path, str_of(json_object_to_json_string(o)), 0600, err);
}

static void take_parts(struct transfer_job *j, const struct store_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned number = parts[i].number;

		if (number < 1 || number > j->parts || parts[i].size != transfer_part_length(j, number))
			continue;
		j->held[number - 1] = parts[i];
		j->is_done[number - 1] = 1;
		j->item->resumed_bytes += parts[i].size;
	}
}

/* Whether an earlier run's upload goes on. */
static bool take_up(struct transfer *t, struct transfer_job *j, int64_t changed_ns)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(65536);
	CLEANUP(json_putp) struct json_object *note = NULL;
	CLEANUP(freep) struct store_part *parts = NULL;
	struct error ignored = ERROR_INIT; /* then it begins anew */
	const char *id;
	size_t count = 0;

	if (!j->note_path || fileio_read_file(j->note_path, &text, &ignored) < 0 ||
	    json_parse(buf_str(&text), 65536, &note, &ignored) < 0)
		return false;
	id = json_get_string(note, "upload_id");
	if (!id || json_get_int64(note, "size", -1) != (int64_t)j->item->size ||
	    json_get_int64(note, "mtime_ns", 0) != changed_ns ||
	    json_get_int64(note, "part_bytes", 0) != (int64_t)j->part_bytes ||
	    store_upload_parts(t->store, t->bucket, j->item->key, id, &parts, &count, &ignored) < 0)
		return false;
	j->upload_id = strdup(id);
	if (!j->upload_id)
		return false;
	take_parts(j, parts, count);
	return true;
}

/* ---- in parts ---- */

int transfer_up_begin(struct transfer *t, struct transfer_job *j, struct error *err)
{
	struct store_put_args args = put_args(t);
	struct stat st;
	int r = open_source(j->item, &j->fd, &st, err);

	if (r < 0)
		return r;
	j->held = calloc(j->parts, sizeof *j->held);
	if (!j->held)
		return error_no_memory(err);
	j->note_path = note_path(t, j->item);
	if (take_up(t, j, mtime_ns(&st)))
		return 0;
	r = store_upload_begin(t->store, t->bucket, j->item->key, &args, &j->upload_id, err);
	return r < 0 ? r : write_note(j, mtime_ns(&st), err);
}

int transfer_up_part(struct transfer *t, struct transfer_job *j, unsigned number, struct error *err)
{
	struct store_source source = STORE_SOURCE_INIT;

	source.fd = j->fd;
	source.offset = (uint64_t)(number - 1) * j->part_bytes;
	source.length = transfer_part_length(j, number);
	return store_upload_part(t->store, t->bucket, j->item->key, j->upload_id, number, &source, t->call->cancel,
				 &j->held[number - 1], err);
}

int transfer_up_end(struct transfer *t, struct transfer_job *j, struct error *err)
{
	struct store_put_args args = put_args(t);
	CLEANUP(buf_release) struct buf text = BUF_INIT(65536);
	CLEANUP(json_putp) struct json_object *note = NULL;
	struct error ignored = ERROR_INIT; /* without a note nothing is compared */
	int r = 0;

	if (j->note_path && fileio_read_file(j->note_path, &text, &ignored) == 0 &&
	    json_parse(buf_str(&text), 65536, &note, &ignored) == 0)
		r = check_unchanged(j->item, j->fd, json_get_int64(note, "mtime_ns", 0), err);
	if (r == 0)
		r = store_upload_complete(t->store, t->bucket, j->item->key, j->upload_id, j->held, j->parts, &args,
					  j->item->version, err);
	else
		(void)store_upload_abort(t->store, t->bucket, j->item->key, j->upload_id, &ignored); /* of no use any more */
	if (j->note_path && (r == 0 || err->kind == ERR_CONFLICT || err->kind == ERR_NOT_FOUND))
		(void)unlink(j->note_path); /* what stays names an upload that is over, which the next run finds out */
	return r;
}
