#include "backends/auth/cred_keystone_config.h"

#include "backends/base/fileio.h"
#include "backends/base/yaml_json.h"

#include <ctype.h>
#include <stdio.h>

/* Names in options, in clouds.yaml's auth section, and of variables behind "OS_". */
static const struct {
	const char *key;
	size_t option; /* offset in struct keystone_options */
	const char *variable, *infomaniak;
} rows[] = {
	{ "auth_url", offsetof(struct keystone_options, auth_url), "OS_AUTH_URL", "INFOMANIAK_AUTH_URL" },
	{ "username", offsetof(struct keystone_options, username), "OS_USERNAME", NULL },
	{ "user_id", offsetof(struct keystone_options, user_id), "OS_USER_ID", NULL },
	{ "password", offsetof(struct keystone_options, password), "OS_PASSWORD", NULL },
	{ "user_domain_name", offsetof(struct keystone_options, user_domain_name), "OS_USER_DOMAIN_NAME", NULL },
	{ "user_domain_id", offsetof(struct keystone_options, user_domain_id), "OS_USER_DOMAIN_ID", NULL },
	{ "project_name", offsetof(struct keystone_options, project_name), "OS_PROJECT_NAME", NULL },
	{ "project_id", offsetof(struct keystone_options, project_id), "OS_PROJECT_ID", "INFOMANIAK_PROJECT_ID" },
	{ "project_domain_name", offsetof(struct keystone_options, project_domain_name), "OS_PROJECT_DOMAIN_NAME", NULL },
	{ "project_domain_id", offsetof(struct keystone_options, project_domain_id), "OS_PROJECT_DOMAIN_ID", NULL },
	{ "application_credential_id", offsetof(struct keystone_options, application_credential_id),
	  "OS_APPLICATION_CREDENTIAL_ID", "INFOMANIAK_APP_CREDENTIAL_ID" },
	{ "application_credential_name", offsetof(struct keystone_options, application_credential_name),
	  "OS_APPLICATION_CREDENTIAL_NAME", NULL },
	{ "application_credential_secret", offsetof(struct keystone_options, application_credential_secret),
	  "OS_APPLICATION_CREDENTIAL_SECRET", "INFOMANIAK_APP_CREDENTIAL_SECRET" },
	{ "token", offsetof(struct keystone_options, token), "OS_TOKEN", NULL },
};

const char *keystone_config_name(const struct keystone_config *c, const char *key, char ret[64])
{
	const char *name = key;

	for (size_t i = 0; i < ARRAY_SIZE(rows) && c->spelling > KEYSTONE_OF_OPTIONS; i++)
		if (!strcmp(rows[i].key, key))
			name = c->spelling == KEYSTONE_OF_INFOMANIAK && rows[i].infomaniak ? rows[i].infomaniak : rows[i].variable;
	(void)snprintf(ret, 64, "%s", name); /* they are short */
	for (char *at = ret; c->spelling == KEYSTONE_OF_OPTIONS && *at; at++)
		*at = *at == '_' ? '-' : *at;
	return ret;
}

void keystone_config_release(struct keystone_config *c)
{
	json_object_put(c->auth);
	json_object_put(c->cloud);
	free(c->origin);
	free(c->region);
	free(c->interface);
	*c = KEYSTONE_CONFIG_INIT;
}

static int set(struct keystone_config *c, const char *key, const char *value, struct error *err)
{
	struct json_object *text;

	if (!value || !*value)
		return 0;
	if (!c->auth)
		c->auth = json_object_new_object();
	text = json_object_new_string(value);
	if (!c->auth || !text || json_object_object_add(c->auth, key, text) != 0) {
		json_object_put(text);
		return error_no_memory(err);
	}
	return 0;
}

static bool has(const struct keystone_config *c, const char *key)
{
	return c->auth && json_object_object_get_ex(c->auth, key, NULL);
}

/* What signs in: a secret of some kind. */
static bool has_secret(const struct keystone_config *c)
{
	return has(c, "application_credential_secret") || has(c, "application_credential_id") || has(c, "password") ||
	       has(c, "token");
}

static const char *option_of(const struct keystone_options *options, size_t row)
{
	return *(const char *const *)(const void *)((const char *)options + rows[row].option);
}

static int add_options(const struct keystone_options *options, struct keystone_config *c, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows) && r == 0; i++)
		r = set(c, rows[i].key, option_of(options, i), err);
	return r;
}

static int name_origin(struct keystone_config *c, char *text, struct error *err)
{
	free(c->origin);
	c->origin = text;
	return text ? 0 : error_no_memory(err);
}

static int set_place(char **place, const char *value, struct error *err)
{
	if (!value || !*value || *place)
		return 0;
	*place = strdup(value);
	return *place ? 0 : error_no_memory(err);
}

/* ---- clouds.yaml ---- */

static int load_yaml(const char *path, struct json_object **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(YAML_JSON_BYTES);
	int r = fileio_read_file(path, &text, err);

	return r < 0 ? r : yaml_to_json(path, buf_str(&text), ret, err);
}

/* Where clouds.yaml may stand; heap strings, ended by NULL. */
static size_t places(const struct cred_context *c, char *ret[4])
{
	const char *named = cred_getenv(c, "OS_CLIENT_CONFIG_FILE"), *home = cred_getenv(c, "HOME"),
		   *config = cred_getenv(c, "XDG_CONFIG_HOME");
	size_t count = 0;

	if (named)
		ret[count++] = strdup(named);
	ret[count++] = strdup("clouds.yaml");
	if (config)
		ret[count++] = str_format("%s/openstack/clouds.yaml", config);
	else if (home)
		ret[count++] = str_format("%s/.config/openstack/clouds.yaml", home);
	if (count < 4)
		ret[count++] = strdup("/etc/openstack/clouds.yaml");
	return count;
}

/* The first that is there; CRED_ABSENT when none is. */
static int find_clouds(const struct cred_context *c, char **ret_path, struct json_object **ret, struct error *err)
{
	char *all[4] = { NULL };
	size_t count = places(c, all);
	int r = CRED_ABSENT;

	for (size_t i = 0; i < count; i++) {
		if (r == CRED_ABSENT && all[i] && access(all[i], F_OK) == 0) {
			r = load_yaml(all[i], ret, err);
			if (r == 0)
				*ret_path = steal(all[i]);
		}
		free(all[i]);
	}
	return r;
}

/* secure.yaml beside it holds the same tree with the secrets alone. */
static int find_secure(const char *path, struct json_object **ret, struct error *err)
{
	const char *slash = strrchr(path, '/');
	CLEANUP(freep) char *secure =
		str_format("%.*ssecure.yaml", slash ? (int)(slash - path + 1) : 0, path);

	if (!secure)
		return error_no_memory(err);
	return access(secure, F_OK) == 0 ? load_yaml(secure, ret, err) : 0;
}

static int add_members(struct keystone_config *c, struct json_object *auth, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows) && r == 0; i++) {
		struct json_object *value = NULL;

		if (json_object_is_type(auth, json_type_object) &&
		    json_object_object_get_ex(auth, rows[i].key, &value) && value)
			r = set(c, rows[i].key, json_object_get_string(value), err);
	}
	return r;
}

/* "region_name: x", or "regions: [x]" where there is only one. */
static int add_cloud(struct keystone_config *c, struct json_object *cloud, struct error *err)
{
	struct json_object *regions = json_get_array(cloud, "regions");
	const char *region = json_get_string(cloud, "region_name");
	int r = add_members(c, json_get(cloud, "auth"), err);

	if (!region && regions && json_object_array_length(regions) == 1)
		region = json_object_get_string(json_object_array_get_idx(regions, 0));
	if (r == 0)
		r = set_place(&c->region, region, err);
	if (r == 0)
		r = set_place(&c->interface, json_get_string(cloud, "interface"), err);
	return r;
}

static struct json_object *member(struct json_object *o, const char *name)
{
	struct json_object *value = NULL;

	if (json_object_is_type(o, json_type_object))
		(void)json_object_object_get_ex(o, name, &value); /* absent: NULL */
	return value;
}

static int no_such_cloud(const char *name, const char *path, struct json_object *clouds, struct error *err)
{
	CLEANUP(buf_release) struct buf known = BUF_INIT(80);

	if (json_object_is_type(clouds, json_type_object)) {
		json_object_object_foreach(clouds, each, value)
		{
			(void)value; /* only the names */
			if (buf_addf(&known, "%s%s", known.len ? ", " : "", each) < 0)
				break; /* as many as fit */
		}
	}
	return error_set(err, ERR_CONFIG, "'%.100s' has no cloud '%.64s' (it has: %s)", path, name,
			 known.len ? buf_cstr(&known) : "none");
}

/* name NULL: the only one there is. */
static int from_clouds(const struct cred_context *c, const char *name, struct keystone_config *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *document = NULL;
	CLEANUP(json_putp) struct json_object *secure = NULL;
	CLEANUP(freep) char *path = NULL;
	struct json_object *clouds, *cloud;
	int r = find_clouds(c, &path, &document, err);

	if (r != 0)
		return r == CRED_ABSENT && name ? error_set(err, ERR_CONFIG,
							    "cloud '%.64s' is asked for and there is no clouds.yaml "
							    "(OS_CLIENT_CONFIG_FILE names one)",
							    name) :
						  r;
	clouds = member(document, "clouds");
	if (!name) {
		if (!json_object_is_type(clouds, json_type_object) || json_object_object_length(clouds) != 1)
			return CRED_ABSENT;
		json_object_object_foreach(clouds, only, value)
		{
			(void)value; /* only the name */
			name = only;
		}
	}
	cloud = member(clouds, name);
	if (!json_object_is_type(cloud, json_type_object))
		return no_such_cloud(name, path, clouds, err);
	r = find_secure(path, &secure, err);
	if (r == 0)
		r = add_cloud(ret, cloud, err);
	if (r == 0 && secure)
		r = add_cloud(ret, member(member(secure, "clouds"), name), err);
	if (r < 0)
		return r;
	ret->cloud = json_object_get(cloud);
	return name_origin(ret, str_format("cloud '%s' of '%s'", name, path), err);
}

/* ---- variables ---- */

static int from_variables(const struct cred_context *c, enum keystone_flavour flavour, struct keystone_config *ret,
			  struct error *err)
{
	static const char *const regions[] = { "OS_REGION_NAME", "INFOMANIAK_REGION" };
	bool is_infomaniak = flavour == KEYSTONE_INFOMANIAK;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows) && r == 0; i++) {
		const char *name = is_infomaniak ? rows[i].infomaniak : rows[i].variable;

		if (name && !has(ret, rows[i].key))
			r = set(ret, rows[i].key, cred_getenv(c, name), err);
	}
	if (r == 0)
		r = set_place(&ret->region, cred_getenv(c, regions[is_infomaniak]), err);
	if (r == 0 && !is_infomaniak)
		r = set_place(&ret->interface, cred_getenv(c, "OS_INTERFACE"), err);
	if (r == 0 && is_infomaniak && !has(ret, "auth_url"))
		r = set(ret, "auth_url", KEYSTONE_INFOMANIAK_URL, err);
	ret->spelling = is_infomaniak ? KEYSTONE_OF_INFOMANIAK : KEYSTONE_OF_VARIABLES;
	return r < 0 ? r : name_origin(ret, strdup(is_infomaniak ? "the INFOMANIAK_* variables" : "the OS_* variables"), err);
}

static bool has_variables(const struct cred_context *c, enum keystone_flavour flavour)
{
	if (flavour == KEYSTONE_INFOMANIAK)
		return cred_getenv(c, "INFOMANIAK_APP_CREDENTIAL_ID") || cred_getenv(c, "INFOMANIAK_APP_CREDENTIAL_SECRET");
	return cred_getenv(c, "OS_AUTH_URL") != NULL;
}

/* ---- the order ---- */

static int find(const struct cred_context *c, const struct keystone_options *options, struct keystone_config *ret,
		struct error *err)
{
	const char *cloud = options->cloud ? options->cloud : cred_getenv(c, "OS_CLOUD");
	bool is_infomaniak = options->flavour == KEYSTONE_INFOMANIAK;

	if (is_infomaniak && !options->cloud && has_variables(c, KEYSTONE_INFOMANIAK))
		return from_variables(c, KEYSTONE_INFOMANIAK, ret, err);
	if (is_infomaniak && !options->cloud)
		return CRED_ABSENT; /* OS_* may be another provider's */
	if (cloud && strcmp(cloud, "envvars") != 0)
		return from_clouds(c, cloud, ret, err);
	if (has_variables(c, KEYSTONE_STANDARD))
		return from_variables(c, KEYSTONE_STANDARD, ret, err);
	return cloud ? CRED_ABSENT : from_clouds(c, NULL, ret, err);
}

int keystone_config_find(const struct cred_context *c, const struct keystone_options *options,
			 struct keystone_config *ret, struct error *err)
{
	CLEANUP(keystone_config_release) struct keystone_config own = KEYSTONE_CONFIG_INIT;
	int r = add_options(options, &own, err);
	bool is_whole = has_secret(&own);

	if (r == 0 && is_whole && !has(&own, "auth_url") && options->flavour == KEYSTONE_INFOMANIAK)
		r = set(&own, "auth_url", cred_getenv(c, "INFOMANIAK_AUTH_URL") ?
						  cred_getenv(c, "INFOMANIAK_AUTH_URL") :
						  KEYSTONE_INFOMANIAK_URL, err);
	own.spelling = is_whole ? KEYSTONE_OF_OPTIONS : KEYSTONE_OF_CLOUDS;
	if (r == 0 && is_whole)
		r = name_origin(&own, strdup("the configuration"), err);
	else if (r == 0)
		r = find(c, options, &own, err);
	if (r == 0) /* what the options say goes before what was found */
		r = add_options(options, &own, err);
	if (r != 0)
		return r;
	if (options->region) {
		free(own.region);
		own.region = NULL;
		r = set_place(&own.region, options->region, err);
	}
	if (r == 0 && options->interface) {
		free(own.interface);
		own.interface = NULL;
		r = set_place(&own.interface, options->interface, err);
	}
	if (r < 0)
		return r;
	*ret = own;
	own = KEYSTONE_CONFIG_INIT;
	return 0;
}

const char *keystone_config_override(const struct cred_context *c, const struct keystone_config *config,
				     const char *type)
{
	char key[96], variable[96];
	struct json_object *value;
	size_t i;

	if (snprintf(key, sizeof key, "%s_endpoint_override", type) >= (int)sizeof key ||
	    snprintf(variable, sizeof variable, "OS_%s_ENDPOINT_OVERRIDE", type) >= (int)sizeof variable)
		return NULL;
	for (i = 0; key[i]; i++)
		if (key[i] == '-')
			key[i] = '_';
	for (i = 0; variable[i]; i++)
		variable[i] = (char)(variable[i] == '-' ? '_' : toupper((unsigned char)variable[i]));
	value = config->cloud ? member(config->cloud, key) : NULL;
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : cred_getenv(c, variable);
}
