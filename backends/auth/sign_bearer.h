#pragma once
/*
 * Purpose: the signer of services that take a token in a header: "Authorization: Bearer TOKEN" (OAuth
 *	2), "X-Auth-Token: TOKEN" (Keystone).
 * Ownership: the source is borrowed and outlives the signer.
 * Threads: as signer.h says.
 * Source: RFC 6750 (2012-10).
 */
#include "backends/auth/token.h"
#include "backends/http/signer.h"

struct sign_bearer_options {
	const char *header;   /* NULL: "Authorization" */
	const char *prefix;   /* before the token; NULL: "Bearer " */
	bool is_http_allowed; /* a token may also go over plain http to another machine; else only to
			       * this one */
};
/* A token without a value (anonymous) adds nothing. options may be NULL. After a 401 the token is forgotten and fetched
 * once more. */
int sign_bearer_new(struct token_source *source, const struct sign_bearer_options *options,
		    struct signer **ret, struct error *err) MUST_CHECK;
