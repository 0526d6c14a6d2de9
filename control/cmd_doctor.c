/*
 * Purpose: `skydir doctor`: looks at everything a mount needs and says what is wrong.
 */
#include "control/cli.h"
#include "control/doctor.h"

static struct doctor *current; /* for the callback that has no argument; one thread */

static void on_skip(const char *name, const struct error *why)
{
	doctor_add(current, DOCTOR_WARN, name, "credentials were found, but: %s", why->message);
}

/* --write /STORE/BUCKET */
static void check_writes(struct doctor *d, const struct store_set *stores, const char *target)
{
	struct str rest = str_of(target), name;
	CLEANUP(freep) char *bucket = NULL;

	while (rest.len && rest.ptr[0] == '/')
		rest = (struct str){rest.ptr + 1, rest.len - 1};
	name = str_split(&rest, '/');
	if (rest.ptr)
		bucket = str_dup(str_split(&rest, '/'));
	if (!bucket || !bucket[0]) {
		doctor_add(d, DOCTOR_FAIL, "write", "'%s' is not /STORE/BUCKET", target);
		return;
	}
	for (size_t i = 0; i < stores->count; i++)
		if (str_equal(name, str_of(stores->stores[i]->name))) {
			doctor_check_writes(d, stores->stores[i], bucket);
			return;
		}
	doctor_add(d, DOCTOR_FAIL, "write", "there is no store '%.*s'", (int)name.len, name.ptr);
}

static void check_stores(struct doctor *d, const struct config *config, const char *target)
{
	CLEANUP(store_set_release) struct store_set stores = STORE_SET_INIT;
	struct error err = ERROR_INIT;
	struct store_plan plan;
	int r = store_plan_make(config, "/", &plan, &err);

	if (r == 0)
		r = store_set_open(&plan, on_skip, &stores, &err);
	if (r < 0) {
		doctor_add(d, DOCTOR_FAIL, "stores", "%s", err.message);
		return;
	}
	for (size_t i = 0; i < stores.count; i++)
		doctor_check_store(d, stores.stores[i]);
	doctor_check_clock(d);
	if (target)
		check_writes(d, &stores, target);
}

static void check_config(struct doctor *d, struct cli *cli)
{
	CLEANUP(config_release) struct config config = CONFIG_INIT;
	struct error err = ERROR_INIT;
	int r = config_load(cli->config_path, &config, &err);

	if (r == 0)
		r = config_fix_paths(&config, &err);
	if (r < 0) {
		doctor_add(d, DOCTOR_FAIL, "configuration", "%s", err.message);
		return;
	}
	if (config.warning)
		doctor_add(d, DOCTOR_WARN, "configuration", "%s", config.warning);
	else if (config.has_file)
		doctor_add(d, DOCTOR_OK, "configuration", "'%s', %zu store%s", config.path,
			   config.store_count, config.store_count == 1 ? "" : "s");
	else
		doctor_add(d, DOCTOR_OK, "configuration",
			   "no file '%s': stores are those whose credentials are found",
			   config.path);
	doctor_check_cache(d, &config.options);
	doctor_check_passthrough(d, &config.options);
	check_stores(d, &config, args_get(cli->args, "write"));
}

static int run(struct cli *cli, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct doctor d = {.checks = json_object_new_array(), .format = cli->format};
	int r = 0;

	if (!o || !d.checks) {
		json_object_put(d.checks);
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	current = &d;
	json_object_object_add(o, "checks", d.checks);
	doctor_check_fuse(&d);
	doctor_check_runtime(&d);
	check_config(&d, cli);
	if (cli->format == OUTPUT_JSON)
		r = output_json(o, err);
	current = NULL;
	return r < 0 ? r : d.has_failed;
}

static const struct args_option options[] = {
	{0, "write", "/STORE/BUCKET",
	 "also write, condition and delete an object of our own there"},
	CLI_OPTION_CONFIG,
	CLI_OPTION_OUTPUT,
	CLI_OPTION_HELP,
	CLI_OPTION_END,
};

const struct command command_doctor = {
	.name = "doctor",
	.synopsis = "[--write /STORE/BUCKET] [--config FILE]",
	.summary = "check what a mount needs",
	.details = "Checks FUSE, the control socket, the configuration, the cache directory, each "
		   "store and the\n"
		   "clock; prints 'ok', 'warn' or 'fail' for each, and returns 1 when something "
		   "failed. Nothing\n"
		   "is written to a cloud unless --write names a bucket.",
	.examples = "skydir doctor\n"
		    "skydir doctor --write /minio/test-bucket",
	.options = options,
	.run = run,
};
