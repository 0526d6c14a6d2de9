#include "backends/store/layer_trace.h"
#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "backends/base/metrics.h"
#include "backends/store/layer_around.h"
#include <stdio.h>

static int trace_after(struct around_layer *layer, struct around_call *call, int r,
		       struct error *err)
{
	uint64_t us = (clock_mono_ns() - call->start_mono_ns) / 1000;
	const char *result = r < 0 ? error_name(err->kind) : "ok";
	char labels[96];

	(void)snprintf(labels, sizeof(labels), "store=\"%.32s\",slot=\"%s\"", layer->store.name,
		       call->slot);
	metric_add(metric_get(METRIC_COUNTER, "store_calls_total", labels), 1);
	if (r < 0) {
		(void)snprintf(labels, sizeof(labels), "store=\"%.32s\",slot=\"%s\",kind=\"%s\"",
			       layer->store.name, call->slot, result);
		metric_add(metric_get(METRIC_COUNTER, "store_call_errors_total", labels), 1);
	}
	log_debug("store.call", "store=%s slot=%s bucket='%s' key='%s' us=%llu result=%s",
		  layer->store.name, call->slot, call->bucket, call->key, (unsigned long long)us,
		  result);
	return r;
}

static void trace_release(struct around_layer *layer)
{
	free(layer);
}

int store_trace_new(struct store *next, struct store **ret, struct error *err)
{
	struct around_layer *layer = calloc(1, sizeof(*layer));
	int r;

	if (!layer)
		return error_set(err, ERR_NO_MEMORY, "no memory for a layer over '%s'", next->name);
	r = around_init(layer, next, err);
	if (r < 0) {
		free(layer);
		return r;
	}
	layer->after = trace_after;
	layer->release = trace_release;
	*ret = &layer->store;
	return 0;
}
