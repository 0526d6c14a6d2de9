#include "backends/http/call.h"
#include <stdio.h>

#define COUNTERS_MAX 1024 /* as many rows as metrics.h has; beyond, all count in one */

/* Labels come from the configuration: keep them from breaking the text format. */
static void copy_label(const char *text, char *ret, size_t size)
{
	size_t n = 0;

	for (; *text && n + 1 < size; text++) {
		bool is_plain = *text != '"' && *text != '\\' && (unsigned char)*text >= 0x20;
		ret[n] = '_';
		if (is_plain)
			ret[n] = *text;
		n++;
	}
	ret[n] = '\0';
}

static struct metric *counter(const char *name, const char *labels)
{
	return metric_get(METRIC_COUNTER, name, labels);
}

struct counters *counters_get(struct http_engine *e, const char *store, const char *operation)
{
	char labels[96], store_label[32], operation_label[32];
	struct counters *c = NULL;

	copy_label(store ? store : "other", store_label, sizeof(store_label));
	copy_label(operation ? operation : "other", operation_label, sizeof(operation_label));
	if (HASH_COUNT(e->counters) >= COUNTERS_MAX)
		(void)snprintf(operation_label, sizeof(operation_label), "other");
	(void)snprintf(labels, sizeof(labels), "store=\"%s\",operation=\"%s\"", store_label,
		       operation_label);
	HASH_FIND_STR(e->counters, labels, c);
	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->key = strdup(labels);
	if (!c->key) {
		free(c);
		return NULL;
	}
	c->requests = counter("http_requests_total", labels);
	c->errors = counter("http_errors_total", labels);
	c->retries = counter("http_retries_total", labels);
	c->bytes_sent = counter("http_bytes_sent_total", labels);
	c->bytes_received = counter("http_bytes_received_total", labels);
	HASH_ADD_KEYPTR(hh, e->counters, c->key, strlen(c->key), c);
	return c;
}

void counters_free(struct http_engine *e)
{
	struct counters *c, *next;

	HASH_ITER(hh, e->counters, c, next) {
		HASH_DEL(e->counters, c);
		free(c->key);
		free(c);
	}
}
