#include "tests/unit/memory/failing.h"

#include <errno.h>
#include <libxml/xmlmemory.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALLOCATIONS_MAX 10000u

static _Thread_local unsigned left; /* the one that makes it 0 fails; 0: none does */
static _Thread_local bool has_failed;

static bool is_to_fail(void)
{
	if (left == 0 || --left > 0)
		return false;
	has_failed = true;
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *s);
int __real_vasprintf(char **ret, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *s);
int __wrap_vasprintf(char **ret, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

void *__wrap_malloc(size_t size)
{
	return is_to_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return is_to_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return is_to_fail() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return is_to_fail() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *s)
{
	return is_to_fail() ? NULL : __real_strdup(s);
}

int __wrap_vasprintf(char **ret, const char *format, va_list args)
{
	return is_to_fail() ? -1 : __real_vasprintf(ret, format, args);
}

void failing_at(unsigned n)
{
	left = n;
	has_failed = false;
}

bool failing_end(void)
{
	left = 0;
	return has_failed;
}

void failing_each(enum failing_rule rule, int (*fn)(void *arg), void *arg)
{
	static bool has_xml;
	unsigned n = 0;
	bool is_fired = true;

	if (!has_xml)
		assert_int_equal(xmlMemSetup(free, __wrap_malloc, __wrap_realloc, __wrap_strdup),
				 0);
	has_xml = true;
	assert_int_equal(fn(arg), 0); /* also makes what is made once in a process */
	while (is_fired) {
		int r;

		assert_true(++n < ALLOCATIONS_MAX);
		failing_at(n);
		r = fn(arg);
		is_fired = failing_end();
		if (is_fired ? r > 0 || (r == 0 && rule == FAILING_IS_TOLD) : r != 0)
			fail_msg("allocation %u %s: %d", n,
				 is_fired ? "fails, and nobody says so" : "is not asked for", r);
	}
	assert_true(n > 1); /* something was asked for, or this tests nothing */
}
