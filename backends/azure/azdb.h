#pragma once
/*
 * Purpose: what the kinds of databases of Azure share: azdb.c asks which one a name is of. Private to backends/azure.
 * Threads: any.
 */
#include "backends/azure/arm_rows.h"

/* What is done with one: rows of {+database} (its identifier), of a backup {+snapshot}. */
enum azdb_verb {
	AZDB_GET, AZDB_START, AZDB_STOP, AZDB_REBOOT, AZDB_DELETE, AZDB_BACKUPS, AZDB_BACKUP, AZDB_NEW_BACKUP, AZDB_DELETE_BACKUP, AZDB_VERBS
};

/* azsql.c: databases of logical servers */
extern const struct rest_row *const azsql_rows[AZDB_VERBS];
/* Adds them all to the list. */
int azsql_list(struct cloud_call *call, struct json_object **list, struct error *err) MUST_CHECK;
/* By SERVER/NAME, NAME or identifier; a heap string. */
int azsql_find(struct cloud_call *call, const char *given, char **ret_id, struct error *err) MUST_CHECK;
int azsql_create(struct cloud_call *call, struct json_object **ret, struct error *err) MUST_CHECK;
