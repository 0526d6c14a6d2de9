#pragma once
/*
 * Purpose: `GET /metrics` on a loopback port, for Prometheus.
 *
 * HTTP/1.1, one request a connection, read only. Everything read is hostile: 8 KiB of request, 16 connections, five seconds for
 * each; a Host that is not this machine's is refused, so that no page in a browser can read it under a name of its own.
 * Threads: one of its own; `text` is called there.
 */
#include "backends/base/buf.h"

struct metrics_port;
typedef int metrics_port_text(void *arg, struct buf *out);
/* port 0: any free one. */
int metrics_port_new(uint16_t port, metrics_port_text *text, void *arg, struct metrics_port **ret, struct error *err) MUST_CHECK;
uint16_t metrics_port_number(const struct metrics_port *p);
void metrics_port_free(struct metrics_port *p); /* NULL is fine */
