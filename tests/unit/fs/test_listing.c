/*
 * The directory cache: what listings and look-ups tell is merged into the tree, what changed here wins over older answers, and the
 * cloud is asked as seldom as promised.
 */
#include "backends/base/clock.h"
#include "fs/change.h"
#include "fs/file.h"
#include "fs/listing.h"
#include "fs/naming.h"
#include "tests/unit/fs/bench_use.h"
#include "tests/unit/fs/fake_kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

static void a_listing_shows_files_and_directories(void **state)
{
	static const char *const keys[] = { "a", "d/x", "d/y", "d/e/z", "f", "\xff" };
	struct bench *b = *state;

	bench_put_all(b, keys, ARRAY_SIZE(keys));
	bench_list(b, "");
	bench_expect_names(b, "", "a d/ f \xff ");
	bench_list(b, "d");
	bench_expect_names(b, "d", "e/ x y ");
	cloud_expect(b->cloud, 0, 2);
	assert_int_equal(bench_node(b, "a")->size, 1);
	assert_string_equal(node_version(bench_node(b, "a")).text, "v1");
	assert_int_equal(bench_node(b, "a")->expect, EXPECT_VERSION);
	assert_int_equal(bench_node(b, "a")->mode, S_IFREG | b->fs->options.file_mode);
	assert_int_equal(bench_node(b, "d")->mode, S_IFDIR | b->fs->options.dir_mode);
}

static void a_complete_listing_answers_every_name_without_a_request(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "a", 1);
	assert_int_equal(bench_known(b, "", "a"), LOOKUP_UNKNOWN);
	bench_list(b, "");
	assert_int_equal(bench_known(b, "", "a"), LOOKUP_FOUND);
	for (int i = 0; i < 100; i++)
		assert_int_equal(bench_known(b, "", "missing"), LOOKUP_ABSENT);
	cloud_expect(b->cloud, 0, 1);
	b->fs->options.is_strict = true; /* but who wants to be sure asks */
	assert_int_equal(bench_known(b, "", "a"), LOOKUP_UNKNOWN);
	assert_int_equal(bench_known(b, "", "missing"), LOOKUP_UNKNOWN);
}

static void a_listing_of_many_pages_is_one_listing(void **state)
{
	struct bench *b = *state;
	char key[32];

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(key, sizeof(key), i % 10 ? "k%03d" : "k%03d/sub", i);
		cloud_put(b->cloud, key, 1);
	}
	b->fs->long_listing_pages = 1000; /* one page after the other */
	b->cloud->page_keys = 7;
	bench_list_pages(b, b->bucket, 2);
	cloud_expect(b->cloud, 0, 2);
	assert_false(listing_is_fresh_locked(b->fs, b->bucket));
	assert_int_equal(bench_known(b, "", "k013"), LOOKUP_FOUND);
	assert_int_equal(bench_known(b, "", "k014"), LOOKUP_UNKNOWN);
	bench_list(b, "");
	cloud_expect(b->cloud, 0, 143);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(key, sizeof(key), "k%03d", i);
		assert_int_equal(bench_known(b, "", key), LOOKUP_FOUND);
		assert_int_equal(bench_node(b, key)->type, i % 10 ? NODE_FILE : NODE_DIR);
	}
	assert_int_equal(bench_known(b, "", "k1000"), LOOKUP_ABSENT);
}

static void markers_make_directories_and_stay_out_of_sight(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "slash/", 0);
	cloud_put(b->cloud, "hadoop_$folder$", 0);
	cloud_put(b->cloud, "both_$folder$", 0);
	cloud_put(b->cloud, "both/x", 1);
	cloud_put(b->cloud, "full_$folder$", 1); /* content: somebody's file */
	cloud_put(b->cloud, "_$folder$", 0);	 /* of nothing */
	bench_list(b, "");
	bench_expect_names(b, "", "_$folder$ both/ full_$folder$ hadoop/ slash/ ");
	assert_true(bench_node(b, "hadoop")->has_folder_marker);
	assert_true(bench_node(b, "both")->has_folder_marker);
	bench_list(b, "slash");
	bench_expect_names(b, "slash", "");
	assert_true(bench_node(b, "slash")->has_marker);
	bench_list(b, "both");
	assert_false(bench_node(b, "both")->has_marker);
}

static void a_marker_with_content_is_shown_under_its_empty_name(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "d/", 5);
	cloud_put(b->cloud, "d/x", 1);
	bench_list(b, "");
	bench_list(b, "d");
	bench_expect_names(b, "d", "%~ x ");
	assert_int_equal(bench_node(b, "d/%~")->size, 5);
}

static void an_empty_object_beside_its_directory_is_a_marker(void **state)
{
	struct bench *b = *state;
	uint64_t ino;

	cloud_put(b->cloud, "d", 0);
	cloud_put(b->cloud, "d/x", 1);
	bench_list(b, "");
	bench_expect_names(b, "", "d/ ");
	assert_true(bench_node(b, "d")->has_file_marker);
	ino = bench_node(b, "d")->ino;
	for (int i = 0; i < 3; i++) { /* and again with the tree as it is */
		bench_list(b, "");
		bench_expect_names(b, "", "d/ ");
		assert_int_equal(bench_node(b, "d")->ino, ino);
	}
	cloud_remove(b->cloud, "d/x"); /* now the empty object is just a file */
	bench_list(b, "");
	bench_list(b, "");
	bench_expect_names(b, "", "d ");
}

static void a_file_beside_its_directory_gets_an_escaped_name(void **state)
{
	struct bench *b = *state;
	struct location where;
	uint64_t dir_ino;

	cloud_put(b->cloud, "x", 3);
	cloud_put(b->cloud, "x.txt", 1); /* sorts between the two */
	cloud_put(b->cloud, "x/y", 1);
	bench_list(b, "");
	assert_int_equal(bench_node(b, "x")->type, NODE_DIR);
	assert_non_null(bench_node(b, "%~x%="));
	assert_int_equal(bench_node(b, "%~x%=")->type, NODE_FILE);
	assert_int_equal(bench_node(b, "%~x%=")->size, 3);
	assert_true(bench_node(b, "%~x%=")->is_shadowed);
	assert_non_null(bench_node(b, "x.txt"));
	assert_int_equal(tree_remote_key(bench_node(b, "%~x%="), &where), 0);
	assert_string_equal(where.key, "x");
	location_release(&where);
	dir_ino = bench_node(b, "x")->ino;
	for (int i = 0; i < 3; i++) { /* listing again changes nothing */
		bench_list(b, "");
		assert_int_equal(bench_node(b, "x")->ino, dir_ino);
		assert_non_null(bench_node(b, "%~x%="));
		assert_int_equal(bench_node(b, "%~x%=")->size, 3);
	}
	cloud_remove(b->cloud, "x/y"); /* the directory goes: the file gets its name back */
	bench_list(b, "");
	bench_expect_names(b, "", "x.txt x "); /* in order of arrival */
	cloud_put(b->cloud, "x/y", 1);
	bench_list(b, "");
	cloud_remove(b->cloud, "x");
	bench_list(b, "");
	bench_expect_names(b, "", "x.txt x/ ");
}

static void two_files_beside_their_directories_on_two_pages(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "x", 3);
	cloud_put(b->cloud, "x/y", 1);
	b->cloud->page_keys = 1;
	bench_list(b, "");
	assert_int_equal(bench_node(b, "x")->type, NODE_DIR);
	assert_int_equal(bench_node(b, "%~x%=")->size, 3);
}

static void strange_segments_are_listed_and_reachable(void **state)
{
	static const char *const keys[] = { "//x", "/y", ".", "../z", "%~a", "ok" };
	struct bench *b = *state;
	struct location where;

	bench_put_all(b, keys, ARRAY_SIZE(keys));
	bench_list(b, "");
	bench_expect_names(b, "", "%~%25~a %~%2E %~%2E%2E/ %~/ ok ");
	bench_list(b, "%~");
	bench_expect_names(b, "%~", "%~/ y ");
	bench_list(b, "%~/%~");
	bench_expect_names(b, "%~/%~", "x ");
	assert_int_equal(tree_remote_key(bench_node(b, "%~/%~/x"), &where), 0);
	assert_string_equal(where.key, "//x");
	location_release(&where);
}

static void a_long_segment_is_shown_in_pieces(void **state)
{
	CLEANUP(buf_release) struct buf names = BUF_INIT(4096);
	CLEANUP(freep) char *first = NULL;
	struct bench *b = *state;
	struct location where;
	char key[702];

	memset(key, 'a', 700);
	key[700] = 'b';
	key[701] = '\0';
	cloud_put(b->cloud, key, 1);
	key[700] = 'c';
	cloud_put(b->cloud, key, 2);
	key[300] = '\0';
	cloud_put(b->cloud, key, 3);
	key[300] = 'a';
	bench_list(b, "");
	assert_int_equal(naming_encode(str_of(key), NAMING_WHOLE, &names), 0);
	first = strndup(names.data, strcspn(names.data, "/"));
	assert_int_equal(bench_node(b, first)->type, NODE_CONT);
	assert_ptr_equal(dir_of(b->bucket)->first_child, dir_of(b->bucket)->last_child); /* all three are in it */
	for (char *slash = strchr(names.data, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		bench_list(b, names.data);
		*slash = '/';
	}
	assert_int_equal(bench_node(b, names.data)->size, 2);
	assert_int_equal(tree_remote_key(bench_node(b, names.data), &where), 0);
	assert_string_equal(where.key, key);
	location_release(&where);
	names.data[names.len - 1] = 'b';
	assert_int_equal(bench_node(b, names.data)->size, 1);
}

static void keys_that_were_not_asked_for_are_passed_over(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "d/x", 1);
	bench_list(b, "");
	b->cloud->stray_key = "../../etc/passwd";
	bench_list(b, "d");
	bench_expect_names(b, "d", "x ");
	b->cloud->stray_key = "d/nested/key"; /* a server that ignores the delimiter */
	bench_list(b, "d");
	bench_expect_names(b, "d", "x ");
}

static void what_a_complete_listing_does_not_see_is_gone(void **state)
{
	static const char *const keys[] = { "a", "b", "d/x", "e/x" };
	struct bench *b = *state;

	bench_put_all(b, keys, ARRAY_SIZE(keys));
	bench_list(b, "");
	cloud_remove(b->cloud, "a");
	cloud_remove(b->cloud, "d/x");
	cloud_put(b->cloud, "c", 1);
	bench_list_pages(b, b->bucket, 0);
	bench_expect_names(b, "", "b e/ c ");
	assert_int_equal(bench_known(b, "", "a"), LOOKUP_ABSENT);
}

static void a_page_alone_sweeps_nothing(void **state)
{
	static const char *const keys[] = { "a", "b", "c", "d" };
	struct bench *b = *state;

	bench_put_all(b, keys, ARRAY_SIZE(keys));
	bench_list(b, "");
	b->cloud->page_keys = 2;
	cloud_remove(b->cloud, "d");
	bench_list_pages(b, b->bucket, 1);
	bench_expect_names(b, "", "a b c d ");
}

static void a_file_that_became_a_directory_and_back(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "n", 1);
	bench_list(b, "");
	cloud_remove(b->cloud, "n");
	cloud_put(b->cloud, "n/x", 1);
	bench_list(b, "");
	bench_expect_names(b, "", "n/ ");
	bench_list(b, "n");
	cloud_remove(b->cloud, "n/x");
	cloud_put(b->cloud, "n", 2);
	bench_list(b, "");
	bench_expect_names(b, "", "n ");
}

static void a_new_version_brings_new_attributes(void **state)
{
	struct bench *b = *state;
	uint64_t ino;

	cloud_put(b->cloud, "a", 1);
	bench_list(b, "");
	ino = bench_node(b, "a")->ino;
	bench_node(b, "a")->has_attrs = true;
	bench_list(b, "");
	assert_true(bench_node(b, "a")->has_attrs); /* the same version keeps them */
	cloud_put(b->cloud, "a", 99);
	bench_list(b, "");
	assert_int_equal(bench_node(b, "a")->ino, ino);
	assert_int_equal(bench_node(b, "a")->size, 99);
	assert_false(bench_node(b, "a")->has_attrs);
	assert_string_equal(node_version(bench_node(b, "a")).text, "v2");
}

static void what_was_made_here_wins_over_any_listing(void **state)
{
	struct bench *b = *state;
	struct node *mine;

	mine = bench_make_file(b, b->bucket, "mine");
	bench_list(b, ""); /* the cloud has never heard of it */
	bench_expect_names(b, "", "mine ");
	cloud_put(b->cloud, "mine", 77); /* or has another */
	bench_list(b, "");
	assert_ptr_equal(bench_node(b, "mine"), mine);
	assert_int_equal(mine->size, 0);
	assert_int_equal(bench_look_up(b, "", "mine"), 0);
	assert_ptr_equal(bench_node(b, "mine"), mine);
	assert_int_equal(mine->size, 0);
}

static void what_was_deleted_here_stays_deleted(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "a", 1);
	cloud_put(b->cloud, "b", 1);
	bench_list(b, "");
	cloud_hold(b->cloud, true); /* the delete does not get through */
	bench_unlink(b, "a");
	bench_list(b, "");
	bench_expect_names(b, "", "b ");
	assert_int_equal(bench_look_up(b, "", "a"), 0);
	assert_int_equal(bench_known(b, "", "a"), LOOKUP_ABSENT);
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	bench_list(b, "");
	bench_expect_names(b, "", "b ");
	cloud_put(b->cloud, "a", 2); /* somebody else makes it anew */
	bench_list(b, "");
	assert_int_equal(bench_known(b, "", "a"), LOOKUP_FOUND);
}

static void a_renamed_directory_is_listed_where_it_still_is(void **state)
{
	static const char *const keys[] = { "old/gone", "old/sub/y", "old/x" };
	struct bench *b = *state;

	bench_put_all(b, keys, ARRAY_SIZE(keys));
	bench_list(b, "");
	cloud_hold(b->cloud, true);
	bench_rename(b, "old", b->bucket, "new");
	bench_list(b, "");
	bench_expect_names(b, "", "new/ ");
	bench_list(b, "new");
	bench_expect_names(b, "new", "gone sub/ x ");
	bench_unlink(b, "new/gone");
	bench_list(b, "new");
	bench_expect_names(b, "new", "sub/ x ");
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	bench_list(b, "new");
	bench_expect_names(b, "new", "sub/ x ");
	assert_int_equal(b->cloud->count, 2);
	assert_non_null(cloud_find(b->cloud, "new/sub/y"));
}

/* Changes that are made while a listing is on its way; hooks of the cloud. */
static void make_meanwhile(void *arg)
{
	struct bench *b = arg;

	b->cloud->on_list = NULL;
	(void)bench_make_file(b, b->bucket, "made");
}

static void delete_meanwhile(void *arg)
{
	struct bench *b = arg;

	b->cloud->on_list = NULL;
	bench_unlink(b, "a");
	bench_wait_idle(b); /* all the way */
}

static void rename_meanwhile(void *arg)
{
	struct bench *b = arg;

	b->cloud->on_list = NULL;
	bench_rename(b, "a", b->bucket, "z");
	bench_wait_idle(b);
}

static void remove_directory_meanwhile(void *arg)
{
	struct bench *b = arg;

	b->cloud->on_list = NULL;
	LOCKED(&b->fs->lock);
	tree_detach(&b->fs->tree, bench_node(b, "d"));
}

static void a_listing_knows_nothing_of_what_changed_since_it_began(void **state)
{
	static const struct {
		void (*change)(void *arg);
		const char *names;
	} rounds[] = {
		{ delete_meanwhile, "b " },
		{ rename_meanwhile, "b z " },
		{ make_meanwhile, "b z a made " },
	};
	struct bench *b = *state;

	cloud_put(b->cloud, "b", 1);
	for (size_t i = 0; i < ARRAY_SIZE(rounds); i++) {
		cloud_put(b->cloud, "a", 1);
		bench_list(b, "");
		assert_int_equal(bench_known(b, "", "a"), LOOKUP_FOUND);
		b->cloud->hook_arg = b;
		b->cloud->on_list = rounds[i].change;
		bench_list(b, "");
		bench_expect_names(b, "", rounds[i].names);
	}
	assert_non_null(cloud_find(b->cloud, "z"));
}

static void a_directory_that_goes_while_it_is_listed_is_no_harm(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "d/x", 1);
	bench_list(b, "");
	b->cloud->hook_arg = b;
	b->cloud->on_list = remove_directory_meanwhile;
	bench_list(b, "d");
	assert_null(bench_node(b, "d"));
}

static void dirty_files_below_keep_a_directory_the_cloud_lost(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "d/e/x", 1);
	bench_list(b, "");
	bench_list(b, "d");
	bench_list(b, "d/e");
	(void)bench_make_file(b, bench_node(b, "d/e"), "mine");
	cloud_remove(b->cloud, "d/e/x");
	bench_list(b, "");
	bench_expect_names(b, "", "d/ ");
	bench_list(b, "d");
	bench_list(b, "d/e");
	bench_expect_names(b, "d/e", "mine ");
	cloud_put(b->cloud, "d", 5); /* now a file, says the cloud */
	bench_list(b, "");
	bench_expect_names(b, "", "d/ %~d%= ");
	bench_expect_names(b, "d/e", "mine ");
}

static void one_look_up_is_one_head_and_perhaps_one_list(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "file", 1);
	cloud_put(b->cloud, "dir/x", 1);
	cloud_put(b->cloud, "marked/", 0);
	assert_int_equal(bench_look_up(b, "", "file"), 0);
	cloud_expect(b->cloud, 1, 0);
	assert_int_equal(bench_look_up(b, "", "dir"), 0);
	cloud_expect(b->cloud, 1, 1);
	assert_int_equal(bench_node(b, "dir")->type, NODE_DIR);
	assert_false(bench_node(b, "dir")->has_marker);
	assert_int_equal(bench_look_up(b, "", "dir"), 0); /* known as a directory: not asked as a file */
	cloud_expect(b->cloud, 0, 1);
	assert_int_equal(bench_look_up(b, "", "marked"), 0);
	cloud_expect(b->cloud, 1, 1);
	assert_true(bench_node(b, "marked")->has_marker);
	assert_int_equal(bench_look_up(b, "", "missing"), 0);
	cloud_expect(b->cloud, 1, 1);
	assert_int_equal(bench_known(b, "", "file"), LOOKUP_FOUND);
	assert_int_equal(bench_known(b, "", "missing"), LOOKUP_ABSENT); /* remembered as well */
	assert_int_equal(bench_known(b, "", "other"), LOOKUP_UNKNOWN);
	cloud_expect(b->cloud, 0, 0);
}

static void names_that_no_key_has_are_never_asked_for(void **state)
{
	struct bench *b = *state;

	assert_int_equal(bench_look_up(b, "", "%~a"), -ENOENT);
	assert_int_equal(bench_look_up(b, "", "%~%2e"), -ENOENT);
	cloud_expect(b->cloud, 0, 0);
}

static void a_look_up_notices_what_changed_in_the_cloud(void **state)
{
	struct bench *b = *state;
	uint64_t ino;

	cloud_put(b->cloud, "n", 1);
	assert_int_equal(bench_look_up(b, "", "n"), 0);
	ino = bench_node(b, "n")->ino;
	cloud_put(b->cloud, "n", 2);
	assert_int_equal(bench_look_up(b, "", "n"), 0);
	assert_int_equal(bench_node(b, "n")->ino, ino);
	assert_int_equal(bench_node(b, "n")->size, 2);
	cloud_remove(b->cloud, "n");
	assert_int_equal(bench_look_up(b, "", "n"), 0);
	assert_false(node_exists(bench_node(b, "n")));
	cloud_put(b->cloud, "n/x", 1);
	assert_int_equal(bench_look_up(b, "", "n"), 0);
	assert_int_equal(bench_node(b, "n")->type, NODE_DIR);
}

static void buckets_are_listed_but_for_names_that_are_none(void **state)
{
	static const char *const hostile[] = { "more", "..", ".", "", "a/b", NULL };
	struct bench *b = *state;
	struct node *store_node = b->bucket->parent;

	b->cloud->buckets = hostile;
	bench_list_pages(b, store_node, 0);
	cloud_expect(b->cloud, 0, 1);
	assert_ptr_equal(tree_child(&b->fs->tree, store_node, CLOUD_BUCKET), b->bucket);
	assert_int_equal(tree_child(&b->fs->tree, store_node, "more")->type, NODE_BUCKET);
	assert_null(tree_child(&b->fs->tree, store_node, ".."));
	assert_null(tree_child(&b->fs->tree, store_node, "a/b"));
	assert_null(tree_child(&b->fs->tree, store_node, ""));
}

static void the_second_look_up_of_a_directory_lists_it(void **state)
{
	struct bench *b = *state;
	int64_t ino;

	cloud_put(b->cloud, "a", 1);
	cloud_put(b->cloud, "d/x", 1);
	kernel_connect(b->fs);
	ino = kernel_lookup(b->fs, 1, "a");
	assert_ptr_equal(tree_by_ino(&b->fs->tree, (uint64_t)ino), bench_node(b, "a"));
	cloud_expect(b->cloud, 1, 0);
	assert_int_equal(kernel_lookup(b->fs, 1, "a"), ino);
	cloud_expect(b->cloud, 0, 0); /* known, and still believed */
	assert_int_equal(kernel_lookup(b->fs, 1, "missing"), 0);
	cloud_expect(b->cloud, 0, 1);
	for (int i = 0; i < 20; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "missing%d", i);
		assert_int_equal(kernel_lookup(b->fs, 1, name), 0);
	}
	assert_true(kernel_lookup(b->fs, 1, "d") > 1);
	cloud_expect(b->cloud, 0, 0); /* the page was all there is */
}

static void in_a_big_directory_eight_look_ups_are_worth_ten_pages(void **state)
{
	struct bench *b = *state;
	unsigned lists = 0, heads = 0;
	char name[16];

	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "k%02d", i);
		cloud_put(b->cloud, name, 1);
	}
	b->cloud->page_keys = 2;
	kernel_connect(b->fs);
	for (int i = 99; i > 80; i--) {
		(void)snprintf(name, sizeof(name), "k%02d", i);
		assert_true(kernel_lookup(b->fs, 1, name) > 1);
		assert_true(b->cloud->heads - heads <= 1);
		assert_true(b->cloud->lists - lists == 0 || b->cloud->lists - lists == 1 ||
			    b->cloud->lists - lists == 10);
		heads = b->cloud->heads;
		lists = b->cloud->lists;
	}
	assert_int_equal(bench_known(b, "", "k19"), LOOKUP_FOUND); /* the last of ten pages */
	assert_int_equal(bench_known(b, "", "k20"), LOOKUP_UNKNOWN);
	cloud_expect(b->cloud, 19, 11);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

static void an_object_by_which_the_store_tries_its_server_is_not_shown(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "d/.skydir-probe-0123456789abcdef", 0);
	cloud_put(b->cloud, "d/.skydir-probe-0123456789abcdef-copy", 0);
	cloud_put(b->cloud, "d/.skydir-probe-fedcba9876543210", 5); /* somebody's file */
	cloud_put(b->cloud, "d/.skydir-probe-notes", 0);
	cloud_put(b->cloud, "e/.skydir-probe-0123456789abcdef", 0);
	b->cloud->modified_wall_ns = clock_wall_ns();
	bench_list(b, "");
	bench_list(b, "d");
	bench_expect_names(b, "d", ".skydir-probe-fedcba9876543210 .skydir-probe-notes ");
	/* What a kill left there an hour ago would keep the directory from being removed. */
	b->cloud->modified_wall_ns -= INT64_C(3600000000000);
	bench_list(b, "e");
	bench_expect_names(b, "e", ".skydir-probe-0123456789abcdef ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_listing_shows_files_and_directories),
		TEST(an_object_by_which_the_store_tries_its_server_is_not_shown),
		TEST(a_complete_listing_answers_every_name_without_a_request),
		TEST(a_listing_of_many_pages_is_one_listing),
		TEST(markers_make_directories_and_stay_out_of_sight),
		TEST(a_marker_with_content_is_shown_under_its_empty_name),
		TEST(an_empty_object_beside_its_directory_is_a_marker),
		TEST(a_file_beside_its_directory_gets_an_escaped_name),
		TEST(two_files_beside_their_directories_on_two_pages),
		TEST(strange_segments_are_listed_and_reachable),
		TEST(a_long_segment_is_shown_in_pieces),
		TEST(keys_that_were_not_asked_for_are_passed_over),
		TEST(what_a_complete_listing_does_not_see_is_gone),
		TEST(a_page_alone_sweeps_nothing),
		TEST(a_file_that_became_a_directory_and_back),
		TEST(a_new_version_brings_new_attributes),
		TEST(what_was_made_here_wins_over_any_listing),
		TEST(what_was_deleted_here_stays_deleted),
		TEST(a_renamed_directory_is_listed_where_it_still_is),
		TEST(a_listing_knows_nothing_of_what_changed_since_it_began),
		TEST(a_directory_that_goes_while_it_is_listed_is_no_harm),
		TEST(dirty_files_below_keep_a_directory_the_cloud_lost),
		TEST(one_look_up_is_one_head_and_perhaps_one_list),
		TEST(names_that_no_key_has_are_never_asked_for),
		TEST(a_look_up_notices_what_changed_in_the_cloud),
		TEST(buckets_are_listed_but_for_names_that_are_none),
		TEST(the_second_look_up_of_a_directory_lists_it),
		TEST(in_a_big_directory_eight_look_ups_are_worth_ten_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
