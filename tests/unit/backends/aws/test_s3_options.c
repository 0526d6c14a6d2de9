/* From options to a store: the provider's row, and where its requests go. No network. */
#include "backends/aws/s3_private.h"
#include "backends/base/clock.h"
#include "backends/providers.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

extern const struct provider provider_s3;

static const char *const *environment; /* name, value, ..., NULL */

static const char *fake_getenv(const char *name)
{
	for (const char *const *e = environment; e && *e; e += 2)
		if (!strcmp(*e, name))
			return e[1];
	return NULL;
}

static struct http_engine *engine;

static int engine_open(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return http_engine_new(&(struct http_engine_options){ 0 }, &engine, &err);
}

static int engine_close(void **state)
{
	(void)state;
	http_engine_free(engine);
	return 0;
}

static int store_new(const struct provider_value *values, size_t count, struct store **ret,
		     struct error *err)
{
	struct backend_context context = { .engine = engine,
					   .getenv = fake_getenv,
					   .home = "/nonexistent",
					   .xdg_data_home = "/nonexistent" };

	*err = ERROR_INIT;
	return provider_s3.store_new(&context, "x", values, count, ret, err);
}

/* The URL of a request, by what stands in the options. */
static void assert_url(const char *endpoint, const char *region, const char *style,
		       const char *bucket, const char *key, const char *wanted)
{
	const struct provider_value values[] = { { "endpoint", endpoint, "t:1" },
						 { "region", region, "t:2" },
						 { "path-style", style, "t:3" },
						 { "anonymous", "yes", "t:4" } };
	struct store *store = NULL;
	struct error err;
	char url[512];

	if (store_new(values, ARRAY_SIZE(values), &store, &err) < 0)
		fail_msg("%s", err.message);
	{
		CLEANUP(s3_call_release)
		struct s3_call c = S3_CALL_INIT(s3_of(store), HTTP_GET, "GetObject", bucket, key);

		assert_int_equal(s3_call_aim(&c, s3_region_of(s3_of(store), bucket), &err), 0);
		(void)snprintf(url, sizeof(url), "%s://%s%s", c.request.scheme, c.request.authority,
			       c.request.path);
		assert_string_equal(url, wanted);
	}
	store_free(store);
}

static void requests_go_to_the_right_host(void **state)
{
	static const char *const none[] = { NULL };

	(void)state;
	environment = none;
	assert_url("", "eu-west-1", "auto", "bucket", "a b//../c",
		   "https://bucket.s3.eu-west-1.amazonaws.com/a%20b//../c");
	assert_url("", "", "auto", NULL, NULL, "https://s3.us-east-1.amazonaws.com/");
	assert_url("", "", "auto", "bucket", NULL, "https://bucket.s3.us-east-1.amazonaws.com/");
	assert_url("", "", "auto", "dotted.bucket", "k",
		   "https://s3.us-east-1.amazonaws.com/dotted.bucket/k");
	assert_url("", "", "auto", "UPPER", "k", "https://s3.us-east-1.amazonaws.com/UPPER/k");
	assert_url("", "", "yes", "bucket", "k", "https://s3.us-east-1.amazonaws.com/bucket/k");
	assert_url("", "cn-north-1", "auto", "bucket", "k",
		   "https://bucket.s3.cn-north-1.amazonaws.com.cn/k");
	assert_url("https://s3.eu-central-1.amazonaws.com", "", "auto", "bucket", "k",
		   "https://bucket.s3.eu-central-1.amazonaws.com/k");
	assert_url("https://s3.amazonaws.com/", "eu-west-3", "auto", "bucket", "k",
		   "https://bucket.s3.eu-west-3.amazonaws.com/k");
	assert_url("http://127.0.0.1:9000", "", "auto", "bucket", "k",
		   "http://127.0.0.1:9000/bucket/k");
	assert_url("http://[::1]:9000/base/", "", "auto", "bucket", NULL,
		   "http://[::1]:9000/base/bucket");
	assert_url("http://localhost:9000", "", "no", "dotted.bucket", "k",
		   "http://dotted.bucket.localhost:9000/k");
	assert_url("https://s3.example.org", "", "auto", "bucket", "\xc3\xbc?#%",
		   "https://bucket.s3.example.org/%C3%BC%3F%23%25");
}

static void assert_refused(const char *key, const char *value, const char *says)
{
	const struct provider_value values[] = { { key, value, "skydir.conf:7" } };
	struct store *store = NULL;
	struct error err;

	assert_true(store_new(values, 1, &store, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFIG);
	if (!strstr(err.message, says))
		fail_msg("'%s' does not say '%s'", err.message, says);
}

static void bad_options_are_named(void **state)
{
	static const char *const none[] = { NULL };

	(void)state;
	environment = none;
	assert_refused("path-style", "maybe",
		       "skydir.conf:7: path-style must be yes, no or auto, not 'maybe'");
	assert_refused("anonymous", "2", "skydir.conf:7: anonymous must be yes or no");
	assert_refused("rate-limit", "fast", "skydir.conf:7: rate-limit must be a number");
	assert_refused("rate-limit", "nan", "skydir.conf:7: rate-limit must be a number");
	assert_refused("access-key-id", "a", "secret-access-key is missing");
	assert_refused("secret-access-key", "a", "access-key-id is missing");
	assert_refused("region", "Not A Region", "'Not A Region' is no name of a region");
	assert_refused("colour", "red", "no option 'colour'");
}

static void assert_described(const char *wanted)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(4096);
	struct store *store = NULL;
	struct error err;

	if (store_new(NULL, 0, &store, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(store_describe(store, &text, &err), 0);
	if (!strstr(buf_cstr(&text), wanted))
		fail_msg("'%s' does not say '%s'", buf_cstr(&text), wanted);
	store_free(store);
}

static void the_environment_is_honoured(void **state)
{
	static const char *const general[] = { "AWS_ACCESS_KEY_ID",
					       "k",
					       "AWS_SECRET_ACCESS_KEY",
					       "s",
					       "AWS_ENDPOINT_URL",
					       "http://127.0.0.1:1",
					       "AWS_DEFAULT_REGION",
					       "eu-west-1",
					       NULL };
	static const char *const special[] = {
		"AWS_ENDPOINT_URL",   "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3",
		"http://127.0.0.1:2", "AWS_REGION",	    "eu-west-2",
		"AWS_DEFAULT_REGION", "eu-west-1",	    NULL
	};
	static const char *const ignored[] = { "AWS_ENDPOINT_URL", "http://127.0.0.1:1",
					       "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true",
					       NULL };
	static const char *const none[] = { NULL };
	struct backend_context context = { .engine = engine,
					   .getenv = fake_getenv,
					   .home = "/nonexistent" };

	(void)state;
	environment = general;
	assert_described("http://127.0.0.1:1 region eu-west-1, path style");
	assert_true(provider_s3.is_configured(&context));
	environment = special;
	assert_described("http://127.0.0.1:2 region eu-west-2");
	environment = ignored;
	assert_described("https://s3.us-east-1.amazonaws.com region us-east-1, virtual-host style");
	environment = none;
	assert_false(provider_s3.is_configured(&context));
}

static void names_from_the_network_are_checked_before_they_become_hosts(void **state)
{
	(void)state;
	assert_true(s3_region_name_is_valid("eu-west-1"));
	assert_false(s3_region_name_is_valid(""));
	assert_false(s3_region_name_is_valid("evil.example/"));
	assert_false(s3_region_name_is_valid("-a"));
	assert_false(s3_region_name_is_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void buckets_regions_are_forgotten_oldest_first(void **state)
{
	const struct provider_value values[] = { { "anonymous", "yes", "t:1" } };
	static const char *const none[] = { NULL };
	struct store *store = NULL;
	struct error err;
	unsigned region = 0;
	char name[32];

	(void)state;
	environment = none;
	assert_int_equal(store_new(values, 1, &store, &err), 0);
	assert_int_equal(s3_region_add(s3_of(store), "eu-west-1", &region, &err), 0);
	for (int i = 0; i < S3_BUCKETS_KNOWN + 10; i++) {
		(void)snprintf(name, sizeof(name), "bucket-%d", i);
		s3_region_remember(s3_of(store), name, region);
	}
	assert_int_equal(s3_region_of(s3_of(store), "bucket-0"), 0);
	assert_int_equal(s3_region_of(s3_of(store), "bucket-10"), region);
	assert_int_equal(s3_region_of(s3_of(store), name), region);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_go_to_the_right_host),
		cmocka_unit_test(bad_options_are_named),
		cmocka_unit_test(the_environment_is_honoured),
		cmocka_unit_test(names_from_the_network_are_checked_before_they_become_hosts),
		cmocka_unit_test(buckets_regions_are_forgotten_oldest_first),
	};

	return cmocka_run_group_tests_name("s3 options", tests, engine_open, engine_close);
}
