#pragma once
/*
 * Purpose: digests, checksums and their text forms.
 *
 * SHA-256, MD5 and HMAC are OpenSSL's (hardware instructions where there are any), CRC32 and CRC32C come
 * from ISA-L, CRC64NVME is ours (polynomial 0xad93d23594c93659 reflected, check value of "123456789" is
 * 0xae8b14860a799888).
 * Threads: pure functions; a context belongs to one thread at a time.
 */
#include "backends/base/buf.h"

#define HASH_SHA256_LEN 32
#define HASH_MD5_LEN	16

void hash_sha256(const void *data, size_t len, unsigned char ret[HASH_SHA256_LEN]);
void hash_md5(const void *data, size_t len, unsigned char ret[HASH_MD5_LEN]);
void hash_sha1(const void *data, size_t len, unsigned char ret[20]);
void hash_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
		      unsigned char ret[HASH_SHA256_LEN]);
void hash_hmac_sha1(const void *key, size_t key_len, const void *data, size_t len,
		    unsigned char ret[20]);

enum hash_kind { HASH_NONE, HASH_SHA256, HASH_MD5, HASH_CRC32, HASH_CRC32C, HASH_CRC64NVME, HASH_SHA1 };
/* Streaming over any kind; the digest of a CRC is big-endian, as S3 and GCS write it. */
struct hash_stream;
struct hash_stream *hash_stream_new(enum hash_kind kind); /* NULL without memory */
void hash_stream_add(struct hash_stream *h, const void *data, size_t len);
/* Writes the digest so far (the stream may go on) and returns its length, at most 32. */
size_t hash_stream_digest(struct hash_stream *h, unsigned char ret[32]);
void hash_stream_free(struct hash_stream *h);
void hash_stream_freep(struct hash_stream **h);

/* Each continues from crc (0 to begin). */
uint32_t hash_crc32(uint32_t crc, const void *data, size_t len);
uint32_t hash_crc32c(uint32_t crc, const void *data, size_t len);
/* The CRC32C of two runs of bytes put together, from that of each and the length of the second. */
uint32_t hash_crc32c_combine(uint32_t first, uint32_t second, uint64_t second_len);
uint64_t hash_crc64nvme(uint64_t crc, const void *data, size_t len);
/* A digest of any kind over [offset, offset+len) of a file; returns its length or -errno
 * (-EIO when the file is shorter). */
int hash_fd(enum hash_kind kind, int fd, uint64_t offset, uint64_t len, unsigned char ret[32]);

/* A fast 64-bit hash for tables (not for secrets or untrusted floods without a seed). */
uint64_t hash_table64(const void *data, size_t len, uint64_t seed);

void hex_encode(const void *data, size_t len, char *ret); /* 2*len+1 bytes, lower case */
int hex_decode(struct str text, unsigned char *ret, size_t ret_size); /* length or -EINVAL */
int base64_encode(const void *data, size_t len, struct buf *out); /* standard alphabet, padded */
int base64url_encode(const void *data, size_t len, struct buf *out); /* URL alphabet, not padded */
int base64_decode(struct str text, struct buf *out); /* standard or URL alphabet, padding optional */
