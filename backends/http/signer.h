#pragma once
/*
 * Purpose: the interface by which an exchange gets its requests signed; backends/auth implements it.
 *
 * The tempting cycle (signing belongs to the exchange, token fetches need HTTP) is cut here: the exchange knows
 * this interface only, and a token fetch runs an exchange without a signer.
 * Threads: prepare may block (it may fetch credentials) and is never called on an event thread; the others must
 *	not block, and may be called from any thread.
 */
#include "backends/http/http.h"

struct signer;
struct signer_ops {
	/* Whether sign can be called right away, that is, unexpired credentials are at hand. */
	bool (*is_ready)(struct signer *s);
	/* Gets credentials, blocking; one fetch at a time, others wait for it. */
	int (*prepare)(struct signer *s, struct error *err);
	/* Adds to signed_headers and signed_query. Called anew for each attempt. */
	int (*sign)(struct signer *s, struct http_request *request, struct error *err);
	/* The server answered that the credentials (err: UNAUTHENTICATED, or the service's code for an expired
	 * token) or the clock are wrong. Returns true when something was changed, such as dropping cached credentials,
	 * that makes one more attempt worth while. Called at most once per exchange. */
	bool (*reconsider)(struct signer *s, const struct http_response *response, const struct error *err);
	void (*free)(struct signer *s);
};
struct signer {
	const struct signer_ops *ops;
};
static inline void signer_free(struct signer *s)
{
	if (s && s->ops->free)
		s->ops->free(s);
}
