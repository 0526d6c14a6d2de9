/* The tree is bounded: old listings are forgotten when there are many names, but nothing that somebody uses. */
#include "fs/trim.h"
#include "fs/change.h"
#include "fs/pending.h"
#include "tests/unit/fs/bench_use.h"
#include "tests/unit/fs/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define FILES 1500u

/* A directory of many objects, listed; its listing is old when is_old. */
static struct node *list_many(struct bench *b, const char *path, bool is_old)
{
	struct node *dir = bench_grow(b, path, NODE_DIR);

	for (unsigned i = 0; i < FILES; i++) {
		CLEANUP(freep) char *key = str_format("%s/%06u", path, i);

		cloud_put(b->cloud, key, 1);
	}
	bench_list(b, path);
	LOCKED(&b->fs->lock);
	assert_true(dir->is_complete);
	for (struct node *n = dir_of(dir)->first_child; n && is_old; n = node_next(n))
		n->expires_ms = 1;
	if (is_old)
		node_dir(dir)->listed_until_ms = 1;
	return dir;
}

static void trim_to(struct bench *b, size_t names)
{
	lock_take(&b->fs->lock);
	b->fs->names_kept = names;
	lock_drop(&b->fs->lock);
	trim_names(b->fs);
}

static size_t count_of(struct bench *b)
{
	LOCKED(&b->fs->lock);
	return b->fs->tree.count;
}

static void what_an_old_listing_told_is_forgotten_and_listed_again(void **state)
{
	struct bench *b = *state;
	struct node *dir = list_many(b, "d", true);

	trim_to(b, FILES + 100);
	assert_true(count_of(b) > FILES); /* there was room */
	assert_true(dir->is_complete);
	trim_to(b, 100);
	assert_true(count_of(b) < 100);
	assert_false(dir->is_complete);
	assert_int_equal(bench_known(b, "d", "missing"), LOOKUP_UNKNOWN);
	bench_list(b, "d");
	assert_true(count_of(b) > FILES);
	assert_int_equal(bench_known(b, "d", "000007"), LOOKUP_FOUND);
	assert_int_equal(bench_known(b, "d", "missing"), LOOKUP_ABSENT);
}

static void a_listing_that_is_believed_stays(void **state)
{
	struct bench *b = *state;

	(void)list_many(b, "d", false);
	trim_to(b, 100);
	assert_true(count_of(b) > FILES);
	assert_int_equal(bench_known(b, "d", "missing"), LOOKUP_ABSENT);
}

static void the_oldest_goes_first_and_no_more_than_needed(void **state)
{
	struct bench *b = *state;
	struct node *first = list_many(b, "first", true), *second = list_many(b, "second", true);

	bench_list(b, "first"); /* anew: now it is the younger one, */
	node_dir(first)->listed_until_ms = 1; /* and as old again */
	trim_to(b, FILES + 100);
	assert_true(first->is_complete);
	assert_false(second->is_complete);
	assert_true(count_of(b) > FILES && count_of(b) < FILES + 100);
}

static void what_somebody_uses_stays(void **state)
{
	struct bench *b = *state;
	struct node *dir = list_many(b, "d", true), *known, *pinned, *made;
	size_t left = 0;

	made = bench_make_file(b, dir, "made-here");
	lock_take(&b->fs->lock);
	known = tree_child(&b->fs->tree, dir, "000511");
	known->nlookup = 1;
	pinned = tree_child(&b->fs->tree, dir, "001499");
	tree_pin(pinned);
	lock_drop(&b->fs->lock);
	bench_unlink(b, "d/000600"); /* a tombstone until the cloud has been asked again */
	trim_to(b, 100);
	LOCKED(&b->fs->lock);
	assert_ptr_equal(tree_child(&b->fs->tree, dir, "000511"), known);
	assert_ptr_equal(tree_child(&b->fs->tree, dir, "001499"), pinned);
	assert_ptr_equal(tree_child(&b->fs->tree, dir, "made-here"), made);
	assert_non_null(tree_child(&b->fs->tree, dir, "000600"));
	for (const struct node *n = dir_of(dir)->first_child; n; n = node_next(n))
		left++;
	assert_int_equal(left, 4);
	known->nlookup = 0;
	tree_prune(&b->fs->tree, known);
	tree_unpin(&b->fs->tree, pinned);
	assert_null(tree_child(&b->fs->tree, dir, "000511"));
}

static void a_directory_that_is_being_read_keeps_its_names(void **state)
{
	struct bench *b = *state;
	struct node *dir = list_many(b, "d", true);

	node_dir(dir)->handles = 1;
	trim_to(b, 100);
	assert_true(dir->is_complete);
	assert_true(count_of(b) > FILES);
	lock_take(&b->fs->lock);
	node_dir(dir)->handles = 0;
	lock_drop(&b->fs->lock);
	trim_to(b, 100);
	assert_true(count_of(b) < 100);
}

static void with_the_network_gone_all_that_is_known_stays(void **state)
{
	struct bench *b = *state;
	struct node *dir = list_many(b, "d", true);

	lock_take(&b->fs->lock);
	store_reached_locked(dir, false);
	lock_drop(&b->fs->lock);
	trim_to(b, 100);
	assert_true(count_of(b) > FILES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_an_old_listing_told_is_forgotten_and_listed_again),
		TEST(a_listing_that_is_believed_stays),
		TEST(the_oldest_goes_first_and_no_more_than_needed),
		TEST(what_somebody_uses_stays),
		TEST(a_directory_that_is_being_read_keeps_its_names),
		TEST(with_the_network_gone_all_that_is_known_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
