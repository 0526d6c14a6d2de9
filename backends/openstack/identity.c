/*
 * Identity by Keystone. What is one's own roles stands in the token: the service tells a plain user of nobody's.
 *
 * Source: docs.openstack.org/api-ref/identity/v3, read 2026-11.
 */
#include "backends/openstack/openstack_rows.h"

static struct json_object *make_role_names(struct json_object *roles)
{
	return openstack_members(roles, "name");
}

static const struct record_source user_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "domain", "domain_id", NULL, NULL },
	{ "email", "email", NULL, NULL },
	{ "enabled", "enabled", NULL, NULL },
	{ "default_project", "default_project_id", NULL, NULL },
	{ "password_expires", "password_expires_at", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source project_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "domain", "domain_id", NULL, NULL },
	{ "parent", "parent_id", NULL, NULL },
	{ "enabled", "enabled", NULL, NULL },
	{ "tags", "tags", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source role_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "domain", "domain_id", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source own_role_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "project", "project", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source assigned_map[] = {
	{ "id", "role.id", NULL, NULL },
	{ "name", "role.name", NULL, NULL },
	{ "domain", "role.domain.id", NULL, NULL },
	{ "project", "scope.project.id", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source credential_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "project", "project_id", NULL, NULL },
	{ "roles", "roles", NULL, make_role_names },
	{ "expires", "expires_at", NULL, NULL },
	{ "unrestricted", "unrestricted", NULL, NULL },
	{ "secret", "secret", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source ec2_map[] = {
	{ "access", "access", NULL, NULL },
	{ "secret", "secret", NULL, NULL },
	{ "project", "tenant_id", NULL, NULL },
	{ "user", "user_id", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* Keystone refuses a page size; links.next is null. */
static const struct rest_page by_next = { REST_PAGE_URL, REST_QUERY, NULL, "links.next", NULL, 0, 0 };
#define KEYSTONE_LIST(var, service_, path_, items_, map, ...) \
	static const struct rest_row var = { .service = service_, .path = path_, .items = items_, .page = &by_next, .record = map, \
					     __VA_ARGS__ }
KEYSTONE_LIST(list_users, "identity", "users", "users", NULL);
OPENSTACK_KIND(a_user, "user", list_users);
KEYSTONE_LIST(list_projects, "identity", "auth/projects", "projects", project_map);
OPENSTACK_KIND(a_project, "project", list_projects);
KEYSTONE_LIST(list_roles, "identity", "roles", "roles", role_map);
KEYSTONE_LIST(list_credentials, "identity", "users/{own_user}/application_credentials", "application_credentials", credential_map);
OPENSTACK_KIND(a_credential, "application credential", list_credentials);
KEYSTONE_LIST(list_ec2, "identity", "users/{own_user}/credentials/OS-EC2", "credentials", ec2_map);
static const struct rest_name of_user[] = { { "user", &a_user }, { NULL, NULL } };
static const struct rest_name of_assignment[] = { { "user", &a_user }, { "project", &a_project }, { NULL, NULL } };
static const struct rest_name of_credential[] = { { "credential", &a_credential }, { NULL, NULL } };
OPENSTACK_GET(get_own_user, "identity", "users/{own_user}", "user", user_map, NULL);
OPENSTACK_GET(get_user, "identity", "users/{user}", "user", user_map, of_user);
OPENSTACK_GET(get_own_project, "identity", "projects/{own_project}", "project", project_map, NULL);
static const struct rest_field assignment_fields[] = {
	{ "user", "user.id", REST_QUERY },
	{ "project", "scope.project.id", REST_QUERY },
	{ NULL, "include_names", REST_QUERY, "true" },
	{ NULL, "effective", REST_QUERY, "true" },
	{ .place = NULL },
};
KEYSTONE_LIST(list_assignments, "identity", "role_assignments", "role_assignments", assigned_map, .fields = assignment_fields,
	       .names = of_assignment);
OPENSTACK_GET(get_credential, "identity", "users/{own_user}/application_credentials/{credential}", "application_credential",
	      credential_map, of_credential);
OPENSTACK_DELETE(delete_credential, "identity", "users/{own_user}/application_credentials/{credential}", of_credential);
static const struct rest_field credential_fields[] = {
	{ "name", "application_credential.name", REST_BODY },
	{ "description", "application_credential.description", REST_BODY },
	{ "role", "application_credential.roles", REST_BODY },
	{ "expires", "application_credential.expires_at", REST_BODY },
	{ "unrestricted", "application_credential.unrestricted", REST_BODY, "false" },
	{ .place = NULL },
};
OPENSTACK_CREATE(create_credential, "identity", "users/{own_user}/application_credentials", credential_fields,
		 "application_credential", credential_map, NULL);
static const struct rest_field ec2_fields[] = {
	{ "project", "tenant_id", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_CREATE(create_ec2, "identity", "users/{own_user}/credentials/OS-EC2", ec2_fields, "credential", ec2_map, NULL);
OPENSTACK_DELETE(delete_ec2, "identity", "users/{own_user}/credentials/OS-EC2/{access}", NULL);

static int users_roles(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *roles = NULL;
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	CLEANUP(freep) char *project = NULL;
	int r;

	if (cloud_param(call, "user") || cloud_param(call, "project"))
		return rest_run(call, &list_assignments, ret, err);
	r = list ? keystone_roles(openstack_of(call)->keystone, &roles, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0)
		r = keystone_project(openstack_of(call)->keystone, &project, err);
	for (size_t i = 0; r == 0 && i < json_object_array_length(roles); i++) {
		CLEANUP(json_putp) struct json_object *role = NULL;

		if (json_object_deep_copy(json_object_array_get_idx(roles, i), &role, NULL) != 0)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		json_object_object_add(role, "project", json_object_new_string(project));
		r = cloud_list_add(call, own_role_map, role, &list, err);
	}
	if (r >= 0)
		*ret = steal(list);
	return r < 0 ? r : 0;
}

/* Roles are named {"name": ...} in the body; the project of a new EC2 credential is the present one. */
static int credentials_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	struct json_object *names = cloud_param_json(call, "role"), *roles;

	if (!names)
		return rest_run(call, &create_credential, ret, err);
	roles = json_object_new_array();
	for (size_t i = 0; roles && i < json_object_array_length(names); i++) {
		struct json_object *role = json_object_new_object();

		json_object_object_add(role, "name", json_object_get(json_object_array_get_idx(names, i)));
		json_object_array_add(roles, role);
	}
	return rest_run_with(call, &create_credential, "role", roles, ret, err);
}

static int ec2_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *project = NULL;
	int r;

	if (cloud_param(call, "project"))
		return rest_run(call, &create_ec2, ret, err);
	r = keystone_project(openstack_of(call)->keystone, &project, err);
	return r < 0 ? r : rest_run_with(call, &create_ec2, "project", json_object_new_string(project), ret, err);
}

const struct identity_ops openstack_identity = {
	.users_current = { .row = &get_own_user },
	.users_get = { .row = &get_user },
	.users_roles = { .run = users_roles },
	.projects_list = { .row = &list_projects },
	.projects_current = { .row = &get_own_project },
	.roles_list = { .row = &list_roles },
	.credentials_list = { .row = &list_credentials },
	.credentials_get = { .row = &get_credential },
	.credentials_create = { .run = credentials_create },
	.credentials_delete = { .row = &delete_credential },
	.ec2_list = { .row = &list_ec2 },
	.ec2_create = { .run = ec2_create },
	.ec2_delete = { .row = &delete_ec2 },
};
