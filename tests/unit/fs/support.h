#pragma once
/*
 * Purpose: what the tests of fs/ share: a seed that a failing run can be repeated with, and directories to work in.
 */
#include "backends/base/cleanup.h"

#include <stdint.h>

/* Seeds random.h from SKYDIR_TEST_SEED, or anew; prints it either way. */
void support_seed(void);
/* A new empty directory below $TMPDIR, else in memory where that can be (heap string). */
char *support_make_dir(void);
/* Removes it with all that is in it (no deeper than one level) and frees the string. */
void support_remove_dir(char **dir);
