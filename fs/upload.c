#include "fs/upload_private.h"
#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include "backends/base/hash.h"
#include "backends/base/log.h"
#include "fs/attrs.h"
#include "fs/intact.h"
#include "fs/owed.h"
#include <assert.h>

#define PARTS_PER_STEP 1000u

static uint64_t step_size(const struct fs *fs, const struct store *store, unsigned step)
{
	uint64_t size = fs->options.part_size;

	if (size < store->limits.min_part_bytes)
		size = store->limits.min_part_bytes;
	while (step-- && size < store->limits.max_part_bytes)
		size *= 4;
	return size > store->limits.max_part_bytes ? store->limits.max_part_bytes : size;
}

void upload_part_range(const struct fs *fs, const struct store *store, unsigned index, uint64_t *ret_start,
		       uint64_t *ret_end)
{
	uint64_t start = 0, size;
	unsigned step;

	for (step = 0; step < index / PARTS_PER_STEP; step++)
		start += PARTS_PER_STEP * step_size(fs, store, step);
	size = step_size(fs, store, step);
	*ret_start = start + (index % PARTS_PER_STEP) * size;
	*ret_end = *ret_start + size;
}

bool upload_wants_parts_locked(const struct file *f, uint64_t size)
{
	const struct store *s = f->node->put ? f->node->put->store : NULL;

	return s && s->ops->upload_begin && (size > 2 * f->fs->options.part_size || size > s->limits.max_put_bytes);
}

uint64_t upload_sent_locked(const struct file *f)
{
	uint64_t sent = 0;

	for (unsigned i = 0; f->upload && i < f->upload->count; i++)
		if (f->upload->parts[i]->state == PART_DONE)
			sent += f->upload->parts[i]->end - f->upload->parts[i]->start;
	return sent;
}

uint64_t upload_progress_locked(const struct file *f)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; f->upload && i < f->upload->count; i++) {
		struct part *part = f->upload->parts[i];
		uint64_t sent = part->state == PART_RUNNING ? atomic_load(&part->sent) : 0;

		if (sent > part->most_sent)
			part->most_sent = sent;
		bytes += part->state == PART_DONE ? part->end - part->start : part->most_sent;
	}
	return bytes;
}

static void upload_free(struct upload *u)
{
	for (unsigned i = 0; i < u->count; i++)
		free(u->parts[i]);
	free(u->parts);
	location_release(&u->base);
	free(u->bucket);
	free(u->key);
	free(u->id);
	cancel_destroy(&u->cancel);
	free(u);
}

static bool may_come_back(const struct upload *u)
{
	return u->is_cut && u->id && (u->store->caps & STORE_CAP_LATE_PARTS);
}

/* Nothing of it can be at the store. */
static bool is_nowhere(const struct upload *u)
{
	return (u->is_completed && !may_come_back(u)) || (!u->id && !u->is_in_doubt);
}

/* The queue sees to what is still owed. false: nothing is, or the row alone tells of it, to the next mount. */
static bool hand_over(struct upload *u, const struct error *err)
{
	struct owed owed = { .where = { u->store, u->bucket, u->key }, .id = u->id, .since_ns = u->owed_since_ns };
	LOCKED(&u->fs->lock);

	if (is_nowhere(u) || (!u->id && !u->store->ops->upload_list))
		return false;
	owed.passes = u->id && err->kind == ERR_NONE ? 1 : 0;
	if (owed.passes && !u->is_cut)
		return false;
	if (err->kind && !error_is_retryable(err->kind) && err->kind != ERR_CANCELLED)
		return false;
	return owed_later_locked(u->fs, &owed);
}

static void abort_job(struct job *job)
{
	struct upload *u = container_of(job, struct upload, begin_job);
	struct error err = ERROR_INIT;

	FAULT_POINT("upload-abort-before");
	if (u->id && !u->is_completed && store_upload_abort(u->store, u->bucket, u->key, u->id, &err) < 0)
		log_warn("upload.abort", "key='%s' error='%s'", u->key, err.message);
	FAULT_POINT("upload-abort-after");
	if (hand_over(u, &err) || err.kind == ERR_NONE || err.kind == ERR_NOT_FOUND)
		owed_settle(u->fs, u->owed_seq);
	upload_free(u);
}

/* The mount ends: the next one knows by its row what is owed. */
static void abort_drop(struct job *job)
{
	struct upload *u = container_of(job, struct upload, begin_job);

	if (is_nowhere(u))
		owed_settle(u->fs, u->owed_seq);
	upload_free(u);
}

void upload_unref_locked(struct upload *u)
{
	struct fs *fs = u->fs;
	struct file *f = u->file;
	struct node *n = f->node; /* the file may go before it */

	assert(u->refs > 0);
	if (--u->refs)
		return;
	f->busy--;
	if (n->is_detached && file_is_idle_locked(f))
		file_drop_locked(fs, n);
	else
		file_rest_locked(f);
	tree_unpin(&fs->tree, n);
	/* A pool that has stopped would run it here, under the lock; the next mount knows by its row what is owed. */
	if (fs->queue.is_stopping) {
		abort_drop(&u->begin_job);
		return;
	}
	u->begin_job = (struct job){ .run = abort_job, .drop = abort_drop, .priority = 2 };
	workers_submit(fs->parts, &u->begin_job);
}

void upload_discard_locked(struct file *f)
{
	struct upload *u = steal(f->upload);

	if (!u)
		return;
	u->is_discarded = true;
	u->is_cut |= u->running > 0;
	cancel_fire(&u->cancel);
	upload_unref_locked(u);
}

void upload_forget(struct file *f)
{
	struct upload *u = steal(f->upload);

	if (u)
		upload_free(u);
}

static void part_ended(struct part *part, int r, const struct store_part *result, const struct error *err)
{
	struct upload *u = part->upload;
	struct fs *fs = u->fs;

	LOCKED(&fs->lock);
	part->state = r == 0 && !part->is_stale ? PART_DONE : PART_EMPTY;
	u->is_cut |= r < 0 ? err->kind == ERR_CANCELLED || error_is_retryable(err->kind) : result->was_repeated;
	if (r == 0) {
		part->result = *result;
		part->result.size = part->end - part->start;
		if (part->kind == PARTPLAN_SEND)
			fs->queue.bytes_sent_total += part->end - part->start;
		if (part->state == PART_DONE)
			upload_note_part_locked(u);
	} else if (err->kind != ERR_CANCELLED && !part->is_stale) { /* cut or written to while it was sent: no wonder */
		u->error = *err;
		u->is_copy_refused |= part->kind == PARTPLAN_COPY && !error_is_retryable(err->kind);
	}
	part->is_stale = false;
	u->running--;
	u->file->progress_ms = clock_mono_ms();
	cond_broadcast(&fs->changed);
	upload_unref_locked(u);
}

static int send_part(struct part *part, struct store_part *ret, struct error *err)
{
	struct upload *u = part->upload;
	struct store_source source = STORE_SOURCE_INIT;
	int r = 0;

	source.offset = part->start;
	source.length = part->end - part->start;
	source.progress = &part->sent;
	/* A part may need unchanged bytes beside the changed ones, which nobody has read yet. */
	if (u->is_partial)
		r = fetch_fill(u->file, part->start, part->end, err);
	lock_take(&u->fs->lock);
	source.fd = u->file->fd;
	lock_drop(&u->fs->lock);
	if (r == 0)
		r = intact_check(u->file, part->start, part->end, &source.crc32c, err);
	source.has_crc32c = true;
	part->crc32c = source.crc32c; /* ours alone while it runs */
	return r < 0 ? r : store_upload_part(u->store, u->bucket, u->key, u->id, part->index + 1, &source, &u->cancel, ret, err);
}

/* Not cut short when it is no longer wanted: the server would carry it out all the same, behind the abort. (versitygw 1.8 then has
 * an upload of that name again, seen 2026-11.) */
static int copy_part(const struct part *part, struct store_part *ret, struct error *err)
{
	struct upload *u = part->upload;

	return store_part_copy(u->store, u->base.bucket, u->base.key, u->base_version, part->start, part->end - part->start,
			       u->bucket, u->key, u->id, part->index + 1, NULL, ret, err);
}

static void part_run(struct job *job)
{
	struct part *part = container_of(job, struct part, job);
	struct upload *u = part->upload;
	struct fs *fs = u->fs;
	struct store_part result = { 0 };
	struct error err = ERROR_INIT;
	int r = 0;

	lock_take(&fs->lock);
	part->state = PART_RUNNING;
	if (u->is_discarded)
		r = error_set(&err, ERR_CANCELLED, "the upload is no longer wanted");
	lock_drop(&fs->lock);
	FAULT_POINT("upload-part-before");
	if (r == 0)
		r = part->kind == PARTPLAN_COPY ? copy_part(part, &result, &err) : send_part(part, &result, &err);
	FAULT_POINT("upload-part-after");
	part_ended(part, r, &result, &err);
}

static void part_drop(struct job *job)
{
	struct error err = ERROR_INIT;
	int r = error_set(&err, ERR_CANCELLED, "the mount ends");

	part_ended(container_of(job, struct part, job), r, NULL, &err);
}

struct part *upload_part_at_locked(struct upload *u, unsigned index)
{
	while (u->count <= index) {
		struct part **parts = realloc(u->parts, (u->count + 1) * sizeof(*parts));
		struct part *part = calloc(1, sizeof(*part));

		if (parts)
			u->parts = parts;
		if (!parts || !part) {
			free(part);
			return NULL;
		}
		part->upload = u;
		part->index = u->count;
		u->parts[u->count++] = part;
	}
	return u->parts[index];
}

/* Queues part i for [start, min(end, size)). The submit itself takes only the pool's own lock. */
static int queue_part_locked(struct upload *u, unsigned index, uint64_t size)
{
	struct part *part = upload_part_at_locked(u, index);
	struct fs *fs = u->fs;

	if (!part)
		return -ENOMEM;
	/* While the parts are put together none of them may be sent again: the service would have another one than is named. */
	if (part->state == PART_QUEUED || part->state == PART_RUNNING || u->is_completing || fs->queue.is_stopping)
		return 0;
	if (!u->is_partial) {
		uint64_t start, end;

		upload_part_range(fs, u->store, index, &start, &end);
		end = end > size ? size : end;
		if (part->state == PART_DONE && part->start == start && part->end == end)
			return 0; /* sent by the upload itself, ahead of the writer */
		part->start = start;
		part->end = end;
	}
	part->state = PART_QUEUED;
	part->is_stale = false;
	part->job = (struct job){ .run = part_run, .drop = part_drop, .priority = 1 };
	u->running++;
	u->refs++;
	workers_submit(fs->parts, &part->job);
	return 0;
}

/* What the writer has passed may go up, up to twice as many at once as there are workers. */
static void queue_passed_locked(struct upload *u)
{
	struct file *f = u->file;

	while (u->id && !u->is_partial && !u->is_discarded && u->running < 2 * u->fs->options.uploads) {
		uint64_t start, end;

		upload_part_range(u->fs, u->store, u->next, &start, &end);
		if (end > f->last_write_end || queue_part_locked(u, u->next, end) < 0)
			break;
		u->next++;
	}
}

uint64_t upload_meta_hash(const struct store_put_args *args)
{
	uint64_t hash = args->meta_count;

	for (size_t i = 0; i < args->meta_count; i++) {
		hash = hash_table64(args->meta[i].name, strlen(args->meta[i].name), hash);
		hash = hash_table64(args->meta[i].value, strlen(args->meta[i].value), hash);
	}
	return hash;
}

int upload_begin(struct upload *u, const struct store_put_args *args, int64_t mtime_ns, struct error *err)
{
	struct fs *fs = u->fs;
	struct store_put_args asked = *args;
	char *id = NULL;
	uint64_t ticket = 0;
	bool is_asked, was_repeated = false;
	int r;

	asked.ret_was_repeated = &was_repeated;
	u->begun_meta = upload_meta_hash(args);
	u->begun_mtime_ns = mtime_ns;

	FAULT_POINT("upload-begin-before");
	u->owed_since_ns = clock_wall_ns();
	r = owed_note(u->fs, u->store, u->bucket, u->key, &u->owed_seq, err);
	is_asked = r == 0;
	if (r == 0)
		r = store_upload_begin(u->store, u->bucket, u->key, &asked, &id, err);
	FAULT_POINT("upload-begin-after");

	lock_take(&fs->lock);
	u->is_beginning = false;
	/* The answer may be all that was lost. */
	u->is_in_doubt = r < 0 && is_asked && (error_is_retryable(err->kind) || err->kind == ERR_CANCELLED);
	if (r == 0) {
		struct pending *op = u->file->node->put;

		u->id = id;
		if (was_repeated)
			(void)owed_later_locked(fs, &(struct owed){ { u->store, u->bucket, u->key }, NULL, u->owed_since_ns, 0 });
		owed_name(fs, u->store, u->bucket, u->key, u->owed_seq, id);
		if (op && !u->is_discarded) {
			free(op->upload_id);
			op->upload_id = strdup(id);
			ticket = pending_update_locked(op);
		}
	} else {
		u->error = *err;
	}
	cond_broadcast(&fs->changed);
	lock_drop(&fs->lock);
	if (ticket && journal_wait(fs->journal, ticket, NULL) < 0)
		log_warn("journal.write", "key='%s' what='upload id'", u->key);
	FAULT_POINT("upload-id-journalled");
	return r;
}

static void early_begin_run(struct job *job)
{
	struct upload *u = container_of(job, struct upload, begin_job);
	struct fs *fs = u->fs;
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_put_args args = { 0 };
	struct store_meta *meta = NULL;
	struct attrs a = ATTRS_INIT;
	struct error err = ERROR_INIT;
	int r;

	lock_take(&fs->lock);
	r = attrs_of_node(u->file->node, &a);
	lock_drop(&fs->lock);
	if (r == 0)
		r = attrs_to_meta(&a, &arena, &meta, &args.meta_count);
	args.meta = meta;
	args.cancel = &u->cancel;
	if (r == 0)
		r = upload_begin(u, &args, a.mtime_ns, &err);
	attrs_release(&a);
	lock_take(&fs->lock);
	u->is_beginning = false;
	if (r == 0)
		queue_passed_locked(u);
	upload_unref_locked(u);
	lock_drop(&fs->lock);
}

static void early_begin_drop(struct job *job)
{
	struct upload *u = container_of(job, struct upload, begin_job);

	LOCKED(&u->fs->lock);
	u->is_beginning = false;
	upload_unref_locked(u);
}

struct upload *upload_new_locked(struct file *f)
{
	struct pending *op = f->node->put;
	struct upload *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->bucket = strdup(op->bucket);
	u->key = strdup(op->key);
	if (!u->bucket || !u->key) {
		free(u->bucket);
		free(u->key);
		free(u);
		return NULL;
	}
	cancel_init(&u->cancel);
	u->fs = f->fs;
	u->file = f;
	u->store = op->store;
	u->refs = 1;
	f->busy++;
	tree_pin(f->node);
	f->upload = u;
	return u;
}

static void mark_stale_locked(struct upload *u, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < u->count; i++) {
		struct part *part = u->parts[i];

		if (part->start >= end || part->end <= start)
			continue;
		u->is_overtaken |= part->kind == PARTPLAN_COPY;
		if (part->state == PART_EMPTY)
			continue;
		if (part->state == PART_DONE)
			part->state = PART_EMPTY;
		else
			part->is_stale = true;
	}
}

#define FAST_BYTES_PER_MS 150000u /* no uplink keeps up with that */
#define FAST_MOST_BYTES   (UINT64_C(16) << 30)

/* A writer that is much faster than any uplink gains nothing from parts that go up meanwhile; they only take the processor and the
 * disk away from it. Measured on two cores: 1 GiB is written three times as fast without. */
static bool is_fast_writer(const struct file *f, uint64_t written)
{
	uint64_t elapsed_ms = clock_mono_ms() - f->dirty_since_ms;

	if (elapsed_ms < f->fs->options.upload_delay_ms)
		return true;
	return written < FAST_MOST_BYTES && written / elapsed_ms > FAST_BYTES_PER_MS;
}

void upload_note_write_locked(struct file *f, uint64_t start, uint64_t end)
{
	struct upload *u = f->upload;
	struct pending *op = f->node->put;

	if (u) {
		mark_stale_locked(u, start, end);
		queue_passed_locked(u);
		return;
	}
	/* What has a base goes up when all of its changes are known: most of it need not be sent. */
	if (!f->is_whole || f->base_version[0] || !op || !f->writers || op->state == PENDING_RUNNING || op->blocked_on ||
	    end == UINT64_MAX || end < 3 * f->fs->options.part_size || f->fs->queue.is_stopping ||
	    !upload_wants_parts_locked(f, end) ||
	    is_fast_writer(f, end) || f->fs->options.part_size < op->store->limits.min_part_bytes)
		return;
	u = upload_new_locked(f);
	if (!u)
		return;
	u->is_beginning = true;
	u->refs++;
	u->begin_job = (struct job){ .run = early_begin_run, .drop = early_begin_drop, .priority = 0 };
	workers_submit(f->fs->parts, &u->begin_job);
}

/* Waits until no begin runs; makes and begins the upload when there is none for this key. */
static int see_to_upload(struct pending *op, struct file *f, const struct upload_content *content, struct upload **ret,
			 struct error *err)
{
	struct fs *fs = f->fs;
	struct upload *u;
	int r = 0;

	lock_take(&fs->lock);
	while (f->upload && f->upload->is_beginning)
		cond_wait(&fs->changed, &fs->lock);
	if (f->upload && (f->upload->is_partial || strcmp(f->upload->key, op->key) != 0))
		upload_discard_locked(f);
	if (f->upload && !f->upload->id)
		upload_discard_locked(f);
	u = f->upload ? f->upload : op->is_abandoned ? NULL : upload_new_locked(f);
	if (u) {
		u->refs++;
		u->is_beginning = !u->id;
	}
	lock_drop(&fs->lock);
	if (!u)
		return op->is_abandoned ? error_set(err, ERR_CANCELLED, "the upload is no longer wanted") :
					  error_set(err, ERR_NO_MEMORY, "no memory for an upload");
	if (!u->id)
		r = upload_begin(u, content->args, content->mtime_ns, err);
	*ret = u;
	return r;
}

/* Queues what of the first `size` bytes is missing. *ret_missing: parts that are not done; *ret_count: all. */
static int queue_missing_locked(struct upload *u, uint64_t size, unsigned *ret_missing, unsigned *ret_count)
{
	struct fs *fs = u->fs;
	unsigned i;
	int r = 0;

	*ret_missing = 0;
	for (i = 0; r == 0; i++) {
		struct part *part;
		uint64_t start, end;

		if (u->is_partial && i == u->count)
			break;
		part = u->is_partial ? u->parts[i] : NULL;
		if (!part) {
			upload_part_range(fs, u->store, i, &start, &end);
			if (start >= size)
				break;
			end = end > size ? size : end;
			part = upload_part_at_locked(u, i);
			if (!part)
				return -ENOMEM;
			if (part->state == PART_DONE && part->end != end)
				part->state = PART_EMPTY;
		}
		*ret_missing += part->state != PART_DONE;
		if (part->state == PART_EMPTY && u->running < 2 * fs->options.uploads)
			r = queue_part_locked(u, i, size);
	}
	*ret_count = i;
	return r;
}

/* Queues what is missing and waits until every part of [0, size) is done. */
int upload_carry(struct pending *op, struct upload *u, uint64_t size, unsigned *ret_count, struct error *err)
{
	struct fs *fs = u->fs;
	unsigned failures = 0, missing;

	LOCKED(&fs->lock);
	u->error = ERROR_INIT; /* of an earlier try */
	u->is_completing = false;
	for (;;) {
		if (op->is_abandoned || u->is_discarded || fs->queue.is_stopping)
			return error_set(err, ERR_CANCELLED, "the upload is no longer wanted");
		if (u->is_overtaken) {
			/* A part that is cut short may arrive behind the abort, and bring the upload back to life. */
			while (u->running)
				cond_wait(&fs->changed, &fs->lock);
			return error_set(err, ERR_CANCELLED, "the file was changed while it was sent");
		}
		if (u->error.kind && (!error_is_retryable(u->error.kind) || ++failures > 3))
			break;
		u->error.kind = ERR_NONE;
		if (queue_missing_locked(u, size, &missing, ret_count) < 0)
			return error_set(err, ERR_NO_MEMORY, "no memory for an upload");
		if (!missing) {
			u->is_completing = true;
			return 0;
		}
		cond_wait(&fs->changed, &fs->lock);
	}
	while (u->running)
		cond_wait(&fs->changed, &fs->lock);
	*err = u->error;
	if (!err->kind)
		return error_set(err, ERR_UNAVAILABLE, "some parts could not be uploaded");
	return -error_errnum(err->kind);
}

int upload_complete(struct upload *u, unsigned count, const struct store_put_args *args, char *ret_version, struct error *err)
{
	CLEANUP(freep) struct store_part *parts = calloc(count, sizeof(*parts));
	int r;

	FAULT_POINT("upload-complete-before");
	if (!parts)
		return error_set(err, ERR_NO_MEMORY, "no memory for an upload");
	lock_take(&u->fs->lock);
	for (unsigned i = 0; i < count; i++)
		parts[i] = u->parts[i]->result;
	lock_drop(&u->fs->lock);
	r = store_upload_complete(u->store, u->bucket, u->key, u->id, parts, count, args, ret_version, err);
	FAULT_POINT("upload-complete-after");
	return r;
}

void upload_ended(struct upload *u, struct pending *op, enum upload_end end, const struct error *err)
{
	struct file *f = u->file;

	LOCKED(&u->fs->lock);
	u->is_completed = end == UPLOAD_COMPLETED;
	u->is_completing = false;
	if (u->is_completed && u->id)
		owed_over_locked(u->fs, u->id);
	/* After success, or when the upload itself is at fault, the next try begins a new one. */
	if (f->upload == u && (u->is_completed || !u->id || u->is_overtaken || u->is_copy_refused ||
			       err->kind == ERR_NOT_FOUND || err->kind == ERR_PRECONDITION || err->kind == ERR_INVALID || err->kind == ERR_CORRUPT ||
			       err->kind == ERR_UNSUPPORTED)) {
		upload_discard_locked(f);
		free(op->upload_id);
		op->upload_id = NULL;
	}
	upload_unref_locked(u);
}

int upload_multipart(struct pending *op, struct file *f, const struct upload_content *content, char *ret_version,
		     struct error *err)
{
	struct upload *u = NULL;
	unsigned count = 0;
	bool has_old_attrs;
	int r = see_to_upload(op, f, content, &u, err);

	if (r == 0)
		r = upload_carry(op, u, content->size, &count, err);
	if (r == 0)
		r = upload_complete(u, count, content->args, ret_version, err);
	if (!u)
		return r;
	has_old_attrs = u->begun_meta != upload_meta_hash(content->args);
	upload_ended(u, op, r == 0 ? UPLOAD_COMPLETED : UPLOAD_FAILED, err);
	return r == 0 && has_old_attrs ? UPLOAD_OLD_ATTRS : r;
}

bool upload_begun_mtime_locked(const struct file *f, int64_t *ret_mtime_ns)
{
	const struct upload *u = f->upload;

	if (!u || !u->id || u->is_partial || !f->node->put || strcmp(u->key, f->node->put->key) != 0)
		return false;
	*ret_mtime_ns = u->begun_mtime_ns;
	return true;
}
