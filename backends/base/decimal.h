#pragma once
/*
 * Purpose: exact decimals, for money and for amounts of what was used: read from text, added, written, never rounded.
 * Invariants: at most DECIMAL_DIGITS digits, before and behind the point together.
 * Ownership: plain data. Threads: any.
 * Errors: -EINVAL for what is no number, -ERANGE for one that has more digits than can be kept exactly.
 */
#include "backends/base/buf.h"

#define DECIMAL_DIGITS	 36
#define DECIMAL_TEXT_MAX 48

struct decimal {
	__int128 units; /* the value is units / 10^scale */
	unsigned scale;
};
#define DECIMAL_ZERO ((struct decimal){ .units = 0 })

/* "12.50", "-0.3", "1.2E-05", as JSON and people write it. */
int decimal_parse(struct str text, struct decimal *ret) MUST_CHECK;
int decimal_add(struct decimal *sum, const struct decimal *more) MUST_CHECK;
int decimal_times(struct decimal *d, int64_t n) MUST_CHECK;
/* Plain digits with at least so many (two at most make sense for money) behind the point, and no further zeros at the end. */
void decimal_format(const struct decimal *d, unsigned least, char ret[DECIMAL_TEXT_MAX]);
