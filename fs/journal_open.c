/*
 * The file: an SQLite database, application id "skyd", user version 1.
 *
 *	pending	 one row per pending thing (journal_sql.c)
 *	counter	 one row: sequence numbers below `next` may have been given away. A file that is
 * made anew begins with the microseconds since 1970, so that cache files of a journal that was lost
 * are met by no new number.
 *
 * What counts as damage: SQLite says so, or the schema is not exactly ours, or a sum is wrong.
 * Trouble of the surroundings (no permission, full disk, a lock) is an error, and the file stays
 * where it is.
 */
#include "fs/journal_private.h"

#include "backends/base/clock.h"
#include "backends/base/fileio.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define JOURNAL_APPLICATION_ID 0x736b7964 /* "skyd" */
#define JOURNAL_USER_VERSION   1

#define JOURNAL_CREATE_PENDING                                                                     \
	"CREATE TABLE pending (seq INTEGER PRIMARY KEY, kind INTEGER, flags INTEGER, "             \
	"file_id INTEGER, store BLOB, bucket BLOB, key BLOB, from_bucket BLOB, from_key BLOB, "    \
	"detail BLOB, sum INTEGER)"
#define JOURNAL_CREATE_COUNTER "CREATE TABLE counter (id INTEGER PRIMARY KEY, next INTEGER)"

static int journal_open_failed(sqlite3 *db, int code, struct error *err)
{
	switch (code & 0xff) {
	case SQLITE_NOMEM:
	case SQLITE_FULL:
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return journal_error(db, code, "open", err);
	default: /* the file was found writable before, so that even "read-only" means a garbled
		    header */
		return JOURNAL_DAMAGED;
	}
}

/* SQLite makes it anew, unless something else stands there. */
static int journal_clear_shm(const char *path, struct error *err)
{
	CLEANUP(freep) char *shm = str_format("%s-shm", path);
	CLEANUP(freep) char *aside = str_format("%s-shm.damaged-%lld", path, (long long)clock_wall_s());
	struct stat st;

	if (!shm || !aside)
		return error_set(err, ERR_NO_MEMORY, "no memory to open the journal");
	if (lstat(shm, &st) < 0 || S_ISREG(st.st_mode) || rename(shm, aside) == 0)
		return 0;
	return error_errno(err, errno, "cannot set '%s' aside", shm);
}

int journal_precreate(const char *path, struct error *err)
{
	CLEANUP(closep) int fd = -1;
	CLEANUP(freep) char *wal = str_format("%s-wal", path);
	struct stat st, wal_st;
	int r;

	if (!wal)
		return error_set(err, ERR_NO_MEMORY, "no memory to open the journal");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0 && (errno == ELOOP || errno == EISDIR || errno == ENXIO))
		return JOURNAL_DAMAGED;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, errno, "cannot open the journal '%s'", path);
	if (!S_ISREG(st.st_mode))
		return JOURNAL_DAMAGED;
	if ((st.st_mode & 0077) && fchmod(fd, 0600) < 0)
		return error_errno(err, errno, "cannot make the journal '%s' private", path);
	r = journal_clear_shm(path, err);
	if (r < 0)
		return r;
	/* SQLite would delete the WAL of an empty file, and with it all that there is. */
	if (lstat(wal, &wal_st) == 0 && (!S_ISREG(wal_st.st_mode) || (st.st_size == 0 && wal_st.st_size > 0)))
		return JOURNAL_DAMAGED;
	return JOURNAL_OPENED;
}

static int journal_create(sqlite3 *db)
{
	CLEANUP(journal_finalizep) sqlite3_stmt *stmt = NULL;
	int code = journal_exec(db, "BEGIN IMMEDIATE;" JOURNAL_CREATE_PENDING
				    ";" JOURNAL_CREATE_COUNTER ";"
				    "PRAGMA application_id = 0x736b7964; PRAGMA user_version = 1;");

	if (code == SQLITE_OK)
		code = journal_prepare(db, "INSERT INTO counter (id, next) VALUES (1, ?1)", &stmt);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(stmt, 1, clock_wall_ns() / 1000);
	if (code == SQLITE_OK)
		code = journal_step(stmt);
	return code == SQLITE_OK ? journal_exec(db, "COMMIT") : code;
}

/* Whether the file is new (made ours now) or exactly ours. */
static int journal_check_schema(sqlite3 *db, bool *ret_is_new, struct error *err)
{
	int code;
	int64_t tables, id, version, known;

	tables = journal_query(db, "SELECT count(*) FROM sqlite_master", -1, &code);
	if (code != SQLITE_OK)
		return journal_open_failed(db, code, err);
	id = journal_query(db, "PRAGMA application_id", -1, &code);
	version = journal_query(db, "PRAGMA user_version", -1, &code);
	if (tables == 0 && id == 0 && version == 0) {
		*ret_is_new = true;
		code = journal_create(db);
		return code == SQLITE_OK ? JOURNAL_OPENED : journal_open_failed(db, code, err);
	}
	known = journal_query(db,
			      "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND "
			      "((name = 'pending' AND sql = '" JOURNAL_CREATE_PENDING
			      "') OR (name = 'counter' AND sql = '" JOURNAL_CREATE_COUNTER "'))",
			      -1, &code);
	if (code != SQLITE_OK)
		return journal_open_failed(db, code, err);
	return tables == 2 && known == 2 && id == JOURNAL_APPLICATION_ID &&
			       version == JOURNAL_USER_VERSION
		       ? JOURNAL_OPENED
		       : JOURNAL_DAMAGED;
}

/* SQLite's own check, which walks every page. */
static int journal_check_structure(sqlite3 *db, struct error *err)
{
	CLEANUP(journal_finalizep) sqlite3_stmt *stmt = NULL;
	int code = journal_prepare(db, "PRAGMA quick_check(1)", &stmt);
	const char *text;

	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code != SQLITE_ROW)
		return journal_open_failed(db, code, err);
	text = (const char *)sqlite3_column_text(stmt, 0);
	return text && strcmp(text, "ok") == 0 ? JOURNAL_OPENED : JOURNAL_DAMAGED;
}

int journal_note_row(void *arg, const struct journal_row *row, struct error *err)
{
	uint64_t *next = arg;

	(void)err;
	if (row->seq >= *next && row->seq < JOURNAL_SEQ_MAX)
		*next = row->seq + 1;
	if (row->file_id >= *next && row->file_id < JOURNAL_SEQ_MAX)
		*next = row->file_id + 1;
	return 0;
}

/* Reads every row: their sums, and the highest number that is in use. */
static int journal_check_rows(struct journal_db *db, struct error *err)
{
	struct error why = ERROR_INIT;
	int64_t counter;
	int code, r;

	counter = journal_query(db->db, "SELECT next FROM counter WHERE id = 1", 0, &code);
	if (code != SQLITE_OK || counter <= 0 || (uint64_t)counter >= JOURNAL_SEQ_MAX)
		return JOURNAL_DAMAGED;
	db->next_seq = db->reserved_seq = (uint64_t)counter;
	r = journal_each_of(db->db, JOURNAL_BAD_FAIL, journal_note_row, &db->next_seq, &why);
	if (r == 0)
		return JOURNAL_OPENED;
	if (why.kind == ERR_CORRUPT)
		return JOURNAL_DAMAGED;
	if (err)
		*err = why;
	return r;
}

static int journal_wal_hook(void *arg, sqlite3 *connection, const char *name, int frames)
{
	struct journal_db *db = arg;

	(void)connection;
	(void)name;
	db->wal_frames = (unsigned)frames;
	return SQLITE_OK;
}

static int journal_prepare_all(struct journal_db *db)
{
	const struct {
		const char *sql;
		sqlite3_stmt **stmt;
	} all[] = {
		{"INSERT OR REPLACE INTO pending (" JOURNAL_COLUMNS
		 ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
		 &db->put},
		{"DELETE FROM pending WHERE seq = ?1", &db->del},
		{"UPDATE counter SET next = ?1 WHERE id = 1", &db->reserve},
		{"BEGIN IMMEDIATE", &db->begin},
		{"COMMIT", &db->commit},
		{"ROLLBACK", &db->rollback},
	};
	int code = SQLITE_OK;

	for (size_t i = 0; i < ARRAY_SIZE(all) && code == SQLITE_OK; i++)
		code = journal_prepare(db->db, all[i].sql, all[i].stmt);
	return code;
}

static int journal_set_modes(sqlite3 *db, struct error *err)
{
	CLEANUP(journal_finalizep) sqlite3_stmt *stmt = NULL;
	int code = journal_prepare(db, "PRAGMA journal_mode = WAL", &stmt);
	const char *mode;

	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code != SQLITE_ROW)
		return journal_open_failed(db, code, err);
	mode = (const char *)sqlite3_column_text(stmt, 0);
	if (!mode || strcmp(mode, "wal") != 0)
		return JOURNAL_DAMAGED;
	/* NORMAL: a commit does not sync, a checkpoint syncs the WAL before it and the database
	 * after it. */
	code = journal_exec(db, "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;");
	return code == SQLITE_OK ? JOURNAL_OPENED : journal_open_failed(db, code, err);
}

int journal_try_open(const char *path, struct journal_db *db, struct error *err)
{
	int code = journal_connect(path, SQLITE_OPEN_READWRITE, &db->db);
	int r;

	if (code != SQLITE_OK)
		return journal_open_failed(NULL, code, err);
	r = journal_set_modes(db->db, err);
	if (r == JOURNAL_OPENED)
		r = journal_check_schema(db->db, &db->is_new, err);
	if (r == JOURNAL_OPENED)
		r = journal_check_structure(db->db, err);
	if (r == JOURNAL_OPENED)
		r = journal_check_rows(db, err);
	if (r != JOURNAL_OPENED)
		return r;
	code = journal_prepare_all(db);
	if (code != SQLITE_OK)
		return journal_open_failed(db->db, code, err);
	(void)sqlite3_wal_hook(db->db, journal_wal_hook, db);
	return JOURNAL_OPENED;
}

/* Numbers for the next while are taken out of the file, durably, before the first is given away. */
static int journal_finish_open(const char *dir, const char *path, struct journal_db *db,
			       struct error *err)
{
	CLEANUP(freep) char *wal = str_format("%s-wal", path);
	CLEANUP(closep) int dir_fd = -1;
	int code;

	if (!wal)
		return error_set(err, ERR_NO_MEMORY, "no memory to open the journal");
	db->reserved_seq = db->next_seq + JOURNAL_SEQ_STEP;
	code = sqlite3_bind_int64(db->reserve, 1, (sqlite3_int64)db->reserved_seq);
	if (code == SQLITE_OK)
		code = journal_step(db->reserve);
	if (code != SQLITE_OK)
		return journal_error(db->db, code, "write", err);
	/* SQLite keeps no locks on the WAL, so that a descriptor of our own may be opened and
	 * closed. */
	db->wal_fd = open(wal, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (db->wal_fd < 0 || dir_fd < 0 || fdatasync(db->wal_fd) < 0 || fsync(dir_fd) < 0)
		return error_errno(err, errno, "cannot sync the journal '%s'", path);
	journal_mirror_committed(db);
	return 0;
}

/* Whether there are cache files, which a journal that is missing may have spoken of. */
static bool journal_has_files(const char *dir)
{
	CLEANUP(freep) char *path = str_format("%s/files", dir);
	DIR *files = path ? opendir(path) : NULL;
	const struct dirent *entry;
	bool has_any = false;

	while (files && !has_any && (entry = readdir(files)))
		has_any = entry->d_name[0] != '.';
	if (files)
		(void)closedir(files);
	return has_any;
}

/* What the user is told of it, after what is told already. A last batch that was not committed is no damage: a kill. */
static int journal_tell_replay(const struct journal_replay *replay, const char *path, char **damage, struct error *err)
{
	CLEANUP(freep) char *before = NULL;

	if (!*damage && !replay->has_gap && (replay->batches < 2 || replay->is_cut_off))
		return 0;
	if (!replay->changes && !(*damage && replay->is_all))
		return 0;
	before = steal(*damage);
	if (replay->is_all && before)
		*damage = str_format("%s%sthe second record of '%s' had all that was pending: nothing is lost", before ? before : "",
				     before ? "; " : "", path);
	else
		*damage = str_format("%s%s%llu changes that '%s' had lost were taken from its second record%s", before ? before : "",
				     before ? "; " : "", (unsigned long long)replay->changes, path,
				     replay->has_gap ? "; some may be lost" : "");
	return *damage ? 0 : error_set(err, ERR_NO_MEMORY, "no memory to open the journal");
}

/* From the second record. Whether rows remain lost is noted for who looks after their files. */
static int journal_make_good(const char *dir, const char *path, struct journal_db *db, char **damage, struct error *err)
{
	enum journal_loss loss = *damage || db->is_new	     ? JOURNAL_LOSS_NEW :
				 journal_has_lost_rows(dir) ? JOURNAL_LOSS_OLD :
							      JOURNAL_LOSS_NONE;
	struct journal_replay replay;
	int r = journal_mirror_replay(dir, path, db, loss, &replay, err);

	if (r == 0 && loss && replay.is_all)
		journal_lost_rows_settled(dir);
	else if (r == 0 && !loss && (replay.has_gap || (replay.has_none && journal_has_files(dir))))
		r = journal_mark_lost(path, err);
	if (r == 0)
		r = journal_tell_replay(&replay, path, damage, err);
	if (r < 0)
		return r;
	journal_mirror_open(dir, &db->mirror);
	db->mirror.number = replay.last_number;
	db->mirror.is_lossy = journal_has_lost_rows(dir);
	db->reserved_seq = db->next_seq + JOURNAL_SEQ_STEP; /* as it will be when the opening is through */
	/* Before it is emptied, what it had is to be in the file itself. While rows are lost it is not begun anew: to a start after one
	 * that died while it saw to their files, it would tell that it has all there ever was, and the rest of them would be swept. */
	if (!replay.is_renewed && !journal_has_lost_rows(dir) && journal_checkpoint_all(db->db) == SQLITE_OK)
		journal_mirror_renew(db);
	return 0;
}

int journal_db_open(const char *dir, bool is_damaged, struct journal_db *ret, char **ret_damage,
		    struct error *err)
{
	CLEANUP(freep) char *path = str_format("%s/" JOURNAL_FILE, dir);
	CLEANUP(freep) char *damage = NULL;
	int r = JOURNAL_DAMAGED;

	*ret = JOURNAL_DB_INIT;
	if (!path)
		return error_set(err, ERR_NO_MEMORY, "no memory to open the journal");
	if (!is_damaged) {
		r = journal_adopt_rescued(path, err);
		if (r == 0)
			r = journal_precreate(path, err);
		if (r == JOURNAL_OPENED)
			r = journal_try_open(path, ret, err);
	}
	if (r == JOURNAL_DAMAGED)
		r = journal_replace_damaged(path, ret, &damage, err);
	if (r == 0 && ret->is_new && journal_has_files(dir)) /* it was lost, with all its rows */
		r = journal_mark_lost(path, err);
	if (r == 0)
		r = journal_make_good(dir, path, ret, &damage, err);
	if (r == 0)
		r = journal_finish_open(dir, path, ret, err);
	if (r < 0) {
		journal_db_close(ret);
		return r;
	}
	*ret_damage = steal(damage);
	return 0;
}

void journal_db_close(struct journal_db *db)
{
	sqlite3_stmt **all[] = {&db->put,   &db->del,	 &db->reserve,
				&db->begin, &db->commit, &db->rollback};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		journal_finalizep(all[i]);
	closep(&db->wal_fd);
	journal_mirror_close(&db->mirror);
	journal_sqlite_closep(&db->db);
	*db = JOURNAL_DB_INIT;
}
