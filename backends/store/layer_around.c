#include "backends/store/layer_around.h"
#include "backends/base/clock.h"
#include <string.h>

static struct around_layer *layer_of(struct store *s)
{
	return container_of(s, struct around_layer, store);
}

/* Every slot is the same three steps. */
#define AROUND(slot_name, bucket_text, key_text, ...)                                              \
	struct around_layer *layer = layer_of(s);                                                  \
	struct around_call call = { .slot = #slot_name,                                            \
				    .bucket = bucket_text,                                         \
				    .key = key_text,                                               \
				    .start_mono_ns = clock_mono_ns() };                            \
	int r = layer->before ? layer->before(layer, &call, err) : 0;                              \
                                                                                                   \
	if (r < 0)                                                                                 \
		return r;                                                                          \
	r = store_##slot_name(s->next, __VA_ARGS__, err);                                          \
	return layer->after ? layer->after(layer, &call, r, err) : r

static int around_list(struct store *s, const char *bucket, const struct store_list_args *args,
		       struct store_page *ret, struct error *err)
{
	AROUND(list, bucket, "", bucket, args, ret);
}

static int around_head(struct store *s, const char *bucket, const char *key, const char *version_id,
		       struct arena *arena, struct store_object *ret, struct error *err)
{
	AROUND(head, bucket, key, bucket, key, version_id, arena, ret);
}

static int around_get(struct store *s, const char *bucket, const char *key,
		      const struct store_get_args *args, struct store_sink *sink,
		      struct arena *arena, struct store_object *ret, struct error *err)
{
	AROUND(get, bucket, key, bucket, key, args, sink, arena, ret);
}

static int around_put(struct store *s, const char *bucket, const char *key,
		      const struct store_source *source, const struct store_put_args *args,
		      char *ret_version, struct error *err)
{
	AROUND(put, bucket, key, bucket, key, source, args, ret_version);
}

static int around_delete(struct store *s, const char *bucket, const char *key,
			 const char *if_version, const char *version_id, struct error *err)
{
	AROUND(delete, bucket, key, bucket, key, if_version, version_id);
}

static int around_delete_many(struct store *s, const char *bucket, const char *const *keys,
			      size_t count, struct error *results, struct error *err)
{
	AROUND(delete_many, bucket, "", bucket, keys, count, results);
}

static int around_copy(struct store *s, const char *from_bucket, const char *from_key,
		       const char *bucket, const char *key, const struct store_copy_args *args,
		       char *ret_version, struct error *err)
{
	AROUND(copy, bucket, key, from_bucket, from_key, bucket, key, args, ret_version);
}

static int around_set_meta(struct store *s, const char *bucket, const char *key,
			   const char *if_version, const struct store_meta *meta, size_t count,
			   char *ret_version, struct error *err)
{
	AROUND(set_meta, bucket, key, bucket, key, if_version, meta, count, ret_version);
}

static int around_upload_begin(struct store *s, const char *bucket, const char *key,
			       const struct store_put_args *args, char **ret_upload_id,
			       struct error *err)
{
	AROUND(upload_begin, bucket, key, bucket, key, args, ret_upload_id);
}

static int around_upload_part(struct store *s, const char *bucket, const char *key,
			      const char *upload_id, unsigned number,
			      const struct store_source *source, struct cancel *cancel,
			      struct store_part *ret, struct error *err)
{
	AROUND(upload_part, bucket, key, bucket, key, upload_id, number, source, cancel, ret);
}

static int around_part_copy(struct store *s, const char *from_bucket, const char *from_key,
			    const char *if_source_version, uint64_t offset, uint64_t length,
			    const char *bucket, const char *key, const char *upload_id,
			    unsigned number, struct cancel *cancel, struct store_part *ret,
			    struct error *err)
{
	AROUND(part_copy, bucket, key, from_bucket, from_key, if_source_version, offset, length,
	       bucket, key, upload_id, number, cancel, ret);
}

static int around_upload_complete(struct store *s, const char *bucket, const char *key,
				  const char *upload_id, const struct store_part *parts,
				  size_t count, const struct store_put_args *args,
				  char *ret_version, struct error *err)
{
	AROUND(upload_complete, bucket, key, bucket, key, upload_id, parts, count, args,
	       ret_version);
}

static int around_upload_abort(struct store *s, const char *bucket, const char *key,
			       const char *upload_id, struct error *err)
{
	AROUND(upload_abort, bucket, key, bucket, key, upload_id);
}

static int around_upload_parts(struct store *s, const char *bucket, const char *key,
			       const char *upload_id, struct store_part **ret_parts,
			       size_t *ret_count, struct error *err)
{
	AROUND(upload_parts, bucket, key, bucket, key, upload_id, ret_parts, ret_count);
}

static int around_upload_list(struct store *s, const char *bucket, const char *prefix,
			      struct store_upload_page *ret, struct error *err)
{
	AROUND(upload_list, bucket, "", bucket, prefix, ret);
}

static int around_bucket_list(struct store *s, struct store_bucket_page *ret, struct error *err)
{
	AROUND(bucket_list, "", "", ret);
}

static int around_bucket_create(struct store *s, const char *bucket, struct error *err)
{
	AROUND(bucket_create, bucket, "", bucket);
}

static int around_bucket_delete(struct store *s, const char *bucket, struct error *err)
{
	AROUND(bucket_delete, bucket, "", bucket);
}

static int around_bucket_exists(struct store *s, const char *bucket, struct error *err)
{
	AROUND(bucket_exists, bucket, "", bucket);
}

static int around_versioning_get(struct store *s, const char *bucket, bool *ret_is_on,
				 struct error *err)
{
	AROUND(versioning_get, bucket, "", bucket, ret_is_on);
}

static int around_versioning_set(struct store *s, const char *bucket, bool is_on, struct error *err)
{
	AROUND(versioning_set, bucket, "", bucket, is_on);
}

static int around_list_versions(struct store *s, const char *bucket,
				const struct store_list_args *args, struct store_page *ret,
				struct error *err)
{
	AROUND(list_versions, bucket, "", bucket, args, ret);
}

static int around_policy_get(struct store *s, const char *bucket, struct buf *ret_json,
			     struct error *err)
{
	AROUND(policy_get, bucket, "", bucket, ret_json);
}

static int around_policy_set(struct store *s, const char *bucket, struct str json,
			     struct error *err)
{
	AROUND(policy_set, bucket, "", bucket, json);
}

static int around_presign(struct store *s, const char *bucket, const char *key,
			  enum store_presign what, uint64_t expires_s, struct buf *ret_url,
			  struct error *err)
{
	AROUND(presign, bucket, key, bucket, key, what, expires_s, ret_url);
}

static int around_append(struct store *s, const char *bucket, const char *key, uint64_t at,
			 const struct store_source *source, const char *if_version,
			 char *ret_version, struct error *err)
{
	AROUND(append, bucket, key, bucket, key, at, source, if_version, ret_version);
}

static int around_compose(struct store *s, const char *bucket, const char *const *keys,
			  size_t count, const char *key, const struct store_put_args *args,
			  char *ret_version, struct error *err)
{
	AROUND(compose, bucket, key, bucket, keys, count, key, args, ret_version);
}

static int around_rename(struct store *s, const char *bucket, const char *from_key, const char *key,
			 const char *if_source_version, char *ret_version, struct error *err)
{
	AROUND(rename, bucket, key, bucket, from_key, key, if_source_version, ret_version);
}

static void around_free(struct store *s)
{
	struct around_layer *layer = layer_of(s);

	layer->release(layer);
}

const struct store_ops around_ops = {
	.type = "around",
	.list = around_list,
	.head = around_head,
	.get = around_get,
	.put = around_put,
	.delete = around_delete,
	.delete_many = around_delete_many,
	.copy = around_copy,
	.set_meta = around_set_meta,
	.upload_begin = around_upload_begin,
	.upload_part = around_upload_part,
	.part_copy = around_part_copy,
	.upload_complete = around_upload_complete,
	.upload_abort = around_upload_abort,
	.upload_parts = around_upload_parts,
	.upload_list = around_upload_list,
	.bucket_list = around_bucket_list,
	.bucket_create = around_bucket_create,
	.bucket_delete = around_bucket_delete,
	.bucket_exists = around_bucket_exists,
	.versioning_get = around_versioning_get,
	.versioning_set = around_versioning_set,
	.list_versions = around_list_versions,
	.policy_get = around_policy_get,
	.policy_set = around_policy_set,
	.presign = around_presign,
	.append = around_append,
	.compose = around_compose,
	.rename = around_rename,
	.describe = NULL, /* transparent: what is wrapped describes itself */
	.free = around_free,
};

int around_init(struct around_layer *layer, struct store *next, struct error *err)
{
	char *name = strdup(next->name);

	if (!name)
		return error_set(err, ERR_NO_MEMORY, "no memory for a layer over '%s'", next->name);
	layer->store = (struct store){ .ops = &around_ops,
				       .next = next,
				       .name = name,
				       .caps = next->caps,
				       .limits = next->limits };
	return 0;
}
