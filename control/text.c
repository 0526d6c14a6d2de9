#include "control/text.h"

#include <inttypes.h>
#include <stdio.h>

int text_escape(struct buf *out, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	for (; *p; p++) {
		bool is_c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;
		int r;

		if (*p < 0x20 || *p == 0x7f)
			r = buf_addf(out, "\\x%02x", *p);
		else if (is_c1)
			r = buf_addf(out, "\\x%02x", *++p);
		else
			r = buf_addc(out, (char)*p);
		if (r < 0)
			return r;
	}
	return 0;
}

void text_size(uint64_t bytes, char ret[16])
{
	static const char units[] = "KMGTPE";
	uint64_t whole = bytes, rest = 0;
	int unit = -1;

	while (whole >= 1024 && unit < 5) {
		rest = whole % 1024;
		whole /= 1024;
		unit++;
	}
	if (unit < 0)
		(void)snprintf(ret, 16, "%" PRIu64, bytes);
	else if (whole < 10 && rest * 10 / 1024)
		(void)snprintf(ret, 16, "%u.%u%c", (unsigned)whole, (unsigned)(rest * 10 / 1024),
			       units[unit]);
	else
		(void)snprintf(ret, 16, "%u%c", (unsigned)whole, units[unit]);
}

void text_duration(uint64_t seconds, char ret[24])
{
	uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

	if (!minutes)
		(void)snprintf(ret, 24, "%us", (unsigned)seconds);
	else if (!hours)
		(void)snprintf(ret, 24, "%um%02us", (unsigned)minutes, (unsigned)(seconds % 60));
	else if (!days)
		(void)snprintf(ret, 24, "%uh%02um", (unsigned)hours, (unsigned)(minutes % 60));
	else
		(void)snprintf(ret, 24, "%" PRIu64 "d%uh", days, (unsigned)(hours % 24));
}

#define DISTANCE_MAX 32

/* Levenshtein distance of two short words; words over DISTANCE_MAX bytes are far from everything.
 */
static unsigned distance(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	unsigned row[DISTANCE_MAX + 1];

	if (a_len > DISTANCE_MAX || b_len > DISTANCE_MAX)
		return DISTANCE_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned replace = diagonal + (a[i - 1] != b[j - 1]);
			unsigned least = row[j - 1] < row[j] ? row[j - 1] + 1 : row[j] + 1;

			diagonal = row[j];
			row[j] = replace < least ? replace : least;
		}
	}
	return row[b_len];
}

bool text_is_near(const char *typed, const char *known)
{
	size_t len = strlen(known), typed_len = strlen(typed);

	if (typed_len >= 3 && !strncmp(known, typed, typed_len))
		return true; /* an abbreviation */
	return distance(typed, known) <= (len <= 4 ? 1 : len <= 8 ? 2 : 3);
}
