/*
 * The source "web identity": a role by a token that someone else (Kubernetes, a CI system) writes
 * into a file and replaces before it ends; so the file is read at each fetch.
 */
#include "backends/auth/cred_source.h"
#include "backends/base/fileio.h"

int cred_web_identity_fetch(const struct cred_context *c, const struct cred_role *role,
			    const char *token_path, struct cred_aws *ret, struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf text = BUF_INIT(0);
	struct str token;
	int r;

	if ((r = cred_buf_init(&text, err)) < 0)
		return r;
	if ((r = fileio_read_file(token_path, &text, err)) < 0)
		/* Whatever it is about the file: there are no credentials. */
		return error_set(err, ERR_CONFIG, "web identity token file '%s' cannot be read (AWS_WEB_IDENTITY_TOKEN_FILE)",
				 token_path);
	token = str_trim(buf_str(&text));
	if (token.len == 0)
		return error_set(err, ERR_CONFIG, "web identity token file '%s' is empty",
				 token_path);
	if ((r = cred_sts_web_identity(c, role, token, ret, err)) < 0)
		return r;
	ret->source = "web identity";
	return 0;
}

static bool web_identity_is_configured(const struct cred_context *c)
{
	return cred_getenv(c, "AWS_WEB_IDENTITY_TOKEN_FILE") != NULL;
}

static int web_identity_fetch(const struct cred_context *c, struct cred_aws *ret, struct error *err)
{
	static const char *const region_names[] = {"AWS_REGION", "AWS_DEFAULT_REGION", NULL};
	const char *path = cred_getenv(c, "AWS_WEB_IDENTITY_TOKEN_FILE");
	struct cred_role role = {
		.arn = cred_getenv(c, "AWS_ROLE_ARN"),
		.session_name = cred_getenv(c, "AWS_ROLE_SESSION_NAME"),
		.region = cred_getenv_any(c, region_names),
	};

	if (!path)
		return CRED_ABSENT;
	if (!role.arn)
		return error_set(err, ERR_CONFIG,
				 "AWS_WEB_IDENTITY_TOKEN_FILE is set but AWS_ROLE_ARN is not");
	return cred_web_identity_fetch(c, &role, path, ret, err);
}

const struct cred_source cred_source_web_identity = {
	.name = "web identity",
	.is_configured = web_identity_is_configured,
	.fetch = web_identity_fetch,
};
