#include "proxy.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FAULTS_MAX 32
#define LOG_MAX 8192
#define SKEW_ALLOWED_S 900

struct counters counters;

static struct fault faults[FAULTS_MAX];
static unsigned fault_count;

static struct log_entry {
	char op, method[16], target[PROXY_TARGET_MAX];
	int status;
} requests[LOG_MAX];
static uint64_t request_first, request_next;

static const char *const kind_names[] = {
	[FAULT_STATUS] = "status",	 [FAULT_RESET_BEFORE] = "reset-before", [FAULT_RESET_MID] = "reset-mid",
	[FAULT_RESET_AFTER] = "reset-after", [FAULT_TRUNCATE] = "truncate",	[FAULT_STALL] = "stall",
	[FAULT_DELAY] = "delay",	 [FAULT_CORRUPT] = "corrupt",		[FAULT_CORRUPT_UP] = "corrupt-up",
	[FAULT_SKEW] = "skew",		 [FAULT_STRIP] = "strip",
};

bool fault_kind_parse(const char *text, enum fault_kind *ret)
{
	for (size_t i = FAULT_STATUS; i < sizeof(kind_names) / sizeof(kind_names[0]); i++)
		if (strcmp(kind_names[i], text) == 0) {
			*ret = (enum fault_kind)i;
			return true;
		}
	return false;
}

bool fault_add(const struct fault *fault)
{
	if (fault_count == FAULTS_MAX)
		return false;
	faults[fault_count] = *fault;
	if (!fault->label[0])
		(void)snprintf(faults[fault_count].label, sizeof(fault->label), "%s", kind_names[fault->kind]);
	fault_count++;
	return true;
}

void fault_clear(void)
{
	fault_count = 0;
}

int64_t fault_clock_s(const struct fault *fault)
{
	return (int64_t)time(NULL) + fault->skew_s;
}

/* splitmix64: the same seed draws the same */
static bool is_drawn(struct fault *f)
{
	uint64_t x = f->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return !f->permille || (x ^ x >> 31) % 1000 < f->permille;
}

static bool applies(const struct fault *f, const struct http1_head *head, const char *data, size_t len)
{
	if ((f->op != '*' && f->op != head->op) || !strstr(head->target, f->match))
		return false;
	if (f->head[0] && !memmem(data, len, f->head, strlen(f->head)))
		return false;
	if (f->kind == FAULT_STRIP)
		return memmem(data, len, "If-Match:", 9) || memmem(data, len, "If-None-Match:", 14);
	return f->kind != FAULT_SKEW || (head->amz_date_s && llabs(head->amz_date_s - fault_clock_s(f)) > SKEW_ALLOWED_S);
}

static void count(const struct fault *f)
{
	struct label_count *c = counters.by_label;

	counters.faults++;
	for (int i = 0; i < FAULT_LABELS; i++, c++) {
		if (c->label[0] && strcmp(c->label, f->label) != 0)
			continue;
		memcpy(c->label, f->label, sizeof(c->label));
		c->count++;
		return;
	}
}

const struct fault *fault_take(const struct http1_head *head, const char *data, size_t len)
{
	static struct fault taken;
	for (unsigned i = 0; i < fault_count; i++) {
		struct fault *f = &faults[i];
		if (!applies(f, head, data, len) || !is_drawn(f))
			continue;
		if (f->skip) {
			f->skip--;
			continue;
		}
		taken = *f;
		count(f);
		if (f->count && --f->count == 0) {
			fault_count--;
			memmove(f, f + 1, (fault_count - i) * sizeof(*f));
		}
		return &taken;
	}
	return NULL;
}

void counters_reset(void)
{
	counters = (struct counters){ .open = counters.open, .active = counters.active };
	counters.most_active = counters.active;
	request_first = request_next;
}

uint64_t counters_request(const struct http1_head *head)
{
	struct log_entry *e = &requests[request_next % LOG_MAX];
	counters.requests++;
	counters.ops[(unsigned char)head->op & 127]++;
	if (++counters.active > counters.most_active)
		counters.most_active = counters.active;
	e->op = head->op;
	e->status = 0;
	memcpy(e->method, head->method, sizeof(e->method));
	memcpy(e->target, head->target, sizeof(e->target));
	return request_next++;
}

void counters_status(uint64_t entry, int status)
{
	if (status >= 0 && status < 1000)
		counters.statuses[status]++;
	if (entry >= request_first && request_next - entry <= LOG_MAX)
		requests[entry % LOG_MAX].status = status;
}

__attribute__((format(printf, 2, 3))) static void put(FILE *f, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vfprintf(f, format, args); /* into memory: ferror is asked at the end */
	va_end(args);
}

static void put_counts(FILE *f, const char *name, const uint64_t *counts, int n, bool is_letter)
{
	const char *comma = "";
	put(f, "\"%s\": {", name);
	for (int i = 0; i < n; i++) {
		if (!counts[i])
			continue;
		if (is_letter)
			put(f, "%s\"%c\": %llu", comma, i, (unsigned long long)counts[i]);
		else
			put(f, "%s\"%d\": %llu", comma, i, (unsigned long long)counts[i]);
		comma = ", ";
	}
	put(f, "}, ");
}

static char *finish(FILE *f, char **text)
{
	bool is_bad = ferror(f);
	if (fclose(f) != 0 || is_bad) {
		free(*text);
		return NULL;
	}
	return *text;
}

char *counters_json(void)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	const struct counters *c = &counters;
	put(f, "{");
	put_counts(f, "ops", c->ops, 128, true);
	put_counts(f, "statuses", c->statuses, 1000, false);
	put(f, "\"requests\": %llu, \"bytes_up\": %llu, \"bytes_down\": %llu, ", (unsigned long long)c->requests,
	    (unsigned long long)c->bytes_up, (unsigned long long)c->bytes_down);
	put(f, "\"wire_up\": %llu, \"wire_down\": %llu, \"connections\": %llu, \"faults\": %llu, ",
	    (unsigned long long)c->wire_up, (unsigned long long)c->wire_down, (unsigned long long)c->connections,
	    (unsigned long long)c->faults);
	put(f, "\"faults_by\": {");
	for (int i = 0; i < FAULT_LABELS && c->by_label[i].label[0]; i++)
		put(f, "%s\"%s\": %llu", i ? ", " : "", c->by_label[i].label, (unsigned long long)c->by_label[i].count);
	put(f, "}, ");
	put(f, "\"open\": %u, \"active\": %u, \"most_active\": %u}\n", c->open, c->active, c->most_active);
	return finish(f, &text);
}

char *log_json(void)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	uint64_t first = request_next - request_first > LOG_MAX ? request_next - LOG_MAX : request_first;
	put(f, "[");
	for (uint64_t i = first; i < request_next; i++) {
		const struct log_entry *e = &requests[i % LOG_MAX];
		put(f, "%s{\"op\": \"%c\", \"status\": %d, \"request\": \"%s ", i == first ? "" : ",\n", e->op,
		    e->status, e->method);
		for (const char *at = e->target; *at; at++)
			if (*at == '"' || *at == '\\' || (unsigned char)*at < ' ' || (unsigned char)*at > '~')
				put(f, "\\u%04x", (unsigned char)*at);
			else
				put(f, "%c", *at);
		put(f, "\"}");
	}
	put(f, "]\n");
	return finish(f, &text);
}
