/*
 * The thread does what nobody waits for: it commits what was queued and left alone, writes
 * attributes, and moves the WAL into the database file, so that the WAL does not grow and the
 * commits never pay for it.
 *
 * A passive checkpoint runs beside the commits; when it has caught up with the end of the WAL, the
 * next commit begins the WAL anew by itself. Under a steady stream it never quite catches up, so a
 * WAL that got long is finished with the turn taken, when only its last bit is left to do.
 */
#include "fs/journal_private.h"

#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include "backends/base/log.h"

#define JOURNAL_FRAME_BYTES  (4096 + 24)
#define JOURNAL_PASSIVE_STEP ((4u << 20) / JOURNAL_FRAME_BYTES)	 /* frames */
#define JOURNAL_WAL_LONG     ((32u << 20) / JOURNAL_FRAME_BYTES) /* frames */
#define JOURNAL_MIRROR_LONG  (32u << 20)
#define JOURNAL_TICK_MS	     200
#define JOURNAL_IDLE_MS	     2000 /* without a commit, after which the WAL is emptied */
#define JOURNAL_ATTRS_MS     800  /* attributes are written this often, or when there are */
#define JOURNAL_ATTRS_MANY   2000

int journal_checkpoint_all(sqlite3 *db)
{
	return sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

/* The thread's own connection: opened when first needed, and again after the file was replaced. */
static sqlite3 *journal_checkpointer(struct journal *j)
{
	bool is_stale;

	lock_take(&j->lock);
	is_stale = j->is_checkpointer_stale;
	j->is_checkpointer_stale = false;
	lock_drop(&j->lock);
	if (is_stale) {
		journal_sqlite_closep(&j->checkpointer);
		j->checkpointer = NULL;
	}
	if (!j->checkpointer &&
	    journal_connect(j->path, SQLITE_OPEN_READWRITE, &j->checkpointer) == SQLITE_OK) {
		/* A reader in the way is no reason to wait: there is a next time. */
		(void)sqlite3_busy_timeout(j->checkpointer, 0);
		(void)journal_exec(j->checkpointer, "PRAGMA synchronous = NORMAL");
	}
	return j->checkpointer;
}

static void journal_checkpoint_failed(int code)
{
	int primary = code & 0xff;

	if (primary != SQLITE_OK && primary != SQLITE_BUSY && primary != SQLITE_LOCKED)
		log_warn("journal.checkpoint", "error='%s'", sqlite3_errstr(code));
}

static void journal_checkpoint_beside(struct journal *j)
{
	sqlite3 *db = journal_checkpointer(j);
	uint64_t generation;
	int code, frames, done;

	if (!db)
		return;
	lock_take(&j->lock);
	generation = j->wal_generation;
	lock_drop(&j->lock);
	atomic_store(&j->db.mirror.is_checkpointing, true);
	code = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &done);
	atomic_store(&j->db.mirror.is_salt_old, true);
	atomic_store(&j->db.mirror.is_checkpointing, false);
	journal_checkpoint_failed(code);
	LOCKED(&j->lock);
	if (code == SQLITE_OK && generation == j->wal_generation && done > 0)
		j->backfilled = (uint64_t)done;
}

static void journal_checkpoint_with_turn(struct journal *j)
{
	sqlite3 *db = journal_checkpointer(j);
	int code;

	if (!db)
		return;
	lock_take(&j->lock);
	journal_turn_take_locked(j);
	lock_drop(&j->lock);
	FAULT_POINT("journal-checkpoint-before");
	code = journal_checkpoint_all(db);
	FAULT_POINT("journal-checkpoint-after");
	atomic_store(&j->db.mirror.is_salt_old, true);
	if (code == SQLITE_OK && j->db.db)
		journal_mirror_renew(&j->db);
	journal_checkpoint_failed(code);
	lock_take(&j->lock);
	if (code == SQLITE_OK) {
		j->wal_frames = j->db.wal_frames = 0;
		j->mirror_bytes = j->db.mirror.bytes;
		j->backfilled = 0;
		j->wal_generation++;
	}
	journal_turn_drop_locked(j);
	lock_drop(&j->lock);
}

/* Whether there is anything that time alone will make due. */
static bool journal_has_work_locked(struct journal *j)
{
	return j->first || j->finished || j->needs_reserve || j->wal_frames > 0 ||
	       (j->attrs && journal_attrs_queued(j->attrs) > 0);
}

static void journal_checkpoint_due(struct journal *j)
{
	uint64_t frames, backfilled, idle_ms;
	bool is_mirror_long;

	lock_take(&j->lock);
	is_mirror_long = j->mirror_bytes >= JOURNAL_MIRROR_LONG;
	frames = j->wal_frames;
	backfilled = j->backfilled;
	idle_ms = clock_mono_ms() - j->last_commit_ms;
	lock_drop(&j->lock);
	if (frames >= backfilled + JOURNAL_PASSIVE_STEP)
		journal_checkpoint_beside(j);
	if (frames >= JOURNAL_WAL_LONG || (is_mirror_long && frames > 0) ||
	    (frames > 0 && idle_ms >= JOURNAL_IDLE_MS))
		journal_checkpoint_with_turn(j);
}

/* One round: what has been waiting for a tick. */
static void journal_work(struct journal *j, uint64_t *attrs_written_ms)
{
	uint64_t now_ms = clock_mono_ms();
	uint64_t finished;
	bool is_any;
	size_t attrs;

	lock_take(&j->lock);
	finished = j->finished_in;
	is_any = j->finished;
	lock_drop(&j->lock);
	attrs = j->attrs ? journal_attrs_queued(j->attrs) : 0;
	if (attrs >= JOURNAL_ATTRS_MANY || (attrs && (is_any || now_ms - *attrs_written_ms >= JOURNAL_ATTRS_MS))) {
		journal_attrs_flush(j->attrs);
		*attrs_written_ms = now_ms;
	}
	lock_take(&j->lock);
	journal_queue_finished_locked(j, finished);
	if ((journal_is_due_locked(j) || j->needs_reserve) && !j->is_busy)
		journal_commit_locked(j); /* a failure is told to whoever waits; we try again */
	lock_drop(&j->lock);
	journal_checkpoint_due(j);
}

static void *journal_thread_main(void *arg)
{
	struct journal *j = arg;
	uint64_t attrs_written_ms = clock_mono_ms();

	lock_take(&j->lock);
	while (!j->is_stopping) {
		if (!journal_has_work_locked(j)) {
			j->is_idle = true;
			cond_wait(&j->work, &j->lock);
			j->is_idle = false;
			continue;
		}
		(void)cond_wait_until(&j->work, &j->lock, clock_mono_ms() + JOURNAL_TICK_MS);
		if (j->is_stopping)
			break;
		lock_drop(&j->lock);
		journal_work(j, &attrs_written_ms);
		lock_take(&j->lock);
	}
	lock_drop(&j->lock);
	return NULL;
}

int journal_thread_start(struct journal *j, struct error *err)
{
	int errnum = pthread_create(&j->thread, NULL, journal_thread_main, j);

	if (errnum)
		return error_errno(err, errnum, "cannot start the journal's thread");
	j->has_thread = true;
	(void)pthread_setname_np(j->thread, "journal");
	return 0;
}

void journal_thread_stop(struct journal *j)
{
	if (!j->has_thread)
		return;
	lock_take(&j->lock);
	j->is_stopping = true;
	cond_broadcast(&j->work);
	lock_drop(&j->lock);
	(void)pthread_join(j->thread, NULL);
	j->has_thread = false;
}
