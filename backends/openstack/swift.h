#pragma once
/*
 * Purpose: OpenStack Swift behind the object-store interface.
 *
 * Containers are buckets. An object over one put is a static large object: its segments stand in the container
 * BUCKET_segments, as rclone and the swift client have it, below ".skydir/". Dynamic large objects are read.
 * Source: docs.openstack.org/api-ref/object-store, docs.openstack.org/swift/latest/middleware.html (2026-11).
 */
#include "backends/auth/cred_keystone.h"
#include "backends/base/settings.h"
#include "backends/http/engine.h"
#include "backends/store/store.h"

struct swift_options {
	const char *storage_url;  /* of the account; NULL: by the catalogue */
	const char *region;	  /* NULL: the configured one */
	const char *temp_url_key; /* NULL: what the container or the account has */
	double rate_per_s;	  /* 0: unlimited */
	struct keystone *keystone; /* taken over by the store */
};
/* Never touches the network. On failure the keystone stays the caller's. */
int swift_store_new(const char *name, struct http_engine *engine, const struct swift_options *options,
		    struct store **ret, struct error *err) MUST_CHECK;

/* From a section's values, with credentials of that flavour: for the providers that are Swift. */
int swift_store_open(const struct backend_context *context, enum keystone_flavour flavour, const char *name,
		     const struct provider_value *values, size_t count, struct store **ret, struct error *err) MUST_CHECK;
