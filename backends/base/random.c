#include "backends/base/random.h"
#include "backends/base/lock.h"
#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* Tests only: the state of a splitmix64 sequence; is_seeded picks it over the kernel. */
static struct lock seeded_lock = LOCK_INIT;
static uint64_t seeded_state; /* guarded by seeded_lock */
static atomic_bool is_seeded;

static uint64_t seeded_next(void)
{
	LOCKED(&seeded_lock);
	/* splitmix64 (Steele, Lea, Flood 2014): any seed will do, 0 apart, which means the kernel. */
	uint64_t z = seeded_state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void kernel_bytes(unsigned char *to, size_t len)
{
	while (len > 0) {
		ssize_t n = getrandom(to, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abort(); /* no randomness: nonces and names would collide silently */
		to += n;
		len -= (size_t)n;
	}
}

void random_bytes(void *ret, size_t len)
{
	unsigned char *to = ret;
	if (!atomic_load(&is_seeded)) {
		kernel_bytes(to, len);
		return;
	}
	while (len > 0) {
		uint64_t word = seeded_next();
		size_t n = len < sizeof(word) ? len : sizeof(word);
		memcpy(to, &word, n);
		to += n;
		len -= n;
	}
}

uint64_t random_u64(void)
{
	uint64_t word;
	random_bytes(&word, sizeof(word));
	return word;
}

uint64_t random_below(uint64_t below)
{
	if (below == 0)
		return 0;
	/* Throws away the first 2^64 mod below values, so that every residue is as likely. */
	uint64_t reject = (0 - below) % below;
	uint64_t word;
	do {
		word = random_u64();
	} while (word < reject);
	return word % below;
}

void random_seed(uint64_t seed)
{
	LOCKED(&seeded_lock);
	seeded_state = seed;
	atomic_store(&is_seeded, seed != 0);
}
