/* The table of inodes and names: who lives how long, and which keys the nodes stand for. */
#include "fs/naming.h"
#include "fs/node_version.h"
#include "fs/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#define MANY 100000u
#define MILLION 1000000u

struct wood {
	struct tree tree;
	struct store store;
	struct node *store_node, *bucket;
};

static int setup(void **state)
{
	struct wood *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(tree_init(&w->tree, NULL), 0);
	w->store.name = (char *)"s3";
	w->store_node = tree_add(&w->tree, w->tree.root, "s3", NODE_STORE);
	node_dir(w->store_node)->store = &w->store;
	w->bucket = tree_add(&w->tree, w->store_node, "bucket", NODE_BUCKET);
	tree_pin(w->store_node);
	tree_pin(w->bucket);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct wood *w = *state;

	tree_release(&w->tree);
	free(w);
	return 0;
}

/* Walks "a/b/c" below the bucket; all but the last are made as directories. */
static struct node *grow(struct wood *w, const char *path, enum node_type type)
{
	struct str rest = str_of(path);
	struct node *n = w->bucket;

	while (rest.ptr) {
		CLEANUP(freep) char *name = str_dup(str_split(&rest, '/'));
		struct node *child = tree_child(&w->tree, n, name);

		n = child ? child : tree_add(&w->tree, n, name, rest.ptr ? NODE_DIR : type);
		assert_non_null(n);
	}
	return n;
}

static void assert_key(int r, struct location *got, const char *bucket, const char *key)
{
	assert_int_equal(r, 0);
	assert_string_equal(got->bucket, bucket);
	assert_string_equal(got->key, key);
	location_release(got);
}

static void assert_keys(const struct node *n, const char *path_key, const char *remote_key)
{
	struct location where;
	int r = tree_path_key(n, &where);

	assert_key(r, &where, "bucket", path_key);
	r = tree_remote_key(n, &where);
	assert_key(r, &where, "bucket", remote_key);
}

static void a_name_is_found_in_its_own_directory_only(void **state)
{
	struct wood *w = *state;
	struct node *a = grow(w, "a/x", NODE_FILE), *b = grow(w, "b/x", NODE_FILE);

	assert_ptr_not_equal(a, b);
	assert_true(a->ino != b->ino);
	assert_ptr_equal(tree_child(&w->tree, a->parent, "x"), a);
	assert_ptr_equal(tree_child(&w->tree, b->parent, "x"), b);
	assert_null(tree_child(&w->tree, w->bucket, "x"));
	assert_null(tree_child(&w->tree, a->parent, "X"));
	assert_ptr_equal(tree_by_ino(&w->tree, a->ino), a);
	assert_null(tree_by_ino(&w->tree, a->ino ^ 1));
}

static void inode_one_is_the_root_of_the_mount(void **state)
{
	struct wood *w = *state;

	assert_ptr_equal(tree_by_ino(&w->tree, 1), w->tree.root);
	w->tree.mount_root = w->bucket;
	assert_ptr_equal(tree_by_ino(&w->tree, 1), w->bucket);
	assert_ptr_equal(tree_by_ino(&w->tree, w->bucket->ino), w->bucket);
}

static void a_path_gets_its_inode_number_again(void **state)
{
	struct wood *w = *state;
	struct node *n = grow(w, "dir/file", NODE_FILE);
	uint64_t dir = n->parent->ino, ino = n->ino;

	tree_prune(&w->tree, n);
	assert_null(tree_by_ino(&w->tree, ino));
	assert_null(tree_by_ino(&w->tree, dir)); /* nothing held it either */
	n = grow(w, "dir/file", NODE_FILE);
	assert_int_equal(n->ino, ino);
	assert_int_equal(n->parent->ino, dir);
}

static void a_number_in_use_is_stepped_over(void **state)
{
	struct wood *w = *state;
	struct node *olds[20];

	for (size_t i = 0; i < ARRAY_SIZE(olds); i++) { /* unlinked while open, again and again */
		olds[i] = grow(w, "file", NODE_FILE);
		tree_pin(olds[i]);
		tree_detach(&w->tree, olds[i]);
		assert_null(tree_child(&w->tree, w->bucket, "file"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(olds); i++) {
		assert_ptr_equal(tree_by_ino(&w->tree, olds[i]->ino), olds[i]);
		for (size_t k = 0; k < i; k++)
			assert_true(olds[i]->ino != olds[k]->ino);
	}
	for (size_t i = 0; i < ARRAY_SIZE(olds); i += 2)
		tree_unpin(&w->tree, olds[i]);
	assert_int_equal(w->tree.count, 3 + ARRAY_SIZE(olds) / 2); /* the rest goes at release */
}

static void a_moved_directory_keeps_its_number_and_what_is_in_it(void **state)
{
	struct wood *w = *state;
	struct node *file = grow(w, "from/sub/file", NODE_FILE), *sub = file->parent;
	struct node *to = grow(w, "to", NODE_DIR);
	uint64_t ino = sub->ino;

	assert_int_equal(tree_move(&w->tree, sub, to, "new"), 0);
	assert_int_equal(sub->ino, ino);
	assert_ptr_equal(tree_by_ino(&w->tree, ino), sub);
	assert_ptr_equal(tree_child(&w->tree, to, "new"), sub);
	assert_ptr_equal(tree_child(&w->tree, sub, "file"), file);
	assert_null(tree_child(&w->tree, tree_child(&w->tree, w->bucket, "from"), "sub"));
	assert_false(tree_has_children(tree_child(&w->tree, w->bucket, "from")));
	assert_keys(file, "to/new/file", "to/new/file");
	assert_int_equal(tree_move(&w->tree, sub, to, sub->name), 0); /* onto itself */
	assert_ptr_equal(tree_child(&w->tree, to, "new"), sub);
}

static void a_detached_node_can_come_back(void **state)
{
	struct wood *w = *state;
	struct node *n = grow(w, "file", NODE_FILE);

	tree_detach(&w->tree, n);
	tree_detach(&w->tree, n); /* twice is once */
	assert_true(n->is_detached);
	assert_int_equal(tree_move(&w->tree, n, w->bucket, "again"), 0);
	assert_false(n->is_detached);
	assert_ptr_equal(tree_child(&w->tree, w->bucket, "again"), n);
}

static void siblings_stay_in_order_of_arrival(void **state)
{
	static const char *const left[] = { "b", "d", "f", "c" };
	struct wood *w = *state;
	size_t i = 0;

	for (char name[] = "a"; name[0] <= 'f'; name[0]++)
		(void)grow(w, name, NODE_FILE);
	tree_detach(&w->tree, dir_of(w->bucket)->first_child);
	tree_detach(&w->tree, tree_child(&w->tree, w->bucket, "e"));
	assert_int_equal(tree_move(&w->tree, tree_child(&w->tree, w->bucket, "c"), w->bucket, "c"),
			 0);
	for (const struct node *n = dir_of(w->bucket)->first_child; n; n = node_next(n))
		assert_string_equal(n->name, left[i++]);
	for (const struct node *n = dir_of(w->bucket)->last_child; n; n = node_prev(n))
		assert_string_equal(n->name, left[--i]);
	assert_int_equal(i, 0);
}

static void whatever_holds_a_node_keeps_it_and_its_parents(void **state)
{
	struct wood *w = *state;
	struct node *n = grow(w, "a/b/c", NODE_FILE);
	uint64_t ino = n->ino;

	n->nlookup = 3;
	tree_pin(n);
	rare_make(n)->pending_count = 1;
	tree_forget(&w->tree, n, 2);
	tree_forget(&w->tree, n, 100); /* a kernel that counts wrongly does no harm */
	assert_int_equal(n->nlookup, 0);
	tree_unpin(&w->tree, n);
	assert_ptr_equal(tree_by_ino(&w->tree, ino), n);
	n->rare->pending_count = 0;
	n->parent->is_complete = true; /* what a listing told stays with it */
	tree_prune(&w->tree, n);
	assert_ptr_equal(tree_by_ino(&w->tree, ino), n);
	n->parent->is_complete = false;
	tree_changed(&w->tree, n); /* changed here: the next listing has to know */
	tree_prune(&w->tree, n);
	assert_ptr_equal(tree_by_ino(&w->tree, ino), n);
	n->changed = 0;
	tree_prune(&w->tree, n);
	assert_null(tree_by_ino(&w->tree, ino));
	assert_false(tree_has_children(w->bucket));
	assert_int_equal(w->tree.count, 3);
}

static void a_detached_node_lives_until_the_last_holder_goes(void **state)
{
	struct wood *w = *state;
	struct node *n = grow(w, "file", NODE_FILE);
	uint64_t ino = n->ino;

	n->nlookup = 1;
	tree_pin(n);
	tree_changed(&w->tree, n);
	tree_detach(&w->tree, n);
	tree_prune(&w->tree, n);
	tree_forget(&w->tree, n, 1);
	assert_ptr_equal(tree_by_ino(&w->tree, ino), n);
	tree_unpin(&w->tree, n);
	assert_null(tree_by_ino(&w->tree, ino));
}

static void a_tombstone_takes_the_place_of_a_name(void **state)
{
	struct wood *w = *state;
	struct node *old = grow(w, "dir/file", NODE_FILE), *dir = old->parent, *gone;
	uint64_t changed;

	tree_pin(old);
	gone = tree_set_absent(&w->tree, dir, "file");
	assert_ptr_equal(tree_child(&w->tree, dir, "file"), gone);
	assert_true(old->is_detached);
	assert_false(node_exists(gone));
	assert_false(node_exists(NULL));
	assert_false(node_is_dir(gone));
	assert_false(tree_has_children(dir));
	assert_true(gone->ino != old->ino);
	changed = gone->changed;
	assert_true(changed > 0);
	tree_prune(&w->tree, gone); /* a tombstone outlives its reference counts */
	assert_ptr_equal(tree_set_absent(&w->tree, dir, "file"), gone);
	assert_true(gone->changed > changed);
	(void)grow(w, "dir/other", NODE_FILE);
	assert_true(tree_has_children(dir));
	assert_non_null(tree_set_absent(&w->tree, dir, "never was"));
}

static void a_hundred_thousand_nodes_are_all_found_and_all_go(void **state)
{
	struct wood *w = *state;
	struct node *dirs[10];
	char name[32];

	for (unsigned i = 0; i < ARRAY_SIZE(dirs); i++) {
		(void)snprintf(name, sizeof(name), "dir%u", i);
		dirs[i] = grow(w, name, NODE_DIR);
		tree_pin(dirs[i]);
	}
	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "%u", i / 10);
		assert_non_null(tree_add(&w->tree, dirs[i % 10], name, NODE_FILE));
	}
	assert_int_equal(w->tree.count, MANY + 13);
	assert_true((size_t)1 << w->tree.bits >= w->tree.count / 2); /* short chains */
	for (unsigned i = 0; i < MANY; i++) {
		struct node *n;

		(void)snprintf(name, sizeof(name), "%u", i / 10);
		n = tree_child(&w->tree, dirs[i % 10], name);
		assert_non_null(n);
		assert_ptr_equal(tree_by_ino(&w->tree, n->ino), n);
		assert_true(n->ino > 1 && n->ino <= INT64_MAX);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(dirs); i++)
		while (dir_of(dirs[i])->last_child)
			tree_prune(&w->tree, dir_of(dirs[i])->last_child);
	assert_int_equal(w->tree.count, 13);
}

static void keys_follow_the_path(void **state)
{
	struct wood *w = *state;
	struct location where;
	int r;

	assert_keys(grow(w, "a/b/c", NODE_FILE), "a/b/c", "a/b/c");
	assert_keys(grow(w, "a/b", NODE_DIR), "a/b/", "a/b/");
	assert_keys(w->bucket, "", "");
	r = tree_child_key(grow(w, "a/b", NODE_DIR), "new", false, &where);
	assert_ptr_equal(where.store, &w->store);
	assert_key(r, &where, "bucket", "a/b/new");
	r = tree_child_key(w->bucket, "new", true, &where);
	assert_key(r, &where, "bucket", "new/");
	r = tree_child_key(w->store_node, "another", true, &where);
	assert_ptr_equal(where.store, &w->store);
	assert_key(r, &where, "another", "");
	assert_int_equal(tree_path_key(w->store_node, &where), 0);
	assert_ptr_equal(where.store, &w->store);
	assert_null(where.bucket);
	location_release(&where);
	assert_int_equal(tree_path_key(w->tree.root, &where), 0);
	assert_null(where.store);
	location_release(&where);
}

static void the_nearest_renamed_node_upwards_says_where_the_bytes_are(void **state)
{
	struct wood *w = *state;
	struct node *file = grow(w, "new/sub/file", NODE_FILE), *sub = file->parent;
	struct location where;
	int r;

	rare_make(sub->parent)->remote_key = strdup("old/");
	assert_keys(file, "new/sub/file", "old/sub/file");
	assert_keys(sub->parent, "new/", "old/");
	rare_make(sub)->remote_key = strdup("older/dir/");
	assert_keys(file, "new/sub/file", "older/dir/file");
	r = tree_child_remote_key(sub, "missing", false, &where);
	assert_key(r, &where, "bucket", "older/dir/missing");
	r = tree_child_key(sub, "missing", false, &where);
	assert_key(r, &where, "bucket", "new/sub/missing");
	sub->rare->remote_bucket = strdup("elsewhere");
	r = tree_remote_key(file, &where);
	assert_ptr_equal(where.store, &w->store);
	assert_key(r, &where, "elsewhere", "older/dir/file");
	rare_make(file)->remote_key = strdup("the/file"); /* without a bucket: its own */
	assert_keys(file, "new/sub/file", "the/file");
}

static void a_detached_node_has_no_key(void **state)
{
	struct wood *w = *state;
	struct node *file = grow(w, "dir/file", NODE_FILE);
	struct location where;

	tree_pin(file); /* else it would go with its directory */
	tree_detach(&w->tree, file->parent);
	assert_int_equal(tree_path_key(file, &where), -ESTALE); /* nor what is below one */
	assert_null(where.key);
	assert_int_equal(tree_path_key(file->parent, &where), -ESTALE);
	assert_int_equal(tree_remote_key(file->parent, &where), -ESTALE);
	assert_int_equal(tree_child_key(file->parent, "x", false, &where), -ESTALE);
}

static void escaped_names_stand_for_their_segments(void **state)
{
	struct wood *w = *state;
	struct location where;

	assert_keys(grow(w, "%~/%~%2E%2E", NODE_FILE), "/..", "/..");
	assert_keys(grow(w, "%~%2E", NODE_DIR), "./", "./");
	assert_keys(grow(w, "%~%25~x", NODE_FILE), "%~x", "%~x");
	assert_keys(grow(w, "x", NODE_DIR), "x/", "x/");
	assert_keys(grow(w, "%~x%=", NODE_FILE), "x", "x"); /* the file beside the directory */
	assert_keys(grow(w, "100%", NODE_FILE), "100%", "100%");
	assert_keys(grow(w, "\xff\x01", NODE_FILE), "\xff\x01", "\xff\x01");
	assert_int_equal(tree_child_key(w->bucket, "%~x", false, &where), -EINVAL);
	assert_int_equal(tree_child_key(w->bucket, "%~%2e", false, &where), -EINVAL);
	assert_int_equal(tree_child_key(w->bucket, "..", false, &where), -EINVAL);
	assert_int_equal(tree_child_key(w->bucket, "%~x%=", true, &where), -EINVAL);
	assert_null(where.bucket);
}

static void a_long_segment_is_put_together_from_its_pieces(void **state)
{
	CLEANUP(buf_release) struct buf names = BUF_INIT(4096);
	struct wood *w = *state;
	struct node *n = w->bucket;
	struct str rest;
	char segment[701];

	memset(segment, 'a', 700);
	segment[300] = '%'; /* three bytes in a name */
	segment[700] = '\0';
	assert_int_equal(naming_encode(str_of(segment), NAMING_WHOLE, &names), 0);
	rest = buf_str(&names);
	while (rest.ptr) {
		CLEANUP(freep) char *name = str_dup(str_split(&rest, '/'));

		assert_true(strlen(name) <= NAMING_MAX);
		n = tree_add(&w->tree, n, name, rest.ptr ? NODE_CONT : NODE_FILE);
	}
	assert_int_equal(n->parent->type, NODE_CONT);
	assert_keys(n, segment, segment);
}

static void a_key_over_the_limit_is_a_name_too_long(void **state)
{
	struct wood *w = *state;
	struct node *dir = w->bucket;
	struct location where;
	char name[101];
	int r;

	memset(name, 'n', 100);
	name[100] = '\0';
	for (int i = 0; i < 10; i++)
		dir = tree_add(&w->tree, dir, name, NODE_DIR); /* 1010 bytes of key */
	r = tree_child_key(dir, "fourteen bytes", false, &where);
	assert_int_equal(r, 0);
	assert_int_equal(strlen(where.key), STORE_KEY_MAX);
	location_release(&where);
	assert_int_equal(tree_child_key(dir, "fourteen bytes", true, &where), -ENAMETOOLONG);
	assert_int_equal(tree_child_key(dir, "fifteen bytes..", false, &where), -ENAMETOOLONG);
	assert_null(where.bucket);
	assert_null(where.key);
	rare_make(dir)->remote_key = strdup("short/"); /* the bytes may lie where there is room */
	assert_int_equal(tree_child_remote_key(dir, name, false, &where), 0);
	location_release(&where);
}

static void paths_begin_at_the_root_of_the_mount(void **state)
{
	struct wood *w = *state;
	struct node *n = grow(w, "a/b", NODE_FILE);
	char *path = tree_path(&w->tree, n);

	assert_string_equal(path, "/s3/bucket/a/b");
	free(path);
	w->tree.mount_root = w->bucket;
	path = tree_path(&w->tree, n);
	assert_string_equal(path, "/a/b");
	free(path);
	path = tree_path(&w->tree, w->bucket);
	assert_string_equal(path, "/");
	free(path);
	assert_ptr_equal(tree_bucket_of(n), w->bucket);
	assert_ptr_equal(tree_bucket_of(w->bucket), w->bucket);
	assert_null(tree_bucket_of(w->store_node));
	assert_true(tree_is_below(n, n->parent));
	assert_true(tree_is_below(n, n));
	assert_false(tree_is_below(n->parent, n));
	tree_detach(&w->tree, n);
	path = tree_path(&w->tree, n);
	assert_string_equal(path, "(deleted)");
	free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* All that the tree has of the system: pieces, tables, and what malloc gave. */
static uint64_t bytes_of(const struct wood *w)
{
	return w->tree.pool.held_bytes + mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* A listed object, as node_fill_locked makes it. */
static uint64_t list_object(struct wood *w, struct node *dir, unsigned i)
{
	char name[64], version[40];
	struct node *n;

	(void)snprintf(name, sizeof(name), "%.*s%07u", (int)(i % 24), "a-longer-or-shorter-name", i);
	(void)snprintf(version, sizeof(version), "%032x", i * 2654435761u);
	n = tree_add(&w->tree, dir, name, NODE_FILE);
	assert_non_null(n);
	n->size = i;
	n->expires_ms = n->listing_mark = 1000 + i;
	n->mode = S_IFREG | 0644;
	n->expect = EXPECT_VERSION;
	n->storage_class = tree_storage_class(&w->tree, i % 3 ? "STANDARD" : "GLACIER_IR");
	node_set_version(n, version);
	node_set_times(n, 1700000000000000000 + i);
	return strlen(name);
}

static void a_million_listed_objects_take_150_bytes_each_beside_their_names(void **state)
{
	struct wood *w = *state;
	uint64_t before = bytes_of(w), names = 0, held;
	struct node *dirs[100], *n;
	char name[32];

	for (unsigned i = 0; i < ARRAY_SIZE(dirs); i++) {
		(void)snprintf(name, sizeof(name), "dir%u", i);
		dirs[i] = grow(w, name, NODE_DIR);
		dirs[i]->is_complete = true;
	}
	for (unsigned i = 0; i < MILLION; i++)
		names += list_object(w, dirs[i % ARRAY_SIZE(dirs)], i);
	held = bytes_of(w) - before;
	print_message("%.1f bytes an inode beside its name\n", (double)(held - names) / MILLION);
	assert_true(held - names <= 150 * (uint64_t)MILLION);
	n = tree_child(&w->tree, dirs[17], "a-longer-or-short0999017");
	assert_non_null(n);
	assert_int_equal(n->size, 999017);
	assert_int_equal(n->mtime_ns, 1700000000000999017);
	assert_int_equal(node_ctime_ns(n), n->mtime_ns);
	assert_null(n->rare);
	for (unsigned i = 0; i < ARRAY_SIZE(dirs); i++) { /* and when they go, so does what they took */
		dirs[i]->is_complete = false;
		tree_pin(dirs[i]);
		while (dir_of(dirs[i])->first_child)
			tree_prune(&w->tree, dir_of(dirs[i])->first_child);
		tree_unpin(&w->tree, dirs[i]);
	}
	assert_int_equal(w->tree.count, 3);
	assert_true(bytes_of(w) - before < 8u << 20); /* the tables stay */
}

static void a_name_that_grows_or_shrinks_is_kept_whole(void **state)
{
	struct wood *w = *state;
	struct node *n = grow(w, "f", NODE_FILE);
	char name[201];

	for (unsigned round = 0; round < 500; round++) {
		size_t len = 1 + round * 7919 % (sizeof(name) - 1);

		memset(name, 'a' + (char)(round % 26), len);
		name[len] = '\0';
		assert_int_equal(tree_move(&w->tree, n, w->bucket, name), 0);
		assert_string_equal(n->name, name);
		assert_ptr_equal(tree_child(&w->tree, w->bucket, name), n);
		assert_int_equal(tree_move(&w->tree, n, w->bucket, n->name), 0); /* from itself */
		assert_string_equal(n->name, name);
	}
	assert_null(tree_add(&w->tree, n, "below a file", NODE_FILE));
	assert_int_equal(tree_move(&w->tree, grow(w, "other", NODE_FILE), n, "x"), -ENOTDIR);
}

static void what_few_nodes_have_goes_when_nothing_is_left_of_it(void **state)
{
	struct wood *w = *state;
	struct node *n = grow(w, "file", NODE_FILE);
	struct location where = { &w->store, (char *)"bucket", (char *)"before" };

	node_set_times(n, 100);
	assert_null(n->rare);
	node_set_ctime(n, 250);
	assert_int_equal(node_ctime_ns(n), 250);
	assert_int_equal(n->mtime_ns, 100);
	node_set_ctime(n, INT64_MIN); /* too far away: shown as one */
	assert_int_equal(node_ctime_ns(n), 100);
	assert_null(n->rare);
	node_set_version(n, "v1");
	n->nlookup = 1;
	node_note_pages(n);
	assert_string_equal(n->rare->opened_version, "v1");
	assert_int_equal(tree_set_remote(n, &where, 7), 0);
	tree_pin(n);
	tree_forget(&w->tree, n, 1); /* the kernel's pages went with it */
	assert_null(n->rare->opened_version);
	tree_clear_remote(n);
	assert_null(n->rare);
	tree_unpin(&w->tree, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_is_found_in_its_own_directory_only),
		TEST(inode_one_is_the_root_of_the_mount),
		TEST(a_path_gets_its_inode_number_again),
		TEST(a_number_in_use_is_stepped_over),
		TEST(a_moved_directory_keeps_its_number_and_what_is_in_it),
		TEST(a_detached_node_can_come_back),
		TEST(siblings_stay_in_order_of_arrival),
		TEST(whatever_holds_a_node_keeps_it_and_its_parents),
		TEST(a_detached_node_lives_until_the_last_holder_goes),
		TEST(a_tombstone_takes_the_place_of_a_name),
		TEST(a_million_listed_objects_take_150_bytes_each_beside_their_names),
		TEST(a_name_that_grows_or_shrinks_is_kept_whole),
		TEST(what_few_nodes_have_goes_when_nothing_is_left_of_it),
		TEST(a_hundred_thousand_nodes_are_all_found_and_all_go),
		TEST(keys_follow_the_path),
		TEST(the_nearest_renamed_node_upwards_says_where_the_bytes_are),
		TEST(a_detached_node_has_no_key),
		TEST(escaped_names_stand_for_their_segments),
		TEST(a_long_segment_is_put_together_from_its_pieces),
		TEST(a_key_over_the_limit_is_a_name_too_long),
		TEST(paths_begin_at_the_root_of_the_mount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
