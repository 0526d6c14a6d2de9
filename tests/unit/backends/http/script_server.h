#pragma once
/*
 * Purpose: a TCP server on 127.0.0.1 that plays written answers byte by byte and remembers what it
 *	was asked.
 *
 * Each request takes the next step, whichever connection it comes on; the last step is played for
 * ever. Every connection has its own thread. Threads: the s_* functions may be called from the
 * test's thread at any time.
 */
#include "backends/base/buf.h"

enum step_action {
	STEP_ANSWER,	   /* send the bytes, keep the connection */
	STEP_ANSWER_CLOSE, /* send, close */
	STEP_ANSWER_RESET, /* send, then RST */
	STEP_ANSWER_STALL, /* send, then wait until the client goes away */
	STEP_RESET_EARLY,  /* RST without reading anything */
	STEP_RESET_HEAD,   /* RST after the head of the request, the body unread */
	STEP_STALL_HEAD,   /* read the head, then nothing until the client goes away */
	STEP_ANSWER_HEAD,  /* answer after the head, leave the body unread, close */
	STEP_TRICKLE,	   /* send byte by byte, delay_ms between them, keep */
	STEP_ENDLESS,	   /* send the bytes, then repeat `tail` until the client goes away */
};
struct step {
	enum step_action action;
	const char *bytes;
	size_t len; /* 0: strlen(bytes) */
	const char *tail;
	unsigned delay_ms; /* before the answer */
};

struct server;
struct server *server_start(const struct step *steps, size_t count);
void server_stop(struct server *s);
const char *server_url(const struct server *s); /* "http://127.0.0.1:PORT" */
unsigned server_connections(struct server *s);
unsigned server_requests(struct server *s);
unsigned server_most_at_once(struct server *s);
/* The head and the body of request n (from 0) as C strings, good until server_stop. */
const char *server_head(struct server *s, unsigned n);
struct str server_body(struct server *s, unsigned n);

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Thing: a b\r\n\r\nhello"
#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
