/*
 * The row of Google Cloud in the table of drivers.
 */
#include "backends/gcp/cloud_gcp.h"


#define COMPUTE_URL "https://compute.googleapis.com"
#define COMPUTE_PATH "/compute/v1"
#define DNS_URL "https://dns.googleapis.com"
#define DNS_PATH "/dns/v1"
#define CONFIG_URL "https://config.googleapis.com"
#define CONFIG_PATH "/v1"

extern const struct cloud_driver cloud_gcp;

static const struct provider_option option_rows[] = {
	{ "project-id", "the project (default: GOOGLE_CLOUD_PROJECT, the credentials', gcloud's)", false },
	{ "zone", "where new instances are made (default: CLOUDSDK_COMPUTE_ZONE)", false },
	{ "credentials-file", "a key file, or another file of Google credentials (default: the standard places)", false },
	{ "use-metadata-service", "yes: ask the machine (Compute Engine, GKE) for credentials too", false },
	{ "endpoint", "the service's URL (default: CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE and so on, Google's)", false },
	{ "rate-limit", "at most so many requests a second (default: 20)", false },
	{ NULL, NULL, false },
};

static bool is_configured(const struct backend_context *context)
{
	struct cred_host host = cred_host_of(context);

	return cred_gcp_is_configured(&host, &(struct cred_gcp_options){ 0 });
}

static void gcp_free(struct cloud *cloud)
{
	struct gcp *g = container_of(cloud, struct gcp, base);

	http_engine_free_signer(g->engine, g->signer);
	http_engine_free_signer(g->engine, g->dns_signer);
	http_engine_free_signer(g->engine, g->config_signer);
	cred_gcp_free(g->cred);
	cred_gcp_free(g->dns_cred);
	cred_gcp_free(g->config_cred);
	free(g->base.name);
	free(g->base.region);
	free(g->zone);
	free(g->project);
	free(g->compute_url);
	free(g->dns_url);
	free(g->config_url);
	lock_destroy(&g->ratelimit.lock);
	lock_destroy(&g->lock);
	free(g);
}

static const char *setting_or(const struct cloud_settings *settings, const char *key,
			      const struct backend_context *context, const char *variable)
{
	const char *value = cloud_setting(settings, key);

	return value ? value : context->getenv(variable);
}

/* The address with the version in it, whether it was given with it (as gcloud has it) or without. */
static char *versioned_url(const char *given, const char *path)
{
	size_t len = strlen(given);

	while (len && given[len - 1] == '/')
		len--;
	if (str_ends((struct str){ given, len }, path))
		len -= strlen(path);
	return str_format("%.*s%s", (int)len, given, path);
}

static int configure(struct gcp *g, const struct backend_context *context, const struct cloud_settings *settings,
		     struct error *err)
{
	struct cred_gcp_options cred = { .credentials_file = cloud_setting(settings, "credentials-file"),
					 .is_platform_wide = true,
					 .audience = COMPUTE_URL "/" };
	const char *url = setting_or(settings, "endpoint", context, "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE");
	const char *dns = setting_or(settings, "endpoint", context, "CLOUDSDK_API_ENDPOINT_OVERRIDES_DNS");
	const char *config = setting_or(settings, "endpoint", context, "CLOUDSDK_API_ENDPOINT_OVERRIDES_CONFIG");
	struct cred_host host = cred_host_of(context);
	double rate = 20;
	int r = cloud_setting_rate(settings, "rate-limit", &rate, err);

	lock_destroy(&g->ratelimit.lock);
	ratelimit_init(&g->ratelimit, rate, 2 * rate);
	if (r == 0)
		r = cloud_setting_flag(settings, "use-metadata-service", &cred.use_metadata_service, err);
	if (r == 0)
		r = str_copy(setting_or(settings, "zone", context, "CLOUDSDK_COMPUTE_ZONE"), &g->zone, err);
	if (r == 0)
		r = str_copy(settings->region, &g->base.region, err);
	if (r == 0)
		r = str_copy(cloud_setting(settings, "project-id"), &g->project, err);
	g->compute_url = versioned_url(url && *url ? url : COMPUTE_URL, COMPUTE_PATH);
	g->dns_url = versioned_url(dns && *dns ? dns : DNS_URL, DNS_PATH);
	g->config_url = versioned_url(config && *config ? config : CONFIG_URL, CONFIG_PATH);
	if (r == 0 && (!g->compute_url || !g->dns_url || !g->config_url))
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0)
		r = cred_gcp_new(&host, &cred, &g->cred, err);
	if (r == 0)
		r = sign_bearer_new(cred_gcp_tokens(g->cred), NULL, &g->signer, err);
	cred.audience = DNS_URL "/";
	if (r == 0)
		r = cred_gcp_new(&host, &cred, &g->dns_cred, err);
	if (r == 0)
		r = sign_bearer_new(cred_gcp_tokens(g->dns_cred), NULL, &g->dns_signer, err);
	cred.audience = CONFIG_URL "/";
	if (r == 0)
		r = cred_gcp_new(&host, &cred, &g->config_cred, err);
	return r < 0 ? r : sign_bearer_new(cred_gcp_tokens(g->config_cred), NULL, &g->config_signer, err);
}

static int gcp_open(const struct backend_context *context, const struct cloud_settings *settings, struct cloud **ret,
		    struct error *err)
{
	struct gcp *g = calloc(1, sizeof *g);
	int r;

	if (!g)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	ratelimit_init(&g->ratelimit, 0, 0);
	lock_init(&g->lock);
	g->engine = context->engine;
	g->base = (struct cloud){ .driver = &cloud_gcp, .name = strdup(settings->name) };
	r = g->base.name ? configure(g, context, settings, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0) {
		gcp_free(&g->base);
		return r;
	}
	g->compute = (struct service){ .engine = g->engine, .label = "gcp-compute", .base_url = g->compute_url,
				       .signer = g->signer, .ratelimit = &g->ratelimit };
	g->dns = (struct service){ .engine = g->engine, .label = "gcp-dns", .base_url = g->dns_url, .signer = g->dns_signer,
				   .ratelimit = &g->ratelimit };
	g->config = (struct service){ .engine = g->engine, .label = "gcp-config", .base_url = g->config_url,
				      .signer = g->config_signer, .ratelimit = &g->ratelimit };
	*ret = &g->base;
	return 0;
}

int gcp_project(struct gcp *g, const char **ret, struct error *err)
{
	char *found;

	{
		LOCKED(&g->lock);
		*ret = g->project;
	}
	if (*ret)
		return 0;
	found = cred_gcp_project(g->cred); /* without the lock: it may ask the metadata server */
	if (!found)
		return error_set(err, ERR_CONFIG, "no project is set (project-id in the section, or GOOGLE_CLOUD_PROJECT)");
	LOCKED(&g->lock);
	if (g->project)
		free(found); /* another was quicker */
	else
		g->project = found;
	*ret = g->project;
	return 0;
}

static int gcp_service(struct cloud_call *call, const char *name, const struct service **ret, struct error *err)
{
	if (!strcmp(name, "compute"))
		*ret = &gcp_of(call)->compute;
	else if (!strcmp(name, "dns"))
		*ret = &gcp_of(call)->dns;
	else if (!strcmp(name, "config"))
		*ret = &gcp_of(call)->config;
	else
		return error_set(err, ERR_UNSUPPORTED, "there is no service '%s'", name);
	return 0;
}

/* "europe-west6" of "europe-west6-a" */
static int region_of(const struct gcp *g, char **ret, struct error *err)
{
	const char *dash = g->zone ? strrchr(g->zone, '-') : NULL;

	if (g->base.region)
		return str_copy(g->base.region, ret, err);
	if (!dash)
		return error_set(err, ERR_INVALID, "no region is set (--region, or zone in the section)");
	*ret = str_dup((struct str){ g->zone, (size_t)(dash - g->zone) });
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int gcp_variable(struct cloud_call *call, const char *name, char **ret, struct error *err)
{
	const char *project = NULL;
	int r;

	if (!strcmp(name, "region"))
		return region_of(gcp_of(call), ret, err);
	if (!strcmp(name, "zone"))
		return gcp_of(call)->zone ? str_copy(gcp_of(call)->zone, ret, err) :
					    error_set(err, ERR_INVALID, "parameter 'zone' is missing (--zone, zone in the section, "
									"or CLOUDSDK_COMPUTE_ZONE)");
	if (strcmp(name, "project") != 0)
		return error_set(err, ERR_INVALID, "parameter '%s' is missing", name);
	r = gcp_project(gcp_of(call), &project, err);
	return r < 0 ? r : str_copy(project, ret, err);
}

const struct cloud_driver cloud_gcp = {
	.type = "gcp",
	.summary = "Google Cloud",
	.options = option_rows,
	.is_configured = is_configured,
	.open = gcp_open,
	.free = gcp_free,
	.service = gcp_service,
	.variable = gcp_variable,
	.settle = gce_settle,
	.interfaces = { [CLOUD_COMPUTE] = &gcp_compute,
			[CLOUD_DNS] = &gcp_dns,
			[CLOUD_VOLUMES] = &gcp_volumes,
			[CLOUD_NETWORK] = &gcp_network,
			[CLOUD_STACKS] = &gcp_stacks },
};
