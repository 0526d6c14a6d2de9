/*
 * Databases by Cloud SQL. What changes something begins an operation; with --wait it is polled to its end, since its error stands
 * nowhere else, and a restart shows in no state. A backup is named INSTANCE/NUMBER here: its own number is told apart within
 * its instance only.
 *
 * Source: cloud.google.com/sql/docs/mysql/admin-api/rest, v1 (read 2026-11).
 */
#include "backends/gcp/cloud_gcp.h"

#include <ctype.h>

#define POLL_FIRST_MS 500
#define POLL_MOST_MS  5000
#define INSTANCES     "projects/{project}/instances"

static struct json_object *make_status(struct json_object *instance)
{
	static const struct record_word states[] = {
		{ "RUNNABLE", "available" }, { "PENDING_CREATE", "creating" }, { "PENDING_DELETE", "deleting" },
		{ "MAINTENANCE", "updating" }, { "ONLINE_MAINTENANCE", "available" }, { "REPAIRING", "updating" },
		{ "FAILED", "failed" }, { "SUSPENDED", "failed" }, { NULL, NULL },
	};
	const char *state = json_get_string(instance, "state"), *policy = json_get_string(instance, "settings.activationPolicy");

	if (state && !strcmp(state, "RUNNABLE") && policy && !strcmp(policy, "NEVER"))
		return json_object_new_string("stopped");
	for (const struct record_word *w = states; state && w->theirs; w++)
		if (!strcmp(w->theirs, state))
			return json_object_new_string(w->ours);
	return json_object_new_string("unknown");
}

/* "POSTGRES_16" as "postgres" and "16" */
static struct json_object *make_engine(struct json_object *version)
{
	const char *text = json_object_get_string(version);
	CLEANUP(freep) char *engine = str_dup((struct str){ text, strcspn(text, "_") });

	for (char *c = engine; c && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return engine ? json_object_new_string(engine) : NULL;
}

static struct json_object *make_version(struct json_object *version)
{
	const char *text = json_object_get_string(version), *rest = strchr(text, '_');
	CLEANUP(freep) char *number = rest ? strdup(rest + 1) : NULL;

	for (char *c = number; c && *c; c++)
		if (*c == '_')
			*c = '.';
	return number ? json_object_new_string(number) : NULL;
}

/* The address in the internet when there is one, else the other. */
static struct json_object *make_host(struct json_object *addresses)
{
	const char *found = NULL;

	for (size_t i = 0; json_object_is_type(addresses, json_type_array) && i < json_object_array_length(addresses); i++) {
		struct json_object *one = json_object_array_get_idx(addresses, i);
		const char *type = json_get_string(one, "type"), *ip = json_get_string(one, "ipAddress");

		if (ip && type && (!found || !strcmp(type, "PRIMARY")) && strcmp(type, "OUTGOING") != 0)
			found = ip;
	}
	return found ? json_object_new_string(found) : NULL;
}

static struct json_object *make_replicated(struct json_object *type)
{
	return json_object_new_boolean(!strcmp(json_object_get_string(type), "REGIONAL"));
}

static const struct record_source database_map[] = {
	{ "id", "name", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "", NULL, make_status },
	{ "provider_status", "state", NULL, NULL },
	{ "engine", "databaseVersion", NULL, make_engine },
	{ "version", "databaseVersion", NULL, make_version },
	{ "class", "settings.tier", NULL, NULL },
	{ "size_gb", "settings.dataDiskSizeGb", NULL, NULL },
	{ "host", "ipAddresses", NULL, make_host },
	{ "public", "settings.ipConfiguration.ipv4Enabled", NULL, NULL },
	{ "replicated", "settings.availabilityType", NULL, make_replicated },
	{ "zone", "gceZone|region", NULL, NULL },
	{ "created", "createTime", NULL, NULL },
	{ "tags", "settings.userLabels", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static struct json_object *make_backup_id(struct json_object *backup)
{
	const char *instance = json_get_string(backup, "instance"), *id = json_get_string(backup, "id");
	CLEANUP(freep) char *text = instance && id ? str_format("%s/%s", instance, id) : NULL;

	return text ? json_object_new_string(text) : NULL;
}

static const struct record_word backup_states[] = {
	{ "ENQUEUED", "creating" }, { "RUNNING", "creating" }, { "SUCCESSFUL", "available" }, { "FAILED", "failed" },
	{ "SKIPPED", "failed" }, { "OVERDUE", "creating" }, { "DELETION_PENDING", "deleting" },
	{ "DELETION_FAILED", "failed" }, { "DELETED", "deleted" }, { NULL, NULL },
};
static const struct record_word kinds[] = { { "ON_DEMAND", "manual" }, { "AUTOMATED", "automatic" }, { NULL, NULL } };
static const struct record_source backup_map[] = {
	{ "id", "", NULL, make_backup_id },
	{ "name", "description", NULL, NULL },
	{ "status", "status", backup_states, NULL },
	{ "provider_status", "status", NULL, NULL },
	{ "database", "instance", NULL, NULL },
	{ "engine", "databaseVersion", NULL, make_engine },
	{ "kind", "type", kinds, NULL },
	{ "created", "startTime|enqueuedTime", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static const struct rest_page page = { REST_PAGE_TOKEN, REST_QUERY, "pageToken", "nextPageToken", "maxResults", 500 };
static const struct rest_row list_databases = { .service = "sql", .path = INSTANCES, .items = "items", .record = database_map,
	.page = &page };
static const struct rest_row get_database = { .service = "sql", .path = INSTANCES "/{database}", .item = "", .record = database_map };
static const struct rest_row get_operation = { .service = "sql", .path = "projects/{project}/operations/{_operation}", .item = "" };
static const struct rest_field new_fields[] = {
	{ "name", "name", REST_BODY },
	{ "@region", "region", REST_BODY },
	{ "_version", "databaseVersion", REST_BODY },
	{ "engine", "", REST_NOWHERE },
	{ "version", "", REST_NOWHERE, .is_needed = true },
	{ "password", "rootPassword", REST_BODY, .is_needed = true },
	{ "class", "settings.tier", REST_BODY },
	{ NULL, "settings.activationPolicy", REST_BODY, "\"ALWAYS\"" },
	{ "size_gb", "settings.dataDiskSizeGb", REST_BODY },
	{ "storage_type", "settings.dataDiskType", REST_BODY },
	{ "replicated", "settings.availabilityType", REST_BODY, "\"ZONAL\"", "REGIONAL" },
	{ "public", "settings.ipConfiguration.ipv4Enabled", REST_BODY, "false" },
	{ "network", "settings.ipConfiguration.privateNetwork", REST_BODY },
	{ "zone", "settings.locationPreference.zone", REST_BODY },
	{ NULL, "settings.backupConfiguration.enabled", REST_BODY, "true" },
	{ "backup_days", "settings.backupConfiguration.backupRetentionSettings.retainedBackups", REST_BODY },
	{ "tag", "settings.userLabels", REST_BODY },
	{ .place = NULL },
};
static const struct rest_row create_database = { .service = "sql", .method = HTTP_POST, .path = INSTANCES, .fields = new_fields,
	.item = "", .is_strict = true };
static const struct rest_field start_fields[] = {
	{ NULL, "settings.activationPolicy", REST_BODY, "\"ALWAYS\"" },
	{ .place = NULL },
};
static const struct rest_field stop_fields[] = {
	{ NULL, "settings.activationPolicy", REST_BODY, "\"NEVER\"" },
	{ .place = NULL },
};
static const struct rest_row start_database = { .service = "sql", .method = HTTP_PATCH, .path = INSTANCES "/{database}",
	.fields = start_fields, .item = "", .is_strict = true, .is_idempotent = true };
static const struct rest_row stop_database = { .service = "sql", .method = HTTP_PATCH, .path = INSTANCES "/{database}",
	.fields = stop_fields, .item = "", .is_strict = true, .is_idempotent = true };
static const struct rest_row reboot_database = { .service = "sql", .method = HTTP_POST, .path = INSTANCES "/{database}/restart",
	.item = "", .is_strict = true };
static const struct rest_field gone_fields[] = {
	{ "final_snapshot", "enableFinalBackup", REST_QUERY, .format = "true" },
	{ "final_snapshot", "finalBackupDescription", REST_QUERY },
	{ "no_final_snapshot", "", REST_NOWHERE },
	{ .place = NULL },
};
static const struct rest_row delete_database = { .service = "sql", .method = HTTP_DELETE, .path = INSTANCES "/{database}",
	.fields = gone_fields, .item = "", .is_strict = true };
static const struct rest_row list_backups = { .service = "sql", .path = INSTANCES "/{_instance}/backupRuns", .items = "items",
	.record = backup_map, .page = &page };
static const struct rest_row get_backup = { .service = "sql", .path = INSTANCES "/{_instance}/backupRuns/{_backup}", .item = "",
	.record = backup_map };
static const struct rest_field backup_fields[] = { { "name", "description", REST_BODY }, { .place = NULL } };
static const struct rest_row create_backup = { .service = "sql", .method = HTTP_POST, .path = INSTANCES "/{database}/backupRuns",
	.fields = backup_fields, .item = "", .is_strict = true };
static const struct rest_row delete_backup = { .service = "sql", .method = HTTP_DELETE,
	.path = INSTANCES "/{_instance}/backupRuns/{_backup}", .item = "" };

/* ---- operations ---- */

static int judge(struct json_object *operation, struct error *err)
{
	const char *code = json_get_string(operation, "error.errors.0.code");

	return json_get(operation, "error") ? service_fault(code, json_get_string(operation, "error.errors.0.message"), err) : 0;
}

/* *operation is what began it, and at the end what it came to. */
static int wait_for(struct cloud_call *call, struct json_object **operation, struct error *err)
{
	CLEANUP(freep) char *name = NULL;
	uint64_t pause_ms = POLL_FIRST_MS;
	int r = str_copy(json_get_string(*operation, "name"), &name, err);

	if (r == 0 && !name)
		return error_set(err, ERR_PROTOCOL, "%s: the service answers without an operation", call->operation);
	while (r == 0) {
		const char *status = json_get_string(*operation, "status");
		struct json_object *next = NULL;

		if (status && !strcmp(status, "DONE"))
			return judge(*operation, err);
		cloud_progress(call, "%s: %s", call->operation, status ? status : "?");
		r = cloud_sleep(call, pause_ms, err);
		pause_ms = pause_ms * 3 / 2 < POLL_MOST_MS ? pause_ms * 3 / 2 : POLL_MOST_MS;
		if (r == 0)
			r = rest_run_raw_with(call, &get_operation, "_operation", name, &next, err);
		if (r == 0) {
			json_object_put(*operation);
			*operation = next;
		}
	}
	return r;
}

static int change(struct cloud_call *call, const struct rest_row *row, struct json_object **ret_operation, struct error *err)
{
	int r = rest_run_raw(call, row, NULL, ret_operation, err);

	if (r == 0)
		r = judge(*ret_operation, err);
	return r == 0 && cloud_param_bool(call, "wait", false) ? wait_for(call, ret_operation, err) : r;
}

/* Changes an instance and shows what has become of it. */
static int change_database(struct cloud_call *call, const struct rest_row *row, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *operation = NULL;
	const char *name = cloud_param(call, "database") ? cloud_param(call, "database") : cloud_param(call, "name");
	int r = change(call, row, &operation, err);

	return r < 0 ? r : rest_run_with(call, &get_database, "database", json_object_new_string(name), ret, err);
}

static int databases_start(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return change_database(call, &start_database, ret, err);
}

static int databases_stop(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return change_database(call, &stop_database, ret, err);
}

static int databases_reboot(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return change_database(call, &reboot_database, ret, err);
}

static int databases_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *operation = NULL;

	(void)ret; /* there is nothing left to show */
	if (cloud_param(call, "final_snapshot") && cloud_param_bool(call, "no_final_snapshot", false))
		return error_set(err, ERR_INVALID, "parameters 'final_snapshot' and 'no_final_snapshot' exclude each other");
	return change(call, &delete_database, &operation, err);
}

/* "postgres" and "16" as "POSTGRES_16" */
static int databases_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	const char *version = cloud_param(call, "version");
	CLEANUP(freep) char *name = str_format("%s_%s", cloud_param(call, "engine"), version ? version : "");
	struct json_object *before = call->params;
	int r;

	for (char *c = name; c && *c; c++)
		*c = (char)(isalnum((unsigned char)*c) ? toupper((unsigned char)*c) : '_');
	if (!name || json_object_deep_copy(before, &params, NULL) != 0 ||
	    json_object_object_add(params, "_version", version ? json_object_new_string(name) : NULL) != 0)
		return error_no_memory(err);
	call->params = params;
	r = change_database(call, &create_database, ret, err);
	call->params = before;
	return r;
}

/* ---- backups ---- */

/* Runs a row with "INSTANCE/NUMBER" of `snapshot` taken apart, or with only an instance ("-": all). */
static int with_backup(struct cloud_call *call, const struct rest_row *row, const char *instance, const char *backup,
		       struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	struct json_object *before = call->params;
	int r;

	if (json_object_deep_copy(before, &params, NULL) != 0 ||
	    json_object_object_add(params, "_instance", json_object_new_string(instance)) != 0 ||
	    (backup && json_object_object_add(params, "_backup", json_object_new_string(backup)) != 0))
		return error_no_memory(err);
	call->params = params;
	r = row == &delete_backup ? change(call, row, ret, err) : rest_run(call, row, ret, err);
	call->params = before;
	return r;
}

static int with_snapshot(struct cloud_call *call, const struct rest_row *row, struct json_object **ret, struct error *err)
{
	const char *given = cloud_param(call, "snapshot"), *slash = strchr(given, '/'), *database = cloud_param(call, "database");
	CLEANUP(freep) char *instance = slash ? str_dup((struct str){ given, (size_t)(slash - given) }) : str_dup(str_of(database ? database : ""));
	const char *number = slash ? slash + 1 : given;

	if (!instance)
		return error_no_memory(err);
	if (!*instance || !*number || strspn(number, "0123456789") != strlen(number))
		return error_set(err, ERR_INVALID, "'%.100s' is no backup of Cloud SQL (INSTANCE/NUMBER, as `databases snapshots list` shows it)", given);
	if (database && strcmp(database, instance) != 0)
		return error_set(err, ERR_INVALID, "the backup '%.100s' is not one of '%.100s'", given, database);
	return with_backup(call, row, instance, number, ret, err);
}

static int snapshots_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *database = cloud_param(call, "database");

	return with_backup(call, &list_backups, database ? database : "-", NULL, ret, err);
}

static int snapshots_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return with_snapshot(call, &get_backup, ret, err);
}

static int snapshots_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *operation = NULL;

	(void)ret; /* there is nothing left to show */
	return with_snapshot(call, &delete_backup, &operation, err);
}

/* The operation says which number the backup has. */
static int snapshots_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *operation = NULL;
	const char *number;
	int r = change(call, &create_backup, &operation, err);

	if (r < 0)
		return r;
	number = json_get_string(operation, "backupContext.backupId");
	if (!number)
		return error_set(err, ERR_PROTOCOL, "%s: the service does not say which backup it is", call->operation);
	return with_backup(call, &get_backup, cloud_param(call, "database"), number, ret, err);
}

const struct database_ops gcp_databases = {
	.databases_list = { .row = &list_databases },
	.databases_get = { .row = &get_database },
	.databases_create = { .run = databases_create },
	.databases_start = { .run = databases_start },
	.databases_stop = { .run = databases_stop },
	.databases_reboot = { .run = databases_reboot },
	.databases_delete = { .run = databases_delete },
	.snapshots_list = { .run = snapshots_list },
	.snapshots_get = { .run = snapshots_get },
	.snapshots_create = { .run = snapshots_create },
	.snapshots_delete = { .run = snapshots_delete },
};
