/*
 * Purpose: the operations on virtual machines: rows; the drivers do them (backends/cloud/compute.h).
 */
#include "backends/cloud/compute.h"
#include "control/op.h"

#define COMPUTE(slot_name) .interface = CLOUD_COMPUTE, .slot = offsetof(struct compute_ops, slot_name)

static const char *const reboot_modes[] = {"soft", "hard", NULL};
static const char *const running[] = {"running", NULL};
static const char *const stopped[] = {"stopped", NULL};
static const char *const failed[] = {"error", NULL};

static const struct op_wait wait_created = {"instances.get", "", "status", running, failed};
static const struct op_wait wait_running = {"instances.get", "instance", "status", running, failed};
static const struct op_wait wait_stopped = {"instances.get", "instance", "status", stopped, failed};
static const struct op_wait wait_gone = {"instances.get", "instance", "status", NULL, failed};

#define INSTANCE {"instance", OP_STRING, true, 256, "identifier or name", .position = 1, .completes = "instances.list"}

static const struct op_param instance_params[] = {INSTANCE, OP_PARAM_END};
static const struct op_param reboot_params[] = {
	INSTANCE,
	{"mode", OP_ENUM, false, 0, "soft (the default) asks the system, hard cuts the power", .choices = reboot_modes},
	OP_PARAM_END,
};
static const struct op_param console_params[] = {
	INSTANCE,
	{"lines", OP_INT, false, 100000, "only the last so many lines", .min = 1},
	OP_PARAM_END,
};
static const struct op_param create_params[] = {
	{"name", OP_STRING, true, 255, "name", .position = 1},
	{"image", OP_STRING, true, 512, "image to start from", .completes = "images.list"},
	{"flavor", OP_STRING, true, 128, "size", .completes = "flavors.list"},
	{"keypair", OP_STRING, false, 255, "SSH key to put in", .completes = "keypairs.list"},
	{"network", OP_LIST, false, 256, "network or subnet; may be repeated"},
	{"security_group", OP_LIST, false, 256, "security group; may be repeated"},
	{"zone", OP_STRING, false, 128, "availability zone", .completes = "zones.list"},
	{"user_data", OP_TEXT, false, 65536, "cloud-init document"},
	{"disk_gb", OP_INT, false, 65536, "size of the disk in GiB, if not the flavor's", .min = 1},
	{"tag", OP_MAP, false, 256, "tag, label or metadata; may be repeated"},
	OP_PARAM_END,
};
static const struct op_param images_params[] = {
	{"name", OP_STRING, false, 255, "only images whose name holds this"},
	{"owner", OP_STRING, false, 255, "only this account's, project's or publisher's ('self': one's own)"},
	OP_PARAM_END,
};
static const struct op_param image_params[] = {
	{"image", OP_STRING, true, 512, "identifier or name", .position = 1, .completes = "images.list"},
	OP_PARAM_END,
};
static const struct op_param flavors_params[] = {
	{"zone", OP_STRING, false, 128, "only what this zone has", .completes = "zones.list"},
	OP_PARAM_END,
};
static const struct op_param keypair_create_params[] = {
	{"name", OP_STRING, true, 255, "name", .position = 1},
	{"public_key", OP_TEXT, false, 16384, "public key; without it the provider makes a pair"},
	OP_PARAM_END,
};
static const struct op_param keypair_params[] = {
	{"name", OP_STRING, true, 255, "name", .position = 1, .completes = "keypairs.list"},
	OP_PARAM_END,
};

extern const struct op compute_op_rows[];
const struct op compute_op_rows[] = {
	{.name = "instances.list",
	 .summary = "list the instances",
	 .result = OP_ITEMS,
	 .shape = &shape_instance,
	 .example = "skydir instances list --all-providers\nskydir instances list --filter status=running --sort-by name",
	 COMPUTE(instances_list)},
	{.name = "instances.get",
	 .summary = "show an instance",
	 .params = instance_params,
	 .result = OP_ONE,
	 .shape = &shape_instance,
	 COMPUTE(instances_get)},
	{.name = "instances.create",
	 .summary = "create an instance and start it",
	 .risk = OP_CHANGE,
	 .params = create_params,
	 .result = OP_ONE,
	 .shape = &shape_instance,
	 .wait = &wait_created,
	 .example = "skydir instances create web1 --image debian-12 --flavor a2-ram4-disk20-perf1 --keypair me --wait",
	 COMPUTE(instances_create)},
	{.name = "instances.start",
	 .summary = "start an instance that is stopped",
	 .risk = OP_CHANGE,
	 .params = instance_params,
	 .result = OP_ONE,
	 .shape = &shape_instance,
	 .wait = &wait_running,
	 COMPUTE(instances_start)},
	{.name = "instances.stop",
	 .summary = "stop an instance; its disks stay",
	 .risk = OP_CHANGE,
	 .params = instance_params,
	 .result = OP_ONE,
	 .shape = &shape_instance,
	 .wait = &wait_stopped,
	 COMPUTE(instances_stop)},
	{.name = "instances.reboot",
	 .summary = "restart an instance",
	 .risk = OP_CHANGE,
	 .params = reboot_params,
	 .result = OP_ONE,
	 .shape = &shape_instance,
	 .wait = &wait_running,
	 COMPUTE(instances_reboot)},
	{.name = "instances.delete",
	 .summary = "delete an instance for good",
	 .risk = OP_DESTROY,
	 .params = instance_params,
	 .wait = &wait_gone,
	 COMPUTE(instances_delete)},
	{.name = "instances.console",
	 .summary = "show what an instance wrote to its console",
	 .params = console_params,
	 .result = OP_ONE,
	 .shape = &shape_console,
	 .text = "output",
	 COMPUTE(instances_console)},
	{.name = "images.list",
	 .summary = "list the images that instances start from",
	 .params = images_params,
	 .result = OP_ITEMS,
	 .shape = &shape_image,
	 COMPUTE(images_list)},
	{.name = "images.get",
	 .summary = "show an image",
	 .params = image_params,
	 .result = OP_ONE,
	 .shape = &shape_image,
	 COMPUTE(images_get)},
	{.name = "flavors.list",
	 .summary = "list the sizes of instances",
	 .params = flavors_params,
	 .result = OP_ITEMS,
	 .shape = &shape_flavor,
	 COMPUTE(flavors_list)},
	{.name = "keypairs.list",
	 .summary = "list the SSH keys",
	 .result = OP_ITEMS,
	 .shape = &shape_keypair,
	 COMPUTE(keypairs_list)},
	{.name = "keypairs.create",
	 .summary = "add an SSH key, or have a pair made",
	 .risk = OP_CHANGE,
	 .params = keypair_create_params,
	 .result = OP_ONE,
	 .shape = &shape_keypair,
	 .example = "skydir keypairs create me --public-key ~/.ssh/id_ed25519.pub",
	 COMPUTE(keypairs_create)},
	{.name = "keypairs.delete",
	 .summary = "delete an SSH key",
	 .risk = OP_DESTROY,
	 .params = keypair_params,
	 COMPUTE(keypairs_delete)},
	{.name = "zones.list",
	 .summary = "list the availability zones",
	 .result = OP_ITEMS,
	 .shape = &shape_zone_of_cloud,
	 COMPUTE(zones_list)},
	{.name = NULL},
};
