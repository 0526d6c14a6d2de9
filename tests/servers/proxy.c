#include "proxy.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 64

static int epoll_fd = -1;
static uint16_t listen_port;
static struct conn_end listener = { .fd = -1 }, controller = { .fd = -1 };

static int listen_on(uint16_t port)
{
	const int on = 1;
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(port),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1024) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static bool watch(struct conn_end *end)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = end };
	return end->fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, end->fd, &event) == 0;
}

bool proxy_listen(void)
{
	if (listener.fd >= 0)
		return true;
	listener.fd = listen_on(listen_port);
	return watch(&listener);
}

void proxy_unlisten(void)
{
	if (listener.fd >= 0)
		(void)close(listener.fd);
	listener.fd = -1;
	conn_reset_all();
}

static void accept_all(struct conn_end *end)
{
	for (;;) {
		int flags = end == &controller ? SOCK_CLOEXEC : SOCK_CLOEXEC | SOCK_NONBLOCK;
		int fd = end->fd >= 0 ? accept4(end->fd, NULL, NULL, flags) : -1;
		if (fd < 0)
			return;
		if (end == &controller)
			control_serve(fd);
		else
			conn_new(epoll_fd, fd);
	}
}

static int run(void)
{
	struct epoll_event events[EVENTS_MAX];
	for (;;) {
		uint64_t now = clock_ns(), due = conn_wake_due(now);
		conn_collect();
		uint64_t wait = due == UINT64_MAX ? 3600000000000u : due > now ? due - now : 0;
		struct timespec timeout = { .tv_sec = (time_t)(wait / 1000000000),
					    .tv_nsec = (long)(wait % 1000000000) };
		int n = epoll_pwait2(epoll_fd, events, EVENTS_MAX, &timeout, NULL);
		if (n < 0 && errno != EINTR) {
			perror("skydir-proxy: epoll");
			return 1;
		}
		for (int i = 0; i < n; i++) {
			struct conn_end *end = events[i].data.ptr;
			if (end->conn)
				conn_event(end, events[i].events);
			else
				accept_all(end);
		}
	}
}

static bool parse_upstream(char *text)
{
	char *colon = strrchr(text, ':');
	if (!colon)
		return false;
	*colon = '\0';
	settings.upstream_port = (uint16_t)strtoul(colon + 1, NULL, 10);
	return inet_pton(AF_INET, text, &settings.upstream_ip) == 1 && settings.upstream_port;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },	{ "control", required_argument, NULL, 'c' },
		{ "upstream", required_argument, NULL, 'u' },	{ "latency-ms", required_argument, NULL, 't' },
		{ "rate", required_argument, NULL, 'r' },	{ 0 },
	};
	uint16_t control_port = 0;
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'l')
			listen_port = (uint16_t)strtoul(optarg, NULL, 10);
		else if (option == 'c')
			control_port = (uint16_t)strtoul(optarg, NULL, 10);
		else if (option == 't')
			settings.latency_ns = (uint64_t)(strtod(optarg, NULL) * 1e6);
		else if (option == 'r')
			settings.rate = strtoull(optarg, NULL, 10);
		else if (option != 'u' || !parse_upstream(optarg))
			return 2;
	}
	if (!listen_port || !control_port || !settings.upstream_port) {
		(void)fprintf(stderr, "usage: skydir-proxy --listen PORT --control PORT --upstream 127.0.0.1:PORT\n"
				      "                    [--latency-ms N] [--rate BYTES_A_SECOND]\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	controller.fd = listen_on(control_port);
	if (epoll_fd < 0 || !proxy_listen() || !watch(&controller)) {
		perror("skydir-proxy: listen");
		return 1;
	}
	return run();
}
