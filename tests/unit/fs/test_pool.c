/* Pieces of memory of many sizes: each is its own, and what was freed goes back. */
#include "fs/pool.h"
#include "backends/base/random.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MANY 20000u

static bool holds_only(const unsigned char *piece, size_t bytes, unsigned char value)
{
	for (size_t i = 0; i < bytes; i++)
		if (piece[i] != value)
			return false;
	return true;
}

static void pieces_of_all_sizes_are_zeroed_apart_and_found_by_their_numbers(void **state)
{
	CLEANUP(pool_release) struct pool pool = POOL_INIT;
	unsigned char *pieces[POOL_PIECE_MAX];

	(void)state;
	for (size_t round = 0; round < 2; round++) {
		for (size_t bytes = 1; bytes <= POOL_PIECE_MAX; bytes++) {
			unsigned char *piece = pool_alloc(&pool, bytes);

			assert_non_null(piece);
			assert_int_equal((uintptr_t)piece % 8, 0);
			assert_true(pool_piece_bytes(piece) >= bytes && pool_piece_bytes(piece) < bytes + 8);
			assert_true(holds_only(piece, pool_piece_bytes(piece), 0));
			memset(piece, (int)(bytes % 251 + 1), pool_piece_bytes(piece));
			pieces[bytes - 1] = piece;
		}
		for (size_t bytes = 1; bytes <= POOL_PIECE_MAX; bytes++) {
			unsigned char *piece = pieces[bytes - 1];

			assert_true(holds_only(piece, pool_piece_bytes(piece), (unsigned char)(bytes % 251 + 1)));
			assert_ptr_equal(pool_piece(&pool, pool_number(piece)), piece);
			assert_ptr_equal(pool_of(piece), &pool);
			pool_free(&pool, piece);
		}
	}
	assert_int_equal(pool_number(NULL), 0);
	assert_null(pool_piece(&pool, 0));
	pool_free(&pool, NULL);
}

static void pieces_made_and_freed_in_any_order_stay_apart(void **state)
{
	CLEANUP(pool_release) struct pool pool = POOL_INIT;
	static uint32_t *pieces[MANY];

	(void)state;
	for (size_t i = 0; i < 8 * (size_t)MANY; i++) {
		size_t at = random_below(MANY), words = 1 + random_below(POOL_PIECE_MAX / 4 - 1);

		if (pieces[at]) {
			assert_int_equal(pieces[at][0], at);
			pool_free(&pool, pieces[at]);
			pieces[at] = NULL;
			continue;
		}
		pieces[at] = pool_alloc(&pool, words * 4);
		assert_non_null(pieces[at]);
		assert_true(holds_only((unsigned char *)pieces[at], pool_piece_bytes(pieces[at]), 0));
		pieces[at][0] = (uint32_t)at;
		assert_ptr_equal(pool_piece(&pool, pool_number(pieces[at])), pieces[at]);
	}
	for (size_t i = 0; i < MANY; i++) {
		if (pieces[i])
			assert_int_equal(pieces[i][0], i);
		pool_free(&pool, pieces[i]);
		pieces[i] = NULL;
	}
	assert_true(pool.held_bytes < 2u << 20);
}

static void what_is_freed_goes_back_to_the_system(void **state)
{
	CLEANUP(pool_release) struct pool pool = POOL_INIT;
	static void *pieces[MANY];
	uint64_t most;

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		assert_non_null(pieces[i] = pool_alloc(&pool, 168));
	most = pool.held_bytes;
	assert_true(most < MANY * 171u + (32u << 10)); /* what heads and the ends of slabs take */
	for (size_t i = 0; i < MANY / 2; i++)
		pool_free(&pool, pieces[i]);
	assert_true(pool.held_bytes < most / 2 + (128u << 10));
	for (size_t i = MANY / 2; i < MANY; i++)
		pool_free(&pool, pieces[i]);
	assert_true(pool.held_bytes < 128u << 10);
	for (size_t i = 0; i < MANY; i++)
		assert_non_null(pieces[i] = pool_alloc(&pool, 168));
	assert_true(pool.held_bytes <= most + (64u << 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_all_sizes_are_zeroed_apart_and_found_by_their_numbers),
		cmocka_unit_test(pieces_made_and_freed_in_any_order_stay_apart),
		cmocka_unit_test(what_is_freed_goes_back_to_the_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
