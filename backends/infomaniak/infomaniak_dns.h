#pragma once
/*
 * Purpose: the domain zones of Infomaniak's own API (not of its public cloud, which has Designate): one record a value, put
 *	together into sets here. Private to backends/infomaniak.
 * Ownership: see cloud.h.
 * Threads: any.
 * Source: Infomaniak's OpenAPI description, paths /2/zones and /2/domains (developer.infomaniak.com, 2026-01).
 */
#include "backends/auth/sign_bearer.h"
#include "backends/cloud/rest.h"

struct infomaniak_domains {
	struct cloud base;
	struct http_engine *engine;
	char *token, *url, *domains; /* domains: "a.ch, b.ch", or NULL */
	struct token_source *source;
	struct signer *signer;
	struct ratelimit ratelimit;
	struct service service; /* immutable after open */
};
static inline struct infomaniak_domains *infomaniak_domains_of(const struct cloud_call *call)
{
	return container_of(call->cloud, struct infomaniak_domains, base);
}

extern const struct dns_ops infomaniak_dns;
