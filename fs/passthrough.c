#include "fs/passthrough.h"
#include "backends/base/clock.h"
#include "backends/base/hash.h"
#include "backends/base/json.h"
#include "backends/base/log.h"
#include "backends/base/random.h"
#include "fs/durable.h"
#include "fs/file.h"
#include "fs/intact.h"
#include "fs/pending.h"
#include "fs/upload.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <time.h>

/* Linux 6.9's, not in the headers of Debian 12. */
struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define IOC_BACKING_OPEN  _IOW(229, 1, struct backing_map)
#define IOC_BACKING_CLOSE _IOW(229, 2, uint32_t)

#define LONG_PAST_S    1 /* no write leaves this mtime */
#define TICK_TRIES     100u
#define LOOKS_MOST     256u /* at kept handles, each time */
#define TIME_SPREAD_NS 65536 /* nobody sees a difference, and far less than a tick */

void passthrough_prepare(struct fs *fs)
{
	fs->pass.obstacle = fs->options.is_passthrough_off ? "switched off" : fs_passthrough_obstacle(fs->cache_fd);
	fs->pass.time_salt = random_u64();
	(void)signal(SIGIO, SIG_IGN); /* somebody opens a cache file in the moment of a lease: see is_mapped */
}

void passthrough_agreed(struct fs *fs, bool has_kernel)
{
	lock_take(&fs->lock);
	if (!fs->pass.obstacle && !has_kernel)
		fs->pass.obstacle = "the kernel has none (Linux 6.9 and newer do)";
	lock_drop(&fs->lock);
	if (fs->pass.obstacle)
		log_info("mount.passthrough", "is=off why='%s'", fs->pass.obstacle);
	else
		log_info("mount.passthrough", "is=on");
}

static int64_t ns_of(struct timespec t)
{
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void stamp_of(const struct stat *st, struct file_stamp *ret)
{
	*ret = (struct file_stamp){ (uint64_t)st->st_size, ns_of(st->st_mtim), ns_of(st->st_ctim) };
}

static bool is_same_stamp(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

static int backing_open(struct fs *fs, struct file *f)
{
	struct backing_map map = { .fd = f->fd };
	int id = ioctl(fuse_session_fd(fs->session), IOC_BACKING_OPEN, &map);

	if (id > 0) {
		f->pass.backing_id = id;
		return 0;
	}
	if (id < 0 && (errno == ENOMEM || errno == EMFILE || errno == ENFILE))
		return -errno; /* another time */
	fs->pass.obstacle = errno == EPERM ? "the kernel does not permit it (it needs CAP_SYS_ADMIN outside of containers)" :
			    errno == ELOOP ? "the cache directory is on a stacked file system" : "the kernel refuses the cache files";
	log_info("mount.passthrough", "is=off why='%s'", fs->pass.obstacle);
	return -EPERM;
}

static void backing_close(struct fs *fs, struct file *f)
{
	uint32_t id = (uint32_t)f->pass.backing_id;

	f->pass.backing_id = 0;
	if (ioctl(fuse_session_fd(fs->session), IOC_BACKING_CLOSE, &id) < 0 && errno != ENOTCONN && errno != ENODEV &&
	    errno != EPERM)
		log_warn("passthrough.close", "id=%u error='%s'", id, strerror(errno));
}

/* A writer nobody can stop needs a disk that has room, and a cache that is not full of what must stay. */
static bool has_room(const struct fs *fs, const struct file *f)
{
	uint64_t limit = fs->options.cache_size, slack = limit / 4;

	return fs->cache.dirty_bytes + f->accounted <= limit - slack &&
	       fs->cache.disk_free_bytes >= fs->options.free_space_floor + slack;
}

/* A change of a big object sends only what changed, which has to be known: its writers go through us. */
static bool wants_ranges(const struct fs *fs, const struct file *f)
{
	const struct node *n = f->node;

	if (!f->base_version[0] || n->size <= 2 * fs->options.part_size)
		return false;
	while (n && n->type != NODE_STORE)
		n = n->parent;
	return n && (__atomic_load_n(&dir_of(n)->store->caps, __ATOMIC_RELAXED) & (STORE_CAP_PART_COPY | STORE_CAP_PART_WHOLE));
}

static bool may_begin(const struct fs *fs, struct file *f, enum passthrough_open how)
{
	if (fs->pass.obstacle || !fs->session || f->cached_opens || f->fetches || f->fd < 0)
		return false;
	if (!f->is_whole && (f->node->put || f->is_new_version || !file_is_complete_locked(f)))
		return false;
	if (file_keeps_log_locked(f)) /* its row calls it a mixture: a map says what was written */
		return false;
	if (how == PASSTHROUGH_WRITE && wants_ranges(fs, f))
		return false;
	if (how != PASSTHROUGH_READ && !has_room(fs, f))
		return false;
	f->is_whole = true;
	return true;
}

static void writers_link(struct fs *fs, struct file *f)
{
	f->pass.next = fs->pass.writers;
	f->pass.prev = NULL;
	if (f->pass.next)
		f->pass.next->pass.prev = f;
	fs->pass.writers = f;
}

static void writers_unlink(struct fs *fs, struct file *f)
{
	if (f->pass.prev)
		f->pass.prev->pass.next = f->pass.next;
	else
		fs->pass.writers = f->pass.next;
	if (f->pass.next)
		f->pass.next->pass.prev = f->pass.prev;
	f->pass.next = f->pass.prev = NULL;
}

/* The first handle for writing: from here on the stamp tells. */
static int begin_writing(struct file *f, enum passthrough_open how, uint64_t *ret_ticket, struct error *err)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = LONG_PAST_S } };
	struct node *n = f->node;
	struct stat st;

	intact_forget_all_locked(f); /* nothing to compare with what is written past us */
	f->pass.stamp = (struct file_stamp){ 0 }; /* of a new file: whatever is found is a change */
	if (how == PASSTHROUGH_CREATE)
		return 0;
	if (n->put)
		*ret_ticket = pending_update_locked(n->put); /* with the time that the cache file now loses */
	if (futimens(f->fd, times) < 0 || fstat(f->fd, &st) < 0)
		return error_errno(err, errno, "cannot look at a cache file");
	stamp_of(&st, &f->pass.stamp);
	if (!n->put && !n->is_detached) {
		passthrough_guard_locked(f);
		if (!f->pass.row_seq)
			return error_set(err, ERR_NO_MEMORY, "no memory to open a file for writing");
		*ret_ticket = f->pass.row_ticket;
	}
	return 0;
}

int passthrough_open_locked(struct fs *fs, struct node *n, enum passthrough_open how, uint64_t *ret_ticket,
			    struct error *err)
{
	struct file *f = n->file;
	bool is_first = f->pass.opens == 0;
	int r = 0;

	lock_assert_held(&fs->lock);
	if (is_first && (!may_begin(fs, f, how) || backing_open(fs, f) < 0))
		return 0;
	if (how != PASSTHROUGH_READ && !f->pass.writers)
		r = begin_writing(f, how, ret_ticket, err);
	else if (how != PASSTHROUGH_READ) /* what stands for it may be on its way yet */
		*ret_ticket = f->pass.row_seq ? f->pass.row_ticket : n->put ? n->put->unsure_ticket : 0;
	if (r < 0) {
		if (is_first)
			backing_close(fs, f);
		return r;
	}
	if (how != PASSTHROUGH_READ && f->pass.writers++ == 0)
		writers_link(fs, f);
	f->pass.opens++;
	fs->pass.opens_total++;
	return 1;
}

bool passthrough_close_locked(struct file *f, bool was_writer)
{
	struct fs *fs = f->fs;
	uint64_t generation = f->generation;

	passthrough_settle_locked(f);
	if (was_writer && --f->pass.writers == 0) {
		writers_unlink(fs, f);
		if (f->pass.is_unsettled)
			f->outlives_us = true; /* the row stays too: the next mount takes it up */
		else
			(void)passthrough_unguard_locked(f); /* nothing was written: nobody needs to wait */
		f->pass.is_unsettled = false;
		f->synced_generation = UINT64_MAX; /* a last write in the tick of the clock that was settled has its stamp */
	}
	if (--f->pass.opens == 0)
		backing_close(fs, f);
	return f->generation != generation;
}

/* Whether anybody but us has the cache file: of all handles closed, who has memory of it mapped. */
static bool is_mapped(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
		return errno == EAGAIN || errno == EBUSY;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK); /* cannot fail: we have it */
	return false;
}

static void kept_link(struct file *f)
{
	struct passthrough *p = &f->fs->pass;

	f->pass.kept_next = NULL;
	f->pass.kept_prev = p->kept_last;
	if (p->kept_last)
		p->kept_last->pass.kept_next = f;
	else
		p->kept = f;
	p->kept_last = f;
}

static void kept_unlink(struct file *f)
{
	struct passthrough *p = &f->fs->pass;

	if (f->pass.kept_prev)
		f->pass.kept_prev->pass.kept_next = f->pass.kept_next;
	else
		p->kept = f->pass.kept_next;
	if (f->pass.kept_next)
		f->pass.kept_next->pass.kept_prev = f->pass.kept_prev;
	else
		p->kept_last = f->pass.kept_prev;
	f->pass.kept_next = f->pass.kept_prev = NULL;
}

bool passthrough_may_be_mapped_locked(const struct file *f, bool is_writer)
{
	const struct passthrough_file *p = &f->pass;
	unsigned others = p->opens - 1 - (p->kept_fh != 0), writers = p->writers - is_writer - p->is_kept_writer;

	lock_assert_held(&f->fs->lock);
	if (is_writer ? writers : others)
		return false; /* at the end of that one is time enough */
	if (p->kept_fh && (p->is_kept_writer || !is_writer))
		return false; /* what is kept stands for this one, too */
	return others || is_mapped(f->fd);
}

uint64_t passthrough_keep_locked(struct file *f, uint64_t fh, bool is_writer)
{
	uint64_t instead = f->pass.kept_fh;

	if (!instead)
		kept_link(f);
	f->pass.kept_fh = fh;
	f->pass.is_kept_writer = is_writer;
	return instead;
}

uint64_t passthrough_unmapped_of_locked(struct file *f)
{
	uint64_t fh = f->pass.kept_fh;

	if (!fh || f->pass.opens > 1 || is_mapped(f->fd))
		return 0;
	kept_unlink(f);
	f->pass.kept_fh = 0;
	f->pass.is_kept_writer = false;
	return fh;
}

uint64_t passthrough_unmapped_locked(struct fs *fs)
{
	struct file *f, *last = fs->pass.kept_last;
	uint64_t fh;

	for (unsigned i = 0; (f = fs->pass.kept) && i < LOOKS_MOST; i++) {
		fh = passthrough_unmapped_of_locked(f);
		if (fh)
			return fh;
		kept_unlink(f);
		kept_link(f);
		if (f == last)
			break;
	}
	return 0;
}

bool passthrough_is_only_kept_locked(const struct file *f)
{
	return f->pass.is_kept_writer && f->writers == 1;
}

/* The kernel stamps all that is written within a tick alike, on every machine that keeps good time. Size and time tell whether an object is
 * what we sent (conflict.c), so the time gets a part that is this file's and this mount's alone. It never goes back. */
static int64_t own_time(const struct file *f, int64_t mtime_ns)
{
	uint64_t of[2] = { f->id, (uint64_t)mtime_ns };
	int64_t told = f->node->mtime_ns, t;

	t = mtime_ns + (int64_t)(hash_table64(of, sizeof(of), f->fs->pass.time_salt) % TIME_SPREAD_NS);
	return mtime_ns > f->pass.stamp.mtime_ns && t <= told && told - t < TIME_SPREAD_NS ? told + 1 : t;
}

void passthrough_settle_locked(struct file *f)
{
	struct node *n = f->node;
	struct file_stamp now;
	struct error err = ERROR_INIT;
	uint64_t ticket;
	struct stat st;

	lock_assert_held(&f->fs->lock);
	if (!f->pass.writers || fstat(f->fd, &st) < 0)
		return;
	stamp_of(&st, &now);
	if (is_same_stamp(&now, &f->pass.stamp))
		return;
	/* Where is not known: all of it differs from what the cloud has, and from what an upload is sending. */
	f->generation++;
	file_changed_unseen_locked(f);
	node_set_times(n, own_time(f, now.mtime_ns));
	f->pass.stamp = now;
	n->size = now.size;
	f->last_write_end = now.size;
	f->progress_ms = clock_mono_ms();
	/* Nobody waits for the journal: until it has this, the row that stands for it is not deleted either. */
	f->pass.is_unsettled = pending_put_locked(f->fs, n, &ticket, &err) < 0;
	if (f->pass.is_unsettled) {
		f->pass.stamp.ctime_ns = 0; /* the next settling tries again */
		log_error("passthrough.settle", "error='%s'", err.message);
	}
	file_account_locked(f);
	upload_note_write_locked(f, 0, UINT64_MAX); /* where it was written is not known */
	if (passthrough_is_only_kept_locked(f))
		pending_put_due_locked(f->fs, n, f->fs->options.upload_delay_ms);
}

void passthrough_settle_all_locked(struct fs *fs)
{
	for (struct file *f = fs->pass.writers; f; f = f->pass.next)
		passthrough_settle_locked(f);
}

/* Whether a write that comes now would get a later time than the file has. */
static bool is_tick_over(int fd)
{
	struct timespec now;
	struct stat st;

	if (clock_gettime(CLOCK_REALTIME_COARSE, &now) < 0 || fstat(fd, &st) < 0)
		return true;
	return ns_of(now) > ns_of(st.st_mtim) && ns_of(now) > ns_of(st.st_ctim);
}

void passthrough_quiesce(struct file *f)
{
	const struct timespec millisecond = { .tv_nsec = 1000000 };
	bool has_writers;
	int fd;

	lock_take(&f->fs->lock);
	has_writers = f->pass.writers > 0;
	fd = f->fd;
	lock_drop(&f->fs->lock);
	if (!has_writers)
		return;
	(void)fdatasync(fd); /* for what it does to mapped pages; whether the disk took it is fsync's business */
	for (unsigned i = 0; i < TICK_TRIES && !is_tick_over(fd); i++)
		(void)nanosleep(&millisecond, NULL);
}

/* The row is one of the queue's in everything but that it never runs. */
static uint64_t write_row(const struct file *f, uint64_t seq)
{
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	struct pending row = { .fs = f->fs, .seq = seq, .kind = PENDING_OPENED, .flags = PENDING_FLAG_WHOLE,
			       .file_id = f->id, .node = f->node };

	if (tree_path_key(f->node, &where) < 0)
		return 0;
	row.store = where.store;
	row.bucket = where.bucket;
	row.key = where.key;
	return pending_update_locked(&row);
}

void passthrough_guard_locked(struct file *f)
{
	uint64_t seq;

	if (!f->pass.backing_id || f->node->put || f->node->is_detached || f->pass.row_seq)
		return;
	seq = journal_next_seq(f->fs->journal);
	f->pass.row_ticket = write_row(f, seq);
	if (f->pass.row_ticket)
		f->pass.row_seq = seq;
}

uint64_t passthrough_unguard_locked(struct file *f)
{
	uint64_t seq = f->pass.row_seq;

	f->pass.row_seq = 0;
	return seq ? journal_delete(f->fs->journal, seq) : 0;
}

uint64_t passthrough_renew_locked(struct file *f)
{
	uint64_t old = f->pass.row_seq;

	if (!old)
		return 0;
	f->pass.row_seq = 0;
	passthrough_guard_locked(f);
	if (!f->pass.row_seq) { /* no memory: better under the old name than nowhere */
		f->pass.row_seq = old;
		return 0;
	}
	(void)journal_delete(f->fs->journal, old);
	return f->pass.row_ticket;
}

void passthrough_describe(const struct file *f, struct json_object *into)
{
	const struct file_stamp *s = &f->pass.stamp;

	json_object_object_add(into, "stamp_boot", json_object_new_int64((int64_t)durable_boot()));
	json_object_object_add(into, "stamp_size", json_object_new_int64((int64_t)s->size));
	json_object_object_add(into, "stamp_mtime", json_object_new_int64(s->mtime_ns));
	json_object_object_add(into, "stamp_ctime", json_object_new_int64(s->ctime_ns));
}

bool passthrough_row_is_changed(int files_fd, const struct journal_row *row)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct file_stamp was, now;
	struct stat st;
	char name[24];

	fs_cache_name(row->file_id, name);
	if (files_fd < 0 || json_parse(row->detail, 1 << 20, &o, NULL) < 0 ||
	    fstatat(files_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	if ((uint64_t)json_get_int64(o, "stamp_boot", 0) != durable_boot())
		return false;
	was = (struct file_stamp){ (uint64_t)json_get_int64(o, "stamp_size", 0), json_get_int64(o, "stamp_mtime", 0),
				   json_get_int64(o, "stamp_ctime", 0) };
	stamp_of(&st, &now);
	return !is_same_stamp(&was, &now);
}
