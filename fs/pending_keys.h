#pragma once
/*
 * Purpose: which pending operations touch which keys: who waits for whom.
 * Threads: guarded by fs.lock.
 */
#include "fs/pending.h"

uint64_t pending_keys_hash(const struct store *store, const char *bucket, const char *key);
/* Enters and removes an operation's keys. */
void pending_keys_link(struct pending *op);
void pending_keys_unlink(struct pending *op);
/* An earlier operation that has to end before op may run, or NULL. */
struct pending *pending_keys_blocker(const struct pending *op);
/* Whether a later operation copies or moves what op leaves at its key: op has to be carried out. */
bool pending_keys_is_counted_on(const struct pending *op);
