#pragma once
/*
 * Purpose: the rest of a long listing, asked for in several places at once: ranges of keys, of which each is listed page by page while
 *	the others are.
 *
 * Where the ranges begin is guessed (keyguess.h). The first are short, later ones longer and longer, so that those which end in the
 * middle of a page are few: of p pages at most 6 * (2 + log2(1 + p / 24)) and one more.
 * Invariants:
 *  - The ranges follow each other without a gap, up to the end that a page has told. So each key is seen, whatever the guesses are worth.
 *  - Pages must come in order, and from where they were asked for; of a server that does not do that the rest is listed as ever.
 *  - Pages go into the tree on the listing's own thread, one after the other.
 * Threads: a listing's worker. It takes over what no other worker has begun, so none is needed.
 */
#include "fs/listing.h"

#define RANGES_AFTER_PAGES 100u /* a listing is long when it has more; up to there it costs its pages and no request more */
#define RANGES_MOST	   6u /* at once */

struct ranges;
/* Learns the names of a page of the directory that l lists. *a is made when it is NULL; without memory it stays NULL. */
void ranges_learn(struct ranges **a, struct listing *l, const struct store_page *page);
void ranges_free(struct ranges *a);
void ranges_freep(struct ranges **a);
/* Lists what comes after the pages learnt, which ended with `token`. 1: nothing can be guessed, or the server does not keep the order:
 * the caller goes on from `token`. Blocks. */
int ranges_list(struct ranges *a, const char *token, struct error *err) MUST_CHECK;
