/*
 * CRC32C of two runs put together: the CRC of the first, carried over as many zero bytes as the second has, added to
 * (that is, exclusive or) that of the second. Carrying over one bit is a linear map of 32 bits; over 2^n bits it is that
 * map squared n times.
 */
#include "backends/base/hash.h"

#define CRC32C_POLYNOMIAL 0x82f63b78u /* reflected */

static uint32_t apply(const uint32_t map[32], uint32_t bits)
{
	uint32_t sum = 0;

	for (int i = 0; bits; i++, bits >>= 1)
		if (bits & 1)
			sum ^= map[i];
	return sum;
}

static void square(uint32_t ret[32], const uint32_t map[32])
{
	for (int i = 0; i < 32; i++)
		ret[i] = apply(map, map[i]);
}

uint32_t hash_crc32c_combine(uint32_t first, uint32_t second, uint64_t second_len)
{
	uint32_t map[32], next[32];

	map[0] = CRC32C_POLYNOMIAL;
	for (int i = 1; i < 32; i++)
		map[i] = 1u << (i - 1);
	for (int i = 0; i < 3; i++) { /* from one bit to one byte */
		square(next, map);
		memcpy(map, next, sizeof(map));
	}
	for (; second_len; second_len >>= 1) {
		if (second_len & 1)
			first = apply(map, first);
		square(next, map);
		memcpy(map, next, sizeof(map));
	}
	return first ^ second;
}
