/*
 * The row of S3 in the table of providers: its options, the standard places it is configured from,
 * and how a store is made from them.
 *
 * An option of the store goes before the environment, which goes before the profile's file, as with
 * the vendor's own tools.
 *
 * Source: docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html (2026-11).
 */
#include "backends/auth/cred_aws.h"
#include "backends/aws/s3.h"
#include "backends/providers.h"
#include <stdio.h>

extern const struct provider provider_s3;

static const struct provider_option s3_option_rows[] = {
	{ "endpoint", "the service's URL (default: Amazon's, by region; AWS_ENDPOINT_URL_S3)",
	  false },
	{ "region", "the region (default: AWS_REGION, the profile's, us-east-1)", false },
	{ "path-style", "yes, no, or auto: the bucket in the path instead of the host name",
	  false },
	{ "access-key-id", "the access key; without it the standard chain is searched", false },
	{ "secret-access-key", "the secret that belongs to access-key-id", true },
	{ "session-token", "the token of temporary credentials", true },
	{ "profile", "a profile of the shared files (default: AWS_PROFILE)", false },
	{ "anonymous", "yes: send no credentials, for public buckets", false },
	{ "use-metadata-service", "yes: ask the container or the machine for credentials too",
	  false },
	{ "conditional-writes", "auto, yes, or no: whether the server keeps If-Match on writes",
	  false },
	{ "requester-pays", "yes: agree to pay for requests to others' buckets", false },
	{ "rate-limit", "at most so many requests a second (default: no limit)", false },
	{ 0 },
};

/* What the values of one store say; strings borrow from them. */
struct settings {
	struct s3_options store;
	struct cred_aws_options cred;
	const char *key_origin; /* where access-key-id or secret-access-key stands */
};

static const char *environment(const struct backend_context *context, const char *name)
{
	const char *value = context->getenv(name);

	return value && *value ? value : NULL;
}

static bool is_text_option(struct settings *set, const struct provider_value *v)
{
	const struct setting_text texts[] = {
		{ "endpoint", &set->store.endpoint },
		{ "region", &set->store.region },
		{ "access-key-id", &set->cred.access_key_id },
		{ "secret-access-key", &set->cred.secret_access_key },
		{ "session-token", &set->cred.session_token },
		{ "profile", &set->cred.profile },
	};

	if (strstr(v->key, "access-key"))
		set->key_origin = setting_origin(v);
	return setting_text(v, texts, ARRAY_SIZE(texts));
}

static int read_value(struct settings *set, const struct provider_value *v, struct error *err)
{
	enum setting_choice choice = SETTING_AUTO;
	int r;

	if (is_text_option(set, v))
		return 0;
	if (!strcmp(v->key, "anonymous"))
		return setting_flag(v, &set->cred.is_anonymous, err);
	if (!strcmp(v->key, "use-metadata-service"))
		return setting_flag(v, &set->cred.use_metadata_service, err);
	if (!strcmp(v->key, "requester-pays"))
		return setting_flag(v, &set->store.requester_pays, err);
	if (!strcmp(v->key, "rate-limit"))
		return setting_rate(v, &set->store.rate_per_s, err);
	if (!strcmp(v->key, "path-style")) {
		r = setting_choice(v, &choice, err);
		set->store.style = choice == SETTING_AUTO ? S3_STYLE_AUTO :
				   choice == SETTING_YES  ? S3_STYLE_PATH :
							    S3_STYLE_VIRTUAL;
		return r;
	}
	if (!strcmp(v->key, "conditional-writes")) {
		r = setting_choice(v, &choice, err);
		set->store.conditional_writes = choice == SETTING_AUTO ? S3_CONDITIONS_AUTO :
						choice == SETTING_YES  ? S3_CONDITIONS_YES :
									 S3_CONDITIONS_NO;
		return r;
	}
	return setting_unknown(v, "s3", err);
}

static int read_values(struct settings *set, const struct provider_value *values, size_t count,
		       struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		int r = read_value(set, &values[i], err);

		if (r < 0)
			return r;
	}
	if (!set->cred.access_key_id != !set->cred.secret_access_key)
		return error_set(
			err, ERR_CONFIG,
			"%s: access-key-id and secret-access-key go together, %s is missing",
			set->key_origin,
			set->cred.access_key_id ? "secret-access-key" : "access-key-id");
	if (set->cred.session_token && !set->cred.access_key_id)
		return error_set(err, ERR_CONFIG,
				 "session-token needs access-key-id and secret-access-key");
	return 0;
}

/* The endpoint of the environment or the profile; a heap string or NULL. */
static char *standard_endpoint(const struct backend_context *context, const struct cred_host *host,
			       const char *profile)
{
	const char *ignore = environment(context, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
	const char *url = environment(context, "AWS_ENDPOINT_URL_S3");

	if (ignore && !strcmp(ignore, "true"))
		return NULL;
	if (!url)
		url = environment(context, "AWS_ENDPOINT_URL");
	return url ? strdup(url) : cred_aws_profile_value(host, profile, "endpoint_url");
}

static int store_new(const struct backend_context *context, const char *name,
		     const struct provider_value *values, size_t count, struct store **ret,
		     struct error *err)
{
	struct settings set = { 0 };
	struct cred_host host = cred_host_of(context);
	CLEANUP(freep) char *endpoint = NULL;
	CLEANUP(freep) char *region = NULL;
	int r = read_values(&set, values, count, err);

	if (r < 0)
		return r;
	if (!set.store.endpoint)
		set.store.endpoint = endpoint = standard_endpoint(context, &host, set.cred.profile);
	if (!set.store.region)
		set.store.region = region = cred_aws_region(&host, set.cred.profile);
	r = cred_aws_provider_new(&host, &set.cred, &set.store.provider, err);
	if (r < 0)
		return error_prefix(err, r, "store '%s'", name);
	r = s3_store_new(name, context->engine, &set.store, ret, err);
	if (r < 0) {
		cred_aws_provider_free(set.store.provider);
		return error_prefix(err, r, "store '%s'", name);
	}
	return 0;
}

static bool is_configured(const struct backend_context *context)
{
	struct cred_host host = cred_host_of(context);

	return cred_aws_is_configured(&host, &(struct cred_aws_options){ 0 });
}

const struct provider provider_s3 = {
	.type = "s3",
	.summary = "Amazon S3, and every server that speaks it",
	.options = s3_option_rows,
	.is_configured = is_configured,
	.store_new = store_new,
};
