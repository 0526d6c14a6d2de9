/*
 * Stacks by Azure: deployments of templates into the configured resource group.
 *
 * A deployment is a record of what was done: deleting it leaves its resources where they are. An update is the same
 * deployment done again, with its old template and values where none are given. A preview is Resource Manager's what-if.
 *
 * Source: learn.microsoft.com/rest/api/resources/deployments, version 2024-03-01 (read 2026-11).
 */
#include "backends/azure/arm_rows.h"

#include <strings.h>

#define AT		    ARM_PLACE "Microsoft.Resources/deployments"
#define TEMPLATE_MAX	    ((size_t)4 << 20)

static const struct record_word states[] = {
	{ "Accepted", "creating" },  { "Ready", "creating" },	{ "Creating", "creating" }, { "Created", "creating" },
	{ "Running", "creating" },   { "Updating", "updating" }, { "Updated", "updating" },  { "Deleting", "deleting" },
	{ "Deleted", "deleted" },    { "Succeeded", "complete" }, { "Failed", "failed" },    { "Canceled", "failed" },
	{ "NotSpecified", "unknown" }, { NULL, NULL },
};

/* {"size": {"type": "String", "value": "small"}} as {"size": "small"} */
static struct json_object *make_values(struct json_object *theirs)
{
	struct json_object *o = json_object_new_object();

	if (!o || !json_object_is_type(theirs, json_type_object))
		return o;
	json_object_object_foreach(theirs, name, about)
		json_object_object_add(o, name, stack_text(json_get(about, "value")));
	return o;
}

static struct json_object *make_reason(struct json_object *operation)
{
	struct json_object *message = record_find(operation, "properties.statusMessage.error.message|properties.statusMessage");

	return stack_text(message);
}

static struct json_object *make_yes(struct json_object *answer)
{
	(void)answer; /* a template that is not valid is an error */
	return json_object_new_boolean(1);
}

static const struct record_source stack_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "properties.provisioningState", states, NULL },
	{ "provider_status", "properties.provisioningState", NULL, NULL },
	{ "reason", "properties.error.message", NULL, NULL },
	{ "parameters", "properties.parameters", NULL, make_values },
	{ "updated", "properties.timestamp", NULL, NULL },
	{ "tags", "tags", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source resource_map[] = {
	{ "name", "properties.targetResource.resourceName", NULL, NULL },
	{ "type", "properties.targetResource.resourceType", NULL, NULL },
	{ "status", "properties.provisioningState", states, NULL },
	{ "provider_status", "properties.provisioningState", NULL, NULL },
	{ "id", "properties.targetResource.id", NULL, NULL },
	{ "reason", "", NULL, make_reason },
	{ "updated", "properties.timestamp", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source event_map[] = {
	{ "id", "operationId", NULL, NULL },
	{ "time", "properties.timestamp", NULL, NULL },
	{ "resource", "properties.targetResource.resourceName", NULL, NULL },
	{ "type", "properties.targetResource.resourceType", NULL, NULL },
	{ "status", "properties.provisioningState", states, NULL },
	{ "provider_status", "properties.provisioningState", NULL, NULL },
	{ "reason", "", NULL, make_reason },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source template_map[] = { { "template", "template", NULL, stack_text }, { NULL, NULL, NULL, NULL } };
static const struct record_source check_map[] = { { "valid", "", NULL, make_yes }, { NULL, NULL, NULL, NULL } };

ARM_LIST(list_stacks, "deployments", AT, "value", stack_map);
ARM_KIND(a_stack, "stack", list_stacks, "/Microsoft.Resources/deployments/");
static const struct rest_name of_stack[] = { { "stack", &a_stack }, { NULL, NULL } };
ARM_GET(get_stack, "deployments", "{+stack}", stack_map, of_stack);
ARM_GET(named_stack, "deployments", AT "/{name}", NULL, NULL);
ARM_LIST(list_operations, "deployments", "{+stack}/operations", "value", event_map, .names = of_stack);
ARM_CHANGE(delete_stack, "deployments", HTTP_DELETE, "{+stack}", NULL, of_stack);
static const struct rest_row get_template = { .service = "deployments", .method = HTTP_POST, .path = "{+stack}/exportTemplate",
	.item = "", .record = template_map, .names = of_stack, .is_read = true };
/* control's parameters are text: what is sent was made of them by with_template. */
#define DEPLOYMENT_FIELDS \
	{ NULL, "properties.mode", REST_BODY, "\"Incremental\"" }, { "_template_json", "properties.template", REST_BODY }, \
	{ "_parameter_json", "properties.parameters", REST_BODY }
static const struct rest_field deployment_fields[] = {
	DEPLOYMENT_FIELDS,
	{ "tag", "tags", REST_BODY },
	{ "rollback", "properties.onErrorDeployment", REST_BODY, .when = "{\"type\": \"LastSuccessful\"}" },
	{ .place = NULL },
};
static const struct rest_field plain_fields[] = { DEPLOYMENT_FIELDS, { .place = NULL } };
static const struct rest_row create_stack = { .service = "deployments", .method = HTTP_PUT, .path = AT "/{name}",
	.fields = deployment_fields, .item = "", .record = stack_map, .is_strict = true };
static const struct rest_row update_stack = { .service = "deployments", .method = HTTP_PUT, .path = "{+stack}",
	.fields = deployment_fields, .item = "", .record = stack_map, .is_strict = true };
ARM_CHANGE(what_if, "deployments", HTTP_POST, AT "/{name}/whatIf", plain_fields, NULL, .item = "", .is_read = true);
ARM_CHANGE(validate, "deployments", HTTP_POST, AT "/skydir-validate/validate", plain_fields, NULL, .item = "",
	   .record = check_map, .is_read = true);

/* ---- templates and values ---- */

/* {"size": "small"} as {"size": {"value": "small"}}; a value that is JSON (a number, a list...) is taken as it. */
static int put_values(struct json_object *values, struct json_object *into, struct error *err)
{
	json_object_object_foreach(values, name, text)
	{
		struct json_object *one = text ? json_object_new_object() : NULL, *value = NULL;
		struct error ignored = ERROR_INIT; /* then it is text */

		if (!text) /* of a secret one the service does not tell the value: it must be given again */
			continue;
		if (json_parse(str_of(json_object_get_string(text)), TEMPLATE_MAX, &value, &ignored) < 0)
			value = json_object_get(text);
		if (!one || json_object_object_add(one, "value", value) != 0 || json_object_object_add(into, name, one) != 0)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	return 0;
}

/* The call's parameters with template and values as Resource Manager wants them; before: what is there already, raw. */
static int with_template(struct cloud_call *call, struct json_object *before, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	const char *text = cloud_param(call, "template");
	struct json_object *template = NULL, *values = json_object_new_object(), *old = json_get(before, "properties.parameters");
	int r = values && json_object_deep_copy(call->params, &params, NULL) == 0 ? 0 :
										    error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0 && old) {
		CLEANUP(json_putp) struct json_object *kept = make_values(old);

		r = put_values(kept, values, err);
	}
	if (r == 0 && cloud_param_json(call, "parameter"))
		r = put_values(cloud_param_json(call, "parameter"), values, err);
	if (r == 0 && text) {
		r = json_parse(str_of(text), TEMPLATE_MAX, &template, err);
		if (r < 0)
			r = error_set(err, ERR_INVALID, "the template is no JSON (bicep build makes some of Bicep)");
	}
	if (r < 0) {
		json_object_put(values);
		return r;
	}
	if (template)
		json_object_object_add(params, "_template_json", template);
	json_object_object_add(params, "_parameter_json", values);
	*ret = steal(params);
	return 0;
}

static int run_with(struct cloud_call *call, struct json_object *params, const struct rest_row *row, struct json_object **ret,
		    struct error *err)
{
	struct json_object *before = call->params;
	int r;

	call->params = params;
	r = rest_run(call, row, ret, err);
	call->params = before;
	return r;
}

/* A deployment of the name would be done again: that is an update. */
static int stacks_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	CLEANUP(json_putp) struct json_object *there = NULL;
	int r = with_template(call, NULL, &params, err);

	if (r == 0)
		r = rest_run(call, &named_stack, &there, err);
	if (r == 0)
		return error_set(err, ERR_EXISTS, "there is a stack '%.100s' already", cloud_param(call, "name"));
	if (r < 0 && err->kind != ERR_NOT_FOUND)
		return r;
	*err = ERROR_INIT;
	return run_with(call, params, &create_stack, ret, err);
}

static int read_raw(struct cloud_call *call, const struct rest_row *row, struct json_object **ret, struct error *err)
{
	struct cloud_call look = *call;

	look.shape = NULL;
	return rest_run(&look, row, ret, err);
}

static int stacks_update(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *stack = NULL;
	CLEANUP(json_putp) struct json_object *template = NULL;
	CLEANUP(json_putp) struct json_object *params = NULL;
	const char *id;
	int r = read_raw(call, &get_stack, &stack, err);

	if (r == 0)
		r = with_template(call, stack, &params, err);
	if (r == 0 && !cloud_param(call, "template"))
		r = read_raw(call, &get_template, &template, err);
	if (r < 0)
		return r;
	id = json_get_string(stack, "id");
	if (!id)
		return error_set(err, ERR_PROTOCOL, "Azure tells of a deployment without identifier");
	json_object_object_add(params, "stack", json_object_new_string(id));
	if (template)
		json_object_object_add(params, "_template_json", json_object_get(json_get(template, "template")));
	return run_with(call, params, &update_stack, ret, err);
}

static int template_validate(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	int r = with_template(call, NULL, &params, err);

	return r < 0 ? r : run_with(call, params, &validate, ret, err);
}

/* ---- previews ---- */

static const struct record_word changes[] = {
	{ "Create", "create" }, { "Delete", "delete" }, { "Modify", "update" }, { "Deploy", "update" },
	{ "NoChange", "none" }, { "Ignore", "none" },	{ "NoEffect", "none" }, { "Unsupported", "unknown" }, { NULL, NULL },
};
static struct json_object *make_type(struct json_object *id)
{
	const char *at = strstr(json_object_get_string(id), "/providers/");
	CLEANUP(freep) char *copy = at ? strdup(at + strlen("/providers/")) : NULL;
	char *slash = copy ? strchr(copy, '/') : NULL;

	slash = slash ? strchr(slash + 1, '/') : NULL;
	if (slash)
		*slash = '\0';
	return copy ? json_object_new_string(copy) : NULL;
}
static struct json_object *make_paths(struct json_object *delta)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && json_object_is_type(delta, json_type_array) && i < json_object_array_length(delta); i++)
		json_object_array_add(list, json_object_get(json_get(json_object_array_get_idx(delta, i), "path")));
	return list;
}
static const struct record_source change_map[] = {
	{ "action", "changeType", changes, NULL },   { "resource", "resourceId", NULL, NULL },
	{ "type", "resourceId", NULL, make_type },   { "details", "delta", NULL, make_paths },
	{ NULL, NULL, NULL, NULL },
};

/* Each item becomes a record. */
static int list_of(struct cloud_call *call, struct json_object *items, const struct record_source *map, struct json_object **ret,
		   struct error *err)
{
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	int r = list ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");

	for (size_t i = 0; r == 0 && items && i < json_object_array_length(items); i++)
		r = cloud_list_add(call, map, json_object_array_get_idx(items, i), &list, err);
	if (r >= 0)
		*ret = steal(list);
	return r < 0 ? r : 0;
}

static int stacks_preview(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	const struct record_shape *shape = call->shape;
	int r = with_template(call, NULL, &params, err);

	if (r < 0)
		return r;
	call->shape = NULL;
	r = run_with(call, params, &what_if, &answer, err);
	call->shape = shape;
	if (r == 0 && json_get(answer, "error"))
		r = service_fault(json_get_string(answer, "error.code"), json_get_string(answer, "error.message"), err);
	return r < 0 ? r : list_of(call, json_get_array(answer, "properties.changes"), change_map, ret, err);
}

/* ---- what a deployment has ---- */

struct resources {
	struct cloud_call *call;
	const char *name; /* only this one; NULL: all */
	struct json_object *list;
};

/* Some operations are about no resource. */
static int take_resource(void *arg, struct json_object *operation, struct error *err)
{
	struct resources *s = arg;
	const char *name = json_get_string(operation, "properties.targetResource.resourceName");

	if (!name || (s->name && strcasecmp(s->name, name) != 0))
		return 0;
	return cloud_list_add(s->call, resource_map, operation, &s->list, err);
}

static int find_resources(struct cloud_call *call, const char *name, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	struct resources s = { call, name, json_object_new_array() };
	struct json_object *before = call->params;
	int r = rest_names(call, of_stack, &params, err);

	if (r == 0) {
		call->params = params;
		r = rest_each(call, &list_operations, take_resource, &s, err);
		call->params = before;
	}
	if (r < 0) {
		json_object_put(s.list);
		return r;
	}
	*ret = s.list;
	return 0;
}

static int resources_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return find_resources(call, NULL, ret, err);
}

static int resources_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *list = NULL;
	const char *name = cloud_param(call, "resource");
	int r = find_resources(call, name, &list, err);

	if (r < 0)
		return r;
	if (!json_object_array_length(list))
		return error_set(err, ERR_NOT_FOUND, "the stack has no resource '%.100s'", name);
	*ret = json_object_get(json_object_array_get_idx(list, 0));
	return 0;
}

static const struct record_source output_map[] = { { "name", "name", NULL, NULL }, { "value", "value", NULL, stack_text },
						   { NULL, NULL, NULL, NULL } };

static int outputs_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *stack = NULL;
	CLEANUP(json_putp) struct json_object *items = json_object_new_array();
	struct json_object *outputs;
	int r = items ? read_raw(call, &get_stack, &stack, err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r < 0)
		return r;
	outputs = json_get(stack, "properties.outputs");
	if (json_object_is_type(outputs, json_type_object)) {
		json_object_object_foreach(outputs, name, about)
		{
			struct json_object *one = json_object_new_object();

			json_object_object_add(one, "name", json_object_new_string(name));
			json_object_object_add(one, "value", json_object_get(json_get(about, "value")));
			json_object_array_add(items, one);
		}
	}
	return list_of(call, items, output_map, ret, err);
}

const struct stack_ops azure_stacks = {
	.stacks_list = { .row = &list_stacks },
	.stacks_get = { .row = &get_stack },
	.stacks_create = { .run = stacks_create },
	.stacks_update = { .run = stacks_update },
	.stacks_preview = { .run = stacks_preview },
	.stacks_delete = { .row = &delete_stack },
	.resources_list = { .run = resources_list },
	.resources_get = { .run = resources_get },
	.events_list = { .row = &list_operations },
	.template_get = { .row = &get_template },
	.template_validate = { .run = template_validate },
	.outputs_list = { .run = outputs_list },
};
