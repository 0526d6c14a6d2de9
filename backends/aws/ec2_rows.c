#include "backends/aws/ec2_rows.h"

const struct rest_field ec2_by_tag[] = {
	{ NULL, "Filter.1.Name", REST_FORM, "tag:Name" },
	{ "name", "Filter.1.Value.1", REST_FORM },
	{ .place = NULL },
};

enum rest_id ec2_rest_id(const char *text, const char *part)
{
	return ec2_is_id(text, part) ? REST_ID : REST_NO_ID;
}

struct json_object *ec2_tags(struct json_object *thing)
{
	return record_tags(json_get(thing, "tagSet.item"), "key", "value");
}

struct json_object *ec2_name(struct json_object *thing)
{
	CLEANUP(json_putp) struct json_object *tags = ec2_tags(thing);

	return json_object_get(json_get(tags, "Name"));
}

/* The filter knows '*' and '?', a name does not. */
bool ec2_has_name(struct json_object *thing, const char *name)
{
	CLEANUP(json_putp) struct json_object *own = ec2_name(thing);

	return own && !strcmp(json_object_get_string(own), name);
}

int ec2_run_with_instance(struct cloud_call *call, const struct rest_row *row, struct json_object **ret,
			  struct error *err)
{
	CLEANUP(freep) char *id = NULL;
	int r = cloud_param(call, "instance") ? ec2_instance_id(call, &id, err) : 0;

	if (r < 0)
		return r;
	return id ? rest_run_with(call, row, "instance", json_object_new_string(id), ret, err) : rest_run(call, row, ret, err);
}
