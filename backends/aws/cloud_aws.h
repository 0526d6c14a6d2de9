#pragma once
/*
 * Purpose: a connection to Amazon's control services: one chain of credentials, a signer for each service. Private to
 *	backends/aws.
 * Ownership: see cloud.h. Services are made when first asked for and live as long as the connection.
 * Threads: any.
 * Source: docs.aws.amazon.com/general/latest/gr/rande.html and docs.aws.amazon.com/sdkref/latest/guide/
 *	feature-ss-endpoints.html (2026-11).
 */
#include "backends/auth/sign_sigv4.h"
#include "backends/cloud/compute.h"
#include "backends/cloud/databases.h"
#include "backends/cloud/dns.h"
#include "backends/cloud/metering.h"
#include "backends/cloud/network.h"
#include "backends/cloud/orchestration.h"
#include "backends/cloud/rest.h"
#include "backends/cloud/serverless.h"
#include "backends/cloud/volumes.h"

struct aws_services;
struct aws {
	struct cloud base; /* region is never NULL */
	struct cred_host host;
	struct cred_aws_provider *provider;
	char *profile, *endpoint; /* NULL: by the environment */
	struct ratelimit ratelimit;
	struct aws_services *services;
};
static inline struct aws *aws_of(const struct cloud_call *call)
{
	return container_of(call->cloud, struct aws, base);
}

int aws_service(struct cloud_call *call, const char *name, const struct service **ret, struct error *err) MUST_CHECK;

/* ec2_ask.c: the Query API of EC2: a form in, XML out. */

#define EC2_REQUEST_INIT SERVICE_REQUEST_INIT
enum ec2_kind {
	EC2_READ,	/* changes nothing: retried freely, sent in a dry run too */
	EC2_REPEATABLE, /* changes something, but twice is as once */
	EC2_ONCE,
};
int ec2_begin(struct service_request *q, const char *action, enum ec2_kind kind, struct error *err) MUST_CHECK;
int ec2_add(struct service_request *q, const char *name, const char *value, struct error *err) MUST_CHECK;
/* Filter.N.Name and Filter.N.Value.1 */
int ec2_filter(struct service_request *q, unsigned n, const char *name, const char *value,
	       struct error *err) MUST_CHECK;
/* The answer below its root ("DescribeInstancesResponse"), the caller's to put. */
int ec2_ask(struct cloud_call *call, struct service_request *q, struct json_object **ret, struct error *err) MUST_CHECK;
/* All pages of it. items: "imagesSet.item" below the root. size_min, size_max: of MaxResults; 0: it is not sent. */
struct ec2_pages {
	const char *items;
	unsigned size_min, size_max;
};
int ec2_pages(struct cloud_call *call, struct service_request *q, const struct ec2_pages *pages, rest_each_fn *each,
	      void *arg, struct error *err) MUST_CHECK;

/* ec2_launch.c */
int ec2_instances_create(struct cloud_call *call, struct json_object **ret, struct error *err);

/* ec2.c: for ec2_launch.c */
extern const struct record_source ec2_instance_map[];
/* An image by its id, or by a name that only one has. */
int ec2_find_image(struct cloud_call *call, const char *name_or_id, struct json_object **ret,
		   struct error *err) MUST_CHECK;

/* Whether it is an identifier: "vol-" and digits. */
bool ec2_is_id(const char *text, const char *prefix);
/* The id of the instance that the call names: a heap string. */
int ec2_instance_id(struct cloud_call *call, char **ret, struct error *err) MUST_CHECK;

extern const struct compute_ops aws_compute;
extern const struct volume_ops aws_volumes;  /* ec2_volume.c */
extern const struct network_ops aws_network; /* ec2_network.c */
extern const struct stack_ops aws_stacks;    /* cloudformation.c */
extern const struct function_ops aws_functions; /* lambda.c */
extern const struct database_ops aws_databases; /* rds.c */
extern const struct metering_ops aws_metering; /* costs.c */
/* A stack that is not there is a ValidationError like any other. */
void cloudformation_refine(const struct http_response *response, struct error *err);
extern const struct dns_ops aws_dns;
