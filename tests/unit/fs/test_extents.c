/* The set of ranges against a bitmap of 4096 bits: every operation, at random. */
#include "fs/extents.h"

#include "backends/base/random.h"
#include "tests/unit/fs/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BITS	   4096
#define OPERATIONS 100000

struct model {
	bool bits[BITS];
};

static void model_set(struct model *m, uint64_t start, uint64_t end, bool value)
{
	for (uint64_t i = start; i < end; i++)
		m->bits[i] = value;
}

/* The first bit of this value at or after from, limit when there is none. */
static uint64_t model_find(const struct model *m, uint64_t from, uint64_t limit, bool value)
{
	while (from < limit && m->bits[from] != value)
		from++;
	return from;
}

static void check_shape(const struct extents *e, const struct model *m)
{
	uint64_t total = 0, at = 0;

	for (size_t i = 0; i < e->count; i++) {
		assert_true(e->items[i].start < e->items[i].end);
		if (i > 0)
			assert_true(e->items[i - 1].end < e->items[i].start);
		assert_int_equal(model_find(m, at, BITS, true), e->items[i].start);
		at = model_find(m, e->items[i].start, BITS, false);
		assert_int_equal(at, e->items[i].end);
		total += e->items[i].end - e->items[i].start;
	}
	assert_int_equal(model_find(m, at, BITS, true), BITS);
	assert_int_equal(total, e->total);
}

static void check_next(const struct extents *e, const struct model *m, uint64_t from,
		       uint64_t limit, bool value)
{
	struct extent got = {7, 7};
	uint64_t start = model_find(m, from, limit, value);
	bool found =
		value ? extents_next(e, from, limit, &got) : extents_next_gap(e, from, limit, &got);

	assert_int_equal(found, start < limit);
	if (!found)
		return;
	assert_int_equal(got.start, start);
	assert_int_equal(got.end, model_find(m, start, limit, !value));
}

static void check_questions(const struct extents *e, const struct model *m, uint64_t start,
			    uint64_t end)
{
	uint64_t covered = 0;

	for (uint64_t i = start; i < end; i++)
		covered += m->bits[i];
	assert_int_equal(extents_covered(e, start, end), covered);
	assert_int_equal(extents_covers(e, start, end), covered == end - start);
	assert_int_equal(extents_overlaps(e, start, end), covered > 0);
	check_next(e, m, start, end, true);
	check_next(e, m, start, end, false);
}

static void random_range(uint64_t *start, uint64_t *end)
{
	uint64_t longest = 1ull << random_below(12);

	*start = random_below(BITS);
	*end = *start + random_below(longest + 1);
	if (*end > BITS)
		*end = BITS;
}

static void every_operation_does_what_a_bitmap_does(void **state)
{
	CLEANUP(extents_release) struct extents e = EXTENTS_INIT;
	CLEANUP(extents_release) struct extents copy = EXTENTS_INIT;
	struct model m = {0};
	uint64_t start, end;

	(void)state;
	support_seed();
	for (int i = 0; i < OPERATIONS; i++) {
		uint64_t what = random_below(100);

		random_range(&start, &end);
		if (what < 45) {
			assert_int_equal(extents_add(&e, start, end), 0);
			model_set(&m, start, end, true);
		} else if (what < 90) {
			assert_int_equal(extents_remove(&e, start, end), 0);
			model_set(&m, start, end, false);
		} else if (what < 92) {
			extents_truncate(&e, start);
			model_set(&m, start, BITS, false);
		} else if (what < 94) {
			assert_int_equal(extents_copy(&copy, &e), 0);
			check_shape(&copy, &m);
		}
		random_range(&start, &end);
		check_questions(&e, &m, start, end);
		if (i % 8 == 0)
			check_shape(&e, &m);
	}
}

static void nothing_is_covered_and_covers_nothing(void **state)
{
	CLEANUP(extents_release) struct extents e = EXTENTS_INIT;
	struct extent got;

	(void)state;
	assert_int_equal(extents_add(&e, 5, 5), 0);
	assert_int_equal(e.count, 0);
	assert_true(extents_covers(&e, 5, 5));
	assert_false(extents_covers(&e, 5, 6));
	assert_false(extents_overlaps(&e, 0, UINT64_MAX));
	assert_false(extents_next(&e, 0, UINT64_MAX, &got));
	assert_true(extents_next_gap(&e, 3, 9, &got));
	assert_int_equal(got.start, 3);
	assert_int_equal(got.end, 9);
	assert_int_equal(extents_remove(&e, 0, 10), 0);
	extents_truncate(&e, 0);
	extents_clear(&e);
}

static void the_whole_number_range_can_be_used(void **state)
{
	CLEANUP(extents_release) struct extents e = EXTENTS_INIT;

	(void)state;
	assert_int_equal(extents_add(&e, 0, UINT64_MAX), 0);
	assert_int_equal(e.total, UINT64_MAX);
	assert_int_equal(extents_remove(&e, 1, UINT64_MAX - 1), 0);
	assert_int_equal(e.count, 2);
	assert_int_equal(e.total, 2);
	assert_true(extents_covers(&e, UINT64_MAX - 1, UINT64_MAX));
	extents_clear(&e);
	assert_int_equal(e.total, 0);
}

static void touching_ranges_become_one(void **state)
{
	CLEANUP(extents_release) struct extents e = EXTENTS_INIT;

	(void)state;
	assert_int_equal(extents_add(&e, 0, 10), 0);
	assert_int_equal(extents_add(&e, 20, 30), 0);
	assert_int_equal(extents_add(&e, 10, 20), 0);
	assert_int_equal(e.count, 1);
	assert_true(extents_covers(&e, 0, 30));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation_does_what_a_bitmap_does),
		cmocka_unit_test(nothing_is_covered_and_covers_nothing),
		cmocka_unit_test(the_whole_number_range_can_be_used),
		cmocka_unit_test(touching_ranges_become_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
