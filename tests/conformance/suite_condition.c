#include "tests/conformance/suite.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void only_the_first_creates(void **state)
{
	struct suite *s = *state;
	struct store_put_args args = { .if_absent = true };

	NEEDS_CAP(STORE_CAP_CONDITIONAL_PUT);
	OK(try_put_text(s, "k", "first", &args, NULL));
	FAILS(ERR_PRECONDITION, try_put_text(s, "k", "second", &args, NULL));
	expect_text(s, "k", "first");
	OK(store_delete(s->store, s->bucket, "k", NULL, NULL, &s->err));
	OK(try_put_text(s, "k", "third", &args, NULL));
}

static void a_put_replaces_the_version_it_knows(void **state)
{
	struct suite *s = *state;
	char old[STORE_VERSION_MAX], now[STORE_VERSION_MAX];
	struct store_put_args args = { .if_version = old };

	NEEDS_CAP(STORE_CAP_CONDITIONAL_PUT);
	put_text(s, "k", "one", old);
	OK(try_put_text(s, "k", "two", &args, now));
	FAILS(ERR_PRECONDITION, try_put_text(s, "k", "three", &args, NULL));
	expect_text(s, "k", "two");
	args.if_version = now;
	OK(try_put_text(s, "k", "four", &args, NULL));
	args.if_version = "";
	OK(try_put_text(s, "k", "five", &args, NULL));
}

static void a_put_over_what_is_gone_fails(void **state)
{
	struct suite *s = *state;
	char old[STORE_VERSION_MAX];
	struct store_put_args args = { .if_version = old };

	NEEDS_CAP(STORE_CAP_CONDITIONAL_PUT);
	put_text(s, "k", "one", old);
	OK(store_delete(s->store, s->bucket, "k", NULL, NULL, &s->err));
	assert_true(try_put_text(s, "k", "two", &args, NULL) < 0);
	assert_true(s->err.kind == ERR_PRECONDITION || s->err.kind == ERR_NOT_FOUND);
	expect_absent(s, "k");
}

static void a_delete_takes_the_version_it_knows(void **state)
{
	struct suite *s = *state;
	char old[STORE_VERSION_MAX], now[STORE_VERSION_MAX];

	NEEDS_CAP(STORE_CAP_CONDITIONAL_DELETE);
	put_text(s, "k", "one", old);
	put_text(s, "k", "two!", now);
	FAILS(ERR_PRECONDITION, store_delete(s->store, s->bucket, "k", old, NULL, &s->err));
	expect_text(s, "k", "two!");
	OK(store_delete(s->store, s->bucket, "k", now, NULL, &s->err));
	expect_absent(s, "k");
}

#define RACERS 8
struct racer {
	struct suite *suite;
	pthread_t thread;
	const char *if_version;
	bool if_absent;
	int number, result;
	struct error err;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct store_source source = STORE_SOURCE_INIT;
	struct store_put_args args = { .if_absent = r->if_absent, .if_version = r->if_version };
	char text[16], version[STORE_VERSION_MAX];

	(void)snprintf(text, sizeof(text), "racer %d", r->number);
	source.mem = str_of(text);
	r->result =
		store_put(r->suite->store, r->suite->bucket, "k", &source, &args, version, &r->err);
	return NULL;
}

static void run_race(struct suite *s, const char *if_version, bool if_absent)
{
	struct racer racers[RACERS] = { 0 };
	int winner = -1;
	char want[32];

	for (int i = 0; i < RACERS; i++) {
		racers[i] = (struct racer){
			.suite = s, .number = i, .if_version = if_version, .if_absent = if_absent
		};
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < RACERS; i++)
		assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
	for (int i = 0; i < RACERS; i++) {
		if (racers[i].result >= 0) {
			assert_int_equal(winner, -1);
			winner = i;
		} else if (racers[i].err.kind != ERR_PRECONDITION &&
			   racers[i].err.kind != ERR_CONFLICT) {
			fail_msg("racer %d: %s", i, racers[i].err.message);
		}
	}
	assert_true(winner >= 0);
	(void)snprintf(want, sizeof(want), "racer %d", winner);
	expect_text(s, "k", want);
}

static void of_many_writers_one_wins(void **state)
{
	struct suite *s = *state;
	char version[STORE_VERSION_MAX];

	NEEDS_CAP(STORE_CAP_CONDITIONAL_PUT);
	if (!s->is_reference) {
		/* Test servers check and write in two steps; what they let through says nothing of us. */
		print_message("  not tested: only the reference is known to be atomic\n");
		skip();
	}
	run_race(s, NULL, true);
	for (int i = 0; i < 10; i++) {
		put_text(s, "k", "again", version);
		run_race(s, version, false);
	}
}

static const struct CMUnitTest tests[] = {
	SUITE_TEST(only_the_first_creates),	   SUITE_TEST(a_put_replaces_the_version_it_knows),
	SUITE_TEST(a_put_over_what_is_gone_fails), SUITE_TEST(a_delete_takes_the_version_it_knows),
	SUITE_TEST(of_many_writers_one_wins),
};
SUITE_LIST(suite_condition_tests, tests);
