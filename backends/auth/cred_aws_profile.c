/*
 * The source "profile": what the shared files say about one profile, followed through
 * source_profile.
 *
 * In one profile a role goes first, then web identity, SSO, static keys, a program. A profile that
 * another names as its source gives its static keys first, so that a profile with keys and a role
 * may name itself.
 */
#include "backends/auth/cred_source.h"
#include "backends/base/log.h"

struct resolution {
	const struct cred_context *context;
	struct cred_files files;
	const char *visited[CRED_MAX_CHAIN];
	size_t depth;
};

static void resolution_release(struct resolution *r)
{
	cred_files_release(&r->files);
}

static int resolve(struct resolution *res, const char *profile, struct cred_aws *ret,
		   struct error *err);

static const char *get(const struct resolution *res, const char *profile, const char *key)
{
	return cred_files_get(&res->files, profile, key);
}

static bool has_static_keys(const struct resolution *res, const char *profile)
{
	return get(res, profile, "aws_access_key_id") || get(res, profile, "aws_secret_access_key");
}

static int static_keys(const struct resolution *res, const char *profile, struct cred_aws *ret,
		       struct error *err)
{
	const char *id = get(res, profile, "aws_access_key_id");
	const char *secret = get(res, profile, "aws_secret_access_key");

	if (!id || !secret)
		return error_set(err, ERR_CONFIG, "AWS profile '%s' has %s but no %s", profile,
				 id ? "aws_access_key_id" : "aws_secret_access_key",
				 id ? "aws_secret_access_key" : "aws_access_key_id");
	return cred_set(ret, "profile", str_of(id), str_of(secret),
			str_of(get(res, profile, "aws_session_token")), 0, err);
}

static int read_role(const struct resolution *res, const char *profile, struct cred_role *ret,
		     struct error *err)
{
	static const char *const region_names[] = {"AWS_REGION", "AWS_DEFAULT_REGION", NULL};
	const char *duration = get(res, profile, "duration_seconds");

	*ret = (struct cred_role){
		.arn = get(res, profile, "role_arn"),
		.session_name = get(res, profile, "role_session_name"),
		.external_id = get(res, profile, "external_id"),
		.region = cred_getenv_any(res->context, region_names),
	};
	if (!ret->region)
		ret->region = get(res, profile, "region");
	if (duration && (str_to_u64(str_of(duration), &ret->duration_s) < 0 ||
			 ret->duration_s < 900 || ret->duration_s > 43200))
		return error_set(err, ERR_CONFIG,
				 "duration_seconds of AWS profile '%s' is not 900 to 43200",
				 profile);
	return 0;
}

static int from_named_source(const struct resolution *res, const char *profile, const char *name,
			     struct cred_aws *ret, struct error *err)
{
	static const struct {
		const char *name;
		const struct cred_source *source;
	} sources[] = {
		{"Environment", &cred_source_env},
		{"Ec2InstanceMetadata", &cred_source_imds},
		{"EcsContainer", &cred_source_container},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		int r;

		if (strcasecmp(name, sources[i].name) != 0)
			continue;
		r = sources[i].source->fetch(res->context, ret, err);
		if (r == CRED_ABSENT)
			return error_set(
				err, ERR_UNAUTHENTICATED,
				"AWS profile '%s' takes credentials from %s, where there are none",
				profile, sources[i].name);
		return r;
	}
	return error_set(err, ERR_CONFIG, "AWS profile '%s' has an unknown credential_source '%s'",
			 profile, name);
}

/* The credentials that assume the role of `profile`. */
static int role_source(struct resolution *res, const char *profile, struct cred_aws *ret,
		       struct error *err)
{
	const char *source_profile = get(res, profile, "source_profile");
	const char *source = get(res, profile, "credential_source");

	if (!source_profile == !source)
		return error_set(err, ERR_CONFIG,
				 "AWS profile '%s' has role_arn and needs one of source_profile, "
				 "credential_source",
				 profile);
	if (source)
		return from_named_source(res, profile, source, ret, err);
	if (has_static_keys(res, source_profile))
		return static_keys(res, source_profile, ret, err);
	if (!cred_files_has_profile(&res->files, source_profile))
		return error_set(err, ERR_CONFIG,
				 "AWS profile '%s' names source_profile '%s', which is not there",
				 profile, source_profile);
	return resolve(res, source_profile, ret, err);
}

static int by_role(struct resolution *res, const char *profile, struct cred_aws *ret,
		   struct error *err)
{
	CLEANUP(cred_aws_release) struct cred_aws source = CRED_AWS_INIT;
	const char *token_path = get(res, profile, "web_identity_token_file");
	struct cred_role role;
	int r = read_role(res, profile, &role, err);

	if (r < 0)
		return r;
	if (token_path)
		return cred_web_identity_fetch(res->context, &role, token_path, ret, err);
	if (get(res, profile, "mfa_serial"))
		return error_set(
			err, ERR_UNAUTHENTICATED,
			"AWS profile '%s' asks for an MFA code (mfa_serial), which cannot be asked "
			"for here "
			"(use the keys that 'aws sts get-session-token' gives, or 'aws sso login')",
			profile);
	r = role_source(res, profile, &source, err);
	return r < 0 ? r : cred_sts_assume_role(res->context, &role, &source, ret, err);
}

static int resolve(struct resolution *res, const char *profile, struct cred_aws *ret,
		   struct error *err)
{
	const char *command = get(res, profile, "credential_process");

	for (size_t i = 0; i < res->depth; i++)
		if (strcmp(res->visited[i], profile) == 0)
			return error_set(err, ERR_CONFIG,
					 "source_profile of AWS profile '%s' leads back to '%s'",
					 res->visited[res->depth - 1], profile);
	if (res->depth == CRED_MAX_CHAIN)
		return error_set(err, ERR_CONFIG,
				 "AWS profile '%s' has a chain of more than %d source_profile",
				 res->visited[0], CRED_MAX_CHAIN);
	res->visited[res->depth++] = profile;
	log_debug("cred.profile", "profile='%s'", profile);
	if (get(res, profile, "role_arn"))
		return by_role(res, profile, ret, err);
	if (get(res, profile, "sso_session") || get(res, profile, "sso_start_url"))
		return cred_sso_fetch(res->context, &res->files, profile, ret, err);
	if (has_static_keys(res, profile))
		return static_keys(res, profile, ret, err);
	if (command)
		return cred_process_fetch(res->context, command, ret, err);
	if (res->depth == 1)
		return CRED_ABSENT;
	return error_set(err, ERR_CONFIG, "AWS profile '%s' holds no credentials", profile);
}

static int profile_fetch(const struct cred_context *c, struct cred_aws *ret, struct error *err)
{
	CLEANUP(resolution_release)
	struct resolution res = {.context = c, .files = CRED_FILES_INIT};
	const char *profile = cred_profile_name(c->host, c->options->profile);
	bool is_named = c->options->profile || strcmp(profile, "default") != 0;
	int r = cred_files_load(c->host, &res.files, err);

	if (r < 0)
		return r;
	if (!cred_files_has_profile(&res.files, profile))
		return is_named ? error_set(err, ERR_CONFIG,
					    "AWS profile '%s' is not in '%s' or '%s'", profile,
					    res.files.config_path ? res.files.config_path
								  : "~/.aws/config",
					    res.files.credentials_path ? res.files.credentials_path
								       : "~/.aws/credentials")
				: CRED_ABSENT;
	r = resolve(&res, profile, ret, err);
	if (r == CRED_ABSENT && c->options->profile)
		return error_set(err, ERR_CONFIG, "AWS profile '%s' holds no credentials", profile);
	return r;
}

static bool profile_is_configured(const struct cred_context *c)
{
	static const char *const keys[] = {
		"role_arn",	      "aws_access_key_id", "aws_secret_access_key",
		"credential_process", "sso_session",	   "sso_start_url"};
	CLEANUP(cred_files_release) struct cred_files files = CRED_FILES_INIT;
	const char *profile = cred_profile_name(c->host, c->options->profile);

	/* Files that cannot be read count: the fetch will say what is wrong with them. */
	if (cred_files_load(c->host, &files, NULL) < 0)
		return true;
	if (!cred_files_has_profile(&files, profile))
		return c->options->profile || strcmp(profile, "default") != 0;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (cred_files_get(&files, profile, keys[i]))
			return true;
	return false;
}

const struct cred_source cred_source_profile = {
	.name = "profile",
	.is_configured = profile_is_configured,
	.fetch = profile_fetch,
};
