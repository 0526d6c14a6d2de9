/* The log of checksums: what was told counts, unless something later, or a doubt, takes it back. */
#include "fs/sumlog.h"

#include "backends/base/hash.h"
#include "tests/unit/fs/support.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE PAGESUMS_PAGE
#define HEAD 32

struct place {
	char path[64];
	int dir_fd;
	struct sumlog *log;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	memcpy(p->path, "/tmp/skydir-sumlog-XXXXXX", sizeof("/tmp/skydir-sumlog-XXXXXX"));
	assert_non_null(mkdtemp(p->path));
	p->dir_fd = open(p->path, O_RDONLY | O_DIRECTORY);
	assert_true(p->dir_fd >= 0);
	p->log = sumlog_new(p->dir_fd, NULL);
	assert_non_null(p->log);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	sumlog_unref(p->log);
	(void)unlinkat(p->dir_fd, "sums.log", 0);
	(void)close(p->dir_fd);
	assert_int_equal(rmdir(p->path), 0);
	free(p);
	return 0;
}

static struct pagesum sum_of(uint32_t n)
{
	return (struct pagesum){ n, 0, PAGE };
}

static void tell(struct place *p, uint64_t id, uint64_t page, uint32_t n)
{
	struct pagesum sum = sum_of(n);

	assert_int_equal(sumlog_sums(p->log, id, page * PAGE, (page + 1) * PAGE, &sum), 0);
}

/* What a start finds; 0: nothing is known. */
static uint32_t found(struct place *p, uint64_t id, uint64_t page)
{
	struct sumlog_found *f = sumlog_load(p->dir_fd);
	struct pagesums sums = { 0 };
	struct pagesum sum;

	assert_non_null(f);
	sumlog_take(f, id, &sums);
	pagesums_read(&sums, page * PAGE, (page + 1) * PAGE, &sum);
	pagesums_release(&sums);
	sumlog_found_free(f);
	return sum.lo == sum.hi ? 0 : sum.crc;
}

static int open_log(struct place *p)
{
	int fd = openat(p->dir_fd, "sums.log", O_RDWR);

	assert_true(fd >= 0);
	return fd;
}

static off_t length(struct place *p)
{
	struct stat st;

	assert_int_equal(fstatat(p->dir_fd, "sums.log", &st, 0), 0);
	return st.st_size;
}

static void the_last_word_of_each_page_counts(void **state)
{
	struct place *p = *state;

	tell(p, 7, 0, 10);
	tell(p, 7, 1, 11);
	tell(p, 7, UINT64_C(1) << 20, 12);
	tell(p, 8, 1, 20);
	tell(p, 7, 1, 13);
	assert_int_equal(found(p, 7, 0), 10);
	assert_int_equal(found(p, 7, 1), 13);
	assert_int_equal(found(p, 7, UINT64_C(1) << 20), 12);
	assert_int_equal(found(p, 8, 1), 20);
	assert_int_equal(found(p, 9, 1), 0);
	assert_int_equal(sumlog_forget(p->log, 7, PAGE + 5, PAGE + 6), 0);
	assert_int_equal(found(p, 7, 0), 10);
	assert_int_equal(found(p, 7, 1), 0);
	assert_int_equal(found(p, 8, 1), 20);
}

static void off_lasts_until_all_is_forgotten(void **state)
{
	struct place *p = *state;

	tell(p, 7, 0, 10);
	assert_int_equal(sumlog_off(p->log, 7), 0);
	tell(p, 7, 0, 11);
	assert_int_equal(found(p, 7, 0), 0);
	assert_int_equal(sumlog_forget(p->log, 7, 0, UINT64_MAX), 0);
	tell(p, 7, 0, 12);
	assert_int_equal(found(p, 7, 0), 12);
}

static void a_torn_end_is_cut_off_and_damage_makes_all_unknown(void **state)
{
	struct place *p = *state;
	int fd = open_log(p);
	off_t before;
	char byte;

	tell(p, 7, 0, 10);
	before = length(p);
	tell(p, 7, 1, 11);
	for (off_t end = before; end < length(p); end++) {
		assert_int_equal(ftruncate(fd, end), 0);
		assert_int_equal(found(p, 7, 0), 10);
		assert_int_equal(found(p, 7, 1), 0);
	}
	for (off_t at = 0; at < before; at++) {
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 16;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_int_equal(found(p, 7, 0), 0);
		byte ^= 16;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_int_equal(found(p, 7, 0), 10);
	(void)close(fd);
}

static void of_another_boot_nothing_counts(void **state)
{
	struct place *p = *state;
	unsigned char head[HEAD];
	uint32_t crc;
	int fd = open_log(p);

	tell(p, 7, 0, 10);
	assert_int_equal(pread(fd, head, HEAD, 0), HEAD);
	head[8] ^= 1;
	crc = hash_crc32c(0, head, HEAD - 4);
	for (int i = 0; i < 4; i++)
		head[HEAD - 4 + i] = (unsigned char)(crc >> 8 * i);
	assert_int_equal(pwrite(fd, head, HEAD, 0), HEAD);
	assert_int_equal(found(p, 7, 0), 0);
	(void)close(fd);
}

static void what_was_known_comes_first_and_counts_when_it_is_there(void **state)
{
	struct place *p = *state;
	CLEANUP(buf_release) struct buf records = BUF_INIT(1 << 20);
	struct pagesums sums = { 0 };
	struct pagesum two[] = { sum_of(10), sum_of(11) };

	pagesums_put(&sums, 4 * PAGE, 6 * PAGE, two);
	assert_int_equal(sumlog_collect(&records, 7, &sums), 0);
	pagesums_release(&sums);
	assert_int_equal(sumlog_make_room(p->log, records.len, NULL), 0);
	/* Told before the room is filled, but later than what is in it. */
	assert_int_equal(sumlog_forget(p->log, 7, 5 * PAGE, 6 * PAGE), 0);
	tell(p, 7, 9, 12);
	assert_int_equal(found(p, 7, 4), 0);
	assert_int_equal(found(p, 7, 9), 0);
	assert_int_equal(sumlog_fill_room(p->log, buf_str(&records), NULL), 0);
	assert_int_equal(found(p, 7, 4), 10);
	assert_int_equal(found(p, 7, 5), 0);
	assert_int_equal(found(p, 7, 9), 12);
}

static void when_the_disk_is_full_nothing_is_known_and_nothing_fails(void **state)
{
	struct place *p = *state;
	struct rlimit old, small;

	tell(p, 7, 0, 10);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){ (rlim_t)length(p) + 20, old.rlim_max };
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(sumlog_forget(p->log, 7, 0, PAGE), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(found(p, 7, 0), 0);
	tell(p, 7, 0, 11);
	assert_int_equal(found(p, 7, 0), 0);
	assert_true(sumlog_is_worn(p->log));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_last_word_of_each_page_counts),
		TEST(off_lasts_until_all_is_forgotten),
		TEST(a_torn_end_is_cut_off_and_damage_makes_all_unknown),
		TEST(of_another_boot_nothing_counts),
		TEST(what_was_known_comes_first_and_counts_when_it_is_there),
		TEST(when_the_disk_is_full_nothing_is_known_and_nothing_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
