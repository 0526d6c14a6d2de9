/*
 * Purpose: `skydir daemon`: the control plane with no mount, on its socket until a signal comes.
 */
#include "backends/base/log.h"
#include "control/cli.h"
#include "control/context.h"
#include "control/meter.h"
#include "control/server.h"
#include "control/telemetry.h"

#include <signal.h>
#include <stdio.h>

static int wait_for_end(void)
{
	sigset_t set;
	int number = 0;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	return sigwait(&set, &number) == 0 ? number : 0;
}

/* Before any thread starts, so that all inherit it. */
static void block_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* fails for wrong numbers only */
	(void)signal(SIGPIPE, SIG_IGN);
}

static int serve(struct config *config, enum op_risk allow, struct error *err)
{
	struct op_context *context = NULL;
	struct server *server = NULL;
	struct session session;
	int r;

	session_init(&session, NULL, NULL, NULL, NULL);
	session.environment = op_context_fingerprint(config->path);
	r = op_context_new(config, NULL, &context, err);
	if (r == 0)
		r = meter_start(err);
	if (r == 0)
		r = server_new(context, &session, allow, &server, err);
	if (r == 0)
		r = telemetry_start(config, &session, err);
	if (r == 0) {
		log_info("daemon.ready", "socket='%s'", server_path(server));
		(void)printf("%s\n", server_path(server));
		(void)fflush(stdout); /* who started it may have gone */
		log_info("daemon.ended", "signal=%d", wait_for_end());
	}
	telemetry_stop();
	server_free(server);
	op_context_free(context);
	session_destroy(&session);
	return r;
}

static int run(struct cli *cli, struct error *err)
{
	CLEANUP(config_release) struct config config = CONFIG_INIT;
	enum op_risk allow;
	int r = cli_parse_allow(args_get(cli->args, "allow"), &allow, err);

	if (r == 0)
		r = config_load(cli->config_path, &config, err);
	if (r < 0)
		return r;
	if (config.warning)
		output_note("%s", config.warning);
	if (log_init(LOG_LEVEL_INFO, LOG_TARGET_STDERR, NULL) < 0)
		return error_set(err, ERR_CONFIG, "cannot write the log");
	block_signals();
	return serve(&config, allow, err);
}

static const struct args_option options[] = {CLI_OPTION_ALLOW, CLI_OPTION_CONFIG, CLI_OPTION_HELP, CLI_OPTION_END};

const struct command command_daemon = {
	.name = "daemon",
	.synopsis = "[--allow changes|destructive]",
	.summary = "serve the control plane on a socket, without a mount",
	.details = "Stays in the foreground, prints the path of its socket and serves JSON-RPC and the Model Context\n"
		   "Protocol on it until SIGTERM or SIGINT. Commands of the same user, configuration and environment then\n"
		   "use its connections and tokens. --allow says what MCP clients may do; without it they only read.",
	.examples = "skydir daemon &\n"
		    "skydir daemon --allow changes",
	.options = options,
	.run = run,
};
