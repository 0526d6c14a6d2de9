#pragma once
/*
 * Purpose: what the commands say: error lines, JSON, tables, and the line that shows progress.
 *
 * Invariants: results go to stdout, all else to stderr. Names and messages are made safe for a
 * terminal first. Threads: the command's one thread.
 */
#include "backends/base/json.h"
#include "fs/fs.h"

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_JSONL, OUTPUT_CSV };

/* `skydir: what failed: why (what to do)`, or with JSON an object {code, message, retryable,
 * provider, request_id, hint}. */
void output_error(enum output_format format, const struct error *err);
/* `skydir: message` on stderr. */
void output_note(const char *format, ...) PRINTF(1, 2);
/* One line on stdout, spread out on a terminal. */
int output_json(struct json_object *o, struct error *err) MUST_CHECK;
/* "skydir: not uploaded: PATH: why" for each, on stderr. */
void output_failures(struct json_object *failures);
/* Whether colours may be used on a stream (a terminal, and NO_COLOR is not set). */
bool output_has_colour(int fd);

struct output_progress {
	const char *what; /* "uploading" */
	uint64_t last_mono_ms, rate_mono_ms, rate_sent, bytes_per_s;
	bool is_shown; /* a progress line stands on the terminal */
};
void output_progress_show(struct output_progress *p, const struct fs_progress *progress);
/* The same from the params of a progress notification; arg is a struct output_progress. */
void output_progress_from_json(void *arg, struct json_object *params);
/* Takes the line away. */
void output_progress_end(struct output_progress *p);
/* The text of the line, for tests: "3 files, 1.2M left, 5.1M/s, 12s left". */
int output_progress_text(const struct output_progress *p, const struct fs_progress *progress,
			 struct buf *out) MUST_CHECK;

/* Columns aligned by what they hold; on a terminal cut to its width. Cells are copied. */
struct output_table;
struct output_table *output_table_new(const char *const *columns,
				      size_t count); /* NULL without memory */
int output_table_row(struct output_table *t, const char *const *cells) MUST_CHECK;
int output_table_print(struct output_table *t, struct error *err) MUST_CHECK;
/* The same as text, for tests. */
char *output_table_text(struct output_table *t);
void output_table_hide_headers(struct output_table *t);
/* Which column is cut on a narrow terminal instead of the first; one that is none: no column is. */
void output_table_cut(struct output_table *t, size_t column);
/* Colours the words of columns named STATUS or STATE, and of rows named so; and a count above none of ERRORS. */
void output_table_colour(struct output_table *t);
void output_table_free(struct output_table *t);
