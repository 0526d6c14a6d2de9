/*
 * Purpose: what the Azure store makes of requests, names and shared access signatures, for tests that compare with the
 *	vendor's own library: one JSON object a line in, one out.
 *
 *	{"form": "sign", "method", "scheme", "host", "path", "query": [[name, value]...], "headers": [[name, value]...],
 *	 "body", "account", "key", "wall_s"} -> {"string_to_sign", "authorization", "date"}
 *	{"form": "sas", "account", "key", "container", "blob", "permissions", "start", "expires", "is_https_only"}
 *	-> {"string_to_sign", "query": [[name, value]...]}
 *	or {"error"}
 */
#include "backends/auth/sign_sharedkey.h"
#include "backends/base/json.h"

#include <stdio.h>

static int read_fields(struct json_object *list, struct http_fields *to, struct error *err)
{
	size_t count = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *pair = json_object_array_get_idx(list, i);
		const char *name = json_get_string(pair, "0"), *value = json_get_string(pair, "1");
		int r;

		if (!name || !value)
			return error_set(err, ERR_INVALID, "a field is a pair of texts");
		r = http_query_add(to, name, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void add_text(struct json_object *to, const char *key, const char *text)
{
	json_object_object_add(to, key, json_object_new_string(text ? text : ""));
}

static int do_sign(struct json_object *o, const struct sharedkey *key, struct json_object *to,
		   struct error *err)
{
	CLEANUP(http_request_release) struct http_request request = HTTP_REQUEST_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	const char *body = json_get_string(o, "body"), *method = json_get_string(o, "method");
	int r;

	for (enum http_method m = HTTP_GET; m <= HTTP_PATCH; m++)
		if (!strcmp(http_method_name(m), method))
			request.method = m;
	request.scheme = strdup(json_get_string(o, "scheme"));
	request.authority = strdup(json_get_string(o, "host"));
	request.path = strdup(json_get_string(o, "path"));
	if (body)
		request.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = str_of(body), .fd = -1 };
	if ((r = read_fields(json_get_array(o, "query"), &request.query, err)) < 0 ||
	    (r = read_fields(json_get_array(o, "headers"), &request.headers, err)) < 0 ||
	    (r = sharedkey_sign(key, json_get_int64(o, "wall_s", 0), &request, err)) < 0)
		return r;
	r = sharedkey_string_to_sign(&request, key->account, &text, err);
	add_text(to, "string_to_sign", buf_cstr(&text));
	add_text(to, "authorization", http_fields_get(&request.signed_headers, "Authorization"));
	add_text(to, "date", http_fields_get(&request.signed_headers, "x-ms-date"));
	return r;
}

static int do_sas(struct json_object *o, const struct sharedkey *key, struct json_object *to,
		  struct error *err)
{
	CLEANUP(http_fields_release) struct http_fields query = { 0 };
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	struct json_object *list = json_object_new_array();
	const struct sas_args args = { .account = key->account,
				       .container = json_get_string(o, "container"),
				       .blob = json_get_string(o, "blob"),
				       .permissions = json_get_string(o, "permissions"),
				       .start_wall_s = json_get_int64(o, "start", 0),
				       .expires_wall_s = json_get_int64(o, "expires", 0),
				       .is_https_only = json_get_bool(o, "is_https_only", false) };
	int r = sas_string_to_sign(&args, &text, err);

	if (r == 0)
		r = sas_sign(&args, secret_str(&key->key), &query, err);
	add_text(to, "string_to_sign", buf_cstr(&text));
	for (size_t i = 0; i < query.count; i++) {
		struct json_object *pair = json_object_new_array();

		json_object_array_add(pair, json_object_new_string(query.items[i].name));
		json_object_array_add(pair, json_object_new_string(query.items[i].value));
		json_object_array_add(list, pair);
	}
	json_object_object_add(to, "query", list);
	return r;
}

static int answer(struct json_object *o, struct json_object *to, struct error *err)
{
	CLEANUP(sharedkey_release) struct sharedkey key = SHAREDKEY_INIT;
	const char *form = json_get_string(o, "form");
	int r = sharedkey_set(&key, "key", json_get_string(o, "account"), str_of(json_get_string(o, "key")), err);

	if (r < 0)
		return r;
	return form && !strcmp(form, "sas") ? do_sas(o, &key, to, err) : do_sign(o, &key, to, err);
}

int main(void)
{
	char *line = NULL;
	size_t capacity = 0;
	ssize_t n;

	while ((n = getline(&line, &capacity, stdin)) > 0) {
		CLEANUP(json_putp) struct json_object *o = NULL;
		CLEANUP(json_putp) struct json_object *to = json_object_new_object();
		struct error err = ERROR_INIT;

		if (json_parse(str_trim(str_of(line)), 1 << 20, &o, &err) < 0 || answer(o, to, &err) < 0)
			add_text(to, "error", err.message);
		puts(json_object_to_json_string_ext(to, JSON_C_TO_STRING_PLAIN));
		(void)fflush(stdout); /* a broken pipe ends the reader, and us with the next line */
	}
	free(line);
	return 0;
}
