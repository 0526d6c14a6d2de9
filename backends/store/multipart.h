#pragma once
/*
 * Purpose: a range of a file as one object, however large: one put, or parts one after the other.
 *	(The mount has its own parallel uploader; this is for commands, tests and small tools.)
 * Errors: those of put and of the upload slots; a failed upload is aborted.
 */
#include "backends/store/store.h"

/* Above `threshold` bytes (0: the store's own limit of one put) it goes in parts of about part_bytes (0: 16 MiB). */
int store_upload_range(struct store *s, const char *bucket, const char *key,
		       const struct store_source *source, uint64_t threshold, uint64_t part_bytes,
		       const struct store_put_args *args, char *ret_version,
		       struct error *err) MUST_CHECK;
