/* The extent log: replay equals what was said; damage forgets what is clean, never what is dirty.
 */
#include "fs/extentlog.h"

#include "backends/base/buf.h"
#include "backends/base/random.h"
#include "tests/unit/fs/support.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#define NAME "1.map"
#define SIZE 4096

struct log {
	char *dir;
	int dir_fd, fd;
	struct extents present, dirty;	       /* the model */
	struct extents got_present, got_dirty; /* what the replay says */
};

static int setup(void **state)
{
	struct log *l = calloc(1, sizeof(*l));

	l->dir = support_make_dir();
	l->dir_fd = open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l->fd = -1;
	*state = l;
	return l->dir_fd < 0;
}

static int teardown(void **state)
{
	struct log *l = *state;

	closep(&l->fd);
	closep(&l->dir_fd);
	extents_release(&l->present);
	extents_release(&l->dirty);
	extents_release(&l->got_present);
	extents_release(&l->got_dirty);
	support_remove_dir(&l->dir);
	free(l);
	return 0;
}

static void log_open(struct log *l)
{
	struct error err = ERROR_INIT;

	closep(&l->fd);
	l->fd = extentlog_open(l->dir_fd, NAME, &l->got_present, &l->got_dirty, &err);
	if (l->fd < 0)
		fail_msg("open: %s", err.message);
}

static bool same(const struct extents *a, const struct extents *b)
{
	return a->count == b->count && a->total == b->total &&
	       (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof(*a->items)) == 0);
}

static void log_say(struct log *l, enum extentlog_what what, uint64_t start, uint64_t end)
{
	struct error err = ERROR_INIT;

	assert_int_equal(extentlog_append(l->fd, what, start, end, &err), 0);
	switch (what) {
	case EXTENTLOG_SYNCED: /* tells a later boot what to believe */
		break;
	case EXTENTLOG_DIRTY:
		assert_int_equal(extents_add(&l->dirty, start, end), 0);
		assert_int_equal(extents_add(&l->present, start, end), 0);
		break;
	case EXTENTLOG_PRESENT:
		assert_int_equal(extents_add(&l->present, start, end), 0);
		break;
	case EXTENTLOG_ABSENT:
		assert_int_equal(extents_remove(&l->present, start, end), 0);
		assert_int_equal(extents_remove(&l->dirty, start, end), 0);
		break;
	case EXTENTLOG_CLEAN:
		assert_int_equal(extents_remove(&l->dirty, start, end), 0);
		break;
	case EXTENTLOG_TRUNCATE:
		extents_truncate(&l->present, start);
		extents_truncate(&l->dirty, start);
		break;
	}
}

static void log_say_random(struct log *l)
{
	uint64_t start = random_below(SIZE), end = start + random_below(64);
	enum extentlog_what what = (enum extentlog_what)(1 + random_below(5));

	if (what == EXTENTLOG_TRUNCATE && random_below(5))
		what = EXTENTLOG_PRESENT;
	log_say(l, what, start, what == EXTENTLOG_TRUNCATE ? start : end);
}

static void replay_equals_what_was_said(void **state)
{
	struct log *l = *state;
	struct stat st;

	support_seed();
	log_open(l);
	assert_int_equal(l->got_present.count, 0);
	assert_int_equal(fstat(l->fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	for (int i = 0; i < 3000; i++) {
		log_say_random(l);
		if (random_below(40) == 0) {
			log_open(l);
			assert_true(same(&l->got_present, &l->present));
			assert_true(same(&l->got_dirty, &l->dirty));
		}
		if (random_below(200) == 0) {
			int fd = extentlog_compact(l->dir_fd, NAME, &l->present, &l->dirty, NULL);

			assert_true(fd >= 0);
			closep(&l->fd);
			l->fd = fd;
		}
	}
	log_open(l);
	assert_true(same(&l->got_present, &l->present));
	assert_true(same(&l->got_dirty, &l->dirty));
}

static void compaction_makes_a_long_log_short(void **state)
{
	struct log *l = *state;
	struct stat st;
	int fd;

	log_open(l);
	for (int i = 0; i < 5000; i++)
		log_say(l, EXTENTLOG_PRESENT, 0, 100);
	log_say(l, EXTENTLOG_DIRTY, 50, 60);
	fd = extentlog_compact(l->dir_fd, NAME, &l->present, &l->dirty, NULL);
	assert_true(fd >= 0);
	closep(&l->fd);
	l->fd = fd;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 3 * EXTENTLOG_RECORD_BYTES);
	log_open(l);
	assert_true(same(&l->got_present, &l->present));
	assert_true(same(&l->got_dirty, &l->dirty));
}

static void a_torn_tail_forgets_what_is_clean_and_keeps_what_is_dirty(void **state)
{
	struct log *l = *state;
	struct stat st;

	for (int cut = 1; cut < EXTENTLOG_RECORD_BYTES; cut++) {
		(void)unlinkat(l->dir_fd, NAME, 0);
		extents_clear(&l->present);
		extents_clear(&l->dirty);
		log_open(l);
		log_say(l, EXTENTLOG_PRESENT, 0, 1000);
		log_say(l, EXTENTLOG_DIRTY, 100, 200);
		assert_int_equal(extentlog_append(l->fd, EXTENTLOG_ABSENT, 500, 600, NULL), 0);
		assert_int_equal(fstat(l->fd, &st), 0);
		assert_int_equal(ftruncate(l->fd, st.st_size - cut), 0);
		log_open(l);
		assert_true(same(&l->got_dirty, &l->dirty));
		assert_true(same(&l->got_present, &l->dirty));
		log_open(l); /* and is mended */
		log_say(l, EXTENTLOG_PRESENT, 0, 10);
		log_open(l);
		assert_int_equal(l->got_present.total, 110);
		assert_int_equal(l->got_dirty.total, 100);
	}
}

/* Bit flips anywhere: nothing is said to be present that never was; what one record said is lost at
 * most. */
static void random_damage_never_invents_anything(void **state)
{
	struct log *l = *state;
	CLEANUP(extents_release) struct extents ever = EXTENTS_INIT;

	support_seed();
	for (int round = 0; round < 500; round++) {
		struct stat st;
		uint64_t at;
		unsigned char byte;

		(void)unlinkat(l->dir_fd, NAME, 0);
		extents_clear(&ever);
		log_open(l);
		for (int i = 0; i < 30; i++) {
			uint64_t start = random_below(SIZE), end = start + 1 + random_below(64);
			bool is_dirty = random_below(2);

			assert_int_equal(
				extentlog_append(l->fd,
						 is_dirty ? EXTENTLOG_DIRTY : EXTENTLOG_PRESENT,
						 start, end, NULL),
				0);
			assert_int_equal(extents_add(&ever, start, end), 0);
		}
		assert_int_equal(fstat(l->fd, &st), 0);
		at = random_below((uint64_t)st.st_size);
		closep(&l->fd);
		l->fd = openat(l->dir_fd, NAME, O_RDWR | O_CLOEXEC);
		assert_int_equal(pread(l->fd, &byte, 1, (off_t)at), 1);
		byte ^= (unsigned char)(1u << random_below(8));
		assert_int_equal(pwrite(l->fd, &byte, 1, (off_t)at), 1);
		log_open(l);
		for (size_t i = 0; i < l->got_present.count; i++)
			assert_true(extents_covers(&ever, l->got_present.items[i].start,
						   l->got_present.items[i].end));
		for (size_t i = 0; i < l->got_dirty.count; i++)
			assert_true(extents_covers(&l->got_present, l->got_dirty.items[i].start,
						   l->got_dirty.items[i].end));
	}
}

static void a_file_of_garbage_opens_empty(void **state)
{
	struct log *l = *state;
	unsigned char garbage[10000];

	support_seed();
	for (size_t i = 0; i < sizeof(garbage); i++)
		garbage[i] = (unsigned char)random_below(256);
	l->fd = openat(l->dir_fd, NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(l->fd, garbage, sizeof(garbage)), sizeof(garbage));
	log_open(l);
	assert_int_equal(l->got_present.count, 0);
	log_say(l, EXTENTLOG_DIRTY, 1, 5);
	log_open(l);
	assert_true(same(&l->got_dirty, &l->dirty));
}

static void what_is_no_regular_file_is_an_error(void **state)
{
	struct log *l = *state;
	struct error err = ERROR_INIT;

	assert_int_equal(symlinkat("elsewhere", l->dir_fd, NAME), 0);
	assert_true(extentlog_open(l->dir_fd, NAME, &l->got_present, &l->got_dirty, &err) < 0);
	assert_non_null(strstr(err.message, NAME));
	assert_int_equal(unlinkat(l->dir_fd, NAME, 0), 0);
	assert_int_equal(mkfifoat(l->dir_fd, NAME, 0600), 0);
	assert_true(extentlog_open(l->dir_fd, NAME, &l->got_present, &l->got_dirty, &err) < 0);
	assert_true(extentlog_open(-1, NAME, &l->got_present, &l->got_dirty, &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(replay_equals_what_was_said, setup, teardown),
		cmocka_unit_test_setup_teardown(compaction_makes_a_long_log_short, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_torn_tail_forgets_what_is_clean_and_keeps_what_is_dirty, setup, teardown),
		cmocka_unit_test_setup_teardown(random_damage_never_invents_anything, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_file_of_garbage_opens_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_regular_file_is_an_error, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
