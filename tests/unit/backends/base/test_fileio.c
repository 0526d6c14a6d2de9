#include "backends/base/fileio.h"
#include "check.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static char dir[] = "/tmp/skydir-test-fileio-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir); /* each test leaves it empty: also no temporary file stays */
}

static char *in_dir(const char *name)
{
	char *path = str_format("%s/%s", dir, name);
	assert_non_null(path);
	return path;
}

static void a_file_is_replaced_and_read_whole(void **state)
{
	(void)state;
	CLEANUP(freep) char *path = in_dir("f");
	CLEANUP(buf_release) struct buf b = BUF_INIT(100);
	struct error err;
	struct stat st;
	assert_int_equal(buf_adds(&b, "old content of the buf"), 0);
	assert_int_equal(fileio_replace_file(path, STR("one"), 0600, &err), 0);
	assert_int_equal(fileio_replace_file(path, STR("t\0o"), 0640, &err), 0);
	assert_int_equal(fileio_read_file(path, &b, &err), 0);
	assert_true(str_equal(buf_str(&b), STR("t\0o")));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(fileio_replace_file(path, STR(""), 0600, &err), 0);
	assert_int_equal(fileio_read_file(path, &b, &err), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(unlink(path), 0);
}

static void a_file_may_reach_the_limit_but_not_pass_it(void **state)
{
	(void)state;
	CLEANUP(freep) char *path = in_dir("f");
	CLEANUP(buf_release) struct buf b = BUF_INIT(5), big = BUF_INIT(1 << 20);
	struct error err;
	assert_int_equal(fileio_replace_file(path, STR("12345"), 0600, &err), 0);
	assert_int_equal(fileio_read_file(path, &b, &err), 0);
	assert_string_equal(buf_cstr(&b), "12345");
	assert_int_equal(fileio_replace_file(path, STR("123456"), 0600, &err), 0);
	assert_int_equal(fileio_read_file(path, &b, &err), -EFBIG);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	assert_string_equal(buf_cstr(&b), "12345"); /* as it was */
	assert_int_equal(truncate(path, 300000), 0);
	assert_int_equal(fileio_read_file(path, &big, &err), 0);
	assert_int_equal(big.len, 300000);
	assert_int_equal(unlink(path), 0);
}

static void failures_name_the_path(void **state)
{
	(void)state;
	CLEANUP(freep) char *missing = in_dir("no/such");
	CLEANUP(buf_release) struct buf b = BUF_INIT(5);
	struct error err = ERROR_INIT;
	assert_int_equal(fileio_read_file(missing, &b, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.message, missing));
	assert_int_equal(fileio_replace_file(missing, STR("x"), 0600, &err), -ENOENT);
	assert_non_null(strstr(err.message, missing));
	assert_true(fileio_read_file(dir, &b, &err) < 0);
	assert_non_null(strstr(err.message, dir));
	assert_true(fileio_replace_file(dir, STR("x"), 0600, NULL) < 0);
	CLEANUP(freep) char *left = str_format("ls %s.* 2>/dev/null", dir);
	assert_non_null(left);
	FILE *list = popen(left, "r");
	assert_non_null(list);
	assert_int_equal(fgetc(list), EOF); /* the temporary file is gone */
	(void)pclose(list);
}

static void ranges_are_read_and_written_whole(void **state)
{
	(void)state;
	CLEANUP(freep) char *path = in_dir("f");
	CLEANUP(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char data[8] = "";
	assert_int_equal(fileio_pwrite_all(fd, "world", 5, 6), 0);
	assert_int_equal(fileio_pwrite_all(fd, "hello ", 6, 0), 0);
	assert_int_equal(fileio_pread_all(fd, data, 7, 2), 0);
	assert_memory_equal(data, "llo wor", 7);
	assert_int_equal(fileio_pread_all(fd, data, 7, 5), -ENODATA);
	assert_int_equal(fileio_pread_all(fd, data, 0, 99), 0);
	assert_int_equal(fileio_pread_all(-1, data, 1, 0), -EBADF);
	assert_int_equal(fileio_pwrite_all(-1, data, 1, 0), -EBADF);
	assert_int_equal(fileio_write_all(-1, data, 1), -EBADF);
	assert_int_equal(unlink(path), 0);
}

static void directories_are_made_with_all_their_parents(void **state)
{
	(void)state;
	CLEANUP(freep) char *path = in_dir("a//b/c/");
	struct error err;
	struct stat st;
	assert_int_equal(fileio_make_dirs(path, 0700, &err), 0);
	assert_int_equal(fileio_make_dirs(path, 0700, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(fileio_make_dirs("/", 0700, &err), 0);
	assert_int_equal(fileio_make_dirs("", 0700, &err), -EINVAL);

	CLEANUP(freep) char *file = in_dir("a/file");
	CLEANUP(freep) char *below = in_dir("a/file/d");
	assert_int_equal(fileio_replace_file(file, STR("x"), 0600, &err), 0);
	assert_true(fileio_make_dirs(below, 0700, &err) < 0);
	assert_true(fileio_make_dirs(file, 0700, &err) < 0);
	assert_int_equal(unlink(file), 0);
	static const char *const made[] = { "a/b/c", "a/b", "a" };
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		CLEANUP(freep) char *one = in_dir(made[i]);
		assert_int_equal(rmdir(one), 0);
	}
}

static void only_a_leading_tilde_of_ones_own_is_expanded(void **state)
{
	(void)state;
	assert_int_equal(setenv("HOME", "/home/someone", 1), 0);
	static const char *const rows[][2] = {
		{ "~", "/home/someone" },   { "~/x", "/home/someone/x" }, { "~root/x", "~root/x" },
		{ "/a/~/b", "/a/~/b" },	    { "", "" },			  { "$HOME/x", "$HOME/x" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(freep) char *path = fileio_expand_home(rows[i][0]);
		assert_string_equal(path, rows[i][1]);
	}
	assert_int_equal(unsetenv("HOME"), 0);
	CLEANUP(freep) char *path = fileio_expand_home("~/x"); /* from the user database */
	assert_true(!path || (path[0] == '/' && str_ends(str_of(path), "/x")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_replaced_and_read_whole),
		cmocka_unit_test(a_file_may_reach_the_limit_but_not_pass_it),
		cmocka_unit_test(failures_name_the_path),
		cmocka_unit_test(ranges_are_read_and_written_whole),
		cmocka_unit_test(directories_are_made_with_all_their_parents),
		cmocka_unit_test(only_a_leading_tilde_of_ones_own_is_expanded),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
