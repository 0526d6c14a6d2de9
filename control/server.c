#include "control/server.h"

#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "control/paths.h"
#include "control/peer.h"
#include "control/rpc.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define WRITE_TIMEOUT_MS 10000
#define HANG_UP_SLICE_MS 100
#define RUNNING_MAX	 512
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_BYTES (4u << 20)
#else
#define STACK_BYTES (256u << 10)
#endif

struct connection {
	struct server *server;
	struct connection *next; /* guarded by server->lock */
	pthread_t thread;
	int fd;
	struct peer *peer;
	atomic_bool is_done; /* the thread has nothing more to do: join it */
};

struct server {
	struct op_context *context;
	struct session *session;
	enum op_risk allow;
	_Atomic unsigned running; /* calls on threads of their own, of all connections */
	int dir_fd, listen_fd, wake_fd;
	char name[32], *path;
	pthread_t thread;
	bool has_thread;
	atomic_bool is_stopping;
	struct lock lock;
	struct connection *connections; /* guarded by lock */
	size_t count;			/* guarded by lock */
};

/* All of it within the time limit, or the connection is given up. */
static int send_all(struct connection *c, const char *data, size_t len)
{
	uint64_t deadline = clock_mono_ms() + WRITE_TIMEOUT_MS;

	while (len) {
		ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd p = {.fd = c->fd, .events = POLLOUT};
			uint64_t now = clock_mono_ms();

			if (now >= deadline || poll(&p, 1, (int)(deadline - now)) == 0) {
				log_warn("control.dropped", "reason='the client does not read'");
				(void)shutdown(c->fd, SHUT_RDWR); /* its thread reads the end then */
				return -ETIMEDOUT;
			}
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

static int send_lines(void *arg, const char *data, size_t len)
{
	return send_all(arg, data, len);
}

/* The peer sends no more. One that only said so (shutdown) still gets its answers; from one that is gone nothing is
 * worth going on for. */
static void await_calls(struct connection *c)
{
	while (!peer_wait_until(c->peer, clock_mono_ms() + HANG_UP_SLICE_MS)) {
		struct pollfd p = {.fd = c->fd, .events = 0};

		if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)))
			peer_cancel_all(c->peer);
	}
}

static void *serve_connection(void *arg)
{
	struct connection *c = arg;
	CLEANUP(rpc_framer_release) struct rpc_framer framer = RPC_FRAMER_INIT(RPC_LINE_MAX);
	char data[16384];
	int r = 0;

	while (r == 0 && !atomic_load(&c->server->is_stopping)) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		ssize_t n = recv(c->fd, data, sizeof data, 0);

		if (n > 0)
			r = rpc_framer_push(&framer, data, (size_t)n, peer_line, c->peer);
		else if (n < 0 && errno == EAGAIN)
			(void)poll(&p, 1,
				   -1); /* server_free shuts the socket down, which ends this */
		else if (n == 0 || errno != EINTR)
			break;
	}
	if (r == 0 && !atomic_load(&c->server->is_stopping))
		await_calls(c);
	peer_cancel_all(c->peer);
	(void)shutdown(c->fd, SHUT_RDWR); /* the peer may be gone already */
	(void)peer_wait_until(c->peer, UINT64_MAX);
	atomic_store(&c->is_done, true);
	(void)eventfd_write(c->server->wake_fd, 1); /* only fails when it is full, thus readable */
	return NULL;
}

static void connection_free(struct connection *c)
{
	(void)close(c->fd);
	peer_free(c->peer);
	free(c);
}

/* Joins the threads that are through. */
static void reap(struct server *s)
{
	LOCKED(&s->lock);
	for (struct connection **at = &s->connections; *at;) {
		struct connection *c = *at;

		if (!atomic_load(&c->is_done)) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		s->count--;
		(void)pthread_join(c->thread, NULL); /* it is returning: no wait under the lock */
		connection_free(c);
	}
}

static int start_thread(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attributes;
	int r = pthread_attr_init(&attributes);

	if (r != 0)
		return -r;
	r = pthread_attr_setstacksize(&attributes, STACK_BYTES);
	if (r == 0)
		r = pthread_create(thread, &attributes, fn, arg);
	(void)pthread_attr_destroy(&attributes); /* cannot fail */
	return -r;
}

static bool is_peer_ours(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

static void refuse(int fd, const char *why)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT(1024);

	if (rpc_add_error(&line, NULL, RPC_INTERNAL, why, NULL) == 0)
		(void)send(fd, line.data, line.len, MSG_NOSIGNAL | MSG_DONTWAIT); /* a courtesy */
	(void)close(fd);
}

/* Takes fd. */
static struct connection *connection_new(struct server *s, int fd)
{
	struct connection *c = calloc(1, sizeof *c);
	struct peer_options options = {.context = s->context,
				       .session = s->session,
				       .allow = s->allow,
				       .has_methods = true,
				       .send = send_lines,
				       .send_arg = c,
				       .running = &s->running,
				       .running_max = RUNNING_MAX};
	struct error err = ERROR_INIT;

	if (!c || peer_new(&options, &c->peer, &err) < 0) {
		free(c);
		(void)close(fd);
		return NULL;
	}
	c->server = s;
	c->fd = fd;
	return c;
}

/* Whether one was taken out of the queue. */
static bool accept_one(struct server *s)
{
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct connection *c;

	if (fd < 0)
		return false;
	if (!is_peer_ours(fd)) {
		log_warn("control.refused", "reason='another user'");
		(void)close(fd);
		return true;
	}
	LOCKED(&s->lock);
	if (s->count >= SERVER_CLIENTS_MAX) {
		refuse(fd, "too many connections (close some)");
		return true;
	}
	c = connection_new(s, fd);
	if (!c)
		return true;
	if (start_thread(&c->thread, serve_connection, c) < 0) {
		connection_free(c);
		return true;
	}
	c->next = s->connections;
	s->connections = c;
	s->count++;
	return true;
}

static void *accept_loop(void *arg)
{
	struct server *s = arg;

	while (!atomic_load(&s->is_stopping)) {
		struct pollfd p[2] = {{.fd = s->listen_fd, .events = POLLIN},
				      {.fd = s->wake_fd, .events = POLLIN}};
		eventfd_t value;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		(void)eventfd_read(s->wake_fd, &value); /* non-blocking; only empties it */
		reap(s);
		while ((p[0].revents & POLLIN) && !atomic_load(&s->is_stopping) && accept_one(s))
			;
	}
	return NULL;
}

/* Binds under a name nobody looks for, listens, and only then takes the real name. */
static int bind_socket(struct server *s, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char hidden[40];

	(void)snprintf(s->name, sizeof s->name, "%d.sock", (int)getpid());
	(void)snprintf(hidden, sizeof hidden, ".%s.new", s->name);
	(void)unlinkat(s->dir_fd, hidden, 0); /* of a process with our number that died just then */
	/* By the open directory: no length limit of paths, and nobody can exchange it meanwhile. */
	(void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", s->dir_fd,
		       hidden);
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The mode of the socket's own inode, less the umask, becomes that of the name bound to it.
	 */
	if (s->listen_fd < 0 || fchmod(s->listen_fd, 0600) < 0 ||
	    bind(s->listen_fd, (struct sockaddr *)&address, sizeof address) < 0)
		return error_errno(err, errno, "cannot make the control socket in '%s'", s->path);
	if (listen(s->listen_fd, SERVER_CLIENTS_MAX) < 0 ||
	    renameat(s->dir_fd, hidden, s->dir_fd, s->name) < 0) {
		int saved = errno;

		(void)unlinkat(s->dir_fd, hidden, 0);
		return error_errno(err, saved, "cannot make the control socket in '%s'", s->path);
	}
	return 0;
}

int server_new(struct op_context *context, struct session *session, enum op_risk allow, struct server **ret,
	       struct error *err)
{
	struct server *s = calloc(1, sizeof *s);
	char *dir;
	int r;

	if (!s)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	s->context = context;
	s->session = session;
	s->allow = allow;
	s->dir_fd = s->listen_fd = -1;
	lock_init_ranked(&s->lock, LOCK_CONTROL);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = s->wake_fd < 0 ? error_errno(err, errno, "cannot make an eventfd")
			   : paths_runtime_make(&s->dir_fd, &s->path, err);
	if (r == 0)
		r = bind_socket(s, err);
	if (r == 0) {
		dir = s->path;
		s->path = str_format("%s/%s", dir, s->name);
		free(dir);
		r = s->path ? start_thread(&s->thread, accept_loop, s) : -ENOMEM;
		if (r < 0)
			(void)error_errno(err, -r, "cannot start the control socket's thread");
		s->has_thread = r == 0;
	}
	if (r < 0) {
		server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

const char *server_path(const struct server *s)
{
	return s->path;
}

static void stop_connections(struct server *s)
{
	LOCKED(&s->lock);
	for (struct connection *c = s->connections; c; c = c->next) {
		(void)shutdown(c->fd, SHUT_RDWR);
	}
}

void server_free(struct server *s)
{
	if (!s)
		return;
	atomic_store(&s->is_stopping, true);
	if (s->name[0] && s->listen_fd >= 0)
		(void)unlinkat(s->dir_fd, s->name, 0);
	if (s->has_thread) {
		(void)eventfd_write(s->wake_fd, 1);
		(void)pthread_join(s->thread, NULL);
	}
	stop_connections(s);
	for (struct connection *c = s->connections; c;) {
		struct connection *next = c->next;

		(void)pthread_join(c->thread, NULL);
		connection_free(c);
		c = next;
	}
	if (s->listen_fd >= 0)
		(void)close(s->listen_fd);
	if (s->wake_fd >= 0)
		(void)close(s->wake_fd);
	if (s->dir_fd >= 0)
		(void)close(s->dir_fd);
	lock_destroy(&s->lock);
	free(s->path);
	free(s);
}
