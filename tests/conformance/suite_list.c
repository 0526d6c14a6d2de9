#include "tests/conformance/suite.h"
#include <stdio.h>
#include <string.h>

static void expect_list(struct suite *s, const char *prefix, char delimiter, const char *after,
			unsigned max_keys, const char *want)
{
	char *found = list_text(s, prefix, delimiter, after, max_keys);

	if (strcmp(found, want) != 0)
		print_error("prefix '%s' after '%s' pages of %u\n", prefix, after ? after : "",
			    max_keys);
	assert_string_equal(found, want);
	free(found);
}

static void put_tree(struct suite *s)
{
	static const char *const keys[] = { "a.txt", "a/1",   "a/2", "a/deep/er/x",
					    "b",     "c/d/e", "c0",  "z" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		put_text(s, keys[i], keys[i], NULL);
}

static void an_empty_bucket_is_an_empty_page(void **state)
{
	struct suite *s = *state;
	struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = "", .delimiter = '/' };

	expect_list(s, "", 0, NULL, 0, "");
	expect_list(s, "some/where/", '/', NULL, 0, "");
	FAILS(ERR_NOT_FOUND,
	      store_list(s->store, "skydir-no-such-bucket-1", &args, &page, &s->err));
	store_page_release(&page);
}

static void keys_come_in_byte_order(void **state)
{
	struct suite *s = *state;

	put_tree(s);
	expect_list(s, "", 0, NULL, 0, "a.txt|a/1|a/2|a/deep/er/x|b|c/d/e|c0|z|");
}

static void a_delimiter_makes_directories(void **state)
{
	struct suite *s = *state;

	put_tree(s);
	expect_list(s, "", '/', NULL, 0, "a.txt|a/|b|c/|c0|z|");
	expect_list(s, "a/", '/', NULL, 0, "a/1|a/2|a/deep/|");
	expect_list(s, "a/deep/", '/', NULL, 0, "a/deep/er/|");
	expect_list(s, "c", '/', NULL, 0, "c/|c0|");
	expect_list(s, "c/d", '/', NULL, 0, "c/d/|");
}

static void a_prefix_need_not_end_at_a_slash(void **state)
{
	struct suite *s = *state;

	put_tree(s);
	expect_list(s, "a", 0, NULL, 0, "a.txt|a/1|a/2|a/deep/er/x|");
	expect_list(s, "a/d", 0, NULL, 0, "a/deep/er/x|");
	expect_list(s, "c/d/e", 0, NULL, 0, "c/d/e|");
	expect_list(s, "c/d/e/", 0, NULL, 0, "");
	expect_list(s, "nothing", 0, NULL, 0, "");
}

static void pages_of_any_size_hold_the_same(void **state)
{
	struct suite *s = *state;

	put_tree(s);
	for (unsigned size = 1; size <= 9; size++) {
		expect_list(s, "", 0, NULL, size, "a.txt|a/1|a/2|a/deep/er/x|b|c/d/e|c0|z|");
		if (s->is_lax)
			continue; /* fake-gcs-server 1.56.1 gives prefixes again with each page */
		expect_list(s, "", '/', NULL, size, "a.txt|a/|b|c/|c0|z|");
		expect_list(s, "a/", '/', NULL, size, "a/1|a/2|a/deep/|");
	}
}

static void a_listing_begins_after_a_key(void **state)
{
	struct suite *s = *state;

	put_tree(s);
	expect_list(s, "", 0, "a/2", 0, "a/deep/er/x|b|c/d/e|c0|z|");
	expect_list(s, "", 0, "a/2", 2, "a/deep/er/x|b|c/d/e|c0|z|");
	expect_list(s, "", 0, "a/15", 0, "a/2|a/deep/er/x|b|c/d/e|c0|z|");
	expect_list(s, "", 0, "zz", 0, "");
	expect_list(s, "a/", 0, "a/1", 0, "a/2|a/deep/er/x|");
	expect_list(s, "", '/', "b", 1, "c/|c0|z|");
}

static void a_listing_tells_about_its_objects(void **state)
{
	struct suite *s = *state;
	struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = "" };
	const struct store_meta meta = { "mode", "420" };
	struct store_put_args put = { .meta = &meta, .meta_count = 1 };
	char version[STORE_VERSION_MAX];

	OK(try_put_text(s, "k", "12345", &put, version));
	OK(store_list(s->store, s->bucket, &args, &page, &s->err));
	assert_int_equal(page.count, 1);
	assert_int_equal(page.objects[0].size, 5);
	assert_string_equal(page.objects[0].version, version);
	assert_true(page.objects[0].modified_wall_ns > 0);
	assert_null(page.next_token);
	if (s->store->caps & STORE_CAP_LIST_METADATA) {
		assert_true(page.objects[0].has_meta);
		assert_string_equal(store_object_meta(&page.objects[0], "mode"), "420");
	}
	store_page_release(&page);
}

static void what_was_just_written_or_deleted_shows(void **state)
{
	struct suite *s = *state;
	char key[32];

	for (int i = 0; i < 20; i++) {
		char want[32];

		(void)snprintf(key, sizeof(key), "d/%02d", i);
		(void)snprintf(want, sizeof(want), "d/%02d|", i);
		put_text(s, key, "x", NULL);
		expect_list(s, "d/", '/', NULL, 0, want);
		OK(store_delete(s->store, s->bucket, key, NULL, NULL, &s->err));
		expect_list(s, "d/", '/', NULL, 0, "");
		expect_list(s, "", '/', NULL, 0, "");
	}
}

/* What the file system does when a directory is deleted while it is listed. */
static void deleting_page_by_page_reaches_all(void **state)
{
	struct suite *s = *state;
	struct store_page page = STORE_PAGE_INIT;
	char key[32], *token = NULL;
	unsigned seen = 0;

	for (int i = 0; i < 50; i++) {
		(void)snprintf(key, sizeof(key), "x/%02d", i);
		put_text(s, key, "x", NULL);
	}
	do {
		struct store_list_args args = {
			.prefix = "x/", .delimiter = '/', .max_keys = 7, .token = token
		};

		OK(store_list(s->store, s->bucket, &args, &page, &s->err));
		for (size_t i = 0; i < page.count; i++, seen++)
			OK(store_delete(s->store, s->bucket, page.objects[i].key, NULL, NULL,
					&s->err));
		free(token);
		token = page.next_token ? strdup(page.next_token) : NULL;
		store_page_release(&page);
	} while (token);
	assert_int_equal(seen, 50);
	expect_list(s, "", 0, NULL, 0, "");
}

static void long_pages_follow_each_other(void **state)
{
	struct suite *s = *state;
	struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = "n/" };
	char key[32], *token = NULL;
	size_t seen = 0, pages = 0;

	for (int i = 0; i < 1203; i++) {
		(void)snprintf(key, sizeof(key), "n/%05d", i);
		put_text(s, key, "", NULL);
	}
	do {
		args.token = token;
		OK(store_list(s->store, s->bucket, &args, &page, &s->err));
		for (size_t i = 0; i < page.count; i++) {
			(void)snprintf(key, sizeof(key), "n/%05zu", seen++);
			assert_string_equal(page.objects[i].key, key);
		}
		pages++;
		free(token);
		token = page.next_token ? strdup(page.next_token) : NULL;
		store_page_release(&page);
	} while (token);
	assert_int_equal(seen, 1203);
	assert_true(pages >= 1);
}

static const struct CMUnitTest tests[] = {
	SUITE_TEST(an_empty_bucket_is_an_empty_page),
	SUITE_TEST(keys_come_in_byte_order),
	SUITE_TEST(a_delimiter_makes_directories),
	SUITE_TEST(a_prefix_need_not_end_at_a_slash),
	SUITE_TEST(pages_of_any_size_hold_the_same),
	SUITE_TEST(a_listing_begins_after_a_key),
	SUITE_TEST(a_listing_tells_about_its_objects),
	SUITE_TEST(what_was_just_written_or_deleted_shows),
	SUITE_TEST(deleting_page_by_page_reaches_all),
	SUITE_TEST(long_pages_follow_each_other),
};
SUITE_LIST(suite_list_tests, tests);
