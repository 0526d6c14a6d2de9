#pragma once
/*
 * Purpose: `skydir RESOURCE VERB ...`: the operations of the table as commands, all by one piece of code.
 *
 * The words before the first option or unknown word name the row: "dns records set" is dns.records.set. Parameters
 * with a position are arguments, the others are options with '-' for '_'. A row that destroys asks on a terminal and
 * needs --yes elsewhere. The daemon of a mount runs it when there is one of the same configuration and environment
 * (whose credentials are then the same), else this process does.
 * Threads: one.
 */
#include "control/cli.h"
#include "control/op.h"

/* Whether a row is a generic command: not the socket's alone, and without a cmd_*.c that stands for it. */
static inline bool cli_op_is_command(const struct op *op)
{
	return !op->is_hidden && !op->has_command;
}
/* The row that argv[0..] names, and how many words its name took; NULL when there is none. */
const struct op *cli_op_find(int argc, char *const *argv, int *ret_words);
/* Whether a word is the first of some row's name ("instances"), so that help can list its verbs. */
bool cli_op_is_resource(const char *word);
/* Runs a row; argv stands behind its name. The exit code, or -errno. */
int cli_op_run(const struct op *op, int argc, char *const *argv, const char *config_path, struct error *err);
/* Runs a row with checked parameters by a daemon of the same configuration and environment, or here. */
int cli_op_call(const struct op *op, struct json_object *params, const char *config_path, struct json_object **ret,
		struct error *err) MUST_CHECK;
/* Appends the help of one row; of a resource, all whose names begin with "prefix."; of all resources, a line each. */
int cli_op_help(const struct op *op, struct buf *out) MUST_CHECK;
int cli_op_help_resource(const char *prefix, struct buf *out) MUST_CHECK;
int cli_op_help_all(struct buf *out) MUST_CHECK;
/* "instances list" for "server ls": what was meant, by the words of other clouds' tools and by mistyped ones; a whole
 * command or a resource alone. False: no idea. */
bool cli_op_near(int argc, char *const *argv, char *ret, size_t size);
/* Appends "instances create NAME --image TEXT --flavor TEXT [OPTIONS]". */
int cli_op_usage(const struct op *op, struct buf *out) MUST_CHECK;
/* "instances.list" as typed: "instances list". ret: at least 128 bytes. */
void cli_op_words(const struct op *op, char *ret, size_t size);
/* The parameters as JSON from arguments; for tests. */
int cli_op_params(const struct op *op, const struct args *args, struct json_object **ret, struct error *err) MUST_CHECK;
/* The option rows of an operation, ended by an empty row; freed by the caller, names too (cli_op_options_free). */
struct args_option *cli_op_options(const struct op *op);
void cli_op_options_free(struct args_option *options);
