#pragma once
/*
 * Purpose: many files between this machine and a store, in parallel: small ones beside each other, big ones in parts.
 *
 * An upload in parts leaves a note of its identifier (below $XDG_CACHE_HOME/skydir/transfers) until it is complete, so that
 * the next run of the same file to the same key goes on with the parts that the service holds. A download in ranges is
 * written into .NAME.skydir-part, with a note beside it of the version and of the ranges that are there; only a whole file
 * gets its name. A download asks for the version that it began with: it never mixes two.
 * Invariants: what failed leaves no file under the target's name and no half object.
 * Ownership: the caller's items outlive the run.
 * Threads: transfer_run blocks; its threads have ended when it returns.
 */
#include "control/storage.h"

struct transfer_item {
	char *file, *key;
	uint64_t size;
	char version[STORE_VERSION_MAX]; /* download: what to get; upload: what it became */
	uint64_t resumed_bytes;
	int result; /* 0, or -errno with err */
	struct error err;
};
struct transfer {
	const struct op_call *call;
	struct store *store;
	const char *bucket;
	const char *version_id;	  /* of a single download; NULL: the present one */
	const char *content_type; /* of uploads; NULL: by the name */
	const struct store_meta *meta;
	size_t meta_count;
	bool is_upload;
	unsigned parallel;
	struct transfer_item *items;
	size_t count;
};
/* The items tell how each ended; a failure here is one of the whole. */
int transfer_run(struct transfer *t, struct error *err) MUST_CHECK;
