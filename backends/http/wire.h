#pragma once
/*
 * Purpose: one curl easy handle with what belongs to it: how a request is put into it, and what its
 *	end means.
 * Invariants: certificates are verified, redirects not followed, http and https only, the path goes
 *	out as it is.
 * Ownership: the transport owns wires and keeps idle ones for the next attempt.
 * Threads: the event thread only.
 */
#include "backends/http/transport.h"

struct curl_slist;
struct wire {
	void *easy; /* a CURL *; only wire.c and transport.c know curl */
	struct attempt *attempt;
	struct curl_slist *headers;
	int socket;	   /* seen last; -1: none yet */
	struct wire *next; /* in the transport's pool */
	char why[256];	   /* curl's own words */
};
/* share is the CURLSH * that holds the TLS sessions. NULL without memory. */
struct wire *wire_new(const struct transport_options *options, void *share);
void wire_free(struct wire *w);
int wire_prepare(struct wire *w, struct attempt *a, struct error *err) MUST_CHECK;
/* Fills the attempt's outcome from a CURLcode and detaches it. */
void wire_settle(struct wire *w, int curl_code);
/* Fills was_sent and the byte counts only, and detaches the attempt. */
void wire_detach(struct wire *w);
uint64_t wire_moved(const struct wire *w);
