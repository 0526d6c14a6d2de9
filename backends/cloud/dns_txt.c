/*
 * The text of TXT records: bytes, one spelling, quoted strings of 255 bytes.
 */
#include "backends/cloud/dns_check.h"

#include <ctype.h>

#define STRING_MAX 255

static int too_long(struct error *err)
{
	return error_set(err, ERR_INVALID, "the text of a TXT record is longer than %d bytes", DNS_TXT_MAX);
}

/* One escape behind the backslash: three digits, or a character that stands for itself. The bytes read, 0: none. */
static size_t read_escape(const char *at, enum dns_escape escape, unsigned char *ret)
{
	int base = escape == DNS_ESCAPE_OCTAL ? 8 : 10, value = 0;

	if (!*at)
		return 0;
	if (!isdigit((unsigned char)*at)) {
		*ret = (unsigned char)*at;
		return 1;
	}
	for (int i = 0; i < 3; i++) {
		if (!isdigit((unsigned char)at[i]) || at[i] - '0' >= base)
			return 0;
		value = value * base + (at[i] - '0');
	}
	*ret = (unsigned char)value;
	return value > 255 ? 0 : 3;
}

/* One quoted string, *at on its quote; *at is moved behind its end. */
static int read_quoted(const char **at, enum dns_escape escape, struct buf *ret, struct error *err)
{
	const char *p = *at + 1;

	while (*p && *p != '"') {
		unsigned char c = (unsigned char)*p;
		size_t n = 1;

		if (c == '\\') {
			n = read_escape(p + 1, escape, &c);
			if (!n)
				return error_set(err, ERR_INVALID, "a quoted text has a '\\' that escapes nothing");
			n++;
		}
		if (buf_addc(ret, (char)c) < 0)
			return too_long(err);
		p += n;
	}
	if (!*p)
		return error_set(err, ERR_INVALID, "a quoted text has no end");
	*at = p + 1;
	return 0;
}

static int read_strings(const char *text, enum dns_escape escape, struct buf *ret, struct error *err)
{
	const char *at = text;

	while (*at) {
		int r;

		if (*at != '"')
			return error_set(err, ERR_INVALID, "a quoted text is followed by something that is not quoted");
		r = read_quoted(&at, escape, ret, err);
		if (r < 0)
			return r;
		while (*at == ' ' || *at == '\t')
			at++;
	}
	return 0;
}

int dns_txt_bytes(const char *value, struct buf *ret, struct error *err)
{
	if (value[0] == '"')
		return read_strings(value, DNS_ESCAPE_DECIMAL, ret, err);
	return buf_adds(ret, value) < 0 ? too_long(err) : 0;
}

static bool is_plain(struct str s)
{
	if (!s.len || s.ptr[0] == '"' || s.ptr[0] == ' ' || s.ptr[s.len - 1] == ' ')
		return false;
	while (s.len) {
		size_t n = str_utf8_char(s);

		if (!n || (unsigned char)s.ptr[0] < 0x20 || s.ptr[0] == 0x7f)
			return false;
		s.ptr += n;
		s.len -= n;
	}
	return true;
}

static int add_quoted(struct buf *out, struct str s, enum dns_escape escape)
{
	int r = buf_addc(out, '"');

	for (size_t i = 0; i < s.len && r == 0; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c == '"' || c == '\\')
			r = buf_addf(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			r = buf_addf(out, escape == DNS_ESCAPE_OCTAL ? "\\%03o" : "\\%03u", c);
		else
			r = buf_addc(out, (char)c);
	}
	return r == 0 ? buf_addc(out, '"') : r;
}

int dns_txt_value(struct str bytes, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(4 * DNS_TXT_MAX + 16);

	if (bytes.len > DNS_TXT_MAX)
		return too_long(err);
	if ((is_plain(bytes) ? buf_add_str(&out, bytes) : add_quoted(&out, bytes, DNS_ESCAPE_DECIMAL)) < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	*ret = buf_detach(&out);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static size_t written_len(unsigned char c)
{
	return c == '"' || c == '\\' ? 2 : c < 0x20 || c >= 0x7f ? 4 : 1;
}

/* How many bytes the next string takes. */
static size_t string_len(struct str rest, enum dns_escape escape)
{
	size_t n = 0, written = 2; /* its quotes */

	if (escape != DNS_ESCAPE_SHORT)
		return rest.len < STRING_MAX ? rest.len : STRING_MAX;
	while (n < rest.len && written + written_len((unsigned char)rest.ptr[n]) <= STRING_MAX)
		written += written_len((unsigned char)rest.ptr[n++]);
	return n;
}

int dns_txt_quote(const char *value, enum dns_escape escape, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf bytes = BUF_INIT(DNS_TXT_MAX), out = BUF_INIT(5 * DNS_TXT_MAX);
	int r = dns_txt_bytes(value, &bytes, err);

	if (r < 0)
		return r;
	for (size_t at = 0, n; (at < bytes.len || at == 0) && r == 0; at += n) {
		struct str rest = { buf_cstr(&bytes) + at, bytes.len - at };

		n = string_len(rest, escape);
		if (at)
			r = buf_addc(&out, ' ');
		if (r == 0)
			r = add_quoted(&out, (struct str){ rest.ptr, n }, escape);
		if (!n) /* an empty value */
			break;
	}
	*ret = r == 0 ? buf_detach(&out) : NULL;
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

int dns_txt_unquote(const char *theirs, enum dns_escape escape, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf bytes = BUF_INIT(DNS_TXT_MAX);
	int r;

	if (theirs[0] == '"')
		r = read_strings(theirs, escape, &bytes, err);
	else
		r = buf_adds(&bytes, theirs) < 0 ? too_long(err) : 0;
	return r < 0 ? r : dns_txt_value(buf_str(&bytes), ret, err);
}

int dns_string(struct str word, struct buf *out)
{
	CLEANUP(buf_release) struct buf bytes = BUF_INIT(STRING_MAX);
	bool has_quotes = word.len >= 2 && word.ptr[0] == '"' && word.ptr[word.len - 1] == '"';
	CLEANUP(freep) char *inner = str_dup(has_quotes ? (struct str){ word.ptr + 1, word.len - 2 } : word);

	if (!inner)
		return -ENOMEM;
	for (const char *p = inner; *p;) {
		unsigned char c = (unsigned char)*p++;
		size_t n = c == '\\' ? read_escape(p, DNS_ESCAPE_DECIMAL, &c) : 0;

		if (p[-1] == '"' || (p[-1] == '\\' && !n) || buf_addc(&bytes, (char)c) < 0)
			return -EINVAL;
		p += n;
	}
	return add_quoted(out, buf_str(&bytes), DNS_ESCAPE_DECIMAL);
}
