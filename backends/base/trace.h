#pragma once
/*
 * Purpose: on whose behalf a thread works just now: the span that what it begins belongs to.
 *
 * Who takes up work for somebody (a kernel request, say) sets it; jobs of a pool and requests of the HTTP engine take it along
 * from who submitted them. Nothing of it is sent to a provider.
 * Invariants: all zero: nobody's, or not sampled.
 * Threads: one value per thread.
 */
#include <stdbool.h>
#include <stdint.h>

#define TRACE_ID_LEN 16
#define SPAN_ID_LEN  8
struct trace_context {
	unsigned char trace_id[TRACE_ID_LEN], span_id[SPAN_ID_LEN];
	bool is_sampled;
};
extern _Thread_local struct trace_context trace_current;
