#pragma once
/*
 * Purpose: what is told to the outside while a daemon runs: counters on a loopback port for Prometheus, and metrics and spans to an
 *	OpenTelemetry collector. Both only where a section of type `telemetry` says so.
 *
 *	[telemetry]
 *	metrics-port = 9464			; on 127.0.0.1; 0: any free one
 *	otlp-endpoint = http://127.0.0.1:4318	; OTLP over HTTP, JSON
 *	otlp-authorization = Bearer ...		; the Authorization header
 *	sample = 0.01				; of file-system calls, and of requests that belong to none
 *	interval = 15s				; between two sendings of metrics
 *
 * Spans: one for each sampled file-system call and for each cloud request; requests that a call caused are its children. They hold
 * names of operations, stores and results: no paths, no keys, no secrets. Nothing of it goes to a provider. They wait in a queue of
 * TELEMETRY_SPANS_MAX; when that is full they are dropped and counted, never waited for.
 * Threads: telemetry_call_ended and the fs's hook on any thread; a thread of its own sends.
 */
#include "backends/http/observer.h"
#include "control/config.h"
#include "control/session.h"

#define TELEMETRY_SPANS_MAX 4096

extern const struct provider_option telemetry_options[];
struct telemetry_settings {
	bool has_port;
	uint16_t metrics_port;	/* 0: any free one, which the log tells */
	const char *endpoint;	/* NULL: none; borrowed of the config, as the next */
	const char *authorization;
	double sample;
	uint64_t interval_ms;
};
/* ERR_CONFIG naming file and line; zeroes without such a section. */
int telemetry_read(const struct config *config, struct telemetry_settings *ret, struct error *err) MUST_CHECK;

/* Starts what is configured. Ended by telemetry_stop, which sends what waits (two seconds at most). */
struct op_context;
int telemetry_start(const struct config *config, struct session *session, struct error *err) MUST_CHECK;
void telemetry_stop(void);
/* For the observer of the HTTP engine. */
bool telemetry_is_tracing(void);
void telemetry_call_ended(const struct http_ended *ended);
/* The label of our own requests, which are neither counted as a cloud's nor traced. */
#define TELEMETRY_STORE "telemetry"
