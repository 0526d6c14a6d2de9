/*
 * The drivers of the control plane, played.
 */
#include "fake.h"

#include <stdio.h>

struct fake_clouds fake_clouds;

static int run_slot(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return fake_clouds.run(call, ret, err);
}

static const struct cloud_slot full_table = {.run = run_slot}, empty_table = {.run = NULL};

static bool is_named(const struct backend_context *context, const char *type)
{
	const char *key = context->getenv("FAKE_CLOUD_KEY");

	return key && strstr(key, type);
}

static bool has_alpha(const struct backend_context *context)
{
	return is_named(context, "alpha");
}

static bool has_beta(const struct backend_context *context)
{
	return is_named(context, "beta");
}

static struct cloud *cloud_new(const struct cloud_driver *driver, const struct cloud_settings *settings)
{
	struct cloud *c = calloc(1, sizeof *c);

	fake_clouds.opens++;
	(void)snprintf(fake_clouds.last_region, sizeof fake_clouds.last_region, "%s",
		       settings->region ? settings->region : "");
	(void)snprintf(fake_clouds.last_profile, sizeof fake_clouds.last_profile, "%s",
		       settings->profile ? settings->profile : "");
	if (c)
		*c = (struct cloud){.driver = driver, .name = strdup(settings->name)};
	return c;
}

static void cloud_end(struct cloud *cloud)
{
	free(cloud->name);
	free(cloud);
}

static int open_alpha(const struct backend_context *context, const struct cloud_settings *settings,
		      struct cloud **ret, struct error *err);
static int open_beta(const struct backend_context *context, const struct cloud_settings *settings,
		     struct cloud **ret, struct error *err);

static const struct provider_option options[] = {
	{"endpoint", "where", false},
	{"alpha-secret", "a secret", true},
	{NULL, NULL, false},
};
static const struct cloud_driver alpha = {
	.type = "alpha",
	.summary = "Alpha",
	.options = options,
	.is_configured = has_alpha,
	.open = open_alpha,
	.free = cloud_end,
	.interfaces = {[CLOUD_COMPUTE] = &full_table},
};
static const struct cloud_driver beta_full = {
	.type = "beta",
	.summary = "Beta",
	.options = options,
	.is_configured = has_beta,
	.open = open_beta,
	.free = cloud_end,
	.interfaces = {[CLOUD_COMPUTE] = &full_table},
};
static const struct cloud_driver beta_empty = {
	.type = "gamma",
	.summary = "Gamma, which can do nothing",
	.options = options,
	.is_configured = has_beta,
	.open = open_beta,
	.free = cloud_end,
	.interfaces = {[CLOUD_COMPUTE] = &empty_table},
};

static int open_alpha(const struct backend_context *context, const struct cloud_settings *settings,
		      struct cloud **ret, struct error *err)
{
	(void)context;
	*ret = cloud_new(&alpha, settings);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int open_beta(const struct backend_context *context, const struct cloud_settings *settings,
		     struct cloud **ret, struct error *err)
{
	(void)context;
	*ret = cloud_new(&beta_full, settings);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

const struct cloud_driver *const cloud_drivers[] = {&alpha, &beta_full, &beta_empty, NULL};

const struct cloud_driver *cloud_driver_find(const char *type)
{
	for (size_t i = 0; cloud_drivers[i]; i++)
		if (!strcmp(cloud_drivers[i]->type, type))
			return cloud_drivers[i];
	return NULL;
}

bool cloud_driver_knows(const char *type, const char *key)
{
	const struct cloud_driver *d = cloud_driver_find(type);

	for (const struct provider_option *o = d ? d->options : NULL; o && o->key; o++)
		if (!strcmp(o->key, key))
			return true;
	return false;
}

int cloud_driver_open(const struct cloud_driver *driver, const struct backend_context *context,
		      const struct cloud_settings *settings, struct cloud **ret, struct error *err)
{
	return driver->open(context, settings, ret, err);
}
