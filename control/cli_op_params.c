/*
 * From an operation's parameters to command-line options, and from the arguments back to JSON.
 */
#include "backends/base/fileio.h"
#include "control/cli_op.h"
#include "control/paths.h"

#include <fcntl.h>
#include <stdio.h>
#include <strings.h>

#define FILE_BYTES_MAX ((size_t)1 << 20)

static const char *value_name(const struct op_param *p)
{
	static const char *const names[] = {
		[OP_STRING] = "TEXT", [OP_BOOL] = NULL,		 [OP_INT] = "N",	[OP_ENUM] = "WORD",
		[OP_LIST] = "TEXT",   [OP_MAP] = "NAME=VALUE",	 [OP_JSON] = "JSON|@FILE", [OP_TEXT] = "FILE",
		[OP_PATH] = "PATH",   [OP_DURATION] = "TIME",
	};

	return p->is_secret ? "FILE" : names[p->type];
}

/* "dry_run" as "dry-run"; a secret is read from a file, since arguments are seen by everybody. */
static char *option_name(const struct op_param *p)
{
	char *name = str_format("%s%s", p->name, p->is_secret ? "-file" : "");

	for (char *c = name; c && *c; c++)
		if (*c == '_')
			*c = '-';
	return name;
}

static const struct args_option common_options[] = {
	{0, "config", "FILE", "the configuration file"},
	{'o', "output", "table|json|jsonl|csv", "how results and errors are shown"},
	{0, "columns", "NAME,...", "the columns of a table or CSV"},
	{0, "no-headers", NULL, "leave out the line of headers"},
	{0, "filter", "NAME=VALUE", "only items whose member is VALUE (with * and ?; != for all others); may be repeated"},
	{0, "sort-by", "NAME", "sort by a member; -NAME: the other way round"},
	CLI_OPTION_HELP,
};
static const struct args_option limit_option = {0, "limit", "N", "at most so many items"};
static const struct args_option yes_option = {'y', "yes", NULL, "do it without asking"};

static bool is_taken(const struct args_option *options, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(options[i].name, name))
			return true;
	return false;
}

struct args_option *cli_op_options(const struct op *op)
{
	size_t params = 0, count = 0;
	struct args_option *options;
	const struct op_param *p;

	while (op_param_at(op, params))
		params++;
	options = calloc(params + ARRAY_SIZE(common_options) + 3, sizeof *options);
	for (size_t i = 0; options && i < params; i++) {
		p = op_param_at(op, i);
		if (p->position)
			continue;
		options[count] = (struct args_option){0, option_name(p), value_name(p), p->help};
		if (!options[count++].name) {
			cli_op_options_free(options);
			return NULL;
		}
	}
	for (size_t i = 0; options && i < ARRAY_SIZE(common_options) + 2; i++) {
		const struct args_option *o = i < ARRAY_SIZE(common_options) ? &common_options[i]
					      : i == ARRAY_SIZE(common_options) ? &limit_option
										: &yes_option;
		if ((o == &limit_option && op->result != OP_ITEMS) || (o == &yes_option && op->risk != OP_DESTROY) ||
		    is_taken(options, count, o->name))
			continue;
		options[count] = *o;
		options[count].name = str_dup(str_of(o->name));
		if (!options[count++].name) {
			cli_op_options_free(options);
			return NULL;
		}
	}
	return options;
}

void cli_op_options_free(struct args_option *options)
{
	for (struct args_option *o = options; o && o->name; o++)
		free((char *)o->name); /* made by cli_op_options */
	free(options);
}

/* The text of a file, or of standard input for "-". */
static int read_text(const char *path, struct json_object **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(FILE_BYTES_MAX);
	CLEANUP(closep) int opened = -1;
	int fd = STDIN_FILENO;
	ssize_t n;

	if (strcmp(path, "-") != 0) {
		fd = opened = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return error_errno(err, errno, "cannot read '%.200s'", path);
	}
	do {
		if (buf_reserve(&text, 65536) < 0 && buf_reserve(&text, 1) < 0)
			return error_set(err, ERR_TOO_LARGE, "'%.200s' is larger than 1 MiB", path);
		n = read(fd, text.data + text.len, text.capacity - text.len - 1);
		if (n < 0 && errno != EINTR)
			return error_errno(err, errno, "cannot read '%.200s'", path);
		text.len += n > 0 ? (size_t)n : 0;
	} while (n != 0);
	if (text.data)
		text.data[text.len] = '\0';
	*ret = json_object_new_string_len(buf_cstr(&text), (int)text.len);
	return *ret ? 0 : error_no_memory(err);
}

static int read_json(const struct op_param *p, const char *word, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *text = NULL;
	int r = *word == '@' ? read_text(word + 1, &text, err) : 0;

	if (r < 0)
		return r;
	r = json_parse(str_of(text ? json_object_get_string(text) : word), FILE_BYTES_MAX, ret, err);
	return r < 0 ? error_set(err, ERR_INVALID, "parameter '%s' is no JSON (@FILE reads a file)", p->name) : 0;
}

static int read_int(const struct op_param *p, const char *word, struct json_object **ret, struct error *err)
{
	int64_t n;

	if (str_to_i64(str_of(word), &n) < 0)
		return error_set(err, ERR_INVALID, "parameter '%s' must be a whole number, not '%.40s'", p->name, word);
	*ret = json_object_new_int64(n);
	return *ret ? 0 : error_no_memory(err);
}

static int read_path(const char *word, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *path = strcmp(word, "-") ? paths_absolute(word) : strdup(word);

	if (!path)
		return error_errno(err, errno, "cannot resolve '%.200s'", word);
	*ret = json_object_new_string(path);
	return *ret ? 0 : error_no_memory(err);
}

/* "mx" for "MX": who types it is a person. */
static const char *choice_of(const struct op_param *p, const char *word)
{
	for (const char *const *c = p->choices; c && *c; c++)
		if (!strcasecmp(*c, word))
			return *c;
	return word;
}

static int read_one(const struct op_param *p, const char *word, struct json_object **ret, struct error *err)
{
	if (p->is_secret || p->type == OP_TEXT)
		return read_text(word, ret, err);
	switch (p->type) {
	case OP_INT:
		return read_int(p, word, ret, err);
	case OP_JSON:
		return read_json(p, word, ret, err);
	case OP_PATH:
		return read_path(word, ret, err);
	default:
		*ret = json_object_new_string(p->type == OP_ENUM ? choice_of(p, word) : word);
		return *ret ? 0 : error_no_memory(err);
	}
}

static bool has_last(const struct op *op)
{
	const struct op_param *p;

	for (size_t i = 0; (p = op_param_at(op, i)) != NULL; i++)
		if (p->is_last)
			return true;
	return false;
}

/* The n-th word given for a parameter, or NULL. */
static const char *word_of(const struct op *op, const struct op_param *p, const struct args *args, const char *option, size_t n)
{
	size_t at = p->position ? p->position - 1 + n : 0;

	if (!p->position)
		return args_nth(args, option, n);
	if (p->is_last)
		return n == 0 && args->count >= p->position ? args->positionals[args->count - 1] : NULL;
	if (p->is_rest && has_last(op) && at + 1 >= args->count && at > 0)
		return NULL;
	return at < args->count && (n == 0 || p->is_rest) ? args->positionals[at] : NULL;
}

static int read_many(const struct op *op, const struct op_param *p, const struct args *args, const char *option,
		     struct json_object **ret, struct error *err)
{
	struct json_object *all = p->type == OP_MAP ? json_object_new_object() : json_object_new_array();
	const char *word;

	for (size_t n = 0; all && (word = word_of(op, p, args, option, n)) != NULL; n++) {
		const char *equals = strchr(word, '=');
		CLEANUP(freep) char *name = NULL;

		if (p->type == OP_LIST) {
			CLEANUP(freep) char *path = p->is_path ? paths_absolute(word) : NULL;

			json_object_array_add(all, json_object_new_string(path ? path : word));
			continue;
		}
		name = equals ? str_dup((struct str){word, (size_t)(equals - word)}) : NULL;
		if (!equals || !name) {
			json_object_put(all);
			return equals ? error_no_memory(err)
				      : error_set(err, ERR_INVALID, "parameter '%s' must be NAME=VALUE, not '%.40s'",
						  p->name, word);
		}
		json_object_object_add(all, name, json_object_new_string(equals + 1));
	}
	*ret = all;
	return all ? 0 : error_no_memory(err);
}

static int read_param(const struct op *op, const struct op_param *p, const struct args *args, struct json_object *params,
		      struct error *err)
{
	CLEANUP(freep) char *option = option_name(p);
	struct json_object *value = NULL;
	const char *word;
	int r;

	if (!option)
		return error_no_memory(err);
	if (p->type == OP_BOOL) {
		if (args_has(args, option))
			json_object_object_add(params, p->name, json_object_new_boolean(1));
		return 0;
	}
	word = word_of(op, p, args, option, 0);
	if (!word && p->variable && getenv(p->variable)) {
		value = json_object_new_string(getenv(p->variable));
		return value && json_object_object_add(params, p->name, value) == 0 ? 0 : error_no_memory(err);
	}
	if (!word)
		return 0;
	if (p->type == OP_LIST || p->type == OP_MAP)
		r = read_many(op, p, args, option, &value, err);
	else
		r = read_one(p, p->position ? word : args_get(args, option), &value, err);
	if (r < 0)
		return r;
	return json_object_object_add(params, p->name, value) == 0 ? 0 : error_no_memory(err);
}

/* "argument NAME is missing (usage: ...)", "option --flavor is missing: size". */
static int check_required(const struct op *op, struct json_object *params, struct error *err)
{
	CLEANUP(buf_release) struct buf usage = BUF_INIT(256);
	const struct op_param *p;
	CLEANUP(freep) char *option = NULL;

	for (size_t i = 0; (p = op_param_at(op, i)) != NULL; i++)
		if (p->is_required && !json_object_object_get_ex(params, p->name, NULL))
			break;
	if (!p)
		return 0;
	if (p->position)
		return error_set(err, ERR_INVALID, "argument '%s' is missing (usage: skydir %s)", p->name,
				 cli_op_usage(op, &usage) < 0 ? "..." : buf_cstr(&usage));
	option = option_name(p);
	return option ? error_set(err, ERR_INVALID, "option --%s is missing: %s", option, p->help) : error_no_memory(err);
}

static int too_many(const struct op *op, const char *word, struct error *err)
{
	CLEANUP(buf_release) struct buf usage = BUF_INIT(256);

	return error_set(err, ERR_INVALID, "too many arguments: '%.64s' (usage: skydir %s)", word,
			 cli_op_usage(op, &usage) < 0 ? "..." : buf_cstr(&usage));
}

int cli_op_params(const struct op *op, const struct args *args, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = json_object_new_object();
	const struct op_param *p;
	size_t most = 0;
	bool has_rest = false;
	int r = params ? 0 : error_no_memory(err);

	for (size_t i = 0; r == 0 && (p = op_param_at(op, i)) != NULL; i++) {
		r = read_param(op, p, args, params, err);
		most = p->position > most ? p->position : most;
		has_rest = has_rest || p->is_rest;
	}
	if (r < 0)
		return r;
	if (args->count > most && !has_rest)
		return too_many(op, args->positionals[most], err);
	r = check_required(op, params, err);
	if (r == 0)
		*ret = steal(params);
	return r;
}
