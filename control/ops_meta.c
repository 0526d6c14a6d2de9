/*
 * Purpose: the operations about skydir itself: what each provider has, and where its credentials come from.
 */
#include "backends/auth/explain.h"
#include "backends/clouds.h"
#include "control/op.h"

#include "backends/base/clock.h"

static void add_text(struct json_object *o, const char *name, const char *text)
{
	json_object_object_add(o, name, text ? json_object_new_string(text) : NULL);
}

/* ---- capabilities ---- */

struct listing {
	struct json_object *list;
	const char *provider; /* NULL: all */
};

/* One row for each operation of clouds: a member for each provider. */
static int add_operation(void *arg, const struct op *op)
{
	struct listing *l = arg;
	struct json_object *o;

	if (!op_is_cloud(op) || op->is_hidden)
		return 0;
	o = json_object_new_object();
	if (!o || json_object_array_add(l->list, o) != 0) {
		json_object_put(o);
		return -ENOMEM;
	}
	add_text(o, "operation", op->name);
	for (size_t i = 0; cloud_drivers[i]; i++)
		if (!l->provider || !strcmp(cloud_drivers[i]->type, l->provider))
			json_object_object_add(o, cloud_drivers[i]->type,
					       json_object_new_boolean(op_cloud_slot(op, cloud_drivers[i]) != NULL));
	return 0;
}

static int run_capabilities(const struct op_call *call, struct json_object **ret, struct error *err)
{
	struct listing l = {.provider = call->params ? json_get_string(call->params, "provider") : NULL};

	if (l.provider && !cloud_driver_find(l.provider))
		return error_set(err, ERR_NOT_FOUND, "there is no kind of provider '%.64s'", l.provider);
	l.list = json_object_new_array();
	if (!l.list || op_each(add_operation, &l) != 0) {
		json_object_put(l.list);
		return error_no_memory(err);
	}
	*ret = op_items(l.list);
	return *ret ? 0 : error_no_memory(err);
}

/* ---- auth.explain ---- */

struct explained {
	struct json_object *list;
	const char *name, *type;
	int order;
};

static const char *const states[] = {
	[AUTH_ABSENT] = "absent",	[AUTH_USED] = "used",	  [AUTH_BEHIND] = "not needed",
	[AUTH_NOT_ASKED] = "not asked", [AUTH_BROKEN] = "broken",
};

static void add_step(void *arg, const char *source, enum auth_state state, const char *detail)
{
	struct explained *e = arg;
	struct json_object *o = json_object_new_object();

	if (!o)
		return; /* a row less is seen */
	add_text(o, "name", e->name);
	add_text(o, "type", e->type);
	json_object_object_add(o, "order", json_object_new_int(++e->order));
	add_text(o, "source", source);
	add_text(o, "state", states[state]);
	add_text(o, "detail", detail);
	if (json_object_array_add(e->list, o) != 0)
		json_object_put(o);
}

static const char *value_of(const struct config_store *section, const char *key)
{
	for (size_t i = 0; section && i < section->count; i++)
		if (!strcmp(section->values[i].key, key) && *section->values[i].value)
			return section->values[i].value;
	return NULL;
}

static bool flag_of(const struct config_store *section, const char *key)
{
	const char *value = value_of(section, key);
	bool is_on = false;

	return value && str_to_bool(str_of(value), &is_on) == 0 && is_on;
}

static void explain_aws(const struct cred_host *host, const struct config_store *s, struct auth_steps *steps)
{
	struct cred_aws_options o = {.access_key_id = value_of(s, "access-key-id"),
				     .secret_access_key = value_of(s, "secret-access-key"),
				     .session_token = value_of(s, "session-token"),
				     .profile = value_of(s, "profile"),
				     .is_anonymous = flag_of(s, "anonymous"),
				     .use_metadata_service = flag_of(s, "use-metadata-service")};

	auth_explain_aws(host, &o, steps);
}

static void explain_keystone(const struct cred_host *host, const struct config_store *s, enum keystone_flavour flavour,
			     struct auth_steps *steps)
{
	struct keystone_options o = {
		.flavour = flavour,
		.cloud = value_of(s, "cloud"),
		.auth_url = value_of(s, "auth-url"),
		.username = value_of(s, "username"),
		.password = value_of(s, "password"),
		.application_credential_id = value_of(s, "application-credential-id"),
		.application_credential_name = value_of(s, "application-credential-name"),
		.application_credential_secret = value_of(s, "application-credential-secret"),
		.token = value_of(s, "token"),
	};

	auth_explain_keystone(host, &o, steps);
}

static void explain_openstack(const struct cred_host *host, const struct config_store *s, struct auth_steps *steps)
{
	explain_keystone(host, s, KEYSTONE_STANDARD, steps);
}

/* Two services, each with credentials of its own: the S3 face, then all else. */
static void explain_infomaniak(const struct cred_host *host, const struct config_store *s, struct auth_steps *steps)
{
	struct auth_steps objects = {.add = steps->add, .arg = steps->arg};
	const char *key = host->getenv("INFOMANIAK_S3_ACCESS_KEY"), *secret = host->getenv("INFOMANIAK_S3_SECRET_KEY");
	bool has_pair = key && *key && secret && *secret;

	auth_step(&objects, "S3: section", value_of(s, "access-key-id") && value_of(s, "secret-access-key"),
		  "access-key-id and secret-access-key in the section");
	auth_step(&objects, "S3: INFOMANIAK_S3_*", has_pair,
		  has_pair ? "set" : "INFOMANIAK_S3_ACCESS_KEY and INFOMANIAK_S3_SECRET_KEY");
	explain_keystone(host, s, KEYSTONE_INFOMANIAK, steps);
}

static void explain_local(const struct cred_host *host, const struct config_store *s, struct auth_steps *steps)
{
	(void)host; /* a directory of this machine */
	(void)s;
	auth_step(steps, "none", true, "a directory of this machine: no credentials are needed");
}

static void explain_gcp(const struct cred_host *host, const struct config_store *s, struct auth_steps *steps)
{
	struct cred_gcp_options o = {.credentials_file = value_of(s, "credentials-file"),
				     .is_anonymous = flag_of(s, "anonymous"),
				     .use_metadata_service = flag_of(s, "use-metadata-service")};

	auth_explain_gcp(host, &o, steps);
}

static void explain_azure(const struct cred_host *host, const struct config_store *s, struct auth_steps *steps)
{
	bool has_options = value_of(s, "connection-string") || value_of(s, "account-key") || value_of(s, "sas-token") ||
			   value_of(s, "client-secret") || value_of(s, "client-certificate") || flag_of(s, "anonymous");

	auth_explain_azure(host, has_options, flag_of(s, "use-metadata-service"), steps);
}

/* One token: the section's, else the first variable that is set. */
static void explain_token(const struct cred_host *host, const struct config_store *s, const char *const *variables,
			  struct auth_steps *steps)
{
	auth_step(steps, "section", value_of(s, "token") != NULL, "token in the section");
	for (; *variables; variables++) {
		const char *value = host->getenv(*variables);

		auth_step(steps, *variables, value && *value, value && *value ? "set" : "not set");
	}
}

static void explain_coda(const struct cred_host *host, const struct config_store *s, struct auth_steps *steps)
{
	explain_token(host, s, (const char *const[]){"CODA_API_TOKEN", "CODA_API_KEY", NULL}, steps);
}

static void explain_newsletter(const struct cred_host *host, const struct config_store *s, struct auth_steps *steps)
{
	explain_token(host, s, (const char *const[]){"INFOMANIAK_NEWSLETTER_TOKEN", NULL}, steps);
}

static void explain_domains(const struct cred_host *host, const struct config_store *s, struct auth_steps *steps)
{
	explain_token(host, s, (const char *const[]){"INFOMANIAK_TOKEN", NULL}, steps);
}

static const struct explainer {
	const char *type;
	void (*fn)(const struct cred_host *host, const struct config_store *section, struct auth_steps *steps);
} explainers[] = {
	{"aws", explain_aws},		{"s3", explain_aws},	      {"gcp", explain_gcp},
	{"gcs", explain_gcp},		{"azure", explain_azure},     {"openstack", explain_openstack},
	{"swift", explain_openstack},	{"infomaniak", explain_infomaniak}, {"coda", explain_coda},
	{"infomaniak-domains", explain_domains}, {"infomaniak-newsletter", explain_newsletter}, {"local", explain_local},
};

static const char *environment(const char *name)
{
	return getenv(name);
}

static size_t explain_one(struct json_object *list, const char *name, const char *type,
			  const struct config_store *section)
{
	struct cred_host host = {.getenv = environment, .wall_s = clock_wall_s};
	struct explained e = {.list = list, .name = name, .type = type};
	struct auth_steps steps = {.add = add_step, .arg = &e};

	for (size_t i = 0; i < ARRAY_SIZE(explainers); i++)
		if (!strcmp(explainers[i].type, type)) {
			explainers[i].fn(&host, section, &steps);
			return 1;
		}
	return 0;
}

static int run_explain(const struct op_call *call, struct json_object **ret, struct error *err)
{
	static const char *const standard[] = {"aws", "gcp", "azure", "openstack", "infomaniak",
						"infomaniak-domains", "infomaniak-newsletter", "coda"};
	const char *asked = call->params ? json_get_string(call->params, "name") : NULL;
	const struct config *config = call->context ? op_context_config(call->context) : NULL;
	struct json_object *list = json_object_new_array();
	size_t found = 0;

	if (!list)
		return error_no_memory(err);
	for (size_t i = 0; config && i < config->store_count; i++)
		if (!asked || !strcmp(config->stores[i].name, asked))
			found += explain_one(list, config->stores[i].name, config->stores[i].type, &config->stores[i]);
	if (!found && asked)
		found = explain_one(list, asked, asked, NULL);
	for (size_t i = 0; !found && !asked && i < ARRAY_SIZE(standard); i++)
		(void)explain_one(list, standard[i], standard[i], NULL);
	if (!found && asked) {
		json_object_put(list);
		return error_set(err, ERR_NOT_FOUND, "'%.64s' is no section of the configuration and no kind of provider "
						     "with credentials",
				 asked);
	}
	*ret = op_items(list);
	return *ret ? 0 : error_no_memory(err);
}

static const struct record_field step_fields[] = {
	{"name", RECORD_TEXT, "the section, or the kind of provider"},
	{"type", RECORD_TEXT, "the kind of provider"},
	{"order", RECORD_INT, "its place in the search"},
	{"source", RECORD_TEXT, "where credentials may stand"},
	{"state", RECORD_TEXT, "used, not needed (one before it is used), absent, not asked, broken (the search ends)"},
	{"detail", RECORD_TEXT, "what is looked for there, or what is wrong"},
	{.name = NULL},
};
static const struct record_shape shape_step = {"step", step_fields, "name,order,source,state,detail"};

static const struct op_param explain_params[] = {
	{"name", OP_STRING, false, 64, "a section of the configuration file, or a kind of provider", .position = 1},
	OP_PARAM_END,
};
static const struct op_param capabilities_params[] = {
	{"provider", OP_STRING, false, 64, "only this kind of provider"},
	OP_PARAM_END,
};

extern const struct op meta_ops[];
const struct op meta_ops[] = {
	{.name = "capabilities",
	 .summary = "which provider has which operation",
	 .run = run_capabilities,
	 .is_quick = true,
	 .params = capabilities_params,
	 .result = OP_ITEMS,
	 .example = "skydir capabilities\nskydir capabilities --provider aws --filter aws=true"},
	{.name = "auth.explain",
	 .summary = "show each source of credentials in order, and what it found",
	 .details = "Nothing is sent and no secret is shown. With no name all sections of the configuration are explained,\n"
		    "or, without any, all kinds of providers.",
	 .run = run_explain,
	 .params = explain_params,
	 .result = OP_ITEMS,
	 .shape = &shape_step,
	 .example = "skydir auth explain\nskydir auth explain s3"},
	{.name = NULL},
};
