/*
 * The Azure store: made from its options, described, freed; its table of slots and its limits.
 */
#include "backends/azure/blob_private.h"
#include <stdio.h>

static int az_describe(struct store *store, struct buf *ret, struct error *err)
{
	struct az_store *s = az_of(store);
	static const char *const namespaces[] = { "not asked for yet", "flat", "hierarchical" };
	int r;

	buf_clear(ret);
	r = buf_addf(ret, "%s://%s%s account %s, credentials: %s, namespace: %s", s->blob.scheme,
		     s->blob.authority, s->blob.path, s->account, cred_azure_describe(s->cred),
		     namespaces[atomic_load(&s->hns)]);
	return r < 0 ? error_set(err, ERR_TOO_LARGE, "the description is too long") : 0;
}

static void endpoint_release(struct az_endpoint *e)
{
	free(e->scheme);
	free(e->authority);
	free(e->path);
}

static void az_free(struct store *store)
{
	struct az_store *s = az_of(store);

	azure_store_arm_free(s->arm);
	cred_azure_free(s->cred);
	az_delegation_release(&s->delegation);
	lock_destroy(&s->lock);
	lock_destroy(&s->ratelimit.lock);
	endpoint_release(&s->blob);
	endpoint_release(&s->dfs);
	free(s->account);
	free(s);
}

static const struct store_ops az_ops = {
	.type = "azure",
	.list = az_list,
	.head = az_head,
	.get = az_get,
	.put = az_put,
	.delete = az_delete,
	.delete_many = az_delete_many,
	.copy = az_copy,
	.set_meta = az_set_meta,
	.upload_begin = az_upload_begin,
	.upload_part = az_upload_part,
	.part_copy = az_part_copy,
	.upload_complete = az_upload_complete,
	.upload_abort = az_upload_abort,
	.upload_parts = az_upload_parts,
	.upload_list = NULL, /* the service keeps blocks, no uploads; they go away by themselves */
	.bucket_list = az_bucket_list,
	.bucket_create = az_bucket_create,
	.bucket_delete = az_bucket_delete,
	.bucket_exists = az_bucket_exists,
	.versioning_get = az_versioning_get,
	.versioning_set = az_versioning_set,
	.list_versions = az_list_versions,
	.policy_get = NULL,
	.policy_set = NULL,
	.presign = az_presign,
	.append = az_append,
	.compose = NULL,
	.rename = az_rename,
	.describe = az_describe,
	.free = az_free,
};

static const struct store_limits az_limits = {
	.max_object_bytes = AZ_BLOCK_MAX * AZ_BLOCKS_MAX,
	.max_put_bytes = AZ_PUT_MAX,
	.max_copy_bytes = 0, /* any size */
	.min_part_bytes = 1,
	.max_part_bytes = AZ_BLOCK_MAX,
	.max_parts = AZ_BLOCKS_MAX,
	.max_list_keys = AZ_PAGE_MAX,
	.max_metadata_bytes = 8192,
};

static int set_endpoint(struct az_endpoint *e, const char *what, const char *text, struct error *err)
{
	struct url url = { 0 };
	struct str path;
	int r = url_parse(str_of(text), &url, err);

	if (r < 0)
		return error_set(err, ERR_CONFIG, "%s '%.100s' is no http(s) address", what, text);
	if (url.query.len)
		return error_set(err, ERR_CONFIG, "%s has a query (a SAS is an option of its own: sas-token)", what);
	path = url.path;
	while (path.len && path.ptr[path.len - 1] == '/')
		path.len--;
	e->scheme = str_dup(url.scheme);
	e->authority = url.port.len ? str_format("%.*s:%.*s", (int)url.host.len, url.host.ptr, (int)url.port.len,
						 url.port.ptr)
				    : str_dup(url.host);
	e->path = path.len ? str_dup(path) : strdup("");
	return e->scheme && e->authority && e->path ? 0 : error_no_memory(err);
}

/* On an emulator the account stands in the path, in the cloud in the host. */
static int add_account(struct az_endpoint *e, const char *account, struct error *err)
{
	struct str rest = str_of(e->authority);
	struct str host = rest.len && rest.ptr[0] == '[' ? rest : str_split(&rest, ':');
	char *path;

	if (*e->path || !url_host_is_local_or_ip(host))
		return 0;
	path = str_format("/%s", account);
	if (!path)
		return error_no_memory(err);
	free(e->path);
	e->path = path;
	return 0;
}

/* "https://ACCOUNT.blob.core.windows.net" or the emulator's "http://127.0.0.1:10000/ACCOUNT". */
static char *account_in(const struct az_endpoint *e)
{
	struct str rest = str_of(*e->path ? e->path + 1 : e->authority);
	struct str first = str_split(&rest, *e->path ? '/' : '.');

	return first.len ? str_dup(first) : NULL;
}

static int set_account(struct az_store *s, const struct azure_options *options, const char *endpoint,
		       struct error *err)
{
	const char *told = options->account ? options->account : cred_azure_account(s->cred);

	if (told) {
		s->account = strdup(told);
		return s->account ? 0 : error_no_memory(err);
	}
	if (!endpoint)
		return error_set(err, ERR_CONFIG,
				 "which account is not known (set account, or AZURE_STORAGE_ACCOUNT)");
	s->account = account_in(&s->blob);
	return s->account ? 0 : error_set(err, ERR_CONFIG, "the endpoint '%.100s' names no account", endpoint);
}

static int set_dfs(struct az_store *s, const struct azure_options *options, struct error *err)
{
	const char *at = strstr(s->blob.authority, ".blob.");
	CLEANUP(freep) char *url = NULL;
	int r;

	if (options->dfs_endpoint) {
		r = set_endpoint(&s->dfs, "dfs-endpoint", options->dfs_endpoint, err);
		return r < 0 ? r : add_account(&s->dfs, s->account, err);
	}
	url = at ? str_format("%s://%.*s.dfs.%s%s", s->blob.scheme, (int)(at - s->blob.authority), s->blob.authority,
			      at + strlen(".blob."), s->blob.path)
		 : str_format("%s://%s%s", s->blob.scheme, s->blob.authority, s->blob.path);
	return url ? set_endpoint(&s->dfs, "endpoint", url, err) : error_no_memory(err);
}

static int set_endpoints(struct az_store *s, const struct azure_options *options, struct error *err)
{
	const char *endpoint = options->endpoint ? options->endpoint : cred_azure_endpoint(s->cred);
	CLEANUP(freep) char *url = NULL;
	int r = endpoint ? set_endpoint(&s->blob, "endpoint", endpoint, err) : 0;

	if (r >= 0)
		r = set_account(s, options, endpoint, err);
	if (r < 0)
		return r;
	if (strspn(s->account, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(s->account))
		return error_set(err, ERR_CONFIG, "'%.64s' is no name of an Azure storage account", s->account);
	if (!endpoint) {
		url = str_format("https://%s.blob.core.windows.net", s->account);
		if (!url)
			return error_no_memory(err);
		r = set_endpoint(&s->blob, "endpoint", url, err);
	}
	if (r >= 0)
		r = add_account(&s->blob, s->account, err);
	return r < 0 ? r : set_dfs(s, options, err);
}

static int set_up(struct az_store *s, const char *name, const struct azure_options *options,
		  struct error *err)
{
	int r;

	s->base.name = strdup(name);
	if (!s->base.name)
		return error_no_memory(err);
	r = set_endpoints(s, options, err);
	if (r < 0)
		return r;
	s->deletes_snapshots = options->deletes_snapshots;
	s->has_crc64 = options->checksum == AZURE_CHECKSUM_AUTO ? !*s->blob.path
								: options->checksum == AZURE_CHECKSUM_CRC64;
	s->base.limits = az_limits;
	s->base.caps = STORE_CAP_CONDITIONAL_PUT | STORE_CAP_CONDITIONAL_DELETE | STORE_CAP_COPY |
		       STORE_CAP_PART_COPY | STORE_CAP_APPEND | STORE_CAP_KEEPS_BLOCKS | STORE_CAP_LIST_METADATA |
		       STORE_CAP_DELETE_MANY | STORE_CAP_BUCKETS | STORE_CAP_FLAT;
	if (cred_azure_kind(s->cred) == CRED_AZURE_KEY || cred_azure_kind(s->cred) == CRED_AZURE_TOKEN)
		s->base.caps |= STORE_CAP_PRESIGN;
	if (s->arm)
		s->base.caps |= STORE_CAP_VERSIONING;
	if (options->hierarchical != AZURE_NAMESPACE_AUTO)
		az_hns_learn(s, options->hierarchical == AZURE_NAMESPACE_HIERARCHICAL);
	return 0;
}

int azure_store_new(const char *name, struct http_engine *engine, const struct azure_options *options,
		    struct store **ret, struct error *err)
{
	struct az_store *s = calloc(1, sizeof(*s));
	int r;

	assert(engine && options->cred);
	if (!s)
		return error_no_memory(err);
	s->base.ops = &az_ops;
	s->engine = engine;
	lock_init(&s->lock);
	ratelimit_init(&s->ratelimit, options->rate_per_s, options->rate_per_s);
	s->cred = options->cred;
	s->arm = options->arm;
	r = set_up(s, name, options, err);
	if (r < 0) {
		s->cred = NULL; /* stays the caller's */
		s->arm = NULL;
		free(steal(s->base.name));
		az_free(&s->base);
		return r;
	}
	*ret = &s->base;
	return 0;
}
