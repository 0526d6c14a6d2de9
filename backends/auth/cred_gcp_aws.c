/*
 * Workload identity federation from AWS: the subject token is a signed request that asks STS who signs (GetCallerIdentity).
 * It is not sent from here: Google's security token service sends it, and so learns the role.
 *
 * Keys and region come from the environment, else from the instance's metadata at the addresses that the credentials file
 * names, by IMDSv2 where it names an address for session tokens. The pool it is meant for is signed along, so that it is worth
 * nothing elsewhere.
 *
 * Source: google.aip.dev/auth/4117 ("Determining the subject token in AWS"),
 * cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds,
 * docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html (2026-11).
 */
#include "backends/auth/cred_gcp_source.h"
#include "backends/auth/cred_source.h"
#include "backends/auth/sign_sigv4.h"
#include "backends/http/url.h"

#define SESSION_TTL_S	    "300"
#define METADATA_TIMEOUT_MS 5000
#define METADATA_TRIES	    2
#define STANDARD_STS	    "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"

/* One text of the instance's metadata. below: a path behind the address, or NULL. */
static int ask(const struct cred_context *c, const struct gcp_json *j, const char *field, enum http_method method,
	       const char *below, const char *session, struct buf *ret, struct error *err)
{
	CLEANUP(freep) char *key = str_format("credential_source.%s", field);
	const char *url = key ? json_get_string(j->o, key) : NULL;
	struct cred_call call = { .method = method, .url = url, .path = below, .operation = "InstanceMetadata",
				  .timeout_ms = METADATA_TIMEOUT_MS, .max_attempts = METADATA_TRIES };
	bool is_put = method == HTTP_PUT;
	int r = 0;

	if (!key)
		return error_set(err, ERR_NO_MEMORY, "no memory for a request");
	if (!url || !*url)
		return error_set(err, ERR_CONFIG, "%s has no '%s', and the environment has no AWS_%s", j->name, key,
				 strcmp(field, "region_url") ? "ACCESS_KEY_ID" : "REGION");
	if (is_put || session)
		r = http_fields_add(&call.headers, is_put ? "X-aws-ec2-metadata-token-ttl-seconds" : "X-aws-ec2-metadata-token",
				    is_put ? SESSION_TTL_S : session, err);
	if (r == 0)
		r = cred_call(c, &call, ret, err);
	return r < 0 ? error_prefix(err, r, "%s of %s", key, j->name) : 0;
}

/* The session token of IMDSv2; empty where the file names no address for it. */
static int open_session(const struct cred_context *c, const struct gcp_json *j, struct buf *ret, struct error *err)
{
	int r = cred_buf_init(ret, err);

	if (r < 0 || !json_get_string(j->o, "credential_source.imdsv2_session_token_url"))
		return r;
	r = ask(c, j, "imdsv2_session_token_url", HTTP_PUT, NULL, NULL, ret, err);
	if (r == 0 && (!ret->len || strpbrk(buf_cstr(ret), "\r\n")))
		return error_set(err, ERR_PROTOCOL, "credential_source.imdsv2_session_token_url of %s gives no token", j->name);
	return r;
}

static const char *session_of(const struct buf *session)
{
	return session->len ? buf_cstr(session) : NULL;
}

static int find_keys(const struct cred_context *c, const struct gcp_json *j, struct cred_aws *ret, struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf session = BUF_INIT(0), answer = BUF_INIT(0);
	CLEANUP(buf_release) struct buf role = BUF_INIT(4096), path = BUF_INIT(4096);
	struct str name;
	int r = cred_source_env.fetch(c, ret, err);

	if (r != CRED_ABSENT)
		return r;
	r = open_session(c, j, &session, err);
	if (r == 0)
		r = ask(c, j, "url", HTTP_GET, NULL, session_of(&session), &role, err);
	if (r < 0)
		return r;
	name = str_trim(buf_str(&role));
	if (!name.len || memchr(name.ptr, '\n', name.len) || buf_addc(&path, '/') < 0 ||
	    url_encode(name, URL_ENCODE_SLASH, &path) < 0)
		return error_set(err, ERR_UNAUTHENTICATED, "credential_source.url of %s: this machine has no role", j->name);
	r = cred_buf_init(&answer, err);
	if (r == 0)
		r = ask(c, j, "url", HTTP_GET, buf_cstr(&path), session_of(&session), &answer, err);
	if (r < 0)
		return r;
	r = cred_set_json(ret, "instance metadata", buf_str(&answer), "Token", err);
	return r < 0 ? error_prefix(err, r, "credential_source.url of %s", j->name) : 0;
}

/* ret is heap. The metadata tell the zone: its last letter is no part of the region. */
static int find_region(const struct cred_context *c, const struct gcp_json *j, char **ret, struct error *err)
{
	static const char *const variables[] = { "AWS_REGION", "AWS_DEFAULT_REGION", NULL };
	CLEANUP(cred_buf_wipe) struct buf session = BUF_INIT(0);
	CLEANUP(buf_release) struct buf zone = BUF_INIT(256);
	CLEANUP(freep) char *region = NULL;
	const char *named = cred_getenv_any(c, variables);
	struct str text = str_of(named);
	int r = 0;

	if (!named) {
		r = open_session(c, j, &session, err);
		if (r == 0)
			r = ask(c, j, "region_url", HTTP_GET, NULL, session_of(&session), &zone, err);
		if (r < 0)
			return r;
		text = str_trim(buf_str(&zone));
		text.len -= text.len > 0;
	}
	region = str_dup(text);
	if (!region)
		return error_set(err, ERR_NO_MEMORY, "no memory for a request");
	if (!cred_region_is_valid(region))
		return error_set(err, ERR_CONFIG, "%s: '%.40s' is no AWS region", named ? "AWS_REGION" : "credential_source.region_url",
				 region);
	*ret = steal(region);
	return 0;
}

/* The address of STS in that region; heap. */
static int verification_url(const struct gcp_json *j, const char *region, char **ret, struct error *err)
{
	const char *template = json_get_string(j->o, "credential_source.regional_cred_verification_url");
	const char *hole;

	if (!template)
		template = STANDARD_STS;
	hole = strstr(template, "{region}");
	*ret = hole ? str_format("%.*s%s%s", (int)(hole - template), template, region, hole + strlen("{region}")) :
		      strdup(template);
	if (!*ret)
		return error_set(err, ERR_NO_MEMORY, "no memory for a request");
	if (strncmp(*ret, "https://", 8) != 0)
		return error_set(err, ERR_CONFIG, "credential_source.regional_cred_verification_url of %s must be https", j->name);
	return 0;
}

static int sign(const struct cred_context *c, const struct gcp_json *j, const char *region, const char *url,
		struct http_request *request, struct error *err)
{
	CLEANUP(cred_aws_release) struct cred_aws keys = CRED_AWS_INIT;
	CLEANUP(freep) char *base = str_dup((struct str){ url, strcspn(url, "?") });
	struct sigv4_scope scope = { .region = region, .service = "sts", .wall_s = cred_now_s(c) };
	const char *audience = NULL;
	char hash[65];
	int r = find_keys(c, j, &keys, err);

	if (r < 0)
		return r;
	if (!base)
		return error_set(err, ERR_NO_MEMORY, "no memory for a request");
	request->method = HTTP_POST;
	r = gcp_text(j, "audience", &audience, err);
	if (r == 0)
		r = http_request_set_base(request, base, err);
	if (r == 0)
		r = oauth_url_query(url, &request->query, err);
	if (r == 0)
		r = http_fields_add(&request->headers, "x-goog-cloud-target-resource", audience, err);
	if (r == 0)
		r = sigv4_body_hash(&request->body, hash, err);
	return r < 0 ? r : sigv4_sign_headers(request, &scope, &keys, hash, err);
}

static void add_pair(struct json_object *headers, const char *name, const char *value)
{
	struct json_object *pair = json_object_new_object();

	json_object_object_add(pair, "key", json_object_new_string(name));
	json_object_object_add(pair, "value", json_object_new_string(value));
	json_object_array_add(headers, pair);
}

/* {"url", "method", "headers": [{"key", "value"}, ...]}, percent-encoded. */
static int write_token(const struct http_request *request, const char *url, struct buf *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct json_object *headers = json_object_new_array();
	const struct http_fields *lists[] = { &request->headers, &request->signed_headers };
	const char *text;
	size_t len = 0;

	add_pair(headers, "host", request->authority);
	for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
		for (size_t i = 0; i < lists[l]->count; i++)
			add_pair(headers, lists[l]->items[i].name, lists[l]->items[i].value);
	json_object_object_add(o, "headers", headers);
	json_object_object_add(o, "method", json_object_new_string("POST"));
	json_object_object_add(o, "url", json_object_new_string(url));
	text = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	return !text || url_encode((struct str){ text, len }, URL_ENCODE_SLASH, ret) < 0 ?
		       error_set(err, ERR_TOO_LARGE, "the subject token is too long") :
		       0;
}

int gcp_aws_subject(const struct cred_context *c, const struct gcp_json *j, struct buf *ret, struct error *err)
{
	CLEANUP(http_request_release) struct http_request request = HTTP_REQUEST_INIT;
	CLEANUP(freep) char *region = NULL;
	CLEANUP(freep) char *url = NULL;
	int r = find_region(c, j, &region, err);

	if (r == 0)
		r = verification_url(j, region, &url, err);
	if (r == 0)
		r = sign(c, j, region, url, &request, err);
	return r < 0 ? r : write_token(&request, url, ret, err);
}
