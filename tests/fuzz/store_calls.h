#pragma once
/*
 * Purpose: a store under hostile answers: one call of the store interface, chosen by the input, answered by the rest of the
 *	input (canned.h), and its result held against what store.h promises.
 *
 * The first byte of the input chooses among the calls of `letters` (their meaning stands in the table of store_calls.c);
 * a byte that is none of them is taken modulo their number. A provider is fuzzed by one file: make the store on
 * canned_engine() and CANNED_URL, call this, free the store.
 */
#include "backends/store/store.h"

void store_calls(struct store *s, const char *letters, struct str input);
#define STORE_CALLS_LISTINGS "lLvuqB"
#define STORE_CALLS_ALL	     "lLvuqBhgrpdmcsbPCkanexVo"
