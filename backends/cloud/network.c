#include "backends/cloud/network.h"

static const struct record_field network_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "active, creating, down, deleting, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "cidrs", RECORD_LIST, "address ranges, where the network itself has them" },
	{ "subnets", RECORD_LIST, "its subnets, by identifier" },
	{ "external", RECORD_BOOL, "it leads to the outside" },
	{ "shared", RECORD_BOOL, "other projects use it too" },
	{ "mtu", RECORD_INT, "largest packet in bytes" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ "tags", RECORD_LIST, "tags" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_network = { "network", network_fields, "id,name,status,cidrs,external,shared" };

static const struct record_field subnet_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "network", RECORD_TEXT, "network it belongs to" },
	{ "cidr", RECORD_TEXT, "address range" },
	{ "ip_version", RECORD_INT, "4 or 6" },
	{ "gateway", RECORD_TEXT, "address of the gateway" },
	{ "dhcp", RECORD_BOOL, "addresses are given out by DHCP" },
	{ "dns", RECORD_LIST, "name servers" },
	{ "pools", RECORD_LIST, "addresses that are given out: START-END" },
	{ "zone", RECORD_TEXT, "zone or region" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_subnet = { "subnet", subnet_fields, "id,name,network,cidr,gateway,zone" };

static const struct record_field port_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "active, creating, down, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "network", RECORD_TEXT, "network" },
	{ "subnets", RECORD_LIST, "subnets its addresses are of" },
	{ "addresses", RECORD_LIST, "addresses" },
	{ "mac", RECORD_TEXT, "hardware address" },
	{ "device", RECORD_TEXT, "instance or router that has it" },
	{ "owner", RECORD_TEXT, "what kind of thing has it" },
	{ "security_groups", RECORD_LIST, "security groups, by identifier" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_port = { "port", port_fields, "id,name,status,network,addresses,device" };

static const struct record_field router_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "active, creating, down, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "external_network", RECORD_TEXT, "network by which it leads to the outside" },
	{ "addresses", RECORD_LIST, "its addresses there" },
	{ "snat", RECORD_BOOL, "addresses are translated to the outside" },
	{ "routes", RECORD_LIST, "further routes: CIDR via ADDRESS" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_router = { "router", router_fields, "id,name,status,external_network,addresses" };

static const struct record_field security_group_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "network", RECORD_TEXT, "network it belongs to" },
	{ "rules", RECORD_LIST, "its rules, by identifier" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ "tags", RECORD_OBJECT, "tags" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_security_group = { "security group", security_group_fields, "id,name,network,description" };

static const struct record_field security_rule_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "group", RECORD_TEXT, "security group (Google: network tag) it belongs to" },
	{ "direction", RECORD_TEXT, "ingress or egress" },
	{ "action", RECORD_TEXT, "allow or deny" },
	{ "protocol", RECORD_TEXT, "tcp, udp, icmp, ..., any, or a number" },
	{ "ports", RECORD_TEXT, "port or range; none: all" },
	{ "remote", RECORD_LIST, "the other side's address ranges; none: any" },
	{ "remote_group", RECORD_TEXT, "the other side's security group" },
	{ "ip_version", RECORD_INT, "4 or 6" },
	{ "priority", RECORD_INT, "the lower the earlier" },
	{ "network", RECORD_TEXT, "network it is for" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_security_rule = { "security rule", security_rule_fields, "id,group,direction,action,protocol,ports,remote" };

static const struct record_field floating_ip_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "address", RECORD_TEXT, "the public address" },
	{ "status", RECORD_TEXT, "in-use, available, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "fixed_address", RECORD_TEXT, "the private address it leads to" },
	{ "instance", RECORD_TEXT, "instance it leads to" },
	{ "port", RECORD_TEXT, "port it leads to" },
	{ "network", RECORD_TEXT, "network it is of" },
	{ "zone", RECORD_TEXT, "zone or region" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_floating_ip = { "floating IP", floating_ip_fields, "id,name,address,status,fixed_address,instance" };

static const struct record_field load_balancer_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "active, creating, updating, deleting, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "operating", RECORD_TEXT, "online, offline, degraded, error, ..." },
	{ "address", RECORD_TEXT, "address it listens at" },
	{ "subnet", RECORD_TEXT, "subnet of that address" },
	{ "network", RECORD_TEXT, "network of that address" },
	{ "port", RECORD_TEXT, "port of that address" },
	{ "listeners", RECORD_LIST, "listeners, by identifier" },
	{ "pools", RECORD_LIST, "pools, by identifier" },
	{ "driver", RECORD_TEXT, "what does the work" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_load_balancer = { "load balancer", load_balancer_fields, "id,name,status,operating,address" };

static const struct record_field listener_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "active, creating, updating, deleting, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "operating", RECORD_TEXT, "online, offline, degraded, error, ..." },
	{ "load_balancer", RECORD_TEXT, "load balancer" },
	{ "protocol", RECORD_TEXT, "protocol" },
	{ "port", RECORD_INT, "port" },
	{ "pool", RECORD_TEXT, "pool that requests go to" },
	{ "limit", RECORD_INT, "most connections at once; -1: no limit" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_listener = { "listener", listener_fields, "id,name,status,protocol,port,pool" };

static const struct record_field pool_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "active, creating, updating, deleting, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "operating", RECORD_TEXT, "online, offline, degraded, error, ..." },
	{ "load_balancer", RECORD_TEXT, "load balancer" },
	{ "listeners", RECORD_LIST, "listeners that use it" },
	{ "protocol", RECORD_TEXT, "protocol" },
	{ "algorithm", RECORD_TEXT, "round-robin, least-connections, source-ip or source-ip-port" },
	{ "members", RECORD_LIST, "members, by identifier" },
	{ "monitor", RECORD_TEXT, "health monitor" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_pool = { "pool", pool_fields, "id,name,status,protocol,algorithm,members" };

static const struct record_field member_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "active, creating, updating, deleting, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "operating", RECORD_TEXT, "online, offline, no-monitor, error, ..." },
	{ "address", RECORD_TEXT, "address" },
	{ "port", RECORD_INT, "port" },
	{ "weight", RECORD_INT, "share of the requests" },
	{ "subnet", RECORD_TEXT, "subnet of the address" },
	{ "backup", RECORD_BOOL, "used only when no other answers" },
	{ "created", RECORD_TIME, "when it was made" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_member = { "member", member_fields, "id,name,address,port,weight,operating,status" };

static const struct record_field monitor_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "active, creating, updating, deleting, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "pool", RECORD_TEXT, "pool whose members it watches" },
	{ "type", RECORD_TEXT, "http, https, tcp, ping, tls-hello, udp-connect, sctp" },
	{ "delay_s", RECORD_INT, "seconds between two looks" },
	{ "timeout_s", RECORD_INT, "seconds until a look has failed" },
	{ "retries", RECORD_INT, "good looks until a member is online" },
	{ "path", RECORD_TEXT, "path that is asked for" },
	{ "codes", RECORD_TEXT, "statuses that are good" },
	{ "created", RECORD_TIME, "when it was made" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_monitor = { "health monitor", monitor_fields, "id,name,type,delay_s,timeout_s,retries,status" };
