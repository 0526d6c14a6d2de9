#pragma once
/*
 * Purpose: metering and costs of Google, by the services that tell of them. Private to backends/gcp.
 */
#include "backends/cloud/metering.h"
#include "backends/gcp/cloud_gcp.h"

/* billing.c */
extern const struct rest_row gcp_get_account, gcp_list_services, gcp_list_prices;
int gcp_budgets(struct cloud_call *call, struct json_object **ret, struct error *err) MUST_CHECK;

/* bigquery.c: by the export of Cloud Billing */
int gcp_costs(struct cloud_call *call, struct json_object **ret, struct error *err) MUST_CHECK;
