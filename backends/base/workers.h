#pragma once
/*
 * Purpose: a pool of threads fed by a bounded, prioritised queue of jobs.
 *
 * Invariants: jobs of a smaller priority number run first; within one priority in order of arrival.
 *	A job is run exactly once, or, when the pool stops first, its `drop` is called exactly once.
 * Ownership: the job struct is embedded in the caller's object, which must stay alive until run or drop.
 * Threads: any thread may submit. Threads are started on demand, up to the maximum, and have small stacks
 *	(256 KiB, 1 MiB under sanitizers).
 */
#include "backends/base/error.h"
#include "backends/base/trace.h"

struct job {
	void (*run)(struct job *job);
	void (*drop)(struct job *job); /* instead of run, when the pool stops; may be NULL */
	unsigned priority;		/* 0 .. WORKERS_PRIORITIES-1, 0 first */
	struct job *next, *prev;	/* owned by the pool while queued */
	bool is_queued;
	struct trace_context trace;	/* of who submitted it: run has it as its own */
};
#define WORKERS_PRIORITIES 4

struct workers;
/* Returns NULL without memory. name is at most 15 bytes and shows in thread lists. */
struct workers *workers_new(const char *name, unsigned max_threads);
/* Queues a job. Never blocks. After workers_stop began, calls drop at once. */
void workers_submit(struct workers *w, struct job *job);
/* Takes a job that has not begun out of the queue; false when it began or was never queued. */
bool workers_cancel(struct workers *w, struct job *job);
/* Raises the priority of a job that is still queued. */
void workers_promote(struct workers *w, struct job *job, unsigned priority);
size_t workers_queued(struct workers *w);
/* Drops what is queued, waits for what runs, frees the pool. NULL is fine. */
void workers_free(struct workers *w);
