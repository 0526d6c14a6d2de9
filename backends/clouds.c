#include "backends/clouds.h"

#include "backends/providers.h"

extern const struct cloud_driver cloud_aws;	   /* backends/aws/cloud_aws.c */
extern const struct cloud_driver cloud_azure;	   /* backends/azure/cloud_azure.c */
extern const struct cloud_driver cloud_gcp;	   /* backends/gcp/cloud_gcp.c */
extern const struct cloud_driver cloud_openstack;  /* backends/openstack/openstack_cloud.c */
extern const struct cloud_driver cloud_infomaniak; /* backends/infomaniak/infomaniak_cloud.c */
extern const struct cloud_driver cloud_infomaniak_domains; /* backends/infomaniak/infomaniak_domains.c */
extern const struct cloud_driver cloud_coda; /* backends/coda/coda_cloud.c */
extern const struct cloud_driver cloud_infomaniak_newsletter; /* backends/infomaniak/newsletter_cloud.c */

/* In the order in which help and tables show them. */
const struct cloud_driver *const cloud_drivers[] = {
	&cloud_openstack,
	&cloud_infomaniak,
	&cloud_infomaniak_domains,
	&cloud_infomaniak_newsletter,
	&cloud_aws,
	&cloud_gcp,
	&cloud_azure,
	&cloud_coda,
	NULL,
};

const struct cloud_driver *cloud_driver_find(const char *type)
{
	for (size_t i = 0; cloud_drivers[i]; i++)
		if (!strcmp(cloud_drivers[i]->type, type))
			return cloud_drivers[i];
	return NULL;
}

static bool has_option(const struct cloud_driver *d, const char *key)
{
	for (const struct provider_option *o = d->options; o->key; o++)
		if (!strcmp(o->key, key))
			return true;
	return false;
}

bool cloud_driver_knows(const char *type, const char *key)
{
	const struct cloud_driver *d = cloud_driver_find(type);

	return d && has_option(d, key);
}

int cloud_driver_open(const struct cloud_driver *driver, const struct backend_context *context,
		      const struct cloud_settings *settings, struct cloud **ret, struct error *err)
{
	CLEANUP(freep) struct provider_value *own = calloc(settings->count + 1, sizeof(*own));
	struct cloud_settings mine = *settings;

	if (!own)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	mine.values = own;
	mine.count = 0;
	for (size_t i = 0; i < settings->count; i++) {
		const struct provider_value *v = &settings->values[i];

		if (has_option(driver, v->key))
			own[mine.count++] = *v;
		else if (!provider_knows(driver->type, v->key)) /* one section may be a store too */
			return error_set(err, ERR_CONFIG, "%s: sections of type '%s' know no '%s'",
					 v->origin ? v->origin : settings->name, driver->type, v->key);
	}
	return driver->open(context, &mine, ret, err);
}
