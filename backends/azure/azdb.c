/*
 * Databases by Azure: flexible servers of PostgreSQL and of MySQL, each a service of its own with the same paths; and Azure SQL
 * (azsql.c), which is another.
 *
 * A server is named by its whole identifier, GROUP/NAME or NAME, whichever it is of. Making one of a name that is there
 * would change that one: so it is looked for first. Backups by hand are kept beside the daily ones.
 *
 * Source: learn.microsoft.com/rest/api/postgresql (2024-08-01), /rest/api/mysql/flexibleserver (2023-12-30) (read 2026-11).
 */
#include "backends/azure/azdb.h"

#include <strings.h>

#define POSTGRES_KIND "Microsoft.DBforPostgreSQL/flexibleServers"
#define MYSQL_KIND    "Microsoft.DBforMySQL/flexibleServers"

static const struct record_word states[] = {
	{ "Ready", "available" },     { "Stopped", "stopped" },	     { "Starting", "starting" },   { "Stopping", "stopping" },
	{ "Dropping", "deleting" },   { "Disabled", "failed" },	     { "Updating", "updating" },   { "Restarting", "rebooting" },
	{ "Provisioning", "creating" }, { "Inaccessible", "failed" }, { NULL, NULL },
};

static struct json_object *make_engine(struct json_object *id)
{
	return json_object_new_string(strcasestr(json_object_get_string(id), "/" MYSQL_KIND "/") ? "mysql" : "postgres");
}

static struct json_object *make_public(struct json_object *access)
{
	return json_object_new_boolean(!strcasecmp(json_object_get_string(access), "Enabled"));
}

static struct json_object *make_replicated(struct json_object *mode)
{
	return json_object_new_boolean(strcasecmp(json_object_get_string(mode), "Disabled") != 0);
}

static const struct record_source database_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "properties.state", states, NULL },
	{ "provider_status", "properties.state", NULL, NULL },
	{ "engine", "id", NULL, make_engine },
	{ "version", "properties.version", NULL, NULL },
	{ "class", "sku.name", NULL, NULL },
	{ "size_gb", "properties.storage.storageSizeGB", NULL, NULL },
	{ "host", "properties.fullyQualifiedDomainName", NULL, NULL },
	{ "user", "properties.administratorLogin", NULL, NULL },
	{ "public", "properties.network.publicNetworkAccess", NULL, make_public },
	{ "replicated", "properties.highAvailability.mode", NULL, make_replicated },
	{ "zone", "location", NULL, NULL },
	{ "created", "systemData.createdAt", NULL, NULL },
	{ "tags", "tags", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* ".../flexibleServers/shop/backups/monday" is of "shop". */
static struct json_object *make_owner(struct json_object *id)
{
	CLEANUP(freep) char *name = arm_id_piece(json_object_get_string(id), "flexibleServers");

	return name ? json_object_new_string(name) : NULL;
}

static struct json_object *make_backup_status(struct json_object *backup)
{
	const char *state = json_get_string(backup, "properties.provisioningState");

	if (state && !strcasecmp(state, "Failed"))
		return json_object_new_string("failed");
	return json_object_new_string(json_get_string(backup, "properties.completedTime") ? "available" : "creating");
}

static struct json_object *make_kind(struct json_object *backup)
{
	const char *type = json_get_string(backup, "properties.backupType"), *source = json_get_string(backup, "properties.source");
	bool is_ours = (type && strcasestr(type, "On-Demand")) || (source && strcasestr(source, "Customer")) ||
		       (source && strcasestr(source, "On-Demand"));

	return json_object_new_string(is_ours ? "manual" : "automatic");
}

static const struct record_source backup_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "", NULL, make_backup_status },
	{ "provider_status", "properties.provisioningState", NULL, NULL },
	{ "database", "id", NULL, make_owner },
	{ "engine", "id", NULL, make_engine },
	{ "kind", "", NULL, make_kind },
	{ "created", "properties.completedTime", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

ARM_LIST(list_postgres, "postgres", ARM_ALL POSTGRES_KIND, "value", database_map);
ARM_LIST(list_mysql, "mysql", ARM_ALL MYSQL_KIND, "value", database_map);
ARM_KIND(a_postgres, "database", list_postgres, "/" POSTGRES_KIND "/");
ARM_KIND(a_mysql, "database", list_mysql, "/" MYSQL_KIND "/");
/* Rows of both: the service is put in (on). */
ARM_GET(get_row, NULL, "{+database}", database_map, NULL);
ARM_LIST(backups_row, NULL, "{+database}/backups", "value", backup_map);
ARM_GET(backup_row, NULL, "{+snapshot}", backup_map, NULL);
static const struct rest_field no_fields[] = { { "name", "", REST_NOWHERE }, { .place = NULL } };
ARM_CHANGE(start_row, NULL, HTTP_POST, "{+database}/start", NULL, NULL);
ARM_CHANGE(stop_row, NULL, HTTP_POST, "{+database}/stop", NULL, NULL);
ARM_CHANGE(reboot_row, NULL, HTTP_POST, "{+database}/restart", NULL, NULL);
static const struct rest_field gone_fields[] = { { "no_final_snapshot", "", REST_NOWHERE }, { .place = NULL } };
ARM_CHANGE(delete_row, NULL, HTTP_DELETE, "{+database}", gone_fields, NULL);
ARM_CHANGE(new_backup_row, NULL, HTTP_PUT, "{+database}/backups/{name}", no_fields, NULL);
static const struct rest_field gone_backup_fields[] = { { "database", "", REST_NOWHERE }, { .place = NULL } };
ARM_CHANGE(delete_backup_row, NULL, HTTP_DELETE, "{+snapshot}", gone_backup_fields, NULL);
static const struct rest_field new_fields[] = {
	{ "@location", "location", REST_BODY },
	{ "engine", "", REST_NOWHERE },
	{ "class", "sku.name", REST_BODY },
	{ "_tier", "sku.tier", REST_BODY },
	{ NULL, "properties.createMode", REST_BODY, "\"Create\"" },
	{ "version", "properties.version", REST_BODY, .is_needed = true },
	{ "user", "properties.administratorLogin", REST_BODY, .is_needed = true },
	{ "password", "properties.administratorLoginPassword", REST_BODY, .is_needed = true },
	{ "size_gb", "properties.storage.storageSizeGB", REST_BODY },
	{ "backup_days", "properties.backup.backupRetentionDays", REST_BODY },
	{ "public", "properties.network.publicNetworkAccess", REST_BODY, "\"Disabled\"", "Enabled" },
	{ "replicated", "properties.highAvailability.mode", REST_BODY, "\"Disabled\"", "ZoneRedundant" },
	{ "zone", "properties.availabilityZone", REST_BODY },
	{ "tag", "tags", REST_BODY },
	{ .place = NULL },
};
ARM_CHANGE(create_row, NULL, HTTP_PUT, NULL, new_fields, NULL);

static const struct rest_row *const flexible_rows[AZDB_VERBS] = {
	[AZDB_GET] = &get_row,	      [AZDB_START] = &start_row,	 [AZDB_STOP] = &stop_row,
	[AZDB_REBOOT] = &reboot_row,  [AZDB_DELETE] = &delete_row,	 [AZDB_BACKUPS] = &backups_row,
	[AZDB_BACKUP] = &backup_row,  [AZDB_NEW_BACKUP] = &new_backup_row, [AZDB_DELETE_BACKUP] = &delete_backup_row,
};
static const struct engine {
	const char *name, *service, *part, *path, *backup_part;
	const struct rest_row *list; /* NULL: Azure SQL, which is asked otherwise */
	const struct rest_kind *kind;
	const struct rest_row *const *rows;
} engines[] = {
	{ "postgres", "postgres", "/" POSTGRES_KIND "/", ARM_PLACE POSTGRES_KIND "/{name}", "/backups/", &list_postgres, &a_postgres,
	  flexible_rows },
	{ "mysql", "mysql", "/" MYSQL_KIND "/", ARM_PLACE MYSQL_KIND "/{name}", "/backups/", &list_mysql, &a_mysql, flexible_rows },
	{ "sqlserver", "sql", "/Microsoft.Sql/servers/", NULL, "/restorePoints/", NULL, NULL, azsql_rows },
};

/* The row on one of the services, with one parameter put in the place of what was given (NULL: none). */
static int on(struct cloud_call *call, const struct engine *engine, const struct rest_row *row, const char *param, const char *value,
	      struct json_object **ret, struct error *err)
{
	struct rest_row own = *row;

	own.service = engine->service;
	return param ? rest_run_with(call, &own, param, json_object_new_string(value), ret, err) : rest_run(call, &own, ret, err);
}

/* By identifier, or by a name that only one of all has. */
static int find(struct cloud_call *call, const char *given, const struct engine **ret, char **ret_id, struct error *err)
{
	CLEANUP(freep) char *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		struct error why = ERROR_INIT;
		char *id = NULL;
		int r;

		if (*given == '/' && !strcasestr(given, engines[i].part))
			continue;
		r = engines[i].list ? rest_find(call, engines[i].kind, given, &id, NULL, &why) : azsql_find(call, given, &id, &why);
		if (r < 0 && why.kind != ERR_NOT_FOUND) {
			*err = why;
			return r;
		}
		if (r < 0)
			continue;
		if (found) {
			free(id);
			return error_set(err, ERR_INVALID, "there are several databases '%.100s': name it by its identifier", given);
		}
		found = id;
		*ret = &engines[i];
	}
	if (!found && *given == '/')
		return error_set(err, ERR_INVALID, "'%.200s' is no identifier of a database", given);
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "there is no database '%.200s'", given);
	*ret_id = steal(found);
	return 0;
}

static int databases_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *all = json_object_new_array();

	for (size_t i = 0; all && i < ARRAY_SIZE(engines); i++) {
		CLEANUP(json_putp) struct json_object *some = NULL;
		int r = engines[i].list ? rest_run(call, engines[i].list, &some, err) : azsql_list(call, &all, err);

		if (r < 0)
			return r;
		for (size_t k = 0; some && k < json_object_array_length(some); k++)
			json_object_array_add(all, json_object_get(json_object_array_get_idx(some, k)));
	}
	if (!all)
		return error_no_memory(err);
	*ret = steal(all);
	return 0;
}

static int databases_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const struct engine *engine = NULL;
	CLEANUP(freep) char *id = NULL;
	int r = find(call, cloud_param(call, "database"), &engine, &id, err);

	return r < 0 ? r : on(call, engine, engine->rows[AZDB_GET], "database", id, ret, err);
}

/* The change, to its end; then what has become of it. */
static int change(struct cloud_call *call, enum azdb_verb verb, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *nothing = NULL;
	const struct engine *engine = NULL;
	CLEANUP(freep) char *id = NULL;
	int r = find(call, cloud_param(call, "database"), &engine, &id, err);

	if (r == 0)
		r = on(call, engine, engine->rows[verb], "database", id, &nothing, err);
	return r < 0 || verb == AZDB_DELETE ? r : on(call, engine, engine->rows[AZDB_GET], "database", id, ret, err);
}

static int databases_start(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return change(call, AZDB_START, ret, err);
}

static int databases_stop(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return change(call, AZDB_STOP, ret, err);
}

static int databases_reboot(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return change(call, AZDB_REBOOT, ret, err);
}

static int databases_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return change(call, AZDB_DELETE, ret, err);
}

/* "Standard_B1ms" is burstable; what is not known is told by the service. */
static const char *tier_of(const char *class)
{
	const char *size = strchr(class, '_');

	switch (size ? size[1] : '\0') {
	case 'B':
		return "Burstable";
	case 'E':
		return "MemoryOptimized";
	default:
		return "GeneralPurpose";
	}
}

static int databases_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *there = NULL;
	CLEANUP(json_putp) struct json_object *nothing = NULL;
	const char *name = cloud_param(call, "engine"), *stray;
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	const struct engine *engine = NULL;
	struct error absent = ERROR_INIT;
	CLEANUP(freep) char *path = NULL;
	struct rest_row own = create_row, look = get_row;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(engines); i++)
		if (!strcmp(name, engines[i].name))
			engine = &engines[i];
	if (!engine)
		return error_set(err, ERR_INVALID, "parameter 'engine' must be postgres, mysql or sqlserver on Azure, not '%.40s'", name);
	if (!engine->list)
		return azsql_create(call, ret, err);
	own.path = look.path = engine->path;
	stray = rest_stray_param(call, &own);
	if (stray)
		return error_set(err, ERR_UNSUPPORTED, "%s: parameter '%s' is not supported by %s", call->operation, stray,
				 call->cloud->driver->type);
	r = rest_path(call, engine->path, &path, err);
	if (r == 0)
		r = rest_fill(call, new_fields, &q, err); /* what is missing is told before anything is asked */
	if (r < 0)
		return r;
	if (on(call, engine, &look, NULL, NULL, &there, &absent) == 0)
		return error_set(err, ERR_EXISTS, "the database '%.100s' exists already", cloud_param(call, "name"));
	if (absent.kind != ERR_NOT_FOUND) {
		*err = absent;
		return -error_errnum(absent.kind);
	}
	r = on(call, engine, &own, "_tier", tier_of(cloud_param(call, "class")), &nothing, err);
	return r < 0 ? r : on(call, engine, &look, NULL, NULL, ret, err);
}

/* ---- backups ---- */

struct gathering {
	struct cloud_call *call;
	const struct engine *engine;
	struct json_object *list;
};

static int add_backups(struct gathering *g, const char *id, struct error *err)
{
	CLEANUP(json_putp) struct json_object *some = NULL;
	int r = on(g->call, g->engine, g->engine->rows[AZDB_BACKUPS], "database", id, &some, err);

	for (size_t i = 0; r == 0 && i < json_object_array_length(some); i++)
		json_object_array_add(g->list, json_object_get(json_object_array_get_idx(some, i)));
	return r;
}

static int take_server(void *arg, struct json_object *server, struct error *err)
{
	const char *id = json_get_string(server, "id");

	return id ? add_backups(arg, id, err) : 0;
}

/* Of all databases of Azure SQL. */
static int add_all_points(struct gathering *g, struct error *err)
{
	CLEANUP(json_putp) struct json_object *databases = json_object_new_array();
	struct cloud_call look = *g->call;
	int r;

	look.shape = &shape_database;
	r = databases ? azsql_list(&look, &databases, err) : error_no_memory(err);
	for (size_t i = 0; r == 0 && i < json_object_array_length(databases); i++)
		r = take_server(g, json_object_array_get_idx(databases, i), err);
	return r;
}

static int snapshots_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	struct gathering g = { call, NULL, list };
	const char *given = cloud_param(call, "database");
	CLEANUP(freep) char *id = NULL;
	int r = list ? 0 : error_no_memory(err);

	if (r == 0 && given) {
		r = find(call, given, &g.engine, &id, err);
		if (r == 0)
			r = add_backups(&g, id, err);
	} else {
		for (size_t i = 0; i < ARRAY_SIZE(engines) && r == 0; i++) {
			g.engine = &engines[i];
			r = engines[i].list ? rest_each(call, engines[i].list, take_server, &g, err) : add_all_points(&g, err);
		}
	}
	if (r < 0)
		return r;
	*ret = steal(list);
	return 0;
}

/* The identifier of a backup: what was given, or made of it and the server's. */
static int find_backup(struct cloud_call *call, const struct engine **ret, char **ret_id, struct error *err)
{
	const char *given = cloud_param(call, "snapshot"), *database = cloud_param(call, "database");
	CLEANUP(freep) char *server = NULL;
	int r;

	for (size_t i = 0; *given == '/' && i < ARRAY_SIZE(engines); i++)
		if (strcasestr(given, engines[i].part) && strcasestr(given, engines[i].backup_part)) {
			*ret = &engines[i];
			return str_copy(given, ret_id, err);
		}
	if (*given == '/' || strchr(given, '/'))
		return error_set(err, ERR_INVALID, "'%.200s' is no identifier of a backup", given);
	if (!database)
		return error_set(err, ERR_INVALID, "parameter 'database' is missing (a backup's name is told apart within its server)");
	r = find(call, database, ret, &server, err);
	if (r < 0)
		return r;
	*ret_id = str_format("%s%s%s", server, (*ret)->backup_part, given);
	return *ret_id ? 0 : error_no_memory(err);
}

static int snapshots_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const struct engine *engine = NULL;
	CLEANUP(freep) char *id = NULL;
	int r = find_backup(call, &engine, &id, err);

	return r < 0 ? r : on(call, engine, engine->rows[AZDB_BACKUP], "snapshot", id, ret, err);
}

static int snapshots_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const struct engine *engine = NULL;
	CLEANUP(freep) char *id = NULL;
	int r = find_backup(call, &engine, &id, err);

	return r < 0 ? r : on(call, engine, engine->rows[AZDB_DELETE_BACKUP], "snapshot", id, ret, err);
}

/* The restore point with that label, the newest of several: the service gives it a name of its own. */
static int find_labelled(struct cloud_call *call, const struct engine *engine, const char *id, const char *label, struct json_object **ret,
			 struct error *err)
{
	CLEANUP(json_putp) struct json_object *points = NULL;
	int r = on(call, engine, engine->rows[AZDB_BACKUPS], "database", id, &points, err);

	for (size_t i = r == 0 ? json_object_array_length(points) : 0; i > 0; i--) {
		struct json_object *one = json_object_array_get_idx(points, i - 1);
		const char *name = json_get_string(one, "name");

		if (name && !strcmp(name, label)) {
			*ret = json_object_get(one);
			return 0;
		}
	}
	return r < 0 ? r : error_set(err, ERR_PROTOCOL, "the restore point '%.100s' is not there though it was made", label);
}

static int snapshots_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *nothing = NULL;
	const struct engine *engine = NULL;
	CLEANUP(freep) char *id = NULL;
	CLEANUP(freep) char *made = NULL;
	int r = find(call, cloud_param(call, "database"), &engine, &id, err);

	if (r == 0)
		r = on(call, engine, engine->rows[AZDB_NEW_BACKUP], "database", id, &nothing, err);
	if (r < 0)
		return r;
	if (!engine->list)
		return find_labelled(call, engine, id, cloud_param(call, "name"), ret, err);
	made = str_format("%s/backups/%s", id, cloud_param(call, "name"));
	return made ? on(call, engine, &backup_row, "snapshot", made, ret, err) : error_no_memory(err);
}

const struct database_ops azure_databases = {
	.databases_list = { .run = databases_list },
	.databases_get = { .run = databases_get },
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
