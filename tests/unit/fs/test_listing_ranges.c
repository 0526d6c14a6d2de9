/* Long listings asked for in several places at once: all keys, whatever they look like, and few requests more than pages. */
#include "fs/listing_ranges.h"
#include "backends/base/random.h"
#include "fs/change.h"
#include "tests/unit/fs/bench_use.h"
#include "tests/unit/fs/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define PAGE	   10u
#define LONG_PAGES 4u

/* Long listings in small. */
static int setup(void **state)
{
	int r = bench_setup(state);

	if (r == 0)
		((struct bench *)*state)->fs->long_listing_pages = LONG_PAGES;
	return r;
}

/* As many listings as the pages take, and what the guesses may cost (listing_ranges.h). */
static unsigned lists_most(size_t pages)
{
	unsigned extra = 2 * RANGES_MOST;

	for (size_t covered = RANGES_MOST * 4; covered <= pages; covered *= 2)
		extra += RANGES_MOST;
	return (unsigned)pages + extra;
}

/* Lists the directory; the tree then has exactly what the cloud has in it. Returns how many listings that took. */
static unsigned list_and_compare(struct bench *b, const char *path)
{
	size_t prefix_len = strlen(path) ? strlen(path) + 1 : 0, wanted = 0, found = 0;
	unsigned lists;
	struct node *dir;

	if (*path)
		(void)bench_grow(b, path, NODE_DIR);
	b->cloud->lists = 0;
	bench_list(b, path);
	lists = b->cloud->lists;
	b->cloud->lists = 0;
	LOCKED(&b->fs->lock);
	dir = *path ? bench_node(b, path) : b->bucket;
	assert_true(dir->is_complete);
	for (size_t i = 0; i < b->cloud->count; i++) {
		const char *key = b->cloud->objects[i].key;
		CLEANUP(freep) char *name = NULL;
		struct node *n;

		if (strncmp(key, path, strlen(path)) != 0 || strlen(key) <= prefix_len)
			continue;
		name = str_format("%.*s", (int)strcspn(key + prefix_len, "/"), key + prefix_len);
		n = tree_child(&b->fs->tree, dir, name);
		assert_true(node_exists(n));
		assert_int_equal(node_is_dir(n), strchr(key + prefix_len, '/') != NULL);
		wanted += i == 0 || strncmp(b->cloud->objects[i - 1].key, key, prefix_len + strlen(name) + node_is_dir(n)) != 0;
	}
	for (const struct node *n = dir_of(dir)->first_child; n; n = node_next(n))
		found += node_exists(n);
	assert_int_equal(found, wanted);
	return lists;
}

static void put_counted(struct bench *b, const char *prefix, int digits, const char *suffix, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		CLEANUP(freep) char *key = str_format("%s%0*u%s", prefix, digits, i, suffix);

		cloud_put(b->cloud, key, 1);
	}
}

static void names_that_are_counted_cost_their_pages_and_a_look_beyond(void **state)
{
	struct bench *b = *state;

	b->cloud->page_keys = PAGE;
	put_counted(b, "d/object-", 6, "", 1000);
	assert_in_range(list_and_compare(b, "d"), 100, 100 + RANGES_MOST);
}

static void a_listing_that_is_not_long_costs_its_pages(void **state)
{
	struct bench *b = *state;

	b->cloud->page_keys = PAGE;
	put_counted(b, "d/object-", 6, "", LONG_PAGES * PAGE);
	assert_int_equal(list_and_compare(b, "d"), LONG_PAGES);
}

/* What is long, but in fewer places than guessed: gaps as wide as there can be. */
static void names_that_nobody_can_guess_cost_little_more_than_their_pages(void **state)
{
	struct bench *b = *state;
	size_t pages;

	b->cloud->page_keys = PAGE;
	put_counted(b, "a-", 9, "", 50);
	for (char letter = 'b'; letter <= 'z'; letter++) {
		CLEANUP(freep) char *prefix = str_format("%c%c%c%c%c", letter, letter, letter, letter, letter);

		put_counted(b, prefix, 1, "", 31);
	}
	pages = b->cloud->count / PAGE + 1;
	assert_in_range(list_and_compare(b, ""), pages, lists_most(pages));
}

static void directories_and_objects_of_one_name_stay_apart(void **state)
{
	struct bench *b = *state;
	size_t pages;

	b->cloud->page_keys = 7;
	put_counted(b, "", 3, "/below", 150);
	put_counted(b, "", 3, "/more", 150);
	put_counted(b, "", 3, "-file", 150);
	pages = 300 / 7 + 1;
	assert_in_range(list_and_compare(b, ""), pages, lists_most(pages));
}

/* An object beside a directory of its name, wherever a range begins: each of both is shown once. */
static void hidden_files_are_shown_under_their_escapes(void **state)
{
	struct bench *b = *state;
	size_t files = 0, dirs = 0;

	b->cloud->page_keys = 5;
	put_counted(b, "", 3, "", 120);
	put_counted(b, "", 3, "/x", 120);
	bench_list(b, "");
	LOCKED(&b->fs->lock);
	for (const struct node *n = dir_of(b->bucket)->first_child; n; n = node_next(n)) {
		files += n->type == NODE_FILE && n->is_shadowed;
		dirs += n->type == NODE_DIR;
	}
	assert_int_equal(files, 120);
	assert_int_equal(dirs, 120);
}

static void a_server_without_order_is_listed_as_ever(void **state)
{
	struct bench *b = *state;

	b->cloud->page_keys = PAGE;
	put_counted(b, "d/object-", 6, "", 300);
	b->cloud->stray_key = "d/object-000007"; /* on every page */
	assert_in_range(list_and_compare(b, "d"), 30, 30 + 2 * RANGES_MOST);
}

static void one_connection_lists_alone(void **state)
{
	struct bench *b = *state;

	workers_free(b->fs->net);
	b->fs->net = workers_new("test-net", 1);
	assert_non_null(b->fs->net);
	b->cloud->page_keys = PAGE;
	put_counted(b, "d/object-", 6, "", 500);
	assert_in_range(list_and_compare(b, "d"), 50, 50 + RANGES_MOST);
}

static void random_key(char *key, size_t room)
{
	static const char *const kinds[] = { "0123456789", "0123456789abcdef", "ab", "aZ0_-/", "\xc3\xa9", "~!az" };
	const char *kind = kinds[random_below(ARRAY_SIZE(kinds))];
	size_t len = 1 + random_below(room - 2);

	for (size_t i = 0; i < len; i++)
		key[i] = kind[random_below(strlen(kind))];
	key[len] = '\0';
}

/* Keys in clusters and alone, of all kinds: the tree shows what a listing page by page would. */
static void what_is_listed_is_what_is_there(void **state)
{
	struct bench *b = *state;

	for (unsigned round = 0; round < 12; round++) {
		while (b->cloud->count)
			cloud_remove(b->cloud, b->cloud->objects[b->cloud->count - 1].key);
		b->cloud->page_keys = 3 + (unsigned)random_below(9);
		for (unsigned cluster = 0; cluster < 6; cluster++) {
			char key[24], full[64];
			unsigned step = 1 + (unsigned)random_below(50);

			random_key(key, sizeof(key));
			for (unsigned i = 0; i < random_below(80); i++) {
				(void)snprintf(full, sizeof(full), "p/x%.*s%u", (int)strcspn(key, "/"), key, i * step);
				cloud_put(b->cloud, full, 1);
				random_key(full + 3, 20);
				full[3 + strcspn(full + 3, "/")] = '\0';
				if (full[3])
					cloud_put(b->cloud, full, 1);
			}
		}
		(void)list_and_compare(b, "p");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_that_are_counted_cost_their_pages_and_a_look_beyond),
		TEST(a_listing_that_is_not_long_costs_its_pages),
		TEST(names_that_nobody_can_guess_cost_little_more_than_their_pages),
		TEST(directories_and_objects_of_one_name_stay_apart),
		TEST(hidden_files_are_shown_under_their_escapes),
		TEST(a_server_without_order_is_listed_as_ever),
		TEST(one_connection_lists_alone),
		TEST(what_is_listed_is_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
