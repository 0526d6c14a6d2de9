/*
 * The journal against power loss, and against syncs that fail, by a shim over fsync and fdatasync:
 * each sync takes a copy of the file as it is then. A power loss leaves, of every block written
 * since the last sync, the old or the new content, as chance wills. All that journal_sync answered
 * for must be in what is left.
 */
#include "tests/unit/fs/journal_rows.h"
#include "tests/unit/fs/support.h"

#include "backends/base/lock.h"
#include "backends/base/random.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#define BLOCK	  512
#define FILES	  3
#define IMAGE_MAX (64 << 20)

struct image {
	const char *name;
	char *synced;
	size_t len;
};
static struct lock shim_lock = LOCK_INIT_RANKED(LOCK_UNRANKED); /* below or above whatever the code under test holds */
static struct image images[FILES] = {{.name = "journal.db"}, {.name = "journal.db-wal"},
				    {.name = "journal.mirror"} /* never synced */};
static atomic_bool is_recording, is_failing;

static char *read_whole(int fd, size_t *ret_len)
{
	struct stat st;
	char *content;
	ssize_t n;

	if (fstat(fd, &st) < 0 || st.st_size > IMAGE_MAX)
		abort();
	content = calloc(1, (size_t)st.st_size + 1);
	n = pread(fd, content, (size_t)st.st_size, 0);
	*ret_len = n > 0 ? (size_t)n : 0;
	return content;
}

static void shim_record(int fd)
{
	char link[64], path[4096];
	const char *name;
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = '\0';
	name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	LOCKED(&shim_lock);
	for (size_t i = 0; i < FILES; i++) {
		if (strcmp(images[i].name, name) != 0)
			continue;
		free(images[i].synced);
		images[i].synced = read_whole(fd, &images[i].len);
	}
}

/* In the place of libc's, for the journal and for SQLite. */
int fdatasync(int fd)
{
	if (atomic_load(&is_failing)) {
		errno = EIO;
		return -1;
	}
	if (atomic_load(&is_recording))
		shim_record(fd);
	return 0;
}

int fsync(int fd)
{
	return fdatasync(fd);
}

static int setup(void **state)
{
	*state = support_make_dir();
	return 0;
}

static int teardown(void **state)
{
	char *dir = *state;

	for (size_t i = 0; i < FILES; i++) {
		free(images[i].synced);
		images[i].synced = NULL;
		images[i].len = 0;
	}
	support_remove_dir(&dir);
	return 0;
}

/* What a power loss now leaves of a file. */
static void write_survivor(const struct image *image, const char *from_dir, const char *to_dir)
{
	CLEANUP(freep) char *from = str_format("%s/%s", from_dir, image->name);
	CLEANUP(freep) char *to = str_format("%s/%s", to_dir, image->name);
	CLEANUP(freep) char *now = NULL;
	int in = open(from, O_RDONLY | O_CLOEXEC),
	    out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	size_t now_len, len;
	uint64_t newness = random_below(3); /* mostly old, half, mostly new */

	assert_true(in >= 0 && out >= 0);
	now = read_whole(in, &now_len);
	len = random_below(2) ? now_len : image->len;
	for (size_t at = 0; at < len; at += BLOCK) {
		/* Where the file was cut since, and its old length comes back, so does what was there: a length and the
		 * blocks it covers change together. */
		bool is_new = random_below(4) <= newness && (at < now_len || at >= image->len);
		const char *content = is_new ? now : image->synced;
		size_t content_len = is_new ? now_len : image->len;
		char block[BLOCK] = {0};

		if (content && at < content_len)
			memcpy(block, content + at,
			       content_len - at < BLOCK ? content_len - at : BLOCK);
		assert_int_equal(pwrite(out, block, len - at < BLOCK ? len - at : BLOCK, (off_t)at),
				 len - at < BLOCK ? len - at : BLOCK);
	}
	/* Closing a descriptor of the database drops this process's locks; the test has but one
	 * connection that writes at a time, so that nothing hangs on them. */
	(void)close(in);
	(void)close(out);
}

static void check_survivor(const char *dir, const uint64_t *synced, size_t count)
{
	char *after = support_make_dir();
	CLEANUP(rows_release) struct rows rows = {0};
	CLEANUP(freep) char *damage = NULL;
	struct journal *j;

	lock_take(&shim_lock);
	for (size_t i = 0; i < FILES; i++)
		write_survivor(&images[i], dir, after);
	lock_drop(&shim_lock);
	atomic_store(&is_recording, false);
	j = rows_open(after, &damage);
	/* Nobody can tell a restart from damage here, where the boot is the same: parts of the mirror may be missing. */
	assert_true(!damage || !strstr(damage, "the journal was damaged"));
	rows_read(j, &rows);
	for (size_t i = 0; i < count; i++)
		assert_true(rows_has(&rows, synced[i]));
	if (count)
		assert_true(journal_next_seq(j) > synced[count - 1]);
	journal_close(j);
	support_remove_dir(&after);
}

static void what_was_synced_survives_a_power_loss(void **state)
{
	const size_t max = 6000;
	CLEANUP(freep) uint64_t *seqs = calloc(max, sizeof(*seqs));

	support_seed();
	for (int round = 0; round < 12; round++) {
		CLEANUP(freep) char *dir = support_make_dir();
		size_t count = 0, synced = 0, end = 1 + random_below(max - 1);
		struct journal *j;

		(void)state;
		atomic_store(&is_recording, true);
		j = rows_open(dir, NULL);
		while (count < end) {
			uint64_t ticket;

			seqs[count] = journal_next_seq(j);
			ticket = rows_put(j, seqs[count++], 9);
			if (random_below(4) ==
			    0) /* commits, and with them the WAL and its checkpoints */
				rows_wait(j, ticket);
			if (random_below(200) == 0) {
				assert_int_equal(journal_sync(j, NULL), 0);
				synced = count;
			}
		}
		check_survivor(dir, seqs, synced);
		journal_close(j);
		support_remove_dir(&dir);
	}
}

static void a_sync_that_fails_is_told_and_made_up_for(void **state)
{
	struct journal *j;
	struct error err = ERROR_INIT;
	uint64_t seq;

	atomic_store(&is_recording, true);
	j = rows_open(*state, NULL);
	seq = journal_next_seq(j);
	rows_wait(j, rows_put(j, seq, 1));
	atomic_store(&is_failing, true);
	assert_true(journal_sync(j, &err) < 0);
	assert_int_equal(err.kind, ERR_IO);
	assert_true(journal_sync(j, &err) < 0);
	atomic_store(&is_failing, false);
	assert_int_equal(journal_sync(j, &err), 0);
	check_survivor(*state, &seq, 1);
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_synced_survives_a_power_loss, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_sync_that_fails_is_told_and_made_up_for, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
