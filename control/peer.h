#pragma once
/*
 * Purpose: one client of the control plane, whatever carries its lines: JSON-RPC's methods and MCP's, answered beside
 *	each other, cancelled one by one.
 *
 * Invariants: what is quick is answered on the thread that hands in the line; all else runs on a thread of its own, at
 *	most PEER_CALLS_MAX for one client and running_max for all of them. Answers come as they get ready; each is one
 *	whole line. What waits to be written is bounded: a peer that does not read delays only itself.
 * Ownership: peer_free cancels what runs and waits for it.
 * Threads: peer_line and peer_free by the reading thread; peer_cancel_all from any.
 */
#include "control/op.h"

#define PEER_CALLS_MAX 64

struct peer;
struct peer_options {
	struct op_context *context;
	struct session *session;   /* may be NULL */
	enum op_risk allow;	   /* what an MCP client may do at most */
	bool has_methods;	   /* the operations as methods too; else MCP alone */
	/* Writes all of it, blocking; negative: the peer is gone. One thread at a time. */
	int (*send)(void *arg, const char *data, size_t len);
	void *send_arg;
	_Atomic unsigned *running; /* calls under way of all peers; may be NULL */
	unsigned running_max;
};
int peer_new(const struct peer_options *options, struct peer **ret, struct error *err) MUST_CHECK;
/* Handles one line (ptr NULL: one that was too long). Negative: the peer is gone. Fits rpc_framer_push. */
int peer_line(void *peer, struct str line);
/* Whether all calls were answered by the deadline. */
bool peer_wait_until(struct peer *p, uint64_t deadline_mono_ms);
void peer_cancel_all(struct peer *p);
void peer_free(struct peer *p); /* NULL is fine */
