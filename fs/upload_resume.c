/*
 * An upload in parts that an earlier mount began is gone on with: what of it has arrived is not sent again.
 *
 * The row of its PENDING_PUT tells the upload's id, what its metadata were, which plan its parts follow, and of each part that
 * arrived 16 hex digits: the CRC32C of what was sent, and that of the tag the store gave it. A part counts only if the store
 * still lists one of that number, size and tag, and if the cache file holds just those bytes now. A range that the store copied
 * has no checksum of ours: there the same plan, made from the same version, has to do.
 */
#include "backends/base/fault.h"
#include "backends/base/hash.h"
#include "backends/base/log.h"
#include "fs/intact.h"
#include "fs/upload_private.h"
#include <stdio.h>

#define PART_DIGITS 16u
#define NOTES	    16u /* of the row while an upload lasts: each tells of all parts */

static uint32_t tag_sum(const char *tag)
{
	return hash_crc32c(0, tag, strlen(tag));
}

static char *describe_parts(const struct upload *u)
{
	char *text = malloc((size_t)u->count * PART_DIGITS + 1);

	for (unsigned i = 0; text && i < u->count; i++) {
		const struct part *part = u->parts[i];

		if (part->state == PART_DONE)
			(void)snprintf(text + (size_t)i * PART_DIGITS, PART_DIGITS + 1, "%08x%08x", part->crc32c,
				       tag_sum(part->result.tag));
		else
			memset(text + (size_t)i * PART_DIGITS, '-', PART_DIGITS);
	}
	if (text)
		text[(size_t)u->count * PART_DIGITS] = '\0';
	return text;
}

void upload_describe_locked(const struct pending *op, struct json_object *o)
{
	const struct upload *u = op->node && op->node->file ? op->node->file->upload : NULL;
	struct upload_told told = op->told;
	CLEANUP(freep) char *parts = NULL;

	if (!op->upload_id)
		return;
	json_object_object_add(o, "upload", json_object_new_string(op->upload_id));
	if (u && u->id && strcmp(u->id, op->upload_id) == 0) {
		parts = describe_parts(u);
		told = (struct upload_told){ u->begun_meta, u->plan, u->begun_mtime_ns, parts };
	}
	if (!told.parts || !told.parts[0])
		return;
	json_object_object_add(o, "upload_meta", json_object_new_int64((int64_t)told.meta));
	json_object_object_add(o, "upload_plan", json_object_new_int64((int64_t)told.plan));
	json_object_object_add(o, "upload_mtime", json_object_new_int64(told.mtime_ns));
	json_object_object_add(o, "upload_parts", json_object_new_string(told.parts));
}

void upload_read_described(struct pending *op, struct json_object *detail)
{
	const char *id = json_get_string(detail, "upload"), *parts = json_get_string(detail, "upload_parts");

	op->upload_id = id ? strdup(id) : NULL;
	op->told = (struct upload_told){
		.meta = (uint64_t)json_get_int64(detail, "upload_meta", 0),
		.plan = (uint64_t)json_get_int64(detail, "upload_plan", 0),
		.mtime_ns = json_get_int64(detail, "upload_mtime", 0),
		.parts = parts ? strdup(parts) : NULL,
	};
}

void upload_note_part_locked(struct upload *u)
{
	struct pending *op = u->file->node->put;

	if (++u->unnoted < (u->count + NOTES - 1) / NOTES)
		return;
	u->unnoted = 0;
	if (op && op->upload_id && u->id && strcmp(op->upload_id, u->id) == 0)
		(void)pending_update_locked(op); /* nobody waits: what is not told is sent again */
}

/* What the row tells of one part: false when it had not arrived. */
static bool told_of(const struct pending *op, unsigned index, uint32_t *ret_crc32c, uint32_t *ret_tag_sum)
{
	const char *text = op->told.parts;
	unsigned char sums[PART_DIGITS / 2];

	if (!text || strlen(text) / PART_DIGITS <= index ||
	    hex_decode((struct str){ text + (size_t)index * PART_DIGITS, PART_DIGITS }, sums, sizeof(sums)) != sizeof(sums))
		return false;
	*ret_crc32c = (uint32_t)sums[0] << 24 | (uint32_t)sums[1] << 16 | (uint32_t)sums[2] << 8 | sums[3];
	*ret_tag_sum = (uint32_t)sums[4] << 24 | (uint32_t)sums[5] << 16 | (uint32_t)sums[6] << 8 | sums[7];
	return true;
}

/* Makes a part one that is being looked at (a write meanwhile marks it as stale), when row and store agree about it. */
static int take_part_locked(struct pending *op, struct upload *u, const struct store_part *listed)
{
	unsigned index = listed->number - 1;
	uint64_t start = 0, end = 0, size = u->file->node->size;
	uint32_t crc, sum;
	struct part *part;

	if (!told_of(op, index, &crc, &sum) || sum != tag_sum(listed->tag) || (u->is_partial && index >= u->count))
		return 0;
	if (!u->is_partial) {
		upload_part_range(u->fs, u->store, index, &start, &end);
		end = end > size ? size : end;
		if (start >= end || listed->size != end - start)
			return 0;
	}
	part = upload_part_at_locked(u, index);
	if (!part)
		return -ENOMEM;
	if (!u->is_partial) {
		part->start = start;
		part->end = end;
	}
	if (listed->size != part->end - part->start)
		return 0;
	part->state = PART_RUNNING;
	part->crc32c = crc;
	part->result = *listed;
	return 0;
}

/* The upload as the row tells of it; NULL when it cannot be gone on with. */
static struct upload *take_up_locked(struct pending *op, struct file *f, const struct store_part *listed, size_t count)
{
	struct upload *u = NULL;
	int r = 0;

	if (op->is_abandoned || f->upload || f->node->put != op || !op->upload_id)
		return NULL;
	if (op->told.plan)
		u = upload_partial_again_locked(op, f);
	else if (upload_wants_parts_locked(f, f->node->size))
		u = upload_new_locked(f);
	if (!u)
		return NULL;
	u->id = steal(op->upload_id);
	op->upload_id = strdup(u->id);
	u->begun_meta = op->told.meta;
	u->begun_mtime_ns = op->told.mtime_ns;
	for (size_t i = 0; i < count && r == 0; i++)
		if (listed[i].number)
			r = take_part_locked(op, u, &listed[i]);
	u->refs++; /* while they are looked at */
	return u;
}

static void settle_part(struct part *part, bool is_same)
{
	LOCKED(&part->upload->fs->lock);
	part->state = is_same && !part->is_stale ? PART_DONE : PART_EMPTY;
	part->is_stale = false;
}

/* Beside its changed bytes a part may have others, which would have to be fetched to send it, too. */
static bool is_same_part(struct upload *u, const struct part *part)
{
	uint32_t crc = 0;

	if (part->kind == PARTPLAN_COPY)
		return true;
	return (!u->is_partial || fetch_fill(u->file, part->start, part->end, NULL) == 0) &&
	       intact_check(u->file, part->start, part->end, &crc, NULL) == 0 && crc == part->crc32c;
}

/* What of the parts the file still has. */
static void look_at_parts(struct upload *u)
{
	unsigned found = 0;

	for (unsigned i = 0; i < u->count; i++) {
		struct part *part = u->parts[i];
		bool is_same;

		if (part->state != PART_RUNNING)
			continue;
		is_same = is_same_part(u, part);
		settle_part(part, is_same);
		found += is_same;
	}
	log_info("upload.resumed", "key='%s' parts_there=%u", u->key, found);
}

static void give_up(struct pending *op, const char *id)
{
	struct error err = ERROR_INIT;

	if (op->store->ops->upload_abort && store_upload_abort(op->store, op->bucket, op->key, id, &err) < 0 &&
	    err.kind != ERR_NOT_FOUND)
		log_warn("upload.abort", "key='%s' error='%s'", op->key, err.message);
	FAULT_POINT("upload-abort-inherited");
}

int upload_take_up(struct pending *op, struct file *f, struct error *err)
{
	CLEANUP(freep) char *id = NULL;
	CLEANUP(freep) struct store_part *listed = NULL;
	struct upload *u = NULL;
	size_t count = 0;
	bool is_told;
	int r = 0;

	lock_take(&f->fs->lock);
	id = op->upload_id && !f->upload ? strdup(op->upload_id) : NULL;
	is_told = op->told.parts && op->store->ops->upload_parts;
	lock_drop(&f->fs->lock);
	if (!id)
		return 0;
	if (is_told)
		r = store_upload_parts(op->store, op->bucket, op->key, id, &listed, &count, err);
	if (r < 0 && error_is_retryable(err->kind))
		return r;
	FAULT_POINT("upload-parts-listed");
	*err = ERROR_INIT;
	lock_take(&f->fs->lock);
	if (is_told && r == 0)
		u = take_up_locked(op, f, listed, count);
	free(op->told.parts);
	op->told = (struct upload_told){ 0 };
	if (!u && op->upload_id && !f->upload) {
		free(op->upload_id);
		op->upload_id = NULL;
	}
	lock_drop(&f->fs->lock);
	if (!u) {
		give_up(op, id);
		return 0;
	}
	look_at_parts(u);
	lock_take(&f->fs->lock);
	upload_unref_locked(u);
	lock_drop(&f->fs->lock);
	return 0;
}
