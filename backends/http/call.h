#pragma once
/*
 * Purpose: the inside of the engine: one call's way through the pipeline, and what calls share.
 *
 *	NEW -> [PREPARING] -> [RATE_WAIT] -> HOST_WAIT -> RUNNING -> done
 *	          ^                                          |
 *	          +------------- [RETRY_WAIT] <--------------+
 *
 * Invariants: every call is in e->calls from call_begin to its end, in at most one queue (its state
 *	says which), and has at most one timer. A call is signed at the last moment, when it has a
 *	slot of its host.
 * Ownership: the event thread owns a call from when it takes it out of the inbox.
 * Threads: "guarded by lock" means http_engine.lock; all else is owned by the event thread.
 *	Lock order: a cancel token's lock, then http_engine.lock.
 */
#include "backends/base/metrics.h"
#include "backends/base/workers.h"
#include "backends/http/engine.h"
#include "backends/http/observer.h"
#include "backends/http/retry.h"
#include "backends/http/signer.h"
#include "backends/http/timers.h"
#include "backends/http/transport.h"
#include <uthash.h>

enum call_state {
	CALL_NEW,
	CALL_PREPARING,	 /* its signer fetches credentials; in preparation->waiting */
	CALL_RATE_WAIT,	 /* for its token of the rate limit; timer */
	CALL_HOST_WAIT,	 /* for a slot of its host; in host->waiting */
	CALL_RUNNING,	 /* on the wire; holds a slot */
	CALL_RETRY_WAIT, /* timer */
};

struct host { /* scheme and authority; in e->hosts */
	char *key;
	unsigned users;	 /* calls that point here */
	unsigned active; /* slots taken */
	bool is_pumping;
	struct call *waiting;
	struct retry_budget budget;
	uint64_t silent_since_ms; /* no attempt has had an answer since; 0: the last one had */
	UT_hash_handle hh;
};

struct counters { /* of one store and operation; in e->counters, for ever */
	char *key;
	struct metric *requests, *errors, *retries, *bytes_sent, *bytes_received;
	UT_hash_handle hh;
};

struct preparation { /* of one signer; all calls that need it wait together */
	struct job job;
	struct http_engine *engine;
	struct signer *signer;
	struct call *waiting;
	struct preparation *prev, *next; /* in e->preparations, guarded by lock */
	bool is_ended;			 /* guarded by lock; the two below are set before it */
	int result;
	struct error err;
};

struct call {
	struct http_engine *engine;
	struct http_request *request;
	struct http_response response;
	struct error err;
	http_done_fn *done;
	void *arg;
	enum call_state state;
	struct call *prev, *next; /* in the queue of its state; in the inbox: guarded by lock */
	struct call *all_prev, *all_next; /* in e->calls */
	struct cancel_hook hook;
	struct call *cancelled_prev, *cancelled_next; /* in e->cancelled, guarded by lock */
	bool is_in_cancelled;			      /* guarded by lock */
	struct timer timer;
	uint64_t due_ms; /* what the state waits for, without the deadline; UINT64_MAX: no time */
	struct host *host;
	bool has_slot;
	struct preparation *preparation;
	struct counters *counters;
	struct attempt attempt;
	unsigned attempts;     /* begun so far */
	unsigned resends;      /* by curl, beyond those */
	unsigned reconsidered; /* times its signer was asked what to make of a refusal */
	bool is_prepared, has_token;
	uint64_t begun_ms;
	uint64_t moved, moved_ms; /* the last figure of transport_moved, and when it was new */
	struct trace_context trace; /* of who submitted it */
	int64_t begun_wall_ns;
	uint64_t bytes_sent; /* of all attempts */
};

struct http_engine {
	/* immutable after http_engine_new */
	struct http_engine_options options;
	char *user_agent, *ca_file;
	struct transport *transport;
	struct workers *workers;
	pthread_t thread;

	_Atomic uint64_t stall_limit_ms, patience_ms;

	struct lock lock;
	struct cond preparation_ended;	  /* with lock */
	struct call *inbox, *cancelled;	  /* guarded by lock */
	struct preparation *preparations; /* guarded by lock */
	size_t call_count;		  /* guarded by lock; submitted and not yet done */
	bool is_joined;			  /* owned by who stops the engine */
	bool is_woken, is_stopping;	  /* guarded by lock */

	/* owned by the event thread */
	struct timers timers;
	struct call *calls; /* begun and not yet done */
	size_t calls_count;
	bool is_ending; /* nothing is put on the wire any more */
	struct host *hosts;
	struct counters *counters;
};

/* call.c */
void call_begin(struct call *c);
void call_attempt_ended(struct attempt *a);
void call_timer_fired(struct call *c, uint64_t now_ms);
/* Ends it with that error, wherever it stands. */
void call_give_up(struct call *c, enum error_kind kind, const char *why);
/* The host of the call has a slot for it. */
void call_run(struct call *c);
void call_prepared(struct call *c, int result, const struct error *err);
/* Called on any thread. */
void call_cancel_fired(struct cancel_hook *hook);

/* hosts.c */
int host_attach(struct call *c, struct error *err) MUST_CHECK;
void host_detach(struct call *c);
/* Waits for a slot; call_run may be called from within. */
void host_enter(struct call *c);
/* Gives the slot back, or leaves the queue for one. */
void host_leave(struct call *c);
void hosts_free(struct http_engine *e);

/* prepare.c */
void prepare_join(struct call *c);
void prepare_leave(struct call *c);
void prepare_deliver(struct http_engine *e);

/* counters.c: never NULL, unless out of memory */
struct counters *counters_get(struct http_engine *e, const char *store, const char *operation);
void counters_free(struct http_engine *e);

/* engine.c: wakes the event thread; lock held */
void engine_wake_locked(struct http_engine *e);
