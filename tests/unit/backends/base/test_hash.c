#include "backends/base/crc64nvme.h"
#include "backends/base/hash.h"
#include "backends/base/fileio.h"
#include "backends/base/random.h"
#include "check.h"
#include <stdio.h>

static void assert_hex(const unsigned char *digest, size_t len, const char *expect)
{
	char text[2 * 32 + 1];
	hex_encode(digest, len, text);
	assert_string_equal(text, expect);
}

static void digests_match_their_published_vectors(void **state)
{
	(void)state;
	unsigned char d[32];
	hash_sha256("", 0, d);
	assert_hex(d, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hash_sha256("abc", 3, d);
	assert_hex(d, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_md5("", 0, d);
	assert_hex(d, 16, "d41d8cd98f00b204e9800998ecf8427e");
	hash_md5("message digest", 14, d);
	assert_hex(d, 16, "f96b697d7cb7938d525a2f31aaf161d0");
	hash_sha1("abc", 3, d);
	assert_hex(d, 20, "a9993e364706816aba3e25717850c26c9cd0d89d");
}

static void macs_match_rfc_4231_and_rfc_2202(void **state)
{
	(void)state;
	unsigned char d[32];
	hash_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, d);
	assert_hex(d, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	unsigned char key[131];
	memset(key, 0xaa, sizeof(key));
	hash_hmac_sha256(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First",
			 54, d);
	assert_hex(d, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	hash_hmac_sha1("Jefe", 4, "what do ya want for nothing?", 28, d);
	assert_hex(d, 20, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
	hash_hmac_sha256("", 0, "", 0, d);
	assert_hex(d, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void checksums_give_their_check_values(void **state)
{
	(void)state;
	assert_int_equal(hash_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(hash_crc32c(0, "123456789", 9), 0xe3069283);
	assert_true(hash_crc64nvme(0, "123456789", 9) == UINT64_C(0xae8b14860a799888));
	assert_true(crc64nvme_table(0, "123456789", 9) == UINT64_C(0xae8b14860a799888));
	assert_int_equal(hash_crc32(0, "", 0), 0);
	assert_int_equal(hash_crc32c(0, "", 0), 0);
	assert_true(hash_crc64nvme(0, "", 0) == 0);
}

static void crc64nvme_matches_the_vectors_of_the_nvme_specification(void **state)
{
	(void)state;
	static unsigned char block[4096];
	assert_true(hash_crc64nvme(0, block, sizeof(block)) == UINT64_C(0x6482d367eb22b64e));
	memset(block, 0xff, sizeof(block));
	assert_true(hash_crc64nvme(0, block, sizeof(block)) == UINT64_C(0xc0ddba7302eca3ac));
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (unsigned char)i;
	assert_true(hash_crc64nvme(0, block, sizeof(block)) == UINT64_C(0x3e729f5f6750449c));
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (unsigned char)~i;
	assert_true(hash_crc64nvme(0, block, sizeof(block)) == UINT64_C(0x9a2df64b8e9e517e));
}

static void folding_and_tables_agree_on_every_length_and_alignment(void **state)
{
	(void)state;
	if (!crc64nvme_can_fold())
		skip();
	static unsigned char data[9000];
	random_seed(99);
	random_bytes(data, sizeof(data));
	for (size_t len = 0; len < 1100; len++) {
		uint64_t crc = random_u64();
		assert_true(crc64nvme_fold(crc, data + len % 17, len) ==
			    crc64nvme_table(crc, data + len % 17, len));
	}
	for (int i = 0; i < 3000; i++) {
		size_t at = random_below(100), len = random_below(sizeof(data) - 100);
		uint64_t crc = random_u64();
		assert_true(crc64nvme_fold(crc, data + at, len) ==
			    crc64nvme_table(crc, data + at, len));
	}
	random_seed(0);
}

static void a_checksum_goes_on_where_an_earlier_one_ended(void **state)
{
	(void)state;
	unsigned char data[3000];
	random_seed(5);
	random_bytes(data, sizeof(data));
	for (int i = 0; i < 300; i++) {
		size_t cut = random_below(sizeof(data));
		const unsigned char *rest = data + cut;
		size_t len = sizeof(data) - cut;
		assert_true(hash_crc64nvme(hash_crc64nvme(0, data, cut), rest, len) ==
			    hash_crc64nvme(0, data, sizeof(data)));
		assert_true(hash_crc32(hash_crc32(0, data, cut), rest, len) ==
			    hash_crc32(0, data, sizeof(data)));
		assert_true(hash_crc32c(hash_crc32c(0, data, cut), rest, len) ==
			    hash_crc32c(0, data, sizeof(data)));
	}
	random_seed(0);
}

static const struct {
	enum hash_kind kind;
	const char *hex; /* of "123456789" */
} kinds[] = {
	{ HASH_NONE, "" },
	{ HASH_SHA256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225" },
	{ HASH_MD5, "25f9e794323b453885f5181f1b624d0b" },
	{ HASH_CRC32, "cbf43926" },
	{ HASH_CRC32C, "e3069283" },
	{ HASH_CRC64NVME, "ae8b14860a799888" },
	{ HASH_SHA1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441" },
};

static void a_stream_of_any_kind_can_tell_its_digest_and_go_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		CLEANUP(hash_stream_freep) struct hash_stream *h = hash_stream_new(kinds[i].kind);
		unsigned char d[32];
		assert_non_null(h);
		hash_stream_add(h, "1234", 4);
		(void)hash_stream_digest(h, d);
		hash_stream_add(h, "", 0);
		hash_stream_add(h, "56789", 5);
		for (int twice = 0; twice < 2; twice++) {
			size_t len = hash_stream_digest(h, d);
			assert_int_equal(len, strlen(kinds[i].hex) / 2);
			assert_hex(d, len, kinds[i].hex);
		}
	}
	hash_stream_free(NULL);
}

static void a_part_of_a_file_is_hashed_and_a_short_file_is_an_error(void **state)
{
	(void)state;
	char name[] = "/tmp/skydir-test-hash-XXXXXX";
	CLEANUP(closep) int fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(fileio_write_all(fd, "xx123456789yy", 13), 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		unsigned char d[32];
		int len = hash_fd(kinds[i].kind, fd, 2, 9, d);
		assert_int_equal(len, strlen(kinds[i].hex) / 2);
		assert_hex(d, (size_t)len, kinds[i].hex);
		assert_int_equal(hash_fd(kinds[i].kind, fd, 5, 9, d), -EIO);
	}
	unsigned char d[32], expect[32];
	CLEANUP(freep) unsigned char *big = calloc(1, 700001);
	assert_non_null(big);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, 700001), 0);
	hash_sha256(big, 700001, expect);
	assert_int_equal(hash_fd(HASH_SHA256, fd, 0, 700001, d), 32);
	assert_memory_equal(d, expect, 32);
	assert_int_equal(hash_fd(HASH_SHA256, -1, 0, 1, d), -EBADF);
}

static void the_table_hash_depends_on_bytes_length_and_seed(void **state)
{
	(void)state;
	char zeros[64] = {0};
	uint64_t seen[130];
	size_t count = 0;
	for (size_t len = 0; len <= 64; len++)
		for (uint64_t seed = 0; seed < 2; seed++)
			seen[count++] = hash_table64(zeros, len, seed);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			assert_true(seen[i] != seen[k]);
	assert_true(hash_table64("key", 3, 1) == hash_table64("key", 3, 1));
	assert_true(hash_table64("key", 3, 1) != hash_table64("kez", 3, 1));
}

static void the_table_hash_spreads_like_names_evenly(void **state)
{
	(void)state;
	unsigned slots[256] = {0};
	for (int i = 0; i < 25600; i++) {
		char name[32];
		int n = snprintf(name, sizeof(name), "object-%08d.txt", i);
		slots[hash_table64(name, (size_t)n, 0) % 256]++;
	}
	for (int i = 0; i < 256; i++)
		assert_in_range(slots[i], 50, 160);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_match_their_published_vectors),
		cmocka_unit_test(macs_match_rfc_4231_and_rfc_2202),
		cmocka_unit_test(checksums_give_their_check_values),
		cmocka_unit_test(crc64nvme_matches_the_vectors_of_the_nvme_specification),
		cmocka_unit_test(folding_and_tables_agree_on_every_length_and_alignment),
		cmocka_unit_test(a_checksum_goes_on_where_an_earlier_one_ended),
		cmocka_unit_test(a_stream_of_any_kind_can_tell_its_digest_and_go_on),
		cmocka_unit_test(a_part_of_a_file_is_hashed_and_a_short_file_is_an_error),
		cmocka_unit_test(the_table_hash_depends_on_bytes_length_and_seed),
		cmocka_unit_test(the_table_hash_spreads_like_names_evenly),
	};
	return RUN(tests);
}
