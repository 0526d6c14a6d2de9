#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S INT64_C(1000000000)

static const struct clock_source *source; /* immutable once threads run; NULL: the real clock */
static _Atomic int64_t skew_s;
static _Atomic uint64_t skew_set_mono_ms; /* 0: never */

void clock_set(const struct clock_source *new_source)
{
	source = new_source;
}

static uint64_t read_clock_ns(clockid_t id)
{
	struct timespec ts;
	(void)clock_gettime(id, &ts); /* cannot fail for these two clocks */
#ifdef SKYDIR_FAULT_POINTS
	return (uint64_t)((int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec +
			  (id == CLOCK_MONOTONIC ? fault_mono_jump_ns() : fault_wall_jump_ns()));
#else
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
#endif
}

uint64_t clock_mono_ns(void)
{
	return source && source->mono_ns ? source->mono_ns() : read_clock_ns(CLOCK_MONOTONIC);
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000;
}

int64_t clock_wall_ns(void)
{
	return source && source->wall_ns ? source->wall_ns() :
					   (int64_t)read_clock_ns(CLOCK_REALTIME);
}

void clock_set_skew_s(int64_t new_skew_s)
{
	uint64_t now_ms = clock_mono_ms();

	if (atomic_exchange(&skew_s, new_skew_s) != new_skew_s)
		atomic_store(&skew_set_mono_ms, now_ms ? now_ms : 1);
}

int64_t clock_skew_s(void)
{
	return atomic_load(&skew_s);
}

bool clock_skew_is_set_within(uint64_t ms)
{
	uint64_t set_ms = atomic_load(&skew_set_mono_ms);

	return set_ms && clock_mono_ms() - set_ms < ms;
}

/* A UTC date and time, taken apart. Own arithmetic: gmtime and timegm know locales and leap tables,
 * strptime day names in the user's language; what servers send is none of these. */
struct civil {
	int64_t year;
	unsigned month, day, hour, minute, second; /* month and day from 1 */
};

static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char day_names[7][10] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
				       "Thursday", "Friday", "Saturday" };

/* Days since 1970-01-01 in the Gregorian calendar: years are counted from March, so that the leap day
 * ends a year and the months' lengths follow (153 m + 2) / 5. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * m + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static struct civil civil_of(int64_t wall_s)
{
	/* Formats have four digits for the year: what lies outside is shown as the first or last moment. */
	const int64_t first = days_of(1, 1, 1) * 86400, last = days_of(10000, 1, 1) * 86400 - 1;
	wall_s = wall_s < first ? first : wall_s > last ? last : wall_s;
	int64_t days = wall_s / 86400, seconds = wall_s % 86400;
	if (seconds < 0) {
		seconds += 86400;
		days--;
	}
	int64_t z = days + 719468; /* positive from year 1 on */
	int64_t era = z / 146097, day_of_era = z % 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t m = (5 * day_of_year + 2) / 153;
	struct civil c = {
		.year = era * 400 + year_of_era + (m >= 10),
		.month = (unsigned)(m < 10 ? m + 3 : m - 9),
		.day = (unsigned)(day_of_year - (153 * m + 2) / 5 + 1),
		.hour = (unsigned)(seconds / 3600),
		.minute = (unsigned)(seconds / 60 % 60),
		.second = (unsigned)(seconds % 60),
	};
	return c;
}

/* -EINVAL for what is no date. A leap second counts as the second after it. */
static int civil_to_s(const struct civil *c, int64_t *ret_s)
{
	static const unsigned char lengths[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	if (c->year < 1 || c->year > 9999 || c->month < 1 || c->month > 12 || c->day < 1)
		return -EINVAL;
	bool is_leap = c->year % 4 == 0 && (c->year % 100 != 0 || c->year % 400 == 0);
	if (c->day > lengths[c->month - 1] + (unsigned)(is_leap && c->month == 2))
		return -EINVAL;
	if (c->hour > 23 || c->minute > 59 || c->second > 60)
		return -EINVAL;
	*ret_s = days_of(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 +
		 c->second;
	return 0;
}

void clock_format_basic(int64_t wall_s, char ret[17])
{
	struct civil c = civil_of(wall_s);
	char text[64]; /* the compiler cannot see how small the numbers are */
	(void)snprintf(text, sizeof(text), "%04d%02u%02uT%02u%02u%02uZ", (int)c.year, c.month, c.day,
		       c.hour, c.minute, c.second);
	memcpy(ret, text, 16);
	ret[16] = '\0';
}

void clock_format_http(int64_t wall_s, char ret[30])
{
	struct civil c = civil_of(wall_s);
	int64_t weekday = (days_of(c.year, c.month, c.day) % 7 + 11) % 7; /* 1970 began on a Thursday */
	char text[80];
	(void)snprintf(text, sizeof(text), "%.3s, %02u %s %04d %02u:%02u:%02u GMT",
		       day_names[weekday], c.day, month_names[c.month - 1], (int)c.year, c.hour,
		       c.minute, c.second);
	memcpy(ret, text, 29);
	ret[29] = '\0';
}

void clock_format_iso8601(int64_t wall_ns, char ret[25])
{
	int64_t wall_s = wall_ns / NS_PER_S, rest_ns = wall_ns % NS_PER_S;
	if (rest_ns < 0) {
		rest_ns += NS_PER_S;
		wall_s--;
	}
	struct civil c = civil_of(wall_s);
	char text[80];
	(void)snprintf(text, sizeof(text), "%04d-%02u-%02uT%02u:%02u:%02u.%03dZ", (int)c.year,
		       c.month, c.day, c.hour, c.minute, c.second, (int)(rest_ns / 1000000));
	memcpy(ret, text, 24);
	ret[24] = '\0';
}

/* Each take_* moves *at on only when it succeeds. */
static bool take_digits(const char **at, unsigned digits, unsigned *ret)
{
	unsigned value = 0;
	for (unsigned i = 0; i < digits; i++) {
		char c = (*at)[i];
		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (unsigned)(c - '0');
	}
	*at += digits;
	*ret = value;
	return true;
}

static bool take_text(const char **at, const char *text)
{
	size_t len = strlen(text);
	if (strncmp(*at, text, len) != 0)
		return false;
	*at += len;
	return true;
}

static bool take_month(const char **at, unsigned *ret)
{
	for (unsigned i = 0; i < 12; i++) {
		if (take_text(at, month_names[i])) {
			*ret = i + 1;
			return true;
		}
	}
	return false;
}

static bool take_time(const char **at, struct civil *c)
{
	return take_digits(at, 2, &c->hour) && take_text(at, ":") && take_digits(at, 2, &c->minute) &&
	       take_text(at, ":") && take_digits(at, 2, &c->second);
}

/* A weekday, long or short; which one it is does not matter. */
static bool take_weekday(const char **at)
{
	for (size_t i = 0; i < 7; i++) {
		char three[4] = { day_names[i][0], day_names[i][1], day_names[i][2], '\0' };
		if (take_text(at, day_names[i]) || take_text(at, three))
			return true;
	}
	return false;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool take_asctime(const char **at, struct civil *c)
{
	unsigned year;
	if (!take_text(at, " ") || !take_month(at, &c->month) || !take_text(at, " "))
		return false;
	bool has_day = take_text(at, " ") ? take_digits(at, 1, &c->day) : take_digits(at, 2, &c->day);
	if (!has_day || !take_text(at, " ") || !take_time(at, c) || !take_text(at, " ") ||
	    !take_digits(at, 4, &year))
		return false;
	c->year = year;
	return true;
}

/* "06 Nov 1994 08:49:37 GMT" and "06-Nov-94 08:49:37 GMT", after "Sun, " */
static bool take_rfc_date(const char **at, struct civil *c)
{
	unsigned year;
	if (!take_digits(at, 2, &c->day))
		return false;
	const char *separator = **at == '-' ? "-" : " ";
	if (!take_text(at, separator) || !take_month(at, &c->month) || !take_text(at, separator))
		return false;
	if (!take_digits(at, 4, &year)) {
		if (!take_digits(at, 2, &year))
			return false;
		/* RFC 9110 5.6.7 wants "not more than 50 years ahead"; HTTP began in 1990. */
		year += year < 70 ? 2000 : 1900;
	}
	c->year = year;
	if (!take_text(at, " ") || !take_time(at, c))
		return false;
	return take_text(at, " GMT") || take_text(at, " UTC") || take_text(at, " +0000");
}

int clock_parse_http(const char *text, int64_t *ret_wall_s)
{
	/* Source: RFC 9110, section 5.6.7 (all three forms). */
	struct civil c = {0};
	if (!take_weekday(&text))
		return -EINVAL;
	bool is_date = take_text(&text, ", ") ? take_rfc_date(&text, &c) : take_asctime(&text, &c);
	if (!is_date || *text != '\0')
		return -EINVAL;
	int64_t wall_s;
	int r = civil_to_s(&c, &wall_s);
	/* Times are nanoseconds everywhere else: from 1677 to 2262. */
	if (r == 0 && (wall_s > INT64_MAX / (int64_t)NS_PER_S - 1 || wall_s < INT64_MIN / (int64_t)NS_PER_S + 1))
		r = -EINVAL;
	if (r == 0)
		*ret_wall_s = wall_s;
	return r;
}

int64_t clock_ns_of(struct timespec t)
{
	if (t.tv_sec > INT64_MAX / (int64_t)NS_PER_S - 1)
		return INT64_MAX;
	if (t.tv_sec < INT64_MIN / (int64_t)NS_PER_S + 1)
		return INT64_MIN;
	return t.tv_sec * (int64_t)NS_PER_S + t.tv_nsec;
}

/* "Z", "+hh:mm", "+hhmm", "+hh", or nothing, which means UTC. */
static bool take_zone(const char **at, int64_t *ret_offset_s)
{
	*ret_offset_s = 0;
	if (**at == '\0' || take_text(at, "Z") || take_text(at, "z"))
		return true;
	int sign = **at == '-' ? -1 : 1;
	unsigned hours, minutes = 0;
	if (!take_text(at, "+") && !take_text(at, "-"))
		return false;
	if (!take_digits(at, 2, &hours))
		return false;
	if (take_text(at, ":")) {
		if (!take_digits(at, 2, &minutes))
			return false;
	} else {
		(void)take_digits(at, 2, &minutes); /* may be left out */
	}
	if (hours > 23 || minutes > 59)
		return false;
	*ret_offset_s = sign * (int64_t)(hours * 3600 + minutes * 60);
	return true;
}

int clock_parse_iso8601(const char *text, int64_t *ret_wall_ns)
{
	struct civil c = {0};
	unsigned year;
	if (!take_digits(&text, 4, &year) || !take_text(&text, "-") ||
	    !take_digits(&text, 2, &c.month) || !take_text(&text, "-") ||
	    !take_digits(&text, 2, &c.day))
		return -EINVAL;
	c.year = year;
	if (!take_text(&text, "T") && !take_text(&text, "t") && !take_text(&text, " "))
		return -EINVAL;
	if (!take_time(&text, &c))
		return -EINVAL;
	int64_t fraction_ns = 0;
	if (take_text(&text, ".")) {
		int64_t weight = NS_PER_S / 10;
		unsigned digit;
		if (*text < '0' || *text > '9')
			return -EINVAL;
		for (; take_digits(&text, 1, &digit); weight /= 10)
			fraction_ns += digit * weight; /* beyond nanoseconds weight is 0 */
	}
	int64_t offset_s, wall_s, wall_ns;
	if (!take_zone(&text, &offset_s) || *text != '\0')
		return -EINVAL;
	int r = civil_to_s(&c, &wall_s);
	if (r < 0)
		return r;
	/* 64 bits of nanoseconds reach from 1677 to 2262. */
	if (__builtin_mul_overflow(wall_s - offset_s, NS_PER_S, &wall_ns) ||
	    __builtin_add_overflow(wall_ns, fraction_ns, &wall_ns))
		return -EINVAL;
	*ret_wall_ns = wall_ns;
	return 0;
}
