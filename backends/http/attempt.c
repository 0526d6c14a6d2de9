#include "backends/http/attempt.h"
#include "backends/base/fileio.h"
#include "backends/http/gather.h"
#include <sys/types.h>

int attempt_begin(struct attempt *a, struct http_request *request, struct http_response *response,
		  struct error *err)
{
	struct http_sink *sink = &request->sink;

	attempt_release(a);
	*a = (struct attempt){ .request = request, .response = response };
	http_fields_release(&response->headers);
	buf_clear(&response->error_body);
	response->status = 0;
	response->body_length = 0;
	response->digest_len = 0;
	if (sink->kind == HTTP_SINK_BUF)
		buf_clear(sink->buf);
	if (sink->hash != HASH_NONE) {
		a->digest = hash_stream_new(sink->hash);
		if (!a->digest)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	if (request->body.progress)
		atomic_store_explicit(request->body.progress, 0, memory_order_relaxed);
	return 0;
}

void attempt_release(struct attempt *a)
{
	hash_stream_free(a->digest);
	a->digest = NULL;
}

/* "HTTP/1.1 206 Partial Content": a new answer begins; an interim one (1xx) before it is
 * forgotten. */
static bool begin_answer(struct attempt *a, const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len);
	size_t at = space ? (size_t)(space - line) + 1 : len;
	int status = 0;

	if (at + 3 > len)
		goto broken;
	for (size_t i = at; i < at + 3; i++) {
		if (line[i] < '0' || line[i] > '9')
			goto broken;
		status = status * 10 + (line[i] - '0');
	}
	http_fields_release(&a->response->headers);
	a->response->status = status;
	a->has_headers = false;
	return true;
broken:
	(void)error_set(&a->err, ERR_PROTOCOL, "the server sent a broken status line");
	return false;
}

static bool add_header(struct attempt *a, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	struct str name, value;

	if (memchr(line, '\0', len) || !colon || colon == line) {
		(void)error_set(&a->err, ERR_PROTOCOL, "the server sent a broken header line");
		return false;
	}
	name = (struct str){ line, (size_t)(colon - line) };
	value = str_trim((struct str){ colon + 1, len - name.len - 1 });

	CLEANUP(freep) char *name_text = str_dup(name);
	CLEANUP(freep) char *value_text = str_dup(value);
	if (!name_text || !value_text) {
		(void)error_set(&a->err, ERR_NO_MEMORY, "out of memory");
		return false;
	}
	if (http_fields_add(&a->response->headers, name_text, value_text, &a->err) < 0) {
		if (a->err.kind != ERR_NO_MEMORY)
			(void)error_set(&a->err, ERR_PROTOCOL,
					"the server sent a broken header line");
		return false;
	}
	return true;
}

bool attempt_header_line(struct attempt *a, const char *line, size_t len)
{
	a->header_bytes += len;
	a->header_lines++;
	if (a->header_bytes > ATTEMPT_HEADER_BYTES || a->header_lines > ATTEMPT_HEADER_LINES) {
		(void)error_set(&a->err, ERR_PROTOCOL, "the server sent too many headers");
		return false;
	}
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		return begin_answer(a, line, len);
	if (len == 0) {
		a->has_headers = a->response->status >= 200;
		return true;
	}
	/* What follows the headers are trailers of a chunked body: nobody asked for them. */
	return a->has_headers || add_header(a, line, len);
}

static bool call_on_start(struct attempt *a)
{
	const struct http_sink *sink = &a->request->sink;

	if (a->has_started)
		return true;
	a->has_started = true;
	if (!sink->on_start || sink->on_start(sink->arg, a->response, &a->err) >= 0)
		return true;
	if (a->err.kind == ERR_NONE)
		(void)error_set(&a->err, ERR_CANCELLED, "the answer was refused");
	return false;
}

static bool store_body(struct attempt *a, const void *data, size_t len)
{
	const struct http_sink *sink = &a->request->sink;
	uint64_t position = a->response->body_length;
	int r = 0;

	switch (sink->kind) {
	case HTTP_SINK_DISCARD:
		break;
	case HTTP_SINK_BUF:
		r = buf_add(sink->buf, data, len);
		if (r == -ENOMEM)
			(void)error_set(&a->err, ERR_NO_MEMORY, "out of memory");
		else if (r < 0)
			(void)error_set(&a->err, ERR_TOO_LARGE,
					"the answer is larger than %zu bytes", sink->buf->limit);
		break;
	case HTTP_SINK_FD:
		if (len > sink->length || position > sink->length - len) {
			r = error_set(&a->err, ERR_PROTOCOL,
				      "the answer is longer than the %llu bytes asked for",
				      (unsigned long long)sink->length);
			break;
		}
		r = fileio_pwrite_all(sink->fd, data, len, sink->offset + position);
		if (r < 0)
			(void)error_errno(&a->err, -r, "cannot write to the cache file");
		break;
	}
	return r >= 0;
}

bool attempt_take(struct attempt *a, const void *data, size_t len)
{
	const struct http_sink *sink = &a->request->sink;
	uint64_t position = a->response->body_length;

	if (!store_body(a, data, len))
		return false;
	if (a->digest)
		hash_stream_add(a->digest, data, len);
	a->response->body_length = position + len;
	if (sink->on_data)
		sink->on_data(sink->arg, position, len);
	return true;
}

bool attempt_receive(struct attempt *a, const void *data, size_t len)
{
	const struct http_sink *sink = &a->request->sink;
	struct http_response *response = a->response;

	if (!attempt_is_success(a)) {
		size_t room = response->error_body.limit - response->error_body.len;
		a->error_bytes += len;
		/* Without memory the status must do. */
		(void)!buf_add(&response->error_body, data, len < room ? len : room);
		a->is_cut = a->error_bytes > ATTEMPT_ERROR_BYTES;
		return !a->is_cut;
	}
	if (a->err.kind != ERR_NONE || !call_on_start(a)) /* the former: what was put together could not be written */
		return false;
	return sink->kind == HTTP_SINK_FD && a->gather ? gather_add(a->gather, a, data, len) :
							 attempt_take(a, data, len);
}

/* Up to size bytes of the content itself, from that position of it. */
static ssize_t send_content(struct attempt *a, uint64_t position, void *ret, size_t size)
{
	const struct http_body *body = &a->request->body;
	uint64_t left = http_body_content_length(body) - position;
	size_t len = left < size ? (size_t)left : size;
	int r;

	if (body->kind == HTTP_BODY_MEM) {
		memcpy(ret, body->mem.ptr + position, len);
		return (ssize_t)len;
	}
	r = fileio_pread_all(body->fd, ret, len, body->offset + position);
	if (r == -ENODATA) {
		(void)error_set(&a->err, ERR_IO, "the file to send became shorter");
		return -1;
	}
	if (r < 0) {
		(void)error_errno(&a->err, -r, "cannot read the file to send");
		return -1;
	}
	return (ssize_t)len;
}

static size_t send_memory(struct str from, uint64_t position, void *ret, size_t size)
{
	size_t left = from.len - (size_t)position, len = left < size ? left : size;

	memcpy(ret, from.ptr + position, len);
	return len;
}

ssize_t attempt_send(struct attempt *a, void *ret, size_t size)
{
	const struct http_body *body = &a->request->body;
	uint64_t content = http_body_content_length(body), at = a->sent_position, sent;
	ssize_t len = 0;

	if (at < body->head.len)
		len = (ssize_t)send_memory(body->head, at, ret, size);
	else if (at < body->head.len + content)
		len = send_content(a, at - body->head.len, ret, size);
	else if (at < http_body_length(body))
		len = (ssize_t)send_memory(body->tail, at - body->head.len - content, ret, size);
	if (len < 0)
		return -1;
	a->sent_position += (uint64_t)len;
	sent = a->sent_position > body->head.len ? a->sent_position - body->head.len : 0;
	if (body->progress)
		atomic_store_explicit(body->progress, sent < content ? sent : content,
				      memory_order_relaxed);
	return len;
}

bool attempt_seek(struct attempt *a, uint64_t position)
{
	if (position > http_body_length(&a->request->body))
		return false;
	if (!a->request->is_idempotent && position < a->sent_position)
		return false;
	a->sent_position = position;
	return true;
}

bool attempt_finish(struct attempt *a)
{
	if (!attempt_is_success(a))
		return true;
	if (a->request->method != HTTP_HEAD && !call_on_start(a))
		return false;
	if (a->digest)
		a->response->digest_len = hash_stream_digest(a->digest, a->response->digest);
	return true;
}
