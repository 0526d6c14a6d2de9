/* What token-based providers share: JWTs, token endpoints, sources of tokens, the bearer signer. */
#include "backends/auth/jwt.h"
#include "backends/auth/oauth.h"
#include "backends/auth/sign_bearer.h"
#include "backends/base/hash.h"
#include "tests/unit/backends/auth/fake_host.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>

static EVP_PKEY *pkey;
static char pem[8192];

static int open_keys(void **state)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n;

	(void)state;
	pkey = EVP_RSA_gen(2048);
	assert_non_null(pkey);
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_read(bio, pem, sizeof(pem) - 1);
	assert_true(n > 0);
	pem[n] = '\0';
	BIO_free(bio);
	return 0;
}

static int close_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(pkey);
	return 0;
}

static void a_jwt_is_header_claims_and_a_signature_that_verifies(void **state)
{
	CLEANUP(jwt_key_freep) struct jwt_key *key = NULL;
	CLEANUP(buf_release) struct buf token = BUF_INIT(8192), raw = BUF_INIT(8192);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct error err = ERROR_INIT;
	struct str rest, head, claims, signature;
	const char *dot;

	(void)state;
	assert_int_equal(jwt_key_new("x", str_of(pem), &key, &err), 0);
	assert_int_equal(jwt_sign(key, STR("{\"alg\":\"RS256\"}"), STR("{\"iss\":\"\xc3\xbf?\"}"),
				  &token, &err),
			 0);
	rest = buf_str(&token);
	head = str_split(&rest, '.');
	claims = str_split(&rest, '.');
	signature = rest;
	assert_null(strpbrk(buf_cstr(&token), "+/="));
	assert_int_equal(base64_decode(head, &raw), 0);
	assert_string_equal(buf_cstr(&raw), "{\"alg\":\"RS256\"}");
	buf_clear(&raw);
	assert_int_equal(base64_decode(claims, &raw), 0);
	assert_string_equal(buf_cstr(&raw), "{\"iss\":\"\xc3\xbf?\"}");
	buf_clear(&raw);
	assert_int_equal(base64_decode(signature, &raw), 0);
	dot = strrchr(buf_cstr(&token), '.');
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey), 1);
	assert_int_equal(EVP_DigestVerify(ctx, (unsigned char *)raw.data, raw.len,
					  (const unsigned char *)token.data,
					  (size_t)(dot - token.data)),
			 1);
	EVP_MD_CTX_free(ctx);
}

static void a_key_that_is_none_is_refused_without_its_text(void **state)
{
	static const char *const bad[] = { "", "hello",
					   "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n"
					   "-----END PRIVATE KEY-----\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct jwt_key *key = NULL;
		struct error err = ERROR_INIT;

		assert_true(jwt_key_new("'f.json'", str_of(bad[i]), &key, &err) < 0);
		assert_int_equal(err.kind, ERR_CONFIG);
		assert_non_null(strstr(err.message, "'f.json'"));
		assert_null(strstr(err.message, "c2VjcmV0"));
		assert_null(key);
	}
}

/* A token endpoint: counts, answers what the test wants. */
struct endpoint {
	struct fake_server server;
	struct cred_host host;
	struct cred_context context;
	int status;
	const char *body;
	char last_body[4096], last_target[256], last_headers[4096];
};

static void endpoint_answer(void *arg, const struct fake_question *q, struct fake_answer *a)
{
	struct endpoint *e = arg;

	(void)snprintf(e->last_body, sizeof(e->last_body), "%.4000s", q->body);
	(void)snprintf(e->last_target, sizeof(e->last_target), "%.250s", q->target);
	(void)snprintf(e->last_headers, sizeof(e->last_headers), "%.4000s", q->headers);
	a->status = e->status;
	if (strstr(q->headers, "Authorization: Bearer tok1")) {
		a->status = 401;
		return;
	}
	if (e->body)
		(void)snprintf(a->body, sizeof(a->body), "%s", e->body);
	else
		(void)snprintf(a->body, sizeof(a->body),
			       "{\"access_token\":\"tok%u\",\"expires_in\":3600}",
			       atomic_load(&e->server.asked));
}

static int open_endpoint(void **state)
{
	struct endpoint *e = calloc(1, sizeof(*e));
	struct http_engine_options options = { .max_attempts = 2 };

	fake_host_reset();
	e->status = 200;
	e->server.answer = endpoint_answer;
	e->server.arg = e;
	fake_server_start(&e->server);
	e->host = fake_host;
	assert_int_equal(http_engine_new(&options, &e->host.engine, NULL), 0);
	e->context.host = &e->host;
	*state = e;
	return 0;
}

static int close_endpoint(void **state)
{
	struct endpoint *e = *state;

	http_engine_free(e->host.engine);
	fake_server_stop(&e->server);
	free(e);
	return 0;
}

static int ask(void *arg, struct cancel *cancel, struct token *ret, struct error *err)
{
	struct endpoint *e = arg;
	struct cred_context context = { .host = &e->host, .cancel = cancel };
	struct oauth_field form[] = { { "grant_type", "a b&c" },
				      { "left_out", NULL },
				      { NULL, NULL } };
	char url[96];

	(void)snprintf(url, sizeof(url), "%s/token?api-version=1%%202", e->server.url);
	return oauth_fetch(
		&context,
		&(struct oauth_call){ .who = "the token endpoint", .url = url, .form = form }, ret,
		err);
}

static void a_form_goes_out_and_a_token_comes_back(void **state)
{
	struct endpoint *e = *state;
	CLEANUP(token_release) struct token token = TOKEN_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(ask(e, NULL, &token, &err), 0);
	assert_string_equal(e->last_body, "grant_type=a%20b%26c");
	assert_string_equal(e->last_target, "/token?api-version=1%202");
	assert_string_equal(token.value.bytes, "tok1");
	assert_int_equal(token.expires_wall_s, FAKE_NOW_S + 3600);
}

static void a_refusal_says_what_the_endpoint_says(void **state)
{
	struct endpoint *e = *state;
	CLEANUP(token_release) struct token token = TOKEN_INIT;
	struct error err = ERROR_INIT;

	e->status = 400;
	e->body = "{\"error\":\"invalid_grant\",\"error_description\":\"Bad\\nassertion\"}";
	assert_true(ask(e, NULL, &token, &err) < 0);
	assert_int_equal(err.kind, ERR_UNAUTHENTICATED);
	assert_string_equal(err.service_code, "invalid_grant");
	assert_string_equal(err.message,
			    "the token endpoint says no: invalid_grant: Bad assertion");
}

static void hostile_answers_give_no_token(void **state)
{
	static const char *const bad[] = { "",
					   "[]",
					   "{",
					   "{\"access_token\":5}",
					   "{\"access_token\":\"\"}",
					   "{\"access_token\":\"a\\r\\nX: y\"}" };
	struct endpoint *e = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(token_release) struct token token = TOKEN_INIT;
		struct error err = ERROR_INIT;

		e->body = bad[i];
		assert_true(ask(e, NULL, &token, &err) < 0);
		assert_int_equal(err.kind, ERR_PROTOCOL);
		assert_false(secret_is_set(&token.value));
	}
}

static void a_secret_goes_to_no_other_machine_in_the_clear(void **state)
{
	struct endpoint *e = *state;
	CLEANUP(token_release) struct token token = TOKEN_INIT;
	struct oauth_field form[] = { { NULL, NULL } };
	struct error err = ERROR_INIT;

	assert_true(oauth_fetch(&e->context,
				&(struct oauth_call){ .who = "token_uri of 'x'",
						      .url = "http://192.0.2.1/token",
						      .form = form },
				&token, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.message, "token_uri of 'x'"));
	assert_true(cred_authority_is_local("localhost:80"));
	assert_true(cred_authority_is_local("[::1]:80"));
	assert_false(cred_authority_is_local("192.0.2.1"));
	assert_false(cred_authority_is_local("localhost.example.org"));
}

static struct token_source *open_source(struct endpoint *e)
{
	struct token_source_options options = {
		.noun = "token", .fetch = ask, .arg = e, .wall_s = fake_wall_s
	};
	struct token_source *source = NULL;

	assert_int_equal(token_source_new(&options, &source, NULL), 0);
	return source;
}

static void a_token_is_kept_until_its_last_minute(void **state)
{
	struct endpoint *e = *state;
	struct token_source *source = open_source(e);
	CLEANUP(token_release) struct token token = TOKEN_INIT;

	assert_false(token_source_is_ready(source));
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(token_source_get(source, &token, NULL), 0);
	assert_int_equal(atomic_load(&e->server.asked), 1);
	assert_true(token_source_is_ready(source));
	fake_advance_s(3600 - 59);
	assert_false(token_source_is_ready(source));
	assert_int_equal(token_source_get(source, &token, NULL), 0);
	assert_string_equal(token.value.bytes, "tok2");
	token_source_free(source);
}

static void a_refused_token_is_fetched_once_more(void **state)
{
	struct endpoint *e = *state;
	struct token_source *source = open_source(e);
	struct signer *signer = NULL;
	CLEANUP(http_request_release) struct http_request request = HTTP_REQUEST_INIT;
	CLEANUP(http_response_release) struct http_response response = HTTP_RESPONSE_INIT;

	assert_int_equal(sign_bearer_new(source, NULL, &signer, NULL), 0);
	assert_int_equal(http_request_set_base(&request, e->server.url, NULL), 0);
	free(request.path);
	request.path = strdup("/");
	request.signer = signer;
	assert_int_equal(signer->ops->prepare(signer, NULL), 0); /* tok1, which is refused */
	/* Just fetched, but the first one there ever was: nobody can have been refused with an older one. */
	assert_int_equal(http_perform(e->host.engine, &request, &response, NULL), 0);
	assert_non_null(strstr(e->last_headers, "Authorization: Bearer tok3"));
	assert_int_equal(atomic_load(&e->server.asked), 4); /* token, 401, token, 200 */
	http_engine_forget_signer(e->host.engine, signer);
	signer_free(signer);
	token_source_free(source);
}

static void a_bearer_token_stays_off_plain_http(void **state)
{
	struct endpoint *e = *state;
	struct token_source *source = open_source(e);
	struct signer *signer = NULL;
	CLEANUP(http_request_release) struct http_request request = HTTP_REQUEST_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(sign_bearer_new(source, NULL, &signer, NULL), 0);
	assert_int_equal(signer->ops->prepare(signer, &err), 0);
	assert_int_equal(http_request_set_base(&request, "http://192.0.2.1/x", NULL), 0);
	assert_true(signer->ops->sign(signer, &request, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_int_equal(request.signed_headers.count, 0);
	signer_free(signer);
	token_source_free(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_jwt_is_header_claims_and_a_signature_that_verifies),
		cmocka_unit_test(a_key_that_is_none_is_refused_without_its_text),
#define WITH_ENDPOINT(test) cmocka_unit_test_setup_teardown(test, open_endpoint, close_endpoint)
		WITH_ENDPOINT(a_form_goes_out_and_a_token_comes_back),
		WITH_ENDPOINT(a_refusal_says_what_the_endpoint_says),
		WITH_ENDPOINT(hostile_answers_give_no_token),
		WITH_ENDPOINT(a_secret_goes_to_no_other_machine_in_the_clear),
		WITH_ENDPOINT(a_token_is_kept_until_its_last_minute),
		WITH_ENDPOINT(a_refused_token_is_fetched_once_more),
		WITH_ENDPOINT(a_bearer_token_stays_off_plain_http),
	};

	return cmocka_run_group_tests(tests, open_keys, close_keys);
}
