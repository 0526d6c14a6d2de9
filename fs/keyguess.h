#pragma once
/*
 * Purpose: guesses where in the order of keys those lie that are not listed yet, from those that are: so that a long listing can be
 *	asked for in several places at once (listing_ranges.h).
 *
 * A name is read as a number: each position has the digits that were seen there (decimal, hexadecimal, letters ...), one that is the
 * same in all names has none. So many names a page are so much of that number, and so much further on the next pages may begin.
 * Invariants: a wrong guess costs time, never a key. Names that come later in the order of bytes never have a smaller number.
 * Threads: pure.
 */
#include "backends/base/buf.h"

#define KEYGUESS_POSITIONS 64u

struct keyguess {
	uint64_t seen[KEYGUESS_POSITIONS][4]; /* sets of bytes */
	unsigned char constant[KEYGUESS_POSITIONS]; /* of a position without digits */
	const char *digits[KEYGUESS_POSITIONS];	    /* NULL: none */
	size_t positions;			    /* that count; made by keyguess_settle */
	uint64_t most;				    /* the largest number */
};
#define KEYGUESS_INIT ((struct keyguess){ 0 })

void keyguess_learn(struct keyguess *g, struct str name);
/* No more names are to be learnt. False when nothing can be guessed from them. */
bool keyguess_settle(struct keyguess *g);
uint64_t keyguess_number(const struct keyguess *g, struct str name);
/* The first name of that number (at most g->most); 0 or -ENOMEM, -EFBIG. */
int keyguess_name(const struct keyguess *g, uint64_t number, struct buf *ret) MUST_CHECK;
