/*
 * The metadata server of Compute Engine and of what runs on it (GKE, Cloud Run).
 *
 * Asked only where the store's options say so. Every answer must carry the header that no other server sends: else a
 * stranger who answers at that address would be handed on as Google's word.
 *
 * Source: google.aip.dev/auth/4115, cloud.google.com/compute/docs/metadata/querying-metadata (2026-11).
 */
#include "backends/auth/cred_gcp_source.h"

#define METADATA_HOST	    "metadata.google.internal"
#define METADATA_PATH	    "/computeMetadata/v1/"
#define METADATA_TIMEOUT_MS 3000
#define METADATA_TRIES	    3

static int must_be_google(void *arg, const struct http_response *response, struct error *err)
{
	const char *flavor = http_fields_get(&response->headers, "Metadata-Flavor");

	(void)arg;
	if (!flavor || strcmp(flavor, "Google") != 0)
		return error_set(err, ERR_PROTOCOL, "what answers is no metadata server");
	return http_classify_status(NULL, response, err);
}

/* name, value: a query, or NULL */
static int ask(const struct cred_context *c, const char *path, const char *name, const char *value, struct buf *ret,
	       struct error *err)
{
	const char *host = cred_getenv(c, "GCE_METADATA_HOST");
	CLEANUP(freep) char *url = NULL;
	struct cred_call call = { .method = HTTP_GET,
				  .path = path,
				  .operation = "GceMetadata",
				  .timeout_ms = METADATA_TIMEOUT_MS,
				  .max_attempts = METADATA_TRIES,
				  .checks_success = true,
				  .classify = must_be_google };
	int r;

	if (!host)
		host = cred_getenv(c, "GCE_METADATA_ROOT");
	if (c->host->imds_endpoint)
		url = strdup(c->host->imds_endpoint);
	else
		url = str_format("http://%s", host ? host : METADATA_HOST);
	if (!url)
		return error_set(err, ERR_NO_MEMORY, "no memory for a request");
	call.url = url;
	r = http_fields_add(&call.headers, "Metadata-Flavor", "Google", err);
	if (r == 0 && value)
		r = http_query_add(&call.query, name, value, err);
	if (r == 0)
		r = cred_call(c, &call, ret, err);
	http_fields_release(&call.headers);
	http_fields_release(&call.query);
	return r < 0 ? error_prefix(err, r, "the metadata server (%s)", url) : 0;
}

int gcp_metadata_fetch(const struct cred_context *c, const char *scope, struct token *ret,
		       struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf answer = BUF_INIT(0);
	int r = cred_buf_init(&answer, err);

	if (r == 0)
		r = ask(c, METADATA_PATH "instance/service-accounts/default/token", "scopes", scope,
			&answer, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND)
		return error_set(err, ERR_UNAUTHENTICATED,
				 "this machine has no service account (use-metadata-service)");
	return r < 0 ? r : oauth_read(c, "the metadata server", buf_str(&answer), ret, err);
}

int gcp_metadata_text(const struct cred_context *c, const char *path, struct buf *ret,
		      struct error *err)
{
	CLEANUP(freep) char *whole = str_format(METADATA_PATH "%s", path);

	if (!whole)
		return error_set(err, ERR_NO_MEMORY, "no memory for a request");
	return ask(c, whole, NULL, NULL, ret, err);
}

int gcp_metadata_id_token(const struct cred_context *c, const char *audience, struct token *ret, struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf answer = BUF_INIT(0);
	int r = cred_buf_init(&answer, err);

	if (r == 0)
		r = ask(c, METADATA_PATH "instance/service-accounts/default/identity", "audience", audience, &answer, err);
	return r < 0 ? r : token_set(ret, "the metadata server", str_trim(buf_str(&answer)), cred_now_s(c) + 300, err);
}
