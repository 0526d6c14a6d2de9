/*
 * Purpose: `skydir status`: all mounts of this user, and what earlier mounts left.
 */
#include "control/cli.h"
#include "control/client.h"
#include "control/mounts.h"
#include "control/orphans.h"
#include "control/status.h"

#include <stdio.h>

#define STATUS_MS 5000

struct status {
	struct json_object *mounts, *orphans;
	struct clients all;
};

static int add(struct json_object *array, struct json_object *o, struct error *err)
{
	if (o && json_object_array_add(array, o) == 0)
		return 0;
	json_object_put(o);
	return error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* A daemon that lives and does not answer is shown as that, not left out. */
static struct json_object *silent_daemon(const struct client *c, const struct error *why)
{
	struct json_object *o = json_object_new_object();
	const char *at = c->about ? json_get_string(c->about, "mountpoint") : NULL;

	if (!o)
		return NULL;
	json_object_object_add(o, "mountpoint", json_object_new_string(at ? at : "?"));
	json_object_object_add(o, "pid", json_object_new_int((int)c->pid));
	json_object_object_add(o, "state", json_object_new_string("not answering"));
	json_object_object_add(o, "reason", json_object_new_string(why->message));
	return o;
}

static int ask_daemons(struct status *s, const char *only, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < s->all.count && r == 0; i++) {
		struct client *c = &s->all.items[i];
		const char *at = c->about ? json_get_string(c->about, "mountpoint") : NULL;
		struct json_object *result = NULL;
		struct error why = ERROR_INIT;

		if ((only && (!at || strcmp(at, only) != 0)) || (c->about && !at)) /* a daemon without a mount */
			continue;
		if (client_call(c, "status", NULL, c->about ? STATUS_MS : 100, NULL, NULL, &result,
				&why) < 0) {
			if (why.kind == ERR_UNAVAILABLE)
				continue; /* it ended just now */
			result = silent_daemon(c, &why);
		}
		r = add(s->mounts, result, err);
	}
	return r;
}

struct dead_search {
	struct status *status;
	const char *only;
};

/* Mounts of ours in the kernel's table that no daemon speaks for. */
static int add_dead(void *arg, const struct mount_entry *e)
{
	struct dead_search *d = arg;
	struct error ignored = ERROR_INIT;
	struct json_object *o;

	if (!mount_entry_is_skydir(e) || e->user_id != geteuid() ||
	    (d->only && strcmp(d->only, e->path) != 0) || clients_find(&d->status->all, e->path))
		return 0;
	if (mounts_probe(e->path, 2000) != -ENOTCONN)
		return 0;
	o = json_object_new_object();
	if (!o)
		return 0;
	json_object_object_add(o, "mountpoint", json_object_new_string(e->path));
	json_object_object_add(o, "state", json_object_new_string("dead"));
	(void)add(d->status->mounts, o, &ignored); /* without memory it is left out of the list */
	return 0;
}

static int add_orphan(void *arg, const char *dir, struct json_object *status, struct error *err)
{
	struct status *s = arg;

	(void)dir; /* stands in status as cache_dir */
	json_object_object_add(status, "orphan", json_object_new_boolean(1));
	return add(s->orphans, json_object_get(status), err);
}

static int collect(struct cli *cli, struct status *s, const char *only, struct error *err)
{
	CLEANUP(config_release) struct config config = CONFIG_INIT;
	struct dead_search dead = {s, only};
	const char *dir = args_get(cli->args, "cache-dir");
	int r = clients_open(&s->all, err);

	if (r == 0)
		r = ask_daemons(s, only, err);
	if (r == 0)
		r = mounts_each(add_dead, &dead, err);
	if (r < 0 || only)
		return r;
	r = config_load(cli->config_path, &config, err);
	if (r == 0 && dir)
		r = fs_options_set(&config.options, "cache-dir", dir, "--cache-dir", err);
	if (r == 0)
		r = config_fix_paths(&config, err);
	return r < 0 ? r : orphans_each(config.options.cache_dir, &s->all, add_orphan, s, err);
}

static int print_table(struct status *s, struct json_object *all, struct error *err)
{
	CLEANUP(buf_release) struct buf details = BUF_INIT(1 << 20);
	struct output_table *t;
	size_t orphans = json_object_array_length(s->orphans);
	int r;

	if (!json_object_array_length(s->mounts) && !orphans) {
		(void)puts("no mounts");
		return 0;
	}
	t = status_table(all, output_has_colour(STDOUT_FILENO) ? STATUS_COLOURED : STATUS_PLAIN);
	if (!t)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = output_table_print(t, err);
	output_table_free(t);
	if (r < 0)
		return r;
	if (status_add_details(s->mounts, &details) < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	(void)fputs(buf_cstr(&details), stdout);
	if (orphans)
		(void)puts("\nleft over: `skydir sync` uploads it, a new mount takes it up");
	return 0;
}

static int show(struct cli *cli, struct status *s, const char *only, struct error *err)
{
	CLEANUP(json_putp) struct json_object *all = json_object_new_object();

	if (!all)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (only && !json_object_array_length(s->mounts))
		return error_set(err, ERR_NOT_FOUND, "'%s' is not a skydir mount (skydir status)",
				 only);
	json_object_object_add(all, "mounts", json_object_get(s->mounts));
	json_object_object_add(all, "orphans", json_object_get(s->orphans));
	return cli->format == OUTPUT_JSON ? output_json(all, err) : print_table(s, all, err);
}

static int run(struct cli *cli, struct error *err)
{
	CLEANUP(json_putp) struct json_object *mounts = json_object_new_array();
	CLEANUP(json_putp) struct json_object *orphans = json_object_new_array();
	CLEANUP(freep) char *only = NULL;
	struct status s = {.mounts = mounts, .orphans = orphans};
	int r = mounts && orphans ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0 && cli->args->count)
		r = mounts_resolve(cli->args->positionals[0], &only, err);
	if (r == 0)
		r = collect(cli, &s, only, err);
	if (r == 0)
		r = show(cli, &s, only, err);
	clients_release(&s.all);
	return r;
}

static const struct args_option options[] = {
	{'o', "output", "table|json", "how results and errors are shown"},
	{0, "cache-dir", "DIR", "look for leftovers of earlier mounts in DIR"},
	CLI_OPTION_CONFIG,
	CLI_OPTION_HELP,
	CLI_OPTION_END,
};

const struct command command_status = {
	.name = "status",
	.synopsis = "[DIR] [-o json]",
	.summary = "show mounts, uploads, errors and what is left over",
	.details =
		"Shows all mounts, or that of DIR: what is not in the cloud yet, uploads under "
		"way, errors,\n"
		"the cache. Cache directories with data that a mount left behind are listed too.",
	.examples = "skydir status\n"
		    "skydir status ~/sky -o json",
	.options = options,
	.most = 1,
	.run = run,
};
