/*
 * Directories that are renamed while other things are on their way: the view stays what its users made it, whatever an answer of the
 * cloud was about.
 */
#include "backends/base/clock.h"
#include "fs/change.h"
#include "fs/file.h"
#include "fs/listing.h"
#include "fs/pending.h"
#include "tests/unit/fs/bench_use.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

static void expect_version(struct bench *b, const char *path)
{
	struct node *n = bench_node(b, path);

	assert_non_null(n);
	assert_non_null(cloud_find(b->cloud, path));
	assert_true(node_has_version(n));
	assert_string_equal(node_version(n).text, cloud_find(b->cloud, path)->version);
	assert_null(rare_of(n)->remote_key);
}

static void expect_remote(struct bench *b, const char *path, const char *key)
{
	CLEANUP(location_release) struct location where = LOCATION_INIT;

	assert_int_equal(tree_remote_key(bench_node(b, path), &where), 0);
	assert_string_equal(where.key, key);
}

static void hook(struct bench *b, void (*on_ask)(void *arg), void (*on_list)(void *arg))
{
	b->cloud->hook_arg = b;
	b->cloud->on_ask = on_ask;
	b->cloud->on_list = on_list;
}

/* All the way, while somebody else's question is on its way. */
static void rename_now(struct bench *b, const char *path, const char *name)
{
	hook(b, NULL, NULL);
	bench_rename(b, path, b->bucket, name);
	bench_wait_idle(b);
}

static void rename_d_to_e(void *arg)
{
	rename_now(arg, "d", "e");
}

static void rename_e_to_d(void *arg)
{
	rename_now(arg, "e", "d");
}

static void rename_d_to_e_and_later_back(void *arg)
{
	rename_d_to_e(arg);
	hook(arg, NULL, rename_e_to_d);
}

static void a_look_up_that_a_rename_overtook_asks_again(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "d/x", 1);
	bench_list(b, "");
	bench_list(b, "d");
	hook(b, rename_d_to_e, NULL);
	assert_int_equal(bench_look_up(b, "d", "x"), 0); /* at d/x there is nothing any more */
	bench_expect_names(b, "e", "x ");
	expect_version(b, "e/x");
}

static void a_listing_of_a_directory_that_went_and_came_back_sweeps_nothing(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "d/x", 1);
	bench_list(b, "");
	bench_list(b, "d");
	hook(b, rename_d_to_e_and_later_back, NULL); /* the page is made while it is away */
	bench_list(b, "d");
	bench_expect_names(b, "d", "x ");
	bench_list(b, "d");
	bench_expect_names(b, "d", "x ");
}

static void what_is_renamed_out_of_a_renamed_directory_is_where_that_was(void **state)
{
	static const char *const keys[] = { "d/f", "d/sub/x", "d/sub/y" };
	struct bench *b = *state;

	bench_put_all(b, keys, ARRAY_SIZE(keys));
	bench_list(b, "");
	bench_list(b, "d");
	bench_list(b, "d/sub");
	cloud_hold(b->cloud, true);
	bench_rename(b, "d", b->bucket, "e");
	bench_rename(b, "e/sub", b->bucket, "h");
	bench_rename(b, "e/f", b->bucket, "g");
	expect_remote(b, "g", "d/f");
	expect_remote(b, "h", "d/sub/");
	bench_list(b, "h");
	bench_expect_names(b, "h", "x y ");
	bench_list(b, "e");
	bench_expect_names(b, "e", "");
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	expect_remote(b, "h", "h/");
	bench_list(b, "h");
	bench_expect_names(b, "h", "x y ");
	expect_version(b, "h/x");
	expect_version(b, "g");
}

static void a_directory_made_where_a_renamed_one_was_is_another(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "d/x", 1);
	bench_list(b, "");
	bench_list(b, "d");
	cloud_hold(b->cloud, true);
	bench_rename(b, "d", b->bucket, "e");
	bench_mkdir(b, "", "d");
	bench_rename(b, "d", b->bucket, "f");
	bench_list(b, "f"); /* at d/, as yet, there is what goes to e/ */
	bench_expect_names(b, "f", "");
	bench_list(b, "e");
	bench_expect_names(b, "e", "x ");
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	expect_remote(b, "e", "e/");
	expect_remote(b, "f", "f/");
	bench_list(b, "e");
	bench_list(b, "f");
	bench_expect_names(b, "e", "x ");
	bench_expect_names(b, "f", "");
}

/* After each change in the cloud. */
static void look_at_e(void *arg)
{
	struct bench *b = arg;
	struct job *job = NULL;
	struct node *e;

	lock_take(&b->fs->lock);
	e = bench_node(b, "e");
	e = e && !dir_of(e)->listing ? e : NULL;
	if (e && listing_wait_locked(b->fs, e, 0, NULL, &job) < 0)
		job = NULL;
	lock_drop(&b->fs->lock);
	if (job)
		job->run(job);
}

static void a_directory_that_goes_to_and_fro_is_listed_where_it_is(void **state)
{
	struct bench *b = *state;
	struct node *x;

	cloud_put(b->cloud, "d/x", 1);
	bench_list(b, "");
	bench_list(b, "d");
	x = bench_node(b, "d/x");
	cloud_hold(b->cloud, true);
	bench_rename(b, "d", b->bucket, "e");
	bench_rename(b, "e", b->bucket, "d");
	bench_rename(b, "d", b->bucket, "e");
	b->cloud->hook_arg = b;
	b->cloud->on_change = look_at_e;
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	b->cloud->on_change = NULL;
	assert_ptr_equal(bench_node(b, "e/x"), x); /* it was never out of sight */
	expect_version(b, "e/x");
}

static void a_marker_on_its_way_into_a_renamed_directory_is_removed_with_it(void **state)
{
	struct bench *b = *state;

	bench_list(b, "");
	cloud_hold(b->cloud, true);
	bench_mkdir(b, "", "a");
	bench_mkdir(b, "a", "s");
	bench_rename(b, "a", b->bucket, "b");
	bench_rmdir(b, "b/s");
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	assert_null(cloud_find(b->cloud, "b/s/"));
	assert_int_equal(b->cloud->count, 1);
	bench_list(b, "b");
	bench_expect_names(b, "b", "");
}

static void a_directory_removed_in_a_renamed_one_does_not_come_back(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "d/keep", 1);
	cloud_put(b->cloud, "d/sub/x", 1);
	bench_list(b, "");
	bench_list(b, "d");
	bench_list(b, "d/sub");
	cloud_hold(b->cloud, true);
	bench_rename(b, "d", b->bucket, "e");
	bench_unlink(b, "e/sub/x");
	bench_rmdir(b, "e/sub");
	bench_list(b, "e"); /* at d/sub/ there is something yet */
	bench_expect_names(b, "e", "keep ");
	assert_int_equal(bench_look_up(b, "e", "sub"), 0);
	bench_expect_names(b, "e", "keep ");
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	bench_list(b, "e");
	bench_expect_names(b, "e", "keep ");
	assert_int_equal(b->cloud->count, 1);
}

static void take_y_away(void *arg)
{
	struct bench *b = arg;

	b->cloud->on_ask = NULL;
	cloud_remove(b->cloud, "s/y");
}

static void upload_into_s(void *arg)
{
	struct bench *b = arg;
	struct node *x;

	hook(b, NULL, NULL);
	x = bench_make_file(b, bench_node(b, "s"), "x");
	lock_take(&b->fs->lock);
	pending_put_due_locked(b->fs, x, 0);
	lock_drop(&b->fs->lock);
	bench_wait_idle(b);
}

static void a_directory_into_which_something_went_meanwhile_stays(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "s/y", 1);
	bench_list(b, "");
	bench_list(b, "s");
	hook(b, take_y_away, upload_into_s);
	bench_list(b, "");
	bench_expect_names(b, "", "s/ ");
	assert_non_null(bench_node(b, "s/x"));
}

/* Until the first rename has copied all. */
static void wait_for_switch(struct bench *b)
{
	LOCKED(&b->fs->lock);
	while (!(b->fs->queue.first->flags & PENDING_FLAG_DELETING))
		(void)cond_wait_until(&b->fs->changed, &b->fs->lock, clock_mono_ms() + 10);
}

static void a_copy_tells_its_version_to_no_other_file_of_that_name(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "d/sub/p", 1);
	cloud_put(b->cloud, "k/p", 2);
	bench_list(b, "");
	bench_list(b, "d");
	bench_list(b, "d/sub");
	bench_list(b, "k");
	cloud_hold(b->cloud, true);
	bench_rename(b, "d", b->bucket, "e");
	bench_rename(b, "e/sub", b->bucket, "h");
	bench_rename(b, "k", bench_node(b, "e"), "sub");
	b->cloud->hold_after = 1; /* the copy of d/sub/p to e/sub/p, where the view has another file */
	cloud_hold(b->cloud, false);
	wait_for_switch(b);
	expect_remote(b, "e/sub/p", "k/p");
	assert_string_equal(node_version(bench_node(b, "e/sub/p")).text, cloud_find(b->cloud, "k/p")->version);
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	assert_int_equal(bench_node(b, "e/sub/p")->size, 2);
	expect_version(b, "e/sub/p");
	expect_version(b, "h/p");
}

static void wait_for_a_copy(struct bench *b, const struct node *dir)
{
	LOCKED(&b->fs->lock);
	while (!rare_of(dir_of(dir)->first_child)->remote_key && !rare_of(dir_of(dir)->last_child)->remote_key)
		cond_wait(&b->fs->changed, &b->fs->lock);
}

static void a_file_already_copied_is_not_filled_from_the_original(void **state)
{
	static const char *const keys[] = { "d/x", "d/y" };
	struct bench *b = *state;

	bench_put_all(b, keys, ARRAY_SIZE(keys));
	bench_list(b, "");
	bench_list(b, "d");
	b->cloud->hold_after = 1;
	bench_rename(b, "d", b->bucket, "e");
	wait_for_a_copy(b, bench_node(b, "e"));
	bench_list(b, "e");
	assert_int_equal(bench_look_up(b, "e", "x"), 0);
	assert_int_equal(bench_look_up(b, "e", "y"), 0);
	bench_expect_names(b, "e", "x y ");
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	expect_version(b, "e/x");
	expect_version(b, "e/y");
}

static void a_copy_made_twice_has_the_second_version(void **state)
{
	static const char *const keys[] = { "d/x", "d/y" };
	struct bench *b = *state;

	bench_put_all(b, keys, ARRAY_SIZE(keys));
	bench_list(b, "");
	bench_list(b, "d");
	b->cloud->lost_key = "e/y";
	bench_rename(b, "d", b->bucket, "e");
	bench_wait_idle(b);
	expect_version(b, "e/x");
	expect_version(b, "e/y");
}

/* A cache file with nothing in it, of an object that is listed. */
static struct file *attach_sparse(struct bench *b, const char *path)
{
	struct file *f;
	uint64_t id;
	int fd;

	assert_int_equal(file_make(b->fs, &id, &fd, NULL), 0);
	LOCKED(&b->fs->lock);
	f = file_attach_locked(b->fs, bench_node(b, path), FILE_SPARSE, id, fd);
	assert_non_null(f);
	return f;
}

static void wait_for_trees(struct bench *b)
{
	LOCKED(&b->fs->lock);
	while (b->fs->queue.trees)
		cond_wait(&b->fs->changed, &b->fs->lock);
}

static void the_missing_parts_of_a_mixture_are_read_from_the_copy(void **state)
{
	struct bench *b = *state;
	struct file *f;
	uint64_t ticket;

	cloud_put(b->cloud, "d/x", 100);
	bench_list(b, "");
	bench_list(b, "d");
	f = attach_sparse(b, "d/x");
	lock_take(&b->fs->lock);
	f->writers = 1; /* so that its upload does not begin */
	assert_int_equal(pending_put_locked(b->fs, f->node, &ticket, NULL), 0);
	lock_drop(&b->fs->lock);
	bench_rename(b, "d", b->bucket, "e");
	wait_for_trees(b);
	assert_string_equal(f->base_version, cloud_find(b->cloud, "e/x")->version);
	expect_remote(b, "e/x", "e/x");
	assert_string_equal(f->node->put->key, "e/x");
	LOCKED(&b->fs->lock);
	f->writers = 0;
	assert_true(pending_put_cancel_locked(b->fs, f->node) > 0);
}

static void what_was_unlinked_while_open_is_read_on_after_a_rename(void **state)
{
	struct bench *b = *state;
	struct file *f;
	struct node *n;

	cloud_put(b->cloud, "d/x", 100);
	cloud_put(b->cloud, "d/y", 1);
	bench_list(b, "");
	bench_list(b, "d");
	f = attach_sparse(b, "d/x");
	n = f->node;
	f->readers = 1;
	tree_pin(n);
	cloud_hold(b->cloud, true);
	bench_rename(b, "d", b->bucket, "e");
	bench_unlink(b, "e/x");
	assert_string_equal(f->origin.key, "d/x");
	cloud_hold(b->cloud, false);
	wait_for_trees(b);
	assert_string_equal(f->origin.key, "e/x");
	assert_non_null(cloud_find(b->cloud, "e/x")); /* held until the last close */
	lock_take(&b->fs->lock);
	f->readers = 0;
	pending_released_locked(b->fs, n);
	file_drop_locked(b->fs, n);
	tree_unpin(&b->fs->tree, n);
	lock_drop(&b->fs->lock);
	bench_wait_idle(b);
	assert_null(cloud_find(b->cloud, "e/x"));
}

static void renames_of_renamed_directories_are_taken_up_after_a_restart(void **state)
{
	static const char *const keys[] = { "d/in/p", "d/sub/x", "d/y" };
	struct bench *b = *state;

	bench_put_all(b, keys, ARRAY_SIZE(keys));
	bench_list(b, "");
	bench_list(b, "d");
	bench_list(b, "d/sub");
	bench_list(b, "d/in");
	bench_freeze(b);
	bench_rename(b, "d", b->bucket, "e");
	bench_rename(b, "e/sub", b->bucket, "h");
	bench_rename(b, "e/in", bench_node(b, "e"), "out");
	bench_rename(b, "e", b->bucket, "f");
	bench_mkdir(b, "", "d");
	bench_rename(b, "d", b->bucket, "g");
	cloud_hold(b->cloud, true);
	bench_restart(b);
	expect_remote(b, "f", "d/");
	expect_remote(b, "f/out", "d/in/");
	expect_remote(b, "h", "d/sub/");
	for (int i = 0; i < 2; i++) {
		bench_list(b, "");
		bench_list(b, "f");
		bench_list(b, "f/out");
		bench_list(b, "g");
		bench_list(b, "h");
		bench_expect_names(b, "f", "out/ y ");
		bench_expect_names(b, "f/out", "p ");
		bench_expect_names(b, "g", "");
		bench_expect_names(b, "h", "x ");
		cloud_hold(b->cloud, false);
		bench_wait_idle(b);
	}
	expect_version(b, "f/out/p");
	expect_version(b, "h/x");
	assert_int_equal(b->cloud->count, 4); /* and the marker of g */
}

static void a_directory_out_of_which_something_goes_is_listed_after_a_restart(void **state)
{
	static const char *const keys[] = { "all/x", "some/x", "some/y" };
	struct bench *b = *state;

	bench_put_all(b, keys, ARRAY_SIZE(keys));
	bench_list(b, "");
	bench_list(b, "all");
	bench_list(b, "some");
	bench_freeze(b);
	bench_rename(b, "all/x", b->bucket, "p");
	bench_rename(b, "some/x", b->bucket, "q");
	bench_rmdir(b, "all");
	cloud_hold(b->cloud, true);
	bench_restart(b);
	bench_list(b, "");
	bench_expect_names(b, "", "p q some/ "); /* of the other one only what is on its way out is left */
	bench_list(b, "some");
	bench_expect_names(b, "some", "y ");
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	bench_list(b, "");
	bench_expect_names(b, "", "p q some/ ");
}

static void what_was_moved_out_of_a_renamed_directory_that_was_removed_is_found(void **state)
{
	static const char *const keys[] = { "a/d/x", "a/d/y" };
	struct bench *b = *state;

	bench_put_all(b, keys, ARRAY_SIZE(keys));
	bench_list(b, "");
	bench_list(b, "a");
	bench_list(b, "a/d");
	bench_freeze(b);
	bench_rename(b, "a/d", b->bucket, "e");
	bench_rename(b, "e/x", bench_node(b, "a"), "f");
	bench_unlink(b, "e/y");
	bench_rmdir(b, "e");
	bench_rename(b, "a", b->bucket, "h");
	cloud_hold(b->cloud, true);
	bench_restart(b);
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	assert_int_equal(b->cloud->count, 1);
	bench_list(b, "");
	bench_expect_names(b, "", "h/ ");
	bench_list(b, "h");
	bench_expect_names(b, "h", "f ");
	expect_version(b, "h/f");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

static atomic_bool has_interfered;

/* Somebody else, between the copies and the deletes: puts a new object below the old name and changes one. */
static void interfere(void *arg)
{
	struct bench *b = arg;

	if (atomic_exchange(&has_interfered, true))
		return;
	cloud_put(b->cloud, "d/theirs", 7);
	cloud_put(b->cloud, "d/a", 9);
}

static void a_rename_deletes_only_what_it_copied(void **state)
{
	static const char *const keys[] = { "d/a", "d/b", "d/sub/c" };
	struct bench *b = *state;

	atomic_store(&has_interfered, false);
	bench_put_all(b, keys, ARRAY_SIZE(keys));
	bench_list(b, "");
	bench_list(b, "d");
	b->cloud->hook_arg = b;
	b->cloud->on_change = interfere;
	bench_rename(b, "d", b->bucket, "e");
	bench_wait_idle(b);
	b->cloud->on_change = NULL;
	assert_true(atomic_load(&has_interfered));
	assert_non_null(cloud_find(b->cloud, "d/theirs"));
	assert_non_null(cloud_find(b->cloud, "d/a"));
	assert_null(cloud_find(b->cloud, "d/b"));
	assert_null(cloud_find(b->cloud, "d/sub/c"));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char moved[32];

		(void)snprintf(moved, sizeof(moved), "e/%s", keys[i] + 2);
		assert_non_null(cloud_find(b->cloud, moved));
	}
}

/* After the first change, the copy. */
static void list_h(void *arg)
{
	struct bench *b = arg;

	b->cloud->on_change = NULL;
	bench_list(b, "h");
}

/* The copy has another version than what was listed; nobody told it, because the name is not below the operation's directory. */
static void what_is_listed_of_a_directory_moved_out_after_it_was_copied_has_no_version(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "d/sub/p", 1);
	bench_list(b, "");
	bench_list(b, "d");
	cloud_hold(b->cloud, true);
	bench_rename(b, "d", b->bucket, "e");
	bench_rename(b, "e/sub", b->bucket, "h");
	b->cloud->hook_arg = b;
	b->cloud->on_change = list_h;
	b->cloud->hold_after = 1;
	cloud_hold(b->cloud, false);
	wait_for_switch(b);
	expect_remote(b, "h/p", "e/sub/p");
	assert_false(node_has_version(bench_node(b, "h/p")));
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	expect_version(b, "h/p");
}

static const struct store_ops *plain_ops;

/* The copy of d/y waits until the cloud is held no more; that of d/x does not. */
static int copy_x_first(struct store *s, const char *from_bucket, const char *from_key, const char *bucket, const char *key,
			const struct store_copy_args *args, char *ret_version, struct error *err)
{
	struct cloud *c = container_of(s, struct cloud, store);

	lock_take(&c->lock);
	while (strcmp(from_key, "d/y") == 0 && !c->has_jitter)
		cond_wait(&c->changed, &c->lock);
	lock_drop(&c->lock);
	return plain_ops->copy(s, from_bucket, from_key, bucket, key, args, ret_version, err);
}

static void copy_x(void *arg)
{
	struct bench *b = arg;

	hook(b, NULL, NULL);
	bench_rename(b, "d", b->bucket, "e");
	wait_for_a_copy(b, bench_node(b, "e"));
}

static void attributes_are_asked_for_again_when_the_file_was_copied_meanwhile(void **state)
{
	static const char *const keys[] = { "d/x", "d/y" };
	struct bench *b = *state;
	struct store_ops ops = *b->cloud->store.ops;
	struct error err = ERROR_INIT;
	struct node *x;
	bool has_attrs;

	plain_ops = b->cloud->store.ops;
	ops.copy = copy_x_first;
	b->cloud->store.ops = &ops;
	bench_put_all(b, keys, ARRAY_SIZE(keys));
	bench_list(b, "");
	bench_list(b, "d");
	x = bench_node(b, "d/x");
	assert_false(x->has_attrs);
	hook(b, copy_x, NULL);
	assert_int_equal(lookup_attrs(b->fs, x->ino, &err), 0);
	has_attrs = x->has_attrs;
	lock_take(&b->cloud->lock);
	b->cloud->has_jitter = true;
	lock_drop(&b->cloud->lock);
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	b->cloud->store.ops = plain_ops;
	assert_true(has_attrs);
}

/* Swift lists 10,000 keys at once and Azure 5,000; a delete takes 1,000. */
static void a_page_of_more_keys_than_a_delete_takes_is_deleted_whole(void **state)
{
	struct bench *b = *state;
	char key[32];

	b->cloud->page_keys = 5000;
	for (int i = 0; i < 2 * STORE_DELETE_MAX + 7; i++) {
		(void)snprintf(key, sizeof(key), "d/%05d", i);
		cloud_put(b->cloud, key, 1);
	}
	bench_list(b, "");
	bench_rename(b, "d", b->bucket, "e");
	bench_wait_idle(b);
	assert_int_equal(b->cloud->count, 2 * STORE_DELETE_MAX + 7);
	for (size_t i = 0; i < b->cloud->count; i++)
		assert_int_equal(b->cloud->objects[i].key[0], 'e');
}

/* The deletion of d/f, which waits a little so that many go at once, is what keeps f out of e. */
static void what_was_deleted_before_its_directory_went_does_not_go_along(void **state)
{
	static const char *const keys[] = { "d/f", "d/g" };
	struct bench *b = *state;
	struct node *f;

	bench_put_all(b, keys, ARRAY_SIZE(keys));
	bench_list(b, "");
	bench_list(b, "d");
	cloud_hold(b->cloud, true);
	bench_unlink(b, "d/f");
	bench_rename(b, "d", b->bucket, "e");
	bench_mkdir(b, "", "d");
	f = bench_make_file(b, bench_node(b, "d"), "f");
	lock_take(&b->fs->lock);
	pending_put_due_locked(b->fs, f, 0);
	lock_drop(&b->fs->lock);
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	assert_null(cloud_find(b->cloud, "e/f"));
	assert_non_null(cloud_find(b->cloud, "e/g"));
	assert_non_null(cloud_find(b->cloud, "d/f"));
	bench_list(b, "e");
	bench_expect_names(b, "e", "g ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_deleted_before_its_directory_went_does_not_go_along),
		TEST(a_look_up_that_a_rename_overtook_asks_again),
		TEST(a_listing_of_a_directory_that_went_and_came_back_sweeps_nothing),
		TEST(what_is_renamed_out_of_a_renamed_directory_is_where_that_was),
		TEST(a_directory_made_where_a_renamed_one_was_is_another),
		TEST(a_directory_that_goes_to_and_fro_is_listed_where_it_is),
		TEST(a_marker_on_its_way_into_a_renamed_directory_is_removed_with_it),
		TEST(a_directory_removed_in_a_renamed_one_does_not_come_back),
		TEST(a_directory_into_which_something_went_meanwhile_stays),
		TEST(a_copy_tells_its_version_to_no_other_file_of_that_name),
		TEST(a_file_already_copied_is_not_filled_from_the_original),
		TEST(a_copy_made_twice_has_the_second_version),
		TEST(the_missing_parts_of_a_mixture_are_read_from_the_copy),
		TEST(what_was_unlinked_while_open_is_read_on_after_a_rename),
		TEST(renames_of_renamed_directories_are_taken_up_after_a_restart),
		TEST(a_rename_deletes_only_what_it_copied),
		TEST(a_page_of_more_keys_than_a_delete_takes_is_deleted_whole),
		TEST(a_directory_out_of_which_something_goes_is_listed_after_a_restart),
		TEST(what_is_listed_of_a_directory_moved_out_after_it_was_copied_has_no_version),
		TEST(attributes_are_asked_for_again_when_the_file_was_copied_meanwhile),
		TEST(what_was_moved_out_of_a_renamed_directory_that_was_removed_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
