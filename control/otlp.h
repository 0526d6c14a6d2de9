#pragma once
/*
 * Purpose: OTLP's JSON: spans and metrics as an ExportTraceServiceRequest and an ExportMetricsServiceRequest.
 *
 * Source: github.com/open-telemetry/opentelemetry-proto (trace.proto, metrics.proto, docs/specification.md: JSON Protobuf
 *	encoding: ids in hexadecimal, 64-bit numbers as strings, enums as numbers), read 2026-11.
 * Threads: pure. Ownership: results are the caller's to put; NULL without memory.
 */
#include "backends/base/json.h"
#include "backends/base/trace.h"

enum otlp_kind { OTLP_INTERNAL = 1, OTLP_SERVER = 2, OTLP_CLIENT = 3 };
struct otlp_span {
	struct trace_context context;
	unsigned char parent[SPAN_ID_LEN];
	bool has_parent;
	enum otlp_kind kind;
	char name[64];
	int64_t begun_wall_ns, ended_wall_ns;
	char error[40]; /* "" : it went well */
	/* of a cloud request; attempts 0: of a file-system call */
	char store[65];
	const char *method; /* static */
	int status;
	unsigned attempts;
	uint64_t sent, received;
	int errnum; /* of a file-system call */
};
struct json_object *otlp_traces(const struct otlp_span *spans, size_t count, const char *mountpoint);
/* rows: [{name, labels, type, value}], as "metrics" answers. */
struct json_object *otlp_metrics(struct json_object *rows, const char *mountpoint, int64_t begun_wall_ns, int64_t now_wall_ns);
