#include "control/transfer_private.h"

#include "backends/base/clock.h"
#include "control/text.h"

#include <pthread.h>
#include <unistd.h>

#define THREADS_STANDARD 8
#define REPORT_MS	 250

struct worker {
	struct run *run;
	_Atomic uint64_t progress; /* bytes of what it sends now */
	pthread_t thread;
};
struct run {
	struct transfer *t;
	struct lock lock;
	struct cond changed;	     /* with lock */
	struct lock note_lock;	     /* held while a download's note is written: one writer at a time */
	size_t next_item;	     /* guarded by lock */
	unsigned opening;	     /* guarded by lock; big files that are begun */
	struct transfer_job *active; /* guarded by lock; with parts to hand out */
	size_t items_done;	     /* guarded by lock */
	uint64_t bytes_done, bytes_resumed; /* guarded by lock */
	unsigned threads_left;	     /* guarded by lock */
	struct worker *workers;
	unsigned worker_count;
};

static void job_free(struct transfer_job *j)
{
	if (!j)
		return;
	if (j->fd >= 0)
		(void)close(j->fd); /* what counts was synced */
	free(j->note_path);
	free(j->upload_id);
	free(j->part_path);
	free(j->held);
	free(j->is_done);
	free(j);
}

static void item_ended(struct run *run, struct transfer_item *item, int result, const struct error *err)
{
	LOCKED(&run->lock);
	item->result = result;
	if (result < 0)
		item->err = *err;
	run->items_done++;
	cond_broadcast(&run->changed);
}

/* ---- big files ---- */

static struct transfer_job *job_new(struct run *run, struct transfer_item *item, struct error *err)
{
	const struct store_limits *limits = &run->t->store->limits;
	struct transfer_job *j = calloc(1, sizeof *j);
	uint64_t parts;

	if (!j) {
		(void)error_set(err, ERR_NO_MEMORY, "out of memory");
		return NULL;
	}
	j->fd = -1;
	j->item = item;
	j->part_bytes = run->t->is_upload ? store_part_size(limits, item->size, TRANSFER_PART_BYTES) : TRANSFER_PART_BYTES;
	parts = item->size ? (item->size - 1) / j->part_bytes + 1 : 1;
	if (run->t->is_upload ? parts > limits->max_parts : parts > UINT32_MAX / 2) {
		(void)error_set(err, ERR_TOO_LARGE, "'%.150s' is too large for this store", item->file);
		job_free(j);
		return NULL;
	}
	j->parts = (unsigned)parts;
	j->is_done = calloc(j->parts, 1);
	if (!j->is_done) {
		(void)error_set(err, ERR_NO_MEMORY, "out of memory");
		job_free(j);
		return NULL;
	}
	return j;
}

/* Ends a file whose parts are all over; takes the job. */
static void job_end(struct run *run, struct transfer_job *j, struct error *err)
{
	int r = j->is_failed ? -error_errnum(err->kind) : 0;

	if (r == 0)
		r = run->t->is_upload ? transfer_up_end(run->t, j, err) : transfer_down_end(run->t, j, err);
	item_ended(run, j->item, r, err);
	job_free(j);
}

static void leave_active_locked(struct run *run, struct transfer_job *j)
{
	for (struct transfer_job **at = &run->active; *at; at = &(*at)->following) {
		if (*at != j)
			continue;
		*at = j->following;
		return;
	}
}

static bool has_part_locked(struct transfer_job *j)
{
	while (j->next < j->parts && j->is_done[j->next])
		j->next++;
	return j->next < j->parts;
}

/* The next part that is not there, or 0. */
static unsigned next_part_locked(struct transfer_job *j)
{
	return has_part_locked(j) ? ++j->next : 0;
}

static int write_note(struct run *run, struct transfer_job *j, struct error *err)
{
	CLEANUP(freep) unsigned char *is_done = NULL;

	LOCKED(&run->note_lock);
	{
		LOCKED(&run->lock);
		is_done = malloc(j->parts);
		if (is_done)
			memcpy(is_done, j->is_done, j->parts);
	}
	return is_done ? transfer_down_note(j, is_done, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int send_part(struct run *run, struct transfer_job *j, unsigned number, struct error *err)
{
	int r = run->t->is_upload ? transfer_up_part(run->t, j, number, err) : transfer_down_part(run->t, j, number, err);

	if (r < 0)
		return r;
	{
		LOCKED(&run->lock);
		j->is_done[number - 1] = 1;
		run->bytes_done += transfer_part_length(j, number);
	}
	return run->t->is_upload || j->parts == 1 ? 0 : write_note(run, j, err);
}

/* One part, and the end of the file when it was the last one. */
static void run_part(struct run *run, struct transfer_job *j, unsigned number)
{
	struct error err = ERROR_INIT;
	bool is_last;
	int r = send_part(run, j, number, &err);

	{
		LOCKED(&run->lock);
		if (r < 0 && !j->is_failed) {
			j->is_failed = true;
			j->item->err = err;
			j->next = j->parts;
		}
		j->running--;
		is_last = !j->running && !has_part_locked(j);
		if (is_last || j->is_failed)
			leave_active_locked(run, j);
		err = j->item->err;
	}
	if (is_last)
		job_end(run, j, &err);
}

/* ---- files ---- */

static bool is_big(const struct run *run, const struct transfer_item *item)
{
	if (!run->t->is_upload)
		return true; /* all of them go into a part file first */
	return item->size > TRANSFER_PART_BYTES && run->t->store->ops->upload_begin &&
	       run->t->store->limits.max_parts > 1;
}

static void begin_big(struct run *run, struct transfer_item *item)
{
	struct error err = ERROR_INIT;
	struct transfer_job *j = job_new(run, item, &err);
	int r = j ? (run->t->is_upload ? transfer_up_begin(run->t, j, &err) : transfer_down_begin(run->t, j, &err)) :
		    -error_errnum(err.kind);
	bool is_over = false;

	{
		LOCKED(&run->lock);
		run->opening--;
		if (r == 0) {
			run->bytes_done += item->resumed_bytes;
			run->bytes_resumed += item->resumed_bytes;
			is_over = !has_part_locked(j);
		}
		if (r == 0 && !is_over) {
			j->following = run->active;
			run->active = j;
		}
		cond_broadcast(&run->changed);
	}
	if (r < 0) {
		item_ended(run, item, r, &err);
		job_free(j);
	} else if (is_over) {
		job_end(run, j, &err);
	}
}

static void run_small(struct worker *w, struct transfer_item *item)
{
	struct run *run = w->run;
	struct error err = ERROR_INIT;
	int r = transfer_up_small(run->t, item, &w->progress, &err);

	{
		LOCKED(&run->lock);
		atomic_store(&w->progress, 0);
		if (r == 0)
			run->bytes_done += item->size;
	}
	item_ended(run, item, r, &err);
}

/* What is to be done next: a part, a file, or nothing more. Waits while a file that is begun may give parts. */
static bool take(struct run *run, struct transfer_job **ret_job, unsigned *ret_number, struct transfer_item **ret_item)
{
	LOCKED(&run->lock);
	for (;;) {
		*ret_job = NULL;
		*ret_item = NULL;
		for (struct transfer_job *j = run->active; j; j = j->following) {
			unsigned number = next_part_locked(j);

			if (!number)
				continue;
			j->running++;
			*ret_job = j;
			*ret_number = number;
			return true;
		}
		if (run->next_item < run->t->count) {
			*ret_item = &run->t->items[run->next_item++];
			run->opening += is_big(run, *ret_item);
			return true;
		}
		if (!run->opening)
			return false;
		cond_wait(&run->changed, &run->lock);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct run *run = w->run;
	struct transfer_job *j;
	struct transfer_item *item;
	unsigned number = 0;

	while (take(run, &j, &number, &item)) {
		struct error cancelled = ERROR_INIT;

		if (j)
			run_part(run, j, number);
		else if (is_big(run, item))
			begin_big(run, item);
		else if (cancel_is_fired(run->t->call->cancel))
			item_ended(run, item, error_set(&cancelled, ERR_CANCELLED, "cancelled"), &cancelled);
		else
			run_small(w, item);
	}
	LOCKED(&run->lock);
	run->threads_left--;
	cond_broadcast(&run->changed);
	return NULL;
}

/* ---- progress ---- */

static void report(struct run *run, uint64_t total, uint64_t begun_ms)
{
	const struct op_call *call = run->t->call;
	uint64_t done, resumed, ms = clock_mono_ms() - begun_ms, rate;
	struct json_object *o = call->notify ? json_object_new_object() : NULL;
	char have[16], all[16], speed[16], left[24];
	CLEANUP(freep) char *text = NULL;
	size_t files;

	if (!o)
		return; /* progress is a courtesy */
	{
		LOCKED(&run->lock);
		done = run->bytes_done;
		resumed = run->bytes_resumed;
		files = run->items_done;
		for (unsigned i = 0; i < run->worker_count; i++)
			done += atomic_load(&run->workers[i].progress);
	}
	rate = ms ? (done - resumed) * 1000 / ms : 0;
	text_size(done, have);
	text_size(total, all);
	text_size(rate, speed);
	text_duration(rate && done < total ? (total - done) / rate : 0, left);
	text = str_format("%zu of %zu files, %s of %s, %s/s, %s left", files, run->t->count, have, all, speed, left);
	json_object_object_add(o, "message", json_object_new_string(text ? text : ""));
	json_object_object_add(o, "progress", json_object_new_uint64(done));
	json_object_object_add(o, "total", json_object_new_uint64(total));
	json_object_object_add(o, "files", json_object_new_uint64(files));
	json_object_object_add(o, "files_total", json_object_new_uint64(run->t->count));
	call->notify(call->notify_arg, o);
	json_object_put(o);
}

static void watch(struct run *run)
{
	uint64_t begun_ms = clock_mono_ms(), told_ms = begun_ms, total = 0;

	for (size_t i = 0; i < run->t->count; i++)
		total += run->t->items[i].size;
	for (;;) {
		{
			LOCKED(&run->lock);
			if (run->threads_left)
				(void)cond_wait_until(&run->changed, &run->lock, told_ms + REPORT_MS); /* looked at next */
			if (!run->threads_left)
				return;
		}
		if (clock_mono_ms() - told_ms < REPORT_MS)
			continue;
		told_ms = clock_mono_ms();
		report(run, total, begun_ms);
	}
}

int transfer_run(struct transfer *t, struct error *err)
{
	struct run run = { .t = t };
	unsigned wanted = t->parallel ? t->parallel : THREADS_STANDARD;
	int r = 0;

	run.workers = calloc(wanted, sizeof *run.workers);
	if (!run.workers)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	lock_init(&run.lock);
	lock_init(&run.note_lock);
	cond_init(&run.changed);
	for (unsigned i = 0; i < wanted && r == 0; i++) {
		run.workers[i].run = &run;
		{
			LOCKED(&run.lock);
			run.threads_left++;
		}
		r = pthread_create(&run.workers[i].thread, NULL, work, &run.workers[i]);
		if (r == 0) {
			run.worker_count++;
			continue;
		}
		LOCKED(&run.lock);
		run.threads_left--;
	}
	if (run.worker_count) /* fewer threads than wanted do it too */
		watch(&run);
	for (unsigned i = 0; i < run.worker_count; i++)
		(void)pthread_join(run.workers[i].thread, NULL); /* ours, and joinable */
	cond_destroy(&run.changed);
	lock_destroy(&run.note_lock);
	lock_destroy(&run.lock);
	free(run.workers);
	return run.worker_count ? 0 : error_set(err, ERR_NO_MEMORY, "no thread can be started");
}
