/*
 * The help of operations: of one, of a resource, of all.
 */
#include "control/cli_op.h"
#include "control/text.h"

#include <stdio.h>

static void as_words(const char *name, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%s", name); /* names are short */
	for (char *c = ret; *c; c++)
		if (*c == '.')
			*c = ' ';
}

void cli_op_words(const struct op *op, char *ret, size_t size)
{
	as_words(op->name, ret, size);
}

static const struct op_param *param_of_option(const struct op *op, const char *option)
{
	const struct op_param *p;

	for (size_t i = 0; (p = op_param_at(op, i)) != NULL; i++) {
		const char *a = p->name, *b = option;

		while (*a && *b && (*a == *b || (*a == '_' && *b == '-')))
			a++, b++;
		if (!*a && (!*b || (p->is_secret && !strcmp(b, "-file"))) && !p->position)
			return p;
	}
	return NULL;
}

static int add_argument(const struct op_param *p, struct buf *out)
{
	char name[64];
	size_t n = 0;

	for (; p->name[n] && n + 1 < sizeof name; n++)
		name[n] = (char)(p->name[n] >= 'a' && p->name[n] <= 'z' ? p->name[n] - 32 : p->name[n]);
	name[n] = '\0';
	return buf_addf(out, p->is_required ? " %s%s" : " [%s%s]", name, p->is_rest ? "..." : "");
}

int cli_op_usage(const struct op *op, struct buf *out)
{
	struct args_option *options = cli_op_options(op);
	const struct op_param *p;
	char words[128];
	int r = options ? 0 : -ENOMEM;

	cli_op_words(op, words, sizeof words);
	if (r == 0)
		r = buf_adds(out, words);
	for (unsigned position = 1; r == 0 && position < 16; position++)
		for (size_t i = 0; r == 0 && (p = op_param_at(op, i)) != NULL; i++)
			r = p->position == position ? add_argument(p, out) : 0;
	for (struct args_option *o = options; r == 0 && o->name; o++) {
		p = param_of_option(op, o->name);
		if (p && p->is_required)
			r = buf_addf(out, " --%s %s", o->name, o->value ? o->value : "");
	}
	cli_op_options_free(options);
	return r < 0 ? r : buf_adds(out, " [OPTIONS]");
}

static int add_choices(const struct op_param *p, struct buf *out)
{
	int r = p->choices ? buf_adds(out, " (") : 0;

	for (size_t i = 0; p->choices && p->choices[i] && r == 0; i++)
		r = buf_addf(out, "%s%s", i ? ", " : "", p->choices[i]);
	return r < 0 || !p->choices ? r : buf_addc(out, ')');
}

static int add_arguments(const struct op *op, struct buf *out)
{
	const struct op_param *p;
	bool is_first = true;
	int r = 0;

	for (size_t i = 0; r == 0 && (p = op_param_at(op, i)) != NULL; i++) {
		if (!p->position)
			continue;
		r = buf_addf(out, "%s  %-28s %s", is_first ? "\narguments:\n" : "", p->name, p->help);
		if (r == 0)
			r = add_choices(p, out);
		if (r == 0)
			r = buf_addc(out, '\n');
		is_first = false;
	}
	return r;
}

static int add_options(const struct op *op, struct buf *out)
{
	struct args_option *options = cli_op_options(op);
	int r = options ? buf_adds(out, "\noptions:\n") : -ENOMEM;

	for (struct args_option *o = options; r == 0 && o->name; o++) {
		const struct op_param *p = param_of_option(op, o->name);
		char left[64];

		(void)snprintf(left, sizeof left, "%s%c%s--%s%s%s", o->letter ? "-" : " ", o->letter ? o->letter : ' ',
			       o->letter ? ", " : "  ", o->name, o->value ? " " : "", o->value ? o->value : "");
		r = buf_addf(out, "  %-30s %s", left, o->help);
		if (r == 0 && p)
			r = add_choices(p, out);
		if (r == 0)
			r = buf_adds(out, p && p->is_required ? " [required]\n" : "\n");
	}
	cli_op_options_free(options);
	return r;
}

static int add_result(const struct op *op, struct buf *out)
{
	int r = op->shape ? buf_addf(out, "\nmembers of %s %s:\n", op->result == OP_ITEMS ? "each" : "the", op->shape->name)
			  : 0;

	for (const struct record_field *f = op->shape ? op->shape->fields : NULL; f && f->name && r == 0; f++)
		r = buf_addf(out, "  %-28s %s\n", f->name, f->help);
	return r;
}

static int add_example(const struct op *op, struct buf *out)
{
	struct str rest = str_of(op->example), line;
	int r = op->example ? buf_adds(out, "\nexamples:\n") : 0;

	while (op->example && r == 0 && (line = str_split(&rest, '\n')).ptr)
		r = buf_addf(out, "  %.*s\n", (int)line.len, line.ptr);
	return r;
}

int cli_op_help(const struct op *op, struct buf *out)
{
	char words[128];
	int r;

	cli_op_words(op, words, sizeof words);
	r = buf_addf(out, "skydir %s: %s\n\n", words, op->summary);
	if (r == 0)
		r = buf_adds(out, "usage: skydir ");
	if (r == 0)
		r = cli_op_usage(op, out);
	if (r == 0)
		r = buf_addc(out, '\n');
	if (r == 0 && op->details)
		r = buf_addf(out, "\n%s\n", op->details);
	if (r == 0)
		r = add_arguments(op, out);
	if (r == 0)
		r = add_options(op, out);
	if (r == 0)
		r = add_result(op, out);
	return r < 0 ? r : add_example(op, out);
}

struct listing {
	const char *prefix;
	size_t len;
	struct buf *out;
	char last[64];
	size_t column; /* where the line is */
};
#define HELP_WIDTH  100
#define HELP_INDENT 19

static int add_verb(void *arg, const struct op *op)
{
	struct listing *l = arg;
	char words[128];

	if (!cli_op_is_command(op) || strncmp(op->name, l->prefix, l->len) != 0 || op->name[l->len] != '.')
		return 0;
	cli_op_words(op, words, sizeof words);
	return buf_addf(l->out, "  %-36s %s\n", words, op->summary);
}

int cli_op_help_resource(const char *prefix, struct buf *out)
{
	struct listing l = {.prefix = prefix, .len = strlen(prefix), .out = out};
	char words[128];
	int r;

	as_words(prefix, words, sizeof words);
	r = buf_addf(out, "skydir %s: operations\n\n", words);
	if (r == 0)
		r = op_each(add_verb, &l);
	return r < 0 ? r : buf_addf(out, "\n`skydir %s VERB --help` explains one.\n", words);
}

/* A verb of the resource's, on the next line when this one is full. */
static int add_word(struct listing *l, const char *word, bool is_first)
{
	size_t len = strlen(word);

	if (!is_first && l->column + len + 2 > HELP_WIDTH) {
		l->column = HELP_INDENT + len;
		return buf_addf(l->out, ",\n%*s%s", HELP_INDENT, "", word);
	}
	l->column += len + (is_first ? 0 : 2);
	return buf_addf(l->out, "%s%s", is_first ? "" : ", ", word);
}

/* A resource's verbs follow one another in the tables: "instances  list, get, create". */
static int add_resource(void *arg, const struct op *op)
{
	struct listing *l = arg;
	size_t len = strcspn(op->name, ".");
	bool is_first = strncmp(l->last, op->name, len) != 0 || l->last[len];
	int r = 0;

	if (!cli_op_is_command(op))
		return 0;
	if (!op->name[len]) /* a verb alone */
		return buf_addf(l->out, "%s  %-16s %s", l->last[0] ? "\n" : "", op->name, op->summary);
	if (len >= sizeof l->last)
		return -EINVAL;
	if (is_first) {
		r = buf_addf(l->out, "%s  %-16.*s ", l->last[0] ? "\n" : "", (int)len, op->name);
		memcpy(l->last, op->name, len);
		l->last[len] = '\0';
		l->column = HELP_INDENT;
	}
	return r < 0 ? r : add_word(l, op->name + len + 1, is_first);
}

int cli_op_help_all(struct buf *out)
{
	struct listing l = {.prefix = "", .out = out};
	int r = buf_adds(out, "\nresources (skydir RESOURCE VERB; `skydir help RESOURCE`):\n");

	if (r == 0)
		r = op_each(add_resource, &l);
	return r < 0 ? r : buf_addc(out, '\n');
}
