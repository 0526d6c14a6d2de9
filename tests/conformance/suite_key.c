#include "tests/conformance/suite.h"
#include <stdio.h>
#include <string.h>

static void try_key(struct suite *s, const char *key)
{
	struct arena arena = ARENA_INIT(1 << 20);
	struct store_object o = { 0 };
	char *names;

	if (!holds_key(s, key, key)) {
		suite_empty_bucket(s, s->bucket); /* it may hold another key instead */
		return;
	}
	expect_text(s, key, key);
	OK(store_head(s->store, s->bucket, key, NULL, &arena, &o, &s->err));
	assert_int_equal(o.size, strlen(key));
	OK(store_delete(s->store, s->bucket, key, NULL, NULL, &s->err));
	expect_absent(s, key);
	names = list_text(s, "", 0, NULL, 0);
	assert_string_equal(names, "");
	free(names);
	arena_release(&arena);
}

static void any_bytes_make_a_key(void **state)
{
	struct suite *s = *state;
	static const char *const keys[] = {
		"with space",
		" leading and trailing ",
		"100%",
		"%20",
		"%2F",
		"%252e",
		"a+b",
		"a%2Bb",
		"quote\"'`quote",
		"&<>&amp;",
		"]]>",
		"?query=1&x",
		"#fragment",
		"semi;colon,comma",
		"back\\slash",
		"~tilde$dollar!bang*star(paren)",
		"[bracket]{brace}|pipe^",
		"d\xc3\xa9j\xc3\xa0/\xe2\x82\xac/\xf0\x9f\x98\x80",
		"e\xcc\x81",
		"colon:name",
		"tab\there",
		"line\nfeed",
		"carriage\rreturn",
		"\x01\x02\x1f\x7f",
		"a=b@c",
		"-rf",
		".hidden",
		"...",
		"a.",
		"CON",
		"mixed/Case",
		"MIXED/case",
		"a%=",
		"a%@",
		"a%+",
		"a%v",
		"%=",
		"dir%v/x",
		"a%40%@/%=",
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		try_key(s, keys[i]);
}

static void keys_that_are_no_paths_are_keys(void **state)
{
	struct suite *s = *state;
	static const char *const keys[] = {
		"a//b",
		"a///b",
		"/lead",
		"//",
		"trail/",
		"trail//",
		".",
		"..",
		"./a",
		"../a",
		"a/./b",
		"a/../b",
		"a/.",
		"a/..",
		"../../../../etc/passwd",
		"a/b/../../../../x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		try_key(s, keys[i]);
}

static void long_keys_are_keys(void **state)
{
	struct suite *s = *state;
	char key[STORE_KEY_MAX + 2];
	static const size_t lengths[] = { 239, 240, 241, 252, 253, 254,	 255,
					  256, 480, 493, 494, 495, 1023, 1024 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		memset(key, 'k', lengths[i]);
		key[lengths[i]] = '\0';
		try_key(s, key);
		key[0] = '%';
		key[lengths[i] - 2] = '%';
		key[lengths[i] - 1] = '=';
		try_key(s, key);
	}
	for (size_t i = 0; i < STORE_KEY_MAX; i++)
		key[i] = i % 2 ? '/' : 'd';
	key[STORE_KEY_MAX - 1] = 'f';
	key[STORE_KEY_MAX] = '\0';
	try_key(s, key);
	memset(key, 'k', STORE_KEY_MAX + 1);
	key[STORE_KEY_MAX + 1] = '\0';
	FAILS(ERR_NAME_TOO_LONG, try_put_text(s, key, "x", NULL, NULL));
	FAILS(ERR_INVALID, try_put_text(s, "", "x", NULL, NULL));
}

/* In each order of writing, and in each order of deleting. */
static void an_object_stands_beside_its_directory(void **state)
{
	struct suite *s = *state;
	static const char *const keys[] = { "x", "x/y", "x/y/z", "x/" };
	static const int orders[][4] = {
		{ 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 1, 0, 3, 2 }, { 2, 0, 1, 3 }
	};
	char *names;

	if (!(s->store->caps & STORE_CAP_FLAT) || !holds_key(s, "probe", "1") ||
	    !holds_key(s, "probe/x", "2")) {
		print_message("  not tested: this server's keys are not flat\n");
		skip();
	}
	OK(store_delete(s->store, s->bucket, "probe", NULL, NULL, &s->err));
	expect_text(s, "probe/x", "2");
	OK(store_delete(s->store, s->bucket, "probe/x", NULL, NULL, &s->err));
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		for (size_t k = 0; k < 4; k++)
			put_text(s, keys[orders[i][k]], keys[orders[i][k]], NULL);
		names = list_text(s, "", 0, NULL, 1);
		assert_string_equal(names, "x|x/|x/y|x/y/z|");
		free(names);
		names = list_text(s, "", '/', NULL, 1);
		assert_string_equal(names, "x|x/|");
		free(names);
		for (size_t k = 0; k < 4; k++) {
			const char *gone = keys[orders[(i + 1) % 4][k]];

			expect_text(s, gone, gone);
			OK(store_delete(s->store, s->bucket, gone, NULL, NULL, &s->err));
			expect_absent(s, gone);
			for (size_t m = k + 1; m < 4; m++)
				expect_text(s, keys[orders[(i + 1) % 4][m]],
					    keys[orders[(i + 1) % 4][m]]);
		}
	}
}

static void hostile_keys_are_listed_in_order(void **state)
{
	struct suite *s = *state;
	static const char *const keys[] = { "\x01", " ",   "!",	  "%",	      "%=",
					    "+",    "-",   "a b", "a!/x",     "a&b",
					    "a+/x", "a.b", "a0",  "\xc3\xa9", "\xf0\x9f\x98\x80" };
	const size_t first = s->renames_odd ? 1 : 0; /* without the control byte */
	struct buf want = BUF_INIT(1 << 16);
	char *names;

	for (size_t i = ARRAY_SIZE(keys); i-- > first;)
		if (!holds_key(s, keys[i], "x"))
			skip();
	for (size_t i = first; i < ARRAY_SIZE(keys); i++)
		assert_int_equal(buf_addf(&want, "%s|", keys[i]), 0);
	for (unsigned size = 1; size < 5; size++) {
		names = list_text(s, "", 0, NULL, size);
		assert_string_equal(names, buf_cstr(&want));
		free(names);
	}
	buf_release(&want);
}

static const struct CMUnitTest tests[] = {
	SUITE_TEST(any_bytes_make_a_key),
	SUITE_TEST(keys_that_are_no_paths_are_keys),
	SUITE_TEST(long_keys_are_keys),
	SUITE_TEST(an_object_stands_beside_its_directory),
	SUITE_TEST(hostile_keys_are_listed_in_order),
};
SUITE_LIST(suite_key_tests, tests);
