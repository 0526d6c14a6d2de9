/* The journal in use: order, group commit, kill -9, readers beside, trouble with the disk. */
#include "tests/unit/fs/journal_rows.h"
#include "tests/unit/fs/support.h"

#include "backends/base/clock.h"
#include "backends/base/random.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

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

static void rows_come_back_in_order_and_as_they_were(void **state)
{
	CLEANUP(rows_release) struct rows rows = {0};
	struct journal *j = rows_open(*state, NULL);
	uint64_t seqs[300];

	for (size_t i = 0; i < ARRAY_SIZE(seqs); i++)
		seqs[i] = journal_next_seq(j);
	for (size_t i = ARRAY_SIZE(seqs); i-- > 0;) /* order of seq, not of putting */
		assert_true(rows_put(j, seqs[i], 1) > 0);
	for (size_t i = 0; i < ARRAY_SIZE(seqs); i += 3)
		assert_true(rows_put(j, seqs[i], 2) > 0);
	for (size_t i = 0; i < ARRAY_SIZE(seqs); i += 4)
		rows_wait(j, journal_delete(j, seqs[i]));
	for (int again = 0; again < 2; again++) {
		rows_read(j, &rows);
		assert_int_equal(rows.count, 225);
		for (size_t i = 0; i < ARRAY_SIZE(seqs); i++)
			assert_int_equal(rows_has(&rows, seqs[i]), i % 4 != 0);
		journal_close(j);
		j = rows_open(*state, NULL);
	}
	journal_close(j);
}

static void numbers_never_repeat(void **state)
{
	uint64_t last = 0;

	for (int round = 0; round < 5; round++) {
		struct journal *j = rows_open(*state, NULL);

		for (int i = 0; i < 1000; i++) {
			uint64_t seq = journal_next_seq(j);

			assert_true(seq > last);
			last = seq;
		}
		journal_close(j);
	}
}

static void what_nobody_waits_for_is_written_on_closing(void **state)
{
	CLEANUP(rows_release) struct rows rows = {0};
	struct journal *j = rows_open(*state, NULL);

	for (int i = 0; i < 100; i++)
		assert_true(rows_put(j, journal_next_seq(j), 3) > 0);
	journal_close(j);
	journal_close(NULL);
	j = rows_open(*state, NULL);
	rows_read(j, &rows);
	assert_int_equal(rows.count, 100);
	journal_close(j);
}

/* --- many threads --- */

#define THREADS	   8
#define PER_THREAD 1500

struct worker {
	pthread_t thread;
	struct journal *journal;
	uint64_t kept[PER_THREAD];
	size_t count;
	unsigned number;
};

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < PER_THREAD; i++) {
		uint64_t seq = journal_next_seq(w->journal);
		uint64_t ticket = rows_put(w->journal, seq, w->number);

		if (i % 3 == 0)
			ticket = journal_delete(w->journal, seq);
		else
			w->kept[w->count++] = seq;
		if (i % 2 == 0)
			rows_wait(w->journal, ticket);
		if (i % 100 == 7 && journal_sync(w->journal, NULL) < 0)
			abort();
	}
	return NULL;
}

static void eight_threads_commit_together_and_nothing_is_lost(void **state)
{
	CLEANUP(rows_release) struct rows rows = {0};
	struct worker *workers = calloc(THREADS, sizeof(*workers));
	struct journal *j = rows_open(*state, NULL);
	size_t expected = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].journal = j;
		workers[i].number = i;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]),
				 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
	journal_close(j);
	j = rows_open(*state, NULL);
	rows_read(j, &rows);
	for (unsigned i = 0; i < THREADS; i++) {
		expected += workers[i].count;
		for (size_t k = 0; k < workers[i].count; k++)
			assert_true(rows_has(&rows, workers[i].kept[k]));
	}
	assert_int_equal(rows.count, expected);
	journal_close(j);
	free(workers);
}

static void the_speed_is_told(void **state)
{
	struct journal *j = rows_open(*state, NULL);
	const unsigned count = 20000;
	uint64_t start_ns = clock_mono_ns(), ticket = 0;

	for (unsigned i = 0; i < count; i++) {
		ticket = rows_put(j, journal_next_seq(j), 1);
		rows_wait(j, ticket);
	}
	printf("one thread, each waited for: %.0f puts/s\n",
	       count * 1e9 / (double)(clock_mono_ns() - start_ns));
	start_ns = clock_mono_ns();
	for (unsigned i = 0; i < count; i++)
		ticket = rows_put(j, journal_next_seq(j), 1);
	rows_wait(j, ticket);
	printf("in one batch: %.0f puts/s\n", count * 1e9 / (double)(clock_mono_ns() - start_ns));
	journal_close(j);
}

/* --- kill -9 --- */

struct promise {
	uint64_t seq;
	uint64_t is_deleted;
};

struct victim {
	struct journal *journal;
	int pipe;
};

/* Puts and deletes, and tells of each once it was waited for. */
static void *victim_main(void *arg)
{
	struct victim *v = arg;

	for (unsigned i = 0;; i++) {
		struct promise p = {journal_next_seq(v->journal), i % 3 == 0};
		uint64_t ticket = rows_put(v->journal, p.seq, i % 1000);

		if (p.is_deleted)
			ticket = journal_delete(v->journal, p.seq);
		if (journal_wait(v->journal, ticket, NULL) < 0)
			_exit(3);
		if (write(v->pipe, &p, sizeof(p)) != sizeof(p))
			_exit(4);
	}
}

static void victim_run(const char *dir, int pipe)
{
	struct victim v = {.pipe = pipe};
	pthread_t thread;
	char *damage = NULL;

	if (journal_open(dir, &v.journal, &damage, NULL) < 0 || damage)
		_exit(2);
	for (int i = 0; i < 2; i++)
		(void)pthread_create(&thread, NULL, victim_main, &v);
	(void)victim_main(&v);
}

/* Starts a child on the journal, kills it in the middle, and appends what it promised. */
static size_t victim_kill(const char *dir, struct promise *promises, size_t max)
{
	int fds[2], status;
	size_t count = 0;
	pid_t pid;
	uint64_t wanted = 1 + random_below(400);

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(fds[0]);
		victim_run(dir, fds[1]);
	}
	(void)close(fds[1]);
	while (count < max &&
	       read(fds[0], &promises[count], sizeof(*promises)) == sizeof(*promises)) {
		if (++count == wanted)
			(void)kill(pid,
				   SIGKILL); /* go on: what stands in the pipe was promised, too */
	}
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	(void)close(fds[0]);
	return count;
}

static void nothing_waited_for_is_lost_by_kill_9(void **state)
{
	const size_t max = 200000;
	CLEANUP(freep) struct promise *promises = calloc(max, sizeof(*promises));
	size_t count = 0;

	support_seed();
	for (int round = 0; round < 30; round++) {
		CLEANUP(rows_release) struct rows rows = {0};
		struct journal *j;

		count += victim_kill(*state, promises + count, max - count);
		j = rows_open(*state, NULL);
		rows_read(j, &rows);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(rows_has(&rows, promises[i].seq), !promises[i].is_deleted);
			assert_true(journal_next_seq(j) > promises[i].seq);
		}
		journal_close(j);
	}
	printf("%zu promises kept over 30 kills\n", count);
}

/* --- readers beside --- */

/* Reads the journal time and again once told to begin; whether it always held at least what it had
 * held before. */
static bool reader_run(const char *dir, int pipe)
{
	size_t last = 1;
	char go;

	if (read(pipe, &go, 1) != 1)
		return false;
	for (int i = 0; i < 50; i++) {
		CLEANUP(rows_release) struct rows rows = {0};
		struct error err = ERROR_INIT;

		if (journal_each_readonly(dir, rows_collect, &rows, &err) < 0) {
			(void)dprintf(2, "reader: %s\n", err.message);
			return false;
		}
		if (rows.count < last)
			return false;
		last = rows.count;
	}
	return true;
}

static void a_reader_beside_a_writer_sees_whole_rows(void **state)
{
	int fds[2], status = -1;
	struct journal *j;
	pid_t pid, done = 0;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork(); /* before the journal has a thread that might hold a lock of malloc's just
			 then */
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(reader_run(*state, fds[0]) ? 0 : 1);
	j = rows_open(*state, NULL);
	rows_wait(j, rows_put(j, journal_next_seq(j), 1));
	assert_int_equal(write(fds[1], "g", 1), 1);
	while (done == 0) {
		rows_wait(j, rows_put(j, journal_next_seq(j), 1));
		(void)usleep(300); /* else it reads ever more rows */
		done = waitpid(pid, &status, WNOHANG);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	journal_close(j);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void reading_without_a_writer_works_and_names_what_is_missing(void **state)
{
	CLEANUP(rows_release) struct rows rows = {0};
	struct error err = ERROR_INIT;
	struct journal *j;

	assert_true(journal_each_readonly(*state, rows_collect, &rows, &err) < 0);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	j = rows_open(*state, NULL);
	for (int i = 0; i < 10; i++)
		assert_true(rows_put(j, journal_next_seq(j), 1));
	journal_close(j);
	assert_int_equal(journal_each_readonly(*state, rows_collect, &rows, &err), 0);
	assert_int_equal(rows.count, 10);
}

static int end_at_third(void *arg, const struct journal_row *row, struct error *err)
{
	int *count = arg;

	(void)row;
	return ++*count == 3 ? error_set(err, ERR_CANCELLED, "enough") : 0;
}

static void a_callback_can_end_the_reading_and_use_the_journal(void **state)
{
	struct journal *j = rows_open(*state, NULL);
	struct error err = ERROR_INIT;
	int count = 0;

	for (int i = 0; i < 10; i++)
		assert_true(rows_put(j, journal_next_seq(j), 1));
	assert_true(journal_each(j, end_at_third, &count, &err) < 0);
	assert_int_equal(count, 3);
	assert_int_equal(err.kind, ERR_CANCELLED);
	journal_close(j);
}

/* --- trouble --- */

static void a_directory_that_is_missing_or_closed_is_a_clear_error(void **state)
{
	CLEANUP(freep) char *missing = str_format("%s/none", (char *)*state);
	struct error err = ERROR_INIT;
	struct journal *j;
	char *damage;
	int status;
	pid_t pid;

	assert_true(journal_open(missing, &j, &damage, &err) < 0);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.message, missing));
	assert_int_equal(chmod(*state, 0555), 0);
	pid = fork(); /* root could write there all the same */
	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && seteuid(65534) < 0)
			_exit(1);
		if (journal_open(*state, &j, &damage, &err) >= 0)
			_exit(2);
		_exit(err.kind == ERR_PERMISSION && strstr(err.message, "journal.db") ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(chmod(*state, 0700), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_failed_commit_is_told_and_made_up_for_later(void **state)
{
	CLEANUP(rows_release) struct rows rows = {0};
	struct journal *j = rows_open(*state, NULL);
	struct error err = ERROR_INIT;
	struct rlimit before, none;
	uint64_t first = journal_next_seq(j), second = journal_next_seq(j), ticket;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = before;
	none.rlim_cur = 1;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	ticket = rows_put(j, first, 1);
	assert_true(journal_wait(j, ticket, &err) < 0);
	assert_true(err.kind == ERR_IO || err.kind == ERR_NO_SPACE);
	assert_non_null(strstr(err.message, "journal"));
	assert_true(journal_sync(j, &err) < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	rows_wait(j, rows_put(j, second, 1));
	rows_wait(j, ticket);
	rows_read(j, &rows);
	assert_int_equal(rows.count, 2);
	journal_close(j);
}

static void without_memory_for_a_row_the_ticket_is_refused(void **state)
{
	struct journal *j = rows_open(*state, NULL);
	CLEANUP(freep) char *big = malloc(9 << 20);
	struct journal_row row = {.seq = journal_next_seq(j),
				  .store = "",
				  .bucket = "",
				  .key = "",
				  .from_key = "",
				  .from_bucket = "",
				  .detail = {big, 9 << 20}};
	struct error err = ERROR_INIT;

	memset(big, 'x', 9 << 20);
	assert_int_equal(journal_put(j, &row), 0);
	assert_true(journal_wait(j, 0, &err) < 0);
	assert_int_equal(err.kind, ERR_NO_MEMORY);
	journal_close(j);
}

static void the_files_are_private(void **state)
{
	static const char *const names[] = {"journal.db", "journal.db-wal", "journal.db-shm",
					    "attrs.db"};
	struct journal *j;

	umask(0);
	j = rows_open(*state, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(freep) char *path = str_format("%s/%s", (char *)*state, names[i]);
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	journal_close(j);
	umask(022);
}

static void a_group_is_committed_whole_or_not_at_all(void **state)
{
	CLEANUP(rows_release) struct rows during = {0};
	CLEANUP(rows_release) struct rows after = {0};
	struct journal *j = rows_open(*state, NULL);
	uint64_t old = journal_next_seq(j), fresh = journal_next_seq(j), ticket;

	rows_wait(j, rows_put(j, old, 5));
	{
		JOURNAL_GROUP(j);
		assert_true(journal_delete(j, old) > 0);
		/* Somebody else's commit comes in between: what it leaves behind is what a kill would. */
		assert_int_equal(journal_sync(j, NULL), 0);
		rows_read(j, &during);
		ticket = rows_put(j, fresh, 5);
	}
	rows_wait(j, ticket);
	rows_read(j, &after);
	assert_int_equal(during.count, 1);
	assert_int_equal(during.seqs[0], old);
	assert_int_equal(after.count, 1);
	assert_int_equal(after.seqs[0], fresh);
	journal_close(j);
}

static void what_was_finished_is_past_only_when_its_row_is_gone(void **state)
{
	CLEANUP(rows_release) struct rows rows = {0};
	struct journal *j = rows_open(*state, NULL);
	uint64_t first = journal_next_seq(j), second = journal_next_seq(j);
	struct journal_mark mark;

	(void)rows_put(j, first, 5);
	rows_wait(j, rows_put(j, second, 5));
	journal_finish(j, first);
	mark = journal_mark_now(j);
	/* Taking out a later row takes the finished one along: rows leave in the order of their ends. */
	rows_wait(j, journal_delete(j, second));
	assert_true(journal_is_past(j, mark));
	rows_read(j, &rows);
	assert_int_equal(rows.count, 0);
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_come_back_in_order_and_as_they_were, setup,
						teardown),
		cmocka_unit_test_setup_teardown(numbers_never_repeat, setup, teardown),
		cmocka_unit_test_setup_teardown(a_group_is_committed_whole_or_not_at_all, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			what_was_finished_is_past_only_when_its_row_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(what_nobody_waits_for_is_written_on_closing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(eight_threads_commit_together_and_nothing_is_lost,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_speed_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_waited_for_is_lost_by_kill_9, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_reader_beside_a_writer_sees_whole_rows, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			reading_without_a_writer_works_and_names_what_is_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_callback_can_end_the_reading_and_use_the_journal,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_directory_that_is_missing_or_closed_is_a_clear_error, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_commit_is_told_and_made_up_for_later,
						setup, teardown),
		cmocka_unit_test_setup_teardown(without_memory_for_a_row_the_ticket_is_refused,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_files_are_private, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
