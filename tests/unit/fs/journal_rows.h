#pragma once
/*
 * Purpose: rows for the tests of the journal, whose whole content follows from their number, so
 * that any row that comes back can be checked by itself; and sets of the rows that came back.
 */
#include "fs/journal.h"

struct rows {
	uint64_t *seqs; /* ascending */
	size_t count, capacity;
};

/* Puts the row of this number; variant (below 1000) changes all fields. The ticket. */
uint64_t rows_put(struct journal *j, uint64_t seq, uint32_t variant);
/* For journal_each: collects; fails the test when the row is not exactly that of its number and
 * variant. */
int rows_collect(void *rows, const struct journal_row *row, struct error *err);
void rows_read(struct journal *j, struct rows *ret);
bool rows_has(const struct rows *rows, uint64_t seq);
void rows_release(struct rows *rows);
struct journal *
rows_open(const char *dir,
	  char **ret_damage); /* fails the test when it cannot; NULL: no damage expected */
void rows_wait(struct journal *j, uint64_t ticket);
