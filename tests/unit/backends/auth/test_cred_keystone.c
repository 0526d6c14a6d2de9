/*
 * Keystone credentials: where they are found, what is asked, what the catalogue says.
 */
#include "backends/auth/cred_keystone.h"
#include "backends/base/json.h"
#include "fake_host.h"

#include <stdio.h>

struct world {
	struct fake_server server;
	struct http_engine *engine;
	struct cred_host host;
	struct keystone *k;
	char asked[65536]; /* the last question's body */
	char target[8192];
	int status;
	struct error err;
};

#define CATALOG                                                                                                       \
	"[{\"type\":\"object-store\",\"endpoints\":["                                                                 \
	"{\"interface\":\"public\",\"region_id\":\"r1\",\"url\":\"https://swift.r1/v1/AUTH_p/\"},"                   \
	"{\"interface\":\"internal\",\"region_id\":\"r1\",\"url\":\"https://internal/v1/AUTH_p\"},"                  \
	"{\"interface\":\"public\",\"region_id\":\"r2\",\"url\":\"https://swift.r2/v1/AUTH_p\"}]},"                  \
	"{\"type\":\"volumev3\",\"endpoints\":[{\"interface\":\"public\",\"region_id\":\"r1\",\"url\":\"https://vol/v3\"}]}]"

static void answer(void *arg, const struct fake_question *q, struct fake_answer *a)
{
	struct world *w = arg;
	char date[24];

	(void)snprintf(w->asked, sizeof w->asked, "%s", q->body);
	(void)snprintf(w->target, sizeof w->target, "%s %s", q->method, q->target);
	a->status = w->status;
	if (w->status != 201) {
		(void)snprintf(a->body, sizeof a->body,
			       "{\"error\":{\"code\":401,\"message\":\"The request you have made requires authentication.\"}}");
		return;
	}
	(void)snprintf(a->headers, sizeof a->headers, "X-Subject-Token: gAAAA-token\r\n");
	(void)snprintf(a->body, sizeof a->body,
		       "{\"token\":{\"expires_at\":\"%s\",\"project\":{\"id\":\"p\"},\"user\":{\"id\":\"u\"},\"catalog\":%s}}",
		       fake_date(FAKE_NOW_S + 3600, date), CATALOG);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	const struct http_engine_options options = { .max_attempts = 1 };

	fake_host_reset();
	(void)fake_home_make();
	w->status = 201;
	w->server = (struct fake_server){ .answer = answer, .arg = w };
	fake_server_start(&w->server);
	assert_int_equal(http_engine_new(&options, &w->engine, &w->err), 0);
	w->host = fake_host;
	w->host.engine = w->engine;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	keystone_free(w->k);
	http_engine_free(w->engine);
	fake_server_stop(&w->server);
	fake_home_remove();
	free(w);
	return 0;
}

static void make(struct world *w, const struct keystone_options *options)
{
	keystone_free(w->k);
	w->k = NULL;
	assert_int_equal(keystone_new(&w->host, options, &w->k, &w->err), 0);
}

static int get(struct world *w)
{
	CLEANUP(token_release) struct token token = TOKEN_INIT;
	int r;

	w->err = ERROR_INIT;
	r = token_source_get(keystone_tokens(w->k), &token, &w->err);
	if (r == 0)
		assert_true(str_equal(secret_str(&token.value), STR("gAAAA-token")));
	return r;
}

static void expect_asked(struct world *w, const char *json)
{
	CLEANUP(json_putp) struct json_object *got = json_tokener_parse(w->asked);
	CLEANUP(json_putp) struct json_object *wanted = json_tokener_parse(json);

	assert_non_null(wanted);
	if (!json_object_equal(got, wanted))
		fail_msg("%s", w->asked);
}

static void an_application_credential_of_the_variables_signs_in(void **state)
{
	struct world *w = *state;

	fake_setenv("OS_AUTH_URL", w->server.url);
	fake_setenv("OS_APPLICATION_CREDENTIAL_ID", "id1");
	fake_setenv("OS_APPLICATION_CREDENTIAL_SECRET", "s3cret");
	fake_setenv("OS_PROJECT_ID", "not-sent");
	make(w, &(struct keystone_options){ .flavour = KEYSTONE_STANDARD });
	assert_int_equal(get(w), 0);
	assert_string_equal(w->target, "POST /v3/auth/tokens");
	expect_asked(w, "{\"auth\":{\"identity\":{\"methods\":[\"application_credential\"],"
			"\"application_credential\":{\"id\":\"id1\",\"secret\":\"s3cret\"}}}}");
}

static void a_password_signs_in_with_its_domains(void **state)
{
	struct world *w = *state;

	fake_setenv("OS_AUTH_URL", w->server.url);
	fake_setenv("OS_USERNAME", "me");
	fake_setenv("OS_PASSWORD", "pw");
	fake_setenv("OS_PROJECT_NAME", "proj");
	fake_setenv("OS_PROJECT_DOMAIN_NAME", "Dom");
	make(w, &(struct keystone_options){ .flavour = KEYSTONE_STANDARD });
	assert_int_equal(get(w), 0);
	expect_asked(w, "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"domain\":{\"id\":\"default\"},"
			"\"name\":\"me\",\"password\":\"pw\"}}},\"scope\":{\"project\":{\"domain\":{\"name\":\"Dom\"},"
			"\"name\":\"proj\"}}}}");
}

static void clouds_yaml_and_secure_yaml_are_one(void **state)
{
	struct world *w = *state;
	char yaml[1024];

	(void)snprintf(yaml, sizeof yaml,
		       "clouds:\n  one:\n    region_name: r2\n    auth:\n      auth_url: %s/v3/\n      username: me\n"
		       "      project_id: 0042\n  two:\n    auth: {}\n",
		       w->server.url);
	fake_home_write(".config/openstack/clouds.yaml", yaml);
	fake_home_write(".config/openstack/secure.yaml", "clouds:\n  one:\n    auth:\n      password: pw\n");
	fake_setenv("OS_CLOUD", "one");
	make(w, &(struct keystone_options){ .flavour = KEYSTONE_STANDARD });
	assert_int_equal(get(w), 0);
	assert_non_null(strstr(w->asked, "\"project\":{\"id\":\"0042\"}"));
	fake_setenv("OS_CLOUD", "three");
	make(w, &(struct keystone_options){ .flavour = KEYSTONE_STANDARD });
	assert_true(get(w) < 0);
	assert_int_equal(w->err.kind, ERR_CONFIG);
	assert_non_null(strstr(w->err.message, "has no cloud 'three' (it has: one, two)"));
}

static void infomaniak_has_variables_of_its_own(void **state)
{
	struct world *w = *state;

	fake_setenv("OS_AUTH_URL", "http://127.0.0.1:1/other");
	assert_false(keystone_is_configured(&w->host, &(struct keystone_options){ .flavour = KEYSTONE_INFOMANIAK }));
	fake_setenv("INFOMANIAK_APP_CREDENTIAL_ID", "id2");
	assert_true(keystone_is_configured(&w->host, &(struct keystone_options){ .flavour = KEYSTONE_INFOMANIAK }));
	fake_setenv("INFOMANIAK_AUTH_URL", w->server.url);
	make(w, &(struct keystone_options){ .flavour = KEYSTONE_INFOMANIAK });
	assert_true(get(w) < 0);
	assert_string_equal(w->err.message, "the INFOMANIAK_* variables: INFOMANIAK_APP_CREDENTIAL_SECRET is missing");
	fake_setenv("INFOMANIAK_APP_CREDENTIAL_SECRET", "s");
	make(w, &(struct keystone_options){ .flavour = KEYSTONE_INFOMANIAK });
	assert_int_equal(get(w), 0);
	fake_setenv("INFOMANIAK_AUTH_URL", NULL);
	make(w, &(struct keystone_options){ .flavour = KEYSTONE_INFOMANIAK });
	assert_string_equal(keystone_url(w->k), "https://api.pub1.infomaniak.cloud/identity/v3");
}

static void the_catalogue_gives_the_addresses(void **state)
{
	struct world *w = *state;
	CLEANUP(freep) char *url = NULL;
	CLEANUP(freep) char *second = NULL;
	CLEANUP(freep) char *third = NULL;
	CLEANUP(freep) char *fourth = NULL;
	CLEANUP(freep) char *project = NULL;
	char *none = NULL;

	fake_setenv("OS_AUTH_URL", w->server.url);
	fake_setenv("OS_TOKEN", "t0");
	make(w, &(struct keystone_options){ .flavour = KEYSTONE_STANDARD });
	assert_int_equal(keystone_endpoint(w->k, "object-store", NULL, &url, &w->err), 0);
	assert_string_equal(url, "https://swift.r1/v1/AUTH_p");
	assert_int_equal(keystone_endpoint(w->k, "object-store", "r2", &second, &w->err), 0);
	assert_string_equal(second, "https://swift.r2/v1/AUTH_p");
	assert_int_equal(keystone_endpoint(w->k, "block-storage|volumev3", NULL, &third, &w->err), 0);
	assert_string_equal(third, "https://vol/v3");
	assert_int_equal(w->server.asked, 1);
	assert_true(keystone_endpoint(w->k, "dns", NULL, &none, &w->err) < 0);
	assert_int_equal(w->err.kind, ERR_UNSUPPORTED);
	assert_string_equal(w->err.message, "the catalogue has no 'dns' (it has: object-store, volumev3)");
	assert_int_equal(keystone_project(w->k, &project, &w->err), 0);
	assert_string_equal(project, "p");
	fake_setenv("OS_DNS_ENDPOINT_OVERRIDE", "http://127.0.0.1:9/dns/");
	assert_int_equal(keystone_endpoint(w->k, "dns", NULL, &fourth, &w->err), 0);
	assert_string_equal(fourth, "http://127.0.0.1:9/dns");
}

static void refusals_name_what_to_mend_and_no_secret(void **state)
{
	struct world *w = *state;

	make(w, &(struct keystone_options){ .flavour = KEYSTONE_STANDARD });
	assert_true(get(w) < 0);
	assert_int_equal(w->err.kind, ERR_UNAUTHENTICATED);
	assert_non_null(strstr(w->err.message, "OS_CLOUD"));
	fake_setenv("OS_AUTH_URL", w->server.url);
	make(w, &(struct keystone_options){ .flavour = KEYSTONE_STANDARD });
	assert_true(get(w) < 0);
	assert_int_equal(w->err.kind, ERR_CONFIG);
	fake_setenv("OS_USER_ID", "u");
	fake_setenv("OS_PASSWORD", "hunter2");
	w->status = 401;
	make(w, &(struct keystone_options){ .flavour = KEYSTONE_STANDARD });
	assert_true(get(w) < 0);
	assert_int_equal(w->err.kind, ERR_UNAUTHENTICATED);
	assert_non_null(strstr(w->err.message, "Keystone refuses the OS_* variables: The request you have made"));
	assert_null(strstr(w->err.message, "hunter2"));
	fake_setenv("OS_AUTH_URL", "http://keystone.example/");
	make(w, &(struct keystone_options){ .flavour = KEYSTONE_STANDARD });
	assert_true(get(w) < 0);
	assert_int_equal(w->err.kind, ERR_CONFIG);
	assert_non_null(strstr(w->err.message, "must be https"));
}

static void a_token_that_ends_is_fetched_anew(void **state)
{
	struct world *w = *state;

	fake_setenv("OS_AUTH_URL", w->server.url);
	fake_setenv("OS_USER_ID", "u");
	fake_setenv("OS_PASSWORD", "pw");
	make(w, &(struct keystone_options){ .flavour = KEYSTONE_STANDARD });
	assert_int_equal(get(w), 0);
	assert_int_equal(get(w), 0);
	assert_int_equal(w->server.asked, 1);
	assert_true(token_source_forget(keystone_tokens(w->k)));
	assert_int_equal(get(w), 0);
	assert_int_equal(w->server.asked, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_application_credential_of_the_variables_signs_in, setup, teardown),
		cmocka_unit_test_setup_teardown(a_password_signs_in_with_its_domains, setup, teardown),
		cmocka_unit_test_setup_teardown(clouds_yaml_and_secure_yaml_are_one, setup, teardown),
		cmocka_unit_test_setup_teardown(infomaniak_has_variables_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(the_catalogue_gives_the_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals_name_what_to_mend_and_no_secret, setup, teardown),
		cmocka_unit_test_setup_teardown(a_token_that_ends_is_fetched_anew, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
