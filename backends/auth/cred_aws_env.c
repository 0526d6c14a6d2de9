/* The two sources that are there or not, and never change: explicit keys, and the environment. */
#include "backends/auth/cred_source.h"

static bool explicit_is_configured(const struct cred_context *c)
{
	return c->options->is_anonymous || c->options->access_key_id ||
	       c->options->secret_access_key;
}

static int explicit_fetch(const struct cred_context *c, struct cred_aws *ret, struct error *err)
{
	const struct cred_aws_options *o = c->options;

	if (o->is_anonymous) {
		*ret = CRED_AWS_INIT;
		ret->source = "anonymous";
		return 0;
	}
	if (!o->access_key_id && !o->secret_access_key)
		return CRED_ABSENT;
	if (!o->access_key_id || !o->secret_access_key)
		return error_set(err, ERR_CONFIG,
				 "an access key id and a secret access key go together");
	return cred_set(ret, o->names ? o->names : "configuration", str_of(o->access_key_id),
			str_of(o->secret_access_key), str_of(o->session_token), 0, err);
}

const struct cred_source cred_source_explicit = {
	.name = "configuration",
	.is_fixed = true,
	.is_configured = explicit_is_configured,
	.fetch = explicit_fetch,
};

static bool env_is_configured(const struct cred_context *c)
{
	return cred_getenv(c, "AWS_ACCESS_KEY_ID") || cred_getenv(c, "AWS_SECRET_ACCESS_KEY");
}

static int env_fetch(const struct cred_context *c, struct cred_aws *ret, struct error *err)
{
	const char *id = cred_getenv(c, "AWS_ACCESS_KEY_ID");
	const char *secret = cred_getenv(c, "AWS_SECRET_ACCESS_KEY");

	if (!id && !secret)
		return CRED_ABSENT;
	if (!id || !secret)
		return error_set(err, ERR_CONFIG, "%s is set but %s is not",
				 id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
				 id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
	return cred_set(ret, "environment", str_of(id), str_of(secret),
			str_of(cred_getenv(c, "AWS_SESSION_TOKEN")), 0, err);
}

const struct cred_source cred_source_env = {
	.name = "environment",
	.is_fixed = true,
	.is_configured = env_is_configured,
	.fetch = env_fetch,
};
