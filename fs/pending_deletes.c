#include "fs/pending_deletes.h"
#include "backends/base/clock.h"
#include "fs/pending_heap.h"
#include "fs/pending_keys.h"

#define REST_LOOK_MS 250u
#define REST_MOST_MS 60000u

static bool is_same_bucket(const struct pending *a, const struct pending *b)
{
	return a->store == b->store && strcmp(a->bucket, b->bucket) == 0;
}

void pending_carrier_unlink_locked(struct pending *op)
{
	struct pending **at = &op->fs->queue.carriers;

	while (*at && *at != op)
		at = &(*at)->next_carrier;
	if (*at)
		*at = op->next_carrier;
	op->next_carrier = NULL;
}

/* Those that were to go along with it, and do not: they go by themselves. */
void pending_free_riders_locked(struct pending *op)
{
	for (struct pending *p = op->fs->queue.first; p; p = p->next)
		if (p->is_rider && is_same_bucket(p, op)) {
			p->is_rider = false;
			pending_wait_until_locked(p, p->due_ms); /* it has passed */
		}
}

/* Deletes of one bucket that may go at the same time go as one request. */
static void run_delete_job(struct job *job)
{
	struct pending *op = container_of(job, struct pending, job), *batch = op;
	struct fs *fs = op->fs;
	size_t count = 1;

	lock_take(&fs->lock);
	pending_carrier_unlink_locked(op);
	op->state = PENDING_RUNNING;
	op->batch_next = NULL;
	fs->queue.running++;
	fs->queue.deletes_running++;
	for (struct pending *p = fs->queue.first; p && count < STORE_DELETE_MAX; p = p->next) {
		bool may_come = p->is_rider || p->state == PENDING_WAITING;

		if (p->kind != PENDING_DELETE || p == op || !may_come || !is_same_bucket(p, op) ||
		    (p->attempts && !p->is_rider) || pending_is_held_open_locked(p) || pending_keys_blocker(p))
			continue;
		if (p->state == PENDING_WAITING)
			pending_heap_remove(&fs->queue, p);
		p->is_rider = false;
		p->state = PENDING_RUNNING;
		fs->queue.running++;
		fs->queue.deletes_running++;
		p->batch_next = batch;
		batch = p;
		count++;
	}
	pending_free_riders_locked(op); /* the batch was full */
	lock_drop(&fs->lock);
	namespace_run_deletes(batch);
}

/* A delete that may go now: along with one of its bucket that is queued already, or as the one that takes others along. */
void pending_start_delete_locked(struct pending *op)
{
	struct fs *fs = op->fs;

	op->state = PENDING_QUEUED;
	for (const struct pending *c = fs->queue.carriers; c; c = c->next_carrier) {
		if (is_same_bucket(c, op)) {
			op->is_rider = true;
			return;
		}
	}
	op->next_carrier = fs->queue.carriers;
	fs->queue.carriers = op;
	op->job = (struct job){ .run = run_delete_job };
	workers_submit(fs->up, &op->job);
}

/* A delete that is due waits on while others keep coming, so that a whole `rm -r` goes as few requests; not when there are as many as one
 * request takes, nor when somebody waits for it (then it is due at 0). */
bool pending_delete_rests_locked(struct pending *op)
{
	const struct pending_queue *q = &op->fs->queue;
	uint64_t now = clock_mono_ms();

	if (!op->due_ms || op->attempts || op->rested_ms >= REST_MOST_MS || q->deletes_in_a_row <= 1 ||
	    q->deletes - q->deletes_running >= STORE_DELETE_MAX || now - q->last_delete_ms >= op->fs->options.upload_delay_ms)
		return false;
	op->rested_ms += REST_LOOK_MS;
	pending_wait_until_locked(op, now + REST_LOOK_MS);
	return true;
}
