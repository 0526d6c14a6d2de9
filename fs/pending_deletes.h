#pragma once
/*
 * Purpose: deletes that go together: those of one bucket that may go at the same time are one request.
 *
 * The first that is due becomes the carrier: when its job runs it takes along whatever else may go, those that became due meanwhile (its
 * riders) and those that wait for their time. While others keep coming, one that is due rests.
 * Threads: *_locked need fs.lock.
 */
#include "fs/pending.h"

/* A delete that may go now: along with one of its bucket that is queued already, or as the one that takes others along. */
void pending_start_delete_locked(struct pending *op);
/* Whether it waits on for others to come; it is in the heap again then. */
bool pending_delete_rests_locked(struct pending *op);
/* A carrier that does not run after all: */
void pending_carrier_unlink_locked(struct pending *op);
/* and those that were to go along with it, and do not: they go by themselves. */
void pending_free_riders_locked(struct pending *op);
