/*
 * Networks by Compute Engine: networks and subnetworks (shown only), firewall rules, static addresses.
 *
 * A security group is a network tag: it exists as soon as an instance or a rule has it, and so is neither made nor listed.
 *
 * Source: cloud.google.com/compute/docs/reference/rest/v1/firewalls, /addresses, /networks, /subnetworks (read 2026-11).
 */
#include "backends/gcp/gce_rows.h"

static const struct record_word directions[] = { { "INGRESS", "ingress" }, { "EGRESS", "egress" }, { NULL, NULL } };
static const struct record_word uses[] = {
	{ "IN_USE", "in-use" }, { "RESERVED", "available" }, { "RESERVING", "creating" }, { NULL, NULL },
};

static struct json_object *make_action(struct json_object *rule)
{
	return json_object_new_string(json_get(rule, "denied") ? "deny" : "allow");
}

static struct json_object *make_protocol(struct json_object *protocol)
{
	const char *text = json_object_get_string(protocol);

	return json_object_new_string(!strcmp(text, "all") ? "any" : text);
}

/* "80,443,8000-8080": a rule may have several. */
static struct json_object *make_ports(struct json_object *ports)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(65536);

	for (size_t i = 0; json_object_is_type(ports, json_type_array) && i < json_object_array_length(ports); i++)
		if (buf_addf(&text, "%s%s", i ? "," : "", json_object_get_string(json_object_array_get_idx(ports, i))) < 0)
			return NULL;
	return text.len ? json_object_new_string(buf_cstr(&text)) : NULL;
}

static const struct record_source network_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "cidrs", "IPv4Range", NULL, NULL },
	{ "subnets", "subnetworks", NULL, gce_make_tails },
	{ "mtu", "mtu", NULL, NULL },
	{ "created", "creationTimestamp", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source subnet_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "network", "network", NULL, gce_make_tail },
	{ "cidr", "ipCidrRange", NULL, NULL },
	{ "gateway", "gatewayAddress", NULL, NULL },
	{ "zone", "region", NULL, gce_make_tail },
	{ "created", "creationTimestamp", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source rule_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "group", "targetTags.0", NULL, NULL },
	{ "direction", "direction", directions, NULL },
	{ "action", "", NULL, make_action },
	{ "protocol", "allowed.0.IPProtocol|denied.0.IPProtocol", NULL, make_protocol },
	{ "ports", "allowed.0.ports|denied.0.ports", NULL, make_ports },
	{ "remote", "sourceRanges|destinationRanges", NULL, NULL },
	{ "remote_group", "sourceTags.0", NULL, NULL },
	{ "priority", "priority", NULL, NULL },
	{ "network", "network", NULL, gce_make_tail },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source address_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "address", "address", NULL, NULL },
	{ "status", "status", uses, NULL },
	{ "provider_status", "status", NULL, NULL },
	{ "instance", "users.0", NULL, gce_make_tail },
	{ "network", "network", NULL, gce_make_tail },
	{ "zone", "region", NULL, gce_make_tail },
	{ "created", "creationTimestamp", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static bool is_address(struct json_object *address, const char *name)
{
	const char *own = json_get_string(address, "address");

	return (own && !strcmp(own, name)) || gce_is_named(address, name);
}

GCE_LIST(list_networks, "projects/{project}/global/networks", NULL, network_map);
GCE_KIND(a_network, "network", list_networks, "/networks/");
GCE_LIST(list_subnets, "projects/{project}/aggregated/subnetworks", "subnetworks", subnet_map);
GCE_KIND(a_subnet, "subnet", list_subnets, "/subnetworks/");
static const struct rest_keep of_one_tag[] = { { "group", "targetTags" }, { NULL, NULL } };
GCE_LIST(list_rules, "projects/{project}/global/firewalls", NULL, rule_map, .only = of_one_tag);
GCE_KIND(a_rule, "rule", list_rules, "/firewalls/");
GCE_LIST(list_addresses, "projects/{project}/aggregated/addresses", "addresses", address_map);
static const struct rest_kind an_address = { .what = "floating address", .list = &list_addresses, .matches = is_address,
	.make_id = gce_make_id, .id_part = "/addresses/", .is_id = gce_rest_id };
static const struct rest_name of_network[] = { { "network", &a_network }, { NULL, NULL } };
static const struct rest_name of_subnet[] = { { "subnet", &a_subnet }, { NULL, NULL } };
static const struct rest_name of_rule[] = { { "rule", &a_rule }, { NULL, NULL } };
static const struct rest_name of_address[] = { { "floating_ip", &an_address }, { NULL, NULL } };
GCE_GET(get_network, "{+network}", network_map, of_network);
GCE_GET(get_subnet, "{+subnet}", subnet_map, of_subnet);
GCE_GET(get_address, "{+floating_ip}", address_map, of_address);
GCE_GET(made_address, "projects/{project}/regions/{region}/addresses/{name}", address_map, NULL);
GCE_GET(made_rule, "projects/{project}/global/firewalls/{name}", rule_map, NULL);
#define RULE_FIELDS(list) \
	GCE_TOKEN, { "name", "name", REST_BODY, .is_needed = true }, { "group", "targetTags.0", REST_BODY }, \
	{ "network", "network", REST_BODY }, { "direction", "direction", REST_BODY, "\"INGRESS\"", .words = directions }, \
	{ "priority", "priority", REST_BODY }, { "description", "description", REST_BODY }, { "action", "", REST_NOWHERE }, \
	{ "_cidr_source", "sourceRanges.0", REST_BODY }, { "_cidr_destination", "destinationRanges.0", REST_BODY }, \
	{ "remote_group", "sourceTags.0", REST_BODY }, { "protocol", list ".0.IPProtocol", REST_BODY, "\"all\"" }, \
	{ "_ports_range", list ".0.ports.0", REST_BODY }
static const struct rest_field allow[] = {
	RULE_FIELDS("allowed"),
	{ .place = NULL },
};
static const struct rest_field deny[] = {
	RULE_FIELDS("denied"),
	{ .place = NULL },
};
GCE_CHANGE(create_allow, HTTP_POST, "projects/{project}/global/firewalls", allow, of_network, .then = &made_rule);
GCE_CHANGE(create_deny, HTTP_POST, "projects/{project}/global/firewalls", deny, of_network, .then = &made_rule);
GCE_CHANGE(delete_rule, HTTP_DELETE, "{+rule}", gce_only_token, of_rule);
static const struct rest_field new_address[] = {
	GCE_TOKEN,
	{ "name", "name", REST_BODY, .is_needed = true },
	{ "description", "description", REST_BODY },
	{ .place = NULL },
};
GCE_CHANGE(allocate, HTTP_POST, "projects/{project}/regions/{region}/addresses", new_address, NULL, .then = &made_address);
GCE_CHANGE(release, HTTP_DELETE, "{+floating_ip}", gce_only_token, of_address);
static const struct rest_name of_association[] = { { "floating_ip", &an_address }, { "instance", &gce_instance }, { NULL, NULL } };
static const struct rest_field new_access[] = {
	GCE_TOKEN,
	{ NULL, "networkInterface", REST_QUERY, "nic0" },
	{ NULL, "type", REST_BODY, "\"ONE_TO_ONE_NAT\"" },
	{ NULL, "name", REST_BODY, "\"External NAT\"" },
	{ "_address", "natIP", REST_BODY },
	{ "floating_ip", "", REST_NOWHERE },
	{ .place = NULL },
};
GCE_CHANGE(associate, HTTP_POST, "{+instance}/addAccessConfig", new_access, NULL, .then = &get_address);
static const struct rest_field no_access[] = {
	GCE_TOKEN,
	{ "_port", "networkInterface", REST_QUERY },
	{ "_access", "accessConfig", REST_QUERY },
	{ "floating_ip", "", REST_NOWHERE },
	{ .place = NULL },
};
GCE_CHANGE(disassociate, HTTP_POST, "{+instance}/deleteAccessConfig", no_access, NULL, .then = &get_address);

static int rules_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *direction = cloud_param(call, "direction"), *action = cloud_param(call, "action"), *cidr = cloud_param(call, "cidr");
	const struct rest_row *row = action && !strcmp(action, "deny") ? &create_deny : &create_allow;
	bool is_egress = direction && !strcmp(direction, "egress");

	if (is_egress && cloud_param(call, "remote_group"))
		return error_set(err, ERR_UNSUPPORTED, "a rule for what goes out knows no tag of the other side on Google Cloud");
	cidr = cidr ? cidr : cloud_param(call, "_cidr_any");
	if (!cidr)
		return rest_run(call, row, ret, err);
	return rest_run_with(call, row, is_egress ? "_cidr_destination" : "_cidr_source", json_object_new_string(cidr), ret, err);
}

/* The parameters with identifiers, and the address as the service has it. */
static int read_address(struct cloud_call *call, struct json_object **params, struct json_object **address, struct error *err)
{
	int r = rest_names(call, of_association, params, err);

	return r < 0 ? r : gce_read(call, json_get_string(*params, "floating_ip"), address, err);
}

static int associate_address(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	CLEANUP(json_putp) struct json_object *address = NULL;
	struct json_object *before = call->params;
	int r;

	if (cloud_param(call, "port"))
		return error_set(err, ERR_UNSUPPORTED, "Google Cloud has no ports: an address leads to an instance");
	r = read_address(call, &params, &address, err);
	if (r < 0)
		return r;
	if (!json_get_string(address, "address"))
		return error_set(err, ERR_CONFLICT, "the address is not there yet");
	call->params = params;
	r = rest_run_with(call, &associate, "_address", json_object_new_string(json_get_string(address, "address")), ret, err);
	call->params = before;
	return r;
}

/* The access configuration by which an instance has the address: its name and its interface's. */
static bool find_access(struct json_object *instance, const char *address, struct json_object *params)
{
	struct json_object *ports = json_get_array(instance, "networkInterfaces");

	for (size_t i = 0; ports && i < json_object_array_length(ports); i++) {
		struct json_object *port = json_object_array_get_idx(ports, i);
		struct json_object *all = json_get_array(port, "accessConfigs");

		for (size_t k = 0; all && k < json_object_array_length(all); k++) {
			struct json_object *one = json_object_array_get_idx(all, k);
			const char *nat = json_get_string(one, "natIP");

			if (!nat || !address || strcmp(nat, address) != 0)
				continue;
			json_object_object_add(params, "_port", json_object_get(json_get(port, "name")));
			json_object_object_add(params, "_access", json_object_get(json_get(one, "name")));
			return true;
		}
	}
	return false;
}

static int disassociate_address(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	CLEANUP(json_putp) struct json_object *address = NULL;
	CLEANUP(json_putp) struct json_object *instance = NULL;
	struct json_object *before = call->params;
	const char *user;
	int r = read_address(call, &params, &address, err);

	if (r < 0)
		return r;
	user = json_get_string(address, "users.0");
	user = user ? strstr(user, "projects/") : NULL;
	if (!user || !strstr(user, "/instances/"))
		return error_set(err, ERR_CONFLICT, "the address leads to no instance");
	json_object_object_add(params, "instance", json_object_new_string(user));
	r = gce_read(call, user, &instance, err);
	if (r < 0)
		return r;
	if (!find_access(instance, json_get_string(address, "address"), params))
		return error_set(err, ERR_CONFLICT, "the instance has the address no more");
	call->params = params;
	r = rest_run(call, &disassociate, ret, err);
	call->params = before;
	return r;
}

const struct network_ops gcp_network = {
	.networks_list = { .row = &list_networks },
	.networks_get = { .row = &get_network },
	.subnets_list = { .row = &list_subnets },
	.subnets_get = { .row = &get_subnet },
	.rules_list = { .row = &list_rules },
	.rules_create = { .run = rules_create },
	.rules_delete = { .row = &delete_rule },
	.addresses_list = { .row = &list_addresses },
	.addresses_get = { .row = &get_address },
	.addresses_allocate = { .row = &allocate },
	.addresses_associate = { .run = associate_address },
	.addresses_disassociate = { .run = disassociate_address },
	.addresses_release = { .row = &release },
};
