#include "backends/base/buf.h"
#include "backends/base/settings.h"
#include "check.h"

static struct provider_value value_of(const char *key, const char *value)
{
	return (struct provider_value){ .key = key, .value = value, .origin = "skydir.conf:3" };
}

static void a_flag_is_yes_or_no(void **state)
{
	struct provider_value yes = value_of("anonymous", " Yes "), bad = value_of("anonymous", "maybe");
	struct error err = ERROR_INIT;
	bool is_on = false;

	(void)state;
	assert_int_equal(setting_flag(&yes, &is_on, &err), 0);
	assert_true(is_on);
	assert_true(setting_flag(&bad, &is_on, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_string_equal(err.message, "skydir.conf:3: anonymous must be yes or no, not 'maybe'");
}

static void a_choice_is_yes_no_or_auto(void **state)
{
	static const struct {
		const char *text;
		enum setting_choice choice;
	} rows[] = { { "auto", SETTING_AUTO }, { "AUTO ", SETTING_AUTO }, { "on", SETTING_YES }, { "no", SETTING_NO } };
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct provider_value v = value_of("path-style", rows[i].text);
		enum setting_choice choice = SETTING_AUTO;

		assert_int_equal(setting_choice(&v, &choice, &err), 0);
		assert_int_equal(choice, rows[i].choice);
	}
	assert_true(setting_choice(&(struct provider_value){ .key = "path-style", .value = "" }, &(enum setting_choice){ 0 }, &err) <
		    0);
	assert_string_equal(err.message, "options: path-style must be yes, no or auto, not ''");
}

static void a_rate_is_a_number_within_reason(void **state)
{
	static const char *const bad[] = { "", "x", "5x", "-1", "nan", "inf", "1e7" };
	struct provider_value v = value_of("rate-limit", "2.5");
	struct error err = ERROR_INIT;
	double rate = 0;

	(void)state;
	assert_int_equal(setting_rate(&v, &rate, &err), 0);
	assert_true(rate == 2.5);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		v.value = bad[i];
		assert_true(setting_rate(&v, &rate, &err) < 0);
		assert_int_equal(err.kind, ERR_CONFIG);
	}
	assert_true(rate == 2.5);
}

static void an_empty_text_is_none_and_an_unknown_key_is_named(void **state)
{
	const char *endpoint = "x", *region = NULL;
	const struct setting_text rows[] = { { "endpoint", &endpoint }, { "region", &region } };
	struct provider_value empty = value_of("endpoint", ""), full = value_of("region", "r"), other = value_of("colour", "red");
	struct error err = ERROR_INIT;

	(void)state;
	assert_true(setting_text(&empty, rows, ARRAY_SIZE(rows)));
	assert_null(endpoint);
	assert_true(setting_text(&full, rows, ARRAY_SIZE(rows)));
	assert_string_equal(region, "r");
	assert_false(setting_text(&other, rows, ARRAY_SIZE(rows)));
	assert_true(setting_unknown(&other, "s3", &err) < 0);
	assert_string_equal(err.message, "skydir.conf:3: a store of type s3 has no option 'colour'");
}

static void a_name_is_shown_short_and_printable(void **state)
{
	char shown[12];

	(void)state;
	str_show("a\nb\x7f", shown, sizeof(shown));
	assert_string_equal(shown, "a?b?");
	str_show("12345678901", shown, sizeof(shown));
	assert_string_equal(shown, "12345678901");
	str_show("1234567\xc3\xbc" "890", shown, sizeof(shown)); /* cut before the two bytes of one character */
	assert_string_equal(shown, "1234567...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flag_is_yes_or_no),
		cmocka_unit_test(a_choice_is_yes_no_or_auto),
		cmocka_unit_test(a_rate_is_a_number_within_reason),
		cmocka_unit_test(an_empty_text_is_none_and_an_unknown_key_is_named),
		cmocka_unit_test(a_name_is_shown_short_and_printable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
