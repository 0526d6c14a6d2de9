/* Each source that asks someone: STS, SSO, a program, a container's agent, instance metadata. */
#include "tests/unit/backends/auth/fake_host.h"

#include "backends/base/arena.h"
#include "backends/base/clock.h"
#include "backends/base/json.h"

#include <stdio.h>

static struct fake_server server;
static struct cred_host host;
static struct fake_question asked[4]; /* the first few questions */
static const char *scripted;	      /* the body of the answer */
static int scripted_status;
static int64_t scripted_date_s; /* of the Date line; 0: none */

static void answer_as_scripted(void *arg, const struct fake_question *q, struct fake_answer *a)
{
	unsigned number = atomic_load(&server.asked) - 1;

	(void)arg;
	if (number < ARRAY_SIZE(asked))
		asked[number] = *q;
	a->status = scripted_status;
	(void)snprintf(a->body, sizeof(a->body), "%s", scripted ? scripted : "");
	if (scripted_date_s) {
		char date[30];

		clock_format_http(scripted_date_s, date);
		(void)snprintf(a->headers, sizeof(a->headers), "Date: %s\r\n", date);
	}
}

static int open_world(void **state)
{
	struct http_engine_options options = {.max_attempts = 1};

	(void)state;
	fake_host_reset();
	(void)fake_home_make();
	memset(asked, 0, sizeof(asked));
	scripted = NULL;
	scripted_status = 200;
	scripted_date_s = 0;
	server = (struct fake_server){.answer = answer_as_scripted};
	fake_server_start(&server);
	host = fake_host;
	assert_int_equal(http_engine_new(&options, &host.engine, NULL), 0);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	http_engine_free(host.engine);
	fake_server_stop(&server);
	fake_home_remove();
	return 0;
}

/* One get of a new provider. */
static int get(bool use_metadata_service, struct cred_aws *ret, struct error *err)
{
	struct cred_aws_options options = {.use_metadata_service = use_metadata_service};
	struct cred_aws_provider *p = NULL;
	int r;

	assert_int_equal(cred_aws_provider_new(&host, &options, &p, NULL), 0);
	r = cred_aws_get(p, ret, err);
	cred_aws_provider_free(p);
	return r;
}

static void expect(bool use_metadata_service, const char *id, const char *source)
{
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;
	struct error err = ERROR_INIT;

	if (get(use_metadata_service, &cred, &err) < 0)
		print_error("%s\n", err.message);
	assert_int_equal(err.kind, ERR_NONE);
	assert_string_equal(cred.access_key_id, id);
	assert_string_equal(cred.source, source);
}

static void expect_error(bool use_metadata_service, enum error_kind kind, const char *text)
{
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;
	struct error err = ERROR_INIT;

	assert_true(get(use_metadata_service, &cred, &err) < 0);
	if (err.kind != kind || !strstr(err.message, text))
		print_error("'%s' (%s) lacks '%s'\n", err.message, error_name(err.kind), text);
	assert_int_equal(err.kind, kind);
	assert_non_null(strstr(err.message, text));
}

#define STS_KEYS(action)                                                                           \
	"<" action "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" action         \
	"Result><Credentials>"                                                                     \
	"<AccessKeyId>ROLEKEY</AccessKeyId><SecretAccessKey>rs</"                                  \
	"SecretAccessKey><SessionToken>rt</SessionToken>"                                          \
	"<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></" action "Result></" action  \
	"Response>"

static void write_role_profiles(const char *more)
{
	char config[2048];

	(void)snprintf(config, sizeof(config),
		       "[default]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = "
		       "base\nexternal_id = e&x\n"
		       "role_session_name = me\nduration_seconds = 900\nregion = eu-west-1\n%s\n"
		       "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = s\n",
		       more);
	fake_home_write(".aws/config", config);
	fake_setenv("AWS_ENDPOINT_URL_STS", server.url);
}

static void a_role_is_assumed_with_the_keys_of_its_source_profile(void **state)
{
	(void)state;
	write_role_profiles("");
	scripted = STS_KEYS("AssumeRole");
	expect(false, "ROLEKEY", "role");
	assert_string_equal(asked[0].method, "POST");
	assert_string_equal(
		asked[0].body,
		"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"
		"&RoleSessionName=me&DurationSeconds=900&ExternalId=e%26x");
	assert_non_null(strstr(asked[0].headers, "Credential=BASE/"));
	assert_non_null(strstr(asked[0].headers, "/eu-west-1/sts/aws4_request"));
}

static void a_refusal_of_sts_is_told_with_its_code(void **state)
{
	(void)state;
	write_role_profiles("");
	scripted_status = 403;
	scripted = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</"
		   "Code><Message>not\nyou</Message></Error>"
		   "<RequestId>r-1</RequestId></ErrorResponse>";
	expect_error(false, ERR_PERMISSION,
		     "role 'arn:aws:iam::1:role/r': STS refuses: AccessDenied: not you");
	scripted = "<html>";
	expect_error(false, ERR_PERMISSION, "role");
	scripted_status = 200;
	expect_error(false, ERR_PROTOCOL, "STS");
	scripted = "<AssumeRoleResponse/>";
	expect_error(false, ERR_PROTOCOL, "without whole credentials");
}

static void roles_chain_and_loops_are_found(void **state)
{
	(void)state;
	fake_setenv("AWS_ENDPOINT_URL", server.url);
	scripted = STS_KEYS("AssumeRole");
	fake_home_write(".aws/config",
			"[default]\nrole_arn = a\nsource_profile = b\n[profile b]\nrole_arn = b\n"
			"source_profile = c\n[profile c]\nrole_arn=c\nsource_profile=c\n"
			"aws_access_key_id=C\naws_secret_access_key=s\n");
	expect(false, "ROLEKEY", "role");
	assert_int_equal(atomic_load(&server.asked),
			 2); /* c gives its own keys to b, b to default */
	fake_home_write(".aws/config",
			"[default]\nrole_arn = a\nsource_profile = b\n[profile b]\nrole_arn = b\n"
			"source_profile = default\n");
	expect_error(false, ERR_CONFIG, "leads back to 'default'");
	fake_home_write(".aws/config", "[default]\nrole_arn = a\nsource_profile = default\n");
	expect_error(false, ERR_CONFIG, "leads back");
	fake_home_write(".aws/config", "[default]\nrole_arn = a\nsource_profile = gone\n");
	expect_error(false, ERR_CONFIG, "'gone'");
	fake_home_write(".aws/config",
			"[default]\nrole_arn = a\nsource_profile = b\n[profile b]\nregion = x\n");
	expect_error(false, ERR_CONFIG, "holds no credentials");
}

static void a_long_chain_is_refused(void **state)
{
	char config[2048];
	int len = snprintf(config, sizeof(config), "[default]\nrole_arn=a\nsource_profile=p0\n");

	(void)state;
	for (int i = 0; i < 12; i++)
		len += snprintf(config + len, sizeof(config) - (size_t)len,
				"[profile p%d]\nrole_arn=a\nsource_profile=p%d\n", i, i + 1);
	fake_home_write(".aws/config", config);
	expect_error(false, ERR_CONFIG, "chain of more than");
}

static void profiles_that_cannot_work_are_told_apart(void **state)
{
	(void)state;
	write_role_profiles("mfa_serial = arn:aws:iam::1:mfa/u");
	expect_error(false, ERR_UNAUTHENTICATED, "MFA");
	write_role_profiles("credential_source = Environment");
	expect_error(false, ERR_CONFIG, "needs one of source_profile, credential_source");
	write_role_profiles("duration_seconds = 1");
	expect_error(false, ERR_CONFIG, "duration_seconds");
	write_role_profiles("region = evil.example/");
	expect_error(false, ERR_CONFIG, "no AWS region");
	fake_home_write(".aws/config", "[default]\nrole_arn = a\ncredential_source = Nowhere\n");
	expect_error(false, ERR_CONFIG, "'Nowhere'");
	fake_home_write(".aws/config",
			"[default]\nrole_arn = a\ncredential_source = Environment\n");
	expect_error(false, ERR_UNAUTHENTICATED, "there are none");
	fake_home_write(".aws/config", "[default]\naws_access_key_id = a\n");
	expect_error(false, ERR_CONFIG, "no aws_secret_access_key");
	fake_home_write(".aws/config", "[default]\nregion = x\n");
	expect_error(false, ERR_UNAUTHENTICATED, "no AWS credentials found");
	assert_int_equal(atomic_load(&server.asked), 0);
}

static void a_clock_that_is_wrong_is_set_by_sts_and_asked_again(void **state)
{
	(void)state;
	write_role_profiles("");
	scripted_status = 403;
	scripted = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>m</Message></"
		   "Error></ErrorResponse>";
	expect_error(false, ERR_UNAUTHENTICATED, "SignatureDoesNotMatch");
	assert_int_equal(atomic_load(&server.asked),
			 1); /* an answer without a Date teaches nothing */
	scripted_date_s = FAKE_NOW_S + 3600;
	expect_error(false, ERR_UNAUTHENTICATED, "SignatureDoesNotMatch");
	assert_int_equal(atomic_load(&server.asked), 3);
	assert_non_null(strcasestr(asked[1].headers, "x-amz-date: 20270115T080000Z"));
	assert_non_null(strcasestr(asked[2].headers, "x-amz-date: 20270115T090000Z"));
	assert_int_equal(clock_skew_s(), 3600);
}

static void a_web_identity_token_is_read_at_each_fetch(void **state)
{
	char path[256];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/token", fake_getenv("HOME"));
	fake_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", path);
	fake_setenv("AWS_ROLE_ARN", "arn");
	fake_setenv("AWS_ENDPOINT_URL_STS", server.url);
	scripted = STS_KEYS("AssumeRoleWithWebIdentity");
	expect_error(false, ERR_CONFIG, "AWS_WEB_IDENTITY_TOKEN_FILE");
	fake_home_write("token", "tok+1\n");
	expect(false, "ROLEKEY", "web identity");
	assert_non_null(strstr(asked[0].body, "&WebIdentityToken=tok%2B1"));
	assert_non_null(strstr(asked[0].body, "RoleSessionName=skydir-"));
	assert_null(strcasestr(asked[0].headers, "Authorization"));
	fake_home_write("token", "tok2");
	expect(false, "ROLEKEY", "web identity");
	assert_non_null(strstr(asked[1].body, "&WebIdentityToken=tok2"));
	fake_home_write("token", " \n");
	expect_error(false, ERR_CONFIG, "is empty");
}

static void expect_split(const char *command, const char *joined)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	char text[256] = "", **args = NULL;
	struct error err = ERROR_INIT;
	int r = cred_process_split(command, &arena, &args, &err);

	if (!joined) {
		assert_true(r < 0);
		assert_int_equal(err.kind, ERR_CONFIG);
		return;
	}
	assert_int_equal(r, 0);
	for (; *args; args++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "[%s]", *args);
	assert_string_equal(text, joined);
}

static void a_command_line_is_split_like_a_shell_does_but_expands_nothing(void **state)
{
	(void)state;
	expect_split("a b  c", "[a][b][c]");
	expect_split(" 'a b' \"c d\"e ", "[a b][c de]");
	expect_split("a \"x\\\"y\\\\z\\n\" 'q\\'", "[a][x\"y\\z\\n][q\\]");
	expect_split("a '' \"\"", "[a][][]");
	expect_split("a\\ b $HOME `id` *", "[a b][$HOME][`id`][*]");
	expect_split("", NULL);
	expect_split("''", NULL);
	expect_split("a 'b", NULL);
	expect_split("a \"b\\\"", NULL);
	expect_split("a \\", NULL);
}

static void expect_program(const char *script, enum error_kind kind, const char *text)
{
	char config[4096];

	(void)snprintf(config, sizeof(config),
		       "[default]\ncredential_process = /bin/sh -c '%s' secret-word\n", script);
	fake_home_write(".aws/config", config);
	if (kind == ERR_NONE)
		expect(false, text, "credential process");
	else
		expect_error(false, kind, text);
}

static void a_program_gives_credentials_or_a_clear_error(void **state)
{
	(void)state;
	expect_program("echo "
		       "\"{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"PROG\\\","
		       "\\\"SecretAccessKey\\\":\\\"s\\\"}\"",
		       ERR_NONE, "PROG");
	expect_program("echo "
		       "\"{\\\"Version\\\":2,\\\"AccessKeyId\\\":\\\"PROG\\\","
		       "\\\"SecretAccessKey\\\":\\\"s\\\"}\"",
		       ERR_PROTOCOL, "Version");
	expect_program("echo \"{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"PROG\\\"}\"",
		       ERR_PROTOCOL, "SecretAccessKey");
	expect_program("echo no", ERR_PROTOCOL, "JSON");
	expect_program("exit 3", ERR_UNAUTHENTICATED, "exit code 3");
	expect_program("kill -9 $$", ERR_UNAUTHENTICATED, "signal 9");
	expect_program("head -c 70000 /dev/zero", ERR_TOO_LARGE, "64 KiB");
	fake_home_write(".aws/config",
			"[default]\ncredential_process = /nowhere/program --token hidden\n");
	expect_error(false, ERR_CONFIG, "'/nowhere/program'");
}

static void *free_later(void *arg)
{
	struct cancel *cancel = arg;
	struct timespec short_time = {.tv_nsec = 100000000};

	(void)nanosleep(&short_time,
			NULL); /* let the program start; the test holds without it too */
	cancel_fire(cancel);
	return NULL;
}

static void a_program_that_hangs_ends_with_the_provider(void **state)
{
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;
	struct cancel cancel = CANCEL_INIT;
	struct cred_aws_options options = {0};
	struct cred_context context = {.host = &host, .options = &options, .cancel = &cancel};
	struct error err = ERROR_INIT;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, free_later, &cancel), 0);
	assert_true(cred_process_fetch(&context, "/bin/sh -c 'sleep 50 & sleep 50'", &cred, &err) <
		    0);
	assert_int_equal(err.kind, ERR_CANCELLED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	cancel_destroy(&cancel);
}

/* The cache file of a session or start URL. */
static void write_sso_cache(const char *key, const char *token, const char *expires,
			    const char *more)
{
	char file[128], text[1024], hex[41];
	unsigned char digest[20];

	hash_sha1(key, strlen(key), digest);
	hex_encode(digest, sizeof(digest), hex);
	(void)snprintf(file, sizeof(file), ".aws/sso/cache/%s.json", hex);
	(void)snprintf(text, sizeof(text), "{\"accessToken\":\"%s\",\"expiresAt\":\"%s\"%s}", token,
		       expires, more);
	fake_home_write(file, text);
	fake_setenv("AWS_ENDPOINT_URL_SSO", server.url);
}

static void write_sso(const char *token, int64_t expires_s, const char *more)
{
	char date[24];

	fake_home_write(".aws/config",
			"[default]\nsso_session = corp\nsso_account_id = 12\nsso_role_name = R o\n"
			"[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = "
			"https://corp.example/start\n");
	write_sso_cache("corp", token, fake_date(expires_s, date), more);
}

#define SSO_KEYS                                                                                   \
	"{\"roleCredentials\":{\"accessKeyId\":\"SSOKEY\",\"secretAccessKey\":\"s\","              \
	"\"sessionToken\":\"t\","                                                                  \
	"\"expiration\":4000000000000}}"

static void sso_buys_keys_with_the_token_of_the_session(void **state)
{
	(void)state;
	scripted = SSO_KEYS;
	write_sso("tok", FAKE_NOW_S + 3000, "");
	expect(false, "SSOKEY", "SSO");
	assert_string_equal(asked[0].target,
			    "/federation/credentials?role_name=R%20o&account_id=12");
	assert_non_null(strcasestr(asked[0].headers, "x-amz-sso_bearer_token: tok"));
	assert_null(strcasestr(asked[0].headers, "authorization"));
}

static void sso_without_a_session_uses_the_start_url(void **state)
{
	(void)state;
	scripted = SSO_KEYS;
	fake_home_write(
		".aws/config",
		"[default]\nsso_start_url = https://corp.example/start\nsso_region = eu-west-1\n"
		"sso_account_id = 12\nsso_role_name = R\n");
	write_sso_cache("https://corp.example/start", "old", "2098-01-01T00:00:00UTC",
			""); /* the old form of a date */
	expect(false, "SSOKEY", "SSO");
	assert_non_null(strcasestr(asked[0].headers, "x-amz-sso_bearer_token: old"));
}

static void an_sso_session_that_ended_says_what_to_run(void **state)
{
	(void)state;
	write_sso("tok", FAKE_NOW_S - 1, "");
	expect_error(false, ERR_UNAUTHENTICATED, "aws sso login --profile default");
	write_sso("tok", FAKE_NOW_S + 3000, "");
	scripted_status = 401;
	expect_error(false, ERR_UNAUTHENTICATED, "aws sso login --profile default");
	scripted_status = 403;
	expect_error(false, ERR_PERMISSION, "does not give this role");
	fake_home_write(".aws/config",
			"[default]\nsso_session = other\nsso_account_id=1\nsso_role_name=r\n"
			"[sso-session other]\nsso_region=r\nsso_start_url=u\n");
	expect_error(false, ERR_UNAUTHENTICATED, "there is no SSO session");
	fake_home_write(".aws/config",
			"[default]\nsso_session = none\nsso_account_id=1\nsso_role_name=r\n");
	expect_error(false, ERR_CONFIG, "lacks sso_start_url");
}

static void answer_token_then_keys(void *arg, const struct fake_question *q, struct fake_answer *a)
{
	scripted =
		strcmp(q->target, "/token") == 0
			? "{\"accessToken\":\"fresh\",\"expiresIn\":3600,\"refreshToken\":\"next\"}"
			: SSO_KEYS;
	answer_as_scripted(arg, q, a);
}

static void an_sso_token_is_renewed_and_kept(void **state)
{
	(void)state;
	server.answer = answer_token_then_keys;
	write_sso("tok", FAKE_NOW_S - 1,
		  ",\"refreshToken\":\"first\",\"clientId\":\"i\",\"clientSecret\":\"c\"");
	fake_setenv("AWS_ENDPOINT_URL_SSO_OIDC", server.url);
	expect(false, "SSOKEY", "SSO");
	assert_string_equal(asked[0].target, "/token");
	assert_non_null(strstr(asked[0].body, "\"refreshToken\":\"first\""));
	assert_non_null(strcasestr(asked[1].headers, "x-amz-sso_bearer_token: fresh"));
	expect(false, "SSOKEY", "SSO"); /* by the token that was written back */
	assert_non_null(strcasestr(asked[2].headers, "x-amz-sso_bearer_token: fresh"));
	fake_advance_s(3600);
	expect(false, "SSOKEY", "SSO");
	assert_non_null(strstr(asked[3].body, "\"refreshToken\":\"next\""));
}

static void container_addresses_are_bound_to_this_machine(void **state)
{
	static const char *const good[] = {"http://localhost/a",      "http://127.0.0.1:80/",
					   "http://127.9.9.9",	      "http://[::1]:8/",
					   "http://169.254.170.2/x",  "http://169.254.170.23/x",
					   "http://[fd00:ec2::23]/x", "https://anywhere.example/x"};
	static const char *const bad[] = {"http://169.254.169.254/x",
					  "http://example.org/",
					  "http://10.0.0.1/",
					  "http://127.0.0.1.example.org/",
					  "http://localhost@evil/",
					  "ftp://localhost/",
					  "x",
					  "http://169.254.170.234/"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(cred_container_url_is_allowed(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(cred_container_url_is_allowed(bad[i]));
	fake_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/x");
	expect_error(true, ERR_CONFIG, "not this machine");
	fake_setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@evil.example/x");
	expect_error(true, ERR_CONFIG, "RELATIVE_URI is no address");
}

static void a_container_agent_is_asked_with_the_token_of_now(void **state)
{
	char url[128], path[128];

	(void)state;
	scripted = "{\"AccessKeyId\":\"BOX\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
		   "\"Expiration\":\"2099-01-01T00:00:00Z\"}";
	(void)snprintf(url, sizeof(url), "%s/creds/?id=a%%20b", server.url);
	fake_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
	expect_error(false, ERR_UNAUTHENTICATED,
		     "no AWS credentials found"); /* metadata services were not asked for */
	fake_setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer x");
	expect(true, "BOX", "container");
	assert_string_equal(asked[0].target, "/creds/?id=a%20b");
	assert_non_null(strcasestr(asked[0].headers, "authorization: Bearer x"));
	(void)snprintf(path, sizeof(path), "%s/token", fake_getenv("HOME"));
	fake_setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path);
	fake_home_write("token", "Basic y\n");
	expect(true, "BOX", "container");
	assert_non_null(strcasestr(asked[1].headers, "authorization: Basic y"));
	fake_home_write("token", "a\nb");
	expect_error(true, ERR_CONFIG, "more than one line");
	fake_setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", NULL);
	scripted = "{\"AccessKeyId\":\"BOX\",\"SecretAccessKey\":\"s\",\"Expiration\":\"soon\"}";
	expect_error(true, ERR_PROTOCOL, "no date");
	scripted = "[1";
	expect_error(true, ERR_PROTOCOL, "no JSON");
}

static int imds_role_status;
static const char *imds_expiration;

static void answer_as_imds(void *arg, const struct fake_question *q, struct fake_answer *a)
{
	static const char roles[] = "/latest/meta-data/iam/security-credentials/";

	(void)arg;
	if (strcmp(q->target, "/latest/api/token") == 0) {
		bool is_right =
			strcmp(q->method, "PUT") == 0 &&
			strcasestr(q->headers, "X-aws-ec2-metadata-token-ttl-seconds: 21600");

		a->status = is_right ? 200 : 400;
		(void)snprintf(a->body, sizeof(a->body), "TOK==");
	} else if (!strcasestr(q->headers, "X-aws-ec2-metadata-token: TOK==")) {
		a->status = 401;
	} else if (strcmp(q->target, roles) == 0) {
		a->status = imds_role_status;
		(void)snprintf(a->body, sizeof(a->body), "my-role\n");
	} else if (strcmp(q->target, "/latest/meta-data/iam/security-credentials/my-role") == 0) {
		(void)snprintf(a->body, sizeof(a->body),
			       "{\"Code\":\"Success\",\"AccessKeyId\":\"EC2\",\"SecretAccessKey\":"
			       "\"s\",\"Token\":\"t\","
			       "\"Expiration\":\"%s\"}",
			       imds_expiration);
	} else {
		a->status = 404;
	}
}

static void instance_metadata_is_asked_by_version_two(void **state)
{
	(void)state;
	server.answer = answer_as_imds;
	imds_role_status = 200;
	imds_expiration = "2099-01-01T00:00:00Z";
	host.imds_endpoint = server.url;
	expect(true, "EC2", "instance metadata");
	assert_int_equal(atomic_load(&server.asked), 3);
	imds_expiration =
		"2001-01-01T00:00:00Z"; /* ended, but still given out: used on for a while */
	expect(true, "EC2", "instance metadata");
	imds_role_status = 404;
	expect_error(true, ERR_UNAUTHENTICATED, "no AWS credentials found");
	imds_role_status = 200;
	fake_setenv("AWS_EC2_METADATA_DISABLED", "TRUE");
	expect_error(true, ERR_UNAUTHENTICATED, "no AWS credentials found");
	assert_int_equal(atomic_load(&server.asked), 8);
}

static void no_instance_metadata_means_absent(void **state)
{
	struct fake_server gone = {.answer = answer_as_imds};

	(void)state;
	fake_server_start(&gone);
	fake_server_stop(&gone); /* a port where nobody listens */
	fake_setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", gone.url);
	expect_error(true, ERR_UNAUTHENTICATED, "no AWS credentials found");
	fake_home_write(".aws/config",
			"[default]\nrole_arn = a\ncredential_source = Ec2InstanceMetadata\n");
	expect_error(true, ERR_UNAUTHENTICATED, "Ec2InstanceMetadata, where there are none");
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(a_role_is_assumed_with_the_keys_of_its_source_profile),
		WORLD(a_refusal_of_sts_is_told_with_its_code),
		WORLD(roles_chain_and_loops_are_found),
		WORLD(a_long_chain_is_refused),
		WORLD(profiles_that_cannot_work_are_told_apart),
		WORLD(a_clock_that_is_wrong_is_set_by_sts_and_asked_again),
		WORLD(a_web_identity_token_is_read_at_each_fetch),
		WORLD(a_command_line_is_split_like_a_shell_does_but_expands_nothing),
		WORLD(a_program_gives_credentials_or_a_clear_error),
		WORLD(a_program_that_hangs_ends_with_the_provider),
		WORLD(sso_buys_keys_with_the_token_of_the_session),
		WORLD(sso_without_a_session_uses_the_start_url),
		WORLD(an_sso_session_that_ended_says_what_to_run),
		WORLD(an_sso_token_is_renewed_and_kept),
		WORLD(container_addresses_are_bound_to_this_machine),
		WORLD(a_container_agent_is_asked_with_the_token_of_now),
		WORLD(instance_metadata_is_asked_by_version_two),
		WORLD(no_instance_metadata_means_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
