#include "tests/unit/fs/journal_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct row_texts {
	char store[64], bucket[64], key[600], from_key[64], from_bucket[64], detail[300];
	size_t detail_len;
};

/* Bytes that are no UTF-8, quotes and SQL among them. */
static void rows_fill(struct row_texts *t, uint64_t seq, uint32_t variant)
{
	int stretch = (int)(seq % 500);

	(void)snprintf(t->store, sizeof(t->store), "store%u", variant);
	(void)snprintf(t->bucket, sizeof(t->bucket), "b'\"%llu", (unsigned long long)seq % 7);
	(void)snprintf(t->key, sizeof(t->key), "k\xff\x01/'; DROP TABLE pending; --%llu/%*s",
		       (unsigned long long)seq, stretch, "\xc3");
	(void)snprintf(t->from_key, sizeof(t->from_key), "%s", seq % 3 ? "" : "from \xfe");
	(void)snprintf(t->from_bucket, sizeof(t->from_bucket), "%s", seq % 5 ? "" : "x");
	t->detail_len = (size_t)snprintf(t->detail, sizeof(t->detail), "{\"n\": %llu, \"v\": %u}",
					 (unsigned long long)seq, variant);
	if (seq % 4 == 0)
		t->detail[3] = '\0'; /* a NUL within is kept */
	if (seq % 11 == 0)
		t->detail_len = 0;
}

static struct journal_row rows_make(struct row_texts *t, uint64_t seq, uint32_t variant)
{
	rows_fill(t, seq, variant);
	return (struct journal_row){
		.seq = seq,
		.kind = variant,
		.flags = (uint32_t)(seq * 2654435761u),
		.file_id = seq % 2 ? seq : 0,
		.store = t->store,
		.bucket = t->bucket,
		.key = t->key,
		.from_key = t->from_key,
		.from_bucket = t->from_bucket,
		.detail = {t->detail, t->detail_len},
	};
}

uint64_t rows_put(struct journal *j, uint64_t seq, uint32_t variant)
{
	struct row_texts texts;
	struct journal_row row = rows_make(&texts, seq, variant);

	return journal_put(j, &row);
}

int rows_collect(void *arg, const struct journal_row *row, struct error *err)
{
	struct rows *rows = arg;
	struct row_texts texts;
	struct journal_row expected = rows_make(&texts, row->seq, row->kind);

	(void)err;
	assert_true(row->kind < 1000);
	assert_int_equal(row->flags, expected.flags);
	assert_int_equal(row->file_id, expected.file_id);
	assert_string_equal(row->store, expected.store);
	assert_string_equal(row->bucket, expected.bucket);
	assert_string_equal(row->key, expected.key);
	assert_string_equal(row->from_key, expected.from_key);
	assert_string_equal(row->from_bucket, expected.from_bucket);
	assert_true(str_equal(row->detail, expected.detail));
	if (rows->count)
		assert_true(rows->seqs[rows->count - 1] < row->seq);
	if (rows->count == rows->capacity) {
		rows->capacity = rows->capacity ? 2 * rows->capacity : 64;
		rows->seqs = reallocarray(rows->seqs, rows->capacity, sizeof(*rows->seqs));
		assert_non_null(rows->seqs);
	}
	rows->seqs[rows->count++] = row->seq;
	return 0;
}

void rows_read(struct journal *j, struct rows *ret)
{
	struct error err = ERROR_INIT;

	ret->count = 0;
	if (journal_each(j, rows_collect, ret, &err) < 0)
		fail_msg("journal_each: %s", err.message);
}

bool rows_has(const struct rows *rows, uint64_t seq)
{
	size_t low = 0, high = rows->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (rows->seqs[middle] < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low < rows->count && rows->seqs[low] == seq;
}

void rows_release(struct rows *rows)
{
	free(rows->seqs);
	*rows = (struct rows){0};
}

struct journal *rows_open(const char *dir, char **ret_damage)
{
	struct error err = ERROR_INIT;
	struct journal *j = NULL;
	char *damage = NULL;

	if (journal_open(dir, &j, &damage, &err) < 0)
		fail_msg("journal_open: %s", err.message);
	if (ret_damage)
		*ret_damage = damage;
	else if (damage)
		fail_msg("%s", damage);
	return j;
}

void rows_wait(struct journal *j, uint64_t ticket)
{
	struct error err = ERROR_INIT;

	if (journal_wait(j, ticket, &err) < 0)
		fail_msg("journal_wait: %s", err.message);
}
