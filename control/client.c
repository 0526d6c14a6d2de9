#include "control/client.h"

#include "backends/base/clock.h"
#include "control/paths.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define CLIENTS_MAX	 256
#define ABOUT_TIMEOUT_MS 3000
#define SEND_TIMEOUT_S	 5

static void client_release(struct client *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	rpc_framer_release(&c->framer);
	json_object_put(c->about);
}

void clients_release(struct clients *c)
{
	for (size_t i = 0; i < c->count; i++)
		client_release(&c->items[i]);
	free(c->items);
	*c = CLIENTS_INIT;
}

/* 0 with a connection to a living daemon of ours; else negative, and a dead one's socket is
 * removed. */
static int connect_one(int dir_fd, const char *name, struct client *ret)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = SEND_TIMEOUT_S};
	struct ucred peer;
	socklen_t len = sizeof peer;
	int n = snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir_fd,
			 name);
	CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || n < 0 || (size_t)n >= sizeof address.sun_path)
		return -EINVAL;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit,
			 sizeof limit); /* also limits connect */
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		int saved = errno;

		if (saved == ECONNREFUSED)
			(void)unlinkat(dir_fd, name, 0); /* another command may have done it */
		return -saved;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != geteuid())
		return -EPERM;
	*ret = (struct client){.fd = fd, .pid = peer.pid, .framer = RPC_FRAMER_INIT(RPC_REPLY_MAX)};
	fd = -1;
	return 0;
}

static void dir_close(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

static int open_dir(int dir_fd, struct clients *all, struct error *err)
{
	CLEANUP(dir_close) DIR *d = fdopendir(dir_fd);
	struct dirent *entry;

	if (!d) {
		(void)close(dir_fd);
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	while ((entry = readdir(d)) && all->count < CLIENTS_MAX) {
		struct client c;

		if (entry->d_name[0] == '.' || !str_ends(str_of(entry->d_name), ".sock") ||
		    connect_one(dirfd(d), entry->d_name, &c) < 0)
			continue;
		all->items[all->count++] = c;
	}
	return 0;
}

int clients_open(struct clients *ret, struct error *err)
{
	CLEANUP(clients_release) struct clients all = CLIENTS_INIT;

	all.items = calloc(CLIENTS_MAX, sizeof *all.items);
	if (!all.items)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	for (unsigned i = 0; i < PATHS_RUNTIME_DIRS; i++) {
		CLEANUP(freep) char *path = NULL;
		struct error ignored = ERROR_INIT;
		int fd, r;

		if (paths_runtime_open(i, PATHS_FIND, &fd, &path, &ignored) < 0)
			continue;
		r = open_dir(fd, &all, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < all.count; i++) {
		struct error ignored = ERROR_INIT;

		/* One that does not answer stays in the list: it lives, and the user should hear of
		 * it. */
		if (client_call(&all.items[i], "version", NULL, ABOUT_TIMEOUT_MS, NULL, NULL,
				&all.items[i].about, &ignored) < 0)
			all.items[i].about = NULL;
	}
	*ret = all;
	all = CLIENTS_INIT;
	return 0;
}

struct client *clients_find(struct clients *c, const char *mountpoint)
{
	for (size_t i = 0; i < c->count; i++) {
		struct json_object *about = c->items[i].about;
		const char *at = about ? json_get_string(about, "mountpoint") : NULL;
		const char *state = about ? json_get_string(about, "state") : NULL;

		if (at && !strcmp(at, mountpoint) && (!state || strcmp(state, "unmounted") != 0))
			return &c->items[i];
	}
	return NULL;
}

struct reply {
	int64_t id;
	client_progress_fn *on_progress;
	void *arg;
	struct json_object *message; /* the response once it came */
	struct error *err;
};

static int take_line(void *arg, struct str line)
{
	struct reply *reply = arg;
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *method;
	int r;

	if (!line.ptr)
		return error_set(reply->err, ERR_PROTOCOL, "the daemon's answer is too long");
	r = json_parse(line, RPC_REPLY_MAX, &o, reply->err);
	if (r < 0)
		return error_prefix(reply->err, r, "the daemon's answer");
	method = json_get_string(o, "method");
	if (method) {
		struct json_object *params = json_get(o, "params");

		if (!strcmp(method, "progress") && reply->on_progress && params)
			reply->on_progress(reply->arg, params);
		return 0;
	}
	/* An error without id (a connection refused) answers whatever was asked. */
	if (!reply->message && (json_get_int64(o, "id", -1) == reply->id ||
				(!json_get(o, "id") && json_get(o, "error"))))
		reply->message = steal(o);
	return 0;
}

static int send_request(struct client *c, const char *method, struct json_object *params,
			struct error *err)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT(RPC_LINE_MAX);
	size_t at = 0;

	if (rpc_add_request(&line, ++c->last_id, method, params) < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	while (at < line.len) {
		ssize_t n = send(c->fd, line.data + at, line.len - at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, ERR_UNAVAILABLE,
					 "the daemon (process %d) does not read", (int)c->pid);
		at += (size_t)n;
	}
	return 0;
}

int client_call(struct client *c, const char *method, struct json_object *params,
		unsigned timeout_ms, client_progress_fn *on_progress, void *arg,
		struct json_object **ret, struct error *err)
{
	struct reply reply = {.on_progress = on_progress, .arg = arg, .err = err};
	CLEANUP(json_putp) struct json_object *message = NULL;
	struct json_object *value;
	int r = send_request(c, method, params, err);

	reply.id = c->last_id;
	while (r == 0 && !reply.message) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		char data[16384];
		ssize_t n;

		if (poll(&p, 1, timeout_ms ? (int)timeout_ms : -1) == 0)
			return error_set(err, ERR_TIMEOUT,
					 "the daemon (process %d) does not answer", (int)c->pid);
		n = recv(c->fd, data, sizeof data, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return error_set(err, ERR_UNAVAILABLE, "the daemon (process %d) went away",
					 (int)c->pid);
		r = rpc_framer_push(&c->framer, data, (size_t)n, take_line, &reply);
	}
	message = reply.message;
	if (r < 0)
		return r;
	if (json_object_object_get_ex(message, "error", &value) && value)
		return rpc_error_from(value, err);
	if (!json_object_object_get_ex(message, "result", &value))
		return error_set(err, ERR_PROTOCOL, "the daemon's answer has no result");
	*ret = json_object_get(value);
	return 0;
}

struct breaker {
	struct cancel_hook hook;
	int fd;
};

static void break_off(struct cancel_hook *hook)
{
	(void)shutdown(container_of(hook, struct breaker, hook)->fd, SHUT_RDWR); /* who reads it sees its end */
}

int client_call_cancellable(struct client *c, const char *method, struct json_object *params, struct cancel *cancel,
			    client_progress_fn *on_progress, void *arg, struct json_object **ret, struct error *err)
{
	struct breaker breaker = {.hook = {.fire = break_off}, .fd = c->fd};
	int r;

	cancel_hook(cancel, &breaker.hook);
	r = client_call(c, method, params, 0, on_progress, arg, ret, err);
	cancel_unhook(cancel, &breaker.hook);
	return r < 0 && cancel_is_fired(cancel) ? error_set(err, ERR_CANCELLED, "%s: given up", method) : r;
}

bool client_wait_end(struct client *c, unsigned timeout_ms)
{
	CLEANUP(closep) int pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	uint64_t deadline = clock_mono_ms() + timeout_ms;
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0 && errno == ESRCH)
		return true;
	if (pidfd >= 0)
		return poll(&p, 1, (int)timeout_ms) > 0;
	while (kill(c->pid, 0) == 0 && clock_mono_ms() < deadline)
		(void)poll(NULL, 0, 20); /* no pidfd here (an old kernel, a filter) */
	return kill(c->pid, 0) < 0;
}
