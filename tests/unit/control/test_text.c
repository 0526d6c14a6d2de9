#include "control/args.h"
#include "control/mounts.h"
#include "control/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void sizes_and_durations_are_short(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {{0, "0"},	     {1023, "1023"},	{1024, "1K"},
		     {1536, "1.5K"}, {10 << 20, "10M"}, {UINT64_MAX, "15E"}};
	char text[24];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		text_size(sizes[i].bytes, text);
		assert_string_equal(text, sizes[i].text);
	}
	text_duration(5, text);
	assert_string_equal(text, "5s");
	text_duration(65, text);
	assert_string_equal(text, "1m05s");
	text_duration(7800, text);
	assert_string_equal(text, "2h10m");
	text_duration(UINT64_MAX, text);
	assert_true(strlen(text) < 24);
}

static void control_bytes_never_reach_a_terminal(void **state)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(1024);

	(void)state;
	assert_int_equal(text_escape(&out, "a\x1b[2J\n\xc2\x9b\x7f\xc3\xa9"), 0);
	assert_string_equal(buf_cstr(&out), "a\\x1b[2J\\x0a\\x9b\\x7f\xc3\xa9");
}

static void near_words_are_found(void **state)
{
	(void)state;
	assert_true(text_is_near("mouont", "mount"));
	assert_true(text_is_near("stat", "status"));
	assert_false(text_is_near("frobnicate", "mount"));
	assert_false(text_is_near("a", "sync"));
	assert_false(text_is_near("this-word-is-much-longer-than-thirty-two-bytes", "sync"));
}

static const struct args_option options[] = {
	{'f', "foreground", NULL, ""},
	{'o', "output", "OPTS", ""},
	{0, "config", "FILE", ""},
	{0, NULL, NULL, NULL},
};

static int parse(struct args *ret, struct error *err, int argc, char *const *argv)
{
	return args_parse(options, argc, argv, ret, err);
}
#define WORDS(...)                                                                                 \
	(int)ARRAY_SIZE(((char *[]){__VA_ARGS__})), (char *[])                                     \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define W(s) ((char[]){s})

static void options_and_arguments_come_in_any_order(void **state)
{
	struct error err = ERROR_INIT;
	struct args a;

	(void)state;
	assert_int_equal(parse(&a, &err,
			       WORDS(W("/s3"), W("-fo"), W("ro"), W("--config=x"), W("dir"),
				     W("-oa=b"), W("--"), W("-z"))),
			 0);
	assert_int_equal(a.count, 3);
	assert_string_equal(a.positionals[0], "/s3");
	assert_string_equal(a.positionals[1], "dir");
	assert_string_equal(a.positionals[2], "-z");
	assert_true(args_has(&a, "foreground"));
	assert_string_equal(args_get(&a, "config"), "x");
	assert_string_equal(args_get(&a, "output"), "a=b");
	assert_int_equal(a.given_count, 4);
}

static void wrong_options_are_named_but_not_their_values(void **state)
{
	struct error err = ERROR_INIT;
	struct args a;

	(void)state;
	assert_true(parse(&a, &err, WORDS(W("--confg=hunter2"))) < 0);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.message, "did you mean '--config'"));
	assert_null(strstr(err.message, "hunter2"));
	assert_true(parse(&a, &err, WORDS(W("-x"))) < 0);
	assert_true(parse(&a, &err, WORDS(W("--config"))) < 0);
	assert_true(parse(&a, &err, WORDS(W("--foreground=yes"))) < 0);
	assert_true(parse(&a, &err, WORDS(W("-fo"))) < 0);
	assert_true(parse(&a, &err, WORDS(W("-\x1b"))) < 0);
	assert_null(strchr(err.message, '\x1b'));
}

static void too_many_words_are_refused(void **state)
{
	char word[] = "x", flag[] = "-f";
	char *words[ARGS_POSITIONALS_MAX + 1];
	struct error err = ERROR_INIT;
	struct args a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = word;
	assert_true(parse(&a, &err, (int)ARRAY_SIZE(words), words) < 0);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = flag;
	assert_true(parse(&a, &err, (int)ARRAY_SIZE(words), words) < 0);
}

static void mountinfo_lines_are_understood(void **state)
{
	struct mount_entry e = MOUNT_ENTRY_INIT;

	(void)state;
	assert_int_equal(
		mounts_parse_line(STR("36 35 98:0 / /mnt/a\\040b\\134c rw,noatime shared:1 "
				      "master:2 - fuse.skydir skydir rw,user_id=1000,group_id=5"),
				  &e),
		0);
	assert_string_equal(e.path, "/mnt/a b\\c");
	assert_true(mount_entry_is_skydir(&e));
	assert_int_equal(e.user_id, 1000);
	mount_entry_release(&e);
	assert_int_equal(mounts_parse_line(STR("1 2 0:1 / /x rw - ext4 /dev/sda1 rw"), &e), 0);
	assert_false(mount_entry_is_skydir(&e));
	mount_entry_release(&e);
}

static void broken_mountinfo_lines_are_refused(void **state)
{
	static const char *const lines[] = {
		"", "1", "1 2 3 4 5", "1 2 3 4 5 rw -", "1 2 3 4 5 rw - t", "     "};
	struct mount_entry e = MOUNT_ENTRY_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(mounts_parse_line(str_of(lines[i]), &e), -EINVAL);
}

static void paths_resolve_also_when_the_last_name_is_gone(void **state)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *gone = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(mounts_resolve("/tmp/../tmp/", &path, &err), 0);
	assert_string_equal(path, "/tmp");
	assert_int_equal(mounts_resolve("/tmp/./skydir-no-such-name", &gone, &err), 0);
	assert_string_equal(gone, "/tmp/skydir-no-such-name");
	assert_int_equal(mounts_probe("/tmp", 5000), 0);
	assert_int_equal(mounts_probe("/tmp/skydir-no-such-name", 5000), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_and_durations_are_short),
		cmocka_unit_test(control_bytes_never_reach_a_terminal),
		cmocka_unit_test(near_words_are_found),
		cmocka_unit_test(options_and_arguments_come_in_any_order),
		cmocka_unit_test(wrong_options_are_named_but_not_their_values),
		cmocka_unit_test(too_many_words_are_refused),
		cmocka_unit_test(mountinfo_lines_are_understood),
		cmocka_unit_test(broken_mountinfo_lines_are_refused),
		cmocka_unit_test(paths_resolve_also_when_the_last_name_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
