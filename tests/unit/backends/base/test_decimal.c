#include "backends/base/decimal.h"
#include "check.h"

#include <errno.h>
#include <string.h>

static const char *shown(const char *text, unsigned least)
{
	static char out[DECIMAL_TEXT_MAX];
	struct decimal d = DECIMAL_ZERO;

	assert_int_equal(decimal_parse(str_of(text), &d), 0);
	decimal_format(&d, least, out);
	return out;
}

static void numbers_are_written_as_they_were_read(void **state)
{
	(void)state;
	assert_string_equal(shown("0", 0), "0");
	assert_string_equal(shown("-0.000", 0), "0");
	assert_string_equal(shown("12.50", 0), "12.5");
	assert_string_equal(shown("12.5", 2), "12.50");
	assert_string_equal(shown("100", 2), "100.00");
	assert_string_equal(shown("-0.3", 2), "-0.30");
	assert_string_equal(shown("0.0000062500", 2), "0.00000625");
	assert_string_equal(shown("2.4380000000000003e-05", 2), "0.000024380000000000003");
	assert_string_equal(shown("1.2E+3", 0), "1200");
	assert_string_equal(shown("1500E-2", 0), "15");
	assert_string_equal(shown("0E99", 0), "0");
	assert_string_equal(shown("123456789012345678901234567890123456", 2), "123456789012345678901234567890123456");
	assert_string_equal(shown("0.123456789012345678901234567890123456", 2), "0.123456789012345678901234567890123456");
	assert_string_equal(shown("1.00000000000000000000000000000000000000000000", 2), "1.00");
}

static void what_is_no_number_is_told(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "-", ".", ".5", "5.", "1..2", "1.2.3", "+1", "1e", "1e+", "1e5x", "NaN", "Infinity", "0x10", "1 ",
					   " 1", "1,5", "--1" };
	struct decimal d = { .units = 7 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(decimal_parse(str_of(bad[i]), &d), -EINVAL);
	assert_true(d.units == 7);
}

static void what_cannot_be_kept_exactly_is_told(void **state)
{
	(void)state;
	static const char *const bad[] = { "1234567890123456789012345678901234567", "1e40", "1e-40", "1e999999", "1e-999999",
					   "0.1234567890123456789012345678901234567" };
	struct decimal d = DECIMAL_ZERO, small = DECIMAL_ZERO;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(decimal_parse(str_of(bad[i]), &d), -ERANGE);
	assert_int_equal(decimal_parse(STR("99999999999999999999999999999999999"), &d), 0);
	assert_int_equal(decimal_parse(STR("0.0000001"), &small), 0);
	assert_int_equal(decimal_add(&d, &small), -ERANGE);
	assert_int_equal(decimal_times(&d, 100), -ERANGE);
}

static void sums_are_exact(void **state)
{
	(void)state;
	struct decimal sum = DECIMAL_ZERO, more;
	char text[DECIMAL_TEXT_MAX];

	assert_int_equal(decimal_parse(STR("0.1"), &more), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(decimal_add(&sum, &more), 0);
	decimal_format(&sum, 2, text);
	assert_string_equal(text, "100.00");
	assert_int_equal(decimal_parse(STR("-100.000000000000000000000000000000001"), &more), 0);
	assert_int_equal(decimal_add(&sum, &more), 0);
	decimal_format(&sum, 2, text);
	assert_string_equal(text, "-0.000000000000000000000000000000001");
	assert_int_equal(decimal_parse(STR("1e-05"), &sum), 0);
	assert_int_equal(decimal_times(&sum, 2048), 0);
	decimal_format(&sum, 0, text);
	assert_string_equal(text, "0.02048");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_written_as_they_were_read),
		cmocka_unit_test(what_is_no_number_is_told),
		cmocka_unit_test(what_cannot_be_kept_exactly_is_told),
		cmocka_unit_test(sums_are_exact),
	};
	return RUN(tests);
}
