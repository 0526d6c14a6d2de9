/* Google's credentials: every kind of file, the order of places, and what is said when one is broken. */
#include "backends/auth/cred_gcp.h"
#include "backends/base/fileio.h"
#include "backends/base/hash.h"
#include "backends/base/json.h"
#include "tests/unit/backends/auth/fake_host.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>

#define EMAIL "a@p.iam.gserviceaccount.com"

static EVP_PKEY *pkey;
static char pem_json[8192]; /* with line ends as \n */

struct world {
	struct fake_server server;
	struct cred_host host;
	const char *home;
	char last_body[8192], last_headers[8192], last_target[512];
	const char *refusal; /* of the token endpoint */
	bool is_not_google;  /* the metadata server lacks its header */
	bool is_without_role; /* the instance of AWS */
};

static int open_keys(void **state)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char pem[4096], *to = pem_json;
	int n;

	(void)state;
	pkey = EVP_RSA_gen(2048);
	assert_non_null(pkey);
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_read(bio, pem, sizeof(pem) - 1);
	assert_true(n > 0);
	BIO_free(bio);
	for (int i = 0; i < n; i++)
		if (pem[i] == '\n') {
			*to++ = '\\';
			*to++ = 'n';
		} else {
			*to++ = pem[i];
		}
	*to = '\0';
	return 0;
}

static int close_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(pkey);
	return 0;
}

static void answer(void *arg, const struct fake_question *q, struct fake_answer *a)
{
	struct world *w = arg;

	(void)snprintf(w->last_body, sizeof(w->last_body), "%.8000s", q->body);
	(void)snprintf(w->last_headers, sizeof(w->last_headers), "%.8000s", q->headers);
	(void)snprintf(w->last_target, sizeof(w->last_target), "%.500s", q->target);
	if (!strncmp(q->target, "/computeMetadata/", 17) && !w->is_not_google)
		(void)snprintf(a->headers, sizeof(a->headers), "Metadata-Flavor: Google\r\n");
	if (w->refusal) {
		a->status = 400;
		(void)snprintf(a->body, sizeof(a->body), "{\"error\":\"%s\"}", w->refusal);
	} else if (strstr(q->target, ":generateAccessToken")) {
		char date[24];

		(void)snprintf(a->body, sizeof(a->body),
			       "{\"accessToken\":\"acted\",\"expireTime\":\"%s\"}",
			       fake_date(fake_wall_s() + 1800, date));
	} else if (strstr(q->target, ":signBlob")) {
		(void)snprintf(a->body, sizeof(a->body), "{\"signedBlob\":\"c2lnbmVk\"}");
	} else if (strstr(q->target, "project-id")) {
		(void)snprintf(a->body, sizeof(a->body), "of-the-machine");
	} else if (strstr(q->target, "/latest/api/token")) {
		(void)snprintf(a->body, sizeof(a->body), "session");
	} else if (strstr(q->target, "/latest/zone")) {
		(void)snprintf(a->body, sizeof(a->body), "eu-central-2a");
	} else if (strstr(q->target, "/latest/keys/a%20role")) {
		(void)snprintf(a->body, sizeof(a->body),
			       "{\"AccessKeyId\":\"id\",\"SecretAccessKey\":\"hidden\",\"Token\":\"t\"}");
	} else if (strstr(q->target, "/latest/keys")) {
		(void)snprintf(a->body, sizeof(a->body), w->is_without_role ? "" : "a role\n");
	} else if (strstr(q->target, "/subject")) {
		(void)snprintf(a->body, sizeof(a->body), "{\"t\":\"subject token\"}");
	} else {
		(void)snprintf(a->body, sizeof(a->body),
			       "{\"access_token\":\"tok%u\",\"expires_in\":3600}",
			       atomic_load(&w->server.asked));
	}
}

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct http_engine_options options = { .max_attempts = 1 };

	fake_host_reset();
	w->home = fake_home_make();
	w->server.answer = answer;
	w->server.arg = w;
	fake_server_start(&w->server);
	w->host = fake_host;
	assert_int_equal(http_engine_new(&options, &w->host.engine, NULL), 0);
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;

	http_engine_free(w->host.engine);
	fake_server_stop(&w->server);
	fake_home_remove();
	free(w);
	return 0;
}

/* Writes a credentials file and names it by the variable; each %s is the server's URL. */
static void use_file(struct world *w, const char *template)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(16384);
	char path[128];

	for (const char *at = template; *at; at++) {
		bool is_url = at[0] == '%' && at[1] == 's';

		assert_int_equal(is_url ? buf_adds(&text, w->server.url) : buf_addc(&text, *at), 0);
		at += is_url;
	}
	fake_home_write("cred.json", buf_cstr(&text));
	(void)snprintf(path, sizeof(path), "%s/cred.json", w->home);
	fake_setenv("GOOGLE_APPLICATION_CREDENTIALS", path);
}

static void use_service_account(struct world *w)
{
	static char format[16384];

	(void)snprintf(
		format, sizeof(format),
		"{\"type\":\"service_account\",\"project_id\":\"p\",\"private_key_id\":\"k1\","
		"\"private_key\":\"%s\",\"client_email\":\"" EMAIL "\","
		"\"token_uri\":\"%%s/token\"}",
		pem_json);
	use_file(w, format);
}

static struct cred_gcp *open_cred(struct world *w, const struct cred_gcp_options *options)
{
	struct cred_gcp *cred = NULL;

	assert_int_equal(cred_gcp_new(&w->host, options, &cred, NULL), 0);
	return cred;
}

static int get(struct cred_gcp *cred, struct token *ret, struct error *err)
{
	*err = ERROR_INIT;
	return token_source_get(cred_gcp_tokens(cred), ret, err);
}

static void expect_token(struct world *w, const struct cred_gcp_options *options, const char *want)
{
	struct cred_gcp *cred = open_cred(w, options);
	CLEANUP(token_release) struct token token = TOKEN_INIT;
	struct error err;

	if (get(cred, &token, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(token.value.bytes ? token.value.bytes : "", want);
	cred_gcp_free(cred);
}

static void expect_failure(struct world *w, const struct cred_gcp_options *options,
			   enum error_kind kind, const char *part)
{
	struct cred_gcp *cred = open_cred(w, options);
	CLEANUP(token_release) struct token token = TOKEN_INIT;
	struct error err;

	assert_true(get(cred, &token, &err) < 0);
	if (err.kind != kind || !strstr(err.message, part))
		fail_msg("%s: '%s', not %s: '...%s...'", error_name(err.kind), err.message,
			 error_name(kind), part);
	assert_null(strchr(err.message, '\n'));
	assert_null(strstr(err.message, "secret"));
	cred_gcp_free(cred);
}

static const struct cred_gcp_options standard = { 0 };

static void a_service_account_signs_for_the_service_itself(void **state)
{
	struct world *w = *state;
	const struct cred_gcp_options options = { .audience = "https://storage.example/" };
	struct cred_gcp *cred;
	CLEANUP(token_release) struct token token = TOKEN_INIT;
	CLEANUP(buf_release) struct buf claims = BUF_INIT(4096);
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct error err;
	struct str rest;

	use_service_account(w);
	cred = open_cred(w, &options);
	assert_int_equal(get(cred, &token, &err), 0);
	assert_int_equal(atomic_load(&w->server.asked), 0);
	rest = secret_str(&token.value);
	(void)str_split(&rest, '.');
	assert_int_equal(base64_decode(str_split(&rest, '.'), &claims), 0);
	assert_int_equal(json_parse(buf_str(&claims), 4096, &o, NULL), 0);
	assert_string_equal(json_get_string(o, "iss"), EMAIL);
	assert_string_equal(json_get_string(o, "sub"), EMAIL);
	assert_string_equal(json_get_string(o, "aud"), "https://storage.example/");
	assert_int_equal(json_get_int64(o, "exp", 0), FAKE_NOW_S + 3600);
	/* Refused: the token endpoint is asked from then on. */
	assert_true(token_source_forget(cred_gcp_tokens(cred)));
	assert_int_equal(get(cred, &token, &err), 0);
	assert_string_equal(token.value.bytes, "tok1");
	assert_non_null(strstr(w->last_body, "jwt-bearer&assertion="));
	cred_gcp_free(cred);
}

static void a_self_signed_token_is_renewed_without_the_endpoint(void **state)
{
	struct world *w = *state;
	const struct cred_gcp_options options = { .audience = "https://storage.example/" };
	struct cred_gcp *cred;
	CLEANUP(token_release) struct token token = TOKEN_INIT;
	struct error err;

	use_service_account(w);
	cred = open_cred(w, &options);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(get(cred, &token, &err), 0);
		fake_advance_s(3590);
	}
	assert_int_equal(atomic_load(&w->server.asked), 0);
	cred_gcp_free(cred);
}

static void a_user_is_refreshed(void **state)
{
	struct world *w = *state;

	use_file(w,
		 "{\"type\":\"authorized_user\",\"client_id\":\"id\",\"client_secret\":\"c\","
		 "\"refresh_token\":\"r\",\"quota_project_id\":\"q\",\"token_uri\":\"%s/token\"}");
	expect_token(w, &standard, "tok1");
	assert_string_equal(
		w->last_body,
		"grant_type=refresh_token&client_id=id&client_secret=c&refresh_token=r");
	w->refusal = "invalid_grant";
	expect_failure(w, &standard, ERR_UNAUTHENTICATED, "gcloud auth application-default login");
}

static void one_acts_as_another_account(void **state)
{
	static const struct cred_gcp_options wide = { .is_platform_wide = true };
	struct world *w = *state;
	struct cred_gcp *cred;
	CLEANUP(buf_release) struct buf signature = BUF_INIT(4096);
	CLEANUP(freep) char *email = NULL;
	struct error err = ERROR_INIT;

	use_file(w,
		 "{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\":"
		 "\"%s/v1/projects/-/serviceAccounts/"
		 "b@p:generateAccessToken\",\"delegates\":[\"d\"],"
		 "\"source_credentials\":{\"type\":\"authorized_user\",\"client_id\":\"id\","
		 "\"client_secret\":\"c\",\"refresh_token\":\"r\",\"token_uri\":\"%s/token\"}}");
	expect_token(w, &standard, "acted");
	assert_non_null(strstr(w->last_headers, "Authorization: Bearer tok1"));
	assert_non_null(strstr(w->last_body, "devstorage.full_control"));
	assert_non_null(strstr(w->last_body, "\"delegates\":[\"d\"]"));
	expect_token(w, &wide, "acted"); /* compute and DNS take no token that is for storage alone */
	assert_non_null(strstr(w->last_body, "cloud-platform"));
	cred = open_cred(w, &standard);
	assert_int_equal(cred_gcp_signer_email(cred, &email, &err), 0);
	assert_string_equal(email, "b@p");
	assert_int_equal(cred_gcp_sign(cred, email, STR("text"), &signature, &err), 0);
	assert_string_equal(buf_cstr(&signature), "signed");
	assert_non_null(strstr(w->last_target, "b@p:signBlob"));
	assert_string_equal(w->last_body, "{\"payload\":\"dGV4dA==\"}");
	cred_gcp_free(cred);
}

#define EXTERNAL                                                                                   \
	"{\"type\":\"external_account\",\"audience\":\"//pool\",\"subject_token_type\":\"jwt\","   \
	"\"token_url\":\"%s/sts\",\"credential_source\":"

static void a_federated_identity_comes_from_a_file_an_address_or_a_program(void **state)
{
	struct world *w = *state;
	char text[1024];

	fake_home_write("subject", "from file\n");
	(void)snprintf(text, sizeof(text), EXTERNAL "{\"file\":\"%s/subject\"}}", "%s", w->home);
	use_file(w, text);
	expect_token(w, &standard, "tok1");
	assert_non_null(strstr(w->last_body, "subject_token=from%20file"));
	assert_non_null(strstr(w->last_body, "audience=%2F%2Fpool"));
	use_file(w, EXTERNAL "{\"url\":\"%s/subject?x=1\",\"headers\":{\"X-H\":\"v\"},\"format\":"
			     "{\"type\":\"json\",\"subject_token_field_name\":\"t\"}}}");
	expect_token(w, &standard, "tok3");
	assert_non_null(strstr(w->last_body, "subject_token=subject%20token"));
	use_file(w, EXTERNAL "{\"executable\":{\"command\":\"printf "
			     "'{\\\"version\\\":1,\\\"success\\\":true,\\\"token_type\\\":"
			     "\\\"x\\\",\\\"id_token\\\":\\\"prog\\\"}'\"}}}");
	expect_failure(w, &standard, ERR_CONFIG, "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1");
	fake_setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");
	expect_token(w, &standard, "tok4");
	assert_non_null(strstr(w->last_body, "subject_token=prog"));
	use_file(w, EXTERNAL "{\"executable\":{\"command\":\"false\"}}}");
	expect_failure(w, &standard, ERR_UNAUTHENTICATED, "cred.json");
}

/* The body of the exchange: the request to AWS, encoded twice. */
static void expect_exchanged(struct world *w, const char *part)
{
	if (!strstr(w->last_body, part))
		fail_msg("no '%s' in '%s'", part, w->last_body);
}

static void a_role_of_aws_is_shown_by_a_signed_request(void **state)
{
	struct world *w = *state;

	use_file(w, EXTERNAL "{\"environment_id\":\"aws1\",\"region_url\":\"%s/latest/zone\",\"url\":\"%s/latest/keys\","
			     "\"imdsv2_session_token_url\":\"%s/latest/api/token\"}}");
	expect_token(w, &standard, "tok6"); /* token and zone; token, role and its keys; the exchange */
	expect_exchanged(w, "https%253A%252F%252Fsts.eu-central-2.amazonaws.com%253FAction%253DGetCallerIdentity");
	expect_exchanged(w, "Credential%253Did%252F");
	expect_exchanged(w, "SignedHeaders%253Dhost%253Bx-amz-date%253Bx-amz-security-token%253Bx-goog-cloud-target-resource");
	assert_null(strstr(w->last_body, "hidden"));
	w->is_without_role = true;
	expect_failure(w, &standard, ERR_UNAUTHENTICATED, "has no role");
	fake_setenv("AWS_REGION", "no region!");
	expect_failure(w, &standard, ERR_CONFIG, "AWS_REGION");
	fake_setenv("AWS_REGION", "us-west-1");
	fake_setenv("AWS_ACCESS_KEY_ID", "id");
	expect_failure(w, &standard, ERR_CONFIG, "AWS_SECRET_ACCESS_KEY is not");
	fake_setenv("AWS_SECRET_ACCESS_KEY", "hidden");
	use_file(w, EXTERNAL "{\"environment_id\":\"aws1\",\"regional_cred_verification_url\":\"http://sts/\"}}");
	expect_failure(w, &standard, ERR_CONFIG, "must be https");
	use_file(w, EXTERNAL "{\"environment_id\":\"aws1\"}}");
	fake_setenv("AWS_SECRET_ACCESS_KEY", "");
	fake_setenv("AWS_ACCESS_KEY_ID", "");
	expect_failure(w, &standard, ERR_CONFIG, "'credential_source.url'");
}

static void the_metadata_server_is_asked_only_when_told(void **state)
{
	struct world *w = *state;
	const struct cred_gcp_options told = { .use_metadata_service = true };
	CLEANUP(freep) char *project = NULL;
	struct cred_gcp *cred;

	fake_setenv("GCE_METADATA_HOST", w->server.url + strlen("http://"));
	expect_failure(w, &standard, ERR_UNAUTHENTICATED, "GOOGLE_APPLICATION_CREDENTIALS");
	assert_int_equal(atomic_load(&w->server.asked), 0);
	expect_token(w, &told, "tok1");
	assert_non_null(strstr(w->last_headers, "Metadata-Flavor: Google"));
	cred = open_cred(w, &told);
	project = cred_gcp_project(cred);
	assert_string_equal(project, "of-the-machine");
	cred_gcp_free(cred);
	w->is_not_google = true;
	expect_failure(w, &told, ERR_PROTOCOL, "no metadata server");
}

static void write_user(char *ret, size_t ret_size, const char *id, const char *url)
{
	(void)snprintf(ret, ret_size,
		       "{\"type\":\"authorized_user\",\"client_id\":\"%s\",\"client_secret\":\"c\","
		       "\"refresh_token\":\"r\",\"token_uri\":\"%s/token\"}",
		       id, url);
}

static void places_are_searched_in_order_and_a_broken_one_ends_it(void **state)
{
	struct world *w = *state;
	char path[128];
	struct cred_gcp_options named = { .credentials_file = path };
	char text[512];

	assert_false(cred_gcp_is_configured(&w->host, &standard));
	write_user(text, sizeof(text), "gcloud", w->server.url);
	fake_home_write(".config/gcloud/application_default_credentials.json", text);
	assert_true(cred_gcp_is_configured(&w->host, &standard));
	expect_token(w, &standard, "tok1");
	assert_non_null(strstr(w->last_body, "client_id=gcloud"));
	write_user(text, sizeof(text), "other", w->server.url);
	fake_home_write("sdk/application_default_credentials.json", text);
	(void)snprintf(path, sizeof(path), "%s/sdk", w->home);
	fake_setenv("CLOUDSDK_CONFIG", path);
	expect_token(w, &standard, "tok2");
	assert_non_null(strstr(w->last_body, "client_id=other"));
	fake_setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/k.json");
	expect_failure(w, &standard, ERR_CONFIG, "GOOGLE_APPLICATION_CREDENTIALS");
	(void)snprintf(path, sizeof(path), "%s/sdk/application_default_credentials.json", w->home);
	expect_token(w, &named, "tok3");
	expect_token(w, &(struct cred_gcp_options){ .is_anonymous = true }, "");
}

static void a_broken_file_is_named_with_what_to_mend(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *text;
		enum error_kind kind;
		const char *part;
	} rows[] = {
		{ "not json", ERR_CONFIG, "is no JSON file" },
		{ "[]", ERR_CONFIG, "is no JSON file" },
		{ "{}", ERR_CONFIG, "has no 'type'" },
		{ "{\"type\":\"magic\"}", ERR_CONFIG, "not known: 'magic'" },
		{ "{\"type\":\"service_account\"}", ERR_CONFIG, "has no 'token_uri'" },
		{ "{\"type\":\"service_account\",\"token_uri\":\"https://t\"}", ERR_CONFIG,
		  "has no 'client_email'" },
		{ "{\"type\":\"service_account\",\"token_uri\":\"https://"
		  "t\",\"client_email\":\"e\","
		  "\"private_key\":\"secret\"}",
		  ERR_CONFIG, "private_key of '" },
		{ "{\"type\":\"authorized_user\",\"client_id\":\"i\",\"client_secret\":\"s\"}",
		  ERR_CONFIG, "has no 'refresh_token'" },
		{ "{\"type\":\"authorized_user\",\"client_id\":\"i\",\"client_secret\":\"s\","
		  "\"refresh_token\":\"r\",\"token_uri\":\"http://192.0.2.1/t\"}",
		  ERR_CONFIG, "must be https" },
		{ "{\"type\":\"external_account\",\"credential_source\":{\"environment_id\":"
		  "\"aws9\"}}",
		  ERR_UNSUPPORTED, "'aws9' is not supported" },
		{ "{\"type\":\"external_account\",\"credential_source\":{\"file\":\"/"
		  "nonexistent\"}}",
		  ERR_CONFIG, "credential_source.file of '" },
		{ "{\"type\":\"impersonated_service_account\"}", ERR_CONFIG,
		  "has no 'source_credentials'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		use_file(w, rows[i].text);
		expect_failure(w, &standard, rows[i].kind, rows[i].part);
		expect_failure(w, &standard, rows[i].kind, "cred.json");
	}
	assert_int_equal(atomic_load(&w->server.asked), 0);
}

static void the_project_is_found_where_gcloud_keeps_it(void **state)
{
	struct world *w = *state;
	struct cred_gcp *cred = open_cred(w, &standard);
	char *project = cred_gcp_project(cred);

	assert_null(project);
	fake_home_write(".config/gcloud/active_config", "work\n");
	fake_home_write(".config/gcloud/configurations/config_work",
			"[core]\nproject = of-gcloud\n");
	project = cred_gcp_project(cred);
	assert_string_equal(project, "of-gcloud");
	free(project);
	use_service_account(w);
	project = cred_gcp_project(cred);
	assert_string_equal(project, "p");
	free(project);
	fake_setenv("GOOGLE_CLOUD_PROJECT", "of-variable");
	project = cred_gcp_project(cred);
	assert_string_equal(project, "of-variable");
	free(project);
	cred_gcp_free(cred);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)
		IN_WORLD(a_service_account_signs_for_the_service_itself),
		IN_WORLD(a_self_signed_token_is_renewed_without_the_endpoint),
		IN_WORLD(a_user_is_refreshed),
		IN_WORLD(one_acts_as_another_account),
		IN_WORLD(a_federated_identity_comes_from_a_file_an_address_or_a_program),
		IN_WORLD(a_role_of_aws_is_shown_by_a_signed_request),
		IN_WORLD(the_metadata_server_is_asked_only_when_told),
		IN_WORLD(places_are_searched_in_order_and_a_broken_one_ends_it),
		IN_WORLD(a_broken_file_is_named_with_what_to_mend),
		IN_WORLD(the_project_is_found_where_gcloud_keeps_it),
	};

	return cmocka_run_group_tests(tests, open_keys, close_keys);
}
