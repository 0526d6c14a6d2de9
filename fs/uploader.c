#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include "backends/base/log.h"
#include "fs/attrs.h"
#include "fs/change.h"
#include "fs/intact.h"
#include "fs/listing.h"
#include "fs/node_version.h"
#include "fs/upload.h"
#include <sys/stat.h>

/* What an upload sends: taken under the lock, sent without it. */
struct snapshot {
	uint64_t generation, size, ticket;
	struct attrs attrs;
	enum node_expect expect;
	char version[STORE_VERSION_MAX];
	struct arena arena;
	struct store_put_args args;
	bool wants_parts;
	bool was_unheard;   /* an earlier attempt with this content may have arrived */
	bool has_old_attrs; /* what arrived has the attributes of when its upload began */
};

static void snapshot_release(struct snapshot *s)
{
	attrs_release(&s->attrs);
	arena_release(&s->arena);
}

static int snapshot_take_locked(struct pending *op, struct snapshot *s, struct error *err)
{
	struct node *n = op->node;
	struct store_meta *meta = NULL;
	int64_t mtime_ns;

	if (attrs_of_node(n, &s->attrs) < 0 ||
	    attrs_to_meta(&s->attrs, &s->arena, &meta, &s->args.meta_count) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for an upload");
	if (file_open_fd_locked(n->file, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			err->kind = ERR_UNAVAILABLE; /* too many open files, say: that passes */
		return -error_errnum(err->kind);
	}
	passthrough_settle_locked(n->file);
	s->generation = n->file->generation;
	s->size = n->size;
	s->expect = n->expect;
	if (n->expect == EXPECT_VERSION && node_has_version(n))
		memcpy(s->version, node_version(n).text, sizeof(s->version));
	s->args.meta = meta;
	/* No cancel: a request that was given up may still be carried out by the server, after the delete that followed it. What
	 * is no longer wanted is waited for; only parts, which change nothing by themselves, are cut short. */
	/* Also where the server keeps no conditions: then the store compares. */
	s->args.if_absent = s->expect == EXPECT_ABSENT;
	s->args.if_version = s->expect == EXPECT_VERSION && s->version[0] ? s->version : NULL;
	s->wants_parts = n->file->upload || upload_wants_parts_locked(n->file, s->size);
	op->total = s->size;
	op->wants_redo = false;
	atomic_store(&op->sent_bytes, 0);
	if (!upload_begun_mtime_locked(n->file, &mtime_ns))
		mtime_ns = s->attrs.mtime_ns;
	if (op->sent[0].size != s->size || op->sent[0].mtime_ns != mtime_ns) {
		memmove(&op->sent[1], &op->sent[0], (PENDING_ATTEMPTS - 1) * sizeof(op->sent[0]));
		op->sent[0] = (struct attempt){ .size = s->size, .mtime_ns = mtime_ns, .is_heard = true };
		op->most_sent = 0;
	}
	s->was_unheard = !op->sent[0].is_heard;
	if (!s->was_unheard)
		op->sent[0].content = s->generation + 1;
	else if (op->sent[0].content != s->generation + 1)
		op->sent[0].content = 0;
	op->sent[0].is_heard = false; /* from here on a kill leaves it open */
	/* Before the first byte goes: after a crash the object that arrived is known as our own. */
	s->ticket = pending_update_locked(op);
	file_sending_begin_locked(n->file);
	return 0;
}

/* The old version is gone, or only its bytes are wanted: the file does without it from now on, when all of it is here. */
static int let_base_go(struct pending *op, struct file *f, struct error *err)
{
	struct fs *fs = op->fs;
	uint64_t ticket = 0, size;
	int r;

	lock_take(&fs->lock);
	size = f->node->size;
	lock_drop(&fs->lock);
	r = fetch_fill(f, 0, size, err);
	if (r < 0 && err->kind == ERR_PRECONDITION)
		return error_set(err, ERR_PRECONDITION,
				 "the object changed in the cloud before its unchanged parts were read; what was written here "
				 "stays in the cache");
	if (r < 0)
		return error_prefix(err, r, "the rest of the file");
	if (fdatasync(f->fd) < 0) /* the row will say that the file is all there is */
		return error_errno(err, errno, "cannot sync a cache file");
	lock_take(&fs->lock);
	if (file_is_complete_locked(f)) {
		file_forget_base_locked(f);
		op->flags |= PENDING_FLAG_WHOLE;
		ticket = pending_update_locked(op);
	}
	lock_drop(&fs->lock);
	return ticket ? journal_wait(fs->journal, ticket, err) : error_set(err, ERR_CANCELLED, "the file was changed again");
}

int upload_let_base_go(struct pending *op, struct error *err)
{
	bool has_base;

	lock_take(&op->fs->lock);
	has_base = op->node->file->base_version[0] != '\0' || !op->node->file->is_whole;
	lock_drop(&op->fs->lock);
	return has_base ? let_base_go(op, op->node->file, err) : 0;
}

static int send_whole(struct pending *op, struct file *f, struct snapshot *s, const struct upload_content *content,
		      char *ret_version, struct error *err)
{
	struct store_source source = STORE_SOURCE_INIT;
	int r = fetch_fill(f, 0, s->size, err);

	if (r < 0)
		return error_prefix(err, r, "the rest of the file");
	if (s->wants_parts) {
		r = upload_multipart(op, f, content, ret_version, err);
		s->has_old_attrs = r == UPLOAD_OLD_ATTRS;
		if (r >= 0 || err->kind != ERR_UNSUPPORTED || s->size > op->store->limits.max_put_bytes)
			return r < 0 ? r : 0;
		*err = ERROR_INIT; /* what is there is of a kind that is not replaced in parts, as an append blob of Azure */
	}
	source.fd = f->fd;
	source.length = s->size;
	source.progress = &op->sent_bytes;
	r = intact_check(f, 0, s->size, &source.crc32c, err);
	if (r < 0)
		return r;
	source.has_crc32c = true;
	FAULT_POINT("put-before");
	r = store_put(op->store, op->bucket, op->key, &source, &s->args, ret_version, err);
	FAULT_POINT("put-after");
	return r;
}

static int send_content(struct pending *op, struct file *f, struct snapshot *s, char *ret_version,
			struct error *err)
{
	struct upload_content content = { s->size, s->generation, s->attrs.mtime_ns, &s->args };
	int r = s->wants_parts ? upload_partial(op, f, &content, ret_version, err) : UPLOAD_NOT_PARTIAL;

	/* Nobody wants to know which version was there: then only its bytes are missed. */
	if (r < 0 && err->kind == ERR_PRECONDITION && s->expect != EXPECT_VERSION) {
		r = let_base_go(op, f, err);
		if (r == 0)
			r = UPLOAD_NOT_PARTIAL;
	}
	if (r != UPLOAD_NOT_PARTIAL)
		return r;
	*err = ERROR_INIT;
	return send_whole(op, f, s, &content, ret_version, err);
}

/* The cloud has what the snapshot held. */
static void succeeded_locked(struct pending *op, const struct snapshot *s, const char *version)
{
	struct fs *fs = op->fs;
	struct node *n = op->node;
	struct file *f = n->file;
	bool kernel_has_pages = !rare_of(n)->opened_version || !node_has_version(n) || node_is_version(n, n->rare->opened_version);

	fs->queue.bytes_sent_total += s->wants_parts ? 0 : s->size;
	node_set_version(n, version);
	n->expect = node_has_version(n) ? EXPECT_VERSION : EXPECT_ANY;
	op->sent[0].is_heard = !s->was_unheard; /* not before the version stands beside it */
	n->has_attrs = n->has_own_meta = true;
	tree_clear_remote(n);
	if (kernel_has_pages && node_has_version(n)) /* it wrote them itself */
		node_note_pages(n);
	file_sent_locked(f, version);
	f->is_new_version = false;
	f->uploaded_size = s->size;
	f->uploaded_mtime_ns = op->sent[0].mtime_ns;
}

/* Frees who waits for this upload (close with writeback=no, fsync=remote, writers short of space). */
static void wake_waiters(struct fs *fs, struct file *f, int err)
{
	struct parked *closing, *space = NULL;

	lock_take(&fs->lock);
	closing = park_claim_all_locked(&f->closing_waiting, err);
	if (!err)
		space = park_claim_all_locked(&fs->space_waiters, 0);
	lock_drop(&fs->lock);
	park_resume_all(closing);
	park_resume_all(space);
}

static void note_failure_locked(struct pending *op, const struct error *err)
{
	struct fs *fs = op->fs;
	CLEANUP(freep) char *path = tree_path(&fs->tree, op->node);
	struct node *bucket = tree_bucket_of(op->node);

	if (op->attempts == 0 || error_is_retryable(err->kind) != error_is_retryable(op->error.kind))
		fs_note_failure_locked(fs, path ? path : op->key, op->seq, err);
	if (err->kind == ERR_PERMISSION && bucket) {
		bucket->is_readonly = true;
		node_dir(bucket)->readonly_until_ms = clock_mono_ms() + 60000;
	}
}

static void finish_failed(struct pending *op, struct file *f, const struct error *err)
{
	struct fs *fs = op->fs;

	lock_take(&fs->lock);
	if (!op->is_abandoned && err->kind != ERR_CANCELLED)
		note_failure_locked(op, err);
	lock_drop(&fs->lock);
	if (err->kind != ERR_CANCELLED && !error_is_retryable(err->kind))
		wake_waiters(fs, f, error_errnum(err->kind));
	lock_take(&fs->lock);
	f->busy--;
	pending_retry_locked(op, err);
	lock_drop(&fs->lock);
}

static bool changed_meanwhile(struct pending *op, struct file *f, const struct snapshot *s)
{
	struct fs *fs = op->fs;

	LOCKED(&fs->lock);
	passthrough_settle_locked(f);
	if (f->generation == s->generation || op->is_abandoned)
		return false;
	f->busy--;
	pending_retry_locked(op, NULL);
	return true;
}

static void finish_done(struct pending *op, struct file *f, struct snapshot *s, const char *version)
{
	struct fs *fs = op->fs;
	struct node *n = op->node;
	struct location where = { op->store, op->bucket, op->key };
	struct error err = ERROR_INIT;
	uint64_t ticket;
	bool is_current;

	if (!s->has_old_attrs)
		attrs_remember(fs, &where, version, &s->attrs);
	lock_take(&fs->lock);
	if (op->is_abandoned) {
		f->busy--;
		pending_retry_locked(op, NULL);
		lock_drop(&fs->lock);
		return;
	}
	passthrough_settle_locked(f);
	succeeded_locked(op, s, version);
	is_current = f->generation == s->generation && !f->changing && !op->wants_redo;
	if (!is_current) {
		f->busy--;
		(void)pending_update_locked(op); /* what it is based on now; redoing with the old is only a conflict with itself */
		op->attempts = 0;
		pending_retry_locked(op, NULL);
		lock_drop(&fs->lock);
		return;
	}
	n->put = NULL;
	file_cleaned_locked(f, version);
	if (s->has_old_attrs) { /* they follow; before the row of the content is gone */
		log_debug("upload.attributes", "key='%s'", op->key);
		if (change_attrs_locked(fs, n, &ticket, &err) < 0)
			fs_note_error_locked(fs, op->key, &err);
		else if (rare_of(n)->meta && n->rare->meta->origin_seq > op->origin_seq)
			n->rare->meta->origin_seq = op->origin_seq; /* who waits for the file waits for them, too */
	}
	if (f->pass.writers) /* what it writes from now on */
		passthrough_guard_locked(f);
	tree_pin(n);
	lock_drop(&fs->lock);
	if (intact_settle(f) < 0)
		log_warn("sumlog.forget", "key='%s'", op->key); /* tried again before the next change */
	wake_waiters(fs, f, 0);
	lock_take(&fs->lock);
	FAULT_POINT("upload-finished");
	f->busy--;
	pending_done_locked(op);
	file_rest_locked(f);
	tree_unpin(&fs->tree, n);
	lock_drop(&fs->lock);
}

/* Whether a failure leaves no doubt that nothing arrived. Of requests it repeated the store has found out itself. */
static bool is_definite(const struct error *err)
{
	switch (err->kind) {
	case ERR_PRECONDITION:
	case ERR_NOT_FOUND:
	case ERR_EXISTS:
	case ERR_PERMISSION:
	case ERR_UNAUTHENTICATED:
	case ERR_INVALID:
	case ERR_QUOTA:
	case ERR_TOO_LARGE:
		return true;
	default:
		return false;
	}
}

static void note_refusal(struct pending *op, const struct snapshot *s, const struct error *err)
{
	LOCKED(&op->fs->lock);
	op->sent[0].is_heard = !s->was_unheard && is_definite(err);
}

void upload_run(struct pending *op)
{
	struct fs *fs = op->fs;
	CLEANUP(snapshot_release) struct snapshot s = { .arena = ARENA_INIT(1 << 20) };
	struct error err = ERROR_INIT;
	char version[STORE_VERSION_MAX] = "";
	struct file *f;
	int r;

	lock_take(&fs->lock);
	f = op->node->file;
	if (op->is_abandoned || !f) {
		pending_retry_locked(op, NULL); /* ends an abandoned one */
		lock_drop(&fs->lock);
		return;
	}
	f->busy++;
	lock_drop(&fs->lock);
	passthrough_quiesce(f);
	if (upload_take_up(op, f, &err) < 0) {
		finish_failed(op, f, &err);
		return;
	}
	lock_take(&fs->lock);
	r = snapshot_take_locked(op, &s, &err);
	lock_drop(&fs->lock);
	if (r == 0)
		r = journal_wait(fs->journal, s.ticket, &err);
	if (r == 0) {
		r = send_content(op, f, &s, version, &err);
		if (r < 0)
			note_refusal(op, &s, &err);
	}
	if (r < 0 && (err.kind == ERR_PRECONDITION || (err.kind == ERR_NOT_FOUND && s.args.if_version))) {
		struct attempt refused = { .size = s.size, .mtime_ns = s.attrs.mtime_ns, .content = s.generation + 1 };

		switch (conflict_resolve(op, &refused, version, &err)) {
		case CONFLICT_OURS:
			r = 0;
			break;
		case CONFLICT_RETRY:
			lock_take(&fs->lock);
			f->busy--;
			pending_again_locked(op);
			lock_drop(&fs->lock);
			return;
		case CONFLICT_STAYS:
			break;
		}
	}
	if (r < 0 && changed_meanwhile(op, f, &s))
		return; /* cut or written to while it was sent: no wonder, and no failure */
	if (r < 0)
		finish_failed(op, f, &err);
	else
		finish_done(op, f, &s, version);
}
