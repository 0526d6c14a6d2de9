#include "backends/gcp/gce_rows.h"

const struct rest_page gce_page = { REST_PAGE_TOKEN, REST_QUERY, "pageToken", "nextPageToken", "maxResults", 500, 0 };
const struct rest_field gce_only_token[] = { GCE_TOKEN, { .place = NULL } };

GCE_LIST(list_instances, "projects/{project}/aggregated/instances", "instances", NULL);
const struct rest_kind gce_instance = { .what = "instance", .list = &list_instances, .matches = gce_is_named,
					.make_id = gce_make_id, .id_part = "/instances/", .is_id = gce_rest_id };

enum rest_id gce_rest_id(const char *text, const char *part)
{
	if (strncmp(text, "projects/", 9) != 0)
		return REST_NO_ID;
	return strstr(text, part) ? REST_ID : REST_STRANGE_ID;
}

/* "data", "europe-west6-a/data" or "4000000000000000001" */
bool gce_is_named(struct json_object *thing, const char *name)
{
	const char *own = json_get_string(thing, "name"), *id = json_get_string(thing, "id");
	const char *zone = gce_tail(json_get_string(thing, json_get(thing, "zone") ? "zone" : "region"));
	const char *slash = strrchr(name, '/');

	if ((own && !strcmp(own, name)) || (id && !strcmp(id, name)))
		return true;
	return slash && own && zone && !strcmp(own, slash + 1) && strlen(zone) == (size_t)(slash - name) &&
	       !strncmp(zone, name, strlen(zone));
}

char *gce_make_id(struct json_object *thing)
{
	const char *link = json_get_string(thing, "selfLink"), *at = link ? strstr(link, "/projects/") : NULL;

	return at ? strdup(at + 1) : NULL;
}

struct json_object *gce_make_tail(struct json_object *url)
{
	const char *tail = gce_tail(json_object_get_string(url));

	return tail ? json_object_new_string(tail) : NULL;
}

struct json_object *gce_make_tails(struct json_object *urls)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && json_object_is_type(urls, json_type_array) && i < json_object_array_length(urls); i++)
		json_object_array_add(list, gce_make_tail(json_object_array_get_idx(urls, i)));
	return list;
}

int gce_read(struct cloud_call *call, const char *id, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = json_object_new_object();
	static const struct rest_row row = { .service = "compute", .path = "{+id}", .item = "" };
	struct cloud_call look = *call;

	if (!params)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_add(params, "id", json_object_new_string(id));
	look.params = params;
	look.shape = NULL;
	return rest_run(&look, &row, ret, err);
}
