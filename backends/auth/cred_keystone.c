#include "backends/auth/cred_keystone.h"

#include "backends/auth/cred_keystone_config.h"
#include "backends/base/clock.h"
#include "backends/http/url.h"

#include <stdio.h>

#define SIGN_IN_MS	  30000
#define TOKEN_ANSWER_BYTES ((size_t)4 << 20) /* a catalogue of many regions is large */

struct keystone {
	struct cred_host host;	       /* immutable after init */
	struct keystone_config config; /* likewise */
	struct error config_error;     /* likewise: why there is none, told at each sign-in */
	char *url;		       /* likewise: ".../v3" */
	bool is_http_allowed;	       /* likewise */
	struct token_source *tokens;
	struct lock lock;
	struct json_object *token; /* guarded by lock: {catalog, project, user, ...} of the last sign-in */
};

static const char *setting(const struct keystone *k, const char *key)
{
	return json_get_string(k->config.auth, key);
}

/* ---- the question ---- */

/* {"id": ...} or {"name": ..., "domain": {...}}, added to o as `what`. */
static int add_named(struct json_object *o, const char *what, const char *id, const char *name, const char *domain_id,
		     const char *domain_name)
{
	struct json_object *named = json_object_new_object(), *domain;

	if (!named || json_object_object_add(o, what, named) != 0) {
		json_object_put(named);
		return -ENOMEM;
	}
	if (id)
		return json_object_object_add(named, "id", json_object_new_string(id));
	domain = json_object_new_object();
	if (!domain || json_object_object_add(named, "domain", domain) != 0) {
		json_object_put(domain);
		return -ENOMEM;
	}
	(void)json_object_object_add(named, "name", json_object_new_string(name)); /* a loss is seen by Keystone */
	if (domain_id || !domain_name)
		return json_object_object_add(domain, "id", json_object_new_string(domain_id ? domain_id : "default"));
	return json_object_object_add(domain, "name", json_object_new_string(domain_name));
}

static int add_user(const struct keystone *k, struct json_object *o)
{
	return add_named(o, "user", setting(k, "user_id"), setting(k, "username"), setting(k, "user_domain_id"),
			 setting(k, "user_domain_name"));
}

static int missing(const struct keystone *k, const char *key, struct error *err)
{
	char name[64];

	return error_set(err, ERR_CONFIG, "%s: %s is missing", k->config.origin, keystone_config_name(&k->config, key, name));
}

/* The setting that a refusal is most likely about. */
static const char *secret_of(const struct keystone *k)
{
	if (setting(k, "application_credential_secret"))
		return "application_credential_secret";
	return setting(k, "password") ? "password" : "token";
}

static int add_method(const char *method, struct json_object *identity,
		      struct json_object **ret, struct error *err)
{
	struct json_object *methods = json_object_new_array(), *o = json_object_new_object();

	if (!methods || !o || json_object_array_add(methods, json_object_new_string(method)) != 0) {
		json_object_put(methods);
		json_object_put(o);
		return error_no_memory(err);
	}
	if (json_object_object_add(identity, "methods", methods) != 0 || json_object_object_add(identity, method, o) != 0)
		return error_no_memory(err);
	*ret = o;
	return 0;
}

static int add_application_credential(const struct keystone *k, struct json_object *identity, struct error *err)
{
	const char *id = setting(k, "application_credential_id"), *name = setting(k, "application_credential_name"),
		   *secret = setting(k, "application_credential_secret");
	struct json_object *o = NULL;
	int r;

	if (!secret)
		return missing(k, "application_credential_secret", err);
	if (!id && !name)
		return missing(k, "application_credential_id", err);
	if (!id && !setting(k, "username") && !setting(k, "user_id"))
		return missing(k, "username", err);
	r = add_method("application_credential", identity, &o, err);
	if (r < 0)
		return r;
	if (id)
		r = json_object_object_add(o, "id", json_object_new_string(id));
	else
		r = json_object_object_add(o, "name", json_object_new_string(name)) < 0 || add_user(k, o) < 0 ? -1 : 0;
	if (r < 0 || json_object_object_add(o, "secret", json_object_new_string(secret)) != 0)
		return error_no_memory(err);
	return 0;
}

static int add_password(const struct keystone *k, struct json_object *identity, struct error *err)
{
	struct json_object *o = NULL, *user;
	int r;

	if (!setting(k, "user_id") && !setting(k, "username"))
		return missing(k, "username", err);
	r = add_method("password", identity, &o, err);
	if (r < 0)
		return r;
	if (add_user(k, o) < 0 || !(user = json_get(o, "user")) ||
	    json_object_object_add(user, "password", json_object_new_string(setting(k, "password"))) != 0)
		return error_no_memory(err);
	return 0;
}

static int add_token(const struct keystone *k, struct json_object *identity, struct error *err)
{
	struct json_object *o = NULL;
	int r = add_method("token", identity, &o, err);

	if (r == 0 && json_object_object_add(o, "id", json_object_new_string(setting(k, "token"))) != 0)
		r = error_no_memory(err);
	return r;
}

static int add_identity(const struct keystone *k, struct json_object *auth, struct error *err)
{
	struct json_object *identity = json_object_new_object();
	char names[3][64];

	if (!identity || json_object_object_add(auth, "identity", identity) != 0) {
		json_object_put(identity);
		return error_no_memory(err);
	}
	if (setting(k, "application_credential_id") || setting(k, "application_credential_name") ||
	    setting(k, "application_credential_secret"))
		return add_application_credential(k, identity, err);
	if (setting(k, "password"))
		return add_password(k, identity, err);
	if (setting(k, "token"))
		return add_token(k, identity, err);
	return error_set(err, ERR_CONFIG, "%s: %s, %s or %s is missing", k->config.origin,
			 keystone_config_name(&k->config, "password", names[0]), keystone_config_name(&k->config, "token", names[1]),
			 keystone_config_name(&k->config, "application_credential_secret", names[2]));
}

/* An application credential is its project's already, and Keystone refuses a scope with it. */
static int add_scope(const struct keystone *k, struct json_object *auth, struct error *err)
{
	const char *id = setting(k, "project_id"), *name = setting(k, "project_name");
	struct json_object *scope;

	if (json_get(auth, "identity.application_credential") || (!id && !name))
		return 0;
	scope = json_object_new_object();
	if (!scope || json_object_object_add(auth, "scope", scope) != 0) {
		json_object_put(scope);
		return error_no_memory(err);
	}
	return add_named(scope, "project", id, name, setting(k, "project_domain_id"), setting(k, "project_domain_name")) < 0 ?
		       error_no_memory(err) :
		       0;
}

static int build_question(const struct keystone *k, struct buf *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct json_object *auth = json_object_new_object();
	const char *text;
	int r;

	if (!o || !auth || json_object_object_add(o, "auth", auth) != 0) {
		json_object_put(auth);
		return error_no_memory(err);
	}
	r = add_identity(k, auth, err);
	if (r == 0)
		r = add_scope(k, auth, err);
	if (r < 0)
		return r;
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	return !text || buf_adds(ret, text) < 0 ? error_no_memory(err) : 0;
}

/* ---- the answer ---- */

struct answer {
	const struct keystone *k;
	char *token; /* X-Subject-Token, owned */
};

static void answer_release(struct answer *a)
{
	if (a->token)
		explicit_bzero(a->token, strlen(a->token));
	free(a->token);
}

static int classify(void *arg, const struct http_response *response, struct error *err)
{
	struct answer *a = arg;
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *token = http_fields_get(&response->headers, "X-Subject-Token"), *why;
	char shown[120] = "", name[64];
	int r = http_classify_status(NULL, response, err);

	if (r == 0) {
		answer_release(a);
		a->token = token ? strdup(token) : NULL;
		return 0;
	}
	if (json_parse(buf_str(&response->error_body), CRED_MAX_BYTES, &o, NULL) == 0 &&
	    (why = json_get_string(o, "error.message")) != NULL)
		for (size_t i = 0; why[i] && i + 1 < sizeof shown; i++)
			shown[i] = why[i] >= ' ' && why[i] <= '~' ? why[i] : ' ';
	if (response->status == 401)
		r = error_set(err, ERR_UNAUTHENTICATED, "Keystone refuses %s%s%s (mend %s)", a->k->config.origin,
			      *shown ? ": " : "", shown, keystone_config_name(&a->k->config, secret_of(a->k), name));
	else if (response->status == 404 && strstr(shown, "Application Credential")) /* "Could not find Application Credential: ID." */
		r = error_set(err, ERR_UNAUTHENTICATED, "Keystone refuses %s: %s (mend %s)", a->k->config.origin, shown,
			      keystone_config_name(&a->k->config, "application_credential_id", name));
	else if (response->status == 404)
		r = error_set(err, ERR_CONFIG, "%s: auth_url leads to no Keystone v3 ('%.100s')", a->k->config.origin,
			      a->k->url);
	else
		return error_prefix(err, r, "Keystone (%s)", a->k->config.origin);
	err->http_status = response->status;
	return r;
}

static int keep(struct keystone *k, struct str body, struct answer *answer, struct token *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct json_object *token;
	const char *expires;
	int64_t expires_ns = 0;
	int r = json_parse(body, TOKEN_ANSWER_BYTES, &o, err);

	if (r < 0)
		return error_prefix(err, r, "Keystone's answer");
	token = json_get(o, "token");
	expires = token ? json_get_string(token, "expires_at") : NULL;
	if (!token || !answer->token || !*answer->token)
		return error_set(err, ERR_PROTOCOL, "Keystone answers without a token");
	if (expires && clock_parse_iso8601(expires, &expires_ns) < 0)
		return error_set(err, ERR_PROTOCOL, "Keystone's token has no readable end");
	r = token_set(ret, "Keystone", str_of(answer->token), expires_ns / 1000000000, err);
	if (r < 0)
		return r;
	LOCKED(&k->lock);
	json_object_put(k->token);
	k->token = json_object_get(token);
	return 0;
}

static int fetch(void *arg, struct cancel *cancel, struct token *ret, struct error *err)
{
	struct keystone *k = arg;
	struct cred_context c = { .host = &k->host, .cancel = cancel };
	CLEANUP(cred_buf_wipe) struct buf question = BUF_INIT(0);
	CLEANUP(cred_buf_wipe) struct buf body = BUF_INIT(TOKEN_ANSWER_BYTES);
	CLEANUP(answer_release) struct answer answer = { .k = k };
	char name[64];
	struct cred_call call = { .method = HTTP_POST,
				  .url = k->url,
				  .path = "/auth/tokens",
				  .operation = "keystone",
				  .timeout_ms = SIGN_IN_MS,
				  .classify = classify,
				  .classify_arg = &answer,
				  .checks_success = true };
	int r;

	if (k->config_error.kind != ERR_NONE) {
		*err = k->config_error;
		return -error_errnum(err->kind);
	}
	r = k->is_http_allowed ? 0 : cred_url_check("auth_url", k->url, err);
	if (r < 0)
		return error_prefix(err, r, "%s", k->config.origin);
	r = cred_buf_init(&question, err);
	if (r == 0)
		r = build_question(k, &question, err);
	if (r == 0)
		r = http_fields_add(&call.headers, "Content-Type", "application/json", err);
	if (r < 0) {
		http_fields_release(&call.headers);
		return r;
	}
	call.body = buf_str(&question);
	r = cred_call(&c, &call, &body, err);
	if (r < 0 && !err->http_status && err->kind != ERR_CANCELLED) /* nobody answered: the answer's own errors say it all */
		return error_prefix(err, r, "Keystone (%s: %s)", k->config.origin, keystone_config_name(&k->config, "auth_url", name));
	return r < 0 ? r : keep(k, buf_str(&body), &answer, ret, err);
}

/* ---- the catalogue ---- */

static int sign_in(struct keystone *k, struct json_object **ret_token, struct error *err)
{
	CLEANUP(token_release) struct token token = TOKEN_INIT;
	int r = token_source_get(k->tokens, &token, err);

	if (r < 0)
		return r;
	LOCKED(&k->lock);
	*ret_token = json_object_get(k->token);
	return 0;
}

static const char *find_url(const struct keystone *k, struct json_object *service, const char *region)
{
	struct json_object *endpoints = json_get_array(service, "endpoints");
	const char *interface = k->config.interface ? k->config.interface : "public";
	size_t len = strcspn(interface, "U"); /* "publicURL" is the older word for it */

	for (size_t i = 0; endpoints && i < json_object_array_length(endpoints); i++) {
		struct json_object *e = json_object_array_get_idx(endpoints, i);
		const char *its_region = json_get_string(e, "region_id"), *its_interface = json_get_string(e, "interface");

		if (!its_region)
			its_region = json_get_string(e, "region");
		if (its_interface && !strncmp(its_interface, interface, len) && !its_interface[len] &&
		    (!region || (its_region && !strcmp(its_region, region))))
			return json_get_string(e, "url");
	}
	return NULL;
}

static const char *find_in_catalog(const struct keystone *k, struct json_object *token, struct str type,
				   const char *region)
{
	struct json_object *catalog = json_get_array(token, "catalog");

	for (size_t i = 0; catalog && i < json_object_array_length(catalog); i++) {
		struct json_object *service = json_object_array_get_idx(catalog, i);
		const char *its_type = json_get_string(service, "type"), *url;

		if (!its_type || !str_equal(str_of(its_type), type))
			continue;
		url = find_url(k, service, region);
		if (url)
			return url;
	}
	return NULL;
}

static int no_endpoint(struct json_object *token, const char *types, const char *region, struct error *err)
{
	struct json_object *catalog = json_get_array(token, "catalog");
	CLEANUP(buf_release) struct buf known = BUF_INIT(120);

	for (size_t i = 0; catalog && i < json_object_array_length(catalog); i++) {
		const char *type = json_get_string(json_object_array_get_idx(catalog, i), "type");

		if (buf_addf(&known, "%s%s", known.len ? ", " : "", type ? type : "?") < 0)
			break; /* as many as fit */
	}
	return error_set(err, ERR_UNSUPPORTED, "the catalogue has no '%.*s'%s%s (it has: %s)", (int)strcspn(types, "|"), types,
			 region ? " in region " : "", region ? region : "", known.len ? buf_cstr(&known) : "nothing");
}

static int give_url(const char *url, char **ret, struct error *err)
{
	struct url parts;
	size_t len = strlen(url);
	int r = url_parse(str_of(url), &parts, err);

	if (r < 0)
		return error_prefix(err, r, "the catalogue's address");
	while (len && url[len - 1] == '/')
		len--;
	*ret = str_dup((struct str){ url, len });
	return *ret ? 0 : error_no_memory(err);
}

int keystone_endpoint(struct keystone *k, const char *types, const char *region, char **ret_url, struct error *err)
{
	struct cred_context c = { .host = &k->host };
	CLEANUP(json_putp) struct json_object *token = NULL;
	struct str rest = str_of(types), type;
	const char *url = NULL;
	int r;

	if (!region)
		region = k->config.region;
	while (!url && (type = str_split(&rest, '|')).ptr) {
		CLEANUP(freep) char *name = str_dup(type);

		url = name ? keystone_config_override(&c, &k->config, name) : NULL;
	}
	if (url)
		return give_url(url, ret_url, err);
	r = sign_in(k, &token, err);
	if (r < 0)
		return r;
	rest = str_of(types);
	while (!url && (type = str_split(&rest, '|')).ptr)
		url = find_in_catalog(k, token, type, region);
	return url ? give_url(url, ret_url, err) : no_endpoint(token, types, region, err);
}

static int token_text(struct keystone *k, const char *path, const char *what, char **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *token = NULL;
	const char *text;
	int r = sign_in(k, &token, err);

	if (r < 0)
		return r;
	text = json_get_string(token, path);
	if (!text)
		return error_set(err, ERR_CONFIG, "%s: the token is for no %s (say project_id or project_name)",
				 k->config.origin, what);
	*ret = strdup(text);
	return *ret ? 0 : error_no_memory(err);
}

int keystone_project(struct keystone *k, char **ret_id, struct error *err)
{
	return token_text(k, "project.id", "project", ret_id, err);
}

int keystone_user(struct keystone *k, char **ret_id, struct error *err)
{
	return token_text(k, "user.id", "user", ret_id, err);
}

int keystone_roles(struct keystone *k, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *token = NULL;
	struct json_object *roles;
	int r = sign_in(k, &token, err);

	if (r < 0)
		return r;
	roles = json_get_array(token, "roles");
	*ret = roles ? json_object_get(roles) : json_object_new_array();
	return *ret ? 0 : error_no_memory(err);
}

int keystone_region(struct keystone *k, char **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *token = NULL;
	const char *only = NULL;
	struct json_object *catalog;
	int r;

	if (k->config.region) {
		*ret = strdup(k->config.region);
		return *ret ? 0 : error_no_memory(err);
	}
	r = sign_in(k, &token, err);
	if (r < 0)
		return r;
	catalog = json_get_array(token, "catalog");
	for (size_t i = 0; catalog && i < json_object_array_length(catalog); i++) {
		struct json_object *endpoints = json_get_array(json_object_array_get_idx(catalog, i), "endpoints");

		for (size_t n = 0; endpoints && n < json_object_array_length(endpoints); n++) {
			const char *region = json_get_string(json_object_array_get_idx(endpoints, n), "region_id");

			if (only && region && strcmp(only, region) != 0)
				return error_set(err, ERR_CONFIG, "%s: several regions, such as %.40s and %.40s (choose one: "
								  "region, OS_REGION_NAME)",
						 k->config.origin, only, region);
			only = region ? region : only;
		}
	}
	*ret = strdup(only ? only : "");
	return *ret ? 0 : error_no_memory(err);
}

/* ---- life ---- */

struct token_source *keystone_tokens(struct keystone *k)
{
	return k->tokens;
}

const char *keystone_url(const struct keystone *k)
{
	return k->url;
}

char *keystone_describe(const struct keystone *k)
{
	return strdup(k->config_error.kind != ERR_NONE ? k->config_error.message : k->config.origin);
}

bool keystone_is_configured(const struct cred_host *host, const struct keystone_options *options)
{
	struct cred_context c = { .host = host };
	CLEANUP(keystone_config_release) struct keystone_config config = KEYSTONE_CONFIG_INIT;
	struct error err = ERROR_INIT;

	/* Broken counts as configured: the error is told when it is used. */
	return keystone_config_find(&c, options, &config, &err) != CRED_ABSENT;
}

/* "https://host/identity" and ".../identity/v3/" both mean ".../identity/v3". */
static char *v3_url(const char *url)
{
	struct str s = str_of(url);

	while (s.len && s.ptr[s.len - 1] == '/')
		s.len--;
	if (str_ends(s, "/v2.0"))
		s.len -= strlen("/v2.0");
	return str_format("%.*s%s", (int)s.len, s.ptr, str_ends(s, "/v3") ? "" : "/v3");
}

void keystone_free(struct keystone *k)
{
	if (!k)
		return;
	token_source_free(k->tokens);
	keystone_config_release(&k->config);
	json_object_put(k->token);
	lock_destroy(&k->lock);
	free(k->url);
	free(k);
}

int keystone_new(const struct cred_host *host, const struct keystone_options *options, struct keystone **ret,
		 struct error *err)
{
	struct keystone *k = calloc(1, sizeof *k);
	struct token_source_options source = {
		.noun = "Keystone token", .fetch = fetch, .arg = k, .wall_s = host->wall_s
	};
	struct cred_context c = { .host = host };
	int r;

	if (!k)
		return error_no_memory(err);
	lock_init(&k->lock);
	k->host = *host;
	k->is_http_allowed = options->is_http_allowed;
	r = keystone_config_find(&c, options, &k->config, &k->config_error);
	if (r == CRED_ABSENT)
		(void)error_set(&k->config_error, ERR_UNAUTHENTICATED,
				options->flavour == KEYSTONE_INFOMANIAK ?
					"no Infomaniak credentials found (set INFOMANIAK_APP_CREDENTIAL_ID and "
					"INFOMANIAK_APP_CREDENTIAL_SECRET)" :
					"no OpenStack credentials found (set OS_CLOUD and write clouds.yaml, or set OS_AUTH_URL "
					"and what goes with it)");
	else if (r == 0 && !setting(k, "auth_url"))
		(void)missing(k, "auth_url", &k->config_error);
	k->url = v3_url(k->config_error.kind == ERR_NONE ? setting(k, "auth_url") : "");
	r = k->url ? token_source_new(&source, &k->tokens, err) : error_no_memory(err);
	if (r < 0) {
		keystone_free(k);
		return r;
	}
	*ret = k;
	return 0;
}
