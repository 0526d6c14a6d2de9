#pragma once
/*
 * Purpose: what the files of the journal share: journal.c (queue, group commit, sync),
 * journal_thread.c (what is done without being asked), journal_open.c (schema, checks),
 * journal_rescue.c (damage), journal_mirror.c (the second record), journal_sql.c (rows), journal_attrs.c (attributes once seen).
 *
 * Locks: journal.lock guards the queue and all counters, and is never held over a call of SQLite.
 * Who has the turn (is_busy, taken and given back under the lock) uses `db` alone. is_syncing
 * likewise protects the number of the WAL's descriptor. Order: the turn before is_syncing; a syncer
 * waits for no turn while it has is_syncing.
 */
#include "backends/base/lock.h"
#include "fs/journal.h"

#include <sqlite3.h>
#include <stdatomic.h>

#define JOURNAL_FILE	   "journal.db"
#define JOURNAL_ATTRS_FILE "attrs.db"
#define JOURNAL_ROW_MAX	   (8u << 20) /* bytes of one row; far above any key and its detail */
#define JOURNAL_SEQ_MAX	   (1ull << 62)

/* The second record, which a damaged database is made good from. The holder of the turn's. */
struct journal_mirror {
	int fd; /* O_APPEND; -1: there is none */
	uint64_t bytes;
	bool is_given_up;  /* empty until it is begun anew */
	bool is_lossy;	   /* rows were lost before it was begun: it never has all */
	uint64_t number;   /* of the last batch */
	uint64_t salt;	   /* of the WAL, which tells one from the next; 0: it is empty */
	atomic_bool is_checkpointing, is_salt_old; /* the WAL may be begun anew by the next commit, or was */
	struct buf record; /* the last batch; its memory is kept */
};

/* The connection that writes, with its statements. */
struct journal_db {
	sqlite3 *db;
	sqlite3_stmt *put, *del, *reserve, *begin, *commit, *rollback;
	int wal_fd;	       /* our own, to sync what was committed */
	unsigned wal_frames;   /* in the WAL after the last commit */
	uint64_t next_seq;     /* found when opened: above all that was ever used */
	uint64_t reserved_seq; /* the file says that all below may be in use */
	bool is_new;	       /* there was none, or an empty file */
	struct journal_mirror mirror;
};
#define JOURNAL_DB_INIT ((struct journal_db){.wal_fd = -1, .mirror = {.fd = -1}})

struct journal_op {
	struct journal_op *next;
	uint64_t ticket;
	bool is_delete;
	struct journal_row row; /* points into bytes; a delete has the seq only */
	char bytes[];
};

struct journal {
	char *dir, *path;
	pthread_t thread;
	_Atomic uint64_t next_seq;
	struct journal_attrs *attrs; /* NULL: none can be kept */

	struct lock lock;
	struct cond changed; /* the turn came free, a batch was committed or failed, a sync ended */
	struct cond work;    /* for the thread */
	/* guarded by lock: */
	struct journal_op *first, **last_next;
	struct journal_op *finished, **finished_next; /* of journal_finish, not in the queue yet */
	bool has_unwritten_attrs;	    /* finished ones are in the queue before their attributes were stored */
	uint64_t finished_in;		    /* how many there were ever */
	uint64_t moved_in, moved_ticket;    /* of them in the queue by the last move; the last one's ticket */
	uint64_t finished_past;		    /* of them gone for certain */
	uint64_t last_ticket, committed, synced; /* tickets */
	unsigned group_depth;	       /* > 0: a group is open */
	struct journal_op **group_at;  /* with one: where it begins in the queue, */
	uint64_t group_ticket;	       /* and the last ticket before it */
	uint64_t failures, failed_to; /* failed batches; the last ticket of the last of them */
	struct error failure;
	bool is_busy, is_syncing, is_stopping, is_idle;
	bool is_wal_suspect;	    /* a sync of it failed: only a checkpoint makes it durable */
	bool is_checkpointer_stale; /* it has the file that was set aside */
	bool needs_reserve;
	uint64_t wal_frames, backfilled, wal_generation;
	uint64_t mirror_bytes;
	uint64_t last_commit_ms;

	struct journal_db db;  /* the holder of the turn's */
	sqlite3 *checkpointer; /* the thread's */
	bool has_thread, is_drained;
};

/* --- journal_sql.c: small things over SQLite, and rows --- */
#define JOURNAL_COLUMNS                                                                            \
	"seq, kind, flags, file_id, store, bucket, key, from_bucket, from_key, detail, sum"
/* A further connection to a file; flags as for sqlite3_open_v2. Set up against hostile content.
 * Returns SQLite's code. */
int journal_connect(const char *path, int flags, sqlite3 **ret);
/* Runs statements that are constants. Returns SQLite's code. */
int journal_exec(sqlite3 *db, const char *sql);
int journal_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret);
/* The integer that a constant query gives; fallback when it fails. */
int64_t journal_query(sqlite3 *db, const char *sql, int64_t fallback, int *ret_code);
/* Steps a statement that returns no rows, and resets it. Returns SQLITE_OK or its code. */
int journal_step(sqlite3_stmt *stmt);
int journal_bind_bytes(sqlite3_stmt *stmt, int index, struct str bytes);
/* Fills err from a failure of a connection (NULL: there is none yet). */
int journal_error(sqlite3 *db, int code, const char *what, struct error *err);
void journal_finalizep(sqlite3_stmt **stmt);
void journal_sqlite_closep(sqlite3 **db);
int journal_put_row(struct journal_db *db, const struct journal_row *row); /* SQLite's code */
int journal_delete_row(struct journal_db *db, uint64_t seq);		   /* likewise */
/* The row on which a statement over JOURNAL_COLUMNS stands; false when it is damaged. */
bool journal_read_row(sqlite3_stmt *stmt, struct journal_row *ret);
enum journal_bad_rows { JOURNAL_BAD_FAIL, JOURNAL_BAD_SKIP };
/* Calls fn for all rows of the connection; a row whose sum is wrong is an error or skipped. */
int journal_each_of(sqlite3 *db, enum journal_bad_rows bad,
		    int (*fn)(void *arg, const struct journal_row *row, struct error *err),
		    void *arg, struct error *err) MUST_CHECK;

/* --- journal_open.c --- */
#define JOURNAL_SEQ_STEP (1ull << 20) /* numbers reserved at once */
/* Opens DIR/journal.db, makes it when missing, replaces it when damaged (is_damaged: it is known to
 * be). */
int journal_db_open(const char *dir, bool is_damaged, struct journal_db *ret, char **ret_damage,
		    struct error *err) MUST_CHECK;
void journal_db_close(struct journal_db *db);
/* What became of an attempt, beside the negative errors. */
enum { JOURNAL_OPENED, JOURNAL_DAMAGED };
/* Makes sure that the file is there and ours alone, before SQLite makes it with whatever mode. */
int journal_precreate(const char *path, struct error *err) MUST_CHECK;
int journal_try_open(const char *path, struct journal_db *db, struct error *err) MUST_CHECK;
/* For journal_each_of: raises the uint64_t arg above all numbers of the row. */
int journal_note_row(void *arg, const struct journal_row *row, struct error *err);

/* --- journal_rescue.c --- */
int journal_replace_damaged(const char *path, struct journal_db *db, char **ret_damage,
			    struct error *err) MUST_CHECK;
/* Finishes a replacement that was interrupted. */
int journal_adopt_rescued(const char *path, struct error *err) MUST_CHECK;
int journal_mark_lost(const char *path, struct error *err) MUST_CHECK;

/* --- journal_mirror.c; a mirror that cannot be written is told in the log and is empty then --- */
struct journal_replay {
	uint64_t batches, changes; /* carried out again: the file did not have them */
	bool is_all;		   /* they tell of all rows there are */
	bool has_gap;		   /* batches are lost that neither has */
	bool has_none;		   /* there is no second record, or nothing of it can be read: what the WAL lost in silence, nobody tells */
	bool is_renewed;	   /* it holds all rows and nothing else */
	bool is_cut_off;	   /* there was no WAL: a kill just after it was emptied, too */
	uint64_t last_number;
};
void journal_mirror_open(const char *dir, struct journal_mirror *m);
void journal_mirror_close(struct journal_mirror *m);
/* ops may be NULL. reserved: what the counter will be. */
void journal_mirror_append(struct journal_db *db, const struct journal_op *ops, uint64_t reserved);
void journal_mirror_committed(struct journal_db *db); /* after each transaction: finds out where the WAL ends */
/* All is in the database file, synced: begun anew. */
void journal_mirror_renew(struct journal_db *db);
/* Whether rows of the file are lost: in this opening, or one that nobody has looked after yet. */
enum journal_loss { JOURNAL_LOSS_NONE, JOURNAL_LOSS_OLD, JOURNAL_LOSS_NEW };
/* Brings the file up to what the mirror has. */
int journal_mirror_replay(const char *dir, const char *path, struct journal_db *db, enum journal_loss loss,
			  struct journal_replay *ret, struct error *err) MUST_CHECK;

/* --- journal_attrs.c --- */
struct journal_attrs *journal_attrs_open(const char *dir); /* NULL: without them then */
void journal_attrs_close(struct journal_attrs *a);	   /* writes what is queued */
size_t journal_attrs_queued(struct journal_attrs *a);
void journal_attrs_flush(struct journal_attrs *a);

/* --- journal.c --- */
/* The turn to use j->db (or to checkpoint undisturbed); both with the lock held, taking waits. */
void journal_turn_take_locked(struct journal *j);
void journal_turn_drop_locked(struct journal *j);
/* Whether there is anything that may be committed now: an open group may not. */
bool journal_is_due_locked(const struct journal *j);
/* Commits what is queued; the lock is let go meanwhile. Nobody may have the turn. */
void journal_commit_locked(struct journal *j);
/* Moves finished ones into the queue, in order, until so many were moved ever. */
void journal_queue_finished_locked(struct journal *j, uint64_t upto);
/* Wakes the thread when it sleeps. */
void journal_wake_locked(struct journal *j);

/* --- journal_thread.c --- */
int journal_thread_start(struct journal *j, struct error *err) MUST_CHECK;
void journal_thread_stop(struct journal *j);
/* All of the WAL into the database file, synced, and the WAL emptied. The caller has the turn. */
int journal_checkpoint_all(sqlite3 *db); /* SQLite's code */
