#include "backends/base/decimal.h"

#include <ctype.h>
#include <errno.h>

static __int128 power_of_ten(unsigned n)
{
	__int128 p = 1;

	while (n--)
		p *= 10;
	return p;
}

static unsigned digits_of(__int128 units)
{
	unsigned n = 0;

	for (; units; units /= 10)
		n++;
	return n;
}

/* Zeros at the end say nothing. */
static void normalise(struct decimal *d)
{
	while (d->scale && d->units % 10 == 0) {
		d->units /= 10;
		d->scale--;
	}
	if (!d->units)
		d->scale = 0;
}

/* The digits of "12.50" into *d; *at: behind them. */
static int read_digits(struct str text, size_t *at, struct decimal *d)
{
	bool has_digit = false, is_behind = false;

	for (; *at < text.len && (isdigit((unsigned char)text.ptr[*at]) || text.ptr[*at] == '.'); (*at)++) {
		if (text.ptr[*at] == '.') {
			if (is_behind || !has_digit)
				return -EINVAL;
			is_behind = true;
			continue;
		}
		has_digit = true;
		if (digits_of(d->units) >= DECIMAL_DIGITS || d->scale >= DECIMAL_DIGITS) {
			if (is_behind && text.ptr[*at] == '0')
				continue;
			return -ERANGE;
		}
		d->units = d->units * 10 + (text.ptr[*at] - '0');
		d->scale += is_behind;
	}
	return has_digit && text.ptr[*at - 1] != '.' ? 0 : -EINVAL;
}

static int apply_exponent(struct decimal *d, int64_t exponent)
{
	normalise(d);
	if (!d->units)
		return 0;
	if (exponent > DECIMAL_DIGITS * 2 || exponent < -DECIMAL_DIGITS * 2)
		return -ERANGE;
	while (exponent > 0 && d->scale) {
		d->scale--;
		exponent--;
	}
	if (exponent > 0) {
		if (digits_of(d->units) + (uint64_t)exponent > DECIMAL_DIGITS)
			return -ERANGE;
		d->units *= power_of_ten((unsigned)exponent);
	} else {
		if (d->scale + (uint64_t)-exponent > DECIMAL_DIGITS)
			return -ERANGE;
		d->scale += (unsigned)-exponent;
	}
	return 0;
}

int decimal_parse(struct str text, struct decimal *ret)
{
	struct decimal d = DECIMAL_ZERO;
	bool is_negative = text.len && text.ptr[0] == '-';
	size_t at = is_negative;
	int64_t exponent = 0;
	int r = read_digits(text, &at, &d);

	if (r == 0 && at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
		struct str rest = { text.ptr + at + 1, text.len - at - 1 };

		if (rest.len && *rest.ptr == '+')
			rest = (struct str){ rest.ptr + 1, rest.len - 1 };
		r = rest.len && rest.len < 8 && str_to_i64(rest, &exponent) == 0 ? 0 : -EINVAL;
		at = text.len;
	}
	if (r == 0 && at < text.len)
		r = -EINVAL;
	if (r == 0)
		r = apply_exponent(&d, exponent);
	if (r < 0)
		return r;
	normalise(&d);
	if (is_negative)
		d.units = -d.units;
	*ret = d;
	return 0;
}

static int widen(struct decimal *d, unsigned scale)
{
	if (digits_of(d->units) + (scale - d->scale) > DECIMAL_DIGITS)
		return -ERANGE;
	d->units *= power_of_ten(scale - d->scale);
	d->scale = scale;
	return 0;
}

int decimal_add(struct decimal *sum, const struct decimal *more)
{
	struct decimal a = *sum, b = *more;
	unsigned scale = a.scale > b.scale ? a.scale : b.scale;
	int r = widen(&a, scale);

	if (r == 0)
		r = widen(&b, scale);
	if (r < 0)
		return r;
	a.units += b.units; /* of 36 digits each: it fits */
	normalise(&a);
	if (digits_of(a.units) > DECIMAL_DIGITS)
		return -ERANGE;
	*sum = a;
	return 0;
}

int decimal_times(struct decimal *d, int64_t n)
{
	struct decimal made = *d;

	if (digits_of(d->units) + digits_of(n) > DECIMAL_DIGITS)
		return -ERANGE;
	made.units *= n;
	normalise(&made);
	*d = made;
	return 0;
}

void decimal_format(const struct decimal *d, unsigned least, char ret[DECIMAL_TEXT_MAX])
{
	char digits[DECIMAL_TEXT_MAX];
	__int128 units = d->units < 0 ? -d->units : d->units;
	unsigned scale = d->scale, n = 0, len = 0;

	for (; scale < least && digits_of(units) < DECIMAL_DIGITS; scale++)
		units *= 10;
	for (; units || n <= scale; units /= 10) /* backwards, with a digit before the point at least */
		digits[n++] = (char)('0' + (int)(units % 10));
	if (d->units < 0)
		ret[len++] = '-';
	while (n) {
		if (n == scale)
			ret[len++] = '.';
		ret[len++] = digits[--n];
	}
	ret[len] = '\0';
}
