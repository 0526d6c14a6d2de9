/*
 * What a project may use and does use: the absolute limits of Nova and Cinder, the quotas of Neutron.
 *
 * Source: docs.openstack.org/api-ref/compute (GET /limits), /block-storage/v3 (GET /limits), /network/v2
 *	(GET /quotas/{project}/details.json, extension quota_details; GET /quotas/{project} where it is missing), read 2026-11.
 */
#include "backends/openstack/openstack_metering.h"

struct limit {
	const char *service, *name, *most, *used, *unit; /* members of "absolute"; used NULL: not told */
};
static const struct limit limits[] = {
	{ "compute", "instances", "maxTotalInstances", "totalInstancesUsed", NULL },
	{ "compute", "cores", "maxTotalCores", "totalCoresUsed", NULL },
	{ "compute", "memory", "maxTotalRAMSize", "totalRAMUsed", "MiB" },
	{ "compute", "server-groups", "maxServerGroups", "totalServerGroupsUsed", NULL },
	{ "compute", "keypairs", "maxTotalKeypairs", NULL, NULL },
	{ "volume", "volumes", "maxTotalVolumes", "totalVolumesUsed", NULL },
	{ "volume", "snapshots", "maxTotalSnapshots", "totalSnapshotsUsed", NULL },
	{ "volume", "size", "maxTotalVolumeGigabytes", "totalGigabytesUsed", "GiB" },
	{ "volume", "backups", "maxTotalBackups", "totalBackupsUsed", NULL },
	{ "volume", "backup-size", "maxTotalBackupGigabytes", "totalBackupGigabytesUsed", "GiB" },
};
/* most and used are borrowed and may be NULL; -1 is no limit. */
static int add(struct cloud_call *call, const char *service, const char *name, struct json_object *most, struct json_object *used,
	       const char *unit, struct json_object **list, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();

	if (!o)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_add(o, "service", json_object_new_string(service));
	json_object_object_add(o, "id", json_object_new_string(name));
	json_object_object_add(o, "name", json_object_new_string(name));
	json_object_object_add(o, "used", used ? json_object_get(used) : NULL);
	json_object_object_add(o, "limit", most && json_object_get_int64(most) >= 0 ? json_object_get(most) : NULL);
	json_object_object_add(o, "unit", unit ? json_object_new_string(unit) : NULL);
	return metering_add(call, o, list, err);
}

static int ask(struct cloud_call *call, const struct service *service, const char *path, struct json_object **ret, struct error *err)
{
	struct service_request request = SERVICE_REQUEST_INIT;
	int r;

	request.method = HTTP_GET;
	request.path = path;
	r = service_json(call, service, &request, ret, err);
	service_request_release(&request);
	return r;
}

static int add_limits(struct cloud_call *call, const struct service *service, const char *name, struct json_object **list,
		      struct error *err)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	struct json_object *absolute;
	int r = ask(call, service, "/limits", &answer, err);

	if (r < 0)
		return r;
	absolute = json_get(answer, "limits.absolute");
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(limits); i++) {
		const struct limit *l = &limits[i];
		struct json_object *most = json_get(absolute, l->most);

		if (!strcmp(l->service, name) && most)
			r = add(call, name, l->name, most, l->used ? json_get(absolute, l->used) : NULL, l->unit, list, err);
	}
	return r;
}

static int ask_neutron(struct cloud_call *call, const struct service *service, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *project = NULL;
	CLEANUP(buf_release) struct buf path = BUF_INIT(4096);
	size_t len;
	int r = keystone_project(openstack_of(call)->keystone, &project, err);

	if (r < 0)
		return r;
	if (buf_adds(&path, "/quotas") < 0 || service_path_add(&path, project) < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	len = path.len;
	if (buf_adds(&path, "/details.json") < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = ask(call, service, buf_cstr(&path), ret, err);
	if (r == 0 || err->kind != ERR_NOT_FOUND)
		return r;
	*err = ERROR_INIT; /* without the extension there are limits only */
	path.data[len] = '\0';
	return ask(call, service, path.data, ret, err);
}

static int add_quotas(struct cloud_call *call, const struct service *service, struct json_object **list, struct error *err)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	struct json_object *quota;
	int r = ask_neutron(call, service, &answer, err);

	if (r < 0)
		return r;
	quota = json_get(answer, "quota");
	if (!quota || !json_object_is_type(quota, json_type_object))
		return error_set(err, ERR_PROTOCOL, "the network service's answer has no quota");
	json_object_object_foreach(quota, name, value)
	{
		bool is_detailed = json_object_is_type(value, json_type_object);

		if (r < 0 || (!is_detailed && !json_object_is_type(value, json_type_int)))
			continue;
		r = add(call, "network", name, is_detailed ? json_get(value, "limit") : value,
			is_detailed ? json_get(value, "used") : NULL, NULL, list, err);
	}
	return r;
}

/* A service that the cloud does not have has no quotas. */
int openstack_quotas(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const char *const names[] = { "compute", "volume", "network" };
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	const char *only = cloud_param(call, "service");
	int r = list ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (cloud_param(call, "code"))
		return error_set(err, ERR_UNSUPPORTED, "%s: parameter 'code' is not supported by %s", call->operation, call->cloud->name);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(names); i++) {
		const struct service *service;

		if (only && strcmp(only, names[i]) != 0)
			continue;
		r = openstack_service(call, names[i], &service, err);
		if (r < 0 && !only && (err->kind == ERR_NOT_FOUND || err->kind == ERR_UNSUPPORTED)) {
			*err = ERROR_INIT;
			r = 0;
			continue;
		}
		if (r >= 0)
			r = i < 2 ? add_limits(call, service, names[i], &list, err) : add_quotas(call, service, &list, err);
	}
	if (r >= 0)
		*ret = steal(list);
	return r < 0 ? r : 0;
}

static int quotas_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	struct json_object *list = NULL;
	int r = openstack_quotas(call, &list, err);

	return r < 0 ? r : metering_find_quota(call, list, ret, err);
}

const struct metering_ops openstack_metering = {
	.quotas_list = { .run = openstack_quotas },
	.quotas_get = { .run = quotas_get },
	.usage = { .run = openstack_usage },
	.resources = { .run = openstack_metered },
	.metrics = { .run = gnocchi_metrics },
	.measures = { .run = gnocchi_measures },
	.costs_list = { .run = cloudkitty_costs },
	.costs_details = { .run = cloudkitty_details },
};
