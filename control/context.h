#pragma once
/*
 * Purpose: what operations stand on: the configuration, one HTTP engine, the stores, and connections to clouds, each
 *	made when it is first asked for.
 *
 * The rule for connections: with sections whose type is a driver's in the file, those; without, every driver whose
 * standard credentials are found. --provider names a section, or a driver's type.
 * Ownership: the context owns what it made; it borrows the config, and in a daemon the mount's stores and engine.
 *	What it hands out lives as long as the context.
 * Threads: any, once it is made.
 */
#include "backends/cloud/cloud.h"
#include "backends/store/store.h"
#include "control/stores.h"

struct op_context;
/* stores: of the mount, borrowed; NULL: opened when needed. */
int op_context_new(const struct config *config, const struct store_set *stores, struct op_context **ret,
		   struct error *err) MUST_CHECK;
void op_context_free(struct op_context *c); /* NULL is fine */

/* A store by its name ("s3"); NOT_FOUND names those there are. */
int op_context_store(struct op_context *c, const char *name, struct store **ret, struct error *err) MUST_CHECK;
/* How many stores there are, and their names. */
int op_context_store_names(struct op_context *c, const char *const **ret_names, size_t *ret_count,
			   struct error *err) MUST_CHECK;

struct op_cloud_place { /* where a connection is configured */
	const char *name;
	const struct cloud_driver *driver;
};
#define OP_CLOUDS_MAX 64
/* All that are configured, in the order of the file or of the table. */
size_t op_context_clouds(struct op_context *c, struct op_cloud_place ret[OP_CLOUDS_MAX]);
/* The connection of a place, with a profile and a region (NULL: its own). */
int op_context_cloud(struct op_context *c, const struct op_cloud_place *place, const char *profile,
		     const char *region, struct cloud **ret, struct error *err) MUST_CHECK;
/* The engine, for modules that speak to a service of their own. */
int op_context_backend(struct op_context *c, const struct backend_context **ret, struct error *err) MUST_CHECK;
const struct config *op_context_config(const struct op_context *c);
/* What decides which credentials are found: the configuration file and the variables that providers look at, as one
 * hash (heap; NULL without memory), by which a command knows whether a daemon would find the same. */
char *op_context_fingerprint(const char *config_path);
