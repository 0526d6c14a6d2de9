#pragma once
/*
 * Purpose: reading an INI file into a list that remembers where each key stood.
 *	Own reader: Debian's inih cuts sections and keys at 49 bytes in silence (AWS profile names are
 *	longer), does not report section headers, and keeps its options in process-wide variables.
 * Invariants: order is kept; a file over 1 MiB, a line over 64 KiB or a NUL byte is an error.
 * Errors: ERR_CONFIG with file and line; ERR_NOT_FOUND when the file is not there.
 */
#include "backends/base/arena.h"

struct ini_entry {
	const char *section; /* "" before the first section */
	const char *key;     /* NULL for the row that stands for the section's header itself */
	const char *value;
	unsigned line;
};
struct ini {
	struct arena arena;
	char *path;
	struct ini_entry *entries;
	size_t count;
};
#define INI_INIT ((struct ini){ .arena = ARENA_INIT(16 << 20) })

enum ini_flavour {
	INI_SKYDIR, /* '#' and ';' comments at line start or after white space */
	INI_AWS,    /* AWS shared files: '#' and ';' comment lines, nested (indented) values kept out */
};
int ini_load(const char *path, enum ini_flavour flavour, struct ini *ret, struct error *err) MUST_CHECK;
int ini_parse(const char *path_for_messages, struct str text, enum ini_flavour flavour,
	      struct ini *ret, struct error *err) MUST_CHECK;
void ini_release(struct ini *ini);
/* The last value of that key in that section, or NULL. Keys compare without case. */
const char *ini_get(const struct ini *ini, const char *section, const char *key);
bool ini_has_section(const struct ini *ini, const char *section);
