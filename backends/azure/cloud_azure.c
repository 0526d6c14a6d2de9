/*
 * The row of Azure in the table of drivers.
 */
#include "backends/azure/cloud_azure.h"

#include "backends/base/fileio.h"

#define MANAGEMENT "https://management.azure.com"
#define INSIGHTS   "https://api.applicationinsights.io"

extern const struct cloud_driver cloud_azure;

static const struct provider_option option_rows[] = {
	{ "subscription-id", "the subscription (default: AZURE_SUBSCRIPTION_ID, the Azure CLI's)", false },
	{ "resource-group", "where things are made and named (default: AZURE_DEFAULTS_GROUP)", false },
	{ "location", "the region of new things (default: AZURE_DEFAULTS_LOCATION)", false },
	{ "management-endpoint", "the URL of the Resource Manager (default: " MANAGEMENT ")", false },
	{ "functions-endpoint", "a URL behind which the hosts of function applications are, each below its name (default: none)", false },
	{ "insights-endpoint", "the URL of Application Insights (default: " INSIGHTS ")", false },
	{ "tenant-id", "the tenant of a service principal (default: AZURE_TENANT_ID)", false },
	{ "client-id", "its client id, or a managed identity's (default: AZURE_CLIENT_ID)", false },
	{ "client-secret", "its secret (default: AZURE_CLIENT_SECRET)", true },
	{ "client-certificate", "a PEM file with its certificate and key (default: AZURE_CLIENT_CERTIFICATE_PATH)", false },
	{ "federated-token-file", "a workload's token (default: AZURE_FEDERATED_TOKEN_FILE)", false },
	{ "use-metadata-service", "yes: ask this machine's managed identity for a token, too", false },
	{ "rate-limit", "at most so many requests a second (default: 20)", false },
	{ NULL, NULL, false },
};

static bool is_configured(const struct backend_context *context)
{
	struct cred_host host = cred_host_of(context);

	return cred_azure_token_origin(&host, &(struct cred_azure_options){ 0 }) != NULL;
}

static void azure_cloud_free(struct cloud *cloud)
{
	struct azure_cloud *a = container_of(cloud, struct azure_cloud, base);

	http_engine_free_signer(a->engine, a->signer);
	http_engine_free_signer(a->engine, a->insights_signer);
	token_source_free(a->insights_tokens);
	free(a->insights_url);
	free(a->functions_url);
	token_source_free(a->tokens);
	free(a->base.name);
	free(a->base.region);
	free(a->url);
	free(a->subscription);
	free(a->group);
	lock_destroy(&a->ratelimit.lock);
	free(a);
}

static const char *setting_or(const struct cloud_settings *settings, const char *key,
			      const struct backend_context *context, const char *variable)
{
	const char *value = cloud_setting(settings, key);

	return value ? value : context->getenv(variable);
}

/* The subscription that `az account set` chose; a heap string or NULL. */
static char *cli_subscription(const struct backend_context *context)
{
	const char *dir = context->getenv("AZURE_CONFIG_DIR");
	CLEANUP(freep) char *path = dir && *dir ? str_format("%s/azureProfile.json", dir) :
						  str_format("%s/.azure/azureProfile.json", context->home);
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	CLEANUP(json_putp) struct json_object *profile = NULL;
	struct json_object *list;
	struct str body;

	if (!path || fileio_read_file(path, &text, NULL) < 0)
		return NULL;
	body = buf_str(&text);
	if (str_starts(body, "\xef\xbb\xbf")) /* the CLI writes a byte order mark */
		body = (struct str){ body.ptr + 3, body.len - 3 };
	if (json_parse(body, 1 << 20, &profile, NULL) < 0)
		return NULL;
	list = json_get_array(profile, "subscriptions");
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *one = json_object_array_get_idx(list, i);

		if (json_get_bool(one, "isDefault", false) && json_get_string(one, "id"))
			return strdup(json_get_string(one, "id"));
	}
	return NULL;
}

/* An address without '/' at its end. */
static int copy_url(const char *given, char **ret, struct error *err)
{
	int r = str_copy(given, ret, err);

	for (size_t len = *ret ? strlen(*ret) : 0; len && (*ret)[len - 1] == '/';)
		(*ret)[--len] = '\0';
	return r;
}

static int configure_functions(struct azure_cloud *a, const struct cred_host *host, const struct cred_azure_options *cred,
			       const struct cloud_settings *settings, struct error *err)
{
	const char *insights = cloud_setting(settings, "insights-endpoint");
	struct cred_azure_options own = *cred;
	int r = copy_url(insights ? insights : INSIGHTS, &a->insights_url, err);

	own.resource = INSIGHTS;
	if (r == 0)
		r = copy_url(cloud_setting(settings, "functions-endpoint"), &a->functions_url, err);
	if (r == 0)
		r = cred_azure_token_source(host, &own, &a->insights_tokens, err);
	return r < 0 ? r : sign_bearer_new(a->insights_tokens, NULL, &a->insights_signer, err);
}

static int configure(struct azure_cloud *a, const struct backend_context *context,
		     const struct cloud_settings *settings, struct error *err)
{
	struct cred_azure_options cred = {
		.tenant_id = cloud_setting(settings, "tenant-id"),
		.client_id = cloud_setting(settings, "client-id"),
		.client_secret = cloud_setting(settings, "client-secret"),
		.client_certificate = cloud_setting(settings, "client-certificate"),
		.federated_token_file = cloud_setting(settings, "federated-token-file"),
		.resource = MANAGEMENT,
	};
	const char *url = cloud_setting(settings, "management-endpoint");
	struct cred_host host = cred_host_of(context);
	double rate = 20;
	int r = cloud_setting_rate(settings, "rate-limit", &rate, err);

	lock_destroy(&a->ratelimit.lock);
	ratelimit_init(&a->ratelimit, rate, 2 * rate);
	if (r == 0)
		r = cloud_setting_flag(settings, "use-metadata-service", &cred.use_metadata_service, err);
	if (r == 0)
		r = str_copy(url ? url : MANAGEMENT, &a->url, err);
	for (size_t len = r == 0 ? strlen(a->url) : 0; len && a->url[len - 1] == '/';)
		a->url[--len] = '\0';
	if (r == 0)
		r = str_copy(setting_or(settings, "subscription-id", context, "AZURE_SUBSCRIPTION_ID"), &a->subscription, err);
	if (r == 0 && !a->subscription)
		a->subscription = cli_subscription(context);
	if (r == 0)
		r = str_copy(setting_or(settings, "resource-group", context, "AZURE_DEFAULTS_GROUP"), &a->group, err);
	if (r == 0)
		r = str_copy(settings->region ? settings->region :
						 setting_or(settings, "location", context, "AZURE_DEFAULTS_LOCATION"),
			      &a->base.region, err);
	if (r == 0)
		r = cred_azure_token_source(&host, &cred, &a->tokens, err);
	if (r == 0)
		r = configure_functions(a, &host, &cred, settings, err);
	return r < 0 ? r : sign_bearer_new(a->tokens, NULL, &a->signer, err);
}

#define VERSION(text) \
	{ { (char *)(uintptr_t)"api-version", (char *)(uintptr_t)(text) }, { NULL, NULL } }
/* What rows call a service is a part of the same one with an api-version of its own. */
static const struct {
	const char *name;
	struct http_field query[2];
} versions[ARM_VERSIONS] = {
	{ "compute", VERSION(ARM_COMPUTE) },
	{ "disks", VERSION("2024-03-02") },
	{ "network", VERSION(ARM_NETWORK) },
	{ "deployments", VERSION("2024-03-01") },
	{ "sites", VERSION("2023-12-01") },
	{ "storage", VERSION("2023-05-01") },
	{ "postgres", VERSION("2024-08-01") },
	{ "mysql", VERSION("2023-12-30") },
	{ "sql", VERSION("2021-11-01") },
	{ "cost-management", VERSION("2023-11-01") },
	{ "consumption", VERSION("2023-05-01") },
};

static int azure_cloud_open(const struct backend_context *context, const struct cloud_settings *settings,
			    struct cloud **ret, struct error *err)
{
	struct azure_cloud *a = calloc(1, sizeof *a);
	int r;

	if (!a)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	ratelimit_init(&a->ratelimit, 0, 0);
	a->engine = context->engine;
	a->base = (struct cloud){ .driver = &cloud_azure, .name = strdup(settings->name) };
	r = a->base.name ? configure(a, context, settings, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0) {
		azure_cloud_free(&a->base);
		return r;
	}
	a->service = (struct service){ .engine = a->engine, .label = "azure-arm", .base_url = a->url, .signer = a->signer,
				       .ratelimit = &a->ratelimit };
	for (size_t i = 0; i < ARM_VERSIONS; i++) {
		a->versions[i] = a->service;
		a->versions[i].query = versions[i].query;
	}
	*ret = &a->base;
	return 0;
}

static int find_service(struct cloud_call *call, const char *name, const struct service **ret, struct error *err)
{
	struct azure_cloud *a = azure_cloud_of(call);

	*ret = strcmp(name, "arm") ? NULL : &a->service;
	for (size_t i = 0; i < ARM_VERSIONS && !*ret; i++)
		if (!strcmp(name, versions[i].name))
			*ret = &a->versions[i];
	return *ret ? 0 : error_set(err, ERR_UNSUPPORTED, "there is no service '%s'", name);
}

static int find_variable(struct cloud_call *call, const char *name, char **ret, struct error *err)
{
	const struct azure_cloud *a = azure_cloud_of(call);
	const char *value = a->subscription;
	int r = 0;

	if (!strcmp(name, "location"))
		r = arm_location(call, &value, err);
	else if (!strcmp(name, "resource_group"))
		r = arm_group(call, &value, err);
	else if (strcmp(name, "subscription") != 0)
		return error_set(err, ERR_INVALID, "parameter '%s' is missing", name);
	else if (!value)
		r = error_set(err, ERR_CONFIG, "no subscription is set (subscription-id in the section, "
					       "AZURE_SUBSCRIPTION_ID, or `az account set`)");
	return r < 0 ? r : str_copy(value, ret, err);
}

const struct cloud_driver cloud_azure = {
	.type = "azure",
	.summary = "Microsoft Azure",
	.options = option_rows,
	.is_configured = is_configured,
	.open = azure_cloud_open,
	.free = azure_cloud_free,
	.service = find_service,
	.variable = find_variable,
	.settle = arm_settle,
	.interfaces = { [CLOUD_COMPUTE] = &azure_compute,
			[CLOUD_DNS] = &azure_dns,
			[CLOUD_VOLUMES] = &azure_volumes,
			[CLOUD_NETWORK] = &azure_network,
			[CLOUD_STACKS] = &azure_stacks,
			[CLOUD_FUNCTIONS] = &azure_functions,
			[CLOUD_DATABASES] = &azure_databases,
			[CLOUD_METERING] = &azure_metering },
};
