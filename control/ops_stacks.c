/*
 * Purpose: the operations on stacks: rows; the drivers do them (backends/cloud/orchestration.h).
 */
#include "backends/cloud/orchestration.h"
#include "backends/base/fileio.h"
#include "control/op.h"

#define STACK(slot_name) .interface = CLOUD_STACKS, .slot = offsetof(struct stack_ops, slot_name)
#define TEMPLATE_MAX 1048576

static const char *const complete[] = {"complete", NULL};
static const char *const suspended[] = {"suspended", NULL};
static const char *const failed[] = {"failed", "rolled-back", NULL};
static const struct op_wait wait_created = {"stacks.get", "", "status", complete, failed, .follow = "stacks.events"};
static const struct op_wait wait_updated = {"stacks.get", "stack", "status", complete, failed, .follow = "stacks.events"};
static const struct op_wait wait_suspended = {"stacks.get", "stack", "status", suspended, failed, .follow = "stacks.events"};
static const struct op_wait wait_gone = {"stacks.get", "stack", "status", NULL, failed, .follow = "stacks.events"};

#define STACK_PARAM {"stack", OP_STRING, true, 512, "name or identifier", .position = 1, .completes = "stacks.list"}
#define NAME {"name", OP_STRING, true, 255, "name", .position = 1}
#define TEMPLATE(required, at) {"template", OP_TEXT, required, TEMPLATE_MAX, "template (JSON or YAML)", .position = at}
#define FILE_PARAM {"file", OP_PATH, true, 4096, "file that holds the template, read where the command runs", .position = 2}
#define MORE \
	{"parameter", OP_MAP, false, 65536, "value for the template; may be repeated"}, \
	{"environment", OP_TEXT, false, TEMPLATE_MAX, "environment (Heat)"}, \
	{"capability", OP_LIST, false, 64, "what the template may do (AWS: CAPABILITY_IAM, ...); may be repeated"}
#define TAG {"tag", OP_MAP, false, 256, "tag; may be repeated"}
#define CREATE \
	MORE, TAG, {"rollback", OP_BOOL, false, 0, "undo all when it fails (AWS does unless told not to)"}, \
	{"timeout_min", OP_INT, false, 1440, "minutes after which the service gives up", .min = 1}

static const struct op_param stack_params[] = {STACK_PARAM, OP_PARAM_END};
static const struct op_param create_params[] = {NAME, TEMPLATE(true, 2), CREATE, OP_PARAM_END};
static const struct op_param file_params[] = {NAME, FILE_PARAM, CREATE, OP_PARAM_END};
static const struct op_param update_params[] = {STACK_PARAM, TEMPLATE(false, 2), MORE, TAG, OP_PARAM_END};
static const struct op_param preview_params[] = {NAME, TEMPLATE(true, 2), MORE, OP_PARAM_END};
static const struct op_param validate_params[] = {TEMPLATE(true, 1), MORE, OP_PARAM_END};
static const struct op_param resource_params[] = {
	STACK_PARAM,
	{"resource", OP_STRING, true, 255, "name in the template", .position = 2},
	OP_PARAM_END,
};

/* The file's text takes its place: the drivers know templates only. */
static int read_template(struct json_object *params, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	CLEANUP(buf_release) struct buf text = BUF_INIT(TEMPLATE_MAX);
	const char *path = json_get_string(params, "file");
	int r = fileio_read_file(path, &text, err);

	if (r < 0)
		return error_prefix(err, r, "the template");
	if (text.len && memchr(text.data, '\0', text.len))
		return error_set(err, ERR_INVALID, "the template '%.200s' holds a NUL", path);
	if (json_object_deep_copy(params, &o, NULL) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_del(o, "file");
	json_object_object_add(o, "template", json_object_new_string(buf_cstr(&text)));
	*ret = steal(o);
	return 0;
}

extern const struct op stack_op_rows[];
const struct op stack_op_rows[] = {
	{.name = "stacks.list",
	 .summary = "list the stacks",
	 .result = OP_ITEMS,
	 .shape = &shape_stack,
	 STACK(stacks_list)},
	{.name = "stacks.get",
	 .summary = "show a stack",
	 .params = stack_params,
	 .result = OP_ONE,
	 .shape = &shape_stack,
	 STACK(stacks_get)},
	{.name = "stacks.create",
	 .summary = "make a stack of a template; --wait shows its events as they come",
	 .risk = OP_CHANGE,
	 .params = create_params,
	 .result = OP_ONE,
	 .shape = &shape_stack,
	 .wait = &wait_created,
	 .example = "skydir stacks create web web.yaml --parameter size=small --wait",
	 STACK(stacks_create)},
	{.name = "stacks.create-from-file",
	 .summary = "make a stack of a template in a file",
	 .risk = OP_CHANGE,
	 .params = file_params,
	 .result = OP_ONE,
	 .shape = &shape_stack,
	 .wait = &wait_created,
	 .prepare = read_template,
	 STACK(stacks_create)},
	{.name = "stacks.preview",
	 .summary = "show what a template would make or change",
	 .risk = OP_CHANGE,
	 .params = preview_params,
	 .result = OP_ITEMS,
	 .shape = &shape_stack_change,
	 STACK(stacks_preview)},
	{.name = "stacks.update",
	 .summary = "change a stack; what is not named stays",
	 .risk = OP_CHANGE,
	 .params = update_params,
	 .result = OP_ONE,
	 .shape = &shape_stack,
	 .wait = &wait_updated,
	 STACK(stacks_update)},
	{.name = "stacks.suspend",
	 .summary = "stop all that a stack has",
	 .risk = OP_CHANGE,
	 .params = stack_params,
	 .result = OP_ONE,
	 .shape = &shape_stack,
	 .wait = &wait_suspended,
	 STACK(stacks_suspend)},
	{.name = "stacks.resume",
	 .summary = "start all that a stack has",
	 .risk = OP_CHANGE,
	 .params = stack_params,
	 .result = OP_ONE,
	 .shape = &shape_stack,
	 .wait = &wait_updated,
	 STACK(stacks_resume)},
	{.name = "stacks.delete",
	 .summary = "delete a stack with all that it made",
	 .risk = OP_DESTROY,
	 .params = stack_params,
	 .wait = &wait_gone,
	 STACK(stacks_delete)},
	{.name = "stacks.resources",
	 .summary = "list the things of a stack",
	 .params = stack_params,
	 .result = OP_ITEMS,
	 .shape = &shape_stack_resource,
	 STACK(resources_list)},
	{.name = "stacks.resource",
	 .summary = "show a thing of a stack",
	 .params = resource_params,
	 .result = OP_ONE,
	 .shape = &shape_stack_resource,
	 STACK(resources_get)},
	{.name = "stacks.events",
	 .summary = "list what happened to a stack",
	 .params = stack_params,
	 .result = OP_ITEMS,
	 .shape = &shape_stack_event,
	 STACK(events_list)},
	{.name = "stacks.outputs",
	 .summary = "list the outputs of a stack",
	 .params = stack_params,
	 .result = OP_ITEMS,
	 .shape = &shape_stack_output,
	 STACK(outputs_list)},
	{.name = "stacks.template",
	 .summary = "show the template of a stack",
	 .params = stack_params,
	 .result = OP_ONE,
	 .shape = &shape_stack_template,
	 .text = "template",
	 STACK(template_get)},
	{.name = "stacks.validate",
	 .summary = "check a template",
	 .params = validate_params,
	 .result = OP_ONE,
	 .shape = &shape_template_check,
	 STACK(template_validate)},
	{.name = NULL},
};
