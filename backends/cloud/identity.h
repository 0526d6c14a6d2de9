#pragma once
/*
 * Purpose: who one is and with what credentials: users, projects, roles, application and EC2 credentials.
 *
 * The parameters of each slot are those of its row in control/ops_identity.c. What is about a user is about one's own
 * unless another is named (which the cloud must allow).
 */
#include "backends/cloud/cloud.h"

struct identity_ops {
	struct cloud_slot users_current;
	struct cloud_slot users_get;   /* user */
	struct cloud_slot users_roles; /* optional: user, project */
	struct cloud_slot projects_list; /* those one can sign in to */
	struct cloud_slot projects_current;
	struct cloud_slot roles_list;
	struct cloud_slot credentials_list;
	struct cloud_slot credentials_get;    /* credential */
	struct cloud_slot credentials_create; /* name; optional: description, role (list), expires, unrestricted */
	struct cloud_slot credentials_delete; /* credential */
	struct cloud_slot ec2_list;
	struct cloud_slot ec2_create; /* optional: project */
	struct cloud_slot ec2_delete; /* access */
};

extern const struct record_shape shape_user, shape_project, shape_role, shape_app_credential, shape_ec2_credential;
