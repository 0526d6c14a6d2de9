#pragma once
/*
 * Purpose: a connection to Azure Resource Manager. Private to backends/azure.
 * Ownership: see cloud.h.
 * Threads: any; immutable after open.
 * Source: learn.microsoft.com/rest/api/azure and /azure/azure-resource-manager/management/async-operations (2026-11).
 */
#include "backends/auth/cred_azure.h"
#include "backends/auth/sign_bearer.h"
#include "backends/cloud/compute.h"
#include "backends/cloud/databases.h"
#include "backends/cloud/dns.h"
#include "backends/cloud/metering.h"
#include "backends/cloud/network.h"
#include "backends/cloud/orchestration.h"
#include "backends/cloud/rest.h"
#include "backends/cloud/serverless.h"
#include "backends/cloud/volumes.h"

#define ARM_VERSIONS 11
struct azure_cloud {
	struct cloud base; /* region: where new things are made; may be NULL */
	struct http_engine *engine;
	struct token_source *tokens;
	struct signer *signer;
	struct ratelimit ratelimit;
	struct token_source *insights_tokens; /* of Application Insights, which is a service of its own */
	struct signer *insights_signer;
	char *insights_url;
	char *functions_url; /* "URL/HOST" instead of "https://HOST"; NULL: not */
	char *url, *subscription, *group; /* subscription, group: NULL when they must be said */
	struct service service;
	struct service versions[ARM_VERSIONS]; /* the same, each with the api-version of a row's service; immutable after open */
};
static inline struct azure_cloud *azure_cloud_of(const struct cloud_call *call)
{
	return container_of(call->cloud, struct azure_cloud, base);
}

/* arm.c: exchanges */

#define ARM_COMPUTE "2024-07-01"
#define ARM_SKUS    "2021-07-01"
#define ARM_NETWORK "2024-05-01"
#define ARM_PLACES  "2022-12-01"

/* A path of pieces, each encoded, ended by NULL, below /subscriptions/OWN; group: and below that resource group. */
int arm_path(struct cloud_call *call, const char *group, const char *const *pieces, char **ret,
	     struct error *err) MUST_CHECK;
/* An identifier of the service or of the user ("/subscriptions/..."), made fit for a path. */
int arm_id_path(const char *id, char **ret, struct error *err) MUST_CHECK;
/* The piece behind the one of that name in an identifier ("resourceGroups"): a heap string or NULL. */
char *arm_id_piece(const char *id, const char *name);
int arm_get(struct cloud_call *call, const char *path, const char *api, const char *expand, struct json_object **ret,
	    struct error *err) MUST_CHECK;
/* What changes something, until it is done (its own error is the error). body is taken; ret (the answer at the end, where
 * there is one) may be NULL. */
struct arm_change {
	enum http_method method;
	const char *path, *api, *query_name, *query_value; /* query: NULL for none */
	bool is_new; /* nothing may be there already */
};
int arm_change(struct cloud_call *call, const struct arm_change *change, struct json_object *body,
	       struct json_object **ret, struct error *err) MUST_CHECK;
/* All pages; name, value: a query, or NULL. */
int arm_pages(struct cloud_call *call, const char *path, const char *api, const char *name, const char *value,
	      rest_each_fn *each, void *arg, struct error *err) MUST_CHECK;
/* The configured group or location, or an error that says where to set it. */
int arm_group(struct cloud_call *call, const char **ret, struct error *err) MUST_CHECK;
int arm_location(struct cloud_call *call, const char **ret, struct error *err) MUST_CHECK;

/* azvm_list.c: images, sizes, keys, zones */
int azvm_images_list(struct cloud_call *call, struct json_object **ret, struct error *err);
int azvm_images_get(struct cloud_call *call, struct json_object **ret, struct error *err);
int azvm_flavors_list(struct cloud_call *call, struct json_object **ret, struct error *err);
int azvm_keypairs_list(struct cloud_call *call, struct json_object **ret, struct error *err);
int azvm_keypairs_create(struct cloud_call *call, struct json_object **ret, struct error *err);
int azvm_keypairs_delete(struct cloud_call *call, struct json_object **ret, struct error *err);
int azvm_zones_list(struct cloud_call *call, struct json_object **ret, struct error *err);
/* A thing of the subscription by its identifier or name: "images", "sshPublicKeys"; raw. */
int azvm_find(struct cloud_call *call, const char *kind, const char *what, const char *given, struct json_object **ret,
	      struct error *err) MUST_CHECK;

/* azvm_create.c */
int azvm_create(struct cloud_call *call, struct json_object **ret, struct error *err);

/* azvm.c */
int azvm_show(struct cloud_call *call, const char *path, struct json_object **ret, struct error *err) MUST_CHECK;

/* For rows: what an answer says is under way, to its end. */
int arm_settle(struct cloud_call *call, const struct service *service, struct service_answer *answer,
	       struct error *err) MUST_CHECK;

extern const struct compute_ops azure_compute;
extern const struct volume_ops azure_volumes;  /* azdisk.c */
extern const struct network_ops azure_network; /* aznet.c */
extern const struct stack_ops azure_stacks;    /* azdeploy.c */
extern const struct function_ops azure_functions; /* azfunc.c */
extern const struct database_ops azure_databases; /* azdb.c */
extern const struct metering_ops azure_metering; /* azcost.c */
extern const struct dns_ops azure_dns; /* azdns.c */
