/*
 * Purpose: the operations on identity: rows; the drivers do them (backends/cloud/identity.h).
 */
#include "backends/cloud/identity.h"
#include "control/op.h"

#define IDENTITY(slot_name) .interface = CLOUD_IDENTITY, .slot = offsetof(struct identity_ops, slot_name)

static const struct op_param user_params[] = {
	{"user", OP_STRING, true, 255, "identifier or name", .position = 1},
	OP_PARAM_END,
};
static const struct op_param roles_params[] = {
	{"user", OP_STRING, false, 255, "another user, by identifier or name", .position = 1},
	{"project", OP_STRING, false, 255, "only those in this project, by identifier or name"},
	OP_PARAM_END,
};
static const struct op_param credential_params[] = {
	{"credential", OP_STRING, true, 255, "identifier or name", .position = 1,
	 .completes = "identity.app-credentials.list"},
	OP_PARAM_END,
};
static const struct op_param credential_create_params[] = {
	{"name", OP_STRING, true, 255, "name", .position = 1},
	{"description", OP_STRING, false, 255, "what it is for"},
	{"role", OP_LIST, false, 255, "role it shall have, by name; may be repeated (without: all of one's own)"},
	{"expires", OP_STRING, false, 40, "when it ends: 2027-01-31T00:00:00 (UTC)"},
	{"unrestricted", OP_BOOL, false, 0, "it may make and delete other credentials"},
	OP_PARAM_END,
};
static const struct op_param ec2_create_params[] = {
	{"project", OP_STRING, false, 64, "identifier of the project it is for (without: the present one)"},
	OP_PARAM_END,
};
static const struct op_param ec2_params[] = {
	{"access", OP_STRING, true, 255, "access key", .position = 1, .completes = "identity.ec2-credentials.list"},
	OP_PARAM_END,
};

extern const struct op identity_op_rows[];
const struct op identity_op_rows[] = {
	{.name = "identity.users.current",
	 .summary = "show the user one is",
	 .result = OP_ONE,
	 .shape = &shape_user,
	 IDENTITY(users_current)},
	{.name = "identity.users.get",
	 .summary = "show a user",
	 .params = user_params,
	 .result = OP_ONE,
	 .shape = &shape_user,
	 IDENTITY(users_get)},
	{.name = "identity.users.roles",
	 .summary = "list the roles of a user",
	 .params = roles_params,
	 .result = OP_ITEMS,
	 .shape = &shape_role,
	 IDENTITY(users_roles)},
	{.name = "identity.projects.list",
	 .summary = "list the projects one can sign in to",
	 .result = OP_ITEMS,
	 .shape = &shape_project,
	 IDENTITY(projects_list)},
	{.name = "identity.projects.current",
	 .summary = "show the project one is in",
	 .result = OP_ONE,
	 .shape = &shape_project,
	 IDENTITY(projects_current)},
	{.name = "identity.roles.list",
	 .summary = "list the roles that there are",
	 .result = OP_ITEMS,
	 .shape = &shape_role,
	 IDENTITY(roles_list)},
	{.name = "identity.app-credentials.list",
	 .summary = "list the application credentials",
	 .result = OP_ITEMS,
	 .shape = &shape_app_credential,
	 IDENTITY(credentials_list)},
	{.name = "identity.app-credentials.get",
	 .summary = "show an application credential",
	 .params = credential_params,
	 .result = OP_ONE,
	 .shape = &shape_app_credential,
	 IDENTITY(credentials_get)},
	{.name = "identity.app-credentials.create",
	 .summary = "make an application credential; its secret is shown once",
	 .risk = OP_CHANGE,
	 .params = credential_create_params,
	 .result = OP_ONE,
	 .shape = &shape_app_credential,
	 .example = "skydir identity app-credentials create backup --role reader",
	 IDENTITY(credentials_create)},
	{.name = "identity.app-credentials.delete",
	 .summary = "delete an application credential",
	 .risk = OP_DESTROY,
	 .params = credential_params,
	 IDENTITY(credentials_delete)},
	{.name = "identity.ec2-credentials.list",
	 .summary = "list the EC2 credentials",
	 .result = OP_ITEMS,
	 .shape = &shape_ec2_credential,
	 IDENTITY(ec2_list)},
	{.name = "identity.ec2-credentials.create",
	 .summary = "make an EC2 credential (also for S3)",
	 .risk = OP_CHANGE,
	 .params = ec2_create_params,
	 .result = OP_ONE,
	 .shape = &shape_ec2_credential,
	 IDENTITY(ec2_create)},
	{.name = "identity.ec2-credentials.delete",
	 .summary = "delete an EC2 credential",
	 .risk = OP_DESTROY,
	 .params = ec2_params,
	 IDENTITY(ec2_delete)},
	{.name = NULL},
};
