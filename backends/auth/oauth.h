#pragma once
/*
 * Purpose: one exchange with an OAuth 2 token endpoint: a form goes out, a token comes back.
 * Threads: blocks, at most timeout_ms in all.
 * Errors: UNAUTHENTICATED with what the endpoint says (error and error_description, shortened and made
 *	printable; service_code is `error`), UNAVAILABLE when it cannot be reached, PROTOCOL for anything
 *	else. Each message begins with `who`.
 * Source: RFC 6749 sections 4.4, 5.1, 5.2 (2012-10); RFC 8693 (token exchange, 2020-01).
 */
#include "backends/auth/cred_host.h"
#include "backends/auth/token.h"

struct oauth_field {
	const char *name, *value; /* value NULL: the field is left out */
};

struct oauth_call {
	const char *
		who; /* for messages, naming what the user can mend: "the token endpoint of 'FILE'" */
	const char *url;		   /* https, or this machine */
	const struct oauth_field *form;	   /* ended by a NULL name; NULL: a GET without a body */
	struct str json;		   /* instead of a form */
	const struct oauth_field *headers; /* likewise; may be NULL */
	const struct oauth_field *query;   /* likewise; may be NULL */
	uint64_t timeout_ms;		   /* 0: 20 s */
	unsigned max_attempts;		   /* 0: the engine's default */
};
/* {"access_token", "expires_in"} or, as Azure's managed identities write it, "expires_on". */
int oauth_fetch(const struct cred_context *c, const struct oauth_call *call, struct token *ret,
		struct error *err) MUST_CHECK;
/* The same, but the raw answer: for endpoints with an answer of their own. ret comes from cred_buf_init. */
int oauth_post(const struct cred_context *c, const struct oauth_call *call, struct buf *ret,
	       struct error *err) MUST_CHECK;
/* Reads such an answer. */
int oauth_read(const struct cred_context *c, const char *who, struct str answer, struct token *ret,
	       struct error *err) MUST_CHECK;
/* The query of an address ("?api-version=1"), which is not the base's to carry, as raw fields. */
int oauth_url_query(const char *url, struct http_fields *ret, struct error *err) MUST_CHECK;
