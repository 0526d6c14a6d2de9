/*
 * Networks by Azure: virtual networks (shown only), security groups and their rules, public addresses.
 *
 * Source: learn.microsoft.com/rest/api/virtualnetwork (version 2024-05-01, read 2026-11).
 */
#include "backends/azure/arm_rows.h"

#include <strings.h>

static const struct record_word network_states[] = {
	{ "Succeeded", "active" }, { "Updating", "creating" }, { "Deleting", "deleting" }, { "Failed", "error" }, { NULL, NULL },
};
static const struct record_word directions[] = { { "Inbound", "ingress" }, { "Outbound", "egress" }, { NULL, NULL } };
static const struct record_word actions[] = { { "Allow", "allow" }, { "Deny", "deny" }, { NULL, NULL } };
static const struct record_word protocols[] = {
	{ "Tcp", "tcp" }, { "Udp", "udp" }, { "Icmp", "icmp" }, { "Esp", "esp" }, { "Ah", "ah" }, { "*", "any" }, { NULL, NULL },
};

static struct json_object *make_ids(struct json_object *list)
{
	struct json_object *found = json_object_new_array();

	for (size_t i = 0; found && json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++)
		json_object_array_add(found, json_object_get(json_get(json_object_array_get_idx(list, i), "id")));
	return found;
}

/* "*" is all: none at all here. */
static struct json_object *make_but_any(struct json_object *value)
{
	return !strcmp(json_object_get_string(value), "*") ? NULL : json_object_get(value);
}

static struct json_object *make_remote(struct json_object *rule)
{
	const char *direction = json_get_string(rule, "properties.direction");
	bool is_out = direction && !strcasecmp(direction, "Outbound");
	struct json_object *found =
		record_find(rule, is_out ? "properties.destinationAddressPrefix|properties.destinationAddressPrefixes" :
					   "properties.sourceAddressPrefix|properties.sourceAddressPrefixes");

	return found ? make_but_any(found) : NULL;
}

static struct json_object *make_group(struct json_object *id)
{
	CLEANUP(freep) char *name = arm_id_piece(json_object_get_string(id), "networkSecurityGroups");

	return name ? json_object_new_string(name) : NULL;
}

static struct json_object *make_use(struct json_object *address)
{
	const char *made = json_get_string(address, "properties.provisioningState");

	if (made && !strcasecmp(made, "Failed"))
		return json_object_new_string("error");
	return json_object_new_string(json_get(address, "properties.ipConfiguration") ? "in-use" : "available");
}

static const struct record_source network_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "properties.provisioningState", network_states, NULL },
	{ "provider_status", "properties.provisioningState", NULL, NULL },
	{ "cidrs", "properties.addressSpace.addressPrefixes", NULL, NULL },
	{ "subnets", "properties.subnets", NULL, make_ids },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source group_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "rules", "properties.securityRules", NULL, make_ids },
	{ "tags", "tags", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source rule_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "group", "id", NULL, make_group },
	{ "direction", "properties.direction", directions, NULL },
	{ "action", "properties.access", actions, NULL },
	{ "protocol", "properties.protocol", protocols, NULL },
	{ "ports", "properties.destinationPortRange", NULL, make_but_any },
	{ "remote", "", NULL, make_remote },
	{ "priority", "properties.priority", NULL, NULL },
	{ "description", "properties.description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source address_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "address", "properties.ipAddress", NULL, NULL },
	{ "status", "", NULL, make_use },
	{ "provider_status", "properties.provisioningState", NULL, NULL },
	{ "port", "properties.ipConfiguration.id", NULL, NULL },
	{ "zone", "location", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static bool is_address(struct json_object *address, const char *name)
{
	const char *own = json_get_string(address, "properties.ipAddress");

	return (own && !strcmp(own, name)) || arm_is_named(address, name);
}

#define NETWORK "Microsoft.Network/"
ARM_LIST(list_networks, "network", ARM_ALL NETWORK "virtualNetworks", "value", network_map);
ARM_KIND(a_network, "network", list_networks, "/" NETWORK "virtualNetworks/");
ARM_LIST(list_groups, "network", ARM_ALL NETWORK "networkSecurityGroups", "value", group_map);
ARM_KIND(a_group, "security group", list_groups, "/" NETWORK "networkSecurityGroups/");
ARM_LIST(list_addresses, "network", ARM_ALL NETWORK "publicIPAddresses", "value", address_map);
static const struct rest_kind an_address = { .what = "floating address", .list = &list_addresses, .matches = is_address,
	.id = "id", .id_part = "/" NETWORK "publicIPAddresses/", .is_id = arm_rest_id };
static const struct rest_kind a_rule = { .what = "rule", .id_part = "/securityRules/", .is_id = arm_rest_id };
static const struct rest_name of_network[] = { { "network", &a_network }, { NULL, NULL } };
static const struct rest_name of_group[] = { { "group", &a_group }, { NULL, NULL } };
static const struct rest_name of_address[] = { { "floating_ip", &an_address }, { NULL, NULL } };
static const struct rest_name of_rule[] = { { "rule", &a_rule }, { NULL, NULL } };
ARM_LIST(list_rules, "network", "{+group}/securityRules", "value", rule_map, .names = of_group);
ARM_GET(get_network, "network", "{+network}", network_map, of_network);
ARM_GET(get_group, "network", "{+group}", group_map, of_group);
ARM_GET(made_group, "network", ARM_PLACE NETWORK "networkSecurityGroups/{name}", group_map, NULL);
ARM_GET(made_rule, "network", "{+group}/securityRules/{name}", rule_map, NULL);
ARM_GET(get_address, "network", "{+floating_ip}", address_map, of_address);
ARM_GET(made_address, "network", ARM_PLACE NETWORK "publicIPAddresses/{name}", address_map, NULL);
static const struct rest_field new_group[] = {
	ARM_NEW,
	{ "tag", "tags", REST_BODY },
	{ .place = NULL },
};
ARM_CHANGE(create_group, "network", HTTP_PUT, ARM_PLACE NETWORK "networkSecurityGroups/{name}", new_group, NULL,
	   .then = &made_group);
ARM_CHANGE(delete_group, "network", HTTP_DELETE, "{+group}", NULL, of_group);
#define RULE_FIELDS(remote, own) \
	{ NULL, "If-None-Match", REST_HEADER, "*" }, { "protocol", "properties.protocol", REST_BODY, "\"*\"", .words = protocols }, \
	{ "_ports_range", "properties.destinationPortRange", REST_BODY, "\"*\"" }, \
	{ NULL, "properties.sourcePortRange", REST_BODY, "\"*\"" }, { "cidr", "properties." remote, REST_BODY, "\"*\"" }, \
	{ NULL, "properties." own, REST_BODY, "\"*\"" }, \
	{ "action", "properties.access", REST_BODY, "\"Allow\"", .words = actions }, \
	{ "priority", "properties.priority", REST_BODY, "1000" }, \
	{ "direction", "properties.direction", REST_BODY, "\"Inbound\"", .words = directions }, \
	{ "description", "properties.description", REST_BODY }
static const struct rest_field rule_in[] = {
	RULE_FIELDS("sourceAddressPrefix", "destinationAddressPrefix"),
	{ .place = NULL },
};
static const struct rest_field rule_out[] = {
	RULE_FIELDS("destinationAddressPrefix", "sourceAddressPrefix"),
	{ .place = NULL },
};
ARM_CHANGE(create_rule_in, "network", HTTP_PUT, "{+group}/securityRules/{name}", rule_in, of_group, .then = &made_rule);
ARM_CHANGE(create_rule_out, "network", HTTP_PUT, "{+group}/securityRules/{name}", rule_out, of_group, .then = &made_rule);
ARM_CHANGE(delete_rule, "network", HTTP_DELETE, "{+rule}", NULL, of_rule);
static const struct rest_field new_address[] = {
	ARM_NEW,
	{ NULL, "sku.name", REST_BODY, "\"Standard\"" },
	{ NULL, "properties.publicIPAllocationMethod", REST_BODY, "\"Static\"" },
	{ .place = NULL },
};
ARM_CHANGE(allocate, "network", HTTP_PUT, ARM_PLACE NETWORK "publicIPAddresses/{name}", new_address, NULL, .then = &made_address);
ARM_CHANGE(release, "network", HTTP_DELETE, "{+floating_ip}", NULL, of_address);

static int rules_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *direction = cloud_param(call, "direction");

	return rest_run(call, direction && !strcmp(direction, "egress") ? &create_rule_out : &create_rule_in, ret, err);
}

const struct network_ops azure_network = {
	.networks_list = { .row = &list_networks },
	.networks_get = { .row = &get_network },
	.groups_list = { .row = &list_groups },
	.groups_get = { .row = &get_group },
	.groups_create = { .row = &create_group },
	.groups_delete = { .row = &delete_group },
	.rules_list = { .row = &list_rules },
	.rules_create = { .run = rules_create },
	.rules_delete = { .row = &delete_rule },
	.addresses_list = { .row = &list_addresses },
	.addresses_get = { .row = &get_address },
	.addresses_allocate = { .row = &allocate },
	.addresses_release = { .row = &release },
};
