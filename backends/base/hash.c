#include "backends/base/hash.h"
#include "backends/base/fileio.h"
#include <assert.h>
#include <endian.h>
#include <limits.h>
#include <isa-l/crc.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>

/* Looked up once: OpenSSL 3 searches its providers, under locks, at every EVP_sha256() otherwise. */
static pthread_once_t digests_once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256, *md5, *sha1; /* immutable after digests_once; never freed */

static void must(bool is_fine)
{
	/* OpenSSL fails here only without memory or without the algorithm: a wrong digest is worse. */
	if (!is_fine)
		abort();
}

static void fetch_digests(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	must(sha256 && md5 && sha1);
}

static const EVP_MD *digest_of(enum hash_kind kind)
{
	(void)pthread_once(&digests_once, fetch_digests); /* fails only on a bad argument */
	switch (kind) {
	case HASH_SHA256:
		return sha256;
	case HASH_MD5:
		return md5;
	case HASH_SHA1:
		return sha1;
	default:
		return NULL;
	}
}

void hash_sha256(const void *data, size_t len, unsigned char ret[HASH_SHA256_LEN])
{
	must(EVP_Digest(data, len, ret, NULL, digest_of(HASH_SHA256), NULL) == 1);
}

void hash_md5(const void *data, size_t len, unsigned char ret[HASH_MD5_LEN])
{
	must(EVP_Digest(data, len, ret, NULL, digest_of(HASH_MD5), NULL) == 1);
}

void hash_sha1(const void *data, size_t len, unsigned char ret[20])
{
	must(EVP_Digest(data, len, ret, NULL, digest_of(HASH_SHA1), NULL) == 1);
}

static void hmac(enum hash_kind kind, const void *key, size_t key_len, const void *data, size_t len,
		 unsigned char *ret)
{
	assert(key_len <= INT_MAX);
	must(HMAC(digest_of(kind), key, (int)key_len, data, len, ret, NULL) != NULL);
}

void hash_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
		      unsigned char ret[HASH_SHA256_LEN])
{
	hmac(HASH_SHA256, key, key_len, data, len, ret);
}

void hash_hmac_sha1(const void *key, size_t key_len, const void *data, size_t len,
		    unsigned char ret[20])
{
	hmac(HASH_SHA1, key, key_len, data, len, ret);
}

/* ISA-L's gzip form inverts at both ends by itself, like zlib's crc32. */
uint32_t hash_crc32(uint32_t crc, const void *data, size_t len)
{
	return crc32_gzip_refl(crc, data, len);
}

/* ISA-L's iSCSI form does not, and takes an int as its length. */
uint32_t hash_crc32c(uint32_t crc, const void *data, size_t len)
{
	/* Its prototype lacks a const; it only reads. */
	unsigned char *p = (unsigned char *)(uintptr_t)data;
	crc = ~crc;
	while (len > 0) {
		int n = len < (1 << 30) ? (int)len : 1 << 30;
		crc = crc32_iscsi(p, n, crc);
		p += n;
		len -= (size_t)n;
	}
	return ~crc;
}

struct hash_stream {
	enum hash_kind kind;
	EVP_MD_CTX *digest;  /* NULL for a CRC */
	EVP_MD_CTX *scratch; /* finished in digest's place, so that the stream can go on */
	uint64_t crc;
};

struct hash_stream *hash_stream_new(enum hash_kind kind)
{
	struct hash_stream *h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->kind = kind;
	const EVP_MD *md = digest_of(kind);
	if (!md)
		return h;
	h->digest = EVP_MD_CTX_new();
	h->scratch = EVP_MD_CTX_new();
	if (!h->digest || !h->scratch || EVP_DigestInit_ex2(h->digest, md, NULL) != 1) {
		hash_stream_free(h);
		return NULL;
	}
	return h;
}

void hash_stream_add(struct hash_stream *h, const void *data, size_t len)
{
	switch (h->kind) {
	case HASH_NONE:
		break;
	case HASH_CRC32:
		h->crc = hash_crc32((uint32_t)h->crc, data, len);
		break;
	case HASH_CRC32C:
		h->crc = hash_crc32c((uint32_t)h->crc, data, len);
		break;
	case HASH_CRC64NVME:
		h->crc = hash_crc64nvme(h->crc, data, len);
		break;
	case HASH_SHA256:
	case HASH_MD5:
	case HASH_SHA1:
		must(EVP_DigestUpdate(h->digest, data, len) == 1);
		break;
	}
}

size_t hash_stream_digest(struct hash_stream *h, unsigned char ret[32])
{
	if (h->digest) {
		unsigned len = 0;
		must(EVP_MD_CTX_copy_ex(h->scratch, h->digest) == 1);
		must(EVP_DigestFinal_ex(h->scratch, ret, &len) == 1);
		return len;
	}
	size_t len = h->kind == HASH_NONE ? 0 : h->kind == HASH_CRC64NVME ? 8 : 4;
	for (size_t i = 0; i < len; i++)
		ret[i] = (unsigned char)(h->crc >> (8 * (len - 1 - i)));
	return len;
}

void hash_stream_free(struct hash_stream *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->digest);
	EVP_MD_CTX_free(h->scratch);
	free(h);
}

void hash_stream_freep(struct hash_stream **h)
{
	hash_stream_free(*h);
	*h = NULL;
}

#define READ_BYTES ((size_t)256 << 10)

int hash_fd(enum hash_kind kind, int fd, uint64_t offset, uint64_t len, unsigned char ret[32])
{
	CLEANUP(hash_stream_freep) struct hash_stream *h = hash_stream_new(kind);
	CLEANUP(freep) unsigned char *block = malloc(READ_BYTES);
	if (!h || !block)
		return -ENOMEM;
	while (len > 0) {
		size_t n = len < READ_BYTES ? (size_t)len : READ_BYTES;
		int r = fileio_pread_all(fd, block, n, offset);
		if (r < 0)
			return r == -ENODATA ? -EIO : r;
		hash_stream_add(h, block, n);
		offset += n;
		len -= n;
	}
	return (int)hash_stream_digest(h, ret);
}

/* Both halves of a 64 by 64 bit product, folded: every bit of the result hangs on every bit given. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load_le64(const unsigned char *p)
{
	uint64_t word;
	memcpy(&word, p, sizeof(word));
	return le64toh(word);
}

uint64_t hash_table64(const void *data, size_t len, uint64_t seed)
{
	/* Odd constants with about as many ones as zeros, from the digits of pi. */
	const uint64_t k1 = UINT64_C(0x243f6a8885a308d3), k2 = UINT64_C(0x13198a2e03707345);
	const unsigned char *p = data;
	uint64_t h = seed ^ mix(len ^ k1, k2);
	for (; len > 16; p += 16, len -= 16)
		h = mix(load_le64(p) ^ k1, load_le64(p + 8) ^ h ^ k2);
	unsigned char last[16] = {0};
	if (len > 0)
		memcpy(last, p, len);
	h = mix(load_le64(last) ^ k1, load_le64(last + 8) ^ h ^ k2);
	return mix(h ^ k2, k1);
}
