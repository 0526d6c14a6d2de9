/* The text forms of bytes, declared in hash.h: hexadecimal (RFC 4648, 8) and base64 (RFC 4648, 4 and 5). */
#include "backends/base/hash.h"
#include <limits.h>

void hex_encode(const void *data, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;
	for (size_t i = 0; i < len; i++) {
		ret[2 * i] = digits[p[i] >> 4];
		ret[2 * i + 1] = digits[p[i] & 15];
	}
	ret[2 * len] = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(struct str text, unsigned char *ret, size_t ret_size)
{
	if (text.len % 2 != 0 || text.len / 2 > ret_size || text.len / 2 > INT_MAX)
		return -EINVAL;
	for (size_t i = 0; i < text.len / 2; i++) {
		int high = hex_value(text.ptr[2 * i]), low = hex_value(text.ptr[2 * i + 1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		ret[i] = (unsigned char)(high << 4 | low);
	}
	return (int)(text.len / 2);
}

int base64_encode(const void *data, size_t len, struct buf *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = data;
	if (len > SIZE_MAX / 4)
		return -EFBIG;
	size_t text_len = (len + 2) / 3 * 4;
	int r = buf_reserve(out, text_len);
	if (r < 0)
		return r;
	char *to = out->data + out->len;
	for (size_t i = 0; i < len; i += 3, to += 4) {
		size_t n = len - i < 3 ? len - i : 3;
		unsigned v = (unsigned)p[i] << 16 | (n > 1 ? (unsigned)p[i + 1] << 8 : 0) |
			     (n > 2 ? p[i + 2] : 0u);
		to[0] = digits[v >> 18];
		to[1] = digits[v >> 12 & 63];
		to[2] = n > 1 ? digits[v >> 6 & 63] : '=';
		to[3] = n > 2 ? digits[v & 63] : '=';
	}
	out->len += text_len;
	out->data[out->len] = '\0';
	return 0;
}

int base64url_encode(const void *data, size_t len, struct buf *out)
{
	size_t start = out->len;
	int r = base64_encode(data, len, out);

	if (r < 0)
		return r;
	while (out->len > start && out->data[out->len - 1] == '=')
		out->data[--out->len] = '\0';
	for (size_t i = start; i < out->len; i++)
		if (out->data[i] == '+' || out->data[i] == '/')
			out->data[i] = out->data[i] == '+' ? '-' : '_';
	return 0;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

int base64_decode(struct str text, struct buf *out)
{
	size_t len = text.len;
	if (len > 0 && len % 4 == 0 && text.ptr[len - 1] == '=')
		len -= text.ptr[len - 2] == '=' ? 2 : 1;
	if (len % 4 == 1)
		return -EINVAL;
	size_t old_len = out->len;
	int r = buf_reserve(out, len / 4 * 3 + len % 4 * 3 / 4);
	if (r < 0)
		return r;
	unsigned v = 0;
	for (size_t i = 0; i < len; i++) {
		int digit = base64_value(text.ptr[i]);
		if (digit < 0)
			goto bad;
		v = (v << 6 | (unsigned)digit) & 0xffffff;
		if (i % 4 == 1)
			out->data[out->len++] = (char)(v >> 4);
		else if (i % 4 == 2)
			out->data[out->len++] = (char)(v >> 2);
		else if (i % 4 == 3)
			out->data[out->len++] = (char)v;
	}
	/* Bits beyond the last byte must be 0, else two texts would stand for the same bytes. */
	if ((len % 4 == 2 && (v & 15)) || (len % 4 == 3 && (v & 3)))
		goto bad;
	out->data[out->len] = '\0';
	return 0;
bad:
	out->len = old_len;
	out->data[old_len] = '\0';
	return -EINVAL;
}
