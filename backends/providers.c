#include "backends/providers.h"
#include "backends/local/local_provider.h"
#include <string.h>

extern const struct provider provider_s3; /* backends/aws/aws.c */

/* In the order in which `skydir doctor` and the help show them. */
const struct provider *const providers[] = {
	&provider_local,
	&provider_s3,
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

int provider_store_new(const struct backend_context *context, const char *type, const char *name,
		       const struct provider_value *values, size_t count, struct store **ret,
		       struct error *err)
{
	const struct provider *p = provider_find(type);

	if (!p)
		return error_set(err, ERR_CONFIG, "store '%s': there is no type '%s'", name, type);
	for (size_t i = 0; i < count; i++)
		if (!has_option(p, values[i].key))
			return error_set(err, ERR_CONFIG, "%s: stores of type '%s' know no '%s'",
					 values[i].origin ? values[i].origin : name, type,
					 values[i].key);
	return p->store_new(context, name, values, count, ret, err);
}
