#include "backends/auth/explain.h"

#include "backends/auth/cred_azure.h"
#include "backends/auth/cred_keystone_config.h"
#include "backends/auth/cred_source.h"

#include <fcntl.h>
#include <stdio.h>

void auth_step_state(struct auth_steps *steps, const char *source, enum auth_state state, const char *detail)
{
	steps->is_found = steps->is_found || state == AUTH_USED || state == AUTH_BROKEN;
	steps->add(steps->arg, source, state, detail);
}

void auth_step(struct auth_steps *steps, const char *source, bool is_set_up, const char *detail)
{
	enum auth_state state = !is_set_up ? AUTH_ABSENT : steps->is_found ? AUTH_BEHIND : AUTH_USED;

	auth_step_state(steps, source, state, detail);
}

static bool is_set(const struct cred_host *host, const char *name)
{
	const char *value = host->getenv(name);

	return value && *value;
}

/* ---- AWS ---- */

static const char *aws_detail(const struct cred_source *s)
{
	static const struct {
		const struct cred_source *source;
		const char *detail;
	} details[] = {
		{&cred_source_explicit, "access-key-id and secret-access-key, or anonymous, in the section"},
		{&cred_source_env, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
		{&cred_source_web_identity, "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN"},
		{&cred_source_profile, "the profile (profile, AWS_PROFILE or 'default') in ~/.aws/config, ~/.aws/credentials"},
		{&cred_source_container, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI"},
		{&cred_source_imds, "the metadata service of the machine"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(details); i++)
		if (details[i].source == s)
			return details[i].detail;
	return "";
}

/* Of static keys in a file or the environment the broken ones can be told without any network. */
static void aws_step(const struct cred_context *c, const struct cred_source *s, struct auth_steps *steps)
{
	CLEANUP(cred_aws_release) struct cred_aws found = CRED_AWS_INIT;
	struct error err = ERROR_INIT;
	bool is_set_up = !s->is_configured || s->is_configured(c);

	if (is_set_up && !steps->is_found && (s == &cred_source_explicit || s == &cred_source_env)) {
		int r = s->fetch(c, &found, &err);

		if (r < 0) {
			auth_step_state(steps, s->name, AUTH_BROKEN, err.message);
			return;
		}
		is_set_up = r == 0;
	}
	auth_step(steps, s->name, is_set_up, aws_detail(s));
}

void auth_explain_aws(const struct cred_host *host, const struct cred_aws_options *options, struct auth_steps *steps)
{
	static const struct cred_source *const chain[] = {&cred_source_explicit, &cred_source_env,
							  &cred_source_web_identity, &cred_source_profile,
							  &cred_source_container, &cred_source_imds};
	struct cred_context c = {.host = host, .options = options};

	for (size_t i = 0; i < ARRAY_SIZE(chain); i++) {
		const struct cred_source *s = chain[i];

		if (options->profile && s != &cred_source_explicit && s != &cred_source_profile)
			auth_step_state(steps, s->name, AUTH_NOT_ASKED, "the section names a profile, and that alone counts");
		else if (s->is_metadata && !options->use_metadata_service)
			auth_step_state(steps, s->name, AUTH_NOT_ASKED, "use-metadata-service = yes in the section asks it");
		else
			aws_step(&c, s, steps);
	}
}

/* ---- OpenStack ---- */

void auth_explain_keystone(const struct cred_host *host, const struct keystone_options *options,
			   struct auth_steps *steps)
{
	CLEANUP(keystone_config_release) struct keystone_config found = KEYSTONE_CONFIG_INIT;
	struct cred_context c = {.host = host};
	bool is_infomaniak = options->flavour == KEYSTONE_INFOMANIAK;
	struct error err = ERROR_INIT;
	int r = keystone_config_find(&c, options, &found, &err);

	if (r < 0)
		auth_step_state(steps, "all", AUTH_BROKEN, err.message);
	auth_step(steps, "section", options->password || options->application_credential_secret || options->token,
		  "password, application-credential-secret or token in the section");
	if (is_infomaniak) {
		auth_step(steps, "INFOMANIAK_*",
			  is_set(host, "INFOMANIAK_APP_CREDENTIAL_ID") && is_set(host, "INFOMANIAK_APP_CREDENTIAL_SECRET"),
			  "INFOMANIAK_APP_CREDENTIAL_ID and INFOMANIAK_APP_CREDENTIAL_SECRET (INFOMANIAK_AUTH_URL)");
		return;
	}
	auth_step(steps, "clouds.yaml by name", options->cloud || is_set(host, "OS_CLOUD"),
		  "cloud in the section, or OS_CLOUD");
	auth_step(steps, "OS_*", is_set(host, "OS_AUTH_URL"), "OS_AUTH_URL with OS_USERNAME or OS_APPLICATION_CREDENTIAL_ID");
	auth_step(steps, "clouds.yaml", r == 0 && found.cloud,
		  "the only cloud of ./clouds.yaml, ~/.config/openstack/clouds.yaml or /etc/openstack/clouds.yaml");
}

/* ---- Google, Azure ---- */

static void add_file(const struct cred_host *host, const char *variable, struct auth_steps *steps)
{
	const char *path = host->getenv(variable);
	char detail[512];

	if (path && *path && access(path, R_OK) != 0 && !steps->is_found) {
		(void)snprintf(detail, sizeof detail, "%s names '%.300s', which cannot be read", variable, path);
		auth_step_state(steps, variable, AUTH_BROKEN, detail);
		return;
	}
	auth_step(steps, variable, path && *path, path && *path ? path : "not set");
}

void auth_explain_gcp(const struct cred_host *host, const struct cred_gcp_options *options, struct auth_steps *steps)
{
	const char *gcloud = host->getenv("CLOUDSDK_CONFIG"), *home = host->getenv("HOME");
	CLEANUP(freep) char *path = gcloud && *gcloud
		? str_format("%s/application_default_credentials.json", gcloud)
		: str_format("%s/.config/gcloud/application_default_credentials.json", home ? home : "");

	auth_step(steps, "section", options->credentials_file || options->is_anonymous,
		  options->is_anonymous ? "anonymous = yes" : "credentials-file in the section");
	add_file(host, "GOOGLE_APPLICATION_CREDENTIALS", steps);
	auth_step(steps, "gcloud", path && access(path, R_OK) == 0, path ? path : "");
	if (options->use_metadata_service)
		auth_step(steps, "metadata service", true, "asked when it is needed");
	else
		auth_step_state(steps, "metadata service", AUTH_NOT_ASKED, "use-metadata-service = yes in the section asks it");
}

void auth_explain_azure(const struct cred_host *host, bool has_options, bool use_metadata_service,
			struct auth_steps *steps)
{
	static const char *const variables[] = {"AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_KEY",
						"AZURE_STORAGE_SAS_TOKEN"};
	const char *home = host->getenv("HOME"), *dir = host->getenv("AZURE_CONFIG_DIR");
	CLEANUP(freep) char *profile = dir && *dir ? str_format("%s/azureProfile.json", dir)
						   : str_format("%s/.azure/azureProfile.json", home ? home : "");
	bool has_principal = is_set(host, "AZURE_TENANT_ID") && is_set(host, "AZURE_CLIENT_ID");

	auth_step(steps, "section", has_options, "connection-string, account-key, sas-token or a client of the section");
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		auth_step(steps, variables[i], is_set(host, variables[i]), is_set(host, variables[i]) ? "set" : "not set");
	auth_step(steps, "service principal",
		  has_principal && (is_set(host, "AZURE_CLIENT_SECRET") || is_set(host, "AZURE_CLIENT_CERTIFICATE_PATH")),
		  "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH");
	auth_step(steps, "workload identity", has_principal && is_set(host, "AZURE_FEDERATED_TOKEN_FILE"),
		  "AZURE_FEDERATED_TOKEN_FILE");
	if (use_metadata_service)
		auth_step(steps, "managed identity", true, "asked when it is needed");
	else
		auth_step_state(steps, "managed identity", AUTH_NOT_ASKED, "use-metadata-service = yes in the section asks it");
	auth_step(steps, "Azure CLI", profile && access(profile, R_OK) == 0, profile ? profile : "");
}
