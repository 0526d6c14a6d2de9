/* What the store makes of answers: right ones, odd ones, and hostile ones. */
#include "tests/unit/backends/aws/fake_s3.h"
#include "backends/base/fileio.h"
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <cmocka.h>

#define OPEN(room, ...)                                                                            \
	static const struct fake_answer script[] = { __VA_ARGS__ };                                \
	struct fake_room room;                                                                     \
	fake_room_open(&room, script, ARRAY_SIZE(script))
#define ERROR_BODY(code)                                                                           \
	"<?xml version=\"1.0\"?><Error><Code>" code "</Code><Message>because</Message></Error>"
#define LIST(inner)                                                                                \
	"<?xml version=\"1.0\"?><ListBucketResult "                                                \
	"xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" inner "</ListBucketResult>"
#define OBJECT_HEADERS                                                                             \
	"ETag: \"5d41402abc4b2a76b9719d911017c592\"\r\nLast-Modified: Fri, 24 May 2013 00:00:00 "  \
	"GMT\r\n"

static int list(struct fake_room *room, struct store_page *page, const char *prefix,
		struct error *err)
{
	struct store_list_args args = { .prefix = prefix, .delimiter = '/' };

	return store_list(room->store, "b", &args, page, err);
}

static void a_listing_is_decoded_and_merged_in_byte_order(void **state)
{
	OPEN(room,
	     { .status = 200,
	       .body = LIST(
		       "<Contents><Key>a%2Bb</Key><Size>3</Size><ETag>&quot;e1&quot;</ETag>"
		       "<LastModified>2013-05-24T00:00:01.000Z</"
		       "LastModified><StorageClass>STANDARD</StorageClass></Contents>"
		       "<Contents><Key>z+%01%ff</Key><Size>18446744073709551615</Size></Contents>"
		       "<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>"
		       "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
		       "<NextContinuationToken>t/1+=</NextContinuationToken>") },
	     { .status = 200, .body = LIST("<IsTruncated>false</IsTruncated>") });
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	CLEANUP(store_page_release) struct store_page next = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = "" };
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(list(&room, &page, "", &err), 0);
	assert_int_equal(page.count, 3);
	assert_string_equal(page.objects[0].key, "a+b");
	assert_string_equal(page.objects[0].version, "e1");
	assert_int_equal(page.objects[0].modified_wall_ns, 1369353601000000000);
	assert_string_equal(page.objects[1].key, "d/");
	assert_true(page.objects[1].is_prefix);
	assert_string_equal(page.objects[2].key, "z \x01\xff");
	assert_string_equal(page.next_token, "t/1+=");
	args.token = page.next_token;
	assert_int_equal(store_list(room.store, "b", &args, &next, &err), 0);
	assert_int_equal(next.count, 0);
	assert_null(next.next_token);
	assert_non_null(strstr(fake_s3_request(room.server, 0),
			       "GET /b?list-type=2&encoding-type=url&delimiter=%2F "));
	assert_non_null(strstr(fake_s3_request(room.server, 1), "continuation-token=t%2F1%2B%3D"));
	fake_room_close(&room);
}

static void any_byte_of_a_key_can_be_asked_for(void **state)
{
	OPEN(room, { .status = 200, .body = LIST("<IsTruncated>false</IsTruncated>") });
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(list(&room, &page, "line\r\nfeed\x01/", &err), 0);
	assert_non_null(strstr(fake_s3_request(room.server, 0), "prefix=line%0D%0Afeed%01%2F"));
	fake_room_close(&room);
}

static void a_server_that_does_not_encode_names_is_believed(void **state)
{
	OPEN(room, { .status = 200,
		     .body = LIST("<Contents><Key>a%2Bb+c</Key><Size>1</Size></Contents>") });
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(list(&room, &page, "", &err), 0);
	assert_string_equal(page.objects[0].key, "a%2Bb+c");
	fake_room_close(&room);
}

static void hostile_listings_are_refused(void **state)
{
	OPEN(room, { .status = 200, .body = "<html><body>captive portal</body></html>" },
	     { .status = 200, .body = "" },
	     { .status = 200, .body = LIST("<Contents><Size>1</Size></Contents>") },
	     { .status = 200, .body = LIST("<Contents><Key>other</Key></Contents>") },
	     { .status = 200,
	       .body = LIST(
		       "<Contents><Key>p%00x</Key></Contents><EncodingType>url</EncodingType>") },
	     { .status = 200,
	       .body = LIST(
		       "<Contents><Key>p%4</Key></Contents><EncodingType>url</EncodingType>") },
	     { .status = 200, .body = LIST("<Contents><Key>p</Key><Size>-1</Size></Contents>") },
	     { .status = 200, .body = LIST("<IsTruncated>true</IsTruncated>") },
	     { .status = 200,
	       .body = LIST("<Contents><Key>p</Key><ETag>\"a\rb\"</ETag></Contents>") },
	     { .status = 200, .body = "<!DOCTYPE x [<!ENTITY a \"b\">]>" LIST("&a;") },
	     { .status = 200, .body = LIST("<Contents><Key>p</Key>") "<Contents>" });
	size_t count = ARRAY_SIZE(script);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
		struct error err = ERROR_INIT;

		assert_true(list(&room, &page, "p", &err) < 0);
		assert_int_equal(err.kind, ERR_PROTOCOL);
		assert_int_equal(fake_s3_count(room.server), i + 1); /* not tried again */
	}
	fake_room_close(&room);
}

static void a_listing_that_grows_without_end_is_bounded(void **state)
{
	size_t len = 17 << 20;
	char *huge = malloc(len);
	struct fake_answer script = { .status = 200, .body = huge, .body_len = len };
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct error err = ERROR_INIT;
	struct fake_room room;

	(void)state;
	memset(huge, ' ', len);
	fake_room_open(&room, &script, 1);
	assert_true(list(&room, &page, "", &err) < 0);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	fake_room_close(&room);
	free(huge);
}

static int get_text(struct fake_room *room, uint64_t offset, uint64_t length, struct buf *ret,
		    struct store_object *object, struct error *err)
{
	struct store_get_args args = { .offset = offset, .length = length };
	struct store_sink sink = { .fd = -1, .buf = ret };
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	int r;

	*err = ERROR_INIT;
	r = store_get(room->store, "b", "k", &args, &sink, &arena, object, err);
	object->meta = NULL; /* went with the arena */
	return r;
}

static void a_range_is_what_was_asked_for(void **state)
{
	OPEN(room,
	     { .status = 206,
	       .headers = OBJECT_HEADERS "Content-Range: bytes 2-4/10\r\n",
	       .body = "cde" },
	     { .status = 206,
	       .headers = OBJECT_HEADERS "Content-Range: bytes 7-9/10\r\n",
	       .body = "hij" },
	     { .status = 206,
	       .headers = OBJECT_HEADERS "Content-Range: bytes 3-5/10\r\n",
	       .body = "def" },
	     { .status = 206,
	       .headers = OBJECT_HEADERS "Content-Range: bytes 2-3/10\r\n",
	       .body = "cd" },
	     { .status = 206,
	       .headers = OBJECT_HEADERS "Content-Range: bytes 2-4/4\r\n",
	       .body = "cde" },
	     { .status = 206,
	       .headers = OBJECT_HEADERS "Content-Range: bytes 2-4/*\r\n",
	       .body = "cde" },
	     { .status = 206, .headers = OBJECT_HEADERS, .body = "cde" },
	     { .status = 206,
	       .headers = OBJECT_HEADERS "Content-Range: bytes 2-4/10\r\n",
	       .body = "cdefgh" },
	     { .status = 204, .headers = OBJECT_HEADERS },
	     { .status = 416, .body = ERROR_BODY("InvalidRange") });
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	struct store_object object = { 0 };
	struct error err;

	(void)state;
	assert_int_equal(get_text(&room, 2, 3, &text, &object, &err), 0);
	assert_string_equal(buf_cstr(&text), "cde");
	assert_int_equal(object.size, 10);
	assert_string_equal(object.version, "5d41402abc4b2a76b9719d911017c592");
	assert_non_null(strstr(fake_s3_request(room.server, 0), "Range: bytes=2-4\r\n"));
	/* cut at the object's end: not what was asked for */
	assert_true(get_text(&room, 7, 5, &text, &object, &err) < 0);
	assert_int_equal(err.kind, ERR_RANGE);
	for (int i = 0; i < 7; i++) {
		assert_true(get_text(&room, 2, 3, &text, &object, &err) < 0);
		assert_int_equal(err.kind, ERR_PROTOCOL);
	}
	assert_true(get_text(&room, 20, 3, &text, &object, &err) < 0);
	assert_int_equal(err.kind, ERR_RANGE);
	fake_room_close(&room);
}

static void a_server_without_ranges_is_read_whole(void **state)
{
	OPEN(room, { .status = 200, .headers = "ETag: \"v1\"\r\n", .body = "hello world" },
	     { .status = 200, .headers = "ETag: \"v1\"\r\n", .body = "hello world" },
	     { .status = 200, .headers = "ETag: \"v1\"\r\n", .body = "hello" },
	     { .status = 200, .headers = "ETag: \"v1\"\r\n", .body = "hello" },
	     { .status = 200, .headers = "ETag: \"v1\"\r\n", .body = "hello" });
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	struct store_object object = { 0 };
	struct error err;

	(void)state;
	assert_int_equal(get_text(&room, 6, 3, &text, &object, &err), 0);
	assert_string_equal(buf_cstr(&text), "wor");
	assert_int_equal(object.size, 11);
	assert_int_equal(fake_s3_count(room.server), 2);
	/* the range is the whole: no second request */
	assert_int_equal(get_text(&room, 0, 5, &text, &object, &err), 0);
	assert_string_equal(buf_cstr(&text), "hello");
	assert_int_equal(fake_s3_count(room.server), 3);
	assert_true(get_text(&room, 50, 3, &text, &object, &err) < 0);
	assert_int_equal(err.kind, ERR_RANGE);
	fake_room_close(&room);
}

static void whole_bodies_are_checked_by_full_checksums(void **state)
{
	/* CRC32C of "hello" is 9a71bb4c, its CRC64NVME 3377786010f0f5ee... only the first is asked
	 * for here */
	OPEN(room,
	     { .status = 200,
	       .headers = OBJECT_HEADERS "x-amz-checksum-crc32c: mnG7TA==\r\n",
	       .body = "hello" },
	     { .status = 200,
	       .headers = OBJECT_HEADERS "x-amz-checksum-crc32c: mnG7TA==\r\n",
	       .body = "hellO" },
	     { .status = 200,
	       .headers = OBJECT_HEADERS "x-amz-checksum-crc32c: mnG7TA==\r\n",
	       .body = "hellO" },
	     { .status = 200,
	       .headers = OBJECT_HEADERS "x-amz-checksum-crc32c: mnG7TA==\r\n",
	       .body = "hellO" },
	     { .status = 200,
	       .headers = OBJECT_HEADERS "x-amz-checksum-crc32c: AAAAAA==\r\n"
					 "x-amz-checksum-type: COMPOSITE\r\n",
	       .body = "hello" },
	     { .status = 200,
	       .headers = OBJECT_HEADERS "x-amz-checksum-crc32c: AAAAAA==-3\r\n",
	       .body = "hello" },
	     { .status = 206,
	       .headers = OBJECT_HEADERS "x-amz-checksum-crc32c: AAAAAA==\r\n"
					 "Content-Range: bytes 0-3/5\r\n",
	       .body = "hell" });
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	struct store_object object = { 0 };
	struct error err;

	(void)state;
	assert_int_equal(get_text(&room, 0, 0, &text, &object, &err), 0);
	assert_true(get_text(&room, 0, 0, &text, &object, &err) < 0);
	assert_int_equal(err.kind, ERR_CORRUPT);
	assert_int_equal(get_text(&room, 0, 0, &text, &object, &err), 0);
	assert_int_equal(get_text(&room, 0, 0, &text, &object, &err), 0);
	assert_int_equal(get_text(&room, 0, 4, &text, &object, &err), 0);
	fake_room_close(&room);
}

#define MD5_HELLO "5d41402abc4b2a76b9719d911017c592"
#define TAG(tag)  { .status = 200, .headers = "ETag: \"" tag "\"\r\n"
static void without_a_checksum_the_entity_tag_is_one(void **state)
{
	OPEN(room, TAG(MD5_HELLO), .body = "hellO" }, TAG(MD5_HELLO), .body = "hello" },
	     TAG(MD5_HELLO) "x-amz-server-side-encryption: aws:kms\r\n", .body = "other" },
	     /* twice the same other content: this server's tags are something else */
	     TAG(MD5_HELLO), .body = "other" }, TAG(MD5_HELLO), .body = "other" },
	     TAG(MD5_HELLO), .body = "third" });
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	struct store_object object = { 0 };
	struct error err;

	(void)state;
	assert_int_equal(get_text(&room, 0, 0, &text, &object, &err), 0);
	assert_string_equal(buf_cstr(&text), "hello");
	assert_int_equal(fake_s3_count(room.server), 2);
	assert_int_equal(get_text(&room, 0, 0, &text, &object, &err), 0);
	assert_int_equal(fake_s3_count(room.server), 3);
	assert_int_equal(get_text(&room, 0, 0, &text, &object, &err), 0);
	assert_string_equal(buf_cstr(&text), "other");
	assert_int_equal(fake_s3_count(room.server), 5);
	assert_int_equal(get_text(&room, 0, 0, &text, &object, &err), 0);
	assert_int_equal(fake_s3_count(room.server), 6);
	fake_room_close(&room);
}

static void two_versions_are_never_mixed_by_a_retry(void **state)
{
	OPEN(room,
	     { .status = 200, .headers = OBJECT_HEADERS "Content-Length: 10\r\n", .body = "hello" },
	     { .status = 200,
	       .headers = "ETag: \"other\"\r\nContent-Length: 10\r\n",
	       .body = "0123456789" });
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	struct store_object object = { 0 };
	struct error err;

	(void)state;
	assert_true(get_text(&room, 0, 0, &text, &object, &err) < 0);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	fake_room_close(&room);
}

static void metadata_is_read_back_as_it_was_written(void **state)
{
	OPEN(room, { .status = 200, .headers = "ETag: \"v\"\r\n" },
	     { .status = 200,
	       .headers = OBJECT_HEADERS
	       "Content-Length: 5\r\nContent-Type: text/plain\r\nX-Amz-Meta-Mode: 33188\r\n"
	       "x-amz-meta-name: =?UTF-8?B?w7xiZXI=?=\r\n"
	       "x-amz-meta-q: =?utf-8?Q?a_b=3Dc?= =?utf-8?q?d?=\r\n"
	       "x-amz-meta-broken: =?utf-8?X?zz?=\r\nx-amz-meta-empty:\r\n" });
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	const struct store_meta meta[] = { { "plain", "a b" },
					   { "name", "\xc3\xbc"
						     "ber" },
					   { "like", "=?x" } };
	struct store_put_args args = { .meta = meta, .meta_count = 3 };
	struct store_source source = { .fd = -1, .mem = STR("x") };
	struct store_object o;
	struct error err = ERROR_INIT;
	char version[STORE_VERSION_MAX];

	(void)state;
	assert_int_equal(store_put(room.store, "b", "dir/k.pdf", &source, &args, version, &err), 0);
	assert_string_equal(version, "v");
	assert_non_null(strstr(fake_s3_request(room.server, 0), "x-amz-meta-plain: a b\r\n"));
	assert_non_null(strstr(fake_s3_request(room.server, 0),
			       "x-amz-meta-name: =?UTF-8?B?w7xiZXI=?=\r\n"));
	assert_non_null(
		strstr(fake_s3_request(room.server, 0), "x-amz-meta-like: =?UTF-8?B?PT94?=\r\n"));
	assert_non_null(
		strstr(fake_s3_request(room.server, 0), "Content-Type: application/pdf\r\n"));
	assert_int_equal(store_head(room.store, "b", "k", NULL, &arena, &o, &err), 0);
	assert_int_equal(o.size, 5);
	assert_string_equal(o.content_type, "text/plain");
	assert_string_equal(store_object_meta(&o, "mode"), "33188");
	assert_string_equal(store_object_meta(&o, "name"), "\xc3\xbc"
							   "ber");
	assert_string_equal(store_object_meta(&o, "q"), "a b=cd");
	assert_string_equal(store_object_meta(&o, "broken"), "=?utf-8?X?zz?=");
	assert_string_equal(store_object_meta(&o, "empty"), "");
	fake_room_close(&room);
}

static void errors_are_told_apart_by_code(void **state)
{
	static const struct {
		enum error_kind kind;
		const char *says;
	} wanted[] = {
		{ ERR_NOT_FOUND, "bucket 'b' not found" },
		{ ERR_NOT_FOUND, "'b/k' not found" },
		{ ERR_PERMISSION, "access to 'b/k' denied (because)" },
		{ ERR_UNAUTHENTICATED, "'b/k': the access key is not known to the service (mend access-key-id, secret-access-key)" },
		{ ERR_PERMISSION,
		  "'b/k': it is archived (restore it from its storage class first)" },
		{ ERR_PRECONDITION, "'b/k': it has been changed meanwhile" },
		{ ERR_QUOTA, "'b/k': QuotaExceeded: because" },
		{ ERR_INVALID, "'b/k': Whatever: because" },
		{ ERR_NOT_FOUND, "'b/k' not found" },
		{ ERR_PERMISSION, "access to 'b/k' denied" },
	};
	OPEN(room, { .status = 404, .body = ERROR_BODY("NoSuchBucket") },
	     { .status = 404, .body = ERROR_BODY("NoSuchKey") },
	     { .status = 403, .body = ERROR_BODY("AccessDenied") },
	     { .status = 404, .body = ERROR_BODY("XAdminUserNotFound") },
	     { .status = 403, .body = ERROR_BODY("InvalidObjectState") },
	     { .status = 412, .body = ERROR_BODY("PreconditionFailed") },
	     { .status = 403, .body = ERROR_BODY("QuotaExceeded") },
	     { .status = 400, .body = ERROR_BODY("Whatever") },
	     { .status = 404, .body = "<html>nginx</html>" },
	     { .status = 403, .body = "<Error><Code>" });
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	struct store_object object = { 0 };
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		assert_true(get_text(&room, 0, 0, &text, &object, &err) < 0);
		assert_int_equal(err.kind, wanted[i].kind);
		assert_string_equal(err.message, wanted[i].says);
		assert_int_equal(err.http_status, script[i].status);
	}
	fake_room_close(&room);
}

static void a_success_with_an_error_inside_is_none(void **state)
{
	OPEN(room, { .status = 200, .body = ERROR_BODY("InternalError") },
	     { .status = 200,
	       .body = "<?xml "
		       "version=\"1.0\"?>\n\n<CopyObjectResult><ETag>&quot;n&quot;</ETag></"
		       "CopyObjectResult>" },
	     { .status = 200, .body = ERROR_BODY("AccessDenied") });
	struct store_copy_args args = { 0 };
	struct error err = ERROR_INIT;
	char version[STORE_VERSION_MAX];

	(void)state;
	/* InternalError is worth another attempt; the second succeeds */
	assert_int_equal(store_copy(room.store, "b", "k", "b", "k2", &args, version, &err), 0);
	assert_string_equal(version, "n");
	assert_non_null(strstr(fake_s3_request(room.server, 0), "x-amz-copy-source: /b/k\r\n"));
	assert_true(store_copy(room.store, "b", "k", "b", "k2", &args, version, &err) < 0);
	assert_int_equal(err.kind, ERR_PERMISSION);
	fake_room_close(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listing_is_decoded_and_merged_in_byte_order),
		cmocka_unit_test(any_byte_of_a_key_can_be_asked_for),
		cmocka_unit_test(a_server_that_does_not_encode_names_is_believed),
		cmocka_unit_test(hostile_listings_are_refused),
		cmocka_unit_test(a_listing_that_grows_without_end_is_bounded),
		cmocka_unit_test(a_range_is_what_was_asked_for),
		cmocka_unit_test(a_server_without_ranges_is_read_whole),
		cmocka_unit_test(whole_bodies_are_checked_by_full_checksums),
		cmocka_unit_test(without_a_checksum_the_entity_tag_is_one),
		cmocka_unit_test(two_versions_are_never_mixed_by_a_retry),
		cmocka_unit_test(metadata_is_read_back_as_it_was_written),
		cmocka_unit_test(errors_are_told_apart_by_code),
		cmocka_unit_test(a_success_with_an_error_inside_is_none),
	};

	return cmocka_run_group_tests_name("s3 answers", tests, NULL, NULL);
}
