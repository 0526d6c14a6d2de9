#pragma once
/*
 * Purpose: the Model Context Protocol: the operations as tools, objects as resources, for agents. No I/O of its own.
 *
 * Two eras in one server. From revision 2026-07-28 on each request says in its _meta which revision and what
 * capabilities the client has, and nothing is remembered; before, `initialize` settles both for the connection. A
 * request with a revision in its _meta is of the first kind, all others of the second.
 * Invariants: tools above the trust level are neither listed nor called. What destroys runs only with a token that a
 *	plan of the same arguments gave within PLAN_S seconds, or after the user said yes (elicitation).
 * Threads: mcp_run from many at once.
 * Source: https://modelcontextprotocol.io/specification/2026-07-28 and /2025-11-25, /2025-06-18, /2025-03-26,
 *	/2024-11-05 (read 2026-11).
 */
#include "control/op.h"

enum mcp_revision { /* oldest first */
	MCP_NONE = -1,
	MCP_2024_11_05,
	MCP_2025_03_26,
	MCP_2025_06_18,
	MCP_2025_11_25,
	MCP_2026_07_28,
	MCP_REVISIONS
};

struct mcp {
	struct op_context *context;
	struct session *session;
	enum op_risk allow;
	_Atomic int revision;	 /* of initialize; MCP_NONE before it */
	atomic_bool can_elicit;	 /* of initialize */
	_Atomic int log_level;	 /* of logging/setLevel; -1: none */
};
void mcp_init(struct mcp *m, struct op_context *context, struct session *session, enum op_risk allow);

struct mcp_failure { /* a protocol error */
	int code;
	char message[256];
	struct json_object *data; /* owned, may be NULL */
};
#define MCP_FAILURE_INIT ((struct mcp_failure){0})
void mcp_failure_release(struct mcp_failure *f);

struct mcp_call {
	struct mcp *mcp;
	const struct op_call *base; /* context, cancel, progress */
	struct json_object *params; /* an object or NULL; borrowed */
	/* Asks the client and waits for its answer (the eras with a handshake). */
	int (*ask)(void *arg, const char *method, struct json_object *params, struct json_object **ret,
		   struct error *err);
	void (*send_note)(void *arg, const char *method, struct json_object *params);
	void *arg;
	/* Filled by mcp_run: */
	enum mcp_revision revision;
	bool can_elicit;
	int log_level; /* -1: no messages wanted */
};

/* Whether a method is MCP's ("tools/list"; the operations' names have no '/'). NULL is none. */
bool mcp_is_method(const char *method);
/* Whether it never waits. */
bool mcp_is_quick(const char *method);
/* Runs a method; 0 with *ret (NULL for a notification), or -1 with the failure. */
int mcp_run(struct mcp_call *call, const char *method, struct json_object **ret, struct mcp_failure *failure);
/* The params of a progress notification from an operation's own; NULL without memory. */
struct json_object *mcp_progress(struct json_object *token, unsigned count, struct json_object *params);
