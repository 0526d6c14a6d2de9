#pragma once
/*
 * Purpose: Google credentials: the Application Default Credentials in full, as an access token that is
 *	kept fresh, and a signature by the same identity.
 *
 * The order: a file named in the store's configuration; GOOGLE_APPLICATION_CREDENTIALS; what `gcloud auth
 * application-default login` left (CLOUDSDK_CONFIG or ~/.config/gcloud); the metadata server, only where options say
 * so. An absent source passes on, a broken one ends the search with its error. A file is of one of these types:
 * service_account, authorized_user, external_account, external_account_authorized_user, impersonated_service_account.
 *
 * Ownership: cred_gcp_free; NULL is fine. The engine is freed first, or has forgotten the signers of the tokens.
 * Threads: any. cred_gcp_sign and the heap strings may read files and, where options say so, ask services.
 * Errors: CONFIG names the variable or file to mend; UNAUTHENTICATED what the service said.
 * Source: google.aip.dev/auth/4110 to 4117 (2026-11); cloud.google.com/docs/authentication/application-default-credentials.
 */
#include "backends/auth/cred_host.h"
#include "backends/auth/token.h"

struct cred_gcp_options {
	const char *credentials_file; /* NULL: the standard places */
	bool is_anonymous;
	bool use_metadata_service;
	bool is_platform_wide; /* tokens that the endpoint gives are for all services, not for storage alone */
	/* Of the service that is spoken to ("https://storage.googleapis.com/"): a service account then signs its own
	 * tokens for it; NULL, or when the service refuses those: it asks the token endpoint. */
	const char *audience;
};

struct cred_gcp;
int cred_gcp_new(const struct cred_host *host, const struct cred_gcp_options *options,
		 struct cred_gcp **ret, struct error *err) MUST_CHECK;
void cred_gcp_free(struct cred_gcp *c);
struct token_source *cred_gcp_tokens(struct cred_gcp *c);
/* Whether a file or variable is there, without any network. */
bool cred_gcp_is_configured(const struct cred_host *host, const struct cred_gcp_options *options);
/* The project of GOOGLE_CLOUD_PROJECT, of the credentials, of gcloud's configuration or (where options say so) of the
 * metadata server; heap string or NULL. May block. */
char *cred_gcp_project(struct cred_gcp *c);
/* The project that pays for quota: GOOGLE_CLOUD_QUOTA_PROJECT or the credentials'; heap string or NULL. */
char *cred_gcp_quota_project(struct cred_gcp *c);
/* Where the credentials come from, for people: "service account in '/k.json' (GOOGLE_APPLICATION_CREDENTIALS)"; never
 * blocks for a network. Heap string, NULL without memory. */
char *cred_gcp_describe(struct cred_gcp *c);

/* A token that says to `audience` (the URL of a function) who one is. UNSUPPORTED for identities that cannot have one: those of
 * people. May block. */
int cred_gcp_id_token(struct cred_gcp *c, const char *audience, struct token *ret, struct error *err) MUST_CHECK;

/* SHA-256 with RSA over data by the service account's key, or by IAM (signBlob) for other kinds. ret_email is a heap
 * string. UNSUPPORTED for identities that are no service account. */
int cred_gcp_signer_email(struct cred_gcp *c, char **ret_email, struct error *err) MUST_CHECK;
int cred_gcp_sign(struct cred_gcp *c, const char *email, struct str data, struct buf *ret_signature,
		  struct error *err) MUST_CHECK;
