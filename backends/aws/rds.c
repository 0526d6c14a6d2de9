/*
 * Databases by RDS: instances and their snapshots.
 *
 * Source: docs.aws.amazon.com/AmazonRDS/latest/APIReference, version 2014-10-31 (read 2026-11).
 */
#include "backends/aws/cloud_aws.h"

#include "backends/base/xml_json.h"

#define RDS_ACTION(name) { NULL, "Action", REST_FORM, name }, { NULL, "Version", REST_FORM, "2014-10-31" }
#define RDS_AT(action) action "Response." action "Result."
#define RDS(var, fields_, ...) \
	static const struct rest_row var = { .service = "rds", .method = HTTP_POST, .path = "/", .fields = fields_, __VA_ARGS__ }
#define RDS_LIST(var, action, place, map, fields_) \
	RDS(var, fields_, .is_read = true, .items = RDS_AT(action) place, .record = map, \
	    .page = &(const struct rest_page){ REST_PAGE_TOKEN, REST_FORM, "Marker", RDS_AT(action) "Marker", "MaxRecords", 100, 20 })
/* What gives back the one instance or snapshot that it is about. */
#define RDS_CHANGE(var, action, what, map, fields_) \
	RDS(var, fields_, .is_strict = true, .item = RDS_AT(action) what, .record = map)

static const struct record_word states[] = {
	{ "creating", "creating" },	  { "available", "available" },	 { "starting", "starting" },
	{ "stopping", "stopping" },	  { "stopped", "stopped" },	 { "rebooting", "rebooting" },
	{ "backing-up", "backing-up" },	  { "deleting", "deleting" },	 { "failed", "failed" },
	{ "modifying", "updating" },	  { "upgrading", "updating" },	 { "renaming", "updating" },
	{ "maintenance", "updating" },	  { "storage-optimization", "available" },
	{ "storage-config-upgrade", "updating" }, { "configuring-enhanced-monitoring", "updating" },
	{ "configuring-iam-database-auth", "updating" }, { "configuring-log-exports", "updating" },
	{ "converting-to-vpc", "updating" }, { "moving-to-vpc", "updating" }, { "resetting-master-credentials", "updating" },
	{ "delete-precheck", "deleting" }, { "storage-full", "failed" }, { "storage-initialization", "available" },
	{ "insufficient-capacity", "failed" }, { "incompatible-network", "failed" }, { "incompatible-parameters", "failed" },
	{ "incompatible-option-group", "failed" }, { "incompatible-restore", "failed" }, { "incompatible-credentials", "failed" },
	{ "inaccessible-encryption-credentials", "failed" }, { "restore-error", "failed" }, { NULL, NULL },
};
static const struct record_word snapshot_states[] = {
	{ "creating", "creating" }, { "available", "available" }, { "deleting", "deleting" }, { "failed", "failed" },
	{ "copying", "creating" },  { NULL, NULL },
};
static const struct record_word kinds[] = {
	{ "manual", "manual" }, { "automated", "automatic" }, { "awsbackup", "automatic" }, { NULL, NULL },
};

static struct json_object *make_tags(struct json_object *database)
{
	return record_tags(json_get(database, "TagList.Tag"), "Key", "Value");
}

static const struct record_source database_map[] = {
	{ "id", "DBInstanceIdentifier", NULL, NULL },
	{ "name", "DBInstanceIdentifier", NULL, NULL },
	{ "status", "DBInstanceStatus", states, NULL },
	{ "provider_status", "DBInstanceStatus", NULL, NULL },
	{ "engine", "Engine", NULL, NULL },
	{ "version", "EngineVersion", NULL, NULL },
	{ "class", "DBInstanceClass", NULL, NULL },
	{ "size_gb", "AllocatedStorage", NULL, NULL },
	{ "host", "Endpoint.Address", NULL, NULL },
	{ "port", "Endpoint.Port", NULL, NULL },
	{ "user", "MasterUsername", NULL, NULL },
	{ "public", "PubliclyAccessible", NULL, NULL },
	{ "replicated", "MultiAZ", NULL, NULL },
	{ "zone", "AvailabilityZone", NULL, NULL },
	{ "created", "InstanceCreateTime", NULL, NULL },
	{ "tags", "", NULL, make_tags },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source snapshot_map[] = {
	{ "id", "DBSnapshotIdentifier", NULL, NULL },
	{ "name", "DBSnapshotIdentifier", NULL, NULL },
	{ "status", "Status", snapshot_states, NULL },
	{ "provider_status", "Status", NULL, NULL },
	{ "database", "DBInstanceIdentifier", NULL, NULL },
	{ "engine", "Engine", NULL, NULL },
	{ "size_gb", "AllocatedStorage", NULL, NULL },
	{ "kind", "SnapshotType", kinds, NULL },
	{ "created", "SnapshotCreateTime", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static const struct rest_field all_databases[] = { RDS_ACTION("DescribeDBInstances"), { .place = NULL } };
RDS_LIST(list_databases, "DescribeDBInstances", "DBInstances.DBInstance", database_map, all_databases);
static const struct rest_field one_database[] = {
	RDS_ACTION("DescribeDBInstances"),
	{ "database", "DBInstanceIdentifier", REST_FORM },
	{ .place = NULL },
};
RDS(get_database, one_database, .is_read = true, .item = RDS_AT("DescribeDBInstances") "DBInstances.DBInstance",
    .record = database_map);
static const struct rest_field new_database[] = {
	RDS_ACTION("CreateDBInstance"),
	{ "name", "DBInstanceIdentifier", REST_FORM },
	{ "engine", "Engine", REST_FORM },
	{ "version", "EngineVersion", REST_FORM },
	{ "class", "DBInstanceClass", REST_FORM },
	{ "size_gb", "AllocatedStorage", REST_FORM, .is_needed = true },
	{ "user", "MasterUsername", REST_FORM, .is_needed = true },
	{ "password", "MasterUserPassword", REST_FORM },
	{ "managed_password", "ManageMasterUserPassword", REST_FORM },
	{ "initial", "DBName", REST_FORM },
	{ "public", "PubliclyAccessible", REST_FORM, "false" },
	{ "replicated", "MultiAZ", REST_FORM },
	{ "backup_days", "BackupRetentionPeriod", REST_FORM },
	{ "storage_type", "StorageType", REST_FORM },
	{ "zone", "AvailabilityZone", REST_FORM },
	{ "subnet_group", "DBSubnetGroupName", REST_FORM },
	{ "security_group", "VpcSecurityGroupIds.VpcSecurityGroupId.#", REST_FORM },
	{ NULL, "StorageEncrypted", REST_FORM, "true" },
	{ "tag", "Tags.Tag.#", REST_FORM },
	{ .place = NULL },
};
RDS_CHANGE(create_database, "CreateDBInstance", "DBInstance", database_map, new_database);
static const struct rest_field start_fields[] = {
	RDS_ACTION("StartDBInstance"),
	{ "database", "DBInstanceIdentifier", REST_FORM },
	{ .place = NULL },
};
RDS_CHANGE(start_database, "StartDBInstance", "DBInstance", database_map, start_fields);
static const struct rest_field stop_fields[] = {
	RDS_ACTION("StopDBInstance"),
	{ "database", "DBInstanceIdentifier", REST_FORM },
	{ .place = NULL },
};
RDS_CHANGE(stop_database, "StopDBInstance", "DBInstance", database_map, stop_fields);
static const struct rest_field reboot_fields[] = {
	RDS_ACTION("RebootDBInstance"),
	{ "database", "DBInstanceIdentifier", REST_FORM },
	{ .place = NULL },
};
RDS_CHANGE(reboot_database, "RebootDBInstance", "DBInstance", database_map, reboot_fields);
static const struct rest_field gone_fields[] = {
	RDS_ACTION("DeleteDBInstance"),
	{ "database", "DBInstanceIdentifier", REST_FORM },
	{ "no_final_snapshot", "SkipFinalSnapshot", REST_FORM, "false" },
	{ "final_snapshot", "FinalDBSnapshotIdentifier", REST_FORM },
	{ .place = NULL },
};
RDS(delete_database, gone_fields, .is_strict = true);

static const struct rest_field all_snapshots[] = {
	RDS_ACTION("DescribeDBSnapshots"),
	{ "database", "DBInstanceIdentifier", REST_FORM },
	{ .place = NULL },
};
RDS_LIST(list_snapshots, "DescribeDBSnapshots", "DBSnapshots.DBSnapshot", snapshot_map, all_snapshots);
static const struct rest_field one_snapshot[] = {
	RDS_ACTION("DescribeDBSnapshots"),
	{ "snapshot", "DBSnapshotIdentifier", REST_FORM },
	{ "database", "DBInstanceIdentifier", REST_FORM },
	{ .place = NULL },
};
RDS(get_snapshot, one_snapshot, .is_read = true, .item = RDS_AT("DescribeDBSnapshots") "DBSnapshots.DBSnapshot",
    .record = snapshot_map);
static const struct rest_field new_snapshot[] = {
	RDS_ACTION("CreateDBSnapshot"),
	{ "name", "DBSnapshotIdentifier", REST_FORM },
	{ "database", "DBInstanceIdentifier", REST_FORM },
	{ .place = NULL },
};
RDS_CHANGE(create_snapshot, "CreateDBSnapshot", "DBSnapshot", snapshot_map, new_snapshot);
static const struct rest_field gone_snapshot[] = {
	RDS_ACTION("DeleteDBSnapshot"),
	{ "snapshot", "DBSnapshotIdentifier", REST_FORM },
	{ "database", "", REST_NOWHERE },
	{ .place = NULL },
};
RDS(delete_snapshot, gone_snapshot, .is_strict = true);

static int databases_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	bool has_password = cloud_param(call, "password"), is_managed = cloud_param_bool(call, "managed_password", false);

	if (has_password && is_managed)
		return error_set(err, ERR_INVALID, "parameters 'password' and 'managed_password' exclude each other");
	if (!has_password && !is_managed)
		return error_set(err, ERR_INVALID, "parameter 'password' is missing (--password-file, SKYDIR_DATABASE_PASSWORD, or "
						   "--managed-password)");
	return rest_run(call, &create_database, ret, err);
}

/* What becomes of the data must be said: a database is deleted with all that it holds. */
static int databases_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	bool has_snapshot = cloud_param(call, "final_snapshot"), is_without = cloud_param_bool(call, "no_final_snapshot", false);

	if (has_snapshot == is_without)
		return error_set(err, ERR_INVALID, "say --final-snapshot NAME to keep what it holds, or --no-final-snapshot");
	return rest_run(call, &delete_database, ret, err);
}

const struct database_ops aws_databases = {
	.databases_list = { .row = &list_databases },
	.databases_get = { .row = &get_database },
	.databases_create = { .run = databases_create },
	.databases_start = { .row = &start_database },
	.databases_stop = { .row = &stop_database },
	.databases_reboot = { .row = &reboot_database },
	.databases_delete = { .run = databases_delete },
	.snapshots_list = { .row = &list_snapshots },
	.snapshots_get = { .row = &get_snapshot },
	.snapshots_create = { .row = &create_snapshot },
	.snapshots_delete = { .row = &delete_snapshot },
};
