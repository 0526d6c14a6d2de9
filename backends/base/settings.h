#pragma once
/*
 * Purpose: what configuration is to a provider: the options it knows, the values it is given, and the world it may
 *	look at.
 * Ownership: all borrowed; the context outlives what is made from it.
 * Errors: CONFIG.
 */
#include "backends/base/error.h"

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

/* Readers of one value. What is wrong with it is ERR_CONFIG, and names where it stands and its key. */
const char *setting_origin(const struct provider_value *v);
int setting_bad(const struct provider_value *v, const char *wanted, struct error *err);
int setting_flag(const struct provider_value *v, bool *ret, struct error *err) MUST_CHECK;
enum setting_choice { SETTING_AUTO, SETTING_YES, SETTING_NO };
int setting_choice(const struct provider_value *v, enum setting_choice *ret, struct error *err) MUST_CHECK;
int setting_rate(const struct provider_value *v, double *ret, struct error *err) MUST_CHECK; /* requests a second */
/* Where the texts of a provider's options go; an empty value is none. */
struct setting_text {
	const char *key, **place;
};
bool setting_text(const struct provider_value *v, const struct setting_text *rows, size_t count);
int setting_unknown(const struct provider_value *v, const char *type, struct error *err);
