#include "wire.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define NO_LENGTH UINT64_MAX

void wire_conn_close(struct wire_conn *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	c->start = c->end = 0;
}

static bool fail(struct wire_conn *c, struct wire_request *r, const char *what)
{
	(void)snprintf(r->problem, sizeof(r->problem), "%s%s%.40s", what, errno ? ": " : "", errno ? strerror(errno) : "");
	r->status = 0;
	wire_conn_close(c);
	return false;
}

static bool conn_open(struct wire_conn *c, uint16_t port, struct wire_request *r)
{
	const int on = 1;
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(port),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (c->fd >= 0)
		return true;
	errno = 0;
	if (!c->buffer && !(c->buffer = malloc(WIRE_BUFFER_BYTES)))
		return fail(c, r, "no memory");
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return fail(c, r, "connect");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return true;
}

static bool send_all(struct wire_conn *c, const struct wire_request *r)
{
	size_t sent = 0, total = r->head_len + r->body.len;
	while (sent < total) {
		size_t head_left = sent < r->head_len ? r->head_len - sent : 0;
		size_t body_at = sent < r->head_len ? 0 : sent - r->head_len;
		struct iovec parts[2] = {
			{ .iov_base = r->head + (r->head_len - head_left), .iov_len = head_left },
			{ .iov_base = r->body.len ? (char *)r->body.data + body_at : NULL, .iov_len = r->body.len - body_at },
		};
		struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
		ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return false;
		sent += n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* At least one more byte in the buffer, whose used part goes. */
static bool fill(struct wire_conn *c)
{
	if (c->start == c->end)
		c->start = c->end = 0;
	if (c->end == WIRE_BUFFER_BYTES) {
		memmove(c->buffer, c->buffer + c->start, c->end - c->start);
		c->end -= c->start;
		c->start = 0;
	}
	errno = 0;
	for (;;) {
		ssize_t n = c->end < WIRE_BUFFER_BYTES ? recv(c->fd, c->buffer + c->end, WIRE_BUFFER_BYTES - c->end, 0) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		c->end += n > 0 ? (size_t)n : 0;
		return n > 0;
	}
}

/* One line without its end; NULL when the connection ends first. Valid until the next call. */
static char *line(struct wire_conn *c)
{
	for (;;) {
		char *at = c->buffer + c->start, *end = memchr(at, '\n', c->end - c->start);
		if (end) {
			c->start += (size_t)(end - at) + 1;
			*end = '\0';
			if (end > at && end[-1] == '\r')
				end[-1] = '\0';
			return at;
		}
		if (!fill(c))
			return NULL;
	}
}

static const char *value_of(const char *field, const char *name)
{
	size_t len = strlen(name);
	if (strncasecmp(field, name, len) != 0 || field[len] != ':')
		return NULL;
	for (field += len + 1; *field == ' ';)
		field++;
	return field;
}

struct answer {
	uint64_t length;
	bool is_chunked, has_close;
};

static bool read_head(struct wire_conn *c, struct wire_request *r, struct answer *ret)
{
	char *at = line(c);
	*ret = (struct answer){ .length = NO_LENGTH };
	if (!at || strncmp(at, "HTTP/1.1 ", 9) != 0)
		return false;
	r->status = (int)strtol(at + 9, NULL, 10);
	while ((at = line(c)) && *at) {
		const char *value;
		if ((value = value_of(at, "Content-Length")))
			ret->length = strtoull(value, NULL, 10);
		else if ((value = value_of(at, "Transfer-Encoding")))
			ret->is_chunked = strcasecmp(value, "chunked") == 0;
		else if ((value = value_of(at, "Connection")))
			ret->has_close = strcasecmp(value, "close") == 0;
		else if ((value = value_of(at, "ETag")))
			(void)snprintf(r->etag, sizeof(r->etag), "%s", value);
	}
	if (strncmp(r->head, "HEAD ", 5) == 0 || r->status == 204 || r->status == 304)
		*ret = (struct answer){ .length = 0, .has_close = ret->has_close };
	return at && (ret->is_chunked || ret->length != NO_LENGTH);
}

static bool take(struct wire_request *r, const char *data, size_t n)
{
	if (r->has_expect) {
		r->is_right = r->is_right && n <= r->expect.len - r->body_bytes &&
			      memcmp(r->expect.data + r->body_bytes, data, n) == 0;
		r->body_bytes += n;
		return r->is_right;
	}
	if (n > WIRE_KEPT_MAX - r->kept_len)
		return false;
	char *kept = realloc(r->kept, r->kept_len + n);
	if (!kept)
		return false;
	memcpy(kept + r->kept_len, data, n);
	r->kept = kept;
	r->kept_len += n;
	r->body_bytes += n;
	return true;
}

static bool read_bytes(struct wire_conn *c, struct wire_request *r, uint64_t length)
{
	while (length) {
		if (c->start == c->end && !fill(c))
			return false;
		size_t n = c->end - c->start < length ? c->end - c->start : (size_t)length;
		if (!take(r, c->buffer + c->start, n))
			return false;
		c->start += n;
		length -= n;
	}
	return true;
}

static bool read_chunks(struct wire_conn *c, struct wire_request *r)
{
	for (;;) {
		char *at = line(c);
		uint64_t n = at ? strtoull(at, NULL, 16) : 0;
		if (!at)
			return false;
		if (!n)
			break;
		if (!read_bytes(c, r, n) || !line(c))
			return false;
	}
	char *trailer;
	while ((trailer = line(c)) && *trailer) {
	}
	return trailer;
}

void wire_conn_perform(struct wire_conn *c, uint16_t port, struct wire_request *r)
{
	struct answer answer;
	r->is_right = true;
	if (!conn_open(c, port, r))
		return;
	errno = 0;
	if (!send_all(c, r)) {
		(void)fail(c, r, "send");
		return;
	}
	do {
		if (!read_head(c, r, &answer)) {
			(void)fail(c, r, "no answer that can be read");
			return;
		}
	} while (r->status < 200);
	/* An error's body is no data: keep it, for the message. */
	if (r->status >= 300)
		r->has_expect = false;
	if (!(answer.is_chunked ? read_chunks(c, r) : read_bytes(c, r, answer.length))) {
		(void)fail(c, r, r->is_right ? "the answer was cut" : "the bytes are wrong");
		return;
	}
	r->is_right = !r->has_expect || r->body_bytes == r->expect.len;
	if (answer.has_close)
		wire_conn_close(c);
}
