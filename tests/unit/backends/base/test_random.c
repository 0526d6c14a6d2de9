#include "backends/base/random.h"
#include "check.h"
#include <string.h>

static void the_same_seed_gives_the_same_sequence(void **state)
{
	(void)state;
	unsigned char a[37], b[37];
	random_seed(42);
	random_bytes(a, sizeof(a));
	uint64_t next = random_u64();
	random_seed(42);
	random_bytes(b, sizeof(b));
	assert_memory_equal(a, b, sizeof(a));
	assert_true(random_u64() == next);
	random_seed(43);
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	random_seed(0);
}

static void the_kernel_gives_different_bytes_each_time(void **state)
{
	(void)state;
	unsigned char a[32], b[32];
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	random_bytes(a, 0);
}

static void numbers_stay_below_the_bound_and_reach_all_of_it(void **state)
{
	(void)state;
	unsigned seen[7] = {0};
	random_seed(1);
	for (int i = 0; i < 7000; i++) {
		uint64_t n = random_below(7);
		assert_true(n < 7);
		seen[n]++;
	}
	for (int i = 0; i < 7; i++)
		assert_in_range(seen[i], 800, 1200);
	assert_int_equal(random_below(0), 0);
	assert_int_equal(random_below(1), 0);
	for (int i = 0; i < 100; i++)
		assert_true(random_below(UINT64_MAX) < UINT64_MAX);
	random_seed(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_sequence),
		cmocka_unit_test(the_kernel_gives_different_bytes_each_time),
		cmocka_unit_test(numbers_stay_below_the_bound_and_reach_all_of_it),
	};
	return RUN(tests);
}
