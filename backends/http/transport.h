#pragma once
/*
 * Purpose: the wire: runs attempts side by side on kept-alive connections. The one door to libcurl.
 *
 * Invariants: an attempt that was started ends exactly once: by on_done (called from transport_run,
 *	never from within transport_start or transport_abort), or by transport_abort.
 * Ownership: attempts stay the caller's and must live until then.
 * Threads: the event thread only; transport_wake may be called from any thread.
 * Source: curl.se/libcurl/c/ (7.88).
 */
#include "backends/http/attempt.h"

struct transport;
struct transport_options {
	uint64_t connect_timeout_ms;
	unsigned max_kept_connections;
	const char *user_agent; /* borrowed for the transport's life */
	const char *ca_file;	/* likewise; NULL: SSL_CERT_FILE, then the system's */
	void (*on_done)(struct attempt *a);
};
int transport_new(const struct transport_options *options, struct transport **ret,
		  struct error *err) MUST_CHECK;
/* Nothing may be under way. NULL is fine. */
void transport_free(struct transport *t);
int transport_start(struct transport *t, struct attempt *a, struct error *err) MUST_CHECK;
/* Ends an attempt at once; fills was_sent and the byte counts. */
void transport_abort(struct transport *t, struct attempt *a);
/* A figure that changes whenever a byte moved either way; 0 while connecting, which has its own
 * time limit. */
uint64_t transport_moved(const struct attempt *a);
/* Waits for something to happen, at most timeout_ms (-1: no limit), and sees to it. */
void transport_run(struct transport *t, int timeout_ms);
/* Ends the wait of transport_run, now or the next. */
void transport_wake(struct transport *t);
