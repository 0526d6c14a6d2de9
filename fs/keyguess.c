#include "fs/keyguess.h"

#define MOST	     (UINT64_C(1) << 62)
#define DIGITS_PLAIN 6u /* so many different bytes at one position say what its digits are */

/* In order of bytes; each holds those before it. */
static const char *const alphabets[] = {
	"0123456789",
	"0123456789abcdef",
	"0123456789abcdefghijklmnopqrstuvwxyz",
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
};

static bool has(const struct keyguess *g, size_t position, unsigned byte)
{
	return g->seen[position][byte / 64] >> byte % 64 & 1;
}

static size_t count_of(const struct keyguess *g, size_t position)
{
	size_t count = 0;

	for (size_t i = 0; i < 4; i++)
		count += (size_t)__builtin_popcountll(g->seen[position][i]);
	return count;
}

void keyguess_learn(struct keyguess *g, struct str name)
{
	for (size_t i = 0; i < name.len && i < KEYGUESS_POSITIONS; i++) {
		unsigned byte = (unsigned char)name.ptr[i];

		g->seen[i][byte / 64] |= UINT64_C(1) << byte % 64;
	}
}

/* The smallest alphabet that has all that was seen at a position; NULL: none. */
static const char *alphabet_of(const struct keyguess *g, size_t position)
{
	for (size_t a = 0; a < ARRAY_SIZE(alphabets); a++) {
		bool fits = true;

		for (unsigned byte = 0; byte < 256 && fits; byte++)
			fits = !has(g, position, byte) || (byte && strchr(alphabets[a], (int)byte));
		if (fits)
			return alphabets[a];
	}
	return NULL;
}

static unsigned char first_of(const struct keyguess *g, size_t position)
{
	unsigned byte = 0;

	while (byte < 255 && !has(g, position, byte))
		byte++;
	return (unsigned char)byte;
}

/* Those that come first in the order are seen with few digits at the front: it is the positions with many that tell which there are. */
static const char *common_alphabet(const struct keyguess *g)
{
	const char *common = alphabets[0];

	for (size_t i = 0; i < KEYGUESS_POSITIONS; i++) {
		const char *own = count_of(g, i) >= DIGITS_PLAIN ? alphabet_of(g, i) : NULL;

		if (own && strlen(own) > strlen(common))
			common = own;
	}
	return common;
}

bool keyguess_settle(struct keyguess *g)
{
	const char *common = common_alphabet(g);
	uint64_t numbers = 1;

	for (g->positions = 0; g->positions < KEYGUESS_POSITIONS && count_of(g, g->positions); g->positions++) {
		size_t at = g->positions, count = count_of(g, at);
		const char *own = alphabet_of(g, at);

		g->constant[at] = first_of(g, at);
		if (count == 1 && own != alphabets[0])
			continue; /* a byte that all have */
		g->digits[at] = own && strlen(own) < strlen(common) ? common : own;
		if (!g->digits[at] || numbers > MOST / strlen(g->digits[at])) {
			g->digits[at] = NULL;
			break;
		}
		numbers *= strlen(g->digits[at]);
	}
	while (g->positions > 0 && !g->digits[g->positions - 1])
		g->positions--; /* nor must a guess end within a character */
	g->most = numbers - 1;
	return numbers > 1;
}

uint64_t keyguess_number(const struct keyguess *g, struct str name)
{
	uint64_t number = 0;

	for (size_t i = 0; i < g->positions; i++) {
		size_t base = g->digits[i] ? strlen(g->digits[i]) : 1, digit = 0;
		unsigned char byte = i < name.len ? (unsigned char)name.ptr[i] : 0;

		if (g->digits[i])
			while (digit + 1 < base && (unsigned char)g->digits[i][digit + 1] <= byte)
				digit++;
		number = number * base + digit;
		if (i >= name.len || (!g->digits[i] && byte != g->constant[i]) ||
		    (g->digits[i] && (unsigned char)g->digits[i][digit] != byte)) {
			/* Between two names that can be told apart: before or behind all that begin with those. */
			bool is_behind = i < name.len && byte > (g->digits[i] ? (unsigned char)g->digits[i][digit] : g->constant[i]);

			for (i++; i < g->positions; i++) {
				base = g->digits[i] ? strlen(g->digits[i]) : 1;
				number = number * base + (is_behind ? base - 1 : 0);
			}
		}
	}
	return number;
}

int keyguess_name(const struct keyguess *g, uint64_t number, struct buf *ret)
{
	char name[KEYGUESS_POSITIONS];

	for (size_t i = g->positions; i > 0; i--) {
		const char *digits = g->digits[i - 1];
		size_t base = digits ? strlen(digits) : 1;

		name[i - 1] = digits ? digits[number % base] : (char)g->constant[i - 1];
		number /= base;
	}
	return buf_add(ret, name, g->positions);
}
