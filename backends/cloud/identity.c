#include "backends/cloud/identity.h"

static const struct record_field user_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "domain", RECORD_TEXT, "domain" },
	{ "email", RECORD_TEXT, "mail address" },
	{ "enabled", RECORD_BOOL, "it may sign in" },
	{ "default_project", RECORD_TEXT, "project it signs in to when none is said" },
	{ "password_expires", RECORD_TIME, "when its password ends" },
	{ "description", RECORD_TEXT, "who it is" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_user = { "user", user_fields, "id,name,domain,enabled" };

static const struct record_field project_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "domain", RECORD_TEXT, "domain" },
	{ "parent", RECORD_TEXT, "project or domain above it" },
	{ "enabled", RECORD_BOOL, "it can be used" },
	{ "tags", RECORD_LIST, "tags" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_project = { "project", project_fields, "id,name,domain,enabled,description" };

static const struct record_field role_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "domain", RECORD_TEXT, "domain, when it is not the cloud's own" },
	{ "project", RECORD_TEXT, "project it is held in" },
	{ "description", RECORD_TEXT, "what it allows" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_role = { "role", role_fields, "id,name,project,description" };

static const struct record_field app_credential_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "project", RECORD_TEXT, "project it signs in to" },
	{ "roles", RECORD_LIST, "names of its roles" },
	{ "expires", RECORD_TIME, "when it ends; none: never" },
	{ "unrestricted", RECORD_BOOL, "it may make other credentials" },
	{ "secret", RECORD_TEXT, "the secret, once, when it is made" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_app_credential = { "application credential", app_credential_fields, "id,name,project,roles,expires,unrestricted" };

static const struct record_field ec2_credential_fields[] = {
	{ "access", RECORD_TEXT, "access key" },
	{ "secret", RECORD_TEXT, "secret key" },
	{ "project", RECORD_TEXT, "project" },
	{ "user", RECORD_TEXT, "user" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_ec2_credential = { "EC2 credential", ec2_credential_fields, "access,project,user" };
