/*
 * Purpose: `skydir mount`: checks everything that can be checked before a process is started, then
 * starts it.
 */
#include "control/cli.h"
#include "control/daemon.h"
#include "control/mounts.h"

#include <sys/stat.h>

/* -o values of the command line, joined, without `config=`, which is ours and not the mount's. */
static int join_options(const struct args *args, struct buf *list, const char **config_path,
			struct arena *arena, struct error *err)
{
	for (size_t i = 0; i < args->given_count; i++) {
		struct str rest = str_of(args->given[i].value), item;
		int r = 0;

		if (args->given[i].option->letter != 'o')
			continue;
		while (r == 0 && (item = str_split(&rest, ',')).ptr) {
			if (!str_starts(item, "config=")) {
				r = list->len ? buf_addc(list, ',') : 0;
				r = r < 0 ? r : buf_add_str(list, item);
				continue;
			}
			*config_path = arena_strndup(arena, item.ptr + 7, item.len - 7);
			r = *config_path ? 0 : -ENOMEM;
		}
		if (r < 0)
			return error_set(err, ERR_INVALID, "-o: the list of options is too long");
	}
	return 0;
}

/* There, a directory, and not a skydir mount; the result is absolute and without symbolic links. */
static int check_mountpoint(const char *dir, char **ret, struct error *err)
{
	CLEANUP(mount_entry_release) struct mount_entry e = MOUNT_ENTRY_INIT;
	CLEANUP(freep) char *path = NULL;
	struct error ignored;
	struct stat st;
	int r = mounts_resolve(dir, &path, err);

	if (r < 0)
		return r;
	if (mounts_at(path, &e, &ignored) == 0 && mount_entry_is_skydir(&e)) {
		bool is_dead = mounts_probe(path, 2000) == -ENOTCONN;

		return error_set(err, ERR_CONFLICT, "'%s' is a %s already (skydir umount %s)", path,
				 is_dead ? "skydir mount whose daemon is gone" : "skydir mount",
				 path);
	}
	if (stat(path, &st) < 0 && errno == ENOENT)
		return error_set(err, ERR_NOT_FOUND, "'%s' does not exist (mkdir -p %s)", path,
				 path);
	if (stat(path, &st) < 0)
		return error_errno(err, errno, "cannot look at '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERR_INVALID, "'%s' is not a directory", path);
	*ret = steal(path);
	return 0;
}

static int prepare(struct cli *cli, struct config *config, struct error *err)
{
	CLEANUP(buf_release) struct buf list = BUF_INIT(65536);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(65536);
	const char *config_path = cli->config_path;
	int r = join_options(cli->args, &list, &config_path, &arena, err);

	if (r == 0)
		r = config_load(config_path, config, err);
	if (r == 0 && list.len)
		r = config_add_options(config, buf_cstr(&list), err);
	if (r == 0)
		r = config_fix_paths(config, err);
	if (r == 0 && config->warning)
		output_note("warning: %s", config->warning);
	return r;
}

static int run(struct cli *cli, struct error *err)
{
	CLEANUP(config_release) struct config config = CONFIG_INIT;
	CLEANUP(freep) char *mountpoint = NULL;
	const struct args *args = cli->args;
	const char *source = args->count == 2 ? args->positionals[0] : "/";
	const char *dir = args->positionals[args->count - 1];
	struct daemon_args daemon = {.config = &config, .source = source};
	struct store_plan plan;
	int r = prepare(cli, &config, err);

	if (r == 0)
		r = store_plan_make(&config, source, &plan, err);
	if (r == 0)
		r = check_mountpoint(dir, &mountpoint, err);
	if (r == 0) {
		daemon.plan = &plan;
		daemon.mountpoint = mountpoint;
		r = args_has(args, "foreground") ? daemon_run_foreground(&daemon, err)
						 : daemon_start_background(&daemon, err);
	}
	/* fs names the source itself where it knows more. */
	if (r < 0 && strncmp(err->message, "cannot mount", strlen("cannot mount")) != 0)
		return error_prefix(err, r, "cannot mount '%s'", source);
	return r;
}

static const struct args_option options[] = {
	{'f', "foreground", NULL, "stay in the foreground and log to stderr"},
	{'o', NULL, "OPT,OPT=VALUE", "mount options, see below; may be repeated"},
	CLI_OPTION_CONFIG,
	CLI_OPTION_OUTPUT,
	CLI_OPTION_HELP,
	CLI_OPTION_END,
};

const struct command command_mount = {
	.name = "mount",
	.synopsis = "[SOURCE] DIR [-f] [-o OPT,OPT=VALUE] [--config FILE]",
	.summary = "make clouds appear as a directory",
	.details = "Mounts SOURCE on DIR and returns when the mount answers. SOURCE is '/' (all "
		   "stores, the\n"
		   "default), '/STORE', '/STORE/BUCKET' or '/STORE/BUCKET/PREFIX'.\n\n"
		   "Stores are the sections of the configuration file "
		   "($XDG_CONFIG_HOME/skydir/skydir.conf,\n"
		   "SKYDIR_CONFIG, --config or -o config=FILE); without any, those whose "
		   "credentials are found\n"
		   "by the provider's own standard means. 'local', a directory that plays an "
		   "object store, is\n"
		   "always there.\n\n"
		   "In /etc/fstab: /s3/my-bucket /mnt/data skydir "
		   "_netdev,allow-other,config=/etc/skydir.conf 0 0",
	.examples = "skydir mount ~/sky\n"
		    "skydir mount /s3/my-bucket/photos ~/photos -o ro\n"
		    "skydir mount ~/sky -f -o cache-size=50G,log-level=debug\n"
		    "mount -t skydir /s3/my-bucket /mnt/data",
	.options = options,
	.least = 1,
	.most = 2,
	.run = run,
};
