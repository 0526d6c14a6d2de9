/*
 * Keys and blob names, names of metadata and identifiers: pure, and each way undoes the other.
 *
 * The service turns '\' into '/', drops a '.' at the end of a segment, and refuses control characters and what is no
 * UTF-8. Such a key would be another blob or none; so each of these stands in the name as a look-alike, the way rclone
 * writes them, and a key that holds a look-alike itself gets a mark before it:
 *
 *	byte 0x01..0x1f	U+2401..U+241F		'\'		U+FF3C
 *	0x7f		U+2421			last '.'	U+FF0E
 *	no UTF-8	U+201B and two hex digits	a look-alike	U+201B and itself
 *
 * A U+201B that nothing could mistake for such a mark stays as it is: names of other tools are found again.
 *
 * Source: rclone.org/overview/#encoding (2026-11), learn.microsoft.com/rest/api/storageservices/
 * naming-and-referencing-containers--blobs--and-metadata (2026-11).
 */
#include "backends/azure/blob_private.h"
#include <ctype.h>

#define MARK	"\xe2\x80\x9b" /* U+201B */
#define CONTROL "\xe2\x90"	/* U+2400 and more: one byte follows */
#define DELETED "\xe2\x90\xa1"
#define REVERSE "\xef\xbc\xbc" /* U+FF3C */
#define DOT	"\xef\xbc\x8e" /* U+FF0E */

static bool is_at(struct str s, const char *sequence)
{
	return str_starts(s, sequence);
}

static bool ends_segment(struct str s, size_t taken)
{
	return s.len == taken || s.ptr[taken] == '/';
}

/* Whether s begins with a character that stands for another one (of three bytes, each of them). */
static bool is_look_alike(struct str s)
{
	if (is_at(s, MARK) || is_at(s, REVERSE) || is_at(s, DELETED))
		return true;
	if (is_at(s, CONTROL) && s.len >= 3 && (unsigned char)s.ptr[2] > 0x80 &&
	    (unsigned char)s.ptr[2] < 0xa0)
		return true;
	return is_at(s, DOT) && ends_segment(s, 3);
}

/* Two digits as encode_one writes them for a byte that is no UTF-8. */
static bool is_byte(struct str s, unsigned char *ret)
{
	return s.len >= 2 && !islower((unsigned char)s.ptr[0]) && !islower((unsigned char)s.ptr[1]) &&
	       hex_decode((struct str){ s.ptr, 2 }, ret, 1) == 1 && *ret >= 0x80;
}

/* Whether a mark before this would be read as one. */
static bool wants_mark(struct str next)
{
	unsigned char c = next.len ? (unsigned char)next.ptr[0] : 'x', unused;

	return c < 0x20 || c == 0x7f || c == '\\' || (c == '.' && ends_segment(next, 1)) ||
	       (next.len && str_utf8_char(next) == 0) || is_look_alike(next) || is_byte(next, &unused);
}

static int encode_one(struct str s, size_t *ret_taken, struct buf *ret)
{
	unsigned char c = (unsigned char)s.ptr[0];
	size_t len = str_utf8_char(s);
	int r;

	*ret_taken = 1;
	if (c < 0x20)
		return buf_addf(ret, CONTROL "%c", (char)(0x80 + c));
	if (c == 0x7f)
		return buf_adds(ret, DELETED);
	if (c == '\\')
		return buf_adds(ret, REVERSE);
	if (c == '.' && ends_segment(s, 1))
		return buf_adds(ret, DOT);
	if (len == 0)
		return buf_addf(ret, MARK "%02X", c);
	*ret_taken = len;
	r = is_at(s, MARK)     ? wants_mark((struct str){ s.ptr + 3, s.len - 3 }) ? buf_adds(ret, MARK) : 0
	    : is_look_alike(s) ? buf_adds(ret, MARK)
			       : 0;
	return r < 0 ? r : buf_add(ret, s.ptr, len);
}

int az_name_encode(struct str key, struct buf *ret)
{
	int r = 0;

	while (r == 0 && key.len) {
		size_t taken = 0;

		r = encode_one(key, &taken, ret);
		key = (struct str){ key.ptr + taken, key.len - taken };
	}
	return r;
}

static int decode_mark(struct str s, size_t *ret_taken, struct buf *ret)
{
	struct str rest = { s.ptr + 3, s.len - 3 };
	unsigned char byte;

	if (is_look_alike(rest)) {
		*ret_taken = 6;
		return buf_add(ret, rest.ptr, 3);
	}
	if (is_byte(rest, &byte)) {
		*ret_taken = 5;
		return buf_addc(ret, (char)byte);
	}
	*ret_taken = 3;
	return buf_add(ret, s.ptr, 3);
}

static int decode_one(struct str s, size_t *ret_taken, struct buf *ret)
{
	size_t len;

	*ret_taken = 3;
	if (is_at(s, MARK))
		return decode_mark(s, ret_taken, ret);
	if (is_look_alike(s)) {
		if (is_at(s, REVERSE))
			return buf_addc(ret, '\\');
		if (is_at(s, DELETED))
			return buf_addc(ret, 0x7f);
		if (is_at(s, DOT))
			return buf_addc(ret, '.');
		return buf_addc(ret, (char)((unsigned char)s.ptr[2] - 0x80));
	}
	len = str_utf8_char(s);
	*ret_taken = len ? len : 1;
	return buf_add(ret, s.ptr, *ret_taken);
}

int az_name_decode(struct str name, struct buf *ret)
{
	int r = 0;

	while (r == 0 && name.len) {
		size_t taken = 0;

		r = decode_one(name, &taken, ret);
		name = (struct str){ name.ptr + taken, name.len - taken };
	}
	return r;
}

static bool is_identifier(unsigned char c, bool is_first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!is_first && c >= '0' && c <= '9');
}

/* "__2d" as it stands for '-'. */
static bool escape_at(const char *text, size_t left, unsigned char *ret)
{
	return left >= 4 && text[0] == '_' && text[1] == '_' &&
	       hex_decode((struct str){ text + 2, 2 }, ret, 1) == 1 && *ret > 0x20 && *ret < 0x7f;
}

int az_meta_name_encode(const char *name, struct buf *ret)
{
	size_t len = strlen(name);
	int r = len ? 0 : -EINVAL;

	for (size_t i = 0; r == 0 && i < len; i++) {
		unsigned char c = (unsigned char)name[i], unused;
		bool is_plain = is_identifier(c, i == 0) && !escape_at(name + i, len - i, &unused);

		if (c <= 0x20 || c >= 0x7f)
			return -EINVAL;
		r = is_plain ? buf_addc(ret, (char)c) : buf_addf(ret, "__%02x", c);
	}
	return r;
}

int az_meta_name_decode(struct str name, struct buf *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < name.len;) {
		unsigned char c;

		if (escape_at(name.ptr + i, name.len - i, &c)) {
			i += 4;
		} else {
			c = (unsigned char)name.ptr[i];
			i++;
		}
		r = buf_addc(ret, (char)tolower(c));
	}
	return r;
}
