#pragma once
/*
 * Purpose: one suite over any struct store: what the interface promises is tested once, on every provider and layer.
 *
 * Each test gets a fresh bucket of its own and leaves nothing behind. What a server cannot hold or do is found by a
 * probe, and such a case says that it is skipped; the reference (is_reference) may skip nothing it claims in its caps.
 */
#include "backends/store/store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct suite {
	struct store *store;
	bool is_reference; /* must hold every key */
	size_t key_max;	   /* bytes of the longest key; less than STORE_KEY_MAX below a prefix */
	bool renames_odd;  /* what the service cannot hold in a name stands there as another one, which sorts elsewhere */
	bool is_lax;	   /* a test server known to ignore some conditions and checks */
	bool has_no_markers; /* a deleted object leaves its versions and no marker; every version has an id of its own */
	bool names_freely; /* nearly anything may be the name of a bucket */
	bool has_access_lists; /* a policy is {"read": "...", "write": "..."} */
	bool has_plain_objects; /* what is written while versions are not kept is none, has no id, and replaces only its like */
	bool ids_all_versions; /* also what was there before versioning was turned on */
	char bucket[64];   /* of the test that runs */
	struct error err;  /* of the last call made through OK and FAILS */
};

/* The call succeeds, or the test fails with the error's text. Needs `s` of type struct suite *. */
#define OK(call)                                                                                   \
	do {                                                                                       \
		s->err = ERROR_INIT;                                                               \
		int ok_r = (call);                                                                 \
		if (ok_r < 0)                                                                      \
			fail_msg("%s: %s: %s", #call, error_name(s->err.kind), s->err.message);    \
	} while (0)
/* The call fails with that kind of error. */
#define FAILS(want, call)                                                                          \
	do {                                                                                       \
		s->err = ERROR_INIT;                                                               \
		int fails_r = (call);                                                              \
		if (fails_r >= 0)                                                                  \
			fail_msg("%s: succeeded, not %s", #call, error_name(want));                \
		if (s->err.kind != (want))                                                         \
			fail_msg("%s: %s (%s), not %s", #call, error_name(s->err.kind),            \
				 s->err.message, error_name(want));                                \
	} while (0)
/* The same, except that a server known to be lax may let it pass; that is said. */
#define FAILS_IF_STRICT(want, call)                                                                \
	do {                                                                                       \
		if (!s->is_lax)                                                                    \
			FAILS(want, call);                                                         \
		else if ((call) >= 0)                                                              \
			print_message("  this lax server lets pass: %s\n", #call);                 \
	} while (0)
/* The rest of the test needs that power. */
#define NEEDS_CAP(cap)                                                                             \
	do {                                                                                       \
		if (!(s->store->caps & (cap))) {                                                   \
			print_message("  not tested: this store has no " #cap "\n");               \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

int suite_setup(void **state); /* of each test: a fresh bucket */
int suite_teardown(void **state);
void suite_use(const struct suite *settings); /* for the tests that follow */
struct suite *suite_current(void);

void suite_empty_bucket(struct suite *s, const char *bucket);
void put_text(struct suite *s, const char *key, const char *text, char *ret_version);
int try_put_text(struct suite *s, const char *key, const char *text,
		 const struct store_put_args *args, char *ret_version);
/* The object's bytes; the caller frees. Fails the test when it cannot be read. */
char *get_text(struct suite *s, const char *key);
void expect_text(struct suite *s, const char *key, const char *text);
void expect_absent(struct suite *s, const char *key);
/* Puts a key; false (and a message) when this server cannot hold it beside what is there. */
bool holds_key(struct suite *s, const char *key, const char *text);
/* All pages of a listing as "key|key|prefix/ ...|"; the caller frees. */
char *list_text(struct suite *s, const char *prefix, char delimiter, const char *start_after,
		unsigned max_keys);
/* The same bytes for the same seed. */
void fill_pattern(char *data, size_t len, uint64_t seed);

struct test_list {
	const struct CMUnitTest *tests;
	size_t count;
};
extern const struct test_list suite_object_tests, suite_key_tests, suite_list_tests,
	suite_condition_tests, suite_copy_tests, suite_multipart_tests, suite_bucket_tests,
	suite_version_tests, suite_native_tests;
#define SUITE_TEST(name) cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)
#define SUITE_LIST(list, tests)                                                                    \
	const struct test_list list = { tests, sizeof(tests) / sizeof((tests)[0]) }
