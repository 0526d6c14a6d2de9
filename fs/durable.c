#include "fs/durable.h"
#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include "backends/base/fileio.h"
#include "backends/base/hash.h"
#include "backends/base/json.h"
#include "backends/base/log.h"
#include "fs/extentlog.h"
#include "fs/file.h"
#include "fs/intact.h"
#include "fs/pending.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYNC_EVERY_MS 5000u
#define SYNC_WHOLE_DISK 64 /* from so many files on one sync of the disk is cheaper than theirs */
#define RESCUED	      "rescued"

static uint64_t boot_value;

static void boot_read(void)
{
	CLEANUP(buf_release) struct buf id = BUF_INIT(256);

#ifdef SKYDIR_FAULT_POINTS
	if (fault_boot()) {
		boot_value = hash_table64(fault_boot(), strlen(fault_boot()), 1) & INT64_MAX;
		return;
	}
#endif
	if (fileio_read_file("/proc/sys/kernel/random/boot_id", &id, NULL) == 0)
		boot_value = hash_table64(id.data, id.len, 1) & INT64_MAX;
}

uint64_t durable_boot(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, boot_read);
	return boot_value;
}

/* What is synced now: descriptors and how far the file had come. */
struct subject {
	struct node *node; /* pinned, its file busy */
	int fd, log_fd;
	uint64_t size, generation;
	bool is_done;
};

static int subject_take_locked(struct node *n, struct subject *ret)
{
	struct file *f = n->file;

	if (file_open_fd_locked(f, NULL) < 0)
		return -EIO;
	*ret = (struct subject){ n, f->fd, f->log_fd, n->size, f->generation, false };
	f->busy++;
	tree_pin(n);
	return 0;
}

static void subject_drop_locked(struct fs *fs, struct subject *s)
{
	s->node->file->busy--;
	file_rest_locked(s->node->file);
	tree_unpin(&fs->tree, s->node);
}

static int sync_data(const struct subject *s, struct error *err)
{
	if (fdatasync(s->fd) < 0)
		return error_errno(err, errno, "cannot sync a cache file");
	if (s->log_fd < 0)
		return 0;
	/* What the map said of before is on the disk: after a restart it counts up to here. */
	if (extentlog_append(s->log_fd, EXTENTLOG_SYNCED, 0, 0, NULL) < 0 || fdatasync(s->log_fd) < 0)
		return error_errno(err, errno ? errno : EIO, "cannot sync the map of a cache file");
	return 0;
}

/* The row tells it, unless it does already. A file that was cut since its mark needs a new one. */
static void mark_locked(const struct subject *s)
{
	struct pending *op = s->node->put;

	if (!op || (op->is_synced && s->size >= op->synced_size && op->synced_file == op->file_id))
		return;
	op->is_synced = true;
	op->synced_size = s->size;
	op->synced_file = op->file_id;
	(void)pending_update_locked(op);
}

int durable_sync_file(struct fs *fs, struct node *n, struct error *err)
{
	struct subject s;
	int r;

	lock_take(&fs->lock);
	r = subject_take_locked(n, &s);
	lock_drop(&fs->lock);
	if (r < 0)
		return error_set(err, ERR_IO, "cannot open a cache file to sync it");
	r = sync_data(&s, err);
	if (r == 0 && fsync(fs->cache_fd) < 0) /* its name; next to nothing when it is there already */
		r = error_errno(err, errno, "cannot sync the cache directory");
	FAULT_POINT("fsync-data-synced");
	lock_take(&fs->lock);
	if (r == 0)
		mark_locked(&s);
	lock_drop(&fs->lock);
	if (r == 0)
		r = journal_sync(fs->journal, err);
	lock_take(&fs->lock);
	if (r == 0 && n->file->generation == s.generation)
		n->file->synced_generation = s.generation;
	subject_drop_locked(fs, &s);
	lock_drop(&fs->lock);
	return r;
}

static size_t collect_locked(struct fs *fs, struct subject **ret)
{
	struct subject *all = calloc(fs->queue.count + 1, sizeof(*all));
	size_t count = 0;

	for (struct pending *op = all ? fs->queue.first : NULL; op; op = op->next) {
		struct file *f = op->kind == PENDING_PUT && op->node ? op->node->file : NULL;

		if (!f || op->node->put != op || (op->is_synced && f->synced_generation == f->generation && !f->writers))
			continue;
		if (subject_take_locked(op->node, &all[count]) == 0)
			count++;
	}
	*ret = all;
	return count;
}

void durable_sync_all(struct fs *fs)
{
	CLEANUP(freep) struct subject *all = NULL;
	struct error err = ERROR_INIT;
	size_t count;
	bool is_whole_disk;

	lock_take(&fs->lock);
	passthrough_settle_all_locked(fs); /* what the kernel wrote by itself is dirty from here on */
	count = collect_locked(fs, &all);
	lock_drop(&fs->lock);
	is_whole_disk = count >= SYNC_WHOLE_DISK;
	if (is_whole_disk && syncfs(fs->cache_fd) < 0)
		is_whole_disk = false;
	for (size_t i = 0; i < count; i++)
		/* After a sync of the disk these find nothing to write. */
		all[i].is_done = (is_whole_disk && all[i].log_fd < 0) || sync_data(&all[i], &err) == 0;
	if (count && !is_whole_disk && fsync(fs->cache_fd) < 0)
		(void)error_errno(&err, errno, "cannot sync the cache directory");
	lock_take(&fs->lock);
	for (size_t i = 0; i < count; i++)
		if (all[i].is_done && err.kind == ERR_NONE)
			mark_locked(&all[i]);
	lock_drop(&fs->lock);
	if (journal_sync(fs->journal, &err) == 0 && err.kind == ERR_NONE) {
		LOCKED(&fs->lock);
		for (size_t i = 0; i < count; i++)
			if (all[i].node->file->generation == all[i].generation)
				all[i].node->file->synced_generation = all[i].generation;
	} else {
		log_warn("disk.sync", "error='%s'", err.message);
	}
	lock_take(&fs->lock);
	for (size_t i = 0; i < count; i++)
		subject_drop_locked(fs, &all[i]);
	lock_drop(&fs->lock);
}

static void *sync_main(void *arg)
{
	struct fs *fs = arg;
	uint64_t next_ms = clock_mono_ms() + SYNC_EVERY_MS;

	(void)pthread_setname_np(pthread_self(), "skydir-sync");
	lock_take(&fs->lock);
	while (!fs->is_sync_stopping) {
		if (clock_mono_ms() < next_ms) {
			(void)cond_wait_until(&fs->sync_cond, &fs->lock, next_ms);
			continue;
		}
		lock_drop(&fs->lock);
		durable_sync_all(fs);
		intact_renew_log(fs);
		next_ms = clock_mono_ms() + SYNC_EVERY_MS;
		lock_take(&fs->lock);
	}
	lock_drop(&fs->lock);
	return NULL;
}

int durable_start(struct fs *fs, struct error *err)
{
	int errnum = pthread_create(&fs->sync_thread, NULL, sync_main, fs);

	if (errnum)
		return error_errno(err, errnum, "cannot start a thread");
	fs->has_sync_thread = true;
	return 0;
}

void durable_stop(struct fs *fs)
{
	if (!fs->has_sync_thread)
		return;
	lock_take(&fs->lock);
	fs->is_sync_stopping = true;
	cond_broadcast(&fs->sync_cond);
	lock_drop(&fs->lock);
	(void)pthread_join(fs->sync_thread, NULL);
	fs->has_sync_thread = false;
	durable_sync_all(fs); /* what is left for the next mount may be left for long */
}

static int write_note(struct fs *fs, const char *name, const struct journal_row *row, const char *why, struct error *err)
{
	CLEANUP(freep) char *path = str_format("%s/" RESCUED "/%s.json", fs->cache_dir, name);
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	CLEANUP(buf_release) struct buf key = BUF_INIT(8192);

	if (!path || !o)
		return error_set(err, ERR_NO_MEMORY, "no memory to rescue a file");
	json_object_object_add(o, "why", json_object_new_string(why));
	if (row && base64_encode(row->key, strlen(row->key), &key) == 0) {
		json_object_object_add(o, "store", json_object_new_string(row->store));
		json_object_object_add(o, "bucket", json_object_new_string(row->bucket));
		json_object_object_add(o, "key", json_object_new_string(row->key));
		json_object_object_add(o, "key_base64", json_object_new_string(buf_cstr(&key)));
	}
	return fileio_replace_file(path, str_of(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY)), 0600, err);
}

static int note_damage(struct fs *fs, struct error *err)
{
	CLEANUP(freep) char *before = steal(fs->journal_damage_text);

	free(fs->damage);
	fs->damage = str_format("%s%s%zu files of an earlier run are kept in '%s/" RESCUED "' (see the notes beside them)",
				before ? before : "", before ? "; " : "", fs->rescued, fs->cache_dir);
	fs->journal_damage_text = steal(before);
	return fs->damage ? 0 : error_set(err, ERR_NO_MEMORY, "no memory to rescue a file");
}

bool durable_is_rescued(const struct fs *fs, uint64_t id)
{
	CLEANUP(freep) char *path = NULL;
	char name[24];
	struct stat st;

	fs_cache_name(id, name);
	path = str_format("%s/" RESCUED "/%s", fs->cache_dir, name);
	return path && lstat(path, &st) == 0;
}

/* What waits there from any start, until somebody takes it away. */
void durable_count_rescued(struct fs *fs)
{
	CLEANUP(freep) char *path = str_format("%s/" RESCUED, fs->cache_dir);
	DIR *dir = path ? opendir(path) : NULL;
	const struct dirent *entry;
	struct error err = ERROR_INIT;

	fs->rescued = 0;
	while (dir && (entry = readdir(dir)))
		fs->rescued += entry->d_name[0] != '.' && !strchr(entry->d_name, '.');
	if (dir)
		(void)closedir(dir);
	if (fs->rescued && note_damage(fs, &err) < 0)
		log_warn("recovery.rescued", "error='%s'", err.message);
}

int durable_rescue(struct fs *fs, uint64_t id, const struct journal_row *row, const char *why, struct error *err)
{
	CLEANUP(freep) char *dir = str_format("%s/" RESCUED, fs->cache_dir);
	CLEANUP(closep) int dir_fd = -1;
	char name[24], map[24];
	int r = dir ? fileio_make_dirs(dir, 0700, err) : error_set(err, ERR_NO_MEMORY, "no memory to rescue a file");

	if (r < 0)
		return r;
	fs_cache_name(id, name);
	fs_cache_log_name(id, map);
	r = write_note(fs, name, row, why, err);
	if (r < 0)
		return r;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir_fd < 0 || (renameat(fs->cache_fd, map, dir_fd, map) < 0 && errno != ENOENT) ||
	    renameat(fs->cache_fd, name, dir_fd, name) < 0)
		return error_errno(err, errno, "cannot set the cache file '%s' aside", name);
	FAULT_POINT("rescue-moved");
	if (fsync(dir_fd) < 0)
		return error_errno(err, errno, "cannot sync '%s'", dir);
	log_error("recovery.rescued", "key='%s' file='%s/%s' why='%s'", row ? row->key : "?", dir, name, why);
	return 0;
}
