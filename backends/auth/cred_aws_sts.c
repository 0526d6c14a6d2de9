/*
 * AssumeRole and AssumeRoleWithWebIdentity of STS.
 * Source: docs.aws.amazon.com/STS/latest/APIReference/ (2026-11). The answer is XML; an error is
 * ErrorResponse/Error/{Code,Message}.
 */
#include "backends/auth/cred_source.h"
#include "backends/auth/sign_sigv4.h"
#include "backends/base/clock.h"
#include "backends/base/random.h"
#include "backends/base/xml.h"
#include "backends/http/url.h"

#include <stdio.h>

#define STS_TIMEOUT_MS 30000

struct sts_answer {	  /* what of the answer is used; views' bytes copied */
	const char *root; /* path of Credentials */
	char id[256], expiration[64];
	struct secret secret, token;
};

static void sts_answer_release(struct sts_answer *a)
{
	secret_release(&a->secret);
	secret_release(&a->token);
}

static void copy_text(char *to, size_t size, struct str text)
{
	(void)snprintf(to, size, "%.*s", (int)(text.len < size ? text.len : size - 1), text.ptr);
}

static int answer_text(void *arg, const char *path, struct str text, struct error *err)
{
	struct sts_answer *a = arg;
	size_t root_len = strlen(a->root);
	int r = 0;

	if (strncmp(path, a->root, root_len) != 0)
		return 0;
	path += root_len;
	if (strcmp(path, "AccessKeyId") == 0)
		copy_text(a->id, sizeof(a->id), text);
	else if (strcmp(path, "Expiration") == 0)
		copy_text(a->expiration, sizeof(a->expiration), text);
	else if (strcmp(path, "SecretAccessKey") == 0)
		r = secret_set(&a->secret, text);
	else if (strcmp(path, "SessionToken") == 0)
		r = secret_set(&a->token, text);
	return r < 0 ? error_set(err, ERR_NO_MEMORY, "no memory for credentials") : 0;
}

static int parse_answer(struct str body, const char *root, struct cred_aws *ret, struct error *err)
{
	CLEANUP(sts_answer_release) struct sts_answer answer = {.root = root};
	struct xml_handler handler = {.text = answer_text, .arg = &answer};
	int64_t expires_ns;
	int r = xml_parse(body, &handler, err);

	if (r < 0)
		return error_prefix(err, r, "STS");
	if (!answer.id[0] || !secret_is_set(&answer.secret) || !secret_is_set(&answer.token) ||
	    clock_parse_iso8601(answer.expiration, &expires_ns) < 0)
		return error_set(err, ERR_PROTOCOL, "STS answers without whole credentials");
	return cred_set(ret, "role", str_of(answer.id), secret_str(&answer.secret),
			secret_str(&answer.token), expires_ns / 1000000000, err);
}

static enum error_kind sts_kind(const char *code, enum error_kind by_status)
{
	static const struct {
		const char *code;
		enum error_kind kind;
	} rows[] = {
		{"AccessDenied", ERR_PERMISSION},
		{"ExpiredToken", ERR_UNAUTHENTICATED},
		{"ExpiredTokenException", ERR_UNAUTHENTICATED},
		{"InvalidClientTokenId", ERR_UNAUTHENTICATED},
		{"InvalidIdentityToken", ERR_UNAUTHENTICATED},
		{"SignatureDoesNotMatch", ERR_UNAUTHENTICATED},
		{"IDPRejectedClaim", ERR_PERMISSION},
		{"IDPCommunicationError", ERR_UNAVAILABLE},
		{"RegionDisabledException", ERR_CONFIG},
		{"ValidationError", ERR_CONFIG},
		{"Throttling", ERR_THROTTLED},
		{"ThrottlingException", ERR_THROTTLED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(code, rows[i].code) == 0)
			return rows[i].kind;
	return by_status;
}

static int sts_classify(void *arg, const struct http_response *response, struct error *err)
{
	CLEANUP(buf_release)
	struct buf code = BUF_INIT(64),
		   text = BUF_INIT(8192), id = BUF_INIT(128);
	struct str body = buf_str(&response->error_body);
	int r = http_classify_status(arg, response, err);
	struct error by_status = *err, ignored;

	if (xml_find(body, "ErrorResponse/Error/Code", &code, &ignored) < 0)
		return r;
	if (xml_find(body, "ErrorResponse/Error/Message", &text, &ignored) < 0)
		buf_clear(&text);
	if (xml_find(body, "ErrorResponse/RequestId", &id, &ignored) < 0)
		buf_clear(&id);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < ' ')
			text.data[i] = ' ';
	r = error_set(err, sts_kind(buf_cstr(&code), by_status.kind), "STS refuses: %s: %s",
		      buf_cstr(&code), buf_cstr(&text));
	err->http_status = by_status.http_status;
	err->retry_after_ms = by_status.retry_after_ms;
	copy_text(err->service_code, sizeof(err->service_code), buf_str(&code));
	copy_text(err->request_id, sizeof(err->request_id), buf_str(&id));
	return r;
}

static int add_parameter(struct buf *form, const char *name, struct str value)
{
	int r;

	if ((r = form->len ? buf_addc(form, '&') : 0) < 0 || (r = buf_adds(form, name)) < 0 ||
	    (r = buf_addc(form, '=')) < 0)
		return r;
	return url_encode(value, URL_ENCODE_SLASH, form);
}

/* The form of either call; cred_buf_wipe releases it. */
static int make_form(struct buf *form, const char *action, const struct cred_role *role,
		     struct str token, struct error *err)
{
	char session[32], duration[24];
	int r = cred_buf_init(form, err);

	if (r < 0)
		return r;
	(void)snprintf(session, sizeof(session), "skydir-%016llx",
		       (unsigned long long)random_u64());
	(void)snprintf(duration, sizeof(duration), "%llu", (unsigned long long)role->duration_s);
	if ((r = add_parameter(form, "Action", str_of(action))) < 0 ||
	    (r = add_parameter(form, "Version", STR("2011-06-15"))) < 0 ||
	    (r = add_parameter(form, "RoleArn", str_of(role->arn))) < 0 ||
	    (r = add_parameter(form, "RoleSessionName",
			       str_of(role->session_name ? role->session_name : session))) < 0 ||
	    (role->duration_s &&
	     (r = add_parameter(form, "DurationSeconds", str_of(duration))) < 0) ||
	    (role->external_id &&
	     (r = add_parameter(form, "ExternalId", str_of(role->external_id))) < 0) ||
	    (token.len && (r = add_parameter(form, "WebIdentityToken", token)) < 0))
		return error_set(err, r == -EFBIG ? ERR_TOO_LARGE : ERR_NO_MEMORY,
				 "cannot ask STS for a role");
	return 0;
}

struct sts_signing {
	const struct cred_aws *by;
	const char *region;
};

/* The signature stands in the caller's headers, because the exchange empties the signer's. */
static int sts_sign(void *arg, struct http_request *request, struct error *err)
{
	const struct sts_signing *signing = arg;
	struct sigv4_scope scope = {.region = signing->region,
				    .service = "sts",
				    .wall_s = clock_wall_s() + clock_skew_s()};
	CLEANUP(http_fields_release) struct http_fields kept = {0};
	char hash[65];
	int r = http_fields_add(&kept, "Content-Type", "application/x-www-form-urlencoded", err);

	if (r < 0 || (r = sigv4_body_hash(&request->body, hash, err)) < 0)
		return r;
	http_fields_release(&request->headers);
	request->headers = kept;
	kept = (struct http_fields){0};
	if ((r = sigv4_sign_headers(request, &scope, signing->by, hash, err)) < 0)
		return r;
	for (size_t i = 0; i < request->signed_headers.count; i++) {
		const struct http_field *f = &request->signed_headers.items[i];

		if ((r = http_fields_add(&request->headers, f->name, f->value, err)) < 0)
			return r;
	}
	http_fields_release(&request->signed_headers);
	request->signed_headers = (struct http_fields){0};
	return 0;
}

static int sts_call(const struct cred_context *c, const struct cred_role *role,
		    const struct cred_aws *by, struct str token, struct cred_aws *ret,
		    struct error *err)
{
	static const char *const endpoint_names[] = {"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL",
						     NULL};
	CLEANUP(cred_buf_wipe) struct buf form = BUF_INIT(0);
	CLEANUP(cred_buf_wipe) struct buf answer = BUF_INIT(0);
	const char *region = role->region ? role->region : "us-east-1";
	const char *endpoint = cred_getenv_any(c, endpoint_names);
	struct sts_signing signing = {.by = by, .region = region};
	struct cred_call call = {
		.method = HTTP_POST, .timeout_ms = STS_TIMEOUT_MS, .classify = sts_classify};
	char standard[128];
	int r;

	if (!cred_region_is_valid(region))
		return error_set(err, ERR_CONFIG, "'%s' is no AWS region", region);
	(void)snprintf(standard, sizeof(standard), "https://sts.%s.%s", region,
		       cred_dns_suffix(region));
	call.url = endpoint ? endpoint : standard;
	call.operation = by ? "AssumeRole" : "AssumeRoleWithWebIdentity";
	if ((r = make_form(&form, call.operation, role, token, err)) < 0 ||
	    (r = cred_buf_init(&answer, err)) < 0)
		return r;
	call.body = buf_str(&form);
	if (by) {
		call.sign = sts_sign;
		call.sign_arg = &signing;
	} else if ((r = http_fields_add(&call.headers, "Content-Type",
					"application/x-www-form-urlencoded", err)) < 0) {
		return r;
	}
	if ((r = cred_call(c, &call, &answer, err)) < 0)
		return error_prefix(err, r, "role '%s'", role->arn);
	return parse_answer(buf_str(&answer),
			    by ? "AssumeRoleResponse/AssumeRoleResult/Credentials/"
			       : "AssumeRoleWithWebIdentityResponse/"
				 "AssumeRoleWithWebIdentityResult/Credentials/",
			    ret, err);
}

int cred_sts_assume_role(const struct cred_context *c, const struct cred_role *role,
			 const struct cred_aws *by, struct cred_aws *ret, struct error *err)
{
	return sts_call(c, role, by, (struct str){0}, ret, err);
}

int cred_sts_web_identity(const struct cred_context *c, const struct cred_role *role,
			  struct str token, struct cred_aws *ret, struct error *err)
{
	return sts_call(c, role, NULL, token, ret, err);
}
