#pragma once
/*
 * Purpose: a connection to Google Cloud's control services. Private to backends/gcp.
 * Ownership: see cloud.h.
 * Threads: any; `lock` is held for memory only.
 * Source: cloud.google.com/compute/docs/reference/rest/v1 (2026-11).
 */
#include "backends/auth/cred_gcp.h"
#include "backends/auth/sign_bearer.h"
#include "backends/base/lock.h"
#include "backends/cloud/compute.h"
#include "backends/cloud/databases.h"
#include "backends/cloud/dns.h"
#include "backends/cloud/metering.h"
#include "backends/cloud/network.h"
#include "backends/cloud/orchestration.h"
#include "backends/cloud/rest.h"
#include "backends/cloud/serverless.h"
#include "backends/cloud/volumes.h"

enum gcp_service_id { GCP_COMPUTE, GCP_DNS, GCP_CONFIG, GCP_SQL, GCP_FUNCTIONS, GCP_LOGGING, GCP_BILLING, GCP_BUDGETS,
		      GCP_BIGQUERY, GCP_SERVICE_USAGE, GCP_SERVICES };
struct gcp_service {
	struct cred_gcp *cred; /* a key file's tokens are good for one service */
	struct signer *signer;
	char *url;
	struct service service;
};
struct gcp {
	struct cloud base;
	struct http_engine *engine;
	struct ratelimit ratelimit;
	char *zone; /* where new things are made; NULL: must be said */
	char *billing_account, *billing_table; /* NULL: the project's; none */
	struct lock lock;
	char *project; /* guarded by lock until it is set, then immutable */
	struct gcp_service services[GCP_SERVICES]; /* immutable after open */
};
static inline struct gcp *gcp_of(const struct cloud_call *call)
{
	return container_of(call->cloud, struct gcp, base);
}
static inline const struct service *gcp_service_of(const struct cloud_call *call, enum gcp_service_id id)
{
	return &gcp_of(call)->services[id].service;
}

/* The project of the configuration or the credentials; may block. Good as long as the connection. */
int gcp_project(struct gcp *g, const char **ret, struct error *err) MUST_CHECK;

/* gce_ask.c: exchanges, and operations polled to their end */

/* One exchange: path behind the service's address (encoded), JSON body (taken; may be NULL); ret may be NULL. What
 * changes something carries a requestId, and may so be sent again. */
int gce_ask(struct cloud_call *call, enum http_method method, const char *path, struct json_object *body,
	    struct json_object **ret, struct error *err) MUST_CHECK;
/* The same, of what begins an operation: until that is done; its own error is the error. */
int gce_change(struct cloud_call *call, enum http_method method, const char *path, struct json_object *body,
	       struct error *err) MUST_CHECK;
/* "/projects/PROJECT" and the pieces, each encoded; ended by NULL. */
int gce_path(struct cloud_call *call, const char *project, const char *const *pieces, char **ret,
	     struct error *err) MUST_CHECK;
/* All pages; filter may be NULL. */
int gce_pages(struct cloud_call *call, const char *path, const char *filter, rest_each_fn *each, void *arg,
	      struct error *err) MUST_CHECK;
/* What follows the last '/'. */
const char *gce_tail(const char *url);

/* gce_image.c */
int gce_images_list(struct cloud_call *call, struct json_object **ret, struct error *err);
int gce_images_get(struct cloud_call *call, struct json_object **ret, struct error *err);
/* The image by its path, PROJECT/NAME, PROJECT/family/FAMILY, a name or a family; raw. */
int gce_find_image(struct cloud_call *call, const char *given, struct json_object **ret, struct error *err) MUST_CHECK;

/* gce_key.c: the SSH keys of the project's metadata */
int gce_keypairs_list(struct cloud_call *call, struct json_object **ret, struct error *err);
int gce_keypairs_create(struct cloud_call *call, struct json_object **ret, struct error *err);
int gce_keypairs_delete(struct cloud_call *call, struct json_object **ret, struct error *err);
/* "USER:KEY" of the one that is named so: a heap string. */
int gce_find_key(struct cloud_call *call, const char *name, char **ret, struct error *err) MUST_CHECK;

/* For rows: the operation that an answer holds, to its end. */
int gce_settle(struct cloud_call *call, const struct service *service, struct service_answer *answer,
	       struct error *err) MUST_CHECK;

extern const struct compute_ops gcp_compute;
extern const struct volume_ops gcp_volumes;  /* gce_volume.c */
extern const struct network_ops gcp_network; /* gce_network.c */
extern const struct stack_ops gcp_stacks;    /* inframanager.c */
extern const struct database_ops gcp_databases; /* cloudsql.c */
extern const struct function_ops gcp_functions; /* cloudfunctions.c */
extern const struct metering_ops gcp_metering; /* gce_quota.c, billing.c, bigquery.c */
extern const struct dns_ops gcp_dns; /* clouddns.c */
