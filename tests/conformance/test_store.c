/*
 * The suite over every store there is: the directory, the directory without extended attributes, and S3 when
 * SKYDIR_TEST_S3_ENDPOINT, SKYDIR_TEST_S3_KEY and SKYDIR_TEST_S3_SECRET are set (SKYDIR_TEST_S3_REGION and
 * SKYDIR_TEST_S3_CONDITIONS, yes by default, may be; SKYDIR_TEST_S3_LAX for servers that ignore checks, as moto
 * does); Ceph when SKYDIR_TEST_CEPH_ENDPOINT, _KEY and _SECRET are; GCS when SKYDIR_TEST_GCS_ENDPOINT (fake-gcs-server) or SKYDIR_TEST_GCS_CONTRACT and SKYDIR_TEST_GCS_CREDENTIALS
 * are; Azure when SKYDIR_TEST_AZURE_CONNECTION (Azurite) and SKYDIR_TEST_AZURE_CONTRACT (the contract server) hold
 * connection strings. SKYDIR_TEST_ONLY=PATTERN runs the tests that match.
 */
#include "backends/local/local.h"
#include "backends/providers.h"
#include "backends/store/layer_prefix.h"
#include "backends/store/layer_trace.h"
#include "tests/conformance/suite.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct test_list *const lists[] = {
	&suite_object_tests,	&suite_key_tests,     &suite_list_tests,
	&suite_condition_tests, &suite_copy_tests,    &suite_multipart_tests,
	&suite_bucket_tests,	&suite_version_tests, &suite_native_tests,
};

static int run_all(const char *title, const struct suite *settings)
{
	struct CMUnitTest all[128];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		assert_true(count + lists[i]->count <= ARRAY_SIZE(all));
		memcpy(all + count, lists[i]->tests, lists[i]->count * sizeof(*all));
		count += lists[i]->count;
	}
	suite_use(settings);
	return _cmocka_run_group_tests(title, all, count, NULL, NULL);
}

static const char *set_or(const char *name, const char *fallback)
{
	const char *value = getenv(name);

	return value && *value ? value : fallback;
}

static const char *environment(const char *name)
{
	return getenv(name);
}

/* A store over the network; `settings` without the store itself. */
static int run_remote(const char *home, const char *type, const char *title,
		      const struct provider_value *values, size_t count,
		      const struct suite *settings)
{
	struct http_engine_options options = { 0 };
	struct backend_context context = { .getenv = environment,
					   .home = home,
					   .xdg_data_home = home };
	struct suite suite = *settings;
	struct error err = ERROR_INIT;
	int failed;

	if (http_engine_new(&options, &context.engine, &err) < 0 ||
	    provider_store_new(&context, type, type, values, count, &suite.store, &err) < 0) {
		print_error("%s: %s\n", title, err.message);
		http_engine_free(context.engine);
		return 1;
	}
	suite.key_max = STORE_KEY_MAX;
	failed = run_all(title, &suite);
	store_free(suite.store);
	http_engine_free(context.engine);
	return failed;
}

/* Ceph's gateway keeps no conditions: left to find that out by itself, as every server of a user. */
static int run_ceph(const char *home)
{
	const char *endpoint = set_or("SKYDIR_TEST_CEPH_ENDPOINT", NULL);
	struct provider_value values[] = {
		{ "endpoint", endpoint, "test" },
		{ "access-key-id", set_or("SKYDIR_TEST_CEPH_KEY", ""), "test" },
		{ "secret-access-key", set_or("SKYDIR_TEST_CEPH_SECRET", ""), "test" },
		{ "region", "us-east-1", "test" },
	};

	if (!endpoint) {
		print_message("Ceph: not tested, SKYDIR_TEST_CEPH_ENDPOINT is not set\n");
		return 0;
	}
	return run_remote(home, "s3", "s3 (Ceph)", values, ARRAY_SIZE(values), &(struct suite){ .store = NULL });
}

static int run_s3(const char *home)
{
	const char *endpoint = set_or("SKYDIR_TEST_S3_ENDPOINT", NULL);
	struct provider_value values[] = {
		{ "endpoint", endpoint, "test" },
		{ "access-key-id", set_or("SKYDIR_TEST_S3_KEY", ""), "test" },
		{ "secret-access-key", set_or("SKYDIR_TEST_S3_SECRET", ""), "test" },
		{ "region", set_or("SKYDIR_TEST_S3_REGION", "us-east-1"), "test" },
		{ "conditional-writes", set_or("SKYDIR_TEST_S3_CONDITIONS", "yes"), "test" },
	};

	if (!endpoint) {
		print_message("S3: not tested, SKYDIR_TEST_S3_ENDPOINT is not set\n");
		return 0;
	}
	return run_remote(home, "s3", "s3", values, ARRAY_SIZE(values),
			  &(struct suite){ .is_lax = getenv("SKYDIR_TEST_S3_LAX") != NULL });
}

/* fake-gcs-server, which knows no credentials and ignores most conditions, and the contract server, which is strict. */
static int run_gcs(const char *home)
{
	const char *lax = set_or("SKYDIR_TEST_GCS_ENDPOINT", NULL);
	const char *strict = set_or("SKYDIR_TEST_GCS_CONTRACT", NULL);
	struct provider_value lax_values[] = {
		{ "endpoint", lax, "test" },
		{ "project-id", "skydir-test", "test" },
		{ "anonymous", "yes", "test" },
		{ "conditional-writes", "no", "test" },
	};
	struct provider_value strict_values[] = {
		{ "endpoint", strict, "test" },
		{ "project-id", "skydir-test", "test" },
		{ "credentials-file", set_or("SKYDIR_TEST_GCS_CREDENTIALS", ""), "test" },
		{ "hierarchical-namespace", "yes", "test" }, /* the last one: left out at first */
	};
	int failed = 0;

	if (lax)
		failed += run_remote(home, "gcs", "gcs (fake-gcs-server)", lax_values,
				     ARRAY_SIZE(lax_values),
				     &(struct suite){ .is_lax = true, .has_no_markers = true });
	else
		print_message("GCS: not tested, SKYDIR_TEST_GCS_ENDPOINT is not set\n");
	if (strict)
		for (size_t left_out = 2; left_out-- > 0;)
			failed += run_remote(home, "gcs",
					     left_out ? "gcs (contract server)" :
							"gcs (contract server, folders)",
					     strict_values, ARRAY_SIZE(strict_values) - left_out,
					     &(struct suite){ .has_no_markers = true });
	else
		print_message("GCS: not tested, SKYDIR_TEST_GCS_CONTRACT is not set\n");
	return failed;
}

static const char *azure_environment(const char *name)
{
	return getenv(strcmp(name, "AZURE_AUTHORITY_HOST") ? name : "SKYDIR_TEST_AZURE_CONTRACT_ENDPOINT");
}

static int run_azure(const char *title, const char *connection, const char *has_directories, const char *home)
{
	/* The contract server's; Azurite has no Resource Manager to tell who may set what. */
	const char *manager = getenv("SKYDIR_TEST_AZURE_CONTRACT_ENDPOINT");
	bool has_manager = manager && connection && strstr(connection, manager);
	struct provider_value values[] = {
		{ "connection-string", connection, "test" },
		{ "hierarchical-namespace", has_directories, "test" },
		{ "management-endpoint", manager, "test" },
		{ "subscription-id", "99999999-8888-7777-6666-555555555555", "test" },
		{ "tenant-id", "11111111-2222-3333-4444-555555555555", "test" },
		{ "client-id", "client-1", "test" },
		{ "client-secret", "client secret/1+", "test" },
	};
	struct http_engine_options options = { 0 };
	struct backend_context context = { .getenv = has_manager ? azure_environment : environment, .home = home, .xdg_data_home = home };
	struct store *store = NULL;
	struct error err = ERROR_INIT;
	int failed;

	if (!connection) {
		print_message("%s: not tested, no connection string is set\n", title);
		return 0;
	}
	if (http_engine_new(&options, &context.engine, &err) < 0 ||
	    provider_store_new(&context, "azure", "azure", values, has_manager ? ARRAY_SIZE(values) : 2, &store, &err) < 0) {
		print_error("%s: %s\n", title, err.message);
		http_engine_free(context.engine);
		return 1;
	}
	failed = run_all(title,
			 &(struct suite){ .store = store, .key_max = STORE_KEY_MAX, .renames_odd = true, .has_no_markers = true,
					 .ids_all_versions = true, .has_plain_objects = has_manager });
	store_free(store);
	http_engine_free(context.engine);
	return failed;
}

/* Credentials come by OS_* alone, as a user has them; here they stand under SKYDIR_TEST_OS_*, where no other test finds
 * them. */
static const char *openstack_environment(const char *name)
{
	char own[128];

	if (strncmp(name, "OS_", 3) != 0)
		return getenv(name);
	(void)snprintf(own, sizeof(own), "SKYDIR_TEST_%s", name);
	return getenv(own);
}

static int run_swift(const char *home)
{
	struct http_engine_options options = { 0 };
	struct backend_context context = { .getenv = openstack_environment, .home = home, .xdg_data_home = home };
	struct store *store = NULL;
	struct error err = ERROR_INIT;
	int failed;

	if (!getenv("SKYDIR_TEST_SWIFT")) {
		print_message("Swift: not tested, SKYDIR_TEST_SWIFT is not set\n");
		return 0;
	}
	if (http_engine_new(&options, &context.engine, &err) < 0 ||
	    provider_store_new(&context, "swift", "swift", NULL, 0, &store, &err) < 0) {
		print_error("Swift: %s\n", err.message);
		http_engine_free(context.engine);
		return 1;
	}
	failed = run_all("swift", &(struct suite){ .store = store,
						   .key_max = STORE_KEY_MAX,
						   .names_freely = true,
						   .has_access_lists = true,
						   .ids_all_versions = true });
	store_free(store);
	http_engine_free(context.engine);
	return failed;
}

/* Infomaniak's S3 face: what Keystone keeps as EC2 keys signs. Variables are Infomaniak's own. */
static const char *infomaniak_environment(const char *name)
{
	static const struct {
		const char *name, *test;
	} rows[] = {
		{ "INFOMANIAK_AUTH_URL", "SKYDIR_TEST_OS_AUTH_URL" },
		{ "INFOMANIAK_APP_CREDENTIAL_ID", "SKYDIR_TEST_OS_APPLICATION_CREDENTIAL_ID" },
		{ "INFOMANIAK_APP_CREDENTIAL_SECRET", "SKYDIR_TEST_OS_APPLICATION_CREDENTIAL_SECRET" },
		{ "INFOMANIAK_S3_ENDPOINT", "SKYDIR_TEST_SWIFT_ENDPOINT" },
		{ "INFOMANIAK_S3_REGION", "SKYDIR_TEST_OS_REGION_NAME" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(name, rows[i].name))
			return getenv(rows[i].test);
	return NULL;
}

static int run_infomaniak(const char *home)
{
	struct provider_value values[] = { { "face", "s3", "test" } };
	struct http_engine_options options = { 0 };
	struct backend_context context = { .getenv = infomaniak_environment, .home = home, .xdg_data_home = home };
	struct store *store = NULL;
	struct error err = ERROR_INIT;
	int failed;

	if (!getenv("SKYDIR_TEST_SWIFT")) {
		print_message("Infomaniak: not tested, SKYDIR_TEST_SWIFT is not set\n");
		return 0;
	}
	if (http_engine_new(&options, &context.engine, &err) < 0 ||
	    provider_store_new(&context, "infomaniak", "infomaniak", values, ARRAY_SIZE(values), &store, &err) < 0) {
		print_error("Infomaniak: %s\n", err.message);
		http_engine_free(context.engine);
		return 1;
	}
	failed = run_all("infomaniak", &(struct suite){ .store = store, .key_max = STORE_KEY_MAX, .ids_all_versions = true });
	store_free(store);
	http_engine_free(context.engine);
	return failed;
}

#define PREFIX "some/folder/"
enum layering { BARE, TRACED, PREFIXED };

static int run_local(const char *title, const char *root, bool uses_side_files,
		     enum layering layering)
{
	struct local_options options = { .root = root,
					 .skips_fsync = true,
					 .uses_side_files = uses_side_files };
	struct store *store = NULL;
	struct error err = ERROR_INIT;
	int r = local_store_new_with("local", &options, &store, &err), failed;

	if (r >= 0 && layering == TRACED)
		r = store_trace_new(store, &store, &err);
	if (r >= 0 && layering == PREFIXED)
		r = store_prefix_new(store, PREFIX, &store, &err);
	if (r < 0) {
		print_error("%s: %s\n", title, err.message);
		store_free(store);
		return 1;
	}
	failed = run_all(title,
			 &(struct suite){ .store = store,
					  .is_reference = true,
					  .key_max = STORE_KEY_MAX -
						     (layering == PREFIXED ? strlen(PREFIX) : 0) });
	store_free(store);
	return failed;
}

int main(void)
{
	char root[] = "/tmp/skydir-conformance-XXXXXX";
	char path[80];
	int failed = 0;

	if (getenv("SKYDIR_TEST_ONLY"))
		cmocka_set_test_filter(getenv("SKYDIR_TEST_ONLY"));
	if (!mkdtemp(root)) {
		perror(root);
		return 1;
	}
	(void)snprintf(path, sizeof(path), "%s/data", root);
	failed += run_local("local", path, false, BARE);
	failed += run_local("local with side files, traced", path, true, TRACED);
	failed += run_local("local below a prefix", path, false, PREFIXED);
	failed += run_s3(root);
	failed += run_ceph(root);
	failed += run_gcs(root);
	failed += run_swift(root);
	failed += run_infomaniak(root);
	failed += run_azure("azure", set_or("SKYDIR_TEST_AZURE_CONNECTION", NULL), "no", root);
	failed += run_azure("azure, contract server", set_or("SKYDIR_TEST_AZURE_CONTRACT", NULL), "no", root);
	(void)snprintf(path, sizeof(path), "rm -rf '%s'", root);
	if (system(path) != 0)
		perror("rm");
	return failed ? 1 : 0;
}
