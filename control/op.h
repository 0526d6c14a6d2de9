#pragma once
/*
 * Purpose: the operation table: one row each. The socket's methods, their parameter checks, rpc.discover, the command
 *	line with its help and completion, the man page and the MCP tools come from it.
 *
 * Invariants: a handler runs only when its parameters fit the row: all required ones there, no unknown ones, types and
 *	bounds right. Rows are static, their names unique ("instances.list"; the last word is the verb).
 * Threads: handlers run on the thread of the connection, many at once, and may block there.
 */
#include "backends/base/cancel.h"
#include "backends/cloud/cloud.h"
#include "control/context.h"
#include "control/session.h"

enum op_risk { OP_READ, OP_CHANGE, OP_DESTROY };
enum op_type {
	OP_STRING,
	OP_BOOL,
	OP_INT,
	OP_ENUM,     /* a string, one of choices */
	OP_LIST,     /* of strings; on the command line given several times */
	OP_MAP,	     /* of strings; on the command line NAME=VALUE, several times */
	OP_JSON,     /* an object or list as it comes; on the command line its text, or @FILE */
	OP_TEXT,     /* a string; on the command line the name of a file that holds it ('-': standard input) */
	OP_PATH,     /* a path on this machine; made absolute on the command line */
	OP_DURATION, /* "90s", "5m", or a number of seconds */
};
struct op_param {
	const char *name;
	enum op_type type;
	bool is_required;
	int64_t max; /* of an int its value, of a string (each, of lists and maps) its bytes; 0: OP_STRING_MAX */
	const char *help;
	int64_t min;		    /* of an int */
	unsigned position;	    /* on the command line: 1 for the first argument; 0: an option --NAME */
	const char *const *choices; /* of an enum; ended by NULL */
	const char *completes;	    /* the operation whose items' ids (or names) complete it: "instances.list" */
	bool is_secret;		    /* never an option: on the command line --NAME-file, or standard input */
	bool is_rest;		    /* takes all arguments from its position on (OP_LIST, OP_MAP) */
	bool is_last;		    /* behind a rest: takes the last argument, which the rest leaves to it */
	bool is_path;		    /* OP_LIST: paths on this machine; made absolute on the command line */
	const char *variable;	    /* of the environment, that holds it on the command line when it is not given there */
	bool is_place;		    /* "/STORE/...": the store is whom an error is of */
};
#define OP_STRING_MAX 4096
#define OP_PARAM_END { .name = NULL }

/* What comes back: nothing, one thing, or {"items": [...], "count": N}. */
enum op_result { OP_NOTHING, OP_ONE, OP_ITEMS };

/* --wait: the operation asked again and again until the thing is what it should be. */
struct op_wait {
	const char *operation;	 /* "instances.get" */
	const char *param;	 /* the one of this operation that names the thing; "" : the result's "id" */
	const char *field;	 /* "status" */
	const char *const *good; /* ended by NULL; NULL: gone is good */
	const char *const *bad;
	bool keeps_result; /* the operation's own result stays; else it is the thing as it became */
	bool adds_look;	   /* what the last look tells is added to the operation's own result, which stays */
	/* An operation that lists events of the thing ("stacks.events"): new ones are told while it waits. NULL: none. */
	const char *follow;
	const char *result_field; /* with param "": the result's member that names the thing; NULL: "id". None: done */
};

struct op_call {
	struct op_context *context; /* NULL only in tests of rows that need none */
	struct session *session;    /* of the mount; NULL when there is none */
	struct json_object *params; /* an object or NULL */
	struct cancel *cancel; /* fired when the caller is gone or the server ends; may be NULL */
	/* Sends a "progress" notification; a failure is seen by cancel. May be NULL. */
	void (*notify)(void *arg, struct json_object *params);
	void *notify_arg;
};
struct op {
	const char *name, *summary;
	enum op_risk risk;
	const struct op_param *params; /* ended by name NULL; may be NULL */
	int (*run)(const struct op_call *call, struct json_object **ret, struct error *err);
	bool needs_mount;	/* runs only in the daemon of a mount */
	bool is_hidden;		/* of the socket only: no command, no tool */
	bool is_quick;		/* never waits: answered on the thread that reads the connection */
	bool has_command;	/* a command of its own stands for it (cmd_*.c): no generic one */
	const char *details;	/* more help; may be NULL */
	const char *example;	/* "skydir instances list --provider aws"; lines */
	/* The member that is all people want of the result, a text: a table shows it alone, a pipe gets it as it is. */
	const char *text;
	enum op_result result;
	const struct record_shape *shape; /* of the result or its items; NULL: free */
	/* Operations of a cloud: run is NULL, and instead */
	enum cloud_interface interface;
	size_t slot;	      /* offsetof(struct compute_ops, instances_list) */
	const char *provider; /* only this driver type has it, and own says how */
	struct cloud_slot own;
	const struct op_wait *wait; /* NULL: nothing to wait for */
	/* The operation that shows what this one would do; its plan_id is asked for, and on a terminal found by itself:
	 * the plan is shown there and the user asked. NULL: none. */
	const char *planned_by;
	/* Checks what types and bounds cannot say, and brings parameters into one spelling: a new object. Before any
	 * provider is asked. NULL: nothing to check. */
	int (*prepare)(struct json_object *params, struct json_object **ret, struct error *err);
	/* Runs instead of the slot, by several slots of the interface; the provider must have the one of the row. */
	cloud_fn *composed;
};
/* Tables are arrays of rows ended by name NULL; this is the list of them, ended by NULL. */
extern const struct op *const op_tables[];
const struct op *op_find(const char *name);
/* Calls fn for every row, in order, until it returns not 0, which is given back. */
int op_each(int (*fn)(void *arg, const struct op *op), void *arg);
static inline bool op_is_cloud(const struct op *op)
{
	return op->interface != CLOUD_NO_INTERFACE || op->provider != NULL;
}

/* The parameters of a row and those that all rows of its kind have (provider, limit, dry_run, ...), by index; NULL at
 * the end. */
const struct op_param *op_param_at(const struct op *op, size_t index);
const struct op_param *op_param_find(const struct op *op, const char *name);
int op_check_params(const struct op *op, struct json_object *params, struct error *err) MUST_CHECK;
/* Milliseconds of a duration parameter (the check has seen it before). */
uint64_t op_duration_ms(struct json_object *value);
/* How long what was begun may be waited for: --timeout, or ten minutes. */
uint64_t op_wait_limit_ms(struct json_object *params);
/* The parameters as a JSON Schema, and the result's; NULL without memory (result: also for OP_NOTHING). */
struct json_object *op_schema(const struct op *op);
struct json_object *op_result_schema(const struct op *op);
const char *op_risk_name(enum op_risk risk);

/* Runs a row whose parameters were checked. */
int op_run(const struct op *op, const struct op_call *call, struct json_object **ret,
	   struct error *err) MUST_CHECK;
/* The same for rows of clouds: chooses the provider, pages, waits (op_cloud.c). */
int op_cloud_run(const struct op *op, const struct op_call *call, struct json_object **ret,
		 struct error *err) MUST_CHECK;
/* At one place, whatever the parameters say of providers. */
int op_cloud_run_at(const struct op *op, const struct op_call *call, const struct op_cloud_place *place,
		    struct json_object **ret, struct error *err) MUST_CHECK;
/* {"items": list, "count": N}; takes the list's reference. NULL without memory. */
struct json_object *op_items(struct json_object *list);
/* An error of a provider or store: says whose it is, and that it is not supported there in the same words everywhere
 * ("OPERATION: not supported by NAME"). name may be NULL. Returns r. */
int op_of_provider(const struct op *op, const char *name, int r, struct error *err);
/* Adds to the `errors` that stand beside items what went wrong at one provider, or with one path (either may be NULL). */
int op_add_failure(struct json_object *errors, const char *provider, const char *path,
		   const struct error *why) MUST_CHECK;
/* The slot by which a driver does an operation, or NULL when it does not have it. */
const struct cloud_slot *op_cloud_slot(const struct op *op, const struct cloud_driver *driver);

/* Appends the answer to one request, or nothing for notifications. Only -ENOMEM and -EFBIG are failures; all others
 * become answers. call->params is ignored. */
int op_answer_request(const struct op_call *call, struct json_object *message, struct buf *out) MUST_CHECK;
/* The same for a request or a batch of them, each answered by fn; the answers of a batch stand on one line. */
typedef int op_answer_fn(void *arg, struct json_object *message, const struct op_call *call, struct buf *out);
int op_answer_message(const struct op_call *call, struct json_object *message, op_answer_fn *answer, void *arg,
		      struct buf *out) MUST_CHECK;
/* The same for one line from a client (ptr NULL: one that was too long). */
int op_answer(const struct op_call *call, struct str line, struct buf *out) MUST_CHECK;
