#include "backends/store/multipart.h"
#include "tests/unit/backends/store/fake_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static char version[STORE_VERSION_MAX];

static int setup(void **state)
{
	*state = fake_store_new();
	return 0;
}

static int teardown(void **state)
{
	store_free(&((struct fake_store *)*state)->store);
	return 0;
}

static int put(struct fake_store *f, const char *bucket, const char *key, struct str data,
	       const struct store_put_args *args, struct error *err)
{
	struct store_source source = STORE_SOURCE_INIT;
	struct store_put_args none = { 0 };

	source.mem = data;
	return store_put(&f->store, bucket, key, &source, args ? args : &none, version, err);
}

static void expect(int r, const struct error *err, enum error_kind kind)
{
	assert_true(r < 0);
	assert_int_equal(err->kind, kind);
	assert_int_equal(r, -error_errnum(kind));
}

static void arguments_are_checked_before_the_slot_is_called(void **state)
{
	struct fake_store *f = *state;
	char key[STORE_KEY_MAX + 2], data[101] = "";
	const struct store_meta upper = { "Mode", "1" },
				large = { "mode", "0123456789012345678901234567890" };
	struct store_put_args both = { .if_absent = true, .if_version = "v" };
	struct store_put_args bad_meta = { .meta = &upper, .meta_count = 1 };
	struct store_put_args big_meta = { .meta = &large, .meta_count = 1 };
	struct error err;

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	expect(put(f, "", "k", STR("x"), NULL, &err), &err, ERR_INVALID);
	expect(put(f, "a/b", "k", STR("x"), NULL, &err), &err, ERR_INVALID);
	expect(put(f, "b", "", STR("x"), NULL, &err), &err, ERR_INVALID);
	expect(put(f, "b", key, STR("x"), NULL, &err), &err, ERR_NAME_TOO_LONG);
	expect(put(f, "b", "k", (struct str){ data, 101 }, NULL, &err), &err, ERR_TOO_LARGE);
	expect(put(f, "b", "k", STR("x"), &both, &err), &err, ERR_INVALID);
	expect(put(f, "b", "k", STR("x"), &bad_meta, &err), &err, ERR_INVALID);
	expect(put(f, "b", "k", STR("x"), &big_meta, &err), &err, ERR_TOO_LARGE);
	fake_expect(f, "");
	key[STORE_KEY_MAX] = '\0';
	assert_int_equal(put(f, "b", key, STR("x"), NULL, NULL), 0);
	assert_int_equal(f->calls, 1);
}

static void a_missing_slot_is_said_in_one_wording(void **state)
{
	struct fake_store *f = *state;
	struct error err;

	expect(store_bucket_create(&f->store, "b", &err), &err, ERR_UNSUPPORTED);
	assert_string_equal(err.message, "fake cannot create buckets");
	assert_true(store_rename(&f->store, "b", "x", "y", NULL, version, NULL) < 0);
}

static void parts_must_ascend(void **state)
{
	struct fake_store *f = *state;
	struct store_part parts[2] = { { .number = 2 }, { .number = 2 } };
	struct store_put_args args = { 0 };
	struct error err;

	expect(store_upload_complete(&f->store, "b", "k", "id", parts, 2, &args, version, &err),
	       &err, ERR_INVALID);
	expect(store_upload_complete(&f->store, "b", "k", "id", parts, 0, &args, version, &err),
	       &err, ERR_INVALID);
	fake_expect(f, "");
}

static void many_deletes_become_single_ones_without_a_batch(void **state)
{
	struct fake_store *f = *state;
	static const char *const keys[] = { "a", "b", "c" };
	struct error results[3], err;

	f->fails_at = 2;
	f->fails_with = ERR_PERMISSION;
	assert_int_equal(store_delete_many(&f->store, "b", keys, 3, results, &err), 0);
	fake_expect(f, "delete(a)|delete(b)|delete(c)|");
	assert_int_equal(results[0].kind, ERR_NONE);
	assert_int_equal(results[1].kind, ERR_PERMISSION);
	assert_int_equal(results[2].kind, ERR_NONE);
}

static void a_large_copy_goes_in_parts_of_one_version(void **state)
{
	struct fake_store *f = *state;
	struct store_copy_args args = { .source_size = 120 };

	f->object_size = 120;
	assert_int_equal(store_copy(&f->store, "b", "from", "b", "to", &args, version, NULL), 0);
	fake_expect(f, "head(from)|begin(to)|copy1@v:0+50(to)|copy2@v:50+50(to)|copy3@v:100+20(to)|"
		       "complete(to)|");
	args.source_size = 100;
	assert_int_equal(store_copy(&f->store, "b", "from", "b", "to", &args, version, NULL), 0);
	fake_expect(f, "copy(from)|");
}

static void a_copy_of_unknown_size_tries_once_first(void **state)
{
	struct fake_store *f = *state;
	struct store_copy_args args = { 0 };

	f->object_size = 101;
	f->fails_at = 1;
	f->fails_with = ERR_TOO_LARGE;
	assert_int_equal(store_copy(&f->store, "b", "from", "b", "to", &args, version, NULL), 0);
	fake_expect(f, "copy(from)|head(from)|begin(to)|copy1@v:0+50(to)|copy2@v:50+50(to)|copy3@v:"
		       "100+1(to)|complete(to)|");
}

static void a_failed_copy_leaves_no_upload(void **state)
{
	struct fake_store *f = *state;
	struct store_copy_args args = { .source_size = 120 };
	struct error err;

	f->object_size = 120;
	f->fails_at = 4;
	f->fails_with = ERR_UNAVAILABLE;
	expect(store_copy(&f->store, "b", "from", "b", "to", &args, version, &err), &err,
	       ERR_UNAVAILABLE);
	fake_expect(f, "head(from)|begin(to)|copy1@v:0+50(to)|copy2@v:50+50(to)|abort(to)|");
}

static void a_range_is_uploaded_in_parts_when_it_must(void **state)
{
	struct fake_store *f = *state;
	char data[131] = "";
	struct store_source source = STORE_SOURCE_INIT;
	_Atomic uint64_t progress = 0;
	struct store_put_args args = { 0 };
	struct error err;

	source.mem = (struct str){ data, 100 };
	assert_int_equal(
		store_upload_range(&f->store, "b", "k", &source, 0, 50, &args, version, NULL), 0);
	fake_expect(f, "put(k)|");
	source.mem.len = 130;
	source.progress = &progress;
	assert_int_equal(
		store_upload_range(&f->store, "b", "k", &source, 0, 50, &args, version, NULL), 0);
	fake_expect(f, "begin(k)|part1:50(k)|part2:50(k)|part3:30(k)|complete(k)|");
	assert_int_equal(progress, 130);
	f->fails_at = 3;
	f->fails_with = ERR_TIMEOUT;
	expect(store_upload_range(&f->store, "b", "k", &source, 0, 50, &args, version, &err), &err,
	       ERR_TIMEOUT);
	fake_expect(f, "begin(k)|part1:50(k)|part2:50(k)|abort(k)|");
}

static void the_part_size_fits_the_limits(void **state)
{
	const struct store_limits s3 = { .min_part_bytes = 5 << 20,
					 .max_part_bytes = 5ull << 30,
					 .max_parts = 10000 };
	const uint64_t mib = 1 << 20;

	(void)state;
	assert_int_equal(store_part_size(&s3, 0, 0), 5 * mib);
	assert_int_equal(store_part_size(&s3, 100 * mib, 16 * mib), 16 * mib);
	assert_int_equal(store_part_size(&s3, 100 * mib, 1), 5 * mib);
	for (uint64_t size = mib; size < (48ull << 40); size = size * 3 + 12345) {
		uint64_t part = store_part_size(&s3, size, 8 * mib);

		assert_true(part >= 8 * mib);
		assert_true((size + part - 1) / part <= 10000);
	}
}

static void the_suffix_tells_the_content_type(void **state)
{
	(void)state;
	assert_string_equal(store_content_type("a/b.TXT"), "text/plain");
	assert_string_equal(store_content_type("a.txt/b"), "application/octet-stream");
	assert_string_equal(store_content_type(".txt"), "application/octet-stream");
	assert_string_equal(store_content_type("dir/.png"), "application/octet-stream");
	assert_string_equal(store_content_type("x."), "application/octet-stream");
	assert_string_equal(store_content_type("x.tar.gz"), "application/gzip");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(arguments_are_checked_before_the_slot_is_called),
		TEST(a_missing_slot_is_said_in_one_wording),
		TEST(parts_must_ascend),
		TEST(many_deletes_become_single_ones_without_a_batch),
		TEST(a_large_copy_goes_in_parts_of_one_version),
		TEST(a_copy_of_unknown_size_tries_once_first),
		TEST(a_failed_copy_leaves_no_upload),
		TEST(a_range_is_uploaded_in_parts_when_it_must),
		cmocka_unit_test(the_part_size_fits_the_limits),
		cmocka_unit_test(the_suffix_tells_the_content_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
