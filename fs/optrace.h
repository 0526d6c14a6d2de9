#pragma once
/*
 * Purpose: the spans of kernel requests: when one came, when it was answered, and with what. The device's hooks (initpatch.h) tell;
 *	who wants to know is set by the control plane.
 *
 * Invariants: a request that is traced has a slot until its answer; with no slot free it is not traced. What the kernel wants no
 *	answer to is never traced. While a handler runs on libfuse's thread, trace_current is its request's.
 * Threads: the hooks on any thread; the sink is set before the mount runs, and its functions must not block.
 */
#include "backends/base/trace.h"
#include <stddef.h>

struct optrace_call {
	const char *name; /* "lookup", static */
	struct trace_context context; /* its own span */
	int64_t begun_wall_ns, ended_wall_ns;
	int errnum; /* 0: it went well */
};
struct optrace_sink {
	/* Whether to trace the request that comes now; fills its context. */
	bool (*begin)(struct trace_context *ret);
	void (*end)(const struct optrace_call *call);
};
void optrace_set(const struct optrace_sink *sink); /* static, or NULL: nobody */

/* A request as it was read from the device. */
void optrace_request(const void *request, size_t len);
/* An answer as it goes to the device (its header). */
void optrace_answer(const void *header, size_t len);
