#pragma once
/*
 * Purpose: what the kinds of Google credentials share; private to backends/auth.
 *
 * Invariants: a fetch keeps no state: it reads files, variables and services anew. Secrets and tokens never stand in a
 *	message; each message names the file (`name`).
 * Threads: each fetch blocks, every wait inside has a limit.
 */
#include "backends/auth/cred_gcp.h"
#include "backends/auth/jwt.h"
#include "backends/auth/oauth.h"
#include "backends/base/json.h"

#define GCP_SCOPE_STORAGE  "https://www.googleapis.com/auth/devstorage.full_control"
#define GCP_SCOPE_PLATFORM "https://www.googleapis.com/auth/cloud-platform"
#define GCP_NAME_MAX	   160
#define GCP_DEPTH_MAX	   3 /* credentials that impersonate by credentials */

/* One set of credentials: a parsed file, or the part of one. */
struct gcp_json {
	struct json_object *o; /* borrowed */
	const char *name;      /* for messages: "'/k.json' (GOOGLE_APPLICATION_CREDENTIALS)" */
};
struct gcp_request {
	const char *scope;
	const char *audience; /* NULL: no self-signed token */
	unsigned depth;
};

/* A credentials file, found and parsed. */
struct gcp_file {
	struct json_object *o; /* owned */
	char name[GCP_NAME_MAX];
};
#define GCP_FILE_INIT ((struct gcp_file){ 0 })
void gcp_file_release(struct gcp_file *f);
/* 0, CRED_ABSENT when there is none, or an error. */
int gcp_file_load(const struct cred_context *c, const struct cred_gcp_options *options,
		  struct gcp_file *ret, struct error *err) MUST_CHECK;
/* ~/.config/gcloud/BELOW or where CLOUDSDK_CONFIG says; heap, NULL without a home. */
char *gcp_gcloud_path(const struct cred_context *c, const char *below);

/* A text of the credentials; ERR_CONFIG naming file and key when it is not there. */
int gcp_text(const struct gcp_json *j, const char *key, const char **ret,
	     struct error *err) MUST_CHECK;

/* By "type". */
int gcp_fetch(const struct cred_context *c, const struct gcp_json *j, const struct gcp_request *q,
	      struct token *ret, struct error *err) MUST_CHECK;
int gcp_service_account_fetch(const struct cred_context *c, const struct gcp_json *j,
			      const struct gcp_request *q, struct token *ret,
			      struct error *err) MUST_CHECK;
int gcp_service_account_key(const struct gcp_json *j, struct jwt_key **ret,
			    struct error *err) MUST_CHECK;
int gcp_external_fetch(const struct cred_context *c, const struct gcp_json *j,
		       const struct gcp_request *q, struct token *ret,
		       struct error *err) MUST_CHECK;
/* cred_gcp_aws.c: the subject token of a workload on AWS. */
int gcp_aws_subject(const struct cred_context *c, const struct gcp_json *j, struct buf *ret,
		    struct error *err) MUST_CHECK;
/* The token of a service account by IAM, with `by` as the caller's. */
int gcp_impersonate(const struct cred_context *c, const struct gcp_json *j, const char *scope,
		    const struct token *by, struct token *ret, struct error *err) MUST_CHECK;
/* The account of ".../serviceAccounts/EMAIL:generateAccessToken"; heap string or NULL. */
char *gcp_impersonated_email(const struct gcp_json *j);

/* Tokens that say to `audience` who one is: an account's own by its token endpoint; another's by IAM. */
int gcp_service_account_id_token(const struct cred_context *c, const struct gcp_json *j, const char *audience,
				 struct token *ret, struct error *err) MUST_CHECK;
int gcp_impersonate_id_token(const struct cred_context *c, const struct gcp_json *j, const char *audience,
			     const struct token *by, struct token *ret, struct error *err) MUST_CHECK;

/* The metadata server. */
int gcp_metadata_id_token(const struct cred_context *c, const char *audience, struct token *ret,
			  struct error *err) MUST_CHECK;
int gcp_metadata_fetch(const struct cred_context *c, const char *scope, struct token *ret,
		       struct error *err) MUST_CHECK;
int gcp_metadata_text(const struct cred_context *c, const char *path, struct buf *ret,
		      struct error *err) MUST_CHECK;
