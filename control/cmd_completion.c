/*
 * Purpose: `skydir completion SHELL` prints what makes a shell complete skydir's words; `skydir __complete` is what
 *	that asks at each Tab.
 */
#include "control/cli_op.h"
#include "control/complete.h"

#include <signal.h>
#include <stdio.h>

#define LIVE_S 3 /* a prompt must not hang for a cloud */

static int run_completion(struct cli *cli, struct error *err)
{
	const char *text = complete_script(cli->args->positionals[0]);

	if (!text)
		return error_set(err, ERR_INVALID, "there is no completion for '%.32s' (bash, zsh, fish)",
				 cli->args->positionals[0]);
	(void)fputs(text, stdout); /* checked for all of stdout at the end */
	return 0;
}

static const char *config_path;

static int list_live(const struct op *op, struct json_object *params, struct json_object **ret, struct error *err)
{
	return cli_op_call(op, params, config_path, ret, err);
}

static void give_up(int number)
{
	(void)number; /* only the alarm comes here */
	_exit(0);     /* with nothing to offer */
}

static int run_complete(struct cli *cli, struct error *err)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(4 << 20);

	config_path = cli->config_path;
	(void)signal(SIGALRM, give_up);
	(void)alarm(LIVE_S);
	if (complete_words((int)cli->args->count, (char *const *)cli->args->positionals, list_live, &out) < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	(void)alarm(0);
	(void)fputs(buf_cstr(&out), stdout); /* checked for all of stdout at the end */
	return 0;
}

static const struct args_option options[] = {CLI_OPTION_HELP, CLI_OPTION_END};

const struct command command_completion = {
	.name = "completion",
	.synopsis = "bash|zsh|fish",
	.summary = "print a shell's completion script",
	.details = "Prints what makes the shell complete commands, resources, options and the names of things that\n"
		   "are in the cloud (asked at once, for at most three seconds).",
	.examples = "source <(skydir completion bash)\n"
		    "skydir completion zsh > ~/.zfunc/_skydir\n"
		    "skydir completion fish > ~/.config/fish/completions/skydir.fish",
	.options = options,
	.least = 1,
	.most = 1,
	.run = run_completion,
};
const struct command command_complete = {
	.name = "__complete",
	.synopsis = "-- WORD...",
	.summary = "what may stand for the last word",
	.details = "For the scripts of `skydir completion`.",
	.examples = "skydir __complete -- instances ''",
	.options = options,
	.most = ARGS_POSITIONALS_MAX,
	.run = run_complete,
};
