/*
 * Purpose: `skydir sync`: returns when all that was written is in the cloud, or says what is not.
 */
#include "backends/base/clock.h"
#include "control/cli.h"
#include "control/client.h"
#include "control/meter.h"
#include "control/mounts.h"
#include "control/orphans.h"
#include "control/stores.h"

#define EXIT_WAIT_OVER 8 /* the time-out of a wait */

struct sync {
	struct cli *cli;
	struct json_object *failures; /* of all mounts and cache directories together */
	struct output_progress progress;
	uint64_t timeout_ms, deadline_mono_ms; /* 0: none */
	struct config *config;		       /* for what no mount holds */
	struct store_set stores;
	bool has_stores;
	bool is_late; /* the deadline passed before everything was done */
};

static int take_failures(struct sync *s, struct json_object *failures, const char *where,
			 struct error *err)
{
	size_t count = failures ? json_object_array_length(failures) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *f = json_object_get(json_object_array_get_idx(failures, i));

		json_object_object_add(f, "mountpoint", json_object_new_string(where));
		if (json_object_array_add(s->failures, f) != 0) {
			json_object_put(f);
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		}
	}
	return 0;
}

static int sync_mount(struct sync *s, struct client *c, const char *path, const char *where,
		      struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = json_object_new_object();
	CLEANUP(json_putp) struct json_object *result = NULL;
	uint64_t now = clock_mono_ms();
	const char *reason;
	int r;

	if (!params)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_add(params, "path", json_object_new_string(path));
	if (s->deadline_mono_ms)
		json_object_object_add(
			params, "timeout_ms",
			json_object_new_int64(now < s->deadline_mono_ms
						      ? (int64_t)(s->deadline_mono_ms - now)
						      : 1));
	r = client_call(c, "mount.sync", params, 0, output_progress_from_json, &s->progress,
			&result, err);
	output_progress_end(&s->progress);
	if (r < 0)
		return error_prefix(err, r, "cannot sync '%s'", where);
	reason = json_get_string(result, "reason");
	s->is_late = s->is_late || (reason && !strcmp(reason, error_name(ERR_TIMEOUT)));
	return take_failures(s, json_get_array(result, "failures"), where, err);
}

static int sync_path(struct sync *s, struct clients *all, const char *path, struct error *err)
{
	CLEANUP(mount_entry_release) struct mount_entry e = MOUNT_ENTRY_INIT;
	CLEANUP(freep) char *resolved = NULL;
	struct client *c;
	const char *inside;
	int r = mounts_resolve(path, &resolved, err);

	if (r == 0)
		r = mounts_containing(resolved, &e, err);
	if (r < 0)
		return error_prefix(err, r, "cannot sync '%s'", path);
	if (!mount_entry_is_skydir(&e))
		return error_set(
			err, ERR_NOT_FOUND,
			"cannot sync '%s': it is not inside a skydir mount (skydir status)", path);
	c = clients_find(all, e.path);
	if (!c)
		return error_set(err, ERR_UNAVAILABLE,
				 "cannot sync '%s': the daemon of '%s' cannot be reached", path,
				 e.path);
	inside = resolved + (strcmp(e.path, "/") ? strlen(e.path) : 0);
	return sync_mount(s, c, inside[0] ? inside : "/", e.path, err);
}

static void show_progress(void *arg, const struct fs_progress *p)
{
	output_progress_show(arg, p);
}

static void skip_store(const char *name, const struct error *why)
{
	output_note("warning: store '%s' is left out: %s", name, why->message);
}

/* A cache directory that no mount holds: opened here, uploaded, closed. */
static int sync_orphan(void *arg, const char *dir, struct json_object *status, struct error *err)
{
	CLEANUP(json_putp) struct json_object *failures = NULL;
	struct sync *s = arg;
	struct fs_options *options = &s->config->options;
	struct store_plan plan;
	struct fs *fs = NULL;
	int r = 0;

	(void)status; /* what is left there is told by fs_sync */
	if (!s->has_stores) {
		r = meter_configure(s->config, err);
		if (r == 0)
			r = store_plan_make(s->config, "/", &plan, err);
		if (r == 0)
			r = store_set_open(&plan, skip_store, &s->stores, err);
		s->has_stores = r == 0;
	}
	if (r < 0)
		return error_prefix(err, r, "cannot upload what is left in '%s'", dir);
	free(options->cache_dir);
	options->cache_dir = str_dup(str_of(dir));
	if (!options->cache_dir)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	output_note("%s: uploading what an earlier mount left", dir);
	r = fs_new(options, s->stores.stores, s->stores.count, "/", &fs, err);
	if (r == 0)
		r = fs_sync(fs, "/", s->deadline_mono_ms, NULL, show_progress, &s->progress,
			    &failures, err);
	output_progress_end(&s->progress);
	fs_free(fs);
	if (r < 0 && (!failures || !json_object_array_length(failures)))
		return error_prefix(err, r, "cannot upload what is left in '%s'", dir);
	s->is_late = s->is_late || (r < 0 && err->kind == ERR_TIMEOUT);
	*err = ERROR_INIT;
	return take_failures(s, failures, dir, err);
}

/* Every mount, then what no mount holds. One that cannot be reached does not keep the others from
 * being synced. */
static int sync_all(struct sync *s, struct clients *all, struct error *err)
{
	CLEANUP(freep) char *cache_dir = str_dup(str_of(s->config->options.cache_dir));
	struct error local = ERROR_INIT;
	int result = 0, r;

	if (!cache_dir)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i <= all->count; i++) {
		struct client *c = i < all->count ? &all->items[i] : NULL;
		const char *at = c && c->about ? json_get_string(c->about, "mountpoint") : NULL;

		if (c && c->about && !at)
			continue; /* a daemon without a mount */
		r = c ? sync_mount(s, c, "/", at ? at : "a mount that does not answer", &local)
		      : orphans_each(cache_dir, all, sync_orphan, s, &local);
		if (r >= 0)
			continue;
		if (result < 0)
			output_note("%s", local.message);
		else
			*err = local;
		result = result < 0 ? result : r;
	}
	return result;
}

static int parse_timeout(struct sync *s, struct error *err)
{
	const char *timeout = args_get(s->cli->args, "timeout");

	if (!timeout)
		return 0;
	if (str_to_duration(str_of(timeout), &s->timeout_ms) < 0 || !s->timeout_ms)
		return error_set(err, ERR_INVALID, "--timeout '%.32s' is not a time (e.g. 90s, 5m)",
				 timeout);
	s->deadline_mono_ms = clock_mono_ms() + s->timeout_ms;
	return 0;
}

/* Needed only for what no mount holds: a path in a mount is synced whatever the file says now. */
static int load(struct sync *s, struct config *config, struct error *err)
{
	const char *dir = args_get(s->cli->args, "cache-dir");
	int r = config_load(s->cli->config_path, config, err);

	if (r == 0 && dir)
		r = fs_options_set(&config->options, "cache-dir", dir, "--cache-dir", err);
	if (r == 0)
		r = config_fix_paths(config, err);
	s->config = config;
	return r;
}

static int report(struct sync *s, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	size_t count = json_object_array_length(s->failures);
	/* The wait the user bounded is over: not the same as something that failed. */
	int code = s->is_late && s->deadline_mono_ms ? EXIT_WAIT_OVER : count ? 1 : 0;
	int r;

	if (s->cli->format != OUTPUT_JSON) {
		output_failures(s->failures);
		return code;
	}
	o = json_object_new_object();
	if (!o)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_add(o, "uploaded", json_object_new_boolean(code == 0));
	json_object_object_add(o, "failures", json_object_get(s->failures));
	r = output_json(o, err);
	return r < 0 ? r : code;
}

static int run(struct cli *cli, struct error *err)
{
	CLEANUP(config_release) struct config config = CONFIG_INIT;
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	CLEANUP(json_putp) struct json_object *failures = json_object_new_array();
	struct sync s = {.cli = cli, .failures = failures, .progress.what = "uploading"};
	int r = failures ? parse_timeout(&s, err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0 && !cli->args->count)
		r = load(&s, &config, err);
	if (r == 0)
		r = clients_open(&all, err);
	if (r == 0 && cli->args->count)
		r = sync_path(&s, &all, cli->args->positionals[0], err);
	else if (r == 0)
		r = sync_all(&s, &all, err);
	store_set_release(&s.stores);
	if (r < 0 && failures)
		output_failures(failures);
	if (r < 0 && s.deadline_mono_ms && err->kind == ERR_TIMEOUT) {
		/* The wait the user bounded is over: not the same as a server that does not answer.
		 */
		output_error(cli->format, err);
		return EXIT_WAIT_OVER;
	}
	return r < 0 ? r : report(&s, err);
}

static const struct args_option options[] = {
	{0, "timeout", "TIME", "give up after that long (exit code 8); e.g. 90s, 5m"},
	{0, "cache-dir", "DIR", "also look for leftovers of earlier mounts in DIR"},
	CLI_OPTION_CONFIG,
	CLI_OPTION_OUTPUT,
	CLI_OPTION_HELP,
	CLI_OPTION_END,
};

const struct command command_sync = {
	.name = "sync",
	.synopsis = "[PATH] [--timeout TIME]",
	.summary = "wait until all that was written is in the cloud",
	.details = "Returns 0 when everything written at or below PATH is in the cloud; else lists "
		   "what is not\n"
		   "and returns 1. Without PATH: everything of all mounts, and what an earlier "
		   "mount left in the\n"
		   "cache directory, which is uploaded without a mount.",
	.examples = "skydir sync\n"
		    "skydir sync ~/sky/s3/my-bucket/report.pdf\n"
		    "skydir sync --timeout 10m && poweroff",
	.options = options,
	.most = 1,
	.run = run,
};
