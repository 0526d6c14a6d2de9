#pragma once
/*
 * Purpose: a directory's rename in the cloud: every key below one prefix is copied below another, then the old ones go.
 *
 * Until everything is copied, the directory's node has `remote_key`, so that listings and reads go to the old prefix, which is
 * whole; from then on they go to the new one, which is whole. The journal row says (PENDING_FLAG_DELETING) that the copies
 * are all there, before the first delete: after a crash in between nothing is listed from a half-empty prefix, and copying
 * again (before that point) or deleting again (after) does no harm.
 * Copies run side by side on fs.parts; deletes go in batches.
 */
#include "fs/pending.h"

int rename_tree_run(struct pending *op, struct error *err) MUST_CHECK;
