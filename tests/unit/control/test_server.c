#include "backends/base/clock.h"
#include "control/client.h"
#include "control/peer.h"
#include "control/server.h"
#include "fake.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

static char *dir;
static struct session session;
static struct server *server;

static int setup(void **state)
{
	struct fs_options options = {.cache_dir = (char[]){"/tmp"}};
	struct fs *fs;

	(void)state;
	fake_reset();
	dir = fake_make_dir();
	setenv("SKYDIR_RUNTIME_DIR", dir, 1);
	if (fs_new(&options, NULL, 0, "/", &fs, NULL) < 0)
		return -1;
	session_init(&session, fs, "/mnt/sky", "/", "/tmp/cache");
	return server_new(NULL, &session, OP_READ, &server, NULL) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	server_free(server);
	fs_free(session.fs);
	session_destroy(&session);
	fake_remove_dir(dir);
	return 0;
}

static int raw_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 20};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", server_path(server));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
	return fd;
}

static void raw_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* One line of the answer. */
static void raw_read(int fd, char *line, size_t size)
{
	size_t at = 0;

	while (at + 1 < size && recv(fd, line + at, 1, 0) == 1 && line[at] != '\n')
		at++;
	line[at] = '\0';
}

/* The next that is no notification. */
static void raw_read_answer(int fd, char *line, size_t size)
{
	do
		raw_read(fd, line, size);
	while (strstr(line, "\"method\":\"progress\""));
}

static void wait_until(bool (*fn)(void))
{
	uint64_t deadline = clock_mono_ms() + 20000;

	while (!fn() && clock_mono_ms() < deadline)
		(void)poll(NULL, 0, 5);
	assert_true(fn());
}

static void the_socket_is_ours_alone(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(server_path(server), &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
}

#define NOBODY 65534

/* In a child: as another user, to whom somebody opened directory and socket. 0: it was told nothing but that it may not. */
static int ask_as_another_user(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"version\"}\n";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[1024];
	ssize_t n;

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%d.sock", (int)getppid());
	if (chdir(dir) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		return 2;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return 3;
	(void)send(fd, request, sizeof request - 1, MSG_NOSIGNAL); /* it may be closed already */
	n = recv(fd, line, sizeof line - 1, 0);
	line[n > 0 ? n : 0] = '\0';
	return strstr(line, "\"result\"") || strstr(line, "mountpoint") ? 4 : 0;
}

static void another_user_is_not_served_even_if_the_socket_is_open_to_all(void **state)
{
	int status = -1, fd;
	char line[512];
	pid_t child;

	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can become another */
	assert_int_equal(chmod(dir, 0711), 0);
	assert_int_equal(chmod(server_path(server), 0666), 0);
	child = fork();
	if (child == 0)
		_exit(ask_as_another_user());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(chmod(dir, 0700), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	fd = raw_connect(); /* we still are */
	raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"version\"}\n");
	raw_read(fd, line, sizeof line);
	assert_non_null(strstr(line, "mountpoint"));
	(void)close(fd);
}

static void a_client_finds_the_daemon_and_calls_it(void **state)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	CLEANUP(json_putp) struct json_object *result = NULL;
	struct error err = ERROR_INIT;
	struct client *c;

	(void)state;
	assert_int_equal(clients_open(&all, &err), 0);
	assert_int_equal(all.count, 1);
	c = clients_find(&all, "/mnt/sky");
	assert_non_null(c);
	assert_int_equal(c->pid, getpid());
	assert_null(clients_find(&all, "/mnt/other"));
	assert_int_equal(client_call(c, "status", NULL, 5000, NULL, NULL, &result, &err), 0);
	assert_int_equal(json_get_int64(result, "pending", 0), 2);
	assert_true(client_call(c, "nope", NULL, 5000, NULL, NULL, &result, &err) < 0);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_false(client_wait_end(c, 10));
}

static void count_progress(void *arg, struct json_object *params)
{
	int *count = arg;

	assert_int_equal(json_get_int64(params, "files_left", 0), 1);
	++*count;
}

static void progress_comes_before_the_answer(void **state)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	CLEANUP(json_putp) struct json_object *result = NULL;
	struct error err = ERROR_INIT;
	int count = 0;

	(void)state;
	fake_fs.progress_calls = 50;
	assert_int_equal(clients_open(&all, &err), 0);
	assert_int_equal(client_call(&all.items[0], "mount.drain", NULL, 20000, count_progress,
				     &count, &result, &err),
			 0);
	assert_true(json_get_bool(result, "uploaded", false));
	assert_in_range(count, 2, 50);
}

static void garbage_gets_an_error_and_the_connection_goes_on(void **state)
{
	char line[512];
	int fd = raw_connect();

	(void)state;
	raw_send(fd,
		 "garbage\n\n\x01\x02\n{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"version\"}\n");
	raw_read(fd, line, sizeof line);
	assert_non_null(strstr(line, "-32700"));
	raw_read(fd, line, sizeof line);
	assert_non_null(strstr(line, "-32700"));
	raw_read(fd, line, sizeof line);
	assert_non_null(strstr(line, "\"id\":5"));
	(void)close(fd);
}

static void a_line_over_a_mebibyte_is_refused_and_the_connection_goes_on(void **state)
{
	CLEANUP(freep) char *big = malloc(RPC_LINE_MAX + 100);
	char line[512];
	int fd = raw_connect();

	(void)state;
	memset(big, 'x', RPC_LINE_MAX + 99);
	big[RPC_LINE_MAX + 99] = '\0';
	for (size_t at = 0, len = strlen(big); at < len;) {
		ssize_t n = send(fd, big + at, len - at, MSG_NOSIGNAL);

		assert_true(n > 0);
		at += (size_t)n;
	}
	raw_send(fd, "\n{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"version\"}\n");
	raw_read(fd, line, sizeof line);
	assert_non_null(strstr(line, "too long"));
	raw_read(fd, line, sizeof line);
	assert_non_null(strstr(line, "\"id\":5"));
	(void)close(fd);
}

static void an_answer_comes_though_the_peer_has_said_all(void **state)
{
	char line[512];
	int fd = raw_connect();

	(void)state;
	raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"version\"}\n");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	raw_read(fd, line, sizeof line);
	assert_non_null(strstr(line, "\"id\":5"));
	(void)close(fd);
}

static void one_that_never_reads_delays_nobody(void **state)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	struct error err = ERROR_INIT;
	int fd = raw_connect();
	uint64_t start;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		static const char request[] =
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.discover\"}\n";

		if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
	}
	start = clock_mono_ms();
	assert_int_equal(clients_open(&all, &err), 0);
	assert_non_null(clients_find(&all, "/mnt/sky"));
	assert_true(clock_mono_ms() - start < 3000);
	(void)close(fd);
}

static void connections_are_bounded_and_slots_come_free(void **state)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	int fds[SERVER_CLIENTS_MAX + 1];
	struct error err = ERROR_INIT;
	char line[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = raw_connect();
	raw_read(fds[SERVER_CLIENTS_MAX], line, sizeof line);
	assert_non_null(strstr(line, "too many connections"));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		(void)close(fds[i]);
	for (int i = 0; i < 200 && !clients_find(&all, "/mnt/sky"); i++) {
		clients_release(&all);
		(void)poll(NULL, 0, 20);
		assert_int_equal(clients_open(&all, &err), 0);
	}
	assert_non_null(clients_find(&all, "/mnt/sky"));
}

static bool is_syncing(void)
{
	return fake_fs.syncs > 0;
}

static bool was_cancelled(void)
{
	return fake_fs.was_cancelled;
}

static void a_sync_whose_caller_is_gone_is_given_up(void **state)
{
	int fd = raw_connect();

	(void)state;
	fake_fs.blocks = true;
	raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mount.sync\"}\n");
	wait_until(is_syncing);
	(void)close(fd);
	wait_until(was_cancelled);
}

static void a_long_call_does_not_hold_up_others_and_is_cancelled_by_its_id(void **state)
{
	char line[1024];
	int fd = raw_connect();

	(void)state;
	fake_fs.blocks = true;
	raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mount.sync\"}\n");
	wait_until(is_syncing);
	raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"version\"}\n");
	raw_read_answer(fd, line, sizeof line);
	assert_non_null(strstr(line, "\"id\":2"));
	assert_false(fake_fs.was_cancelled);
	raw_send(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":7}}\n"
		     "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":1}}\n");
	raw_read_answer(fd, line, sizeof line);
	assert_non_null(strstr(line, "\"id\":1"));
	assert_non_null(strstr(line, "cancelled"));
	assert_true(fake_fs.was_cancelled);
	(void)close(fd);
}

static void calls_of_one_client_are_bounded(void **state)
{
	char line[1024] = "";
	int fd = raw_connect();

	(void)state;
	fake_fs.blocks = true;
	for (int i = 0; i < PEER_CALLS_MAX; i++)
		raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mount.sync\"}\n");
	raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":99,\"method\":\"mount.sync\"}\n");
	raw_read_answer(fd, line, sizeof line);
	assert_non_null(strstr(line, "\"id\":99"));
	assert_non_null(strstr(line, "throttled"));
	(void)close(fd);
	wait_until(was_cancelled);
}

static void mcp_is_spoken_on_the_socket_too(void **state)
{
	char line[8192];
	int fd = raw_connect();

	(void)state;
	raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\","
		     "\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}\n");
	raw_read(fd, line, sizeof line);
	assert_non_null(strstr(line, "\"protocolVersion\":\"2025-06-18\""));
	raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"status\"}}\n");
	raw_read(fd, line, sizeof line);
	assert_non_null(strstr(line, "\"structuredContent\""));
	assert_non_null(strstr(line, "\"isError\":false"));
	raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"version\"}\n");
	raw_read(fd, line, sizeof line);
	assert_non_null(strstr(line, "\"mountpoint\""));
	(void)close(fd);
}

static void ending_the_server_ends_operations_under_way(void **state)
{
	int fd = raw_connect();

	(void)state;
	fake_fs.blocks = true;
	raw_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mount.sync\"}\n");
	wait_until(is_syncing);
	server_free(server);
	server = NULL;
	assert_true(fake_fs.was_cancelled);
	(void)close(fd);
}

static void stop_now_cancels_the_drain_and_unmounts(void **state)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	CLEANUP(json_putp) struct json_object *params = json_object_new_object();
	CLEANUP(json_putp) struct json_object *result = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	json_object_object_add(params, "now", json_object_new_boolean(1));
	assert_int_equal(clients_open(&all, &err), 0);
	assert_int_equal(
		client_call(&all.items[0], "mount.stop", params, 5000, NULL, NULL, &result, &err),
		0);
	assert_int_equal(fake_fs.stops, 1);
	assert_true(session.is_leaving_rest);
	assert_true(cancel_is_fired(&session.cancel));
}

static void stale_sockets_are_removed_and_replaced(void **state)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	CLEANUP(freep) char *stale = str_format("%s/999999.sock", dir);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct error err = ERROR_INIT;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", stale);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	(void)close(fd); /* bound and left: whoever connects is refused */
	assert_int_equal(clients_open(&all, &err), 0);
	assert_int_equal(all.count, 1);
	assert_int_equal(access(stale, F_OK), -1);
	/* A dead daemon that had our own number: its socket is simply replaced. */
	server_free(server);
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s/%d.sock", dir, (int)getpid());
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	(void)close(fd);
	assert_int_equal(server_new(NULL, &session, OP_READ, &server, &err), 0);
	(void)close(raw_connect());
}

static void directories_that_others_may_enter_are_not_used(void **state)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;
	struct server *second = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(chmod(dir, 0755), 0);
	assert_true(server_new(NULL, &session, OP_READ, &second, &err) < 0);
	assert_int_equal(err.kind, ERR_PERMISSION);
	assert_int_equal(clients_open(&all, &err), 0);
	assert_int_equal(all.count, 0);
	assert_int_equal(chmod(dir, 0700), 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_socket_is_ours_alone),
		TEST(another_user_is_not_served_even_if_the_socket_is_open_to_all),
		TEST(a_client_finds_the_daemon_and_calls_it),
		TEST(progress_comes_before_the_answer),
		TEST(garbage_gets_an_error_and_the_connection_goes_on),
		TEST(a_line_over_a_mebibyte_is_refused_and_the_connection_goes_on),
		TEST(an_answer_comes_though_the_peer_has_said_all),
		TEST(one_that_never_reads_delays_nobody),
		TEST(connections_are_bounded_and_slots_come_free),
		TEST(a_sync_whose_caller_is_gone_is_given_up),
		TEST(a_long_call_does_not_hold_up_others_and_is_cancelled_by_its_id),
		TEST(calls_of_one_client_are_bounded),
		TEST(mcp_is_spoken_on_the_socket_too),
		TEST(ending_the_server_ends_operations_under_way),
		TEST(stop_now_cancels_the_drain_and_unmounts),
		TEST(stale_sockets_are_removed_and_replaced),
		TEST(directories_that_others_may_enter_are_not_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
