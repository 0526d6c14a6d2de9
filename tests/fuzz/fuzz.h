#pragma once
/*
 * Purpose: what the fuzz targets share: cutting an input into pieces, a directory for files, and the judgement of errors.
 *
 * A target is one file, fuzz_NAME.c, with one function LLVMFuzzerTestOneInput. The same file makes two programs: with
 * clang's libFuzzer it searches (scripts/fuzz), in every other build it is run over its kept corpus (replay.c, a ctest
 * case). A property that does not hold aborts.
 * Invariants: no target reaches the network (canned.h takes the place of the wire) or starts a program; nothing depends
 *	on the time or on chance, so that an input always does the same.
 * Threads: one, but for what the code under test starts.
 */
#include "backends/base/buf.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts with a line that says where; assert() would do, but it has to stand in builds without it too. */
#define FUZZ_CHECK(condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fuzz_failed(__FILE__, __LINE__, #condition);                               \
	} while (0)
_Noreturn void fuzz_failed(const char *file, int line, const char *condition);

/* The first byte of what is left, 0 at its end. Corpora are easier to read when it is a letter: use `% n`. */
unsigned fuzz_byte(struct str *input);
/* What stands before the next line feed, or all that is left. */
struct str fuzz_line(struct str *input);
/* A heap copy as a C string, cut at the first NUL; the caller frees it. */
char *fuzz_text(struct str text);

/* 0 goes with no error; a failure names its kind and says why in one line without control bytes. */
void fuzz_check_result(int r, const struct error *err);

/* A directory of our own, in memory where that can be, made at the first call and removed at the end of the process. */
const char *fuzz_dir(void);
/* Makes (or replaces) a file there; its path is good until the next call. */
const char *fuzz_file(const char *name, struct str content);
