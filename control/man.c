#include "control/man.h"

#include "control/cli_op.h"
#include "fs/options.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>

#define PAGE_BYTES ((size_t)1 << 20)
#define PAGES_MAX  128

/* Text as roff takes it: no line begins with a control character, '-' and '\' mean themselves. */
static int add_text(struct buf *out, const char *s)
{
	bool is_start = true;
	int r = 0;

	for (; *s && r == 0; s++) {
		if (is_start && (*s == '.' || *s == '\''))
			r = buf_adds(out, "\\&");
		if (r < 0)
			break;
		r = *s == '\\' ? buf_adds(out, "\\e") : *s == '-' ? buf_adds(out, "\\-") : buf_addc(out, *s);
		is_start = *s == '\n';
	}
	return r;
}

static int add_line(struct buf *out, const char *macro, const char *text)
{
	int r = buf_addf(out, "%s%s", macro, *macro ? " " : "");

	if (r == 0)
		r = add_text(out, text);
	return r < 0 ? r : buf_addc(out, '\n');
}

static int add_head(struct buf *out, const char *name, const char *summary)
{
	char title[80];
	int r;

	(void)snprintf(title, sizeof title, "%s", name); /* names are short */
	for (char *c = title; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	r = buf_addf(out, ".\\\" made by skydir from its tables\n.TH %s 1 \"\" \"skydir %s\" \"skydir\"\n.SH NAME\n", title,
		     SKYDIR_VERSION);
	if (r == 0)
		r = add_text(out, name);
	if (r == 0)
		r = buf_adds(out, " \\- ");
	return r < 0 ? r : add_line(out, "", summary);
}

static int add_examples(struct buf *out, const char *section, const char *examples)
{
	int r = buf_addf(out, "%s\n.nf\n", section);

	if (r == 0)
		r = add_text(out, examples);
	return r < 0 ? r : buf_adds(out, "\n.fi\n");
}

static int add_item(struct buf *out, const char *left, const char *value, const char *help)
{
	int r = buf_adds(out, ".TP\n\\fB");

	if (r == 0)
		r = add_text(out, left);
	if (r == 0)
		r = buf_adds(out, "\\fR");
	if (r == 0 && value)
		r = buf_addf(out, " \\fI%s\\fR", value);
	if (r == 0)
		r = buf_addc(out, '\n');
	return r < 0 ? r : add_line(out, "", help);
}

static int add_options(struct buf *out, const struct args_option *options)
{
	int r = 0;

	for (const struct args_option *o = options; (o->letter || o->name) && r == 0; o++) {
		char left[96] = "", letter[8] = "";

		if (o->letter)
			(void)snprintf(letter, sizeof letter, "-%c%s", o->letter, o->name ? ", " : "");
		(void)snprintf(left, sizeof left, "%s%s%s", letter, o->name ? "--" : "", o->name ? o->name : "");
		r = add_item(out, left, o->value, o->help);
	}
	return r;
}

/* ---- operations ---- */

static int add_arguments(struct buf *out, const struct op *op)
{
	const struct op_param *p;
	int r = 0;

	for (size_t i = 0; r == 0 && (p = op_param_at(op, i)) != NULL; i++)
		if (p->position)
			r = add_item(out, p->name, NULL, p->help);
	return r;
}

static int add_fields(struct buf *out, const struct op *op)
{
	int r = op->shape ? add_line(out, ".PP\nMembers of the result:", "") : 0;

	for (const struct record_field *f = op->shape ? op->shape->fields : NULL; f && f->name && r == 0; f++)
		r = add_item(out, f->name, NULL, f->help);
	return r;
}

static int add_op(struct buf *out, const struct op *op)
{
	struct args_option *options = cli_op_options(op);
	char words[128];
	int r = options ? 0 : -ENOMEM;

	cli_op_words(op, words, sizeof words);
	if (r == 0)
		r = buf_addf(out, ".SS skydir %s\n", words);
	if (r == 0)
		r = add_line(out, "", op->summary);
	if (r == 0 && op->details)
		r = add_line(out, ".PP\n", op->details);
	if (r == 0)
		r = add_arguments(out, op);
	if (r == 0)
		r = add_options(out, options);
	if (r == 0)
		r = add_fields(out, op);
	if (r == 0 && op->example)
		r = add_examples(out, ".PP\nExamples:\n.PP", op->example);
	cli_op_options_free(options);
	return r;
}

struct page {
	struct buf *out;
	const char *resource;
};

static bool is_of(const struct op *op, const char *resource)
{
	size_t len = strlen(resource);

	return cli_op_is_command(op) && !strncmp(op->name, resource, len) && (op->name[len] == '.' || !op->name[len]);
}

static int add_op_of(void *arg, const struct op *op)
{
	struct page *p = arg;

	return is_of(op, p->resource) ? add_op(p->out, op) : 0;
}

static int add_resource_page(const char *resource, struct buf *out)
{
	struct page p = {out, resource};
	char name[80];
	int r;

	(void)snprintf(name, sizeof name, "skydir-%s", resource); /* names are short */
	r = add_head(out, name, "operations of skydir's control plane");
	if (r == 0)
		r = buf_adds(out, ".SH OPERATIONS\n");
	if (r == 0)
		r = op_each(add_op_of, &p);
	return r < 0 ? r : buf_adds(out, ".SH SEE ALSO\n.BR skydir (1)\n");
}

/* ---- commands ---- */

static int add_mount_options(struct buf *out)
{
	int r = buf_adds(out, ".SH MOUNT OPTIONS\nAfter \\fB\\-o\\fR, or in section [skydir] of the configuration file.\n");

	for (const struct fs_option_row *o = fs_option_rows; o->key && r == 0; o++)
		r = add_item(out, o->key, o->values && o->values[0] ? o->values : NULL, o->help);
	return r;
}

static int add_command_page(const struct command *c, struct buf *out)
{
	char name[80];
	int r;

	(void)snprintf(name, sizeof name, "skydir-%s", c->name); /* names are short */
	r = add_head(out, name, c->summary);
	if (r == 0)
		r = buf_addf(out, ".SH SYNOPSIS\n\\fBskydir %s\\fR ", c->name);
	if (r == 0)
		r = add_line(out, "", c->synopsis);
	if (r == 0)
		r = add_line(out, ".SH DESCRIPTION\n", c->details);
	if (r == 0)
		r = buf_adds(out, ".SH OPTIONS\n");
	if (r == 0)
		r = add_options(out, c->options);
	if (r == 0 && !strcmp(c->name, "mount"))
		r = add_mount_options(out);
	if (r == 0)
		r = add_examples(out, ".SH EXAMPLES", c->examples);
	return r < 0 ? r : buf_adds(out, ".SH SEE ALSO\n.BR skydir (1)\n");
}

/* ---- the pages ---- */

struct names { /* of commands and resources, once each */
	char items[PAGES_MAX][64];
	const char *summaries[PAGES_MAX];
	size_t count;
};

static int add_name(struct names *n, const char *name, size_t len, const char *summary)
{
	for (size_t i = 0; i < n->count; i++)
		if (strlen(n->items[i]) == len && !memcmp(n->items[i], name, len))
			return 0;
	if (n->count == PAGES_MAX || len >= sizeof n->items[0])
		return -EINVAL;
	memcpy(n->items[n->count], name, len); /* the rest is 0 */
	n->summaries[n->count++] = summary;
	return 0;
}

static int add_resource_name(void *arg, const struct op *op)
{
	size_t len = strcspn(op->name, ".");

	if (!cli_op_is_command(op))
		return 0;
	return add_name(arg, op->name, len, op->name[len] ? "operations" : op->summary);
}

static int collect(struct names *n)
{
	const struct command *c;
	int r = 0;

	for (size_t i = 0; r == 0 && (c = cli_command_at(i)) != NULL; i++)
		if (c->name[0] != '_')
			r = add_name(n, c->name, strlen(c->name), c->summary);
	return r < 0 ? r : op_each(add_resource_name, n);
}

static int add_main_page(struct buf *out)
{
	CLEANUP(freep) struct names *names = calloc(1, sizeof *names);
	int r = names ? collect(names) : -ENOMEM;

	if (r == 0)
		r = add_head(out, "skydir", "every cloud as one directory tree, and a control plane for the rest");
	if (r == 0)
		r = buf_adds(out, ".SH SYNOPSIS\n\\fBskydir\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]\n.br\n"
				  "\\fBskydir\\fR \\fIRESOURCE VERB\\fR [\\fIARGUMENTS\\fR]\n.SH COMMANDS AND RESOURCES\n");
	for (size_t i = 0; r == 0 && i < names->count; i++)
		r = add_item(out, names->items[i], NULL, names->summaries[i]);
	return r < 0 ? r
		     : buf_adds(out, ".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage, 3 not found, 4 not permitted or no "
				     "credentials, 5 temporary, 6 conflict, 7 quota, 8 time\\-out, 10 done in part, "
				     "130 interrupted.\n.SH SEE ALSO\nEach command and resource has a page: "
				     "\\fBskydir\\-mount\\fR(1), \\fBskydir\\-instances\\fR(1).\n");
}

int man_page(const char *name, struct buf *out)
{
	const struct command *c;

	if (!name)
		return add_main_page(out);
	for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++)
		if (!strcmp(c->name, name))
			return add_command_page(c, out);
	if (!cli_op_is_resource(name) && !op_find(name))
		return -EINVAL;
	return add_resource_page(name, out);
}

static int write_page(const char *dir, const char *name, struct error *err)
{
	CLEANUP(freep) char *path = str_format("%s/skydir%s%s.1", dir, name ? "-" : "", name ? name : "");
	CLEANUP(buf_release) struct buf page = BUF_INIT(PAGE_BYTES);
	CLEANUP(closep) int fd = -1;

	if (!path || man_page(name, &page) < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, page.data, page.len) != (ssize_t)page.len)
		return error_errno(err, errno, "cannot write '%.200s'", path);
	return 0;
}

int man_write_all(const char *dir, struct error *err)
{
	CLEANUP(freep) struct names *names = calloc(1, sizeof *names);
	int r = names ? collect(names) : -ENOMEM;

	if (r < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = write_page(dir, NULL, err);
	for (size_t i = 0; r == 0 && i < names->count; i++)
		r = write_page(dir, names->items[i], err);
	return r;
}
