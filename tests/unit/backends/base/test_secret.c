#include "backends/base/secret.h"
#include "check.h"

static void a_secret_is_a_copy_of_its_own(void **state)
{
	(void)state;
	CLEANUP(secret_release) struct secret a = SECRET_INIT, b = SECRET_INIT;
	char text[] = "hush";
	assert_false(secret_is_set(&a));
	assert_string_equal(secret_str(&a).ptr, "");
	assert_int_equal(secret_set(&a, str_of(text)), 0);
	text[0] = 'X';
	assert_true(secret_is_set(&a));
	assert_string_equal(a.bytes, "hush");
	assert_int_equal(secret_copy(&b, &a), 0);
	assert_ptr_not_equal(a.bytes, b.bytes);
	assert_true(str_equal(secret_str(&b), STR("hush")));
	assert_int_equal(secret_copy(&b, &b), 0);
	assert_string_equal(b.bytes, "hush");
}

static void a_secret_may_be_set_from_a_part_of_itself(void **state)
{
	(void)state;
	CLEANUP(secret_release) struct secret a = SECRET_INIT;
	assert_int_equal(secret_set(&a, STR("Bearer token")), 0);
	assert_int_equal(secret_set(&a, (struct str){ a.bytes + 7, 5 }), 0);
	assert_string_equal(a.bytes, "token");
}

static void copying_none_gives_none_and_releasing_twice_is_fine(void **state)
{
	(void)state;
	struct secret a = SECRET_INIT, none = SECRET_INIT;
	assert_int_equal(secret_set(&a, STR("x")), 0);
	assert_int_equal(secret_copy(&a, &none), 0);
	assert_false(secret_is_set(&a));
	secret_release(&a);
	secret_release(&a);
	secret_release(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_is_a_copy_of_its_own),
		cmocka_unit_test(a_secret_may_be_set_from_a_part_of_itself),
		cmocka_unit_test(copying_none_gives_none_and_releasing_twice_is_fine),
	};
	return RUN(tests);
}
