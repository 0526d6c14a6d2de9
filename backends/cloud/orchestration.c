#include "backends/cloud/orchestration.h"

#include "backends/base/json.h"

static const struct record_field stack_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "creating, complete, updating, deleting, deleted, suspending, suspended, resuming, rolling-back, rolled-back, failed or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "reason", RECORD_TEXT, "why it is so" },
	{ "description", RECORD_TEXT, "what the template says it is" },
	{ "parameters", RECORD_OBJECT, "what was put into the template" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "updated", RECORD_TIME, "when it was changed last" },
	{ "tags", RECORD_OBJECT, "tags" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_stack = { "stack", stack_fields, "id,name,status,created,updated,description" };

static const struct record_field stack_resource_fields[] = {
	{ "name", RECORD_TEXT, "name in the template" },
	{ "type", RECORD_TEXT, "kind of thing" },
	{ "status", RECORD_TEXT, "creating, complete, updating, deleting, deleted, suspending, suspended, resuming, rolling-back, rolled-back, failed or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "id", RECORD_TEXT, "identifier of the thing" },
	{ "reason", RECORD_TEXT, "why it is so" },
	{ "updated", RECORD_TIME, "when it was changed last" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_stack_resource = { "stack resource", stack_resource_fields, "name,type,status,id,reason" };

static const struct record_field stack_event_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "time", RECORD_TIME, "when it was" },
	{ "resource", RECORD_TEXT, "name in the template" },
	{ "type", RECORD_TEXT, "kind of thing" },
	{ "status", RECORD_TEXT, "creating, complete, updating, deleting, deleted, suspending, suspended, resuming, rolling-back, rolled-back, failed or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "reason", RECORD_TEXT, "why it is so" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_stack_event = { "stack event", stack_event_fields, "time,resource,provider_status,reason" };

static const struct record_field stack_output_fields[] = {
	{ "name", RECORD_TEXT, "name" },
	{ "value", RECORD_TEXT, "value; JSON where it is more than text" },
	{ "description", RECORD_TEXT, "what it is" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_stack_output = { "stack output", stack_output_fields, "name,value,description" };

static const struct record_field stack_template_fields[] = {
	{ "template", RECORD_TEXT, "the template: JSON, or as it was given" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_stack_template = { "stack template", stack_template_fields, NULL };

static const struct record_field template_check_fields[] = {
	{ "valid", RECORD_BOOL, "the service takes it" },
	{ "description", RECORD_TEXT, "what the template says it is" },
	{ "parameters", RECORD_LIST, "its parameters" },
	{ "capabilities", RECORD_LIST, "what must be allowed with --capability" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_template_check = { "template", template_check_fields, "valid,description" };

static const struct record_field stack_change_fields[] = {
	{ "action", RECORD_TEXT, "create, update, delete, replace or none" },
	{ "resource", RECORD_TEXT, "name in the template, or identifier" },
	{ "type", RECORD_TEXT, "kind of thing" },
	{ "replacement", RECORD_TEXT, "whether the thing is made anew: yes, no or maybe" },
	{ "details", RECORD_LIST, "what changes of it" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_stack_change = { "stack change", stack_change_fields, "action,resource,type,replacement,details" };

struct json_object *stack_text(struct json_object *value)
{
	if (!value || json_object_is_type(value, json_type_string))
		return json_object_get(value);
	return json_object_new_string(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}
