#include "tests/unit/backends/aws/fake_s3.h"
#include "backends/aws/s3_private.h"
#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#define REQUESTS_MAX  64
#define REQUEST_BYTES (4 << 20)

struct fake_s3 {
	int listener, stop_pipe[2];
	unsigned port;
	pthread_t thread;
	const struct fake_answer *script;
	size_t script_count;
	struct lock lock;
	char *requests[REQUESTS_MAX]; /* guarded by lock */
	size_t count;		      /* guarded by lock */
};

static void check(bool is_ok, const char *what)
{
	if (is_ok)
		return;
	perror(what);
	abort();
}

static size_t content_length(const char *head)
{
	const char *at = strcasestr(head, "\r\ncontent-length:");

	return at ? strtoul(at + strlen("\r\ncontent-length:"), NULL, 10) : 0;
}

static char *read_request(int fd)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(REQUEST_BYTES);
	char block[16384];
	const char *end;

	for (;;) {
		ssize_t n = read(fd, block, sizeof(block));

		if (n <= 0 || buf_add(&text, block, (size_t)n) < 0)
			return NULL;
		end = strstr(buf_cstr(&text), "\r\n\r\n");
		if (end && text.len >= (size_t)(end + 4 - text.data) + content_length(text.data))
			return buf_detach(&text);
	}
}

static void send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* the client has gone: some tests make it */
		data += n;
		len -= (size_t)n;
	}
}

static void answer(int fd, const struct fake_answer *a, bool is_head)
{
	CLEANUP(buf_release) struct buf head = BUF_INIT(65536);
	size_t len = a->body_len ? a->body_len : a->body ? strlen(a->body) : 0;
	const char *headers = a->headers ? a->headers : "";
	bool has_length = strcasestr(headers, "content-length:") != NULL;

	if (a->status == 0)
		return;
	check(buf_addf(&head, "HTTP/1.1 %d Whatever\r\nConnection: close\r\n%s", a->status,
		       headers) == 0,
	      "answer");
	if (!has_length)
		check(buf_addf(&head, "Content-Length: %zu\r\n", len) == 0, "answer");
	check(buf_adds(&head, "\r\n") == 0, "answer");
	send_all(fd, head.data, head.len);
	if (!is_head)
		send_all(fd, a->body, len);
}

static void serve_one(struct fake_s3 *f, int fd)
{
	static const struct fake_answer exhausted = { .status = 599 };
	char *request = read_request(fd);
	const struct fake_answer *a = &exhausted;

	if (!request)
		return;
	{
		LOCKED(&f->lock);
		if (f->count < f->script_count)
			a = &f->script[f->count];
		check(f->count < REQUESTS_MAX, "too many requests");
		f->requests[f->count++] = request;
	}
	answer(fd, a, !strncmp(request, "HEAD ", 5));
}

static void *serve(void *arg)
{
	struct fake_s3 *f = arg;

	for (;;) {
		struct pollfd fds[2] = { { .fd = f->listener, .events = POLLIN },
					 { .fd = f->stop_pipe[0], .events = POLLIN } };
		int fd;

		check(poll(fds, 2, -1) > 0, "poll");
		if (fds[1].revents)
			return NULL;
		fd = accept(f->listener, NULL, NULL);
		if (fd < 0)
			continue;
		serve_one(f, fd);
		(void)shutdown(fd, SHUT_WR);
		(void)close(fd);
	}
}

struct fake_s3 *fake_s3_new(const struct fake_answer *script, size_t count)
{
	struct fake_s3 *f = calloc(1, sizeof(*f));
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	check(f != NULL, "calloc");
	f->script = script;
	f->script_count = count;
	lock_init(&f->lock);
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(f->listener >= 0, "socket");
	check(bind(f->listener, (struct sockaddr *)&address, len) == 0, "bind");
	check(listen(f->listener, 16) == 0, "listen");
	check(getsockname(f->listener, (struct sockaddr *)&address, &len) == 0, "getsockname");
	f->port = ntohs(address.sin_port);
	check(pipe(f->stop_pipe) == 0, "pipe");
	check(pthread_create(&f->thread, NULL, serve, f) == 0, "pthread_create");
	return f;
}

void fake_s3_free(struct fake_s3 *f)
{
	check(write(f->stop_pipe[1], "x", 1) == 1, "write");
	check(pthread_join(f->thread, NULL) == 0, "pthread_join");
	for (size_t i = 0; i < f->count; i++)
		free(f->requests[i]);
	(void)close(f->listener);
	(void)close(f->stop_pipe[0]);
	(void)close(f->stop_pipe[1]);
	lock_destroy(&f->lock);
	free(f);
}

unsigned fake_s3_port(const struct fake_s3 *f)
{
	return f->port;
}

size_t fake_s3_count(struct fake_s3 *f)
{
	LOCKED(&f->lock);

	return f->count;
}

const char *fake_s3_request(struct fake_s3 *f, size_t n)
{
	LOCKED(&f->lock);

	return n < f->count ? f->requests[n] : "";
}

static const char *no_env(const char *name)
{
	(void)name;
	return NULL;
}

void fake_room_open(struct fake_room *room, const struct fake_answer *script, size_t count)
{
	struct error err = ERROR_INIT;
	struct http_engine_options engine_options = { .max_attempts = 3 };
	struct s3_options options = { .region = "us-east-1" };
	struct cred_aws_options cred = { .access_key_id = "testkey",
					 .secret_access_key = "testsecret" };
	struct cred_host host = { .getenv = no_env, .wall_s = clock_wall_s };
	char endpoint[64];

	room->server = fake_s3_new(script, count);
	check(http_engine_new(&engine_options, &room->engine, &err) >= 0, err.message);
	host.engine = room->engine;
	check(cred_aws_provider_new(&host, &cred, &options.provider, &err) >= 0, err.message);
	(void)snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", room->server->port);
	options.endpoint = endpoint;
	check(s3_store_new("fake", room->engine, &options, &room->store, &err) >= 0, err.message);
	atomic_store(&s3_of(room->store)->kept, S3_KEEPS_KNOWN | (S3_KEEPS_ALL & ~S3_KEEPS_TARGET));
}

void fake_room_close(struct fake_room *room)
{
	store_free(room->store);
	http_engine_free(room->engine);
	fake_s3_free(room->server);
}
