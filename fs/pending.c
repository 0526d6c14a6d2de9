#include "fs/pending.h"
#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include "backends/base/hash.h"
#include "backends/base/log.h"
#include "backends/base/random.h"
#include "fs/attrs.h"
#include "fs/durable.h"
#include "fs/file.h"
#include "fs/node_version.h"
#include "fs/owed.h"
#include "fs/pending_deletes.h"
#include "fs/pending_heap.h"
#include "fs/pending_keys.h"
#include "fs/pending_view.h"
#include "fs/upload.h"
#include <assert.h>
#include <inttypes.h>

#define RETRY_FIRST_MS	 1000u
#define RETRY_MOST_MS	 60000u
#define RETRY_REFUSED_MS 300000u
#define RETRY_BUDGET_MS	 10000u
#define ROOM_AGAIN_MS	 200u

const char *pending_kind_name(enum pending_kind kind)
{
	static const char *const names[PENDING_KINDS] = { "?",	   "upload",	       "delete", "rename",
							  "copy",  "rename-directory", "mkdir",  "attributes", "abort", "open" };

	return kind < PENDING_KINDS ? names[kind] : "?";
}

int pending_init(struct fs *fs, struct error *err)
{
	fs->queue.claims = calloc(CLAIM_SLOTS, sizeof(*fs->queue.claims));
	if (!fs->queue.claims)
		return error_set(err, ERR_NO_MEMORY, "no memory for the upload queue");
	return pending_view_init(fs, err);
}

struct pending *pending_new(struct fs *fs, enum pending_kind kind, uint64_t seq, const struct location *where,
			    const struct location *from)
{
	struct pending *op = calloc(1, sizeof(*op));

	if (!op)
		return NULL;
	cancel_init(&op->cancel);
	op->fs = fs;
	op->kind = kind;
	op->seq = op->origin_seq = seq;
	op->store = where->store;
	op->bucket = strdup(where->bucket);
	op->key = strdup(where->key);
	op->heap_index = SIZE_MAX;
	if (from) {
		op->from_bucket = strdup(from->bucket);
		op->from_key = strdup(from->key);
	}
	if (!op->bucket || !op->key || (from && (!op->from_bucket || !op->from_key))) {
		pending_free(op);
		return NULL;
	}
	return op;
}

void pending_free(struct pending *op)
{
	if (!op)
		return;
	cancel_destroy(&op->cancel);
	free(op->bucket);
	free(op->key);
	free(op->from_bucket);
	free(op->from_key);
	free(op->upload_id);
	free(op->told.parts);
	keyset_release(&op->copied);
	free(op);
}

static void adopt_node_locked(struct pending *op, struct node *n)
{
	op->node = n;
	if (!n)
		return;
	tree_pin(n);
	n->rare->pending_count++; /* who made the operation saw to it */
	tree_changed(&op->fs->tree, n);
}

void pending_insert_locked(struct fs *fs, struct pending *op)
{
	struct pending_queue *q = &fs->queue;

	lock_assert_held(&fs->lock);
	op->prev = q->last;
	if (q->last)
		q->last->next = op;
	else
		q->first = op;
	q->last = op;
	q->count++;
	q->trees += op->kind == PENDING_RENAME_TREE;
	if (op->kind == PENDING_DELETE) {
		uint64_t now = clock_mono_ms();

		q->deletes++;
		q->deletes_in_a_row = now - q->last_delete_ms < fs->options.upload_delay_ms ? q->deletes_in_a_row + 1 : 1;
		q->last_delete_ms = now;
	}
	pending_keys_link(op);
}

static void queue_unlink(struct pending *op)
{
	struct pending_queue *q = &op->fs->queue;

	if (op->prev)
		op->prev->next = op->next;
	else
		q->first = op->next;
	if (op->next)
		op->next->prev = op->prev;
	else
		q->last = op->prev;
	op->next = op->prev = NULL;
	q->count--;
	q->trees -= op->kind == PENDING_RENAME_TREE;
	q->deletes -= op->kind == PENDING_DELETE;
	pending_keys_unlink(op);
}

bool pending_is_held_open_locked(const struct pending *op)
{
	const struct file *f = op->hold ? op->hold->file : NULL;

	return f && (f->readers || f->writers) && !file_is_complete_locked(f);
}

int pending_wait_journal(struct fs *fs, uint64_t ticket, struct error *err)
{
	struct error why = ERROR_INIT;

	if (!ticket || journal_wait(fs->journal, ticket, &why) == 0)
		return 0;
	/* Whatever it is (a full disk, say), it is not the cloud's refusal: what is queued stays queued. */
	return error_set(err, ERR_UNAVAILABLE, "%s", why.message);
}

uint64_t pending_forget_row(struct pending *op)
{
	op->is_forgotten = true;
	return journal_delete(op->fs->journal, op->seq);
}

static void run_job(struct job *job)
{
	struct pending *op = container_of(job, struct pending, job);
	struct fs *fs = op->fs;
	struct error err = ERROR_INIT;
	uint64_t ticket;

	lock_take(&fs->lock);
	op->state = PENDING_RUNNING;
	op->was_tried = true;
	op->started_ms = clock_mono_ms();
	fs->queue.running++;
	log_debug("change.begin", "seq=%" PRIu64 " what=%s key='%s' from='%s' attempts=%u", op->seq,
		  pending_kind_name(op->kind), op->key, op->from_key ? op->from_key : "", op->attempts);
	ticket = op->ticket;
	lock_drop(&fs->lock);
	/* Else a crash could leave a change half done of which nobody knows. */
	if (pending_wait_journal(fs, ticket, &err) < 0) {
		LOCKED(&fs->lock);
		pending_retry_locked(op, &err);
		return;
	}
	if (op->kind == PENDING_PUT)
		upload_run(op);
	else
		namespace_run(op);
}

static void start_locked(struct pending *op)
{
	struct fs *fs = op->fs;
	struct pending *blocker;

	if (fs->queue.is_stopping)
		return;
	blocker = pending_keys_blocker(op);
	if (blocker) {
		op->state = PENDING_BLOCKED;
		op->blocked_on = blocker;
		op->next_blocked = blocker->blocked;
		blocker->blocked = op;
		return;
	}
	if (pending_is_held_open_locked(op)) {
		op->state = PENDING_BLOCKED; /* pending_released_locked starts it */
		return;
	}
	if (op->kind == PENDING_DELETE) {
		if (!pending_delete_rests_locked(op))
			pending_start_delete_locked(op);
		return;
	}
	op->state = PENDING_QUEUED;
	op->job = (struct job){ .run = run_job, .priority = op->kind == PENDING_PUT ? 1 : 0 };
	workers_submit(fs->up, &op->job);
}

void pending_wait_until_locked(struct pending *op, uint64_t due_ms)
{
	struct fs *fs = op->fs;

	op->state = PENDING_WAITING;
	op->due_ms = due_ms;
	if (pending_heap_add(&fs->queue, op) < 0)
		start_locked(op); /* without memory for the heap: sooner rather than never */
	else if (fs->queue.due[0] == op) /* the ticker sleeps until the first is due: a later one is no news to it */
		cond_signal(&fs->ticker_cond);
}

static void unblock_all_locked(struct pending *op)
{
	struct pending *waiting = steal(op->blocked);

	while (waiting) {
		struct pending *next = waiting->next_blocked;

		waiting->next_blocked = NULL;
		waiting->blocked_on = NULL;
		pending_wait_until_locked(waiting, 0);
		waiting = next;
	}
}

static void take_from_blocker(struct pending *op)
{
	struct pending **at;

	if (!op->blocked_on)
		return;
	at = &op->blocked_on->blocked;
	while (*at != op)
		at = &(*at)->next_blocked;
	*at = op->next_blocked;
	op->next_blocked = NULL;
	op->blocked_on = NULL;
}

bool pending_stop_waiting_locked(struct pending *op)
{
	switch (op->state) {
	case PENDING_RUNNING:
		return false;
	case PENDING_QUEUED:
		if (op->is_rider) {
			op->is_rider = false;
			return true;
		}
		if (!workers_cancel(op->fs->up, &op->job))
			return false;
		if (op->kind == PENDING_DELETE) {
			pending_carrier_unlink_locked(op);
			pending_free_riders_locked(op);
		}
		return true;
	case PENDING_WAITING:
		pending_heap_remove(&op->fs->queue, op);
		return true;
	case PENDING_BLOCKED:
		take_from_blocker(op);
		return true;
	}
	return false;
}

static void hold_locked(struct pending *op, struct node *n)
{
	op->hold = n;
	op->next_held = op->fs->queue.held;
	op->fs->queue.held = op;
	tree_pin(n);
}

static void let_go_locked(struct pending *op)
{
	struct pending **at = &op->fs->queue.held;

	if (!op->hold)
		return;
	while (*at != op)
		at = &(*at)->next_held;
	*at = op->next_held;
	tree_unpin(&op->fs->tree, steal(op->hold));
}

static void release_nodes_locked(struct pending *op)
{
	struct fs *fs = op->fs;
	struct node *n = steal(op->node);

	if (n) {
		if (n->put == op)
			n->put = NULL;
		if (n->rare->meta == op)
			n->rare->meta = NULL;
		n->rare->pending_count--;
		rare_tidy(n);
		tree_changed(&fs->tree, n); /* a listing that began before this end knows nothing of it */
		n->expires_ms = clock_mono_ms() + fs->options.meta_ttl_ms;
		tree_unpin(&fs->tree, n);
	}
	let_go_locked(op);
}

void pending_done_locked(struct pending *op)
{
	struct fs *fs = op->fs;

	lock_assert_held(&fs->lock);
	if (op->state == PENDING_RUNNING) {
		fs->queue.running--;
		fs->queue.deletes_running -= op->kind == PENDING_DELETE;
	}
	log_debug("change.end", "seq=%" PRIu64 " what=%s key='%s' abandoned=%d", op->seq, pending_kind_name(op->kind),
		  op->key, op->is_abandoned);
	if (op->state == PENDING_RUNNING && !op->is_abandoned)
		pending_view_note_gone_locked(op);
	queue_unlink(op);
	fs_note_over_locked(fs, op->seq);
	FAULT_POINT("change-done");
	if (!op->is_forgotten)
		journal_finish(fs->journal, op->seq); /* redoing it after a crash is harmless, so nobody waits */
	unblock_all_locked(op);
	release_nodes_locked(op);
	fs->queue.done_total++;
	cond_broadcast(&fs->changed);
	pending_free(op);
}

/* How long one that is to be done once more rests before; UINT64_MAX: until its file is closed, since it was written to again
 * meanwhile. But who waits in close or fsync for what is there now gets it, and so do writers that wait for its room. */
static uint64_t again_after_ms_locked(const struct pending *op)
{
	const struct file *f = op->kind == PENDING_PUT ? op->node->file : NULL;

	if (op->kind == PENDING_ABORT)
		return owed_rest_ms(op);
	if (!f || !f->writers || f->closing_waiting)
		return 0;
	if (passthrough_is_only_kept_locked(f))
		return op->fs->options.upload_delay_ms;
	return op->fs->space_waiters ? ROOM_AGAIN_MS : UINT64_MAX;
}

/* false: nobody wants it any more, and it is gone. */
static bool stop_running_locked(struct pending *op)
{
	lock_assert_held(&op->fs->lock);
	op->fs->queue.running--;
	op->fs->queue.deletes_running -= op->kind == PENDING_DELETE;
	if (op->is_abandoned) {
		op->state = PENDING_QUEUED; /* counted out already */
		pending_done_locked(op);
		return false;
	}
	cancel_destroy(&op->cancel);
	cancel_init(&op->cancel);
	return true;
}

void pending_again_locked(struct pending *op)
{
	if (!stop_running_locked(op))
		return;
	op->wants_redo = false;
	pending_wait_until_locked(op, clock_mono_ms());
	cond_broadcast(&op->fs->changed);
}

void pending_retry_locked(struct pending *op, const struct error *err)
{
	struct fs *fs = op->fs;
	uint64_t wait_ms = 0;

	if (!stop_running_locked(op))
		return;
	if (err) {
		unsigned shift = op->attempts < 6 ? op->attempts : 6;

		op->attempts++;
		op->error = *err;
		op->is_failed = !error_is_retryable(err->kind) && err->kind != ERR_CONFLICT;
		wait_ms = (uint64_t)RETRY_FIRST_MS << shift;
		wait_ms = op->is_failed ? RETRY_REFUSED_MS : wait_ms > RETRY_MOST_MS ? RETRY_MOST_MS : wait_ms;
		if (err->kind == ERR_BUDGET) /* nothing was sent, and nobody tells when it is raised */
			wait_ms = RETRY_BUDGET_MS;
		wait_ms = wait_ms / 2 + random_below(wait_ms / 2 + 1);
		if (wait_ms < err->retry_after_ms)
			wait_ms = err->retry_after_ms;
		fs->queue.failed_total++;
	} else {
		wait_ms = again_after_ms_locked(op);
	}
	op->wants_redo = false;
	if (wait_ms == UINT64_MAX)
		op->state = PENDING_BLOCKED;
	else
		pending_wait_until_locked(op, clock_mono_ms() + wait_ms);
	cond_broadcast(&fs->changed);
}

/* By the clock that stamps files (which may stamp a little late, never early): a file with a later time than a row was written
 * to after it. */
static int64_t file_clock_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail */
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static const char *const sent_size_names[] = { "sent_size", "sent_size_1", "sent_size_2", "sent_size_3",
						"sent_size_4", "sent_size_5", "sent_size_6", "sent_size_7" };
static const char *const sent_heard_names[] = { "sent_heard", "sent_heard_1", "sent_heard_2", "sent_heard_3",
						"sent_heard_4", "sent_heard_5", "sent_heard_6", "sent_heard_7" };
static const char *const sent_mtime_names[] = { "sent_mtime", "sent_mtime_1", "sent_mtime_2", "sent_mtime_3",
						"sent_mtime_4", "sent_mtime_5", "sent_mtime_6", "sent_mtime_7" };
_Static_assert(sizeof(sent_size_names) / sizeof(sent_size_names[0]) == PENDING_ATTEMPTS, "one name for each");

void pending_read_sent(struct pending *op, struct json_object *detail)
{
	for (size_t i = 0; i < PENDING_ATTEMPTS; i++)
		op->sent[i] = (struct attempt){ (uint64_t)json_get_int64(detail, sent_size_names[i], 0),
						json_get_int64(detail, sent_mtime_names[i], 0),
						json_get_int64(detail, sent_heard_names[i], 0) != 0 };
}

static int row_detail(const struct pending *op, struct json_object *o)
{
	struct attrs a = ATTRS_INIT;
	int r = 0;

	if (op->node && op->kind != PENDING_DELETE) {
		r = attrs_of_node(op->node, &a);
		if (r == 0)
			r = attrs_to_json(&a, o);
		attrs_release(&a);
		json_object_object_add(o, "at", json_object_new_int64(file_clock_ns()));
		json_object_object_add(o, "boot", json_object_new_int64((int64_t)durable_boot()));
		if (op->is_synced && op->synced_file == op->file_id)
			json_object_object_add(o, "synced", json_object_new_int64((int64_t)op->synced_size));
		json_object_object_add(o, "expect", json_object_new_int(op->node->expect));
		json_object_object_add(o, "size", json_object_new_int64((int64_t)op->node->size));
		if (node_has_version(op->node))
			json_object_object_add(o, "version", json_object_new_string(node_version(op->node).text));
		if (op->kind == PENDING_OPENED)
			passthrough_describe(op->node->file, o);
		if (op->node->file && op->node->file->base_version[0])
			json_object_object_add(o, "base", json_object_new_string(op->node->file->base_version));
	}
	for (size_t i = 0; i < PENDING_ATTEMPTS && op->sent[i].mtime_ns; i++) {
		json_object_object_add(o, sent_size_names[i], json_object_new_int64((int64_t)op->sent[i].size));
		json_object_object_add(o, sent_mtime_names[i], json_object_new_int64(op->sent[i].mtime_ns));
		if (op->sent[i].is_heard)
			json_object_object_add(o, sent_heard_names[i], json_object_new_int64(1));
	}
	if (op->kind == PENDING_ABORT)
		json_object_object_add(o, "at", json_object_new_int64(op->since_ns));
	upload_describe_locked(op, o);
	return r;
}

uint64_t pending_update_locked(struct pending *op)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct journal_row row;

	if (op->kind == PENDING_PUT && op->node && op->node->file)
		op->flags = (op->flags & ~PENDING_FLAG_WHOLE) | (op->node->file->is_whole ? PENDING_FLAG_WHOLE : 0);
	row = (struct journal_row){
		.seq = op->seq,
		.kind = op->kind,
		.flags = op->flags,
		.file_id = op->file_id,
		.store = op->store->name,
		.bucket = op->bucket,
		.key = op->key,
		.from_bucket = op->from_bucket ? op->from_bucket : "",
		.from_key = op->from_key ? op->from_key : "",
	};

	lock_assert_held(&op->fs->lock);
	if (!o || row_detail(op, o) < 0)
		return 0;
	row.detail = str_of(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	op->ticket = journal_put(op->fs->journal, &row);
	return op->ticket;
}

int pending_op_locked(struct fs *fs, enum pending_kind kind, const struct location *where,
		      const struct location *from, struct node *n, struct node *hold, uint64_t delay_ms,
		      uint64_t *ret_ticket, struct error *err)
{
	struct pending *op = n && !rare_make(n) ? NULL : pending_new(fs, kind, journal_next_seq(fs->journal), where, from);

	if (!op)
		return error_set(err, ERR_NO_MEMORY, "no memory for the upload queue");
	adopt_node_locked(op, n);
	if (hold)
		hold_locked(op, hold);
	pending_insert_locked(fs, op);
	log_debug("change.queue", "seq=%" PRIu64 " what=%s key='%s' from='%s'", op->seq, pending_kind_name(kind), op->key,
		  op->from_key ? op->from_key : "");
	*ret_ticket = pending_update_locked(op);
	pending_wait_until_locked(op, clock_mono_ms() + delay_ms);
	return 0;
}

void pending_adopt_locked(struct fs *fs, struct pending *op)
{
	adopt_node_locked(op, op->node);
	if (op->kind == PENDING_META || op->kind == PENDING_MARKER)
		op->node->rare->meta = op;
	op->was_tried = op->kind != PENDING_PUT || op->sent[0].mtime_ns; /* an upload's row says so before its first byte goes */
	pending_insert_locked(fs, op);
	pending_wait_until_locked(op, 0);
}

int pending_put_locked(struct fs *fs, struct node *n, uint64_t *ret_ticket, struct error *err)
{
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	struct pending *op;
	int r;

	JOURNAL_GROUP(fs->journal);
	*ret_ticket = n->put ? n->put->unsure_ticket : 0;
	if (n->put || n->is_detached)
		return 0;
	r = tree_path_key(n, &where);
	if (r < 0)
		return error_errno(err, -r, "no object can have this name");
	op = rare_make(n) ? pending_new(fs, PENDING_PUT, journal_next_seq(fs->journal), &where, NULL) : NULL;
	if (!op)
		return error_set(err, ERR_NO_MEMORY, "no memory for the upload queue");
	op->file_id = n->file->id;
	op->flags = n->file->is_whole ? PENDING_FLAG_WHOLE : 0;
	n->file->dirty_since_ms = clock_mono_ms();
	op->state = PENDING_BLOCKED; /* until the file is closed */
	adopt_node_locked(op, n);
	n->put = op;
	/* A deletion that waits at this key is no longer wanted: the upload replaces the object. */
	(void)pending_retract_locked(fs, PENDING_DELETE, &where, ret_ticket);
	pending_insert_locked(fs, op);
	log_debug("change.queue", "seq=%" PRIu64 " what=upload key='%s' expect=%d", op->seq, op->key, n->expect);
	*ret_ticket = op->unsure_ticket = pending_update_locked(op);
	(void)passthrough_unguard_locked(n->file); /* after the new row: there is always one */
	return 0;
}

void pending_put_due_locked(struct fs *fs, struct node *n, uint64_t delay_ms)
{
	struct pending *op = n->put;
	uint64_t due;

	if (!op)
		return;
	if (fs->space_waiters) /* who came for room before has hurried it already, and must not wait for it to rest */
		delay_ms = 0;
	due = clock_mono_ms() + delay_ms;
	if (op->state == PENDING_RUNNING)
		return; /* it looks at the file's generation when it ends */
	if (op->state == PENDING_WAITING && op->attempts && delay_ms)
		return; /* after a failure its own time counts */
	if (pending_stop_waiting_locked(op))
		pending_wait_until_locked(op, due);
}

uint64_t pending_put_cancel_locked(struct fs *fs, struct node *n)
{
	struct pending *op = n->put;
	uint64_t ticket;

	lock_assert_held(&fs->lock);
	if (!op)
		return n->file ? passthrough_unguard_locked(n->file) : 0;
	/* From here on a crash must not bring it back, whether it runs or not. */
	ticket = journal_delete(fs->journal, op->seq);
	n->put = NULL;
	if (n->file)
		upload_discard_locked(n->file);
	if (pending_stop_waiting_locked(op)) {
		pending_done_locked(op);
		return ticket;
	}
	op->is_abandoned = true;
	n->expect = EXPECT_ANY; /* it may arrive all the same */
	cancel_fire(&op->cancel);
	return ticket;
}

int pending_put_rekey_locked(struct fs *fs, struct node *n, uint64_t *ret_ticket, struct error *err)
{
	bool was_open = n->file && n->file->writers;
	uint64_t origin = n->put ? n->put->origin_seq : 0, synced_size = n->put ? n->put->synced_size : 0;
	bool is_synced = n->put && n->put->is_synced && n->put->synced_file == n->put->file_id;
	struct attempt sent[PENDING_ATTEMPTS] = { 0 };
	int r;

	if (n->put)
		memcpy(sent, n->put->sent, sizeof(sent));
	JOURNAL_GROUP(fs->journal);
	/* A new operation with a new seq: whatever was queued for the new key before comes first. */
	tree_pin(n);
	(void)pending_put_cancel_locked(fs, n); /* the new row's ticket is a later one */
	r = pending_put_locked(fs, n, ret_ticket, err);
	if (r == 0 && n->put && is_synced) { /* the same file: what fsync promised goes along */
		n->put->is_synced = true;
		n->put->synced_size = synced_size;
		n->put->synced_file = n->put->file_id;
	}
	if (r == 0 && n->put) /* what arrived under the old name is moved to the new one by the store */
		memcpy(n->put->sent, sent, sizeof(sent));
	if (r == 0 && n->put && (is_synced || sent[0].mtime_ns))
		*ret_ticket = pending_update_locked(n->put);
	if (r == 0 && n->put && origin)
		n->put->origin_seq = origin; /* who waits for the upload under its old name waits on */
	if (r == 0 && !was_open)
		pending_put_due_locked(fs, n, fs->options.upload_delay_ms);
	tree_unpin(&fs->tree, n);
	return r;
}

bool pending_retract_locked(struct fs *fs, enum pending_kind kind, const struct location *where,
			    uint64_t *ret_ticket)
{
	uint64_t hash = pending_keys_hash(where->store, where->bucket, where->key);

	for (struct claim *c = fs->queue.claims[hash % CLAIM_SLOTS]; c; c = c->next) {
		struct pending *op = c->op;

		if (c->hash != hash || op->kind != kind || op->store != where->store || c != &op->claims[0] ||
		    strcmp(op->key, where->key) != 0 || strcmp(op->bucket, where->bucket) != 0)
			continue;
		if (pending_keys_is_counted_on(op) || !pending_stop_waiting_locked(op))
			continue;
		*ret_ticket = journal_delete(fs->journal, op->seq);
		pending_done_locked(op);
		return true;
	}
	return false;
}

bool pending_is_below_locked(const struct pending *op, struct node *dir)
{
	CLEANUP(location_release) struct location where = LOCATION_INIT;

	if (!dir || (op->node && !op->node->is_detached))
		return !dir || tree_is_below(op->node, dir);
	/* Of a name in a directory that was removed since. */
	if (dir->type == NODE_ROOT || dir->type == NODE_STORE)
		return dir->type == NODE_ROOT || dir_of(dir)->store == op->store;
	return tree_path_key(dir, &where) == 0 && where.store == op->store && strcmp(where.bucket, op->bucket) == 0 &&
	       strncmp(op->key, where.key, strlen(where.key)) == 0;
}

size_t pending_hurry_locked(struct fs *fs, struct node *dir, uint64_t up_to_seq)
{
	struct pending *next;
	size_t count = 0;

	for (struct pending *op = fs->queue.first; op; op = next) {
		next = op->next;
		if (op->origin_seq > up_to_seq || !pending_is_below_locked(op, dir) || owed_is_only_care(op))
			continue;
		count++;
		if (op->kind == PENDING_ABORT && op->passes)
			continue; /* its rest is what it is about */
		if (op->state == PENDING_WAITING && op->due_ms > clock_mono_ms() && (!op->attempts || !op->was_hurried)) {
			op->was_hurried = op->attempts > 0; /* a failed one is brought forward once; then its own time counts */
			pending_heap_remove(&fs->queue, op);
			pending_wait_until_locked(op, 0);
		} else if (op->state == PENDING_BLOCKED && op->kind == PENDING_PUT && !op->blocked_on) {
			pending_wait_until_locked(op, 0); /* still open: what is written so far goes up */
		}
	}
	return count;
}

uint64_t pending_run_due_locked(struct fs *fs, uint64_t now_ms)
{
	struct pending_queue *q = &fs->queue;

	while (q->due_count && q->due[0]->due_ms <= now_ms) {
		struct pending *op = q->due[0];

		pending_heap_remove(q, op);
		start_locked(op);
	}
	return q->due_count ? q->due[0]->due_ms : UINT64_MAX;
}

void pending_released_locked(struct fs *fs, struct node *n)
{
	for (struct pending *op = fs->queue.held; op; op = op->next_held)
		if (op->hold == n && op->state == PENDING_BLOCKED && !pending_is_held_open_locked(op)) {
			take_from_blocker(op);
			pending_wait_until_locked(op, 0);
		}
}

void pending_release(struct fs *fs)
{
	struct pending_queue *q = &fs->queue;

	while (q->first) {
		struct pending *op = q->first;

		queue_unlink(op);
		release_nodes_locked(op);
		pending_free(op);
	}
	pending_view_release(fs);
	free(q->claims);
	free(q->due);
	q->claims = NULL;
	q->due = NULL;
}
