#include "control/context.h"

#include "backends/base/hash.h"
#include "backends/base/log.h"
#include "backends/clouds.h"
#include "backends/http/engine.h"
#include "control/meter.h"
#include "control/paths.h"

#include <stdio.h>
#include <sys/stat.h>

#define CONNECTIONS_MAX 256 /* profiles and regions are the callers' words */

struct connection {
	char *key; /* name, profile and region, each ended by a line feed */
	struct cloud *cloud;
	struct connection *next;
};
struct op_context {
	const struct config *config;	/* borrowed */
	const struct store_set *shared; /* of the mount, borrowed; or NULL */
	struct lock lock;
	struct store_set own;		 /* guarded by lock; all that are configured */
	bool has_own;			 /* guarded by lock */
	const char **names;		 /* guarded by lock; of the stores */
	struct http_engine *engine;	 /* guarded by lock; ours, when no store set has one */
	struct backend_context backend;	 /* guarded by lock; immutable once backend.engine is set */
	char *data_home;		 /* guarded by lock */
	struct connection *connections;	 /* guarded by lock; what they hold stays until the end */
	size_t connection_count;	 /* guarded by lock */
};

static const char *environment(const char *name)
{
	return getenv(name);
}

int op_context_new(const struct config *config, const struct store_set *stores, struct op_context **ret,
		   struct error *err)
{
	/* The daemon of a mount did it before its stores were opened. */
	int r = config && !stores ? meter_configure(config, err) : 0;
	struct op_context *c = r == 0 ? calloc(1, sizeof *c) : NULL;

	if (r < 0)
		return r;
	if (!c)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	lock_init_ranked(&c->lock, LOCK_CONTROL);
	c->config = config;
	c->shared = stores;
	c->own = STORE_SET_INIT;
	*ret = c;
	return 0;
}

void op_context_free(struct op_context *c)
{
	if (!c)
		return;
	while (c->connections) {
		struct connection *n = c->connections;

		c->connections = n->next;
		cloud_free(n->cloud);
		free(n->key);
		free(n);
	}
	store_set_release(&c->own);
	http_engine_free(c->engine);
	free(c->names);
	free(c->data_home);
	lock_destroy(&c->lock);
	free(c);
}

const struct config *op_context_config(const struct op_context *c)
{
	return c->config;
}

static void log_skip(const char *name, const struct error *why)
{
	log_info("store.skipped", "store='%s' reason='%s'", name, why->message);
}

/* Opens all stores that are configured, once. */
static int open_stores_locked(struct op_context *c, struct error *err)
{
	struct store_plan plan;
	int r;

	if (c->has_own)
		return 0;
	r = store_plan_make(c->config, NULL, &plan, err);
	if (r == 0)
		r = store_set_open(&plan, log_skip, &c->own, err);
	c->has_own = r == 0;
	return r;
}

static struct store *find_store(const struct store_set *set, const char *name)
{
	for (size_t i = 0; set && i < set->count; i++)
		if (!strcmp(set->stores[i]->name, name))
			return set->stores[i];
	return NULL;
}

static int no_such_store(const struct store_set *stores, const char *name, struct error *err)
{
	CLEANUP(buf_release) struct buf known = BUF_INIT(160);

	for (size_t i = 0; i < stores->count; i++)
		if (buf_addf(&known, "%s%s", i ? ", " : "", stores->stores[i]->name) < 0)
			break;
	return error_set(err, ERR_NOT_FOUND, "there is no store '%.64s' (there are: %s)", name,
			 buf_cstr(&known));
}

int op_context_store(struct op_context *c, const char *name, struct store **ret, struct error *err)
{
	int r;

	LOCKED(&c->lock);
	*ret = find_store(c->shared, name); /* a mount may hold only one of those configured */
	if (*ret)
		return 0;
	r = open_stores_locked(c, err);
	if (r < 0)
		return r;
	*ret = find_store(&c->own, name);
	return *ret ? 0 : no_such_store(&c->own, name, err);
}

int op_context_store_names(struct op_context *c, const char *const **ret_names, size_t *ret_count,
			   struct error *err)
{
	int r;

	LOCKED(&c->lock);
	r = open_stores_locked(c, err);
	if (r < 0)
		return r;
	if (!c->names) {
		c->names = calloc(c->own.count + 1, sizeof *c->names);
		if (!c->names)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		for (size_t i = 0; i < c->own.count; i++)
			c->names[i] = c->own.stores[i]->name;
	}
	*ret_names = c->names;
	*ret_count = c->own.count;
	return 0;
}

static int backend_locked(struct op_context *c, struct error *err)
{
	struct http_engine_options options = {.user_agent = NULL}; /* zeros mean the defaults */
	const char *home = getenv("HOME");
	int r = 0;

	if (c->backend.engine)
		return 0;
	if (c->shared && c->shared->context) {
		c->backend = *c->shared->context;
		return 0;
	}
	if (c->has_own) {
		c->backend = *c->own.context;
		return 0;
	}
	if (!c->data_home)
		c->data_home = paths_data_home();
	if (!c->data_home)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = http_engine_new(&options, &c->engine, err);
	if (r < 0)
		return r;
	c->backend = (struct backend_context){.engine = c->engine,
					      .getenv = environment,
					      .home = home ? home : "/",
					      .xdg_data_home = c->data_home};
	return 0;
}

int op_context_backend(struct op_context *c, const struct backend_context **ret, struct error *err)
{
	int r;

	LOCKED(&c->lock);
	r = backend_locked(c, err);
	if (r == 0)
		*ret = &c->backend;
	return r;
}

size_t op_context_clouds(struct op_context *c, struct op_cloud_place ret[OP_CLOUDS_MAX])
{
	CLEANUP(freep) char *data_home = paths_data_home();
	const char *home = getenv("HOME");
	struct backend_context look = {
		.getenv = environment, .home = home ? home : "/", .xdg_data_home = data_home};
	size_t count = 0;

	for (size_t i = 0; c->config && i < c->config->store_count && count < OP_CLOUDS_MAX; i++)
		if (c->config->stores[i].driver)
			ret[count++] = (struct op_cloud_place){c->config->stores[i].name,
							       c->config->stores[i].driver};
	if (count || !data_home)
		return count;
	for (size_t i = 0; cloud_drivers[i] && count < OP_CLOUDS_MAX; i++)
		if (cloud_drivers[i]->is_configured(&look))
			ret[count++] =
				(struct op_cloud_place){cloud_drivers[i]->type, cloud_drivers[i]};
	return count;
}

static const struct config_store *section_of(const struct op_context *c, const char *name)
{
	for (size_t i = 0; c->config && i < c->config->store_count; i++)
		if (!strcmp(c->config->stores[i].name, name))
			return &c->config->stores[i];
	return NULL;
}

static int open_locked(struct op_context *c, const struct op_cloud_place *place, char *key,
		       const char *profile, const char *region, struct cloud **ret, struct error *err)
{
	const struct config_store *section = section_of(c, place->name);
	struct cloud_settings settings = {.name = place->name,
					  .values = section ? section->values : NULL,
					  .count = section ? section->count : 0,
					  .profile = profile,
					  .region = region};
	struct connection *n = c->connection_count < CONNECTIONS_MAX ? calloc(1, sizeof *n) : NULL;
	int r = n ? backend_locked(c, err)
		  : error_set(err, ERR_TOO_LARGE, "too many profiles and regions at once");

	if (r == 0)
		r = cloud_driver_open(place->driver, &c->backend, &settings, &n->cloud, err);
	if (r < 0) {
		free(n);
		free(key);
		return error_prefix(err, r, "%s", place->name);
	}
	n->key = key;
	n->next = c->connections;
	c->connections = n;
	c->connection_count++;
	*ret = n->cloud;
	return 0;
}

int op_context_cloud(struct op_context *c, const struct op_cloud_place *place, const char *profile,
		     const char *region, struct cloud **ret, struct error *err)
{
	char *key = str_format("%s\n%s\n%s\n", place->name, profile ? profile : "", region ? region : "");

	if (!key)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	LOCKED(&c->lock);
	for (struct connection *n = c->connections; n; n = n->next) {
		if (strcmp(n->key, key) != 0)
			continue;
		free(key);
		*ret = n->cloud;
		return 0;
	}
	return open_locked(c, place, key, profile, region, ret, err);
}

extern char **environ;

static bool is_ours(const char *variable)
{
	static const char *const prefixes[] = {"AWS_",	     "GOOGLE_", "GCLOUD_", "CLOUDSDK_", "GCE_",	 "STORAGE_EMULATOR_",
					       "AZURE_",     "ARM_",	"IDENTITY_", "IMDS_",	"OS_",	 "INFOMANIAK_",
					       "CODA_",	     "HTTP_",	"HTTPS_",  "http_",	"https_", "ALL_PROXY=",
					       "all_proxy=", "NO_PROXY=", "no_proxy=", "SSL_CERT_", "HOME=", "XDG_DATA_HOME=",
					       "XDG_CONFIG_HOME=", "SKYDIR_CONFIG="};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(variable, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Which file, and as which it stands there now: a daemon keeps what it read. */
static int add_file(const char *config_path, struct buf *out)
{
	bool is_needed;
	CLEANUP(freep) char *found = config_find_path(config_path, &is_needed);
	CLEANUP(freep) char *path = found ? paths_absolute(found) : NULL;
	struct stat st = {.st_size = -1};

	if (!path)
		return -ENOMEM;
	if (stat(path, &st) < 0)
		st = (struct stat){.st_size = -1}; /* not there: that is an answer too */
	return buf_addf(out, "%s\n%lld %lld.%09ld %llu\n", path, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
			st.st_mtim.tv_nsec, (unsigned long long)st.st_ino);
}

char *op_context_fingerprint(const char *config_path)
{
	CLEANUP(buf_release) struct buf all = BUF_INIT(16 << 20);
	CLEANUP(freep) char **chosen = NULL;
	unsigned char digest[HASH_SHA256_LEN];
	char hex[2 * HASH_SHA256_LEN + 1];
	size_t count = 0;
	int r = add_file(config_path, &all);

	while (environ[count])
		count++;
	chosen = calloc(count + 1, sizeof *chosen);
	if (!chosen)
		return NULL;
	count = 0;
	for (char **v = environ; *v; v++)
		if (is_ours(*v))
			chosen[count++] = *v;
	qsort(chosen, count, sizeof *chosen, compare_text);
	for (size_t i = 0; i < count && r == 0; i++)
		r = buf_add(&all, chosen[i], strlen(chosen[i]) + 1);
	if (r < 0)
		return NULL;
	hash_sha256(all.data, all.len, digest);
	explicit_bzero(all.data, all.len);
	for (size_t i = 0; i < sizeof digest; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return strdup(hex);
}
