#pragma once
/*
 * Purpose: the configuration file: the mount's options and the stores it names.
 *
 * Invariants: [skydir] holds the mount's options, every other section is a store. Everything is
 * checked when the file is read (names, types, keys, the values of options), so that a mistake is
 * told before anything starts. Ownership: a config owns all its strings; rows borrow from it.
 * Threads: used before threads start, read-only afterwards.
 * Errors: ERR_CONFIG naming file, line and key; ERR_NOT_FOUND for a file that was asked for and is
 * not there.
 */
#include "backends/base/ini.h"
#include "backends/clouds.h"
#include "backends/providers.h"
#include "fs/options.h"

#define CONFIG_STORES_MAX     64
#define CONFIG_STORE_NAME_MAX 64

struct config_store {
	const char *name, *type;
	const char *origin;	       /* "FILE:LINE" of the section */
	struct provider_value *values; /* in the config's arena */
	size_t count;
	bool is_store;			   /* of a type that has objects */
	const struct cloud_driver *driver; /* of a type that has a control plane, or NULL */
};
struct config {
	struct fs_options options;
	struct ini ini;
	char *path;    /* the file that was looked for */
	bool has_file; /* and found */
	char *warning; /* one line for the user, or NULL */
	struct config_store stores[CONFIG_STORES_MAX];
	size_t store_count;
};
#define CONFIG_INIT ((struct config){.ini = INI_INIT})

/* path: of --config, or NULL for SKYDIR_CONFIG and then the standard place (which need not be
 * there). */
int config_load(const char *path, struct config *ret, struct error *err) MUST_CHECK;
void config_release(struct config *c);
/* The file that config_load would read, on the heap; NULL without memory. */
char *config_find_path(const char *path, bool *ret_is_needed);
/* Adds options after -o over those of the file; refuses secrets, which the list of processes would
 * show. */
int config_add_options(struct config *c, const char *list, struct error *err) MUST_CHECK;
/* Makes the paths in the options absolute, for a daemon that leaves the current directory. */
int config_fix_paths(struct config *c, struct error *err) MUST_CHECK;
/* 0, or ERR_CONFIG with the reason: not empty, no '/', no control bytes, not a reserved word, at
 * most 64 bytes. */
int config_check_store_name(const char *name, const char *origin, struct error *err) MUST_CHECK;
