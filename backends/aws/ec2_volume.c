/*
 * Volumes and snapshots by EC2 (EBS). A snapshot is the backup here: there are no others.
 *
 * Source: docs.aws.amazon.com/AWSEC2/latest/APIReference, version 2016-11-15 (read 2026-11).
 */
#include "backends/aws/ec2_rows.h"

#include "backends/base/xml_json.h"

static const struct record_word volume_states[] = {
	{ "creating", "creating" }, { "available", "available" }, { "in-use", "in-use" }, { "deleting", "deleting" },
	{ "deleted", "deleted" },   { "error", "error" },	  { NULL, NULL },
};
static const struct record_word snapshot_states[] = {
	{ "pending", "creating" }, { "completed", "available" }, { "error", "error" }, { "recoverable", "busy" },
	{ "recovering", "busy" },  { NULL, NULL },
};

static struct json_object *make_instances(struct json_object *volume)
{
	CLEANUP(json_putp) struct json_object *all = json_items(volume, "attachmentSet.item");
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && all && i < json_object_array_length(all); i++) {
		const char *id = json_get_string(json_object_array_get_idx(all, i), "instanceId");

		if (id)
			json_object_array_add(list, json_object_new_string(id));
	}
	return list;
}

static const struct record_source volume_map[] = {
	{ "id", "volumeId", NULL, NULL },
	{ "name", "", NULL, ec2_name },
	{ "status", "status", volume_states, NULL },
	{ "provider_status", "status", NULL, NULL },
	{ "size_gb", "size", NULL, NULL },
	{ "type", "volumeType", NULL, NULL },
	{ "zone", "availabilityZone", NULL, NULL },
	{ "attached_to", "", NULL, make_instances },
	{ "encrypted", "encrypted", NULL, NULL },
	{ "snapshot", "snapshotId", NULL, NULL },
	{ "created", "createTime", NULL, NULL },
	{ "tags", "", NULL, ec2_tags },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source snapshot_map[] = {
	{ "id", "snapshotId", NULL, NULL },
	{ "name", "", NULL, ec2_name },
	{ "status", "status", snapshot_states, NULL },
	{ "provider_status", "status", NULL, NULL },
	{ "volume", "volumeId", NULL, NULL },
	{ "size_gb", "volumeSize", NULL, NULL },
	{ "created", "startTime", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ "tags", "", NULL, ec2_tags },
	{ NULL, NULL, NULL, NULL },
};
static const struct rest_field all_volumes[] = {
	EC2_ACTION("DescribeVolumes"),
	{ .place = NULL },
};
EC2_LIST(list_volumes, "DescribeVolumes", "volumeSet", volume_map, all_volumes, 5, 500);
EC2_KIND(a_volume, "volume", list_volumes, "volumeId", "vol-");
static const struct rest_field own_snapshots[] = {
	EC2_ACTION("DescribeSnapshots"),
	{ NULL, "Owner.1", REST_FORM, "self" },
	{ .place = NULL },
};
EC2_LIST(list_snapshots, "DescribeSnapshots", "snapshotSet", snapshot_map, own_snapshots, 5, 1000);
EC2_KIND(a_snapshot, "snapshot", list_snapshots, "snapshotId", "snap-");
static const struct rest_name of_volume[] = { { "volume", &a_volume }, { NULL, NULL } };
static const struct rest_name of_snapshot[] = { { "snapshot", &a_snapshot }, { NULL, NULL } };
static const struct rest_field one_volume[] = {
	EC2_ACTION("DescribeVolumes"),
	{ "volume", "VolumeId.1", REST_FORM },
	{ .place = NULL },
};
EC2_GET(get_volume, "DescribeVolumes", "volumeSet", volume_map, one_volume, of_volume);
static const struct rest_field one_snapshot[] = {
	EC2_ACTION("DescribeSnapshots"),
	{ "snapshot", "SnapshotId.1", REST_FORM },
	{ .place = NULL },
};
EC2_GET(get_snapshot, "DescribeSnapshots", "snapshotSet", snapshot_map, one_snapshot, of_snapshot);
static const struct rest_field new_volume[] = {
	EC2_ACTION("CreateVolume"),
	{ "@token", "ClientToken", REST_FORM },
	{ "size_gb", "Size", REST_FORM },
	{ "type", "VolumeType", REST_FORM },
	{ "zone", "AvailabilityZone", REST_FORM, .is_needed = true },
	{ "snapshot", "SnapshotId", REST_FORM },
	{ NULL, "TagSpecification.1.ResourceType", REST_FORM, "volume" },
	{ NULL, "TagSpecification.1.Tag.1.Key", REST_FORM, "Name" },
	{ "name", "TagSpecification.1.Tag.1.Value", REST_FORM },
	{ "tag", "TagSpecification.1.Tag.#2", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(create_volume, new_volume, .names = of_snapshot, .item = "CreateVolumeResponse", .record = volume_map, .is_idempotent = true);
static const struct rest_field larger[] = {
	EC2_ACTION("ModifyVolume"),
	{ "volume", "VolumeId", REST_FORM },
	{ "size_gb", "Size", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(extend_volume, larger, .names = of_volume, .then = &get_volume);
static const struct rest_field attachment[] = {
	EC2_ACTION("AttachVolume"),
	{ "volume", "VolumeId", REST_FORM },
	{ "instance", "InstanceId", REST_FORM },
	{ "device", "Device", REST_FORM, "/dev/sdf" },
	{ .place = NULL },
};
EC2_CHANGE(attach_volume, attachment, .names = of_volume, .then = &get_volume);
static const struct rest_field detachment[] = {
	EC2_ACTION("DetachVolume"),
	{ "volume", "VolumeId", REST_FORM },
	{ "instance", "InstanceId", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(detach_volume, detachment, .names = of_volume, .then = &get_volume);
static const struct rest_field gone_volume[] = {
	EC2_ACTION("DeleteVolume"),
	{ "volume", "VolumeId", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(delete_volume, gone_volume, .names = of_volume, .is_idempotent = true);
static const struct rest_field new_snapshot[] = {
	EC2_ACTION("CreateSnapshot"),
	{ "volume", "VolumeId", REST_FORM },
	{ "description", "Description", REST_FORM },
	{ "force", "", REST_NOWHERE },
	{ NULL, "TagSpecification.1.ResourceType", REST_FORM, "snapshot" },
	{ NULL, "TagSpecification.1.Tag.1.Key", REST_FORM, "Name" },
	{ "name", "TagSpecification.1.Tag.1.Value", REST_FORM },
	{ "tag", "TagSpecification.1.Tag.#2", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(create_snapshot, new_snapshot, .names = of_volume, .item = "CreateSnapshotResponse", .record = snapshot_map);
static const struct rest_field gone_snapshot[] = {
	EC2_ACTION("DeleteSnapshot"),
	{ "snapshot", "SnapshotId", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(delete_snapshot, gone_snapshot, .names = of_snapshot, .is_idempotent = true);

static int volumes_attach(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return ec2_run_with_instance(call, &attach_volume, ret, err);
}

static int volumes_detach(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return ec2_run_with_instance(call, &detach_volume, ret, err);
}

const struct volume_ops aws_volumes = {
	.volumes_list = { .row = &list_volumes },
	.volumes_get = { .row = &get_volume },
	.volumes_create = { .row = &create_volume },
	.volumes_delete = { .row = &delete_volume },
	.volumes_extend = { .row = &extend_volume },
	.volumes_attach = { .run = volumes_attach },
	.volumes_detach = { .run = volumes_detach },
	.snapshots_list = { .row = &list_snapshots },
	.snapshots_get = { .row = &get_snapshot },
	.snapshots_create = { .row = &create_snapshot },
	.snapshots_delete = { .row = &delete_snapshot },
};
