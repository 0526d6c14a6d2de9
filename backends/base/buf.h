#pragma once
/*
 * Purpose: the two string types: struct buf (owned, growing, bounded) and struct str (a view).
 *
 * Invariants: a buf never grows beyond the limit it was born with; data[len] is NUL whenever data is
 *	not NULL. A function that fails with ERR_TOO_LARGE or ERR_NO_MEMORY leaves the content as it was.
 * Ownership: buf_release frees; buf_detach moves the bytes out.
 */
#include "backends/base/error.h"
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

struct str {
	const char *ptr;
	size_t len;
};
#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })

static inline struct str str_of(const char *cstring)
{
	return (struct str){ cstring, cstring ? strlen(cstring) : 0 };
}
bool str_equal(struct str a, struct str b);
bool str_equal_nocase(struct str a, struct str b);
bool str_starts(struct str s, const char *prefix);
bool str_ends(struct str s, const char *suffix);
struct str str_trim(struct str s);
/* Splits *rest at the first separator: returns what stood before it, *rest becomes what follows
 * (ptr NULL when there was none). Returns a view with ptr NULL when rest is exhausted. */
struct str str_split(struct str *rest, char separator);
/* Parses a whole decimal number; -EINVAL when anything else stands there, -ERANGE on overflow. */
int str_to_u64(struct str s, uint64_t *ret);
int str_to_i64(struct str s, int64_t *ret);
/* "10G", "512K", "1.5M", "4096": powers of 1024; -EINVAL otherwise. */
int str_to_size(struct str s, uint64_t *ret_bytes);
/* "1", "1s", "500ms", "5m", "2h", "1d" into milliseconds; a bare number is seconds. */
int str_to_duration(struct str s, uint64_t *ret_ms);
/* yes/no, true/false, on/off, 1/0. */
int str_to_bool(struct str s, bool *ret);
/* Bytes of the well-formed UTF-8 character that s begins with (control characters are characters too);
 * 0 when there is none: overlong forms, surrogates and cut-off ones are not well-formed. */
size_t str_utf8_char(struct str s);
/* A name for a message: control characters as '?', cut (never in a character) with "..." behind it where ret_size, which is more than 8,
 * is too little. */
void str_show(const char *name, char *ret, size_t ret_size);
/* A copy on the heap, NULL without memory. */
char *str_dup(struct str s);
/* The same of an optional text, NULL or empty: NULL. */
int str_copy(const char *text, char **ret, struct error *err);
/* asprintf that returns the string, NULL without memory. */
char *str_format(const char *format, ...) PRINTF(1, 2);

struct buf {
	char *data; /* NULL while empty and unallocated */
	size_t len;
	size_t capacity;
	size_t limit; /* most bytes that len may reach */
};
#define BUF_INIT(limit_bytes) ((struct buf){ .limit = (limit_bytes) })

void buf_release(struct buf *b);
void buf_clear(struct buf *b); /* len 0, memory kept */
int buf_reserve(struct buf *b, size_t extra) MUST_CHECK;
/* Each returns 0, -ENOMEM, or -EFBIG over the limit; none fills a struct error, callers do. */
int buf_add(struct buf *b, const void *data, size_t len) MUST_CHECK;
int buf_add_str(struct buf *b, struct str s) MUST_CHECK;
int buf_adds(struct buf *b, const char *cstring) MUST_CHECK;
int buf_addc(struct buf *b, char c) MUST_CHECK;
int buf_addf(struct buf *b, const char *format, ...) PRINTF(2, 3) MUST_CHECK;
int buf_vaddf(struct buf *b, const char *format, va_list args) PRINTF(2, 0) MUST_CHECK;
/* The content as a heap string the caller frees; never NULL for an empty buf unless out of memory. */
char *buf_detach(struct buf *b);
static inline struct str buf_str(const struct buf *b)
{
	return (struct str){ b->data ? b->data : "", b->len };
}
/* The content as a C string, "" while empty. */
static inline const char *buf_cstr(const struct buf *b)
{
	return b->data ? b->data : "";
}
