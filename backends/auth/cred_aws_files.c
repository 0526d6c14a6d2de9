/*
 * The shared files. A profile NAME is [NAME] in the credentials file, and [profile NAME] in the
 * config file, where the default one may be [default] too ([profile default] goes first). Names may
 * stand in quotes. Source: docs.aws.amazon.com/sdkref/latest/guide/file-format.html (2026-11).
 */
#include "backends/auth/cred_source.h"

static const char *host_getenv(const struct cred_host *host, const char *name)
{
	const char *value = host->getenv(name);

	return value && *value ? value : NULL;
}

char *cred_home_path(const struct cred_host *host, const char *below_home)
{
	const char *home = host_getenv(host, "HOME");

	return home ? str_format("%s/%s", home, below_home) : NULL;
}

/* What the variable says ("~/" being the home), else the usual place. NULL: no home. */
static char *file_path(const struct cred_host *host, const char *variable, const char *below_home)
{
	const char *value = host_getenv(host, variable);

	if (!value)
		return cred_home_path(host, below_home);
	if (value[0] == '~' && value[1] == '/' && host_getenv(host, "HOME"))
		return cred_home_path(host, value + 2);
	return strdup(value);
}

static int load_one(const char *path, struct ini *ret, struct error *err)
{
	struct error why = ERROR_INIT;
	int r = path ? ini_load(path, INI_AWS, ret, &why) : 0;

	if (r < 0 && why.kind == ERR_NOT_FOUND)
		return 0;
	if (r < 0 && err)
		*err = why;
	return r;
}

int cred_files_load(const struct cred_host *host, struct cred_files *ret, struct error *err)
{
	CLEANUP(cred_files_release) struct cred_files files = CRED_FILES_INIT;
	int r;

	files.config_path = file_path(host, "AWS_CONFIG_FILE", ".aws/config");
	files.credentials_path = file_path(host, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
	if ((r = load_one(files.config_path, &files.config, err)) < 0 ||
	    (r = load_one(files.credentials_path, &files.credentials, err)) < 0)
		return r;
	*ret = files;
	files = CRED_FILES_INIT;
	return 0;
}

void cred_files_release(struct cred_files *f)
{
	/* The credentials file holds keys: its memory is wiped as far as it is known. */
	for (size_t i = 0; i < f->credentials.count; i++) {
		const char *value = f->credentials.entries[i].value;

		if (value)
			explicit_bzero((char *)(uintptr_t)value, strlen(value));
	}
	ini_release(&f->config);
	ini_release(&f->credentials);
	free(f->config_path);
	free(f->credentials_path);
	*f = CRED_FILES_INIT;
}

/* Whether a section's header is `KIND NAME` (kind NULL: just NAME), the name perhaps in quotes. */
static bool is_section(const char *header, const char *kind, const char *name)
{
	struct str text = str_trim(str_of(header));

	if (kind) {
		size_t len = strlen(kind);

		if (!str_starts(text, kind) || text.len == len ||
		    (text.ptr[len] != ' ' && text.ptr[len] != '\t'))
			return false;
		text = str_trim((struct str){text.ptr + len, text.len - len});
	}
	if (text.len >= 2 && (text.ptr[0] == '"' || text.ptr[0] == '\'') &&
	    text.ptr[text.len - 1] == text.ptr[0])
		text = (struct str){text.ptr + 1, text.len - 2};
	return str_equal(text, str_of(name));
}

/* The last value of the key (NULL: any row) in the sections of that name. */
static const struct ini_entry *find(const struct ini *ini, const char *kind, const char *name,
				    const char *key)
{
	const struct ini_entry *found = NULL;

	for (size_t i = 0; i < ini->count; i++) {
		const struct ini_entry *e = &ini->entries[i];

		if (key && (!e->key || strcasecmp(e->key, key) != 0))
			continue;
		if (is_section(e->section, kind, name))
			found = e;
	}
	return found;
}

static const struct ini_entry *find_in_config(const struct cred_files *f, const char *profile,
					      const char *key)
{
	const struct ini_entry *e = find(&f->config, "profile", profile, key);

	if (!e && strcmp(profile, "default") == 0)
		e = find(&f->config, NULL, profile, key);
	return e;
}

bool cred_files_has_profile(const struct cred_files *f, const char *profile)
{
	return find(&f->credentials, NULL, profile, NULL) || find_in_config(f, profile, NULL);
}

const char *cred_files_get(const struct cred_files *f, const char *profile, const char *key)
{
	const struct ini_entry *e = find(&f->credentials, NULL, profile, key);

	if (!e)
		e = find_in_config(f, profile, key);
	return e && e->value && *e->value ? e->value : NULL;
}

const char *cred_files_get_section(const struct cred_files *f, const char *kind, const char *name,
				   const char *key)
{
	const struct ini_entry *e = find(&f->config, kind, name, key);

	return e && e->value && *e->value ? e->value : NULL;
}

const char *cred_profile_name(const struct cred_host *host, const char *explicit_name)
{
	const char *name = explicit_name;

	if (!name)
		name = host_getenv(host, "AWS_PROFILE");
	if (!name)
		name = host_getenv(host, "AWS_DEFAULT_PROFILE");
	return name ? name : "default";
}

char *cred_aws_profile_value(const struct cred_host *host, const char *profile, const char *key)
{
	CLEANUP(cred_files_release) struct cred_files files = CRED_FILES_INIT;
	const char *value;

	/* Whoever fetches credentials from these files reports what is wrong with them. */
	if (cred_files_load(host, &files, NULL) < 0)
		return NULL;
	value = cred_files_get(&files, cred_profile_name(host, profile), key);
	return value ? strdup(value) : NULL;
}

char *cred_aws_region(const struct cred_host *host, const char *profile)
{
	const char *region = host_getenv(host, "AWS_REGION");

	if (!region)
		region = host_getenv(host, "AWS_DEFAULT_REGION");
	return region ? strdup(region) : cred_aws_profile_value(host, profile, "region");
}
