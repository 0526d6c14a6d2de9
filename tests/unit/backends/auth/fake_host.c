#include "tests/unit/backends/auth/fake_host.h"

#include "backends/base/clock.h"
#include "backends/base/fileio.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/socket.h>

static struct {
	const char *name;
	char value[1024];
} variables[32];
static _Atomic int64_t now_s, advanced_s;
static char home[64];

const char *fake_getenv(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		if (variables[i].name && strcmp(variables[i].name, name) == 0)
			return variables[i].value;
	return NULL;
}

void fake_setenv(const char *name, const char *value)
{
	size_t free_row = ARRAY_SIZE(variables);

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		if (variables[i].name && strcmp(variables[i].name, name) == 0)
			variables[i].name = NULL;
		if (!variables[i].name)
			free_row = i;
	}
	if (!value)
		return;
	assert_true(free_row < ARRAY_SIZE(variables));
	variables[free_row].name = name;
	(void)snprintf(variables[free_row].value, sizeof(variables[free_row].value), "%s", value);
}

int64_t fake_wall_s(void)
{
	return atomic_load(&now_s);
}

const struct cred_host fake_host = {.getenv = fake_getenv, .wall_s = fake_wall_s};

/* The real monotonic clock, moved by what the test has advanced. */
static uint64_t fake_mono_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)(ts.tv_sec + atomic_load(&advanced_s)) * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int64_t fake_wall_ns(void)
{
	return fake_wall_s() * 1000000000;
}

void fake_host_reset(void)
{
	static const struct clock_source source = {.mono_ns = fake_mono_ns,
						   .wall_ns = fake_wall_ns};

	memset(variables, 0, sizeof(variables));
	atomic_store(&now_s, FAKE_NOW_S);
	clock_set(&source);
	clock_set_skew_s(0);
}

void fake_advance_s(int64_t seconds)
{
	atomic_fetch_add(&now_s, seconds);
	atomic_fetch_add(&advanced_s, seconds);
}

const char *fake_date(int64_t wall_s, char ret[24])
{
	char b[17];

	clock_format_basic(wall_s, b);
	(void)snprintf(ret, 24, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", b, b + 4, b + 6, b + 9, b + 11,
		       b + 13);
	return ret;
}

const char *fake_home_make(void)
{
	(void)snprintf(home, sizeof(home), "/tmp/skydir-auth-XXXXXX");
	assert_non_null(mkdtemp(home));
	fake_setenv("HOME", home);
	return home;
}

void fake_home_write(const char *below_home, const char *content)
{
	char path[256], *slash;

	(void)snprintf(path, sizeof(path), "%s/%s", home, below_home);
	slash = strrchr(path, '/');
	*slash = '\0';
	assert_int_equal(fileio_make_dirs(path, 0700, NULL), 0);
	*slash = '/';
	assert_int_equal(fileio_replace_file(path, str_of(content), 0600, NULL), 0);
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
	(void)stat;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void fake_home_remove(void)
{
	if (home[0])
		assert_int_equal(nftw(home, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	home[0] = '\0';
}

/* Reads head and body; false when the client went away. */
static bool read_question(int fd, struct fake_question *q)
{
	static const char length_name[] = "\r\ncontent-length:";
	char text[sizeof(q->headers) + sizeof(q->body)];
	size_t len = 0, body_len = 0;
	char *end = NULL, *line;
	const char *at;

	for (;;) {
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);

		if (n <= 0)
			return false;
		len += (size_t)n;
		text[len] = '\0';
		if (!end && (end = strstr(text, "\r\n\r\n"))) {
			at = strcasestr(text, length_name);
			body_len = at && at < end ? strtoul(at + strlen(length_name), NULL, 10) : 0;
		}
		if (end && len >= (size_t)(end - text) + 4 + body_len)
			break;
	}
	(void)snprintf(q->body, sizeof(q->body), "%s", end + 4);
	end[2] = '\0';
	line = strstr(text, "\r\n");
	(void)snprintf(q->headers, sizeof(q->headers), "%s", line + 2);
	*line = '\0';
	return sscanf(text, "%15s %4095s", q->method, q->target) == 2;
}

static void serve_one(struct fake_server *s, int fd)
{
	struct fake_question *q = calloc(1, sizeof(*q));
	struct fake_answer *a = calloc(1, sizeof(*a));

	if (q && a && read_question(fd, q)) {
		char head[512];
		int n;

		a->status = 200;
		atomic_fetch_add(&s->asked, 1);
		s->answer(s->arg, q, a);
		n = snprintf(head, sizeof(head),
			     "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n",
			     a->status, a->headers, strlen(a->body));
		(void)!send(fd, head, (size_t)n,
			    MSG_NOSIGNAL); /* a client that left is the test's wish */
		(void)!send(fd, a->body, strlen(a->body), MSG_NOSIGNAL);
	}
	free(q);
	free(a);
}

static void *serve(void *arg)
{
	struct fake_server *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		serve_one(s, fd);
		(void)close(fd);
	}
	return NULL;
}

void fake_server_start(struct fake_server *s)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->fd >= 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &len), 0);
	(void)snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", ntohs(address.sin_port));
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

void fake_server_stop(struct fake_server *s)
{
	(void)shutdown(s->fd, SHUT_RDWR); /* wakes accept */
	(void)pthread_join(s->thread, NULL);
	(void)close(s->fd);
}
