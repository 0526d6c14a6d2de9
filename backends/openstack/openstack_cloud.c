/*
 * The row of OpenStack in the table of drivers.
 */
#include "backends/openstack/openstack.h"

extern const struct cloud_driver cloud_openstack;

static bool is_configured(const struct backend_context *context)
{
	return openstack_is_configured(KEYSTONE_STANDARD, context);
}

static int open_cloud(const struct backend_context *context, const struct cloud_settings *settings, struct cloud **ret,
		      struct error *err)
{
	return openstack_open(&cloud_openstack, KEYSTONE_STANDARD, context, settings, ret, err);
}

const struct cloud_driver cloud_openstack = {
	.type = "openstack",
	.summary = "OpenStack",
	.options = openstack_option_rows,
	.is_configured = is_configured,
	.open = open_cloud,
	.free = openstack_free,
	.service = openstack_service,
	.variable = openstack_variable,
	.interfaces = { [CLOUD_COMPUTE] = &openstack_compute,
			[CLOUD_DNS] = &openstack_dns,
			[CLOUD_VOLUMES] = &openstack_volumes,
			[CLOUD_NETWORK] = &openstack_network,
			[CLOUD_IDENTITY] = &openstack_identity,
			[CLOUD_METERING] = &openstack_metering,
			[CLOUD_STACKS] = &openstack_stacks },
};
