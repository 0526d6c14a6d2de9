#pragma once
/*
 * Purpose: a world for credential sources to live in: variables, a clock, a home directory, and one
 * HTTP server on 127.0.0.1 whose answers a test writes as a function. Threads: variables and home
 * change only while no fetch is under way; the clock and the server may at any time.
 */
#include "backends/auth/cred_source.h"
#include "backends/http/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

extern const struct cred_host fake_host;	       /* without an engine */
void fake_host_reset(void);			       /* no variables, clock at FAKE_NOW_S */
void fake_setenv(const char *name, const char *value); /* NULL unsets */
const char *fake_getenv(const char *name);
void fake_advance_s(int64_t seconds); /* wall and monotonic clock together */
int64_t fake_wall_s(void);
#define FAKE_NOW_S 1800000000

/* A fresh directory as HOME; removed with all in it by fake_home_remove. */
const char *fake_home_make(void);
void fake_home_write(const char *below_home, const char *content);
void fake_home_remove(void);

struct fake_question {
	char method[16], target[4096];
	char headers[16384]; /* all lines */
	char body[65536];
};
struct fake_answer {
	int status;
	char headers[256]; /* whole lines, with CRLF */
	char body[80000];
};
struct fake_server {
	/* Runs on the server's thread; the answer is 200 with no body if left alone. */
	void (*answer)(void *arg, const struct fake_question *question, struct fake_answer *answer);
	void *arg;
	_Atomic unsigned asked;
	char url[64]; /* "http://127.0.0.1:PORT" */
	int fd;
	pthread_t thread;
};
void fake_server_start(struct fake_server *s);
void fake_server_stop(struct fake_server *s);
/* "20xx-..Z" of a wall second. */
const char *fake_date(int64_t wall_s, char ret[24]);
