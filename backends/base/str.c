/* The functions of struct str, declared in buf.h. */
#include "backends/base/buf.h"
#include <assert.h>
#include <stdio.h>

bool str_equal(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; /* no locale: names are ASCII */
}

bool str_equal_nocase(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.ptr[i]) != lower(b.ptr[i]))
			return false;
	return true;
}

bool str_starts(struct str s, const char *prefix)
{
	size_t len = strlen(prefix);
	return s.len >= len && (len == 0 || memcmp(s.ptr, prefix, len) == 0);
}

bool str_ends(struct str s, const char *suffix)
{
	size_t len = strlen(suffix);
	return s.len >= len && (len == 0 || memcmp(s.ptr + s.len - len, suffix, len) == 0);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
	while (s.len > 0 && is_space(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

struct str str_split(struct str *rest, char separator)
{
	struct str whole = *rest;
	if (!whole.ptr)
		return whole;
	const char *at = whole.len > 0 ? memchr(whole.ptr, separator, whole.len) : NULL;
	if (!at) {
		*rest = (struct str){ NULL, 0 };
		return whole;
	}
	size_t len = (size_t)(at - whole.ptr);
	*rest = (struct str){ at + 1, whole.len - len - 1 };
	return (struct str){ whole.ptr, len };
}

int str_to_u64(struct str s, uint64_t *ret)
{
	if (s.len == 0)
		return -EINVAL;
	uint64_t value = 0;
	bool has_overflow = false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return -EINVAL;
		uint64_t digit = (uint64_t)(s.ptr[i] - '0');
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			has_overflow = true; /* go on: "99...9x" is not a number at all */
	}
	if (has_overflow)
		return -ERANGE;
	*ret = value;
	return 0;
}

int str_to_i64(struct str s, int64_t *ret)
{
	bool is_negative = s.len > 0 && s.ptr[0] == '-';
	if (is_negative || (s.len > 0 && s.ptr[0] == '+')) {
		s.ptr++;
		s.len--;
	}
	uint64_t magnitude;
	int r = str_to_u64(s, &magnitude);
	if (r < 0)
		return r;
	if (magnitude > (uint64_t)INT64_MAX + is_negative)
		return -ERANGE;
	*ret = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return 0;
}

/* "12.5" as a whole number and a fraction in millionths; the rest of s follows the number. */
static int take_decimal(struct str *s, uint64_t *ret_whole, uint64_t *ret_millionths)
{
	size_t digits = 0;
	while (digits < s->len && s->ptr[digits] >= '0' && s->ptr[digits] <= '9')
		digits++;
	int r = str_to_u64((struct str){ s->ptr, digits }, ret_whole);
	if (r < 0)
		return r;
	s->ptr += digits;
	s->len -= digits;
	*ret_millionths = 0;
	if (s->len == 0 || s->ptr[0] != '.')
		return 0;
	size_t i = 1;
	uint64_t weight = 100000;
	for (; i < s->len && s->ptr[i] >= '0' && s->ptr[i] <= '9'; i++) {
		*ret_millionths += (uint64_t)(s->ptr[i] - '0') * weight;
		weight /= 10;
	}
	if (i == 1)
		return -EINVAL; /* a point with nothing after it */
	s->ptr += i;
	s->len -= i;
	return 0;
}

static int scale(uint64_t whole, uint64_t millionths, uint64_t unit, uint64_t *ret)
{
	uint64_t value;
	if (__builtin_mul_overflow(whole, unit, &value))
		return -ERANGE;
	/* unit is at most 2^60: split it so that the product stays within 64 bits. */
	uint64_t fraction = unit / 1000000 * millionths + unit % 1000000 * millionths / 1000000;
	if (__builtin_add_overflow(value, fraction, &value))
		return -ERANGE;
	*ret = value;
	return 0;
}

int str_to_size(struct str s, uint64_t *ret_bytes)
{
	static const char units[] = "KMGTPE";
	uint64_t whole, millionths;
	int r = take_decimal(&s, &whole, &millionths);
	if (r < 0)
		return r;
	uint64_t unit = 1;
	if (s.len > 0) {
		char c = lower(s.ptr[0]) == s.ptr[0] ? (char)(s.ptr[0] - 'a' + 'A') : s.ptr[0];
		const char *at = c > 0 ? strchr(units, c) : NULL;
		if (at && *at) {
			unit = UINT64_C(1) << (10 * (unsigned)(at - units + 1));
			s.ptr++;
			s.len--;
			if (str_equal_nocase(s, STR("ib")))
				s.len = 0; /* "GiB" and "GB" are what people write for "G" */
		}
		if (str_equal_nocase(s, STR("b")))
			s.len = 0;
	}
	if (s.len > 0 || (unit == 1 && millionths > 0))
		return -EINVAL;
	return scale(whole, millionths, unit, ret_bytes);
}

int str_to_duration(struct str s, uint64_t *ret_ms)
{
	static const struct {
		struct str name;
		uint64_t ms;
	} units[] = {
		{ { "", 0 }, 1000 },	{ { "ms", 2 }, 1 },	   { { "s", 1 }, 1000 },
		{ { "m", 1 }, 60000 },	{ { "min", 3 }, 60000 }, { { "h", 1 }, 3600000 },
		{ { "d", 1 }, 86400000 },
	};
	uint64_t whole, millionths;
	int r = take_decimal(&s, &whole, &millionths);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (str_equal(s, units[i].name))
			return scale(whole, millionths, units[i].ms, ret_ms);
	return -EINVAL;
}

int str_to_bool(struct str s, bool *ret)
{
	static const char *const words[][4] = { { "no", "false", "off", "0" },
						{ "yes", "true", "on", "1" } };
	for (int value = 0; value < 2; value++) {
		for (size_t i = 0; i < ARRAY_SIZE(words[0]); i++) {
			if (str_equal_nocase(s, str_of(words[value][i]))) {
				*ret = value == 1;
				return 0;
			}
		}
	}
	return -EINVAL;
}

size_t str_utf8_char(struct str s)
{
	if (s.len == 0)
		return 0;
	/* Source: RFC 3629, section 4. The second byte's range hangs on the first. */
	const unsigned char *p = (const unsigned char *)s.ptr;
	if (p[0] < 0x80)
		return 1;
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || s.len < len)
		return 0;
	unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

void str_show(const char *name, char *ret, size_t ret_size)
{
	size_t len = strlen(name), cut = len;

	assert(ret_size > 8);
	if (cut >= ret_size)
		for (cut = ret_size - 4; cut > 0 && ((unsigned char)name[cut] & 0xc0) == 0x80;)
			cut--;
	for (size_t i = 0; i < cut; i++)
		ret[i] = (unsigned char)name[i] < 0x20 || name[i] == 0x7f ? '?' : name[i];
	memcpy(ret + cut, cut < len ? "..." : "", cut < len ? 4 : 1);
}

char *str_dup(struct str s)
{
	char *copy = malloc(s.len + 1);
	if (!copy)
		return NULL;
	if (s.len > 0)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	return copy;
}

int str_copy(const char *text, char **ret, struct error *err)
{
	*ret = text && *text ? strdup(text) : NULL;
	return text && *text && !*ret ? error_no_memory(err) : 0;
}

char *str_format(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = NULL;
	int n = vasprintf(&text, format, args);
	va_end(args);
	return n < 0 ? NULL : text;
}
