#include "backends/http/url.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static bool is_unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int url_encode(struct str raw, enum url_slash slash, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t old_len = out->len;
	int r = buf_reserve(out, raw.len);

	for (size_t i = 0; r == 0 && i < raw.len; i++) {
		unsigned char c = (unsigned char)raw.ptr[i];
		if (is_unreserved(c) || (c == '/' && slash == URL_KEEP_SLASH)) {
			r = buf_addc(out, (char)c);
		} else {
			char escape[3] = { '%', hex[c >> 4], hex[c & 15] };
			r = buf_add(out, escape, sizeof(escape));
		}
	}
	if (r < 0 && out->data) {
		out->len = old_len;
		out->data[old_len] = '\0';
	}
	return r;
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int url_decode(struct str text, struct buf *out)
{
	size_t old_len = out->len;
	int r = 0;

	for (size_t i = 0; r == 0 && i < text.len; i++) {
		if (text.ptr[i] != '%') {
			r = buf_addc(out, text.ptr[i]);
			continue;
		}
		int high = i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
		int low = high >= 0 ? hex_value(text.ptr[i + 2]) : -1;
		if (low < 0) {
			r = -EINVAL;
			break;
		}
		r = buf_addc(out, (char)(high << 4 | low));
		i += 2;
	}
	if (r < 0 && out->data) {
		out->len = old_len;
		out->data[old_len] = '\0';
	}
	return r;
}

/* The text of a numeric address, without brackets, in a size inet_pton can take. */
static bool copy_address(struct str host, char ret[64])
{
	if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
		host.ptr++;
		host.len -= 2;
	}
	if (host.len == 0 || host.len >= 64)
		return false;
	memcpy(ret, host.ptr, host.len);
	ret[host.len] = '\0';
	return true;
}

static bool is_localhost_name(struct str host)
{
	static const char dotted[] = ".localhost";
	struct str tail = host;

	if (str_equal_nocase(host, STR("localhost")))
		return true;
	if (host.len <= sizeof(dotted) - 1)
		return false;
	tail.ptr += host.len - (sizeof(dotted) - 1);
	tail.len = sizeof(dotted) - 1;
	return str_equal_nocase(tail, STR(".localhost"));
}

bool url_host_is_local_or_ip(struct str host)
{
	char text[64];
	struct in_addr v4;
	struct in6_addr v6;

	if (is_localhost_name(host))
		return true;
	return copy_address(host, text) &&
	       (inet_pton(AF_INET, text, &v4) == 1 || inet_pton(AF_INET6, text, &v6) == 1);
}

bool url_host_is_loopback(struct str host)
{
	char text[64];
	struct in_addr v4;
	struct in6_addr v6;

	if (is_localhost_name(host))
		return true;
	if (!copy_address(host, text))
		return false;
	if (inet_pton(AF_INET, text, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return false;
	return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

bool url_host_is_link_local(struct str host)
{
	static const unsigned char amazon[] = { 0xfd, 0x00, 0x0e, 0xc2 };
	char text[64];
	struct in_addr v4;
	struct in6_addr v6;

	if (url_host_is_loopback(host))
		return true;
	if (!copy_address(host, text))
		return false;
	if (inet_pton(AF_INET, text, &v4) == 1)
		return ntohl(v4.s_addr) >> 16 == (169u << 8 | 254);
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&v6))
		return v6.s6_addr[12] == 169 && v6.s6_addr[13] == 254;
	return IN6_IS_ADDR_LINKLOCAL(&v6) || memcmp(v6.s6_addr, amazon, sizeof(amazon)) == 0;
}

static int check_bytes(struct str text, struct error *err)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c <= 0x20 || c >= 0x7f)
			return error_set(err, ERR_INVALID,
					 "a URL holds a space, control or non-ASCII byte");
		if (c == '#')
			return error_set(err, ERR_INVALID,
					 "a URL with a fragment ('#') cannot be used");
	}
	return 0;
}

static int check_host(struct str host, struct error *err)
{
	char text[64];
	struct in6_addr v6;

	if (host.len == 0)
		return error_set(err, ERR_INVALID, "a URL without a host");
	if (host.len > 253)
		return error_set(err, ERR_INVALID, "the host of a URL is too long");
	if (host.ptr[0] == '[') {
		if (!copy_address(host, text) || inet_pton(AF_INET6, text, &v6) != 1)
			return error_set(err, ERR_INVALID, "a URL with a broken IPv6 address");
		return 0;
	}
	for (size_t i = 0; i < host.len; i++) {
		unsigned char c = (unsigned char)host.ptr[i];
		if (!is_unreserved(c) || c == '~')
			return error_set(err, ERR_INVALID,
					 "the host of a URL holds a forbidden byte");
	}
	return 0;
}

static int check_port(struct str port, struct error *err)
{
	uint64_t number = 0;

	if (str_to_u64(port, &number) < 0 || number == 0 || number > 65535)
		return error_set(err, ERR_INVALID,
				 "the port of a URL is no number from 1 to 65535");
	return 0;
}

/* Takes "host", "host:port", "[v6]" or "[v6]:port" apart. */
static int parse_authority(struct str authority, struct url *url, struct error *err)
{
	size_t host_len = 0;
	int r;

	/* The authority itself is not quoted in messages: user info may hold a password. */
	if (memchr(authority.ptr, '@', authority.len))
		return error_set(err, ERR_INVALID,
				 "a URL with a user name or password cannot be used");
	if (authority.len > 0 && authority.ptr[0] == '[') {
		const char *end = memchr(authority.ptr, ']', authority.len);
		if (!end)
			return error_set(err, ERR_INVALID, "a URL with a broken IPv6 address");
		host_len = (size_t)(end - authority.ptr) + 1;
	} else {
		const char *colon = memchr(authority.ptr, ':', authority.len);
		host_len = colon ? (size_t)(colon - authority.ptr) : authority.len;
	}
	url->host = (struct str){ authority.ptr, host_len };
	r = check_host(url->host, err);
	if (r < 0 || host_len == authority.len)
		return r;
	if (authority.ptr[host_len] != ':')
		return error_set(err, ERR_INVALID, "something follows the host of a URL");
	url->port = (struct str){ authority.ptr + host_len + 1, authority.len - host_len - 1 };
	return check_port(url->port, err);
}

int url_parse(struct str text, struct url *ret, struct error *err)
{
	struct url url = { 0 };
	struct str rest = text, authority;
	size_t end = 0;
	int r;

	if (text.len > 8192)
		return error_set(err, ERR_INVALID, "a URL of over 8192 bytes");
	r = check_bytes(text, err);
	if (r < 0)
		return r;
	for (const char *const *scheme = (const char *const[]){ "https://", "http://", NULL };
	     *scheme; scheme++) {
		size_t len = strlen(*scheme);
		if (rest.len >= len &&
		    str_equal_nocase((struct str){ rest.ptr, len }, str_of(*scheme))) {
			url.scheme = (struct str){ rest.ptr, len - 3 };
			rest.ptr += len;
			rest.len -= len;
			break;
		}
	}
	if (!url.scheme.ptr)
		return error_set(err, ERR_INVALID, "a URL must begin with http:// or https://");
	while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
		end++;
	authority = (struct str){ rest.ptr, end };
	r = parse_authority(authority, &url, err);
	if (r < 0)
		return r;
	url.path = (struct str){ rest.ptr + end, rest.len - end };
	const char *mark = url.path.len ? memchr(url.path.ptr, '?', url.path.len) : NULL;
	if (mark) {
		url.query.ptr = mark + 1;
		url.query.len = url.path.len - (size_t)(mark + 1 - url.path.ptr);
		url.path.len = (size_t)(mark - url.path.ptr);
	}
	*ret = url;
	return 0;
}
