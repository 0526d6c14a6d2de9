/* Prefetching by simulation: readers of several kinds, and what is planned for them. */
#include "fs/prefetch.h"

#include "backends/base/random.h"
#include "tests/unit/fs/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KIB	   1024ull
#define MIB	   (1024 * KIB)
#define GIB	   (1024 * MIB)
#define REQUEST	   (128 * KIB)
#define MAX_WINDOW (64 * MIB)

struct watch {
	struct prefetch prefetch;
	uint64_t file_size;
	uint64_t planned; /* bytes in all */
	uint64_t longest; /* plan */
};

/* One read; the rules that every plan must keep. */
static struct prefetch_plan watch_read(struct watch *w, uint64_t offset, uint64_t len)
{
	struct prefetch_plan plan =
		prefetch_read(&w->prefetch, offset, len, w->file_size, MAX_WINDOW);
	uint64_t end = offset + len < w->file_size ? offset + len : w->file_size;

	assert_true(plan.start <= plan.end);
	assert_true(plan.end <= w->file_size || plan.start == plan.end);
	if (plan.start < plan.end) {
		assert_true(plan.start >= end);
		assert_true(plan.is_sequential);
		assert_true(plan.end - plan.start <= MAX_WINDOW);
		w->planned += plan.end - plan.start;
		if (plan.end - plan.start > w->longest)
			w->longest = plan.end - plan.start;
	}
	return plan;
}

static void watch_init(struct watch *w, uint64_t file_size)
{
	*w = (struct watch){.file_size = file_size};
	prefetch_init(&w->prefetch);
}

static void a_sequential_reader_gets_everything_once_and_the_largest_window(void **state)
{
	struct watch w;
	uint64_t planned_to = REQUEST, most_ahead = 0;

	(void)state;
	watch_init(&w, GIB);
	for (uint64_t at = 0; at < GIB; at += REQUEST) {
		struct prefetch_plan plan = watch_read(&w, at, REQUEST);

		if (plan.start == plan.end)
			continue;
		assert_int_equal(plan.start, planned_to); /* no gap, no byte twice */
		planned_to = plan.end;
		if (planned_to - at - REQUEST > most_ahead)
			most_ahead = planned_to - at - REQUEST;
	}
	assert_int_equal(planned_to, GIB);
	assert_int_equal(w.planned, GIB - REQUEST);
	assert_int_equal(most_ahead, MAX_WINDOW);
}

static void the_first_window_is_one_mebibyte_or_the_whole_file(void **state)
{
	struct watch w;
	struct prefetch_plan plan;

	(void)state;
	watch_init(&w, GIB);
	plan = watch_read(&w, 0, REQUEST);
	assert_int_equal(plan.start, REQUEST);
	assert_int_equal(plan.end, REQUEST + MIB);
	watch_init(&w, 300 * KIB);
	plan = watch_read(&w, 0, 4 * KIB);
	assert_int_equal(plan.start, 4 * KIB);
	assert_int_equal(plan.end, 300 * KIB);
}

static void a_read_in_the_middle_is_sequential_from_the_second_on(void **state)
{
	struct watch w;
	struct prefetch_plan plan;

	(void)state;
	watch_init(&w, GIB);
	plan = watch_read(&w, 500 * MIB, REQUEST);
	assert_int_equal(plan.start, plan.end);
	assert_false(plan.is_sequential);
	plan = watch_read(&w, 500 * MIB + REQUEST, REQUEST);
	assert_int_equal(plan.start, 500 * MIB + 2 * REQUEST);
	assert_int_equal(plan.end, plan.start + MIB);
}

static void four_interleaved_readers_each_get_their_own_window(void **state)
{
	struct watch w;
	uint64_t planned_to[4];

	(void)state;
	watch_init(&w, 4 * GIB);
	for (unsigned i = 0; i < 4; i++)
		planned_to[i] = 0;
	for (uint64_t step = 0; step < GIB / REQUEST / 2; step++) {
		for (unsigned i = 0; i < 4; i++) {
			struct prefetch_plan plan =
				watch_read(&w, i * GIB + step * REQUEST, REQUEST);

			if (plan.start == plan.end)
				continue;
			if (planned_to[i])
				assert_int_equal(plan.start, planned_to[i]);
			planned_to[i] = plan.end;
		}
	}
	for (unsigned i = 0; i < 4; i++)
		assert_true(planned_to[i] >= i * GIB + GIB / 2 + MAX_WINDOW / 2);
}

static void random_small_reads_get_nothing(void **state)
{
	struct watch w;

	(void)state;
	support_seed();
	watch_init(&w, GIB);
	for (int i = 0; i < 100000;
	     i++) { /* odd pages only: two reads are never adjacent by chance */
		uint64_t offset = (random_below(GIB / (8 * KIB)) * 2 + 1) * 4 * KIB;
		struct prefetch_plan plan = watch_read(&w, offset, 4 * KIB);

		assert_int_equal(plan.start, plan.end);
	}
}

static void random_big_reads_get_next_to_nothing(void **state)
{
	struct watch w = {0};
	uint64_t planned = 0;
	const unsigned files = 500, reads = 200;

	(void)state;
	support_seed();
	for (unsigned f = 0; f < files; f++) {
		watch_init(&w, GIB / 2);
		for (unsigned i = 0; i < reads; i++)
			watch_read(&w, random_below(GIB / 2 / REQUEST) * REQUEST, REQUEST);
		planned += w.planned;
	}
	/* What begins exactly where one of the last four ended: a thousandth of the reads. When any
	 * read near them began a window, a twelfth more was fetched than was asked for. */
	assert_true(planned < files * reads * REQUEST / 25);
}

static void a_random_reader_does_not_stop_a_sequential_one(void **state)
{
	struct watch w;
	uint64_t planned_to = 0;

	(void)state;
	support_seed();
	watch_init(&w, 64 * GIB);
	for (uint64_t at = 0; at < GIB; at += REQUEST) {
		struct prefetch_plan plan = watch_read(&w, at, REQUEST);

		if (plan.start < plan.end) {
			if (planned_to)
				assert_int_equal(plan.start, planned_to);
			planned_to = plan.end;
		}
		for (int i = 0; i < 5;
		     i++) /* never within reach of the sequential reader, nor adjacent */
			(void)watch_read(&w,
					 2 * GIB + (random_below(60 * GIB / (8 * KIB)) * 2 + 1) *
							   4 * KIB,
					 4 * KIB);
	}
	assert_true(planned_to >= GIB + MAX_WINDOW / 2);
}

static void a_backward_reader_gets_nothing(void **state)
{
	struct watch w;

	(void)state;
	watch_init(&w, GIB);
	for (uint64_t at = GIB - REQUEST; at >= 2 * MIB; at -= REQUEST)
		(void)watch_read(&w, at, REQUEST);
	assert_int_equal(w.planned, 0);
}

static void requests_that_overtake_each_other_stay_one_stream(void **state)
{
	struct watch w;
	uint64_t planned_to = 0;

	(void)state;
	support_seed();
	watch_init(&w, GIB);
	for (uint64_t at = 0; at < GIB; at += 4 * REQUEST) {
		unsigned order[4] = {0, 1, 2, 3};

		for (unsigned i = 3; i > 0; i--) {
			unsigned k = (unsigned)random_below(i + 1), other = order[i];

			order[i] = order[k];
			order[k] = other;
		}
		for (unsigned i = 0; i < 4; i++) {
			struct prefetch_plan plan =
				watch_read(&w, at + order[i] * REQUEST, REQUEST);

			if (plan.start == plan.end)
				continue;
			assert_true(plan.start >= planned_to); /* no byte twice */
			planned_to = plan.end;
		}
	}
	assert_int_equal(planned_to, GIB);
	assert_true(w.longest >= MAX_WINDOW / 2);
	assert_true(w.planned > GIB - 2 * MIB);
}

static void hostile_numbers_plan_nothing_outside_the_file(void **state)
{
	struct prefetch p;

	(void)state;
	support_seed();
	prefetch_init(&p);
	for (int i = 0; i < 200000; i++) {
		uint64_t shift = random_below(64), size = random_u64() >> random_below(64);
		uint64_t offset = random_u64() >> shift, len = random_u64() >> random_below(64);
		uint64_t window = random_u64() >> random_below(64);
		struct prefetch_plan plan = prefetch_read(&p, offset, len, size, window);

		assert_true(plan.start <= plan.end);
		assert_true(plan.end <= size);
		assert_true(plan.end - plan.start <= window || plan.start == plan.end);
	}
	assert_int_equal(prefetch_read(&p, 0, 100, 1000, 0).end, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sequential_reader_gets_everything_once_and_the_largest_window),
		cmocka_unit_test(the_first_window_is_one_mebibyte_or_the_whole_file),
		cmocka_unit_test(a_read_in_the_middle_is_sequential_from_the_second_on),
		cmocka_unit_test(four_interleaved_readers_each_get_their_own_window),
		cmocka_unit_test(random_small_reads_get_nothing),
		cmocka_unit_test(random_big_reads_get_next_to_nothing),
		cmocka_unit_test(a_random_reader_does_not_stop_a_sequential_one),
		cmocka_unit_test(a_backward_reader_gets_nothing),
		cmocka_unit_test(requests_that_overtake_each_other_stay_one_stream),
		cmocka_unit_test(hostile_numbers_plan_nothing_outside_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
