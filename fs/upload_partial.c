/*
 * A changed object is put together by the store from ranges of its old version and the parts that are sent.
 *
 * A store that cannot copy ranges may still take the whole old version as its first part (STORE_CAP_PART_WHOLE): then what is
 * appended is sent alone, and a change within the old version goes whole.
 *
 * What may go wrong with the copies, and what follows: the old version is gone (412, 404, a range beyond its end): the caller finds out
 * what is there now. The server cannot copy parts (501), or does it wrong: remembered for this mount, logged once, and the file is
 * fetched and sent whole. Anything else that does not pass: whole, this time.
 */
#include "backends/base/fault.h"
#include "backends/base/hash.h"
#include "backends/base/log.h"
#include "fs/node_version.h"
#include "fs/upload_private.h"
#include <assert.h>

#define COPY_PART_BYTES (UINT64_C(512) << 20) /* several go side by side, and the largest takes a server seconds, not minutes */
#define MIN_PART_BYTES	(UINT64_C(1) << 20)   /* where the store has no such limit: each part is a request */

static size_t store_index(const struct fs *fs, const struct store *store)
{
	size_t i = 0;

	while (i < fs->store_count && fs->stores[i] != store)
		i++;
	return i;
}

static bool copies_ranges(const struct store *store)
{
	return __atomic_load_n(&store->caps, __ATOMIC_RELAXED) & STORE_CAP_PART_COPY;
}

static bool can_copy_parts_locked(const struct fs *fs, const struct store *store)
{
	size_t i = store_index(fs, store);
	unsigned caps = __atomic_load_n(&store->caps, __ATOMIC_RELAXED);

	return (caps & (STORE_CAP_PART_COPY | STORE_CAP_PART_WHOLE)) && store->ops->part_copy && store->ops->upload_begin && i < 64 &&
	       !(fs->part_copy_is_bad >> i & 1);
}

static void distrust(struct upload *u, const char *why)
{
	struct fs *fs = u->fs;
	uint64_t bit = UINT64_C(1) << store_index(fs, u->store);
	bool was_bad;

	lock_take(&fs->lock);
	was_bad = fs->part_copy_is_bad & bit;
	fs->part_copy_is_bad |= bit;
	lock_drop(&fs->lock);
	if (!was_bad)
		log_warn("upload.no_part_copy", "store='%s' why='%s' note='changed objects are sent whole'", u->store->name, why);
}

static struct partplan_limits limits_of(const struct fs *fs, const struct store *store)
{
	const struct store_limits *l = &store->limits;
	struct partplan_limits limits = {
		.min_part_bytes = l->min_part_bytes > MIN_PART_BYTES ? l->min_part_bytes : MIN_PART_BYTES,
		.max_part_bytes = l->max_part_bytes,
		.send_bytes = fs->options.part_size,
		.copy_bytes = COPY_PART_BYTES,
		.max_parts = l->max_parts,
	};

	if (l->max_copy_bytes && l->max_copy_bytes < limits.max_part_bytes)
		limits.max_part_bytes = l->max_copy_bytes;
	return limits;
}

/* What is not dirty is what the old version has, if the node knows which one that is. */
static bool has_base_locked(const struct file *f)
{
	const struct node *n = f->node;

	if (!f->base_version[0] || n->is_copied || f->is_new_version)
		return false;
	return n->expect != EXPECT_VERSION || !node_has_version(n) || node_is_version(n, f->base_version);
}

static int take_plan_locked(struct upload *u, const struct partplan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct part *part = upload_part_at_locked(u, (unsigned)i);

		if (!part)
			return -ENOMEM;
		part->start = plan->parts[i].start;
		part->end = plan->parts[i].end;
		part->kind = plan->parts[i].kind;
	}
	return 0;
}

/* Two mounts that find the same have the same ranges to copy from the same bytes. */
static uint64_t hash_of_plan(const struct partplan *plan, const struct location *base, const char *version)
{
	uint64_t hash = hash_table64(version, strlen(version), plan->count);

	hash = hash_table64(base->bucket, strlen(base->bucket), hash);
	hash = hash_table64(base->key, strlen(base->key), hash);
	for (size_t i = 0; i < plan->count; i++) {
		const uint64_t part[] = { plan->parts[i].start, plan->parts[i].end, plan->parts[i].kind };

		hash = hash_table64(part, sizeof(part), hash);
	}
	return hash ? hash : 1; /* 0 says that there is none */
}

static int new_locked(struct file *f, uint64_t generation, const struct partplan *plan, struct location *base,
		      struct upload **ret)
{
	struct upload *u = upload_new_locked(f);

	if (!u)
		return -ENOMEM;
	u->is_partial = true;
	u->generation = generation;
	u->plan = hash_of_plan(plan, base, f->base_version);
	u->base = *base;
	*base = LOCATION_INIT;
	memcpy(u->base_version, f->base_version, STORE_VERSION_MAX);
	if (take_plan_locked(u, plan) < 0) {
		upload_discard_locked(f);
		return -ENOMEM;
	}
	*ret = u;
	return 0;
}

/* Takes up what the last try of the same content left. */
static bool resume_locked(struct file *f, const struct upload_content *content, struct upload **ret)
{
	struct upload *u = f->upload;

	if (!u || !u->is_partial || !u->id || u->is_overtaken || u->generation != content->generation ||
	    strcmp(u->key, f->node->put->key) != 0 || strcmp(u->base_version, f->base_version) != 0 ||
	    u->begun_meta != upload_meta_hash(content->args))
		return false;
	u->refs++;
	*ret = u;
	return true;
}

/* 0, UPLOAD_NOT_PARTIAL or -errno. */
static int make_plan_locked(struct pending *op, struct file *f, uint64_t size, struct partplan *plan, struct location *base)
{
	struct partplan_limits limits = limits_of(f->fs, op->store);
	int r = copies_ranges(op->store) ? partplan_make(&f->dirty, size, &limits, plan) :
					   partplan_append(&f->dirty, size, &limits, plan);

	if (r == -EFBIG || (r == 0 && plan->copied_bytes < limits.min_part_bytes))
		return UPLOAD_NOT_PARTIAL;
	if (r == 0)
		r = tree_remote_key(f->node, base);
	return r == 0 && (base->store != op->store || !base->key[0]) ? UPLOAD_NOT_PARTIAL : r;
}

static bool may_be_partial_locked(struct pending *op, struct file *f, uint64_t size)
{
	struct partplan_limits limits = limits_of(f->fs, op->store);

	return can_copy_parts_locked(f->fs, op->store) && has_base_locked(f) && size > 2 * limits.min_part_bytes &&
	       size > 2 * limits.send_bytes;
}

struct upload *upload_partial_again_locked(struct pending *op, struct file *f)
{
	CLEANUP(partplan_release) struct partplan plan = PARTPLAN_INIT;
	CLEANUP(location_release) struct location base = LOCATION_INIT;
	struct upload *u = NULL;

	if (!may_be_partial_locked(op, f, f->node->size) || make_plan_locked(op, f, f->node->size, &plan, &base) != 0 ||
	    hash_of_plan(&plan, &base, f->base_version) != op->told.plan)
		return NULL;
	return new_locked(f, f->generation, &plan, &base, &u) < 0 ? NULL : u;
}

/* *ret is NULL with UPLOAD_NOT_PARTIAL. */
static int plan_locked(struct pending *op, struct file *f, const struct upload_content *content, struct upload **ret)
{
	CLEANUP(partplan_release) struct partplan plan = PARTPLAN_INIT;
	CLEANUP(location_release) struct location base = LOCATION_INIT;
	int r;

	while (f->upload && f->upload->is_beginning)
		cond_wait(&f->fs->changed, &f->fs->lock);
	if (op->is_abandoned || f->node->put != op || f->node->size < content->size)
		return -ECANCELED;
	if (!may_be_partial_locked(op, f, content->size))
		return UPLOAD_NOT_PARTIAL;
	if (resume_locked(f, content, ret))
		return 0;
	r = make_plan_locked(op, f, content->size, &plan, &base);
	if (r != 0)
		return r;
	upload_discard_locked(f);
	r = new_locked(f, content->generation, &plan, &base, ret);
	if (r == 0)
		(*ret)->refs++; /* of the running PENDING_PUT */
	return r;
}

/* A server that heeds the range not at all copies the whole object into each part. Looked at once in a mount for each store. */
static int check_copies(struct upload *u, unsigned count, struct error *err)
{
	struct fs *fs = u->fs;
	uint64_t bit = UINT64_C(1) << store_index(fs, u->store);
	CLEANUP(freep) struct store_part *parts = NULL;
	size_t found = 0;
	bool is_known;

	lock_take(&fs->lock);
	is_known = fs->part_copy_is_good & bit;
	lock_drop(&fs->lock);
	if (is_known || !u->store->ops->upload_parts || !copies_ranges(u->store))
		return 0;
	if (store_upload_parts(u->store, u->bucket, u->key, u->id, &parts, &found, err) < 0)
		return -error_errnum(err->kind);
	for (size_t i = 0; i < found; i++) {
		const struct part *part = parts[i].number - 1 < count ? u->parts[parts[i].number - 1] : NULL;

		if (part && part->kind == PARTPLAN_COPY && parts[i].size != part->end - part->start) {
			distrust(u, "the server copies other ranges than it is asked for");
			u->is_copy_refused = true;
			return UPLOAD_NOT_PARTIAL;
		}
	}
	lock_take(&fs->lock);
	fs->part_copy_is_good |= bit;
	lock_drop(&fs->lock);
	return 0;
}

/* What a failure means for the file. */
static int judge(struct upload *u, int r, struct error *err)
{
	if (!u->is_copy_refused || error_is_retryable(err->kind))
		return r;
	switch (err->kind) {
	case ERR_PRECONDITION:
	case ERR_NOT_FOUND:
	case ERR_RANGE:
		return error_set(err, ERR_PRECONDITION, "the object was changed in the cloud: its unchanged parts are not there");
	case ERR_UNSUPPORTED:
		distrust(u, "the server cannot copy parts");
		return UPLOAD_NOT_PARTIAL;
	default:
		if (err->kind == ERR_INVALID && !copies_ranges(u->store))
			return UPLOAD_NOT_PARTIAL; /* it was cut before it grew: what is left is not the whole object */
		log_warn("upload.part_copy", "key='%s' error='%s' note='sent whole'", u->key, err->message);
		return UPLOAD_NOT_PARTIAL;
	}
}

int upload_partial(struct pending *op, struct file *f, const struct upload_content *content, char *ret_version,
		   struct error *err)
{
	struct fs *fs = f->fs;
	struct upload *u = NULL;
	unsigned count = 0;
	int r;

	lock_take(&fs->lock);
	r = plan_locked(op, f, content, &u);
	lock_drop(&fs->lock);
	if (r != 0)
		return r > 0 ? r : r == -ECANCELED ? error_set(err, ERR_CANCELLED, "the file was changed again") :
						     error_set(err, ERR_NO_MEMORY, "no memory for an upload");
	if (!u->id)
		r = upload_begin(u, content->args, content->mtime_ns, err);
	if (r == 0)
		r = upload_carry(op, u, content->size, &count, err);
	if (r < 0)
		r = judge(u, r, err);
	if (r == 0)
		r = check_copies(u, count, err);
	if (r == 0)
		r = upload_complete(u, count, content->args, ret_version, err);
	upload_ended(u, op, r == 0 ? UPLOAD_COMPLETED : UPLOAD_FAILED, err);
	return r;
}
