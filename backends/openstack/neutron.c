/*
 * Networks by Neutron.
 *
 * A floating address is called ACTIVE only where an agent says so: here it is in use when it leads to a port.
 *
 * Source: docs.openstack.org/api-ref/network/v2, read 2026-11.
 */
#include "backends/openstack/octavia.h"
#include "backends/openstack/openstack_rows.h"

#include <stdio.h>

static const struct record_word states[] = {
	{ "ACTIVE", "active" }, { "BUILD", "creating" }, { "DOWN", "down" }, { "ERROR", "error" },
	{ "N/A", "active" },	{ "ALLOCATING", "creating" }, { "UNKNOWN", "unknown" }, { NULL, NULL },
};

static struct json_object *make_pools(struct json_object *pools)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && json_object_is_type(pools, json_type_array) && i < json_object_array_length(pools); i++) {
		struct json_object *pool = json_object_array_get_idx(pools, i);
		const char *start = json_get_string(pool, "start"), *end = json_get_string(pool, "end");
		CLEANUP(freep) char *text = start && end ? str_format("%s-%s", start, end) : NULL;

		if (text)
			json_object_array_add(list, json_object_new_string(text));
	}
	return list;
}
static struct json_object *make_addresses(struct json_object *fixed)
{
	return openstack_members(fixed, "ip_address");
}
static struct json_object *make_subnets(struct json_object *fixed)
{
	return openstack_members(fixed, "subnet_id");
}
static struct json_object *make_ids(struct json_object *list)
{
	return openstack_members(list, "id");
}
static struct json_object *make_routes(struct json_object *routes)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && json_object_is_type(routes, json_type_array) && i < json_object_array_length(routes); i++) {
		struct json_object *route = json_object_array_get_idx(routes, i);
		const char *to = json_get_string(route, "destination"), *by = json_get_string(route, "nexthop");
		CLEANUP(freep) char *text = to && by ? str_format("%s via %s", to, by) : NULL;

		if (text)
			json_object_array_add(list, json_object_new_string(text));
	}
	return list;
}
static struct json_object *make_ports(struct json_object *rule)
{
	int64_t min = json_get_int64(rule, "port_range_min", -1), max = json_get_int64(rule, "port_range_max", -1);
	char text[48];

	if (min < 0 && max < 0)
		return NULL;
	(void)snprintf(text, sizeof text, min == max ? "%lld" : "%lld-%lld", (long long)min, (long long)max);
	return json_object_new_string(text);
}
static struct json_object *make_protocol(struct json_object *rule)
{
	const char *protocol = json_get_string(rule, "protocol");

	return json_object_new_string(protocol ? protocol : "any");
}
static struct json_object *make_version(struct json_object *ethertype)
{
	return json_object_new_int(!strcmp(json_object_get_string(ethertype), "IPv6") ? 6 : 4);
}
static struct json_object *make_allow(struct json_object *rule)
{
	(void)rule; /* Neutron has no others */
	return json_object_new_string("allow");
}
static struct json_object *make_use(struct json_object *ip)
{
	const char *status = json_get_string(ip, "status");

	if (status && !strcmp(status, "ERROR"))
		return json_object_new_string("error");
	return json_object_new_string(json_get_string(ip, "port_id") ? "in-use" : "available");
}
static struct json_object *make_instance(struct json_object *details)
{
	const char *owner = json_get_string(details, "device_owner");

	return owner && !strncmp(owner, "compute:", 8) ? json_object_get(json_get(details, "device_id")) : NULL;
}

static const struct record_source network_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "status", states, NULL },
	{ "provider_status", "status", NULL, NULL },
	{ "subnets", "subnets", NULL, NULL },
	{ "external", "router:external", NULL, NULL },
	{ "shared", "shared", NULL, NULL },
	{ "mtu", "mtu", NULL, NULL },
	{ "created", "created_at", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ "tags", "tags", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source subnet_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "network", "network_id", NULL, NULL },
	{ "cidr", "cidr", NULL, NULL },
	{ "ip_version", "ip_version", NULL, NULL },
	{ "gateway", "gateway_ip", NULL, NULL },
	{ "dhcp", "enable_dhcp", NULL, NULL },
	{ "dns", "dns_nameservers", NULL, NULL },
	{ "pools", "allocation_pools", NULL, make_pools },
	{ "created", "created_at", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source port_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "status", states, NULL },
	{ "provider_status", "status", NULL, NULL },
	{ "network", "network_id", NULL, NULL },
	{ "subnets", "fixed_ips", NULL, make_subnets },
	{ "addresses", "fixed_ips", NULL, make_addresses },
	{ "mac", "mac_address", NULL, NULL },
	{ "device", "device_id", NULL, NULL },
	{ "owner", "device_owner", NULL, NULL },
	{ "security_groups", "security_groups", NULL, NULL },
	{ "created", "created_at", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source router_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "status", states, NULL },
	{ "provider_status", "status", NULL, NULL },
	{ "external_network", "external_gateway_info.network_id", NULL, NULL },
	{ "addresses", "external_gateway_info.external_fixed_ips", NULL, make_addresses },
	{ "snat", "external_gateway_info.enable_snat", NULL, NULL },
	{ "routes", "routes", NULL, make_routes },
	{ "created", "created_at", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source group_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "rules", "security_group_rules", NULL, make_ids },
	{ "created", "created_at", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source rule_map[] = {
	{ "id", "id", NULL, NULL },
	{ "group", "security_group_id", NULL, NULL },
	{ "direction", "direction", NULL, NULL },
	{ "action", "", NULL, make_allow },
	{ "protocol", "", NULL, make_protocol },
	{ "ports", "", NULL, make_ports },
	{ "remote", "remote_ip_prefix", NULL, NULL },
	{ "remote_group", "remote_group_id", NULL, NULL },
	{ "ip_version", "ethertype", NULL, make_version },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source address_map[] = {
	{ "id", "id", NULL, NULL },
	{ "address", "floating_ip_address", NULL, NULL },
	{ "status", "", NULL, make_use },
	{ "provider_status", "status", NULL, NULL },
	{ "fixed_address", "fixed_ip_address", NULL, NULL },
	{ "instance", "port_details", NULL, make_instance },
	{ "port", "port_id", NULL, NULL },
	{ "network", "floating_network_id", NULL, NULL },
	{ "created", "created_at", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

OPENSTACK_LIST(list_networks, "network", "networks", "networks", network_map);
const struct rest_kind neutron_network = { .what = "network", .list = &list_networks, .filter = openstack_by_name,
					   .names = "name", .id = "id", .is_id = openstack_rest_id };
static const struct rest_name of_network[] = { { "network", &neutron_network }, { NULL, NULL } };
static const struct rest_field subnet_filters[] = {
	{ "network", "network_id", REST_QUERY },
	{ .place = NULL },
};
OPENSTACK_LIST(list_subnets, "network", "subnets", "subnets", subnet_map, .fields = subnet_filters, .names = of_network);
const struct rest_kind neutron_subnet = { .what = "subnet", .list = &list_subnets, .filter = openstack_by_name,
					  .names = "name", .id = "id", .is_id = openstack_rest_id };
static const struct rest_field port_filters[] = {
	{ "network", "network_id", REST_QUERY },
	{ "device", "device_id", REST_QUERY },
	{ .place = NULL },
};
OPENSTACK_LIST(list_ports, "network", "ports", "ports", port_map, .fields = port_filters, .names = of_network);
OPENSTACK_KIND(a_port, "port", list_ports);
OPENSTACK_LIST(list_routers, "network", "routers", "routers", router_map);
OPENSTACK_KIND(a_router, "router", list_routers);
OPENSTACK_LIST(list_groups, "network", "security-groups", "security_groups", group_map);
OPENSTACK_KIND(a_group, "security group", list_groups);
static const struct rest_name of_subnet[] = { { "subnet", &neutron_subnet }, { NULL, NULL } };
static const struct rest_name of_port[] = { { "port", &a_port }, { NULL, NULL } };
static const struct rest_name of_router[] = { { "router", &a_router }, { NULL, NULL } };
static const struct rest_name of_group[] = { { "group", &a_group }, { NULL, NULL } };
static const struct rest_field rule_filters[] = {
	{ "group", "security_group_id", REST_QUERY },
	{ .place = NULL },
};
OPENSTACK_LIST(list_rules, "network", "security-group-rules", "security_group_rules", rule_map, .fields = rule_filters, .names = of_group);
OPENSTACK_LIST(list_addresses, "network", "floatingips", "floatingips", address_map);
static const struct rest_field by_address[] = {
	{ "name", "floating_ip_address", REST_QUERY },
	{ .place = NULL },
};
static const struct rest_kind an_address = { .what = "floating address", .list = &list_addresses, .filter = by_address,
	.names = "floating_ip_address", .id = "id", .is_id = openstack_rest_id };
static const struct rest_name of_address[] = { { "floating_ip", &an_address }, { NULL, NULL } };

OPENSTACK_GET(get_network, "network", "networks/{network}", "network", network_map, of_network);
OPENSTACK_DELETE(delete_network, "network", "networks/{network}", of_network);
OPENSTACK_GET(get_subnet, "network", "subnets/{subnet}", "subnet", subnet_map, of_subnet);
OPENSTACK_DELETE(delete_subnet, "network", "subnets/{subnet}", of_subnet);
OPENSTACK_GET(get_port, "network", "ports/{port}", "port", port_map, of_port);
OPENSTACK_DELETE(delete_port, "network", "ports/{port}", of_port);
OPENSTACK_GET(get_router, "network", "routers/{router}", "router", router_map, of_router);
OPENSTACK_DELETE(delete_router, "network", "routers/{router}", of_router);
OPENSTACK_GET(get_group, "network", "security-groups/{group}", "security_group", group_map, of_group);
OPENSTACK_DELETE(delete_group, "network", "security-groups/{group}", of_group);
OPENSTACK_GET(get_address, "network", "floatingips/{floating_ip}", "floatingip", address_map, of_address);
OPENSTACK_DELETE(delete_address, "network", "floatingips/{floating_ip}", of_address);
OPENSTACK_DELETE(delete_rule, "network", "security-group-rules/{rule}", NULL);

static const struct rest_field network_fields[] = {
	{ "name", "network.name", REST_BODY },
	{ "description", "network.description", REST_BODY },
	{ "shared", "network.shared", REST_BODY },
	{ "mtu", "network.mtu", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_CREATE(create_network, "network", "networks", network_fields, "network", network_map, NULL);
static const struct rest_field subnet_fields[] = {
	{ "name", "subnet.name", REST_BODY },
	{ "network", "subnet.network_id", REST_BODY },
	{ "cidr", "subnet.cidr", REST_BODY },
	{ "_cidr_version", "subnet.ip_version", REST_BODY },
	{ "gateway", "subnet.gateway_ip", REST_BODY },
	{ "no_gateway", "subnet.gateway_ip", REST_BODY, .when = "null" },
	{ "no_dhcp", "subnet.enable_dhcp", REST_BODY, .when = "false" },
	{ "dns", "subnet.dns_nameservers", REST_BODY },
	{ "description", "subnet.description", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_CREATE(create_subnet, "network", "subnets", subnet_fields, "subnet", subnet_map, of_network);
static const struct rest_name of_new_port[] = { { "network", &neutron_network }, { "subnet", &neutron_subnet }, { "security_group", &a_group }, { NULL, NULL } };
static const struct rest_field port_fields[] = {
	{ "name", "port.name", REST_BODY },
	{ "network", "port.network_id", REST_BODY },
	{ "subnet", "port.fixed_ips.0.subnet_id", REST_BODY },
	{ "address", "port.fixed_ips.0.ip_address", REST_BODY },
	{ "security_group", "port.security_groups", REST_BODY },
	{ "description", "port.description", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_CREATE(create_port, "network", "ports", port_fields, "port", port_map, of_new_port);
static const struct rest_name of_new_router[] = { { "external_network", &neutron_network }, { NULL, NULL } };
static const struct rest_field router_fields[] = {
	{ "name", "router.name", REST_BODY },
	{ "external_network", "router.external_gateway_info.network_id", REST_BODY },
	{ "description", "router.description", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_CREATE(create_router, "network", "routers", router_fields, "router", router_map, of_new_router);
static const struct rest_field interface_filters[] = {
	{ "router", "device_id", REST_QUERY },
	{ NULL, "device_owner", REST_QUERY, "network:router_interface" },
	{ NULL, "device_owner", REST_QUERY, "network:router_interface_distributed" },
	{ NULL, "device_owner", REST_QUERY, "network:ha_router_replicated_interface" },
	{ .place = NULL },
};
OPENSTACK_LIST(list_interfaces, "network", "ports", "ports", port_map, .fields = interface_filters, .names = of_router);
static const struct rest_name of_interface[] = { { "router", &a_router }, { "subnet", &neutron_subnet }, { NULL, NULL } };
static const struct rest_field interface_fields[] = {
	{ "subnet", "subnet_id", REST_BODY },
	{ .place = NULL },
};
static const struct rest_keep interface_port[] = { { "port", "port_id" }, { NULL, NULL } };
static const struct rest_row add_interface = { .service = "network", .method = HTTP_PUT,
	.path = "routers/{router}/add_router_interface", .fields = interface_fields, .names = of_interface,
	.then = &get_port, .keep = interface_port, .is_strict = true };
static const struct rest_row remove_interface = { .service = "network", .method = HTTP_PUT,
	.path = "routers/{router}/remove_router_interface", .fields = interface_fields, .names = of_interface,
	.is_strict = true };
static const struct rest_field group_fields[] = {
	{ "name", "security_group.name", REST_BODY },
	{ "description", "security_group.description", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_CREATE(create_group, "network", "security-groups", group_fields, "security_group", group_map, NULL);
static const struct rest_name of_new_rule[] = { { "group", &a_group }, { "remote_group", &a_group }, { NULL, NULL } };
static const struct rest_field rule_fields[] = {
	{ "group", "security_group_rule.security_group_id", REST_BODY },
	{ "direction", "security_group_rule.direction", REST_BODY, "\"ingress\"" },
	{ "protocol", "security_group_rule.protocol", REST_BODY },
	{ "_ports_min", "security_group_rule.port_range_min", REST_BODY },
	{ "_ports_max", "security_group_rule.port_range_max", REST_BODY },
	{ "cidr", "security_group_rule.remote_ip_prefix", REST_BODY },
	{ "_cidr_ethertype", "security_group_rule.ethertype", REST_BODY },
	{ "remote_group", "security_group_rule.remote_group_id", REST_BODY },
	{ "description", "security_group_rule.description", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_CREATE(create_rule, "network", "security-group-rules", rule_fields, "security_group_rule", rule_map, of_new_rule);
static const struct rest_field address_fields[] = {
	{ "network", "floatingip.floating_network_id", REST_BODY },
	{ "description", "floatingip.description", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_CREATE(create_address, "network", "floatingips", address_fields, "floatingip", address_map, of_network);
static const struct rest_name of_association[] = { { "floating_ip", &an_address }, { "port", &a_port }, { NULL, NULL } };
static const struct rest_field association_fields[] = {
	{ "port", "floatingip.port_id", REST_BODY },
	{ "fixed_address", "floatingip.fixed_ip_address", REST_BODY },
	{ .place = NULL },
};
static const struct rest_row associate = { .service = "network", .method = HTTP_PUT, .path = "floatingips/{floating_ip}",
	.fields = association_fields, .item = "floatingip", .record = address_map, .names = of_association };
static const struct rest_field nowhere[] = {
	{ NULL, "floatingip.port_id", REST_BODY, "null" },
	{ .place = NULL },
};
static const struct rest_row disassociate = { .service = "network", .method = HTTP_PUT, .path = "floatingips/{floating_ip}",
	.fields = nowhere, .item = "floatingip", .record = address_map, .names = of_address, .is_strict = true };

/* ---- what takes more than one call ---- */

struct only {
	char *id;
	size_t count;
};

static int note_id(void *arg, struct json_object *item, struct error *err)
{
	struct only *o = arg;
	const char *id = json_get_string(item, "id");

	if (!id)
		return error_set(err, ERR_PROTOCOL, "Neutron tells of a thing without identifier");
	free(o->id);
	o->id = strdup(id);
	o->count++;
	return o->id ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static const struct rest_field external_only[] = {
	{ NULL, "router:external", REST_QUERY, "true" },
	{ .place = NULL },
};
OPENSTACK_LIST(list_external, "network", "networks", "networks", NULL, .fields = external_only);

static int allocate(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	struct only only = { NULL, 0 };
	CLEANUP(freep) char *id = NULL;
	const char *stray = rest_stray_param(call, &create_address);
	int r;

	if (stray || cloud_param(call, "network"))
		return rest_run(call, &create_address, ret, err);
	r = rest_each(call, &list_external, note_id, &only, err);
	id = only.id;
	if (r < 0)
		return r;
	if (only.count != 1)
		return only.count ? error_set(err, ERR_CONFLICT, "there are %zu external networks (say which: --network)",
					      only.count) :
				    error_set(err, ERR_NOT_FOUND, "there is no external network");
	return rest_run_with(call, &create_address, "network", json_object_new_string(id), ret, err);
}

static const struct rest_field of_device[] = {
	{ "instance", "device_id", REST_QUERY },
	{ .place = NULL },
};
static const struct rest_name of_instance[] = { { "instance", &openstack_instance }, { NULL, NULL } };
OPENSTACK_LIST(list_instance_ports, "network", "ports", "ports", NULL, .fields = of_device);

static int associate_address(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	CLEANUP(freep) char *id = NULL;
	struct only only = { NULL, 0 };
	struct json_object *before = call->params;
	int r;

	if (cloud_param(call, "port"))
		return rest_run(call, &associate, ret, err);
	r = rest_names(call, of_instance, &params, err);
	if (r < 0)
		return r;
	call->params = params;
	r = rest_each(call, &list_instance_ports, note_id, &only, err);
	call->params = before;
	id = only.id;
	if (r < 0)
		return r;
	if (only.count != 1)
		return only.count ? error_set(err, ERR_CONFLICT, "the instance has %zu ports (say which: --port)", only.count) :
				    error_set(err, ERR_CONFLICT, "the instance has no port");
	return rest_run_with(call, &associate, "port", json_object_new_string(id), ret, err);
}

const struct network_ops openstack_network = {
	.networks_list = { .row = &list_networks },
	.networks_get = { .row = &get_network },
	.networks_create = { .row = &create_network },
	.networks_delete = { .row = &delete_network },
	.subnets_list = { .row = &list_subnets },
	.subnets_get = { .row = &get_subnet },
	.subnets_create = { .row = &create_subnet },
	.subnets_delete = { .row = &delete_subnet },
	.ports_list = { .row = &list_ports },
	.ports_get = { .row = &get_port },
	.ports_create = { .row = &create_port },
	.ports_delete = { .row = &delete_port },
	.routers_list = { .row = &list_routers },
	.routers_get = { .row = &get_router },
	.routers_create = { .row = &create_router },
	.routers_delete = { .row = &delete_router },
	.groups_list = { .row = &list_groups },
	.groups_get = { .row = &get_group },
	.groups_create = { .row = &create_group },
	.groups_delete = { .row = &delete_group },
	.router_interfaces_list = { .row = &list_interfaces },
	.router_interfaces_add = { .row = &add_interface },
	.router_interfaces_remove = { .row = &remove_interface },
	.rules_list = { .row = &list_rules },
	.rules_create = { .row = &create_rule },
	.rules_delete = { .row = &delete_rule },
	.addresses_list = { .row = &list_addresses },
	.addresses_get = { .row = &get_address },
	.addresses_allocate = { .run = allocate },
	.addresses_associate = { .run = associate_address },
	.addresses_disassociate = { .row = &disassociate },
	.addresses_release = { .row = &delete_address },
	.balancers_list = { .row = &octavia_list_balancers },
	.balancers_get = { .row = &octavia_get_balancer },
	.balancers_create = { .row = &octavia_create_balancer },
	.balancers_delete = { .row = &octavia_delete_balancer },
	.listeners_list = { .row = &octavia_list_listeners },
	.listeners_get = { .row = &octavia_get_listener },
	.listeners_create = { .row = &octavia_create_listener },
	.listeners_delete = { .row = &octavia_delete_listener },
	.pools_list = { .row = &octavia_list_pools },
	.pools_get = { .row = &octavia_get_pool },
	.pools_create = { .row = &octavia_create_pool },
	.pools_delete = { .row = &octavia_delete_pool },
	.members_list = { .row = &octavia_list_members },
	.members_get = { .row = &octavia_get_member },
	.members_create = { .row = &octavia_create_member },
	.members_delete = { .row = &octavia_delete_member },
	.monitors_list = { .row = &octavia_list_monitors },
	.monitors_get = { .row = &octavia_get_monitor },
	.monitors_create = { .row = &octavia_create_monitor },
	.monitors_delete = { .row = &octavia_delete_monitor },
};
