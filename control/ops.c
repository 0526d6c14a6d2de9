/*
 * All tables of operations, in the order in which help shows their resources.
 */
#include "control/op.h"

extern const struct op mount_ops[];	 /* ops_mount.c */
extern const struct op compute_op_rows[]; /* ops_compute.c */
extern const struct op storage_op_rows[]; /* ops_storage.c */
extern const struct op dns_op_rows[];	 /* ops_dns.c */
extern const struct op volume_op_rows[];   /* ops_volumes.c */
extern const struct op network_op_rows[];  /* ops_network.c */
extern const struct op balancer_op_rows[]; /* ops_balancers.c */
extern const struct op identity_op_rows[]; /* ops_identity.c */
extern const struct op stack_op_rows[];	   /* ops_stacks.c */
extern const struct op function_op_rows[]; /* ops_functions.c */
extern const struct op database_op_rows[]; /* ops_databases.c */
extern const struct op coda_op_rows[];	 /* ops_coda.c */
extern const struct op coda_table_op_rows[]; /* ops_coda_tables.c */
extern const struct op newsletter_op_rows[]; /* ops_newsletter.c */
extern const struct op metering_op_rows[]; /* ops_metering.c */
extern const struct op usage_op_rows[];	 /* ops_usage.c */
extern const struct op meta_ops[];	 /* ops_meta.c */

const struct op *const op_tables[] = {
	mount_ops,
	storage_op_rows,
	compute_op_rows,
	volume_op_rows,
	network_op_rows,
	balancer_op_rows,
	dns_op_rows,
	stack_op_rows,
	function_op_rows,
	database_op_rows,
	identity_op_rows,
	coda_op_rows,
	coda_table_op_rows,
	newsletter_op_rows,
	metering_op_rows,
	usage_op_rows,
	meta_ops,
	NULL,
};
