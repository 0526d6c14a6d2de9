#pragma once
/*
 * Purpose: percent-encoding and the taking apart of URLs.
 * Source: RFC 3986; AWS SigV4 wants exactly its unreserved set kept and upper-case hex.
 */
#include "backends/base/buf.h"

/* Encodes every byte outside A-Z a-z 0-9 - . _ ~ (and '/' where keep_slash). */
enum url_slash { URL_KEEP_SLASH, URL_ENCODE_SLASH };
int url_encode(struct str raw, enum url_slash slash, struct buf *out) MUST_CHECK;
/* Decodes %XX (and '+' as it stands); -EINVAL for a broken escape. */
int url_decode(struct str text, struct buf *out) MUST_CHECK;

struct url { /* views into the parsed text */
	struct str scheme, host, port, path, query;
};
/* http and https only, no user info, no fragment, no control bytes; ERR_INVALID otherwise. The host of "[::1]" keeps its brackets. */
int url_parse(struct str text, struct url *ret, struct error *err) MUST_CHECK;
/* Whether the host is an IP address, localhost or *.localhost. */
bool url_host_is_local_or_ip(struct str host);
bool url_host_is_loopback(struct str host);
/* Loopback, or an address that is valid on this link only (RFC 3927, RFC 4291), among them the metadata services of all clouds; and
 * Amazon's in IPv6, fd00:ec2::/32. No proxy can reach those, and none may see what is asked of them. */
bool url_host_is_link_local(struct str host);
