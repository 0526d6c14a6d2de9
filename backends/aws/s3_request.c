/*
 * One call to S3: built, aimed at the host of its bucket's region, performed, and redone once when
 * the answer tells that the bucket lives elsewhere.
 */
#include "backends/aws/s3_private.h"
#include <stdarg.h>
#include <stdio.h>

void s3_call_release(struct s3_call *c)
{
	http_request_release(&c->request);
	http_response_release(&c->response);
	buf_release(&c->sent);
	buf_release(&c->answer);
}

void s3_call_check(struct s3_call *c, int result)
{
	if (result >= 0 || c->build_result < 0)
		return;
	c->build_result =
		error_set(&c->build_error, result == -EFBIG ? ERR_TOO_LARGE : ERR_NO_MEMORY,
			  "%s: %s", c->request.operation,
			  result == -EFBIG ? "the request grows too large" : "out of memory");
}

static void add_field(struct s3_call *c, struct http_fields *fields, const char *name,
		      const char *value)
{
	struct error err = ERROR_INIT;
	int r;

	if (c->build_result < 0)
		return;
	if (fields == &c->request.query) /* a prefix may hold a line feed */
		r = http_query_add(fields, name, value, &err);
	else
		r = http_fields_add(fields, name, value, &err);
	if (r < 0) {
		c->build_result = r;
		c->build_error = err;
	}
}

static void add_field_format(struct s3_call *c, struct http_fields *fields, const char *name,
			     const char *format, va_list args)
{
	CLEANUP(buf_release) struct buf value = BUF_INIT(16384);
	int r = buf_vaddf(&value, format, args);

	s3_call_check(c, r);
	if (r >= 0)
		add_field(c, fields, name, buf_cstr(&value));
}

void s3_call_header(struct s3_call *c, const char *name, const char *value)
{
	add_field(c, &c->request.headers, name, value);
}

void s3_call_headerf(struct s3_call *c, const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_field_format(c, &c->request.headers, name, format, args);
	va_end(args);
}

void s3_call_query(struct s3_call *c, const char *name, const char *value)
{
	add_field(c, &c->request.query, name, value);
}

void s3_call_queryf(struct s3_call *c, const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_field_format(c, &c->request.query, name, format, args);
	va_end(args);
}

void s3_call_answer(struct s3_call *c, const char *root)
{
	c->answer_root = root;
	c->request.wants_success_check = root != NULL;
	c->request.sink.kind = HTTP_SINK_BUF;
	c->request.sink.buf = &c->answer;
}

void s3_call_send_document(struct s3_call *c)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(64);
	unsigned char digest[HASH_MD5_LEN];

	/* Content-MD5 and not a newer checksum: every S3 server there is knows it. */
	hash_md5(buf_cstr(&c->sent), c->sent.len, digest);
	s3_call_check(c, base64_encode(digest, sizeof(digest), &text));
	s3_call_header(c, "Content-MD5", buf_cstr(&text));
	c->request.body =
		(struct http_body){ .kind = HTTP_BODY_MEM, .mem = buf_str(&c->sent), .fd = -1 };
}

void s3_call_source(struct s3_call *c, const struct store_source *source)
{
	c->request.body = (struct http_body){
		.kind = source->fd >= 0 ? HTTP_BODY_FD : HTTP_BODY_MEM,
		.mem = source->mem,
		.fd = source->fd,
		.offset = source->offset,
		.length = source->length,
		.progress = source->progress,
	};
}

void s3_call_rewind(struct s3_call *c)
{
	http_response_release(&c->response);
	c->response = HTTP_RESPONSE_INIT;
	buf_clear(&c->answer);
}

/* Over https a certificate *.HOST covers one label, and DNS knows no capitals. */
static bool is_virtual_host(const struct s3_store *s, const char *bucket)
{
	size_t len = strlen(bucket);
	const char *allowed = s3_is_https(s) ? "abcdefghijklmnopqrstuvwxyz0123456789-"
					     : "abcdefghijklmnopqrstuvwxyz0123456789-.";

	return s->style == S3_STYLE_VIRTUAL && len >= 3 && len <= 63 && bucket[0] != '-' &&
	       bucket[0] != '.' && bucket[len - 1] != '-' && bucket[len - 1] != '.' &&
	       !strstr(bucket, "..") && strspn(bucket, allowed) == len;
}

static int add_host(struct s3_call *c, unsigned region, struct buf *authority)
{
	struct s3_store *s = c->store;
	const char *name = s3_region_name(s, region);

	if (!s->host)
		return buf_addf(authority, "s3.%s.amazonaws.com%s", name,
				strncmp(name, "cn-", 3) ? "" : ".cn");
	return buf_addf(authority, "%s%s%s", s->host, s->port ? ":" : "", s->port ? s->port : "");
}

static int add_path(struct s3_call *c, bool is_virtual, struct buf *path)
{
	int r = buf_adds(path, c->store->path);

	if (r >= 0 && c->bucket && !is_virtual) {
		r = buf_addc(path, '/');
		if (r >= 0)
			r = url_encode(str_of(c->bucket), URL_ENCODE_SLASH, path);
	}
	/* A bucket by itself has no slash behind it in path style, as the SDKs write it. */
	if (r >= 0 && (c->key || !c->bucket || is_virtual))
		r = buf_addc(path, '/');
	if (r >= 0 && c->key)
		r = url_encode(str_of(c->key), URL_KEEP_SLASH, path);
	return r;
}

int s3_call_aim(struct s3_call *c, unsigned region, struct error *err)
{
	CLEANUP(buf_release) struct buf authority = BUF_INIT(1024);
	CLEANUP(buf_release) struct buf path = BUF_INIT(16384);
	bool is_virtual = c->bucket && is_virtual_host(c->store, c->bucket);
	int r = is_virtual ? buf_addf(&authority, "%s.", c->bucket) : 0;

	if (r >= 0)
		r = add_host(c, region, &authority);
	if (r >= 0)
		r = add_path(c, is_virtual, &path);
	if (r < 0)
		return error_set(err, r == -EFBIG ? ERR_NAME_TOO_LONG : ERR_NO_MEMORY,
				 "the address of a request cannot be built");
	free(c->request.scheme);
	free(c->request.authority);
	free(c->request.path);
	c->request.scheme = strdup(c->store->scheme);
	c->request.authority = buf_detach(&authority);
	c->request.path = buf_detach(&path);
	if (!c->request.scheme || !c->request.authority || !c->request.path)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	c->request.signer = s3_region_signer(c->store, region);
	return 0;
}

/* Over plain http the signature holds the payload's SHA-256. A file is hashed here, on the caller's thread: the signer runs on
 * the engine's, where a big part would hold up every other transfer. */
static int hash_body(struct s3_call *c, struct error *err)
{
	char hash[65];
	int r;

	if (s3_is_https(c->store) || c->request.body.kind != HTTP_BODY_FD || !c->request.signer ||
	    http_fields_get(&c->request.headers, "x-amz-content-sha256"))
		return 0;
	r = sigv4_body_hash(&c->request.body, hash, err);
	if (r < 0)
		return r;
	return http_fields_add(&c->request.headers, "x-amz-content-sha256", hash, err);
}

static int perform_in(struct s3_call *c, unsigned region, struct error *err)
{
	int r = s3_call_aim(c, region, err);

	if (r < 0)
		return r;
	r = hash_body(c, err);
	if (r < 0)
		return r;
	return http_perform(c->store->engine, &c->request, &c->response, err);
}

int s3_call_perform(struct s3_call *c, struct error *err)
{
	struct s3_store *s = c->store;
	unsigned region = s3_region_of(s, c->bucket);
	int r;

	if (s->requester_pays && c->bucket &&
	    !http_fields_get(&c->request.headers, "x-amz-request-payer"))
		s3_call_header(c, "x-amz-request-payer", "requester");
	if (c->build_result < 0) {
		*err = c->build_error;
		return c->build_result;
	}
	c->request.classify = s3_classify;
	c->request.classify_arg = c;
	c->request.ratelimit = &s->ratelimit;
	c->request.store = s->base.name;
	c->request.bucket = c->bucket ? c->bucket : "";
	r = perform_in(c, region, err);
	s3_condition_learn(s, &c->response);
	if (r < 0 && s3_region_learn(c, &region)) {
		s3_call_rewind(c);
		*err = ERROR_INIT;
		r = perform_in(c, region, err);
	}
	if (r < 0 && (s3_error_is(err, "ConditionalRequestConflict") ||
		      s3_error_is(err, "OperationAborted"))) {
		err->kind = ERR_CONFLICT; /* all attempts met it */
		return -error_errnum(ERR_CONFLICT);
	}
	return r;
}
