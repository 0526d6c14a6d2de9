/* TLS against `openssl s_server` with a certificate made on the spot; skipped where there is no
 * openssl command. */
#include "fixture.h"
#include "backends/base/fileio.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

extern char **environ;

static char dir[64], key[96], certificate[96], url[64];
static pid_t server_pid = -1;

static pid_t run(const char *const argv[], int out_fd)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	if (out_fd >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	else
		(void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) !=
	    0)
		pid = -1;
	(void)posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static bool make_certificate(void)
{
	const char *const argv[] = { "openssl",
				     "req",
				     "-x509",
				     "-newkey",
				     "ec",
				     "-pkeyopt",
				     "ec_paramgen_curve:prime256v1",
				     "-nodes",
				     "-keyout",
				     key,
				     "-out",
				     certificate,
				     "-days",
				     "2",
				     "-subj",
				     "/CN=skydir test",
				     "-addext",
				     "subjectAltName=IP:127.0.0.1",
				     NULL };
	pid_t pid = run(argv, -1);
	int status = 0;

	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* s_server picks a port and says "ACCEPT 127.0.0.1:PORT". */
static bool start_server(void)
{
	const char *const argv[] = { "openssl",	  "s_server", "-accept", "127.0.0.1:0", "-cert",
				     certificate, "-key",     key,	 "-www",	NULL };
	int pipe_fds[2];
	char text[4096];
	size_t len = 0;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return false;
	server_pid = run(argv, pipe_fds[1]);
	(void)close(pipe_fds[1]);
	while (server_pid > 0 && len < sizeof(text) - 1) {
		struct pollfd p = { .fd = pipe_fds[0], .events = POLLIN };
		if (poll(&p, 1, 10000) <= 0)
			break;
		ssize_t n = read(pipe_fds[0], text + len, sizeof(text) - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = '\0';
		const char *accept_line = strstr(text, "ACCEPT 127.0.0.1:");
		if (accept_line && strchr(accept_line, '\n')) {
			(void)snprintf(url, sizeof(url), "https://127.0.0.1:%lu",
				       strtoul(accept_line + 17, NULL, 10));
			break;
		}
	}
	(void)close(pipe_fds[0]);
	return url[0] != '\0';
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/skydir-test-tls-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(key, sizeof(key), "%s/key.pem", dir);
	(void)snprintf(certificate, sizeof(certificate), "%s/certificate.pem", dir);
	if (make_certificate())
		(void)start_server();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (server_pid > 0) {
		(void)kill(server_pid, SIGTERM);
		(void)waitpid(server_pid, NULL, 0);
	}
	(void)unlink(key);
	(void)unlink(certificate);
	return rmdir(dir);
}

static int get(const struct http_engine_options *options, const char *base, struct error *err)
{
	struct http_request request = HTTP_REQUEST_INIT;
	struct http_response response = HTTP_RESPONSE_INIT;
	struct http_engine *engine = NULL;
	uint64_t begun_ms = clock_mono_ms();

	assert_int_equal(http_engine_new(options, &engine, err), 0);
	assert_int_equal(http_request_set_base(&request, base, err), 0);
	request.is_idempotent = true;
	int r = http_perform(engine, &request, &response, err);
	if (r < 0)
		assert_int_equal(response.attempts, 1);
	assert_true(clock_mono_ms() - begun_ms < 10000);
	http_request_release(&request);
	http_response_release(&response);
	http_engine_free(engine);
	return r;
}

static void a_certificate_nobody_vouches_for_is_refused_at_once(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	if (!url[0])
		skip();
	assert_true(get(NULL, url, &err) < 0);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	assert_non_null(strstr(err.message, "certificate"));
	assert_null(strchr(err.message, '\n'));
}

static void a_certificate_in_the_ca_file_is_accepted(void **state)
{
	const struct http_engine_options options = { .ca_file = certificate };
	struct error err = ERROR_INIT;

	(void)state;
	if (!url[0])
		skip();
	if (get(&options, url, &err) < 0)
		fail_msg("%s", err.message);
}

static void ssl_cert_file_is_honoured(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	if (!url[0])
		skip();
	assert_int_equal(setenv("SSL_CERT_FILE", certificate, 1), 0);
	int r = get(NULL, url, &err);
	assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
	if (r < 0)
		fail_msg("%s", err.message);
}

static void a_certificate_for_another_name_is_refused(void **state)
{
	const struct http_engine_options options = { .ca_file = certificate };
	struct error err = ERROR_INIT;
	char other[64];

	(void)state;
	if (!url[0])
		skip();
	(void)snprintf(other, sizeof(other), "https://localhost:%s", strrchr(url, ':') + 1);
	assert_true(get(&options, other, &err) < 0);
	assert_int_equal(err.kind, ERR_PROTOCOL);
}

static void a_ca_file_that_is_not_there_is_named_as_such(void **state)
{
	const struct http_engine_options options = { .ca_file = "/nonexistent/ca.pem" };
	struct error err = ERROR_INIT;

	(void)state;
	if (!url[0])
		skip();
	assert_true(get(&options, url, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_nobody_vouches_for_is_refused_at_once),
		cmocka_unit_test(a_certificate_in_the_ca_file_is_accepted),
		cmocka_unit_test(ssl_cert_file_is_honoured),
		cmocka_unit_test(a_certificate_for_another_name_is_refused),
		cmocka_unit_test(a_ca_file_that_is_not_there_is_named_as_such),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
