/*
 * How a row is stored: one column per field; texts are blobs, since keys are bytes. `sum` is the
 * CRC32C of all other columns (journal_sum): SQLite finds damage in its own structure only, and a
 * row with a garbled key would be uploaded to the wrong place.
 */
#include "fs/journal_private.h"

#include "backends/base/hash.h"

#include <endian.h>

#define JOURNAL_BUSY_MS                                                                            \
	10000 /* a reader that recovers the WAL beside us; milliseconds in practice */

enum {
	COL_SEQ,
	COL_KIND,
	COL_FLAGS,
	COL_FILE_ID,
	COL_STORE,
	COL_BUCKET,
	COL_KEY,
	COL_FROM_BUCKET,
	COL_FROM_KEY,
	COL_DETAIL,
	COL_SUM
};

void journal_finalizep(sqlite3_stmt **stmt)
{
	(void)sqlite3_finalize(
		*stmt); /* repeats the error of the last step, which was handled there */
}

void journal_sqlite_closep(sqlite3 **db)
{
	int code = sqlite3_close(*db);

	assert(code == SQLITE_OK); /* else a statement was not finalized */
	(void)code;
}

int journal_exec(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int journal_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret)
{
	return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
}

int journal_step(sqlite3_stmt *stmt)
{
	int code = sqlite3_step(stmt);

	(void)sqlite3_reset(stmt);
	return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}

int journal_bind_bytes(sqlite3_stmt *stmt, int index, struct str bytes)
{
	/* A NULL pointer would bind NULL in the place of an empty blob. */
	return sqlite3_bind_blob64(stmt, index, bytes.len ? bytes.ptr : "", bytes.len,
				   SQLITE_STATIC);
}

static enum error_kind journal_kind(sqlite3 *db, int code)
{
	int errnum = db ? sqlite3_system_errno(db) : 0;

	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return ERR_NO_MEMORY;
	case SQLITE_FULL:
		return ERR_NO_SPACE;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return ERR_PERMISSION;
	case SQLITE_READONLY:
		return ERR_READ_ONLY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_TOOBIG:
	case SQLITE_FORMAT:
		return ERR_CORRUPT;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		if (errnum == ENOSPC || errnum == EDQUOT)
			return ERR_NO_SPACE;
		return errnum == EACCES || errnum == EPERM ? ERR_PERMISSION : ERR_IO;
	default:
		return ERR_IO;
	}
}

int journal_error(sqlite3 *db, int code, const char *what, struct error *err)
{
	return error_set(err, journal_kind(db, code), "cannot %s the journal: %s", what,
			 sqlite3_errstr(code));
}

int journal_connect(const char *path, int flags, sqlite3 **ret)
{
	sqlite3 *db = NULL;
	int code = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
				   NULL);

	if (code == SQLITE_OK) {
		(void)sqlite3_busy_timeout(db, JOURNAL_BUSY_MS);
		/* A checkpoint at the end is made on purpose only, never into a damaged file. */
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
		(void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 2 * (int)JOURNAL_ROW_MAX);
		code = journal_exec(db, "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;");
	}
	if (code != SQLITE_OK) {
		(void)sqlite3_close(db);
		return code;
	}
	*ret = db;
	return SQLITE_OK;
}

int64_t journal_query(sqlite3 *db, const char *sql, int64_t fallback, int *ret_code)
{
	CLEANUP(journal_finalizep) sqlite3_stmt *stmt = NULL;

	*ret_code = journal_prepare(db, sql, &stmt);
	if (*ret_code == SQLITE_OK)
		*ret_code = sqlite3_step(stmt);
	if (*ret_code != SQLITE_ROW)
		return fallback;
	*ret_code = SQLITE_OK;
	return sqlite3_column_int64(stmt, 0);
}

/* --- rows --- */

static uint32_t journal_sum_bytes(uint32_t sum, struct str s)
{
	uint64_t len = htole64(s.len);

	sum = hash_crc32c(sum, &len, sizeof(len));
	return s.len ? hash_crc32c(sum, s.ptr, s.len) : sum;
}

static uint32_t journal_sum(const struct journal_row *row)
{
	uint64_t numbers[4] = {htole64(row->seq), htole64(row->kind), htole64(row->flags),
			       htole64(row->file_id)};
	uint32_t sum = hash_crc32c(0, numbers, sizeof(numbers));

	sum = journal_sum_bytes(sum, str_of(row->store));
	sum = journal_sum_bytes(sum, str_of(row->bucket));
	sum = journal_sum_bytes(sum, str_of(row->key));
	sum = journal_sum_bytes(sum, str_of(row->from_bucket));
	sum = journal_sum_bytes(sum, str_of(row->from_key));
	return journal_sum_bytes(sum, row->detail);
}

int journal_put_row(struct journal_db *db, const struct journal_row *row)
{
	const struct {
		int column;
		struct str bytes;
	} texts[] = {
		{COL_STORE, str_of(row->store)},       {COL_BUCKET, str_of(row->bucket)},
		{COL_KEY, str_of(row->key)},	       {COL_FROM_BUCKET, str_of(row->from_bucket)},
		{COL_FROM_KEY, str_of(row->from_key)}, {COL_DETAIL, row->detail},
	};
	const struct {
		int column;
		uint64_t value;
	} numbers[] = {
		{COL_SEQ, row->seq},	     {COL_KIND, row->kind},	  {COL_FLAGS, row->flags},
		{COL_FILE_ID, row->file_id}, {COL_SUM, journal_sum(row)},
	};
	int code = SQLITE_OK;

	for (size_t i = 0; i < ARRAY_SIZE(numbers) && code == SQLITE_OK; i++)
		code = sqlite3_bind_int64(db->put, numbers[i].column + 1,
					  (sqlite3_int64)numbers[i].value);
	for (size_t i = 0; i < ARRAY_SIZE(texts) && code == SQLITE_OK; i++)
		code = journal_bind_bytes(db->put, texts[i].column + 1, texts[i].bytes);
	return code == SQLITE_OK ? journal_step(db->put) : code;
}

int journal_delete_row(struct journal_db *db, uint64_t seq)
{
	int code = sqlite3_bind_int64(db->del, 1, (sqlite3_int64)seq);

	return code == SQLITE_OK ? journal_step(db->del) : code;
}

/* A column as bytes with a NUL behind them; false when it holds something else (or a NUL within).
 */
static bool journal_column(sqlite3_stmt *stmt, int column, struct str *ret)
{
	if (sqlite3_column_type(stmt, column) != SQLITE_BLOB)
		return false;
	ret->ptr = (const char *)sqlite3_column_text(stmt, column); /* adds the NUL; bytes stay */
	ret->len = (size_t)sqlite3_column_bytes(stmt, column);
	if (!ret->ptr)
		*ret = STR("");
	return true;
}

static bool journal_column_string(sqlite3_stmt *stmt, int column, const char **ret)
{
	struct str s;

	if (!journal_column(stmt, column, &s) || strlen(s.ptr) != s.len)
		return false;
	*ret = s.ptr;
	return true;
}

bool journal_read_row(sqlite3_stmt *stmt, struct journal_row *ret)
{
	*ret = (struct journal_row){
		.seq = (uint64_t)sqlite3_column_int64(stmt, COL_SEQ),
		.kind = (uint32_t)sqlite3_column_int64(stmt, COL_KIND),
		.flags = (uint32_t)sqlite3_column_int64(stmt, COL_FLAGS),
		.file_id = (uint64_t)sqlite3_column_int64(stmt, COL_FILE_ID),
	};
	return journal_column_string(stmt, COL_STORE, &ret->store) &&
	       journal_column_string(stmt, COL_BUCKET, &ret->bucket) &&
	       journal_column_string(stmt, COL_KEY, &ret->key) &&
	       journal_column_string(stmt, COL_FROM_BUCKET, &ret->from_bucket) &&
	       journal_column_string(stmt, COL_FROM_KEY, &ret->from_key) &&
	       journal_column(stmt, COL_DETAIL, &ret->detail) &&
	       sqlite3_column_int64(stmt, COL_SUM) == (int64_t)journal_sum(ret);
}

int journal_each_of(sqlite3 *db, enum journal_bad_rows bad,
		    int (*fn)(void *arg, const struct journal_row *row, struct error *err),
		    void *arg, struct error *err)
{
	CLEANUP(journal_finalizep) sqlite3_stmt *stmt = NULL;
	struct journal_row row;
	int code, r;

	code = journal_prepare(db, "SELECT " JOURNAL_COLUMNS " FROM pending ORDER BY seq", &stmt);
	if (code == SQLITE_ERROR) /* no such table or column */
		return error_set(err, ERR_CORRUPT, "the journal has an unknown schema");
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(stmt);
		if (code != SQLITE_ROW)
			break;
		if (journal_read_row(stmt, &row)) {
			r = fn(arg, &row, err);
			if (r < 0)
				return r;
		} else if (bad == JOURNAL_BAD_FAIL) {
			return error_set(err, ERR_CORRUPT, "the journal has a damaged row");
		}
	}
	return code == SQLITE_DONE ? 0 : journal_error(db, code, "read", err);
}
