/*
 * The commands from end to end, each in a process of its own, over the fake fs: a "mount" is a
 * daemon whose mount point is a plain directory. Of the kernel's mounts the commands see only what lies
 * in the test's own directory (the linker wraps mounts_each): the machine may have others, dead ones too.
 */
#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "control/cli.h"
#include "control/client.h"
#include "control/mounts.h"
#include "fake.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

static char *dir, *mountpoint, *out_path, *err_path;
static struct buf out, err_text;

struct own_mounts {
	int (*fn)(void *arg, const struct mount_entry *e);
	void *arg;
};

static int pass_own(void *arg, const struct mount_entry *e)
{
	const struct own_mounts *own = arg;
	size_t len = strlen(dir);

	if (strncmp(e->path, dir, len) != 0 || (e->path[len] && e->path[len] != '/'))
		return 0;
	return own->fn(own->arg, e);
}

int __real_mounts_each(int (*fn)(void *arg, const struct mount_entry *e), void *arg, struct error *err);
int __wrap_mounts_each(int (*fn)(void *arg, const struct mount_entry *e), void *arg, struct error *err);
int __wrap_mounts_each(int (*fn)(void *arg, const struct mount_entry *e), void *arg, struct error *err)
{
	struct own_mounts own = {fn, arg};

	return __real_mounts_each(pass_own, &own, err);
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	dir = fake_make_dir();
	mountpoint = str_format("%s/sky", dir);
	out_path = str_format("%s/out", dir);
	err_path = str_format("%s/err", dir);
	out = BUF_INIT(1 << 20);
	err_text = BUF_INIT(1 << 20);
	setenv("SKYDIR_RUNTIME_DIR", dir, 1);
	setenv("XDG_CONFIG_HOME", dir, 1);
	setenv("XDG_CACHE_HOME", dir, 1);
	setenv("XDG_DATA_HOME", dir, 1);
	setenv("HOME", dir, 1);
	unsetenv("SKYDIR_CONFIG");
	unsetenv("FAKE_S3_KEY");
	return mkdir(mountpoint, 0700);
}

static int teardown(void **state)
{
	(void)state;
	buf_release(&out);
	buf_release(&err_text);
	free(mountpoint);
	free(out_path);
	free(err_path);
	fake_remove_dir(dir);
	return 0;
}

static void redirect(const char *path, int to)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || dup2(fd, to) < 0)
		abort();
	(void)close(fd);
}

#define WORDS_MAX 12
static pid_t start(const char *const *words)
{
	char *argv[WORDS_MAX + 2] = {(char[]){"skydir"}};
	int argc = 1;
	pid_t pid;

	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1]; /* cli_main only reads them */
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		redirect(out_path, STDOUT_FILENO);
		redirect(err_path, STDERR_FILENO);
		exit(cli_main(argc, argv));
	}
	assert_true(pid > 0);
	return pid;
}

static int finish(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	buf_clear(&out);
	buf_clear(&err_text);
	assert_int_equal(fileio_read_file(out_path, &out, NULL), 0);
	assert_int_equal(fileio_read_file(err_path, &err_text, NULL), 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}
#define RUN(...) finish(start((const char *const[]){__VA_ARGS__, NULL}))

static void expect_err(const char *part)
{
	if (!strstr(buf_cstr(&err_text), part))
		fail_msg("'%s' does not hold '%s'", buf_cstr(&err_text), part);
}

static void expect_out(const char *part)
{
	if (!strstr(buf_cstr(&out), part))
		fail_msg("'%s' does not hold '%s'", buf_cstr(&out), part);
}

static void help_and_version_go_to_stdout(void **state)
{
	static const char *const names[] = {"mount",  "umount",	 "sync", "status",
					    "doctor", "metrics", "help", "version"};

	(void)state;
	assert_int_equal(RUN("--version"), 0);
	assert_string_equal(buf_cstr(&out), "skydir " SKYDIR_VERSION "\n");
	assert_int_equal(RUN("help"), 0);
	expect_out("umount");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(RUN("help", names[i]), 0);
		expect_out("usage: skydir ");
		expect_out("examples:\n  skydir");
		assert_int_equal(RUN(names[i], "--help"), 0);
		assert_int_equal(err_text.len, 0);
	}
	assert_int_equal(RUN("help", "mount"), 0);
	expect_out("cache-size=SIZE");
}

static void wrong_usage_is_two(void **state)
{
	(void)state;
	assert_int_equal(finish(start((const char *const[]){NULL})), 2);
	assert_int_equal(out.len, 0);
	expect_err("usage: skydir");
	assert_int_equal(RUN("statsu"), 2);
	expect_err("did you mean 'status'");
	assert_int_equal(RUN("mount"), 2);
	assert_int_equal(RUN("mount", "a", "b", "c"), 2);
	assert_int_equal(RUN("umount", "--noww", "x"), 2);
	expect_err("did you mean '--now'");
	assert_int_equal(RUN("status", "-o", "xml"), 2);
	assert_int_equal(RUN("sync", "--timeout", "soon"), 2);
	assert_int_equal(RUN("mount", "s3/bucket", mountpoint), 2);
	assert_int_equal(RUN("mount", mountpoint, "-o", "secret-access-key=hunter2"), 2);
	assert_null(strstr(buf_cstr(&err_text), "hunter2"));
	assert_int_equal(RUN("bogus", "--output", "json"), 2);
	expect_err("{\"code\":\"invalid\"");
	expect_err("\"retryable\":false,\"provider\":null,\"request_id\":null,\"hint\":");
}

static void a_mount_that_cannot_be_says_why(void **state)
{
	CLEANUP(freep) char *plain = str_format("%s/file", dir);
	CLEANUP(freep) char *conf = str_format("%s/bad.conf", dir);

	(void)state;
	fake_write(plain, "", 0600);
	assert_int_equal(RUN("mount", "/nonexistent/dir"), 3);
	assert_int_equal(RUN("mount", plain), 2);
	expect_err("is not a directory");
	assert_int_equal(RUN("mount", "/s3/bucket", mountpoint), 4);
	assert_int_equal(RUN("mount", "/nope/bucket", mountpoint), 3);
	expect_err("there is no store 'nope'");
	fake_write(conf, "[skydir]\nbogus = 1\n", 0600);
	assert_int_not_equal(RUN("mount", mountpoint, "--config", conf), 0);
	expect_err("bad.conf:2");
	fake_fs.mount_error = ERR_NOT_FOUND;
	assert_int_equal(RUN("mount", mountpoint), 3);
	expect_err("skydir: cannot mount '/': there is no bucket 'x'");
	assert_int_equal(RUN("mount", mountpoint, "-f"), 3);
}

static void a_mount_lives_is_shown_synced_and_unmounted(void **state)
{
	(void)state;
	assert_int_equal(RUN("mount", mountpoint), 0);
	assert_int_equal(out.len + err_text.len, 0);
	assert_int_equal(RUN("status"), 0);
	expect_out(mountpoint);
	expect_out("3 (4K)");
	assert_int_equal(RUN("status", mountpoint, "-o", "json"), 0);
	expect_out("{\"mounts\":[{");
	expect_out("\"state\":\"mounted\"");
	assert_int_equal(RUN("status", dir), 3);
	assert_int_equal(RUN("sync"), 0);
	assert_int_equal(RUN("sync", "--output", "json"), 0);
	assert_string_equal(buf_cstr(&out), "{\"uploaded\":true,\"failures\":[]}\n");
	assert_int_equal(RUN("metrics"), 0);
	expect_out("skydir_dirty_files{mount=");
	assert_int_equal(RUN("umount", mountpoint), 0);
	assert_int_equal(RUN("status"), 0);
	expect_out("no mounts");
	assert_int_equal(RUN("metrics"), 3);
	assert_int_equal(RUN("umount", mountpoint), 3);
}

static void what_is_not_uploaded_is_listed_and_keeps_the_mount(void **state)
{
	(void)state;
	fake_fs.fails = true;
	assert_int_equal(RUN("mount", mountpoint), 0);
	assert_int_equal(RUN("sync"), 1);
	expect_err("not uploaded: /s3/b/x: access denied");
	assert_int_equal(RUN("umount", mountpoint), 1);
	expect_err("1 not in the cloud, still mounted");
	assert_int_equal(RUN("status", mountpoint), 0);
	assert_int_equal(RUN("umount", mountpoint, "--now"), 0);
	assert_int_equal(RUN("status", mountpoint), 3);
}

static void a_taken_cache_directory_is_passed_over_unless_it_was_chosen(void **state)
{
	CLEANUP(freep) char *chosen = str_format("cache-dir=%s/cache", dir);

	(void)state;
	fake_fs.conflicts = 3;
	assert_int_equal(RUN("mount", mountpoint), 0);
	assert_int_equal(RUN("status", "-o", "json"), 0);
	expect_out("/mount-4\"");
	assert_int_equal(RUN("umount", mountpoint), 0);
	assert_int_equal(RUN("mount", mountpoint, "-o", chosen), 6);
	expect_err("is in use by process 1");
}

static void a_new_mount_takes_over_from_one_that_still_uploads(void **state)
{
	CLEANUP(freep) char *chosen = str_format("cache-dir=%s/cache", dir);
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	fake_fs.ends = true;
	fake_fs.blocks = true;
	assert_int_equal(RUN("mount", mountpoint, "-o", chosen), 0);
	for (int i = 0; i < 500 && !strstr(buf_cstr(&out), "\"unmounted\""); i++)
		assert_int_equal(RUN("status", "-o", "json"), 0);
	expect_out("\"unmounted\"");
	assert_int_equal(clients_open(&all, &err), 0);
	fake_fs.ends = false;
	fake_fs.blocks = false;
	fake_fs.conflicts = 1;
	assert_int_equal(RUN("mount", mountpoint, "-o", chosen), 0);
	assert_true(client_wait_end(&all.items[0], 5000));
	assert_int_equal(RUN("umount", mountpoint), 0);
}

static void leftovers_are_shown_and_uploaded_without_a_mount(void **state)
{
	CLEANUP(freep) char *cache = str_format("%s/skydir", dir);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(mkdir(cache, 0700), 0);
	assert_int_equal(json_parse(STR("{\"dirty\":{\"files\":2,\"bytes\":10},\"pending\":0}"),
				    1024, &fake_fs.offline, &err),
			 0);
	assert_int_equal(RUN("status"), 0);
	expect_out("left over");
	expect_out(cache);
	assert_int_equal(RUN("sync"), 0);
	expect_err("uploading what an earlier mount left");
	fake_fs.fails = true;
	assert_int_equal(RUN("sync"), 1);
	expect_err("access denied");
	json_putp(&fake_fs.offline);
}

static struct client *wait_for_daemon(struct clients *all)
{
	for (int i = 0; i < 500; i++) {
		struct error err = ERROR_INIT;

		clients_release(all);
		assert_int_equal(clients_open(all, &err), 0);
		if (clients_find(all, mountpoint))
			return clients_find(all, mountpoint);
		(void)poll(NULL, 0, 20);
	}
	fail_msg("no daemon came");
	return NULL;
}

static void a_signal_drains_and_a_second_one_ends_at_once(void **state)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	struct client *c;
	pid_t pid;

	(void)state;
	pid = start((const char *const[]){"mount", mountpoint, "-f", NULL});
	c = wait_for_daemon(&all);
	assert_int_equal(c->pid, pid);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(finish(pid), 0);
	expect_err("mount.ended");
	fake_fs.blocks = true; /* what is left never goes up */
	pid = start((const char *const[]){"mount", mountpoint, "-f", NULL});
	(void)wait_for_daemon(&all);
	assert_int_equal(kill(pid, SIGINT), 0);
	(void)poll(NULL, 0, 300);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_int_equal(kill(pid, SIGINT), 0);
	assert_int_equal(finish(pid), 0);
	expect_err("ending; the rest stays in the journal");
}

static void the_doctor_looks_at_everything(void **state)
{
	(void)state;
	assert_in_range(RUN("doctor"), 0, 1); /* /dev/fuse may be missing here */
	expect_out("configuration: no file");
	expect_out("store local: fake store local; 0 buckets");
	expect_out("cache: ");
	assert_in_range(RUN("doctor", "--output", "json"), 0, 1);
	expect_out("{\"checks\":[{\"check\":\"fuse\"");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(help_and_version_go_to_stdout),
		TEST(wrong_usage_is_two),
		TEST(a_mount_that_cannot_be_says_why),
		TEST(a_mount_lives_is_shown_synced_and_unmounted),
		TEST(what_is_not_uploaded_is_listed_and_keeps_the_mount),
		TEST(a_taken_cache_directory_is_passed_over_unless_it_was_chosen),
		TEST(a_new_mount_takes_over_from_one_that_still_uploads),
		TEST(leftovers_are_shown_and_uploaded_without_a_mount),
		TEST(a_signal_drains_and_a_second_one_ends_at_once),
		TEST(the_doctor_looks_at_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
