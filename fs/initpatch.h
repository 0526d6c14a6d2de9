#pragma once
/*
 * Purpose: what libfuse below 3.17 cannot say to the kernel by itself, said for it in the INIT exchange.
 *
 * Two things. libfuse 3.14.0 (Debian 12) forgets FUSE_PARALLEL_DIROPS in its INIT reply although it is wanted (seen 2026-11 in the
 * reply's flags; later versions send it). Without it the kernel holds a lock on a directory during each look-up in it, and one
 * name that the network does not answer stops every other name of the directory. And libfuse below 3.17 does not know passthrough
 * (FUSE_PASSTHROUGH in flags2, max_stack_depth). So the session's device goes through hooks (fuse_session_custom_io): one looks
 * into the INIT request for what the kernel offers, the other adds to the one reply that answers it.
 * Threads: the hooks run on libfuse's threads; INIT is answered before any other request comes.
 * Source: linux/fuse.h, protocol 7.40 (Linux 6.9); Documentation/filesystems/fuse-passthrough.rst.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

struct fuse_session;

struct initpatch {
	atomic_bool has_seen;	     /* the INIT request went by */
	atomic_bool is_answered;     /* its reply too: nothing more to do */
	atomic_bool offers_passthrough;
	atomic_bool wants_passthrough; /* set by op_init, between the two */
};

/* After fuse_session_mount, before the loop. 0, or -errno when libfuse has no such hook: then the mount works without. The session's
 * userdata must be a struct fs. */
int initpatch_install(struct fuse_session *session);
/* Pure, for the hooks and their test: looks into a request; what the kernel offers. True when it was the INIT request. */
bool initpatch_look(struct initpatch *p, const void *request, size_t len);
/* Adds what is wanted to the INIT reply's body (a struct fuse_init_out of `len` bytes). */
void initpatch_amend(const struct initpatch *p, void *reply, size_t len);
