#pragma once
/*
 * Purpose: our own meter: every request and byte that this process caused at a cloud, kept over restarts, and the budgets that
 *	are made of it. There is one for the process; it is told by the HTTP engines (backends/http/observer.h).
 *
 * Counting is one look-up in a table in memory, on the engine's thread. A daemon's own thread writes what was counted every two
 * seconds, a command at its end: a kill loses at most that. What cannot be written is kept and tried again; beyond
 * METER_COUNTS_MAX different counters the rest is counted under the bucket "(other)".
 * A budget is judged by what all processes of this user wrote, so others' last seconds are not in it, nor is what is under way: it
 * may be passed by that much. The configuration file is looked at again when it changes, so that raising a budget needs no new mount.
 *
 * Refused by a budget: ERR_BUDGET, before anything is sent; reads are objects' contents, look-ups and listings, writes are all
 * that makes or changes objects. Deleting goes on, as do credentials and the control plane.
 * Threads: any; meter_configure before the first request.
 */
#include "control/budget.h"
#include "backends/store/store.h"

#define METER_COUNTS_MAX 4096

/* Reads prices and budgets; from then on everything is counted. Again: with the new ones. */
int meter_configure(const struct config *config, struct error *err) MUST_CHECK;
/* Which provider a store's counters are of. */
void meter_name_store(const char *store, const char *type);
/* The thread of a daemon; after the fork. */
int meter_start(struct error *err) MUST_CHECK;
/* Ends the thread, if there is one, and writes what is left. */
void meter_stop(void);
/* Writes now what was counted so far, and judges the budgets. */
int meter_flush(struct error *err); /* a failure is logged, and tried again */
/* The file with the counts; heap, NULL without memory. */
char *meter_path(void);

/* For struct store.may_change: whether a store may be written to. Memory only. */
int meter_may_change(const struct store *store, struct error *err);
void meter_gate_stores(struct store *const *stores, size_t count);

/* [{name, provider, currency, amount, spent, percent, stop, stopped, month}]; NULL without memory. */
struct json_object *meter_budgets(void);
/* A copy of the prices in force. */
void meter_prices(struct prices *ret);
