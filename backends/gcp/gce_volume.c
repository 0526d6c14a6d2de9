/*
 * Volumes by Compute Engine: disks and their snapshots. A snapshot is the backup here: there are no others.
 *
 * Source: cloud.google.com/compute/docs/reference/rest/v1/disks, /snapshots, /instances (read 2026-11).
 */
#include "backends/gcp/gce_rows.h"

static const struct record_word snapshot_states[] = {
	{ "CREATING", "creating" }, { "UPLOADING", "creating" }, { "READY", "available" }, { "DELETING", "deleting" },
	{ "FAILED", "error" },	    { NULL, NULL },
};

/* A disk that instances use is READY like any other. */
static struct json_object *make_status(struct json_object *disk)
{
	static const struct record_word states[] = {
		{ "CREATING", "creating" }, { "RESTORING", "creating" }, { "FAILED", "error" },
		{ "DELETING", "deleting" }, { "UNAVAILABLE", "busy" },	 { NULL, NULL },
	};
	const char *status = json_get_string(disk, "status");
	struct json_object *users = json_get_array(disk, "users");

	if (status && !strcmp(status, "READY"))
		return json_object_new_string(users && json_object_array_length(users) ? "in-use" : "available");
	for (const struct record_word *w = states; status && w->theirs; w++)
		if (!strcmp(w->theirs, status))
			return json_object_new_string(w->ours);
	return json_object_new_string("unknown");
}

/* Instances by their paths, which are identifiers here. */
static struct json_object *make_users(struct json_object *users)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && json_object_is_type(users, json_type_array) && i < json_object_array_length(users); i++) {
		const char *url = json_object_get_string(json_object_array_get_idx(users, i));
		const char *at = url ? strstr(url, "projects/") : NULL;

		if (at)
			json_object_array_add(list, json_object_new_string(at));
	}
	return list;
}

static const struct record_source volume_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "", NULL, make_status },
	{ "provider_status", "status", NULL, NULL },
	{ "size_gb", "sizeGb", NULL, NULL },
	{ "type", "type", NULL, gce_make_tail },
	{ "zone", "zone|region", NULL, gce_make_tail },
	{ "attached_to", "users", NULL, make_users },
	{ "snapshot", "sourceSnapshot", NULL, gce_make_tail },
	{ "created", "creationTimestamp", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ "tags", "labels", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source snapshot_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "status", snapshot_states, NULL },
	{ "provider_status", "status", NULL, NULL },
	{ "volume", "sourceDisk", NULL, gce_make_tail },
	{ "size_gb", "diskSizeGb", NULL, NULL },
	{ "created", "creationTimestamp", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ "tags", "labels", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

GCE_LIST(list_volumes, "projects/{project}/aggregated/disks", "disks", volume_map);
GCE_KIND(a_volume, "volume", list_volumes, "/disks/");
GCE_LIST(list_snapshots, "projects/{project}/global/snapshots", NULL, snapshot_map);
GCE_KIND(a_snapshot, "snapshot", list_snapshots, "/snapshots/");
static const struct rest_name of_volume[] = { { "volume", &a_volume }, { NULL, NULL } };
static const struct rest_name of_snapshot[] = { { "snapshot", &a_snapshot }, { NULL, NULL } };
static const struct rest_name of_attachment[] = { { "volume", &a_volume }, { "instance", &gce_instance }, { NULL, NULL } };
GCE_GET(get_volume, "{+volume}", volume_map, of_volume);
GCE_GET(made_volume, "projects/{project}/zones/{zone}/disks/{name}", volume_map, NULL);
GCE_GET(get_snapshot, "{+snapshot}", snapshot_map, of_snapshot);
GCE_GET(made_snapshot, "projects/{project}/global/snapshots/{name}", snapshot_map, NULL);
static const struct rest_field new_volume[] = {
	GCE_TOKEN,
	{ "name", "name", REST_BODY },
	{ "size_gb", "sizeGb", REST_BODY },
	{ "type", "type", REST_BODY, NULL, "zones/{zone}/diskTypes/{type}" },
	{ "snapshot", "sourceSnapshot", REST_BODY },
	{ "description", "description", REST_BODY },
	{ "tag", "labels", REST_BODY },
	{ .place = NULL },
};
GCE_CHANGE(create_volume, HTTP_POST, "projects/{project}/zones/{zone}/disks", new_volume, of_snapshot, .then = &made_volume);
static const struct rest_field larger[] = {
	GCE_TOKEN,
	{ "size_gb", "sizeGb", REST_BODY },
	{ .place = NULL },
};
GCE_CHANGE(extend_volume, HTTP_POST, "{+volume}/resize", larger, of_volume, .then = &get_volume);
static const struct rest_field attachment[] = {
	GCE_TOKEN,
	{ "volume", "source", REST_BODY },
	{ "device", "deviceName", REST_BODY },
	{ .place = NULL },
};
GCE_CHANGE(attach_volume, HTTP_POST, "{+instance}/attachDisk", attachment, of_attachment, .then = &get_volume);
static const struct rest_field detachment[] = {
	GCE_TOKEN,
	{ "_device", "deviceName", REST_QUERY },
	{ "volume", "", REST_NOWHERE },
	{ .place = NULL },
};
GCE_CHANGE(detach_volume, HTTP_POST, "{+instance}/detachDisk", detachment, NULL, .then = &get_volume);
GCE_CHANGE(delete_volume, HTTP_DELETE, "{+volume}", gce_only_token, of_volume);
static const struct rest_field new_snapshot[] = {
	GCE_TOKEN,
	{ "name", "name", REST_BODY },
	{ "volume", "sourceDisk", REST_BODY },
	{ "description", "description", REST_BODY },
	{ "tag", "labels", REST_BODY },
	{ "force", "", REST_NOWHERE },
	{ .place = NULL },
};
GCE_CHANGE(create_snapshot, HTTP_POST, "projects/{project}/global/snapshots", new_snapshot, of_volume, .then = &made_snapshot);
GCE_CHANGE(delete_snapshot, HTTP_DELETE, "{+snapshot}", gce_only_token, of_snapshot);

/* A disk is detached by the name that the instance knows it by. */
static const char *find_device(struct json_object *instance, const char *volume)
{
	struct json_object *disks = json_get_array(instance, "disks");

	for (size_t i = 0; disks && i < json_object_array_length(disks); i++) {
		struct json_object *disk = json_object_array_get_idx(disks, i);
		const char *source = json_get_string(disk, "source");

		if (source && str_ends(str_of(source), volume))
			return json_get_string(disk, "deviceName");
	}
	return NULL;
}

static int volumes_detach(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	CLEANUP(json_putp) struct json_object *instance = NULL;
	struct json_object *before = call->params;
	const char *device;
	int r = rest_names(call, of_attachment, &params, err);

	if (r == 0)
		r = gce_read(call, json_get_string(params, "instance"), &instance, err);
	if (r < 0)
		return r;
	device = find_device(instance, json_get_string(params, "volume"));
	if (!device)
		return error_set(err, ERR_CONFLICT, "the instance does not have the volume");
	call->params = params;
	r = rest_run_with(call, &detach_volume, "_device", json_object_new_string(device), ret, err);
	call->params = before;
	return r;
}

const struct volume_ops gcp_volumes = {
	.volumes_list = { .row = &list_volumes },
	.volumes_get = { .row = &get_volume },
	.volumes_create = { .row = &create_volume },
	.volumes_delete = { .row = &delete_volume },
	.volumes_extend = { .row = &extend_volume },
	.volumes_attach = { .row = &attach_volume },
	.volumes_detach = { .run = volumes_detach },
	.snapshots_list = { .row = &list_snapshots },
	.snapshots_get = { .row = &get_snapshot },
	.snapshots_create = { .row = &create_snapshot },
	.snapshots_delete = { .row = &delete_snapshot },
};
