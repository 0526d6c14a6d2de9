/* INI files of both kinds: every entry stands in the text, in its line. */
#include "tests/fuzz/fuzz.h"
#include "backends/base/ini.h"

static void check(struct str text, enum ini_flavour flavour)
{
	CLEANUP(ini_release) struct ini ini = INI_INIT;
	struct error err = ERROR_INIT;
	int r = ini_parse("file", text, flavour, &ini, &err);
	unsigned line = 0;

	fuzz_check_result(r, &err);
	for (size_t i = 0; r >= 0 && i < ini.count; i++) {
		const struct ini_entry *e = &ini.entries[i];

		FUZZ_CHECK(e->section && e->line >= line && e->line > 0);
		line = e->line;
		FUZZ_CHECK(memmem(text.ptr, text.len, e->section, strlen(e->section)));
		if (!e->key)
			continue;
		FUZZ_CHECK(e->value && memmem(text.ptr, text.len, e->key, strlen(e->key)));
		FUZZ_CHECK(ini_get(&ini, e->section, e->key));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };

	check(input, INI_SKYDIR);
	check(input, INI_AWS);
	return 0;
}
