/*
 * Buckets: list, make, delete, exists; versioning; IAM policy; signed URLs.
 *
 * Whether a bucket is there is asked of its storage layout, which needs no more than the right to list objects.
 *
 * Source: cloud.google.com/storage/docs/json_api/v1/buckets, .../access-control/signing-urls-manually (2026-10).
 */
#include "backends/base/clock.h"
#include "backends/gcp/gcs_private.h"
#include <stdio.h>

#define PRESIGN_MAX_S (7 * 86400)
#define PAGES_MAX     10000

/* The project's id, looked for once; heap string. */
static int project_of(struct gcs_store *s, char **ret, struct error *err)
{
	CLEANUP(freep) char *found = NULL;

	lock_take(&s->lock);
	*ret = s->project ? strdup(s->project) : NULL;
	lock_drop(&s->lock);
	if (*ret)
		return 0;
	found = cred_gcp_project(s->cred);
	if (!found)
		return error_set(err, ERR_CONFIG,
				 "which project's buckets is not known (set project-id or "
				 "GOOGLE_CLOUD_PROJECT)");
	*ret = strdup(found);
	LOCKED(&s->lock);
	if (!s->project)
		s->project = steal(found);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static enum gcs_hns hns_of(struct json_object *o)
{
	return json_get_bool(o, "hierarchicalNamespace.enabled", false) ? GCS_HNS_YES : GCS_HNS_NO;
}

static int read_buckets(struct gcs_store *s, struct json_object *items,
			struct store_bucket_page *page, size_t *capacity, struct error *err)
{
	size_t count = items ? json_object_array_length(items) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *o = json_object_array_get_idx(items, i);
		const char *name = json_get_string(o, "name"),
			   *created = json_get_string(o, "timeCreated");

		if (!name || !*name || strchr(name, '/'))
			return error_set(err, ERR_PROTOCOL,
					 "the service lists a bucket without a name");
		if (page->count == *capacity) {
			size_t grown = *capacity ? 2 * *capacity : 64;
			struct store_bucket *buckets =
				arena_alloc(&page->arena, grown * sizeof(*buckets));

			if (!buckets)
				return error_set(err, ERR_TOO_LARGE, "there are too many buckets");
			if (page->count)
				memcpy(buckets, page->buckets, page->count * sizeof(*buckets));
			page->buckets = buckets;
			*capacity = grown;
		}
		struct store_bucket *to = &page->buckets[page->count++];

		to->name = arena_strdup(&page->arena, name);
		if (!to->name)
			return error_set(err, ERR_TOO_LARGE, "there are too many buckets");
		if (created)
			(void)clock_parse_iso8601(created, &to->created_wall_ns); /* else unknown */
		gcs_hns_remember(s, name, hns_of(o));
	}
	return 0;
}

int gcs_bucket_list(struct store *store, struct store_bucket_page *ret, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	struct store_bucket_page page = STORE_BUCKET_PAGE_INIT;
	CLEANUP(freep) char *project = NULL;
	CLEANUP(freep) char *token = NULL;
	size_t capacity = 0, pages = 0;
	int r = project_of(s, &project, err);

	do {
		CLEANUP(gcs_call_release)
		struct gcs_call c = GCS_CALL_INIT(s, HTTP_GET, "ListBuckets", NULL, NULL);

		if (r < 0)
			break;
		gcs_call_path(&c, "storage", "v1", "b", NULL);
		gcs_call_query(&c, "project", project);
		gcs_call_query(&c, "fields",
			       "nextPageToken,items(name,timeCreated,hierarchicalNamespace)");
		if (token)
			gcs_call_query(&c, "pageToken", token);
		r = gcs_call_json(&c, err);
		if (r == 0)
			r = read_buckets(s, json_get_array(c.json, "items"), &page, &capacity, err);
		free(token);
		token = r == 0 && json_get_string(c.json, "nextPageToken")
				? strdup(json_get_string(c.json, "nextPageToken"))
				: NULL;
		if (++pages > PAGES_MAX)
			r = error_set(err, ERR_PROTOCOL, "the listing of buckets does not end");
	} while (r == 0 && token && *token);
	if (r < 0)
		store_bucket_page_release(&page);
	else
		*ret = page;
	return r;
}

/* A flag within an object: {"enabled": true} */
static void add_enabled(struct json_object *o, const char *key)
{
	struct json_object *inner = json_object_new_object();

	if (inner)
		json_object_object_add(inner, "enabled", json_object_new_boolean(true));
	json_object_object_add(o, key, inner);
}

int gcs_bucket_create(struct store *store, const char *bucket, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_POST, "InsertBucket", bucket, NULL);
	struct json_object *body, *iam;
	CLEANUP(freep) char *project = NULL;
	int r = project_of(s, &project, err);

	if (r < 0)
		return r;
	body = json_object_new_object();
	if (!body)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_add(body, "name", json_object_new_string(bucket));
	if (s->location)
		json_object_object_add(body, "location", json_object_new_string(s->location));
	if (s->makes_hierarchical) {
		iam = json_object_new_object();
		add_enabled(body, "hierarchicalNamespace");
		if (iam)
			add_enabled(iam, "uniformBucketLevelAccess");
		json_object_object_add(body, "iamConfiguration", iam);
	}
	gcs_call_path(&c, "storage", "v1", "b", NULL);
	gcs_call_query(&c, "project", project);
	gcs_call_query(&c, "fields", "name,hierarchicalNamespace");
	gcs_call_send_json(&c, body);
	r = gcs_call_json(&c, err);
	if (r < 0 && err->http_status == 409) {
		/* Sent again after a lost answer it meets itself; whose it is the listing would tell. */
		return error_set(err, ERR_EXISTS, "bucket '%.64s' exists already", bucket);
	}
	if (r == 0)
		gcs_hns_remember(s, bucket, hns_of(c.json));
	return r;
}

static int delete_once(struct gcs_store *s, const char *bucket, struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_DELETE, "DeleteBucket", bucket, NULL);
	int r;

	gcs_call_target(&c);
	r = gcs_call_perform(&c, err);
	if (r < 0 && (err->http_status == 409 || err->http_status == 412))
		return error_set(err, ERR_NOT_EMPTY, "bucket '%.64s' is not empty", bucket);
	return r;
}

struct leftovers {
	struct gcs_store *store;
	const char *bucket;
};

static int delete_leftover(void *arg, const struct store_object *o, struct error *err)
{
	struct leftovers *l = arg;

	return gcs_delete(&l->store->base, l->bucket, o->key, NULL, o->version, err);
}

/* A bucket that holds nothing anybody can see is empty: parts of uploads nobody finished, and empty folders, go. */
int gcs_bucket_delete(struct store *store, const char *bucket, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = "" };
	struct leftovers l = { s, bucket };
	struct error why = ERROR_INIT;
	int r = delete_once(s, bucket, err);

	if (r == 0 || err->kind != ERR_NOT_EMPTY)
		return r;
	if (gcs_list_versions(store, bucket, &args, &page, &why) < 0 || page.count)
		return r;
	if (gcs_list_reserved(s, bucket, GCS_RESERVED, GCS_LISTING_VERSIONS, delete_leftover, &l,
			      &why) < 0 ||
	    (gcs_hns_known(s, bucket) == GCS_HNS_YES &&
	     gcs_folders_delete_all(s, bucket, &why) < 0))
		return r;
	*err = ERROR_INIT;
	return delete_once(s, bucket, err);
}

/* The bucket's resource, or a part of it. */
static int get_bucket(struct gcs_store *s, const char *bucket, const char *fields,
		      struct gcs_call *c, struct error *err)
{
	*c = GCS_CALL_INIT(s, HTTP_GET, "GetBucket", bucket, NULL);
	gcs_call_target(c);
	gcs_call_query(c, "fields", fields);
	return gcs_call_json(c, err);
}

static int get_layout(struct gcs_store *s, const char *bucket, struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_GET, "GetStorageLayout", bucket, NULL);
	int r;

	gcs_call_path(&c, "storage", "v1", "b", bucket, "storageLayout", NULL);
	gcs_call_query(&c, "fields", "bucket,hierarchicalNamespace");
	r = gcs_call_json(&c, err);
	if (r == 0)
		gcs_hns_remember(s, bucket, hns_of(c.json));
	return r;
}

int gcs_bucket_exists(struct store *store, const char *bucket, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	CLEANUP(gcs_call_release) struct gcs_call c = GCS_CALL_INIT(s, HTTP_GET, "", bucket, NULL);
	int r;

	if (!atomic_load(&s->lacks_layout)) {
		r = get_layout(s, bucket, err);
		/* Google's own answer is believed; a server that does not know the question says 404, too. */
		if (r == 0 || (err->kind != ERR_NOT_FOUND && err->kind != ERR_UNSUPPORTED) ||
		    !strcmp(s->endpoint, GCS_HOST))
			return r;
		*err = ERROR_INIT;
	}
	r = get_bucket(s, bucket, "name,hierarchicalNamespace", &c, err);
	if (r == 0) {
		atomic_store(&s->lacks_layout, true);
		gcs_hns_remember(s, bucket, hns_of(c.json));
	}
	return r;
}

int gcs_versioning_get(struct store *store, const char *bucket, bool *ret_is_on, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	CLEANUP(gcs_call_release) struct gcs_call c = GCS_CALL_INIT(s, HTTP_GET, "", bucket, NULL);
	int r = get_bucket(s, bucket, "versioning", &c, err);

	if (r == 0)
		*ret_is_on = json_get_bool(c.json, "versioning.enabled", false);
	return r;
}

int gcs_versioning_set(struct store *store, const char *bucket, bool is_on, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_PATCH, "PatchBucket", bucket, NULL);
	struct json_object *body = json_object_new_object(), *versioning = json_object_new_object();

	if (!body || !versioning) {
		json_object_put(body);
		json_object_put(versioning);
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	json_object_object_add(versioning, "enabled", json_object_new_boolean(is_on));
	json_object_object_add(body, "versioning", versioning);
	gcs_call_target(&c);
	gcs_call_query(&c, "fields", "versioning");
	gcs_call_send_json(&c, body);
	return gcs_call_perform(&c, err);
}

int gcs_policy_get(struct store *store, const char *bucket, struct buf *ret_json, struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c =
		GCS_CALL_INIT(gcs_of(store), HTTP_GET, "GetBucketIamPolicy", bucket, NULL);
	int r;

	gcs_call_path(&c, "storage", "v1", "b", bucket, "iam", NULL);
	gcs_call_query(&c, "optionsRequestedPolicyVersion", "3");
	r = gcs_call_json(&c, err);
	if (r < 0)
		return r;
	buf_clear(ret_json);
	return buf_add_str(ret_json, str_trim(buf_str(&c.answer))) < 0
		       ? error_set(err, ERR_TOO_LARGE, "the policy is too large")
		       : 0;
}

int gcs_policy_set(struct store *store, const char *bucket, struct str json, struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c =
		GCS_CALL_INIT(gcs_of(store), HTTP_PUT, "SetBucketIamPolicy", bucket, NULL);
	struct json_object *policy = NULL;
	int r;

	if (!str_trim(json).len)
		return error_set(err, ERR_UNSUPPORTED,
				 "an IAM policy cannot be deleted (set one without bindings)");
	r = json_parse(json, 1 << 20, &policy, err);
	if (r < 0 || !json_object_is_type(policy, json_type_object)) {
		json_object_put(policy);
		return error_set(err, ERR_INVALID, "the policy is no JSON object");
	}
	gcs_call_path(&c, "storage", "v1", "b", bucket, "iam", NULL);
	gcs_call_send_json(&c, policy);
	return gcs_call_perform(&c, err);
}

/* ---- signed URLs ---- */

struct signing {
	const char *method;
	char *email;
	char date[17], scope[64];
	struct buf path, query, text;
};

static void signing_release(struct signing *g)
{
	free(g->email);
	buf_release(&g->path);
	buf_release(&g->query);
	buf_release(&g->text);
}

/* Path and query as they are signed and sent. */
static int build_url(struct signing *g, const struct url *endpoint, const char *bucket,
		     const char *key, uint64_t expires_s)
{
	CLEANUP(buf_release) struct buf credential = BUF_INIT(1024);
	struct str base = endpoint->path;
	int r;

	while (base.len && base.ptr[base.len - 1] == '/')
		base.len--;
	if ((r = buf_add_str(&g->path, base)) < 0 || (r = buf_addc(&g->path, '/')) < 0 ||
	    (r = url_encode(str_of(bucket), URL_ENCODE_SLASH, &g->path)) < 0 ||
	    (r = buf_addc(&g->path, '/')) < 0 ||
	    (r = url_encode(str_of(key), URL_KEEP_SLASH, &g->path)) < 0 ||
	    (r = buf_addf(&credential, "%s/%s", g->email, g->scope)) < 0 ||
	    (r = buf_adds(&g->query, "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=")) < 0 ||
	    (r = url_encode(buf_str(&credential), URL_ENCODE_SLASH, &g->query)) < 0)
		return r;
	return buf_addf(&g->query, "&X-Goog-Date=%s&X-Goog-Expires=%llu&X-Goog-SignedHeaders=host",
			g->date, (unsigned long long)expires_s);
}

static int build_text(struct signing *g, struct str authority)
{
	CLEANUP(buf_release) struct buf canonical = BUF_INIT(32768);
	unsigned char digest[HASH_SHA256_LEN];
	char hex[2 * sizeof(digest) + 1];
	int r = buf_addf(&canonical, "%s\n%s\n%s\nhost:%.*s\n\nhost\nUNSIGNED-PAYLOAD", g->method,
			 buf_cstr(&g->path), buf_cstr(&g->query), (int)authority.len,
			 authority.ptr);

	if (r < 0)
		return r;
	hash_sha256(canonical.data, canonical.len, digest);
	hex_encode(digest, sizeof(digest), hex);
	return buf_addf(&g->text, "GOOG4-RSA-SHA256\n%s\n%s\n%s", g->date, g->scope, hex);
}

static int put_together(const struct signing *g, const struct url *endpoint, struct str authority,
			const struct buf *signature, struct buf *ret_url)
{
	CLEANUP(freep) char *hex = malloc(2 * signature->len + 1);

	if (!hex)
		return -ENOMEM;
	hex_encode(signature->data, signature->len, hex);
	buf_clear(ret_url);
	return buf_addf(ret_url, "%.*s://%.*s%s?%s&X-Goog-Signature=%s", (int)endpoint->scheme.len,
			endpoint->scheme.ptr, (int)authority.len, authority.ptr, buf_cstr(&g->path),
			buf_cstr(&g->query), hex);
}

int gcs_presign(struct store *store, const char *bucket, const char *key, enum store_presign what,
		uint64_t expires_s, struct buf *ret_url, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	CLEANUP(signing_release)
	struct signing g = { .method = what == STORE_PRESIGN_PUT ? "PUT" : "GET",
			     .path = BUF_INIT(8192),
			     .query = BUF_INIT(4096),
			     .text = BUF_INIT(1024) };
	CLEANUP(buf_release) struct buf signature = BUF_INIT(2048);
	struct str authority;
	struct url endpoint;
	int r = gcs_check_key(key, err);

	if (r == 0 && (!expires_s || expires_s > PRESIGN_MAX_S))
		r = error_set(err, ERR_INVALID, "a signed URL is good for 1 s to 7 days");
	if (r == 0)
		r = url_parse(str_of(s->endpoint), &endpoint, err);
	if (r == 0)
		r = cred_gcp_signer_email(s->cred, &g.email, err);
	if (r < 0)
		return r;
	authority =
		(struct str){ endpoint.host.ptr,
			      endpoint.port.len ? (size_t)(endpoint.port.ptr + endpoint.port.len -
							   endpoint.host.ptr)
						: endpoint.host.len };
	clock_format_basic(clock_wall_s() + clock_skew_s(), g.date);
	(void)snprintf(g.scope, sizeof(g.scope), "%.8s/auto/storage/goog4_request", g.date);
	if (build_url(&g, &endpoint, bucket, key, expires_s) < 0 || build_text(&g, authority) < 0)
		return error_set(err, ERR_TOO_LARGE, "the address is too long");
	r = cred_gcp_sign(s->cred, g.email, buf_str(&g.text), &signature, err);
	if (r < 0)
		return r;
	return put_together(&g, &endpoint, authority, &signature, ret_url) < 0
		       ? error_set(err, ERR_TOO_LARGE, "the address is too long")
		       : 0;
}
