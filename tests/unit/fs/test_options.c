/* Mount options: defaults, every row, lists with escapes, and messages that help. */
#include "fs/options.h"

#include "backends/base/random.h"
#include "tests/unit/fs/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int setup(void **state)
{
	struct fs_options *o = calloc(1, sizeof(*o));

	setenv("XDG_CACHE_HOME", "/var/tmp/xdg", 1);
	*state = o;
	return fs_options_init(o, NULL);
}

static int teardown(void **state)
{
	fs_options_release(*state);
	free(*state);
	return 0;
}

static void expect_error(struct fs_options *o, const char *list, const char *part)
{
	struct error err = ERROR_INIT;

	assert_true(fs_options_parse(o, list, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFIG);
	if (!strstr(err.message, part))
		fail_msg("'%s' does not say '%s'", err.message, part);
}

static void expect_ok(struct fs_options *o, const char *list)
{
	struct error err = ERROR_INIT;

	if (fs_options_parse(o, list, &err) < 0)
		fail_msg("'%s': %s", list, err.message);
}

static void the_defaults_are_those_of_the_table(void **state)
{
	struct fs_options *o = *state;

	assert_string_equal(o->cache_dir, "/var/tmp/xdg/skydir");
	assert_false(o->is_cache_dir_explicit);
	assert_int_equal(o->cache_size, 10ull << 30);
	assert_int_equal(o->free_space_floor, 1ull << 30);
	assert_int_equal(o->upload_delay_ms, 1000);
	assert_int_equal(o->uploads, 16);
	assert_int_equal(o->max_connections, 32);
	assert_int_equal(o->part_size, 8 << 20);
	assert_int_equal(o->read_ahead, 256 << 20);
	assert_int_equal(o->meta_ttl_ms, 60000);
	assert_int_equal(o->timeout_ms, 30000);
	assert_true(o->writeback && o->use_xattrs);
	assert_false(o->is_fsync_remote || o->attrs_exact || o->is_strict || o->read_only ||
		     o->allow_other);
	assert_int_equal(o->on_conflict, OPTIONS_KEEP_BOTH);
	assert_int_equal(o->uid, getuid());
	assert_int_equal(o->gid, getgid());
	assert_int_equal(o->file_mode, 0644);
	assert_int_equal(o->dir_mode, 0755);
	assert_string_equal(o->log_level, "info");
	assert_null(o->log_file);
	assert_null(o->passthrough_o);
}

static void without_xdg_the_cache_is_in_the_home(void **state)
{
	struct fs_options o;

	(void)state;
	setenv("HOME", "/home/someone", 1);
	setenv("XDG_CACHE_HOME", "relative/is/ignored", 1);
	assert_int_equal(fs_options_init(&o, NULL), 0);
	assert_string_equal(o.cache_dir, "/home/someone/.cache/skydir");
	fs_options_release(&o);
	unsetenv("XDG_CACHE_HOME");
	assert_int_equal(fs_options_init(&o, NULL), 0);
	assert_string_equal(o.cache_dir, "/home/someone/.cache/skydir");
	fs_options_release(&o);
}

static void each_kind_of_value_is_read(void **state)
{
	struct fs_options *o = *state;

	expect_ok(
		o,
		"cache-size=2G,upload-delay=500ms,uploads=3,file-mode=600,dir-mode=0700,ro,"
		"writeback=no,fsync=remote,attrs=exact,consistency=strict,on-conflict=fail,"
		"uid=12,gid=root,log-level=debug,xattrs=off,allow_other,meta_ttl=1h,read-ahead=0");
	assert_int_equal(o->cache_size, 2ull << 30);
	assert_int_equal(o->upload_delay_ms, 500);
	assert_int_equal(o->uploads, 3);
	assert_int_equal(o->file_mode, 0600);
	assert_int_equal(o->dir_mode, 0700);
	assert_true(o->read_only && o->is_fsync_remote && o->attrs_exact && o->is_strict &&
		    o->allow_other);
	assert_false(o->writeback || o->use_xattrs);
	assert_int_equal(o->on_conflict, OPTIONS_FAIL);
	assert_int_equal(o->uid, 12);
	assert_int_equal(o->gid, 0);
	assert_string_equal(o->log_level, "debug");
	assert_int_equal(o->meta_ttl_ms, 3600000);
	assert_int_equal(o->read_ahead, 0);
	expect_ok(o, "rw,on-conflict=overwrite");
	assert_false(o->read_only);
	assert_int_equal(o->on_conflict, OPTIONS_OVERWRITE);
}

static void paths_are_expanded_and_made_absolute(void **state)
{
	struct fs_options *o = *state;
	char here[4096];
	CLEANUP(freep) char *expected = NULL;

	setenv("HOME", "/home/someone", 1);
	expect_ok(o, "cache-dir=~/c,log-file=log/x");
	assert_string_equal(o->cache_dir, "/home/someone/c");
	assert_true(o->is_cache_dir_explicit);
	assert_non_null(getcwd(here, sizeof(here)));
	expected = str_format("%s/log/x", here);
	assert_string_equal(o->log_file, expected);
	expect_error(o, "cache-dir=", "cache-dir");
	assert_string_equal(o->cache_dir, "/home/someone/c");
}

static void commas_can_be_escaped(void **state)
{
	struct fs_options *o = *state;

	expect_ok(o, "cache-dir=/a\\,b\\\\c,ro,,");
	assert_string_equal(o->cache_dir, "/a,b\\c");
	assert_true(o->read_only);
	expect_ok(o, "fsname=x\\,y\\\\z,nosuid,dev");
	assert_string_equal(o->passthrough_o, "fsname=x\\,y\\\\z,nosuid,dev");
}

static void what_belongs_to_mount_is_ignored(void **state)
{
	struct fs_options *o = *state;

	expect_ok(o, "defaults,auto,noauto,user,users,nofail,_netdev,x-systemd.automount,"
		     "x-gvfs-show,comment=hello,relatime,rw,user=me");
	assert_null(o->passthrough_o);
	expect_ok(o, "");
}

static void mistakes_are_named_and_the_right_word_is_guessed(void **state)
{
	struct fs_options *o = *state;
	struct error err = ERROR_INIT;

	expect_error(o, "cach-size=1G", "did you mean 'cache-size'");
	expect_error(o, "cache_sise=1G", "did you mean 'cache-size'");
	expect_error(o, "on-conflcit=fail", "did you mean 'on-conflict'");
	expect_error(o, "or", "unknown option 'or'");
	expect_error(o, "zzzzzzzz", "-o: unknown option 'zzzzzzzz'");
	expect_error(o, "cache-size", "cache-size needs a value (SIZE)");
	expect_error(o, "cache-size=big", "'big' is not a size");
	expect_error(o, "cache-size=1", "not a size");
	expect_error(o, "uploads=0", "from 1 to 256");
	expect_error(o, "uploads=-1", "uploads");
	expect_error(o, "timeout=1ms", "timeout");
	expect_error(o, "file-mode=9", "octal");
	expect_error(o, "uid=4294967295", "user");
	expect_error(o, "uid=no such user", "there is no user 'no such user'");
	expect_error(o, "on-conflict=both", "keep-both|overwrite|fail");
	expect_error(o, "log-level=loud", "error|warn|info|debug");
	expect_error(o, "ro=perhaps", "yes|no");
	expect_error(o, "fsname", "needs a value");
	assert_true(fs_options_set(o, "uplods", "3", "/etc/skydir.conf:7", &err) < 0);
	assert_string_equal(
		err.message,
		"/etc/skydir.conf:7: unknown option 'uplods' (did you mean 'uploads'?)");
	assert_int_equal(o->cache_size, 10ull << 30);
	assert_int_equal(o->uploads, 16);
}

static void every_row_is_complete_and_accepts_its_standard(void **state)
{
	struct fs_options *o = *state;
	size_t count = 0;

	for (const struct fs_option_row *row = fs_option_rows; row->key; row++, count++) {
		assert_true(row->values && *row->values && row->standard && row->help &&
			    *row->help);
		for (const struct fs_option_row *other = row + 1; other->key; other++)
			assert_string_not_equal(row->key, other->key);
		if (row->type != FS_OPTION_PATH && row->type != FS_OPTION_USER &&
		    row->type != FS_OPTION_GROUP)
			assert_int_equal(fs_options_set(o, row->key, row->standard, "test", NULL),
					 0);
	}
	assert_int_equal(count, 26);
}

static void hostile_lists_are_refused_or_read_never_worse(void **state)
{
	static const char *const words[] = {
		"ro",	"=",	",",   "\\",	      "\\,",  "cache-size", "1G",	"fsname=",
		"%s%n", "\xff", "uid", "on-conflict", "fail", "x-",	    "log-file", "~"};
	char list[600];

	(void)state;
	support_seed();
	for (int i = 0; i < 20000; i++) {
		struct fs_options o;
		size_t len = 0;

		assert_int_equal(fs_options_init(&o, NULL), 0);
		for (uint64_t n = random_below(30); n > 0; n--)
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s",
						words[random_below(ARRAY_SIZE(words))]);
		list[len] = '\0';
		(void)!fs_options_parse(&o, list, NULL);
		fs_options_release(&o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_defaults_are_those_of_the_table, setup,
						teardown),
		cmocka_unit_test(without_xdg_the_cache_is_in_the_home),
		cmocka_unit_test_setup_teardown(each_kind_of_value_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(paths_are_expanded_and_made_absolute, setup,
						teardown),
		cmocka_unit_test_setup_teardown(commas_can_be_escaped, setup, teardown),
		cmocka_unit_test_setup_teardown(what_belongs_to_mount_is_ignored, setup, teardown),
		cmocka_unit_test_setup_teardown(mistakes_are_named_and_the_right_word_is_guessed,
						setup, teardown),
		cmocka_unit_test_setup_teardown(every_row_is_complete_and_accepts_its_standard,
						setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_lists_are_refused_or_read_never_worse,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
