/*
 * Virtual machines by Nova, their images by Glance.
 *
 * Source: docs.openstack.org/api-ref/compute (microversion 2.47) and /image/v2, read 2026-11.
 */
#include "backends/openstack/openstack_rows.h"

#include <stdio.h>
#include <strings.h>

OPENSTACK_LIST(named_flavors, "compute", "flavors", "flavors", NULL);
OPENSTACK_KIND(a_flavor, "flavor", named_flavors);

/* ---- records ---- */

static const struct record_word states[] = {
	{ "ACTIVE", "running" },	{ "BUILD", "creating" },	 { "REBUILD", "creating" },
	{ "SHUTOFF", "stopped" },	{ "SHELVED", "stopped" },	 { "SHELVED_OFFLOADED", "stopped" },
	{ "STOPPED", "stopped" },	{ "REBOOT", "restarting" },	 { "HARD_REBOOT", "restarting" },
	{ "RESIZE", "restarting" },	{ "REVERT_RESIZE", "restarting" }, { "VERIFY_RESIZE", "running" },
	{ "MIGRATING", "running" },	{ "PASSWORD", "running" },	 { "RESCUE", "running" },
	{ "PAUSED", "suspended" },	{ "SUSPENDED", "suspended" },	 { "DELETED", "deleted" },
	{ "SOFT_DELETED", "deleted" },	{ "ERROR", "error" },		 { NULL, NULL },
};
/* A task under way says more than the state it leads away from. */
static const struct record_word tasks[] = {
	{ "powering-off", "stopping" }, { "deleting", "deleting" },	 { "soft-deleting", "deleting" },
	{ "rebooting", "restarting" },	{ "reboot_pending", "restarting" }, { "reboot_started", "restarting" },
	{ "rebooting_hard", "restarting" }, { "powering-on", "creating" }, { NULL, NULL },
};

static const char *find_word(const struct record_word *words, const char *text)
{
	for (; words->theirs; words++)
		if (!strcasecmp(words->theirs, text))
			return words->ours;
	return NULL;
}

static struct json_object *make_status(struct json_object *server)
{
	const char *state = json_get_string(server, "status"), *task = json_get_string(server, "OS-EXT-STS:task_state");
	const char *ours = task ? find_word(tasks, task) : NULL;

	if (!ours && state)
		ours = find_word(states, state);
	return json_object_new_string(ours ? ours : "unknown");
}

static struct json_object *make_flavor(struct json_object *flavor)
{
	const char *name = json_get_string(flavor, "original_name");

	name = name ? name : json_get_string(flavor, "id");
	return name ? json_object_new_string(name) : NULL;
}

/* {"net": [{"addr": ..., "OS-EXT-IPS:type": "fixed"}]}: fixed ones first, then floating. */
static struct json_object *make_addresses(struct json_object *networks)
{
	static const char *const types[] = { "fixed", "floating" };
	struct json_object *list = json_object_new_array();

	for (size_t t = 0; list && t < ARRAY_SIZE(types); t++) {
		json_object_object_foreach(networks, name, ports)
		{
			(void)name; /* only the addresses */
			for (size_t i = 0; json_object_is_type(ports, json_type_array) && i < json_object_array_length(ports);
			     i++) {
				struct json_object *port = json_object_array_get_idx(ports, i);
				const char *type = json_get_string(port, "OS-EXT-IPS:type");
				const char *address = json_get_string(port, "addr");

				if (address && !strcmp(type ? type : "fixed", types[t]))
					json_object_array_add(list, json_object_new_string(address));
			}
		}
	}
	return list;
}

static const struct record_source instance_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "", NULL, make_status },
	{ "provider_status", "status", NULL, NULL },
	{ "flavor", "flavor", NULL, make_flavor },
	{ "image", "image.id", NULL, NULL },
	{ "zone", "OS-EXT-AZ:availability_zone", NULL, NULL },
	{ "addresses", "addresses", NULL, make_addresses },
	{ "keypair", "key_name", NULL, NULL },
	{ "created", "created", NULL, NULL },
	{ "tags", "metadata", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_word image_states[] = {
	{ "active", "available" }, { "queued", "creating" },	  { "saving", "creating" }, { "uploading", "creating" },
	{ "importing", "creating" }, { "deactivated", "deprecated" }, { "killed", "error" },	{ NULL, NULL },
};
static const struct record_source image_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "status", image_states, NULL },
	{ "provider_status", "status", NULL, NULL },
	{ "owner", "owner", NULL, NULL },
	{ "architecture", "architecture|hw_architecture", NULL, NULL },
	{ "os", "os_distro|os_type", NULL, NULL },
	{ "size_bytes", "size", NULL, NULL },
	{ "min_disk_gb", "min_disk", NULL, NULL },
	{ "created", "created_at", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source flavor_map[] = {
	{ "id", "id", NULL, NULL },	  { "name", "name", NULL, NULL },    { "cpus", "vcpus", NULL, NULL },
	{ "memory_mb", "ram", NULL, NULL }, { "disk_gb", "disk", NULL, NULL }, { "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static struct json_object *unwrap_keypair(struct json_object *wrapped, const char *key)
{
	struct json_object *value = json_get(wrapped, "keypair");

	value = json_get(value ? value : wrapped, key);
	return json_object_get(value);
}
#define KEYPAIR_MEMBER(name)                                                                       \
	static struct json_object *keypair_##name(struct json_object *wrapped)                     \
	{                                                                                          \
		return unwrap_keypair(wrapped, #name);                                             \
	}
KEYPAIR_MEMBER(name)
KEYPAIR_MEMBER(type)
KEYPAIR_MEMBER(fingerprint)
KEYPAIR_MEMBER(public_key)
KEYPAIR_MEMBER(private_key)
KEYPAIR_MEMBER(created_at)
static const struct record_source keypair_map[] = {
	{ "name", "", NULL, keypair_name },
	{ "id", "", NULL, keypair_name },
	{ "type", "", NULL, keypair_type },
	{ "fingerprint", "", NULL, keypair_fingerprint },
	{ "public_key", "", NULL, keypair_public_key },
	{ "private_key", "", NULL, keypair_private_key },
	{ "created", "", NULL, keypair_created_at },
	{ NULL, NULL, NULL, NULL },
};

static struct json_object *make_zone_status(struct json_object *zone)
{
	return json_object_new_string(json_get_bool(zone, "zoneState.available", false) ? "available" : "unavailable");
}
static const struct record_source zone_map[] = {
	{ "name", "zoneName", NULL, NULL },
	{ "status", "", NULL, make_zone_status },
	{ NULL, NULL, NULL, NULL },
};

/* ---- instances ---- */

static int path_of(const char *what, const char *id, const char *more, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(4096);

	if (buf_addf(&path, "/%s", what) < 0 || service_path_add(&path, id) < 0 || buf_adds(&path, more) < 0)
		return error_set(err, ERR_TOO_LARGE, "an identifier is too long");
	*ret = buf_detach(&path);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int show_instance(struct cloud_call *call, const char *id, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(freep) char *path = NULL;
	struct json_object *server;
	int r = path_of("servers", id, "", &path, err);

	if (r == 0)
		r = openstack_ask(call, "compute", HTTP_GET, path, NULL, &answer, err);
	if (r < 0)
		return r;
	server = json_get(answer, "server");
	return server ? cloud_record(call, instance_map, server, ret, err) :
			error_set(err, ERR_PROTOCOL, "Nova answers without a server");
}

static int instance_id(struct cloud_call *call, char **ret, struct error *err)
{
	return rest_find(call, &openstack_instance, cloud_param(call, "instance"), ret, NULL, err);
}

static int instances_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *id = NULL;
	int r = instance_id(call, &id, err);

	return r < 0 ? r : show_instance(call, id, ret, err);
}

/* POST servers/ID/action {name: value}; takes value. */
static int act(struct cloud_call *call, const char *name, struct json_object *value, struct json_object **ret,
	       struct error *err)
{
	struct json_object *body = json_object_new_object();
	CLEANUP(freep) char *id = NULL;
	CLEANUP(freep) char *path = NULL;
	int r = body && json_object_object_add(body, name, value) == 0 ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0)
		r = instance_id(call, &id, err);
	if (r == 0)
		r = path_of("servers", id, "/action", &path, err);
	if (r < 0) {
		json_object_put(body);
		return r;
	}
	r = openstack_ask(call, "compute", HTTP_POST, path, body, NULL, err);
	return r < 0 ? r : show_instance(call, id, ret, err);
}

static int instances_start(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return act(call, "os-start", NULL, ret, err);
}

static int instances_stop(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return act(call, "os-stop", NULL, ret, err);
}

static int instances_reboot(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *mode = cloud_param(call, "mode");
	struct json_object *value = json_object_new_object();

	if (!value)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_add(value, "type", json_object_new_string(mode && !strcmp(mode, "hard") ? "HARD" : "SOFT"));
	return act(call, "reboot", value, ret, err);
}

static int instances_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *id = NULL;
	CLEANUP(freep) char *path = NULL;
	int r = instance_id(call, &id, err);

	(void)ret; /* nothing is left to tell */
	if (r == 0)
		r = path_of("servers", id, "", &path, err);
	return r < 0 ? r : openstack_ask(call, "compute", HTTP_DELETE, path, NULL, NULL, err);
}

static int instances_console(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const struct record_source map[] = { { "instance", "instance", NULL, NULL },
						    { "output", "output", NULL, NULL },
						    { NULL, NULL, NULL, NULL } };
	CLEANUP(json_putp) struct json_object *answer = NULL;
	struct json_object *body = NULL, *options = json_object_new_object();
	CLEANUP(freep) char *id = NULL;
	CLEANUP(freep) char *path = NULL;
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	const struct service *service = NULL;
	int r = instance_id(call, &id, err);

	if (cloud_param_int(call, "lines", 0))
		json_object_object_add(options, "length", json_object_get(cloud_param_json(call, "lines")));
	if (rest_put(&body, "os-getConsoleOutput", options, err) < 0)
		r = -ENOMEM;
	request.json = body;
	if (r == 0)
		r = path_of("servers", id, "/action", &path, err);
	if (r == 0)
		r = openstack_service(call, "compute", &service, err);
	if (r < 0)
		return r;
	request.method = HTTP_POST;
	request.path = path;
	request.is_read = true;
	r = service_json(call, service, &request, &answer, err);
	if (r < 0)
		return r;
	if (!answer)
		return error_set(err, ERR_PROTOCOL, "Nova answers without output");
	json_object_object_add(answer, "instance", json_object_new_string(id));
	return cloud_record(call, map, answer, ret, err);
}

/* Nova wants identifiers; a name is looked up first. */
static int put_found(struct cloud_call *call, const struct rest_kind *kind, const char *param, const char *place,
		     struct json_object **body, struct error *err)
{
	const char *given = cloud_param(call, param);
	CLEANUP(freep) char *id = NULL;
	int r = given ? rest_find(call, kind, given, &id, NULL, err) : 0;

	return r < 0 || !given ? r : rest_put(body, place, json_object_new_string(id), err);
}

/* A flavor's identifier may be a short word ("1"), which Nova takes as it is. */
static int put_flavor(struct cloud_call *call, struct json_object **body, struct error *err)
{
	struct error first = ERROR_INIT;
	int r = put_found(call, &a_flavor, "flavor", "server.flavorRef", body, &first);

	if (r < 0 && first.kind != ERR_NOT_FOUND) {
		*err = first;
		return r;
	}
	return r < 0 ? rest_put(body, "server.flavorRef", json_object_new_string(cloud_param(call, "flavor")), err) : 0;
}

static int put_networks(struct cloud_call *call, struct json_object **body, struct error *err)
{
	struct json_object *list = cloud_param_json(call, "network");
	int r = list ? 0 : rest_put(body, "server.networks", json_object_new_string("auto"), err);

	for (size_t i = 0; list && i < json_object_array_length(list) && r == 0; i++) {
		CLEANUP(freep) char *id = NULL;
		char place[64];

		r = rest_find(call, &neutron_network, json_object_get_string(json_object_array_get_idx(list, i)), &id, NULL, err);
		(void)snprintf(place, sizeof place, "server.networks.%zu.uuid", i);
		if (r == 0)
			r = rest_put(body, place, json_object_new_string(id), err);
	}
	return r;
}

static int put_groups(struct cloud_call *call, struct json_object **body, struct error *err)
{
	struct json_object *list = cloud_param_json(call, "security_group");
	int r = 0;

	for (size_t i = 0; list && i < json_object_array_length(list) && r == 0; i++) {
		char place[64];

		(void)snprintf(place, sizeof place, "server.security_groups.%zu.name", i);
		r = rest_put(body, place, json_object_get(json_object_array_get_idx(list, i)), err);
	}
	return r;
}

static int put_user_data(struct cloud_call *call, struct json_object **body, struct error *err)
{
	CLEANUP(freep) char *encoded = NULL;
	int r = compute_user_data(call, &encoded, err);

	return r < 0 || !encoded ? r : rest_put(body, "server.user_data", json_object_new_string(encoded), err);
}

/* With disk_gb the disk is a volume made from the image. */
static int put_disk(struct cloud_call *call, struct json_object **body, struct error *err)
{
	int64_t gb = cloud_param_int(call, "disk_gb", 0);
	int r;

	if (!gb)
		return put_found(call, &openstack_image, "image", "server.imageRef", body, err);
	r = put_found(call, &openstack_image, "image", "server.block_device_mapping_v2.0.uuid", body, err);
	if (r == 0)
		r = rest_put(body, "server.block_device_mapping_v2.0.source_type", json_object_new_string("image"), err);
	if (r == 0)
		r = rest_put(body, "server.block_device_mapping_v2.0.destination_type", json_object_new_string("volume"), err);
	if (r == 0)
		r = rest_put(body, "server.block_device_mapping_v2.0.boot_index", json_object_new_int(0), err);
	if (r == 0)
		r = rest_put(body, "server.block_device_mapping_v2.0.delete_on_termination", json_object_new_boolean(1), err);
	return r < 0 ? r : rest_put(body, "server.block_device_mapping_v2.0.volume_size", json_object_new_int64(gb), err);
}

static const struct rest_field create_fields[] = {
	{ "name", "server.name", REST_BODY, NULL },
	{ "keypair", "server.key_name", REST_BODY, NULL },
	{ "zone", "server.availability_zone", REST_BODY, NULL },
	{ "tag", "server.metadata", REST_BODY, NULL },
	{ NULL, NULL, REST_BODY, NULL },
};

static int instances_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	const char *id;
	int r = rest_fill(call, create_fields, &request, err);

	if (r == 0)
		r = put_disk(call, &request.json, err);
	if (r == 0)
		r = put_flavor(call, &request.json, err);
	if (r == 0)
		r = put_networks(call, &request.json, err);
	if (r == 0)
		r = put_groups(call, &request.json, err);
	if (r == 0)
		r = put_user_data(call, &request.json, err);
	if (r == 0)
		r = openstack_ask(call, "compute", HTTP_POST, "/servers", steal(request.json), &answer, err);
	if (r < 0)
		return r;
	id = json_get_string(answer, "server.id");
	return id ? show_instance(call, id, ret, err) : error_set(err, ERR_PROTOCOL, "Nova answers without a server");
}

/* ---- the rest is rows ---- */

static const struct rest_page by_server_links = { REST_PAGE_URL, REST_QUERY, NULL, "servers_links", "limit", 1000 };
static const struct rest_page by_flavor_links = { REST_PAGE_URL, REST_QUERY, NULL, "flavors_links", "limit", 1000 };
static const struct rest_page by_keypair_links = { REST_PAGE_URL, REST_QUERY, NULL, "keypairs_links", "limit", 1000 };
static const struct rest_page by_image_next = { REST_PAGE_URL, REST_QUERY, NULL, "next", "limit", 1000 };

static const struct rest_row list_servers = { .service = "compute", .path = "servers/detail", .items = "servers",
					      .page = &by_server_links, .record = instance_map };
static const struct rest_row list_flavors = { .service = "compute", .path = "flavors/detail", .items = "flavors",
					      .page = &by_flavor_links, .record = flavor_map };
static const struct rest_row list_keypairs = { .service = "compute", .path = "os-keypairs", .items = "keypairs",
					       .page = &by_keypair_links, .record = keypair_map };
static const struct rest_row list_zones = { .service = "compute", .path = "os-availability-zone",
					    .items = "availabilityZoneInfo", .record = zone_map };
static const struct rest_row delete_keypair = { .service = "compute", .method = HTTP_DELETE, .path = "os-keypairs/{name}" };
static const struct rest_field keypair_fields[] = {
	{ "name", "keypair.name", REST_BODY, NULL },
	{ "public_key", "keypair.public_key", REST_BODY, NULL },
	{ NULL, NULL, REST_BODY, NULL },
};
static const struct rest_row create_keypair = { .service = "compute", .method = HTTP_POST, .path = "os-keypairs",
						.fields = keypair_fields, .item = "keypair", .record = keypair_map };

/* Glance filters by whole names only, so a part of one is looked for here; "self" is the token's project. */
struct image_search {
	struct cloud_call *call;
	const char *name;
	struct json_object *list;
};

static int look_at_image(void *arg, struct json_object *image, struct error *err)
{
	struct image_search *s = arg;
	const char *name = json_get_string(image, "name");

	if (s->name && (!name || !strcasestr(name, s->name)))
		return 0;
	return cloud_list_add(s->call, image_map, image, &s->list, err);
}

static int images_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	struct image_search search = { call, cloud_param(call, "name"), json_object_new_array() };
	const char *owner = cloud_param(call, "owner");
	CLEANUP(freep) char *own = NULL;
	const struct service *service = NULL;
	int r = openstack_service(call, "image", &service, err);

	request.path = "/images";
	if (r == 0 && owner && !strcmp(owner, "self")) {
		r = openstack_variable(call, "own_project", &own, err);
		owner = own;
	}
	if (r == 0 && owner)
		r = http_query_add(&request.query, "owner", owner, err);
	if (r == 0)
		r = rest_pages(call, service, &request, "images", &by_image_next, look_at_image, &search, err);
	if (r < 0) {
		json_object_put(search.list);
		return r;
	}
	*ret = search.list;
	return 0;
}

static int images_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(freep) char *id = NULL;
	CLEANUP(freep) char *path = NULL;
	int r = rest_find(call, &openstack_image, cloud_param(call, "image"), &id, NULL, err);

	if (r == 0)
		r = path_of("images", id, "", &path, err);
	if (r == 0)
		r = openstack_ask(call, "image", HTTP_GET, path, NULL, &answer, err);
	return r < 0 ? r : cloud_record(call, image_map, answer, ret, err);
}

const struct compute_ops openstack_compute = {
	.instances_list = { .row = &list_servers },
	.instances_get = { .run = instances_get },
	.instances_create = { .run = instances_create },
	.instances_start = { .run = instances_start },
	.instances_stop = { .run = instances_stop },
	.instances_delete = { .run = instances_delete },
	.instances_reboot = { .run = instances_reboot },
	.instances_console = { .run = instances_console },
	.images_list = { .run = images_list },
	.images_get = { .run = images_get },
	.flavors_list = { .row = &list_flavors },
	.keypairs_list = { .row = &list_keypairs },
	.keypairs_create = { .row = &create_keypair },
	.keypairs_delete = { .row = &delete_keypair },
	.zones_list = { .row = &list_zones },
};
