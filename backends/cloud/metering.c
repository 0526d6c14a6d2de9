#include "backends/cloud/metering.h"

static const struct record_field quota_fields[] = {
	{ "service", RECORD_TEXT, "compute, volume or network" },
	{ "name", RECORD_TEXT, "what is limited" },
	{ "used", RECORD_INT, "how much of it is used; none: the provider does not tell" },
	{ "limit", RECORD_INT, "how much there may be; none: as much as one likes" },
	{ "unit", RECORD_TEXT, "MiB or GiB; none: a number of things" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_quota = { "quota", quota_fields, "service,name,used,limit,unit" };
