/*
 * The row of Infomaniak's domain zones in the table of drivers: one token, one service.
 */
#include "backends/infomaniak/infomaniak_dns.h"

#include "backends/cloud/dns.h"

#define URL "https://api.infomaniak.com"

extern const struct cloud_driver cloud_infomaniak_domains;

static const struct provider_option option_rows[] = {
	{ "token", "an API token with the scope 'domain' (default: INFOMANIAK_TOKEN)", true },
	{ "domains", "the domains that zones list shows: 'a.ch, b.ch' (default: INFOMANIAK_DOMAINS)", false },
	{ "endpoint", "address of the API (default: INFOMANIAK_API_URL, " URL ")", false },
	{ "rate-limit", "at most so many requests a second (default: 1)", false },
	{ NULL, NULL, false },
};

static bool is_configured(const struct backend_context *context)
{
	const char *token = context->getenv("INFOMANIAK_TOKEN");

	return token && *token;
}

static void close_cloud(struct cloud *cloud)
{
	struct infomaniak_domains *d = container_of(cloud, struct infomaniak_domains, base);

	http_engine_free_signer(d->engine, d->signer);
	token_source_free(d->source);
	if (d->token)
		explicit_bzero(d->token, strlen(d->token));
	free(d->token);
	free(d->url);
	free(d->domains);
	free(d->base.name);
	lock_destroy(&d->ratelimit.lock);
	free(d);
}

static int configure(struct infomaniak_domains *d, const struct backend_context *context,
		     const struct cloud_settings *settings, struct error *err)
{
	double rate = 1; /* 60 requests a minute */
	int r = cloud_setting_rate(settings, "rate-limit", &rate, err);

	lock_destroy(&d->ratelimit.lock);
	ratelimit_init(&d->ratelimit, rate, rate > 0 ? 30 * rate : 0);
	if (r == 0)
		r = cloud_setting_or(context, settings, "token", "INFOMANIAK_TOKEN", NULL, &d->token, err);
	if (r == 0)
		r = cloud_setting_or(context, settings, "endpoint", "INFOMANIAK_API_URL", URL, &d->url, err);
	if (r == 0)
		r = cloud_setting_or(context, settings, "domains", "INFOMANIAK_DOMAINS", NULL, &d->domains, err);
	if (r == 0 && !d->token)
		r = error_set(err, ERR_UNAUTHENTICATED, "no token is set (token in the section, INFOMANIAK_TOKEN)");
	if (r == 0)
		r = token_source_fixed("Infomaniak API token", d->token, &d->source, err);
	if (r == 0)
		r = sign_bearer_new(d->source, NULL, &d->signer, err);
	for (size_t len = r == 0 ? strlen(d->url) : 0; len && d->url[len - 1] == '/'; len--)
		d->url[len - 1] = '\0';
	return r;
}

/* {"result": "error", "error": {"code", "description"}}: what the status leaves open. */
static void refine(const struct http_response *response, struct error *err)
{
	(void)response; /* its body was read */
	if (!strcmp(err->service_code, "zone_already_exists") || !strcmp(err->service_code, "dns_record_already_exists"))
		err->kind = ERR_EXISTS;
	else if (!strcmp(err->service_code, "dns_record_mutual_exclusion"))
		err->kind = ERR_CONFLICT;
	else if (!strcmp(err->service_code, "zone_does_not_exists"))
		err->kind = ERR_NOT_FOUND;
}

static int open_cloud(const struct backend_context *context, const struct cloud_settings *settings, struct cloud **ret,
		      struct error *err)
{
	struct infomaniak_domains *d = calloc(1, sizeof *d);
	int r;

	if (!d)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	ratelimit_init(&d->ratelimit, 0, 0);
	d->engine = context->engine;
	d->base = (struct cloud){ .driver = &cloud_infomaniak_domains, .name = strdup(settings->name) };
	r = d->base.name ? configure(d, context, settings, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0) {
		close_cloud(&d->base);
		return r;
	}
	d->service = (struct service){
		.engine = d->engine,
		.label = "infomaniak-domains",
		.base_url = d->url,
		.signer = d->signer,
		.ratelimit = &d->ratelimit,
		.refine = refine,
	};
	*ret = &d->base;
	return 0;
}

static int find_service(struct cloud_call *call, const char *name, const struct service **ret, struct error *err)
{
	if (strcmp(name, "domains") != 0)
		return error_set(err, ERR_UNSUPPORTED, "there is no service '%s'", name);
	*ret = &infomaniak_domains_of(call)->service;
	return 0;
}

const struct cloud_driver cloud_infomaniak_domains = {
	.type = "infomaniak-domains",
	.summary = "Infomaniak domain zones",
	.options = option_rows,
	.is_configured = is_configured,
	.open = open_cloud,
	.free = close_cloud,
	.service = find_service,
	.interfaces = { [CLOUD_DNS] = &infomaniak_dns },
};
