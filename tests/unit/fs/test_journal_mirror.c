/* What one damaged file of the journal cannot take away: the database, its WAL and the second record of both (journal_mirror.c),
 * each damaged at every place that matters, of a journal that was killed. */
#include "tests/unit/fs/journal_rows.h"
#include "tests/unit/fs/support.h"

#include "backends/base/fileio.h"
#include "backends/base/random.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define BATCHES	  48
#define FRAME	  (4096 + 24)
#define WAL_HEAD  32
#define FILES	  3
#define FILE_MOST (4u << 20)
#define LAST_BATCH_MOST 1500

static const char *const names[FILES] = { "journal.db", "journal.db-wal", "journal.mirror" };
enum { DB, WAL, MIRROR };

/* The files of a journal that was killed, and what it had acknowledged: the variant of each row, 0 for none. */
struct good {
	struct buf files[FILES];
	uint64_t first;
	uint32_t variants[BATCHES];
};

static struct good killed, closed;

static char *path_of(const char *dir, const char *name)
{
	char *path = str_format("%s/%s", dir, name);

	assert_non_null(path);
	return path;
}

/* One commit each, so that each page of the journal is written again and again. */
static void work(struct journal *j, struct good *good)
{
	for (uint32_t i = 0; i < BATCHES; i++) {
		uint32_t victim = i / 2;

		rows_wait(j, rows_put(j, good->first + i, 5));
		good->variants[i] = 5;
		if (i % 3 == 1) {
			rows_wait(j, journal_delete(j, good->first + victim));
			good->variants[victim] = 0;
		} else if (i % 3 == 2 && good->variants[victim]) {
			rows_wait(j, rows_put(j, good->first + victim, 6));
			good->variants[victim] = 6;
		}
	}
}

static void make_good(const char *dir, bool is_closed, struct good *good)
{
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct journal *j = rows_open(dir, NULL);

		good->first = journal_next_seq(j);
		for (uint32_t i = 1; i < BATCHES; i++)
			(void)journal_next_seq(j);
		work(j, good);
		if (write(fds[1], good, sizeof(*good)) != sizeof(*good))
			_exit(1);
		if (!is_closed)
			(void)kill(getpid(), SIGKILL);
		journal_close(j);
		_exit(0);
	}
	assert_int_equal(read(fds[0], good, sizeof(*good)), sizeof(*good));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)close(fds[0]);
	(void)close(fds[1]);
	for (size_t i = 0; i < FILES; i++) {
		CLEANUP(freep) char *path = path_of(dir, names[i]);

		good->files[i] = BUF_INIT(FILE_MOST);
		if (access(path, F_OK) == 0)
			assert_int_equal(fileio_read_file(path, &good->files[i], NULL), 0);
		(void)unlink(path);
	}
}

static int setup_all(void **state)
{
	char *dir = support_make_dir();

	(void)state;
	support_seed();
	make_good(dir, false, &killed);
	make_good(dir, true, &closed);
	assert_true(killed.files[WAL].len > BATCHES * (size_t)FRAME && killed.files[MIRROR].len > BATCHES * (size_t)100);
	support_remove_dir(&dir);
	return 0;
}

static int teardown_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILES; i++) {
		buf_release(&killed.files[i]);
		buf_release(&closed.files[i]);
	}
	return 0;
}

/* A directory with the files as they were left. */
static char *make_dir(const struct good *good)
{
	char *dir = support_make_dir();

	for (size_t i = 0; i < FILES; i++) {
		CLEANUP(freep) char *path = path_of(dir, names[i]);

		if (good->files[i].len)
			assert_int_equal(fileio_replace_file(path, buf_str(&good->files[i]), 0600, NULL), 0);
	}
	return dir;
}

static void flip(const char *dir, int file, size_t at)
{
	CLEANUP(freep) char *path = path_of(dir, names[file]);
	CLEANUP(closep) int fd = open(path, O_RDWR | O_CLOEXEC);
	unsigned char byte;

	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= (unsigned char)(1u << random_below(8));
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
}

static void cut(const char *dir, int file, size_t len)
{
	CLEANUP(freep) char *path = path_of(dir, names[file]);

	assert_int_equal(truncate(path, (off_t)len), 0);
}

struct seen {
	const struct good *good;
	uint32_t variants[BATCHES];
	struct rows rows;
};

static int collect(void *arg, const struct journal_row *row, struct error *err)
{
	struct seen *seen = arg;

	assert_true(row->seq >= seen->good->first && row->seq < seen->good->first + BATCHES);
	seen->variants[row->seq - seen->good->first] = row->kind;
	return rows_collect(&seen->rows, row, err);
}

/* How many rows are not as they were acknowledged. The journal works on, and what it gave stays; the directory goes. */
static size_t count_wrong(char *dir, const struct good *good, bool *ret_is_told)
{
	size_t wrong[2] = { 0 };

	for (int round = 0; round < 2; round++) {
		struct seen seen = { .good = good };
		CLEANUP(freep) char *damage = NULL;
		struct journal *j = rows_open(dir, &damage);
		uint64_t fresh = journal_next_seq(j);

		assert_true(fresh >= good->first + BATCHES);
		assert_int_equal(journal_each(j, collect, &seen, NULL), 0);
		for (size_t i = 0; i < BATCHES; i++)
			wrong[round] += seen.variants[i] != good->variants[i];
		rows_release(&seen.rows);
		if (round == 0)
			*ret_is_told = journal_has_lost_rows(dir);
		else
			assert_null(damage);
		rows_wait(j, rows_put(j, fresh, 6));
		rows_wait(j, journal_delete(j, fresh));
		journal_close(j);
	}
	assert_int_equal(wrong[0], wrong[1]);
	support_remove_dir(&dir);
	return wrong[0];
}

static void expect_all(char *dir, const struct good *good, const char *what, size_t at)
{
	bool is_told;
	size_t wrong = count_wrong(dir, good, &is_told);

	if (wrong)
		fail_msg("%s at %zu: %zu rows are not as they were", what, at, wrong);
	assert_false(is_told); /* else good cache files would be set aside */
}

static void damage_at_every_frame_of_the_wal_loses_nothing(void **state)
{
	(void)state;
	for (size_t at = WAL_HEAD; at < killed.files[WAL].len; at += FRAME) {
		char *dir = make_dir(&killed);

		flip(dir, WAL, at + random_below(FRAME));
		expect_all(dir, &killed, "a damaged frame", at);
		dir = make_dir(&killed);
		cut(dir, WAL, at + random_below(FRAME));
		expect_all(dir, &killed, "a cut", at);
	}
}

static void without_its_head_or_itself_the_wal_is_made_good(void **state)
{
	CLEANUP(freep) char *wal = NULL;
	char *dir;

	(void)state;
	for (size_t at = 0; at < WAL_HEAD; at++) {
		dir = make_dir(&killed);
		flip(dir, WAL, at);
		expect_all(dir, &killed, "a damaged head", at);
	}
	dir = make_dir(&killed);
	wal = path_of(dir, names[WAL]);
	assert_int_equal(unlink(wal), 0);
	expect_all(dir, &killed, "a missing WAL", 0);
}

/* Closed: all is in the database file, and the second record has all rows. */
static void a_damaged_database_is_made_good(void **state)
{
	static const struct good *const goods[] = { &killed, &closed };
	CLEANUP(freep) char *noise = calloc(1, FILE_MOST);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(goods); i++) {
		const struct good *good = goods[i];

		for (size_t at = 0; at < good->files[DB].len; at += 512) {
			char *dir = make_dir(good);

			flip(dir, DB, at + random_below(512));
			expect_all(dir, good, "a damaged database", at);
			dir = make_dir(good);
			cut(dir, DB, at);
			expect_all(dir, good, "a cut database", at);
		}
		for (int file = DB; file <= WAL; file++) {
			char *dir = make_dir(good);
			CLEANUP(freep) char *path = path_of(dir, names[file]);

			assert_int_equal(fileio_replace_file(path, (struct str){ noise, good->files[file].len }, 0600, NULL), 0);
			expect_all(dir, good, "zeros", (size_t)file);
		}
	}
}

static void what_is_no_file_stands_in_the_way_of_nothing(void **state)
{
	static const char *const others[] = { "journal.db", "journal.db-wal", "journal.db-shm" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		char *dir = make_dir(&killed);
		CLEANUP(freep) char *path = path_of(dir, others[i]);

		(void)unlink(path);
		assert_int_equal(mkdir(path, 0700), 0);
		expect_all(dir, &killed, others[i], 0);
	}
}

static void a_missing_database_is_made_good(void **state)
{
	char *dir = make_dir(&closed);
	CLEANUP(freep) char *db = path_of(dir, names[DB]);
	CLEANUP(freep) char *files = path_of(dir, "files");
	CLEANUP(freep) char *file = path_of(dir, "files/0000000000000007");

	(void)state;
	assert_int_equal(unlink(db), 0);
	assert_int_equal(mkdir(files, 0700), 0); /* a cache file makes it a loss, not a new directory */
	assert_int_equal(fileio_replace_file(file, STR("data"), 0600, NULL), 0);
	expect_all(dir, &closed, "a missing database", 0);
}

static void a_damaged_second_record_takes_nothing_from_a_good_journal(void **state)
{
	bool is_told;
	char *dir;

	(void)state;
	for (size_t at = 0; at < killed.files[MIRROR].len; at += 211) {
		dir = make_dir(&killed);
		flip(dir, MIRROR, at);
		assert_int_equal(count_wrong(dir, &killed, &is_told), 0);
		dir = make_dir(&killed);
		cut(dir, MIRROR, at);
		expect_all(dir, &killed, "a cut second record", at);
	}
	dir = make_dir(&killed);
	{
		CLEANUP(freep) char *path = path_of(dir, names[MIRROR]);

		assert_int_equal(unlink(path), 0);
		assert_int_equal(symlink("/dev/zero", path), 0);
		expect_all(dir, &killed, "a link", 0);
		dir = make_dir(&killed);
	}
	{
		CLEANUP(freep) char *path = path_of(dir, names[MIRROR]);

		assert_int_equal(unlink(path), 0);
		assert_int_equal(mkdir(path, 0700), 0);
		expect_all(dir, &killed, "a directory", 0);
	}
}

/* Then something may be lost, and it is known that it may. */
static void what_both_have_lost_is_told(void **state)
{
	size_t lost = 0, rounds = 100;

	(void)state;
	for (size_t i = 0; i < rounds; i++) {
		char *dir = make_dir(&killed);
		size_t wrong;
		bool is_told;

		flip(dir, WAL, WAL_HEAD + random_below(killed.files[WAL].len - WAL_HEAD));
		for (int n = 0; n < 3; n++) /* not the last batch, of which nothing else would tell that it ever was */
			flip(dir, MIRROR, random_below(killed.files[MIRROR].len - LAST_BATCH_MOST));
		wrong = count_wrong(dir, &killed, &is_told);
		lost += wrong > 0;
		assert_true(!wrong || is_told);
	}
	printf("rows were lost in %zu of %zu\n", lost, rounds);
	assert_true(lost > 0 && lost < rounds); /* what both have lost is lost; what one has left is not */
}

/* The WAL may have lost rows in silence; with no second record nobody tells, so files that no row speaks of may be somebody's. */
static void without_a_second_record_nothing_is_known_for_certain(void **state)
{
	char noise[200]; /* longer than a record's head: no torn end */

	memset(noise, 'n', sizeof(noise));
	(void)state;
	for (int round = 0; round < 2; round++) {
		char *dir = make_dir(&killed), *files = path_of(dir, "files"), *one = path_of(dir, "files/1");
		CLEANUP(freep) char *mirror = path_of(dir, names[MIRROR]);
		struct journal *j;

		flip(dir, WAL, killed.files[WAL].len / 2);
		assert_int_equal(unlink(mirror), 0);
		if (round)
			assert_int_equal(fileio_replace_file(mirror, (struct str){ noise, sizeof(noise) }, 0600, NULL), 0);
		assert_int_equal(mkdir(files, 0700), 0);
		assert_int_equal(fileio_replace_file(one, STR("data"), 0600, NULL), 0);
		j = rows_open(dir, NULL);
		assert_true(journal_has_lost_rows(dir));
		journal_close(j);
		(void)unlink(one);
		(void)rmdir(files);
		free(one);
		free(files);
		support_remove_dir(&dir);
	}
}

/* Whoever looks after the files may not have come so far: the next start must not take the rest for all there was. */
static void what_was_lost_stays_told_until_it_is_settled(void **state)
{
	char *dir = make_dir(&killed);

	(void)state;
	for (int file = 0; file < FILES; file++) {
		CLEANUP(freep) char *path = path_of(dir, names[file]);
		CLEANUP(freep) char *zeros = calloc(1, killed.files[file].len);

		assert_int_equal(fileio_replace_file(path, (struct str){ zeros, killed.files[file].len }, 0600, NULL), 0);
	}
	for (int start = 0; start < 3; start++) {
		CLEANUP(freep) char *damage = NULL;
		struct journal *j = rows_open(dir, &damage);

		assert_true(journal_has_lost_rows(dir));
		rows_wait(j, rows_put(j, journal_next_seq(j), 6));
		journal_close(j);
	}
	support_remove_dir(&dir);
}

/* A start with an old row, a delete of it that only the database has, and an old second record: it must not come back. */
static void an_old_second_record_brings_nothing_back(void **state)
{
	char *dir = make_dir(&killed);
	CLEANUP(freep) char *mirror = path_of(dir, names[MIRROR]);
	CLEANUP(rows_release) struct rows rows = { 0 };
	struct journal *j = rows_open(dir, NULL);
	uint64_t ticket = 0;

	(void)state;
	for (uint64_t i = 0; i < BATCHES; i++)
		ticket = journal_delete(j, killed.first + i);
	rows_wait(j, ticket);
	journal_close(j);
	assert_int_equal(fileio_replace_file(mirror, buf_str(&killed.files[MIRROR]), 0600, NULL), 0);
	j = rows_open(dir, NULL);
	rows_read(j, &rows);
	assert_int_equal(rows.count, 0);
	journal_close(j);
	support_remove_dir(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage_at_every_frame_of_the_wal_loses_nothing),
		cmocka_unit_test(without_its_head_or_itself_the_wal_is_made_good),
		cmocka_unit_test(a_damaged_database_is_made_good),
		cmocka_unit_test(what_is_no_file_stands_in_the_way_of_nothing),
		cmocka_unit_test(a_missing_database_is_made_good),
		cmocka_unit_test(a_damaged_second_record_takes_nothing_from_a_good_journal),
		cmocka_unit_test(what_both_have_lost_is_told),
		cmocka_unit_test(without_a_second_record_nothing_is_known_for_certain),
		cmocka_unit_test(what_was_lost_stays_told_until_it_is_settled),
		cmocka_unit_test(an_old_second_record_brings_nothing_back),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
