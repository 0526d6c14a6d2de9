#pragma once
/*
 * Purpose: bodies that go into files, put together: libcurl hands out 16 KiB at a time, however much it received at once. Fewer and
 *	larger writes cost the kernel half as much.
 *
 * Invariants: what it holds belongs to one attempt, and follows what that attempt's response counts as arrived. It is empty whenever
 *	the transport is not within libcurl, so nobody waits for bytes that lie here, and an attempt may end at any time.
 * Ownership: the transport's, one for all its attempts.
 * Threads: the event thread only.
 */
#include "backends/http/attempt.h"

#define GATHER_BYTES (256u << 10) /* measured on ext4: twice as dear at 16 KiB, and at 1 MiB, which leaves the CPU's cache */

struct gather {
	struct attempt *owner; /* NULL: it is empty */
	char *bytes;	       /* GATHER_BYTES, once needed */
	size_t len;
};

void gather_release(struct gather *g);
/* The next bytes of a's body, which goes into a file and has room for them. False: a->err says why not. */
bool gather_add(struct gather *g, struct attempt *a, const void *data, size_t len);
/* Hands on what is there. Where that fails its attempt's err says so, and the attempt takes no more. */
void gather_flush(struct gather *g);
