/*
 * The journal's files, damaged in any way: it opens, what it could not read is set aside, what it gives is as it was put, and
 * it takes new rows. The input is a whole database ('d'), or changes of a good one, its WAL and its mirror (5 bytes each: file and
 * what, place, value), which gets deeper than noise does.
 */
#include "tests/fuzz/fuzz.h"
#include "fs/journal.h"
#include "backends/base/fileio.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define ROWS 40

static struct buf good_db = { .limit = 1 << 20 }, good_wal = { .limit = 1 << 20 },
		  good_mirror = { .limit = 1 << 20 };

static void empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		(void)closedir(dir);
}

static void put_rows(struct journal *j, uint64_t count)
{
	struct error err = ERROR_INIT;
	uint64_t ticket = 0;

	for (uint64_t i = 0; i < count; i++) {
		struct journal_row row = { .seq = journal_next_seq(j),
					   .kind = 1,
					   .file_id = 7,
					   .store = "s3",
					   .bucket = "bucket",
					   .key = "dir/key",
					   .from_key = "",
					   .from_bucket = "",
					   .detail = STR("{\"size\":1}") };

		ticket = journal_put(j, &row);
	}
	FUZZ_CHECK(journal_wait(j, ticket, &err) == 0);
}

static const char *path_of(const char *name)
{
	static char path[300];

	(void)snprintf(path, sizeof(path), "%s/%s", fuzz_dir(), name);
	return path;
}

/* A good journal, its files as a killed daemon leaves them. */
static void make_good(void)
{
	CLEANUP(freep) char *set_aside = NULL;
	struct journal *j = NULL;
	struct error err = ERROR_INIT;

	FUZZ_CHECK(journal_open(fuzz_dir(), &j, &set_aside, &err) == 0 && !set_aside);
	put_rows(j, ROWS);
	FUZZ_CHECK(fileio_read_file(path_of("journal.db"), &good_db, &err) == 0);
	FUZZ_CHECK(fileio_read_file(path_of("journal.db-wal"), &good_wal, &err) == 0);
	FUZZ_CHECK(fileio_read_file(path_of("journal.mirror"), &good_mirror, &err) == 0);
	journal_close(j);
	empty(fuzz_dir());
}

static void damage(struct str input)
{
	CLEANUP(buf_release) struct buf db = BUF_INIT(1 << 20), wal = BUF_INIT(1 << 20);
	CLEANUP(buf_release) struct buf mirror = BUF_INIT(1 << 20);

	FUZZ_CHECK(buf_add_str(&db, buf_str(&good_db)) == 0 &&
		   buf_add_str(&wal, buf_str(&good_wal)) == 0 &&
		   buf_add_str(&mirror, buf_str(&good_mirror)) == 0);
	while (input.len >= 5) {
		unsigned what = fuzz_byte(&input);
		size_t at = fuzz_byte(&input) << 16 | fuzz_byte(&input) << 8 | fuzz_byte(&input);
		char value = (char)fuzz_byte(&input);
		struct buf *b = what & 0x80 ? &mirror : what & 1 ? &wal : &db;

		if (b->len == 0)
			continue;
		at %= b->len;
		if ((what >> 1) % 8 == 7)
			b->len = at; /* torn off */
		else
			b->data[at] = value;
	}
	(void)fuzz_file("journal.db", buf_str(&db));
	(void)fuzz_file("journal.db-wal", buf_str(&wal));
	(void)fuzz_file("journal.mirror", buf_str(&mirror));
}

static int check_row(void *arg, const struct journal_row *row, struct error *err)
{
	size_t *count = arg;

	(void)err;
	FUZZ_CHECK(row->store && row->bucket && row->key && row->from_key && row->from_bucket);
	FUZZ_CHECK(row->detail.len == 0 || row->detail.ptr);
	(*count)++;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	CLEANUP(freep) char *set_aside = NULL, *again_aside = NULL;
	struct journal *j = NULL;
	struct error err = ERROR_INIT;
	size_t count = 0, again = 0;

	if (!good_db.len)
		make_good();
	if (size && data[0] == 'd')
		(void)fuzz_file("journal.db", (struct str){ input.ptr + 1, size - 1 });
	else
		damage(input);
	FUZZ_CHECK(journal_open(fuzz_dir(), &j, &set_aside, &err) == 0);
	FUZZ_CHECK(journal_each(j, check_row, &count, &err) == 0);
	FUZZ_CHECK(count <= ROWS || size > sizeof(struct journal_row));
	put_rows(j, 1);
	journal_close(j);
	FUZZ_CHECK(journal_open(fuzz_dir(), &j, &again_aside, &err) == 0 && !again_aside);
	FUZZ_CHECK(journal_each(j, check_row, &again, &err) == 0);
	FUZZ_CHECK(again == count + 1);
	journal_close(j);
	empty(fuzz_dir());
	return 0;
}
