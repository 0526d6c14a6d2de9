#pragma once
/*
 * Purpose: virtual machines: what every compute driver does, and how its records look.
 *
 * The parameters of each slot are those of its row in control/ops_compute.c; they are named here, after the slot.
 * Status is one vocabulary: creating, running, stopping, stopped, restarting, suspended, deleting, deleted, error, and
 * "unknown" for a provider's word that is none of its own documented ones; the provider's word stands in
 * provider_status.
 */
#include "backends/cloud/cloud.h"

struct compute_ops {
	/* Instances. list: -; get: instance (an id, or a name that only one has). */
	struct cloud_slot instances_list, instances_get;
	/* name, image, flavor; and optional: keypair, network (list), security_group (list), zone, user_data, tag (map),
	 * disk_gb. Gives the new instance's record. */
	struct cloud_slot instances_create;
	/* instance. They give the record as it stands after the provider took the request, or nothing. */
	struct cloud_slot instances_start, instances_stop, instances_delete;
	struct cloud_slot instances_reboot;  /* instance, mode (soft, hard) */
	struct cloud_slot instances_console; /* instance, lines: {instance, output} */
	struct cloud_slot images_list;	     /* name (part of it), owner */
	struct cloud_slot images_get;	     /* image */
	struct cloud_slot flavors_list;	     /* zone */
	struct cloud_slot keypairs_list;
	struct cloud_slot keypairs_create; /* name, public_key (text; without it the provider makes one: private_key) */
	struct cloud_slot keypairs_delete; /* name */
	struct cloud_slot zones_list;
};

extern const struct record_shape shape_instance, shape_image, shape_flavor, shape_keypair, shape_zone_of_cloud,
	shape_console;

/* What a console wrote, of at most so many of its last lines (0: all). */
struct str compute_last_lines(struct str text, int64_t lines);
/* "user_data" of the call in base64; *ret NULL when there is none. */
int compute_user_data(const struct cloud_call *call, char **ret, struct error *err) MUST_CHECK;
