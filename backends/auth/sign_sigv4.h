#pragma once
/*
 * Purpose: AWS Signature Version 4, stage by stage (so that a test sees which stage is wrong), in the header and
 *	the presigned form.
 * Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html (2026-11).
 * Rules that bite: S3 paths are signed as sent (no normalisation, encoded once); other services' paths are normalised
 *	and encoded twice. Header values are trimmed and inner runs of spaces folded. Query is sorted by encoded
 *	name, then value.
 */
#include "backends/auth/cred_aws.h"
#include "backends/http/signer.h"

struct sigv4_scope {
	const char *region, *service; /* "us-east-1", "s3" */
	int64_t wall_s;
	bool is_s3_path;      /* sign the path as sent, no second encoding */
	bool keeps_path;      /* no normalisation of "." and ".." and "//" */
	bool omits_token;     /* the session token is added after signing */
	uint64_t expires_s;   /* presigned form only */
};
/* Payload: the text that goes into x-amz-content-sha256, e.g. a hex digest or "UNSIGNED-PAYLOAD". */
int sigv4_canonical_request(const struct http_request *request, const struct sigv4_scope *scope,
			    const char *payload_hash, struct buf *ret, struct buf *ret_signed_headers,
			    struct error *err) MUST_CHECK;
int sigv4_string_to_sign(const struct sigv4_scope *scope, struct str canonical_request, struct buf *ret,
			 struct error *err) MUST_CHECK;
int sigv4_signature(const struct sigv4_scope *scope, const struct cred_aws *cred, struct str string_to_sign,
		    char ret_hex[65]);

/* Header form: adds X-Amz-Date, X-Amz-Security-Token, x-amz-content-sha256 (S3) and Authorization to
 * signed_headers. Host must stand in authority. */
int sigv4_sign_headers(struct http_request *request, const struct sigv4_scope *scope,
		       const struct cred_aws *cred, const char *payload_hash, struct error *err) MUST_CHECK;
/* Presigned form: the whole URL, good for scope->expires_s. */
int sigv4_presign(struct http_request *request, const struct sigv4_scope *scope, const struct cred_aws *cred,
		  struct buf *ret_url, struct error *err) MUST_CHECK;

/* The SHA-256 of a whole body as hex. Reads an fd to its end: a caller with a big file and a plain http endpoint does
 * this on its own thread and sets x-amz-content-sha256 itself, since sign runs on the event thread. */
int sigv4_body_hash(const struct http_body *body, char ret_hex[65], struct error *err) MUST_CHECK;
/* Learns the clock skew from an answer's Date; whether it changed by at_least_s or more, or has just done so by the answer
 * to another request: what was signed before that is worth signing anew. */
bool sigv4_learn_skew(const struct http_response *response, int64_t at_least_s);

/* A signer for an exchange. Over plain http the payload's SHA-256 is computed (from memory or fd) and signed; over
 * https it is UNSIGNED-PAYLOAD unless the caller put an x-amz-content-sha256 header itself. An anonymous provider adds
 * nothing. Uses clock_skew_s; on RequestTimeTooSkewed it learns the skew from the answer's Date and tries again. */
int sigv4_signer_new(struct cred_aws_provider *provider, const char *region, const char *service,
		     struct signer **ret, struct error *err) MUST_CHECK;
/* Changes the region after a redirect told the right one; thread-safe. */
void sigv4_signer_set_region(struct signer *s, const char *region);
