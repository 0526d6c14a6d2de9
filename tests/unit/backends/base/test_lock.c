#include "backends/base/cancel.h"
#include "backends/base/clock.h"
#include "check.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct lock counter_lock = LOCK_INIT;
static int counter; /* guarded by counter_lock */

static void *count_up(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10000; i++) {
		LOCKED(&counter_lock);
		lock_assert_held(&counter_lock);
		counter++;
	}
	return NULL;
}

static void a_lock_keeps_threads_apart(void **state)
{
	(void)state;
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	LOCKED(&counter_lock);
	assert_int_equal(counter, 40000);
}

static void a_lock_is_dropped_where_its_scope_ends(void **state)
{
	(void)state;
	struct lock l;
	lock_init(&l);
	{
		LOCKED(&l);
		assert_true(atomic_load(&l.owner) != 0);
	}
	assert_true(atomic_load(&l.owner) == 0);
	lock_take(&l); /* would hang or assert, were it still held */
	lock_drop(&l);
	lock_destroy(&l);
}

struct meeting {
	struct lock lock;
	struct cond cond;
	int turn; /* guarded by lock */
};

static void *play_odd(void *arg)
{
	struct meeting *m = arg;
	LOCKED(&m->lock);
	for (int i = 1; i < 200; i += 2) {
		while (m->turn != i)
			cond_wait(&m->cond, &m->lock);
		m->turn++;
		cond_broadcast(&m->cond);
	}
	return NULL;
}

static void two_threads_take_turns_by_a_condition(void **state)
{
	(void)state;
	struct meeting m = {0};
	pthread_t thread;
	lock_init(&m.lock);
	cond_init(&m.cond);
	assert_int_equal(pthread_create(&thread, NULL, play_odd, &m), 0);
	lock_take(&m.lock);
	for (int i = 0; i < 200; i += 2) {
		while (m.turn != i)
			assert_true(cond_wait_until(&m.cond, &m.lock, clock_mono_ms() + 60000));
		m.turn++;
		cond_signal(&m.cond);
	}
	while (m.turn != 200)
		cond_wait(&m.cond, &m.lock);
	lock_drop(&m.lock);
	assert_int_equal(pthread_join(thread, NULL), 0);
	cond_destroy(&m.cond);
	lock_destroy(&m.lock);
}

static void a_deadline_in_the_past_ends_a_wait_at_once(void **state)
{
	(void)state;
	struct lock l;
	struct cond c;
	lock_init(&l);
	cond_init(&c);
	lock_take(&l);
	assert_false(cond_wait_until(&c, &l, 1));
	lock_assert_held(&l);
	lock_drop(&l);
	cond_destroy(&c);
	lock_destroy(&l);
}

struct counting_hook {
	struct cancel_hook hook;
	atomic_int fired;
};

static void count_fire(struct cancel_hook *hook)
{
	atomic_fetch_add(&container_of(hook, struct counting_hook, hook)->fired, 1);
}

static void a_token_fires_each_hook_once(void **state)
{
	(void)state;
	struct cancel c;
	struct counting_hook a = { .hook = { .fire = count_fire } }, b = a, gone = a, late = a;
	cancel_init(&c);
	cancel_hook(&c, &a.hook);
	cancel_hook(&c, &gone.hook);
	cancel_hook(&c, &b.hook);
	cancel_unhook(&c, &gone.hook);
	assert_false(cancel_is_fired(&c));
	cancel_fire(&c);
	cancel_fire(&c);
	assert_true(cancel_is_fired(&c));
	assert_int_equal(a.fired, 1);
	assert_int_equal(b.fired, 1);
	assert_int_equal(gone.fired, 0);
	cancel_hook(&c, &late.hook);
	assert_int_equal(late.fired, 1);
	cancel_unhook(&c, &late.hook);
	cancel_unhook(&c, &a.hook);
	cancel_unhook(&c, &b.hook);
	cancel_unhook(&c, &b.hook); /* twice does no harm */
	cancel_destroy(&c);
}

static void no_token_never_fires(void **state)
{
	(void)state;
	struct counting_hook a = { .hook = { .fire = count_fire } };
	assert_false(cancel_is_fired(NULL));
	cancel_hook(NULL, &a.hook);
	cancel_unhook(NULL, &a.hook);
	assert_int_equal(a.fired, 0);
}

static void *fire_it(void *arg)
{
	cancel_fire(arg);
	return NULL;
}

static void after_unhooking_a_hook_runs_no_more_even_when_fired_elsewhere(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		struct cancel c;
		pthread_t thread;
		cancel_init(&c);
		struct counting_hook *a = calloc(1, sizeof(*a));
		assert_non_null(a);
		a->hook.fire = count_fire;
		cancel_hook(&c, &a->hook);
		assert_int_equal(pthread_create(&thread, NULL, fire_it, &c), 0);
		cancel_unhook(&c, &a->hook);
		free(a); /* the sanitizers would see a late call */
		assert_int_equal(pthread_join(thread, NULL), 0);
		cancel_destroy(&c);
	}
}

#ifndef NDEBUG
static void take_downwards(void)
{
	struct lock low, high;

	lock_init_ranked(&low, LOCK_FS);
	lock_init_ranked(&high, LOCK_WORKERS);
	lock_take(&high);
	lock_take(&low);
}

static void take_two_of_a_rank(void)
{
	struct lock a, b;

	lock_init_ranked(&a, LOCK_STORE);
	lock_init_ranked(&b, LOCK_STORE);
	lock_take(&a);
	lock_take(&b);
}

static void wait_with_another_held(void)
{
	struct lock outer, inner;
	struct cond c;

	lock_init_ranked(&outer, LOCK_FS);
	lock_init_ranked(&inner, LOCK_WORKERS);
	cond_init(&c);
	lock_take(&outer);
	lock_take(&inner);
	(void)cond_wait_until(&c, &inner, clock_mono_ms());
}

static void ask_with_one_held(void)
{
	struct lock l;

	lock_init_ranked(&l, LOCK_FS);
	lock_take(&l);
	lock_assert_none_held();
}

/* How a process ends that does it: the signal, or 0. */
static int ending(void (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = { 0, 0 };

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)signal(SIGABRT, SIG_DFL); /* not the test's */
		(void)close(STDERR_FILENO);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void locks_out_of_order_end_the_process(void **state)
{
	(void)state;
	assert_int_equal(ending(take_downwards), SIGABRT);
	assert_int_equal(ending(take_two_of_a_rank), SIGABRT);
	assert_int_equal(ending(wait_with_another_held), SIGABRT);
	assert_int_equal(ending(ask_with_one_held), SIGABRT);
}
#endif

static void locks_in_order_may_be_dropped_in_any(void **state)
{
	struct lock low, middle, high;

	(void)state;
	lock_init_ranked(&low, LOCK_CONTROL);
	lock_init_ranked(&middle, LOCK_FS);
	lock_init_ranked(&high, LOCK_LEAF);
	for (int i = 0; i < 3; i++) {
		lock_take(&low);
		lock_take(&middle);
		lock_take(&high);
		lock_drop(&middle);
		lock_drop(i ? &low : &high);
		lock_drop(i ? &high : &low);
	}
	lock_assert_none_held();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locks_in_order_may_be_dropped_in_any),
#ifndef NDEBUG
		cmocka_unit_test(locks_out_of_order_end_the_process),
#endif
		cmocka_unit_test(a_lock_keeps_threads_apart),
		cmocka_unit_test(a_lock_is_dropped_where_its_scope_ends),
		cmocka_unit_test(two_threads_take_turns_by_a_condition),
		cmocka_unit_test(a_deadline_in_the_past_ends_a_wait_at_once),
		cmocka_unit_test(a_token_fires_each_hook_once),
		cmocka_unit_test(no_token_never_fires),
		cmocka_unit_test(after_unhooking_a_hook_runs_no_more_even_when_fired_elsewhere),
	};
	return RUN(tests);
}
