#pragma once
/*
 * Purpose: counters as rows of one table, read by the control socket, `skydir metrics` and the tests.
 * Invariants: a counter only grows; a gauge may fall. Rows are never removed.
 * Threads: any; counters are atomic.
 */
#include "backends/base/buf.h"
#include <stdatomic.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };
struct metric {
	char name[64];	/* e.g. "http_requests_total" */
	char labels[96]; /* e.g. store="s3",operation="GetObject"; "" for none */
	enum metric_type type;
	_Atomic int64_t value;
};
/* The row of that name and labels, made when missing (at most 1024 rows; beyond, one overflow row).
 * The pointer stays good for ever. */
struct metric *metric_get(enum metric_type type, const char *name, const char *labels);
static inline void metric_add(struct metric *m, int64_t n)
{
	atomic_fetch_add_explicit(&m->value, n, memory_order_relaxed);
}
static inline void metric_set(struct metric *m, int64_t n)
{
	atomic_store_explicit(&m->value, n, memory_order_relaxed);
}
static inline int64_t metric_value(const struct metric *m)
{
	return atomic_load_explicit(&m->value, memory_order_relaxed);
}
/* Calls fn for every row in order of creation. */
void metrics_each(void (*fn)(const struct metric *m, void *arg), void *arg);
/* All rows in the Prometheus text format. */
int metrics_format(struct buf *out);
