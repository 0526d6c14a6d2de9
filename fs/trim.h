#pragma once
/*
 * Purpose: keeps the tree of names bounded: what old listings told, and nobody uses, is forgotten when there are many names.
 *
 * What goes is what a look-up or a listing would ask the cloud for anyway: children of a directory whose listing is not believed any
 * more. What the kernel knows, what is open, cached, changed here or pinned stays, and so does a directory that somebody reads.
 * Threads: the ticker, without fs.lock, which it takes for a few hundred names at a time.
 */
#include "fs/core.h"

#define TRIM_NAMES_KEPT 200000u /* some 40 MB */

void trim_names(struct fs *fs);
