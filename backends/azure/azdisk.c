/*
 * Volumes by Azure: managed disks and their snapshots. A snapshot is the backup here: there are no others.
 *
 * Source: learn.microsoft.com/rest/api/compute/disks, /snapshots, /virtual-machines/attach-detach-data-disks (read 2026-11).
 */
#include "backends/azure/arm_rows.h"

#include <strings.h>

static struct json_object *make_status(struct json_object *disk)
{
	const char *made = json_get_string(disk, "properties.provisioningState");
	const char *state = json_get_string(disk, "properties.diskState");

	if (made && !strcasecmp(made, "Failed"))
		return json_object_new_string("error");
	if (made && !strcasecmp(made, "Deleting"))
		return json_object_new_string("deleting");
	if (made && strcasecmp(made, "Succeeded") != 0)
		return json_object_new_string("creating");
	return json_object_new_string(state && (!strcasecmp(state, "Attached") || !strcasecmp(state, "Reserved")) ? "in-use" :
				      state && strcasecmp(state, "Unattached") != 0				 ? "busy" :
													   "available");
}

static struct json_object *make_zone(struct json_object *disk)
{
	const char *location = json_get_string(disk, "location"), *zone = json_get_string(disk, "zones.0");
	CLEANUP(freep) char *name = location && zone ? str_format("%s-%s", location, zone) : NULL;

	return name ? json_object_new_string(name) : location ? json_object_new_string(location) : NULL;
}

static struct json_object *make_user(struct json_object *disk)
{
	struct json_object *list = json_object_new_array();
	const char *id = json_get_string(disk, "managedBy");

	if (list && id && *id)
		json_object_array_add(list, json_object_new_string(id));
	return list;
}

static const struct record_source volume_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "", NULL, make_status },
	{ "provider_status", "properties.diskState", NULL, NULL },
	{ "size_gb", "properties.diskSizeGB", NULL, NULL },
	{ "type", "sku.name", NULL, NULL },
	{ "zone", "", NULL, make_zone },
	{ "attached_to", "", NULL, make_user },
	{ "snapshot", "properties.creationData.sourceResourceId", NULL, NULL },
	{ "created", "properties.timeCreated", NULL, NULL },
	{ "tags", "tags", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source snapshot_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "", NULL, make_status },
	{ "provider_status", "properties.provisioningState", NULL, NULL },
	{ "volume", "properties.creationData.sourceResourceId", NULL, NULL },
	{ "size_gb", "properties.diskSizeGB", NULL, NULL },
	{ "created", "properties.timeCreated", NULL, NULL },
	{ "tags", "tags", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

ARM_LIST(list_volumes, "disks", ARM_ALL "Microsoft.Compute/disks", "value", volume_map);
ARM_KIND(a_volume, "volume", list_volumes, "/Microsoft.Compute/disks/");
ARM_LIST(list_snapshots, "disks", ARM_ALL "Microsoft.Compute/snapshots", "value", snapshot_map);
ARM_KIND(a_snapshot, "snapshot", list_snapshots, "/Microsoft.Compute/snapshots/");
ARM_LIST(list_instances, "compute", ARM_ALL "Microsoft.Compute/virtualMachines", "value", NULL);
ARM_KIND(an_instance, "instance", list_instances, "/Microsoft.Compute/virtualMachines/");
static const struct rest_name of_volume[] = { { "volume", &a_volume }, { NULL, NULL } };
static const struct rest_name of_snapshot[] = { { "snapshot", &a_snapshot }, { NULL, NULL } };
static const struct rest_name of_attachment[] = { { "volume", &a_volume }, { "instance", &an_instance }, { NULL, NULL } };
ARM_GET(get_volume, "disks", "{+volume}", volume_map, of_volume);
ARM_GET(made_volume, "disks", ARM_PLACE "Microsoft.Compute/disks/{name}", volume_map, NULL);
ARM_GET(get_snapshot, "disks", "{+snapshot}", snapshot_map, of_snapshot);
ARM_GET(made_snapshot, "disks", ARM_PLACE "Microsoft.Compute/snapshots/{name}", snapshot_map, NULL);
static const struct rest_field new_volume[] = {
	ARM_NEW,
	{ "size_gb", "properties.diskSizeGB", REST_BODY },
	{ "type", "sku.name", REST_BODY },
	{ "_zone_number", "zones.0", REST_BODY },
	{ "snapshot", "properties.creationData.createOption", REST_BODY, "\"Empty\"", "Copy" },
	{ "snapshot", "properties.creationData.sourceResourceId", REST_BODY },
	{ "tag", "tags", REST_BODY },
	{ .place = NULL },
};
ARM_CHANGE(create_volume, "disks", HTTP_PUT, ARM_PLACE "Microsoft.Compute/disks/{name}", new_volume, of_snapshot,
	   .then = &made_volume);
static const struct rest_field larger[] = {
	{ "size_gb", "properties.diskSizeGB", REST_BODY },
	{ .place = NULL },
};
ARM_CHANGE(extend_volume, "disks", HTTP_PATCH, "{+volume}", larger, of_volume, .then = &get_volume);
static const struct rest_field attachment[] = {
	{ "volume", "dataDisksToAttach.0.diskId", REST_BODY },
	{ .place = NULL },
};
ARM_CHANGE(attach_volume, "compute", HTTP_POST, "{+instance}/attachDetachDataDisks", attachment, of_attachment,
	   .then = &get_volume);
static const struct rest_field detachment[] = {
	{ "volume", "dataDisksToDetach.0.diskId", REST_BODY },
	{ .place = NULL },
};
ARM_CHANGE(detach_volume, "compute", HTTP_POST, "{+instance}/attachDetachDataDisks", detachment, of_attachment,
	   .then = &get_volume);
ARM_CHANGE(delete_volume, "disks", HTTP_DELETE, "{+volume}", NULL, of_volume);
static const struct rest_field new_snapshot[] = {
	ARM_NEW,
	{ NULL, "properties.creationData.createOption", REST_BODY, "\"Copy\"" },
	{ "volume", "properties.creationData.sourceResourceId", REST_BODY },
	{ "tag", "tags", REST_BODY },
	{ "force", "", REST_NOWHERE },
	{ .place = NULL },
};
ARM_CHANGE(create_snapshot, "disks", HTTP_PUT, ARM_PLACE "Microsoft.Compute/snapshots/{name}", new_snapshot, of_volume,
	   .then = &made_snapshot);
ARM_CHANGE(delete_snapshot, "disks", HTTP_DELETE, "{+snapshot}", NULL, of_snapshot);

/* "westeurope-2", as zones.list names it, or "2" */
static int volumes_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *zone = cloud_param(call, "zone"), *dash = zone ? strrchr(zone, '-') : NULL;

	if (!zone)
		return rest_run(call, &create_volume, ret, err);
	return rest_run_with(call, &create_volume, "_zone_number", json_object_new_string(dash ? dash + 1 : zone), ret, err);
}

const struct volume_ops azure_volumes = {
	.volumes_list = { .row = &list_volumes },
	.volumes_get = { .row = &get_volume },
	.volumes_create = { .run = volumes_create },
	.volumes_delete = { .row = &delete_volume },
	.volumes_extend = { .row = &extend_volume },
	.volumes_attach = { .row = &attach_volume },
	.volumes_detach = { .row = &detach_volume },
	.snapshots_list = { .row = &list_snapshots },
	.snapshots_get = { .row = &get_snapshot },
	.snapshots_create = { .row = &create_snapshot },
	.snapshots_delete = { .row = &delete_snapshot },
};
