/* Amounts, classes of operations, and the table of prices. */
#include "control/budget.h"
#include "control/prices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the four above */
#include <cmocka.h>

static void an_amount_is_read_exactly_or_not_at_all(void **state)
{
	static const struct {
		const char *text;
		int64_t nano;
	} good[] = {
		{ "0", 0 }, { "12", 12000000000 }, { "0.005", 5000000 }, { "0.000000001", 1 }, { "999999999.999999999", 999999999999999999 },
	};
	static const char *const bad[] = { "", ".", "1.", ".5", "-1", "1e3", "1,5", "1.2.3", "1000000000", "0.0000000001", " 1", "x" };
	int64_t nano;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(amount_parse(str_of(good[i].text), &nano), 0);
		assert_int_equal(nano, good[i].nano);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (amount_parse(str_of(bad[i]), &nano) == 0)
			fail_msg("'%s' was taken", bad[i]);
}

static void an_amount_is_shown_with_two_digits_at_least(void **state)
{
	char text[AMOUNT_TEXT_MAX];

	(void)state;
	amount_format(0, 2, text);
	assert_string_equal(text, "0.00");
	amount_format(5000000, 6, text);
	assert_string_equal(text, "0.005");
	amount_format(1995000000, 2, text);
	assert_string_equal(text, "2.00");
	amount_format(12300000000, 9, text);
	assert_string_equal(text, "12.30");
	amount_format(INT64_MAX / 2, 6, text);
	assert_string_equal(text, "4611686018.427388");
}

static void an_operation_has_the_class_its_provider_charges(void **state)
{
	static const struct {
		const char *operation;
		enum usage_class c;
	} rows[] = {
		{ "PutObject", USAGE_WRITE_CLASS },	{ "UploadPart", USAGE_WRITE_CLASS },	{ "CopyObject", USAGE_WRITE_CLASS },
		{ "CreateBucket", USAGE_WRITE_CLASS },	{ "Resumable", USAGE_WRITE_CLASS },	{ "PutBlockList", USAGE_WRITE_CLASS },
		{ "ListObjectsV2", USAGE_LIST_CLASS },	{ "GetContainer", USAGE_LIST_CLASS },	{ "GetAccount", USAGE_LIST_CLASS },
		{ "GetObject", USAGE_READ_CLASS },	{ "HeadObject", USAGE_READ_CLASS },	{ "GetAccountInformation", USAGE_READ_CLASS },
		{ "DeleteObjects", USAGE_DELETE_CLASS }, { "BulkDelete", USAGE_DELETE_CLASS },	{ "AbortMultipartUpload", USAGE_DELETE_CLASS },
		{ "instances.list", USAGE_OTHER_CLASS }, { "token", USAGE_OTHER_CLASS },	{ "", USAGE_OTHER_CLASS },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (usage_class_of(rows[i].operation) != rows[i].c)
			fail_msg("%s: %s", rows[i].operation, usage_class_name(usage_class_of(rows[i].operation)));
}

static void what_is_built_in_has_a_price_for_every_cloud_and_a_date(void **state)
{
	static const char *const types[] = { "s3", "gcs", "azure", "swift", "infomaniak" };
	struct error err = ERROR_INIT;
	struct prices prices;

	(void)state;
	assert_int_equal(prices_load(NULL, &prices, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		const struct price *p = prices_find(&prices, "a store", types[i]);

		assert_non_null(p);
		assert_int_equal(strlen(p->date), 10);
		assert_int_equal(p->per_1000[USAGE_DELETE_CLASS], 0);
	}
	assert_null(prices_find(&prices, "local", "local"));
	/* 1,000,000 PUTs at 0.005 per 1,000 are 5; 10 GB at 0.09 are 0.90 */
	assert_int_equal(price_of(prices_find(&prices, "x", "s3"), USAGE_WRITE_CLASS, 1000000, 123, 0), 5000000000);
	assert_int_equal(price_of(prices_find(&prices, "x", "s3"), USAGE_READ_CLASS, 0, 0, 10ull << 30), 900000000);
	assert_int_equal(price_of(prices_find(&prices, "x", "s3"), USAGE_OTHER_CLASS, 0, 0, 10ull << 30), 0);
	assert_true(price_of(prices_find(&prices, "x", "s3"), USAGE_READ_CLASS, UINT64_MAX, 0, UINT64_MAX) > 0);
}

static void a_file_goes_over_what_is_built_in_and_a_store_before_its_provider(void **state)
{
	char path[] = "/tmp/skydir-prices-XXXXXX";
	struct error err = ERROR_INIT;
	struct prices prices;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	dprintf(fd, "; of our contract\n[s3]\negress-gb = 0.05\n[archive]\ncurrency = EUR\nread-1000 = 1\n");
	assert_int_equal(prices_load(path, &prices, &err), 0);
	assert_int_equal(prices_find(&prices, "minio", "s3")->egress_gb, 50000000);
	assert_int_equal(prices_find(&prices, "minio", "s3")->per_1000[USAGE_WRITE_CLASS], 5000000);
	assert_string_equal(prices_find(&prices, "archive", "s3")->currency, "EUR");
	assert_int_equal(ftruncate(fd, 0), 0);
	(void)lseek(fd, 0, SEEK_SET);
	dprintf(fd, "[s3]\ncurrency = euro\n");
	assert_int_equal(prices_load(path, &prices, &err), -EINVAL);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.message, ":2: currency: 'euro'"));
	close(fd);
	(void)unlink(path);
}

static void a_budget_covers_a_store_its_provider_or_all_of_its_money(void **state)
{
	const struct budget all = { .currency = "USD" }, s3 = { .currency = "USD", .provider = "s3" };
	const struct budget one = { .currency = "USD", .provider = "minio" };

	(void)state;
	assert_true(budget_covers(&all, "minio", "s3", "USD"));
	assert_false(budget_covers(&all, "minio", "s3", "CHF"));
	assert_true(budget_covers(&s3, "minio", "s3", "USD"));
	assert_false(budget_covers(&s3, "archive", "gcs", "USD"));
	assert_true(budget_covers(&one, "minio", "s3", "USD"));
	assert_false(budget_covers(&one, "other", "s3", "USD"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_amount_is_read_exactly_or_not_at_all),
		cmocka_unit_test(an_amount_is_shown_with_two_digits_at_least),
		cmocka_unit_test(an_operation_has_the_class_its_provider_charges),
		cmocka_unit_test(what_is_built_in_has_a_price_for_every_cloud_and_a_date),
		cmocka_unit_test(a_file_goes_over_what_is_built_in_and_a_store_before_its_provider),
		cmocka_unit_test(a_budget_covers_a_store_its_provider_or_all_of_its_money),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
