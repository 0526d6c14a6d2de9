/*
 * The row of Infomaniak's Newsletter in the table of drivers: one token, one newsletter.
 */
#include "backends/infomaniak/newsletter.h"

#include "backends/auth/sign_bearer.h"

#define URL "https://api.infomaniak.com"

static const struct provider_option option_rows[] = {
	{ "token", "an API token with the scope 'newsletter' (default: INFOMANIAK_NEWSLETTER_TOKEN)", true },
	{ "newsletter", "the number of the newsletter (default: INFOMANIAK_NEWSLETTER_ID)", false },
	{ "endpoint", "address of the API (default: INFOMANIAK_API_URL, " URL ")", false },
	{ "rate-limit", "at most so many requests a second (default: 1)", false },
	{ NULL, NULL, false },
};

static bool is_configured(const struct backend_context *context)
{
	const char *token = context->getenv("INFOMANIAK_NEWSLETTER_TOKEN");

	return token && *token;
}

static void close_cloud(struct cloud *cloud)
{
	struct newsletter *n = container_of(cloud, struct newsletter, base);

	http_engine_free_signer(n->engine, n->signer);
	token_source_free(n->source);
	if (n->token)
		explicit_bzero(n->token, strlen(n->token));
	free(n->token);
	free(n->url);
	free(n->id);
	free(n->base.name);
	lock_destroy(&n->ratelimit.lock);
	free(n);
}

static int configure(struct newsletter *n, const struct backend_context *context, const struct cloud_settings *settings,
		     struct error *err)
{
	double rate = 1; /* 60 requests a minute */
	int r = cloud_setting_rate(settings, "rate-limit", &rate, err);

	ratelimit_init(&n->ratelimit, rate, rate > 0 ? 30 * rate : 0);
	if (r == 0)
		r = cloud_setting_or(context, settings, "token", "INFOMANIAK_NEWSLETTER_TOKEN", NULL, &n->token, err);
	if (r == 0)
		r = cloud_setting_or(context, settings, "newsletter", "INFOMANIAK_NEWSLETTER_ID", NULL, &n->id, err);
	if (r == 0)
		r = cloud_setting_or(context, settings, "endpoint", "INFOMANIAK_API_URL", URL, &n->url, err);
	if (r == 0 && !n->token)
		r = error_set(err, ERR_UNAUTHENTICATED, "no token is set (token in the section, INFOMANIAK_NEWSLETTER_TOKEN)");
	if (r == 0)
		r = token_source_fixed("Infomaniak newsletter token", n->token, &n->source, err);
	if (r == 0)
		r = sign_bearer_new(n->source, NULL, &n->signer, err);
	for (size_t len = r == 0 ? strlen(n->url) : 0; len && n->url[len - 1] == '/'; len--)
		n->url[len - 1] = '\0';
	return r;
}

static int open_cloud(const struct backend_context *context, const struct cloud_settings *settings, struct cloud **ret,
		      struct error *err)
{
	struct newsletter *n = calloc(1, sizeof *n);
	int r;

	if (!n)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	n->engine = context->engine;
	n->base = (struct cloud){ .driver = &cloud_infomaniak_newsletter, .name = strdup(settings->name) };
	r = configure(n, context, settings, err);
	if (r == 0 && !n->base.name)
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0) {
		close_cloud(&n->base);
		return r;
	}
	n->service = (struct service){
		.engine = n->engine,
		.label = "infomaniak-newsletter",
		.base_url = n->url,
		.signer = n->signer,
		.ratelimit = &n->ratelimit,
	};
	*ret = &n->base;
	return 0;
}

static int find_service(struct cloud_call *call, const char *name, const struct service **ret, struct error *err)
{
	if (strcmp(name, "newsletter") != 0)
		return error_set(err, ERR_UNSUPPORTED, "there is no service '%s'", name);
	*ret = &newsletter_of(call)->service;
	return 0;
}

/* {domain}: the newsletter, when the call does not name another. */
static int find_variable(struct cloud_call *call, const char *name, char **ret, struct error *err)
{
	const char *id = cloud_param(call, "newsletter");

	if (strcmp(name, "domain") != 0)
		return error_set(err, ERR_INVALID, "parameter '%s' must be given", name);
	id = id ? id : newsletter_of(call)->id;
	if (!id)
		return error_set(err, ERR_CONFIG, "which newsletter is meant is not set (--newsletter, newsletter in the section, "
						  "INFOMANIAK_NEWSLETTER_ID)");
	*ret = strdup(id);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

const struct cloud_driver cloud_infomaniak_newsletter = {
	.type = "infomaniak-newsletter",
	.summary = "Infomaniak Newsletter",
	.options = option_rows,
	.is_configured = is_configured,
	.open = open_cloud,
	.free = close_cloud,
	.service = find_service,
	.variable = find_variable,
};
