#include "control/usage_db.h"

#include "backends/base/buf.h"
#include "backends/base/log.h"

#include <fcntl.h>
#include <libgen.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS 5000 /* others of our processes write for milliseconds only */

struct usage_db {
	sqlite3 *db;
};

static void finalizep(sqlite3_stmt **stmt)
{
	(void)sqlite3_finalize(*stmt); /* tells again what the last step told */
}

static int failed(struct usage_db *db, int code, const char *what, struct error *err)
{
	enum error_kind kind = ERR_IO;

	if ((code & 0xff) == SQLITE_FULL)
		kind = ERR_NO_SPACE;
	else if ((code & 0xff) == SQLITE_NOMEM)
		kind = ERR_NO_MEMORY;
	else if ((code & 0xff) == SQLITE_READONLY || (code & 0xff) == SQLITE_CANTOPEN)
		kind = ERR_PERMISSION;
	return error_set(err, kind, "cannot %s the usage database: %s", what,
			 db->db ? sqlite3_errmsg(db->db) : sqlite3_errstr(code));
}

static bool is_damage(int code)
{
	return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

static int64_t pragma(sqlite3 *db, const char *sql, int *ret_code)
{
	CLEANUP(finalizep) sqlite3_stmt *stmt = NULL;

	*ret_code = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (*ret_code == SQLITE_OK)
		*ret_code = sqlite3_step(stmt);
	if (*ret_code != SQLITE_ROW)
		return -1;
	*ret_code = SQLITE_OK;
	return sqlite3_column_int64(stmt, 0);
}

#define CREATE                                                                                                       \
	"BEGIN IMMEDIATE;"                                                                                           \
	"CREATE TABLE IF NOT EXISTS usage (day TEXT NOT NULL, provider TEXT NOT NULL, store TEXT NOT NULL, "         \
	"bucket TEXT NOT NULL, operation TEXT NOT NULL, requests INTEGER NOT NULL, errors INTEGER NOT NULL, "        \
	"sent INTEGER NOT NULL, received INTEGER NOT NULL, "                                                         \
	"PRIMARY KEY (day, provider, store, bucket, operation)) WITHOUT ROWID;"                                      \
	"PRAGMA application_id = 0x736b7975; PRAGMA user_version = 1; COMMIT"

/* SQLite's code; SQLITE_NOTADB also for a file that is somebody else's. */
static int open_file(const char *path, enum usage_mode mode, sqlite3 **ret)
{
	int flags = mode == USAGE_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE;
	int code = sqlite3_open_v2(path, ret, flags, NULL);
	int64_t id, version;

	if (code == SQLITE_OK)
		code = sqlite3_busy_timeout(*ret, BUSY_MS);
	if (code == SQLITE_OK) /* a count of the last seconds may go with the power, never with a kill */
		code = sqlite3_exec(*ret, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return code;
	id = pragma(*ret, "PRAGMA application_id", &code);
	version = code == SQLITE_OK ? pragma(*ret, "PRAGMA user_version", &code) : 0;
	if (code != SQLITE_OK)
		return code;
	if (id == 0 && version == 0)
		return sqlite3_exec(*ret, CREATE, NULL, NULL, NULL);
	return id == 0x736b7975 && version == 1 ? SQLITE_OK : SQLITE_NOTADB;
}

/* What cannot be read goes out of the way, with its log, which would be of no use to the new file. */
static int put_aside(const char *path, struct error *err)
{
	static const char *const parts[] = { "", "-wal", "-shm" };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		CLEANUP(freep) char *from = str_format("%s%s", path, parts[i]);
		CLEANUP(freep) char *to = str_format("%s.damaged%s", path, parts[i]);

		if (!from || !to)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		if (rename(from, to) < 0 && errno != ENOENT)
			return error_errno(err, errno, "cannot put the damaged '%s' aside", path);
	}
	log_warn("usage.damaged", "path='%s' what='put aside; counting begins anew'", path);
	return 0;
}

static int make_place(const char *path, struct error *err)
{
	CLEANUP(freep) char *copy = str_dup(str_of(path));
	CLEANUP(closep) int fd = -1;
	struct stat st;

	if (!copy)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	for (char *at = strchr(copy + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return error_errno(err, errno, "cannot make '%s'", copy);
		*at = '/';
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, errno, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return error_set(err, ERR_PERMISSION, "'%s' is not a file of ours", path);
	return 0;
}

int usage_db_open(const char *path, enum usage_mode mode, struct usage_db **ret, struct error *err)
{
	struct usage_db *db;
	int r = 0, code;

	if (mode == USAGE_READ && access(path, F_OK) < 0)
		return error_set(err, ERR_NOT_FOUND, "nothing was counted yet");
	if (mode == USAGE_WRITE)
		r = make_place(path, err);
	if (r < 0)
		return r;
	db = calloc(1, sizeof *db);
	if (!db)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	code = open_file(path, mode, &db->db);
	if (is_damage(code) && mode == USAGE_WRITE) {
		(void)sqlite3_close(db->db);
		db->db = NULL;
		r = put_aside(path, err);
		code = r < 0 ? SQLITE_OK : open_file(path, mode, &db->db);
	}
	if (r == 0 && code != SQLITE_OK)
		r = failed(db, code, "open", err);
	if (r < 0) {
		usage_db_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

void usage_db_close(struct usage_db *db)
{
	if (!db)
		return;
	(void)sqlite3_close(db->db); /* no statement is open */
	free(db);
}

void usage_db_closep(struct usage_db **db)
{
	usage_db_close(*db);
}

static int bind_row(sqlite3_stmt *stmt, const struct usage_row *row)
{
	const char *const words[] = { row->day, row->provider, row->store, row->bucket, row->operation };
	const uint64_t numbers[] = { row->requests, row->errors, row->sent, row->received };
	int code = SQLITE_OK;

	for (int i = 0; i < (int)ARRAY_SIZE(words) && code == SQLITE_OK; i++)
		code = sqlite3_bind_text(stmt, i + 1, words[i], -1, SQLITE_TRANSIENT);
	for (int i = 0; i < (int)ARRAY_SIZE(numbers) && code == SQLITE_OK; i++)
		code = sqlite3_bind_int64(stmt, (int)ARRAY_SIZE(words) + i + 1, (sqlite3_int64)numbers[i]);
	return code;
}

static int add_all(struct usage_db *db, const struct usage_row *rows, size_t count)
{
	static const char sql[] =
		"INSERT INTO usage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
		"ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, errors = errors + excluded.errors, "
		"sent = sent + excluded.sent, received = received + excluded.received";
	CLEANUP(finalizep) sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db->db, sql, -1, &stmt, NULL);

	for (size_t i = 0; i < count && code == SQLITE_OK; i++) {
		code = bind_row(stmt, &rows[i]);
		if (code == SQLITE_OK)
			code = sqlite3_step(stmt) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(db->db);
		(void)sqlite3_reset(stmt); /* tells again what the step told */
	}
	return code;
}

int usage_db_add(struct usage_db *db, const struct usage_row *rows, size_t count, struct error *err)
{
	int code = sqlite3_exec(db->db, "BEGIN IMMEDIATE", NULL, NULL, NULL), r;

	if (code != SQLITE_OK)
		return failed(db, code, "write", err);
	code = add_all(db, rows, count);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db->db, "COMMIT", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		return 0;
	r = failed(db, code, "write", err);
	(void)sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL); /* fails when SQLite did so itself */
	return r;
}

static const char *column(sqlite3_stmt *stmt, int i)
{
	const char *text = (const char *)sqlite3_column_text(stmt, i);

	return text ? text : "";
}

static uint64_t number(sqlite3_stmt *stmt, int i)
{
	sqlite3_int64 n = sqlite3_column_int64(stmt, i);

	return n > 0 ? (uint64_t)n : 0;
}

int usage_db_each(struct usage_db *db, const char *since, const char *until, enum usage_span span,
		  int (*fn)(void *arg, const struct usage_row *row, struct error *err), void *arg, struct error *err)
{
	static const char *const spans[] = { [USAGE_ALL] = "''", [USAGE_BY_MONTH] = "substr(day, 1, 7)", [USAGE_BY_DAY] = "day" };
	CLEANUP(freep) char *sql = str_format(
		"SELECT %s, provider, store, bucket, operation, sum(requests), sum(errors), sum(sent), sum(received) FROM usage "
		"WHERE day >= ?1 AND day <= ?2 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5", spans[span]);
	CLEANUP(finalizep) sqlite3_stmt *stmt = NULL;
	int code = sql ? sqlite3_prepare_v2(db->db, sql, -1, &stmt, NULL) : SQLITE_NOMEM, r = 0;

	if (code == SQLITE_OK)
		code = sqlite3_bind_text(stmt, 1, since ? since : "", -1, SQLITE_TRANSIENT);
	if (code == SQLITE_OK)
		code = sqlite3_bind_text(stmt, 2, until ? until : "9999-99-99", -1, SQLITE_TRANSIENT);
	while (r >= 0 && code == SQLITE_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct usage_row row = { .provider = column(stmt, 1), .store = column(stmt, 2), .bucket = column(stmt, 3),
					 .operation = column(stmt, 4), .requests = number(stmt, 5), .errors = number(stmt, 6),
					 .sent = number(stmt, 7), .received = number(stmt, 8) };

		(void)snprintf(row.day, sizeof row.day, "%s", column(stmt, 0));
		r = fn(arg, &row, err);
		code = SQLITE_OK;
	}
	if (r < 0)
		return r;
	return code == SQLITE_DONE ? 0 : failed(db, code, "read", err);
}
