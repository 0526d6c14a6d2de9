/* Checksums of written pages, beside a file in memory that is written at random. */
#include "fs/pagesums.h"

#include "backends/base/random.h"
#include "tests/unit/fs/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAGE  PAGESUMS_PAGE
#define PAGES 12
#define BYTES (PAGES * PAGE)
#define FAR   (UINT64_C(3) << 40) /* where the file lies: far beyond what a table without gaps could hold */

static unsigned char file[BYTES];
static bool is_written[BYTES];

static void write_at(struct pagesums *s, uint64_t start, uint64_t end)
{
	struct pagesum sums[PAGES], old[PAGES];
	struct pagesums_write w;

	for (uint64_t i = start; i < end; i++) {
		file[i] = (unsigned char)random_u64();
		is_written[i] = true;
	}
	pagesums_read(s, FAR + start, FAR + end, old);
	pagesums_begin(s, &w, FAR + start, FAR + end);
	pagesums_of_data(file + start, FAR + start, FAR + end, sums);
	for (size_t i = 0; i < pagesums_pages(start, end); i++) {
		uint64_t page = (start / PAGE + i) * PAGE;

		sums[i] = pagesum_join(old[i], sums[i], file + (start > page ? start : page));
	}
	pagesums_end(s, &w, sums);
}

static ptrdiff_t check(struct pagesums *s, uint64_t start, uint64_t end)
{
	struct pagesum sums[PAGES];

	pagesums_read(s, FAR + start, FAR + end, sums);
	return pagesums_check(sums, file + start, FAR + start, FAR + end);
}

static void what_was_written_is_found_good_and_what_was_changed_is_found(void **state)
{
	unsigned found = 0, covered = 0;

	(void)state;
	support_seed();
	for (unsigned round = 0; round < 300; round++) {
		struct pagesums s = { 0 };

		for (unsigned i = 0; i < 30; i++) {
			uint64_t start = random_below(BYTES), len = random_below(4) ? random_below(3 * PAGE) : PAGE;
			struct pagesum sum;
			uint64_t at;

			if (random_below(3) == 0)
				start = start / PAGE * PAGE;
			write_at(&s, start, start + len + 1 > BYTES ? BYTES : start + len + 1);
			if (random_below(10) == 0)
				pagesums_forget(&s, FAR + start, random_below(2) ? UINT64_MAX : FAR + start + 1);
			assert_int_equal(check(&s, 0, BYTES), -1);
			at = random_below(BYTES);
			pagesums_read(&s, FAR + at, FAR + at + 1, &sum);
			file[at] ^= (unsigned char)(1u << random_below(8));
			if (at % PAGE >= sum.lo && at % PAGE < sum.hi) {
				assert_int_equal(check(&s, 0, BYTES), (ptrdiff_t)(at / PAGE));
				found++;
			} else {
				assert_int_equal(check(&s, 0, BYTES), -1);
			}
			covered += is_written[at];
			write_at(&s, at, at + 1); /* rewritten: good again, whatever was there */
			pagesums_forget(&s, FAR + at, FAR + at + 1);
			write_at(&s, at / PAGE * PAGE, at / PAGE * PAGE + PAGE);
		}
		pagesums_release(&s);
	}
	assert_true(found > 1000 && covered > found);
}

static void a_sequential_writer_s_pages_all_have_sums(void **state)
{
	struct pagesums s = { 0 };
	struct pagesum sums[PAGES];

	(void)state;
	for (uint64_t at = 0; at < BYTES; at += 1000)
		write_at(&s, at, at + 1000 > BYTES ? BYTES : at + 1000);
	pagesums_read(&s, FAR, FAR + BYTES, sums);
	for (unsigned i = 0; i < PAGES; i++)
		assert_true(sums[i].lo == 0 && sums[i].hi == PAGE);
	pagesums_release(&s);
}

static void pages_that_are_being_written_have_none(void **state)
{
	struct pagesums s = { 0 };
	struct pagesums_write w;
	struct pagesum sums[PAGES];

	(void)state;
	write_at(&s, 0, BYTES);
	pagesums_begin(&s, &w, FAR + PAGE, FAR + PAGE + 1);
	file[PAGE] ^= 1;
	assert_int_equal(check(&s, 0, BYTES), -1);
	pagesums_end(&s, &w, NULL);
	assert_int_equal(check(&s, 0, BYTES), -1);
	pagesums_read(&s, FAR + PAGE, FAR + 2 * PAGE, sums);
	assert_int_equal(sums[0].lo, sums[0].hi);
	pagesums_release(&s);
}

static void two_writes_that_meet_in_a_page_leave_it_without(void **state)
{
	struct pagesums s = { 0 };
	struct pagesums_write a, b;
	struct pagesum one = { 1, 0, 10 }, other = { 2, 10, 20 }, now;

	(void)state;
	pagesums_begin(&s, &a, 0, 10);
	pagesums_begin(&s, &b, 10, 20);
	pagesums_end(&s, &a, &one);
	pagesums_end(&s, &b, &other);
	pagesums_read(&s, 0, 1, &now);
	assert_int_equal(now.lo, now.hi);
	pagesums_release(&s);
}

static void a_damaged_page_is_one_until_all_of_it_is_written(void **state)
{
	struct pagesum whole = { 5, 0, PAGE }, part = { 6, 0, 100 };

	(void)state;
	assert_true(pagesum_is_damaged(pagesum_join(PAGESUM_DAMAGED, part, NULL)));
	assert_false(pagesum_is_damaged(pagesum_join(PAGESUM_DAMAGED, whole, NULL)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_found_good_and_what_was_changed_is_found),
		cmocka_unit_test(a_sequential_writer_s_pages_all_have_sums),
		cmocka_unit_test(pages_that_are_being_written_have_none),
		cmocka_unit_test(two_writes_that_meet_in_a_page_leave_it_without),
		cmocka_unit_test(a_damaged_page_is_one_until_all_of_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
