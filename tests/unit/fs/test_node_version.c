/* Versions of objects in 16 bytes: what comes out is what went in. */
#include "fs/node_version.h"
#include "backends/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_comes_back(const char *version, enum node_version_kind kind)
{
	struct node n = { .type = NODE_FILE };

	node_set_version(&n, version);
	assert_string_equal(node_version(&n).text, version);
	assert_int_equal(n.version_kind, kind);
	assert_int_equal(node_has_version(&n), version[0] != '\0');
	assert_int_equal(node_is_version(&n, version), version[0] != '\0');
	assert_false(node_is_version(&n, "other"));
	node_set_version(&n, NULL);
	assert_string_equal(node_version(&n).text, "");
	assert_false(node_is_version(&n, ""));
}

static void versions_of_all_stores_come_back(void **state)
{
	(void)state;
	assert_comes_back("", NODE_VERSION_NONE);
	assert_comes_back("d41d8cd98f00b204e9800998ecf8427e", NODE_VERSION_HEX);
	assert_comes_back("d41d8cd98f00b204e9800998ecf8427e-1", NODE_VERSION_HEX);
	assert_comes_back("00000000000000000000000000000000-10000", NODE_VERSION_HEX);
	assert_comes_back("1732400000123456", NODE_VERSION_SIX);
	assert_comes_back("\"0x8DD0C3B1A2F4E56\"", NODE_VERSION_SIX);
	assert_comes_back("v1", NODE_VERSION_SIX);
}

static void what_looks_like_a_digest_and_is_none_comes_back_too(void **state)
{
	static const char *const odd[] = {
		"D41D8CD98F00B204E9800998ECF8427E", /* its digits are small or large: both are texts */
		"d41d8cd98f00b204e9800998ecf8427e-",   "d41d8cd98f00b204e9800998ecf8427e-0",
		"d41d8cd98f00b204e9800998ecf8427e-01", "d41d8cd98f00b204e9800998ecf8427e-99999999999999999999",
		"d41d8cd98f00b204e9800998ecf8427e-16384", "d41d8cd98f00b204e9800998ecf8427e--1",
		"d41d8cd98f00b204e9800998ecf8427e-1 ", "d41d8cd98f00b204e9800998ecf8427e1",
		"d41d8cd98f00b204e9800998ecf842", "1|2", "a b", "\xff\xfe", "W/\"abc\"", "0123456789012345678901",
		"d41d8cd98f00b204e9800998ecf8427ed41d8cd98f00b204e9800998ecf8427ed41d8cd98f00b204e9800998ecf84",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		struct node n = { .type = NODE_FILE };

		node_set_version(&n, odd[i]);
		assert_string_equal(node_version(&n).text, odd[i]);
		node_set_version(&n, node_version(&n).text);
		assert_string_equal(node_version(&n).text, odd[i]);
		node_set_version(&n, "v2");
		assert_string_equal(node_version(&n).text, "v2");
	}
}

static void random_texts_come_back(void **state)
{
	static const char some[] = "0123456789abcdefABCDEFzZ\"-|/ \x7f\xc3";

	(void)state;
	for (unsigned round = 0; round < 10000; round++) {
		char text[STORE_VERSION_MAX] = "";
		size_t len = random_below(40), from = random_below(3) ? 16 : sizeof(some) - 1;
		struct node n = { .type = NODE_FILE };

		for (size_t i = 0; i < len; i++)
			text[i] = some[random_below(from)];
		node_set_version(&n, text);
		assert_string_equal(node_version(&n).text, text);
		node_set_version(&n, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_of_all_stores_come_back),
		cmocka_unit_test(what_looks_like_a_digest_and_is_none_comes_back_too),
		cmocka_unit_test(random_texts_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
