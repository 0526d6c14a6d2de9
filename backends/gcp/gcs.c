/*
 * The GCS store: made from its options, described, freed; its table of slots and its limits.
 */
#include "backends/auth/sign_bearer.h"
#include "backends/gcp/gcs_private.h"

static int gcs_describe(struct store *store, struct buf *ret, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	CLEANUP(freep) char *source = cred_gcp_describe(s->cred);
	int r;

	buf_clear(ret);
	r = buf_addf(ret, "%s, credentials: %s", s->endpoint, source ? source : "unknown");
	if (r >= 0 && s->quota_project)
		r = buf_addf(ret, ", quota project: %s", s->quota_project);
	if (r >= 0 && s->has_no_conditions)
		r = buf_adds(ret, ", conditional writes: compared before");
	return r < 0 ? error_set(err, ERR_TOO_LARGE, "the description is too long") : 0;
}

static void gcs_free(struct store *store)
{
	struct gcs_store *s = gcs_of(store);

	http_engine_free_signer(s->engine, s->signer);
	cred_gcp_free(s->cred);
	gcs_uploads_free(s);
	gcs_sessions_free(s);
	lock_destroy(&s->lock);
	lock_destroy(&s->ratelimit.lock);
	free(s->buckets);
	free(s->endpoint);
	free(s->location);
	free(s->quota_project);
	free(s->project);
	free(s);
}

static const struct store_ops gcs_ops = {
	.type = "gcs",
	.list = gcs_list,
	.head = gcs_head,
	.get = gcs_get,
	.put = gcs_put,
	.delete = gcs_delete,
	.delete_many = gcs_delete_many,
	.copy = gcs_copy,
	.set_meta = gcs_set_meta,
	.upload_begin = gcs_upload_begin,
	.upload_part = gcs_upload_part,
	.part_copy = gcs_part_copy,
	.upload_complete = gcs_upload_complete,
	.upload_abort = gcs_upload_abort,
	.upload_parts = gcs_upload_parts,
	.upload_list = gcs_upload_list,
	.bucket_list = gcs_bucket_list,
	.bucket_create = gcs_bucket_create,
	.bucket_delete = gcs_bucket_delete,
	.bucket_exists = gcs_bucket_exists,
	.versioning_get = gcs_versioning_get,
	.versioning_set = gcs_versioning_set,
	.list_versions = gcs_list_versions,
	.policy_get = gcs_policy_get,
	.policy_set = gcs_policy_set,
	.presign = gcs_presign,
	.append = gcs_append,
	.compose = gcs_compose,
	.rename = gcs_rename,
	.describe = gcs_describe,
	.free = gcs_free,
};

static const struct store_limits gcs_limits = {
	.max_object_bytes = 5ULL << 40,
	.max_put_bytes = 5ULL << 40,
	.max_copy_bytes = 0, /* a rewrite takes whatever there is */
	.min_part_bytes = 0,
	.max_part_bytes = 5ULL << 40,
	.max_parts = 10000,
	.max_list_keys = 1000,
	.max_metadata_bytes = 7000, /* of 8 KiB; the parts of an upload carry its key, too */
};

static void set_powers(struct gcs_store *s, const struct gcs_options *options)
{
	s->has_no_conditions = options->has_no_conditions;
	s->makes_hierarchical = options->makes_hierarchical;
	s->base.limits = gcs_limits;
	/* No range of an object can be copied, nor composed: only all of it. */
	s->base.caps = STORE_CAP_COPY | STORE_CAP_PART_WHOLE | STORE_CAP_APPEND | STORE_CAP_COMPOSE | STORE_CAP_RENAME |
		       STORE_CAP_RENAME_DIR | STORE_CAP_LIST_METADATA | STORE_CAP_DELETE_MANY |
		       STORE_CAP_VERSIONING | STORE_CAP_BUCKETS | STORE_CAP_FLAT;
	if (!s->has_no_conditions)
		s->base.caps |= STORE_CAP_CONDITIONAL_PUT | STORE_CAP_CONDITIONAL_DELETE;
	if (options->can_sign)
		s->base.caps |= STORE_CAP_PRESIGN;
}

/* "http://host:4443/storage/v1/" and the like: what comes behind the host's own part is ours to add. */
static int set_endpoint(struct gcs_store *s, const char *endpoint, struct error *err)
{
	struct str text = str_of(endpoint && *endpoint ? endpoint : GCS_HOST);
	struct url url;
	int r = url_parse(text, &url, err);

	if (r < 0)
		return r;
	if (url.query.len)
		return error_set(err, ERR_CONFIG, "the endpoint '%.100s' has a query", endpoint);
	while (text.len && text.ptr[text.len - 1] == '/')
		text.len--;
	if (str_ends(text, "/storage/v1"))
		text.len -= strlen("/storage/v1");
	s->endpoint = str_dup(text);
	return s->endpoint ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static bool copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

static int set_up(struct gcs_store *s, const char *name, const struct gcs_options *options,
		  struct error *err)
{
	int r = set_endpoint(s, options->endpoint, err);

	if (r < 0)
		return r;
	s->base.name = strdup(name);
	s->buckets = calloc(GCS_BUCKETS_KNOWN, sizeof(*s->buckets));
	if (!s->base.name || !s->buckets || !copy_text(&s->project, options->project) ||
	    !copy_text(&s->location, options->location) ||
	    !copy_text(&s->quota_project, options->quota_project))
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (!s->quota_project)
		s->quota_project = cred_gcp_quota_project(options->cred);
	ratelimit_init(&s->ratelimit, options->rate_per_s, options->rate_per_s);
	set_powers(s, options);
	return sign_bearer_new(cred_gcp_tokens(options->cred), NULL, &s->signer, err);
}

int gcs_store_new(const char *name, struct http_engine *engine, const struct gcs_options *options,
		  struct store **ret, struct error *err)
{
	struct gcs_store *s = calloc(1, sizeof(*s));
	int r;

	assert(engine && options->cred);
	if (!s)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	s->base.ops = &gcs_ops;
	s->engine = engine;
	lock_init_ranked(&s->lock, LOCK_STORE);
	ratelimit_init(&s->ratelimit, 0, 0);
	r = set_up(s, name, options, err);
	if (r < 0) {
		free(steal(s->base.name));
		gcs_free(&s->base);
		return r;
	}
	s->cred = options->cred;
	*ret = &s->base;
	return 0;
}
