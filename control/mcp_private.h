#pragma once
/*
 * Purpose: what the parts of the MCP server share; private to mcp*.c.
 */
#include "control/mcp.h"
#include "control/rpc.h"

#define MCP_PAGE 50

/* -1, with the failure filled. */
int mcp_fail(struct mcp_failure *f, int code, const char *format, ...) PRINTF(3, 4);
void mcp_add_text(struct json_object *o, const char *name, const char *text);
/* Marks a result that a client may keep for a while. */
void mcp_add_ttl(const struct mcp_call *c, struct json_object *o, int ttl_ms);
/* The position a cursor means (0 without one). */
int mcp_cursor(const struct mcp_call *c, size_t count, size_t *ret, struct mcp_failure *f);
void mcp_add_cursor(struct json_object *o, size_t next, size_t count);
/* "notifications/message", where the client wants such messages. */
enum mcp_level { MCP_DEBUG, MCP_INFO, MCP_NOTICE, MCP_WARNING, MCP_ERROR };
void mcp_log(const struct mcp_call *c, enum mcp_level level, const char *tool, const char *message);

/* mcp_tools.c */
int mcp_tools_list(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f);
int mcp_tools_call(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f);
/* Runs an operation whose parameters were checked: here, or by the daemon of a mount when it needs one. */
int mcp_run_op(const struct mcp_call *c, const struct op *op, struct json_object *params, struct json_object **ret,
	       struct error *err) MUST_CHECK;

/* mcp_plan.c */
#define MCP_PLAN_S 300
/* 1: go on; 0: *ret is the answer instead (a plan, a question); negative: no. */
int mcp_confirm(const struct mcp_call *c, const struct op *op, struct json_object *args, const char *token,
		struct json_object **ret, struct error *err) MUST_CHECK;

/* mcp_resources.c */
int mcp_resources_list(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f);
int mcp_templates_list(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f);
int mcp_resources_read(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f);

/* mcp_named.c: tools with names and results of their own. */
struct mcp_tool {
	struct op row; /* name, summary, risk and params; run gives the whole result, failures too */
	struct json_object *(*result_schema)(void);
};
extern const struct mcp_tool mcp_named_tools[]; /* ended by row.name NULL */
