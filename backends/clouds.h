#pragma once
/*
 * Purpose: the table of drivers for the control plane: one row each. A provider that has objects too has a row in
 *	providers.h beside it, of the same type name where one section of the file serves both.
 */
#include "backends/cloud/cloud.h"

extern const struct cloud_driver *const cloud_drivers[]; /* ended by NULL */
const struct cloud_driver *cloud_driver_find(const char *type);
/* Checks the keys against the row (ERR_CONFIG naming origin and key), then opens. */
int cloud_driver_open(const struct cloud_driver *driver, const struct backend_context *context,
		      const struct cloud_settings *settings, struct cloud **ret, struct error *err) MUST_CHECK;
/* Whether the sections of a driver's type have such an option. */
bool cloud_driver_knows(const char *type, const char *key);
