#include "backends/store/multipart.h"
#include "backends/base/clock.h"
#include <string.h>

#define PART_BYTES (16ull << 20)

static struct store_source slice(const struct store_source *source, uint64_t offset,
				 uint64_t length)
{
	struct store_source part = *source;

	part.progress = NULL; /* counted here: a part would begin at 0 again */
	part.has_crc32c = false; /* it is of the whole */
	if (source->fd >= 0) {
		part.offset = source->offset + offset;
		part.length = length;
	} else {
		part.mem = (struct str){ source->mem.ptr + offset, (size_t)length };
	}
	return part;
}

static int send_parts(struct store *s, const char *bucket, const char *key, const char *upload_id,
		      const struct store_source *source, uint64_t part_bytes,
		      struct store_part *parts, const struct store_put_args *args,
		      struct error *err)
{
	uint64_t total = store_source_length(source);

	for (uint64_t offset = 0, i = 0; offset < total; offset += part_bytes, i++) {
		uint64_t length = total - offset < part_bytes ? total - offset : part_bytes;
		struct store_source part = slice(source, offset, length);
		int r;

		if (args->deadline_mono_ms && clock_mono_ms() >= args->deadline_mono_ms)
			return error_set(err, ERR_TIMEOUT, "the time for the upload is over");
		r = store_upload_part(s, bucket, key, upload_id, (unsigned)i + 1, &part,
				      args->cancel, &parts[i], err);
		if (r < 0)
			return r;
		if (source->progress)
			atomic_store(source->progress, offset + length);
	}
	return 0;
}

int store_upload_range(struct store *s, const char *bucket, const char *key,
		       const struct store_source *source, uint64_t threshold, uint64_t part_bytes,
		       const struct store_put_args *args, char *ret_version, struct error *err)
{
	CLEANUP(freep) struct store_part *parts = NULL;
	CLEANUP(freep) char *upload_id = NULL;
	uint64_t total = store_source_length(source);
	struct error local_error;
	size_t count;
	int r;

	err = err ? err : &local_error;
	if (!threshold || threshold > s->limits.max_put_bytes)
		threshold = s->limits.max_put_bytes;
	if (!total || total <= threshold)
		return store_put(s, bucket, key, source, args, ret_version, err);
	part_bytes = store_part_size(&s->limits, total, part_bytes ? part_bytes : PART_BYTES);
	if ((total - 1) / part_bytes + 1 > s->limits.max_parts)
		return error_set(err, ERR_TOO_LARGE, "'%.100s' is too large for this store", key);
	count = (size_t)((total - 1) / part_bytes + 1);
	parts = calloc(count, sizeof(*parts));
	if (!parts)
		return error_set(err, ERR_NO_MEMORY, "no memory for %zu parts", count);
	r = store_upload_begin(s, bucket, key, args, &upload_id, err);
	if (r < 0)
		return r;
	r = send_parts(s, bucket, key, upload_id, source, part_bytes, parts, args, err);
	if (r >= 0)
		r = store_upload_complete(s, bucket, key, upload_id, parts, count, args,
					  ret_version, err);
	if (r < 0)
		/* Best effort: what stays shows in store_upload_list. */
		(void)store_upload_abort(s, bucket, key, upload_id, NULL);
	return r;
}
