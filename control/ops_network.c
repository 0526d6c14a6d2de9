/*
 * Purpose: the operations on networks: rows; the drivers do them (backends/cloud/network.h). Load balancers stand in
 *	ops_balancers.c.
 */
#include "backends/cloud/network.h"
#include "control/net_check.h"
#include "control/op.h"

#define NET(slot_name) \
	.prepare = net_check_params, .interface = CLOUD_NETWORK, .slot = offsetof(struct network_ops, slot_name)

static const char *const directions[] = {"ingress", "egress", NULL};
static const char *const actions[] = {"allow", "deny", NULL};
static const char *const in_use[] = {"in-use", NULL};
static const char *const failed[] = {"error", NULL};
static const struct op_wait wait_associated = {"floating-ips.get", "floating_ip", "status", in_use, failed};

#define NAME {"name", OP_STRING, true, 255, "name", .position = 1}
#define DESCRIPTION {"description", OP_STRING, false, 255, "what it is for"}
#define NETWORK {"network", OP_STRING, true, 512, "identifier or name", .position = 1, .completes = "networks.list"}
#define OF_NETWORK(required) \
	{"network", OP_STRING, required, 512, "network, by identifier or name", .completes = "networks.list"}
#define SUBNET {"subnet", OP_STRING, true, 512, "identifier or name", .position = 1, .completes = "subnets.list"}
#define PORT {"port", OP_STRING, true, 512, "identifier or name", .position = 1, .completes = "ports.list"}
#define ROUTER {"router", OP_STRING, true, 512, "identifier or name", .position = 1, .completes = "routers.list"}
#define GROUP(required) \
	{"group", OP_STRING, required, 512, "security group, by identifier or name", .position = 1, \
	 .completes = "security-groups.list"}
#define FLOATING_IP \
	{"floating_ip", OP_STRING, true, 512, "identifier, address or name", .position = 1, .completes = "floating-ips.list"}

static const struct op_param network_params[] = {NETWORK, OP_PARAM_END};
static const struct op_param network_create_params[] = {
	NAME,
	{"cidr", OP_STRING, false, 64, "address range, where the network itself has one"},
	DESCRIPTION,
	{"shared", OP_BOOL, false, 0, "other projects may use it"},
	{"mtu", OP_INT, false, 65535, "largest packet in bytes", .min = 68},
	OP_PARAM_END,
};
static const struct op_param subnets_params[] = {OF_NETWORK(false), OP_PARAM_END};
static const struct op_param subnet_params[] = {SUBNET, OP_PARAM_END};
static const struct op_param subnet_create_params[] = {
	NAME,
	OF_NETWORK(true),
	{"cidr", OP_STRING, true, 64, "address range: 192.0.2.0/24, 2001:db8::/64"},
	{"gateway", OP_STRING, false, 64, "address of the gateway (without: the first one)"},
	{"no_gateway", OP_BOOL, false, 0, "there is no gateway"},
	{"no_dhcp", OP_BOOL, false, 0, "addresses are not given out by DHCP"},
	{"dns", OP_LIST, false, 64, "address of a name server; may be repeated"},
	{"zone", OP_STRING, false, 128, "zone or region, where a subnet has one"},
	DESCRIPTION,
	OP_PARAM_END,
};
static const struct op_param ports_params[] = {
	OF_NETWORK(false),
	{"device", OP_STRING, false, 255, "only those of this instance or router, by identifier"},
	OP_PARAM_END,
};
static const struct op_param port_params[] = {PORT, OP_PARAM_END};
static const struct op_param port_create_params[] = {
	NAME,
	OF_NETWORK(true),
	{"subnet", OP_STRING, false, 512, "subnet to take the address of", .completes = "subnets.list"},
	{"address", OP_STRING, false, 64, "address to have"},
	{"security_group", OP_LIST, false, 512, "security group; may be repeated", .completes = "security-groups.list"},
	DESCRIPTION,
	OP_PARAM_END,
};
static const struct op_param router_params[] = {ROUTER, OP_PARAM_END};
static const struct op_param router_create_params[] = {
	NAME,
	{"external_network", OP_STRING, false, 512, "network that leads to the outside", .completes = "networks.list"},
	DESCRIPTION,
	OP_PARAM_END,
};
static const struct op_param interface_params[] = {
	ROUTER,
	{"subnet", OP_STRING, true, 512, "subnet, by identifier or name", .position = 2, .completes = "subnets.list"},
	OP_PARAM_END,
};
static const struct op_param group_params[] = {GROUP(true), OP_PARAM_END};
static const struct op_param group_create_params[] = {
	NAME,
	DESCRIPTION,
	OF_NETWORK(false),
	{"tag", OP_MAP, false, 256, "tag; may be repeated"},
	OP_PARAM_END,
};
static const struct op_param rules_params[] = {GROUP(false), OP_PARAM_END};
static const struct op_param rule_create_params[] = {
	GROUP(true),
	{"direction", OP_ENUM, false, 0, "ingress (the default): to the instances; egress: from them", .choices = directions},
	{"protocol", OP_STRING, false, 32, "tcp, udp, icmp, any (the default), or a number"},
	{"ports", OP_STRING, false, 16, "port or range: 443, 8000-8080 (without: all)"},
	{"cidr", OP_STRING, false, 64, "the other side's addresses (without: any)"},
	{"remote_group", OP_STRING, false, 512, "the other side's security group", .completes = "security-groups.list"},
	{"action", OP_ENUM, false, 0, "allow (the default) or deny", .choices = actions},
	{"priority", OP_INT, false, 65535, "the lower the earlier, where rules have an order (1000)", .min = 1},
	{"name", OP_STRING, false, 63, "name, where rules have one"},
	OF_NETWORK(false),
	DESCRIPTION,
	OP_PARAM_END,
};
static const struct op_param rule_params[] = {
	{"rule", OP_STRING, true, 512, "identifier or name", .position = 1, .completes = "security-groups.rules.list"},
	OP_PARAM_END,
};
static const struct op_param floating_ip_params[] = {FLOATING_IP, OP_PARAM_END};
static const struct op_param allocate_params[] = {
	{"network", OP_STRING, false, 512, "external network (without: the only one)", .completes = "networks.list"},
	{"name", OP_STRING, false, 255, "name, where an address has one"},
	DESCRIPTION,
	OP_PARAM_END,
};
static const struct op_param associate_params[] = {
	FLOATING_IP,
	{"instance", OP_STRING, false, 512, "instance it shall lead to", .position = 2, .completes = "instances.list"},
	{"port", OP_STRING, false, 512, "port it shall lead to, instead of an instance", .completes = "ports.list"},
	{"fixed_address", OP_STRING, false, 64, "which address of it, when there are several"},
	OP_PARAM_END,
};

static int check_associate(struct json_object *params, struct json_object **ret, struct error *err)
{
	bool has_instance = json_object_object_get_ex(params, "instance", NULL);

	if (has_instance == (bool)json_object_object_get_ex(params, "port", NULL))
		return error_set(err, ERR_INVALID, "one of the parameters 'instance' and 'port' must be given");
	return net_check_params(params, ret, err);
}

extern const struct op network_op_rows[];
const struct op network_op_rows[] = {
	{.name = "networks.list",
	 .summary = "list the networks",
	 .result = OP_ITEMS,
	 .shape = &shape_network,
	 NET(networks_list)},
	{.name = "networks.get",
	 .summary = "show a network",
	 .params = network_params,
	 .result = OP_ONE,
	 .shape = &shape_network,
	 NET(networks_get)},
	{.name = "networks.create",
	 .summary = "make a network",
	 .risk = OP_CHANGE,
	 .params = network_create_params,
	 .result = OP_ONE,
	 .shape = &shape_network,
	 NET(networks_create)},
	{.name = "networks.delete",
	 .summary = "delete a network",
	 .risk = OP_DESTROY,
	 .params = network_params,
	 NET(networks_delete)},
	{.name = "subnets.list",
	 .summary = "list the subnets",
	 .params = subnets_params,
	 .result = OP_ITEMS,
	 .shape = &shape_subnet,
	 NET(subnets_list)},
	{.name = "subnets.get",
	 .summary = "show a subnet",
	 .params = subnet_params,
	 .result = OP_ONE,
	 .shape = &shape_subnet,
	 NET(subnets_get)},
	{.name = "subnets.create",
	 .summary = "make a subnet",
	 .risk = OP_CHANGE,
	 .params = subnet_create_params,
	 .result = OP_ONE,
	 .shape = &shape_subnet,
	 .example = "skydir subnets create front --network office --cidr 192.0.2.0/24",
	 NET(subnets_create)},
	{.name = "subnets.delete",
	 .summary = "delete a subnet",
	 .risk = OP_DESTROY,
	 .params = subnet_params,
	 NET(subnets_delete)},
	{.name = "ports.list",
	 .summary = "list the ports",
	 .params = ports_params,
	 .result = OP_ITEMS,
	 .shape = &shape_port,
	 NET(ports_list)},
	{.name = "ports.get",
	 .summary = "show a port",
	 .params = port_params,
	 .result = OP_ONE,
	 .shape = &shape_port,
	 NET(ports_get)},
	{.name = "ports.create",
	 .summary = "make a port",
	 .risk = OP_CHANGE,
	 .params = port_create_params,
	 .result = OP_ONE,
	 .shape = &shape_port,
	 NET(ports_create)},
	{.name = "ports.delete",
	 .summary = "delete a port",
	 .risk = OP_DESTROY,
	 .params = port_params,
	 NET(ports_delete)},
	{.name = "routers.list",
	 .summary = "list the routers",
	 .result = OP_ITEMS,
	 .shape = &shape_router,
	 NET(routers_list)},
	{.name = "routers.get",
	 .summary = "show a router",
	 .params = router_params,
	 .result = OP_ONE,
	 .shape = &shape_router,
	 NET(routers_get)},
	{.name = "routers.create",
	 .summary = "make a router",
	 .risk = OP_CHANGE,
	 .params = router_create_params,
	 .result = OP_ONE,
	 .shape = &shape_router,
	 NET(routers_create)},
	{.name = "routers.delete",
	 .summary = "delete a router",
	 .risk = OP_DESTROY,
	 .params = router_params,
	 NET(routers_delete)},
	{.name = "routers.interfaces.list",
	 .summary = "list the ports by which a router is in subnets",
	 .params = router_params,
	 .result = OP_ITEMS,
	 .shape = &shape_port,
	 NET(router_interfaces_list)},
	{.name = "routers.interfaces.add",
	 .summary = "put a router into a subnet",
	 .risk = OP_CHANGE,
	 .params = interface_params,
	 .result = OP_ONE,
	 .shape = &shape_port,
	 NET(router_interfaces_add)},
	{.name = "routers.interfaces.remove",
	 .summary = "take a router out of a subnet",
	 .risk = OP_DESTROY,
	 .params = interface_params,
	 NET(router_interfaces_remove)},
	{.name = "security-groups.list",
	 .summary = "list the security groups",
	 .result = OP_ITEMS,
	 .shape = &shape_security_group,
	 NET(groups_list)},
	{.name = "security-groups.get",
	 .summary = "show a security group",
	 .params = group_params,
	 .result = OP_ONE,
	 .shape = &shape_security_group,
	 NET(groups_get)},
	{.name = "security-groups.create",
	 .summary = "make a security group",
	 .risk = OP_CHANGE,
	 .params = group_create_params,
	 .result = OP_ONE,
	 .shape = &shape_security_group,
	 NET(groups_create)},
	{.name = "security-groups.delete",
	 .summary = "delete a security group",
	 .risk = OP_DESTROY,
	 .params = group_params,
	 NET(groups_delete)},
	{.name = "security-groups.rules.list",
	 .summary = "list the rules of a security group, or of all",
	 .params = rules_params,
	 .result = OP_ITEMS,
	 .shape = &shape_security_rule,
	 NET(rules_list)},
	{.name = "security-groups.rules.create",
	 .summary = "add a rule to a security group",
	 .risk = OP_CHANGE,
	 .params = rule_create_params,
	 .result = OP_ONE,
	 .shape = &shape_security_rule,
	 .example = "skydir security-groups rules create web --protocol tcp --ports 443",
	 NET(rules_create)},
	{.name = "security-groups.rules.delete",
	 .summary = "delete a rule",
	 .risk = OP_DESTROY,
	 .params = rule_params,
	 NET(rules_delete)},
	{.name = "floating-ips.list",
	 .summary = "list the floating (public, static) addresses",
	 .result = OP_ITEMS,
	 .shape = &shape_floating_ip,
	 NET(addresses_list)},
	{.name = "floating-ips.get",
	 .summary = "show a floating address",
	 .params = floating_ip_params,
	 .result = OP_ONE,
	 .shape = &shape_floating_ip,
	 NET(addresses_get)},
	{.name = "floating-ips.allocate",
	 .summary = "take a floating address",
	 .risk = OP_CHANGE,
	 .params = allocate_params,
	 .result = OP_ONE,
	 .shape = &shape_floating_ip,
	 NET(addresses_allocate)},
	{.name = "floating-ips.associate",
	 .summary = "let a floating address lead to an instance or a port",
	 .risk = OP_CHANGE,
	 .params = associate_params,
	 .result = OP_ONE,
	 .shape = &shape_floating_ip,
	 .wait = &wait_associated,
	 .example = "skydir floating-ips associate 192.0.2.7 web1",
	 .prepare = check_associate,
	 .interface = CLOUD_NETWORK,
	 .slot = offsetof(struct network_ops, addresses_associate)},
	{.name = "floating-ips.disassociate",
	 .summary = "let a floating address lead nowhere",
	 .risk = OP_CHANGE,
	 .params = floating_ip_params,
	 .result = OP_ONE,
	 .shape = &shape_floating_ip,
	 NET(addresses_disassociate)},
	{.name = "floating-ips.release",
	 .summary = "give a floating address back: somebody else may get it",
	 .risk = OP_DESTROY,
	 .params = floating_ip_params,
	 NET(addresses_release)},
	{.name = NULL},
};
