/*
 * A page's text: an export is begun, asked for until it is done, and read from the address that Coda then tells. That
 * address is another service's, so no credentials go there, and only https or this machine is followed.
 */
#include "backends/coda/coda.h"

#include "backends/base/clock.h"
#include "backends/http/url.h"

#define POLL_FIRST_MS	250
#define POLL_MOST_MS	2000
#define EXPORT_MOST_MS	(UINT64_C(5) * 60 * 1000)
#define UNKNOWN_MOST	20 /* looks at an export that Coda does not know yet */
#define REDIRECTS_MOST	4

struct hop {
	char *location; /* of a redirect; NULL: none */
};

static int classify(void *arg, const struct http_response *response, struct error *err)
{
	struct hop *hop = arg;
	const char *location = http_fields_get(&response->headers, "Location");

	if (response->status >= 300 && response->status <= 399 && location) {
		free(hop->location);
		hop->location = strdup(location);
	}
	return http_classify_status(NULL, response, err);
}

/* "name=value&..." as it stands in an URL, into a request's query. */
static int add_query(struct http_request *request, struct str query, struct error *err)
{
	struct str pair;
	int r = 0;

	while (r >= 0 && (pair = str_split(&query, '&')).ptr) {
		CLEANUP(buf_release) struct buf name = BUF_INIT(65536);
		CLEANUP(buf_release) struct buf value = BUF_INIT(65536);
		struct str rest = pair, left = str_split(&rest, '=');

		if (!pair.len)
			continue;
		if (url_decode(left, &name) < 0 || (rest.ptr && url_decode(rest, &value) < 0))
			return error_set(err, ERR_PROTOCOL, "the export's address is broken");
		r = http_query_add(&request->query, buf_cstr(&name), buf_cstr(&value), err);
	}
	return r;
}

/* An answer from far away must not make this program ask its own machine or network. */
static int aim(const struct coda *coda, struct http_request *request, const char *link, struct error *err)
{
	struct url own, url;
	bool is_local;
	int r = url_parse(str_of(coda->url), &own, err);

	if (r < 0)
		return r;
	is_local = url_host_is_loopback(own.host);
	if (url_parse(str_of(link), &url, err) < 0)
		return error_set(err, ERR_PROTOCOL, "Coda tells no address of the export that can be read");
	if (str_equal_nocase(url.scheme, STR("http")) && !(is_local && url_host_is_loopback(url.host)))
		return error_set(err, ERR_PROTOCOL, "the export would come over plain http");
	if (url_host_is_link_local(url.host) && !is_local)
		return error_set(err, ERR_PROTOCOL, "the export is said to be at a place of this machine's network");
	request->scheme = str_dup(url.scheme);
	request->authority = str_format("%.*s%s%.*s", (int)url.host.len, url.host.ptr, url.port.len ? ":" : "",
					(int)url.port.len, url.port.len ? url.port.ptr : "");
	request->path = url.path.len ? str_dup(url.path) : strdup("/");
	if (!request->scheme || !request->authority || !request->path)
		return error_no_memory(err);
	return url.query.ptr ? add_query(request, url.query, err) : 0;
}

static int fetch(struct cloud_call *call, const char *link, struct hop *hop, struct buf *ret, struct error *err)
{
	CLEANUP(http_request_release) struct http_request request = HTTP_REQUEST_INIT;
	CLEANUP(http_response_release) struct http_response response = HTTP_RESPONSE_INIT;
	int r = aim(coda_of(call), &request, link, err);

	if (r < 0)
		return r;
	request.method = HTTP_GET;
	request.sink = (struct http_sink){ .kind = HTTP_SINK_BUF, .buf = ret, .fd = -1 };
	request.cancel = call->cancel;
	request.store = "coda";
	request.operation = "export";
	request.is_idempotent = true;
	request.deadline_mono_ms = call->deadline_mono_ms;
	request.classify = classify;
	request.classify_arg = hop;
	return http_perform(coda_of(call)->engine, &request, &response, err);
}

static int download(struct cloud_call *call, const char *link, struct buf *ret, struct error *err)
{
	CLEANUP(freep) char *at = strdup(link);
	int r = at ? 0 : error_no_memory(err);

	for (unsigned i = 0; i <= REDIRECTS_MOST && at; i++) {
		struct hop hop = { NULL };

		r = fetch(call, at, &hop, ret, err);
		free(at);
		at = NULL;
		if (r < 0 && hop.location) {
			*err = ERROR_INIT;
			at = hop.location;
			r = error_set(err, ERR_PROTOCOL, "the export's address leads in circles");
		} else {
			free(hop.location);
		}
	}
	return r < 0 ? error_prefix(err, r, "the exported page") : 0;
}

static int set_param(struct cloud_call *call, const char *name, const char *value, struct error *err)
{
	struct json_object *text = json_object_new_string(value);

	if (!text || json_object_object_add(call->params, name, text) != 0) {
		json_object_put(text);
		return error_no_memory(err);
	}
	return 0;
}

/* 1: done, *ret holds the last answer; 0: not yet. An export just begun may not be known for a moment. */
static int look(struct cloud_call *call, unsigned looks, struct json_object **ret, struct error *err)
{
	const char *status;
	int r = rest_run(call, &coda_rows[CODA_EXPORTS_GET], ret, err);

	if (r < 0 && err->kind == ERR_NOT_FOUND && looks < UNKNOWN_MOST) {
		*err = ERROR_INIT;
		return 0;
	}
	if (r < 0)
		return r;
	status = json_get_string(*ret, "status");
	if (status && !strcmp(status, "failed")) {
		const char *why = json_get_string(*ret, "error");

		return error_set(err, ERR_CONFLICT, "the page could not be exported: %.160s", why ? why : "Coda does not say why");
	}
	return status && !strcmp(status, "complete") && json_get_string(*ret, "downloadLink");
}

static int wait_for(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	uint64_t pause_ms = POLL_FIRST_MS, until = clock_mono_ms() + EXPORT_MOST_MS;

	for (unsigned looks = 0;; looks++) {
		struct json_object *answer = NULL;
		int r = look(call, looks, &answer, err);

		if (r == 1) {
			*ret = answer;
			return 0;
		}
		json_object_put(answer);
		if (r == 0 && clock_mono_ms() >= until)
			r = error_set(err, ERR_TIMEOUT, "the export of the page is not done in time");
		if (r == 0)
			r = cloud_sleep(call, pause_ms, err);
		if (r < 0)
			return r;
		pause_ms = pause_ms * 3 / 2 < POLL_MOST_MS ? pause_ms * 3 / 2 : POLL_MOST_MS;
	}
}

int coda_export_text(struct cloud_call *outer, const char *doc, const char *page, const char *format, struct buf *ret,
		     char **ret_id, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = json_object_new_object();
	CLEANUP(json_putp) struct json_object *begun = NULL;
	CLEANUP(json_putp) struct json_object *done = NULL;
	struct cloud_call call = *outer;
	const char *id;
	int r = params ? 0 : error_no_memory(err);

	call.params = params;
	call.shape = NULL; /* Coda's own answers */
	if (r == 0)
		r = set_param(&call, "doc", doc, err);
	if (r == 0)
		r = set_param(&call, "page", page, err);
	if (r == 0)
		r = set_param(&call, "format", format, err);
	if (r == 0)
		r = rest_run(&call, &coda_rows[CODA_EXPORTS_BEGIN], &begun, err);
	if (r < 0)
		return r;
	id = json_get_string(begun, "id");
	if (!id || !*id)
		return error_set(err, ERR_PROTOCOL, "Coda began an export without a name");
	r = set_param(&call, "export", id, err);
	if (r == 0)
		r = wait_for(&call, &done, err);
	if (r == 0)
		r = download(&call, json_get_string(done, "downloadLink"), ret, err);
	if (r == 0 && ret_id) {
		*ret_id = strdup(id);
		r = *ret_id ? 0 : error_no_memory(err);
	}
	return r;
}

static bool is_utf8(struct str text)
{
	while (text.len) {
		size_t n = str_utf8_char(text);

		if (!n)
			return false;
		text = (struct str){ text.ptr + n, text.len - n };
	}
	return true;
}

int coda_pages_export(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(CODA_EXPORT_MAX);
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	CLEANUP(freep) char *id = NULL;
	const char *format = cloud_param(call, "format") ? cloud_param(call, "format") : "markdown";
	int r = o ? coda_export_text(call, cloud_param(call, "doc"), cloud_param(call, "page"), format, &text, &id, err)
		  : error_no_memory(err);

	if (r < 0)
		return r;
	if (!is_utf8(buf_str(&text)))
		return error_set(err, ERR_PROTOCOL, "the exported page is no text");
	json_object_object_add(o, "id", json_object_new_string(id));
	json_object_object_add(o, "status", json_object_new_string("complete"));
	json_object_object_add(o, "format", json_object_new_string(format));
	json_object_object_add(o, "text", json_object_new_string_len(buf_cstr(&text), (int)text.len));
	json_object_object_add(o, "link", NULL);
	json_object_object_add(o, "error", NULL);
	*ret = steal(o);
	return 0;
}
