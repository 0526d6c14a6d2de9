#include "control/cli_op.h"

#include "control/client.h"
#include "control/output_result.h"
#include "control/text.h"

#include <stdio.h>

#define NAME_WORDS_MAX 4

const struct op *cli_op_find(int argc, char *const *argv, int *ret_words)
{
	CLEANUP(buf_release) struct buf name = BUF_INIT(256);
	const struct op *found = NULL;

	for (int i = 0; i < argc && i < NAME_WORDS_MAX && argv[i][0] != '-'; i++) {
		const struct op *op;

		if ((i && buf_addc(&name, '.') < 0) || buf_adds(&name, argv[i]) < 0)
			break;
		op = op_find(buf_cstr(&name));
		if (op && cli_op_is_command(op)) {
			found = op;
			*ret_words = i + 1;
		}
	}
	return found;
}

static int is_below(void *word, const struct op *op)
{
	size_t len = strlen(word);

	return cli_op_is_command(op) && !strncmp(op->name, word, len) && op->name[len] == '.';
}

bool cli_op_is_resource(const char *word)
{
	return op_each(is_below, (char *)word) != 0; /* only compared */
}

/* ---- running ---- */

struct run {
	const struct op *op;
	const struct args *args;
	const char *config_path;
	struct output_choice choice;
	const char *filters[64];
	struct json_object *params;
	bool has_progress; /* a line stands on the terminal */
};

static int read_choice(struct run *run, struct error *err)
{
	const char *limit = args_get(run->args, "limit");
	uint64_t most = 0;
	int r = cli_parse_format(args_get(run->args, "output"), &run->choice.format, err);

	if (r < 0)
		return r;
	if (limit && str_to_u64(str_of(limit), &most) < 0)
		return error_set(err, ERR_INVALID, "--limit '%.32s' is no number", limit);
	run->choice.columns = args_get(run->args, "columns");
	run->choice.has_no_headers = args_has(run->args, "no-headers");
	run->choice.has_terminal = isatty(STDOUT_FILENO);
	run->choice.has_provider = json_get_bool(run->params, "all_providers", false);
	run->choice.has_colour = output_has_colour(STDOUT_FILENO);
	run->choice.sort_by = args_get(run->args, "sort-by");
	run->choice.limit = most;
	run->choice.filters = run->filters;
	while (run->choice.filter_count < ARRAY_SIZE(run->filters) &&
	       args_nth(run->args, "filter", run->choice.filter_count)) {
		run->filters[run->choice.filter_count] = args_nth(run->args, "filter", run->choice.filter_count);
		run->choice.filter_count++;
	}
	/* What is filtered or sorted here must be whole first. */
	if (run->choice.filter_count || run->choice.sort_by)
		json_object_object_del(run->params, "limit");
	return 0;
}

static int confirm(const struct run *run, struct error *err)
{
	char words[128], answer[16] = "";
	const char *what = run->args->count ? run->args->positionals[0] : "";
	bool is_plan = json_get_bool(run->params, "dry_run", false);

	if (run->op->risk != OP_DESTROY || is_plan || args_has(run->args, "yes"))
		return 0;
	cli_op_words(run->op, words, sizeof words);
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return error_set(err, ERR_INVALID, "%s cannot be undone (--yes does it without asking)", words);
	output_note("%s %s cannot be undone. Go on? [y/N]", words, what);
	if (!fgets(answer, sizeof answer, stdin) || (answer[0] != 'y' && answer[0] != 'Y'))
		return error_set(err, ERR_CANCELLED, "nothing was done");
	return 0;
}

/* What is done by a plan: on a terminal it is shown, and what is then agreed to is that plan. */
static int see_plan(struct run *run, struct error *err)
{
	const struct op *planner = run->op->planned_by ? op_find(run->op->planned_by) : NULL;
	CLEANUP(json_putp) struct json_object *params = json_object_new_object(), *plan = NULL;
	CLEANUP(buf_release) struct buf out = BUF_INIT((size_t)16 << 20);
	const char *why, *text;
	char words[128];
	int r;

	if (!planner || json_get_string(run->params, "plan_id") || json_get_bool(run->params, "dry_run", false))
		return 0;
	cli_op_words(planner, words, sizeof words);
	if (args_has(run->args, "yes") || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return error_set(err, ERR_INVALID, "the plan must be looked at first (skydir %s shows it and its --plan-id)", words);
	json_object_object_foreach(run->params, name, value)
	{
		if (op_param_find(planner, name))
			json_object_object_add(params, name, json_object_get(value));
	}
	r = cli_op_call(planner, params, run->config_path, &plan, err);
	if (r < 0)
		return r;
	text = json_get_string(plan, "plan");
	if (output_add_lines(&out, "plan", text && *text ? text : "nothing changes") < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	(void)fputs(buf_cstr(&out), stderr); /* nowhere else to tell */
	why = json_get_string(plan, "needs_force");
	if (why && !json_get_bool(run->params, "force", false))
		return error_set(err, ERR_CONFLICT, "%s: this is done with --force only", why);
	json_object_object_add(run->params, "plan_id", json_object_get(json_get(plan, "plan_id")));
	return 0;
}

static void show_progress(void *arg, struct json_object *params)
{
	struct run *run = arg;
	const char *text = json_get_string(params, "message");
	CLEANUP(buf_release) struct buf line = BUF_INIT(1024);

	if (!text || text_escape(&line, text) < 0)
		return;
	if (json_get(params, "event")) { /* stays, also where nobody looks */
		(void)fprintf(stderr, "%s%s\n", run->has_progress ? "\r\033[K" : "", buf_cstr(&line));
		run->has_progress = false;
		return;
	}
	if (!isatty(STDERR_FILENO))
		return;
	(void)fprintf(stderr, "\r\033[K%s", buf_cstr(&line));
	(void)fflush(stderr);
	run->has_progress = true;
}

/* A daemon with the same configuration and environment: it would find the same credentials. */
static struct client *find_daemon(const struct run *run, struct clients *all)
{
	CLEANUP(freep) char *ours = op_context_fingerprint(run->config_path);

	for (size_t i = 0; ours && i < all->count; i++) {
		const char *theirs =
			all->items[i].about ? json_get_string(all->items[i].about, "environment") : NULL;

		if (theirs && !strcmp(theirs, ours))
			return &all->items[i];
	}
	return NULL;
}

/* A daemon with a mount, that one if it has one. */
static struct client *find_mount(struct clients *all, struct client *preferred)
{
	if (preferred && json_get_string(preferred->about, "mountpoint"))
		return preferred;
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].about && json_get_string(all->items[i].about, "mountpoint"))
			return &all->items[i];
	return NULL;
}

static int run_here(struct run *run, struct json_object **ret, struct error *err)
{
	CLEANUP(config_release) struct config config = CONFIG_INIT;
	struct op_context *context = NULL;
	struct op_call call = {.params = run->params, .notify = show_progress, .notify_arg = run};
	int r = config_load(run->config_path, &config, err);

	if (r == 0 && config.warning)
		output_note("%s", config.warning);
	if (r == 0)
		r = op_context_new(&config, NULL, &context, err);
	if (r < 0)
		return r;
	call.context = context;
	r = op_run(run->op, &call, ret, err);
	op_context_free(context);
	return r;
}

static int run_somewhere(struct run *run, struct json_object **ret, struct error *err)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	struct error ignored = ERROR_INIT;
	struct client *daemon;
	int r = clients_open(&all, run->op->needs_mount ? err : &ignored);

	if (r < 0 && run->op->needs_mount)
		return r;
	daemon = r < 0 ? NULL : find_daemon(run, &all);
	if (run->op->needs_mount)
		daemon = find_mount(&all, daemon);
	if (!daemon)
		return run_here(run, ret, err);
	return client_call(daemon, run->op->name, run->params, 0, show_progress, run, ret, err);
}

int cli_op_call(const struct op *op, struct json_object *params, const char *config_path, struct json_object **ret,
		struct error *err)
{
	struct run run = {.op = op, .config_path = config_path, .params = params};

	return run_somewhere(&run, ret, err);
}

/* What went wrong at some of several providers; 10: done in part. */
static int tell_errors(struct json_object *result)
{
	struct json_object *errors = json_get_array(result, "errors");
	size_t count = errors ? json_object_array_length(errors) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *e = json_object_array_get_idx(errors, i);
		const char *path = json_get_string(e, "path"), *provider = json_get_string(e, "provider");
		const char *why = json_get_string(e, "message");

		output_note("%s: %s", path ? path : provider ? provider : "?", why ? why : "unknown reason");
	}
	return count ? 10 : 0;
}

static int run_parsed(struct run *run, struct error *err)
{
	CLEANUP(json_putp) struct json_object *result = NULL;
	int r = op_check_params(run->op, run->params, err);

	if (r == 0)
		r = read_choice(run, err);
	if (r == 0)
		r = output_check(run->op, &run->choice, err);
	if (r == 0)
		r = see_plan(run, err);
	if (r == 0)
		r = confirm(run, err);
	if (r == 0)
		r = run_somewhere(run, &result, err);
	if (run->has_progress)
		(void)fputs("\r\033[K", stderr);
	if (r == 0)
		r = output_select(result, &run->choice, err);
	if (r == 0)
		r = output_result(run->op, result, &run->choice, err);
	return r < 0 ? r : tell_errors(result);
}

static int print_help(const struct op *op, struct error *err)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(65536);

	if (cli_op_help(op, &out) < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	(void)fputs(buf_cstr(&out), stdout); /* checked for all of stdout at the end */
	return 0;
}

int cli_op_run(const struct op *op, int argc, char *const *argv, const char *config_path, struct error *err)
{
	struct args_option *options = cli_op_options(op);
	CLEANUP(freep) struct args *args = calloc(1, sizeof *args);
	struct run run = {.op = op, .args = args, .config_path = config_path};
	int r;

	if (!options || !args) {
		cli_op_options_free(options);
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	r = args_parse(options, argc, argv, args, err);
	if (r == 0 && args_has(args, "help")) {
		r = print_help(op, err);
	} else if (r == 0) {
		if (args_get(args, "config"))
			run.config_path = args_get(args, "config");
		r = cli_op_params(op, args, &run.params, err);
		if (r == 0)
			r = run_parsed(&run, err);
	}
	json_object_put(run.params);
	cli_op_options_free(options);
	return r;
}
