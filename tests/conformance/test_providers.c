/* The table of providers, and the row of the directory store. */
#include "backends/local/local_provider.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

static const char *no_environment(const char *name)
{
	(void)name;
	return NULL;
}

static struct backend_context context_of(const char *home)
{
	return (struct backend_context){ .getenv = no_environment,
					 .home = home,
					 .xdg_data_home = home };
}

static void every_row_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; providers[i]; i++) {
		assert_non_null(providers[i]->type);
		assert_non_null(providers[i]->summary);
		assert_non_null(providers[i]->is_configured);
		assert_non_null(providers[i]->store_new);
		assert_ptr_equal(provider_find(providers[i]->type), providers[i]);
		for (const struct provider_option *o = providers[i]->options; o->key; o++)
			assert_non_null(o->help);
	}
	assert_null(provider_find("nothing"));
}

static void wrong_settings_are_named(void **state)
{
	struct backend_context context = context_of("/nonexistent");
	const struct provider_value unknown = { "colour", "red", "skydir.conf:3" };
	const struct provider_value relative = { "root", "some/where", "skydir.conf:4" };
	const struct provider_value maybe = { "fsync", "perhaps", "skydir.conf:5" };
	struct store *store = NULL;
	struct error err;

	(void)state;
	assert_true(provider_store_new(&context, "nothing", "x", NULL, 0, &store, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_true(provider_store_new(&context, "local", "x", &unknown, 1, &store, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.message, "skydir.conf:3"));
	assert_non_null(strstr(err.message, "colour"));
	assert_true(provider_store_new(&context, "local", "x", &relative, 1, &store, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.message, "skydir.conf:4"));
	assert_true(provider_store_new(&context, "local", "x", &maybe, 1, &store, &err) < 0);
	assert_non_null(strstr(err.message, "skydir.conf:5"));
	assert_null(store);
}

static void the_directory_store_needs_no_settings(void **state)
{
	char home[] = "/tmp/skydir-providers-XXXXXX", path[96];
	struct backend_context context;
	struct store *store = NULL;
	struct stat st;
	struct error err;

	(void)state;
	assert_non_null(mkdtemp(home));
	context = context_of(home);
	assert_true(provider_local.is_configured(&context));
	assert_int_equal(provider_store_new(&context, "local", "here", NULL, 0, &store, &err), 0);
	assert_string_equal(store->name, "here");
	store_free(store);
	(void)snprintf(path, sizeof(path), "%s/skydir/local", home);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	(void)snprintf(path, sizeof(path), "rm -rf '%s'", home);
	assert_int_equal(system(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_whole),
		cmocka_unit_test(wrong_settings_are_named),
		cmocka_unit_test(the_directory_store_needs_no_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
