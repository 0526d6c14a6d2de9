#include "script_server.h"
#include "backends/base/fileio.h"
#include "backends/base/lock.h"
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

#define REQUESTS_MAX	4096
#define CONNECTIONS_MAX 1024

struct seen {
	char *head;
	struct buf body;
};
struct connection {
	struct server *server;
	pthread_t thread;
	int fd;
};
struct server {
	struct lock lock;
	const struct step *steps;
	size_t step_count;
	int listen_fd;
	char url[64];
	pthread_t thread;
	atomic_bool is_stopping;
	atomic_uint at_once, most_at_once;
	size_t next_step;				/* guarded by lock */
	struct connection connections[CONNECTIONS_MAX]; /* guarded by lock */
	unsigned connection_count;			/* guarded by lock */
	struct seen seen[REQUESTS_MAX];			/* guarded by lock */
	unsigned seen_count;				/* guarded by lock */
};

static const struct step *next_step(struct server *s)
{
	LOCKED(&s->lock);
	size_t i = s->next_step < s->step_count ? s->next_step : s->step_count - 1;

	s->next_step++;
	return &s->steps[i];
}

static const struct step *peek_step(struct server *s)
{
	LOCKED(&s->lock);

	return &s->steps[s->next_step < s->step_count ? s->next_step : s->step_count - 1];
}

/* Reads at least one byte more; false at the end, or when the server stops. */
static bool fill(struct connection *c, struct buf *in)
{
	char chunk[65536];

	for (;;) {
		struct pollfd p = { .fd = c->fd, .events = POLLIN };
		if (atomic_load(&c->server->is_stopping))
			return false;
		if (poll(&p, 1, 20) <= 0)
			continue;
		ssize_t n = recv(c->fd, chunk, sizeof(chunk), 0);
		return n > 0 && buf_add(in, chunk, (size_t)n) == 0;
	}
}

static void consume(struct buf *in, size_t len)
{
	memmove(in->data, in->data + len, in->len - len);
	in->len -= len;
	in->data[in->len] = '\0';
}

/* Takes one head out of the stream; NULL at its end. */
static char *read_head(struct connection *c, struct buf *in)
{
	char *end;

	while (!(end = strstr(buf_cstr(in), "\r\n\r\n")))
		if (!fill(c, in))
			return NULL;
	size_t len = (size_t)(end - in->data) + 4;
	char *head = str_dup((struct str){ in->data, len });
	consume(in, len);
	return head;
}

static size_t content_length(const char *head)
{
	const char *line = strcasestr(head, "\r\nContent-Length:");

	return line ? strtoul(line + 17, NULL, 10) : 0;
}

static bool read_body(struct connection *c, struct buf *in, size_t len, struct buf *ret)
{
	while (in->len < len)
		if (!fill(c, in))
			return false;
	if (len == 0)
		return true;
	if (buf_add(ret, in->data, len) < 0)
		return false;
	consume(in, len);
	return true;
}

static void remember(struct server *s, char *head, struct buf *body)
{
	LOCKED(&s->lock);

	if (s->seen_count == REQUESTS_MAX)
		abort();
	s->seen[s->seen_count].head = head;
	s->seen[s->seen_count++].body = *body;
	*body = BUF_INIT(1 << 30);
}

static bool send_all(struct connection *c, const char *data, size_t len)
{
	while (len > 0) {
		struct pollfd p = { .fd = c->fd, .events = POLLOUT };
		if (atomic_load(&c->server->is_stopping))
			return false;
		if (poll(&p, 1, 20) <= 0)
			continue;
		ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static void reset(struct connection *c)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void wait_for_end(struct connection *c)
{
	CLEANUP(buf_release) struct buf sink = BUF_INIT(1 << 30);

	while (fill(c, &sink))
		buf_clear(&sink);
}

/* Waits without the client, but not when the server stops. */
static void delay(struct connection *c, unsigned ms)
{
	for (unsigned i = 0; i < ms && !atomic_load(&c->server->is_stopping); i += 5)
		(void)poll(NULL, 0, 5);
}

static bool trickle(struct connection *c, const struct step *step)
{
	for (const char *p = step->bytes; *p; p++) {
		delay(c, step->delay_ms);
		if (!send_all(c, p, 1))
			return false;
	}
	return true;
}

/* Plays one step; false: the connection is to be closed. */
static bool play(struct connection *c, const struct step *step)
{
	if (step->action == STEP_TRICKLE)
		return trickle(c, step);
	delay(c, step->delay_ms);
	if (step->bytes && !send_all(c, step->bytes, step->len ? step->len : strlen(step->bytes)))
		return false;
	switch (step->action) {
	case STEP_ANSWER:
	case STEP_TRICKLE:
		return true;
	case STEP_ENDLESS:
		while (send_all(c, step->tail, strlen(step->tail)))
			;
		return false;
	case STEP_ANSWER_STALL:
	case STEP_STALL_HEAD:
		wait_for_end(c);
		return false;
	case STEP_ANSWER_RESET:
		delay(c, 50); /* else the RST overtakes what was sent */
		reset(c);
		return false;
	case STEP_RESET_HEAD:
	case STEP_RESET_EARLY:
		reset(c);
		return false;
	case STEP_ANSWER_CLOSE:
	case STEP_ANSWER_HEAD:
		(void)shutdown(c->fd, SHUT_WR);
		delay(c, step->action == STEP_ANSWER_HEAD ? 50 : 0);
		return false;
	}
	return false;
}

static bool serve_one(struct connection *c, struct buf *in)
{
	CLEANUP(buf_release) struct buf body = BUF_INIT(1 << 30);
	struct server *s = c->server;
	const struct step *step;
	char *head = read_head(c, in);
	bool is_kept;

	if (!head)
		return false;
	unsigned now = atomic_fetch_add(&s->at_once, 1) + 1;
	if (now > atomic_load(&s->most_at_once))
		atomic_store(&s->most_at_once, now);
	step = next_step(s);
	if (step->action != STEP_RESET_HEAD && step->action != STEP_STALL_HEAD &&
	    step->action != STEP_ANSWER_HEAD && !read_body(c, in, content_length(head), &body)) {
		remember(s, head, &body);
		atomic_fetch_sub(&s->at_once, 1);
		return false;
	}
	remember(s, head, &body);
	is_kept = play(c, step);
	atomic_fetch_sub(&s->at_once, 1);
	return is_kept;
}

static void *serve(void *arg)
{
	struct connection *c = arg;
	CLEANUP(buf_release) struct buf in = BUF_INIT(1 << 30);

	if (peek_step(c->server)->action == STEP_RESET_EARLY)
		(void)play(c, next_step(c->server));
	else
		while (serve_one(c, &in))
			;
	(void)close(c->fd);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct server *s = arg;

	while (!atomic_load(&s->is_stopping)) {
		struct pollfd p = { .fd = s->listen_fd, .events = POLLIN };
		if (poll(&p, 1, 20) <= 0)
			continue;
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		LOCKED(&s->lock);
		if (s->connection_count == CONNECTIONS_MAX)
			abort();
		struct connection *c = &s->connections[s->connection_count++];
		c->server = s;
		c->fd = fd;
		if (pthread_create(&c->thread, NULL, serve, c) != 0)
			abort();
	}
	return NULL;
}

struct server *server_start(const struct step *steps, size_t count)
{
	struct server *s = calloc(1, sizeof(*s));
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	if (!s)
		abort();
	lock_init(&s->lock);
	s->steps = steps;
	s->step_count = count;
	s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(s->listen_fd, 512) < 0 ||
	    getsockname(s->listen_fd, (struct sockaddr *)&address, &len) < 0)
		abort();
	(void)snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", ntohs(address.sin_port));
	if (pthread_create(&s->thread, NULL, accept_all, s) != 0)
		abort();
	return s;
}

void server_stop(struct server *s)
{
	atomic_store(&s->is_stopping, true);
	(void)pthread_join(s->thread, NULL);
	for (unsigned i = 0; i < s->connection_count; i++)
		(void)pthread_join(s->connections[i].thread, NULL);
	for (unsigned i = 0; i < s->seen_count; i++) {
		free(s->seen[i].head);
		buf_release(&s->seen[i].body);
	}
	(void)close(s->listen_fd);
	lock_destroy(&s->lock);
	free(s);
}

const char *server_url(const struct server *s)
{
	return s->url;
}

unsigned server_connections(struct server *s)
{
	LOCKED(&s->lock);

	return s->connection_count;
}

unsigned server_requests(struct server *s)
{
	LOCKED(&s->lock);

	return s->seen_count;
}

unsigned server_most_at_once(struct server *s)
{
	return atomic_load(&s->most_at_once);
}

const char *server_head(struct server *s, unsigned n)
{
	LOCKED(&s->lock);

	return n < s->seen_count ? s->seen[n].head : "";
}

struct str server_body(struct server *s, unsigned n)
{
	LOCKED(&s->lock);

	return n < s->seen_count ? buf_str(&s->seen[n].body) : STR("");
}
