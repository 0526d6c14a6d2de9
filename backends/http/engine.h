#pragma once
/*
 * Purpose: the fixed pipeline of every exchange: rate limit, sign, perform, classify, retry, count.
 *
 * One event thread drives all transfers over libcurl multi (limits.md measured one thread to be as cheap as many);
 * connections are kept alive and shared, TLS sessions reused, TLS always verified, HTTPS_PROXY/NO_PROXY and
 * SSL_CERT_FILE honoured, redirects never followed (credentials would travel). HTTP/1.1 only unless told otherwise.
 * No `Expect: 100-continue` is ever sent (some servers mishandle it).
 *
 * Ownership: a request stays the caller's and must live until done was called / http_perform returned.
 * Threads: any thread may submit, perform and cancel. `done`, on_start and on_data run on the event thread and
 *	must not block nor call http_perform. http_perform must not be called on the event thread.
 * Counters: http_requests_total{store,operation}, http_errors_total, http_retries_total, http_bytes_sent_total,
 *	http_bytes_received_total (metrics.h).
 */
#include "backends/http/http.h"

struct http_engine;
struct http_engine_options {
	unsigned max_connections_per_host; /* default 128 */
	uint64_t connect_timeout_ms;	   /* default 10000 */
	uint64_t stall_timeout_ms;	   /* no byte moved for so long: default 20000 */
	unsigned max_attempts;		   /* default 5 */
	const char *user_agent;		   /* default "skydir/VERSION" */
	const char *ca_file;		   /* NULL: SSL_CERT_FILE, then the system's */
};
/* The stall time limit from now on, where it is shorter than what was given: of a user who wants to wait less. */
void http_engine_limit_stall(struct http_engine *e, uint64_t most_ms);
/* While a host cannot be reached, and for no longer than this, calls without a bound of their own are attempted on and on: who waits for
 * a file does not want to hear of an outage of seconds. 0, as at first: max_attempts holds. */
void http_engine_bear_outages(struct http_engine *e, uint64_t patience_ms);
int http_engine_new(const struct http_engine_options *options, struct http_engine **ret, struct error *err);
/* Waits until no preparation of this signer runs. A call that was cancelled, or ran out of time, while its signer fetched
 * credentials is done at once and leaves the fetch behind: call this before freeing a signer that an engine has used,
 * unless the engine was freed first. Not on the event thread. */
void http_engine_forget_signer(struct http_engine *e, struct signer *signer);
/* The same, then frees it; NULL is allowed. */
void http_engine_free_signer(struct http_engine *e, struct signer *signer);
/* Cancels what is under way (done is called with ERR_CANCELLED) and what still comes; the engine stays to be freed. For an end that
 * does not wait for a server that has stopped answering. */
void http_engine_stop(struct http_engine *e);
/* The same, and frees it. NULL is fine. */
void http_engine_free(struct http_engine *e);

/* Runs one exchange to its end and blocks meanwhile. On failure err says why (kind, http_status, service_code,
 * request_id) and response still holds what arrived. */
int http_perform(struct http_engine *e, struct http_request *request, struct http_response *response,
		 struct error *err) MUST_CHECK;

/* The same without blocking: done(arg, result, response, err) is called exactly once, always on the event thread.
 * response is released after done returns, unless done moves its fields out. */
typedef void http_done_fn(void *arg, int result, struct http_response *response, const struct error *err);
int http_submit(struct http_engine *e, struct http_request *request, http_done_fn *done, void *arg,
		struct error *err) MUST_CHECK;
