#pragma once
/*
 * Purpose: skydir-wire, what the wire alone allows: a plan of HTTP requests over plain connections, each kept open.
 *
 * wire.c reads plans and tells results, wire_conn.c speaks HTTP/1.1 on one connection.
 * Threads: one for each connection of a plan; a connection belongs to one thread at a time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_KEPT_MAX (4u << 20)
#define WIRE_BUFFER_BYTES (1u << 20)

struct wire_span { /* of a file; no file: data NULL */
	const char *data;
	size_t len;
};

struct wire_request {
	char *head;	      /* request line and headers, blank line included */
	size_t head_len;
	struct wire_span body;   /* sent after the head */
	struct wire_span expect; /* what the answer's body has to be, byte for byte */
	bool has_expect;
	/* the answer */
	int status; /* 0: none came */
	uint64_t body_bytes;
	bool is_right; /* the body was what was expected, or nothing was */
	char etag[80];
	char *kept; /* the body, where nothing was expected */
	size_t kept_len;
	char problem[80];
};

struct wire_conn {
	int fd; /* -1: not connected */
	char *buffer;
	size_t start, end;
};

/* Sends one request and takes its answer; connects first when it has to. The result stands in the request. */
void wire_conn_perform(struct wire_conn *c, uint16_t port, struct wire_request *r);
void wire_conn_close(struct wire_conn *c);
