/* POSIX attributes in the metadata of objects, as four programs write it, and in JSON; all of it may be hostile. */
#include "backends/base/random.h"
#include "fs/attrs.h"
#include "tests/unit/fs/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct attrs read_meta(const struct store_meta *meta, size_t count)
{
	struct attrs a;

	assert_int_equal(attrs_from_meta(meta, count, &a), 0);
	return a;
}

static struct attrs read_one(const char *name, const char *value)
{
	struct store_meta meta = { name, value };

	return read_meta(&meta, 1);
}

static void assert_xattr(const struct xattrs *x, const char *name, const void *value, size_t len)
{
	const struct xattr *found = xattrs_find(x, name);

	assert_non_null(found);
	assert_int_equal(found->len, len);
	assert_memory_equal(found->value, value, len);
}

static void set(struct xattrs **x, const char *name, const void *value, size_t len)
{
	struct xattrs *changed;

	assert_int_equal(xattrs_with(*x, name, value, len, &changed), 0);
	xattrs_free(*x);
	*x = changed;
}

static void assert_same(const struct attrs *a, const struct attrs *b)
{
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->gid, b->gid);
	assert_int_equal(a->mtime_ns, b->mtime_ns);
	assert_int_equal(a->has_owner, b->has_owner);
	assert_int_equal(a->xattrs ? a->xattrs->count : 0, b->xattrs ? b->xattrs->count : 0);
	for (size_t i = 0; a->xattrs && i < a->xattrs->count; i++)
		assert_xattr(b->xattrs, a->xattrs->items[i].name, a->xattrs->items[i].value,
			     a->xattrs->items[i].len);
}

static struct attrs through_meta(const struct attrs *a)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(4 << 20);
	struct store_meta *meta;
	size_t count;

	assert_int_equal(attrs_to_meta(a, &arena, &meta, &count), 0);
	for (size_t i = 0; i < count; i++) /* must fit a header */
		for (const char *c = meta[i].value; *c; c++)
			assert_in_range(*c, 0x21, 0x7e);
	return read_meta(meta, count);
}

/* By way of text, as the journal keeps it. */
static struct attrs through_json(const struct attrs *a)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	CLEANUP(json_putp) struct json_object *again = NULL;
	struct attrs b;

	assert_int_equal(attrs_to_json(a, o), 0);
	assert_int_equal(
		json_parse(str_of(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN)),
			   1 << 20, &again, NULL),
		0);
	assert_int_equal(attrs_from_json(again, &b), 0);
	return b;
}

static void nothing_told_is_nothing_known(void **state)
{
	CLEANUP(attrs_release) struct attrs a = read_meta(NULL, 0);
	CLEANUP(attrs_release) struct attrs b = read_one("content-language", "de");

	(void)state;
	assert_int_equal(a.mode, 0);
	assert_false(a.has_owner);
	assert_null(a.xattrs);
	assert_same(&a, &b);
}

static void metadata_of_s3fs_is_read(void **state)
{
	static const struct store_meta meta[] = {
		{ "uid", "1000" },
		{ "gid", "100" },
		{ "mode", "33188" },
		{ "mtime", "1700000000.123456789" },
		{ "xattr",
		  "%7B%22user.tag%22%3A%22aGVsbG8%3D%22%2C%22user.nul%22%3A%22AAEC%22%7D" },
		{ "atime", "1" },
	};
	CLEANUP(attrs_release) struct attrs a = read_meta(meta, ARRAY_SIZE(meta));

	(void)state;
	assert_int_equal(a.mode, S_IFREG | 0644);
	assert_int_equal(a.uid, 1000);
	assert_int_equal(a.gid, 100);
	assert_true(a.has_owner);
	assert_int_equal(a.mtime_ns, INT64_C(1700000000123456789));
	assert_int_equal(a.xattrs->count, 2);
	assert_xattr(a.xattrs, "user.tag", "hello", 5);
	assert_xattr(a.xattrs, "user.nul", "\0\1\2", 3);
}

static void metadata_of_rclone_is_read(void **state)
{
	static const struct {
		const char *text;
		uint32_t mode;
	} modes[] = {
		{ "100644", S_IFREG | 0644 },
		{ "0100755", S_IFREG | 0755 },
		{ "120777", S_IFLNK | 0777 },
	};
	CLEANUP(attrs_release) struct attrs whole = read_one("mtime", "1700000000");
	CLEANUP(attrs_release) struct attrs tenth = read_one("mtime", "1700000000.5");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		CLEANUP(attrs_release) struct attrs a = read_one("mode", modes[i].text);

		assert_int_equal(a.mode, modes[i].mode);
	}
	assert_int_equal(whole.mtime_ns, INT64_C(1700000000000000000));
	assert_int_equal(tenth.mtime_ns, INT64_C(1700000000500000000));
}

static void links_and_times_of_geesefs_and_gcsfuse_are_read(void **state)
{
	static const struct store_meta mode_after[] = { { "gcsfuse_symlink_target", "../a b" },
							{ "mode", "33188" } };
	static const struct store_meta mode_before[] = { { "mode", "33188" },
							 { "--symlink-target", "/x" } };
	CLEANUP(attrs_release) struct attrs a = read_meta(mode_after, 2);
	CLEANUP(attrs_release) struct attrs b = read_meta(mode_before, 2);
	CLEANUP(attrs_release) struct attrs c = read_one("gcsfuse_mtime", "2023-11-14T22:13:20Z");

	(void)state;
	assert_string_equal(a.link_target, "../a b");
	assert_int_equal(a.mode, S_IFLNK | 0777);
	assert_string_equal(b.link_target, "/x");
	assert_int_equal(b.mode, S_IFLNK | 0777);
	assert_int_equal(c.mtime_ns, INT64_C(1700000000000000000));
}

static void two_targets_are_one_target(void **state)
{
	static const struct store_meta both[] = { { "gcsfuse_symlink_target", "one" },
						  { "--symlink-target", "two" } };
	CLEANUP(attrs_release) struct attrs a = read_meta(both, 2);

	(void)state;
	assert_string_equal(a.link_target, "two"); /* and the first one is not leaked */
}

static void nonsense_is_passed_over(void **state)
{
	static const char *const numbers[] = {
		"", "-1", "x", "1x", " 1", "4294967296", "99999999999999999999999", "1e3", "0x1ff",
	};
	static const char *const times[] = {
		"",
		".",
		"x",
		"1.x",
		"9223372036854775807",
		"9e9",
		"0x1",
		"1 .5",
		"-9223372036854775808.1",
		"1.5.",
	};
	static const char *const xattrs[] = {
		"",
		"%",
		"%7",
		"%7B",
		"%7B%7D",
		"%5B%5D",
		"null",
		"%7B%22a%22%3A1%7D",
		"{\"a\":[]}",
		"{\"a\":{}}",
		"{\"a\":null}",
		"{\"a\":\"not base64!\"}",
		"%zz",
		"{\"a\":\"aGk\"}}",
		"%00",
		"\"a\"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		CLEANUP(attrs_release) struct attrs uid = read_one("uid", numbers[i]);
		CLEANUP(attrs_release) struct attrs mode = read_one("mode", numbers[i]);

		assert_false(uid.has_owner);
		assert_true(mode.mode <= 0xffff);
		assert_true(mode.mode == 0 || numbers[i][0] == ' ');
	}
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		CLEANUP(attrs_release) struct attrs a = read_one("mtime", times[i]);

		assert_int_equal(a.mtime_ns, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(xattrs); i++) {
		CLEANUP(attrs_release) struct attrs a = read_one("xattr", xattrs[i]);

		assert_null(a.xattrs);
	}
}

static void what_makes_sense_beside_nonsense_counts(void **state)
{
	static const struct store_meta meta[] = {
		{ "uid", "12" },
		{ "gid", "nobody" },
		{ "xattr", "{\"a\":1,\"b\":\"aGk=\"}" },
		{ "xattr", "{\"c\":\"aGk=\"}" }, /* the last one counts */
	};
	CLEANUP(attrs_release) struct attrs a = read_meta(meta, ARRAY_SIZE(meta));

	(void)state;
	assert_true(a.has_owner);
	assert_int_equal(a.uid, 12);
	assert_int_equal(a.xattrs->count, 1);
	assert_xattr(a.xattrs, "c", "hi", 2);
}

static void a_thousand_xattrs_or_a_huge_one_are_bounded(void **state)
{
	CLEANUP(buf_release) struct buf many = BUF_INIT(1 << 20);
	CLEANUP(buf_release) struct buf huge = BUF_INIT(1 << 20);
	CLEANUP(attrs_release) struct attrs a = ATTRS_INIT, b = ATTRS_INIT;

	(void)state;
	assert_int_equal(buf_addc(&many, '{'), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_addf(&many, "%s\"user.%d\":\"aGk=\"", i ? "," : "", i), 0);
	assert_int_equal(buf_addc(&many, '}'), 0);
	a = read_one("xattr", buf_cstr(&many));
	assert_int_equal(a.xattrs->count, 64);
	assert_int_equal(buf_adds(&huge, "{\"a\":\""), 0);
	for (int i = 0; i < 30000; i++)
		assert_int_equal(buf_adds(&huge, "aaaa"), 0);
	assert_int_equal(buf_adds(&huge, "\"}"), 0);
	b = read_one("xattr", buf_cstr(&huge));
	assert_null(b.xattrs);
}

static void what_is_written_is_what_s3fs_writes(void **state)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct attrs a = {
		.mode = S_IFREG | 0640, .uid = 7, .gid = 8, .mtime_ns = INT64_C(1700000000000000042)
	};
	struct store_meta *meta;
	size_t count;

	(void)state;
	set(&a.xattrs, "user.a", "hi", 2);
	assert_int_equal(attrs_to_meta(&a, &arena, &meta, &count), 0);
	assert_int_equal(count, 5);
	assert_string_equal(meta[0].name, "mode");
	assert_string_equal(meta[0].value, "33184");
	assert_string_equal(meta[1].value, "7");
	assert_string_equal(meta[2].value, "8");
	assert_string_equal(meta[3].name, "mtime");
	assert_string_equal(meta[3].value, "1700000000.000000042");
	assert_string_equal(meta[4].name, "xattr");
	assert_string_equal(meta[4].value, "%7B%22user.a%22%3A%22aGk%3D%22%7D");
	attrs_release(&a);
}

static void times_before_1970_and_odd_modes_come_back(void **state)
{
	static const int64_t times[] = { 1,
					 999999999,
					 -1,
					 -1500000000,
					 -2000000000,
					 INT64_C(-62135596800000000),
					 INT64_C(4102444800999999999) };
	static const uint32_t modes[] = { S_IFREG | 07777, S_IFREG, S_IFDIR | 01777,
					  S_IFLNK | 0777 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		struct attrs a = { .mode = modes[i % ARRAY_SIZE(modes)],
				   .uid = UINT32_MAX,
				   .gid = 0,
				   .mtime_ns = times[i],
				   .has_owner = true };
		CLEANUP(attrs_release)
		struct attrs meta = through_meta(&a),
			     json = through_json(&a);

		assert_same(&a, &meta);
		assert_same(&a, &json);
	}
}

static void random_binary_xattrs_come_back_from_both_forms(void **state)
{
	(void)state;
	support_seed();
	for (int round = 0; round < 50; round++) {
		CLEANUP(attrs_release)
		struct attrs a = { .mode = S_IFREG | 0600, .mtime_ns = 5, .has_owner = true };
		CLEANUP(attrs_release) struct attrs meta = ATTRS_INIT, json = ATTRS_INIT;

		for (int i = 0; i < 10; i++) {
			char value[200], name[64];
			size_t len = random_below(sizeof(value));

			random_bytes(value, len);
			(void)snprintf(name, sizeof(name), "user.%d \"\\%%/\n\x7f\xc3\xa4", i);
			set(&a.xattrs, name, value, len);
		}
		meta = through_meta(&a);
		assert_same(&a, &meta);
		json = through_json(&a);
		assert_same(&a, &json);
	}
}

static void a_link_of_any_bytes_survives_the_journal(void **state)
{
	struct attrs a = { .mode = S_IFLNK | 0777,
			   .has_owner = true,
			   .link_target = (char *)"../\xff\xfe\"\\\n" };
	CLEANUP(attrs_release) struct attrs b = through_json(&a);

	(void)state;
	assert_same(&a, &b);
	assert_string_equal(b.link_target, a.link_target);
}

static void hostile_json_is_no_harm(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"mode\":\"x\",\"uid\":null,\"gid\":[],\"mtime\":{},\"link\":5,\"xattrs\":[1]}",
		"{\"mode\":-1,\"uid\":1e300,\"gid\":99999999999999999999,\"mtime\":-1}",
		"{\"link\":\"%%%\",\"xattrs\":{\"\":\"\",\"a\":\"?\",\"b\":{\"c\":\"aGk=\"}}}",
		"{\"link\":\"\",\"xattrs\":{}}",
		"{\"xattrs\":\"{}\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(json_putp) struct json_object *o = NULL;
		CLEANUP(attrs_release) struct attrs a = ATTRS_INIT;

		assert_int_equal(json_parse(str_of(texts[i]), 4096, &o, NULL), 0);
		assert_int_equal(attrs_from_json(o, &a), 0);
		assert_null(xattrs_find(a.xattrs, "a"));
		assert_null(xattrs_find(a.xattrs, "b"));
	}
}

static void one_xattr_is_changed_in_a_copy(void **state)
{
	CLEANUP(attrs_release) struct attrs a = ATTRS_INIT;
	struct xattrs *copy, *none;

	(void)state;
	assert_null(xattrs_copy(NULL));
	assert_null(xattrs_find(NULL, "a"));
	set(&a.xattrs, "a", "1", 1);
	set(&a.xattrs, "b", "", 0);
	copy = xattrs_copy(a.xattrs);
	set(&a.xattrs, "a", "22", 2);
	assert_xattr(copy, "a", "1", 1);
	assert_xattr(a.xattrs, "a", "22", 2);
	assert_xattr(a.xattrs, "b", "", 0);
	assert_int_equal(a.xattrs->count, 2);
	xattrs_free(copy);
	set(&a.xattrs, "a", NULL, 0);
	assert_null(xattrs_find(a.xattrs, "a"));
	assert_int_equal(xattrs_with(a.xattrs, "b", NULL, 0, &none), 0);
	assert_null(none); /* an empty set */
	assert_int_equal(xattrs_with(NULL, "b", NULL, 0, &none), 0);
	assert_null(none);
}

static void the_sixty_fifth_xattr_is_refused_but_a_change_is_not(void **state)
{
	CLEANUP(attrs_release) struct attrs a = ATTRS_INIT;
	struct xattrs *more;
	char name[16];

	(void)state;
	for (int i = 0; i < 64; i++) {
		(void)snprintf(name, sizeof(name), "user.%d", i);
		set(&a.xattrs, name, "x", 1);
	}
	assert_int_equal(xattrs_with(a.xattrs, "user.64", "x", 1, &more), -ENOSPC);
	assert_null(more);
	set(&a.xattrs, "user.7", "changed", 7);
	assert_int_equal(a.xattrs->count, 64);
	assert_xattr(a.xattrs, "user.7", "changed", 7);
}

static void node_take(struct node *n, struct attrs a)
{
	attrs_to_node(&a, n);
	assert_null(a.xattrs); /* moved */
	assert_null(a.link_target);
	attrs_release(&a);
}

static void a_node_takes_what_is_told_and_keeps_the_rest(void **state)
{
	struct node n = {
		.type = NODE_FILE, .mode = S_IFREG | 0644, .uid = 5, .gid = 6, .mtime_ns = 7
	};
	struct attrs a = ATTRS_INIT;

	(void)state;
	set(&a.xattrs, "a", "1", 1);
	node_take(&n, a);
	assert_int_equal(n.mode, S_IFREG | 0644);
	assert_int_equal(n.uid, 5);
	assert_int_equal(n.mtime_ns, 7);
	assert_true(n.has_attrs);
	assert_xattr(n.rare->xattrs, "a", "1", 1);
	node_take(&n, (struct attrs){
			      .mode = S_IFDIR | 0750, .uid = 0, .has_owner = true, .mtime_ns = 9 });
	assert_int_equal(n.mode, S_IFREG | 0750); /* no metadata makes a directory of a file */
	assert_int_equal(n.type, NODE_FILE);
	assert_int_equal(n.uid, 0);
	assert_int_equal(n.mtime_ns, 9);
	assert_null(n.rare); /* the object has none any more */
	assert_int_equal(attrs_of_node(&n, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 0750);
	attrs_release(&a);
}

static void the_mode_of_a_link_makes_a_link_of_a_file_only(void **state)
{
	struct node file = { .type = NODE_FILE, .mode = S_IFREG | 0644 };
	struct node dir = { .type = NODE_DIR, .mode = S_IFDIR | 0755 };
	struct attrs a;

	(void)state;
	node_take(&file, (struct attrs){ .mode = S_IFLNK | 0777, .link_target = strdup("to") });
	assert_int_equal(file.type, NODE_SYMLINK);
	assert_int_equal(file.mode, S_IFLNK | 0777);
	assert_int_equal(attrs_of_node(&file, &a), 0);
	assert_string_equal(a.link_target, "to");
	attrs_release(&a);
	node_take(&dir, (struct attrs){ .mode = S_IFLNK | 0700 });
	assert_int_equal(dir.type, NODE_DIR);
	assert_int_equal(dir.mode, S_IFDIR | 0700);
	free(file.rare->link_target);
	free(file.rare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_told_is_nothing_known),
		cmocka_unit_test(metadata_of_s3fs_is_read),
		cmocka_unit_test(metadata_of_rclone_is_read),
		cmocka_unit_test(links_and_times_of_geesefs_and_gcsfuse_are_read),
		cmocka_unit_test(two_targets_are_one_target),
		cmocka_unit_test(nonsense_is_passed_over),
		cmocka_unit_test(what_makes_sense_beside_nonsense_counts),
		cmocka_unit_test(a_thousand_xattrs_or_a_huge_one_are_bounded),
		cmocka_unit_test(what_is_written_is_what_s3fs_writes),
		cmocka_unit_test(times_before_1970_and_odd_modes_come_back),
		cmocka_unit_test(random_binary_xattrs_come_back_from_both_forms),
		cmocka_unit_test(a_link_of_any_bytes_survives_the_journal),
		cmocka_unit_test(hostile_json_is_no_harm),
		cmocka_unit_test(one_xattr_is_changed_in_a_copy),
		cmocka_unit_test(the_sixty_fifth_xattr_is_refused_but_a_change_is_not),
		cmocka_unit_test(a_node_takes_what_is_told_and_keeps_the_rest),
		cmocka_unit_test(the_mode_of_a_link_makes_a_link_of_a_file_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
