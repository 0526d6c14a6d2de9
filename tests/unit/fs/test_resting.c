/* Cache files that nobody has open are closed, whenever an upload or a read-ahead comes to its end: nobody may count on a descriptor
 * over a moment in which the lock is free. */
#include "backends/base/clock.h"
#include "fs/file.h"
#include "tests/unit/fs/bench_use.h"
#include "tests/unit/fs/fake_kernel.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CUTS 3000

struct closer {
	struct bench *b;
	pthread_t thread;
	atomic_bool is_over;
	unsigned closed;
};

/* What ends all the time, as far as a file sees it. */
static void *close_on(void *arg)
{
	struct closer *c = arg;

	while (!atomic_load(&c->is_over)) {
		LOCKED(&c->b->fs->lock);
		struct node *n = bench_node(c->b, "f");

		if (!n || !n->file || n->file->fd < 0)
			continue;
		file_rest_locked(n->file);
		c->closed += n->file->fd < 0;
	}
	return NULL;
}

static void a_file_that_is_cut_is_open_until_that_is_done(void **state)
{
	struct closer c = { .b = *state };
	struct fs *fs = c.b->fs;
	struct kernel_handle h;
	int failed = 0;

	kernel_connect(fs);
	assert_int_equal(kernel_create(fs, c.b->bucket->ino, "f", &h), 0);
	kernel_release(fs, &h);
	assert_int_equal(pthread_create(&c.thread, NULL, close_on, &c), 0);
	for (uint64_t i = 0; i < CUTS && !failed; i++)
		failed = kernel_truncate(fs, h.ino, i % 3 * 1000);
	atomic_store(&c.is_over, true);
	assert_int_equal(pthread_join(c.thread, NULL), 0);
	assert_int_equal(failed, 0);
	assert_true(c.closed > 0);
}

static void a_read_opens_what_was_closed_since_somebody_saw_to_it(void **state)
{
	struct bench *b = *state;
	struct job *jobs = NULL;
	struct error err = ERROR_INIT;
	struct kernel_handle h;
	struct node *n;

	cloud_put(b->cloud, "f", 1000);
	kernel_connect(b->fs);
	h.ino = (uint64_t)kernel_lookup(b->fs, b->bucket->ino, "f");
	assert_int_equal(kernel_open(b->fs, h.ino, 0, &h), 0);
	kernel_release(b->fs, &h);
	{
		LOCKED(&b->fs->lock);
		n = bench_node(b, "f");
		assert_non_null(n->file);
		file_rest_locked(n->file);
		assert_int_equal(n->file->fd, -1);
		assert_int_equal(fetch_plan_locked(n->file, 0, 1000, false, &jobs, &err), 0);
		assert_true(n->file->fd >= 0);
	}
	fetch_submit(b->fs, jobs);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(a_file_that_is_cut_is_open_until_that_is_done),
		BENCH_TEST(a_read_opens_what_was_closed_since_somebody_saw_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
