/*
 * The chain of tokens for Azure Storage, in the order of DefaultAzureCredential.
 *
 * A source answers found, absent or broken; broken ends the chain. Each fetch reads variables and files anew.
 *
 * Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
 * .../managed-identities-azure-resources/how-to-use-vm-token, learn.microsoft.com/azure/app-service/overview-managed-identity
 * (2026-11).
 */
#include "backends/auth/cred_azure.h"
#include "backends/auth/cred_program.h"
#include "backends/auth/oauth.h"
#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "backends/base/json.h"
#include "backends/base/log.h"
#include "backends/http/url.h"

#include <ctype.h>
#include <stdio.h>

#define STORAGE_RESOURCE "https://storage.azure.com"
#define PUBLIC_AUTHORITY "https://login.microsoftonline.com"
#define IMDS_URL	 "http://169.254.169.254"
#define IMDS_PATH	 "/metadata/identity/oauth2/token"
#define IMDS_TIMEOUT_MS	 2000
#define IMDS_TRIES	 3
#define CLI_TIMEOUT_MS	 30000 /* it is Python, and may talk to the network first */

struct chain {
	struct cred_host host;
	const char *resource;
	char *tenant_id, *client_id, *certificate, *federated_file, *imds_endpoint;
	struct secret client_secret;
	bool use_metadata_service;
};

static void chain_free(void *arg)
{
	struct chain *chain = arg;

	secret_release(&chain->client_secret);
	free(chain->tenant_id);
	free(chain->client_id);
	free(chain->certificate);
	free(chain->federated_file);
	free(chain->imds_endpoint);
	free(chain);
}

static const char *option_or(const char *option, const struct cred_context *c, const char *variable)
{
	return option ? option : cred_getenv(c, variable);
}

/* Tenants are GUIDs or domains; they go into a path. */
static bool tenant_is_valid(const char *tenant)
{
	size_t len = strlen(tenant);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)tenant[i]) && tenant[i] != '-' && tenant[i] != '.')
			return false;
	return len > 0 && len <= 253 && tenant[0] != '.';
}

/* "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token", or of AZURE_AUTHORITY_HOST. */
static int token_url(const struct chain *chain, const struct cred_context *c, char **ret,
		     struct error *err)
{
	const char *tenant = option_or(chain->tenant_id, c, "AZURE_TENANT_ID");
	const char *authority = cred_getenv(c, "AZURE_AUTHORITY_HOST");
	struct str host = str_of(authority ? authority : PUBLIC_AUTHORITY);
	const char *scheme = "";

	if (!tenant_is_valid(tenant))
		return error_set(err, ERR_CONFIG, "'%.64s' is no tenant id (AZURE_TENANT_ID or tenant-id)",
				 tenant);
	while (host.len && host.ptr[host.len - 1] == '/')
		host.len--;
	if (!memmem(host.ptr, host.len, "://", 3))
		scheme = "https://";
	*ret = str_format("%s%.*s/%s/oauth2/v2.0/token", scheme, (int)host.len, host.ptr, tenant);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "no memory for a token");
}

static int ask_endpoint(const struct chain *chain, const struct cred_context *c, const char *who,
			const char *secret, const char *assertion, const char *url,
			struct token *ret, struct error *err)
{
	CLEANUP(freep) char *scope = str_format("%s/.default", chain->resource);
	const struct oauth_field form[] = {
		{ "grant_type", "client_credentials" },
		{ "client_id", option_or(chain->client_id, c, "AZURE_CLIENT_ID") },
		{ "scope", scope },
		{ "client_secret", secret },
		{ "client_assertion_type",
		  assertion ? "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" : NULL },
		{ "client_assertion", assertion },
		{ 0 },
	};
	const struct oauth_call call = { .who = who, .url = url, .form = form };

	return scope ? oauth_fetch(c, &call, ret, err) : error_set(err, ERR_NO_MEMORY, "no memory for a token");
}

/* tenant and client must be there when something is that needs them. */
static int needs_both(const struct chain *chain, const struct cred_context *c, const char *what,
		      struct error *err)
{
	const char *missing = !option_or(chain->tenant_id, c, "AZURE_TENANT_ID")   ? "AZURE_TENANT_ID (or tenant-id)"
			      : !option_or(chain->client_id, c, "AZURE_CLIENT_ID") ? "AZURE_CLIENT_ID (or client-id)"
										   : NULL;

	return missing ? error_set(err, ERR_CONFIG, "%s is set but %s is not", what, missing) : 0;
}

static int fetch_secret(const struct chain *chain, const struct cred_context *c, struct token *ret,
			struct error *err)
{
	const char *secret = secret_is_set(&chain->client_secret) ? chain->client_secret.bytes
								  : cred_getenv(c, "AZURE_CLIENT_SECRET");
	CLEANUP(freep) char *url = NULL;
	int r;

	if (!secret)
		return CRED_ABSENT;
	if ((r = needs_both(chain, c, "AZURE_CLIENT_SECRET", err)) < 0 ||
	    (r = token_url(chain, c, &url, err)) < 0)
		return r;
	return ask_endpoint(chain, c, "Microsoft Entra, asked with AZURE_CLIENT_SECRET", secret, NULL, url,
			    ret, err);
}

static int fetch_certificate(const struct chain *chain, const struct cred_context *c,
			     struct token *ret, struct error *err)
{
	const char *path = option_or(chain->certificate, c, "AZURE_CLIENT_CERTIFICATE_PATH");
	CLEANUP(cred_buf_wipe) struct buf assertion = BUF_INIT(0);
	CLEANUP(freep) char *url = NULL;
	CLEANUP(freep) char *who = path ? str_format("Microsoft Entra, asked with the certificate '%.100s'", path)
					: NULL;
	int r;

	if (!path)
		return CRED_ABSENT;
	if (!who)
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	if ((r = needs_both(chain, c, "AZURE_CLIENT_CERTIFICATE_PATH", err)) < 0 ||
	    (r = token_url(chain, c, &url, err)) < 0 || (r = cred_buf_init(&assertion, err)) < 0 ||
	    (r = cred_azure_assertion(c, path, option_or(chain->client_id, c, "AZURE_CLIENT_ID"), url,
				      &assertion, err)) < 0)
		return r;
	return ask_endpoint(chain, c, who, NULL, buf_cstr(&assertion), url, ret, err);
}

static int fetch_workload(const struct chain *chain, const struct cred_context *c, struct token *ret,
			  struct error *err)
{
	const char *path = option_or(chain->federated_file, c, "AZURE_FEDERATED_TOKEN_FILE");
	CLEANUP(cred_buf_wipe) struct buf text = BUF_INIT(0);
	CLEANUP(freep) char *assertion = NULL;
	CLEANUP(freep) char *url = NULL;
	CLEANUP(freep) char *who =
		path ? str_format("Microsoft Entra, asked with the token of '%.100s'", path) : NULL;
	int r;

	if (!path)
		return CRED_ABSENT;
	if (!who)
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	if ((r = needs_both(chain, c, "AZURE_FEDERATED_TOKEN_FILE", err)) < 0 ||
	    (r = token_url(chain, c, &url, err)) < 0 || (r = cred_buf_init(&text, err)) < 0)
		return r;
	r = fileio_read_file(path, &text, err);
	if (r < 0) {
		(void)error_set(err, ERR_CONFIG, "AZURE_FEDERATED_TOKEN_FILE: '%.100s' cannot be read: %s", path,
				strerror(-r));
		return -error_errnum(ERR_CONFIG);
	}
	assertion = str_dup(str_trim(buf_str(&text)));
	if (!assertion)
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	r = *assertion ? ask_endpoint(chain, c, who, NULL, assertion, url, ret, err)
		       : error_set(err, ERR_CONFIG, "AZURE_FEDERATED_TOKEN_FILE: '%.100s' is empty", path);
	explicit_bzero(assertion, strlen(assertion));
	return r;
}

/* A GET of a managed identity's endpoint, which is plain http on a link-local address. */
static int ask_identity(const struct chain *chain, const struct cred_context *c, const char *url,
			const char *path, const char *api, const char *header, const char *value,
			struct buf *ret, struct error *err)
{
	const char *client = option_or(chain->client_id, c, "AZURE_CLIENT_ID");
	struct cred_call call = { .method = HTTP_GET,
				  .url = url,
				  .path = path,
				  .operation = "ManagedIdentity",
				  .timeout_ms = IMDS_TIMEOUT_MS,
				  .max_attempts = 1 };
	CLEANUP(freep) char *resource = str_format("%s/", chain->resource);
	int r = resource ? http_fields_add(&call.headers, header, value, err) :
			   error_set(err, ERR_NO_MEMORY, "no memory for a token");

	if (r == 0)
		r = http_query_add(&call.query, "api-version", api, err);
	if (r == 0)
		r = http_query_add(&call.query, "resource", resource, err);
	if (r == 0 && client)
		r = http_query_add(&call.query, "client_id", client, err);
	if (r == 0)
		return cred_call(c, &call, ret, err);
	http_fields_release(&call.headers);
	http_fields_release(&call.query);
	return r;
}

/* https, this machine, or the link-local addresses where hosts put it: the header is a secret. */
static int check_identity_url(const char *url, struct error *err)
{
	struct url parsed;

	if (url_parse(str_of(url), &parsed, NULL) == 0 && str_starts(parsed.host, "169.254."))
		return 0;
	return cred_url_check("IDENTITY_ENDPOINT", url, err);
}

static int fetch_app_service(const struct chain *chain, const struct cred_context *c,
			     struct buf *answer, struct error *err)
{
	const char *url = cred_getenv(c, "IDENTITY_ENDPOINT"), *header = cred_getenv(c, "IDENTITY_HEADER");
	int r;

	if (!url || !header)
		return CRED_ABSENT;
	r = check_identity_url(url, err);
	if (r == 0)
		r = ask_identity(chain, c, url, NULL, "2019-08-01", "X-IDENTITY-HEADER", header, answer, err);
	return r < 0 ? error_prefix(err, r, "managed identity (IDENTITY_ENDPOINT)") : 0;
}

/* Nobody answers outside Azure: that means absent. */
static int fetch_imds(const struct chain *chain, const struct cred_context *c, struct buf *answer,
		      struct error *err)
{
	const char *url = chain->imds_endpoint ? chain->imds_endpoint
					       : cred_getenv(c, "AZURE_POD_IDENTITY_AUTHORITY_HOST");
	int r = 0;

	for (unsigned i = 0; i < IMDS_TRIES; i++) {
		r = ask_identity(chain, c, url ? url : IMDS_URL, IMDS_PATH, "2018-02-01", "Metadata", "true",
				 answer, err);
		if (r == 0 || !error_is_retryable(err->kind) || err->http_status == 0)
			break;
	}
	if (r < 0 && err->http_status == 0 && err->kind != ERR_CANCELLED && err->kind != ERR_CONFIG) {
		log_debug("cred.imds.absent", "error='%s'", err->message);
		return CRED_ABSENT;
	}
	if (r < 0 && err->http_status == 400)
		return error_set(err, ERR_UNAUTHENTICATED,
				 "managed identity: this machine has none%s (give it one, or mend AZURE_CLIENT_ID)",
				 option_or(chain->client_id, c, "AZURE_CLIENT_ID") ? " of that client id" : "");
	return r < 0 ? error_prefix(err, r, "managed identity") : 0;
}

static int fetch_managed(const struct chain *chain, const struct cred_context *c, struct token *ret,
			 struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf answer = BUF_INIT(0);
	int r;

	if (!chain->use_metadata_service)
		return CRED_ABSENT;
	if ((r = cred_buf_init(&answer, err)) < 0)
		return r;
	r = fetch_app_service(chain, c, &answer, err);
	if (r == CRED_ABSENT)
		r = fetch_imds(chain, c, &answer, err);
	if (r != 0)
		return r;
	return oauth_read(c, "the managed identity endpoint", buf_str(&answer), ret, err);
}

static bool cli_is_signed_in(const struct cred_context *c)
{
	const char *dir = cred_getenv(c, "AZURE_CONFIG_DIR"), *home = cred_getenv(c, "HOME");
	CLEANUP(freep) char *path = dir	  ? str_format("%s/azureProfile.json", dir)
				    : home ? str_format("%s/.azure/azureProfile.json", home)
					   : NULL;

	return path && access(path, R_OK) == 0;
}

/* {"accessToken", "expires_on": seconds}; "expiresOn" is local time and of older versions. */
static int read_cli(const struct cred_context *c, struct str text, struct token *ret,
		    struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *token;

	if (json_parse(text, CRED_MAX_BYTES, &o, NULL) < 0 || !(token = json_get_string(o, "accessToken")))
		return error_set(err, ERR_PROTOCOL, "the Azure CLI ('az') printed no token");
	return token_set(ret, "the Azure CLI ('az')", str_of(token),
			 json_get_int64(o, "expires_on", cred_now_s(c) + 600), err);
}

static int fetch_cli(const struct chain *chain, const struct cred_context *c, struct token *ret,
		     struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf out = BUF_INIT(0);
	const char *tenant = option_or(chain->tenant_id, c, "AZURE_TENANT_ID");
	char program[] = "az", account[] = "account", verb[] = "get-access-token", output[] = "--output",
	     json[] = "json", resource[] = "--resource",
	     tenant_flag[] = "--tenant";
	char *args[] = { program, account, verb, output, json, resource, (char *)(uintptr_t)chain->resource,
			 tenant ? tenant_flag : NULL, (char *)(uintptr_t)tenant, NULL };
	const struct cred_program run = { .what = "the Azure CLI", .args = args, .timeout_ms = CLI_TIMEOUT_MS };
	int status = 0, r;

	if (!cli_is_signed_in(c))
		return CRED_ABSENT;
	if (tenant && !tenant_is_valid(tenant))
		return error_set(err, ERR_CONFIG, "'%.64s' is no tenant id (AZURE_TENANT_ID or tenant-id)",
				 tenant);
	if ((r = cred_buf_init(&out, err)) < 0 || (r = cred_program_run(c, &run, &out, &status, err)) < 0)
		return r;
	if (status != 0)
		return error_set(err, ERR_UNAUTHENTICATED,
				 "the Azure CLI gives no token (exit code %d; run 'az login')", status);
	return read_cli(c, buf_str(&out), ret, err);
}

static int chain_fetch(void *arg, struct cancel *cancel, struct token *ret, struct error *err)
{
	static int (*const sources[])(const struct chain *, const struct cred_context *, struct token *,
				      struct error *) = { fetch_secret, fetch_certificate, fetch_workload,
							  fetch_managed, fetch_cli };
	const struct chain *chain = arg;
	const struct cred_context c = { .host = &chain->host, .cancel = cancel };

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		int r = sources[i](chain, &c, ret, err);

		if (r != CRED_ABSENT)
			return r;
	}
	return error_set(err, ERR_UNAUTHENTICATED,
			 "no Azure credentials found (set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT and "
			 "AZURE_STORAGE_KEY, or run 'az login')");
}

const char *cred_azure_token_origin(const struct cred_host *host,
				    const struct cred_azure_options *options)
{
	const struct cred_context c = { .host = host };

	if (options->client_secret || cred_getenv(&c, "AZURE_CLIENT_SECRET"))
		return "client secret";
	if (options->client_certificate || cred_getenv(&c, "AZURE_CLIENT_CERTIFICATE_PATH"))
		return "client certificate";
	if (options->federated_token_file || cred_getenv(&c, "AZURE_FEDERATED_TOKEN_FILE"))
		return "workload identity";
	return cli_is_signed_in(&c) ? "Azure CLI" : NULL;
}

static char *copy_of(const char *text)
{
	return text ? strdup(text) : NULL;
}

int cred_azure_token_source(const struct cred_host *host, const struct cred_azure_options *options,
			    struct token_source **ret, struct error *err)
{
	struct chain *chain = calloc(1, sizeof(*chain));
	struct token_source_options source = { .noun = "Azure access token",
					       .fetch = chain_fetch,
					       .arg = chain,
					       .free_arg = chain_free,
					       .wall_s = host->wall_s };

	if (!chain)
		return error_set(err, ERR_NO_MEMORY, "no memory for credentials");
	chain->host = *host;
	chain->resource = options->resource ? options->resource : STORAGE_RESOURCE;
	chain->tenant_id = copy_of(options->tenant_id);
	chain->client_id = copy_of(options->client_id);
	chain->certificate = copy_of(options->client_certificate);
	chain->federated_file = copy_of(options->federated_token_file);
	chain->imds_endpoint = copy_of(host->imds_endpoint);
	chain->use_metadata_service = options->use_metadata_service;
	if ((options->tenant_id && !chain->tenant_id) || (options->client_id && !chain->client_id) ||
	    (options->client_certificate && !chain->certificate) ||
	    (options->federated_token_file && !chain->federated_file) ||
	    (options->client_secret && secret_set(&chain->client_secret, str_of(options->client_secret)) < 0)) {
		chain_free(chain);
		return error_set(err, ERR_NO_MEMORY, "no memory for credentials");
	}
	return token_source_new(&source, ret, err);
}
