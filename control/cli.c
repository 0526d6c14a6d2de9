#include "control/cli.h"

#include "control/cli_op.h"
#include "control/man.h"
#include "control/meter.h"
#include "control/paths.h"
#include "control/text.h"

#include <locale.h>
#include <stdio.h>

static int run_help(struct cli *cli, struct error *err);
static int run_version(struct cli *cli, struct error *err);

static const struct args_option plain_options[] = {CLI_OPTION_OUTPUT, CLI_OPTION_HELP,
						   CLI_OPTION_END};

static const struct args_option help_options[] = {
	{0, "man", NULL, "the manual page of it, as man(1) takes it"},
	{0, "man-dir", "DIR", "write all manual pages into DIR"},
	CLI_OPTION_OUTPUT,
	CLI_OPTION_HELP,
	CLI_OPTION_END};
static const struct command command_help = {
	.name = "help",
	.synopsis = "[COMMAND | RESOURCE [VERB]]",
	.summary = "explain a command",
	.details = "Shows all commands, or what one of them does, its options and examples.",
	.examples = "skydir help mount\n"
		    "skydir help --man instances | man -l -",
	.options = help_options,
	.most = 4,
	.run = run_help,
};
static const struct command command_version = {
	.name = "version",
	.synopsis = "",
	.summary = "print the version",
	.details = "Prints the program's name and version.",
	.examples = "skydir --version",
	.options = plain_options,
	.run = run_version,
};

static const struct command *const commands[] = {
	&command_mount,	 &command_umount,  &command_sync, &command_status,
	&command_doctor, &command_metrics, &command_mcp,  &command_daemon,
	&command_completion, &command_help, &command_version, &command_complete,
};

const struct command *cli_command_at(size_t index)
{
	return index < ARRAY_SIZE(commands) ? commands[index] : NULL;
}

static const struct command *find_command(const char *name)
{
	static const struct {
		const char *alias, *name;
	} aliases[] = {
		{"unmount", "umount"},	  {"--help", "help"}, {"-h", "help"},
		{"--version", "version"}, {"-V", "version"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (!strcmp(aliases[i].alias, name))
			name = aliases[i].name;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int unknown_command(int argc, char *const *argv, struct error *err)
{
	const char *name = argv[0];
	char near[128];

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strlen(name) > 2 && text_is_near(name, commands[i]->name)) /* "cp" is not "mcp" */
			return error_set(err, ERR_INVALID,
					 "unknown command '%.64s' (did you mean '%s'?)", name,
					 commands[i]->name);
	if (cli_op_near(argc, argv, near, sizeof near))
		return error_set(err, ERR_INVALID, "unknown command '%.64s' (did you mean `skydir %s`?)",
				 name, near);
	return error_set(err, ERR_INVALID, "unknown command '%.64s' (`skydir help` lists them)",
			 name);
}

static int add_overview(struct buf *out)
{
	int r = buf_adds(out, "skydir: every cloud as one directory tree\n\n"
			      "usage: skydir COMMAND [ARGUMENTS]\n\ncommands:\n");

	for (size_t i = 0; i < ARRAY_SIZE(commands) && r == 0; i++)
		if (commands[i]->name[0] != '_') /* of programs only */
			r = buf_addf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	if (r == 0)
		r = cli_op_help_all(out);
	if (r == 0)
		r = buf_adds(out, "\n`skydir help COMMAND` explains one, with examples.\n\n"
				  "first steps:\n"
				  "  mkdir -p ~/sky && skydir mount ~/sky\n"
				  "  ls ~/sky\n"
				  "  skydir umount ~/sky\n");
	return r;
}

static int add_options(const struct args_option *options, struct buf *out)
{
	int r = buf_adds(out, "\noptions:\n");

	for (const struct args_option *o = options; (o->letter || o->name) && r == 0; o++) {
		char left[64] = "", letter[8] = "    ";

		if (o->letter)
			(void)snprintf(letter, sizeof letter, "-%c%s", o->letter,
				       o->name ? ", " : "  ");
		(void)snprintf(left, sizeof left, "%s%s%s%s%s", letter, o->name ? "--" : "",
			       o->name ? o->name : "", o->value ? " " : "",
			       o->value ? o->value : "");
		r = buf_addf(out, "  %-28s %s\n", left, o->help);
	}
	return r;
}

static int add_mount_options(struct buf *out)
{
	int r = buf_adds(out,
			 "\nmount options (after -o, or in section [skydir] of the configuration "
			 "file):\n");

	for (const struct fs_option_row *o = fs_option_rows; o->key && r == 0; o++) {
		char left[80];

		(void)snprintf(left, sizeof left, "%s%s%s", o->key,
			       o->values && o->values[0] ? "=" : "", o->values ? o->values : "");
		r = buf_addf(out, "  %-34s %s%s%s%s\n", left, o->help,
			     o->standard && o->standard[0] ? " [" : "",
			     o->standard ? o->standard : "",
			     o->standard && o->standard[0] ? "]" : "");
	}
	return r;
}

static int add_examples(const char *examples, struct buf *out)
{
	struct str rest = str_of(examples), line;
	int r = buf_adds(out, "\nexamples:\n");

	while (r == 0 && (line = str_split(&rest, '\n')).ptr)
		r = buf_addf(out, "  %.*s\n", (int)line.len, line.ptr);
	return r;
}

int cli_help(const char *name, struct buf *out)
{
	const struct command *c = name ? find_command(name) : NULL;
	int r;

	if (!name)
		return add_overview(out);
	if (!c)
		return -EINVAL;
	r = buf_addf(out, "skydir %s: %s\n\nusage: skydir %s %s\n\n%s\n", c->name, c->summary,
		     c->name, c->synopsis, c->details);
	if (r == 0)
		r = add_options(c->options, out);
	if (r == 0 && c == &command_mount)
		r = add_mount_options(out);
	return r < 0 ? r : add_examples(c->examples, out);
}

static int print_help(const char *name, FILE *to, struct error *err)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(65536);
	int r = cli_help(name, &out);

	if (r == -EINVAL)
		return unknown_command(1, &(char *const){(char *)name}, err); /* only read */
	if (r < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	(void)fputs(buf_cstr(&out), to); /* checked for all of stdout at the end */
	return 0;
}

static int print_page(const char *name, struct error *err)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(1 << 20);
	int r = man_page(name, &out);

	if (r == -EINVAL)
		return unknown_command(1, &(char *const){(char *)name}, err); /* only read */
	if (r < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	(void)fputs(buf_cstr(&out), stdout); /* checked for all of stdout at the end */
	return 0;
}

/* "help instances", "help dns records" */
static int help_resource(int count, char *const *names, struct buf *out, struct error *err)
{
	CLEANUP(buf_release) struct buf prefix = BUF_INIT(256);
	char near[128];

	for (int i = 0; i < count; i++)
		if (buf_addf(&prefix, "%s%s", i ? "." : "", names[i]) < 0)
			return error_set(err, ERR_INVALID, "there is no such operation");
	if (cli_op_is_resource(buf_cstr(&prefix)))
		return cli_op_help_resource(buf_cstr(&prefix), out) < 0 ? error_no_memory(err) : 0;
	return cli_op_near(count, names, near, sizeof near)
		       ? error_set(err, ERR_INVALID, "unknown operation '%.64s' of '%.64s' (did you mean `skydir %s`?)",
				   names[1], names[0], near)
		       : error_set(err, ERR_INVALID, "unknown operation '%.64s' of '%.64s' (`skydir help %.64s` lists them)",
				   names[1], names[0], names[0]);
}

/* "help instances list", "help instances" */
static int run_help(struct cli *cli, struct error *err)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(65536);
	char *const *names = (char *const *)cli->args->positionals; /* only read */
	const struct op *op = NULL;
	int words = 0, count = (int)cli->args->count, r = 0;

	if (args_get(cli->args, "man-dir"))
		return man_write_all(args_get(cli->args, "man-dir"), err);
	if (args_has(cli->args, "man"))
		return print_page(count ? names[0] : NULL, err);
	if (count)
		op = cli_op_find(count, names, &words);
	if (op && (words > 1 || !find_command(names[0])))
		r = cli_op_help(op, &out) < 0 ? error_no_memory(err) : 0;
	else if (count && !find_command(names[0]) && cli_op_is_resource(names[0]))
		r = help_resource(count, names, &out, err);
	if (r < 0)
		return r;
	if (out.len) {
		(void)fputs(buf_cstr(&out), stdout); /* checked for all of stdout at the end */
		return 0;
	}
	return print_help(cli->args->count ? cli->args->positionals[0] : NULL, stdout, err);
}

static int run_version(struct cli *cli, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;

	if (cli->format != OUTPUT_JSON) {
		(void)printf("skydir %s\n", SKYDIR_VERSION);
		return 0;
	}
	o = json_object_new_object();
	if (!o)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_add(o, "version", json_object_new_string(SKYDIR_VERSION));
	return output_json(o, err);
}

int cli_parse_format(const char *word, enum output_format *ret, struct error *err)
{
	if (!word || !strcmp(word, "table"))
		*ret = OUTPUT_TABLE;
	else if (!strcmp(word, "json"))
		*ret = OUTPUT_JSON;
	else if (!strcmp(word, "jsonl"))
		*ret = OUTPUT_JSONL;
	else if (!strcmp(word, "csv"))
		*ret = OUTPUT_CSV;
	else
		return error_set(err, ERR_INVALID,
				 "--output '%.32s' is not known (table, json, jsonl, csv)", word);
	return 0;
}

int cli_parse_allow(const char *word, enum op_risk *ret, struct error *err)
{
	*ret = OP_READ;
	if (word && !strcmp(word, "changes"))
		*ret = OP_CHANGE;
	else if (word && !strcmp(word, "destructive"))
		*ret = OP_DESTROY;
	else if (word)
		return error_set(err, ERR_INVALID, "--allow '%.32s' is not known (changes, destructive)", word);
	return 0;
}

/* Usage errors too are JSON when the caller asked for it, so this is looked for before anything is
 * parsed. */
static enum output_format guess_format(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		bool is_pair = i + 1 < argc && !strcmp(argv[i + 1], "json");

		if (!strcmp(argv[i], "--"))
			break;
		if (!strcmp(argv[i], "--output=json") ||
		    (is_pair && (!strcmp(argv[i], "--output") || !strcmp(argv[i], "-o"))))
			return OUTPUT_JSON;
	}
	return OUTPUT_TABLE;
}

static int run_command(const struct command *c, int argc, char **argv, const char *config_path,
		       struct error *err)
{
	struct cli cli = {.config_path = config_path};
	struct args args;
	int r = args_parse(c->options, argc, argv, &args, err);

	if (r == 0 && args_has(&args, "help"))
		return print_help(c->name, stdout, err);
	if (r == 0)
		r = cli_parse_format(args_get(&args, "output"), &cli.format, err);
	if (r == 0 && args.count < c->least)
		r = error_set(err, ERR_INVALID, "%s: too few arguments (usage: skydir %s %s)",
			      c->name, c->name, c->synopsis);
	if (r == 0 && args.count > c->most)
		r = error_set(err, ERR_INVALID, "%s: too many arguments (usage: skydir %s %s)",
			      c->name, c->name, c->synopsis);
	if (r < 0)
		return r;
	cli.args = &args;
	if (args_get(&args, "config"))
		cli.config_path = args_get(&args, "config");
	return c->run(&cli, err);
}

/* "--config FILE" and "--output FORMAT" may stand before the command too. */
static int skip_global(int argc, char **argv, int *at, const char **ret_config, struct error *err)
{
	while (*at < argc) {
		const char *word = argv[*at];

		if (!strncmp(word, "--config=", 9)) {
			*ret_config = word + 9;
			*at += 1;
		} else if (!strcmp(word, "--config") || !strcmp(word, "--output")) {
			if (*at + 1 >= argc)
				return error_set(err, ERR_INVALID, "option '%s' needs a value",
						 word);
			if (!strcmp(word, "--config"))
				*ret_config = argv[*at + 1];
			*at += 2;
		} else if (!strncmp(word, "--output=", 9)) {
			*at += 1;
		} else {
			break;
		}
	}
	return 0;
}

/* What `skydir usage --by day` means: the listing, where that is what everybody wants of a resource. */
static const struct op *implied_op(int argc, char **argv)
{
	if (strcmp(argv[0], "usage") != 0 || (argc > 1 && (argv[1][0] != '-' || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))))
		return NULL;
	return op_find("usage.list");
}

/* A resource without a verb, or with one that it does not have. "dns zones" lists what there is of them. */
static int run_resource(int argc, char **argv, struct error *err)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(65536), prefix = BUF_INIT(256);
	char near[128];
	int words = 0, r = 0;
	bool is_asked;

	for (; words < argc && argv[words][0] != '-' && r == 0; words++)
		r = buf_addf(&prefix, "%s%s", words ? "." : "", argv[words]);
	is_asked = words < argc && (!strcmp(argv[words], "--help") || !strcmp(argv[words], "-h"));
	if (r < 0 || !cli_op_is_resource(buf_cstr(&prefix)) || (words < argc && !is_asked)) {
		const char *typed = argc > 1 ? argv[1] : "";

		return cli_op_near(argc, argv, near, sizeof near) && strchr(near, ' ')
			       ? error_set(err, ERR_INVALID, "unknown operation '%.64s' of '%.64s' (did you mean `skydir %s`?)",
					   typed, argv[0], near)
			       : error_set(err, ERR_INVALID, "unknown operation '%.64s' of '%.64s' (`skydir help %.64s` lists them)",
					   typed, argv[0], argv[0]);
	}
	if (cli_op_help_resource(buf_cstr(&prefix), &out) < 0)
		return error_no_memory(err);
	(void)fputs(buf_cstr(&out), is_asked ? stdout : stderr); /* checked for all of stdout at the end */
	return is_asked ? 0 : 2;
}

static int dispatch(int argc, char **argv, struct error *err)
{
	const char *config_path = NULL;
	const struct command *c;
	const struct op *op;
	int at = 1, words = 0, r = skip_global(argc, argv, &at, &config_path, err);

	if (r < 0)
		return r;
	if (at >= argc) {
		r = print_help(NULL, stderr, err);
		return r < 0 ? r : 2;
	}
	op = cli_op_find(argc - at, argv + at, &words);
	if (op && (words > 1 || !find_command(argv[at])))
		return cli_op_run(op, argc - at - words, argv + at + words, config_path, err);
	op = implied_op(argc - at, argv + at);
	if (op)
		return cli_op_run(op, argc - at - 1, argv + at + 1, config_path, err);
	c = find_command(argv[at]);
	if (!c && cli_op_is_resource(argv[at]))
		return run_resource(argc - at, argv + at, err);
	if (!c && argv[at][0] == '-')
		return error_set(err, ERR_INVALID,
				 "unknown option before a command (`skydir help`)");
	if (!c)
		return unknown_command(argc - at, argv + at, err);
	return run_command(c, argc - at - 1, argv + at + 1, config_path, err);
}

int cli_main(int argc, char **argv)
{
	enum output_format format = guess_format(argc, argv);
	struct error err = ERROR_INIT;
	int r;

	(void)setlocale(LC_CTYPE,
			""); /* widths of names in tables; without it they count as bytes */
	paths_fix_home();
	r = dispatch(argc, argv, &err);
	meter_stop(); /* what a command caused is counted too */
	if (r < 0) {
		output_error(format, &err);
		r = error_exit_code(err.kind);
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		output_note("cannot write the result: %s", strerror(errno));
		r = r ? r : 1;
	}
	return r;
}
