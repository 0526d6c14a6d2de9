#pragma once
/*
 * Purpose: what a function application of Azure does at its own hosts, beside Resource Manager. Private to backends/azure.
 * Threads: any; each blocks on the network.
 */
#include "backends/azure/arm_rows.h"

#define AZFUNC_ZIP_BYTES_MAX ((size_t)100 << 20)

/* app: raw, as Resource Manager shows it. */
/* Puts code into the application, to the end of its deployment. */
int azfunc_deploy(struct cloud_call *call, struct json_object *app, const struct buf *zip, struct error *err) MUST_CHECK;
/* function: raw, one of the application's; key may be NULL. */
int azfunc_invoke(struct cloud_call *call, struct json_object *app, struct json_object *function, const char *key,
		  struct json_object **ret, struct error *err) MUST_CHECK;
/* connection: of Application Insights, or NULL. */
int azfunc_logs(struct cloud_call *call, struct json_object *app, const char *connection, struct json_object **ret,
		struct error *err) MUST_CHECK;
