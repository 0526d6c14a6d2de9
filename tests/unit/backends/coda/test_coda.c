/*
 * Coda's connection and rows: which limit a call counts to, that no limit is exceeded in any window of its length, that the
 * rows' records fit their shapes.
 */
#include "backends/coda/coda.h"
#include "backends/providers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *token_variable;

static const char *fake_getenv(const char *name)
{
	return token_variable && !strcmp(name, token_variable) ? "a-token" : NULL;
}

static struct backend_context context = { .getenv = fake_getenv, .home = "/", .xdg_data_home = "/" };

static struct cloud *open_with(const struct provider_value *values, size_t count)
{
	struct cloud_settings settings = { .name = "coda", .values = values, .count = count };
	struct cloud *cloud = NULL;
	struct error err = ERROR_INIT;

	token_variable = "CODA_API_KEY";
	assert_int_equal(cloud_coda.open(&context, &settings, &cloud, &err), 0);
	return cloud;
}

/* What Coda's documentation says: so many requests in so many seconds. */
static const struct {
	const char *service;
	enum coda_bucket bucket;
	double requests, seconds;
} documented[] = {
	{ "read", CODA_READ, 100, 6 },	   { "write", CODA_WRITE, 10, 6 }, { "content", CODA_CONTENT, 5, 10 },
	{ "docs", CODA_LIST_DOCS, 4, 6 },  { "analytics", CODA_ANALYTICS, 100, 6 },
};

/* As many as the bucket lets through, one after the other, in the time from 0 to `seconds`. */
static unsigned count_in_window(struct ratelimit *limit, double seconds)
{
	uint64_t now_ms = 1000, end_ms = 1000 + (uint64_t)(seconds * 1000);
	unsigned count = 0;

	while (now_ms < end_ms) {
		uint64_t wait_ms = ratelimit_take(limit, now_ms);

		now_ms += wait_ms;
		if (now_ms < end_ms)
			count++;
	}
	return count;
}

static void no_limit_is_exceeded_in_the_first_window_nor_later(void **state)
{
	struct cloud *cloud = open_with(NULL, 0);
	struct coda *coda = container_of(cloud, struct coda, base);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(documented); i++) {
		struct ratelimit *limit = &coda->ratelimits[documented[i].bucket];
		unsigned count = count_in_window(limit, documented[i].seconds);

		assert_true(count <= (unsigned)documented[i].requests);
		assert_true(count >= (unsigned)documented[i].requests / 2);
	}
	cloud_free(cloud);
}

static void each_kind_of_call_has_a_bucket_of_its_own(void **state)
{
	struct cloud *cloud = open_with(NULL, 0);
	struct coda *coda = container_of(cloud, struct coda, base);
	struct cloud_call call = { .cloud = cloud };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(documented); i++) {
		const struct service *service = NULL;
		struct error err = ERROR_INIT;

		assert_int_equal(cloud_coda.service(&call, documented[i].service, &service, &err), 0);
		assert_ptr_equal(service->ratelimit, &coda->ratelimits[documented[i].bucket]);
		assert_string_equal(service->base_url, "https://coda.io/apis/v1");
	}
	assert_string_equal(coda_rows[CODA_DOCS_LIST].service, "docs");
	assert_string_equal(coda_rows[CODA_DOCS_GET].service, "read");
	assert_string_equal(coda_rows[CODA_ACL_UPDATE].service, "write");
	assert_string_equal(coda_rows[CODA_PAGES_UPDATE].service, "content");
	assert_string_equal(coda_rows[CODA_ANALYTICS_DOCS].service, "analytics");
	cloud_free(cloud);
}

static void every_row_names_a_service_and_reads_by_get_only(void **state)
{
	struct cloud *cloud = open_with(NULL, 0);
	struct cloud_call call = { .cloud = cloud };

	(void)state;
	for (size_t i = 0; i < CODA_OPS; i++) {
		const struct service *service = NULL;
		struct error err = ERROR_INIT;

		assert_non_null(coda_rows[i].path);
		assert_int_equal(cloud_coda.service(&call, coda_rows[i].service, &service, &err), 0);
		if (!strcmp(coda_rows[i].service, "read") || !strcmp(coda_rows[i].service, "analytics"))
			assert_int_equal(coda_rows[i].method, HTTP_GET);
	}
	cloud_free(cloud);
}

static void a_limit_of_ones_own_takes_the_place_of_all(void **state)
{
	const struct provider_value values[] = { { "rate-limit", "7", "x" }, { "endpoint", "http://127.0.0.1:1/v1//", "x" } };
	const struct provider_value bad[] = { { "rate-limit", "many", "skydir.conf:3" } };
	struct cloud_settings settings = { .name = "coda", .values = bad, .count = 1 };
	struct cloud *cloud = open_with(values, ARRAY_SIZE(values)), *none = NULL;
	struct coda *coda = container_of(cloud, struct coda, base);
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < CODA_BUCKETS; i++)
		assert_true(coda->ratelimits[i].rate == 7);
	assert_string_equal(coda->url, "http://127.0.0.1:1/v1");
	cloud_free(cloud);
	assert_true(cloud_coda.open(&context, &settings, &none, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.message, "skydir.conf:3"));
}

static void without_a_token_nothing_is_opened(void **state)
{
	struct cloud_settings settings = { .name = "coda" };
	struct cloud *cloud = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	token_variable = NULL;
	assert_false(coda_is_configured(&context));
	assert_true(cloud_coda.open(&context, &settings, &cloud, &err) < 0);
	assert_int_equal(err.kind, ERR_UNAUTHENTICATED);
	token_variable = "CODA_API_TOKEN";
	assert_true(coda_is_configured(&context));
}

static void records_have_only_what_their_shapes_have(void **state)
{
	static const struct {
		const struct record_shape *shape;
		const struct record_source *map;
	} pairs[] = {
		{ &coda_shape_user, coda_map_user },	     { &coda_shape_doc, coda_map_doc },
		{ &coda_shape_page, coda_map_page },	     { &coda_shape_line, coda_map_line },
		{ &coda_shape_export, coda_map_export },     { &coda_shape_table, coda_map_table },
		{ &coda_shape_column, coda_map_column },     { &coda_shape_row, coda_map_row },
		{ &coda_shape_value, coda_map_formula },     { &coda_shape_value, coda_map_control },
		{ &coda_shape_change, coda_map_change },     { &coda_shape_mutation, coda_map_mutation },
		{ &coda_shape_sharing, coda_map_sharing },   { &coda_shape_permission, coda_map_permission },
		{ &coda_shape_acl, coda_map_acl },	     { &coda_shape_category, coda_map_category },
		{ &coda_shape_summary, coda_map_summary },   { &coda_shape_updated, coda_map_updated },
		{ &coda_shape_link, coda_map_link },	     { &coda_shape_doc_analytics, coda_map_doc_analytics },
		{ &coda_shape_page_analytics, coda_map_page_analytics },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_null(record_stray_name(pairs[i].shape, pairs[i].map));
}

static int make_engine(void **state)
{
	const struct http_engine_options options = { 0 };
	struct error err = ERROR_INIT;

	(void)state;
	return http_engine_new(&options, &context.engine, &err);
}

static int free_engine(void **state)
{
	(void)state;
	http_engine_free(context.engine);
	return 0;
}

extern const struct provider provider_coda;

/* Under ASan: whatever it owns is freed once, with a connection and without. */
static void a_store_is_made_read_only_and_freed_once(void **state)
{
	struct store *store = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	token_variable = "CODA_API_KEY";
	assert_int_equal(provider_coda.store_new(&context, "docs", NULL, 0, &store, &err), 0);
	assert_string_equal(store->name, "docs");
	assert_true(store->caps & STORE_CAP_READ_ONLY);
	assert_true(store_bucket_create(store, "Doc", &err) < 0);
	assert_int_equal(err.kind, ERR_READ_ONLY);
	store_free(store);
	store = NULL;
	token_variable = NULL;
	assert_true(provider_coda.store_new(&context, "docs", NULL, 0, &store, &err) < 0);
	assert_null(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_limit_is_exceeded_in_the_first_window_nor_later),
		cmocka_unit_test(each_kind_of_call_has_a_bucket_of_its_own),
		cmocka_unit_test(every_row_names_a_service_and_reads_by_get_only),
		cmocka_unit_test(a_limit_of_ones_own_takes_the_place_of_all),
		cmocka_unit_test(without_a_token_nothing_is_opened),
		cmocka_unit_test(a_store_is_made_read_only_and_freed_once),
		cmocka_unit_test(records_have_only_what_their_shapes_have),
	};

	return cmocka_run_group_tests(tests, make_engine, free_engine);
}
