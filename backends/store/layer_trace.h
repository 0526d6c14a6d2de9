#pragma once
/*
 * Purpose: a layer that logs every call at debug level (slot, bucket, key, time, result) and counts it:
 *	store_calls_total{store,slot} and store_call_errors_total{store,slot,kind}.
 * Ownership: on success next belongs to the layer; on failure it stays the caller's.
 */
#include "backends/store/store.h"

int store_trace_new(struct store *next, struct store **ret, struct error *err) MUST_CHECK;
