#include "backends/local/local_impl.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void expect_path(const char *key, enum name_kind kind, const char *want)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(LOCAL_PATH_MAX);

	assert_int_equal(name_key_path(str_of(key), kind, &path), 0);
	assert_string_equal(buf_cstr(&path), want);
}

static void ordinary_keys_are_their_own_paths(void **state)
{
	(void)state;
	expect_path("path/to/file.txt", NAME_PLAIN, "path/to/file.txt");
	expect_path("100%", NAME_PLAIN, "100%");
	expect_path(".hidden/...", NAME_PLAIN, ".hidden/...");
}

static void what_is_no_path_is_escaped(void **state)
{
	(void)state;
	expect_path("a//b", NAME_PLAIN, "a/%=/b");
	expect_path("a/", NAME_PLAIN, "a/%=");
	expect_path("./..", NAME_PLAIN, "%2e%=/%2e%2e%=");
	expect_path("a%=", NAME_PLAIN, "a%25=%=");
	expect_path("a%v/b%@", NAME_PLAIN, "a%25v%=/b%25@%=");
	expect_path("a/b", NAME_DISPLACED, "a/b%@");
	expect_path("a/b", NAME_HISTORY, "a/b%v");
}

/* Every component comes back, and no two share a name. */
static void names_come_back(void **state)
{
	char component[STORE_KEY_MAX + 1];
	uint64_t seed = 42;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		static const char alphabet[] = "%%%=@+v.a2e5\x80";
		CLEANUP(buf_release) struct buf name = BUF_INIT(LOCAL_PATH_MAX);
		CLEANUP(buf_release) struct buf back = BUF_INIT(LOCAL_PATH_MAX);
		enum name_kind kind = (enum name_kind)(round % 3), found = NAME_PLAIN;
		size_t len;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		len = round % 10 ? (seed >> 33) % 8 : (seed >> 33) % (STORE_KEY_MAX + 1);
		for (size_t i = 0; i < len; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			component[i] = alphabet[(seed >> 33) % (sizeof(alphabet) - 1)];
		}
		assert_int_equal(name_component((struct str){ component, len }, kind, &name), 0);
		for (struct str rest = buf_str(&name), part; (part = str_split(&rest, '/')).ptr;)
			assert_true(part.len && part.len <= 255 &&
				    strncmp(part.ptr, "..", part.len) != 0);
		assert_int_equal(name_decode(buf_str(&name), &back, &found), 0);
		assert_int_equal(found, kind);
		assert_int_equal(back.len, len);
		assert_memory_equal(buf_cstr(&back), component, len);
	}
}

static void names_that_are_not_canonical_are_none(void **state)
{
	static const char *const names[] = { "a%=",   "%2f%=", "%00%=", "%2E%=", "a%25%=",
					     "%zz%=", "%2%=",  "a%+",	"a%=%=" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(buf_release) struct buf back = BUF_INIT(LOCAL_PATH_MAX);
		enum name_kind kind;

		assert_int_equal(name_decode(str_of(names[i]), &back, &kind), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_keys_are_their_own_paths),
		cmocka_unit_test(what_is_no_path_is_escaped),
		cmocka_unit_test(names_come_back),
		cmocka_unit_test(names_that_are_not_canonical_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
