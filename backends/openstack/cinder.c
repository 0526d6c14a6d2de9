/*
 * Volumes, snapshots and backups by Cinder; Nova attaches them.
 *
 * Source: docs.openstack.org/api-ref/block-storage/v3 (microversion 3.50) and /compute (os-volume_attachments), read 2026-11.
 */
#include "backends/openstack/openstack_rows.h"

static const struct record_word states[] = {
	{ "creating", "creating" },	{ "available", "available" }, { "reserved", "attaching" },
	{ "attaching", "attaching" },	{ "detaching", "detaching" }, { "in-use", "in-use" },
	{ "maintenance", "busy" },	{ "deleting", "deleting" },   { "awaiting-transfer", "busy" },
	{ "backing-up", "busy" },	{ "restoring-backup", "busy" }, { "downloading", "creating" },
	{ "uploading", "busy" },	{ "retyping", "busy" },	      { "extending", "resizing" },
	{ "error", "error" },		{ "error_deleting", "error" }, { "error_backing-up", "error" },
	{ "error_restoring", "error" }, { "error_extending", "error" }, { "deleted", "deleted" },
	{ "managing", "creating" },	{ "error_managing", "error" }, { "restoring", "restoring" },
	{ "backing_up", "busy" },	{ "unmanaging", "busy" },      { NULL, NULL },
};

static struct json_object *make_servers(struct json_object *attachments)
{
	return openstack_members(attachments, "server_id");
}

static const struct record_source volume_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "status", states, NULL },
	{ "provider_status", "status", NULL, NULL },
	{ "size_gb", "size", NULL, NULL },
	{ "type", "volume_type", NULL, NULL },
	{ "zone", "availability_zone", NULL, NULL },
	{ "attached_to", "attachments", NULL, make_servers },
	{ "bootable", "bootable", NULL, NULL },
	{ "encrypted", "encrypted", NULL, NULL },
	{ "snapshot", "snapshot_id", NULL, NULL },
	{ "created", "created_at", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ "tags", "metadata", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source snapshot_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "status", states, NULL },
	{ "provider_status", "status", NULL, NULL },
	{ "volume", "volume_id", NULL, NULL },
	{ "size_gb", "size", NULL, NULL },
	{ "created", "created_at", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ "tags", "metadata", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source backup_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "status", states, NULL },
	{ "provider_status", "status", NULL, NULL },
	{ "volume", "volume_id", NULL, NULL },
	{ "snapshot", "snapshot_id", NULL, NULL },
	{ "size_gb", "size", NULL, NULL },
	{ "incremental", "is_incremental", NULL, NULL },
	{ "reason", "fail_reason", NULL, NULL },
	{ "created", "created_at", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

OPENSTACK_LIST(list_volumes, "volume", "volumes/detail", "volumes", volume_map);
OPENSTACK_LIST(list_snapshots, "volume", "snapshots/detail", "snapshots", snapshot_map);
OPENSTACK_LIST(list_backups, "volume", "backups/detail", "backups", backup_map);
OPENSTACK_KIND(a_volume, "volume", list_volumes);
OPENSTACK_KIND(a_snapshot, "snapshot", list_snapshots);
OPENSTACK_KIND(a_backup, "backup", list_backups);
static const struct rest_name of_volume[] = { { "volume", &a_volume }, { NULL, NULL } };
static const struct rest_name of_snapshot[] = { { "snapshot", &a_snapshot }, { NULL, NULL } };
static const struct rest_name of_backup[] = { { "backup", &a_backup }, { NULL, NULL } };
static const struct rest_name of_source[] = { { "snapshot", &a_snapshot }, { "image", &openstack_image }, { NULL, NULL } };
static const struct rest_name of_attachment[] = { { "volume", &a_volume }, { "instance", &openstack_instance }, { NULL, NULL } };
static const struct rest_name of_backup_source[] = { { "volume", &a_volume }, { "snapshot", &a_snapshot }, { NULL, NULL } };
static const struct rest_name of_restore[] = { { "backup", &a_backup }, { "volume", &a_volume }, { NULL, NULL } };

OPENSTACK_GET(get_volume, "volume", "volumes/{volume}", "volume", volume_map, of_volume);
OPENSTACK_GET(get_snapshot, "volume", "snapshots/{snapshot}", "snapshot", snapshot_map, of_snapshot);
OPENSTACK_GET(get_backup, "volume", "backups/{backup}", "backup", backup_map, of_backup);
OPENSTACK_DELETE(delete_volume, "volume", "volumes/{volume}", of_volume);
OPENSTACK_DELETE(delete_snapshot, "volume", "snapshots/{snapshot}", of_snapshot);
OPENSTACK_DELETE(delete_backup, "volume", "backups/{backup}", of_backup);

static const struct rest_field volume_fields[] = {
	{ "name", "volume.name", REST_BODY },
	{ "size_gb", "volume.size", REST_BODY },
	{ "type", "volume.volume_type", REST_BODY },
	{ "zone", "volume.availability_zone", REST_BODY },
	{ "snapshot", "volume.snapshot_id", REST_BODY },
	{ "image", "volume.imageRef", REST_BODY },
	{ "description", "volume.description", REST_BODY },
	{ "tag", "volume.metadata", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_CREATE(create_volume, "volume", "volumes", volume_fields, "volume", volume_map, of_source);
static const struct rest_field extend_fields[] = {
	{ "size_gb", "os-extend.new_size", REST_BODY },
	{ .place = NULL },
};
static const struct rest_row extend_volume = { .service = "volume", .method = HTTP_POST, .path = "volumes/{volume}/action",
	.fields = extend_fields, .names = of_volume, .then = &get_volume, .is_strict = true };
static const struct rest_field attach_fields[] = {
	{ "volume", "volumeAttachment.volumeId", REST_BODY },
	{ "device", "volumeAttachment.device", REST_BODY },
	{ .place = NULL },
};
static const struct rest_row attach_volume = { .service = "compute", .method = HTTP_POST,
	.path = "servers/{instance}/os-volume_attachments", .fields = attach_fields, .names = of_attachment,
	.then = &get_volume, .is_strict = true };
static const struct rest_row detach_volume = { .service = "compute", .method = HTTP_DELETE,
	.path = "servers/{instance}/os-volume_attachments/{volume}", .names = of_attachment, .then = &get_volume,
	.is_strict = true };
static const struct rest_field snapshot_fields[] = {
	{ "name", "snapshot.name", REST_BODY },
	{ "volume", "snapshot.volume_id", REST_BODY },
	{ "description", "snapshot.description", REST_BODY },
	{ "force", "snapshot.force", REST_BODY },
	{ "tag", "snapshot.metadata", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_CREATE(create_snapshot, "volume", "snapshots", snapshot_fields, "snapshot", snapshot_map, of_volume);
static const struct rest_field backup_fields[] = {
	{ "name", "backup.name", REST_BODY },
	{ "volume", "backup.volume_id", REST_BODY },
	{ "snapshot", "backup.snapshot_id", REST_BODY },
	{ "description", "backup.description", REST_BODY },
	{ "incremental", "backup.incremental", REST_BODY },
	{ "force", "backup.force", REST_BODY },
	{ .place = NULL },
};
static const struct rest_keep made_backup[] = { { "backup", "backup.id" }, { NULL, NULL } };
static const struct rest_row create_backup = { .service = "volume", .method = HTTP_POST, .path = "backups",
	.fields = backup_fields, .names = of_backup_source, .then = &get_backup, .keep = made_backup, .is_strict = true };
static const struct rest_field restore_fields[] = {
	{ NULL, "restore", REST_BODY, "{}" },
	{ "volume", "restore.volume_id", REST_BODY },
	{ "name", "restore.name", REST_BODY },
	{ .place = NULL },
};
static const struct rest_keep restored[] = { { "volume", "restore.volume_id" }, { NULL, NULL } };
static const struct rest_row restore_backup = { .service = "volume", .method = HTTP_POST, .path = "backups/{backup}/restore",
	.fields = restore_fields, .names = of_restore, .then = &get_volume, .keep = restored, .is_strict = true };

const struct volume_ops openstack_volumes = {
	.volumes_list = { .row = &list_volumes },	.volumes_get = { .row = &get_volume },
	.volumes_create = { .row = &create_volume },	.volumes_delete = { .row = &delete_volume },
	.volumes_extend = { .row = &extend_volume },	.volumes_attach = { .row = &attach_volume },
	.volumes_detach = { .row = &detach_volume },	.snapshots_list = { .row = &list_snapshots },
	.snapshots_get = { .row = &get_snapshot },	.snapshots_create = { .row = &create_snapshot },
	.snapshots_delete = { .row = &delete_snapshot }, .backups_list = { .row = &list_backups },
	.backups_get = { .row = &get_backup },		.backups_create = { .row = &create_backup },
	.backups_restore = { .row = &restore_backup },	.backups_delete = { .row = &delete_backup },
};
