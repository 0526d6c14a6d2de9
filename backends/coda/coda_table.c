/*
 * A table as CSV or as JSON lines, a page as Markdown, written to a file as it comes: one page of rows is in memory at a time.
 *
 * CSV (RFC 4180, but lines end with a line feed alone): a line with the names of the columns, then the rows in the order in which
 * they were made. JSON lines: an object for each row, by the names of the columns. Columns of one name have their identifier behind
 * it. Views show the rows and columns that they show in Coda.
 */
#include "backends/coda/coda_store.h"

#include "backends/base/clock.h"
#include "backends/base/fileio.h"

#include <stdio.h>
#include <unistd.h>

#define ITEM_BYTES_MAX (UINT64_C(1) << 30)
#define FLUSH_BYTES    65536
#define LATEST_TRIES   4
#define LATEST_WAIT_MS 1000
/* A page's export tells no version: of a doc changed so short a time ago it may be from before. */
#define SETTLED_NS     INT64_C(15000000000)

struct writer {
	int fd;
	uint64_t size;
	struct buf out;
	enum coda_kind kind;
	const char **columns; /* identifiers, in order */
	const char **titles;  /* their names, made unique */
	size_t count;
	struct arena arena;
};

static int flush(struct writer *w, struct error *err)
{
	int r = w->out.len ? fileio_write_all(w->fd, w->out.data, w->out.len) : 0;

	w->size += w->out.len;
	buf_clear(&w->out);
	if (r < 0)
		return error_errno(err, -r, "cannot keep what Coda sends");
	return w->size > ITEM_BYTES_MAX ? error_set(err, ERR_TOO_LARGE, "more than 1 GiB") : 0;
}

static int full(int r, struct error *err)
{
	return r < 0 ? error_set(err, r == -EFBIG ? ERR_TOO_LARGE : ERR_NO_MEMORY, "a row is too large") : 0;
}

/* ---- CSV ---- */

static int add_field(struct buf *out, const char *text)
{
	size_t len = strlen(text);
	bool is_plain = !strpbrk(text, ",\"\r\n") && (!len || (text[0] != ' ' && text[len - 1] != ' '));
	int r;

	if (is_plain)
		return buf_adds(out, text);
	r = buf_addc(out, '"');
	for (; *text && r == 0; text++) {
		if (*text == '"')
			r = buf_addc(out, '"');
		if (r == 0)
			r = buf_addc(out, *text);
	}
	return r < 0 ? r : buf_addc(out, '"');
}

static const char *text_of(struct json_object *value)
{
	if (!value)
		return "";
	if (json_object_is_type(value, json_type_string))
		return json_object_get_string(value);
	return json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

static int add_csv_header(struct writer *w)
{
	int r = 0;

	for (size_t i = 0; i < w->count && r == 0; i++) {
		r = i ? buf_addc(&w->out, ',') : 0;
		if (r == 0)
			r = add_field(&w->out, w->titles[i]);
	}
	return r < 0 || !w->count ? r : buf_addc(&w->out, '\n');
}

static int add_csv_row(struct writer *w, struct json_object *values)
{
	int r = 0;

	for (size_t i = 0; i < w->count && r == 0; i++) {
		struct json_object *value = NULL;

		(void)json_object_object_get_ex(values, w->columns[i], &value); /* absent: empty */
		r = i ? buf_addc(&w->out, ',') : 0;
		if (r == 0)
			r = w->count == 1 && !*text_of(value) ? buf_adds(&w->out, "\"\"") : add_field(&w->out, text_of(value));
	}
	return r < 0 ? r : buf_addc(&w->out, '\n');
}

/* ---- JSON lines ---- */

static int add_json_row(struct writer *w, struct json_object *values)
{
	CLEANUP(json_putp) struct json_object *row = json_object_new_object();
	int r = row ? 0 : -ENOMEM;

	for (size_t i = 0; i < w->count && r == 0; i++) {
		struct json_object *value = NULL;

		(void)json_object_object_get_ex(values, w->columns[i], &value); /* absent: null */
		if (json_object_object_add(row, w->titles[i], json_object_get(value)) != 0)
			r = -ENOMEM;
	}
	if (r == 0)
		r = buf_adds(&w->out, json_object_to_json_string_ext(row, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	return r < 0 ? r : buf_addc(&w->out, '\n');
}

/* ---- tables ---- */

static int take_row(void *arg, struct json_object *row, struct error *err)
{
	struct writer *w = arg;
	struct json_object *values = json_get(row, "values");
	int r;

	if (!json_object_is_type(values, json_type_object))
		return error_set(err, ERR_PROTOCOL, "Coda tells of a row without values");
	r = full(w->kind == CODA_CSV ? add_csv_row(w, values) : add_json_row(w, values), err);
	return r == 0 && w->out.len >= FLUSH_BYTES ? flush(w, err) : r;
}

static bool is_twice(struct json_object *list, size_t index, const char *name)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *other = json_get_string(json_object_array_get_idx(list, i), "name");

		if (i != index && other && !strcmp(other, name))
			return true;
	}
	return false;
}

static int read_columns(struct writer *w, struct coda_ask *ask, struct error *err)
{
	CLEANUP(json_putp) struct json_object *list = NULL;
	int r = rest_run(&ask->call, &coda_rows[CODA_COLUMNS_LIST], &list, err);
	size_t count = r == 0 ? json_object_array_length(list) : 0;

	if (r < 0)
		return r;
	w->columns = arena_alloc(&w->arena, (count + 1) * sizeof *w->columns);
	w->titles = arena_alloc(&w->arena, (count + 1) * sizeof *w->titles);
	if (!w->columns || !w->titles)
		return error_no_memory(err);
	for (size_t i = 0; i < count; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *id = json_get_string(o, "id"), *name = json_get_string(o, "name");
		CLEANUP(freep) char *longer = NULL;

		if (!id || !name)
			return error_set(err, ERR_PROTOCOL, "Coda tells of a column without a name");
		longer = str_format(is_twice(list, i, name) ? "%s [%s]" : "%s", name, id);
		w->columns[i] = arena_strdup(&w->arena, id);
		w->titles[i] = longer ? arena_strdup(&w->arena, longer) : NULL;
		if (!w->columns[i] || !w->titles[i])
			return error_no_memory(err);
	}
	w->count = count;
	return 0;
}

static int read_rows(struct coda_store *s, struct writer *w, struct coda_ask *ask, const struct coda_item *item, bool wants_latest,
		     struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	struct coda *coda = container_of(s->cloud, struct coda, base);
	CLEANUP(freep) char *path = NULL;
	int r = rest_path(&ask->call, "docs/{doc}/tables/{table}/rows", &path, err);

	request.method = HTTP_GET;
	request.path = path;
	if (r == 0)
		r = http_query_add(&request.query, "valueFormat", item->kind == CODA_CSV ? "simple" : "simpleWithArrays", err);
	if (r == 0 && item->is_view)
		r = http_query_add(&request.query, "visibleOnly", "true", err);
	if (r == 0 && wants_latest)
		r = http_fields_add(&request.headers, "X-Coda-Doc-Version", "latest", err);
	if (r == 0)
		r = rest_pages(&ask->call, &coda->services[CODA_READ], &request, "items", &coda_row_pages, take_row, w, err);
	json_object_put(ask->call.tail);
	ask->call.tail = NULL;
	return r;
}

static int write_table(struct coda_store *s, struct writer *w, struct coda_ask *ask, const struct coda_item *item,
		       bool wants_latest, struct error *err)
{
	int r;

	w->size = 0;
	buf_clear(&w->out);
	if (lseek(w->fd, 0, SEEK_SET) < 0 || ftruncate(w->fd, 0) < 0)
		return error_errno(err, errno, "cannot begin the file anew");
	r = w->kind == CODA_CSV ? full(add_csv_header(w), err) : 0;
	if (r == 0)
		r = read_rows(s, w, ask, item, wants_latest, err);
	return r < 0 ? r : flush(w, err);
}

/* Coda answers 400 when it has not the latest yet and is asked for that; some seconds later it has. */
static int write_latest_table(struct coda_store *s, struct writer *w, struct coda_ask *ask, const struct coda_item *item,
			      bool *ret_is_old, struct error *err)
{
	int r = read_columns(w, ask, err);

	for (unsigned i = 0; i < LATEST_TRIES && r == 0; i++) {
		r = write_table(s, w, ask, item, true, err);
		if (r == 0 || err->kind != ERR_INVALID)
			return r;
		*err = ERROR_INIT;
		r = i + 1 < LATEST_TRIES ? cloud_sleep(&ask->call, LATEST_WAIT_MS, err) : 0;
	}
	*ret_is_old = true;
	return r < 0 ? r : write_table(s, w, ask, item, false, err);
}

static int write_page(struct writer *w, struct coda_ask *ask, const struct coda_doc *doc, const struct coda_item *item,
		      bool *ret_is_old, struct error *err)
{
	int64_t age_ns = clock_wall_ns() - doc->modified_wall_ns;
	int r;

	buf_release(&w->out);
	w->out = BUF_INIT(CODA_EXPORT_MAX);
	r = coda_export_text(&ask->call, doc->id, item->id, "markdown", &w->out, NULL, err);
	*ret_is_old = age_ns > -SETTLED_NS && age_ns < SETTLED_NS;
	return r < 0 ? r : flush(w, err);
}

int coda_item_write(struct coda_store *s, const struct coda_doc *doc, const struct coda_item *item, struct cancel *cancel,
		    int fd, uint64_t *ret_size, bool *ret_is_old, struct error *err)
{
	struct writer w = { .fd = fd, .kind = item->kind, .out = BUF_INIT(SERVICE_ANSWER_MAX), .arena = ARENA_INIT(16 << 20) };
	struct coda_ask ask;
	int r = item->kind == CODA_MARKDOWN ? coda_ask_init(s, &ask, cancel, err, NULL)
					    : coda_ask_init(s, &ask, cancel, err, "doc", doc->id, "table", item->id, NULL);

	if (r == 0 && item->is_view)
		json_object_object_add(ask.call.params, "visible", json_object_new_boolean(true));
	if (r == 0)
		r = item->kind == CODA_MARKDOWN ? write_page(&w, &ask, doc, item, ret_is_old, err)
						: write_latest_table(s, &w, &ask, item, ret_is_old, err);
	coda_ask_release(&ask);
	buf_release(&w.out);
	arena_release(&w.arena);
	*ret_size = w.size;
	return r;
}
