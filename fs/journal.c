/*
 * Group commit. Whoever waits and finds nobody committing takes the whole queue and commits it as
 * one transaction, with the lock let go; those who come meanwhile queue up behind and wait; one of
 * them commits what has gathered. So one caller alone pays one transaction, and many at once share
 * it.
 *
 * What makes a commit last: kill -9 takes nothing away, since the WAL has been written to the page
 * cache. Against power loss journal_sync syncs the WAL. Frames that a checkpoint has moved are safe
 * as well: with synchronous=NORMAL the database file is synced before the WAL is begun anew, and a
 * begun WAL's header is synced before its frames.
 */
#include "fs/journal_private.h"

#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include "backends/base/log.h"

#define JOURNAL_CLOSE_BUSY_MS 300

/* --- the queue --- */

static char *journal_copy(char **at, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = memcpy(*at, text, size);

	*at += size;
	return copy;
}

static struct journal_op *journal_op_put(const struct journal_row *row)
{
	size_t size = strlen(row->store) + strlen(row->bucket) + strlen(row->key) +
		      strlen(row->from_key) + strlen(row->from_bucket) + row->detail.len + 6;
	struct journal_op *op = size <= JOURNAL_ROW_MAX ? malloc(sizeof(*op) + size) : NULL;
	char *at;

	if (!op)
		return NULL;
	*op = (struct journal_op){.row = *row};
	at = op->bytes;
	op->row.store = journal_copy(&at, row->store);
	op->row.bucket = journal_copy(&at, row->bucket);
	op->row.key = journal_copy(&at, row->key);
	op->row.from_key = journal_copy(&at, row->from_key);
	op->row.from_bucket = journal_copy(&at, row->from_bucket);
	if (row->detail.len)
		memcpy(at, row->detail.ptr, row->detail.len);
	at[row->detail.len] = '\0';
	op->row.detail.ptr = at;
	return op;
}

void journal_wake_locked(struct journal *j)
{
	if (j->is_idle)
		cond_signal(&j->work);
}

static uint64_t journal_enqueue_locked(struct journal *j, struct journal_op *op)
{
	op->ticket = ++j->last_ticket;
	*j->last_next = op;
	j->last_next = &op->next;
	journal_wake_locked(j);
	return op->ticket;
}

uint64_t journal_put(struct journal *j, const struct journal_row *row)
{
	struct journal_op *op = journal_op_put(row);

	assert(row->seq > 0 && row->seq <= INT64_MAX && row->file_id <= INT64_MAX);
	if (!op)
		return 0;
	LOCKED(&j->lock);
	return journal_enqueue_locked(j, op);
}

uint64_t journal_delete(struct journal *j, uint64_t seq)
{
	struct journal_op *op = calloc(1, sizeof(*op));

	if (!op)
		return 0;
	op->is_delete = true;
	op->row.seq = seq;
	LOCKED(&j->lock);
	if (j->finished) { /* what ended before must not outlive this in the file */
		j->has_unwritten_attrs = true;
		journal_queue_finished_locked(j, j->finished_in);
	}
	return journal_enqueue_locked(j, op);
}

void journal_finish(struct journal *j, uint64_t seq)
{
	struct journal_op *op = calloc(1, sizeof(*op));

	if (!op)
		return; /* done once more after a crash */
	op->is_delete = true;
	op->row.seq = seq;
	LOCKED(&j->lock);
	*j->finished_next = op;
	j->finished_next = &op->next;
	j->finished_in++;
	journal_wake_locked(j);
}

static void journal_note_past_locked(struct journal *j)
{
	if (j->committed >= j->moved_ticket)
		j->finished_past = j->moved_in;
}

struct journal_mark journal_mark_now(struct journal *j)
{
	LOCKED(&j->lock);
	return (struct journal_mark){j->last_ticket, j->finished_in};
}

bool journal_is_past(struct journal *j, struct journal_mark mark)
{
	LOCKED(&j->lock);
	journal_note_past_locked(j);
	return j->committed >= mark.ticket && j->finished_past >= mark.finished;
}

void journal_queue_finished_locked(struct journal *j, uint64_t upto)
{
	journal_note_past_locked(j);
	while (j->finished && j->moved_in < upto) {
		struct journal_op *op = j->finished;

		j->finished = op->next;
		if (!j->finished)
			j->finished_next = &j->finished;
		op->next = NULL;
		j->moved_in++;
		j->moved_ticket = journal_enqueue_locked(j, op);
	}
}

uint64_t journal_next_seq(struct journal *j)
{
	uint64_t seq = atomic_fetch_add(&j->next_seq, 1);

	/* Half of what was reserved is used: have the next batch reserve more. */
	if (seq % (JOURNAL_SEQ_STEP / 4) == 0) {
		LOCKED(&j->lock);
		j->needs_reserve = true;
		journal_wake_locked(j);
	}
	return seq;
}

static void journal_ops_free(struct journal_op *op)
{
	while (op) {
		struct journal_op *next = op->next;

		free(op);
		op = next;
	}
}

/* --- committing --- */

static int journal_apply_op(struct journal_db *db, const struct journal_op *op)
{
	return op->is_delete ? journal_delete_row(db, op->row.seq) : journal_put_row(db, &op->row);
}

/* One transaction; *ret_code tells the caller what SQLite said. */
static int journal_apply(struct journal_db *db, const struct journal_op *ops, uint64_t next_seq,
			 int *ret_code, struct error *err)
{
	bool is_reserving = next_seq + JOURNAL_SEQ_STEP / 2 > db->reserved_seq;
	int code, r;

	/* Before the transaction: what is committed is there, too, whenever we die. */
	if (ops || is_reserving)
		journal_mirror_append(db, ops, is_reserving ? next_seq + JOURNAL_SEQ_STEP : db->reserved_seq);
	code = db->db ? journal_step(db->begin) : SQLITE_CORRUPT;
	for (const struct journal_op *op = ops; op && code == SQLITE_OK; op = op->next)
		code = journal_apply_op(db, op);
	if (code == SQLITE_OK && is_reserving) {
		code = sqlite3_bind_int64(db->reserve, 1,
					  (sqlite3_int64)(next_seq + JOURNAL_SEQ_STEP));
		if (code == SQLITE_OK)
			code = journal_step(db->reserve);
	}
	FAULT_POINT("journal-commit-inside");
	if (code == SQLITE_OK)
		code = journal_step(db->commit);
	*ret_code = code;
	if (code == SQLITE_OK) {
		journal_mirror_committed(db);
		if (is_reserving)
			db->reserved_seq = next_seq + JOURNAL_SEQ_STEP;
		return 0;
	}
	r = journal_error(db->db, code, "write", err);
	if (db->db && !sqlite3_get_autocommit(db->db))
		(void)journal_step(db->rollback); /* else the next BEGIN says what is wrong */
	return r;
}

static void journal_syncing_take_locked(struct journal *j)
{
	while (j->is_syncing)
		cond_wait(&j->changed, &j->lock);
	j->is_syncing = true;
}

static void journal_syncing_drop_locked(struct journal *j)
{
	j->is_syncing = false;
	cond_broadcast(&j->changed);
}

/* The file was found damaged while in use: replaces it, as opening would. The caller has the turn.
 */
static int journal_heal(struct journal *j, struct error *err)
{
	CLEANUP(freep) char *damage = NULL;
	int r;

	lock_take(&j->lock);
	journal_syncing_take_locked(j);
	lock_drop(&j->lock);
	journal_db_close(&j->db);
	r = journal_db_open(j->dir, true, &j->db, &damage, err);
	if (r == 0)
		log_error("journal.damaged", "what='%s'", damage);
	lock_take(&j->lock);
	j->is_checkpointer_stale = true;
	journal_syncing_drop_locked(j);
	lock_drop(&j->lock);
	return r;
}

void journal_turn_take_locked(struct journal *j)
{
	lock_assert_held(&j->lock);
	while (j->is_busy)
		cond_wait(&j->changed, &j->lock);
	j->is_busy = true;
}

void journal_turn_drop_locked(struct journal *j)
{
	lock_assert_held(&j->lock);
	j->is_busy = false;
	cond_broadcast(&j->changed);
}

/* Notes how long the WAL is; a shorter one than before was begun anew. */
static void journal_note_wal_locked(struct journal *j)
{
	if (j->db.wal_frames < j->wal_frames) {
		j->backfilled = 0;
		j->wal_generation++;
	}
	j->wal_frames = j->db.wal_frames;
	j->mirror_bytes = j->db.mirror.bytes;
	j->last_commit_ms = clock_mono_ms();
}

bool journal_is_due_locked(const struct journal *j)
{
	return j->first && !(j->group_depth && j->group_at == &j->first);
}

/* Takes what may be committed out of the queue: all, or what was queued before the open group. */
static struct journal_op *journal_take_locked(struct journal *j, struct journal_op ***ret_end,
					      uint64_t *ret_upto)
{
	struct journal_op *ops = j->first;

	if (!j->group_depth) {
		*ret_end = j->last_next;
		*ret_upto = j->last_ticket;
		j->first = NULL;
		j->last_next = &j->first;
		return ops;
	}
	*ret_upto = j->group_ticket;
	*ret_end = j->group_at;
	if (j->group_at == &j->first)
		return NULL;
	j->first = *j->group_at;
	*j->group_at = NULL;
	if (!j->first)
		j->last_next = &j->first;
	j->group_at = &j->first;
	return ops;
}

/* What could not be committed goes back to the front of the queue. */
static void journal_give_back_locked(struct journal *j, struct journal_op *ops,
				     struct journal_op **end)
{
	if (!ops)
		return;
	*end = j->first;
	if (!j->first)
		j->last_next = end;
	if (j->group_depth && j->group_at == &j->first)
		j->group_at = end;
	j->first = ops;
}

struct journal *journal_group_begin(struct journal *j)
{
	LOCKED(&j->lock);
	if (j->group_depth++ == 0) {
		j->group_at = j->last_next;
		j->group_ticket = j->last_ticket;
	}
	return j;
}

void journal_group_endp(struct journal **j)
{
	LOCKED(&(*j)->lock);
	assert((*j)->group_depth > 0);
	if (--(*j)->group_depth == 0) {
		journal_wake_locked(*j);
		cond_broadcast(&(*j)->changed);
	}
}

void journal_commit_locked(struct journal *j)
{
	struct journal_op *ops, **ops_end;
	bool flushes = j->has_unwritten_attrs && j->attrs;
	uint64_t upto, next_seq = atomic_load(&j->next_seq);
	struct error why = ERROR_INIT;
	int code, r;

	lock_assert_held(&j->lock);
	assert(!j->is_busy);
	ops = journal_take_locked(j, &ops_end, &upto);
	j->needs_reserve = j->has_unwritten_attrs = false;
	j->is_busy = true;
	lock_drop(&j->lock);
	if (flushes)
		journal_attrs_flush(j->attrs);

	FAULT_POINT("journal-commit-before");
	r = journal_apply(&j->db, ops, next_seq, &code, &why);
	if (r < 0 && why.kind == ERR_CORRUPT && journal_heal(j, &why) == 0)
		r = journal_apply(&j->db, ops, next_seq, &code, &why);
	if (r == 0)
		journal_ops_free(ops);
	FAULT_POINT("journal-commit-after");

	lock_take(&j->lock);
	if (r == 0) {
		j->committed = upto;
		journal_note_wal_locked(j);
	} else {
		journal_give_back_locked(j, ops, ops_end);
		j->failures++;
		j->failed_to = upto;
		j->failure = why;
	}
	journal_turn_drop_locked(j);
}

static int journal_wait_locked(struct journal *j, uint64_t ticket, struct error *err)
{
	uint64_t failures = j->failures;

	while (j->committed < ticket) {
		if (j->failures != failures && ticket <= j->failed_to) {
			if (err)
				*err = j->failure;
			return -error_errnum(j->failure.kind);
		}
		if (j->is_busy || (j->group_depth && ticket > j->group_ticket && !journal_is_due_locked(j)))
			cond_wait(&j->changed, &j->lock);
		else
			journal_commit_locked(j);
	}
	return 0;
}

int journal_wait(struct journal *j, uint64_t ticket, struct error *err)
{
	if (ticket == 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for the journal");
	LOCKED(&j->lock);
	assert(ticket <= j->last_ticket);
	return journal_wait_locked(j, ticket, err);
}

/* --- syncing --- */

/* Makes all that is committed durable. The caller has is_syncing, and the lock, which is let go
 * meanwhile. */
static int journal_sync_wal_locked(struct journal *j, struct error *err)
{
	uint64_t upto = j->committed;
	int fd = j->db.wal_fd, errnum;

	lock_drop(&j->lock);
	FAULT_POINT("journal-sync-before");
	errnum = fdatasync(fd) < 0 ? errno : 0;
	FAULT_POINT("journal-sync-after");
	lock_take(&j->lock);
	if (errnum) {
		/* The kernel will not say it twice: what was not written may pass for clean from
		 * now on. */
		j->is_wal_suspect = true;
		return error_errno(err, errnum, "cannot sync the journal");
	}
	if (!j->is_wal_suspect && j->synced < upto)
		j->synced = upto;
	return 0;
}

/* After a failed sync: by way of the database file, whose pages are written afresh. */
static int journal_sync_by_checkpoint_locked(struct journal *j, struct error *err)
{
	uint64_t upto;
	int code;

	journal_turn_take_locked(j);
	upto = j->committed;
	lock_drop(&j->lock);
	code = j->db.db ? journal_checkpoint_all(j->db.db) : SQLITE_CORRUPT;
	atomic_store(&j->db.mirror.is_salt_old, true);
	if (code == SQLITE_OK)
		journal_mirror_renew(&j->db);
	lock_take(&j->lock);
	if (code == SQLITE_OK) {
		j->is_wal_suspect = false;
		j->synced = upto;
	}
	journal_turn_drop_locked(j);
	return code == SQLITE_OK ? 0 : journal_error(NULL, code, "sync", err);
}

int journal_sync(struct journal *j, struct error *err)
{
	LOCKED(&j->lock);
	uint64_t ticket = j->group_depth ? j->group_ticket : j->last_ticket;
	int r = journal_wait_locked(j, ticket, err);

	while (r == 0 && j->synced < ticket) {
		if (j->is_wal_suspect) {
			r = journal_sync_by_checkpoint_locked(j, err);
		} else if (j->is_syncing) {
			cond_wait(&j->changed,
				  &j->lock); /* it may have begun before our commit: look again */
		} else {
			j->is_syncing = true;
			r = journal_sync_wal_locked(j, err);
			journal_syncing_drop_locked(j);
		}
	}
	return r;
}

/* --- reading --- */

int journal_each(struct journal *j,
		 int (*fn)(void *arg, const struct journal_row *row, struct error *err), void *arg,
		 struct error *err)
{
	CLEANUP(journal_sqlite_closep) sqlite3 *db = NULL;
	int code, r;

	lock_take(&j->lock);
	r = journal_wait_locked(j, j->group_depth ? j->group_ticket : j->last_ticket, err);
	lock_drop(&j->lock);
	if (r < 0)
		return r;
	/* A connection of its own, so that writing goes on beside, and fn may use the journal. */
	code = journal_connect(j->path, SQLITE_OPEN_READONLY, &db);
	if (code != SQLITE_OK)
		return journal_error(NULL, code, "open", err);
	return journal_each_of(db, JOURNAL_BAD_FAIL, fn, arg, err);
}

int journal_each_readonly(const char *dir,
			  int (*fn)(void *arg, const struct journal_row *row, struct error *err),
			  void *arg, struct error *err)
{
	CLEANUP(freep) char *path = str_format("%s/" JOURNAL_FILE, dir);
	CLEANUP(journal_sqlite_closep) sqlite3 *db = NULL;
	int code;

	if (!path)
		return error_set(err, ERR_NO_MEMORY, "no memory to read the journal");
	if (access(path, R_OK) < 0)
		return error_errno(err, errno, "cannot read the journal '%s'", path);
	code = journal_connect(path, SQLITE_OPEN_READONLY, &db);
	if (code != SQLITE_OK)
		return journal_error(NULL, code, "open", err);
	return journal_each_of(db, JOURNAL_BAD_SKIP, fn, arg, err);
}

/* --- opening and closing --- */

static void journal_free(struct journal *j)
{
	journal_sqlite_closep(&j->checkpointer);
	journal_db_close(&j->db);
	journal_attrs_close(j->attrs);
	journal_ops_free(j->first);
	journal_ops_free(j->finished);
	cond_destroy(&j->work);
	cond_destroy(&j->changed);
	lock_destroy(&j->lock);
	free(j->path);
	free(j->dir);
	free(j);
}

int journal_open(const char *dir, struct journal **ret, char **ret_damage, struct error *err)
{
	CLEANUP(freep) char *damage = NULL;
	struct journal *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return error_set(err, ERR_NO_MEMORY, "no memory to open the journal");
	lock_init_ranked(&j->lock, LOCK_JOURNAL);
	cond_init(&j->changed);
	cond_init(&j->work);
	j->db = JOURNAL_DB_INIT;
	j->last_next = &j->first;
	j->finished_next = &j->finished;
	j->dir = strdup(dir);
	j->path = str_format("%s/" JOURNAL_FILE, dir);
	if (!j->dir || !j->path)
		r = error_set(err, ERR_NO_MEMORY, "no memory to open the journal");
	else
		r = journal_db_open(dir, false, &j->db, &damage, err);
	if (r == 0) {
		atomic_init(&j->next_seq, j->db.next_seq);
		j->wal_frames = j->db.wal_frames;
		j->attrs = journal_attrs_open(dir);
		r = journal_thread_start(j, err);
	}
	if (r < 0) {
		journal_free(j);
		return r;
	}
	*ret_damage = steal(damage);
	*ret = j;
	return 0;
}

void journal_drain(struct journal *j)
{
	struct error err = ERROR_INIT;

	journal_thread_stop(j);
	if (j->attrs)
		journal_attrs_flush(j->attrs);
	lock_take(&j->lock);
	journal_queue_finished_locked(j, j->finished_in);
	lock_drop(&j->lock);
	if (journal_sync(j, &err) < 0)
		log_error("journal.close", "error='%s'", err.message);
	else if (j->db.db && journal_checkpoint_all(j->db.db) == SQLITE_OK)
		journal_mirror_renew(&j->db); /* all is in the synced WAL; this only tidies up */
	j->is_drained = true;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (!j->is_drained)
		journal_drain(j);
	journal_free(j);
}
