#pragma once
/*
 * Purpose: what the meter counted, kept in SQLite: one row per day (UTC), provider, store, bucket and operation.
 *
 * Several processes add to one file, each in transactions of its own; sums are made when asked for. A file that is damaged
 * is put aside (usage.db.damaged) and begun anew: counts are lost then, nothing else.
 *
 * The file: an SQLite database, application id "skyu", user version 1, table `usage`.
 * Threads: one at a time per handle. Errors: ERR_IO, ERR_NO_SPACE, ERR_NO_MEMORY; ERR_PERMISSION when it is not ours.
 */
#include "backends/base/error.h"

#define USAGE_DAY_LEN 10 /* "2026-11-23" */
struct usage_row {
	char day[USAGE_DAY_LEN + 1]; /* in sums: "2026-11-23", "2026-11", or "" */
	const char *provider, *store, *bucket, *operation;
	uint64_t requests, errors, sent, received;
};

struct usage_db;
/* path: of the file; its directory is made (0700). USAGE_READ: NOT_FOUND when there is none. */
enum usage_mode { USAGE_READ, USAGE_WRITE };
int usage_db_open(const char *path, enum usage_mode mode, struct usage_db **ret, struct error *err) MUST_CHECK;
void usage_db_close(struct usage_db *db); /* NULL is fine */
void usage_db_closep(struct usage_db **db);
/* All of them or none; the fields of a row that is there grow. */
int usage_db_add(struct usage_db *db, const struct usage_row *rows, size_t count, struct error *err) MUST_CHECK;

enum usage_span { USAGE_ALL, USAGE_BY_MONTH, USAGE_BY_DAY };
/* Calls fn with sums by span, provider, store, bucket and operation, from one day to another (both included; NULL: no bound), in
 * their order; its negative result ends it. Strings are good during the call. */
int usage_db_each(struct usage_db *db, const char *since, const char *until, enum usage_span span,
		  int (*fn)(void *arg, const struct usage_row *row, struct error *err), void *arg,
		  struct error *err) MUST_CHECK;
