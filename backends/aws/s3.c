/*
 * The S3 store: made from its options, described, freed; its table of slots and its limits.
 */
#include "backends/aws/s3_private.h"
#include <stdio.h>

static int s3_describe(struct store *store, struct buf *ret, struct error *err)
{
	struct s3_store *s = s3_of(store);
	const char *region = s3_region_name(s, s3_region_of(s, NULL));
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;
	const char *source = "not asked for yet";
	int r;

	/* Only what is at hand: describing must not wait for a network. */
	if (cred_aws_is_ready(s->provider) && cred_aws_get(s->provider, &cred, err) >= 0)
		source = cred.access_key_id ? (cred.source ? cred.source : "found")
					    : "none, anonymous";
	buf_clear(ret);
	if (s->host)
		r = buf_addf(ret, "%s://%s%s%s%s", s->scheme, s->host, s->port ? ":" : "",
			     s->port ? s->port : "", s->path);
	else
		r = buf_addf(ret, "https://s3.%s.amazonaws.com", region);
	if (r >= 0)
		r = buf_addf(ret, " region %s, %s, credentials: %s, conditional writes: %s", region,
			     s->style == S3_STYLE_PATH ? "path style" : "virtual-host style",
			     source, s3_can_condition(s) ? "yes" : "compared before");
	return r < 0 ? error_set(err, ERR_TOO_LARGE, "the description is too long") : 0;
}

static void s3_free(struct store *store)
{
	struct s3_store *s = s3_of(store);

	for (unsigned i = 0; i < s->region_count; i++) {
		/* A call that was cancelled may have left a fetch of credentials behind, which uses it. */
		http_engine_free_signer(s->engine, s->regions[i].signer);
	}
	cred_aws_provider_free(s->provider);
	lock_destroy(&s->lock);
	lock_destroy(&s->ratelimit.lock);
	free(s->buckets);
	free(s->scheme);
	free(s->host);
	free(s->port);
	free(s->path);
	free(s);
}

static const struct store_ops s3_ops = {
	.type = "s3",
	.list = s3_list,
	.head = s3_head,
	.get = s3_get,
	.put = s3_put,
	.delete = s3_delete,
	.delete_many = s3_delete_many,
	.copy = s3_copy,
	.set_meta = s3_set_meta,
	.upload_begin = s3_upload_begin,
	.upload_part = s3_upload_part,
	.part_copy = s3_part_copy,
	.upload_complete = s3_upload_complete,
	.upload_abort = s3_upload_abort,
	.upload_parts = s3_upload_parts,
	.upload_list = s3_upload_list,
	.bucket_list = s3_bucket_list,
	.bucket_create = s3_bucket_create,
	.bucket_delete = s3_bucket_delete,
	.bucket_exists = s3_bucket_exists,
	.versioning_get = s3_versioning_get,
	.versioning_set = s3_versioning_set,
	.list_versions = s3_list_versions,
	.policy_get = s3_policy_get,
	.policy_set = s3_policy_set,
	.presign = s3_presign,
	.append = NULL, /* S3 Express only; the servers tried overwrite in silence instead */
	.compose = NULL,
	.rename = NULL, /* likewise */
	.describe = s3_describe,
	.free = s3_free,
};

static const struct store_limits s3_limits = {
	.max_object_bytes = 5ULL << 40,
	.max_put_bytes = 5ULL << 30,
	.max_copy_bytes = S3_MAX_COPY_BYTES,
	.min_part_bytes = 5ULL << 20,
	.max_part_bytes = 5ULL << 30,
	.max_parts = S3_MAX_PART_NUMBER,
	.max_list_keys = 1000,
	.max_metadata_bytes = 2048,
};

/* "s3.amazonaws.com" and "s3.REGION.amazonaws.com" are the default endpoint, whose host follows a
 * bucket's region. */
static bool is_default_endpoint(const struct url *url, char ret_region[S3_REGION_MAX])
{
	static const char tail[] = ".amazonaws.com";
	struct str host = url->host;
	size_t middle;

	ret_region[0] = '\0';
	if (!str_equal(url->scheme, STR("https")) || url->port.len ||
	    (url->path.len && !str_equal(url->path, STR("/"))))
		return false;
	if (str_equal(host, STR("s3.amazonaws.com")))
		return true;
	if (!str_starts(host, "s3.") || !str_ends(host, tail))
		return false;
	middle = host.len - 3 - (sizeof(tail) - 1);
	if (host.len < 3 + sizeof(tail) || middle >= S3_REGION_MAX)
		return false;
	(void)snprintf(ret_region, S3_REGION_MAX, "%.*s", (int)middle, host.ptr + 3);
	return s3_region_name_is_valid(ret_region);
}

static int set_endpoint(struct s3_store *s, const char *endpoint, char ret_region[S3_REGION_MAX],
			struct error *err)
{
	struct url url = { 0 };
	struct str path;
	int r;

	ret_region[0] = '\0';
	s->is_aws = true;
	if (endpoint && *endpoint) {
		r = url_parse(str_of(endpoint), &url, err);
		if (r < 0)
			return r;
		if (url.query.len)
			return error_set(err, ERR_CONFIG, "the endpoint '%.100s' has a query",
					 endpoint);
	}
	if (!endpoint || !*endpoint || is_default_endpoint(&url, ret_region)) {
		s->scheme = strdup("https");
		s->path = strdup("");
		return s->scheme && s->path ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	ret_region[0] = '\0';
	path = url.path;
	while (path.len && path.ptr[path.len - 1] == '/')
		path.len--;
	s->is_aws = str_ends(url.host, ".amazonaws.com") || str_ends(url.host, ".amazonaws.com.cn");
	s->scheme = str_dup(url.scheme);
	s->host = str_dup(url.host);
	s->port = url.port.len ? str_dup(url.port) : NULL;
	s->path = path.len ? str_dup(path) : strdup("");
	if (!s->scheme || !s->host || (url.port.len && !s->port) || !s->path)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	return 0;
}

static void set_powers(struct s3_store *s, const struct s3_options *options)
{
	s->conditions = options->conditional_writes;
	s->style = options->style;
	if (s->style == S3_STYLE_AUTO)
		s->style = s->host && url_host_is_local_or_ip(str_of(s->host)) ? S3_STYLE_PATH
									       : S3_STYLE_VIRTUAL;
	s->requester_pays = options->requester_pays;
	s->marks_directories = options->marks_directories;
	s->base.limits = s3_limits;
	s->base.caps = STORE_CAP_COPY | STORE_CAP_PART_COPY | STORE_CAP_DELETE_MANY |
		       STORE_CAP_VERSIONING | STORE_CAP_PRESIGN | STORE_CAP_BUCKETS |
		       STORE_CAP_FLAT | STORE_CAP_LATE_PARTS;
	if (s->conditions != S3_CONDITIONS_NO)
		s->base.caps |= STORE_CAP_CONDITIONAL_PUT | STORE_CAP_CONDITIONAL_DELETE;
	/* Told to believe: in all but a copy's target, where nobody but Amazon was found to keep one. */
	atomic_init(&s->kept, s->conditions == S3_CONDITIONS_NO	   ? S3_KEEPS_KNOWN
			      : s->is_aws			   ? S3_KEEPS_KNOWN | S3_KEEPS_ALL
			      : s->conditions == S3_CONDITIONS_YES ? S3_KEEPS_KNOWN | (S3_KEEPS_ALL & ~S3_KEEPS_TARGET)
								   : 0U);
	ratelimit_init(&s->ratelimit, options->rate_per_s, options->rate_per_s);
}

/* Servers of others name their regions as they like ("RegionOne"); there it is no part of a host's name. */
static bool is_plain_word(const char *region)
{
	size_t len = strlen(region);

	return len > 0 && len < S3_REGION_MAX &&
	       strspn(region, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

static int set_up(struct s3_store *s, const char *name, const struct s3_options *options,
		  struct error *err)
{
	char endpoint_region[S3_REGION_MAX];
	const char *region;
	int r;

	s->base.name = strdup(name);
	s->buckets = calloc(S3_BUCKETS_KNOWN, sizeof(*s->buckets));
	if (!s->base.name || !s->buckets)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = set_endpoint(s, options->endpoint, endpoint_region, err);
	if (r < 0)
		return r;
	set_powers(s, options);
	region = options->region && *options->region ? options->region
		 : endpoint_region[0]		     ? endpoint_region
						     : S3_DEFAULT_REGION;
	if (options->endpoint ? !is_plain_word(region) : !s3_region_name_is_valid(region))
		return error_set(err, ERR_CONFIG, "'%.64s' is no name of a region", region);
	return s3_region_add(s, region, &s->default_region, err);
}

int s3_store_new(const char *name, struct http_engine *engine, const struct s3_options *options,
		 struct store **ret, struct error *err)
{
	struct s3_store *s = calloc(1, sizeof(*s));
	int r;

	assert(engine && options->provider);
	if (!s)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	s->base.ops = &s3_ops;
	s->engine = engine;
	lock_init_ranked(&s->lock, LOCK_STORE);
	ratelimit_init(&s->ratelimit, 0, 0);
	s->provider = options->provider;
	r = set_up(s, name, options, err);
	if (r < 0) {
		s->provider = NULL; /* stays the caller's */
		free(steal(s->base.name));
		s3_free(&s->base);
		return r;
	}
	*ret = &s->base;
	return 0;
}
