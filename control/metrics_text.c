#include "control/metrics_text.h"

#include <inttypes.h>

struct sample {
	const char *name, *labels, *type, *mount;
	int64_t value;
	size_t order; /* samples of one name keep the order of the table */
};

static int compare(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : (x->order > y->order) - (x->order < y->order);
}

static bool is_legal(const char *name)
{
	size_t len = strlen(name);

	return len && !(name[0] >= '0' && name[0] <= '9') &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:") ==
		       len;
}

static int add_label_value(struct buf *out, const char *value)
{
	int r = 0;

	for (const char *p = value; *p && r == 0; p++) {
		if (*p == '\n')
			r = buf_adds(out, "\\n");
		else if (*p == '"' || *p == '\\')
			r = buf_addf(out, "\\%c", *p);
		else
			r = buf_addc(out, *p);
	}
	return r;
}

static int add_sample(const struct sample *s, bool is_first, struct buf *out)
{
	int r = is_first ? buf_addf(out, "# TYPE %s %s\n", s->name, s->type) : 0;

	if (r == 0)
		r = buf_addf(out, "%s{mount=\"", s->name);
	if (r == 0)
		r = add_label_value(out, s->mount);
	if (r == 0)
		r = buf_addf(out, "\"%s%s} %" PRId64 "\n", s->labels[0] ? "," : "", s->labels,
			     s->value);
	return r;
}

static size_t take_samples(struct json_object *result, struct sample *samples, size_t at)
{
	struct json_object *rows = json_get_array(result, "metrics");
	const char *mount = json_get_string(result, "mountpoint");
	size_t count = rows ? json_object_array_length(rows) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		const char *name = json_get_string(row, "name"),
			   *labels = json_get_string(row, "labels");
		const char *type = json_get_string(row, "type");

		if (!name || !is_legal(name))
			continue;
		samples[at] = (struct sample){.name = name,
					      .labels = labels ? labels : "",
					      .type = type && !strcmp(type, "counter") ? "counter"
										       : "gauge",
					      .mount = mount ? mount : "",
					      .value = json_get_int64(row, "value", 0),
					      .order = at};
		at++;
	}
	return at;
}

int metrics_text(struct json_object *results, struct buf *out)
{
	CLEANUP(freep) struct sample *samples = NULL;
	size_t most = 0, count = 0;
	int r = 0;

	for (size_t i = 0; i < json_object_array_length(results); i++) {
		struct json_object *rows =
			json_get_array(json_object_array_get_idx(results, i), "metrics");

		most += rows ? json_object_array_length(rows) : 0;
	}
	samples = calloc(most + 1, sizeof *samples);
	if (!samples)
		return -ENOMEM;
	for (size_t i = 0; i < json_object_array_length(results); i++)
		count = take_samples(json_object_array_get_idx(results, i), samples, count);
	qsort(samples, count, sizeof *samples, compare);
	for (size_t i = 0; i < count && r == 0; i++)
		r = add_sample(&samples[i],
			       i == 0 || strcmp(samples[i].name, samples[i - 1].name) != 0, out);
	return r;
}
