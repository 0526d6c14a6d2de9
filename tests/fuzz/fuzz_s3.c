/* Every call of the S3 store, under whole answers (status, headers, body) that say anything. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/s3_room.h"
#include "tests/fuzz/store_calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store *store = s3_room_store();

	store_calls(store, STORE_CALLS_ALL, (struct str){ (const char *)data, size });
	store_free(store);
	return 0;
}
