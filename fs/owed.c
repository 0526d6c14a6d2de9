#include "fs/owed.h"
#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include "backends/base/json.h"

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

static int abort_one(struct pending *op, const char *id, struct error *err)
{
	int r = store_upload_abort(op->store, op->bucket, op->key, id, err);

	FAULT_POINT("owed-aborted");
	return r < 0 && err->kind == ERR_NOT_FOUND ? 0 : r;
}

int owed_run(struct pending *op, struct error *err)
{
	CLEANUP(store_upload_page_release) struct store_upload_page page = STORE_UPLOAD_PAGE_INIT;
	int r;

	if (op->upload_id)
		return abort_one(op, op->upload_id, err);
	if (!op->store->ops->upload_list)
		return 0; /* such a store has none that stay */
	r = store_upload_list(op->store, op->bucket, op->key, &page, err);
	for (size_t i = 0; i < page.count && r == 0; i++)
		if (strcmp(page.uploads[i].key, op->key) == 0 &&
		    page.uploads[i].started_wall_ns >= op->since_ns - CLOCKS_DIFFER_NS)
			r = abort_one(op, page.uploads[i].upload_id, err);
	return r < 0 && err->kind == ERR_NOT_FOUND ? 0 : r;
}
