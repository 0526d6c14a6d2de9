#include "fs/owed.h"
#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include "backends/base/json.h"
#include "backends/base/log.h"
#include "fs/upload_private.h"

/* Between their clock, by which the store says when an upload began, and ours, which said when the row was written. */
#define CLOCKS_DIFFER_NS (INT64_C(900) * 1000000000)

static uint64_t put_row(struct fs *fs, const struct store *store, const char *bucket, const char *key, uint64_t seq,
			const char *id)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct journal_row row = { .seq = seq, .kind = PENDING_ABORT, .store = store->name, .bucket = bucket, .key = key,
				   .from_bucket = "", .from_key = "" };

	if (!o)
		return 0;
	json_object_object_add(o, "at", json_object_new_int64(clock_wall_ns()));
	if (id)
		json_object_object_add(o, "upload", json_object_new_string(id));
	row.detail = str_of(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	return journal_put(fs->journal, &row);
}

int owed_note(struct fs *fs, const struct store *store, const char *bucket, const char *key, uint64_t *ret_seq,
	      struct error *err)
{
	uint64_t seq = journal_next_seq(fs->journal);
	int r = journal_wait(fs->journal, put_row(fs, store, bucket, key, seq, NULL), err);

	if (r == 0)
		*ret_seq = seq;
	return r;
}

void owed_name(struct fs *fs, const struct store *store, const char *bucket, const char *key, uint64_t seq, const char *id)
{
	if (seq)
		(void)put_row(fs, store, bucket, key, seq, id); /* without it the upload is found by its key */
}

void owed_settle(struct fs *fs, uint64_t seq)
{
	if (seq)
		journal_finish(fs->journal, seq);
}

/* One for each key is enough of those that look for uploads without a name. */
static struct pending *find_unnamed_locked(struct fs *fs, const struct location *where)
{
	struct pending *op = fs->queue.first;

	while (op && !(op->kind == PENDING_ABORT && !op->upload_id && op->store == where->store &&
		       strcmp(op->bucket, where->bucket) == 0 && strcmp(op->key, where->key) == 0))
		op = op->next;
	return op;
}

bool owed_later_locked(struct fs *fs, const struct owed *owed)
{
	struct pending *op = owed->id ? NULL : find_unnamed_locked(fs, &owed->where);

	if (op) {
		op->passes = 0;
		return true;
	}
	op = pending_new(fs, PENDING_ABORT, journal_next_seq(fs->journal), &owed->where, NULL);
	if (op && owed->id && !(op->upload_id = strdup(owed->id))) {
		pending_free(op);
		op = NULL;
	}
	if (!op)
		return false;
	op->passes = owed->passes;
	op->since_ns = owed->since_ns;
	op->is_without_parts = !owed->id;
	pending_insert_locked(fs, op);
	(void)pending_update_locked(op); /* nobody waits for it */
	pending_wait_until_locked(op, clock_mono_ms() + OWED_AGAIN_MS);
	return true;
}

uint64_t owed_rest_ms(const struct pending *op)
{
	return (uint64_t)OWED_AGAIN_MS << (op->passes ? op->passes - 1 : 0);
}

static unsigned passes_of(const struct pending *op)
{
	return op->store->caps & STORE_CAP_LATE_PARTS ? OWED_PASSES_LATE : OWED_PASSES;
}

bool owed_is_only_care(const struct pending *op)
{
	return op->kind == PENDING_ABORT && op->passes >= OWED_PASSES;
}

void owed_end_locked(struct fs *fs)
{
	for (struct pending *op = fs->queue.first; op; op = op->next)
		if (owed_is_only_care(op))
			(void)pending_forget_row(op); /* drained with all others */
}

void owed_over_locked(struct fs *fs, const char *upload_id)
{
	for (struct pending *op = fs->queue.first; op; op = op->next) {
		if (op->kind != PENDING_ABORT || !op->upload_id || strcmp(op->upload_id, upload_id) != 0)
			continue;
		/* The parts that the earlier mount was sending may be on their way yet. */
		op->passes = op->store->caps & STORE_CAP_LATE_PARTS ? 1 : OWED_PASSES;
		if (!pending_stop_waiting_locked(op))
			return;
		if (op->passes == OWED_PASSES)
			pending_done_locked(op);
		else
			pending_wait_until_locked(op, clock_mono_ms() + owed_rest_ms(op));
		return;
	}
}

static int abort_one(struct pending *op, const char *id, struct error *err)
{
	int r = store_upload_abort(op->store, op->bucket, op->key, id, err);

	FAULT_POINT("owed-aborted");
	return r < 0 && err->kind == ERR_NOT_FOUND ? 0 : r;
}

enum use { USE_NONE, USE_MAYBE, USE_OURS };

/* A copy of a big object is an upload in parts, too, whose id only the store knows. */
static bool copies_to_locked(const struct pending *p, const char *key)
{
	return (p->kind == PENDING_RENAME || p->kind == PENDING_COPY) ? strcmp(p->key, key) == 0 :
	       p->kind == PENDING_RENAME_TREE			      ? strncmp(key, p->key, strlen(p->key)) == 0 :
									false;
}

/* Whether an upload of this mount has the id, or may turn out to have it: it is no leftover. */
static enum use use_of(struct pending *op, const char *id)
{
	LOCKED(&op->fs->lock);
	for (const struct pending *p = op->fs->queue.first; p; p = p->next) {
		const struct upload *u = p->kind == PENDING_PUT && p->node && p->node->file ? p->node->file->upload : NULL;

		if (p->store != op->store)
			continue;
		if ((p->upload_id && p->kind == PENDING_PUT && strcmp(p->upload_id, id) == 0) ||
		    (u && u->id && strcmp(u->id, id) == 0))
			return USE_OURS;
		if (copies_to_locked(p, op->key) || (u && u->is_beginning && strcmp(u->key, op->key) == 0))
			return USE_MAYBE;
	}
	return USE_NONE;
}

/* 1: it has; 0: it has none, or is gone. */
static int has_parts(struct pending *op, const char *id, struct error *err)
{
	CLEANUP(freep) struct store_part *parts = NULL;
	size_t count = 0;
	int r = op->store->ops->upload_parts ? store_upload_parts(op->store, op->bucket, op->key, id, &parts, &count, err) : 0;

	if (r < 0 && err->kind == ERR_NOT_FOUND) {
		*err = ERROR_INIT;
		return 0;
	}
	return r < 0 ? r : count > 0;
}

/* Of an upload whose id was never told: every one of its key that began since. *ret_is_open: one may yet turn out to be ours. */
static int abort_unnamed(struct pending *op, bool *ret_is_open, struct error *err)
{
	CLEANUP(store_upload_page_release) struct store_upload_page page = STORE_UPLOAD_PAGE_INIT;
	int r;

	if (!op->store->ops->upload_list)
		return 0; /* such a store has none that stay */
	r = store_upload_list(op->store, op->bucket, op->key, &page, err);
	for (size_t i = 0; i < page.count && r >= 0; i++) {
		const struct store_upload *u = &page.uploads[i];
		enum use use = USE_OURS;

		if (strcmp(u->key, op->key) == 0 && u->started_wall_ns >= op->since_ns - CLOCKS_DIFFER_NS)
			use = use_of(op, u->upload_id);
		if (use == USE_NONE && op->is_without_parts)
			r = has_parts(op, u->upload_id, err); /* then it is somebody else's, who is at it */
		*ret_is_open |= use == USE_MAYBE;
		if (use == USE_NONE && r == 0)
			r = abort_one(op, u->upload_id, err);
	}
	return r < 0 && err->kind != ERR_NOT_FOUND ? r : 0;
}

/* Notes passes that were made; whether more are wanted. */
static bool again(struct pending *op, unsigned passes)
{
	LOCKED(&op->fs->lock);
	op->passes += passes;
	op->wants_redo = op->passes < passes_of(op);
	return op->wants_redo;
}

int owed_run(struct pending *op, struct error *err)
{
	bool is_used = op->upload_id && use_of(op, op->upload_id) != USE_NONE, is_open = false;
	int r;

	if (!again(op, 0) || is_used) /* in this order: an upload that ends makes it over before it lets go of the id */
		return 0;
	log_debug("upload.owed", "key='%s' id='%s' pass=%u", op->key, op->upload_id ? op->upload_id : "", op->passes);
	r = op->upload_id ? abort_one(op, op->upload_id, err) : abort_unnamed(op, &is_open, err);
	if (r == 0)
		(void)again(op, is_open ? 0 : 1);
	return r;
}
