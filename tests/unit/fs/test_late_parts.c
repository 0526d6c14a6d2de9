/* Parts and begins that went more than once: what of them arrives late must not stay at the store. */
#include "tests/unit/fs/fake_cloud.h"
#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "fs/file.h"
#include "tests/unit/fs/bench_use.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define PART 4096u

/* A store of uploads in parts, of which the test says what goes wrong. */
struct room {
	struct store_ops ops;
	bool is_begin_repeated;
	unsigned repeated_part, failing_part; /* 0: none */
};
static struct room room;

static int note(struct store *s, const char *what, const char *id)
{
	struct cloud *c = container_of(s, struct cloud, store);

	LOCKED(&c->lock);
	return buf_addf(&c->log, "%s %s, ", what, id);
}

static int begin(struct store *s, const char *bucket, const char *key, const struct store_put_args *args, char **ret_upload_id,
		 struct error *err)
{
	(void)bucket, (void)key, (void)err;
	if (args->ret_was_repeated)
		*args->ret_was_repeated = room.is_begin_repeated;
	*ret_upload_id = strdup("ours");
	return room.is_begin_repeated ? 0 : note(s, "begin", *ret_upload_id);
}

static int take_part(struct store *s, const char *bucket, const char *key, const char *upload_id, unsigned number,
		     const struct store_source *source, struct cancel *cancel, struct store_part *ret, struct error *err)
{
	(void)s, (void)bucket, (void)key, (void)upload_id, (void)cancel;
	if (number == room.failing_part) {
		room.failing_part = 0;
		return error_set(err, ERR_UNAVAILABLE, "cut short");
	}
	*ret = (struct store_part){ .number = number, .size = source->length, .was_repeated = number == room.repeated_part };
	(void)snprintf(ret->tag, sizeof(ret->tag), "tag%u", number);
	return 0;
}

static int complete(struct store *s, const char *bucket, const char *key, const char *upload_id, const struct store_part *parts,
		    size_t count, const struct store_put_args *args, char *ret_version, struct error *err)
{
	(void)bucket, (void)key, (void)parts, (void)count, (void)args, (void)err;
	(void)snprintf(ret_version, STORE_VERSION_MAX, "v1");
	return room.is_begin_repeated ? 0 : note(s, "complete", upload_id); /* who comes first there is open */
}

static int abort_upload(struct store *s, const char *bucket, const char *key, const char *upload_id, struct error *err)
{
	(void)bucket, (void)key, (void)err;
	return note(s, "abort", upload_id);
}

static int list_uploads(struct store *s, const char *bucket, const char *prefix, struct store_upload_page *ret,
			struct error *err)
{
	static struct store_upload there[] = {
		{ .key = "f", .upload_id = "twin", .started_wall_ns = INT64_MAX },
		{ .key = "f", .upload_id = "busy", .started_wall_ns = INT64_MAX },
	};

	(void)s, (void)bucket, (void)prefix, (void)err;
	ret->uploads = there;
	ret->count = ARRAY_SIZE(there);
	return 0;
}

static int list_parts(struct store *s, const char *bucket, const char *key, const char *upload_id, struct store_part **ret_parts,
		      size_t *ret_count, struct error *err)
{
	(void)s, (void)bucket, (void)key, (void)err;
	*ret_count = strcmp(upload_id, "busy") == 0;
	*ret_parts = calloc(1, sizeof(**ret_parts));
	return 0;
}

/* Uploads a file of three parts; `caps` are the store's besides its own. */
static void upload_in_parts(struct bench *b, struct room r, unsigned caps)
{
	struct fs *fs = b->fs;
	static const char data[3 * PART];
	struct node *n;

	room = r;
	room.ops = *b->cloud->store.ops;
	room.ops.upload_begin = begin;
	room.ops.upload_part = take_part;
	room.ops.upload_complete = complete;
	room.ops.upload_abort = abort_upload;
	room.ops.upload_list = list_uploads;
	room.ops.upload_parts = list_parts;
	b->cloud->store.ops = &room.ops;
	b->cloud->store.caps |= caps;
	fs->options.part_size = PART;
	n = bench_make_file(b, b->bucket, "f");
	lock_take(&fs->lock);
	file_change_begin_locked(n->file);
	lock_drop(&fs->lock);
	assert_int_equal(fileio_pwrite_all(n->file->fd, data, sizeof(data), 0), 0);
	lock_take(&fs->lock);
	assert_int_equal(file_written_locked(n->file, 0, sizeof(data)), 0);
	file_change_end_locked(n->file);
	pending_put_due_locked(fs, n, 0);
	lock_drop(&fs->lock);
}

/* No thread of the mount is left then, and its rows tell what it had not done. */
static void expect_nothing_owed(struct bench *b)
{
	bench_restart(b);
	assert_int_equal(b->fs->queue.count, 0);
}

static char *log_now(struct bench *b)
{
	LOCKED(&b->cloud->lock);
	return strdup(buf_cstr(&b->cloud->log));
}

/* What is owed comes in its own time. */
static void expect_log(struct bench *b, const char *want)
{
	uint64_t deadline = clock_mono_ms() + 30000;
	CLEANUP(freep) char *log = log_now(b);

	while (strlen(log) < strlen(want) && clock_mono_ms() < deadline) {
		lock_take(&b->fs->lock);
		(void)cond_wait_until(&b->fs->changed, &b->fs->lock, clock_mono_ms() + 10);
		lock_drop(&b->fs->lock);
		free(log);
		log = log_now(b);
	}
	assert_string_equal(log, want);
}

static void a_part_that_was_sent_again_by_the_wire_has_its_upload_aborted_after_its_end(void **state)
{
	struct bench *b = *state;

	upload_in_parts(b, (struct room){ .repeated_part = 2 }, STORE_CAP_LATE_PARTS);
	expect_log(b, "begin ours, complete ours, abort ours, ");
}

static void a_part_that_failed_and_was_sent_again_has_its_upload_aborted_after_its_end(void **state)
{
	struct bench *b = *state;

	upload_in_parts(b, (struct room){ .failing_part = 3 }, STORE_CAP_LATE_PARTS);
	expect_log(b, "begin ours, complete ours, abort ours, ");
}

/* The second abort is the last that anybody waits for; a mount that ends leaves no row of the care that is left. */
static void nobody_waits_for_the_later_aborts(void **state)
{
	struct bench *b = *state;
	struct error err = ERROR_INIT;
	size_t count;

	upload_in_parts(b, (struct room){ .repeated_part = 2 }, STORE_CAP_LATE_PARTS);
	expect_log(b, "begin ours, complete ours, abort ours, ");
	assert_int_equal(fs_sync(b->fs, NULL, 0, NULL, NULL, NULL, NULL, &err), 0);
	lock_take(&b->fs->lock);
	count = b->fs->queue.count;
	lock_drop(&b->fs->lock);
	assert_int_equal(count, 1);
	expect_nothing_owed(b);
}

/* Of some stores an upload's end makes its parts the object: there an abort would take it away. */
static void where_no_part_comes_late_a_completed_upload_is_never_aborted(void **state)
{
	struct bench *b = *state;

	upload_in_parts(b, (struct room){ .failing_part = 1, .repeated_part = 2 }, 0);
	expect_log(b, "begin ours, complete ours, ");
	bench_wait_idle(b);
	expect_nothing_owed(b);
	expect_log(b, "begin ours, complete ours, ");
}

static void parts_that_all_went_once_cost_no_abort(void **state)
{
	struct bench *b = *state;

	upload_in_parts(b, (struct room){ 0 }, STORE_CAP_LATE_PARTS);
	expect_log(b, "begin ours, complete ours, ");
	bench_wait_idle(b);
	expect_nothing_owed(b);
	expect_log(b, "begin ours, complete ours, ");
}

static void a_begin_that_went_twice_leaves_no_twin_and_no_one_elses_upload_is_hurt(void **state)
{
	struct bench *b = *state;

	upload_in_parts(b, (struct room){ .is_begin_repeated = true }, STORE_CAP_LATE_PARTS);
	expect_log(b, "abort twin, abort twin, ");
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(a_part_that_was_sent_again_by_the_wire_has_its_upload_aborted_after_its_end),
		BENCH_TEST(a_part_that_failed_and_was_sent_again_has_its_upload_aborted_after_its_end),
		BENCH_TEST(nobody_waits_for_the_later_aborts),
		BENCH_TEST(where_no_part_comes_late_a_completed_upload_is_never_aborted),
		BENCH_TEST(parts_that_all_went_once_cost_no_abort),
		BENCH_TEST(a_begin_that_went_twice_leaves_no_twin_and_no_one_elses_upload_is_hurt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
