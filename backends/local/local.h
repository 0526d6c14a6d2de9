#pragma once
/*
 * Purpose: a directory that plays an object store: the store that is always there, and the reference against which
 *	the file system's tests run fast.
 * See local.c for the layout on disk.
 */
#include "backends/store/store.h"

/* root is created (0700) when missing. */
int local_store_new(const char *name, const char *root, struct store **ret,
		    struct error *err) MUST_CHECK;

struct local_options {
	const char *root;
	bool skips_fsync;     /* faster; what was written may be lost when the power fails */
	bool uses_side_files; /* as on file systems without extended attributes; for tests */
};
int local_store_new_with(const char *name, const struct local_options *options, struct store **ret,
			 struct error *err) MUST_CHECK;
