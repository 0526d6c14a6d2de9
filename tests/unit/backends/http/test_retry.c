#include "backends/http/retry.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct error unavailable = { .kind = ERR_UNAVAILABLE };

static struct retry_facts facts(void)
{
	return (struct retry_facts){ .err = &unavailable,
				     .attempt = 1,
				     .max_attempts = 5,
				     .is_idempotent = true,
				     .was_sent = true,
				     .now_mono_ms = 1000,
				     .random = UINT64_MAX };
}

static void waits_grow_twofold_up_to_twenty_seconds(void **state)
{
	struct retry_budget budget = RETRY_BUDGET_INIT;
	struct retry_facts f = facts();
	uint64_t ceiling_ms = 100;

	(void)state;
	f.max_attempts = 100;
	for (f.attempt = 1; f.attempt < 60; f.attempt++) {
		f.random = ceiling_ms;
		assert_int_equal(retry_decide(&budget, &f), ceiling_ms);
		f.random = ceiling_ms + 1; /* full jitter: begins again at 0 */
		assert_int_equal(retry_decide(&budget, &f), 0);
		budget = (struct retry_budget)RETRY_BUDGET_INIT;
		ceiling_ms = ceiling_ms * 2 > 20000 ? 20000 : ceiling_ms * 2;
	}
}

static void attempts_are_bounded(void **state)
{
	struct retry_budget budget = RETRY_BUDGET_INIT;
	struct retry_facts f = facts();

	(void)state;
	f.attempt = 4;
	assert_true(retry_decide(&budget, &f) >= 0);
	f.attempt = 5;
	assert_int_equal(retry_decide(&budget, &f), -1);
}

static void what_may_have_arrived_is_not_sent_twice_unless_idempotent(void **state)
{
	struct retry_budget budget = RETRY_BUDGET_INIT;
	struct retry_facts f = facts();

	(void)state;
	f.is_idempotent = false;
	assert_int_equal(retry_decide(&budget, &f), -1);
	f.was_sent = false;
	assert_true(retry_decide(&budget, &f) >= 0);
}

static void errors_that_stay_are_not_retried(void **state)
{
	static const enum error_kind kinds[] = { ERR_NOT_FOUND, ERR_PERMISSION,	  ERR_CANCELLED,
						 ERR_PROTOCOL,	ERR_PRECONDITION, ERR_NO_SPACE };
	struct retry_budget budget = RETRY_BUDGET_INIT;
	struct retry_facts f = facts();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct error err = { .kind = kinds[i] };
		f.err = &err;
		assert_int_equal(retry_decide(&budget, &f), -1);
	}
	assert_int_equal(budget.tokens, 500);
}

static void never_earlier_than_retry_after_which_is_capped(void **state)
{
	struct retry_budget budget = RETRY_BUDGET_INIT;
	struct error err = { .kind = ERR_THROTTLED, .retry_after_ms = 3000 };
	struct retry_facts f = facts();

	(void)state;
	f.err = &err;
	f.random = 0;
	assert_int_equal(retry_decide(&budget, &f), 3000);
	err.retry_after_ms = 3600000;
	assert_int_equal(retry_decide(&budget, &f), 120000);
}

static void no_wait_reaches_the_deadline(void **state)
{
	struct retry_budget budget = RETRY_BUDGET_INIT;
	struct retry_facts f = facts();

	(void)state;
	f.random = 50;
	f.deadline_mono_ms = 1051;
	assert_int_equal(retry_decide(&budget, &f), 50);
	f.deadline_mono_ms = 1050;
	assert_int_equal(retry_decide(&budget, &f), -1);
}

static void the_budget_runs_out_and_comes_back_with_successes(void **state)
{
	struct retry_budget budget = RETRY_BUDGET_INIT;
	struct retry_facts f = facts();

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(retry_decide(&budget, &f) >= 0);
	assert_int_equal(retry_decide(&budget, &f), -1);
	for (int i = 0; i < 4; i++)
		retry_succeeded(&budget);
	assert_int_equal(retry_decide(&budget, &f), -1);
	retry_succeeded(&budget);
	assert_true(retry_decide(&budget, &f) >= 0);
	for (int i = 0; i < 1000; i++)
		retry_succeeded(&budget);
	assert_int_equal(budget.tokens, 500);
}

static void an_outage_is_borne_for_a_while_and_costs_nothing(void **state)
{
	struct retry_budget budget = RETRY_BUDGET_INIT;
	struct retry_facts f = facts();

	(void)state;
	f.was_sent = false;
	f.attempt = 50;
	f.random = 1001; /* a second at most: begins again at 0 */
	assert_int_equal(retry_decide(&budget, &f), -1);
	f.patient_until_ms = 1001;
	assert_int_equal(retry_decide(&budget, &f), 0);
	assert_int_equal(budget.tokens, 500);
	f.was_sent = true; /* then it could be reached */
	assert_int_equal(retry_decide(&budget, &f), -1);
	f.was_sent = false;
	f.now_mono_ms = 1001;
	assert_int_equal(retry_decide(&budget, &f), -1);
	f.now_mono_ms = 1000;
	f.deadline_mono_ms = 1000;
	assert_int_equal(retry_decide(&budget, &f), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_grow_twofold_up_to_twenty_seconds),
		cmocka_unit_test(attempts_are_bounded),
		cmocka_unit_test(what_may_have_arrived_is_not_sent_twice_unless_idempotent),
		cmocka_unit_test(errors_that_stay_are_not_retried),
		cmocka_unit_test(never_earlier_than_retry_after_which_is_capped),
		cmocka_unit_test(no_wait_reaches_the_deadline),
		cmocka_unit_test(the_budget_runs_out_and_comes_back_with_successes),
		cmocka_unit_test(an_outage_is_borne_for_a_while_and_costs_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
