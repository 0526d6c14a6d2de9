/* The configuration file, and what stands after -o (the first line of the input). */
#include "tests/fuzz/fuzz.h"
#include "control/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size }, options_text = fuzz_line(&input);
	CLEANUP(config_release) struct config config = CONFIG_INIT;
	CLEANUP(freep) char *options = fuzz_text(options_text);
	struct error err = ERROR_INIT;
	int r = config_load(fuzz_file("skydir.conf", input), &config, &err);

	fuzz_check_result(r, &err);
	if (r < 0)
		return 0;
	FUZZ_CHECK(config.store_count <= CONFIG_STORES_MAX);
	for (size_t i = 0; i < config.store_count; i++) {
		const char *name = config.stores[i].name;

		FUZZ_CHECK(*name && strlen(name) <= CONFIG_STORE_NAME_MAX && !strchr(name, '/'));
		FUZZ_CHECK(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
	}
	r = config_add_options(&config, options, &err);
	fuzz_check_result(r, &err);
	return 0;
}
