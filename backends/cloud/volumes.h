#pragma once
/*
 * Purpose: disks that are not an instance's own: volumes, their snapshots and backups; what every driver does, and how its
 *	records look.
 *
 * The parameters of each slot are those of its row in control/ops_volumes.c, named here after the slot. Status is one
 * vocabulary (see the shapes); the provider's word stands in provider_status.
 */
#include "backends/cloud/cloud.h"

struct volume_ops {
	struct cloud_slot volumes_list;
	struct cloud_slot volumes_get;	  /* volume: an id, or a name that only one has */
	struct cloud_slot volumes_create; /* name, size_gb; optional: type, zone, snapshot, image, description, tag (map) */
	struct cloud_slot volumes_delete; /* volume */
	struct cloud_slot volumes_extend; /* volume, size_gb */
	struct cloud_slot volumes_attach; /* volume, instance, device */
	/* volume, instance (control finds the only one when it was not given) */
	struct cloud_slot volumes_detach;
	struct cloud_slot snapshots_list;
	struct cloud_slot snapshots_get;    /* snapshot */
	struct cloud_slot snapshots_create; /* name, volume; optional: description, force, tag */
	struct cloud_slot snapshots_delete; /* snapshot */
	struct cloud_slot backups_list;
	struct cloud_slot backups_get;	   /* backup */
	struct cloud_slot backups_create;  /* name, volume; optional: snapshot, description, incremental, force */
	struct cloud_slot backups_restore; /* backup, volume (that is overwritten) or name (of a new one): gives the volume */
	struct cloud_slot backups_delete;  /* backup */
};

extern const struct record_shape shape_volume, shape_snapshot, shape_backup;
