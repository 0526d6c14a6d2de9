#pragma once
/*
 * Purpose: the checks of `skydir doctor`, collected as rows: what was checked, how it is, and what
 * to do. Threads: one.
 */
#include "control/output.h"
#include "control/stores.h"

enum doctor_result { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };
struct doctor {
	struct json_object *checks; /* [{check, result, detail}] */
	bool has_failed;
	enum output_format format; /* TABLE: each line is printed as soon as it is known */
};
void doctor_add(struct doctor *d, enum doctor_result result, const char *check, const char *format,
		...) PRINTF(4, 5);
void doctor_check_fuse(struct doctor *d);
void doctor_check_runtime(struct doctor *d);
void doctor_check_cache(struct doctor *d, const struct fs_options *o);
void doctor_check_passthrough(struct doctor *d, const struct fs_options *o); /* after the cache, which it needs */
void doctor_check_store(struct doctor *d, struct store *s);
void doctor_check_clock(struct doctor *d);
/* Conditional writes, by what they do to an object of its own in that bucket. */
void doctor_check_writes(struct doctor *d, struct store *s, const char *bucket);
