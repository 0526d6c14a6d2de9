/* The order in which Google credentials are looked for, and what is asked of them. */
#include "backends/auth/cred_gcp_source.h"
#include "backends/base/fileio.h"
#include "backends/base/hash.h"
#include "backends/base/ini.h"

#include <stdio.h>

#define GOOGLE_TOKEN_URL "https://oauth2.googleapis.com/token"
#define IAM_URL		 "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"

struct cred_gcp {
	struct cred_host host;		 /* immutable after init */
	struct cred_gcp_options options; /* likewise; the strings are ours */
	struct token_source *tokens;
	/* When the last self-signed token ends: asked again long before, it was refused, and the endpoint is asked. */
	_Atomic int64_t self_signed_until_s;
	atomic_bool is_self_signed_refused;
};

/* authorized_user and external_account_authorized_user: a refresh token. */
static int refresh(const struct cred_context *c, const struct gcp_json *j, struct token *ret,
		   struct error *err)
{
	const char *url = json_get_string(j->o, "token_uri");
	const char *id = NULL, *secret = NULL, *token = NULL;
	char who[GCP_NAME_MAX + 32];
	int r = gcp_text(j, "client_id", &id, err);

	if (!url)
		url = json_get_string(j->o, "token_url");
	if (r == 0)
		r = gcp_text(j, "client_secret", &secret, err);
	if (r == 0)
		r = gcp_text(j, "refresh_token", &token, err);
	if (r < 0)
		return r;
	(void)snprintf(who, sizeof(who), "the token endpoint of %s", j->name);
	r = oauth_fetch(c,
			&(struct oauth_call){
				.who = who,
				.url = url ? url : GOOGLE_TOKEN_URL,
				.form = (struct oauth_field[]){ { "grant_type", "refresh_token" },
								{ "client_id", id },
								{ "client_secret", secret },
								{ "refresh_token", token },
								{ NULL, NULL } },
			},
			ret, err);
	if (r < 0 && !strcmp(err->service_code, "invalid_grant"))
		return error_set(err, ERR_UNAUTHENTICATED,
				 "%s has expired or was revoked (run 'gcloud auth "
				 "application-default login')",
				 j->name);
	return r;
}

static int impersonated(const struct cred_context *c, const struct gcp_json *j,
			const struct gcp_request *q, struct token *ret, struct error *err)
{
	CLEANUP(token_release) struct token by = TOKEN_INIT;
	char name[GCP_NAME_MAX + 32];
	struct gcp_json source = { json_get(j->o, "source_credentials"), name };
	struct gcp_request inner = { .scope = GCP_SCOPE_PLATFORM, .depth = q->depth + 1 };
	int r;

	(void)snprintf(name, sizeof(name), "source_credentials of %s", j->name);
	if (!json_object_is_type(source.o, json_type_object))
		return error_set(err, ERR_CONFIG, "%s has no 'source_credentials'", j->name);
	r = gcp_fetch(c, &source, &inner, &by, err);
	return r < 0 ? r : gcp_impersonate(c, j, q->scope, &by, ret, err);
}

int gcp_fetch(const struct cred_context *c, const struct gcp_json *j, const struct gcp_request *q,
	      struct token *ret, struct error *err)
{
	const char *type = NULL;
	int r = gcp_text(j, "type", &type, err);

	if (r < 0)
		return r;
	if (q->depth > GCP_DEPTH_MAX)
		return error_set(err, ERR_CONFIG, "%s impersonates too deep", j->name);
	if (!strcmp(type, "service_account"))
		return gcp_service_account_fetch(c, j, q, ret, err);
	if (!strcmp(type, "authorized_user") || !strcmp(type, "external_account_authorized_user"))
		return refresh(c, j, ret, err);
	if (!strcmp(type, "external_account"))
		return gcp_external_fetch(c, j, q, ret, err);
	if (!strcmp(type, "impersonated_service_account"))
		return impersonated(c, j, q, ret, err);
	return error_set(err, ERR_CONFIG, "%s is of a type that is not known: '%.40s'", j->name,
			 type);
}

static const char *scope_of(const struct cred_gcp *g)
{
	return g->options.is_platform_wide ? GCP_SCOPE_PLATFORM : GCP_SCOPE_STORAGE;
}

static int fetch_from_file(struct cred_gcp *g, const struct cred_context *c,
			   const struct gcp_file *file, struct token *ret, struct error *err)
{
	struct gcp_json j = { file->o, file->name };
	const char *type = json_get_string(file->o, "type");
	struct gcp_request q = { .scope = scope_of(g) };
	bool is_account = type && !strcmp(type, "service_account");
	int64_t now_s = cred_now_s(c);
	int r;

	/* Five minutes before the end is when a token is renewed in peace. */
	if (is_account && now_s < atomic_load(&g->self_signed_until_s) - 600)
		atomic_store(&g->is_self_signed_refused, true);
	if (is_account && !atomic_load(&g->is_self_signed_refused))
		q.audience = g->options.audience;
	r = gcp_fetch(c, &j, &q, ret, err);
	if (r == 0 && q.audience)
		atomic_store(&g->self_signed_until_s, ret->expires_wall_s);
	return r;
}

static int fetch(void *arg, struct cancel *cancel, struct token *ret, struct error *err)
{
	struct cred_gcp *g = arg;
	struct cred_context c = { .host = &g->host, .cancel = cancel };
	CLEANUP(gcp_file_release) struct gcp_file file = GCP_FILE_INIT;
	int r;

	if (g->options.is_anonymous) {
		*ret = (struct token){ .is_fixed = true };
		return 0;
	}
	r = gcp_file_load(&c, &g->options, &file, err);
	if (r == 0)
		return fetch_from_file(g, &c, &file, ret, err);
	if (r == CRED_ABSENT && g->options.use_metadata_service)
		return gcp_metadata_fetch(&c, scope_of(g), ret, err);
	if (r == CRED_ABSENT)
		return error_set(
			err, ERR_UNAUTHENTICATED,
			"no Google credentials found (run 'gcloud auth application-default "
			"login', or set GOOGLE_APPLICATION_CREDENTIALS to a key file)");
	return r;
}

/* As the account that a file names, by whatever the file leads to. */
static int impersonated_id_token(const struct cred_context *c, const struct gcp_json *j, const char *audience, struct token *ret,
				 struct error *err)
{
	CLEANUP(token_release) struct token by = TOKEN_INIT;
	struct gcp_request q = { .scope = GCP_SCOPE_PLATFORM };
	struct gcp_json source = { json_get(j->o, "source_credentials"), j->name };
	int r = gcp_fetch(c, source.o ? &source : j, &q, &by, err);

	return r < 0 ? r : gcp_impersonate_id_token(c, j, audience, &by, ret, err);
}

int cred_gcp_id_token(struct cred_gcp *g, const char *audience, struct token *ret, struct error *err)
{
	struct cred_context c = { .host = &g->host };
	CLEANUP(gcp_file_release) struct gcp_file file = GCP_FILE_INIT;
	struct gcp_json j = { NULL, file.name };
	const char *type;
	int r = g->options.is_anonymous ? CRED_ABSENT : gcp_file_load(&c, &g->options, &file, err);

	if (r < 0)
		return r;
	if (r == CRED_ABSENT && g->options.use_metadata_service && !g->options.is_anonymous)
		return gcp_metadata_id_token(&c, audience, ret, err);
	if (r == CRED_ABSENT)
		return error_set(err, ERR_UNSUPPORTED, "identity tokens need a service account (set credentials-file)");
	j.o = file.o;
	type = json_get_string(file.o, "type");
	if (type && !strcmp(type, "service_account"))
		return gcp_service_account_id_token(&c, &j, audience, ret, err);
	if (type && (!strcmp(type, "impersonated_service_account")))
		return impersonated_id_token(&c, &j, audience, ret, err);
	return error_set(err, ERR_UNSUPPORTED, "%s is no service account, and only those can have an identity token", file.name);
}

struct token_source *cred_gcp_tokens(struct cred_gcp *g)
{
	return g->tokens;
}

bool cred_gcp_is_configured(const struct cred_host *host, const struct cred_gcp_options *options)
{
	struct cred_context c = { .host = host };
	CLEANUP(freep) char *path = NULL;

	if (options->is_anonymous || options->credentials_file ||
	    cred_getenv(&c, "GOOGLE_APPLICATION_CREDENTIALS"))
		return true;
	path = gcp_gcloud_path(&c, "application_default_credentials.json");
	return path && access(path, F_OK) == 0;
}

/* A key of the credentials file; heap string or NULL. */
static char *file_text(struct cred_gcp *g, const char *const *keys)
{
	struct cred_context c = { .host = &g->host };
	CLEANUP(gcp_file_release) struct gcp_file file = GCP_FILE_INIT;
	struct error ignored = ERROR_INIT;

	if (g->options.is_anonymous || gcp_file_load(&c, &g->options, &file, &ignored) != 0)
		return NULL;
	for (; *keys; keys++) {
		const char *text = json_get_string(file.o, *keys);

		if (text && *text)
			return strdup(text);
	}
	return NULL;
}

/* core/project of gcloud's active configuration. */
static char *gcloud_project(const struct cred_context *c)
{
	CLEANUP(freep) char *active = gcp_gcloud_path(c, "active_config");
	CLEANUP(freep) char *path = NULL;
	CLEANUP(buf_release) struct buf name = BUF_INIT(256);
	CLEANUP(freep) char *below = NULL;
	CLEANUP(ini_release) struct ini ini = INI_INIT;
	struct error ignored = ERROR_INIT;
	struct str trimmed = STR("default");
	const char *project;

	if (active && fileio_read_file(active, &name, &ignored) == 0 &&
	    str_trim(buf_str(&name)).len)
		trimmed = str_trim(buf_str(&name));
	below = str_format("configurations/config_%.*s", (int)trimmed.len, trimmed.ptr);
	path = below && !memchr(trimmed.ptr, '/', trimmed.len) ? gcp_gcloud_path(c, below) : NULL;
	if (!path || ini_load(path, INI_AWS, &ini, &ignored) < 0)
		return NULL;
	project = ini_get(&ini, "core", "project");
	return project && *project ? strdup(project) : NULL;
}

char *cred_gcp_project(struct cred_gcp *g)
{
	static const char *const variables[] = { "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT",
						 "CLOUDSDK_CORE_PROJECT", NULL };
	static const char *const keys[] = { "project_id", "quota_project_id", NULL };
	struct cred_context c = { .host = &g->host };
	CLEANUP(buf_release) struct buf text = BUF_INIT(256);
	struct error ignored = ERROR_INIT;
	const char *named = cred_getenv_any(&c, variables);
	char *project = named ? strdup(named) : file_text(g, keys);

	if (!project)
		project = gcloud_project(&c);
	if (!project && g->options.use_metadata_service &&
	    gcp_metadata_text(&c, "project/project-id", &text, &ignored) == 0)
		project = str_dup(str_trim(buf_str(&text)));
	return project;
}

char *cred_gcp_quota_project(struct cred_gcp *g)
{
	static const char *const keys[] = { "quota_project_id", NULL };
	struct cred_context c = { .host = &g->host };
	const char *named = cred_getenv(&c, "GOOGLE_CLOUD_QUOTA_PROJECT");

	return named ? strdup(named) : file_text(g, keys);
}

char *cred_gcp_describe(struct cred_gcp *g)
{
	struct cred_context c = { .host = &g->host };
	CLEANUP(gcp_file_release) struct gcp_file file = GCP_FILE_INIT;
	struct error err = ERROR_INIT;
	const char *type;
	int r;

	if (g->options.is_anonymous)
		return strdup("none, anonymous");
	r = gcp_file_load(&c, &g->options, &file, &err);
	if (r < 0)
		return strdup(err.message);
	if (r == CRED_ABSENT)
		return strdup(g->options.use_metadata_service ? "metadata server" : "none found");
	type = json_get_string(file.o, "type");
	return str_format("%.40s in %s", type ? type : "unknown", file.name);
}

/* ---- signatures ---- */

static int metadata_email(const struct cred_context *c, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(512);
	int r = gcp_metadata_text(c, "instance/service-accounts/default/email", &text, err);

	if (r < 0)
		return r;
	*ret = str_dup(str_trim(buf_str(&text)));
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "no memory for a signature");
}

int cred_gcp_signer_email(struct cred_gcp *g, char **ret_email, struct error *err)
{
	struct cred_context c = { .host = &g->host };
	CLEANUP(gcp_file_release) struct gcp_file file = GCP_FILE_INIT;
	struct gcp_json j;
	int r = g->options.is_anonymous ? CRED_ABSENT : gcp_file_load(&c, &g->options, &file, err);
	char *email;

	if (r < 0)
		return r;
	if (r == CRED_ABSENT && g->options.use_metadata_service && !g->options.is_anonymous)
		return metadata_email(&c, ret_email, err);
	if (r == CRED_ABSENT)
		return error_set(err, ERR_UNSUPPORTED,
				 "signing needs a service account (set credentials-file)");
	j = (struct gcp_json){ file.o, file.name };
	email = json_get_string(file.o, "client_email")
			? strdup(json_get_string(file.o, "client_email"))
			: gcp_impersonated_email(&j);
	if (!email)
		return error_set(err, ERR_UNSUPPORTED,
				 "%s is no service account, and only those can sign", file.name);
	*ret_email = email;
	return 0;
}

/* ".../EMAIL:generateAccessToken" with another verb, or Google's own address. */
static char *sign_blob_url(const struct gcp_json *j, const char *email)
{
	const char *url = j->o ? json_get_string(j->o, "service_account_impersonation_url") : NULL;
	const char *verb = url ? strrchr(url, ':') : NULL;

	if (verb && strstr(url, "/serviceAccounts/"))
		return str_format("%.*s:signBlob", (int)(verb - url), url);
	return str_format(IAM_URL "%s:signBlob", email);
}

static int read_signed_blob(struct str answer, struct buf *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *text;

	if (json_parse(answer, CRED_MAX_BYTES, &o, NULL) < 0 ||
	    !(text = json_get_string(o, "signedBlob")) || base64_decode(str_of(text), ret) < 0)
		return error_set(err, ERR_PROTOCOL, "IAM answers without a signature");
	return 0;
}

/* A token that IAM takes: what the file leads to, acting as nobody else. */
static int iam_token(const struct cred_context *c, const struct gcp_json *j, struct token *ret,
		     struct error *err)
{
	struct gcp_request q = { .scope = GCP_SCOPE_PLATFORM };

	if (!j->o)
		return gcp_metadata_fetch(c, GCP_SCOPE_PLATFORM, ret, err);
	return gcp_fetch(c, j, &q, ret, err);
}

static int sign_by_iam(const struct cred_context *c, const struct gcp_json *j, const char *email,
		       struct str data, struct buf *ret, struct error *err)
{
	CLEANUP(token_release) struct token token = TOKEN_INIT;
	CLEANUP(cred_buf_wipe) struct buf bearer = BUF_INIT(0), answer = BUF_INIT(0);
	CLEANUP(buf_release) struct buf body = BUF_INIT(CRED_MAX_BYTES);
	CLEANUP(freep) char *url = sign_blob_url(j, email);
	int r = iam_token(c, j, &token, err);

	if (r == 0)
		r = cred_buf_init(&bearer, err);
	if (r == 0)
		r = cred_buf_init(&answer, err);
	if (r < 0)
		return r;
	if (!url || buf_adds(&bearer, "Bearer ") < 0 ||
	    buf_add_str(&bearer, secret_str(&token.value)) < 0 ||
	    buf_adds(&body, "{\"payload\":\"") < 0 ||
	    base64_encode(data.ptr, data.len, &body) < 0 || buf_adds(&body, "\"}") < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for a signature");
	r = oauth_post(
		c,
		&(struct oauth_call){
			.who = "IAM (signBlob)",
			.url = url,
			.json = buf_str(&body),
			.headers = (struct oauth_field[]){ { "Authorization", buf_cstr(&bearer) },
							   { NULL, NULL } },
		},
		&answer, err);
	return r < 0 ? r : read_signed_blob(buf_str(&answer), ret, err);
}

int cred_gcp_sign(struct cred_gcp *g, const char *email, struct str data, struct buf *ret_signature,
		  struct error *err)
{
	struct cred_context c = { .host = &g->host };
	CLEANUP(gcp_file_release) struct gcp_file file = GCP_FILE_INIT;
	CLEANUP(jwt_key_freep) struct jwt_key *key = NULL;
	struct gcp_json j;
	int r = gcp_file_load(&c, &g->options, &file, err);

	if (r < 0)
		return r;
	j = (struct gcp_json){ file.o, file.name };
	if (!json_get_string(file.o, "private_key"))
		return sign_by_iam(&c, &j, email, data, ret_signature, err);
	r = gcp_service_account_key(&j, &key, err);
	return r < 0 ? r : jwt_key_sign(key, data, ret_signature, err);
}

/* ---- life ---- */

void cred_gcp_free(struct cred_gcp *g)
{
	if (!g)
		return;
	token_source_free(g->tokens);
	free((void *)(uintptr_t)g->options.credentials_file);
	free((void *)(uintptr_t)g->options.audience);
	free((void *)(uintptr_t)g->host.imds_endpoint);
	free(g);
}

static const char *copy_text(const char *from, bool *is_ok)
{
	char *copy = from ? strdup(from) : NULL;

	*is_ok &= !from || copy;
	return copy;
}

int cred_gcp_new(const struct cred_host *host, const struct cred_gcp_options *options,
		 struct cred_gcp **ret, struct error *err)
{
	struct cred_gcp *g = calloc(1, sizeof(*g));
	struct token_source_options source = {
		.noun = "Google access token", .fetch = fetch, .arg = g, .wall_s = host->wall_s
	};
	bool is_ok = true;
	int r;

	if (!g)
		return error_set(err, ERR_NO_MEMORY, "no memory for credentials");
	g->host = *host;
	g->host.imds_endpoint = copy_text(host->imds_endpoint, &is_ok);
	g->options = *options;
	g->options.credentials_file = copy_text(options->credentials_file, &is_ok);
	g->options.audience = copy_text(options->audience, &is_ok);
	r = is_ok ? token_source_new(&source, &g->tokens, err)
		  : error_set(err, ERR_NO_MEMORY, "no memory for credentials");
	if (r < 0) {
		cred_gcp_free(g);
		return r;
	}
	*ret = g;
	return 0;
}
