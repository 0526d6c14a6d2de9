/* Guesses of keys: numbers go up as names do, and name and number stand for each other. */
#include "fs/keyguess.h"
#include "backends/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_name(const struct keyguess *g, uint64_t number, const char *want)
{
	CLEANUP(buf_release) struct buf name = BUF_INIT(256);

	assert_int_equal(keyguess_name(g, number, &name), 0);
	assert_string_equal(buf_cstr(&name), want);
}

static void counted_names_go_on_as_they_began(void **state)
{
	struct keyguess g = KEYGUESS_INIT;
	uint64_t first, last;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "object-%06u.jpg", i);
		keyguess_learn(&g, str_of(name));
	}
	assert_true(keyguess_settle(&g));
	first = keyguess_number(&g, str_of("object-000000.jpg"));
	last = keyguess_number(&g, str_of("object-000999.jpg"));
	assert_int_equal(first, 0);
	assert_int_equal(last, 999);
	assert_name(&g, last + 4000, "object-004999"); /* what all have behind it is no matter */
	assert_int_equal(g.most, 999999);
}

static void random_digits_are_known_from_where_they_vary(void **state)
{
	struct keyguess g = KEYGUESS_INIT;
	uint64_t last;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		char name[32];

		/* Of 16 times as many, those with a 0 come first. */
		(void)snprintf(name, sizeof(name), "0%07x", (unsigned)random_below(1u << 28));
		keyguess_learn(&g, str_of(name));
	}
	assert_true(keyguess_settle(&g));
	last = keyguess_number(&g, str_of("0fffffff"));
	assert_int_equal((g.most + 1) / (last + 1), 16);
	assert_int_equal(keyguess_number(&g, str_of("f0000000")), 15 * (last + 1));
}

static void names_that_are_all_one_tell_nothing(void **state)
{
	struct keyguess g = KEYGUESS_INIT;

	(void)state;
	assert_false(keyguess_settle(&g));
	keyguess_learn(&g, str_of("only"));
	assert_false(keyguess_settle(&g));
	g = KEYGUESS_INIT;
	keyguess_learn(&g, str_of("\xd1\x84\xd0\xbe\xd1\x82\xd0\xbe"));
	keyguess_learn(&g, str_of("\xd1\x84\xd0\xb0"));
	assert_false(keyguess_settle(&g)); /* nor is a guess made within a character */
}

static void random_name(char *name, size_t room, const char *bytes)
{
	size_t len = random_below(room - 1);

	for (size_t i = 0; i < len; i++)
		name[i] = bytes[random_below(strlen(bytes))];
	name[len] = '\0';
}

static void numbers_go_up_as_names_do(void **state)
{
	static const char *const kinds[] = { "01", "0123456789", "0189af", "ab/-.9", "\x01 ~\x7f\xff""a", "aZ09_-/" };

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		struct keyguess g = KEYGUESS_INIT;
		const char *kind = kinds[random_below(ARRAY_SIZE(kinds))];
		char a[90], b[90];

		for (unsigned i = 0; i < 20; i++) {
			random_name(a, sizeof(a), kind);
			keyguess_learn(&g, str_of(a));
		}
		if (!keyguess_settle(&g))
			continue;
		for (unsigned i = 0; i < 200; i++) {
			uint64_t number = random_below(g.most + 1);
			CLEANUP(buf_release) struct buf name = BUF_INIT(256);

			random_name(a, sizeof(a), kinds[random_below(ARRAY_SIZE(kinds))]);
			random_name(b, sizeof(b), kind);
			if (strcmp(a, b) < 0)
				assert_true(keyguess_number(&g, str_of(a)) <= keyguess_number(&g, str_of(b)));
			else
				assert_true(keyguess_number(&g, str_of(a)) >= keyguess_number(&g, str_of(b)));
			assert_true(keyguess_number(&g, str_of(a)) <= g.most);
			assert_int_equal(keyguess_name(&g, number, &name), 0);
			assert_int_equal(keyguess_number(&g, buf_str(&name)), number);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counted_names_go_on_as_they_began),
		cmocka_unit_test(random_digits_are_known_from_where_they_vary),
		cmocka_unit_test(names_that_are_all_one_tell_nothing),
		cmocka_unit_test(numbers_go_up_as_names_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
