/*
 * The row of Amazon Web Services in the table of drivers, and the services that its interfaces stand on.
 */
#include "backends/aws/cloud_aws.h"


#include <stdio.h>

extern const struct cloud_driver cloud_aws;

/* `variable` is what follows AWS_ENDPOINT_URL_. A host with %s is a region's own. */
static const struct {
	const char *name, *label, *variable, *host;
	enum service_dialect dialect;
	const char *region; /* that it is signed for; NULL: the connection's */
	void (*refine)(const struct http_response *response, struct error *err);
} service_rows[] = {
	{ "ec2", "aws-ec2", "EC2", "ec2.%s", SERVICE_XML, NULL },
	{ "cloudformation", "aws-cloudformation", "CLOUDFORMATION", "cloudformation.%s", SERVICE_XML, NULL, cloudformation_refine },
	{ "lambda", "aws-lambda", "LAMBDA", "lambda.%s", SERVICE_JSON, NULL },
	{ "rds", "aws-rds", "RDS", "rds.%s", SERVICE_XML, NULL },
	{ "logs", "aws-logs", "CLOUDWATCH_LOGS", "logs.%s", SERVICE_JSON, NULL },
	{ "servicequotas", "aws-servicequotas", "SERVICE_QUOTAS", "servicequotas.%s", SERVICE_JSON, NULL },
	{ "sts", "aws-sts", "STS", "sts.%s", SERVICE_XML, NULL },
	/* One for all regions; their signatures say us-east-1. */
	{ "ce", "aws-ce", "COST_EXPLORER", "ce.us-east-1", SERVICE_JSON, "us-east-1" },
	{ "budgets", "aws-budgets", "BUDGETS", "budgets", SERVICE_JSON, "us-east-1" },
	{ "route53", "aws-route53", "ROUTE_53", "route53", SERVICE_XML, "us-east-1" },
};

struct made_service {
	struct service service;
	struct signer *signer;
	char *url;
};
struct aws_services {
	struct lock lock;
	struct made_service *made[ARRAY_SIZE(service_rows)]; /* guarded by lock; immutable once there */
};

static const struct provider_option option_rows[] = {
	{ "region", "the region (default: AWS_REGION, the profile's)", false },
	{ "profile", "a profile of the shared files (default: AWS_PROFILE)", false },
	{ "access-key-id", "the access key; without it the standard chain is searched", false },
	{ "secret-access-key", "the secret that belongs to access-key-id", true },
	{ "session-token", "the token of temporary credentials", true },
	{ "use-metadata-service", "yes: ask the container or the machine for credentials too", false },
	{ "endpoint", "one URL for all services (default: AWS_ENDPOINT_URL_EC2 and so on, AWS_ENDPOINT_URL, Amazon's)",
	  false },
	{ "rate-limit", "at most so many requests a second (default: 20)", false },
	{ NULL, NULL, false },
};

static bool is_configured(const struct backend_context *context)
{
	struct cred_host host = cred_host_of(context);

	return cred_aws_is_configured(&host, &(struct cred_aws_options){ 0 });
}

static void made_free(struct http_engine *engine, struct made_service *m)
{
	if (!m)
		return;
	http_engine_free_signer(engine, m->signer);
	free(m->url);
	free(m);
}

static void aws_free(struct cloud *cloud)
{
	struct aws *a = container_of(cloud, struct aws, base);

	for (size_t i = 0; a->services && i < ARRAY_SIZE(a->services->made); i++)
		made_free(a->host.engine, a->services->made[i]);
	if (a->services)
		lock_destroy(&a->services->lock);
	free(a->services);
	cred_aws_provider_free(a->provider);
	free(a->base.name);
	free(a->base.region);
	free(a->profile);
	free(a->endpoint);
	lock_destroy(&a->ratelimit.lock);
	free(a);
}

/* A region is part of a host's name. */
static bool is_region(const char *text)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return len && len < 64 && !text[len];
}

static int find_region(struct aws *a, const struct cloud_settings *settings, struct error *err)
{
	const char *given = settings->region ? settings->region : cloud_setting(settings, "region");
	int r = str_copy(given, &a->base.region, err);

	if (r < 0)
		return r;
	if (!given)
		a->base.region = cred_aws_region(&a->host, a->profile);
	if (!a->base.region)
		return error_set(err, ERR_CONFIG,
				 "no region is set (--region, region in the section, AWS_REGION, or the profile's)");
	return is_region(a->base.region) ? 0 :
					   error_set(err, ERR_CONFIG, "'%.64s' is no region's name", a->base.region);
}

static int configure(struct aws *a, const struct cloud_settings *settings, struct error *err)
{
	struct cred_aws_options cred = {
		.access_key_id = cloud_setting(settings, "access-key-id"),
		.secret_access_key = cloud_setting(settings, "secret-access-key"),
		.session_token = cloud_setting(settings, "session-token"),
		.profile = settings->profile ? settings->profile : cloud_setting(settings, "profile"),
	};
	double rate = 20;
	int r = cloud_setting_rate(settings, "rate-limit", &rate, err);

	if (!cred.access_key_id != !cred.secret_access_key)
		r = error_set(err, ERR_CONFIG, "access-key-id and secret-access-key go together");
	if (settings->profile) /* of the command line: it goes before the section's key too */
		cred.access_key_id = cred.secret_access_key = cred.session_token = NULL;
	lock_destroy(&a->ratelimit.lock);
	ratelimit_init(&a->ratelimit, rate, 2 * rate);
	if (r == 0)
		r = cloud_setting_flag(settings, "use-metadata-service", &cred.use_metadata_service, err);
	if (r == 0)
		r = str_copy(cred.profile, &a->profile, err);
	if (r == 0)
		r = str_copy(cloud_setting(settings, "endpoint"), &a->endpoint, err);
	if (r == 0)
		r = find_region(a, settings, err);
	return r < 0 ? r : cred_aws_provider_new(&a->host, &cred, &a->provider, err);
}

static int aws_open(const struct backend_context *context, const struct cloud_settings *settings, struct cloud **ret,
		    struct error *err)
{
	struct aws *a = calloc(1, sizeof *a);
	int r;

	if (!a)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	ratelimit_init(&a->ratelimit, 0, 0);
	a->host = cred_host_of(context);
	a->base = (struct cloud){ .driver = &cloud_aws, .name = strdup(settings->name) };
	a->services = calloc(1, sizeof *a->services);
	if (a->services)
		lock_init(&a->services->lock);
	r = a->base.name && a->services ? configure(a, settings, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0) {
		aws_free(&a->base);
		return r;
	}
	*ret = &a->base;
	return 0;
}

/* ---- services ---- */

/* What the environment or the profile says; a heap string or NULL. */
static char *standard_endpoint(const struct aws *a, size_t row)
{
	const struct cred_context context = { .host = &a->host };
	const char *ignore = cred_getenv(&context, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
	char variable[64];
	const char *url;

	if (ignore && !strcmp(ignore, "true"))
		return NULL;
	(void)snprintf(variable, sizeof variable, "AWS_ENDPOINT_URL_%s", service_rows[row].variable);
	url = cred_getenv(&context, variable);
	if (!url)
		url = cred_getenv(&context, "AWS_ENDPOINT_URL");
	return url ? strdup(url) : cred_aws_profile_value(&a->host, a->profile, "endpoint_url");
}

/* Cost Explorer alone has a region in its global address. */
static bool is_global_in_china(size_t row, const char *region)
{
	return !strcmp(service_rows[row].name, "ce") && !strncmp(region, "cn-", 3);
}

static char *service_url(const struct aws *a, size_t row)
{
	const char *region = a->base.region;
	CLEANUP(freep) char *standard = a->endpoint ? strdup(a->endpoint) : standard_endpoint(a, row);
	CLEANUP(freep) char *host = NULL;

	if (standard) {
		size_t len = strlen(standard);

		while (len && standard[len - 1] == '/')
			standard[--len] = '\0';
		return steal(standard);
	}
	host = str_format("https://%s", is_global_in_china(row, region) ? "ce.cn-northwest-1" : service_rows[row].host);
	if (!host)
		return NULL;
	if (strstr(host, "%s")) {
		char *regional = str_format("%.*s%s%s", (int)(strstr(host, "%s") - host), host, region,
					    strstr(host, "%s") + 2);

		free(host);
		host = regional;
	}
	return host ? str_format("%s.amazonaws.com%s", host, strncmp(region, "cn-", 3) ? "" : ".cn") : NULL;
}

static const char *signing_region(const struct aws *a, size_t row)
{
	if (!service_rows[row].region)
		return a->base.region;
	return strncmp(a->base.region, "cn-", 3) ? service_rows[row].region : "cn-northwest-1";
}

static int make_service(struct aws *a, size_t row, struct made_service **ret, struct error *err)
{
	struct made_service *m = calloc(1, sizeof *m);
	int r = m ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r < 0)
		return r;
	m->url = service_url(a, row);
	r = m->url ? sigv4_signer_new(a->provider, signing_region(a, row), service_rows[row].name, &m->signer, err) :
		     error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0) {
		made_free(a->host.engine, m);
		return r;
	}
	m->service = (struct service){
		.engine = a->host.engine,
		.label = service_rows[row].label,
		.base_url = m->url,
		.dialect = service_rows[row].dialect,
		.signer = m->signer,
		.ratelimit = &a->ratelimit,
		.refine = service_rows[row].refine,
	};
	*ret = m;
	return 0;
}

int aws_service(struct cloud_call *call, const char *name, const struct service **ret, struct error *err)
{
	struct aws *a = aws_of(call);
	struct made_service *made = NULL;
	size_t row = 0;
	int r;

	while (row < ARRAY_SIZE(service_rows) && strcmp(service_rows[row].name, name) != 0)
		row++;
	if (row == ARRAY_SIZE(service_rows))
		return error_set(err, ERR_UNSUPPORTED, "there is no service '%s'", name);
	{
		LOCKED(&a->services->lock);
		made = a->services->made[row];
	}
	if (!made) { /* without the lock: it reads files. Two at once make two, and one is kept. */
		struct made_service *own = NULL;

		r = make_service(a, row, &own, err);
		if (r < 0)
			return r;
		{
			LOCKED(&a->services->lock);
			made = a->services->made[row];
			if (!made) {
				made = a->services->made[row] = own;
				own = NULL;
			}
		}
		made_free(a->host.engine, own);
	}
	*ret = &made->service;
	return 0;
}

const struct cloud_driver cloud_aws = {
	.type = "aws",
	.summary = "Amazon Web Services",
	.options = option_rows,
	.is_configured = is_configured,
	.open = aws_open,
	.free = aws_free,
	.service = aws_service,
	.interfaces = { [CLOUD_COMPUTE] = &aws_compute,
			[CLOUD_DNS] = &aws_dns,
			[CLOUD_VOLUMES] = &aws_volumes,
			[CLOUD_NETWORK] = &aws_network,
			[CLOUD_STACKS] = &aws_stacks,
			[CLOUD_FUNCTIONS] = &aws_functions,
			[CLOUD_DATABASES] = &aws_databases,
			[CLOUD_METERING] = &aws_metering },
};
