#pragma once
/*
 * Purpose: cache directories in which an earlier mount left something that the cloud does not have.
 *
 * Looked for: the configured cache directory and its siblings mount-2 ... mount-64. Those of living
 * daemons are not orphans.
 */
#include "control/client.h"
#include "control/config.h"

/* Calls fn with the status of each; a negative return of fn ends it and is returned. */
int orphans_each(const char *cache_dir, const struct clients *living,
		 int (*fn)(void *arg, const char *dir, struct json_object *status,
			   struct error *err),
		 void *arg, struct error *err) MUST_CHECK;
