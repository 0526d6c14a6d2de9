/*
 * Stacks by CloudFormation. A preview is a change set, which is deleted again; so is the empty stack that one for a new stack
 * leaves. Stacks are neither suspended nor resumed.
 *
 * Source: docs.aws.amazon.com/AWSCloudFormation/latest/APIReference, version 2010-05-15 (read 2026-11).
 */
#include "backends/aws/cloud_aws.h"
#include "backends/base/xml_json.h"

#include <stdio.h>
#include <strings.h>

#define PREVIEW_POLL_MS 1000
#define CFN_ACTION(name) { NULL, "Action", REST_FORM, name }, { NULL, "Version", REST_FORM, "2010-05-15" }
#define CFN_AT(action) action "Response." action "Result."
#define CFN(var, fields_, ...) \
	static const struct rest_row var = { .service = "cloudformation", .method = HTTP_POST, .path = "/", .fields = fields_, \
					     __VA_ARGS__ }
#define CFN_LIST(var, action, place, map, fields_) \
	CFN(var, fields_, .is_read = true, .items = CFN_AT(action) place, .record = map, \
	    .page = &(const struct rest_page){ REST_PAGE_TOKEN, REST_FORM, "NextToken", CFN_AT(action) "NextToken" })

static const struct record_word states[] = {
	{ "CREATE_IN_PROGRESS", "creating" },
	{ "CREATE_COMPLETE", "complete" },
	{ "CREATE_FAILED", "failed" },
	{ "ROLLBACK_IN_PROGRESS", "rolling-back" },
	{ "ROLLBACK_COMPLETE", "rolled-back" },
	{ "ROLLBACK_FAILED", "failed" },
	{ "DELETE_IN_PROGRESS", "deleting" },
	{ "DELETE_COMPLETE", "deleted" },
	{ "DELETE_FAILED", "failed" },
	{ "DELETE_SKIPPED", "deleted" },
	{ "UPDATE_IN_PROGRESS", "updating" },
	{ "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "updating" },
	{ "UPDATE_COMPLETE", "complete" },
	{ "UPDATE_FAILED", "failed" },
	{ "UPDATE_ROLLBACK_IN_PROGRESS", "rolling-back" },
	{ "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "rolling-back" },
	{ "UPDATE_ROLLBACK_COMPLETE", "rolled-back" },
	{ "UPDATE_ROLLBACK_FAILED", "failed" },
	{ "REVIEW_IN_PROGRESS", "creating" },
	{ "IMPORT_IN_PROGRESS", "updating" },
	{ "IMPORT_COMPLETE", "complete" },
	{ NULL, NULL },
};
static const struct record_word opposites[] = { { "false", "true" }, { "true", "false" }, { NULL, NULL } };

void cloudformation_refine(const struct http_response *response, struct error *err)
{
	(void)response; /* what it says stands in err already */
	if (!strcmp(err->service_code, "ValidationError") && strstr(err->message, "does not exist"))
		err->kind = ERR_NOT_FOUND;
}

static struct json_object *make_tags(struct json_object *stack)
{
	return record_tags(json_get(stack, "Tags.member"), "Key", "Value");
}

static struct json_object *make_parameters(struct json_object *stack)
{
	return record_tags(json_get(stack, "Parameters.member"), "ParameterKey", "ParameterValue");
}

/* [{name, default, description}] */
static struct json_object *make_declared(struct json_object *answer)
{
	CLEANUP(json_putp) struct json_object *all = json_items(answer, "Parameters.member");
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && all && i < json_object_array_length(all); i++) {
		struct json_object *theirs = json_object_array_get_idx(all, i), *one = json_object_new_object();

		json_object_object_add(one, "name", json_object_get(json_get(theirs, "ParameterKey")));
		json_object_object_add(one, "default", json_object_get(json_get(theirs, "DefaultValue")));
		json_object_object_add(one, "description", json_object_get(json_get(theirs, "Description")));
		json_object_array_add(list, one);
	}
	return list;
}

static struct json_object *make_capabilities(struct json_object *answer)
{
	return json_items(answer, "Capabilities.member");
}

static struct json_object *make_yes(struct json_object *answer)
{
	(void)answer; /* a template that is not valid is an error */
	return json_object_new_boolean(1);
}

static const struct record_source stack_map[] = {
	{ "id", "StackId", NULL, NULL },
	{ "name", "StackName", NULL, NULL },
	{ "status", "StackStatus", states, NULL },
	{ "provider_status", "StackStatus", NULL, NULL },
	{ "reason", "StackStatusReason", NULL, NULL },
	{ "description", "Description", NULL, NULL },
	{ "parameters", "", NULL, make_parameters },
	{ "created", "CreationTime", NULL, NULL },
	{ "updated", "LastUpdatedTime", NULL, NULL },
	{ "tags", "", NULL, make_tags },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source resource_map[] = {
	{ "name", "LogicalResourceId", NULL, NULL },
	{ "type", "ResourceType", NULL, NULL },
	{ "status", "ResourceStatus", states, NULL },
	{ "provider_status", "ResourceStatus", NULL, NULL },
	{ "id", "PhysicalResourceId", NULL, NULL },
	{ "reason", "ResourceStatusReason", NULL, NULL },
	{ "updated", "LastUpdatedTimestamp", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source event_map[] = {
	{ "id", "EventId", NULL, NULL },
	{ "time", "Timestamp", NULL, NULL },
	{ "resource", "LogicalResourceId", NULL, NULL },
	{ "type", "ResourceType", NULL, NULL },
	{ "status", "ResourceStatus", states, NULL },
	{ "provider_status", "ResourceStatus", NULL, NULL },
	{ "reason", "ResourceStatusReason", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source output_map[] = {
	{ "name", "OutputKey", NULL, NULL },
	{ "value", "OutputValue", NULL, NULL },
	{ "description", "Description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source template_map[] = {
	{ "template", "TemplateBody", NULL, stack_text },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source check_map[] = {
	{ "valid", "", NULL, make_yes },
	{ "description", "Description", NULL, NULL },
	{ "parameters", "", NULL, make_declared },
	{ "capabilities", "", NULL, make_capabilities },
	{ NULL, NULL, NULL, NULL },
};

static const struct rest_field stacks[] = {
	CFN_ACTION("DescribeStacks"),
	{ .place = NULL },
};
CFN_LIST(list_stacks, "DescribeStacks", "Stacks.member", stack_map, stacks);
static const struct rest_field one_stack[] = {
	CFN_ACTION("DescribeStacks"),
	{ "stack", "StackName", REST_FORM },
	{ .place = NULL },
};
CFN(get_stack, one_stack, .is_read = true, .item = CFN_AT("DescribeStacks") "Stacks.member", .record = stack_map);
CFN(list_outputs, one_stack, .is_read = true, .items = CFN_AT("DescribeStacks") "Stacks.member.Outputs.member", .record = output_map);
static const struct rest_field resources[] = {
	CFN_ACTION("ListStackResources"),
	{ "stack", "StackName", REST_FORM },
	{ .place = NULL },
};
CFN_LIST(list_resources, "ListStackResources", "StackResourceSummaries.member", resource_map, resources);
static const struct rest_field one_resource[] = {
	CFN_ACTION("DescribeStackResource"),
	{ "stack", "StackName", REST_FORM },
	{ "resource", "LogicalResourceId", REST_FORM },
	{ .place = NULL },
};
CFN(get_resource, one_resource, .is_read = true, .item = CFN_AT("DescribeStackResource") "StackResourceDetail", .record = resource_map);
static const struct rest_field events[] = {
	CFN_ACTION("DescribeStackEvents"),
	{ "stack", "StackName", REST_FORM },
	{ .place = NULL },
};
CFN_LIST(list_events, "DescribeStackEvents", "StackEvents.member", event_map, events);
static const struct rest_field one_template[] = {
	CFN_ACTION("GetTemplate"),
	{ "stack", "StackName", REST_FORM },
	{ .place = NULL },
};
CFN(get_template, one_template, .is_read = true, .item = "GetTemplateResponse.GetTemplateResult", .record = template_map);
static const struct rest_field validation[] = {
	CFN_ACTION("ValidateTemplate"),
	{ "template", "TemplateBody", REST_FORM },
	{ .place = NULL },
};
CFN(validate, validation, .is_read = true, .is_strict = true, .item = "ValidateTemplateResponse.ValidateTemplateResult",
    .record = check_map);
static const struct rest_field new_stack[] = {
	CFN_ACTION("CreateStack"),
	{ "@token", "ClientRequestToken", REST_FORM },
	{ "name", "StackName", REST_FORM },
	{ "template", "TemplateBody", REST_FORM },
	{ "parameter", "Parameters.member.#|ParameterKey|ParameterValue", REST_FORM }, { "capability", "Capabilities.member.#", REST_FORM },
	{ "tag", "Tags.member.#", REST_FORM },
	{ "rollback", "DisableRollback", REST_FORM, .words = opposites },
	{ "timeout_min", "TimeoutInMinutes", REST_FORM },
	{ .place = NULL },
};
static const struct rest_keep made[] = { { "stack", CFN_AT("CreateStack") "StackId" }, { NULL, NULL } };
CFN(create_stack, new_stack, .keep = made, .then = &get_stack, .is_strict = true, .is_idempotent = true);
static const struct rest_field new_template[] = {
	CFN_ACTION("UpdateStack"),
	{ "@token", "ClientRequestToken", REST_FORM },
	{ "stack", "StackName", REST_FORM },
	{ "template", "TemplateBody", REST_FORM },
	{ "parameter", "Parameters.member.#|ParameterKey|ParameterValue", REST_FORM }, { "capability", "Capabilities.member.#", REST_FORM },
	{ "tag", "Tags.member.#", REST_FORM },
	{ .place = NULL },
};
static const struct rest_field same_template[] = {
	CFN_ACTION("UpdateStack"),
	{ "@token", "ClientRequestToken", REST_FORM },
	{ "stack", "StackName", REST_FORM },
	{ NULL, "UsePreviousTemplate", REST_FORM, "true" },
	{ "_parameter_kept", "Parameters.member.#|ParameterKey|UsePreviousValue", REST_FORM },
	{ "parameter", "Parameters.member.#|ParameterKey|ParameterValue", REST_FORM }, { "capability", "Capabilities.member.#", REST_FORM },
	{ "tag", "Tags.member.#", REST_FORM },
	{ .place = NULL },
};
CFN(update_stack, new_template, .then = &get_stack, .is_strict = true, .is_idempotent = true);
CFN(update_parameters, same_template, .then = &get_stack, .is_strict = true, .is_idempotent = true);
static const struct rest_field gone_stack[] = {
	CFN_ACTION("DeleteStack"),
	{ "@token", "ClientRequestToken", REST_FORM },
	{ "stack", "StackName", REST_FORM },
	{ .place = NULL },
};
CFN(delete_stack, gone_stack, .is_strict = true, .is_idempotent = true);

/* The stack is asked for first: CloudFormation deletes what is not there without a word. */
static int stacks_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *stack = NULL;
	const char *id;
	int r = rest_run_raw(call, &get_stack, NULL, &stack, err);

	if (r < 0)
		return r;
	id = json_get_string(stack, "StackId");
	return rest_run_with(call, &delete_stack, "stack", json_object_new_string(id ? id : cloud_param(call, "stack")), ret, err);
}

/* Values that are not given again would fall back to the template's own: they are named as kept. What they are is not sent: of
 * a secret one only stars are told. */
static int update_values(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *stack = NULL;
	CLEANUP(json_putp) struct json_object *kept = NULL;
	struct json_object *given = cloud_param_json(call, "parameter");
	struct rest_field fields[ARRAY_SIZE(same_template)];
	struct rest_row row = update_parameters;
	char place[80];
	int r = rest_run_raw(call, &get_stack, NULL, &stack, err);

	if (r < 0)
		return r;
	kept = make_parameters(stack);
	if (!kept)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (given) {
		json_object_object_foreach(given, name, value)
		{
			(void)value; /* it goes as a value of its own */
			json_object_object_del(kept, name);
		}
	}
	json_object_object_foreach(kept, key, old)
	{
		(void)old; /* that there is one is enough */
		json_object_object_add(kept, key, json_object_new_string("true"));
	}
	(void)snprintf(place, sizeof place, "Parameters.member.#%d|ParameterKey|ParameterValue", json_object_object_length(kept) + 1);
	memcpy(fields, same_template, sizeof fields);
	for (struct rest_field *f = fields; f->place; f++)
		if (f->param && !strcmp(f->param, "parameter"))
			f->place = place;
	row.fields = fields;
	return rest_run_with(call, &row, "_parameter_kept", json_object_get(kept), ret, err);
}

static int stacks_update(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return cloud_param(call, "template") ? rest_run(call, &update_stack, ret, err) : update_values(call, ret, err);
}

/* ---- previews ---- */

static const struct rest_field new_set[] = {
	CFN_ACTION("CreateChangeSet"),
	{ "name", "StackName", REST_FORM },
	{ "_set", "ChangeSetName", REST_FORM },
	{ "_type", "ChangeSetType", REST_FORM },
	{ "template", "TemplateBody", REST_FORM },
	{ "parameter", "Parameters.member.#|ParameterKey|ParameterValue", REST_FORM }, { "capability", "Capabilities.member.#", REST_FORM },
	{ .place = NULL },
};
static const struct rest_field one_set[] = {
	CFN_ACTION("DescribeChangeSet"),
	{ "_set", "ChangeSetName", REST_FORM },
	{ "name", "StackName", REST_FORM },
	{ .place = NULL },
};
static const struct rest_field gone_set[] = {
	CFN_ACTION("DeleteChangeSet"),
	{ "_set", "ChangeSetName", REST_FORM },
	{ "name", "StackName", REST_FORM },
	{ .place = NULL },
};
static const struct rest_field gone_shell[] = {
	CFN_ACTION("DeleteStack"),
	{ "name", "StackName", REST_FORM },
	{ .place = NULL },
};
static const struct rest_field there[] = {
	CFN_ACTION("DescribeStacks"),
	{ "name", "StackName", REST_FORM },
	{ .place = NULL },
};
CFN(create_set, new_set, .is_strict = true);
CFN(get_set, one_set, .is_read = true, .item = "DescribeChangeSetResponse.DescribeChangeSetResult");
CFN(delete_set, gone_set, .is_idempotent = true);
CFN(delete_shell, gone_shell, .is_idempotent = true);
CFN(look_for_stack, there, .is_read = true, .item = CFN_AT("DescribeStacks") "Stacks.member");

static struct json_object *make_action(struct json_object *change)
{
	static const struct record_word actions[] = { { "Add", "create" }, { "Modify", "update" }, { "Remove", "delete" },
						      { "Import", "create" }, { NULL, NULL } };
	const char *action = json_get_string(change, "ResourceChange.Action");
	const char *replacement = json_get_string(change, "ResourceChange.Replacement");

	if (replacement && !strcmp(replacement, "True"))
		return json_object_new_string("replace");
	for (const struct record_word *w = actions; action && w->theirs; w++)
		if (!strcmp(w->theirs, action))
			return json_object_new_string(w->ours);
	return json_object_new_string("unknown");
}

static const struct record_word replacements[] = { { "True", "yes" }, { "False", "no" }, { "Conditional", "maybe" }, { NULL, NULL } };
static const struct record_source change_map[] = {
	{ "action", "", NULL, make_action },
	{ "resource", "ResourceChange.LogicalResourceId", NULL, NULL },
	{ "type", "ResourceChange.ResourceType", NULL, NULL },
	{ "replacement", "ResourceChange.Replacement", replacements, NULL },
	{ "details", "ResourceChange.Scope.member", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* *ret: the whole change set when it is finished. One without changes is FAILED, and says so. */
static int wait_for_set(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	for (;;) {
		CLEANUP(json_putp) struct json_object *set = NULL;
		const char *status, *reason;
		int r = rest_run(call, &get_set, &set, err);

		if (r < 0)
			return r;
		status = json_get_string(set, "Status");
		reason = json_get_string(set, "StatusReason");
		if (status && !strcmp(status, "CREATE_COMPLETE")) {
			*ret = steal(set);
			return 0;
		}
		if (status && !strcmp(status, "FAILED")) {
			if (reason && (strcasestr(reason, "didn't contain changes") || strcasestr(reason, "no updates")))
				return 0;
			return error_set(err, ERR_INVALID, "%s", reason ? reason : "the change set failed");
		}
		r = cloud_sleep(call, PREVIEW_POLL_MS, err);
		if (r < 0)
			return r;
	}
}

static int list_changes(struct cloud_call *call, struct json_object *set, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *changes = json_items(set, "Changes.member");
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	int r = changes && list ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");

	for (size_t i = 0; r == 0 && i < json_object_array_length(changes); i++)
		r = cloud_list_add(call, change_map, json_object_array_get_idx(changes, i), &list, err);
	if (r >= 0)
		*ret = steal(list);
	return r < 0 ? r : 0;
}

static bool is_stack_there(struct cloud_call *call)
{
	CLEANUP(json_putp) struct json_object *stack = NULL;
	struct error ignored = ERROR_INIT; /* what is wrong is told by the change set's own making */
	const char *status = rest_run(call, &look_for_stack, &stack, &ignored) == 0 ? json_get_string(stack, "StackStatus") : NULL;

	return status && strcmp(status, "REVIEW_IN_PROGRESS") != 0;
}

static int run_preview(struct cloud_call *call, bool is_new, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *set = NULL;
	CLEANUP(json_putp) struct json_object *nothing = NULL;
	const struct record_shape *shape = call->shape;
	struct error ignored = ERROR_INIT; /* of the cleaning up: the preview is what was asked for */
	int r;

	call->shape = NULL;
	r = rest_run(call, &create_set, &nothing, err);
	if (r < 0)
		return r;
	r = wait_for_set(call, &set, err);
	if (rest_run(call, &delete_set, &nothing, &ignored) == 0 && is_new)
		is_new = rest_run(call, &delete_shell, &nothing, &ignored) < 0;
	call->shape = shape;
	if (ignored.kind != ERR_NONE)
		cloud_progress(call, "%s: its change set is left behind: %s", call->operation, ignored.message);
	return r < 0 ? r : list_changes(call, set, ret, err);
}

static int stacks_preview(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	struct json_object *before = call->params;
	const struct record_shape *shape = call->shape;
	char token[CLOUD_TOKEN_LEN + 1], name[64];
	bool is_new;
	int r;

	if (json_object_deep_copy(before, &params, NULL) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	call->params = params;
	call->shape = NULL;
	is_new = !is_stack_there(call);
	call->shape = shape;
	cloud_token(token);
	(void)snprintf(name, sizeof name, "skydir-%s", token);
	json_object_object_add(params, "_set", json_object_new_string(name));
	json_object_object_add(params, "_type", json_object_new_string(is_new ? "CREATE" : "UPDATE"));
	r = run_preview(call, is_new, ret, err);
	call->params = before;
	call->shape = shape;
	return r;
}

const struct stack_ops aws_stacks = {
	.stacks_list = { .row = &list_stacks },
	.stacks_get = { .row = &get_stack },
	.stacks_create = { .row = &create_stack },
	.stacks_update = { .run = stacks_update },
	.stacks_preview = { .run = stacks_preview },
	.stacks_delete = { .run = stacks_delete },
	.resources_list = { .row = &list_resources },
	.resources_get = { .row = &get_resource },
	.events_list = { .row = &list_events },
	.template_get = { .row = &get_template },
	.template_validate = { .row = &validate },
	.outputs_list = { .row = &list_outputs },
};
