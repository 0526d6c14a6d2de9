#include "backends/base/clock.h"
#include "fs/file.h"
#include "fs/owed.h"
#include "fs/pending.h"
#include "fs/upload.h"
#include <time.h>

#define LOOK_PER_MS	  32u
#define LOOK_REST_MOST_MS 500u

/* The node at a path below the mount's root; NULL when the tree does not know it (then nothing is pending there). */
static struct node *node_at_path(struct fs *fs, const char *path)
{
	struct str rest = str_of(path);
	struct node *n = fs->tree.mount_root;

	while (n && rest.ptr) {
		struct str part = str_split(&rest, '/');
		CLEANUP(freep) char *name = str_dup(part);

		if (part.len == 0)
			continue;
		n = name ? tree_child(&fs->tree, n, name) : NULL;
	}
	return n;
}

static void count_locked(struct fs *fs, struct node *top, uint64_t up_to, struct fs_progress *ret, bool *ret_only_failed)
{
	*ret = (struct fs_progress){ .bytes_sent = fs->queue.bytes_sent_total };
	*ret_only_failed = true;
	for (const struct pending *op = fs->queue.first; op; op = op->next) {
		uint64_t sent = atomic_load(&op->sent_bytes);

		if (op->origin_seq > up_to || !pending_is_below_locked(op, top) || owed_is_only_care(op))
			continue;
		if (op->kind == PENDING_PUT) {
			uint64_t size = op->node ? op->node->size : 0;

			if (op->node && op->node->file && op->node->file->upload)
				sent = upload_sent_locked(op->node->file);
			ret->files_left++;
			ret->bytes_left += size > sent ? size - sent : 0;
		} else {
			ret->ops_left++;
		}
		/* One that was refused for good, and is not being tried right now, is what sync gives up on. */
		if (!op->is_failed || op->state == PENDING_RUNNING || op->state == PENDING_QUEUED)
			*ret_only_failed = false;
	}
}

static void collect_failures_locked(struct fs *fs, struct node *top, uint64_t up_to, struct json_object *list,
				    struct error *first)
{
	for (const struct pending *op = fs->queue.first; op; op = op->next) {
		CLEANUP(freep) char *path = op->node ? tree_path(&fs->tree, op->node) : NULL;
		struct json_object *o;

		if (op->origin_seq > up_to || !pending_is_below_locked(op, top) || owed_is_only_care(op))
			continue;
		if (op->error.kind && !first->kind)
			*first = op->error;
		o = json_object_new_object();
		json_object_object_add(o, "path", json_object_new_string(path ? path : op->key));
		json_object_object_add(o, "error", json_object_new_string(op->error.kind ? op->error.message : "not uploaded yet"));
		json_object_object_add(o, "kind", json_object_new_string(op->error.kind ? error_name(op->error.kind) : "timeout"));
		json_object_array_add(list, o);
	}
}

/* Refused ones, too, are tried once more when somebody asks. */
static uint64_t start_locked(struct fs *fs, struct node *top)
{
	uint64_t up_to;

	passthrough_settle_all_locked(fs);
	up_to = fs->queue.last ? fs->queue.last->seq : 0;
	for (struct pending *op = fs->queue.first; op; op = op->next)
		if (op->seq > up_to)
			up_to = op->seq;
	for (struct pending *op = fs->queue.first; op; op = op->next)
		if (pending_is_below_locked(op, top) && op->state == PENDING_WAITING)
			op->is_failed = op->was_hurried = false;
	(void)pending_hurry_locked(fs, top, up_to);
	return up_to;
}

/* Each look goes through all that is queued. With thousands there, a look at each one's end would cost more than the uploads do. */
static void rest_locked(struct fs *fs)
{
	uint64_t rest_ms = fs->queue.count / LOOK_PER_MS;

	if (!rest_ms || fs->queue.is_stopping)
		return;
	if (rest_ms > LOOK_REST_MOST_MS)
		rest_ms = LOOK_REST_MOST_MS;
	lock_drop(&fs->lock);
	(void)nanosleep(&(struct timespec){ .tv_nsec = (long)rest_ms * 1000000 }, NULL);
	lock_take(&fs->lock);
}

int fs_sync(struct fs *fs, const char *path, uint64_t deadline_mono_ms, struct cancel *cancel,
	    void (*progress)(void *arg, const struct fs_progress *p), void *arg, struct json_object **ret_failures,
	    struct error *err)
{
	struct json_object *failures = json_object_new_array();
	struct error first = ERROR_INIT;
	struct fs_progress p;
	struct node *top;
	uint64_t up_to, next_ms = 0;
	bool only_failed, is_all = !path || !path[0] || strcmp(path, "/") == 0;
	int r = 0;

	lock_take(&fs->lock);
	top = is_all ? NULL : node_at_path(fs, path);
	if (!top && !is_all) {
		lock_drop(&fs->lock);
		json_object_put(failures);
		return 0; /* nothing here knows of it, so nothing of it is pending */
	}
	if (top)
		tree_pin(top);
	up_to = start_locked(fs, top);
	for (;;) {
		uint64_t now = clock_mono_ms();

		count_locked(fs, top, up_to, &p, &only_failed);
		if (!p.files_left && !p.ops_left)
			break;
		if (only_failed)
			r = 1;
		else if (deadline_mono_ms && now >= deadline_mono_ms)
			r = error_set(&first, ERR_TIMEOUT, "not everything is in the cloud yet");
		else if (cancel_is_fired(cancel) || fs->queue.is_stopping)
			r = error_set(&first, ERR_CANCELLED, "interrupted before everything was in the cloud");
		if (r)
			break;
		if (progress && now >= next_ms) {
			lock_drop(&fs->lock);
			progress(arg, &p);
			next_ms = now + 200;
			lock_take(&fs->lock);
		}
		(void)cond_wait_until(&fs->changed, &fs->lock, now + 200);
		rest_locked(fs);
		(void)pending_hurry_locked(fs, top, up_to);
	}
	if (r)
		collect_failures_locked(fs, top, up_to, failures, &first);
	if (is_all && fs->lost_rows && !r)
		r = error_set(&first, ERR_IO, "%zu changes of an earlier run cannot be taken up (their data is kept in '%s')",
			      fs->lost_rows, fs->cache_dir);
	if (top)
		tree_unpin(&fs->tree, top);
	lock_drop(&fs->lock);
	if (progress)
		progress(arg, &p);
	if (r && !first.kind)
		(void)error_set(&first, ERR_IO, "some files could not be uploaded");
	if (ret_failures)
		*ret_failures = failures;
	else
		json_object_put(failures);
	if (r && err)
		*err = first;
	return r ? -error_errnum(first.kind) : 0;
}
