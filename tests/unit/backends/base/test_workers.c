#include "backends/base/workers.h"
#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include "check.h"
#include <signal.h>
#include <string.h>

/* Where jobs write down that they ran, and where they can be made to wait. */
static struct lock diary_lock;
static struct cond diary_changed;
static char diary[4096]; /* guarded by diary_lock */
static size_t diary_len; /* guarded by diary_lock */
static bool is_gate_open; /* guarded by diary_lock */

static int reset(void **state)
{
	(void)state;
	lock_init(&diary_lock);
	cond_init(&diary_changed);
	memset(diary, 0, sizeof(diary));
	diary_len = 0;
	is_gate_open = false;
	return 0;
}

static int clear(void **state)
{
	(void)state;
	cond_destroy(&diary_changed);
	lock_destroy(&diary_lock);
	return 0;
}

static void write_down(char c)
{
	LOCKED(&diary_lock);
	diary[diary_len++] = c;
	cond_broadcast(&diary_changed);
}

static void wait_for_entries(size_t count)
{
	LOCKED(&diary_lock);
	uint64_t deadline = clock_mono_ms() + 60000;
	while (diary_len < count)
		assert_true(cond_wait_until(&diary_changed, &diary_lock, deadline));
}

static void open_gate(void)
{
	LOCKED(&diary_lock);
	is_gate_open = true;
	cond_broadcast(&diary_changed);
}

struct letter {
	struct job job;
	char c;
};

static void run_letter(struct job *job)
{
	write_down(container_of(job, struct letter, job)->c);
}

static void drop_letter(struct job *job)
{
	write_down((char)(container_of(job, struct letter, job)->c - 'a' + 'A'));
}

static void run_gate(struct job *job)
{
	write_down(container_of(job, struct letter, job)->c);
	LOCKED(&diary_lock);
	while (!is_gate_open)
		cond_wait(&diary_changed, &diary_lock);
}

#define LETTER(letter, prio) { { .run = run_letter, .drop = drop_letter, .priority = (prio) }, letter }
#define GATE { { .run = run_gate }, '|' }

static void jobs_run_by_priority_and_then_in_order_of_arrival(void **state)
{
	(void)state;
	struct workers *w = workers_new("test", 1);
	struct letter gate = GATE;
	struct letter jobs[] = { LETTER('e', 3), LETTER('c', 1), LETTER('a', 0), LETTER('d', 1),
				 LETTER('b', 0), LETTER('f', 99) };
	workers_submit(w, &gate.job);
	wait_for_entries(1);
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		workers_submit(w, &jobs[i].job);
	assert_int_equal(workers_queued(w), 6);
	open_gate();
	wait_for_entries(7);
	workers_free(w);
	assert_string_equal(diary, "|abcdef");
}

static void a_queued_job_can_be_taken_back_and_a_begun_one_cannot(void **state)
{
	(void)state;
	struct workers *w = workers_new("test", 1);
	struct letter gate = GATE;
	struct letter a = LETTER('a', 1), b = LETTER('b', 1), c = LETTER('c', 1), never = LETTER('n', 1);
	workers_submit(w, &gate.job);
	wait_for_entries(1);
	workers_submit(w, &a.job);
	workers_submit(w, &b.job);
	workers_submit(w, &c.job);
	assert_true(workers_cancel(w, &b.job));
	assert_false(workers_cancel(w, &b.job));
	assert_false(workers_cancel(w, &gate.job));
	assert_false(workers_cancel(w, &never.job));
	assert_int_equal(workers_queued(w), 2);
	open_gate();
	wait_for_entries(3);
	assert_false(workers_cancel(w, &a.job));
	workers_submit(w, &b.job); /* taken back, it may come again */
	wait_for_entries(4);
	workers_free(w);
	assert_string_equal(diary, "|acb");
}

static void a_promoted_job_overtakes(void **state)
{
	(void)state;
	struct workers *w = workers_new("test", 1);
	struct letter gate = GATE;
	struct letter a = LETTER('a', 2), b = LETTER('b', 3), c = LETTER('c', 2);
	workers_submit(w, &gate.job);
	wait_for_entries(1);
	workers_submit(w, &a.job);
	workers_submit(w, &b.job);
	workers_submit(w, &c.job);
	workers_promote(w, &b.job, 0);
	workers_promote(w, &a.job, 3); /* never down */
	workers_promote(w, &gate.job, 0); /* begun: nothing happens */
	assert_int_equal(workers_queued(w), 3);
	open_gate();
	wait_for_entries(4);
	workers_free(w);
	assert_string_equal(diary, "|bac");
}

static void *free_pool(void *arg)
{
	workers_free(arg);
	return NULL;
}

static void stopping_drops_what_is_queued_and_waits_for_what_runs(void **state)
{
	(void)state;
	struct workers *w = workers_new("test", 1);
	struct letter gate = GATE;
	struct letter a = LETTER('a', 2), b = LETTER('b', 0), silent = LETTER('s', 1);
	silent.job.drop = NULL;
	workers_submit(w, &gate.job);
	wait_for_entries(1);
	workers_submit(w, &a.job);
	workers_submit(w, &b.job);
	workers_submit(w, &silent.job);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, free_pool, w), 0);
	wait_for_entries(3); /* dropped while the gate still runs */
	open_gate();
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_string_equal(diary, "|BA");
	workers_free(NULL);
}

struct chain {
	struct job job;
	struct workers *w;
	unsigned left;
	unsigned dropped;
};

static void run_chain(struct job *job)
{
	struct chain *chain = container_of(job, struct chain, job);
	if (--chain->left > 0)
		workers_submit(chain->w, job);
	else
		write_down('.');
}

static void drop_chain(struct job *job)
{
	struct chain *chain = container_of(job, struct chain, job);
	chain->dropped++;
	write_down('x');
}

static void a_job_may_submit_itself_again_from_its_own_run(void **state)
{
	(void)state;
	struct workers *w = workers_new("test", 3);
	struct chain chains[5] = {0};
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		chains[i] = (struct chain){ .job = { .run = run_chain, .drop = drop_chain },
					    .w = w,
					    .left = 500 };
		workers_submit(w, &chains[i].job);
	}
	wait_for_entries(5);
	workers_free(w);
	assert_string_equal(diary, ".....");
}

static void a_job_that_submits_itself_for_ever_is_dropped_once_at_the_stop(void **state)
{
	(void)state;
	struct workers *w = workers_new("test", 2);
	struct chain chain = { .job = { .run = run_chain, .drop = drop_chain },
			       .w = w,
			       .left = UINT32_MAX };
	workers_submit(w, &chain.job);
	workers_free(w);
	assert_int_equal(chain.dropped, 1);
	assert_string_equal(diary, "x");
}

static void run_and_free(struct job *job)
{
	struct letter *letter = container_of(job, struct letter, job);
	char c = letter->c;
	free(letter); /* the sanitizers would see the pool touch it again */
	write_down(c);
}

static void the_pool_does_not_touch_a_job_once_it_runs(void **state)
{
	(void)state;
	struct workers *w = workers_new("test", 2);
	for (int i = 0; i < 300; i++) {
		struct letter *letter = calloc(1, sizeof(*letter));
		assert_non_null(letter);
		letter->job.run = run_and_free;
		letter->job.drop = run_and_free;
		letter->job.priority = (unsigned)i % WORKERS_PRIORITIES;
		letter->c = 'f';
		workers_submit(w, &letter->job);
	}
	workers_free(w);
	LOCKED(&diary_lock);
	assert_int_equal(diary_len, 300);
}

static void as_many_threads_run_as_are_needed_and_no_more_than_allowed(void **state)
{
	(void)state;
	struct workers *w = workers_new("a-name-that-is-much-too-long", 3);
	struct letter gates[5] = { GATE, GATE, GATE, GATE, GATE };
	for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
		workers_submit(w, &gates[i].job);
	wait_for_entries(3); /* three at once, though none has ended */
	assert_int_equal(workers_queued(w), 2);
	open_gate();
	wait_for_entries(5);
	workers_free(w);
}

static atomic_int run_count, drop_count;

static void run_counted(struct job *job)
{
	(void)job;
	atomic_fetch_add(&run_count, 1);
}

static void drop_counted(struct job *job)
{
	(void)job;
	atomic_fetch_add(&drop_count, 1);
}

struct crowd {
	struct workers *w;
	struct job jobs[500];
	int taken_back;
};

static void *submit_crowd(void *arg)
{
	struct crowd *crowd = arg;
	for (size_t i = 0; i < ARRAY_SIZE(crowd->jobs); i++) {
		crowd->jobs[i] = (struct job){ .run = run_counted,
					       .drop = drop_counted,
					       .priority = i % WORKERS_PRIORITIES };
		workers_submit(crowd->w, &crowd->jobs[i]);
		if (i % 7 == 0)
			workers_promote(crowd->w, &crowd->jobs[i / 2], 0);
		if (i % 5 == 0 && workers_cancel(crowd->w, &crowd->jobs[i / 2]))
			crowd->taken_back++;
	}
	return NULL;
}

static void every_job_is_run_dropped_or_taken_back_exactly_once(void **state)
{
	(void)state;
	for (int round = 0; round < 5; round++) {
		static struct crowd crowds[3];
		pthread_t threads[3];
		struct workers *w = workers_new("crowd", 4);
		atomic_store(&run_count, 0);
		atomic_store(&drop_count, 0);
		for (int i = 0; i < 3; i++) {
			crowds[i].w = w;
			crowds[i].taken_back = 0;
			assert_int_equal(pthread_create(&threads[i], NULL, submit_crowd, &crowds[i]), 0);
		}
		int sum = 0;
		for (int i = 0; i < 3; i++) {
			assert_int_equal(pthread_join(threads[i], NULL), 0);
			sum += crowds[i].taken_back;
		}
		workers_free(w);
		assert_int_equal(sum + run_count + drop_count, 1500);
	}
}

static void run_mask_check(struct job *job)
{
	(void)job;
	sigset_t mask;
	(void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
	write_down(sigismember(&mask, SIGTERM) == 1 ? 'y' : 'n');
}

static void signals_stay_with_the_main_thread(void **state)
{
	(void)state;
	struct workers *w = workers_new("test", 1);
	struct job job = { .run = run_mask_check };
	workers_submit(w, &job);
	wait_for_entries(1);
	workers_free(w);
	assert_string_equal(diary, "y");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, reset, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(jobs_run_by_priority_and_then_in_order_of_arrival),
		CASE(a_queued_job_can_be_taken_back_and_a_begun_one_cannot),
		CASE(a_promoted_job_overtakes),
		CASE(stopping_drops_what_is_queued_and_waits_for_what_runs),
		CASE(a_job_may_submit_itself_again_from_its_own_run),
		CASE(a_job_that_submits_itself_for_ever_is_dropped_once_at_the_stop),
		CASE(the_pool_does_not_touch_a_job_once_it_runs),
		CASE(as_many_threads_run_as_are_needed_and_no_more_than_allowed),
		CASE(every_job_is_run_dropped_or_taken_back_exactly_once),
		CASE(signals_stay_with_the_main_thread),
	};
	return RUN(tests);
}
