/*
 * The row of Coda in the table of drivers: one token, one address, a service for each of Coda's limits.
 */
#include "backends/coda/coda.h"

#include "backends/auth/sign_bearer.h"

#include <stdio.h>

#define URL "https://coda.io/apis/v1"

const struct provider_option coda_option_rows[] = {
	{ "token", "an API token (default: CODA_API_TOKEN, CODA_API_KEY)", true },
	{ "endpoint", "address of the API (default: CODA_API_URL, " URL ")", false },
	{ "rate-limit", "requests a second of each kind, 0: no limit (default: Coda's own limits)", false },
	{ NULL, NULL, false },
};

/* Coda's limits are so many requests in so many seconds: 100 in 6 s for reading, 10 in 6 s for writing, 5 in 10 s for
 * writing what is in a doc, 4 in 6 s for listing docs, 100 in 6 s for analytics. What a bucket holds at once and what it
 * gets in such a time are together no more than that. */
static const struct {
	const char *name;
	double rate_per_s, burst;
} limits[CODA_BUCKETS] = {
	[CODA_READ] = { "read", 80 / 6.0, 20 },
	[CODA_WRITE] = { "write", 6 / 6.0, 4 },
	[CODA_CONTENT] = { "content", 3 / 10.0, 2 },
	[CODA_LIST_DOCS] = { "docs", 2 / 6.0, 2 },
	[CODA_ANALYTICS] = { "analytics", 80 / 6.0, 20 },
};

bool coda_is_configured(const struct backend_context *context)
{
	const char *token = context->getenv("CODA_API_TOKEN"), *key = context->getenv("CODA_API_KEY");

	return (token && *token) || (key && *key);
}

static void close_cloud(struct cloud *cloud)
{
	struct coda *c = container_of(cloud, struct coda, base);

	http_engine_free_signer(c->engine, c->signer);
	token_source_free(c->source);
	if (c->token)
		explicit_bzero(c->token, strlen(c->token));
	free(c->token);
	free(c->url);
	free(c->base.name);
	for (size_t i = 0; i < CODA_BUCKETS; i++)
		lock_destroy(&c->ratelimits[i].lock);
	free(c);
}

static int set_limits(struct coda *c, const struct cloud_settings *settings, struct error *err)
{
	double rate = -1; /* not said */
	int r = cloud_setting_rate(settings, "rate-limit", &rate, err);

	for (size_t i = 0; i < CODA_BUCKETS; i++)
		ratelimit_init(&c->ratelimits[i], rate < 0 ? limits[i].rate_per_s : rate, rate < 0 ? limits[i].burst : rate);
	return r;
}

static int configure(struct coda *c, const struct backend_context *context, const struct cloud_settings *settings,
		     struct error *err)
{
	const char *key = context->getenv("CODA_API_KEY");
	int r = cloud_setting_or(context, settings, "token", "CODA_API_TOKEN", key && *key ? key : NULL, &c->token, err);

	if (r == 0)
		r = cloud_setting_or(context, settings, "endpoint", "CODA_API_URL", URL, &c->url, err);
	if (r == 0 && !c->token)
		r = error_set(err, ERR_UNAUTHENTICATED, "no token is set (token in the section, CODA_API_TOKEN, CODA_API_KEY)");
	if (r == 0)
		r = token_source_fixed("Coda API token", c->token, &c->source, err);
	if (r == 0)
		r = sign_bearer_new(c->source, NULL, &c->signer, err);
	for (size_t len = r == 0 ? strlen(c->url) : 0; len && c->url[len - 1] == '/'; len--)
		c->url[len - 1] = '\0';
	return r;
}

/* What is wrong with a body stands apart from the message: codaDetail.validationErrors [{path, message}]. */
static void refine(const struct http_response *response, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct error ignored = ERROR_INIT;
	const char *path, *why;
	size_t len = strlen(err->message);

	if (response->status != 400 || json_parse(buf_str(&response->error_body), 65536, &o, &ignored) < 0)
		return;
	path = json_get_string(o, "codaDetail.validationErrors.0.path");
	why = json_get_string(o, "codaDetail.validationErrors.0.message");
	if (!path || !why)
		return;
	(void)snprintf(err->message + len, sizeof err->message - len, " (%.60s: %.120s)", path, why); /* cut off is fine */
	for (char *c = err->message + len; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
}

static int open_cloud(const struct backend_context *context, const struct cloud_settings *settings, struct cloud **ret,
		      struct error *err)
{
	struct coda *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	c->engine = context->engine;
	c->base = (struct cloud){ .driver = &cloud_coda, .name = strdup(settings->name) };
	r = set_limits(c, settings, err);
	if (r == 0)
		r = c->base.name ? configure(c, context, settings, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0) {
		close_cloud(&c->base);
		return r;
	}
	for (size_t i = 0; i < CODA_BUCKETS; i++)
		c->services[i] = (struct service){ .engine = c->engine,
						   .label = "coda",
						   .base_url = c->url,
						   .signer = c->signer,
						   .ratelimit = &c->ratelimits[i],
						   .refine = refine };
	*ret = &c->base;
	return 0;
}

static int find_service(struct cloud_call *call, const char *name, const struct service **ret, struct error *err)
{
	for (size_t i = 0; i < CODA_BUCKETS; i++) {
		if (strcmp(limits[i].name, name) != 0)
			continue;
		*ret = &coda_of(call)->services[i];
		return 0;
	}
	return error_set(err, ERR_UNSUPPORTED, "there is no service '%s'", name);
}

const struct cloud_driver cloud_coda = {
	.type = "coda",
	.summary = "Coda docs",
	.options = coda_option_rows,
	.is_configured = coda_is_configured,
	.open = open_cloud,
	.free = close_cloud,
	.service = find_service,
};
