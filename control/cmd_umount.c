/*
 * Purpose: `skydir umount`: uploads what is left (unless --now), unmounts, and waits for the
 * daemon's end.
 */
#include "control/cli.h"
#include "control/client.h"
#include "control/mounts.h"
#include <time.h>

#define CALL_MS	      30000
#define BUSY_TRIES    10u
#define BUSY_PAUSE_MS 100u

/* The mount's daemon does not speak to us: is it dead, or somebody else's? */
static int without_daemon(const char *path, bool is_now, struct error *err)
{
	CLEANUP(mount_entry_release) struct mount_entry e = MOUNT_ENTRY_INIT;
	int r = mounts_at(path, &e, err), alive;

	if (r < 0 && err->kind != ERR_NOT_FOUND)
		return r;
	if (r < 0 || !mount_entry_is_skydir(&e))
		return error_set(err, ERR_NOT_FOUND, "'%s' is not a skydir mount (skydir status)",
				 path);
	alive = mounts_probe(path, 3000);
	if (alive != -ENOTCONN && !is_now)
		return error_set(
			err, ERR_UNAVAILABLE,
			"the daemon of '%s' cannot be reached (--now unmounts all the same)", path);
	r = mounts_unmount(path, err);
	if (r < 0)
		return r;
	output_note("%s: %s; unmounted it (`skydir sync` uploads what was left)", path,
		    alive == -ENOTCONN ? "the daemon of this mount was gone"
				       : "the daemon of this mount could not be reached");
	return 0;
}

static int drain(struct client *c, struct error *err)
{
	CLEANUP(json_putp) struct json_object *result = NULL;
	struct output_progress progress = {.what = "uploading"};
	struct json_object *failures;
	int r = client_call(c, "mount.drain", NULL, 0, output_progress_from_json, &progress,
			    &result, err);

	output_progress_end(&progress);
	if (r < 0 || json_get_bool(result, "uploaded", false))
		return r;
	failures = json_get_array(result, "failures");
	output_failures(failures);
	return error_set(
		err, ERR_IO,
		"%zu not in the cloud, still mounted (--now unmounts and keeps them for the "
		"next mount)",
		failures ? json_object_array_length(failures) : 0);
}

/* What a program wrote from now on would be lost to it: as with any file system, it has to close first. A close that has just returned
 * may not be known yet. */
static int check_unused(struct client *c, struct error *err)
{
	const char *path = NULL;

	for (unsigned i = 0; i < BUSY_TRIES; i++) {
		CLEANUP(json_putp) struct json_object *status = NULL;
		struct json_object *written;
		size_t count;
		int r = client_call(c, "status", NULL, CALL_MS, NULL, NULL, &status, err);

		if (r < 0)
			return r;
		written = json_get_array(status, "written");
		count = written ? json_object_array_length(written) : 0;
		if (!count)
			return 0;
		path = json_object_get_string(json_object_array_get_idx(written, 0));
		(void)error_set(err, ERR_CONFLICT, "a program has '%.150s'%s open for writing (close it, or --now)", path ? path : "?",
				count > 1 ? " and others" : "");
		if (i + 1 < BUSY_TRIES)
			(void)nanosleep(&(struct timespec){.tv_nsec = BUSY_PAUSE_MS * 1000000L}, NULL);
	}
	return -EBUSY;
}

/* The daemon may still upload what was written meanwhile; then this says so now and then. */
static int wait_end(struct client *c, const char *path, struct error *err)
{
	CLEANUP(mount_entry_release) struct mount_entry e = MOUNT_ENTRY_INIT;
	struct error ignored;

	while (!client_wait_end(c, 10000))
		output_note("%s: waiting for its daemon (process %d) to finish", path, (int)c->pid);
	if (mounts_at(path, &e, &ignored) == 0 && mount_entry_is_skydir(&e))
		return mounts_unmount(path, err); /* it ended and left a dead mount */
	return 0;
}

static int umount_with(struct client *c, const char *path, bool is_now, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = json_object_new_object();
	CLEANUP(json_putp) struct json_object *result = NULL;
	int r = is_now ? 0 : drain(c, err);

	if (r == 0 && !is_now)
		r = check_unused(c, err);
	if (r < 0)
		return r;
	if (!params)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_add(params, "now", json_object_new_boolean(is_now));
	r = client_call(c, "mount.stop", params, CALL_MS, NULL, NULL, &result, err);
	/* One that went away instead of answering has stopped as well. */
	if (r < 0 && err->kind != ERR_UNAVAILABLE)
		return r;
	*err = ERROR_INIT;
	return wait_end(c, path, err);
}

static int run(struct cli *cli, struct error *err)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	CLEANUP(freep) char *path = NULL;
	const char *dir = cli->args->positionals[0];
	bool is_now = args_has(cli->args, "now");
	struct client *c;
	int r = mounts_resolve(dir, &path, err);

	if (r == 0)
		r = clients_open(&all, err);
	if (r == 0) {
		c = clients_find(&all, path);
		r = c ? umount_with(c, path, is_now, err) : without_daemon(path, is_now, err);
	}
	if (r < 0)
		return error_prefix(err, r, "cannot unmount '%s'", dir);
	return 0;
}

static const struct args_option options[] = {
	{0, "now", NULL, "do not wait for uploads: the next mount goes on with them"},
	CLI_OPTION_OUTPUT,
	CLI_OPTION_HELP,
	CLI_OPTION_END,
};

const struct command command_umount = {
	.name = "umount",
	.synopsis = "DIR [--now]",
	.summary = "upload what is left, then unmount",
	.details = "Uploads everything that is not in the cloud yet, showing the progress, then "
		   "unmounts and\n"
		   "returns when the mount and its process are gone. When something cannot be "
		   "uploaded, it is\n"
		   "listed and the mount stays; so does one in which a program has a file open for writing.\n"
		   "A mount whose daemon died is cleared away.",
	.examples = "skydir umount ~/sky\n"
		    "skydir umount ~/sky --now",
	.options = options,
	.least = 1,
	.most = 1,
	.run = run,
};
