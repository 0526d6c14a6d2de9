/*
 * One call to the blob or the Data Lake endpoint: built, aimed, performed.
 *
 * Source: learn.microsoft.com/rest/api/storageservices/blob-service-rest-api (2026-11).
 */
#include "backends/azure/blob_private.h"
#include <stdarg.h>
#include <stdio.h>

void az_call_release(struct az_call *c)
{
	http_request_release(&c->request);
	http_response_release(&c->response);
	buf_release(&c->sent);
	buf_release(&c->answer);
}

void az_call_check(struct az_call *c, int result)
{
	if (result >= 0 || c->build_result < 0)
		return;
	c->build_result = error_set(&c->build_error, result == -EFBIG ? ERR_TOO_LARGE : ERR_NO_MEMORY, "%s: %s",
				    c->request.operation,
				    result == -EFBIG ? "the request grows too large" : "out of memory");
}

static void stick(struct az_call *c, int result, const struct error *err)
{
	if (result >= 0 || c->build_result < 0)
		return;
	c->build_result = result;
	c->build_error = *err;
}

void az_call_header(struct az_call *c, const char *name, const char *value)
{
	struct error err = ERROR_INIT;

	stick(c, http_fields_add(&c->request.headers, name, value, &err), &err);
}

void az_call_headerf(struct az_call *c, const char *name, const char *format, ...)
{
	CLEANUP(buf_release) struct buf value = BUF_INIT(16384);
	va_list args;
	int r;

	va_start(args, format);
	r = buf_vaddf(&value, format, args);
	va_end(args);
	az_call_check(c, r);
	if (r >= 0)
		az_call_header(c, name, buf_cstr(&value));
}

void az_call_query(struct az_call *c, const char *name, const char *value)
{
	struct error err = ERROR_INIT;

	stick(c, http_query_add(&c->request.query, name, value, &err), &err);
}

void az_call_answer(struct az_call *c, const char *root)
{
	c->root = root;
	c->request.wants_success_check = root != NULL;
	c->request.sink.kind = HTTP_SINK_BUF;
	c->request.sink.buf = &c->answer;
}

void az_call_send(struct az_call *c, const char *content_type)
{
	az_call_header(c, "Content-Type", content_type);
	c->request.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = buf_str(&c->sent), .fd = -1 };
}

/* As the service writes them: base64, and a CRC with its least byte first. */
static int add_checksum(struct az_call *c, const struct store_source *source, struct error *err)
{
	enum hash_kind kind = c->store->has_crc64 ? HASH_CRC64NVME : HASH_MD5;
	CLEANUP(buf_release) struct buf text = BUF_INIT(64);
	unsigned char digest[32];
	int len = store_source_digest(source, kind, digest, err);

	if (len < 0)
		return len;
	for (int i = 0; kind == HASH_CRC64NVME && i < len / 2; i++) {
		unsigned char byte = digest[i];

		digest[i] = digest[len - 1 - i];
		digest[len - 1 - i] = byte;
	}
	az_call_check(c, base64_encode(digest, (size_t)len, &text));
	az_call_header(c, kind == HASH_MD5 ? "Content-MD5" : "x-ms-content-crc64", buf_cstr(&text));
	return 0;
}

int az_call_source(struct az_call *c, const struct store_source *source, struct error *err)
{
	int r = store_source_length(source) ? add_checksum(c, source, err) : 0;

	if (r < 0)
		return r;
	c->request.body = (struct http_body){
		.kind = source->fd >= 0 ? HTTP_BODY_FD : HTTP_BODY_MEM,
		.mem = source->mem,
		.fd = source->fd,
		.offset = source->offset,
		.length = source->length,
		.progress = source->progress,
	};
	return 0;
}

void az_call_condition(struct az_call *c, const char *if_version, bool if_absent)
{
	if (if_absent)
		az_call_header(c, "If-None-Match", "*");
	else if (if_version && *if_version)
		az_call_headerf(c, "If-Match", "\"%s\"", if_version);
}

/* The blob's name as it goes into a path; a directory's without the '/' it ends in. */
static int add_name(const char *key, bool is_directory, struct buf *path)
{
	CLEANUP(buf_release) struct buf name = BUF_INIT(8192);
	struct str text = str_of(key);
	int r;

	if (is_directory && text.len && text.ptr[text.len - 1] == '/')
		text.len--;
	r = az_name_encode(text, &name);
	return r < 0 ? r : url_encode(buf_str(&name), URL_KEEP_SLASH, path);
}

static int add_path(const struct az_endpoint *at, const char *container, const char *key,
		    bool is_directory, struct buf *path)
{
	int r = buf_adds(path, at->path);

	if (r == 0)
		r = buf_addc(path, '/');
	if (r == 0 && container)
		r = url_encode(str_of(container), URL_ENCODE_SLASH, path);
	if (r == 0 && key)
		r = buf_addc(path, '/');
	return r == 0 && key ? add_name(key, is_directory, path) : r;
}

int az_call_aim(struct az_call *c, struct error *err)
{
	const struct az_endpoint *at = c->face == AZ_DFS ? &c->store->dfs : &c->store->blob;
	CLEANUP(buf_release) struct buf path = BUF_INIT(32768);
	int r = add_path(at, c->container, c->key, c->is_directory, &path);

	if (r < 0)
		return error_set(err, r == -EFBIG ? ERR_NAME_TOO_LONG : ERR_NO_MEMORY,
				 "the address of a request cannot be built");
	free(c->request.scheme);
	free(c->request.authority);
	free(c->request.path);
	c->request.scheme = strdup(at->scheme);
	c->request.authority = strdup(at->authority);
	c->request.path = buf_detach(&path);
	if (!c->request.scheme || !c->request.authority || !c->request.path)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	return 0;
}

int az_call_perform(struct az_call *c, struct error *err)
{
	struct az_store *s = c->store;
	int r;

	if (!http_fields_get(&c->request.headers, "x-ms-version"))
		az_call_header(c, "x-ms-version", AZ_API_VERSION);
	if (c->build_result < 0) {
		*err = c->build_error;
		return c->build_result;
	}
	r = az_call_aim(c, err);
	if (r < 0)
		return r;
	c->request.signer = cred_azure_signer(s->cred);
	c->request.classify = az_classify;
	c->request.classify_arg = c;
	c->request.ratelimit = &s->ratelimit;
	c->request.store = s->base.name;
	c->request.bucket = c->container ? c->container : "";
	return http_perform(s->engine, &c->request, &c->response, err);
}

const char *az_answer_header(const struct az_call *c, const char *name)
{
	return http_fields_get(&c->response.headers, name);
}

int az_source_url(struct az_store *s, const char *container, const char *key, bool wants_sas,
		  struct buf *ret, struct error *err)
{
	CLEANUP(buf_release) struct buf sas = BUF_INIT(8192);
	const char *given = cred_azure_sas(s->cred);
	int r = 0;

	if (given)
		r = buf_adds(&sas, given);
	else if (wants_sas && cred_azure_kind(s->cred) == CRED_AZURE_KEY)
		r = az_sas(s, container, key, "r", 3600, &sas, err);
	if (r < 0)
		return r == -ENOMEM ? error_set(err, ERR_NO_MEMORY, "out of memory") : r;
	if (buf_addf(ret, "%s://%s", s->blob.scheme, s->blob.authority) < 0 ||
	    add_path(&s->blob, container, key, false, ret) < 0 ||
	    (sas.len && buf_addf(ret, "?%s", buf_cstr(&sas)) < 0))
		return error_set(err, ERR_TOO_LARGE, "the address of what is copied is too long");
	return 0;
}

int az_call_copy_source(struct az_call *c, const char *container, const char *key, bool authorizes,
			struct error *err)
{
	CLEANUP(buf_release) struct buf url = BUF_INIT(16384);
	CLEANUP(cred_buf_wipe) struct buf bearer = BUF_INIT(0);
	int r = az_source_url(c->store, container, key, authorizes, &url, err);

	if (r < 0)
		return r;
	az_call_header(c, "x-ms-copy-source", buf_cstr(&url));
	if (!authorizes || cred_azure_kind(c->store->cred) != CRED_AZURE_TOKEN)
		return 0;
	r = cred_azure_bearer(c->store->cred, &bearer, err);
	if (r >= 0)
		az_call_header(c, "x-ms-copy-source-authorization", buf_cstr(&bearer));
	return r;
}
