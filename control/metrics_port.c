#include "control/metrics_port.h"

#include "backends/base/clock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 16
#define REQUEST_MAX 8192
#define ANSWER_MAX  (16 << 20)
#define PATIENCE_MS 5000

struct connection {
	int fd; /* -1: free */
	uint64_t until_mono_ms;
	char request[REQUEST_MAX];
	size_t len;
	struct buf answer; /* being sent, once it holds something */
	size_t sent;
};
struct metrics_port {
	int listen_fd, wake_fd;
	uint16_t port;
	metrics_port_text *text;
	void *arg;
	pthread_t thread;
	bool has_thread;
	atomic_bool is_stopping;
	struct connection connections[CONNECTIONS]; /* owned by the thread */
};

static void hang_up(struct connection *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	buf_release(&c->answer);
}

static int answer(struct connection *c, const char *status, const char *type, struct str body, bool has_body)
{
	int r = buf_addf(&c->answer,
			 "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n\r\n",
			 status, type, body.len);

	return r == 0 && has_body ? buf_add_str(&c->answer, body) : r;
}

static int refuse(struct connection *c, const char *status)
{
	return answer(c, status, "text/plain", str_of(status), true);
}

/* "127.0.0.1:9464", "localhost", "[::1]:9464" */
static bool is_our_host(struct str host)
{
	static const char *const ours[] = { "127.0.0.1", "localhost", "[::1]" };

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		size_t len = strlen(ours[i]);

		if (host.len >= len && strncasecmp(host.ptr, ours[i], len) == 0 && (host.len == len || host.ptr[len] == ':'))
			return true;
	}
	return false;
}

/* The value of the one Host line; ptr NULL: none, or several. */
static struct str host_of(struct str head)
{
	struct str line, found = { NULL, 0 };

	(void)str_split(&head, '\n'); /* the request line */
	while ((line = str_split(&head, '\n')).ptr) {
		if (line.len < 5 || strncasecmp(line.ptr, "host:", 5) != 0)
			continue;
		if (found.ptr)
			return (struct str){ NULL, 0 };
		found = str_trim((struct str){ line.ptr + 5, line.len - 5 });
	}
	return found;
}

static int answer_request(struct metrics_port *p, struct connection *c)
{
	struct str head = { c->request, c->len }, rest = head, line = str_trim(str_split(&rest, '\n'));
	struct str method = str_split(&line, ' '), path = str_split(&line, ' '), host = host_of(head);
	CLEANUP(buf_release) struct buf body = BUF_INIT(ANSWER_MAX);
	bool is_head = str_equal(method, str_of("HEAD"));

	if (!path.ptr || !line.ptr || !str_starts(line, "HTTP/1."))
		return refuse(c, "400 Bad Request");
	if (!host.ptr || !is_our_host(host))
		return refuse(c, "403 Forbidden");
	if (!is_head && !str_equal(method, str_of("GET")))
		return refuse(c, "405 Method Not Allowed");
	if (!str_equal(str_split(&path, '?'), str_of("/metrics")))
		return refuse(c, "404 Not Found");
	if (p->text(p->arg, &body) < 0)
		return refuse(c, "500 Internal Server Error");
	return answer(c, "200 OK", "text/plain; version=0.0.4; charset=utf-8", buf_str(&body), !is_head);
}

static void receive(struct metrics_port *p, struct connection *c)
{
	ssize_t n = recv(c->fd, c->request + c->len, sizeof c->request - c->len, 0);
	int r = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(c);
		return;
	}
	c->len += (size_t)n;
	if (memmem(c->request, c->len, "\r\n\r\n", 4) || memmem(c->request, c->len, "\n\n", 2))
		r = answer_request(p, c);
	else if (c->len == sizeof c->request)
		r = refuse(c, "431 Request Header Fields Too Large");
	if (r < 0)
		hang_up(c);
}

static void send_more(struct connection *c)
{
	ssize_t n = send(c->fd, c->answer.data + c->sent, c->answer.len - c->sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->sent += (size_t)n;
	if (n <= 0 || c->sent == c->answer.len) {
		(void)shutdown(c->fd, SHUT_WR); /* the peer may be gone */
		hang_up(c);
	}
}

static struct connection *free_one(struct metrics_port *p)
{
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (p->connections[i].fd < 0)
			return &p->connections[i];
	return NULL;
}

static void take_connection(struct metrics_port *p)
{
	struct connection *c = free_one(p);
	int fd = c ? accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;

	if (fd < 0)
		return;
	*c = (struct connection){ .fd = fd, .until_mono_ms = clock_mono_ms() + PATIENCE_MS, .answer = BUF_INIT(ANSWER_MAX + 1024) };
}

/* The milliseconds until the first connection is given up; -1: there is none. */
static int drop_late(struct metrics_port *p)
{
	uint64_t now = clock_mono_ms();
	int wait_ms = -1;

	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &p->connections[i];

		if (c->fd >= 0 && now >= c->until_mono_ms)
			hang_up(c);
		else if (c->fd >= 0 && (wait_ms < 0 || c->until_mono_ms - now < (uint64_t)wait_ms))
			wait_ms = (int)(c->until_mono_ms - now);
	}
	return wait_ms;
}

static void *run(void *arg)
{
	struct metrics_port *p = arg;

	while (!atomic_load(&p->is_stopping)) {
		int wait_ms = drop_late(p);
		struct pollfd fds[CONNECTIONS + 2] = { { .fd = free_one(p) ? p->listen_fd : -1, .events = POLLIN },
						       { .fd = p->wake_fd, .events = POLLIN } };

		for (size_t i = 0; i < CONNECTIONS; i++)
			fds[i + 2] = (struct pollfd){ .fd = p->connections[i].fd,
						      .events = p->connections[i].answer.len ? POLLOUT : POLLIN };
		if (poll(fds, CONNECTIONS + 2, wait_ms) < 0 && errno != EINTR)
			break;
		for (size_t i = 0; i < CONNECTIONS; i++) {
			struct connection *c = &p->connections[i];

			if (c->fd < 0 || fds[i + 2].fd != c->fd || !fds[i + 2].revents)
				continue;
			if (c->answer.len)
				send_more(c);
			else
				receive(p, c);
		}
		if (fds[0].fd >= 0 && fds[0].revents)
			take_connection(p);
	}
	return NULL;
}

static int bind_port(struct metrics_port *p, uint16_t port, struct error *err)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof address;
	int one = 1;

	p->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->listen_fd < 0 || p->wake_fd < 0)
		return error_errno(err, errno, "cannot make a socket for metrics");
	(void)setsockopt(p->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one); /* else a quick restart has to wait */
	if (bind(p->listen_fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(p->listen_fd, CONNECTIONS) < 0 ||
	    getsockname(p->listen_fd, (struct sockaddr *)&address, &len) < 0)
		return error_errno(err, errno, "cannot listen on port %u of 127.0.0.1 for metrics", port);
	p->port = ntohs(address.sin_port);
	return 0;
}

int metrics_port_new(uint16_t port, metrics_port_text *text, void *arg, struct metrics_port **ret, struct error *err)
{
	struct metrics_port *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	p->text = text;
	p->arg = arg;
	for (size_t i = 0; i < CONNECTIONS; i++)
		p->connections[i].fd = -1;
	r = bind_port(p, port, err);
	if (r == 0) {
		r = -pthread_create(&p->thread, NULL, run, p);
		p->has_thread = r == 0;
		if (r < 0)
			r = error_errno(err, -r, "cannot start the thread for metrics");
	}
	if (r < 0) {
		metrics_port_free(p);
		return r;
	}
	(void)pthread_setname_np(p->thread, "skydir-metrics");
	*ret = p;
	return 0;
}

uint16_t metrics_port_number(const struct metrics_port *p)
{
	return p->port;
}

void metrics_port_free(struct metrics_port *p)
{
	if (!p)
		return;
	atomic_store(&p->is_stopping, true);
	if (p->has_thread) {
		(void)eventfd_write(p->wake_fd, 1); /* fails only when it is full, thus readable */
		(void)pthread_join(p->thread, NULL);
	}
	for (size_t i = 0; i < CONNECTIONS; i++)
		hang_up(&p->connections[i]);
	if (p->listen_fd >= 0)
		(void)close(p->listen_fd);
	if (p->wake_fd >= 0)
		(void)close(p->wake_fd);
	free(p);
}
