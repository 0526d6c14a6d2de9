#pragma once
/*
 * Purpose: stacks: things that are made together from a template; what every driver does, and how its records look.
 *
 * The parameters of each slot are those of its row in control/ops_stacks.c, named here after the slot. Status is one
 * vocabulary (see the shapes); the provider's word stands in provider_status. An update leaves as it is what it does not
 * name.
 */
#include "backends/cloud/cloud.h"

struct stack_ops {
	struct cloud_slot stacks_list;
	struct cloud_slot stacks_get; /* stack: its name or identifier */
	/* name, template (text); optional: parameter (map), environment (text), tag (map), rollback, timeout_min,
	 * capability (list). It is under way when it returns. */
	struct cloud_slot stacks_create;
	struct cloud_slot stacks_update; /* stack; optional: template, parameter, environment, tag, capability */
	struct cloud_slot stacks_preview; /* name, template, parameter, environment, capability: the changes; nothing is left */
	struct cloud_slot stacks_delete, stacks_suspend, stacks_resume; /* stack */
	struct cloud_slot resources_list;    /* stack */
	struct cloud_slot resources_get;     /* stack, resource */
	struct cloud_slot events_list;	     /* stack */
	struct cloud_slot template_get;	     /* stack */
	struct cloud_slot template_validate; /* template; optional: parameter, environment */
	struct cloud_slot outputs_list;	     /* stack */
};

extern const struct record_shape shape_stack, shape_stack_resource, shape_stack_event, shape_stack_output,
	shape_stack_template, shape_template_check, shape_stack_change;

/* Text as it is, anything else as JSON text; a new reference. */
struct json_object *stack_text(struct json_object *value);
