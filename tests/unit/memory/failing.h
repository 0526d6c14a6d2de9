#pragma once
/*
 * Purpose: an allocator whose n-th call fails: the programs of this folder wrap malloc and its kin at link time (tests/CMakeLists.txt),
 *	and libxml2 is given the same. What json-c, libyaml and SQLite allocate by themselves is not touched.
 * Threads: only the calling thread's allocations are counted and fail.
 */
#include <stdbool.h>

/* The n-th allocation from now on fails, once; 0: none. */
void failing_at(unsigned n);
/* Whether it came to that; from now on none fails. */
bool failing_end(void);
/* Runs fn with the first allocation failing, then the second, and so on, until none is left to fail. fn returns 0 only after checking
 * that its result is whole, negative for an error: a failure must give an error (a library may also do without what it did not get, where
 * that is said), and without one there must be none. Leaks are the address sanitizer's to find. */
enum failing_rule { FAILING_IS_TOLD, FAILING_MAY_NOT_MATTER };
void failing_each(enum failing_rule rule, int (*fn)(void *arg), void *arg);
