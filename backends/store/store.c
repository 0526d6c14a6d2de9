#include "backends/store/store.h"
#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include <assert.h>
#include <string.h>
#include <strings.h>

/* Every public function has the same three steps: check what the caller gave, find the first store down the stack that
 * has the slot (a layer without it is transparent), call it with an error that is never NULL. */
#define FIND_SLOT(s, slot, what)                                                                   \
	struct error local_error;                                                                  \
	lock_assert_none_held(); /* any of these may take a network's time */                      \
	err = err ? err : &local_error;                                                            \
	while (!(s)->ops->slot && (s)->next)                                                       \
		(s) = (s)->next;                                                                   \
	if (!(s)->ops->slot)                                                                       \
	return error_set(err, ERR_UNSUPPORTED, "%s cannot %s", (s)->ops->type, what)

#define CHECK(call)                                                                                \
	do {                                                                                       \
		int check_r = (call);                                                              \
		if (check_r < 0)                                                                   \
			return check_r;                                                            \
	} while (0)

static int check_bucket(const char *bucket, struct error *err)
{
	assert(bucket);
	if (!*bucket)
		return error_set(err, ERR_INVALID, "the bucket's name is empty");
	if (strlen(bucket) > 255 || strchr(bucket, '/'))
		return error_set(err, ERR_INVALID, "'%.64s' is no name for a bucket", bucket);
	return 0;
}

static int check_key(const char *key, struct error *err)
{
	assert(key);
	if (!*key)
		return error_set(err, ERR_INVALID, "the key is empty");
	if (strlen(key) > STORE_KEY_MAX)
		return error_set(err, ERR_NAME_TOO_LONG,
				 "the key '%.64s...' is longer than %d bytes", key, STORE_KEY_MAX);
	return 0;
}

static int check_object(const char *bucket, const char *key, struct error *err)
{
	int r = check_bucket(bucket, err);

	return r < 0 ? r : check_key(key, err);
}

/* Names travel as HTTP headers: lower-case tokens, so that every provider can carry them. */
static int check_meta(const struct store *s, const struct store_meta *meta, size_t count,
		      struct error *err)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		const char *name = meta[i].name;

		assert(name && meta[i].value);
		if (!*name ||
		    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(name))
			return error_set(err, ERR_INVALID, "'%.64s' is no name for metadata", name);
		bytes += strlen(name) + strlen(meta[i].value);
	}
	if (count && bytes > s->limits.max_metadata_bytes)
		return error_set(err, ERR_TOO_LARGE, "metadata of %zu bytes, %s takes %u", bytes,
				 s->ops->type, s->limits.max_metadata_bytes);
	return 0;
}

static int check_size(const struct store *s, const char *what, uint64_t size, uint64_t limit,
		      struct error *err)
{
	if (limit && size > limit)
		return error_set(err, ERR_TOO_LARGE, "%s of %llu bytes, %s takes %llu", what,
				 (unsigned long long)size, s->ops->type, (unsigned long long)limit);
	return 0;
}

static int check_part(const struct store *s, unsigned number, uint64_t size, struct error *err)
{
	if (!number || number > s->limits.max_parts)
		return error_set(err, ERR_INVALID, "part number %u is not in 1 .. %u", number,
				 s->limits.max_parts);
	return check_size(s, "a part", size, s->limits.max_part_bytes, err);
}

static int check_cancel(struct cancel *cancel, uint64_t deadline_mono_ms, struct error *err)
{
	if (cancel_is_fired(cancel))
		return error_set(err, ERR_CANCELLED, "the caller gave up");
	if (deadline_mono_ms && clock_mono_ms() >= deadline_mono_ms)
		return error_set(err, ERR_TIMEOUT, "the time for it is over");
	return 0;
}

const char *store_object_meta(const struct store_object *o, const char *name)
{
	for (size_t i = 0; i < o->meta_count; i++)
		if (!strcasecmp(o->meta[i].name, name))
			return o->meta[i].value;
	return NULL;
}

void store_page_release(struct store_page *p)
{
	if (!p)
		return;
	arena_release(&p->arena);
	p->objects = NULL;
	p->next_token = NULL;
	p->count = 0;
}

void store_bucket_page_release(struct store_bucket_page *p)
{
	if (!p)
		return;
	arena_release(&p->arena);
	p->buckets = NULL;
	p->count = 0;
}

void store_upload_page_release(struct store_upload_page *p)
{
	if (!p)
		return;
	arena_release(&p->arena);
	p->uploads = NULL;
	p->count = 0;
}

static int check_list(const char *bucket, const struct store_list_args *args, struct error *err)
{
	CHECK(check_bucket(bucket, err));
	assert(args->prefix);
	if (args->delimiter && args->delimiter != '/')
		return error_set(err, ERR_INVALID, "the only delimiter is '/'");
	return check_cancel(args->cancel, 0, err);
}

int store_list(struct store *s, const char *bucket, const struct store_list_args *args,
	       struct store_page *ret, struct error *err)
{
	FIND_SLOT(s, list, "list objects");
	CHECK(check_list(bucket, args, err));
	return s->ops->list(s, bucket, args, ret, err);
}

int store_head(struct store *s, const char *bucket, const char *key, const char *version_id,
	       struct arena *arena, struct store_object *ret, struct error *err)
{
	FIND_SLOT(s, head, "tell about an object");
	CHECK(check_object(bucket, key, err));
	assert(arena && ret);
	return s->ops->head(s, bucket, key, version_id, arena, ret, err);
}

int store_get(struct store *s, const char *bucket, const char *key,
	      const struct store_get_args *args, struct store_sink *sink, struct arena *arena,
	      struct store_object *ret, struct error *err)
{
	FIND_SLOT(s, get, "read objects");
	CHECK(check_object(bucket, key, err));
	CHECK(check_cancel(args->cancel, args->deadline_mono_ms, err));
	assert((sink->fd >= 0) != (sink->buf != NULL));
	assert(!ret || arena);
	if (args->length && args->offset + args->length < args->offset)
		return error_set(err, ERR_RANGE, "the range ends beyond any object");
	return s->ops->get(s, bucket, key, args, sink, arena, ret, err);
}

/* What put, upload_begin, upload_complete and compose have in common. */
static int check_put(const struct store *s, const char *bucket, const char *key,
		     const struct store_put_args *args, struct error *err)
{
	CHECK(check_object(bucket, key, err));
	CHECK(check_meta(s, args->meta, args->meta_count, err));
	if (args->if_absent && args->if_version && *args->if_version)
		return error_set(err, ERR_INVALID, "an object cannot be absent and of a version");
	return check_cancel(args->cancel, args->deadline_mono_ms, err);
}

int store_put(struct store *s, const char *bucket, const char *key,
	      const struct store_source *source, const struct store_put_args *args,
	      char *ret_version, struct error *err)
{
	FIND_SLOT(s, put, "write objects");
	CHECK(check_put(s, bucket, key, args, err));
	CHECK(check_size(s, "an object", store_source_length(source), s->limits.max_put_bytes,
			 err));
	return s->ops->put(s, bucket, key, source, args, ret_version, err);
}

int store_delete(struct store *s, const char *bucket, const char *key, const char *if_version,
		 const char *version_id, struct error *err)
{
	FIND_SLOT(s, delete, "delete objects");
	CHECK(check_object(bucket, key, err));
	return s->ops->delete (s, bucket, key, if_version, version_id, err);
}

static int delete_each(struct store *s, const char *bucket, const char *const *keys, size_t count,
		       struct error *results)
{
	for (size_t i = 0; i < count; i++) {
		results[i] = ERROR_INIT;
		/* The reason stays in results[i]; the batch itself was answered. */
		(void)store_delete(s, bucket, keys[i], NULL, NULL, &results[i]);
	}
	return 0;
}

int store_delete_many(struct store *s, const char *bucket, const char *const *keys, size_t count,
		      struct error *results, struct error *err)
{
	struct error local_error;
	struct store *at = s;

	err = err ? err : &local_error;
	assert(count <= STORE_DELETE_MAX);
	CHECK(check_bucket(bucket, err));
	for (size_t i = 0; i < count; i++)
		CHECK(check_key(keys[i], err));
	if (!count)
		return 0;
	while (!at->ops->delete_many && at->next)
		at = at->next;
	/* The loop goes through the top again: a layer may have delete and no delete_many. */
	if (!at->ops->delete_many)
		return delete_each(s, bucket, keys, count, results);
	return at->ops->delete_many(at, bucket, keys, count, results, err);
}

int store_set_meta(struct store *s, const char *bucket, const char *key, const char *if_version,
		   const struct store_meta *meta, size_t count, char *ret_version,
		   struct error *err)
{
	FIND_SLOT(s, set_meta, "change metadata");
	CHECK(check_object(bucket, key, err));
	CHECK(check_meta(s, meta, count, err));
	return s->ops->set_meta(s, bucket, key, if_version, meta, count, ret_version, err);
}

int store_upload_begin(struct store *s, const char *bucket, const char *key,
		       const struct store_put_args *args, char **ret_upload_id, struct error *err)
{
	FIND_SLOT(s, upload_begin, "upload in parts");
	CHECK(check_put(s, bucket, key, args, err));
	return s->ops->upload_begin(s, bucket, key, args, ret_upload_id, err);
}

int store_upload_part(struct store *s, const char *bucket, const char *key, const char *upload_id,
		      unsigned number, const struct store_source *source, struct cancel *cancel,
		      struct store_part *ret, struct error *err)
{
	FIND_SLOT(s, upload_part, "upload in parts");
	CHECK(check_object(bucket, key, err));
	CHECK(check_part(s, number, store_source_length(source), err));
	CHECK(check_cancel(cancel, 0, err));
	return s->ops->upload_part(s, bucket, key, upload_id, number, source, cancel, ret, err);
}

int store_part_copy(struct store *s, const char *from_bucket, const char *from_key,
		    const char *if_source_version, uint64_t offset, uint64_t length,
		    const char *bucket, const char *key, const char *upload_id, unsigned number,
		    struct cancel *cancel, struct store_part *ret, struct error *err)
{
	FIND_SLOT(s, part_copy, "copy a part on the server");
	CHECK(check_object(from_bucket, from_key, err));
	CHECK(check_object(bucket, key, err));
	CHECK(check_part(s, number, length, err));
	CHECK(check_cancel(cancel, 0, err));
	if (!length || offset + length < offset)
		return error_set(err, ERR_RANGE, "no range to copy");
	return s->ops->part_copy(s, from_bucket, from_key, if_source_version, offset, length,
				 bucket, key, upload_id, number, cancel, ret, err);
}

int store_upload_complete(struct store *s, const char *bucket, const char *key,
			  const char *upload_id, const struct store_part *parts, size_t count,
			  const struct store_put_args *args, char *ret_version, struct error *err)
{
	FIND_SLOT(s, upload_complete, "upload in parts");
	CHECK(check_put(s, bucket, key, args, err));
	if (!count || count > s->limits.max_parts)
		return error_set(err, ERR_INVALID, "%zu parts, not 1 .. %u", count,
				 s->limits.max_parts);
	for (size_t i = 1; i < count; i++)
		if (parts[i].number <= parts[i - 1].number)
			return error_set(err, ERR_INVALID, "part %u stands after part %u",
					 parts[i].number, parts[i - 1].number);
	return s->ops->upload_complete(s, bucket, key, upload_id, parts, count, args, ret_version,
				       err);
}

int store_upload_abort(struct store *s, const char *bucket, const char *key, const char *upload_id,
		       struct error *err)
{
	FIND_SLOT(s, upload_abort, "abort an upload");
	CHECK(check_object(bucket, key, err));
	return s->ops->upload_abort(s, bucket, key, upload_id, err);
}

int store_upload_parts(struct store *s, const char *bucket, const char *key, const char *upload_id,
		       struct store_part **ret_parts, size_t *ret_count, struct error *err)
{
	FIND_SLOT(s, upload_parts, "list the parts of an upload");
	CHECK(check_object(bucket, key, err));
	return s->ops->upload_parts(s, bucket, key, upload_id, ret_parts, ret_count, err);
}

int store_upload_list(struct store *s, const char *bucket, const char *prefix,
		      struct store_upload_page *ret, struct error *err)
{
	FIND_SLOT(s, upload_list, "list unfinished uploads");
	CHECK(check_bucket(bucket, err));
	assert(prefix);
	return s->ops->upload_list(s, bucket, prefix, ret, err);
}

int store_bucket_list(struct store *s, struct store_bucket_page *ret, struct error *err)
{
	FIND_SLOT(s, bucket_list, "list buckets");
	return s->ops->bucket_list(s, ret, err);
}

int store_bucket_create(struct store *s, const char *bucket, struct error *err)
{
	FIND_SLOT(s, bucket_create, "create buckets");
	CHECK(check_bucket(bucket, err));
	return s->ops->bucket_create(s, bucket, err);
}

int store_bucket_delete(struct store *s, const char *bucket, struct error *err)
{
	FIND_SLOT(s, bucket_delete, "delete buckets");
	CHECK(check_bucket(bucket, err));
	return s->ops->bucket_delete(s, bucket, err);
}

int store_bucket_exists(struct store *s, const char *bucket, struct error *err)
{
	FIND_SLOT(s, bucket_exists, "look for buckets");
	CHECK(check_bucket(bucket, err));
	return s->ops->bucket_exists(s, bucket, err);
}

int store_versioning_get(struct store *s, const char *bucket, bool *ret_is_on, struct error *err)
{
	FIND_SLOT(s, versioning_get, "keep versions");
	CHECK(check_bucket(bucket, err));
	return s->ops->versioning_get(s, bucket, ret_is_on, err);
}

int store_versioning_set(struct store *s, const char *bucket, bool is_on, struct error *err)
{
	FIND_SLOT(s, versioning_set, "keep versions");
	CHECK(check_bucket(bucket, err));
	return s->ops->versioning_set(s, bucket, is_on, err);
}

int store_list_versions(struct store *s, const char *bucket, const struct store_list_args *args,
			struct store_page *ret, struct error *err)
{
	FIND_SLOT(s, list_versions, "list versions");
	CHECK(check_list(bucket, args, err));
	return s->ops->list_versions(s, bucket, args, ret, err);
}

int store_policy_get(struct store *s, const char *bucket, struct buf *ret_json, struct error *err)
{
	FIND_SLOT(s, policy_get, "hold a policy");
	CHECK(check_bucket(bucket, err));
	return s->ops->policy_get(s, bucket, ret_json, err);
}

int store_policy_set(struct store *s, const char *bucket, struct str json, struct error *err)
{
	FIND_SLOT(s, policy_set, "hold a policy");
	CHECK(check_bucket(bucket, err));
	return s->ops->policy_set(s, bucket, json, err);
}

int store_presign(struct store *s, const char *bucket, const char *key, enum store_presign what,
		  uint64_t expires_s, struct buf *ret_url, struct error *err)
{
	FIND_SLOT(s, presign, "sign URLs");
	CHECK(check_object(bucket, key, err));
	return s->ops->presign(s, bucket, key, what, expires_s, ret_url, err);
}

int store_append(struct store *s, const char *bucket, const char *key, uint64_t at,
		 const struct store_source *source, const char *if_version, char *ret_version,
		 struct error *err)
{
	FIND_SLOT(s, append, "append to objects");
	CHECK(check_object(bucket, key, err));
	return s->ops->append(s, bucket, key, at, source, if_version, ret_version, err);
}

int store_compose(struct store *s, const char *bucket, const char *const *keys, size_t count,
		  const char *key, const struct store_put_args *args, char *ret_version,
		  struct error *err)
{
	FIND_SLOT(s, compose, "compose objects");
	CHECK(check_put(s, bucket, key, args, err));
	if (!count)
		return error_set(err, ERR_INVALID, "nothing to compose");
	for (size_t i = 0; i < count; i++)
		CHECK(check_key(keys[i], err));
	return s->ops->compose(s, bucket, keys, count, key, args, ret_version, err);
}

int store_rename(struct store *s, const char *bucket, const char *from_key, const char *key,
		 const char *if_source_version, char *ret_version, struct error *err)
{
	FIND_SLOT(s, rename, "rename objects");
	CHECK(check_object(bucket, from_key, err));
	CHECK(check_key(key, err));
	return s->ops->rename(s, bucket, from_key, key, if_source_version, ret_version, err);
}

int store_describe(struct store *s, struct buf *ret, struct error *err)
{
	FIND_SLOT(s, describe, "describe itself");
	return s->ops->describe(s, ret, err);
}

/* From the top down: a layer may still look at what it wraps while it goes. */
void store_free(struct store *s)
{
	while (s) {
		struct store *next = s->next;
		char *name = s->name;

		s->ops->free(s);
		free(name);
		s = next;
	}
}

uint64_t store_part_size(const struct store_limits *limits, uint64_t object_size, uint64_t wanted)
{
	const uint64_t unit = 1 << 20; /* whole MiB keep parts aligned with cache ranges */
	uint64_t size = wanted;

	if (limits->max_parts) {
		uint64_t least =
			object_size / limits->max_parts + (object_size % limits->max_parts ? 1 : 0);

		if (size < least)
			size = (least + unit - 1) / unit * unit;
	}
	if (size < limits->min_part_bytes)
		size = limits->min_part_bytes;
	if (limits->max_part_bytes && size > limits->max_part_bytes)
		size = limits->max_part_bytes;
	return size ? size : unit;
}
