#include "backends/openstack/swift_private.h"

#define GIB (UINT64_C(1) << 30)

static int describe(struct store *store, struct buf *ret, struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(freep) char *who = keystone_describe(s->keystone);
	char *url = NULL;

	{
		LOCKED(&s->lock);
		url = s->url; /* immutable once there */
	}
	if (buf_addf(ret, "Swift at %s, signed in by %s", url ? url : keystone_url(s->keystone), who ? who : "?") < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	return 0;
}

static void free_store(struct store *store)
{
	struct swift_store *s = swift_of(store);

	http_engine_free_signer(s->engine, s->signer);
	keystone_free(s->keystone);
	free(s->region);
	free(s->temp_url_key);
	free(s->url);
	lock_destroy(&s->ratelimit.lock);
	lock_destroy(&s->lock);
	free(s);
}

static const struct store_ops swift_ops = {
	.type = "swift",
	.list = swift_list,
	.head = swift_head,
	.get = swift_get,
	.put = swift_put,
	.delete = swift_delete,
	.delete_many = swift_delete_many,
	.copy = swift_copy,
	.set_meta = swift_set_meta,
	.upload_begin = swift_upload_begin,
	.upload_part = swift_upload_part,
	.part_copy = swift_part_copy,
	.upload_complete = swift_upload_complete,
	.upload_abort = swift_upload_abort,
	.upload_parts = swift_upload_parts,
	.upload_list = swift_upload_list,
	.bucket_list = swift_bucket_list,
	.bucket_create = swift_bucket_create,
	.bucket_delete = swift_bucket_delete,
	.bucket_exists = swift_bucket_exists,
	.versioning_get = swift_versioning_get,
	.versioning_set = swift_versioning_set,
	.list_versions = swift_list_versions,
	.policy_get = swift_policy_get,
	.policy_set = swift_policy_set,
	.presign = swift_presign,
	.describe = describe,
	.free = free_store,
};

/* Swift's own defaults; docs.openstack.org/swift/latest/api/object_api_v1_overview.html (2026-11). */
static const struct store_limits swift_limits = {
	.max_object_bytes = 1000 * (5 * GIB),
	.max_put_bytes = 5 * GIB,
	.max_copy_bytes = 1000 * (5 * GIB), /* a larger one is large, and copied by its segments */
	.min_part_bytes = 1 << 20,	    /* older services refuse smaller segments */
	.max_part_bytes = 5 * GIB,
	.max_parts = 1000,
	.max_list_keys = 10000,
	.max_metadata_bytes = 4096,
};

static int dup_option(char **place, const char *value, struct error *err)
{
	*place = value ? strdup(value) : NULL;
	return value && !*place ? error_set(err, ERR_NO_MEMORY, "out of memory") : 0;
}

int swift_store_new(const char *name, struct http_engine *engine, const struct swift_options *options,
		    struct store **ret, struct error *err)
{
	static const struct sign_bearer_options header = { .header = "X-Auth-Token", .prefix = "" };
	struct swift_store *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	s->base = (struct store){ .ops = &swift_ops,
				  .name = strdup(name),
				  .caps = STORE_CAP_COPY | STORE_CAP_PART_COPY | STORE_CAP_DELETE_MANY | STORE_CAP_VERSIONING |
					  STORE_CAP_PRESIGN | STORE_CAP_BUCKETS | STORE_CAP_FLAT,
				  .limits = swift_limits };
	lock_init(&s->lock);
	ratelimit_init(&s->ratelimit, options->rate_per_s, options->rate_per_s * 2);
	s->engine = engine;
	s->bulk_max = STORE_DELETE_MAX;
	r = s->base.name ? dup_option(&s->region, options->region, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0)
		r = dup_option(&s->temp_url_key, options->temp_url_key, err);
	if (r == 0)
		r = sign_bearer_new(keystone_tokens(options->keystone), &header, &s->signer, err);
	if (r == 0 && options->storage_url)
		r = swift_use_url(s, options->storage_url, err);
	if (r < 0) {
		free(s->base.name);
		free_store(&s->base); /* the keystone is the caller's still */
		return r;
	}
	s->keystone = options->keystone;
	*ret = &s->base;
	return 0;
}
