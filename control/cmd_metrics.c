/*
 * Purpose: `skydir metrics`: the counters of all mounts in the Prometheus text format.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4, read
 * 2026-11).
 */
#include "control/cli.h"
#include "control/client.h"
#include "control/metrics_text.h"
#include "control/mounts.h"

#include <stdio.h>

#define METRICS_MS 5000

static int name_daemon(const struct client *c, struct json_object *result, struct error *err)
{
	CLEANUP(freep) char *name = str_format("daemon:%lld", (long long)(c->about ? json_get_int64(c->about, "pid", 0) : 0));

	if (!name || json_object_object_add(result, "mountpoint", json_object_new_string(name)) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	return 0;
}

static int run(struct cli *cli, struct error *err)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	CLEANUP(json_putp) struct json_object *results = json_object_new_array();
	CLEANUP(buf_release) struct buf text = BUF_INIT(16 << 20);
	CLEANUP(freep) char *only = NULL;
	int r = results ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0 && cli->args->count)
		r = mounts_resolve(cli->args->positionals[0], &only, err);
	if (r == 0)
		r = clients_open(&all, err);
	for (size_t i = 0; r == 0 && i < all.count; i++) {
		struct json_object *result = NULL;
		struct client *c = &all.items[i];
		const char *at = c->about ? json_get_string(c->about, "mountpoint") : NULL;

		if (only && (!at || strcmp(at, only) != 0))
			continue;
		r = client_call(c, "metrics", NULL, METRICS_MS, NULL, NULL, &result, err);
		if (r == 0 && !json_get_string(result, "mountpoint")) /* two daemons without a mount are told apart, too */
			r = name_daemon(c, result, err);
		if (r == 0 && json_object_array_add(results, result) != 0)
			r = error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	if (r < 0)
		return r;
	if (!json_object_array_length(results))
		return error_set(err, ERR_NOT_FOUND, "%s%s has no daemon to ask (skydir status)",
				 only ? only : "skydir", only ? "" : " runs no mount and");
	if (cli->format == OUTPUT_JSON)
		return output_json(results, err);
	if (metrics_text(results, &text) < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	(void)fputs(buf_cstr(&text), stdout);
	return 0;
}

static const struct args_option options[] = {CLI_OPTION_OUTPUT, CLI_OPTION_HELP, CLI_OPTION_END};

const struct command command_metrics = {
	.name = "metrics",
	.synopsis = "[DIR]",
	.summary = "print counters for Prometheus",
	.details = "Prints the counters of all mounts, or of the one at DIR, in the Prometheus "
		   "text format;\n"
		   "each carries its mount point as the label 'mount'.",
	.examples = "skydir metrics\n"
		    "skydir metrics ~/sky --output json",
	.options = options,
	.most = 1,
	.run = run,
};
