#pragma once
/*
 * Purpose: S3 (and servers that speak it) behind the object-store interface.
 * Source: docs.aws.amazon.com/AmazonS3/latest/API/ (2026-11).
 */
#include "backends/auth/cred_aws.h"
#include "backends/http/engine.h"
#include "backends/store/store.h"

enum s3_style { S3_STYLE_AUTO, S3_STYLE_PATH, S3_STYLE_VIRTUAL };
enum s3_conditions { S3_CONDITIONS_AUTO, S3_CONDITIONS_YES, S3_CONDITIONS_NO };
struct s3_options {
	const char *endpoint;	/* NULL: https://s3.REGION.amazonaws.com */
	const char *region;	/* NULL: us-east-1, and learnt from redirects */
	enum s3_style style;	/* AUTO: path for IP addresses and localhost, virtual-host else */
	enum s3_conditions conditional_writes; /* AUTO: trusted where the endpoint is known to keep them */
	bool requester_pays;
	bool marks_directories; /* an empty object whose key ends in '/' says application/directory, as Swift wants it */
	double rate_per_s;	/* 0: unlimited */
	struct cred_aws_provider *provider; /* taken over by the store */
};
/* Never touches the network. On failure the provider stays the caller's. */
int s3_store_new(const char *name, struct http_engine *engine, const struct s3_options *options,
		 struct store **ret, struct error *err) MUST_CHECK;
