#pragma once
/*
 * Purpose: who wants to know of every exchange of this process, and may refuse one: the meter and the tracer of the control
 *	plane, of which this room knows nothing.
 *
 * Ownership: the observer is static. Threads: set before the first engine is made; its functions are called on event threads and
 *	must not block.
 */
#include "backends/base/trace.h"
#include "backends/http/http.h"

struct http_sent { /* one attempt that reached the wire */
	const struct http_request *request;
	unsigned sends; /* times it went out */
	uint64_t bytes_sent, bytes_received; /* of bodies */
	int status; /* 0: no answer */
};
struct http_ended { /* one call, all its attempts */
	const struct http_request *request;
	const struct http_response *response;
	const struct error *err; /* kind ERR_NONE: it went well */
	const struct trace_context *parent; /* of who submitted it */
	int64_t begun_wall_ns, ended_wall_ns;
	uint64_t bytes_sent;
	unsigned attempts;
};
struct http_observer {
	/* Before a call begins; negative with err set: it is not sent. */
	int (*admit)(const struct http_request *request, struct error *err);
	void (*sent)(const struct http_sent *sent);
	/* NULL: not wanted; wants_ended tells whether it is just now. */
	void (*ended)(const struct http_ended *ended);
	bool (*wants_ended)(void);
};
void http_observe(const struct http_observer *observer); /* NULL: nobody */
const struct http_observer *http_observer(void);
