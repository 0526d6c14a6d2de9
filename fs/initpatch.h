#pragma once
/*
 * Purpose: what libfuse 3.14 (Debian 12) cannot say to the kernel by itself, said for it.
 *
 * libfuse 3.14.0 forgets FUSE_PARALLEL_DIROPS in its INIT reply although it is wanted (seen 2026-11 in the reply's flags; later
 * versions send it). Without it the kernel holds a lock on a directory during each look-up in it, and one name that the network
 * does not answer stops every other name of the directory. So the session's writes go through a hook that adds the bit to
 * that one reply (fuse_session_custom_io).
 */
#include "fs/core.h"

/* After fuse_session_mount, before the loop. 0, or -errno when libfuse has no such hook: then the mount works without. */
int initpatch_install(struct fuse_session *session);
