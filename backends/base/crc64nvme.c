#include "backends/base/crc64nvme.h"
#include "backends/base/hash.h"
#include <endian.h>
#include <pthread.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* 0xad93d23594c93659 with its bits reversed: in this CRC the lowest bit of a byte comes first. */
#define POLY UINT64_C(0x9a6c9329ac4bc9b5)

static pthread_once_t tables_once = PTHREAD_ONCE_INIT;
static uint64_t tables[8][256]; /* immutable after tables_once; [k][b]: byte b, then k zero bytes */
static uint64_t fold_512[2];	/* immutable after tables_once; see fold_constants */
static uint64_t fold_128[2];

static uint64_t times_x(uint64_t v)
{
	return v & 1 ? v >> 1 ^ POLY : v >> 1;
}

/* x^n modulo the polynomial, reversed like all values here: bit 63 stands for x^0. */
static uint64_t power_of_x(unsigned n)
{
	uint64_t v = UINT64_C(1) << 63;
	while (n-- > 0)
		v = times_x(v);
	return v;
}

/*
 * What the two halves of 16 bytes must be multiplied with to stand `bits` further on. The first half is
 * worth x^64 more than the second. The product of two reversed 64-bit words has 127 bits and so comes out
 * one place too high in the reversed 128-bit word, as if multiplied by x: hence the powers are one less.
 */
static void fold_constants(unsigned bits, uint64_t ret[2])
{
	ret[0] = power_of_x(bits + 64 - 1);
	ret[1] = power_of_x(bits - 1);
}

static void make_tables(void)
{
	for (unsigned b = 0; b < 256; b++) {
		uint64_t v = b;
		for (unsigned i = 0; i < 8; i++)
			v = times_x(v);
		tables[0][b] = v;
	}
	for (unsigned b = 0; b < 256; b++)
		for (unsigned k = 1; k < 8; k++)
			tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xff];
	fold_constants(512, fold_512);
	fold_constants(128, fold_128);
}

/* The remainder without the inversions at both ends. */
static uint64_t table_update(uint64_t state, const unsigned char *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t word;
		memcpy(&word, p, 8);
		word = le64toh(word) ^ state;
		state = 0;
		for (unsigned k = 0; k < 8; k++)
			state ^= tables[7 - k][word >> (8 * k) & 0xff];
	}
	for (; len > 0; p++, len--)
		state = state >> 8 ^ tables[0][(state ^ *p) & 0xff];
	return state;
}

uint64_t crc64nvme_table(uint64_t crc, const void *data, size_t len)
{
	(void)pthread_once(&tables_once, make_tables); /* fails only on a bad argument */
	return ~table_update(~crc, data, len);
}

#if defined(__x86_64__)

bool crc64nvme_can_fold(void)
{
	return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

#define FOLDING __attribute__((target("pclmul,sse4.1")))

static inline FOLDING __m128i load(const unsigned char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* acc moved on by the constants' distance, plus what stands there. */
static inline FOLDING __m128i fold(__m128i acc, __m128i by, __m128i next)
{
	__m128i first = _mm_clmulepi64_si128(acc, by, 0x00);
	__m128i second = _mm_clmulepi64_si128(acc, by, 0x11);
	return _mm_xor_si128(_mm_xor_si128(first, second), next);
}

/* len is at least 64. Four sums run side by side, because one multiplication takes several cycles. */
static FOLDING uint64_t fold_update(uint64_t state, const unsigned char *p, size_t len)
{
	const __m128i by_512 = _mm_set_epi64x((long long)fold_512[1], (long long)fold_512[0]);
	const __m128i by_128 = _mm_set_epi64x((long long)fold_128[1], (long long)fold_128[0]);
	__m128i acc[4];
	for (unsigned i = 0; i < 4; i++)
		acc[i] = load(p + 16 * i);
	acc[0] = _mm_xor_si128(acc[0], _mm_cvtsi64_si128((long long)state));
	for (p += 64, len -= 64; len >= 64; p += 64, len -= 64)
		for (unsigned i = 0; i < 4; i++)
			acc[i] = fold(acc[i], by_512, load(p + 16 * i));
	for (unsigned i = 1; i < 4; i++)
		acc[0] = fold(acc[0], by_128, acc[i]);
	for (; len >= 16; p += 16, len -= 16)
		acc[0] = fold(acc[0], by_128, load(p));

	/* These 16 bytes have the remainder of all that went into them: the tables finish the work. */
	unsigned char rest[16];
	_mm_storeu_si128((__m128i *)(void *)rest, acc[0]);
	return table_update(table_update(0, rest, sizeof(rest)), p, len);
}

uint64_t crc64nvme_fold(uint64_t crc, const void *data, size_t len)
{
	(void)pthread_once(&tables_once, make_tables); /* fails only on a bad argument */
	return ~(len >= 64 ? fold_update(~crc, data, len) : table_update(~crc, data, len));
}

#else

bool crc64nvme_can_fold(void)
{
	return false;
}

uint64_t crc64nvme_fold(uint64_t crc, const void *data, size_t len)
{
	return crc64nvme_table(crc, data, len);
}

#endif

uint64_t hash_crc64nvme(uint64_t crc, const void *data, size_t len)
{
	return crc64nvme_can_fold() ? crc64nvme_fold(crc, data, len) :
				      crc64nvme_table(crc, data, len);
}
