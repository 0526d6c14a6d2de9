#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "backends/base/metrics.h"
#include "fs/file.h"
#include "fs/owed.h"
#include "fs/passthrough.h"
#include "fs/pending.h"
#include "fs/upload.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define UPLOADS_SHOWN 32

static void add_int(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_int64((int64_t)value));
}

static void add_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, value ? json_object_new_string(value) : NULL);
}

static struct json_object *upload_json(struct fs *fs, const struct pending *op)
{
	struct json_object *o = json_object_new_object();
	CLEANUP(freep) char *path = op->node ? tree_path(&fs->tree, op->node) : NULL;
	uint64_t sent = atomic_load(&op->sent_bytes);

	if (op->node && op->node->file && op->node->file->upload)
		sent = upload_sent_locked(op->node->file);
	add_text(o, "path", path ? path : op->key);
	add_text(o, "what", pending_kind_name(op->kind));
	add_int(o, "bytes", op->node ? op->node->size : 0);
	add_int(o, "sent", sent);
	add_int(o, "attempts", op->attempts);
	add_text(o, "state", op->state == PENDING_RUNNING ? "uploading" : op->is_failed ? "failed" : "waiting");
	if (op->error.kind) {
		add_text(o, "error", op->error.message);
		add_text(o, "kind", error_name(op->error.kind));
	}
	return o;
}

static struct json_object *pending_json(struct fs *fs, struct json_object *into)
{
	struct json_object *uploads = json_object_new_array(), *dirty = json_object_new_object();
	uint64_t files = 0, bytes = 0, others = 0, failed = 0;

	for (const struct pending *op = fs->queue.first; op; op = op->next) {
		failed += op->is_failed;
		if (op->kind != PENDING_PUT) {
			others += !owed_is_only_care(op);
		} else {
			files++;
			bytes += op->node ? op->node->size : 0;
		}
		if ((op->kind == PENDING_PUT || op->is_failed) && json_object_array_length(uploads) < UPLOADS_SHOWN &&
		    (op->state == PENDING_RUNNING || op->error.kind))
			json_object_array_add(uploads, upload_json(fs, op));
	}
	add_int(dirty, "files", files);
	add_int(dirty, "bytes", bytes);
	json_object_object_add(into, "dirty", dirty);
	add_int(into, "pending", others);
	add_int(into, "failed", failed);
	return uploads;
}

static struct json_object *errors_json(const struct fs *fs)
{
	struct json_object *list = json_object_new_array();
	size_t ring = ARRAY_SIZE(fs->errors), count = fs->error_count < ring ? fs->error_count : ring;

	for (size_t i = 0; i < count; i++) {
		const struct status_error *e = &fs->errors[(fs->error_count - count + i) % ring];
		struct json_object *o = json_object_new_object();
		char when[25];

		clock_format_iso8601(e->wall_s * 1000000000, when);
		add_text(o, "time", when);
		add_text(o, "path", e->path);
		add_text(o, "kind", e->kind);
		add_text(o, "error", e->message);
		json_object_object_add(o, "over", json_object_new_boolean(e->is_over));
		json_object_array_add(list, o);
	}
	return list;
}

static void add_request(const struct metric *m, void *arg)
{
	struct json_object *o = arg;
	const char *op = strstr(m->labels, "operation=\"");
	struct json_object *old = NULL;
	char name[64];

	if (strcmp(m->name, "http_requests_total") != 0 || !op)
		return;
	op += strlen("operation=\"");
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(op, "\""), op);
	(void)json_object_object_get_ex(o, name, &old);
	json_object_object_add(o, name, json_object_new_int64((old ? json_object_get_int64(old) : 0) + metric_value(m)));
}

static uint64_t resident_bytes(void)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(256);
	unsigned long long total, resident;

	if (fileio_read_file("/proc/self/statm", &text, NULL) < 0 ||
	    sscanf(buf_cstr(&text), "%llu %llu", &total, &resident) != 2)
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

#define LOOKS_MOST  4096u /* what is open was used lately */
#define SHOWN_MOST  8u

/* The files that a program has open for writing, some of them. */
static struct json_object *writers_json(struct fs *fs)
{
	struct json_object *list = json_object_new_array();
	const struct file *f = fs->open_handles ? fs->cache.lru_last : NULL;

	for (unsigned i = 0; list && f && i < LOOKS_MOST && json_object_array_length(list) < SHOWN_MOST; i++, f = f->lru_prev) {
		CLEANUP(freep) char *path = NULL;

		if (!f->writers || f->node->is_detached || passthrough_is_only_kept_locked(f))
			continue;
		path = tree_path(&fs->tree, f->node);
		if (path)
			json_object_array_add(list, json_object_new_string(path));
	}
	return list;
}

int fs_status(struct fs *fs, struct json_object **ret, struct error *err)
{
	struct json_object *o = json_object_new_object(), *cache = json_object_new_object(),
			   *stores = json_object_new_array(), *requests = json_object_new_object(), *uploads,
			   *passthrough;

	if (!o || !cache || !stores || !requests)
		return error_set(err, ERR_NO_MEMORY, "no memory for the status");
	metrics_each(add_request, requests);
	for (size_t i = 0; i < fs->store_count; i++) {
		CLEANUP(buf_release) struct buf text = BUF_INIT(4096);
		struct json_object *s = json_object_new_object();

		add_text(s, "name", fs->stores[i]->name);
		add_text(s, "type", fs->stores[i]->ops->type);
		if (store_describe(fs->stores[i], &text, NULL) == 0)
			add_text(s, "endpoint", buf_cstr(&text));
		json_object_array_add(stores, s);
	}
	lock_take(&fs->lock);
	add_text(o, "mountpoint", fs->mountpoint);
	add_text(o, "source", fs->source);
	add_int(o, "pid", (uint64_t)getpid());
	add_text(cache, "dir", fs->cache_dir);
	add_int(cache, "bytes", fs->cache.bytes);
	add_int(cache, "limit", fs->options.cache_size);
	add_int(cache, "files", fs->cache.files);
	json_object_object_add(o, "cache", cache);
	uploads = pending_json(fs, o);
	json_object_object_add(o, "uploads", uploads);
	json_object_object_add(o, "errors", errors_json(fs));
	add_int(o, "entries", fs->tree.count);
	passthrough = json_object_new_object();
	json_object_object_add(passthrough, "on", json_object_new_boolean(!fs->pass.obstacle));
	add_text(passthrough, "why_not", fs->pass.obstacle);
	add_int(passthrough, "opens", fs->pass.opens_total);
	json_object_object_add(o, "passthrough", passthrough);
	add_int(o, "open_handles", fs->open_handles);
	json_object_object_add(o, "written", writers_json(fs));
	add_int(o, "waiting_requests", fs->parked_count);
	add_int(o, "uploaded_bytes", fs->queue.bytes_sent_total);
	add_int(o, "lost_rows", fs->lost_rows);
	add_int(o, "other_stores_rows", fs->foreign_rows);
	if (fs->damage)
		add_text(o, "damage", fs->damage);
	lock_drop(&fs->lock);
	add_int(o, "resident_bytes", resident_bytes());
	json_object_object_add(o, "requests", requests);
	json_object_object_add(o, "stores", stores);
	*ret = o;
	return 0;
}

struct offline {
	uint64_t files, bytes, others, unchanged;
	int files_fd;
	struct json_object *items;
};

static int count_row(void *arg, const struct journal_row *row, struct error *err)
{
	struct offline *c = arg;
	char name[24];
	struct stat st;

	(void)err;
	if (row->kind == PENDING_OPENED && !passthrough_row_is_changed(c->files_fd, row)) {
		c->unchanged++;
		return 0;
	}
	if (row->kind != PENDING_PUT && row->kind != PENDING_OPENED) {
		c->others++;
		return 0;
	}
	c->files++;
	fs_cache_name(row->file_id, name);
	if (c->files_fd >= 0 && fstatat(c->files_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		c->bytes += (uint64_t)st.st_size;
	if (json_object_array_length(c->items) < UPLOADS_SHOWN) {
		CLEANUP(freep) char *path = str_format("/%s/%s/%s", row->store, row->bucket, row->key);
		struct json_object *o = json_object_new_object();

		add_text(o, "path", path);
		add_text(o, "state", "waiting");
		json_object_array_add(c->items, o);
	}
	return 0;
}

int fs_status_offline(const char *cache_dir, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *journal = str_format("%s/journal.db", cache_dir);
	CLEANUP(freep) char *files = str_format("%s/files", cache_dir);
	CLEANUP(closep) int files_fd = files ? open(files, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct offline c = { .files_fd = files_fd, .items = json_object_new_array() };
	struct json_object *o, *dirty;
	size_t recorded = journal_mirror_rows(cache_dir);
	int r = journal && access(journal, F_OK) == 0 ? journal_each_readonly(cache_dir, count_row, &c, err) :
							 error_set(err, ERR_NOT_FOUND, "no journal in '%s'", cache_dir);

	if (recorded > c.files + c.others + c.unchanged) { /* what the file has lost is found when it is opened */
		c.others = recorded - c.files - c.unchanged;
		r = 0;
	}
	if (r < 0) {
		json_object_put(c.items);
		return r;
	}
	o = json_object_new_object();
	dirty = json_object_new_object();
	add_int(dirty, "files", c.files);
	add_int(dirty, "bytes", c.bytes);
	json_object_object_add(o, "orphan", json_object_new_boolean(true));
	add_text(o, "cache_dir", cache_dir);
	json_object_object_add(o, "dirty", dirty);
	add_int(o, "pending", c.others);
	json_object_object_add(o, "uploads", c.items);
	*ret = o;
	return 0;
}
