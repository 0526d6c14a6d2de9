#include "backends/cloud/volumes.h"

static const struct record_field volume_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "creating, available, attaching, in-use, detaching, resizing, busy, deleting, deleted, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "size_gb", RECORD_INT, "size in GiB" },
	{ "type", RECORD_TEXT, "kind of storage" },
	{ "zone", RECORD_TEXT, "availability zone" },
	{ "attached_to", RECORD_LIST, "instances that have it, by identifier" },
	{ "bootable", RECORD_BOOL, "an instance can start from it" },
	{ "encrypted", RECORD_BOOL, "it is encrypted" },
	{ "snapshot", RECORD_TEXT, "snapshot it was made from" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ "tags", RECORD_OBJECT, "tags, labels or metadata" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_volume = { "volume", volume_fields, "id,name,status,size_gb,type,zone,attached_to" };

static const struct record_field snapshot_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "creating, available, busy, deleting, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "volume", RECORD_TEXT, "volume it was taken of" },
	{ "size_gb", RECORD_INT, "size of that volume in GiB" },
	{ "created", RECORD_TIME, "when it was taken" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ "tags", RECORD_OBJECT, "tags, labels or metadata" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_snapshot = { "snapshot", snapshot_fields, "id,name,status,volume,size_gb,created" };

static const struct record_field backup_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "creating, available, restoring, deleting, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "volume", RECORD_TEXT, "volume it was made of" },
	{ "snapshot", RECORD_TEXT, "snapshot it was made of" },
	{ "size_gb", RECORD_INT, "size of the volume in GiB" },
	{ "incremental", RECORD_BOOL, "it holds only what changed since the one before" },
	{ "reason", RECORD_TEXT, "why it failed" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_backup = { "backup", backup_fields, "id,name,status,volume,size_gb,incremental,created" };
