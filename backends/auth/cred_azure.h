#pragma once
/*
 * Purpose: access to an Azure storage account: which of its means there is (key, SAS, token, none), and the signer for it.
 *
 * The order: what the store's options name; AZURE_STORAGE_CONNECTION_STRING; AZURE_STORAGE_ACCOUNT with
 * AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN; then tokens, in the order of DefaultAzureCredential: environment
 * (AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH), workload identity
 * (AZURE_FEDERATED_TOKEN_FILE), managed identity (only where the options allow to ask), the Azure CLI's sign-in.
 *
 * Invariants: a means that is set up but broken ends the search; falling past it would use another identity than the
 *	user meant. Which means it is, is settled when it is made; a token is fetched when it is first needed.
 * Ownership: the signer and the key are borrowed until cred_azure_free.
 * Threads: any; tokens are fetched once at a time (token.h).
 * Errors: CONFIG names the option, variable or file to mend; UNAUTHENTICATED when there is nothing.
 * Source: learn.microsoft.com/azure/storage/common/storage-configure-connection-string,
 *	learn.microsoft.com/dotnet/api/azure.identity.defaultazurecredential (2026-11).
 */
#include "backends/auth/cred_host.h"
#include "backends/auth/sign_sharedkey.h"
#include "backends/auth/token.h"

struct cred_azure_options { /* NULL: not given */
	const char *account, *account_key, *sas_token, *connection_string;
	const char *tenant_id, *client_id, *client_secret, *client_certificate, *federated_token_file;
	bool is_anonymous, use_metadata_service;
	const char *resource; /* what tokens are for, static: "https://management.azure.com"; NULL: storage */
};

enum cred_azure_kind { CRED_AZURE_ANONYMOUS, CRED_AZURE_KEY, CRED_AZURE_SAS, CRED_AZURE_TOKEN };

struct cred_azure;
/* The host and the texts of the options are copied. */
int cred_azure_new(const struct cred_host *host, const struct cred_azure_options *options,
		   struct cred_azure **ret, struct error *err) MUST_CHECK;
void cred_azure_free(struct cred_azure *c);
enum cred_azure_kind cred_azure_kind(const struct cred_azure *c);
/* "account key (AZURE_STORAGE_KEY)", for people; no secret. */
const char *cred_azure_describe(const struct cred_azure *c);
const char *cred_azure_account(const struct cred_azure *c);  /* NULL: not told */
const char *cred_azure_endpoint(const struct cred_azure *c); /* of the blob service; NULL: not told */
/* NULL for anonymous. */
struct signer *cred_azure_signer(struct cred_azure *c);
/* NULL unless it is a key. */
const struct sharedkey *cred_azure_key(const struct cred_azure *c);
/* NULL unless it is a SAS; the text without '?'. */
const char *cred_azure_sas(const struct cred_azure *c);
/* "Bearer TOKEN" of one that uses tokens; ret is for cred_buf_wipe. Blocks when there is none yet. */
int cred_azure_bearer(struct cred_azure *c, struct buf *ret, struct error *err) MUST_CHECK;
/* Whether the standard means hold something; no network, no program. */
bool cred_azure_is_configured(const struct cred_host *host);

/* The chain of tokens alone, for services that take nothing else. Takes nothing over. */
int cred_azure_token_source(const struct cred_host *host, const struct cred_azure_options *options,
			    struct token_source **ret, struct error *err) MUST_CHECK;
/* "client secret", or what else is set up here; NULL: nothing that can be seen without asking. */
const char *cred_azure_token_origin(const struct cred_host *host,
				    const struct cred_azure_options *options);
/* Private to backends/auth: a signed assertion of who we are, for the token endpoint `audience`, by the certificate and key in a PEM file. */
int cred_azure_assertion(const struct cred_context *c, const char *path, const char *client_id,
			 const char *audience, struct buf *ret, struct error *err) MUST_CHECK;
