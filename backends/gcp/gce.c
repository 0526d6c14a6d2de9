/*
 * Virtual machines by Compute Engine.
 *
 * An instance belongs to a zone; one that is named without it ("web1" or its number; "ZONE/web1" says it) is looked for
 * in all. A machine that is stopped is called TERMINATED. There is a reset and no soft reboot. The source image is not
 * told of an instance.
 *
 * Source: cloud.google.com/compute/docs/reference/rest/v1/instances and .../instances/instance-lifecycle (read 2026-11).
 */
#include "backends/gcp/cloud_gcp.h"

#include <ctype.h>
#include <stdio.h>

/* ---- records ---- */

static const struct record_word states[] = {
	{ "PENDING", "creating" },   { "PROVISIONING", "creating" }, { "STAGING", "creating" },
	{ "RUNNING", "running" },    { "PENDING_STOP", "stopping" }, { "STOPPING", "stopping" },
	{ "STOPPED", "stopped" },    { "TERMINATED", "stopped" },    { "SUSPENDING", "suspended" },
	{ "SUSPENDED", "suspended" }, { "REPAIRING", "restarting" }, { "DEPROVISIONING", "deleting" },
	{ NULL, NULL },
};

static struct json_object *tail_of(struct json_object *o, const char *member)
{
	const char *tail = gce_tail(json_get_string(o, member));

	return tail ? json_object_new_string(tail) : NULL;
}
static struct json_object *make_flavor(struct json_object *instance)
{
	return tail_of(instance, "machineType");
}
static struct json_object *make_zone(struct json_object *instance)
{
	return tail_of(instance, "zone");
}
static struct json_object *make_region(struct json_object *zone)
{
	return tail_of(zone, "region");
}

static struct json_object *make_addresses(struct json_object *instance)
{
	static const char *const places[] = { "networkIP", "accessConfigs.0.natIP", "ipv6Address",
					      "ipv6AccessConfigs.0.externalIpv6" };
	struct json_object *ports = json_get_array(instance, "networkInterfaces"), *list = json_object_new_array();

	for (size_t p = 0; list && ports && p < ARRAY_SIZE(places); p++)
		for (size_t i = 0; i < json_object_array_length(ports); i++) {
			const char *address = json_get_string(json_object_array_get_idx(ports, i), places[p]);

			if (address)
				json_object_array_add(list, json_object_new_string(address));
		}
	return list;
}

static const struct record_source instance_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "status", states, NULL },
	{ "provider_status", "status", NULL, NULL },
	{ "flavor", "", NULL, make_flavor },
	{ "zone", "", NULL, make_zone },
	{ "addresses", "", NULL, make_addresses },
	{ "created", "creationTimestamp", NULL, NULL },
	{ "tags", "labels", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source flavor_map[] = {
	{ "id", "name", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "cpus", "guestCpus", NULL, NULL },
	{ "memory_mb", "memoryMb", NULL, NULL },
	{ "architecture", "architecture", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_word zone_states[] = { { "UP", "available" }, { "DOWN", "unavailable" }, { NULL, NULL } };
static const struct record_source zone_map[] = {
	{ "name", "name", NULL, NULL },
	{ "region", "", NULL, make_region },
	{ "status", "status", zone_states, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* ---- lists ---- */

struct listing {
	struct cloud_call *call;
	const struct record_source *map;
	const char *kind; /* of an aggregated list: "instances" */
	struct json_object *list;
	struct json_object *seen; /* names that are there already; NULL: all are wanted */
};

static int take(void *arg, struct json_object *item, struct error *err)
{
	struct listing *l = arg;
	const char *name = json_get_string(item, "name");

	if (l->seen && name) {
		if (json_object_object_get_ex(l->seen, name, NULL))
			return 0;
		if (json_object_object_add(l->seen, name, NULL) != 0)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	return cloud_list_add(l->call, l->map, item, &l->list, err);
}

/* {"zones/a": {"instances": [...]}, "zones/b": {"warning": ...}}: a page of an aggregated list. */
static int take_scopes(void *arg, struct json_object *scopes, struct error *err)
{
	struct listing *l = arg;
	int r = 0;

	if (!json_object_is_type(scopes, json_type_object))
		return error_set(err, ERR_PROTOCOL, "Compute Engine answers without zones");
	json_object_object_foreach(scopes, scope, there)
	{
		struct json_object *items = json_get_array(there, l->kind);
		const char *warning = json_get_string(there, "warning.code");

		if (warning && !strcmp(warning, "UNREACHABLE"))
			return error_set(err, ERR_UNAVAILABLE, "%s cannot be reached: the list would not be whole", scope);
		for (size_t i = 0; items && r == 0 && i < json_object_array_length(items); i++)
			r = take(arg, json_object_array_get_idx(items, i), err);
	}
	return r;
}

static int list(struct cloud_call *call, const char *const *pieces, const char *filter, rest_each_fn *each,
		struct listing *l, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	int r = gce_path(call, NULL, pieces, &path, err);

	l->list = json_object_new_array();
	if (r == 0 && !l->list)
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0)
		r = gce_pages(call, path, filter, each, l, err);
	json_object_put(l->seen);
	if (r < 0) {
		json_object_put(l->list);
		return r;
	}
	*ret = l->list;
	return 0;
}

static int instances_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const char *const pieces[] = { "aggregated", "instances", NULL };
	struct listing l = { .call = call, .map = instance_map, .kind = "instances" };

	return list(call, pieces, NULL, take_scopes, &l, ret, err);
}

/* Without a zone the types of all zones, each once. */
static int flavors_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const char *const all[] = { "aggregated", "machineTypes", NULL };
	const char *zone = cloud_param(call, "zone") ? cloud_param(call, "zone") : gcp_of(call)->zone;
	const char *one[] = { "zones", zone, "machineTypes", NULL };
	struct listing l = { .call = call, .map = flavor_map, .kind = "machineTypes", .seen = json_object_new_object() };

	return list(call, zone ? one : all, NULL, zone ? take : take_scopes, &l, ret, err);
}

static int zones_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const char *const pieces[] = { "zones", NULL };
	struct listing l = { .call = call, .map = zone_map };

	return list(call, pieces, NULL, take, &l, ret, err);
}

/* ---- one of them ---- */

/* A name may stand in a filter only as what it is. */
static bool is_name(const char *text)
{
	size_t len = strlen(text);

	return len && len <= 63 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* The path of the instance that the call names, and the record as the service has it (may be NULL). */
static int find_instance(struct cloud_call *call, char **ret_path, struct error *err)
{
	static const char *const all[] = { "aggregated", "instances", NULL };
	CLEANUP(freep) char *given = strdup(cloud_param(call, "instance"));
	CLEANUP(json_putp) struct json_object *found = NULL;
	struct listing l = { .call = call, .kind = "instances" };
	char *slash = given ? strrchr(given, '/') : NULL;
	const char *zone, *name;
	char filter[80];
	int r = 0;

	if (!given)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (slash)
		*slash = '\0';
	name = slash ? slash + 1 : given;
	zone = slash ? gce_tail(given) : NULL;
	if (!is_name(name))
		return error_set(err, ERR_NOT_FOUND, "there is no instance '%.100s'", name);
	(void)snprintf(filter, sizeof filter, "%s = %s", name[strspn(name, "0123456789")] ? "name" : "id", name);
	if (!slash) {
		struct cloud_call look = *call; /* raw, and all of them */

		look.shape = NULL;
		look.limit = 0;
		l.call = &look;
		r = list(&look, all, filter, take_scopes, &l, &found, err);
		if (r < 0)
			return r;
		if (json_object_array_length(found) != 1)
			return json_object_array_length(found) ?
				       error_set(err, ERR_CONFLICT, "several zones have an instance '%.63s' (ZONE/NAME)", name) :
				       error_set(err, ERR_NOT_FOUND, "there is no instance '%.63s'", name);
		zone = gce_tail(json_get_string(json_object_array_get_idx(found, 0), "zone"));
		name = json_get_string(json_object_array_get_idx(found, 0), "name");
		if (!zone || !name)
			return error_set(err, ERR_PROTOCOL, "Compute Engine answers with an instance without zone or name");
	}
	{
		const char *pieces[] = { "zones", zone, "instances", name, NULL };

		return gce_path(call, NULL, pieces, ret_path, err);
	}
}

static int show(struct cloud_call *call, const char *path, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *instance = NULL;
	int r = gce_ask(call, HTTP_GET, path, NULL, &instance, err);

	return r < 0 ? r : cloud_record(call, instance_map, instance, ret, err);
}

static int instances_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	int r = find_instance(call, &path, err);

	return r < 0 ? r : show(call, path, ret, err);
}

/* ---- changes ---- */

static int act(struct cloud_call *call, const char *verb, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *action = NULL;
	int r = find_instance(call, &path, err);

	if (r < 0)
		return r;
	action = str_format("%s/%s", path, verb);
	r = action ? gce_change(call, HTTP_POST, action, NULL, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	return r < 0 ? r : show(call, path, ret, err);
}

static int instances_start(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return act(call, "start", ret, err);
}

static int instances_stop(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return act(call, "stop", ret, err);
}

static int instances_reboot(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *mode = cloud_param(call, "mode");

	if (!mode || strcmp(mode, "hard") != 0)
		return error_set(err, ERR_UNSUPPORTED,
				 "Compute Engine has no soft reboot: --mode hard resets the machine (or stop and start it)");
	return act(call, "reset", ret, err);
}

static int instances_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	int r = find_instance(call, &path, err);

	(void)ret; /* nothing is left to tell */
	return r < 0 ? r : gce_change(call, HTTP_DELETE, path, NULL, err);
}

static int instances_console(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const struct record_source map[] = { { "instance", "instance", NULL, NULL },
						    { "output", "output", NULL, NULL },
						    { NULL, NULL, NULL, NULL } };
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *port = NULL;
	const char *text;
	struct str part;
	int r = find_instance(call, &path, err);

	if (r < 0)
		return r;
	port = str_format("%s/serialPort", path);
	r = port ? gce_ask(call, HTTP_GET, port, NULL, &answer, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0)
		return r;
	text = json_get_string(answer, "contents");
	part = compute_last_lines(str_of(text ? text : ""), cloud_param_int(call, "lines", 0));
	json_object_object_add(answer, "output", json_object_new_string_len(part.ptr, (int)part.len));
	json_object_object_add(answer, "instance", json_object_new_string(cloud_param(call, "instance")));
	return cloud_record(call, map, answer, ret, err);
}

/* ---- creation ---- */

static int put_text(struct json_object **body, const char *place, const char *text, struct error *err)
{
	return text ? rest_put(body, place, json_object_new_string(text), err) : 0;
}

static int put_disk(struct cloud_call *call, struct json_object **body, struct error *err)
{
	CLEANUP(json_putp) struct json_object *image = NULL;
	int64_t gb = cloud_param_int(call, "disk_gb", 0);
	const char *link, *at;
	int r = gce_find_image(call, cloud_param(call, "image"), &image, err);

	if (r < 0)
		return r;
	link = json_get_string(image, "selfLink");
	at = link ? strstr(link, "/projects/") : NULL;
	if (!at)
		return error_set(err, ERR_PROTOCOL, "Compute Engine answers with an image without address");
	r = rest_put(body, "disks.0.boot", json_object_new_boolean(1), err);
	if (r == 0)
		r = rest_put(body, "disks.0.autoDelete", json_object_new_boolean(1), err);
	if (r == 0)
		r = put_text(body, "disks.0.initializeParams.sourceImage", at + 1, err);
	if (r == 0 && gb)
		r = rest_put(body, "disks.0.initializeParams.diskSizeGb", json_object_new_int64(gb), err);
	return r;
}

/* "default", a network's name, or a subnetwork: "regions/R/subnetworks/S". Each gets an address to the outside. */
static int put_networks(struct cloud_call *call, struct json_object **body, struct error *err)
{
	struct json_object *list = cloud_param_json(call, "network");
	size_t count = list ? json_object_array_length(list) : 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < (count ? count : 1); i++) {
		const char *given = count ? json_object_get_string(json_object_array_get_idx(list, i)) : "default";
		CLEANUP(freep) char *link = strchr(given, '/') ? strdup(given) : str_format("global/networks/%s", given);
		char place[64];

		(void)snprintf(place, sizeof place, "networkInterfaces.%zu.%s", i,
			       strstr(given, "subnetworks/") ? "subnetwork" : "network");
		r = link ? put_text(body, place, link, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
		(void)snprintf(place, sizeof place, "networkInterfaces.%zu.accessConfigs.0.type", i);
		if (r == 0)
			r = put_text(body, place, "ONE_TO_ONE_NAT", err);
		(void)snprintf(place, sizeof place, "networkInterfaces.%zu.accessConfigs.0.name", i);
		if (r == 0)
			r = put_text(body, place, "External NAT", err);
	}
	return r;
}

static int put_metadata(struct cloud_call *call, struct json_object **body, struct error *err)
{
	const char *key = cloud_param(call, "keypair"), *data = cloud_param(call, "user_data");
	CLEANUP(freep) char *line = NULL;
	int r = key ? gce_find_key(call, key, &line, err) : 0;

	if (r == 0 && line)
		r = put_text(body, "metadata.items.0.key", "ssh-keys", err);
	if (r == 0 && line)
		r = put_text(body, "metadata.items.0.value", line, err);
	if (r == 0 && data)
		r = put_text(body, line ? "metadata.items.1.key" : "metadata.items.0.key", "user-data", err);
	if (r == 0 && data)
		r = put_text(body, line ? "metadata.items.1.value" : "metadata.items.0.value", data, err);
	return r;
}

static const struct rest_field create_fields[] = {
	{ "name", "name", REST_BODY, NULL },
	{ "tag", "labels", REST_BODY, NULL },
	{ "security_group", "tags.items", REST_BODY, NULL }, /* firewall rules go by network tags */
	{ NULL, NULL, REST_BODY, NULL },
};

static int instances_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	const char *zone = cloud_param(call, "zone") ? cloud_param(call, "zone") : gcp_of(call)->zone;
	const char *name = cloud_param(call, "name"), *pieces[] = { "zones", zone, "instances", NULL };
	const char *own[] = { "zones", zone, "instances", name, NULL };
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *made = NULL;
	CLEANUP(freep) char *type = NULL;
	int r;

	if (!zone)
		return error_set(err, ERR_INVALID, "parameter 'zone' is missing (--zone, zone in the section, or "
						   "CLOUDSDK_COMPUTE_ZONE)");
	if (!is_name(name) || !islower((unsigned char)*name))
		return error_set(err, ERR_INVALID,
				 "parameter 'name' must be lower-case letters, digits and '-', at most 63, a letter first");
	type = str_format("zones/%s/machineTypes/%s", zone, cloud_param(call, "flavor"));
	r = gce_path(call, NULL, pieces, &path, err);
	if (r == 0)
		r = gce_path(call, NULL, own, &made, err);
	if (r == 0)
		r = rest_fill(call, create_fields, &q, err);
	if (r == 0)
		r = type ? put_text(&q.json, "machineType", type, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0)
		r = put_disk(call, &q.json, err);
	if (r == 0)
		r = put_networks(call, &q.json, err);
	if (r == 0)
		r = put_metadata(call, &q.json, err);
	if (r == 0)
		r = gce_change(call, HTTP_POST, path, steal(q.json), err);
	return r < 0 ? r : show(call, made, ret, err);
}

const struct compute_ops gcp_compute = {
	.instances_list = { .run = instances_list },
	.instances_get = { .run = instances_get },
	.instances_create = { .run = instances_create },
	.instances_start = { .run = instances_start },
	.instances_stop = { .run = instances_stop },
	.instances_delete = { .run = instances_delete },
	.instances_reboot = { .run = instances_reboot },
	.instances_console = { .run = instances_console },
	.images_list = { .run = gce_images_list },
	.images_get = { .run = gce_images_get },
	.flavors_list = { .run = flavors_list },
	.keypairs_list = { .run = gce_keypairs_list },
	.keypairs_create = { .run = gce_keypairs_create },
	.keypairs_delete = { .run = gce_keypairs_delete },
	.zones_list = { .run = zones_list },
};
