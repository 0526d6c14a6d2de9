/*
 * Purpose: the operations on functions that a cloud runs when they are called: rows; the drivers do them
 *	(backends/cloud/serverless.h).
 */
#include "backends/cloud/serverless.h"
#include "control/op.h"

#define FUNCTION(slot_name) .interface = CLOUD_FUNCTIONS, .slot = offsetof(struct function_ops, slot_name)
#define ENVIRONMENT_MAX 65536

static const char *const active[] = {"active", NULL};
static const char *const failed[] = {"failed", NULL};
static const struct op_wait wait_created = {"functions.get", "", "status", active, failed};
static const struct op_wait wait_updated = {"functions.get", "function", "status", active, failed};
static const struct op_wait wait_gone = {"functions.get", "function", "status", NULL, failed};

#define FUNCTION_PARAM {"function", OP_STRING, true, 512, "name or identifier", .position = 1, .completes = "functions.list"}
#define CODE \
	{"code", OP_PATH, false, 4096, "the code: a directory, a zip, or a single file, read where the command runs", .position = 2}, \
	{"location", OP_STRING, false, 2048, "instead of code: where a zip lies (AWS: s3://BUCKET/KEY, Google: gs://BUCKET/OBJECT)"}

static const struct op_param function_params[] = {FUNCTION_PARAM, OP_PARAM_END};
static const struct op_param create_params[] = {
	{"name", OP_STRING, true, 140, "name", .position = 1},
	CODE,
	{"runtime", OP_STRING, false, 64, "what runs it, as the provider names it: python3.13, nodejs22.x, python313, ..."},
	{"handler", OP_STRING, false, 128, "where in the code it begins: main.handler (AWS), the function's name (Google)"},
	{"role", OP_STRING, false, 512, "whom it acts as: the ARN of a role (AWS), a service account (Google)"},
	{"memory_mb", OP_INT, false, 65536, "memory in MiB", .min = 64},
	{"timeout_s", OP_INT, false, 3600, "seconds after which a call is ended", .min = 1},
	{"env", OP_MAP, false, 4096, "variable of its environment; may be repeated (others see arguments: not for secrets)"},
	{"secrets", OP_STRING, false, ENVIRONMENT_MAX, "file of lines NAME=VALUE, for variables that are secret", .is_secret = true},
	{"description", OP_STRING, false, 256, "what it is for"},
	{"storage", OP_STRING, false, 128, "storage account that it keeps its state in (Azure)"},
	{"plan", OP_STRING, false, 512, "hosting plan, by identifier (Azure; a consumption plan otherwise)"},
	{"tag", OP_MAP, false, 256, "tag or label; may be repeated"},
	OP_PARAM_END,
};
static const struct op_param update_params[] = {FUNCTION_PARAM, CODE, OP_PARAM_END};
static const struct op_param invoke_params[] = {
	FUNCTION_PARAM,
	{"payload", OP_JSON, false, 1 << 20, "what it is given", .position = 2},
	{"entry", OP_STRING, false, 128, "which of the application's functions, where it has several (Azure)"},
	{"version", OP_STRING, false, 128, "version or alias (AWS)"},
	{"async", OP_BOOL, false, 0, "do not wait for its answer (AWS)"},
	OP_PARAM_END,
};
static const struct op_param log_params[] = {
	FUNCTION_PARAM,
	{"since", OP_DURATION, false, 0, "how far back (1h)"},
	OP_PARAM_END,
};

/* Where the code is must be said once. */
static int check_code(struct json_object *params, struct json_object **ret, struct error *err)
{
	bool has_code = json_object_object_get_ex(params, "code", NULL), has_place = json_object_object_get_ex(params, "location", NULL);

	if (has_code && has_place)
		return error_set(err, ERR_INVALID, "parameters 'code' and 'location' exclude each other");
	if (!has_code && !has_place)
		return error_set(err, ERR_INVALID, "parameter 'code' is missing (a directory, a zip or a file; or --location)");
	*ret = json_object_get(params);
	return 0;
}

extern const struct op function_op_rows[];
const struct op function_op_rows[] = {
	{.name = "functions.list",
	 .summary = "list the functions",
	 .result = OP_ITEMS,
	 .shape = &shape_function,
	 FUNCTION(functions_list)},
	{.name = "functions.get",
	 .summary = "show a function",
	 .params = function_params,
	 .result = OP_ONE,
	 .shape = &shape_function,
	 FUNCTION(functions_get)},
	{.name = "functions.create",
	 .summary = "make a function of a directory, a zip or a file",
	 .risk = OP_CHANGE,
	 .params = create_params,
	 .result = OP_ONE,
	 .shape = &shape_function,
	 .wait = &wait_created,
	 .prepare = check_code,
	 .example = "skydir functions create hello ./hello --runtime python3.13 --handler main.handler --role ARN --wait",
	 FUNCTION(functions_create)},
	{.name = "functions.update",
	 .summary = "give a function new code; all else stays",
	 .risk = OP_CHANGE,
	 .params = update_params,
	 .result = OP_ONE,
	 .shape = &shape_function,
	 .wait = &wait_updated,
	 .prepare = check_code,
	 FUNCTION(functions_update)},
	{.name = "functions.invoke",
	 .summary = "call a function and show what it answers; its own failure is exit code 1",
	 .risk = OP_CHANGE,
	 .params = invoke_params,
	 .result = OP_ONE,
	 .shape = &shape_invocation,
	 .example = "skydir functions invoke hello '{\"name\": \"me\"}'",
	 FUNCTION(functions_invoke)},
	{.name = "functions.logs",
	 .summary = "list what a function wrote to its log",
	 .params = log_params,
	 .result = OP_ITEMS,
	 .shape = &shape_log_line,
	 .example = "skydir functions logs hello --since 10m",
	 FUNCTION(functions_logs)},
	{.name = "functions.delete",
	 .summary = "delete a function with its code",
	 .risk = OP_DESTROY,
	 .params = function_params,
	 .wait = &wait_gone,
	 FUNCTION(functions_delete)},
	{.name = NULL},
};
