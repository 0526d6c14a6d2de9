#pragma once
/*
 * Purpose: the command line: the table of commands, their help, and how a run ends.
 *
 * A command returns its exit code, or the -errno of an error, which cli_main prints once and turns
 * into the code of its kind. Threads: one.
 */
#include "control/args.h"
#include "control/op.h"
#include "control/output.h"

struct cli {
	const struct args *args;
	const char *config_path; /* of --config, or NULL */
	enum output_format format;
};

struct command {
	const char *name;
	const char *synopsis; /* after "skydir NAME" */
	const char *summary;
	const char *details;  /* paragraphs */
	const char *examples; /* lines */
	const struct args_option *options;
	size_t least, most; /* positionals */
	int (*run)(struct cli *cli, struct error *err);
};

#define CLI_OPTION_CONFIG                                                                          \
	{                                                                                          \
		0, "config", "FILE", "the configuration file"                                      \
	}
#define CLI_OPTION_OUTPUT                                                                          \
	{                                                                                          \
		0, "output", "table|json", "how results and errors are shown"                      \
	}
#define CLI_OPTION_ALLOW                                                                           \
	{                                                                                          \
		0, "allow", "changes|destructive", "what agents may do beside reading"             \
	}
#define CLI_OPTION_HELP                                                                            \
	{                                                                                          \
		'h', "help", NULL, "show this help"                                                \
	}
#define CLI_OPTION_END                                                                             \
	{                                                                                          \
		0, NULL, NULL, NULL                                                                \
	}

extern const struct command command_mount, command_umount, command_sync, command_status,
	command_doctor, command_metrics, command_mcp, command_daemon, command_completion, command_complete;

int cli_main(int argc, char **argv);
/* Appends the help of a command (NULL: the overview); -EINVAL for an unknown one. */
int cli_help(const char *name, struct buf *out) MUST_CHECK;
/* "table", "json" (NULL: table); ERR_INVALID. */
int cli_parse_format(const char *word, enum output_format *ret, struct error *err) MUST_CHECK;
/* "changes", "destructive" (NULL: only reading); ERR_INVALID. */
int cli_parse_allow(const char *word, enum op_risk *ret, struct error *err) MUST_CHECK;
/* The commands by index, NULL at the end. */
const struct command *cli_command_at(size_t index);
