#include "backends/base/arena.h"
#include "check.h"

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
	(void)state;
	CLEANUP(arena_release) struct arena a = ARENA_INIT(1 << 20);
	unsigned char *last = NULL;
	for (size_t size = 0; size < 300; size++) {
		unsigned char *p = arena_alloc(&a, size);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		assert_ptr_not_equal(p, last);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
		last = p;
	}
}

static void never_more_than_the_limit_is_handed_out(void **state)
{
	(void)state;
	CLEANUP(arena_release) struct arena a = ARENA_INIT(1000);
	assert_null(arena_alloc(&a, 1001));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 8));
	assert_non_null(arena_alloc(&a, 900));
	assert_null(arena_alloc(&a, 100));
	assert_non_null(arena_alloc(&a, 16));
	assert_null(arena_strndup(&a, "x", SIZE_MAX));
}

static void big_pieces_do_not_waste_the_block_being_filled(void **state)
{
	(void)state;
	CLEANUP(arena_release) struct arena a = ARENA_INIT(1 << 20);
	char *first = arena_alloc(&a, 16);
	assert_non_null(arena_alloc(&a, 100000));
	char *second = arena_alloc(&a, 16);
	assert_ptr_equal(second, first + 16);
}

static void absorbing_keeps_pointers_good_and_empties_the_other(void **state)
{
	(void)state;
	CLEANUP(arena_release) struct arena into = ARENA_INIT(1 << 20);
	struct arena from = ARENA_INIT(1 << 20);
	const char *kept = arena_strdup(&from, "kept");
	assert_non_null(arena_alloc(&from, 50000));
	const char *mine = arena_strndup(&into, "mine!", 4);
	size_t sum = into.used + from.used;
	arena_absorb(&into, &from);
	assert_null(from.blocks);
	assert_int_equal(from.used, 0);
	assert_int_equal(into.used, sum);
	arena_release(&from);
	assert_string_equal(kept, "kept");
	assert_string_equal(mine, "mine");
	arena_absorb(&into, &from); /* of nothing */
	struct arena empty = ARENA_INIT(100);
	arena_absorb(&empty, &into);
	assert_string_equal(kept, "kept");
	arena_release(&empty);
	arena_release(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
		cmocka_unit_test(never_more_than_the_limit_is_handed_out),
		cmocka_unit_test(big_pieces_do_not_waste_the_block_being_filled),
		cmocka_unit_test(absorbing_keeps_pointers_good_and_empties_the_other),
	};
	return RUN(tests);
}
