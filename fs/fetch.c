#include "fs/file.h"
#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include "backends/base/log.h"
#include "fs/listing.h"
#include "fs/park.h"
#include "fs/pending.h"
#include <stdatomic.h>

/*
 * Fetches fill holes of a cache file. A fetch is one ranged GET, run by a worker of fs.net; the bytes go from the wire into
 * the file on the HTTP engine's thread, which also wakes the readers whose range has become whole. Fetches of one file
 * never overlap each other, nor anything present or being written.
 */
#define FETCH_MAX      (8u << 20)
#define FETCH_MIN      (1u << 20)
#define FETCH_TRIES    3
#define ROOM_LOOK_MS   50 /* between looks for room on a full disk */
#define ROOM_HOPE_MS 1000u /* others have just given files up, and are about to remove them */
#define PROGRESS_LEAST (64u << 10) /* fewer bytes in all of `timeout` are no progress: a drip must not hold a reader for ever */
#define PAGE_ROUND(x)  (((x) + 4095) & ~UINT64_C(4095))

static void fetch_free(struct fetch *t)
{
	location_release(&t->where);
	cancel_destroy(&t->cancel);
	free(t);
}

static void unlink_fetch_locked(struct fetch *t)
{
	struct fetch **at = &t->file->fetches;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
}

/* Claims the readers whose whole range is present now; with err, also those that no running fetch will help. */
static struct parked *ready_readers_locked(struct file *f, int err)
{
	struct parked *ready = NULL, *next;

	for (struct parked *p = f->readers_waiting; p; p = next) {
		uint64_t end = p->offset + p->size;

		next = p->chain;
		if (end > f->node->size)
			end = f->node->size;
		if (p->offset < end && !f->is_whole && !extents_covers(&f->present, p->offset, end) &&
		    !(err && !file_has_fetch_locked(f, p->offset, end)))
			continue;
		(void)park_claim_locked(p);
		p->err = p->offset < end && !f->is_whole && !extents_covers(&f->present, p->offset, end) ? err : 0;
		p->chain = ready;
		ready = p;
	}
	return ready;
}

static void mark_present_locked(struct file *f, uint64_t start, uint64_t end)
{
	/* Without memory the bytes count as missing and are fetched again. */
	(void)!extents_add(&f->present, start, end);
	file_account_locked(f);
}

static void on_data(void *arg, uint64_t position, size_t len)
{
	struct fetch *t = arg;
	struct file *f = t->file;
	struct parked *ready = NULL;

	lock_take(&f->fs->lock);
	if (position + len > t->arrived)
		t->arrived = position + len;
	f->dripped += len;
	if (f->dripped >= PROGRESS_LEAST) {
		f->progress_ms = clock_mono_ms();
		f->dripped = 0;
	}
	if (!t->is_whole_object) { /* a whole one counts when its checksum was compared */
		mark_present_locked(f, t->start + position, t->start + position + len);
		ready = ready_readers_locked(f, 0);
	}
	lock_drop(&f->fs->lock);
	park_resume_all(ready);
}

/* The answer's head: the object must still be what the node says, in size too: never new bytes with the old length. */
static int on_head(void *arg, const struct store_object *object, struct error *err)
{
	struct fetch *t = arg;
	struct node *n = t->file->node;
	struct fs *fs = t->fs;
	int r = 0;

	lock_take(&fs->lock);
	if (object->version[0] && t->version[0] && strcmp(object->version, t->version) != 0)
		r = error_set(err, ERR_PRECONDITION, "the object changed while it was read");
	else if (!n->put && object->size != n->size)
		r = error_set(err, ERR_PRECONDITION, "the object's size changed while it was read");
	lock_drop(&fs->lock);
	if (r == 0) /* before the first byte wakes who waits: an open decides by what kind of object this is */
		metadata_seen(fs, n, object);
	return r;
}

static void log_failure(struct fetch *t, const struct error *err)
{
	if (err->kind == ERR_CANCELLED)
		return;
	lock_take(&t->fs->lock);
	CLEANUP(freep) char *path = tree_path(&t->fs->tree, t->file->node);
	lock_drop(&t->fs->lock);
	log_warn("read.failed", "path='%s' start=%llu end=%llu error='%s'", path ? path : "?",
		 (unsigned long long)t->start, (unsigned long long)t->end, err->message);
}

/* Ends a fetch: wakes who can go on, fails who cannot, lets writers in. */
static void fetch_finish(struct fetch *t, int r, struct error *err)
{
	struct fs *fs = t->fs;
	struct file *f = t->file;
	struct node *n = f->node;
	struct parked *ready, *writers = NULL;

	lock_take(&fs->lock);
	unlink_fetch_locked(t);
	if (r == 0 && t->is_whole_object)
		mark_present_locked(f, t->start, t->end);
	if (r < 0 && (err->kind == ERR_PRECONDITION || err->kind == ERR_RANGE)) {
		f->is_new_version = true;
		n->expires_ms = 0;
	}
	f->fetch_error = r < 0 ? (f->is_new_version ? ESTALE : error_errnum(err->kind)) : 0;
	/* A cancelled read-ahead that somebody came to wait for is simply planned again by the reader's next try. */
	if (!f->is_whole && extents_covers(&f->present, 0, n->size) && !f->node->put)
		f->is_whole = true;
	ready = ready_readers_locked(f, r < 0 ? (err->kind == ERR_CANCELLED ? -1 : f->fetch_error) : -1);
	if (!f->fetches)
		writers = park_claim_all_locked(&f->exclusive_waiting, 0);
	f->busy++; /* keeps f while the waiters run */
	cond_broadcast(&fs->changed);
	lock_drop(&fs->lock);
	if (r < 0)
		log_failure(t, err);
	park_resume_all(ready);
	park_resume_all(writers);
	lock_take(&fs->lock);
	f->busy--;
	if (n->is_detached && file_is_idle_locked(f))
		file_drop_locked(fs, n);
	else
		file_rest_locked(f);
	tree_unpin(&fs->tree, n);
	lock_drop(&fs->lock);
	fetch_free(t);
}

/* By something that runs, or that an earlier try, of this mount or of one that was killed, may have carried through already. */
static bool is_being_changed(const struct fetch *t)
{
	for (const struct pending *op = t->fs->queue.first; op; op = op->next) {
		bool is_ours = op->kind == PENDING_RENAME_TREE ? op->node && tree_is_below(t->file->node, op->node) :
								 op->node == t->file->node && op->kind != PENDING_PUT;

		if (is_ours && (op->state == PENDING_RUNNING || op->was_tried))
			return true;
	}
	return false;
}

/* The object is not what it was: perhaps by our own doing (attributes written, a rename carried through), of which the node knows
 * only when the operation has ended. Then it is asked for again as what, and where, it is now. */
static bool was_renewed(struct fetch *t)
{
	struct fs *fs = t->fs;
	struct file *f = t->file;
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	uint64_t deadline = clock_mono_ms() + fs->options.timeout_ms;

	LOCKED(&fs->lock);
	while (is_being_changed(t) && !fs->queue.is_stopping && !cancel_is_fired(&t->cancel))
		if (!cond_wait_until(&fs->changed, &fs->lock, deadline))
			return false;
	if (f->origin.key || tree_remote_key(f->node, &where) < 0 ||
	    (strcmp(f->base_version, t->version) == 0 && strcmp(where.key, t->where.key) == 0))
		return false;
	memcpy(t->version, f->base_version, sizeof(t->version));
	location_release(&t->where);
	t->where = where;
	where = LOCATION_INIT;
	return true;
}

/* The name was listed before somebody changed the object, and nothing of the old one has been read yet: then what is there now
 * is what the reader wants. Only when the size is the same: the kernel has the old one by now, and nobody may ever get new bytes
 * with an old length. */
static bool adopts_current(struct fetch *t)
{
	struct fs *fs = t->fs;
	struct file *f = t->file;
	struct node *n = f->node;
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_object object = { 0 };

	if (store_head(t->where.store, t->where.bucket, t->where.key, NULL, &arena, &object, NULL) < 0)
		return false;
	LOCKED(&fs->lock);
	if (f->present.total || n->put || n->is_detached || f->origin.key || object.size != n->size || !object.version[0])
		return false;
	for (const struct fetch *other = f->fetches; other; other = other->next)
		if (other->arrived)
			return false;
	n->is_copied = n->has_own_meta = false;
	namespace_renew_version_locked(n, object.version);
	file_set_base_locked(f, object.version);
	memcpy(t->version, object.version, STORE_VERSION_MAX);
	f->is_new_version = false;
	return true;
}

/* An upload of ours that we were not told of, before a crash or while we asked: what is missing here is the same in it. */
static bool is_our_own(struct fetch *t)
{
	bool is_rebased = conflict_rebase(t->file->node);

	LOCKED(&t->fs->lock);
	if (!is_rebased && (!t->file->base_version[0] || strcmp(t->file->base_version, t->version) == 0))
		return false;
	memcpy(t->version, t->file->base_version, sizeof(t->version));
	return true;
}

/* The cache's disk is full. A fast reader fills a small one between two looks at it, and what others fetch takes what was just given
 * back: who is waited for tries again for as long as anything can still be evicted or uploaded; read-ahead makes way. */
static bool gets_room(struct fetch *t, uint64_t deadline_ms)
{
	struct fs *fs = t->fs;
	uint64_t now = clock_mono_ms();
	bool is_hopeless;

	fs_watch_disk(fs);
	file_empty_trash(fs);
	LOCKED(&fs->lock);
	is_hopeless = !fs->cache.bytes && !file_coming_free_locked(fs) && now + fs->options.timeout_ms > deadline_ms + ROOM_HOPE_MS;
	t->made_way = !t->is_demand;
	if (t->made_way || is_hopeless || now >= deadline_ms)
		return false;
	(void)cond_wait_until(&fs->changed, &fs->lock, now + ROOM_LOOK_MS);
	return !cancel_is_fired(&t->cancel) && !fs->queue.is_stopping;
}

static void fetch_run(struct job *job)
{
	struct fetch *t = container_of(job, struct fetch, job);
	struct store_sink sink = {
		.fd = t->file->fd, .fd_offset = t->start, .on_data = on_data, .on_head = on_head, .arg = t,
	};
	/* Of a whole object the service tells a checksum, which the store compares; of a range it does not. */
	struct store_get_args args = {
		.offset = t->start, .length = t->is_whole_object ? 0 : t->end - t->start, .if_version = t->version,
		.cancel = &t->cancel,
	};
	struct error err = ERROR_INIT;
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_object object;
	uint64_t deadline_ms = clock_mono_ms() + t->fs->options.timeout_ms;
	int r = 0;

	for (unsigned tries = 0; tries < FETCH_TRIES; tries++) {
		bool is_stale;

		do {
			err = ERROR_INIT;
			r = store_get(t->where.store, t->where.bucket, t->where.key, &args, &sink, &arena, &object, &err);
		} while (r < 0 && err.kind == ERR_NO_SPACE && gets_room(t, deadline_ms));
		is_stale = r < 0 && (err.kind == ERR_PRECONDITION || err.kind == ERR_NOT_FOUND);
		if (r >= 0 || !(err.kind == ERR_CORRUPT || (is_stale && (was_renewed(t) || adopts_current(t) || is_our_own(t)))))
			break;
	}
	if (r < 0 && err.kind == ERR_NO_SPACE && t->made_way) {
		err = ERROR_INIT;
		r = error_set(&err, ERR_CANCELLED, "no room to read ahead");
	}
	FAULT_POINT("fetch-arrived");
	fetch_finish(t, r < 0 ? r : 0, &err);
}

static void fetch_drop(struct job *job)
{
	struct fetch *t = container_of(job, struct fetch, job);
	struct error err = ERROR_INIT;

	fetch_finish(t, error_set(&err, ERR_CANCELLED, "the mount ends"), &err);
}

static int fetch_new_locked(struct file *f, uint64_t start, uint64_t end, const struct prefetch_plan *plan,
			    uint64_t demand_end, struct job **ret_jobs, struct error *err)
{
	struct fetch *t;
	int r = file_open_fd_locked(f, err); /* whoever plans may have seen to it, and let go of the lock since */

	if (r < 0)
		return r;
	t = calloc(1, sizeof(*t));
	if (!t)
		return error_set(err, ERR_NO_MEMORY, "no memory for a read");
	cancel_init(&t->cancel);
	r = f->origin.key ? 0 : tree_remote_key(f->node, &t->where);
	if (r == 0 && f->origin.key) {
		t->where = (struct location){ f->origin.store, strdup(f->origin.bucket), strdup(f->origin.key) };
		r = t->where.bucket && t->where.key ? 0 : -ENOMEM;
	}
	if (r < 0) {
		fetch_free(t);
		return error_set(err, r == -ENOMEM ? ERR_NO_MEMORY : ERR_PRECONDITION, "the object is gone");
	}
	t->fs = f->fs;
	t->file = f;
	t->start = start;
	t->end = end;
	t->is_demand = start < demand_end;
	t->since_ms = clock_mono_ms();
	memcpy(t->version, f->base_version, sizeof(t->version));
	/* Of a file that was cut here "all" would be more than it has: what is beyond its end would come back after a kill, or when it
	 * grows again. */
	t->is_whole_object = start == 0 && end == f->node->size && !f->node->put;
	tree_pin(f->node); /* until fetch_finish: closed and forgotten files are still written into */
	t->next = f->fetches;
	f->fetches = t;
	(void)plan;
	t->job = (struct job){ .run = fetch_run, .drop = fetch_drop,
			       .priority = t->is_demand ? NET_DEMAND : NET_PREFETCH };
	t->job.next = *ret_jobs;
	*ret_jobs = &t->job;
	return 0;
}

/* The next hole in [from, limit) that no fetch is filling already. */
static bool next_hole(const struct file *f, uint64_t from, uint64_t limit, struct extent *ret)
{
	while (extents_next_gap(&f->present, from, limit, ret)) {
		const struct fetch *inside = NULL;

		for (const struct fetch *t = f->fetches; t; t = t->next) {
			if (t->start <= ret->start && t->end > ret->start)
				inside = t;
			else if (t->start > ret->start && t->start < ret->end)
				ret->end = t->start;
		}
		if (!inside)
			return true;
		from = inside->end;
	}
	return false;
}

/* A read came to wait for what is only being read ahead: it goes first now. */
static void promote_locked(struct file *f, uint64_t start, uint64_t end)
{
	for (struct fetch *t = f->fetches; t; t = t->next) {
		if (t->is_demand || t->start >= end || t->end <= start)
			continue;
		t->is_demand = true;
		workers_promote(f->fs->net, &t->job, NET_DEMAND);
	}
}

int fetch_plan_locked(struct file *f, uint64_t start, uint64_t end, bool with_prefetch, struct job **ret_jobs,
		      struct error *err)
{
	struct prefetch_plan plan = { end, end, false };
	uint64_t limit, chunk;
	struct extent hole;

	lock_assert_held(&f->fs->lock);
	if (end > f->node->size) /* it was cut: what lay beyond must not come back into the cache file, and no object need have it */
		end = f->node->size;
	if (f->is_whole || start >= end)
		return 1;
	plan.end = end;
	if (with_prefetch)
		plan = prefetch_read(&f->prefetch, start, end - start, f->node->size, f->fs->options.read_ahead);
	/* What a look-ahead over a cache nearly full would fetch, eviction would throw away again. */
	limit = plan.end > end ? plan.end : end;
	if (limit - end > f->fs->options.cache_size / 4)
		limit = end + f->fs->options.cache_size / 4;
	chunk = (limit - start) / 8; /* many connections side by side, early on too */
	chunk = chunk > FETCH_MAX ? FETCH_MAX : chunk < FETCH_MIN ? FETCH_MIN : PAGE_ROUND(chunk);
	for (uint64_t at = start; next_hole(f, at, limit, &hole); at = hole.end) {
		int r;

		if (hole.end - hole.start > chunk)
			hole.end = hole.start + chunk;
		if (f->is_new_version)
			return error_set(err, ERR_PRECONDITION, "the file changed in the cloud; open it again");
		r = fetch_new_locked(f, hole.start, hole.end, &plan, end, ret_jobs, err);
		if (r < 0)
			return r;
	}
	if (extents_covers(&f->present, start, end))
		return 1;
	promote_locked(f, start, end);
	return 0;
}

void fetch_submit(struct fs *fs, struct job *jobs)
{
	struct job *ordered = NULL;

	while (jobs) { /* they were put together last first */
		struct job *next = jobs->next;

		jobs->next = ordered;
		ordered = jobs;
		jobs = next;
	}
	while (ordered) {
		struct job *next = ordered->next;

		ordered->next = NULL;
		workers_submit(fs->net, ordered);
		ordered = next;
	}
}

void fetch_cancel_locked(struct file *f, enum fetch_wanted which, uint64_t start, uint64_t end)
{
	for (struct fetch *t = f->fetches; t; t = t->next)
		if (t->start < end && t->end > start && (which == FETCH_ALL || !t->is_demand))
			cancel_fire(&t->cancel);
}

int fetch_fill(struct file *f, uint64_t start, uint64_t end, struct error *err)
{
	struct fs *fs = f->fs;

	for (unsigned tries = 0;; tries++) {
		struct job *jobs = NULL;
		int r;

		lock_take(&fs->lock);
		r = fetch_plan_locked(f, start, end, false, &jobs, err);
		while (r == 0 && !jobs && file_has_fetch_locked(f, start, end) && !cancel_is_fired(&fs->shutdown))
			cond_wait(&fs->changed, &fs->lock);
		lock_drop(&fs->lock);
		fetch_submit(fs, jobs);
		if (r != 0)
			return r < 0 ? r : 0;
		if (cancel_is_fired(&fs->shutdown))
			return error_set(err, ERR_CANCELLED, "the mount ends");
		if (tries > 200)
			return error_set(err, ERR_UNAVAILABLE, "cannot fetch the rest of the file");
		if (tries > 2) {
			struct error failure = ERROR_INIT;

			lock_take(&fs->lock);
			if (f->fetch_error)
				(void)error_errno(&failure, f->fetch_error, "cannot fetch the rest of the file");
			lock_drop(&fs->lock);
			if (failure.kind == ERR_NOT_FOUND || failure.kind == ERR_RANGE)
				failure.kind = ERR_PRECONDITION; /* what it is to be filled with is gone */
			if (failure.kind) {
				*err = failure;
				return -error_errnum(failure.kind);
			}
		}
	}
}
