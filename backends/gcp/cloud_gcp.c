/*
 * The row of Google Cloud in the table of drivers.
 */
#include "backends/gcp/cloud_gcp.h"


extern const struct cloud_driver cloud_gcp;

/* `variable` is what follows CLOUDSDK_API_ENDPOINT_OVERRIDES_, `path` the version that stands in every address. */
static const struct {
	const char *name, *label, *url, *path, *variable;
} service_rows[GCP_SERVICES] = {
	[GCP_COMPUTE] = { "compute", "gcp-compute", "https://compute.googleapis.com", "/compute/v1", "COMPUTE" },
	[GCP_DNS] = { "dns", "gcp-dns", "https://dns.googleapis.com", "/dns/v1", "DNS" },
	[GCP_CONFIG] = { "config", "gcp-config", "https://config.googleapis.com", "/v1", "CONFIG" },
	[GCP_SQL] = { "sql", "gcp-sql", "https://sqladmin.googleapis.com", "/v1", "SQL" },
	[GCP_FUNCTIONS] = { "functions", "gcp-functions", "https://cloudfunctions.googleapis.com", "/v2", "CLOUDFUNCTIONS" },
	[GCP_LOGGING] = { "logging", "gcp-logging", "https://logging.googleapis.com", "/v2", "LOGGING" },
	[GCP_BILLING] = { "billing", "gcp-billing", "https://cloudbilling.googleapis.com", "/v1", "CLOUDBILLING" },
	[GCP_BUDGETS] = { "budgets", "gcp-budgets", "https://billingbudgets.googleapis.com", "/v1", "BILLINGBUDGETS" },
	[GCP_BIGQUERY] = { "bigquery", "gcp-bigquery", "https://bigquery.googleapis.com", "/bigquery/v2", "BIGQUERY" },
	[GCP_SERVICE_USAGE] = { "service-usage", "gcp-service-usage", "https://serviceusage.googleapis.com", "/v1beta1", "SERVICEUSAGE" },
};

static const struct provider_option option_rows[] = {
	{ "project-id", "the project (default: GOOGLE_CLOUD_PROJECT, the credentials', gcloud's)", false },
	{ "zone", "where new instances are made (default: CLOUDSDK_COMPUTE_ZONE)", false },
	{ "credentials-file", "a key file, or another file of Google credentials (default: the standard places)", false },
	{ "use-metadata-service", "yes: ask the machine (Compute Engine, GKE) for credentials too", false },
	{ "billing-account", "who pays (default: the project's own account)", false },
	{ "billing-table", "PROJECT.DATASET.TABLE into which Cloud Billing exports to BigQuery: what costs are read from", false },
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

	for (size_t i = 0; i < GCP_SERVICES; i++) {
		http_engine_free_signer(g->engine, g->services[i].signer);
		cred_gcp_free(g->services[i].cred);
		free(g->services[i].url);
	}
	free(g->base.name);
	free(g->base.region);
	free(g->zone);
	free(g->project);
	free(g->billing_account);
	free(g->billing_table);
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

static int make_service(struct gcp *g, size_t id, const struct backend_context *context, const struct cloud_settings *settings,
			struct cred_gcp_options *cred, struct error *err)
{
	struct gcp_service *made = &g->services[id];
	CLEANUP(freep) char *variable = str_format("CLOUDSDK_API_ENDPOINT_OVERRIDES_%s", service_rows[id].variable);
	CLEANUP(freep) char *audience = str_format("%s/", service_rows[id].url);
	const char *given = variable ? setting_or(settings, "endpoint", context, variable) : NULL;
	struct cred_host host = cred_host_of(context);
	int r;

	made->url = versioned_url(given && *given ? given : service_rows[id].url, service_rows[id].path);
	if (!variable || !audience || !made->url)
		return error_no_memory(err);
	cred->audience = audience;
	r = cred_gcp_new(&host, cred, &made->cred, err);
	cred->audience = NULL;
	if (r == 0)
		r = sign_bearer_new(cred_gcp_tokens(made->cred), NULL, &made->signer, err);
	made->service = (struct service){ .engine = g->engine, .label = service_rows[id].label, .base_url = made->url,
					  .signer = made->signer, .ratelimit = &g->ratelimit };
	return r;
}

static int configure(struct gcp *g, const struct backend_context *context, const struct cloud_settings *settings,
		     struct error *err)
{
	struct cred_gcp_options cred = { .credentials_file = cloud_setting(settings, "credentials-file"), .is_platform_wide = true };
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
	if (r == 0)
		r = str_copy(cloud_setting(settings, "billing-account"), &g->billing_account, err);
	if (r == 0)
		r = str_copy(cloud_setting(settings, "billing-table"), &g->billing_table, err);
	for (size_t id = 0; id < GCP_SERVICES && r == 0; id++)
		r = make_service(g, id, context, settings, &cred, err);
	return r;
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
	found = cred_gcp_project(g->services[GCP_COMPUTE].cred); /* without the lock: it may ask the metadata server */
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
	for (size_t id = 0; id < GCP_SERVICES; id++)
		if (!strcmp(name, service_rows[id].name)) {
			*ret = gcp_service_of(call, id);
			return 0;
		}
	return error_set(err, ERR_UNSUPPORTED, "there is no service '%s'", name);
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
			[CLOUD_STACKS] = &gcp_stacks,
			[CLOUD_FUNCTIONS] = &gcp_functions,
			[CLOUD_DATABASES] = &gcp_databases,
			[CLOUD_METERING] = &gcp_metering },
};
