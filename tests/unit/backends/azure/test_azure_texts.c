/* Names, metadata's names, and what arrives from the network: right, odd and hostile. No network. */
#include "backends/azure/blob_private.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void assert_name(const char *key, const char *name)
{
	CLEANUP(buf_release) struct buf there = BUF_INIT(4096);
	CLEANUP(buf_release) struct buf back = BUF_INIT(4096);

	assert_int_equal(az_name_encode(str_of(key), &there), 0);
	assert_string_equal(buf_cstr(&there), name);
	assert_int_equal(az_name_decode(buf_str(&there), &back), 0);
	assert_string_equal(buf_cstr(&back), key);
}

static void what_the_service_cannot_hold_is_written_as_rclone_does(void **state)
{
	(void)state;
	assert_name("plain/a.b", "plain/a.b");
	assert_name("a.", "a\xef\xbc\x8e");
	assert_name("a./b", "a\xef\xbc\x8e/b");
	assert_name("..", ".\xef\xbc\x8e");
	assert_name("a\\b", "a\xef\xbc\xbc"
			    "b");
	assert_name("\x01\x7f", "\xe2\x90\x81\xe2\x90\xa1");
	assert_name("\xff", "\xe2\x80\x9b"
			    "FF");
	assert_name("\xef\xbc\xbc", "\xe2\x80\x9b\xef\xbc\xbc");
	assert_name("\xef\xbc\x8e.x", "\xef\xbc\x8e.x"); /* not at a segment's end */
	assert_name("it\xe2\x80\x9bs", "it\xe2\x80\x9bs");
	assert_name("\xe2\x80\x9b"
		    "FF",
		    "\xe2\x80\x9b\xe2\x80\x9b"
		    "FF");
	assert_name("\xe2\x80\x9b\\", "\xe2\x80\x9b\xe2\x80\x9b\xef\xbc\xbc");
}

/* Every key comes back, and no two keys have one name: bytes chosen for mischief, in all orders. */
static void every_key_comes_back(void **state)
{
	static const char *const pieces[] = { "a", ".", "/", "\\", "\x02", "\x7f", "\xff", "\xe2\x80\x9b", "\xef\xbc\xbc",
					      "\xef\xbc\x8e", "\xe2\x90\x82", "FF", "8", "\xe2" };
	size_t n = ARRAY_SIZE(pieces);

	(void)state;
	for (size_t i = 0; i < n * n * n * n; i++) {
		CLEANUP(buf_release) struct buf key = BUF_INIT(256);
		CLEANUP(buf_release) struct buf there = BUF_INIT(4096);
		CLEANUP(buf_release) struct buf back = BUF_INIT(4096);

		for (size_t k = i, times = 0; times < 4; k /= n, times++)
			assert_int_equal(buf_adds(&key, pieces[k % n]), 0);
		assert_int_equal(az_name_encode(buf_str(&key), &there), 0);
		assert_int_equal(az_name_decode(buf_str(&there), &back), 0);
		assert_string_equal(buf_cstr(&back), buf_cstr(&key));
	}
}

static void assert_meta_name(const char *name, const char *there)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(4096);
	CLEANUP(buf_release) struct buf back = BUF_INIT(4096);

	assert_int_equal(az_meta_name_encode(name, &out), 0);
	assert_string_equal(buf_cstr(&out), there);
	assert_int_equal(az_meta_name_decode(buf_str(&out), &back), 0);
	assert_string_equal(buf_cstr(&back), name);
}

static void names_of_metadata_become_identifiers(void **state)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(64);

	(void)state;
	assert_meta_name("mtime", "mtime");
	assert_meta_name("a-b.c", "a__2db__2ec");
	assert_meta_name("9lives", "__39lives");
	assert_meta_name("a__b", "a__b");
	assert_meta_name("a__2db", "a__5f_2db");
	assert_int_equal(az_meta_name_encode("", &out), -EINVAL);
	assert_int_equal(az_meta_name_encode("a b", &out), -EINVAL);
}

#define LIST(inner) "<EnumerationResults><Blobs>" inner "</Blobs><NextMarker/></EnumerationResults>"

static void a_listing_is_read_with_its_metadata(void **state)
{
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct error err = ERROR_INIT;
	bool has_hns = true;

	(void)state;
	assert_int_equal(az_list_read(STR(LIST("<Blob><Name>p/z</Name><Properties><Content-Length>3</Content-Length><Etag>0x8D</Etag>"
					       "<AccessTier>Cool</AccessTier></Properties><Metadata><Mode>33188</Mode><a__2db>x</a__2db>"
					       "</Metadata></Blob><BlobPrefix><Name>p/a/</Name></BlobPrefix>"
					       "<Blob><Name Encoded=\"true\">p/%EF%BF%BE</Name></Blob>")),
				      "p/", '/', &page, &has_hns, &err),
			 0);
	assert_false(has_hns);
	assert_int_equal(page.count, 3);
	assert_string_equal(page.objects[0].key, "p/a/");
	assert_true(page.objects[0].is_prefix);
	assert_string_equal(page.objects[1].key, "p/z");
	assert_int_equal(page.objects[1].size, 3);
	assert_string_equal(page.objects[1].version, "0x8D");
	assert_string_equal(page.objects[1].storage_class, "Cool");
	assert_string_equal(store_object_meta(&page.objects[1], "mode"), "33188");
	assert_string_equal(store_object_meta(&page.objects[1], "a-b"), "x");
	assert_string_equal(page.objects[2].key, "p/\xef\xbf\xbe");
}

static void a_directory_of_other_tools_comes_with_its_prefix(void **state)
{
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct error err = ERROR_INIT;
	bool has_hns = false;

	(void)state;
	assert_int_equal(az_list_read(STR(LIST("<Blob><Name>d</Name><Metadata><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>"
					       "<BlobPrefix><Name>d/</Name></BlobPrefix>")),
				      "", '/', &page, &has_hns, &err),
			 0);
	assert_int_equal(page.count, 2);
	assert_string_equal(page.objects[0].key, "d");
	assert_true(page.objects[0].is_directory);
	assert_string_equal(page.objects[1].key, "d/");
}

static void hostile_listings_are_refused(void **state)
{
	static const char *const documents[] = {
		"",
		"<html/>",
		"<EnumerationResults><Blobs>",
		LIST("<Blob><Properties/></Blob>"),
		LIST("<Blob><Name></Name></Blob>"),
		LIST("<Blob><Name>other</Name></Blob>"),
		LIST("<Blob><Name Encoded=\"true\">p%4</Name></Blob>"),
		LIST("<Blob><Name Encoded=\"true\">p%00</Name></Blob>"),
		LIST("<Blob><Name>p</Name><Properties><Content-Length>-1</Content-Length></Properties></Blob>"),
		LIST("<Blob><Name>p</Name><Properties><Etag>a\"b</Etag></Properties></Blob>"),
		"<!DOCTYPE x [<!ENTITY a \"b\">]>" LIST("<Blob><Name>p&a;</Name></Blob>"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
		struct error err = ERROR_INIT;
		bool has_hns = false;

		assert_true(az_list_read(str_of(documents[i]), "p", '/', &page, &has_hns, &err) < 0);
		assert_int_equal(err.kind, ERR_PROTOCOL);
	}
}

static void a_tag_may_be_missing_weak_or_broken(void **state)
{
	char version[STORE_VERSION_MAX] = "x";
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(az_version_set((struct str){ 0 }, version, &err), 0);
	assert_string_equal(version, "");
	assert_int_equal(az_version_set(STR("W/\"0x8D\""), version, &err), 0);
	assert_string_equal(version, "0x8D");
	assert_true(az_version_set(STR("\"a\r\nb\""), version, &err) < 0);
}

static void blocks_are_read(void **state)
{
	CLEANUP(az_blocks_release) struct az_blocks blocks = AZ_BLOCKS_INIT;
	struct error err = ERROR_INIT;
	char id[AZ_BLOCK_ID_MAX];

	(void)state;
	assert_int_equal(az_blocks_read(STR("<BlockList><CommittedBlocks><Block><Name>QQ==</Name><Size>5</Size></Block></CommittedBlocks>"
					    "<UncommittedBlocks><Block><Name>Qg==</Name><Size>7</Size></Block></UncommittedBlocks></BlockList>"),
					AZ_BLOCKS_COMMITTED, &blocks, &err),
			 0);
	assert_int_equal(blocks.count, 1);
	assert_string_equal(blocks.list[0].id, "QQ==");
	assert_int_equal(blocks.total, 5);
	assert_true(az_blocks_read(STR("<BlockList><CommittedBlocks><Block><Size>x</Size></Block></CommittedBlocks></BlockList>"),
				   AZ_BLOCKS_COMMITTED, &blocks, &err) < 0);
	az_block_id("0123456789abcdef", 50000, id);
	assert_int_equal(strlen(id), 32);
}

static void what_arrives_broken_ends_in_an_error_and_no_more(void **state)
{
	static const char *const texts[] = { "", "{", "<", "<Error><Code>", "{\"error\":{\"code\":5}}", "--b\r\nHTTP/1.1 2",
					     "--b\r\nContent-ID: 999\r\n\r\nHTTP/1.1 202 x\r\n\r\n--b--",
					     "--b\r\nHTTP/1.1 202 x\r\n\r\n--b--" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		(void)azure_fuzz_listing(str_of(texts[i]));
		(void)azure_fuzz_error(str_of(texts[i]));
		(void)azure_fuzz_batch(str_of(texts[i]));
	}
	assert_int_equal(azure_fuzz_error(STR("<Error><Code>X</Code></Error>")), 0);
	assert_int_equal(azure_fuzz_error(STR("{\"error\":{\"code\":\"X\"}}")), 0);
	assert_true(azure_fuzz_batch(str_of(texts[6])) < 0);
	assert_true(azure_fuzz_batch(str_of(texts[7])) < 0);
	assert_int_equal(azure_fuzz_batch(STR("--b\r\nContent-ID: 1\r\n\r\nHTTP/1.1 404 x\r\n\r\n--b--")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_service_cannot_hold_is_written_as_rclone_does),
		cmocka_unit_test(every_key_comes_back),
		cmocka_unit_test(names_of_metadata_become_identifiers),
		cmocka_unit_test(a_listing_is_read_with_its_metadata),
		cmocka_unit_test(a_directory_of_other_tools_comes_with_its_prefix),
		cmocka_unit_test(hostile_listings_are_refused),
		cmocka_unit_test(a_tag_may_be_missing_weak_or_broken),
		cmocka_unit_test(blocks_are_read),
		cmocka_unit_test(what_arrives_broken_ends_in_an_error_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
