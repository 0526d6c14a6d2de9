#pragma once
/*
 * Purpose: a cloud whose one service is a scripted server, and a call to it.
 */
#include "../http/script_server.h"
#include "backends/cloud/rest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct cloud_fixture {
	struct http_engine *engine;
	struct server *server;
	struct service service;
	struct cloud cloud;
	struct cloud_call call;
	struct json_object *result;
	struct error err;
};
#define CLOUD_FIXTURE(f, steps, params)                                                            \
	CLEANUP(cloud_fixture_end) struct cloud_fixture f;                                         \
	cloud_fixture_begin(&(f), steps, ARRAY_SIZE(steps), params)
void cloud_fixture_begin(struct cloud_fixture *f, const struct step *steps, size_t count, const char *params);
void cloud_fixture_end(struct cloud_fixture *f);
/* Runs a row; the result is in f->result. */
int cloud_fixture_run(struct cloud_fixture *f, const struct rest_row *row);
/* "HTTP/1.1 200 OK" with a JSON body; literals only. */
#define JSON_ANSWER(len, body) "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " #len "\r\n\r\n" body
