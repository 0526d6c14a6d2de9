#include "tests/conformance/suite.h"
#include <string.h>

/* Turns versioning on, or skips the test. */
static void needs_versions(struct suite *s)
{
	bool is_on = true;

	NEEDS_CAP(STORE_CAP_VERSIONING);
	if (store_versioning_get(s->store, s->bucket, &is_on, &s->err) >= 0)
		assert_false(is_on);
	if (store_versioning_set(s->store, s->bucket, true, &s->err) < 0) {
		if (s->is_reference)
			fail_msg("%s", s->err.message);
		print_message("  not tested: this server keeps no versions (%s)\n", s->err.message);
		skip();
	}
	OK(store_versioning_get(s->store, s->bucket, &is_on, &s->err));
	assert_true(is_on);
}

/* "key:bytes[*latest][x marker]|..." over pages of that size. */
static char *versions_text(struct suite *s, const char *prefix, char delimiter, unsigned max_keys)
{
	struct buf text = BUF_INIT(1 << 20);
	struct store_page page = STORE_PAGE_INIT;
	char *token = NULL;

	do {
		struct store_list_args args = { .prefix = prefix,
						.delimiter = delimiter,
						.token = token,
						.max_keys = max_keys };

		OK(store_list_versions(s->store, s->bucket, &args, &page, &s->err));
		for (size_t i = 0; i < page.count; i++) {
			const struct store_object *o = &page.objects[i];

			if (o->is_prefix)
				assert_int_equal(buf_addf(&text, "%s|", o->key), 0);
			else if (o->is_delete_marker)
				assert_int_equal(
					buf_addf(&text, "%s:x%s|", o->key, o->is_latest ? "*" : ""),
					0);
			else
				assert_int_equal(buf_addf(&text, "%s:%d%s|", o->key, (int)o->size,
							  o->is_latest ? "*" : ""),
						 0);
			if (!o->is_prefix && !(s->has_plain_objects && o->is_latest))
				assert_non_null(o->version_id);
		}
		free(token);
		token = page.next_token ? strdup(page.next_token) : NULL;
		store_page_release(&page);
	} while (token);
	return buf_detach(&text);
}

static void expect_versions(struct suite *s, const char *prefix, char delimiter, const char *want)
{
	/* versitygw 1.8.0 tells the current version again when a page ended with it (seen 2026-11-23). */
	for (unsigned size = 0; size < (s->is_reference ? 4 : 1); size++) {
		char *found = versions_text(s, prefix, delimiter, size);

		assert_string_equal(found, want);
		free(found);
	}
}

/* The id of the n-th version of a key, newest first, marker or not. */
static char *version_id(struct suite *s, const char *key, size_t n)
{
	struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = key };
	char *id = NULL;

	OK(store_list_versions(s->store, s->bucket, &args, &page, &s->err));
	for (size_t i = 0; i < page.count; i++)
		if (!strcmp(page.objects[i].key, key) && !n--)
			id = strdup(page.objects[i].version_id);
	store_page_release(&page);
	assert_non_null(id);
	return id;
}

static void expect_version(struct suite *s, const char *key, const char *id, const char *want)
{
	struct buf content = BUF_INIT(1 << 16);
	struct store_sink sink = { .fd = -1, .buf = &content };
	struct store_get_args args = { .version_id = id };

	OK(store_get(s->store, s->bucket, key, &args, &sink, NULL, NULL, &s->err));
	assert_string_equal(buf_cstr(&content), want);
	buf_release(&content);
}

static void old_versions_stay_readable(void **state)
{
	struct suite *s = *state;
	struct arena arena = ARENA_INIT(1 << 20);
	struct store_object o = { 0 };
	char *newest, *older;

	needs_versions(s);
	put_text(s, "dir/k", "1", NULL);
	put_text(s, "dir/k", "22", NULL);
	put_text(s, "dir/k", "333", NULL);
	put_text(s, "dir/other", "4444", NULL);
	expect_text(s, "dir/k", "333");
	expect_versions(s, "", 0, "dir/k:3*|dir/k:2|dir/k:1|dir/other:4*|");
	expect_versions(s, "", '/', "dir/|");
	newest = version_id(s, "dir/k", 0);
	older = version_id(s, "dir/k", 2);
	expect_version(s, "dir/k", newest, "333");
	expect_version(s, "dir/k", older, "1");
	OK(store_head(s->store, s->bucket, "dir/k", older, &arena, &o, &s->err));
	assert_int_equal(o.size, 1);
	arena_release(&arena);
	free(newest);
	free(older);
}

static void a_deleted_object_leaves_a_marker(void **state)
{
	struct suite *s = *state;
	char *marker;

	if (s->has_no_markers)
		skip(); /* the next test is theirs */
	needs_versions(s);
	put_text(s, "k", "1", NULL);
	put_text(s, "k", "22", NULL);
	OK(store_delete(s->store, s->bucket, "k", NULL, NULL, &s->err));
	expect_absent(s, "k");
	expect_versions(s, "", 0, "k:x*|k:2|k:1|");
	marker = version_id(s, "k", 0);
	OK(store_delete(s->store, s->bucket, "k", NULL, marker, &s->err));
	expect_text(s, "k", "22");
	expect_versions(s, "", 0, "k:2*|k:1|");
	free(marker);
}

static void a_deleted_object_leaves_its_versions(void **state)
{
	struct suite *s = *state;
	char *newest;

	if (!s->has_no_markers)
		skip();
	needs_versions(s);
	put_text(s, "k", "1", NULL);
	put_text(s, "k", "22", NULL);
	OK(store_delete(s->store, s->bucket, "k", NULL, NULL, &s->err));
	expect_absent(s, "k");
	expect_versions(s, "", 0, "k:2|k:1|");
	newest = version_id(s, "k", 0);
	expect_version(s, "k", newest, "22");
	free(newest);
}

static void one_version_is_deleted(void **state)
{
	struct suite *s = *state;
	char *id;

	needs_versions(s);
	put_text(s, "k", "1", NULL);
	put_text(s, "k", "22", NULL);
	put_text(s, "k", "333", NULL);
	id = version_id(s, "k", 1);
	OK(store_delete(s->store, s->bucket, "k", NULL, id, &s->err));
	free(id);
	expect_versions(s, "", 0, "k:3*|k:1|");
	id = version_id(s, "k", 0);
	OK(store_delete(s->store, s->bucket, "k", NULL, id, &s->err));
	free(id);
	if (s->has_no_markers) { /* nothing moves up into its place */
		expect_absent(s, "k");
		expect_versions(s, "", 0, "k:1|");
	} else {
		expect_text(s, "k", "1");
		expect_versions(s, "", 0, "k:1*|");
	}
	id = version_id(s, "k", 0);
	OK(store_delete(s->store, s->bucket, "k", NULL, id, &s->err));
	free(id);
	expect_absent(s, "k");
	expect_versions(s, "", 0, "");
}

static void what_was_before_versioning_is_the_null_version(void **state)
{
	struct suite *s = *state;
	char *id;

	NEEDS_CAP(STORE_CAP_VERSIONING);
	put_text(s, "k", "before", NULL);
	needs_versions(s);
	put_text(s, "k", "22", NULL);
	expect_versions(s, "", 0, "k:2*|k:6|");
	id = version_id(s, "k", 1);
	if (!s->has_no_markers && !s->ids_all_versions)
		assert_string_equal(id, "null");
	expect_version(s, "k", id, "before");
	free(id);
}

static void suspended_versioning_keeps_what_there_is(void **state)
{
	struct suite *s = *state;
	bool is_on = true;

	needs_versions(s);
	put_text(s, "k", "1", NULL);
	OK(store_versioning_set(s->store, s->bucket, false, &s->err));
	OK(store_versioning_get(s->store, s->bucket, &is_on, &s->err));
	assert_false(is_on);
	put_text(s, "k", "22", NULL);
	put_text(s, "k", "333", NULL);
	if (s->is_lax)
		print_message("  not tested: moto 5.2.5 drops old versions when versioning is "
			      "suspended\n");
	else if (s->has_no_markers && !s->has_plain_objects) /* what is replaced now is gone, whenever it was written */
		expect_versions(s, "", 0, "k:3*|");
	else
		expect_versions(s, "", 0, "k:3*|k:1|");
}

static void a_versioned_bucket_is_not_empty(void **state)
{
	struct suite *s = *state;

	needs_versions(s);
	put_text(s, "deep/k", "1", NULL);
	OK(store_delete(s->store, s->bucket, "deep/k", NULL, NULL, &s->err));
	if (s->is_lax && s->has_no_markers) {
		print_message("  not tested: fake-gcs-server 1.56.1 deletes such a bucket\n");
		skip();
	}
	FAILS(ERR_NOT_EMPTY, store_bucket_delete(s->store, s->bucket, &s->err));
}

static const struct CMUnitTest tests[] = {
	SUITE_TEST(old_versions_stay_readable),
	SUITE_TEST(a_deleted_object_leaves_a_marker),
	SUITE_TEST(a_deleted_object_leaves_its_versions),
	SUITE_TEST(one_version_is_deleted),
	SUITE_TEST(what_was_before_versioning_is_the_null_version),
	SUITE_TEST(suspended_versioning_keeps_what_there_is),
	SUITE_TEST(a_versioned_bucket_is_not_empty),
};
SUITE_LIST(suite_version_tests, tests);
