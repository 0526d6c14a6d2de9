#pragma once
/*
 * Purpose: command-line arguments by a table: short and long options in any order, positionals,
 *"--".
 *
 * Invariants: pure; no globals, no output. Long options are written out in full or `--name=value`.
 * Ownership: everything borrows from argv and the table.
 * Errors: ERR_INVALID, with the nearest known option in the message. A value is never repeated in a
 * message: it may be a secret given in the wrong place.
 */
#include "backends/base/error.h"

struct args_option {
	char letter;	   /* 0: none */
	const char *name;  /* without dashes; NULL: none */
	const char *value; /* "FILE" when it takes a value, else NULL */
	const char *help;
};

#define ARGS_POSITIONALS_MAX 1024
#define ARGS_GIVEN_MAX	     256
struct args {
	const char *positionals[ARGS_POSITIONALS_MAX];
	size_t count;
	struct {
		const struct args_option *option;
		const char *value;
	} given[ARGS_GIVEN_MAX];
	size_t given_count;
};

/* options: ended by a row with neither letter nor name. */
int args_parse(const struct args_option *options, int argc, char *const *argv, struct args *ret,
	       struct error *err) MUST_CHECK;
bool args_has(const struct args *a, const char *name);
/* The n-th value (from 0) of an option that may be repeated, or NULL. */
const char *args_nth(const struct args *a, const char *name, size_t n);
/* The last value of an option by its long name, or NULL. */
const char *args_get(const struct args *a, const char *name);
