/*
 * IAM Identity Center ("SSO"): the token that `aws sso login` left in its cache buys the role's
 * keys.
 *
 * The cache file is ~/.aws/sso/cache/SHA1.json, of the session's name ([sso-session NAME]) or, in
 * the older form, of the start URL. A session's token lasts an hour and comes with a refresh token;
 * it is renewed here and written back, as the SDKs do, since a mount outlives it. When that cannot
 * be done, only a person can: the error says how. Source:
 * docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html and
 *	.../OIDCAPIReference/API_CreateToken.html (2026-11).
 */
#include "backends/auth/cred_source.h"
#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "backends/base/json.h"
#include "backends/base/log.h"

#include <stdio.h>

#define SSO_TIMEOUT_MS 20000

struct sso_setup { /* strings borrowed from the files */
	const char *profile, *session, *start_url, *region, *account_id, *role_name;
};

static int must_log_in(const struct sso_setup *sso, const char *why, struct error *err)
{
	return error_set(err, ERR_UNAUTHENTICATED, "%s (run 'aws sso login --profile %s')", why,
			 sso->profile);
}

static int read_setup(const struct cred_files *files, const char *profile, struct sso_setup *ret,
		      struct error *err)
{
	struct sso_setup sso = {
		.profile = profile,
		.session = cred_files_get(files, profile, "sso_session"),
		.account_id = cred_files_get(files, profile, "sso_account_id"),
		.role_name = cred_files_get(files, profile, "sso_role_name"),
	};

	if (sso.session) {
		sso.start_url =
			cred_files_get_section(files, "sso-session", sso.session, "sso_start_url");
		sso.region =
			cred_files_get_section(files, "sso-session", sso.session, "sso_region");
	} else {
		sso.start_url = cred_files_get(files, profile, "sso_start_url");
		sso.region = cred_files_get(files, profile, "sso_region");
	}
	if (!sso.start_url || !sso.region || !sso.account_id || !sso.role_name)
		return error_set(err, ERR_CONFIG, "AWS profile '%s' lacks %s for SSO", profile,
				 !sso.start_url	   ? "sso_start_url"
				 : !sso.region	   ? "sso_region"
				 : !sso.account_id ? "sso_account_id"
						   : "sso_role_name");
	if (!cred_region_is_valid(sso.region))
		return error_set(err, ERR_CONFIG, "sso_region of AWS profile '%s' is no region",
				 profile);
	*ret = sso;
	return 0;
}

static char *cache_path(const struct cred_context *c, const struct sso_setup *sso)
{
	const char *key = sso->session ? sso->session : sso->start_url;
	unsigned char digest[20];
	char hex[41], below_home[80];

	hash_sha1(key, strlen(key), digest);
	hex_encode(digest, sizeof(digest), hex);
	(void)snprintf(below_home, sizeof(below_home), ".aws/sso/cache/%s.json", hex);
	return cred_home_path(c->host, below_home);
}

/* Old files end their dates in "UTC". */
static int parse_date(const char *text, int64_t *ret_wall_s)
{
	char copy[40];
	size_t len = text ? strlen(text) : 0;
	int64_t ns;

	if (len < 4 || len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len + 1);
	if (strcmp(copy + len - 3, "UTC") == 0)
		memcpy(copy + len - 3, "Z", 2);
	if (clock_parse_iso8601(copy, &ns) < 0)
		return -EINVAL;
	*ret_wall_s = ns / 1000000000;
	return 0;
}

static void format_date(int64_t wall_s, char ret[21])
{
	char basic[17];

	clock_format_basic(wall_s, basic);
	(void)snprintf(ret, 21, "%.4s-%.2s-%.5s:%.2s:%.3s", basic, basic + 4, basic + 6, basic + 11,
		       basic + 13);
	ret[10] = 'T';
}

static int sso_classify(void *arg, const struct http_response *response, struct error *err)
{
	int r = http_classify_status(arg, response, err);

	/* An expired refresh token is a 400 (InvalidGrantException), an expired access token a 401.
	 */
	if (response->status == 400 || response->status == 401)
		return error_set(err, ERR_UNAUTHENTICATED, "the SSO session has ended");
	if (response->status == 403)
		return error_set(err, ERR_PERMISSION, "SSO does not give this role to this user");
	if (response->status == 404)
		return error_set(err, ERR_CONFIG, "SSO knows no such account or role");
	return r;
}

static int add_json(struct json_object *o, const char *key, const char *value)
{
	struct json_object *text = json_object_new_string(value);

	if (!text)
		return -ENOMEM;
	if (json_object_object_add(o, key, text) < 0) {
		json_object_put(text);
		return -ENOMEM;
	}
	return 0;
}

/* Asks for a new token; the answer is put into the cache's object. */
static int ask_for_token(const struct cred_context *c, const struct sso_setup *sso,
			 struct json_object *cache, struct error *err)
{
	CLEANUP(json_putp) struct json_object *question = json_object_new_object();
	CLEANUP(json_putp) struct json_object *o = NULL;
	CLEANUP(cred_buf_wipe) struct buf answer = BUF_INIT(0);
	struct cred_call call = {.method = HTTP_POST,
				 .path = "/token",
				 .operation = "CreateToken",
				 .timeout_ms = SSO_TIMEOUT_MS,
				 .max_attempts = 3,
				 .classify = sso_classify};
	const char *endpoint = cred_getenv(c, "AWS_ENDPOINT_URL_SSO_OIDC"), *token, *refresh;
	char standard[128], expires[21];
	int64_t lifetime_s;
	int r;

	(void)snprintf(standard, sizeof(standard), "https://oidc.%s.%s", sso->region,
		       cred_dns_suffix(sso->region));
	call.url = endpoint ? endpoint : standard;
	if (!question || add_json(question, "grantType", "refresh_token") < 0 ||
	    add_json(question, "clientId", json_get_string(cache, "clientId")) < 0 ||
	    add_json(question, "clientSecret", json_get_string(cache, "clientSecret")) < 0 ||
	    add_json(question, "refreshToken", json_get_string(cache, "refreshToken")) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for a request");
	call.body = str_of(json_object_to_json_string_ext(question, JSON_C_TO_STRING_PLAIN));
	if ((r = cred_buf_init(&answer, err)) < 0 ||
	    (r = http_fields_add(&call.headers, "Content-Type", "application/json", err)) < 0 ||
	    (r = cred_call(c, &call, &answer, err)) < 0)
		return r;
	if (json_parse(buf_str(&answer), CRED_MAX_BYTES, &o, NULL) < 0 ||
	    !(token = json_get_string(o, "accessToken")))
		return error_set(err, ERR_PROTOCOL, "SSO answers without a token");
	lifetime_s = json_get_int64(o, "expiresIn", 0);
	if (lifetime_s <= 0 || lifetime_s > 366 * 86400)
		return error_set(err, ERR_PROTOCOL, "SSO answers without the token's lifetime");
	format_date(cred_now_s(c) + lifetime_s, expires);
	refresh = json_get_string(o, "refreshToken");
	if (add_json(cache, "accessToken", token) < 0 ||
	    add_json(cache, "expiresAt", expires) < 0 ||
	    (refresh && add_json(cache, "refreshToken", refresh) < 0))
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	return 0;
}

static bool can_refresh(const struct cred_context *c, struct json_object *cache)
{
	int64_t registration_ends_s;

	return json_get_string(cache, "refreshToken") && json_get_string(cache, "clientId") &&
	       json_get_string(cache, "clientSecret") &&
	       (parse_date(json_get_string(cache, "registrationExpiresAt"), &registration_ends_s) <
			0 ||
		registration_ends_s > cred_now_s(c));
}

/* The cache with a token that is good for a while. */
static int read_token(const struct cred_context *c, const struct sso_setup *sso,
		      struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *cache = NULL;
	CLEANUP(cred_buf_wipe) struct buf text = BUF_INIT(0);
	CLEANUP(freep) char *path = cache_path(c, sso);
	struct error why = ERROR_INIT;
	int64_t expires_s;
	int r;

	if ((r = cred_buf_init(&text, err)) < 0)
		return r;
	r = path ? fileio_read_file(path, &text, &why)
		 : error_set(&why, ERR_NOT_FOUND, "no home directory");
	if (r < 0 && why.kind != ERR_NOT_FOUND) {
		if (err)
			*err = why;
		return r;
	}
	if (r < 0)
		return must_log_in(sso, "there is no SSO session", err);
	if (json_parse(buf_str(&text), CRED_MAX_BYTES, &cache, NULL) < 0 ||
	    !json_get_string(cache, "accessToken") ||
	    parse_date(json_get_string(cache, "expiresAt"), &expires_s) < 0)
		return must_log_in(sso, "the SSO session's file makes no sense", err);
	if (expires_s <= cred_now_s(c) + CRED_MANDATORY_S && can_refresh(c, cache)) {
		r = ask_for_token(c, sso, cache, &why);
		if (r == 0) {
			const char *json =
				json_object_to_json_string_ext(cache, JSON_C_TO_STRING_PLAIN);

			/* Not fatal: the token is good for now, and the old refresh token may be
			 * too. */
			if (fileio_replace_file(path, str_of(json), 0600, &why) < 0)
				log_debug("cred.sso.write", "error='%s'", why.message);
		} else if (expires_s <= cred_now_s(c) && why.kind != ERR_UNAUTHENTICATED) {
			if (err)
				*err = why;
			return error_prefix(err, r, "SSO token");
		}
		(void)parse_date(json_get_string(cache, "expiresAt"), &expires_s);
	}
	if (expires_s <= cred_now_s(c))
		return must_log_in(sso, "the SSO session has ended", err);
	*ret = steal(cache);
	return 0;
}

static int parse_keys(struct str text, struct cred_aws *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *id, *secret, *token;
	int64_t expires_ms;

	if (json_parse(text, CRED_MAX_BYTES, &o, NULL) < 0)
		return error_set(err, ERR_PROTOCOL, "SSO answers something that is no JSON object");
	id = json_get_string(o, "roleCredentials.accessKeyId");
	secret = json_get_string(o, "roleCredentials.secretAccessKey");
	token = json_get_string(o, "roleCredentials.sessionToken");
	expires_ms = json_get_int64(o, "roleCredentials.expiration", 0);
	if (!id || !secret || !token || expires_ms <= 0)
		return error_set(err, ERR_PROTOCOL, "SSO answers without whole credentials");
	return cred_set(ret, "SSO", str_of(id), str_of(secret), str_of(token), expires_ms / 1000,
			err);
}

int cred_sso_fetch(const struct cred_context *c, const struct cred_files *files,
		   const char *profile, struct cred_aws *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *cache = NULL;
	CLEANUP(cred_buf_wipe) struct buf answer = BUF_INIT(0);
	struct cred_call call = {.method = HTTP_GET,
				 .path = "/federation/credentials",
				 .operation = "GetRoleCredentials",
				 .timeout_ms = SSO_TIMEOUT_MS,
				 .classify = sso_classify};
	const char *endpoint = cred_getenv(c, "AWS_ENDPOINT_URL_SSO");
	struct error why = ERROR_INIT;
	struct sso_setup sso = {0};
	char standard[128];
	int r;

	if ((r = read_setup(files, profile, &sso, err)) < 0 ||
	    (r = read_token(c, &sso, &cache, err)) < 0 || (r = cred_buf_init(&answer, err)) < 0)
		return r;
	(void)snprintf(standard, sizeof(standard), "https://portal.sso.%s.%s", sso.region,
		       cred_dns_suffix(sso.region));
	call.url = endpoint ? endpoint : standard;
	if ((r = http_query_add(&call.query, "role_name", sso.role_name, &why)) == 0 &&
	    (r = http_query_add(&call.query, "account_id", sso.account_id, &why)) == 0 &&
	    (r = http_fields_add(&call.headers, "x-amz-sso_bearer_token",
				 json_get_string(cache, "accessToken"), &why)) == 0)
		r = cred_call(c, &call, &answer, &why);
	http_fields_release(&call.query);
	http_fields_release(&call.headers);
	if (r < 0 && why.kind == ERR_UNAUTHENTICATED)
		return must_log_in(&sso, "the SSO session has ended", err);
	if (r < 0) {
		if (err)
			*err = why;
		return error_prefix(err, r, "SSO credentials of profile '%s'", profile);
	}
	return parse_keys(buf_str(&answer), ret, err);
}
