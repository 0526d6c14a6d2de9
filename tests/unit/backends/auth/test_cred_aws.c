/* The chain's order, and the cache: who fetches, who waits, who goes on with the old ones. */
#include "tests/unit/backends/auth/fake_host.h"

#include <sched.h>
#include <stdio.h>

/* A container agent that gives keys named by how often it was asked, good for lifetime_s; it can be
 * held. */
struct agent {
	struct fake_server server;
	struct lock lock;
	struct cond change;
	bool is_held, is_broken;
	unsigned waiting; /* questions that came */
	_Atomic int64_t lifetime_s;
};

struct fixture {
	struct agent agent;
	struct cred_host host;
	struct cred_aws_provider *provider;
};

static void agent_answer(void *arg, const struct fake_question *q, struct fake_answer *a)
{
	struct agent *agent = arg;
	char date[24];

	(void)q;
	LOCKED(&agent->lock);
	agent->waiting++;
	cond_broadcast(&agent->change);
	while (agent->is_held)
		cond_wait(&agent->change, &agent->lock);
	if (agent->is_broken) {
		a->status = 400;
		return;
	}
	(void)snprintf(a->body, sizeof(a->body),
		       "{\"AccessKeyId\":\"KEY%u\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
		       "\"Expiration\":\"%s\"}",
		       atomic_load(&agent->server.asked),
		       fake_date(fake_wall_s() + atomic_load(&agent->lifetime_s), date));
}

static void agent_hold(struct agent *agent, bool is_held)
{
	LOCKED(&agent->lock);
	agent->is_held = is_held;
	cond_broadcast(&agent->change);
}

static void agent_break(struct agent *agent, bool is_broken)
{
	LOCKED(&agent->lock);
	agent->is_broken = is_broken;
}

static void agent_wait_for(struct agent *agent, unsigned questions)
{
	LOCKED(&agent->lock);
	while (agent->waiting < questions)
		cond_wait(&agent->change, &agent->lock);
}

static int open_fixture(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct cred_aws_options options = {.use_metadata_service = true};
	struct http_engine_options engine = {0};

	fake_host_reset();
	(void)fake_home_make();
	lock_init(&f->agent.lock);
	cond_init(&f->agent.change);
	atomic_store(&f->agent.lifetime_s, 3600);
	f->agent.server.answer = agent_answer;
	f->agent.server.arg = &f->agent;
	fake_server_start(&f->agent.server);
	fake_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f->agent.server.url);
	f->host = fake_host;
	assert_int_equal(http_engine_new(&engine, &f->host.engine, NULL), 0);
	assert_int_equal(cred_aws_provider_new(&f->host, &options, &f->provider, NULL), 0);
	*state = f;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *f = *state;

	agent_hold(&f->agent, false);
	cred_aws_provider_free(f->provider);
	http_engine_free(f->host.engine);
	fake_server_stop(&f->agent.server);
	cond_destroy(&f->agent.change);
	lock_destroy(&f->agent.lock);
	fake_home_remove();
	free(f);
	return 0;
}

static void expect_key(struct cred_aws_provider *p, const char *id)
{
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;
	struct error err = ERROR_INIT;
	int r = cred_aws_get(p, &cred, &err);

	if (r < 0)
		print_error("%s\n", err.message);
	assert_int_equal(r, 0);
	assert_string_equal(cred.access_key_id, id);
}

static void expect_error(struct cred_aws_provider *p, enum error_kind kind, const char *text)
{
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;
	struct error err = ERROR_INIT;

	assert_true(cred_aws_get(p, &cred, &err) < 0);
	if (!strstr(err.message, text))
		print_error("'%s' lacks '%s'\n", err.message, text);
	assert_int_equal(err.kind, kind);
	assert_non_null(strstr(err.message, text));
	assert_null(cred.access_key_id);
}

static void fresh_credentials_are_fetched_once(void **state)
{
	struct fixture *f = *state;

	assert_false(cred_aws_is_ready(f->provider));
	for (int i = 0; i < 5; i++)
		expect_key(f->provider, "KEY1");
	assert_true(cred_aws_is_ready(f->provider));
	fake_advance_s(3600 - CRED_ADVISORY_S - 1);
	expect_key(f->provider, "KEY1");
	assert_int_equal(atomic_load(&f->agent.server.asked), 1);
}

static void *get_in_thread(void *arg)
{
	expect_key(arg, "KEY1");
	return NULL;
}

static void many_threads_share_one_fetch(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[8];

	agent_hold(&f->agent, true);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, get_in_thread, f->provider), 0);
	agent_wait_for(&f->agent, 1);
	agent_hold(&f->agent, false);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&f->agent.server.asked), 1);
}

/* Until the refresh beside has landed. */
static void wait_for_key(struct cred_aws_provider *p, const char *id)
{
	for (;;) {
		CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;

		assert_int_equal(cred_aws_peek(p, &cred, NULL), 0);
		if (strcmp(cred.access_key_id, id) == 0)
			return;
		(void)sched_yield();
	}
}

static void in_the_advisory_window_the_old_ones_serve_during_the_fetch(void **state)
{
	struct fixture *f = *state;

	expect_key(f->provider, "KEY1");
	agent_hold(&f->agent, true);
	fake_advance_s(3600 - CRED_ADVISORY_S + 1);
	expect_key(f->provider, "KEY1");
	agent_wait_for(&f->agent, 2);
	assert_true(cred_aws_is_ready(f->provider));
	for (int i = 0; i < 5; i++)
		expect_key(f->provider, "KEY1");
	agent_hold(&f->agent, false);
	wait_for_key(f->provider, "KEY2");
	assert_int_equal(atomic_load(&f->agent.server.asked), 2);
}

static void a_failed_refresh_keeps_the_old_ones_and_is_tried_later(void **state)
{
	struct fixture *f = *state;

	expect_key(f->provider, "KEY1");
	agent_break(&f->agent, true);
	fake_advance_s(3600 - CRED_ADVISORY_S + 1);
	expect_key(f->provider, "KEY1");
	agent_wait_for(&f->agent, 2);
	for (int i = 0; i < 20; i++)
		expect_key(f->provider, "KEY1");
	while (cred_aws_is_fetching(f->provider))
		(void)sched_yield();
	agent_break(&f->agent, false);
	fake_advance_s(31);
	expect_key(f->provider, "KEY1");
	wait_for_key(f->provider, "KEY3");
	assert_int_equal(atomic_load(&f->agent.server.asked), 3);
}

static void close_to_the_end_a_get_waits_for_new_ones(void **state)
{
	struct fixture *f = *state;

	expect_key(f->provider, "KEY1");
	fake_advance_s(3600 - CRED_MANDATORY_S + 1);
	assert_false(cred_aws_is_ready(f->provider));
	expect_key(f->provider, "KEY2");
}

static void
close_to_the_end_old_ones_are_used_when_no_new_ones_come_and_then_the_error_shows(void **state)
{
	struct fixture *f = *state;

	expect_key(f->provider, "KEY1");
	agent_break(&f->agent, true);
	fake_advance_s(3600 - CRED_MANDATORY_S + 1);
	expect_key(f->provider, "KEY1");
	fake_advance_s(CRED_MANDATORY_S);
	for (int i = 0; i < 5; i++) /* one question answers them all */
		expect_error(f->provider, ERR_PROTOCOL, "container credentials");
	agent_break(&f->agent, false);
	fake_advance_s(2);
	expect_key(f->provider, "KEY4");
}

static void forgotten_ones_are_fetched_again(void **state)
{
	struct fixture *f = *state;

	assert_false(cred_aws_forget(f->provider)); /* nothing yet */
	expect_key(f->provider, "KEY1");
	assert_true(cred_aws_is_fetched_within(f->provider, 1000));
	assert_true(cred_aws_forget(f->provider));
	assert_false(cred_aws_is_ready(f->provider));
	expect_key(f->provider, "KEY2");
}

static void short_lived_ones_are_used_all_the_same_and_ended_ones_are_not(void **state)
{
	struct fixture *f = *state;

	atomic_store(&f->agent.lifetime_s, 30);
	expect_key(f->provider, "KEY1");
	expect_key(f->provider, "KEY2");
	fake_advance_s(40);
	atomic_store(&f->agent.lifetime_s, -1);
	expect_error(f->provider, ERR_UNAUTHENTICATED, "expired");
}

static void a_provider_is_freed_during_a_refresh(void **state)
{
	struct fixture *f = *state;

	expect_key(f->provider, "KEY1");
	agent_hold(&f->agent, true);
	fake_advance_s(3600 - CRED_ADVISORY_S + 1);
	expect_key(f->provider, "KEY1");
	agent_wait_for(&f->agent, 2);
	cred_aws_provider_free(f->provider); /* comes back, though the agent does not answer */
	f->provider = NULL;
}

/* The chain, without a network. */
static int open_world(void **state)
{
	(void)state;
	fake_host_reset();
	(void)fake_home_make();
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	fake_home_remove();
	return 0;
}

static struct cred_aws_provider *provider_with(const struct cred_aws_options *options)
{
	struct cred_aws_provider *p = NULL;

	assert_int_equal(cred_aws_provider_new(&fake_host, options, &p, NULL), 0);
	return p;
}

static void get_with(const struct cred_aws_options *options, const char *id)
{
	struct cred_aws_provider *p = provider_with(options);

	expect_key(p, id);
	assert_true(cred_aws_is_configured(&fake_host, options));
	cred_aws_provider_free(p);
}

static void fail_with(const struct cred_aws_options *options, enum error_kind kind,
		      const char *text)
{
	struct cred_aws_provider *p = provider_with(options);

	expect_error(p, kind, text);
	cred_aws_provider_free(p);
}

static const struct cred_aws_options no_options;

static void the_order_is_configuration_environment_profile(void **state)
{
	const struct cred_aws_options keys = {.access_key_id = "CONF", .secret_access_key = "s"};
	const struct cred_aws_options named = {.profile = "two"};

	(void)state;
	assert_false(cred_aws_is_configured(&fake_host, &no_options));
	fail_with(&no_options, ERR_UNAUTHENTICATED, "aws configure");
	fake_home_write(".aws/credentials",
			"[default]\naws_access_key_id = ONE\naws_secret_access_key = s\n"
			"[two]\naws_access_key_id=TWO\naws_secret_access_key=s\n");
	get_with(&no_options, "ONE");
	fake_setenv("AWS_PROFILE", "two");
	get_with(&no_options, "TWO");
	fake_setenv("AWS_ACCESS_KEY_ID", "ENV");
	fake_setenv("AWS_SECRET_ACCESS_KEY", "s");
	get_with(&no_options, "ENV");
	fake_setenv("AWS_PROFILE", NULL);
	get_with(&named, "TWO"); /* named by the store's configuration: before the environment */
	get_with(&keys, "CONF");
}

static void a_broken_source_ends_the_chain(void **state)
{
	const struct cred_aws_options half = {.access_key_id = "CONF"};

	(void)state;
	fake_home_write(".aws/credentials",
			"[default]\naws_access_key_id = ONE\naws_secret_access_key = s\n");
	fake_setenv("AWS_ACCESS_KEY_ID", "ENV");
	fail_with(&no_options, ERR_CONFIG, "AWS_SECRET_ACCESS_KEY is not");
	assert_true(cred_aws_is_configured(&fake_host, &no_options));
	fake_setenv("AWS_ACCESS_KEY_ID", NULL);
	fake_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere");
	fail_with(&no_options, ERR_CONFIG, "AWS_ROLE_ARN");
	fake_setenv("AWS_WEB_IDENTITY_TOKEN_FILE", NULL);
	fake_setenv("AWS_PROFILE", "gone");
	fail_with(&no_options, ERR_CONFIG, "'gone'");
	fail_with(&half, ERR_CONFIG, "go together");
}

static void anonymous_is_a_choice_and_fixed(void **state)
{
	const struct cred_aws_options options = {.is_anonymous = true};
	struct cred_aws_provider *p = provider_with(&options);
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;

	(void)state;
	assert_int_equal(cred_aws_get(p, &cred, NULL), 0);
	assert_null(cred.access_key_id);
	assert_false(cred_aws_forget(p));
	assert_true(cred_aws_is_ready(p));
	cred_aws_provider_free(p);
}

static void keys_with_odd_bytes_are_refused_without_being_shown(void **state)
{
	const struct cred_aws_options id = {.access_key_id = "A\nB", .secret_access_key = "s"};
	const struct cred_aws_options token = {
		.access_key_id = "A", .secret_access_key = "s", .session_token = "x\r\ny"};

	(void)state;
	fail_with(&id, ERR_CONFIG, "bytes that no key has");
	fail_with(&token, ERR_CONFIG, "bytes that no key has");
}

static void region_and_other_values_come_from_environment_or_profile(void **state)
{
	char *value;

	(void)state;
	assert_null(cred_aws_region(&fake_host, NULL));
	fake_home_write(".aws/config",
			"[default]\nregion = eu-west-1\n[profile two]\nregion = eu-west-2\n"
			"endpoint_url = http://127.0.0.1:1\n[profile \"a b\"]\nregion=eu-west-4\n"
			"[profile default]\nregion = eu-west-3\n");
	value = cred_aws_region(&fake_host, NULL);
	assert_string_equal(value, "eu-west-3"); /* [profile default] goes before [default] */
	free(value);
	value = cred_aws_region(&fake_host, "a b");
	assert_string_equal(value, "eu-west-4");
	free(value);
	fake_setenv("AWS_PROFILE", "two");
	value = cred_aws_region(&fake_host, NULL);
	assert_string_equal(value, "eu-west-2");
	free(value);
	value = cred_aws_profile_value(&fake_host, NULL, "ENDPOINT_URL");
	assert_string_equal(value, "http://127.0.0.1:1");
	free(value);
	assert_null(cred_aws_profile_value(&fake_host, "none", "region"));
	fake_setenv("AWS_DEFAULT_REGION", "sa-east-1");
	fake_setenv("AWS_REGION", "us-west-2");
	value = cred_aws_region(&fake_host, NULL);
	assert_string_equal(value, "us-west-2");
	free(value);
}

static void files_elsewhere_are_found_and_broken_ones_are_named(void **state)
{
	char path[256];

	(void)state;
	fake_home_write("elsewhere",
			"[default]\naws_access_key_id = ELSE\naws_secret_access_key = s\n");
	fake_setenv("AWS_SHARED_CREDENTIALS_FILE", "~/elsewhere");
	get_with(&no_options, "ELSE");
	(void)snprintf(path, sizeof(path), "%s/elsewhere", fake_getenv("HOME"));
	fake_setenv("AWS_SHARED_CREDENTIALS_FILE", path);
	get_with(&no_options, "ELSE");
	fake_home_write("elsewhere", "[default\nx\n");
	fail_with(&no_options, ERR_CONFIG, "elsewhere");
	fake_setenv("AWS_SHARED_CREDENTIALS_FILE",
		    fake_getenv("HOME")); /* a directory: not readable as a file */
	{
		struct cred_aws_provider *p = provider_with(&no_options);
		CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;

		assert_true(cred_aws_get(p, &cred, NULL) < 0);
		cred_aws_provider_free(p);
	}
}

static void keys_in_a_file_are_read_again_when_refused(void **state)
{
	struct cred_aws_provider *p = provider_with(&no_options);

	(void)state;
	fake_home_write(".aws/credentials",
			"[default]\naws_access_key_id = ONE\naws_secret_access_key = s\n");
	expect_key(p, "ONE");
	fake_home_write(".aws/credentials",
			"[default]\naws_access_key_id = NEW\naws_secret_access_key = s\n");
	expect_key(p, "ONE");
	assert_true(cred_aws_forget(p));
	expect_key(p, "NEW");
	cred_aws_provider_free(p);
}

#define CACHE(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)
#define CHAIN(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHAIN(the_order_is_configuration_environment_profile),
		CHAIN(a_broken_source_ends_the_chain),
		CHAIN(anonymous_is_a_choice_and_fixed),
		CHAIN(keys_with_odd_bytes_are_refused_without_being_shown),
		CHAIN(region_and_other_values_come_from_environment_or_profile),
		CHAIN(files_elsewhere_are_found_and_broken_ones_are_named),
		CHAIN(keys_in_a_file_are_read_again_when_refused),
		CACHE(fresh_credentials_are_fetched_once),
		CACHE(many_threads_share_one_fetch),
		CACHE(in_the_advisory_window_the_old_ones_serve_during_the_fetch),
		CACHE(a_failed_refresh_keeps_the_old_ones_and_is_tried_later),
		CACHE(close_to_the_end_a_get_waits_for_new_ones),
		CACHE(close_to_the_end_old_ones_are_used_when_no_new_ones_come_and_then_the_error_shows),
		CACHE(forgotten_ones_are_fetched_again),
		CACHE(short_lived_ones_are_used_all_the_same_and_ended_ones_are_not),
		CACHE(a_provider_is_freed_during_a_refresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
