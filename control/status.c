#include "control/status.h"

#include "control/output.h"
#include "control/text.h"

#include <inttypes.h>
#include <stdio.h>

#define LINES_MAX 20

static const char *text_of(struct json_object *o, const char *path, const char *otherwise)
{
	const char *s = json_get_string(o, path);

	return s ? s : otherwise;
}

static uint64_t number_of(struct json_object *o, const char *path)
{
	int64_t n = json_get_int64(o, path, 0);

	return n > 0 ? (uint64_t)n : 0;
}

static size_t length_of(struct json_object *o, const char *path)
{
	struct json_object *array = json_get_array(o, path);

	return array ? json_object_array_length(array) : 0;
}

/* Of the last ones: those of changes that were through at a later try are history. */
static size_t count_open_errors(struct json_object *m)
{
	struct json_object *errors = json_get_array(m, "errors");
	size_t count = errors ? json_object_array_length(errors) : 0, open = 0;

	for (size_t i = 0; i < count; i++)
		if (!json_get_bool(json_object_array_get_idx(errors, i), "over", false))
			open++;
	return open;
}

static int add_row(struct output_table *t, struct json_object *m, const char *state)
{
	char dirty[48], pending[24], uploads[24], cache[48], errors[24], bytes[16], size[16];
	const char *cells[] = {text_of(m, "mountpoint", text_of(m, "cache_dir", "?")),
			       text_of(m, "source", "-"),
			       text_of(m, "state", state),
			       dirty,
			       pending,
			       uploads,
			       cache,
			       errors};

	text_size(number_of(m, "dirty.bytes"), bytes);
	(void)snprintf(dirty, sizeof dirty, "%" PRIu64 " (%s)", number_of(m, "dirty.files"), bytes);
	(void)snprintf(pending, sizeof pending, "%" PRIu64, number_of(m, "pending"));
	(void)snprintf(uploads, sizeof uploads, "%zu", length_of(m, "uploads"));
	(void)snprintf(errors, sizeof errors, "%zu", count_open_errors(m));
	text_size(number_of(m, "cache.bytes"), bytes);
	text_size(number_of(m, "cache.limit"), size);
	(void)snprintf(cache, sizeof cache, number_of(m, "cache.limit") ? "%s of %s" : "%s", bytes,
		       size);
	return output_table_row(t, cells);
}

struct output_table *status_table(struct json_object *all, enum status_look look)
{
	static const char *const columns[] = {"MOUNT",	 "SOURCE",  "STATE", "DIRTY",
					      "PENDING", "UPLOADS", "CACHE", "ERRORS"};
	struct output_table *t = output_table_new(columns, ARRAY_SIZE(columns));
	int r = t ? 0 : -ENOMEM;

	if (t && look == STATUS_COLOURED)
		output_table_colour(t);
	for (size_t i = 0; r == 0 && i < length_of(all, "mounts"); i++)
		r = add_row(t, json_object_array_get_idx(json_get_array(all, "mounts"), i),
			    "mounted");
	for (size_t i = 0; r == 0 && i < length_of(all, "orphans"); i++) {
		struct json_object *o =
			json_object_array_get_idx(json_get_array(all, "orphans"), i);

		json_object_object_add(o, "mountpoint",
				       NULL); /* what counts is where the data is now */
		r = add_row(t, o, "left over");
	}
	if (r < 0) {
		output_table_free(t);
		return NULL;
	}
	return t;
}

static int add_upload(struct json_object *u, struct buf *out)
{
	uint64_t bytes = number_of(u, "bytes"), sent = number_of(u, "sent");
	const char *why = json_get_string(u, "error");
	char all[16], done[16];
	int r = buf_addf(out, "  %s ", text_of(u, "state", "uploading"));

	text_size(bytes, all);
	text_size(sent, done);
	if (r == 0)
		r = text_escape(out, text_of(u, "path", "?"));
	if (r == 0)
		r = buf_addf(out, ": %s of %s", done, all);
	if (r == 0 && bytes)
		r = buf_addf(out, " (%u%%)", (unsigned)(sent >= bytes ? 100 : sent * 100 / bytes));
	if (r == 0 && why)
		r = buf_adds(out, ", ");
	if (r == 0 && why)
		r = text_escape(out, why);
	return r < 0 ? r : buf_addc(out, '\n');
}

static int add_error(struct json_object *e, struct buf *out)
{
	const char *why = text_of(e, "error", text_of(e, "message", "unknown reason"));
	int r = buf_adds(out, json_get_bool(e, "over", false) ? "  failed, but is done now: " : "  failed ");

	if (r == 0)
		r = text_escape(out, text_of(e, "path", "?"));
	if (r == 0)
		r = buf_adds(out, ": ");
	if (r == 0)
		r = text_escape(out, why);
	return r < 0 ? r : buf_addc(out, '\n');
}

static int add_list(struct json_object *mount, const char *name,
		    int (*add)(struct json_object *o, struct buf *out), struct buf *out)
{
	struct json_object *array = json_get_array(mount, name);
	size_t count = array ? json_object_array_length(array) : 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count && i < LINES_MAX; i++)
		r = add(json_object_array_get_idx(array, i), out);
	if (r == 0 && count > LINES_MAX)
		r = buf_addf(out, "  ... and %zu more %s\n", count - LINES_MAX, name);
	return r;
}

/* Worth a line only where it is not as fast as it could be. */
static const char *slow_reason(struct json_object *mount)
{
	return text_of(mount, "passthrough.why_not", NULL);
}

static int add_passthrough(struct json_object *mount, struct buf *out)
{
	const char *why = slow_reason(mount);
	int r = why ? buf_adds(out, "  passthrough: off (") : 0;

	if (why && r == 0)
		r = text_escape(out, why);
	return why && r == 0 ? buf_adds(out, ")\n") : r;
}

/* A budget that has something to tell. */
static bool is_noteworthy(struct json_object *budget)
{
	return json_get_bool(budget, "stopped", false) || json_get_bool(budget, "warned", false);
}

static bool has_noteworthy_budget(struct json_object *mount)
{
	for (size_t i = 0; i < length_of(mount, "budgets"); i++)
		if (is_noteworthy(json_object_array_get_idx(json_get_array(mount, "budgets"), i)))
			return true;
	return false;
}

static int add_budget(struct json_object *b, struct buf *out)
{
	const char *spent = json_object_get_string(json_get(b, "spent"));
	const char *amount = json_object_get_string(json_get(b, "amount"));
	int r = is_noteworthy(b) ? buf_adds(out, "  budget ") : 0;

	if (!is_noteworthy(b) || r < 0)
		return r;
	r = text_escape(out, text_of(b, "name", "?"));
	if (r == 0)
		r = buf_addf(out, ": %.24s of %.24s %.8s spent this month (%u%%)", spent ? spent : "?", amount ? amount : "?",
			     text_of(b, "currency", ""), (unsigned)number_of(b, "percent"));
	if (r == 0 && json_get_bool(b, "stopped", false))
		r = buf_addf(out, "; %s refused until it is raised or the month ends",
			     strcmp(text_of(b, "stop", ""), "all") ? text_of(b, "stop", "") : "reads and writes");
	return r < 0 ? r : buf_addc(out, '\n');
}

int status_add_details(struct json_object *mounts, struct buf *out)
{
	size_t count = mounts ? json_object_array_length(mounts) : 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct json_object *m = json_object_array_get_idx(mounts, i);

		if (!length_of(m, "uploads") && !length_of(m, "errors") && !slow_reason(m) &&
		    !has_noteworthy_budget(m))
			continue;
		r = buf_addc(out, '\n');
		if (r == 0)
			r = text_escape(out, text_of(m, "mountpoint", "?"));
		if (r == 0)
			r = buf_adds(out, ":\n");
		if (r == 0)
			r = add_list(m, "uploads", add_upload, out);
		if (r == 0)
			r = add_list(m, "errors", add_error, out);
		if (r == 0)
			r = add_list(m, "budgets", add_budget, out);
		if (r == 0)
			r = add_passthrough(m, out);
	}
	return r;
}
