#include "backends/providers.h"
#include "backends/clouds.h"
#include "backends/local/local_provider.h"
#include <string.h>

extern const struct provider provider_s3;    /* backends/aws/aws.c */
extern const struct provider provider_gcs;   /* backends/gcp/gcp.c */
extern const struct provider provider_azure; /* backends/azure/azure.c */
extern const struct provider provider_swift; /* backends/openstack/swift_provider.c */
extern const struct provider provider_infomaniak; /* infomaniak_store.c */
extern const struct provider provider_coda;  /* backends/coda/coda_store.c */

/* In the order in which `skydir doctor` and the help show them. */
const struct provider *const providers[] = {
	&provider_local,
	&provider_s3,
	&provider_gcs,
	&provider_azure,
	&provider_swift,
	&provider_infomaniak,
	&provider_coda,
	NULL,
};

const struct provider *provider_find(const char *type)
{
	for (size_t i = 0; providers[i]; i++)
		if (!strcmp(providers[i]->type, type))
			return providers[i];
	return NULL;
}

static bool has_option(const struct provider *p, const char *key)
{
	for (const struct provider_option *o = p->options; o->key; o++)
		if (!strcmp(o->key, key))
			return true;
	return false;
}

/* The values that are the store's, in *ret (the caller's): a section may hold its driver's too (clouds.h). */
static int own_values(const struct provider *p, const char *name, const struct provider_value *values, size_t count,
		      struct provider_value **ret, size_t *ret_count, struct error *err)
{
	CLEANUP(freep) struct provider_value *own = calloc(count + 1, sizeof(*own));
	size_t at = 0;

	if (!own)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		if (has_option(p, values[i].key))
			own[at++] = values[i];
		else if (!cloud_driver_knows(p->type, values[i].key))
			return error_set(err, ERR_CONFIG, "%s: stores of type '%s' know no '%s'",
					 values[i].origin ? values[i].origin : name, p->type,
					 values[i].key);
	}
	*ret = steal(own);
	*ret_count = at;
	return 0;
}

int provider_store_new(const struct backend_context *context, const char *type, const char *name,
		       const struct provider_value *values, size_t count, struct store **ret,
		       struct error *err)
{
	CLEANUP(freep) struct provider_value *own = NULL;
	const struct provider *p = provider_find(type);
	size_t own_count = 0;
	int r;

	if (!p)
		return error_set(err, ERR_CONFIG, "store '%s': there is no type '%s'", name, type);
	r = own_values(p, name, values, count, &own, &own_count, err);
	return r < 0 ? r : p->store_new(context, name, own, own_count, ret, err);
}

bool provider_knows(const char *type, const char *key)
{
	const struct provider *p = provider_find(type);

	return p && has_option(p, key);
}
