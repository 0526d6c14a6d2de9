#include "backends/base/log.h"
#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "check.h"
#include <stdio.h>
#include <sys/stat.h>

static char path[] = "/tmp/skydir-test-log-XXXXXX";

static int64_t fake_wall_ns(void)
{
	return INT64_C(1369353600123000000);
}

static int make_file(void **state)
{
	static const struct clock_source fake = { .wall_ns = fake_wall_ns };
	(void)state;
	clock_set(&fake);
	int fd = mkstemp(path);
	if (fd < 0)
		return -1;
	(void)close(fd);
	return log_init(LOG_LEVEL_INFO, LOG_TARGET_FILE, path);
}

static int remove_file(void **state)
{
	(void)state;
	clock_set(NULL);
	(void)log_init(LOG_LEVEL_WARN, LOG_TARGET_STDERR, NULL);
	return unlink(path);
}

/* What was logged since the last call. */
static void take_log(struct buf *text)
{
	struct error err;
	assert_int_equal(fileio_read_file(path, text, &err), 0);
	assert_int_equal(truncate(path, 0), 0);
}

static void an_event_is_one_line_with_a_stamp(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	log_warn("upload.retry", "key='%s' attempt=%u", "a/b", 3);
	take_log(&text);
	assert_string_equal(buf_cstr(&text), "2013-05-24T00:00:00.123Z warn: upload.retry "
					     "key='a/b' attempt=3\n");
}

static void levels_above_the_set_one_are_silent(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	log_debug("x", "a=%d", 1);
	take_log(&text);
	assert_int_equal(text.len, 0);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("x", "a=%d", 1);
	take_log(&text);
	assert_true(str_ends(buf_str(&text), "debug: x a=1\n"));
	log_set_level(LOG_LEVEL_ERROR);
	log_warn("x", "a=%d", 1);
	log_error("y", "a=%d", 1);
	take_log(&text);
	assert_true(str_ends(buf_str(&text), "error: y a=1\n"));
	assert_null(strstr(buf_cstr(&text), "warn"));
	log_set_level(LOG_LEVEL_INFO);
}

static void control_bytes_cannot_forge_a_line_or_move_a_cursor(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	log_info("e", "key='%s'", "a\nskydir: b\r\x1b[2J\t\x7f\xc2\x9bm\xff\xc0\xaf\xed\xa0\x80");
	take_log(&text);
	assert_true(str_ends(buf_str(&text), "key='a\\nskydir: b\\x0d\\x1b[2J\\x09\\x7f\\xc2\\x9bm"
					     "\\xff\\xc0\\xaf\\xed\\xa0\\x80'\n"));
	log_info("e", "key='%s'", "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80");
	take_log(&text);
	assert_true(str_ends(buf_str(&text), "key='Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80'\n"));
}

static void a_long_event_is_cut_and_stays_one_line(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	char key[6000];
	static const char fills[] = { 1, 'a' }; /* all escaped, none escaped */
	for (size_t i = 0; i < ARRAY_SIZE(fills); i++) {
		memset(key, fills[i], sizeof(key));
		key[sizeof(key) - 1] = '\0';
		log_info("e", "key='%s'", key);
		take_log(&text);
		assert_true(text.len > 2000 && text.len <= 4096);
		assert_ptr_equal(strchr(text.data, '\n'), text.data + text.len - 1);
	}
	assert_true(str_ends(buf_str(&text), "...\n"));
}

static void errno_survives_a_log_call(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	errno = ENOTTY;
	log_info("e", "a=%d", 1);
	assert_int_equal(errno, ENOTTY);
	take_log(&text);
}

static void on_stderr_the_line_begins_with_the_program(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	int saved = dup(STDERR_FILENO), pipe_fds[2];
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(log_init(LOG_LEVEL_INFO, LOG_TARGET_STDERR, NULL), 0);
	(void)dup2(pipe_fds[1], STDERR_FILENO);
	log_error("mount.fail", "dir='%s'", "/mnt");
	(void)dup2(saved, STDERR_FILENO);
	char line[200] = "";
	assert_true(read(pipe_fds[0], line, sizeof(line) - 1) > 0);
	assert_string_equal(line, "skydir: error: mount.fail dir='/mnt'\n");
	(void)close(saved);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	assert_int_equal(log_init(LOG_LEVEL_INFO, LOG_TARGET_FILE, path), 0);
}

static void a_log_file_is_private_and_appended(void **state)
{
	(void)state;
	char fresh[] = "/tmp/skydir-test-log2-XXXXXX";
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	struct stat st;
	assert_int_equal(close(mkstemp(fresh)), 0);
	assert_int_equal(unlink(fresh), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(log_init(LOG_LEVEL_INFO, LOG_TARGET_FILE, fresh), 0);
		log_info("e", "i=%d", i);
	}
	assert_int_equal(stat(fresh, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fileio_read_file(fresh, &text, NULL), 0);
	assert_non_null(strstr(buf_cstr(&text), "i=0\n"));
	assert_non_null(strstr(buf_cstr(&text), "i=1\n"));
	assert_int_equal(unlink(fresh), 0);
	assert_int_equal(log_init(LOG_LEVEL_INFO, LOG_TARGET_FILE, "/nonexistent/x"), -ENOENT);
	assert_int_equal(log_init(LOG_LEVEL_INFO, LOG_TARGET_FILE, path), 0);
}

static void levels_are_known_by_name(void **state)
{
	(void)state;
	enum log_level level;
	assert_int_equal(log_level_from_name("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_from_name("Error", &level), 0);
	assert_int_equal(level, LOG_LEVEL_ERROR);
	assert_int_equal(log_level_from_name("loud", &level), -EINVAL);
	assert_int_equal(log_level_from_name("", &level), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_one_line_with_a_stamp),
		cmocka_unit_test(levels_above_the_set_one_are_silent),
		cmocka_unit_test(control_bytes_cannot_forge_a_line_or_move_a_cursor),
		cmocka_unit_test(a_long_event_is_cut_and_stays_one_line),
		cmocka_unit_test(errno_survives_a_log_call),
		cmocka_unit_test(on_stderr_the_line_begins_with_the_program),
		cmocka_unit_test(a_log_file_is_private_and_appended),
		cmocka_unit_test(levels_are_known_by_name),
	};
	return cmocka_run_group_tests(tests, make_file, remove_file);
}
