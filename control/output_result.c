#include "control/output_result.h"

#include "control/rpc.h"
#include "control/text.h"

#include <fnmatch.h>
#include <stdio.h>

#define COLUMNS_MAX  64
#define RESULT_BYTES (2 * (size_t)RPC_REPLY_MAX)

static struct json_object *items_of(struct json_object *result)
{
	struct json_object *items = NULL;

	if (json_object_is_type(result, json_type_object))
		(void)json_object_object_get_ex(result, "items", &items); /* absent: NULL */
	return json_object_is_type(items, json_type_array) ? items : NULL;
}

/* A value as one cell: lists by commas, objects as k=v. */
static int add_value(struct buf *out, struct json_object *value)
{
	int r = 0;

	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value) && r == 0; i++) {
			r = i ? buf_addc(out, ',') : 0;
			if (r == 0)
				r = add_value(out, json_object_array_get_idx(value, i));
		}
		return r;
	}
	if (json_object_is_type(value, json_type_object)) {
		bool is_first = true;

		json_object_object_foreach(value, name, member)
		{
			if (r == 0 && !is_first)
				r = buf_addc(out, ',');
			if (r == 0)
				r = buf_addf(out, "%s=", name);
			if (r == 0)
				r = add_value(out, member);
			is_first = false;
		}
		return r;
	}
	return value ? buf_adds(out, json_object_get_string(value)) : 0;
}

static int cell_of(struct json_object *item, const char *column, struct buf *out)
{
	struct json_object *value = NULL;

	buf_clear(out);
	if (!json_object_is_type(item, json_type_object))
		return strcmp(column, "value") ? 0 : add_value(out, item);
	if (!json_object_object_get_ex(item, column, &value)) /* a name may hold dots itself */
		value = json_get(item, column);
	return add_value(out, value);
}

/* ---- filter, sort, limit ---- */

struct filter {
	char name[128];
	const char *pattern;
	bool is_negated;
};

static int parse_filter(const char *text, struct filter *ret, struct error *err)
{
	const char *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : 0;

	ret->is_negated = len && text[len - 1] == '!';
	len -= ret->is_negated;
	if (!equals || !len || len >= sizeof ret->name)
		return error_set(err, ERR_INVALID, "--filter '%.64s' is not NAME=VALUE", text);
	memcpy(ret->name, text, len);
	ret->name[len] = '\0';
	ret->pattern = equals + 1;
	return 0;
}

static int filter_items(struct json_object *items, const char *text, struct error *err)
{
	CLEANUP(buf_release) struct buf cell = BUF_INIT(RESULT_BYTES);
	struct filter f;
	int r = parse_filter(text, &f, err);

	for (size_t i = 0; r == 0 && i < json_object_array_length(items);) {
		struct json_object *item = json_object_array_get_idx(items, i);
		bool is_match;

		if (cell_of(item, f.name, &cell) < 0)
			return error_no_memory(err);
		is_match = fnmatch(f.pattern, buf_cstr(&cell), 0) == 0;
		if (is_match == f.is_negated)
			(void)json_object_array_del_idx(items, i, 1); /* in range: cannot fail */
		else
			i++;
	}
	return r;
}

/* ---- names of members ---- */

static bool has_member(const struct record_shape *shape, struct str name)
{
	static const char *const always[] = {"provider", "raw", NULL};
	struct str head = str_split(&name, '.'); /* "flavor.ram" */

	for (const struct record_field *f = shape->fields; f->name; f++)
		if (str_equal(head, str_of(f->name)))
			return true;
	for (const char *const *a = always; *a; a++)
		if (str_equal(head, str_of(*a)))
			return true;
	return false;
}

static int check_member(const struct op *op, const char *option, struct str name, struct error *err)
{
	CLEANUP(buf_release) struct buf known = BUF_INIT(150);
	CLEANUP(freep) char *typed = str_dup(name);

	if (!typed)
		return error_no_memory(err);
	if (!op->shape || !name.len || has_member(op->shape, name))
		return 0;
	for (const struct record_field *f = op->shape->fields; f->name; f++)
		if (text_is_near(typed, f->name))
			return error_set(err, ERR_INVALID, "--%s '%.64s' is no member of the result (did you mean '%s'?)", option,
					 typed, f->name);
	for (const struct record_field *f = op->shape->fields; f->name; f++)
		if (buf_addf(&known, "%s%s", known.len ? ", " : "", f->name) < 0)
			break; /* cut off is fine */
	return error_set(err, ERR_INVALID, "--%s '%.64s' is no member of the result (%s)", option, typed, buf_cstr(&known));
}

int output_check(const struct op *op, const struct output_choice *choice, struct error *err)
{
	struct str rest = str_of(choice->columns ? choice->columns : ""), name;
	const char *by = choice->sort_by ? choice->sort_by : "";
	int r = check_member(op, "sort-by", str_of(*by == '-' ? by + 1 : by), err);

	while (r == 0 && rest.ptr && (name = str_split(&rest, ',')).ptr)
		r = check_member(op, "columns", str_trim(name), err);
	for (size_t i = 0; i < choice->filter_count && r == 0; i++) {
		struct filter f;

		r = parse_filter(choice->filters[i], &f, err);
		if (r == 0)
			r = check_member(op, "filter", str_of(f.name), err);
	}
	return r;
}

/* json-c sorts through qsort, which hands nothing through: one thread, so a variable of the file will do. */
static const char *sort_name;

static int compare(const void *left, const void *right)
{
	struct json_object *a = *(struct json_object *const *)left, *b = *(struct json_object *const *)right;
	const char *name = *sort_name == '-' ? sort_name + 1 : sort_name;
	struct json_object *x = json_get(a, name), *y = json_get(b, name);
	bool is_number = x && y && !json_object_is_type(x, json_type_string) &&
			 !json_object_is_type(y, json_type_string);
	int order;

	if (!x || !y)
		order = !x - !y;
	else if (is_number)
		order = (json_object_get_double(x) > json_object_get_double(y)) -
			(json_object_get_double(x) < json_object_get_double(y));
	else
		order = strcmp(json_object_get_string(x), json_object_get_string(y));
	return *sort_name == '-' ? -order : order;
}

int output_select(struct json_object *result, const struct output_choice *choice, struct error *err)
{
	struct json_object *items = items_of(result);
	size_t count;
	int r = 0;

	if (!items)
		return 0;
	for (size_t i = 0; i < choice->filter_count && r == 0; i++)
		r = filter_items(items, choice->filters[i], err);
	if (r < 0)
		return r;
	if (choice->sort_by && *choice->sort_by) {
		sort_name = choice->sort_by;
		json_object_array_sort(items, compare);
	}
	count = json_object_array_length(items);
	if (choice->limit && count > choice->limit) {
		(void)json_object_array_del_idx(items, choice->limit, count - choice->limit); /* in range */
		count = choice->limit;
	}
	json_object_object_add(result, "count", json_object_new_uint64(count));
	return 0;
}

/* ---- columns ---- */

struct columns {
	char *names[COLUMNS_MAX];
	size_t count;
};

static void columns_release(struct columns *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->names[i]);
}

static int add_column(struct columns *c, struct str name, struct error *err)
{
	if (c->count == COLUMNS_MAX)
		return error_set(err, ERR_INVALID, "at most %d columns", COLUMNS_MAX);
	c->names[c->count] = str_dup(str_trim(name));
	return c->names[c->count++] ? 0 : error_no_memory(err);
}

static int columns_from_list(struct columns *c, const char *list, struct error *err)
{
	struct str rest = str_of(list), name;
	int r = 0;

	while (r == 0 && (name = str_split(&rest, ',')).ptr)
		if (str_trim(name).len)
			r = add_column(c, name, err);
	return r < 0 || c->count ? r : error_set(err, ERR_INVALID, "no column is named");
}

/* What the first item has, when no shape says it. */
static int columns_from_item(struct columns *c, struct json_object *item, struct error *err)
{
	int r = 0;

	if (!json_object_is_type(item, json_type_object))
		return add_column(c, STR("value"), err);
	json_object_object_foreach(item, name, value)
	{
		(void)value; /* only the name */
		if (r == 0 && c->count < 8)
			r = add_column(c, str_of(name), err);
	}
	return r < 0 || c->count ? r : add_column(c, STR("value"), err);
}

static int choose_columns(const struct op *op, struct json_object *items, const struct output_choice *choice,
			  struct columns *ret, struct error *err)
{
	int r = 0;

	if (choice->columns)
		return columns_from_list(ret, choice->columns, err);
	if (choice->has_provider)
		r = add_column(ret, STR("provider"), err);
	if (r < 0)
		return r;
	if (choice->format == OUTPUT_CSV && op->shape) { /* all of them: it is for programs */
		for (const struct record_field *f = op->shape->fields; f->name && r == 0; f++)
			r = add_column(ret, str_of(f->name), err);
		return r;
	}
	if (op->shape && op->shape->columns)
		return columns_from_list(ret, op->shape->columns, err);
	return columns_from_item(ret, json_object_array_get_idx(items, 0), err);
}

/* ---- the formats ---- */

static int add_json(struct buf *out, struct json_object *o, struct error *err)
{
	const char *text =
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	return !text || rpc_add_utf8(out, text) < 0 || buf_addc(out, '\n') < 0 ? error_no_memory(err) : 0;
}

static int add_json_lines(struct buf *out, struct json_object *result, struct error *err)
{
	struct json_object *items = items_of(result);
	int r = 0;

	if (!items)
		return add_json(out, result, err);
	for (size_t i = 0; i < json_object_array_length(items) && r == 0; i++)
		r = add_json(out, json_object_array_get_idx(items, i), err);
	return r;
}

static int add_csv_cell(struct buf *out, const char *cell)
{
	int r;

	if (!strpbrk(cell, ",\"\r\n"))
		return buf_adds(out, cell);
	r = buf_addc(out, '"');
	for (; *cell && r == 0; cell++) {
		r = *cell == '"' ? buf_addc(out, '"') : 0;
		if (r == 0)
			r = buf_addc(out, *cell);
	}
	return r < 0 ? r : buf_addc(out, '"');
}

static int add_csv_row(struct buf *out, const struct columns *columns, struct json_object *item)
{
	CLEANUP(buf_release) struct buf cell = BUF_INIT(RESULT_BYTES);
	int r = 0;

	for (size_t i = 0; i < columns->count && r == 0; i++) {
		r = i ? buf_addc(out, ',') : 0;
		if (r == 0 && item)
			r = cell_of(item, columns->names[i], &cell);
		if (r == 0)
			r = add_csv_cell(out, item ? buf_cstr(&cell) : columns->names[i]);
	}
	return r < 0 ? r : buf_adds(out, "\r\n");
}

static int add_csv(struct buf *out, const struct columns *columns, struct json_object *items, bool has_no_headers)
{
	int r = has_no_headers ? 0 : add_csv_row(out, columns, NULL);

	for (size_t i = 0; i < json_object_array_length(items) && r == 0; i++)
		r = add_csv_row(out, columns, json_object_array_get_idx(items, i));
	return r;
}

/* The table's text ends without a line feed. */
static int add_table_text(struct buf *out, const char *text)
{
	size_t len = strlen(text);
	int r = buf_add(out, text, len);

	return r == 0 && len && text[len - 1] != '\n' ? buf_addc(out, '\n') : r;
}

static int add_table_row(struct output_table *t, const struct columns *columns, struct json_object *item)
{
	const char *cells[COLUMNS_MAX];
	struct buf texts[COLUMNS_MAX];
	int r = 0;

	for (size_t i = 0; i < columns->count; i++)
		texts[i] = BUF_INIT(65536);
	for (size_t i = 0; i < columns->count && r == 0; i++) {
		r = cell_of(item, columns->names[i], &texts[i]);
		cells[i] = buf_cstr(&texts[i]);
	}
	if (r == 0)
		r = output_table_row(t, cells);
	for (size_t i = 0; i < columns->count; i++)
		buf_release(&texts[i]);
	return r;
}

static void upper(char *to, size_t size, const char *from)
{
	size_t i = 0;

	for (; from[i] && i + 1 < size; i++)
		to[i] = (char)(from[i] >= 'a' && from[i] <= 'z' ? from[i] - 32 : from[i]);
	to[i] = '\0';
}

static int add_table(struct buf *out, const struct columns *columns, struct json_object *items,
		     const struct output_choice *choice, struct error *err)
{
	char heads[COLUMNS_MAX][64];
	const char *names[COLUMNS_MAX];
	struct output_table *t;
	CLEANUP(freep) char *text = NULL;
	int r = 0;

	for (size_t i = 0; i < columns->count; i++) {
		upper(heads[i], sizeof heads[i], columns->names[i]);
		names[i] = heads[i];
	}
	t = output_table_new(names, columns->count);
	if (!t)
		return error_no_memory(err);
	output_table_cut(t, columns->count > 1 ? columns->count - 1 : 1); /* what comes first is needed to go on with */
	if (choice->has_no_headers)
		output_table_hide_headers(t);
	if (choice->has_colour)
		output_table_colour(t);
	for (size_t i = 0; i < json_object_array_length(items) && r == 0; i++)
		r = add_table_row(t, columns, json_object_array_get_idx(items, i));
	text = r == 0 ? output_table_text(t) : NULL;
	output_table_free(t);
	return !text || add_table_text(out, text) < 0 ? error_no_memory(err) : 0;
}

static bool has_lines(struct json_object *value)
{
	return json_object_is_type(value, json_type_string) && strchr(json_object_get_string(value), '\n');
}

/* Tabs stay: zone files have them, and they move no cursor to where it must not be. */
static int add_line(struct buf *out, struct str line)
{
	struct str rest = line, piece;
	int r = 0;

	while (r == 0 && (piece = str_split(&rest, '\t')).ptr) {
		CLEANUP(freep) char *copy = str_dup(piece);

		if (!copy)
			return -1;
		r = text_escape(out, copy);
		if (r == 0 && rest.ptr)
			r = buf_addc(out, '\t');
	}
	return r < 0 ? r : buf_addc(out, '\n');
}

static int add_lines(struct buf *out, const char *text)
{
	struct str rest = str_of(text), line;
	int r = 0;

	while (r == 0 && rest.ptr && rest.len && (line = str_split(&rest, '\n')).ptr) {
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		r = add_line(out, line);
	}
	return r;
}

int output_add_lines(struct buf *out, const char *name, const char *text)
{
	int r = buf_addf(out, "\n%s:\n", name);

	return r < 0 ? r : add_lines(out, text);
}

/* One thing: a line for each member. */
static int add_members(struct buf *out, struct json_object *o, bool has_colour, struct error *err)
{
	static const char *const heads[] = {"NAME", "VALUE"};
	struct output_table *t = output_table_new(heads, ARRAY_SIZE(heads));
	CLEANUP(buf_release) struct buf cell = BUF_INIT(RESULT_BYTES);
	CLEANUP(freep) char *text = NULL;
	int r = t ? 0 : -ENOMEM;

	if (t) {
		output_table_hide_headers(t);
		output_table_cut(t, ARRAY_SIZE(heads));
	}
	if (t && has_colour)
		output_table_colour(t);
	json_object_object_foreach(o, name, value)
	{
		const char *cells[2] = {name, NULL};

		buf_clear(&cell);
		if (r == 0 && value && !has_lines(value))
			r = add_value(&cell, value);
		cells[1] = buf_cstr(&cell);
		if (r == 0 && value && !has_lines(value))
			r = output_table_row(t, cells);
	}
	text = r == 0 ? output_table_text(t) : NULL;
	output_table_free(t);
	r = text ? add_table_text(out, text) : -1;
	json_object_object_foreach(o, long_name, lines)
	{
		if (r == 0 && has_lines(lines))
			r = output_add_lines(out, long_name, json_object_get_string(lines));
	}
	return r < 0 ? error_no_memory(err) : 0;
}

/* What a dry run would have sent, as one reads it. */
static int add_plan(struct buf *out, struct json_object *plan, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < json_object_array_length(plan) && r >= 0; i++) {
		struct json_object *q = json_object_array_get_idx(plan, i), *query = json_get(q, "query"),
				   *body = json_get(q, "body");
		const char *method = json_get_string(q, "method"), *url = json_get_string(q, "url");

		r = buf_addf(out, "%s %s\n", method ? method : "?", url ? url : "?");
		if (r == 0 && query)
			r = buf_addf(out, "  query: %s\n",
				     json_object_to_json_string_ext(query, JSON_C_TO_STRING_PLAIN |
										   JSON_C_TO_STRING_NOSLASHESCAPE));
		if (r == 0 && body)
			r = buf_addf(out, "  body: %s\n",
				     json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN |
										  JSON_C_TO_STRING_NOSLASHESCAPE));
	}
	return r < 0 ? error_no_memory(err) : 0;
}

static int add_columns_text(const struct op *op, struct json_object *items, const struct output_choice *choice,
			    struct buf *out, struct error *err)
{
	CLEANUP(columns_release) struct columns columns = {.count = 0};
	int r = choose_columns(op, items, choice, &columns, err);

	if (r < 0)
		return r;
	if (choice->format == OUTPUT_TABLE)
		return add_table(out, &columns, items, choice, err);
	return add_csv(out, &columns, items, choice->has_no_headers) < 0 ? error_no_memory(err) : 0;
}

int output_result_text(const struct op *op, struct json_object *result, const struct output_choice *choice,
		       struct buf *out, struct error *err)
{
	struct json_object *items = items_of(result), *plan = result ? json_get_array(result, "would_send") : NULL;
	struct json_object *single = NULL;
	int r;

	if (choice->format == OUTPUT_JSON)
		return add_json(out, result, err);
	if (choice->format == OUTPUT_JSONL)
		return result ? add_json_lines(out, result, err) : 0;
	if (!result)
		return 0;
	if (plan)
		return add_plan(out, plan, err);
	if (items)
		return add_columns_text(op, items, choice, out, err);
	if (!json_object_is_type(result, json_type_object))
		return add_value(out, result) < 0 || buf_addc(out, '\n') < 0 ? error_no_memory(err) : 0;
	if (choice->format == OUTPUT_TABLE && !choice->columns && op->text && json_get_string(result, op->text))
		return (choice->has_terminal ? add_lines : buf_adds)(out, json_get_string(result, op->text)) < 0 ?
			       error_no_memory(err) :
			       0;
	if (choice->format == OUTPUT_TABLE && !choice->columns)
		return add_members(out, result, choice->has_colour, err);
	single = json_object_new_array();
	if (!single || json_object_array_add(single, json_object_get(result)) != 0) {
		json_object_put(single);
		return error_no_memory(err);
	}
	r = add_columns_text(op, single, choice, out, err);
	json_object_put(single);
	return r;
}

int output_result(const struct op *op, struct json_object *result, const struct output_choice *choice,
		  struct error *err)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(4 * RESULT_BYTES);
	int r;

	if (choice->format == OUTPUT_JSON && isatty(STDOUT_FILENO))
		return output_json(result, err);
	r = output_result_text(op, result, choice, &out, err);
	if (r < 0)
		return r;
	if (fwrite(buf_cstr(&out), 1, out.len, stdout) != out.len)
		return error_errno(err, errno, "cannot write the result");
	return 0;
}
