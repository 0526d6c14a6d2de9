/*
 * The source "instance metadata": the role of an EC2 instance, by IMDSv2 only (a session token
 * first; version 1, which any forged request can reach, is never tried).
 *
 * Nobody answers outside EC2, so an address that does not answer means absent, after two tries of a
 * second. Source: docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
 * (2026-11).
 */
#include "backends/auth/cred_source.h"
#include "backends/base/json.h"
#include "backends/base/log.h"
#include "backends/http/url.h"

#define IMDS_URL	"http://169.254.169.254"
#define IMDS_URL_IPV6	"http://[fd00:ec2::254]"
#define IMDS_TIMEOUT_MS 1000
#define IMDS_TRIES	2
#define IMDS_TOKEN_TTL	"21600"
#define IMDS_ROLES	"/latest/meta-data/iam/security-credentials/"
/* How long keys are used on that the service still gives out though they ended: it does so in its
 * own bad hours, in which the keys go on to work. */
#define IMDS_EXTEND_S 600

static bool is_disabled(const struct cred_context *c)
{
	const char *value = cred_getenv(c, "AWS_EC2_METADATA_DISABLED");

	return value && strcasecmp(value, "true") == 0;
}

static const char *imds_url(const struct cred_context *c)
{
	const char *url = c->host->imds_endpoint;
	const char *mode = cred_getenv(c, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

	if (!url)
		url = cred_getenv(c, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	if (url)
		return url;
	return mode && strcasecmp(mode, "IPv6") == 0 ? IMDS_URL_IPV6 : IMDS_URL;
}

/* One text of the service; header is the token's or the one that asks for it. */
static int imds_ask(const struct cred_context *c, enum http_method method, const char *path,
		    const char *header, const char *header_value, struct buf *ret,
		    struct error *err)
{
	int r = 0;

	for (unsigned i = 0; i < IMDS_TRIES; i++) {
		struct cred_call call = {.method = method,
					 .url = imds_url(c),
					 .path = path,
					 .operation = "InstanceMetadata",
					 .timeout_ms = IMDS_TIMEOUT_MS,
					 .max_attempts = 1};

		if ((r = http_fields_add(&call.headers, header, header_value, err)) < 0)
			return r;
		r = cred_call(c, &call, ret, err);
		if (r == 0 || !error_is_retryable(err->kind))
			break;
	}
	return r;
}

static int read_keys(const struct cred_context *c, const char *token, struct str role,
		     struct cred_aws *ret, struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf answer = BUF_INIT(0);
	CLEANUP(buf_release) struct buf path = BUF_INIT(1024);
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *code;
	int r;

	if ((r = cred_buf_init(&answer, err)) < 0)
		return r;
	if (buf_adds(&path, IMDS_ROLES) < 0 || url_encode(role, URL_ENCODE_SLASH, &path) < 0)
		return error_set(err, ERR_PROTOCOL,
				 "instance metadata names a role that is no name");
	if ((r = imds_ask(c, HTTP_GET, buf_cstr(&path), "X-aws-ec2-metadata-token", token, &answer,
			  err)) < 0)
		return error_prefix(err, r, "instance metadata");
	if (json_parse(buf_str(&answer), CRED_MAX_BYTES, &o, NULL) < 0)
		return error_set(err, ERR_PROTOCOL,
				 "instance metadata answers something that is no JSON object");
	code = json_get_string(o, "Code");
	if (code && strcmp(code, "Success") != 0)
		return error_set(err, ERR_UNAUTHENTICATED,
				 "instance metadata has no credentials: '%s'", code);
	if ((r = cred_set_json(ret, "instance metadata", buf_str(&answer), "Token", err)) < 0)
		return r;
	if (ret->expires_wall_s && ret->expires_wall_s <= cred_now_s(c) + CRED_MANDATORY_S) {
		log_debug("cred.imds.extend", "seconds=%d", IMDS_EXTEND_S);
		ret->expires_wall_s = cred_now_s(c) + IMDS_EXTEND_S;
	}
	return 0;
}

static int imds_fetch(const struct cred_context *c, struct cred_aws *ret, struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf token = BUF_INIT(0);
	CLEANUP(buf_release) struct buf roles = BUF_INIT(4096);
	struct error why = ERROR_INIT;
	struct str names, role;
	int r;

	if (is_disabled(c))
		return CRED_ABSENT;
	if ((r = cred_buf_init(&token, err)) < 0)
		return r;
	r = imds_ask(c, HTTP_PUT, "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds",
		     IMDS_TOKEN_TTL, &token, &why);
	if (r < 0 && why.kind != ERR_CANCELLED && why.kind != ERR_CONFIG) {
		log_debug("cred.imds.absent", "error='%s'", why.message);
		return CRED_ABSENT;
	}
	if (r == 0 && (token.len == 0 || strpbrk(buf_cstr(&token), "\r\n")))
		return error_set(err, ERR_PROTOCOL,
				 "instance metadata answers without a session token");
	if (r == 0)
		r = imds_ask(c, HTTP_GET, IMDS_ROLES, "X-aws-ec2-metadata-token", buf_cstr(&token),
			     &roles, &why);
	if (r < 0 && why.kind == ERR_NOT_FOUND)
		return CRED_ABSENT; /* an instance without a role */
	if (r < 0) {
		if (err)
			*err = why;
		return error_prefix(err, r, "instance metadata");
	}
	names = buf_str(&roles);
	role = str_trim(str_split(&names, '\n'));
	if (role.len == 0)
		return CRED_ABSENT;
	return read_keys(c, buf_cstr(&token), role, ret, err);
}

const struct cred_source cred_source_imds = {
	.name = "instance metadata",
	.is_metadata = true,
	.fetch = imds_fetch,
};
