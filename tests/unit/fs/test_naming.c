/* Names: one way there, one way back, for any bytes. */
#include "fs/naming.h"

#include "backends/base/random.h"
#include "tests/unit/fs/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ROUNDS 100000

/* Bytes of the kind that make trouble, any length up to max. */
static size_t random_segment(char *ret, size_t max)
{
	static const char *const bits[] = {"%",	  "%~",	 "%+",	 "%=",	     "%25", "%2E",
					   "%00", ".",	 "..",	 "~",	     "+",   "=",
					   "a",	  "%2e", "\xff", "\xc3\xa9", " ",   "\n"};
	size_t goal = random_below(4) ? random_below(8) : random_below(max), len = 0;
	uint64_t style = random_below(4);

	while (len < goal) {
		if (style == 0) {
			ret[len++] = random_below(3) ? 'x' : '%';
		} else if (style == 1) {
			ret[len++] = (char)random_below(256);
			if (ret[len - 1] == '/')
				len--;
		} else if (style == 2) {
			ret[len++] = 'y';
		} else {
			const char *bit = bits[random_below(ARRAY_SIZE(bits))];

			for (; *bit && len < goal; bit++)
				ret[len++] = *bit;
		}
	}
	return len;
}

static void check_name(struct str name)
{
	assert_true(name.len > 0 && name.len <= NAMING_MAX);
	assert_null(memchr(name.ptr, '/', name.len));
	assert_null(memchr(name.ptr, '\0', name.len));
	assert_false(str_equal(name, STR(".")) || str_equal(name, STR("..")));
}

/* Decodes all pieces of a joined name and returns the kind of the last. */
static enum naming_piece decode_all(struct str names, struct buf *ret)
{
	enum naming_piece piece = NAMING_CONTINUED;

	for (struct str name = str_split(&names, '/'); name.ptr; name = str_split(&names, '/')) {
		CLEANUP(buf_release) struct buf rest = BUF_INIT(NAMING_MAX);

		assert_int_equal(piece, NAMING_CONTINUED);
		check_name(name);
		assert_int_equal(naming_decode(name, &rest, &piece), 0);
		assert_int_equal(naming_check_rest(buf_str(ret), buf_str(&rest), piece), 0);
		assert_int_equal(buf_add_str(ret, buf_str(&rest)), 0);
	}
	return piece;
}

static void any_segment_comes_back_from_its_names(void **state)
{
	char bytes[2000];

	(void)state;
	support_seed();
	for (int i = 0; i < ROUNDS; i++) {
		CLEANUP(buf_release) struct buf names = BUF_INIT(16 << 10);
		CLEANUP(buf_release) struct buf back = BUF_INIT(16 << 10);
		struct str segment = {bytes, random_segment(bytes, sizeof(bytes))};
		enum naming_piece piece = random_below(2) ? NAMING_WHOLE : NAMING_SHADOWED;

		assert_int_equal(naming_encode(segment, piece, &names), 0);
		assert_int_equal(decode_all(buf_str(&names), &back), piece);
		assert_true(str_equal(buf_str(&back), segment));
	}
}

/* Whether this is the name that encoding makes for what it stands for. */
static void check_is_canonical(struct str name, struct buf *bytes, enum naming_piece piece)
{
	CLEANUP(buf_release) struct buf again = BUF_INIT(4096);
	enum naming_piece piece_again;
	size_t used, len = bytes->len;

	if (piece == NAMING_CONTINUED) { /* by something, at least by what takes most room */
		for (int i = 0; i < 300; i++)
			assert_int_equal(buf_addc(bytes, '%'), 0);
	}
	assert_int_equal(naming_encode_first(buf_str(bytes),
					     piece == NAMING_CONTINUED ? NAMING_WHOLE : piece,
					     &again, &used, &piece_again),
			 0);
	assert_int_equal(used, len);
	assert_int_equal(piece_again, piece);
	assert_true(str_equal(buf_str(&again), name));
}

static void only_canonical_names_are_accepted(void **state)
{
	char name[NAMING_MAX + 10];
	int accepted = 0, refused = 0;

	(void)state;
	support_seed();
	for (int i = 0; i < 4 * ROUNDS; i++) {
		CLEANUP(buf_release) struct buf bytes = BUF_INIT(4096);
		enum naming_piece piece;
		size_t len = 0;
		int r;

		if (random_below(4)) {
			name[len++] = '%';
			name[len++] = '~';
		}
		len += random_segment(name + len, NAMING_MAX + 8 - len);
		if (len <= NAMING_MAX && len >= 2 && random_below(2)) {
			name[len - 2] = '%';
			name[len - 1] = random_below(2) ? '+' : '=';
		}
		r = naming_decode((struct str){name, len}, &bytes, &piece);
		if (len > NAMING_MAX) {
			assert_int_equal(r, -ENAMETOOLONG);
		} else if (r < 0) {
			assert_int_equal(r, -EINVAL);
			assert_int_equal(bytes.len, 0);
			refused++;
		} else {
			check_is_canonical((struct str){name, len}, &bytes, piece);
			accepted++;
		}
	}
	assert_true(accepted > 1000 && refused > 1000);
}

static void check_encoding(struct str segment, enum naming_piece piece, const char *expected)
{
	CLEANUP(buf_release) struct buf names = BUF_INIT(4096);

	assert_int_equal(naming_encode(segment, piece, &names), 0);
	assert_string_equal(buf_cstr(&names), expected);
}

static void the_written_rule_is_kept(void **state)
{
	(void)state;
	check_encoding(STR("plain"), NAMING_WHOLE, "plain");
	check_encoding(STR("50%"), NAMING_WHOLE, "50%");
	check_encoding(STR("~"), NAMING_WHOLE, "~");
	check_encoding(STR("..."), NAMING_WHOLE, "...");
	check_encoding(STR("\xff\n"), NAMING_WHOLE, "\xff\n");
	check_encoding(STR(""), NAMING_WHOLE, "%~");
	check_encoding(STR("."), NAMING_WHOLE, "%~%2E");
	check_encoding(STR(".."), NAMING_WHOLE, "%~%2E%2E");
	check_encoding(STR("a\0b%"), NAMING_WHOLE, "%~a%00b%25");
	check_encoding(STR("%~"), NAMING_WHOLE, "%~%25~");
	check_encoding(STR("x"), NAMING_SHADOWED, "%~x%=");
	check_encoding(STR(""), NAMING_SHADOWED, "%~%=");
	check_encoding(STR("%~x"), NAMING_SHADOWED, "%~%25~x%=");
}

static void names_that_encoding_never_makes_are_refused(void **state)
{
	static const char *const bad[] = {
		"",	 ".",	    "..",      "a/b",	"%~plain", "%~%2E%2E%2E", "%~a%2Eb",
		"%~%2e", "%~%41",   "%~%",     "%~%2",	"%~%+",	   "%~x%+",	  "%~x%-",
		"%~%2F", "%~x%=%=", "%~50%25", "%~%25", "%~~%+y"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(buf_release) struct buf bytes = BUF_INIT(4096);
		enum naming_piece piece;

		assert_int_equal(naming_decode(str_of(bad[i]), &bytes, &piece), -EINVAL);
	}
	for (size_t len = 0; len < 300; len++) {
		CLEANUP(buf_release) struct buf bytes = BUF_INIT(4096);
		char slash[300] = {0};

		slash[len] = '/';
		assert_int_equal(naming_encode((struct str){slash, len + 1}, NAMING_WHOLE, &bytes),
				 -EINVAL);
	}
}

static void long_segments_are_cut_in_one_way_only(void **state)
{
	CLEANUP(buf_release) struct buf names = BUF_INIT(4096);
	CLEANUP(buf_release) struct buf first = BUF_INIT(4096);
	char a[600];
	enum naming_piece piece;

	(void)state;
	memset(a, 'a', sizeof(a));
	assert_int_equal(naming_encode((struct str){a, 255}, NAMING_WHOLE, &names), 0);
	assert_int_equal(names.len, 255);
	buf_clear(&names);
	assert_int_equal(naming_encode((struct str){a, 256}, NAMING_WHOLE, &names), 0);
	assert_int_equal(names.len, 255 + 1 + 5);
	/* The first name of 256 bytes, then fewer than it came in: another way to write what is
	 * shown whole. */
	assert_int_equal(naming_decode((struct str){names.data, 255}, &first, &piece), 0);
	assert_int_equal(piece, NAMING_CONTINUED);
	assert_int_equal(first.len, 251);
	assert_int_equal(naming_check_rest(buf_str(&first), STR("aaaaa"), NAMING_WHOLE), 0);
	assert_int_equal(naming_check_rest(buf_str(&first), STR("aaaa"), NAMING_WHOLE), -EINVAL);
	assert_int_equal(naming_check_rest(buf_str(&first), STR("a"), NAMING_SHADOWED), 0);
	assert_int_equal(naming_check_rest(buf_str(&first), STR(""), NAMING_WHOLE), -EINVAL);
	assert_int_equal(naming_check_rest(STR(""), STR("a"), NAMING_WHOLE), 0);
	/* 249 bytes and one that takes three fill a name only because the one does not fit. */
	a[249] = '%';
	buf_clear(&names);
	assert_int_equal(naming_encode((struct str){a, 300}, NAMING_WHOLE, &names), 0);
	assert_int_equal(names.data[253], '/');
	assert_int_equal(
		naming_check_rest((struct str){a, 249}, (struct str){a + 249, 51}, NAMING_WHOLE),
		0);
	a[249] = 'a';
	assert_int_equal(
		naming_check_rest((struct str){a, 249}, (struct str){a + 249, 51}, NAMING_WHOLE),
		-EINVAL);
}

static void a_segment_is_cut_where_its_names_are(void **state)
{
	char bytes[1000];
	size_t cuts = 0;

	(void)state;
	support_seed();
	for (int i = 0; i < ROUNDS / 20; i++) {
		CLEANUP(buf_release) struct buf names = BUF_INIT(16 << 10);
		struct str segment = {bytes, random_segment(bytes, sizeof(bytes))}, rest;
		enum naming_piece kind = random_below(2) ? NAMING_WHOLE : NAMING_SHADOWED, piece;
		size_t at = 0;

		assert_int_equal(naming_encode(segment, kind, &names), 0);
		if (!memchr(buf_cstr(&names), '/', names.len))
			assert_int_equal(naming_is_shadowed(buf_cstr(&names)), kind == NAMING_SHADOWED);
		rest = buf_str(&names);
		for (struct str name = str_split(&rest, '/'); rest.ptr; name = str_split(&rest, '/')) {
			CLEANUP(buf_release) struct buf part = BUF_INIT(NAMING_MAX);

			assert_int_equal(naming_decode(name, &part, &piece), 0);
			at += part.len;
			assert_true(naming_is_cut_at(segment, kind, at));
			assert_false(naming_is_cut_at(segment, kind, at - 1));
			assert_false(naming_is_cut_at(segment, kind, at + 1));
			cuts++;
		}
		assert_false(naming_is_cut_at(segment, kind, segment.len + 1));
	}
	assert_true(cuts > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_segment_comes_back_from_its_names),
		cmocka_unit_test(only_canonical_names_are_accepted),
		cmocka_unit_test(the_written_rule_is_kept),
		cmocka_unit_test(names_that_encoding_never_makes_are_refused),
		cmocka_unit_test(long_segments_are_cut_in_one_way_only),
		cmocka_unit_test(a_segment_is_cut_where_its_names_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
