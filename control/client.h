#pragma once
/*
 * Purpose: the client's end of the control socket: finding the daemons that live, and calling them.
 *
 * Invariants: only sockets in directories that are ours alone are spoken to, and only when the
 * peer's uid is ours. A socket that refuses is one whose daemon is gone: it is removed. Ownership:
 * clients_release closes all. Errors: what the daemon answered comes back as its kind; UNAVAILABLE
 * when it went away; TIMEOUT.
 */
#include "backends/base/cancel.h"
#include "control/rpc.h"

#include <sys/types.h>

struct client {
	int fd;
	pid_t pid; /* as the kernel tells it */
	struct rpc_framer framer;
	int64_t last_id;
	struct json_object *about; /* the answer to "version", NULL when it gave none in time */
};
struct clients {
	struct client *items;
	size_t count;
};
#define CLIENTS_INIT ((struct clients){0})

/* Connects to all that live and asks each who it is. */
int clients_open(struct clients *ret, struct error *err) MUST_CHECK;
void clients_release(struct clients *c);
/* The one that serves a mountpoint, or NULL. */
struct client *clients_find(struct clients *c, const char *mountpoint);

typedef void client_progress_fn(void *arg, struct json_object *params);
/* timeout_ms: between two messages, 0 for none. on_progress may be NULL. */
int client_call(struct client *c, const char *method, struct json_object *params,
		unsigned timeout_ms, client_progress_fn *on_progress, void *arg,
		struct json_object **ret, struct error *err) MUST_CHECK;
/* The same, given up when cancel fires (ERR_CANCELLED): the connection is then of no more use, and the daemon gives the
 * call up too. cancel may be NULL. */
int client_call_cancellable(struct client *c, const char *method, struct json_object *params, struct cancel *cancel,
			    client_progress_fn *on_progress, void *arg, struct json_object **ret,
			    struct error *err) MUST_CHECK;
/* Waits for the daemon's process to end; false when the time is over. */
bool client_wait_end(struct client *c, unsigned timeout_ms);
