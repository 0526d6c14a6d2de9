/* Token endpoints: the form, the answer, and what a refusal says. */
#include "backends/auth/oauth.h"
#include "backends/base/clock.h"
#include "backends/base/json.h"
#include "backends/http/url.h"

#include <stdio.h>

#define OAUTH_TIMEOUT_MS 20000
#define OAUTH_LIFE_MAX_S (10 * 365 * 86400LL)

/* What a server says, made fit for one line of a message. */
static void show(const char *text, char *ret, size_t ret_size)
{
	size_t n = 0;

	for (; text && *text && n + 1 < ret_size; text++)
		ret[n++] = *text >= ' ' && *text <= '~' ? *text : ' ';
	ret[n] = '\0';
}

/* {"error", "error_description"} of RFC 6749, or {"error": {"status", "message"}} of Google's APIs. */
static int classify(void *arg, const struct http_response *response, struct error *err)
{
	const struct oauth_call *call = arg;
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *code = NULL, *text = NULL;
	char shown_code[48], shown[120];
	int r = http_classify_status(NULL, response, err);

	if (r == 0)
		return 0;
	if (json_parse(buf_str(&response->error_body), CRED_MAX_BYTES, &o, NULL) == 0) {
		code = json_get_string(o, "error");
		text = json_get_string(o, "error_description");
		if (!code)
			code = json_get_string(o, "error.status");
		if (!text)
			text = json_get_string(o, "error.message");
	}
	show(code, shown_code, sizeof(shown_code));
	show(text, shown, sizeof(shown));
	if (response->status == 400 || response->status == 401 || response->status == 403)
		r = error_set(err, ERR_UNAUTHENTICATED, "%s says no: %s%s%s", call->who,
			      *shown_code ? shown_code : "no reason given", *shown ? ": " : "",
			      shown);
	else
		return error_prefix(err, r, "%s", call->who);
	err->http_status = response->status;
	(void)snprintf(err->service_code, sizeof(err->service_code), "%s", shown_code);
	return r;
}

static int add_form(const struct oauth_field *form, struct buf *ret)
{
	bool is_first = true;

	for (; form->name; form++) {
		int r;

		if (!form->value)
			continue;
		if ((!is_first && (r = buf_addc(ret, '&')) < 0) ||
		    (r = url_encode(str_of(form->name), URL_ENCODE_SLASH, ret)) < 0 ||
		    (r = buf_addc(ret, '=')) < 0 ||
		    (r = url_encode(str_of(form->value), URL_ENCODE_SLASH, ret)) < 0)
			return r;
		is_first = false;
	}
	return 0;
}

static int add_fields(struct cred_call *call, const struct oauth_call *from, const char *type,
		      struct error *err)
{
	int r = 0;

	for (const struct oauth_field *f = from->headers; f && f->name && r == 0; f++)
		if (f->value)
			r = http_fields_add(&call->headers, f->name, f->value, err);
	for (const struct oauth_field *f = from->query; f && f->name && r == 0; f++)
		if (f->value)
			r = http_query_add(&call->query, f->name, f->value, err);
	if (r == 0 && type)
		r = http_fields_set(&call->headers, "Content-Type", type, err);
	if (r == 0)
		r = http_fields_set(&call->headers, "Accept", "application/json", err);
	return r;
}

int oauth_url_query(const char *url, struct http_fields *ret, struct error *err)
{
	struct url parts;
	struct str pair, rest;
	int r = url_parse(str_of(url), &parts, err);

	if (r < 0)
		return r;
	rest = parts.query;
	while (rest.len && (pair = str_split(&rest, '&')).ptr) {
		CLEANUP(buf_release) struct buf name = BUF_INIT(4096), value = BUF_INIT(8192);
		struct str after = pair, key = str_split(&after, '=');

		if (url_decode(key, &name) < 0 || (after.ptr && url_decode(after, &value) < 0))
			return error_set(err, ERR_CONFIG, "an address has a broken query");
		if ((r = http_query_add(ret, buf_cstr(&name), buf_cstr(&value), err)) < 0)
			return r;
	}
	return 0;
}

int oauth_post(const struct cred_context *c, const struct oauth_call *call, struct buf *ret,
	       struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf body = BUF_INIT(0);
	CLEANUP(freep) char *base = NULL;
	struct cred_call http = {
		.method = call->form || call->json.len ? HTTP_POST : HTTP_GET,
		.operation = "token",
		.timeout_ms = call->timeout_ms ? call->timeout_ms : OAUTH_TIMEOUT_MS,
		.max_attempts = call->max_attempts,
		.classify = classify,
		.classify_arg = (void *)(uintptr_t)call,
	};
	int r = cred_url_check(call->who, call->url, err);

	if (r == 0)
		r = cred_buf_init(&body, err);
	if (r == 0 && call->form && add_form(call->form, &body) < 0)
		r = error_set(err, ERR_TOO_LARGE, "%s: the request is too long", call->who);
	if (r == 0)
		r = oauth_url_query(call->url, &http.query, err);
	if (r == 0 && !(base = str_dup((struct str){ call->url, strcspn(call->url, "?") })))
		r = error_set(err, ERR_NO_MEMORY, "no memory for a request");
	if (r == 0)
		r = add_fields(&http, call,
			       call->form	? "application/x-www-form-urlencoded"
			       : call->json.len ? "application/json"
						: NULL,
			       err);
	if (r == 0) {
		http.url = base;
		http.body = call->form ? buf_str(&body) : call->json;
		r = cred_call(c, &http, ret, err);
	}
	http_fields_release(&http.headers);
	http_fields_release(&http.query);
	return r;
}

/* "3599" as well as 3599; 0 when absent or out of all reason. */
static int64_t read_seconds(struct json_object *o, const char *key)
{
	const char *text = json_get_string(o, key);
	int64_t value = json_get_int64(o, key, 0);

	if (text && str_to_i64(str_of(text), &value) < 0)
		return 0;
	return value > 0 ? value : 0;
}

int oauth_read(const struct cred_context *c, const char *who, struct str answer, struct token *ret,
	       struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *text;
	int64_t expires_s = 0, in_s, on_s;

	/* The parser's own words could quote the text, which is secret. */
	if (json_parse(answer, CRED_MAX_BYTES, &o, NULL) < 0)
		return error_set(err, ERR_PROTOCOL, "%s answers something that is no JSON", who);
	text = json_get_string(o, "access_token");
	if (!text)
		return error_set(err, ERR_PROTOCOL, "%s answers without an access_token", who);
	in_s = read_seconds(o, "expires_in");
	on_s = read_seconds(o, "expires_on");
	if (in_s && in_s < OAUTH_LIFE_MAX_S)
		expires_s = cred_now_s(c) + in_s;
	else if (on_s)
		expires_s = on_s;
	else
		expires_s = cred_now_s(c) + 3600; /* it does not say: RFC 6749 5.1 lets it */
	return token_set(ret, who, str_of(text), expires_s, err);
}

int oauth_fetch(const struct cred_context *c, const struct oauth_call *call, struct token *ret,
		struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf answer = BUF_INIT(0);
	int r = cred_buf_init(&answer, err);

	if (r == 0)
		r = oauth_post(c, call, &answer, err);
	return r == 0 ? oauth_read(c, call->who, buf_str(&answer), ret, err) : r;
}
