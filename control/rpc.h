#pragma once
/*
 * Purpose: JSON-RPC 2.0 messages, one JSON object a line: framing, parsing, writing. No I/O.
 *
 * Invariants: a line is at most as long as the framer's limit; a longer one is skipped up to its
 * end and reported once, and the connection goes on. JSON is checked for size, depth and UTF-8
 * before anything looks at it. Source: https://www.jsonrpc.org/specification (2.0, 2013-01-04).
 */
#include "backends/base/json.h"

#define RPC_LINE_MAX  (1u << 20)  /* of a request */
#define RPC_REPLY_MAX (16u << 20) /* of an answer */
#define RPC_BATCH_MAX 64

enum rpc_code {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL = -32603,
};

struct rpc_framer {
	struct buf line;
	bool is_skipping; /* the rest of a line that was too long */
};
#define RPC_FRAMER_INIT(limit_bytes) ((struct rpc_framer){.line = BUF_INIT(limit_bytes)})
void rpc_framer_release(struct rpc_framer *f);
/* Calls fn for every line that is complete (without its end; empty lines are skipped), with a NULL
 * ptr for one that was too long. A negative return of fn ends it. -ENOMEM. */
int rpc_framer_push(struct rpc_framer *f, const char *data, size_t len,
		    int (*fn)(void *arg, struct str line), void *arg) MUST_CHECK;

struct rpc_request { /* borrows from the message */
	struct json_object *id;
	bool has_id;
	const char *method;
	struct json_object *params; /* an object or NULL */
};
/* 0; or the code of the error to answer with, and *ret_why. ret->id is filled when it could be
 * told. */
int rpc_parse_request(struct json_object *message, struct rpc_request *ret, const char **ret_why);

/* Each appends one line with its newline; 0, -ENOMEM or -EFBIG (buf's limit). */
int rpc_add_result(struct buf *out, struct json_object *id, struct json_object *result) MUST_CHECK;
int rpc_add_error(struct buf *out, struct json_object *id, int code, const char *message,
		  const struct error *cause) MUST_CHECK;
/* The same with data of its own (borrowed, may be NULL). */
int rpc_add_error_data(struct buf *out, struct json_object *id, int code, const char *message,
		       struct json_object *data) MUST_CHECK;
int rpc_add_request(struct buf *out, int64_t id, const char *method,
		    struct json_object *params) MUST_CHECK;
int rpc_add_notification(struct buf *out, const char *method,
			 struct json_object *params) MUST_CHECK;

/* {kind, retryable, http_status, service_code, request_id, provider} of an error; and back from a response's
 * error object. */
struct json_object *rpc_error_data(const struct error *err);
int rpc_error_from(struct json_object *error_object, struct error *ret);
/* Appends s; bytes that are no UTF-8 (names of files need not be) become U+FFFD, as JSON must be
 * UTF-8. */
int rpc_add_utf8(struct buf *out, const char *s) MUST_CHECK;
