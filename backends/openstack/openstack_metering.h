#pragma once
/*
 * Purpose: metering of OpenStack, by the services that a cloud has of it. Private to backends/openstack.
 */
#include "backends/cloud/metering.h"
#include "backends/openstack/openstack_rows.h"

/* quotas.c: of Nova, Cinder and Neutron */
int openstack_quotas(struct cloud_call *call, struct json_object **ret, struct error *err) MUST_CHECK;

/* usage.c: by Nova, the quotas and Swift */
int openstack_usage(struct cloud_call *call, struct json_object **ret, struct error *err) MUST_CHECK;
/* The machines that ran in this month. */
int nova_metered(struct cloud_call *call, struct json_object **ret, struct error *err) MUST_CHECK;

/* gnocchi.c */
/* By Gnocchi; what Nova tells where that is not there. */
int openstack_metered(struct cloud_call *call, struct json_object **ret, struct error *err) MUST_CHECK;
int gnocchi_metrics(struct cloud_call *call, struct json_object **ret, struct error *err) MUST_CHECK;
int gnocchi_measures(struct cloud_call *call, struct json_object **ret, struct error *err) MUST_CHECK;

/* cloudkitty.c */
int cloudkitty_costs(struct cloud_call *call, struct json_object **ret, struct error *err) MUST_CHECK;
int cloudkitty_details(struct cloud_call *call, struct json_object **ret, struct error *err) MUST_CHECK;
