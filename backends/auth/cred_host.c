/* What the sources of all providers share: variables, buffers for secrets, one small HTTP call. */
#include "backends/auth/cred_host.h"
#include "backends/auth/sign_sigv4.h"
#include "backends/base/clock.h"
#include "backends/http/engine.h"
#include "backends/http/url.h"

struct cred_host cred_host_of(const struct backend_context *context)
{
	return (struct cred_host){ .getenv = context->getenv, .wall_s = clock_wall_s, .engine = context->engine };
}

const char *cred_getenv(const struct cred_context *c, const char *name)
{
	const char *value = c->host->getenv(name);

	return value && *value ? value : NULL;
}

const char *cred_getenv_any(const struct cred_context *c, const char *const *names)
{
	for (; *names; names++) {
		const char *value = cred_getenv(c, *names);

		if (value)
			return value;
	}
	return NULL;
}

int64_t cred_now_s(const struct cred_context *c)
{
	return c->host->wall_s() + clock_skew_s();
}

int cred_buf_init(struct buf *b, struct error *err)
{
	*b = BUF_INIT(CRED_MAX_BYTES);
	if (buf_reserve(b, CRED_MAX_BYTES) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for credentials");
	return 0;
}

void cred_buf_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->capacity);
	buf_release(b);
}

static void wipe_field_values(struct http_fields *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->items[i].value)
			explicit_bzero(f->items[i].value, strlen(f->items[i].value));
}

static void call_cleanup(struct http_request *request)
{
	wipe_field_values(&request->headers); /* tokens */
	http_request_release(request);
}

static int append_path(struct http_request *request, const char *path, struct error *err)
{
	const char *begin = request->path ? request->path : "";
	char *whole = str_format("%s%s", begin, path ? path : *begin ? "" : "/");

	if (!whole)
		return error_set(err, ERR_NO_MEMORY, "no memory for a request");
	free(request->path);
	request->path = whole;
	return 0;
}

int cred_call(const struct cred_context *c, struct cred_call *call, struct buf *ret,
	      struct error *err)
{
	CLEANUP(call_cleanup) struct http_request request = HTTP_REQUEST_INIT;
	CLEANUP(http_response_release) struct http_response response = HTTP_RESPONSE_INIT;
	int r;

	request.query = call->query;
	request.headers = call->headers;
	call->query = call->headers = (struct http_fields){ 0 };
	if (!c->host->engine)
		return error_set(err, ERR_UNSUPPORTED, "no network to fetch credentials with");
	if ((r = http_request_set_base(&request, call->url, err)) < 0)
		return r;
	if ((r = append_path(&request, call->path, err)) < 0)
		return r;
	request.method = call->method;
	if (call->body.len)
		request.body =
			(struct http_body){ .kind = HTTP_BODY_MEM, .mem = call->body, .fd = -1 };
	request.sink.kind = HTTP_SINK_BUF;
	request.sink.buf = ret;
	request.cancel = c->cancel;
	request.store = "auth";
	request.operation = call->operation;
	request.is_idempotent = true; /* asking twice gives two sets of keys, and no harm */
	request.deadline_mono_ms = clock_mono_ms() + call->timeout_ms;
	request.max_attempts = call->max_attempts;
	request.classify = call->classify;
	request.classify_arg = call->classify_arg;
	request.wants_success_check = call->checks_success;
	if (call->sign && (r = call->sign(call->sign_arg, &request, err)) < 0)
		return r;
	r = http_perform(c->host->engine, &request, &response, err);
	if (r < 0 && response.status == 403 && call->sign && sigv4_learn_skew(&response, 60)) {
		http_response_release(&response);
		response = HTTP_RESPONSE_INIT;
		if ((r = call->sign(call->sign_arg, &request, err)) == 0)
			r = http_perform(c->host->engine, &request, &response, err);
	}
	return r;
}

bool cred_authority_is_local(const char *authority)
{
	CLEANUP(freep) char *text = str_format("http://%s/", authority);
	struct url url;

	return text && url_parse(str_of(text), &url, NULL) == 0 && url_host_is_loopback(url.host);
}

int cred_url_check(const char *what, const char *text, struct error *err)
{
	struct url url;

	if (url_parse(str_of(text), &url, NULL) < 0)
		return error_set(err, ERR_CONFIG, "%s is no http(s) address", what);
	if (!str_equal_nocase(url.scheme, STR("https")) && !url_host_is_loopback(url.host))
		return error_set(err, ERR_CONFIG,
				 "%s is plain http to another machine (it must be https)", what);
	return 0;
}
