/*
 * Purpose: `skydir mcp`: the Model Context Protocol on standard input and output, one message a line.
 */
#include "control/cli.h"
#include "control/context.h"
#include "control/peer.h"
#include "control/rpc.h"

#include <signal.h>
#include <stdio.h>

static int write_all(void *arg, const char *data, size_t len)
{
	(void)arg; /* standard output is one */
	while (len) {
		ssize_t n = write(STDOUT_FILENO, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Until the client closes its end; what was asked by then is still answered. */
static int serve(struct peer *peer, struct error *err)
{
	CLEANUP(rpc_framer_release) struct rpc_framer framer = RPC_FRAMER_INIT(RPC_LINE_MAX);
	char data[16384];
	int r = 0;

	while (r == 0) {
		ssize_t n = read(STDIN_FILENO, data, sizeof data);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			return error_errno(err, errno, "cannot read standard input");
		if (n > 0)
			r = rpc_framer_push(&framer, data, (size_t)n, peer_line, peer);
	}
	(void)peer_wait_until(peer, UINT64_MAX); /* for ever: calls have limits of their own */
	return r == -ENOMEM ? error_set(err, ERR_NO_MEMORY, "out of memory") : 0;
}

static int run(struct cli *cli, struct error *err)
{
	CLEANUP(config_release) struct config config = CONFIG_INIT;
	struct peer_options options = {.send = write_all};
	struct op_context *context = NULL;
	struct peer *peer = NULL;
	int r = cli_parse_allow(args_get(cli->args, "allow"), &options.allow, err);

	if (r == 0)
		r = config_load(cli->config_path, &config, err);
	if (r == 0 && config.warning)
		output_note("%s", config.warning);
	if (r == 0)
		r = op_context_new(&config, NULL, &context, err);
	options.context = context;
	if (r == 0)
		r = peer_new(&options, &peer, err);
	(void)signal(SIGPIPE, SIG_IGN); /* a client that is gone is seen by write */
	if (r == 0)
		r = serve(peer, err);
	peer_free(peer);
	op_context_free(context);
	return r;
}

static const struct args_option options[] = {CLI_OPTION_ALLOW, CLI_OPTION_CONFIG, CLI_OPTION_HELP, CLI_OPTION_END};

const struct command command_mcp = {
	.name = "mcp",
	.synopsis = "[--allow changes|destructive]",
	.summary = "serve agents by the Model Context Protocol on stdin and stdout",
	.details = "Offers every operation as a tool and objects as resources (skydir://STORE/BUCKET/KEY) to the program\n"
		   "that starts it. Without --allow only tools that read are offered. `--allow changes` adds those that\n"
		   "make or change things, `--allow destructive` also those that delete; these answer with a plan first\n"
		   "and do it when called again with the plan's token, or ask the user where the client can.\n"
		   "Revisions 2024-11-05 to 2026-07-28 are spoken.",
	.examples = "skydir mcp\n"
		    "skydir mcp --allow changes --config ~/agent.conf",
	.options = options,
	.run = run,
};
