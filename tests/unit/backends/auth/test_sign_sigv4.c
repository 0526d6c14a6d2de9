/* SigV4 by the examples of the S3 manual, by AWS's published cases where they are at hand, and the
 * signer. */
#include "backends/auth/sign_sigv4.h"
#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "backends/base/json.h"
#include "backends/http/url.h"
#include "tests/unit/backends/auth/fake_host.h"

#include <dirent.h>
#include <stdio.h>

#define CASES_DIR     "../shared/vectors/sigv4"
#define EMPTY_HASH    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MANUAL_TIME_S 1369353600 /* 20130524T000000Z */

static void set_cred(struct cred_aws *cred, const char *id, const char *secret, const char *token)
{
	cred->access_key_id = strdup(id);
	assert_non_null(cred->access_key_id);
	assert_int_equal(secret_set(&cred->secret_access_key, str_of(secret)), 0);
	assert_int_equal(secret_set(&cred->session_token, str_of(token)), 0);
}

static void set_request(struct http_request *request, enum http_method method, const char *host,
			const char *path)
{
	request->method = method;
	request->scheme = strdup("https");
	request->authority = strdup(host);
	request->path = strdup(path);
	assert_true(request->scheme && request->authority && request->path);
}

static void manual_example(enum http_method method, const char *path, const char *const *query,
			   const char *const *headers, const char *hash, const char *signature)
{
	CLEANUP(http_request_release) struct http_request request = HTTP_REQUEST_INIT;
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;
	struct sigv4_scope scope = {.region = "us-east-1",
				    .service = "s3",
				    .wall_s = MANUAL_TIME_S,
				    .is_s3_path = true};
	const char *authorization;

	set_cred(&cred, "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL);
	set_request(&request, method, "examplebucket.s3.amazonaws.com", path);
	for (; *query; query += 2)
		assert_int_equal(http_query_add(&request.query, query[0], query[1], NULL), 0);
	for (; *headers; headers += 2)
		assert_int_equal(http_fields_add(&request.headers, headers[0], headers[1], NULL),
				 0);
	assert_int_equal(sigv4_sign_headers(&request, &scope, &cred, hash, NULL), 0);
	authorization = http_fields_get(&request.signed_headers, "Authorization");
	assert_string_equal(authorization + strlen(authorization) - 64, signature);
	assert_string_equal(http_fields_get(&request.signed_headers, "x-amz-content-sha256"), hash);
}

static void the_header_examples_of_the_s3_manual_are_signed_alike(void **state)
{
	static const char *const none[] = {NULL};
	static const char *const range[] = {"Range", "bytes=0-9", NULL};
	static const char *const put[] = {"Date", "Fri, 24 May 2013 00:00:00 GMT",
					  "x-amz-storage-class", "REDUCED_REDUNDANCY", NULL};
	static const char *const lifecycle[] = {"lifecycle", "", NULL};
	static const char *const list[] = {"prefix", "J", "max-keys", "2", NULL};

	(void)state;
	manual_example(HTTP_GET, "/test.txt", none, range, EMPTY_HASH,
		       "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
	manual_example(HTTP_PUT, "/test%24file.text", none, put,
		       "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
		       "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
	manual_example(HTTP_GET, "/", lifecycle, none, EMPTY_HASH,
		       "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
	manual_example(HTTP_GET, "/", list, none, EMPTY_HASH,
		       "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void the_presigned_example_of_the_s3_manual_is_signed_alike(void **state)
{
	CLEANUP(http_request_release) struct http_request request = HTTP_REQUEST_INIT;
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;
	CLEANUP(buf_release) struct buf url = BUF_INIT(4096);
	struct sigv4_scope scope = {.region = "us-east-1",
				    .service = "s3",
				    .wall_s = MANUAL_TIME_S,
				    .is_s3_path = true,
				    .expires_s = 86400};

	(void)state;
	set_cred(&cred, "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL);
	set_request(&request, HTTP_GET, "examplebucket.s3.amazonaws.com", "/test.txt");
	for (int i = 0; i < 2; i++) /* signing again replaces */
		assert_int_equal(sigv4_presign(&request, &scope, &cred, &url, NULL), 0);
	assert_string_equal(
		buf_cstr(&url),
		"https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
		"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
		"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-"
		"Signature="
		"aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

/* One of the published cases. */
struct vector {
	char dir[512];
	struct http_request request;
	struct cred_aws cred;
	struct sigv4_scope scope;
	struct buf text; /* request.txt */
	struct json_object *context;
	bool signs_body;
};

static struct buf read_file(const struct vector *v, const char *name)
{
	struct buf content = BUF_INIT(65536);
	char path[1024];

	(void)snprintf(path, sizeof(path), "%s/%s", v->dir, name);
	assert_int_equal(fileio_read_file(path, &content, NULL), 0);
	return content;
}

static void read_query(struct http_fields *to, struct str text)
{
	struct str pair;

	while (text.ptr && (pair = str_split(&text, '&')).ptr) {
		CLEANUP(buf_release) struct buf name = BUF_INIT(1024), value = BUF_INIT(1024);
		struct str rest = pair, key = str_split(&rest, '=');

		assert_int_equal(url_decode(key, &name), 0);
		assert_int_equal(url_decode(rest.ptr ? rest : STR(""), &value), 0);
		assert_int_equal(http_query_add(to, buf_cstr(&name), buf_cstr(&value), NULL), 0);
	}
}

static void read_target(struct vector *v, struct str line)
{
	struct str method = str_split(&line, ' '), target, path;

	assert_true(str_ends(line, " HTTP/1.1"));
	target = (struct str){line.ptr, line.len - strlen(" HTTP/1.1")};
	v->request.method = str_equal(method, STR("POST")) ? HTTP_POST : HTTP_GET;
	path = str_split(&target, '?');
	v->request.scheme = strdup("https");
	v->request.path = str_dup(path);
	read_query(&v->request.query, target);
}

/* Header lines, a folded one joined to the line before by a space. */
static void read_header(struct vector *v, struct str line)
{
	struct http_fields *headers = &v->request.headers;
	char name[128], value[1024];
	struct str key;

	if (line.ptr[0] == ' ') {
		struct http_field *last = &headers->items[headers->count - 1];
		char *joined = str_format("%s %.*s", last->value, (int)line.len, line.ptr);

		assert_non_null(joined);
		free(last->value);
		last->value = joined;
		return;
	}
	key = str_split(&line, ':');
	(void)snprintf(name, sizeof(name), "%.*s", (int)key.len, key.ptr);
	(void)snprintf(value, sizeof(value), "%.*s", (int)line.len, line.ptr);
	if (strcasecmp(name, "Host") == 0)
		v->request.authority = strdup(value);
	else
		assert_int_equal(http_fields_add(headers, name, value, NULL), 0);
}

static void read_vector(struct vector *v)
{
	CLEANUP(buf_release) struct buf text = read_file(v, "context.json");
	struct json_object *o;
	struct str rest, line;
	int64_t wall_ns;

	assert_int_equal(json_parse(buf_str(&text), 65536, &v->context, NULL), 0);
	o = v->context;
	set_cred(&v->cred, json_get_string(o, "credentials.access_key_id"),
		 json_get_string(o, "credentials.secret_access_key"),
		 json_get_string(o, "credentials.token"));
	assert_int_equal(clock_parse_iso8601(json_get_string(o, "timestamp"), &wall_ns), 0);
	v->scope = (struct sigv4_scope){
		.region = json_get_string(o, "region"),
		.service = json_get_string(o, "service"),
		.wall_s = wall_ns / 1000000000,
		.keeps_path = !json_get_bool(o, "normalize", true),
		.omits_token = json_get_bool(o, "omit_session_token", false),
		.expires_s = (uint64_t)json_get_int64(o, "expiration_in_seconds", 0),
	};
	v->signs_body = json_get_bool(o, "sign_body", false);
	v->text = read_file(v, "request.txt");
	rest = buf_str(&v->text);
	read_target(v, str_split(&rest, '\n'));
	while ((line = str_split(&rest, '\n')).ptr && line.len)
		read_header(v, line);
	if (rest.ptr && rest.len)
		v->request.body = (struct http_body){.kind = HTTP_BODY_MEM, .mem = rest, .fd = -1};
}

static void vector_release(struct vector *v)
{
	http_request_release(&v->request);
	cred_aws_release(&v->cred);
	buf_release(&v->text);
	json_putp(&v->context);
}

static void expect_stages(struct vector *v, const char *form, const char *payload)
{
	CLEANUP(buf_release) struct buf canonical = BUF_INIT(65536), names = BUF_INIT(65536);
	CLEANUP(buf_release) struct buf to_sign = BUF_INIT(65536), expected = BUF_INIT(65536);
	char name[64], signature[65];
	static const char *const stages[] = {"canonical-request", "string-to-sign", "signature"};
	const char *got[3];

	assert_int_equal(
		sigv4_canonical_request(&v->request, &v->scope, payload, &canonical, &names, NULL),
		0);
	assert_int_equal(sigv4_string_to_sign(&v->scope, buf_str(&canonical), &to_sign, NULL), 0);
	assert_int_equal(sigv4_signature(&v->scope, &v->cred, buf_str(&to_sign), signature), 0);
	got[0] = buf_cstr(&canonical);
	got[1] = buf_cstr(&to_sign);
	got[2] = signature;
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(name, sizeof(name), "%s-%s.txt", form, stages[i]);
		buf_release(&expected);
		expected = read_file(v, name);
		if (strcmp(got[i], buf_cstr(&expected)) != 0)
			print_error("%s: %s differs\n", v->dir, name);
		assert_string_equal(got[i], buf_cstr(&expected));
	}
}

static void check_header_form(const char *dir)
{
	CLEANUP(vector_release) struct vector v = {.request = HTTP_REQUEST_INIT};
	char hash[65] = EMPTY_HASH;
	const char *authorization;

	(void)snprintf(v.dir, sizeof(v.dir), "%s", dir);
	read_vector(&v);
	if (v.signs_body) {
		assert_int_equal(sigv4_body_hash(&v.request.body, hash, NULL), 0);
		assert_int_equal(
			http_fields_add(&v.request.headers, "x-amz-content-sha256", hash, NULL), 0);
	}
	assert_int_equal(sigv4_sign_headers(&v.request, &v.scope, &v.cred, hash, NULL), 0);
	expect_stages(&v, "header", hash);

	CLEANUP(buf_release) struct buf signed_request = read_file(&v, "header-signed-request.txt");
	authorization = http_fields_get(&v.request.signed_headers, "Authorization");
	assert_non_null(strstr(buf_cstr(&signed_request), authorization));
}

static void check_query_form(const char *dir)
{
	CLEANUP(vector_release) struct vector v = {.request = HTTP_REQUEST_INIT};
	CLEANUP(buf_release) struct buf url = BUF_INIT(65536);
	char hash[65] = EMPTY_HASH;

	(void)snprintf(v.dir, sizeof(v.dir), "%s", dir);
	read_vector(&v);
	assert_int_equal(sigv4_body_hash(&v.request.body, hash, NULL), 0);
	assert_int_equal(sigv4_presign(&v.request, &v.scope, &v.cred, &url, NULL), 0);
	expect_stages(&v, "query", hash);
	if (secret_is_set(&v.cred.session_token))
		assert_non_null(strstr(buf_cstr(&url), "X-Amz-Security-Token="));
}

static void the_published_cases_agree_stage_by_stage(void **state)
{
	DIR *dir = opendir(CASES_DIR);
	struct dirent *entry;
	unsigned count = 0;

	(void)state;
	if (!dir)
		skip();
	while ((entry = readdir(dir))) {
		char path[512];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), CASES_DIR "/%.200s", entry->d_name);
		check_header_form(path);
		check_query_form(path);
		count++;
	}
	(void)closedir(dir);
	assert_true(count >= 30);
}

static void requests_that_cannot_be_signed_are_refused(void **state)
{
	CLEANUP(http_request_release) struct http_request request = HTTP_REQUEST_INIT;
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;
	CLEANUP(buf_release) struct buf url = BUF_INIT(4096);
	struct sigv4_scope scope = {.region = "r", .service = "s3", .is_s3_path = true};
	static char big[500000];
	struct error err = ERROR_INIT;

	(void)state;
	set_cred(&cred, "id", "secret", NULL);
	set_request(&request, HTTP_GET, "h", "/");
	assert_true(sigv4_presign(&request, &scope, &cred, &url, &err) < 0);
	assert_int_equal(err.kind, ERR_INVALID);
	scope.expires_s = 604801;
	assert_true(sigv4_presign(&request, &scope, &cred, &url, &err) < 0);
	memset(big, '/', sizeof(big) - 1);
	assert_int_equal(http_query_add(&request.query, "a", big, NULL), 0);
	assert_true(sigv4_sign_headers(&request, &scope, &cred, EMPTY_HASH, &err) < 0);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

struct signer_fixture {
	struct cred_aws_provider *provider;
	struct signer *signer;
	struct http_request request;
};

static int open_signer(void **state)
{
	struct signer_fixture *f = calloc(1, sizeof(*f));
	struct cred_aws_options options = {.access_key_id = "id", .secret_access_key = "secret"};

	fake_host_reset();
	f->request = HTTP_REQUEST_INIT;
	assert_int_equal(cred_aws_provider_new(&fake_host, &options, &f->provider, NULL), 0);
	assert_int_equal(sigv4_signer_new(f->provider, "us-east-1", "s3", &f->signer, NULL), 0);
	set_request(&f->request, HTTP_PUT, "h:9", "/a");
	f->request.body = (struct http_body){.kind = HTTP_BODY_MEM, .mem = STR("hello"), .fd = -1};
	assert_int_equal(f->signer->ops->prepare(f->signer, NULL), 0);
	assert_true(f->signer->ops->is_ready(f->signer));
	*state = f;
	return 0;
}

static int close_signer(void **state)
{
	struct signer_fixture *f = *state;

	http_request_release(&f->request);
	signer_free(f->signer);
	cred_aws_provider_free(f->provider);
	clock_set_skew_s(0);
	free(f);
	return 0;
}

static const char *signed_payload(struct signer_fixture *f)
{
	http_fields_release(&f->request.signed_headers);
	f->request.signed_headers = (struct http_fields){0};
	assert_int_equal(f->signer->ops->sign(f->signer, &f->request, NULL), 0);
	return http_fields_get(&f->request.signed_headers, "x-amz-content-sha256");
}

static void the_payload_is_hashed_over_plain_http_only(void **state)
{
	struct signer_fixture *f = *state;
	FILE *file = tmpfile();

	assert_string_equal(signed_payload(f), "UNSIGNED-PAYLOAD");
	memcpy(f->request.scheme, "http", 5);
	assert_string_equal(signed_payload(f),
			    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	assert_non_null(file);
	assert_true(fputs("xxhelloxx", file) >= 0 && fflush(file) == 0);
	f->request.body = (struct http_body){
		.kind = HTTP_BODY_FD, .fd = fileno(file), .offset = 2, .length = 5};
	assert_string_equal(signed_payload(f),
			    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	f->request.body.length = 99;
	assert_true(f->signer->ops->sign(f->signer, &f->request, NULL) < 0);
	(void)fclose(file);
}

static void a_region_that_was_learnt_is_signed_from_then_on(void **state)
{
	struct signer_fixture *f = *state;

	(void)signed_payload(f);
	assert_non_null(strstr(http_fields_get(&f->request.signed_headers, "Authorization"),
			       "/us-east-1/s3/"));
	sigv4_signer_set_region(f->signer, "eu-west-3");
	(void)signed_payload(f);
	assert_non_null(strstr(http_fields_get(&f->request.signed_headers, "Authorization"),
			       "/eu-west-3/s3/"));
}

static void a_wrong_clock_is_learnt_from_the_answer_and_signed_anew(void **state)
{
	struct signer_fixture *f = *state;
	CLEANUP(http_response_release) struct http_response response = HTTP_RESPONSE_INIT;
	struct error err = {.kind = ERR_PERMISSION};
	char date[30];

	response.status = 403;
	assert_false(f->signer->ops->reconsider(f->signer, &response, &err));
	clock_format_http(clock_wall_s() + 3600, date);
	assert_int_equal(http_fields_set(&response.headers, "Date", date, NULL), 0);
	(void)snprintf(err.service_code, sizeof(err.service_code), "RequestTimeTooSkewed");
	assert_true(f->signer->ops->reconsider(f->signer, &response, &err));
	assert_in_range(clock_skew_s(), 3598, 3602);
	/* A request beside it, signed before that was learnt. */
	assert_true(f->signer->ops->reconsider(f->signer, &response, &err));
	fake_advance_s(61);
	clock_format_http(clock_wall_s() + 3600, date);
	assert_int_equal(http_fields_set(&response.headers, "Date", date, NULL), 0);
	assert_false(f->signer->ops->reconsider(f->signer, &response, &err)); /* nothing new */
	/* The answer to HEAD has no code. */
	err.service_code[0] = '\0';
	clock_format_http(clock_wall_s(), date);
	assert_int_equal(http_fields_set(&response.headers, "Date", date, NULL), 0);
	assert_true(f->signer->ops->reconsider(f->signer, &response, &err));
	assert_in_range(clock_skew_s() + 2, 0, 4);
}

static void fixed_keys_that_are_refused_are_not_worth_another_attempt(void **state)
{
	struct signer_fixture *f = *state;
	CLEANUP(http_response_release) struct http_response response = HTTP_RESPONSE_INIT;
	struct error err = {.kind = ERR_PERMISSION, .service_code = "ExpiredToken"};

	response.status = 400;
	assert_false(f->signer->ops->reconsider(f->signer, &response, &err));
}

static void an_anonymous_signer_adds_nothing(void **state)
{
	struct cred_aws_options options = {.is_anonymous = true};
	CLEANUP(http_request_release) struct http_request request = HTTP_REQUEST_INIT;
	struct cred_aws_provider *provider = NULL;
	struct signer *signer = NULL;

	(void)state;
	fake_host_reset();
	assert_int_equal(cred_aws_provider_new(&fake_host, &options, &provider, NULL), 0);
	assert_int_equal(sigv4_signer_new(provider, "r", "s3", &signer, NULL), 0);
	assert_int_equal(signer->ops->prepare(signer, NULL), 0);
	set_request(&request, HTTP_GET, "h", "/");
	assert_int_equal(signer->ops->sign(signer, &request, NULL), 0);
	assert_int_equal(request.signed_headers.count, 0);
	signer_free(signer);
	cred_aws_provider_free(provider);
}

#define WITH_SIGNER(test) cmocka_unit_test_setup_teardown(test, open_signer, close_signer)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_examples_of_the_s3_manual_are_signed_alike),
		cmocka_unit_test(the_presigned_example_of_the_s3_manual_is_signed_alike),
		cmocka_unit_test(the_published_cases_agree_stage_by_stage),
		cmocka_unit_test(requests_that_cannot_be_signed_are_refused),
		WITH_SIGNER(the_payload_is_hashed_over_plain_http_only),
		WITH_SIGNER(a_region_that_was_learnt_is_signed_from_then_on),
		WITH_SIGNER(a_wrong_clock_is_learnt_from_the_answer_and_signed_anew),
		WITH_SIGNER(fixed_keys_that_are_refused_are_not_worth_another_attempt),
		cmocka_unit_test(an_anonymous_signer_adds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
