#include "backends/base/clock.h"
#include "control/doctor.h"
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

/* A server with one object, which keeps conditions, ignores them, or lets nobody write. */
enum manner { HONOURS, IGNORES, REFUSES };
static enum manner manner;
static bool is_there;
static enum error_kind list_error;

static int put(struct store *s, const char *bucket, const char *key,
	       const struct store_source *source, const struct store_put_args *args,
	       char *ret_version, struct error *err)
{
	(void)s, (void)bucket, (void)source;
	assert_non_null(strstr(key, ".skydir-doctor-"));
	if (manner == REFUSES)
		return error_set(err, ERR_PERMISSION, "access denied");
	if (manner == HONOURS && is_there && (args->if_absent || args->if_version))
		return error_set(err, ERR_PRECONDITION, "changed");
	is_there = true;
	ret_version[0] = '\0';
	return 0;
}

static int delete_one(struct store *s, const char *bucket, const char *key, const char *if_version,
		      const char *version_id, struct error *err)
{
	(void)s, (void)bucket, (void)key, (void)if_version, (void)version_id, (void)err;
	is_there = false;
	return 0;
}

static int list_buckets(struct store *s, struct store_bucket_page *ret, struct error *err)
{
	(void)s, (void)ret;
	return list_error ? error_set(err, list_error, "no") : 0;
}

static const struct store_ops ops_of_it = {
	.type = "x", .put = put, .delete = delete_one, .bucket_list = list_buckets};
static char name[] = "x";
static struct store store = {.ops = &ops_of_it, .name = name, .caps = STORE_CAP_CONDITIONAL_PUT};

static struct doctor doctor;

static int setup(void **state)
{
	(void)state;
	is_there = false;
	list_error = ERR_NONE;
	doctor = (struct doctor){.checks = json_object_new_array(), .format = OUTPUT_JSON};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_object_put(doctor.checks);
	return 0;
}

static size_t count(const char *result)
{
	size_t n = 0;

	for (size_t i = 0; i < json_object_array_length(doctor.checks); i++)
		n += !strcmp(json_get_string(json_object_array_get_idx(doctor.checks, i), "result"),
			     result);
	return n;
}

static void conditions_are_found_out_by_effect(void **state)
{
	(void)state;
	manner = HONOURS;
	doctor_check_writes(&doctor, &store, "bucket");
	assert_int_equal(count("ok"), 3);
	assert_false(is_there);
	manner = IGNORES;
	doctor_check_writes(&doctor, &store, "bucket");
	assert_int_equal(count("warn"), 2);
	assert_false(is_there);
	assert_false(doctor.has_failed);
	manner = REFUSES;
	doctor_check_writes(&doctor, &store, "bucket");
	assert_int_equal(count("fail"), 1);
	assert_true(doctor.has_failed);
}

static void a_store_that_answers_but_lists_nothing_is_only_a_warning(void **state)
{
	(void)state;
	doctor_check_store(&doctor, &store);
	list_error = ERR_PERMISSION;
	doctor_check_store(&doctor, &store);
	assert_false(doctor.has_failed);
	list_error = ERR_UNAVAILABLE;
	doctor_check_store(&doctor, &store);
	assert_int_equal(count("ok"), 1);
	assert_int_equal(count("warn"), 1);
	assert_int_equal(count("fail"), 1);
}

static void the_cache_must_be_writable_with_room(void **state)
{
	char *dir = fake_make_dir();
	CLEANUP(freep) char *file = str_format("%s/file", dir);
	CLEANUP(freep) char *below = str_format("%s/file/cache", dir);
	CLEANUP(freep) char *fresh = str_format("%s/a/b", dir);
	struct fs_options o = {.cache_dir = fresh, .cache_size = 1};

	(void)state;
	doctor_check_cache(&doctor, &o);
	assert_int_equal(count("ok"), 1);
	o.cache_size = UINT64_MAX / 2;
	doctor_check_cache(&doctor, &o);
	assert_int_equal(count("warn"), 1);
	o.free_space_floor = UINT64_MAX / 2;
	doctor_check_cache(&doctor, &o);
	assert_int_equal(count("fail"), 1);
	fake_write(file, "", 0600);
	o.cache_dir = below;
	doctor_check_cache(&doctor, &o);
	assert_int_equal(count("fail"), 2);
	fake_remove_dir(dir);
}

static void a_clock_that_is_off_is_told(void **state)
{
	(void)state;
	clock_set_skew_s(0);
	doctor_check_clock(&doctor);
	clock_set_skew_s(-3600);
	doctor_check_clock(&doctor);
	clock_set_skew_s(0);
	assert_int_equal(count("ok"), 1);
	assert_int_equal(count("warn"), 1);
	assert_non_null(strstr(json_get_string(doctor.checks, "1.detail"), "ahead of"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(conditions_are_found_out_by_effect),
		TEST(a_store_that_answers_but_lists_nothing_is_only_a_warning),
		TEST(the_cache_must_be_writable_with_room),
		TEST(a_clock_that_is_off_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
