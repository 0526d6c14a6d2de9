#pragma once
/*
 * Purpose: a directory that plays an object store: the store that is always there, and the reference against which
 *	the file system's tests run fast.
 * See local.c for the layout on disk.
 */
#include "backends/store/store.h"

/* root is created (0700) when missing. */
int local_store_new(const char *name, const char *root, struct store **ret, struct error *err) MUST_CHECK;
