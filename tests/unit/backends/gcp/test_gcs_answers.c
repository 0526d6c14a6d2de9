/* The readers of the service's answers, right and hostile ones. */
#include "backends/gcp/gcs_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void a_page_is_merged_in_order_and_hides_what_is_reserved(void **state)
{
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct error err = ERROR_INIT;
	static const char text[] =
		"{\"nextPageToken\":\"t\",\"prefixes\":[\".skydir-uploads/\",\"b/\"],\"items\":["
		"{\"name\":\"c\",\"size\":\"3\",\"generation\":\"9\",\"updated\":\"2026-01-02T03:"
		"04:05.678Z\","
		"\"metadata\":{\"mtime\":\"2009-02-13T23:31:30.123456789Z\",\"mode\":\"33188\"}},"
		"{\"name\":\".skydir-uploads/parts/x/00001\",\"size\":\"1\",\"generation\":\"2\"},"
		"{\"name\":\"a\",\"size\":\"0\",\"generation\":\"10\"}]}";

	(void)state;
	assert_int_equal(gcs_page_parse(str_of(text), "", GCS_LISTING_LIVE, &page, &err), 0);
	assert_int_equal(page.count, 3);
	assert_string_equal(page.objects[0].key, "a");
	assert_true(page.objects[0].has_meta);
	assert_int_equal(page.objects[0].meta_count, 0);
	assert_string_equal(page.objects[1].key, "b/");
	assert_true(page.objects[1].is_prefix);
	assert_string_equal(page.objects[2].key, "c");
	assert_string_equal(page.objects[2].version, "9");
	assert_int_equal(page.objects[2].size, 3);
	assert_string_equal(store_object_meta(&page.objects[2], "mtime"), "1234567890.123456789");
	assert_string_equal(page.next_token, "t");
}

static void versions_come_newest_first(void **state)
{
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct error err = ERROR_INIT;
	static const char text[] = "{\"items\":[{\"name\":\"k\",\"size\":\"1\",\"generation\":"
				   "\"9\",\"timeDeleted\":\"x\"},"
				   "{\"name\":\"k\",\"size\":\"1\",\"generation\":\"10\"}]}";

	(void)state;
	assert_int_equal(gcs_page_parse(str_of(text), "", GCS_LISTING_VERSIONS, &page, &err), 0);
	assert_string_equal(page.objects[0].version_id, "10");
	assert_true(page.objects[0].is_latest);
	assert_string_equal(page.objects[1].version_id, "9");
	assert_false(page.objects[1].is_latest);
}

static void hostile_pages_are_refused(void **state)
{
	static const char *const pages[] = {
		"",
		"[]",
		"{\"items\":[5]}",
		"{\"items\":[{}]}",
		"{\"items\":[{\"name\":\"\",\"size\":\"1\",\"generation\":\"1\"}]}",
		"{\"items\":[{\"name\":\"elsewhere\",\"size\":\"1\",\"generation\":\"1\"}]}",
		"{\"items\":[{\"name\":\"d/k\",\"size\":\"-1\",\"generation\":\"1\"}]}",
		"{\"items\":[{\"name\":\"d/k\",\"size\":\"1\",\"generation\":\"0\"}]}",
		"{\"items\":[{\"name\":\"d/k\",\"size\":\"1\",\"generation\":\"1; x\"}]}",
		"{\"items\":[{\"name\":\"d/k\\u0000\",\"size\":\"1\",\"generation\":\"1\"}]}",
		"{\"prefixes\":[\"d\"]}",
		"{\"prefixes\":[\"d/no-slash\"]}",
		"{\"prefixes\":[\"other/\"]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
		struct error err = ERROR_INIT;

		if (gcs_page_parse(str_of(pages[i]), "d/", GCS_LISTING_LIVE, &page, &err) >= 0)
			fail_msg("taken: %s", pages[i]);
		assert_int_equal(err.kind, ERR_PROTOCOL);
	}
}

static void an_error_tells_reason_and_message(void **state)
{
	struct gcs_error_text t;
	struct error err = ERROR_INIT;

	(void)state;
	gcs_error_parse(
		STR("{\"error\":{\"code\":403,\"message\":\"too\\nfast\",\"errors\":[{\"reason\":"
		    "\"rateLimitExceeded\"}]}}"),
		&t);
	assert_string_equal(t.reason, "rateLimitExceeded");
	assert_string_equal(t.message, "too fast");
	(void)gcs_error_of("b", "k", 403, &t, &err);
	assert_int_equal(err.kind, ERR_THROTTLED);
	gcs_error_parse(STR("No such object: b/k"), &t);
	assert_string_equal(t.reason, "");
	(void)gcs_error_of("b", "k", 404, &t, &err);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	gcs_error_parse(
		STR("{\"error\":{\"message\":\"Provided CRC32C \\\"a\\\" doesn't match\"}}"), &t);
	(void)gcs_error_of("b", "k", 400, &t, &err);
	assert_int_equal(err.kind, ERR_CORRUPT);
}

static void the_answers_of_a_batch_find_their_questions(void **state)
{
	static const char body[] =
		"--b\r\nContent-Type: application/http\r\nContent-ID: <response-skydir+2>\r\n\r\n"
		"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n\r\n"
		"{\"error\":{\"message\":\"no\",\"errors\":[{\"reason\":\"forbidden\"}]}}\r\n"
		"--b\r\nContent-Type: application/http\r\nContent-ID: <response-skydir+1>\r\n\r\n"
		"HTTP/1.1 204 No Content\r\n\r\n\r\n"
		"--b\r\nContent-ID: <response-skydir+77>\r\n\r\nHTTP/1.1 204 X\r\n\r\n"
		"--b--\r\n";
	struct gcs_error_text texts[3];
	struct error err = ERROR_INIT;
	int statuses[3];

	(void)state;
	assert_int_equal(gcs_batch_parse(str_of(body), "multipart/mixed; boundary=\"b\"", statuses,
					 texts, 3, &err),
			 0);
	assert_int_equal(statuses[0], 204);
	assert_int_equal(statuses[1], 403);
	assert_string_equal(texts[1].reason, "forbidden");
	assert_int_equal(statuses[2], 0); /* left out is no success */
	assert_true(gcs_batch_parse(str_of(body), "text/html", statuses, texts, 3, &err) < 0);
}

static void times_are_rclones_on_the_wire(void **state)
{
	char text[48];

	(void)state;
	assert_true(gcs_mtime_to_wire("1234567890.123456789", text));
	assert_string_equal(text, "2009-02-13T23:31:30.123456789Z");
	assert_true(gcs_mtime_from_wire(text, text));
	assert_string_equal(text, "1234567890.123456789");
	assert_true(gcs_mtime_from_wire("2009-02-13T23:31:30.5Z", text));
	assert_string_equal(text, "1234567890.500000000");
	assert_false(gcs_mtime_to_wire("1234567890", text)); /* somebody else's: as it is */
	assert_false(gcs_mtime_from_wire("1234567890.5", text));
}

static void checksums_of_parts_make_that_of_the_whole(void **state)
{
	static const char text[] = "The quick brown fox jumps over the lazy dog";

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		uint32_t first = hash_crc32c(0, text, cut);
		uint32_t second = hash_crc32c(0, text + cut, sizeof(text) - cut);

		assert_int_equal(hash_crc32c_combine(first, second, sizeof(text) - cut),
				 hash_crc32c(0, text, sizeof(text)));
	}
}

static void names_the_service_cannot_hold_are_told_before(void **state)
{
	static const char *const bad[] = { ".", "..", "a\nb", "a\rb", "\xff", "a\xc3" };
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(gcs_check_key(bad[i], &err) < 0);
	assert_int_equal(gcs_check_key("a/../b\x01\xc3\xa9", &err), 0);
	assert_int_equal(gcs_check_key(".skydir-uploads/x", &err), 0);
	assert_true(gcs_check_target(".skydir-uploads/x", &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_merged_in_order_and_hides_what_is_reserved),
		cmocka_unit_test(versions_come_newest_first),
		cmocka_unit_test(hostile_pages_are_refused),
		cmocka_unit_test(an_error_tells_reason_and_message),
		cmocka_unit_test(the_answers_of_a_batch_find_their_questions),
		cmocka_unit_test(times_are_rclones_on_the_wire),
		cmocka_unit_test(checksums_of_parts_make_that_of_the_whole),
		cmocka_unit_test(names_the_service_cannot_hold_are_told_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
