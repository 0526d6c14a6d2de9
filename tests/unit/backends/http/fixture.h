#pragma once
/*
 * Purpose: what every engine test needs: an engine with short time limits, a server with its steps,
 *	one request.
 */
#include "backends/base/clock.h"
#include "backends/base/metrics.h"
#include "backends/http/engine.h"
#include "script_server.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct fixture {
	struct http_engine *engine;
	struct server *server;
	struct http_request request;
	struct http_response response;
	struct buf body;
	struct error err;
};
/* An idempotent GET of /x into body. */
#define FIXTURE(f, steps)                                                                          \
	CLEANUP(fixture_end) struct fixture f;                                                     \
	fixture_begin(&(f), steps, ARRAY_SIZE(steps))
void fixture_begin(struct fixture *f, const struct step *steps, size_t count);
void fixture_end(struct fixture *f);
int fixture_perform(struct fixture *f);
/* perform, and the answer is what OK_HELLO says */
void fixture_expect_hello(struct fixture *f);
/* A temporary file (unlinked) with that content. */
int make_file(const void *data, size_t len);
int64_t count_of(const char *name, const char *operation);
/* Waits until the condition holds, at most 10 s. */
#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		for (int wait_i = 0; !(condition); wait_i++) {                                     \
			assert_true(wait_i < 2000);                                                \
			struct timespec wait_ts = { .tv_nsec = 5000000 };                          \
			(void)nanosleep(&wait_ts, NULL);                                           \
		}                                                                                  \
	} while (0)
