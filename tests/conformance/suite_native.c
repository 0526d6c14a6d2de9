#include "tests/conformance/suite.h"
#include <string.h>

static int append(struct suite *s, const char *key, uint64_t at, const char *text,
		  const char *if_version, char *ret)
{
	struct store_source source = STORE_SOURCE_INIT;

	source.mem = str_of(text);
	return store_append(s->store, s->bucket, key, at, &source, if_version, ret, &s->err);
}

static void an_append_adds_at_the_end(void **state)
{
	struct suite *s = *state;
	const struct store_meta meta = { "mode", "1" };
	struct store_put_args args = { .meta = &meta, .meta_count = 1 };
	struct arena arena = ARENA_INIT(1 << 20);
	struct store_object o = { 0 };
	char first[STORE_VERSION_MAX], second[STORE_VERSION_MAX], third[STORE_VERSION_MAX];

	NEEDS_CAP(STORE_CAP_APPEND);
	OK(try_put_text(s, "log", "one,", &args, first));
	OK(append(s, "log", 4, "two,", first, second));
	assert_string_not_equal(first, second);
	OK(append(s, "log", 8, "three", NULL, third));
	expect_text(s, "log", "one,two,three");
	OK(store_head(s->store, s->bucket, "log", NULL, &arena, &o, &s->err));
	assert_string_equal(o.version, third);
	assert_string_equal(store_object_meta(&o, "mode"), "1");
	FAILS(ERR_PRECONDITION, append(s, "log", 4, "x", NULL, third));
	FAILS(ERR_PRECONDITION, append(s, "log", 13, "x", first, third));
	FAILS(ERR_NOT_FOUND, append(s, "none", 0, "x", NULL, third));
	expect_text(s, "log", "one,two,three");
	arena_release(&arena);
}

static void objects_are_composed(void **state)
{
	struct suite *s = *state;
	static const char *const keys[] = { "a", "b", "a" };
	static const char *const missing[] = { "a", "none" };
	struct store_put_args args = { .content_type = "text/x-test" };
	char version[STORE_VERSION_MAX];

	NEEDS_CAP(STORE_CAP_COMPOSE);
	put_text(s, "a", "left ", NULL);
	put_text(s, "b", "right ", NULL);
	OK(store_compose(s->store, s->bucket, keys, 3, "all", &args, version, &s->err));
	expect_text(s, "all", "left right left ");
	OK(store_compose(s->store, s->bucket, keys, 2, "a", &args, version, &s->err));
	expect_text(s, "a", "left right ");
	FAILS_IF_STRICT(ERR_NOT_FOUND, store_compose(s->store, s->bucket, missing, 2, "all", &args,
						     version, &s->err));
	expect_text(s, "all", "left right left ");
}

static void an_object_is_renamed_at_once(void **state)
{
	struct suite *s = *state;
	const struct store_meta meta = { "mode", "1" };
	struct store_put_args args = { .meta = &meta, .meta_count = 1 };
	struct arena arena = ARENA_INIT(1 << 20);
	struct store_object o = { 0 };
	char old[STORE_VERSION_MAX], version[STORE_VERSION_MAX];
	char *names;

	NEEDS_CAP(STORE_CAP_RENAME);
	OK(try_put_text(s, "from", "content", &args, old));
	put_text(s, "deep/to", "was there", NULL);
	if (s->is_lax && store_rename(s->store, s->bucket, "from", "deep/to", old, version,
				      &s->err) < 0) {
		/* A server may lack the power that its kind has; then nothing was done, and it is known. */
		assert_int_equal(s->err.kind, ERR_UNSUPPORTED);
		assert_false(s->store->caps & STORE_CAP_RENAME);
		expect_text(s, "from", "content");
		skip();
	}
	if (!s->is_lax)
		OK(store_rename(s->store, s->bucket, "from", "deep/to", old, version, &s->err));
	expect_absent(s, "from");
	expect_text(s, "deep/to", "content");
	OK(store_head(s->store, s->bucket, "deep/to", NULL, &arena, &o, &s->err));
	assert_string_equal(o.version, version);
	assert_string_equal(store_object_meta(&o, "mode"), "1");
	FAILS(ERR_PRECONDITION,
	      store_rename(s->store, s->bucket, "deep/to", "x", "0123", version, &s->err));
	FAILS(ERR_NOT_FOUND,
	      store_rename(s->store, s->bucket, "from", "x", NULL, version, &s->err));
	/* Into and out of what becomes a directory of its own name. */
	OK(store_rename(s->store, s->bucket, "deep/to", "deep", NULL, version, &s->err));
	OK(store_rename(s->store, s->bucket, "deep", "deep/er/still", NULL, version, &s->err));
	expect_text(s, "deep/er/still", "content");
	names = list_text(s, "", 0, NULL, 0);
	assert_string_equal(names, "deep/er/still|");
	free(names);
	arena_release(&arena);
}

static void a_directory_is_renamed_at_once(void **state)
{
	struct suite *s = *state;
	char *names;

	NEEDS_CAP(STORE_CAP_RENAME_DIR);
	put_text(s, "from/a", "1", NULL);
	put_text(s, "from/deep/er/b", "22", NULL);
	put_text(s, "fromage", "stays", NULL);
	if (store_rename(s->store, s->bucket, "from/", "to/here/", NULL, NULL, &s->err) < 0) {
		assert_int_equal(s->err.kind, ERR_UNSUPPORTED); /* then nothing was done */
		expect_text(s, "from/a", "1");
		print_message("  not tested: this bucket has no directories\n");
		skip();
	}
	names = list_text(s, "", 0, NULL, 0);
	assert_string_equal(names, "fromage|to/here/a|to/here/deep/er/b|");
	free(names);
	expect_text(s, "to/here/deep/er/b", "22");
	put_text(s, "other/c", "3", NULL);
	FAILS(ERR_EXISTS, store_rename(s->store, s->bucket, "to/here/", "other/", NULL, NULL, &s->err));
	FAILS(ERR_NOT_FOUND, store_rename(s->store, s->bucket, "none/", "x/", NULL, NULL, &s->err));
	expect_text(s, "to/here/a", "1");
	/* What was emptied is nothing, and in nobody's way. */
	OK(store_delete(s->store, s->bucket, "other/c", NULL, NULL, &s->err));
	OK(store_rename(s->store, s->bucket, "to/here/", "other/", NULL, NULL, &s->err));
	expect_text(s, "other/a", "1");
}

static void native_powers_keep_versions(void **state)
{
	struct suite *s = *state;
	const struct store_meta meta = { "mode", "2" };
	struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = "" };
	char version[STORE_VERSION_MAX];

	NEEDS_CAP(STORE_CAP_APPEND);
	NEEDS_CAP(STORE_CAP_RENAME);
	NEEDS_CAP(STORE_CAP_VERSIONING);
	OK(store_versioning_set(s->store, s->bucket, true, &s->err));
	put_text(s, "k", "1", version);
	OK(append(s, "k", 1, "2", version, version));
	OK(store_set_meta(s->store, s->bucket, "k", version, &meta, 1, version, &s->err));
	OK(store_rename(s->store, s->bucket, "k", "moved", version, version, &s->err));
	expect_text(s, "moved", "12");
	expect_absent(s, "k");
	OK(store_list_versions(s->store, s->bucket, &args, &page, &s->err));
	/* marker, with new metadata, appended, first; and the moved one. Without markers new metadata makes no version. */
	assert_int_equal(page.count, s->has_no_markers ? 3 : 5);
	store_page_release(&page);
}

static const struct CMUnitTest tests[] = {
	SUITE_TEST(an_append_adds_at_the_end),
	SUITE_TEST(objects_are_composed),
	SUITE_TEST(an_object_is_renamed_at_once),
	SUITE_TEST(a_directory_is_renamed_at_once),
	SUITE_TEST(native_powers_keep_versions),
};
SUITE_LIST(suite_native_tests, tests);
