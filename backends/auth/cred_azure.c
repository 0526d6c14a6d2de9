/* Which means of access there is; connection strings taken apart. The chain of tokens is in cred_azure_token.c. */
#include "backends/auth/cred_azure.h"
#include "backends/auth/sign_bearer.h"

#include <strings.h>

#define DEVELOPMENT_ACCOUNT  "devstoreaccount1"
#define DEVELOPMENT_ENDPOINT "http://127.0.0.1:10000/devstoreaccount1"
/* The emulators' key, the same everywhere and printed in their manual. */
#define DEVELOPMENT_KEY                                                                            \
	"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
#define PARTS_MAX_BYTES 16384

struct cred_azure {
	enum cred_azure_kind kind;
	char *account, *endpoint, *describe;
	struct sharedkey key;
	struct secret sas;
	struct token_source *tokens;
	struct signer *signer;
};

/* What a connection string, or the variables that stand for one, say. Each text is a piece of `memory`. */
struct parts {
	char *memory;
	size_t len; /* of memory: it is in pieces by then */
	const char *account, *key, *suffix, *protocol, *endpoint, *sas;
	bool is_development;
};

static void parts_release(struct parts *p)
{
	if (p->memory)
		explicit_bzero(p->memory, p->len);
	free(p->memory);
}

void cred_azure_free(struct cred_azure *c)
{
	if (!c)
		return;
	signer_free(c->signer);
	token_source_free(c->tokens);
	sharedkey_release(&c->key);
	secret_release(&c->sas);
	free(c->account);
	free(c->endpoint);
	free(c->describe);
	free(c);
}

enum cred_azure_kind cred_azure_kind(const struct cred_azure *c)
{
	return c->kind;
}

const char *cred_azure_describe(const struct cred_azure *c)
{
	return c->describe;
}

const char *cred_azure_account(const struct cred_azure *c)
{
	return c->account;
}

const char *cred_azure_endpoint(const struct cred_azure *c)
{
	return c->endpoint;
}

struct signer *cred_azure_signer(struct cred_azure *c)
{
	return c->signer;
}

const struct sharedkey *cred_azure_key(const struct cred_azure *c)
{
	return c->kind == CRED_AZURE_KEY ? &c->key : NULL;
}

const char *cred_azure_sas(const struct cred_azure *c)
{
	return c->kind == CRED_AZURE_SAS ? c->sas.bytes : NULL;
}

/* One "Name=Value" of a connection string, in place; the value may hold '='. */
static int take_part(struct parts *p, const char *what, char *part, struct error *err)
{
	const struct {
		const char *name, **place;
	} rows[] = {
		{ "AccountName", &p->account },	     { "AccountKey", &p->key },
		{ "EndpointSuffix", &p->suffix },    { "DefaultEndpointsProtocol", &p->protocol },
		{ "BlobEndpoint", &p->endpoint },    { "SharedAccessSignature", &p->sas },
	};
	char *value = strchr(part, '=');

	if (!value)
		return error_set(err, ERR_CONFIG,
				 "%s is no connection string (it should look like 'AccountName=...;AccountKey=...')",
				 what);
	*value++ = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcasecmp(part, rows[i].name) == 0)
			*rows[i].place = *value ? value : NULL;
	if (strcasecmp(part, "UseDevelopmentStorage") == 0)
		p->is_development = strcasecmp(value, "true") == 0;
	return 0; /* queues, tables and files have endpoints of their own in there */
}

static int read_parts(struct parts *p, const char *what, const char *text, struct error *err)
{
	int r = 0;

	if (strlen(text) > PARTS_MAX_BYTES)
		return error_set(err, ERR_CONFIG, "%s is longer than %d bytes", what, PARTS_MAX_BYTES);
	p->memory = strdup(text);
	if (!p->memory)
		return error_no_memory(err);
	p->len = strlen(text);
	for (char *part = p->memory, *next; r == 0 && part; part = next) {
		next = strchr(part, ';');
		if (next)
			*next++ = '\0';
		part += strspn(part, " \t\r\n");
		if (*part)
			r = take_part(p, what, part, err);
	}
	if (r == 0 && p->is_development) {
		p->account = DEVELOPMENT_ACCOUNT;
		p->key = DEVELOPMENT_KEY;
		p->endpoint = DEVELOPMENT_ENDPOINT;
	}
	if (r == 0 && !p->account && !p->endpoint)
		return error_set(err, ERR_CONFIG, "%s names neither AccountName nor BlobEndpoint", what);
	return r;
}

static int set_account(struct cred_azure *c, const char *account, struct error *err)
{
	if (!account || c->account)
		return 0;
	c->account = strdup(account);
	return c->account ? 0 : error_no_memory(err);
}

static int set_describe(struct cred_azure *c, const char *kind, const char *what, struct error *err)
{
	c->describe = str_format("%s (%s)", kind, what);
	return c->describe ? 0 : error_no_memory(err);
}

static int use_key(struct cred_azure *c, const char *what, const char *account, const char *key,
		   struct error *err)
{
	int r;

	if (!account)
		return error_set(err, ERR_CONFIG,
				 "%s is set but the account's name is not (AZURE_STORAGE_ACCOUNT, or account = ...)",
				 what);
	r = sharedkey_set(&c->key, what, account, str_of(key), err);
	if (r == 0)
		r = sharedkey_signer_new(&c->key, &c->signer, err);
	c->kind = CRED_AZURE_KEY;
	return r < 0 ? r : set_describe(c, "account key", what, err);
}

static int use_sas(struct cred_azure *c, const char *what, const char *sas, struct error *err)
{
	int r = sas_signer_new(what, str_of(sas), &c->signer, err);

	if (r < 0)
		return r;
	if (secret_set(&c->sas, str_trim(str_of(*sas == '?' ? sas + 1 : sas))) < 0)
		return error_no_memory(err);
	c->kind = CRED_AZURE_SAS;
	return set_describe(c, "shared access signature", what, err);
}

static int use_tokens(struct cred_azure *c, const struct cred_host *host,
		      const struct cred_azure_options *options, const char *what, struct error *err)
{
	int r = cred_azure_token_source(host, options, &c->tokens, err);

	if (r == 0)
		r = sign_bearer_new(c->tokens, NULL, &c->signer, err);
	c->kind = CRED_AZURE_TOKEN;
	return r < 0 ? r : set_describe(c, "token", what, err);
}

/* The endpoint a connection string tells: its own, or the account's in the cloud it names. */
static int parts_endpoint(struct cred_azure *c, const struct parts *p, struct error *err)
{
	if (p->endpoint)
		c->endpoint = strdup(p->endpoint);
	else if (p->suffix || p->protocol)
		c->endpoint = str_format("%s://%s.blob.%s", p->protocol ? p->protocol : "https", p->account,
					 p->suffix ? p->suffix : "core.windows.net");
	else
		return 0;
	return c->endpoint ? 0 : error_no_memory(err);
}

static int use_connection_string(struct cred_azure *c, const char *what, const char *text,
				 struct error *err)
{
	CLEANUP(parts_release) struct parts p = { 0 };
	int r = read_parts(&p, what, text, err);

	if (r == 0)
		r = set_account(c, p.account, err);
	if (r == 0)
		r = parts_endpoint(c, &p, err);
	if (r == 0 && p.key)
		r = use_key(c, what, c->account, p.key, err);
	else if (r == 0 && p.sas)
		r = use_sas(c, what, p.sas, err);
	else if (r == 0)
		r = set_describe(c, "none, anonymous", what, err);
	return r;
}

/* What the store's options name; 1 when they name nothing. */
static int use_options(struct cred_azure *c, const struct cred_host *host,
		       const struct cred_azure_options *o, struct error *err)
{
	if (o->is_anonymous)
		return set_describe(c, "none", "anonymous = yes", err);
	if (o->connection_string)
		return use_connection_string(c, "connection-string", o->connection_string, err);
	if (o->account_key)
		return use_key(c, "account-key", c->account, o->account_key, err);
	if (o->sas_token)
		return use_sas(c, "sas-token", o->sas_token, err);
	if (o->client_secret || o->client_certificate || o->federated_token_file)
		return use_tokens(c, host, o, cred_azure_token_origin(host, o), err);
	return CRED_ABSENT;
}

static int use_environment(struct cred_azure *c, const struct cred_host *host,
			   const struct cred_azure_options *o, struct error *err)
{
	const struct cred_context context = { .host = host };
	const char *text = cred_getenv(&context, "AZURE_STORAGE_CONNECTION_STRING");
	const char *env_account = cred_getenv(&context, "AZURE_STORAGE_ACCOUNT");
	const char *origin;

	/* Another account than the variables are about is not to be used with their secrets. */
	bool is_theirs = !o->account || (env_account && strcmp(o->account, env_account) == 0);

	if (text && !o->account)
		return use_connection_string(c, "AZURE_STORAGE_CONNECTION_STRING", text, err);
	text = is_theirs ? cred_getenv(&context, "AZURE_STORAGE_KEY") : NULL;
	if (text)
		return use_key(c, "AZURE_STORAGE_KEY", c->account, text, err);
	text = is_theirs ? cred_getenv(&context, "AZURE_STORAGE_SAS_TOKEN") : NULL;
	if (text)
		return use_sas(c, "AZURE_STORAGE_SAS_TOKEN", text, err);
	origin = cred_azure_token_origin(host, o);
	return use_tokens(c, host, o, origin ? origin : "managed identity or the Azure CLI", err);
}

int cred_azure_new(const struct cred_host *host, const struct cred_azure_options *options,
		   struct cred_azure **ret, struct error *err)
{
	const struct cred_context context = { .host = host };
	struct cred_azure *c = calloc(1, sizeof(*c));
	bool has_string = options->connection_string ||
			  (!options->account && cred_getenv(&context, "AZURE_STORAGE_CONNECTION_STRING"));
	int r;

	if (!c)
		return error_no_memory(err);
	r = set_account(c, options->account, err);
	if (r == 0 && !has_string)
		r = set_account(c, cred_getenv(&context, "AZURE_STORAGE_ACCOUNT"), err);
	if (r == 0)
		r = use_options(c, host, options, err);
	if (r == CRED_ABSENT)
		r = use_environment(c, host, options, err);
	if (r < 0) {
		cred_azure_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

int cred_azure_bearer(struct cred_azure *c, struct buf *ret, struct error *err)
{
	CLEANUP(token_release) struct token token = TOKEN_INIT;
	int r = cred_buf_init(ret, err);

	assert(c->kind == CRED_AZURE_TOKEN);
	if (r == 0)
		r = token_source_get(c->tokens, &token, err);
	if (r < 0)
		return r;
	if (buf_adds(ret, "Bearer ") < 0 || buf_add_str(ret, secret_str(&token.value)) < 0)
		return error_no_memory(err);
	return 0;
}

bool cred_azure_is_configured(const struct cred_host *host)
{
	const struct cred_context c = { .host = host };
	static const struct cred_azure_options none = { 0 };

	if (cred_getenv(&c, "AZURE_STORAGE_CONNECTION_STRING"))
		return true;
	return cred_getenv(&c, "AZURE_STORAGE_ACCOUNT") &&
	       (cred_getenv(&c, "AZURE_STORAGE_KEY") || cred_getenv(&c, "AZURE_STORAGE_SAS_TOKEN") ||
		cred_azure_token_origin(host, &none));
}
