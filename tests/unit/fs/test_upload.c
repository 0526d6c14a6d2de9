/* The geometry of multipart uploads: which bytes part i has, for every store and part size. */
#include "fs/upload.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

static const struct store s3 = {
	.limits = { .max_object_bytes = 5 * TIB,
		    .min_part_bytes = 5 * MIB,
		    .max_part_bytes = 5 * GIB,
		    .max_parts = 10000 },
};
static const uint64_t part_sizes[] = { MIB,	  5 * MIB,    8 * MIB, 8 * MIB + 1,
				       100 * MIB, 1000 * MIB, 5 * GIB };

/* A mount of that part size; only its options are looked at. */
static struct fs *with_part_size(uint64_t part_size)
{
	static struct fs fs;

	fs.options.part_size = part_size;
	return &fs;
}

static void parts_follow_each_other_without_gap(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(part_sizes); i++) {
		uint64_t start, end, last = 0;

		for (unsigned part = 0; part < s3.limits.max_parts; part++) {
			upload_part_range(with_part_size(part_sizes[i]), &s3, part, &start, &end);
			assert_int_equal(start, last);
			assert_true(end > start);
			last = end;
		}
	}
}

static void every_part_is_within_the_limits_of_the_store(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(part_sizes); i++) {
		uint64_t start, end, last_size = 0;

		for (unsigned part = 0; part < s3.limits.max_parts; part++) {
			upload_part_range(with_part_size(part_sizes[i]), &s3, part, &start, &end);
			assert_in_range(end - start, s3.limits.min_part_bytes,
					s3.limits.max_part_bytes);
			assert_true(end - start >= last_size); /* parts only grow */
			last_size = end - start;
		}
	}
}

static void ten_thousand_parts_hold_the_largest_object(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(part_sizes); i++) {
		uint64_t start, end;

		upload_part_range(with_part_size(part_sizes[i]), &s3, s3.limits.max_parts - 1,
				  &start, &end);
		assert_true(end >= s3.limits.max_object_bytes);
	}
}

static void the_first_thousand_parts_have_the_size_that_was_asked_for(void **state)
{
	const struct fs *fs = with_part_size(8 * MIB);
	uint64_t start, end;

	(void)state;
	upload_part_range(fs, &s3, 999, &start, &end);
	assert_int_equal(start, 999 * 8 * MIB);
	assert_int_equal(end - start, 8 * MIB);
	upload_part_range(fs, &s3, 1000, &start, &end);
	assert_int_equal(end - start, 32 * MIB);
	upload_part_range(fs, &s3, 2999, &start, &end);
	assert_int_equal(end - start, 128 * MIB);
	upload_part_range(fs, &s3, 9999, &start, &end);
	assert_int_equal(end - start, 5 * GIB);
}

/* Parts that went up while the file grew must be what its end asks for: the size plays no part. */
static void a_range_depends_on_the_number_alone(void **state)
{
	const struct fs *fs = with_part_size(8 * MIB);
	uint64_t start, end, start_again, end_again;

	(void)state;
	for (unsigned part = 0; part < 10000; part += 37) {
		upload_part_range(fs, &s3, part, &start, &end);
		upload_part_range(fs, &s3, 9999 - part, &start_again, &end_again);
		upload_part_range(fs, &s3, part, &start_again, &end_again);
		assert_int_equal(start, start_again);
		assert_int_equal(end, end_again);
	}
}

static void a_store_without_limits_does_not_overflow(void **state)
{
	static const struct store disk = {
		.limits = { .min_part_bytes = 1, .max_part_bytes = INT64_MAX, .max_parts = 10000 },
	};
	uint64_t start, end, last = 0;

	(void)state;
	for (unsigned part = 0; part < 10000; part++) {
		upload_part_range(with_part_size(MIB), &disk, part, &start, &end);
		assert_int_equal(start, last);
		assert_true(end > start && end <= INT64_MAX);
		last = end;
	}
}

static void a_small_most_and_least_of_a_store_are_kept(void **state)
{
	static const struct store one_size = {
		.limits = { .min_part_bytes = 4 * MIB, .max_part_bytes = 4 * MIB },
	};
	uint64_t start, end;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(part_sizes); i++) {
		upload_part_range(with_part_size(part_sizes[i]), &one_size, 4321, &start, &end);
		assert_int_equal(start, 4321 * 4 * MIB);
		assert_int_equal(end, 4322 * 4 * MIB);
	}
}

static int never_begin(struct store *s, const char *bucket, const char *key,
		       const struct store_put_args *args, char **ret_upload_id, struct error *err)
{
	(void)s, (void)bucket, (void)key, (void)args, (void)ret_upload_id;
	return error_set(err, ERR_UNSUPPORTED, "only asked whether it is there");
}

static void small_files_go_in_one_piece(void **state)
{
	static const struct store_ops with_parts = { .upload_begin = never_begin };
	static const struct store_ops without_parts;
	struct store store = { .ops = &with_parts, .limits = { .max_put_bytes = 5 * GIB } };
	struct pending put = { .store = &store };
	struct node node = { 0 };
	struct file file = { .fs = with_part_size(8 * MIB), .node = &node };

	(void)state;
	assert_false(upload_wants_parts_locked(&file, GIB)); /* nobody uploads it */
	node.put = &put;
	assert_false(upload_wants_parts_locked(&file, 0));
	assert_false(upload_wants_parts_locked(&file, 16 * MIB));
	assert_true(upload_wants_parts_locked(&file, 16 * MIB + 1));
	store.limits.max_put_bytes = MIB;
	assert_true(upload_wants_parts_locked(&file, MIB + 1));
	store.ops = &without_parts;
	assert_false(upload_wants_parts_locked(&file, GIB));
	assert_int_equal(upload_sent_locked(&file), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_follow_each_other_without_gap),
		cmocka_unit_test(every_part_is_within_the_limits_of_the_store),
		cmocka_unit_test(ten_thousand_parts_hold_the_largest_object),
		cmocka_unit_test(the_first_thousand_parts_have_the_size_that_was_asked_for),
		cmocka_unit_test(a_range_depends_on_the_number_alone),
		cmocka_unit_test(a_store_without_limits_does_not_overflow),
		cmocka_unit_test(a_small_most_and_least_of_a_store_are_kept),
		cmocka_unit_test(small_files_go_in_one_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
