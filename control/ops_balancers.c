/*
 * Purpose: the operations on load balancers: rows; the drivers do them (backends/cloud/network.h).
 */
#include "backends/cloud/network.h"
#include "control/net_check.h"
#include "control/op.h"

#define NET(slot_name) \
	.prepare = net_check_params, .interface = CLOUD_NETWORK, .slot = offsetof(struct network_ops, slot_name)

static const char *const active[] = {"active", NULL};
static const char *const failed[] = {"error", NULL};
static const struct op_wait wait_balancer = {"load-balancers.get", "", "status", active, failed};
static const struct op_wait wait_balancer_gone = {"load-balancers.get", "load_balancer", "status", NULL, failed};
static const struct op_wait wait_listener = {"load-balancers.listeners.get", "", "status", active, failed};
static const struct op_wait wait_listener_gone = {"load-balancers.listeners.get", "listener", "status", NULL, failed};
static const struct op_wait wait_pool = {"load-balancers.pools.get", "", "status", active, failed};
static const struct op_wait wait_pool_gone = {"load-balancers.pools.get", "pool", "status", NULL, failed};
static const struct op_wait wait_member = {"load-balancers.members.get", "", "status", active, failed};
static const struct op_wait wait_member_gone = {"load-balancers.members.get", "member", "status", NULL, failed};
static const struct op_wait wait_monitor = {"load-balancers.monitors.get", "", "status", active, failed};
static const struct op_wait wait_monitor_gone = {"load-balancers.monitors.get", "monitor", "status", NULL, failed};
static const char *const listener_protocols[] = {"http", "https", "terminated-https", "tcp", "udp", "sctp", NULL};
static const char *const pool_protocols[] = {"http", "https", "proxy", "proxyv2", "tcp", "udp", "sctp", NULL};
static const char *const algorithms[] = {"round-robin", "least-connections", "source-ip", "source-ip-port", NULL};
static const char *const monitor_types[] = {"http", "https", "tcp", "ping", "tls-hello", "udp-connect", "sctp", NULL};

#define NAME {"name", OP_STRING, true, 255, "name", .position = 1}
#define DESCRIPTION {"description", OP_STRING, false, 255, "what it is for"}
#define BALANCER(required) \
	{"load_balancer", OP_STRING, required, 255, "load balancer, by identifier or name", .completes = "load-balancers.list"}
#define POOL(at) \
	{"pool", OP_STRING, true, 255, "pool, by identifier or name", .position = at, .completes = "load-balancers.pools.list"}
#define ONE(of, list) {of, OP_STRING, true, 255, "identifier or name", .position = 1, .completes = list}

static const struct op_param balancer_params[] = {ONE("load_balancer", "load-balancers.list"), OP_PARAM_END};
static const struct op_param balancer_delete_params[] = {
	ONE("load_balancer", "load-balancers.list"),
	{"cascade", OP_BOOL, false, 0, "with its listeners, pools, members and monitors"},
	OP_PARAM_END,
};
static const struct op_param balancer_create_params[] = {
	NAME,
	{"subnet", OP_STRING, false, 255, "subnet to have its address in", .completes = "subnets.list"},
	{"network", OP_STRING, false, 255, "network to have its address in, instead of a subnet", .completes = "networks.list"},
	{"address", OP_STRING, false, 64, "address to have"},
	DESCRIPTION,
	OP_PARAM_END,
};
static const struct op_param of_balancer_params[] = {BALANCER(false), OP_PARAM_END};
static const struct op_param listener_params[] = {ONE("listener", "load-balancers.listeners.list"), OP_PARAM_END};
static const struct op_param listener_create_params[] = {
	NAME,
	BALANCER(true),
	{"protocol", OP_ENUM, true, 0, "protocol", .choices = listener_protocols},
	{"port", OP_INT, true, 65535, "port to listen at", .min = 1},
	{"pool", OP_STRING, false, 255, "pool that requests go to", .completes = "load-balancers.pools.list"},
	{"limit_connections", OP_INT, false, 1000000, "most connections at once", .min = 1},
	DESCRIPTION,
	OP_PARAM_END,
};
static const struct op_param pool_params[] = {ONE("pool", "load-balancers.pools.list"), OP_PARAM_END};
static const struct op_param pool_create_params[] = {
	NAME,
	BALANCER(false),
	{"listener", OP_STRING, false, 255, "listener whose requests it gets", .completes = "load-balancers.listeners.list"},
	{"protocol", OP_ENUM, true, 0, "protocol", .choices = pool_protocols},
	{"algorithm", OP_ENUM, false, 0, "how members are chosen (round-robin)", .choices = algorithms},
	DESCRIPTION,
	OP_PARAM_END,
};
static const struct op_param members_params[] = {POOL(1), OP_PARAM_END};
static const struct op_param member_params[] = {
	{"member", OP_STRING, true, 255, "identifier or name", .position = 1},
	POOL(2),
	OP_PARAM_END,
};
static const struct op_param member_create_params[] = {
	POOL(1),
	{"address", OP_STRING, true, 64, "address", .position = 2},
	{"port", OP_INT, true, 65535, "port", .position = 3, .min = 1},
	{"name", OP_STRING, false, 255, "name"},
	{"weight", OP_INT, false, 256, "share of the requests (1)"},
	{"subnet", OP_STRING, false, 255, "subnet of the address", .completes = "subnets.list"},
	{"backup", OP_BOOL, false, 0, "used only when no other answers"},
	OP_PARAM_END,
};
static const struct op_param monitor_params[] = {ONE("monitor", "load-balancers.monitors.list"), OP_PARAM_END};
static const struct op_param monitor_create_params[] = {
	POOL(1),
	{"type", OP_ENUM, true, 0, "how it looks", .position = 2, .choices = monitor_types},
	{"delay_s", OP_INT, false, 3600, "seconds between two looks (5)", .min = 1},
	{"timeout_s", OP_INT, false, 3600, "seconds until a look has failed (3)", .min = 1},
	{"retries", OP_INT, false, 10, "good looks until a member is online (3)", .min = 1},
	{"path", OP_STRING, false, 1024, "path that is asked for (/)"},
	{"codes", OP_STRING, false, 64, "statuses that are good: 200, 200-204 (200)"},
	{"name", OP_STRING, false, 255, "name"},
	OP_PARAM_END,
};

static int check_place(struct json_object *params, struct json_object **ret, struct error *err)
{
	bool has_subnet = json_object_object_get_ex(params, "subnet", NULL);

	if (has_subnet == (bool)json_object_object_get_ex(params, "network", NULL))
		return error_set(err, ERR_INVALID, "one of the parameters 'subnet' and 'network' must be given");
	return net_check_params(params, ret, err);
}

static int check_pool(struct json_object *params, struct json_object **ret, struct error *err)
{
	bool has_listener = json_object_object_get_ex(params, "listener", NULL);

	if (has_listener == (bool)json_object_object_get_ex(params, "load_balancer", NULL))
		return error_set(err, ERR_INVALID, "one of the parameters 'listener' and 'load_balancer' must be given");
	*ret = json_object_get(params);
	return 0;
}

extern const struct op balancer_op_rows[];
const struct op balancer_op_rows[] = {
	{.name = "load-balancers.list",
	 .summary = "list the load balancers",
	 .result = OP_ITEMS,
	 .shape = &shape_load_balancer,
	 NET(balancers_list)},
	{.name = "load-balancers.get",
	 .summary = "show a load balancer",
	 .params = balancer_params,
	 .result = OP_ONE,
	 .shape = &shape_load_balancer,
	 NET(balancers_get)},
	{.name = "load-balancers.create",
	 .summary = "make a load balancer",
	 .risk = OP_CHANGE,
	 .params = balancer_create_params,
	 .result = OP_ONE,
	 .shape = &shape_load_balancer,
	 .wait = &wait_balancer,
	 .example = "skydir load-balancers create web --subnet front --wait",
	 .prepare = check_place,
	 .interface = CLOUD_NETWORK,
	 .slot = offsetof(struct network_ops, balancers_create)},
	{.name = "load-balancers.delete",
	 .summary = "delete a load balancer",
	 .risk = OP_DESTROY,
	 .params = balancer_delete_params,
	 .wait = &wait_balancer_gone,
	 NET(balancers_delete)},
	{.name = "load-balancers.listeners.list",
	 .summary = "list the listeners of load balancers",
	 .params = of_balancer_params,
	 .result = OP_ITEMS,
	 .shape = &shape_listener,
	 NET(listeners_list)},
	{.name = "load-balancers.listeners.get",
	 .summary = "show a listener",
	 .params = listener_params,
	 .result = OP_ONE,
	 .shape = &shape_listener,
	 NET(listeners_get)},
	{.name = "load-balancers.listeners.create",
	 .summary = "make a listener",
	 .risk = OP_CHANGE,
	 .params = listener_create_params,
	 .result = OP_ONE,
	 .shape = &shape_listener,
	 .wait = &wait_listener,
	 NET(listeners_create)},
	{.name = "load-balancers.listeners.delete",
	 .summary = "delete a listener",
	 .risk = OP_DESTROY,
	 .params = listener_params,
	 .wait = &wait_listener_gone,
	 NET(listeners_delete)},
	{.name = "load-balancers.pools.list",
	 .summary = "list the pools of load balancers",
	 .params = of_balancer_params,
	 .result = OP_ITEMS,
	 .shape = &shape_pool,
	 NET(pools_list)},
	{.name = "load-balancers.pools.get",
	 .summary = "show a pool",
	 .params = pool_params,
	 .result = OP_ONE,
	 .shape = &shape_pool,
	 NET(pools_get)},
	{.name = "load-balancers.pools.create",
	 .summary = "make a pool",
	 .risk = OP_CHANGE,
	 .params = pool_create_params,
	 .result = OP_ONE,
	 .shape = &shape_pool,
	 .wait = &wait_pool,
	 .prepare = check_pool,
	 .interface = CLOUD_NETWORK,
	 .slot = offsetof(struct network_ops, pools_create)},
	{.name = "load-balancers.pools.delete",
	 .summary = "delete a pool",
	 .risk = OP_DESTROY,
	 .params = pool_params,
	 .wait = &wait_pool_gone,
	 NET(pools_delete)},
	{.name = "load-balancers.members.list",
	 .summary = "list the members of a pool",
	 .params = members_params,
	 .result = OP_ITEMS,
	 .shape = &shape_member,
	 NET(members_list)},
	{.name = "load-balancers.members.get",
	 .summary = "show a member of a pool",
	 .params = member_params,
	 .result = OP_ONE,
	 .shape = &shape_member,
	 NET(members_get)},
	{.name = "load-balancers.members.create",
	 .summary = "add a member to a pool",
	 .risk = OP_CHANGE,
	 .params = member_create_params,
	 .result = OP_ONE,
	 .shape = &shape_member,
	 .wait = &wait_member,
	 NET(members_create)},
	{.name = "load-balancers.members.delete",
	 .summary = "delete a member of a pool",
	 .risk = OP_DESTROY,
	 .params = member_params,
	 .wait = &wait_member_gone,
	 NET(members_delete)},
	{.name = "load-balancers.monitors.list",
	 .summary = "list the health monitors",
	 .result = OP_ITEMS,
	 .shape = &shape_monitor,
	 NET(monitors_list)},
	{.name = "load-balancers.monitors.get",
	 .summary = "show a health monitor",
	 .params = monitor_params,
	 .result = OP_ONE,
	 .shape = &shape_monitor,
	 NET(monitors_get)},
	{.name = "load-balancers.monitors.create",
	 .summary = "make a health monitor",
	 .risk = OP_CHANGE,
	 .params = monitor_create_params,
	 .result = OP_ONE,
	 .shape = &shape_monitor,
	 .wait = &wait_monitor,
	 NET(monitors_create)},
	{.name = "load-balancers.monitors.delete",
	 .summary = "delete a health monitor",
	 .risk = OP_DESTROY,
	 .params = monitor_params,
	 .wait = &wait_monitor_gone,
	 NET(monitors_delete)},
	{.name = NULL},
};
