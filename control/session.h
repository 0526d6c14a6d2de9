#pragma once
/*
 * Purpose: one running mount as the control plane sees it: its fs, where it is, and how it ends. A daemon without a
 *	mount has one too, with no fs and none of its places.
 *
 * How a mount ends: `mount.stop` or SIGTERM unmounts from inside, fusermount3 -u from outside; in
 * every case fs_run returns and the daemon then uploads what is left, unless it was told to leave
 * the rest (mount.stop with now, a second signal). The rest stays in the journal and is taken up by
 * the next mount. Ownership: borrows everything; lives as long as the daemon. Threads: all
 * functions from any thread.
 */
#include "backends/base/cancel.h"
#include "fs/fs.h"

enum session_state { SESSION_SERVING, SESSION_DRAINING, SESSION_UNMOUNTED };
struct session {
	struct fs *fs; /* NULL: a daemon without a mount */
	const char *mountpoint, *source, *cache_dir; /* immutable after init */
	char *environment; /* op_context_fingerprint; owned, may be NULL; immutable after init */
	int64_t started_wall_s;			     /* immutable after init */
	_Atomic int state;			     /* enum session_state */
	atomic_bool is_leaving_rest;
	struct cancel cancel; /* fired when the rest is to be left */
};

void session_init(struct session *s, struct fs *fs, const char *mountpoint, const char *source,
		  const char *cache_dir);
void session_destroy(struct session *s);
const char *session_state_name(enum session_state state);
/* Uploads all that is pending, logging how far it is; gives up when the rest is to be left. */
int session_drain(struct session *s, struct error *err) MUST_CHECK;
enum session_stop { SESSION_STOP_DRAIN, SESSION_STOP_NOW };
/* Unmounts; fs_run returns soon. NOW: whatever is not uploaded yet stays in the journal. */
void session_stop(struct session *s, enum session_stop how);
/* {version, pid, mountpoint, source, state, cache_dir, started}, less what only a mount has; NULL without memory. */
struct json_object *session_describe(struct session *s);
