/*
 * Purpose: the operations on volumes, their snapshots and backups: rows; the drivers do them (backends/cloud/volumes.h).
 */
#include "backends/cloud/volumes.h"
#include "control/op.h"

#define VOLUME(slot_name) .interface = CLOUD_VOLUMES, .slot = offsetof(struct volume_ops, slot_name)

static const char *const ready[] = {"available", "in-use", NULL};
static const char *const free_again[] = {"available", NULL};
static const char *const in_use[] = {"in-use", NULL};
static const char *const failed[] = {"error", NULL};
static const struct op_wait wait_volume = {"volumes.get", "", "status", ready, failed};
static const struct op_wait wait_extended = {"volumes.get", "volume", "status", ready, failed};
static const struct op_wait wait_attached = {"volumes.get", "volume", "status", in_use, failed};
static const struct op_wait wait_detached = {"volumes.get", "volume", "status", free_again, failed};
static const struct op_wait wait_volume_gone = {"volumes.get", "volume", "status", NULL, failed};
static const struct op_wait wait_snapshot = {"snapshots.get", "", "status", free_again, failed};
static const struct op_wait wait_snapshot_gone = {"snapshots.get", "snapshot", "status", NULL, failed};
static const struct op_wait wait_backup = {"backups.get", "", "status", free_again, failed};
static const struct op_wait wait_backup_gone = {"backups.get", "backup", "status", NULL, failed};

#define VOLUME_PARAM {"volume", OP_STRING, true, 512, "identifier or name", .position = 1, .completes = "volumes.list"}
#define OF_VOLUME {"volume", OP_STRING, true, 512, "volume, by identifier or name", .completes = "volumes.list"}
#define SNAPSHOT {"snapshot", OP_STRING, true, 512, "identifier or name", .position = 1, .completes = "snapshots.list"}
#define BACKUP {"backup", OP_STRING, true, 512, "identifier or name", .position = 1, .completes = "backups.list"}
#define NAME {"name", OP_STRING, true, 255, "name", .position = 1}
#define DESCRIPTION {"description", OP_STRING, false, 255, "what it is for"}
#define TAG {"tag", OP_MAP, false, 256, "tag, label or metadata; may be repeated"}

static const struct op_param volume_params[] = {VOLUME_PARAM, OP_PARAM_END};
static const struct op_param volume_create_params[] = {
	NAME,
	{"size_gb", OP_INT, true, 1048576, "size in GiB", .position = 2, .min = 1},
	{"type", OP_STRING, false, 128, "kind of storage, as the provider names it"},
	{"zone", OP_STRING, false, 128, "availability zone", .completes = "zones.list"},
	{"snapshot", OP_STRING, false, 512, "snapshot to make it from", .completes = "snapshots.list"},
	{"image", OP_STRING, false, 512, "image to make it from", .completes = "images.list"},
	DESCRIPTION,
	TAG,
	OP_PARAM_END,
};
static const struct op_param extend_params[] = {
	VOLUME_PARAM,
	{"size_gb", OP_INT, true, 1048576, "new size in GiB: more than before", .position = 2, .min = 1},
	OP_PARAM_END,
};
static const struct op_param attach_params[] = {
	VOLUME_PARAM,
	{"instance", OP_STRING, true, 512, "instance, by identifier or name", .position = 2, .completes = "instances.list"},
	{"device", OP_STRING, false, 64, "name that the instance is told of it, where the provider wants one"},
	OP_PARAM_END,
};
static const struct op_param detach_params[] = {
	VOLUME_PARAM,
	{"instance", OP_STRING, false, 512, "instance, when several have it", .position = 2, .completes = "instances.list"},
	OP_PARAM_END,
};
static const struct op_param snapshot_params[] = {SNAPSHOT, OP_PARAM_END};
static const struct op_param snapshot_create_params[] = {
	NAME,
	OF_VOLUME,
	DESCRIPTION,
	{"force", OP_BOOL, false, 0, "also of a volume that is in use, where the provider wants to be told"},
	TAG,
	OP_PARAM_END,
};
static const struct op_param backup_params[] = {BACKUP, OP_PARAM_END};
static const struct op_param backup_create_params[] = {
	NAME,
	OF_VOLUME,
	{"snapshot", OP_STRING, false, 512, "snapshot of it to read", .completes = "snapshots.list"},
	DESCRIPTION,
	{"incremental", OP_BOOL, false, 0, "only what changed since the last backup"},
	{"force", OP_BOOL, false, 0, "also of a volume that is in use"},
	OP_PARAM_END,
};
static const struct op_param restore_params[] = {
	BACKUP,
	{"volume", OP_STRING, false, 512, "volume that is overwritten; without it a new one is made", .completes = "volumes.list"},
	{"name", OP_STRING, false, 255, "name of the new volume"},
	OP_PARAM_END,
};

/* The only instance that has the volume, when none was named. */
static int detach(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const struct cloud_driver *driver = call->cloud->driver;
	const struct cloud_slot *get = cloud_slot(driver, CLOUD_VOLUMES, offsetof(struct volume_ops, volumes_get));
	const struct cloud_slot *slot = cloud_slot(driver, CLOUD_VOLUMES, offsetof(struct volume_ops, volumes_detach));
	CLEANUP(json_putp) struct json_object *volume = NULL;
	CLEANUP(json_putp) struct json_object *params = NULL;
	struct json_object *before = call->params, *list;
	size_t count;
	int r;

	if (cloud_param(call, "instance") || !get)
		return cloud_run(call, slot, ret, err);
	r = cloud_run(call, get, &volume, err);
	if (r < 0)
		return r;
	list = json_get_array(volume, "attached_to");
	count = list ? json_object_array_length(list) : 0;
	if (count != 1)
		return count ? error_set(err, ERR_CONFLICT, "%zu instances have the volume (say which: --instance)", count)
			     : error_set(err, ERR_CONFLICT, "no instance has the volume");
	if (json_object_deep_copy(before, &params, NULL) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_add(params, "instance", json_object_get(json_object_array_get_idx(list, 0)));
	call->params = params;
	r = cloud_run(call, slot, ret, err);
	call->params = before;
	return r;
}

/* A volume that is there would be overwritten: its name is not given to a new one. */
static int check_restore(struct json_object *params, struct json_object **ret, struct error *err)
{
	if (json_object_object_get_ex(params, "volume", NULL) && json_object_object_get_ex(params, "name", NULL))
		return error_set(err, ERR_INVALID, "parameters 'volume' and 'name' exclude each other");
	*ret = json_object_get(params);
	return 0;
}

extern const struct op volume_op_rows[];
const struct op volume_op_rows[] = {
	{.name = "volumes.list",
	 .summary = "list the volumes",
	 .result = OP_ITEMS,
	 .shape = &shape_volume,
	 VOLUME(volumes_list)},
	{.name = "volumes.get",
	 .summary = "show a volume",
	 .params = volume_params,
	 .result = OP_ONE,
	 .shape = &shape_volume,
	 VOLUME(volumes_get)},
	{.name = "volumes.create",
	 .summary = "make a volume",
	 .risk = OP_CHANGE,
	 .params = volume_create_params,
	 .result = OP_ONE,
	 .shape = &shape_volume,
	 .wait = &wait_volume,
	 .example = "skydir volumes create data 100 --type ssd --wait",
	 VOLUME(volumes_create)},
	{.name = "volumes.extend",
	 .summary = "make a volume larger",
	 .risk = OP_CHANGE,
	 .params = extend_params,
	 .result = OP_ONE,
	 .shape = &shape_volume,
	 .wait = &wait_extended,
	 VOLUME(volumes_extend)},
	{.name = "volumes.attach",
	 .summary = "give a volume to an instance",
	 .risk = OP_CHANGE,
	 .params = attach_params,
	 .result = OP_ONE,
	 .shape = &shape_volume,
	 .wait = &wait_attached,
	 .example = "skydir volumes attach data web1 --wait",
	 VOLUME(volumes_attach)},
	{.name = "volumes.detach",
	 .summary = "take a volume from its instance",
	 .risk = OP_CHANGE,
	 .params = detach_params,
	 .result = OP_ONE,
	 .shape = &shape_volume,
	 .wait = &wait_detached,
	 .composed = detach,
	 VOLUME(volumes_detach)},
	{.name = "volumes.delete",
	 .summary = "delete a volume and all that is on it",
	 .risk = OP_DESTROY,
	 .params = volume_params,
	 .wait = &wait_volume_gone,
	 VOLUME(volumes_delete)},
	{.name = "snapshots.list",
	 .summary = "list the snapshots of volumes",
	 .result = OP_ITEMS,
	 .shape = &shape_snapshot,
	 VOLUME(snapshots_list)},
	{.name = "snapshots.get",
	 .summary = "show a snapshot",
	 .params = snapshot_params,
	 .result = OP_ONE,
	 .shape = &shape_snapshot,
	 VOLUME(snapshots_get)},
	{.name = "snapshots.create",
	 .summary = "take a snapshot of a volume",
	 .risk = OP_CHANGE,
	 .params = snapshot_create_params,
	 .result = OP_ONE,
	 .shape = &shape_snapshot,
	 .wait = &wait_snapshot,
	 .example = "skydir snapshots create monday --volume data --wait",
	 VOLUME(snapshots_create)},
	{.name = "snapshots.delete",
	 .summary = "delete a snapshot",
	 .risk = OP_DESTROY,
	 .params = snapshot_params,
	 .wait = &wait_snapshot_gone,
	 VOLUME(snapshots_delete)},
	{.name = "backups.list",
	 .summary = "list the backups of volumes",
	 .result = OP_ITEMS,
	 .shape = &shape_backup,
	 VOLUME(backups_list)},
	{.name = "backups.get",
	 .summary = "show a backup",
	 .params = backup_params,
	 .result = OP_ONE,
	 .shape = &shape_backup,
	 VOLUME(backups_get)},
	{.name = "backups.create",
	 .summary = "make a backup of a volume",
	 .risk = OP_CHANGE,
	 .params = backup_create_params,
	 .result = OP_ONE,
	 .shape = &shape_backup,
	 .wait = &wait_backup,
	 VOLUME(backups_create)},
	{.name = "backups.restore",
	 .summary = "write a backup to a new volume, or over one",
	 .risk = OP_DESTROY,
	 .params = restore_params,
	 .result = OP_ONE,
	 .shape = &shape_volume,
	 .wait = &wait_volume,
	 .prepare = check_restore,
	 VOLUME(backups_restore)},
	{.name = "backups.delete",
	 .summary = "delete a backup",
	 .risk = OP_DESTROY,
	 .params = backup_params,
	 .wait = &wait_backup_gone,
	 VOLUME(backups_delete)},
	{.name = NULL},
};
