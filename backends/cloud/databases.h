#pragma once
/*
 * Purpose: database servers that a cloud runs: what every driver does, and how its records look.
 *
 * The parameters of each slot are those of its row in control/ops_databases.c, named here after the slot. Status is one
 * vocabulary (see the shapes); the provider's word stands in provider_status. A password goes into the request and nowhere
 * else.
 */
#include "backends/cloud/cloud.h"

struct database_ops {
	struct cloud_slot databases_list;
	struct cloud_slot databases_get; /* database: its name or identifier */
	/* name, engine, class; optional: version, size_gb, user, password, managed_password, initial, public, replicated,
	 * backup_days, storage_type, zone, subnet_group, security_group (list), network, tag (map). It is under way when it
	 * returns. */
	struct cloud_slot databases_create;
	struct cloud_slot databases_start, databases_stop, databases_reboot; /* database */
	/* database; final_snapshot (a name) or no_final_snapshot, where the provider takes one */
	struct cloud_slot databases_delete;
	struct cloud_slot snapshots_list;   /* optional: database */
	struct cloud_slot snapshots_get;    /* snapshot; optional: database, where a snapshot is one's own */
	struct cloud_slot snapshots_create; /* name, database */
	struct cloud_slot snapshots_delete; /* snapshot; optional: database */
};

extern const struct record_shape shape_database, shape_database_snapshot;
