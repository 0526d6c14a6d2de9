#include "control/output.h"

#include "backends/base/clock.h"
#include "control/rpc.h"
#include "control/text.h"

#include <inttypes.h>
#include <libsmartcols.h>
#include <stdio.h>

#define PROGRESS_TERMINAL_MS 200
#define PROGRESS_PLAIN_MS    10000

bool output_has_colour(int fd)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(fd) && !(no_color && no_color[0]) && term && strcmp(term, "dumb") != 0;
}

static void say(const char *text)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT(8192);

	if (buf_adds(&line, "skydir: ") == 0 && text_escape(&line, text) == 0 &&
	    buf_addc(&line, '\n') == 0)
		(void)fputs(buf_cstr(&line), stderr); /* nowhere else to tell */
}

void output_note(const char *format, ...)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(4096);
	va_list args;
	int r;

	va_start(args, format);
	r = buf_vaddf(&text, format, args);
	va_end(args);
	if (r == 0)
		say(buf_cstr(&text));
}

/* The hint is what stands in brackets at the end of a message. */
static struct str hint_of(const char *message)
{
	struct str all = str_of(message);
	const char *open;

	if (!str_ends(all, ")"))
		return (struct str){NULL, 0};
	open = strrchr(message, '(');
	if (!open || open == message || open[-1] != ' ')
		return (struct str){NULL, 0};
	return (struct str){open + 1, all.len - (size_t)(open - message) - 2};
}

static struct json_object *text_or_null(struct str s)
{
	return s.len ? json_object_new_string_len(s.ptr, (int)s.len) : NULL;
}

static void error_as_json(const struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	CLEANUP(buf_release) struct buf line = BUF_INIT(8192);
	struct str hint = hint_of(err->message), message = str_of(err->message);
	const char *text;

	if (!o)
		return;
	if (hint.len)
		message.len -= hint.len + 3; /* " (" and ")" */
	json_object_object_add(o, "code", json_object_new_string(error_name(err->kind)));
	json_object_object_add(o, "message", text_or_null(message));
	json_object_object_add(o, "retryable",
			       json_object_new_boolean(error_is_retryable(err->kind)));
	json_object_object_add(o, "provider", text_or_null(str_of(err->provider)));
	json_object_object_add(o, "request_id", text_or_null(str_of(err->request_id)));
	json_object_object_add(o, "hint", text_or_null(hint));
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							 JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text && rpc_add_utf8(&line, text) == 0)
		(void)fprintf(stderr, "%s\n", buf_cstr(&line));
}

void output_error(enum output_format format, const struct error *err)
{
	if (format == OUTPUT_JSON || format == OUTPUT_JSONL)
		error_as_json(err);
	else
		say(err->message[0] ? err->message : error_name(err->kind));
}

int output_json(struct json_object *o, struct error *err)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(2 * (size_t)RPC_REPLY_MAX);
	int style = isatty(STDOUT_FILENO) ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
					  : JSON_C_TO_STRING_PLAIN;
	const char *text =
		json_object_to_json_string_ext(o, style | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!text || rpc_add_utf8(&out, text) < 0 || buf_addc(&out, '\n') < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (fputs(buf_cstr(&out), stdout) < 0)
		return error_errno(err, errno, "cannot write the result");
	return 0;
}

void output_failures(struct json_object *failures)
{
	size_t count = failures ? json_object_array_length(failures) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *f = json_object_array_get_idx(failures, i);
		const char *path = json_get_string(f, "path"), *why = json_get_string(f, "error");

		output_note("not uploaded: %s: %s", path ? path : "?",
			    why ? why : "unknown reason");
	}
}

int output_progress_text(const struct output_progress *p, const struct fs_progress *progress,
			 struct buf *out)
{
	char left[16], rate[16], time_left[24];
	int r;

	text_size(progress->bytes_left, left);
	r = buf_addf(out, "%" PRIu64 " file%s, %s left", progress->files_left,
		     progress->files_left == 1 ? "" : "s", left);
	if (r == 0 && progress->ops_left)
		r = buf_addf(out, ", %" PRIu64 " other change%s", progress->ops_left,
			     progress->ops_left == 1 ? "" : "s");
	if (r < 0 || !p->bytes_per_s)
		return r;
	text_size(p->bytes_per_s, rate);
	text_duration(progress->bytes_left / p->bytes_per_s, time_left);
	return buf_addf(out, ", %s/s, %s left", rate, time_left);
}

/* A smoothed rate: a quarter of what the last second or so showed. */
static void update_rate(struct output_progress *p, const struct fs_progress *progress, uint64_t now)
{
	uint64_t elapsed = now - p->rate_mono_ms, sent, rate;

	if (!p->rate_mono_ms || progress->bytes_sent < p->rate_sent) {
		p->rate_mono_ms = now;
		p->rate_sent = progress->bytes_sent;
		return;
	}
	if (elapsed < 1000)
		return;
	sent = progress->bytes_sent - p->rate_sent;
	rate = sent * 1000 / elapsed;
	p->bytes_per_s = p->bytes_per_s ? (3 * p->bytes_per_s + rate) / 4 : rate;
	p->rate_mono_ms = now;
	p->rate_sent = progress->bytes_sent;
}

void output_progress_show(struct output_progress *p, const struct fs_progress *progress)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(256);
	bool is_terminal = isatty(STDERR_FILENO);
	uint64_t now = clock_mono_ms();

	update_rate(p, progress, now);
	if (!p->last_mono_ms)
		p->last_mono_ms = now; /* what ends at once needs no line */
	if (now - p->last_mono_ms < (is_terminal ? PROGRESS_TERMINAL_MS : PROGRESS_PLAIN_MS))
		return;
	p->last_mono_ms = now;
	if (output_progress_text(p, progress, &text) < 0)
		return;
	(void)fprintf(stderr, is_terminal ? "\r\033[K%s: %s" : "skydir: %s: %s\n", p->what,
		      buf_cstr(&text));
	(void)fflush(stderr);
	p->is_shown = is_terminal;
}

void output_progress_from_json(void *arg, struct json_object *params)
{
	struct fs_progress progress = {
		.files_left = (uint64_t)json_get_int64(params, "files_left", 0),
		.bytes_left = (uint64_t)json_get_int64(params, "bytes_left", 0),
		.bytes_sent = (uint64_t)json_get_int64(params, "bytes_sent", 0),
		.ops_left = (uint64_t)json_get_int64(params, "ops_left", 0),
	};

	output_progress_show(arg, &progress);
}

void output_progress_end(struct output_progress *p)
{
	if (p->is_shown)
		(void)fputs("\r\033[K", stderr);
	p->is_shown = false;
}

#define COLUMNS_COLOURED 64

struct output_table {
	struct libscols_table *table;
	size_t columns;
	bool has_colour;
	bool is_status[COLUMNS_COLOURED]; /* by column; those beyond stay plain */
};

static bool is_status_name(const char *name)
{
	return !strcasecmp(name, "status") || !strcasecmp(name, "state") || !strcmp(name, "ERRORS");
}

/* The words of all our vocabularies: how things are, told by colour too. Others stay plain. */
static const char *colour_of(const char *word)
{
	static const struct {
		const char *colour, *words;
	} colours[] = {
		{"green", " active available mounted running used "},
		{"red", " broken dead deleted error failed not answering unavailable "},
		{"yellow", " creating deleting deprecated draining left over pending restarting stopping suspended unmounted "},
	};
	char wanted[32];
	size_t digits = strspn(word, "0123456789");

	if (digits && !word[digits]) /* a count of errors */
		return strspn(word, "0") == digits ? NULL : "red";
	if ((size_t)snprintf(wanted, sizeof wanted, " %s ", word) >= sizeof wanted)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
		if (strstr(colours[i].words, wanted))
			return colours[i].colour;
	return NULL;
}

struct output_table *output_table_new(const char *const *columns, size_t count)
{
	struct output_table *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->columns = count;
	t->table = scols_new_table();
	for (size_t i = 0; t->table && i < count; i++) {
		if (i < COLUMNS_COLOURED)
			t->is_status[i] = is_status_name(columns[i]);
		if (scols_table_new_column(t->table, columns[i], 0, i == 0 ? SCOLS_FL_TRUNC : 0))
			continue;
		scols_unref_table(t->table);
		t->table = NULL;
	}
	if (!t->table) {
		free(t);
		return NULL;
	}
	return t;
}

int output_table_row(struct output_table *t, const char *const *cells)
{
	struct libscols_line *line = scols_table_new_line(t->table, NULL);
	int r = line ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < t->columns; i++) {
		CLEANUP(buf_release) struct buf cell = BUF_INIT(8192);

		r = text_escape(&cell, cells[i]);
		if (r == 0)
			r = scols_line_set_data(line, i, buf_cstr(&cell)) == 0 ? 0 : -ENOMEM;
		if (r == 0 && t->has_colour && ((i < COLUMNS_COLOURED && t->is_status[i]) || (i && is_status_name(cells[0]))))
			r = scols_cell_set_color(scols_line_get_cell(line, i), colour_of(cells[i])) == 0 ? 0 : -ENOMEM;
	}
	return r;
}

void output_table_cut(struct output_table *t, size_t column)
{
	for (size_t i = 0; i < t->columns; i++)
		(void)scols_column_set_flags(scols_table_get_column(t->table, i), i == column ? SCOLS_FL_TRUNC : 0);
}

void output_table_colour(struct output_table *t)
{
	t->has_colour = true;
	(void)scols_table_enable_colors(t->table, 1); /* cannot fail */
}

int output_table_print(struct output_table *t, struct error *err)
{
	if (scols_print_table(t->table) != 0)
		return error_set(err, ERR_IO, "cannot write the table");
	return 0;
}

char *output_table_text(struct output_table *t)
{
	char *text = NULL;

	return scols_print_table_to_string(t->table, &text) == 0 ? text : NULL;
}

void output_table_hide_headers(struct output_table *t)
{
	(void)scols_table_enable_noheadings(t->table, 1); /* cannot fail */
}

void output_table_free(struct output_table *t)
{
	if (!t)
		return;
	scols_unref_table(t->table);
	free(t);
}
