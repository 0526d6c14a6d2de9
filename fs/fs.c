#include "fs/fs.h"
#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "backends/base/log.h"
#include "fs/durable.h"
#include "fs/file.h"
#include "fs/intact.h"
#include "fs/kept.h"
#include "fs/listing.h"
#include "fs/listing_ranges.h"
#include "fs/naming.h"
#include "fs/ops.h"
#include "fs/owed.h"
#include "fs/park.h"
#include "fs/pending.h"
#include "fs/trim.h"
#include "fs/upload.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define TICK_MS 250u

static void drop_file_of_node(struct node *n, void *arg)
{
	struct fs *fs = arg;
	struct file *f = n->file;

	f->fetches = NULL; /* only at the very end can there be any: their jobs are gone */
	upload_forget(f);
	f->busy = 0;
	file_drop_locked(fs, n);
}

void fs_note_error_locked(struct fs *fs, const char *path, const struct error *err)
{
	struct status_error *slot = &fs->errors[fs->error_count++ % ARRAY_SIZE(fs->errors)];

	*slot = (struct status_error){ 0 };
	(void)snprintf(slot->path, sizeof(slot->path), "%s", path);
	(void)snprintf(slot->message, sizeof(slot->message), "%s", err->message);
	(void)snprintf(slot->kind, sizeof(slot->kind), "%s", error_name(err->kind));
	slot->wall_s = clock_wall_s();
	log_warn("cloud.failed", "path='%s' kind=%s error='%s'", path, error_name(err->kind), err->message);
}

void fs_note_failure_locked(struct fs *fs, const char *path, uint64_t seq, const struct error *err)
{
	size_t at = fs->error_count % ARRAY_SIZE(fs->errors);

	fs_note_error_locked(fs, path, err);
	fs->errors[at].seq = seq;
}

void fs_note_over_locked(struct fs *fs, uint64_t seq)
{
	for (size_t i = 0; i < ARRAY_SIZE(fs->errors); i++)
		if (fs->errors[i].seq == seq)
			fs->errors[i].is_over = true;
}

static int refuse_cache(const struct fs *fs, const char *why, struct error *err)
{
	return error_set(err, ERR_CONFIG, "cache directory '%s' %s", fs->cache_dir, why);
}

/* Opens the cache directory: ours alone, and in no place where somebody else could put another in its stead. What is in it is reached
 * from here, not by its path again. */
static int open_cache_dir(struct fs *fs, struct error *err)
{
	CLEANUP(closep) int fd = -1;
	struct stat st, parent;
	int r = fileio_make_dirs(fs->cache_dir, 0700, err);

	if (r < 0)
		return r;
	fd = open(fs->cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || fstatat(fd, "..", &parent, 0) < 0)
		return error_errno(err, errno, "cannot look at cache directory '%s'", fs->cache_dir);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return refuse_cache(fs, "belongs to or can be written by others (chmod 700 it)", err);
	if ((parent.st_mode & S_IWOTH) && !(parent.st_mode & S_ISVTX))
		return refuse_cache(fs, "lies in a directory in which everybody can replace it (chmod o-w that)", err);
	if ((st.st_mode & 077) && fchmod(fd, 0700) < 0)
		return error_errno(err, errno, "cannot make cache directory '%s' private", fs->cache_dir);
	fs->cache_dev = st.st_dev;
	fs->cache_ino = st.st_ino;
	return steal_fd(&fd);
}

/* One daemon at a time. */
static int lock_cache(struct fs *fs, int dir_fd, struct error *err)
{
	char text[32] = "";
	int r;

	fs->lock_fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fs->lock_fd < 0)
		return error_errno(err, errno, "cannot open '%s/lock'", fs->cache_dir);
	/* A killed daemon holds its lock until the kernel is through with it: a moment, not a user. */
	for (unsigned tries = 0; (r = flock(fs->lock_fd, LOCK_EX | LOCK_NB)) < 0 && tries < 10; tries++)
		(void)usleep(50000);
	if (r < 0) {
		(void)!pread(fs->lock_fd, text, sizeof(text) - 1, 0); /* only for the message */
		return error_set(err, ERR_CONFLICT, "cache directory '%s' is in use by process %d (give this mount its own with -o cache-dir=DIR)",
				 fs->cache_dir, (int)strtol(text, NULL, 10));
	}
	(void)snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fs->lock_fd, 0) < 0 || pwrite(fs->lock_fd, text, strlen(text), 0) < 0)
		return error_errno(err, errno, "cannot write '%s/lock'", fs->cache_dir);
	return 0;
}

static int open_cache(struct fs *fs, struct error *err)
{
	CLEANUP(closep) int dir_fd = open_cache_dir(fs, err);
	struct stat st;
	int r = dir_fd < 0 ? dir_fd : lock_cache(fs, dir_fd, err);

	if (r < 0)
		return r;
	if (mkdirat(dir_fd, "files", 0700) < 0 && errno != EEXIST)
		return error_errno(err, errno, "cannot make '%s/files'", fs->cache_dir);
	fs->cache_fd = openat(dir_fd, "files", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fs->cache_fd < 0 || fstat(fs->cache_fd, &st) < 0)
		return error_errno(err, errno, "cannot open '%s/files'", fs->cache_dir);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return refuse_cache(fs, "holds a 'files' that belongs to or can be written by others", err);
	return 0;
}

/* The journal is opened by its path (SQLite knows no other way): it must be the directory that was looked at. */
static int check_cache_path(struct fs *fs, struct error *err)
{
	struct stat st;

	if (stat(fs->cache_dir, &st) < 0)
		return error_errno(err, errno, "cannot look at cache directory '%s'", fs->cache_dir);
	if (st.st_dev != fs->cache_dev || st.st_ino != fs->cache_ino)
		return refuse_cache(fs, "was replaced by another while it was opened", err);
	return 0;
}

static int copy_options(struct fs *fs, const struct fs_options *o)
{
	fs->options = *o;
	fs->options.log_level = fs->options.log_file = fs->options.passthrough_o = NULL;
	if (o->passthrough_o && !(fs->options.passthrough_o = strdup(o->passthrough_o)))
		return -ENOMEM;
	fs->options.cache_dir = NULL;
	fs->cache_dir = strdup(o->cache_dir);
	return fs->cache_dir ? 0 : -ENOMEM;
}

static int add_stores(struct fs *fs)
{
	for (size_t i = 0; i < fs->store_count; i++) {
		struct node *n = tree_add(&fs->tree, fs->tree.root, fs->stores[i]->name, NODE_STORE);

		if (!n)
			return -ENOMEM;
		node_dir(n)->store = fs->stores[i];
		n->is_pinned_path = true;
		tree_pin(n);
		node_defaults_locked(fs, n);
	}
	node_defaults_locked(fs, fs->tree.root);
	return 0;
}

/* Makes the nodes of the source; the last one is the mount's root. */
static int add_source(struct fs *fs, const char *source, struct error *err)
{
	struct str rest = str_of(source);
	struct node *n = fs->tree.root;

	while (rest.ptr) {
		struct str part = str_split(&rest, '/');
		CLEANUP(buf_release) struct buf name = BUF_INIT(4096);
		enum node_type type = n->type == NODE_ROOT ? NODE_STORE : n->type == NODE_STORE ? NODE_BUCKET : NODE_DIR;
		struct node *child;

		if (part.len == 0)
			continue;
		if (buf_add_str(&name, part) < 0)
			return error_set(err, ERR_NAME_TOO_LONG, "the source '%s' is too long", source);
		child = tree_child(&fs->tree, n, name.data);
		if (!child && type == NODE_STORE)
			return error_set(err, ERR_CONFIG, "no store '%s' is configured", name.data);
		if (!child)
			child = tree_add(&fs->tree, n, name.data, type);
		if (!child)
			return error_set(err, ERR_NO_MEMORY, "no memory");
		child->is_pinned_path = true;
		tree_pin(child);
		node_defaults_locked(fs, child);
		n = child;
	}
	fs->tree.mount_root = n;
	return 0;
}

#define RESERVE_MOST (16u << 20)

/* Free space below the floor makes the cache smaller, down to what is dirty. Some is kept free whatever the user says: with no room for
 * the journal nothing could be uploaded, and so no room be made, ever. */
void fs_watch_disk(struct fs *fs)
{
	struct statvfs s;
	uint64_t free_bytes, floor_bytes, wanted, coming;
	bool is_over;

	if (fstatvfs(fs->cache_fd, &s) < 0)
		return;
	free_bytes = (uint64_t)s.f_bavail * s.f_frsize;
	floor_bytes = (uint64_t)s.f_blocks * s.f_frsize / 8;
	if (floor_bytes > RESERVE_MOST)
		floor_bytes = RESERVE_MOST;
	if (floor_bytes < fs->options.free_space_floor)
		floor_bytes = fs->options.free_space_floor;
	lock_take(&fs->lock);
	fs->cache.disk_free_bytes = free_bytes;
	fs->cache.floor_bytes = floor_bytes;
	is_over = fs->cache.bytes > fs->options.cache_size;
	if (free_bytes < floor_bytes) {
		uint64_t configured = fs->options.cache_size;

		coming = file_coming_free_locked(fs);
		wanted = floor_bytes - free_bytes > coming ? floor_bytes - free_bytes - coming : 0;
		fs->options.cache_size = fs->cache.bytes > wanted ? fs->cache.bytes - wanted : 0;
		lock_drop(&fs->lock);
		file_evict(fs);
		lock_take(&fs->lock);
		fs->options.cache_size = configured;
		is_over = false;
	}
	lock_drop(&fs->lock);
	if (is_over)
		file_evict(fs);
}

/* What waits for its upload, and whether uploads move: writers without room wait as long as they do. An attempt that gets no further
 * than the one before it is no movement. */
static void count_dirty_locked(struct fs *fs, uint64_t now_ms)
{
	uint64_t bytes = 0, sent = fs->queue.bytes_sent_total + fs->queue.done_total;

	passthrough_settle_all_locked(fs);
	for (struct pending *op = fs->queue.first; op; op = op->next) {
		uint64_t op_sent = atomic_load(&op->sent_bytes);

		if (op->kind != PENDING_PUT || !op->node || !op->node->file)
			continue;
		if (op_sent > op->most_sent)
			op->most_sent = op_sent;
		bytes += op->node->file->accounted;
		sent += op->most_sent + upload_progress_locked(op->node->file);
	}
	if (sent != fs->cache.sent_seen)
		fs->cache.room_progress_ms = now_ms;
	fs->cache.sent_seen = sent;
	fs->cache.dirty_bytes = bytes;
}

static void *ticker(void *arg)
{
	struct fs *fs = arg;
	uint64_t chores_ms = 0;

	(void)pthread_setname_np(pthread_self(), "skydir-tick");
	lock_take(&fs->lock);
	while (!fs->queue.is_stopping) {
		uint64_t now = clock_mono_ms(), next = pending_run_due_locked(fs, now);

		if (fs->has_interrupted) {
			lock_drop(&fs->lock);
			park_reap(fs, now);
			lock_take(&fs->lock);
			continue;
		}
		if (now >= chores_ms) {
			struct parked *waiting;

			chores_ms = now + TICK_MS;
			count_dirty_locked(fs, now);
			waiting = fs->cache.dirty_bytes < fs->options.cache_size ?
					  park_claim_all_locked(&fs->space_waiters, 0) : NULL;
			lock_drop(&fs->lock);
			park_resume_all(waiting);
			park_reap(fs, now);
			ops_close_unmapped(fs);
			fs_watch_disk(fs);
			file_empty_trash(fs);
			trim_names(fs);
			lock_take(&fs->lock);
			fs->cache.looks++;
			continue;
		}
		(void)cond_wait_until(&fs->ticker_cond, &fs->lock, next < chores_ms ? next : chores_ms);
	}
	lock_drop(&fs->lock);
	return NULL;
}

static int start_threads(struct fs *fs, struct error *err)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit); /* many files open at once: as many as we may */
	}
	/* Credentials and files are in memory. Who wants a core all the same can raise this again: prlimit --core. */
	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &limit);
	}
	fs->net = workers_new("skydir-net", fs->options.max_connections);
	fs->up = workers_new("skydir-up", fs->options.uploads);
	fs->parts = workers_new("skydir-part", fs->options.uploads);
	if (!fs->net || !fs->up || !fs->parts || pthread_create(&fs->ticker_thread, NULL, ticker, fs) != 0)
		return error_set(err, ERR_NO_MEMORY, "cannot start threads");
	fs->has_ticker = true;
	return durable_start(fs, err);
}

#define NAME_BYTES  512u /* a node with its name and version, and a directory here and there */
#define NAMES_LEAST (1u << 20)

/* A quarter of the machine's memory, or of what this process may have of it. */
static uint64_t names_most(void)
{
	uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur < bytes)
		bytes = limit.rlim_cur;
	return bytes / 4 / NAME_BYTES > NAMES_LEAST ? bytes / 4 / NAME_BYTES : NAMES_LEAST;
}

static int fs_open(struct fs *fs, const char *source, struct error *err)
{
	int r = open_cache(fs, err);

	if (r == 0)
		r = journal_open(fs->cache_dir, &fs->journal, &fs->damage, err);
	if (r == 0)
		r = check_cache_path(fs, err);
	if (r < 0)
		return r;
	if (fs->damage)
		log_error("journal.damaged", "what='%s'", fs->damage);
	if (fs->damage && !(fs->journal_damage_text = strdup(fs->damage)))
		return error_set(err, ERR_NO_MEMORY, "no memory");
	r = tree_init(&fs->tree, err);
	if (r < 0)
		return r;
	fs->tree.drop_file = drop_file_of_node;
	fs->tree.drop_arg = fs;
	if (add_stores(fs) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory");
	r = pending_init(fs, err);
	if (r == 0)
		r = add_source(fs, source, err);
	kept_load(fs);
	if (r == 0)
		r = recovery_run(fs, err);
	if (r == 0)
		intact_begin_log(fs);
	fs_watch_disk(fs);
	return r == 0 ? start_threads(fs, err) : r;
}

int fs_new(const struct fs_options *options, struct store *const *stores, size_t store_count, const char *source,
	   struct fs **ret, struct error *err)
{
	struct fs *fs = calloc(1, sizeof(*fs));
	struct error local = ERROR_INIT;
	int r;

	if (!fs)
		return error_set(err, ERR_NO_MEMORY, "no memory");
	lock_init_ranked(&fs->lock, LOCK_FS);
	cond_init(&fs->changed);
	cond_init(&fs->ticker_cond);
	cond_init(&fs->sync_cond);
	cancel_init(&fs->shutdown);
	fs->stores = stores;
	fs->store_count = store_count;
	fs->cache_fd = fs->lock_fd = -1;
	fs->started_wall_s = clock_wall_s();
	fs->tree_most = names_most();
	fs->long_listing_pages = RANGES_AFTER_PAGES;
	fs->names_kept = SIZE_MAX;
	fs->source = strdup(source && source[0] ? source : "/");
	r = !fs->source || copy_options(fs, options) < 0 ? error_set(&local, ERR_NO_MEMORY, "no memory") :
							     fs_open(fs, fs->source, &local);
	if (r < 0) {
		fs_free(fs);
		if (err)
			*err = local;
		return r;
	}
	*ret = fs;
	return 0;
}

/* Ends everything in the order of who waits for whom: requests and their work, then uploads, then the journal. */
void fs_free(struct fs *fs)
{
	if (!fs)
		return;
	lock_take(&fs->lock);
	fs->queue.is_stopping = true;
	cond_broadcast(&fs->ticker_cond);
	cond_broadcast(&fs->changed);
	for (struct pending *op = fs->queue.first; op; op = op->next)
		cancel_fire(&op->cancel);
	lock_drop(&fs->lock);
	cancel_fire(&fs->shutdown);
	if (fs->has_ticker)
		(void)pthread_join(fs->ticker_thread, NULL);
	workers_free(fs->net);
	workers_free(fs->up);
	workers_free(fs->parts);
	durable_stop(fs);
	if (fs->session)
		fuse_session_destroy(fs->session);
	lock_take(&fs->lock);
	passthrough_settle_all_locked(fs); /* still open, after a lazy unmount: what is written from now on is not ours */
	for (struct file *f = fs->pass.writers; f; f = f->pass.next)
		f->outlives_us = true;
	for (struct pending *op = fs->queue.first; op; op = op->next)
		if (op->node && op->node->file)
			op->node->file->outlives_us = true;
	if (fs->has_ticker) /* it ran: what it knows is right */
		kept_save(fs);
	kept_release(fs);
	free(fs->walks);
	owed_end_locked(fs);
	if (fs->queue.claims)
		pending_release(fs);
	tree_release(&fs->tree);
	lock_drop(&fs->lock);
	if (fs->journal) { /* rows of what is in the trash go first */
		journal_drain(fs->journal);
		file_empty_trash(fs);
	}
	file_leave_trash(fs);
	journal_close(fs->journal);
	sumlog_unref(fs->sums);
	if (fs->cache_fd >= 0)
		(void)close(fs->cache_fd);
	if (fs->lock_fd >= 0)
		(void)close(fs->lock_fd);
	cancel_destroy(&fs->shutdown);
	cond_destroy(&fs->changed);
	cond_destroy(&fs->ticker_cond);
	cond_destroy(&fs->sync_cond);
	lock_destroy(&fs->lock);
	free(fs->options.passthrough_o);
	free(fs->cache_dir);
	free(fs->source);
	free(fs->mountpoint);
	free(fs->damage);
	free(fs->journal_damage_text);
	free(fs);
}
