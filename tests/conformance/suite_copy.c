#include "tests/conformance/suite.h"
#include <stdio.h>
#include <string.h>

static const struct store_meta old_meta[] = { { "mode", "1" }, { "who", "source" } };
static const struct store_meta new_meta[] = { { "mode", "2" } };

static void put_source(struct suite *s, const char *key, char *ret_version)
{
	struct store_put_args args = { .meta = old_meta,
				       .meta_count = 2,
				       .content_type = "text/x-test" };
	char version[STORE_VERSION_MAX];

	OK(try_put_text(s, key, "bytes of the source", &args, ret_version ? ret_version : version));
}

static void expect_meta(struct suite *s, const char *bucket, const char *key, size_t count,
			const char *mode)
{
	struct arena arena = ARENA_INIT(1 << 20);
	struct store_object o = { 0 };

	OK(store_head(s->store, bucket, key, NULL, &arena, &o, &s->err));
	assert_int_equal(o.meta_count, count);
	assert_string_equal(store_object_meta(&o, "mode"), mode);
	arena_release(&arena);
}

static void a_copy_keeps_bytes_and_metadata(void **state)
{
	struct suite *s = *state;
	struct store_copy_args args = { 0 };
	char version[STORE_VERSION_MAX] = "";
	struct arena arena = ARENA_INIT(1 << 20);
	struct store_object o = { 0 };

	NEEDS_CAP(STORE_CAP_COPY);
	put_source(s, "from/it +%&?.txt", NULL);
	OK(store_copy(s->store, s->bucket, "from/it +%&?.txt", s->bucket, "to", &args, version,
		      &s->err));
	expect_text(s, "to", "bytes of the source");
	expect_text(s, "from/it +%&?.txt", "bytes of the source");
	expect_meta(s, s->bucket, "to", 2, "1");
	OK(store_head(s->store, s->bucket, "to", NULL, &arena, &o, &s->err));
	assert_string_equal(o.version, version);
	assert_string_equal(o.content_type, "text/x-test");
	arena_release(&arena);
}

static void a_copy_may_bring_metadata_of_its_own(void **state)
{
	struct suite *s = *state;
	struct store_copy_args args = { .replaces_meta = true, .meta = new_meta, .meta_count = 1 };
	char version[STORE_VERSION_MAX];

	NEEDS_CAP(STORE_CAP_COPY);
	put_source(s, "from", NULL);
	OK(store_copy(s->store, s->bucket, "from", s->bucket, "to", &args, version, &s->err));
	expect_meta(s, s->bucket, "to", 1, "2");
	expect_text(s, "to", "bytes of the source");
	/* Onto itself, which S3 allows with new metadata only. */
	OK(store_copy(s->store, s->bucket, "from", s->bucket, "from", &args, version, &s->err));
	expect_meta(s, s->bucket, "from", 1, "2");
}

static void a_copy_reaches_another_bucket(void **state)
{
	struct suite *s = *state;
	struct store_copy_args args = { 0 };
	char version[STORE_VERSION_MAX], other[80];
	int r;

	NEEDS_CAP(STORE_CAP_COPY);
	(void)snprintf(other, sizeof(other), "%s-b", s->bucket);
	put_source(s, "from", NULL);
	OK(store_bucket_create(s->store, other, &s->err));
	r = store_copy(s->store, s->bucket, "from", other, "to", &args, version, &s->err);
	if (r >= 0)
		expect_meta(s, other, "to", 2, "1");
	suite_empty_bucket(s, other);
	assert_true(store_bucket_delete(s->store, other, NULL) >= 0);
	assert_true(r >= 0);
}

static void a_copy_heeds_conditions(void **state)
{
	struct suite *s = *state;
	char old[STORE_VERSION_MAX], now[STORE_VERSION_MAX], version[STORE_VERSION_MAX];
	struct store_copy_args args = { .if_source_version = old };

	NEEDS_CAP(STORE_CAP_COPY);
	put_text(s, "from", "one", old);
	put_text(s, "from", "two!", now);
	FAILS_IF_STRICT(ERR_PRECONDITION, store_copy(s->store, s->bucket, "from", s->bucket, "to",
						     &args, version, &s->err));
	if (!s->is_lax)
		expect_absent(s, "to");
	args.if_source_version = now;
	OK(store_copy(s->store, s->bucket, "from", s->bucket, "to", &args, version, &s->err));
	FAILS(ERR_NOT_FOUND, store_copy(s->store, s->bucket, "none", s->bucket, "to",
					&(struct store_copy_args){ 0 }, version, &s->err));
	if (!s->is_reference) {
		/* No S3 server that is tested here heeds conditions on the target of a copy. */
		print_message("  not tested: conditions on the target\n");
		return;
	}
	args = (struct store_copy_args){ .if_absent = true };
	FAILS(ERR_PRECONDITION,
	      store_copy(s->store, s->bucket, "from", s->bucket, "to", &args, version, &s->err));
	args = (struct store_copy_args){ .if_version = old };
	FAILS(ERR_PRECONDITION,
	      store_copy(s->store, s->bucket, "from", s->bucket, "to", &args, version, &s->err));
	args = (struct store_copy_args){ .if_absent = true };
	OK(store_copy(s->store, s->bucket, "from", s->bucket, "fresh", &args, version, &s->err));
}

static const struct CMUnitTest tests[] = {
	SUITE_TEST(a_copy_keeps_bytes_and_metadata),
	SUITE_TEST(a_copy_may_bring_metadata_of_its_own),
	SUITE_TEST(a_copy_reaches_another_bucket),
	SUITE_TEST(a_copy_heeds_conditions),
};
SUITE_LIST(suite_copy_tests, tests);
