#pragma once
/*
 * Purpose: what the daemons' "metrics" answered, as one Prometheus text.
 * Invariants: all samples of a name stand together under one TYPE line; names that are not legal
 * are left out. Threads: pure.
 */
#include "backends/base/json.h"

/* results: an array of {mountpoint, metrics: [{name, labels, type, value}]}. */
int metrics_text(struct json_object *results, struct buf *out) MUST_CHECK;
