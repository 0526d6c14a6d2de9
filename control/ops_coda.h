#pragma once
/*
 * Purpose: what the two tables of operations on Coda share.
 * Ownership: static.
 */
#include "backends/coda/coda.h"
#include "control/op.h"

#define CODA_ROW(op_name) .provider = "coda", .own = {.row = &coda_rows[op_name]}
#define CODA_RUN(fn)	  .provider = "coda", .own = {.run = fn}
#define CODA_DOC {"doc", OP_STRING, true, 64, "identifier of the doc", .position = 1, .completes = "coda.docs.list"}

/* A change is queued; --wait asks until it is made. */
extern const struct op_wait coda_wait;
