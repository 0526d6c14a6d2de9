#include "backends/http/http.h"
#include "backends/base/clock.h"
#include "backends/http/url.h"
#include <assert.h>
#include <stdio.h>
#include <strings.h>

#define FIELDS_MAX 4096 /* far more than any service takes; a bound against runaway callers */

const char *http_method_name(enum http_method method)
{
	static const char *const names[] = {
		[HTTP_GET] = "GET",   [HTTP_HEAD] = "HEAD",	[HTTP_PUT] = "PUT",
		[HTTP_POST] = "POST", [HTTP_DELETE] = "DELETE", [HTTP_PATCH] = "PATCH",
	};
	assert((size_t)method < ARRAY_SIZE(names));
	return names[method];
}

static void field_release(struct http_field *field)
{
	free(field->name);
	free(field->value);
}

void http_fields_release(struct http_fields *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->count; i++)
		field_release(&f->items[i]);
	free(f->items);
	*f = (struct http_fields){ 0 };
}

static int fields_append(struct http_fields *f, const char *name, const char *value,
			 struct error *err)
{
	CLEANUP(freep) char *name_copy = NULL;
	CLEANUP(freep) char *value_copy = NULL;

	if (f->count >= FIELDS_MAX)
		return error_set(err, ERR_TOO_LARGE, "more than %d fields in one request",
				 FIELDS_MAX);
	if (f->count == f->capacity) {
		size_t capacity = f->capacity ? f->capacity * 2 : 8;
		struct http_field *items = realloc(f->items, capacity * sizeof(*items));
		if (!items)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		f->items = items;
		f->capacity = capacity;
	}
	name_copy = strdup(name);
	value_copy = strdup(value ? value : "");
	if (!name_copy || !value_copy)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	f->items[f->count++] = (struct http_field){ steal(name_copy), steal(value_copy) };
	return 0;
}

/* C strings hold no NUL; what is left to refuse are the bytes that would begin another header. */
static int check_header(const char *name, const char *value, struct error *err)
{
	if (name[0] == '\0' || strpbrk(name, "\r\n: \t"))
		return error_set(err, ERR_INVALID,
				 "a header name that is empty or holds a forbidden byte");
	if (value && strpbrk(value, "\r\n"))
		return error_set(err, ERR_INVALID, "the value of header '%.64s' holds a line end",
				 name);
	return 0;
}

int http_fields_add(struct http_fields *f, const char *name, const char *value, struct error *err)
{
	int r = check_header(name, value, err);

	return r < 0 ? r : fields_append(f, name, value, err);
}

int http_query_add(struct http_fields *f, const char *name, const char *value, struct error *err)
{
	return fields_append(f, name, value, err);
}

int http_fields_addf(struct http_fields *f, struct error *err, const char *name, const char *format,
		     ...)
{
	CLEANUP(freep) char *value = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&value, format, args);
	va_end(args);
	if (n < 0) {
		value = NULL; /* undefined after a failure */
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	return http_fields_add(f, name, value, err);
}

int http_fields_set(struct http_fields *f, const char *name, const char *value, struct error *err)
{
	size_t kept = 0, old_count = f->count;
	int r = http_fields_add(f, name, value, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < old_count; i++) {
		if (strcasecmp(f->items[i].name, name) == 0)
			field_release(&f->items[i]);
		else
			f->items[kept++] = f->items[i];
	}
	f->items[kept++] = f->items[old_count];
	f->count = kept;
	return 0;
}

const char *http_fields_get(const struct http_fields *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcasecmp(f->items[i].name, name) == 0)
			return f->items[i].value;
	return NULL;
}

int http_request_set_base(struct http_request *r, const char *url_text, struct error *err)
{
	struct error why = ERROR_INIT;
	struct url url = { 0 };
	struct str authority;

	if (url_parse(str_of(url_text), &url, &why) < 0)
		return error_set(err, ERR_CONFIG, "%s", why.message);
	if (url.query.ptr)
		return error_set(err, ERR_CONFIG, "the URL of a service cannot hold a query ('?')");
	while (url.path.len > 0 && url.path.ptr[url.path.len - 1] == '/')
		url.path.len--;
	authority = url.host;
	if (url.port.ptr)
		authority.len = (size_t)(url.port.ptr + url.port.len - url.host.ptr);

	CLEANUP(freep) char *new_scheme = strdup(url.scheme.len == 5 ? "https" : "http");
	CLEANUP(freep) char *new_authority = str_dup(authority);
	CLEANUP(freep) char *new_path = str_dup(url.path);
	if (!new_scheme || !new_authority || !new_path)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	free(r->scheme);
	free(r->authority);
	free(r->path);
	r->scheme = steal(new_scheme);
	r->authority = steal(new_authority);
	r->path = steal(new_path);
	return 0;
}

void http_request_release(struct http_request *r)
{
	if (!r)
		return;
	free(r->scheme);
	free(r->authority);
	free(r->path);
	http_fields_release(&r->query);
	http_fields_release(&r->headers);
	http_fields_release(&r->signed_headers);
	http_fields_release(&r->signed_query);
	*r = HTTP_REQUEST_INIT;
}

void http_response_release(struct http_response *r)
{
	if (!r)
		return;
	http_fields_release(&r->headers);
	buf_release(&r->error_body);
	*r = HTTP_RESPONSE_INIT;
}

uint64_t http_retry_after_ms(const struct http_response *response)
{
	const char *text = http_fields_get(&response->headers, "Retry-After");
	uint64_t seconds = 0;
	int64_t at_s = 0, now_s;

	if (!text)
		return 0;
	if (str_to_u64(str_trim(str_of(text)), &seconds) == 0)
		return seconds > 86400 ? 86400000 : seconds * 1000;
	if (clock_parse_http(text, &at_s) < 0)
		return 0;
	now_s = clock_wall_s() + clock_skew_s();
	if (at_s <= now_s)
		return 0;
	return at_s - now_s > 86400 ? 86400000 : (uint64_t)(at_s - now_s) * 1000;
}

static enum error_kind kind_of_status(int status, bool has_retry_after)
{
	switch (status) {
	case 304:
	case 412:
		return ERR_PRECONDITION;
	case 401:
		return ERR_UNAUTHENTICATED;
	case 403:
		return ERR_PERMISSION;
	case 404:
	case 410:
		return ERR_NOT_FOUND;
	case 408:
		return ERR_TIMEOUT;
	case 409:
		return ERR_CONFLICT;
	case 413:
		return ERR_TOO_LARGE;
	case 416:
		return ERR_RANGE;
	case 429:
		return ERR_THROTTLED;
	case 501:
		return ERR_UNSUPPORTED;
	case 503:
		return has_retry_after ? ERR_THROTTLED : ERR_UNAVAILABLE;
	default:
		return status >= 500 && status <= 599 ? ERR_UNAVAILABLE : ERR_PROTOCOL;
	}
}

int http_classify_status(void *arg, const struct http_response *response, struct error *err)
{
	const char *request_id = http_fields_get(&response->headers, "x-request-id");
	bool has_retry_after = http_fields_get(&response->headers, "Retry-After") != NULL;
	struct error local;
	int r;

	(void)arg;
	if (response->status >= 200 && response->status <= 299)
		return 0;
	if (!err)
		err = &local;
	r = error_set(err, kind_of_status(response->status, has_retry_after),
		      "the server answered with status %d", response->status);
	err->http_status = response->status;
	err->retry_after_ms = http_retry_after_ms(response);
	if (request_id)
		(void)snprintf(err->request_id, sizeof(err->request_id), "%s", request_id);
	return r;
}

int http_content_range(const struct http_response *response, uint64_t *ret_first, uint64_t *ret_last,
		       uint64_t *ret_total, struct error *err)
{
	const char *header = http_fields_get(&response->headers, "content-range");
	struct str rest = str_of(header ? header : ""), first, last;

	if (!str_starts(rest, "bytes "))
		return error_set(err, ERR_PROTOCOL, "the service sent a part without saying which");
	rest = str_trim((struct str){ rest.ptr + 6, rest.len - 6 });
	first = str_split(&rest, '-');
	last = rest.ptr ? str_split(&rest, '/') : (struct str){ 0 };
	if (!last.ptr || !rest.ptr || str_to_u64(first, ret_first) < 0 ||
	    str_to_u64(last, ret_last) < 0 || str_to_u64(rest, ret_total) < 0 ||
	    *ret_last < *ret_first || *ret_last >= *ret_total)
		return error_set(err, ERR_PROTOCOL, "the service sent a part without saying which");
	return 0;
}

void http_range(uint64_t offset, uint64_t length, char ret[HTTP_RANGE_MAX])
{
	ret[0] = '\0';
	if (length)
		(void)snprintf(ret, HTTP_RANGE_MAX, "bytes=%llu-%llu", (unsigned long long)offset,
			       (unsigned long long)(offset + length - 1)); /* fits */
	else if (offset)
		(void)snprintf(ret, HTTP_RANGE_MAX, "bytes=%llu-", (unsigned long long)offset);
}

static int out_of_object(struct error *err)
{
	return error_set(err, ERR_RANGE, "the range ends outside the object");
}

static int wrong_range(struct error *err)
{
	return error_set(err, ERR_PROTOCOL, "the service sent another range than was asked for");
}

/* Azurite (3.35) answers a range right behind the end with a part of none: "bytes 10-9/10". */
static bool begins_behind(const struct http_response *response, uint64_t offset)
{
	const char *header = http_fields_get(&response->headers, "content-range");
	const char *slash = header ? strchr(header, '/') : NULL;
	uint64_t total = 0;

	return slash && str_to_u64(str_of(slash + 1), &total) == 0 && offset >= total;
}

static int judge_part(const struct http_response *response, uint64_t offset, uint64_t length, struct http_read *ret,
		      struct error *err)
{
	uint64_t first = 0, last = 0, total = 0;
	int r = http_content_range(response, &first, &last, &total, err);

	if (r < 0)
		return begins_behind(response, offset) ? out_of_object(err) : r;
	if ((!offset && !length) || first != offset)
		return wrong_range(err);
	if (last != (length && length < total - first ? first + length - 1 : total - 1))
		return wrong_range(err);
	if (length > total - first)
		return out_of_object(err); /* the caller counts on every byte */
	*ret = (struct http_read){ total, last - first + 1, last - first + 1 == total };
	return 0;
}

static int judge_whole(const struct http_response *response, uint64_t offset, uint64_t length, const char *length_header,
		       struct http_read *ret, struct error *err)
{
	const char *text = http_fields_get(&response->headers, "content-length");
	uint64_t total = 0;

	if (!text && length_header)
		text = http_fields_get(&response->headers, length_header);
	if (!text || str_to_u64(str_trim(str_of(text)), &total) < 0)
		return error_set(err, ERR_PROTOCOL, "the service did not say how long the object is");
	if (offset ? offset >= total || length > total - offset : length > total)
		return out_of_object(err);
	if (offset || (length && length < total))
		return error_set(err, ERR_UNSUPPORTED, "the service does not send parts of objects");
	*ret = (struct http_read){ total, total, true };
	return 0;
}

int http_judge_read(const struct http_response *response, uint64_t offset, uint64_t length, const char *length_header,
		    struct http_read *ret, struct error *err)
{
	const char *announced = http_fields_get(&response->headers, "content-length");
	struct http_read read = { 0 };
	uint64_t bytes = 0;
	int r;

	if (response->status == 206)
		r = judge_part(response, offset, length, &read, err);
	else if (response->status == 200)
		r = judge_whole(response, offset, length, length_header, &read, err);
	else
		r = error_set(err, ERR_PROTOCOL, "the service answered a read with status %d", response->status);
	if (r < 0)
		return r;
	if (announced && (str_to_u64(str_trim(str_of(announced)), &bytes) < 0 || bytes != read.body_bytes))
		return wrong_range(err);
	*ret = read;
	return 0;
}
