#include "control/config.h"
#include "control/stores.h"
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

static char *dir, *file;

static int setup(void **state)
{
	(void)state;
	dir = fake_make_dir();
	file = str_format("%s/skydir.conf", dir);
	unsetenv("SKYDIR_CONFIG");
	unsetenv("FAKE_S3_KEY");
	setenv("XDG_CONFIG_HOME", dir, 1);
	setenv("XDG_DATA_HOME", dir, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(file);
	fake_remove_dir(dir);
	return 0;
}

static void a_file_gives_options_and_stores(void **state)
{
	CLEANUP(config_release) struct config c = CONFIG_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	fake_write(
		file,
		"[skydir]\ncache-size = 5G ; small\n\n[s3]\nregion = eu\n"
		"[minio]\ntype = s3\nendpoint = http://127.0.0.1:9000\nsecret-access-key = xyz\n",
		0600);
	assert_int_equal(config_load(file, &c, &err), 0);
	assert_true(c.has_file);
	assert_null(c.warning);
	assert_int_equal(c.options.cache_size, 5ull << 30);
	assert_int_equal(c.store_count, 2);
	assert_string_equal(c.stores[0].type, "s3");
	assert_string_equal(c.stores[1].name, "minio");
	assert_int_equal(c.stores[1].count, 2);
	assert_string_equal(c.stores[1].values[1].value, "xyz");
	assert_non_null(strstr(c.stores[1].values[1].origin, "skydir.conf:9"));
}

static void secrets_in_a_readable_file_are_warned_of(void **state)
{
	CLEANUP(config_release) struct config c = CONFIG_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	fake_write(file, "[s3]\nsecret-access-key = xyz\n", 0644);
	assert_int_equal(config_load(file, &c, &err), 0);
	assert_non_null(c.warning);
	assert_non_null(strstr(c.warning, "chmod 600"));
	assert_null(strstr(c.warning, "xyz"));
}

static void mistakes_name_file_line_and_key(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{"[skydir]\ncache-sise = 5G\n", "skydir.conf:2"},
		{"[skydir]\ncache-size = lots\n", "skydir.conf:2"},
		{"[s3]\n\nregoin = eu\n",
		 ":3: unknown key 'regoin' in [s3] (did you mean 'region'?)"},
		{"[s3]\nfrobnicate = 1\n", "a store of type 's3'"},
		{"[archive]\nregion = eu\n",
		 ":1: store 'archive' needs a 'type' (known: s3, local, alpha, beta, gamma, budget, telemetry)"},
		{"[archive]\ntype = gdrive\n", ":2: unknown type 'gdrive'"},
		{"region = eu\n", "before the first [section]"},
		{"[a/b]\ntype = s3\n", "cannot be the name of a directory"},
		{"[..]\ntype = s3\n", "cannot be the name of a directory"},
		{"[a\tb]\ntype = s3\n", "control character"},
		{"[0123456789012345678901234567890123456789012345678901234567890123456789]\ntype = "
		 "s3\n",
		 "at most 64"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(config_release) struct config c = CONFIG_INIT;
		struct error err = ERROR_INIT;

		fake_write(file, cases[i].text, 0600);
		assert_true(config_load(file, &c, &err) < 0);
		assert_int_equal(err.kind, ERR_CONFIG);
		if (!strstr(err.message, cases[i].part))
			fail_msg("'%s' does not hold '%s'", err.message, cases[i].part);
	}
}

static void a_file_that_was_asked_for_must_be_there(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	for (int i = 0; i < 3; i++) {
		CLEANUP(config_release) struct config c = CONFIG_INIT;

		if (i == 1)
			setenv("SKYDIR_CONFIG", "/nonexistent/skydir.conf", 1);
		if (i == 2)
			unsetenv("SKYDIR_CONFIG");
		if (i == 2)
			assert_int_equal(config_load(NULL, &c, &err), 0);
		else
			assert_true(config_load(i == 0 ? "/nonexistent/x" : NULL, &c, &err) < 0);
	}
}

static void secrets_on_the_command_line_are_refused(void **state)
{
	static const char *const lists[] = {"secret-access-key=hunter2", "ro,password=hunter2",
					    "Access-Key-ID=hunter2", "session-token=hunter2"};
	CLEANUP(config_release) struct config c = CONFIG_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(config_load(NULL, &c, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		assert_true(config_add_options(&c, lists[i], &err) < 0);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_null(strstr(err.message, "hunter2"));
	}
	assert_int_equal(config_add_options(&c, "ro,cache-size=1G", &err), 0);
	assert_true(c.options.read_only);
}

static void relative_paths_become_absolute(void **state)
{
	CLEANUP(config_release) struct config c = CONFIG_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(config_load(NULL, &c, &err), 0);
	assert_int_equal(config_add_options(&c, "cache-dir=some/cache,log-file=x.log", &err), 0);
	assert_int_equal(config_fix_paths(&c, &err), 0);
	assert_int_equal(c.options.cache_dir[0], '/');
	assert_int_equal(c.options.log_file[0], '/');
}

static void without_a_file_found_credentials_and_local_are_the_stores(void **state)
{
	CLEANUP(config_release) struct config c = CONFIG_INIT;
	struct error err = ERROR_INIT;
	struct store_plan plan;

	(void)state;
	assert_int_equal(config_load(NULL, &c, &err), 0);
	assert_int_equal(store_plan_make(&c, "/", &plan, &err), 0);
	assert_int_equal(plan.count, 1);
	assert_string_equal(plan.rows[0].name, "local");
	assert_true(store_plan_make(&c, "/s3/bucket", &plan, &err) < 0);
	assert_int_equal(err.kind, ERR_UNAUTHENTICATED);
	setenv("FAKE_S3_KEY", "1", 1);
	assert_int_equal(store_plan_make(&c, "/", &plan, &err), 0);
	assert_int_equal(plan.count, 2);
	assert_string_equal(plan.rows[0].name, "s3");
	assert_true(plan.rows[0].is_found);
	assert_int_equal(store_plan_make(&c, "/s3/bucket", &plan, &err), 0);
	assert_int_equal(plan.count, 1);
}

static void stores_of_a_file_are_those_and_local(void **state)
{
	CLEANUP(config_release) struct config c = CONFIG_INIT;
	CLEANUP(store_set_release) struct store_set set = STORE_SET_INIT;
	struct error err = ERROR_INIT;
	struct store_plan plan;

	(void)state;
	setenv("FAKE_S3_KEY", "1", 1);
	fake_write(file, "[minio]\ntype = s3\n[bad]\ntype = s3\nregion = broken\n", 0600);
	assert_int_equal(config_load(file, &c, &err), 0);
	assert_int_equal(store_plan_make(&c, "/", &plan, &err), 0);
	assert_int_equal(plan.count, 3);
	assert_string_equal(plan.rows[0].name, "minio");
	assert_string_equal(plan.rows[2].name, "local");
	assert_true(store_set_open(&plan, NULL, &set, &err) < 0);
	assert_non_null(strstr(err.message, "store 'bad'"));
	assert_int_equal(store_plan_make(&c, "//minio/bucket", &plan, &err), 0);
	assert_int_equal(store_set_open(&plan, NULL, &set, &err), 0);
	assert_int_equal(set.count, 1);
	assert_true(store_plan_make(&c, "/nope/bucket", &plan, &err) < 0);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.message, "minio, bad, local"));
	assert_true(store_plan_make(&c, "minio/bucket", &plan, &err) < 0);
	assert_int_equal(err.kind, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_gives_options_and_stores, setup, teardown),
		cmocka_unit_test_setup_teardown(secrets_in_a_readable_file_are_warned_of, setup,
						teardown),
		cmocka_unit_test_setup_teardown(mistakes_name_file_line_and_key, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_that_was_asked_for_must_be_there, setup,
						teardown),
		cmocka_unit_test_setup_teardown(secrets_on_the_command_line_are_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(relative_paths_become_absolute, setup, teardown),
		cmocka_unit_test_setup_teardown(
			without_a_file_found_credentials_and_local_are_the_stores, setup, teardown),
		cmocka_unit_test_setup_teardown(stores_of_a_file_are_those_and_local, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
