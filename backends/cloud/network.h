#pragma once
/*
 * Purpose: networks: what every driver does, and how its records look: networks, subnets, ports, routers, security groups
 *	and their rules, floating (public) addresses, load balancers.
 *
 * The parameters of each slot are those of its row in control/ops_network.c, named here after the slot. Control has
 * checked addresses, CIDRs and ports, and gives "ports" as port_min and port_max beside it. A thing is named by its
 * identifier or by a name that only one has.
 */
#include "backends/cloud/cloud.h"

struct network_ops {
	struct cloud_slot networks_list;
	struct cloud_slot networks_get;	   /* network */
	struct cloud_slot networks_create; /* name; optional: cidr, description, shared, mtu */
	struct cloud_slot networks_delete; /* network */
	struct cloud_slot subnets_list;	   /* optional: network */
	struct cloud_slot subnets_get;	   /* subnet */
	/* name, network, cidr; optional: ip_version (made of cidr by control), gateway, no_gateway, dhcp, dns (list),
	 * description, zone */
	struct cloud_slot subnets_create;
	struct cloud_slot subnets_delete; /* subnet */
	struct cloud_slot ports_list;	  /* optional: network, device */
	struct cloud_slot ports_get;	  /* port */
	struct cloud_slot ports_create;	  /* name, network; optional: subnet, address, security_group (list), description */
	struct cloud_slot ports_delete;	  /* port */
	struct cloud_slot routers_list;
	struct cloud_slot routers_get;	  /* router */
	struct cloud_slot routers_create; /* name; optional: external_network, description */
	struct cloud_slot routers_delete; /* router */
	struct cloud_slot router_interfaces_list;   /* router: ports */
	struct cloud_slot router_interfaces_add;    /* router, subnet: the port */
	struct cloud_slot router_interfaces_remove; /* router, subnet */
	struct cloud_slot groups_list;
	struct cloud_slot groups_get;	 /* group */
	struct cloud_slot groups_create; /* name; optional: description, network, tag */
	struct cloud_slot groups_delete; /* group */
	struct cloud_slot rules_list;	 /* optional: group */
	/* group, direction; optional: protocol, ports (port_min, port_max), cidr, remote_group, ip_version, action, priority,
	 * name, network, description */
	struct cloud_slot rules_create;
	struct cloud_slot rules_delete; /* rule; optional: group */
	struct cloud_slot addresses_list;
	struct cloud_slot addresses_get;	  /* floating_ip: its id, address or name */
	struct cloud_slot addresses_allocate;	  /* optional: network, name, description */
	struct cloud_slot addresses_associate;	  /* floating_ip, instance or port; optional: fixed_address */
	struct cloud_slot addresses_disassociate; /* floating_ip */
	struct cloud_slot addresses_release;	  /* floating_ip */
	struct cloud_slot balancers_list;
	struct cloud_slot balancers_get;    /* load_balancer */
	struct cloud_slot balancers_create; /* name, subnet or network; optional: address, description */
	struct cloud_slot balancers_delete; /* load_balancer, cascade */
	struct cloud_slot listeners_list;   /* optional: load_balancer */
	struct cloud_slot listeners_get;    /* listener */
	struct cloud_slot listeners_create; /* name, load_balancer, protocol, port; optional: pool, limit, description */
	struct cloud_slot listeners_delete; /* listener */
	struct cloud_slot pools_list;	    /* optional: load_balancer */
	struct cloud_slot pools_get;	    /* pool */
	struct cloud_slot pools_create;	 /* name, load_balancer or listener, protocol; optional: algorithm, description */
	struct cloud_slot pools_delete;	 /* pool */
	struct cloud_slot members_list;	 /* pool */
	struct cloud_slot members_get;	 /* pool, member */
	struct cloud_slot members_create; /* pool, address, port; optional: name, weight, subnet, backup */
	struct cloud_slot members_delete; /* pool, member */
	struct cloud_slot monitors_list;
	struct cloud_slot monitors_get;	   /* monitor */
	struct cloud_slot monitors_create; /* pool, type, delay_s, timeout_s, retries; optional: name, path, codes, method */
	struct cloud_slot monitors_delete; /* monitor */
};

extern const struct record_shape shape_network, shape_subnet, shape_port, shape_router, shape_security_group,
	shape_security_rule, shape_floating_ip, shape_load_balancer, shape_listener, shape_pool, shape_member, shape_monitor;
