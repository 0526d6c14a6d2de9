#pragma once
/*
 * Purpose: kernel requests that wait for the network: parked, and run again or answered from where the data arrives.
 *
 * A handler that cannot answer at once makes a `struct parked` with a function that tries again, hangs it where the
 * awaited thing will find it, and returns its thread to libfuse. Exactly one party takes a parked request up again: the one
 * whose park_claim returns true (the arriving data, or the ticker for an interrupt or the time limit).
 *
 * A handler that itself asks the network (on a worker) does so between park_away and park_back: meanwhile the ticker may answer
 * in its place, so that no caller waits for a worker that hangs on a silent server.
 *
 * Ownership: a claimed request is the claimer's: it answers (park_fail) or runs it (park_resume), which frees it. One that is away is
 *	freed by who took it away, also when it was answered meanwhile.
 * Threads: park_* with _locked need fs.lock; resume and fail must be called without it.
 */
#include "fs/core.h"

struct parked {
	fuse_req_t req;
	struct fs *fs;
	void (*run)(struct parked *p); /* the handler again; must end in a reply or another park */
	void (*drop)(struct parked *p); /* releases what data holds; may be NULL */
	int err;		       /* not 0: what it waited for failed so; run may answer with it */
	unsigned tries;		       /* how often it was run again */
	uint64_t looks_end;	       /* without room: which of cache.looks is the last to wait for; 0: it had room */
	uint64_t since_ms;
	struct parked *next, *prev;    /* fs.parked */
	struct parked *chain;	       /* where it waits; owned by the thing awaited */
	struct parked **chain_head;    /* the list it hangs in, NULL: none */
	bool is_claimed;	       /* guarded by fs.lock */
	bool is_interrupted;	       /* guarded by fs.lock: the kernel no longer wants the answer */
	bool is_away, is_answered;     /* guarded by fs.lock: see park_away */
	/* The request's own arguments. */
	fuse_ino_t ino, ino2;
	char *name, *name2;	       /* owned */
	uint64_t offset, offset2, size;
	unsigned flags;
	void *data;		       /* owned, free()d */
	struct fuse_file_info fi;
	struct stat attr;
	struct job job;		       /* for those that continue on a worker */
};

/* NULL without memory. Registers with fs and for interrupts. fi may be NULL. */
struct parked *park_new(struct fs *fs, fuse_req_t req, void (*run)(struct parked *p), fuse_ino_t ino,
			const char *name, const struct fuse_file_info *fi);
/* Hangs it into a list of waiters. */
void park_wait_locked(struct parked *p, struct parked **head);
/* Takes it out of whatever list it hangs in and makes it the caller's; false when someone else was first. */
bool park_claim_locked(struct parked *p);
/* Claims everything in a list; returns a chain (by ->chain) to give to park_resume_all. */
struct parked *park_claim_all_locked(struct parked **head, int err);
void park_resume(struct parked *p);
void park_resume_all(struct parked *chain);
/* Replies with an errno and frees. */
void park_fail(struct parked *p, int errnum);
/* Frees without a reply: the handler has answered. */
void park_free(struct parked *p);
/* Answers what was interrupted (EINTR) and what waits longer than timeout without progress (ETIMEDOUT, a writer without room ENOSPC);
 * called by the ticker. Without fs.lock. */
void park_reap(struct fs *fs, uint64_t now_ms);
/* From here to park_back the handler waits for the network, and the ticker may answer. */
void park_away(struct parked *p);
/* Whether p is still the caller's to answer; else it was answered, and is freed. */
bool park_back(struct parked *p) MUST_CHECK;
/* Puts a parked request on fs.net; its run is called there. It is away until then. */
void park_submit(struct parked *p, enum net_priority priority);
