#pragma once
/*
 * Purpose: the binary heap of pending operations by the time they are due.
 * Threads: guarded by fs.lock. heap_index is SIZE_MAX outside the heap.
 */
#include "fs/pending.h"

int pending_heap_add(struct pending_queue *q, struct pending *op) MUST_CHECK; /* 0 or -ENOMEM */
void pending_heap_remove(struct pending_queue *q, struct pending *op);	       /* not in it: nothing */
