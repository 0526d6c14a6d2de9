#pragma once
/*
 * Purpose: OpenStack credentials: a Keystone v3 token that is kept fresh, and the catalogue of services that comes with
 *	it.
 *
 * Where they are looked for, in order: the options; for Infomaniak its INFOMANIAK_* variables; OS_CLOUD (or the cloud
 * option) in clouds.yaml, with secure.yaml beside it; the OS_* variables; the only cloud of a clouds.yaml. Ways to sign
 * in: application credential (by id or name), password, token. A broken place ends the search with its error.
 *
 * Invariants: a sign-in goes over https, or to this machine, or where is_http_allowed says so.
 * Ownership: keystone_free; NULL is fine. The engine has forgotten the signers of the tokens before.
 * Threads: any. keystone_endpoint and keystone_project may sign in, and so block.
 * Errors: CONFIG names the variable, or file and key, to mend; UNAUTHENTICATED what Keystone said.
 * Source: docs.openstack.org/api-ref/identity/v3 (2026-11); openstacksdk's configuration guide (clouds.yaml, secure.yaml,
 *	OS_* variables); developer.infomaniak.com (public cloud: auth address).
 */
#include "backends/auth/cred_host.h"
#include "backends/auth/token.h"

#define KEYSTONE_INFOMANIAK_URL "https://api.pub1.infomaniak.cloud/identity/v3/"

enum keystone_flavour { KEYSTONE_STANDARD, KEYSTONE_INFOMANIAK };
struct keystone_options { /* NULL: not given */
	enum keystone_flavour flavour;
	const char *cloud;	/* of clouds.yaml */
	const char *auth_url, *region, *interface;
	const char *username, *user_id, *password, *user_domain_name, *user_domain_id;
	const char *project_name, *project_id, *project_domain_name, *project_domain_id;
	const char *application_credential_id, *application_credential_name, *application_credential_secret;
	const char *token;
	bool is_http_allowed;
};

struct json_object;
struct keystone;
int keystone_new(const struct cred_host *host, const struct keystone_options *options, struct keystone **ret,
		 struct error *err) MUST_CHECK;
void keystone_free(struct keystone *k);
struct token_source *keystone_tokens(struct keystone *k);
/* Whether a place holds credentials, without any network. */
bool keystone_is_configured(const struct cred_host *host, const struct keystone_options *options);

/* The address of a service, without a '/' at the end: types are tried in order ("block-storage|volumev3"). An override
 * (a key such as compute_endpoint_override in clouds.yaml, or OS_COMPUTE_ENDPOINT_OVERRIDE) goes before the catalogue.
 * region: NULL for the configured one, or the only one. UNSUPPORTED when the catalogue has no such service, and its
 * message names what it has. */
int keystone_endpoint(struct keystone *k, const char *types, const char *region, char **ret_url,
		      struct error *err) MUST_CHECK;
/* The project and the user that the token is for; heap strings. */
int keystone_project(struct keystone *k, char **ret_id, struct error *err) MUST_CHECK;
int keystone_user(struct keystone *k, char **ret_id, struct error *err) MUST_CHECK;
/* The roles that the token has: [{id, name}], a new reference. */
int keystone_roles(struct keystone *k, struct json_object **ret, struct error *err) MUST_CHECK;
/* The region that is used when none is named: configured, else the only one of the catalogue. */
int keystone_region(struct keystone *k, char **ret, struct error *err) MUST_CHECK;
/* The address of Keystone itself, ending in "/v3"; borrowed until keystone_free. */
const char *keystone_url(const struct keystone *k);
/* Where the credentials come from, for people; never blocks. Heap string, NULL without memory. */
char *keystone_describe(const struct keystone *k);
