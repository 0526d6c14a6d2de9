/*
 * Load balancers by Octavia.
 *
 * Source: docs.openstack.org/api-ref/load-balancer/v2, read 2026-11.
 */
#include "backends/openstack/octavia.h"
#include "backends/openstack/openstack_rows.h"

static const struct record_word states[] = {
	{ "ACTIVE", "active" }, { "PENDING_CREATE", "creating" }, { "PENDING_UPDATE", "updating" },
	{ "PENDING_DELETE", "deleting" }, { "DELETED", "deleted" }, { "ERROR", "error" }, { NULL, NULL },
};
static const struct record_word operating[] = {
	{ "ONLINE", "online" },	 { "OFFLINE", "offline" },     { "DEGRADED", "degraded" }, { "ERROR", "error" },
	{ "DRAINING", "draining" }, { "NO_MONITOR", "no-monitor" }, { NULL, NULL },
};
static const struct record_word protocols[] = {
	{ "HTTP", "http" }, { "HTTPS", "https" }, { "TERMINATED_HTTPS", "terminated-https" }, { "TCP", "tcp" },
	{ "UDP", "udp" },   { "SCTP", "sctp" },	  { "PROXY", "proxy" }, { "PROXYV2", "proxyv2" },
	{ "PROMETHEUS", "prometheus" }, { NULL, NULL },
};
static const struct record_word algorithms[] = {
	{ "ROUND_ROBIN", "round-robin" }, { "LEAST_CONNECTIONS", "least-connections" }, { "SOURCE_IP", "source-ip" },
	{ "SOURCE_IP_PORT", "source-ip-port" }, { NULL, NULL },
};
static const struct record_word monitor_types[] = {
	{ "HTTP", "http" }, { "HTTPS", "https" }, { "TCP", "tcp" }, { "PING", "ping" }, { "TLS-HELLO", "tls-hello" },
	{ "UDP-CONNECT", "udp-connect" }, { "SCTP", "sctp" }, { NULL, NULL },
};

static struct json_object *make_ids(struct json_object *list)
{
	return openstack_members(list, "id");
}

static const struct record_source balancer_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "provisioning_status", states, NULL },
	{ "provider_status", "provisioning_status", NULL, NULL },
	{ "operating", "operating_status", operating, NULL },
	{ "address", "vip_address", NULL, NULL },
	{ "subnet", "vip_subnet_id", NULL, NULL },
	{ "network", "vip_network_id", NULL, NULL },
	{ "port", "vip_port_id", NULL, NULL },
	{ "listeners", "listeners", NULL, make_ids },
	{ "pools", "pools", NULL, make_ids },
	{ "driver", "provider", NULL, NULL },
	{ "created", "created_at", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source listener_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "provisioning_status", states, NULL },
	{ "provider_status", "provisioning_status", NULL, NULL },
	{ "operating", "operating_status", operating, NULL },
	{ "load_balancer", "loadbalancers.0.id", NULL, NULL },
	{ "protocol", "protocol", protocols, NULL },
	{ "port", "protocol_port", NULL, NULL },
	{ "pool", "default_pool_id", NULL, NULL },
	{ "limit", "connection_limit", NULL, NULL },
	{ "created", "created_at", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source pool_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "provisioning_status", states, NULL },
	{ "provider_status", "provisioning_status", NULL, NULL },
	{ "operating", "operating_status", operating, NULL },
	{ "load_balancer", "loadbalancers.0.id", NULL, NULL },
	{ "listeners", "listeners", NULL, make_ids },
	{ "protocol", "protocol", protocols, NULL },
	{ "algorithm", "lb_algorithm", algorithms, NULL },
	{ "members", "members", NULL, make_ids },
	{ "monitor", "healthmonitor_id", NULL, NULL },
	{ "created", "created_at", NULL, NULL },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source member_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "provisioning_status", states, NULL },
	{ "provider_status", "provisioning_status", NULL, NULL },
	{ "operating", "operating_status", operating, NULL },
	{ "address", "address", NULL, NULL },
	{ "port", "protocol_port", NULL, NULL },
	{ "weight", "weight", NULL, NULL },
	{ "subnet", "subnet_id", NULL, NULL },
	{ "backup", "backup", NULL, NULL },
	{ "created", "created_at", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source monitor_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "provisioning_status", states, NULL },
	{ "provider_status", "provisioning_status", NULL, NULL },
	{ "pool", "pools.0.id", NULL, NULL },
	{ "type", "type", monitor_types, NULL },
	{ "delay_s", "delay", NULL, NULL },
	{ "timeout_s", "timeout", NULL, NULL },
	{ "retries", "max_retries", NULL, NULL },
	{ "path", "url_path", NULL, NULL },
	{ "codes", "expected_codes", NULL, NULL },
	{ "created", "created_at", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static const struct rest_keep of_one_balancer[] = { { "load_balancer", "loadbalancers" }, { NULL, NULL } };
#define LB "load-balancer"
OPENSTACK_SHARED_LIST(octavia_list_balancers, LB, "lbaas/loadbalancers", "loadbalancers", balancer_map);
OPENSTACK_KIND(a_balancer, "load balancer", octavia_list_balancers);
static const struct rest_name of_balancer[] = { { "load_balancer", &a_balancer }, { NULL, NULL } };
OPENSTACK_SHARED_LIST(octavia_list_listeners, LB, "lbaas/listeners", "listeners", listener_map, .only = of_one_balancer, .names = of_balancer);
OPENSTACK_KIND(a_listener, "listener", octavia_list_listeners);
OPENSTACK_SHARED_LIST(octavia_list_pools, LB, "lbaas/pools", "pools", pool_map, .only = of_one_balancer, .names = of_balancer);
OPENSTACK_KIND(a_pool, "pool", octavia_list_pools);
static const struct rest_name of_listener[] = { { "listener", &a_listener }, { NULL, NULL } };
static const struct rest_name of_pool[] = { { "pool", &a_pool }, { NULL, NULL } };
OPENSTACK_SHARED_LIST(octavia_list_members, LB, "lbaas/pools/{pool}/members", "members", member_map, .names = of_pool);
OPENSTACK_KIND(a_member, "member", octavia_list_members);
OPENSTACK_SHARED_LIST(octavia_list_monitors, LB, "lbaas/healthmonitors", "healthmonitors", monitor_map);
OPENSTACK_KIND(a_monitor, "health monitor", octavia_list_monitors);
static const struct rest_name of_member[] = { { "pool", &a_pool }, { "member", &a_member }, { NULL, NULL } };
static const struct rest_name of_monitor[] = { { "monitor", &a_monitor }, { NULL, NULL } };

OPENSTACK_SHARED_GET(octavia_get_balancer, LB, "lbaas/loadbalancers/{load_balancer}", "loadbalancer", balancer_map, of_balancer);
OPENSTACK_SHARED_GET(octavia_get_listener, LB, "lbaas/listeners/{listener}", "listener", listener_map, of_listener);
OPENSTACK_SHARED_DELETE(octavia_delete_listener, LB, "lbaas/listeners/{listener}", of_listener);
OPENSTACK_SHARED_GET(octavia_get_pool, LB, "lbaas/pools/{pool}", "pool", pool_map, of_pool);
OPENSTACK_SHARED_DELETE(octavia_delete_pool, LB, "lbaas/pools/{pool}", of_pool);
OPENSTACK_SHARED_GET(octavia_get_member, LB, "lbaas/pools/{pool}/members/{member}", "member", member_map, of_member);
OPENSTACK_SHARED_DELETE(octavia_delete_member, LB, "lbaas/pools/{pool}/members/{member}", of_member);
OPENSTACK_SHARED_GET(octavia_get_monitor, LB, "lbaas/healthmonitors/{monitor}", "healthmonitor", monitor_map, of_monitor);
OPENSTACK_SHARED_DELETE(octavia_delete_monitor, LB, "lbaas/healthmonitors/{monitor}", of_monitor);
static const struct rest_field delete_fields[] = {
	{ "cascade", "cascade", REST_QUERY },
	{ .place = NULL },
};
OPENSTACK_SHARED_DELETE(octavia_delete_balancer, LB, "lbaas/loadbalancers/{load_balancer}", of_balancer, .fields = delete_fields);

static const struct rest_name of_new_balancer[] = { { "subnet", &neutron_subnet }, { "network", &neutron_network },
						    { NULL, NULL } };
static const struct rest_field balancer_fields[] = {
	{ "name", "loadbalancer.name", REST_BODY },
	{ "subnet", "loadbalancer.vip_subnet_id", REST_BODY },
	{ "network", "loadbalancer.vip_network_id", REST_BODY },
	{ "address", "loadbalancer.vip_address", REST_BODY },
	{ "description", "loadbalancer.description", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_SHARED_CREATE(octavia_create_balancer, LB, "lbaas/loadbalancers", balancer_fields, "loadbalancer", balancer_map, of_new_balancer);
static const struct rest_name of_new_listener[] = { { "load_balancer", &a_balancer }, { "pool", &a_pool }, { NULL, NULL } };
static const struct rest_field listener_fields[] = {
	{ "name", "listener.name", REST_BODY },
	{ "load_balancer", "listener.loadbalancer_id", REST_BODY },
	{ "protocol", "listener.protocol", REST_BODY, .words = protocols },
	{ "port", "listener.protocol_port", REST_BODY },
	{ "pool", "listener.default_pool_id", REST_BODY },
	{ "limit_connections", "listener.connection_limit", REST_BODY },
	{ "description", "listener.description", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_SHARED_CREATE(octavia_create_listener, LB, "lbaas/listeners", listener_fields, "listener", listener_map, of_new_listener);
static const struct rest_name of_new_pool[] = { { "load_balancer", &a_balancer }, { "listener", &a_listener }, { NULL, NULL } };
static const struct rest_field pool_fields[] = {
	{ "name", "pool.name", REST_BODY },
	{ "load_balancer", "pool.loadbalancer_id", REST_BODY },
	{ "listener", "pool.listener_id", REST_BODY },
	{ "protocol", "pool.protocol", REST_BODY, .words = protocols },
	{ "algorithm", "pool.lb_algorithm", REST_BODY, "\"ROUND_ROBIN\"", .words = algorithms },
	{ "description", "pool.description", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_SHARED_CREATE(octavia_create_pool, LB, "lbaas/pools", pool_fields, "pool", pool_map, of_new_pool);
static const struct rest_name of_new_member[] = { { "pool", &a_pool }, { "subnet", &neutron_subnet }, { NULL, NULL } };
static const struct rest_field member_fields[] = {
	{ "name", "member.name", REST_BODY },
	{ "address", "member.address", REST_BODY },
	{ "port", "member.protocol_port", REST_BODY },
	{ "weight", "member.weight", REST_BODY },
	{ "subnet", "member.subnet_id", REST_BODY },
	{ "backup", "member.backup", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_SHARED_CREATE(octavia_create_member, LB, "lbaas/pools/{pool}/members", member_fields, "member", member_map, of_new_member);
static const struct rest_field monitor_fields[] = {
	{ "pool", "healthmonitor.pool_id", REST_BODY },
	{ "type", "healthmonitor.type", REST_BODY, .words = monitor_types },
	{ "delay_s", "healthmonitor.delay", REST_BODY, "5" },
	{ "timeout_s", "healthmonitor.timeout", REST_BODY, "3" },
	{ "retries", "healthmonitor.max_retries", REST_BODY, "3" },
	{ "path", "healthmonitor.url_path", REST_BODY },
	{ "codes", "healthmonitor.expected_codes", REST_BODY },
	{ "name", "healthmonitor.name", REST_BODY },
	{ .place = NULL },
};
OPENSTACK_SHARED_CREATE(octavia_create_monitor, LB, "lbaas/healthmonitors", monitor_fields, "healthmonitor", monitor_map, of_pool);
