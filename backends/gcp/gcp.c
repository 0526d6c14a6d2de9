/*
 * The row of GCS in the table of providers: its options, the standard places it is configured from, and how a store is
 * made from them.
 *
 * STORAGE_EMULATOR_HOST is what Google's own libraries heed: it names the server, and no credentials are sent unless
 * the store's section names some.
 *
 * Source: cloud.google.com/docs/authentication/application-default-credentials (2026-10).
 */
#include "backends/auth/cred_gcp.h"
#include "backends/gcp/gcs.h"
#include "backends/providers.h"
#include <stdio.h>

#define AUDIENCE "https://storage.googleapis.com/"

extern const struct provider provider_gcs;

static const struct provider_option gcs_option_rows[] = {
	{ "endpoint",
	  "the service's URL (default: https://storage.googleapis.com; STORAGE_EMULATOR_HOST)",
	  false },
	{ "project-id",
	  "the project whose buckets are listed and made (default: GOOGLE_CLOUD_PROJECT, "
	  "the credentials')",
	  false },
	{ "credentials-file",
	  "a key file, or another file of Google credentials (default: "
	  "GOOGLE_APPLICATION_CREDENTIALS, what gcloud left)",
	  false },
	{ "anonymous", "yes: send no credentials, for public buckets", false },
	{ "use-metadata-service", "yes: ask the machine (Compute Engine, GKE) for credentials too",
	  false },
	{ "quota-project", "the project that pays for requests (default: the credentials')",
	  false },
	{ "location", "where new buckets are made (default: the service's)", false },
	{ "hierarchical-namespace", "yes: new buckets get folders that can be renamed at once",
	  false },
	{ "conditional-writes", "auto, yes, or no: whether the server keeps ifGenerationMatch",
	  false },
	{ "rate-limit", "at most so many requests a second (default: no limit)", false },
	{ 0 },
};

/* What the values of one store say; strings borrow from them. */
struct settings {
	struct gcs_options store;
	struct cred_gcp_options cred;
	bool has_anonymous; /* it was said, yes or no */
};

static const char *environment(const struct backend_context *context, const char *name)
{
	const char *value = context->getenv(name);

	return value && *value ? value : NULL;
}

static int read_value(struct settings *set, const struct provider_value *v, struct error *err)
{
	const struct setting_text texts[] = {
		{ "endpoint", &set->store.endpoint },
		{ "project-id", &set->store.project },
		{ "credentials-file", &set->cred.credentials_file },
		{ "quota-project", &set->store.quota_project },
		{ "location", &set->store.location },
	};
	const struct {
		const char *key;
		bool *place;
	} flags[] = {
		{ "anonymous", &set->cred.is_anonymous },
		{ "use-metadata-service", &set->cred.use_metadata_service },
		{ "hierarchical-namespace", &set->store.makes_hierarchical },
	};
	enum setting_choice conditions = SETTING_AUTO;
	int r;

	if (setting_text(v, texts, ARRAY_SIZE(texts)))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (!strcmp(flags[i].key, v->key)) {
			set->has_anonymous |= !strcmp(v->key, "anonymous");
			return setting_flag(v, flags[i].place, err);
		}
	if (!strcmp(v->key, "conditional-writes")) {
		r = setting_choice(v, &conditions, err);
		set->store.has_no_conditions = conditions == SETTING_NO;
		return r;
	}
	if (!strcmp(v->key, "rate-limit"))
		return setting_rate(v, &set->store.rate_per_s, err);
	return setting_unknown(v, "gcs", err);
}

/* STORAGE_EMULATOR_HOST as an address; heap string or NULL. */
static char *emulator_endpoint(const struct backend_context *context)
{
	const char *host = environment(context, "STORAGE_EMULATOR_HOST");

	if (!host)
		return NULL;
	return strstr(host, "://") ? strdup(host) : str_format("http://%s", host);
}

static int make_store(const struct backend_context *context, const char *name, struct settings *set,
		      struct store **ret, struct error *err)
{
	struct cred_host host = cred_host_of(context);
	int r;

	set->cred.audience = AUDIENCE;
	set->store.can_sign = !set->cred.is_anonymous;
	r = cred_gcp_new(&host, &set->cred, &set->store.cred, err);
	if (r < 0)
		return r;
	r = gcs_store_new(name, context->engine, &set->store, ret, err);
	if (r < 0)
		cred_gcp_free(set->store.cred);
	return r;
}

static int store_new(const struct backend_context *context, const char *name,
		     const struct provider_value *values, size_t count, struct store **ret,
		     struct error *err)
{
	struct settings set = { 0 };
	CLEANUP(freep) char *emulator = NULL;
	int r;

	for (size_t i = 0; i < count; i++) {
		r = read_value(&set, &values[i], err);
		if (r < 0)
			return r;
	}
	if (set.cred.is_anonymous && set.cred.credentials_file)
		return error_set(err, ERR_CONFIG,
				 "store '%s': anonymous and credentials-file exclude each other",
				 name);
	if (!set.store.endpoint && (emulator = emulator_endpoint(context))) {
		set.store.endpoint = emulator;
		if (!set.has_anonymous && !set.cred.credentials_file &&
		    !set.cred.use_metadata_service)
			set.cred.is_anonymous = true;
	}
	r = make_store(context, name, &set, ret, err);
	return r < 0 ? error_prefix(err, r, "store '%s'", name) : 0;
}

static bool is_configured(const struct backend_context *context)
{
	struct cred_host host = cred_host_of(context);

	return environment(context, "STORAGE_EMULATOR_HOST") ||
	       cred_gcp_is_configured(&host, &(struct cred_gcp_options){ 0 });
}

const struct provider provider_gcs = {
	.type = "gcs",
	.summary = "Google Cloud Storage",
	.options = gcs_option_rows,
	.is_configured = is_configured,
	.store_new = store_new,
};
