/*
 * Purpose: signs requests for a test that compares with another signer: one JSON object a line in,
 * one out.
 *
 *	{"form": "header" | "query" | "signer", "method", "scheme", "host", "path", "query": [[name,
 * value]...], "headers": [[name, value]...], "body", "payload", "region", "service", "wall_s",
 *"access", "secret", "token", "is_s3", "keeps_path", "omits_token", "expires"}
 *	-> {"canonical", "string_to_sign", "signature", "headers": [[name, value]...], "url"}, or
 *{"error"}
 *
 * "signer" goes through the signer of an exchange, which finds payload and scope out by itself.
 */
#include "backends/auth/sign_sigv4.h"
#include "backends/base/clock.h"
#include "backends/base/json.h"

#include <stdio.h>

static int64_t fixed_wall_s;

static int64_t tool_wall_s(void)
{
	return fixed_wall_s;
}

static int64_t tool_wall_ns(void)
{
	return fixed_wall_s * 1000000000;
}

static uint64_t tool_mono_ns(void)
{
	return 1;
}

static const char *tool_getenv(const char *name)
{
	(void)name;
	return NULL;
}

enum field_kind { FIELD_HEADER, FIELD_QUERY };

static int read_fields(struct json_object *list, enum field_kind kind, struct http_fields *to,
		       struct error *err)
{
	size_t count = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *pair = json_object_array_get_idx(list, i);
		const char *name = json_get_string(pair, "0"), *value = json_get_string(pair, "1");
		int r;

		if (!name || !value)
			return error_set(err, ERR_INVALID, "a field is a pair of texts");
		r = kind == FIELD_QUERY ? http_query_add(to, name, value, err)
					: http_fields_add(to, name, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_method(const char *name, enum http_method *ret, struct error *err)
{
	for (enum http_method m = HTTP_GET; m <= HTTP_PATCH; m++)
		if (name && strcmp(http_method_name(m), name) == 0) {
			*ret = m;
			return 0;
		}
	return error_set(err, ERR_INVALID, "unknown method");
}

static int read_request(struct json_object *o, struct http_request *request, struct error *err)
{
	const char *body = json_get_string(o, "body");
	int r;

	if ((r = read_method(json_get_string(o, "method"), &request->method, err)) < 0 ||
	    (r = read_fields(json_get_array(o, "query"), FIELD_QUERY, &request->query, err)) < 0 ||
	    (r = read_fields(json_get_array(o, "headers"), FIELD_HEADER, &request->headers, err)) <
		    0)
		return r;
	request->scheme = strdup(json_get_string(o, "scheme"));
	request->authority = strdup(json_get_string(o, "host"));
	request->path = strdup(json_get_string(o, "path"));
	if (!request->scheme || !request->authority || !request->path)
		return error_set(err, ERR_NO_MEMORY, "no memory");
	if (body)
		request->body =
			(struct http_body){.kind = HTTP_BODY_MEM, .mem = str_of(body), .fd = -1};
	return 0;
}

static int sign_by_signer(struct json_object *o, struct http_request *request, struct error *err)
{
	struct cred_host host = {.getenv = tool_getenv, .wall_s = tool_wall_s};
	struct cred_aws_options options = {
		.access_key_id = json_get_string(o, "access"),
		.secret_access_key = json_get_string(o, "secret"),
		.session_token = json_get_string(o, "token"),
	};
	struct cred_aws_provider *provider = NULL;
	struct signer *signer = NULL;
	int r = cred_aws_provider_new(&host, &options, &provider, err);

	if (r == 0 &&
	    (r = sigv4_signer_new(provider, json_get_string(o, "region"),
				  json_get_string(o, "service"), &signer, err)) == 0 &&
	    (r = signer->ops->prepare(signer, err)) == 0)
		r = signer->ops->sign(signer, request, err);
	signer_free(signer);
	cred_aws_provider_free(provider);
	return r;
}

static void add_text(struct json_object *to, const char *key, const char *text)
{
	json_object_object_add(to, key, json_object_new_string(text));
}

static int answer(struct json_object *o, struct json_object *to, struct error *err)
{
	CLEANUP(http_request_release) struct http_request request = HTTP_REQUEST_INIT;
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;
	CLEANUP(buf_release) struct buf canonical = BUF_INIT(1 << 20), names = BUF_INIT(1 << 20);
	CLEANUP(buf_release) struct buf to_sign = BUF_INIT(1 << 20), url = BUF_INIT(1 << 20);
	const char *form = json_get_string(o, "form"), *payload = json_get_string(o, "payload");
	struct sigv4_scope scope = {
		.region = json_get_string(o, "region"),
		.service = json_get_string(o, "service"),
		.wall_s = json_get_int64(o, "wall_s", 0),
		.is_s3_path = json_get_bool(o, "is_s3", false),
		.keeps_path = json_get_bool(o, "keeps_path", false),
		.omits_token = json_get_bool(o, "omits_token", false),
		.expires_s = (uint64_t)json_get_int64(o, "expires", 3600),
	};
	struct json_object *headers = json_object_new_array();
	const char *sent;
	char signature[65];
	int r;

	json_object_object_add(to, "headers", headers);
	fixed_wall_s = scope.wall_s;
	cred.access_key_id = strdup(json_get_string(o, "access"));
	if (!cred.access_key_id ||
	    secret_set(&cred.secret_access_key, str_of(json_get_string(o, "secret"))) < 0 ||
	    secret_set(&cred.session_token, str_of(json_get_string(o, "token"))) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory");
	if ((r = read_request(o, &request, err)) < 0)
		return r;
	if (strcmp(form, "signer") == 0)
		r = sign_by_signer(o, &request, err);
	else if (strcmp(form, "query") == 0)
		r = sigv4_presign(&request, &scope, &cred, &url, err);
	else
		r = sigv4_sign_headers(&request, &scope, &cred, payload, err);
	if (r < 0)
		return r;
	sent = http_fields_get(&request.signed_headers, "x-amz-content-sha256");
	payload = sent ? sent : payload ? payload : "";
	if ((r = sigv4_canonical_request(&request, &scope, payload, &canonical, &names, err)) < 0 ||
	    (r = sigv4_string_to_sign(&scope, buf_str(&canonical), &to_sign, err)) < 0)
		return r;
	(void)sigv4_signature(&scope, &cred, buf_str(&to_sign), signature);
	add_text(to, "canonical", buf_cstr(&canonical));
	add_text(to, "string_to_sign", buf_cstr(&to_sign));
	add_text(to, "signature", signature);
	add_text(to, "url", buf_cstr(&url));
	for (size_t i = 0; i < request.signed_headers.count; i++) {
		struct json_object *pair = json_object_new_array();

		json_object_array_add(pair,
				      json_object_new_string(request.signed_headers.items[i].name));
		json_object_array_add(
			pair, json_object_new_string(request.signed_headers.items[i].value));
		json_object_array_add(headers, pair);
	}
	return 0;
}

int main(void)
{
	static const struct clock_source source = {.mono_ns = tool_mono_ns,
						   .wall_ns = tool_wall_ns};
	char *line = NULL;
	size_t capacity = 0;
	ssize_t len;

	clock_set(&source);
	while ((len = getline(&line, &capacity, stdin)) > 0) {
		CLEANUP(json_putp) struct json_object *o = NULL;
		CLEANUP(json_putp) struct json_object *to = json_object_new_object();
		struct error err = ERROR_INIT;
		int r = json_parse(str_trim((struct str){line, (size_t)len}), 1 << 20, &o, &err);

		if (r == 0)
			r = answer(o, to, &err);
		if (r < 0)
			add_text(to, "error", err.message);
		(void)puts(json_object_to_json_string_ext(to, JSON_C_TO_STRING_PLAIN));
	}
	free(line);
	return fflush(stdout) == 0 ? 0 : 1;
}
