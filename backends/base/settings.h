#pragma once
/*
 * Purpose: what configuration is to a provider: the options it knows, the values it is given, and the world it may
 *	look at.
 * Ownership: all borrowed; the context outlives what is made from it.
 */
#include <stdbool.h>
#include <stddef.h>

struct http_engine;

struct backend_context {
	struct http_engine *engine;
	const char *(*getenv)(const char *name);
	const char *home, *xdg_data_home; /* xdg_data_home resolved, never NULL */
};
struct provider_option {
	const char *key; /* as in the INI file: "endpoint" */
	const char *help;
	bool is_secret;
};
/* The options of one section: keys in the order of the file. */
struct provider_value {
	const char *key, *value;
	const char *origin; /* "skydir.conf:12" for messages */
};
