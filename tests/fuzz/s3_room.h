#pragma once
/* An S3 store with the canned wire, for the targets that fuzz its answers; it knows no region but its own. */
#include "backends/store/store.h"

struct store *s3_room_store(void); /* the caller frees it */
