#include "backends/cloud/service.h"

#include "backends/base/xml_json.h"
#include "backends/http/url.h"

#include <stdio.h>

void service_request_release(struct service_request *q)
{
	http_fields_release(&q->query);
	http_fields_release(&q->headers);
	http_fields_release(&q->form);
	json_object_put(q->json);
	q->json = NULL;
}

void service_answer_release(struct service_answer *a)
{
	json_object_put(a->json);
	a->json = NULL;
	http_fields_release(&a->headers);
}

int service_path_add(struct buf *path, const char *piece)
{
	int r = buf_addc(path, '/');

	return r < 0 ? r : url_encode(str_of(piece), URL_ENCODE_SLASH, path);
}

static bool is_change(const struct service_request *q)
{
	return !q->is_read && q->method != HTTP_GET && q->method != HTTP_HEAD;
}

/* name=value&name=value, by the rules of forms (RFC 3986 escapes are understood by all). */
static int encode_form(const struct http_fields *form, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; i < form->count && r == 0; i++) {
		if (i)
			r = buf_addc(out, '&');
		if (r == 0)
			r = url_encode(str_of(form->items[i].name), URL_ENCODE_SLASH, out);
		if (r == 0)
			r = buf_addc(out, '=');
		if (r == 0)
			r = url_encode(str_of(form->items[i].value), URL_ENCODE_SLASH, out);
	}
	return r;
}

/* The bytes of the body, in *text where they are made here. */
static int build_body(const struct service_request *q, struct http_request *http, struct buf *text,
		      struct error *err)
{
	const char *type = q->content_type;
	int r = 0;

	if (q->json) {
		r = buf_adds(text, json_object_to_json_string_ext(
					   q->json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
		type = type ? type : "application/json";
	} else if (q->form.count) {
		r = encode_form(&q->form, text);
		type = type ? type : "application/x-www-form-urlencoded; charset=utf-8";
	} else {
		http->body = q->body;
	}
	if (r < 0)
		return error_set(err, r == -EFBIG ? ERR_TOO_LARGE : ERR_NO_MEMORY,
				 "the request cannot be built");
	if (q->json || q->form.count)
		http->body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = buf_str(text), .fd = -1 };
	if (type && http->body.kind != HTTP_BODY_NONE)
		return http_fields_set(&http->headers, "Content-Type", type, err);
	return 0;
}

static int copy_fields(struct http_fields *to, const struct http_fields *from, bool is_query,
		       struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < from->count && r >= 0; i++)
		r = is_query ? http_query_add(to, from->items[i].name, from->items[i].value, err) :
			       http_fields_set(to, from->items[i].name, from->items[i].value, err);
	return r;
}

static int add_constants(const struct service *s, struct http_request *http, struct error *err)
{
	int r = 0;

	for (const struct http_field *f = s->headers; f && f->name && r >= 0; f++)
		r = http_fields_set(&http->headers, f->name, f->value, err);
	for (const struct http_field *f = s->query; f && f->name && r >= 0; f++)
		r = http_query_add(&http->query, f->name, f->value, err);
	if (r >= 0 && s->dialect == SERVICE_JSON && !http_fields_get(&http->headers, "Accept"))
		r = http_fields_add(&http->headers, "Accept", "application/json", err);
	return r;
}

static int aim(const struct service *s, const char *path, struct http_request *http, struct error *err)
{
	CLEANUP(freep) char *base = NULL;
	int r = http_request_set_base(http, s->base_url, err);

	if (r < 0)
		return r;
	base = str_format("%s%s", http->path ? http->path : "", path ? path : "");
	if (!base)
		return error_no_memory(err);
	if (!*base) {
		free(base);
		base = strdup("/");
		if (!base)
			return error_no_memory(err);
	}
	free(http->path);
	http->path = steal(base);
	return 0;
}

static int build(struct cloud_call *call, const struct service *s, const struct service_request *q,
		 struct http_request *http, struct buf *text, struct error *err)
{
	int r = aim(s, q->path, http, err);

	if (r >= 0)
		r = add_constants(s, http, err);
	if (r >= 0)
		r = copy_fields(&http->query, &q->query, true, err);
	if (r >= 0)
		r = copy_fields(&http->headers, &q->headers, false, err);
	if (r >= 0)
		r = build_body(q, http, text, err);
	if (r < 0)
		return r;
	http->method = q->method;
	http->signer = s->signer;
	http->ratelimit = s->ratelimit;
	http->cancel = call->cancel;
	http->store = s->label;
	http->operation = call->operation;
	http->bucket = q->bucket;
	http->is_idempotent = q->is_read || q->is_idempotent || q->method == HTTP_GET ||
			      q->method == HTTP_HEAD || q->method == HTTP_PUT ||
			      q->method == HTTP_DELETE;
	http->deadline_mono_ms = call->deadline_mono_ms;
	http->stall_timeout_ms = q->stall_timeout_ms;
	http->classify = service_classify;
	http->classify_arg = (void *)s; /* only read: struct http_request has no const for it */
	return 0;
}

static int read_answer(const struct service *s, struct buf *body, struct json_object **ret,
		       struct error *err)
{
	struct str text = str_trim(buf_str(body));
	int r;

	if (!text.len)
		return 0;
	if (s->dialect == SERVICE_TEXT) {
		*ret = json_object_new_string_len(body->data, (int)body->len);
		return *ret ? 0 : error_no_memory(err);
	}
	r = s->dialect == SERVICE_XML ? xml_to_json(text, ret, err) :
					json_parse(text, SERVICE_ANSWER_MAX, ret, err);
	if (r == 0 && s->dialect == SERVICE_XML)
		return service_check_xml(*ret, err);
	return r < 0 ? error_prefix(err, r, "the answer of %s", s->label) : 0;
}

static struct json_object *masked_fields(const struct http_fields *fields)
{
	struct json_object *o = json_object_new_object(), *masked;

	for (size_t i = 0; o && i < fields->count; i++)
		json_object_object_add(o, fields->items[i].name,
				       json_object_new_string(fields->items[i].value));
	masked = o ? service_mask(o) : NULL;
	json_object_put(o);
	return masked;
}

/* What a dry run shows: {method, url, headers, query, body}. */
static int plan(struct cloud_call *call, const struct service_request *q,
		const struct http_request *http, struct error *err)
{
	CLEANUP(freep) char *url = str_format("%s://%s%s", http->scheme, http->authority, http->path);
	struct json_object *o = json_object_new_object();

	call->is_planned = true;
	if (!url || !o || json_object_array_add(call->plan, o) != 0) {
		json_object_put(o);
		return error_no_memory(err);
	}
	json_object_object_add(o, "method", json_object_new_string(http_method_name(http->method)));
	json_object_object_add(o, "url", json_object_new_string(url));
	if (http->query.count)
		json_object_object_add(o, "query", masked_fields(&http->query));
	if (http->headers.count)
		json_object_object_add(o, "headers", masked_fields(&http->headers));
	if (q->json)
		json_object_object_add(o, "body", service_mask(q->json));
	else if (q->form.count)
		json_object_object_add(o, "body", masked_fields(&q->form));
	else if (http_body_length(&http->body))
		json_object_object_add(o, "body_bytes",
				       json_object_new_uint64(http_body_length(&http->body)));
	return error_set(err, ERR_CANCELLED, "nothing was sent: this is a dry run");
}

int service_call(struct cloud_call *call, const struct service *service,
		 struct service_request *request, struct service_answer *ret, struct error *err)
{
	CLEANUP(http_request_release) struct http_request http = HTTP_REQUEST_INIT;
	CLEANUP(http_response_release) struct http_response response = HTTP_RESPONSE_INIT;
	CLEANUP(buf_release) struct buf sent = BUF_INIT(SERVICE_ANSWER_MAX);
	CLEANUP(buf_release) struct buf body = BUF_INIT(SERVICE_ANSWER_MAX);
	int r = build(call, service, request, &http, &sent, err);

	if (r < 0)
		return r;
	if (call->plan && is_change(request))
		return plan(call, request, &http, err);
	http.sink = request->sink;
	if (http.sink.kind == HTTP_SINK_DISCARD)
		http.sink = (struct http_sink){ .kind = HTTP_SINK_BUF, .buf = &body, .fd = -1 };
	r = http_perform(service->engine, &http, &response, err);
	if (r < 0)
		return r;
	*ret = (struct service_answer){ .status = response.status, .headers = response.headers };
	response.headers = (struct http_fields){ .items = NULL };
	if (request->sink.kind == HTTP_SINK_DISCARD)
		r = read_answer(service, &body, &ret->json, err);
	if (r < 0)
		service_answer_release(ret);
	return r;
}

int service_json(struct cloud_call *call, const struct service *service,
		 struct service_request *request, struct json_object **ret, struct error *err)
{
	CLEANUP(service_answer_release) struct service_answer answer = SERVICE_ANSWER_INIT;
	int r = service_call(call, service, request, &answer, err);

	if (r < 0)
		return r;
	*ret = steal(answer.json);
	return 0;
}
