#include "backends/store/layer_readonly.h"
#include <string.h>

static int refuse(const struct store *s, const char *what, struct error *err)
{
	return error_set(err, ERR_READ_ONLY, "store '%s' is read-only: %s", s->name, what);
}

/* clang-format off: one refusal a line, so that the list can be read against the interface. */
static int readonly_put(struct store *s, const char *bucket, const char *key,
			const struct store_source *source, const struct store_put_args *args,
			char *ret_version, struct error *err)
{
	(void)bucket;
	(void)key;
	(void)source;
	(void)args;
	(void)ret_version;
	return refuse(s, "writing", err);
}
static int readonly_delete(struct store *s, const char *bucket, const char *key,
			   const char *if_version, const char *version_id, struct error *err)
{
	(void)bucket;
	(void)key;
	(void)if_version;
	(void)version_id;
	return refuse(s, "deleting", err);
}
static int readonly_delete_many(struct store *s, const char *bucket, const char *const *keys,
				size_t count, struct error *results, struct error *err)
{
	(void)bucket;
	(void)keys;
	(void)count;
	(void)results;
	return refuse(s, "deleting", err);
}
static int readonly_copy(struct store *s, const char *from_bucket, const char *from_key,
			 const char *bucket, const char *key, const struct store_copy_args *args,
			 char *ret_version, struct error *err)
{
	(void)from_bucket;
	(void)from_key;
	(void)bucket;
	(void)key;
	(void)args;
	(void)ret_version;
	return refuse(s, "copying", err);
}
static int readonly_set_meta(struct store *s, const char *bucket, const char *key,
			     const char *if_version, const struct store_meta *meta, size_t count,
			     char *ret_version, struct error *err)
{
	(void)bucket;
	(void)key;
	(void)if_version;
	(void)meta;
	(void)count;
	(void)ret_version;
	return refuse(s, "changing metadata", err);
}
static int readonly_upload_begin(struct store *s, const char *bucket, const char *key,
				 const struct store_put_args *args, char **ret_upload_id,
				 struct error *err)
{
	(void)bucket;
	(void)key;
	(void)args;
	(void)ret_upload_id;
	return refuse(s, "uploading", err);
}
static int readonly_upload_part(struct store *s, const char *bucket, const char *key,
				const char *upload_id, unsigned number,
				const struct store_source *source, struct cancel *cancel,
				struct store_part *ret, struct error *err)
{
	(void)bucket;
	(void)key;
	(void)upload_id;
	(void)number;
	(void)source;
	(void)cancel;
	(void)ret;
	return refuse(s, "uploading", err);
}
static int readonly_part_copy(struct store *s, const char *from_bucket, const char *from_key,
			      const char *if_source_version, uint64_t offset, uint64_t length,
			      const char *bucket, const char *key, const char *upload_id,
			      unsigned number, struct cancel *cancel, struct store_part *ret,
			      struct error *err)
{
	(void)from_bucket;
	(void)from_key;
	(void)if_source_version;
	(void)offset;
	(void)length;
	(void)bucket;
	(void)key;
	(void)upload_id;
	(void)number;
	(void)cancel;
	(void)ret;
	return refuse(s, "copying", err);
}
static int readonly_upload_complete(struct store *s, const char *bucket, const char *key,
				    const char *upload_id, const struct store_part *parts,
				    size_t count, const struct store_put_args *args,
				    char *ret_version, struct error *err)
{
	(void)bucket;
	(void)key;
	(void)upload_id;
	(void)parts;
	(void)count;
	(void)args;
	(void)ret_version;
	return refuse(s, "uploading", err);
}
static int readonly_upload_abort(struct store *s, const char *bucket, const char *key,
				 const char *upload_id, struct error *err)
{
	(void)bucket;
	(void)key;
	(void)upload_id;
	return refuse(s, "aborting an upload", err);
}
static int readonly_bucket_create(struct store *s, const char *bucket, struct error *err)
{
	(void)bucket;
	return refuse(s, "making a bucket", err);
}
static int readonly_bucket_delete(struct store *s, const char *bucket, struct error *err)
{
	(void)bucket;
	return refuse(s, "deleting a bucket", err);
}
static int readonly_versioning_set(struct store *s, const char *bucket, bool is_on,
				   struct error *err)
{
	(void)bucket;
	(void)is_on;
	return refuse(s, "changing versioning", err);
}
static int readonly_policy_set(struct store *s, const char *bucket, struct str json,
			       struct error *err)
{
	(void)bucket;
	(void)json;
	return refuse(s, "changing a policy", err);
}
static int readonly_append(struct store *s, const char *bucket, const char *key, uint64_t at,
			   const struct store_source *source, const char *if_version,
			   char *ret_version, struct error *err)
{
	(void)bucket;
	(void)key;
	(void)at;
	(void)source;
	(void)if_version;
	(void)ret_version;
	return refuse(s, "appending", err);
}
static int readonly_compose(struct store *s, const char *bucket, const char *const *keys,
			    size_t count, const char *key, const struct store_put_args *args,
			    char *ret_version, struct error *err)
{
	(void)bucket;
	(void)keys;
	(void)count;
	(void)key;
	(void)args;
	(void)ret_version;
	return refuse(s, "composing", err);
}
static int readonly_rename(struct store *s, const char *bucket, const char *from_key,
			   const char *key, const char *if_source_version, char *ret_version,
			   struct error *err)
{
	(void)bucket;
	(void)from_key;
	(void)key;
	(void)if_source_version;
	(void)ret_version;
	return refuse(s, "renaming", err);
}
/* clang-format on */

/* Signing a URL for writing is writing. */
static int readonly_presign(struct store *s, const char *bucket, const char *key,
			    enum store_presign what, uint64_t expires_s, struct buf *ret_url,
			    struct error *err)
{
	if (what != STORE_PRESIGN_GET)
		return refuse(s, "signing a URL to write", err);
	return store_presign(s->next, bucket, key, what, expires_s, ret_url, err);
}

static void readonly_free(struct store *s)
{
	free(s);
}

static const struct store_ops readonly_ops = {
	.type = "readonly",
	.list = NULL, /* transparent */
	.head = NULL, /* transparent */
	.get = NULL,  /* transparent */
	.put = readonly_put,
	.delete = readonly_delete,
	.delete_many = readonly_delete_many,
	.copy = readonly_copy,
	.set_meta = readonly_set_meta,
	.upload_begin = readonly_upload_begin,
	.upload_part = readonly_upload_part,
	.part_copy = readonly_part_copy,
	.upload_complete = readonly_upload_complete,
	.upload_abort = readonly_upload_abort,
	.upload_parts = NULL, /* transparent */
	.upload_list = NULL,  /* transparent */
	.bucket_list = NULL,  /* transparent */
	.bucket_create = readonly_bucket_create,
	.bucket_delete = readonly_bucket_delete,
	.bucket_exists = NULL,	/* transparent */
	.versioning_get = NULL, /* transparent */
	.versioning_set = readonly_versioning_set,
	.list_versions = NULL, /* transparent */
	.policy_get = NULL,    /* transparent */
	.policy_set = readonly_policy_set,
	.presign = readonly_presign,
	.append = readonly_append,
	.compose = readonly_compose,
	.rename = readonly_rename,
	.describe = NULL, /* transparent */
	.free = readonly_free,
};

int store_readonly_new(struct store *next, struct store **ret, struct error *err)
{
	struct store *s = calloc(1, sizeof(*s));
	char *name = strdup(next->name);

	if (!s || !name) {
		free(s);
		free(name);
		return error_set(err, ERR_NO_MEMORY, "no memory for a layer over '%s'", next->name);
	}
	*s = (struct store){
		.ops = &readonly_ops, .next = next, .name = name, .limits = next->limits
	};
	/* What is left: powers that only read. */
	s->caps = next->caps & (STORE_CAP_LIST_METADATA | STORE_CAP_FLAT | STORE_CAP_VERSIONING |
				STORE_CAP_PRESIGN | STORE_CAP_BUCKETS);
	s->caps |= STORE_CAP_READ_ONLY;
	*ret = s;
	return 0;
}
