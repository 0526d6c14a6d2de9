/*
 * Stacks by Heat. A stack stands at stacks/NAME/ID: both are asked for by a list.
 *
 * Source: docs.openstack.org/api-ref/orchestration/v1, read 2026-11.
 */
#include "backends/openstack/openstack_rows.h"

static const struct record_word states[] = {
	{ "CREATE_IN_PROGRESS", "creating" }, { "CREATE_COMPLETE", "complete" }, { "CREATE_FAILED", "failed" },
	{ "ADOPT_IN_PROGRESS", "creating" }, { "ADOPT_COMPLETE", "complete" }, { "ADOPT_FAILED", "failed" },
	{ "UPDATE_IN_PROGRESS", "updating" }, { "UPDATE_COMPLETE", "complete" }, { "UPDATE_FAILED", "failed" },
	{ "DELETE_IN_PROGRESS", "deleting" }, { "DELETE_COMPLETE", "deleted" }, { "DELETE_FAILED", "failed" },
	{ "SUSPEND_IN_PROGRESS", "suspending" }, { "SUSPEND_COMPLETE", "suspended" }, { "SUSPEND_FAILED", "failed" },
	{ "RESUME_IN_PROGRESS", "resuming" }, { "RESUME_COMPLETE", "complete" }, { "RESUME_FAILED", "failed" },
	{ "ROLLBACK_IN_PROGRESS", "rolling-back" }, { "ROLLBACK_COMPLETE", "rolled-back" }, { "ROLLBACK_FAILED", "failed" },
	{ "CHECK_IN_PROGRESS", "updating" }, { "CHECK_COMPLETE", "complete" }, { "CHECK_FAILED", "failed" },
	{ "SNAPSHOT_IN_PROGRESS", "updating" }, { "SNAPSHOT_COMPLETE", "complete" }, { "SNAPSHOT_FAILED", "failed" },
	{ "RESTORE_IN_PROGRESS", "updating" }, { "RESTORE_COMPLETE", "complete" }, { "RESTORE_FAILED", "failed" },
	{ "INIT_COMPLETE", "creating" }, { NULL, NULL },
};

/* Tags are words here, without values. */
static struct json_object *make_tags(struct json_object *tags)
{
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; o && json_object_is_type(tags, json_type_array) && i < json_object_array_length(tags); i++)
		json_object_object_add(o, json_object_get_string(json_object_array_get_idx(tags, i)), json_object_new_string(""));
	return o;
}

/* {"size": {"Type": ...}} as [{name, type, ...}] */
static struct json_object *make_parameters(struct json_object *parameters)
{
	struct json_object *list = json_object_new_array();

	if (!list || !json_object_is_type(parameters, json_type_object))
		return list;
	json_object_object_foreach(parameters, name, about)
	{
		struct json_object *one = json_object_new_object();

		json_object_object_add(one, "name", json_object_new_string(name));
		json_object_object_add(one, "type", json_object_get(json_get(about, "Type")));
		json_object_object_add(one, "default", json_object_get(json_get(about, "Default")));
		json_object_object_add(one, "description", json_object_get(json_get(about, "Description")));
		json_object_array_add(list, one);
	}
	return list;
}

static struct json_object *make_yes(struct json_object *answer)
{
	(void)answer; /* a template that is not valid is an error */
	return json_object_new_boolean(1);
}

static struct json_object *make_create(struct json_object *resource)
{
	(void)resource; /* a preview is of a stack that is not there */
	return json_object_new_string("create");
}

static char *make_path(struct json_object *stack)
{
	const char *name = json_get_string(stack, "stack_name"), *id = json_get_string(stack, "id");

	return name && id ? str_format("%s/%s", name, id) : NULL;
}

static const struct record_source stack_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "stack_name", NULL, NULL },
	{ "status", "stack_status", states, NULL },
	{ "provider_status", "stack_status", NULL, NULL },
	{ "reason", "stack_status_reason", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ "parameters", "parameters", NULL, NULL },
	{ "created", "creation_time", NULL, NULL },
	{ "updated", "updated_time", NULL, NULL },
	{ "tags", "tags", NULL, make_tags },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source resource_map[] = {
	{ "name", "resource_name", NULL, NULL },
	{ "type", "resource_type", NULL, NULL },
	{ "status", "resource_status", states, NULL },
	{ "provider_status", "resource_status", NULL, NULL },
	{ "id", "physical_resource_id", NULL, NULL },
	{ "reason", "resource_status_reason", NULL, NULL },
	{ "updated", "updated_time", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source event_map[] = {
	{ "id", "id", NULL, NULL },
	{ "time", "event_time", NULL, NULL },
	{ "resource", "resource_name", NULL, NULL },
	{ "status", "resource_status", states, NULL },
	{ "provider_status", "resource_status", NULL, NULL },
	{ "reason", "resource_status_reason", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source output_map[] = {
	{ "name", "output_key", NULL, NULL },
	{ "value", "output_value", NULL, stack_text },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source template_map[] = {
	{ "template", "", NULL, stack_text },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source check_map[] = {
	{ "valid", "", NULL, make_yes },
	{ "description", "Description", NULL, NULL },
	{ "parameters", "Parameters", NULL, make_parameters },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source change_map[] = {
	{ "action", "", NULL, make_create },
	{ "resource", "resource_name", NULL, NULL },
	{ "type", "resource_type", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* A page that is empty is the end: Heat has no links. */
static const struct rest_page by_id = { REST_PAGE_MARKER, REST_QUERY, "marker", "id", "limit", 1000, 0 };
static const struct rest_row list_stacks = { .service = "stack", .path = "stacks", .items = "stacks", .page = &by_id,
					     .record = stack_map };
static const struct rest_field by_stack_id[] = {
	{ "name", "id", REST_QUERY },
	{ .place = NULL },
};
static const struct rest_kind a_stack = { .what = "stack", .list = &list_stacks, .filter = openstack_by_name,
					  .id_filter = by_stack_id, .names = "stack_name|id", .is_id = openstack_rest_id,
					  .make_id = make_path };
static const struct rest_name of_stack[] = { { "stack", &a_stack }, { NULL, NULL } };
OPENSTACK_GET(get_stack, "stack", "stacks/{+stack}", "stack", stack_map, of_stack);
/* After a change, when its path is known already. */
OPENSTACK_GET(changed_stack, "stack", "stacks/{+stack}", "stack", stack_map, NULL);
OPENSTACK_GET(made_stack, "stack", "stacks/{name}/{_id}", "stack", stack_map, NULL);
OPENSTACK_GET(get_resource, "stack", "stacks/{+stack}/resources/{resource}", "resource", resource_map, of_stack);
OPENSTACK_GET(get_template, "stack", "stacks/{+stack}/template", "", template_map, of_stack);
OPENSTACK_DELETE(delete_stack, "stack", "stacks/{+stack}", of_stack);
static const struct rest_row list_resources = { .service = "stack", .path = "stacks/{+stack}/resources", .items = "resources",
						.record = resource_map, .names = of_stack };
static const struct rest_row list_events = { .service = "stack", .path = "stacks/{+stack}/events", .items = "events", .page = &by_id,
					     .record = event_map, .names = of_stack };
static const struct rest_row list_outputs = { .service = "stack", .path = "stacks/{+stack}", .items = "stack.outputs",
					      .record = output_map, .names = of_stack };
static const struct rest_field stack_fields[] = {
	{ "name", "stack_name", REST_BODY },
	{ "template", "template", REST_BODY },
	{ "parameter", "parameters", REST_BODY },
	{ "environment", "environment", REST_BODY },
	{ "rollback", "disable_rollback", REST_BODY, .when = "false" },
	{ "timeout_min", "timeout_mins", REST_BODY },
	{ .place = NULL },
};
static const struct rest_keep made[] = { { "_id", "stack.id" }, { NULL, NULL } };
static const struct rest_row create_stack = { .service = "stack", .method = HTTP_POST, .path = "stacks", .fields = stack_fields,
	.keep = made, .then = &made_stack, .is_strict = true };
static const struct rest_field preview_fields[] = {
	{ "name", "stack_name", REST_BODY },
	{ "template", "template", REST_BODY },
	{ "parameter", "parameters", REST_BODY },
	{ "environment", "environment", REST_BODY },
	{ .place = NULL },
};
static const struct rest_row preview_stack = { .service = "stack", .method = HTTP_POST, .path = "stacks/preview",
	.fields = preview_fields, .items = "stack.resources", .record = change_map, .is_strict = true, .is_read = true };
static const struct rest_field update_fields[] = {
	{ "template", "template", REST_BODY },
	{ "parameter", "parameters", REST_BODY },
	{ "environment", "environment", REST_BODY },
	{ .place = NULL },
};
static const struct rest_row update_stack = { .service = "stack", .method = HTTP_PATCH, .path = "stacks/{+stack}",
	.fields = update_fields, .names = of_stack, .then = &changed_stack, .is_strict = true };
static const struct rest_field suspend[] = {
	{ NULL, "suspend", REST_BODY, "null" },
	{ .place = NULL },
};
static const struct rest_field resume[] = {
	{ NULL, "resume", REST_BODY, "null" },
	{ .place = NULL },
};
static const struct rest_row suspend_stack = { .service = "stack", .method = HTTP_POST, .path = "stacks/{+stack}/actions",
	.fields = suspend, .names = of_stack, .then = &changed_stack, .is_strict = true };
static const struct rest_row resume_stack = { .service = "stack", .method = HTTP_POST, .path = "stacks/{+stack}/actions",
	.fields = resume, .names = of_stack, .then = &changed_stack, .is_strict = true };
static const struct rest_field validate_fields[] = {
	{ "template", "template", REST_BODY },
	{ "environment", "environment", REST_BODY },
	{ "parameter", "parameters", REST_BODY },
	{ .place = NULL },
};
static const struct rest_row validate = { .service = "stack", .method = HTTP_POST, .path = "validate", .fields = validate_fields,
	.item = "", .record = check_map, .is_strict = true, .is_read = true };

const struct stack_ops openstack_stacks = {
	.stacks_list = { .row = &list_stacks },	      .stacks_get = { .row = &get_stack },
	.stacks_create = { .row = &create_stack },    .stacks_update = { .row = &update_stack },
	.stacks_preview = { .row = &preview_stack },  .stacks_delete = { .row = &delete_stack },
	.stacks_suspend = { .row = &suspend_stack },  .stacks_resume = { .row = &resume_stack },
	.resources_list = { .row = &list_resources }, .resources_get = { .row = &get_resource },
	.events_list = { .row = &list_events },	      .template_get = { .row = &get_template },
	.template_validate = { .row = &validate },    .outputs_list = { .row = &list_outputs },
};
