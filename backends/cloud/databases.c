#include "backends/cloud/databases.h"

static const struct record_field database_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "creating, available, starting, stopping, stopped, rebooting, updating, backing-up, deleting, failed or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "engine", RECORD_TEXT, "postgres, mysql, sqlserver, ..." },
	{ "version", RECORD_TEXT, "version of the engine" },
	{ "class", RECORD_TEXT, "size of the machine, as the provider names it" },
	{ "size_gb", RECORD_INT, "storage in GiB" },
	{ "host", RECORD_TEXT, "where it answers" },
	{ "port", RECORD_INT, "and at which port" },
	{ "user", RECORD_TEXT, "its administrator" },
	{ "public", RECORD_BOOL, "it has an address in the internet" },
	{ "replicated", RECORD_BOOL, "a second one stands by" },
	{ "zone", RECORD_TEXT, "zone or region" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "tags", RECORD_OBJECT, "tags or labels" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_database = { "database", database_fields, "name,status,engine,version,class,size_gb,host" };

static const struct record_field snapshot_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "creating, available, deleting, failed or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "database", RECORD_TEXT, "whose it is" },
	{ "engine", RECORD_TEXT, "postgres, mysql, sqlserver, ..." },
	{ "size_gb", RECORD_INT, "size in GiB" },
	{ "kind", RECORD_TEXT, "manual or automatic, or as the provider says" },
	{ "created", RECORD_TIME, "when it was made" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_database_snapshot = { "database snapshot", snapshot_fields, "id,name,database,status,kind,created" };
