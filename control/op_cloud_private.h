#pragma once
/*
 * Purpose: what the files that run an operation of a cloud share.
 * Threads: any; all of it may wait for the network.
 */
#include "backends/base/lock.h"
#include "control/op.h"

static inline const char *op_call_text(const struct op_call *call, const char *name)
{
	return call->params ? json_get_string(call->params, name) : NULL;
}
/* The provider must have it (op_cloud_slot). */
int op_cloud_run_one(const struct op *op, const struct op_call *call, const struct op_cloud_place *place,
		     struct json_object **ret, struct error *err) MUST_CHECK;
/* All of these places, at least one, must have it. */
int op_cloud_run_all(const struct op *op, const struct op_call *call, const struct op_cloud_place *places, size_t count,
		     struct json_object **ret, struct error *err) MUST_CHECK;
/* A list's first items; 0: all. */
void op_cloud_cut(struct json_object *list, uint64_t limit);
