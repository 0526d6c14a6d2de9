#pragma once
/*
 * Purpose: a connection to an OpenStack cloud: Keystone signs in, the catalogue says where the services are. Private to
 *	backends/openstack and to the providers that are OpenStack (infomaniak).
 * Ownership: see cloud.h. Services are made when first asked for and live as long as the connection.
 * Threads: any.
 * Source: docs.openstack.org/api-ref (2026-11).
 */
#include "backends/auth/cred_keystone.h"
#include "backends/auth/sign_bearer.h"
#include "backends/cloud/compute.h"
#include "backends/cloud/dns.h"
#include "backends/cloud/identity.h"
#include "backends/cloud/network.h"
#include "backends/cloud/orchestration.h"
#include "backends/cloud/rest.h"
#include "backends/cloud/volumes.h"

struct openstack_services;
struct openstack {
	struct cloud base;
	struct http_engine *engine;
	struct keystone *keystone;
	struct signer *signer;
	struct ratelimit ratelimit;
	struct openstack_services *services;
};
static inline struct openstack *openstack_of(const struct cloud_call *call)
{
	return container_of(call->cloud, struct openstack, base);
}

/* The options of every section that is OpenStack: of the control plane and of stores alike. */
#define OPENSTACK_OPTION_ROWS \
	{ "cloud", "a cloud of clouds.yaml (default: OS_CLOUD)", false }, \
	{ "auth-url", "address of Keystone (default: OS_AUTH_URL)", false }, \
	{ "region", "the region (default: OS_REGION_NAME, the only one)", false }, \
	{ "interface", "public, internal or admin addresses", false }, \
	{ "username", "user", false }, \
	{ "user-id", "user, by identifier", false }, \
	{ "user-domain-name", "the user's domain (default: Default)", false }, \
	{ "user-domain-id", "the user's domain, by identifier", false }, \
	{ "project-name", "project", false }, \
	{ "project-id", "project, by identifier", false }, \
	{ "project-domain-name", "the project's domain (default: Default)", false }, \
	{ "project-domain-id", "the project's domain, by identifier", false }, \
	{ "application-credential-id", "application credential", false }, \
	{ "application-credential-name", "application credential, by name; with username or user-id", false }, \
	{ "password", "the user's password", true }, \
	{ "application-credential-secret", "the application credential's secret", true }, \
	{ "token", "a token that exists already", true }, \
	{ "allow-http", "yes: sign in over plain http to another machine", false }, \
	{ "rate-limit", "at most so many requests a second (default: 20)", false }
extern const struct provider_option openstack_option_rows[];
/* Takes one value into the options; 0 with *ret_is_known false when it is none of openstack_option_rows. */
int openstack_read_option(const struct provider_value *v, struct keystone_options *ret, double *ret_rate,
			  bool *ret_is_known, struct error *err) MUST_CHECK;
/* Opens a connection for a driver whose credentials are of that flavour. */
int openstack_open(const struct cloud_driver *driver, enum keystone_flavour flavour,
		   const struct backend_context *context, const struct cloud_settings *settings, struct cloud **ret,
		   struct error *err) MUST_CHECK;
bool openstack_is_configured(enum keystone_flavour flavour, const struct backend_context *context);
/* The slots of struct cloud_driver. */
void openstack_free(struct cloud *cloud);
int openstack_service(struct cloud_call *call, const char *name, const struct service **ret, struct error *err) MUST_CHECK;
int openstack_variable(struct cloud_call *call, const char *name, char **ret, struct error *err) MUST_CHECK;

/* One exchange: method, path (encoded), JSON body (taken; may be NULL); ret may be NULL. */
int openstack_ask(struct cloud_call *call, const char *service, enum http_method method, const char *path,
		  struct json_object *body, struct json_object **ret, struct error *err) MUST_CHECK;
bool openstack_is_id(const char *text);

extern const struct compute_ops openstack_compute;
extern const struct volume_ops openstack_volumes;     /* cinder.c */
extern const struct network_ops openstack_network;    /* neutron.c, octavia.c */
extern const struct identity_ops openstack_identity;  /* identity.c */
extern const struct metering_ops openstack_metering;  /* quotas.c */
extern const struct stack_ops openstack_stacks;	      /* heat.c */
extern const struct dns_ops openstack_dns;
