#pragma once
/*
 * Purpose: a layer that lets nothing be changed: every writing slot is ERR_READ_ONLY, reading is transparent.
 * Ownership: on success next belongs to the layer; on failure it stays the caller's.
 */
#include "backends/store/store.h"

int store_readonly_new(struct store *next, struct store **ret, struct error *err) MUST_CHECK;
