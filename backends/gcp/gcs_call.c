/*
 * One call to GCS: built, performed, its answer parsed. No other file calls the engine.
 */
#include "backends/gcp/gcs_private.h"
#include <stdarg.h>
#include <stdio.h>

void gcs_call_release(struct gcs_call *c)
{
	http_request_release(&c->request);
	http_response_release(&c->response);
	buf_release(&c->sent);
	buf_release(&c->answer);
	json_putp(&c->json);
}

static void stick(struct gcs_call *c, int r, const struct error *err)
{
	if (r >= 0 || c->build_result < 0)
		return;
	c->build_result = r;
	c->build_error = *err;
}

void gcs_call_check(struct gcs_call *c, int result)
{
	if (result >= 0 || c->build_result < 0)
		return;
	c->build_result =
		error_set(&c->build_error, result == -EFBIG ? ERR_TOO_LARGE : ERR_NO_MEMORY,
			  "%s: %s", c->request.operation,
			  result == -EFBIG ? "the request grows too large" : "out of memory");
}

static void set_base(struct gcs_call *c, const char *url)
{
	struct error err = ERROR_INIT;

	free(c->request.scheme);
	free(c->request.authority);
	free(c->request.path);
	c->request.scheme = c->request.authority = c->request.path = NULL;
	stick(c, http_request_set_base(&c->request, url, &err), &err);
}

void gcs_call_path(struct gcs_call *c, ...)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(16384);
	const char *segment;
	va_list args;

	set_base(c, c->store->endpoint);
	if (c->build_result < 0)
		return;
	gcs_call_check(c, buf_adds(&path, c->request.path));
	va_start(args, c);
	while ((segment = va_arg(args, const char *))) {
		gcs_call_check(c, buf_addc(&path, '/'));
		gcs_call_check(c, url_encode(str_of(segment), URL_ENCODE_SLASH, &path));
	}
	va_end(args);
	free(c->request.path);
	c->request.path = buf_detach(&path);
	if (!c->request.path)
		gcs_call_check(c, -ENOMEM);
}

void gcs_call_target(struct gcs_call *c)
{
	if (c->key)
		gcs_call_path(c, "storage", "v1", "b", c->bucket, "o", c->key, NULL);
	else
		gcs_call_path(c, "storage", "v1", "b", c->bucket, NULL);
}

/* Only path and query are the service's: an upload goes where the store was told, also when a proxy stands between. */
void gcs_call_address(struct gcs_call *c, const char *url)
{
	struct error err = ERROR_INIT;
	struct url parts;
	char *path;

	set_base(c, c->store->endpoint);
	if (url_parse(str_of(url), &parts, &err) < 0) {
		stick(c, error_set(&err, ERR_PROTOCOL, "the service begins an upload nowhere"), &err);
		return;
	}
	path = parts.path.len ? str_dup(parts.path) : strdup("/");
	if (!path) {
		gcs_call_check(c, -ENOMEM);
		return;
	}
	free(c->request.path);
	c->request.path = path;
	stick(c, oauth_url_query(url, &c->request.query, &err), &err);
}

void gcs_call_header(struct gcs_call *c, const char *name, const char *value)
{
	struct error err = ERROR_INIT;

	if (c->build_result >= 0)
		stick(c, http_fields_add(&c->request.headers, name, value, &err), &err);
}

void gcs_call_headerf(struct gcs_call *c, const char *name, const char *format, ...)
{
	CLEANUP(buf_release) struct buf value = BUF_INIT(16384);
	va_list args;

	va_start(args, format);
	gcs_call_check(c, buf_vaddf(&value, format, args));
	va_end(args);
	gcs_call_header(c, name, buf_cstr(&value));
}

void gcs_call_query(struct gcs_call *c, const char *name, const char *value)
{
	struct error err = ERROR_INIT;

	if (c->build_result >= 0)
		stick(c, http_query_add(&c->request.query, name, value, &err), &err);
}

void gcs_call_queryf(struct gcs_call *c, const char *name, const char *format, ...)
{
	CLEANUP(buf_release) struct buf value = BUF_INIT(16384);
	va_list args;

	va_start(args, format);
	gcs_call_check(c, buf_vaddf(&value, format, args));
	va_end(args);
	gcs_call_query(c, name, buf_cstr(&value));
}

void gcs_call_send_json(struct gcs_call *c, struct json_object *o)
{
	const char *text = o ? json_object_to_json_string_ext(
				       o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
			     : NULL;

	buf_clear(&c->sent);
	gcs_call_check(c, text ? buf_adds(&c->sent, text) : -ENOMEM);
	json_object_put(o);
	gcs_call_header(c, "Content-Type", "application/json");
	c->request.body =
		(struct http_body){ .kind = HTTP_BODY_MEM, .mem = buf_str(&c->sent), .fd = -1 };
}

void gcs_call_rewind(struct gcs_call *c)
{
	http_response_release(&c->response);
	c->response = HTTP_RESPONSE_INIT;
	buf_clear(&c->answer);
	json_putp(&c->json);
}

int gcs_call_perform(struct gcs_call *c, struct error *err)
{
	struct gcs_store *s = c->store;

	if (s->quota_project && !http_fields_get(&c->request.headers, "x-goog-user-project"))
		gcs_call_header(c, "x-goog-user-project", s->quota_project);
	if (c->build_result < 0) {
		*err = c->build_error;
		return c->build_result;
	}
	if (!c->request.classify)
		c->request.classify = gcs_classify;
	c->request.classify_arg = c;
	c->request.ratelimit = &s->ratelimit;
	c->request.store = s->base.name;
	c->request.bucket = c->bucket ? c->bucket : "";
	c->request.signer = s->signer;
	return http_perform(s->engine, &c->request, &c->response, err);
}

static int perform_into_answer(struct gcs_call *c, struct error *err)
{
	c->request.sink.kind = HTTP_SINK_BUF;
	c->request.sink.buf = &c->answer;
	return gcs_call_perform(c, err);
}

static int parse_answer(struct gcs_call *c, struct error *err)
{
	int r = json_parse(buf_str(&c->answer), GCS_ANSWER_MAX, &c->json, err);
	if (r < 0 || !json_object_is_type(c->json, json_type_object))
		return error_set(err, ERR_PROTOCOL, "%s answered with something that is no object",
				 c->request.operation);
	return 0;
}

int gcs_call_json(struct gcs_call *c, struct error *err)
{
	int r = perform_into_answer(c, err);

	return r < 0 ? r : parse_answer(c, err);
}

int gcs_call_resumable(struct gcs_call *c,
		       int (*classify)(void *arg, const struct http_response *response,
				       struct error *err),
		       struct error *err)
{
	int r;

	c->request.classify = classify;
	r = perform_into_answer(c, err);
	if (r < 0 || c->response.status < 200 || c->response.status > 299)
		return r;
	return parse_answer(c, err);
}

bool gcs_is_reserved(const char *key)
{
	return !strncmp(key, GCS_RESERVED, sizeof(GCS_RESERVED) - 1);
}

int gcs_check_key(const char *key, struct error *err)
{
	struct str rest = str_of(key);

	if (!strcmp(key, ".") || !strcmp(key, "..") || strpbrk(key, "\r\n") ||
	    !strncmp(key, ".well-known/acme-challenge/", 27))
		return error_set(err, ERR_INVALID, "Google Cloud Storage cannot hold such a name");
	while (rest.len) {
		size_t n = str_utf8_char(rest);

		if (!n)
			return error_set(err, ERR_INVALID,
					 "Google Cloud Storage takes names in UTF-8 only");
		rest.ptr += n;
		rest.len -= n;
	}
	return 0;
}

int gcs_check_target(const char *key, struct error *err)
{
	if (gcs_is_reserved(key))
		return error_set(err, ERR_INVALID,
				 "names below '" GCS_RESERVED
				 "' are reserved for unfinished uploads");
	return gcs_check_key(key, err);
}
