/* S3's listings: of keys, versions, uploads, parts and buckets. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/s3_room.h"
#include "tests/fuzz/store_calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store *store = s3_room_store();

	store_calls(store, STORE_CALLS_LISTINGS, (struct str){ (const char *)data, size });
	store_free(store);
	return 0;
}
