/*
 * Purpose: what a project may use of a provider and does use: rows; the drivers do them (backends/cloud/metering.h). What skydir
 *	itself caused: ops_usage.c.
 */
#include "backends/cloud/metering.h"
#include "control/op.h"

static const char *const services[] = {"compute", "volume", "network", NULL};
static const struct op_param quota_params[] = {
	{"service", OP_ENUM, false, 0, "only of this service", .choices = services},
	OP_PARAM_END,
};

extern const struct op metering_op_rows[];
const struct op metering_op_rows[] = {
	{.name = "quotas.list",
	 .summary = "what may be used of each resource, and how much of it is",
	 .params = quota_params,
	 .example = "skydir quotas list --service volume",
	 .result = OP_ITEMS,
	 .shape = &shape_quota,
	 .interface = CLOUD_METERING,
	 .slot = offsetof(struct metering_ops, quotas_list)},
	{.name = NULL},
};
