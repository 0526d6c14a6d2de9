#include "proxy.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define CONTROL_REQUEST_MAX (32 << 10)

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *found = c ? strchr(digits, c | 0x20) : NULL;
	return found ? (int)(found - digits) : -1;
}

/* The decoded value of a query parameter into ret (cut when too long); false when it is not there. */
static bool parameter(const char *query, const char *name, char *ret, size_t size)
{
	size_t n = strlen(name), used = 0;
	const char *at = query;
	while (at && (strncmp(at, name, n) != 0 || at[n] != '='))
		at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL;
	if (!at)
		return false;
	for (at += n + 1; *at && *at != '&' && used + 1 < size; at++) {
		char c = *at == '+' ? ' ' : *at;
		if (c == '%' && hex(at[1]) >= 0 && hex(at[2]) >= 0) {
			c = (char)(hex(at[1]) * 16 + hex(at[2]));
			at += 2;
		}
		ret[used++] = c;
	}
	ret[used] = '\0';
	return true;
}

static uint64_t number(const char *query, const char *name, uint64_t standard)
{
	char text[32];
	return parameter(query, name, text, sizeof(text)) ? strtoull(text, NULL, 10) : standard;
}

static const char *add_fault(const char *query)
{
	struct fault f = { .op = '*', .retry_after_s = -1 };
	char text[64];
	if (!parameter(query, "kind", text, sizeof(text)) || !fault_kind_parse(text, &f.kind))
		return "no such kind";
	if (parameter(query, "op", text, sizeof(text)) && text[0])
		f.op = text[0];
	(void)parameter(query, "match", f.match, sizeof(f.match));
	(void)parameter(query, "header", f.header, sizeof(f.header));
	(void)parameter(query, "head", f.head, sizeof(f.head));
	(void)parameter(query, "label", f.label, sizeof(f.label));
	if (strpbrk(f.label, "\"\\"))
		return "no such label";
	f.permille = (unsigned)number(query, "permille", 0);
	f.random = number(query, "seed", 0);
	f.skew_s = (int64_t)number(query, "skew_s", 0);
	if (f.kind == FAULT_SKEW) { /* the server's own words */
		(void)snprintf(f.code, sizeof(f.code), "RequestTimeTooSkewed");
		f.status = 403;
	}
	if (!parameter(query, "code", f.code, sizeof(f.code)) && !f.code[0])
		(void)snprintf(f.code, sizeof(f.code), "SlowDown");
	if (!parameter(query, "body", f.body, sizeof(f.body)))
		(void)snprintf(f.body, sizeof(f.body),
			       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code>"
			       "<Message>as the test asked</Message><RequestId>proxy</RequestId></Error>",
			       f.code);
	f.skip = (unsigned)number(query, "skip", 0);
	f.count = (unsigned)number(query, "count", 1);
	f.at = number(query, "at", HTTP1_UNKNOWN);
	f.ms = number(query, "ms", 0);
	f.status = (int)number(query, "status", f.status ? (uint64_t)f.status : 503);
	if (parameter(query, "retry_after", text, sizeof(text)))
		f.retry_after_s = (int)strtol(text, NULL, 10);
	return fault_add(&f) ? NULL : "too many faults";
}

/* The answer (the caller frees it) to a request; *ret_status. */
static char *answer(const char *path, const char *query, int *ret_status)
{
	const char *problem = NULL;
	*ret_status = 200;
	if (strcmp(path, "/counters") == 0)
		return counters_json();
	if (strcmp(path, "/log") == 0)
		return log_json();
	if (strcmp(path, "/reset") == 0)
		counters_reset();
	else if (strcmp(path, "/fault") == 0)
		problem = add_fault(query);
	else if (strcmp(path, "/clear") == 0)
		fault_clear();
	else if (strcmp(path, "/up") == 0)
		problem = proxy_listen() ? NULL : "the port is taken";
	else if (strcmp(path, "/down") == 0)
		proxy_unlisten();
	else if (strcmp(path, "/set") == 0) {
		settings.latency_ns = number(query, "latency_ms", settings.latency_ns / 1000000) * 1000000;
		settings.rate = number(query, "rate", settings.rate);
		settings.hides_server = number(query, "hide_server", settings.hides_server);
	} else {
		problem = "no such path";
	}
	if (problem)
		*ret_status = 400;
	char *text = NULL;
	return asprintf(&text, "{\"problem\": \"%s\"}\n", problem ? problem : "") < 0 ? NULL : text;
}

static void send_answer(int fd, int status, const char *body)
{
	char head[160];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
			 "Connection: close\r\n\r\n", status, strlen(body));
	size_t left = strlen(body);
	if (send(fd, head, (size_t)n, MSG_NOSIGNAL) != n)
		return;
	while (left) {
		ssize_t sent = send(fd, body, left, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		body += sent;
		left -= (size_t)sent;
	}
}

void control_serve(int fd)
{
	static char request[CONTROL_REQUEST_MAX + 1];
	const struct timeval patience = { .tv_sec = 2 };
	size_t len = 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	while (len < CONTROL_REQUEST_MAX && !http1_head_size(request, len)) {
		ssize_t got = recv(fd, request + len, CONTROL_REQUEST_MAX - len, 0);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	request[len] = '\0';
	char *path = strchr(request, ' '), *end = path ? strchr(path + 1, ' ') : NULL;
	if (end) {
		int status;
		*end = '\0';
		char *query = strchr(++path, '?');
		if (query)
			*query++ = '\0';
		char *body = answer(path, query ? query : "", &status);
		if (body)
			send_answer(fd, status, body);
		free(body);
	}
	(void)close(fd);
}
