/* Every call of the GCS store, under whole answers (status, headers, body) that say anything. */
#include "tests/fuzz/canned.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/store_calls.h"
#include "backends/base/clock.h"
#include "backends/gcp/gcs.h"

static const char *no_env(const char *name)
{
	(void)name;
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cred_host host = { .getenv = no_env,
				  .wall_s = clock_wall_s,
				  .engine = canned_engine() };
	struct cred_gcp_options anonymous = { .is_anonymous = true };
	struct gcs_options options = { .endpoint = CANNED_URL, .project = "p" };
	struct store *store = NULL;
	struct error err = ERROR_INIT;

	FUZZ_CHECK(cred_gcp_new(&host, &anonymous, &options.cred, &err) >= 0);
	FUZZ_CHECK(gcs_store_new("gcs", host.engine, &options, &store, &err) >= 0);
	store_calls(store, STORE_CALLS_ALL, (struct str){ (const char *)data, size });
	store_free(store);
	return 0;
}
