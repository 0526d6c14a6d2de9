/* JSON: bounds hold, and what is read and written again is the same. */
#include "tests/fuzz/fuzz.h"
#include "backends/base/json.h"

#define LIMIT 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size }, path_text = fuzz_line(&input);
	CLEANUP(freep) char *path = fuzz_text(path_text);
	CLEANUP(json_putp) struct json_object *o = NULL, *again = NULL;
	struct error err = ERROR_INIT;
	int r = json_parse(input, LIMIT, &o, &err);

	fuzz_check_result(r, &err);
	if (r < 0)
		return 0;
	FUZZ_CHECK(input.len <= LIMIT);
	(void)json_get(o, path);
	(void)json_get_string(o, path);
	(void)json_get_int64(o, path, -1);
	(void)json_get_bool(o, path, true);
	(void)json_get_array(o, path);
	r = json_parse(str_of(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN)),
		       16 * LIMIT, &again, &err);
	/* A NUL in a string ends str_of above; numbers may overflow to what JSON cannot say. */
	if (r == 0 && !memmem(input.ptr, input.len, "\\u0000", 6))
		FUZZ_CHECK(json_object_equal(o, again) || memchr(input.ptr, 'e', input.len) ||
			   memchr(input.ptr, 'E', input.len) || memchr(input.ptr, '.', input.len));
	return 0;
}
