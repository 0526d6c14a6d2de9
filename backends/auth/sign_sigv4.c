/*
 * The stages of Signature Version 4. Every stage is a function of the request as it will be sent,
 * so that it can be run again after signing and give the same text: what the signature itself adds
 * (Authorization, X-Amz-Signature, and the token where scope->omits_token) is left out by name.
 */
#include "backends/auth/sign_sigv4.h"
#include "backends/base/arena.h"
#include "backends/base/clock.h"
#include "backends/http/url.h"

#include <stdio.h>

#define SIGV4_ALGORITHM	    "AWS4-HMAC-SHA256"
#define SIGV4_MAX_BYTES	    (1 << 20) /* of a canonical request: far over what any service takes */
#define SIGV4_MAX_FIELDS    4096
#define SIGV4_MAX_EXPIRES_S 604800 /* seven days: the services' limit */

struct sigv4_field {
	char *name, *value;
	size_t position; /* keeps equal header names in the order they are sent */
};

/* Headers that hops change or add, and the signature's own. */
static const char *const unsigned_headers[] = {
	"accept-encoding",
	"authorization",
	"baggage",
	"connection",
	"expect",
	"host",
	"keep-alive",
	"proxy-authenticate",
	"proxy-authorization",
	"te",
	"traceparent",
	"tracestate",
	"trailer",
	"transfer-encoding",
	"upgrade",
	"user-agent",
	"x-amzn-trace-id",
};

static int cannot_build(struct error *err, int r)
{
	if (r == -EFBIG)
		return error_set(err, ERR_TOO_LARGE, "the request is too long to be signed");
	return error_set(err, ERR_NO_MEMORY, "no memory to sign a request");
}

static bool is_signed_header(const char *lower_name, const struct sigv4_scope *scope)
{
	if (scope->omits_token && strcmp(lower_name, "x-amz-security-token") == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(unsigned_headers); i++)
		if (strcmp(lower_name, unsigned_headers[i]) == 0)
			return false;
	return true;
}

static bool is_signed_query(const char *name, const struct sigv4_scope *scope)
{
	if (scope->omits_token && strcmp(name, "X-Amz-Security-Token") == 0)
		return false;
	return strcmp(name, "X-Amz-Signature") != 0;
}

/* "/a//b/../c/" into "/a/c/": dot segments and empty ones go, a final slash stays where anything
 * stands before it. */
static int add_normalised_path(struct buf *out, const char *path)
{
	struct str rest = str_of(path);
	struct str segment;
	bool ends_in_slash = rest.len > 0 && rest.ptr[rest.len - 1] == '/';
	int r;

	while ((segment = str_split(&rest, '/')).ptr) {
		if (segment.len == 0 || str_equal(segment, STR(".")))
			continue;
		if (str_equal(segment, STR(".."))) {
			const char *slash = out->len ? memrchr(out->data, '/', out->len) : NULL;

			if (slash) {
				out->len = (size_t)(slash - out->data);
				out->data[out->len] = '\0';
			}
			continue;
		}
		if ((r = buf_addc(out, '/')) < 0 || (r = buf_add_str(out, segment)) < 0)
			return r;
	}
	return out->len == 0 || ends_in_slash ? buf_addc(out, '/') : 0;
}

static int add_path(struct buf *out, const char *path, const struct sigv4_scope *scope)
{
	CLEANUP(buf_release) struct buf normal = BUF_INIT(SIGV4_MAX_BYTES);
	int r;

	if (!path || !*path)
		path = "/";
	if (scope->is_s3_path)
		return buf_adds(out, path);
	r = scope->keeps_path ? buf_adds(&normal, path) : add_normalised_path(&normal, path);
	if (r < 0)
		return r;
	return url_encode(buf_str(&normal), URL_KEEP_SLASH, out);
}

static int compare_pairs(const void *left, const void *right)
{
	const struct sigv4_field *a = left, *b = right;
	int r = strcmp(a->name, b->name);

	return r ? r : strcmp(a->value, b->value);
}

static int compare_headers(const void *left, const void *right)
{
	const struct sigv4_field *a = left, *b = right;
	int r = strcmp(a->name, b->name);

	return r ? r : a->position < b->position ? -1 : 1;
}

static char *encoded_copy(struct arena *arena, struct buf *scratch, const char *text)
{
	buf_clear(scratch);
	if (url_encode(str_of(text), URL_ENCODE_SLASH, scratch) < 0)
		return NULL;
	return arena_strndup(arena, buf_cstr(scratch), scratch->len);
}

static int collect_query(const struct http_fields *from, const struct sigv4_scope *scope,
			 struct arena *arena, struct buf *scratch, struct sigv4_field *fields,
			 size_t *count)
{
	for (size_t i = 0; i < from->count; i++) {
		struct sigv4_field *f = &fields[*count];

		if (!is_signed_query(from->items[i].name, scope))
			continue;
		f->name = encoded_copy(arena, scratch, from->items[i].name);
		f->value = encoded_copy(arena, scratch,
					from->items[i].value ? from->items[i].value : "");
		if (!f->name || !f->value)
			return -EFBIG;
		(*count)++;
	}
	return 0;
}

static int add_query(struct buf *out, const struct http_request *request,
		     const struct sigv4_scope *scope)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(2 * SIGV4_MAX_BYTES);
	CLEANUP(buf_release) struct buf scratch = BUF_INIT(SIGV4_MAX_BYTES);
	size_t total = request->query.count + request->signed_query.count, count = 0;
	struct sigv4_field *fields;
	int r;

	if (total == 0)
		return 0;
	if (total > SIGV4_MAX_FIELDS)
		return -EFBIG;
	fields = arena_alloc(&arena, total * sizeof(*fields));
	if (!fields)
		return -ENOMEM;
	if ((r = collect_query(&request->query, scope, &arena, &scratch, fields, &count)) < 0 ||
	    (r = collect_query(&request->signed_query, scope, &arena, &scratch, fields, &count)) <
		    0)
		return r;
	qsort(fields, count, sizeof(*fields), compare_pairs);
	for (size_t i = 0; i < count; i++) {
		if ((i > 0 && (r = buf_addc(out, '&')) < 0) ||
		    (r = buf_adds(out, fields[i].name)) < 0 || (r = buf_addc(out, '=')) < 0 ||
		    (r = buf_adds(out, fields[i].value)) < 0)
			return r;
	}
	return 0;
}

/* White space at both ends goes, runs of it inside become one space. */
static int add_trimmed(struct buf *out, const char *value)
{
	bool has_text = false, has_gap = false;
	int r;

	for (; *value; value++) {
		if (strchr(" \t\v\f", *value)) {
			has_gap = has_text;
			continue;
		}
		if (has_gap && (r = buf_addc(out, ' ')) < 0)
			return r;
		if ((r = buf_addc(out, *value)) < 0)
			return r;
		has_text = true;
		has_gap = false;
	}
	return 0;
}

static char *lower_copy(struct arena *arena, const char *name)
{
	char *copy = arena_strdup(arena, name);

	for (char *c = copy; c && *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return copy;
}

static int collect_headers(const struct http_fields *from, const struct sigv4_scope *scope,
			   struct arena *arena, struct sigv4_field *fields, size_t *count)
{
	for (size_t i = 0; i < from->count; i++) {
		struct sigv4_field *f = &fields[*count];

		f->name = lower_copy(arena, from->items[i].name);
		if (!f->name)
			return -EFBIG;
		if (!is_signed_header(f->name, scope))
			continue;
		f->value = from->items[i].value;
		f->position = *count;
		(*count)++;
	}
	return 0;
}

static int write_headers(struct buf *out, struct buf *names, const struct sigv4_field *fields,
			 size_t count)
{
	int r;

	for (size_t i = 0; i < count; i++) {
		bool is_repeated = i > 0 && strcmp(fields[i].name, fields[i - 1].name) == 0;

		if (is_repeated) {
			r = buf_addc(out, ',');
		} else if ((r = i > 0 ? buf_addc(out, '\n') : 0) == 0 &&
			   (r = i > 0 ? buf_addc(names, ';') : 0) == 0 &&
			   (r = buf_adds(names, fields[i].name)) == 0 &&
			   (r = buf_adds(out, fields[i].name)) == 0) {
			r = buf_addc(out, ':');
		}
		if (r < 0 || (r = add_trimmed(out, fields[i].value)) < 0)
			return r;
	}
	return buf_addc(out, '\n');
}

static int add_headers(struct buf *out, struct buf *names, const struct http_request *request,
		       const struct sigv4_scope *scope)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(2 * SIGV4_MAX_BYTES);
	size_t total = request->headers.count + request->signed_headers.count + 1, count = 0;
	const char *host =
		http_fields_get(&request->headers, "Host"); /* sent instead, where given */
	struct sigv4_field *fields;
	int r;

	if (total > SIGV4_MAX_FIELDS)
		return -EFBIG;
	fields = arena_alloc(&arena, total * sizeof(*fields));
	if (!fields)
		return -ENOMEM;
	fields[count++] = (struct sigv4_field){
		.name = arena_strdup(&arena, "host"),
		.value = (char *)(uintptr_t)(host ? host : request->authority)};
	if (!fields[0].name)
		return -ENOMEM;
	if ((r = collect_headers(&request->headers, scope, &arena, fields, &count)) < 0 ||
	    (r = collect_headers(&request->signed_headers, scope, &arena, fields, &count)) < 0)
		return r;
	qsort(fields, count, sizeof(*fields), compare_headers);
	return write_headers(out, names, fields, count);
}

int sigv4_canonical_request(const struct http_request *request, const struct sigv4_scope *scope,
			    const char *payload_hash, struct buf *ret,
			    struct buf *ret_signed_headers, struct error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(SIGV4_MAX_BYTES);
	CLEANUP(buf_release) struct buf names = BUF_INIT(SIGV4_MAX_BYTES);
	int r;

	assert(request->authority);
	if ((r = buf_addf(&text, "%s\n", http_method_name(request->method))) < 0 ||
	    (r = add_path(&text, request->path, scope)) < 0 || (r = buf_addc(&text, '\n')) < 0 ||
	    (r = add_query(&text, request, scope)) < 0 || (r = buf_addc(&text, '\n')) < 0 ||
	    (r = add_headers(&text, &names, request, scope)) < 0 ||
	    (r = buf_addc(&text, '\n')) < 0 || (r = buf_add_str(&text, buf_str(&names))) < 0 ||
	    (r = buf_addc(&text, '\n')) < 0 || (r = buf_adds(&text, payload_hash)) < 0)
		return cannot_build(err, r);
	buf_clear(ret);
	buf_clear(ret_signed_headers);
	if ((r = buf_add_str(ret, buf_str(&text))) < 0 ||
	    (r = buf_add_str(ret_signed_headers, buf_str(&names))) < 0)
		return cannot_build(err, r);
	return 0;
}

int sigv4_string_to_sign(const struct sigv4_scope *scope, struct str canonical_request,
			 struct buf *ret, struct error *err)
{
	unsigned char digest[HASH_SHA256_LEN];
	char hex[2 * HASH_SHA256_LEN + 1], date[17];
	int r;

	hash_sha256(canonical_request.ptr, canonical_request.len, digest);
	hex_encode(digest, sizeof(digest), hex);
	clock_format_basic(scope->wall_s, date);
	buf_clear(ret);
	r = buf_addf(ret, SIGV4_ALGORITHM "\n%s\n%.8s/%s/%s/aws4_request\n%s", date, date,
		     scope->region, scope->service, hex);
	return r < 0 ? cannot_build(err, r) : 0;
}

int sigv4_signature(const struct sigv4_scope *scope, const struct cred_aws *cred,
		    struct str string_to_sign, char ret_hex[65])
{
	unsigned char key[HASH_SHA256_LEN];
	size_t secret_len = cred->secret_access_key.len;
	char *first = malloc(secret_len + 4);
	char date[17];

	if (!first)
		return -ENOMEM;
	memcpy(first, "AWS4", 4);
	memcpy(first + 4, secret_str(&cred->secret_access_key).ptr, secret_len);
	clock_format_basic(scope->wall_s, date);
	hash_hmac_sha256(first, secret_len + 4, date, 8, key);
	explicit_bzero(first, secret_len + 4);
	free(first);
	hash_hmac_sha256(key, sizeof(key), scope->region, strlen(scope->region), key);
	hash_hmac_sha256(key, sizeof(key), scope->service, strlen(scope->service), key);
	hash_hmac_sha256(key, sizeof(key), "aws4_request", strlen("aws4_request"), key);
	hash_hmac_sha256(key, sizeof(key), string_to_sign.ptr, string_to_sign.len, key);
	hex_encode(key, sizeof(key), ret_hex);
	explicit_bzero(key, sizeof(key));
	return 0;
}

/* The three stages at once. */
static int sign_request(const struct http_request *request, const struct sigv4_scope *scope,
			const struct cred_aws *cred, const char *payload_hash,
			struct buf *ret_names, char ret_hex[65], struct error *err)
{
	CLEANUP(buf_release) struct buf canonical = BUF_INIT(SIGV4_MAX_BYTES);
	CLEANUP(buf_release) struct buf to_sign = BUF_INIT(4096);
	int r;

	if ((r = sigv4_canonical_request(request, scope, payload_hash, &canonical, ret_names,
					 err)) < 0 ||
	    (r = sigv4_string_to_sign(scope, buf_str(&canonical), &to_sign, err)) < 0)
		return r;
	r = sigv4_signature(scope, cred, buf_str(&to_sign), ret_hex);
	return r < 0 ? cannot_build(err, r) : 0;
}

static int refuse_own_headers(const struct http_request *request, struct error *err)
{
	static const char *const own[] = {"Authorization", "X-Amz-Date", "X-Amz-Security-Token"};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (http_fields_get(&request->headers, own[i]))
			return error_set(err, ERR_INVALID, "header '%s' is the signer's", own[i]);
	return 0;
}

int sigv4_sign_headers(struct http_request *request, const struct sigv4_scope *scope,
		       const struct cred_aws *cred, const char *payload_hash, struct error *err)
{
	CLEANUP(buf_release) struct buf names = BUF_INIT(SIGV4_MAX_BYTES);
	CLEANUP(buf_release) struct buf value = BUF_INIT(SIGV4_MAX_BYTES);
	const char *given = http_fields_get(&request->headers, "x-amz-content-sha256");
	struct http_fields *to = &request->signed_headers;
	char date[17], signature[65];
	int r;

	assert(cred->access_key_id);
	if ((r = refuse_own_headers(request, err)) < 0)
		return r;
	if (given)
		payload_hash = given;
	clock_format_basic(scope->wall_s, date);
	if ((r = http_fields_set(to, "X-Amz-Date", date, err)) < 0)
		return r;
	if (secret_is_set(&cred->session_token) &&
	    (r = http_fields_set(to, "X-Amz-Security-Token", secret_str(&cred->session_token).ptr,
				 err)) < 0)
		return r;
	if (scope->is_s3_path && !given &&
	    (r = http_fields_set(to, "x-amz-content-sha256", payload_hash, err)) < 0)
		return r;
	if ((r = sign_request(request, scope, cred, payload_hash, &names, signature, err)) < 0)
		return r;
	r = buf_addf(&value,
		     SIGV4_ALGORITHM
		     " Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
		     cred->access_key_id, date, scope->region, scope->service, buf_cstr(&names),
		     signature);
	if (r < 0)
		return cannot_build(err, r);
	return http_fields_set(to, "Authorization", buf_cstr(&value), err);
}

int sigv4_body_hash(const struct http_body *body, char ret_hex[65], struct error *err)
{
	unsigned char digest[HASH_SHA256_LEN];

	if (body->kind == HTTP_BODY_FD) {
		int r = hash_fd(HASH_SHA256, body->fd, body->offset, body->length, digest);

		if (r < 0)
			return error_errno(err, -r, "cannot read the body to sign it");
	} else {
		struct str mem = body->kind == HTTP_BODY_MEM ? body->mem : STR("");

		hash_sha256(mem.ptr ? mem.ptr : "", mem.len, digest);
	}
	hex_encode(digest, sizeof(digest), ret_hex);
	return 0;
}

static int add_presign_query(struct http_request *request, const struct sigv4_scope *scope,
			     const struct cred_aws *cred, struct error *err)
{
	CLEANUP(buf_release) struct buf unused = BUF_INIT(SIGV4_MAX_BYTES);
	CLEANUP(buf_release) struct buf names = BUF_INIT(SIGV4_MAX_BYTES);
	struct http_fields *to = &request->signed_query;
	char date[17];
	int r;

	clock_format_basic(scope->wall_s, date);
	if ((r = add_headers(&unused, &names, request, scope)) < 0)
		return cannot_build(err, r);
	if ((r = http_query_add(to, "X-Amz-Algorithm", SIGV4_ALGORITHM, err)) < 0 ||
	    (r = http_fields_addf(to, err, "X-Amz-Credential", "%s/%.8s/%s/%s/aws4_request",
				  cred->access_key_id, date, scope->region, scope->service)) < 0 ||
	    (r = http_query_add(to, "X-Amz-Date", date, err)) < 0 ||
	    (r = http_fields_addf(to, err, "X-Amz-Expires", "%llu",
				  (unsigned long long)scope->expires_s)) < 0 ||
	    (r = http_query_add(to, "X-Amz-SignedHeaders", buf_cstr(&names), err)) < 0)
		return r;
	if (secret_is_set(&cred->session_token))
		return http_query_add(to, "X-Amz-Security-Token",
				      secret_str(&cred->session_token).ptr, err);
	return 0;
}

static int add_url_query(struct buf *out, const struct http_fields *fields, char *separator)
{
	int r;

	for (size_t i = 0; i < fields->count; i++) {
		const char *value = fields->items[i].value;

		if ((r = buf_addc(out, *separator)) < 0 ||
		    (r = url_encode(str_of(fields->items[i].name), URL_ENCODE_SLASH, out)) < 0 ||
		    (r = buf_addc(out, '=')) < 0 ||
		    (r = url_encode(str_of(value ? value : ""), URL_ENCODE_SLASH, out)) < 0)
			return r;
		*separator = '&';
	}
	return 0;
}

int sigv4_presign(struct http_request *request, const struct sigv4_scope *scope,
		  const struct cred_aws *cred, struct buf *ret_url, struct error *err)
{
	CLEANUP(buf_release) struct buf names = BUF_INIT(SIGV4_MAX_BYTES);
	const char *given = http_fields_get(&request->headers, "x-amz-content-sha256");
	char hash[65] = "UNSIGNED-PAYLOAD", signature[65], separator = '?';
	int r;

	assert(cred->access_key_id);
	if (scope->expires_s == 0 || scope->expires_s > SIGV4_MAX_EXPIRES_S)
		return error_set(err, ERR_INVALID, "a signed URL is good for 1 s to 7 days");
	if ((r = refuse_own_headers(request, err)) < 0)
		return r;
	http_fields_release(&request->signed_headers);
	http_fields_release(&request->signed_query);
	request->signed_headers = request->signed_query = (struct http_fields){0};
	if (!given && !scope->is_s3_path && (r = sigv4_body_hash(&request->body, hash, err)) < 0)
		return r;
	if ((r = add_presign_query(request, scope, cred, err)) < 0 ||
	    (r = sign_request(request, scope, cred, given ? given : hash, &names, signature, err)) <
		    0 ||
	    (r = http_query_add(&request->signed_query, "X-Amz-Signature", signature, err)) < 0)
		return r;
	buf_clear(ret_url);
	if ((r = buf_addf(ret_url, "%s://%s%s", request->scheme, request->authority,
			  request->path && *request->path ? request->path : "/")) < 0 ||
	    (r = add_url_query(ret_url, &request->query, &separator)) < 0 ||
	    (r = add_url_query(ret_url, &request->signed_query, &separator)) < 0)
		return cannot_build(err, r);
	return 0;
}
