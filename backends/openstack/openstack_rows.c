#include "backends/openstack/openstack_rows.h"

const struct rest_field openstack_by_name[] = { { "name", "name", REST_QUERY }, { .place = NULL } };

enum rest_id openstack_rest_id(const char *text, const char *part)
{
	(void)part; /* one identifier looks like another */
	return openstack_is_id(text) ? REST_ID : REST_NO_ID;
}

/* Nova takes a name for a regular expression. */
static char *as_pattern(const char *name)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(65536);
	int r = buf_addc(&out, '^');

	for (; *name && r == 0; name++) {
		if (strchr("\\^$.|?*+()[]{}", *name))
			r = buf_addc(&out, '\\');
		if (r == 0)
			r = buf_addc(&out, *name);
	}
	return r == 0 && buf_addc(&out, '$') == 0 ? buf_detach(&out) : NULL;
}

OPENSTACK_LIST(list_instances, "compute", "servers", "servers", NULL);
static const struct rest_page image_page = { REST_PAGE_URL, REST_QUERY, NULL, "next", "limit", 1000, 0 };
static const struct rest_row list_images = { .service = "image", .path = "images", .items = "images", .page = &image_page };
const struct rest_kind openstack_instance = { .what = "instance", .list = &list_instances, .filter = openstack_by_name,
					      .make_filter = as_pattern, .names = "name", .id = "id",
					      .is_id = openstack_rest_id };
const struct rest_kind openstack_image = { .what = "image", .list = &list_images, .filter = openstack_by_name,
					   .names = "name", .id = "id", .is_id = openstack_rest_id };

struct json_object *openstack_members(struct json_object *list, const char *member)
{
	struct json_object *found = json_object_new_array();

	for (size_t i = 0; found && json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
		struct json_object *value = json_get(json_object_array_get_idx(list, i), member);

		if (value)
			json_object_array_add(found, json_object_get(value));
	}
	return found;
}
