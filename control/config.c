#include "control/config.h"

#include "control/budget.h"
#include "control/paths.h"
#include "control/telemetry.h"
#include "control/text.h"

#include <sys/stat.h>

void config_release(struct config *c)
{
	fs_options_release(&c->options);
	ini_release(&c->ini);
	free(c->path);
	free(c->warning);
	*c = CONFIG_INIT;
}

int config_check_store_name(const char *name, const char *origin, struct error *err)
{
	size_t len = strlen(name);

	if (!len)
		return error_set(err, ERR_CONFIG, "%s: a store needs a name", origin);
	if (len > CONFIG_STORE_NAME_MAX)
		return error_set(err, ERR_CONFIG, "%s: the name of a store is at most %d bytes",
				 origin, CONFIG_STORE_NAME_MAX);
	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			return error_set(err, ERR_CONFIG,
					 "%s: the name of a store has a control character", origin);
	if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return error_set(err, ERR_CONFIG, "%s: '%s' cannot be the name of a directory",
				 origin, name);
	if (!strcmp(name, "skydir"))
		return error_set(err, ERR_CONFIG, "%s: 'skydir' is not a store", origin);
	return 0;
}

static struct config_store *find_store(struct config *c, const char *name)
{
	for (size_t i = 0; i < c->store_count; i++)
		if (!strcmp(c->stores[i].name, name))
			return &c->stores[i];
	return NULL;
}

static const char *origin_of(struct config *c, const struct ini_entry *e)
{
	char *line = str_format("%s:%u", c->path, e->line);
	char *origin = line ? arena_strdup(&c->ini.arena, line) : NULL;

	free(line);
	return origin;
}

static int add_store(struct config *c, const struct ini_entry *e, const char *origin,
		     struct error *err)
{
	struct config_store *s;
	int r = config_check_store_name(e->section, origin, err);

	if (r < 0 || find_store(c, e->section))
		return r;
	if (c->store_count == CONFIG_STORES_MAX)
		return error_set(err, ERR_CONFIG, "%s: more than %d stores", origin,
				 CONFIG_STORES_MAX);
	s = &c->stores[c->store_count++];
	*s = (struct config_store){.name = e->section, .origin = origin};
	/* No section has more keys than the file has entries. */
	s->values = arena_alloc(&c->ini.arena, sizeof *s->values * c->ini.count);
	return s->values ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int take_entry(struct config *c, const struct ini_entry *e, struct error *err)
{
	const char *origin = origin_of(c, e);
	struct config_store *s;

	if (!origin)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (!e->section[0])
		return error_set(err, ERR_CONFIG, "%s: '%s' stands before the first [section]",
				 origin, e->key ? e->key : "");
	if (!strcmp(e->section, "skydir"))
		return e->key ? fs_options_set(&c->options, e->key, e->value, origin, err) : 0;
	if (!e->key)
		return add_store(c, e, origin, err);
	s = find_store(c, e->section);
	if (!s)
		return error_set(err, ERR_CONFIG, "%s: '%s' stands outside a section", origin,
				 e->key);
	if (!strcmp(e->key, "type")) {
		s->type = e->value;
		s->origin = origin;
		return 0;
	}
	s->values[s->count++] =
		(struct provider_value){.key = e->key, .value = e->value, .origin = origin};
	return 0;
}

/* Sections that are neither a store nor a provider. */
static const struct {
	const char *type;
	const struct provider_option *options;
} own_types[] = {
	{"budget", budget_options},
	{"telemetry", telemetry_options},
};

static const struct provider_option *own_options(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_types); i++)
		if (!strcmp(own_types[i].type, type))
			return own_types[i].options;
	return NULL;
}

static int unknown_type(const struct config_store *s, struct error *err)
{
	CLEANUP(buf_release) struct buf known = BUF_INIT(160);
	int r = 0;

	for (size_t i = 0; providers[i] && r == 0; i++)
		r = buf_addf(&known, "%s%s", i ? ", " : "", providers[i]->type);
	for (size_t i = 0; cloud_drivers[i] && r == 0; i++)
		if (!provider_find(cloud_drivers[i]->type))
			r = buf_addf(&known, ", %s", cloud_drivers[i]->type);
	for (size_t i = 0; i < ARRAY_SIZE(own_types) && r == 0; i++)
		r = buf_addf(&known, ", %s", own_types[i].type);
	if (!s->type)
		return error_set(err, ERR_CONFIG, "%s: store '%s' needs a 'type' (known: %s)",
				 s->origin, s->name, buf_cstr(&known));
	return error_set(err, ERR_CONFIG, "%s: unknown type '%s' of store '%s' (known: %s)",
			 s->origin, s->type, s->name, buf_cstr(&known));
}

/* Of the store and of the driver of a section's type, or of one of our own; any may be missing. */
struct option_tables {
	const struct provider_option *rows[3]; /* each NULL or ended by key NULL */
};

static struct option_tables tables_of(const struct config_store *s)
{
	const struct provider *p = s->is_store ? provider_find(s->type) : NULL;

	return (struct option_tables){{p ? p->options : NULL, s->driver ? s->driver->options : NULL, own_options(s->type)}};
}

static const struct provider_option *find_option(const struct option_tables *t, const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(t->rows); i++)
		for (const struct provider_option *o = t->rows[i]; o && o->key; o++)
			if (!strcmp(o->key, key))
				return o;
	return NULL;
}

static int unknown_key(const struct option_tables *t, const struct config_store *s,
		       const struct provider_value *v, struct error *err)
{
	CLEANUP(buf_release) struct buf known = BUF_INIT(90); /* a message has 256 bytes */
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(t->rows); i++)
		for (const struct provider_option *o = t->rows[i]; o && o->key; o++)
			if (text_is_near(v->key, o->key))
				return error_set(err, ERR_CONFIG,
						 "%s: unknown key '%s' in [%s] (did you mean '%s'?)",
						 v->origin, v->key, s->name, o->key);
	for (size_t i = 0; i < ARRAY_SIZE(t->rows); i++)
		for (const struct provider_option *o = t->rows[i]; o && o->key && r == 0; o++)
			r = buf_addf(&known, "%s%s", known.len ? ", " : "", o->key);
	return error_set(err, ERR_CONFIG, "%s: unknown key '%s' in [%s], a %s of type '%s' (it has: %s%s)", v->origin, v->key, s->name,
			 s->is_store ? "store" : "section", s->type, buf_cstr(&known), r < 0 ? ", ..." : "");
}

/* Types and keys of one store; tells whether it holds a secret. */
static int check_store(struct config_store *s, bool *ret_has_secret, struct error *err)
{
	const struct provider *p = provider_find(s->type ? s->type : s->name);
	struct option_tables tables;

	s->driver = cloud_driver_find(s->type ? s->type : s->name);
	s->is_store = p != NULL;
	if (!p && !s->driver && !own_options(s->type ? s->type : s->name))
		return unknown_type(s, err);
	if (p || s->driver)
		s->type = p ? p->type : s->driver->type;
	else if (!s->type)
		s->type = s->name;
	tables = tables_of(s);
	for (size_t i = 0; i < s->count; i++) {
		const struct provider_option *o = find_option(&tables, s->values[i].key);

		if (!o)
			return unknown_key(&tables, s, &s->values[i], err);
		if (o->is_secret)
			*ret_has_secret = true;
	}
	return 0;
}

static int check_stores(struct config *c, struct error *err)
{
	bool has_secret = false;
	struct stat st;

	for (size_t i = 0; i < c->store_count; i++) {
		int r = check_store(&c->stores[i], &has_secret, err);

		if (r < 0)
			return r;
	}
	if (!has_secret || stat(c->path, &st) < 0 || !(st.st_mode & 077))
		return 0;
	c->warning =
		str_format("'%s' holds secrets and others may read it (chmod 600 it)", c->path);
	return c->warning ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int load_file(struct config *c, bool is_needed, struct error *err)
{
	int r = ini_load(c->path, INI_SKYDIR, &c->ini, err);

	if (r < 0 && err->kind == ERR_NOT_FOUND && !is_needed) {
		*err = ERROR_INIT;
		return 0;
	}
	if (r < 0)
		return r;
	c->has_file = true;
	for (size_t i = 0; i < c->ini.count; i++) {
		r = take_entry(c, &c->ini.entries[i], err);
		if (r < 0)
			return r;
	}
	return check_stores(c, err);
}

char *config_find_path(const char *path, bool *ret_is_needed)
{
	const char *from_env = getenv("SKYDIR_CONFIG");
	const char *wanted = path ? path : from_env && from_env[0] ? from_env : NULL;

	*ret_is_needed = wanted != NULL;
	return wanted ? str_dup(str_of(wanted)) : paths_config_file();
}

int config_load(const char *path, struct config *ret, struct error *err)
{
	CLEANUP(config_release) struct config c = CONFIG_INIT;
	bool is_needed = false;
	int r = fs_options_init(&c.options, err);

	if (r < 0)
		return r;
	c.path = config_find_path(path, &is_needed);
	if (!c.path)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = load_file(&c, is_needed, err);
	if (r < 0)
		return r;
	*ret = c;
	c = CONFIG_INIT;
	return 0;
}

/* Whether a key would hold a secret: one of a provider's, or one that sounds like it. */
static bool is_secret_key(struct str key)
{
	static const char *const words[] = {"secret", "password",   "passwd",
					    "token",  "credential", "access-key"};
	char name[64] = "";

	memcpy(name, key.ptr, key.len < sizeof name - 1 ? key.len : sizeof name - 1);
	for (size_t i = 0; providers[i]; i++)
		for (const struct provider_option *o = providers[i]->options; o && o->key; o++)
			if (o->is_secret && !strcasecmp(o->key, name))
				return true;
	for (size_t i = 0; cloud_drivers[i]; i++)
		for (const struct provider_option *o = cloud_drivers[i]->options; o->key; o++)
			if (o->is_secret && !strcasecmp(o->key, name))
				return true;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasestr(name, words[i]))
			return true;
	return false;
}

int config_add_options(struct config *c, const char *list, struct error *err)
{
	struct str rest = str_of(list), item;

	while ((item = str_split(&rest, ',')).ptr) {
		struct str pair = item;
		struct str key = str_trim(str_split(&pair, '='));

		if (key.ptr && key.len && is_secret_key(key))
			return error_set(
				err, ERR_INVALID,
				"-o '%.*s': a secret on the command line is seen by everybody "
				"(put it into the configuration file)",
				(int)(key.len < 40 ? key.len : 40), key.ptr);
	}
	return fs_options_parse(&c->options, list, err);
}

static int make_absolute(char **path, struct error *err)
{
	char *absolute;

	if (!*path || !(*path)[0] || (*path)[0] == '/')
		return 0;
	absolute = paths_absolute(*path);
	if (!absolute)
		return error_errno(err, errno, "cannot resolve '%s'", *path);
	free(*path);
	*path = absolute;
	return 0;
}

int config_fix_paths(struct config *c, struct error *err)
{
	int r = make_absolute(&c->options.cache_dir, err);

	return r < 0 ? r : make_absolute(&c->options.log_file, err);
}
