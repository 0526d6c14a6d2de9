/*
 * The order, by which a kill at any point loses nothing: the rows that can be read are copied into
 * journal.db.new, which is then complete and synced; the damaged file is renamed; then its WAL;
 * then the new one takes its place. A start that finds no journal.db but a journal.db.new finishes
 * this.
 */
#include "fs/journal_private.h"

#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include "backends/base/fileio.h"

#include <stdio.h>
#include <sys/stat.h>

#define JOURNAL_NEW_SUFFIX  ".new"
#define JOURNAL_LOST_SUFFIX ".lost"

static int rescue_no_memory(struct error *err)
{
	return error_set(err, ERR_NO_MEMORY, "no memory to rescue the journal");
}

static bool rescue_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* A name beside path that is not taken yet. */
static char *rescue_free_name(const char *path)
{
	long long now_s = (long long)clock_wall_s();

	for (unsigned n = 0; n < 1000; n++) {
		CLEANUP(freep)
		char *aside = n ? str_format("%s.damaged-%lld.%u", path, now_s, n)
				: str_format("%s.damaged-%lld", path, now_s);
		CLEANUP(freep) char *wal = aside ? str_format("%s-wal", aside) : NULL;

		if (!wal)
			return NULL;
		if (!rescue_exists(aside) && !rescue_exists(wal))
			return steal(aside);
	}
	return NULL;
}

/* Renames path + suffix to aside + suffix; it need not be there. */
static int rescue_rename(const char *path, const char *aside, const char *suffix, struct error *err)
{
	CLEANUP(freep) char *from = str_format("%s%s", path, suffix);
	CLEANUP(freep) char *to = str_format("%s%s", aside, suffix);

	if (!from || !to)
		return rescue_no_memory(err);
	if (rename(from, to) < 0 && errno != ENOENT)
		return error_errno(err, errno, "cannot set the damaged journal '%s' aside", from);
	return 0;
}

static int rescue_unlink(const char *path, const char *suffix, struct error *err)
{
	CLEANUP(freep) char *name = str_format("%s%s", path, suffix);

	if (!name)
		return rescue_no_memory(err);
	if (unlink(name) < 0 && errno != ENOENT)
		return error_errno(err, errno, "cannot remove '%s'", name);
	return 0;
}

/* Moves the file and its WAL out of the way; *ret_aside is the new path. */
static int rescue_set_aside(const char *path, char **ret_aside, struct error *err)
{
	CLEANUP(freep) char *aside = rescue_free_name(path);
	int r;

	if (!aside)
		return rescue_no_memory(err);
	r = rescue_rename(path, aside, "", err);
	if (r == 0)
		r = rescue_rename(path, aside, "-wal", err);
	if (r == 0)
		r = rescue_unlink(path, "-shm", err);
	if (r == 0)
		*ret_aside = steal(aside);
	return r;
}

int journal_adopt_rescued(const char *path, struct error *err)
{
	CLEANUP(freep) char *fresh = str_format("%s" JOURNAL_NEW_SUFFIX, path);
	CLEANUP(freep) char *aside = NULL;
	int r;

	if (!fresh)
		return rescue_no_memory(err);
	if (rescue_exists(path) || !rescue_exists(fresh))
		return 0;
	r = rescue_set_aside(path, &aside,
			     err); /* a WAL may have been left; it is not that of the new file */
	if (r == 0 && rename(fresh, path) < 0)
		r = error_errno(err, errno, "cannot put the journal '%s' in its place", path);
	return r;
}

struct journal_rescue {
	struct journal_db *to;
	uint64_t count;
	int64_t last; /* the highest row of the way forward */
	int code;     /* of writing */
};

/* Copies good rows until the damage; true when the end was reached. */
static bool rescue_way(sqlite3 *from, const char *sql, struct journal_rescue *rescue,
		       bool is_forward)
{
	CLEANUP(journal_finalizep) sqlite3_stmt *stmt = NULL;
	struct journal_row row;
	int code = journal_prepare(from, sql, &stmt);

	if (code == SQLITE_OK && !is_forward)
		code = sqlite3_bind_int64(stmt, 1, rescue->last);
	while (code == SQLITE_OK && rescue->code == SQLITE_OK) {
		code = sqlite3_step(stmt);
		if (code != SQLITE_ROW)
			break;
		code = SQLITE_OK;
		if (is_forward)
			rescue->last = sqlite3_column_int64(stmt, 0);
		if (!journal_read_row(stmt, &row))
			continue;
		rescue->code = journal_put_row(rescue->to, &row);
		rescue->count++;
		(void)journal_note_row(&rescue->to->next_seq, &row, NULL);
	}
	return code == SQLITE_DONE;
}

/* From both ends towards the damage. False: not all could be read. */
static bool rescue_both_ways(sqlite3 *from, struct journal_rescue *rescue)
{
	bool is_whole = rescue_way(from, "SELECT " JOURNAL_COLUMNS " FROM pending ORDER BY seq",
				   rescue, true);

	if (!is_whole && rescue->code == SQLITE_OK)
		(void)rescue_way(from,
				 "SELECT " JOURNAL_COLUMNS
				 " FROM pending WHERE seq > ?1 ORDER BY seq DESC",
				 rescue, false);
	return is_whole;
}

/* Copies what can be read of the file at path; a file that cannot even be opened has nothing. */
static int rescue_rows(const char *path, struct journal_db *to, uint64_t *ret_count,
		       bool *ret_is_whole, struct error *err)
{
	CLEANUP(journal_sqlite_closep) sqlite3 *from = NULL;
	struct journal_rescue rescue = {.to = to, .last = INT64_MIN};
	struct stat st;
	int64_t counter;
	int code;

	*ret_count = 0;
	*ret_is_whole = false;
	/* SQLite would delete the WAL beside an empty file; we keep it for who wants to look into
	 * it. */
	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
	    journal_connect(path, SQLITE_OPEN_READONLY, &from) != SQLITE_OK)
		return 0;
	rescue.code = journal_step(to->begin);
	if (rescue.code == SQLITE_OK)
		*ret_is_whole = rescue_both_ways(from, &rescue);
	counter = journal_query(from, "SELECT next FROM counter WHERE id = 1", 0, &code);
	/* Half the range: a garbled number must not leave too few to go on with. */
	if (counter > (int64_t)to->next_seq && (uint64_t)counter < JOURNAL_SEQ_MAX / 2)
		to->next_seq = (uint64_t)counter;
	if (rescue.code == SQLITE_OK)
		rescue.code = sqlite3_bind_int64(to->reserve, 1, (sqlite3_int64)to->next_seq);
	if (rescue.code == SQLITE_OK)
		rescue.code = journal_step(to->reserve);
	if (rescue.code == SQLITE_OK)
		rescue.code = journal_step(to->commit);
	if (rescue.code == SQLITE_OK) /* all into the file itself, synced */
		rescue.code = sqlite3_wal_checkpoint_v2(to->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
							NULL, NULL);
	*ret_count = rescue.count;
	return rescue.code == SQLITE_OK ? 0 : journal_error(to->db, rescue.code, "rescue", err);
}

static int rescue_make_new(const char *path, const char *fresh, uint64_t *ret_count,
			   bool *ret_is_whole, struct error *err)
{
	struct journal_db db = JOURNAL_DB_INIT;
	int r;

	*ret_count = 0;
	*ret_is_whole = false;
	r = rescue_unlink(fresh, "", err);
	if (r == 0)
		r = rescue_unlink(fresh, "-wal", err);
	if (r == 0)
		r = journal_precreate(fresh, err);
	if (r == 0)
		r = journal_try_open(fresh, &db, err);
	if (r == JOURNAL_DAMAGED)
		r = error_set(err, ERR_IO, "a journal made anew at '%s' is damaged at once", fresh);
	if (r == 0)
		r = rescue_rows(path, &db, ret_count, ret_is_whole, err);
	journal_db_close(&db);
	if (r == 0)
		r = rescue_unlink(fresh, "-wal", err);
	if (r == 0)
		r = rescue_unlink(fresh, "-shm", err);
	return r;
}

int journal_mark_lost(const char *path, struct error *err)
{
	CLEANUP(freep) char *mark = str_format("%s" JOURNAL_LOST_SUFFIX, path);

	return mark ? fileio_replace_file(mark, str_of("rows were lost\n"), 0600, err)
		    : rescue_no_memory(err);
}

bool journal_has_lost_rows(const char *dir)
{
	CLEANUP(freep) char *mark = str_format("%s/" JOURNAL_FILE JOURNAL_LOST_SUFFIX, dir);

	return mark && rescue_exists(mark);
}

void journal_lost_rows_settled(const char *dir)
{
	CLEANUP(freep) char *mark = str_format("%s/" JOURNAL_FILE JOURNAL_LOST_SUFFIX, dir);

	if (mark)
		(void)unlink(mark); /* else the next start looks once more */
}

int journal_replace_damaged(const char *path, struct journal_db *db, char **ret_damage,
			    struct error *err)
{
	CLEANUP(freep) char *fresh = str_format("%s" JOURNAL_NEW_SUFFIX, path);
	CLEANUP(freep) char *aside = NULL;
	uint64_t count;
	bool is_whole;
	int r;

	journal_db_close(db);
	if (!fresh)
		return rescue_no_memory(err);
	r = rescue_make_new(path, fresh, &count, &is_whole, err);
	if (r < 0)
		return r;
	/* Rows may be lost from here on: until somebody has looked after their files, no start may take these for strays. */
	r = journal_mark_lost(path, err);
	if (r < 0)
		return r;
	FAULT_POINT("journal-rescue-rows");
	r = rescue_set_aside(path, &aside, err);
	FAULT_POINT("journal-rescue-aside");
	if (r == 0 && rename(fresh, path) < 0)
		r = error_errno(err, errno, "cannot put the journal '%s' in its place", path);
	FAULT_POINT("journal-rescue-renamed");
	if (r == 0)
		r = journal_try_open(path, db, err);
	if (r == JOURNAL_DAMAGED)
		r = error_set(err, ERR_IO, "a journal made anew at '%s' is damaged at once", path);
	if (r < 0)
		return r;
	*ret_damage = str_format(
		"the journal was damaged and is kept as '%s': %llu pending changes "
		"were carried over, %s",
		aside, (unsigned long long)count,
		is_whole ? "damaged ones were left out" : "those in its damaged part were not");
	return *ret_damage ? 0 : rescue_no_memory(err);
}
