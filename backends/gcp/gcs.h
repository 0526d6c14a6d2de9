#pragma once
/*
 * Purpose: Google Cloud Storage (JSON API) behind the object-store interface.
 * Source: cloud.google.com/storage/docs/json_api (2026-10).
 */
#include "backends/auth/cred_gcp.h"
#include "backends/http/engine.h"
#include "backends/store/store.h"

struct gcs_options {
	const char *endpoint;	   /* NULL: https://storage.googleapis.com */
	const char *project;	   /* NULL: the credentials' */
	const char *quota_project; /* who pays; NULL: the credentials' */
	const char *location;	   /* of new buckets; NULL: the service's default */
	bool makes_hierarchical;   /* new buckets have a hierarchical namespace */
	bool has_no_conditions;	   /* the server ignores preconditions: compare before each write */
	double rate_per_s;	   /* 0: unlimited */
	bool can_sign;		   /* the credentials may be a service account's */
	struct cred_gcp *cred;	   /* taken over by the store */
};
/* Never touches the network. On failure cred stays the caller's. */
int gcs_store_new(const char *name, struct http_engine *engine, const struct gcs_options *options,
		  struct store **ret, struct error *err) MUST_CHECK;

/* A page of objects.list as a page of the interface: objects and prefixes merged, what is reserved for uploads left
 * out. Text is hostile; what is returned lies below `prefix`. For the store, and for fuzzing. */
enum gcs_listing { GCS_LISTING_LIVE, GCS_LISTING_VERSIONS };
int gcs_page_parse(struct str text, const char *prefix, enum gcs_listing what,
		   struct store_page *ret, struct error *err) MUST_CHECK;
/* What the body of an answer that is no success says; never fails. */
struct gcs_error_text {
	char reason[48], message[160];
};
void gcs_error_parse(struct str body, struct gcs_error_text *ret);
/* The answers of a batch: statuses[i] of the request with Content-ID i+1, 0 where none came; reasons likewise. */
int gcs_batch_parse(struct str body, const char *content_type, int *statuses,
		    struct gcs_error_text *texts, size_t count, struct error *err) MUST_CHECK;
