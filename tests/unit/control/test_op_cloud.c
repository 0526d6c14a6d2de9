/*
 * Choosing the provider of an operation, merging the lists of all, dry runs, waiting.
 */
#include "control/op.h"
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const char *const modes[] = {"soft", "hard", NULL};
static const char *const good[] = {"running", NULL};
static const char *const bad[] = {"error", NULL};
static const struct op_param get_params[] = {
	{"id", OP_STRING, true, 64, "the thing", .position = 1},
	{"mode", OP_ENUM, false, 0, "how", .choices = modes},
	{"tag", OP_MAP, false, 16, "marks"},
	OP_PARAM_END,
};
static const struct op_wait wait_running = {"things.get", "id", "status", good, bad};
static const struct op list_op = {.name = "things.list", .summary = "list", .result = OP_ITEMS, .interface = CLOUD_COMPUTE};
static const struct op start_op = {.name = "things.start",
				   .summary = "start",
				   .risk = OP_CHANGE,
				   .params = get_params,
				   .result = OP_ONE,
				   .interface = CLOUD_COMPUTE,
				   .wait = &wait_running};

static const struct op rows[] = {
	{.name = "things.get", .summary = "get", .params = get_params, .result = OP_ONE, .interface = CLOUD_COMPUTE},
	{.name = NULL},
};
const struct op *const op_tables[] = {rows, NULL};

struct world {
	struct config config;
	struct op_context *context;
	struct op_call call;
	struct error err;
	struct json_object *result;
};

static int make_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	struct json_object *list = json_object_new_array(), *o;

	if (!strcmp(call->cloud->name, "beta") && cloud_param(call, "profile") &&
	    !strcmp(cloud_param(call, "profile"), "broken")) {
		json_object_put(list);
		return error_set(err, ERR_PERMISSION, "go away");
	}
	for (int i = 0; i < 3; i++) {
		o = json_object_new_object();
		json_object_object_add(o, "id", json_object_new_int(i));
		json_object_array_add(list, o);
	}
	*ret = list;
	return 0;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct error err = ERROR_INIT;

	w->config = CONFIG_INIT;
	fake_clouds.run = make_list;
	(void)setenv("FAKE_CLOUD_KEY", "alpha,beta", 1);
	assert_int_equal(op_context_new(&w->config, NULL, &w->context, &err), 0);
	w->call = (struct op_call){.context = w->context};
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	json_object_put(w->result);
	json_object_put(w->call.params);
	op_context_free(w->context);
	(void)unsetenv("FAKE_CLOUD_KEY");
	free(w);
	return 0;
}

static int run(struct world *w, const struct op *op, const char *params)
{
	int r;

	json_object_put(w->result);
	json_object_put(w->call.params);
	w->result = NULL;
	w->err = ERROR_INIT;
	w->call.params = json_tokener_parse(params);
	assert_non_null(w->call.params);
	r = op_check_params(op, w->call.params, &w->err);
	return r < 0 ? r : op_run(op, &w->call, &w->result, &w->err);
}

static void several_providers_are_an_error_that_names_them(void **state)
{
	struct world *w = *state;

	assert_true(run(w, &list_op, "{}") < 0);
	assert_int_equal(w->err.kind, ERR_INVALID);
	assert_non_null(strstr(w->err.message, "alpha, beta (choose by --provider, or --all-providers)"));
}

static void the_only_one_that_is_configured_is_taken(void **state)
{
	struct world *w = *state;

	(void)setenv("FAKE_CLOUD_KEY", "alpha", 1);
	assert_int_equal(run(w, &list_op, "{}"), 0);
	assert_int_equal(json_get_int64(w->result, "count", -1), 3);
	assert_string_equal(json_get_string(w->result, "items.0.provider"), "alpha");
}

static void none_at_all_says_where_to_look(void **state)
{
	struct world *w = *state;

	(void)unsetenv("FAKE_CLOUD_KEY");
	assert_true(run(w, &list_op, "{}") < 0);
	assert_int_equal(w->err.kind, ERR_UNAUTHENTICATED);
	assert_true(run(w, &list_op, "{\"provider\":\"nowhere\"}") < 0);
	assert_int_equal(w->err.kind, ERR_UNAUTHENTICATED);
	assert_non_null(strstr(w->err.message, "'nowhere'"));
}

static void what_a_provider_lacks_is_said_plainly(void **state)
{
	struct world *w = *state;

	assert_true(run(w, &list_op, "{\"provider\":\"gamma\"}") < 0);
	assert_int_equal(w->err.kind, ERR_UNSUPPORTED);
	assert_string_equal(w->err.message, "things.list: not supported by gamma");
}

static void region_and_profile_reach_the_driver_and_make_their_own_connection(void **state)
{
	struct world *w = *state;
	unsigned before = fake_clouds.opens;

	assert_int_equal(run(w, &list_op, "{\"provider\":\"alpha\",\"region\":\"r1\",\"profile\":\"p1\"}"), 0);
	assert_string_equal(fake_clouds.last_region, "r1");
	assert_string_equal(fake_clouds.last_profile, "p1");
	assert_int_equal(run(w, &list_op, "{\"provider\":\"alpha\",\"region\":\"r1\",\"profile\":\"p1\"}"), 0);
	assert_int_equal(fake_clouds.opens, before + 1);
	assert_int_equal(run(w, &list_op, "{\"provider\":\"alpha\"}"), 0);
	assert_int_equal(fake_clouds.opens, before + 2);
}

static void all_providers_are_merged_and_one_failure_does_not_spoil_the_rest(void **state)
{
	struct world *w = *state;

	assert_int_equal(run(w, &list_op, "{\"all_providers\":true}"), 0);
	assert_int_equal(json_get_int64(w->result, "count", -1), 6);
	assert_string_equal(json_get_string(w->result, "items.0.provider"), "alpha");
	assert_string_equal(json_get_string(w->result, "items.5.provider"), "beta");
	assert_null(json_get(w->result, "errors"));
	assert_int_equal(run(w, &list_op, "{\"all_providers\":true,\"profile\":\"broken\"}"), 0);
	assert_int_equal(json_get_int64(w->result, "count", -1), 3);
	assert_string_equal(json_get_string(w->result, "errors.0.provider"), "beta");
	assert_string_equal(json_get_string(w->result, "errors.0.kind"), "permission");
	assert_string_equal(json_get_string(w->result, "errors.0.message"), "go away");
}

static int fail_in_full(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	int r;

	if (strcmp(call->cloud->name, "beta") != 0)
		return make_list(call, ret, err);
	r = error_set(err, ERR_THROTTLED, "slow down");
	(void)snprintf(err->request_id, sizeof err->request_id, "req-7");
	(void)snprintf(err->service_code, sizeof err->service_code, "SlowDown");
	return r;
}

static void a_failure_says_whose_it_is_and_its_request(void **state)
{
	struct world *w = *state;

	fake_clouds.run = fail_in_full;
	assert_int_equal(run(w, &list_op, "{\"all_providers\":true}"), 0);
	assert_string_equal(json_get_string(w->result, "errors.0.provider"), "beta");
	assert_string_equal(json_get_string(w->result, "errors.0.request_id"), "req-7");
	assert_string_equal(json_get_string(w->result, "errors.0.service_code"), "SlowDown");
	assert_true(json_get_bool(w->result, "errors.0.retryable", false));
	assert_true(run(w, &list_op, "{\"provider\":\"beta\"}") < 0);
	assert_string_equal(w->err.provider, "beta");
	assert_true(run(w, &list_op, "{\"provider\":\"gamma\"}") < 0);
	assert_string_equal(w->err.provider, "gamma");
}

struct notes {
	pthread_t thread;
	bool is_of_another_thread;
	char all[1024];
};

static void note(void *arg, struct json_object *params)
{
	struct notes *n = arg;
	size_t len = strlen(n->all);

	n->is_of_another_thread |= !pthread_equal(n->thread, pthread_self());
	(void)snprintf(n->all + len, sizeof n->all - len, "%s\n", json_get_string(params, "message"));
}

static int say_and_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	cloud_progress(call, "page 1");
	return make_list(call, ret, err);
}

static void the_progress_of_all_providers_comes_from_one_thread(void **state)
{
	struct notes notes = {.thread = pthread_self()};
	struct world *w = *state;

	fake_clouds.run = say_and_list;
	w->call.notify = note;
	w->call.notify_arg = &notes;
	assert_int_equal(run(w, &list_op, "{\"provider\":\"alpha\"}"), 0);
	assert_ptr_equal(strstr(notes.all, "page 1 ("), notes.all);
	notes.all[0] = '\0';
	/* How much is told before all is done, nobody can say; never from another thread. */
	assert_int_equal(run(w, &list_op, "{\"all_providers\":true}"), 0);
	assert_int_equal(json_get_int64(w->result, "count", -1), 6);
	assert_false(notes.is_of_another_thread);
}

static int looks;

static int become_running(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	(void)err;
	assert_string_equal(cloud_param(call, "id"), "i-1");
	*ret = json_object_new_object();
	json_object_object_add(*ret, "status", json_object_new_string(++looks > 2 ? "running" : "creating"));
	return 0;
}

static void waiting_asks_until_it_is_so_and_says_how_long_it_may_take(void **state)
{
	struct notes notes = {.thread = pthread_self()};
	struct world *w = *state;

	fake_clouds.run = become_running;
	looks = 0;
	w->call.notify = note;
	w->call.notify_arg = &notes;
	assert_int_equal(run(w, &start_op, "{\"provider\":\"alpha\",\"id\":\"i-1\",\"wait\":true,\"timeout\":\"5m\"}"), 0);
	assert_string_equal(json_get_string(w->result, "status"), "running");
	assert_int_equal(looks, 3);
	assert_non_null(strstr(notes.all, "status: creating ("));
	assert_non_null(strstr(notes.all, "s of 5m00s)"));
}

static int never_ends(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	(void)ret;
	assert_int_not_equal(call->wait_until_mono_ms, 0);
	for (;;) {
		int r = cloud_sleep(call, 5, err);

		if (r < 0)
			return r;
	}
}

static void a_wait_ends_when_its_time_is_over(void **state)
{
	struct world *w = *state;

	fake_clouds.run = become_running;
	looks = 0;
	assert_true(run(w, &start_op, "{\"provider\":\"alpha\",\"id\":\"i-1\",\"wait\":true,\"timeout\":\"10ms\"}") < 0);
	assert_int_equal(w->err.kind, ERR_WAIT_OVER);
	assert_int_equal(error_exit_code(w->err.kind), 8);
	assert_int_equal(looks, 2);
	fake_clouds.run = never_ends; /* what the driver waits for itself */
	assert_true(run(w, &start_op, "{\"provider\":\"alpha\",\"id\":\"i-1\",\"timeout\":\"10ms\"}") < 0);
	assert_int_equal(w->err.kind, ERR_WAIT_OVER);
}

static int make_of_many(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	(void)err;
	assert_int_equal(call->wait_until_mono_ms, 0);
	*ret = json_object_new_object();
	json_object_object_add(*ret, "applied", json_object_new_int(3));
	return 0;
}

static void what_is_composed_of_many_is_bounded_only_while_it_waits(void **state)
{
	static const struct op_wait wait = {"things.get", "id", "status", good, bad, .keeps_result = true};
	static const struct op apply_op = {.name = "things.apply",
					   .summary = "apply",
					   .risk = OP_CHANGE,
					   .params = get_params,
					   .result = OP_ONE,
					   .interface = CLOUD_COMPUTE,
					   .composed = make_of_many,
					   .wait = &wait};
	struct world *w = *state;

	fake_clouds.run = become_running;
	looks = 0;
	assert_int_equal(run(w, &apply_op, "{\"provider\":\"alpha\",\"id\":\"i-1\",\"wait\":true}"), 0);
	assert_int_equal(looks, 3);
	assert_int_equal(json_get_int64(w->result, "applied", 0), 3); /* its own result, not the thing's */
	looks = -1000000;
	assert_true(run(w, &apply_op, "{\"provider\":\"alpha\",\"id\":\"i-1\",\"wait\":true,\"timeout\":\"10ms\"}") < 0);
	assert_int_equal(w->err.kind, ERR_WAIT_OVER);
}

static void a_limit_cuts_the_list(void **state)
{
	struct world *w = *state;

	assert_int_equal(run(w, &list_op, "{\"provider\":\"alpha\",\"limit\":2}"), 0);
	assert_int_equal(json_get_int64(w->result, "count", -1), 2);
	assert_int_equal(run(w, &list_op, "{\"all_providers\":true,\"limit\":2}"), 0);
	assert_int_equal(json_get_int64(w->result, "count", -1), 2);
}

static int plan_only(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	(void)ret;
	assert_non_null(call->plan);
	call->is_planned = true;
	json_object_array_add(call->plan, json_object_new_string("POST /"));
	return error_set(err, ERR_CANCELLED, "planned");
}

static void a_dry_run_gives_what_would_be_sent(void **state)
{
	struct world *w = *state;

	fake_clouds.run = plan_only;
	assert_int_equal(run(w, &start_op, "{\"provider\":\"alpha\",\"id\":\"i-1\",\"dry_run\":true,\"wait\":true}"), 0);
	assert_string_equal(json_get_string(w->result, "would_send.0"), "POST /");
}

static void bad_parameters_name_what_is_allowed(void **state)
{
	static const struct {
		const char *params, *says;
	} cases[] = {
		{"{}", "parameter 'id' is missing (the thing)"},
		{"{\"id\":1}", "parameter 'id' must be a string"},
		{"{\"id\":\"x\",\"mode\":\"sift\"}", "parameter 'mode' must not be 'sift' (did you mean 'soft'?)"},
		{"{\"id\":\"x\",\"mode\":\"never\"}", "parameter 'mode' must be one of soft, hard, not 'never'"},
		{"{\"id\":\"x\",\"mod\":\"soft\"}", "unknown parameter 'mod' (did you mean 'mode'?)"},
		{"{\"id\":\"x\",\"tag\":{\"a\":1}}", "parameter 'tag' must be an object of strings"},
		{"{\"id\":\"x\",\"tag\":{\"a\":\"01234567890123456\"}}", "parameter 'tag' is too long (16 bytes at most)"},
		{"{\"id\":\"x\",\"timeout\":\"soon\"}", "parameter 'timeout' must be a time like '90s' or '5m'"},
		{"{\"id\":\"x\\u0000y\"}", "parameter 'id' holds a NUL"},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(run(w, &start_op, cases[i].params) < 0);
		assert_int_equal(w->err.kind, ERR_INVALID);
		assert_string_equal(w->err.message, cases[i].says);
	}
}

static void common_parameters_belong_to_their_kind_of_row(void **state)
{
	(void)state;
	assert_non_null(op_param_find(&list_op, "all_providers"));
	assert_null(op_param_find(&list_op, "dry_run"));
	assert_non_null(op_param_find(&start_op, "dry_run"));
	assert_non_null(op_param_find(&start_op, "wait"));
	assert_null(op_param_find(&start_op, "limit"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(several_providers_are_an_error_that_names_them, setup, teardown),
		cmocka_unit_test_setup_teardown(the_only_one_that_is_configured_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(none_at_all_says_where_to_look, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_provider_lacks_is_said_plainly, setup, teardown),
		cmocka_unit_test_setup_teardown(region_and_profile_reach_the_driver_and_make_their_own_connection, setup,
						teardown),
		cmocka_unit_test_setup_teardown(all_providers_are_merged_and_one_failure_does_not_spoil_the_rest, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_failure_says_whose_it_is_and_its_request, setup, teardown),
		cmocka_unit_test_setup_teardown(the_progress_of_all_providers_comes_from_one_thread, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_asks_until_it_is_so_and_says_how_long_it_may_take, setup, teardown),
		cmocka_unit_test_setup_teardown(a_wait_ends_when_its_time_is_over, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_composed_of_many_is_bounded_only_while_it_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(a_limit_cuts_the_list, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dry_run_gives_what_would_be_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_parameters_name_what_is_allowed, setup, teardown),
		cmocka_unit_test(common_parameters_belong_to_their_kind_of_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
