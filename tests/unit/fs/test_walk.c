/* Walks through many directories: listings of the whole tree complete each of them, and show what its own listing would. */
#include "fs/walk.h"
#include "backends/base/random.h"
#include "fs/change.h"
#include "tests/unit/fs/bench_use.h"
#include "tests/unit/fs/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

static void put_files(struct bench *b, const char *const *dirs, size_t count, unsigned files)
{
	for (size_t d = 0; d < count; d++)
		for (unsigned i = 0; i < files; i++) {
			CLEANUP(freep) char *key = str_format("%s/%02u", dirs[d], i);

			cloud_put(b->cloud, key, 1);
		}
}

static bool is_complete(struct bench *b, const char *path)
{
	const struct node *n = bench_node(b, path);

	assert_non_null(n);
	return n->is_complete;
}

static const char *const dirs[] = { "d1", "d2", "d3", "d4", "d5", "d6" };

/* The listings that a walk is recognised by: of the bucket, d1 and d2. */
static void begin_walk(struct bench *b)
{
	bench_list(b, "");
	bench_list(b, "d1");
	bench_list(b, "d2");
	cloud_expect(b->cloud, 0, 3);
}

static void the_third_directory_brings_those_that_follow(void **state)
{
	struct bench *b = *state;

	put_files(b, dirs, 6, 2);
	begin_walk(b);
	bench_list(b, "d3");
	cloud_expect(b->cloud, 0, 1);
	for (size_t i = 0; i < 6; i++) {
		assert_true(is_complete(b, dirs[i]));
		bench_expect_names(b, dirs[i], "00 01 ");
	}
}

static void directories_far_apart_in_time_are_no_walk(void **state)
{
	struct bench *b = *state;

	put_files(b, dirs, 6, 2);
	begin_walk(b);
	for (size_t i = 0; i < WALK_TRACKS; i++)
		b->fs->walks[i].last_ms -= WALK_GAP_MS + 1;
	bench_list(b, "d3");
	assert_true(is_complete(b, "d3"));
	assert_false(is_complete(b, "d4"));
}

/* A page that ends within a directory completes those before it; and the next time two pages are asked for. */
static void what_a_page_does_not_reach_is_not_complete(void **state)
{
	struct bench *b = *state;

	put_files(b, dirs, 6, 2);
	begin_walk(b);
	b->cloud->page_keys = 3;
	bench_list(b, "d3");
	assert_true(is_complete(b, "d3"));
	assert_false(is_complete(b, "d4"));
	assert_null(dir_of(bench_node(b, "d4"))->listing);
	bench_list(b, "d4");
	cloud_expect(b->cloud, 0, 3);
	assert_true(is_complete(b, "d5"));
	assert_true(is_complete(b, "d4"));
	bench_expect_names(b, "d5", "00 01 ");
}

/* It is listed alone, and so are the next ones. */
static void a_directory_with_much_below_it_ends_the_walk(void **state)
{
	struct bench *b = *state;
	const char *const below[] = { "d3/s/a", "d3/s/b", "d3/s/c", "d3/s/d", "d3/s/e", "d3/t" };

	put_files(b, dirs, 6, 1);
	bench_put_all(b, below, 6);
	begin_walk(b);
	b->cloud->page_keys = 3;
	bench_list(b, "d3");
	cloud_expect(b->cloud, 0, 2);
	bench_expect_names(b, "d3", "00 s/ t ");
	assert_true(is_complete(b, "d3"));
	assert_false(is_complete(b, "d4"));
	bench_list(b, "d4");
	cloud_expect(b->cloud, 0, 1);
	assert_false(is_complete(b, "d5"));
}

static void markers_and_empty_directories_are_seen(void **state)
{
	struct bench *b = *state;

	put_files(b, dirs, 6, 1);
	cloud_put(b->cloud, "d4/", 0);
	cloud_put(b->cloud, "d5/empty/", 0);
	cloud_put(b->cloud, "d5/x.y", 1);
	begin_walk(b);
	bench_list(b, "d3");
	assert_true(bench_node(b, "d4")->has_marker);
	assert_false(bench_node(b, "d6")->has_marker);
	bench_expect_names(b, "d5", "00 empty/ x.y ");
	assert_true(is_complete(b, "d5/empty"));
	assert_true(bench_node(b, "d5/empty")->has_marker);
}

static void change_meanwhile(void *arg)
{
	struct bench *b = arg;

	b->cloud->on_list = NULL;
	bench_unlink(b, "d5/00");
	bench_rename(b, "d4", b->bucket, "moved");
	(void)bench_make_file(b, bench_node(b, "d6"), "new");
	cloud_remove(b->cloud, "d6/01"); /* somebody else: seen with the next listing */
}

/* The answer was on its way when it happened. */
static void what_changes_here_meanwhile_stays(void **state)
{
	struct bench *b = *state;

	put_files(b, dirs, 6, 2);
	bench_list(b, "");
	bench_list(b, "d5"); /* so that there is something to remove */
	cloud_expect(b->cloud, 0, 2);
	free(steal(b->fs->walks));
	begin_walk(b);
	b->cloud->hook_arg = b;
	b->cloud->on_list = change_meanwhile;
	bench_freeze(b);
	bench_list(b, "d3");
	bench_expect_names(b, "", "d1/ d2/ d3/ d5/ d6/ moved/ ");
	bench_expect_names(b, "d5", "01 ");
	bench_expect_names(b, "d6", "new 00 01 ");
	assert_false(is_complete(b, "moved"));
}

/* A server whose pages are not in order, or that tells of what was not asked for. */
static void a_server_that_answers_otherwise_is_not_followed(void **state)
{
	struct bench *b = *state;

	put_files(b, dirs, 6, 2);
	begin_walk(b);
	b->cloud->stray_key = "zz/stray";
	bench_list(b, "d3");
	b->cloud->stray_key = NULL;
	assert_true(is_complete(b, "d3"));
	bench_expect_names(b, "d3", "00 01 ");
	assert_false(is_complete(b, "d4"));
	bench_list(b, "d4");
	bench_expect_names(b, "d4", "00 01 ");
}

static void make_keys(struct bench *b)
{
	static const char *const names[] = { "a", "b", "a.b", "c-", "c", "%", "~", "" };
	char key[256];

	for (unsigned i = 0; i < 150; i++) {
		size_t len = (size_t)snprintf(key, sizeof(key), "r/%02u/", (unsigned)random_below(12));

		for (unsigned n = 1 + (unsigned)random_below(3); n > 0; n--)
			len += (size_t)snprintf(key + len, sizeof(key) - len, "%s%s", names[random_below(8)],
						n > 1 || random_below(5) == 0 ? "/" : "");
		cloud_put(b->cloud, key, random_below(2));
	}
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lists all below a directory, in the order of readdir; every name goes into ret. */
static void list_all(struct bench *b, const char *path, struct buf *ret, bool resets)
{
	struct node *dir = bench_node(b, path);
	char *names[256];
	size_t count = 0;

	if (resets)
		free(steal(b->fs->walks));
	if (!dir->is_complete)
		bench_list(b, path);
	for (struct node *n = dir_of(dir)->first_child; n; n = node_next(n))
		if (node_exists(n) && count < 256)
			names[count++] = str_format("%s/%s%s", path, n->name, node_is_dir(n) ? "/" : "");
	qsort(names, count, sizeof(char *), compare_text);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(buf_addf(ret, "%s\n", names[i]), 0);
		if (names[i][strlen(names[i]) - 1] == '/') {
			names[i][strlen(names[i]) - 1] = '\0';
			list_all(b, names[i], ret, resets);
		}
		free(names[i]);
	}
}

/* From the first line on that differs: all of it is too much to print. */
static void expect_same(const char *walked, const char *alone)
{
	size_t same = 0;

	for (size_t i = 0; walked[i] && walked[i] == alone[i]; i++)
		if (walked[i] == '\n')
			same = i + 1;
	assert_string_equal(walked + same, alone + same);
}

static void a_walk_shows_what_listings_of_each_directory_show(void **state)
{
	struct bench *b = *state;

	for (unsigned round = 0; round < 10; round++) {
		CLEANUP(buf_release) struct buf walked = BUF_INIT(1 << 20), alone = BUF_INIT(1 << 20);
		unsigned lists_before;

		make_keys(b);
		b->cloud->page_keys = 1 + (unsigned)random_below(300);
		lists_before = b->cloud->lists;
		bench_restart(b);
		bench_list(b, "");
		list_all(b, "r", &walked, false);
		if (b->cloud->page_keys > 200) /* 3, and the whole of it */
			assert_true(b->cloud->lists - lists_before < 12);
		bench_restart(b);
		bench_list(b, "");
		list_all(b, "r", &alone, true);
		expect_same(buf_cstr(&walked), buf_cstr(&alone));
		while (b->cloud->count)
			cloud_remove(b->cloud, b->cloud->objects[0].key);
	}
}

/* A file that is shown by its escape, because a directory has its name: the listing is repeated after the directory was forgotten. */
static void a_file_beside_a_directory_stays_when_its_listing_begins_anew(void **state)
{
	struct bench *b = *state;

	bench_put_all(b, (const char *const[]){ "d/x", "d/x/y", "d/z" }, 3);
	b->cloud->page_keys = 2;
	bench_list(b, "");
	bench_list_pages(b, bench_node(b, "d"), 1);
	bench_expect_names(b, "d", "%~x%= x/ ");
	lock_take(&b->fs->lock);
	tree_detach(&b->fs->tree, bench_node(b, "d/x"));
	lock_drop(&b->fs->lock);
	bench_list(b, "d");
	bench_expect_names(b, "d", "%~x%= x/ z ");
}

/* What follows it in the order of keys is the rest of where it was, of which the beginning was not seen. */
static void a_directory_that_is_being_renamed_begins_no_walk(void **state)
{
	struct bench *b = *state;
	const char *const keys[] = { "d1/00", "d2/00", "d3/a", "d3/k/00", "d3/k/01", "d3/z", "d4/00" };

	bench_put_all(b, keys, 7);
	bench_list(b, "");
	bench_list(b, "d3");
	bench_list(b, "d1");
	cloud_hold(b->cloud, true);
	bench_rename(b, "d3/k", b->bucket, "x");
	bench_list(b, "x");
	bench_expect_names(b, "x", "00 01 ");
	bench_expect_names(b, "d3", "a z ");
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_third_directory_brings_those_that_follow, bench_setup, bench_teardown),
		cmocka_unit_test_setup_teardown(directories_far_apart_in_time_are_no_walk, bench_setup, bench_teardown),
		cmocka_unit_test_setup_teardown(what_a_page_does_not_reach_is_not_complete, bench_setup, bench_teardown),
		cmocka_unit_test_setup_teardown(a_directory_with_much_below_it_ends_the_walk, bench_setup, bench_teardown),
		cmocka_unit_test_setup_teardown(markers_and_empty_directories_are_seen, bench_setup, bench_teardown),
		cmocka_unit_test_setup_teardown(what_changes_here_meanwhile_stays, bench_setup, bench_teardown),
		cmocka_unit_test_setup_teardown(a_server_that_answers_otherwise_is_not_followed, bench_setup,
						bench_teardown),
		cmocka_unit_test_setup_teardown(a_file_beside_a_directory_stays_when_its_listing_begins_anew, bench_setup,
						bench_teardown),
		cmocka_unit_test_setup_teardown(a_directory_that_is_being_renamed_begins_no_walk, bench_setup,
						bench_teardown),
		cmocka_unit_test_setup_teardown(a_walk_shows_what_listings_of_each_directory_show, bench_setup,
						bench_teardown),
	};

	support_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
