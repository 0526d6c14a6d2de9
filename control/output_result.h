#pragma once
/*
 * Purpose: the result of an operation as a table, JSON, JSON lines or CSV.
 *
 * Invariants: JSON is exactly what the control socket returns (after --filter, --sort-by and --limit, which act on the
 *	items). In a table values are made safe for a terminal; in CSV by RFC 4180.
 * Source: https://www.rfc-editor.org/rfc/rfc4180 (CSV).
 * Threads: the command's one thread.
 */
#include "control/op.h"
#include "control/output.h"

struct output_choice {
	enum output_format format;
	const char *columns; /* "id,name,flavor.ram"; NULL: the shape's */
	bool has_no_headers;
	const char *sort_by; /* "created", "-created"; NULL: as it comes */
	const char *const *filters; /* "status=running", "name=web*", "zone!=a" */
	size_t filter_count;
	uint64_t limit; /* 0: all */
	bool has_colour; /* of tables, for a terminal */
	bool has_terminal; /* else what is a text goes out as it is */
	bool has_provider; /* items of several: a column says whose each is */
};
/* Before anything is asked: filters that are none, and names that no result of the operation has, are ERR_INVALID. */
int output_check(const struct op *op, const struct output_choice *choice, struct error *err) MUST_CHECK;
/* Applies filter, sort and limit to result.items; ERR_INVALID for a filter that is none. */
int output_select(struct json_object *result, const struct output_choice *choice, struct error *err) MUST_CHECK;
/* The text of a result. */
int output_result_text(const struct op *op, struct json_object *result, const struct output_choice *choice,
		       struct buf *out, struct error *err) MUST_CHECK;
/* What a console wrote, a key, a plan: line by line below its name, so that it can be read and copied; safe for a
 * terminal. */
int output_add_lines(struct buf *out, const char *name, const char *text) MUST_CHECK;
/* Both, on stdout. */
int output_result(const struct op *op, struct json_object *result, const struct output_choice *choice,
		  struct error *err) MUST_CHECK;
