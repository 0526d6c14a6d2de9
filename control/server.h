#pragma once
/*
 * Purpose: the control socket: PID.sock in the private directory, one thread per connection.
 *
 * Invariants: the socket's mode is 0600 and every peer's uid is checked against ours. The socket
 * appears under its name only when it already accepts (bound under another name, then renamed), so
 * that a refused connection proves that its daemon is gone. At most SERVER_CLIENTS_MAX connections;
 * a peer that does not read is dropped after 10 s, and delays nobody else. Ownership: server_free
 * ends every connection (operations under way are cancelled) and removes the socket. Threads: one
 * that accepts, one per connection that reads and answers what is quick, one per call that is not
 * (peer.h).
 */
#include "control/op.h"

#define SERVER_CLIENTS_MAX 512

struct server;
/* session: of the mount or of a daemon without one. allow: what MCP clients may do at most. */
int server_new(struct op_context *context, struct session *session, enum op_risk allow, struct server **ret,
	       struct error *err) MUST_CHECK;
const char *server_path(const struct server *s);
void server_free(struct server *s);
