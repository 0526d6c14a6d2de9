#pragma once
/*
 * Purpose: time: monotonic for waits, wall for what is sent; replaceable, so that tests never sleep.
 * Units: milliseconds and nanoseconds, as the names say. Wall time counts from 1970-01-01 UTC.
 * Threads: any. clock_set is for tests only, before threads start.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

uint64_t clock_mono_ms(void);
uint64_t clock_mono_ns(void);
int64_t clock_wall_ns(void);
static inline int64_t clock_wall_s(void)
{
	return clock_wall_ns() / 1000000000;
}
/* Difference server minus local clock, learnt from Date headers; used by signers. Thread-safe. */
void clock_set_skew_s(int64_t skew_s);
int64_t clock_skew_s(void);
/* Whether it has changed in the last ms milliseconds. */
bool clock_skew_is_set_within(uint64_t ms);

struct clock_source {
	uint64_t (*mono_ns)(void);
	int64_t (*wall_ns)(void);
};
void clock_set(const struct clock_source *source); /* NULL: the real clock again */

/* "20130524T000000Z" of a wall second. */
void clock_format_basic(int64_t wall_s, char ret[17]);
/* "Fri, 24 May 2013 00:00:00 GMT", as HTTP wants it. */
void clock_format_http(int64_t wall_s, char ret[30]);
/* HTTP dates (all three forms) and ISO 8601 "2013-05-24T00:00:00.123Z" (or +hh:mm); -EINVAL else. */
int clock_parse_http(const char *text, int64_t *ret_wall_s); /* fits as nanoseconds, else -EINVAL */
/* As nanoseconds; beyond the years 1677 and 2262 the last there is. */
int64_t clock_ns_of(struct timespec t);
int clock_parse_iso8601(const char *text, int64_t *ret_wall_ns);
/* "2013-05-24T00:00:00.000Z" */
void clock_format_iso8601(int64_t wall_ns, char ret[25]);
