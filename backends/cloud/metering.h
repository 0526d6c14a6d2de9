#pragma once
/*
 * Purpose: what a project may use of a provider's resources, and how much of it it does; what drivers do and how records look.
 *
 * What skydir itself caused is counted elsewhere (control/meter.h).
 */
#include "backends/cloud/cloud.h"

struct metering_ops {
	struct cloud_slot quotas_list; /* optional: service */
};

extern const struct record_shape shape_quota;
