#pragma once
/*
 * Purpose: a type of its own for secrets, so that no formatter, log or error call accepts one by accident.
 * Invariants: the bytes are wiped when released; they stand in no log, error or process argument.
 */
#include "backends/base/buf.h"

struct secret {
	char *bytes; /* NUL-terminated; NULL: none */
	size_t len;
};
#define SECRET_INIT ((struct secret){0})

int secret_set(struct secret *s, struct str value) MUST_CHECK; /* copies; 0 or -ENOMEM */
int secret_copy(struct secret *to, const struct secret *from) MUST_CHECK;
void secret_release(struct secret *s);
static inline struct str secret_str(const struct secret *s)
{
	return (struct str){ s->bytes ? s->bytes : "", s->len };
}
static inline bool secret_is_set(const struct secret *s)
{
	return s->len > 0;
}
