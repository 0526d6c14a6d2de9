/* The readers of GCS's answers alone: pages of listings, errors, and the answers of a batch. */
#include "tests/fuzz/fuzz.h"
#include "backends/gcp/gcs.h"

static void check_page(struct str text, enum gcs_listing what)
{
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct error err = ERROR_INIT;
	int r = gcs_page_parse(text, "d/", what, &page, &err);

	fuzz_check_result(r, &err);
	for (size_t i = 0; r >= 0 && i < page.count; i++) {
		const struct store_object *o = &page.objects[i];

		FUZZ_CHECK(!strncmp(o->key, "d/", 2) && strlen(o->key) <= STORE_KEY_MAX);
		FUZZ_CHECK(i == 0 || strcmp(page.objects[i - 1].key, o->key) <= 0);
		FUZZ_CHECK(o->is_prefix || o->version[0]);
	}
}

static bool is_clean(const char *text)
{
	for (; *text; text++)
		if (*text == '\n' || *text == '\r')
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	struct gcs_error_text text, texts[3];
	struct error err = ERROR_INIT;
	int statuses[3], r;

	check_page(input, GCS_LISTING_LIVE);
	check_page(input, GCS_LISTING_VERSIONS);
	gcs_error_parse(input, &text);
	FUZZ_CHECK(is_clean(text.reason) && is_clean(text.message));
	r = gcs_batch_parse(input, "multipart/mixed; boundary=b", statuses, texts, 3, &err);
	fuzz_check_result(r, &err);
	for (size_t i = 0; r >= 0 && i < 3; i++)
		FUZZ_CHECK(statuses[i] == 0 || (statuses[i] >= 100 && statuses[i] <= 599));
	return 0;
}
