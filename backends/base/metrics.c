#include "backends/base/metrics.h"
#include "backends/base/hash.h"
#include "backends/base/lock.h"
#include <stdio.h>

#define ROWS_MAX  1024
#define SLOTS_MAX 2048 /* a power of two, at least twice the rows: probes stay short */

static struct lock table_lock = LOCK_INIT;
/* Row 0 .. row_count-1 are made; name, labels and type of a made row never change. The last one takes
 * what comes when the table is full, so that a flood of labels costs no memory. */
static struct metric rows[ROWS_MAX + 1] = { [ROWS_MAX] = { .name = "metrics_overflow_total" } };
static atomic_size_t row_count;
static unsigned short slots[SLOTS_MAX]; /* guarded by table_lock; row number + 1, 0: free */

/* Labels that do not fit are cut after the last whole one: half a label breaks every reader. */
static void copy_labels(char *to, size_t size, const char *labels)
{
	size_t len = strlen(labels);
	if (len >= size) {
		len = size - 1;
		while (len > 0 && !(labels[len] == ',' && labels[len - 1] == '"'))
			len--;
	}
	memcpy(to, labels, len);
	to[len] = '\0';
}

struct metric *metric_get(enum metric_type type, const char *name, const char *labels)
{
	struct metric wanted = { .type = type };
	(void)snprintf(wanted.name, sizeof(wanted.name), "%s", name);
	copy_labels(wanted.labels, sizeof(wanted.labels), labels ? labels : "");
	uint64_t hash = hash_table64(wanted.name, strlen(wanted.name), 0);
	hash = hash_table64(wanted.labels, strlen(wanted.labels), hash);

	LOCKED(&table_lock);
	size_t slot = hash % SLOTS_MAX;
	for (; slots[slot] != 0; slot = (slot + 1) % SLOTS_MAX) {
		struct metric *m = &rows[slots[slot] - 1];
		if (strcmp(m->name, wanted.name) == 0 && strcmp(m->labels, wanted.labels) == 0) {
			assert(m->type == type);
			return m;
		}
	}
	size_t count = atomic_load(&row_count);
	if (count == ROWS_MAX)
		return &rows[ROWS_MAX];
	struct metric *m = &rows[count];
	memcpy(m->name, wanted.name, sizeof(m->name));
	memcpy(m->labels, wanted.labels, sizeof(m->labels));
	m->type = type;
	slots[slot] = (unsigned short)(count + 1);
	/* Readers see a row only once it is whole. */
	atomic_store_explicit(&row_count, count + 1, memory_order_release);
	return m;
}

void metrics_each(void (*fn)(const struct metric *m, void *arg), void *arg)
{
	size_t count = atomic_load_explicit(&row_count, memory_order_acquire);
	for (size_t i = 0; i < count; i++)
		fn(&rows[i], arg);
	if (metric_value(&rows[ROWS_MAX]) != 0)
		fn(&rows[ROWS_MAX], arg);
}

static int format_row(struct buf *out, const struct metric *m)
{
	const char *open = m->labels[0] ? "{" : "", *close = m->labels[0] ? "}" : "";
	return buf_addf(out, "skydir_%s%s%s%s %lld\n", m->name, open, m->labels, close,
			(long long)metric_value(m));
}

/* All rows of the name that stands in row `first`, under one TYPE line, as the format demands. */
static int format_family(struct buf *out, size_t first, size_t count, bool *is_done)
{
	int r = buf_addf(out, "# TYPE skydir_%s %s\n", rows[first].name,
			 rows[first].type == METRIC_COUNTER ? "counter" : "gauge");
	for (size_t i = first; i < count && r == 0; i++) {
		if (is_done[i] || strcmp(rows[i].name, rows[first].name) != 0)
			continue;
		is_done[i] = true;
		r = format_row(out, &rows[i]);
	}
	return r;
}

int metrics_format(struct buf *out)
{
	bool is_done[ROWS_MAX] = {0};
	size_t count = atomic_load_explicit(&row_count, memory_order_acquire);
	int r = 0;
	for (size_t i = 0; i < count && r == 0; i++)
		if (!is_done[i])
			r = format_family(out, i, count, is_done);
	if (r == 0 && metric_value(&rows[ROWS_MAX]) != 0)
		r = format_row(out, &rows[ROWS_MAX]);
	return r;
}
