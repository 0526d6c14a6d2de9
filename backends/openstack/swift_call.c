/*
 * One exchange with Swift: built, performed; and what its headers say.
 */
#include "backends/openstack/swift_private.h"

#include "backends/base/clock.h"
#include "backends/http/url.h"

#include <stdio.h>
#include <strings.h>

void swift_call_release(struct swift_call *c)
{
	service_request_release(&c->request);
	service_answer_release(&c->answer);
	free(c->path);
}

static void stick(struct swift_call *c, int r, const struct error *err)
{
	if (r >= 0 || c->build_result < 0)
		return;
	c->build_result = r;
	c->build_error = *err;
}

void swift_call_aim(struct swift_call *c, const char *container, const char *object)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(16384);
	struct error err = ERROR_INIT;
	int r = 0;

	if (container)
		r = service_path_add(&path, container);
	if (r >= 0 && object)
		r = buf_addc(&path, '/');
	if (r >= 0 && object)
		r = url_encode(str_of(object), URL_KEEP_SLASH, &path);
	(void)snprintf(c->bucket, sizeof c->bucket, "%s", container ? container : "");
	free(c->path);
	c->path = r < 0 ? NULL : buf_detach(&path);
	if (!c->path)
		stick(c, error_set(&err, r == -EFBIG ? ERR_NAME_TOO_LONG : ERR_NO_MEMORY, "the address cannot be built"),
		      &err);
	c->request.path = c->path;
}

void swift_call_header(struct swift_call *c, const char *name, const char *value)
{
	struct error err = ERROR_INIT;

	if (c->build_result >= 0)
		stick(c, http_fields_set(&c->request.headers, name, value, &err), &err);
}

void swift_call_headerf(struct swift_call *c, const char *name, const char *format, ...)
{
	CLEANUP(buf_release) struct buf value = BUF_INIT(16384);
	struct error err = ERROR_INIT;
	va_list args;
	int r;

	va_start(args, format);
	r = buf_vaddf(&value, format, args);
	va_end(args);
	if (r < 0)
		stick(c, error_set(&err, ERR_TOO_LARGE, "a header is too long"), &err);
	else
		swift_call_header(c, name, buf_cstr(&value));
}

void swift_call_query(struct swift_call *c, const char *name, const char *value)
{
	struct error err = ERROR_INIT;

	if (c->build_result >= 0)
		stick(c, http_query_add(&c->request.query, name, value, &err), &err);
}

/* A value holds 256 bytes there; what is longer goes on in NAME-skydir-more-1 and so on. */
#define META_VALUE_MAX 256
#define META_MORE      "-skydir-more-"

/* Where a value is cut, with no blank beside it, as a header's ends are trimmed; all of it when there is no such place. */
static size_t cut_at(const char *value)
{
	size_t len = strlen(value), cut = META_VALUE_MAX;

	if (len <= META_VALUE_MAX)
		return len;
	while (cut && (value[cut] == ' ' || value[cut - 1] == ' '))
		cut--;
	return cut ? cut : len;
}

static void add_meta(struct swift_call *c, const struct store_meta *meta)
{
	const char *rest = meta->value;
	char name[192] = "";

	for (unsigned n = 0; n == 0 || *rest; n++) {
		size_t cut = cut_at(rest);
		int len = n ? snprintf(name, sizeof name, "X-Object-Meta-%s" META_MORE "%u", meta->name, n) :
			      snprintf(name, sizeof name, "X-Object-Meta-%s", meta->name);

		if (len >= (int)sizeof name)
			return; /* no name for metadata that the service would take */
		swift_call_headerf(c, name, "%.*s", (int)cut, rest);
		rest += cut;
	}
}

void swift_call_meta(struct swift_call *c, const struct store_meta *meta, size_t count, const char *content_type)
{
	for (size_t i = 0; i < count; i++)
		add_meta(c, &meta[i]);
	if (content_type)
		swift_call_header(c, "Content-Type", content_type);
}

/* Codes have no names here: statuses and texts are all there is. */
static void refine(const struct http_response *response, struct error *err)
{
	const char *id = http_fields_get(&response->headers, "x-trans-id");

	if (id)
		(void)snprintf(err->request_id, sizeof err->request_id, "%s", id); /* cut off is fine */
	switch (response->status) {
	case 412:
		err->kind = strstr(buf_cstr(&response->error_body), "UTF8") ? ERR_INVALID : ERR_PRECONDITION;
		break;
	case 413:
		err->kind = strstr(buf_cstr(&response->error_body), "quota") ? ERR_QUOTA : ERR_TOO_LARGE;
		break;
	case 422:
		(void)error_set(err, ERR_CORRUPT, "what arrived at the service is not what was sent");
		err->http_status = 422;
		break;
	case 429:
	case 498:
		err->kind = ERR_THROTTLED;
		break;
	case 507:
		err->kind = ERR_UNAVAILABLE;
		break;
	default:
		break;
	}
}

/* Takes the url. */
static void use_url_locked(struct swift_store *s, char *url)
{
	s->url = url;
	s->service = (struct service){ .engine = s->engine,
				       .label = s->base.name,
				       .base_url = url,
				       .dialect = SERVICE_JSON,
				       .signer = s->signer,
				       .ratelimit = &s->ratelimit,
				       .refine = refine };
}

int swift_use_url(struct swift_store *s, const char *url, struct error *err)
{
	struct url parts;
	size_t len = strlen(url);
	char *own;
	int r = url_parse(str_of(url), &parts, err);

	if (r < 0)
		return error_prefix(err, r, "storage-url");
	while (len && url[len - 1] == '/')
		len--;
	own = str_dup((struct str){ url, len });
	if (!own)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	LOCKED(&s->lock);
	use_url_locked(s, own);
	return 0;
}

int swift_locate(struct swift_store *s, struct error *err)
{
	CLEANUP(freep) char *url = NULL;
	int r;

	{
		LOCKED(&s->lock);
		if (s->url)
			return 0;
	}
	r = keystone_endpoint(s->keystone, "object-store", s->region, &url, err); /* may sign in: without the lock */
	if (r < 0)
		return r;
	LOCKED(&s->lock);
	if (!s->url)
		use_url_locked(s, steal(url));
	return 0;
}

int swift_call_perform(struct swift_call *c, struct error *err)
{
	struct swift_store *s = c->store;
	struct cloud_call context = CLOUD_CALL_INIT;
	struct service service;
	int r = swift_locate(s, err);

	if (r < 0)
		return r;
	if (c->build_result < 0) {
		*err = c->build_error;
		return c->build_result;
	}
	service = s->service;
	service.dialect = c->wants_json ? SERVICE_JSON : SERVICE_TEXT;
	context.operation = c->operation;
	c->request.bucket = c->bucket;
	context.cancel = c->cancel;
	context.deadline_mono_ms = c->deadline_mono_ms;
	service_answer_release(&c->answer);
	c->answer = SERVICE_ANSWER_INIT;
	return service_call(&context, &service, &c->request, &c->answer, err);
}

int swift_version_set(const char *etag, char ret[STORE_VERSION_MAX], struct error *err)
{
	struct str s = str_trim(str_of(etag ? etag : ""));

	if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
		s = (struct str){ s.ptr + 1, s.len - 2 };
	if (s.len >= STORE_VERSION_MAX)
		return error_set(err, ERR_PROTOCOL, "the service's ETag is too long");
	memcpy(ret, s.ptr, s.len);
	ret[s.len] = '\0';
	return 0;
}

/* The value with what it goes on in; NULL without memory. */
static const char *whole_value(const struct http_fields *headers, const struct http_field *first, struct arena *arena)
{
	CLEANUP(buf_release) struct buf value = BUF_INIT(65536);
	char name[256];
	const char *more = first->value;

	for (unsigned n = 1; more; n++) {
		if (buf_adds(&value, more) < 0)
			return NULL;
		more = snprintf(name, sizeof name, "%s" META_MORE "%u", first->name, n) < (int)sizeof name ?
			       http_fields_get(headers, name) :
			       NULL;
	}
	return arena_strdup(arena, buf_cstr(&value));
}

static int read_meta(const struct http_fields *headers, struct arena *arena, struct store_object *ret, struct error *err)
{
	static const char prefix[] = "x-object-meta-";
	struct store_meta *meta = arena_alloc(arena, (headers->count + 1) * sizeof *meta);
	size_t count = 0;

	if (!meta)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < headers->count; i++) {
		char *name;

		if (strncasecmp(headers->items[i].name, prefix, sizeof prefix - 1) != 0 ||
		    strcasestr(headers->items[i].name, META_MORE))
			continue;
		name = arena_strdup(arena, headers->items[i].name + sizeof prefix - 1);
		meta[count].value = whole_value(headers, &headers->items[i], arena);
		if (!name || !meta[count].value)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		for (char *c = name; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
		meta[count++].name = name;
	}
	ret->meta = meta;
	ret->meta_count = count;
	ret->has_meta = true;
	return 0;
}

int swift_object_from(const struct http_fields *headers, struct arena *arena, struct store_object *ret, struct error *err)
{
	const char *modified = http_fields_get(headers, "last-modified"), *type = http_fields_get(headers, "content-type"),
		   *stamp = http_fields_get(headers, "x-timestamp"), *version = http_fields_get(headers, "x-object-version-id");
	int64_t modified_s = 0;
	int r = swift_version_set(http_fields_get(headers, "etag"), ret->version, err);

	if (r < 0)
		return r;
	/* Last-Modified is rounded up to seconds; the time stamp is what listings show. */
	if (stamp && strtod(stamp, NULL) > 0)
		ret->modified_wall_ns = (int64_t)(strtod(stamp, NULL) * 1e6) * 1000;
	else if (modified && clock_parse_http(modified, &modified_s) == 0)
		ret->modified_wall_ns = modified_s * INT64_C(1000000000);
	if (type && !(ret->content_type = arena_strdup(arena, type)))
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (version && strcmp(version, "null") != 0 && !(ret->version_id = arena_strdup(arena, version)))
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	return read_meta(headers, arena, ret, err);
}

int swift_check_key(const char *key, struct error *err)
{
	struct str rest = str_of(key);

	while (rest.len) {
		size_t n = str_utf8_char(rest);

		if (!n)
			return error_set(err, ERR_INVALID, "Swift takes names in UTF-8 only");
		rest.ptr += n;
		rest.len -= n;
	}
	return 0;
}

int swift_segments_of(const char *bucket, char ret[SWIFT_BUCKET_MAX + sizeof(SWIFT_SEGMENTS)], struct error *err)
{
	if (strlen(bucket) + sizeof(SWIFT_SEGMENTS) > 256)
		return error_set(err, ERR_NAME_TOO_LONG, "the name of container '%.64s' is too long for large objects", bucket);
	(void)snprintf(ret, SWIFT_BUCKET_MAX + sizeof(SWIFT_SEGMENTS), "%s" SWIFT_SEGMENTS, bucket);
	return 0;
}
