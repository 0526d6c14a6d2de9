#include "tests/fuzz/s3_room.h"
#include "tests/fuzz/canned.h"
#include "tests/fuzz/fuzz.h"
#include "backends/aws/s3.h"
#include "backends/base/clock.h"

static const char *no_env(const char *name)
{
	(void)name;
	return NULL;
}

struct store *s3_room_store(void)
{
	struct cred_aws_options keys = { .access_key_id = "key", .secret_access_key = "secret" };
	struct cred_host host = { .getenv = no_env,
				  .wall_s = clock_wall_s,
				  .engine = canned_engine() };
	struct s3_options options = { .endpoint = CANNED_URL, .region = "us-east-1" };
	struct store *store = NULL;
	struct error err = ERROR_INIT;

	FUZZ_CHECK(cred_aws_provider_new(&host, &keys, &options.provider, &err) >= 0);
	FUZZ_CHECK(s3_store_new("s3", host.engine, &options, &store, &err) >= 0);
	return store;
}
