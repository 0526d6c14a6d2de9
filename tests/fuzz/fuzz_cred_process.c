/* A credential_process: its command line (the first line), and what it prints. Nothing is run. */
#include "tests/fuzz/cred_room.h"
#include "tests/fuzz/fuzz.h"
#include "backends/base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size }, line = fuzz_line(&input);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(freep) char *command = fuzz_text(line);
	struct cred_aws got = CRED_AWS_INIT;
	struct error err = ERROR_INIT;
	size_t bytes = 0;
	char **args = NULL;
	int r = cred_process_split(command, &arena, &args, &err);

	fuzz_check_result(r, &err);
	if (r == 0) {
		FUZZ_CHECK(args[0] && *args[0]);
		for (size_t i = 0; args[i]; i++)
			bytes += strlen(args[i]);
		FUZZ_CHECK(bytes <= strlen(command)); /* nothing is expanded */
	}
	err = ERROR_INIT;
	cred_room_check(cred_process_parse("program", input, &got, &err), &got, &err);
	return 0;
}
