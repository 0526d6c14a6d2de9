/* The journal against damage of every kind: it always opens, and no row comes back other than it
 * was. */
#include "tests/unit/fs/journal_rows.h"
#include "tests/unit/fs/support.h"

#include "backends/base/random.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define ROWS 400

static int setup(void **state)
{
	*state = support_make_dir();
	return 0;
}

static int teardown(void **state)
{
	char *dir = *state;

	support_remove_dir(&dir);
	return 0;
}

static char *path_in(const char *dir, const char *name)
{
	char *path = str_format("%s/%s", dir, name);

	assert_non_null(path);
	return path;
}

static size_t file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

static void empty_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] != '.' && unlinkat(dirfd(d), entry->d_name, 0) < 0)
			assert_int_equal(unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR), 0);
	}
	(void)closedir(d);
}

enum ending { CLOSED, KILLED };

/* A journal with ROWS rows, made by a child that closes it or is killed (so that a WAL is left).
 * Its first seq. */
static uint64_t make_journal(const char *dir, enum ending ending)
{
	uint64_t first = 0;
	int fds[2], status;
	pid_t pid;

	empty_dir(dir);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct journal *j = rows_open(dir, NULL);

		first = journal_next_seq(j);
		for (uint64_t i = 0; i < ROWS; i++)
			(void)rows_put(j, first + i, 5);
		rows_wait(j, rows_put(j, first, 5));
		if (write(fds[1], &first, sizeof(first)) != sizeof(first))
			_exit(1);
		if (ending == KILLED)
			(void)kill(getpid(), SIGKILL);
		journal_close(j);
		_exit(0);
	}
	assert_int_equal(read(fds[0], &first, sizeof(first)), sizeof(first));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)close(fds[0]);
	(void)close(fds[1]);
	return first;
}

static void damage_file(const char *path, const char *what)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint64_t size = file_size(path);

	assert_true(fd >= 0);
	if (strcmp(what, "truncate") == 0) {
		assert_int_equal(ftruncate(fd, (off_t)random_below(size)), 0);
	} else if (strcmp(what, "flip") == 0) {
		for (uint64_t n = 1 + random_below(3); n > 0; n--) {
			off_t at = (off_t)random_below(random_below(2) ? size : 4096);
			unsigned char byte;

			assert_int_equal(pread(fd, &byte, 1, at), 1);
			byte ^= (unsigned char)(1u << random_below(8));
			assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		}
	} else { /* a page of noise, or the whole file */
		uint64_t start = strcmp(what, "page") == 0 ? random_below(size / 4096) * 4096 : 0;
		uint64_t len = strcmp(what, "page") == 0 ? 4096 : size;

		for (uint64_t i = 0; i < len; i += 8) {
			uint64_t noise = random_u64();

			assert_int_equal(pwrite(fd, &noise, 8, (off_t)(start + i)), 8);
		}
	}
	(void)close(fd);
}

/* Opens, checks every row (rows_collect does), and that the journal works; how many rows there
 * were. */
static size_t check_works(const char *dir, uint64_t first, bool *ret_was_damaged)
{
	CLEANUP(rows_release) struct rows rows = {0};
	CLEANUP(freep) char *damage = NULL;
	struct journal *j = rows_open(dir, &damage);
	size_t count;
	uint64_t fresh;

	*ret_was_damaged = damage != NULL;
	rows_read(j, &rows);
	count = rows.count;
	for (size_t i = 0; i < count; i++)
		assert_true(rows.seqs[i] >= first && rows.seqs[i] < first + ROWS);
	fresh = journal_next_seq(j);
	assert_true(fresh >= first + ROWS);
	rows_wait(j, rows_put(j, fresh, 6));
	assert_int_equal(journal_sync(j, NULL), 0);
	journal_close(j);

	j = rows_open(dir, NULL); /* once mended, it stays so */
	rows_read(j, &rows);
	assert_int_equal(rows.count, count + 1);
	assert_true(rows_has(&rows, fresh));
	journal_close(j);
	return count;
}

static void any_damage_to_the_database_is_survived(void **state)
{
	static const char *const kinds[] = {"truncate", "flip", "page", "noise"};
	CLEANUP(freep) char *path = path_in(*state, "journal.db");
	size_t told = 0, rescued = 0;

	support_seed();
	for (int round = 0; round < 80; round++) {
		uint64_t first = make_journal(*state, CLOSED);
		bool was_damaged;
		size_t count;

		damage_file(path, kinds[round % 4]);
		count = check_works(*state, first, &was_damaged);
		if (!was_damaged) /* it hit nothing of meaning */
			assert_int_equal(count, ROWS);
		told += was_damaged;
		rescued += was_damaged ? count : 0;
	}
	printf("%zu of 80 files damaged for the journal; %zu rows of them carried over\n", told,
	       rescued);
	assert_true(told > 40 && rescued > ROWS);
}

static void any_damage_to_the_wal_is_survived(void **state)
{
	static const char *const kinds[] = {"truncate", "flip", "noise"};
	CLEANUP(freep) char *path = path_in(*state, "journal.db-wal");

	support_seed();
	for (int round = 0; round < 45; round++) {
		uint64_t first = make_journal(*state, KILLED);
		CLEANUP(rows_release) struct rows rows = {0};
		CLEANUP(freep) char *damage = NULL;
		struct journal *j;

		assert_true(file_size(path) > 4096);
		damage_file(path, kinds[round % 3]);
		j = rows_open(*state, &damage);
		rows_read(j, &rows); /* fewer, perhaps; each as it was */
		for (size_t i = 0; i < rows.count; i++)
			assert_true(rows.seqs[i] >= first && rows.seqs[i] < first + ROWS);
		rows_wait(j, rows_put(j, journal_next_seq(j), 6));
		journal_close(j);
	}
}

static bool has_aside(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	bool found = false;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL)
		found |= strncmp(entry->d_name, "journal.db.damaged-", 19) == 0;
	(void)closedir(d);
	return found;
}

static void a_garbled_row_is_left_out_and_the_others_carried_over(void **state)
{
	CLEANUP(freep) char *path = path_in(*state, "journal.db");
	uint64_t first = make_journal(*state, CLOSED);
	CLEANUP(freep) char *content = malloc(file_size(path));
	CLEANUP(freep) char *wanted = NULL;
	CLEANUP(freep) char *mirror = path_in(*state, "journal.mirror");
	int fd = open(path, O_RDWR | O_CLOEXEC);
	ssize_t size = read(fd, content, file_size(path));
	bool was_damaged;
	char *hit;

	wanted = str_format("TABLE pending; --%llu/", (unsigned long long)first + 17);
	hit = memmem(content, (size_t)size, wanted, strlen(wanted));
	assert_non_null(hit);
	assert_int_equal(pwrite(fd, "X", 1, hit - content), 1);
	(void)close(fd);
	assert_int_equal(unlink(mirror), 0); /* else it comes from there */
	assert_int_equal(check_works(*state, first, &was_damaged), ROWS - 1);
	assert_true(was_damaged);
	assert_true(has_aside(*state));
}

static void what_is_no_journal_is_set_aside(void **state)
{
	CLEANUP(freep) char *path = path_in(*state, "journal.db");
	static const char other[] = "SQLite format 3"; /* and its NUL, then nothing */
	bool was_damaged;
	int fd;

	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(check_works(*state, 0, &was_damaged), 0);
	assert_true(was_damaged);
	empty_dir(*state);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(check_works(*state, 0, &was_damaged), 0);
	assert_true(was_damaged);
	empty_dir(*state);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(check_works(*state, 0, &was_damaged), 0);
	assert_true(was_damaged);
	empty_dir(*state);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, other, sizeof(other)), sizeof(other));
	(void)close(fd);
	assert_int_equal(check_works(*state, 0, &was_damaged), 0);
	assert_true(was_damaged);
}

static void an_empty_file_is_new_but_not_beside_a_wal(void **state)
{
	CLEANUP(freep) char *path = path_in(*state, "journal.db");
	uint64_t first;
	bool was_damaged;

	assert_int_equal(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
	assert_int_equal(check_works(*state, 0, &was_damaged), 0);
	assert_false(was_damaged);
	first = make_journal(*state, KILLED);
	assert_int_equal(truncate(path, 0), 0);
	(void)check_works(*state, first, &was_damaged);
	assert_true(was_damaged);
	assert_true(has_aside(*state));
}

static void a_foreign_schema_is_set_aside(void **state)
{
	static const char *const changes[] = {
		"PRAGMA user_version = 2",
		"PRAGMA application_id = 1",
		"CREATE TABLE more (x)",
		"ALTER TABLE pending ADD COLUMN more",
		"CREATE VIEW v AS SELECT 1",
		"CREATE TRIGGER t AFTER INSERT ON pending BEGIN DELETE FROM pending; END"};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		uint64_t first = make_journal(*state, CLOSED);
		CLEANUP(freep)
		char *command = str_format("sqlite3 '%s/journal.db' '%s' > /dev/null",
					   (char *)*state, changes[i]);
		bool was_damaged;

		if (system("command -v sqlite3 > /dev/null") != 0)
			skip();
		assert_int_equal(system(command), 0);
		/* The rows of a table that can be read as ours are ours. */
		assert_int_equal(check_works(*state, first, &was_damaged), ROWS);
		assert_true(was_damaged);
	}
}

static void an_interrupted_rescue_is_finished(void **state)
{
	CLEANUP(freep) char *path = path_in(*state, "journal.db");
	CLEANUP(freep) char *fresh = path_in(*state, "journal.db.new");
	CLEANUP(freep) char *wal = path_in(*state, "journal.db-wal");
	uint64_t first;
	bool was_damaged;

	/* The WAL of another file lies where the new one will be. */
	(void)make_journal(*state, KILLED);
	{
		CLEANUP(freep) char *parent = str_format("%s.wal", (char *)*state);

		assert_int_equal(rename(wal, parent), 0);
		first = make_journal(*state, CLOSED);
		assert_int_equal(rename(path, fresh), 0);
		assert_int_equal(rename(parent, wal), 0);
	}
	assert_int_equal(check_works(*state, first, &was_damaged), ROWS);
	assert_true(access(fresh, F_OK) < 0);
	assert_true(has_aside(*state));
}

static void damage_that_comes_up_while_in_use_is_healed(void **state)
{
	CLEANUP(rows_release) struct rows rows = {0};
	CLEANUP(freep) char *path = path_in(*state, "journal.db");
	CLEANUP(freep) char *noise = malloc(4096);
	struct journal *j = rows_open(*state, NULL);
	uint64_t first = journal_next_seq(j), fresh;
	uint64_t count = 12000, ticket = 0; /* more than SQLite keeps in memory */
	int fd;

	for (uint64_t i = 0; i < count; i++)
		ticket = rows_put(j, i ? journal_next_seq(j) : first, 7);
	rows_wait(j, ticket);
	journal_close(j);
	j = rows_open(*state, NULL);
	memset(noise, 0x5a, 4096);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	for (size_t at = 8192; at + 4096 <= file_size(path) / 2; at += 4096)
		assert_int_equal(pwrite(fd, noise, 4096, (off_t)at), 4096);
	/* Not closed before the journal: that would drop SQLite's locks on the file. */
	fresh = journal_next_seq(j);
	for (uint64_t i = 0; i < count; i += 50)
		(void)journal_delete(j, first + i);
	rows_wait(j, rows_put(j, fresh, 8));
	assert_int_equal(journal_sync(j, NULL), 0);
	rows_read(j, &rows);
	assert_true(rows_has(&rows, fresh));
	assert_true(rows.count > 1 && rows.count < count);
	assert_true(has_aside(*state));
	journal_close(j);
	(void)close(fd);
	j = rows_open(*state, NULL);
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(any_damage_to_the_database_is_survived, setup,
						teardown),
		cmocka_unit_test_setup_teardown(any_damage_to_the_wal_is_survived, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_garbled_row_is_left_out_and_the_others_carried_over, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_journal_is_set_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_file_is_new_but_not_beside_a_wal, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_foreign_schema_is_set_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(an_interrupted_rescue_is_finished, setup, teardown),
		cmocka_unit_test_setup_teardown(damage_that_comes_up_while_in_use_is_healed, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
