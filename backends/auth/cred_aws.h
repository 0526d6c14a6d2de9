#pragma once
/*
 * Purpose: AWS credentials: the sources of the default chain, and a cache that refreshes before expiry.
 *
 * The order is the SDKs': explicit configuration; environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
 * AWS_SESSION_TOKEN); web identity (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN); profile (AWS_PROFILE, shared
 * credentials and config files: static keys, source_profile and role_arn by AssumeRole, credential_source,
 * credential_process, web_identity_token_file, sso_session / sso_start_url by the SSO cache); container
 * (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI / _FULL_URI with its token); IMDSv2 (unless AWS_EC2_METADATA_DISABLED).
 * An absent source passes on, a broken one ends the chain with its error (never fall past a broken source).
 * With several sources a profile named explicitly (`profile =` or AWS_PROFILE) goes before the environment only when
 * it was named in the store's configuration.
 *
 * Ownership: struct cred_aws is embedded by value; release wipes secrets.
 * Threads: the provider may be called from any thread; one refresh at a time, others wait for it, and within the
 *	advisory window (5 min before expiry) they go on with the old ones.
 * Source: docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html (2026-11).
 */
#include "backends/auth/cred_host.h"

struct cred_aws {
	char *access_key_id; /* NULL: anonymous */
	struct secret secret_access_key;
	struct secret session_token;
	int64_t expires_wall_s; /* 0: never */
	const char *source;	/* static text: "environment", "profile", ..., or the options' names */
};
#define CRED_AWS_INIT ((struct cred_aws){0})
void cred_aws_release(struct cred_aws *c);
int cred_aws_copy(struct cred_aws *to, const struct cred_aws *from, struct error *err) MUST_CHECK;

struct keystone;
struct cred_aws_options {
	const char *access_key_id, *secret_access_key, *session_token; /* explicit ones, or NULL */
	const char *profile;	/* explicit profile, or NULL */
	const char *names; /* what the explicit ones are called where they stand, static; NULL: as here, with '-' */
	bool is_anonymous;
	struct keystone *keystone; /* the EC2 keys that it keeps, or NULL; taken over by the provider when it is made */
	bool use_metadata_service; /* container and IMDS too; else they are skipped */
};

struct cred_aws_provider;
int cred_aws_provider_new(const struct cred_host *host, const struct cred_aws_options *options,
			  struct cred_aws_provider **ret, struct error *err) MUST_CHECK;
void cred_aws_provider_free(struct cred_aws_provider *p);
bool cred_aws_is_ready(struct cred_aws_provider *p);
/* Current credentials; may block for a fetch. ERR_UNAUTHENTICATED with advice when no source has any. */
int cred_aws_get(struct cred_aws_provider *p, struct cred_aws *ret, struct error *err) MUST_CHECK;
/* Forgets cached ones that can be fetched again; false for static ones. */
bool cred_aws_forget(struct cred_aws_provider *p);
/* Whether some source (without metadata services and without any network) is configured: used to decide whether the
 * store exists with no configuration file. */
bool cred_aws_is_configured(const struct cred_host *host, const struct cred_aws_options *options);
/* The region by AWS_REGION, AWS_DEFAULT_REGION, then the profile's; heap string or NULL. */
char *cred_aws_region(const struct cred_host *host, const char *profile);
/* Another key of the chosen profile ("endpoint_url", "services"...); heap string or NULL. */
char *cred_aws_profile_value(const struct cred_host *host, const char *profile, const char *key);
