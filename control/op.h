#pragma once
/*
 * Purpose: the operation table: one row each; the socket's methods, their parameter checks and
 *rpc.discover come from it.
 *
 * Invariants: a handler runs only when its parameters fit the row: all required ones there, no
 *unknown ones, types and bounds right. Threads: handlers run on the thread of the connection, many
 *at once, and may block there.
 */
#include "backends/base/cancel.h"
#include "backends/base/json.h"
#include "control/session.h"

enum op_risk { OP_READ, OP_CHANGE, OP_DESTROY };
enum op_type { OP_STRING, OP_BOOL, OP_INT };
struct op_param {
	const char *name;
	enum op_type type;
	bool is_required;
	int64_t max; /* of an int its value (the least is 0), of a string its bytes */
	const char *help;
};
struct op_call {
	struct session *session;
	struct json_object *params; /* an object or NULL */
	struct cancel *cancel; /* fired when the caller is gone or the server ends; may be NULL */
	/* Sends a "progress" notification; a failure is seen by cancel. */
	void (*notify)(void *arg, struct json_object *params);
	void *notify_arg;
};
struct op {
	const char *name, *summary;
	enum op_risk risk;
	const struct op_param *params; /* ended by name NULL; may be NULL */
	int (*run)(const struct op_call *call, struct json_object **ret, struct error *err);
};
extern const struct op ops[]; /* ended by name NULL */
const struct op *op_find(const char *name);
int op_check_params(const struct op *op, struct json_object *params, struct error *err) MUST_CHECK;
/* The parameters as a JSON Schema; NULL without memory. */
struct json_object *op_schema(const struct op *op);
const char *op_risk_name(enum op_risk risk);

/* Handles one line from a client (ptr NULL: one that was too long) and appends the answer's line,
 * or nothing for notifications. Only -ENOMEM and -EFBIG are failures; all others become answers.
 * call->params is ignored. */
int op_answer(const struct op_call *call, struct str line, struct buf *out) MUST_CHECK;
