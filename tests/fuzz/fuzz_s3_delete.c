/* S3's answer to DeleteObjects (asked to be quiet, it names failures only): no refusal is taken for success. */
#include "tests/fuzz/canned.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/s3_room.h"

#define REFUSED "<DeleteResult><Error><Key>first</Key><Code>AccessDenied</Code></Error>"

static bool contains(struct str text, const char *part)
{
	return text.len && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/* What the batch is answered with, when it is taken for its answer: else the keys may go one by one, by other answers. */
static struct str answer_of_batch(struct str input)
{
	const char *end = input.len ? memmem(input.ptr, input.len, "----", 4) : NULL;

	if (end)
		input.len = (size_t)(end - input.ptr);
	return str_starts(input, "HTTP/") && !str_starts(input, "HTTP/1.1 200") ? STR("") : input;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *const keys[] = { "first", "second/with&<sign>", "third" };
	struct error results[ARRAY_SIZE(keys)] = { ERROR_INIT }, err = ERROR_INIT;
	struct str input = { (const char *)data, size };
	struct store *store = s3_room_store();
	int r;

	canned_set(input);
	r = store_delete_many(store, "bucket", keys, ARRAY_SIZE(keys), results, &err);
	fuzz_check_result(r, &err);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(keys); i++) {
		if (results[i].kind != ERR_NONE)
			fuzz_check_result(-1, &results[i]);
		else if (i == 0)
			FUZZ_CHECK(!contains(answer_of_batch(input), REFUSED) || contains(input, "<!--") ||
				   contains(input, "CDATA"));
	}
	store_free(store);
	return 0;
}
