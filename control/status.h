#pragma once
/*
 * Purpose: the status of mounts as people read it: a table, then what is under way and what went
 * wrong. Threads: pure.
 */
#include "backends/base/json.h"

/* Appends the lines that follow the table: uploads under way and errors of each mount, at most 20
 * each. */
int status_add_details(struct json_object *mounts, struct buf *out) MUST_CHECK;
/* The table (and nothing when there are no rows) for {"mounts": [...], "orphans": [...]}. */
struct output_table;
enum status_look { STATUS_PLAIN, STATUS_COLOURED };
struct output_table *status_table(struct json_object *all, enum status_look look); /* NULL without memory */
