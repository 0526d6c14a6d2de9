/*
 * Purpose: the operations on databases: rows; the drivers do them (backends/cloud/databases.h).
 */
#include "backends/cloud/databases.h"
#include "control/op.h"

#define DATABASE(slot_name) .interface = CLOUD_DATABASES, .slot = offsetof(struct database_ops, slot_name)

static const char *const available[] = {"available", NULL};
static const char *const stopped[] = {"stopped", NULL};
static const char *const failed[] = {"failed", NULL};
static const struct op_wait wait_created = {"databases.get", "", "status", available, failed};
static const struct op_wait wait_running = {"databases.get", "database", "status", available, failed};
static const struct op_wait wait_stopped = {"databases.get", "database", "status", stopped, failed};
static const struct op_wait wait_gone = {"databases.get", "database", "status", NULL, failed};
static const struct op_wait wait_snapshot = {"databases.snapshots.get", "", "status", available, failed};
static const struct op_wait wait_snapshot_gone = {"databases.snapshots.get", "snapshot", "status", NULL, failed};

#define DATABASE_PARAM {"database", OP_STRING, true, 512, "name or identifier", .position = 1, .completes = "databases.list"}
#define OF_DATABASE(required) {"database", OP_STRING, required, 512, "database, by name or identifier", .completes = "databases.list"}
#define SNAPSHOT {"snapshot", OP_STRING, true, 512, "name or identifier", .position = 1}

static const struct op_param database_params[] = {DATABASE_PARAM, OP_PARAM_END};
static const struct op_param create_params[] = {
	{"name", OP_STRING, true, 98, "name", .position = 1},
	{"engine", OP_STRING, true, 64, "postgres, mysql, sqlserver, or what the provider has beside them", .position = 2},
	{"class", OP_STRING, true, 64, "size of the machine, as the provider names it: db.t4g.micro, db-custom-1-3840, Standard_B1ms"},
	{"version", OP_STRING, false, 32, "version of the engine"},
	{"size_gb", OP_INT, false, 65536, "storage in GiB", .min = 1},
	{"user", OP_STRING, false, 128, "name of its administrator"},
	{"password", OP_STRING, false, 128, "file with the administrator's password (or SKYDIR_DATABASE_PASSWORD)", .is_secret = true,
	 .variable = "SKYDIR_DATABASE_PASSWORD"},
	{"managed_password", OP_BOOL, false, 0, "the provider makes a password and keeps it (AWS: Secrets Manager)"},
	{"initial", OP_STRING, false, 64, "name of a first database in it (AWS)"},
	{"public", OP_BOOL, false, 0, "give it an address in the internet"},
	{"network", OP_STRING, false, 512, "network in which it has its own address (Google)"},
	{"subnet_group", OP_STRING, false, 255, "group of subnets in which it stands (AWS)"},
	{"security_group", OP_LIST, false, 128, "security group, by identifier; may be repeated (AWS)"},
	{"zone", OP_STRING, false, 64, "availability zone"},
	{"replicated", OP_BOOL, false, 0, "a second one stands by in another zone"},
	{"backup_days", OP_INT, false, 365, "days for which daily backups are kept"},
	{"storage_type", OP_STRING, false, 64, "kind of storage, as the provider names it"},
	{"tag", OP_MAP, false, 256, "tag or label; may be repeated"},
	OP_PARAM_END,
};
static const struct op_param delete_params[] = {
	DATABASE_PARAM,
	{"final_snapshot", OP_STRING, false, 255, "name of a snapshot that is taken first"},
	{"no_final_snapshot", OP_BOOL, false, 0, "what it holds is lost (AWS wants it said)"},
	OP_PARAM_END,
};
static const struct op_param snapshot_list_params[] = {OF_DATABASE(false), OP_PARAM_END};
static const struct op_param snapshot_params[] = {SNAPSHOT, OF_DATABASE(false), OP_PARAM_END};
static const struct op_param snapshot_create_params[] = {
	{"name", OP_STRING, true, 255, "name", .position = 1},
	OF_DATABASE(true),
	OP_PARAM_END,
};

/* A file ends with a line feed, a password does not. */
static int read_password(struct json_object *params, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *password = json_get_string(params, "password");
	size_t len = password ? strcspn(password, "\r\n") : 0;

	if (!password) {
		*ret = json_object_get(params);
		return 0;
	}
	if (!len || strspn(password + len, "\r\n") != strlen(password + len))
		return error_set(err, ERR_INVALID, "parameter 'password' must be one line");
	if (json_object_deep_copy(params, &o, NULL) != 0 ||
	    json_object_object_add(o, "password", json_object_new_string_len(password, (int)len)) != 0)
		return error_no_memory(err);
	*ret = steal(o);
	return 0;
}

extern const struct op database_op_rows[];
const struct op database_op_rows[] = {
	{.name = "databases.list",
	 .summary = "list the database servers",
	 .result = OP_ITEMS,
	 .shape = &shape_database,
	 DATABASE(databases_list)},
	{.name = "databases.get",
	 .summary = "show a database server",
	 .params = database_params,
	 .result = OP_ONE,
	 .shape = &shape_database,
	 DATABASE(databases_get)},
	{.name = "databases.create",
	 .summary = "make a database server",
	 .risk = OP_CHANGE,
	 .params = create_params,
	 .result = OP_ONE,
	 .shape = &shape_database,
	 .wait = &wait_created,
	 .prepare = read_password,
	 .example = "skydir databases create shop postgres --class db.t4g.micro --size-gb 20 --user shop --password-file pw --wait",
	 DATABASE(databases_create)},
	{.name = "databases.start",
	 .summary = "start a database server that was stopped",
	 .risk = OP_CHANGE,
	 .params = database_params,
	 .result = OP_ONE,
	 .shape = &shape_database,
	 .wait = &wait_running,
	 DATABASE(databases_start)},
	{.name = "databases.stop",
	 .summary = "stop a database server; what it holds stays",
	 .risk = OP_CHANGE,
	 .params = database_params,
	 .result = OP_ONE,
	 .shape = &shape_database,
	 .wait = &wait_stopped,
	 DATABASE(databases_stop)},
	{.name = "databases.reboot",
	 .summary = "start a database server anew",
	 .risk = OP_CHANGE,
	 .params = database_params,
	 .result = OP_ONE,
	 .shape = &shape_database,
	 .wait = &wait_running,
	 DATABASE(databases_reboot)},
	{.name = "databases.delete",
	 .summary = "delete a database server and all that it holds",
	 .risk = OP_DESTROY,
	 .params = delete_params,
	 .wait = &wait_gone,
	 .example = "skydir databases delete shop --final-snapshot shop-end --wait",
	 DATABASE(databases_delete)},
	{.name = "databases.snapshots.list",
	 .summary = "list the snapshots or backups, of one server or of all",
	 .params = snapshot_list_params,
	 .result = OP_ITEMS,
	 .shape = &shape_database_snapshot,
	 DATABASE(snapshots_list)},
	{.name = "databases.snapshots.get",
	 .summary = "show a snapshot",
	 .params = snapshot_params,
	 .result = OP_ONE,
	 .shape = &shape_database_snapshot,
	 DATABASE(snapshots_get)},
	{.name = "databases.snapshots.create",
	 .summary = "take a snapshot of a database server",
	 .risk = OP_CHANGE,
	 .params = snapshot_create_params,
	 .result = OP_ONE,
	 .shape = &shape_database_snapshot,
	 .wait = &wait_snapshot,
	 .example = "skydir databases snapshots create monday --database shop --wait",
	 DATABASE(snapshots_create)},
	{.name = "databases.snapshots.delete",
	 .summary = "delete a snapshot",
	 .risk = OP_DESTROY,
	 .params = snapshot_params,
	 .wait = &wait_snapshot_gone,
	 DATABASE(snapshots_delete)},
	{.name = NULL},
};
