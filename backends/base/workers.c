#include "backends/base/workers.h"
#include "backends/base/lock.h"
#include "backends/base/log.h"
#include <signal.h>
#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_BYTES ((size_t)1 << 20)
#else
#define STACK_BYTES ((size_t)256 << 10)
#endif

struct workers {
	struct lock lock;
	struct cond work_came; /* a job was queued, or is_stopping was set */
	struct {
		struct job *first, *last;
	} queues[WORKERS_PRIORITIES]; /* guarded by lock */
	size_t queued;		      /* guarded by lock; jobs in all queues */
	unsigned idle;		      /* guarded by lock; threads that wait for work_came */
	unsigned started;	      /* guarded by lock; threads[0 .. started-1] run */
	bool is_stopping;	      /* guarded by lock; never cleared */
	unsigned max_threads;	      /* immutable */
	char name[16];		      /* immutable */
	pthread_t threads[];
};

static void enqueue_locked(struct workers *w, struct job *job, unsigned priority)
{
	job->priority = priority < WORKERS_PRIORITIES ? priority : WORKERS_PRIORITIES - 1;
	job->next = NULL;
	job->prev = w->queues[job->priority].last;
	if (job->prev)
		job->prev->next = job;
	else
		w->queues[job->priority].first = job;
	w->queues[job->priority].last = job;
	job->is_queued = true;
	w->queued++;
}

static void dequeue_locked(struct workers *w, struct job *job)
{
	if (job->prev)
		job->prev->next = job->next;
	else
		w->queues[job->priority].first = job->next;
	if (job->next)
		job->next->prev = job->prev;
	else
		w->queues[job->priority].last = job->prev;
	job->next = NULL;
	job->prev = NULL;
	job->is_queued = false;
	w->queued--;
}

/* The next job in order, taken out; NULL when there is none. */
static struct job *take_locked(struct workers *w)
{
	for (unsigned p = 0; p < WORKERS_PRIORITIES; p++) {
		struct job *job = w->queues[p].first;
		if (job) {
			dequeue_locked(w, job);
			return job;
		}
	}
	return NULL;
}

static void *worker_main(void *arg)
{
	struct workers *w = arg;
	lock_take(&w->lock);
	while (!w->is_stopping) {
		struct job *job = take_locked(w);
		if (!job) {
			w->idle++;
			cond_wait(&w->work_came, &w->lock);
			w->idle--;
			continue;
		}
		lock_drop(&w->lock);
		trace_current = job->trace;
		job->run(job); /* from here on job may be freed or queued again */
		lock_take(&w->lock);
	}
	lock_drop(&w->lock);
	return NULL;
}

static int start_thread_locked(struct workers *w)
{
	pthread_attr_t attr;
	sigset_t all;
	(void)sigfillset(&all); /* signals belong to the main thread */
	if (pthread_attr_init(&attr) != 0)
		return -ENOMEM;
	int r = pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (r == 0)
		r = pthread_attr_setsigmask_np(&attr, &all);
	if (r == 0)
		r = pthread_create(&w->threads[w->started], &attr, worker_main, w);
	(void)pthread_attr_destroy(&attr); /* cannot fail on Linux */
	if (r != 0)
		return -r;
	(void)pthread_setname_np(w->threads[w->started], w->name); /* for people only */
	w->started++;
	return 0;
}

struct workers *workers_new(const char *name, unsigned max_threads)
{
	assert(max_threads > 0);
	struct workers *w = calloc(1, sizeof(*w) + max_threads * sizeof(w->threads[0]));
	if (!w)
		return NULL;
	lock_init_ranked(&w->lock, LOCK_WORKERS);
	cond_init(&w->work_came);
	w->max_threads = max_threads;
	(void)snprintf(w->name, sizeof(w->name), "%s", name);
	return w;
}

static void drop(struct job *job)
{
	if (job->drop)
		job->drop(job);
}

/* Queues the job; false when the pool cannot ever run it. */
static bool submit_locked(struct workers *w, struct job *job)
{
	if (w->is_stopping)
		return false;
	assert(!job->is_queued);
	enqueue_locked(w, job, job->priority);
	/* A thread that was signalled but has not woken yet still counts as idle, and its job as queued. */
	if (w->queued > w->idle && w->started < w->max_threads) {
		int r = start_thread_locked(w);
		if (r < 0 && w->started == 0) {
			dequeue_locked(w, job);
			return false;
		}
	}
	cond_signal(&w->work_came);
	return true;
}

void workers_submit(struct workers *w, struct job *job)
{
	lock_take(&w->lock);
	job->trace = trace_current;
	bool is_stopping = w->is_stopping;
	bool is_taken = submit_locked(w, job);
	lock_drop(&w->lock);
	if (is_taken)
		return;
	if (!is_stopping)
		log_error("workers.thread", "pool='%s' cannot start its first thread", w->name);
	drop(job);
}

bool workers_cancel(struct workers *w, struct job *job)
{
	LOCKED(&w->lock);
	if (!job->is_queued)
		return false;
	dequeue_locked(w, job);
	return true;
}

void workers_promote(struct workers *w, struct job *job, unsigned priority)
{
	LOCKED(&w->lock);
	if (!job->is_queued || priority >= job->priority)
		return;
	dequeue_locked(w, job);
	enqueue_locked(w, job, priority);
}

size_t workers_queued(struct workers *w)
{
	LOCKED(&w->lock);
	return w->queued;
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	struct job *dropped = NULL, **end = &dropped;
	lock_take(&w->lock);
	w->is_stopping = true;
	for (struct job *job; (job = take_locked(w));) {
		*end = job;
		end = &job->next;
	}
	cond_broadcast(&w->work_came);
	unsigned started = w->started; /* no more are started once is_stopping is set */
	lock_drop(&w->lock);

	while (dropped) {
		struct job *job = dropped;
		dropped = job->next;
		job->next = NULL;
		drop(job);
	}
	for (unsigned i = 0; i < started; i++) {
		assert(!pthread_equal(w->threads[i], pthread_self()));
		(void)pthread_join(w->threads[i], NULL); /* fails only on a thread that is not ours */
	}
	cond_destroy(&w->work_came);
	lock_destroy(&w->lock);
	free(w);
}
