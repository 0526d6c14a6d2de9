/* What a kill leaves behind, in the store and in the cache directory, and who waits meanwhile. */
#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "tests/unit/fs/fake_cloud.h"
#include "fs/change.h"
#include "fs/file.h"
#include "fs/owed.h"
#include "fs/upload_private.h"
#include "tests/unit/fs/bench_use.h"
#include "tests/unit/fs/support.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static int list_uploads(struct store *s, const char *bucket, const char *prefix, struct store_upload_page *ret,
			struct error *err)
{
	static struct store_upload there[] = {
		{ .key = "f", .upload_id = "stray", .started_wall_ns = INT64_C(2000000000) },
		{ .key = "f", .upload_id = "live", .started_wall_ns = INT64_C(2000000000) },
		{ .key = "fx", .upload_id = "of another key", .started_wall_ns = INT64_C(2000000000) },
	};

	(void)s, (void)bucket, (void)prefix, (void)err;
	ret->uploads = there;
	ret->count = ARRAY_SIZE(there);
	return 0;
}

static int abort_upload(struct store *s, const char *bucket, const char *key, const char *upload_id, struct error *err)
{
	struct cloud *c = container_of(s, struct cloud, store);

	(void)bucket, (void)key, (void)err;
	LOCKED(&c->lock);
	return buf_addf(&c->log, "abort %s, ", upload_id);
}

/* A store with uploads in parts, as far as these tests ask it; nothing in the queue begins. */
static struct location upload_room(struct bench *b, struct store_ops *ops)
{
	*ops = *b->cloud->store.ops;
	ops->upload_list = list_uploads;
	ops->upload_abort = abort_upload;
	b->cloud->store.ops = ops;
	bench_freeze(b);
	return (struct location){ &b->cloud->store, (char *)CLOUD_BUCKET, (char *)"f" };
}

static struct upload *begin_upload(struct bench *b, const char *id)
{
	struct node *n = bench_make_file(b, b->bucket, "f");
	struct upload *u;

	LOCKED(&b->fs->lock);
	u = upload_new_locked(n->file);
	assert_non_null(u);
	u->id = strdup(id);
	return u;
}

static void expect_log(struct bench *b, const char *want)
{
	LOCKED(&b->cloud->lock);
	assert_string_equal(buf_cstr(&b->cloud->log), want);
}

static void what_was_begun_unnamed_is_aborted_twice_and_what_runs_here_is_not(void **state)
{
	static struct store_ops ops;
	struct bench *b = *state;
	struct location where = upload_room(b, &ops);
	struct pending *op = pending_new(b->fs, PENDING_ABORT, journal_next_seq(b->fs->journal), &where, NULL);
	struct error err = ERROR_INIT;

	(void)begin_upload(b, "live");
	assert_int_equal(owed_run(op, &err), 0);
	expect_log(b, "abort stray, ");
	assert_true(op->wants_redo);
	assert_int_equal(owed_run(op, &err), 0);
	expect_log(b, "abort stray, abort stray, ");
	assert_false(op->wants_redo);
	pending_free(op);
}

static void an_upload_that_is_gone_on_with_is_not_aborted_before_it_is_given_up(void **state)
{
	static struct store_ops ops;
	struct bench *b = *state;
	struct location where = upload_room(b, &ops);
	struct pending *op = pending_new(b->fs, PENDING_ABORT, journal_next_seq(b->fs->journal), &where, NULL);
	struct upload *u = begin_upload(b, "live");
	struct error err = ERROR_INIT;

	op->upload_id = strdup("live");
	assert_int_equal(owed_run(op, &err), 0);
	expect_log(b, "");
	assert_true(op->wants_redo);
	lock_take(&b->fs->lock);
	upload_discard_locked(u->file);
	lock_drop(&b->fs->lock);
	assert_int_equal(owed_run(op, &err), 0);
	expect_log(b, "abort live, ");
	pending_free(op);
}

static void an_upload_that_was_completed_is_owed_no_more(void **state)
{
	static struct store_ops ops;
	struct bench *b = *state;
	struct location where = upload_room(b, &ops);

	LOCKED(&b->fs->lock);
	assert_true(owed_later_locked(b->fs, &(struct owed){ where, "a", 0, 1 }));
	assert_true(owed_later_locked(b->fs, &(struct owed){ where, "b", 0, 1 }));
	assert_int_equal(b->fs->queue.count, 2);
	owed_over_locked(b->fs, "a");
	assert_int_equal(b->fs->queue.count, 1);
	assert_string_equal(b->fs->queue.first->upload_id, "b");
}

static void however_often_a_begin_is_in_doubt_its_key_is_looked_at_by_one(void **state)
{
	static struct store_ops ops;
	struct bench *b = *state;
	struct location where = upload_room(b, &ops), other = { where.store, where.bucket, (char[]){ "other" } };

	LOCKED(&b->fs->lock);
	for (int i = 0; i < 3; i++)
		assert_true(owed_later_locked(b->fs, &(struct owed){ where, NULL, 5, 0 }));
	assert_int_equal(b->fs->queue.count, 1);
	b->fs->queue.first->passes = 1;
	assert_true(owed_later_locked(b->fs, &(struct owed){ where, NULL, 9, 0 }));
	assert_int_equal(b->fs->queue.first->passes, 0);
	assert_int_equal(b->fs->queue.first->since_ns, 5);
	assert_true(owed_later_locked(b->fs, &(struct owed){ other, NULL, 5, 0 }));
	assert_int_equal(b->fs->queue.count, 2);
}

/* A copy of a big object is made of parts, too, and the store keeps its id to itself. */
static void what_may_be_a_copy_of_ours_is_not_aborted_while_it_runs(void **state)
{
	static struct store_ops ops;
	struct bench *b = *state;
	struct location where = upload_room(b, &ops), from = { where.store, where.bucket, (char[]){ "from" } };
	struct pending *op = pending_new(b->fs, PENDING_ABORT, journal_next_seq(b->fs->journal), &where, NULL);
	struct pending *copy = pending_new(b->fs, PENDING_COPY, journal_next_seq(b->fs->journal), &where, &from);
	struct error err = ERROR_INIT;

	lock_take(&b->fs->lock);
	pending_insert_locked(b->fs, copy);
	copy->state = PENDING_RUNNING;
	lock_drop(&b->fs->lock);
	assert_int_equal(owed_run(op, &err), 0);
	expect_log(b, "");
	assert_int_equal(op->passes, 0);
	assert_true(op->wants_redo);
	pending_free(op);
}

static void write_at(struct node *n, const char *text, uint64_t offset)
{
	struct fs *fs = n->file->fs;

	lock_take(&fs->lock);
	file_change_begin_locked(n->file);
	lock_drop(&fs->lock);
	assert_int_equal(fileio_pwrite_all(n->file->fd, text, strlen(text), offset), 0);
	lock_take(&fs->lock);
	assert_int_equal(file_written_locked(n->file, offset, offset + strlen(text)), 0);
	file_change_end_locked(n->file);
	lock_drop(&fs->lock);
}

/* The close waits for the upload (writeback=no), and the upload must not wait for the close. */
static void an_upload_that_a_close_waits_for_goes_on_though_the_file_is_open(void **state)
{
	struct bench *b = *state;
	struct fs *fs = b->fs;
	struct node *n = bench_make_file(b, b->bucket, "f");
	struct parked waiting = { 0 };

	lock_take(&fs->lock);
	tree_pin(n);
	n->file->writers++;
	cloud_hold(b->cloud, true);
	(void)pending_hurry_locked(fs, NULL, UINT64_MAX);
	while (n->put->state != PENDING_RUNNING)
		(void)cond_wait_until(&fs->changed, &fs->lock, clock_mono_ms() + 10);
	lock_drop(&fs->lock);
	write_at(n, "hello", 0);
	lock_take(&fs->lock);
	n->file->closing_waiting = &waiting;
	lock_take(&b->cloud->lock);
	b->cloud->hold_after = 1; /* the second one has to wait: until then nobody is woken */
	lock_drop(&b->cloud->lock);
	cloud_hold(b->cloud, false);
	while (!node_has_version(n))
		cond_wait(&fs->changed, &fs->lock);
	assert_non_null(n->put);
	assert_int_not_equal(n->put->state, PENDING_BLOCKED);
	n->file->closing_waiting = NULL;
	n->file->writers--;
	lock_drop(&fs->lock);
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	assert_int_equal(cloud_find(b->cloud, "f")->size, 5);
	lock_take(&fs->lock);
	tree_unpin(&fs->tree, n);
	lock_drop(&fs->lock);
}

static void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
	CLEANUP(freep) char *from = str_format("%s/%s", from_dir, name);
	CLEANUP(freep) char *to = str_format("%s/%s", to_dir, name);
	CLEANUP(buf_release) struct buf data = BUF_INIT(16 << 20);
	CLEANUP(closep) int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fileio_read_file(from, &data, NULL), 0);
	assert_int_equal(fileio_pwrite_all(fd, buf_cstr(&data), data.len, 0), 0);
}

static void count_memory(void *arg, const char *key, const char *version, struct str blob)
{
	(void)key, (void)version, (void)blob;
	(*(int *)arg)++;
}

/* What a kill at this moment would leave is remembered of the key. */
static int remembered(struct bench *b, const char *key)
{
	CLEANUP(freep) char *to = str_format("%s\1", key);
	char *dir = support_make_dir(), *damage = NULL;
	struct journal *j = NULL;
	int count = 0;

	copy_file(b->dir, dir, "attrs.db");
	copy_file(b->dir, dir, "attrs.db-wal");
	assert_int_equal(journal_open(dir, &j, &damage, NULL), 0);
	assert_int_equal(journal_attrs_each(j, b->cloud->store.name, CLOUD_BUCKET, key, to, count_memory, &count), 0);
	journal_close(j);
	support_remove_dir(&dir);
	return count;
}

/* The same content under the same key may have the same version: its attributes must not be those of what was there before. */
static void what_is_remembered_of_a_key_is_right_before_a_change_of_it_leaves_the_journal(void **state)
{
	struct bench *b = *state;
	struct node *n = bench_make_file(b, b->bucket, "f");

	lock_take(&b->fs->lock);
	pending_put_due_locked(b->fs, n, 0);
	lock_drop(&b->fs->lock);
	bench_wait_idle(b);
	bench_rename(b, "f", b->bucket, "g");
	bench_wait_idle(b);
	assert_int_equal(remembered(b, "g"), 1);
	assert_int_equal(remembered(b, "f"), 0);
	bench_rename(b, "g", b->bucket, "h"); /* now no row of an upload is left that has them written */
	bench_wait_idle(b);
	assert_int_equal(remembered(b, "h"), 1);
	assert_int_equal(remembered(b, "g"), 0);
	bench_unlink(b, "h");
	bench_wait_idle(b);
	assert_int_equal(remembered(b, "h"), 0);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(what_was_begun_unnamed_is_aborted_twice_and_what_runs_here_is_not),
		BENCH_TEST(an_upload_that_is_gone_on_with_is_not_aborted_before_it_is_given_up),
		BENCH_TEST(an_upload_that_was_completed_is_owed_no_more),
		BENCH_TEST(however_often_a_begin_is_in_doubt_its_key_is_looked_at_by_one),
		BENCH_TEST(what_may_be_a_copy_of_ours_is_not_aborted_while_it_runs),
		BENCH_TEST(an_upload_that_a_close_waits_for_goes_on_though_the_file_is_open),
		BENCH_TEST(what_is_remembered_of_a_key_is_right_before_a_change_of_it_leaves_the_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
