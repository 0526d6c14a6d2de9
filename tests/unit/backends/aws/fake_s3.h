#pragma once
/*
 * Purpose: a server on the loopback interface that answers from a script and remembers what it was
 *	asked.
 *
 * Invariants: request n gets answer n; one request a connection; when the script is at its end the
 *	answer is a 599, which no test expects.
 * Ownership: fake_s3_free ends the thread; texts of requests are good until then.
 * Threads: the script is set before the first request and not changed; read requests when no call
 *	is under way.
 */
#include "backends/aws/s3.h"

struct fake_answer {
	int status; /* 0: the connection is closed without an answer, after the request was read */
	const char *
		headers; /* "Name: value\r\n" each; Content-Length is added unless it stands here */
	const char *body; /* NULL: none */
	size_t body_len;  /* 0: strlen(body) */
};
struct fake_s3;
struct fake_s3 *fake_s3_new(const struct fake_answer *script, size_t count);
void fake_s3_free(struct fake_s3 *f);
unsigned fake_s3_port(const struct fake_s3 *f);
size_t fake_s3_count(struct fake_s3 *f);
/* "GET /b/k?x=y HTTP/1.1\r\nHost: ...\r\n\r\nbody" of request n, or "" */
const char *fake_s3_request(struct fake_s3 *f, size_t n);

/* A fake server, an engine, and a store on it that takes the server for one that keeps conditions. */
struct fake_room {
	struct fake_s3 *server;
	struct http_engine *engine;
	struct store *store;
};
void fake_room_open(struct fake_room *room, const struct fake_answer *script, size_t count);
void fake_room_close(struct fake_room *room);
