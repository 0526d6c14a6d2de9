/* Which parts of a changed object are copied and which are sent. */
#include "fs/partplan.h"

#include "backends/base/random.h"
#include "tests/unit/fs/support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MIB    (UINT64_C(1) << 20)
#define GIB    (UINT64_C(1) << 30)
#define TIB    (UINT64_C(1) << 40)
#define ROUNDS 3000

static const struct partplan_limits s3 = {
	.min_part_bytes = 5 * MIB,
	.max_part_bytes = 5 * GIB,
	.send_bytes = 8 * MIB,
	.copy_bytes = 512 * MIB,
	.max_parts = 10000,
};

/* All that must hold of any plan, however it came about. */
static void check_plan(const struct partplan *p, const struct extents *dirty, uint64_t size,
		       const struct partplan_limits *limits)
{
	uint64_t at = 0, sent = 0, copied = 0;

	assert_in_range(p->count, size ? 1 : 0, limits->max_parts);
	for (size_t i = 0; i < p->count; i++) {
		const struct partplan_part *part = &p->parts[i];
		uint64_t len = part->end - part->start;

		assert_int_equal(part->start, at);
		assert_true(part->end > part->start);
		at = part->end;
		assert_true(len <= limits->max_part_bytes);
		if (i + 1 < p->count)
			assert_true(len >= limits->min_part_bytes);
		if (part->kind == PARTPLAN_COPY)
			assert_false(extents_overlaps(dirty, part->start, part->end));
		*(part->kind == PARTPLAN_COPY ? &copied : &sent) += len;
	}
	assert_int_equal(at, size);
	assert_int_equal(sent, p->sent_bytes);
	assert_int_equal(copied, p->copied_bytes);
}

/* Makes the plan of [0, size) with these dirty ranges (pairs, ended by 0, 0), checks it, and tells what is sent. */
static uint64_t sent_of(uint64_t size, const uint64_t *ranges)
{
	CLEANUP(extents_release) struct extents dirty = EXTENTS_INIT;
	CLEANUP(partplan_release) struct partplan plan = PARTPLAN_INIT;

	for (; ranges[1]; ranges += 2)
		assert_int_equal(extents_add(&dirty, ranges[0], ranges[1]), 0);
	assert_int_equal(partplan_make(&dirty, size, &s3, &plan), 0);
	check_plan(&plan, &dirty, size, &s3);
	return plan.sent_bytes;
}
#define SENT(size, ...) sent_of((size), (const uint64_t[]){ __VA_ARGS__, 0, 0 })

static void an_append_sends_what_was_appended(void **state)
{
	(void)state;
	assert_int_equal(SENT(257 * MIB, 256 * MIB, 257 * MIB), MIB);
	assert_int_equal(SENT(256 * MIB + 1, 256 * MIB, 256 * MIB + 1), 1);
	assert_int_equal(SENT(TIB + 7, TIB, TIB + 7), 7);
	assert_int_equal(SENT(512 * MIB, 256 * MIB, 512 * MIB), 256 * MIB);
}

static void an_overwrite_in_the_middle_sends_one_minimum_part(void **state)
{
	(void)state;
	assert_int_equal(SENT(256 * MIB, 100 * MIB, 101 * MIB), 5 * MIB);
	assert_int_equal(SENT(256 * MIB, 100 * MIB, 100 * MIB + 1), 5 * MIB);
	assert_int_equal(SENT(256 * MIB, 100 * MIB, 106 * MIB), 6 * MIB);
}

static void an_overwrite_near_an_end_takes_the_end_along(void **state)
{
	(void)state;
	assert_int_equal(SENT(256 * MIB, 0, 1), 5 * MIB);	   /* the first part has a minimum */
	assert_int_equal(SENT(256 * MIB, MIB, 2 * MIB), 5 * MIB);  /* 1 MiB cannot be a part before it */
	assert_int_equal(SENT(256 * MIB, 4 * MIB, 6 * MIB), 6 * MIB);
	assert_int_equal(SENT(256 * MIB, 255 * MIB, 255 * MIB + 1), MIB); /* the last one has none */
	assert_int_equal(SENT(256 * MIB, 256 * MIB - 1, 256 * MIB), 1);
	assert_int_equal(SENT(256 * MIB, 240 * MIB, 240 * MIB + 1), 5 * MIB);
	assert_int_equal(SENT(256 * MIB, 252 * MIB, 253 * MIB), 4 * MIB);
}

static void neighbours_go_together_where_that_is_cheaper(void **state)
{
	(void)state;
	/* 3 MiB between them cannot be copied. */
	assert_int_equal(SENT(256 * MIB, 100 * MIB, 101 * MIB, 104 * MIB, 105 * MIB), 5 * MIB);
	/* 7 MiB could, but two minimum parts are more than one part with all of it. */
	assert_int_equal(SENT(256 * MIB, 100 * MIB, 101 * MIB, 108 * MIB, 109 * MIB), 9 * MIB);
	assert_int_equal(SENT(256 * MIB, 100 * MIB, 101 * MIB, 120 * MIB, 121 * MIB), 10 * MIB);
	/* Room to the left serves the second one when there is none to the right. */
	assert_int_equal(SENT(256 * MIB, 50 * MIB, 51 * MIB, 100 * MIB, 101 * MIB, 106 * MIB, 116 * MIB), 20 * MIB);
}

static void what_is_only_cut_off_is_copied(void **state)
{
	(void)state;
	assert_int_equal(SENT(100 * MIB, 200 * MIB, 300 * MIB), 0);
	assert_int_equal(SENT(100 * MIB + 1, 100 * MIB, 300 * MIB), 1); /* dirty beyond the end does not count */
}

static void a_file_that_grew_by_a_hole_sends_the_hole(void **state)
{
	(void)state;
	assert_int_equal(SENT(300 * MIB, 100 * MIB, 300 * MIB), 200 * MIB);
}

static void all_of_a_small_or_wholly_written_file_is_sent(void **state)
{
	(void)state;
	assert_int_equal(SENT(4 * MIB, 0, 1), 4 * MIB);
	assert_int_equal(SENT(64 * MIB, 0, 64 * MIB), 64 * MIB);
	assert_int_equal(SENT(5 * TIB, 0, 5 * TIB), 5 * TIB);
	assert_int_equal(SENT(0, 0, 1), 0);
}

static void parts_grow_where_ten_thousand_would_not_do(void **state)
{
	CLEANUP(extents_release) struct extents dirty = EXTENTS_INIT;
	CLEANUP(partplan_release) struct partplan plan = PARTPLAN_INIT;

	(void)state;
	/* 100,000 changes, 50 MiB apart: together they must get along with 10,000 parts. */
	for (uint64_t i = 0; i < 100000; i++)
		assert_int_equal(extents_add(&dirty, i * 50 * MIB, i * 50 * MIB + 4096), 0);
	assert_int_equal(partplan_make(&dirty, 100000 * 50 * MIB, &s3, &plan), 0);
	check_plan(&plan, &dirty, 100000 * 50 * MIB, &s3);
}

static void what_no_parts_can_hold_is_refused(void **state)
{
	CLEANUP(extents_release) struct extents dirty = EXTENTS_INIT;
	CLEANUP(partplan_release) struct partplan plan = PARTPLAN_INIT;

	(void)state;
	assert_int_equal(partplan_make(&dirty, 60 * TIB, &s3, &plan), -EFBIG);
	assert_int_equal(plan.count, 0);
}

static uint64_t random_size(void)
{
	static const uint64_t most[] = { 4 * MIB, 64 * MIB, GIB, 100 * GIB, 5 * TIB };

	return 1 + random_below(most[random_below(ARRAY_SIZE(most))]);
}

/* Writes, cuts and holes as a program would make them; what is dirty afterwards, and the size. */
static uint64_t random_changes(struct extents *dirty)
{
	uint64_t size = random_size();

	for (uint64_t i = random_below(random_below(8) ? 20 : 2000); i > 0; i--) {
		uint64_t at = random_below(size), len = 1 + random_below(random_below(2) ? 128 << 10 : 20 * MIB);

		if (random_below(20) == 0) { /* cut, or grown by a hole */
			uint64_t to = random_below(3) ? at + 1 : size + random_below(64 * MIB);

			extents_truncate(dirty, to);
			if (to > size)
				assert_int_equal(extents_add(dirty, size, to), 0);
			size = to;
			continue;
		}
		at = random_below(4) ? at : size; /* often an append */
		assert_int_equal(extents_add(dirty, at, at + len), 0);
		size = at + len > size ? at + len : size;
	}
	return size > 5 * TIB ? 5 * TIB : size;
}

static void random_changes_are_planned_within_the_limits(void **state)
{
	(void)state;
	support_seed();
	for (unsigned i = 0; i < ROUNDS; i++) {
		CLEANUP(extents_release) struct extents dirty = EXTENTS_INIT;
		CLEANUP(partplan_release) struct partplan plan = PARTPLAN_INIT;
		struct partplan_limits limits = s3;
		uint64_t size = random_changes(&dirty);

		if (random_below(3) == 0)
			limits.send_bytes = MIB + random_below(GIB);
		assert_int_equal(partplan_make(&dirty, size, &limits, &plan), 0);
		check_plan(&plan, &dirty, size, &limits);
		if (dirty.count < 1000) /* else the number of parts may ask for larger ones */
			assert_true(plan.sent_bytes <= extents_covered(&dirty, 0, size) +
							       (uint64_t)dirty.count * 2 * limits.min_part_bytes);
	}
}

static void what_is_appended_is_sent_behind_the_whole_old_version(void **state)
{
	static const struct partplan_limits limits = { .max_part_bytes = GIB, .send_bytes = 8 * MIB, .max_parts = 4 };
	CLEANUP(extents_release) struct extents dirty = EXTENTS_INIT;
	CLEANUP(partplan_release) struct partplan plan = PARTPLAN_INIT;

	(void)state;
	assert_int_equal(partplan_append(&dirty, 10 * MIB, &limits, &plan), -EFBIG); /* nothing is dirty */
	assert_int_equal(extents_add(&dirty, 5 * GIB, 5 * GIB + 3), 0);
	assert_int_equal(partplan_append(&dirty, 5 * GIB + 3, &limits, &plan), 0);
	assert_int_equal(plan.count, 2);
	assert_int_equal(plan.parts[0].kind, PARTPLAN_COPY);
	assert_int_equal(plan.parts[0].end, 5 * GIB);
	assert_int_equal(plan.parts[1].end, 5 * GIB + 3);
	assert_int_equal(plan.sent_bytes, 3);
	assert_int_equal(extents_add(&dirty, 5 * GIB, 5 * GIB + 100 * MIB), 0);
	assert_int_equal(partplan_append(&dirty, 5 * GIB + 100 * MIB, &limits, &plan), 0);
	assert_in_range(plan.count, 2, 4); /* larger parts, since there may be few */
	assert_int_equal(plan.sent_bytes, 100 * MIB);
	assert_int_equal(plan.copied_bytes, 5 * GIB);
	/* Not to the end, and a change inside too. */
	assert_int_equal(partplan_append(&dirty, 6 * GIB, &limits, &plan), -EFBIG);
	assert_int_equal(extents_add(&dirty, 7, 8), 0);
	assert_int_equal(partplan_append(&dirty, 5 * GIB + 100 * MIB, &limits, &plan), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_append_sends_what_was_appended),
		cmocka_unit_test(an_overwrite_in_the_middle_sends_one_minimum_part),
		cmocka_unit_test(an_overwrite_near_an_end_takes_the_end_along),
		cmocka_unit_test(neighbours_go_together_where_that_is_cheaper),
		cmocka_unit_test(what_is_only_cut_off_is_copied),
		cmocka_unit_test(a_file_that_grew_by_a_hole_sends_the_hole),
		cmocka_unit_test(all_of_a_small_or_wholly_written_file_is_sent),
		cmocka_unit_test(parts_grow_where_ten_thousand_would_not_do),
		cmocka_unit_test(what_no_parts_can_hold_is_refused),
		cmocka_unit_test(random_changes_are_planned_within_the_limits),
		cmocka_unit_test(what_is_appended_is_sent_behind_the_whole_old_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
