#pragma once
/*
 * Purpose: the rows of load balancers (octavia.c), which are a part of the table of neutron.c. Private to
 *	backends/openstack.
 */
#include "backends/cloud/rest.h"

extern const struct rest_row octavia_list_balancers, octavia_get_balancer, octavia_create_balancer, octavia_delete_balancer;
extern const struct rest_row octavia_list_listeners, octavia_get_listener, octavia_create_listener, octavia_delete_listener;
extern const struct rest_row octavia_list_pools, octavia_get_pool, octavia_create_pool, octavia_delete_pool;
extern const struct rest_row octavia_list_members, octavia_get_member, octavia_create_member, octavia_delete_member;
extern const struct rest_row octavia_list_monitors, octavia_get_monitor, octavia_create_monitor, octavia_delete_monitor;
