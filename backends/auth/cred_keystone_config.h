#pragma once
/*
 * Purpose: finding OpenStack credentials in options, variables and clouds.yaml; private to backends/auth.
 */
#include "backends/auth/cred_keystone.h"
#include "backends/base/json.h"

struct keystone_config {
	/* All as text members, named as in clouds.yaml: "auth_url", "username", "password", "project_id", ... */
	struct json_object *auth;
	struct json_object *cloud; /* the cloud's own members (region_name, interface, *_endpoint_override); may be NULL */
	char *origin;		   /* "cloud 'x' of '/home/u/.config/openstack/clouds.yaml'", "the OS_* variables" */
	char *region, *interface;  /* NULL: not said */
	enum keystone_spelling { KEYSTONE_OF_CLOUDS, KEYSTONE_OF_OPTIONS, KEYSTONE_OF_VARIABLES, KEYSTONE_OF_INFOMANIAK } spelling;
};
#define KEYSTONE_CONFIG_INIT ((struct keystone_config){ .auth = NULL })
void keystone_config_release(struct keystone_config *c);
/* What a setting is called where it is to be mended: "auth_url", "auth-url", "OS_AUTH_URL", "INFOMANIAK_AUTH_URL". */
const char *keystone_config_name(const struct keystone_config *c, const char *key, char ret[64]);
/* 0, CRED_ABSENT when nothing is set up here, or an error. No network. */
int keystone_config_find(const struct cred_context *c, const struct keystone_options *options,
			 struct keystone_config *ret, struct error *err) MUST_CHECK;
/* The override of a service type's address, borrowed, or NULL. */
const char *keystone_config_override(const struct cred_context *c, const struct keystone_config *config,
				     const char *type);
