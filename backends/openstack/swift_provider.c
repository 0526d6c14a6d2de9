/*
 * The row of Swift in the table of providers.
 */
#include "backends/base/clock.h"
#include "backends/openstack/openstack.h"
#include "backends/openstack/swift.h"
#include "backends/providers.h"

extern const struct provider provider_swift;

/* Those of the control plane's connection, and the store's own. */
static const struct provider_option swift_option_rows[] = {
	OPENSTACK_OPTION_ROWS,
	{ "storage-url", "address of the account (default: by the catalogue)", false },
	{ "temp-url-key", "key that signs temporary URLs (default: the container's or the account's)", true },
	{ NULL, NULL, false },
};

static int read_values(const struct provider_value *values, size_t count, struct keystone_options *keystone,
		       struct swift_options *swift, struct error *err)
{
	const struct setting_text texts[] = {
		{ "storage-url", &swift->storage_url },
		{ "temp-url-key", &swift->temp_url_key },
	};
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		bool is_known;

		r = openstack_read_option(&values[i], keystone, &swift->rate_per_s, &is_known, err);
		if (r < 0 || is_known)
			continue;
		if (!setting_text(&values[i], texts, ARRAY_SIZE(texts)))
			r = setting_unknown(&values[i], "swift", err);
	}
	return r;
}

int swift_store_open(const struct backend_context *context, enum keystone_flavour flavour, const char *name,
		     const struct provider_value *values, size_t count, struct store **ret, struct error *err)
{
	struct cred_host host = cred_host_of(context);
	struct keystone_options keystone = { .flavour = flavour };
	struct swift_options swift = { .rate_per_s = 0 };
	int r = read_values(values, count, &keystone, &swift, err);

	if (r == 0)
		r = keystone_new(&host, &keystone, &swift.keystone, err);
	if (r == 0)
		r = swift_store_new(name, context->engine, &swift, ret, err);
	if (r < 0) {
		keystone_free(swift.keystone);
		return error_prefix(err, r, "store '%s'", name);
	}
	return 0;
}

static int store_new(const struct backend_context *context, const char *name, const struct provider_value *values,
		     size_t count, struct store **ret, struct error *err)
{
	return swift_store_open(context, KEYSTONE_STANDARD, name, values, count, ret, err);
}

static bool is_configured(const struct backend_context *context)
{
	return openstack_is_configured(KEYSTONE_STANDARD, context);
}

const struct provider provider_swift = {
	.type = "swift",
	.summary = "OpenStack Swift",
	.options = swift_option_rows,
	.is_configured = is_configured,
	.store_new = store_new,
};
