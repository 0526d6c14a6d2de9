/* What a kill leaves in the journal, and what the next mount makes of it. */
#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "fs/attrs.h"
#include "fs/change.h"
#include "fs/file.h"
#include "fs/listing.h"
#include "fs/ops.h"
#include "fs/pending.h"
#include "tests/unit/fs/bench_use.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

/* The row of an upload, as it was before the upload ended. */
struct upload_row {
	const char *key;
	struct journal_row row; /* its strings are heap ones */
};

static int note_row(void *arg, const struct journal_row *row, struct error *err)
{
	struct upload_row *left = arg;

	(void)err;
	if (row->kind != PENDING_PUT || strcmp(row->key, left->key) != 0)
		return 0;
	left->row = *row;
	left->row.store = strdup(row->store);
	left->row.bucket = strdup(row->bucket);
	left->row.key = strdup(row->key);
	left->row.from_bucket = left->row.from_key = "";
	left->row.detail.ptr = strdup(row->detail.ptr);
	return 0;
}

/* file_id: of a file that is there, as a mixture before; 0: another one, since the upload's own may be gone by now. */
static void put_back_row(struct bench *b, struct upload_row *left, uint64_t file_id)
{
	int fd;

	left->row.file_id = file_id;
	if (file_id) {
		left->row.seq = file_id; /* which no row has */
		left->row.flags = 0;
	} else {
		assert_int_equal(file_make(b->fs, &left->row.file_id, &fd, NULL), 0);
		assert_int_equal(fileio_pwrite_all(fd, "old", 3, 0), 0);
		(void)close(fd);
	}
	assert_int_equal(journal_wait(b->fs->journal, journal_delete(b->fs->journal, 1), NULL), 0); /* what ended goes first */
	assert_int_equal(journal_wait(b->fs->journal, journal_put(b->fs->journal, &left->row), NULL), 0);
	free((char *)left->row.store);
	free((char *)left->row.bucket);
	free((char *)left->row.key);
	free((char *)left->row.detail.ptr);
}

/* Makes and uploads the file, and tells the row that its upload had. */
static void upload(struct bench *b, struct node *dir, const char *name, struct upload_row *ret)
{
	struct node *n;

	cloud_hold(b->cloud, true);
	n = bench_make_file(b, dir, name);
	assert_int_equal(journal_each(b->fs->journal, note_row, ret, NULL), 0);
	assert_non_null(ret->row.key);
	lock_take(&b->fs->lock);
	pending_put_due_locked(b->fs, n, 0);
	lock_drop(&b->fs->lock);
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
}

static void copy_in_cloud(struct bench *b, const char *from_key, const char *key)
{
	struct location from = { &b->cloud->store, (char *)CLOUD_BUCKET, (char *)from_key };
	struct location to = { &b->cloud->store, (char *)CLOUD_BUCKET, (char *)key };
	struct node *n = bench_grow(b, key, NODE_FILE);
	uint64_t ticket;

	LOCKED(&b->fs->lock);
	assert_int_equal(pending_op_locked(b->fs, PENDING_COPY, &to, &from, n, NULL, 0, &ticket, NULL), 0);
}

static void rename_x_over_it(struct bench *b)
{
	bench_rename(b, "x", b->bucket, "k");
}

static void rename_it(struct bench *b)
{
	bench_rename(b, "k", b->bucket, "j");
}

static void unlink_it(struct bench *b)
{
	bench_unlink(b, "k");
}

static void copy_it(struct bench *b)
{
	copy_in_cloud(b, "k", "c");
}

static void change_its_mode(struct bench *b)
{
	uint64_t ticket;

	LOCKED(&b->fs->lock);
	bench_node(b, "k")->mode = S_IFREG | 0400;
	assert_int_equal(change_attrs_locked(b->fs, bench_node(b, "k"), &ticket, NULL), 0);
}

static void rename_its_directory(struct bench *b)
{
	bench_rename(b, "d", b->bucket, "e");
}

static int set_meta(struct store *s, const char *bucket, const char *key, const char *if_version, const struct store_meta *meta,
		    size_t count, char *ret_version, struct error *err)
{
	struct cloud *c = container_of(s, struct cloud, store);

	(void)bucket, (void)if_version, (void)meta, (void)count, (void)err;
	LOCKED(&c->lock);
	while (c->is_held)
		cond_wait(&c->changed, &c->lock);
	memcpy(ret_version, cloud_find(c, key)->version, STORE_VERSION_MAX);
	return 0;
}

static void expect_dropped(const char *key, void (*change)(struct bench *b))
{
	struct upload_row left = { .key = key };
	struct store_ops ops;
	void *state;
	struct bench *b;

	bench_setup(&state);
	b = state;
	ops = *b->cloud->store.ops;
	ops.set_meta = set_meta;
	b->cloud->store.ops = &ops;
	cloud_put(b->cloud, "x", 7);
	cloud_put(b->cloud, "d/x", 7);
	bench_list(b, "");
	bench_list(b, "d");
	upload(b, strchr(key, '/') ? bench_node(b, "d") : b->bucket, strchr(key, '/') ? "k" : key, &left);
	bench_freeze(b);
	change(b);
	put_back_row(b, &left, 0);
	cloud_hold(b->cloud, true);
	bench_restart(b);
	lock_take(&b->fs->lock);
	assert_int_equal(b->fs->queue.count, 1);
	assert_int_not_equal(b->fs->queue.first->kind, PENDING_PUT);
	assert_int_equal(b->fs->lost_rows, 0);
	for (const struct file *f = b->fs->cache.lru_first; f; f = f->lru_next)
		assert_int_not_equal(f->id, left.row.file_id);
	lock_drop(&b->fs->lock);
	bench_teardown(&state);
}

/* Done again, it would put the old content, or one that was written meanwhile, where it does not belong. */
static void an_upload_that_was_over_before_the_kill_is_not_done_again(void **state)
{
	(void)state;
	expect_dropped("k", rename_x_over_it);
	expect_dropped("k", rename_it);
	expect_dropped("k", unlink_it);
	expect_dropped("k", copy_it);
	expect_dropped("k", change_its_mode);
	expect_dropped("d/k", rename_its_directory);
}

static void write_up_to(struct node *n, uint64_t size)
{
	struct fs *fs = n->file->fs;

	assert_int_equal(ftruncate(n->file->fd, (off_t)size), 0);
	LOCKED(&fs->lock);
	assert_int_equal(file_written_locked(n->file, 0, size), 0);
	assert_true(pending_update_locked(n->put) > 0);
}

/* An earlier upload of the same cache file, which was a mixture then, and smaller. */
static void a_row_that_lingers_does_not_change_the_file_of_a_later_one(void **state)
{
	struct bench *b = *state;
	struct upload_row left = { .key = "f" };
	struct node *n = bench_make_file(b, b->bucket, "f");
	struct stat st;
	uint64_t id = n->file->id;

	bench_freeze(b);
	write_up_to(n, 10);
	assert_int_equal(journal_each(b->fs->journal, note_row, &left, NULL), 0);
	write_up_to(n, 100);
	put_back_row(b, &left, id);
	cloud_hold(b->cloud, true);
	bench_restart(b);
	n = bench_node(b, "f");
	assert_non_null(n);
	assert_non_null(n->file);
	assert_int_equal(n->file->id, id);
	assert_int_equal(n->size, 100);
	assert_int_equal(fstat(n->file->fd, &st), 0);
	assert_int_equal(st.st_size, 100);
	assert_int_equal(b->fs->queue.count, 1);
}

static void what_is_renamed_over_a_file_has_none_of_its_content(void **state)
{
	struct bench *b = *state;
	struct upload_row left = { .key = "k" };
	struct node *n;

	cloud_put(b->cloud, "x", 7);
	bench_list(b, "");
	upload(b, b->bucket, "k", &left);
	bench_freeze(b);
	rename_x_over_it(b);
	put_back_row(b, &left, 0);
	cloud_hold(b->cloud, true);
	bench_restart(b);
	n = bench_node(b, "k");
	assert_non_null(n);
	assert_null(n->file);
	assert_null(n->put);
	assert_int_equal(n->size, 7);
	assert_string_equal(n->rare->remote_key, "x");
}

static void a_copy_of_what_was_renamed_before_is_read_where_it_is(void **state)
{
	struct bench *b = *state;
	CLEANUP(location_release) struct location where = LOCATION_INIT;

	cloud_put(b->cloud, "f", 7);
	bench_list(b, "");
	bench_freeze(b);
	bench_rename(b, "f", b->bucket, "g");
	copy_in_cloud(b, "g", "c");
	bench_restart(b);
	bench_wait_idle(b);
	bench_list(b, "");
	assert_int_equal(tree_remote_key(bench_node(b, "c"), &where), 0);
	assert_string_equal(where.key, "c");
	assert_null(cloud_find(b->cloud, "f"));
}

/* An object of the file's size, time and attributes. */
static const struct node *described;

static int head_of_described(struct store *s, const char *bucket, const char *key, const char *version_id, struct arena *arena,
			     struct store_object *ret, struct error *err)
{
	struct store_meta *meta;
	struct attrs a = ATTRS_INIT;

	(void)s, (void)bucket, (void)version_id, (void)err;
	*ret = (struct store_object){ .key = arena_strdup(arena, key), .size = described->size, .has_meta = true };
	memcpy(ret->version, "theirs", 7);
	assert_int_equal(attrs_of_node(described, &a), 0);
	assert_int_equal(attrs_to_meta(&a, arena, &meta, &ret->meta_count), 0);
	ret->meta = meta;
	attrs_release(&a);
	return 0;
}

/* Its first content was sent before a write had given it its time, say, or was set to the same time again by somebody. */
static void an_object_of_the_same_size_and_time_is_not_taken_for_another_content(void **state)
{
	struct bench *b = *state;
	struct store_ops ops = *b->cloud->store.ops;
	struct node *n = bench_make_file(b, b->bucket, "f");
	struct attempt refused = { .mtime_ns = n->mtime_ns, .content = 2 };
	struct error err = ERROR_INIT;
	char version[STORE_VERSION_MAX] = "";

	bench_freeze(b);
	described = n;
	ops.head = head_of_described;
	b->cloud->store.ops = &ops;
	n->put->sent[0] = (struct attempt){ .mtime_ns = n->mtime_ns, .content = 2 };
	assert_int_equal(conflict_resolve(n->put, &refused, version, &err), CONFLICT_OURS);
	n->put->sent[0].content = 1; /* written to since */
	assert_int_equal(conflict_resolve(n->put, &refused, version, &err), CONFLICT_RETRY);
	assert_string_equal(node_version(n).text, "theirs"); /* what goes up next takes its place */
	n->put->sent[0].content = 0; /* of an earlier mount */
	refused.content = 0;
	assert_int_equal(conflict_resolve(n->put, &refused, version, &err), CONFLICT_RETRY);
	lock_take(&b->fs->lock);
	(void)pending_put_cancel_locked(b->fs, n);
	lock_drop(&b->fs->lock);
}

static void write_keeping_time(struct node *n, const char *text)
{
	struct fs *fs = n->file->fs;
	int64_t mtime_ns = n->mtime_ns;

	assert_int_equal(fileio_pwrite_all(n->file->fd, text, strlen(text), 0), 0);
	LOCKED(&fs->lock);
	assert_int_equal(file_written_locked(n->file, 0, strlen(text)), 0);
	n->mtime_ns = mtime_ns;
}

static void send(struct bench *b, struct node *n, bool is_heard)
{
	unsigned attempts;

	b->cloud->lost_key = is_heard ? NULL : "f";
	LOCKED(&b->fs->lock);
	attempts = n->put->attempts;
	n->put->was_hurried = false;
	(void)pending_hurry_locked(b->fs, NULL, UINT64_MAX);
	while (n->put && n->put->attempts == attempts)
		cond_wait(&b->fs->changed, &b->fs->lock);
}

static void contents_that_were_sent_with_one_time_are_told_apart(void **state)
{
	struct bench *b = *state;
	struct node *n = bench_make_file(b, b->bucket, "f");

	tree_pin(n);
	write_keeping_time(n, "one");
	send(b, n, false);
	assert_int_equal(n->put->sent[0].content, n->file->generation + 1);
	send(b, n, false); /* the same again */
	assert_int_equal(n->put->sent[0].content, n->file->generation + 1);
	write_keeping_time(n, "two");
	send(b, n, false);
	assert_int_equal(n->put->sent[0].content, 0);
	assert_false(n->put->sent[0].is_heard);
	assert_int_equal(n->put->sent[1].mtime_ns, 0);
	send(b, n, true);
	bench_wait_idle(b);
	LOCKED(&b->fs->lock);
	tree_unpin(&b->fs->tree, n);
}

static struct bench *getting;

/* A file of zeros; the first time nothing is found, and what was held goes on. */
static int get(struct store *s, const char *bucket, const char *key, const struct store_get_args *args, struct store_sink *sink,
	       struct arena *arena, struct store_object *ret, struct error *err)
{
	static const char zeros[16];

	(void)s, (void)bucket, (void)arena;
	if (!cloud_find(getting->cloud, key)) {
		cloud_hold(getting->cloud, false);
		return error_set(err, ERR_NOT_FOUND, "no such object");
	}
	*ret = (struct store_object){ .size = cloud_find(getting->cloud, key)->size };
	assert_int_equal(sink->on_head ? sink->on_head(sink->arg, ret, err) : 0, 0);
	assert_int_equal(pwrite(sink->fd, zeros, args->length ? args->length : ret->size, (off_t)sink->fd_offset), 7);
	sink->on_data(sink->arg, 0, 7);
	return 0;
}

/* It had been moved when the daemon was killed, but the row is still there, and waits for another. */
static void what_was_renamed_already_is_read_when_that_is_known(void **state)
{
	struct bench *b = *state;
	struct store_ops ops = *b->cloud->store.ops;
	struct job *jobs = NULL;
	struct node *n;
	struct file *f;

	cloud_put(b->cloud, "f", 7);
	bench_list(b, "");
	bench_freeze(b);
	copy_in_cloud(b, "f", "c");
	bench_rename(b, "f", b->bucket, "g");
	cloud_remove(b->cloud, "f");
	cloud_put(b->cloud, "g", 7);
	cloud_hold(b->cloud, true);
	ops.get = get;
	getting = b;
	b->cloud->store.ops = &ops;
	bench_restart(b);
	n = bench_node(b, "g");
	assert_non_null(n);
	assert_int_equal(ops_need_file(b->fs, n->ino, false, NULL), 0);
	f = n->file;
	lock_take(&b->fs->lock);
	f->busy++;
	assert_int_equal(fetch_plan_locked(f, 0, 7, false, &jobs, NULL), 0);
	lock_drop(&b->fs->lock);
	assert_non_null(jobs);
	jobs->run(jobs);
	lock_take(&b->fs->lock);
	assert_true(extents_covers(&f->present, 0, 7));
	assert_null(rare_of(n)->remote_key);
	f->busy--;
	lock_drop(&b->fs->lock);
	bench_wait_idle(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_upload_that_was_over_before_the_kill_is_not_done_again),
		TEST(a_row_that_lingers_does_not_change_the_file_of_a_later_one),
		TEST(what_is_renamed_over_a_file_has_none_of_its_content),
		TEST(a_copy_of_what_was_renamed_before_is_read_where_it_is),
		TEST(an_object_of_the_same_size_and_time_is_not_taken_for_another_content),
		TEST(contents_that_were_sent_with_one_time_are_told_apart),
		TEST(what_was_renamed_already_is_read_when_that_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
