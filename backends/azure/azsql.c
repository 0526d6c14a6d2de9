/*
 * Databases by Azure SQL: a database stands on a logical server, which has the administrator and costs nothing itself.
 *
 * A database is named SERVER/NAME, NAME where only one server has it, or by its whole identifier. Making one makes the server
 * too where it is not there. What is called a snapshot is a restore point: the service keeps them itself; by hand they are
 * made of data warehouses only, which alone are stopped (paused), too. A restart is a failover to another replica.
 *
 * Source: learn.microsoft.com/rest/api/sql, version 2021-11-01 (read 2026-11).
 */
#include "backends/azure/azdb.h"

#include <strings.h>

#define SERVERS "Microsoft.Sql/servers"

static const struct record_word states[] = {
	{ "Online", "available" },   { "Creating", "creating" },    { "Paused", "stopped" },	 { "Pausing", "stopping" },
	{ "Resuming", "starting" },  { "Scaling", "updating" },	    { "Restoring", "creating" }, { "Copying", "creating" },
	{ "AutoClosed", "stopped" }, { "Offline", "stopped" },	    { "OfflineChangingDwPerformanceTiers", "updating" },
	{ "OnlineChangingDwPerformanceTiers", "updating" }, { "Disabled", "failed" }, { "Suspect", "failed" },
	{ "EmergencyMode", "failed" }, { "Inaccessible", "failed" }, { "Recovering", "updating" }, { "RecoveryPending", "updating" },
	{ "Shutdown", "stopped" },   { "Standby", "available" },    { "Starting", "starting" },	 { "Stopping", "stopping" },
	{ "Stopped", "stopped" },    { NULL, NULL },
};

static struct json_object *make_name(struct json_object *id)
{
	CLEANUP(freep) char *server = arm_id_piece(json_object_get_string(id), "servers");
	CLEANUP(freep) char *database = arm_id_piece(json_object_get_string(id), "databases");
	CLEANUP(freep) char *name = server && database ? str_format("%s/%s", server, database) : NULL;

	return name ? json_object_new_string(name) : NULL;
}

static struct json_object *make_host(struct json_object *id)
{
	CLEANUP(freep) char *server = arm_id_piece(json_object_get_string(id), "servers");
	CLEANUP(freep) char *host = server ? str_format("%s.database.windows.net", server) : NULL;

	return host ? json_object_new_string(host) : NULL;
}

static struct json_object *make_size(struct json_object *bytes)
{
	return json_object_new_int64(json_object_get_int64(bytes) >> 30);
}

static struct json_object *make_engine(struct json_object *id)
{
	(void)id; /* there is one only */
	return json_object_new_string("sqlserver");
}

static const struct record_source database_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "id", NULL, make_name },
	{ "status", "properties.status", states, NULL },
	{ "provider_status", "properties.status", NULL, NULL },
	{ "engine", "id", NULL, make_engine },
	{ "class", "sku.name", NULL, NULL },
	{ "size_gb", "properties.maxSizeBytes", NULL, make_size },
	{ "host", "id", NULL, make_host },
	{ "replicated", "properties.zoneRedundant", NULL, NULL },
	{ "zone", "location", NULL, NULL },
	{ "created", "properties.creationDate", NULL, NULL },
	{ "tags", "tags", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static struct json_object *make_ready(struct json_object *point)
{
	(void)point; /* one that is told can be gone back to */
	return json_object_new_string("available");
}

static struct json_object *make_kind(struct json_object *point)
{
	return json_object_new_string(json_get_string(point, "properties.restorePointLabel") ? "manual" : "automatic");
}

static const struct record_source point_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "properties.restorePointLabel|name", NULL, NULL },
	{ "status", "", NULL, make_ready },
	{ "database", "id", NULL, make_name },
	{ "engine", "id", NULL, make_engine },
	{ "kind", "", NULL, make_kind },
	{ "created", "properties.restorePointCreationDate|properties.earliestRestoreDate", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

ARM_LIST(list_servers, "sql", ARM_ALL SERVERS, "value", NULL);
ARM_LIST(list_of_server, "sql", "{+_server}/databases", "value", NULL);
ARM_GET(get_database, "sql", "{+database}", database_map, NULL);
static const struct rest_field no_fields[] = { { "no_final_snapshot", "", REST_NOWHERE }, { .place = NULL } };
ARM_CHANGE(resume, "sql", HTTP_POST, "{+database}/resume", NULL, NULL);
ARM_CHANGE(pause_row, "sql", HTTP_POST, "{+database}/pause", NULL, NULL);
ARM_CHANGE(failover, "sql", HTTP_POST, "{+database}/failover", NULL, NULL);
ARM_CHANGE(delete_database, "sql", HTTP_DELETE, "{+database}", no_fields, NULL);
ARM_LIST(list_points, "sql", "{+database}/restorePoints", "value", point_map);
ARM_GET(get_point, "sql", "{+snapshot}", point_map, NULL);
static const struct rest_field point_fields[] = { { "name", "restorePointLabel", REST_BODY }, { .place = NULL } };
ARM_CHANGE(create_point, "sql", HTTP_POST, "{+database}/restorePoints", point_fields, NULL);
static const struct rest_field gone_point[] = { { "database", "", REST_NOWHERE }, { .place = NULL } };
ARM_CHANGE(delete_point, "sql", HTTP_DELETE, "{+snapshot}", gone_point, NULL);

ARM_GET(get_server, "sql", ARM_PLACE SERVERS "/{_server_name}", NULL, NULL);
static const struct rest_field server_fields[] = {
	{ "@location", "location", REST_BODY },
	{ NULL, "properties.version", REST_BODY, "\"12.0\"" },
	{ NULL, "properties.minimalTlsVersion", REST_BODY, "\"1.2\"" },
	{ "user", "properties.administratorLogin", REST_BODY, .is_needed = true },
	{ "password", "properties.administratorLoginPassword", REST_BODY, .is_needed = true },
	{ "public", "properties.publicNetworkAccess", REST_BODY, "\"Disabled\"", "Enabled" },
	{ .place = NULL },
};
static const struct rest_row create_server = { .service = "sql", .method = HTTP_PUT, .path = ARM_PLACE SERVERS "/{_server_name}",
	.fields = server_fields, .is_later = true };
#define AT_SERVER ARM_PLACE SERVERS "/{_server_name}/databases/{_database_name}"
ARM_GET(made_database, "sql", AT_SERVER, database_map, NULL);
static const struct rest_field new_fields[] = {
	{ "@location", "location", REST_BODY },
	{ "class", "sku.name", REST_BODY },
	{ "_size_bytes", "properties.maxSizeBytes", REST_BODY },
	{ "replicated", "properties.zoneRedundant", REST_BODY },
	{ "tag", "tags", REST_BODY },
	{ "size_gb", "", REST_NOWHERE },
	{ "name", "", REST_NOWHERE },
	{ "engine", "", REST_NOWHERE },
	{ "user", "", REST_NOWHERE },
	{ "password", "", REST_NOWHERE },
	{ "public", "", REST_NOWHERE },
	{ .place = NULL },
};
ARM_CHANGE(create_database, "sql", HTTP_PUT, AT_SERVER, new_fields, NULL, .then = &made_database);

/* ---- of all servers ---- */

struct search {
	struct cloud_call *call;
	const char *server, *name; /* NULL: any */
	int (*each)(struct search *s, struct json_object *database, struct error *err);
	struct json_object **list;
	char *found;
	bool is_several;
};

static bool is_wanted(const char *wanted, const char *own)
{
	return !wanted || (own && !strcasecmp(wanted, own));
}

/* Every server has a database "master", which is its own. */
static int take_database(void *arg, struct json_object *database, struct error *err)
{
	struct search *s = arg;
	const char *name = json_get_string(database, "name");

	if (!name || !strcasecmp(name, "master") || !is_wanted(s->name, name))
		return 0;
	return s->each(s, database, err);
}

static int take_server(void *arg, struct json_object *server, struct error *err)
{
	struct search *s = arg;
	struct json_object *before = s->call->params;
	CLEANUP(json_putp) struct json_object *params = NULL;
	const char *id = json_get_string(server, "id");
	int r;

	if (!id || !is_wanted(s->server, json_get_string(server, "name")))
		return 0;
	if (json_object_deep_copy(before, &params, NULL) != 0 ||
	    json_object_object_add(params, "_server", json_object_new_string(id)) != 0)
		return error_no_memory(err);
	s->call->params = params;
	r = rest_each(s->call, &list_of_server, take_database, s, err);
	s->call->params = before;
	return r < 0 ? r : 0;
}

static int add_to_list(struct search *s, struct json_object *database, struct error *err)
{
	int r = cloud_list_add(s->call, database_map, database, s->list, err);

	return r < 0 ? r : 0;
}

static int note_found(struct search *s, struct json_object *database, struct error *err)
{
	s->is_several = s->is_several || s->found;
	return s->found ? 0 : str_copy(json_get_string(database, "id"), &s->found, err);
}

int azsql_list(struct cloud_call *call, struct json_object **list, struct error *err)
{
	struct search s = { .call = call, .each = add_to_list, .list = list };
	int r = rest_each(call, &list_servers, take_server, &s, err);

	return r < 0 ? r : 0;
}

int azsql_find(struct cloud_call *call, const char *given, char **ret_id, struct error *err)
{
	const char *slash = strchr(given, '/');
	CLEANUP(freep) char *server = slash ? str_dup((struct str){ given, (size_t)(slash - given) }) : NULL;
	struct search s = { .call = call, .server = server, .name = slash ? slash + 1 : given, .each = note_found };
	int r;

	if (*given == '/') {
		if (!strcasestr(given, "/" SERVERS "/") || !strcasestr(given, "/databases/"))
			return error_set(err, ERR_NOT_FOUND, "'%.200s' is no database of Azure SQL", given);
		return str_copy(given, ret_id, err);
	}
	r = rest_each(call, &list_servers, take_server, &s, err);
	if (r >= 0 && s.is_several)
		r = error_set(err, ERR_INVALID, "several servers have a database '%.100s': name it SERVER/NAME", given);
	else if (r >= 0 && !s.found)
		r = error_set(err, ERR_NOT_FOUND, "there is no database '%.200s'", given);
	if (r < 0) {
		free(s.found);
		return r;
	}
	*ret_id = s.found;
	return 0;
}

/* ---- making one ---- */

/* Whether the row's thing is there: 1, 0 or an error. */
static int is_there(struct cloud_call *call, const struct rest_row *row, struct error *err)
{
	CLEANUP(json_putp) struct json_object *thing = NULL;
	const struct record_shape *shape = call->shape;
	struct error absent = ERROR_INIT;
	int r;

	call->shape = NULL;
	r = rest_run(call, row, &thing, &absent);
	call->shape = shape;
	if (r == 0 || absent.kind == ERR_NOT_FOUND)
		return r == 0;
	*err = absent;
	return r;
}

static int make(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *nothing = NULL;
	const char *stray = rest_stray_param(call, &create_database);
	int r = 0;

	if (stray)
		return error_set(err, ERR_UNSUPPORTED, "%s: parameter '%s' is not supported by %s", call->operation, stray,
				 call->cloud->driver->type);
	r = is_there(call, &get_server, err);
	if (r == 0) {
		r = rest_fill(call, server_fields, &q, err); /* what is missing is told first */
		if (r == 0)
			r = rest_run(call, &create_server, &nothing, err);
		if (r < 0 && !call->is_planned)
			return r;
		*err = ERROR_INIT; /* planned: what follows is planned too */
	} else if (r > 0) {
		if (cloud_param(call, "user") || cloud_param(call, "password"))
			return error_set(err, ERR_INVALID, "the server is there already: --user and the password are its own");
		r = is_there(call, &made_database, err);
		if (r > 0)
			return error_set(err, ERR_EXISTS, "the database '%.100s' exists already", cloud_param(call, "name"));
	}
	return r < 0 && !call->is_planned ? r : rest_run(call, &create_database, ret, err);
}

int azsql_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	const char *name = cloud_param(call, "name"), *slash = strchr(name, '/');
	CLEANUP(freep) char *server = str_dup((struct str){ name, slash ? (size_t)(slash - name) : strlen(name) });
	int64_t size_gb = cloud_param_int(call, "size_gb", 0);
	struct json_object *before = call->params;
	int r;

	if (!server || json_object_deep_copy(before, &params, NULL) != 0)
		return error_no_memory(err);
	if (slash && (!*server || !slash[1] || strchr(slash + 1, '/')))
		return error_set(err, ERR_INVALID, "'%.100s' is no name (SERVER/NAME)", name);
	json_object_object_add(params, "_server_name", json_object_new_string(server));
	json_object_object_add(params, "_database_name", json_object_new_string(slash ? slash + 1 : name));
	if (size_gb)
		json_object_object_add(params, "_size_bytes", json_object_new_int64(size_gb << 30));
	call->params = params;
	r = make(call, ret, err);
	call->params = before;
	return r;
}

const struct rest_row *const azsql_rows[AZDB_VERBS] = {
	[AZDB_GET] = &get_database,	  [AZDB_START] = &resume,	[AZDB_STOP] = &pause_row,
	[AZDB_REBOOT] = &failover,	  [AZDB_DELETE] = &delete_database, [AZDB_BACKUPS] = &list_points,
	[AZDB_BACKUP] = &get_point,	  [AZDB_NEW_BACKUP] = &create_point, [AZDB_DELETE_BACKUP] = &delete_point,
};
