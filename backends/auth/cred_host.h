#pragma once
/*
 * Purpose: what every source of credentials, of any provider, may use of the outside, and what they
 *	share: variables, small HTTP calls, programs, buffers for secrets.
 *
 * Invariants: what a source may use stands in struct cred_context, so that a test replaces it. Secrets
 *	and tokens never stand in a message.
 * Threads: all of it may block, but for cred_getenv and cred_authority_is_local.
 * Errors: CRED_ABSENT passes on to the next source; anything negative ends the chain.
 */
#include "backends/base/cancel.h"
#include "backends/base/lock.h"
#include "backends/base/secret.h"
#include "backends/base/settings.h"
#include "backends/http/http.h"

struct http_engine;
struct cred_aws_options;

#define CRED_ABSENT    1     /* this source is not configured here */
#define CRED_MAX_BYTES 65536 /* of any answer, token file or output of a program */

/* What a source may use of the outside; replaced in tests. */
struct cred_host {
	const char *(*getenv)(const char *name);
	int64_t (*wall_s)(void);
	struct http_engine *engine;
	const char *imds_endpoint; /* NULL: the provider's own, or what its variables say */
};

struct cred_context {
	const struct cred_host *host;
	const struct cred_aws_options *options; /* of the AWS chain; NULL elsewhere */
	struct cancel *cancel; /* fires when the credentials are no longer wanted */
};

/* What a provider that is opened in this context gives its sources: its variables and its engine, the machine's clock. */
struct cred_host cred_host_of(const struct backend_context *context);
/* The value of a variable, NULL when unset or empty. */
const char *cred_getenv(const struct cred_context *c, const char *name);
/* The first of several variables that is set; names end with NULL. */
const char *cred_getenv_any(const struct cred_context *c, const char *const *names);
/* The wall clock as the services see it. */
int64_t cred_now_s(const struct cred_context *c);

/* A GET or PUT or POST of a small text, without a signer, at most timeout_ms in all. */
struct cred_call {
	enum http_method method;
	const char *url;       /* scheme, authority and what the path begins with */
	const char *path;      /* percent-encoded, put behind it; NULL: nothing */
	const char *operation; /* label of the counters */
	uint64_t timeout_ms;
	unsigned max_attempts;
	struct str body;
	int (*classify)(void *arg, const struct http_response *response, struct error *err);
	void *classify_arg;
	bool checks_success; /* classify sees 2xx answers too */
	struct http_fields query, headers;					 /* moved out */
	int (*sign)(void *arg, struct http_request *request, struct error *err); /* may be NULL */
	void *sign_arg;
};
int cred_call(const struct cred_context *c, struct cred_call *call, struct buf *ret,
	      struct error *err) MUST_CHECK;
/* A buffer for secrets: memory got at once, so that growing leaves no copy; wiped when released. */
int cred_buf_init(struct buf *b, struct error *err) MUST_CHECK;
void cred_buf_wipe(struct buf *b);

/* Whether host[:port] is this machine by name or number, so that a secret may go there unencrypted. */
bool cred_authority_is_local(const char *authority);
/* ERR_CONFIG, naming `what` (a variable, or a field of a file), unless it is an https URL or leads to this machine. */
int cred_url_check(const char *what, const char *url, struct error *err) MUST_CHECK;
