/* The order of what the cloud has not seen yet: who waits for whom, what is hidden meanwhile, and that it all arrives. */
#include "backends/base/clock.h"
#include "backends/base/random.h"
#include "fs/change.h"
#include "fs/pending.h"
#include "fs/pending_heap.h"
#include "fs/pending_keys.h"
#include "fs/pending_view.h"
#include "tests/unit/fs/bench_use.h"
#include "tests/unit/fs/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static struct location at(struct bench *b, const char *key)
{
	return (struct location){ b->stores[0], (char *)CLOUD_BUCKET, (char *)key };
}

/* Queues an operation; the lock must be held. */
static struct pending *queue(struct bench *b, enum pending_kind kind, const char *key,
			     const char *from_key)
{
	struct location where = at(b, key), from = at(b, from_key);
	uint64_t ticket;

	assert_int_equal(pending_op_locked(b->fs, kind, &where, from_key ? &from : NULL, NULL, NULL,
					   0, &ticket, NULL),
			 0);
	assert_true(ticket > 0);
	return b->fs->queue.last;
}

/* As if a worker had carried it out. */
static void carry_out(struct bench *b, struct pending *op)
{
	pending_heap_remove(&b->fs->queue, op);
	op->state = PENDING_RUNNING;
	b->fs->queue.running++;
	pending_done_locked(op);
}

/* Of a directory that the view shows where the cloud has it. */
static bool hides(struct bench *b, const char *key, uint64_t began)
{
	struct listed_key listed = { CLOUD_BUCKET, key, strlen(key), CLOUD_BUCKET, key, began };

	return pending_hides_locked(b->fs, b->stores[0], &listed);
}

/* Of a directory that the cloud has at `prefix` and the view at `path`. */
static bool hides_moved(struct bench *b, const char *key, const char *prefix, const char *path)
{
	struct listed_key listed = { CLOUD_BUCKET, key,	 strlen(prefix),
				     CLOUD_BUCKET, path, b->fs->tree.changes };

	return pending_hides_locked(b->fs, b->stores[0], &listed);
}

static bool stirs(struct bench *b, const char *prefix)
{
	struct listed_key listed = { CLOUD_BUCKET, prefix, strlen(prefix), NULL, NULL, b->fs->tree.changes };

	return pending_stirs_locked(b->fs, b->stores[0], &listed);
}

static bool hides_now(struct bench *b, const char *key)
{
	return hides(b, key, b->fs->tree.changes);
}

static bool touches(struct bench *b, const char *key)
{
	struct location where = at(b, key);

	return pending_touches_locked(b->fs, &where);
}

static void operations_of_different_keys_do_not_wait(void **state)
{
	struct bench *b = *state;

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	assert_null(pending_keys_blocker(queue(b, PENDING_DELETE, "a", NULL)));
	assert_null(pending_keys_blocker(queue(b, PENDING_DELETE, "b", NULL)));
	assert_null(pending_keys_blocker(queue(b, PENDING_COPY, "c", "d")));
	assert_null(pending_keys_blocker(queue(b, PENDING_RENAME, "ab", "ba")));
	assert_null(pending_keys_blocker(queue(b, PENDING_DELETE, "a/x", NULL)));
	assert_int_equal(b->fs->queue.count, 5);
}

static void of_one_key_the_later_waits_for_the_earlier(void **state)
{
	struct bench *b = *state;
	struct pending *put, *rename, *delete, *copy;

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	put = queue(b, PENDING_COPY, "a", "x");
	rename = queue(b, PENDING_RENAME, "b", "a");
	delete = queue(b, PENDING_DELETE, "b", NULL);
	copy = queue(b, PENDING_COPY, "c", "y");
	assert_null(pending_keys_blocker(put));
	assert_ptr_equal(pending_keys_blocker(rename), put);
	assert_ptr_equal(pending_keys_blocker(delete), rename);
	assert_null(pending_keys_blocker(copy));
	carry_out(b, put);
	assert_null(pending_keys_blocker(rename));
	carry_out(b, rename);
	assert_null(pending_keys_blocker(delete));
	copy = queue(b, PENDING_COPY, "d", "b"); /* what is read counts too */
	assert_ptr_equal(pending_keys_blocker(copy), delete);
}

static void another_bucket_or_store_is_another_key(void **state)
{
	struct bench *b = *state;
	struct store other = *b->stores[0];
	struct location elsewhere[] = { { b->stores[0], (char *)"other", (char *)"d/a" },
					{ &other, (char *)CLOUD_BUCKET, (char *)"d/a" } };
	uint64_t ticket;

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	(void)queue(b, PENDING_DELETE, "d/a", NULL);
	(void)queue(b, PENDING_RENAME_TREE, "e/", "d/");
	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++) {
		struct listed_key listed = { elsewhere[i].bucket, "d/a", 3, elsewhere[i].bucket,
						     "d/a", UINT64_MAX };

		assert_false(pending_hides_locked(b->fs, elsewhere[i].store, &listed));
		assert_int_equal(pending_op_locked(b->fs, PENDING_DELETE, &elsewhere[i], NULL, NULL,
						   NULL, 0, &ticket, NULL),
				 0);
		assert_null(pending_keys_blocker(b->fs->queue.last));
	}
}

static void a_renamed_directory_holds_back_all_below_both_names(void **state)
{
	struct bench *b = *state;
	struct pending *tree;

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	tree = queue(b, PENDING_RENAME_TREE, "to/", "from/");
	assert_ptr_equal(pending_keys_blocker(queue(b, PENDING_DELETE, "from/x", NULL)), tree);
	assert_ptr_equal(pending_keys_blocker(queue(b, PENDING_DELETE, "to/a/b", NULL)), tree);
	assert_ptr_equal(pending_keys_blocker(queue(b, PENDING_COPY, "z", "to/y")), tree);
	assert_ptr_equal(pending_keys_blocker(queue(b, PENDING_MARKER, "to/", NULL)), tree);
	assert_null(pending_keys_blocker(queue(b, PENDING_DELETE, "from", NULL)));
	assert_null(pending_keys_blocker(queue(b, PENDING_DELETE, "fromage/x", NULL)));
	assert_null(pending_keys_blocker(queue(b, PENDING_DELETE, "other/to/x", NULL)));
}

static void a_renamed_directory_waits_for_what_was_below_it(void **state)
{
	static const char *const below[] = { "from/x", "from/a/b", "to/x", "from/" };
	struct bench *b = *state;

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
		struct pending *op = queue(b, PENDING_DELETE, below[i], NULL);
		struct pending *tree = queue(b, PENDING_RENAME_TREE, "to/", "from/");

		assert_ptr_equal(pending_keys_blocker(tree), op);
		carry_out(b, op);
		assert_null(pending_keys_blocker(tree));
		carry_out(b, tree);
	}
}

static void a_directorys_own_object_goes_after_what_is_below_it(void **state)
{
	struct bench *b = *state;
	struct pending *first, *second, *dir;

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	first = queue(b, PENDING_DELETE, "d/a", NULL);
	second = queue(b, PENDING_COPY, "x", "d/sub/b");
	dir = queue(b, PENDING_DELETE, "d/", NULL);
	(void)queue(b, PENDING_DELETE, "d/later", NULL);
	assert_ptr_equal(pending_keys_blocker(dir), first);
	carry_out(b, first);
	assert_ptr_equal(pending_keys_blocker(dir), second);
	carry_out(b, second);
	assert_null(pending_keys_blocker(dir)); /* waiting goes one way only */
}

static void a_name_changes_from_file_to_directory_in_order(void **state)
{
	struct bench *b = *state;
	struct pending *file, *dir;

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	file = queue(b, PENDING_DELETE, "n", NULL);
	assert_ptr_equal(pending_keys_blocker(queue(b, PENDING_MARKER, "n/", NULL)), file);
	assert_ptr_equal(pending_keys_blocker(queue(b, PENDING_COPY, "n/a/b", "x")), file);
	assert_null(pending_keys_blocker(queue(b, PENDING_COPY, "nn/a", "y")));
	dir = queue(b, PENDING_DELETE, "m/", NULL);
	assert_ptr_equal(pending_keys_blocker(queue(b, PENDING_COPY, "m", "z")), dir);
	assert_null(pending_keys_blocker(queue(b, PENDING_COPY, "mm", "z2")));
}

static void the_longest_key_has_no_directory_of_its_name(void **state)
{
	struct bench *b = *state;
	char key[STORE_KEY_MAX + 1];

	memset(key, 'k', STORE_KEY_MAX);
	key[STORE_KEY_MAX] = '\0';
	bench_freeze(b);
	LOCKED(&b->fs->lock);
	assert_null(pending_keys_blocker(queue(b, PENDING_COPY, key, "x")));
	key[STORE_KEY_MAX / 2] = '/';
	assert_null(pending_keys_blocker(queue(b, PENDING_COPY, key, "y")));
	memset(key, '/', STORE_KEY_MAX);
	assert_null(pending_keys_blocker(queue(b, PENDING_COPY, key, "z")));
}

static void what_waits_to_go_is_hidden(void **state)
{
	struct bench *b = *state;

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	(void)queue(b, PENDING_DELETE, "deleted", NULL);
	(void)queue(b, PENDING_RENAME, "new", "old");
	(void)queue(b, PENDING_COPY, "copy", "original");
	(void)queue(b, PENDING_RENAME_TREE, "to/", "from/");
	assert_true(hides_now(b, "deleted"));
	assert_true(hides_now(b, "old"));
	assert_true(hides_now(b, "from/"));
	assert_true(hides_now(b, "from/any/thing"));
	assert_false(hides_now(b, "new"));
	assert_false(hides_now(b, "copy"));
	assert_false(hides_now(b, "original"));
	assert_false(hides_now(b, "to/x"));
	assert_false(hides_now(b, "from"));
	assert_false(hides_now(b, "deleted/x"));
}

static void what_went_is_hidden_from_older_answers_only(void **state)
{
	struct bench *b = *state;
	struct question older, newer;

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	question_ask_locked(b->fs, &older);
	carry_out(b, queue(b, PENDING_DELETE, "deleted", NULL));
	carry_out(b, queue(b, PENDING_RENAME, "new", "old"));
	carry_out(b, queue(b, PENDING_RENAME_TREE, "to/", "from/"));
	question_ask_locked(b->fs, &newer);
	assert_true(hides(b, "deleted", older.began));
	assert_true(hides(b, "old", older.began));
	assert_true(hides(b, "from/x", older.began));
	assert_false(hides(b, "new", older.began));
	assert_false(hides(b, "to/x", older.began));
	assert_false(hides(b, "deleted", newer.began));
	assert_false(hides(b, "old", newer.began));
	assert_false(hides(b, "from/x", newer.began));
	carry_out(b, queue(b, PENDING_DELETE, "d/e/later", NULL));
	question_end_locked(b->fs, &older); /* forgets what nobody asks about any more */
	assert_false(hides(b, "deleted", 0));
	assert_false(hides(b, "from/x", 0));
	assert_true(hides(b, "d/e/later", newer.began));
	question_end_locked(b->fs, &newer);
	assert_false(hides(b, "d/e/later", 0));
}

static void of_many_things_that_went_none_is_forgotten(void **state)
{
	struct bench *b = *state;
	struct question question;
	char key[40];

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	question_ask_locked(b->fs, &question);
	for (int i = 0; i < 3000; i++) {
		(void)snprintf(key, sizeof(key), "d%d/", i);
		carry_out(b, queue(b, i % 50 ? PENDING_DELETE : PENDING_RENAME_TREE, i % 50 ? key : "to/",
				   i % 50 ? NULL : key));
	}
	for (int i = 0; i < 3000; i++) {
		(void)snprintf(key, sizeof(key), i % 50 ? "d%d/" : "d%d/x", i);
		assert_true(hides(b, key, question.began));
	}
	question_end_locked(b->fs, &question);
}

static void in_a_moved_directory_each_name_counts_for_its_time(void **state)
{
	struct bench *b = *state;

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	(void)queue(b, PENDING_DELETE, "a/early", NULL);
	(void)queue(b, PENDING_RENAME_TREE, "b/", "a/");
	(void)queue(b, PENDING_DELETE, "b/later", NULL);
	(void)queue(b, PENDING_RENAME_TREE, "c/", "b/");
	(void)queue(b, PENDING_DELETE, "c/last", NULL);
	(void)queue(b, PENDING_DELETE, "a/new directory's", NULL);
	assert_true(hides_moved(b, "a/early", "a/", "c/"));
	assert_true(hides_moved(b, "a/later", "a/", "c/"));
	assert_true(hides_moved(b, "a/last", "a/", "c/"));
	assert_false(hides_moved(b, "a/stays", "a/", "c/"));
	assert_false(hides_moved(b, "a/new directory's", "a/", "c/")); /* of what was made at a/ afterwards */
	assert_true(stirs(b, "a/last"));
	assert_false(stirs(b, "a/stays"));
}

static void a_key_shows_only_where_it_will_be_in_the_end(void **state)
{
	struct bench *b = *state;

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	(void)queue(b, PENDING_RENAME_TREE, "b/", "a/");
	(void)queue(b, PENDING_RENAME_TREE, "c/", "a/"); /* another directory, made at a/ meanwhile */
	assert_false(hides_moved(b, "a/x", "a/", "b/"));
	assert_true(hides_moved(b, "a/x", "a/", "c/"));
	(void)queue(b, PENDING_RENAME_TREE, "a/", "b/"); /* the first one goes back */
	assert_false(hides_moved(b, "a/x", "a/", "a/"));
	assert_true(hides_moved(b, "a/x", "a/", "c/"));
	b->fs->queue.first->flags |= PENDING_FLAG_DELETING; /* it is copied: what is left at a/ is nobody's */
	assert_true(hides_moved(b, "a/x", "a/", "a/"));
	assert_false(hides_moved(b, "b/x", "b/", "a/"));
}

static void touched_is_whatever_may_still_change(void **state)
{
	struct bench *b = *state;
	struct pending *op;

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	assert_false(touches(b, "a"));
	op = queue(b, PENDING_COPY, "a", "b");
	(void)queue(b, PENDING_RENAME_TREE, "to/", "from/");
	assert_true(touches(b, "a"));
	assert_true(touches(b, "b"));
	assert_true(touches(b, "from/x"));
	assert_true(touches(b, "to/x/y"));
	assert_false(touches(b, "to"));
	assert_false(touches(b, "c"));
	carry_out(b, op);
	assert_false(touches(b, "a"));
	assert_false(touches(b, "b"));
}

static bool retract(struct bench *b, enum pending_kind kind, const char *key)
{
	struct location where = at(b, key);
	uint64_t ticket = 0;
	bool is_done = pending_retract_locked(b->fs, kind, &where, &ticket);

	assert_int_equal(is_done, ticket > 0);
	return is_done;
}

static void a_waiting_operation_is_taken_back_at_exactly_its_key(void **state)
{
	struct bench *b = *state;
	struct pending *op;

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	(void)queue(b, PENDING_DELETE, "a", NULL);
	(void)queue(b, PENDING_RENAME, "x", "y");
	assert_false(retract(b, PENDING_COPY, "a"));
	assert_false(retract(b, PENDING_DELETE, "aa"));
	assert_false(retract(b, PENDING_RENAME, "y")); /* that is where it comes from */
	assert_true(retract(b, PENDING_DELETE, "a"));
	assert_false(retract(b, PENDING_DELETE, "a"));
	assert_false(hides(b, "a", 0)); /* it never went */
	assert_int_equal(b->fs->queue.count, 1);
	op = queue(b, PENDING_DELETE, "runs", NULL);
	pending_heap_remove(&b->fs->queue, op);
	op->state = PENDING_RUNNING;
	b->fs->queue.running++;
	assert_false(retract(b, PENDING_DELETE, "runs"));
	pending_done_locked(op);
}

static void hurrying_counts_what_is_below_and_old_enough(void **state)
{
	struct bench *b = *state;
	struct location where = at(b, "d/x");
	struct pending *op;
	struct node *n;
	uint64_t ticket;

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	n = bench_grow(b, "d/x", NODE_FILE);
	(void)queue(b, PENDING_DELETE, "a", NULL);
	assert_int_equal(pending_op_locked(b->fs, PENDING_META, &where, NULL, n, NULL, 1000000,
					   &ticket, NULL),
			 0);
	op = b->fs->queue.last;
	assert_int_equal(rare_of(n)->pending_count, 1);
	assert_true(n->pins > 0);
	assert_int_equal(pending_hurry_locked(b->fs, NULL, op->seq - 1), 1);
	assert_true(op->due_ms > 0);
	assert_int_equal(pending_hurry_locked(b->fs, bench_node(b, "d"), UINT64_MAX), 1);
	assert_int_equal(op->due_ms, 0);
	assert_int_equal(pending_hurry_locked(b->fs, NULL, UINT64_MAX), 2);
	carry_out(b, op);
	assert_int_equal(rare_of(n)->pending_count, 0);
}

static void the_heap_gives_the_earliest_first(void **state)
{
	struct pending_queue q = { 0 };
	struct pending *ops = calloc(2000, sizeof(*ops));
	uint64_t last = 0;
	size_t left = 0;

	(void)state;
	support_seed();
	assert_non_null(ops);
	for (size_t i = 0; i < 2000; i++) {
		ops[i].due_ms = random_below(500); /* many at the same time */
		ops[i].heap_index = SIZE_MAX;
		pending_heap_remove(&q, &ops[i]); /* not in it: nothing */
		assert_int_equal(pending_heap_add(&q, &ops[i]), 0);
	}
	for (size_t i = 0; i < 2000; i++) {
		if (random_below(3) == 0)
			pending_heap_remove(&q, &ops[i]); /* from the middle */
		left += ops[i].heap_index != SIZE_MAX;
	}
	assert_int_equal(q.due_count, left);
	for (size_t i = 0; i < q.due_count; i++)
		assert_int_equal(q.due[i]->heap_index, i);
	while (q.due_count) {
		struct pending *first = q.due[0];

		assert_true(first->due_ms >= last);
		last = first->due_ms;
		pending_heap_remove(&q, first);
		assert_int_equal(first->heap_index, SIZE_MAX);
	}
	free(q.due);
	free(ops);
}

static void operations_of_one_key_reach_the_cloud_in_order(void **state)
{
	struct bench *b = *state;

	cloud_put(b->cloud, "a", 1);
	cloud_put(b->cloud, "d/x", 2);
	cloud_hold(b->cloud, true);
	lock_take(&b->fs->lock);
	(void)queue(b, PENDING_RENAME, "b", "a");
	(void)queue(b, PENDING_COPY, "c", "b");
	(void)queue(b, PENDING_RENAME, "d/y", "c");
	(void)queue(b, PENDING_RENAME_TREE, "e/", "d/");
	(void)queue(b, PENDING_DELETE, "e/x", NULL);
	lock_drop(&b->fs->lock);
	cloud_hold(b->cloud, false);
	bench_wait_idle(b);
	assert_int_equal(b->cloud->count, 2);
	assert_non_null(cloud_find(b->cloud, "b"));
	assert_int_equal(cloud_find(b->cloud, "e/y")->size, 1);
	assert_memory_equal(b->cloud->log.data,
			    "copy a>b, delete a, copy b>c, copy c>d/y, delete c, ", 52);
}

/* What the cloud should hold in the end: contents by key, changed one operation after the other. */
#define MODEL_KEYS 12
static const char *const model_keys[MODEL_KEYS] = { "a",   "b",	  "c",	 "d/x", "d/y", "d/z",
						    "e/x", "e/y", "e/z", "f/x", "f/y", "f/z" };
static const char *const model_dirs[] = { "d/", "e/", "f/" };

static bool model_step(struct bench *b, uint64_t *model)
{
	size_t from = random_below(MODEL_KEYS), to = random_below(MODEL_KEYS);
	size_t dir = random_below(3), dir_to = random_below(3);

	switch (random_below(4)) {
	case 0:
		(void)queue(b, PENDING_DELETE, model_keys[to], NULL);
		model[to] = 0;
		return true;
	case 1:
	case 2:
		if (from == to || !model[from])
			return false;
		model[to] = model[from];
		if (random_below(2)) {
			(void)queue(b, PENDING_COPY, model_keys[to], model_keys[from]);
			return true;
		}
		(void)queue(b, PENDING_RENAME, model_keys[to], model_keys[from]);
		model[from] = 0;
		return true;
	default:
		if (dir == dir_to)
			return false;
		(void)queue(b, PENDING_RENAME_TREE, model_dirs[dir_to], model_dirs[dir]);
		for (size_t i = 0; i < 3; i++) {
			uint64_t *moved = &model[3 + 3 * dir + i];

			if (*moved)
				model[3 + 3 * dir_to + i] = *moved;
			*moved = 0;
		}
		return true;
	}
}

static void side_by_side_ends_as_one_after_the_other(void **state)
{
	struct bench *b = *state;
	uint64_t model[MODEL_KEYS];

	support_seed();
	b->cloud->has_jitter = true;
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < MODEL_KEYS; i++) {
			cloud_put(b->cloud, model_keys[i], i);
			model[i] = cloud_find(b->cloud, model_keys[i])->content;
		}
		for (int step = 0; step < 30;) {
			LOCKED(&b->fs->lock);
			step += model_step(b, model) || random_below(4) == 0;
		}
		bench_wait_idle(b);
		for (size_t i = 0; i < MODEL_KEYS; i++) {
			const struct cloud_object *o = cloud_find(b->cloud, model_keys[i]);

			assert_int_equal(o ? o->content : 0, model[i]);
		}
	}
	assert_int_equal(b->fs->queue.running, 0);
	assert_int_equal(b->fs->error_count, 0);
}

/* Until the operation of that node, which the cloud carried out, counts as failed; then the lock is held, and it waits. */
static struct node *wait_for_lost_answer(struct bench *b, const char *path)
{
	for (;;) {
		struct node *n;
		const struct pending *op;

		lock_take(&b->fs->lock);
		n = bench_node(b, path);
		op = n->put ? n->put : rare_of(n)->meta;
		assert_non_null(op);
		if (op->attempts && op->state == PENDING_WAITING)
			return n;
		lock_drop(&b->fs->lock);
		(void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

static void what_arrived_unheard_goes_when_it_is_removed(void **state)
{
	struct bench *b = *state;
	struct node *n;
	uint64_t ticket;

	b->cloud->lost_key = "d/";
	bench_mkdir(b, "", "d");
	n = wait_for_lost_answer(b, "d");
	assert_int_equal(change_rmdir_locked(b->fs, n, &ticket, NULL), 0);
	lock_drop(&b->fs->lock);
	bench_wait_idle(b);
	assert_null(cloud_find(b->cloud, "d/"));

	b->cloud->lost_key = "f";
	n = bench_make_file(b, b->bucket, "f");
	lock_take(&b->fs->lock);
	pending_put_due_locked(b->fs, n, 0);
	lock_drop(&b->fs->lock);
	n = wait_for_lost_answer(b, "f");
	assert_int_equal(change_unlink_locked(b->fs, n, &ticket, NULL), 0);
	lock_drop(&b->fs->lock);
	bench_wait_idle(b);
	assert_null(cloud_find(b->cloud, "f"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

static void a_file_closed_while_writers_wait_for_room_goes_up_at_once(void **state)
{
	struct bench *b = *state;
	struct node *n = bench_make_file(b, b->bucket, "f");
	struct parked waiting = { 0 };

	bench_freeze(b);
	LOCKED(&b->fs->lock);
	pending_put_due_locked(b->fs, n, 3600000);
	assert_true(n->put->due_ms > clock_mono_ms() + 1800000);
	b->fs->space_waiters = &waiting;
	pending_put_due_locked(b->fs, n, 3600000);
	b->fs->space_waiters = NULL;
	assert_true(n->put->due_ms <= clock_mono_ms());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(operations_of_different_keys_do_not_wait),
		TEST(of_one_key_the_later_waits_for_the_earlier),
		TEST(another_bucket_or_store_is_another_key),
		TEST(a_renamed_directory_holds_back_all_below_both_names),
		TEST(a_renamed_directory_waits_for_what_was_below_it),
		TEST(a_directorys_own_object_goes_after_what_is_below_it),
		TEST(a_name_changes_from_file_to_directory_in_order),
		TEST(the_longest_key_has_no_directory_of_its_name),
		TEST(a_file_closed_while_writers_wait_for_room_goes_up_at_once),
		TEST(what_waits_to_go_is_hidden),
		TEST(what_went_is_hidden_from_older_answers_only),
		TEST(of_many_things_that_went_none_is_forgotten),
		TEST(in_a_moved_directory_each_name_counts_for_its_time),
		TEST(a_key_shows_only_where_it_will_be_in_the_end),
		TEST(touched_is_whatever_may_still_change),
		TEST(a_waiting_operation_is_taken_back_at_exactly_its_key),
		TEST(hurrying_counts_what_is_below_and_old_enough),
		cmocka_unit_test(the_heap_gives_the_earliest_first),
		TEST(operations_of_one_key_reach_the_cloud_in_order),
		TEST(side_by_side_ends_as_one_after_the_other),
		TEST(what_arrived_unheard_goes_when_it_is_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
