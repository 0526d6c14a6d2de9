#include "control/rpc.h"

#define LINE_KEPT 16384

void rpc_framer_release(struct rpc_framer *f)
{
	buf_release(&f->line);
	f->is_skipping = false;
}

/* One piece without a newline; past the limit only the fact that it was too long is kept. */
static int collect(struct rpc_framer *f, const char *data, size_t len)
{
	int r;

	if (f->is_skipping)
		return 0;
	r = buf_add(&f->line, data, len);
	if (r == -EFBIG) {
		size_t limit = f->line.limit;

		buf_release(&f->line);
		f->line = BUF_INIT(limit);
		f->is_skipping = true;
		r = 0;
	}
	return r;
}

/* The memory of a long line is not kept for the short ones that follow: connections are many. */
static void line_done(struct rpc_framer *f)
{
	size_t limit = f->line.limit;

	if (f->line.capacity <= LINE_KEPT) {
		buf_clear(&f->line);
		return;
	}
	buf_release(&f->line);
	f->line = BUF_INIT(limit);
}

int rpc_framer_push(struct rpc_framer *f, const char *data, size_t len,
		    int (*fn)(void *arg, struct str line), void *arg)
{
	while (len) {
		const char *end = memchr(data, '\n', len);
		size_t piece = end ? (size_t)(end - data) : len;
		int r = collect(f, data, piece);

		if (r < 0)
			return r;
		if (!end)
			return 0;
		data += piece + 1;
		len -= piece + 1;
		if (f->is_skipping) {
			r = fn(arg, (struct str){NULL, 0});
		} else {
			struct str line = str_trim(buf_str(&f->line));

			r = line.len ? fn(arg, line) : 0;
		}
		f->is_skipping = false;
		line_done(f);
		if (r < 0)
			return r;
	}
	return 0;
}

int rpc_parse_request(struct json_object *message, struct rpc_request *ret, const char **ret_why)
{
	struct json_object *version, *method, *params = NULL, *id = NULL;

	*ret = (struct rpc_request){.id = NULL};
	*ret_why = "not a JSON-RPC 2.0 request";
	if (!json_object_is_type(message, json_type_object))
		return RPC_INVALID_REQUEST;
	ret->has_id = json_object_object_get_ex(message, "id", &id);
	if (id && !json_object_is_type(id, json_type_string) &&
	    !json_object_is_type(id, json_type_int) && !json_object_is_type(id, json_type_double)) {
		ret->has_id = true;
		return RPC_INVALID_REQUEST;
	}
	ret->id = id;
	if (!json_object_object_get_ex(message, "jsonrpc", &version) ||
	    !json_object_is_type(version, json_type_string) ||
	    strcmp(json_object_get_string(version), "2.0") != 0)
		return RPC_INVALID_REQUEST;
	if (!json_object_object_get_ex(message, "method", &method) ||
	    !json_object_is_type(method, json_type_string))
		return RPC_INVALID_REQUEST;
	ret->method = json_object_get_string(method);
	if (json_object_object_get_ex(message, "params", &params) && params &&
	    !json_object_is_type(params, json_type_object)) {
		*ret_why = "params must be an object, by name";
		return RPC_INVALID_PARAMS;
	}
	ret->params = params;
	return 0;
}

/* Length of the UTF-8 sequence at p, 0 when it is none. */
static size_t utf8_length(const unsigned char *p)
{
	unsigned char c = p[0];
	size_t len = 0;

	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		len = 2;
	else if ((c & 0xf0) == 0xe0)
		len = 3;
	else if (c >= 0xf0 && c <= 0xf4)
		len = 4;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Longer forms than needed, surrogates, and what lies beyond U+10FFFF. */
	if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) ||
	    (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

int rpc_add_utf8(struct buf *out, const char *s)
{
	const unsigned char *p = (const unsigned char *)s, *start = p;
	int r = 0;

	while (*p && r == 0) {
		size_t len = utf8_length(p);

		if (len) {
			p += len;
			continue;
		}
		r = buf_add(out, start, (size_t)(p - start));
		if (r == 0)
			r = buf_adds(out, "\xef\xbf\xbd");
		start = ++p;
	}
	return r < 0 ? r : buf_add(out, start, (size_t)(p - start));
}

/* {"jsonrpc":"2.0"} with the id when has_id (null for an unknown one). */
static struct json_object *envelope(struct json_object *id, bool has_id)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	json_object_object_add(o, "jsonrpc", json_object_new_string("2.0"));
	if (has_id)
		json_object_object_add(o, "id", json_object_get(id));
	return o;
}

static int add_line(struct buf *out, struct json_object *o)
{
	const char *text = json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t before = out->len;
	int r = text ? rpc_add_utf8(out, text) : -ENOMEM;

	if (r == 0)
		r = buf_addc(out, '\n');
	if (r < 0) {
		out->len = before; /* never half a line */
		if (out->data)
			out->data[before] = '\0';
	}
	return r;
}

int rpc_add_result(struct buf *out, struct json_object *id, struct json_object *result)
{
	CLEANUP(json_putp) struct json_object *o = envelope(id, true);

	if (!o)
		return -ENOMEM;
	json_object_object_add(o, "result", json_object_get(result));
	return add_line(out, o);
}

struct json_object *rpc_error_data(const struct error *err)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	json_object_object_add(o, "kind", json_object_new_string(error_name(err->kind)));
	json_object_object_add(o, "retryable",
			       json_object_new_boolean(error_is_retryable(err->kind)));
	if (err->http_status)
		json_object_object_add(o, "http_status", json_object_new_int(err->http_status));
	if (err->service_code[0])
		json_object_object_add(o, "service_code",
				       json_object_new_string(err->service_code));
	if (err->request_id[0])
		json_object_object_add(o, "request_id", json_object_new_string(err->request_id));
	if (err->provider[0])
		json_object_object_add(o, "provider", json_object_new_string(err->provider));
	return o;
}

int rpc_add_error_data(struct buf *out, struct json_object *id, int code, const char *message,
		       struct json_object *data)
{
	CLEANUP(json_putp) struct json_object *o = envelope(id, true);
	struct json_object *e = json_object_new_object();

	if (!o || !e) {
		json_object_put(e);
		return -ENOMEM;
	}
	json_object_object_add(e, "code", json_object_new_int(code));
	json_object_object_add(e, "message", json_object_new_string(message));
	if (data)
		json_object_object_add(e, "data", json_object_get(data));
	json_object_object_add(o, "error", e);
	return add_line(out, o);
}

int rpc_add_error(struct buf *out, struct json_object *id, int code, const char *message,
		  const struct error *cause)
{
	CLEANUP(json_putp) struct json_object *data = cause ? rpc_error_data(cause) : NULL;

	return rpc_add_error_data(out, id, code, message, data);
}

int rpc_add_request(struct buf *out, int64_t id, const char *method, struct json_object *params)
{
	CLEANUP(json_putp) struct json_object *number = json_object_new_int64(id);
	CLEANUP(json_putp) struct json_object *o = envelope(number, true);

	if (!o || !number)
		return -ENOMEM;
	json_object_object_add(o, "method", json_object_new_string(method));
	if (params)
		json_object_object_add(o, "params", json_object_get(params));
	return add_line(out, o);
}

int rpc_add_notification(struct buf *out, const char *method, struct json_object *params)
{
	CLEANUP(json_putp) struct json_object *o = envelope(NULL, false);

	if (!o)
		return -ENOMEM;
	json_object_object_add(o, "method", json_object_new_string(method));
	json_object_object_add(o, "params", json_object_get(params));
	return add_line(out, o);
}

static void copy_text(char *to, size_t size, const char *from)
{
	size_t len = from ? strlen(from) : 0;

	len = len < size - 1 ? len : size - 1;
	memcpy(to, from ? from : "", len);
	to[len] = '\0';
}

int rpc_error_from(struct json_object *error_object, struct error *ret)
{
	const char *name = json_get_string(error_object, "data.kind");
	const char *message = json_get_string(error_object, "message");
	int64_t code = json_get_int64(error_object, "code", RPC_INTERNAL);
	enum error_kind kind = ERR_PROTOCOL;

	for (int k = ERR_NONE + 1; k < ERR_KINDS; k++)
		if (name && !strcmp(name, error_name((enum error_kind)k)))
			kind = (enum error_kind)k;
	if (!name && code == RPC_INVALID_PARAMS)
		kind = ERR_INVALID;
	if (!name && code == RPC_METHOD_NOT_FOUND)
		kind = ERR_UNSUPPORTED;
	(void)error_set(ret, kind, "%s", message ? message : "the daemon gave no reason");
	ret->http_status = (int)json_get_int64(error_object, "data.http_status", 0);
	copy_text(ret->service_code, sizeof ret->service_code,
		  json_get_string(error_object, "data.service_code"));
	copy_text(ret->request_id, sizeof ret->request_id,
		  json_get_string(error_object, "data.request_id"));
	return error_provider(ret, -error_errnum(kind), json_get_string(error_object, "data.provider"));
}
