#pragma once
/*
 * Purpose: values of metadata as texts that a header carries, and back: what providers over HTTP share.
 *
 * Printable ASCII travels as it is; anything else (and what a header would lose, such as blanks at its ends) as one
 * RFC 2047 word "=?UTF-8?B?...?=", which is also how S3 shows such values itself (then perhaps as Q words, and several of
 * them). A value that looks like a word is encoded too, so that reading always gives back what was written.
 * Source: RFC 2047 (1996-11).
 */
#include "backends/base/arena.h"

/* 0, -ENOMEM or -EFBIG. */
int store_meta_to_header(const char *value, struct buf *ret) MUST_CHECK;
/* NULL without memory. What is no sequence of words, or a broken one, is given as it stands. */
char *store_meta_from_header(const char *text, struct arena *arena);
