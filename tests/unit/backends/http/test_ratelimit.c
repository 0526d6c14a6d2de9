#include "backends/http/ratelimit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void a_burst_goes_at_once_and_then_one_by_one(void **state)
{
	struct ratelimit r;

	(void)state;
	ratelimit_init(&r, 10, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ratelimit_take(&r, 1000), 0);
	assert_int_equal(ratelimit_take(&r, 1000), 100);
	assert_int_equal(ratelimit_take(&r, 1000), 200);
	assert_int_equal(ratelimit_take(&r, 1200), 100);
	assert_int_equal(ratelimit_take(&r, 2000), 0);
}

static void time_fills_no_more_than_the_burst(void **state)
{
	struct ratelimit r;

	(void)state;
	ratelimit_init(&r, 10, 2);
	assert_int_equal(ratelimit_take(&r, 1000000), 0);
	assert_int_equal(ratelimit_take(&r, 1000000), 0);
	assert_int_equal(ratelimit_take(&r, 1000000), 100);
}

static void rate_zero_is_no_limit(void **state)
{
	struct ratelimit r;

	(void)state;
	ratelimit_init(&r, 0, 0);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(ratelimit_take(&r, 5), 0);
}

static void a_throttled_answer_halves_the_rate_once_for_all_under_way(void **state)
{
	struct ratelimit r;

	(void)state;
	ratelimit_init(&r, 10, 1);
	assert_int_equal(ratelimit_take(&r, 1000), 0);
	for (int i = 0; i < 50; i++)
		ratelimit_throttled(&r, 1000, 0);
	assert_int_equal(ratelimit_take(&r, 1000), 200);
	ratelimit_throttled(&r, 3000, 0);
	assert_true(r.current_rate < 4);
	assert_true(r.current_rate > 2);
}

static void the_rate_rises_back_in_ten_seconds_and_has_a_floor(void **state)
{
	struct ratelimit r;

	(void)state;
	ratelimit_init(&r, 64, 1);
	for (uint64_t t = 1; t <= 20; t++)
		ratelimit_throttled(&r, t * 1000, 0);
	assert_true(r.current_rate >= 1);
	assert_true(r.current_rate < 16);
	(void)ratelimit_take(&r, 60000);
	assert_true(r.current_rate == 64);
}

static void retry_after_shuts_the_bucket_for_everyone(void **state)
{
	struct ratelimit limited, unlimited;

	(void)state;
	ratelimit_init(&limited, 100, 10);
	ratelimit_throttled(&limited, 1000, 2000);
	assert_true(ratelimit_take(&limited, 1000) >= 2000);
	assert_true(ratelimit_take(&limited, 2000) >= 1000);
	ratelimit_init(&unlimited, 0, 0);
	ratelimit_throttled(&unlimited, 1000, 2000);
	assert_int_equal(ratelimit_take(&unlimited, 1500), 1500);
	assert_int_equal(ratelimit_take(&unlimited, 3000), 0);
	ratelimit_throttled(&unlimited, 3000, 999999999);
	assert_int_equal(ratelimit_take(&unlimited, 3000), 120000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_goes_at_once_and_then_one_by_one),
		cmocka_unit_test(time_fills_no_more_than_the_burst),
		cmocka_unit_test(rate_zero_is_no_limit),
		cmocka_unit_test(a_throttled_answer_halves_the_rate_once_for_all_under_way),
		cmocka_unit_test(the_rate_rises_back_in_ten_seconds_and_has_a_floor),
		cmocka_unit_test(retry_after_shuts_the_bucket_for_everyone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
