#include "backends/store/layer_prefix.h"
#include <stdio.h>
#include <string.h>

struct prefix_layer {
	struct store store;
	size_t len;
	char prefix[STORE_KEY_MAX + 1];
};
/* A key with the prefix before it. */
struct full_key {
	char text[2 * STORE_KEY_MAX + 2];
};

static struct prefix_layer *layer_of(struct store *s)
{
	return container_of(s, struct prefix_layer, store);
}

/* Too long keys are refused by the checked function below. */
static const char *full(struct store *s, const char *key, struct full_key *ret)
{
	(void)snprintf(ret->text, sizeof(ret->text), "%s%s", layer_of(s)->prefix, key);
	return ret->text;
}

/* The key as the layer's user knows it; both live as long as the given one. */
static const char *strip(struct store *s, const char *key)
{
	struct prefix_layer *l = layer_of(s);

	return key && !strncmp(key, l->prefix, l->len) ? key + l->len : key;
}

typedef int list_fn(struct store *, const char *, const struct store_list_args *,
		    struct store_page *, struct error *);

static int list_below(struct store *s, list_fn *list, const char *bucket,
		      const struct store_list_args *args, struct store_page *ret, struct error *err)
{
	struct store_list_args below = *args;
	struct full_key prefix, after;
	int r;

	below.prefix = full(s, args->prefix, &prefix);
	if (args->start_after)
		below.start_after = full(s, args->start_after, &after);
	r = list(s->next, bucket, &below, ret, err);
	for (size_t i = 0; r >= 0 && i < ret->count; i++)
		ret->objects[i].key = strip(s, ret->objects[i].key);
	return r;
}

static int prefix_list(struct store *s, const char *bucket, const struct store_list_args *args,
		       struct store_page *ret, struct error *err)
{
	return list_below(s, store_list, bucket, args, ret, err);
}

static int prefix_list_versions(struct store *s, const char *bucket,
				const struct store_list_args *args, struct store_page *ret,
				struct error *err)
{
	return list_below(s, store_list_versions, bucket, args, ret, err);
}

static int prefix_head(struct store *s, const char *bucket, const char *key, const char *version_id,
		       struct arena *arena, struct store_object *ret, struct error *err)
{
	struct full_key k;
	int r = store_head(s->next, bucket, full(s, key, &k), version_id, arena, ret, err);

	if (r >= 0)
		ret->key = strip(s, ret->key);
	return r;
}

static int prefix_get(struct store *s, const char *bucket, const char *key,
		      const struct store_get_args *args, struct store_sink *sink,
		      struct arena *arena, struct store_object *ret, struct error *err)
{
	struct full_key k;
	int r = store_get(s->next, bucket, full(s, key, &k), args, sink, arena, ret, err);

	if (r >= 0 && ret)
		ret->key = strip(s, ret->key);
	return r;
}

static int prefix_put(struct store *s, const char *bucket, const char *key,
		      const struct store_source *source, const struct store_put_args *args,
		      char *ret_version, struct error *err)
{
	struct store_put_args typed = *args;
	struct full_key k;

	if (!typed.content_type)
		typed.content_type = store_content_type(key);
	return store_put(s->next, bucket, full(s, key, &k), source, &typed, ret_version, err);
}

static int prefix_delete(struct store *s, const char *bucket, const char *key,
			 const char *if_version, const char *version_id, struct error *err)
{
	struct full_key k;

	return store_delete(s->next, bucket, full(s, key, &k), if_version, version_id, err);
}

static char **full_keys(struct store *s, const char *const *keys, size_t count, struct arena *arena,
			struct error *err)
{
	char **all = arena_alloc(arena, (count ? count : 1) * sizeof(*all));
	struct full_key k;

	for (size_t i = 0; all && i < count; i++) {
		all[i] = arena_strdup(arena, full(s, keys[i], &k));
		if (!all[i])
			all = NULL;
	}
	if (!all)
		(void)error_set(err, ERR_NO_MEMORY, "no memory for %zu keys", count);
	return all;
}

static int prefix_delete_many(struct store *s, const char *bucket, const char *const *keys,
			      size_t count, struct error *results, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(16 << 20);
	char **all = full_keys(s, keys, count, &arena, err);

	if (!all)
		return -ENOMEM;
	return store_delete_many(s->next, bucket, (const char *const *)all, count, results, err);
}

static int prefix_copy(struct store *s, const char *from_bucket, const char *from_key,
		       const char *bucket, const char *key, const struct store_copy_args *args,
		       char *ret_version, struct error *err)
{
	struct full_key from, to;

	return store_copy(s->next, from_bucket, full(s, from_key, &from), bucket, full(s, key, &to),
			  args, ret_version, err);
}

static int prefix_set_meta(struct store *s, const char *bucket, const char *key,
			   const char *if_version, const struct store_meta *meta, size_t count,
			   char *ret_version, struct error *err)
{
	struct full_key k;

	return store_set_meta(s->next, bucket, full(s, key, &k), if_version, meta, count,
			      ret_version, err);
}

static int prefix_upload_begin(struct store *s, const char *bucket, const char *key,
			       const struct store_put_args *args, char **ret_upload_id,
			       struct error *err)
{
	struct full_key k;

	return store_upload_begin(s->next, bucket, full(s, key, &k), args, ret_upload_id, err);
}

static int prefix_upload_part(struct store *s, const char *bucket, const char *key,
			      const char *upload_id, unsigned number,
			      const struct store_source *source, struct cancel *cancel,
			      struct store_part *ret, struct error *err)
{
	struct full_key k;

	return store_upload_part(s->next, bucket, full(s, key, &k), upload_id, number, source,
				 cancel, ret, err);
}

static int prefix_part_copy(struct store *s, const char *from_bucket, const char *from_key,
			    const char *if_source_version, uint64_t offset, uint64_t length,
			    const char *bucket, const char *key, const char *upload_id,
			    unsigned number, struct cancel *cancel, struct store_part *ret,
			    struct error *err)
{
	struct full_key from, to;

	return store_part_copy(s->next, from_bucket, full(s, from_key, &from), if_source_version,
			       offset, length, bucket, full(s, key, &to), upload_id, number, cancel,
			       ret, err);
}

static int prefix_upload_complete(struct store *s, const char *bucket, const char *key,
				  const char *upload_id, const struct store_part *parts,
				  size_t count, const struct store_put_args *args,
				  char *ret_version, struct error *err)
{
	struct full_key k;

	return store_upload_complete(s->next, bucket, full(s, key, &k), upload_id, parts, count,
				     args, ret_version, err);
}

static int prefix_upload_abort(struct store *s, const char *bucket, const char *key,
			       const char *upload_id, struct error *err)
{
	struct full_key k;

	return store_upload_abort(s->next, bucket, full(s, key, &k), upload_id, err);
}

static int prefix_upload_parts(struct store *s, const char *bucket, const char *key,
			       const char *upload_id, struct store_part **ret_parts,
			       size_t *ret_count, struct error *err)
{
	struct full_key k;

	return store_upload_parts(s->next, bucket, full(s, key, &k), upload_id, ret_parts,
				  ret_count, err);
}

static int prefix_upload_list(struct store *s, const char *bucket, const char *prefix,
			      struct store_upload_page *ret, struct error *err)
{
	struct full_key k;
	int r = store_upload_list(s->next, bucket, full(s, prefix, &k), ret, err);

	for (size_t i = 0; r >= 0 && i < ret->count; i++)
		ret->uploads[i].key = strip(s, ret->uploads[i].key);
	return r;
}

static int prefix_presign(struct store *s, const char *bucket, const char *key,
			  enum store_presign what, uint64_t expires_s, struct buf *ret_url,
			  struct error *err)
{
	struct full_key k;

	return store_presign(s->next, bucket, full(s, key, &k), what, expires_s, ret_url, err);
}

static int prefix_append(struct store *s, const char *bucket, const char *key, uint64_t at,
			 const struct store_source *source, const char *if_version,
			 char *ret_version, struct error *err)
{
	struct full_key k;

	return store_append(s->next, bucket, full(s, key, &k), at, source, if_version, ret_version,
			    err);
}

static int prefix_compose(struct store *s, const char *bucket, const char *const *keys,
			  size_t count, const char *key, const struct store_put_args *args,
			  char *ret_version, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(16 << 20);
	char **all = full_keys(s, keys, count, &arena, err);
	struct full_key k;

	if (!all)
		return -ENOMEM;
	return store_compose(s->next, bucket, (const char *const *)all, count, full(s, key, &k),
			     args, ret_version, err);
}

static int prefix_rename(struct store *s, const char *bucket, const char *from_key, const char *key,
			 const char *if_source_version, char *ret_version, struct error *err)
{
	struct full_key from, to;

	return store_rename(s->next, bucket, full(s, from_key, &from), full(s, key, &to),
			    if_source_version, ret_version, err);
}

static void prefix_free(struct store *s)
{
	free(layer_of(s));
}

static const struct store_ops prefix_ops = {
	.type = "prefix",
	.list = prefix_list,
	.head = prefix_head,
	.get = prefix_get,
	.put = prefix_put,
	.delete = prefix_delete,
	.delete_many = prefix_delete_many,
	.copy = prefix_copy,
	.set_meta = prefix_set_meta,
	.upload_begin = prefix_upload_begin,
	.upload_part = prefix_upload_part,
	.part_copy = prefix_part_copy,
	.upload_complete = prefix_upload_complete,
	.upload_abort = prefix_upload_abort,
	.upload_parts = prefix_upload_parts,
	.upload_list = prefix_upload_list,
	.bucket_list = NULL,	/* transparent */
	.bucket_create = NULL,	/* transparent */
	.bucket_delete = NULL,	/* transparent */
	.bucket_exists = NULL,	/* transparent */
	.versioning_get = NULL, /* transparent */
	.versioning_set = NULL, /* transparent */
	.list_versions = prefix_list_versions,
	.policy_get = NULL, /* transparent */
	.policy_set = NULL, /* transparent */
	.presign = prefix_presign,
	.append = prefix_append,
	.compose = prefix_compose,
	.rename = prefix_rename,
	.describe = NULL, /* transparent */
	.free = prefix_free,
};

int store_prefix_new(struct store *next, const char *prefix, struct store **ret, struct error *err)
{
	struct prefix_layer *l;
	size_t len = strlen(prefix);

	if (len >= STORE_KEY_MAX)
		return error_set(err, ERR_NAME_TOO_LONG, "the prefix '%.64s...' is too long",
				 prefix);
	l = calloc(1, sizeof(*l));
	if (!l)
		return error_set(err, ERR_NO_MEMORY, "no memory for a layer over '%s'", next->name);
	l->store = (struct store){ .ops = &prefix_ops,
				   .next = next,
				   .name = strdup(next->name),
				   .caps = next->caps,
				   .limits = next->limits };
	if (!l->store.name) {
		free(l);
		return error_set(err, ERR_NO_MEMORY, "no memory for a layer over '%s'", next->name);
	}
	l->len = len;
	memcpy(l->prefix, prefix, len + 1);
	*ret = &l->store;
	return 0;
}
