#pragma once
/*
 * Purpose: what a shell offers for the word under the cursor, from the tables of commands and operations.
 *
 * Invariants: a candidate holds only characters that mean nothing to a shell: names come from clouds, and what is
 *	completed stands on a command line unquoted.
 * Threads: one.
 */
#include "control/cli_op.h"

/* Appends "CANDIDATE\tDESCRIPTION" lines; words: those behind "skydir", the last one being typed (perhaps ""). list:
 * runs the operation whose items complete a parameter; NULL: none are looked up. */
typedef int complete_list_fn(const struct op *op, struct json_object *params, struct json_object **ret,
			     struct error *err);
int complete_words(int count, char *const *words, complete_list_fn *list, struct buf *out) MUST_CHECK;
/* The script for a shell ("bash", "zsh", "fish"), or NULL. */
const char *complete_script(const char *shell);
