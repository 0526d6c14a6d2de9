/*
 * Service accounts: tokens they sign themselves, tokens of the endpoint for a signed assertion, and other accounts
 * they (or anybody) may act as.
 *
 * Source: developers.google.com/identity/protocols/oauth2/service-account, google.aip.dev/auth/4111 and 4112 (self-signed
 * JWT), cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts (2026-11).
 */
#include "backends/auth/cred_gcp_source.h"
#include "backends/base/clock.h"

#include <stdio.h>

#define ASSERTION_LIFE_S 3600 /* the most the services take */

int gcp_service_account_key(const struct gcp_json *j, struct jwt_key **ret, struct error *err)
{
	const char *pem = NULL;
	char what[GCP_NAME_MAX + 32];
	int r = gcp_text(j, "private_key", &pem, err);

	if (r < 0)
		return r;
	(void)snprintf(what, sizeof(what), "private_key of %s", j->name);
	return jwt_key_new(what, str_of(pem), ret, err);
}

static void add_string(struct json_object *o, const char *key, const char *value)
{
	if (value)
		json_object_object_add(o, key, json_object_new_string(value));
}

/* A JWT of the account for `audience`; with a scope, or a target whom its holder wants to be known to, it is an assertion
 * for the token endpoint. */
static int sign_assertion(const struct cred_context *c, const struct gcp_json *j,
			  const char *audience, const char *scope, const char *target, struct buf *ret,
			  struct error *err)
{
	CLEANUP(json_putp) struct json_object *header = json_object_new_object();
	CLEANUP(json_putp) struct json_object *claims = json_object_new_object();
	CLEANUP(jwt_key_freep) struct jwt_key *key = NULL;
	const char *email = NULL;
	int r = gcp_text(j, "client_email", &email, err);

	if (r == 0)
		r = gcp_service_account_key(j, &key, err);
	if (r < 0)
		return r;
	if (!header || !claims)
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	add_string(header, "alg", "RS256");
	add_string(header, "typ", "JWT");
	add_string(header, "kid", json_get_string(j->o, "private_key_id"));
	add_string(claims, "iss", email);
	add_string(claims, "sub", email);
	add_string(claims, "aud", audience);
	add_string(claims, "scope", scope);
	add_string(claims, "target_audience", target);
	json_object_object_add(claims, "iat", json_object_new_int64(cred_now_s(c)));
	json_object_object_add(claims, "exp",
			       json_object_new_int64(cred_now_s(c) + ASSERTION_LIFE_S));
	return jwt_sign(key, str_of(json_object_to_json_string_ext(header, JSON_C_TO_STRING_PLAIN)),
			str_of(json_object_to_json_string_ext(claims, JSON_C_TO_STRING_PLAIN)), ret,
			err);
}

int gcp_service_account_fetch(const struct cred_context *c, const struct gcp_json *j,
			      const struct gcp_request *q, struct token *ret, struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf assertion = BUF_INIT(0);
	char who[GCP_NAME_MAX + 32];
	const char *url = NULL;
	int r = cred_buf_init(&assertion, err);

	if (r == 0 && q->audience) {
		r = sign_assertion(c, j, q->audience, NULL, NULL, &assertion, err);
		return r < 0 ? r
			     : token_set(ret, j->name, buf_str(&assertion),
					 cred_now_s(c) + ASSERTION_LIFE_S, err);
	}
	if (r == 0)
		r = gcp_text(j, "token_uri", &url, err);
	if (r == 0)
		r = sign_assertion(c, j, url, q->scope, NULL, &assertion, err);
	if (r < 0)
		return r;
	(void)snprintf(who, sizeof(who), "token_uri of %s", j->name);
	return oauth_fetch(
		c,
		&(struct oauth_call){
			.who = who,
			.url = url,
			.form =
				(struct oauth_field[]){
					{ "grant_type",
					  "urn:ietf:params:oauth:grant-type:jwt-bearer" },
					{ "assertion", buf_cstr(&assertion) },
					{ NULL, NULL } },
		},
		ret, err);
}

#define ID_TOKEN_LIFE_S 3600

static int read_id_token(const struct cred_context *c, const char *who, const char *member, struct str answer, struct token *ret,
			 struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *token;

	if (json_parse(answer, CRED_MAX_BYTES, &o, NULL) < 0 || !(token = json_get_string(o, member)))
		return error_set(err, ERR_PROTOCOL, "%s answers without an identity token", who);
	return token_set(ret, who, str_of(token), cred_now_s(c) + ID_TOKEN_LIFE_S, err);
}

int gcp_service_account_id_token(const struct cred_context *c, const struct gcp_json *j, const char *audience, struct token *ret,
				 struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf assertion = BUF_INIT(0), answer = BUF_INIT(0);
	char who[GCP_NAME_MAX + 32];
	const char *url = NULL;
	int r = cred_buf_init(&assertion, err);

	if (r == 0)
		r = cred_buf_init(&answer, err);
	if (r == 0)
		r = gcp_text(j, "token_uri", &url, err);
	if (r == 0)
		r = sign_assertion(c, j, url, NULL, audience, &assertion, err);
	if (r < 0)
		return r;
	(void)snprintf(who, sizeof(who), "token_uri of %s", j->name);
	r = oauth_post(c,
		       &(struct oauth_call){
			       .who = who,
			       .url = url,
			       .form = (struct oauth_field[]){ { "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer" },
							       { "assertion", buf_cstr(&assertion) },
							       { NULL, NULL } },
		       },
		       &answer, err);
	return r < 0 ? r : read_id_token(c, who, "id_token", buf_str(&answer), ret, err);
}

/* ".../EMAIL:generateAccessToken" with the verb for an identity token; heap or NULL. */
static char *id_token_url(const char *url)
{
	const char *verb = strrchr(url, ':');

	return verb && strstr(url, "/serviceAccounts/") ? str_format("%.*s:generateIdToken", (int)(verb - url), url) : NULL;
}

int gcp_impersonate_id_token(const struct cred_context *c, const struct gcp_json *j, const char *audience, const struct token *by,
			     struct token *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *body = json_object_new_object();
	CLEANUP(cred_buf_wipe) struct buf bearer = BUF_INIT(0), answer = BUF_INIT(0);
	struct json_object *delegates = json_get_array(j->o, "delegates");
	CLEANUP(freep) char *url = NULL;
	const char *given = NULL;
	char who[GCP_NAME_MAX + 64];
	int r = gcp_text(j, "service_account_impersonation_url", &given, err);

	if (r == 0)
		r = cred_buf_init(&bearer, err);
	if (r == 0)
		r = cred_buf_init(&answer, err);
	if (r < 0)
		return r;
	url = id_token_url(given);
	if (!url || !body || buf_adds(&bearer, "Bearer ") < 0 || buf_add_str(&bearer, secret_str(&by->value)) < 0)
		return error_set(err, url ? ERR_NO_MEMORY : ERR_CONFIG, "%s names no service account to act as", j->name);
	add_string(body, "audience", audience);
	json_object_object_add(body, "includeEmail", json_object_new_boolean(1));
	if (delegates)
		json_object_object_add(body, "delegates", json_object_get(delegates));
	(void)snprintf(who, sizeof(who), "service_account_impersonation_url of %s", j->name);
	r = oauth_post(c,
		       &(struct oauth_call){
			       .who = who,
			       .url = url,
			       .json = str_of(json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN)),
			       .headers = (struct oauth_field[]){ { "Authorization", buf_cstr(&bearer) }, { NULL, NULL } },
		       },
		       &answer, err);
	return r < 0 ? r : read_id_token(c, who, "token", buf_str(&answer), ret, err);
}

char *gcp_impersonated_email(const struct gcp_json *j)
{
	const char *url = json_get_string(j->o, "service_account_impersonation_url");
	const char *begin = url ? strstr(url, "/serviceAccounts/") : NULL;
	const char *end;

	if (!begin)
		return NULL;
	begin += strlen("/serviceAccounts/");
	end = strchr(begin, ':');
	return end && end > begin ? str_dup((struct str){ begin, (size_t)(end - begin) }) : NULL;
}

/* {"scope": [...], "delegates": [...], "lifetime": "3600s"} */
static struct json_object *impersonation_body(const struct gcp_json *j, const char *scope)
{
	struct json_object *o = json_object_new_object();
	struct json_object *scopes = json_object_new_array();
	struct json_object *delegates = json_get_array(j->o, "delegates");
	int64_t life_s =
		json_get_int64(j->o, "service_account_impersonation.token_lifetime_seconds", 0);
	char lifetime[32];

	if (!o || !scopes || json_object_array_add(scopes, json_object_new_string(scope)) < 0) {
		json_object_put(o);
		json_object_put(scopes);
		return NULL;
	}
	json_object_object_add(o, "scope", scopes);
	if (delegates)
		json_object_object_add(o, "delegates", json_object_get(delegates));
	if (life_s > 0) {
		(void)snprintf(lifetime, sizeof(lifetime), "%llds", (long long)life_s);
		add_string(o, "lifetime", lifetime);
	}
	return o;
}

static int read_impersonated(const char *who, struct str answer, struct token *ret,
			     struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *token, *expires;
	int64_t expires_ns = 0;

	if (json_parse(answer, CRED_MAX_BYTES, &o, NULL) < 0)
		return error_set(err, ERR_PROTOCOL, "%s answers something that is no JSON", who);
	token = json_get_string(o, "accessToken");
	expires = json_get_string(o, "expireTime");
	if (!token || !expires || clock_parse_iso8601(expires, &expires_ns) < 0)
		return error_set(err, ERR_PROTOCOL,
				 "%s answers without an accessToken and its expireTime", who);
	return token_set(ret, who, str_of(token), expires_ns / 1000000000, err);
}

int gcp_impersonate(const struct cred_context *c, const struct gcp_json *j, const char *scope,
		    const struct token *by, struct token *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *body = impersonation_body(j, scope);
	CLEANUP(cred_buf_wipe) struct buf bearer = BUF_INIT(0), answer = BUF_INIT(0);
	char who[GCP_NAME_MAX + 64];
	const char *url = NULL;
	int r = gcp_text(j, "service_account_impersonation_url", &url, err);

	if (r == 0)
		r = cred_buf_init(&bearer, err);
	if (r == 0)
		r = cred_buf_init(&answer, err);
	if (r < 0)
		return r;
	if (!body || buf_adds(&bearer, "Bearer ") < 0 ||
	    buf_add_str(&bearer, secret_str(&by->value)) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	(void)snprintf(who, sizeof(who), "service_account_impersonation_url of %s", j->name);
	r = oauth_post(
		c,
		&(struct oauth_call){
			.who = who,
			.url = url,
			.json = str_of(
				json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN)),
			.headers = (struct oauth_field[]){ { "Authorization", buf_cstr(&bearer) },
							   { NULL, NULL } },
		},
		&answer, err);
	return r < 0 ? r : read_impersonated(who, buf_str(&answer), ret, err);
}
