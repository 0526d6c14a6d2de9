#include "backends/local/local_provider.h"
#include "backends/base/fileio.h"
#include "backends/local/local.h"
#include <string.h>

static const struct provider_option local_options_table[] = {
	{ .key = "root",
	  .help = "the directory that holds the buckets "
		  "(default: skydir/local in $XDG_DATA_HOME)" },
	{ .key = "fsync",
	  .help = "whether what was written survives a power failure: yes (default) or no" },
	{ .key = NULL },
};

/* It needs no credentials, so it is always there. */
static bool local_is_configured(const struct backend_context *context)
{
	(void)context;
	return true;
}

static int local_provider_store_new(const struct backend_context *context, const char *name,
				    const struct provider_value *values, size_t count,
				    struct store **ret, struct error *err)
{
	CLEANUP(freep) char *root = NULL;
	struct local_options options = { 0 };
	bool syncs = true;

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(values[i].key, "root")) {
			free(root);
			root = fileio_expand_home(values[i].value);
			if (!root)
				return error_set(err, ERR_NO_MEMORY, "no memory for a path");
			if (root[0] != '/')
				return error_set(err, ERR_CONFIG,
						 "%s: root = '%s' is no absolute path",
						 values[i].origin, values[i].value);
		} else if (!strcmp(values[i].key, "fsync") &&
			   str_to_bool(str_of(values[i].value), &syncs) < 0) {
			return error_set(err, ERR_CONFIG, "%s: fsync = '%s' is neither yes nor no",
					 values[i].origin, values[i].value);
		}
	}
	if (!root)
		root = str_format("%s/skydir/local", context->xdg_data_home);
	if (!root)
		return error_set(err, ERR_NO_MEMORY, "no memory for a path");
	options.root = root;
	options.skips_fsync = !syncs;
	return local_store_new_with(name, &options, ret, err);
}

const struct provider provider_local = {
	.type = "local",
	.summary = "a directory that plays an object store",
	.options = local_options_table,
	.is_configured = local_is_configured,
	.store_new = local_provider_store_new,
};
