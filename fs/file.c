#include "fs/file.h"
#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include "fs/extentlog.h"
#include "fs/intact.h"
#include "fs/kept.h"
#include "fs/node_version.h"
#include "fs/upload.h"
#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

void fs_cache_name(uint64_t id, char ret[24])
{
	(void)snprintf(ret, 24, "%016" PRIx64, id);
}

void fs_cache_log_name(uint64_t id, char ret[24])
{
	(void)snprintf(ret, 24, "%016" PRIx64 ".map", id);
}

int file_make(struct fs *fs, uint64_t *ret_id, int *ret_fd, struct error *err)
{
	uint64_t id;
	char name[24];
	int fd, tries = 0;

	do { /* a name is only taken when a lost journal began to count anew: then the file there may be somebody's data */
		id = journal_next_seq(fs->journal);
		fs_cache_name(id, name);
		fd = openat(fs->cache_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	} while (fd < 0 && errno == EEXIST && ++tries < 100000);
	if (fd < 0)
		return error_errno(err, errno, "cannot make a cache file in '%s'", fs->cache_dir);
	FAULT_POINT("cache-file-made");
	*ret_id = id;
	*ret_fd = fd;
	return 0;
}

void file_unmake(struct fs *fs, uint64_t id, int fd)
{
	char name[24];

	fs_cache_name(id, name);
	(void)close(fd);
	(void)unlinkat(fs->cache_fd, name, 0); /* what cannot be removed is removed at the next start */
}

static void lru_unlink(struct fs *fs, struct file *f)
{
	if (f->lru_prev)
		f->lru_prev->lru_next = f->lru_next;
	else if (fs->cache.lru_first == f)
		fs->cache.lru_first = f->lru_next;
	if (f->lru_next)
		f->lru_next->lru_prev = f->lru_prev;
	else if (fs->cache.lru_last == f)
		fs->cache.lru_last = f->lru_prev;
	f->lru_next = f->lru_prev = NULL;
}

static void lru_append(struct fs *fs, struct file *f)
{
	f->lru_prev = fs->cache.lru_last;
	if (fs->cache.lru_last)
		fs->cache.lru_last->lru_next = f;
	else
		fs->cache.lru_first = f;
	fs->cache.lru_last = f;
}

void file_touch_locked(struct file *f)
{
	if (f->fs->cache.lru_last == f)
		return;
	lru_unlink(f->fs, f);
	lru_append(f->fs, f);
}

struct file *file_attach_locked(struct fs *fs, struct node *n, enum file_kind kind, uint64_t id, int fd)
{
	struct file *f = calloc(1, sizeof(*f));

	lock_assert_held(&fs->lock);
	assert(!n->file);
	if (!f)
		return NULL;
	f->fs = fs;
	f->node = n;
	f->id = id;
	f->fd = fd;
	f->log_fd = -1;
	f->is_whole = kind == FILE_WHOLE;
	if (kind == FILE_SPARSE && node_has_version(n))
		file_set_base_locked(f, node_version(n).text);
	prefetch_init(&f->prefetch);
	n->file = f;
	lru_append(fs, f);
	fs->cache.files++;
	file_account_locked(f);
	return f;
}

static void trash_locked(struct fs *fs, struct file *f, bool keeps_file)
{
	struct trash *t = calloc(1, sizeof(*t));

	if (!t) { /* leaves a stray file, which the next start removes; descriptors must not leak */
		if (f->fd >= 0)
			(void)close(f->fd);
		if (f->log_fd >= 0)
			(void)close(f->log_fd);
		return;
	}
	*t = (struct trash){ f->id, f->fd, f->log_fd, keeps_file, { 0 }, keeps_file ? 0 : f->accounted, clock_mono_ms(), fs->cache.trash };
	if (!keeps_file)
		t->mark = journal_mark_now(fs->journal);
	fs->cache.trash = t;
}

static void trash_free(struct trash *t)
{
	if (t->fd >= 0)
		(void)close(t->fd);
	if (t->log_fd >= 0)
		(void)close(t->log_fd);
	free(t);
}

#define SOON_MS 2000u /* in which the journal has long taken the next step, if it can */

uint64_t file_coming_free_locked(const struct fs *fs)
{
	uint64_t bytes = 0, now = clock_mono_ms();

	for (const struct trash *t = fs->cache.trash; t; t = t->next)
		if (now < t->since_ms + SOON_MS)
			bytes += t->bytes;
	return bytes;
}

void file_empty_trash(struct fs *fs)
{
	struct trash *t;

	lock_take(&fs->lock);
	t = steal(fs->cache.trash);
	lock_drop(&fs->lock);
	while (t) {
		struct trash *next = t->next;
		char name[24];

		if (!t->keeps_file && !journal_is_past(fs->journal, t->mark)) {
			lock_take(&fs->lock); /* a row of it is still in the journal: a crash would want it */
			t->next = fs->cache.trash;
			fs->cache.trash = t;
			lock_drop(&fs->lock);
			t = next;
			continue;
		}

		if (!t->keeps_file) {
			FAULT_POINT("cache-file-remove-before");
			fs_cache_log_name(t->id, name);
			(void)unlinkat(fs->cache_fd, name, 0);
			FAULT_POINT("cache-file-remove-map");
			fs_cache_name(t->id, name);
			(void)unlinkat(fs->cache_fd, name, 0);
			FAULT_POINT("cache-file-remove-after");
		}
		trash_free(t);
		t = next;
	}
}

void file_leave_trash(struct fs *fs)
{
	while (fs->cache.trash) {
		struct trash *t = fs->cache.trash;

		fs->cache.trash = t->next;
		trash_free(t);
	}
}

void file_drop_locked(struct fs *fs, struct node *n)
{
	struct file *f = n->file;

	if (!f)
		return;
	assert(!f->fetches && !f->busy);
	n->file = NULL;
	lru_unlink(fs, f);
	fs->cache.files--;
	fs->cache.bytes -= f->accounted;
	trash_locked(fs, f, f->outlives_us);
	extents_release(&f->present);
	extents_release(&f->dirty);
	extents_release(&f->rewritten);
	pagesums_release(&f->sums);
	location_release(&f->origin);
	free(f);
}

void file_rest_locked(struct file *f)
{
	if (f->fd < 0 || f->readers || f->writers || f->busy || f->fetches)
		return;
	trash_locked(f->fs, f, true);
	f->fd = -1;
	f->log_fd = -1;
}

#define TRASH_LOOKED_AT 256u

/* One that rested a moment ago goes on with its descriptor: a second one would look like somebody else's (passthrough.c). */
static bool take_back_locked(struct file *f)
{
	struct trash *t = f->fs->cache.trash;

	for (unsigned i = 0; t && i < TRASH_LOOKED_AT; i++, t = t->next)
		if (t->id == f->id && t->keeps_file && t->fd >= 0) {
			f->fd = t->fd;
			t->fd = -1;
			return true;
		}
	return false;
}

int file_open_fd_locked(struct file *f, struct error *err)
{
	char name[24];

	if (f->fd >= 0 || take_back_locked(f))
		return 0;
	/* Microseconds: the name is in the kernel's cache; not worth a dance around the lock. */
	fs_cache_name(f->id, name);
	f->fd = openat(f->fs->cache_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (f->fd < 0)
		return error_errno(err, errno, "cannot open cache file '%s'", name);
	return 0;
}

#define MAYBE_HOLES_MIN (64u << 20)

/* What a whole file takes of the disk: a big one may be mostly holes. */
static uint64_t whole_bytes(const struct file *f)
{
	uint64_t size = f->node->size, used;
	struct stat st;

	if (size < MAYBE_HOLES_MIN)
		return size;
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		return f->accounted && f->accounted < size ? f->accounted : size;
	used = (uint64_t)st.st_blocks * 512;
	return used < size ? used : size;
}

void file_account_locked(struct file *f)
{
	uint64_t now = f->is_whole ? whole_bytes(f) : f->present.total;

	f->fs->cache.bytes += now - f->accounted;
	if (f->node->put && now > f->accounted) /* the ticker counts anew */
		f->fs->cache.dirty_bytes += now - f->accounted;
	f->accounted = now;
}

bool file_is_complete_locked(const struct file *f)
{
	return f->is_whole || extents_covers(&f->present, 0, f->node->size);
}

bool file_is_idle_locked(const struct file *f)
{
	return !f->readers && !f->writers && !f->busy && !f->fetches && !f->node->put && !f->readers_waiting &&
	       !f->exclusive_waiting && !f->upload;
}

bool file_has_fetch_locked(const struct file *f, uint64_t start, uint64_t end)
{
	for (const struct fetch *t = f->fetches; t; t = t->next)
		if (t->start < end && t->end > start)
			return true;
	return false;
}

void file_change_begin_locked(struct file *f)
{
	f->busy++;
	f->changing++;
}

void file_change_end_locked(struct file *f)
{
	assert(f->busy > 0 && f->changing > 0);
	f->busy--;
	f->changing--;
}

static void touch_times(struct node *n)
{
	node_set_times(n, clock_wall_ns());
}

bool file_keeps_log_locked(const struct file *f)
{
	return !f->is_whole || (f->node->put && !(f->node->put->flags & PENDING_FLAG_WHOLE));
}

#define DIRTY_RANGES_MOST 65536u /* of a file that can be sent whole: beyond, looking them up costs more than it saves */

static int mark_dirty_locked(struct file *f, uint64_t start, uint64_t end)
{
	int r = f->is_whole ? 0 : extents_add(&f->present, start, end);

	if (r == 0 && (f->base_version[0] || file_keeps_log_locked(f)))
		r = extents_add(&f->dirty, start, end);
	if (r == 0 && f->is_sending)
		r = extents_add(&f->rewritten, start, end);
	if (f->is_whole && f->dirty.count > DIRTY_RANGES_MOST && !file_keeps_log_locked(f))
		file_forget_base_locked(f);
	return r;
}

void file_sending_begin_locked(struct file *f)
{
	extents_clear(&f->rewritten);
	f->is_sending = true;
}

void file_sent_locked(struct file *f, const char *version)
{
	bool is_known = f->is_sending && extents_copy(&f->dirty, &f->rewritten) == 0;

	/* Without memory a mixture's map still says more than enough; a whole file does without a base. */
	file_set_base_locked(f, !is_known && f->is_whole ? "" : version);
	f->is_sending = false;
}

void file_forget_base_locked(struct file *f)
{
	assert(file_is_complete_locked(f));
	f->is_whole = true;
	file_set_base_locked(f, "");
	extents_clear(&f->present);
	extents_clear(&f->dirty);
}

void file_changed_unseen_locked(struct file *f)
{
	assert(f->is_whole);
	file_forget_base_locked(f);
	intact_forget_all_locked(f);
	if (f->is_sending && extents_add(&f->rewritten, 0, UINT64_MAX) < 0)
		f->is_sending = false;
}

uint64_t file_change_start_locked(const struct file *f, uint64_t start)
{
	return start > f->node->size ? f->node->size : start;
}

int file_written_locked(struct file *f, uint64_t start, uint64_t end)
{
	struct node *n = f->node;
	int r = mark_dirty_locked(f, start, end);

	if (r < 0)
		return r;
	if (end > n->size)
		n->size = end;
	f->last_write_end = end;
	f->generation++;
	touch_times(n);
	f->progress_ms = clock_mono_ms();
	file_account_locked(f);
	upload_note_write_locked(f, start, end);
	return 0;
}

int file_log_dirty(struct file *f, uint64_t start, uint64_t end, struct error *err)
{
	struct fs *fs = f->fs;
	CLEANUP(extents_release) struct extents present = EXTENTS_INIT;
	CLEANUP(extents_release) struct extents dirty = EXTENTS_INIT;
	char name[24];
	int fd, r;

	lock_take(&fs->lock);
	fd = f->log_fd;
	if (!file_keeps_log_locked(f)) {
		lock_drop(&fs->lock);
		return 0;
	}
	if (fd >= 0) {
		lock_drop(&fs->lock);
		return extentlog_append(fd, EXTENTLOG_DIRTY, start, end, err);
	}
	/* Only what was written here needs to outlive a crash; the rest can be fetched again. */
	r = extents_copy(&dirty, &f->dirty);
	if (r == 0)
		r = extents_copy(&present, &f->dirty);
	lock_drop(&fs->lock);
	if (r < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for the map of a cache file");
	fs_cache_log_name(f->id, name);
	fd = extentlog_compact(fs->cache_fd, name, &present, &dirty, err);
	if (fd < 0)
		return fd;
	lock_take(&fs->lock);
	f->log_fd = fd;
	lock_drop(&fs->lock);
	return 0;
}

static int truncate_maps_locked(struct file *f, uint64_t size)
{
	struct node *n = f->node;
	int r = 0;

	if (size < n->size) {
		extents_truncate(&f->present, size);
		extents_truncate(&f->dirty, size);
		extents_truncate(&f->rewritten, size);
		intact_forget_locked(f, size, UINT64_MAX);
	} else {
		r = mark_dirty_locked(f, n->size, size);
	}
	if (size == 0) { /* nothing of the old version is left */
		f->is_whole = true;
		file_set_base_locked(f, "");
	}
	if (r < 0)
		return r;
	upload_note_write_locked(f, size < n->size ? size : n->size, UINT64_MAX);
	n->size = size;
	f->generation++;
	touch_times(n);
	file_account_locked(f);
	return 0;
}

/* A mixture was cut to nothing: its row must say so before the map is no longer written. */
static int note_whole(struct file *f, struct error *err)
{
	struct fs *fs = f->fs;
	bool is_queued;
	uint64_t ticket = 0;

	lock_take(&fs->lock);
	is_queued = f->node->put != NULL;
	if (is_queued)
		ticket = pending_update_locked(f->node->put);
	lock_drop(&fs->lock);
	return is_queued ? journal_wait(fs->journal, ticket, err) : 0;
}

int file_truncate(struct file *f, uint64_t size, struct error *err)
{
	struct fs *fs = f->fs;
	uint64_t old_size;
	bool was_mixture;
	int r;

	lock_take(&fs->lock);
	passthrough_settle_locked(f);
	old_size = f->node->size;
	was_mixture = file_keeps_log_locked(f);
	lock_drop(&fs->lock);
	FAULT_POINT("truncate-before");
	/* When growing, the zeros are there before the map says so; when cutting, the map goes first. */
	if (size > old_size && ftruncate(f->fd, (off_t)size) < 0)
		return error_errno(err, errno, "cannot grow a cache file");
	lock_take(&fs->lock);
	r = truncate_maps_locked(f, size);
	lock_drop(&fs->lock);
	if (r < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for the map of a cache file");
	if (intact_settle(f) < 0)
		return error_set(err, ERR_IO, "cannot keep the checksums of a cache file");
	if (size <= old_size && ftruncate(f->fd, (off_t)size) < 0)
		return error_errno(err, errno, "cannot cut a cache file");
	FAULT_POINT("truncate-cut");
	if (!was_mixture)
		return 0;
	if (f->is_whole)
		return note_whole(f, err);
	r = file_log_dirty(f, old_size, size > old_size ? size : old_size, err);
	if (r == 0 && size < old_size && f->log_fd >= 0)
		r = extentlog_append(f->log_fd, EXTENTLOG_TRUNCATE, size, size, err);
	return r;
}

void file_set_base_locked(struct file *f, const char *version)
{
	memset(f->base_version, 0, sizeof(f->base_version));
	memcpy(f->base_version, version, strnlen(version, STORE_VERSION_MAX - 1));
}

void file_cleaned_locked(struct file *f, const char *version)
{
	struct node *n = f->node;

	f->clean_mark = journal_mark_now(f->fs->journal);
	f->clean_mark.finished++; /* the upload's own row, which goes next */
	f->is_row_past = false;
	f->is_sending = false;
	extents_clear(&f->dirty);
	extents_release(&f->rewritten);
	intact_forget_all_locked(f);
	file_set_base_locked(f, version);
	if (extents_covers(&f->present, 0, n->size))
		f->is_whole = true;
	if (f->log_fd >= 0) {
		struct file log_only = { .fs = f->fs, .id = f->id, .fd = -1, .log_fd = f->log_fd };

		trash_locked(f->fs, &log_only, true);
		f->log_fd = -1;
		f->has_old_map = true;
	}
}

#define KEEP_BEHIND (8u << 20) /* of what a reader has just read: it may look back, and late requests come from behind */

/* Whether a range is about to be read, or written by a fetch; then *range is cut to what comes before it, or after. */
static bool cut_to_free(const struct file *f, struct extent *range)
{
	for (const struct fetch *t = f->fetches; t; t = t->next)
		if (t->start < range->end && t->end > range->start) {
			if (t->start <= range->start)
				return false;
			range->end = t->start;
		}
	for (size_t i = 0; i < PREFETCH_STREAMS; i++) {
		const struct prefetch_stream *s = &f->prefetch.streams[i];
		uint64_t from = s->next > KEEP_BEHIND ? s->next - KEEP_BEHIND : 0;
		uint64_t to = s->planned > s->next ? s->planned : s->next;

		if (!s->used || from >= range->end || to <= range->start)
			continue;
		if (from <= range->start)
			return false;
		range->end = from;
	}
	return range->start < range->end;
}

/* A crash must not find a row, or a map beside the file, that still speaks of bytes given back. */
static bool may_punch_locked(struct file *f)
{
	char name[24];

	if (!f->is_row_past && !journal_is_past(f->fs->journal, f->clean_mark))
		return false;
	f->is_row_past = true;
	if (!f->has_old_map)
		return true;
	fs_cache_log_name(f->id, name);
	if (unlinkat(f->fs->cache_fd, name, 0) < 0 && errno != ENOENT)
		return false;
	f->has_old_map = false;
	return true;
}

/* Gives back clean ranges of a file that is in use, from its beginning on, until `need` bytes are free. */
static void punch_locked(struct file *f, uint64_t need)
{
	struct extent range;
	uint64_t from = 0, freed = 0;

	if (f->node->put || f->busy || f->readers_waiting || f->fd < 0 || !f->base_version[0] || f->pass.opens ||
	    !may_punch_locked(f))
		return;
	if (f->is_whole && f->node->size) {
		if (extents_add(&f->present, 0, f->node->size) < 0)
			return;
		f->is_whole = false;
	}
	while (freed < need && extents_next(&f->present, from, UINT64_MAX, &range)) {
		from = range.end;
		if (!cut_to_free(f, &range))
			continue;
		if (range.end - range.start > need - freed)
			range.end = range.start + (need - freed);
		if (extents_remove(&f->present, range.start, range.end) < 0)
			break;
		(void)fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)range.start,
				(off_t)(range.end - range.start)); /* where the disk cannot, only the space stays used */
		FAULT_POINT("evict-punched");
		freed += range.end - range.start;
	}
	file_account_locked(f);
}

void file_evict(struct fs *fs)
{
	struct file *f, *next;

	lock_take(&fs->lock);
	while (fs->cache.bytes > fs->options.cache_size) { /* what nobody asked for since the last mount goes first */
		struct file old = { .fs = fs, .fd = -1, .log_fd = -1 };
		uint64_t bytes;

		old.id = kept_evict_locked(fs, &bytes);
		if (!old.id)
			break;
		old.accounted = bytes;
		trash_locked(fs, &old, false);
	}
	for (f = fs->cache.lru_first; f && fs->cache.bytes > fs->options.cache_size; f = next) {
		next = f->lru_next;
		if (file_is_idle_locked(f)) {
			struct node *n = f->node;

			file_drop_locked(fs, n);
			FAULT_POINT("evict-dropped");
			tree_prune(&fs->tree, n);
		} else {
			punch_locked(f, fs->cache.bytes - fs->options.cache_size);
		}
	}
	lock_drop(&fs->lock);
	file_empty_trash(fs);
}
